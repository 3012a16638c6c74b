/* Many references through an index of lines: see hw/line_index.h, which has the picture,
 * and hw/memsys.h for what an access does. Compiled twice, the second time for a
 * processor with SSE 4.1 (hw/meson.build).
 *
 * What is done at nearly each reference stands inline in the loop, with the clock in a
 * register; what is rarer is a function of its own, which finds the clock in the index.
 *
 * An access that cannot be done here is given up before it has changed anything but the
 * order of lines and entries that it would have used first anyway.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "line_index_walk.h"

#if defined HW_SSE41
#define NAME(plain) plain##_sse41
#else
#define NAME(plain) plain##_plain
#endif

/* ---- TLBs ---- */

HW_INLINE void stlb_enter(struct line_index *x, uint32_t clock, struct ix_page *p,
                          unsigned attr)
{
    const uint64_t set = p->number * IX_STLB_LANES & x->stlb.slot_mask;
    const uint64_t slot =
        set + oldest(&x->stlb.stamp[set + IX_STLB_LANES], IX_STLB_LANES) + IX_STLB_LANES;
    x->stlb.page[slot]->tlb[IX_STLB] = 0;
    x->stlb.page[slot] = p;
    p->tlb[IX_STLB] = (uint16_t)slot;
    p->attr[IX_STLB] = (uint8_t)attr;
    x->stlb.stamp[slot] = (uint16_t)clock;
}
HW_INLINE void tlb_enter(struct line_index *x, uint32_t clock, struct ix_page *p,
                         const enum side side)
{
    struct ix_tlb *t = &x->tlb[side];
    const uint64_t set =
        side == SIDE_D ? p->dtlb_set : p->number * IX_LANES & t->slot_mask;
    const uint64_t slot = set + oldest(&t->stamp[set + IX_LANES], IX_LANES) + IX_LANES;
    t->page[slot]->tlb[side] = 0;
    t->page[slot] = p;
    p->tlb[side] = (uint16_t)slot;
    p->attr[side] = p->attr[IX_STLB];
    t->stamp[slot] = (uint16_t)clock;
}

/* Not in the second TLB. What the first one gets is what the second one has. */
HW_INLINE bool stlb_miss(struct line_index *x, uint32_t *clock, struct ix_page *p,
                         uint64_t va, const enum access_kind access)
{
    const unsigned attr = walk(x, clock, p, va, access);
    if (!HW_LIKELY(attr != NO_WALK)) {
        return false;
    }
    x->n.stlb_miss++;
    stlb_enter(x, *clock, p, attr);
    return true;
}
/* For what is rarer. */
static HW_NOINLINE bool stlb_miss_write(struct line_index *x, struct ix_page *p,
                                        uint64_t va)
{
    return stlb_miss(x, &x->clock, p, va, ACCESS_WRITE);
}
static HW_NOINLINE bool stlb_miss_fetch(struct line_index *x, struct ix_page *p,
                                        uint64_t va)
{
    return stlb_miss(x, &x->clock, p, va, ACCESS_FETCH);
}

/* A write where the TLBs' entries, or a line of L1, do not say that the page is already
 * dirty: as the whole path's retranslate(). The D side has an entry that allows it then.
 */
static HW_NOINLINE bool write_first(struct line_index *x, struct ix_page *p, uint64_t va)
{
    uint64_t entry;
    if (x->no_memory || peek(x, va, ACCESS_WRITE, &entry) != FAULT_NONE ||
        !is_usual(entry) || entry >> PAGE_SHIFT != line_index_rest(p)->frame) {
        return false;
    }
    x->clock++; /* the TLBs go by it, and no line may be used */
    if (p->tlb[SIDE_D]) {
        x->tlb[SIDE_D].stamp[p->tlb[SIDE_D]] = (uint16_t)x->clock;
    } else {
        if (p->tlb[IX_STLB]) {
            x->stlb.stamp[p->tlb[IX_STLB]] = (uint16_t)x->clock;
        } else {
            stlb_miss_write(x, p, va);
        }
        x->n.tlb_miss[SIDE_D]++;
        tlb_enter(x, x->clock, p, SIDE_D);
    }
    x->clock++;
    if (p->attr[SIDE_D] & IX_MAY_WRITE) {
        return true;
    }
    x->n.again++;
    x->n.walks++;
    const unsigned attr = walk(x, &x->clock, p, va, ACCESS_WRITE);
    if (p->tlb[IX_STLB]) { /* it was thrown out, and takes the same way again */
        p->attr[IX_STLB] = (uint8_t)attr;
        x->stlb.stamp[p->tlb[IX_STLB]] = (uint16_t)x->clock;
    } else {
        stlb_enter(x, x->clock, p, attr);
    }
    p->attr[SIDE_D] = (uint8_t)attr;
    x->clock++;
    return true;
}

