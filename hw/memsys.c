/* An access on its way through the levels: see hw/memsys.h.
 *
 * Everything from here to memsys_access is compiled twice, by inlining: with live = true it announces each step, marks
 * each change and moves bytes; with live = false it only counts. What is rare (a miss, a walk) is kept out
 * of line so that the path of a hit stays short.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys.h"

#include <string.h>

#include "events.h"

/* ---- RAM ---- */

/* A table entry as RAM has it. Beyond RAM: all ones, as a bus answers without a device. */
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

enum l2_use { L2_FETCH, L2_VICTIM, L2_STORE, L2_WALK };

HW_INLINE unsigned char *line_bytes(const struct cache *c, uint32_t index)
{
    return c->data + (size_t)index * c->config.line_bytes;
}

HW_INLINE void count_cause(struct miss_causes *n, enum miss_cause cause)
{
    n->cold += cause == MISS_COLD;
    n->capacity += cause == MISS_CAPACITY;
    n->conflict += cause == MISS_CONFLICT;
}

/* Write a dirty L2 line to RAM; the line itself is left as it is. */
HW_INLINE void l2_write_back(struct memsys *m, uint32_t index, const bool live)
{
    uint64_t pa = m->l2.key[index] << m->l2.line_shift;
    m->s->n.l2.writeback++;
    m->s->n.memory_writes++;
    m->s->n.memory_wb_bytes += m->l2.config.line_bytes;
    if (live) {
        if (m->l2.data) {
            ram_write(m->ram, paddr(pa), line_bytes(&m->l2, index),
                      m->l2.config.line_bytes);
        }
        probe(m->probe, HW_EV_CACHE_WRITEBACK, 2, pa);
    }
}

/* Throw out what is in this way of L2: a dirty line goes to RAM. */
HW_INLINE void l2_evict(struct memsys *m, uint32_t index, const bool live)
{
    uint64_t old = m->l2.key[index];
    bool dirty = m->l2.attr[index] & CACHE_DIRTY;
    m->s->n.l2.evict += old != CACHE_NO_KEY;
    if (live && old != CACHE_NO_KEY) {
        probe(m->probe, HW_EV_CACHE_EVICT, 2, old, dirty);
    }
    if (dirty) {
        l2_write_back(m, index, live);
    }
}

/* One access of L2; answers the line's index. Every use allocates. */
HW_INLINE uint32_t l2_access(struct memsys *m, uint64_t pa, bool write,
                             const enum l2_use use, const bool live)
{
    struct cache *c = &m->l2;
    struct l2_counts *n = &m->s->n.l2;
    const uint64_t line = pa >> c->line_shift;
    const uint32_t set = cache_set(c, line);
    n->access++;
    n->fetch += use == L2_FETCH;
    n->wb_in += use == L2_VICTIM;
    n->store += use == L2_STORE;
    n->walk += use == L2_WALK;

    uint32_t way = cache_guess(c, c->order[set]);
    if (c->key[cache_index(c, set, way)] != line) {
        way = cache_find(c, set, line);
    }
    if (live) {
        probe(m->probe, HW_EV_L2_PROBE, pa, set, (int64_t)(int32_t)way,
              way != CACHE_NO_WAY);
    }
    if (m->config.causes) {
        bool hit = way != CACHE_NO_WAY;
        enum miss_cause cause = missclass_use(
            &m->l2_class, line, hit ? USE_HIT : USE_MISS, &m->out_of_memory);
        if (!hit) {
            count_cause(&m->s->n.l2_causes, cause);
        }
    }
    uint32_t index;
    if (way != CACHE_NO_WAY) {
        index = cache_index(c, set, way);
        cache_touch(c, set, way, live);
        if (write && !(c->attr[index] & CACHE_DIRTY)) {
            if (live) {
                arena_mark(m->arena, &c->attr[index]);
            }
            c->attr[index] |= CACHE_DIRTY;
        }
        return index;
    }
    n->miss++;
    n->fetch_miss += use == L2_FETCH;
    n->wb_miss += use == L2_VICTIM;
    n->store_miss += use == L2_STORE;
    n->walk_miss += use == L2_WALK;
    m->s->n.memory_reads += use != L2_VICTIM;
    way = cache_take_victim(c, set, live);
    index = cache_index(c, set, way);
    if (live && use != L2_VICTIM) {
        probe(m->probe, HW_EV_MEM_READ, line << c->line_shift);
    }
    l2_evict(m, index, live);
    if (live && c->data) {
        arena_mark(m->arena, line_bytes(c, index));
        ram_read(m->ram, paddr(line << c->line_shift), line_bytes(c, index),
                 c->config.line_bytes);
    }
    cache_put(c, index, line, CACHE_VALID | CACHE_OWNED | (write ? CACHE_DIRTY : 0),
              live);
    if (live) {
        probe(m->probe, HW_EV_CACHE_FILL, 2, line, set, way);
    }
    return index;
}

