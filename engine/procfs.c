/* The files of /proc that tell about memory, as kernel 6.1 prints them: mm/vmstat.c.
 *
 * The configuration that they show is that of the golden records: no NUMA, no CMA, no
 * memory isolation (so no type Isolate), no transparent huge pages. Counters of things
 * that the machine does not have (yet) are 0; all lines are there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "dma.h"
#include "inspect.h"
#include "mm.h"
#include "page.h"
#include "slab.h"
#include "text.h"

enum {
    SHOWN_TYPES = MIGRATE_ISOLATE,
    NR_SHOWN_ZONES = 4,
    ITEM_NR_BOUNCE = 8,
    FREECOUNT_MOST = 100000, /* pagetypeinfo stops counting a list there */
    SECTION_PAGES_64 = 1 << (27 - PAGE_SHIFT),
    DIRTY_RATIO = 20 * PAGE_SIZE / 100,
    DIRTY_BACKGROUND_RATIO = 10 * PAGE_SIZE / 100
};

static const char *const type_names[SHOWN_TYPES] = {"Unmovable", "Movable", "Reclaimable",
                                                    "HighAtomic"};

/* The zones that a kernel of this architecture knows, populated or not. */
struct shown_zone {
    enum zone_type type;
    const char *name, *suffix; /* as in pgalloc_normal */
};

static const struct shown_zone *shown_zones(const struct machine *m)
{
    static const struct shown_zone narrow[NR_SHOWN_ZONES] = {
        {ZONE_DMA, "DMA", "dma"},
        {ZONE_NORMAL, "Normal", "normal"},
        {ZONE_HIGHMEM, "HighMem", "high"},
        {ZONE_MOVABLE, "Movable", "movable"}};
    static const struct shown_zone wide[NR_SHOWN_ZONES] = {
        {ZONE_DMA, "DMA", "dma"},
        {ZONE_DMA32, "DMA32", "dma32"},
        {ZONE_NORMAL, "Normal", "normal"},
        {ZONE_MOVABLE, "Movable", "movable"}};
    return m->mm->has_dma32 ? wide : narrow;
}

/* ---- buddyinfo ---- */

int proc_buddyinfo(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    text_put(&t, "%s", "");
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        text_put(&t, "Node 0, zone %8s ", zone_view(m, z).name);
        for (uint32_t order = 0; order < m->mm->max_order; order++) {
            text_put(&t, "%6" PRIu64 " ", free_area_count(m, z, order));
        }
        text_put(&t, "\n");
    }
    return t.len;
}

/* ---- pagetypeinfo ---- */

static void put_free_counts(struct text *t, const struct machine *m, uint32_t zone)
{
    for (int type = 0; type < SHOWN_TYPES; type++) {
        text_put(t, "Node %4d, zone %8s, type %12s ", 0, zone_view(m, zone).name,
                 type_names[type]);
        for (uint32_t order = 0; order < m->mm->max_order; order++) {
            uint64_t nr = freelist_count(m, zone, order, (enum migratetype)type);
            bool over = nr >= FREECOUNT_MOST;
            text_put(t, "%s%6" PRIu64 " ", over ? ">" : "", over ? FREECOUNT_MOST : nr);
        }
        text_put(t, "\n");
    }
}

/* Does the frame's section of the frame table exist? Without sections (32 bit) all do. */
static bool frame_online(const struct machine *m, uint64_t frame)
{
    if (!m->mm->has_dma32) {
        return true;
    }
    uint64_t first = frame & ~(uint64_t)(SECTION_PAGES_64 - 1);
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        const struct frame_range *r = &m->tables.ranges[i];
        if (r->kind == RANGE_PRESENT && r->start < first + SECTION_PAGES_64 &&
            r->end > first) {
            return true;
        }
    }
    return false;
}

/* Steps of a pageblock from the zone's first frame, as the kernel's: a last part that is
 * shorter is not seen when the zone does not begin at a pageblock. */
static void put_block_counts(struct text *t, const struct machine *m, uint32_t zone)
{
    const struct zone *z = zone_r(m, zone);
    uint64_t count[MIGRATE_TYPES] = {0};
    const uint64_t step = (uint64_t)1 << m->mm->pageblock_order;
    for (uint64_t p = z->start_pfn; p < zone_end_pfn(z); p += step) {
        if (frame_online(m, p)) {
            count[pageblock_get(m, zone, p)]++;
        }
    }
    text_put(t, "Node 0, zone %8s ", zone_view(m, zone).name);
    for (int type = 0; type < SHOWN_TYPES; type++) {
        text_put(t, "%12" PRIu64 " ", count[type]);
    }
    text_put(t, "\n");
}

