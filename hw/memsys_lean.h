/* The usual machine in few instructions: an access with its misses, walks and evictions
 * where nothing unusual happens. Counts and leaves behind exactly what the whole path
 * (hw/memsys_path.h) would, which tests/test_memsys.c compares.
 *
 * The usual machine: two levels of TLBs before four-level page tables, virtual L1 tags,
 * L2, write-back, LRU, lines of 64 bytes, power of two sets, up to 8 ways (L2 and the
 * second TLB up to 16), lines without bytes.
 *
 * An access either goes its whole way here, or is given up before it has changed
 * anything, and the whole path does it: an accessed bit to be set in an upper entry, a
 * dirty bit of a page that a TLB has, a large or global page, a permission that is
 * missing.
 *
 * Compiled several times by inlining, see struct lean_kind: counting only (memsys_run),
 * and as an operation (hw/memsys_quick.c), which tells how many events the whole path
 * would have announced; each for the usual shape, whose signatures are bits of the
 * address, and for others. An operation marks what it changes, or, in the usual shape,
 * finds everything marked.
 *
 * A walk sets accessed and dirty bits of a last entry. When it only counts, a page fault
 * is the lean way's, too: a trace touches each of its pages for a first time.
 *
 * Where nearly all references hit, as real programs' do, it takes about 30 instructions a
 * reference counting, and 79 as operations (tests/bench_trace.c). A miss of L1 takes
 * about 85 and its dirty victim 30, a miss of the first TLB 70 where the second answers
 * and 165 where it walks: many misses are cheaper in hw/line_index.h.
 *
 * Left out: lines that hold bytes, costs (config.cost) and everything of
 * hw/memsys_full.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMSYS_LEAN_H
#define HW_MEMSYS_LEAN_H

#include "memsys.h"

#include <string.h>

/* What is known at compile time. */
struct lean_kind {
    /* L1I, L1D and L2 have 8 ways each, and their signatures are addresses' bits; else L1
       up to 8, L2 up to 16 */
    bool eight;
    /* count events; mark, unless eight: then all is marked (see memsys_access) */
    bool live;
    bool tried; /* the youngest line of the set is not it */
};

enum {
    LEAN_LINE_SHIFT = 6,
    LEAN_LINE = 1 << LEAN_LINE_SHIFT,
    LEAN_SET_SHIFT = 8, /* a set of 8 ways with homes takes 256 bytes */
    LEAN_HOME_AT = sizeof(struct cache_set) + 8 * 8,
    LEAN_L2_SIG_SHIFT = 16 /* of the physical address: CACHE_SIG_FAR */
};

/* A machine made as the usual one (m->lean): is it as it stands now? Counting only. */
HW_INLINE bool lean_now(const struct memsys *m)
{
    return m->lean && *m->front[SIDE_I].tlb.kinds <= 1 &&
           *m->front[SIDE_D].tlb.kinds <= 1 && *m->stlb.kinds <= 1 && !m->s->line_space &&
           m->s->mmu.paging == PAGING_4LEVEL;
}

/* So many events that the whole path would have announced. Only once it is certain that
 * the access goes its whole way here. */
HW_INLINE void lean_events(struct memsys *m, uint32_t nr, const struct lean_kind kind)
{
    if (kind.live) {
        m->probe->n += nr;
    }
}

HW_INLINE void lean_mark(struct memsys *m, const void *p, const struct lean_kind kind)
{
    if (kind.live && !kind.eight) {
        arena_mark(m->arena, p);
    }
}

/* ---- signatures ---- */

/* Eight signatures side by side, and which of a set's are the same: two bits a way. */
#if defined CACHE_VECTORS
typedef cache_halves_t lean_sigs_t;
HW_INLINE lean_sigs_t lean_spread(uint16_t sig) { return cache_spread(sig); }
HW_INLINE uint16_t lean_sig(lean_sigs_t sigs) { return (uint16_t)sigs[0]; }
HW_INLINE uint32_t lean_same(lean_sigs_t sigs, const uint16_t *sig)
{
    const cache_halves_t is = *(const cache_halves_t *)(const void *)sig;
    return (uint32_t)__builtin_ia32_pmovmskb128((cache_bytes_t)(is == sigs));
}
#else
typedef uint16_t lean_sigs_t;
HW_INLINE lean_sigs_t lean_spread(uint16_t sig) { return sig; }
HW_INLINE uint16_t lean_sig(lean_sigs_t sigs) { return sigs; }
HW_INLINE uint32_t lean_same(lean_sigs_t sigs, const uint16_t *sig)
{
    uint32_t found = 0;
    for (uint32_t way = 0; way < 8; way++) {
        found |= (sig[way] == sigs ? 3u : 0) << 2 * way;
    }
    return found;
}
#endif

