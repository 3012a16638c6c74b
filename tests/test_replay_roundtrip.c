/* Records that our own machine writes: after random work on all CPUs its state is
 * dumped, calls are made and their answers written down. A replay, which has nothing but
 * that text, must give the same answers and states. So whatever decides an answer is in
 * a dump and is loaded, on machines that no golden record shows: three zones of 64 bits,
 * many CPUs with drifting counters, small blocks, exhaustion of each.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_line.h"
#include "host.h"
#include "inspect.h"
#include "mm.h"
#include "prng.h"
#include "replay.h"
#include "tap.h"
#include "write_record.h"

enum { MAX_HELD = 60000 };

static struct {
    uint64_t frame;
    uint8_t order;
} held[MAX_HELD];
static uint32_t nr_held;

static struct prng rng;

/* ---- writing a record ---- */

static void dump(const struct machine *m, const char *tag, bool lru)
{
    dump_state(m, tag);
    for (uint32_t z = 0; lru && z < machine_nr_zones(m); z++) {
        put("lru %s:", zone_view(m, z).name);
        for (uint32_t i = 0; i < nr_held; i++) {
            struct page_view v = page_view(m, pfn(held[i].frame));
            if (v.lru && v.zone == z) {
                put(" %" PRIx64 "-%" PRIx64, held[i].frame, held[i].frame);
            }
        }
        put("\n");
    }
}

/* ---- work ---- */

static const struct {
    const char *name;
    gfp_t gfp;
} flags[] = {{"GFP_KERNEL", GFP_KERNEL},
             {"GFP_ATOMIC", GFP_ATOMIC},
             {"GFP_NOWAIT|__GFP_HIGHMEM", GFP_NOWAIT | __GFP_HIGHMEM},
             {"GFP_HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE},
             {"GFP_KERNEL|__GFP_RECLAIMABLE", GFP_KERNEL | __GFP_RECLAIMABLE},
             {"GFP_KERNEL|GFP_DMA", GFP_KERNEL | GFP_DMA},
             {"GFP_KERNEL|GFP_DMA32", GFP_KERNEL | GFP_DMA32}};
enum { NR_FLAGS = sizeof flags / sizeof flags[0] };

static uint64_t run(struct machine *m, uint32_t cpu, uint16_t kind, uint64_t a,
                    uint64_t b)
{
    return machine_do(m, &(struct op){.kind = kind, .cpu = (uint8_t)cpu, .arg = {a, b}});
}

static bool alloc(struct machine *m, uint32_t cpu, uint32_t which, uint32_t order,
                  bool tell)
{
    gfp_t gfp = flags[which].gfp | __GFP_NOWARN | (order ? (gfp_t)__GFP_COMP : 0);
    uint64_t frame = run(m, cpu, OP_ALLOC_PAGES, gfp, order);
    if (tell && frame == PFN_NONE) {
        put("alloc %u %s -> NULL\n", order, flags[which].name);
    } else if (tell) {
        put("alloc %u %s -> %" PRIx64 "\n", order, flags[which].name, frame);
    }
    if (frame != PFN_NONE) {
        held[nr_held].frame = frame;
        held[nr_held++].order = (uint8_t)order;
    }
    return frame != PFN_NONE;
}

static void give(struct machine *m, uint32_t cpu, uint32_t i, bool tell)
{
    uint64_t frame = held[i].frame;
    uint32_t order = held[i].order;
    held[i] = held[--nr_held];
    run(m, cpu, OP_FREE_PAGES, frame, order);
    if (tell) {
        put("free %u %" PRIx64 "\n", order, frame);
    }
}

static void mixed(struct machine *m, uint32_t cpus, uint32_t n, bool tell)
{
    uint32_t max_order = m->mm->max_order;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t cpu = (uint32_t)prng_below(&rng, cpus);
        if (nr_held < MAX_HELD && prng_below(&rng, 100) < 56) {
            uint32_t order =
                (uint32_t)(prng_below(&rng, 3) ? prng_below(&rng, 2)
                                               : prng_below(&rng, max_order));
            alloc(m, cpu, (uint32_t)prng_below(&rng, NR_FLAGS), order, tell);
        } else if (nr_held) {
            uint32_t k = (uint32_t)prng_below(&rng, nr_held);
            if (!page_view(m, pfn(held[k].frame)).lru) {
                give(m, cpu, k, tell);
            }
        }
    }
}

static void some_lru(struct machine *m)
{
    for (uint32_t i = 0; i < nr_held; i += 3) {
        if (held[i].order == 0) {
            run(m, 0, OP_LRU_ADD, held[i].frame, 0);
        }
    }
}

/* One thing is not in a dump: that a page on a Movable per-CPU list goes back as
 * HighAtomic, because its pageblock was that when it was freed (it may be no longer), or
 * goes back as Movable although the pageblock has become HighAtomic since. Empty lists
 * have no such pages; fill them with what cannot be. */
