/* Many references at once, only counted: memsys_run of hw/memsys.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "line_index.h"
#include "memsys_count.h"
#include "memsys_lean.h"
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

static bool is_plan(const struct ref_plan *plan, bool as_reads)
{
    const struct ref_plan other = ref_plan(as_reads);
    return !memcmp(plan, &other, sizeof other);
}

void memsys_mark_all(struct memsys *m)
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
    struct missclass *shadows[] = {&m->front[SIDE_I].causes,
                                   &m->front[SIDE_D].causes,
                                   &m->front[SIDE_I].tlb_causes,
                                   &m->front[SIDE_D].tlb_causes,
                                   &m->l2_causes,
                                   &m->stlb_causes};
    for (size_t i = 0; i < sizeof shadows / sizeof *shadows; i++) {
        if (shadows[i]->lines) {
            missclass_mark(shadows[i]);
        }
    }
}

static HW_NOINLINE bool reference_counting(struct memsys *m, uint64_t va, uint32_t size,
                                           enum access_kind access)
{
    return reference(m, va, size, access, NULL, COUNT);
}

/* ---- the usual machine ---- */

/* The whole way of an access inside one line; of the configuration, not of the page
 * tables, is known that it is the usual one. */
static bool reference_lean(struct memsys *m, uint64_t va, enum access_kind access)
{
    struct front *f = &m->front[access != ACCESS_FETCH];
    const uint64_t line = va >> LEAN_LINE_SHIFT;
    return l1_access(m, f, cache_set_masked(&f->l1, line), line ^ m->s->line_space, va,
                     access, NULL, LEAN);
}

bool memsys_walk_faulted(struct memsys *m, const struct fault *f, bool live)
{
    return !walk_faulted(m, f, live);
}

bool memsys_leaf_missing(struct memsys *m, uint64_t va, enum access_kind access)
{
    const struct fault f = {FAULT_PAGE, walk_error(&m->s->mmu, access, 0), va};
    return memsys_walk_faulted(m, &f, false);
}

/* A fault that the lean way has met and nobody has mended: what it had not yet counted
 * of the access. */
static void count_unmended(struct memsys *m, enum access_kind access)
{
    struct memsys_tally *n = &m->s->n;
    n->l1_access[access]++;
    n->l1_miss[access]++;
    n->tlb_access[access != ACCESS_FETCH]++;
    n->tlb_miss[access != ACCESS_FETCH]++;
    n->stlb_access++;
    n->stlb_miss++;
}

/* What the lean way has given up, inside one line. */
static HW_NOINLINE bool lean_given_up(struct memsys *m, struct memsys_state *st,
                                      uint64_t va, enum access_kind access)
{
    if (m->walker.unmended) {
        m->walker.unmended = false;
        count_unmended(m, access);
        return false;
    }
    lean_note_kinds(m, &st->n);
    const bool done = lean_now(m) ? reference_lean(m, va, access)
                                  : reference_counting(m, va, 1, access);
    lean_walker_doubt(m);
    lean_refresh(m, st);
    return done;
}

/* One access inside one line, for what is rare: part of a longer one. */
HW_INLINE bool lean_piece(struct memsys *m, struct memsys_state *st, uint64_t va,
                          enum access_kind access, const struct lean_kind kind)
{
    return (access == ACCESS_READ ? lean_access(m, st, &va, ACCESS_READ, kind)
            : access == ACCESS_WRITE
                ? lean_access(m, st, &va, ACCESS_WRITE, kind)
                : lean_access(m, st, &va, ACCESS_FETCH, kind)) != NULL;
}

/* An access of several lines. */
HW_INLINE bool lean_lines(struct memsys *m, struct memsys_state *st, uint64_t va,
                          uint64_t last, enum access_kind access,
                          const struct lean_kind kind)
{
    st->n.l1_straddle[access != ACCESS_FETCH]++;
    for (uint64_t end = va | (LEAN_LINE - 1);; va = end + 1, end += LEAN_LINE) {
        if (!HW_LIKELY(lean_now(m) && lean_piece(m, st, va, access, kind)) &&
            !lean_given_up(m, st, va, access)) {
            return false;
        }
        if (end >= last) {
            return true;
        }
    }
}
static HW_NOINLINE bool lean_lines_eight(struct memsys *m, struct memsys_state *st,
                                         uint64_t va, uint64_t last,
                                         enum access_kind access)
{
    return lean_lines(m, st, va, last, access, (struct lean_kind){.eight = true});
}
static HW_NOINLINE bool lean_lines_other(struct memsys *m, struct memsys_state *st,
                                         uint64_t va, uint64_t last,
                                         enum access_kind access)
{
    return lean_lines(m, st, va, last, access, (struct lean_kind){.eight = false});
}

