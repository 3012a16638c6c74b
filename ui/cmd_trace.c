/* mmscope trace FILE: run a memory-reference trace and print what the caches and TLBs
 * did.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#if !defined _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* isatty, fileno */
#endif
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "subcommands.h"
#include "trace_feed.h"
#include "trace_run.h"
#include "view.h"

enum { BATCH = 4096, PROGRESS_EVERY = 1 << 21 };

/* ---- what to run ---- */

/* --set NAME=VALUE */
static bool apply_setting(struct trace_setup *t, const char *setting, char *err,
                          size_t err_size)
{
    char name[64];
    size_t len = strcspn(setting, "=");
    if (len >= sizeof name) {
        snprintf(err, err_size, "there is no option %s", setting);
        return false;
    }
    memcpy(name, setting, len);
    name[len] = 0;
    return trace_setup_set(t, name, setting + len + (setting[len] == '='), err, err_size);
}

static bool read_setup(const struct options *o, struct trace_setup *t, char *err,
                       size_t err_size)
{
    trace_setup_init(t);
    t->machine.causes = !o->value[OPT_COUNTS];
    if (o->value[OPT_GEOMETRY] &&
        !trace_setup_geometry(t, o->value[OPT_GEOMETRY], err, err_size)) {
        return false;
    }
    if (o->value[OPT_MODE] && !trace_setup_mode(t, o->value[OPT_MODE], err, err_size)) {
        return false;
    }
    if (o->value[OPT_CONFIG] &&
        !trace_setup_file(t, o->value[OPT_CONFIG], err, err_size)) {
        return false;
    }
    for (size_t i = 0; i < o->nr_settings; i++) {
        if (!apply_setting(t, o->settings[i], err, err_size)) {
            return false;
        }
    }
    t->tables = o->value[OPT_MMU] != NULL;
    if (t->tables && t->machine.translation != TRANSLATE_IDENTITY) {
        snprintf(
            err, err_size,
            "--mmu translates through page tables; P1, P2 and translation=first-touch "
            "give frames out in order of first touch: one of them");
        return false;
    }
    if (t->kernel_set && !t->tables && !o->value[OPT_VIEW]) {
        snprintf(err, err_size,
                 "ram, arch and la57 are of the machine that --mmu makes: add --mmu");
        return false;
    }
    return trace_setup_check(t, err, err_size);
}

/* Where references come from: a file, or the generator. */
struct source {
    struct trace_reader *reader;
    struct syn syn;
};

static size_t source_read(struct source *s, struct ref *to, char *err, size_t err_size)
{
    err[0] = 0;
    return s->reader ? trace_read(s->reader, to, BATCH, err, err_size)
                     : syn_read(&s->syn, to, BATCH);
}

static void show_progress(const struct source *s, uint64_t done)
{
    uint64_t at = s->reader ? trace_position(s->reader) : s->syn.i;
    uint64_t total = s->reader ? trace_total(s->reader) : s->syn.n;
    fprintf(stderr, "\r%" PRIu64 " million references", done / 1000000);
    if (total) {
        fprintf(stderr, ", %u %%", (unsigned)(at * 100 / total));
    }
    fflush(stderr);
}

static bool run_all(struct source *s, struct trace_run *run, char *err, size_t err_size)
{
    static struct ref refs[BATCH];
    const bool progress = isatty(fileno(stderr));
    uint64_t shown = 0;
    size_t n;
    while ((n = source_read(s, refs, err, err_size)) != 0) {
        if (!trace_run_refs(run, refs, n, err, err_size)) {
            break;
        }
        if (progress && trace_run_references(run) - shown >= PROGRESS_EVERY) {
            shown = trace_run_references(run);
            show_progress(s, shown);
        }
    }
    if (shown) {
        fputs("\r\033[K", stderr);
    }
    return !err[0];
}

/* ---- results ---- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_counts(const struct trace_run *run)
{
    struct trace_metric metric;
    for (size_t i = 0; trace_run_metric(run, i, &metric); i++) {
        printf("%s %" PRIu64 "\n", metric.name, metric.value);
    }
}

/* Accesses of a level by what they are. */
struct kind {
    const char *word, *accesses, *misses; /* in the table; keys in JSON */
    uint64_t access, miss;
};

enum { NR_LEVELS = 6, MOST_KINDS = 4 };

struct level {
    const char *name, *key;
    char is[96];
    uint64_t access, miss;
    struct kind kinds[MOST_KINDS];
    int nr_kinds;
    const struct miss_causes *causes; /* NULL: not told */
    bool there;
};

