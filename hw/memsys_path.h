/* An access on its way through TLBs and first level: the upper half of its path (the
 * lower one: hw/memsys_below.h, which says how they are compiled).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMSYS_PATH_H
#define HW_MEMSYS_PATH_H

#include "memsys_below.h"

/* ---- translation ---- */

HW_INLINE bool page_may(const struct memsys *m, uint64_t entry, enum access_kind access)
{
    return m->s->page_may[access] >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1;
}

HW_INLINE void enter(struct memsys *m, struct tlb *t, uint32_t level, uint64_t va,
                     uint64_t entry, const enum run run)
{
    tlb_put(t, va, m->s->space, entry, HOW(run));
    if (run == LIVE) {
        probe(m->probe, HW_EV_TLB_FILL, level, va, entry);
    }
}

/* A TLB has an entry that does not allow the access: the page is written for the first
 * time, or it is a fault. The entries go; a fault throws them out too, so that the page
 * can be mended without a flush. */
static HW_NOINLINE bool retranslate(struct memsys *m, struct front *f, uint64_t va,
                                    enum access_kind access, bool live, uint64_t *entry)
{
    tlb_flush_page(&f->tlb, va, m->s->space);
    if (m->has_stlb) {
        tlb_flush_page(&m->stlb, va, m->s->space);
    }
    struct fault fault =
        mmu_permission_fault(&m->s->mmu, va, access, (uint32_t)*entry & TLB_PERMS);
    if (fault.kind != FAULT_NONE && walk_faulted(m, &fault, live)) {
        return false;
    }
    if (!(live ? walk(m, va, access, LIVE, entry) : walk(m, va, access, COUNT, entry))) {
        return false;
    }
    for (uint32_t level = m->has_stlb ? 2 : 1; level > 0; level--) {
        struct tlb *t = level == 2 ? &m->stlb : &f->tlb;
        live ? enter(m, t, level, va, *entry, LIVE)
             : enter(m, t, level, va, *entry, COUNT);
    }
    return true;
}

/* The first level missed. */
HW_INLINE bool translate_miss(struct memsys *m, struct front *f, uint64_t va,
                              enum access_kind access, const enum run run,
                              uint64_t *entry)
{
    struct memsys_tally *n = &m->s->n;
    struct tlb_place p = {NULL, CACHE_NO_WAY};
    n->tlb_miss[access != ACCESS_FETCH]++;
    if (YES(run, m->has_stlb)) {
        p = tlb_find(&m->stlb, va, m->s->space, HOW(run));
        n->stlb_access++;
        if (run == LIVE) {
            probe(m->probe, HW_EV_TLB_PROBE, 2, va,
                  p.set ? cache_number_of(&m->stlb.c, p.set) : 0, (int64_t)(int32_t)p.way,
                  p.way != CACHE_NO_WAY);
        }
    }
    const bool second = p.way != CACHE_NO_WAY;
    if (second) {
        cache_touch(&m->stlb.c, p.set, p.way, HOW(run));
        *entry = *cache_home(&m->stlb.c, p.set, p.way);
    } else {
        n->stlb_miss += YES(run, m->has_stlb);
        if (!walk(m, va, access, run, entry)) {
            return false;
        }
        if (YES(run, m->has_stlb)) {
            enter(m, &m->stlb, 2, va, *entry, run);
        }
    }
    enter(m, &f->tlb, 1, va, *entry, run);
    if (NO(run, m->config.causes)) {
        if (YES(run, m->has_stlb)) {
            tlb_classify(m, &m->stlb_causes, &n->stlb_causes, va, *entry, second, run);
        }
        tlb_classify(m, &f->tlb_causes, &n->tlb_causes[access != ACCESS_FETCH], va,
                     *entry, false, run);
    }
    return HW_LIKELY(page_may(m, *entry, access)) ||
           retranslate(m, f, va, access, run == LIVE, entry);
}

static HW_NOINLINE bool translate_miss_counting(struct memsys *m, struct front *f,
                                                uint64_t va, enum access_kind access,
                                                uint64_t *entry)
{
    return translate_miss(m, f, va, access, COUNT, entry);
}