/* A whole reference, of several lines or given up by the lean way; access: which of a
 * modify's two it is at. False: a fault that nobody mended. */
static HW_NOINLINE bool lean_rest(struct memsys *m, struct memsys_state *st,
                                  const struct ref *r, enum access_kind access,
                                  const bool as_reads)
{
    const uint64_t last = r->va + r->size - 1;
    for (;; access = ACCESS_WRITE) {
        if (!((r->va ^ last) < LEAN_LINE ? lean_given_up(m, st, r->va, access)
              : m->lean_eight            ? lean_lines_eight(m, st, r->va, last, access)
                              : lean_lines_other(m, st, r->va, last, access))) {
            return false;
        }
        if (r->kind != REF_MODIFY || as_reads || access == ACCESS_WRITE) {
            return true;
        }
    }
}

/* Answers how many were done; fewer than nr: a fault that nobody mended (*faulted), or
 * the machine is no longer the usual one. */
HW_INLINE size_t run_lean(struct memsys *m, struct memsys_state *st,
                          const struct ref *refs, size_t nr, const bool as_reads,
                          bool *faulted, const struct lean_kind kind)
{
    uint64_t fetched = 1, fetched_last = 0; /* the line of L1I used last: the youngest */
    for (const struct ref *r = refs, *end = refs + nr; r < end; r++) {
        const uint64_t va = r->va, last = va + r->size - 1;
        enum access_kind access = ACCESS_READ;
        switch (r->kind) {
        case REF_FETCH:
            if (HW_LIKELY(va >= fetched && last <= fetched_last)) {
                st->n.l1_access[ACCESS_FETCH]++;
                continue;
            }
            if (HW_LIKELY((va ^ last) < LEAN_LINE) &&
                HW_LIKELY(lean_access(m, st, &r->va, ACCESS_FETCH, kind) != NULL)) {
                fetched = va & ~(uint64_t)(LEAN_LINE - 1);
                fetched_last = fetched + LEAN_LINE - 1;
                continue;
            }
            access = ACCESS_FETCH;
            break;
        case REF_STORE:
            if (!as_reads) {
                if (HW_LIKELY((va ^ last) < LEAN_LINE) &&
                    HW_LIKELY(lean_access(m, st, &r->va, ACCESS_WRITE, kind) != NULL)) {
                    continue;
                }
                access = ACCESS_WRITE;
                break;
            }
            /* fall through */
        default:
            if (HW_LIKELY((va ^ last) < LEAN_LINE)) {
                uint8_t *attr = lean_access(m, st, &r->va, ACCESS_READ, kind);
                if (HW_LIKELY(attr != NULL)) {
                    if (r->kind != REF_MODIFY || as_reads) {
                        continue;
                    }
                    access = ACCESS_WRITE; /* what was just read */
                    const uint32_t may = st->line_may[ACCESS_WRITE];
                    if (HW_LIKELY(may >> (*attr & CACHE_NEEDS) & 1)) {
                        st->n.l1_access[ACCESS_WRITE]++;
                        *attr |= CACHE_DIRTY;
                        continue;
                    }
                }
            }
            break;
        }
        fetched = 1, fetched_last = 0;
        if (!lean_rest(m, st, r, access, as_reads)) {
            *faulted = true;
            return (size_t)(r - refs);
        }
        if (!lean_now(m)) {
            return (size_t)(r - refs) + 1;
        }
    }
    return nr;
}

#define RUN_LEAN(name, reads, ...)                                                       \
    static HW_NOINLINE size_t name(struct memsys *m, struct memsys_state *st,            \
                                   const struct ref *refs, size_t nr, bool *faulted)     \
    {                                                                                    \
        return run_lean(m, st, refs, nr, reads, faulted,                                 \
                        (struct lean_kind){__VA_ARGS__});                                \
    }