/* ---- L1 ---- */

/* The page gets an entry in the first TLB that allows the access. */
HW_INLINE bool translate(struct line_index *x, uint32_t *clock, struct ix_page *p,
                         uint64_t va, const enum access_kind access)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const uint32_t slot = p->tlb[side];
    bool good = true;
    if (HW_LIKELY(slot)) {
        x->tlb[side].stamp[slot] = (uint16_t)*clock;
        if (access == ACCESS_WRITE && !HW_LIKELY(p->attr[SIDE_D] & IX_MAY_WRITE)) {
            x->clock = *clock;
            good = write_first(x, p, va);
            *clock = x->clock;
        }
        return good;
    }
    const uint32_t second = p->tlb[IX_STLB];
    if (HW_LIKELY(second)) {
        if (access == ACCESS_WRITE && !HW_LIKELY(p->attr[IX_STLB] & IX_MAY_WRITE)) {
            x->clock = *clock;
            good = write_first(x, p, va);
            *clock = x->clock;
            return good;
        }
        if (access == ACCESS_FETCH && !allows(x, p->attr[IX_STLB], ACCESS_FETCH)) {
            return false;
        }
        x->stlb.stamp[second] = (uint16_t)*clock;
    } else if (access == ACCESS_READ) {
        if (!HW_LIKELY(stlb_miss(x, clock, p, va, ACCESS_READ))) {
            return false;
        }
    } else {
        x->clock = *clock;
        good = access == ACCESS_WRITE ? stlb_miss_write(x, p, va)
                                      : stlb_miss_fetch(x, p, va);
        *clock = x->clock;
        if (!HW_LIKELY(good)) {
            return false;
        }
    }
    x->n.tlb_miss[side]++;
    tlb_enter(x, *clock, p, side);
    return true;
}

/* An L1D line goes that L2 has not, or that was none. */
static HW_NOINLINE void l1_evict(struct line_index *x, ix_cell *home)
{
    if (home == &x->nowhere.l2) {
        x->n.l1_empty++;
        x->n.l1_writeback--;
    } else {
        l2_miss(x, home, L2_VICTIM, true);
    }
}

/* The slot that the line gets; 0: given up. byte: where its cell is on its side. */
HW_INLINE uint64_t miss(struct line_index *x, uint32_t *clock, struct ix_page *p,
                        uint64_t va, uint64_t byte, const enum access_kind access,
                        const uint32_t lanes)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct ix_l1 *l1 = &x->l1[side];
    if (side == SIDE_I && p->fetched == x->nothing &&
        (p == &x->nobody || !line_index_code(x, p))) {
        return 0;
    }
    if (!HW_LIKELY(translate(x, clock, p, va, access))) {
        return 0;
    }
    const uint64_t there = line_at(p, byte)->l2;
    x->n.l1_miss[access]++;
    if (HW_LIKELY(there)) {
        x->l2.stamp[there] = tick(clock);
    } else {
        l2_fill(x, clock, p, byte, L2_FETCH, false, lanes);
    }
    const uint64_t set = va >> (IX_LINE_SHIFT - 3) & l1->slot_mask;
    const uint64_t slot = set + oldest(&l1->stamp[set + IX_LANES], IX_LANES) + IX_LANES;
    ix_cell *old = l1->cell[slot];
    *old = 0;
    if (l1->attr[slot] & IX_UNUSUAL) {
        if (side == SIDE_I) {
            x->n.l1_empty++;
        } else {
            ix_cell *home = old + 1; /* of the same pair */
            const uint64_t to = *home;
            x->n.l1_writeback++;
            if (HW_LIKELY(to)) {
                x->l2.attr[to] = IX_L2_CLEAN | CACHE_DIRTY;
                x->l2.stamp[to] = tick(clock);
            } else {
                x->clock = *clock;
                l1_evict(x, home);
                *clock = x->clock;
            }
        }
    }
    l1->attr[slot] = (uint8_t)(p->attr[side] |
                               (access == ACCESS_WRITE ? CACHE_DIRTY | IX_UNUSUAL : 0));
    if (side == SIDE_I) {
        l1->page[slot] = p;
    }
    l1->cell[slot] = l1_cell(p, byte, side);
    *l1_cell(p, byte, side) = (ix_cell)slot;
    l1->stamp[slot] = tick(clock);
    HW_ASSUME(slot != 0);
    return slot;
}

