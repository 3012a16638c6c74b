/* Per-CPU page lists: blocks of order 0 to 3 that a CPU takes and gives without
 * zone->lock.
 *
 *   list   order * 3 + migratetype         head: hot, last freed       tail: cold
 *
 * An empty list is refilled with `batch` blocks (fewer for higher orders). When the lists
 * of a zone hold `high` pages, some go back: batch, doubled with every time that the CPU
 * frees without allocating in between (free_factor), from the lists' tails in turn.
 *
 * The lists' lock is only tried: when an interrupt comes while it is held, the handler's
 * request goes to the free lists directly.
 *
 * Models mm/page_alloc.c: rmqueue_pcplist, rmqueue_bulk, free_unref_page,
 * free_pcppages_bulk, nr_pcp_free, nr_pcp_high, drain_*; CONFIG_DEBUG_VM off: pages are
 * checked when they leave the free lists for these lists, and when they go back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "context.h"
#include "inspect.h"
#include "vmstat.h"

static void rmqueue_bulk(struct machine *m, uint32_t zone, uint32_t order, uint32_t count,
                         enum migratetype mt, uint32_t alloc_flags)
{
    uint32_t cpu = m->probe.cpu, list = order_to_pindex(mt, order);
    uint32_t head = pcp_head(zone, cpu, list), taken = 0, added = 0;
    fn_enter(&m->probe, FN_rmqueue_bulk, zone, order, count, mt);
    uint32_t flags = zone_lock(m, zone);
    for (; taken < count; taken++) {
        uint64_t frame = __rmqueue(m, zone, order, mt, alloc_flags);
        if (frame == PFN_NONE) {
            break;
        }
        if (m->mm->nr_odd_pages && check_new_pages(m, frame, order)) {
            page_leak(m, frame, order);
            continue;
        }
        struct page *page = page_w(m, frame);
        page->state = USE_PCP;
        page->cpu = (uint8_t)cpu;
        list_add_tail(m, head, (uint32_t)frame, page);
        added++;
    }
    vmstat_add_free(m, zone, -(int32_t)(taken << order));
    zone_unlock(m, zone, flags);
    struct pcp *pcp = pcp_hot(m, zone);
    pcp->count += (int32_t)(added << order);
    probe(&m->probe, EV_PCP_REFILL, zone, list, added, pcp->count);
    fn_leave(&m->probe);
}

/* With the lists locked: a page of list mt, refilled when empty; PFN_NONE: none. */
FAST uint64_t __rmqueue_pcplist(struct machine *m, uint32_t zone, uint32_t order,
                                enum migratetype mt, uint32_t alloc_flags, gfp_t gfp)
{
    uint32_t cpu = m->probe.cpu, list = order_to_pindex(mt, order);
    uint32_t head = pcp_head(zone, cpu, list);
    uint64_t frame = PFN_NONE;
    fn_enter(&m->probe, FN___rmqueue_pcplist, zone, order, mt);
    if (list_empty(m, head)) {
        uint32_t batch = (uint32_t)pcp_hot(m, zone)->batch;
        if (batch > 1) {
            batch = batch >> order > 2 ? batch >> order : 2;
        }
        probe(&m->probe, EV_PCP_EMPTY, zone, list, batch);
        rmqueue_bulk(m, zone, order, batch, mt, alloc_flags);
    }
    if (!list_empty(m, head)) {
        bool cold = m->mm->pcp_cold && (gfp & __GFP_COLD);
        frame = cold ? list_last(m, head) : list_first(m, head);
        struct page *page = page_w(m, frame);
        list_del(m, head, page);
        page->state = USE_ALLOC;
        struct pcp *pcp = pcp_hot(m, zone);
        pcp->count -= 1 << order;
        probe(&m->probe, cold ? EV_PCP_TAKE_COLD : EV_PCP_TAKE, zone, list, frame,
              pcp->count);
    }
    fn_leave(&m->probe);
    return frame;
}

FAST uint64_t rmqueue_pcplist(struct machine *m, uint32_t zone, uint32_t order,
                              enum migratetype mt, uint32_t alloc_flags, gfp_t gfp)
{
    uint64_t frame = PFN_NONE;
    fn_enter(&m->probe, FN_rmqueue_pcplist, zone, order, mt);
    if (!pcp_trylock(m, zone)) {
        probe(&m->probe, EV_PCP_TRYLOCK_FAIL, zone);
    } else {
        pcp_hot(m, zone)->free_factor >>= 1;
        frame = __rmqueue_pcplist(m, zone, order, mt, alloc_flags, gfp);
        pcp_unlock(m, zone);
    }
    if (frame != PFN_NONE) {
        vmstat_count(m, VME_PGALLOC_DMA + zone_r(m, zone)->type, 1ULL << order);
    }
    fn_leave(&m->probe);
    return frame;
}