static HW_NOINLINE bool translate_miss_lean(struct memsys *m, struct front *f,
                                            uint64_t va, enum access_kind access,
                                            uint64_t *entry)
{
    return translate_miss(m, f, va, access, LEAN, entry);
}

static HW_NOINLINE bool translate_miss_live(struct memsys *m, struct front *f,
                                            uint64_t va, enum access_kind access,
                                            uint64_t *entry)
{
    return translate_miss(m, f, va, access, LIVE, entry);
}

/* The TLB entry for va, from wherever it is. False: it faulted. */
HW_INLINE bool translate(struct memsys *m, struct front *f, uint64_t va,
                         enum access_kind access, const enum run run, uint64_t *entry)
{
    if (NO(run, !f->has_tlb)) {
        return m->config.translation == TRANSLATE_IDENTITY ||
               walk(m, va, access, run, entry);
    }
    m->s->n.tlb_access[access != ACCESS_FETCH]++;
    struct tlb_place p = tlb_find(&f->tlb, va, m->s->space, HOW(run));
    if (run == LIVE) {
        probe(m->probe, HW_EV_TLB_PROBE, 1, va,
              p.set ? cache_number_of(&f->tlb.c, p.set) : 0, (int64_t)(int32_t)p.way,
              p.way != CACHE_NO_WAY);
    }
    if (p.way == CACHE_NO_WAY) {
        return run == LIVE   ? translate_miss_live(m, f, va, access, entry)
               : run == LEAN ? translate_miss_lean(m, f, va, access, entry)
                             : translate_miss_counting(m, f, va, access, entry);
    }
    cache_touch(&f->tlb.c, p.set, p.way, HOW(run));
    *entry = *cache_home(&f->tlb.c, p.set, p.way);
    if (NO(run, m->config.causes)) {
        tlb_classify(m, &f->tlb_causes, &m->s->n.tlb_causes[access != ACCESS_FETCH], va,
                     *entry, true, run);
    }
    return HW_LIKELY(page_may(m, *entry, access)) ||
           retranslate(m, f, va, access, run == LIVE, entry);
}

HW_INLINE uint64_t physical(const struct memsys *m, uint64_t entry, uint64_t va,
                            const enum run run)
{
    if (NO(run, m->config.translation == TRANSLATE_IDENTITY)) {
        return va;
    }
    if (HW_LIKELY(tlb_entry_size(entry) == PAGE_4K)) {
        return (entry & TLB_FRAME) | (va & (PAGE_SIZE - 1));
    }
    return tlb_entry_translate(entry, va).v;
}

/* ---- the first level ---- */

/* What only a live access has: the bytes that move, inside one line. */
struct part {
    uint64_t va;
    uint32_t size;
    unsigned char *bytes;
};

HW_INLINE uint64_t line_home(const struct cache *c, struct cache_set *s, uint32_t way)
{
    return c->config.homes ? *cache_home(c, s, way) : s->key[way];
}

/* Write a dirty L1 line to the level below; the line itself is left as it is. */
HW_INLINE void l1_write_back(struct memsys *m, enum side side, struct cache_set *s,
                             uint32_t way, const enum run run)
{
    struct cache *c = &m->front[side].l1;
    uint64_t pa = (run == LEAN ? *cache_home(c, s, way) : line_home(c, s, way))
                  << c->line_shift;
    m->s->n.l1_writeback[side]++;
    if (run == LIVE) {
        probe(m->probe, HW_EV_CACHE_WRITEBACK, 1, pa);
    }
    below_l1(m, pa, L2_VICTIM, run == LIVE && c->data ? cache_data(c, s, way) : NULL,
             c->config.line_bytes, run);
}

static HW_NOINLINE void l1_write_back_counting(struct memsys *m, enum side side,
                                               struct cache_set *s, uint32_t way)
{
    l1_write_back(m, side, s, way, COUNT);
}

static HW_NOINLINE void l1_write_back_lean(struct memsys *m, struct cache_set *s,
                                           uint32_t way)
{
    l1_write_back(m, SIDE_D, s, way, LEAN);
}

/* Its bytes are counted where its size is known: l1_addressed. */
static HW_NOINLINE void l1_store_counting(struct memsys *m, uint64_t pa)
{
    below_l1(m, pa, L2_STORE, NULL, 0, COUNT);
}

