/* Fixed addresses: set_fixmap, clear_fixmap, and the boot-time ioremap that uses them
 * (vm.h).
 *
 *   early_ioremap    8 slots of 64 pages at FIX_BTMAP_BEGIN; the leak check ends its time
 *
 * Models arch/x86/mm/pgtable.c (__native_set_fixmap) and mm/early_ioremap.c. An entry is
 * flushed on this CPU only, as set_pte_vaddr() does it. early_ioremap works until
 * check_early_ioremap_leak, which stands for the end of the boot; a call after it is
 * warned of, and done.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "pgtable.h"
#include "vm.h"

enum { PAGES_A_SLOT = 64 }; /* NR_FIX_BTMAPS */

/* __end_of_fixed_addresses */
static uint64_t nr_fixed(const struct kspace *k)
{
    return (k->fixaddr_top - k->fixaddr_tot_start) >> PAGE_SHIFT;
}

/* FIX_BTMAP_BEGIN: the index of the first slot's first page, which is the lowest address;
 * indices count down from there. */
static uint64_t boot_map_begin(const struct kspace *k)
{
    const uint64_t wp_test = k->bits == 32;
    return nr_fixed(k) - 1 - wp_test;
}

static void set_fixed_pte(struct machine *m, uint64_t index, uint64_t frame,
                          uint64_t flags)
{
    const uint64_t va = kspace_fix_to_virt(&m->vm->kspace, index);
    fn_enter(&m->probe, FN___native_set_fixmap, index, frame);
    if (flags) {
        pgtable_set(m, va, frame, flags);
    } else {
        pgtable_clear(m, va);
    }
    vm_flush_one(m, va, VM_FLUSH_FIXMAP);
    fn_leave(&m->probe);
}

uint64_t set_fixmap(struct machine *m, uint64_t index, uint64_t phys, bool uncached)
{
    if (index >= nr_fixed(&m->vm->kspace)) {
        vm_bug(m, BAD_FIXMAP_INDEX, index);
        return 0;
    }
    set_fixed_pte(m, index, phys >> PAGE_SHIFT,
                  pgtable_kernel_flags(m) | (uncached ? PTE_PCD | PTE_PWT : 0));
    return kspace_fix_to_virt(&m->vm->kspace, index) + (phys & (PAGE_SIZE - 1));
}

void clear_fixmap(struct machine *m, uint64_t index)
{
    if (index >= nr_fixed(&m->vm->kspace)) {
        vm_bug(m, BAD_FIXMAP_INDEX, index);
    } else {
        set_fixed_pte(m, index, 0, 0);
    }
}

/* ---- early_ioremap ---- */

static uint64_t slot_begin(const struct machine *m, uint32_t slot)
{
    return boot_map_begin(&m->vm->kspace) - (uint64_t)PAGES_A_SLOT * slot;
}

uint64_t early_ioremap(struct machine *m, uint64_t phys, uint64_t size)
{
    const uint64_t last = phys + size - 1, offset = phys & (PAGE_SIZE - 1);
    uint32_t slot = 0;
    uint64_t va = 0;
    fn_enter(&m->probe, FN___early_ioremap, phys, size);
    if (m->vm->running) {
        vm_warn(m, BAD_EARLY_IOREMAP_LATE, phys);
    }
    while (slot < EARLY_SLOTS && m->vm->early_map[slot]) {
        slot++;
    }
    const uint64_t nr = (last >> PAGE_SHIFT) - (phys >> PAGE_SHIFT) + 1;
    if (slot == EARLY_SLOTS) {
        vm_warn(m, BAD_EARLY_IOREMAP_SLOT, phys);
    } else if (!size || last < phys) {
        vm_warn(m, BAD_EARLY_IOREMAP_SIZE, size);
    } else if (nr > PAGES_A_SLOT) {
        vm_warn(m, BAD_EARLY_IOREMAP_SIZE, size);
    } else {
        for (uint64_t i = 0; i < nr; i++) {
            set_fixed_pte(m, slot_begin(m, slot) - i, (phys >> PAGE_SHIFT) + i,
                          pgtable_kernel_flags(m));
        }
        va = kspace_fix_to_virt(&m->vm->kspace, slot_begin(m, slot)) + offset;
        vm_w(m)->early_map[slot] = va;
        vm_w(m)->early_size[slot] = size;
        probe(&m->probe, EV_EARLY_IOREMAP, va, phys, size, slot);
    }
    fn_leave(&m->probe);
    return va;
}

void early_iounmap(struct machine *m, uint64_t va, uint64_t size)
{
    uint32_t slot = 0;
    fn_enter(&m->probe, FN_early_iounmap, va, size);
    while (slot < EARLY_SLOTS && (!va || m->vm->early_map[slot] != va)) {
        slot++;
    }
    if (slot == EARLY_SLOTS) {
        vm_warn(m, BAD_EARLY_IOREMAP_SLOT, va);
    } else if (m->vm->early_size[slot] != size) {
        vm_warn(m, BAD_EARLY_IOREMAP_SIZE, size);
    } else {
        const uint64_t offset = va & (PAGE_SIZE - 1);
        const uint64_t nr = (offset + size + PAGE_SIZE - 1) >> PAGE_SHIFT;
        for (uint64_t i = 0; i < nr; i++) {
            set_fixed_pte(m, slot_begin(m, slot) - i, 0, 0);
        }
        vm_w(m)->early_map[slot] = 0;
    }
    fn_leave(&m->probe);
}

uint64_t check_early_ioremap_leak(struct machine *m)
{
    uint64_t nr = 0;
    for (uint32_t i = 0; i < EARLY_SLOTS; i++) {
        nr += m->vm->early_map[i] != 0;
    }
    if (nr) {
        vm_warn(m, BAD_EARLY_IOREMAP_LEAK, nr);
    }
    vm_w(m)->running = 1;
    return nr;
}
