/* swapper_pg_dir as the boot leaves it (pgtable.h).
 *
 *   direct map        init_mem_mapping(): memory and the first MiB, in pages as large as
 *                     the memory allows; on 32 bits the first large page's worth never
 *   kernel text       mark_rodata_ro(): text and constants read-only, only text is code
 *   trampoline        set_real_mode_permissions()
 *   frame table       vmemmap_populate(), x86-64
 *   CPU entry areas   setup_cpu_entry_areas()
 *   fixmap            the local APIC and the first I/O APIC
 *   empty tables      for what is mapped later at fixed addresses (pkmap, fixmap), and on
 *                     x86-64 one for each top entry of the vmalloc area, so that no
 *                     process's root has to follow
 *
 * Large pages that the boot splits later (at the end of text, say) are split by tables of
 * the image here; the kernel takes those tables from the allocator.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "alloc.h"
#include "hardware.h"
#include "image.h"
#include "page.h"
#include "pgtable.h"

enum {
    ISA_END = 256, /* frames: the first MiB is mapped, memory or not */
    SECTION_FRAMES =
        1 << 15, /* x86-64: 128 MiB, whose part of the frame table is 2 MiB */
    LARGE_FRAMES = 512,
    MOST_RANGES = MAX_RANGES
};

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* ---- where tables lie ---- */

/* Nobody's: a loaded state may have given away what this machine's boot reserved. */
static bool is_taken(const struct machine *m, uint64_t frame)
{
    return frame < m->mm->max_pfn && page_block(m, frame) != PFN_NONE;
}

static uint64_t next_frame(struct machine *m, struct boot_span *span)
{
    while (span->nr) {
        const uint64_t frame = span->first++;
        span->nr--;
        if (!is_taken(m, frame)) {
            hardware_clear_frames(m, frame, 1);
            vm_w(m)->nr_tables++;
            return frame;
        }
    }
    return PFN_NONE;
}

uint64_t pgtable_boot_frame(struct machine *m)
{
    struct vm *vm = vm_w(m);
    struct boot_span rest = {vm->boot_table, vm->boot_end - vm->boot_table};
    uint64_t frame = next_frame(m, &rest);
    vm->boot_table = rest.first;
    return frame;
}

uint64_t pgtable_bare_frames(const struct machine_config *c, uint64_t max_pfn)
{
    /* one for each 512 large pages, and one for each large page that is not whole, or
     * each one there is on a processor without them */
    const uint64_t directories = (max_pfn >> 18) + (max_pfn >> 27) + 2;
    const uint64_t ragged = 2 * MAX_MEMMAP + 2;
    const bool all_small = c->arch == ARCH_I386 && !c->hw.pse;
    const uint64_t low = min_u64(max_pfn, kspace_maxmem_pfn(c));
    return VM_BOOT_TABLES + directories + ragged + (all_small ? low / 1024 + 1 : 0);
}

static void find_places(struct machine *m)
{
    struct vm *vm = vm_w(m);
    struct image image;
    if (image_layout(&image, &m->config)) {
        const uint64_t most = image.end - image.rodata_end;
        vm->boot_end = image.end;
        vm->boot_table = image.end - min_u64(most, VM_BOOT_TABLES);
    } else {
        vm->boot_table = m->mm->max_pfn;
        vm->boot_end = m->mm->max_pfn + pgtable_bare_frames(&m->config, m->mm->max_pfn);
    }
}

/* ---- the direct map ---- */

struct direct {
    struct machine *m;
    uint64_t flags;          /* of a 4 KiB page */
    uint64_t end;            /* frames: where it ends */
    struct boot_span tables; /* reserved for it */
    uint64_t memory[MOST_RANGES][2];
    uint32_t nr_memory;
};

enum much { NOTHING, PART, ALL };

/* How much of [first, end) is memory? */
static enum much memory_in(const struct direct *d, uint64_t first, uint64_t end)
{
    for (uint32_t i = 0; i < d->nr_memory; i++) {
        if (d->memory[i][0] < end && d->memory[i][1] > first) {
            return d->memory[i][0] <= first && d->memory[i][1] >= end ? ALL : PART;
        }
    }
    return NOTHING;
}

