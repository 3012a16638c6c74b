/* Writing page tables, as an operating system would: see hw/mmu.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mmu.h"

struct shape {
    uint32_t levels, index_bits, entry_bytes;
};

static struct shape shape_of(enum paging p)
{
    switch (p) {
    case PAGING_I386:
        return (struct shape){2, 10, 4};
    case PAGING_PAE:
        return (struct shape){3, 9, 8};
    case PAGING_4LEVEL:
        return (struct shape){4, 9, 8};
    case PAGING_5LEVEL:
        return (struct shape){5, 9, 8};
    case PAGING_NONE:
        break;
    }
    return (struct shape){0, 0, 0};
}

/* Where the top table is. */
static uint64_t top_table(const struct mmu *m)
{
    return m->cr3 & (m->paging == PAGING_PAE ? ~(uint64_t)0x1f : ~(uint64_t)0xfff) &
           (((uint64_t)1 << 52) - 1);
}

static uint64_t entry_at(struct shape s, uint64_t table, uint64_t va, uint32_t level)
{
    uint32_t shift = PAGE_SHIFT + s.index_bits * (level - 1);
    uint64_t index = va >> shift & (((uint64_t)1 << s.index_bits) - 1);
    if (s.levels == 3 && level == 3) {
        index &= 3; /* PAE: four directory pointers */
    }
    return table + index * s.entry_bytes;
}

static uint64_t next_table(const struct mmu *m, uint64_t entry)
{
    return entry &
           (m->paging == PAGING_I386 ? 0xfffff000u : ((uint64_t)1 << 52) - 0x1000);
}

/* An entry that points to a page rather than to a table. */
static bool maps_page(const struct mmu *m, uint64_t entry, uint32_t level)
{
    if (level == 1) {
        return true;
    }
    bool can = m->paging == PAGING_I386  ? m->pse
               : m->paging == PAGING_PAE ? level == 2
                                         : level <= 3;
    return can && (entry & PTE_PS);
}

/* The level whose entries map pages of this size; 0: none does. */
static uint32_t level_of(const struct mmu *m, enum page_size size)
{
    const bool i386 = m->paging == PAGING_I386;
    switch (size) {
    case PAGE_4K:
        return 1;
    case PAGE_2M:
        return i386 ? 0 : 2;
    case PAGE_4M:
        return i386 && m->pse ? 2 : 0;
    case PAGE_1G:
        return m->paging == PAGING_4LEVEL || m->paging == PAGING_5LEVEL ? 3 : 0;
    case NR_PAGE_SIZES:
        break;
    }
    return 0;
}

bool mmu_map(const struct mmu *m, uint64_t va, uint64_t frame_address, uint64_t flags,
             enum page_size size, const struct mmu_bus *bus, mmu_table_fn *table,
             void *ctx)
{
    const struct shape s = shape_of(m->paging);
    const uint32_t leaf = level_of(m, size);
    uint64_t at = top_table(m);
    if (!s.levels || !leaf || !mmu_canonical(m, va)) {
        return false;
    }
    for (uint32_t level = s.levels; level > leaf; level--) {
        uint64_t entry_address = entry_at(s, at, va, level);
        uint64_t entry = bus->read(bus->ctx, entry_address, s.entry_bytes);
        if (!(entry & PTE_P)) {
            uint64_t fresh = table(ctx);
            if (fresh == UINT64_MAX) {
                return false;
            }
            bool pointer = m->paging == PAGING_PAE && level == 3;
            entry = fresh | PTE_P | (pointer ? 0 : PTE_W | PTE_U);
            bus->write(bus->ctx, entry_address, entry, s.entry_bytes);
        } else if (maps_page(m, entry, level)) {
            return false;
        }
        at = next_table(m, entry);
    }
    const uint64_t last = entry_at(s, at, va, leaf);
    const uint64_t old = bus->read(bus->ctx, last, s.entry_bytes);
    if ((old & PTE_P) && !maps_page(m, old, leaf)) {
        return false;
    }
    uint64_t value = frame_address | flags | PTE_P;
    if (size == PAGE_4M) { /* PSE-36 */
        value = (frame_address & 0xffc00000u) | (frame_address >> 19 & 0x1fe000) | flags |
                PTE_P | PTE_PS;
    } else if (size != PAGE_4K) {
        value |= PTE_PS;
    }
    bus->write(bus->ctx, last, value, s.entry_bytes);
    return true;
}

uint64_t mmu_unmap(const struct mmu *m, uint64_t va, const struct mmu_bus *bus)
{
    const struct shape s = shape_of(m->paging);
    uint64_t at = top_table(m);
    for (uint32_t level = s.levels; level > 0; level--) {
        uint64_t entry_address = entry_at(s, at, va, level);
        uint64_t entry = bus->read(bus->ctx, entry_address, s.entry_bytes);
        if (!(entry & PTE_P)) {
            return 0;
        }
        if (maps_page(m, entry, level)) {
            bus->write(bus->ctx, entry_address, 0, s.entry_bytes);
            return entry;
        }
        at = next_table(m, entry);
    }
    return 0;
}
