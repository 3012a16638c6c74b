/* Two machines in lock step.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_run.h"
#include "describe.h"
#include "hardware.h"
#include "objects.h"
#include "pane.h"
#include "text.h"

static const char *const side_names[2] = {"this", "the other"};

/* ---- the two sessions ---- */

/* The words of text, then those of more, which win. */
static const char **settings_of(char *text, char *more)
{
    enum { MOST = 128 };
    const char **list = calloc(MOST + 1, sizeof *list);
    size_t n = 0;
    char *parts[] = {text, more};
    for (int i = 0; list && i < 2; i++) {
        for (char *at = strtok(parts[i], " "); at && n < MOST; at = strtok(NULL, " ")) {
            list[n++] = at;
        }
    }
    return list;
}

struct compare *compare_open(const char *name, const struct machine *like,
                             const char *what, char *err, size_t err_size)
{
    char config[2][4096], more[2][512] = {"", ""};
    struct compare *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    snprintf(c->what, sizeof c->what, "%s", what);
    snprintf(more[1], sizeof more[1], "%s", what);
    c->first_op = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        config_format(config[i], sizeof config[i], &like->config);
        const char **settings = settings_of(config[i], more[i]);
        const struct session_options o = {.settings = settings};
        c->session[i] = settings ? session_open(name, &o, err, err_size) : NULL;
        free(settings);
        if (!c->session[i]) {
            compare_close(c);
            return NULL;
        }
        c->t[i] = session_timeline(c->session[i]);
    }
    return c;
}

void compare_close(struct compare *c)
{
    for (int i = 0; c && i < 2; i++) {
        session_close(c->session[i]);
    }
    free(c);
}

static uint32_t branch_of(const struct compare *c, int side)
{
    return timeline_position(c->t[side]).branch;
}

/* Operation op there: it is run if it has not been. False: the script has ended. */
static bool have_op(const struct compare *c, int side, uint64_t op, struct op_record *rec)
{
    const uint32_t branch = branch_of(c, side);
    while (op >= timeline_nr_ops(c->t[side], branch)) {
        const uint64_t before = timeline_nr_ops(c->t[side], branch);
        session_advance(c->session[side], NULL, NULL);
        if (timeline_nr_ops(c->t[side], branch) == before) {
            return false;
        }
    }
    return timeline_op(c->t[side], branch, op, rec);
}

/* ---- where they part ---- */

/* A fingerprint of one operation's events. */
struct fingerprint {
    uint64_t hash, nr;
};

static void add_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct fingerprint *f = ctx;
    (void)m;
    f->hash = (f->hash ^ ev->kind) * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < PROBE_ARGS; i++) {
        f->hash = (f->hash ^ ev->arg[i]) * UINT64_C(0x9e3779b97f4a7c15);
        f->hash ^= f->hash >> 29;
    }
    f->nr++;
}

static struct fingerprint fingerprint(const struct compare *c, int side, uint64_t op)
{
    struct fingerprint f = {0};
    timeline_events(c->t[side], branch_of(c, side), op, add_event, &f);
    return f;
}

enum sameness { SAME, OTHER, BOTH_ENDED };

static enum sameness compare_op(const struct compare *c, uint64_t op)
{
    struct op_record rec[2];
    struct fingerprint f[2];
    const bool x = have_op(c, 0, op, &rec[0]), y = have_op(c, 1, op, &rec[1]);
    if (!x && !y) {
        return BOTH_ENDED;
    }
    if (x != y || rec[0].op.kind != rec[1].op.kind || rec[0].result != rec[1].result ||
        memcmp(rec[0].op.arg, rec[1].op.arg, sizeof rec[0].op.arg) != 0) {
        return OTHER;
    }
    for (int i = 0; i < 2; i++) {
        f[i] = fingerprint(c, i, op);
    }
    return f[0].nr == f[1].nr && f[0].hash == f[1].hash ? SAME : OTHER;
}

static uint64_t part_event(const struct compare *c, uint64_t op, char line[2][EVENT_LINE])
{
    struct op_place place[2];
    for (int i = 0; i < 2; i++) {
        place[i] = (struct op_place){c->t[i], branch_of(c, i), op};
    }
    return events_part_at(place, line);
}

bool compare_next(struct compare *c, bool (*interrupted)(void *ctx), void *ctx)
{
    char line[2][EVENT_LINE];
    const bool whole = c->same >= c->op; /* all before has been compared */
    uint64_t op = c->op + (c->event != 0);
    for (;; op++) {
        const enum sameness is = compare_op(c, op);
        if (is == OTHER) {
            const uint64_t n = part_event(c, op, line);
            if (c->first_op == UINT64_MAX && whole) {
                c->first_op = op;
                c->first_event = n;
            }
            return compare_go(c, op, n);
        }
        c->ended = is == BOTH_ENDED;
        if (c->ended || (interrupted && interrupted(ctx))) {
            compare_go(c, op, 0);
            return false;
        }
        c->same = whole && op >= c->same ? op + 1 : c->same;
    }
}

