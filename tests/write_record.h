/* Records that tests write: lines into a buffer, and a machine's zones as the kernel's
 * probe dumps them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_WRITE_RECORD_H
#define TESTS_WRITE_RECORD_H

#include <stdarg.h>
#include <stdlib.h>

#include "inspect.h"
#include "mm.h"
#include "page.h"
#include "tap.h"

static char *text;
static size_t text_size, text_room;

#if defined __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
static void
put(const char *format, ...)
{
    if (text_room - text_size < 4096) {
        text_room = text_room ? text_room * 2 : 1 << 20;
        text = realloc(text, text_room);
        if (!text) {
            bail_out("out of memory");
        }
    }
    va_list ap;
    va_start(ap, format);
    text_size += (size_t)vsnprintf(text + text_size, text_room - text_size, format, ap);
    va_end(ap);
}

static void dump_lists(const struct machine *m, uint32_t z, const char *name)
{
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        const struct pcp *p = pcp_r(m, z, cpu);
        put("pcp %s cpu=%u count=%d high=%d batch=%d free_factor=%d free_diff=%d "
            "threshold=%d\n",
            name, cpu, p->count, p->high, p->batch, p->free_factor, p->free_diff,
            p->stat_threshold);
        for (uint32_t list = 0; list < NR_PCP_LISTS; list++) {
            pfn_t at = pcp_list_first(m, z, cpu, list);
            if (!pfn_is_none(at)) {
                put("pcplist %s cpu=%u list=%u:", name, cpu, list);
                for (; !pfn_is_none(at); at = pcp_list_next(m, at)) {
                    put(" %" PRIx64, at.v);
                }
                put("\n");
            }
        }
    }
    for (uint32_t o = 0; o < m->mm->max_order; o++) {
        for (uint32_t t = 0; t < MIGRATE_TYPES; t++) {
            pfn_t at = freelist_first(m, z, o, (enum migratetype)t);
            if (!pfn_is_none(at)) {
                put("freelist %s order=%u type=%c:", name, o, "UMRHI"[t]);
                for (; !pfn_is_none(at); at = freelist_next(m, at)) {
                    put(" %" PRIx64, at.v);
                }
                put("\n");
            }
        }
    }
}

static void dump_zone(const struct machine *m, uint32_t z)
{
    static const enum zone_type narrow[] = {ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM,
                                            ZONE_MOVABLE};
    static const enum zone_type wide[] = {ZONE_DMA, ZONE_DMA32, ZONE_NORMAL,
                                          ZONE_MOVABLE};
    const struct zone *zone = zone_r(m, z);
    const enum zone_type *index = m->mm->has_dma32 ? wide : narrow;
    const uint64_t *reserve = zone->lowmem_reserve;
    const char *name = zone_view(m, z).name;
    put("zone %s start=%" PRIu64 " spanned=%" PRIu64 " present=%" PRIu64
        " managed=%" PRIu64 " min=%" PRIu64 " low=%" PRIu64 " high=%" PRIu64
        " boost=%" PRIu64 " highatomic=%" PRIu64 " free=%" PRId64,
        name, zone->start_pfn, zone->spanned, zone->present, zone->managed,
        zone->watermark[WMARK_MIN], zone->watermark[WMARK_LOW],
        zone->watermark[WMARK_HIGH], zone->watermark_boost, zone->nr_reserved_highatomic,
        zone->free);
    put(" lowmem_reserve=%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
        " pageset_high=%u pageset_batch=%u flags=%u\n",
        reserve[index[0]], reserve[index[1]], reserve[index[2]], reserve[index[3]],
        zone->pageset_high, zone->pageset_batch, zone->flags);
    dump_lists(m, z, name);
    uint32_t order = m->mm->pageblock_order;
    uint64_t first = zone->start_pfn >> order << order;
    put("blocks %s order=%u start=%" PRIx64 ":", name, order, first);
    for (uint64_t p = first; p < zone_end_pfn(zone); p += 1ULL << order) {
        put(" %c", "UMRHI"[pageblock_type(
                       m, z, pfn(p > zone->start_pfn ? p : zone->start_pfn))]);
    }
    put("\n");
}

/* All zones. The lines of lru, if any, follow. */
static void dump_state(const struct machine *m, const char *tag)
{
    put("state %s totalreserve=%" PRIu64 "\n", tag, machine_totalreserve_pages(m));
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        dump_zone(m, z);
    }
}

#endif