/* Bytes of the level below L1, on their way down (write) or up; the access itself has been counted. */
static void l2_bytes(struct memsys *m, uint32_t index, uint64_t pa, void *bytes,
                     uint32_t size, bool write)
{
    if (!m->config.l2.ways) {
        if (write) {
            ram_write(m->ram, paddr(pa), bytes, size);
        } else {
            ram_read(m->ram, paddr(pa), bytes, size);
        }
        return;
    }
    unsigned char *at = line_bytes(&m->l2, index) + (pa & (m->l2.config.line_bytes - 1));
    if (write) {
        arena_mark(m->arena, at);
        memcpy(at, bytes, size);
    } else {
        memcpy(bytes, at, size);
    }
}

/* Below L1: L2, or RAM where there is no L2. bytes, size: what moves when lines hold bytes; whole L1 lines but for stores. */
HW_INLINE void below_l1(struct memsys *m, uint64_t pa, const enum l2_use use, void *bytes,
                        uint32_t size, const bool live)
{
    const bool write = use == L2_VICTIM || use == L2_STORE;
    uint32_t index = 0;
    if (HW_LIKELY(m->config.l2.ways)) {
        index = l2_access(m, pa, write, use, live);
    } else if (write) {
        m->s->n.memory_writes++;
        m->s->n.memory_wb_bytes += size;
    } else {
        m->s->n.memory_reads++;
    }
    if (live && m->config.data && bytes) {
        l2_bytes(m, index, pa, bytes, size, write);
    }
}

/* ---- walks ---- */

HW_INLINE uint64_t entry_read(struct memsys *m, uint64_t at, uint32_t size,
                              const bool live)
{
    if (HW_LIKELY(m->config.l2.ways)) {
        uint32_t index = l2_access(m, at, false, L2_WALK, live);
        if (live && m->config.data) {
            uint64_t value = 0;
            memcpy(&value,
                   line_bytes(&m->l2, index) + (at & (m->l2.config.line_bytes - 1)),
                   size);
            return value;
        }
    } else {
        m->s->n.memory_reads++;
    }
    return ram_word(m->ram, at, size);
}

HW_INLINE void entry_write(struct memsys *m, uint64_t at, uint64_t value, uint32_t size,
                           const bool live)
{
    uint32_t index = 0;
    if (HW_LIKELY(m->config.l2.ways)) {
        index = l2_access(m, at, true, L2_WALK, live);
    } else {
        m->s->n.memory_writes++;
        m->s->n.memory_wb_bytes += size;
    }
    if (live && m->config.data) {
        l2_bytes(m, index, at, &value, size, true);
    } else {
        ram_write(m->ram, paddr(at), &value, size);
    }
    if (live) {
        probe(m->probe, HW_EV_WALK_SET, at, value);
    }
}

#define WALK_BUS struct memsys *
#define WALK_STEP(m, w, level, at, value) ((void)(level))
#define WALK_NAME walk_counting
#define WALK_READ(m, at, bytes) entry_read(m, at, bytes, false)
#define WALK_WRITE(m, at, value, bytes) entry_write(m, at, value, bytes, false)
#include "mmu_walk.h"
#undef WALK_STEP
#undef WALK_NAME
#undef WALK_READ
#undef WALK_WRITE
#define WALK_STEP(m, w, level, at, value)                                                \
    probe((m)->probe, HW_EV_WALK_ENTRY, level, at, value)
#define WALK_NAME walk_live
#define WALK_READ(m, at, bytes) entry_read(m, at, bytes, true)
#define WALK_WRITE(m, at, value, bytes) entry_write(m, at, value, bytes, true)
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