/* ---- going ---- */

static uint64_t nr_events(const struct compare *c, int side, uint64_t op)
{
    struct op_record rec;
    return have_op(c, side, op, &rec) ? rec.nr_events : 0;
}

bool compare_go(struct compare *c, uint64_t op, uint64_t event)
{
    bool there = false;
    for (int i = 0; i < 2; i++) {
        struct op_record rec;
        const uint32_t branch = branch_of(c, i);
        if (op) {
            have_op(c, i, op - 1, &rec);
        }
        const uint64_t nr = timeline_nr_ops(c->t[i], branch);
        if (event && have_op(c, i, op, &rec)) { /* one may have fewer events than that */
            const uint64_t n = event < rec.nr_events ? event : rec.nr_events;
            timeline_seek(c->t[i], (struct position){branch, op, n});
            there = true;
        } else {
            timeline_seek(c->t[i], (struct position){branch, op < nr ? op : nr, 0});
            there = there || op <= nr;
        }
    }
    if (there) {
        c->op = op;
        c->event = event;
    }
    return there;
}

bool compare_step(struct compare *c, int direction, bool whole)
{
    const uint64_t x = nr_events(c, 0, c->op), y = nr_events(c, 1, c->op);
    const uint64_t most = x > y ? x : y;
    if (direction > 0) {
        const bool on = !whole && c->event < most;
        return on ? compare_go(c, c->op, c->event + 1) : compare_go(c, c->op + 1, 0);
    }
    if (c->event) {
        return compare_go(c, c->op, whole ? 0 : c->event - 1);
    }
    if (!c->op) {
        return false;
    }
    const uint64_t a = nr_events(c, 0, c->op - 1), b = nr_events(c, 1, c->op - 1);
    const uint64_t last = a > b ? a : b;
    return compare_go(c, c->op - 1, whole || !last ? 0 : last - 1);
}

/* ---- what is to be seen ---- */

const char *const counter_names[NR_COUNTERS] = {
    "L1I misses",  "L1D accesses", "L1D misses", "L2 accesses", "L2 misses",
    "DTLB misses", "STLB misses",  "walks",      "cycles",      "objects in use"};

void machine_counters(const struct machine *m, uint64_t counter[NR_COUNTERS])
{
    size_t nr;
    memset(counter, 0, NR_COUNTERS * sizeof *counter);
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        const struct memsys *s = hardware_cpu(m, cpu);
        const struct memsys_tally *n = s ? &s->s->n : NULL;
        if (!s) {
            continue;
        }
        const uint64_t of_cpu[] = {tally_l1_misses(n, SIDE_I),
                                   tally_l1_accesses(n, SIDE_D),
                                   tally_l1_misses(n, SIDE_D),
                                   tally_l2_accesses(n),
                                   tally_l2_misses(n),
                                   n->tlb_miss[SIDE_D],
                                   n->stlb_miss,
                                   n->walks,
                                   access_cycles_of(s).total};
        for (size_t i = 0; i < sizeof of_cpu / sizeof of_cpu[0]; i++) {
            counter[i] += of_cpu[i];
        }
    }
    struct cache_view *list = objects_caches(m, &nr);
    for (size_t i = 0; i < nr; i++) {
        counter[NR_COUNTERS - 1] += list[i].in_use;
    }
    free(list);
}

struct table {
    struct compare_row *row;
    size_t nr, room;
};