/* A store goes to the level below as well, or only there. */
HW_INLINE void l1_store(struct memsys *m, uint64_t pa, const struct part *p,
                        const enum run run)
{
    if (run == LIVE) {
        below_l1(m, pa, L2_STORE, p->bytes, p->size, LIVE);
    } else {
        l1_store_counting(m, pa);
    }
}

/* Bytes between the access and the line. */
static void l1_bytes(struct memsys *m, struct cache *c, struct cache_set *s, uint32_t way,
                     const struct part *p, bool write)
{
    if (!c->data || !p->bytes) {
        return;
    }
    unsigned char *at = cache_data(c, s, way) + (p->va & (c->config.line_bytes - 1));
    if (write) {
        arena_mark(m->arena, at);
        memcpy(at, p->bytes, p->size);
    } else {
        memcpy(p->bytes, at, p->size);
    }
}

/* A hit on a virtually tagged line that does not allow the access: ask the tables. */
static HW_NOINLINE bool l1_ask(struct memsys *m, struct front *f, struct cache_set *s,
                               uint32_t way, uint64_t va, enum access_kind access,
                               bool live)
{
    uint64_t entry = 0;
    if (!(live ? translate(m, f, va, access, LIVE, &entry)
               : translate(m, f, va, access, COUNT, &entry))) {
        return false;
    }
    uint8_t *attr = cache_attr(&f->l1, s, way);
    arena_mark(m->arena, attr);
    *attr = (uint8_t)((*attr & ~(unsigned)CACHE_PERMS) | (unsigned)(entry & TLB_PERMS));
    return true;
}

/* A line of L1 has been found. at: the address as the tags have it, virtual or

 * physical. */
HW_INLINE bool l1_hit(struct memsys *m, struct front *f, struct cache_set *s,
                      uint32_t way, uint64_t at, enum access_kind access,
                      const struct part *p, const enum run run)
{
    struct cache *c = &f->l1;
    const bool write = access == ACCESS_WRITE;
    uint8_t *attr = cache_attr_how(c, s, way, HOW(run));
    if (!HW_LIKELY(m->s->line_may[access] >> (*attr & CACHE_NEEDS) & 1) &&
        !l1_ask(m, f, s, way, at, access, run == LIVE)) {
        return false;
    }
    if (write && NO(run, m->config.write_through)) {
        l1_store(
            m, line_home(c, s, way) << c->line_shift | (at & (c->config.line_bytes - 1)),
            p, run);
    } else if (write) {
        cache_mark_set(c, s, HOW(run));
        *attr |= CACHE_DIRTY;
    }
    if (run == LIVE) {
        l1_bytes(m, c, s, way, p, write);
    }
    return true;
}

HW_INLINE bool l1_miss(struct memsys *m, struct front *f, struct cache_set *s,
                       uint64_t key, uint64_t at, enum access_kind access,
                       const struct part *p, const enum run run)
{
    struct cache *c = &f->l1;
    const bool write = access == ACCESS_WRITE;
    uint64_t entry = CACHE_PERMS, pa = at;
    m->s->n.l1_miss[access]++;
    if (YES(run, m->virtual_tags)) {
        if (!translate(m, f, at, access, run, &entry)) {
            return false;
        }
        pa = physical(m, entry, at, run);
    }
    if (write && NO(run, m->config.no_write_allocate)) {
        l1_store(m, pa, p, run);
        return true;
    }
    const uint32_t way = cache_take_victim(c, s, HOW(run));
    unsigned char fresh[PAGE_SIZE];
    below_l1(m, run == LIVE ? pa & ~(uint64_t)(c->config.line_bytes - 1) : pa, L2_FETCH,
             run == LIVE ? fresh : NULL, c->config.line_bytes, run);
    const unsigned old = *cache_attr_how(c, s, way, HOW(run));
    if (run == LIVE && old) {
        probe(m->probe, HW_EV_CACHE_EVICT, 1, s->key[way], (old & CACHE_DIRTY) != 0);
    }
    if (old & CACHE_DIRTY) {
        const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
        if (run == LEAN) {
            l1_write_back_lean(m, s, way); /* nobody writes to an instruction cache */
        } else {
            run == LIVE ? l1_write_back(m, side, s, way, LIVE)
                        : l1_write_back_counting(m, side, s, way);
        }
    }
    const bool dirty = write && YES(run, !m->config.write_through);
    cache_put_how(c, s, way, key,
                  (unsigned)(entry & TLB_PERMS) | CACHE_VALID | CACHE_OWNED |
                      (dirty ? CACHE_DIRTY : 0),
                  HOW(run));
    if (YES(run, c->config.homes)) {
        *cache_home(c, s, way) = pa >> c->line_shift;
    }
    if (run == LIVE) {
        if (c->data) {
            unsigned char *bytes = cache_data(c, s, way);
            arena_mark(m->arena, bytes);
            memcpy(bytes, fresh, c->config.line_bytes);
            l1_bytes(m, c, s, way, p, write);
        }
        probe(m->probe, HW_EV_CACHE_FILL, 1, key, cache_number_of(c, s), way);
    }
    if (write && NO(run, m->config.write_through)) {
        l1_store(m, pa, p, run);
    }
    return true;
}

