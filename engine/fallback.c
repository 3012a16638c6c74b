/* When a migratetype has run out: stealing from another, boosting watermarks, and the
 * HighAtomic reserve.
 *
 * Pageblocks keep pages that can move apart from pages that cannot, so that big blocks
 * can be put together again. A request that finds nothing of its own type takes the
 * largest block of another, and with it, if it pays, the other free pages of its
 * pageblock or the pageblock itself.
 *
 * Models mm/page_alloc.c: __rmqueue, __rmqueue_fallback, find_suitable_fallback,
 * steal_suitable_fallback, move_freepages, boost_watermark, *_highatomic_pageblock.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "context.h"

/* Whom to take from, in this order. */
static const enum migratetype fallbacks[MIGRATE_PCPTYPES][2] = {
    [MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
    [MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
    [MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
};

static void set_pageblock_migratetype(struct machine *m, uint32_t zone, uint64_t frame,
                                      enum migratetype mt)
{
    enum migratetype was = pageblock_get(m, zone, frame);
    pageblock_set(m, zone, frame, mt);
    if (was != mt) {
        probe(&m->probe, EV_PAGEBLOCK_TYPE, zone, frame, was, mt);
    }
}

static bool can_steal_fallback(const struct machine *m, uint32_t order,
                               enum migratetype start_mt)
{
    return order >= m->mm->pageblock_order || order >= m->mm->pageblock_order / 2 ||
           start_mt == MIGRATE_RECLAIMABLE || start_mt == MIGRATE_UNMOVABLE;
}

/* A type that has a free block of exactly this order; MIGRATE_TYPES: none. */
static enum migratetype find_suitable_fallback(const struct machine *m, uint32_t zone,
                                               uint32_t order, enum migratetype mt,
                                               bool *can_steal)
{
    *can_steal = false;
    if (!zone_r(m, zone)->nr_free[order]) {
        return MIGRATE_TYPES;
    }
    for (int i = 0; i < 2; i++) {
        enum migratetype other = fallbacks[mt][i];
        if (!list_empty(m, freelist_head(zone, order, other))) {
            *can_steal = can_steal_fallback(m, order, mt);
            return other;
        }
    }
    return MIGRATE_TYPES;
}

/* Walks the range as the kernel does, but by blocks: the tails of an allocated block are
 * neither free nor on the LRU. */
static uint64_t move_freepages(struct machine *m, uint32_t zone, uint64_t start,
                               uint64_t end, enum migratetype mt, uint64_t *nr_movable)
{
    uint64_t moved = 0;
    for (uint64_t frame = start; frame < end;) {
        const struct page *page = page_r(m, frame);
        uint32_t order = page->state == USE_NONE ? 0 : page->order;
        if (page->state == USE_BUDDY && !(page->flags & PG_UNBUDDY)) {
            move_to_free_list(m, zone, frame, order, mt);
            moved += 1ULL << order;
        } else if (page->flags & PG_LRU) {
            ++*nr_movable;
        }
        frame += 1ULL << order;
    }
    return moved;
}

static uint64_t move_freepages_block(struct machine *m, uint32_t zone, uint64_t frame,
                                     enum migratetype mt, uint64_t *nr_movable)
{
    uint64_t start = frame & ~(pageblock_nr_pages(m) - 1), moved = 0;
    uint64_t end = start + pageblock_nr_pages(m);
    fn_enter(&m->probe, FN_move_freepages_block, zone, frame, mt);
    *nr_movable = 0;
    if (!zone_spans_pfn(zone_r(m, zone), start)) {
        start = frame;
    }
    if (zone_spans_pfn(zone_r(m, zone), end - 1)) {
        moved = move_freepages(m, zone, start, end, mt, nr_movable);
    }
    probe(&m->probe, EV_MOVE_FREEPAGES, zone, frame, mt, moved, *nr_movable);
    fn_leave(&m->probe);
    return moved;
}

static bool boost_watermark(struct machine *m, uint32_t zone)
{
    const struct zone *z = zone_r(m, zone);
    uint64_t block = pageblock_nr_pages(m), high = z->watermark[WMARK_HIGH];
    if (block * 4 > z->managed) {
        return false;
    }
    uint64_t max = high / 10000 * WATERMARK_BOOST_FACTOR +
                   high % 10000 * WATERMARK_BOOST_FACTOR / 10000;
    if (!max) {
        return false;
    }
    max = max > block ? max : block;
    uint64_t boost = z->watermark_boost + block;
    zone_hot(m, zone)->watermark_boost = boost < max ? boost : max;
    fn_enter(&m->probe, FN_boost_watermark, zone);
    probe(&m->probe, EV_WATERMARK_BOOST, zone, z->watermark_boost, max);
    fn_leave(&m->probe);
    return true;
}

static void move_single(struct machine *m, uint32_t zone, uint64_t frame,
                        enum migratetype mt)
{
    uint32_t order = page_r(m, frame)->order;
    move_to_free_list(m, zone, frame, order, mt);
    probe(&m->probe, EV_MOVE_ONE, zone, frame, order, mt);
}

/* Take the free pages of the block's pageblock too; the pageblock itself becomes ours
 * when half of it is free or used by requests like ours. False: nothing was moved. */
static bool steal_whole_block(struct machine *m, uint32_t zone, uint64_t frame,
                              enum migratetype start_type, enum migratetype old_type)
{
    uint64_t movable, alike = 0;
    uint64_t free = move_freepages_block(m, zone, frame, start_type, &movable);
    if (start_type == MIGRATE_MOVABLE) {
        alike = movable;
    } else if (old_type == MIGRATE_MOVABLE) {
        alike = pageblock_nr_pages(m) - (free + movable);
    }
    /* a page that bad_page() took its mark from does not move with the others: alone it
     * does, or the caller would find it here for ever */
    if (!free || page_r(m, frame)->flags & PG_UNBUDDY) {
        return false;
    }
    uint64_t needed = pageblock_nr_pages(m) / 2;
    if (free + alike >= needed) {
        set_pageblock_migratetype(m, zone, frame, start_type);
    } else {
        probe(&m->probe, EV_PAGEBLOCK_KEPT, zone, frame, old_type, free + alike, needed);
    }
    return true;
}

static void steal_suitable_fallback(struct machine *m, uint32_t zone, uint64_t frame,
                                    uint32_t alloc_flags, enum migratetype start_type,
                                    bool whole_block)
{
    enum migratetype old_type = pageblock_get(m, zone, frame);
    uint32_t order = page_r(m, frame)->order;
    fn_enter(&m->probe, FN_steal_suitable_fallback, zone, frame, start_type, whole_block);
    if (old_type == MIGRATE_HIGHATOMIC) {
        move_single(m, zone, frame, start_type);
    } else if (order >= m->mm->pageblock_order) {
        uint64_t n = 1ULL << (order - m->mm->pageblock_order);
        for (uint64_t i = 0; i < n; i++) {
            set_pageblock_migratetype(m, zone, frame + (i << m->mm->pageblock_order),
                                      start_type);
        }
        move_single(m, zone, frame, start_type);
    } else {
        if (boost_watermark(m, zone) && (alloc_flags & ALLOC_KSWAPD)) {
            zone_hot(m, zone)->flags |= ZONE_BOOSTED_WATERMARK;
        }
        if (!whole_block || !steal_whole_block(m, zone, frame, start_type, old_type)) {
            move_single(m, zone, frame, start_type);
        }
    }
    fn_leave(&m->probe);
}

/* Put a block of another type on our lists. False: no other type has one either. */
static bool rmqueue_fallback(struct machine *m, uint32_t zone, uint32_t order,
                             enum migratetype mt, uint32_t alloc_flags)
{
    uint32_t max_order = m->mm->max_order, min = order, o = max_order;
    enum migratetype from = MIGRATE_TYPES;
    bool can_steal = false;
    if (order < m->mm->pageblock_order && (alloc_flags & ALLOC_NOFRAGMENT)) {
        min = m->mm->pageblock_order;
    }
    /* the largest block first: it stands for the pageblock with the most free pages */
    while (o > min && from == MIGRATE_TYPES) {
        from = find_suitable_fallback(m, zone, --o, mt, &can_steal);
    }
    if (from == MIGRATE_TYPES) {
        return false;
    }
    /* a movable request does no lasting harm: it takes the smallest that will do */
    if (!can_steal && mt == MIGRATE_MOVABLE && o > order) {
        from = MIGRATE_TYPES;
        for (o = order; o < max_order; o++) {
            from = find_suitable_fallback(m, zone, o, mt, &can_steal);
            if (from != MIGRATE_TYPES) {
                break;
            }
        }
    }
    uint64_t frame = list_first(m, freelist_head(zone, o, from));
    steal_suitable_fallback(m, zone, frame, alloc_flags, mt, can_steal);
    probe(&m->probe, EV_MM_PAGE_ALLOC_EXTFRAG, frame, order, o, mt, from,
          pageblock_get(m, zone, frame) == mt);
    return true;
}

uint64_t __rmqueue(struct machine *m, uint32_t zone, uint32_t order, enum migratetype mt,
                   uint32_t alloc_flags)
{
    fn_enter(&m->probe, FN___rmqueue, zone, order, mt, alloc_flags);
    uint64_t frame = __rmqueue_smallest(m, zone, order, mt);
    while (frame == PFN_NONE) {
        probe(&m->probe, EV_BUDDY_NONE, zone, order, mt);
        fn_enter(&m->probe, FN___rmqueue_fallback, zone, order, mt, alloc_flags);
        bool found = rmqueue_fallback(m, zone, order, mt, alloc_flags);
        fn_leave(&m->probe);
        if (!found) {
            break;
        }
        frame = __rmqueue_smallest(m, zone, order, mt);
    }
    fn_leave(&m->probe);
    return frame;
}

void reserve_highatomic_pageblock(struct machine *m, uint64_t frame, uint32_t zone)
{
    const struct zone *z = zone_r(m, zone);
    uint64_t max = z->managed / 100 + pageblock_nr_pages(m), movable;
    if (z->nr_reserved_highatomic >= max) {
        return;
    }
    fn_enter(&m->probe, FN_reserve_highatomic_pageblock, zone, frame);
    uint32_t flags = zone_lock(m, zone);
    if (migratetype_is_mergeable(pageblock_get(m, zone, frame))) {
        zone_hot(m, zone)->nr_reserved_highatomic += pageblock_nr_pages(m);
        set_pageblock_migratetype(m, zone, frame, MIGRATE_HIGHATOMIC);
        move_freepages_block(m, zone, frame, MIGRATE_HIGHATOMIC, &movable);
        probe(&m->probe, EV_HIGHATOMIC_RESERVE, zone, frame, z->nr_reserved_highatomic,
              max);
    }
    zone_unlock(m, zone, flags);
    fn_leave(&m->probe);
}

static bool unreserve_in_zone(struct machine *m, uint32_t zone, enum migratetype mt)
{
    for (uint32_t o = 0; o < m->mm->max_order; o++) {
        uint32_t head = freelist_head(zone, o, MIGRATE_HIGHATOMIC);
        if (list_empty(m, head)) {
            continue;
        }
        uint64_t frame = list_first(m, head), block = pageblock_nr_pages(m), movable;
        if (pageblock_get(m, zone, frame) == MIGRATE_HIGHATOMIC) {
            struct zone *z = zone_hot(m, zone);
            uint64_t had = z->nr_reserved_highatomic;
            z->nr_reserved_highatomic -= had < block ? had : block;
        }
        set_pageblock_migratetype(m, zone, frame, mt);
        uint64_t moved = move_freepages_block(m, zone, frame, mt, &movable);
        probe(&m->probe, EV_HIGHATOMIC_UNRESERVE, zone, frame,
              zone_r(m, zone)->nr_reserved_highatomic, mt);
        if (moved) {
            return true;
        }
    }
    return false;
}

bool unreserve_highatomic_pageblock(struct machine *m, const struct alloc_context *ac,
                                    bool force)
{
    bool done = false;
    fn_enter(&m->probe, FN_unreserve_highatomic_pageblock, force);
    for (uint32_t z = m->mm->nr_zones; z-- > 0 && !done;) {
        if (zone_r(m, z)->type > ac->highest_zoneidx ||
            (!force && zone_r(m, z)->nr_reserved_highatomic <= pageblock_nr_pages(m))) {
            continue;
        }
        uint32_t flags = zone_lock(m, z);
        done = unreserve_in_zone(m, z, ac->migratetype);
        zone_unlock(m, z, flags);
    }
    fn_leave(&m->probe);
    return done;
}