/* 16 bits of a word in memory, from bit 8 * byte on. */
HW_INLINE uint16_t lean_bits(const uint64_t *word, const unsigned byte)
{
#if defined CACHE_VECTORS /* little-endian: one load, no shift */
    uint16_t bits;
    memcpy(&bits, (const unsigned char *)word + byte, 2);
    return bits;
#else
    return (uint16_t)(*word >> 8 * byte);
#endif
}

HW_INLINE uint64_t lean_key(const struct cache_set *s, size_t twice)
{
    uint64_t key;
    memcpy(&key, (const unsigned char *)s->key + 4 * twice, 8);
    return key;
}

/* The way that has the key, times two, or LEAN_NO_WAY. The first candidate nearly always
 * is it. */
#define LEAN_NO_WAY SIZE_MAX
static HW_COLD size_t lean_decide_more(const struct cache_set *s, uint64_t key,
                                       uint32_t found)
{
    for (found &= found - 1, found &= found - 1; found;
         found &= found - 1, found &= found - 1) {
        if (lean_key(s, cache_first_bit(found)) == key) {
            return cache_first_bit(found);
        }
    }
    return LEAN_NO_WAY;
}
HW_INLINE size_t lean_decide(const struct cache_set *s, uint64_t key, uint32_t found)
{
    if (!found) {
        return LEAN_NO_WAY;
    }
    const size_t twice = cache_first_bit(found);
    return HW_LIKELY(lean_key(s, twice) == key) ? twice : lean_decide_more(s, key, found);
}

/* ---- the order of a small set, as hw/cache.h has it ---- */

HW_INLINE void lean_set_order(struct cache_set *s, uint32_t order)
{
#if defined CACHE_VECTORS /* little-endian */
    memcpy(&s->order, &order, sizeof order);
#else
    s->order = order;
#endif
}

/* Up to 8 ways: a word of 32 bits. All nibbles are below 8, so adding 7 to each of those
 * of the difference sets its bit 3 where it was not 0, and carries nothing. */
HW_INLINE void lean_touch_eight(struct cache_set *s, uint32_t way)
{
    const uint32_t sevens = 0x77777777u, order = (uint32_t)s->order;
    const uint32_t others = ((order ^ 0x11111111u * way) + sevens) | sevens;
    const uint32_t older = 2 * others + 2; /* the nibbles above the way's */
    const uint32_t moved = order << 4 | way;
    lean_set_order(s, moved ^ ((moved ^ order) & older));
}
/* Exactly 8. */
HW_INLINE uint32_t lean_victim_eight(struct cache_set *s)
{
    uint32_t order = (uint32_t)s->order;
    order = order << 4 | order >> 28;
    lean_set_order(s, order);
    return order & 15;
}

HW_INLINE void lean_touch(struct cache_set *s, uint32_t way, const bool eight)
{
    if (eight) {
        lean_touch_eight(s, way);
    } else {
        s->order = cache_order_to_front(s->order, way);
    }
}
HW_INLINE uint32_t lean_victim(const struct cache *c, struct cache_set *s,
                               const bool eight)
{
    if (eight) {
        return lean_victim_eight(s);
    }
    const uint32_t way = (uint32_t)(s->order >> c->oldest_shift) & 15;
    s->order = (s->order << 4 | way) & c->order_mask;
    return way;
}

/* ---- the second level ---- */

HW_INLINE struct cache_set *lean_l2_set(const struct memsys *m, uint64_t pa,
                                        const struct lean_kind kind)
{
    return kind.eight
               ? (struct cache_set *)(void *)(m->l2.sets + (pa << 1 & m->lean_l2_mask))
               : cache_set_masked(&m->l2, pa >> LEAN_LINE_SHIFT);
}

