/* The lines of a state dump: zones, per-CPU lists, free lists, pageblocks, LRU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_private.h"

enum { MAX_STATES = 4096, MAX_PCP_LIST = NR_PCP_LISTS };

static bool next_zone_name(struct parser *p, enum zone_type *type)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    for (int t = 0; t < MAX_NR_ZONES; t++) {
        if (word_is(w, record_zone_names[t])) {
            *type = (enum zone_type)t;
            return true;
        }
    }
    return bad_word(p, w, "a zone");
}

/* ---- the lines of a state dump ---- */

static struct record_zone *find_zone(struct parser *p, enum zone_type type)
{
    for (uint32_t i = 0; p->state && i < p->state->nr_zones; i++) {
        if (p->state->zone[i].type == type) {
            return &p->state->zone[i];
        }
    }
    say_failed(p, "zone %s has no zone line in this dump", record_zone_names[type]);
    return NULL;
}

bool parse_state(struct parser *p)
{
    struct record_state s = {.line = p->line};
    struct word tag;
    if (!next_word(p, &tag)) {
        return false;
    }
    s.load = word_is(tag, "start") || (tag.len > 7 && !memcmp(tag.text, "before-", 7));
    bool answer =
        word_is(tag, "exhausted") || (tag.len > 6 && !memcmp(tag.text, "after-", 6));
    if ((!s.load && !answer) || tag.len >= sizeof s.tag) {
        return bad_word(p, tag, "start, before-*, after-* or exhausted");
    }
    memcpy(s.tag, tag.text, tag.len);
    const struct field f[] = {{"totalreserve", &s.totalreserve, NULL, UINT32_MAX}};
    if (!parse_fields(p, f, 1)) {
        return false;
    }
    if (p->r->nr_states == MAX_STATES) {
        return fail(p, "more than %d states", MAX_STATES);
    }
    struct record_item item = {
        .kind = RECORD_STATE, .line = p->line, .n = p->r->nr_states};
    if (!APPEND(p, states, nr_states, s) || !APPEND(p, items, nr_items, item)) {
        return false;
    }
    p->state = &p->r->states[p->r->nr_states - 1];
    return true;
}

static bool parse_reserve(struct parser *p, struct record_zone *z, struct word *rest)
{
    const char *at = rest->text, *end = rest->text + rest->len;
    while (z->nr_reserve < RECORD_ZONES) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        struct word n = {at, (size_t)((comma ? comma : end) - at)};
        if (!to_number(n, 10, UINT32_MAX, &z->lowmem_reserve[z->nr_reserve++])) {
            return bad_word(p, *rest, "a list of numbers");
        }
        if (!comma) {
            break;
        }
        at = comma + 1;
        if (z->nr_reserve == RECORD_ZONES) {
            return fail(p, "lowmem_reserve has more than %d numbers", RECORD_ZONES);
        }
    }
    return z->nr_reserve == RECORD_ZONES ||
           fail(p, "lowmem_reserve has %u numbers: a kernel with %d zones is expected",
                z->nr_reserve, RECORD_ZONES);
}

