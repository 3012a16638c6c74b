/* Reading what a command is asked about.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "inspect_hw.h"
#include "pane.h"
#include "slabs.h"

enum { MAX_WORDS = 5 };

static int split(char *text, char *words[MAX_WORDS])
{
    int nr = 0;
    for (char *at = strtok(text, " "); at && nr < MAX_WORDS; at = strtok(NULL, " ")) {
        words[nr++] = at;
    }
    return nr;
}

static bool number(const char *text, uint64_t *n)
{
    char *end;
    *n = strtoull(text, &end, 0);
    return end != text && !*end;
}

static bool migratetype(const char *text, uint64_t *n)
{
    for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
        if (!strncasecmp(type_name((enum migratetype)mt), text, strlen(text))) {
            *n = (uint64_t)mt;
            return true;
        }
    }
    return number(text, n);
}

static bool zone_number(const struct app *a, const char *text, uint64_t *n)
{
    *n = zone_by_name(a->model.m, text);
    return *n != UINT32_MAX;
}

/* The words after the first, as the kind wants them. */
static bool parse_words(const struct app *a, struct watch *w, char *const words[], int nr)
{
    switch (w->kind) {
    case WATCH_PAGE:
    case WATCH_ENTRY:
    case WATCH_OBJECT:
        return nr == 2 && number(words[1], &w->a);
    case WATCH_FREELIST:
        w->c = (uint64_t)a->buddy.mt;
        return (nr == 3 || nr == 4) && zone_number(a, words[1], &w->a) &&
               number(words[2], &w->b) && (nr == 3 || migratetype(words[3], &w->c));
    case WATCH_PCP:
        return nr == 4 && zone_number(a, words[1], &w->a) && number(words[2], &w->b) &&
               number(words[3], &w->c);
    case WATCH_ZONE:
        return nr == 2 && zone_number(a, words[1], &w->a);
    case WATCH_PHYSICAL:
    case WATCH_VIRTUAL:
        w->b = 8;
        return (nr == 2 || nr == 3) && number(words[1], &w->a) &&
               (nr == 2 || number(words[2], &w->b));
    default:
        w->b = a->cpu;
        return (nr == 2 || nr == 3) && number(words[1], &w->a) &&
               (nr == 2 || number(words[2], &w->b));
    }
}

static const struct {
    const char *word, *form;
} kinds[NR_WATCH_KINDS] = {
    [WATCH_PAGE] = {"page", "page PFN"},
    [WATCH_FREELIST] = {"free", "free ZONE ORDER [MIGRATETYPE]"},
    [WATCH_PCP] = {"pcp", "pcp ZONE CPU LIST"},
    [WATCH_ZONE] = {"zone", "zone NAME"},
    [WATCH_PHYSICAL] = {"phys", "phys ADDRESS [BYTES]"},
    [WATCH_ENTRY] = {"pte", "pte ADDRESS"},
    [WATCH_VIRTUAL] = {"virt", "virt ADDRESS [BYTES]"},
    [WATCH_L1I_SET] = {"l1i", "l1i SET [CPU]"},
    [WATCH_L1D_SET] = {"l1d", "l1d SET [CPU]"},
    [WATCH_L2_SET] = {"l2", "l2 SET [CPU]"},
    [WATCH_ITLB_SET] = {"itlb", "itlb SET [CPU]"},
    [WATCH_DTLB_SET] = {"dtlb", "dtlb SET [CPU]"},
    [WATCH_STLB_SET] = {"stlb", "stlb SET [CPU]"},
    [WATCH_OBJECT] = {"object", "object ADDRESS"},
};

bool target_parse(const struct app *a, const char *text, struct watch *w, char *err,
                  size_t err_size)
{
    char copy[256], *words[MAX_WORDS];
    snprintf(copy, sizeof copy, "%s", text);
    snprintf(err, err_size, "%s", "");
    const int nr = split(copy, words);
    int kind = 0;
    while (kind < NR_WATCH_KINDS && (!nr || strcmp(words[0], kinds[kind].word) != 0)) {
        kind++;
    }
    if (kind == NR_WATCH_KINDS || nr < 2) {
        return false;
    }
    *w = (struct watch){.kind = (enum watch_kind)kind};
    if (!parse_words(a, w, words, nr)) {
        snprintf(err, err_size, "%s: this wants %s.", text, kinds[kind].form);
        return false;
    }
    if ((w->kind == WATCH_VIRTUAL || w->kind == WATCH_ENTRY) &&
        hw_is_user(a->model.m, a->cpu, w->a)) { /* of the process that runs now */
        w->c = hw_mm_of_cpu(a->model.m, a->cpu).loaded_mm;
    }
    const char *error = watch_error(w, a->model.m);
    if (error) {
        snprintf(err, err_size, "%s: %s.", text, error);
        return false;
    }
    return true;
}

bool target_selected(const struct app *a, struct watch *w)
{
    const struct pane_kind *pane = pane_kind(a->focus);
    uint64_t page;
    if (a->focus == PANE_BUDDY && a->buddy.has_cursor && a->buddy.chain < 0) {
        *w = (struct watch){WATCH_FREELIST, a->zone, (uint64_t)a->buddy.order,
                            (uint64_t)a->buddy.mt};
        return true;
    }
    if (a->focus == PANE_PCP && a->pcp.has_cursor && a->pcp.chain < 0) {
        *w = (struct watch){WATCH_PCP, a->zone, a->cpu, (uint64_t)a->pcp.list};
        return true;
    }
    if (a->focus == PANE_SLABS && slabs_object(a)) {
        *w = (struct watch){WATCH_OBJECT, slabs_object(a), 0, 0};
        return true;
    }
    if (pane->selected_pfn && pane->selected_pfn(a, &page)) {
        *w = (struct watch){WATCH_PAGE, page, 0, 0};
        return !watch_error(w, a->model.m);
    }
    if (a->has_asked) {
        *w = a->asked;
        return true;
    }
    if (event_arg(&a->model.event, "pfn", &page) && a->model.has_event) {
        *w = (struct watch){WATCH_PAGE, page, 0, 0};
        return !watch_error(w, a->model.m);
    }
    return false;
}

void target_format(const struct app *a, const struct watch *w, char *buf, size_t size)
{
    const char *word = kinds[w->kind].word;
    const unsigned long long one = w->a, two = w->b, three = w->c;
    switch (w->kind) {
    case WATCH_FREELIST:
    case WATCH_PCP:
        snprintf(buf, size, "%s %s %llu %llu", word,
                 zone_view(a->model.m, (uint32_t)one).name, two, three);
        break;
    case WATCH_ZONE:
        snprintf(buf, size, "%s %s", word, zone_view(a->model.m, (uint32_t)one).name);
        break;
    case WATCH_PAGE:
    case WATCH_ENTRY:
    case WATCH_OBJECT:
        snprintf(buf, size, "%s 0x%llx", word, one);
        break;
    default:
        snprintf(buf, size, "%s 0x%llx %llu", word, one, two);
        break;
    }
}
