/* The zoned page allocator: alloc_pages and __free_pages.
 *
 *   alloc_pages
 *     fast path   the zones of the zonelist, each down to its low watermark
 *     slow path   wake kswapd; down to min, into the reserves for those who may; then, for
 *                 those who may sleep, compact, reclaim, retry, OOM
 *   __free_pages  up to order 3 to this CPU's lists, else to the free lists
 *
 * Models mm/page_alloc.c. Compaction and reclaim are seams: they take the kernel's way
 * and free nothing, so a request that needs them fails as the kernel's would if nothing
 * could be freed. Left out: NUMA, memory cgroups, cpusets, dirty limits. Reports that the
 * kernel prints once or rarely (WARN_ON_ONCE, rate limits) are made each time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "fault_inject.h"
#include "hardware.h"
#include "vmstat.h"

enum { GFP_ZONEMASK = __GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE };

/* ---- what the flags ask for ---- */

FAST enum migratetype gfp_migratetype(gfp_t gfp)
{
    return gfp & __GFP_MOVABLE       ? MIGRATE_MOVABLE
           : gfp & __GFP_RECLAIMABLE ? MIGRATE_RECLAIMABLE
                                     : MIGRATE_UNMOVABLE;
}

FAST struct alloc_context prepare_alloc_pages(struct machine *m, gfp_t gfp,
                                              uint32_t order)
{
    fn_enter(&m->probe, FN_prepare_alloc_pages, gfp, order);
    enum zone_type highest = m->mm->gfp_zone[gfp & GFP_ZONEMASK];
    struct alloc_context ac = {highest, gfp_migratetype(gfp), m->mm->first_zone[highest]};
    if ((gfp & __GFP_MOVABLE) && (gfp & __GFP_RECLAIMABLE)) {
        probe(&m->probe, EV_WARN_ALLOC, order, gfp); /* no such type; we take Movable */
    }
    if (gfp & __GFP_DIRECT_RECLAIM) {
        might_sleep(m);
    }
    fn_leave(&m->probe);
    return ac;
}

/* Where Normal has DMA32 below it, spread over both before types mix in a pageblock. */
FAST uint32_t alloc_flags_nofragment(const struct machine *m, uint32_t zone, gfp_t gfp)
{
    uint32_t flags = gfp & __GFP_KSWAPD_RECLAIM;
    if (m->mm->has_dma32 && zone != UINT32_MAX && zone_r(m, zone)->type == ZONE_NORMAL) {
        flags |= ALLOC_NOFRAGMENT;
    }
    return flags;
}

/* ---- taking from a zone ---- */

static uint64_t rmqueue_buddy(struct machine *m, uint32_t zone, uint32_t order,
                              uint32_t alloc_flags, enum migratetype mt)
{
    uint64_t frame;
    bool bad;
    fn_enter(&m->probe, FN_rmqueue_buddy, zone, order, alloc_flags, mt);
    do {
        bad = false;
        frame = PFN_NONE;
        uint32_t flags = zone_lock(m, zone);
        if (alloc_flags & ALLOC_HIGHATOMIC) {
            frame = __rmqueue_smallest(m, zone, order, MIGRATE_HIGHATOMIC);
        }
        if (frame == PFN_NONE) {
            frame = __rmqueue(m, zone, order, mt, alloc_flags);
        }
        /* failing now is worse than failing a high-order atomic request later */
        if (frame == PFN_NONE && (alloc_flags & (ALLOC_OOM | ALLOC_NON_BLOCK))) {
            frame = __rmqueue_smallest(m, zone, order, MIGRATE_HIGHATOMIC);
        }
        if (frame != PFN_NONE) {
            vmstat_add_free(m, zone, -(1 << order));
        }
        zone_unlock(m, zone, flags);
        if (frame != PFN_NONE && m->mm->nr_odd_pages &&
            check_new_pages(m, frame, order)) {
            page_leak(m, frame, order);
            bad = true;
        }
    } while (bad);
    if (frame != PFN_NONE) {
        vmstat_count(m, VME_PGALLOC_DMA + zone_r(m, zone)->type, 1ULL << order);
    }
    fn_leave(&m->probe);
    return frame;
}

