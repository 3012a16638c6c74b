/* Many references in a plain machine, only counted: see hw/memsys_count.h.
 *
 * Each access first looks whether it is to the line that its side used last: then it
 * changes nothing but a dirty bit. Next come the youngest entry of the TLB's set and the
 * youngest line of L1's, then all of their ways, then the levels below; what is rare is
 * kept out of line. Where misses are told by cause, a line that is not the youngest of
 * its set is not its shadow's youngest either (hw/missclass.h). Shadows take chunks of
 * the arena as they grow, so they are asked in the order in which the whole path asks
 * them: otherwise the counts would be the same, but not the bytes.
 *
 * Instructions a reference (tests/bench_trace.c), misses told by cause: 69 on traces of
 * real programs, 77 with page tables; 362 and 475 on syn2m, where a reference has 2.5
 * uses of shadows, which take a third of that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_count.h"
#include "memsys_path.h"

/* What accesses of a kind need to know, side by side. */
struct lane {
    uint64_t last; /* the line used last, if one more access changes only a dirty bit */
    uint64_t not_other;      /* all ones: no access of `other` may follow so quickly */
    uint64_t nr, translated; /* accesses; those that the TLB's youngest entry served */
    uint64_t set_mask, tlb_mask;
    unsigned char *sets, *tlb_sets;
    uint64_t line_space, page_space;
    uint32_t shift, stride, may;
    uint32_t tlb_stride, tlb_home_at, page_may;
    uint32_t fresh; /* attributes of a new line, but for its page's permissions */
    enum access_kind access;
    enum side side;
    struct memsys *m;
    struct front *front;
    struct memsys_tally *n;
    struct miss_causes *l1_causes, *tlb_causes; /* in *n */
    struct plain *run;
    struct lane *other; /* of the same side */
};
#define NO_LINE UINT64_MAX

struct plain {
    struct lane lane[NR_ACCESS_KINDS];
    uint64_t entry; /* what translate_slow() found, unless ... */
    bool faulted;   /* ... it faulted and nobody mended it */
    /* a page that is not of 4 KiB, or is global, has come: the machine is plain no
       longer */
    bool other_pages;
    bool other; /* that, or there are no TLBs */
    bool stop;  /* faulted or other_pages */
};

/* What is known at compile time; each combination is a loop of its own. */
struct plain_kind {
    bool first;    /* physical tags and TLBs: translation comes first */
    bool identity; /* ..., and changes nothing */
    bool causes;   /* tell misses by cause */
};

/* ---- the second level ---- */

/* dirty: 0 or CACHE_DIRTY. */
static HW_NOINLINE void l2_plain(struct memsys *m, uint64_t line, enum l2_use use,
                                 uint32_t dirty)
{
    struct cache *c = &m->l2;
    struct cache_set *s = cache_set_masked(c, line);
    struct memsys_tally *n = &m->s->n;
    uint32_t way = (uint32_t)s->order & 15;
    n->l2_access[use]++;
    if (s->key[way] != line) {
        way = cache_find_how(c, s, line, CACHE_LEAN);
        if (way == CACHE_NO_WAY) {
            n->l2_miss[use]++;
            way = cache_take_victim(c, s, CACHE_LEAN);
            n->l2_writeback += (s->attr[way] & CACHE_DIRTY) / CACHE_DIRTY;
            cache_put_how(c, s, way, line, CACHE_VALID | CACHE_OWNED | dirty, CACHE_LEAN);
            if (m->config.causes) {
                missclass_miss_marked(&m->l2_causes, line, &n->l2_causes);
            }
            return;
        }
        cache_touch(c, s, way, CACHE_LEAN);
    }
    s->attr[way] |= (uint8_t)dirty;
    if (m->config.causes) {
        missclass_hit_marked(&m->l2_causes, line);
    }
}

/* ---- translation ---- */

HW_INLINE uint64_t table_entry(struct memsys *m, uint64_t at, uint32_t size_bytes)
{
    l2_plain(m, at >> m->l2.line_shift, L2_WALK, 0);
    return ram_word(m->ram, at, size_bytes);
}

