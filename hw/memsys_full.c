/* An access the full way: translation with paging-structure caches, memory types, L1 with
 * MESI states. See hw/memsys.h for the order of things, hw/memsys_full.h for the parts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "memsys_full.h"

/* ---- walks ---- */

#define RIGHTS (PTE_U | PTE_W)

static uint32_t psc_begin(struct memsys *m, uint64_t va, uint32_t levels, uint64_t *table,
                          uint64_t *all, uint64_t *any)
{
    uint64_t next;
    uint32_t level = m->has_psc ? psc_find(m, va, levels, &next) : 0;
    if (level) {
        *table = next & TLB_FRAME;
        *all = next & RIGHTS;
        *any = next & PTE_NX;
        return level - 1;
    }
    return levels;
}

static void psc_pass(struct memsys *m, uint64_t va, uint32_t level, uint64_t table,
                     uint64_t all, uint64_t any)
{
    if (m->has_psc) {
        psc_enter(m, va, level, table | (all & RIGHTS) | (any & PTE_NX));
    }
}

#define WALK_NAME walk_full
#define WALK_BODY walk_full_body
#define WALK_BUS struct memsys *
#define WALK_READ(m, at, bytes) lower_entry_read(m, at, bytes)
#define WALK_WRITE(m, at, value, bytes) lower_entry_write(m, at, value, bytes)
#define WALK_STEP(m, w, level, at, value)                                                \
    probe((m)->probe, HW_EV_WALK_ENTRY, level, at, value)
#define WALK_BEGIN(m, va, level, table, all, any)                                        \
    ((level) = psc_begin(m, va, level, &(table), &(all), &(any)))
#define WALK_PASS(m, va, level, table, all, any) psc_pass(m, va, level, table, all, any)
#include "mmu_walk.h"

/* True: nobody mended it. */
static bool faulted(struct memsys *m, uint64_t va, const struct fault *f)
{
    memsys_mark_state(m);
    psc_flush_address(m, va);
    m->s->n.faults++;
    m->s->fault = *f;
    probe(m->probe, HW_EV_PAGE_FAULT, f->cr2, f->error_code, f->kind);
    bool mended = m->on_fault && m->on_fault(m->on_fault_ctx, m, f);
    memsys_mark_state(m);
    return !mended;
}

/* The frame of a page in order of first touch. */
static bool first_touch(struct memsys *m, uint64_t va, uint64_t *entry)
{
    uint32_t *cell = sparse_cell(&m->frames, va >> PAGE_SHIFT);
    if (!cell) {
        m->out_of_memory = true;
        return false;
    }
    if (!*cell) {
        *cell = ++m->s->frames_given;
    }
    *entry = tlb_entry((m->config.first_pfn + *cell - 1) << PAGE_SHIFT, CACHE_PERMS,
                       PAGE_4K, false, 0);
    return true;
}

/* What the tables (or their stand-in) say about va. */
static bool walk(struct memsys *m, uint64_t va, enum access_kind access, uint64_t *entry)
{
    m->s->n.walks++;
    if (m->config.translation == TRANSLATE_IDENTITY) {
        *entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
        return true;
    }
    if (m->config.translation == TRANSLATE_FIRST_TOUCH) {
        return first_touch(m, va, entry);
    }
    for (struct walk w;;) {
        walk_full(&m->s->mmu, va, access, m, &w);
        if (w.fault.kind == FAULT_NONE) {
            *entry = w.entry;
            return true;
        }
        if (faulted(m, va, &w.fault)) {
            return false;
        }
        m->s->n.walks++;
    }
}

/* ---- translation ---- */

static bool page_may(const struct memsys *m, uint64_t entry, enum access_kind access)
{
    return m->s->page_may[access] >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1;
}

static void enter(struct memsys *m, struct tlb *t, uint32_t level, uint64_t va,
                  uint64_t entry)
{
    tlb_put(t, va, m->s->space, entry, CACHE_MARK);
    probe(m->probe, HW_EV_TLB_FILL, level, va, entry);
}

/* Why a TLB missed; the page's key is known when its entry is. */
static void classify(struct memsys *m, struct missclass *c, struct miss_causes *n,
                     uint64_t va, uint64_t entry, bool hit)
{
    if (m->config.causes) {
        const uint64_t key = tlb_key(va, tlb_entry_kind(entry), m->s->space);
        if (hit) {
            missclass_hit(c, key);
        } else {
            missclass_miss(c, key, n);
        }
    }
}

/* A TLB has an entry that does not allow the access: the page is written for the first
 * time, or it is a fault. The entries go; a fault throws them out too, so that the page
 * can be mended without a flush. */
