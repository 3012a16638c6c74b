/* struct mm: the state of the simulated kernel's memory management, in the arena.
 *
 *   root chunk    struct mm with its zones: what nearly every operation touches, 4 KiB
 *   struct cpu    one per CPU: context, preempt count, held locks, and for each zone the
 *                 figures of its page lists, struct pcp (the lists' heads: page.h)
 *   pageblocks    a byte per pageblock and zone: its migratetype
 *   frame table   page.h
 *   ranges        where memory is, what of it is reserved: intervals, no flags in pages
 *
 * Models include/linux/mmzone.h (struct zone, free_area, per_cpu_pages,
 * per_cpu_zonestat), without NUMA, CMA and hot-plug: one node, so its zonelist is the
 * zones from the highest one allowed down to the lowest.
 *
 * I1  Nothing here holds a host address; every padding byte stays 0 (the arena's bytes
 *     are digested).
 * I2  Who writes marks first: mm_w(), zone_w(), pcp_w(), cpu_w(), page_w() (page.h) do so
 *     and answer the place.
 * I3  In an operation the root chunk and the current CPU's are marked all the time
 *     (machine_do marks them, and does so again after each hook), so mm_hot(),
 *     zone_hot(), cpu_hot() and pcp_hot() need not.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_MM_H
#define ENGINE_MM_H

#include <stdalign.h>

#include "machine.h"

enum { MAX_ZONES = 4, MAX_LOCKS = 8, MAX_IRQ_NEST = 8 };

enum wmark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

/* zone->flags, with the kernel's bit numbers */
enum { ZONE_BOOSTED_WATERMARK = 1 << 0, ZONE_RECLAIM_ACTIVE = 1 << 1 };

/* CONFIG_PCP_BATCH_SCALE_MAX, watermark_boost_factor, MAX_RECLAIM_RETRIES */
enum {
    PCP_BATCH_SCALE_MAX = 5,
    WATERMARK_BOOST_FACTOR = 15000,
    MAX_RECLAIM_RETRIES = 16
};

/* ALLOC_*: what one attempt may do. The two lowest bits choose the watermark (enum
 * wmark). Values as in mm/internal.h, so that __GFP_HIGH and __GFP_KSWAPD_RECLAIM are the
 * bits that they turn into. */
#define ALLOC_FLAGS(X)                                                                   \
    X(ALLOC_NO_WATERMARKS, 0x04, "no watermark counts")                                  \
    X(ALLOC_OOM, 0x08, "for a task that the OOM killer chose: half of the reserve")      \
    X(ALLOC_NON_BLOCK, 0x10, "the caller cannot sleep: a quarter more of the reserve")   \
    X(ALLOC_MIN_RESERVE, 0x20, "__GFP_HIGH: half of the min watermark may be used")      \
    X(ALLOC_CPUSET, 0x40, "only from the task's cpuset")                                 \
    X(ALLOC_NOFRAGMENT, 0x100, "do not mix migratetypes in a pageblock")                 \
    X(ALLOC_HIGHATOMIC, 0x200, "the HighAtomic reserve may be used")                     \
    X(ALLOC_KSWAPD, 0x800, "kswapd may be woken")
#define ALLOC_ENUM_(name, value, meaning) name = value,
enum alloc_flag { ALLOC_FLAGS(ALLOC_ENUM_) ALLOC_WMARK_MASK = 3 };
#undef ALLOC_ENUM_
enum {
    ALLOC_RESERVES = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM
};

/* Event counters as in /proc/vmstat: VM_EVENT(id, "name there"). pgalloc_* in the order
 * of enum zone_type. */
#define VM_EVENTS(X)                                                                     \
    X(PGALLOC_DMA, "pgalloc_dma")                                                        \
    X(PGALLOC_DMA32, "pgalloc_dma32")                                                    \
    X(PGALLOC_NORMAL, "pgalloc_normal")                                                  \
    X(PGALLOC_HIGH, "pgalloc_high")                                                      \
    X(PGALLOC_MOVABLE, "pgalloc_movable")                                                \
    X(ALLOCSTALL_DMA, "allocstall_dma")                                                  \
    X(ALLOCSTALL_DMA32, "allocstall_dma32")                                              \
    X(ALLOCSTALL_NORMAL, "allocstall_normal")                                            \
    X(ALLOCSTALL_HIGH, "allocstall_high")                                                \
    X(ALLOCSTALL_MOVABLE, "allocstall_movable")                                          \
    X(PGFREE, "pgfree")                                                                  \
    X(OOM_KILL, "oom_kill")                                                              \
    X(COMPACTSTALL, "compact_stall")                                                     \
    X(COMPACTFAIL, "compact_fail")                                                       \
    X(COMPACTSUCCESS, "compact_success")
#define VM_EVENT_ENUM_(id, name) VME_##id,
enum vm_event { VM_EVENTS(VM_EVENT_ENUM_) NR_VM_EVENTS };
#undef VM_EVENT_ENUM_

