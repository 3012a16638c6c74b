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

uint64_t pgtable_io_flags(const struct machine *m)
{
    return pgtable_kernel_flags(m) | PTE_PCD;
}

/* Where va's last entry is; 0: the table of level *missing (2: the last) has no entry
 * for it. */
static uint64_t find_level(const struct machine *m, uint64_t va, uint32_t *missing)
{
    uint64_t table = m->vm->pgd;
    uint32_t level = m->vm->kspace.levels;
    for (; table != PFN_NONE; level--) {
        uint64_t at = entry_address(m, table, va, level);
        if (level == 1) {
            return at;
        }
        uint64_t entry = read_entry(m, at);
        *missing = level;
        table = entry & PTE_P ? pgtable_frame(m, entry) : PFN_NONE;
    }
    return 0;
}

static uint64_t find(const struct machine *m, uint64_t va)
{
    uint32_t missing;
    return find_level(m, va, &missing);
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
    struct vm *vm = vm_w(m);
    uint64_t frame;
    fn_enter(&m->probe, FN___pte_alloc_kernel, va, level);
    if (vm->boot_table < vm->boot_end &&
        (level == vm->kspace.levels || is_boot_table(m, va))) {
        frame = vm->boot_table++;
    } else {
        frame = alloc_pages(m, GFP_KERNEL | __GFP_ZERO, 0);
    }
    if (frame != PFN_NONE) {
        hardware_clear_frames(m, frame, 1);
        vm_w(m)->nr_tables++;
        probe(&m->probe, EV_PTE_ALLOC, level, va, frame);
    }
    fn_leave(&m->probe);
    return frame;
}

/* find(), making the tables that are missing. */
static uint64_t find_or_make(struct machine *m, uint64_t va)
{
    if (m->vm->pgd == PFN_NONE) {
        uint64_t root = new_table(m, va, m->vm->kspace.levels);
        if (root == PFN_NONE) {
            return 0;
        }
        vm_w(m)->pgd = root;
        hardware_reset(m);
    }
    uint64_t table = m->vm->pgd;
    for (uint32_t level = m->vm->kspace.levels;; level--) {
        uint64_t at = entry_address(m, table, va, level);
        if (level == 1) {
            return at;
        }
        uint64_t entry = read_entry(m, at);
        if (!(entry & PTE_P)) {
            uint64_t frame = new_table(m, va, level - 1);
            if (frame == PFN_NONE) {
                return 0;
            }
            bool pointer = level == 3 && m->vm->kspace.levels == 3;
            entry = frame << PAGE_SHIFT | (pointer ? PTE_P : TABLE_FLAGS);
            if (!write_entry(m, at, entry)) {
                return 0;
            }
        }
        table = pgtable_frame(m, entry);
    }
}

bool pgtable_prepare(struct machine *m, uint64_t va) { return find_or_make(m, va) != 0; }

bool pgtable_set(struct machine *m, uint64_t va, uint64_t frame, uint64_t flags)
{
    uint64_t at = find_or_make(m, va);
    if (!at || !write_entry(m, at, frame << PAGE_SHIFT | flags)) {
        return false;
    }
    probe(&m->probe, EV_SET_PTE, va, frame, at);
    return true;
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
        uint32_t missing;
        uint64_t at = find_level(m, va, &missing), size = PAGE_SIZE;
        if (at) {
            uint64_t entry = read_entry(m, at);
            if (entry) {
                write_entry(m, at, 0);
                probe(&m->probe, EV_PTE_CLEAR, va, pgtable_frame(m, entry), at);
            }
        } else {
            size = (uint64_t)1 << level_shift(m, missing);
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
        for (uint64_t i = 0; i < (uint64_t)1 << index_bits(m, level); i++) {
            uint64_t entry = read_entry(m, (table << PAGE_SHIFT) + i * entry_bytes(m));
            if (entry & PTE_P && !(entry & PTE_PS && level < m->vm->kspace.levels)) {
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
