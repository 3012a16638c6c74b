/* The replay against the golden records, whole and damaged.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <zlib.h>

#include "host.h"
#include "replay.h"
#include "stream.h"
#include "tap.h"

/* Answers: pages from the page allocator, addresses from vmalloc and kmap, and objects:
 * geometries, objects, kmallocs. States: of the page allocator and of caches. objects 0:
 * they are not modelled, nor is the state behind them. */
static const struct {
    const char *name;
    uint64_t pages, addresses, objects, states;
} golden[] = {{"i386-slab-160M-high80M", 76724, 2276, 124 + 4968 + 28, 12 + 12},
              {"i386-slab-160M-smp2", 4620, 2276, 124 + 4987 + 28, 4 + 12},
              {"i386-slab-1G", 2015, 2276, 124 + 4968 + 28, 4 + 12},
              {"i386-slub-160M-high80M", 4660, 2276, 124 + 4968 + 28, 4 + 12},
              {"i386pae-slab-160M-high80M", 4660, 2276, 124 + 4968 + 28, 4 + 12},
              {"x86_64-slab-256M", 4660, 16, 124 + 4968 + 28, 4 + 12}};
enum { NR_GOLDEN = sizeof golden / sizeof golden[0] };

static char *read_golden(const char *name, size_t *size)
{
    char path[1024], file[200], err[300];
    snprintf(file, sizeof file, "tests/golden/%s.txt.xz", name);
    struct stream *s = stream_open(source_path(path, sizeof path, file), err, sizeof err);
    const char *cause = err;
    char *text = s ? stream_read_all(s, 1 << 28, size, &cause) : NULL;
    stream_close(s);
    if (!text) {
        bail_out("%s: %s", file, cause);
    }
    return text;
}

/* What a run said. */
struct seen {
    bool ran;
    struct replay_tally t;
    uint32_t first_line; /* of the first difference */
    char what[200], expected[300], got[300], stack[4096];
    char err[600];
};

static void see_difference(void *ctx, const struct replay_difference *d)
{
    struct seen *s = ctx;
    if (!s->first_line) {
        s->first_line = d->line;
        snprintf(s->what, sizeof s->what, "%s", d->what);
        snprintf(s->expected, sizeof s->expected, "%s", d->expected);
        snprintf(s->got, sizeof s->got, "%s", d->got);
        snprintf(s->stack, sizeof s->stack, "%s", d->stack);
    }
}

static struct seen *last_seen;

static struct seen *replay(const char *text, size_t size)
{
    static struct seen s;
    last_seen = &s;
    memset(&s, 0, sizeof s);
    struct record *r = record_parse("it", text, size, s.err, sizeof s.err);
    struct replay *rp = r ? replay_create(r, NULL, s.err, sizeof s.err) : NULL;
    if (rp) {
        const struct replay_watch w = {
            .ctx = &s, .difference = see_difference, .max_differences = 3};
        s.ran = replay_run(rp, &w, &s.t, s.err, sizeof s.err);
        replay_destroy(rp);
    }
    record_free(r);
    return &s;
}

static void check_golden(void)
{
    for (size_t i = 0; i < NR_GOLDEN; i++) {
        size_t size;
        const uint64_t answers =
            golden[i].pages + golden[i].addresses + golden[i].objects;
        char *text = read_golden(golden[i].name, &size);
        const struct seen *s = replay(text, size);
        ok(s->ran && !s->t.differences, "%s: no differences%s%s", golden[i].name,
           s->first_line ? ", but " : "", s->what);
        is_u64(s->t.answers, answers, "%s: answers asked", golden[i].name);
        is_u64(s->t.answers_identical, answers, "%s: answers identical", golden[i].name);
        is_u64(s->t.states, golden[i].states, "%s: states compared", golden[i].name);
        is_u64(s->t.states_identical, golden[i].states, "%s: states identical",
               golden[i].name);
        ok(s->t.figures > 20 && s->t.figures == s->t.figures_identical,
           "%s: all %" PRIu64 " computed figures are the kernel's", golden[i].name,
           s->t.figures);
        is_u64(s->t.unmodelled[RECORD_STATE], !golden[i].objects,
               "%s: states behind lines that are not modelled", golden[i].name);
        ok(golden[i].objects ? !s->t.nr_unmodelled : s->t.nr_unmodelled > 1000,
           "%s: %" PRIu64 " lines are not modelled", golden[i].name, s->t.nr_unmodelled);
        free(text);
    }
}

/* ---- damage ---- */

