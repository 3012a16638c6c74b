/* Simulated RAM: sparse page frames with real bytes, kept in chunks of the arena.
 *
 * A frame takes host memory only when something other than 0 is written to it. Frames
 * that were never written read as zeros. Which physical ranges exist at all (holes,
 * devices) is the memory map's business, given at creation.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_RAM_H
#define HW_RAM_H

#include "arena.h"

struct ram {
    struct arena *arena;
    /* in the arena: by pfn, the chunk that holds the frame's bytes, or 0 */
    uint32_t *chunk_of;
    uint64_t nr_frames; /* frames 0 .. nr_frames - 1 can be addressed */
};

/* False when the arena has no room for the table (4 bytes a frame, sparse). */
bool ram_create(struct ram *r, struct arena *a, uint64_t nr_frames);

/* Copy size bytes; the range may cross frames. Outside of nr_frames: reads give 0xff
 * bytes, writes are dropped (as on a PC bus without a device); both then answer false. */
bool ram_read(const struct ram *r, paddr_t at, void *to, size_t size_bytes);
bool ram_write(struct ram *r, paddr_t at, const void *from, size_t size_bytes);

/* Forget a frame's bytes: it reads as zeros again and takes no host memory. */
void ram_discard(struct ram *r, pfn_t frame);

/* The frame's 4096 bytes for looking at, or NULL when it holds only zeros. Never for
 * writing. */
const unsigned char *ram_peek(const struct ram *r, pfn_t frame);

#endif
