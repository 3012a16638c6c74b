/* The reader of records: a line at a time, strict, every table bounded by the text's
 * size.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpack.h"

enum { MAX_STATES = 4096, MAX_PCP_LIST = NR_PCP_LISTS };

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

static const char *const zone_names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal", "HighMem",
                                                     "Movable"};

struct parser {
    struct record *r;
    const char *name;
    uint32_t line;
    const char *at, *end; /* what is left of the line */
    bool failed;
    char *err;
    size_t err_size;
    struct record_state *state; /* the dump that is open */
    gfp_t last_gfp;
    char last_gfp_text[128];
};

/* ---- errors ---- */

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static void
say_failed(struct parser *p, const char *format, ...)
{
    if (p->failed) {
        return;
    }
    p->failed = true;
    int n = snprintf(p->err, p->err_size, "%s:%u: ", p->name, p->line);
    if (n > 0 && (size_t)n < p->err_size) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(p->err + n, p->err_size - (size_t)n, format, ap);
        va_end(ap);
    }
    for (char *c = p->err; p->err_size && *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f) {
            *c = '?';
        }
    }
}

/* The first error counts. Answers false, for return fail(...). */
#define fail(...) (say_failed(__VA_ARGS__), false)

/* ---- growing tables ---- */

static bool table_grow(struct parser *p, void **table, uint32_t nr, size_t size)
{
    /* Room is a power of two: full exactly when nr is one. */
    if (nr && (nr & (nr - 1))) {
        return true;
    }
    if (nr >= UINT32_MAX / 2) {
        return fail(p, "the record is too long");
    }
    void *bigger = realloc(*table, (nr ? (size_t)nr * 2 : 1) * size);
    if (!bigger) {
        return fail(p, "out of memory");
    }
    *table = bigger;
    return true;
}

/* Appends value to r->table; false after fail(). */
#define APPEND(p, table, nr, value)                                                      \
    (table_grow(p, (void **)&(p)->r->table, (p)->r->nr, sizeof *(p)->r->table) &&        \
     ((p)->r->table[(p)->r->nr++] = (value), true))

/* ---- words and numbers ---- */

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && *p->at == ' ') {
        p->at++;
    }
}

static bool at_end(struct parser *p)
{
    skip_blanks(p);
    return p->at == p->end;
}

struct word {
    const char *text;
    size_t len;
};

static bool next_word(struct parser *p, struct word *w)
{
    *w = (struct word){p->at, 0};
    if (at_end(p)) {
        return fail(p, "the line ends early: it is cut off");
    }
    w->text = p->at;
    while (p->at < p->end && *p->at != ' ') {
        p->at++;
    }
    w->len = (size_t)(p->at - w->text);
    return true;
}

static bool word_is(struct word w, const char *text)
{
    return w.len == strlen(text) && !memcmp(w.text, text, w.len);
}

static bool to_number(struct word w, unsigned base, uint64_t most, uint64_t *out)
{
    uint64_t v = 0;
    if (!w.len || w.len > 20) {
        return false;
    }
    for (size_t i = 0; i < w.len; i++) {
        char c = w.text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base || v > (UINT64_MAX - digit) / base) {
            return false;
        }
        v = v * base + digit;
    }
    *out = v;
    return v <= most;
}

static bool bad_word(struct parser *p, struct word w, const char *wanted)
{
    return fail(p, "'%.*s' is not %s", (int)(w.len < 40 ? w.len : 40), w.text, wanted);
}

static bool next_number(struct parser *p, unsigned base, uint64_t most, uint64_t *out)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    return to_number(w, base, most, out) ||
           bad_word(p, w, base == 16 ? "a page frame number" : "a number in its bounds");
}

