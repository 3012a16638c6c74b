/* Many references at once, only counted: memsys_run of hw/memsys.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_path.h"

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
    memsys_mark_state(m);
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

static HW_NOINLINE bool l1_access_lean(struct memsys *m, struct front *f,
                                       struct cache_set *s, uint64_t key, uint64_t at,
                                       enum access_kind access)
{
    return l1_access(m, f, s, key, at, access, NULL, LEAN);
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
