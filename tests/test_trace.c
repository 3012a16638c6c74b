/* mmscope trace's reader, settings and counts. The counts are compared with
 * tests/golden/cache/counts.tsv, on which independent simulators agree.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#if !defined _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* pipe */
#endif
#include <unistd.h>

#include "prng.h"
#include "tap.h"
#include "trace_reader.h"
#include "trace_run.h"

/* ---- the parser ---- */

struct parsed {
    struct ref ref[256];
    size_t n;
    struct trace_parser parser;
};

/* Parse a text given in two pieces, cut at byte `cut`. */
static void parse(struct parsed *p, const char *text, size_t cut)
{
    static char buf[8192 + TRACE_PAD];
    size_t len = strlen(text);
    memset(p, 0, sizeof *p);
    memset(buf, '7', sizeof buf); /* what is behind the end must not matter */
    memcpy(buf, text, cut);
    const char *at = buf;
    p->n = trace_parse(&p->parser, &at, buf + cut, false, p->ref, 256);
    size_t left = (size_t)(buf + cut - at);
    memmove(buf, at, left);
    memcpy(buf + left, text + cut, len - cut);
    at = buf;
    size_t n;
    while (!p->parser.error && (n = trace_parse(&p->parser, &at, buf + left + len - cut,
                                                true, p->ref + p->n, 256 - p->n)) != 0) {
        p->n += n;
    }
}

static bool is_ref(const struct ref *r, uint32_t kind, uint64_t va, uint32_t size)
{
    return r->kind == kind && r->va == va && r->size == size;
}

static void test_lackey(void)
{
    const char *text = "==12== Lackey, an example Valgrind tool\n"
                       "I  04001000,3\n"
                       " L 1ffeffe7e8,8\n"
                       " S 7f0000000000,16\n"
                       " M deadBEEF,4\n"
                       "--12-- a warning\n"
                       "I  10,1\r\n"
                       " L ffffffffffffff00,256\n"
                       " S 00000000000000001,1";
    struct parsed p;
    int wrong = 0;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        parse(&p, text, cut);
        wrong += p.parser.error || p.n != 7 || p.parser.lines != 9;
        wrong += !is_ref(&p.ref[0], REF_FETCH, 0x4001000, 3) ||
                 !is_ref(&p.ref[1], REF_LOAD, 0x1ffeffe7e8, 8);
        wrong += !is_ref(&p.ref[2], REF_STORE, 0x7f0000000000, 16) ||
                 !is_ref(&p.ref[3], REF_MODIFY, 0xdeadbeef, 4);
        wrong += !is_ref(&p.ref[4], REF_FETCH, 0x10, 1) ||
                 !is_ref(&p.ref[5], REF_LOAD, 0xffffffffffffff00, 256) ||
                 !is_ref(&p.ref[6], REF_STORE, 1, 1);
    }
    ok(!wrong, "lackey: the same, wherever the text is cut");
}

static void test_din(void)
{
    struct parsed p;
    parse(&p, "2 401ab70\n0 0x1fff000cb8 a comment\n1 7\n3 c\n 2\t10\n", 9);
    ok(p.n == 5 && !p.parser.error && p.parser.format == TRACE_DIN,
       "din: five references");
    ok(is_ref(&p.ref[0], REF_FETCH, 0x401ab70, 4) &&
           is_ref(&p.ref[1], REF_LOAD, 0x1fff000cb8, 4) &&
           is_ref(&p.ref[2], REF_STORE, 4, 4) && is_ref(&p.ref[3], REF_LOAD, 0xc, 4) &&
           is_ref(&p.ref[4], REF_FETCH, 0x10, 4),
       "words of four bytes");
    parse(&p, "r 1000 8\nw 0x2003 1 x\ni 30 a\nm 8 2", 3);
    ok(p.n == 4 && !p.parser.error && p.parser.format == TRACE_XDIN,
       "extended din: four references");
    ok(is_ref(&p.ref[0], REF_LOAD, 0x1000, 8) &&
           is_ref(&p.ref[1], REF_STORE, 0x2003, 1) &&
           is_ref(&p.ref[2], REF_FETCH, 0x30, 10) && is_ref(&p.ref[3], REF_LOAD, 8, 2),
       "with sizes in hexadecimal");
}

