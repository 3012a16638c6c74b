/* The usual machine in few instructions: an access with its misses, walks and evictions
 * where nothing unusual happens. Counts and leaves behind exactly what the whole path
 * (hw/memsys_path.h) would, which tests/test_memsys.c compares.
 *
 * The usual machine: two levels of TLBs before four-level page tables, virtual L1 tags,
 * L2, write-back, LRU, lines of 64 bytes, power of two sets, up to 8 ways (L2 and the
 * second TLB up to 16), lines without bytes.
 *
 * An access either goes its whole way here, or is given up before it has changed
 * anything, and the whole path does it: a page fault, an accessed or dirty bit to be set,
 * a large or global page, a permission that is missing.
 *
 * Compiled three times by inlining, see struct lean_kind: counting only (memsys_run), the
 * same with a larger L2, and as an operation (hw/memsys_quick.c), which marks what it
 * changes and tells how many events the whole path would have announced.
 *
 * Instructions a reference (tests/bench_trace.c): about 35 counting and 94 as operations
 * where references hit, as real programs' do. On syn2m, where more than half miss L1 and
 * one in eight walks, 167 and 259; 90 and 140 were wanted. They go, for each L1 miss, to
 * a set of L1, one of the first TLB and two to three of L2 looked through, aged and
 * filled, 20 to 50 each.
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
    bool eight; /* L1I, L1D and L2 have 8 ways each; else L1 up to 8, L2 up to 16 */
    bool live;  /* mark and count events */
};

enum {
    LEAN_LINE_SHIFT = 6,
    LEAN_LINE = 1 << LEAN_LINE_SHIFT,
    LEAN_SET_SHIFT = 8, /* a set of 8 ways with homes takes 256 bytes */
    LEAN_HOME_AT = sizeof(struct cache_set) + 8 * 8
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
    if (kind.live) {
        arena_mark(m->arena, p);
    }
}

/* ---- the order of a small set, as hw/cache.h has it ---- */