/* A line of L2 that was there. */
HW_INLINE void lean_l2_hit(struct memsys *m, struct cache_set *s, uint32_t way,
                           const bool write, const struct lean_kind kind)
{
    lean_mark(m, s, kind);
    lean_touch(s, way, kind.eight);
    if (write) {
        s->attr[way] |= CACHE_DIRTY;
    }
    lean_events(m, 1, kind);
}
/* One that was not. */
HW_INLINE void lean_l2_fill(struct memsys *m, struct memsys_state *st,
                            struct cache_set *s, uint64_t line, lean_sigs_t sigs,
                            const enum l2_use use, const bool write,
                            const struct lean_kind kind)
{
    struct cache *c = &m->l2;
    const uint8_t clean = CACHE_VALID | CACHE_OWNED;
    st->n.l2_miss[use]++;
    lean_mark(m, s, kind);
    const uint32_t way = lean_victim(c, s, kind.eight);
    const unsigned old = s->attr[way];
    s->key[way] = line;
    s->sig[way] = kind.eight ? lean_sig(sigs) : cache_signature(c, line);
    lean_events(m, 2u + (use != L2_VICTIM) + (old != 0),
                kind); /* probe, fill, read, evict */
    if (old != clean) {
        if (old & CACHE_DIRTY) {
            st->n.l2_writeback++;
            lean_events(m, 1, kind);
        }
        s->attr[way] = clean;
    }
    if (write) {
        s->attr[way] = clean | CACHE_DIRTY;
    }
}
/* One access of a line, which is in set s if anywhere. sigs: its signature, if eight. */
HW_INLINE void lean_l2_in(struct memsys *m, struct memsys_state *st, struct cache_set *s,
                          uint64_t line, lean_sigs_t sigs, const enum l2_use use,
                          const bool write, const struct lean_kind kind)
{
    st->n.l2_access[use] += kind.live;
    if (kind.eight) {
        const size_t twice = lean_decide(s, line, lean_same(sigs, s->sig));
        if (twice != LEAN_NO_WAY) {
            lean_l2_hit(m, s, (uint32_t)twice / 2, write, kind);
            return;
        }
    } else {
        const struct cache *c = &m->l2;
        const uint32_t way = cache_decide(s, line, cache_candidates(c, s, line, 16));
        if (way != CACHE_NO_WAY) {
            lean_l2_hit(m, s, way, write, kind);
            return;
        }
    }
    lean_l2_fill(m, st, s, line, sigs, use, write, kind);
}
HW_INLINE void lean_l2(struct memsys *m, struct memsys_state *st, uint64_t pa,
                       const enum l2_use use, const bool write,
                       const struct lean_kind kind)
{
    lean_l2_in(m, st, lean_l2_set(m, pa, kind), pa >> LEAN_LINE_SHIFT,
               lean_spread((uint16_t)(pa >> LEAN_L2_SIG_SHIFT)), use, write, kind);
}
/* The same by the line's number. */
HW_INLINE void lean_l2_line(struct memsys *m, struct memsys_state *st, uint64_t line,
                            const enum l2_use use, const bool write,
                            const struct lean_kind kind)
{
    struct cache_set *s =
        kind.eight
            ? (struct cache_set *)(void *)(m->l2.sets + (line << 7 & m->lean_l2_mask))
            : cache_set_masked(&m->l2, line);
    const uint16_t sig = (uint16_t)(line >> (LEAN_L2_SIG_SHIFT - LEAN_LINE_SHIFT));
    lean_l2_in(m, st, s, line, lean_spread(sig), use, write, kind);
}
/* An entry of an upper table is nearly always in the youngest line of its set. */
HW_INLINE bool lean_l2_youngest(const struct cache_set *s, uint64_t line)
{
    return HW_LIKELY(s->key[s->order & 15] == line);
}

/* ---- translation ---- */

/* Tables or registers may have changed since what the walker remembers. */
HW_INLINE void lean_walker_doubt(struct memsys *m)
{
    struct lean_walker *w = &m->walker;
    const struct mmu *mmu = &m->s->mmu;
    w->generation++;
    if (w->physical_bits != mmu->physical_bits || w->nxe != mmu->nxe ||
        memcmp(w->may, m->s->page_may, sizeof w->may) != 0) {
        memcpy(w->may, m->s->page_may, sizeof w->may);
        const uint64_t all = ((uint64_t)1 << 52) - PAGE_SIZE;
        w->physical_bits = mmu->physical_bits;
        w->nxe = mmu->nxe;
        w->address = (((uint64_t)1 << mmu->physical_bits) - 1) & all;
        w->usual_mask = PTE_P | PTE_A | PTE_PS | PTE_G | PTE_PWT | PTE_PCD |
                        (all & ~w->address) | (mmu->nxe ? 0 : PTE_NX);
        for (int i = 0; i < LEAN_REGIONS; i++) {
            w->region[i].number = UINT64_MAX;
        }
    }
}