RUN_LEAN(run_lean_eight, false, .eight = true)
RUN_LEAN(run_lean_other, false, .eight = false)
RUN_LEAN(run_lean_reads_eight, true, .eight = true)
RUN_LEAN(run_lean_reads_other, true, .eight = false)

static void add_lean(struct memsys_tally *to, struct memsys_tally *n)
{
    lean_settle(n);
    for (int i = 0; i < NR_ACCESS_KINDS; i++) {
        to->l1_access[i] += n->l1_access[i];
        to->l1_miss[i] += n->l1_miss[i];
    }
    for (int side = 0; side < NR_SIDES; side++) {
        to->l1_straddle[side] += n->l1_straddle[side];
        to->l1_writeback[side] += n->l1_writeback[side];
        to->tlb_access[side] += n->tlb_access[side];
        to->tlb_miss[side] += n->tlb_miss[side];
    }
    for (int use = 0; use < NR_L2_USES; use++) {
        to->l2_access[use] += n->l2_access[use];
        to->l2_miss[use] += n->l2_miss[use];
    }
    to->l2_writeback += n->l2_writeback;
    to->stlb_access += n->stlb_access;
    to->stlb_miss += n->stlb_miss;
    to->walks += n->walks;
}

/* As far as the lean way goes. It counts in a copy of the state, beside what it asks
 * the state for. */
static size_t run_usual(struct memsys *m, const struct ref *refs, size_t nr,
                        const struct ref_plan *plan, bool *faulted)
{
    struct memsys_state st = *m->s;
    memset(&st.n, 0, sizeof st.n);
    lean_walker_doubt(m);
    size_t done = 0;
    if (is_plan(plan, false)) {
        done = m->lean_eight ? run_lean_eight(m, &st, refs, nr, faulted)
                             : run_lean_other(m, &st, refs, nr, faulted);
    } else if (is_plan(plan, true)) {
        done = m->lean_eight ? run_lean_reads_eight(m, &st, refs, nr, faulted)
                             : run_lean_reads_other(m, &st, refs, nr, faulted);
    }
    lean_note_kinds(m, &st.n);
    add_lean(&m->s->n, &st.n);
    return done;
}

/* What only memsys_access has: one by one. */
static size_t run_full(struct memsys *m, const struct ref *refs, size_t n,
                       const struct ref_plan *plan, bool *faulted)
{
    *faulted = false;
    for (size_t i = 0; i < n; i++) {
        const struct ref *r = &refs[i];
        const uint8_t access[] = {plan->first[r->kind], plan->second[r->kind]};
        for (int k = 0; k < 2 && access[k] != NR_ACCESS_KINDS; k++) {
            if (!memsys_access(m, r->va, r->size, (enum access_kind)access[k], NULL) ||
                m->out_of_memory) {
                *faulted = true;
                return i;
            }
        }
    }
    return n;
}

/* ---- through an index of lines ---- */

/* The rest of a reference that the index has given up. False: a fault that nobody
 * mends. */
static bool finish(struct memsys *m, const struct ref *r, const struct ref_plan *plan,
                   const struct ix_stop *at, bool live)
{
    const uint64_t last = r->va + r->size - 1;
    uint64_t va = at->va;
    bool good = true;
    for (uint64_t end; good && at->straddles; va = end + 1) { /* counted as such */
        end = va | (LEAN_LINE - 1);
        end = end < last ? end : last;
        good =
            live ? memsys_access_whole(m, va, (uint32_t)(end - va + 1), at->access, NULL)
                 : reference_counting(m, va, (uint32_t)(end - va + 1), at->access);
        if (end == last) {
            break;
        }
    }
    if (!at->straddles) {
        good = live ? memsys_access_whole(m, va, r->size, at->access, NULL)
                    : reference_counting(m, va, r->size, at->access);
    }
    const unsigned second = plan->second[r->kind];
    if (!good || second == NR_ACCESS_KINDS || at->access == second) {
        return good;
    }
    return live ? memsys_access_whole(m, r->va, r->size, (enum access_kind)second, NULL)
                : reference_counting(m, r->va, r->size, (enum access_kind)second);
}

