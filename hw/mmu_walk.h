/* The walk itself, to be compiled into whoever has the bus: hw/mmu.c with function
 * pointers, hw/memsys.c with its own second-level cache. Include it once after defining
 *
 *   WALK_NAME, WALK_BODY             the function's name, and one for its insides
 *   WALK_BUS                         the type of the bus
 *   WALK_READ(bus, at, bytes)        one table entry
 *   WALK_WRITE(bus, at, value, bytes)
 *   WALK_STEP(bus, w, level, at, value)   what to do with an entry that was read
 * and, where upper levels may be known without reading them (hw/psc.c), or nothing:
 *   WALK_BEGIN(bus, va, level, table, all, any)   may set them to those of a lower level
 *   WALK_PASS(bus, va, level, table, all, any)    the entry of this level led to table
 *
 * Rules: hw/mmu.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MMU_WALK_H
#define HW_MMU_WALK_H

#include "mmu.h"

/* The paging modes as numbers: levels, bits of index a level, bytes an entry. */
struct walk_shape {
    uint8_t levels, index_bits, entry_bytes;
};
static const struct walk_shape walk_shapes[] = {
    [PAGING_NONE] = {0, 0, 0},   [PAGING_I386] = {2, 10, 4},  [PAGING_PAE] = {3, 9, 8},
    [PAGING_4LEVEL] = {4, 9, 8}, [PAGING_5LEVEL] = {5, 9, 8},
};

HW_INLINE uint32_t walk_error(const struct mmu *m, enum access_kind access, uint32_t why)
{
    return why | (access == ACCESS_WRITE ? PF_WRITE : 0) | (m->user ? PF_USER : 0) |
           (access == ACCESS_FETCH && (m->nxe || m->smep) ? PF_FETCH : 0);
}

/* Bits that must be 0 in an entry, apart from the low ones of a large page's frame. */
HW_INLINE uint64_t walk_reserved(const struct mmu *m, const enum paging paging,
                                 uint32_t level)
{
    if (paging == PAGING_I386) {
        return 0;
    }
    uint64_t address =
        (((uint64_t)1 << 52) - 1) & ~(((uint64_t)1 << m->physical_bits) - 1);
    if (paging == PAGING_PAE) {
        /* 62..52 are reserved too; the directory pointers have nothing but P, PWT, PCD
           and an address */
        address |= (uint64_t)0x7ff << 52;
        if (level == 3) {
            return address | PTE_NX | 0x1e6;
        }
    }
    return address | (m->nxe ? 0 : PTE_NX) | (level >= 4 ? PTE_PS : 0);
}

HW_INLINE bool walk_canonical(const enum paging paging, uint64_t va)
{
    if (paging == PAGING_4LEVEL || paging == PAGING_5LEVEL) {
        uint32_t bits = paging == PAGING_4LEVEL ? 48 : 57;
        return (va + ((uint64_t)1 << (bits - 1))) >> bits == 0;
    }
    return paging == PAGING_NONE || va <= UINT32_MAX;
}

#endif

