/* The block layer's bounce pages (dma.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "bad_reasons.h"
#include "dma.h"
#include "hardware.h"
#include "mempool.h"
#include "pgtable.h"

void vm_copy_page(struct machine *m, uint64_t page_pa, uint64_t other_pa, uint64_t size,
                  bool to_page)
{
    unsigned char bytes[PAGE_SIZE];
    const uint64_t offset = page_pa & (PAGE_SIZE - 1);
    const uint64_t va = kmap_local_page(m, page_pa >> PAGE_SHIFT);
    const uint64_t frame = va ? pgtable_translate(m, va) : PFN_NONE;
    if (frame != PFN_NONE && offset + size <= PAGE_SIZE) {
        const uint64_t mapped = frame << PAGE_SHIFT | offset;
        hardware_read_phys(m, to_page ? other_pa : mapped, bytes, (size_t)size);
        hardware_write_phys(m, to_page ? mapped : other_pa, bytes, (size_t)size);
        probe(&m->probe, EV_BOUNCE_COPY, to_page ? other_pa : mapped,
              to_page ? mapped : other_pa, size);
    }
    if (va) {
        kunmap_local(m, va);
    }
}

static struct dma_state *pool_w(struct machine *m)
{
    arena_mark(&m->arena, m->dma);
    return m->dma;
}

static struct bounce *bounce_w(struct machine *m, uint32_t i)
{
    arena_mark(&m->arena, &m->dma->bounce[i]);
    return &m->dma->bounce[i];
}

/* init_emergency_pool() */
static void make_pool(struct machine *m)
{
    struct dma_state *d = pool_w(m);
    if (d->pool_made) {
        return;
    }
    d->pool_made = 1;
    fn_enter(&m->probe, FN_init_emergency_pool);
    for (uint32_t i = 0; i < BOUNCE_POOL; i++) {
        const uint64_t frame = alloc_pages(m, GFP_KERNEL, 0);
        if (frame == PFN_NONE) {
            break;
        }
        d = pool_w(m);
        d->pool[d->nr_pool++] = (uint32_t)frame;
    }
    fn_leave(&m->probe);
}

static uint64_t mempool_alloc(struct machine *m, gfp_t gfp)
{
    uint64_t frame;
    fn_enter(&m->probe, FN_mempool_alloc, MEMPOOL_BOUNCE, gfp);
    gfp |= __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
    frame = alloc_pages(m, gfp & ~(gfp_t)(__GFP_DIRECT_RECLAIM | __GFP_IO), 0);
    if (frame == PFN_NONE && m->dma->nr_pool) {
        struct dma_state *d = pool_w(m);
        frame = d->pool[--d->nr_pool];
        d->pool[d->nr_pool] = 0;
        probe(&m->probe, EV_MEMPOOL_TAKE, frame, m->dma->nr_pool);
    } else if (frame == PFN_NONE) {
        frame = alloc_pages(m, gfp, 0);
    }
    fn_leave(&m->probe);
    return frame;
}

static void mempool_free(struct machine *m, uint64_t frame)
{
    fn_enter(&m->probe, FN_mempool_free, frame, MEMPOOL_BOUNCE);
    struct dma_state *d = pool_w(m);
    if (d->nr_pool < BOUNCE_POOL) {
        d->pool[d->nr_pool++] = (uint32_t)frame;
    } else {
        __free_pages(m, frame, 0);
    }
    fn_leave(&m->probe);
}

static uint32_t free_place(const struct machine *m)
{
    for (uint32_t i = 0; i < MAX_BOUNCES; i++) {
        if (!m->dma->bounce[i].page) {
            return i;
        }
    }
    return MAX_BOUNCES;
}

uint64_t blk_queue_bounce(struct machine *m, uint64_t frame, bool write)
{
    uint64_t page = frame;
    const uint32_t place = free_place(m);
    fn_enter(&m->probe, FN___blk_queue_bounce, frame, write);
    if (frame >= m->mm->max_pfn || place == MAX_BOUNCES) {
        probe(&m->probe, EV_BAD_CALL, OP_BLK_QUEUE_BOUNCE, frame,
              place == MAX_BOUNCES ? BAD_TOO_DEEP : BAD_WILD);
        page = PFN_NONE;
    } else if (page_is_highmem(m, frame)) {
        make_pool(m);
        page = mempool_alloc(m, GFP_NOIO);
        if (page == PFN_NONE) {
            probe(&m->probe, EV_BOUNCE_WAIT, frame);
        } else {
            struct bounce *b = bounce_w(m, place);
            *b =
                (struct bounce){(uint32_t)frame, (uint32_t)page, write, zone_of(m, page)};
            struct dma_state *d = pool_w(m);
            d->nr_bounces++;
            d->nr_bounce[b->zone]++;
            d->highest = place + 1 > d->highest ? place + 1 : d->highest;
            if (write) {
                vm_copy_page(m, frame << PAGE_SHIFT, page << PAGE_SHIFT, PAGE_SIZE,
                             false);
            }
            probe(&m->probe, EV_BOUNCE, frame, page, write);
        }
    }
    fn_leave(&m->probe);
    return page;
}

void bounce_end_io(struct machine *m, uint64_t page)
{
    uint32_t i = 0;
    fn_enter(&m->probe, FN_bounce_end_io, page);
    while (i < m->dma->highest && (!page || m->dma->bounce[i].page != page)) {
        i++;
    }
    if (i >= m->dma->highest) {
        probe(&m->probe, EV_BAD_CALL, OP_BOUNCE_END_IO, page, BAD_NOT_ALLOCATED);
    } else {
        const struct bounce b = m->dma->bounce[i];
        if (!b.write) {
            vm_copy_page(m, (uint64_t)b.orig << PAGE_SHIFT, page << PAGE_SHIFT, PAGE_SIZE,
                         true);
        }
        *bounce_w(m, i) = (struct bounce){0, 0, 0, 0};
        struct dma_state *d = pool_w(m);
        d->nr_bounces--;
        d->nr_bounce[b.zone]--;
        mempool_free(m, page);
    }
    fn_leave(&m->probe);
}

uint64_t dma_nr_bounce(const struct machine *m, uint32_t zone)
{
    return zone < MAX_ZONES ? m->dma->nr_bounce[zone] : 0;
}