int proc_pagetypeinfo(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    text_put(&t, "Page block order: %u\nPages per block:  %u\n\n%-43s ",
             m->mm->pageblock_order, 1u << m->mm->pageblock_order,
             "Free pages count per migrate type at order");
    for (uint32_t order = 0; order < m->mm->max_order; order++) {
        text_put(&t, "%6u ", order);
    }
    text_put(&t, "\n");
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        put_free_counts(&t, m, z);
    }
    text_put(&t, "\n%-23s", "Number of blocks type ");
    for (int type = 0; type < SHOWN_TYPES; type++) {
        text_put(&t, "%12s ", type_names[type]);
    }
    text_put(&t, "\n");
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        put_block_counts(&t, m, z);
    }
    return t.len;
}

/* ---- counters ---- */

static const char *const zone_items[] = {"nr_free_pages",
                                         "nr_zone_inactive_anon",
                                         "nr_zone_active_anon",
                                         "nr_zone_inactive_file",
                                         "nr_zone_active_file",
                                         "nr_zone_unevictable",
                                         "nr_zone_write_pending",
                                         "nr_mlock",
                                         "nr_bounce",
                                         "nr_free_cma"};

static const char *const node_items[] = {"nr_inactive_anon",
                                         "nr_active_anon",
                                         "nr_inactive_file",
                                         "nr_active_file",
                                         "nr_unevictable",
                                         "nr_slab_reclaimable",
                                         "nr_slab_unreclaimable",
                                         "nr_isolated_anon",
                                         "nr_isolated_file",
                                         "workingset_nodes",
                                         "workingset_refault_anon",
                                         "workingset_refault_file",
                                         "workingset_activate_anon",
                                         "workingset_activate_file",
                                         "workingset_restore_anon",
                                         "workingset_restore_file",
                                         "workingset_nodereclaim",
                                         "nr_anon_pages",
                                         "nr_mapped",
                                         "nr_file_pages",
                                         "nr_dirty",
                                         "nr_writeback",
                                         "nr_writeback_temp",
                                         "nr_shmem",
                                         "nr_shmem_hugepages",
                                         "nr_shmem_pmdmapped",
                                         "nr_file_hugepages",
                                         "nr_file_pmdmapped",
                                         "nr_anon_transparent_hugepages",
                                         "nr_vmscan_write",
                                         "nr_vmscan_immediate_reclaim",
                                         "nr_dirtied",
                                         "nr_written",
                                         "nr_throttled_written",
                                         "nr_kernel_misc_reclaimable",
                                         "nr_foll_pin_acquired",
                                         "nr_foll_pin_released",
                                         "nr_kernel_stack",
                                         "nr_page_table_pages",
                                         "nr_sec_page_table_pages"};

/* After the counters per zone (pgalloc, allocstall, pgskip). */
static const char *const late_items[] = {"pgfree",
                                         "pgactivate",
                                         "pgdeactivate",
                                         "pglazyfree",
                                         "pgfault",
                                         "pgmajfault",
                                         "pglazyfreed",
                                         "pgrefill",
                                         "pgreuse",
                                         "pgsteal_kswapd",
                                         "pgsteal_direct",
                                         "pgdemote_kswapd",
                                         "pgdemote_direct",
                                         "pgscan_kswapd",
                                         "pgscan_direct",
                                         "pgscan_direct_throttle",
                                         "pgscan_anon",
                                         "pgscan_file",
                                         "pgsteal_anon",
                                         "pgsteal_file",
                                         "pginodesteal",
                                         "slabs_scanned",
                                         "kswapd_inodesteal",
                                         "kswapd_low_wmark_hit_quickly",
                                         "kswapd_high_wmark_hit_quickly",
                                         "pageoutrun",
                                         "pgrotated",
                                         "drop_pagecache",
                                         "drop_slab",
                                         "oom_kill",
                                         "pgmigrate_success",
                                         "pgmigrate_fail",
                                         "thp_migration_success",
                                         "thp_migration_fail",
                                         "thp_migration_split",
                                         "compact_migrate_scanned",
                                         "compact_free_scanned",
                                         "compact_isolated",
                                         "compact_stall",
                                         "compact_fail",
                                         "compact_success",
                                         "compact_daemon_wake",
                                         "compact_daemon_migrate_scanned",
                                         "compact_daemon_free_scanned",
                                         "unevictable_pgs_culled",
                                         "unevictable_pgs_scanned",
                                         "unevictable_pgs_rescued",
                                         "unevictable_pgs_mlocked",
                                         "unevictable_pgs_munlocked",
                                         "unevictable_pgs_cleared",
                                         "unevictable_pgs_stranded",
                                         "direct_map_level2_splits",
                                         "direct_map_level3_splits",
                                         "nr_unstable"};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static uint64_t event_count(const struct machine *m, const char *name)
{
    for (uint32_t i = 0; vmstat_name(m, i); i++) {
        if (!strcmp(vmstat_name(m, i), name)) {
            return vmstat_value(m, i);
        }
    }
    return 0;
}

