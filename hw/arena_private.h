/* What hw/arena.c and hw/snapshot.c share. Nobody else includes this.
 *
 * A snapshot is a radix tree over chunk numbers, NODE_FAN ways at each level. Under its
 * lowest nodes are leaves, one a chunk, which are tables of lines of 256 bytes: an
 * operation changes a few bytes in each of several chunks, and a copy of whole chunks
 * would be mostly copies of what stayed. Nodes, leaves and lines are reference-counted;
 * NULL stands for zeros at every level. Trees share everything in which nothing changed
 * between them:
 *
 *      snapshot A            snapshot B          (one line of chunk 20 written in
 * between) [root]                [root']
 *        /    \_______________  /    \
 *     [0..15] <---------------'/   [16..31]'
 *             \__ [16..31]        /   \
 *                  / | | \ <------'   leaf 20'
 *                     leaf 20 <- lines '  \ the line that was written
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_ARENA_PRIVATE_H
#define HW_ARENA_PRIVATE_H

#include "arena.h"

enum {
    NODE_SHIFT = 4,
    NODE_FAN = 1 << NODE_SHIFT,
    LINE_BYTES = 256,
    LEAF_LINES = ARENA_CHUNK / LINE_BYTES
};

enum {
    LIST_CHANGED,
    LIST_UNSEEN,
    LIST_UNHASHED,
    ARENA_NR_LISTS
}; /* bit i of the marks: list i */

struct chunk_list {
    uint32_t *chunk;
    size_t nr;
};

struct arena_private {
    struct arena_host host;
    unsigned char *reserved; /* base is its first multiple of a chunk */
    size_t reserved_bytes;
    void *tables;
    size_t nr_chunks;
    uint32_t levels; /* of the snapshots' trees */
    uint64_t digest; /* sum of hash[] */
    uint64_t *hash;  /* by chunk: as of the last digest; 0: zeros */
    struct chunk_list list[ARENA_NR_LISTS];
    struct snapshot *last; /* the last snapshot or restore; NULL: all zeros */
    uint64_t nr_snapshots; /* taken ever: stamps the nodes that a snapshot owns alone */
    size_t snapshot_bytes;
};

static inline void arena_mark_bits(struct arena *a, size_t chunk, unsigned bits)
{
    unsigned add = bits & ~(unsigned)a->marks[chunk];
    a->marks[chunk] = (unsigned char)(a->marks[chunk] | add);
    for (unsigned i = 0; i < ARENA_NR_LISTS; i++) {
        if (add & 1u << i) {
            struct chunk_list *l = &a->priv->list[i];
            l->chunk[l->nr++] = (uint32_t)chunk;
        }
    }
}

bool chunk_is_zero(const unsigned char *bytes);

/* Does s (NULL: all zeros) hold these bytes at this chunk? */
bool snapshot_chunk_is(const struct snapshot *s, uint32_t levels, size_t chunk,
                       const unsigned char *bytes);

#endif