#define WALK_BUS struct memsys *
#define WALK_STEP(m, w, level, at, value) ((void)(level))
#define WALK_NAME walk_plain
#define WALK_BODY walk_plain_body
#define WALK_READ(m, at, bytes) table_entry(m, at, bytes)
#define WALK_WRITE(m, at, value, bytes) entry_write_counting(m, at, value, bytes)
#include "mmu_walk.h"

/* Something has happened after which nothing is known. */
static HW_COLD void forget_lines(struct plain *r)
{
    for (int i = 0; i < NR_ACCESS_KINDS; i++) {
        r->lane[i].last = NO_LINE;
    }
}

static void note_kind(struct plain *r)
{
    if (tlb_entry_kind(r->entry)) {
        r->other_pages = r->other = r->stop = true;
    }
}

/* What the tables (or their stand-in) say, into run->entry. */
static HW_NOINLINE void walk_slow(struct lane *lane, uint64_t va)
{
    struct memsys *m = lane->m;
    struct plain *r = lane->run;
    if (m->config.translation != TRANSLATE_TABLES) {
        r->faulted = r->stop = !walk(m, va, lane->access, COUNT, &r->entry);
        return;
    }
    struct walk w;
    for (;;) {
        m->s->n.walks++;
        walk_plain(&m->s->mmu, va, lane->access, m, &w);
        if (HW_LIKELY(w.fault.kind == FAULT_NONE)) {
            r->entry = w.entry;
            note_kind(r);
            return;
        }
        r->faulted = walk_faulted(m, &w.fault, false);
        forget_lines(r); /* who mends may do anything */
        if (r->faulted) {
            r->stop = true;
            return;
        }
    }
}

/* A TLB's entry does not allow the access. */
static HW_NOINLINE void translate_again(struct lane *lane, uint64_t va)
{
    struct plain *r = lane->run;
    r->faulted = !retranslate(lane->m, lane->front, va, lane->access, false, &r->entry);
    r->stop |= r->faulted;
    note_kind(r);
    forget_lines(r);
}

/* The second TLB has missed, too. */
static HW_NOINLINE void translate_walk(struct lane *lane, uint64_t va)
{
    struct memsys *m = lane->m;
    struct plain *r = lane->run;
    lane->n->stlb_miss++;
    if (m->config.translation == TRANSLATE_IDENTITY) {
        lane->n->walks++;
        r->entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
    } else {
        walk_slow(lane, va);
        if (r->faulted) {
            return;
        }
    }
    const uint64_t entry = r->entry, space = lane->page_space;
    tlb_put(&m->stlb, va, space, entry, CACHE_LEAN);
    tlb_put(&lane->front->tlb, va, space, entry, CACHE_LEAN);
    if (m->config.causes) {
        const uint64_t key = tlb_key(va, tlb_entry_kind(entry), space);
        missclass_miss_marked(&m->stlb_causes, key, &lane->n->stlb_causes);
        missclass_miss_marked(&lane->front->tlb_causes, key, lane->tlb_causes);
    }
}

/* The way of a TLB that has a page of the usual kind. */
HW_INLINE struct tlb_place entry_of(const struct tlb *t, uint64_t page, uint64_t key)
{
    struct cache_set *s = cache_set_masked(&t->c, page);
    return (struct tlb_place){s, cache_find_how(&t->c, s, key, CACHE_LEAN)};
}

/* The first TLB has missed. */
static HW_NOINLINE void translate_miss_plain(struct lane *lane, uint64_t va)
{
    struct memsys *m = lane->m;
    struct tlb *t = &lane->front->tlb;
    const uint64_t page = va >> PAGE_SHIFT, key = page ^ lane->page_space;
    lane->n->tlb_miss[lane->side]++;
    lane->n->stlb_access++;
    const struct tlb_place p = entry_of(&m->stlb, page, key);
    if (p.way == CACHE_NO_WAY) {
        translate_walk(lane, va);
        return;
    }
    cache_touch(&m->stlb.c, p.set, p.way, CACHE_LEAN);
    const uint64_t entry = *cache_home(&m->stlb.c, p.set, p.way);
    struct cache_set *s = cache_set_masked(&t->c, page);
    const uint32_t way = cache_take_victim(&t->c, s, CACHE_LEAN);
    cache_put_key(&t->c, s, way, key, CACHE_LEAN);
    *cache_home(&t->c, s, way) = entry;
    lane->run->entry = entry;
    if (m->config.causes) {
        missclass_hit_marked(&m->stlb_causes, key);
        missclass_miss_marked(&lane->front->tlb_causes, key, lane->tlb_causes);
    }
}