/* A walk has met a fault. True: somebody has mended it. live: it is announced. */
bool memsys_walk_faulted(struct memsys *m, const struct fault *f, bool live);
/* The page of va is not there; the same, not announced. */
bool memsys_leaf_missing(struct memsys *m, uint64_t va, enum access_kind access);

/* What a copy of the state that counts apart has from the state itself. */
HW_INLINE void lean_refresh(const struct memsys *m, struct memsys_state *st)
{
    memcpy(st->page_may, m->s->page_may, sizeof st->page_may);
    memcpy(st->line_may, m->s->line_may, sizeof st->line_may);
    st->space = m->s->space;
    st->line_space = m->s->line_space;
    st->mmu.paging = m->s->mmu.paging;
}

/* Go down to the table that has va's last entry. False: something is not the usual. */
HW_INLINE bool lean_region_find(const struct memsys *m, struct lean_region *r,
                                uint64_t va, const struct lean_kind kind)
{
    const struct ram *ram = m->ram;
    const uint64_t upper_mask =
        m->walker.usual_mask & ~(uint64_t)(PTE_G | PTE_PWT | PTE_PCD);
    uint64_t all = PTE_U | PTE_W, any = 0, value = m->s->mmu.cr3;
    if ((va + ((uint64_t)1 << 47)) >> 48) {
        return false;
    }
    r->cr3 = value;
    for (int i = 0;; i++) {
        const uint64_t table = value & m->walker.address;
        if (table >> PAGE_SHIFT >= ram->nr_frames) {
            return false;
        }
        r->chunk_of[i] = &ram->chunk_of[table >> PAGE_SHIFT];
        r->chunk[i] = *r->chunk_of[i];
        if (!r->chunk[i]) {
            return false;
        }
        r->table = arena_chunk_ptr(ram->arena, r->chunk[i]);
        if (i == 3) {
            r->table_pa = table;
            break;
        }
        const uint32_t offset = (uint32_t)(va >> (36 - 9 * i)) & 0xff8;
        r->entry[i] = r->table + offset;
        memcpy(&value, r->entry[i], 8);
        if ((value & upper_mask) != (PTE_P | PTE_A)) {
            return false;
        }
        r->value[i] = value;
        r->set[i] = lean_l2_set(m, table | offset, kind);
        r->line[i] = (table | offset) >> LEAN_LINE_SHIFT;
        all &= value;
        any |= value;
    }
    r->perms =
        (all & PTE_U) >> 2 | (all & PTE_W) | (any & PTE_NX ? 0 : CACHE_X) | CACHE_D;
    return true;
}

/* Does what was found still hold? */
HW_INLINE bool lean_region_holds(const struct memsys *m, const struct lean_region *r)
{
    uint64_t value[3], differ = r->cr3 ^ m->s->mmu.cr3;
    for (int i = 0; i < 3; i++) {
        memcpy(&value[i], r->entry[i], 8);
        differ |= (value[i] ^ r->value[i]) | (*r->chunk_of[i] ^ r->chunk[i]);
    }
    return !(differ | (*r->chunk_of[3] ^ r->chunk[3]));
}

/* The region of va, of the walker or found now. False: something is not the usual. */
static HW_NOINLINE bool lean_region_again(const struct memsys *m, struct lean_region *r,
                                          uint64_t va, const bool eight)
{
    const uint64_t number = va >> LEAN_REGION_SHIFT;
    if (r->number != number || !lean_region_holds(m, r)) {
        r->number = UINT64_MAX;
        memset(r->flags, 0xff, sizeof r->flags);
        if (!lean_region_find(m, r, va, (struct lean_kind){.eight = eight})) {
            return false;
        }
        r->number = number;
    }
    r->generation = m->walker.generation;
    return true;
}
HW_INLINE bool lean_region_get(const struct memsys *m, struct lean_region *r, uint64_t va,
                               const struct lean_kind kind)
{
    return (HW_LIKELY(r->number == va >> LEAN_REGION_SHIFT) &&
            HW_LIKELY(r->generation == m->walker.generation)) ||
           lean_region_again(m, r, va, kind.eight);
}