static void kinds_of(const struct memsys_tally *n, struct level *l1d, struct level *l2)
{
    const uint64_t writes = n->l1_access[ACCESS_WRITE], missed = n->l1_miss[ACCESS_WRITE];
    l1d->kinds[0] = (struct kind){"reads", "reads", "read_misses", l1d->access - writes,
                                  l1d->miss - missed};
    l1d->kinds[1] = (struct kind){"writes", "writes", "write_misses", writes, missed};
    l1d->nr_kinds = 2;
    static const char *const words[NR_L2_USES][3] = {
        [L2_FETCH] = {"fetches for L1", "fetches", "fetch_misses"},
        [L2_VICTIM] = {"victims of L1", "victims", "victim_misses"},
        [L2_STORE] = {"stores", "stores", "store_misses"},
        [L2_WALK] = {"table entries", "table_entries", "table_entry_misses"}};
    for (int i = 0; i < NR_L2_USES; i++) {
        l2->kinds[i] = (struct kind){words[i][0], words[i][1], words[i][2],
                                     n->l2_access[i], n->l2_miss[i]};
    }
    l2->nr_kinds = NR_L2_USES;
}

static void levels_of(const struct trace_run *run, const struct trace_setup *t,
                      struct level l[NR_LEVELS])
{
    const struct memsys_tally *n = trace_run_counts(run);
    const struct memsys_config *m = &t->machine;
    static const char *const names[NR_LEVELS] = {
        "L1 instruction",  "L1 data",  "L2",
        "TLB instruction", "TLB data", "TLB second level"};
    static const char *const keys[NR_LEVELS] = {"l1i",  "l1d",  "l2",
                                                "itlb", "dtlb", "stlb"};
    memset(l, 0, NR_LEVELS * sizeof *l);
    for (int i = 0; i < NR_LEVELS; i++) {
        l[i].name = names[i];
        l[i].key = keys[i];
        const struct cache_config *c = i < 2 ? &m->l1[i] : &m->l2;
        const struct tlb_config *tc = i < 5 ? &m->tlb[i == 4] : &m->stlb;
        l[i].there = i < 3 ? c->ways : tc->entries;
        if (l[i].there) {
            i < 3 ? cache_format(l[i].is, sizeof l[i].is, c)
                  : tlb_format(l[i].is, sizeof l[i].is, tc);
        }
    }
    for (int side = 0; side < NR_SIDES; side++) {
        l[side].access = tally_l1_accesses(n, (enum side)side);
        l[side].miss = tally_l1_misses(n, (enum side)side);
        l[side].causes = m->causes ? &n->l1_causes[side] : NULL;
        l[3 + side].access = n->tlb_access[side];
        l[3 + side].miss = n->tlb_miss[side];
        l[3 + side].causes = m->causes ? &n->tlb_causes[side] : NULL;
    }
    l[2].access = tally_l2_accesses(n);
    l[2].miss = tally_l2_misses(n);
    l[2].causes = m->causes ? &n->l2_causes : NULL;
    l[5].access = n->stlb_access;
    l[5].miss = n->stlb_miss;
    l[5].causes = m->causes ? &n->stlb_causes : NULL;
    kinds_of(n, &l[SIDE_D], &l[2]);
}

static void print_row(const char *indent, const char *name, uint64_t access,
                      uint64_t miss)
{
    char text[24];
    snprintf(text, sizeof text, "%s%s", indent, name);
    printf("%-17s %13" PRIu64 " %13" PRIu64 " %12" PRIu64 " %6.2f%%\n", text, access,
           access - miss, miss, percent(miss, access));
}

