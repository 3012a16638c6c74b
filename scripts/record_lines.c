/* The probe's lines: calls with their answers, headings, and where the others go.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "record_private.h"

static const struct {
    const char *word, *group;
} kinds[NR_RECORD_KINDS] = {
    [RECORD_STATE] = {"state", ""},         [RECORD_SEQ] = {"seq", ""},
    [RECORD_ALLOC] = {"alloc", ""},         [RECORD_FREE] = {"free", ""},
    [RECORD_EXHAUSTED] = {"exhausted", ""},
#define RECORD_ROW_(id, word, what) [RECORD_##id] = {word, what},
    RECORD_UNMODELLED(RECORD_ROW_)
#undef RECORD_ROW_
};

const char *record_kind_word(enum record_kind kind) { return kinds[kind].word; }
const char *record_kind_group(enum record_kind kind) { return kinds[kind].group; }

/* ---- calls ---- */

static bool next_order(struct parser *p, struct record_item *item)
{
    uint64_t order;
    if (!next_number(p, 10, p->r->max_order - 1, &order)) {
        return false;
    }
    item->order = (uint8_t)order;
    return true;
}

static bool next_gfp(struct parser *p, gfp_t *gfp)
{
    struct word w;
    char text[sizeof p->last_gfp_text];
    if (!next_word(p, &w)) {
        return false;
    }
    if (w.len >= sizeof text) {
        return bad_word(p, w, "GFP flags");
    }
    memcpy(text, w.text, w.len);
    text[w.len] = 0;
    if (strcmp(text, p->last_gfp_text) != 0) {
        if (memchr(text, 0, w.len) || !gfp_parse(text, &p->last_gfp, NULL)) {
            p->last_gfp_text[0] = 0;
            return bad_word(p, w, "GFP flags");
        }
        memcpy(p->last_gfp_text, text, w.len + 1);
    }
    *gfp = p->last_gfp;
    return true;
}

static bool parse_alloc(struct parser *p)
{
    struct record_item item = {.kind = RECORD_ALLOC, .line = p->line};
    gfp_t gfp = 0;
    struct word arrow;
    if (!next_order(p, &item) || !next_gfp(p, &gfp) || !next_word(p, &arrow)) {
        return false;
    }
    if (!word_is(arrow, "->")) {
        return bad_word(p, arrow, "->");
    }
    skip_blanks(p);
    item.gfp = gfp;
    if (p->end - p->at >= 4 && !memcmp(p->at, "NULL", 4)) {
        item.pfn = RECORD_NULL;
        p->at += 4;
    } else if (!next_pfn(p, &item.pfn)) {
        return false;
    }
    return end_of_line(p) && APPEND(p, items, nr_items, item);
}

static bool parse_free(struct parser *p)
{
    struct record_item item = {.kind = RECORD_FREE, .line = p->line};
    return next_order(p, &item) && next_pfn(p, &item.pfn) && end_of_line(p) &&
           APPEND(p, items, nr_items, item);
}

static bool parse_exhausted(struct parser *p)
{
    uint64_t after;
    const struct field f[] = {{"after", &after, NULL, UINT32_MAX}};
    if (!parse_fields(p, f, 1)) {
        return false;
    }
    struct record_item item = {
        .kind = RECORD_EXHAUSTED, .line = p->line, .n = (uint32_t)after};
    return APPEND(p, items, nr_items, item);
}

static bool parse_seq(struct parser *p)
{
    if (at_end(p)) {
        return fail(p, "a sequence without a name: the line is cut off");
    }
    struct record_seq s = {p->at, (uint32_t)(p->end - p->at), p->line};
    struct record_item item = {.kind = RECORD_SEQ, .line = p->line, .n = p->r->nr_seqs};
    return APPEND(p, seqs, nr_seqs, s) && APPEND(p, items, nr_items, item);
}

static bool parse_oracle(struct parser *p)
{
    struct record *r = p->r;
    struct word kernel;
    if (r->max_order) {
        return fail(p, "a second oracle line");
    }
    if (!next_word(p, &kernel)) {
        return false;
    }
    snprintf(r->kernel, sizeof r->kernel, "%.*s",
             (int)(kernel.len < 60 ? kernel.len : 60), kernel.text);
    uint64_t cpu, ptrs, cpus, max_order, pageblock_order;
    const struct field f[] = {{"cpu", &cpu, NULL, MAX_CPUS - 1},
                              {"ptrs", &ptrs, NULL, 64},
                              {"cpus", &cpus, NULL, MAX_CPUS},
                              {"max_order", &max_order, NULL, MAX_ORDER},
                              {"pageblock_order", &pageblock_order, NULL, MAX_ORDER - 1}};
    if (!parse_fields(p, f, sizeof f / sizeof f[0])) {
        return false;
    }
    if ((ptrs != 32 && ptrs != 64) || !cpus || cpu >= cpus || max_order < 2 ||
        pageblock_order != max_order - 1) {
        return fail(
            p, "such a machine is not known: ptrs must be 32 or 64, cpu one of cpus, "
               "pageblock_order max_order - 1");
    }
    r->cpu = (uint32_t)cpu;
    r->ptrs = (uint32_t)ptrs;
    r->cpus = (uint32_t)cpus;
    r->max_order = (uint32_t)max_order;
    r->pageblock_order = (uint32_t)pageblock_order;
    return true;
}

/* Lines of the address space and of objects. "slab" and the like are whole words. */
static bool parse_other(struct parser *p, struct word first)
{
    for (int k = RECORD_EXHAUSTED + 1; k < NR_RECORD_KINDS; k++) {
        if (word_is(first, kinds[k].word)) {
            if (record_kind_is_vm((enum record_kind)k)) {
                return parse_vm_line(p, (enum record_kind)k);
            }
            return parse_slab_line(p, (enum record_kind)k);
        }
    }
    return fail(p, "'%.*s' begins a line of a kind that is not known",
                (int)(first.len < 40 ? first.len : 40), first.text);
}

bool parse_probe_line(struct parser *p)
{
    static const struct {
        const char *word;
        bool (*parse)(struct parser *p);
        bool in_state; /* a line of a dump; any other ends it */
    } lines[] = {{"alloc", parse_alloc, false},
                 {"free", parse_free, false},
                 {"freelist", parse_freelist, true},
                 {"pcplist", parse_pcplist, true},
                 {"pcp", parse_pcp, true},
                 {"zone", parse_zone, true},
                 {"blocks", parse_blocks, true},
                 {"lru", parse_lru, true},
                 {"state", parse_state, false},
                 {"seq", parse_seq, false},
                 {"exhausted", parse_exhausted, false},
                 {"oracle", parse_oracle, false}};
    struct word first;
    if (!next_word(p, &first)) {
        return false;
    }
    if (!p->r->max_order && !word_is(first, "oracle")) {
        return fail(p, "the oracle line is missing in front of this one");
    }
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (word_is(first, lines[i].word)) {
            if (!lines[i].in_state) {
                p->state = NULL;
            }
            return lines[i].parse(p);
        }
    }
    p->state = NULL;
    return parse_other(p, first);
}
