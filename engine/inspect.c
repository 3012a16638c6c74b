/* Looking at the machine (inspect.h), but for the files of /proc and the page map.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect.h"

#include <string.h>

#include "context.h"
#include "page.h"

static const char *const zone_names[MAX_NR_ZONES] = {
    [ZONE_DMA] = "DMA",         [ZONE_DMA32] = "DMA32",     [ZONE_NORMAL] = "Normal",
    [ZONE_HIGHMEM] = "HighMem", [ZONE_MOVABLE] = "Movable",
};

uint32_t machine_nr_zones(const struct machine *m) { return m->mm->nr_zones; }

struct zone_view zone_view(const struct machine *m, uint32_t zone)
{
    if (zone >= m->mm->nr_zones) {
        return (struct zone_view){.name = ""};
    }
    const struct zone *z = zone_r(m, zone);
    struct zone_view v = {.name = zone_names[z->type],
                          .type = z->type,
                          .start_pfn = z->start_pfn,
                          .spanned = z->spanned,
                          .present = z->present,
                          .managed = z->managed,
                          .wmark_min = z->watermark[WMARK_MIN],
                          .wmark_low = z->watermark[WMARK_LOW],
                          .wmark_high = z->watermark[WMARK_HIGH],
                          .wmark_boost = z->watermark_boost,
                          .free = z->free > 0 ? (uint64_t)z->free : 0,
                          .highatomic = z->nr_reserved_highatomic,
                          .pageset_high = z->pageset_high,
                          .pageset_batch = z->pageset_batch,
                          .flags = z->flags};
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        v.pcp_pages += (uint64_t)pcp_r(m, zone, cpu)->count;
    }
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        v.lowmem_reserve[i] = z->lowmem_reserve[i];
    }
    return v;
}

uint32_t zone_by_type(const struct machine *m, enum zone_type type)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        if (zone_r(m, z)->type == (uint32_t)type) {
            return z;
        }
    }
    return UINT32_MAX;
}

uint32_t zone_by_name(const struct machine *m, const char *name)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        if (!strcmp(zone_names[zone_r(m, z)->type], name)) {
            return z;
        }
    }
    return UINT32_MAX;
}

uint32_t zone_of_pfn(const struct machine *m, pfn_t p)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        if (zone_spans_pfn(zone_r(m, z), p.v)) {
            return z;
        }
    }
    return UINT32_MAX;
}

uint64_t machine_totalreserve_pages(const struct machine *m)
{
    return m->mm->totalreserve_pages;
}
uint64_t machine_min_free_kbytes(const struct machine *m)
{
    return m->mm->min_free_kbytes;
}
uint64_t machine_max_pfn(const struct machine *m) { return m->mm->max_pfn; }
uint32_t machine_pageblock_order(const struct machine *m)
{
    return m->mm->pageblock_order;
}

/* ---- lists ---- */

static bool has_freelist(const struct machine *m, uint32_t zone, uint32_t order,
                         enum migratetype mt)
{
    return zone < m->mm->nr_zones && order < m->mm->max_order &&
           (uint32_t)mt < MIGRATE_TYPES;
}

static pfn_t node_pfn(uint32_t id)
{
    return pfn(node_is_head(id) ? PFN_NONE : (uint64_t)id);
}

uint64_t freelist_count(const struct machine *m, uint32_t zone, uint32_t order,
                        enum migratetype mt)
{
    return has_freelist(m, zone, order, mt)
               ? node_at(m, freelist_head(zone, order, mt))->count
               : 0;
}

pfn_t freelist_first(const struct machine *m, uint32_t zone, uint32_t order,
                     enum migratetype mt)
{
    return has_freelist(m, zone, order, mt)
               ? node_pfn(list_first(m, freelist_head(zone, order, mt)))
               : pfn(PFN_NONE);
}

static pfn_t next_on_list(const struct machine *m, pfn_t p, enum page_use use)
{
    if (p.v >= m->mm->nr_frames || page_r(m, p.v)->state != use) {
        return pfn(PFN_NONE);
    }
    return node_pfn(page_r(m, p.v)->next);
}

pfn_t freelist_next(const struct machine *m, pfn_t p)
{
    return next_on_list(m, p, USE_BUDDY);
}

uint64_t free_area_count(const struct machine *m, uint32_t zone, uint32_t order)
{
    return has_freelist(m, zone, order, MIGRATE_UNMOVABLE)
               ? zone_r(m, zone)->nr_free[order]
               : 0;
}

struct pcp_view pcp_view(const struct machine *m, uint32_t zone, uint32_t cpu)
{
    if (zone >= m->mm->nr_zones || cpu >= m->mm->nr_cpus) {
        return (struct pcp_view){0};
    }
    const struct pcp *p = pcp_r(m, zone, cpu);
    return (struct pcp_view){.count = (uint32_t)p->count,
                             .high = (uint32_t)p->high,
                             .batch = (uint32_t)p->batch,
                             .free_factor = (uint32_t)p->free_factor,
                             .free_diff = p->free_diff,
                             .stat_threshold = p->stat_threshold,
                             .locked = p->locked};
}

