/* An access on its way through the levels: see hw/memsys.h.
 *
 * Everything up to memsys_access is compiled three times, by inlining, see enum run. What
 * is rare is kept out of line so that the path of a hit stays short.
 *
 * The file is over 800 lines because the three are inlined from one text, which keeps
 * them the same: tests/test_memsys.c compares their counts and their bytes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys.h"

#include <string.h>

#include "events.h"

enum run {
    COUNT, /* count, whatever the configuration */
    LIVE,  /* announce, mark and move bytes as well */
    LEAN   /* count; the configuration is the usual one, see is_lean() */
};

#define HOW(run) ((run) == LIVE ? CACHE_MARK : (run) == LEAN ? CACHE_LEAN : CACHE_COUNT)
/* A question about the configuration whose answer is yes, or no, in a lean run. */
#define YES(run, question) ((run) == LEAN || HW_LIKELY(question))
#define NO(run, question) ((run) != LEAN && (question))

/* ---- RAM ---- */

/* A table entry as RAM has it. Beyond RAM: all ones, as a bus answers without a

 * device. */
HW_INLINE uint64_t ram_word(const struct ram *r, uint64_t at, uint32_t size_bytes)
{
    uint64_t value = 0;
    if (at >> PAGE_SHIFT >= r->nr_frames) {
        return size_bytes == 4 ? UINT32_MAX : UINT64_MAX;
    }
    uint32_t chunk = r->chunk_of[at >> PAGE_SHIFT];
    if (!chunk) {
        return 0;
    }
    const unsigned char *from =
        (const unsigned char *)arena_chunk_ptr(r->arena, chunk) + (at & (PAGE_SIZE - 1));
    if (size_bytes == 8) {
        memcpy(&value, from, 8);
    } else {
        uint32_t half;
        memcpy(&half, from, 4);
        value = half;
    }
    return value;
}

/* ---- the second level ---- */

HW_INLINE void count_cause(struct miss_causes *n, enum miss_cause cause)
{
    n->cold += cause == MISS_COLD;
    n->capacity += cause == MISS_CAPACITY;
    n->conflict += cause == MISS_CONFLICT;
}

static HW_NOINLINE void l2_classify(struct memsys *m, uint64_t line, bool hit)
{
    enum miss_cause cause =
        missclass_use(&m->l2_causes, line, hit ? USE_HIT : USE_MISS, &m->out_of_memory);
    if (!hit) {
        count_cause(&m->s->n.l2_causes, cause);
    }
}

/* Write a dirty L2 line to RAM; the line itself is left as it is. */
HW_INLINE void l2_write_back(struct memsys *m, struct cache_set *s, uint32_t way,
                             const enum run run)
{
    m->s->n.l2_writeback++;
    if (run == LIVE) {
        uint64_t pa = s->key[way] << m->l2.line_shift;
        if (m->l2.data) {
            ram_write(m->ram, paddr(pa), cache_data(&m->l2, s, way),
                      m->l2.config.line_bytes);
        }
        probe(m->probe, HW_EV_CACHE_WRITEBACK, 2, pa);
    }
}

/* A line comes into L2: choose its way, throw out what is there. */
HW_INLINE uint32_t l2_fill(struct memsys *m, struct cache_set *s, uint64_t line,
                           bool write, const enum l2_use use, const enum run run)
{
    struct cache *c = &m->l2;
    const uint32_t way = cache_take_victim(c, s, HOW(run));
    const unsigned old = *cache_attr(c, s, way);
    if (run == LIVE) {
        if (use != L2_VICTIM) {
            probe(m->probe, HW_EV_MEM_READ, line << c->line_shift);
        }
        if (old) {
            probe(m->probe, HW_EV_CACHE_EVICT, 2, s->key[way], (old & CACHE_DIRTY) != 0);
        }
    }
    if (old & CACHE_DIRTY) {
        l2_write_back(m, s, way, run);
    }
    if (run == LIVE && c->data) {
        unsigned char *bytes = cache_data(c, s, way);
        arena_mark(m->arena, bytes);
        ram_read(m->ram, paddr(line << c->line_shift), bytes, c->config.line_bytes);
    }
    cache_put(c, s, way, line, CACHE_VALID | CACHE_OWNED | (write ? CACHE_DIRTY : 0));
    if (run == LIVE) {
        probe(m->probe, HW_EV_CACHE_FILL, 2, line, cache_number_of(c, s), way);
    }
    return way;
}

