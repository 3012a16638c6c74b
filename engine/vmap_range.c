/* Mapping a range in the kernel's address space, in pages as large as they fit
 * (pgtable.h).
 *
 * Models vmap_range_noflush() of mm/vmalloc.c and what arch/x86/mm/pgtable.c does for
 * it: where both addresses are multiples of a larger page, that much is left to be
 * mapped and the processor has such pages, one entry of an upper table maps it. When a
 * table of smaller pages stands there, left by a mapping that is gone, x86-64 frees it
 * (after a flush, for the paging-structure caches); PAE keeps it, because processes may
 * have copied the entry, and maps small pages. i386 without PAE never maps large pages
 * here: its kernel is built without HAVE_ARCH_HUGE_VMAP.
 *
 * Left out: MTRRs (the kernel maps a range of several types in small pages).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "pgtable.h"
#include "vm.h"

static void free_table(struct machine *m, uint64_t va, uint64_t frame, uint32_t level)
{
    probe(&m->probe, EV_PTE_FREE, level, va, frame);
    vm_w(m)->nr_tables--;
    page_free_kept(m, frame);
}

static void flush_upper(struct machine *m, uint64_t va)
{
    vm_flush_range(m, va, va + PAGE_SIZE - 1, VM_FLUSH_VMALLOC);
}

/* The table in slot, an entry of level 2, is empty. */
static bool pmd_free_pte_page(struct machine *m, uint64_t va,
                              const struct pgtable_entry *slot)
{
    if (m->vm->kspace.bits == 32) {
        return false;
    }
    fn_enter(&m->probe, FN_pmd_free_pte_page, va);
    pgtable_write_entry(m, slot->at, 0);
    flush_upper(m, va);
    free_table(m, va, pgtable_frame(m, slot->value), 1);
    fn_leave(&m->probe);
    return true;
}

/* The directory in slot, an entry of level 3, has empty tables only. */
static bool pud_free_pmd_page(struct machine *m, uint64_t va,
                              const struct pgtable_entry *slot)
{
    unsigned char tables[PGTABLE_BYTES];
    const uint64_t directory = pgtable_frame(m, slot->value);
    fn_enter(&m->probe, FN_pud_free_pmd_page, va);
    const uint64_t copy = alloc_pages(m, GFP_KERNEL, 0);
    if (copy != PFN_NONE) {
        static const unsigned char none[PGTABLE_BYTES];
        pgtable_read_table(m, directory, tables);
        pgtable_write_table(m, copy, tables);
        pgtable_write_table(m, directory, none);
        pgtable_write_entry(m, slot->at, 0);
        flush_upper(m, va);
        for (uint32_t i = 0; i < pgtable_entries(m, 2); i++) {
            const uint64_t entry = pgtable_table_entry(m, tables, i);
            if (entry) {
                free_table(m, va + ((uint64_t)i << pgtable_shift(m, 2)),
                           pgtable_frame(m, entry), 1);
            }
        }
        __free_pages(m, copy, 0);
        free_table(m, va, directory, 2);
    }
    fn_leave(&m->probe);
    return copy != PFN_NONE;
}

/* vmap_try_huge_pmd(), vmap_try_huge_pud(): with the tables above it made. False in *all:
 * no memory for those. */
static bool try_large(struct machine *m, uint64_t va, uint64_t pa, uint64_t flags,
                      uint32_t level, bool *all)
{
    struct pgtable_entry slot;
    *all = pgtable_slot(m, va, level, &slot);
    if (!*all) {
        return false;
    }
    if (slot.value & PTE_P && !(level == 2 ? pmd_free_pte_page(m, va, &slot)
                                           : pud_free_pmd_page(m, va, &slot))) {
        return false;
    }
    if (level == 2) {
        fn_enter(&m->probe, FN_pmd_set_huge, va, pa);
    } else {
        fn_enter(&m->probe, FN_pud_set_huge, va, pa);
    }
    pgtable_write_entry(m, slot.at, pa | pgtable_large_flags(flags));
    probe(&m->probe, EV_HUGE_SET, va, pa >> PAGE_SHIFT, slot.at,
          (uint64_t)1 << pgtable_shift(m, level));
    fn_leave(&m->probe);
    return true;
}

bool vmap_range(struct machine *m, uint64_t va, uint64_t end, uint64_t pa, uint64_t flags,
                uint32_t max_shift)
{
    const uint64_t start = va;
    const uint32_t levels = m->vm->kspace.levels;
    bool all = true;
    while (va < end && all) {
        uint64_t size = PAGE_SIZE;
        for (uint32_t level = levels > 3 ? 3 : 2; level > 1 && all; level--) {
            const uint64_t large = (uint64_t)1 << pgtable_shift(m, level);
            if (levels > 2 && max_shift >= pgtable_shift(m, level) &&
                pgtable_level_has_pages(m, level) && !((va | pa) & (large - 1)) &&
                end - va >= large && try_large(m, va, pa, flags, level, &all)) {
                size = large;
                break;
            }
        }
        if (all && size == PAGE_SIZE) {
            all = pgtable_set(m, va, pa >> PAGE_SHIFT, flags);
        }
        va += size;
        pa += size;
    }
    pgtable_sync_mappings(m, start, end);
    return all;
}
