/* vm_map_ram: small mappings that come and go, cut out of blocks (vm.h).
 *
 *   block   | used | used | freed | used | never used yet ...      |
 *                          dirty           from here on: free pages
 *
 * Models mm/vmalloc.c (vb_alloc, vb_free, new_vmap_block, purge_fragmented_blocks). A
 * block is cut from its front, by powers of two; what is freed in it stays dirty until
 * all of it is, or until nothing of it is in use and somebody purges. Mappings of more
 * than VMAP_MAX_ALLOC pages have areas of their own.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "context.h"
#include "pgtable.h"
#include "vm.h"

/* VMAP_BBMAP_BITS: room for 16 blocks a CPU in what the vmalloc area is guessed to
 * have. */
uint32_t vmap_block_pages(const struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    uint64_t pages = (k->bits == 32 ? (uint64_t)128 << 20 : (uint64_t)128 << 30) >>
                     PAGE_SHIFT,
             cpus = 1;
    while (cpus < k->nr_cpus) {
        cpus <<= 1;
    }
    pages = pages / cpus / 16;
    const uint64_t least = 2 * k->bits;
    pages = pages > least ? pages : least;
    return pages < 1024 ? (uint32_t)pages : 1024;
}

static uint32_t max_alloc(const struct machine *m)
{
    return m->vm->kspace.bits;
} /* VMAP_MAX_ALLOC */

static uint32_t rounded(uint64_t nr)
{
    uint32_t pages = 1;
    while (pages < nr) {
        pages <<= 1;
    }
    return pages;
}

/* ---- a CPU's queue of blocks ---- */

static void enqueue(struct machine *m, uint32_t id)
{
    struct vm *vm = vm_w(m);
    struct vmap_block *b = block_w(m, id);
    b->prev = vm->queue_last[b->cpu];
    b->next = 0;
    b->queued = 1;
    *(b->prev ? &block_w(m, b->prev)->next : &vm->queue_first[b->cpu]) = id;
    vm->queue_last[b->cpu] = id;
}

static void dequeue(struct machine *m, uint32_t id)
{
    struct vm *vm = vm_w(m);
    struct vmap_block *b = block_w(m, id);
    *(b->prev ? &block_w(m, b->prev)->next : &vm->queue_first[b->cpu]) = b->next;
    *(b->next ? &block_w(m, b->next)->prev : &vm->queue_last[b->cpu]) = b->prev;
    b->prev = b->next = b->queued = 0;
}

/* ---- blocks ---- */

static uint32_t new_vmap_block(struct machine *m)
{
    const uint64_t size = (uint64_t)vmap_block_pages(m) << PAGE_SHIFT;
    fn_enter(&m->probe, FN_new_vmap_block, m->probe.cpu);
    uint32_t id = vm_node_take(m), area = id ? alloc_vmap_area(m, size, size) : 0;
    if (area) {
        struct vmap_block *b = block_w(m, id);
        b->area = area;
        b->cpu = m->probe.cpu;
        b->free = b->dirty_min = vmap_block_pages(m);
        area_w(m, area)->kind = VMAP_BLOCK;
        area_w(m, area)->block = id;
        enqueue(m, id);
    } else if (id) {
        vm_node_give(m, id);
        id = 0;
    }
    fn_leave(&m->probe);
    return id;
}

static void free_vmap_block(struct machine *m, uint32_t id)
{
    free_vmap_area_noflush(m, block_r(m, id)->area);
    vm_node_give(m, id);
}

void purge_fragmented_blocks_allcpus(struct machine *m)
{
    const uint32_t all = vmap_block_pages(m);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        uint32_t next, id = m->vm->queue_first[cpu];
        for (; id; id = next) {
            const struct vmap_block *b = block_r(m, id);
            next = b->next;
            if (b->free + b->dirty == all && b->dirty != all) {
                dequeue(m, id);
                free_vmap_block(m, id);
            }
        }
    }
}