static void print_table(const struct trace_run *run, const struct trace_setup *t)
{
    const struct memsys_tally *n = trace_run_counts(run);
    const struct cycles c = trace_run_cycles(run);
    struct level l[NR_LEVELS];
    levels_of(run, t, l);
    printf("%" PRIu64 " references%s%s, mode %c\n\n", trace_run_references(run),
           t->geometry ? ", geometry " : "", t->geometry ? t->geometry : "", t->mode);
    for (int i = 0; i < NR_LEVELS; i++) {
        if (l[i].there) {
            printf("%-17s %s\n", l[i].name, l[i].is);
        }
    }
    printf("\n%-17s %13s %13s %12s %7s\n", "", "accesses", "hits", "misses", "");
    for (int i = 0; i < NR_LEVELS; i++) {
        if (!l[i].there) {
            continue;
        }
        print_row("", l[i].name, l[i].access, l[i].miss);
        for (int k = 0; k < l[i].nr_kinds; k++) {
            const struct kind *kind = &l[i].kinds[k];
            if (i < NR_SIDES || kind->access) { /* L2's as far as there were any */
                print_row("  ", kind->word, kind->access, kind->miss);
            }
        }
    }
    if (t->machine.causes) {
        printf("\n%-17s %13s %13s %12s\n", "misses by cause", "cold", "capacity",
               "conflict");
        for (int i = 0; i < NR_LEVELS; i++) {
            if (l[i].there && l[i].causes) {
                printf("%-17s %13" PRIu64 " %13" PRIu64 " %12" PRIu64 "\n", l[i].name,
                       l[i].causes->cold, l[i].causes->capacity, l[i].causes->conflict);
            }
        }
    }
    printf("\n%-17s %13" PRIu64 " of L1, %" PRIu64 " of L2; %" PRIu64
           " bytes to memory\n",
           "write-backs", n->l1_writeback[SIDE_I] + n->l1_writeback[SIDE_D],
           n->l2_writeback, memsys_memory_bytes(trace_run_memsys(run)));
    printf("%-17s %13" PRIu64 " instruction, %" PRIu64 " data\n", "two lines",
           n->l1_straddle[SIDE_I], n->l1_straddle[SIDE_D]);
    printf("%-17s %13" PRIu64 "\n", "walks", n->walks);
    if (t->tables) {
        uint64_t faults, tables;
        trace_run_process(run, &faults, &tables);
        printf("%-17s %13" PRIu64 " of L2, %" PRIu64 " missed; %" PRIu64
               " page faults, %" PRIu64 " pages of tables\n",
               "  table accesses", n->l2_access[L2_WALK], n->l2_miss[L2_WALK], faults,
               tables);
    }
    printf("%-17s %13" PRIu64 " (L1 %" PRIu64 ", L2 %" PRIu64 ", memory %" PRIu64
           ", TLB %" PRIu64 ", walks %" PRIu64 ")\n",
           "cycles", c.total, c.l1, c.l2, c.memory, c.tlb, c.walk);
    printf("%-17s %13.3f cycles (cost model %s: %s)\n", "AMAT",
           c.accesses ? (double)c.total / (double)c.accesses : 0, t->cost->name,
           t->cost->source);
}

static void print_json(const struct trace_run *run, const struct trace_setup *t)
{
    const struct memsys_tally *n = trace_run_counts(run);
    const struct cycles c = trace_run_cycles(run);
    struct level l[NR_LEVELS];
    levels_of(run, t, l);
    printf("{\"references\":%" PRIu64 ",\"mode\":\"%c\"", trace_run_references(run),
           t->mode);
    if (t->geometry) {
        printf(",\"geometry\":\"%s\"", t->geometry);
    }
    for (int i = 0; i < NR_LEVELS; i++) {
        if (!l[i].there) {
            continue;
        }
        printf(",\"%s\":{\"is\":\"%s\",\"accesses\":%" PRIu64 ",\"hits\":%" PRIu64
               ",\"misses\":%" PRIu64,
               l[i].key, l[i].is, l[i].access, l[i].access - l[i].miss, l[i].miss);
        for (int k = 0; k < l[i].nr_kinds; k++) {
            const struct kind *kind = &l[i].kinds[k];
            printf(",\"%s\":%" PRIu64 ",\"%s\":%" PRIu64, kind->accesses, kind->access,
                   kind->misses, kind->miss);
        }
        if (l[i].causes) {
            printf(",\"cold\":%" PRIu64 ",\"capacity\":%" PRIu64 ",\"conflict\":%" PRIu64,
                   l[i].causes->cold, l[i].causes->capacity, l[i].causes->conflict);
        }
        printf("}");
    }
    printf(",\"writebacks\":{\"l1\":%" PRIu64 ",\"l2\":%" PRIu64
           ",\"memory_bytes\":%" PRIu64 "}",
           n->l1_writeback[SIDE_I] + n->l1_writeback[SIDE_D], n->l2_writeback,
           memsys_memory_bytes(trace_run_memsys(run)));
    printf(",\"straddles\":{\"instruction\":%" PRIu64 ",\"data\":%" PRIu64
           "},\"walks\":%" PRIu64,
           n->l1_straddle[SIDE_I], n->l1_straddle[SIDE_D], n->walks);
    if (t->tables) {
        uint64_t faults, tables;
        trace_run_process(run, &faults, &tables);
        printf(",\"mmu\":{\"table_accesses\":%" PRIu64 ",\"table_misses\":%" PRIu64
               ",\"page_faults\":%" PRIu64 ",\"table_pages\":%" PRIu64 "}",
               n->l2_access[L2_WALK], n->l2_miss[L2_WALK], faults, tables);
    }
    printf(",\"cycles\":{\"total\":%" PRIu64 ",\"l1\":%" PRIu64 ",\"l2\":%" PRIu64
           ",\"memory\":%" PRIu64 ",\"tlb\":%" PRIu64 ",\"walks\":%" PRIu64 "}",
           c.total, c.l1, c.l2, c.memory, c.tlb, c.walk);
    printf(",\"amat\":%.6f,\"cost_model\":\"%s\",\"counts\":{",
           c.accesses ? (double)c.total / (double)c.accesses : 0, t->cost->name);
    struct trace_metric metric;
    for (size_t i = 0; trace_run_metric(run, i, &metric); i++) {
        printf("%s\"%s\":%" PRIu64, i ? "," : "", metric.name, metric.value);
    }
    printf("}}\n");
}

