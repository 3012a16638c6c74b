/* Which zone answers, how deep each kind of request may go, and the slow path's steps.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

static struct machine_config three_zones(void)
{
    struct machine_config c = bare_config(4096 + 8192 + 4096, 4096, 11);
    c.min_free_kbytes = 1024;
    return c;
}

/* Take single pages until there are none; answers how many. */
static uint64_t exhaust(struct machine *m, gfp_t gfp)
{
    uint64_t n = 0;
    const struct op op = {.kind = OP_ALLOC_PAGES, .arg = {gfp | __GFP_NOWARN, 0}};
    while (machine_do(m, &op) != PFN_NONE) {
        n++;
    }
    const char *why = machine_check(m);
    ok(!why, "exhausted: %s", why ? why : "all invariants hold");
    return n;
}

/* The most that a request may leave in a zone: its watermark and reserve, and what fits a
 * refill. */
static void stops_at(const struct machine *m, enum zone_type type, int64_t mark,
                     enum zone_type highest, const char *what)
{
    uint32_t z = zone_by_type(m, type);
    struct zone_view v = zone_view(m, z);
    int64_t floor = mark + (int64_t)v.lowmem_reserve[highest];
    int64_t free = (int64_t)v.free;
    ok(free <= floor && free + (int64_t)v.pageset_batch + 2 > floor,
       "%s: %s stops at %d (%d free)", what, v.name, (int)floor, (int)free);
}

static void zones_in_order(void)
{
    struct machine_config c = three_zones();
    struct machine *m = boot(&c);
    uint32_t dma = zone_by_type(m, ZONE_DMA), normal = zone_by_type(m, ZONE_NORMAL),
             high = zone_by_type(m, ZONE_HIGHMEM);
    is_u64(zone_of_pfn(m, pfn(take(m, GFP_HIGHUSER, 0))), high, "__GFP_HIGHMEM: HighMem");
    is_u64(zone_of_pfn(m, pfn(take(m, GFP_HIGHUSER_MOVABLE, 0))), high, "movable too");
    is_u64(zone_of_pfn(m, pfn(take(m, GFP_KERNEL, 0))), normal, "GFP_KERNEL: Normal");
    is_u64(zone_of_pfn(m, pfn(take(m, GFP_KERNEL | __GFP_DMA, 0))), dma,
           "__GFP_DMA: DMA");
    is_u64(zone_of_pfn(m, pfn(take(m, GFP_KERNEL | __GFP_DMA32, 0))), normal,
           "__GFP_DMA32: Normal, where there is no such zone");
    is_u64(zone_of_pfn(m, pfn(take(m, GFP_KERNEL | __GFP_DMA | __GFP_HIGHMEM, 0))), dma,
           "two zones at once: the lowest");
    machine_destroy(m);
}

static void how_deep(void)
{
    struct machine_config c = three_zones();
    struct machine *m = boot(&c);
    struct zone_view n = zone_view(m, zone_by_type(m, ZONE_NORMAL));
    int64_t min = (int64_t)n.wmark_min;
    exhaust(m, GFP_NOWAIT | __GFP_HIGHMEM);
    stops_at(m, ZONE_NORMAL, min, ZONE_HIGHMEM, "GFP_NOWAIT|__GFP_HIGHMEM");
    exhaust(m, GFP_NOWAIT);
    stops_at(m, ZONE_NORMAL, min, ZONE_NORMAL, "GFP_NOWAIT");
    exhaust(m, GFP_KERNEL);
    stops_at(m, ZONE_NORMAL, min, ZONE_NORMAL, "GFP_KERNEL");
    exhaust(m, __GFP_HIGH | __GFP_DIRECT_RECLAIM);
    stops_at(m, ZONE_NORMAL, min - min / 2, ZONE_NORMAL, "__GFP_HIGH that may sleep");
    exhaust(m, GFP_ATOMIC);
    stops_at(m, ZONE_NORMAL, min - min / 2 - (min - min / 2) / 4, ZONE_NORMAL,
             "GFP_ATOMIC");
    is_u64(exhaust(m, GFP_ATOMIC | __GFP_NOMEMALLOC), 0,
           "__GFP_NOMEMALLOC gives nothing more");
    run_op(m, OP_MEMALLOC, 1, 0);
    is_u64(exhaust(m, GFP_KERNEL | __GFP_NOMEMALLOC), 0, "even to PF_MEMALLOC");
    run_op(m, OP_IRQ_ENTER, 0, 0);
    is_u64(exhaust(m, GFP_NOWAIT), 0, "a hardirq has no part in the task's PF_MEMALLOC");
    run_op(m, OP_IRQ_LEAVE, 0, 0);
    ok(exhaust(m, GFP_KERNEL) > 0, "the task itself takes");
    is_u64(listed_free(m, zone_by_type(m, ZONE_NORMAL)), 0, "everything in Normal");
    is_u64(listed_free(m, zone_by_type(m, ZONE_DMA)), 0, "and in DMA");
    run_op(m, OP_MEMALLOC, 0, 0);
    is_u64(exhaust(m, GFP_ATOMIC), 0, "nothing is left");
    machine_destroy(m);
}

