/* A sparse table: 60-bit keys to 32-bit cells, all 0 at first, in chunks of the arena.
 *
 * A radix tree of 1024-way nodes, each a chunk, six levels deep. It takes memory only for
 * what was written. Used for "the frame of this page" and "was this line ever seen",
 * where keys come in neighbourhoods; the last leaf is remembered.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_SPARSE_H
#define HW_SPARSE_H

#include "arena.h"

struct sparse {
    struct arena *arena;
    uint32_t *root; /* in the arena: the chunk of the root node, 0: the table is empty */
    /* Outside of the arena: the leaf used last, and key >> 10 of its cells. */
    uint64_t leaf_key;
    uint32_t leaf_chunk; /* 0: none */
};

/* False when the arena is full. */
bool sparse_create(struct sparse *s, struct arena *a);
/* The cell of key to write (marked), or NULL when the arena is full. */
uint32_t *sparse_cell(struct sparse *s, uint64_t key);
/* Its value, for looking. */
uint32_t sparse_peek(const struct sparse *s, uint64_t key);
/* Give every chunk back. */
void sparse_clear(struct sparse *s);
/* After the arena was restored to another time: what is remembered outside of it no
 * longer holds. */
void sparse_forget(struct sparse *s);

#endif