FAST uint64_t rmqueue(struct machine *m, uint32_t zone, uint32_t order, gfp_t gfp,
                      uint32_t alloc_flags, enum migratetype mt)
{
    uint64_t frame = PFN_NONE;
    fn_enter(&m->probe, FN_rmqueue, zone, order, alloc_flags, mt);
    if ((gfp & __GFP_NOFAIL) && order > 1) {
        probe(&m->probe, EV_WARN_ALLOC, order, gfp);
    }
    if (order <= PAGE_ALLOC_COSTLY_ORDER && !m->mm->no_pcp) {
        frame = rmqueue_pcplist(m, zone, order, mt, alloc_flags, gfp);
    }
    if (frame == PFN_NONE) {
        frame = rmqueue_buddy(m, zone, order, alloc_flags, mt);
    }
    if (zone_r(m, zone)->flags & ZONE_BOOSTED_WATERMARK) {
        zone_hot(m, zone)->flags &= ~(uint32_t)ZONE_BOOSTED_WATERMARK;
        wakeup_kswapd(m, zone, 0, 0, zone_r(m, zone)->type);
    }
    fn_leave(&m->probe);
    return frame;
}

FAST void prep_new_page(struct machine *m, uint64_t frame, uint32_t order, gfp_t gfp,
                        uint32_t alloc_flags)
{
    struct page *page = page_w(m, frame);
    fn_enter(&m->probe, FN_prep_new_page, frame, order, gfp, alloc_flags);
    if (page->flags & PG_ODD) {
        mm_hot(m)->nr_odd_pages--; /* set_page_refcounted() heals it */
    }
    page->state = USE_ALLOC;
    page->refcount = 1;
    page->flags = (uint8_t)((order && (gfp & __GFP_COMP) ? PG_COMPOUND : 0) |
                            (alloc_flags & ALLOC_NO_WATERMARKS ? PG_PFMEMALLOC : 0));
    page->gfp = gfp;
    page->cpu = m->probe.cpu;
    page->op = (uint32_t)m->mm->nr_ops;
    if (UNLIKELY(gfp & __GFP_ZERO)) {
        hardware_clear_frames(m, frame, 1ULL << order);
        probe(&m->probe, EV_CLEAR_PAGES, frame, order);
    }
    fn_leave(&m->probe);
}

FAST uint64_t walk_zonelist(struct machine *m, gfp_t gfp, uint32_t order,
                            uint32_t alloc_flags, const struct alloc_context *ac)
{
    fn_enter(&m->probe, FN_get_page_from_freelist, gfp, order, alloc_flags);
    uint64_t frame = PFN_NONE;
    while (true) {
        for (uint32_t z = ac->preferred; z < m->mm->nr_zones && frame == PFN_NONE; z--) {
            const struct zone *zone = zone_r(m, z);
            uint64_t mark = zone_wmark(zone, alloc_flags & ALLOC_WMARK_MASK);
            probe(&m->probe, EV_ZONE_TRY, z, order, alloc_flags);
            if (!zone_watermark_fast(m, z, order, mark, ac->highest_zoneidx, alloc_flags,
                                     gfp) &&
                !(alloc_flags & ALLOC_NO_WATERMARKS)) {
                continue;
            }
            frame = rmqueue(m, z, order, gfp, alloc_flags, ac->migratetype);
            if (frame != PFN_NONE) {
                prep_new_page(m, frame, order, gfp, alloc_flags);
                if (alloc_flags & ALLOC_HIGHATOMIC) {
                    reserve_highatomic_pageblock(m, frame, z);
                }
            }
        }
        if (frame != PFN_NONE || !(alloc_flags & ALLOC_NOFRAGMENT)) {
            break;
        }
        alloc_flags &= ~(uint32_t)ALLOC_NOFRAGMENT;
        probe(&m->probe, EV_NO_FRAGMENT_RETRY, order);
    }
    fn_leave(&m->probe);
    return frame;
}

