/* The free lists: splitting, merging, the order of pages, stealing between migratetypes,
 * the HighAtomic reserve.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

static const enum migratetype U = MIGRATE_UNMOVABLE, M = MIGRATE_MOVABLE,
                              R = MIGRATE_RECLAIMABLE;

/* Orders above 3 go past the per-CPU lists. */
static void splits_and_merges(void)
{
    struct machine_config c = bare_config(2048, 0, 11);
    struct machine *m = boot(&c);
    struct event_log log = {0};
    is_str(free_list(m, 0, 10, M), "0 400",
           "boot frees top blocks in order, at the tail");

    watch(m, &log);
    uint64_t a = take(m, GFP_HIGHUSER_MOVABLE, 8);
    is_hex(a, 0, "the first block of the list is taken");
    is_str(story(&log, "buddy:take buddy:split kmem:mm_page_alloc_zone_locked"),
           "buddy:take zone=DMA pfn=0 order=10 migratetype=Movable left=1\n"
           "buddy:split zone=DMA pfn=0x200 order=9 migratetype=Movable\n"
           "buddy:split zone=DMA pfn=0x100 order=8 migratetype=Movable\n"
           "kmem:mm_page_alloc_zone_locked pfn=0 order=8 migratetype=Movable "
           "percpu_refill=no found=10 zone=DMA\n",
           "order 8 out of order 10: two halvings");
    is_str(free_list(m, 0, 9, M), "200", "the upper halves are free");
    is_str(free_list(m, 0, 8, M), "100", "both of them");

    log.nr = 0;
    give(m, a, 8);
    is_str(story(&log, "buddy:merge buddy:add"),
           "buddy:merge zone=DMA pfn=0 buddy=0x100 order=9\n"
           "buddy:merge zone=DMA pfn=0 buddy=0x200 order=10\n"
           "buddy:add zone=DMA pfn=0 order=10 migratetype=Movable tail=no\n",
           "given back, it merges all the way");
    is_str(free_list(m, 0, 10, M), "0 400", "a merged block goes to the head");
    machine_destroy(m);
}

static void tail_placement(void)
{
    struct machine_config c = bare_config(1024, 0, 11);
    struct machine *m = boot(&c);
    uint64_t p[8];
    for (int i = 0; i < 8; i++) {
        p[i] = take(m, GFP_HIGHUSER_MOVABLE, 4);
        is_hex(p[i], (uint64_t)i << 4, "order-4 blocks come in ascending order");
    }
    /* 0x00 and 0x40: nothing near is free */
    give(m, p[0], 4);
    give(m, p[4], 4);
    is_str(free_list(m, 0, 4, M), "40 0", "freed blocks go to the head");
    /* 0x20's buddy 0x30 is taken; but 0x00-0x1f will be free as a whole: tail */
    give(m, p[1], 4);
    is_str(free_list(m, 0, 5, M), "0", "0 and 0x10 merge");
    give(m, p[2], 4);
    is_str(free_list(m, 0, 4, M), "40 20",
           "0x20 goes to the tail: the buddy of the block that it could make is free");
    give(m, p[3], 4);
    is_str(free_list(m, 0, 6, M), "0", "and so it comes");
    machine_destroy(m);
}

static void steals_whole_pageblock(void)
{
    struct machine_config c = bare_config(2048, 0, 11);
    struct machine *m = boot(&c);
    struct event_log log = {0};
    watch(m, &log);
    is_hex(take(m, GFP_KERNEL, 5), 0, "unmovable from a machine of movable pageblocks");
    is_str(story(&log, "buddy:none buddy:page kmem:mm_page_alloc_extfrag buddy:move"),
           "buddy:none zone=DMA order=5 migratetype=Unmovable\n"
           "buddy:pageblock_type zone=DMA pfn=0 from=Movable to=Unmovable\n"
           "buddy:move zone=DMA pfn=0 order=10 migratetype=Unmovable\n"
           "kmem:mm_page_alloc_extfrag pfn=0 alloc_order=5 fallback_order=10 "
           "alloc_migratetype=Unmovable fallback_migratetype=Movable "
           "change_ownership=yes\n",
           "the whole pageblock changes hands");
    is_u64(pageblock_type(m, 0, pfn(0)), U, "pageblock 0 is unmovable");
    is_str(free_list(m, 0, 9, U), "200", "with its free pages");
    machine_destroy(m);
}