static bool has_pcp_list(const struct machine *m, uint32_t zone, uint32_t cpu,
                         uint32_t list)
{
    return zone < m->mm->nr_zones && cpu < m->mm->nr_cpus && list < NR_PCP_LISTS;
}

uint32_t pcp_list_count(const struct machine *m, uint32_t zone, uint32_t cpu,
                        uint32_t list)
{
    return has_pcp_list(m, zone, cpu, list) ? node_at(m, pcp_head(zone, cpu, list))->count
                                            : 0;
}

pfn_t pcp_list_first(const struct machine *m, uint32_t zone, uint32_t cpu, uint32_t list)
{
    return has_pcp_list(m, zone, cpu, list)
               ? node_pfn(list_first(m, pcp_head(zone, cpu, list)))
               : pfn(PFN_NONE);
}

pfn_t pcp_list_next(const struct machine *m, pfn_t p)
{
    return next_on_list(m, p, USE_PCP);
}

/* ---- pages ---- */

enum migratetype pageblock_type(const struct machine *m, uint32_t zone, pfn_t p)
{
    if (zone >= m->mm->nr_zones || p.v >= m->mm->nr_frames) {
        return MIGRATE_UNMOVABLE;
    }
    const struct zone *z = zone_r(m, zone);
    uint64_t last = zone_end_pfn(z) - 1;
    return pageblock_get(m, zone, p.v < last ? p.v : last);
}

/* A frame of which the frame table knows nothing. */
static void view_unknown(const struct machine *m, uint64_t frame, struct page_view *v)
{
    v->head = frame;
    if (!mm_frame_in(m, RANGE_PRESENT, frame)) {
        v->state = PAGE_HOLE;
    } else {
        bool reserved = v->zone == UINT32_MAX || mm_frame_in(m, RANGE_RESERVED, frame);
        v->state = reserved ? PAGE_RESERVED : PAGE_ALLOCATED;
        v->refcount = 1;
    }
}

struct page_view page_view(const struct machine *m, pfn_t p)
{
    struct page_view v = {.state = PAGE_HOLE, .zone = UINT32_MAX, .head = p.v};
    if (p.v >= m->mm->max_pfn) {
        return v;
    }
    v.zone = zone_of_pfn(m, p);
    if (v.zone != UINT32_MAX) {
        v.type = pageblock_get(m, v.zone, p.v);
        v.highatomic = v.type == MIGRATE_HIGHATOMIC;
    }
    uint64_t head = page_block(m, p.v);
    if (head == PFN_NONE) {
        view_unknown(m, p.v, &v);
        return v;
    }
    const struct page *page = page_r(m, head);
    v.head = head;
    v.order = page->order;
    v.cpu = page->cpu;
    v.op = page->op;
    int32_t refcount = page_r(m, p.v)->refcount;
    v.refcount = (uint32_t)refcount;
    if (page->state == USE_BUDDY) {
        v.state = PAGE_FREE;
        v.type = (enum migratetype)page->type;
    } else if (page->state == USE_PCP) {
        v.state = PAGE_PCP;
        v.type = page->type < MIGRATE_PCPTYPES ? (enum migratetype)page->type
                                               : MIGRATE_MOVABLE;
    } else {
        v.state = page->flags & PG_RESERVED ? PAGE_RESERVED : PAGE_ALLOCATED;
        v.gfp = page->gfp;
        v.lru = page->flags & PG_LRU;
        v.compound = page->flags & PG_COMPOUND;
    }
    return v;
}

/* ---- CPUs and counters ---- */

uint32_t machine_nr_cpus(const struct machine *m) { return m->mm->nr_cpus; }

struct cpu_view cpu_view(const struct machine *m, uint32_t cpu)
{
    if (cpu >= m->mm->nr_cpus) {
        return (struct cpu_view){0};
    }
    const struct cpu *c = cpu_r(m, cpu);
    struct cpu_view v = {.ctx = context_of(c),
                         .preempt_count = c->preempt_count,
                         .irqs_disabled = c->irqs_disabled,
                         .memalloc = c->memalloc,
                         .nr_locks = c->nr_locks};
    for (uint32_t i = 0; i < c->nr_locks; i++) {
        v.locks[i] = c->locks[i];
    }
    return v;
}

uint64_t machine_nr_ops(const struct machine *m) { return m->mm->nr_ops; }

const char *vmstat_name(const struct machine *m, uint32_t i)
{
#define VM_EVENT_NAME_(id, name) name,
    static const char *const names[] = {VM_EVENTS(VM_EVENT_NAME_)};
#undef VM_EVENT_NAME_
    (void)m;
    return i < NR_VM_EVENTS ? names[i] : NULL;
}

uint64_t vmstat_value(const struct machine *m, uint32_t i)
{
    return i < NR_VM_EVENTS ? m->mm->vm_event[i] : 0;
}
