/* Frees that no correct caller makes, and what the kernel makes of them.
 *
 * A kernel without CONFIG_DEBUG_VM looks at little: __free_pages takes one off _refcount,
 * and only when that becomes 0 does anything happen. So a double free makes it -1 and is
 * noticed when the page next leaves a list ("Bad page state ... nonzero _refcount"),
 * which then loses the page for ever. We do the same, and announce the wrong call when it
 * is made besides (BAD_FREE).
 *
 * Where the kernel would now hand out memory twice without noticing (the rest of a block
 * freed twice, a block that holds pages of a per-CPU list), we stop: the block leaks, and
 * the machine's lists stay whole. A page table, and a page that a process has mapped,
 * stay whose they are: the kernel would put them on a per-CPU list, and look at their
 * mapcount only when they leave it by the other end.
 *
 * I1  A page has PG_ODD if and only if its refcount is not what its state says; mm counts
 *     them, so that the fast paths look for them only after misuse.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "bad_reasons.h"

enum {
    BAD_PAGE_BURST = 60,    /* the kernel reports so many, then keeps quiet */
    SECTION_SHIFT = 27 - 12 /* SPARSEMEM: struct pages exist by sections of 128 MiB */
};

static bool has_struct_page(const struct machine *m, uint64_t frame)
{
    if (frame >= m->mm->max_pfn) {
        return false;
    }
    if (m->config.arch != ARCH_X86_64) {
        return true;
    }
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        const struct frame_range *r = &m->tables.ranges[i];
        if (r->kind == RANGE_PRESENT &&
            r->start >> SECTION_SHIFT <= frame >> SECTION_SHIFT &&
            (r->end - 1) >> SECTION_SHIFT >= frame >> SECTION_SHIFT) {
            return true;
        }
    }
    return false;
}

static bool is_reserved(const struct machine *m, uint64_t frame)
{
    return mm_frame_in(m, RANGE_RESERVED, frame) || !mm_frame_in(m, RANGE_PRESENT, frame);
}

static void bad_page(struct machine *m, uint64_t frame, enum bad_reason reason)
{
    const struct page *page = page_r(m, frame);
    fn_enter(&m->probe, FN_bad_page, frame, reason);
    probe(&m->probe, EV_BAD_PAGE, frame, reason, (int64_t)page->refcount, page->flags,
          page->order);
    fn_leave(&m->probe);
}

static void bad_free(struct machine *m, uint64_t frame, uint64_t order,
                     enum bad_reason reason)
{
    probe(&m->probe, EV_BAD_FREE, frame, order, reason,
          (int64_t)page_r(m, frame)->refcount);
}

static void lru_forget(struct machine *m, uint64_t frame)
{
    struct page *page = page_w(m, frame);
    if (page->flags & PG_LRU) {
        page->flags &= (uint8_t)~PG_LRU;
        zone_w(m, page->zone)->nr_lru -= 1ULL << page->order;
    }
}

void page_leak(struct machine *m, uint64_t frame, uint32_t order)
{
    lru_forget(m, frame);
    struct page *page = page_w(m, frame);
    page_set(page, USE_ALLOC, order, page->type, zone_of(m, frame));
    page->flags |= PG_LEAKED;
    page->op = (uint32_t)m->mm->nr_ops;
    mm_w(m)->nr_leaked += 1ULL << order;
}

bool check_new_pages(struct machine *m, uint64_t frame, uint32_t order)
{
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        if (page_r(m, frame + i)->refcount) {
            bad_page(m, frame + i, BAD_REFCOUNT);
            return true;
        }
    }
    return false;
}

bool free_page_is_bad(struct machine *m, uint64_t frame)
{
    if (page_r(m, frame)->refcount) {
        bad_page(m, frame, BAD_REFCOUNT);
        return true;
    }
    return false;
}

bool page_is_fresh(struct machine *m, uint64_t frame, uint32_t order)
{
    const struct page *page = page_r(m, frame);
    const bool fresh = page->state == USE_ALLOC && page->order == order &&
                       page->refcount == 1 && !(page->flags & (PG_SLAB | PG_KEPT));
    if (!fresh) {
        bad_free(m, frame, order, BAD_FREED_EARLY);
    }
    return fresh;
}

