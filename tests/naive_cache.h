/* A cache as one would write it on a blackboard: for each set a list of lines with the
 * times at which they came and were last used. Slow, and nothing in common with
 * hw/cache.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_NAIVE_CACHE_H
#define TESTS_NAIVE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

struct naive_line {
    bool valid, dirty;
    uint64_t key, home, entry, came, used; /* entry: what the tables said */
};

struct naive_cache {
    uint32_t sets, ways;
    enum cache_policy policy;
    uint64_t now;
    struct naive_line *line; /* [set * ways + way] */
    bool *right; /* PLRU: [set * 64 + node] (at most 64 ways), where the next victim is */
};

static inline void naive_init(struct naive_cache *c, uint32_t sets, uint32_t ways,
                              enum cache_policy policy)
{
    *c = (struct naive_cache){.sets = sets, .ways = ways, .policy = policy};
    c->line = calloc((size_t)sets * ways, sizeof *c->line);
    c->right = calloc((size_t)sets * 64, sizeof *c->right);
}

static inline void naive_free(struct naive_cache *c)
{
    free(c->line);
    free(c->right);
}

/* PLRU: the way is in [low, low + n) below this node; point every node away from it. */
static inline void naive_point_away(bool *right, uint32_t node, uint32_t low, uint32_t n,
                                    uint32_t way)
{
    if (n > 1) {
        bool in_right = way >= low + n / 2;
        right[node] = !in_right;
        naive_point_away(right, 2 * node + in_right, low + (in_right ? n / 2 : 0), n / 2,
                         way);
    }
}

static inline uint32_t naive_pointed(const bool *right, uint32_t node, uint32_t low,
                                     uint32_t n)
{
    if (n == 1) {
        return low;
    }
    bool r = right[node];
    return naive_pointed(right, 2 * node + r, low + (r ? n / 2 : 0), n / 2);
}

static inline struct naive_line *naive_find(struct naive_cache *c, uint32_t set,
                                            uint64_t key)
{
    for (uint32_t w = 0; w < c->ways; w++) {
        struct naive_line *l = &c->line[(size_t)set * c->ways + w];
        if (l->valid && l->key == key) {
            return l;
        }
    }
    return NULL;
}

static inline void naive_use(struct naive_cache *c, uint32_t set, struct naive_line *l)
{
    l->used = ++c->now;
    if (c->policy == POLICY_PLRU) {
        naive_point_away(&c->right[(size_t)set * 64], 1, 0, c->ways,
                         (uint32_t)(l - &c->line[(size_t)set * c->ways]));
    }
}

/* The line to be replaced (not for POLICY_RANDOM). */
static inline struct naive_line *naive_victim(struct naive_cache *c, uint32_t set)
{
    struct naive_line *first = &c->line[(size_t)set * c->ways], *best = NULL;
    for (uint32_t w = 0; w < c->ways; w++) {
        if (!first[w].valid) {
            return &first[w];
        }
    }
    if (c->policy == POLICY_PLRU) {
        return first + naive_pointed(&c->right[(size_t)set * 64], 1, 0, c->ways);
    }
    for (uint32_t w = 0; w < c->ways; w++) {
        uint64_t age = c->policy == POLICY_LRU ? first[w].used : first[w].came;
        if (!best || age < (c->policy == POLICY_LRU ? best->used : best->came)) {
            best = &first[w];
        }
    }
    return best;
}

static inline void naive_put(struct naive_cache *c, uint32_t set, struct naive_line *l,
                             uint64_t key, uint64_t home, bool dirty)
{
    *l = (struct naive_line){
        .valid = true, .dirty = dirty, .key = key, .home = home, .came = c->now + 1};
    naive_use(c, set, l);
}

#endif