HW_INLINE void WALK_BODY(const struct mmu *m, const enum paging paging, uint64_t va,
                         enum access_kind access, WALK_BUS bus, struct walk *w)
{
    const struct walk_shape shape = walk_shapes[paging];
    const bool i386 = paging == PAGING_I386;
    uint64_t table = m->cr3 & (paging == PAGING_PAE ? ~(uint64_t)0x1f : ~(uint64_t)0xfff);
    uint64_t all = PTE_U | PTE_W,
             any = 0; /* R/W, U/S hold if all entries have them, NX if one has it */
    const uint64_t usual = PTE_P | PTE_A | PTE_PS | walk_reserved(m, paging, 2) |
                           (i386 ? 0 : walk_reserved(m, paging, 4));
    w->fault = (struct fault){FAULT_NONE, 0, 0};
    w->nr_steps = 0;
    if (paging == PAGING_NONE) {
        w->entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
        return;
    }
    if (!walk_canonical(paging, va)) {
        w->fault.kind = FAULT_PROTECTION;
        return;
    }
    table &= i386 ? 0xffffffffu : ((uint64_t)1 << 52) - 1;
    uint32_t level = shape.levels;
#ifdef WALK_BEGIN
    WALK_BEGIN(bus, va, level, table, all, any);
#endif
    for (;; level--) {
        uint32_t shift = PAGE_SHIFT + shape.index_bits * (level - 1);
        uint64_t at = table + (va >> shift & (((uint64_t)1 << shape.index_bits) - 1)) *
                                  shape.entry_bytes;
        uint64_t value = WALK_READ(bus, at, shape.entry_bytes);
        WALK_STEP(bus, w, level, at, value);
        /* The usual entry on the way down: present, used before, no large page, nothing
           reserved. */
        if (level > 1 && (value & usual) == (PTE_P | PTE_A) &&
            !(paging == PAGING_PAE && level == 3)) {
            all &= value;
            any |= value;
            table = value & (i386 ? 0xfffff000u : ((uint64_t)1 << 52) - 0x1000);
#ifdef WALK_PASS
            WALK_PASS(bus, va, level, table, all, any);
#endif
            continue;
        }
        bool pointer =
            paging == PAGING_PAE && level == 3; /* an entry without rights and A */
        bool large =
            level > 1 && (value & PTE_PS) && (i386 ? m->pse : level <= 3 && !pointer);
        bool leaf = level == 1 || large;
        uint64_t frame = value & (i386 ? 0xfffff000u : ((uint64_t)1 << 52) - 0x1000);
        uint64_t reserved = walk_reserved(m, paging, level);
        if (large) {
            uint64_t low = ((uint64_t)1 << shift) - 1;
            if (i386) { /* PSE-36: bits 13..20 are address bits 32..39 */
                frame = (value & 0xffc00000u) | (value & 0x1fe000) << 19;
                uint32_t bits = m->physical_bits > 40 ? 40 : m->physical_bits;
                reserved = 0x200000 | (0x1fe000 & ~(((uint64_t)1 << (bits - 19)) - 1));
            } else {
                frame &= ~low;
                reserved |= low & ~(uint64_t)0x1fff;
            }
        }
        if (!(value & PTE_P) || (value & reserved)) {
            w->fault = (struct fault){
                FAULT_PAGE,
                walk_error(m, access, value & PTE_P ? PF_PRESENT | PF_RESERVED : 0), va};
            return;
        }
        if (!pointer) {
            all &= value;
            any |= value;
        }
        if (!leaf) {
            if (!(value & PTE_A) && !pointer) {
                WALK_WRITE(bus, at, value | PTE_A, shape.entry_bytes);
            }
            table = frame;
#ifdef WALK_PASS
            WALK_PASS(bus, va, level, table, all, any);
#endif
            continue;
        }
        uint32_t perms = (all & PTE_U ? CACHE_U : 0) | (all & PTE_W ? CACHE_W : 0) |
                         (m->nxe && (any & PTE_NX) ? 0 : CACHE_X);
        w->fault = mmu_permission_fault(m, va, access, perms);
        if (w->fault.kind != FAULT_NONE) {
            return;
        }
        uint64_t set = PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
        if ((value & set) != set) {
            WALK_WRITE(bus, at, value | set, shape.entry_bytes);
        }
        perms |= (value | set) & PTE_D ? CACHE_D : 0;
        uint32_t pat = (uint32_t)(value >> 3 & 3) |
                       (value & (large ? PTE_PAT_LARGE : PTE_PAT) ? 4 : 0);
        uint32_t size = !large       ? PAGE_4K
                        : i386       ? PAGE_4M
                        : level == 2 ? PAGE_2M
                                     : PAGE_1G;
        w->entry = tlb_entry(frame, perms, size, m->pge && (value & PTE_G), pat);
        return;
    }
}

static inline void WALK_NAME(const struct mmu *m, uint64_t va, enum access_kind access,
                             WALK_BUS bus, struct walk *w)
{
    if (HW_LIKELY(m->paging == PAGING_4LEVEL)) {
        WALK_BODY(m, PAGING_4LEVEL, va, access, bus, w);
    } else {
        WALK_BODY(m, m->paging, va, access, bus, w);
    }
}
