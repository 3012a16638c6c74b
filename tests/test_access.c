/* Accesses as paths, traces on the screen, counters over time: each against what the
 * machine itself counts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "access.h"
#include "hardware.h"
#include "history.h"
#include "host.h"
#include "inspect_hw.h"
#include "prng.h"
#include "tap.h"
#include "trace_feed.h"
#include "trace_run.h"

/* ---- a path's cycles are what the machine says that the access cost ---- */

static struct cache_config small_cache(struct prng *r)
{
    return (struct cache_config){.sets = 1u << (1 + prng_below(r, 4)),
                                 .ways = 1 + (uint32_t)prng_below(r, 3),
                                 .line_bytes = 16u << prng_below(r, 2)};
}

static void random_hardware(struct prng *r, struct memsys_config *m)
{
    static const enum tagging taggings[] = {TAG_PIPT, TAG_VIPT, TAG_VIVT, TAG_VIVT_ASID};
    m->l1[SIDE_I] = small_cache(r);
    m->l1[SIDE_D] = small_cache(r);
    m->l2 = small_cache(r);
    m->l2.line_bytes = 32;
    m->l2.ways = prng_one_in(r, 4) ? 0 : m->l2.ways;
    m->tlb[SIDE_I] = (struct tlb_config){.entries = 4, .ways = 2};
    m->tlb[SIDE_D] = (struct tlb_config){.entries = 2, .ways = 1};
    m->stlb = (struct tlb_config){.entries = prng_one_in(r, 2) ? 0 : 8, .ways = 4};
    m->tagging = taggings[prng_below(r, 4)];
    m->write_through = prng_one_in(r, 3);
    m->no_write_allocate = prng_one_in(r, 3);
    m->cost = cost_models(prng_below(r, 3));
    m->coherent = prng_one_in(r, 2);
    m->memory_types = true;
    m->pat = PAT_LINUX;
    m->psc[2] = prng_one_in(r, 2) ? 4 : 0;
}

struct damage {
    unsigned wrong_sum, wrong_order, no_path, ops, paths;
};

static void check_op(struct timeline *t, struct op_events *e, struct access_paths *p,
                     uint64_t cycles, struct damage *d)
{
    struct position at = timeline_position(t);
    op_events_load(e, t, at.branch, at.op - 1, UINT64_MAX);
    access_paths_refresh(p, e, timeline_machine(t));
    uint64_t sum = 0;
    for (int i = 0; i < p->nr; i++) {
        const struct access_path *path = &p->at[i];
        sum += access_cycles(path, UINT64_MAX);
        d->wrong_order += access_next(path, UINT64_MAX) != NULL;
        for (int j = 1; j < path->nr; j++) {
            d->wrong_order += path->stages[j].event < path->stages[j - 1].event;
        }
    }
    d->no_path += !p->nr || !access_path_at(p, 0);
    d->ops++;
    d->paths += (unsigned)p->nr;
    d->wrong_sum += sum != cycles;
    if (sum != cycles && d->wrong_sum < 4) {
        diag("operation %" PRIu64 ": the stages cost %" PRIu64
             ", the machine counts %" PRIu64,
             at.op - 1, sum, cycles);
    }
}

static void test_sums(uint64_t seed)
{
    struct prng r = {seed};
    struct machine_config c;
    char err[512] = "";
    config_init(&c, (enum arch)prng_below(&r, 3));
    c.ram_bytes = 64 << 20;
    c.highmem_bytes = 0;
    c.cpus = 1 + (uint32_t)prng_below(&r, 2);
    do {
        random_hardware(&r, &c.hw.mem);
    } while (!config_check(&c, err, sizeof err)); /* some cannot be built */
    err[0] = 0;
    struct timeline *t = timeline_create(&c, &host_memory, NULL, err, sizeof err);
    if (!ok(t != NULL, "seed %u: a machine %s", (unsigned)seed, err)) {
        return;
    }
    const struct op get = {.kind = OP_VMALLOC, .arg = {8 * PAGE_SIZE}};
    const uint64_t area = timeline_do(t, &get);
    const struct op device = {.kind = OP_IOREMAP, .arg = {0xfe000000, PAGE_SIZE}};
    const uint64_t registers = timeline_do(t, &device);
    struct op_events e = {0};
    struct access_paths p = {0};
    struct damage d = {0};
    for (int i = 0; i < 1500; i++) {
        struct op op = {.kind = OP_LOAD, .cpu = (uint8_t)prng_below(&r, c.cpus)};
        uint64_t va = area + prng_below(&r, 8 * PAGE_SIZE - 16);
        uint64_t size = 1 + prng_below(&r, 8);
        if (registers && prng_one_in(&r, 10)) { /* uncached */
            va = registers + prng_below(&r, PAGE_SIZE - 16);
        }
        op.arg[0] = va;
        op.arg[1] = size;
        if (prng_one_in(&r, 3)) {
            op.kind = OP_STORE;
            op.arg[2] = va;
        }
        const struct memsys *m = hardware_cpu(timeline_machine(t), op.cpu);
        const uint64_t before = access_cycles_of(m).total;
        timeline_do(t, &op);
        check_op(t, &e, &p, access_cycles_of(m).total - before, &d);
    }
    is_u64(d.wrong_sum, 0, "what the stages cost is what the machine counts");
    is_u64(d.wrong_order, 0, "stages come in the order of their events");
    is_u64(d.no_path, 0, "%u accesses, each with a path", d.ops);
    ok(d.paths > d.ops, "and more where they lie in two lines: %u", d.paths);
    free(e.at);
    access_paths_free(&p);
    timeline_destroy(t);
}