/* As far as the index of lines goes. */
static size_t run_indexed(struct memsys *m, const struct ref *refs, size_t nr,
                          const struct ref_plan *plan, bool live, bool *faulted)
{
    const bool as_reads = is_plan(plan, true);
    if (!as_reads && !is_plan(plan, false)) {
        return 0;
    }
    struct line_index *x = m->index ? m->index : line_index_take(m, live);
    if (!x) {
        return 0;
    }
    struct ix_stop stop;
    x->generation++; /* tables may have been changed since it was used last */
    x->running = true;
    line_index_run(x, refs, nr, as_reads, &stop);
    x->running = false;
    const bool unmended = x->unmended;
    if (!m->index_kept || live || stop.stopped) {
        line_index_home(x);
    }
    line_index_settle(x);
    if (x->lost) {
        line_index_free(x);
    }
    m->indexed += stop.done;
    lean_walker_doubt(m);
    if (!stop.stopped) {
        return stop.done;
    }
    memsys_home(m); /* a fault's handler may have run references, too */
    if (unmended) {
        count_unmended(m, stop.access);
        m->probe->n += live ? 3 : 0; /* L1 and both TLBs were asked */
    }
    *faulted = unmended || !finish(m, &refs[stop.done], plan, &stop, live);
    return stop.done + !*faulted;
}

/* ---- all of them ---- */

/* What does a stretch of references where the index does not. */
typedef size_t run_fn(struct memsys *m, const struct ref *refs, size_t nr,
                      const struct ref_plan *plan, bool *faulted);

static uint64_t misses(const struct memsys *m)
{
    return tally_l1_misses(&m->s->n, SIDE_I) + tally_l1_misses(&m->s->n, SIDE_D);
}

/* Hits take few instructions in either way, so a counting run takes the index where many
 * references miss; a live one always. */
static size_t run_stretches(struct memsys *m, const struct ref *refs, size_t n,
                            const struct ref_plan *plan, bool live, run_fn *otherwise,
                            bool *faulted)
{
    enum { MANY = 12 }; /* one in so many misses L1 */
    const bool always = live || m->index_worth <= 1;
    bool wanted = always || m->index_wanted;
    size_t done = 0;
    while (done < n && !*faulted) {
        const size_t left = n - done;
        if (wanted && (m->index_kept || left >= m->index_worth)) {
            const size_t indexed = run_indexed(m, refs + done, left, plan, live, faulted);
            done += indexed;
            if (indexed == left || indexed >= m->index_worth) {
                continue;
            }
        }
        memsys_home(m);
        const size_t stretch = m->index_worth / 4 + 1;
        const size_t nr = n - done < stretch ? n - done : stretch;
        const uint64_t missed = misses(m);
        if (*faulted || !nr) {
            break;
        }
        const size_t did = otherwise(m, refs + done, nr, plan, faulted);
        done += did;
        if (did < nr) {
            break;
        }
        m->index_seen += did;
        wanted = always || (misses(m) - missed) * MANY > nr;
        m->index_wanted =
            wanted && !live && m->index_kept && m->index_seen >= m->index_worth;
        wanted = m->index_kept ? m->index_wanted || always : wanted;
    }
    return done;
}

size_t memsys_run(struct memsys *m, const struct ref *refs, size_t n,
                  const struct ref_plan *plan)
{
    size_t done = 0;
    bool faulted = false;
    if (m->index && (m->index->running || !m->index_kept)) {
        memsys_home(m);
    }
    if (m->full) {
        return run_full(m, refs, n, plan, &faulted);
    }
    memsys_mark_all(m);
    if (lean_now(m)) {
        done = run_stretches(m, refs, n, plan, false, run_usual, &faulted);
    }
    if (faulted || done == n) {
        return done;
    }
    memsys_home(m);
    return done + memsys_run_counting(m, refs + done, n - done, plan);
}

size_t memsys_run_live(struct memsys *m, const struct ref *refs, size_t n,
                       const struct ref_plan *plan)
{
    memsys_home(m);
    bool faulted = false;
    return run_stretches(m, refs, n, plan, true, run_full, &faulted);
}
