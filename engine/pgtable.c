/* The kernel's page tables (pgtable.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pgtable.h"

#include "alloc.h"
#include "hardware.h"

#define FRAME_MASK_64 0x000ffffffffff000u

/* _PAGE_TABLE: present, writable, user, accessed, dirty. A PAE directory pointer is
 * present, no more. */
enum { TABLE_FLAGS = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D };

static uint32_t entry_bytes(const struct machine *m)
{
    return m->vm->kspace.levels == 2 ? 4 : 8;
}

uint32_t pgtable_entry_bytes(const struct machine *m) { return entry_bytes(m); }

/* Index bits of a table of this level, 1 the last. */
static uint32_t index_bits(const struct machine *m, uint32_t level)
{
    return m->vm->kspace.levels == 2                 ? 10
           : m->vm->kspace.levels == 3 && level == 3 ? 2
                                                     : 9;
}

static uint32_t level_shift(const struct machine *m, uint32_t level)
{
    return PAGE_SHIFT + (level - 1) * (m->vm->kspace.levels == 2 ? 10 : 9);
}

uint32_t pgtable_shift(const struct machine *m, uint32_t level)
{
    return level_shift(m, level);
}

uint32_t pgtable_entries(const struct machine *m, uint32_t level)
{
    return 1u << index_bits(m, level);
}

uint32_t pgtable_index(const struct machine *m, uint64_t va, uint32_t level)
{
    return (uint32_t)(va >> level_shift(m, level)) & (pgtable_entries(m, level) - 1);
}

static uint64_t read_entry(const struct machine *m, uint64_t at)
{
    unsigned char bytes[8] = {0};
    uint32_t size = entry_bytes(m);
    uint64_t v = 0;
    hardware_read_phys(m, at, bytes, size);
    for (uint32_t i = 0; i < size; i++) {
        v |= (uint64_t)bytes[i] << 8 * i;
    }
    return v;
}

static bool write_entry(struct machine *m, uint64_t at, uint64_t v)
{
    unsigned char bytes[8];
    uint32_t size = entry_bytes(m);
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(v >> 8 * i);
    }
    return hardware_write_phys(m, at, bytes, size);
}

static uint64_t entry_address(const struct machine *m, uint64_t table, uint64_t va,
                              uint32_t level)
{
    uint64_t index =
        va >> level_shift(m, level) & (((uint64_t)1 << index_bits(m, level)) - 1);
    return (table << PAGE_SHIFT) + index * entry_bytes(m);
}

uint64_t pgtable_frame(const struct machine *m, uint64_t entry)
{
    return (entry & (entry_bytes(m) == 4 ? 0xfffff000 : FRAME_MASK_64)) >> PAGE_SHIFT;
}

uint64_t pgtable_kernel_flags(const struct machine *m)
{
    return PTE_P | PTE_W | PTE_A | PTE_D | (m->config.hw.pge ? PTE_G : 0) |
           (entry_bytes(m) == 8 && m->config.hw.nx ? PTE_NX : 0);
}

bool pgtable_level_has_pages(const struct machine *m, uint32_t level)
{
    switch (m->vm->kspace.levels) {
    case 2:
        return level == 2 && m->config.hw.pse;
    case 3:
        return level == 2;
    default:
        return level == 2 || (level == 3 && m->config.hw.gbpages);
    }
}

bool pgtable_maps_page(const struct machine *m, uint64_t entry, uint32_t level)
{
    if (level == 1) {
        return true;
    }
    const uint32_t most = m->vm->kspace.levels > 3 ? 3 : 2;
    return (entry & PTE_PS) && level <= most &&
           (m->vm->kspace.levels > 2 || pgtable_level_has_pages(m, level));
}

/* From the top table in this frame, no further down than to this level. */
static struct pgtable_entry find_from(const struct machine *m, uint64_t table,
                                      uint64_t va, uint32_t lowest)
{
    struct pgtable_entry e = {.level = m->vm->kspace.levels};
    if (table == PFN_NONE) {
        return e;
    }
    for (;; e.level--) {
        e.at = entry_address(m, table, va, e.level);
        e.value = read_entry(m, e.at);
        e.maps = (e.value & PTE_P) && pgtable_maps_page(m, e.value, e.level);
        if (e.maps || e.level == lowest || !(e.value & PTE_P)) {
            return e;
        }
        table = pgtable_frame(m, e.value);
    }
}

/* As pgtable_find(), but no further down than to this level. */
static struct pgtable_entry find_down_to(const struct machine *m, uint64_t va,
                                         uint32_t lowest)
{
    return find_from(m, m->vm->pgd, va, lowest);
}

struct pgtable_entry pgtable_find(const struct machine *m, uint64_t va)
{
    return find_down_to(m, va, 1);
}

struct pgtable_entry pgtable_find_in(const struct machine *m, uint64_t root, uint64_t va)
{
    return find_from(m, root, va, 1);
}

