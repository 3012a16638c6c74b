/* Slabs as pages: taking them from the page allocator and giving them back, which slab an
 * address lies in, the lists of slabs, and bytes at addresses of the direct map.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "alloc.h"
#include "hardware.h"
#include "slab.h"

static size_t slab_bytes(uint32_t num)
{
    return num <= SLAB_INLINE ? SLAB_HEADER + num * sizeof(struct slab_object)
                              : SLAB_HEADER;
}

static uint32_t nr_blocks(uint32_t num) { return (num + SLAB_INLINE - 1) / SLAB_INLINE; }

static void object_blocks_give(struct machine *m, uint32_t blocks, uint32_t nr)
{
    const uint32_t *ref = slab_block(m, blocks);
    for (uint32_t i = 0; i < nr && ref[i]; i++) {
        slab_pool_give(m, ref[i], SLAB_INLINE * sizeof(struct slab_object));
    }
    slab_pool_give(m, blocks, nr * sizeof(uint32_t));
}

/* Blocks for the objects of a slab that has too many for one: a block of references to
 * them. */
static uint32_t object_blocks_take(struct machine *m, uint32_t num)
{
    const uint32_t nr = nr_blocks(num);
    const uint32_t blocks = slab_pool_take(m, nr * sizeof(uint32_t));
    for (uint32_t i = 0; blocks && i < nr; i++) {
        const uint32_t one = slab_pool_take(m, SLAB_INLINE * sizeof(struct slab_object));
        if (!one) {
            object_blocks_give(m, blocks, nr);
            return 0;
        }
        uint32_t *refs = slab_block(m, blocks);
        arena_mark(&m->arena, refs);
        refs[i] = one;
    }
    return blocks;
}

static uint32_t slab_record_new(struct machine *m, const struct kmem_cache *c,
                                uint32_t order, uint32_t num)
{
    const uint32_t ref = slab_pool_take(m, slab_bytes(num));
    const uint32_t blocks = ref && num > SLAB_INLINE ? object_blocks_take(m, num) : 0;
    if (ref && num > SLAB_INLINE && !blocks) {
        slab_pool_give(m, ref, slab_bytes(num));
        return 0;
    }
    if (ref) {
        struct slab *s = slab_w(m, ref);
        s->cache = c->id;
        s->num = (uint16_t)num;
        s->order = (uint8_t)order;
        s->op = (uint32_t)m->mm->nr_ops;
        s->blocks = blocks;
    }
    return ref;
}

/* account_slab */
static void account(struct machine *m, const struct kmem_cache *c, uint32_t order,
                    int sign)
{
    struct slab_root *r = slab_root_w(m);
    uint64_t *nr =
        c->flags & SLAB_RECLAIM_ACCOUNT ? &r->nr_reclaimable : &r->nr_unreclaimable;
    *nr += sign < 0 ? 0 - ((uint64_t)1 << order) : (uint64_t)1 << order;
}

uint32_t slab_page_alloc_order(struct machine *m, const struct kmem_cache *c, gfp_t gfp,
                               uint32_t order, uint32_t num)
{
    fn_enter(&m->probe, FN_kmem_getpages, c->id, gfp);
    const uint64_t frame = alloc_pages(m, gfp | c->allocflags, order);
    uint32_t ref = 0;
    if (frame != PFN_NONE) {
        const bool fresh = page_is_fresh(m, frame, order);
        ref = fresh ? slab_record_new(m, c, order, num) : 0;
        if (!ref && fresh) { /* the arena is full: as if there were no pages */
            __free_pages(m, frame, order);
        }
    }
    if (ref) {
        struct slab *s = slab_w(m, ref);
        s->pfn = (uint32_t)frame;
        struct page *page = page_w(m, frame);
        page->flags |= PG_SLAB;
        page->count = ref;
        account(m, c, order, 1);
    }
    fn_leave(&m->probe);
    return ref;
}

uint32_t slab_page_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    return slab_page_alloc_order(m, c, gfp, c->gfporder, c->num);
}

void slab_page_free(struct machine *m, uint32_t ref)
{
    const struct slab *s = slab_r(m, ref);
    const uint64_t frame = s->pfn;
    const uint32_t order = s->order, num = s->num;
    fn_enter(&m->probe, FN_kmem_freepages, s->cache, frame);
    account(m, cache_r(m, s->cache), order, -1);
    if (s->blocks) {
        object_blocks_give(m, s->blocks, nr_blocks(num));
    }
    slab_pool_give(m, ref, slab_bytes(num));
    struct page *page = page_w(m, frame);
    page->flags &= (uint8_t)~PG_SLAB;
    page->count = 0;
    __free_pages(m, frame, order);
    fn_leave(&m->probe);
}

FAST uint32_t find_slab(const struct machine *m, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    const uint64_t frame = (va - k->page_offset) >> PAGE_SHIFT;
    if (!kspace_is_direct(k, va) || frame >= m->mm->nr_frames) {
        return 0;
    }
    const struct page *page = page_r(m, frame);
    if (UNLIKELY(!(page->flags & PG_SLAB))) {
        const uint64_t head = page_block(m, frame);
        page = head == PFN_NONE ? page : page_r(m, head);
    }
    return page->flags & PG_SLAB ? page->count : 0;
}

uint32_t virt_to_slab(const struct machine *m, uint64_t va) { return find_slab(m, va); }

/* ---- lists of slabs ---- */

void slab_list_add(struct machine *m, struct kmem_cache *c, uint32_t ref,
                   enum slab_list_kind kind, bool tail)
{
    arena_mark(&m->arena, c);
    struct slab_list *list = &c->list[kind];
    struct slab *s = slab_w(m, ref);
    s->list = (uint8_t)kind;
    s->prev = tail ? list->last : 0;
    s->next = tail ? 0 : list->first;
    TOUCH_NOTE(m, touch_slab_list(m, c, kind, ref, s->prev, s->next, true));
    if (s->prev) {
        slab_w(m, s->prev)->next = ref;
    } else {
        list->first = ref;
    }
    if (s->next) {
        slab_w(m, s->next)->prev = ref;
    } else {
        list->last = ref;
    }
    list->nr++;
}

void slab_list_del(struct machine *m, struct kmem_cache *c, uint32_t ref)
{
    struct slab *s = slab_w(m, ref);
    struct slab_list *list = &c->list[s->list];
    TOUCH_NOTE(m, touch_slab_list(m, c, s->list, ref, s->prev, s->next, false));
    arena_mark(&m->arena, c);
    if (s->prev) {
        slab_w(m, s->prev)->next = s->next;
    } else {
        list->first = s->next;
    }
    if (s->next) {
        slab_w(m, s->next)->prev = s->prev;
    } else {
        list->last = s->prev;
    }
    list->nr--;
    s->prev = s->next = 0;
    s->list = SLABS_NONE;
}

/* ---- bytes ---- */

/* As the kernel's own code reads and writes: the newest copy, wherever it is, and every
 * copy (hardware.h). */

bool slab_write(struct machine *m, uint64_t va, const void *bytes, size_t nr)
{
    return hardware_write_phys(m, va - m->vm->kspace.page_offset, bytes, nr);
}

void slab_read(const struct machine *m, uint64_t va, void *bytes, size_t nr)
{
    hardware_read_phys(m, va - m->vm->kspace.page_offset, bytes, nr);
}