static bool retranslate(struct memsys *m, struct front *f, uint64_t va,
                        enum access_kind access, uint64_t *entry)
{
    tlb_flush_page(&f->tlb, va, m->s->space);
    if (m->has_stlb) {
        tlb_flush_page(&m->stlb, va, m->s->space);
    }
    struct fault fault =
        mmu_permission_fault(&m->s->mmu, va, access, (uint32_t)*entry & TLB_PERMS);
    if ((fault.kind != FAULT_NONE && faulted(m, va, &fault)) ||
        !walk(m, va, access, entry)) {
        return false;
    }
    if (m->has_stlb) {
        enter(m, &m->stlb, 2, va, *entry);
    }
    enter(m, &f->tlb, 1, va, *entry);
    return true;
}

/* Look va up in one TLB. */
static bool tlb_has(struct memsys *m, struct tlb *t, uint32_t level, uint64_t va,
                    uint64_t *entry)
{
    struct tlb_place p = tlb_find(t, va, m->s->space, CACHE_MARK);
    const bool hit = p.way != CACHE_NO_WAY;
    probe(m->probe, HW_EV_TLB_PROBE, level, va, p.set ? cache_number_of(&t->c, p.set) : 0,
          (int64_t)(int32_t)p.way, hit);
    if (hit) {
        cache_touch(&t->c, p.set, p.way, CACHE_MARK);
        *entry = *cache_home(&t->c, p.set, p.way);
    }
    return hit;
}

bool translate_full(struct memsys *m, uint64_t va, enum access_kind access,
                    uint64_t *entry)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct front *f = &m->front[side];
    struct memsys_tally *n = &m->s->n;
    if (!f->has_tlb) {
        *entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
        return m->config.translation == TRANSLATE_IDENTITY || walk(m, va, access, entry);
    }
    n->tlb_access[side]++;
    const bool first = tlb_has(m, &f->tlb, 1, va, entry);
    if (!first) {
        n->tlb_miss[side]++;
        n->stlb_access += m->has_stlb;
        const bool second = m->has_stlb && tlb_has(m, &m->stlb, 2, va, entry);
        if (!second) {
            n->stlb_miss += m->has_stlb;
            if (!walk(m, va, access, entry)) {
                return false;
            }
            if (m->has_stlb) {
                enter(m, &m->stlb, 2, va, *entry);
            }
        }
        if (m->has_stlb) {
            classify(m, &m->stlb_causes, &n->stlb_causes, va, *entry, second);
        }
        enter(m, &f->tlb, 1, va, *entry);
    }
    classify(m, &f->tlb_causes, &n->tlb_causes[side], va, *entry, first);
    return page_may(m, *entry, access) || retranslate(m, f, va, access, entry);
}

/* ---- the first level ---- */

/* Bytes of an access inside one line, and where they are. */
struct part {
    uint64_t va, pa; /* pa: only where translation came first, until l1_miss */
    enum memtype type;
    uint32_t size;
    unsigned char *bytes;
    enum access_kind access;
    enum side side;
};

static enum memtype type_of(const struct memsys *m, uint64_t entry)
{
    return m->config.memory_types ? pat_type(m->s->pat, tlb_entry_pat(entry))
                                  : MEMTYPE_WB;
}

static void part_locate(const struct memsys *m, struct part *p, uint64_t entry)
{
    p->pa = m->config.translation == TRANSLATE_IDENTITY
                ? p->va
                : tlb_entry_translate(entry, p->va).v;
    p->type = type_of(m, entry);
}

static void l1_move_bytes(struct slot at, const struct part *p)
{
    if (!at.c->data || !p->bytes) {
        return;
    }
    unsigned char *line = slot_data(at) + (p->va & (at.c->config.line_bytes - 1));
    if (p->access == ACCESS_WRITE) {
        arena_mark(at.c->arena, line);
        memcpy(line, p->bytes, p->size);
    } else {
        memcpy(p->bytes, line, p->size);
    }
}

/* The line of a virtual hit does not allow the access, or its page is no plain write-back
 * one: ask the tables. */
static bool l1_ask(struct memsys *m, struct slot at, struct part *p)
{
    const uint64_t key = at.s->key[at.way];
    uint64_t entry = 0;
    if (!translate_full(m, p->va, p->access, &entry)) {
        return false;
    }
    p->type = type_of(m, entry);
    if (at.s->key[at.way] != key) {
        return true;
    }
    slot_set_attr(at, (*slot_attr(at) & ~(unsigned)CACHE_PERMS) |
                          (unsigned)(entry & TLB_PERMS));
    return true;
}

static bool uncacheable(const struct part *p)
{
    return p->type == MEMTYPE_UC || p->type == MEMTYPE_UC_MINUS ||
           p->type == MEMTYPE_WC || (p->type == MEMTYPE_WP && p->access == ACCESS_WRITE);
}

