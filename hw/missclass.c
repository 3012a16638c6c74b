/* The fully associative cache beside the real one: see hw/missclass.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "missclass.h"

enum { NODE = sizeof(struct missclass_node) };

/* Twice as many buckets as lines, or more. */
static uint32_t hash_bits(uint32_t lines)
{
    uint32_t bits = 4;
    while (((uint32_t)1 << bits) < 2 * lines) {
        bits++;
    }
    return bits;
}

static size_t nodes_bytes(uint32_t lines) { return ((size_t)lines + 1) * NODE; }
static size_t buckets_bytes(uint32_t lines) { return (size_t)4 << hash_bits(lines); }

size_t missclass_size_bytes(uint32_t lines)
{
    return nodes_bytes(lines) + buckets_bytes(lines) + 1024;
}

static struct missclass_node *node_at(const struct missclass *c, uint32_t at)
{
    return (struct missclass_node *)(void *)(c->nodes + at);
}
static uint32_t *bucket_at(const struct missclass *c, uint32_t at)
{
    return (uint32_t *)(void *)(c->buckets + at);
}
static uint32_t bucket_of(const struct missclass *c, uint64_t line)
{
    return (uint32_t)(line * 0x9e3779b97f4a7c15u >> c->hash_shift) * 4;
}

bool missclass_create(struct missclass *c, struct arena *a, uint32_t lines)
{
    *c = (struct missclass){.lines = lines, .hash_shift = 64 - hash_bits(lines)};
    c->s = arena_alloc(a, sizeof *c->s, 64);
    c->nodes = arena_alloc(a, nodes_bytes(lines), 64);
    c->buckets = arena_alloc(a, buckets_bytes(lines), 64);
    if (!c->s || !c->nodes || !c->buckets || !sparse_create(&c->seen, a)) {
        return false;
    }
    arena_mark(a, node_at(c, 0));
    node_at(c, 0)->line = UINT64_MAX; /* no line has this number */
    return true;
}

static void mark_range(struct arena *a, const unsigned char *from, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes; at += ARENA_CHUNK) {
        arena_mark(a, from + at);
    }
    arena_mark(a, from + size_bytes - 1);
}

void missclass_mark(struct missclass *c)
{
    struct arena *a = c->seen.arena;
    arena_mark(a, c->s);
    mark_range(a, c->nodes, nodes_bytes(c->lines));
    mark_range(a, c->buckets, buckets_bytes(c->lines));
}

const char *missclass_check(const struct missclass *c)
{
    uint32_t at = c->s->youngest;
    if (c->s->used > c->lines || !at != !c->s->used) {
        return "a shadow has no youngest line, or more lines than fit (I1)";
    }
    for (uint32_t i = 0; i < c->s->used; i++) {
        const struct missclass_node *n = node_at(c, at);
        uint32_t same = 0;
        for (uint32_t other = *bucket_at(c, bucket_of(c, n->line)); other;
             other = node_at(c, other)->chain) {
            same += node_at(c, other)->line == n->line;
        }
        if (same != 1 || n->bucket != bucket_of(c, n->line)) {
            return "a shadow's line is not once in the chain of its hash (I1)";
        }
        if (node_at(c, n->older)->younger != at ||
            (n->older == c->s->youngest) != (i + 1 == c->s->used)) {
            return "a shadow's ring is broken (I1)";
        }
        at = n->older;
    }
    return NULL;
}

/* ---- the parts of an access; marked: everything is ---- */

static inline void mark(struct missclass *c, const void *p, const bool marked)
{
    if (!marked) {
        arena_mark(c->seen.arena, p);
    }
}

/* Between the youngest and the oldest. */
static inline void enter_ring(struct missclass *c, uint32_t at, const bool marked)
{
    struct missclass_node *n = node_at(c, at);
    const uint32_t first = c->s->youngest;
    mark(c, n, marked);
    if (!first) {
        n->older = n->younger = at;
        return;
    }
    struct missclass_node *youngest = node_at(c, first);
    const uint32_t last = youngest->younger;
    struct missclass_node *oldest = node_at(c, last);
    mark(c, youngest, marked);
    mark(c, oldest, marked);
    n->older = first;
    n->younger = last;
    youngest->younger = at;
    oldest->older = at;
}