static void steals_free_pages_of_a_block(void)
{
    struct machine_config c = bare_config(1024, 0, 11);
    struct machine *m = boot(&c);
    uint64_t held[64];
    /* use up three quarters of the only pageblock by movable requests */
    for (int i = 0; i < 48; i++) {
        held[i] = take(m, GFP_HIGHUSER_MOVABLE, 4);
    }
    struct event_log log = {0};
    watch(m, &log);
    uint64_t p = take(m, GFP_KERNEL | __GFP_RECLAIMABLE, 4);
    is_hex(p, 0x300, "the largest block of the other type");
    is_u64(pageblock_type(m, 0, pfn(0)), R,
           "pages that are not movable count as like ours: enough");
    is_u64(find_event(&log, EV_MOVE_FREEPAGES)->arg[3], 256, "256 free pages moved");
    is_str(free_list(m, 0, 7, R), "380", "to the reclaimable lists");

    unwatch(m);
    give(m, p, 4);
    for (int i = 0; i < 48; i++) {
        run_op(m, OP_LRU_ADD, held[i], 0);
    }
    watch(m, &log);
    p = take(m, GFP_KERNEL, 4);
    ok(find_event(&log, EV_PAGEBLOCK_KEPT) != NULL,
       "unmovable from reclaimable: 256 free pages are not half of the block");
    is_u64(pageblock_type(m, 0, pfn(0)), R, "so it stays reclaimable");
    is_str(free_list(m, 0, 7, U), "380", "though its free pages moved");

    log.nr = 0;
    is_hex(
        take(m, GFP_HIGHUSER_MOVABLE, 3), 0x310,
        "movable steals a block of half a pageblock's order with all the rest, and takes "
        "the smallest of that");
    is_u64(find_event(&log, EV_MOVE_FREEPAGES)->arg[4], 48, "48 pages are on the LRU");
    machine_destroy(m);
}

static void movable_takes_the_smallest(void)
{
    struct machine_config c = bare_config(1024, 0, 11);
    struct machine *m = boot(&c);
    uint64_t p[65], n = 0;
    /* all of it unmovable; then two holes, of order 4 and order 2 */
    while ((p[n] = take(m, GFP_NOWAIT | __GFP_NOWARN, 4)) != PFN_NONE) {
        n++;
    }
    is_u64(n, 64, "64 blocks of order 4");
    give(m, p[10], 4);
    uint64_t q = take(m, GFP_NOWAIT, 2);
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    give(m, p[20], 4);
    struct event_log log = {0};
    watch(m, &log);
    uint64_t got = take(m, GFP_HIGHUSER_MOVABLE, 0);
    is_u64(find_event(&log, EV_MM_PAGE_ALLOC_EXTFRAG)->arg[2], 2,
           "a movable page breaks the smallest block that will do, of order 2");
    ok(got != PFN_NONE && q != PFN_NONE, "both were had");
    is_u64(pageblock_type(m, 0, pfn(got)), U, "and the pageblock stays unmovable");
    machine_destroy(m);
}