/* What a walk reads, in L2: the three upper entries, then the last one. */
static HW_NOINLINE void lean_upper_reads(struct memsys *m, struct memsys_state *st,
                                         const struct lean_region *r, const bool eight,
                                         const bool live)
{
    const struct lean_kind kind = {.eight = eight, .live = live};
    for (int i = 0; i < 3; i++) {
        lean_l2_line(m, st, r->line[i], L2_WALK, false, kind);
    }
}
HW_INLINE void lean_walk_reads(struct memsys *m, struct memsys_state *st,
                               const struct lean_region *r, uint64_t offset,
                               const struct lean_kind kind)
{
    if (lean_l2_youngest(r->set[0], r->line[0]) &&
        lean_l2_youngest(r->set[1], r->line[1]) &&
        lean_l2_youngest(r->set[2], r->line[2])) {
        st->n.l2_access[L2_WALK] += 3 * kind.live;
        lean_events(m, 3, kind);
    } else {
        lean_upper_reads(m, st, r, kind.eight, kind.live);
    }
    lean_l2(m, st, r->table_pa | offset, L2_WALK, false, kind);
}

/* The last entry gets these bits, in L2 and RAM. */
static HW_NOINLINE void lean_set_bits(struct memsys *m, struct memsys_state *st,
                                      const struct lean_region *r, uint64_t offset,
                                      uint64_t value, const bool eight, const bool live)
{
    const struct lean_kind kind = {.eight = eight, .live = live};
    st->n.l2_access[L2_WALK] += !live;
    lean_l2(m, st, r->table_pa | offset, L2_WALK, true, kind);
    lean_events(m, 1, kind);
    arena_mark(m->ram->arena, r->table);
    memcpy(r->table + offset, &value, 8);
}

/* Set what says that a TLB has entries of the usual kind (tlb.h, I1), where it has got
 * the first one here. */
HW_INLINE void lean_note_kinds(struct memsys *m, const struct memsys_tally *n)
{
    for (int side = 0; side < NR_SIDES; side++) {
        *m->front[side].tlb.kinds |= n->tlb_miss[side] != 0;
    }
    *m->stlb.kinds |= n->stlb_miss != 0;
}

/* A page that is not there: does somebody mend it? Counting only; else the whole path
 * must do it, where events and counts are right when the fault is announced. */
static HW_NOINLINE bool lean_mended(struct memsys *m, struct memsys_state *st,
                                    const struct lean_region *r, uint64_t va,
                                    enum access_kind access, const bool eight)
{
    lean_walk_reads(m, st, r, va >> 9 & 0xff8, (struct lean_kind){.eight = eight});
    st->n.walks++;
    st->n.l2_access[L2_WALK] += 4;
    lean_note_kinds(m, &st->n); /* who mends it may flush */
    if (!memsys_leaf_missing(m, va, access)) {
        m->walker.unmended = true;
        return false;
    }
    lean_walker_doubt(m);
    lean_refresh(m, st);
    return lean_now(m);
}

#define LEAN_NO_ENTRY UINT64_MAX /* of a TLB: ask the whole path */

/* What a TLB has for a last entry with the flags that the region knows. */
HW_INLINE uint64_t lean_entry(const struct memsys *m, const struct lean_region *r,
                              uint64_t value, const enum access_kind access)
{
    return (value & m->walker.address) | r->flags_perms[access];
}

/* The rest of a walk where the last entry is not what was last seen in this region: it is
 * the usual one but for bits that the access sets, or somebody mends it. */
static HW_NOINLINE uint64_t lean_walk_leaf(struct memsys *m, struct memsys_state *st,
                                           struct lean_region *r, uint64_t va,
                                           enum access_kind access, const bool eight,
                                           const bool live)
{
    const struct lean_kind kind = {.eight = eight, .live = live};
    const uint64_t usual = m->walker.usual_mask & ~(uint64_t)PTE_A;
    const uint64_t set = PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
    const uint64_t offset = va >> 9 & 0xff8;
    uint64_t value;
    memcpy(&value, r->table + offset, 8);
    if (!(value & PTE_P) && !live) {
        if (!lean_mended(m, st, r, va, access, eight) ||
            !lean_region_get(m, r, va, kind)) {
            return LEAN_NO_ENTRY;
        }
        memcpy(&value, r->table + offset, 8);
    }
    const uint64_t now = value | set;
    const uint64_t perms = ((now & PTE_W) | (now >> 2 & CACHE_U) | (now >> 3 & CACHE_D) |
                            (~now >> 61 & CACHE_X)) &
                           r->perms;
    if ((value & usual) != PTE_P ||
        !(st->page_may[access] >> (perms | CACHE_OWNED) & 1)) {
        return LEAN_NO_ENTRY;
    }
    r->flags[access] = now & ~m->walker.address;
    r->flags_perms[access] = perms;
    lean_walk_reads(m, st, r, offset, kind);
    if (now != value) {
        lean_set_bits(m, st, r, offset, now, eight, live);
    }
    lean_events(m, 4, kind); /* entries */
    return lean_entry(m, r, now, access);
}

