/* The fully associative cache beside the real one: see hw/missclass.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "missclass.h"

#include <stddef.h>

#include "cache.h"

enum {
    NODE = sizeof(struct missclass_node),
    CHAIN = offsetof(struct missclass_node, chain)
};

/* Twice as many buckets as lines, or more. */
static uint32_t hash_bits(uint32_t lines)
{
    uint32_t bits = 4;
    while (((uint32_t)1 << bits) < 2 * lines) {
        bits++;
    }
    return bits;
}

static size_t table_bytes(uint32_t lines)
{
    return NODE + ((size_t)4 << hash_bits(lines)) + ((size_t)lines + 1) * NODE;
}

size_t missclass_size_bytes(uint32_t lines) { return table_bytes(lines) + 1024; }

HW_INLINE struct missclass_node *node_at(const struct missclass *c, size_t at)
{
    return (struct missclass_node *)(void *)(c->base + at);
}
HW_INLINE struct missclass_head *head_of(const struct missclass *c)
{
    return (struct missclass_head *)(void *)c->base;
}
/* A bucket, or a node's chain. */
HW_INLINE uint32_t *link_at(const struct missclass *c, size_t at)
{
    return (uint32_t *)(void *)(c->base + at);
}
HW_INLINE size_t bucket_of(const struct missclass *c, uint64_t line)
{
    return (size_t)(line * 0x9e3779b97f4a7c15u >> c->hash_shift) * 4 + NODE;
}

bool missclass_create(struct missclass *c, struct arena *a, uint32_t lines, bool *full)
{
    *c = (struct missclass){
        .lines = lines, .hash_shift = 64 - hash_bits(lines), .full = full};
    c->nodes_at = (uint32_t)4 << hash_bits(lines);
    c->base = arena_alloc(a, table_bytes(lines), 64);
    if (!c->base || !sparse_create(&c->seen, a)) {
        return false;
    }
    arena_mark(a, c->base);
    head_of(c)->nobody = UINT64_MAX;
    return true;
}

void missclass_mark(struct missclass *c)
{
    struct arena *a = c->seen.arena;
    const size_t size = table_bytes(c->lines);
    for (size_t at = 0; at < size; at += ARENA_CHUNK) {
        arena_mark(a, c->base + at);
    }
    arena_mark(a, c->base + size - 1);
}

const char *missclass_check(const struct missclass *c)
{
    uint32_t at = head_of(c)->youngest;
    if (head_of(c)->used > c->lines || !at != !head_of(c)->used) {
        return "a shadow has no youngest line, or more lines than fit (I1)";
    }
    for (uint32_t i = 0; i < head_of(c)->used; i++) {
        const struct missclass_node *n = node_at(c, at);
        uint32_t same = 0;
        for (uint32_t other = *link_at(c, bucket_of(c, n->line)); other;
             other = node_at(c, other)->chain) {
            same += node_at(c, other)->line == n->line;
        }
        if (same != 1) {
            return "a shadow's line is not once in the chain of its hash (I1)";
        }
        if (*link_at(c, n->link) != at) {
            return "a node of a shadow is not where its link says (I2)";
        }
        if (node_at(c, n->older)->younger != at ||
            (n->older == head_of(c)->youngest) != (i + 1 == head_of(c)->used)) {
            return "a shadow's ring is broken (I1)";
        }
        at = n->older;
    }
    return NULL;
}

/* ---- the parts of an access; marked: everything is ---- */

/* What is at `at`: a bucket, or a node, which may cross a chunk's border. */
HW_INLINE void mark(struct missclass *c, size_t at, const bool marked)
{
    if (!marked) {
        arena_mark(c->seen.arena, c->base + at);
        arena_mark(c->seen.arena, c->base + at + NODE - 1);
    }
}

/* Between the youngest and the oldest. */
HW_INLINE void enter_ring(struct missclass *c, uint32_t at, const bool marked)
{
    struct missclass_node *n = node_at(c, at);
    const uint32_t first = head_of(c)->youngest, last = node_at(c, first)->younger;
    mark(c, at, marked);
    mark(c, first, marked);
    mark(c, last, marked);
    n->older = first;
    n->younger = last;
    node_at(c, first)->younger = at;
    node_at(c, last)->older = at;
}

HW_INLINE void leave_ring(struct missclass *c, uint32_t at, const bool marked)
{
    const uint32_t younger = node_at(c, at)->younger, older = node_at(c, at)->older;
    mark(c, younger, marked);
    mark(c, older, marked);
    node_at(c, younger)->older = older;
    node_at(c, older)->younger = younger;
}

HW_INLINE void enter_chain(struct missclass *c, uint32_t at, size_t bucket,
                           const bool marked)
{
    const uint32_t next = *link_at(c, bucket);
    mark(c, at, marked);
    mark(c, bucket, marked);
    mark(c, next, marked);
    node_at(c, at)->chain = next;
    node_at(c, at)->link = (uint32_t)bucket;
    node_at(c, next)->link = at + CHAIN;
    *link_at(c, bucket) = at;
}

HW_INLINE void leave_chain(struct missclass *c, uint32_t at, const bool marked)
{
    const uint32_t link = node_at(c, at)->link, next = node_at(c, at)->chain;
    mark(c, link, marked);
    mark(c, next, marked);
    *link_at(c, link) = next;
    node_at(c, next)->link = link;
}