/* User pages that were put on the LRU are new anonymous ones: inactive. */
static uint64_t zone_item(const struct machine *m, uint32_t zone, size_t item)
{
    return item == 0                ? zone_view(m, zone).free
           : item == 1              ? zone_r(m, zone)->nr_lru
           : item == ITEM_NR_BOUNCE ? dma_nr_bounce(m, zone)
                                    : 0;
}

static uint64_t item_of_all(const struct machine *m, size_t item)
{
    uint64_t sum = 0;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        sum += zone_item(m, z, item);
    }
    return sum;
}

static uint64_t node_item(const struct machine *m, size_t item)
{
    enum { SLAB_RECLAIMABLE = 5, SLAB_UNRECLAIMABLE };
    return item == 0                    ? item_of_all(m, 1)
           : item == SLAB_RECLAIMABLE   ? m->slab->nr_reclaimable
           : item == SLAB_UNRECLAIMABLE ? m->slab->nr_unreclaimable
                                        : 0;
}

/* ---- zoneinfo ---- */

static void put_protection(struct text *t, const struct machine *m,
                           const uint64_t *reserve)
{
    const struct shown_zone *shown = shown_zones(m);
    text_put(t, "        protection: (");
    for (int i = 0; i < NR_SHOWN_ZONES; i++) {
        text_put(t, "%s%" PRIu64, i ? ", " : "", reserve ? reserve[shown[i].type] : 0);
    }
    text_put(t, ")\n");
}

static void put_marks(struct text *t, const uint64_t marks[9])
{
    static const char *const names[9] = {
        "pages free     ", "      boost    ", "      min      ",
        "      low      ", "      high     ", "      spanned  ",
        "      present  ", "      managed  ", "      cma      "};
    for (int i = 0; i < 9; i++) {
        text_put(t, "  %s%" PRIu64 "\n", names[i], marks[i]);
    }
}

/* A zone without memory still has marks when it counts as HighMem: its minimum is never
 * under 32. */
static void put_empty_zone(struct text *t, const struct machine *m, enum zone_type type)
{
    bool high = zone_by_type(m, ZONE_HIGHMEM) != UINT32_MAX;
    uint64_t least = type == ZONE_HIGHMEM || (type == ZONE_MOVABLE && high) ? 32 : 0;
    put_marks(t, (const uint64_t[9]){0, 0, least, least, least, 0, 0, 0, 0});
    put_protection(t, m, NULL);
}

static void put_zone(struct text *t, const struct machine *m, uint32_t zone)
{
    const struct zone *z = zone_r(m, zone);
    const uint64_t marks[9] = {zone_view(m, zone).free,
                               z->watermark_boost,
                               zone_wmark(z, WMARK_MIN),
                               zone_wmark(z, WMARK_LOW),
                               zone_wmark(z, WMARK_HIGH),
                               z->spanned,
                               z->present,
                               z->managed,
                               0};
    put_marks(t, marks);
    put_protection(t, m, z->lowmem_reserve);
    for (size_t i = 0; i < COUNT_OF(zone_items); i++) {
        text_put(t, "      %-12s %" PRIu64 "\n", zone_items[i], zone_item(m, zone, i));
    }
    text_put(t, "  pagesets\n");
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const struct pcp *p = pcp_r(m, zone, cpu);
        text_put(t,
                 "    cpu: %u\n              count: %d\n              high:  %d\n"
                 "              batch: %d\n  vm stats threshold: %d\n",
                 cpu, p->count, p->high, p->batch, p->stat_threshold);
    }
    text_put(t, "  node_unreclaimable:  0\n  start_pfn:           %" PRIu64 "\n",
             z->start_pfn);
}

