/* A naive model of the page allocator: plain arrays, linear searches, no care for speed.
 * It shares no code with the engine; written from the same description, it must give the
 * same pages in the same order and leave the same lists.
 *
 * It begins with the lists of a booted machine and knows neither events nor contexts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_MODEL_ALLOC_H
#define TESTS_MODEL_ALLOC_H

#include <stdlib.h>
#include <string.h>

#include "inspect.h"

enum {
    MODEL_FRAMES = (1 << 20) + 16384,
    MODEL_LIST = 16384,
    MODEL_ZONES = 4,
    MODEL_CPUS = 2
};

struct model_list {
    uint32_t page[MODEL_LIST], nr;
};

struct model_page {
    char where; /* F free list, P per-CPU list, A allocated; heads only, else 0 */
    uint8_t order, mt, zone;
    bool lru;
};

struct model_pcp {
    struct model_list *list[NR_PCP_LISTS];
    int count, high, batch, factor, diff, threshold;
};

struct model_zone {
    enum zone_type type;
    uint64_t start, end, managed, wmark[3], boost, lowmem[MAX_NR_ZONES];
    int64_t free, highatomic, lru;
    struct model_list *area[MAX_ORDER][MIGRATE_TYPES];
    struct model_pcp pcp[MODEL_CPUS];
};

struct model {
    uint32_t nr_zones, nr_cpus, max_order, cpu;
    bool dma32, highmem, memalloc[MODEL_CPUS];
    struct model_zone zone[MODEL_ZONES];
    uint8_t block[MODEL_ZONES][MODEL_FRAMES]; /* by pfn >> pageblock order */
    struct model_page page[MODEL_FRAMES];
};

static inline void model_push(struct model_list *l, uint32_t p, bool tail)
{
    uint32_t at = tail ? l->nr : 0;
    memmove(l->page + at + 1, l->page + at, (l->nr - at) * sizeof l->page[0]);
    l->page[at] = p;
    l->nr++;
}
static inline void model_pull(struct model_list *l, uint32_t p)
{
    uint32_t at = 0;
    while (l->page[at] != p) {
        at++;
    }
    l->nr--;
    memmove(l->page + at, l->page + at + 1, (l->nr - at) * sizeof l->page[0]);
}

static inline uint32_t model_zone_of(const struct model *o, uint64_t p)
{
    uint32_t z = o->nr_zones - 1;
    while (z && p < o->zone[z].start) {
        z--;
    }
    return z;
}
static inline uint32_t model_block_order(const struct model *o)
{
    return o->max_order - 1;
}
static inline uint8_t *model_block(struct model *o, uint32_t z, uint64_t p)
{
    return &o->block[z][p >> model_block_order(o)];
}

static inline void model_count(struct model *o, uint32_t z, int pages)
{
    struct model_pcp *c = &o->zone[z].pcp[o->cpu];
    c->diff += pages;
    if (abs(c->diff) > c->threshold) {
        o->zone[z].free += c->diff;
        c->diff = 0;
    }
}

static inline bool model_is_free(const struct model *o, uint64_t p, uint32_t order,
                                 uint32_t z)
{
    return o->page[p].where == 'F' && o->page[p].order == order && o->page[p].zone == z;
}

static inline void model_put_free(struct model *o, uint32_t z, uint32_t p, uint32_t order,
                                  uint32_t mt, bool tail)
{
    o->page[p] = (struct model_page){'F', (uint8_t)order, (uint8_t)mt, (uint8_t)z, false};
    model_push(o->zone[z].area[order][mt], p, tail);
}
static inline void model_pull_free(struct model *o, uint32_t p)
{
    struct model_page *g = &o->page[p];
    model_pull(o->zone[g->zone].area[g->order][g->mt], p);
    g->where = 0;
}