/* No TLBs at all, and virtual tags; or the machine is plain no longer. */
static HW_NOINLINE void translate_other(struct lane *lane, uint64_t va)
{
    struct plain *r = lane->run;
    r->entry = CACHE_PERMS;
    if (!lane->m->has_stlb && lane->m->config.translation != TRANSLATE_IDENTITY) {
        walk_slow(lane, va);
    } else if (lane->m->has_stlb) {
        r->faulted = !translate(lane->m, lane->front, va, lane->access, COUNT, &r->entry);
        r->stop |= r->faulted;
        forget_lines(r);
    }
}

/* The youngest entry of the TLB's set is not it: into run->entry. */
static HW_NOINLINE void translate_slow(struct lane *lane, uint64_t va)
{
    struct tlb *t = &lane->front->tlb;
    const uint64_t page = va >> PAGE_SHIFT, key = page ^ lane->page_space;
    if (UNLIKELY(lane->run->other)) {
        translate_other(lane, va);
        return;
    }
    lane->n->tlb_access[lane->side]++;
    const struct tlb_place p = entry_of(t, page, key);
    if (p.way == CACHE_NO_WAY) {
        translate_miss_plain(lane, va);
        return;
    }
    cache_touch(&t->c, p.set, p.way, CACHE_LEAN);
    lane->run->entry = *cache_home(&t->c, p.set, p.way);
    if (lane->m->config.causes) {
        missclass_hit_marked(&lane->front->tlb_causes, key);
    }
}

/* ... and is the access allowed? False: it faulted. */
HW_INLINE bool translate_and_ask(struct lane *lane, uint64_t va)
{
    const struct plain *r = lane->run;
    translate_slow(lane, va);
    const uint32_t has = ((uint32_t)r->entry & TLB_PERMS) | CACHE_OWNED;
    if (!HW_LIKELY(lane->page_may >> has & 1) && !r->faulted) {
        translate_again(lane, va);
    }
    return !r->faulted;
}

/* Does the youngest entry of the set translate va and allow the access? Then *pa is
 * where. */
HW_INLINE bool translates(const struct lane *lane, uint64_t va, uint64_t *pa,
                          const struct plain_kind kind)
{
    const uint64_t page = va >> PAGE_SHIFT;
    const struct cache_set *s =
        (const void *)(lane->tlb_sets + (page & lane->tlb_mask) * lane->tlb_stride);
    const uint32_t way = (uint32_t)s->order & 15;
    /* an entry of another size or a global one has another key, or is no 4 KiB page */
    if (s->key[way] != (page ^ lane->page_space)) {
        return false;
    }
    if (kind.identity) {
        *pa = va;
        return true;
    }
    uint64_t entry;
    memcpy(&entry, (const unsigned char *)s + lane->tlb_home_at + 8 * way, 8);
    *pa = (entry & TLB_FRAME) | (va & (PAGE_SIZE - 1));
    return !tlb_entry_kind(entry) &&
           (lane->page_may >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1);
}

/* Translation first. False: it faulted. */
HW_INLINE bool translate_first(struct lane *lane, uint64_t va, uint64_t *pa,
                               const struct plain_kind kind)
{
    if (!HW_LIKELY(translates(lane, va, pa, kind))) {
        if (kind.identity) { /* everything is allowed */
            translate_slow(lane, va);
            *pa = va;
            return true;
        }
        const bool good = translate_and_ask(lane, va);
        *pa = physical(lane->m, lane->run->entry, va, COUNT);
        return good;
    }
    lane->translated++;
    if (kind.causes) {
        classify_hit(&lane->front->tlb_causes, va >> PAGE_SHIFT ^ lane->page_space,
                     COUNT);
    }
    return true;
}

/* ---- the first level ---- */