int proc_zoneinfo(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    const struct shown_zone *shown = shown_zones(m);
    bool node_done = false;
    for (int i = 0; i < NR_SHOWN_ZONES; i++) {
        uint32_t zone = zone_by_type(m, shown[i].type);
        text_put(&t, "Node 0, zone %8s\n", shown[i].name);
        if (zone == UINT32_MAX) {
            put_empty_zone(&t, m, shown[i].type);
            continue;
        }
        if (!node_done) {
            text_put(&t, "  per-node stats\n");
            for (size_t n = 0; n < COUNT_OF(node_items); n++) {
                text_put(&t, "      %-12s %" PRIu64 "\n", node_items[n], node_item(m, n));
            }
            node_done = true;
        }
        put_zone(&t, m, zone);
    }
    return t.len;
}

/* ---- vmstat ---- */

/* Pages that may become dirty page cache: free ones above the reserves, but not
 * HighMem's. */
static uint64_t dirtyable_memory(const struct machine *m)
{
    uint64_t free = item_of_all(m, 0), reserve = m->mm->totalreserve_pages, high = 0;
    free -= reserve < free ? reserve : free;
    uint32_t zone = zone_by_type(m, ZONE_HIGHMEM);
    if (zone != UINT32_MAX) {
        uint64_t mark = zone_wmark(zone_r(m, zone), WMARK_HIGH);
        high = zone_view(m, zone).free;
        high -= mark < high ? mark : high;
    }
    return free - (high < free ? high : free) + 1;
}

static const char *const per_zone[] = {"pgalloc", "allocstall", "pgskip"};
static const char *const early[] = {"pgpgin", "pgpgout", "pswpin", "pswpout"};
static const char *const thresholds[] = {"nr_dirty_threshold",
                                         "nr_dirty_background_threshold"};
enum {
    ROWS_ZONE = COUNT_OF(zone_items),
    ROWS_NODE = ROWS_ZONE + COUNT_OF(node_items),
    ROWS_THRESHOLD = ROWS_NODE + COUNT_OF(thresholds),
    ROWS_EARLY = ROWS_THRESHOLD + COUNT_OF(early),
    ROWS_PER_ZONE = ROWS_EARLY + COUNT_OF(per_zone) * NR_SHOWN_ZONES,
    ROWS = ROWS_PER_ZONE + COUNT_OF(late_items)
};

int vmstat_row_name(char *buf, size_t size, const struct machine *m, uint32_t row)
{
    const uint32_t of = row - ROWS_EARLY; /* where it is one per zone */
    if (row >= ROWS_EARLY && row < ROWS_PER_ZONE) {
        return snprintf(buf, size, "%s_%s", per_zone[of / NR_SHOWN_ZONES],
                        shown_zones(m)[of % NR_SHOWN_ZONES].suffix);
    }
    return row >= ROWS ? 0
                       : snprintf(buf, size, "%s",
                                  row < ROWS_ZONE        ? zone_items[row]
                                  : row < ROWS_NODE      ? node_items[row - ROWS_ZONE]
                                  : row < ROWS_THRESHOLD ? thresholds[row - ROWS_NODE]
                                  : row < ROWS_EARLY     ? early[row - ROWS_THRESHOLD]
                                                     : late_items[row - ROWS_PER_ZONE]);
}

uint64_t vmstat_row_value(const struct machine *m, uint32_t row)
{
    char name[VMSTAT_NAME];
    if (row < ROWS_ZONE) {
        return item_of_all(m, row);
    }
    if (row < ROWS_NODE) {
        return node_item(m, row - ROWS_ZONE);
    }
    if (row < ROWS_THRESHOLD) {
        return dirtyable_memory(m) *
               (row == ROWS_NODE ? DIRTY_RATIO : DIRTY_BACKGROUND_RATIO) / PAGE_SIZE;
    }
    return vmstat_row_name(name, sizeof name, m, row) ? event_count(m, name) : 0;
}

int proc_vmstat(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    char name[VMSTAT_NAME];
    for (uint32_t row = 0; vmstat_row_name(name, sizeof name, m, row); row++) {
        text_put(&t, "%s %" PRIu64 "\n", name, vmstat_row_value(m, row));
    }
    return t.len;
}