static inline void model_free_block(struct model *o, uint32_t z, uint32_t p,
                                    uint32_t order, uint32_t mt)
{
    model_count(o, z, 1 << order);
    o->page[p].where = 0;
    while (order + 1 < o->max_order && model_is_free(o, p ^ (1u << order), order, z)) {
        model_pull_free(o, p ^ (1u << order));
        p &= ~(1u << order);
        order++;
    }
    bool tail = false;
    if (order + 2 < o->max_order) {
        uint32_t whole = p & ~(1u << order);
        tail =
            model_is_free(o, whole ^ (2u << order), order + 1, model_zone_of(o, whole));
    }
    model_put_free(o, z, p, order, mt, tail);
}

static inline uint64_t model_take_smallest(struct model *o, uint32_t z, uint32_t order,
                                           uint32_t mt)
{
    for (uint32_t k = order; k < o->max_order; k++) {
        if (o->zone[z].area[k][mt]->nr) {
            uint32_t p = o->zone[z].area[k][mt]->page[0];
            model_pull_free(o, p);
            while (k > order) {
                k--;
                model_put_free(o, z, p + (1u << k), k, mt, false);
            }
            o->page[p].order = (uint8_t)order;
            o->page[p].mt = (uint8_t)mt;
            return p;
        }
    }
    return PFN_NONE;
}

/* Moves every free page of p's pageblock, lowest first; counts LRU pages. */
static inline uint64_t model_move_block(struct model *o, uint32_t z, uint64_t p,
                                        uint32_t mt, uint64_t *movable)
{
    uint64_t size = 1ull << model_block_order(o), start = p & ~(size - 1), moved = 0;
    uint64_t end = start + size;
    *movable = 0;
    if (start < o->zone[z].start) {
        start = p;
    }
    if (end > o->zone[z].end) {
        return 0;
    }
    for (uint64_t q = start; q < end; q++) {
        struct model_page g = o->page[q];
        if (g.where == 'F') {
            model_pull_free(o, (uint32_t)q);
            model_put_free(o, z, (uint32_t)q, g.order, mt, true);
            moved += 1ull << g.order;
            q += (1ull << g.order) - 1;
        } else if (g.where == 'A' && g.lru) {
            ++*movable;
        }
    }
    return moved;
}

static inline void model_steal(struct model *o, uint32_t z, uint64_t p, uint32_t mt,
                               bool whole)
{
    struct model_zone *zone = &o->zone[z];
    uint32_t order = o->page[p].order, was = *model_block(o, z, p);
    uint64_t size = 1ull << model_block_order(o), movable = 0, alike = 0;
    bool single = was == MIGRATE_HIGHATOMIC;
    if (!single && order >= model_block_order(o)) {
        *model_block(o, z, p) = (uint8_t)mt;
        single = true;
    }
    if (!single) {
        uint64_t max = zone->wmark[2] * 3 / 2;
        if (4 * size <= zone->managed && max) {
            max = max > size ? max : size;
            zone->boost = zone->boost + size < max ? zone->boost + size : max;
        }
        single = !whole;
    }
    if (!single) {
        uint64_t moved = model_move_block(o, z, p, mt, &movable);
        if (mt == MIGRATE_MOVABLE) {
            alike = movable;
        } else if (was == MIGRATE_MOVABLE) {
            alike = size - moved - movable;
        }
        if (moved && moved + alike >= size / 2) {
            *model_block(o, z, p) = (uint8_t)mt;
        }
        single = !moved;
    }
    if (single) {
        model_pull_free(o, (uint32_t)p);
        model_put_free(o, z, (uint32_t)p, order, mt, true);
    }
}

static inline bool model_fallback(struct model *o, uint32_t z, uint32_t order,
                                  uint32_t mt, bool nofragment)
{
    static const uint8_t others[3][2] = {{2, 1}, {2, 0}, {0, 1}};
    uint32_t block = model_block_order(o);
    uint32_t min = nofragment && order < block ? block : order;
    for (uint32_t k = o->max_order; k-- > min;) {
        for (int i = 0; i < 2; i++) {
            struct model_list *l = o->zone[z].area[k][others[mt][i]];
            if (!l->nr) {
                continue;
            }
            bool can = k >= block / 2 || mt != MIGRATE_MOVABLE;
            if (!can && k > order) {
                /* the smallest instead */
                for (k = order;; k++) {
                    for (i = 0; i < 2; i++) {
                        l = o->zone[z].area[k][others[mt][i]];
                        if (l->nr) {
                            can = k >= block / 2 || mt != MIGRATE_MOVABLE;
                            model_steal(o, z, l->page[0], mt, can);
                            return true;
                        }
                    }
                }
            }
            model_steal(o, z, l->page[0], mt, can);
            return true;
        }
    }
    return false;
}