static inline void leave_ring(struct missclass *c, uint32_t at, const bool marked)
{
    const struct missclass_node *n = node_at(c, at);
    struct missclass_node *younger = node_at(c, n->younger),
                          *older = node_at(c, n->older);
    mark(c, younger, marked);
    mark(c, older, marked);
    younger->older = n->older;
    older->younger = n->younger;
}

/* Does the shadow have the line? Then it is the youngest now. */
static inline bool used_again(struct missclass *c, uint64_t line, uint32_t bucket,
                              const bool marked)
{
    for (uint32_t at = *bucket_at(c, bucket); at; at = node_at(c, at)->chain) {
        if (node_at(c, at)->line != line) {
            continue;
        }
        if (at != c->s->youngest) {
            mark(c, c->s, marked);
            leave_ring(c, at, marked);
            enter_ring(c, at, marked);
            c->s->youngest = at;
        }
        return true;
    }
    return false;
}

/* A line that the shadow does not have, in the place of the oldest when it is full. */
static inline void enter(struct missclass *c, uint64_t line, uint32_t bucket,
                         const bool marked)
{
    struct missclass_state *s = c->s;
    uint32_t at;
    mark(c, s, marked);
    if (UNLIKELY(s->used < c->lines)) {
        at = ++s->used * NODE;
        enter_ring(c, at, marked);
    } else {
        at = node_at(c, s->youngest)->younger;
        uint32_t *link = bucket_at(c, node_at(c, at)->bucket);
        while (*link != at) {
            link = &node_at(c, *link)->chain;
        }
        mark(c, link, marked);
        *link = node_at(c, at)->chain;
    }
    struct missclass_node *n = node_at(c, at);
    uint32_t *first = bucket_at(c, bucket);
    mark(c, n, marked);
    mark(c, first, marked);
    n->line = line;
    n->bucket = bucket;
    n->chain = *first;
    *first = at;
    s->youngest = at;
}

static inline void hit(struct missclass *c, uint64_t line, const bool marked)
{
    const uint32_t bucket = bucket_of(c, line);
    if (!used_again(c, line, bucket, marked)) {
        enter(c, line, bucket, marked);
    }
}

/* `seen` grows anywhere, so it is marked here in any case, but once a line. */
static inline bool miss(struct missclass *c, uint64_t line, bool filled,
                        struct miss_causes *n, const bool marked)
{
    const uint32_t bucket = bucket_of(c, line), bit = (uint32_t)1 << (line & 31);
    if (used_again(c, line, bucket, marked)) {
        n->conflict++;
        return true;
    }
    if (UNLIKELY(!filled)) {
        *(sparse_peek(&c->seen, line >> 5) & bit ? &n->capacity : &n->cold) += 1;
        return true;
    }
    enter(c, line, bucket, marked);
    uint32_t *bits = sparse_find(&c->seen, line >> 5);
    if (UNLIKELY(!bits)) {
        return false;
    }
    if (*bits & bit) {
        n->capacity++;
        return true;
    }
    arena_mark(c->seen.arena, bits);
    *bits |= bit;
    n->cold++;
    return true;
}

void missclass_hit(struct missclass *c, uint64_t line) { hit(c, line, false); }
void missclass_hit_marked(struct missclass *c, uint64_t line) { hit(c, line, true); }
bool missclass_miss(struct missclass *c, uint64_t line, bool filled,
                    struct miss_causes *n)
{
    return miss(c, line, filled, n, false);
}
bool missclass_miss_marked(struct missclass *c, uint64_t line, bool filled,
                           struct miss_causes *n)
{
    return miss(c, line, filled, n, true);
}
