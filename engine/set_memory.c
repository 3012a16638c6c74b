/* Memory types of the kernel's mappings: set_memory_uc, _wc, _wb for pages of the direct
 * map, and the types that ioremap gives (vm.h).
 *
 * Models arch/x86/mm/pat/: which bits of an entry mean a type (memtype.h has the table
 * that Linux loads into the PAT); the rule that RAM has one type at a time, so that a
 * page that is not write-back must become that first; and change_page_attr(): lazily
 * freed areas are flushed, a large page of which only a part changes is split by a table
 * from the allocator, x86-64's second mapping of the kernel image follows, TLBs are
 * flushed, and, unless the new type is write-back, the range is flushed from the caches.
 *
 * The kernel keeps a page's type in its struct page; here it is what the direct map says.
 *
 * Left out: other mappings of the page (vmap, kmap, a process's): as in the kernel, they
 * keep the type that they had.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "hardware.h"
#include "image.h"
#include "memtype.h"
#include "pgtable.h"
#include "vm.h"

enum { ERR_NOMEM = -12, ERR_BUSY = -16, ERR_INVAL = -22, FLUSH_CEILING = 33 };

uint64_t pgtable_type_flags(enum memtype type)
{
    switch (type) {
    case MEMTYPE_WC:
        return PTE_PWT;
    case MEMTYPE_UC_MINUS:
        return PTE_PCD;
    case MEMTYPE_UC:
        return PTE_PCD | PTE_PWT;
    case MEMTYPE_WP:
        return PTE_PAT | PTE_PWT;
    case MEMTYPE_WT:
        return PTE_PAT | PTE_PCD | PTE_PWT;
    default:
        return 0;
    }
}

/* Is it all write-back, and in the direct map? 0, or why not. */
static int may_reserve(const struct machine *m, uint64_t va, uint64_t nr, bool any_type)
{
    const struct kspace *k = &m->vm->kspace;
    if (va & (PAGE_SIZE - 1) || !nr || nr > m->mm->max_pfn || !kspace_is_direct(k, va) ||
        !kspace_is_direct(k, va + (nr << PAGE_SHIFT) - 1)) {
        return ERR_INVAL;
    }
    for (uint64_t i = 0; i < nr;) {
        const struct pgtable_entry e = pgtable_find(m, va + (i << PAGE_SHIFT));
        if (!e.maps) {
            return ERR_INVAL;
        }
        if (!any_type && e.value & (PTE_PCD | PTE_PWT)) {
            return ERR_BUSY;
        }
        const uint64_t pages = (uint64_t)1 << (pgtable_shift(m, e.level) - PAGE_SHIFT);
        i += pages - ((va >> PAGE_SHIFT) + i) % pages;
    }
    return 0;
}

/* x86-64 maps the kernel's image twice. */
static bool change_alias(struct machine *m, uint64_t va, uint64_t nr, uint64_t set,
                         uint64_t clear, bool *split)
{
    const struct kspace *k = &m->vm->kspace;
    const uint64_t first = (va - k->page_offset) >> PAGE_SHIFT, end = first + nr;
    struct image image;
    if (k->bits == 32 || !image_layout(&image, &m->config)) {
        return true;
    }
    const uint64_t from = first > image.start ? first : image.start;
    const uint64_t to = end < image.map_end ? end : image.map_end;
    return from >= to || pgtable_change(m, k->kernel_start + (from << PAGE_SHIFT),
                                        to - from, set, clear, split);
}

static void flush_pages(struct machine *m, uint64_t va, uint64_t nr, bool all, bool cache)
{
    fn_enter(&m->probe, FN_cpa_flush, va, nr, cache);
    if (all || nr > FLUSH_CEILING) {
        hardware_flush_tlb_all(m, hardware_all_cpus(m), true);
    } else {
        hardware_flush_tlb_range(m, va, va + (nr << PAGE_SHIFT));
    }
    for (uint64_t i = 0; cache && i < nr; i++) {
        const struct op op = {
            .kind = OP_CACHE_PAGE,
            .arg = {va + (i << PAGE_SHIFT), CACHE_FLUSH, OP_ALL},
        };
        hardware_do(m, &op);
    }
    fn_leave(&m->probe);
}

static int change_page_attr(struct machine *m, uint64_t va, uint64_t nr,
                            enum memtype type)
{
    const uint64_t set = pgtable_type_flags(type);
    const uint64_t clear = (PTE_PCD | PTE_PWT) & ~set;
    bool split = false;
    fn_enter(&m->probe, FN_change_page_attr_set_clr, va, nr, type);
    vm_unmap_aliases(m);
    const bool all = pgtable_change(m, va, nr, set, clear, &split) &&
                     change_alias(m, va, nr, set, clear, &split);
    flush_pages(m, va, nr, split, type != MEMTYPE_WB);
    fn_leave(&m->probe);
    return all ? 0 : ERR_NOMEM;
}

int64_t set_memory(struct machine *m, uint64_t va, uint64_t nr, enum memtype type)
{
    fn_enter(&m->probe, FN_set_memory, va, nr, type);
    might_sleep(m);
    int error = may_reserve(m, va, nr, type == MEMTYPE_WB);
    if (error) {
        vm_warn(m, error == ERR_BUSY ? BAD_MEMTYPE_BUSY : BAD_MEMTYPE_RANGE, va);
    } else {
        /* from one type to another only by way of UC-, for WC */
        error = type == MEMTYPE_WC ? change_page_attr(m, va, nr, MEMTYPE_UC_MINUS) : 0;
        error = error ? error : change_page_attr(m, va, nr, type);
        if (!error) {
            probe(&m->probe, EV_SET_MEMORY, va, nr, type);
        }
    }
    fn_leave(&m->probe);
    return error;
}
