/* A sparse table: 60-bit keys to 32-bit cells, all 0 at first, in chunks of the arena.
 *
 * A radix tree of 1024-way nodes, each a chunk, six levels deep. It takes memory only for
 * what was written. Used for "the frame of this page" and "was this line ever seen",
 * where keys come in neighbourhoods. The leaves used last are remembered outside of the
 * arena, each at the place that its number hashes to, so that the tree itself is climbed
 * only when a program goes somewhere else.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_SPARSE_H
#define HW_SPARSE_H

#include "arena.h"

enum {
    SPARSE_BITS = 10,
    SPARSE_LEAVES_BITS = 6,
    SPARSE_LEAVES = 1 << SPARSE_LEAVES_BITS
};

struct sparse {
    struct arena *arena;
    uint32_t *root; /* in the arena: the chunk of the root node, 0: the table is empty */
    struct sparse_leaf {
        uint64_t number; /* 1 + its cells' keys >> SPARSE_BITS; 0: none */
        uint32_t *cells;
    } leaves[SPARSE_LEAVES];
};

/* False when the arena is full. */
bool sparse_create(struct sparse *s, struct arena *a);
uint32_t *sparse_find_slow(struct sparse *s, uint64_t key);
/* Its value, for looking. */
uint32_t sparse_peek(const struct sparse *s, uint64_t key);
/* Give every chunk back. */
void sparse_clear(struct sparse *s);
/* After the arena was restored to another time: what is remembered outside of it no
 * longer holds. */
void sparse_forget(struct sparse *s);

static inline struct sparse_leaf *sparse_leaf_of(struct sparse *s, uint64_t key)
{
    const uint32_t hash = (uint32_t)(key >> SPARSE_BITS) * 0x9e3779b1u;
    return &s->leaves[hash >> (32 - SPARSE_LEAVES_BITS)];
}

/* Is it the key's, and if so, which is its cell (not marked)? */
static inline bool sparse_leaf_has(const struct sparse_leaf *leaf, uint64_t key)
{
    return leaf->number == (key >> SPARSE_BITS) + 1;
}
static inline uint32_t *sparse_leaf_cell(const struct sparse_leaf *leaf, uint64_t key)
{
    return &leaf->cells[key & (((uint64_t)1 << SPARSE_BITS) - 1)];
}

/* The cell of key to write (marked), or NULL when the arena is full. */
static inline uint32_t *sparse_cell(struct sparse *s, uint64_t key)
{
    const struct sparse_leaf *leaf = sparse_leaf_of(s, key);
    uint32_t *cell = sparse_leaf_has(leaf, key) ? sparse_leaf_cell(leaf, key)
                                                : sparse_find_slow(s, key);
    if (cell) {
        arena_mark(s->arena, cell);
    }
    return cell;
}

#endif