static uint64_t frame_of(const struct direct *d, uint64_t va)
{
    return (va - d->m->vm->kspace.page_offset) >> PAGE_SHIFT;
}

static uint64_t direct_frame(struct direct *d)
{
    uint64_t frame = next_frame(d->m, &d->tables);
    return frame == PFN_NONE ? pgtable_boot_frame(d->m) : frame;
}

static bool may_be_large(const struct direct *d, uint32_t level, uint64_t first,
                         uint64_t end)
{
    const struct machine *m = d->m;
    return pgtable_level_has_pages(m, level) && end <= d->end &&
           !(m->vm->kspace.bits == 32 && first == 0) && memory_in(d, first, end) == ALL;
}

/* Fill a table's entries for [va, end), all in this table. */
static void fill(struct direct *d, uint32_t level, uint64_t table, uint64_t va,
                 uint64_t end)
{
    struct machine *m = d->m;
    const uint64_t size = (uint64_t)1 << pgtable_shift(m, level),
                   frames = size >> PAGE_SHIFT;
    const bool all =
        level > 1 && level <= 2 && memory_in(d, frame_of(d, va), frame_of(d, end)) == ALL;
    unsigned char bytes[PGTABLE_BYTES];
    pgtable_read_table(m, table, bytes);
    while (va < end) {
        const uint64_t next = min_u64(end, (va & ~(size - 1)) + size);
        const uint64_t first = frame_of(d, va & ~(size - 1));
        const uint32_t index = pgtable_index(m, va, level);
        uint64_t entry = 0;
        if (level == 1) {
            const bool there = first < ISA_END || memory_in(d, first, first + 1) == ALL;
            entry = there ? first << PAGE_SHIFT | d->flags : 0;
        } else if ((all && first && first + frames <= d->end &&
                    pgtable_level_has_pages(m, level)) ||
                   may_be_large(d, level, first, first + frames)) {
            entry = first << PAGE_SHIFT | d->flags | PTE_PS;
        } else if (first < ISA_END || memory_in(d, first, first + frames) != NOTHING) {
            const uint64_t old = pgtable_table_entry(m, bytes, index);
            const uint64_t frame = old & PTE_P ? pgtable_frame(m, old) : direct_frame(d);
            if (frame == PFN_NONE) {
                break; /* the image is too small for its tables: the rest stays away */
            }
            entry = pgtable_pointer(m, frame, level);
            fill(d, level - 1, frame, va, next);
        }
        pgtable_table_set(m, bytes, index, entry);
        va = next;
    }
    pgtable_write_table(m, table, bytes);
}

static void map_memory(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    struct direct d = {.m = m,
                       .flags = pgtable_kernel_flags(m),
                       .end = (k->high_memory - k->page_offset) >> PAGE_SHIFT,
                       .tables = m->places.direct_tables};
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        if (m->tables.ranges[i].kind == RANGE_PRESENT) {
            d.memory[d.nr_memory][0] = m->tables.ranges[i].start;
            d.memory[d.nr_memory++][1] = m->tables.ranges[i].end;
        }
    }
    fill(&d, k->levels, m->vm->pgd, k->page_offset, k->high_memory);
}

/* ---- flags of what is mapped ---- */

/* Without PAE the entries of large pages are copied into each process's root. */
static bool write_everywhere(struct machine *m, const struct pgtable_entry *e,
                             uint64_t value)
{
    const uint64_t in_table = e->at & (PGTABLE_BYTES - 1);
    for (uint32_t i = 0; m->vm->kspace.levels == e->level && i < m->vm->nr_roots; i++) {
        const uint64_t root = (uint64_t)m->vm_tables.roots[i] << PAGE_SHIFT;
        pgtable_write_entry(m, root + in_table, value);
    }
    return pgtable_write_entry(m, e->at, value);
}

/* A frame for a table that is split off: of the image while the kernel boots, later from
 * the allocator. */
