/* Many references, only counted: see hw/memsys_count.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_count.h"
#include "memsys_path.h"

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
    enum access_kind access;
    bool quick;    /* false: always take the whole way */
    bool identity; /* with a TLB: physical is virtual */
};

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
        .access = access,
        .quick = quick,
        .identity = identity,
    };
}

/* What the lanes of a run have in common; each combination is a loop of its own. */
struct lane_kind {
    bool first;  /* translation first, through TLBs */
    bool causes; /* tell misses by cause */
};

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
    /* an entry of another size or a global one has another key, or is no 4 KiB page */
    if (s->key[way] != (page ^ lane->page_space)) {
        return false;
    }
    if (lane->identity) {
        *pa = va;
        return true;
    }
    uint64_t entry;
    memcpy(&entry, (const unsigned char *)s + lane->tlb_home_at + 8 * way, 8);
    *pa = (entry & TLB_FRAME) | (va & (PAGE_SIZE - 1));
    return !tlb_entry_kind(entry) &&
           (lane->page_may >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1);
}

/* One access of a lane: all of it inside one line, nearly always. */
HW_INLINE bool run_one(struct memsys *m, const struct lane *lane, uint64_t va,
                       uint32_t size, const struct lane_kind kind)
{
    const enum access_kind access = lane->access;
    const uint64_t line = va >> lane->shift;
    struct memsys_tally *n = &m->s->n;
    if (!HW_LIKELY((va + size - 1) >> lane->shift == line) || !lane->quick) {
        return reference_counting(m, va, size, access);
    }
    uint64_t at = va;
    if (kind.first) {
        if (!HW_LIKELY(lane_translates(lane, va, &at))) {
            return reference_counting(m, va, size, access);
        }
        n->tlb_access[access != ACCESS_FETCH]++;
        if (kind.causes) { /* a page of 4 KiB, not global: its entry is 0 */
            tlb_classify(m, &lane->front->tlb_causes,
                         &n->tlb_causes[access != ACCESS_FETCH], va, 0, true, COUNT);
        }
    }
    struct cache_set *s =
        (struct cache_set *)(void *)(lane->sets + (line & lane->set_mask) * lane->stride);
    const uint64_t key = (kind.first ? at >> lane->shift : line) ^ lane->line_space;
    const uint32_t way = (uint32_t)s->order & 15;
    uint8_t *attr = (uint8_t *)s + lane->attr_at + way;
    if (!HW_LIKELY(s->key[way] == key) ||
        !HW_LIKELY(lane->may >> (*attr & CACHE_NEEDS) & 1)) {
        return l1_access_counting(m, lane->front, s, key, at, access);
    }
    if (kind.causes) { /* one compare when the line was also the last one used */
        l1_classify(m, lane->front, key, true, access, COUNT);
    }
    n->l1_access[access]++;
    if (access == ACCESS_WRITE) {
        *attr |= CACHE_DIRTY;
    }
    return true;
}

HW_INLINE size_t run_all(struct memsys *m, const struct ref *refs, size_t nr,
                         const struct ref_plan *plan, const struct lane_kind kind)
{
    struct lane lanes[NR_ACCESS_KINDS];
    const struct lane *of[NR_REF_KINDS][2] = {{NULL}}; /* a reference's two accesses */
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        lanes[access] = lane_of(m, (enum access_kind)access);
    }
    for (int k = 0; k < NR_REF_KINDS; k++) {
        of[k][0] = &lanes[plan->first[k]];
        of[k][1] = plan->second[k] == NR_ACCESS_KINDS ? NULL : &lanes[plan->second[k]];
    }
    for (size_t i = 0; i < nr; i++) {
        const struct ref *r = &refs[i];
        const struct lane *second = of[r->kind][1];
        if (!HW_LIKELY(run_one(m, of[r->kind][0], r->va, r->size, kind)) ||
            (second && !run_one(m, second, r->va, r->size, kind)) || m->out_of_memory) {
            return i;
        }
    }
    return nr;
}

/* One loop for each kind of machine. */
#define RUN(name, ...)                                                                   \
    static HW_NOINLINE size_t name(struct memsys *m, const struct ref *refs, size_t nr,  \
                                   const struct ref_plan *plan)                          \
    {                                                                                    \
        return run_all(m, refs, nr, plan, (struct lane_kind){__VA_ARGS__});              \
    }
RUN(run_any, .first = false)
RUN(run_any_causes, .causes = true)
RUN(run_any_first, .first = true)
RUN(run_any_first_causes, .first = true, .causes = true)

static size_t run_any_machine(struct memsys *m, const struct ref *refs, size_t nr,
                              const struct ref_plan *plan)
{
    const bool tlbs = m->front[SIDE_I].has_tlb || m->front[SIDE_D].has_tlb;
    const bool first = !m->virtual_tags && tlbs, causes = m->config.causes;
    return first ? (causes ? run_any_first_causes : run_any_first)(m, refs, nr, plan)
                 : (causes ? run_any_causes : run_any)(m, refs, nr, plan);
}

size_t memsys_run_counting(struct memsys *m, const struct ref *refs, size_t nr,
                           const struct ref_plan *plan)
{
    size_t done = 0;
    bool faulted = false;
    if (memsys_is_plain(m)) {
        done = memsys_run_plain(m, refs, nr, plan, &faulted);
    }
    return faulted || done == nr
               ? done
               : done + run_any_machine(m, refs + done, nr - done, plan);
}
