/* Commands: looking at the hardware.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command_run.h"
#include "hw_focus.h"
#include "hw_sets.h"

/* A part by its name among first .. last, or by the number of its level. */
static bool part_find(const char *name, enum hw_part first, enum hw_part last,
                      enum hw_part *part)
{
    for (enum hw_part i = first; i <= last; i++) {
        if (!strcasecmp(name, hw_part_title(i))) {
            *part = i;
            return true;
        }
    }
    return false;
}

/* Put a set, a number, under the cursor. */
static bool show_set(struct app *a, enum hw_part part, const char *text)
{
    const struct cache *c = shown_part(a, part);
    unsigned set, way = 0;
    char rest;
    int got = sscanf(text, "%u %u %c", &set, &way, &rest);
    if (got < 1 || got > 2 || set >= c->config.sets || way >= c->config.ways) {
        app_message(a, MESSAGE_ERROR, "%s has sets 0 to %u and ways 0 to %u.",
                    hw_part_title(part), c->config.sets - 1, c->config.ways - 1);
        return false;
    }
    a->hw.sets[part].has_cursor = true;
    a->hw.sets[part].set = set;
    a->hw.sets[part].way = way;
    return true;
}

static void show_part(struct app *a, const char *args, enum hw_part first,
                      enum hw_part last, int pane, enum hw_part *shown, bool *pinned)
{
    char name[16];
    const size_t len = strcspn(args, " ");
    const char *rest = args + len + strspn(args + len, " ");
    enum hw_part part = *shown;
    snprintf(name, sizeof name, "%.*s", (int)len, args);
    app_focus(a, pane);
    if (!*args) {
        return;
    }
    if (!strcmp(name, "auto")) {
        *pinned = false;
        app_message(a, MESSAGE_INFO, "It follows what happens.");
        return;
    }
    if (!strcmp(name, "next") || !strcmp(name, "previous")) {
        part = sets_turn(a, first, last, *shown, *name == 'n' ? 1 : -1);
    } else if (!part_find(name, first, last, &part)) {
        app_message(a, MESSAGE_ERROR, "There is no %s: %s, %s and %s are known.", name,
                    hw_part_title(first), hw_part_title(first + 1), hw_part_title(last));
        return;
    }
    if (!shown_part(a, part)) {
        app_message(a, MESSAGE_ERROR, "This CPU has no %s.", hw_part_title(part));
        return;
    }
    if (*rest && !show_set(a, part, rest)) {
        return;
    }
    *shown = part;
    *pinned = true;
}

void run_cache(struct app *a, const char *args)
{
    show_part(a, args, PART_L1I, PART_L2, PANE_CACHE, &a->hw.cache, &a->hw.cache_pinned);
}

void run_tlb(struct app *a, const char *args)
{
    show_part(a, args, PART_ITLB, PART_STLB, PANE_TLB, &a->hw.tlb, &a->hw.tlb_pinned);
}
