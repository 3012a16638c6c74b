/* How fast the machine underneath is: references a second over the golden traces, in
 * memory, and instructions a reference.
 *
 * Instructions are counted by callgrind, under which the program runs itself, where
 * valgrind is at hand: the loop over the references and all that it calls, page faults
 * included, from an empty machine on. The figures are the same on any machine that runs
 * the same code; limits stand beside them.
 *
 * "full" is TLBs, four-level walks through L2, virtual L1, physical L2; "full-live" the
 * same with events and history: events are numbered, as they are while nobody stops at
 * them, all changes are marked in the arena, and before every 262,144 references a
 * snapshot is taken, from which one gets back to any event; "full-each" with each access
 * an operation of its own (memsys_access), without snapshots; "caches" is G1 without
 * TLBs; "default" is what mmscope trace runs without options, misses told by cause, and
 * "default-mmu" the same with --mmu. By hand, divided by 100,000 or, for syn2m, 2,000,000
 * references (full-live: --toggle-collect=bench_live, full-each: bench_each):
 *
 *     valgrind --tool=callgrind --callgrind-out-file=/dev/null \
 *         --toggle-collect=memsys_run build/tests/bench_trace syn2m full 1
 *
 * This counts the loop alone; a whole command, references read or made, is counted by
 * valgrind --tool=callgrind build/ui/mmscope trace --mmu --syn 2000000.
 *
 *     bench_trace                    all of them, three times each, the fastest counts
 *     bench_trace TRACE STACK TIMES  one of them; TRACE: ls100k, cc1_100k, syn2m
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#if !defined _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* clock_gettime, popen, readlink */
#endif
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "process.h"
#include "tap.h"
#include "trace_reader.h"
#include "trace_setup.h"

enum { MAX_REFS = 2000000, FRAMES = 1 << 20 };

static struct ref refs[MAX_REFS];

static size_t load(const char *name)
{
    if (!strcmp(name, "syn2m")) {
        struct syn s = syn_begin(MAX_REFS);
        return syn_read(&s, refs, MAX_REFS);
    }
    char path[512], file[256], err[256];
    snprintf(file, sizeof file, "tests/golden/cache/%s.lk.gz", name);
    struct trace_reader *r =
        trace_open(source_path(path, sizeof path, file), err, sizeof err);
    size_t n = 0, got = 1;
    while (r && got) {
        got = trace_read(r, refs + n, MAX_REFS - n, err, sizeof err);
        n += got;
    }
    trace_close(r);
    return n;
}

static uint64_t next_frame(void *ctx, bool for_table)
{
    uint64_t *next = ctx;
    (void)for_table;
    return *next < FRAMES ? (*next)++ : PFN_NONE;
}

struct machine_under_test {
    struct arena arena;
    struct ram ram;
    struct probe probe;
    struct process process;
    struct memsys memsys;
    uint64_t next;
};

static bool set_up(struct machine_under_test *m, const char *stack)
{
    struct trace_setup setup;
    trace_setup_init(&setup);
    if (!strncmp(stack, "default", 7)) {
        setup.machine.causes = true;
        if (!strcmp(stack, "default-mmu")) {
            setup.machine.translation = TRANSLATE_TABLES;
        }
    } else if (!strcmp(stack, "caches")) {
        char err[64];
        trace_setup_geometry(&setup, "G1", err, sizeof err);
    } else {
        setup.machine.tagging = TAG_VIVT;
        setup.machine.translation = TRANSLATE_TABLES;
    }
    memset(m, 0, sizeof *m);
    m->next = 0x1000;
    m->probe.stop = UINT64_MAX;
    if (!arena_create(&m->arena, (size_t)1 << 30, &host_memory) ||
        !ram_create(&m->ram, &m->arena, FRAMES) ||
        !process_create(&m->process, PAGING_4LEVEL, &m->ram, next_frame, &m->next) ||
        !memsys_create(&m->memsys, &m->arena, &m->ram, &m->probe, &setup.machine)) {
        return false;
    }
    m->memsys.on_fault = process_fault;
    m->memsys.on_fault_ctx = &m->process;
    memsys_set_mmu(&m->memsys, &m->process.mmu);
    return true;
}

/* Every access an operation of its own. */
HW_NOINLINE size_t bench_each(struct memsys *m, const struct ref *r, size_t n,
                              const struct ref_plan *plan);
size_t bench_each(struct memsys *m, const struct ref *r, size_t n,
                  const struct ref_plan *plan)
{
    for (size_t i = 0; i < n; i++) {
        if (!memsys_access(m, r[i].va, r[i].size, plan->first[r[i].kind], NULL) ||
            (plan->second[r[i].kind] != NR_ACCESS_KINDS &&
             !memsys_access(m, r[i].va, r[i].size, plan->second[r[i].kind], NULL))) {
            return i;
        }
    }
    return n;
}

/* With history: stretches of references, and before each a snapshot, from which one gets
 * to any event of the stretch. */
enum { STRETCH = 1 << 18, MOST_STRETCHES = MAX_REFS / STRETCH + 1 };
struct history {
    struct snapshot *before[MOST_STRETCHES];
    uint64_t next[MOST_STRETCHES]; /* frame */
    size_t nr;
};
HW_NOINLINE size_t bench_live(struct machine_under_test *t, struct history *h,
                              const struct ref *r, size_t n, const struct ref_plan *plan);
