/* Loading a recorded state (load.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "load.h"

#include <string.h>

#include "alloc.h"
#include "slab.h"
#include "vm.h"

/* Zero what was written of a table; what is zeros already stays untouched. */
static void zero_table(struct machine *m, void *table, size_t size_bytes)
{
    static const unsigned char zeros[ARENA_CHUNK];
    unsigned char *at = table;
    for (size_t done = 0; done < size_bytes; done += ARENA_CHUNK) {
        size_t n = size_bytes - done < ARENA_CHUNK ? size_bytes - done : ARENA_CHUNK;
        if (memcmp(at + done, zeros, n) != 0) {
            arena_mark(&m->arena, at + done);
            memset(at + done, 0, n);
        }
    }
}

void load_begin(struct machine *m, uint64_t totalreserve_pages)
{
    struct mm *mm = mm_w(m);
    memset(mm->zones, 0, sizeof mm->zones);
    mm->nr_zones = 0;
    mm->totalreserve_pages = totalreserve_pages;
    mm->kswapd_order = 0;
    mm->kswapd_highest_zoneidx = MAX_NR_ZONES;
    mm->nr_odd_pages = mm->nr_leaked = mm->nr_adopted = 0;
    zero_table(m, m->tables.blocks, (mm->nr_frames >> TOP_SHIFT) * sizeof(struct page));
    zero_table(m, m->tables.frames, mm->nr_frames * sizeof(struct page));
    for (uint32_t cpu = 0; cpu < mm->nr_cpus; cpu++) {
        struct cpu *c = cpu_w(m, cpu);
        memset(c->pcps, 0, sizeof c->pcps);
    }
}

uint32_t load_zone(struct machine *m, const struct zone *z)
{
    const struct mm *mm = m->mm;
    uint64_t below = mm->nr_zones ? zone_end_pfn(zone_r(m, mm->nr_zones - 1)) : 0;
    if (mm->nr_zones == MAX_ZONES || z->start_pfn < below || !z->spanned ||
        z->start_pfn > mm->nr_frames || z->spanned > mm->nr_frames - z->start_pfn ||
        z->type >= MAX_NR_ZONES) {
        return UINT32_MAX;
    }
    uint32_t n = mm_add_zone(m, z->type, z->start_pfn, z->spanned, z->present);
    struct zone *to = zone_w(m, n);
    to->managed = z->managed;
    to->free = z->free;
    for (int i = 0; i < NR_WMARK; i++) {
        to->watermark[i] = z->watermark[i];
    }
    to->watermark_boost = z->watermark_boost;
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        to->lowmem_reserve[i] = z->lowmem_reserve[i];
    }
    to->nr_reserved_highatomic = z->nr_reserved_highatomic;
    to->percpu_drift_mark = z->percpu_drift_mark;
    to->pageset_high = z->pageset_high;
    to->pageset_batch = z->pageset_batch;
    to->flags = z->flags;
    return n;
}

bool load_pcp(struct machine *m, uint32_t zone, uint32_t cpu, const struct pcp *p)
{
    if (zone >= m->mm->nr_zones || cpu >= m->mm->nr_cpus) {
        return false;
    }
    struct pcp *to = pcp_w(m, zone, cpu);
    to->high = p->high;
    to->batch = p->batch;
    to->free_factor = p->free_factor;
    to->free_diff = p->free_diff;
    to->stat_threshold = p->stat_threshold;
    return true;
}

static bool overlaps(const struct machine *m, uint64_t frame, uint32_t order)
{
    if (page_block(m, frame) != PFN_NONE) {
        return true;
    }
    for (uint64_t i = 1; i < 1ULL << order; i++) {
        if (page_r(m, frame + i)->state != USE_NONE) {
            return true;
        }
    }
    return false;
}

static bool can_hold(const struct machine *m, uint32_t zone, uint32_t order, uint64_t p)
{
    return zone < m->mm->nr_zones && order < m->mm->max_order && p < m->mm->nr_frames &&
           !(p & ((1ULL << order) - 1)) && zone_spans_pfn(zone_r(m, zone), p) &&
           zone_spans_pfn(zone_r(m, zone), p + (1ULL << order) - 1) &&
           !overlaps(m, p, order);
}

bool load_free_block(struct machine *m, uint32_t zone, uint32_t order,
                     enum migratetype mt, pfn_t p)
{
    if (!can_hold(m, zone, order, p.v) || (uint32_t)mt >= MIGRATE_TYPES) {
        return false;
    }
    struct page *page = page_w(m, p.v);
    page_set(page, USE_BUDDY, order, mt, zone);
    list_add_tail(m, freelist_head(zone, order, mt), (uint32_t)p.v, page);
    zone_w(m, zone)->nr_free[order]++;
    return true;
}

bool load_pcp_block(struct machine *m, uint32_t zone, uint32_t cpu, uint32_t list,
                    pfn_t p)
{
    uint32_t order = list / MIGRATE_PCPTYPES;
    if (list >= NR_PCP_LISTS || cpu >= m->mm->nr_cpus || !can_hold(m, zone, order, p.v)) {
        return false;
    }
    /* The type that the page goes back to is the list's, but HighAtomic pages share the
     * Movable lists. */
    enum migratetype mt = (enum migratetype)(list % MIGRATE_PCPTYPES);
    if (mt == MIGRATE_MOVABLE && pageblock_get(m, zone, p.v) == MIGRATE_HIGHATOMIC) {
        mt = MIGRATE_HIGHATOMIC;
    }
    struct page *page = page_w(m, p.v);
    page_set(page, USE_PCP, order, mt, zone);
    page->cpu = (uint8_t)cpu;
    list_add_tail(m, pcp_head(zone, cpu, list), (uint32_t)p.v, page);
    pcp_w(m, zone, cpu)->count += 1 << order;
    return true;
}

bool load_pageblock(struct machine *m, uint32_t zone, pfn_t p, enum migratetype mt)
{
    uint64_t block = (1ULL << m->mm->pageblock_order) - 1;
    if (zone >= m->mm->nr_zones || (uint32_t)mt >= MIGRATE_TYPES ||
        (p.v | block) < zone_r(m, zone)->start_pfn ||
        (p.v & ~block) >= zone_end_pfn(zone_r(m, zone))) {
        return false;
    }
    pageblock_set(m, zone, p.v, mt);
    return true;
}

bool load_lru(struct machine *m, pfn_t p)
{
    if (p.v >= m->mm->nr_frames || !m->mm->nr_zones || page_block(m, p.v) != PFN_NONE) {
        return false;
    }
    uint32_t zone = zone_of(m, p.v);
    struct page *page = page_w(m, p.v);
    page_set(page, USE_ALLOC, 0, MIGRATE_UNMOVABLE, zone);
    page->refcount = 1;
    page->flags = PG_LRU;
    zone_w(m, zone)->nr_lru++;
    return true;
}

const char *load_end(struct machine *m)
{
    vm_reset(m, true);
    slab_reset(m);
    return machine_check(m);
}