static uint64_t vb_alloc(struct machine *m, uint64_t nr)
{
    const uint32_t pages = rounded(nr);
    uint64_t va = 0;
    fn_enter(&m->probe, FN_vb_alloc, nr);
    uint32_t id = m->vm->queue_first[m->probe.cpu];
    while (id && block_r(m, id)->free < pages) {
        id = block_r(m, id)->next;
    }
    id = id ? id : new_vmap_block(m);
    if (id) {
        struct vmap_block *b = block_w(m, id);
        va = area_r(m, b->area)->start +
             ((uint64_t)(vmap_block_pages(m) - b->free) << PAGE_SHIFT);
        b->free -= pages;
        if (!b->free) {
            dequeue(m, id);
        }
        probe(&m->probe, EV_VB_ALLOC, va, pages, block_r(m, id)->free);
    }
    fn_leave(&m->probe);
    return va;
}

static void vb_free(struct machine *m, uint64_t va, uint64_t nr)
{
    const uint32_t pages = rounded(nr), all = vmap_block_pages(m);
    fn_enter(&m->probe, FN_vb_free, va, nr);
    uint32_t area = vmap_find(m, &m->vm->busy, va);
    if (!area || area_r(m, area)->kind != VMAP_BLOCK) {
        vm_bug(m, BAD_VFREE_NO_AREA, va);
    } else {
        uint32_t id = area_r(m, area)->block;
        uint32_t at = (uint32_t)((va - area_r(m, area)->start) >> PAGE_SHIFT);
        if (at + pages > all - block_r(m, id)->free) {
            vm_bug(m, BAD_VFREE_NO_AREA, va); /* nobody has been given that */
            fn_leave(&m->probe);
            return;
        }
        pgtable_clear_range(m, va, va + (nr << PAGE_SHIFT));
        struct vmap_block *b = block_w(m, id);
        b->dirty_min = at < b->dirty_min ? at : b->dirty_min;
        b->dirty_max = at + pages > b->dirty_max ? at + pages : b->dirty_max;
        b->dirty = b->dirty + pages < all ? b->dirty + pages : all;
        probe(&m->probe, EV_VB_FREE, va, pages, b->dirty);
        b = block_w(m, id);
        if (b->dirty == all) {
            if (b->queued) {
                dequeue(m, id); /* only after a double free */
            }
            free_vmap_block(m, id);
        }
    }
    fn_leave(&m->probe);
}

/* ---- the interface ---- */

uint64_t vm_map_ram(struct machine *m, uint64_t nr)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_vm_map_ram, nr);
    if (vm_take_staged(m, nr)) {
        uint32_t id = 0;
        if (nr <= max_alloc(m)) {
            va = vb_alloc(m, nr);
        } else {
            id = alloc_vmap_area(m, nr << PAGE_SHIFT, PAGE_SIZE);
            va = id ? area_r(m, id)->start : 0;
        }
        if (va && !vmap_pages_range(m, va, nr, vm_staged_page, pgtable_kernel_flags(m))) {
            vm_unmap_ram(m, va, nr);
            va = 0;
        }
        probe(&m->probe, EV_VMAP, va, nr);
        struct vm *vm = vm_w(m);
        arena_chunk_give(&m->arena, vm->staged);
        vm->staged = vm->nr_staged = 0;
    }
    fn_leave(&m->probe);
    return va;
}

void vm_unmap_ram(struct machine *m, uint64_t va, uint64_t nr)
{
    fn_enter(&m->probe, FN_vm_unmap_ram, va, nr);
    might_sleep(m);
    uint32_t id = nr > max_alloc(m) ? vmap_find(m, &m->vm->busy, va) : 0;
    if (!nr || va & (PAGE_SIZE - 1) || !kspace_is_vmalloc(&m->vm->kspace, va) ||
        (nr > max_alloc(m) && (!id || area_r(m, id)->kind != VMAP_RAM))) {
        vm_bug(m, BAD_VFREE_NO_AREA, va);
    } else if (nr <= max_alloc(m)) {
        vb_free(m, va, nr);
    } else {
        pgtable_clear_range(m, area_r(m, id)->start, area_r(m, id)->end);
        free_vmap_area_noflush(m, id);
    }
    fn_leave(&m->probe);
}