size_t bench_live(struct machine_under_test *t, struct history *h, const struct ref *r,
                  size_t n, const struct ref_plan *plan)
{
    size_t done = 0;
    for (h->nr = 0; done < n; h->nr++) {
        const size_t part = n - done < STRETCH ? n - done : STRETCH;
        h->before[h->nr] = arena_snapshot(&t->arena);
        h->next[h->nr] = t->next;
        const size_t did = memsys_run_live(&t->memsys, r + done, part, plan);
        done += did;
        if (did < part || !h->before[h->nr]) {
            break;
        }
    }
    return done;
}

/* Go back to the middle, and from there to the end, access by access: the same bytes. */
static void check_history(struct machine_under_test *t, struct history *h,
                          const struct ref *r, size_t n, const struct ref_plan *plan)
{
    const uint64_t digest = arena_digest(&t->arena);
    const size_t middle = h->nr / 2;
    arena_restore(&t->arena, h->before[middle]);
    memsys_forget(&t->memsys);
    t->next = h->next[middle];
    const size_t from = middle * STRETCH;
    ok(bench_each(&t->memsys, r + from, n - from, plan) == n - from &&
           arena_digest(&t->arena) == digest,
       "back to reference %zu, and from there access by access: the same bytes", from);
    for (size_t i = 0; i < h->nr; i++) {
        snapshot_unref(&t->arena, h->before[i]);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void measure(const char *trace, const char *stack, int times)
{
    static struct machine_under_test m;
    struct history history = {.nr = 0};
    const struct ref_plan plan = ref_plan(false);
    size_t n = load(trace), done = 0;
    double best = 1e9;
    for (int i = 0; i < times; i++) {
        if (!set_up(&m, stack)) {
            bail_out("no memory for the machine");
        }
        double start = seconds();
        done = !strcmp(stack, "full-live")   ? bench_live(&m, &history, refs, n, &plan)
               : !strcmp(stack, "full-each") ? bench_each(&m.memsys, refs, n, &plan)
                                             : memsys_run(&m.memsys, refs, n, &plan);
        double took = seconds() - start;
        best = took < best ? took : best;
        if (i + 1 < times) {
            for (size_t k = 0; k < history.nr; k++) {
                snapshot_unref(&m.arena, history.before[k]);
            }
            history.nr = 0;
            arena_destroy(&m.arena);
        }
    }
    ok(n && done == n, "%s, %s: %zu references, %.1f million a second", trace, stack, n,
       (double)n / best / 1e6);
    const struct memsys_tally *c = &m.memsys.s->n;
    diag("L1 misses %" PRIu64 ", L2 accesses %" PRIu64 " (walks %" PRIu64
         "), L2 misses %" PRIu64 ", STLB misses %" PRIu64 ", events %" PRIu64,
         tally_l1_misses(c, SIDE_I) + tally_l1_misses(c, SIDE_D), tally_l2_accesses(c),
         c->l2_access[L2_WALK], tally_l2_misses(c), c->stlb_miss, m.probe.n);
    if (history.nr) {
        check_history(&m, &history, refs, n, &plan);
    }
    arena_destroy(&m.arena);
}

/* Instructions a reference by callgrind, or 0: it is not there. Its counting is switched
 * on inside the function that runs the references; both have names of their own. */
static double instructions(const char *program, const char *trace, const char *stack,
                           size_t nr_refs)
{
    char command[4096], line[512];
    unsigned long long counted = 0;
    snprintf(command, sizeof command,
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
             "--toggle-collect=%s '%s' %s %s 1 2>&1",
             !strcmp(stack, "full-live")   ? "bench_live"
             : !strcmp(stack, "full-each") ? "bench_each"
                                           : "memsys_run",
             program, trace, stack);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "Collected : ");
        if (at) {
            counted = strtoull(at + strlen("Collected : "), NULL, 10);
        }
    }
    if (f) {
        pclose(f);
    }
    return nr_refs ? (double)counted / (double)nr_refs : 0;
}

int main(int argc, char **argv)
{
    static const char *const traces[] = {"ls100k", "cc1_100k", "syn2m"};
    static const char *const stacks[] = {"caches",    "full",    "full-live",
                                         "full-each", "default", "default-mmu"};
    static const double limits[] = {0, 90, 140, 0, 0, 0};
    char program[2048];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (argc == 4) {
        measure(argv[1], argv[2], atoi(argv[3]));
        return done_testing();
    }
    program[length > 0 ? length : 0] = 0;
    for (size_t s = 0; s < sizeof stacks / sizeof *stacks; s++) {
        for (size_t t = 0; t < 3; t++) {
            measure(traces[t], stacks[s], 3);
            const double n =
                *program && !strchr(program, '\'')
                    ? instructions(program, traces[t], stacks[s], load(traces[t]))
                    : 0;
            if (n <= 0) {
                diag("instructions a reference: no valgrind here to count them");
            } else if (limits[s] > 0) {
                diag("%.1f instructions a reference (wanted: at most %.0f%s)", n,
                     limits[s], n > limits[s] ? "; missed" : "");
            } else {
                diag("%.1f instructions a reference", n);
            }
        }
    }
    return done_testing();
}