static void l1_write(struct memsys *m, struct slot at, const struct part *p)
{
    const uint64_t pa = slot_pa(at) | (p->va & (at.c->config.line_bytes - 1));
    if (p->type == MEMTYPE_WT) {
        lower_store_through(m, pa, p->bytes, p->size);
    } else if (m->config.write_through) {
        lower_store(m, pa, p->bytes, p->size, true);
    } else {
        slot_set_attr(at, *slot_attr(at) | CACHE_DIRTY);
    }
}

/* A store that allocates no line. */
static void l1_store_around(struct memsys *m, const struct part *p)
{
    if (p->type == MEMTYPE_WT) {
        lower_store_through(m, p->pa, p->bytes, p->size);
    } else {
        lower_store(m, p->pa, p->bytes, p->size, false);
    }
}

static bool l1_miss(struct memsys *m, uint64_t index, uint64_t key, struct part *p)
{
    struct cache *c = &m->front[p->side].l1;
    const bool write = p->access == ACCESS_WRITE;
    uint64_t entry = CACHE_PERMS;
    unsigned char fresh[PAGE_SIZE];
    m->s->n.l1_miss[p->access]++;
    if (m->virtual_tags) {
        if (!translate_full(m, p->va, p->access, &entry)) {
            return false;
        }
        part_locate(m, p, entry);
        if (uncacheable(p)) {
            uncached_access(m, p->pa, p->bytes, p->size, p->access, p->type);
            return true;
        }
    }
    if (write && (m->config.no_write_allocate || p->type == MEMTYPE_WT)) {
        l1_store_around(m, p);
        return true;
    }
    const uint64_t pa = p->pa & ~(uint64_t)(c->config.line_bytes - 1);
    const struct fetched got =
        lower_fetch(m, p->side, pa, c->config.line_bytes, write, fresh);
    /* after the fetch: an inclusive L2 may just have thrown a line of this set out */
    struct slot at = {c, cache_set_of(c, index), 0};
    at.way = cache_take_victim(c, at.s, CACHE_MARK);
    const unsigned old = *slot_attr(at);
    if (old) {
        probe(m->probe, HW_EV_CACHE_EVICT, 1, at.s->key[at.way],
              (old & CACHE_DIRTY) != 0);
        if ((old & CACHE_DIRTY) ||
            (m->config.inclusion == INCLUSION_EXCLUSIVE && m->has_l2)) {
            lower_victim(m, p->side, at);
        }
    }
    cache_mark_way(c, at.s, at.way);
    cache_put(c, at.s, at.way, key,
              (unsigned)(entry & TLB_PERMS) | CACHE_VALID |
                  (got.owned ? CACHE_OWNED : 0) | (got.dirty ? CACHE_DIRTY : 0) |
                  (p->type == MEMTYPE_WB ? 0 : CACHE_NOT_WB));
    if (c->config.homes) {
        *cache_home(c, at.s, at.way) = pa >> c->line_shift;
    }
    if (c->data) {
        arena_mark(m->arena, slot_data(at));
        memcpy(slot_data(at), fresh, c->config.line_bytes);
    }
    if (write && !m->config.write_through) {
        slot_set_attr(at, *slot_attr(at) | CACHE_DIRTY);
    }
    l1_move_bytes(at, p);
    probe(m->probe, HW_EV_CACHE_FILL, 1, key, cache_number_of(c, at.s), at.way);
    if (write && m->config.write_through) {
        lower_store(m, p->pa, p->bytes, p->size, true);
    }
    return true;
}

static bool l1_hit(struct memsys *m, struct slot at, uint64_t index, uint64_t key,
                   struct part *p)
{
    const uint32_t may = m->s->line_may[p->access];
    const unsigned has = (*slot_attr(at) & CACHE_NEEDS) | CACHE_OWNED;
    if (m->virtual_tags && (!(may >> has & 1) || (*slot_attr(at) & CACHE_NOT_WB)) &&
        !l1_ask(m, at, p)) {
        return false;
    }
    if (at.s->key[at.way] != key) { /* the walk has made an inclusive L2 take it */
        return l1_miss(m, index, key, p);
    }
    if (uncacheable(p)) {
        p->pa = slot_pa(at) | (p->va & (at.c->config.line_bytes - 1));
        uncached_access(m, p->pa, p->bytes, p->size, p->access, p->type);
        return true;
    }
    if (p->access == ACCESS_WRITE) {
        if (!(*slot_attr(at) & CACHE_OWNED) && p->type != MEMTYPE_WT) {
            const enum mesi before = cache_mesi(*slot_attr(at));
            bus_own(m, slot_pa(at));
            slot_set_attr(at, *slot_attr(at) | CACHE_OWNED);
            probe(m->probe, HW_EV_MESI, m->cpu, 1, slot_pa(at), before,
                  m->config.write_through ? MESI_E : MESI_M);
        }
        l1_write(m, at, p);
    }
    l1_move_bytes(at, p);
    return true;
}