/* Where a line is in L2. */
struct place {
    struct cache_set *set;
    uint32_t way;
};

/* One access of L2. Every use allocates. */
HW_INLINE struct place l2_access(struct memsys *m, uint64_t pa, const bool write,
                                 const enum l2_use use, const enum run run)
{
    struct cache *c = &m->l2;
    const uint64_t line = pa >> c->line_shift;
    struct cache_set *s = run == LEAN ? cache_set_masked(c, line) : cache_set_of(c, line);
    uint32_t way = YES(run, c->packed) ? (uint32_t)s->order & 15 : 0;
    bool hit = s->key[way] == line;
    m->s->n.l2_access[use]++;
    if (!hit || NO(run, !c->packed)) {
        way = cache_find(c, s, line);
        hit = way != CACHE_NO_WAY;
        if (hit) {
            cache_touch(c, s, way, HOW(run));
        }
    }
    if (run == LIVE) {
        probe(m->probe, HW_EV_L2_PROBE, pa, cache_number_of(c, s),
              hit ? (int64_t)way : -1, hit);
    }
    if (NO(run, m->config.causes)) {
        l2_classify(m, line, hit);
    }
    if (!hit) {
        m->s->n.l2_miss[use]++;
        way = l2_fill(m, s, line, write, use, run);
    } else if (write) {
        cache_mark_set(c, s, HOW(run));
        *cache_attr(c, s, way) |= CACHE_DIRTY;
    }
    return (struct place){s, way};
}

/* Bytes of the level below L1, on their way down (write) or up; the access itself has
 * been counted. */
static void l2_bytes(struct memsys *m, struct place at, uint64_t pa, void *bytes,
                     uint32_t size, bool write)
{
    if (!m->has_l2) {
        if (write) {
            ram_write(m->ram, paddr(pa), bytes, size);
        } else {
            ram_read(m->ram, paddr(pa), bytes, size);
        }
        return;
    }
    unsigned char *line =
        cache_data(&m->l2, at.set, at.way) + (pa & (m->l2.config.line_bytes - 1));
    if (write) {
        arena_mark(m->arena, line);
        memcpy(line, bytes, size);
    } else {
        memcpy(bytes, line, size);
    }
}

/* Below L1: L2, or RAM where there is no L2. bytes, size: what moves when lines hold
 * bytes. */
HW_INLINE void below_l1(struct memsys *m, uint64_t pa, const enum l2_use use, void *bytes,
                        uint32_t size, const enum run run)
{
    const bool write = use == L2_VICTIM || use == L2_STORE;
    struct place at = {NULL, 0};
    if (YES(run, m->has_l2)) {
        at = l2_access(m, pa, write, use, run);
    } else {
        m->s->n.l2_access[use]++;
        m->s->n.l2_miss[use]++;
        m->s->n.direct_bytes += write ? size : 0;
        if (run == LIVE) {
            write ? (void)0 : (void)probe(m->probe, HW_EV_MEM_READ, pa);
        }
    }
    if (run == LIVE && m->config.data && bytes) {
        l2_bytes(m, at, pa, bytes, size, write);
    }
}

/* ---- walks ---- */