static char *edit_text; /* a record that is changed and put back */
static size_t edit_size;

static char *line_at(uint32_t line)
{
    char *at = edit_text;
    for (uint32_t i = 1; i < line; i++) {
        at = strchr(at, '\n') + 1;
    }
    return at;
}

/* The line number of the nth line that begins so. */
static uint32_t find_line(const char *begin, uint32_t nth)
{
    uint32_t line = 1;
    for (const char *at = edit_text; at && *at; line++) {
        if (!strncmp(at, begin, strlen(begin)) && !nth--) {
            return line;
        }
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    bail_out("no line begins with %s", begin);
    return 0;
}

/* Replace `from` by `to` (of the same length) in that line; the replay must tell a
 * difference there. */
static void expect_difference(uint32_t line, const char *from, const char *to,
                              uint32_t told, const char *what)
{
    char *start = line_at(line), *end = strchr(start, '\n'), *at = strstr(start, from);
    if (!at || at >= end || strlen(from) != strlen(to)) {
        bail_out("line %u has no %s", line, from);
    }
    memcpy(at, to, strlen(to));
    const struct seen *s = replay(edit_text, edit_size);
    ok(s->ran && s->t.differences > 0, "line %u, %s instead of %s: a difference", line,
       to, from);
    if (told) {
        is_u64(s->first_line, told, "... told for line %u", told);
    }
    ok(strstr(s->what, what) != NULL, "... as %s (%s, not %s)", s->what, s->expected,
       s->got);
    memcpy(at, from, strlen(from));
}

/* The same for something that makes the record unusable. */
static void expect_error(uint32_t line, const char *from, const char *to,
                         const char *message)
{
    char place[32];
    char *start = line_at(line), *end = strchr(start, '\n'), *at = strstr(start, from);
    if (!at || at >= end || strlen(from) != strlen(to)) {
        bail_out("line %u has no %s", line, from);
    }
    memcpy(at, to, strlen(to));
    const struct seen *s = replay(edit_text, edit_size);
    ok(!s->ran, "line %u, %s instead of %s: unusable", line, to, from);
    ok(strstr(s->err, message) != NULL, "... with a reason: %s", s->err);
    snprintf(place, sizeof place, "%u", line);
    ok(strstr(s->err, place) != NULL, "... that names the line");
    memcpy(at, from, strlen(from));
}

static void check_damaged_answers(void)
{
    uint32_t alloc = find_line("alloc 0 GFP_KERNEL -> 19ef", 0);
    expect_difference(alloc, "19ef", "19f0", alloc, "alloc_pages(GFP_KERNEL");
    ok(strstr(last_seen->stack, "rmqueue") && strstr(last_seen->stack, "pfn=0x19ef"),
       "... with the call stack at the event that chose the page");
    is_str(last_seen->expected, "19f0", "... expected as recorded");
    is_str(last_seen->got, "19ef", "... and what came");
    expect_difference(alloc, "19ef", "NULL", alloc, "alloc_pages(GFP_KERNEL");
    uint32_t freed = find_line("free 0 19ef", 0);
    expect_difference(freed, "19ef", "0ffe", freed, "__free_pages");
    uint32_t exhausted = find_line("exhausted after=", 1);
    expect_difference(exhausted, "33709", "33708", exhausted,
                      "allocations that succeeded");
    is_u64(last_seen->t.states_identical + 1, last_seen->t.states,
           "... and the exhausted state is not identical");
    /* other calls than the recorded ones give other answers */
    uint32_t order = find_line("alloc 2 GFP_ATOMIC ->", 5);
    expect_difference(order, "alloc 2", "alloc 1", 0, "");
}

static void check_damaged_states(void)
{
    uint32_t state = find_line("state after-mixed-1", 0), zone = state + 7,
             pcp = zone + 1;
    expect_difference(state, "totalreserve=1359", "totalreserve=1358", state,
                      "totalreserve");
    static const char *const zone_fields[][3] = {
        {"free=13866", "free=13867", "zone Normal: free"},
        {"min=212", "min=213", "zone Normal: min"},
        {"low=265", "low=266", "zone Normal: low"},
        {" high=318", " high=319", "zone Normal: high"},
        {"boost=0", "boost=1", "zone Normal: boost"},
        {"highatomic=0", "highatomic=1", "zone Normal: highatomic"},
        {"flags=0", "flags=1", "zone Normal: flags"},
        {"managed=14572", "managed=14571", "zone Normal: managed"},
        {"present=16352", "present=16351", "zone Normal: present"},
        {"0,0,640,640", "0,0,640,641", "zone Normal: lowmem_reserve[3]"},
        {"pageset_high=265", "pageset_high=264", "zone Normal: pageset_high"},
        {"pageset_batch=3", "pageset_batch=4", "zone Normal: pageset_batch"}};
    for (size_t i = 0; i < sizeof zone_fields / sizeof zone_fields[0]; i++) {
        expect_difference(zone, zone_fields[i][0], zone_fields[i][1], zone,
                          zone_fields[i][2]);
    }
    static const char *const pcp_fields[][3] = {
        {"count=1", "count=2", "count"},
        {"high=265", "high=266", "high"},
        {"batch=3", "batch=4", "batch"},
        {"free_factor=1", "free_factor=0", "free_factor"},
        {"free_diff=0", "free_diff=1", "free_diff"},
        {"threshold=2", "threshold=3", "threshold"}};
    for (size_t i = 0; i < sizeof pcp_fields / sizeof pcp_fields[0]; i++) {
        expect_difference(pcp, pcp_fields[i][0], pcp_fields[i][1], pcp, pcp_fields[i][2]);
    }
    expect_difference(pcp + 1, "1cfa", "1cfc", pcp + 1, "pcp list 2 of Normal");
    uint32_t list = find_line("freelist Normal order=0 type=M: 4edb 152b 1583 4d64", 0);
    expect_difference(list, "4edb 152b", "152b 4edb", list,
                      "free list Normal order 0 Movable");
    expect_difference(list, " 4d64", "     ", list, "free list Normal order 0 Movable");
    uint32_t blocks = find_line("blocks Normal order=10 start=1000:", 2);
    expect_difference(blocks, "M M U R", "M M R U", blocks,
                      "pageblock 1800 of zone Normal");
}

static void check_damaged_objects(void)
{
    static const char *const fields[][3] = {
        {"geometry size=72 hwalign=0", "num=56", "num=57"},
        {"geometry size=72 hwalign=0", "freelist_place=1", "freelist_place=0"},
        {"geometry size=7000 hwalign=0", "colour=37", "colour=36"},
        {"cache oracle-40 ", "freelist_size=99", "freelist_size=98"},
        {"cache oracle-40 ", "flags=0", "flags=1"},
        {"node oracle-40 total=3", "free_objects=0", "free_objects=1"},
        {"node oracle-700 total=19", "colour_next=5", "colour_next=6"},
        {"array_cache oracle-40 cpu=0 avail=27", "avail=27", "avail=28"},
        {"array_cache oracle-40 cpu=0 avail=27", "c1cf9960", "c1cf9988"},
        {"slab oracle-40 full", "pfn=1cf9", "pfn=1cf8"},
        {"slab oracle-40 full", "freelist=c1cf9f9d", "freelist=c1cf9f9c"},
        {"slab oracle-40 partial", "active=33", "active=34"},
        {"slab oracle-40 partial", "24 36 10", "36 24 10"},
        {"slab oracle-200 partial", "s_mem=c1cfb000", "s_mem=c1cfb020"},
        {"kmem_cache_alloc oracle-40", "c152b258", "c152b280"},
        {"kmem_cache_alloc oracle-1700", "-> c", "-> d"},
        {"kmem_cache_free oracle-200", "c1", "c3"},
        {"kmalloc 90", "kmalloc-96", "kmalloc-92"},
        {"kmalloc 3000", "ksize=4096", "ksize=2048"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const uint32_t line = find_line(fields[i][0], 0);
        expect_difference(line, fields[i][1], fields[i][2], line, "");
    }
    /* a slab too many, and one too few */
    const uint32_t slab = find_line("slab oracle-40 full", 0);
    expect_difference(slab, "oracle-40 full", "oracle-40 free", slab, "the slab");
    expect_error(slab, "active=99", "activx=99", "field");
    expect_error(slab, " full ", " fuxl ", "list of slabs");
    expect_error(find_line("geometry size=8", 0), "hwalign=0:", "hwalign=0 ", "hwalign");
    expect_error(find_line("kmalloc 90", 0), "ksize", "ksixe", "ksize");
}

static void check_damaged_slub(void)
{
    static const char *const fields[][3] = {
        {"geometry size=72 hwalign=0", "offset=36", "offset=32"},
        {"geometry size=7000 hwalign=0", "min_partial=6", "min_partial=5"},
        {"geometry size=7000 hwalign=0", "cpu_partial_slabs=3", "cpu_partial_slabs=4"},
        {"cache oracle-40 ", "flags=40000000", "flags=40002000"},
        {"node oracle-200 nr_partial=4", "nr_partial=4", "nr_partial=5"},
        {"cpu_slab oracle-40 cpu=0 slab=42a8", "42a8 ", "42a9 "},
        {"cpu_slab oracle-40 cpu=0 slab=42a8", "c42a8668", "c42a8690"},
        {"slab oracle-40 cpu_partial", "inuse=101", "inuse=100"},
        {"slab oracle-40 cpu_partial", "frozen=1", "frozen=0"},
        {"slab oracle-40 cpu_partial", "c1a0e2d0", "c1a0e2a8"},
        {"slab oracle-200 partial", "pfn=42a7", "pfn=42a6"},
        {"slab oracle-200 partial", "objects=18", "objects=17"},
        {"kmem_cache_alloc oracle-40", "c1a0e000", "c1a0e028"},
        {"kmem_cache_alloc oracle-1700", "-> c", "-> d"},
        {"kmem_cache_free oracle-200", " c", " d"},
        {"kmalloc 24", "kmalloc-32", "kmalloc-24"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const uint32_t line = find_line(fields[i][0], 0);
        expect_difference(line, fields[i][1], fields[i][2], line, "");
    }
}

/* The record without one line. */
static void check_missing_lines(void)
{
    static const char *const begins[] = {
        "free 0 ", "alloc 0 GFP_HIGHUSER",
        "pcplist Normal cpu=0 list=2:", "freelist HighMem order=10"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        char *start = line_at(find_line(begins[i], 1)), *next = strchr(start, '\n') + 1;
        size_t head = (size_t)(start - edit_text),
               tail = edit_size - (size_t)(next - edit_text);
        char *without = malloc(head + tail + 1);
        memcpy(without, edit_text, head);
        memcpy(without + head, next, tail + 1);
        const struct seen *s = replay(without, head + tail);
        ok(s->ran && s->t.differences > 0,
           "without the second '%s': %" PRIu64 " differences", begins[i],
           s->t.differences);
        free(without);
    }
}

static void check_unusable(void)
{
    uint32_t alloc = find_line("alloc 0 GFP_KERNEL -> 19ef", 0);
    expect_error(alloc, "alloc", "allox", "not known");
    expect_error(alloc, "GFP_KERNEL", "GFP_KERNEX", "GFP flags");
    expect_error(alloc, "19ef", "19xf", "page frame number");
    expect_error(alloc, "->", "<-", "->");
    expect_error(alloc, "alloc 0", "alloc b", "number");
    uint32_t state = find_line("state start", 0);
    expect_error(state, "start", "stars", "start, before-*");
    expect_error(state + 1, "spanned=4095", "spanned=3095", "cannot be");
    expect_error(state + 1, "managed=3840", "manager=3840", "field");
    expect_error(state + 1, "boost=0", "free=00", "twice");
    expect_error(state + 2, "cpu=0", "cpu=1", "CPU");
    expect_error(state + 2, "free_diff=0", "free_diff=x", "number");
    expect_error(find_line("freelist DMA order=10", 0), "800", "400", "another list");
    expect_error(find_line("freelist DMA order=10", 0), "800", "801", "aligned");
    expect_error(find_line("freelist DMA order=10", 0), "type=M", "type=X",
                 "migratetype");
    expect_error(find_line("lru HighMem", 0), "9c00-", "9fff-", "range");
    expect_error(find_line("oracle linux", 0), "ptrs=32", "ptrs=33", "not known");
}

/* ---- packing ---- */

static char *gzipped(const char *text, size_t size, size_t *out_size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)size};
    deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
    size_t room = deflateBound(&z, (uLong)size) + 64;
    char *out = malloc(room);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    deflate(&z, Z_FINISH);
    *out_size = room - z.avail_out;
    deflateEnd(&z);
    return out;
}

static void check_packing(void)
{
    char path[1024], err[300];
    size_t xz_size, gz_size, size;
    char *xz =
        host_read_file(source_path(path, sizeof path, "tests/golden/i386-slab-1G.txt.xz"),
                       1 << 28, &xz_size, err, sizeof err);
    char *text = read_golden("i386-slab-1G", &size);
    char *gz = gzipped(text, size, &gz_size);
    const struct seen *s = replay(xz, xz_size);
    ok(s->ran && !s->t.differences && s->t.answers == 2015 + 2276 + 5120,
       "packed as .xz");
    s = replay(gz, gz_size);
    ok(s->ran && !s->t.differences && s->t.answers == 2015 + 2276 + 5120,
       "packed as .gz");
    bool good = true;
    for (size_t cut = 0; cut < xz_size; cut += xz_size / 23) {
        s = replay(xz, cut);
        good = good && !s->ran && s->err[0];
    }
    ok(good, "a truncated .xz is unusable: %s", s->err);
    for (size_t cut = 0; cut < gz_size; cut += gz_size / 23) {
        s = replay(gz, cut);
        good = good && !s->ran && s->err[0];
    }
    ok(good, "a truncated .gz is unusable: %s", s->err);
    for (size_t i = 1000; i < gz_size; i += gz_size / 7) {
        gz[i] = (char)(gz[i] ^ 0x55);
        s = replay(gz, gz_size);
        good = good && !s->ran && s->err[0];
        gz[i] = (char)(gz[i] ^ 0x55);
    }
    ok(good, "a damaged .gz is unusable: %s", s->err);
    for (size_t i = 1000; i < xz_size; i += xz_size / 7) {
        xz[i] = (char)(xz[i] ^ 0x55);
        s = replay(xz, xz_size);
        good = good && !s->ran && s->err[0];
        xz[i] = (char)(xz[i] ^ 0x55);
    }
    ok(good, "a damaged .xz is unusable: %s", s->err);
    struct stream *bounded = stream_of_bytes(gz, gz_size);
    const char *error;
    size_t out;
    const bool refused = !stream_read_all(bounded, 1000, &out, &error);
    ok(refused && error, "more than the bound is refused: %s", error ? error : "");
    stream_close(bounded);
    free(xz);
    free(gz);
    free(text);
}

/* Cut anywhere: an error, or what is there is right. Never a difference. */
static void check_cut_text(void)
{
    size_t size;
    char *text = read_golden("i386-slab-160M-smp2", &size);
    bool good = true;
    unsigned ran = 0;
    for (size_t cut = 5000; cut < size; cut += 29989) {
        char last = text[cut];
        text[cut] = 0;
        const struct seen *s = replay(text, cut);
        text[cut] = last;
        ran += s->ran;
        good = good && (s->ran ? s->t.differences == 0 : s->err[0] != 0);
    }
    ok(good, "a text that is cut is unusable, or right up to there (%u)", ran);
    free(text);
}

/* ---- on the screen ---- */

static void check_feed(void)
{
    size_t size;
    char err[600];
    char *text = read_golden("i386-slab-160M-smp2", &size);
    struct record *r = record_parse("it", text, size, err, sizeof err);
    struct replay *rp = replay_create(r, NULL, err, sizeof err);
    struct timeline *t = replay_timeline(rp, "it", NULL, err, sizeof err);
    uint64_t failed = 0, held = 0, n = 0, digest_middle = 0, middle = 3000;
    while (replay_feed(rp, t)) {
        struct op_record op;
        if (timeline_op(t, 0, timeline_nr_ops(t, 0) - 1, &op) && op.op.kind == OP_NOTE) {
            failed += op.op.arg[0] == NOTE_EXPECT_FAILED || op.op.arg[0] == NOTE_ERROR;
            held += op.op.arg[0] == NOTE_EXPECT_OK;
        }
        if (++n == middle) {
            digest_middle = machine_digest(timeline_machine(t));
            middle = timeline_nr_ops(t, 0);
        }
    }
    is_u64(failed, 0, "feed: no difference");
    is_u64(held, 4 + 12 + 124, "feed: states, caches and geometries are compared");
    uint64_t digest_end = machine_digest(timeline_machine(t)),
             end = timeline_nr_ops(t, 0);
    timeline_seek(t, (struct position){0, middle, 0});
    is_hex(machine_digest(timeline_machine(t)), digest_middle,
           "feed: gone back to the middle");
    timeline_seek(t, (struct position){0, 2, 0});
    timeline_seek(t, (struct position){0, end, 0});
    is_hex(machine_digest(timeline_machine(t)), digest_end,
           "feed: and on to the end, over the loaded states");
    timeline_destroy(t);
    replay_destroy(rp);
    record_free(r);
    free(text);
}

int main(void)
{
    check_golden();
    edit_text = read_golden("i386-slab-160M-high80M", &edit_size);
    check_damaged_answers();
    check_damaged_states();
    check_damaged_objects();
    check_missing_lines();
    check_unusable();
    free(edit_text);
    edit_text = read_golden("i386-slub-160M-high80M", &edit_size);
    check_damaged_slub();
    free(edit_text);
    check_packing();
    check_cut_text();
    check_feed();
    return done_testing();
}
