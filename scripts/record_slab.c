/* The record's lines of objects: geometries, dumps of caches, calls.
 *
 *   geometry size=S hwalign=H: key=value ...       what kmem_cache_create decided
 *   cache NAME key=value ...                       and, of SLAB: node, array_cache, shared, slab
 *                                                  of SLUB: node, cpu_slab, slab
 *   kmem_cache_alloc NAME -> VA      kmem_cache_free NAME VA      kmalloc SIZE -> NAME ksize=N VA
 *
 * Addresses, page frames and flags are hexadecimal, the other numbers decimal. A dump's
 * line ends with a colon and a list where it has one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "record_private.h"

/* What a line of a kind has, by allocator. list: x hexadecimal, d decimal, - none; word:
 * is there a second word behind the name? */
static const struct form {
    enum record_kind kind;
    bool slub, word;
    char list;
    const char *keys;
} forms[] = {
    {RECORD_GEOMETRY, false, false, '-',
     "size align num gfporder colour colour_off freelist_size freelist_place limit "
     "batchcount shared"},
    {RECORD_GEOMETRY, true, false, '-',
     "size align offset inuse order objects min_order min_objects min_partial "
     "cpu_partial cpu_partial_slabs"},
    {RECORD_CACHE, false, false, '-',
     "object_size size align num gfporder colour colour_off freelist_size limit "
     "batchcount shared flags"},
    {RECORD_CACHE, true, false, '-',
     "object_size size align offset inuse order objects min_order min_objects "
     "min_partial cpu_partial cpu_partial_slabs flags"},
    {RECORD_NODE, false, false, '-',
     "total free_slabs free_objects free_limit colour_next"},
    {RECORD_NODE, true, false, '-', "nr_partial"},
    {RECORD_ARRAY_CACHE, false, false, 'x', "cpu avail limit batchcount"},
    {RECORD_SHARED, false, false, 'x', "avail limit"},
    {RECORD_SLAB, false, true, 'd', "pfn s_mem active freelist"},
    {RECORD_SLAB, true, true, 'x', "pfn inuse objects frozen"},
    {RECORD_CPU_SLAB, true, false, 'x', "cpu slab"},
};
enum { NR_FORMS = sizeof forms / sizeof forms[0] };

/* Names of numbers that are hexadecimal. */
static bool is_hex(struct word key)
{
    return word_is(key, "pfn") || word_is(key, "s_mem") || word_is(key, "freelist") ||
           word_is(key, "flags") || word_is(key, "slab");
}

/* Where the key stands in "a b c"; UINT32_MAX: nowhere. */
static uint32_t key_index(const char *keys, struct word key)
{
    uint32_t i = 0;
    for (const char *at = keys; *at; i++) {
        const size_t len = strcspn(at, " ");
        if (len == key.len && !memcmp(at, key.text, len)) {
            return i;
        }
        at += len + (at[len] == ' ');
    }
    return UINT32_MAX;
}

static uint32_t nr_keys(const char *keys)
{
    uint32_t nr = 1;
    for (const char *at = keys; *at; at++) {
        nr += *at == ' ';
    }
    return nr;
}

static bool next_name(struct parser *p, struct record_object *o)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    if (w.len >= RECORD_NAME) {
        return bad_word(p, w, "the name of a cache: it is too long");
    }
    o->name = w.text;
    o->name_len = (uint32_t)w.len;
    return true;
}

static bool append(struct parser *p, enum record_kind kind, struct record_object o)
{
    struct record_item item = {
        .kind = (uint8_t)kind, .line = p->line, .n = p->r->nr_objects};
    return APPEND(p, objects, nr_objects, o) && APPEND(p, items, nr_items, item);
}

static uint64_t widest(const struct parser *p)
{
    return p->r->ptrs == 32 ? UINT32_MAX : UINT64_MAX;
}

/* "size=8 hwalign=0:" */
static bool parse_geometry_head(struct parser *p, struct record_object *o)
{
    static const char *const keys[] = {"size=", "hwalign="};
    for (int i = 0; i < 2; i++) {
        struct word w;
        const size_t len = strlen(keys[i]);
        if (!next_word(p, &w)) {
            return false;
        }
        const size_t colon = w.len && w.text[w.len - 1] == ':';
        struct word value = {w.text + len, w.len - len - colon};
        if (w.len <= len + colon || memcmp(w.text, keys[i], len) != 0 ||
            colon != (i == 1) || !to_number(value, 10, i ? 1 : UINT32_MAX, &o->arg[i])) {
            return bad_word(p, w, i ? "hwalign=0: or hwalign=1:" : "size=");
        }
    }
    return true;
}

struct pair {
    struct word key;
    uint64_t value;
};