bool parse_zone(struct parser *p)
{
    struct record_state *s = p->state;
    if (!s) {
        return fail(p, "a zone outside of a state dump");
    }
    if (s->nr_zones == RECORD_ZONES) {
        return fail(p, "more than %d zones", RECORD_ZONES);
    }
    struct record_zone *z = &s->zone[s->nr_zones];
    memset(z, 0, sizeof *z);
    z->line = p->line;
    z->first_list = p->r->nr_lists;
    if (!next_zone_name(p, &z->type)) {
        return false;
    }
    if (s->nr_zones && z[-1].type >= z->type) {
        return fail(p, "zone %s comes after zone %s", record_zone_names[z->type],
                    record_zone_names[z[-1].type]);
    }
    /* The one field that is a list: take it out of the line. */
    const char *key = " lowmem_reserve=";
    const size_t key_len = strlen(key);
    const char *from = p->at, *cut = NULL;
    for (const char *c = from; c + key_len <= p->end && !cut; c++) {
        cut = memcmp(c, key, key_len) == 0 ? c : NULL;
    }
    if (!cut) {
        return fail(p, "lowmem_reserve= is missing: the line is cut off");
    }
    struct word reserve = {cut + key_len, 0};
    while (reserve.text + reserve.len < p->end && reserve.text[reserve.len] != ' ') {
        reserve.len++;
    }
    if (!parse_reserve(p, z, &reserve)) {
        return false;
    }
    char without[1024];
    const char *behind = reserve.text + reserve.len, *end = p->end;
    size_t len = (size_t)(cut - from), behind_len = (size_t)(end - behind);
    if (len + behind_len > sizeof without) {
        return fail(p, "the line is too long");
    }
    memcpy(without, from, len);
    memcpy(without + len, behind, behind_len);
    uint64_t high, batch, flags;
    const struct field f[] = {{"start", &z->start, NULL, UINT32_MAX},
                              {"spanned", &z->spanned, NULL, UINT32_MAX},
                              {"present", &z->present, NULL, UINT32_MAX},
                              {"managed", &z->managed, NULL, UINT32_MAX},
                              {"min", &z->min, NULL, UINT32_MAX},
                              {"low", &z->low, NULL, UINT32_MAX},
                              {"high", &z->high, NULL, UINT32_MAX},
                              {"boost", &z->boost, NULL, UINT32_MAX},
                              {"highatomic", &z->highatomic, NULL, UINT32_MAX},
                              {"free", &z->free, NULL, UINT32_MAX},
                              {"pageset_high", &high, NULL, INT32_MAX},
                              {"pageset_batch", &batch, NULL, INT32_MAX},
                              {"flags", &flags, NULL, UINT32_MAX}};
    p->at = without;
    p->end = without + len + behind_len;
    bool good = parse_fields(p, f, sizeof f / sizeof f[0]);
    p->at = p->end = end;
    if (!good) {
        return false;
    }
    if (z->start + z->spanned > RECORD_NULL || !z->spanned || z->managed > z->spanned ||
        z->present > z->spanned) {
        return fail(p,
                    "a zone of %" PRIu64 " pages from %" PRIu64 ", %" PRIu64
                    " present, %" PRIu64 " managed cannot be",
                    z->spanned, z->start, z->present, z->managed);
    }
    z->pageset_high = (uint32_t)high;
    z->pageset_batch = (uint32_t)batch;
    z->flags = (uint32_t)flags;
    s->nr_zones++;
    return true;
}

/* "cpu=0" */
static bool next_cpu(struct parser *p, uint32_t *cpu)
{
    struct word w;
    uint64_t v;
    if (!next_word(p, &w)) {
        return false;
    }
    if (w.len < 5 || memcmp(w.text, "cpu=", 4) != 0 ||
        !to_number((struct word){w.text + 4, w.len - 4}, 10, MAX_CPUS - 1, &v)) {
        return bad_word(p, w, "a CPU's number, cpu=N");
    }
    if (v >= p->r->cpus) {
        return fail(p, "CPU %" PRIu64 " is not one of the %u that the oracle line names",
                    v, p->r->cpus);
    }
    *cpu = (uint32_t)v;
    return true;
}

bool parse_pcp(struct parser *p)
{
    enum zone_type type = ZONE_DMA;
    uint32_t cpu;
    struct record_zone *z;
    if (!next_zone_name(p, &type) || !(z = find_zone(p, type)) || !next_cpu(p, &cpu)) {
        return false;
    }
    struct record_pcp *pcp = &z->pcp[cpu];
    if (pcp->line) {
        return fail(p, "CPU %u has two pcp lines for zone %s", cpu,
                    record_zone_names[type]);
    }
    uint64_t count, high, batch, free_factor, threshold;
    const struct field f[] = {{"count", &count, NULL, INT32_MAX},
                              {"high", &high, NULL, INT32_MAX},
                              {"batch", &batch, NULL, INT32_MAX},
                              {"free_factor", &free_factor, NULL, 31},
                              {"free_diff", NULL, &pcp->free_diff, 127},
                              {"threshold", &threshold, NULL, 127}};
    if (!parse_fields(p, f, sizeof f / sizeof f[0])) {
        return false;
    }
    pcp->line = p->line;
    pcp->count = (uint32_t)count;
    pcp->high = (uint32_t)high;
    pcp->batch = (uint32_t)batch;
    pcp->free_factor = (uint32_t)free_factor;
    pcp->threshold = (uint32_t)threshold;
    return true;
}