/* ---- a trace on the screen counts what a trace in a run counts ---- */

static void test_feed(const char *geometry, const char *mode)
{
    enum { REFS = 3000 };
    struct trace_setup setup;
    char err[512] = "";
    static struct ref refs[REFS];
    trace_setup_init(&setup);
    setup.machine.causes = true;
    if (geometry) {
        trace_setup_geometry(&setup, geometry, err, sizeof err);
    }
    trace_setup_mode(&setup, mode, err, sizeof err);
    struct trace_run *run = trace_run_create(&setup, err, sizeof err);
    struct syn syn = syn_begin(REFS);
    trace_run_refs(run, refs, syn_read(&syn, refs, REFS), err, sizeof err);

    struct trace_feed *f = trace_feed_open(&setup, NULL, REFS, err, sizeof err);
    struct timeline *t = trace_feed_timeline(f, NULL, err, sizeof err);
    if (!ok(t != NULL, "%s, mode %s: a timeline %s", geometry ? geometry : "default",
            mode, err)) {
        return;
    }
    unsigned steps = 0, wrong = 0;
    struct op next;
    for (bool known = trace_feed_peek(f, &next); trace_feed_next(f, t); steps++) {
        struct op_record done;
        timeline_op(t, 0, steps, &done);
        wrong +=
            known != (done.op.kind != OP_NOTE); /* the note at the end is not known */
        wrong += known && (done.op.kind != next.kind ||
                           memcmp(done.op.arg, next.arg, sizeof next.arg) != 0);
        known = trace_feed_peek(f, &next);
    }
    is_u64(wrong, 0, "what was said to come next came");
    unsigned stale = 0;
    const struct machine *m = timeline_machine(t);
    for (uint32_t i = 0; i < setup.machine.tlb[SIDE_D].entries; i++) {
        const uint32_t ways = setup.machine.tlb[SIDE_D].ways;
        stale += hw_tlb_entry(m, 0, PART_DTLB, i / ways, i % ways).stale;
    }
    is_u64(stale, 0, "without tables no entry is stale");
    const struct memsys_tally *a = trace_run_counts(run),
                              *b = &hardware_cpu(timeline_machine(t), 0)->s->n;
    ok(!memcmp(a, b, sizeof *a), "%s, mode %s: the same counts",
       geometry ? geometry : "default", mode);
    ok(steps > REFS && timeline_nr_ops(t, 0) == steps, "%u steps", steps);
    struct op_record last;
    timeline_op(t, 0, steps - 1, &last);
    ok(last.op.kind == OP_NOTE && last.op.arg[0] == NOTE_SAY, "the last says so");
    timeline_destroy(t);
    trace_feed_close(f);
    trace_run_destroy(run);
}

/* A process of the simulated machine: its kernel mends the faults. */
static void test_feed_process(void)
{
    struct trace_setup setup;
    char err[512] = "";
    trace_setup_init(&setup);
    setup.tables = true;
    struct trace_feed *f = trace_feed_open(&setup, NULL, 500, err, sizeof err);
    struct timeline *t = trace_feed_timeline(f, NULL, err, sizeof err);
    unsigned steps = 0, bad = 0;
    while (t && trace_feed_next(f, t)) {
        struct op_record rec;
        timeline_op(t, 0, steps++, &rec);
        bad += rec.op.kind == OP_NOTE && rec.op.arg[0] == NOTE_ERROR;
    }
    const struct memsys *m = hardware_cpu(timeline_machine(t), 0);
    is_u64(bad, 0, "with page tables every reference can be made");
    ok(m->s->n.faults > 0 && m->s->n.walks > m->s->n.faults,
       "because the kernel mends %" PRIu64 " faults", m->s->n.faults);
    ok(machine_check(timeline_machine(t)) == NULL, "and the machine is sound");
    timeline_destroy(t);
    trace_feed_close(f);
}

