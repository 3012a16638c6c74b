/* The arena: bytes, marks, digest and the chunk heap. Snapshots are in hw/snapshot.c.
 *
 * The first chunk holds the header: how far the range is given out, and the free list of
 * chunks. A free list needs links, but a chunk given back shall be zeros (a chunk of
 * zeros costs nothing in a snapshot). So the first free chunk becomes a "trunk" that
 * lists up to TRUNK_MAX others, which stay zeros; when it is full, the next one given
 * back becomes the trunk on top of it. Taken from the end, this is LIFO.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "arena_private.h"

#include <stdlib.h>
#include <string.h>

enum { TRUNK_MAX = ARENA_CHUNK / 4 - 2 };

struct header {
    uint64_t
        used; /* bytes given out from the front, by arena_alloc and arena_chunk_take */
    uint32_t trunk; /* chunk on top of the free list, 0: none */
    uint32_t nr_free;
};

struct trunk {
    uint32_t below; /* the trunk under this one, 0: none */
    uint32_t nr;
    uint32_t leaf[TRUNK_MAX];
};

static struct header *header(const struct arena *a) { return (struct header *)a->base; }

static void *host_reserve(const struct arena_host *host, size_t size_bytes)
{
    return host->reserve ? host->reserve(size_bytes) : calloc(1, size_bytes);
}

static void host_release(const struct arena_host *host, void *base, size_t size_bytes)
{
    if (base && host->release) {
        host->release(base, size_bytes);
    } else if (base && !host->reserve) {
        free(base);
    }
}

/* The tables beside the arena are as sparse as the arena itself: they come from the host
 * in the same way. Each list has room for every chunk, so that marking never fails. */
static size_t tables_bytes(size_t nr_chunks)
{
    return nr_chunks * (sizeof(uint64_t) + ARENA_NR_LISTS * sizeof(uint32_t) + 1);
}

bool arena_create(struct arena *a, size_t size_bytes, const struct arena_host *host)
{
    memset(a, 0, sizeof *a);
    a->era = 1;
    if (size_bytes > SIZE_MAX / 64 || size_bytes >> ARENA_CHUNK_SHIFT >= UINT32_MAX) {
        return false;
    }
    size_t nr = (size_bytes + ARENA_CHUNK - 1) >> ARENA_CHUNK_SHIFT;
    nr += nr == 0;
    struct arena_private *p = calloc(1, sizeof *p);
    if (!p) {
        return false;
    }
    if (host) {
        p->host = *host;
    }
    p->nr_chunks = nr;
    p->levels = 1;
    while (p->levels * NODE_SHIFT < 32 && nr > (size_t)1 << (p->levels * NODE_SHIFT)) {
        p->levels++;
    }
    /* What is aligned in the arena shall be so in memory: a chunk more, to begin at a
     * multiple. */
    p->reserved_bytes = (nr + 1) << ARENA_CHUNK_SHIFT;
    p->reserved = host_reserve(&p->host, p->reserved_bytes);
    unsigned char *tables = host_reserve(&p->host, tables_bytes(nr));
    if (!p->reserved || !tables) {
        host_release(&p->host, p->reserved, p->reserved_bytes);
        host_release(&p->host, tables, tables_bytes(nr));
        free(p);
        return false;
    }
    p->tables = tables;
    p->hash = (uint64_t *)(void *)tables;
    uint32_t *lists = (uint32_t *)(void *)(tables + nr * sizeof(uint64_t));
    for (size_t i = 0; i < ARENA_NR_LISTS; i++) {
        p->list[i].chunk = lists + i * nr;
    }
    a->base =
        p->reserved + (ARENA_CHUNK - (uintptr_t)p->reserved % ARENA_CHUNK) % ARENA_CHUNK;
    a->size = nr << ARENA_CHUNK_SHIFT;
    a->marks = (unsigned char *)(lists + ARENA_NR_LISTS * nr);
    a->marks_from = (uintptr_t)a->marks - ((uintptr_t)a->base >> ARENA_CHUNK_SHIFT);
    a->priv = p;
    arena_mark(a, a->base);
    header(a)->used = sizeof(struct header);
    return true;
}

