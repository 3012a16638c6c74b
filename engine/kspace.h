/* The kernel's address space: where its areas begin and end.
 *
 *   i386                                        x86-64, 4 levels (5: the same with other numbers)
 *   00000000  user space                        0000000000000000  user space
 *   PAGE_OFFSET  direct map: DMA, Normal        ffff800000000000  guard hole
 *   high_memory  hole, 8 MiB                    ffff888000000000  direct map of all memory
 *   VMALLOC_START  vmalloc, vmap, ioremap       ffffc90000000000  vmalloc, vmap, ioremap
 *   PKMAP_BASE  kmap                            ffffea0000000000  frame table (vmemmap)
 *   LDT remap                                   fffffe0000000000  CPU entry areas
 *   CPU entry areas                             ffffffff80000000  kernel image
 *   FIXADDR_START  fixmap, with the slots of    ffffffffa0000000  modules
 *   FIXADDR_TOP    kmap_atomic                  ffffffffff7ff000  fixmap, downwards
 *
 * Computed as arch/x86/include/asm/{fixmap,pgtable_32_areas,pgtable_64_types}.h and
 * find_low_pfn_range() do it, for any memory size, number of CPUs and split. On 32 bits
 * everything hangs on the top: the fixed addresses grow down from there with
 * CONFIG_NR_CPUS, and what they leave decides how much memory the direct map can have.
 *
 * I1  Areas do not overlap and come in the order of their addresses.
 * I2  Nothing here changes while a machine lives, but for a loaded state that moves the
 *     end of low memory.
 *
 * Left out: KASLR, KASAN, vmalloc= (128 MiB are kept), kernels built without HighMem.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_KSPACE_H
#define ENGINE_KSPACE_H

#include "machine.h"

enum {
    KM_MAX_IDX = 16, /* kmap_local slots a CPU has, without CONFIG_DEBUG_KMAP_LOCAL */
    KSPACE_MAX_AREAS = 20
};

struct kspace {
    uint32_t bits;   /* 32 or 64 */
    uint32_t levels; /* of page tables: 2, 3, 4, 5 */
    uint32_t pmd_shift, pud_shift;
    /* IOREMAP_MAX_ORDER: log2 of an I/O mapping's largest alignment */
    uint32_t ioremap_max_order;
    uint32_t nr_cpus;        /* CONFIG_NR_CPUS */
    uint32_t fix_kmap_begin; /* FIX_KMAP_BEGIN; 32 bits only, as the next two */
    uint32_t last_pkmap;
    uint64_t pkmap_base;
    uint64_t page_offset; /* where the direct map begins */
    uint64_t high_memory; /* and ends */
    uint64_t vmalloc_start;
    /* as the kernel has it: behind the last byte on 32 bits, the last byte on 64 */
    uint64_t vmalloc_end;
    uint64_t ldt_base, cpu_entry_area, cpu_entry_area_end;
    uint64_t fixaddr_top, fixaddr_start, fixaddr_tot_start;
    uint64_t vmemmap_start, vmemmap_end; /* 64 bits only, as the rest */
    uint64_t kernel_start, modules_start, modules_end;
};

/* max_low_pfn: the end of the memory that the direct map has. */
void kspace_init(struct kspace *l, const struct machine_config *c, uint64_t max_low_pfn,
                 uint64_t max_pfn);

/* MAXMEM_PFN of a 32-bit kernel: more memory than this is HighMem. UINT64_MAX on 64
 * bits. */
uint64_t kspace_maxmem_pfn(const struct machine_config *c);

enum kspace_kind {
    AREA_USER,
    AREA_HOLE,
    AREA_DIRECT,
    AREA_VMALLOC,
    AREA_PKMAP,
    AREA_LDT,
    AREA_CPU_ENTRY,
    AREA_FIXMAP,
    AREA_KMAP_LOCAL,
    AREA_EARLY_IOREMAP,
    AREA_VMEMMAP,
    AREA_KERNEL,
    AREA_MODULES,
    AREA_NON_CANONICAL
};

struct kspace_area {
    enum kspace_kind kind;
    uint64_t first, last; /* bytes, both in it */
    const char *name;
    const char *who;   /* what allocates from it */
    const char *rules; /* what its users may and may not */
};
/* All areas of the address space, by address, without gaps where it says so. Answers
 * how many. */
uint32_t kspace_areas(const struct kspace *l, struct kspace_area areas[KSPACE_MAX_AREAS]);

/* The kernel's __va() and __pa() for the direct map, and is the address in it? */
static inline uint64_t kspace_va(const struct kspace *l, uint64_t frame)
{
    return l->page_offset + (frame << PAGE_SHIFT);
}
static inline bool kspace_is_direct(const struct kspace *l, uint64_t va)
{
    return va >= l->page_offset && va < l->high_memory;
}
static inline bool kspace_is_vmalloc(const struct kspace *l, uint64_t va)
{
    return va >= l->vmalloc_start && va < l->vmalloc_end;
}
static inline uint64_t kspace_fix_to_virt(const struct kspace *l, uint64_t index)
{
    return l->fixaddr_top - (index << PAGE_SHIFT);
}
static inline uint64_t kspace_pkmap_addr(const struct kspace *l, uint32_t nr)
{
    return l->pkmap_base + ((uint64_t)nr << PAGE_SHIFT);
}

/* The first broken invariant as text, or NULL. */
const char *kspace_check(const struct kspace *l);

#endif