HW_INLINE void l1_classify(struct memsys *m, struct front *f, uint64_t key, bool hit,
                           enum access_kind access, const enum run run)
{
    struct miss_causes *n = &m->s->n.l1_causes[access != ACCESS_FETCH];
    if (hit) {
        classify_hit(&f->causes, key, run);
    } else if (NO(run, access == ACCESS_WRITE && m->config.no_write_allocate)) {
        missclass_miss_unfilled(&f->causes, key, n);
    } else {
        classify_miss(&f->causes, key, n, run);
    }
}

/* One access inside one line that is not simply the youngest of its set. */
HW_INLINE bool l1_access(struct memsys *m, struct front *f, struct cache_set *s,
                         uint64_t key, uint64_t at, enum access_kind access,
                         const struct part *p, const enum run run)
{
    struct cache *c = &f->l1;
    uint32_t way = cache_guess(c, s);
    bool hit =
        run == LIVE && c->packed && s->key[way] == key; /* the other runs have tried */
    m->s->n.l1_access[access]++;
    if (!hit) {
        way = cache_find_how(c, s, key, HOW(run));
        hit = way != CACHE_NO_WAY;
        if (hit) {
            cache_touch(c, s, way, HOW(run));
        }
    }
    if (NO(run, m->config.causes)) {
        l1_classify(m, f, key, hit, access, run);
    }
    if (run == LIVE) {
        probe(m->probe, HW_EV_L1_PROBE, access != ACCESS_FETCH, p->va,
              cache_number_of(c, s), hit ? (int64_t)way : -1, hit);
    }
    return hit ? l1_hit(m, f, s, way, at, access, p, run)
               : l1_miss(m, f, s, key, at, access, p, run);
}

static HW_NOINLINE bool l1_access_counting(struct memsys *m, struct front *f,
                                           struct cache_set *s, uint64_t key, uint64_t at,
                                           enum access_kind access)
{
    return l1_access(m, f, s, key, at, access, NULL, COUNT);
}

/* ... from the addresses on. */
HW_INLINE bool l1_addressed(struct memsys *m, struct front *f, uint64_t va, uint64_t pa,
                            enum access_kind access, const struct part *p,
                            const enum run run)
{
    const uint32_t shift = f->l1.line_shift;
    const uint64_t at = m->virtual_tags ? va : pa;
    struct cache_set *s =
        cache_set_of(&f->l1, (m->config.tagging == TAG_PIPT ? pa : va) >> shift);
    const uint64_t key = at >> shift ^ m->s->line_space;
    if (run == LIVE) {
        return l1_access(m, f, s, key, at, access, p, LIVE);
    }
    if (!l1_access_counting(m, f, s, key, at, access)) {
        return false;
    }
    if (access == ACCESS_WRITE && m->config.write_through && !m->has_l2) {
        m->s->n.direct_bytes += p->size;
    }
    return true;
}

/* ---- a reference: one line or several, one page or two ---- */

/* Physical tags: the pages first, then the lines. */
struct pages {
    uint64_t first_va,
        second_va; /* second_va: the second page's first byte, or first_va */
    uint64_t first_pa, second_pa;
};