static bool next_pfn(struct parser *p, uint32_t *out)
{
    uint64_t v;
    if (!next_number(p, 16, RECORD_NULL - 1, &v)) {
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

static bool next_zone_name(struct parser *p, enum zone_type *type)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    for (int t = 0; t < MAX_NR_ZONES; t++) {
        if (word_is(w, zone_names[t])) {
            *type = (enum zone_type)t;
            return true;
        }
    }
    return bad_word(p, w, "a zone");
}

static bool end_of_line(struct parser *p)
{
    struct word w;
    return at_end(p) ||
           (next_word(p, &w) && bad_word(p, w, "expected here: the line should end"));
}

/* ---- key=value ---- */

struct field {
    const char *key;
    uint64_t *value; /* or: */
    int32_t *signed_value;
    uint64_t most;
};

/* Every field once, in any order, and nothing else. */
static bool parse_fields(struct parser *p, const struct field *fields, size_t nr)
{
    uint64_t seen = 0;
    while (!at_end(p)) {
        struct word w;
        next_word(p, &w);
        const char *eq = memchr(w.text, '=', w.len);
        struct word key = {w.text, eq ? (size_t)(eq - w.text) : w.len};
        size_t i = 0;
        while (i < nr && !word_is(key, fields[i].key)) {
            i++;
        }
        if (!eq || i == nr) {
            return bad_word(p, w, "a field of this line");
        }
        if (seen & (uint64_t)1 << i) {
            return fail(p, "%s= stands twice", fields[i].key);
        }
        seen |= (uint64_t)1 << i;
        struct word value = {eq + 1, w.len - key.len - 1};
        bool negative = fields[i].signed_value && value.len && value.text[0] == '-';
        value.text += negative;
        value.len -= negative;
        uint64_t v;
        if (!to_number(value, 10, fields[i].most, &v)) {
            return bad_word(p, w, "a number in its bounds");
        }
        if (fields[i].signed_value) {
            *fields[i].signed_value = negative ? -(int32_t)v : (int32_t)v;
        } else {
            *fields[i].value = v;
        }
    }
    for (size_t i = 0; i < nr; i++) {
        if (!(seen & (uint64_t)1 << i)) {
            return fail(p, "%s= is missing: the line is cut off", fields[i].key);
        }
    }
    return true;
}

/* ---- the lines of a state dump ---- */

static struct record_zone *find_zone(struct parser *p, enum zone_type type)
{
    for (uint32_t i = 0; p->state && i < p->state->nr_zones; i++) {
        if (p->state->zone[i].type == type) {
            return &p->state->zone[i];
        }
    }
    say_failed(p, "zone %s has no zone line in this dump", zone_names[type]);
    return NULL;
}

static bool parse_state(struct parser *p)
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

static bool parse_zone(struct parser *p)
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
        return fail(p, "zone %s comes after zone %s", zone_names[z->type],
                    zone_names[z[-1].type]);
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

static bool parse_pcp(struct parser *p)
{
    enum zone_type type;
    uint32_t cpu;
    struct record_zone *z;
    if (!next_zone_name(p, &type) || !(z = find_zone(p, type)) || !next_cpu(p, &cpu)) {
        return false;
    }
    struct record_pcp *pcp = &z->pcp[cpu];
    if (pcp->line) {
        return fail(p, "CPU %u has two pcp lines for zone %s", cpu, zone_names[type]);
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
                    zone_names[z->type]);
    }
    if (!parse_pages(p, l) || !APPEND(p, lists, nr_lists, *l)) {
        return false;
    }
    z->nr_lists++;
    return true;
}

static bool parse_pcplist(struct parser *p)
{
    struct record_list l = {.pcp = true};
    enum zone_type type;
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
        return fail(p, "CPU %u has no pcp line for zone %s", l.cpu, zone_names[type]);
    }
    l.index = (uint32_t)index;
    l.type = (enum migratetype)(index % MIGRATE_PCPTYPES);
    return add_list(p, z, &l);
}

static bool parse_freelist(struct parser *p)
{
    struct record_list l = {.pcp = false};
    enum zone_type zone;
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

static bool parse_blocks(struct parser *p)
{
    enum zone_type zone;
    struct record_zone *z;
    struct word w;
    uint64_t order, start;
    if (!next_zone_name(p, &zone) || !(z = find_zone(p, zone)) || !next_word(p, &w)) {
        return false;
    }
    if (z->blocks_line) {
        return fail(p, "zone %s has two blocks lines", zone_names[zone]);
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
                    zone_names[zone], z->start / block * block);
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
                                          z->nr_blocks, zone_names[zone], wanted);
}

