/* Watermark tests: has a zone enough free pages for this request? And waking kswapd.
 *
 *   free pages - what cannot be used (1 << order) - 1, HighAtomic reserve
 *     must exceed
 *   mark, lowered for those who may use reserves + lowmem_reserve[highest zone allowed]
 *     and for order > 0 one block that is big enough has to be free
 *
 * Models mm/page_alloc.c (__zone_watermark_ok, zone_watermark_fast) and mm/vmscan.c
 * (wakeup_kswapd, pgdat_balanced).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "vmstat.h"

static int64_t unusable_free(const struct zone *z, uint32_t order, uint32_t alloc_flags)
{
    int64_t unusable = ((int64_t)1 << order) - 1;
    if (!(alloc_flags & ALLOC_RESERVES)) {
        unusable += (int64_t)z->nr_reserved_highatomic;
    }
    return unusable;
}

/* The mark after what this request may take of the reserve. */
static int64_t lowered_mark(int64_t min, uint32_t alloc_flags)
{
    if (alloc_flags & ALLOC_MIN_RESERVE) {
        min -= min / 2;
        if (alloc_flags & ALLOC_NON_BLOCK) {
            min -= min / 4;
        }
    }
    if (alloc_flags & ALLOC_OOM) {
        min -= min / 2;
    }
    return min;
}

static bool has_block(const struct machine *m, uint32_t zone, uint32_t order,
                      uint32_t alloc_flags)
{
    const struct zone *z = zone_r(m, zone);
    for (uint32_t o = order; o < m->mm->max_order; o++) {
        if (!z->nr_free[o]) {
            continue;
        }
        for (uint32_t mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
            if (!list_empty(m, freelist_head(zone, o, mt))) {
                return true;
            }
        }
        if ((alloc_flags & (ALLOC_HIGHATOMIC | ALLOC_OOM)) &&
            !list_empty(m, freelist_head(zone, o, MIGRATE_HIGHATOMIC))) {
            return true;
        }
    }
    return false;
}

static bool pages_suffice(const struct zone *z, uint32_t order, uint64_t mark,
                          enum zone_type highest, uint32_t alloc_flags, int64_t free)
{
    return free - unusable_free(z, order, alloc_flags) >
           lowered_mark((int64_t)mark, alloc_flags) + (int64_t)z->lowmem_reserve[highest];
}

bool __zone_watermark_ok(const struct machine *m, uint32_t zone, uint32_t order,
                         uint64_t mark, enum zone_type highest, uint32_t alloc_flags,
                         int64_t free_pages)
{
    return pages_suffice(zone_r(m, zone), order, mark, highest, alloc_flags,
                         free_pages) &&
           (!order || has_block(m, zone, order, alloc_flags));
}

/* __zone_watermark_ok with its events. */
static bool watermark_test(struct machine *m, uint32_t zone, uint32_t order,
                           uint64_t mark, enum zone_type highest, uint32_t alloc_flags)
{
    const struct zone *z = zone_r(m, zone);
    int64_t free = vmstat_free(m, zone);
    bool ok = pages_suffice(z, order, mark, highest, alloc_flags, free);
    probe(&m->probe, EV_WATERMARK_TEST, zone, order,
          lowered_mark((int64_t)mark, alloc_flags),
          free - unusable_free(z, order, alloc_flags), z->lowmem_reserve[highest], ok);
    if (ok && order && !has_block(m, zone, order, alloc_flags)) {
        probe(&m->probe, EV_WATERMARK_NO_BLOCK, zone, order, free);
        return false;
    }
    return ok;
}

/* For order 0 the kernel first tests without the reserves, which is cheaper and cannot
 * pass where the full test fails. */
static bool order0_passes(const struct zone *z, uint64_t mark, enum zone_type highest,
                          uint32_t alloc_flags, int64_t free)
{
    int64_t reserved = unusable_free(z, 0, alloc_flags);
    int64_t usable = free - (free < reserved ? free : reserved);
    return (uint64_t)usable > mark + z->lowmem_reserve[highest];
}

FAST bool zone_watermark_fast(struct machine *m, uint32_t zone, uint32_t order,
                              uint64_t mark, enum zone_type highest, uint32_t alloc_flags,
                              gfp_t gfp)
{
    const struct zone *z = zone_r(m, zone);
    fn_enter(&m->probe, FN_zone_watermark_fast, zone, order, mark, alloc_flags);
    int64_t free = vmstat_free(m, zone);
    bool ok = false;
    if (!order && order0_passes(z, mark, highest, alloc_flags, free)) {
        ok = true;
        probe(&m->probe, EV_WATERMARK_TEST, zone, order, mark,
              free - unusable_free(z, 0, alloc_flags), z->lowmem_reserve[highest], ok);
    } else {
        ok = watermark_test(m, zone, order, mark, highest, alloc_flags);
    }
    /* the boost is kswapd's business: an atomic single page may ignore it */
    if (!ok && !order && (gfp & __GFP_ATOMIC) && z->watermark_boost &&
        (alloc_flags & ALLOC_WMARK_MASK) == WMARK_MIN) {
        ok = watermark_test(m, zone, 0, z->watermark[WMARK_MIN], highest, alloc_flags);
    }
    fn_leave(&m->probe);
    return ok;
}

/* zone_watermark_ok_safe: where the counter may lie by more than min and low are apart,
 * count exactly. */
static bool watermark_ok_safe(const struct machine *m, uint32_t zone, uint32_t order,
                              uint64_t mark, enum zone_type highest)
{
    const struct zone *z = zone_r(m, zone);
    int64_t free = vmstat_free(m, zone);
    if (z->percpu_drift_mark && free < (int64_t)z->percpu_drift_mark) {
        free = vmstat_free_snapshot(m, zone);
    }
    return __zone_watermark_ok(m, zone, order, mark, highest, 0, free);
}

static bool balanced(const struct machine *m, uint32_t order, enum zone_type highest)
{
    bool any = false, ok = false, boosted = false;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        const struct zone *zone = zone_r(m, z);
        if (zone->type > highest || !zone->managed) {
            continue;
        }
        any = true;
        boosted = boosted || zone->watermark_boost;
        ok = ok || watermark_ok_safe(m, z, order, zone_wmark(zone, WMARK_HIGH), highest);
    }
    return (!any || ok) && !boosted;
}

void wakeup_kswapd(struct machine *m, uint32_t zone, gfp_t gfp, uint32_t order,
                   enum zone_type highest)
{
    if (!zone_r(m, zone)->managed) {
        return;
    }
    fn_enter(&m->probe, FN_wakeup_kswapd, zone, gfp, order);
    struct mm *mm = mm_hot(m);
    if (mm->kswapd_highest_zoneidx == MAX_NR_ZONES ||
        mm->kswapd_highest_zoneidx < highest) {
        mm->kswapd_highest_zoneidx = highest;
    }
    if (mm->kswapd_order < order) {
        mm->kswapd_order = order;
    }
    if (mm->kswapd_awake || balanced(m, order, highest)) {
        probe(&m->probe, EV_KSWAPD_NOT_WOKEN, zone, order, mm->kswapd_awake);
    } else {
        mm->kswapd_awake = 1;
        probe(&m->probe, EV_KSWAPD_WAKE, 0, zone, order, gfp);
    }
    fn_leave(&m->probe);
}