static void high_order_needs_a_block(void)
{
    struct machine_config c = bare_config(4096, 0, 11);
    struct machine *m = boot(&c);
    static uint64_t p[4096 + 1];
    uint64_t n = 0;
    while ((p[n] = take(m, GFP_NOWAIT | __GFP_NOWARN | __GFP_DMA, 0)) != PFN_NONE) {
        n++;
    }
    for (uint64_t i = 0; i < n; i += 2) {
        give(m, p[i], 0);
    }
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    struct event_log log = {0};
    watch(m, &log);
    is_hex(take(m, GFP_NOWAIT | __GFP_NOWARN, 1), PFN_NONE, "every other page is free");
    ok(find_event(&log, EV_WATERMARK_NO_BLOCK) != NULL,
       "enough pages, but no two together");
    machine_destroy(m);
}

static void slow_path_steps(void)
{
    struct machine_config c = three_zones();
    struct machine *m = boot(&c);
    exhaust(m, GFP_NOWAIT);
    static struct event_log log;
    watch(m, &log);
    is_hex(take(m, GFP_NOWAIT, 0), PFN_NONE, "GFP_NOWAIT fails");
    is_str(
        story(&log, "mm:slow vmscan:mm oom: mm:page mm:alloc_f compaction:"),
        "mm:slowpath order=0 gfp_flags=GFP_NOWAIT "
        "alloc_flags=ALLOC_WMARK_MIN|ALLOC_NON_BLOCK|ALLOC_CPUSET|ALLOC_KSWAPD\n"
        "vmscan:mm_vmscan_wakeup_kswapd nid=0 zone=Normal order=0 gfp_flags=GFP_NOWAIT\n"
        "mm:page_allocation_failure order=0 gfp_flags=GFP_NOWAIT\n"
        "mm:alloc_fail order=0 gfp_flags=GFP_NOWAIT\n",
        "kswapd is woken once, nothing is reclaimed, and the failure is reported");
    log.nr = 0;
    take(m, GFP_NOWAIT | __GFP_NOWARN, 0);
    ok(!find_event(&log, EV_ALLOC_FAILURE), "__GFP_NOWARN: no report");

    log.nr = 0;
    is_hex(take(m, GFP_KERNEL, 0), PFN_NONE, "GFP_KERNEL fails");
    ok(find_event(&log, EV_RECLAIM_BEGIN) != NULL, "after direct reclaim");
    ok(!find_event(&log, EV_DIRECT_COMPACT), "no compaction for a single page");
    is_u64(count_events(&log, EV_OOM), 1, "the OOM killer is called");
    log.nr = 0;
    take(m, GFP_KERNEL | __GFP_NORETRY, 0);
    ok(!find_event(&log, EV_OOM), "__GFP_NORETRY: not called");
    is_u64(count_events(&log, EV_RECLAIM_BEGIN), 1, "after a single round");
    log.nr = 0;
    take(m, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0);
    ok(!find_event(&log, EV_OOM), "__GFP_RETRY_MAYFAIL: not called");
    log.nr = 0;
    take(m, GFP_KERNEL, 6);
    ok(find_event(&log, EV_DIRECT_COMPACT) && !find_event(&log, EV_OOM),
       "costly orders: compaction, and no OOM killer");
    log.nr = 0;
    is_hex(take(m, GFP_NOFS, 0), PFN_NONE, "GFP_NOFS kills nobody");
    ok(find_event(&log, EV_NOFAIL_LOOP) && !find_event(&log, EV_OOM),
       "the kernel would try for ever");
    log.nr = 0;
    ok(take(m, GFP_KERNEL | __GFP_NOFAIL, 0) != PFN_NONE,
       "__GFP_NOFAIL takes the reserve");
    log.nr = 0;
    is_hex(take(m, GFP_KERNEL, 11), PFN_NONE, "an order that does not exist");
    ok(find_event(&log, EV_WARN_ALLOC) != NULL, "is a warning");
    is_hex(take(m, GFP_KERNEL, UINT64_MAX), PFN_NONE, "however absurd");
    machine_destroy(m);
}

