/* hw/line_index.c: many references through an index leave what they leave without one.
 *
 * On random machines of the usual kind, four of each run the same references: counting
 * without the index, access by access as operations, counting with the index, and with
 * the index as operations; in several calls, so that it is made from warm caches. Counts,
 * the number of events and the bytes of the arena must be the same. Page faults are
 * answered by somebody who now and then flushes, or accesses memory itself; pages share
 * frames; somebody wants to be stopped at an event; a fault is mended by nobody.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_rig.h"
#include "prng.h"

enum { REFS = 5000, MACHINES = 30 };

enum handler {
    ONLY_MAPS,
    FLUSHES_PAGE,
    FLUSHES_TLB,
    FLUSHES_LINES,
    LOADS,
    RUNS,
    NR_HANDLERS
};

struct machine {
    struct rig rig;
    enum handler handler;
    uint64_t stopped_at; /* the event that the hook heard of first */
    uint64_t faults_at;  /* made from the numbers of the faults' events */
};

static bool handle(void *ctx, struct memsys *m, const struct fault *f)
{
    struct machine *t = ctx;
    t->faults_at = t->faults_at * 31 + m->probe->n;
    if (!process_fault(&t->rig.process, m, f)) {
        return false;
    }
    if (t->rig.process.faults % 5 == 0) {
        switch (t->handler) {
        case FLUSHES_PAGE:
            memsys_invlpg(m, f->cr2 & ~(uint64_t)0x3000);
            break;
        case FLUSHES_TLB:
            memsys_flush_tlb(m, true);
            break;
        case FLUSHES_LINES:
            memsys_op_all(m, CACHE_FLUSH, t->rig.process.faults % 2 ? OP_ALL : OP_L1D);
            break;
        case LOADS:
            memsys_access(m, 0x600000 + t->rig.process.faults % 7 * 64, 4, ACCESS_READ,
                          NULL);
            break;
        case RUNS: {
            const struct ref refs[] = {{0x600000, 8, REF_LOAD}, {0x600040, 8, REF_LOAD}};
            const struct ref_plan plan = ref_plan(false);
            memsys_run(m, refs, 2, &plan);
            break;
        }
        case ONLY_MAPS:
        case NR_HANDLERS:
            break;
        }
    }
    return true;
}

/* Hears of one event, and no more. */
static void hear(struct probe *p, const struct event *ev)
{
    struct machine *t = p->slow_ctx;
    t->stopped_at = ev->n;
    p->stop = UINT64_MAX;
}

static struct cache_config some_cache(struct prng *r, uint32_t most_sets, uint32_t ways)
{
    return (struct cache_config){.sets = 1u << prng_below(r, most_sets),
                                 .ways = 1 + (uint32_t)prng_below(r, ways),
                                 .line_bytes = 64};
}
static struct tlb_config some_tlb(struct prng *r, uint32_t most_sets, uint32_t most_ways)
{
    const uint32_t ways = 1 + (uint32_t)prng_below(r, most_ways);
    return (struct tlb_config){.entries = ways << prng_below(r, most_sets), .ways = ways};
}

static struct memsys_config some_config(struct prng *r)
{
    struct memsys_config c = {.tagging = TAG_VIVT, .translation = TRANSLATE_TABLES};
    for (int side = 0; side < NR_SIDES; side++) {
        c.l1[side] = some_cache(r, 8, 8);
        c.tlb[side] = some_tlb(r, 5, 8);
    }
    c.l2 = some_cache(r, 10, prng_one_in(r, 2) ? 8 : 16);
    c.stlb = some_tlb(r, 7, 16);
    return c;
}

/* Pages from few places far apart, some of them often. */
static void some_refs(struct prng *r, struct ref *refs)
{
    static const uint64_t bases[] = {0x400000, 0x10000000, 0x7f0000000000, 0x40000000,
                                     0x8000000000};
    const uint64_t pages = 4 + prng_below(r, 150);
    for (int i = 0; i < REFS; i++) {
        const uint64_t base = bases[prng_below(r, sizeof bases / sizeof *bases)];
        const uint64_t page = prng_below(r, prng_one_in(r, 3) ? pages : 3);
        const uint32_t size = prng_one_in(r, 20)  ? 1 + (uint32_t)prng_below(r, 300)
                              : prng_one_in(r, 4) ? 1 + (uint32_t)prng_below(r, 16)
                                                  : 8;
        refs[i] = (struct ref){.va = base + (page << PAGE_SHIFT) + prng_below(r, 4096),
                               .size = size,
                               .kind = (uint32_t)prng_below(r, NR_REF_KINDS)};
        if (prng_one_in(r, 3)) { /* near the one before */
            refs[i].va = refs[i ? i - 1 : 0].va + prng_below(r, 64);
        }
    }
}

enum how { LEAN, OPERATIONS, INDEXED, INDEXED_LIVE, NR_HOWS };

