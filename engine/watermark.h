/* The numbers that say how much of each zone must stay free, and how much a CPU may keep
 * for itself: mm/page_alloc.c's init_per_zone_wmark_min() and what it calls, and
 * mm/vmstat.c's thresholds.
 *
 *        managed                                    a zone, by free pages
 *        |
 *        high   kswapd goes back to sleep
 *        low    kswapd is woken
 *        min    the page allocator reclaims by itself; below are the reserves
 *        0
 *
 * All of it follows from the zones' managed pages, min_free_kbytes, the reserve ratios
 * and the number of CPUs online. The functions work on a small copy of the zones, so that
 * they can be asked about any machine: the engine uses them at boot and for the sysctls,
 * a replay to check a recorded machine's figures.
 *
 * Calls, in order: wmark_min_free_kbytes, wmark_setup, wmark_thresholds,
 * wmark_lowmem_reserve, wmark_totalreserve. Left out: memory hotplug, NUMA,
 * watermark_scale_factor and percpu_pagelist_high_fraction other than their defaults (10
 * and 0).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_WATERMARK_H
#define ENGINE_WATERMARK_H

#include "gfp.h"
#include "types.h"

enum {
    MIN_FREE_KBYTES_LEAST = 128,
    MIN_FREE_KBYTES_MOST = 262144,
    STAT_THRESHOLD_MOST = 125
};

struct wmark_zone {
    uint64_t managed; /* given; 0 for a zone that is not there */
    bool highmem;     /* given: HighMem, or Movable on top of it */
    uint64_t min, low, high;
    uint64_t lowmem_reserve[MAX_NR_ZONES]; /* by the highest zone that a request allows */
    uint32_t pcp_batch, pcp_high;
    uint32_t stat_threshold;     /* when a CPU folds its counters */
    uint32_t pressure_threshold; /* the same while kswapd is awake */
    uint64_t drift_mark;         /* below, counters must be summed over CPUs; 0: never */
};

/* vm.min_free_kbytes as computed from the memory that the kernel reaches directly. high
 * marks that are set already count as not free. */
uint64_t wmark_min_free_kbytes(const struct wmark_zone z[MAX_NR_ZONES]);
/* min, low, high, and from these the size of the per-CPU lists (setup_per_zone_wmarks).
 */
void wmark_setup(struct wmark_zone z[MAX_NR_ZONES], uint64_t min_free_kbytes,
                 uint32_t cpus);
/* stat_threshold, pressure_threshold and drift_mark (refresh_zone_stat_thresholds). */
void wmark_thresholds(struct wmark_zone z[MAX_NR_ZONES], uint32_t cpus);
/* lowmem_reserve (setup_per_zone_lowmem_reserve). */
void wmark_lowmem_reserve(struct wmark_zone z[MAX_NR_ZONES],
                          const uint32_t ratio[MAX_NR_ZONES]);
/* totalreserve_pages (calculate_totalreserve_pages). */
uint64_t wmark_totalreserve(const struct wmark_zone z[MAX_NR_ZONES]);

/* One zone's figures, for whoever needs only these. */
uint32_t wmark_pcp_batch(uint64_t managed);
uint32_t wmark_pcp_high(uint64_t low, uint32_t batch, uint32_t cpus);
uint32_t wmark_stat_threshold(uint64_t managed, uint32_t cpus);
uint32_t wmark_pressure_threshold(uint64_t min, uint64_t low, uint32_t cpus);

#endif