static uint64_t get_page_from_freelist(struct machine *m, gfp_t gfp, uint32_t order,
                                       uint32_t alloc_flags,
                                       const struct alloc_context *ac)
{
    /* the same twice: for a single page, the most frequent request, the compiler
     * leaves out what only blocks need */
    return order ? walk_zonelist(m, gfp, order, alloc_flags, ac)
                 : walk_zonelist(m, gfp, 0, alloc_flags, ac);
}

/* ---- the slow path ---- */

static uint32_t gfp_to_alloc_flags(gfp_t gfp, uint32_t order)
{
    uint32_t flags = WMARK_MIN | ALLOC_CPUSET;
    flags |= gfp & (__GFP_HIGH | __GFP_KSWAPD_RECLAIM);
    if (!(gfp & __GFP_DIRECT_RECLAIM)) {
        if (!(gfp & __GFP_NOMEMALLOC)) {
            flags |= ALLOC_NON_BLOCK;
            if (order > 0 && (flags & ALLOC_MIN_RESERVE)) {
                flags |= ALLOC_HIGHATOMIC;
            }
        }
        if (flags & ALLOC_MIN_RESERVE) {
            flags &= ~(uint32_t)ALLOC_CPUSET;
        }
    }
    return flags;
}

static uint32_t gfp_pfmemalloc_flags(const struct machine *m, gfp_t gfp)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    if (gfp & __GFP_NOMEMALLOC) {
        return 0;
    }
    if (gfp & __GFP_MEMALLOC) {
        return ALLOC_NO_WATERMARKS;
    }
    /* in a hardirq the interrupted task's flag says nothing about us */
    bool serving_softirq = c->preempt_count & SOFTIRQ_OFFSET;
    bool in_interrupt = c->preempt_count & (SOFTIRQ_MASK | HARDIRQ_MASK);
    if (c->memalloc && (serving_softirq || !in_interrupt)) {
        return ALLOC_NO_WATERMARKS;
    }
    return 0;
}

static void wake_all_kswapds(struct machine *m, gfp_t gfp, uint32_t order,
                             const struct alloc_context *ac)
{
    fn_enter(&m->probe, FN_wake_all_kswapds, gfp, order);
    for (uint32_t z = ac->preferred; z < m->mm->nr_zones; z--) {
        if (zone_r(m, z)->managed) {
            wakeup_kswapd(m, z, gfp, order, ac->highest_zoneidx);
            break; /* one node, one kswapd */
        }
    }
    fn_leave(&m->probe);
}

/* try_to_compact_pages moves nothing (COMPACT_SKIPPED), so there is no second try. */
static void direct_compact(struct machine *m, gfp_t gfp, uint32_t order, uint32_t prio)
{
    if (!order) {
        return;
    }
    fn_enter(&m->probe, FN___alloc_pages_direct_compact, gfp, order);
    fn_enter(&m->probe, FN_try_to_compact_pages, gfp, order);
    probe(&m->probe, EV_DIRECT_COMPACT, order, gfp, prio);
    fn_leave(&m->probe);
    fn_leave(&m->probe);
}

/* Frees nothing: then the kernel does not look at the free lists again either. */
static void direct_reclaim(struct machine *m, gfp_t gfp, uint32_t order,
                           const struct alloc_context *ac)
{
    fn_enter(&m->probe, FN___alloc_pages_direct_reclaim, gfp, order);
    fn_enter(&m->probe, FN_try_to_free_pages, gfp, order);
    vmstat_count(m, VME_ALLOCSTALL_DMA + ac->highest_zoneidx, 1);
    probe(&m->probe, EV_RECLAIM_BEGIN, order, gfp);
    probe(&m->probe, EV_RECLAIM_END, 0);
    fn_leave(&m->probe);
    fn_leave(&m->probe);
}