static uint64_t split_frame(struct machine *m, bool boot)
{
    if (boot) {
        return pgtable_boot_frame(m);
    }
    uint64_t frame = alloc_pages(m, GFP_KERNEL, 0);
    if (frame != PFN_NONE && !page_keep(m, frame)) {
        frame = PFN_NONE;
    }
    vm_w(m)->nr_tables += frame != PFN_NONE;
    return frame;
}

/* A large page becomes a table of smaller ones with the same flags. */
static bool split(struct machine *m, const struct pgtable_entry *e, bool boot)
{
    unsigned char bytes[PGTABLE_BYTES];
    const uint64_t frame = split_frame(m, boot);
    if (frame == PFN_NONE) {
        return false;
    }
    const uint32_t below = e->level - 1;
    const uint64_t step = (uint64_t)1 << (pgtable_shift(m, below) - PAGE_SHIFT);
    const uint64_t pages = step * pgtable_entries(m, below);
    const uint64_t first = pgtable_frame(m, e->value) & ~(pages - 1);
    const uint64_t flags =
        (e->value & (0xfff | PTE_NX)) & ~(below == 1 ? (uint64_t)PTE_PS : 0);
    memset(bytes, 0, sizeof bytes);
    for (uint32_t i = 0; i < pgtable_entries(m, below); i++) {
        pgtable_table_set(m, bytes, i, (first + i * step) << PAGE_SHIFT | flags);
    }
    /* _KERNPG_TABLE has no U */
    const uint64_t pointer =
        pgtable_pointer(m, frame, e->level) & ~(boot ? 0 : (uint64_t)PTE_U);
    if (!pgtable_write_table(m, frame, bytes) || !write_everywhere(m, e, pointer)) {
        return false;
    }
    if (!boot) {
        probe(&m->probe, EV_HUGE_SPLIT, first, pages << PAGE_SHIFT, frame);
    }
    return true;
}

static bool protect(struct machine *m, uint64_t va, uint64_t nr_pages, uint64_t set,
                    uint64_t clear, bool boot, bool *was_split)
{
    set &= ~(m->config.hw.nx ? 0 : PTE_NX);
    while (nr_pages) {
        const struct pgtable_entry e = pgtable_find(m, va);
        const uint64_t pages = (uint64_t)1 << (pgtable_shift(m, e.level) - PAGE_SHIFT);
        const uint64_t in = va >> PAGE_SHIFT & (pages - 1);
        const uint64_t value = (e.value | set) & ~clear;
        if (e.maps && value != e.value) {
            if (in || nr_pages < pages) {
                *was_split = true;
                if (!split(m, &e, boot)) {
                    return false;
                }
                continue;
            }
            write_everywhere(m, &e, value);
        }
        const uint64_t done = min_u64(nr_pages, pages - in);
        va += done << PAGE_SHIFT;
        nr_pages -= done;
    }
    return true;
}

bool pgtable_protect(struct machine *m, uint64_t va, uint64_t nr_pages, uint64_t set,
                     uint64_t clear)
{
    bool was_split;
    return protect(m, va, nr_pages, set, clear, true, &was_split);
}

bool pgtable_change(struct machine *m, uint64_t va, uint64_t nr_pages, uint64_t set,
                    uint64_t clear, bool *was_split)
{
    return protect(m, va, nr_pages, set, clear, false, was_split);
}

/* [first, end) of frames in the direct map. */
static void protect_direct(struct machine *m, uint64_t first, uint64_t end, uint64_t set,
                           uint64_t clear)
{
    pgtable_protect(m, kspace_va(&m->vm->kspace, first), end - first, set, clear);
}

