/* The tables are well-formed, and what is made from them reads as it should.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "describe.h"
#include "inspect.h"
#include "tap.h"

enum { MAX_ARGS_SEEN = 16 };

static char problem[256];

static bool bad(const char *row, const char *what, const char *detail)
{
    if (!problem[0]) {
        snprintf(problem, sizeof problem, "%s: %s %s", row, what, detail);
    }
    return false;
}

/* A type that nobody knows is printed as a number; this one is no number in any known
 * type. */
static bool type_known(const char *type)
{
    static const char *const types[] = {
        "pfn",      "order",     "zone",    "mt",      "gfp",   "cpu",
        "ctx",      "n",         "d",       "bool",    "wmark", "aflags",
        "reason",   "op",        "lock",    "text",    "addr",  "list",
        "x",        "access",    "mesi",    "memtype", "l2use", "bus",
        "tlbflush", "cacheop",   "mode",    "prot",    "cache", "place",
        "slablist", "slabflags", "mempool", "element", "fault", "faultattr"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

static bool args_well_formed(const char *row, const char *args, uint32_t max)
{
    char name[32], type[32], other[32], rest[32];
    uint32_t nr = args_count(args);
    if (nr > max) {
        return bad(row, "too many arguments", args);
    }
    for (uint32_t i = 0; i < nr; i++) {
        if (!arg_describe(args, i, name, type) || !name[0] || !type_known(type) ||
            strlen(name) >= 31) {
            return bad(row, "argument", name);
        }
        for (uint32_t k = 0; k < i; k++) {
            arg_describe(args, k, other, rest);
            if (strcmp(name, other) == 0) {
                return bad(row, "twice the argument", name);
            }
        }
    }
    return !arg_describe(args, nr, name, type) || bad(row, "count", args);
}

static bool sentence_well_formed(const char *row, const char *args, const char *sentence)
{
    for (const char *at = sentence; (at = strchr(at, '{')); at++) {
        char name[32], type[32];
        size_t len = strcspn(at + 1, "?~}"), whole = strcspn(at + 1, "}");
        bool found = false;
        for (uint32_t i = 0; arg_describe(args, i, name, type); i++) {
            found |= strlen(name) == len && memcmp(name, at + 1, len) == 0;
        }
        bool choice = len == whole || at[1 + len] == '~' || memchr(at + 1, '|', whole);
        if (!found || !choice || at[1 + whole] != '}') {
            return bad(row, "placeholder", at);
        }
    }
    return sentence[0] ? true : bad(row, "no sentence", "");
}

static void test_tables(void)
{
    bool good = true;
    ok(!event_info(EV_NONE) && !event_info(NR_EVENTS) && !event_info(UINT16_MAX),
       "no such event");
    for (uint16_t i = 1; i < NR_EVENTS; i++) {
        const struct event_info *e = event_info(i);
        good = good && (e || bad("event", "hole", "")) &&
               args_well_formed(e->name, e->args, PROBE_ARGS) &&
               sentence_well_formed(e->name, e->args, e->sentence) &&
               (strchr(e->name, ':') || bad(e->name, "is not subsystem:name", "")) &&
               (event_kind_by_name(e->name) == i ||
                bad(e->name, "name is not unique", "")) &&
               (e->level <= EVENT_REPORT || bad(e->name, "level", ""));
    }
    ok(good, "events: %d rows %s", NR_EVENTS - 1, problem);
    for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
        const struct fn_info *f = fn_info(i);
        good = good && (f || bad("function", "hole", "")) &&
               args_well_formed(f->name, f->args, PROBE_FRAME_ARGS) &&
               sentence_well_formed(f->name, f->args, f->sentence) &&
               (strchr(f->file, '/') || bad(f->name, "is in no file", ""));
    }
    ok(good && !fn_info(FN_NONE) && !fn_info(NR_FUNCTIONS), "functions: %d rows %s",
       NR_FUNCTIONS - 1, problem);
    for (uint16_t i = 0; i < NR_OPS; i++) {
        const struct op_info *o = op_info(i);
        good = good && args_well_formed(o->name, o->args, 4) &&
               sentence_well_formed(o->name, o->args, o->sentence) &&
               (strcmp(o->result, "-") == 0 || type_known(o->result) ||
                bad(o->name, "result", "")) &&
               (op_kind_by_name(o->name) == i || bad(o->name, "name is not unique", ""));
    }
    ok(good && !op_info(NR_OPS), "operations: %d rows %s", NR_OPS, problem);
    is_u64(event_kind_by_name("no:such"), EV_NONE, "an unknown event's name");
    is_u64(op_kind_by_name("no_such"), UINT16_MAX, "an unknown operation's name");
}

static void is_value(const char *type, uint64_t v, const char *want)
{
    char buf[256];
    int len = value_format(buf, sizeof buf, NULL, type, v);
    is_str(buf, want, "%s %#" PRIx64 " is %s", type, v, want);
    is_i64(len, (int64_t)strlen(want), "and so long");
}

static void test_values(void)
{
    is_value("pfn", 0x4fde, "0x4fde");
    is_value("pfn", PFN_NONE, "NULL");
    is_value("gfp", GFP_KERNEL, "GFP_KERNEL");
    is_value("mt", MIGRATE_HIGHATOMIC, "HighAtomic");
    is_value("mt", 77, "77");
    is_value("zone", 1, "1");
    is_value("d", (uint64_t)-3, "-3");
    is_value("bool", 2, "yes");
    is_value("wmark", 1, "low");
    is_value("ctx", CTX_HARDIRQ, "hardirq");
    is_value("list", 4, "Movable/1");
    is_value("list", 99, "99");
    is_value("aflags", 0x141, "ALLOC_WMARK_LOW|ALLOC_CPUSET|ALLOC_NOFRAGMENT");
    is_value("aflags", 0x4, "ALLOC_NO_WATERMARKS");
    is_value("aflags", 0x40000, "ALLOC_WMARK_MIN|0x40000");
    is_value("x", 255, "0xff");
    is_value("lock", LOCK_PCP(2, 1), "pcp->lock/2/1");
    is_value("lock", LOCK_ZONE(3), "zone->lock/3");
    is_value("lock", 3, "3");
    is_value("reason", BAD_WILD, "there is no such page frame");
    is_value("no such type", 12, "12");
}

static void test_formats(void)
{
    char buf[512], small[10];
    struct event ev = {.kind = EV_BUDDY_SPLIT, .arg = {2, 0x1c04, 2, MIGRATE_UNMOVABLE}};
    int len = event_format(buf, sizeof buf, NULL, &ev);
    is_str(buf, "buddy:split zone=2 pfn=0x1c04 order=2 migratetype=Unmovable",
           "an event");
    is_i64(event_format(small, sizeof small, NULL, &ev), len,
           "the length is that of the whole text");
    is_str(small, "buddy:spl", "which is cut to the buffer");
    is_i64(event_format(NULL, 0, NULL, &ev), len, "also without a buffer");
    event_explain(buf, sizeof buf, NULL, &ev);
    ok(strstr(buf, "0x1c04 of order 2") && !strchr(buf, '{'), "its sentence: %s", buf);
    ev.kind = 9999;
    event_format(buf, sizeof buf, NULL, &ev);
    is_str(buf, "event-9999", "an event that does not exist");
    event_explain(buf, sizeof buf, NULL, &ev);
    is_str(buf, "", "explains nothing");

    struct probe_frame f = {.fn = FN___free_pages, .arg = {0x80, 3}};
    frame_format(buf, sizeof buf, NULL, &f);
    is_str(buf, "__free_pages(pfn=0x80, order=3)", "a stack frame");
    f.fn = 9999;
    frame_format(buf, sizeof buf, NULL, &f);
    is_str(buf, "function-9999()", "a function that does not exist");

    struct op op = {.kind = OP_ALLOC_PAGES, .arg = {GFP_KERNEL, 2}};
    op_format(buf, sizeof buf, NULL, &op, NULL);
    is_str(buf, "alloc_pages(GFP_KERNEL, 2)", "an operation");
    op_format(buf, sizeof buf, NULL, &op, &(uint64_t){0x1c04});
    is_str(buf, "alloc_pages(GFP_KERNEL, 2) = 0x1c04", "and its result");
    op_format(buf, sizeof buf, NULL, &op, &(uint64_t){PFN_NONE});
    is_str(buf, "alloc_pages(GFP_KERNEL, 2) = NULL", "and none");
    op = (struct op){.kind = OP_FREE_PAGES, .arg = {0x1c04, 2}};
    op_format(buf, sizeof buf, NULL, &op, &(uint64_t){0});
    is_str(buf, "__free_pages(0x1c04, 2)", "an operation without a result");
}

/* ---- reports ---- */

struct reported {
    uint16_t kind;
    char text[16000];
    int len;
};

static void keep_report(struct probe *p, const struct event *ev)
{
    struct reported *r = p->slow_ctx;
    const struct event_info *info = event_info(ev->kind);
    if (info && info->level == EVENT_REPORT) {
        const struct machine *m =
            (const struct machine *)(const void *)((const char *)p -
                                                   offsetof(struct machine, probe));
        r->kind = ev->kind;
        r->len = report_format(r->text, sizeof r->text, m, ev);
    }
}

static void report_of(struct machine *m, struct reported *r, struct op op)
{
    r->kind = EV_NONE;
    r->text[0] = 0;
    m->probe.slow = keep_report;
    m->probe.slow_ctx = r;
    m->probe.stop = 0;
    machine_do(m, &op);
}

static void has_lines(const struct reported *r, uint16_t kind, const char *const *lines)
{
    is_str(r->kind ? event_info(r->kind)->name : "none", event_info(kind)->name,
           "the report");
    for (const char *at = r->text; *lines; lines++) {
        const char *found = strstr(at, *lines);
        ok(found != NULL, "has, in order: %s", *lines);
        at = found ? found + 1 : at;
    }
    is_u64((uint64_t)r->len, strlen(r->text), "its length");
}
#define HAS(r, kind, ...) has_lines((r), (kind), (const char *const[]){__VA_ARGS__, NULL})

static void test_reports(void)
{
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    c.ram_bytes = 64 << 20;
    struct machine *m = machine_create(&c, NULL, err, sizeof err);
    struct reported *r = calloc(1, sizeof *r);
    report_of(m, r, (struct op){.kind = OP_LOCAL_IRQ_DISABLE});
    report_of(m, r, (struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_KERNEL, 0}});
    HAS(r, EV_SLEEP_IN_ATOMIC, "BUG: sleeping function called from invalid context",
        "in_atomic(): 0, irqs_disabled(): 1", "Call Trace:", " <TASK>",
        " alloc_pages\n </TASK>");
    report_of(m, r, (struct op){.kind = OP_LOCAL_IRQ_ENABLE});
    report_of(m, r, (struct op){.kind = OP_IRQ_ENTER});
    report_of(m, r, (struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_KERNEL, 0}});
    HAS(r, EV_SLEEP_IN_ATOMIC, "in_atomic(): 1, irqs_disabled(): 1",
        "preempt_count: 10000", " <IRQ>", " alloc_pages\n </IRQ>");
    report_of(m, r, (struct op){.kind = OP_IRQ_LEAVE});
    report_of(m, r, (struct op){.kind = OP_FREE_PAGES, .arg = {UINT64_C(1) << 40, 0}});
    HAS(r, EV_OOPS, "BUG: unable to handle page fault for address", " __free_pages");
    report_of(m, r, (struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_KERNEL, 40}});
    HAS(r, EV_WARN_ALLOC, "cut here",
        "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c __alloc_pages", "end trace");
    for (int i = 0; i < 100 && r->kind != EV_ALLOC_FAILURE; i++) {
        report_of(
            m, r,
            (struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_ATOMIC, MAX_ORDER - 1}});
    }
    HAS(r, EV_ALLOC_FAILURE,
        "page allocation failure: order:10, mode:0xa20(GFP_ATOMIC), nodemask=(null)",
        " warn_alloc\n __alloc_pages_slowpath", "Mem-Info:\n",
        "\nDMA free:", " min:", "\nlowmem_reserve[]: ", "\nNormal free:", "\nDMA: ",
        "0*4096kB = ", "\nNormal: ", " pages RAM\n", " pages reserved");
    machine_destroy(m);
    free(r);
}

int main(void)
{
    test_reports();
    test_tables();
    test_values();
    test_formats();
    return done_testing();
}