/* A line of L1 goes, that of pa comes. */
HW_INLINE void l1_fill(struct lane *lane, struct cache_set *s, uint64_t key, uint64_t pa,
                       uint32_t perms, const bool virtual_tags)
{
    struct memsys *m = lane->m;
    struct cache *c = &lane->front->l1;
    const uint32_t way = cache_take_victim(c, s, CACHE_LEAN), old = s->attr[way];
    const uint64_t home = virtual_tags ? *cache_home(c, s, way) : s->key[way];
    cache_put_how(c, s, way, key, perms | lane->fresh, CACHE_LEAN);
    if (virtual_tags) {
        *cache_home(c, s, way) = pa >> c->line_shift;
    }
    if (!(old & CACHE_DIRTY)) {
        l2_plain(m, pa >> m->l2.line_shift, L2_FETCH, 0);
        return;
    }
    const uint64_t victim = home << lane->shift >> m->l2.line_shift;
    lane->n->l1_writeback[lane->side]++;
    l2_plain(m, pa >> m->l2.line_shift, L2_FETCH, 0);
    l2_plain(m, victim, L2_VICTIM, CACHE_DIRTY);
}

static HW_NOINLINE void l1_miss_physical(struct lane *lane, struct cache_set *s,
                                         uint64_t key, uint64_t pa)
{
    lane->n->l1_miss[lane->access]++;
    if (lane->m->config.causes) {
        missclass_miss_marked(&lane->front->causes, key, lane->l1_causes);
    }
    l1_fill(lane, s, key, pa, CACHE_PERMS, false);
}

static HW_NOINLINE void l1_miss_virtual(struct lane *lane, struct cache_set *s,
                                        uint64_t key, uint64_t va)
{
    const struct plain *r = lane->run;
    lane->n->l1_miss[lane->access]++;
    if (lane->m->config.causes) {
        missclass_miss_marked(&lane->front->causes, key, lane->l1_causes);
    }
    if (translate_and_ask(lane, va)) {
        l1_fill(lane, s, key, physical(lane->m, r->entry, va, COUNT),
                (uint32_t)r->entry & TLB_PERMS, true);
    }
}

/* A hit on a virtually tagged line that does not allow the access. */
static HW_NOINLINE void l1_ask_plain(struct lane *lane, struct cache_set *s, uint32_t way,
                                     uint64_t va)
{
    struct plain *r = lane->run;
    r->faulted = !l1_ask(lane->m, lane->front, s, way, va, lane->access, false);
    r->stop |= r->faulted;
    if (lane->m->has_stlb && *lane->front->tlb.kinds > 1) {
        r->other_pages = r->other = r->stop = true;
    }
}

/* The youngest line of the set is not it, or is not permitted so. at: its address, as the
 * tags have it. */
static HW_NOINLINE void l1_slow(struct lane *lane, struct cache_set *s, uint64_t key,
                                uint64_t at)
{
    struct cache *c = &lane->front->l1;
    const uint32_t way = cache_find_how(c, s, key, CACHE_LEAN);
    if (way == CACHE_NO_WAY) {
        lane->m->virtual_tags ? l1_miss_virtual(lane, s, key, at)
                              : l1_miss_physical(lane, s, key, at);
        return;
    }
    cache_touch(c, s, way, CACHE_LEAN);
    if (!HW_LIKELY(lane->may >> (s->attr[way] & CACHE_NEEDS) & 1)) {
        l1_ask_plain(lane, s, way, at);
    }
    if (lane->access == ACCESS_WRITE && !lane->run->faulted) {
        s->attr[way] |= CACHE_DIRTY;
    }
    if (lane->m->config.causes) {
        missclass_hit_marked(&lane->front->causes, key);
    }
}

HW_INLINE struct cache_set *l1_set(const struct lane *lane, uint64_t line)
{
    return (struct cache_set *)(void *)(lane->sets +
                                        (line & lane->set_mask) * lane->stride);
}

/* at: va as the tags have it. */
HW_INLINE void l1_plain(struct lane *lane, uint64_t va, uint64_t at,
                        const struct plain_kind kind)
{
    const uint64_t key = at >> lane->shift ^ lane->line_space;
    struct cache_set *s = l1_set(lane, va >> lane->shift);
    const uint32_t way = (uint32_t)s->order & 15;
    if (!HW_LIKELY(s->key[way] == key) ||
        !HW_LIKELY(lane->may >> (s->attr[way] & CACHE_NEEDS) & 1)) {
        l1_slow(lane, s, key, at);
        return;
    }
    if (lane->access == ACCESS_WRITE) {
        s->attr[way] |= CACHE_DIRTY;
    }
    if (kind.causes) {
        classify_hit(&lane->front->causes, key, COUNT);
    }
}

