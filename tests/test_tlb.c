/* hw/tlb.c: entries of every size, address spaces, global ones and flushes, against a
 * plain list.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "prng.h"
#include "tap.h"
#include "tlb.h"

enum { LIST = 4096 };

/* What has been entered and not thrown out by a flush: entries may have been replaced,
 * but what is found must be the last one entered for it. */
struct entered {
    bool valid, global;
    uint64_t page, entry;
    uint32_t size, asid;
};

struct model {
    struct entered list[LIST];
    size_t n;
};

static bool covers(const struct entered *e, uint64_t va, uint32_t asid)
{
    return e->valid && va >> page_shift(e->size) == e->page &&
           (e->global || e->asid == asid);
}

static uint64_t random_va(struct prng *r)
{
    uint64_t va =
        prng_below(r, 64) << 12 | prng_below(r, 6) << 21 | prng_below(r, 3) << 30;
    return prng_one_in(r, 2) ? va : va | 0xffff800000000000u;
}

static size_t forget(struct model *m, uint64_t va, uint32_t asid, bool all,
                     bool keep_global, bool one_page)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        struct entered *e = &m->list[i];
        bool gone = one_page ? covers(e, va, asid)
                    : all    ? !(keep_global && e->global)
                             : !e->global && e->asid == asid;
        n += e->valid && gone;
        e->valid = e->valid && !gone;
    }
    return n;
}

/* One random step. Answers whether the TLB may be as it is. */
static bool step(struct prng *r, struct tlb *t, struct model *m)
{
    uint32_t asid = (uint32_t)prng_below(r, 3) * 2047 + (prng_one_in(r, 5) ? 1 : 0);
    uint64_t va = random_va(r), space = tlb_space(asid);
    struct tlb_place p = tlb_find(t, va, space, CACHE_MARK);
    switch (prng_below(r, 40)) {
    case 0:
        forget(m, 0, 0, true, false, false);
        tlb_flush(t);
        return tlb_find(t, va, space, CACHE_MARK).way == CACHE_NO_WAY;
    case 1:
        forget(m, 0, 0, true, true, false);
        tlb_flush_not_global(t);
        return true;
    case 2:
        forget(m, 0, asid, false, false, false);
        tlb_flush_asid(t, asid);
        return true;
    case 3:
    case 4:
        forget(m, va, asid, false, false, true);
        tlb_flush_page(t, va, space);
        return tlb_find(t, va, space, CACHE_MARK).way == CACHE_NO_WAY;
    default:
        break;
    }
    if (p.way != CACHE_NO_WAY) {
        uint64_t entry = *cache_home(&t->c, p.set, p.way);
        cache_touch(&t->c, p.set, p.way, CACHE_MARK);
        for (size_t i = 0; i < m->n; i++) {
            if (covers(&m->list[i], va, asid) && m->list[i].entry == entry) {
                uint64_t offset = ((uint64_t)1 << page_shift(m->list[i].size)) - 1;
                return tlb_entry_translate(entry, va).v ==
                       ((entry & TLB_FRAME & ~offset) | (va & offset));
            }
        }
        return false;
    }
    if (m->n == LIST) {
        return true;
    }
    uint32_t size = prng_one_in(r, 3) ? (uint32_t)prng_below(r, NR_PAGE_SIZES) : PAGE_4K;
    bool global = prng_one_in(r, 6);
    uint64_t frame = (prng_next(r) & TLB_FRAME) >> page_shift(size) << page_shift(size);
    uint64_t entry =
        tlb_entry(frame, CACHE_PERMS, size, global, (uint32_t)prng_below(r, 8));
    tlb_put(t, va, space, entry, CACHE_MARK);
    m->list[m->n++] = (struct entered){.valid = true,
                                       .global = global,
                                       .page = va >> page_shift(size),
                                       .entry = entry,
                                       .size = size,
                                       .asid = asid};
    p = tlb_find(t, va, space, CACHE_MARK);
    return p.way != CACHE_NO_WAY && *cache_home(&t->c, p.set, p.way) == entry;
}