static inline uint64_t model_rmqueue(struct model *o, uint32_t z, uint32_t order,
                                     uint32_t mt, bool nofragment)
{
    uint64_t p = model_take_smallest(o, z, order, mt);
    while (p == PFN_NONE && model_fallback(o, z, order, mt, nofragment)) {
        p = model_take_smallest(o, z, order, mt);
    }
    return p;
}

struct model_try {
    int mark; /* 0 min, 1 low, 2 high, -1: none */
    bool min_reserve, non_block, highatomic, nofragment;
};

static inline bool model_watermark(const struct model *o, uint32_t z, uint32_t order,
                                   uint64_t mark, enum zone_type highest,
                                   const struct model_try *t, int64_t free)
{
    const struct model_zone *zone = &o->zone[z];
    int64_t min = (int64_t)mark;
    free -= (1 << order) - 1;
    if (!t->min_reserve && !t->non_block && !t->highatomic) {
        free -= zone->highatomic;
    }
    if (t->min_reserve) {
        min -= min / 2;
        min -= t->non_block ? min / 4 : 0;
    }
    if (free <= min + (int64_t)zone->lowmem[highest]) {
        return false;
    }
    for (uint32_t k = order; order && k < o->max_order; k++) {
        for (int mt = 0; mt < 3; mt++) {
            if (zone->area[k][mt]->nr) {
                return true;
            }
        }
        if (t->highatomic && zone->area[k][MIGRATE_HIGHATOMIC]->nr) {
            return true;
        }
    }
    return !order;
}

static inline uint64_t model_from_pcp(struct model *o, uint32_t z, uint32_t order,
                                      uint32_t mt, bool nofragment)
{
    struct model_pcp *c = &o->zone[z].pcp[o->cpu];
    struct model_list *l = c->list[order * 3 + mt];
    c->factor /= 2;
    if (!l->nr) {
        int want = c->batch >> order, got = 0;
        want = c->batch == 1 ? 1 : want < 2 ? 2 : want;
        for (; got < want; got++) {
            uint64_t p = model_rmqueue(o, z, order, mt, nofragment);
            if (p == PFN_NONE) {
                break;
            }
            o->page[p].where = 'P';
            o->page[p].zone = (uint8_t)z;
            model_push(l, (uint32_t)p, true);
        }
        model_count(o, z, -(got << order));
        c->count += got << order;
    }
    if (!l->nr) {
        return PFN_NONE;
    }
    uint32_t p = l->page[0];
    model_pull(l, p);
    c->count -= 1 << order;
    return p;
}

