/* What history and travel cost: recording, bytes an event, jumps, steps, checkpoints of
 * small and of huge machines.
 *
 * MMSCOPE_BENCH_EVENTS: how long the timeline is that is travelled in (10 million).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <time.h>

#include "host.h"
#include "prng.h"
#include "tap.h"
#include "timeline.h"

/* Processor time: what others do on the machine meanwhile does not count. Steps of a
 * microsecond. */
static double now_ns(void) { return (double)clock() * (1e9 / CLOCKS_PER_SEC); }

enum { MAX_LIVE = 3000000 };

/* A mix of allocations and frees of all orders, most of them small. */
struct load {
    struct prng rand;
    uint32_t max_live, nr;
    uint32_t order; /* of the allocation under way */
    struct {
        uint64_t pfn;
        uint32_t order;
    } live[MAX_LIVE];
};

static struct op load_next(struct load *l)
{
    const uint64_t x = prng_next(&l->rand) >> 8;
    const bool filling = l->nr < l->max_live / 2;
    if (l->nr && (l->nr >= l->max_live || x % (filling ? 8 : 2) == 1)) {
        const uint32_t i = (uint32_t)(x / 8 % l->nr);
        const struct op op = {.kind = OP_FREE_PAGES,
                              .arg = {l->live[i].pfn, l->live[i].order}};
        l->live[i] = l->live[--l->nr];
        return op;
    }
    const uint64_t spread = x / 8 % 1024;
    l->order = spread < 700 ? 0 : (uint32_t)(spread - 700) * 6 / 324;
    return (struct op){
        .kind = OP_ALLOC_PAGES,
        .arg = {x & 1 << 20 ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, l->order}};
}

static void load_done(struct load *l, const struct op *op, uint64_t result)
{
    if (op->kind == OP_ALLOC_PAGES && result != PFN_NONE) {
        l->live[l->nr].pfn = result;
        l->live[l->nr++].order = l->order;
    }
}

static struct load *load_begin(uint32_t max_live)
{
    struct load *l = calloc(1, sizeof *l);
    l->rand.state = 12345;
    l->max_live = max_live;
    return l;
}

static struct machine_config machine_of(enum arch arch, uint64_t ram_bytes)
{
    struct machine_config c;
    config_init(&c, arch);
    c.ram_bytes = ram_bytes;
    return c;
}

static struct timeline *timeline_of(const struct machine_config *c)
{
    char err[300];
    struct timeline *t = timeline_create(c, &host_memory, NULL, err, sizeof err);
    if (!t) {
        bail_out("no machine: %s", err);
    }
    return t;
}

/* ---- recording ---- */

static void bench_recording(void)
{
    enum { OPS = 300000 };
    const struct machine_config c = machine_of(ARCH_I386, 160 << 20);
    double bare = 1e30, recorded = 1e30;
    for (int round = 0; round < 5; round++) {
        char err[300];
        struct machine *m = machine_create(&c, &host_memory, err, sizeof err);
        struct timeline *t = timeline_of(&c);
        struct load *l = load_begin(4000), *k = load_begin(4000);
        double start = now_ns();
        for (int i = 0; i < OPS; i++) {
            const struct op op = load_next(l);
            load_done(l, &op, machine_do(m, &op));
        }
        double took = (now_ns() - start) / OPS;
        bare = took < bare ? took : bare;
        start = now_ns();
        for (int i = 0; i < OPS; i++) {
            const struct op op = load_next(k);
            load_done(k, &op, timeline_do(t, &op));
        }
        took = (now_ns() - start) / OPS;
        recorded = took < recorded ? took : recorded;
        free(l);
        free(k);
        machine_destroy(m);
        timeline_destroy(t);
    }
    diag("an operation: %.0f ns bare, %.0f ns recorded with checkpoints", bare, recorded);
    ok(recorded - bare < 150, "recording costs %.0f ns an operation", recorded - bare);
}

/* ---- travel ---- */

struct latency {
    double max, sum;
    uint64_t nr, late;
};

static void latency_add(struct latency *l, double ns, double limit)
{
    l->max = ns > l->max ? ns : l->max;
    l->sum += ns;
    l->nr++;
    l->late += ns > limit;
}

static void latency_say(const struct latency *l, const char *what, double limit_ms)
{
    diag("%s: mean %.3f ms, max %.3f ms of %" PRIu64, what, l->sum / (double)l->nr / 1e6,
         l->max / 1e6, l->nr);
    printf("# %s: %" PRIu64 " over %.0f ms: %s\n", what, l->late, limit_ms,
           l->late * 1000 <= l->nr ? "met" : "missed");
}

