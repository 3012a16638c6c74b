/* Put a machine into a recorded state (what the probe's `state` dumps say).
 *
 * Calls, in order: load_begin, load_zone for each zone in the order of addresses, then
 * any of the others, load_end. Every page that is put on no list is allocated, as order
 * 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_LOAD_H
#define ENGINE_LOAD_H

#include "mm.h"

/* Forget all zones and pages; contexts, operation number and event counters stay. */
void load_begin(struct machine *m, uint64_t totalreserve_pages);

/* The next zone. Only these of z count: start_pfn, spanned, present, managed, free,
 * watermark, watermark_boost, lowmem_reserve, nr_reserved_highatomic, percpu_drift_mark,
 * pageset_*, flags, type. Answers its number; UINT32_MAX when it overlaps the one before,
 * reaches beyond the machine's frames, or is one too many. */
uint32_t load_zone(struct machine *m, const struct zone *z);

/* A CPU's figures: high, batch, free_factor, free_diff, stat_threshold of p (count comes
 * from the lists). */
bool load_pcp(struct machine *m, uint32_t zone, uint32_t cpu, const struct pcp *p);

/* Append a block at the tail of a free list or a per-CPU list (list = order *
 * MIGRATE_PCPTYPES + migratetype). False: outside of the zone, not aligned, or it
 * overlaps one that is there. */
bool load_free_block(struct machine *m, uint32_t zone, uint32_t order,
                     enum migratetype mt, pfn_t p);
bool load_pcp_block(struct machine *m, uint32_t zone, uint32_t cpu, uint32_t list,
                    pfn_t p);

/* The type of the pageblock that p lies in. Before the per-CPU lists: a page of a
 * HighAtomic pageblock on a Movable list goes back as HighAtomic. (A dump does not say
 * whether it was put there before the pageblock was reserved; then it would go back as
 * Movable.) */
bool load_pageblock(struct machine *m, uint32_t zone, pfn_t p, enum migratetype mt);

/* An allocated page that stealing counts as movable. */
bool load_lru(struct machine *m, pfn_t p);

/* Done. NULL, or what is wrong with the state as a whole (machine_check). */
const char *load_end(struct machine *m);

#endif
