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

HW_INLINE void lean_mark(struct memsys *m, const void *p, const struct lean_kind kind)
{
    if (kind.live) {
        arena_mark(m->arena, p);
    }
}

/* ---- the order of a small set, as hw/cache.h has it ---- */

/* Exactly 8 ways: a word of 32 bits. */
HW_INLINE void lean_touch_eight(struct cache_set *s, uint32_t way)
{
    const uint32_t ones = 0x11111111u, order = (uint32_t)s->order;
    const uint32_t differs = order ^ ones * way;
    const uint32_t zero = (differs - ones) & ~differs & ones << 3;
    const uint32_t upto = zero ^ (zero - 1);
    s->order = order ^ ((order ^ (order << 4 | way)) & upto);
}
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

/* One access of the line at pa. Answers how many events it is. */
HW_INLINE uint32_t lean_l2(struct memsys *m, struct memsys_tally *n, uint64_t pa,
                           const enum l2_use use, const struct lean_kind kind)
{
    struct cache *c = &m->l2;
    const bool write = use == L2_VICTIM;
    const uint64_t line = pa >> LEAN_LINE_SHIFT;
    struct cache_set *s =
        kind.eight ? (struct cache_set *)(void *)(c->sets + (pa << 1 & m->lean_l2_mask))
                   : cache_set_masked(c, line);
    uint32_t youngest = (uint32_t)s->order & 15, way;
    n->l2_access[use] += kind.live;
    if (use == L2_WALK && HW_LIKELY(s->key[youngest] == line)) {
        return 1;
    }
    way = cache_decide(s, line,
                       kind.eight ? cache_candidates(s, line, 8)
                                  : cache_candidates(s, line, 16) & c->way_mask);
    if (way != CACHE_NO_WAY) {
        if (way != youngest) {
            lean_mark(m, s, kind);
            lean_touch(s, way, kind.eight);
        }
        if (write) {
            lean_mark(m, s, kind);
            s->attr[way] |= CACHE_DIRTY;
        }
        return 1;
    }
    n->l2_miss[use]++;
    lean_mark(m, s, kind);
    way = lean_victim(c, s, kind.eight);
    const unsigned old = s->attr[way];
    s->attr[way] = CACHE_VALID | CACHE_OWNED | (write ? CACHE_DIRTY : 0);
    s->key[way] = line;
    s->sig[way] = (uint8_t)cache_signature(line);
    uint32_t events = 2u + !write + (kind.live && old); /* probe, fill, read, evict */
    if (old & CACHE_DIRTY) {
        n->l2_writeback++;
        events++;
    }
    return events;
}

/* ---- translation ---- */

/* What the walker finds, when it is the usual: every entry present and used before, the
 * last one a 4 KiB page's, dirty if it is to be written, and permitted. at: where the
 * four entries lie. False: ask the whole path. */
HW_INLINE bool lean_tables(const struct memsys *m, uint64_t va, enum access_kind access,
                           uint64_t at[4], uint64_t *entry)
{
    const struct mmu *mmu = &m->s->mmu;
    const struct ram *r = m->ram;
    const uint64_t address = ((uint64_t)1 << mmu->physical_bits) - PAGE_SIZE;
    const uint64_t reserved = (((uint64_t)1 << 52) - PAGE_SIZE) & ~address;
    const uint64_t unusual = reserved | PTE_PS | (mmu->nxe ? 0 : PTE_NX);
    uint64_t all = ~(uint64_t)0, any = 0, value = mmu->cr3;
    if ((va + ((uint64_t)1 << 47)) >> 48) {
        return false;
    }
    for (int level = 3; level >= 0; level--) {
        const uint64_t frame = (value & address) >> PAGE_SHIFT;
        const uint32_t offset = (uint32_t)(va >> (9 * level + 9)) & 0xff8;
        const uint32_t chunk = frame < r->nr_frames ? r->chunk_of[frame] : 0;
        if (!chunk) {
            return false;
        }
        at[3 - level] = frame << PAGE_SHIFT | offset;
        memcpy(&value, (const unsigned char *)arena_chunk_ptr(r->arena, chunk) + offset,
               8);
        all &= value;
        any |= value;
    }
    const uint64_t needs =
        PTE_P | PTE_A; /* global pages and other memory types are not for here */
    if ((all & needs) != needs || (any & unusual) ||
        (value & (PTE_G | PTE_PWT | PTE_PCD))) {
        return false;
    }
    const uint32_t perms =
        (uint32_t)((all & PTE_U) >> 2 | (all & PTE_W) | (value & PTE_D) >> 3) |
        (any & PTE_NX ? 0 : CACHE_X);
    *entry = (value & address) | perms;
    return m->s->page_may[access] >> (perms | CACHE_OWNED) & 1;
}

/* Not in the first TLB: the second, or a walk; enters what they say. False: ask the whole
 * path. */