struct zone {
    alignas(512) uint64_t start_pfn;
    uint64_t spanned, present, managed; /* pages */
    /* vm_stat[NR_FREE_PAGES], without what CPUs hold back (pcp.free_diff) */
    int64_t free;
    uint64_t watermark[NR_WMARK]; /* without the boost; zone_wmark() adds it */
    uint64_t watermark_boost;
    uint64_t lowmem_reserve[MAX_NR_ZONES]; /* by the type of the highest zone that the
                                              request allows */
    uint64_t nr_reserved_highatomic;
    uint64_t percpu_drift_mark;
    uint64_t nr_free[MAX_ORDER]; /* free_area[].nr_free: blocks, all types */
    uint64_t pageblock_first;    /* where its migratetypes begin in the pageblock table */
    uint32_t pageset_high, pageset_batch;
    uint64_t nr_lru; /* pages on the LRU: what reclaim could count on */
    uint32_t flags;
    uint32_t type; /* enum zone_type */
};

struct pcp { /* per_cpu_pages and per_cpu_zonestat of one CPU and zone */
    alignas(64) int32_t count; /* pages on all lists together */
    int32_t high, batch;
    int32_t free_factor; /* batch is doubled so often when freeing */
    int32_t free_diff;   /* vm_stat_diff[NR_FREE_PAGES] */
    int32_t stat_threshold;
    uint32_t locked;
    uint32_t pad;
};

struct cpu {
    alignas(512) uint32_t
        preempt_count; /* preempt 0xff, softirq 0xff00, hardirq 0xf0000 */
    uint32_t irqs_disabled;
    uint32_t memalloc; /* PF_MEMALLOC of the current task */
    uint32_t nr_locks;
    uint64_t locks[MAX_LOCKS]; /* held spinlocks' names, oldest first */
    uint32_t nr_irq_saved;
    /* irqs_disabled before each hardirq that we are in */
    uint32_t irq_saved[MAX_IRQ_NEST];
    /* preempt_disable()s that were not taken back; the rest of preempt_count is of locks
     * and of the allocators. And as many as there were when the softirq began. */
    uint32_t nr_disabled, softirq_disabled;
    struct pcp pcps[MAX_ZONES];
};

/* fault_inject.h: requests that fail on purpose */
enum fault_point { FAIL_PAGE_ALLOC, FAILSLAB, NR_FAULT_POINTS };
struct fault_attr {
    uint32_t probability, interval;
    int32_t times, space;
    uint64_t count; /* requests that interval has seen */
    uint8_t ignore_gfp_wait, ignore_gfp_highmem;
    uint16_t min_order;
    uint32_t cache_filter;
    uint64_t calls, injected;
};
struct fault_state {
    uint32_t on;       /* somebody has set something; 0: all of this is 0 */
    uint32_t fail_nth; /* so many requests from here one fails; 0: none */
    uint64_t random;
    struct fault_attr attr[NR_FAULT_POINTS];
};

struct mm {
    alignas(4096)
        uint64_t nr_ops; /* operations done since boot, the one under way included */
    uint32_t nr_zones, nr_cpus;
    uint32_t max_order, pageblock_order;
    uint32_t has_dma, has_dma32, has_highmem; /* CONFIG_ZONE_*: what gfp_zone() knows */
    uint32_t pcp_cold;    /* option: __GFP_COLD takes from the cold end */
    uint8_t gfp_zone[16]; /* the highest zone type allowed, by the four zone bits */
    uint32_t first_zone[MAX_NR_ZONES]; /* where the zonelist for that type begins */
    uint32_t no_pcp;    /* option: pages go to and come from the buddy system alone */
    uint64_t max_pfn;   /* frames 0 .. max_pfn - 1 can exist */
    uint64_t nr_frames; /* max_pfn rounded up to whole top blocks: size of the table */
    uint64_t totalreserve_pages;
    uint64_t min_free_kbytes;
    int64_t user_min_free_kbytes; /* -1: nobody set it */
    uint32_t lowmem_reserve_ratio[MAX_NR_ZONES];
    uint32_t kswapd_order;           /* what kswapd was asked for and has not done */
    uint32_t kswapd_highest_zoneidx; /* MAX_NR_ZONES: nothing */
    uint32_t nr_ranges;
    uint32_t zones_locked; /* zone->lock held: a bit per zone */
    uint32_t kswapd_awake; /* woken in this operation: no second time */
    uint64_t nr_odd_pages; /* pages whose refcount is not what their state says (after
                              misuse) */
    uint64_t nr_leaked;    /* pages lost to bad_page() or to a free of too low an order */
    uint64_t nr_adopted;   /* reserved pages that were freed all the same */
    uint64_t vm_event[NR_VM_EVENTS];
    struct fault_state faults;
    struct zone zones[MAX_ZONES]; /* by address; the first nr_zones are there */
};
_Static_assert(sizeof(struct mm) == 4096, "the root is one chunk");
_Static_assert(sizeof(struct zone) == 512 && sizeof(struct cpu) == 512,
               "fixed layouts (I1)");

/* An interval of the physical memory map. Sorted by kind and start; intervals of a kind
 * do not touch. */