static inline uint64_t model_walk(struct model *o, gfp_t gfp, uint32_t order, uint32_t mt,
                                  enum zone_type highest, struct model_try t)
{
    while (true) {
        for (uint32_t z = o->nr_zones; z-- > 0;) {
            struct model_zone *zone = &o->zone[z];
            if (zone->type > highest) {
                continue;
            }
            int64_t free = zone->free > 0 ? zone->free : 0;
            if (t.mark >= 0) {
                uint64_t mark = zone->wmark[t.mark] + zone->boost;
                bool ok = model_watermark(o, z, order, mark, highest, &t, free);
                if (!ok && !order && (gfp & __GFP_ATOMIC) && t.mark == 0 && zone->boost) {
                    ok = model_watermark(o, z, 0, zone->wmark[0], highest, &t, free);
                }
                if (!ok) {
                    continue;
                }
            }
            uint64_t p = PFN_NONE;
            if (order <= 3) {
                p = model_from_pcp(o, z, order, mt, t.nofragment);
            }
            if (p == PFN_NONE) {
                if (t.highatomic) {
                    p = model_take_smallest(o, z, order, MIGRATE_HIGHATOMIC);
                }
                if (p == PFN_NONE) {
                    p = model_rmqueue(o, z, order, mt, t.nofragment);
                }
                if (p == PFN_NONE && t.non_block) {
                    p = model_take_smallest(o, z, order, MIGRATE_HIGHATOMIC);
                }
                if (p == PFN_NONE) {
                    continue;
                }
                model_count(o, z, -(1 << order));
            }
            uint64_t size = 1ull << model_block_order(o), movable;
            o->page[p] = (struct model_page){'A', (uint8_t)order, 0, (uint8_t)z, false};
            if (t.highatomic &&
                zone->highatomic < (int64_t)(zone->managed / 100 + size) &&
                *model_block(o, z, p) < 3) {
                zone->highatomic += (int64_t)size;
                *model_block(o, z, p) = MIGRATE_HIGHATOMIC;
                model_move_block(o, z, p, MIGRATE_HIGHATOMIC, &movable);
            }
            return p;
        }
        if (!t.nofragment) {
            return PFN_NONE;
        }
        t.nofragment = false;
    }
}

static inline bool model_unreserve(struct model *o, enum zone_type highest, uint32_t mt)
{
    uint64_t movable;
    for (uint32_t z = o->nr_zones; z-- > 0;) {
        for (uint32_t k = 0; k < o->max_order && o->zone[z].type <= highest; k++) {
            struct model_list *l = o->zone[z].area[k][MIGRATE_HIGHATOMIC];
            if (!l->nr) {
                continue;
            }
            uint32_t p = l->page[0];
            int64_t size = (int64_t)1 << model_block_order(o);
            if (*model_block(o, z, p) == MIGRATE_HIGHATOMIC) {
                int64_t *h = &o->zone[z].highatomic;
                *h -= *h < size ? *h : size;
            }
            *model_block(o, z, p) = (uint8_t)mt;
            if (model_move_block(o, z, p, mt, &movable)) {
                return true;
            }
        }
    }
    return false;
}

static inline int64_t model_exact_free(const struct model *o, uint32_t z)
{
    int64_t n = o->zone[z].free;
    for (uint32_t c = 0; c < o->nr_cpus; c++) {
        n += o->zone[z].pcp[c].diff;
    }
    return n > 0 ? n : 0;
}

static inline bool model_hope(struct model *o, uint32_t order, enum zone_type highest,
                              const struct model_try *t)
{
    for (uint32_t z = o->nr_zones; z-- > 0;) {
        struct model_zone *zone = &o->zone[z];
        int64_t free = model_exact_free(o, z);
        if (zone->type <= highest &&
            model_watermark(o, z, order, zone->wmark[0] + zone->boost, highest, t,
                            free + (zone->lru ? zone->lru : free))) {
            return true;
        }
    }
    return false;
}

static inline enum zone_type model_highest(const struct model *o, gfp_t gfp)
{
    if (gfp & __GFP_DMA) {
        return ZONE_DMA;
    }
    if (gfp & __GFP_DMA32) {
        return o->dma32 ? ZONE_DMA32 : ZONE_NORMAL;
    }
    if (gfp & __GFP_HIGHMEM) {
        return gfp & __GFP_MOVABLE ? ZONE_MOVABLE
               : o->highmem        ? ZONE_HIGHMEM
                                   : ZONE_NORMAL;
    }
    return ZONE_NORMAL;
}