static void protect_image(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    struct image i;
    if (!image_layout(&i, &m->config)) {
        return;
    }
    if (k->bits == 32) {
        protect_direct(m, i.start, i.rodata_end, 0, PTE_W);
        protect_direct(m, i.start, i.text_end, 0, PTE_NX);
        protect_direct(m, i.idt, i.idt + 1, 0, PTE_W);
        return;
    }
    /* the second mapping is the one that runs; the first is never code */
    const uint64_t large = (uint64_t)LARGE_FRAMES << PAGE_SHIFT;
    const uint64_t from = (i.start << PAGE_SHIFT) & ~(large - 1);
    for (uint64_t at = from; at < i.map_end << PAGE_SHIFT; at += large) {
        uint64_t slot = pgtable_boot_slot(m, k->kernel_start + at, 2);
        if (slot) {
            pgtable_write_entry(m, slot, at | pgtable_kernel_flags(m) | PTE_PS);
        }
    }
    const struct {
        uint64_t first, end, set, clear;
    } parts[] = {{i.start, i.text_end, 0, PTE_W | PTE_NX},
                 {i.rodata, i.rodata_end, 0, PTE_W},
                 {i.idt, i.idt + 1, 0, PTE_W}};
    for (uint32_t n = 0; n < sizeof parts / sizeof parts[0]; n++) {
        pgtable_protect(m, k->kernel_start + (parts[n].first << PAGE_SHIFT),
                        parts[n].end - parts[n].first, parts[n].set, parts[n].clear);
        protect_direct(m, parts[n].first, parts[n].end, 0, PTE_W);
    }
}

/* The code with which other CPUs start lies as high as it can below 640 KiB; its header
 * and text are read-only, its text is code. */
static void protect_trampoline(struct machine *m)
{
    const uint64_t pages = m->vm->kspace.bits == 64 ? 6 : 4, most = 0xa0;
    uint64_t end = 0;
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) { /* by address */
        const struct frame_range *r = &m->tables.ranges[i];
        if (r->kind == RANGE_PRESENT && min_u64(r->end, most) >= r->start + pages) {
            end = min_u64(r->end, most);
        }
    }
    if (end && m->places.percpu.nr) {
        protect_direct(m, end - pages, end - pages + 2, 0, PTE_W);
        protect_direct(m, end - pages + 1, end - pages + 2, 0, PTE_NX);
    }
}

/* ---- the frame table ---- */

static void map_frame_table(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    const uint64_t large = (uint64_t)LARGE_FRAMES << PAGE_SHIFT;
    struct boot_span tables = m->places.memmap_tables;
    uint64_t frame = m->places.memmap.first, nr = m->places.memmap.nr, done = 0;
    for (uint32_t i = 0; k->bits == 64 && i < m->mm->nr_ranges; i++) {
        const struct frame_range *r = &m->tables.ranges[i];
        uint64_t section = r->start / SECTION_FRAMES;
        section = section > done ? section : done;
        for (; r->kind == RANGE_PRESENT && section * SECTION_FRAMES < r->end && nr;
             section++) {
            const uint64_t va = k->vmemmap_start + section * large;
            struct pgtable_entry e = pgtable_find(m, va);
            while (e.level > 2 && !(e.value & PTE_P)) {
                uint64_t table = next_frame(m, &tables);
                table = table == PFN_NONE ? pgtable_boot_frame(m) : table;
                if (table == PFN_NONE) {
                    return;
                }
                pgtable_write_entry(m, e.at, pgtable_pointer(m, table, e.level));
                e = pgtable_find(m, va);
            }
            pgtable_write_entry(m, e.at,
                                frame << PAGE_SHIFT | pgtable_kernel_flags(m) | PTE_PS);
            frame += LARGE_FRAMES;
            nr -= LARGE_FRAMES;
            done = section + 1;
        }
    }
}

/* ---- fixed addresses ---- */

static void map_page(struct machine *m, uint64_t va, uint64_t frame, uint64_t flags)
{
    uint64_t slot = pgtable_boot_slot(m, va, 1);
    if (slot) {
        pgtable_write_entry(m, slot, frame << PAGE_SHIFT | flags);
    }
}

/* A CPU's pages there: how many of what, in the order of their addresses. */
enum part_kind { HOLE, READ_ONLY, WRITABLE, DEBUG_STORE, DEBUG_BUFFERS };
struct entry_part {
    uint32_t nr;
    enum part_kind kind;
};

/* GDT, guard, entry stack, guard, double fault stack, TSS, what debugging may need */
static const struct entry_part entry_32[] = {
    {1, WRITABLE}, {1, HOLE},        {1, WRITABLE},       {1, HOLE}, {1, WRITABLE},
    {5, WRITABLE}, {1, DEBUG_STORE}, {32, DEBUG_BUFFERS}, {0, HOLE}};