void arena_destroy(struct arena *a)
{
    struct arena_private *p = a->priv;
    if (!p) {
        return;
    }
    snapshot_unref(a, p->last);
    host_release(&p->host, p->tables, tables_bytes(p->nr_chunks));
    host_release(&p->host, p->reserved, p->reserved_bytes);
    free(p);
    memset(a, 0, sizeof *a);
}

void arena_mark_slow(struct arena *a, size_t chunk)
{
    arena_mark_bits(a, chunk, ARENA_ALL);
}

/* ---- giving out memory ---- */

/* size_bytes more from the front, at a multiple of align; 0 when there is no room. */
static size_t bump(struct arena *a, size_t size_bytes, size_t align)
{
    struct header *h = header(a);
    size_t at = (h->used + align - 1) & ~(align - 1);
    if (at > a->size || size_bytes > a->size - at) {
        return 0;
    }
    arena_mark(a, h);
    h->used = at + size_bytes;
    return at;
}

void *arena_alloc(struct arena *a, size_t size_bytes, size_t align)
{
    size_t at = bump(a, size_bytes, align ? align : 1);
    return at ? a->base + at : NULL;
}

uint32_t arena_chunk_take(struct arena *a)
{
    struct header *h = header(a);
    if (!h->trunk) {
        return (uint32_t)(bump(a, ARENA_CHUNK, ARENA_CHUNK) >> ARENA_CHUNK_SHIFT);
    }
    struct trunk *t = arena_chunk_ptr(a, h->trunk);
    uint32_t chunk;
    arena_mark(a, h);
    arena_mark(a, t);
    h->nr_free--;
    if (t->nr) {
        chunk = t->leaf[--t->nr];
        t->leaf[t->nr] = 0;
    } else {
        chunk = h->trunk;
        h->trunk = t->below;
        t->below = 0;
    }
    return chunk;
}

void arena_chunk_give(struct arena *a, uint32_t chunk)
{
    struct header *h = header(a);
    unsigned char *bytes = arena_chunk_ptr(a, chunk);
    arena_mark(a, bytes);
    memset(bytes, 0, ARENA_CHUNK);
    arena_mark(a, h);
    h->nr_free++;
    struct trunk *t = h->trunk ? arena_chunk_ptr(a, h->trunk) : NULL;
    if (t && t->nr < TRUNK_MAX) {
        arena_mark(a, t);
        t->leaf[t->nr++] = chunk;
    } else {
        ((struct trunk *)(void *)bytes)->below = h->trunk;
        h->trunk = chunk;
    }
}

bool arena_copy(struct arena *to, const struct arena *from)
{
    if (to->size != from->size) {
        return false;
    }
    for (size_t i = 0; i < from->size >> ARENA_CHUNK_SHIFT; i++) {
        unsigned char *at = to->base + (i << ARENA_CHUNK_SHIFT);
        const bool there = arena_chunk_touched(from, i);
        if (!there && !arena_chunk_touched(to, i)) {
            continue;
        }
        arena_mark(to, at);
        if (there) {
            memcpy(at, from->base + (i << ARENA_CHUNK_SHIFT), ARENA_CHUNK);
        } else {
            memset(at, 0, ARENA_CHUNK);
        }
    }
    return true;
}

/* ---- the digest ---- */

bool chunk_is_zero(const unsigned char *bytes)
{
    /* Most chunks that are not zeros show it soon. */
    for (size_t i = 0; i < ARENA_CHUNK; i += 64) {
        uint64_t w[8];
        memcpy(w, bytes + i, sizeof w);
        if (w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) {
            return false;
        }
    }
    return true;
}

static uint64_t rotl(uint64_t x, int by) { return x << by | x >> (64 - by); }

/* Four lanes of multiply and rotate, as in Yann Collet's XXH64, whose quality is well
 * tested; then a final mix in which every bit depends on all others. Never 0, which
 * stands for a chunk of zeros. */
