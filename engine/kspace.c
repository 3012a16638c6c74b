/* The borders of the kernel's address space (kspace.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kspace.h"

#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)
#define FLOOR(v, size) ((v) & ~((uint64_t)(size)-1))

enum {
    /* fixed addresses, from the top: hole, debug port, early console, local APIC, 64
     * I/O APICs, then kmap's slots */
    FIX_KMAP_BEGIN_32 = 68,
    FIX_BEHIND_KMAP = 1,    /* PCI configuration space */
    FIX_PERMANENT_64 = 131, /* debug port, early console, local APIC, 128 I/O APICs */
    FIX_BTMAPS = 512,       /* early_ioremap's */
    FIX_WP_TEST = 1,
    /* GDT, guard, entry stack, guard, double fault stack, 5 of TSS, debug store, its
     * buffers */
    ENTRY_AREA_PAGES_32 = 5 + 5 + 1 + 32
};

/* FIX_BTMAP_END: the boot-time slots do not straddle two page tables. */
static uint64_t boot_slots_begin(uint64_t permanent, uint64_t ptrs_per_pte)
{
    uint64_t last = permanent + FIX_BTMAPS - 1;
    if ((permanent ^ last) & ~(ptrs_per_pte - 1)) {
        return permanent + FIX_BTMAPS - (permanent & (FIX_BTMAPS - 1));
    }
    return permanent;
}

static void init_32(struct kspace *l, const struct machine_config *c)
{
    const bool pae = c->arch == ARCH_I386_PAE;
    l->bits = 32;
    l->levels = pae ? 3 : 2;
    l->pmd_shift = pae ? 21 : 22;
    l->pud_shift = pae ? 30 : 22;
    l->ioremap_max_order = l->pmd_shift;
    l->fix_kmap_begin = FIX_KMAP_BEGIN_32;
    l->last_pkmap = pae ? 512 : 1024;
    l->page_offset = (uint64_t)(c->user_gib ? c->user_gib : 3) * GIB;

    const uint64_t pmd = (uint64_t)1 << l->pmd_shift;
    uint64_t permanent =
        l->fix_kmap_begin + (uint64_t)KM_MAX_IDX * c->nr_cpus + FIX_BEHIND_KMAP;
    uint64_t all =
        boot_slots_begin(permanent, pae ? 512 : 1024) + FIX_BTMAPS + FIX_WP_TEST;
    l->fixaddr_top = 0xfffff000;
    l->fixaddr_start = l->fixaddr_top - (permanent << PAGE_SHIFT);
    l->fixaddr_tot_start = l->fixaddr_top - (all << PAGE_SHIFT);
    /* one page more: the read-only IDT */
    uint64_t entry_area = (ENTRY_AREA_PAGES_32 * (uint64_t)c->nr_cpus + 1) << PAGE_SHIFT;
    l->cpu_entry_area = FLOOR(l->fixaddr_tot_start - entry_area, pmd);
    l->cpu_entry_area_end = l->cpu_entry_area + entry_area;
    l->ldt_base = FLOOR(l->cpu_entry_area - PAGE_SIZE, pmd);
    l->pkmap_base = FLOOR(l->ldt_base - PAGE_SIZE, pmd);
    l->vmalloc_end = l->pkmap_base - 2 * PAGE_SIZE;
}

static void init_64(struct kspace *l, const struct machine_config *c)
{
    const bool five = c->la57;
    l->bits = 64;
    l->levels = five ? 5 : 4;
    l->pmd_shift = 21;
    l->pud_shift = l->ioremap_max_order = 30;
    l->page_offset = five ? 0xff11000000000000 : 0xffff888000000000;
    l->ldt_base = five ? 0xff10000000000000 : 0xffff880000000000;
    l->vmalloc_start = five ? 0xffa0000000000000 : 0xffffc90000000000;
    l->vmalloc_end = l->vmalloc_start + (five ? 12800 : 32) * TIB - 1;
    l->vmemmap_start = five ? 0xffd4000000000000 : 0xffffea0000000000;
    l->cpu_entry_area = 0xfffffe0000000000; /* the fourth slot of 512 GiB from the top */
    l->cpu_entry_area_end = l->cpu_entry_area + 512 * GIB;
    l->kernel_start = 0xffffffff80000000;
    l->modules_start = l->kernel_start + 512 * MIB; /* KERNEL_IMAGE_SIZE without KASLR */
    l->modules_end = 0xffffffffff000000;
    l->fixaddr_top = 0xffffffffff7ff000;
    uint64_t permanent = FIX_PERMANENT_64;
    uint64_t all = boot_slots_begin(permanent, 512) + FIX_BTMAPS;
    l->fixaddr_start = l->fixaddr_top - (permanent << PAGE_SHIFT);
    l->fixaddr_tot_start = l->fixaddr_top - (all << PAGE_SHIFT);
}