/* The reclaim loop: as long as there are pages on the LRU, the kernel has hope. */
static void retries_while_there_is_hope(void)
{
    struct machine_config c = three_zones();
    struct machine *m = boot(&c);
    for (int i = 0; i < 400; i++) {
        run_op(m, OP_LRU_ADD, take(m, GFP_USER, 0), 0);
    }
    exhaust(m, GFP_NOWAIT);
    static struct event_log log;
    watch(m, &log);
    is_hex(take(m, GFP_KERNEL, 0), PFN_NONE, "nothing can be freed");
    is_u64(count_events(&log, EV_RECLAIM_BEGIN), 17,
           "but 16 more rounds of reclaim are tried");
    is_u64(count_events(&log, EV_OOM), 1, "before the OOM killer");
    machine_destroy(m);
}

static void no_fragment(void)
{
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_X86_64);
    config_set(&c, "ram", "6G", err, sizeof err);
    struct machine *m = boot(&c);
    uint32_t normal = zone_by_type(m, ZONE_NORMAL), dma32 = zone_by_type(m, ZONE_DMA32);
    static struct event_log log;
    /* Normal without a free pageblock, but with half of one that is movable */
    uint64_t p;
    while (zone_of_pfn(m, pfn(p = take(m, GFP_HIGHUSER_MOVABLE, 10))) == normal) {
    }
    give(m, p, 10);
    ok(listed_free(m, normal) > 512, "Normal is nearly full");
    while (free_area_count(m, normal, 10)) {
        take(m, GFP_NOWAIT | __GFP_MOVABLE, 9);
    }
    watch(m, &log);
    p = take(m, GFP_KERNEL, 0);
    is_u64(zone_of_pfn(m, pfn(p)), dma32,
           "rather than mix types in Normal, DMA32 is used");
    ok(!find_event(&log, EV_WATERMARK_BOOST), "no pageblock of Normal is broken");
    machine_destroy(m);
}

static void misfit_flags(void)
{
    struct machine_config c = three_zones();
    struct machine *m = boot(&c);
    static struct event_log log;
    watch(m, &log);
    ok(take(m, GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE, 0) != PFN_NONE,
       "movable and reclaimable");
    ok(find_event(&log, EV_WARN_ALLOC) != NULL, "is a warning");
    ok(take(m, 0xffffffff & ~(gfp_t)__GFP_NOFAIL, 0) != PFN_NONE, "all flags at once");
    ok(take(m, 0, 3) != PFN_NONE, "no flag at all");
    machine_destroy(m);

    c = bare_config(64, 0, 4);
    m = boot(&c);
    ok(take(m, GFP_KERNEL, 0) != PFN_NONE, "a machine with one zone");
    machine_destroy(m);
}

int main(void)
{
    zones_in_order();
    how_deep();
    high_order_needs_a_block();
    slow_path_steps();
    retries_while_there_is_hope();
    no_fragment();
    misfit_flags();
    return done_testing();
}
