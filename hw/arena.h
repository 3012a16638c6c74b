/* The arena: one range of host memory that holds all simulated state of one machine.
 *
 *   base                                                                        base + size
 *   | header | bump-allocated regions (root, frame table, ...) ... | 4 KiB chunks -> ...
 *   |
 *
 * Links inside are indices or offsets, so the bytes do not depend on where the host put
 * them. Host memory is taken only where something was written (the range is reserved, not
 * committed).
 *
 * The arena is cut in chunks of 4 KiB. Whoever writes into it marks the chunk first
 * (arena_mark), and three things are made from these marks: checkpoints that cost what
 * changed, a digest that is updated instead of computed anew, and views that redraw only
 * what moved.
 *
 * I1  Bytes never written are 0.
 * I2  A chunk that differs from the last snapshot is marked ARENA_CHANGED.
 * I3  Same configuration, same operations: same bytes, whatever the host, the run or the
 *     address.
 * I4  The digest is a function of the bytes alone: a chunk of zeros counts as one never
 *     written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_ARENA_H
#define HW_ARENA_H

#include "types.h"

enum { ARENA_CHUNK_SHIFT = 12, ARENA_CHUNK = 1 << ARENA_CHUNK_SHIFT };

enum {
    ARENA_CHANGED = 1,  /* changed since the last snapshot or restore */
    ARENA_UNSEEN = 2,   /* changed since the views looked (arena_take_unseen) */
    ARENA_UNHASHED = 4, /* changed since the digest was last brought up to date */
    ARENA_ALL = 7
};

/* How the host gives memory. reserve() returns a zeroed range that takes memory only
 * when touched, or NULL; release() gives it back. The zero value of the struct means
 * calloc() and free(). */
struct arena_host {
    void *(*reserve)(size_t size_bytes);
    void (*release)(void *base, size_t size_bytes);
};

struct snapshot; /* a table of reference-counted chunks, shared with other snapshots */

struct arena {
    unsigned char *base;
    size_t size;          /* bytes reserved, a multiple of ARENA_CHUNK */
    unsigned char *marks; /* one byte a chunk: ARENA_* bits */
    /* where the mark of address 0 would be: marks - (base >> 12) */
    uintptr_t marks_from;
    /* how often marks were taken away: what was marked after the last time still is */
    uint64_t era;
    /* lists of marked chunks, hashes, the tree of the last snapshot */
    struct arena_private *priv;
};

/* Reserve size bytes (rounded up). False: the host has not enough address space or
 * memory. */
bool arena_create(struct arena *a, size_t size_bytes, const struct arena_host *host);
void arena_destroy(struct arena *a);

/* Take zeroed bytes for good (boot-time tables). align: a power of two up to ARENA_CHUNK.
 * NULL when the arena is full. */
void *arena_alloc(struct arena *a, size_t size_bytes, size_t align);

/* Take or give back one zeroed, chunk-aligned 4 KiB chunk; answers its index (never
 * 0), 0 when the arena is full. A chunk given back is zeroed. LIFO, so it is
 * deterministic. */
uint32_t arena_chunk_take(struct arena *a);
void arena_chunk_give(struct arena *a, uint32_t chunk);
static inline void *arena_chunk_ptr(const struct arena *a, uint32_t chunk)
{
    return a->base + ((size_t)chunk << ARENA_CHUNK_SHIFT);
}

void arena_mark_slow(struct arena *a, size_t chunk);

/* Say that the object at p is about to be written. The object must not cross a chunk
 * border (mark both ends if it may). Costs one load and one compare once the chunk is
 * marked. */
static inline void arena_mark(struct arena *a, const void *p)
{
    const unsigned char *mark =
        (const unsigned char *)(a->marks_from + ((uintptr_t)p >> ARENA_CHUNK_SHIFT));
    if (UNLIKELY(*mark != ARENA_ALL)) {
        arena_mark_slow(a, (size_t)(mark - a->marks));
    }
}
/* Is it already? */
static inline bool arena_marked(const struct arena *a, const void *p)
{
    return *(const unsigned char *)(a->marks_from +
                                    ((uintptr_t)p >> ARENA_CHUNK_SHIFT)) == ARENA_ALL;
}

/* The digest of all bytes (I4). Costs what changed since the last call. */
uint64_t arena_digest(struct arena *a);

/* Calls fn for each chunk marked ARENA_UNSEEN (also those that a restore changed),
 * then unmarks it. */
void arena_take_unseen(struct arena *a, void (*fn)(void *ctx, size_t chunk), void *ctx);

/* May the chunk hold anything but zeros? Does not read it (reading would make the host
 * map it). */
bool arena_chunk_touched(const struct arena *a, size_t chunk);

/* How many chunks are marked ARENA_CHANGED: what a snapshot would cost. */
size_t arena_nr_changed(const struct arena *a);
/* Bytes given out so far. */
size_t arena_used(const struct arena *a);

/* A snapshot of the bytes now: costs what changed since the last snapshot or restore.
 * NULL: no memory. */
struct snapshot *arena_snapshot(struct arena *a);
/* Make the bytes those of s: costs what differs between now and s. */
void arena_restore(struct arena *a, const struct snapshot *s);
/* The caller knows that the bytes are those of s (they were made by the same
 * operations): what is shared from now on is shared with s. */
void arena_rejoin(struct arena *a, struct snapshot *s);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct arena *a, struct snapshot *s);
/* Host memory that all live snapshots of this arena hold together, in bytes. */
size_t arena_snapshot_bytes(const struct arena *a);

/* Make the bytes those of another arena of the same size. False: it has another size. */
bool arena_copy(struct arena *to, const struct arena *from);

/* The first broken invariant (I2: compares every chunk that is not marked with the
 * last snapshot; I4: computes the digest from nothing), or NULL. For tests and :check. */
const char *arena_check(struct arena *a);

#endif