uint64_t kspace_maxmem_pfn(const struct machine_config *c)
{
    if (c->arch == ARCH_X86_64) {
        return UINT64_MAX;
    }
    struct kspace l;
    memset(&l, 0, sizeof l);
    init_32(&l, c);
    return (l.vmalloc_end - l.page_offset - 128 * MIB) >> PAGE_SHIFT;
}

void kspace_init(struct kspace *l, const struct machine_config *c, uint64_t max_low_pfn,
                 uint64_t max_pfn)
{
    memset(l, 0, sizeof *l);
    l->nr_cpus = c->nr_cpus;
    if (c->arch == ARCH_X86_64) {
        init_64(l, c);
    } else {
        init_32(l, c);
    }
    l->high_memory = l->page_offset + (max_low_pfn << PAGE_SHIFT);
    if (l->bits == 32) {
        l->vmalloc_start = l->high_memory + 8 * MIB;
    } else {
        l->vmemmap_end = l->vmemmap_start + max_pfn * 64;
    }
}

/* ---- the table ---- */

struct list {
    struct kspace_area *at;
    uint32_t nr;
};

static void add(struct list *list, enum kspace_kind kind, uint64_t first, uint64_t end,
                const char *name, const char *who, const char *rules)
{
    if (end - 1 >= first &&
        list->nr < KSPACE_MAX_AREAS) { /* end 0: up to the last byte */
        list->at[list->nr++] =
            (struct kspace_area){kind, first, end - 1, name, who, rules};
    }
}

static const char direct_rules[] =
    "one page or many, physically contiguous: DMA-able; any context; global large pages";
static const char vmalloc_rules[] = "virtually contiguous only: DMA-able page by page; "
                                    "may sleep: never in interrupts; guard "
                                    "page behind each";
static const char kmap_rules[] =
    "one page; may sleep: only in process context; all CPUs see it";
static const char local_rules[] =
    "one page; any context, this CPU and task only; last mapped, first unmapped";
static const char fixmap_rules[] =
    "set up once, at addresses that are known when the kernel is built";

static void areas_32(const struct kspace *l, struct list *list)
{
    const uint64_t dma_end = l->page_offset + 16 * MIB;
    const uint64_t normal = dma_end < l->high_memory ? dma_end : l->high_memory;
    const uint64_t kmap_end = l->pkmap_base + ((uint64_t)l->last_pkmap << PAGE_SHIFT);
    const uint64_t pmd = (uint64_t)1 << l->pmd_shift;
    /* slot 0 is the highest: page fix_kmap_begin */
    const uint64_t local_end = kspace_fix_to_virt(l, l->fix_kmap_begin - 1);
    const uint64_t local = local_end - ((uint64_t)KM_MAX_IDX * l->nr_cpus << PAGE_SHIFT);
    add(list, AREA_USER, 0, l->page_offset, "user space",
        "mmap, brk, the stack of the current process",
        "another one for each process; the kernel may fault here");
    add(list, AREA_DIRECT, l->page_offset, normal, "direct map: DMA",
        "alloc_pages(GFP_DMA), kmalloc(GFP_DMA)", direct_rules);
    add(list, AREA_DIRECT, normal, l->high_memory, "direct map: Normal",
        "alloc_pages(GFP_KERNEL), kmalloc", direct_rules);
    add(list, AREA_HOLE, l->high_memory, l->vmalloc_start, "hole", "nobody",
        "8 MiB that catch accesses beyond memory's end");
    add(list, AREA_VMALLOC, l->vmalloc_start, l->vmalloc_end, "vmalloc",
        "vmalloc, vmap, vm_map_ram, ioremap, modules, per-CPU areas", vmalloc_rules);
    add(list, AREA_HOLE, l->vmalloc_end, l->pkmap_base, "hole", "nobody", "two pages");
    add(list, AREA_PKMAP, l->pkmap_base, kmap_end, "persistent kmap", "kmap", kmap_rules);
    add(list, AREA_HOLE, kmap_end, l->ldt_base, "hole", "nobody",
        "the rest of the page table");
    add(list, AREA_LDT, l->ldt_base, l->ldt_base + pmd, "LDT remap",
        "modify_ldt, with page table isolation", "another one for each process");
    add(list, AREA_HOLE, l->ldt_base + pmd, l->cpu_entry_area, "hole", "nobody",
        "the rest of the page table");
    add(list, AREA_CPU_ENTRY, l->cpu_entry_area, l->cpu_entry_area_end, "CPU entry areas",
        "IDT, and each CPU's GDT, TSS and entry stacks", fixmap_rules);
    add(list, AREA_HOLE, l->cpu_entry_area_end, l->fixaddr_tot_start, "hole", "nobody",
        "the rest of the page table");
    add(list, AREA_EARLY_IOREMAP, l->fixaddr_tot_start, l->fixaddr_start, "early ioremap",
        "early_ioremap, while the kernel boots", "empty afterwards");
    add(list, AREA_FIXMAP, l->fixaddr_start, local, "fixmap",
        "set_fixmap: PCI configuration space", fixmap_rules);
    add(list, AREA_KMAP_LOCAL, local, local_end, "kmap_local slots",
        "kmap_local_page, kmap_atomic", local_rules);
    add(list, AREA_FIXMAP, local_end, (uint64_t)1 << 32, "fixmap",
        "set_fixmap: APICs, early console", fixmap_rules);
}