HW_INLINE uint64_t entry_read(struct memsys *m, uint64_t at, uint32_t size,
                              const enum run run)
{
    if (YES(run, m->has_l2)) {
        struct place p = l2_access(m, at, false, L2_WALK, run);
        if (run == LIVE && m->config.data) {
            uint64_t value = 0;
            if (size == 8) {
                l2_bytes(m, p, at, &value, 8, false);
            } else {
                uint32_t half;
                l2_bytes(m, p, at, &half, 4, false);
                value = half;
            }
            return value;
        }
    } else {
        m->s->n.l2_access[L2_WALK]++;
        m->s->n.l2_miss[L2_WALK]++;
    }
    return ram_word(m->ram, at, size);
}

HW_INLINE void entry_write(struct memsys *m, uint64_t at, uint64_t value, uint32_t size,
                           const enum run run)
{
    uint32_t half = (uint32_t)value;
    void *bytes = size == 8 ? (void *)&value : &half;
    struct place p = {NULL, 0};
    if (YES(run, m->has_l2)) {
        p = l2_access(m, at, true, L2_WALK, run);
    } else {
        m->s->n.l2_access[L2_WALK]++;
        m->s->n.l2_miss[L2_WALK]++;
        m->s->n.direct_bytes += size;
    }
    if (run == LIVE && m->config.data) {
        l2_bytes(m, p, at, bytes, size, true);
    } else {
        ram_write(m->ram, paddr(at), bytes, size);
    }
    if (run == LIVE) {
        probe(m->probe, HW_EV_WALK_SET, at, value);
    }
}

static HW_NOINLINE void entry_write_counting(struct memsys *m, uint64_t at,
                                             uint64_t value, uint32_t size)
{
    entry_write(m, at, value, size, COUNT);
}

#define WALK_BUS struct memsys *
#define WALK_STEP(m, w, level, at, value) ((void)(level))
#define WALK_NAME walk_counting
#define WALK_BODY walk_counting_body
#define WALK_READ(m, at, bytes) entry_read(m, at, bytes, COUNT)
#define WALK_WRITE(m, at, value, bytes) entry_write_counting(m, at, value, bytes)
#include "mmu_walk.h"
#undef WALK_NAME
#undef WALK_BODY
#undef WALK_READ
#define WALK_NAME walk_lean
#define WALK_BODY walk_lean_body
#define WALK_READ(m, at, bytes) entry_read(m, at, bytes, LEAN)
#include "mmu_walk.h"
#undef WALK_STEP
#undef WALK_NAME
#undef WALK_BODY
#undef WALK_READ
#undef WALK_WRITE
#define WALK_STEP(m, w, level, at, value)                                                \
    probe((m)->probe, HW_EV_WALK_ENTRY, level, at, value)
#define WALK_NAME walk_live
#define WALK_BODY walk_live_body
#define WALK_READ(m, at, bytes) entry_read(m, at, bytes, LIVE)
#define WALK_WRITE(m, at, value, bytes) entry_write(m, at, value, bytes, LIVE)
#include "mmu_walk.h"

/* The frame of a page in order of first touch. */
static bool first_touch(struct memsys *m, uint64_t va, uint64_t *entry)
{
    uint32_t *cell = sparse_cell(&m->frames, va >> PAGE_SHIFT);
    if (!cell) {
        m->out_of_memory = true;
        return false;
    }
    if (!*cell) {
        arena_mark(m->arena, m->s);
        *cell = ++m->s->frames_given;
    }
    *entry = tlb_entry((m->config.first_pfn + *cell - 1) << PAGE_SHIFT, CACHE_PERMS,
                       PAGE_4K, false, 0);
    return true;
}

/* True: nobody mended it. */
static bool walk_faulted(struct memsys *m, const struct fault *f, bool live)
{
    m->s->n.faults++;
    m->s->fault = *f;
    if (live) {
        probe(m->probe, HW_EV_PAGE_FAULT, f->cr2, f->error_code, f->kind);
    }
    return !(m->on_fault && m->on_fault(m->on_fault_ctx, m, f));
}

