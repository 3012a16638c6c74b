/* A set-associative cache: which line is where, in which state, who goes next, and what it holds.
 *
 *   line number = address >> line_shift        set = line number mod sets
 *
 *        way     0       1       2    ...
 *   set 0     | key   | key   | key   |       key    the line number (a virtual tag may carry an
 *   set 1     | key   | key   | key   |              address space's number), CACHE_NO_KEY: no line
 *    ...                                      attr   permissions and coherence state, CACHE_*
 *                                             home   physical line number (virtual tags only)
 *                                             data   the bytes, when the cache holds bytes at all
 *   order[set]: the policy's memory of this set
 *
 * The same machinery serves data caches, instruction caches and TLBs (hw/tlb.h). It counts nothing
 * and knows no other level: hw/memsys.h joins levels to a machine.
 *
 * order[set], by policy:
 *   LRU, FIFO, at most 16 ways   ways as nibbles, the youngest in bits 0..3; above the set's ways: unused
 *   LRU, FIFO, more ways         the youngest way; next[] and prev[] make a ring of the set's ways
 *   PLRU                         bit i: node i of the tree (root 1) points right: the victim is there
 *   RANDOM                       nothing; *random is the generator's state
 * A set fills from way 0 up, whatever the policy; an invalidated way is filled first.
 *
 * I1  No two ways of a set have the same key, except CACHE_NO_KEY.
 * I2  order[set] of LRU and FIFO names each way exactly once.
 * I3  A way without a key has attr 0.
 *
 * All state lies in the arena. Whoever passes marks = true has every change marked there; with false the caller
 * has marked the whole cache (cache_mark) before a run of many accesses.
 *
 * Left out: prefetch, victim buffers, sectors; lines are filled whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_CACHE_H
#define HW_CACHE_H

#include "arena.h"

enum cache_policy { POLICY_LRU, POLICY_PLRU, POLICY_FIFO, POLICY_RANDOM };

enum {
    CACHE_PACKED_WAYS = 16,   /* nibbles in a word */
    CACHE_PLRU_MAX_WAYS = 64, /* tree nodes in a word */
    CACHE_MAX_WAYS = 65536,
    CACHE_MAX_LINES = 1 << 26
};

#define CACHE_NO_KEY UINT64_MAX
#define CACHE_NO_WAY UINT32_MAX

/* A line's attributes. The low five bits are what an access needs (see memsys.h, may[]). */
enum {
    CACHE_U = 1,      /* the page may be used in user mode */
    CACHE_W = 2,      /* ... be written */
    CACHE_X = 4,      /* ... be executed */
    CACHE_D = 8,      /* its table entry is already dirty */
    CACHE_OWNED = 16, /* no other cache holds the line: states E and M of MESI */
    CACHE_DIRTY = 32, /* state M: memory is older */
    CACHE_VALID = 64, /* alone (no OWNED): state S */
    CACHE_PERMS = CACHE_U | CACHE_W | CACHE_X | CACHE_D,
    CACHE_NEEDS = CACHE_PERMS | CACHE_OWNED
};

struct cache_config {
    uint32_t sets, ways; /* ways 0: no such cache */
    uint32_t line_bytes; /* a power of two, 1 to 4096 (1: a TLB's entries) */
    enum cache_policy policy;
    bool data;     /* hold bytes */
    bool homes;    /* keep each line's physical line number: virtual tags, TLB entries */
    uint64_t seed; /* POLICY_RANDOM */
};

struct cache {
    struct cache_config config;
    uint32_t line_shift;
    uint32_t tree_levels;  /* PLRU: log2(ways) */
    uint32_t oldest_shift; /* packed: where the oldest way's nibble is */
    bool packed;           /* order[] is nibbles */
    bool modulo;           /* sets is no power of two */
    uint64_t set_mask;     /* sets - 1, when it is one */
    struct arena *arena;
    uint64_t *key; /* [set * ways + way], so for all that follow */
    uint8_t *attr;
    uint64_t *order; /* [set] */
    uint32_t *next, *prev;
    uint64_t *home;
    unsigned char *data;
    uint64_t *random;
};

/* NULL, or why such a cache cannot be made ("tree-PLRU needs a power of two ways"). */
const char *cache_config_error(const struct cache_config *c);
/* Bytes of arena that it takes. */
size_t cache_size_bytes(const struct cache_config *c);
/* False when the arena is full. The configuration is a good one. */
bool cache_create(struct cache *c, struct arena *a, const struct cache_config *config);

/* Empty it; dirty lines are lost (write them back first). */
void cache_clear(struct cache *c);
/* Drop one line; its way is the first to be filled again. */
void cache_invalidate(struct cache *c, uint32_t set, uint32_t way);
/* Mark everything except data as about to change. */
void cache_mark(struct cache *c);

/* For looking: changes nothing. The way that the next fill of this set would take (RANDOM: as the generator
 * stands now), and where a way stands in the order of age (0: the youngest; FIFO, LRU only, else 0). */
uint32_t cache_peek_victim(const struct cache *c, uint32_t set);
uint32_t cache_peek_age(const struct cache *c, uint32_t set, uint32_t way);