/* Give count pages of a CPU's lists back, beginning with list pindex. */
static void free_pcppages_bulk(struct machine *m, uint32_t zone, uint32_t cpu,
                               int32_t count, int32_t pindex)
{
    int32_t min = 0, max = NR_PCP_LISTS - 1, had = pcp_r(m, zone, cpu)->count;
    count = count < had ? count : had;
    fn_enter(&m->probe, FN_free_pcppages_bulk, zone, count, pindex);
    probe(&m->probe, EV_PCP_DRAIN, zone, cpu, count, had,
          pcp_r(m, zone, cpu)->free_factor);
    pindex--;
    uint32_t flags = zone_lock(m, zone);
    while (count > 0) {
        uint32_t head;
        /* the next list in turn that is not empty */
        while (true) {
            if (++pindex > max) {
                pindex = min;
            }
            head = pcp_head(zone, cpu, (uint32_t)pindex);
            if (!list_empty(m, head)) {
                break;
            }
            max -= pindex == max;
            min += pindex == min;
        }
        uint32_t order = (uint32_t)pindex / MIGRATE_PCPTYPES;
        do {
            uint64_t frame = list_last(m, head);
            struct page *page = page_w(m, frame);
            list_del(m, head, page);
            page->state = USE_ALLOC;
            count -= 1 << order;
            pcp_w(m, zone, cpu)->count -= 1 << order;
            if (m->mm->nr_odd_pages && free_page_is_bad(m, frame)) {
                page_leak(m, frame, order);
                continue;
            }
            enum migratetype mt = page->type;
            __free_one_page(m, zone, frame, order, mt, false);
            probe(&m->probe, EV_MM_PAGE_PCPU_DRAIN, frame, order, mt);
        } while (count > 0 && !list_empty(m, head));
    }
    zone_unlock(m, zone, flags);
    fn_leave(&m->probe);
}

static int32_t nr_pcp_free(struct machine *m, uint32_t zone, int32_t high, bool free_high)
{
    const struct pcp *pcp = pcp_r(m, zone, m->probe.cpu);
    int32_t batch = pcp->batch, min = batch, max = high - batch;
    if (free_high) {
        return pcp->count;
    }
    if (high < batch) {
        return 1;
    }
    batch <<= pcp->free_factor;
    if (batch < max && pcp->free_factor < PCP_BATCH_SCALE_MAX) {
        pcp_hot(m, zone)->free_factor++;
    }
    return batch < min ? min : batch > max ? max : batch;
}

FAST int32_t nr_pcp_high(const struct machine *m, uint32_t zone, bool free_high)
{
    const struct pcp *pcp = pcp_r(m, zone, m->probe.cpu);
    if (!pcp->high || free_high) {
        return 0;
    }
    if (!(zone_r(m, zone)->flags & ZONE_RECLAIM_ACTIVE)) {
        return pcp->high;
    }
    return pcp->batch << 2 < pcp->high ? pcp->batch << 2 : pcp->high;
}

FAST void free_unref_page_commit(struct machine *m, uint32_t zone, uint64_t frame,
                                 enum migratetype mt, uint32_t order)
{
    /* the lists know no HighAtomic pages: these go with the movable ones */
    enum migratetype pcp_mt = mt < MIGRATE_PCPTYPES ? mt : MIGRATE_MOVABLE;
    uint32_t cpu = m->probe.cpu, list = order_to_pindex(pcp_mt, order);
    fn_enter(&m->probe, FN_free_unref_page_commit, zone, frame, mt, order);
    vmstat_count(m, VME_PGFREE, 1ULL << order);
    struct page *page = page_w(m, frame);
    page->state = USE_PCP;
    page->type = (uint8_t)mt;
    page->cpu = (uint8_t)cpu;
    list_add(m, pcp_head(zone, cpu, list), (uint32_t)frame, page);
    struct pcp *pcp = pcp_hot(m, zone);
    pcp->count += 1 << order;
    /* Freeing high orders without allocating would only fragment: give all back. */
    bool free_high = pcp->free_factor && order;
    int32_t high = nr_pcp_high(m, zone, free_high);
    probe(&m->probe, EV_PCP_ADD, zone, list, frame, pcp->count, high);
    if (pcp->count >= high) {
        free_pcppages_bulk(m, zone, cpu, nr_pcp_free(m, zone, high, free_high),
                           (int32_t)list);
    }
    fn_leave(&m->probe);
}