enum range_kind { RANGE_PRESENT, RANGE_RESERVED };
struct frame_range {
    uint64_t start, end; /* pfns, end is not in it */
    uint64_t kind;
};
enum { MAX_RANGES = 128 };

/* ---- creation, in this order (boot.c) ---- */

/* Bytes of arena that mm_create takes for max_pfn frames. */
uint64_t mm_arena_bytes(const struct machine_config *c, uint64_t max_pfn);
/* Allocate the root and all tables; no zones yet. False: the arena is too small. */
bool mm_create(struct machine *m, uint64_t max_pfn);
/* A range of frames is memory (usable or not, but with pages), or reserved (never given
 * to the allocator). Frames outside of all present ranges are holes. False: more than
 * MAX_RANGES. */
bool mm_add_range(struct machine *m, enum range_kind kind, uint64_t start_pfn,
                  uint64_t end_pfn);
/* Append a populated zone; zones come in the order of their addresses and do not overlap.
 * All its pageblocks are Movable (a first one that begins below the zone: Unmovable, as
 * memmap_init leaves it). Answers its number. */
uint32_t mm_add_zone(struct machine *m, enum zone_type type, uint64_t start_pfn,
                     uint64_t spanned, uint64_t present);
/* __free_pages_core: hand boot memory to the allocator, at the tail of its list; managed
 * grows. */
void free_pages_core(struct machine *m, pfn_t first, uint32_t order);

/* free_highmem_page for each page of a block, which merges them: at the head. */
void free_highmem_block(struct machine *m, pfn_t first, uint32_t order);

bool mm_frame_in(const struct machine *m, enum range_kind kind, uint64_t frame);

/* ---- reading and writing ---- */

static inline const struct zone *zone_r(const struct machine *m, uint32_t zone)
{
    return &m->mm->zones[zone];
}
static inline struct mm *mm_w(struct machine *m)
{
    arena_mark(&m->arena, m->mm);
    return m->mm;
}
static inline struct zone *zone_w(struct machine *m, uint32_t zone)
{
    arena_mark(&m->arena, m->mm);
    return &m->mm->zones[zone];
}
static inline const struct pcp *pcp_r(const struct machine *m, uint32_t zone,
                                      uint32_t cpu)
{
    return &m->tables.cpus[cpu].pcps[zone];
}
static inline struct pcp *pcp_w(struct machine *m, uint32_t zone, uint32_t cpu)
{
    struct cpu *c = &m->tables.cpus[cpu];
    arena_mark(&m->arena, c);
    return &c->pcps[zone];
}
static inline const struct cpu *cpu_r(const struct machine *m, uint32_t cpu)
{
    return &m->tables.cpus[cpu];
}
static inline struct cpu *cpu_w(struct machine *m, uint32_t cpu)
{
    struct cpu *c = &m->tables.cpus[cpu];
    arena_mark(&m->arena, c);
    return c;
}

static inline struct mm *mm_hot(struct machine *m) { return m->mm; }
static inline struct zone *zone_hot(struct machine *m, uint32_t zone)
{
    return &m->mm->zones[zone];
}
/* The current CPU's. */
static inline struct cpu *cpu_hot(struct machine *m) { return m->cpu; }
static inline struct pcp *pcp_hot(struct machine *m, uint32_t zone)
{
    return &cpu_hot(m)->pcps[zone];
}
static inline void mm_mark_hot(struct machine *m)
{
    arena_mark(&m->arena, m->mm);
    arena_mark(&m->arena, cpu_hot(m));
}

static inline uint64_t zone_end_pfn(const struct zone *z)
{
    return z->start_pfn + z->spanned;
}
static inline bool zone_spans_pfn(const struct zone *z, uint64_t p)
{
    return p >= z->start_pfn && p < zone_end_pfn(z);
}
/* A watermark as tests use it: the boost counts. */
static inline uint64_t zone_wmark(const struct zone *z, enum wmark w)
{
    return z->watermark[w] + z->watermark_boost;
}
/* The zone whose page this is; frames below the first or between zones count to the one
 * before them (they are reserved there). */
static inline uint32_t zone_of(const struct machine *m, uint64_t p)
{
    uint32_t z = m->mm->nr_zones - 1;
    while (z > 0 && p < m->mm->zones[z].start_pfn) {
        z--;
    }
    return z;
}

/* ---- pageblocks ---- */

static inline uint64_t pageblock_index(const struct machine *m, const struct zone *z,
                                       uint64_t p)
{
    uint32_t shift = m->mm->pageblock_order;
    uint64_t first = z->start_pfn >> shift, at = p >> shift;
    return z->pageblock_first + (at > first ? at - first : 0);
}
static inline enum migratetype pageblock_get(const struct machine *m, uint32_t zone,
                                             uint64_t p)
{
    return (enum migratetype)m->tables.pageblocks[pageblock_index(m, zone_r(m, zone), p)];
}
static inline void pageblock_set(struct machine *m, uint32_t zone, uint64_t p,
                                 enum migratetype mt)
{
    uint8_t *at = &m->tables.pageblocks[pageblock_index(m, zone_r(m, zone), p)];
    arena_mark(&m->arena, at);
    *at = (uint8_t)mt;
}

#endif