/* A write to a line that is in this slot, and has just been used. */
HW_INLINE bool write_hit(struct line_index *x, uint32_t *clock, struct ix_page *p,
                         uint64_t va, uint64_t slot)
{
    uint8_t *attr = &x->l1[SIDE_D].attr[slot];
    if (!HW_LIKELY(*attr & IX_MAY_WRITE)) {
        x->clock = *clock;
        const bool good = write_first(x, p, va);
        *clock = x->clock;
        if (!good) {
            return false;
        }
        x->n.asked++;
        *attr = (uint8_t)((*attr & (CACHE_DIRTY | IX_UNUSUAL)) | p->attr[SIDE_D]);
    }
    *attr |= CACHE_DIRTY | IX_UNUSUAL;
    return true;
}

/* The page of va. */
HW_INLINE struct ix_page *page_of(struct line_index *x, uint64_t va)
{
    const uint64_t number = va >> PAGE_SHIFT;
    struct ix_page *p = x->page_head[(uint32_t)number * IX_HASH >> (32 - IX_HEADS_SHIFT)];
    return HW_LIKELY(p->number == number) ? p : line_index_page(x, number);
}

/* One access inside one line: its slot, or 0. Not yet counted. */
HW_INLINE uint64_t use(struct line_index *x, uint32_t *clock, struct ix_page *p,
                       uint64_t va, const enum access_kind access, const uint32_t lanes)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const uint64_t byte = line_byte(va);
    uint64_t slot = *l1_cell(p, byte, side);
    if (slot) {
        x->l1[side].stamp[slot] = tick(clock);
        if (access == ACCESS_WRITE && !write_hit(x, clock, p, va, slot)) {
            slot = 0;
        }
    } else {
        slot = miss(x, clock, p, va, byte, access, lanes);
    }
    return slot;
}

/* An access of several lines; false: *va is where it stopped. */
HW_INLINE bool use_lines(struct line_index *x, uint64_t *va, uint64_t last,
                         const enum access_kind access, const uint32_t lanes)
{
    uint32_t clock = x->clock;
    bool good = true;
    x->n.straddle[access != ACCESS_FETCH]++;
    for (;;) {
        if (!HW_LIKELY(use(x, &clock, page_of(x, *va), *va, access, lanes))) {
            good = false;
            break;
        }
        x->n.access[access]++;
        if (clock > IX_CLOCK_LIMIT) {
            rank_all(x);
            clock = x->clock;
        }
        if ((*va ^ last) < 1 << IX_LINE_SHIFT) {
            break;
        }
        *va = (*va | ((1 << IX_LINE_SHIFT) - 1)) + 1;
    }
    x->clock = clock;
    return good;
}
#define USE_LINES(name, access)                                                          \
    static HW_NOINLINE bool name(struct line_index *x, uint64_t *va, uint64_t last)      \
    {                                                                                    \
        return x->l2.lanes == 8 ? use_lines(x, va, last, access, 8)                      \
                                : use_lines(x, va, last, access, 16);                    \
    }
USE_LINES(read_lines, ACCESS_READ)
USE_LINES(write_lines, ACCESS_WRITE)
USE_LINES(fetch_lines, ACCESS_FETCH)

/* A whole reference that touches several lines. */
static HW_NOINLINE bool straddle(struct line_index *x, const struct ref *r, bool as_reads,
                                 struct ix_stop *stop)
{
    const uint64_t last = r->va + r->size - 1;
    uint64_t va = r->va;
    enum access_kind access = ACCESS_FETCH;
    bool good;
    if (r->kind == REF_FETCH) {
        good = fetch_lines(x, &va, last);
    } else {
        access = r->kind == REF_STORE && !as_reads ? ACCESS_WRITE : ACCESS_READ;
        good = access == ACCESS_WRITE || read_lines(x, &va, last);
        if (good && (access == ACCESS_WRITE || (r->kind == REF_MODIFY && !as_reads))) {
            access = ACCESS_WRITE;
            va = r->va;
            good = write_lines(x, &va, last);
        }
    }
    if (!good) {
        *stop = (struct ix_stop){
            .stopped = true, .access = access, .va = va, .straddles = true};
    }
    return good;
}

/* ---- the run ---- */

/* Some references, in which the clock does not run out. Answers the first one not done.
 */
