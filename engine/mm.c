/* Making the tables of struct mm, and the frame table's look-ups (mm.h, page.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mm.h"

#include "page.h"

enum { CHUNK_PAGES = ARENA_CHUNK / sizeof(struct page) };

/* Slots in front of frame 0 for the heads of lists, in whole chunks. */
static uint64_t nr_head_slots(uint32_t cpus)
{
    uint64_t heads = NR_FREELISTS + (uint64_t)cpus * MAX_ZONES * NR_PCP_LISTS;
    return (2 * heads + CHUNK_PAGES - 1) / CHUNK_PAGES * CHUNK_PAGES;
}

static uint64_t frames_for(uint64_t max_pfn)
{
    return (max_pfn + TOP_MASK) & ~(uint64_t)TOP_MASK;
}

/* A block that two zones share counts for both. */
static uint64_t nr_pageblocks(const struct machine_config *c, uint64_t max_pfn)
{
    return (frames_for(max_pfn) >> (c->max_order - 1)) + 2 * MAX_ZONES;
}

uint64_t mm_arena_bytes(const struct machine_config *c, uint64_t max_pfn)
{
    uint64_t frames = frames_for(max_pfn);
    uint64_t bytes = sizeof(struct mm) + c->cpus * sizeof(struct cpu);
    bytes += MAX_RANGES * sizeof(struct frame_range) + nr_pageblocks(c, max_pfn);
    bytes += (nr_head_slots(c->cpus) + frames) * sizeof(struct page);
    bytes += ((frames >> TOP_SHIFT) + 1) * sizeof(struct page);
    return bytes + 16 * ARENA_CHUNK; /* alignments */
}

/* gfp_zone: zone types that the architecture does not know stand for Normal. */
static enum zone_type zone_for_bits(const struct mm *mm, gfp_t bits)
{
    enum zone_type dma = mm->has_dma ? ZONE_DMA : ZONE_NORMAL;
    enum zone_type dma32 = mm->has_dma32 ? ZONE_DMA32 : ZONE_NORMAL;
    enum zone_type highmem = mm->has_highmem ? ZONE_HIGHMEM : ZONE_NORMAL;
    switch (bits) {
    case 0:
    case __GFP_MOVABLE:
        return ZONE_NORMAL;
    case __GFP_DMA:
    case __GFP_DMA | __GFP_MOVABLE:
        return dma;
    case __GFP_DMA32:
    case __GFP_DMA32 | __GFP_MOVABLE:
        return dma32;
    case __GFP_HIGHMEM:
        return highmem;
    case __GFP_HIGHMEM | __GFP_MOVABLE:
        return ZONE_MOVABLE;
    default: /* contradictory: the kernel's table has zeros there, the lowest zone */
        return dma < dma32 ? dma : dma32;
    }
}

/* The node's zonelist begins with the highest zone that is there and not above type. */
static void build_zonelists(struct machine *m)
{
    struct mm *mm = mm_w(m);
    for (uint32_t type = 0; type < MAX_NR_ZONES; type++) {
        uint32_t z = mm->nr_zones;
        while (z > 0 && mm->zones[z - 1].type > type) {
            z--;
        }
        mm->first_zone[type] = z ? z - 1 : UINT32_MAX;
    }
}

bool mm_create(struct machine *m, uint64_t max_pfn)
{
    const struct machine_config *c = &m->config;
    struct machine_tables *t = &m->tables;
    uint64_t heads = nr_head_slots(c->cpus), frames = frames_for(max_pfn);
    m->mm = arena_alloc(&m->arena, sizeof(struct mm), ARENA_CHUNK);
    t->cpus = arena_alloc(&m->arena, c->cpus * sizeof(struct cpu), ARENA_CHUNK);
    t->ranges =
        arena_alloc(&m->arena, MAX_RANGES * sizeof(struct frame_range), ARENA_CHUNK);
    t->pageblocks = arena_alloc(&m->arena, nr_pageblocks(c, max_pfn), ARENA_CHUNK);
    t->blocks = arena_alloc(&m->arena, (frames >> TOP_SHIFT) * sizeof(struct page) + 32,
                            ARENA_CHUNK);
    struct page *nodes =
        arena_alloc(&m->arena, (heads + frames) * sizeof(struct page), ARENA_CHUNK);
    if (!m->mm || !t->cpus || !t->ranges || !t->pageblocks || !t->blocks || !nodes) {
        return false;
    }
    t->frames = nodes + heads;
    m->cpu = t->cpus;
    struct mm *mm = mm_w(m);
    mm->nr_cpus = c->cpus;
    mm->max_order = c->max_order;
    mm->pageblock_order = c->max_order - 1;
    mm->has_dma = 1;
    mm->has_dma32 = c->arch == ARCH_X86_64;
    mm->has_highmem = c->arch != ARCH_X86_64;
    mm->pcp_cold = c->pcp_cold;
    mm->no_pcp = c->no_pcp;
    for (gfp_t bits = 0; bits < 16; bits++) {
        mm->gfp_zone[bits] = (uint8_t)zone_for_bits(mm, bits);
    }
    mm->max_pfn = max_pfn;
    mm->nr_frames = frames;
    mm->user_min_free_kbytes = -1;
    mm->kswapd_highest_zoneidx = MAX_NR_ZONES;
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        mm->lowmem_reserve_ratio[i] = c->lowmem_reserve_ratio[i];
    }
    return true;
}

static void range_put(struct machine *m, uint32_t i, struct frame_range r)
{
    arena_mark(&m->arena, &m->tables.ranges[i]);
    m->tables.ranges[i] = r;
}