static void test_random(struct prng *r, const struct tlb_config *c)
{
    static struct model m;
    struct arena a;
    struct tlb t;
    memset(&m, 0, sizeof m);
    if (!arena_create(&a, tlb_size_bytes(c) + 65536, NULL) || !tlb_create(&t, &a, c)) {
        bail_out("no arena");
    }
    struct snapshot *s = arena_snapshot(&a);
    int wrong = 0;
    const char *broken = NULL;
    for (int i = 0; i < 20000; i++) {
        wrong += !step(r, &t, &m);
        if (i % 100 == 0 && !broken) {
            broken = tlb_check(&t);
        }
    }
    if (!ok(!wrong && !broken,
            "%u entries, %u ways: what is found was entered and not flushed", c->entries,
            c->ways)) {
        diag("%d wrong; %s", wrong, broken ? broken : "invariants hold");
    }
    ok(!arena_check(&a), "every change was marked");
    snapshot_unref(&a, s);
    arena_destroy(&a);
}

static void test_story(void)
{
    struct tlb_config c = {.entries = 16, .ways = 4};
    struct arena a;
    struct tlb t;
    if (!arena_create(&a, 65536, NULL) || !tlb_create(&t, &a, &c)) {
        bail_out("no arena");
    }
    tlb_put(&t, 0x1000, tlb_space(1), tlb_entry(0xa000, CACHE_PERMS, PAGE_4K, false, 0),
            CACHE_MARK);
    ok(tlb_find(&t, 0x1fff, tlb_space(1), CACHE_MARK).way != CACHE_NO_WAY,
       "found in its space");
    ok(tlb_find(&t, 0x1fff, tlb_space(2), CACHE_MARK).way == CACHE_NO_WAY,
       "not in another");
    ok(tlb_find(&t, 0x1fff, tlb_space(0), CACHE_MARK).way == CACHE_NO_WAY,
       "nor in space 0");
    tlb_put(&t, 0xffff800000000000, tlb_space(1),
            tlb_entry(0x200000, CACHE_PERMS, PAGE_2M, true, 0), CACHE_MARK);
    struct tlb_place p = tlb_find(&t, 0xffff8000001fffff, tlb_space(2), CACHE_MARK);
    ok(p.way != CACHE_NO_WAY, "a global large page is found in every space");
    is_hex(tlb_entry_translate(*cache_home(&t.c, p.set, p.way), 0xffff8000001fffff).v,
           0x3fffff, "and translates by its own size");
    is_u64(tlb_flush_asid(&t, 1), 1, "flushing space 1 throws out one entry");
    ok(tlb_find(&t, 0xffff800000000000, tlb_space(1), CACHE_MARK).way != CACHE_NO_WAY,
       "the global one stays");
    is_u64(tlb_flush_page(&t, 0xffff800000012345, tlb_space(7)), 1,
           "invlpg takes a global one too");
    tlb_put(&t, 0xfffffffffffff000, tlb_space(4095),
            tlb_entry(0xb000, CACHE_PERMS, PAGE_4K, false, 0), CACHE_MARK);
    ok(tlb_find(&t, 0xfffffffffffff000, tlb_space(4095), CACHE_MARK).way !=
               CACHE_NO_WAY &&
           tlb_find(&t, 0xffffffffffffe000, tlb_space(4095), CACHE_MARK).way ==
               CACHE_NO_WAY,
       "the last page of the last space is not taken for an empty way");
    is_u64(tlb_flush(&t), 1, "a full flush throws out the rest");
    arena_destroy(&a);
}

int main(void)
{
    static const struct tlb_config configs[] = {
        {.entries = 1, .ways = 1},
        {.entries = 2, .ways = 2, .policy = POLICY_FIFO},
        {.entries = 16, .ways = 4},
        {.entries = 64, .ways = 64},
        {.entries = 36, .ways = 4, .policy = POLICY_RANDOM, .seed = 3},
        {.entries = 128, .ways = 8, .policy = POLICY_PLRU},
        {.entries = 1536, .ways = 12},
    };
    struct prng r = {77};
    test_story();
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        test_random(&r, &configs[i]);
    }
    return done_testing();
}