static bool parse_lru(struct parser *p)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    struct record_zone *z = NULL;
    for (uint32_t i = 0; p->state && i < p->state->nr_zones; i++) {
        const char *name = zone_names[p->state->zone[i].type];
        size_t len = strlen(name);
        if (w.len == len + 1 && w.text[len] == ':' && !memcmp(w.text, name, len)) {
            z = &p->state->zone[i];
        }
    }
    if (!z) {
        return bad_word(p, w, "a zone of this dump, with a colon");
    }
    if (z->lru_line) {
        return fail(p, "zone %s has two lru lines", zone_names[z->type]);
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
    gfp_t gfp;
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

/* Kinds of later issues: the line is kept as an item of its kind. "slab" and the like
 * are whole words. */
static bool parse_unmodelled(struct parser *p, struct word first)
{
    for (int k = RECORD_EXHAUSTED + 1; k < NR_RECORD_KINDS; k++) {
        if (word_is(first, kinds[k].word)) {
            struct record_item item = {.kind = (uint8_t)k, .line = p->line};
            return APPEND(p, items, nr_items, item);
        }
    }
    return fail(p, "'%.*s' begins a line of a kind that is not known",
                (int)(first.len < 40 ? first.len : 40), first.text);
}

static bool parse_probe_line(struct parser *p)
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
    return parse_unmodelled(p, first);
}

/* ---- boot messages ---- */

/* "[mem 0x0000-0x9fbff]": the end is the last byte. */
static bool scan_range(const char *at, uint64_t *start, uint64_t *end)
{
    return sscanf(at, "[mem %" SCNx64 "-%" SCNx64 "]", start, end) == 2 && *end >= *start;
}

static void parse_boot_line(struct parser *p)
{
    struct record *r = p->r;
    char line[1024];
    size_t len = (size_t)(p->end - p->at);
    len = len < sizeof line - 1 ? len : sizeof line - 1;
    memcpy(line, p->at, len);
    line[len] = 0;
    const char *at;
    uint64_t start, end;
    if ((at = strstr(line, "BIOS-e820: "))) {
        const char *range = strchr(at, '[');
        if (range && scan_range(range, &start, &end) && r->nr_memmap < MAX_MEMMAP) {
            r->memmap[r->nr_memmap++] = (struct memmap_entry){
                start, end + 1,
                strstr(range, "] usable") ? MEMMAP_USABLE : MEMMAP_RESERVED};
        }
    } else if ((at = strstr(line, "RAMDISK: ")) && scan_range(at + 9, &start, &end)) {
        r->ramdisk_start = start;
        r->ramdisk_end = end + 1;
    } else if ((at = strstr(line, "Freeing initrd memory: "))) {
        sscanf(at + 23, "%" SCNu64 "K", &r->freed_initrd_kib);
    } else if (strstr(line, "max_arch_pfn = 0x1000000")) {
        r->pae = r->pae || !strstr(line, "max_arch_pfn = 0x10000000");
    } else if ((at = strstr(line, "Kernel command line: ")) &&
               (at = strstr(at, " highmem="))) {
        char value[32];
        char cause[200];
        struct machine_config c;
        config_init(&c, ARCH_I386);
        if (sscanf(at + 9, "%31s", value) == 1 &&
            config_set(&c, "highmem", value, cause, sizeof cause)) {
            r->highmem_bytes = c.highmem_bytes;
        }
    }
}

/* ---- all of it ---- */

static bool is_message(const struct parser *p)
{
    return p->end - p->at > 2 && p->at[0] == '[' &&
           (p->at[1] == ' ' || (p->at[1] >= '0' && p->at[1] <= '9'));
}

