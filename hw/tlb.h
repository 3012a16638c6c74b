/* A translation lookaside buffer: a cache of page-table walks' results.
 *
 * One struct tlb is one level (hw/memsys.h joins a split first level and a unified second
 * one). An entry says where a page lies and what may be done with it; it stays until it
 * is thrown out, whatever the tables in memory say by then: a stale entry translates to
 * the old frame.
 *
 *   entry   63   52 51 ........................ 12 11 10 9  7 6   5  4  3  2  1  0
 *          |       | frame's physical address >> 12 |     | PAT | size | G| D| X| W| U|
 *
 *   key     63   52 51 50 49 48 47 .............................................. 0
 *          | space |  | size | G |   these are XORed over the virtual page number    |
 *
 * A 4 KiB page's number has 52 bits, of which a canonical address uses 45; those above
 * repeat its sign, so the kind of entry can be laid over them and keys stay different.
 * Entries of several page sizes live in the same sets, found by one probe a kind (size,
 * global or not) that has been entered since the last flush. A global entry's key has no
 * ASID. Address space 0 changes nothing in a key, so without tables any 64-bit address is
 * its own key.
 *
 * I1  A key's kind is among kinds.  I2  entry and key agree about size and G.
 *
 * Left out: entries "fractured" to a smaller page.
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
    TLB_PAT_SHIFT = 7, /* 3 bits, PAT, PCD, PWT: which of eight memory types */
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

/* What an address space puts over its keys, here and in virtually tagged caches. Bit 51
 * keeps the last page of space 4095 from being CACHE_NO_KEY. */
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

/* Where an entry was found. */
struct tlb_place {
    struct cache_set
        *set;     /* NULL: nowhere; but with a usual miss the set that was probed */
    uint32_t way; /* CACHE_NO_WAY: not there */
};

/* The entry that translates va in this space. Does not count as a use. */
struct tlb_place tlb_find_kinds(const struct tlb *t, uint64_t va, uint64_t space);
HW_INLINE struct tlb_place tlb_find(const struct tlb *t, uint64_t va, uint64_t space,
                                    const enum cache_how how)
{
    if (HW_LIKELY(*t->kinds <=
                  1)) { /* only 4 KiB pages, none of them global: the usual case */
        const uint64_t page = va >> PAGE_SHIFT, key = page ^ space;
        struct cache_set *s =
            how == CACHE_LEAN ? cache_set_masked(&t->c, page) : cache_set_of(&t->c, page);
        return (struct tlb_place){s, cache_find_how(&t->c, s, key, how)};
    }
    return tlb_find_kinds(t, va, space);
}

/* Enter a translation. What it replaced is gone (there is nothing to write back). */
HW_INLINE void tlb_put(struct tlb *t, uint64_t va, uint64_t space, uint64_t entry,
                       const enum cache_how how)
{
    uint64_t page = va >> PAGE_SHIFT, key = page ^ space;
    const uint32_t kind = tlb_entry_kind(entry);
    if (kind) {
        page = tlb_page(va, kind);
        key = tlb_key(va, kind, space);
    }
    struct cache_set *s =
        how == CACHE_LEAN ? cache_set_masked(&t->c, page) : cache_set_of(&t->c, page);
    const uint32_t way = cache_take_victim(&t->c, s, how);
    cache_put_key(&t->c, s, way, key, how);
    *cache_home(&t->c, s, way) = entry;
    if (!(*t->kinds >> kind & 1)) {
        arena_mark(t->c.arena, t->kinds);
        *t->kinds |= 1u << kind;
    }
}

/* Throw out: everything; everything but global entries (a CR3 load); one address space's
 * (a PCID's, not the global ones); one address in one address space, global or not
 * (invlpg). Each answers how many went. */
uint32_t tlb_flush(struct tlb *t);
uint32_t tlb_flush_not_global(struct tlb *t);
uint32_t tlb_flush_asid(struct tlb *t, uint32_t asid);
uint32_t tlb_flush_page(struct tlb *t, uint64_t va, uint64_t space);

/* The address space that an entry's key was made for; 0 for a global one. */
static inline uint32_t tlb_key_asid(uint64_t key) { return (uint32_t)(key >> 52); }

const char *tlb_check(const struct tlb *t);

#endif