static bool walk_faulted(struct memsys *m, const struct fault *f, const bool live)
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
                    const bool live, uint64_t *entry)
{
    m->s->n.walks++;
    if (m->config.translation == TRANSLATE_IDENTITY) {
        *entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
        return true;
    }
    if (m->config.translation == TRANSLATE_FIRST_TOUCH) {
        return first_touch(m, va, entry);
    }
    struct walk w;
    for (;;) {
        if (live) {
            walk_live(&m->s->mmu, va, access, m, &w);
        } else {
            walk_counting(&m->s->mmu, va, access, m, &w);
        }
        if (HW_LIKELY(w.fault.kind == FAULT_NONE)) {
            *entry = w.entry;
            return true;
        }
        if (walk_faulted(m, &w.fault, live)) {
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
                     uint64_t entry, const bool live)
{
    tlb_put(t, va, m->s->space, entry, live);
    if (live) {
        probe(m->probe, HW_EV_TLB_FILL, level, va, entry);
    }
}

/* A TLB has an entry that does not allow the access: the page is written for the first time, or it is a fault. The
 * entries go; a fault throws them out too, so that the page can be mended without a flush. */
static bool retranslate(struct memsys *m, enum side side, uint64_t va,
                        enum access_kind access, bool live, uint64_t *entry)
{
    tlb_flush_page(&m->tlb[side], va, m->s->space);
    if (m->config.stlb.entries) {
        tlb_flush_page(&m->stlb, va, m->s->space);
    }
    struct fault f =
        mmu_permission_fault(&m->s->mmu, va, access, (uint32_t)*entry & TLB_PERMS);
    if (f.kind != FAULT_NONE && walk_faulted(m, &f, live)) {
        return false;
    }
    if (!walk(m, va, access, live, entry)) {
        return false;
    }
    if (m->config.stlb.entries) {
        enter(m, &m->stlb, 2, va, *entry, live);
    }
    enter(m, &m->tlb[side], 1, va, *entry, live);
    return true;
}

/* The first level missed. */
HW_INLINE bool translate_miss(struct memsys *m, enum side side, uint64_t va,
                              enum access_kind access, const bool live, uint64_t *entry)
{
    struct memsys_counts *n = &m->s->n;
    bool found = false;
    n->tlb[side].miss++;
    if (HW_LIKELY(m->config.stlb.entries)) {
        uint32_t set = 0;
        uint32_t i = tlb_find(&m->stlb, va, m->s->space, &set);
        found = i != CACHE_NO_WAY;
        n->stlb.access++;
        n->stlb.miss += !found;
        if (live) {
            probe(m->probe, HW_EV_TLB_PROBE, 2, va, set,
                  found ? (int64_t)(i % m->stlb.c.config.ways) : -1, found);
        }
        if (found) {
            tlb_touch(&m->stlb, i, set, live);
            *entry = m->stlb.c.home[i];
        }
    }
    if (!found) {
        if (!walk(m, va, access, live, entry)) {
            return false;
        }
        if (m->config.stlb.entries) {
            enter(m, &m->stlb, 2, va, *entry, live);
        }
    }
    enter(m, &m->tlb[side], 1, va, *entry, live);
    return HW_LIKELY(page_may(m, *entry, access)) ||
           retranslate(m, side, va, access, live, entry);
}

static HW_NOINLINE bool translate_miss_counting(struct memsys *m, enum side side,
                                                uint64_t va, enum access_kind access,
                                                uint64_t *entry)
{
    return translate_miss(m, side, va, access, false, entry);
}

static HW_NOINLINE bool translate_miss_live(struct memsys *m, enum side side, uint64_t va,
                                            enum access_kind access, uint64_t *entry)
{
    return translate_miss(m, side, va, access, true, entry);
}

/* The TLB entry for va, from wherever it is. False: it faulted. */
HW_INLINE bool translate(struct memsys *m, enum side side, uint64_t va,
                         enum access_kind access, const bool live, uint64_t *entry)
{
    if (!m->config.tlb[side].entries) {
        return m->config.translation == TRANSLATE_IDENTITY ||
               walk(m, va, access, live, entry);
    }
    struct tlb *t = &m->tlb[side];
    uint32_t set = 0;
    m->s->n.tlb[side].access++;
    uint32_t i = tlb_find(t, va, m->s->space, &set);
    if (live) {
        probe(m->probe, HW_EV_TLB_PROBE, 1, va, set,
              i == CACHE_NO_WAY ? -1 : (int64_t)(i % t->c.config.ways),
              i != CACHE_NO_WAY);
    }
    if (i == CACHE_NO_WAY) {
        return live ? translate_miss_live(m, side, va, access, entry)
                    : translate_miss_counting(m, side, va, access, entry);
    }
    tlb_touch(t, i, set, live);
    *entry = t->c.home[i];
    return HW_LIKELY(page_may(m, *entry, access)) ||
           retranslate(m, side, va, access, live, entry);
}

HW_INLINE uint64_t physical(const struct memsys *m, uint64_t entry, uint64_t va)
{
    return m->config.translation == TRANSLATE_IDENTITY ? va
                                                       : tlb_entry_translate(entry, va).v;
}

/* ---- the first level ---- */

/* One access inside one line. */
struct part {
    uint64_t va, pa; /* pa: with physical tags */
    uint64_t key;
    uint32_t set, size;
    unsigned char *bytes;
};

HW_INLINE bool virtual_tags(const struct memsys *m)
{
    return m->config.tagging >= TAG_VIVT;
}

HW_INLINE uint64_t line_home(const struct cache *c, uint32_t index)
{
    return c->home ? c->home[index] : c->key[index];
}

/* Write a dirty L1 line to the level below; the line itself is left as it is. */
HW_INLINE void l1_write_back(struct memsys *m, enum side side, uint32_t index,
                             const bool live)
{
    struct cache *c = &m->l1[side];
    uint64_t pa = line_home(c, index) << c->line_shift;
    m->s->n.l1[side].writeback++;
    if (live) {
        probe(m->probe, HW_EV_CACHE_WRITEBACK, 1, pa);
    }
    below_l1(m, pa, L2_VICTIM, live && c->data ? line_bytes(c, index) : NULL,
             c->config.line_bytes, live);
}

HW_INLINE void l1_store_through(struct memsys *m, uint64_t pa, const struct part *p,
                                const bool live)
{
    below_l1(m, pa, L2_STORE, live ? p->bytes : NULL, p->size, live);
}

/* Bytes between the access and the line. */
static void l1_bytes(struct memsys *m, struct cache *c, uint32_t index,
                     const struct part *p, bool write)
{
    if (!c->data || !p->bytes) {
        return;
    }
    unsigned char *at = line_bytes(c, index) + (p->va & (c->config.line_bytes - 1));
    if (write) {
        arena_mark(m->arena, at);
        memcpy(at, p->bytes, p->size);
    } else {
        memcpy(p->bytes, at, p->size);
    }
}

/* What is left of a hit once the line has been found and may be used. */
HW_INLINE void l1_hit_write(struct memsys *m, enum side side, uint32_t index,
                            const struct part *p, const bool live)
{
    struct cache *c = &m->l1[side];
    if (m->config.write_through) {
        l1_store_through(m,
                         line_home(c, index) << c->line_shift |
                             (p->va & (c->config.line_bytes - 1)),
                         p, live);
        return;
    }
    if (live) {
        arena_mark(m->arena, &c->attr[index]);
    }
    c->attr[index] |= CACHE_DIRTY;
}

/* A hit on a virtually tagged line that does not allow the access: ask the tables. */
static bool l1_ask(struct memsys *m, enum side side, uint32_t index, uint64_t va,
                   enum access_kind access, bool live)
{
    struct cache *c = &m->l1[side];
    uint64_t entry = 0;
    bool good = live ? translate(m, side, va, access, true, &entry)
                     : translate(m, side, va, access, false, &entry);
    if (!good) {
        return false;
    }
    arena_mark(m->arena, &c->attr[index]);
    c->attr[index] = (uint8_t)(((uint32_t)c->attr[index] & ~(uint32_t)CACHE_PERMS) |
                               (uint32_t)(entry & TLB_PERMS));
    return true;
}

HW_INLINE bool l1_miss(struct memsys *m, enum side side, struct part *p,
                       enum access_kind access, const bool live)
{
    struct cache *c = &m->l1[side];
    struct l1_counts *n = &m->s->n.l1[side];
    const bool write = access == ACCESS_WRITE;
    uint64_t entry = CACHE_PERMS;
    n->miss++;
    n->write_miss += write;
    if (virtual_tags(m)) {
        if (!translate(m, side, p->va, access, live, &entry)) {
            return false;
        }
        p->pa = physical(m, entry, p->va);
    }
    if (write && m->config.no_write_allocate) {
        below_l1(m, p->pa, L2_STORE, live ? p->bytes : NULL, p->size, live);
        return true;
    }
    uint32_t way = cache_take_victim(c, p->set, live);
    uint32_t index = cache_index(c, p->set, way);
    unsigned char fresh[PAGE_SIZE];
    below_l1(m, p->pa & ~(uint64_t)(c->config.line_bytes - 1), L2_FETCH,
             live ? fresh : NULL, c->config.line_bytes, live);
    n->evict += c->key[index] != CACHE_NO_KEY;
    if (live && c->key[index] != CACHE_NO_KEY) {
        probe(m->probe, HW_EV_CACHE_EVICT, 1, c->key[index],
              (c->attr[index] & CACHE_DIRTY) != 0);
    }
    if (c->attr[index] & CACHE_DIRTY) {
        l1_write_back(m, side, index, live);
    }
    bool dirty = write && !m->config.write_through;
    cache_put(c, index, p->key,
              (unsigned)(entry & TLB_PERMS) | CACHE_VALID | CACHE_OWNED |
                  (dirty ? CACHE_DIRTY : 0),
              live);
    if (c->home) {
        if (live) {
            arena_mark(m->arena, &c->home[index]);
        }
        c->home[index] = p->pa >> c->line_shift;
    }
    if (live) {
        if (c->data) {
            arena_mark(m->arena, line_bytes(c, index));
            memcpy(line_bytes(c, index), fresh, c->config.line_bytes);
            l1_bytes(m, c, index, p, write);
        }
        probe(m->probe, HW_EV_CACHE_FILL, 1, p->key, p->set, way);
    }
    if (write && m->config.write_through) {
        l1_store_through(m, p->pa, p, live);
    }
    return true;
}

static HW_NOINLINE bool l1_miss_counting(struct memsys *m, enum side side, struct part *p,
                                         enum access_kind access)
{
    return l1_miss(m, side, p, access, false);
}

static HW_NOINLINE bool l1_miss_live(struct memsys *m, enum side side, struct part *p,
                                     enum access_kind access)
{
    return l1_miss(m, side, p, access, true);
}

static void l1_classify(struct memsys *m, enum side side, uint64_t key, bool hit,
                        enum access_kind access)
{
    enum miss_use use = hit ? USE_HIT
                        : access == ACCESS_WRITE && m->config.no_write_allocate
                            ? USE_MISS_NOT_FILLED
                            : USE_MISS;
    enum miss_cause cause =
        missclass_use(&m->l1_class[side], key, use, &m->out_of_memory);
    if (!hit) {
        count_cause(&m->s->n.l1_causes[side], cause);
    }
}

/* One access inside one line: pa is known with physical tags. */
HW_INLINE bool l1_access(struct memsys *m, enum side side, uint64_t va, uint64_t pa,
                         uint32_t size, enum access_kind access, unsigned char *bytes,
                         const bool live)
{
    struct cache *c = &m->l1[side];
    struct l1_counts *n = &m->s->n.l1[side];
    const bool write = access == ACCESS_WRITE;
    const uint64_t line = (m->config.tagging == TAG_PIPT ? pa : va) >> c->line_shift;
    const uint64_t key = HW_LIKELY(virtual_tags(m))
                             ? line ^ (m->config.tagging == TAG_VIVT ? 0 : m->s->space)
                             : pa >> c->line_shift;
    const uint32_t set = cache_set(c, line);
    n->access++;
    n->write += write;
    uint32_t way = cache_guess(c, c->order[set]);
    uint32_t index = cache_index(c, set, way);
    bool hit = c->key[index] == key;
    if (!hit || !c->packed) {
        way = cache_find(c, set, key);
        hit = way != CACHE_NO_WAY;
        if (hit) {
            index = cache_index(c, set, way);
            cache_touch(c, set, way, live);
        }
    }
    if (m->config.causes) {
        l1_classify(m, side, key, hit, access);
    }
    if (live) {
        probe(m->probe, HW_EV_L1_PROBE, side, va, set, hit ? (int64_t)way : -1, hit);
    }
    struct part p = {
        .va = va, .pa = pa, .key = key, .set = set, .size = size, .bytes = bytes};
    if (!hit) {
        return live ? l1_miss_live(m, side, &p, access)
                    : l1_miss_counting(m, side, &p, access);
    }
    if (!HW_LIKELY(m->s->line_may[access] >> (c->attr[index] & CACHE_NEEDS) & 1) &&
        !l1_ask(m, side, index, va, access, live)) {
        return false;
    }
    if (write) {
        l1_hit_write(m, side, index, &p, live);
    }
    if (live) {
        l1_bytes(m, c, index, &p, write);
    }
    return true;
}

/* ---- a reference: one line or several, one page or two ---- */

/* Physical tags: the pages first, then the lines. */
struct pages {
    uint64_t first_va, second_va; /* second_va: the second page's first byte */
    uint64_t first_pa, second_pa;
};

HW_INLINE bool translate_pages(struct memsys *m, enum side side, uint64_t va,
                               uint64_t last, enum access_kind access, const bool live,
                               struct pages *p)
{
    uint64_t entry = 0;
    if (!translate(m, side, va, access, live, &entry)) {
        return false;
    }
    p->first_va = va;
    p->first_pa = physical(m, entry, va);
    p->second_va = last & ~(uint64_t)(PAGE_SIZE - 1);
    if (HW_LIKELY((va ^ last) < PAGE_SIZE)) {
        return true;
    }
    m->s->n.tlb[side].straddle++;
    if (!translate(m, side, p->second_va, access, live, &entry)) {
        return false;
    }
    p->second_pa = physical(m, entry, p->second_va);
    return true;
}

HW_INLINE uint64_t pages_physical(const struct pages *p, uint64_t va)
{
    return va >= p->second_va && p->second_va > p->first_va
               ? p->second_pa + (va - p->second_va)
               : p->first_pa + (va - p->first_va);
}

/* A reference that touches several lines: as many accesses, the low one first. */
HW_INLINE bool l1_straddle(struct memsys *m, enum side side, uint64_t va, uint64_t last,
                           enum access_kind access, unsigned char *bytes,
                           const struct pages *pages, const bool live)
{
    const uint64_t line_bytes = m->l1[side].config.line_bytes;
    m->s->n.l1[side].straddle++;
    for (uint64_t at = va;;) {
        uint64_t end = at | (line_bytes - 1);
        end = end < last ? end : last;
        uint64_t pa = virtual_tags(m) ? 0 : pages_physical(pages, at);
        if (!l1_access(m, side, at, pa, (uint32_t)(end - at + 1), access,
                       bytes ? bytes + (at - va) : NULL, live)) {
            return false;
        }
        if (end == last) {
            return true;
        }
        at = end + 1;
    }
}

static HW_NOINLINE bool l1_straddle_counting(struct memsys *m, enum side side,
                                             uint64_t va, uint64_t last,
                                             enum access_kind access,
                                             const struct pages *pages)
{
    return l1_straddle(m, side, va, last, access, NULL, pages, false);
}

/* No first level: RAM or L2 directly, in pieces of L2's lines or 64 bytes. */
static bool uncached(struct memsys *m, uint64_t va, uint64_t last,
                     enum access_kind access, unsigned char *bytes,
                     const struct pages *pages, bool live)
{
    const uint64_t piece = m->config.l2.ways ? m->l2.config.line_bytes : 64;
    for (uint64_t at = va;;) {
        uint64_t end = at | (piece - 1);
        end = end < last ? end : last;
        uint32_t size = (uint32_t)(end - at + 1);
        uint64_t pa = pages_physical(pages, at);
        unsigned char *part = bytes ? bytes + (at - va) : NULL;
        if (access == ACCESS_WRITE) {
            live ? below_l1(m, pa, L2_STORE, part, size, true)
                 : below_l1(m, pa, L2_STORE, NULL, size, false);
        } else {
            live ? below_l1(m, pa, L2_FETCH, part, size, true)
                 : below_l1(m, pa, L2_FETCH, NULL, size, false);
        }
        if (end == last) {
            return true;
        }
        at = end + 1;
    }
}

HW_INLINE bool reference(struct memsys *m, uint64_t va, uint32_t size,
                         enum access_kind access, unsigned char *bytes, const bool live)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const struct cache *c = &m->l1[side];
    const uint64_t last = va + size - 1;
    const bool cached = m->config.l1[side].ways != 0;
    struct pages pages;
    pages.first_pa = 0;
    if (!virtual_tags(m) || !cached) {
        if (!translate_pages(m, side, va, last, access, live, &pages)) {
            return false;
        }
        if (!cached) {
            return (!m->config.l2.ways && !m->config.data) ||
                   uncached(m, va, last, access, bytes, &pages, live);
        }
    }
    if (HW_LIKELY((va ^ last) >> c->line_shift == 0)) {
        return l1_access(m, side, va, pages.first_pa, size, access, bytes, live);
    }
    return live ? l1_straddle(m, side, va, last, access, bytes, &pages, true)
                : l1_straddle_counting(m, side, va, last, access, &pages);
}

bool memsys_access(struct memsys *m, uint64_t va, uint32_t size_bytes,
                   enum access_kind access, void *bytes)
{
    arena_mark(m->arena, m->s);
    arena_mark(m->arena, (unsigned char *)(m->s + 1) - 1);
    return reference(m, va, size_bytes, access, bytes, true);
}

/* ---- flushes ---- */

uint32_t memsys_flush_l1(struct memsys *m, enum side side, bool clean, bool invalidate)
{
    struct cache *c = &m->l1[side];
    uint32_t written = 0;
    arena_mark(m->arena, m->s);
    arena_mark(m->arena, (unsigned char *)(m->s + 1) - 1);
    for (uint32_t i = 0; c->config.ways && i < c->config.sets * c->config.ways; i++) {
        if (clean && (c->attr[i] & CACHE_DIRTY)) {
            l1_write_back(m, side, i, true);
            arena_mark(m->arena, &c->attr[i]);
            c->attr[i] &= (uint8_t)~CACHE_DIRTY;
            written++;
        }
        if (invalidate && c->key[i] != CACHE_NO_KEY) {
            cache_invalidate(c, i / c->config.ways, i % c->config.ways);
        }
    }
    return written;
}

uint32_t memsys_flush_l2(struct memsys *m, bool clean, bool invalidate)
{
    struct cache *c = &m->l2;
    uint32_t written = 0;
    arena_mark(m->arena, m->s);
    arena_mark(m->arena, (unsigned char *)(m->s + 1) - 1);
    for (uint32_t i = 0; c->config.ways && i < c->config.sets * c->config.ways; i++) {
        if (clean && (c->attr[i] & CACHE_DIRTY)) {
            l2_write_back(m, i, true);
            arena_mark(m->arena, &c->attr[i]);
            c->attr[i] &= (uint8_t)~CACHE_DIRTY;
            written++;
        }
        if (invalidate && c->key[i] != CACHE_NO_KEY) {
            cache_invalidate(c, i / c->config.ways, i % c->config.ways);
        }
    }
    return written;
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
    arena_mark(m->arena, m->s);
    arena_mark(m->arena, (unsigned char *)(m->s + 1) - 1);
    for (int side = 0; side < NR_SIDES; side++) {
        if (m->config.l1[side].ways) {
            cache_mark(&m->l1[side]);
        }
        if (m->config.tlb[side].entries) {
            cache_mark(&m->tlb[side].c);
            arena_mark(m->arena, m->tlb[side].kinds);
        }
    }
    if (m->config.l2.ways) {
        cache_mark(&m->l2);
    }
    if (m->config.stlb.entries) {
        cache_mark(&m->stlb.c);
        arena_mark(m->arena, m->stlb.kinds);
    }
}

size_t memsys_run(struct memsys *m, const struct ref *refs, size_t n,
                  const struct ref_plan *plan)
{
    mark_all(m);
    for (size_t i = 0; i < n; i++) {
        const struct ref r = refs[i];
        if (!reference(m, r.va, r.size, plan->first[r.kind], NULL, false)) {
            return i;
        }
        if (plan->second[r.kind] != NR_ACCESS_KINDS &&
            !reference(m, r.va, r.size, plan->second[r.kind], NULL, false)) {
            return i;
        }
        if (m->out_of_memory) {
            return i;
        }
    }
    return n;
}
