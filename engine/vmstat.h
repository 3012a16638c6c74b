/* Counters: NR_FREE_PAGES of each zone with what CPUs hold back of it, and vm events.
 *
 * Models mm/vmstat.c. A CPU adds up its changes of a zone's counter and folds them in
 * only when their sum exceeds its threshold; until then the watermark tests see an old
 * value. Where that could let a zone fall below min (percpu_drift_mark), kswapd's test
 * adds all CPUs' differences (a snapshot).
 *
 * I1  zone.free plus the sum of all CPUs' free_diff is the number of pages in the zone's
 *     free lists (where nobody holds zone->lock).
 * I2  |free_diff| <= stat_threshold.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_VMSTAT_H
#define ENGINE_VMSTAT_H

#include "mm.h"
#include "touch.h"

/* __mod_zone_page_state(zone, NR_FREE_PAGES, delta) on the current CPU. */
static inline void vmstat_add_free(struct machine *m, uint32_t zone, int32_t delta)
{
    struct pcp *pcp = pcp_hot(m, zone);
    int32_t x = pcp->free_diff + delta, t = pcp->stat_threshold;
    TOUCH_NOTE(m, touch_zone_stat(m, zone, x > t || x < -t));
    if (x > t || x < -t) {
        zone_hot(m, zone)->free += x;
        x = 0;
    }
    pcp->free_diff = x;
}

/* zone_page_state: what tests see. */
static inline int64_t vmstat_free(const struct machine *m, uint32_t zone)
{
    int64_t x = zone_r(m, zone)->free;
    return x > 0 ? x : 0;
}

/* zone_page_state_snapshot: with all CPUs' differences. */
int64_t vmstat_free_snapshot(const struct machine *m, uint32_t zone);

/* refresh_cpu_vm_stats: this CPU folds its differences in. */
void vmstat_refresh(struct machine *m);

static inline void vmstat_count(struct machine *m, enum vm_event e, uint64_t n)
{
    mm_hot(m)->vm_event[e] += n;
}

const char *vmstat_check(const struct machine *m);

#endif
