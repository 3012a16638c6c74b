/* How long objects take, without an observer.
 *
 *   pair      kmem_cache_alloc and kmem_cache_free through this CPU's array, or with
 *             SLUB its freelist
 *   kmalloc   kmalloc(200) and kfree
 *   mix       50 caches of random sizes, up to 4096 live objects, one operation a step
 *   million   the same with a million live objects of 64 bytes, freed in random order
 *
 * Both allocators, one after the other. The smallest of many short runs is printed: the
 * others were disturbed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "prng.h"
#include "slab_view.h"
#include "tap.h"

enum { RUNS = 100, STEPS = 10000, CACHES = 50, LIVE = 4096, MILLION = 1000000 };

static void *reserve(size_t size_bytes)
{
    void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
static void release(void *base, size_t size_bytes) { munmap(base, size_bytes); }

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t call(struct machine *m, uint16_t kind, uint64_t a0, uint64_t a1,
                     uint64_t a2, uint64_t a3)
{
    return machine_do(m, &(struct op){.kind = kind, .arg = {a0, a1, a2, a3}});
}

static double pair_ns(struct machine *m, uint64_t cache)
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        const double from = now_ns();
        for (int i = 0; i < STEPS; i++) {
            const uint64_t va = call(m, OP_KMEM_CACHE_ALLOC, cache, GFP_KERNEL, 0, 0);
            call(m, OP_KMEM_CACHE_FREE, cache, va, 0, 0);
        }
        const double ns = (now_ns() - from) / STEPS;
        best = ns < best ? ns : best;
    }
    return best;
}

static double kmalloc_ns(struct machine *m)
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        const double from = now_ns();
        for (int i = 0; i < STEPS; i++) {
            call(m, OP_KFREE, call(m, OP_KMALLOC, 200, GFP_KERNEL, 0, 0), 0, 0, 0);
        }
        const double ns = (now_ns() - from) / STEPS;
        best = ns < best ? ns : best;
    }
    return best;
}

static double mix_ns(struct machine *m)
{
    static struct {
        uint16_t slot;
    } steps[STEPS];
    static uint64_t at[LIVE], of[LIVE];
    uint64_t cache[CACHES];
    struct prng r = {42};
    for (uint32_t i = 0; i < CACHES; i++) {
        cache[i] = call(m, OP_KMEM_CACHE_CREATE, i, 16 + prng_below(&r, 1000), 0, 0);
    }
    for (uint32_t i = 0; i < LIVE; i++) {
        of[i] = cache[prng_below(&r, CACHES)];
    }
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        for (uint32_t i = 0; i < STEPS; i++) {
            steps[i].slot = (uint16_t)prng_below(&r, LIVE);
        }
        const double from = now_ns();
        for (uint32_t i = 0; i < STEPS; i++) {
            const uint32_t s = steps[i].slot;
            if (at[s]) {
                call(m, OP_KMEM_CACHE_FREE, of[s], at[s], 0, 0);
                at[s] = 0;
            } else {
                at[s] = call(m, OP_KMEM_CACHE_ALLOC, of[s], GFP_KERNEL, 0, 0);
            }
        }
        const double ns = (now_ns() - from) / STEPS;
        best = ns < best ? ns : best;
    }
    return best;
}

static void million(struct machine *m)
{
    uint64_t *va = malloc(MILLION * sizeof *va);
    struct prng r = {7};
    const uint64_t cache = call(m, OP_KMEM_CACHE_CREATE, 99, 64, 0, 0);
    double first = 0, last = 0, from = now_ns();
    for (uint32_t i = 0; i < MILLION; i++) {
        va[i] = call(m, OP_KMEM_CACHE_ALLOC, cache, GFP_KERNEL, 0, 0);
        if (i == MILLION / 10 - 1 || i == MILLION / 10 * 9 - 1) {
            first = first > 0 ? first : now_ns() - from;
            from = i > MILLION / 2 ? now_ns() : from;
        }
    }
    last = now_ns() - from;
    printf("# million: alloc %.1f ns (the first tenth), %.1f ns (the last)\n",
           first / (MILLION / 10), last / (MILLION / 10));
    const double pair = pair_ns(m, cache);
    printf("# million: pair with all of them live %.1f ns\n", pair);
    for (uint32_t i = MILLION - 1; i > 0; i--) {
        const uint32_t other = (uint32_t)prng_below(&r, i + 1);
        const uint64_t was = va[i];
        va[i] = va[other];
        va[other] = was;
    }
    from = now_ns();
    uint32_t nr = 0;
    for (uint32_t i = 0; i < MILLION; i++) {
        nr += va[i] != 0;
        call(m, OP_KMEM_CACHE_FREE, cache, va[i], 0, 0);
    }
    printf("# million: free in random order %.1f ns\n", (now_ns() - from) / MILLION);
    ok(nr == MILLION, "a million objects were live");
    free(va);
}

/* All of it on a machine with SLAB or with SLUB. */
static void bench(const char *allocator)
{
    const struct arena_host host = {reserve, release};
    struct machine_config c;
    char err[256] = "";
    config_init(&c, ARCH_X86_64);
    config_set(&c, "ram", "1G", err, sizeof err);
    config_set(&c, "slab", allocator, err, sizeof err);
    struct machine *m = machine_create(&c, &host, err, sizeof err);
    if (!m) {
        bail_out("%s", err);
    }
    const uint64_t cache = call(m, OP_KMEM_CACHE_CREATE, 98, 200, 0, SLAB_HWCACHE_ALIGN);
    const double pair = pair_ns(m, cache), kmalloc = kmalloc_ns(m), mix = mix_ns(m);
    printf("# %s: pair %.1f ns   kmalloc pair %.1f ns   mix %.1f ns an operation, %.1f "
           "million a second\n",
           allocator, pair, kmalloc, mix, 1000 / mix);
    printf("# %s: a pair in at most 30 ns: %s; the mix in at most 100 ns: %s\n",
           allocator, pair <= 30 ? "met" : "missed", mix <= 100 ? "met" : "missed");
    million(m);
    machine_destroy(m);
}

int main(void)
{
    bench("slab");
    bench("slub");
    return done_testing();
}