/* ---- references ---- */

/* The line that an access has used, for the next one of its side. Who has read a page may
 * not yet write to it. */
HW_INLINE void note_line(struct lane *lane, uint64_t line)
{
    lane->last = line;
    lane->other->last = line | lane->not_other;
}

/* A reference of several lines: its pages first, then its lines. */
HW_INLINE void lines_plain(struct lane *lane, uint64_t va, uint64_t last,
                           const struct plain_kind kind)
{
    struct plain *r = lane->run;
    struct memsys_tally *n = lane->n;
    const bool crosses = (va ^ last) >= PAGE_SIZE;
    const uint64_t second = (va | (PAGE_SIZE - 1)) + 1; /* the second page */
    uint64_t first_pa = va, second_pa = second;
    note_line(lane, NO_LINE);
    if (kind.first) {
        if (!translate_first(lane, va, &first_pa, kind)) {
            return;
        }
        n->tlb_straddle[lane->side] += crosses;
        if (crosses && !translate_first(lane, second, &second_pa, kind)) {
            return;
        }
    }
    n->l1_straddle[lane->side]++;
    for (uint64_t at = va;; at++) {
        lane->nr++;
        l1_plain(lane, at,
                 !crosses || at < second ? first_pa + (at - va)
                                         : second_pa + (at - second),
                 kind);
        at = piece_end(at, last, (uint64_t)1 << lane->shift);
        if (at == last || r->faulted) {
            return;
        }
    }
}

/* An access; of several lines: by `lines`. */
HW_INLINE void access_plain(struct lane *lane, uint64_t va, uint32_t size,
                            void (*const lines)(struct lane *, uint64_t, uint64_t),
                            const struct plain_kind kind)
{
    const uint64_t line = va >> lane->shift, last = va + size - 1;
    uint64_t at = va;
    if (!HW_LIKELY(last >> lane->shift == line)) {
        lines(lane, va, last);
    } else if (line != lane->last) {
        if (kind.first && !translate_first(lane, va, &at, kind)) {
            return;
        }
        lane->nr++;
        note_line(lane, line);
        l1_plain(lane, va, at, kind);
    } else {
        lane->nr++;
        lane->translated += kind.first;
        if (lane->access == ACCESS_WRITE) {
            struct cache_set *s = l1_set(lane, line);
            s->attr[s->order & 15] |= CACHE_DIRTY;
        }
    }
}

/* ---- many ---- */

static struct lane lane_of(struct plain *r, struct memsys *m, enum access_kind access)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct front *f = &m->front[side];
    const struct cache *c = &f->l1, *t = &f->tlb.c;
    const enum access_kind others[] = {[ACCESS_READ] = ACCESS_WRITE,
                                       [ACCESS_WRITE] = ACCESS_READ,
                                       [ACCESS_FETCH] = ACCESS_FETCH};
    const bool tables = m->config.translation == TRANSLATE_TABLES;
    return (struct lane){
        .last = NO_LINE,
        .not_other = access == ACCESS_READ && tables ? NO_LINE : 0,
        .set_mask = c->set_mask,
        .tlb_mask = t->set_mask,
        .sets = c->sets,
        .tlb_sets = t->sets,
        .line_space = m->s->line_space,
        .page_space = m->s->space,
        .shift = c->line_shift,
        .stride = c->stride,
        .may = m->s->line_may[access],
        .tlb_stride = t->stride,
        .tlb_home_at = t->home_at,
        .page_may = m->s->page_may[access],
        .fresh = CACHE_VALID | CACHE_OWNED | (access == ACCESS_WRITE ? CACHE_DIRTY : 0),
        .access = access,
        .side = side,
        .m = m,
        .front = f,
        .n = &m->s->n,
        .l1_causes = &m->s->n.l1_causes[side],
        .tlb_causes = &m->s->n.tlb_causes[side],
        .run = r,
        .other = &r->lane[others[access]],
    };
}

/* Answers how many were done: fewer than nr after a fault that nobody mended, and when
 * the machine is plain no longer. */