/* Sorted by kind and start, those that touch joined. */
bool mm_add_range(struct machine *m, enum range_kind kind, uint64_t start, uint64_t end)
{
    if (start >= end) {
        return true;
    }
    struct frame_range add = {start, end, kind}, *r = m->tables.ranges;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        if (r[i].kind == kind && r[i].start <= add.end && add.start <= r[i].end) {
            add.start = r[i].start < add.start ? r[i].start : add.start;
            add.end = r[i].end > add.end ? r[i].end : add.end;
        } else {
            range_put(m, n++, r[i]);
        }
    }
    if (n == MAX_RANGES) {
        return false;
    }
    uint32_t at = n;
    while (at > 0 && (r[at - 1].kind > kind ||
                      (r[at - 1].kind == kind && r[at - 1].start > add.start))) {
        range_put(m, at, r[at - 1]);
        at--;
    }
    range_put(m, at, add);
    for (uint32_t i = n + 1; i < m->mm->nr_ranges; i++) {
        range_put(m, i, (struct frame_range){0, 0, 0});
    }
    mm_w(m)->nr_ranges = n + 1;
    return true;
}

bool mm_frame_in(const struct machine *m, enum range_kind kind, uint64_t frame)
{
    uint32_t low = 0, high = m->mm->nr_ranges;
    while (low < high) { /* the last range that begins at or before the frame */
        uint32_t mid = (low + high) / 2;
        const struct frame_range *r = &m->tables.ranges[mid];
        if (r->kind < (uint64_t)kind ||
            (r->kind == (uint64_t)kind && r->start <= frame)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    const struct frame_range *r = low ? &m->tables.ranges[low - 1] : NULL;
    return r && r->kind == (uint64_t)kind && frame < r->end;
}

uint32_t mm_add_zone(struct machine *m, enum zone_type type, uint64_t start,
                     uint64_t spanned, uint64_t present)
{
    uint32_t zone = m->mm->nr_zones, shift = m->mm->pageblock_order;
    struct zone *z = zone_w(m, zone);
    uint64_t first = 0;
    if (zone) {
        const struct zone *below = zone_r(m, zone - 1);
        uint64_t last = zone_end_pfn(below) - 1;
        first =
            below->pageblock_first + (last >> shift) - (below->start_pfn >> shift) + 1;
    }
    z->type = type;
    z->start_pfn = start;
    z->spanned = spanned;
    z->present = present;
    z->pageblock_first = first;
    mm_w(m)->nr_zones = zone + 1;
    build_zonelists(m);
    uint64_t nr = ((start + spanned - 1) >> shift) - (start >> shift) + 1;
    for (uint64_t i = 0; i < nr; i++) {
        uint8_t *at = &m->tables.pageblocks[first + i];
        bool partial = i == 0 && (start & ((1ULL << shift) - 1));
        arena_mark(&m->arena, at);
        *at = partial ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
    }
    for (uint32_t o = 0; o < MAX_ORDER; o++) {
        for (uint32_t mt = 0; mt < MIGRATE_TYPES; mt++) {
            list_init(m, freelist_head(zone, o, mt));
        }
    }
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        for (uint32_t list = 0; list < NR_PCP_LISTS; list++) {
            list_init(m, pcp_head(zone, cpu, list));
        }
    }
    return zone;
}

uint64_t page_block(const struct machine *m, uint64_t frame)
{
    for (uint32_t o = 0; o < m->mm->max_order; o++) {
        uint64_t head = frame & ~((1ULL << o) - 1);
        const struct page *page = page_r(m, head);
        if (page->state != USE_NONE && head + (1ULL << page->order) > frame) {
            return head;
        }
    }
    return PFN_NONE;
}

bool page_span_of_chunk(const struct machine *m, size_t chunk, struct frame_span *span)
{
    size_t at = chunk << ARENA_CHUNK_SHIFT, base = (size_t)m->arena.base;
    size_t frames = (size_t)m->tables.frames - base;
    size_t blocks = (size_t)m->tables.blocks - base;
    uint64_t nr_blocks = m->mm->nr_frames >> TOP_SHIFT;
    if (at >= frames && at < frames + m->mm->nr_frames * sizeof(struct page)) {
        *span = (struct frame_span){(at - frames) / sizeof(struct page), CHUNK_PAGES, 1};
        return true;
    }
    if (at >= blocks && at < blocks + nr_blocks * sizeof(struct page)) {
        uint64_t first = (at - blocks) / sizeof(struct page), left = nr_blocks - first;
        *span = (struct frame_span){first << TOP_SHIFT,
                                    left < CHUNK_PAGES ? left : CHUNK_PAGES,
                                    1ULL << TOP_SHIFT};
        return true;
    }
    return false;
}

bool pageblock_span_of_chunk(const struct machine *m, size_t chunk,
                             struct frame_span *span)
{
    const struct machine_config *c = &m->config;
    size_t at = chunk << ARENA_CHUNK_SHIFT;
    size_t table = (size_t)m->tables.pageblocks - (size_t)m->arena.base;
    uint64_t nr = nr_pageblocks(c, m->mm->max_pfn);
    if (at + ARENA_CHUNK <= table || at >= table + nr) {
        return false;
    }
    /* a zone's blocks begin at most one entry per zone behind where their pfn says */
    uint64_t first = at > table ? at - table : 0;
    first = first > MAX_ZONES ? first - MAX_ZONES : 0;
    uint64_t blocks = m->mm->nr_frames >> m->mm->pageblock_order;
    uint64_t left = first < blocks ? blocks - first : 0;
    uint64_t count = ARENA_CHUNK + MAX_ZONES;
    *span =
        (struct frame_span){first << m->mm->pageblock_order, left < count ? left : count,
                            1ULL << m->mm->pageblock_order};
    return true;
}