/* All key=value words up to the end, or up to one that ends with a colon. */
static bool parse_pairs(struct parser *p, struct pair pairs[RECORD_VALUES], uint32_t *nr,
                        bool *list)
{
    *nr = 0;
    *list = false;
    while (!*list && !at_end(p)) {
        struct word w;
        if (!next_word(p, &w)) {
            return false;
        }
        if (w.len && w.text[w.len - 1] == ':') {
            *list = true;
            w.len--;
        }
        const char *eq = memchr(w.text, '=', w.len);
        if (!eq && *list && (word_is(w, "free") || word_is(w, "freelist"))) {
            break;
        }
        if (!eq || *nr == RECORD_VALUES) {
            return bad_word(p, w, "a field of this line");
        }
        struct pair *pair = &pairs[(*nr)++];
        pair->key = (struct word){w.text, (size_t)(eq - w.text)};
        const struct word value = {eq + 1, w.len - pair->key.len - 1};
        const bool hex = is_hex(pair->key);
        if (!to_number(value, hex ? 16 : 10, hex ? widest(p) : INT32_MAX, &pair->value)) {
            return bad_word(p, w, "a number in its bounds");
        }
    }
    return true;
}

/* Does the form have just these keys, each once? */
static bool pairs_match(const struct form *f, const struct pair *pairs, uint32_t nr,
                        struct record_object *o)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < nr; i++) {
        const uint32_t k = key_index(f->keys, pairs[i].key);
        if (k >= RECORD_VALUES || seen & 1U << k) {
            return false;
        }
        seen |= 1U << k;
        o->value[k] = pairs[i].value;
    }
    return nr == nr_keys(f->keys);
}

static bool parse_list(struct parser *p, char type, struct record_object *o)
{
    o->first = p->r->nr_wides;
    while (!at_end(p)) {
        uint64_t v;
        if (!next_number(p, type == 'd' ? 10 : 16, widest(p), &v) ||
            !APPEND(p, wides, nr_wides, v)) {
            return false;
        }
        o->nr++;
    }
    return true;
}

static bool parse_dump_line(struct parser *p, enum record_kind kind)
{
    struct record_object o = {0};
    struct pair pairs[RECORD_VALUES];
    uint32_t nr;
    bool list;
    if (kind == RECORD_GEOMETRY ? !parse_geometry_head(p, &o) : !next_name(p, &o)) {
        return false;
    }
    if (kind == RECORD_SLAB) {
        struct word w;
        if (!next_word(p, &w)) {
            return false;
        }
        static const char *const lists[NR_RECORD_LISTS] = {"partial", "full", "free",
                                                           "cpu_partial"};
        while (o.list < NR_RECORD_LISTS && !word_is(w, lists[o.list])) {
            o.list++;
        }
        if (o.list == NR_RECORD_LISTS) {
            return bad_word(p, w, "a list of slabs: full, partial, free, cpu_partial");
        }
    }
    if (!parse_pairs(p, pairs, &nr, &list)) {
        return false;
    }
    for (uint32_t i = 0; i < NR_FORMS; i++) {
        const struct form *f = &forms[i];
        if (f->kind == kind && pairs_match(f, pairs, nr, &o)) {
            o.slub = f->slub;
            if (list != (f->list != '-')) {
                return fail(p, list ? "no list belongs here" : "the list is missing");
            }
            return (!list || parse_list(p, f->list, &o)) && append(p, kind, o);
        }
    }
    return fail(p,
                "a field of this line is missing, stands twice or does not belong here");
}

static bool next_arrow(struct parser *p)
{
    struct word w;
    return next_word(p, &w) && (word_is(w, "->") || bad_word(p, w, "->"));
}

/* An address, or NULL: 0. */
static bool next_va(struct parser *p, uint64_t *va)
{
    skip_blanks(p);
    if (p->end - p->at >= 4 && !memcmp(p->at, "NULL", 4)) {
        p->at += 4;
        *va = 0;
        return true;
    }
    return next_number(p, 16, widest(p), va);
}

static bool parse_kmalloc(struct parser *p)
{
    struct record_object o = {0};
    struct word w;
    if (!next_number(p, 10, UINT32_MAX, &o.arg[0]) || !next_arrow(p) ||
        !next_name(p, &o) || !next_word(p, &w)) {
        return false;
    }
    const struct word value = {w.text + 6, w.len - 6};
    if (w.len < 7 || memcmp(w.text, "ksize=", 6) != 0 ||
        !to_number(value, 10, UINT32_MAX, &o.arg[1])) {
        return bad_word(p, w, "ksize=");
    }
    return next_va(p, &o.va) && end_of_line(p) && append(p, RECORD_KMALLOC, o);
}

bool parse_slab_line(struct parser *p, enum record_kind kind)
{
    struct record_object o = {0};
    switch (kind) {
    case RECORD_KMALLOC:
        return parse_kmalloc(p);
    case RECORD_KMEM_CACHE_ALLOC:
        return next_name(p, &o) && next_arrow(p) && next_va(p, &o.va) && end_of_line(p) &&
               append(p, kind, o);
    case RECORD_KMEM_CACHE_FREE:
        return next_name(p, &o) && next_number(p, 16, widest(p), &o.va) &&
               end_of_line(p) && append(p, kind, o);
    default:
        return parse_dump_line(p, kind);
    }
}
