/* Sparse tables: see hw/sparse.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sparse.h"

#include <string.h>

enum { BITS = SPARSE_BITS, LEVELS = 6, FANOUT = 1 << BITS };

static uint32_t slot(uint64_t key, int level)
{
    return (uint32_t)(key >> (BITS * level)) & (FANOUT - 1);
}

bool sparse_create(struct sparse *s, struct arena *a)
{
    *s = (struct sparse){.arena = a};
    s->root = arena_alloc(a, sizeof *s->root, 8);
    return s->root != NULL;
}

/* The chunk that *link names, taken first if there is none. */
static uint32_t *follow(struct sparse *s, uint32_t *link)
{
    if (!*link) {
        uint32_t chunk = arena_chunk_take(s->arena);
        if (!chunk) {
            return NULL;
        }
        arena_mark(s->arena, link);
        *link = chunk;
    }
    return arena_chunk_ptr(s->arena, *link);
}

uint32_t *sparse_find_slow(struct sparse *s, uint64_t key)
{
    uint32_t *link = s->root;
    for (int level = LEVELS - 1; level > 0; level--) {
        uint32_t *node = follow(s, link);
        if (!node) {
            return NULL;
        }
        link = &node[slot(key, level)];
    }
    uint32_t *cells = follow(s, link);
    if (!cells) {
        return NULL;
    }
    *sparse_leaf_of(s, key) = (struct sparse_leaf){(key >> BITS) + 1, cells};
    return &cells[slot(key, 0)];
}

uint32_t sparse_peek(const struct sparse *s, uint64_t key)
{
    uint32_t chunk = *s->root;
    for (int level = LEVELS - 1; level >= 0; level--) {
        if (!chunk) {
            return 0;
        }
        chunk = ((const uint32_t *)arena_chunk_ptr(s->arena, chunk))[slot(key, level)];
    }
    return chunk;
}

static void give_back(struct sparse *s, uint32_t chunk, int level)
{
    const uint32_t *node = arena_chunk_ptr(s->arena, chunk);
    for (uint32_t i = 0; level > 0 && i < FANOUT; i++) {
        if (node[i]) {
            give_back(s, node[i], level - 1);
        }
    }
    arena_chunk_give(s->arena, chunk);
}

void sparse_clear(struct sparse *s)
{
    if (*s->root) {
        give_back(s, *s->root, LEVELS - 1);
        arena_mark(s->arena, s->root);
        *s->root = 0;
    }
    sparse_forget(s);
}

void sparse_forget(struct sparse *s) { memset(s->leaves, 0, sizeof s->leaves); }