static bool letter_type(char c, uint8_t *type)
{
    static const char letters[] = "UMRHI";
    const char *at = c ? strchr(letters, c) : NULL;
    if (at) {
        *type = (uint8_t)(at - letters);
    }
    return at != NULL;
}

/* The page frames behind a list's colon. */
static bool parse_pages(struct parser *p, struct record_list *l)
{
    l->line = p->line;
    l->first = p->r->nr_numbers;
    while (!at_end(p)) {
        uint32_t frame;
        if (!next_pfn(p, &frame) || !APPEND(p, numbers, nr_numbers, frame)) {
            return false;
        }
    }
    l->nr = p->r->nr_numbers - l->first;
    return true;
}

static bool add_list(struct parser *p, struct record_zone *z, struct record_list *l)
{
    for (uint32_t i = 0; i < z->nr_lists; i++) {
        const struct record_list *o = &p->r->lists[z->first_list + i];
        if (o->pcp == l->pcp && o->cpu == l->cpu && o->index == l->index &&
            o->type == l->type) {
            return fail(p, "the same list stands in line %u", o->line);
        }
    }
    if (z->first_list + z->nr_lists != p->r->nr_lists) {
        return fail(p, "a list of zone %s stands behind another zone's",
                    record_zone_names[z->type]);
    }
    if (!parse_pages(p, l) || !APPEND(p, lists, nr_lists, *l)) {
        return false;
    }
    z->nr_lists++;
    return true;
}

bool parse_pcplist(struct parser *p)
{
    struct record_list l = {.pcp = true};
    enum zone_type type = ZONE_DMA;
    struct record_zone *z;
    struct word w;
    uint64_t index;
    if (!next_zone_name(p, &type) || !(z = find_zone(p, type)) || !next_cpu(p, &l.cpu) ||
        !next_word(p, &w)) {
        return false;
    }
    if (w.len < 7 || memcmp(w.text, "list=", 5) != 0 || w.text[w.len - 1] != ':' ||
        !to_number((struct word){w.text + 5, w.len - 6}, 10, MAX_PCP_LIST - 1, &index)) {
        return bad_word(p, w, "a per-CPU list's number, list=N:");
    }
    if (!z->pcp[l.cpu].line) {
        return fail(p, "CPU %u has no pcp line for zone %s", l.cpu,
                    record_zone_names[type]);
    }
    l.index = (uint32_t)index;
    l.type = (enum migratetype)(index % MIGRATE_PCPTYPES);
    return add_list(p, z, &l);
}

bool parse_freelist(struct parser *p)
{
    struct record_list l = {.pcp = false};
    enum zone_type zone = ZONE_DMA;
    struct record_zone *z;
    struct word w;
    uint64_t order;
    uint8_t type;
    if (!next_zone_name(p, &zone) || !(z = find_zone(p, zone)) || !next_word(p, &w)) {
        return false;
    }
    if (w.len < 7 || memcmp(w.text, "order=", 6) != 0 ||
        !to_number((struct word){w.text + 6, w.len - 6}, 10, p->r->max_order - 1,
                   &order)) {
        return bad_word(p, w, "an order, order=N");
    }
    if (!next_word(p, &w)) {
        return false;
    }
    if (w.len != 7 || memcmp(w.text, "type=", 5) != 0 || w.text[6] != ':' ||
        !letter_type(w.text[5], &type)) {
        return bad_word(p, w, "a migratetype, type=U: M: R: H: or I:");
    }
    l.index = (uint32_t)order;
    l.type = (enum migratetype)type;
    return add_list(p, z, &l);
}

