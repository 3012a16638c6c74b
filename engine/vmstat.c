/* Folding and checking the counters (vmstat.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "vmstat.h"

#include "page.h"

int64_t vmstat_free_snapshot(const struct machine *m, uint32_t zone)
{
    int64_t x = zone_r(m, zone)->free;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        x += pcp_r(m, zone, cpu)->free_diff;
    }
    return x > 0 ? x : 0;
}

void vmstat_refresh(struct machine *m)
{
    uint32_t cpu = m->probe.cpu;
    fn_enter(&m->probe, FN_refresh_cpu_vm_stats, cpu);
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        int32_t diff = pcp_r(m, z, cpu)->free_diff;
        if (diff) {
            zone_w(m, z)->free += diff;
            pcp_w(m, z, cpu)->free_diff = 0;
            probe(&m->probe, EV_VMSTAT_FOLD, z, cpu, diff, zone_r(m, z)->free);
        }
    }
    fn_leave(&m->probe);
}

const char *vmstat_check(const struct machine *m)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        const struct zone *zone = zone_r(m, z);
        int64_t counted = zone->free, listed = 0;
        for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
            const struct pcp *pcp = pcp_r(m, z, cpu);
            counted += pcp->free_diff;
            if (pcp->free_diff > pcp->stat_threshold ||
                pcp->free_diff < -pcp->stat_threshold) {
                return "vmstat I2: a CPU holds back more than its threshold";
            }
        }
        for (uint32_t o = 0; o < m->mm->max_order; o++) {
            for (uint32_t mt = 0; mt < MIGRATE_ISOLATE; mt++) {
                listed += (int64_t)node_at(m, freelist_head(z, o, mt))->count << o;
            }
        }
        if (counted != listed && !(m->mm->zones_locked >> z & 1)) {
            return "vmstat I1: NR_FREE_PAGES is not what the free lists hold";
        }
    }
    return NULL;
}
