/* The arena against plain memory: random writes, chunks taken and given, snapshots and
 * restores.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "arena.h"
#include "prng.h"
#include "tap.h"

enum { MAX_SNAPSHOTS = 12, MAX_TAKEN = 4096 };

/* What the arena should be: a copy of all its bytes for each snapshot, the chunks that
 * are taken. */
struct taken {
    uint32_t chunk[MAX_TAKEN];
    size_t nr;
};

struct model {
    struct arena a;
    unsigned char *now;
    struct taken taken;
    struct {
        struct snapshot *s;
        unsigned char *bytes;
        struct taken taken;
        uint64_t digest;
    } kept[MAX_SNAPSHOTS];
};

static void write_random(struct model *m, struct prng *r)
{
    size_t at = 64 + prng_below(r, 40 * ARENA_CHUNK - 64);
    uint8_t value = prng_one_in(r, 3) ? 0 : (uint8_t)prng_next(r);
    arena_mark(&m->a, m->a.base + at);
    m->a.base[at] = value;
}

static void chunk_random(struct model *m, struct prng *r)
{
    size_t nr = 1 + prng_below(r, prng_one_in(r, 20) ? 1600 : 8);
    while (nr--) {
        if (prng_one_in(r, 2)) {
            uint32_t c = m->taken.nr < MAX_TAKEN ? arena_chunk_take(&m->a) : 0;
            if (c) {
                unsigned char *bytes = arena_chunk_ptr(&m->a, c);
                static const unsigned char zeros[ARENA_CHUNK];
                if (memcmp(bytes, zeros, ARENA_CHUNK) != 0) {
                    ok(false, "a chunk taken is zeros");
                }
                arena_mark(&m->a, bytes);
                memset(bytes + prng_below(r, 4000), (int)prng_below(r, 256), 90);
                m->taken.chunk[m->taken.nr++] = c;
            }
        } else if (m->taken.nr) {
            size_t i = prng_below(r, m->taken.nr);
            arena_chunk_give(&m->a, m->taken.chunk[i]);
            m->taken.chunk[i] = m->taken.chunk[--m->taken.nr];
        }
    }
}

static bool snapshot_random(struct model *m, struct prng *r)
{
    size_t i = prng_below(r, MAX_SNAPSHOTS);
    if (m->kept[i].s && prng_one_in(r, 2)) {
        arena_restore(&m->a, m->kept[i].s);
        m->taken = m->kept[i].taken;
        return memcmp(m->a.base, m->kept[i].bytes, m->a.size) == 0 &&
               arena_digest(&m->a) == m->kept[i].digest;
    }
    snapshot_unref(&m->a, m->kept[i].s);
    m->kept[i].s = arena_snapshot(&m->a);
    m->kept[i].taken = m->taken;
    m->kept[i].digest = arena_digest(&m->a);
    m->kept[i].bytes = m->kept[i].bytes ? m->kept[i].bytes : malloc(m->a.size);
    memcpy(m->kept[i].bytes, m->a.base, m->a.size);
    return true;
}

static void test_random(uint64_t seed)
{
    struct model *m = calloc(1, sizeof *m);
    struct prng r = {seed};
    if (!m || !arena_create(&m->a, 2600 * ARENA_CHUNK, NULL)) {
        bail_out("no memory");
    }
    ok(arena_alloc(&m->a, 39 * ARENA_CHUNK, ARENA_CHUNK) == m->a.base + ARENA_CHUNK,
       "boot-time memory begins after the header");
    bool restored = true;
    const char *broken = NULL;
    for (int i = 0; i < 1200 && restored && !broken; i++) {
        uint64_t what = prng_below(&r, 10);
        if (what < 6) {
            write_random(m, &r);
        } else if (what < 7) {
            chunk_random(m, &r);
        } else if (what < 9) {
            restored = snapshot_random(m, &r);
        } else {
            broken = arena_check(&m->a);
        }
    }
    ok(restored, "seed %" PRIu64 ": every restore gives bytes and digest back", seed);
    is_str(broken, NULL, "seed %" PRIu64 ": the invariants hold", seed);
    for (int i = 0; i < MAX_SNAPSHOTS; i++) {
        snapshot_unref(&m->a, m->kept[i].s);
        free(m->kept[i].bytes);
    }
    size_t one = arena_snapshot_bytes(&m->a);
    ok(one <= m->a.size * 11 / 10,
       "without snapshots only the last one's tree is held (%zu)", one);
    arena_destroy(&m->a);
    free(m);
}