uint64_t pgtable_entry_frame(const struct machine *m, const struct pgtable_entry *e,
                             uint64_t va)
{
    if (!e->maps) {
        return PFN_NONE;
    }
    const uint64_t pages = (uint64_t)1 << (level_shift(m, e->level) - PAGE_SHIFT);
    return (pgtable_frame(m, e->value) & ~(pages - 1)) | (va >> PAGE_SHIFT & (pages - 1));
}

uint64_t pgtable_translate(const struct machine *m, uint64_t va)
{
    const struct pgtable_entry e = pgtable_find(m, va);
    return pgtable_entry_frame(m, &e, va);
}

/* Where va's last entry is; 0: there is no table for it. */
static uint64_t find(const struct machine *m, uint64_t va)
{
    const struct pgtable_entry e = pgtable_find(m, va);
    return e.level == 1 ? e.at : 0;
}

uint64_t pgtable_get(const struct machine *m, uint64_t va)
{
    uint64_t at = find(m, va);
    return at ? read_entry(m, at) : 0;
}

/* Tables for addresses that the kernel fixes when it is built. */
static bool is_boot_table(const struct machine *m, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    return k->bits == 32 ? va >= k->pkmap_base : va >= k->kernel_start;
}

/* A frame of zeros for a table; PFN_NONE: no memory. */
static uint64_t new_table(struct machine *m, uint64_t va, uint32_t level)
{
    uint64_t frame;
    fn_enter(&m->probe, FN___pte_alloc_kernel, va, level);
    if (is_boot_table(m, va)) {
        frame = pgtable_boot_frame(m);
    } else {
        frame = alloc_pages(m, GFP_KERNEL | __GFP_ZERO, 0);
        if (frame != PFN_NONE && !page_keep(m, frame)) {
            frame = PFN_NONE;
        }
        vm_w(m)->nr_tables += frame != PFN_NONE;
    }
    if (frame != PFN_NONE) {
        probe(&m->probe, EV_PTE_ALLOC, level, va, frame);
    }
    fn_leave(&m->probe);
    return frame;
}

bool pgtable_slot(struct machine *m, uint64_t va, uint32_t level,
                  struct pgtable_entry *slot)
{
    for (;;) {
        const struct pgtable_entry e = find_down_to(m, va, level);
        *slot = e;
        if (e.level == level || e.maps || !e.at) {
            return e.level == level && e.at;
        }
        uint64_t frame = new_table(m, va, e.level - 1);
        if (frame == PFN_NONE ||
            !write_entry(m, e.at, pgtable_pointer(m, frame, e.level))) {
            return false;
        }
    }
}

uint64_t pgtable_pointer(const struct machine *m, uint64_t frame, uint32_t level)
{
    const bool directory = level == 3 && m->vm->kspace.levels == 3;
    return frame << PAGE_SHIFT | (directory ? PTE_P : TABLE_FLAGS);
}

uint64_t pgtable_boot_slot(struct machine *m, uint64_t va, uint32_t level)
{
    for (;;) {
        const struct pgtable_entry e = pgtable_find(m, va);
        if (e.level <= level || e.maps || !e.at) {
            return e.level == level ? e.at : 0;
        }
        uint64_t frame = pgtable_boot_frame(m);
        if (frame == PFN_NONE ||
            !write_entry(m, e.at, pgtable_pointer(m, frame, e.level))) {
            return 0;
        }
    }
}

uint64_t pgtable_read_entry(const struct machine *m, uint64_t at)
{
    return read_entry(m, at);
}

bool pgtable_write_entry(struct machine *m, uint64_t at, uint64_t value)
{
    return write_entry(m, at, value);
}

/* ---- whole tables ---- */

void pgtable_read_table(const struct machine *m, uint64_t frame,
                        unsigned char table[PGTABLE_BYTES])
{
    hardware_read_phys(m, frame << PAGE_SHIFT, table, PGTABLE_BYTES);
}

bool pgtable_write_table(struct machine *m, uint64_t frame,
                         const unsigned char table[PGTABLE_BYTES])
{
    return hardware_write_phys(m, frame << PAGE_SHIFT, table, PGTABLE_BYTES);
}

uint64_t pgtable_table_entry(const struct machine *m, const unsigned char *table,
                             uint32_t index)
{
    const uint32_t size = entry_bytes(m);
    const unsigned char *at = table + (size_t)index * size;
    uint64_t v = 0;
    for (uint32_t i = 0; i < size; i++) {
        v |= (uint64_t)at[i] << 8 * i;
    }
    return v;
}

void pgtable_table_set(const struct machine *m, unsigned char *table, uint32_t index,
                       uint64_t value)
{
    const uint32_t size = entry_bytes(m);
    unsigned char *at = table + (size_t)index * size;
    for (uint32_t i = 0; i < size; i++) {
        at[i] = (unsigned char)(value >> 8 * i);
    }
}

