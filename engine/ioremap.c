/* ioremap: device memory in the vmalloc area, aligned to its size (vm.h).
 *
 * Models arch/x86/mm/ioremap.c. MTRRs, which can keep the kernel from
 * using large pages, are left out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "pgtable.h"
#include "vm.h"

/* Is a page of [start, end) memory that the allocator has? */
static bool is_ram(const struct machine *m, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        const struct frame_range *r = &m->tables.ranges[i];
        uint64_t from = start > r->start ? start : r->start,
                 to = end < r->end ? end : r->end;
        if (r->kind != RANGE_PRESENT || from >= to) {
            continue;
        }
        for (uint32_t j = 0; j < m->mm->nr_ranges && from < to; j++) {
            const struct frame_range *taken = &m->tables.ranges[j]; /* sorted by start */
            if (taken->kind == RANGE_RESERVED && taken->start <= from &&
                from < taken->end) {
                from = taken->end;
            }
        }
        if (from < to) {
            return true;
        }
    }
    return false;
}

uint64_t ioremap(struct machine *m, uint64_t phys, uint64_t size, enum memtype type)
{
    const uint64_t offset = phys & (PAGE_SIZE - 1), last = phys + size - 1;
    const uint32_t bits = m->vm->kspace.bits == 64    ? 46
                          : m->vm->kspace.levels == 3 ? 36
                                                      : 32;
    uint64_t va = 0;
    fn_enter(&m->probe, FN___ioremap_caller, phys, size);
    if (!size || last < phys) {
        /* the kernel answers NULL and says nothing */
    } else if (last >> bits) {
        vm_warn(m, BAD_IOREMAP_ADDRESS, phys);
    } else if (is_ram(m, phys >> PAGE_SHIFT, (last >> PAGE_SHIFT) + 1)) {
        vm_warn(m, BAD_IOREMAP_RAM, phys);
    } else if (size > (uint64_t)4 << 30) {
        vm_warn(m, BAD_IOREMAP_LARGE, phys);
    } else {
        uint64_t first = phys >> PAGE_SHIFT, nr = (last >> PAGE_SHIFT) + 1 - first;
        uint32_t id = get_vm_area(m, nr << PAGE_SHIFT, VMAP_IOREMAP);
        if (id) {
            area_w(m, id)->detail = phys - offset;
            va = area_r(m, id)->start;
            fn_enter(&m->probe, FN_ioremap_page_range, va, va + (nr << PAGE_SHIFT), phys);
            const bool all =
                vmap_range(m, va, va + (nr << PAGE_SHIFT), first << PAGE_SHIFT,
                           pgtable_kernel_flags(m) | pgtable_type_flags(type),
                           m->vm->kspace.pud_shift);
            fn_leave(&m->probe);
            if (!all) {
                remove_vm_area(m, va);
                va = 0;
            }
        }
        va = va ? va + offset : 0;
        probe(&m->probe, EV_IOREMAP, va, phys, size);
    }
    fn_leave(&m->probe);
    return va;
}

void iounmap(struct machine *m, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    fn_enter(&m->probe, FN_iounmap, va);
    if (va > k->high_memory) {
        uint32_t id = vmap_find(m, &m->vm->busy, va & ~(uint64_t)(PAGE_SIZE - 1));
        if (!id || area_r(m, id)->kind == VMAP_RAM || area_r(m, id)->kind == VMAP_BLOCK) {
            vm_warn(m, BAD_IOUNMAP_ADDRESS, va);
        } else {
            const struct vmap_area gone = *area_r(m, id);
            remove_vm_area(m, va & ~(uint64_t)(PAGE_SIZE - 1));
            vm_lose_pages(m, &gone);
        }
    }
    fn_leave(&m->probe);
}
