/* Why a cache misses: cold, capacity or conflict (Hill's three Cs).
 *
 *   cold      the line was never in this cache before
 *   capacity  a fully associative LRU cache of as many lines would have missed too
 *   conflict  it would have hit: the sets are to blame
 *
 * Beside the cache runs that fully associative one: a hash from line to node, and a ring
 * of nodes by age. An access to the line used last costs one compare.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MISSCLASS_H
#define HW_MISSCLASS_H

#include "sparse.h"

enum miss_cause { MISS_NONE, MISS_COLD, MISS_CAPACITY, MISS_CONFLICT };

struct miss_causes {
    uint64_t cold, capacity, conflict;
};

struct missclass_state {
    uint32_t youngest, used;
    uint32_t free_from; /* next node never used */
};

struct missclass {
    struct arena *arena; /* NULL: misses are not classified */
    uint32_t lines;      /* of the fully associative cache */
    uint32_t hash_bits;
    struct missclass_state *s;
    uint64_t *key;         /* by node */
    uint32_t *next, *prev; /* the ring, from the youngest on */
    uint32_t *chain;       /* next node + 1 of the same hash */
    uint32_t *bucket;      /* first node + 1 */
    struct sparse seen;    /* a bit a line */
};

size_t missclass_size_bytes(uint32_t lines);
bool missclass_create(struct missclass *c, struct arena *a, uint32_t lines);

/* What happened in the real cache. */
enum miss_use {
    USE_HIT,
    USE_MISS,
    USE_MISS_NOT_FILLED /* a store that allocates nothing */
};

/* Line was used. Answers what a miss of the real cache on it is; never MISS_NONE. full is
 * set when the arena has no room to remember the line. */
enum miss_cause missclass_use_slow(struct missclass *c, uint64_t line, enum miss_use use,
                                   bool *full);

/* Used last: a hit on it changes nothing. */
static inline bool missclass_is_youngest(const struct missclass *c, uint64_t line)
{
    return c->s->used && c->key[c->s->youngest] == line;
}

static inline enum miss_cause missclass_use(struct missclass *c, uint64_t line,
                                            enum miss_use use, bool *full)
{
    if (missclass_is_youngest(c, line)) {
        return MISS_CONFLICT;
    }
    return missclass_use_slow(c, line, use, full);
}

static inline void missclass_count(struct miss_causes *n, enum miss_cause cause)
{
    n->cold += cause == MISS_COLD;
    n->capacity += cause == MISS_CAPACITY;
    n->conflict += cause == MISS_CONFLICT;
}

#endif
