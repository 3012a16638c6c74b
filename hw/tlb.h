/* A translation lookaside buffer: a cache of page-table walks' results.
 *
 * One struct tlb is one level (hw/memsys.h joins a split first level and a unified second one). An entry says
 * where a page lies and what may be done with it; it stays until it is thrown out, whatever the tables in memory
 * say by then: a stale entry translates to the old frame.
 *
 *   entry   63        52 51                                  12 11  10  9 8 7  6  5  4  3  2  1  0
 *          |            | frame's physical address / 4096 ...  |     | PAT   | size | G | D  X  W  U |
 *
 *   key     63      52 51 50 49 48 47                                                        0
 *          | ASID     |  | G  size | XOR, over the sign-extended virtual page number            |
 *
 * A 4 KiB page's number has 52 bits, of which a canonical address uses 45; those above repeat its sign, so the kind of
 * entry can be laid over them and keys stay different. Entries of several page sizes live in the same sets, found by one
 * probe a kind (size, global or not) that has been entered since the last flush. A global entry's key has no ASID.
 * Address space 0 changes nothing in a key, so without tables any 64-bit address is its own key.
 *
 * I1  A key's kind is among kinds.  I2  entry and key agree about size and G.
 *
 * Left out: paging-structure caches, entries "fractured" to a smaller page.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_TLB_H
#define HW_TLB_H

#include "cache.h"

enum page_size { PAGE_4K, PAGE_2M, PAGE_4M, PAGE_1G, NR_PAGE_SIZES };

enum {
    TLB_PERMS = CACHE_PERMS, /* bits 0..3 of an entry, as a line's attributes */
    TLB_GLOBAL = 1 << 4,
    TLB_SIZE_SHIFT = 5,
    TLB_PAT_SHIFT =
        7, /* 3 bits: which of the eight memory types (PAT, PCD, PWT of the table entry) */
    TLB_KINDS = 2 * NR_PAGE_SIZES
};
#define TLB_FRAME 0x000ffffffffff000u

struct tlb_config {
    uint32_t entries, ways; /* entries 0: no such level; entries is a multiple of ways */
    enum cache_policy policy;
    uint64_t seed;
};

struct tlb {
    struct cache c;  /* sets of entries; home[] is the entry */
    uint32_t *kinds; /* in the arena: bit k, an entry of kind k may be there */
};

const char *tlb_config_error(const struct tlb_config *c);
size_t tlb_size_bytes(const struct tlb_config *c);
bool tlb_create(struct tlb *t, struct arena *a, const struct tlb_config *config);

HW_INLINE uint32_t page_shift(uint32_t size)
{
    return size == PAGE_4K ? 12 : size == PAGE_2M ? 21 : size == PAGE_4M ? 22 : 30;
}
HW_INLINE uint64_t tlb_entry(uint64_t frame_address, uint32_t perms, uint32_t size,
                             bool global, uint32_t pat)
{
    return (frame_address & TLB_FRAME) | perms | (global ? TLB_GLOBAL : 0) |
           size << TLB_SIZE_SHIFT | pat << TLB_PAT_SHIFT;
}
HW_INLINE uint32_t tlb_entry_size(uint64_t entry)
{
    return (uint32_t)entry >> TLB_SIZE_SHIFT & 3;
}
HW_INLINE uint32_t tlb_entry_kind(uint64_t entry)
{
    return (uint32_t)entry >> (TLB_SIZE_SHIFT - 1) & 7;
}
HW_INLINE uint32_t tlb_entry_pat(uint64_t entry)
{
    return (uint32_t)entry >> TLB_PAT_SHIFT & 7;
}
HW_INLINE paddr_t tlb_entry_translate(uint64_t entry, uint64_t va)
{
    uint64_t offset = ((uint64_t)1 << page_shift(tlb_entry_size(entry))) - 1;
    return paddr((entry & TLB_FRAME & ~offset) | (va & offset));
}

/* What an address space puts over its keys, here and in virtually tagged caches. Bit 51 keeps the last page of space
 * 4095 from being CACHE_NO_KEY. */
HW_INLINE uint64_t tlb_space(uint32_t asid)
{
    return asid ? (uint64_t)asid << 52 ^ (uint64_t)1 << 51 : 0;
}

/* kind = size << 1 | global, as the entry's bits have it */
HW_INLINE uint64_t tlb_page(uint64_t va, uint32_t kind)
{
    return va >> page_shift(kind >> 1);
}
HW_INLINE uint64_t tlb_key(uint64_t va, uint32_t kind, uint64_t space)
{
    return tlb_page(va, kind) ^ (kind & 1 ? 0 : space) ^ (uint64_t)kind << 48;
}

/* The index of the entry that translates va for this address space, or CACHE_NO_WAY. Does not count as a use. */
uint32_t tlb_find_kinds(const struct tlb *t, uint64_t va, uint64_t space);
HW_INLINE uint32_t tlb_find(const struct tlb *t, uint64_t va, uint64_t space,
                            uint32_t *set)
{
    if (HW_LIKELY(*t->kinds <=
                  1)) { /* only 4 KiB pages, none of them global: the usual case */
        uint64_t page = va >> PAGE_SHIFT, key = page ^ space;
        *set = cache_set(&t->c, page);
        uint32_t guess = cache_guess(&t->c, t->c.order[*set]);
        if (t->c.key[cache_index(&t->c, *set, guess)] == key) {
            return cache_index(&t->c, *set, guess);
        }
        uint32_t way = cache_find(&t->c, *set, key);
        return way == CACHE_NO_WAY ? way : cache_index(&t->c, *set, way);
    }
    uint32_t index = tlb_find_kinds(t, va, space);
    if (index != CACHE_NO_WAY) {
        *set = index / t->c.config.ways;
    }
    return index;
}
HW_INLINE void tlb_touch(struct tlb *t, uint32_t index, uint32_t set, const bool marks)
{
    cache_touch(&t->c, set, index - set * t->c.config.ways, marks);
}

/* Enter a translation; answers its index. What it replaced is gone (an entry has nothing to write back). */
HW_INLINE uint32_t tlb_put(struct tlb *t, uint64_t va, uint64_t space, uint64_t entry,
                           const bool marks)
{
    uint32_t kind = tlb_entry_kind(entry);
    uint32_t set = cache_set(&t->c, tlb_page(va, kind));
    uint32_t i = cache_index(&t->c, set, cache_take_victim(&t->c, set, marks));
    cache_put(&t->c, i, tlb_key(va, kind, space), CACHE_VALID, marks);
    if (marks) {
        arena_mark(t->c.arena, &t->c.home[i]);
        arena_mark(t->c.arena, t->kinds);
    }
    t->c.home[i] = entry;
    *t->kinds |= 1u << kind;
    return i;
}

/* Throw out: everything; everything but global entries (a CR3 load); one address space's (a PCID's, not the
 * global ones); one address in one address space, global or not (invlpg). Each answers how many went. */
uint32_t tlb_flush(struct tlb *t);
uint32_t tlb_flush_not_global(struct tlb *t);
uint32_t tlb_flush_asid(struct tlb *t, uint32_t asid);
uint32_t tlb_flush_page(struct tlb *t, uint64_t va, uint64_t space);

/* The address space that a key was entered for; 0 for a global one. */
uint32_t tlb_peek_asid(const struct tlb *t, uint32_t index);

const char *tlb_check(const struct tlb *t);

#endif
