/* Simulated RAM: sparse page frames with real bytes, kept in chunks of the arena.
 *
 * A frame takes host memory only when something other than 0 is written to it. Frames
 * that were never written read as zeros.
 *
 * Ranges of frames may be no RAM but devices: their owner gives and takes the bytes. A
 * hole is a device without an owner: as on a PC bus where nobody answers, it reads as all
 * ones, and what is written is dropped. So is everything past the last frame.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_RAM_H
#define HW_RAM_H

#include <string.h>

#include "arena.h"

/* Asked for bytes inside its range; write: they are written. */
typedef void ram_device_fn(void *ctx, paddr_t at, void *bytes, size_t size_bytes,
                           bool write);
struct ram_device {
    uint64_t first, nr_frames; /* pfn */
    ram_device_fn *access;     /* NULL: a hole */
    void *ctx;
};

enum { RAM_MAX_DEVICES = 40 };

struct ram {
    struct arena *arena;
    /* in the arena: by pfn, the chunk that holds the frame's bytes, or 0 */
    uint32_t *chunk_of;
    uint64_t nr_frames; /* frames 0 .. nr_frames - 1 can be addressed */
    uint32_t nr_devices;
    struct ram_device device[RAM_MAX_DEVICES];
};

/* False when the arena has no room for the table (4 bytes a frame, sparse). */
bool ram_create(struct ram *r, struct arena *a, uint64_t nr_frames);

/* Before its frames are used; the range may lie past the last frame. False: there are
 * too many. */
bool ram_add_device(struct ram *r, const struct ram_device *d);
/* The device of this frame; NULL: it is RAM, or past the last frame. */
const struct ram_device *ram_device_of(const struct ram *r, pfn_t frame);

/* Copy size bytes; the range may cross frames. Where nobody is (a hole, or past the last
 * frame): reads give 0xff bytes, writes are dropped; both then answer false. */
bool ram_read(const struct ram *r, paddr_t at, void *to, size_t size_bytes);
bool ram_write(struct ram *r, paddr_t at, const void *from, size_t size_bytes);

/* Forget a frame's bytes: it reads as zeros again and takes no host memory. */
void ram_discard(struct ram *r, pfn_t frame);

/* The frame's 4096 bytes for looking at, or NULL when it holds only zeros. Never for
 * writing. */
const unsigned char *ram_peek(const struct ram *r, pfn_t frame);

/* The frame's bytes when it has some, which only RAM has; NULL: use ram_read, ram_write.
 * Who writes marks them first, and leaves a byte that is not 0. */
static inline unsigned char *ram_bytes(const struct ram *r, uint64_t frame)
{
    const uint32_t chunk = frame < r->nr_frames ? r->chunk_of[frame] : 0;
    return UNLIKELY(!chunk) ? NULL : arena_chunk_ptr(r->arena, chunk);
}

/* A table entry of 4 or 8 bytes as RAM has it, for a walker. Beyond RAM: all ones, as a
 * bus answers without a device. */
static inline uint64_t ram_word(const struct ram *r, uint64_t at, uint32_t size_bytes)
{
    const unsigned char *from = ram_bytes(r, at >> PAGE_SHIFT);
    uint64_t value = 0;
    if (UNLIKELY(!from)) {
        return at >> PAGE_SHIFT < r->nr_frames ? 0
               : size_bytes == 4               ? UINT32_MAX
                                               : UINT64_MAX;
    }
    from += at & (PAGE_SIZE - 1);
    if (size_bytes == 8) {
        memcpy(&value, from, 8);
    } else {
        uint32_t half;
        memcpy(&half, from, 4);
        value = half;
    }
    return value;
}

#endif