bool page_keep(struct machine *m, uint64_t frame)
{
    const bool fresh = page_is_fresh(m, frame, 0);
    if (fresh) {
        page_w(m, frame)->flags |= PG_KEPT;
    }
    return fresh;
}

void page_free_kept(struct machine *m, uint64_t frame)
{
    page_w(m, frame)->flags &= (uint8_t)~PG_KEPT;
    __free_pages(m, frame, 0);
}

/* _refcount is 0 or less already: one less, and nothing else happens. */
static void drop_below_zero(struct machine *m, uint64_t frame, uint64_t order,
                            enum bad_reason reason)
{
    struct page *page = page_w(m, frame);
    if (!(page->flags & PG_ODD)) {
        page->flags |= PG_ODD;
        mm_w(m)->nr_odd_pages++;
    }
    page->refcount--;
    bad_free(m, frame, order, reason);
}

/* What the kernel would find wrong with this page of a block that is being freed. */
static enum bad_reason tail_badness(const struct machine *m, uint64_t frame,
                                    uint64_t block_frame)
{
    const struct page *page = page_r(m, frame);
    uint64_t head = page_block(m, frame);
    if (head == PFN_NONE) {
        return is_reserved(m, frame) ? BAD_FLAGS_AT_FREE : BAD_REFCOUNT;
    }
    if (page->flags & PG_LRU && head != block_frame) {
        return BAD_FLAGS_AT_FREE;
    }
    if (page->refcount) {
        return BAD_REFCOUNT;
    }
    bool buddy = page->state == USE_BUDDY && !(page->flags & PG_UNBUDDY);
    return buddy ? BAD_MAPCOUNT : BAD_NONE;
}

/* free_pages_prepare's look at the tails: how many are bad. A bad page that heads a free
 * block loses its PageBuddy mark. */
static uint64_t bad_tails(struct machine *m, uint64_t frame, uint32_t order)
{
    uint64_t bad = 0;
    for (uint64_t i = 1; i < 1ULL << order; i++) {
        enum bad_reason why = tail_badness(m, frame + i, frame);
        if (why == BAD_NONE) {
            continue;
        }
        if (bad++ < BAD_PAGE_BURST) {
            bad_page(m, frame + i, why);
        }
        if (why == BAD_MAPCOUNT) {
            page_w(m, frame + i)->flags |= PG_UNBUDDY;
        }
    }
    return bad;
}

/* Blocks that nobody owns any more become part of the one that is being freed; false:
 * some page of it is on a list. */
static bool absorb(struct machine *m, uint64_t frame, uint32_t order)
{
    uint64_t end = frame + (1ULL << order);
    for (uint64_t f = frame + (1ULL << page_r(m, frame)->order); f < end;) {
        if (page_r(m, f)->state != USE_ALLOC) {
            return false;
        }
        f += 1ULL << page_r(m, f)->order;
    }
    for (uint64_t f = frame + (1ULL << page_r(m, frame)->order); f < end;) {
        uint64_t size = 1ULL << page_r(m, f)->order;
        mm_w(m)->nr_leaked -= size;
        page_forget(page_w(m, f));
        f += size;
    }
    page_w(m, frame)->order = (uint8_t)order;
    return true;
}

static bool fits_zone(const struct machine *m, uint64_t frame, uint32_t order)
{
    const struct zone *z = zone_r(m, zone_of(m, frame));
    return zone_spans_pfn(z, frame) && zone_spans_pfn(z, frame + (1ULL << order) - 1);
}

/* The block's rest has nobody who could free it. */
static void leak_rest(struct machine *m, uint64_t frame, uint32_t order)
{
    struct page *page = page_w(m, frame);
    for (uint32_t o = order; o < page->order; o++) {
        struct page *rest = page_w(m, frame + (1ULL << o));
        page_set(rest, USE_ALLOC, o, page->type, page->zone);
        rest->flags |= PG_LEAKED;
        rest->gfp = page->gfp;
        rest->cpu = page->cpu;
        rest->op = page->op;
        mm_w(m)->nr_leaked += 1ULL << o;
    }
    page->order = (uint8_t)order;
}

