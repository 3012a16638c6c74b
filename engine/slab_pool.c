/* Blocks of 64 to 4096 bytes for the object layer's own records, in chunks of the arena.
 *
 *   index chunks   next, how many, then the numbers of all chunks that the pool has
 *   free blocks    a list for each power of two; the first word is the next one's reference
 *
 * Chunks are kept until slab_pool_reset. A block does not cross a chunk's border, so one
 * arena_mark() covers it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slab.h"

#include <string.h>

enum { SMALLEST = 6, LARGEST = 12, INDEX_WORDS = ARENA_CHUNK / sizeof(uint32_t) };

static uint32_t class_of(size_t size_bytes)
{
    uint32_t shift = SMALLEST;
    while (((size_t)1 << shift) < size_bytes) {
        shift++;
    }
    return shift;
}

static uint32_t *words_of(struct machine *m, uint32_t chunk)
{
    uint32_t *words = arena_chunk_ptr(&m->arena, chunk);
    arena_mark(&m->arena, words);
    return words;
}

/* Remember that the pool has this chunk. */
static bool index_add(struct machine *m, uint32_t chunk)
{
    uint32_t first = m->slab->pool_index;
    const uint32_t *words = first ? arena_chunk_ptr(&m->arena, first) : NULL;
    if (!words || words[1] == INDEX_WORDS - 2) {
        const uint32_t another = arena_chunk_take(&m->arena);
        if (!another) {
            return false;
        }
        words_of(m, another)[0] = first;
        slab_root_w(m)->pool_index = first = another;
    }
    uint32_t *to = words_of(m, first);
    to[2 + to[1]++] = chunk;
    return true;
}

static void push_free(struct machine *m, uint32_t ref, uint32_t shift)
{
    uint32_t *first = &slab_root_w(m)->pool_first[shift - SMALLEST];
    uint32_t *block = slab_block(m, ref);
    arena_mark(&m->arena, block);
    block[0] = *first;
    *first = ref;
}

static bool grow(struct machine *m, uint32_t shift)
{
    const uint32_t chunk = arena_chunk_take(&m->arena);
    if (!chunk) {
        return false;
    }
    if (!index_add(m, chunk)) {
        arena_chunk_give(&m->arena, chunk);
        return false;
    }
    for (uint32_t at = ARENA_CHUNK; at; at -= 1U << shift) { /* the lowest comes first */
        push_free(m, (chunk << 6) + ((at - (1U << shift)) >> 6), shift);
    }
    return true;
}

uint32_t slab_pool_take(struct machine *m, size_t size_bytes)
{
    const uint32_t shift = class_of(size_bytes);
    uint32_t ref = shift > LARGEST ? 0 : m->slab->pool_first[shift - SMALLEST];
    if (!ref && (shift > LARGEST || !grow(m, shift))) {
        return 0;
    }
    ref = m->slab->pool_first[shift - SMALLEST];
    uint32_t *block = slab_block(m, ref);
    arena_mark(&m->arena, block);
    slab_root_w(m)->pool_first[shift - SMALLEST] = block[0];
    block[0] = 0;
    return ref;
}

void slab_pool_give(struct machine *m, uint32_t ref, size_t size_bytes)
{
    void *block = slab_block(m, ref);
    arena_mark(&m->arena, block);
    memset(block, 0, size_bytes);
    push_free(m, ref, class_of(size_bytes));
}

void slab_pool_reset(struct machine *m)
{
    for (uint32_t at = m->slab->pool_index; at;) {
        const uint32_t *words = arena_chunk_ptr(&m->arena, at);
        const uint32_t next = words[0];
        for (uint32_t i = 0; i < words[1]; i++) {
            arena_chunk_give(&m->arena, words[2 + i]);
        }
        arena_chunk_give(&m->arena, at);
        at = next;
    }
    struct slab_root *r = slab_root_w(m);
    memset(r->pool_first, 0, sizeof r->pool_first);
    r->pool_index = 0;
}