static uint64_t chunk_hash(size_t chunk, const unsigned char *bytes)
{
    const uint64_t p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f,
                   p3 = 0x165667b19e3779f9;
    uint64_t lane[4] = {p1 + p2, p2, (uint64_t)chunk * p3, 0 - p1};
    for (size_t i = 0; i < ARENA_CHUNK; i += 32) {
        uint64_t w[4];
        memcpy(w, bytes + i, sizeof w);
        for (int k = 0; k < 4; k++) {
            lane[k] = rotl(lane[k] + w[k] * p2, 31) * p1;
        }
    }
    uint64_t h =
        rotl(lane[0], 1) + rotl(lane[1], 7) + rotl(lane[2], 12) + rotl(lane[3], 18);
    h += ((uint64_t)chunk + 1) * p3;
    for (int k = 0; k < 4; k++) {
        h = (h ^ (rotl(lane[k] * p2, 31) * p1)) * p1 + p3;
    }
    h = (h ^ h >> 33) * p2;
    h = (h ^ h >> 29) * p3;
    h ^= h >> 32;
    return h ? h : 1;
}

static uint64_t chunk_hash_now(const struct arena *a, size_t chunk)
{
    const unsigned char *bytes = a->base + (chunk << ARENA_CHUNK_SHIFT);
    return chunk_is_zero(bytes) ? 0 : chunk_hash(chunk, bytes);
}

uint64_t arena_digest(struct arena *a)
{
    struct arena_private *p = a->priv;
    struct chunk_list *l = &p->list[LIST_UNHASHED];
    a->era++;
    for (size_t i = 0; i < l->nr; i++) {
        size_t chunk = l->chunk[i];
        uint64_t now = chunk_hash_now(a, chunk), before = p->hash[chunk];
        if (now != before) {
            p->digest += now - before;
            p->hash[chunk] = now;
        }
        a->marks[chunk] &= (unsigned char)~ARENA_UNHASHED;
    }
    l->nr = 0;
    return p->digest;
}

/* ---- views ---- */

void arena_take_unseen(struct arena *a, void (*fn)(void *ctx, size_t chunk), void *ctx)
{
    struct chunk_list *l = &a->priv->list[LIST_UNSEEN];
    a->era++;
    for (size_t i = 0; i < l->nr; i++) {
        a->marks[l->chunk[i]] &= (unsigned char)~ARENA_UNSEEN;
        fn(ctx, l->chunk[i]);
    }
    l->nr = 0;
}

bool arena_chunk_touched(const struct arena *a, size_t chunk)
{
    return a->marks[chunk] & ARENA_UNHASHED || a->priv->hash[chunk];
}

size_t arena_nr_changed(const struct arena *a) { return a->priv->list[LIST_CHANGED].nr; }

size_t arena_used(const struct arena *a) { return header(a)->used; }

/* ---- proof ---- */

static const char *check_free_list(const struct arena *a)
{
    const struct header *h = header(a);
    uint32_t nr = 0;
    size_t end = h->used >> ARENA_CHUNK_SHIFT;
    for (uint32_t at = h->trunk; at; nr++) {
        if (at > end || nr > h->nr_free) {
            return "arena: the free list of chunks runs astray";
        }
        const struct trunk *t = arena_chunk_ptr(a, at);
        if (t->nr > TRUNK_MAX) {
            return "arena: a trunk of the free list is overfull";
        }
        for (uint32_t i = 0; i < t->nr; i++) {
            if (!t->leaf[i] || t->leaf[i] > end ||
                !chunk_is_zero(arena_chunk_ptr(a, t->leaf[i]))) {
                return "arena: a free chunk is not zeros (I1)";
            }
        }
        nr += t->nr;
        at = t->below;
    }
    return nr == h->nr_free ? NULL : "arena: the free list's count is wrong";
}

const char *arena_check(struct arena *a)
{
    const struct arena_private *p = a->priv;
    const uint64_t digest = arena_digest(a);
    uint64_t sum = 0;
    size_t nr = (header(a)->used + ARENA_CHUNK - 1) >> ARENA_CHUNK_SHIFT;
    if (header(a)->used > a->size) {
        return "arena: more is given out than there is";
    }
    for (size_t chunk = 0; chunk < nr; chunk++) {
        const unsigned char *bytes = a->base + (chunk << ARENA_CHUNK_SHIFT);
        if (!(a->marks[chunk] & ARENA_CHANGED) &&
            !snapshot_chunk_is(p->last, p->levels, chunk, bytes)) {
            return "arena: a chunk was written without a mark (I2)";
        }
        sum += chunk_hash_now(a, chunk);
    }
    if (sum != digest) {
        return "arena: the digest is not that of the bytes (I4): written without a mark?";
    }
    return check_free_list(a);
}