HW_INLINE bool lean_translate_miss(struct memsys *m, struct memsys_tally *n,
                                   struct front *f, struct cache_set *t, uint64_t va,
                                   uint64_t key, enum access_kind access, uint64_t *entry,
                                   uint32_t *events, const struct lean_kind kind)
{
    struct cache *c = &m->stlb.c;
    struct cache_set *s = cache_set_masked(c, va >> PAGE_SHIFT);
    uint32_t way = cache_decide(s, key, cache_candidates(s, key, 16) & c->way_mask);
    if (kind.live && *m->stlb.kinds != 1) {
        return false;
    }
    if (way != CACHE_NO_WAY) {
        *entry = *cache_home(c, s, way);
        if (!(m->s->page_may[access] >> ((*entry & TLB_PERMS) | CACHE_OWNED) & 1)) {
            return false;
        }
        lean_mark(m, s, kind);
        lean_touch(s, way, false);
    } else {
        uint64_t at[4];
        if (!lean_tables(m, va, access, at, entry)) {
            return false;
        }
        for (int i = 0; i < 4; i++) {
            *events += lean_l2(m, n, at[i], L2_WALK, kind) + 1;
        }
        *events += 1;
        n->stlb_miss++;
        n->walks += kind.live;
        lean_mark(m, s, kind);
        way = lean_victim(c, s, false);
        s->key[way] = key;
        s->sig[way] = (uint8_t)cache_signature(key);
        *cache_home(c, s, way) = *entry;
    }
    *events += 2;
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
                              uint32_t *events, const struct lean_kind kind)
{
    const uint64_t key = va >> PAGE_SHIFT ^ m->s->space;
    struct cache_set *t =
        (struct cache_set *)(void *)(f->tlb.c.sets +
                                     (va >> (PAGE_SHIFT - LEAN_SET_SHIFT) &
                                      m->lean_tlb_mask[access != ACCESS_FETCH]));
    const uint32_t way = cache_decide(t, key, cache_candidates(t, key, 8));
    if (way == CACHE_NO_WAY) {
        return lean_translate_miss(m, n, f, t, va, key, access, entry, events, kind);
    }
    *entry = ((uint64_t *)(void *)((unsigned char *)t + LEAN_HOME_AT))[way];
    if (!HW_LIKELY(m->s->page_may[access] >> ((*entry & TLB_PERMS) | CACHE_OWNED) & 1)) {
        return false;
    }
    if (way != ((uint32_t)t->order & 15)) {
        lean_mark(m, t, kind);
        lean_touch(t, way, false);
    }
    return true;
}

/* ---- the first level ---- */

/* An access found, or brought in: the line's attributes, in the youngest way of its set.
 */
HW_INLINE uint8_t *lean_miss(struct memsys *m, struct memsys_tally *n,
                             struct cache_set *s, uint64_t va, uint64_t line,
                             const enum access_kind access, uint32_t *events,
                             const struct lean_kind kind)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct front *f = &m->front[side];
    uint64_t entry;
    *events = 3; /* TLB probe, L1 probe, fill */
    if (kind.live && (*f->tlb.kinds != 1 || m->s->mmu.paging != PAGING_4LEVEL)) {
        return NULL;
    }
    if (!lean_translate(m, n, f, va, access, &entry, events, kind)) {
        return NULL;
    }
    const uint64_t pa = (entry & TLB_FRAME) | (va & (PAGE_SIZE - 1));
    n->l1_miss[access]++;
    n->l1_access[access] += kind.live;
    n->tlb_access[side] += kind.live;
    *events += lean_l2(m, n, pa, L2_FETCH, kind);
    lean_mark(m, s, kind);
    const uint32_t way = lean_victim(&f->l1, s, kind.eight);
    uint64_t *home = (uint64_t *)(void *)((unsigned char *)s + LEAN_HOME_AT) + way;
    const unsigned old = s->attr[way];
    *events += kind.live && old;
    if (side == SIDE_D && (old & CACHE_DIRTY)) { /* nobody writes to an L1I */
        n->l1_writeback[SIDE_D]++;
        *events += 1 + lean_l2(m, n, *home << LEAN_LINE_SHIFT, L2_VICTIM, kind);
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
                               const enum access_kind access, uint32_t *events,
                               const struct lean_kind kind)
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
            return lean_miss(m, n, s, va, line, access, events, kind);
        }
    }
    if (!HW_LIKELY(m->s->line_may[access] >> (s->attr[way] & CACHE_NEEDS) & 1)) {
        return NULL;
    }
    *events = 1;
    n->l1_access[access]++;
    if (way != youngest) {
        lean_mark(m, s, kind);
        lean_touch(s, way, kind.eight);
    }
    if (access == ACCESS_WRITE) {
        lean_mark(m, s, kind);
        s->attr[way] |= CACHE_DIRTY;
    }
    return &s->attr[way];
}

/* Set what says that a TLB has entries of the usual kind (tlb.h, I1), where it has got the
 * first one here. */
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
