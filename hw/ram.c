/* Simulated RAM: a table of chunks by page frame.
 *
 * A frame has a chunk exactly when one of its bytes is not 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "ram.h"

#include <string.h>

bool ram_create(struct ram *r, struct arena *a, uint64_t nr_frames)
{
    r->arena = a;
    r->nr_frames = nr_frames;
    r->chunk_of = NULL;
    r->nr_devices = 0;
    if (nr_frames <= SIZE_MAX / sizeof *r->chunk_of) {
        r->chunk_of =
            arena_alloc(a, (size_t)nr_frames * sizeof *r->chunk_of, ARENA_CHUNK);
    }
    return r->chunk_of != NULL;
}

bool ram_add_device(struct ram *r, const struct ram_device *d)
{
    if (r->nr_devices == RAM_MAX_DEVICES) {
        return false;
    }
    r->device[r->nr_devices++] = *d;
    return true;
}

const struct ram_device *ram_device_of(const struct ram *r, pfn_t frame)
{
    for (uint32_t i = 0; i < r->nr_devices; i++) {
        const struct ram_device *d = &r->device[i];
        if (frame.v - d->first < d->nr_frames) { /* frames below it wrap around */
            return d;
        }
    }
    return NULL;
}

/* The part of [at, at + size) that lies in at's frame. */
static size_t part_in_frame(paddr_t at, size_t size_bytes)
{
    size_t room = PAGE_SIZE - (size_t)(at.v & (PAGE_SIZE - 1));
    return size_bytes < room ? size_bytes : room;
}

static bool bytes_are_zero(const unsigned char *bytes, size_t nr)
{
    return nr == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, nr - 1) == 0);
}

bool ram_read(const struct ram *r, paddr_t at, void *to, size_t size_bytes)
{
    const uint64_t first = at.v >> PAGE_SHIFT;
    if (size_bytes == 8 && (at.v & 7) == 0 && first < r->nr_frames) {
        const uint32_t chunk = r->chunk_of[first]; /* a table entry, mostly */
        if (chunk) {
            memcpy(to,
                   (const unsigned char *)arena_chunk_ptr(r->arena, chunk) +
                       (at.v & (PAGE_SIZE - 1)),
                   8);
            return true;
        }
    }
    bool all = true;
    unsigned char *out = to;
    while (size_bytes) {
        size_t part = part_in_frame(at, size_bytes);
        pfn_t frame = pfn(at.v >> PAGE_SHIFT);
        const struct ram_device *d = ram_device_of(r, frame);
        const unsigned char *bytes = ram_peek(r, frame);
        if (d && d->access) {
            d->access(d->ctx, at, out, part, false);
        } else if (d || frame.v >= r->nr_frames) {
            memset(out, 0xff, part);
            all = false;
        } else if (bytes) {
            memcpy(out, bytes + (at.v & (PAGE_SIZE - 1)), part);
        } else {
            memset(out, 0, part);
        }
        out += part;
        size_bytes -= part;
        at.v += part;
    }
    return all;
}

/* One frame's part of a write. False: no such frame, or the arena is full. */
static bool write_frame(struct ram *r, paddr_t at, const unsigned char *from, size_t nr)
{
    uint64_t frame = at.v >> PAGE_SHIFT;
    if (frame >= r->nr_frames) {
        return false;
    }
    bool zero = bytes_are_zero(from, nr);
    uint32_t chunk = r->chunk_of[frame];
    if (!chunk) {
        if (zero) {
            return true;
        }
        chunk = arena_chunk_take(r->arena);
        if (!chunk) {
            return false;
        }
        arena_mark(r->arena, &r->chunk_of[frame]);
        r->chunk_of[frame] = chunk;
    }
    unsigned char *bytes = arena_chunk_ptr(r->arena, chunk);
    arena_mark(r->arena, bytes);
    memcpy(bytes + (at.v & (PAGE_SIZE - 1)), from, nr);
    if (zero && bytes_are_zero(bytes, PAGE_SIZE)) {
        ram_discard(r, pfn(frame));
    }
    return true;
}

/* The owner gets a copy, at most a frame. */
static void device_write(const struct ram_device *d, paddr_t at,
                         const unsigned char *from, size_t nr)
{
    unsigned char bytes[PAGE_SIZE];
    memcpy(bytes, from, nr);
    d->access(d->ctx, at, bytes, nr, true);
}

bool ram_write(struct ram *r, paddr_t at, const void *from, size_t size_bytes)
{
    bool all = true;
    const unsigned char *in = from;
    while (size_bytes) {
        size_t part = part_in_frame(at, size_bytes);
        const struct ram_device *d = ram_device_of(r, pfn(at.v >> PAGE_SHIFT));
        if (!d) {
            all &= write_frame(r, at, in, part);
        } else if (d->access) {
            device_write(d, at, in, part);
        } else {
            all = false;
        }
        in += part;
        size_bytes -= part;
        at.v += part;
    }
    return all;
}

void ram_discard(struct ram *r, pfn_t frame)
{
    if (frame.v >= r->nr_frames || !r->chunk_of[frame.v]) {
        return;
    }
    arena_chunk_give(r->arena, r->chunk_of[frame.v]);
    arena_mark(r->arena, &r->chunk_of[frame.v]);
    r->chunk_of[frame.v] = 0;
}

const unsigned char *ram_peek(const struct ram *r, pfn_t frame)
{
    if (frame.v >= r->nr_frames || !r->chunk_of[frame.v]) {
        return NULL;
    }
    return arena_chunk_ptr(r->arena, r->chunk_of[frame.v]);
}