static bool should_reclaim_retry(struct machine *m, gfp_t gfp, uint32_t order,
                                 uint32_t alloc_flags, const struct alloc_context *ac,
                                 uint32_t *no_progress_loops)
{
    bool retry = false;
    ++*no_progress_loops;
    fn_enter(&m->probe, FN_should_reclaim_retry, gfp, order, *no_progress_loops);
    for (uint32_t z = ac->preferred; z < m->mm->nr_zones && !retry; z--) {
        if (*no_progress_loops > MAX_RECLAIM_RETRIES) {
            break;
        }
        const struct zone *zone = zone_r(m, z);
        int64_t free = vmstat_free_snapshot(m, z);
        /* the kernel counts free pages twice where there is nothing to reclaim */
        int64_t available = free + (zone->nr_lru ? (int64_t)zone->nr_lru : free);
        uint64_t min = zone_wmark(zone, WMARK_MIN);
        retry = __zone_watermark_ok(m, z, order, min, ac->highest_zoneidx, alloc_flags,
                                    available);
        probe(&m->probe, EV_RECLAIM_RETRY_ZONE, z, order, available, min,
              *no_progress_loops, retry);
    }
    retry = retry || unreserve_highatomic_pageblock(m, ac, true);
    fn_leave(&m->probe);
    return retry;
}

/* Answers a page, or PFN_NONE; *again: the kernel would go on trying. */
static uint64_t alloc_pages_may_oom(struct machine *m, gfp_t gfp, uint32_t order,
                                    const struct alloc_context *ac, bool *again)
{
    *again = false;
    fn_enter(&m->probe, FN___alloc_pages_may_oom, gfp, order);
    uint64_t frame =
        get_page_from_freelist(m, (gfp | __GFP_HARDWALL) & ~(gfp_t)__GFP_DIRECT_RECLAIM,
                               order, WMARK_HIGH | ALLOC_CPUSET, ac);
    if (frame == PFN_NONE && order <= PAGE_ALLOC_COSTLY_ORDER &&
        !(gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)) &&
        ac->highest_zoneidx >= ZONE_NORMAL) {
        fn_enter(&m->probe, FN_out_of_memory, gfp, order);
        /* a request that may not enter file systems kills nobody, but tries again */
        *again = !(gfp & __GFP_FS);
        if (!*again) {
            probe(&m->probe, EV_OOM, order, gfp);
        }
        fn_leave(&m->probe);
        if (gfp & __GFP_NOFAIL) {
            *again = true;
            frame = get_page_from_freelist(m, gfp, order, ALLOC_NO_WATERMARKS, ac);
        }
    }
    fn_leave(&m->probe);
    return frame;
}

static uint64_t reclaim_and_retry(struct machine *m, gfp_t gfp, uint32_t order,
                                  uint32_t alloc_flags, const struct alloc_context *ac)
{
    const bool costly = order > PAGE_ALLOC_COSTLY_ORDER;
    uint32_t no_progress_loops = 0;
    uint64_t frame;
    bool again;
    while (true) {
        if (alloc_flags & ALLOC_KSWAPD) {
            wake_all_kswapds(m, gfp, order, ac);
        }
        uint32_t reserves = gfp_pfmemalloc_flags(m, gfp);
        if (reserves) {
            alloc_flags = reserves | (alloc_flags & ALLOC_KSWAPD);
            probe(&m->probe, EV_RESERVES_ALLOWED, alloc_flags);
        }
        frame = get_page_from_freelist(m, gfp, order, alloc_flags, ac);
        if (frame != PFN_NONE || !(gfp & __GFP_DIRECT_RECLAIM) ||
            cpu_r(m, m->probe.cpu)->memalloc) {
            return frame;
        }
        direct_reclaim(m, gfp, order, ac);
        direct_compact(m, gfp, order, 1);
        /* compaction helps only those who may start I/O, so only they retry costly
         * ones */
        if ((gfp & __GFP_NORETRY) ||
            (costly && !((gfp & __GFP_IO) && (gfp & __GFP_RETRY_MAYFAIL)))) {
            return PFN_NONE;
        }
        if (should_reclaim_retry(m, gfp, order, alloc_flags, ac, &no_progress_loops)) {
            continue;
        }
        frame = alloc_pages_may_oom(m, gfp, order, ac, &again);
        if (frame == PFN_NONE && again && !(gfp & __GFP_NOFAIL)) {
            probe(&m->probe, EV_NOFAIL_LOOP, order, gfp);
        }
        return frame;
    }
}