HW_INLINE void set_youngest(struct missclass *c, uint32_t at, const bool marked)
{
    mark(c, 0, marked);
    head_of(c)->youngest = at;
}

/* Does the shadow have the line? Then it is the youngest now. */
HW_INLINE bool used_again(struct missclass *c, uint64_t line, size_t bucket,
                          const bool marked)
{
    for (uint32_t at = *link_at(c, bucket); at; at = node_at(c, at)->chain) {
        if (node_at(c, at)->line != line) {
            continue;
        }
        if (at != head_of(c)->youngest) {
            leave_ring(c, at, marked);
            enter_ring(c, at, marked);
            set_youngest(c, at, marked);
        }
        return true;
    }
    return false;
}

/* Put a line, which the shadow does not have, into a node of the ring. */
HW_INLINE void enter(struct missclass *c, uint32_t at, uint64_t line, size_t bucket,
                     const bool marked)
{
    enter_chain(c, at, bucket, marked);
    node_at(c, at)->line = line;
    set_youngest(c, at, marked);
}

/* ... into one that was never used. */
HW_INLINE void enter_fresh(struct missclass *c, uint64_t line, size_t bucket,
                           const bool marked)
{
    mark(c, 0, marked);
    const uint32_t at = c->nodes_at + ++head_of(c)->used * NODE;
    if (head_of(c)->used > 1) {
        enter_ring(c, at, marked);
    } else {
        mark(c, at, marked);
        node_at(c, at)->older = node_at(c, at)->younger = at;
    }
    enter(c, at, line, bucket, marked);
}

/* ... into the oldest: the ring turns by one. */
HW_INLINE void enter_oldest(struct missclass *c, uint64_t line, size_t bucket,
                            const bool marked)
{
    const uint32_t at = node_at(c, head_of(c)->youngest)->younger;
    leave_chain(c, at, marked);
    enter(c, at, line, bucket, marked);
}

HW_INLINE bool has_fresh(const struct missclass *c)
{
    return UNLIKELY(head_of(c)->used < c->lines);
}

/* Was the line ever in the cache? From now on it was. */
static HW_NOINLINE void ask_seen(struct missclass *c, uint64_t line,
                                 struct miss_causes *n)
{
    const uint32_t bit = (uint32_t)1 << (line & 31);
    uint32_t *bits = sparse_cell(&c->seen, line >> 5);
    if (!bits) {
        *c->full = true;
        return;
    }
    *(*bits & bit ? &n->capacity : &n->cold) += 1;
    *bits |= bit;
}

/* The first lines of all: out of the way of the others. */
static HW_NOINLINE void hit_fresh(struct missclass *c, uint64_t line, size_t bucket)
{
    enter_fresh(c, line, bucket, false);
}
static HW_NOINLINE void miss_fresh(struct missclass *c, uint64_t line, size_t bucket,
                                   struct miss_causes *n)
{
    enter_fresh(c, line, bucket, false);
    ask_seen(c, line, n);
}

HW_INLINE void hit(struct missclass *c, uint64_t line, const bool marked)
{
    const size_t bucket = bucket_of(c, line);
    if (used_again(c, line, bucket, marked)) {
        return;
    }
    if (has_fresh(c)) {
        hit_fresh(c, line, bucket);
    } else {
        enter_oldest(c, line, bucket, marked);
    }
}

HW_INLINE void miss(struct missclass *c, uint64_t line, struct miss_causes *n,
                    const bool marked)
{
    const size_t bucket = bucket_of(c, line);
    if (used_again(c, line, bucket, marked)) {
        n->conflict++;
        return;
    }
    if (has_fresh(c)) {
        miss_fresh(c, line, bucket, n);
        return;
    }
    enter_oldest(c, line, bucket, marked);
    /* what ask_seen does, where it needs nobody */
    const struct sparse_leaf *leaf = sparse_leaf_of(&c->seen, line >> 5);
    if (UNLIKELY(!sparse_leaf_has(leaf, line >> 5))) {
        ask_seen(c, line, n);
        return;
    }
    uint32_t *bits = sparse_leaf_cell(leaf, line >> 5);
    if (*bits >> (line & 31) & 1) {
        n->capacity++;
    } else if (UNLIKELY(!arena_marked(c->seen.arena, bits))) {
        ask_seen(c, line, n);
    } else {
        *bits |= (uint32_t)1 << (line & 31);
        n->cold++;
    }
}

void missclass_hit(struct missclass *c, uint64_t line) { hit(c, line, false); }
void missclass_hit_marked(struct missclass *c, uint64_t line) { hit(c, line, true); }
void missclass_miss(struct missclass *c, uint64_t line, struct miss_causes *n)
{
    miss(c, line, n, false);
}
void missclass_miss_marked(struct missclass *c, uint64_t line, struct miss_causes *n)
{
    miss(c, line, n, true);
}

void missclass_miss_unfilled(struct missclass *c, uint64_t line, struct miss_causes *n)
{
    const bool seen = sparse_peek(&c->seen, line >> 5) >> (line & 31) & 1;
    if (used_again(c, line, bucket_of(c, line), false)) {
        n->conflict++;
    } else {
        *(seen ? &n->capacity : &n->cold) += 1;
    }
}