/* What the tables (or their stand-in) say about va. */
HW_INLINE bool walk(struct memsys *m, uint64_t va, enum access_kind access,
                    const enum run run, uint64_t *entry)
{
    m->s->n.walks++;
    if (NO(run, m->config.translation == TRANSLATE_IDENTITY)) {
        *entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
        return true;
    }
    if (NO(run, m->config.translation == TRANSLATE_FIRST_TOUCH)) {
        return first_touch(m, va, entry);
    }
    struct walk w;
    for (;;) {
        if (run == LIVE) {
            walk_live(&m->s->mmu, va, access, m, &w);
        } else if (run == LEAN) {
            walk_lean(&m->s->mmu, va, access, m, &w);
        } else {
            walk_counting(&m->s->mmu, va, access, m, &w);
        }
        if (HW_LIKELY(w.fault.kind == FAULT_NONE)) {
            *entry = w.entry;
            return true;
        }
        if (walk_faulted(m, &w.fault, run == LIVE)) {
            return false;
        }
        m->s->n.walks++;
    }
}

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
    if (p.way != CACHE_NO_WAY) {
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
    return HW_LIKELY(page_may(m, *entry, access)) ||
           retranslate(m, f, va, access, run == LIVE, entry);
}

static HW_NOINLINE bool translate_miss_counting(struct memsys *m, struct front *f,
                                                uint64_t va, enum access_kind access,
                                                uint64_t *entry)
{
    return translate_miss(m, f, va, access, false, entry);
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
    return translate_miss(m, f, va, access, true, entry);
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

static HW_NOINLINE void l1_store_counting(struct memsys *m, uint64_t pa)
{
    below_l1(m, pa, L2_STORE, NULL, 8, COUNT);
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
    uint8_t *attr = cache_attr(c, s, way);
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
    const unsigned old = *cache_attr(c, s, way);
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
    cache_put(c, s, way, key,
              (unsigned)(entry & TLB_PERMS) | CACHE_VALID | CACHE_OWNED |
                  (dirty ? CACHE_DIRTY : 0));
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

static void l1_classify(struct memsys *m, struct front *f, uint64_t key, bool hit,
                        enum access_kind access)
{
    enum miss_use use = hit ? USE_HIT
                        : access == ACCESS_WRITE && m->config.no_write_allocate
                            ? USE_MISS_NOT_FILLED
                            : USE_MISS;
    enum miss_cause cause = missclass_use(&f->causes, key, use, &m->out_of_memory);
    if (!hit) {
        count_cause(&m->s->n.l1_causes[access != ACCESS_FETCH], cause);
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
        way = cache_find(c, s, key);
        hit = way != CACHE_NO_WAY;
        if (hit) {
            cache_touch(c, s, way, HOW(run));
        }
    }
    if (NO(run, m->config.causes)) {
        l1_classify(m, f, key, hit, access);
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

static HW_NOINLINE bool l1_access_lean(struct memsys *m, struct front *f,
                                       struct cache_set *s, uint64_t key, uint64_t at,
                                       enum access_kind access)
{
    return l1_access(m, f, s, key, at, access, NULL, LEAN);
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
    return run == LIVE ? l1_access(m, f, s, key, at, access, p, LIVE)
                       : l1_access_counting(m, f, s, key, at, access);
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

static HW_NOINLINE bool reference_live(struct memsys *m, uint64_t va, uint32_t size,
                                       enum access_kind access, unsigned char *bytes)
{
    arena_mark(m->arena, m->s);
    arena_mark(m->arena, (unsigned char *)(m->s + 1) - 1);
    return reference(m, va, size, access, bytes, LIVE);
}

/* Most accesses hit the youngest line of their set; with virtual tags that is quickly
 * seen. */
bool memsys_access(struct memsys *m, uint64_t va, uint32_t size_bytes,
                   enum access_kind access, void *bytes)
{
    struct front *f = &m->front[access != ACCESS_FETCH];
    const struct cache *c = &f->l1;
    const uint64_t line = va >> c->line_shift;
    if (!m->quick_live || (va + size_bytes - 1) >> c->line_shift != line) {
        return reference_live(m, va, size_bytes, access, bytes);
    }
    const uint64_t set = line & c->set_mask;
    struct cache_set *s = (struct cache_set *)(void *)(c->sets + set * c->stride);
    const uint32_t way = (uint32_t)s->order & 15;
    uint8_t *attr = (uint8_t *)s + c->attr_at + way;
    if (s->key[way] != (line ^ m->s->line_space) ||
        !(m->s->line_may[access] >> (*attr & CACHE_NEEDS) & 1)) {
        return reference_live(m, va, size_bytes, access, bytes);
    }
    arena_mark(m->arena, &m->s->n.l1_access[access]);
    m->s->n.l1_access[access]++;
    probe(m->probe, HW_EV_L1_PROBE, access != ACCESS_FETCH, va, set, way, true);
    if (access == ACCESS_WRITE) {
        arena_mark(m->arena, attr);
        *attr |= CACHE_DIRTY;
    }
    return true;
}

/* ---- flushes ---- */

static void mark_state(struct memsys *m)
{
    arena_mark(m->arena, m->s);
    arena_mark(m->arena, (unsigned char *)(m->s + 1) - 1);
}

/* Write back and throw out what is in one way. True: it was written back. */
static bool flush_way(struct memsys *m, struct cache *c, enum side side, uint32_t set,
                      uint32_t way, bool clean, bool invalidate)
{
    struct cache_set *s = cache_set_at(c, set);
    bool written = clean && (*cache_attr(c, s, way) & CACHE_DIRTY);
    if (written) {
        if (c == &m->l2) {
            l2_write_back(m, s, way, LIVE);
        } else {
            l1_write_back(m, side, s, way, LIVE);
        }
        cache_mark_way(c, s, way);
        *cache_attr(c, s, way) &= (uint8_t)~CACHE_DIRTY;
    }
    if (invalidate && s->key[way] != CACHE_NO_KEY) {
        cache_invalidate(c, set, way);
    }
    return written;
}

static uint32_t flush(struct memsys *m, struct cache *c, enum side side, bool clean,
                      bool invalidate)
{
    uint32_t written = 0;
    mark_state(m);
    for (uint32_t set = 0; set < c->config.sets; set++) {
        for (uint32_t way = 0; way < c->config.ways; way++) {
            written += flush_way(m, c, side, set, way, clean, invalidate);
        }
    }
    return written;
}

uint32_t memsys_flush_l1(struct memsys *m, enum side side, bool clean, bool invalidate)
{
    return flush(m, &m->front[side].l1, side, clean, invalidate);
}

uint32_t memsys_flush_l2(struct memsys *m, bool clean, bool invalidate)
{
    return flush(m, &m->l2, SIDE_D, clean, invalidate);
}

/* ---- traces ---- */

struct ref_plan ref_plan(bool as_reads)
{
    return (struct ref_plan){
        .first = {[REF_FETCH] = ACCESS_FETCH,
                  [REF_LOAD] = ACCESS_READ,
                  [REF_STORE] = as_reads ? ACCESS_READ : ACCESS_WRITE,
                  [REF_MODIFY] = ACCESS_READ},
        .second = {[REF_FETCH] = NR_ACCESS_KINDS,
                   [REF_LOAD] = NR_ACCESS_KINDS,
                   [REF_STORE] = NR_ACCESS_KINDS,
                   [REF_MODIFY] = as_reads ? NR_ACCESS_KINDS : ACCESS_WRITE},
    };
}

static void mark_all(struct memsys *m)
{
    mark_state(m);
    for (int side = 0; side < NR_SIDES; side++) {
        if (m->front[side].has_l1) {
            cache_mark(&m->front[side].l1);
        }
        if (m->front[side].has_tlb) {
            cache_mark(&m->front[side].tlb.c);
            arena_mark(m->arena, m->front[side].tlb.kinds);
        }
    }
    if (m->has_l2) {
        cache_mark(&m->l2);
    }
    if (m->has_stlb) {
        cache_mark(&m->stlb.c);
        arena_mark(m->arena, m->stlb.kinds);
    }
}

/* What a kind of access needs to find out in a few instructions that it hits the youngest
 * line of its set, and the youngest entry of its TLB where translation comes first:
 * nearly all do. Such a hit changes nothing but the dirty bit. */
struct lane {
    struct front *front;
    unsigned char *sets, *tlb_sets;
    uint64_t set_mask, tlb_mask;
    uint64_t line_space, page_space;
    uint32_t shift, stride, attr_at, may;
    uint32_t tlb_stride, tlb_home_at, page_may;
    bool quick;    /* false: always take the whole way */
    bool identity; /* with a TLB: physical is virtual */
};

/* The usual machine, all of it: two levels of TLBs before page tables, virtual L1,
 * write-back, LRU. */
static bool is_lean(const struct memsys *m)
{
    bool lean = m->virtual_tags && m->has_l2 && m->has_stlb && !m->config.causes &&
                m->config.translation == TRANSLATE_TABLES && !m->config.write_through;
    const struct cache *all[] = {
        &m->front[SIDE_I].l1,    &m->front[SIDE_D].l1,    &m->l2,
        &m->front[SIDE_I].tlb.c, &m->front[SIDE_D].tlb.c, &m->stlb.c};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        lean = lean && all[i]->packed && !all[i]->modulo &&
               all[i]->config.policy == POLICY_LRU;
    }
    return lean;
}

static struct lane lane_of(struct memsys *m, enum access_kind access)
{
    struct front *f = &m->front[access != ACCESS_FETCH];
    const struct cache *c = &f->l1, *t = &f->tlb.c;
    const bool first = !m->virtual_tags && f->has_tlb; /* translation first */
    const bool other_first = !m->virtual_tags && m->front[access == ACCESS_FETCH].has_tlb;
    const bool identity = m->config.translation == TRANSLATE_IDENTITY;
    /* a guess needs an order, a set that the virtual address tells, and a physical tag
       known without asking */
    const bool quick =
        f->has_l1 && c->packed && !c->modulo &&
        !(access == ACCESS_WRITE && m->config.write_through) &&
        (m->virtual_tags || identity ||
         (first && (m->config.tagging == TAG_VIPT ||
                    c->config.sets * c->config.line_bytes <= PAGE_SIZE))) &&
        first == (first || other_first) && (!first || (t->packed && !t->modulo));
    return (struct lane){
        .front = f,
        .sets = c->sets,
        .tlb_sets = t->sets,
        .set_mask = c->set_mask,
        .tlb_mask = t->set_mask,
        .line_space = m->s->line_space,
        .page_space = m->s->space,
        .shift = c->line_shift,
        .stride = c->stride,
        .attr_at = c->attr_at,
        .may = m->s->line_may[access],
        .tlb_stride = t->stride,
        .tlb_home_at = t->home_at,
        .page_may = m->s->page_may[access],
        .quick = quick,
        .identity = identity,
    };
}

static HW_NOINLINE bool reference_counting(struct memsys *m, uint64_t va, uint32_t size,
                                           enum access_kind access)
{
    return reference(m, va, size, access, NULL, COUNT);
}

/* Translation first: does the youngest entry of the set translate va and allow the
 * access? Then *pa is where. */
HW_INLINE bool lane_translates(const struct lane *lane, uint64_t va, uint64_t *pa)
{
    const uint64_t page = va >> PAGE_SHIFT;
    const struct cache_set *s =
        (const void *)(lane->tlb_sets + (page & lane->tlb_mask) * lane->tlb_stride);
    const uint32_t way = (uint32_t)s->order & 15;
    uint64_t entry;
    memcpy(&entry, (const unsigned char *)s + lane->tlb_home_at + 8 * way, 8);
    /* an entry of another size or a global one has another key, or is no 4 KiB page */
    if (s->key[way] != (page ^ lane->page_space) || tlb_entry_kind(entry) ||
        !(lane->page_may >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1)) {
        return false;
    }
    *pa = lane->identity ? va : (entry & TLB_FRAME) | (va & (PAGE_SIZE - 1));
    return true;
}

/* What the lanes of a run have in common; each combination is a loop of its own. */
struct lane_kind {
    bool first;  /* translation first, through TLBs */
    bool causes; /* tell misses by cause */
    bool lean;
};

HW_INLINE bool run_one(struct memsys *m, const struct lane *lane, uint64_t va,
                       uint32_t size, enum access_kind access,
                       const struct lane_kind kind)
{
    const uint64_t line = va >> lane->shift;
    if (!HW_LIKELY((va + size - 1) >> lane->shift == line) ||
        (!kind.lean && !lane->quick)) {
        return reference_counting(m, va, size, access);
    }
    uint64_t at = va;
    if (kind.first && !HW_LIKELY(lane_translates(lane, va, &at))) {
        return reference_counting(m, va, size, access);
    }
    struct cache_set *s =
        (struct cache_set *)(void *)(lane->sets + (line & lane->set_mask) * lane->stride);
    const uint64_t key = (kind.first ? at >> lane->shift : line) ^ lane->line_space;
    const uint32_t way = (uint32_t)s->order & 15;
    uint8_t *attr = (uint8_t *)s + lane->attr_at + way;
    if (kind.first) {
        m->s->n.tlb_access[access != ACCESS_FETCH]++;
    }
    if (!HW_LIKELY(s->key[way] == key) ||
        !HW_LIKELY(lane->may >> (*attr & CACHE_NEEDS) & 1)) {
        return kind.lean ? l1_access_lean(m, lane->front, s, key, at, access)
                         : l1_access_counting(m, lane->front, s, key, at, access);
    }
    if (kind.causes) { /* one compare when the line was also the last one used */
        l1_classify(m, lane->front, key, true, access);
    }
    m->s->n.l1_access[access]++;
    if (access == ACCESS_WRITE) {
        *attr |= CACHE_DIRTY;
    }
    return true;
}

HW_INLINE size_t run_all(struct memsys *m, const struct ref *refs, size_t n,
                         const struct ref_plan *plan, const struct lane_kind kind)
{
    struct lane lanes[NR_ACCESS_KINDS];
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        lanes[access] = lane_of(m, (enum access_kind)access);
    }
    for (size_t i = 0; i < n; i++) {
        const struct ref *r = &refs[i];
        enum access_kind access = plan->first[r->kind], second = plan->second[r->kind];
        while (run_one(m, &lanes[access], r->va, r->size, access, kind)) {
            access = second;
            if (HW_LIKELY(access == NR_ACCESS_KINDS)) {
                break;
            }
            second = NR_ACCESS_KINDS;
        }
        if (!HW_LIKELY(access == NR_ACCESS_KINDS) || (!kind.lean && m->out_of_memory)) {
            return i;
        }
    }
    return n;
}

size_t memsys_run(struct memsys *m, const struct ref *refs, size_t n,
                  const struct ref_plan *plan)
{
    const bool first =
        !m->virtual_tags && (m->front[SIDE_I].has_tlb || m->front[SIDE_D].has_tlb);
    mark_all(m);
    if (is_lean(m)) {
        return run_all(m, refs, n, plan, (struct lane_kind){.lean = true});
    }
    if (m->config.causes) {
        return first ? run_all(m, refs, n, plan,
                               (struct lane_kind){.first = true, .causes = true})
                     : run_all(m, refs, n, plan, (struct lane_kind){.causes = true});
    }
    return first ? run_all(m, refs, n, plan, (struct lane_kind){.first = true})
                 : run_all(m, refs, n, plan, (struct lane_kind){.first = false});
}