static uint64_t alloc_pages_slowpath(struct machine *m, gfp_t gfp, uint32_t order,
                                     struct alloc_context *ac)
{
    const bool can_reclaim = gfp & __GFP_DIRECT_RECLAIM;
    uint64_t frame = PFN_NONE;
    fn_enter(&m->probe, FN___alloc_pages_slowpath, gfp, order);
    if (can_reclaim && (gfp & __GFP_ATOMIC)) {
        probe(&m->probe, EV_WARN_ALLOC, order, gfp);
        gfp &= ~(gfp_t)__GFP_ATOMIC;
    }
    uint32_t alloc_flags = gfp_to_alloc_flags(gfp, order);
    probe(&m->probe, EV_SLOWPATH, order, gfp, alloc_flags);
    if (ac->preferred != UINT32_MAX) {
        if (alloc_flags & ALLOC_KSWAPD) {
            wake_all_kswapds(m, gfp, order, ac);
        }
        frame = get_page_from_freelist(m, gfp, order, alloc_flags, ac);
        bool stop = frame != PFN_NONE;
        if (!stop && can_reclaim && (gfp & __GFP_IO) && !gfp_pfmemalloc_flags(m, gfp) &&
            (order > PAGE_ALLOC_COSTLY_ORDER ||
             (order && ac->migratetype != MIGRATE_MOVABLE))) {
            direct_compact(m, gfp, order, 2);
            stop = order > PAGE_ALLOC_COSTLY_ORDER && (gfp & __GFP_NORETRY);
        }
        if (!stop) {
            frame = reclaim_and_retry(m, gfp, order, alloc_flags, ac);
        }
    }
    if (frame == PFN_NONE && (gfp & __GFP_NOFAIL)) {
        if (can_reclaim) {
            frame = get_page_from_freelist(m, gfp, order, ALLOC_MIN_RESERVE, ac);
        }
        if (frame == PFN_NONE) {
            probe(&m->probe, can_reclaim ? EV_NOFAIL_LOOP : EV_WARN_ALLOC, order, gfp);
        }
    }
    bool no_dma = ac->preferred == UINT32_MAX && (gfp & __GFP_DMA);
    if (frame == PFN_NONE && !(gfp & __GFP_NOWARN) && !no_dma) {
        fn_enter(&m->probe, FN_warn_alloc, gfp, order);
        probe(&m->probe, EV_ALLOC_FAILURE, order, gfp);
        fn_leave(&m->probe);
    }
    fn_leave(&m->probe);
    return frame;
}

FAST uint64_t __alloc_pages(struct machine *m, gfp_t gfp, uint64_t order)
{
    uint64_t frame = PFN_NONE;
    fn_enter(&m->probe, FN___alloc_pages, gfp, order);
    if (order >= m->mm->max_order) {
        if (!(gfp & __GFP_NOWARN)) {
            probe(&m->probe, EV_WARN_ALLOC, order, gfp);
        }
        probe(&m->probe, EV_MM_PAGE_ALLOC_FAIL, order, gfp);
    } else {
        uint32_t o = (uint32_t)order;
        struct alloc_context ac = prepare_alloc_pages(m, gfp, o);
        uint32_t alloc_flags = WMARK_LOW | alloc_flags_nofragment(m, ac.preferred, gfp);
        if (!should_fail_alloc_page(m, gfp, o)) {
            frame = get_page_from_freelist(m, gfp, o, alloc_flags, &ac);
            if (frame == PFN_NONE) {
                frame = alloc_pages_slowpath(m, gfp, o, &ac);
            }
        }
        if (frame != PFN_NONE) {
            probe(&m->probe, EV_MM_PAGE_ALLOC, frame, order, gfp, ac.migratetype);
        } else {
            probe(&m->probe, EV_MM_PAGE_ALLOC_FAIL, order, gfp);
        }
    }
    fn_leave(&m->probe);
    return frame;
}