static void test_malformed(void)
{
    static const struct {
        const char *text;
        uint64_t line;
    } bad[] = {
        {"hello\n", 1},
        {"\n", 1},
        {"I  1000,4\n\nI  1000,4\n", 2},
        {"I  1000,4\nI  1000\n", 2},
        {"I  1000,4\nI  1000,\n", 2},
        {"I  1000,4\nI  1000,0\n", 2},
        {"I  1000,4\nI  1000,4 \n", 2},
        {"I  1000,4\nI  1000,4x\n", 2},
        {"I  1000,4\nI 1000,4\n", 2},
        {"I  1000,4\n L 1000,99999999999\n", 2},
        {"I  1000,4\n L ,4\n", 2},
        {"I  1000,4\n L 100g,4\n", 2},
        {"I  1000,4\n L 0x1000,4\n", 2},
        {"I  1000,4\n X 1000,4\n", 2},
        {"I  1000,4\nL  1000,4\n", 2},
        {"I  1000,4\n L ffffffffffffffff,2\n", 2},
        {"I  1000,4\n L 10000000000000000,2\n", 2},
        {"I  1000,4\n0 1000\n", 2},
        {"I  1000,4\n L \x11\x12\x13\x14\x15\x16\x17\x18,4\nI  00001000,4\nI  "
         "00001000,4\n",
         2},
        {"0 1000\n4 1000\n", 2},
        {"0 1000\n0\n", 2},
        {"0 1000\n0 xyz\n", 2},
        {"0 1000\n0 100,4\n", 2},
        {"r 1000 4\nv 1000 4\n", 2},
        {"r 1000 4\nr 1000\n", 2},
        {"r 1000 4\nr 1000 0\n", 2},
        {"r 1000 4\nr fffffffffffffffe 4\n", 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct parsed p;
        parse(&p, bad[i].text, 0);
        char name[64];
        snprintf(name, sizeof name, "%s", bad[i].text);
        ok(p.parser.error && p.parser.lines + 1 == bad[i].line,
           "line %" PRIu64 " of %s is refused: %s", bad[i].line, name,
           p.parser.error ? p.parser.error : "it is not");
    }
}

/* The quick path and the exact one agree: the same line, once in the middle of a text and
 * once alone. */
static void test_quick(struct prng *r)
{
    static const char letters[] = "0123456789abcdefABCDEF, LSMI\nxg/:@G`\t";
    int wrong = 0, good = 0;
    for (int i = 0; i < 20000; i++) {
        char line[64], text[256];
        snprintf(line, sizeof line, "%s %0*" PRIx64 ",%u",
                 (const char *[]){"I ", " L", " S", " M"}[i & 3], (int)prng_below(r, 17),
                 prng_next(r) >> (prng_below(r, 60) + 1), (unsigned)prng_below(r, 120));
        if (prng_one_in(r, 2)) {
            line[prng_below(r, strlen(line))] =
                letters[prng_below(r, sizeof letters - 1)];
        }
        struct parsed alone, within;
        /* first a good line, so that the format is known; long enough lines behind it for
           the quick path */
        snprintf(text, sizeof text, "I  00001000,4\n%s\n", line);
        parse(&alone, text, 0);
        snprintf(text, sizeof text,
                 "I  00001000,4\n%s\nI  00002000,4\nI  00003000,4\nI  00004000,4\n",
                 line);
        parse(&within, text, 0);
        bool same =
            (alone.parser.error != NULL) == (within.parser.error != NULL) &&
            within.n == alone.n + (alone.parser.error ? 0 : 3) &&
            !memcmp(&alone.ref[1], &within.ref[1], sizeof alone.ref[1] * (alone.n > 1));
        wrong += !same;
        good += !alone.parser.error;
    }
    ok(!wrong && good > 1000,
       "quick and exact parsing agree on 20000 lines (%d of them good)", good);
}

/* ---- settings ---- */

static void test_settings(void)
{
    struct trace_setup t;
    char err[256];
    trace_setup_init(&t);
    ok(trace_setup_check(&t, err, sizeof err), "the default is a machine");
    ok(trace_setup_set(&t, "l1d", "24K,6,32,fifo", err, sizeof err) &&
           t.machine.l1[SIDE_D].sets == 128 && t.machine.l1[SIDE_D].policy == POLICY_FIFO,
       "24K,6,32,fifo has 128 sets");
    ok(trace_setup_set(&t, "l2", "none", err, sizeof err) &&
           trace_setup_check(&t, err, sizeof err),
       "without a second level");
    ok(trace_setup_set(&t, "dtlb", "48:3", err, sizeof err) &&
           trace_setup_check(&t, err, sizeof err),
       "16 sets of 3");
    static const char *const bad[][2] = {
        {"l1d", "32K"},
        {"l1d", "32K,0"},
        {"l1d", "100,8"},
        {"l1d", "32K,8,63"},
        {"l1d", "32X,8"},
        {"l1d", "32K,8,64,mru"},
        {"l1d", "32K,8,64,lru,1"},
        {"dtlb", "64,5"},
        {"l1x", "32K,8"},
        {"tags", "none"},
        {"write", "around"},
        {"cost", "free"},
        {"seed", "-1"},
        {"causes", "maybe"},
        {"l1d", ""},
        {"dtlb", "0,0"},
        {"l2", "99999999G,8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(!trace_setup_set(&t, bad[i][0], bad[i][1], err, sizeof err) && err[0],
           "%s=%s: %s", bad[i][0], bad[i][1], err);
    }
    trace_setup_init(&t);
    trace_setup_set(&t, "l1d", "48K,12,64,plru", err, sizeof err);
    ok(!trace_setup_check(&t, err, sizeof err), "refused when put together: %s", err);
    ok(!trace_setup_geometry(&t, "G5", err, sizeof err), "%s", err);
    ok(!trace_setup_mode(&t, "X", err, sizeof err), "%s", err);
}

/* What a pipe has is read, whatever is still to come. */
static void test_slow_pipe(void)
{
    static const char text[] = "I  04001000,3\n L 1ffeffe7e8,8\n S 1ff";
    struct ref refs[16];
    char path[32], err[256] = "";
    int fd[2];
    if (pipe(fd) || write(fd[1], text, sizeof text - 1) != (ssize_t)sizeof text - 1) {
        bail_out("no pipe");
    }
    snprintf(path, sizeof path, "/dev/fd/%d", fd[0]);
    struct trace_reader *r = trace_open(path, err, sizeof err);
    if (!r) {
        bail_out("%s", err);
    }
    ok(trace_ready(r, 0), "a pipe with lines is ready");
    is_u64(trace_read(r, refs, 16, err, sizeof err), 2, "and they are read");
    ok(!trace_ready(r, 0), "with half a line it is not");
    if (write(fd[1], "0,4\n", 4) != 4) {
        bail_out("no pipe");
    }
    ok(trace_ready(r, 0) && trace_read(r, refs, 16, err, sizeof err) == 1 &&
           is_ref(&refs[0], REF_STORE, 0x1ff0, 4),
       "with its other half it is");
    close(fd[1]);
    ok(trace_ready(r, 0) && !trace_read(r, refs, 16, err, sizeof err) && !err[0],
       "and so is its end");
    trace_close(r);
    close(fd[0]);
}

/* ---- counts ---- */

static bool feed(struct trace_run *run, const char *trace, char *err, size_t err_size)
{
    static struct ref refs[4096];
    size_t n;
    if (!strcmp(trace, "syn2m")) {
        struct syn s = syn_begin(2000000);
        while ((n = syn_read(&s, refs, 4096)) != 0) {
            if (!trace_run_refs(run, refs, n, err, err_size)) {
                return false;
            }
        }
        return true;
    }
    char path[512], file[256];
    snprintf(file, sizeof file, "tests/golden/cache/%s.lk.gz", trace);
    struct trace_reader *reader =
        trace_open(source_path(path, sizeof path, file), err, err_size);
    bool good = reader != NULL;
    while (good && (n = trace_read(reader, refs, 4096, err, err_size)) != 0) {
        good = trace_run_refs(run, refs, n, err, err_size);
    }
    trace_close(reader);
    return good && !err[0];
}

struct row {
    char trace[16], geometry[64], mode[4], metric[24];
    uint64_t value;
};

static struct row rows[2000];
static size_t nr_rows;

static void load_rows(void)
{
    char path[512], line[256];
    FILE *f = fopen(source_path(path, sizeof path, "tests/golden/cache/counts.tsv"), "r");
    if (!f) {
        bail_out("%s cannot be opened", path);
    }
    while (fgets(line, sizeof line, f) && nr_rows < sizeof rows / sizeof *rows) {
        struct row *r = &rows[nr_rows];
        nr_rows += sscanf(line, "%15s %63s %3s %23s %" SCNu64, r->trace, r->geometry,
                          r->mode, r->metric, &r->value) == 5;
    }
    fclose(f);
}

static bool metric_of(const struct trace_run *run, const char *name, uint64_t *value)
{
    struct trace_metric m;
    for (size_t i = 0; trace_run_metric(run, i, &m); i++) {
        if (!strcmp(m.name, name)) {
            *value = m.value;
            return true;
        }
    }
    return false;
}

/* All rows of one run; causes must change nothing. */
static void test_run(const struct row *first, bool causes)
{
    struct trace_setup setup;
    char err[256] = "", geometry[4] = "";
    memcpy(geometry, first->geometry, 2);
    trace_setup_init(&setup);
    trace_setup_geometry(&setup, geometry, err, sizeof err);
    trace_setup_mode(&setup, first->mode, err, sizeof err);
    setup.machine.causes = causes;
    struct trace_run *run = trace_run_create(&setup, err, sizeof err);
    if (!run || !feed(run, first->trace, err, sizeof err)) {
        bail_out("%s %s: %s", first->trace, geometry, err);
    }
    size_t same = 0, all = 0;
    for (size_t i = 0; i < nr_rows; i++) {
        const struct row *r = &rows[i];
        uint64_t got = 0;
        if (strcmp(r->trace, first->trace) || strcmp(r->geometry, first->geometry) ||
            strcmp(r->mode, first->mode)) {
            continue;
        }
        all++;
        if (metric_of(run, r->metric, &got) && got == r->value) {
            same++;
        } else {
            diag("%s: %" PRIu64 " wanted, %" PRIu64 " got", r->metric, r->value, got);
        }
    }
    ok(all && same == all, "%s, %s, mode %s%s: %zu of %zu counts", first->trace, geometry,
       first->mode, causes ? ", causes told" : "", same, all);
    if (causes) {
        const struct memsys_tally *n = trace_run_counts(run);
        const struct miss_causes *c = n->l1_causes;
        ok(c[0].cold + c[0].capacity + c[0].conflict == tally_l1_misses(n, SIDE_I) &&
               c[1].cold + c[1].capacity + c[1].conflict == tally_l1_misses(n, SIDE_D),
           "every miss has one cause");
    }
    trace_run_destroy(run);
}

static void test_counts(void)
{
    load_rows();
    for (size_t i = 0; i < nr_rows; i++) {
        bool seen = !strcmp(rows[i].trace, "sort"); /* 21 million references: by hand */
        for (size_t k = 0; k < i && !seen; k++) {
            seen = !strcmp(rows[i].trace, rows[k].trace) &&
                   !strcmp(rows[i].geometry, rows[k].geometry) &&
                   !strcmp(rows[i].mode, rows[k].mode);
        }
        if (!seen) {
            test_run(&rows[i], false);
            if (!strcmp(rows[i].trace, "ls100k")) {
                test_run(&rows[i], true);
            }
        }
    }
}

/* A story of causes on a direct-mapped cache of four lines. */
static void test_causes(void)
{
    struct trace_setup t;
    char err[256];
    trace_setup_init(&t);
    trace_setup_geometry(&t, "G1", err, sizeof err);
    trace_setup_set(&t, "l1d", "256,1,64", err, sizeof err);
    t.machine.causes = true;
    struct trace_run *run = trace_run_create(&t, err, sizeof err);
    static const struct ref refs[] = {
        {0x0000, 4, REF_LOAD}, {0x0100, 4, REF_LOAD}, /* cold, cold: the same set */
        {0x0000, 4, REF_LOAD}, /* conflict: four lines would have held both */
        {0x1040, 4, REF_LOAD}, {0x1080, 4, REF_LOAD}, /* cold, cold */
        {0x10c0, 4, REF_LOAD},                        /* cold: now 0x100 is the fifth */
        {0x0100, 4, REF_LOAD},                        /* capacity */
    };
    trace_run_refs(run, refs, sizeof refs / sizeof *refs, err, sizeof err);
    const struct miss_causes *c = &trace_run_counts(run)->l1_causes[SIDE_D];
    is_u64(c->cold, 5, "cold misses");
    is_u64(c->conflict, 1, "conflict misses");
    is_u64(c->capacity, 1, "capacity misses");
    trace_run_destroy(run);
}

/* A reference of many pages uses the frame of each of them. */
static void test_many_pages(void)
{
    struct trace_setup t;
    char err[256];
    trace_setup_init(&t);
    trace_setup_set(&t, "translation", "first-touch", err, sizeof err);
    struct trace_run *run = trace_run_create(&t, err, sizeof err);
    static const struct ref refs[] = {{0x5000, 1, REF_LOAD},
                                      {0x3800, 0x3000, REF_MODIFY},
                                      {0xfffffffffffff000u - 1, 4097, REF_LOAD}};
    ok(trace_run_refs(run, refs, sizeof refs / sizeof *refs, err, sizeof err),
       "references of several pages: %s", err);
    const struct memsys_tally *n = trace_run_counts(run);
    is_u64(n->tlb_access[SIDE_D], 1 + 2 * 4 + 2, "each page is translated");
    is_u64(n->tlb_miss[SIDE_D], 1 + 3 + 2, "and found where it was");
    is_u64(tally_l1_misses(n, SIDE_D), 1 + 191 + 65, "0x5000 is in its line of before");
    is_u64(n->l1_straddle[SIDE_D], 3, "each access is in two pieces or more");
    is_u64(n->tlb_straddle[SIDE_D], 3, "of lines and of pages");
    is_u64(trace_run_references(run), 3, "and three references");
    trace_run_destroy(run);
}

/* A process's tables lie in the machine that gives it pages, whose arena is not that of
 * the caches. Each way of running the same references over them counts the same. */
static void test_tables(void)
{
    static struct ref refs[20000];
    static const char *const tags[] = {"pipt", "vipt", "vivt"};
    const size_t offset = offsetof(struct memsys_tally, l1_causes);
    char err[256];
    struct syn s = syn_begin(sizeof refs / sizeof *refs);
    const size_t n = syn_read(&s, refs, sizeof refs / sizeof *refs);
    for (int i = 0; i < 3; i++) {
        struct trace_run *run[2];
        for (int causes = 0; causes < 2; causes++) {
            struct trace_setup t;
            trace_setup_init(&t);
            t.tables = true;
            t.machine.causes = causes;
            if (!trace_setup_set(&t, "tags", tags[i], err, sizeof err) ||
                !(run[causes] = trace_run_create(&t, err, sizeof err)) ||
                !trace_run_refs(run[causes], refs, n, err, sizeof err)) {
                bail_out("%s", err);
            }
        }
        ok(!memcmp(trace_run_counts(run[0]), trace_run_counts(run[1]), offset) &&
               trace_run_counts(run[0])->walks > 1000,
           "page tables, %s: the same counts with and without causes", tags[i]);
        trace_run_destroy(run[0]);
        trace_run_destroy(run[1]);
    }
}

int main(void)
{
    struct prng r = {99};
    test_lackey();
    test_din();
    test_malformed();
    test_quick(&r);
    test_settings();
    test_slow_pipe();
    test_causes();
    test_tables();
    test_many_pages();
    test_counts();
    return done_testing();
}
