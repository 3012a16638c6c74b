/* Why a cache misses: cold, capacity or conflict (Hill's three Cs).
 *
 *   cold      the line was never in this cache before
 *   capacity  a fully associative LRU cache of as many lines would have missed too
 *   conflict  it would have hit: the sets are to blame
 *
 * Beside the cache runs that fully associative one, the shadow:
 *
 *   base    | head | bucket, bucket, ... | node, node, ... |
 *
 *   bucket  of a hash of a line's number: the first node of a chain
 *   node    a line, in its chain and in a ring by age: the youngest one's younger is the
 *           oldest
 *   seen    a bit for each line that was ever in the real cache
 *
 * One look into a bucket says whether the shadow has a line. One that it does not have
 * goes into the oldest node, which is the youngest when the ring is turned by one; an
 * access to the line used last costs one compare. Links are offsets from base in bytes;
 * 0 ends a chain. The head looks like a node of no line, so that leaving a chain needs no
 * question whether a node follows.
 *
 * I1  The ring has `used` nodes, each of them in the chain of its line's hash, and no two
 *     of the same line.
 * I2  What a node's link points to is the link that leads to the node.
 *
 * All state lies in the arena. Whoever makes many accesses marks it all beforehand
 * (missclass_mark) and calls the ..._marked functions; the others mark what they change.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MISSCLASS_H
#define HW_MISSCLASS_H

#include "sparse.h"

struct miss_causes {
    uint64_t cold, capacity, conflict;
};

struct missclass_node {
    uint64_t line;
    uint32_t older, younger; /* the ring */
    uint32_t chain;          /* the next node of the same bucket; 0: none */
    uint32_t link;           /* the bucket, or the chain of the node before */
};

struct missclass_head {
    uint64_t nobody;         /* no line has this number */
    uint32_t youngest, used; /* 0: none; how many nodes */
    uint32_t chain, link;    /* mean nothing */
};
_Static_assert(sizeof(struct missclass_head) == sizeof(struct missclass_node),
               "it looks like one");

struct missclass {
    uint32_t lines; /* of the fully associative cache */
    uint32_t hash_shift;
    uint32_t nodes_at; /* where the nodes begin, less one */
    unsigned char *base;
    bool *full;         /* set when the arena has no room to remember a line */
    struct sparse seen; /* a bit a line */
};

size_t missclass_size_bytes(uint32_t lines);
bool missclass_create(struct missclass *c, struct arena *a, uint32_t lines, bool *full);
/* Mark everything but the chunks of `seen`, which always are when they are written. */
void missclass_mark(struct missclass *c);
/* The first broken invariant, or NULL. */
const char *missclass_check(const struct missclass *c);

/* The real cache hit line ... */
void missclass_hit(struct missclass *c, uint64_t line);
void missclass_hit_marked(struct missclass *c, uint64_t line);
/* ... or missed it, which is counted by cause; and does not fill it, as with a store that
 * allocates nothing. */
void missclass_miss(struct missclass *c, uint64_t line, struct miss_causes *n);
void missclass_miss_marked(struct missclass *c, uint64_t line, struct miss_causes *n);
void missclass_miss_unfilled(struct missclass *c, uint64_t line, struct miss_causes *n);

/* Used last: a hit on it changes nothing. */
static inline bool missclass_is_youngest(const struct missclass *c, uint64_t line)
{
    const struct missclass_head *head = (const void *)c->base;
    const struct missclass_node *n = (const void *)(c->base + head->youngest);
    return n->line == line;
}

#endif