bool parse_blocks(struct parser *p)
{
    enum zone_type zone = ZONE_DMA;
    struct record_zone *z;
    struct word w;
    uint64_t order, start;
    if (!next_zone_name(p, &zone) || !(z = find_zone(p, zone)) || !next_word(p, &w)) {
        return false;
    }
    if (z->blocks_line) {
        return fail(p, "zone %s has two blocks lines", record_zone_names[zone]);
    }
    if (w.len < 7 || memcmp(w.text, "order=", 6) != 0 ||
        !to_number((struct word){w.text + 6, w.len - 6}, 10, MAX_ORDER - 1, &order) ||
        order != p->r->pageblock_order) {
        return bad_word(p, w, "order=N with the oracle line's pageblock_order");
    }
    if (!next_word(p, &w)) {
        return false;
    }
    if (w.len < 8 || memcmp(w.text, "start=", 6) != 0 || w.text[w.len - 1] != ':' ||
        !to_number((struct word){w.text + 6, w.len - 7}, 16, RECORD_NULL - 1, &start)) {
        return bad_word(p, w, "a first page frame, start=PFN:");
    }
    const uint64_t block = (uint64_t)1 << order;
    const uint64_t wanted =
        (z->start + z->spanned + block - 1) / block - z->start / block;
    if (start != z->start / block * block) {
        return fail(p, "the first pageblock of zone %s begins at %" PRIx64,
                    record_zone_names[zone], z->start / block * block);
    }
    z->blocks_line = p->line;
    z->block_order = (uint32_t)order;
    z->blocks_start = start;
    z->first_block = p->r->nr_types;
    while (!at_end(p)) {
        uint8_t type;
        next_word(p, &w);
        if (w.len != 1 || !letter_type(w.text[0], &type)) {
            return bad_word(p, w, "a migratetype: U, M, R, H or I");
        }
        if (!APPEND(p, types, nr_types, type)) {
            return false;
        }
    }
    z->nr_blocks = p->r->nr_types - z->first_block;
    return z->nr_blocks == wanted || fail(p, "%u pageblocks where zone %s has %" PRIu64,
                                          z->nr_blocks, record_zone_names[zone], wanted);
}

bool parse_lru(struct parser *p)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    struct record_zone *z = NULL;
    for (uint32_t i = 0; p->state && i < p->state->nr_zones; i++) {
        const char *name = record_zone_names[p->state->zone[i].type];
        size_t len = strlen(name);
        if (w.len == len + 1 && w.text[len] == ':' && !memcmp(w.text, name, len)) {
            z = &p->state->zone[i];
        }
    }
    if (!z) {
        return bad_word(p, w, "a zone of this dump, with a colon");
    }
    if (z->lru_line) {
        return fail(p, "zone %s has two lru lines", record_zone_names[z->type]);
    }
    z->lru_line = p->line;
    z->first_lru = p->r->nr_numbers;
    while (!at_end(p)) {
        next_word(p, &w);
        const char *dash = memchr(w.text, '-', w.len);
        size_t len = dash ? (size_t)(dash - w.text) : w.len;
        uint64_t first, last;
        struct word a = {w.text, len},
                    b = {dash ? dash + 1 : w.text, dash ? w.len - len - 1 : len};
        if (!to_number(a, 16, RECORD_NULL - 1, &first) ||
            !to_number(b, 16, RECORD_NULL - 1, &last) || last < first ||
            first < z->start || last >= z->start + z->spanned) {
            return bad_word(p, w, "a range of page frames in its zone");
        }
        if (!APPEND(p, numbers, nr_numbers, (uint32_t)first) ||
            !APPEND(p, numbers, nr_numbers, (uint32_t)last)) {
            return false;
        }
        z->nr_lru++;
    }
    return true;
}

bool check_states(struct parser *p)
{
    for (uint32_t i = 0; i < p->r->nr_states; i++) {
        const struct record_state *s = &p->r->states[i];
        p->line = s->line;
        if (!s->nr_zones) {
            return fail(p, "state %s has no zones: it is cut off", s->tag);
        }
        for (uint32_t z = 0; z < s->nr_zones; z++) {
            p->line = s->zone[z].line;
            if (!s->zone[z].blocks_line) {
                return fail(p, "zone %s has no blocks line: the dump is cut off",
                            record_zone_names[s->zone[z].type]);
            }
            for (uint32_t cpu = 0; cpu < p->r->cpus; cpu++) {
                if (!s->zone[z].pcp[cpu].line) {
                    return fail(p,
                                "zone %s has no pcp line for CPU %u: the dump is cut off",
                                record_zone_names[s->zone[z].type], cpu);
                }
            }
        }
    }
    p->line = 1;
    return p->r->max_order ||
           fail(p, "the section /proc/oracle is empty: the record is cut off");
}