HW_INLINE const struct ref *run_block(struct line_index *x, const struct ref *from,
                                      const struct ref *end, struct ix_stop *stop,
                                      const bool as_reads, const uint32_t lanes)
{
    enum { LINE = 1 << IX_LINE_SHIFT };
    uint32_t clock = x->clock, *k = &clock;
    uint64_t fetched = 1, fetched_last = 0; /* the line fetched last */
    /* counted from the end: reaching it needs no comparison */
    int64_t at = (const char *)from - (const char *)end;
    for (; at; at += (int64_t)sizeof *from) {
        HW_KEEP(at);
        const struct ref *r = (const struct ref *)(const void *)((const char *)end + at);
        const uint64_t va = r->va, last = va + r->size - 1;
        const uint32_t kind = r->kind;
        enum access_kind access;
        if (kind == REF_FETCH) {
            if (HW_LIKELY(va >= fetched && last <= fetched_last)) {
                x->n.access[ACCESS_FETCH]++;
                continue;
            }
            access = ACCESS_FETCH;
            if (!HW_LIKELY((va ^ last) < LINE)) {
                goto straddles;
            }
            if (!HW_LIKELY(use(x, k, page_of(x, va), va, ACCESS_FETCH, lanes))) {
                goto stopped;
            }
            x->n.access[ACCESS_FETCH]++;
            fetched = va & ~(uint64_t)(LINE - 1);
            fetched_last = fetched + LINE - 1;
            continue;
        }
        if (!HW_LIKELY((va ^ last) < LINE)) {
            goto straddles;
        }
        struct ix_page *p = page_of(x, va);
        if (kind != REF_STORE || as_reads) {
            access = ACCESS_READ;
            const uint64_t slot = use(x, k, p, va, ACCESS_READ, lanes);
            if (!HW_LIKELY(slot)) {
                goto stopped;
            }
            x->n.access[ACCESS_READ]++;
            if (kind == REF_MODIFY && !as_reads) {
                access = ACCESS_WRITE;
                if (!HW_LIKELY(write_hit(x, k, p, va, slot))) {
                    goto stopped;
                }
                x->n.access[ACCESS_WRITE]++;
            }
            continue;
        }
        access = ACCESS_WRITE;
        if (HW_LIKELY(use(x, k, p, va, ACCESS_WRITE, lanes))) {
            x->n.access[ACCESS_WRITE]++;
            continue;
        }
    stopped:
        *stop = (struct ix_stop){.stopped = true, .access = access, .va = va};
        break;
    straddles:
        x->clock = *k;
        fetched = 1, fetched_last = 0;
        const bool good = straddle(x, r, as_reads, stop);
        *k = x->clock;
        if (!good) {
            break;
        }
    }
    x->clock = *k;
    return (const struct ref *)(const void *)((const char *)end + at);
}

#define RUN_BLOCK(name, as_reads, lanes)                                                 \
    static HW_NOINLINE const struct ref *name(struct line_index *x, const struct ref *r, \
                                              const struct ref *end,                     \
                                              struct ix_stop *stop)                      \
    {                                                                                    \
        return run_block(x, r, end, stop, as_reads, lanes);                              \
    }
RUN_BLOCK(run_eight, false, 8)
RUN_BLOCK(run_sixteen, false, 16)
RUN_BLOCK(run_reads_eight, true, 8)
RUN_BLOCK(run_reads_sixteen, true, 16)

/* Is there room for the events of a block before somebody wants to be stopped at one? */
static bool has_room(struct line_index *x, const struct ref *r, const struct ref *to)
{
    enum { PIECE_EVENTS = 256 }; /* of two accesses to a line, without faults: fewer */
    x->no_stop = x->m->probe->stop == UINT64_MAX;
    if (!x->live || x->no_stop) {
        return true;
    }
    line_index_settle(x);
    x->block_events = 0;
    for (; r < to; r++) {
        x->block_events += ((r->size >> IX_LINE_SHIFT) + 2) * (uint64_t)PIECE_EVENTS;
    }
    return fault_room(x);
}

line_index_run_fn NAME(line_index_run);
void NAME(line_index_run)(struct line_index *x, const struct ref *refs, size_t nr,
                          bool as_reads, struct ix_stop *stop)
{
    const struct ref *r = refs, *end = refs + nr;
    *stop = (struct ix_stop){0};
    while (r < end && !stop->stopped) {
        const struct ref *to = end - r > IX_BLOCK ? r + IX_BLOCK : end;
        if (!has_room(x, r, to)) {
            break;
        }
        if (x->clock > IX_CLOCK_LIMIT) {
            rank_all(x);
        }
        r = x->l2.lanes == 8
                ? (as_reads ? run_reads_eight(x, r, to, stop) : run_eight(x, r, to, stop))
            : as_reads ? run_reads_sixteen(x, r, to, stop)
                       : run_sixteen(x, r, to, stop);
    }
    stop->done = (size_t)(r - refs);
}