static void test_alloc(void)
{
    struct arena a;
    ok(arena_create(&a, 10 * ARENA_CHUNK - 5, NULL), "created");
    is_u64(a.size, 10 * ARENA_CHUNK, "the size is rounded up");
    is_u64((uintptr_t)a.base % ARENA_CHUNK, 0, "it begins at a multiple of a chunk");
    unsigned char *p = arena_alloc(&a, 3, 1), *q = arena_alloc(&a, 8, 64);
    ok(p > a.base && q > p && (size_t)(q - a.base) % 64 == 0, "alignment");
    ok(!arena_alloc(&a, SIZE_MAX, 1) && !arena_alloc(&a, 10 * ARENA_CHUNK, 1),
       "too much: NULL");
    uint32_t c[10], nr = 0;
    while (nr < 10 && (c[nr] = arena_chunk_take(&a))) {
        nr++;
    }
    is_u64(nr, 9, "all but the header's chunk can be taken");
    ok(!arena_alloc(&a, 1, 1), "then the arena is full");
    arena_chunk_give(&a, c[4]);
    arena_chunk_give(&a, c[2]);
    is_u64(arena_chunk_take(&a), c[2], "last given, first taken");
    is_u64(arena_chunk_take(&a), c[4], "then the one before");
    is_u64(arena_chunk_take(&a), 0, "then none");
    is_str(arena_check(&a), NULL, "check");
    arena_destroy(&a);
    ok(!arena_create(&a, SIZE_MAX, NULL), "an impossible size is refused");
}

static void test_digest(void)
{
    struct arena a, b;
    arena_create(&a, 100 * ARENA_CHUNK, NULL);
    arena_create(&b, 5000 * ARENA_CHUNK, NULL);
    is_hex(arena_digest(&a), arena_digest(&b),
           "the digest is of the bytes, not of the size");
    unsigned char *p = arena_alloc(&a, 50 * ARENA_CHUNK, 1),
                  *q = arena_alloc(&b, 50 * ARENA_CHUNK, 1);
    uint64_t empty = arena_digest(&a);
    arena_mark(&a, p + 70000);
    p[70000] = 1;
    arena_mark(&b, q + 70001);
    q[70001] = 1;
    ok(arena_digest(&a) != empty && arena_digest(&a) != arena_digest(&b),
       "one bit shows, and where");
    arena_mark(&a, p + 70000);
    p[70000] = 0;
    is_hex(arena_digest(&a), empty, "written back to 0 is as never written (I4)");
    arena_mark(&b, q + 70001);
    q[70001] = 0;
    arena_mark(&b, q + 70001 + ARENA_CHUNK);
    q[70001 + ARENA_CHUNK] = 1;
    uint64_t there = arena_digest(&b);
    q[70001 + ARENA_CHUNK] = 0;
    arena_mark(&b, q + 70001);
    arena_mark(&b, q + 70001 + ARENA_CHUNK);
    q[70001] = 1;
    ok(arena_digest(&b) != there, "the same content in another chunk differs");
    p[1] = 7;
    arena_digest(&a);
    struct snapshot *s = arena_snapshot(&a);
    p[30000] = 7; /* no mark */
    ok(arena_check(&a) != NULL, "a write without a mark is found (I2)");
    snapshot_unref(&a, s);
    arena_destroy(&a);
    arena_destroy(&b);
}

static void count(void *ctx, size_t chunk)
{
    (void)chunk;
    ++*(size_t *)ctx;
}

static void test_costs(void)
{
    struct arena a;
    size_t seen = 0;
    arena_create(&a, (size_t)1 << 24, NULL);
    unsigned char *p = arena_alloc(&a, 2000 * ARENA_CHUNK, ARENA_CHUNK);
    for (size_t i = 0; i < 2000; i++) {
        arena_mark(&a, p + i * ARENA_CHUNK);
        p[i * ARENA_CHUNK] = 1;
    }
    arena_take_unseen(&a, count, &seen);
    is_u64(seen, 2001, "the views see each chunk once");
    struct snapshot *s = arena_snapshot(&a);
    size_t all = arena_snapshot_bytes(&a);
    is_u64(arena_nr_changed(&a), 0, "nothing has changed since a snapshot");
    arena_mark(&a, p + 99 * ARENA_CHUNK);
    p[99 * ARENA_CHUNK] = 2;
    arena_mark(&a, p); /* marked, but not changed: shared */
    struct snapshot *s2 = arena_snapshot(&a);
    ok(arena_snapshot_bytes(&a) - all < 3 * ARENA_CHUNK,
       "one chunk changed costs little more: %zu", arena_snapshot_bytes(&a) - all);
    seen = 0;
    arena_take_unseen(&a, count, &seen);
    arena_restore(&a, s);
    seen = 0;
    arena_take_unseen(&a, count, &seen);
    is_u64(seen, 1, "a restore touches only what differs, and says so to the views");
    snapshot_unref(&a, s);
    snapshot_unref(&a, s2);
    arena_destroy(&a);
}

int main(void)
{
    test_alloc();
    test_digest();
    test_costs();
    for (uint64_t seed = 1; seed <= 4; seed++) {
        test_random(seed);
    }
    return done_testing();
}