static bool parse_text(struct parser *p)
{
    enum { BOOT, PROBE, OTHER } in = BOOT;
    const char *const end = p->r->text + p->r->text_size;
    bool probe_seen = false;
    for (const char *at = p->r->text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        p->line++;
        p->at = at;
        p->end = newline ? newline : end;
        at = newline ? newline + 1 : end;
        while (p->end > p->at && p->end[-1] == '\r') {
            p->end--;
        }
        size_t len = (size_t)(p->end - p->at);
        if (len >= 4 && !memcmp(p->at, "=== ", 4)) {
            in = len == 16 && !memcmp(p->at, "=== /proc/oracle", 16) ? PROBE : OTHER;
            if (in == PROBE && probe_seen) {
                return fail(p, "a second section /proc/oracle: give one record a file");
            }
            probe_seen |= in == PROBE;
            continue;
        }
        if (in == BOOT && !probe_seen && len > 7 && !memcmp(p->at, "oracle ", 7)) {
            in = PROBE; /* the section alone, without its heading */
            probe_seen = true;
        }
        if (in == BOOT) {
            parse_boot_line(p);
        } else if (in == PROBE && len && !is_message(p)) {
            if (!newline) {
                return fail(p, "the file ends in the middle of this line: it is cut off");
            }
            if (!parse_probe_line(p)) {
                return fail(p, "the line is not understood");
            }
        }
    }
    p->r->cut = in == PROBE;
    p->line = p->line ? p->line : 1;
    return probe_seen ||
           fail(p, "this is no record: it has no section '=== /proc/oracle'");
}

static bool check_states(struct parser *p)
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
                            zone_names[s->zone[z].type]);
            }
            for (uint32_t cpu = 0; cpu < p->r->cpus; cpu++) {
                if (!s->zone[z].pcp[cpu].line) {
                    return fail(p,
                                "zone %s has no pcp line for CPU %u: the dump is cut off",
                                zone_names[s->zone[z].type], cpu);
                }
            }
        }
    }
    p->line = 1;
    return p->r->max_order ||
           fail(p, "the section /proc/oracle is empty: the record is cut off");
}

static struct record *parse_owned(const char *name, char *text, size_t size, char *err,
                                  size_t err_size)
{
    struct record *r = calloc(1, sizeof *r);
    if (!r) {
        free(text);
        snprintf(err, err_size, "%s: out of memory", name);
        return NULL;
    }
    r->text = text;
    r->text_size = size;
    r->highmem_bytes = UINT64_MAX;
    struct parser p = {.r = r, .name = name, .err = err, .err_size = err_size};
    if (!parse_text(&p) || !check_states(&p)) {
        record_free(r);
        return NULL;
    }
    return r;
}

struct record *record_parse(const char *name, const void *data, size_t size, char *err,
                            size_t err_size)
{
    size_t text_size;
    char cause[200];
    char *text = unpack(data, size, RECORD_MAX_TEXT, &text_size, cause, sizeof cause);
    if (!text) {
        snprintf(err, err_size, "%s: %s", name, cause);
        return NULL;
    }
    return parse_owned(name, text, text_size, err, err_size);
}

struct record *record_open(const char *path, char *err, size_t err_size)
{
    size_t size;
    char *text = unpack_file(path, RECORD_MAX_TEXT, &size, err, err_size);
    return text ? parse_owned(path, text, size, err, err_size) : NULL;
}

void record_free(struct record *r)
{
    if (r) {
        free(r->text);
        free(r->items);
        free(r->states);
        free(r->seqs);
        free(r->lists);
        free(r->numbers);
        free(r->types);
        free(r);
    }
}

const char *record_section(const struct record *r, const char *path, size_t *size)
{
    const char *end = r->text + r->text_size;
    const size_t len = strlen(path);
    const char *found = NULL;
    for (const char *at = r->text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        if (stop - at >= 4 && !memcmp(at, "=== ", 4)) {
            if (found) {
                *size = (size_t)(at - found);
                return found;
            }
            if ((size_t)(stop - at) == 4 + len && !memcmp(at + 4, path, len)) {
                found = newline ? newline + 1 : end;
            }
        }
        at = newline ? newline + 1 : end;
    }
    if (found) {
        *size = (size_t)(end - found);
    }
    return found;
}

const char *record_kind_word(enum record_kind kind) { return kinds[kind].word; }
const char *record_kind_group(enum record_kind kind) { return kinds[kind].group; }

enum zone_type record_zone_index(const struct record *r, uint32_t i)
{
    static const enum zone_type narrow[] = {ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM,
                                            ZONE_MOVABLE};
    static const enum zone_type wide[] = {ZONE_DMA, ZONE_DMA32, ZONE_NORMAL,
                                          ZONE_MOVABLE};
    return i >= RECORD_ZONES ? ZONE_MOVABLE : r->ptrs == 64 ? wide[i] : narrow[i];
}