static void boosts_watermarks(void)
{
    struct machine_config c = bare_config(4096 + 8192, 0, 11);
    c.min_free_kbytes = 256;
    struct machine *m = boot(&c);
    uint32_t normal = zone_by_type(m, ZONE_NORMAL);
    /* leave half a pageblock free in Normal: the watermark holds off the last order 10 */
    for (int i = 0; i < 7; i++) {
        take(m, GFP_HIGHUSER_MOVABLE, 10);
    }
    take(m, GFP_HIGHUSER_MOVABLE, 9);
    is_u64(listed_free(m, normal), 512, "512 movable pages are free in Normal");
    struct event_log log = {0};
    watch(m, &log);
    uint64_t p = take(m, GFP_KERNEL, 4);
    is_u64(zone_of_pfn(m, pfn(p)), normal, "unmovable out of a movable pageblock");
    struct zone_view v = zone_view(m, normal);
    is_u64(v.wmark_boost, 1024, "the watermarks are boosted by a pageblock");
    ok(find_event(&log, EV_KSWAPD_WAKE) != NULL, "and kswapd is woken");
    is_u64(v.flags, 0, "the zone's flag is cleared again");
    machine_destroy(m);
}

static void highatomic(void)
{
    struct machine_config c = bare_config(4096 + 4096, 0, 11);
    c.min_free_kbytes = 1024;
    struct machine *m = boot(&c);
    uint32_t normal = zone_by_type(m, ZONE_NORMAL);
    uint64_t p[8192], n = 0;
    while ((p[n] = take(m, GFP_NOWAIT | __GFP_NOWARN, 2)) != PFN_NONE) {
        n++;
    }
    struct event_log log = {0};
    watch(m, &log);
    uint64_t a = take(m, GFP_ATOMIC, 2);
    ok(a != PFN_NONE, "an atomic request goes deeper than GFP_NOWAIT");
    const struct event *ev = find_event(&log, EV_HIGHATOMIC_RESERVE);
    ok(ev != NULL, "and a pageblock is reserved for the like");
    is_u64(zone_view(m, normal).highatomic, 1024, "1024 pages");
    is_u64(pageblock_type(m, normal, pfn(a)), MIGRATE_HIGHATOMIC, "its own block");
    unwatch(m);
    give(m, a, 2);
    is_u64(pcp_list_count(m, normal, 0, 2 * MIGRATE_PCPTYPES + M), 1,
           "freed, it goes on the movable per-CPU list");
    /* pressure with direct reclaim gives the reserve back before the OOM killer */
    watch(m, &log);
    uint64_t k;
    while ((k = take(m, GFP_KERNEL, 0)) != PFN_NONE &&
           !find_event(&log, EV_HIGHATOMIC_UNRESERVE)) {
        log.nr = 0;
    }
    ok(find_event(&log, EV_HIGHATOMIC_UNRESERVE) != NULL,
       "a request that fails otherwise dissolves the reserve");
    is_u64(zone_view(m, normal).highatomic, 0, "nothing stays reserved");
    machine_destroy(m);
}

static void tiny_geometries(void)
{
    for (uint32_t max_order = 2; max_order <= 5; max_order++) {
        struct machine_config c = bare_config(8, 0, max_order);
        struct machine *m = boot(&c);
        uint64_t p[16];
        for (uint32_t order = 0; order < max_order; order++) {
            uint64_t n = 0, most = 8 >> order;
            while ((p[n] = take(m, GFP_NOWAIT | __GFP_NOWARN, order)) != PFN_NONE) {
                n++;
            }
            ok(n + 1 >= most && n <= most,
               "MAX_ORDER %u: %u blocks of order %u out of 8 frames", max_order,
               (unsigned)n, order);
            while (n) {
                give(m, p[--n], order);
            }
            run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
            is_u64(listed_free(m, 0), 8, "MAX_ORDER %u: all of it is free again",
                   max_order);
        }
        machine_destroy(m);
    }
}

int main(void)
{
    splits_and_merges();
    tail_placement();
    steals_whole_pageblock();
    steals_free_pages_of_a_block();
    movable_takes_the_smallest();
    boosts_watermarks();
    highatomic();
    tiny_geometries();
    return done_testing();
}