static struct compare_row *add_row(struct table *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static struct compare_row *add_row(struct table *t, const char *format, ...)
{
    static const struct compare_row empty = {.value = {"-", "-"}};
    struct compare_row *r = &t->row[t->nr < t->room ? t->nr++ : t->room - 1];
    va_list args;
    *r = empty;
    va_start(args, format);
    vsnprintf(r->name, sizeof r->name, format, args);
    va_end(args);
    return r;
}

static void add_heading(struct table *t, const char *text)
{
    add_row(t, "%s", text)->heading = true;
}

/* Texts that may be longer than a row; as many rows as the longer one takes. */
static void add_sentences(struct table *t, const char *name, const char *const text[2],
                          int width)
{
    enum { MOST = 6 };
    struct compare_row *r[MOST];
    int nr = 0;
    for (int i = 0; i < 2; i++) {
        struct text_line line;
        const char *at = text[i];
        for (int n = 0; n < MOST && text_wrap(&at, width, &line); n++) {
            if (n == nr) {
                r[nr++] = add_row(t, "%s", n ? "" : name);
                r[n]->value[0][0] = r[n]->value[1][0] = 0;
            }
            snprintf(r[n]->value[i], COMPARE_VALUE, "%.*s", (int)line.bytes, line.start);
        }
    }
}

/* Where both are: the operation, the event, the function, and the event's sentence. */
static void add_place(struct table *t, const struct compare *c, int width)
{
    char sentence[2][400] = {"", ""};
    struct compare_row *op = add_row(t, "operation"), *event = add_row(t, "event"),
                       *fn = add_row(t, "function"),
                       *events = add_row(t, "events so far");
    for (int i = 0; i < 2; i++) {
        struct op_record rec;
        struct event ev;
        const struct machine *m = timeline_machine(c->t[i]);
        const struct position at = timeline_position(c->t[i]);
        const uint64_t n = at.event ? at.op : at.op - 1;
        const bool done = !at.event;
        if ((at.event || at.op) && timeline_op(c->t[i], at.branch, n, &rec)) {
            const struct op_info *info = op_info(rec.op.kind);
            op_format(op->value[i], COMPARE_VALUE, m, &rec.op,
                      done && strcmp(info->result, "-") != 0 ? &rec.result : NULL);
            snprintf(event->value[i], COMPARE_VALUE, "%u, done", rec.nr_events);
        }
        snprintf(events->value[i], COMPARE_VALUE, "%" PRIu64,
                 timeline_event_number(c->t[i], at));
        if (!done && timeline_current_event(c->t[i], &ev)) {
            snprintf(event->value[i], COMPARE_VALUE, "%" PRIu64 "/%u %s", at.event,
                     rec.nr_events, event_info(ev.kind)->name);
            event_explain(sentence[i], sizeof sentence[i], m, &ev);
            const uint32_t depth = m->probe.depth;
            if (depth && depth <= PROBE_STACK) {
                snprintf(fn->value[i], COMPARE_VALUE, "%s()",
                         fn_info(m->probe.stack[depth - 1].fn)->name);
            }
        }
    }
    const char *const text[2] = {sentence[0], sentence[1]};
    add_sentences(t, "which means", text,
                  width < COMPARE_VALUE ? width : COMPARE_VALUE - 1);
}

static uint32_t zone_named(const struct machine *m, const char *name)
{
    const uint32_t nr = machine_nr_zones(m);
    uint32_t z = 0;
    while (z < nr && strcmp(zone_view(m, z).name, name) != 0) {
        z++;
    }
    return z;
}

static void add_zone(struct table *t, const struct compare *c, const char *name)
{
    struct compare_row *free = add_row(t, "%s free", name),
                       *low = add_row(t, "  min low high"),
                       *blocks = add_row(t, "  free blocks 0.."),
                       *pcp = add_row(t, "  on CPUs' lists");
    for (int i = 0; i < 2; i++) {
        const struct machine *m = timeline_machine(c->t[i]);
        const uint32_t z = zone_named(m, name);
        size_t len = 0;
        if (z == machine_nr_zones(m)) {
            continue;
        }
        const struct zone_view v = zone_view(m, z);
        snprintf(free->value[i], COMPARE_VALUE, "%" PRIu64 " of %" PRIu64, v.free,
                 v.managed);
        snprintf(low->value[i], COMPARE_VALUE, "%" PRIu64 " %" PRIu64 " %" PRIu64,
                 v.wmark_min, v.wmark_low, v.wmark_high);
        for (uint32_t order = 0; order < m->config.max_order && len < COMPARE_VALUE;
             order++) {
            len += (size_t)snprintf(blocks->value[i] + len, COMPARE_VALUE - len,
                                    "%s%" PRIu64, order ? " " : "",
                                    free_area_count(m, z, order));
        }
        len = 0;
        for (uint32_t cpu = 0; cpu < machine_nr_cpus(m) && len < COMPARE_VALUE; cpu++) {
            len += (size_t)snprintf(pcp->value[i] + len, COMPARE_VALUE - len, "%s%u",
                                    cpu ? " " : "", pcp_view(m, z, cpu).count);
        }
    }
}

static void add_zones(struct table *t, const struct compare *c)
{
    const struct machine *m[2] = {timeline_machine(c->t[0]), timeline_machine(c->t[1])};
    add_heading(t, "Zones");
    for (int i = 0; i < 2; i++) {
        for (uint32_t z = machine_nr_zones(m[i]); z > 0; z--) {
            const char *name = zone_view(m[i], z - 1).name;
            if (!i || zone_named(m[0], name) == machine_nr_zones(m[0])) {
                add_zone(t, c, name);
            }
        }
    }
}

static void add_counters(struct table *t, const struct compare *c)
{
    uint64_t n[2][NR_COUNTERS];
    for (int i = 0; i < 2; i++) {
        machine_counters(timeline_machine(c->t[i]), n[i]);
    }
    add_heading(t, "Counters");
    for (int k = 0; k < NR_COUNTERS; k++) {
        struct compare_row *r = add_row(t, "%s", counter_names[k]);
        for (int i = 0; i < 2; i++) {
            snprintf(r->value[i], COMPARE_VALUE, "%" PRIu64, n[i][k]);
        }
    }
}

/* Those that have a slab on one of them. */
static void add_caches(struct table *t, const struct compare *c)
{
    struct cache_view *list[2];
    size_t nr[2];
    for (int i = 0; i < 2; i++) {
        list[i] = objects_caches(timeline_machine(c->t[i]), &nr[i]);
        objects_sort(list[i], list[i] ? nr[i] : 0, 'n');
    }
    bool headed = false;
    for (size_t x = 0, y = 0; list[0] && list[1] && (x < nr[0] || y < nr[1]);) {
        const int cmp = x == nr[0]   ? 1
                        : y == nr[1] ? -1
                                     : strcmp(list[0][x].name, list[1][y].name);
        const struct cache_view *v[2] = {cmp <= 0 ? &list[0][x] : NULL,
                                         cmp >= 0 ? &list[1][y] : NULL};
        x += cmp <= 0;
        y += cmp >= 0;
        if ((!v[0] || !v[0]->num_slabs) && (!v[1] || !v[1]->num_slabs)) {
            continue;
        }
        if (!headed) {
            add_heading(t, "Objects in use, in slabs");
            headed = true;
        }
        struct compare_row *r = add_row(t, "%.20s", v[0] ? v[0]->name : v[1]->name);
        for (int i = 0; i < 2; i++) {
            if (v[i]) {
                snprintf(r->value[i], COMPARE_VALUE,
                         "%" PRIu64 " of %" PRIu64 " in %" PRIu64 " x %u KiB",
                         v[i]->in_use, v[i]->num_objs, v[i]->num_slabs,
                         4u << v[i]->order);
            }
        }
    }
    free(list[0]);
    free(list[1]);
}

size_t compare_rows(const struct compare *c, struct compare_row *rows, size_t room,
                    int width)
{
    struct table t = {rows, 0, room};
    add_place(&t, c, width);
    add_zones(&t, c);
    add_counters(&t, c);
    add_caches(&t, c);
    return t.nr;
}

/* ---- words ---- */

static void put_op(struct text_buf *b, const struct compare *c, int side, uint64_t op)
{
    char call[256];
    struct op_record rec;
    if (!have_op(c, side, op, &rec)) {
        text_add(b, "  %-10s has ended\n", side_names[side]);
        return;
    }
    op_format(call, sizeof call, timeline_machine(c->t[side]), &rec.op, &rec.result);
    text_add(b, "  %-10s %s, %u events\n", side_names[side], call, rec.nr_events);
}

char *compare_words(struct compare *c)
{
    struct text_buf b = {0};
    char line[2][EVENT_LINE];
    text_add(&b, "the other: %s\n\n", c->what);
    if (c->first_op == UINT64_MAX) {
        uint64_t notes = 0;
        struct op_record rec;
        for (uint64_t op = 0; op < c->same; op++) {
            notes += have_op(c, 0, op, &rec) && rec.op.kind == OP_NOTE;
        }
        text_add(&b,
                 c->ended ? "The script does the same on both: %" PRIu64
                            " operations, %" PRIu64 " of them notes.\n"
                          : "Stopped after %" PRIu64 " operations (%" PRIu64
                            " of them notes): the same so far.\n",
                 c->same, notes);
        return b.text;
    }
    text_add(&b,
             "The first %" PRIu64 " operations are the same. Operation %" PRIu64
             " is not:\n",
             c->first_op, op_number(c->first_op));
    put_op(&b, c, 0, c->first_op);
    put_op(&b, c, 1, c->first_op);
    const uint64_t n = part_event(c, c->first_op, line);
    if (n) {
        text_add(&b, "\nTheir events part at number %" PRIu64 ":\n", n);
        for (int i = 0; i < 2; i++) {
            text_add(&b, "  %-10s %s\n", side_names[i],
                     *line[i] ? line[i] : "none further");
        }
    }
    return b.text;
}