static size_t go(struct machine *t, enum how how, const struct ref *refs, size_t nr,
                 const struct ref_plan *plan, struct prng chunks)
{
    struct memsys *m = &t->rig.memsys;
    size_t done = 0;
    m->index_worth = how >= INDEXED ? 1 : SIZE_MAX / 8;
    while (done < nr) {
        size_t part = 1 + prng_below(&chunks, prng_one_in(&chunks, 8) ? 40 : 2500),
               did = 0;
        part = part < nr - done ? part : nr - done;
        if (how == OPERATIONS) {
            for (bool good = true; good && did < part; did += good) {
                const struct ref *ref = &refs[done + did];
                const uint8_t second = plan->second[ref->kind];
                good = memsys_access(m, ref->va, ref->size,
                                     (enum access_kind)plan->first[ref->kind], NULL) &&
                       (second == NR_ACCESS_KINDS ||
                        memsys_access(m, ref->va, ref->size, (enum access_kind)second,
                                      NULL));
            }
        } else {
            did = how == INDEXED_LIVE ? memsys_run_live(m, refs + done, part, plan)
                                      : memsys_run(m, refs + done, part, plan);
        }
        done += did;
        if (did < part) {
            break;
        }
    }
    return done;
}

static uint64_t nr_indexed;

static void test_machine(uint64_t seed)
{
    static struct machine t[NR_HOWS];
    static struct ref refs[REFS];
    struct prng r = {seed * 0x9e3779b97f4a7c15u};
    const struct memsys_config c = some_config(&r);
    const enum handler handler = (enum handler)prng_below(&r, NR_HANDLERS);
    const bool kept = prng_one_in(&r, 2), plain = prng_one_in(&r, 3),
               bad = prng_one_in(&r, 4);
    const bool few_frames = prng_one_in(&r, 6);
    const uint64_t twice = prng_one_in(&r, 4) ? 2 + prng_below(&r, 60) : 0;
    const struct ref_plan plan = ref_plan(prng_one_in(&r, 4));
    const uint64_t stop = prng_one_in(&r, 2) ? 1 + prng_below(&r, 150000) : UINT64_MAX;
    size_t done[NR_HOWS];
    some_refs(&r, refs);
    if (bad) { /* no page is ever there */
        refs[REFS - 1 - prng_below(&r, 300)].va = (uint64_t)1 << 50;
    }
    for (int how = 0; how < NR_HOWS; how++) {
        rig_create(&t[how].rig, &c, PAGING_4LEVEL);
        t[how].rig.step = 1;
        t[how].rig.next = few_frames ? FRAMES - 300 : 16;
        t[how].rig.twice = twice;
        t[how].handler = handler;
        t[how].stopped_at = t[how].faults_at = 0;
        t[how].rig.memsys.on_fault = handle;
        t[how].rig.memsys.on_fault_ctx = &t[how];
        t[how].rig.memsys.index_plain = plain;
        t[how].rig.memsys.index_kept = kept;
        if (how == OPERATIONS || how == INDEXED_LIVE) {
            t[how].rig.probe.stop = stop;
            t[how].rig.probe.slow = hear;
            t[how].rig.probe.slow_ctx = &t[how];
        }
        done[how] = go(&t[how], (enum how)how, refs, REFS, &plan, r);
        memsys_home(&t[how].rig.memsys);
    }
    nr_indexed += t[INDEXED].rig.memsys.indexed + t[INDEXED_LIVE].rig.memsys.indexed;
    const struct memsys_tally *n = &t[OPERATIONS].rig.memsys.s->n;
    const uint64_t digest = arena_digest(&t[OPERATIONS].rig.arena);
    static const char *const name[] = {"without", "operations", "with", "with, live"};
    for (int how = 0; how < NR_HOWS; how++) {
        const struct rig *g = &t[how].rig;
        const char *broken = memsys_check(&g->memsys);
        broken = broken ? broken : arena_check(&t[how].rig.arena);
        const uint64_t *mine = (const uint64_t *)&g->memsys.s->n, *same = (const void *)n;
        for (size_t i = 0; i < sizeof *n / sizeof *mine; i++) {
            if (mine[i] != same[i]) {
                diag("count %zu: %" PRIu64 ", and %" PRIu64, i, mine[i], same[i]);
            }
        }
        if (how != OPERATIONS) {
            ok(!broken && done[how] == done[OPERATIONS] &&
                   !memcmp(&g->memsys.s->n, n, sizeof *n) &&
                   arena_digest(&t[how].rig.arena) == digest,
               "machine %" PRIu64 " (handler %d, frames twice %" PRIu64
               "), %s the index: the same counts and bytes%s%s",
               seed, handler, twice, name[how], broken ? ": " : "", broken ? broken : "");
        }
    }
    ok(t[INDEXED_LIVE].rig.probe.n == t[OPERATIONS].rig.probe.n &&
           t[INDEXED_LIVE].faults_at == t[OPERATIONS].faults_at &&
           t[INDEXED_LIVE].stopped_at == t[OPERATIONS].stopped_at,
       "as many events, also at each fault, and stopped at the same one (%" PRIu64
       " of %" PRIu64 ")",
       t[OPERATIONS].stopped_at, t[OPERATIONS].rig.probe.n);
    for (int how = 0; how < NR_HOWS; how++) {
        arena_destroy(&t[how].rig.arena);
    }
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t last = argc > 2 ? strtoull(argv[2], NULL, 10) : first + MACHINES - 1;
    for (uint64_t seed = first; seed <= last; seed++) {
        test_machine(seed);
    }
    ok(nr_indexed > (last - first + 1) * REFS / 2,
       "%" PRIu64 " references went through an index", nr_indexed);
    return done_testing();
}