/* The first broken invariant, or NULL. */
const char *cache_check(const struct cache *c);

/* ---- the parts of an access, inline because they are all that a trace does ---- */

#if defined __GNUC__
#define HW_INLINE static inline __attribute__((always_inline))
#define HW_NOINLINE __attribute__((noinline))
#define HW_LIKELY(x) __builtin_expect(!!(x), 1)
#else
#define HW_INLINE static inline
#define HW_NOINLINE
#define HW_LIKELY(x) (x)
#endif

void cache_ring_to_front(struct cache *c, uint32_t set, uint32_t way);
void cache_tree_touch(struct cache *c, uint32_t set, uint32_t way);
uint32_t cache_choose(struct cache *c, uint32_t set, bool marks);

HW_INLINE uint32_t cache_set(const struct cache *c, uint64_t line)
{
    return (uint32_t)(HW_LIKELY(!c->modulo) ? line & c->set_mask : line % c->config.sets);
}

HW_INLINE uint32_t cache_index(const struct cache *c, uint32_t set, uint32_t way)
{
    return set * c->config.ways + way;
}

HW_INLINE uint32_t cache_find_in(const uint64_t *keys, uint64_t key, uint32_t ways)
{
    for (uint32_t w = 0; w < ways; w++) {
        if (keys[w] == key) {
            return w;
        }
    }
    return CACHE_NO_WAY;
}

/* The way that holds key, or CACHE_NO_WAY. The loops of the usual sizes are unrolled. */
HW_INLINE uint32_t cache_find(const struct cache *c, uint32_t set, uint64_t key)
{
    const uint64_t *keys = c->key + (size_t)set * c->config.ways;
    switch (c->config.ways) {
    case 8:
        return cache_find_in(keys, key, 8);
    case 4:
        return cache_find_in(keys, key, 4);
    case 12:
        return cache_find_in(keys, key, 12);
    case 16:
        return cache_find_in(keys, key, 16);
    default:
        return cache_find_in(keys, key, c->config.ways);
    }
}

/* The youngest way, a good first guess at where a line is; any way when the policy does not know. */
HW_INLINE uint32_t cache_guess(const struct cache *c, uint64_t order)
{
    return c->packed ? (uint32_t)order & 15 : 0;
}

/* Move way to the young end of a packed order. The first nibble that equals it is found as the first zero nibble
 * of the difference; nibbles above the set's ways may be rubbish, but the right one comes first. */
HW_INLINE uint64_t cache_order_to_front(uint64_t order, uint32_t way)
{
    const uint64_t ones = 0x1111111111111111u;
    uint64_t differs = order ^ (ones * way);
    uint64_t zero = (differs - ones) & ~differs & (ones << 3);
    uint64_t top = zero & (0 - zero);  /* bit 3 of the way's nibble */
    uint64_t younger = (top >> 3) - 1; /* the nibbles before it move up by one */
    uint64_t upto = (top << 1) - 1;
    return (order & ~upto) | (order & younger) << 4 | way;
}

HW_INLINE void cache_mark_set(struct cache *c, uint32_t set, uint32_t way)
{
    size_t i = cache_index(c, set, way);
    arena_mark(c->arena, &c->key[i]);
    arena_mark(c->arena, &c->attr[i]);
    arena_mark(c->arena, &c->order[set]);
    if (c->home) {
        arena_mark(c->arena, &c->home[i]);
    }
}

/* way has been used. */
HW_INLINE void cache_touch(struct cache *c, uint32_t set, uint32_t way, const bool marks)
{
    if (HW_LIKELY(c->config.policy == POLICY_LRU)) {
        if (HW_LIKELY(c->packed)) {
            uint64_t order = c->order[set];
            if ((order & 15) != way) {
                if (marks) {
                    arena_mark(c->arena, &c->order[set]);
                }
                c->order[set] = cache_order_to_front(order, way);
            }
        } else {
            cache_ring_to_front(c, set, way);
        }
    } else if (c->config.policy == POLICY_PLRU) {
        cache_tree_touch(c, set, way);
    }
}

/* The way to fill next, already counted as the youngest. Its old line stays until cache_put. */
HW_INLINE uint32_t cache_take_victim(struct cache *c, uint32_t set, const bool marks)
{
    if (HW_LIKELY(c->packed)) {
        uint64_t order = c->order[set];
        uint32_t way = (uint32_t)(order >> c->oldest_shift) & 15;
        if (marks) {
            arena_mark(c->arena, &c->order[set]);
        }
        c->order[set] = order << 4 | way;
        return way;
    }
    return cache_choose(c, set, marks);
}

/* Put a line in a way that cache_take_victim gave. */
HW_INLINE void cache_put(struct cache *c, uint32_t index, uint64_t key, unsigned attr,
                         const bool marks)
{
    if (marks) {
        arena_mark(c->arena, &c->key[index]);
        arena_mark(c->arena, &c->attr[index]);
    }
    c->key[index] = key;
    c->attr[index] = (uint8_t)attr;
}

#endif