uint64_t alloc_pages(struct machine *m, gfp_t gfp, uint64_t order)
{
    fn_enter(&m->probe, FN_alloc_pages, gfp, order);
    uint64_t frame = __alloc_pages(m, gfp, order);
    fn_leave(&m->probe);
    return frame;
}

/* The zone that holds nr pages above its low watermark; UINT32_MAX: none. */
static uint32_t bulk_zone(struct machine *m, gfp_t gfp, uint64_t nr,
                          const struct alloc_context *ac)
{
    if (ac->preferred == UINT32_MAX) {
        return UINT32_MAX;
    }
    /* the index of the preferred zone, not of the highest one allowed, as the kernel
     * has it */
    enum zone_type highest = zone_r(m, ac->preferred)->type;
    for (uint32_t z = ac->preferred; z < m->mm->nr_zones; z--) {
        probe(&m->probe, EV_ZONE_TRY, z, 0, WMARK_LOW);
        uint64_t mark = zone_wmark(zone_r(m, z), WMARK_LOW) + nr;
        if (zone_watermark_fast(m, z, 0, mark, highest, WMARK_LOW, gfp)) {
            return z;
        }
    }
    return UINT32_MAX;
}

static uint64_t bulk_from_pcp(struct machine *m, uint32_t zone, gfp_t gfp, uint64_t nr,
                              enum migratetype mt, uint64_t *pages)
{
    uint64_t n = 0;
    if (!pcp_trylock(m, zone)) {
        probe(&m->probe, EV_PCP_TRYLOCK_FAIL, zone);
        return 0;
    }
    while (n < nr) {
        uint64_t frame = __rmqueue_pcplist(m, zone, 0, mt, WMARK_LOW, gfp);
        if (frame == PFN_NONE) {
            break;
        }
        prep_new_page(m, frame, 0, gfp, 0);
        if (pages) {
            pages[n] = frame;
        }
        n++;
    }
    pcp_unlock(m, zone);
    if (n) {
        vmstat_count(m, VME_PGALLOC_DMA + zone_r(m, zone)->type, n);
    }
    return n;
}

uint64_t alloc_pages_bulk(struct machine *m, gfp_t gfp, uint64_t nr)
{
    return alloc_pages_bulk_array(m, gfp, nr, NULL);
}

uint64_t alloc_pages_bulk_array(struct machine *m, gfp_t gfp, uint64_t nr,
                                uint64_t *pages)
{
    uint64_t n = 0;
    fn_enter(&m->probe, FN___alloc_pages_bulk, gfp, nr);
    if (nr > 1 && nr <= INT32_MAX && !m->mm->no_pcp) {
        struct alloc_context ac = prepare_alloc_pages(m, gfp, 0);
        if (should_fail_alloc_page(m, gfp, 0)) {
            fn_leave(&m->probe);
            return 0;
        }
        uint32_t zone = bulk_zone(m, gfp, nr, &ac);
        n = zone == UINT32_MAX ? 0
                               : bulk_from_pcp(m, zone, gfp, nr, ac.migratetype, pages);
    }
    if (!n && nr) {
        uint64_t frame = __alloc_pages(m, gfp, 0);
        n = frame != PFN_NONE;
        if (n && pages) {
            pages[0] = frame;
        }
    }
    fn_leave(&m->probe);
    return n;
}

/* ---- giving back ---- */

FAST void free_the_page(struct machine *m, uint64_t frame, uint32_t order)
{
    struct page *page = page_w(m, frame);
    page->refcount = 0;
    page->gfp = 0;
    page->flags &= PG_ODD;
    page->cpu = m->probe.cpu;
    page->op = (uint32_t)m->mm->nr_ops;
    probe(&m->probe, EV_MM_PAGE_FREE, frame, order);
    if (order <= PAGE_ALLOC_COSTLY_ORDER && !m->mm->no_pcp) {
        free_unref_page(m, frame, order);
    } else {
        uint32_t zone = page_r(m, frame)->zone;
        fn_enter(&m->probe, FN___free_pages_ok, frame, order);
        free_one_page(m, zone, frame, order, pageblock_get(m, zone, frame), false);
        vmstat_count(m, VME_PGFREE, 1ULL << order);
        fn_leave(&m->probe);
    }
}