static void areas_64(const struct kspace *l, struct list *list)
{
    const bool five = l->levels == 5;
    const uint64_t user_end = (uint64_t)1 << (five ? 56 : 47);
    const uint64_t kernel_half = ~(user_end - 1);
    const uint64_t high = l->high_memory;
    add(list, AREA_USER, 0, user_end, "user space",
        "mmap, brk, the stack of the current process",
        "another one for each process; the kernel may fault here");
    add(list, AREA_NON_CANONICAL, user_end, kernel_half, "not canonical", "nobody",
        "the upper bits do not repeat the highest one in use: a general protection "
        "fault");
    add(list, AREA_HOLE, kernel_half, l->ldt_base, "guard hole", "nobody",
        "a hypervisor's, if there is one");
    add(list, AREA_LDT, l->ldt_base, l->page_offset, "LDT remap",
        "modify_ldt, with page table isolation", "another one for each process");
    add(list, AREA_DIRECT, l->page_offset, high, "direct map",
        "alloc_pages, kmalloc: all memory", direct_rules);
    add(list, AREA_HOLE, high, l->vmalloc_start, "hole", "nobody",
        "for more memory than this machine has");
    add(list, AREA_VMALLOC, l->vmalloc_start, l->vmalloc_end + 1, "vmalloc",
        "vmalloc, vmap, vm_map_ram, ioremap, stacks, per-CPU areas", vmalloc_rules);
    add(list, AREA_HOLE, l->vmalloc_end + 1, l->vmemmap_start, "hole", "nobody",
        "unused");
    add(list, AREA_VMEMMAP, l->vmemmap_start, l->vmemmap_end, "frame table (vmemmap)",
        "the kernel, when it boots", "a struct page of 64 bytes for each frame");
    add(list, AREA_HOLE, l->vmemmap_end, l->cpu_entry_area, "hole", "nobody", "unused");
    add(list, AREA_CPU_ENTRY, l->cpu_entry_area, l->cpu_entry_area_end, "CPU entry areas",
        "IDT, and each CPU's GDT, TSS and entry stacks", fixmap_rules);
    add(list, AREA_HOLE, l->cpu_entry_area_end, l->kernel_start, "hole", "nobody",
        "espfix stacks and EFI services have places here");
    add(list, AREA_KERNEL, l->kernel_start, l->modules_start, "kernel image",
        "the kernel itself: text and data",
        "a second mapping of frames that the direct map has too");
    add(list, AREA_MODULES, l->modules_start, l->modules_end, "modules", "module_alloc",
        vmalloc_rules);
    add(list, AREA_HOLE, l->modules_end, l->fixaddr_tot_start, "hole", "nobody",
        "unused");
    add(list, AREA_EARLY_IOREMAP, l->fixaddr_tot_start, l->fixaddr_start, "early ioremap",
        "early_ioremap, while the kernel boots", "empty afterwards");
    add(list, AREA_FIXMAP, l->fixaddr_start, l->fixaddr_top + PAGE_SIZE, "fixmap",
        "set_fixmap: APICs, early console", fixmap_rules);
    add(list, AREA_HOLE, l->fixaddr_top + PAGE_SIZE, 0, "hole", "nobody", "unused");
}

uint32_t kspace_areas(const struct kspace *l, struct kspace_area areas[KSPACE_MAX_AREAS])
{
    struct list list = {areas, 0};
    if (l->bits == 32) {
        areas_32(l, &list);
    } else {
        areas_64(l, &list);
    }
    return list.nr;
}

const char *kspace_check(const struct kspace *l)
{
    struct kspace_area a[KSPACE_MAX_AREAS];
    uint32_t nr = kspace_areas(l, a);
    uint64_t next = 0;
    for (uint32_t i = 0; i < nr; i++) {
        if (a[i].first != next || a[i].last < a[i].first) {
            return "kspace: areas overlap or leave a gap (I1)";
        }
        next = a[i].last + 1;
    }
    uint64_t end = l->bits == 32 ? (uint64_t)1 << 32 : 0;
    return next == end ? NULL
                       : "kspace: the areas end before the address space does (I1)";
}