FAST void free_unref_page(struct machine *m, uint64_t frame, uint32_t order)
{
    uint32_t zone = page_r(m, frame)->zone;
    enum migratetype mt = pageblock_get(m, zone, frame);
    fn_enter(&m->probe, FN_free_unref_page, frame, order);
    if (mt == MIGRATE_ISOLATE) {
        free_one_page(m, zone, frame, order, mt, false);
    } else if (pcp_trylock(m, zone)) {
        free_unref_page_commit(m, zone, frame, mt, order);
        pcp_unlock(m, zone);
    } else {
        probe(&m->probe, EV_PCP_TRYLOCK_FAIL, zone);
        free_one_page(m, zone, frame, order, mt, false);
    }
    fn_leave(&m->probe);
}

static void drain_pages_zone(struct machine *m, uint32_t zone, uint32_t cpu)
{
    fn_enter(&m->probe, FN_drain_pages_zone, zone, cpu);
    while (pcp_r(m, zone, cpu)->count) {
        int32_t count = pcp_r(m, zone, cpu)->count;
        int32_t step = pcp_r(m, zone, cpu)->batch << PCP_BATCH_SCALE_MAX;
        /* taken for good, not tried: whoever we interrupted never lets it go */
        if (pcp_r(m, zone, cpu)->locked) {
            probe(&m->probe, EV_LOCK_RECURSION, m->probe.cpu, LOCK_PCP(zone, cpu), cpu);
            break;
        }
        pcp_w(m, zone, cpu)->locked = 1;
        cpu_hot(m)->preempt_count += PREEMPT_OFFSET;
        free_pcppages_bulk(m, zone, cpu, step < count ? step : count, 0);
        cpu_hot(m)->preempt_count -= PREEMPT_OFFSET;
        pcp_w(m, zone, cpu)->locked = 0;
    }
    fn_leave(&m->probe);
}

static void drain_pages(struct machine *m, uint32_t cpu)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        drain_pages_zone(m, z, cpu);
    }
}

void drain_local_pages(struct machine *m)
{
    fn_enter(&m->probe, FN_drain_local_pages, m->probe.cpu);
    drain_pages(m, m->probe.cpu);
    fn_leave(&m->probe);
}

void drain_all_pages(struct machine *m)
{
    fn_enter(&m->probe, FN_drain_all_pages);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        drain_pages(m, cpu);
    }
    fn_leave(&m->probe);
}

static const char *check_pcp_list(const struct machine *m, uint32_t zone, uint32_t cpu,
                                  uint32_t list, int64_t *pages)
{
    uint32_t head = pcp_head(zone, cpu, list), n = 0, prev = head;
    uint32_t order = list / MIGRATE_PCPTYPES;
    for (uint32_t id = list_first(m, head); id != head; id = node_at(m, id)->next) {
        if (node_is_head(id) || id >= m->mm->nr_frames) {
            return "pcp: a list leads out of the frame table";
        }
        const struct page *page = node_at(m, id);
        if (page->prev != prev || n++ > m->mm->nr_frames) {
            return "pcp: a list's links do not agree";
        }
        if (page->state != USE_PCP || page->order != order || page->cpu != cpu) {
            return "pcp: a page on a list is not marked as on that list";
        }
        for (uint32_t o = order; o < m->mm->max_order; o++) {
            uint64_t above = id & ~((1ULL << o) - 1);
            const struct page *p = page_r(m, above);
            if (above != id && p->state != USE_NONE && above + (1ULL << p->order) > id) {
                return "pcp: a page on a list lies inside of another block";
            }
        }
        prev = id;
        *pages += 1LL << order;
    }
    return n == node_at(m, head)->count ? NULL : "pcp: a list's count is wrong";
}

const char *pcp_check(const struct machine *m)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
            int64_t pages = 0;
            for (uint32_t list = 0; list < NR_PCP_LISTS; list++) {
                const char *why = check_pcp_list(m, z, cpu, list, &pages);
                if (why) {
                    return why;
                }
            }
            if (pages != pcp_r(m, z, cpu)->count && !pcp_r(m, z, cpu)->locked) {
                return "pcp: count is not the sum of the lists";
            }
        }
    }
    return NULL;
}