/* Up to 8 ways: a word of 32 bits. */
HW_INLINE void lean_touch_eight(struct cache_set *s, uint32_t way)
{
    const uint32_t ones = 0x11111111u, order = (uint32_t)s->order;
    const uint32_t differs = order ^ ones * way;
    const uint32_t zero = (differs - ones) & ~differs & ones << 3;
    const uint32_t upto = zero ^ (zero - 1);
    s->order = order ^ ((order ^ (order << 4 | way)) & upto);
}
/* Exactly 8. */
HW_INLINE uint32_t lean_victim_eight(struct cache_set *s)
{
    uint32_t order = (uint32_t)s->order;
    order = order << 4 | order >> 28;
    s->order = order;
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

/* One access of a line, which is in set s if anywhere. */
HW_INLINE void lean_l2_in(struct memsys *m, struct memsys_tally *n, struct cache_set *s,
                          uint64_t line, const enum l2_use use,
                          const struct lean_kind kind)
{
    struct cache *c = &m->l2;
    const bool write = use == L2_VICTIM;
    n->l2_access[use] += kind.live;
    uint32_t way = cache_decide(s, line,
                                kind.eight ? cache_candidates(s, line, 8)
                                           : cache_candidates(s, line, 16) & c->way_mask);
    if (way != CACHE_NO_WAY) {
        lean_mark(m, s, kind);
        lean_touch(s, way, kind.eight);
        if (write) {
            s->attr[way] |= CACHE_DIRTY;
        }
        lean_events(m, 1, kind);
        return;
    }
    n->l2_miss[use]++;
    lean_mark(m, s, kind);
    way = lean_victim(c, s, kind.eight);
    const unsigned old = s->attr[way];
    s->attr[way] = CACHE_VALID | CACHE_OWNED | (write ? CACHE_DIRTY : 0);
    s->key[way] = line;
    s->sig[way] = (uint8_t)cache_signature(line);
    lean_events(m, 2u + !write + (old != 0), kind); /* probe, fill, read, evict */
    if (old & CACHE_DIRTY) {
        n->l2_writeback++;
        lean_events(m, 1, kind);
    }
}
HW_INLINE void lean_l2(struct memsys *m, struct memsys_tally *n, uint64_t pa,
                       const enum l2_use use, const struct lean_kind kind)
{
    lean_l2_in(m, n, lean_l2_set(m, pa, kind), pa >> LEAN_LINE_SHIFT, use, kind);
}
/* An entry of an upper table, which is nearly always in the youngest line of its set. */
HW_INLINE void lean_l2_upper(struct memsys *m, struct memsys_tally *n,
                             struct cache_set *s, uint64_t line,
                             const struct lean_kind kind)
{
    if (HW_LIKELY(s->key[s->order & 15] == line)) {
        n->l2_access[L2_WALK] += kind.live;
        lean_events(m, 1, kind);
    } else {
        lean_l2_in(m, n, s, line, L2_WALK, kind);
    }
}

/* ---- translation ---- */

/* Tables or registers may have changed since what the walker remembers. */
HW_INLINE void lean_walker_doubt(struct memsys *m)
{
    struct lean_walker *w = &m->walker;
    const struct mmu *mmu = &m->s->mmu;
    w->generation++;
    if (w->physical_bits != mmu->physical_bits || w->nxe != mmu->nxe) {
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
HW_INLINE bool lean_region_get(const struct memsys *m, struct lean_region *r, uint64_t va,
                               const struct lean_kind kind)
{
    const uint64_t number = va >> LEAN_REGION_SHIFT;
    if (HW_LIKELY(r->number == number)) {
        if (HW_LIKELY(r->generation == m->walker.generation)) {
            return true;
        }
        if (lean_region_holds(m, r)) {
            r->generation = m->walker.generation;
            return true;
        }
    }
    r->number = UINT64_MAX;
    if (!lean_region_find(m, r, va, kind)) {
        return false;
    }
    r->number = number;
    r->generation = m->walker.generation;
    return true;
}

/* A walk where each entry is present and has been used before, the last one is a 4 KiB
 * page's, dirty if the page is to be written, and permits the access; then entered in the
 * second TLB, in set s. Global pages and memory types other than write-back are not the
 * usual either. False: ask the whole path. */
HW_INLINE bool lean_walk(struct memsys *m, struct memsys_tally *n, struct cache_set *s,
                         uint64_t va, uint64_t key, enum access_kind access,
                         uint64_t *entry, const struct lean_kind kind)
{
    struct cache *c = &m->stlb.c;
    struct lean_region *r =
        &m->walker.region[va >> LEAN_REGION_SHIFT & (LEAN_REGIONS - 1)];
    if (kind.live) { /* anybody may have written to the tables since the last access */
        lean_walker_doubt(m);
    }
    if (!lean_region_get(m, r, va, kind)) {
        return false;
    }
    const uint32_t offset = (uint32_t)(va >> 9) & 0xff8;
    uint64_t value;
    memcpy(&value, r->table + offset, 8);
    if ((value & m->walker.usual_mask) != (PTE_P | PTE_A)) {
        return false;
    }
    const uint64_t perms = ((value & PTE_W) | (value >> 2 & CACHE_U) |
                            (value >> 3 & CACHE_D) | (~value >> 61 & CACHE_X)) &
                           r->perms;
    if (!(m->s->page_may[access] >> (perms | CACHE_OWNED) & 1)) {
        return false;
    }
    *entry = (value & m->walker.address) | perms;
    for (int i = 0; i < 3; i++) {
        lean_l2_upper(m, n, r->set[i], r->line[i], kind);
    }
    lean_l2(m, n, r->table_pa | offset, L2_WALK, kind);
    lean_events(m, 4 + 1, kind); /* entries, fill */
    n->stlb_miss++;
    n->walks += kind.live;
    lean_mark(m, s, kind);
    const uint64_t way = lean_victim(c, s, false);
    s->key[way] = key;
    s->sig[way] = (uint8_t)cache_signature(key);
    *cache_home(c, s, (uint32_t)way) = *entry;
    return true;
}
/* Out of line: it is long. */
#define LEAN_WALK(name, ...)                                                             \
    static HW_NOINLINE bool name(struct memsys *m, struct memsys_tally *n,               \
                                 struct cache_set *s, uint64_t va, uint64_t key,         \
                                 enum access_kind access, uint64_t *entry)               \
    {                                                                                    \
        return lean_walk(m, n, s, va, key, access, entry,                                \
                         (struct lean_kind){__VA_ARGS__});                               \
    }
LEAN_WALK(lean_walk_eight, .eight = true)
LEAN_WALK(lean_walk_other, .eight = false)
LEAN_WALK(lean_walk_live_eight, .eight = true, .live = true)
LEAN_WALK(lean_walk_live_other, .eight = false, .live = true)

/* May a page with this entry, of 4 KiB and not global, be accessed so? */
HW_INLINE bool lean_page_may(const struct memsys *m, uint64_t entry,
                             enum access_kind access)
{
    const uint32_t may = m->s->page_may[access] >> CACHE_OWNED;
    return (may & 1u << ((uint32_t)entry & 31)) != 0;
}

/* Not in the first TLB: the second, or a walk; enters what they say. False: ask the whole
 * path. */
HW_INLINE bool lean_translate_miss(struct memsys *m, struct memsys_tally *n,
                                   struct front *f, struct cache_set *t, uint64_t va,
                                   uint64_t key, enum access_kind access, uint64_t *entry,
                                   const struct lean_kind kind)
{
    struct cache *c = &m->stlb.c;
    struct cache_set *s = cache_set_masked(c, va >> PAGE_SHIFT);
    uint32_t way = cache_decide(s, key, cache_candidates(s, key, 16) & c->way_mask);
    if (kind.live && *m->stlb.kinds != 1) {
        return false;
    }
    if (way != CACHE_NO_WAY) {
        *entry = *cache_home(c, s, way);
        if (!lean_page_may(m, *entry, access)) {
            return false;
        }
        lean_mark(m, s, kind);
        lean_touch(s, way, false);
    } else {
        bool (*const walk)(struct memsys *, struct memsys_tally *, struct cache_set *,
                           uint64_t, uint64_t, enum access_kind, uint64_t *) =
            kind.live    ? kind.eight ? lean_walk_live_eight : lean_walk_live_other
            : kind.eight ? lean_walk_eight
                         : lean_walk_other;
        if (!walk(m, n, s, va, key, access, entry)) {
            return false;
        }
    }
    lean_events(m, 2, kind); /* probe of the second TLB, fill of the first */
    n->stlb_access += kind.live;
    n->tlb_miss[access != ACCESS_FETCH]++;
    lean_mark(m, t, kind);
    way = lean_victim(&f->tlb.c, t, false);
    t->key[way] = key;
    t->sig[way] = (uint8_t)cache_signature(key);
    ((uint64_t *)(void *)((unsigned char *)t + LEAN_HOME_AT))[way] = *entry;
    return true;
}

HW_INLINE bool lean_translate(struct memsys *m, struct memsys_tally *n, struct front *f,
                              uint64_t va, const enum access_kind access, uint64_t *entry,
                              const struct lean_kind kind)
{
    const uint64_t key = va >> PAGE_SHIFT ^ m->s->space;
    struct cache_set *t =
        (struct cache_set *)(void *)(f->tlb.c.sets +
                                     (va >> (PAGE_SHIFT - LEAN_SET_SHIFT) &
                                      m->lean_tlb_mask[access != ACCESS_FETCH]));
    const uint32_t way = cache_decide(t, key, cache_candidates(t, key, 8));
    if (way == CACHE_NO_WAY) {
        return lean_translate_miss(m, n, f, t, va, key, access, entry, kind);
    }
    *entry = ((uint64_t *)(void *)((unsigned char *)t + LEAN_HOME_AT))[way];
    if (!HW_LIKELY(lean_page_may(m, *entry, access))) {
        return false;
    }
    if (way != ((uint32_t)t->order & 15)) {
        lean_mark(m, t, kind);
        lean_touch_eight(t, way);
    }
    return true;
}

/* ---- the first level ---- */

/* An access found, or brought in: the line's attributes, in the youngest way of its set.
 */
HW_INLINE uint8_t *lean_miss(struct memsys *m, struct memsys_tally *n,
                             struct cache_set *s, uint64_t va, uint64_t line,
                             const enum access_kind access, const struct lean_kind kind)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct front *f = &m->front[side];
    uint64_t entry;

    if (kind.live && (*f->tlb.kinds != 1 || m->s->mmu.paging != PAGING_4LEVEL)) {
        return NULL;
    }
    if (!lean_translate(m, n, f, va, access, &entry, kind)) {
        return NULL;
    }
    const uint64_t pa = (entry & TLB_FRAME) | (va & (PAGE_SIZE - 1));
    n->l1_miss[access]++;
    n->l1_access[access] += kind.live;
    n->tlb_access[side] += kind.live;
    lean_l2(m, n, pa, L2_FETCH, kind);
    lean_mark(m, s, kind);
    const uint32_t way = lean_victim(&f->l1, s, kind.eight);
    uint64_t *home = (uint64_t *)(void *)((unsigned char *)s + LEAN_HOME_AT) + way;
    const unsigned old = s->attr[way];
    lean_events(m, 3u + (old != 0), kind);       /* TLB probe, L1 probe, fill, evict */
    if (side == SIDE_D && (old & CACHE_DIRTY)) { /* nobody writes to an L1I */
        n->l1_writeback[SIDE_D]++;
        lean_events(m, 1, kind);
        lean_l2(m, n, *home << LEAN_LINE_SHIFT, L2_VICTIM, kind);
    }
    s->attr[way] = (uint8_t)((entry & TLB_PERMS) | CACHE_VALID | CACHE_OWNED |
                             (access == ACCESS_WRITE ? CACHE_DIRTY : 0));
    s->key[way] = line;
    s->sig[way] = (uint8_t)cache_signature(line);
    *home = pa >> LEAN_LINE_SHIFT;
    return &s->attr[way];
}

/* One access inside one line. Answers its attributes (it is now the youngest of its set);
 * NULL: the whole path must do it. */
HW_INLINE uint8_t *lean_access(struct memsys *m, struct memsys_tally *n, uint64_t va,
                               const enum access_kind access, const struct lean_kind kind)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const uint64_t line =
        va >> LEAN_LINE_SHIFT ^ (kind.live ? m->s->line_space : 0); /* the key */
    struct cache_set *s =
        (struct cache_set *)(void *)(m->front[side].l1.sets +
                                     (va << (LEAN_SET_SHIFT - LEAN_LINE_SHIFT) &
                                      m->lean_l1_mask[side]));
    const uint32_t youngest = (uint32_t)s->order & 15;
    uint32_t way = youngest;
    if (!HW_LIKELY(s->key[way] == line)) {
        way = cache_decide(s, line, cache_candidates(s, line, 8));
        if (way == CACHE_NO_WAY) {
            return lean_miss(m, n, s, va, line, access, kind);
        }
    }
    if (!HW_LIKELY((m->s->line_may[access] & 1u << (s->attr[way] & CACHE_NEEDS)) != 0)) {
        return NULL;
    }
    lean_events(m, 1, kind);
    n->l1_access[access]++;
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

/* Set what says that a TLB has entries of the usual kind (tlb.h, I1), where it has got
 * the first one here. */
HW_INLINE void lean_note_kinds(struct memsys *m, const struct memsys_tally *n)
{
    for (int side = 0; side < NR_SIDES; side++) {
        *m->front[side].tlb.kinds |= n->tlb_miss[side] != 0;
    }
    *m->stlb.kinds |= n->stlb_miss != 0;
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
    n->walks = n->stlb_miss;
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        n->l1_access[access] += n->l1_miss[access]; /* so far only the hits */
        n->l2_access[L2_FETCH] += n->l1_miss[access];
    }
    n->l2_access[L2_VICTIM] = n->l1_writeback[SIDE_D];
    n->l2_access[L2_WALK] = 4 * n->walks;
}

#endif
