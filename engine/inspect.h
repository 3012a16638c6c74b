/* Looking at the machine: everything that a view or a script may ask. Looking never
 * changes anything: all functions take const struct machine *.
 *
 * Zones are numbered 0 .. machine_nr_zones() - 1 in the order of their addresses, only
 * populated ones.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_INSPECT_H
#define ENGINE_INSPECT_H

#include "machine.h"

struct zone_view {
    const char *name; /* "DMA", "DMA32", "Normal", "HighMem" */
    enum zone_type type;
    uint64_t start_pfn, spanned, present, managed; /* pages */
    uint64_t wmark_min, wmark_low, wmark_high, wmark_boost;
    uint64_t free;       /* NR_FREE_PAGES, the zone's counter */
    uint64_t highatomic; /* nr_reserved_highatomic */
    uint64_t pcp_pages;  /* on all CPUs' lists together */
    /* by enum zone_type of the highest zone allowed */
    uint64_t lowmem_reserve[MAX_NR_ZONES];
    uint32_t pageset_high, pageset_batch;
    uint32_t flags;
};
struct pcp_view {
    uint32_t count, high, batch, free_factor;
    int32_t free_diff, stat_threshold;
    bool locked;
};

uint32_t machine_nr_zones(const struct machine *m);
struct zone_view zone_view(const struct machine *m, uint32_t zone);
/* The zone's number by name or type; UINT32_MAX: not there. */
uint32_t zone_by_name(const struct machine *m, const char *name);
uint32_t zone_by_type(const struct machine *m, enum zone_type type);
uint32_t zone_of_pfn(const struct machine *m, pfn_t p);
uint64_t machine_totalreserve_pages(const struct machine *m);
uint64_t machine_min_free_kbytes(const struct machine *m);
uint64_t machine_max_pfn(const struct machine *m); /* frames 0 .. max_pfn - 1 can exist */
uint32_t machine_pageblock_order(const struct machine *m);

/* Free lists: blocks of 2^order pages. Walk: for (p = first; !pfn_is_none(p); p =
 * next). */
uint64_t freelist_count(const struct machine *m, uint32_t zone, uint32_t order,
                        enum migratetype mt);
pfn_t freelist_first(const struct machine *m, uint32_t zone, uint32_t order,
                     enum migratetype mt);
pfn_t freelist_next(const struct machine *m, pfn_t p);
/* all types */
uint64_t free_area_count(const struct machine *m, uint32_t zone, uint32_t order);

/* Per-CPU lists, from the head (hot) to the tail (cold); list = order *
 * MIGRATE_PCPTYPES + migratetype. */
struct pcp_view pcp_view(const struct machine *m, uint32_t zone, uint32_t cpu);
uint32_t pcp_list_count(const struct machine *m, uint32_t zone, uint32_t cpu,
                        uint32_t list);
pfn_t pcp_list_first(const struct machine *m, uint32_t zone, uint32_t cpu, uint32_t list);
pfn_t pcp_list_next(const struct machine *m, pfn_t p);

/* Pageblock types; a block that straddles zones has one for each. */
enum migratetype pageblock_type(const struct machine *m, uint32_t zone, pfn_t p);

enum page_state {
    PAGE_HOLE,      /* no memory there */
    PAGE_RESERVED,  /* kernel image, firmware, frame table */
    PAGE_FREE,      /* in a block of the buddy system */
    PAGE_PCP,       /* on a per-CPU list */
    PAGE_ALLOCATED, /* somebody's */
    NR_PAGE_STATES
};
struct page_view {
    enum page_state state;
    uint32_t zone;         /* UINT32_MAX for a hole */
    uint64_t head;         /* first page of the block it belongs to */
    uint32_t order;        /* of that block */
    enum migratetype type; /* of the list it is on, or of the pageblock */
    gfp_t gfp;             /* allocated: the flags it was asked with */
    uint8_t cpu;           /* on a per-CPU list: whose; allocated: who asked */
    bool lru, compound, highatomic;
    uint32_t refcount;
    /* machine-wide operation number that allocated or freed it (0: boot) */
    uint64_t op;
};
/* Answers for every pfn, also wild ones (a hole). Costs at most max_order looks. */
struct page_view page_view(const struct machine *m, pfn_t p);

/* The current CPU's state and the others'. */
struct cpu_view {
    enum context ctx;
    /* the kernel's layout: preempt 0xff, softirq 0xff00, hardirq 0xf0000 */
    uint32_t preempt_count;
    bool irqs_disabled, memalloc;
    uint32_t nr_locks;
    uint64_t locks[8]; /* held spinlocks, oldest first */
};
/* Names of the allocator's own locks among them; all others are numbers of the
 * timeline's strings. */
#define LOCK_ZONE(zone) (UINT64_C(1) << 63 | (zone)) /* zone->lock */
#define LOCK_PCP(zone, cpu)                                                              \
    (UINT64_C(1) << 62 | (uint64_t)(cpu) << 8 | (zone)) /* a CPU's lists */
#define LOCK_VM(locks)                                                                   \
    (UINT64_C(1) << 61 | (locks)) /* enum vm_lock: of the address space */
uint32_t machine_nr_cpus(const struct machine *m);
struct cpu_view cpu_view(const struct machine *m, uint32_t cpu);
uint64_t machine_nr_ops(const struct machine *m); /* operations done since boot */

/* Event counters as /proc/vmstat names them, by index; NULL name past the end. */
const char *vmstat_name(const struct machine *m, uint32_t i);
uint64_t vmstat_value(const struct machine *m, uint32_t i);
/* The rows of /proc/vmstat by number, pages by state first. Answers the name's length, 0
 * past the end. A row that is an event counter is read faster as that. */
enum { VMSTAT_NAME = 40 };
int vmstat_row_name(char *buf, size_t size, const struct machine *m, uint32_t row);
uint64_t vmstat_row_value(const struct machine *m, uint32_t row);

/* The files of /proc, in the kernel's exact layout (6.1). Length as snprintf. */
int proc_buddyinfo(char *buf, size_t size, const struct machine *m);
int proc_pagetypeinfo(char *buf, size_t size, const struct machine *m);
int proc_zoneinfo(char *buf, size_t size, const struct machine *m);
int proc_vmstat(char *buf, size_t size, const struct machine *m);

/* The physical memory map in few cells: a pyramid of counts over the frame table,
 * brought up to date from the arena's marks, so that drawing costs what changed. It
 * belongs to a view, not to the machine. */
struct pagemap;
struct pagemap_cell {
    uint64_t nr[NR_PAGE_STATES]; /* pages of the cell by state */
    uint64_t free_by_type[MIGRATE_TYPES];
    uint64_t alloc_by_type[MIGRATE_TYPES]; /* allocated, by the pageblock's type */
    bool changed;                          /* since the pagemap_update before the last */
};
struct pagemap *pagemap_create(struct machine *m);
void pagemap_destroy(struct pagemap *pm);
/* after any operation or seek, before reading cells */
void pagemap_update(struct pagemap *pm);
/* Counts over pages [first, first + 2^shift). */
struct pagemap_cell pagemap_cell(const struct pagemap *pm, uint64_t first_pfn,
                                 uint32_t shift);

#endif