void free_block(struct machine *m, uint64_t frame, uint32_t order)
{
    free_the_page(m, frame, order);
}

void __free_pages(struct machine *m, uint64_t frame, uint64_t order)
{
    fn_enter(&m->probe, FN___free_pages, frame, order);
    const struct page *page = frame < m->mm->nr_frames ? page_r(m, frame) : NULL;
    if (page && page->state == USE_ALLOC && page->order == order && page->refcount == 1 &&
        !(page->flags & (PG_LRU | PG_SLAB | PG_KEPT)) && !m->mm->nr_odd_pages) {
        if (order) {
            free_block(m, frame, (uint32_t)order);
        } else {
            free_the_page(m, frame, 0);
        }
    } else {
        free_misused(m, frame, order);
    }
    fn_leave(&m->probe);
}

static void free_boot_block(struct machine *m, uint64_t frame, uint32_t order, bool tail)
{
    uint32_t zone = zone_of(m, frame);
    zone_w(m, zone)->managed += 1ULL << order;
    page_set(page_w(m, frame), USE_ALLOC, order, MIGRATE_UNMOVABLE, zone);
    free_one_page(m, zone, frame, order, pageblock_get(m, zone, frame), tail);
    vmstat_count(m, VME_PGFREE, 1ULL << order);
}

void free_pages_core(struct machine *m, pfn_t first, uint32_t order)
{
    free_boot_block(m, first.v, order, true);
}

void free_highmem_block(struct machine *m, pfn_t first, uint32_t order)
{
    free_boot_block(m, first.v, order, false);
}

void split_page(struct machine *m, uint64_t frame, uint64_t order)
{
    fn_enter(&m->probe, FN_split_page, frame, order);
    const struct page *head = frame < m->mm->nr_frames ? page_r(m, frame) : NULL;
    enum bad_reason why = !head ? BAD_WILD
                          : head->state != USE_ALLOC || head->refcount < 1
                              ? BAD_NOT_ALLOCATED
                          : head->flags & PG_COMPOUND ? BAD_COMPOUND
                          : head->order > order       ? BAD_LOW_ORDER
                          : head->order < order       ? BAD_HIGH_ORDER
                                                      : BAD_NONE;
    if (why) {
        probe(&m->probe, EV_BAD_CALL, OP_SPLIT_PAGE, frame, why);
    } else {
        struct page *first = page_w(m, frame);
        first->order = 0;
        for (uint64_t i = 1; i < 1ULL << order; i++) {
            struct page *page = page_w(m, frame + i);
            if (page->flags & PG_ODD) {
                mm_hot(m)->nr_odd_pages--;
            }
            *page = *first;
            page->refcount = 1;
        }
        probe(&m->probe, EV_SPLIT_PAGE, frame, order);
    }
    fn_leave(&m->probe);
}

void lru_mark(struct machine *m, uint64_t frame, bool on)
{
    uint64_t head = frame < m->mm->nr_frames ? page_block(m, frame) : PFN_NONE;
    const struct page *page = head == PFN_NONE ? NULL : page_r(m, head);
    if (!page || page->state != USE_ALLOC || !(page->flags & PG_LRU) != on) {
        enum bad_reason why = frame >= m->mm->nr_frames ? BAD_WILD : BAD_NOT_ALLOCATED;
        probe(&m->probe, EV_BAD_CALL, on ? OP_LRU_ADD : OP_LRU_DEL, frame,
              page && page->state == USE_ALLOC ? BAD_UNBALANCED : why);
        return;
    }
    struct page *w = page_w(m, head);
    w->flags = on ? w->flags | PG_LRU : (uint8_t)(w->flags & ~PG_LRU);
    struct zone *z = zone_hot(m, w->zone);
    z->nr_lru = on ? z->nr_lru + (1ULL << w->order) : z->nr_lru - (1ULL << w->order);
    probe(&m->probe, EV_LRU_CHANGE, w->zone, head, on, z->nr_lru);
}