static void test_feed_errors(void)
{
    struct trace_setup setup;
    char err[512] = "", path[64] = "/nonexistent";
    trace_setup_init(&setup);
    ok(!trace_feed_open(&setup, path, 0, err, sizeof err) && *err, "no such file: %s",
       err);
    snprintf(path, sizeof path, "trace-%d.lk",
             (int)(prng_next(&(struct prng){7}) % 9999));
    FILE *out = fopen(path, "w");
    fputs("I  04001000,3\n L nonsense\n", out);
    fclose(out);
    struct trace_feed *f = trace_feed_open(&setup, path, 0, err, sizeof err);
    struct timeline *t = trace_feed_timeline(f, NULL, err, sizeof err);
    struct op_record rec = {0};
    ok(trace_feed_next(f, t) && trace_feed_next(f, t) && !trace_feed_next(f, t),
       "a malformed line ends the trace");
    timeline_op(t, 0, 1, &rec);
    const char *text = timeline_string(t, (uint32_t)rec.op.arg[1]);
    ok(rec.op.arg[0] == NOTE_ERROR && strstr(text, "line 2"), "and is told: %s", text);
    timeline_destroy(t);
    trace_feed_close(f);

    /* a 64-bit address on a 32-bit machine, behind an access that was done */
    out = fopen(path, "w");
    fputs("I  04001000,3\n L 7f0000000000,8\nI  04001003,3\n", out);
    fclose(out);
    trace_setup_set(&setup, "arch", "i386", err, sizeof err);
    setup.tables = true;
    f = trace_feed_open(&setup, path, 0, err, sizeof err);
    t = trace_feed_timeline(f, NULL, err, sizeof err);
    ok(trace_feed_next(f, t) && trace_feed_next(f, t) && !trace_feed_next(f, t),
       "an address that the machine has not ends the trace, too");
    timeline_op(t, 0, timeline_nr_ops(t, 0) - 1, &rec);
    ok(rec.op.kind == OP_NOTE && rec.op.arg[0] == NOTE_ERROR, "and is told");
    timeline_destroy(t);
    trace_feed_close(f);
    remove(path);
}

/* ---- counters over time ---- */

static uint64_t broken_samples(struct history *h, struct timeline *t)
{
    struct position here = timeline_position(t);
    uint64_t broken = 0;
    for (size_t i = 0; i < h->nr; i++) {
        timeline_seek(t, (struct position){here.branch, h->at[i].op, 0});
        struct history_sample now = history_now(timeline_machine(t), h->at[i].op);
        broken += memcmp(&now, &h->at[i], sizeof now) != 0;
        broken += i && h->at[i].op <= h->at[i - 1].op;
    }
    timeline_seek(t, here);
    return broken;
}

static void load(struct timeline *t, struct history *h, uint64_t va)
{
    const struct op op = {.kind = OP_LOAD, .arg = {va, 4, MODE_USER}};
    timeline_do(t, &op);
    history_note(h, t);
}

static void test_history(void)
{
    struct trace_setup setup;
    struct history h = {0};
    char err[512] = "";
    trace_setup_init(&setup);
    struct trace_feed *f = trace_feed_open(&setup, NULL, 1, err, sizeof err);
    struct timeline *t = trace_feed_timeline(f, NULL, err, sizeof err);
    history_note(&h, t);
    for (uint64_t i = 0; i < 300; i++) {
        load(t, &h, i < 100 ? 0x1000 : 0x1000 + i * 64);
    }
    is_u64(h.nr, 301, "a sample for each position");
    is_u64(broken_samples(&h, t), 0, "and each is true");
    int64_t values[3];
    history_values(&h, SERIES_L1D, 0, 300, values, 3);
    is_i64(values[0], 10, "one miss in the first hundred loads: 1 %%");
    is_i64(values[2], 1000, "nothing but misses in the last hundred");
    history_values(&h, SERIES_L1I, 0, 300, values, 1);
    is_i64(values[0], -1, "and nothing was fetched");
    history_values(&h, SERIES_L1D, 0, 900, values, 3);
    is_i64(values[2], -1, "nothing is known of the future");

    timeline_seek(t, (struct position){0, 50, 0});
    load(t, &h, 0x100000); /* a branch */
    load(t, &h, 0x200000);
    is_u64(timeline_position(t).branch, 1, "a branch begins");
    is_u64(h.at[h.nr - 1].op, 52, "the old future's samples are gone");
    is_u64(broken_samples(&h, t), 0, "those that are shared are kept");

    for (uint64_t i = 0; i < 3 * HISTORY_MOST; i++) {
        load(t, &h, i * 64);
    }
    ok(h.nr <= HISTORY_MOST && h.every > 1, "samples are thinned: %zu, each %u", h.nr,
       (unsigned)h.every);
    history_free(&h);
    timeline_destroy(t);
    trace_feed_close(f);
}

int main(void)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        test_sums(seed);
    }
    test_feed(NULL, "W");
    test_feed("G1", "R");
    test_feed("G3", "T");
    test_feed("P1", "W");
    test_feed("T1", "W");
    test_feed_process();
    test_feed_errors();
    test_history();
    return done_testing();
}