HW_INLINE size_t run_all(struct plain *r, const struct ref *refs, size_t nr,
                         const struct ref_plan *plan,
                         void (*const lines)(struct lane *, uint64_t, uint64_t),
                         const struct plain_kind kind)
{
    const struct memsys *m = r->lane[0].m;
    struct lane *of[NR_REF_KINDS][2] = {{NULL}}; /* a reference's two accesses */
    for (int k = 0; k < NR_REF_KINDS; k++) {
        const unsigned second = plan->second[k];
        of[k][0] = &r->lane[plan->first[k]];
        of[k][1] = second == NR_ACCESS_KINDS ? NULL : &r->lane[second];
    }
    for (size_t i = 0; i < nr; i++) {
        const struct ref *ref = &refs[i];
        struct lane *const second = of[ref->kind][1];
        access_plain(of[ref->kind][0], ref->va, ref->size, lines, kind);
        if (second && !r->faulted) {
            access_plain(second, ref->va, ref->size, lines, kind);
        }
        if (UNLIKELY(r->stop) || UNLIKELY(m->out_of_memory)) {
            return r->faulted || m->out_of_memory ? i : i + 1;
        }
    }
    return nr;
}

#define RUN(name, ...)                                                                   \
    static HW_NOINLINE void name##_lines(struct lane *lane, uint64_t va, uint64_t last)  \
    {                                                                                    \
        lines_plain(lane, va, last, (struct plain_kind){__VA_ARGS__});                   \
    }                                                                                    \
    static HW_NOINLINE size_t name(struct plain *r, const struct ref *refs, size_t nr,   \
                                   const struct ref_plan *plan)                          \
    {                                                                                    \
        return run_all(r, refs, nr, plan, name##_lines,                                  \
                       (struct plain_kind){__VA_ARGS__});                                \
    }
RUN(run_l1, .first = false)
RUN(run_l1_causes, .causes = true)
RUN(run_identity, .first = true, .identity = true)
RUN(run_identity_causes, .first = true, .identity = true, .causes = true)
RUN(run_tables, .first = true)
RUN(run_tables_causes, .first = true, .causes = true)

static bool is_plain_cache(const struct cache *c)
{
    return c->packed && !c->modulo && c->config.policy == POLICY_LRU;
}

bool memsys_is_plain(const struct memsys *m)
{
    const struct memsys_config *c = &m->config;
    bool plain = !m->full && (!m->has_stlb || *m->stlb.kinds <= 1) && m->has_l2 &&
                 is_plain_cache(&m->l2) && !c->write_through && !c->no_write_allocate &&
                 (!m->has_stlb || is_plain_cache(&m->stlb.c));
    for (int side = 0; side < NR_SIDES; side++) {
        const struct front *f = &m->front[side];
        plain = plain && f->has_l1 && is_plain_cache(&f->l1) && f->l1.line_shift > 0 &&
                f->has_tlb == m->has_stlb &&
                (!f->has_tlb || (is_plain_cache(&f->tlb.c) && *f->tlb.kinds <= 1));
        /* a virtual address tells the set, and a physical tag is known without asking */
        plain = plain &&
                (m->virtual_tags || c->translation == TRANSLATE_IDENTITY ||
                 (f->has_tlb && (c->tagging == TAG_VIPT ||
                                 f->l1.config.sets << f->l1.line_shift <= PAGE_SIZE)));
    }
    return plain;
}

size_t memsys_run_plain(struct memsys *m, const struct ref *refs, size_t nr,
                        const struct ref_plan *plan, bool *faulted)
{
    struct plain r = {.other = !m->has_stlb};
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        r.lane[access] = lane_of(&r, m, (enum access_kind)access);
    }
    const bool causes = m->config.causes;
    const bool identity = m->config.translation == TRANSLATE_IDENTITY;
    const size_t done =
        m->virtual_tags || !m->has_stlb
            ? (causes ? run_l1_causes : run_l1)(&r, refs, nr, plan)
        : identity ? (causes ? run_identity_causes : run_identity)(&r, refs, nr, plan)
                   : (causes ? run_tables_causes : run_tables)(&r, refs, nr, plan);
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        const struct lane *lane = &r.lane[access];
        m->s->n.l1_access[access] += lane->nr;
        m->s->n.tlb_access[lane->side] += lane->translated;
    }
    *faulted = r.faulted || m->out_of_memory;
    return done;
}
