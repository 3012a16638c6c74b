/* Inside the page allocator: what its files call of one another. Outside, everything goes
 * through machine_do() and inspect.h.
 *
 *   page_alloc.c   alloc_pages, __free_pages, zonelist walk, slow path
 *   zone_watermark.c  __zone_watermark_ok, zone_watermark_fast, wakeup_kswapd
 *   pcp.c          per-CPU lists: rmqueue_pcplist, free_unref_page, drains
 *   buddy.c        free lists: __rmqueue_smallest, expand, __free_one_page
 *   fallback.c     __rmqueue, stealing, watermark boost, HighAtomic reserve
 *   misuse.c       frees that no correct caller makes, bad_page
 *
 * Functions bear the kernel's names where they do what the kernel's do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_ALLOC_H
#define ENGINE_ALLOC_H

#include "page.h"

/* On the fast path, where a call costs as much as what it does. */
#if defined __GNUC__
#define FAST static inline __attribute__((always_inline))
#else
#define FAST static inline
#endif

struct alloc_context {
    enum zone_type highest_zoneidx;
    enum migratetype migratetype;
    uint32_t preferred; /* the zone that the zonelist begins with; UINT32_MAX: none */
};

/* ---- page_alloc.c ---- */
uint64_t alloc_pages(struct machine *m, gfp_t gfp, uint64_t order);
uint64_t alloc_pages_bulk(struct machine *m, gfp_t gfp, uint64_t nr);
/* The same, and which: pages has room for nr. */
uint64_t alloc_pages_bulk_array(struct machine *m, gfp_t gfp, uint64_t nr,
                                uint64_t *pages);
void __free_pages(struct machine *m, uint64_t frame, uint64_t order);
void split_page(struct machine *m, uint64_t frame, uint64_t order);
void lru_mark(struct machine *m, uint64_t frame, bool on);
/* free_the_page: give back a block whose refcount has just become 0, through the per-CPU
 * lists or directly. */
void free_block(struct machine *m, uint64_t frame, uint32_t order);

/* ---- zone_watermark.c ---- */
bool __zone_watermark_ok(const struct machine *m, uint32_t zone, uint32_t order,
                         uint64_t mark, enum zone_type highest, uint32_t alloc_flags,
                         int64_t free_pages);
void wakeup_kswapd(struct machine *m, uint32_t zone, gfp_t gfp, uint32_t order,
                   enum zone_type highest);

/* ---- pcp.c ---- */
void drain_local_pages(struct machine *m);
void drain_all_pages(struct machine *m);
const char *pcp_check(const struct machine *m);

/* ---- buddy.c: with zone->lock held ---- */
void del_page_from_free_list(struct machine *m, uint32_t zone, uint64_t frame,
                             uint32_t order);
void move_to_free_list(struct machine *m, uint32_t zone, uint64_t frame, uint32_t order,
                       enum migratetype mt);
uint64_t __rmqueue_smallest(struct machine *m, uint32_t zone, uint32_t order,
                            enum migratetype mt);
void __free_one_page(struct machine *m, uint32_t zone, uint64_t frame, uint32_t order,
                     enum migratetype mt, bool to_tail);
/* __free_pages_ok without its checks: takes the lock itself. */
void free_one_page(struct machine *m, uint32_t zone, uint64_t frame, uint32_t order,
                   enum migratetype mt, bool to_tail);
const char *buddy_check(const struct machine *m);

/* ---- fallback.c: with zone->lock held ---- */
uint64_t __rmqueue(struct machine *m, uint32_t zone, uint32_t order, enum migratetype mt,
                   uint32_t alloc_flags);
/* These two take it themselves. */
void reserve_highatomic_pageblock(struct machine *m, uint64_t frame, uint32_t zone);
bool unreserve_highatomic_pageblock(struct machine *m, const struct alloc_context *ac,
                                    bool force);

/* ---- misuse.c ---- */
/* A free of anything but an allocated block with its own order. */
void free_misused(struct machine *m, uint64_t frame, uint64_t order);
/* check_new_pages, free_page_is_bad: true when a page is not as it has to be (reported).
 * To be asked only when mm.nr_odd_pages says that there are such pages. */
bool check_new_pages(struct machine *m, uint64_t frame, uint32_t order);
bool free_page_is_bad(struct machine *m, uint64_t frame);
/* Is the block that alloc_pages() has just answered still the caller's alone? An
 * interrupt at one of its events may have freed it (reported): no memory, then. */
bool page_is_fresh(struct machine *m, uint64_t frame, uint32_t order);
/* From now on the kernel itself has this fresh page in use, and nobody else can free it.
 * False: it is none. */
bool page_keep(struct machine *m, uint64_t frame);
void page_free_kept(struct machine *m, uint64_t frame);
/* The block leaves the allocator for ever. */
void page_leak(struct machine *m, uint64_t frame, uint32_t order);

/* ---- page states ---- */

/* Make page the head of a block of this state. Keeps what misuse left in it. */
static inline void page_set(struct page *page, enum page_use state, uint32_t order,
                            enum migratetype mt, uint32_t zone)
{
    page->state = (uint8_t)state;
    page->order = (uint8_t)order;
    page->type = (uint8_t)mt;
    page->zone = (uint8_t)zone;
}
/* The head of a block becomes a tail: it knows nothing more (I1). */
static inline void page_forget(struct page *page)
{
    int32_t refcount = page->flags & PG_ODD ? page->refcount : 0;
    uint8_t flags = page->flags & PG_ODD;
    *page = (struct page){.flags = flags, .refcount = refcount};
}

static inline bool migratetype_is_mergeable(enum migratetype mt)
{
    return mt < MIGRATE_PCPTYPES;
}
static inline uint32_t order_to_pindex(enum migratetype mt, uint32_t order)
{
    return order * MIGRATE_PCPTYPES + (uint32_t)mt;
}
static inline uint64_t pageblock_nr_pages(const struct machine *m)
{
    return 1ULL << m->mm->pageblock_order;
}

#endif