/* ---- on the screen ---- */

/* The trace comes over the standard input: keys then come from the terminal itself.
 * Answers the path under which the trace can still be read. */
static bool keys_from_terminal(char *path, size_t size, char *err, size_t err_size)
{
    int fd = dup(fileno(stdin));
    if (fd < 0 || !freopen("/dev/tty", "r", stdin)) {
        snprintf(err, err_size,
                 "--view with - needs a terminal for the keys, and there is none");
        return false;
    }
    snprintf(path, size, "/dev/fd/%d", fd);
    return true;
}

static int view_trace(const struct options *o, const struct trace_setup *setup,
                      const char *path, uint64_t syn)
{
    char err[600] = "", fd_path[32];
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *name = slash && slash[1] ? slash + 1
                       : path            ? path
                                         : "the generated trace";
    if (path && !strcmp(path, "-")) {
        if (!keys_from_terminal(fd_path, sizeof fd_path, err, sizeof err)) {
            return trouble("%s", err);
        }
        path = fd_path;
        name = "the standard input";
    }
    struct trace_feed *f = trace_feed_open(setup, path, syn, err, sizeof err);
    if (!f) {
        return trouble("%s", err);
    }
    const struct timeline_options options = {.history_bytes = o->history_bytes};
    struct timeline *t = trace_feed_timeline(f, &options, err, sizeof err);
    struct session *s = t ? session_open_timeline(t, name) : NULL;
    int status = EXIT_TROUBLE;
    if (s) {
        session_set_feed(s, trace_feed_next, f);
        session_set_feed_ready(s, trace_feed_ready);
        session_set_feed_peek(s, trace_feed_peek);
        session_set_view(s, "hardware");
        status = view_session(s, o);
    } else {
        trouble("%s: %s", name, t ? "out of memory" : err);
    }
    trace_feed_close(f);
    return status;
}

int cmd_trace(const struct options *o, int argc, char **argv)
{
    char err[512] = "";
    struct trace_setup setup;
    struct source source = {0};
    uint64_t n = 0;
    const char *syn = o->value[OPT_SYN];
    if (argc > 1 || (argc == 1) == (syn != NULL)) {
        return trouble(argc > 1
                           ? "trace takes one file: mmscope trace FILE"
                           : "trace wants a file, - for the standard input, or --syn N");
    }
    if (syn && !parse_number(syn, &n)) {
        return trouble("--syn %s: how many references? A number is wanted", syn);
    }
    if (o->value[OPT_COUNTS] && o->value[OPT_JSON]) {
        return trouble("--counts and --json: one of them");
    }
    if (o->value[OPT_VIEW] && (o->value[OPT_COUNTS] || o->value[OPT_JSON])) {
        return trouble("--view shows the trace, --counts and --json print: one of them");
    }
    if (!read_setup(o, &setup, err, sizeof err)) {
        return trouble("%s", err);
    }
    if (o->value[OPT_VIEW]) {
        return view_trace(o, &setup, syn ? NULL : argv[0], n);
    }
    struct trace_run *run = trace_run_create(&setup, err, sizeof err);
    if (!run) {
        return trouble("%s", err);
    }
    source.syn = syn_begin(n);
    if (!syn) {
        source.reader = trace_open(argv[0], err, sizeof err);
    }
    int status = EXIT_TROUBLE;
    if (!syn && !source.reader) {
        trouble("%s", err);
    } else if (!run_all(&source, run, err, sizeof err)) {
        trouble("%s: %s", syn ? "syn" : argv[0], err);
    } else {
        o->value[OPT_COUNTS] ? print_counts(run)
        : o->value[OPT_JSON] ? print_json(run, &setup)
                             : print_table(run, &setup);
        status = EXIT_OK;
    }
    trace_close(source.reader);
    trace_run_destroy(run);
    return status;
}