bool pgtable_set(struct machine *m, uint64_t va, uint64_t frame, uint64_t flags)
{
    struct pgtable_entry e;
    if (!pgtable_slot(m, va, 1, &e) ||
        !write_entry(m, e.at, frame << PAGE_SHIFT | flags)) {
        return false;
    }
    probe(&m->probe, EV_SET_PTE, va, frame, e.at);
    return true;
}

uint64_t pgtable_large_flags(uint64_t flags)
{
    return (flags & ~(uint64_t)PTE_PAT) | (flags & PTE_PAT ? PTE_PAT_LARGE : 0) | PTE_PS;
}

uint64_t pgtable_clear(struct machine *m, uint64_t va)
{
    uint64_t at = find(m, va), entry = at ? read_entry(m, at) : 0;
    if (entry) {
        write_entry(m, at, 0);
        probe(&m->probe, EV_PTE_CLEAR, va, pgtable_frame(m, entry), at);
    }
    return entry;
}

void pgtable_clear_range(struct machine *m, uint64_t start, uint64_t end)
{
    for (uint64_t va = start; va < end && m->vm->pgd != PFN_NONE;) {
        const struct pgtable_entry e = pgtable_find(m, va);
        const uint64_t size = (uint64_t)1 << level_shift(m, e.level);
        if (e.level == 1 && e.value) {
            write_entry(m, e.at, 0);
            probe(&m->probe, EV_PTE_CLEAR, va, pgtable_frame(m, e.value), e.at);
        } else if (e.maps) { /* pmd_clear_huge(): whole, whatever the range is */
            const uint64_t first = pgtable_translate(m, va & ~(size - 1));
            write_entry(m, e.at, 0);
            probe(&m->probe, EV_HUGE_CLEAR, va & ~(size - 1), first, e.at, size);
        }
        uint64_t next = (va & ~(size - 1)) + size;
        va = next > va ? next : end; /* the last table ends with the address space */
    }
}

/* ---- all tables ---- */

static void each_table(const struct machine *m, uint64_t table, uint32_t level, void *ctx,
                       void (*visit)(void *ctx, uint64_t frame, uint32_t level))
{
    if (level > 1 && ram_peek(&m->ram, pfn(table))) {
        unsigned char bytes[PGTABLE_BYTES];
        pgtable_read_table(m, table, bytes);
        for (uint32_t i = 0; i < pgtable_entries(m, level); i++) {
            uint64_t entry = pgtable_table_entry(m, bytes, i);
            if (entry & PTE_P && !pgtable_maps_page(m, entry, level)) {
                each_table(m, pgtable_frame(m, entry), level - 1, ctx, visit);
            }
        }
    }
    visit(ctx, table, level);
}

void pgtable_each_table(const struct machine *m, void *ctx,
                        void (*visit)(void *ctx, uint64_t frame, uint32_t level))
{
    if (m->vm->pgd != PFN_NONE) {
        each_table(m, m->vm->pgd, m->vm->kspace.levels, ctx, visit);
    }
}

static void discard(void *ctx, uint64_t frame, uint32_t level)
{
    struct machine *m = ctx;
    (void)level;
    hardware_clear_frames(m, frame, 1);
}

void pgtable_forget(struct machine *m)
{
    pgtable_each_table(m, m, discard);
    struct vm *vm = vm_w(m);
    vm->pgd = PFN_NONE;
    vm->boot_table = vm->boot_end = 0;
    vm->nr_tables = 0;
}

/* ---- for the hardware ---- */

void pgtable_mmu(const struct machine *m, struct mmu *mmu)
{
    static const enum paging modes[] = {
        [2] = PAGING_I386, [3] = PAGING_PAE, [4] = PAGING_4LEVEL, [5] = PAGING_5LEVEL};
    *mmu = (struct mmu){.paging = m->vm->pgd == PFN_NONE ? PAGING_NONE
                                                         : modes[m->vm->kspace.levels],
                        .cr3 = m->vm->pgd << PAGE_SHIFT,
                        .physical_bits = m->vm->kspace.levels == 2   ? 32
                                         : m->vm->kspace.levels == 3 ? 36
                                                                     : 46,
                        .wp = true,
                        .pse = m->config.hw.pse,
                        .pge = m->config.hw.pge,
                        .nxe = m->config.hw.nx && m->vm->kspace.levels > 2,
                        .smep = m->config.hw.smep,
                        .smap = m->config.hw.smap};
}

static uint64_t bus_read(void *ctx, uint64_t at, uint32_t size)
{
    (void)size;
    return read_entry(ctx, at);
}

static void bus_write(void *ctx, uint64_t at, uint64_t value, uint32_t size)
{
    (void)size;
    write_entry(ctx, at, value);
}

struct mmu_bus pgtable_bus(const struct machine *m)
{
    return (struct mmu_bus){bus_read, bus_write, (void *)(uintptr_t)m};
}
