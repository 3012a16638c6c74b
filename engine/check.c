/* machine_check: all invariants of all modules, cheapest first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "context.h"
#include "fault_inject.h"
#include "mempool.h"
#include "mm_struct.h"
#include "slab.h"
#include "touch.h"
#include "vm.h"
#include "vmstat.h"

static const char *zone_check(const struct machine *m)
{
    uint64_t end = 0;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        const struct zone *zone = zone_r(m, z);
        if (zone->start_pfn < end || zone_end_pfn(zone) > m->mm->nr_frames) {
            return "zone: zones overlap or leave the frame table";
        }
        if (zone->present > zone->spanned || zone->managed > zone->present) {
            return "zone: managed <= present <= spanned does not hold";
        }
        end = zone_end_pfn(zone);
        uint64_t first = pageblock_index(m, zone, zone->start_pfn);
        uint64_t last = pageblock_index(m, zone, end - 1);
        for (uint64_t i = first; i <= last; i++) {
            if (m->tables.pageblocks[i] >= MIGRATE_TYPES) {
                return "zone: a pageblock has a type that does not exist";
            }
        }
    }
    return NULL;
}

const char *machine_check(struct machine *m)
{
    const char *why = zone_check(m);
    why = why ? why : context_check(m);
    why = why ? why : buddy_check(m);
    why = why ? why : pcp_check(m);
    why = why ? why : vmstat_check(m);
    why = why ? why : vm_check(m);
    why = why ? why : as_check(m);
    why = why ? why : hardware_check(m);
    why = why ? why : slab_check(m);
    why = why ? why : fault_check(m);
    why = why ? why : mempool_check(m);
    return why ? why : touch_check(m);
}
