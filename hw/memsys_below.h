/* Below the first level: L2, RAM, and the walker, which reads its tables through L2. The
 * lower half of the path of an access (the upper one: hw/memsys_path.h; what it does:
 * hw/memsys.h).
 *
 * Everything here is compiled several times, by inlining, see enum run: LIVE into
 * hw/memsys.c, COUNT into hw/memsys_count.c and what else only counts, LEAN into
 * hw/memsys_run.c. One text keeps them the same, and tests/test_memsys.c compares their
 * counts and their bytes. What is rare is kept out of line so that the path of a hit
 * stays short.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMSYS_BELOW_H
#define HW_MEMSYS_BELOW_H

#include "memsys.h"

#include <string.h>

#include "events.h"

enum run {
    COUNT, /* count, whatever the configuration */
    LIVE,  /* announce, mark and move bytes as well */
    LEAN   /* count; the configuration is the usual one, see make_lean() */
};

#define HOW(run) ((run) == LIVE ? CACHE_MARK : (run) == LEAN ? CACHE_LEAN : CACHE_COUNT)
/* A question about the configuration whose answer is yes, or no, in a lean run. */
#define YES(run, question) ((run) == LEAN || HW_LIKELY(question))
#define NO(run, question) ((run) != LEAN && (question))

/* ---- the second level ---- */

/* A cache's or TLB's hit, or miss with its cause. */
HW_INLINE void classify_hit(struct missclass *c, uint64_t key, const enum run run)
{
    if (missclass_is_youngest(c, key)) {
        return;
    }
    run == LIVE ? missclass_hit(c, key) : missclass_hit_marked(c, key);
}
HW_INLINE void classify_miss(struct missclass *c, uint64_t key, struct miss_causes *n,
                             const enum run run)
{
    run == LIVE ? missclass_miss(c, key, n) : missclass_miss_marked(c, key, n);
}

/* A TLB's; of the page that entry is for: it is known only after a miss what size it
 * has. */
HW_INLINE void tlb_classify(struct memsys *m, struct missclass *c, struct miss_causes *n,
                            uint64_t va, uint64_t entry, bool hit, const enum run run)
{
    const uint64_t key = tlb_key(va, tlb_entry_kind(entry), m->s->space);
    if (hit) {
        classify_hit(c, key, run);
    } else {
        classify_miss(c, key, n, run);
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
    const unsigned old = *cache_attr_how(c, s, way, HOW(run));
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
    cache_put_how(c, s, way, line, CACHE_VALID | CACHE_OWNED | (write ? CACHE_DIRTY : 0),
                  HOW(run));
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
        way = cache_find_how(c, s, line, HOW(run));
        hit = way != CACHE_NO_WAY;
        if (hit) {
            cache_touch(c, s, way, HOW(run));
        }
    }
    if (run == LIVE) {
        probe(m->probe, HW_EV_L2_PROBE, pa, cache_number_of(c, s),
              hit ? (int64_t)way : -1, hit, use);
    }
    if (NO(run, m->config.causes)) {
        if (hit) {
            classify_hit(&m->l2_causes, line, run);
        } else {
            classify_miss(&m->l2_causes, line, &m->s->n.l2_causes, run);
        }
    }
    if (!hit) {
        m->s->n.l2_miss[use]++;
        way = l2_fill(m, s, line, write, use, run);
    } else if (write) {
        cache_mark_set(c, s, HOW(run));
        *cache_attr_how(c, s, way, HOW(run)) |= CACHE_DIRTY;
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
#undef WALK_BUS
#undef WALK_STEP
#undef WALK_NAME
#undef WALK_BODY
#undef WALK_READ
#undef WALK_WRITE

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
    const bool mended = m->on_fault && m->on_fault(m->on_fault_ctx, m, f);
    if (UNLIKELY(m->index != NULL)) { /* it may have run references of its own */
        memsys_bring_kept_home(m);
    }
    return !mended;
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

#endif