static void make_plain(struct machine *m)
{
    bool highatomic = false;
    run(m, 0, OP_DRAIN_ALL_PAGES, 0, 0);
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        struct zone_view v = zone_view(m, z);
        for (uint64_t p = v.start_pfn; p < v.start_pfn + v.spanned; p++) {
            highatomic = highatomic || pageblock_type(m, z, pfn(p)) == MIGRATE_HIGHATOMIC;
        }
    }
    for (uint32_t i = 0; i < 600 && !highatomic; i++) {
        uint32_t cpu = (uint32_t)prng_below(&rng, machine_nr_cpus(m));
        if (nr_held < MAX_HELD && prng_below(&rng, 2)) {
            alloc(m, cpu, prng_below(&rng, 2) ? 2 : 4, (uint32_t)prng_below(&rng, 2),
                  false);
        } else if (nr_held && !page_view(m, pfn(held[nr_held - 1].frame)).lru) {
            give(m, cpu, nr_held - 1, false);
        }
    }
}

static void exhaust(struct machine *m, uint32_t which, uint32_t order, const char *tag)
{
    uint32_t before = nr_held, after = 0;
    put("seq exhaust order=%u %s\n", order, flags[which].name);
    while (nr_held < MAX_HELD && alloc(m, 0, which, order, true)) {
        after++;
    }
    put("exhausted after=%u\n", after);
    dump(m, "exhausted", false);
    while (nr_held > before) {
        give(m, 0, nr_held - 1, true);
    }
    dump(m, tag, false);
}

static void check_machine(const char *line, uint64_t seed)
{
    char err[600];
    struct machine_config c;
    if (!config_from_line(&c, line, err, sizeof err)) {
        bail_out("%s", err);
    }
    struct machine *m = machine_create(&c, &host_memory, err, sizeof err);
    if (!m) {
        bail_out("%s: %s", line, err);
    }
    rng = (struct prng){seed};
    nr_held = 0;
    text_size = 0;
    put("oracle linux-ours cpu=0 ptrs=%d cpus=%u max_order=%u pageblock_order=%u\n",
        c.arch == ARCH_X86_64 ? 64 : 32, c.cpus, c.max_order, c.max_order - 1);
    mixed(m, c.cpus, 6000, false);
    some_lru(m);
    make_plain(m);
    dump(m, "start", true);
    put("seq mixed\n");
    mixed(m, 1, 3000, true);
    dump(m, "after-mixed", false);
    exhaust(m, 2, 0, "after-exhaust-nowait");
    exhaust(m, 1, 2, "after-exhaust-atomic");
    mixed(m, c.cpus, 2000, false); /* what nobody wrote down */
    make_plain(m);
    dump(m, "before-more", true);
    exhaust(m, 0, c.max_order > 3 ? 3 : 1, "after-exhaust-kernel");
    ok(!machine_check(m), "%s: the machine holds its invariants", line);
    machine_destroy(m);

    const char *keep = getenv("KEEP_RECORD");
    FILE *f = keep ? fopen(keep, "w") : NULL;
    if (f) {
        fwrite(text, 1, text_size, f);
        fclose(f);
    }
    struct record *r = record_parse("ours", text, text_size, err, sizeof err);
    struct replay *rp = r ? replay_create(r, &host_memory, err, sizeof err) : NULL;
    struct replay_tally t = {0};
    if (!rp || !replay_run(rp, NULL, &t, err, sizeof err)) {
        ok(false, "%s: %s", line, err);
    }
    ok(t.answers > 1500 && t.answers == t.answers_identical,
       "%s: %" PRIu64 " answers of %" PRIu64 " again", line, t.answers_identical,
       t.answers);
    is_u64(t.states_identical, 7, "%s: all states again", line);
    is_u64(t.figures_identical, t.figures, "%s: all figures follow from the sizes", line);
    replay_destroy(rp);
    record_free(r);
}

int main(void)
{
    check_machine("ram=64M", 1);
    check_machine("ram=160M highmem=80M cpus=4", 2);
    check_machine("arch=i386pae memmap=0-640K,1M-100M,4096M-4156M highmem=3120M cpus=8",
                  3);
    check_machine("arch=x86_64 memmap=0-640K,1M-80M,4096M-4160M cpus=1", 4);
    check_machine("arch=x86_64 memmap=0-640K,1M-80M,4096M-4160M cpus=16", 5);
    check_machine("arch=x86_64 ram=128M cpus=64 nr_cpus=64", 6);
    check_machine("arch=x86_64 memmap=0-640K,1M-80M,4096M-4140M cpus=3 max_order=4", 7);
    check_machine("memmap=1M-9M kernel=none max_order=3 cpus=2", 8);
    free(text);
    return done_testing();
}