/* A walk where the upper entries are present and have been used before, the last one is a
 * 4 KiB page's and permits the access. Global pages and memory types other than
 * write-back are not the usual either. */
HW_INLINE uint64_t lean_walk(struct memsys *m, struct memsys_state *st, uint64_t va,
                             const enum access_kind access, const struct lean_kind kind)
{
    _Static_assert(sizeof(struct lean_region) == 256, "a shift finds it");
    struct lean_region *r =
        (void *)((unsigned char *)m->walker.region +
                 (va >> (LEAN_REGION_SHIFT - 8) & (LEAN_REGIONS - 1) << 8));
    HW_KEEP(r);
    const uint64_t offset = va >> 9 & 0xff8;
    uint64_t value;
    if (kind.live) { /* anybody may have written to the tables since the last access */
        lean_walker_doubt(m);
    }
    if (!HW_LIKELY(lean_region_get(m, r, va, kind))) {
        return LEAN_NO_ENTRY;
    }
    memcpy(&value, r->table + offset, 8);
    if (!HW_LIKELY((value & ~m->walker.address) == r->flags[access])) {
        return lean_walk_leaf(m, st, r, va, access, kind.eight, kind.live);
    }
    lean_walk_reads(m, st, r, offset, kind);
    lean_events(m, 4, kind); /* entries */
    return lean_entry(m, r, value, access);
}

/* May a page with this entry, of 4 KiB and not global, be accessed so? */
HW_INLINE bool lean_page_may(const struct memsys_state *st, uint64_t entry,
                             enum access_kind access)
{
    const uint32_t may = st->page_may[access] >> CACHE_OWNED;
    return (may & 1u << ((uint32_t)entry & 31)) != 0;
}

HW_INLINE uint64_t *lean_home(struct cache_set *s)
{
    return (uint64_t *)(void *)((unsigned char *)s + LEAN_HOME_AT);
}

/* Not in set t of the first TLB: the second, or a walk; enters what they say.
 * LEAN_NO_ENTRY: ask the whole path. */
HW_INLINE uint64_t lean_tlb_miss(struct memsys *m, struct memsys_state *st,
                                 struct cache_set *t, uint64_t va,
                                 const enum access_kind access,
                                 const struct lean_kind kind)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const uint64_t page = va >> PAGE_SHIFT, key = page ^ st->space;
    struct cache *c = &m->stlb.c, *first = &m->front[side].tlb.c;
    struct cache_set *s = (struct cache_set *)(void *)(c->sets + (page & c->set_mask) *
                                                                     m->lean_stlb_stride);
    const uint16_t sig = (uint16_t)(va >> 16); /* if eight */
    uint32_t way = cache_decide(
        s, key, kind.eight ? cache_same(s, sig, 16) : cache_candidates(c, s, key, 16));
    uint64_t entry;
    if (kind.live && *m->stlb.kinds != 1) {
        return LEAN_NO_ENTRY;
    }
    if (way != CACHE_NO_WAY) {
        entry = *cache_home(c, s, way);
        if (!HW_LIKELY(lean_page_may(st, entry, access))) {
            return LEAN_NO_ENTRY;
        }
        lean_mark(m, s, kind);
        lean_touch(s, way, false);
    } else {
        entry = lean_walk(m, st, va, access, kind);
        if (!HW_LIKELY(entry != LEAN_NO_ENTRY)) {
            return LEAN_NO_ENTRY;
        }
        st->n.stlb_miss++;
        st->n.walks += kind.live;
        lean_mark(m, s, kind);
        way = lean_victim(c, s, false);
        s->key[way] = key;
        s->sig[way] = kind.eight ? sig : cache_signature(c, key);
        *cache_home(c, s, way) = entry;
        lean_events(m, 1, kind); /* fill */
    }
    lean_events(m, 2, kind); /* probe of the second TLB, fill of the first */
    st->n.stlb_access += kind.live;
    st->n.tlb_miss[side]++;
    lean_mark(m, t, kind);
    way = lean_victim(first, t, false);
    t->key[way] = key;
    t->sig[way] = kind.eight ? sig : cache_signature(first, key);
    lean_home(t)[way] = entry;
    return entry;
}
/* Out of line: it is long. */
#define LEAN_TLB_MISS(name, access, ...)                                                 \
    static HW_NOINLINE uint64_t name(struct memsys *m, struct memsys_state *st,          \
                                     struct cache_set *t, uint64_t va)                   \
    {                                                                                    \
        return lean_tlb_miss(m, st, t, va, access, (struct lean_kind){__VA_ARGS__});     \
    }