/* The first page of an allocated block: the count becomes 0, and the kernel believes the
 * caller's order. */
static void free_allocated(struct machine *m, uint64_t frame, uint32_t order)
{
    struct page *page = page_w(m, frame);
    uint32_t own = page->order;
    bool lru = page->flags & PG_LRU;
    lru_forget(m, frame);
    page->refcount = 0;
    if (order > own && (frame & ((1ULL << order) - 1) || !fits_zone(m, frame, order))) {
        bad_free(m, frame, order, BAD_MISALIGNED);
        page_leak(m, frame, own);
        return;
    }
    if (order != own) {
        bad_free(m, frame, order, order < own ? BAD_LOW_ORDER : BAD_HIGH_ORDER);
    }
    if (order < own) {
        leak_rest(m, frame, order);
        own = order;
    }
    if (order > PAGE_ALLOC_COSTLY_ORDER &&
        lru) { /* smaller ones are not looked at here */
        bad_page(m, frame, BAD_FLAGS_AT_FREE);
        page_leak(m, frame, own);
    } else if (bad_tails(m, frame, order)) {
        page_leak(m, frame, own);
    } else if (order > own && !absorb(m, frame, order)) {
        bad_free(m, frame, order, BAD_OVERLAP);
        page_leak(m, frame, own);
    } else {
        free_block(m, frame, order);
    }
}

/* A page that was reserved at boot: order 0 is put on the lists without a look; with a
 * higher order its reserved neighbours are noticed. */
static void free_reserved(struct machine *m, uint64_t frame, uint32_t order)
{
    page_set(page_w(m, frame), USE_ALLOC, 0, MIGRATE_UNMOVABLE, zone_of(m, frame));
    bad_free(m, frame, order, BAD_RESERVED);
    if (!order && fits_zone(m, frame, 0)) {
        mm_w(m)->nr_adopted++;
        free_block(m, frame, 0);
    } else {
        if (fits_zone(m, frame, order)) {
            bad_tails(m, frame, order);
        }
        page_w(m, frame)->flags |= PG_RESERVED | PG_LEAKED;
    }
}

/* Memory that was allocated before we looked: by single pages, or as one block if nothing
 * in it is known. */
static void free_unknown(struct machine *m, uint64_t frame, uint32_t order)
{
    uint64_t size = 1ULL << order;
    bool whole = !(frame & (size - 1)) && fits_zone(m, frame, order);
    for (uint64_t i = 0; i < size && whole; i++) {
        whole = page_block(m, frame + i) == PFN_NONE && !is_reserved(m, frame + i);
    }
    struct page *page = page_w(m, frame);
    page_set(page, USE_ALLOC, whole ? order : 0, MIGRATE_UNMOVABLE, zone_of(m, frame));
    page->refcount = 1;
    free_allocated(m, frame, order);
}

void free_misused(struct machine *m, uint64_t frame, uint64_t order)
{
    if (!has_struct_page(m, frame)) {
        probe(&m->probe, EV_OOPS, frame, BAD_WILD);
        return;
    }
    if (order >= m->mm->max_order) {
        bad_free(m, frame, order, BAD_NO_ORDER);
        return;
    }
    uint64_t head = page_block(m, frame);
    const struct page *page = page_r(m, frame);
    if (head == PFN_NONE && is_reserved(m, frame)) {
        free_reserved(m, frame, (uint32_t)order);
    } else if (head == PFN_NONE) {
        free_unknown(m, frame, (uint32_t)order);
    } else if (head != frame) {
        drop_below_zero(m, frame, order, BAD_TAIL_FREE);
    } else if (page->state != USE_ALLOC) {
        drop_below_zero(m, frame, order, BAD_DOUBLE_FREE);
    } else if (page->refcount < 1) {
        drop_below_zero(m, frame, order, BAD_LEAKED);
    } else if (page->flags & PG_SLAB) {
        /* the kernel has taken its reference all the same, and leaks it later */
        bad_page(m, frame, BAD_FLAGS_AT_FREE);
    } else if (page->flags & PG_KEPT) {
        bad_free(m, frame, order, BAD_KEPT);
    } else {
        free_allocated(m, frame, (uint32_t)order);
    }
}