HW_INLINE bool translate_pages(struct memsys *m, struct front *f, uint64_t va,
                               uint64_t last, enum access_kind access, const enum run run,
                               struct pages *p)
{
    uint64_t entry = 0;
    if (!translate(m, f, va, access, run, &entry)) {
        return false;
    }
    p->first_va = p->second_va = va;
    p->first_pa = physical(m, entry, va, run);
    if (HW_LIKELY((va ^ last) < PAGE_SIZE)) {
        return true;
    }
    if (f->has_tlb) {
        m->s->n.tlb_straddle[access != ACCESS_FETCH]++;
    }
    p->second_va = (va | (PAGE_SIZE - 1)) + 1;
    if (!translate(m, f, p->second_va, access, run, &entry)) {
        return false;
    }
    p->second_pa = physical(m, entry, p->second_va, run);
    return true;
}

HW_INLINE uint64_t pages_physical(const struct pages *p, uint64_t va)
{
    return va >= p->second_va && p->second_va != p->first_va
               ? p->second_pa + (va - p->second_va)
               : p->first_pa + (va - p->first_va);
}

/* The pieces of a reference between the borders of some size; the answer is the last byte
 * of the first. */
HW_INLINE uint64_t piece_end(uint64_t at, uint64_t last, uint64_t piece)
{
    uint64_t end = at | (piece - 1);
    return end < last ? end : last;
}

/* Through L1, line by line, the low one first. */
HW_INLINE bool cached(struct memsys *m, struct front *f, uint64_t va, uint64_t last,
                      enum access_kind access, unsigned char *bytes,
                      const struct pages *pages, const enum run run)
{
    for (uint64_t at = va;; at++) {
        uint64_t end = piece_end(at, last, f->l1.config.line_bytes);
        uint64_t pa = m->virtual_tags ? 0 : pages_physical(pages, at);
        const struct part part = {.va = at,
                                  .size = (uint32_t)(end - at + 1),
                                  .bytes = bytes ? bytes + (at - va) : NULL};
        if (!l1_addressed(m, f, at, pa, access, &part, run)) {
            return false;
        }
        at = end;
        if (end == last) {
            return true;
        }
    }
}

/* Without a first level: L2 or RAM directly. */
static void uncached(struct memsys *m, uint64_t va, uint64_t last,
                     enum access_kind access, unsigned char *bytes,
                     const struct pages *pages, bool live)
{
    for (uint64_t at = va;; at++) {
        uint64_t end = piece_end(at, last, m->has_l2 ? m->l2.config.line_bytes : 64);
        uint64_t pa = pages_physical(pages, at);
        const struct part p = {.va = at,
                               .size = (uint32_t)(end - at + 1),
                               .bytes = bytes ? bytes + (at - va) : NULL};
        if (access == ACCESS_WRITE) {
            live ? below_l1(m, pa, L2_STORE, p.bytes, p.size, LIVE)
                 : below_l1(m, pa, L2_STORE, NULL, p.size, COUNT);
        } else {
            live ? below_l1(m, pa, L2_FETCH, p.bytes, p.size, LIVE)
                 : below_l1(m, pa, L2_FETCH, NULL, p.size, COUNT);
        }
        at = end;
        if (end == last) {
            return;
        }
    }
}

HW_INLINE bool reference(struct memsys *m, uint64_t va, uint32_t size,
                         enum access_kind access, unsigned char *bytes,
                         const enum run run)
{
    struct front *f = &m->front[access != ACCESS_FETCH];
    const uint64_t last = va + size - 1;
    struct pages pages = {va, va, 0, 0};
    if (!m->virtual_tags || !f->has_l1) {
        if (!translate_pages(m, f, va, last, access, run, &pages)) {
            return false;
        }
        if (!f->has_l1) {
            if (m->has_l2 || m->config.data) {
                uncached(m, va, last, access, bytes, &pages, run == LIVE);
            }
            return true;
        }
    }
    if (HW_LIKELY((va ^ last) >> f->l1.line_shift == 0)) {
        const struct part p = {.va = va, .size = size, .bytes = bytes};
        return l1_addressed(m, f, va, pages.first_pa, access, &p, run);
    }
    m->s->n.l1_straddle[access != ACCESS_FETCH]++;
    return cached(m, f, va, last, access, bytes, &pages, run);
}

#endif