#define LEAN_TLB_MISSES(name, ...)                                                       \
    LEAN_TLB_MISS(name##_read, ACCESS_READ, __VA_ARGS__)                                 \
    LEAN_TLB_MISS(name##_write, ACCESS_WRITE, __VA_ARGS__)                               \
    LEAN_TLB_MISS(name##_fetch, ACCESS_FETCH, __VA_ARGS__)                               \
    HW_INLINE uint64_t name(struct memsys *m, struct memsys_state *st,                   \
                            struct cache_set *t, uint64_t va,                            \
                            const enum access_kind access)                               \
    {                                                                                    \
        return access == ACCESS_READ    ? name##_read(m, st, t, va)                      \
               : access == ACCESS_WRITE ? name##_write(m, st, t, va)                     \
                                        : name##_fetch(m, st, t, va);                    \
    }
LEAN_TLB_MISSES(lean_tlb_miss_eight, .eight = true)
LEAN_TLB_MISSES(lean_tlb_miss_other, .eight = false)
LEAN_TLB_MISSES(lean_tlb_miss_live_eight, .eight = true, .live = true)
LEAN_TLB_MISSES(lean_tlb_miss_live_other, .eight = false, .live = true)

/* ---- the first level ---- */

/* A line is brought in: its attributes, in the youngest way of set s. sigs: its
 * signature, if eight. */
HW_INLINE uint8_t *lean_miss(struct memsys *m, struct memsys_state *st,
                             struct cache_set *s, const uint64_t *va_at, uint64_t line,
                             lean_sigs_t sigs, const enum access_kind access,
                             const struct lean_kind kind)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct front *f = &m->front[side];
    const uint64_t va = *va_at;
    uint64_t entry;
    lean_sigs_t l2_sigs;

    if (kind.live && (*f->tlb.kinds != 1 || st->mmu.paging != PAGING_4LEVEL)) {
        return NULL;
    }
    const uint64_t page = va >> PAGE_SHIFT ^ st->space;
    struct cache_set *t =
        (struct cache_set *)(void *)(f->tlb.c.sets +
                                     (va >> (PAGE_SHIFT - LEAN_SET_SHIFT) &
                                      m->lean_tlb_mask[side]));
    size_t twice;
    if (kind.eight) {
        twice = lean_decide(t, page, lean_same(lean_spread(lean_bits(va_at, 2)), t->sig));
    } else {
        const uint32_t way =
            cache_decide(t, page, cache_candidates(&f->tlb.c, t, page, 8));
        twice = way == CACHE_NO_WAY ? LEAN_NO_WAY : 2 * (size_t)way;
    }
    if (HW_LIKELY(twice != LEAN_NO_WAY)) {
        const uint64_t *home =
            (const uint64_t *)(const void *)((unsigned char *)lean_home(t) + 4 * twice);
        entry = *home;
        l2_sigs = lean_spread(lean_bits(home, LEAN_L2_SIG_SHIFT / 8));
        if (!HW_LIKELY(lean_page_may(st, entry, access))) {
            return NULL;
        }
        if (twice / 2 != ((uint32_t)t->order & 15)) {
            lean_mark(m, t, kind);
            lean_touch_eight(t, (uint32_t)twice / 2);
        }
    } else {
        entry = kind.live    ? kind.eight ? lean_tlb_miss_live_eight(m, st, t, va, access)
                                          : lean_tlb_miss_live_other(m, st, t, va, access)
                   : kind.eight ? lean_tlb_miss_eight(m, st, t, va, access)
                             : lean_tlb_miss_other(m, st, t, va, access);
        if (!HW_LIKELY(entry != LEAN_NO_ENTRY)) {
            return NULL;
        }
        l2_sigs = lean_spread((uint16_t)(entry >> LEAN_L2_SIG_SHIFT));
        if (kind.eight) { /* rather than keep it meanwhile */
            sigs = lean_spread(lean_bits(va_at, 1));
        }
    }
    const uint64_t pa = (entry & ~(uint64_t)(PAGE_SIZE - 1)) | (va & (PAGE_SIZE - 1));
    const uint64_t home_line = pa >> LEAN_LINE_SHIFT;
    st->n.l1_miss[access]++;
    st->n.l1_access[access] += kind.live;
    st->n.tlb_access[side] += kind.live;
    lean_l2_in(m, st, lean_l2_set(m, pa, kind), home_line, l2_sigs, L2_FETCH, false,
               kind);
    lean_mark(m, s, kind);
    const uint32_t way = lean_victim(&f->l1, s, kind.eight);
    uint64_t *home = lean_home(s) + way;
    const unsigned old = s->attr[way];
    lean_events(m, 3u + (old != 0), kind);       /* TLB probe, L1 probe, fill, evict */
    if (side == SIDE_D && (old & CACHE_DIRTY)) { /* nobody writes to an L1I */
        st->n.l1_writeback[SIDE_D]++;
        lean_events(m, 1, kind);
        lean_l2_line(m, st, *home, L2_VICTIM, true, kind);
    }
    s->attr[way] = (uint8_t)((entry & TLB_PERMS) | CACHE_VALID | CACHE_OWNED |
                             (access == ACCESS_WRITE ? CACHE_DIRTY : 0));
    s->key[way] = line;
    s->sig[way] = kind.eight ? lean_sig(sigs) : cache_signature(&f->l1, line);
    *home = home_line;
    return &s->attr[way];
}

HW_INLINE uint64_t lean_l1_key(const struct memsys_state *st, uint64_t va,
                               const struct lean_kind kind)
{
    return va >> LEAN_LINE_SHIFT ^ (kind.live ? st->line_space : 0);
}
HW_INLINE struct cache_set *lean_l1_set(const struct memsys *m, uint64_t va,
                                        const enum side side)
{
    return (struct cache_set *)(void *)(m->front[side].l1.sets +
                                        (va << (LEAN_SET_SHIFT - LEAN_LINE_SHIFT) &
                                         m->lean_l1_mask[side]));
}

/* One access inside one line. Answers its attributes (it is now the youngest of its set);
 * NULL: the whole path must do it. */
HW_INLINE uint8_t *lean_access(struct memsys *m, struct memsys_state *st,
                               const uint64_t *va_at, const enum access_kind access,
                               const struct lean_kind kind)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const uint64_t va = *va_at;
    const uint64_t line = lean_l1_key(st, va, kind);
    struct cache_set *s = lean_l1_set(m, va, side);
    const uint32_t youngest = (uint32_t)s->order & 15;
    uint32_t way = youngest;
    if (kind.tried || !HW_LIKELY(s->key[way] == line)) {
        lean_sigs_t sigs = lean_spread(0);
        if (kind.eight) {
            sigs = lean_spread(lean_bits(va_at, 1));
            const size_t twice = lean_decide(s, line, lean_same(sigs, s->sig));
            if (twice == LEAN_NO_WAY) {
                return lean_miss(m, st, s, va_at, line, sigs, access, kind);
            }
            way = (uint32_t)twice / 2;
        } else {
            const struct cache *c = &m->front[side].l1;
            way = cache_decide(s, line, cache_candidates(c, s, line, 8));
            if (way == CACHE_NO_WAY) {
                return lean_miss(m, st, s, va_at, line, sigs, access, kind);
            }
        }
    }
    const uint32_t may = st->line_may[access];
    if (!HW_LIKELY(may >> (s->attr[way] & CACHE_NEEDS) & 1)) {
        return NULL;
    }
    lean_events(m, 1, kind);
    st->n.l1_access[access]++;
    if (way != youngest) {
        lean_mark(m, s, kind);
        lean_touch_eight(s, way);
    }
    if (access == ACCESS_WRITE) {
        lean_mark(m, s, kind);
        s->attr[way] |= CACHE_DIRTY;
    }
    return &s->attr[way];
}

/* memsys_access without short cuts. */
bool memsys_access_whole(struct memsys *m, uint64_t va, uint32_t size,
                         enum access_kind access, unsigned char *bytes);

/* Counts that follow from others, and that are therefore not kept. */
HW_INLINE void lean_settle(struct memsys_tally *n)
{
    n->tlb_access[SIDE_I] = n->l1_miss[ACCESS_FETCH];
    n->tlb_access[SIDE_D] = n->l1_miss[ACCESS_READ] + n->l1_miss[ACCESS_WRITE];
    n->stlb_access = n->tlb_miss[SIDE_I] + n->tlb_miss[SIDE_D];
    n->walks += n->stlb_miss; /* so far only those that faulted */
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        n->l1_access[access] += n->l1_miss[access]; /* so far only the hits */
        n->l2_access[L2_FETCH] += n->l1_miss[access];
    }
    n->l2_access[L2_VICTIM] = n->l1_writeback[SIDE_D];
    n->l2_access[L2_WALK] += 4 * n->stlb_miss;
}

#endif