static inline uint64_t model_alloc(struct model *o, gfp_t gfp, uint32_t order)
{
    enum zone_type highest = model_highest(o, gfp);
    uint32_t mt = gfp & __GFP_MOVABLE ? 1 : gfp & __GFP_RECLAIMABLE ? 2 : 0;
    bool reclaim = gfp & __GFP_DIRECT_RECLAIM;
    uint32_t first = o->nr_zones - 1;
    while (first && o->zone[first].type > highest) {
        first--;
    }
    struct model_try t = {.mark = 1};
    t.nofragment = o->dma32 && o->zone[first].type == ZONE_NORMAL;
    uint64_t p = model_walk(o, gfp, order, mt, highest, t);
    if (p != PFN_NONE) {
        return p;
    }
    if (reclaim) {
        gfp &= ~(gfp_t)__GFP_ATOMIC;
    }
    t = (struct model_try){.mark = 0, .min_reserve = gfp & __GFP_HIGH};
    t.non_block = !reclaim && !(gfp & __GFP_NOMEMALLOC);
    t.highatomic = t.non_block && t.min_reserve && order;
    p = model_walk(o, gfp, order, mt, highest, t);
    if (p == PFN_NONE && reclaim && (gfp & __GFP_NORETRY) && (gfp & __GFP_IO) &&
        order > 3 && (!o->memalloc[o->cpu] || (gfp & __GFP_NOMEMALLOC))) {
        return PFN_NONE;
    }
    for (int loops = 1; p == PFN_NONE; loops++) {
        if (o->memalloc[o->cpu] && !(gfp & __GFP_NOMEMALLOC)) {
            t = (struct model_try){.mark = -1};
        }
        p = model_walk(o, gfp, order, mt, highest, t);
        if (p != PFN_NONE || !reclaim || o->memalloc[o->cpu] || (gfp & __GFP_NORETRY) ||
            (order > 3 && !((gfp & __GFP_RETRY_MAYFAIL) && (gfp & __GFP_IO)))) {
            break;
        }
        if ((loops <= 16 && model_hope(o, order, highest, &t)) ||
            model_unreserve(o, highest, mt)) {
            continue;
        }
        t = (struct model_try){.mark = 2};
        p = model_walk(o, gfp & ~(gfp_t)__GFP_DIRECT_RECLAIM, order, mt, highest, t);
        break;
    }
    return p;
}

static inline void model_drain(struct model *o, uint32_t z, uint32_t cpu, int count,
                               int index)
{
    struct model_pcp *c = &o->zone[z].pcp[cpu];
    count = count < c->count ? count : c->count;
    for (; count > 0; index++) {
        index %= NR_PCP_LISTS;
        struct model_list *l = c->list[index];
        while (l->nr && count > 0) {
            uint32_t p = l->page[l->nr - 1], order = o->page[p].order, mt = o->page[p].mt;
            l->nr--;
            count -= 1 << order;
            c->count -= 1 << order;
            model_free_block(o, z, p, order, mt);
        }
    }
}

static inline void model_drain_cpu(struct model *o, uint32_t cpu)
{
    for (uint32_t z = 0; z < o->nr_zones; z++) {
        while (o->zone[z].pcp[cpu].count) {
            model_drain(o, z, cpu, o->zone[z].pcp[cpu].batch << 5, 0);
        }
    }
}

static inline void model_free(struct model *o, uint32_t p, uint32_t order)
{
    uint32_t z = o->page[p].zone, mt = *model_block(o, z, p);
    if (order > 3) {
        model_free_block(o, z, p, order, mt);
        return;
    }
    struct model_pcp *c = &o->zone[z].pcp[o->cpu];
    uint32_t list = order * 3 + (mt < 3 ? mt : MIGRATE_MOVABLE);
    o->page[p] = (struct model_page){'P', (uint8_t)order, (uint8_t)mt, (uint8_t)z, false};
    model_push(c->list[list], p, false);
    c->count += 1 << order;
    bool all = c->factor && order;
    if (all) {
        model_drain(o, z, o->cpu, c->count, (int)list);
    } else if (c->count >= c->high) {
        int n = c->batch << c->factor, most = c->high - c->batch;
        if (n < most && c->factor < 5) {
            c->factor++;
        }
        n = c->high < c->batch ? 1 : n < c->batch ? c->batch : n > most ? most : n;
        model_drain(o, z, o->cpu, n, (int)list);
    }
}

#endif
