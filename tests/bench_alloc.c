/* How long an allocation takes, without an observer, on machines of four sizes.
 *
 *   pair   alloc_pages and __free_pages of one page, through the per-CPU lists
 *   mix    random orders 0 to 10 (low ones more often) out of up to 512 live blocks
 *   boot   machine_create, and the bytes of host memory that it touched
 *
 * The smallest of many short runs is printed: the others were disturbed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <time.h>

#include "inspect.h"
#include "page.h"
#include "prng.h"
#include "tap.h"

enum { RUNS = 150, PAIRS = 10000, MIXED = 10000, LIVE = 512 };

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

static uint64_t alloc(struct machine *m, gfp_t gfp, uint64_t order)
{
    return machine_do(m, &(struct op){.kind = OP_ALLOC_PAGES, .arg = {gfp, order}});
}
static void give(struct machine *m, uint64_t p, uint64_t order)
{
    machine_do(m, &(struct op){.kind = OP_FREE_PAGES, .arg = {p, order}});
}

static double pair_ns(struct machine *m)
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double from = now_ns();
        for (int i = 0; i < PAIRS; i++) {
            give(m, alloc(m, GFP_KERNEL, 0), 0);
        }
        double ns = (now_ns() - from) / PAIRS;
        best = ns < best ? ns : best;
    }
    return best;
}

struct step {
    uint16_t slot;
    uint8_t order;
    uint8_t gfp;
};

/* One operation a step: a slot that is empty is filled, a full one is emptied. */
static double mix_ns(struct machine *m)
{
    static const gfp_t gfps[] = {GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_USER,
                                 GFP_KERNEL | __GFP_RECLAIMABLE};
    static struct step steps[MIXED];
    uint64_t at[LIVE], order[LIVE];
    struct prng r = {42};
    for (int i = 0; i < LIVE; i++) {
        at[i] = PFN_NONE;
    }
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < MIXED; i++) {
            uint64_t o = 0;
            while (o < 10 && prng_one_in(&r, 2)) {
                o++;
            }
            steps[i] = (struct step){(uint16_t)prng_below(&r, LIVE), (uint8_t)o,
                                     (uint8_t)prng_below(&r, 4)};
        }
        double from = now_ns();
        for (int i = 0; i < MIXED; i++) {
            uint32_t s = steps[i].slot;
            if (at[s] == PFN_NONE) {
                order[s] = steps[i].order;
                at[s] = alloc(m, gfps[steps[i].gfp] | __GFP_NOWARN, order[s]);
            } else {
                give(m, at[s], order[s]);
                at[s] = PFN_NONE;
            }
        }
        double ns = (now_ns() - from) / MIXED;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(void)
{
    static const struct {
        enum arch arch;
        const char *ram;
    } sizes[] = {{ARCH_I386, "160M"},
                 {ARCH_X86_64, "4G"},
                 {ARCH_X86_64, "64G"},
                 {ARCH_X86_64, "1T"}};
    const struct arena_host host = {reserve, release};
    printf("# %zu bytes of host memory a simulated page\n", sizeof(struct page));
    ok(sizeof(struct page) <= 32, "a frame takes at most 32 bytes");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct machine_config c;
        char err[256] = "";
        config_init(&c, sizes[i].arch);
        config_set(&c, "ram", sizes[i].ram, err, sizeof err);
        double from = now_ns();
        struct machine *m = machine_create(&c, &host, err, sizeof err);
        double boot_ms = (now_ns() - from) / 1e6;
        if (!ok(m != NULL, "%s boots %s", sizes[i].ram, err)) {
            continue;
        }
        double pair = pair_ns(m), mix = mix_ns(m);
        printf("# %5s  boot %7.2f ms  pair %5.1f ns  mix %5.1f ns\n", sizes[i].ram,
               boot_ms, pair, mix);
        ok(boot_ms < 1000, "%s: boots in under a second", sizes[i].ram);
        /* the figures are what counts; a busy host may be several times slower */
        printf("# %5s  a pair in at most 40 ns: %s; the mix in at most 100 ns: %s\n",
               sizes[i].ram, pair <= 40 ? "met" : "missed",
               mix <= 100 ? "met" : "missed");
        ok(pair <= 400 && mix <= 1000, "%s: not ten times too slow", sizes[i].ram);
        const char *why = machine_check(m);
        ok(!why, "%s: invariants hold %s", sizes[i].ram, why ? why : "");
        machine_destroy(m);
    }
    return done_testing();
}