/* GDT, entry stack, TSS, stacks for double faults, NMIs, debug exceptions and machine
 * checks with guards between, room for two more, what debugging may need */
static const struct entry_part entry_64[] = {
    {1, READ_ONLY}, {1, WRITABLE}, {5, READ_ONLY},   {1, HOLE},           {2, WRITABLE},
    {1, HOLE},      {2, WRITABLE}, {1, HOLE},        {2, WRITABLE},       {1, HOLE},
    {2, WRITABLE},  {7, HOLE},     {1, DEBUG_STORE}, {32, DEBUG_BUFFERS}, {0, HOLE}};

static uint64_t part_flags(const struct machine *m, enum part_kind kind)
{
    const uint64_t usual = pgtable_kernel_flags(m);
    switch (kind) {
    case READ_ONLY:
        return usual & ~(uint64_t)PTE_W;
    case WRITABLE:
        return usual;
    case DEBUG_STORE:
        return m->config.hw.intel ? usual : 0;
    default:
        return 0;
    }
}

static void map_entry_areas(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    /* PROT_NONE; where entries have 64 bits the frame is inverted, against L1TF */
    const uint64_t nowhere = pgtable_entry_bytes(m) == 8 ? 0xffffffffff : 0;
    struct image image;
    uint64_t va = k->cpu_entry_area;
    if (!image_layout(&image, &m->config)) {
        return;
    }
    map_page(m, va, image.idt, part_flags(m, READ_ONLY));
    va += PAGE_SIZE;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        uint64_t frame = m->places.percpu.first + cpu * m->places.percpu_stride;
        const struct entry_part *part = k->bits == 32 ? entry_32 : entry_64;
        for (; part->nr; part++) {
            for (uint32_t i = 0; i < part->nr; i++, va += PAGE_SIZE) {
                const uint64_t flags = part_flags(m, part->kind);
                if (flags) {
                    map_page(m, va, frame++, flags);
                } else if (part->kind == DEBUG_BUFFERS && m->config.hw.intel) {
                    map_page(m, va, nowhere, PTE_A | PTE_G);
                }
            }
        }
    }
}

static void map_fixmap(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    const uint64_t step = (uint64_t)1 << k->pmd_shift;
    const uint64_t flags = pgtable_kernel_flags(m) | PTE_PCD | PTE_PWT;
    const uint64_t apic = k->bits == 32 ? 3 : 2; /* FIX_APIC_BASE */
    const uint64_t end = k->bits == 32 ? (uint64_t)1 << 32 : k->fixaddr_top + PAGE_SIZE;
    if (k->bits == 32) {
        pgtable_boot_slot(m, k->pkmap_base, 1);
        for (uint64_t va = k->cpu_entry_area; va < k->cpu_entry_area_end; va += step) {
            pgtable_boot_slot(m, va, 1);
        }
    }
    for (uint64_t va = (k->fixaddr_tot_start + PAGE_SIZE) & ~(step - 1); va < end;
         va += step) {
        pgtable_boot_slot(m, va, 1);
    }
    if (m->places.percpu.nr) { /* a PC rather than a bare machine */
        map_page(m, kspace_fix_to_virt(k, apic), 0xfee00, flags);
        map_page(m, kspace_fix_to_virt(k, apic + 1), 0xfec00, flags);
    }
}

/* preallocate_vmalloc_pages() */
static void prepare_vmalloc(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    if (k->bits == 64) {
        const uint64_t step = (uint64_t)1 << pgtable_shift(m, k->levels);
        for (uint64_t va = k->vmalloc_start; va < k->vmalloc_end; va += step) {
            pgtable_boot_slot(m, va, k->levels - 1);
        }
    }
}

void pgtable_boot(struct machine *m)
{
    find_places(m);
    const uint64_t root = pgtable_boot_frame(m);
    vm_w(m)->pgd = root;
    if (root != PFN_NONE) {
        map_memory(m);
        map_frame_table(m);
        map_fixmap(m);
        map_entry_areas(m);
        prepare_vmalloc(m);
        protect_image(m);
        protect_trampoline(m);
    }
}