static void classify_l1(struct memsys *m, const struct part *p, uint64_t key, bool hit)
{
    if (!m->config.causes) {
        return;
    }
    struct missclass *c = &m->front[p->side].causes;
    const bool filled = p->access != ACCESS_WRITE ||
                        (!m->config.no_write_allocate && p->type != MEMTYPE_WT);
    struct miss_causes *n = &m->s->n.l1_causes[p->side];
    if (hit) {
        missclass_hit(c, key);
    } else {
        filled ? missclass_miss(c, key, n) : missclass_miss_unfilled(c, key, n);
    }
}

/* One access inside one line. */
static bool l1_access(struct memsys *m, struct part *p)
{
    struct cache *c = &m->front[p->side].l1;
    const uint64_t index =
        (m->config.tagging == TAG_PIPT ? p->pa : p->va) >> c->line_shift;
    const uint64_t key =
        (m->virtual_tags ? p->va : p->pa) >> c->line_shift ^ m->s->line_space;
    struct slot at = slot_find(c, index, key);
    const bool hit = slot_found(at);
    m->s->n.l1_access[p->access]++;
    if (hit) {
        cache_touch(c, at.s, at.way, CACHE_MARK);
    }
    classify_l1(m, p, key, hit);
    probe(m->probe, HW_EV_L1_PROBE, p->side == SIDE_D, p->va, cache_number_of(c, at.s),
          hit ? (int64_t)at.way : -1, hit);
    return hit ? l1_hit(m, at, index, key, p) : l1_miss(m, index, key, p);
}

/* ---- a reference: one line or several, one page or two ---- */

/* Without a first level. */
static void below_only(struct memsys *m, const struct part *p)
{
    if (p->access != ACCESS_WRITE) {
        lower_fetch(m, p->side, p->pa, p->size, false, p->bytes);
    } else {
        l1_store_around(m, p);
    }
}

static bool part_access(struct memsys *m, struct part *p, bool translated)
{
    if (translated && uncacheable(p)) {
        uncached_access(m, p->pa, p->bytes, p->size, p->access, p->type);
        return true;
    }
    if (!m->front[p->side].has_l1) {
        if (m->has_l2 || m->config.data) {
            below_only(m, p);
        }
        return true;
    }
    return l1_access(m, p);
}

bool memsys_access_full(struct memsys *m, uint64_t va, uint32_t size_bytes,
                        enum access_kind access, unsigned char *bytes)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const struct front *f = &m->front[side];
    const uint64_t last = va + size_bytes - 1, second = last & ~(uint64_t)(PAGE_SIZE - 1);
    const bool crosses = second > va, first = !m->virtual_tags || !f->has_l1;
    /* without L1, what one transaction can ask for */
    const uint64_t longest = m->has_l2 ? m->l2.config.line_bytes : 64;
    const uint64_t piece = f->has_l1 ? f->l1.config.line_bytes
                           : m->config.coherent && m->bus_line < longest ? m->bus_line
                                                                         : longest;
    uint64_t entry[2] = {0, 0};
    memsys_mark_state(m);
    if (m->config.detect) {
        memsys_announce_hazards(m, va, access);
        if (crosses) {
            memsys_announce_hazards(m, second, access);
        }
    }
    if (first) {
        if (!translate_full(m, va, access, &entry[0])) {
            return false;
        }
        if (crosses) {
            m->s->n.tlb_straddle[side] += f->has_tlb;
            if (!translate_full(m, second, access, &entry[1])) {
                return false;
            }
        }
    }
    /* virtual tags translate line by line: nothing is written if the second page
       faults */
    if (crosses && access == ACCESS_WRITE && !first && !m->on_fault &&
        memsys_would_fault(m, second, access) && !memsys_would_fault(m, va, access)) {
        return translate_full(m, second, access, &entry[1]);
    }
    m->s->n.l1_straddle[side] += f->has_l1 && (va ^ last) >> f->l1.line_shift != 0;
    for (uint64_t at = va, end;; at = end + 1) {
        end = at | (piece - 1);
        end = end < last ? end : last;
        struct part p = {.va = at,
                         .type = MEMTYPE_WB,
                         .size = (uint32_t)(end - at + 1),
                         .bytes = bytes ? bytes + (at - va) : NULL,
                         .access = access,
                         .side = side};
        if (first) {
            part_locate(m, &p, entry[crosses && at >= second]);
        }
        if (!part_access(m, &p, first)) {
            return false;
        }
        if (end == last) {
            return true;
        }
    }
}