static void bench_travel(const char *name, const struct machine_config *c,
                         uint32_t max_live, uint64_t nr_events)
{
    struct timeline *t = timeline_of(c);
    struct load *l = load_begin(max_live);
    struct prng rand = {99};
    uint64_t nr_ops = 0;
    double start = now_ns();
    while (timeline_figures(t).nr_events < nr_events) {
        for (int i = 0; i < 1000; i++, nr_ops++) {
            const struct op op = load_next(l);
            load_done(l, &op, timeline_do(t, &op));
        }
    }
    const struct timeline_figures f = timeline_figures(t);
    const double took = now_ns() - start;
    diag("%s: %" PRIu64 " operations, %" PRIu64 " events in %.2f s; first kept %" PRIu64,
         name, f.nr_ops, f.nr_events, took / 1e9, timeline_first_op(t));
    const double all = (double)(f.bytes_ops + f.bytes_checkpoints + f.bytes_strings);
    diag("%s: operations %.1f MB, %" PRIu64 " checkpoints %.1f MB", name,
         (double)f.bytes_ops / 1e6, f.nr_checkpoints, (double)f.bytes_checkpoints / 1e6);
    ok(all / (double)f.nr_events <= 48, "%s: %.1f bytes an event all in", name,
       all / (double)f.nr_events);

    struct latency jump = {0}, forward = {0}, back = {0}, long_back = {0};
    for (int i = 0; i < 150; i++) {
        const struct position to = {0, prng_below(&rand, nr_ops), prng_below(&rand, 6)};
        start = now_ns();
        timeline_seek(t, to);
        latency_add(&jump, now_ns() - start, 50e6);
        for (int k = 0; k < 60; k++) {
            const int direction = k % 20 < 10 ? -1 : 1;
            start = now_ns();
            timeline_step_event(t, direction);
            latency_add(direction < 0 ? &back : &forward, now_ns() - start, 1e6);
        }
    }
    for (int k = 0; k < 30000; k++) {
        start = now_ns();
        timeline_step_event(t, -1);
        latency_add(&long_back, now_ns() - start, 1e6);
    }
    diag("%s: then %" PRIu64 " checkpoints, %.1f MB", name,
         timeline_figures(t).nr_checkpoints,
         (double)timeline_figures(t).bytes_checkpoints / 1e6);
    latency_say(&jump, "jump", 50);
    latency_say(&forward, "step forward", 1);
    latency_say(&back, "step back", 1);
    latency_say(&long_back, "step back for long", 1);
    start = now_ns();
    timeline_seek(t, (struct position){0, 0, 0});
    timeline_seek(t, (struct position){0, nr_ops, 0});
    diag("%s: to the beginning and to the end: %.1f ms", name, (now_ns() - start) / 1e6);
    ok(timeline_check(t) == NULL, "check");
    free(l);
    timeline_destroy(t);
}

/* ---- checkpoints ---- */

static void bench_checkpoint(const char *name, enum arch arch, uint64_t ram_bytes)
{
    enum { ROUNDS = 2000 };
    const struct machine_config c = machine_of(arch, ram_bytes);
    double start = now_ns();
    struct timeline *t = timeline_of(&c);
    struct arena *a = &timeline_machine(t)->arena;
    diag("%s: boots in %.1f ms; the first checkpoint holds %.2f MB", name,
         (now_ns() - start) / 1e6, (double)arena_snapshot_bytes(a) / 1e6);
    struct load *l = load_begin(1000);
    double best = 1e30;
    size_t before = arena_snapshot_bytes(a), changed = 0;
    struct snapshot *kept[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        const struct op op = load_next(l);
        load_done(l, &op, machine_do(timeline_machine(t), &op));
        changed += arena_nr_changed(a);
        start = now_ns();
        kept[i] = arena_snapshot(a);
        const double took = now_ns() - start;
        best = took < best ? took : best;
    }
    diag("%s: a checkpoint after each operation: best %.2f us, %.1f chunks, %.1f kB",
         name, best / 1e3, (double)changed / ROUNDS,
         (double)(arena_snapshot_bytes(a) - before) / ROUNDS / 1e3);
    ok(best < 50e3, "%s: a checkpoint costs what changed", name);
    for (int i = 0; i < ROUNDS; i++) {
        snapshot_unref(a, kept[i]);
    }
    free(l);
    timeline_destroy(t);
}

int main(void)
{
    const char *events = getenv("MMSCOPE_BENCH_EVENTS");
    const uint64_t nr_events = events ? strtoull(events, NULL, 0) : 10000000;
    bench_recording();
    struct machine_config c = machine_of(ARCH_I386, 160 << 20);
    bench_travel("i386, 160 MiB", &c, 4000, nr_events);
    c = machine_of(ARCH_X86_64, (uint64_t)64 << 30);
    bench_travel("x86_64, 64 GiB", &c, 20000, nr_events);
    bench_travel("x86_64, 64 GiB, scattered", &c, MAX_LIVE, nr_events);
    bench_checkpoint("160 MiB", ARCH_I386, 160 << 20);
    bench_checkpoint("64 GiB", ARCH_X86_64, (uint64_t)64 << 30);
    bench_checkpoint("1 TiB", ARCH_X86_64, (uint64_t)1 << 40);
    return done_testing();
}
