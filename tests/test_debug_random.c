/* Random walks of the debugger over random scenarios: steps of all sizes in both
 * directions, breakpoints and watches with conditions, why, branches, interrupts, saved
 * sessions. All is typed, as in `mmscope debug`.
 *
 *   - a position that was seen before looks the same: digest, number of the event, call
 *     stack, line of the script
 *   - a stop is found again by going one event on and continuing back
 *   - the same breakpoints stop at the same places while the script runs, through what is
 *     recorded, and backwards
 *
 * MMSCOPE_DEBUG_SEEDS and MMSCOPE_DEBUG_STEPS say for how long, MMSCOPE_DEBUG_SEED which
 * one only; with MMSCOPE_DEBUG_TYPED what is typed is printed, to shrink a failure.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../ui/travel.h"
#include "app.h"
#include "console.h"
#include "describe.h"
#include "prng.h"
#include "tap.h"

enum { SEEN_ROOM = 1 << 14, MAX_STOPS_SEEN = 400 };

struct sight { /* what a position looks like */
    uint64_t digest, number, stack;
    uint32_t line;
};

struct wanderer {
    struct prng rand;
    char script[6000];
    struct session *session;
    struct app app;
    struct console console;
    char *answer;
    size_t answer_size;
    char file[64];
    struct {
        bool used;
        uint32_t branch;
        uint64_t op, event;
        struct sight look;
    } seen[SEEN_ROOM];
    uint64_t nr_seen, nr_again, nr_stops, nr_found;
    char typed[200]; /* last */
    char problem[400];
    bool print;
};

static uint64_t below(struct wanderer *w, uint64_t n)
{
    return (prng_next(&w->rand) >> 8) % n;
}
#define PICK(w, list) (list)[below((w), sizeof(list) / sizeof *(list))]

/* ---- scenarios ---- */

static void put(struct wanderer *w, const char *text)
{
    const size_t len = strlen(w->script);
    snprintf(w->script + len, sizeof w->script - len, "%s", text);
}

static void random_script(struct wanderer *w)
{
    static const char *const machines[] = {
        "arch = 'i386', ram = '64M', cpus = 2",
        "arch = 'i386', ram = '160M', highmem = '80M', cpus = 3, slab = 'slub'",
        "arch = 'x86_64', ram = '64M', cpus = 2, slab = 'slub'",
        "arch = 'i386pae', ram = '96M', cpus = 1, min_free_kbytes = 4096",
        "arch = 'x86_64', ram = '128M', cpus = 4"};
    static const char *const lines[] = {
        "local p = alloc_pages(GFP_KERNEL, random(0, 4)); if p then held[#held + 1] = p "
        "end\n",
        "local p = on_cpu(other(), alloc_pages, GFP_KERNEL, 0); if p then held[#held + "
        "1] = "
        "p end\n",
        "if #held > 0 then local p = table.remove(held, random(#held)); __free_pages(p, "
        "p:order()) end\n",
        "if #held > 0 then local p = table.remove(held); on_cpu(other(), __free_pages, "
        "p, "
        "p:order()) end\n",
        "local o = kmem_cache_alloc(cache, GFP_KERNEL); if o then objects[#objects + 1] "
        "= o "
        "end\n",
        "if #objects > 0 then kmem_cache_free(cache, table.remove(objects, "
        "random(#objects))) end\n",
        "local k = kmalloc(random(8, 5000), GFP_KERNEL); if k then write_u32(k, i); "
        "read_u8(k + 2); kfree(k) end\n",
        "local v = vmalloc(random(1, 20000)); if v then write_u8(v, i % 256); vfree(v) "
        "end\n",
        "on_cpu(other(), drain_local_pages)\n",
        "say('note ' .. i)\n",
        "in_irq(function() local p = alloc_pages(GFP_ATOMIC, 0); if p then "
        "__free_pages(p, "
        "0) end end)\n",
        "preempt_disabled(function() kmem_cache_alloc(cache, GFP_KERNEL) end)\n",
        "local p = alloc_pages(GFP_KERNEL, 0); if p then __free_pages(p, 0); "
        "__free_pages(p, 0) end\n",
        "with_spinlock('lock', function() alloc_pages(GFP_ATOMIC, 1) end)\n",
        "for j = 1, random(3) do local p = alloc_pages(GFP_KERNEL | __GFP_ZERO, 1); "
        "if p then __free_pages(p, 1) end end\n",
        "local a = __get_free_page(GFP_KERNEL); if a then write_u32(a + 8, 77); "
        "read_u32(a + 8); free_page(a) end\n"};
    put(w, "return scenario { title = 'walk', machine = { ");
    put(w, PICK(w, machines));
    put(w, " },\nrun = function()\nlocal held, objects, cpus = {}, {}, machine.cpus\n"
           "local function other() return random(cpus) - 1 end\n"
           "local cache = kmem_cache_create('walk', ");
    put(w, below(w, 2) ? "192)\n" : "1000)\n");
    if (below(w, 2)) {
        put(w, "local inner = 0\n"
               "on('pcp:take', function() if inner < 6 then inner = inner + 1; "
               "interrupt(function() alloc_pages(GFP_ATOMIC, 0) end) end end)\n");
    }
    put(w, "for i = 1, 12 do\n");
    for (uint64_t n = 3 + below(w, 5); n; n--) {
        put(w, "do ");
        put(w, PICK(w, lines));
        put(w, "end\n");
    }
    put(w, "end\nend }\n");
}

/* ---- typing ---- */

static void type_line(struct wanderer *w, const char *line)
{
    snprintf(w->typed, sizeof w->typed, "%s", line);
    if (w->print) {
        const struct position at = timeline_position(w->app.t);
        char place[POSITION_TEXT];
        diag("%u/%s: %s", at.branch, position_format(place, at), line);
    }
    rewind(w->console.out);
    console_run(&w->console, line);
    fflush(w->console.out);
}

static void fail_walk(struct wanderer *w, const char *what)
{
    const struct position at = timeline_position(w->app.t);
    if (!w->problem[0]) {
        char place[POSITION_TEXT];
        snprintf(w->problem, sizeof w->problem, "%s: at %u/%s after '%s'", what,
                 at.branch, position_format(place, at), w->typed);
    }
}

/* ---- does a place look as it did? ---- */

static struct sight look_now(struct wanderer *w)
{
    struct timeline *t = w->app.t;
    struct machine *m = timeline_machine(t);
    const struct position at = timeline_position(t);
    struct sight l = {.digest = machine_digest(m),
                      .number = timeline_event_number(t, at)};
    const struct probe *p = &m->probe;
    for (uint32_t d = 0; at.event && d < p->depth && d < PROBE_STACK; d++) {
        l.stack = l.stack * 1000003 + p->stack[d].fn * 65599u + p->stack[d].event_entered;
        l.stack += p->stack[d].arg[0] * 31 + p->stack[d].arg[1];
    }
    l.line = w->app.model.line;
    return l;
}

/* The branch that this place was first on. */
static uint32_t owner_of(struct timeline *t, struct position at)
{
    uint32_t branch = at.branch;
    while (true) {
        const struct branch_info info = timeline_branch(t, branch);
        if (info.parent == branch || at.op + (at.event != 0) > info.fork_op) {
            return branch;
        }
        branch = info.parent;
    }
}

static void check_place(struct wanderer *w)
{
    struct timeline *t = w->app.t;
    const struct position at = timeline_position(t);
    const uint32_t branch = owner_of(t, at);
    app_moved(&w->app, at);
    const struct sight now = look_now(w);
    uint64_t i = (at.op * 31 + at.event * 7 + branch * 977) % SEEN_ROOM;
    while (w->seen[i].used && (w->seen[i].branch != branch || w->seen[i].op != at.op ||
                               w->seen[i].event != at.event)) {
        i = (i + 1) % SEEN_ROOM;
    }
    if (!w->seen[i].used && w->nr_seen < SEEN_ROOM / 2) {
        w->seen[i].used = true;
        w->seen[i].branch = branch;
        w->seen[i].op = at.op;
        w->seen[i].event = at.event;
        w->seen[i].look = now;
        w->nr_seen++;
    } else if (w->seen[i].used) {
        const struct sight *was = &w->seen[i].look;
        w->nr_again++;
        if (was->digest != now.digest) {
            fail_walk(w, "another state than before");
        } else if (was->number != now.number || was->stack != now.stack) {
            fail_walk(w, "another event or call stack than before");
        } else if (was->line != now.line) {
            fail_walk(w, "another line of the script than before");
        }
    }
    const char *broken = timeline_check(t);
    broken = broken ? broken : machine_check(timeline_machine(t));
    if (broken) {
        fail_walk(w, broken);
    }
}

/* An interrupt may do the last operation anew. */
static void forget_seen(struct wanderer *w)
{
    memset(w->seen, 0, sizeof w->seen);
    w->nr_seen = 0;
}

/* ---- what is typed ---- */

static const char *const steps[] = {"event", "event-back", "step",   "step-back",
                                    "next",  "next-back",  "finish", "finish-back"};
static const char *const conditions[] = {"",
                                         "",
                                         "",
                                         " if order == 0",
                                         " if order and order > 1",
                                         " if zone.Normal.free % 3 == 0",
                                         " if i == 4",
                                         " if i and i % 2 == 0",
                                         " if ev.on_cpu == 0",
                                         " if #ev.stack > 3",
                                         " if ev.context ~= 'process'",
                                         " if nosuch > 3"};
static const char *const breaks[] = {"buddy:split",
                                     "buddy:merge",
                                     "kmem:mm_page_alloc",
                                     "kmem:mm_page_free",
                                     "pcp:take",
                                     "pcp:add",
                                     "__rmqueue_smallest",
                                     "rmqueue_bulk",
                                     "-r rmqueue_bulk",
                                     "expand",
                                     "-r rmqueue",
                                     "free_unref_page",
                                     "op 10",
                                     "op 31",
                                     "9",
                                     "12",
                                     "14",
                                     "mm:watermark_test"};
static const char *const expressions[] = {"zone.Normal.free % 7 == 0",
                                          "order == 2",
                                          "i == 7",
                                          "zone.Normal:nr_free(0) > 5",
                                          "ev.event == 'buddy:split'",
                                          "machine.nr_ops > 20 and order",
                                          "nosuch"};
static const char *const values[] = {"i", "zone.Normal.free", "zone.Normal:nr_free(1)",
                                     "order", "#zone.Normal:freelist(0, 0, 4)"};

static void random_target(struct wanderer *w, char *buf, size_t size)
{
    struct op_record rec;
    const uint32_t branch = timeline_position(w->app.t).branch;
    const uint64_t op = below(w, timeline_nr_ops(w->app.t, branch) + 1);
    const bool known = timeline_op(w->app.t, branch, op, &rec);
    const uint64_t page = known && rec.op.kind == OP_FREE_PAGES    ? rec.op.arg[0]
                          : known && rec.op.kind == OP_ALLOC_PAGES ? rec.result
                                                                   : 0x900 + below(w, 64);
    switch (below(w, 6)) {
    case 0:
        snprintf(buf, size, "free Normal %u %u", (unsigned)below(w, 6),
                 (unsigned)below(w, 3));
        break;
    case 1:
        snprintf(buf, size, "pcp Normal 0 %u", (unsigned)below(w, 5));
        break;
    case 2:
        snprintf(buf, size, "zone Normal");
        break;
    case 3:
        snprintf(buf, size, "phys 0x%llx 16", (unsigned long long)(page << 12));
        break;
    default:
        snprintf(buf, size, "page 0x%llx", (unsigned long long)page);
        break;
    }
}

static void random_stop(struct wanderer *w)
{
    char line[160], target[64];
    switch (below(w, 5)) {
    case 0:
        random_target(w, target, sizeof target);
        snprintf(line, sizeof line, "watch %s%s", target, PICK(w, conditions));
        break;
    case 1:
        snprintf(line, sizeof line, "watch %s", PICK(w, values));
        break;
    case 2:
        random_target(w, target, sizeof target);
        snprintf(line, sizeof line, "watch 0x%x", 0x900 + (unsigned)below(w, 1000));
        break;
    default:
        snprintf(line, sizeof line, "break %s%s", PICK(w, breaks), PICK(w, conditions));
        break;
    }
    type_line(w, line);
}

static bool same_place(struct position a, struct position b)
{
    return a.branch == b.branch && a.op == b.op && a.event == b.event;
}

/* A stop that was reached is found from behind. */
static void continue_on(struct wanderer *w)
{
    struct stop *which;
    struct app *a = &w->app;
    if (travel_continue(a, 1, &which) != TRAVEL_BREAK) {
        return;
    }
    const struct position at = timeline_position(a->t);
    w->nr_stops++;
    snprintf(w->typed, sizeof w->typed, "continue to %d", which->number);
    if (travel_event(a, 1) != TRAVEL_MOVED) {
        return;
    }
    if (travel_continue(a, -1, &which) != TRAVEL_BREAK ||
        !same_place(at, timeline_position(a->t))) {
        char what[120], place[POSITION_TEXT];
        snprintf(what, sizeof what, "the stop at %s is not found from behind",
                 position_format(place, at));
        fail_walk(w, what);
    }
    w->nr_found++;
}

static void save_and_load(struct wanderer *w)
{
    char line[100], err[500] = "";
    const struct position at = timeline_position(w->app.t);
    snprintf(line, sizeof line, "save %s", w->file);
    type_line(w, line);
    struct session *s = session_open(
        w->file, &(struct session_options){.keep_locals = true}, err, sizeof err);
    if (!s) {
        fail_walk(w, err);
        return;
    }
    app_free(&w->app);
    session_close(w->session);
    w->session = s;
    app_init(&w->app, s, GLYPHS_ASCII);
    w->console.app = &w->app;
    if (timeline_nr_branches(w->app.t) <= at.branch) {
        fail_walk(w, "a branch is not in the file");
    }
}

static void something(struct wanderer *w)
{
    char line[200], target[64];
    const struct position at = timeline_position(w->app.t);
    const uint64_t nr = timeline_nr_ops(w->app.t, at.branch);
    switch (below(w, 24)) {
    case 0:
    case 1:
        random_stop(w);
        break;
    case 2:
        if (w->app.stops.nr > 3) {
            type_line(w, "delete");
        } else if (w->app.stops.nr) {
            snprintf(line, sizeof line, "%s %d",
                     below(w, 2)   ? "disable"
                     : below(w, 2) ? "enable"
                                   : "delete",
                     w->app.stops.list[0].number);
            type_line(w, line);
        }
        break;
    case 3:
    case 4:
        continue_on(w);
        break;
    case 5:
        type_line(w, "continue-back");
        break;
    case 6:
        snprintf(line, sizeof line, "%s %s", below(w, 2) ? "until" : "until-back",
                 PICK(w, expressions));
        type_line(w, line);
        break;
    case 7:
    case 8:
        random_target(w, target, sizeof target);
        snprintf(line, sizeof line, "%s %s",
                 below(w, 3)   ? "why"
                 : below(w, 2) ? "next-change"
                               : "previous-change",
                 target);
        type_line(w, line);
        break;
    case 9:
        random_target(w, target, sizeof target);
        snprintf(line, sizeof line, "history %s", target);
        type_line(w, line);
        break;
    case 10:
    case 11:
        snprintf(line, sizeof line, "goto %u.%u", (unsigned)below(w, nr + 1) + 1,
                 (unsigned)below(w, 12));
        type_line(w, line);
        break;
    case 12:
        snprintf(line, sizeof line, "%s m%u", below(w, 2) ? "mark" : "goto",
                 (unsigned)below(w, 3));
        type_line(w, line);
        break;
    case 13:
        type_line(w, below(w, 2) ? "now" : "restart");
        break;
    case 14:
        if (timeline_nr_branches(w->app.t) < 12 && below(w, 2)) {
            type_line(w,
                      below(w, 2) ? "alloc_pages(GFP_KERNEL, 1)" : "drain_local_pages()");
        }
        break;
    case 15:
        if (timeline_nr_branches(w->app.t) < 12 && below(w, 4) == 0) {
            forget_seen(w);
            type_line(w, below(w, 2) ? "interrupt alloc" : "interrupt drain");
            forget_seen(w);
        }
        break;
    case 16:
        snprintf(line, sizeof line, "branch %u",
                 (unsigned)below(w, timeline_nr_branches(w->app.t)));
        type_line(w, line);
        break;
    case 17:
        type_line(w, below(w, 2) ? "backtrace" : "info locals");
        break;
    case 18:
        if (below(w, 8) == 0) {
            save_and_load(w);
        }
        break;
    default:
        type_line(w, PICK(w, steps));
        break;
    }
}

/* ---- the same stops in both directions ---- */

struct stops_seen {
    struct position at[MAX_STOPS_SEEN];
    size_t nr;
    bool all;
};

static void collect(struct wanderer *w, int direction, struct stops_seen *s)
{
    struct stop *which;
    enum travel result = TRAVEL_BREAK;
    s->nr = 0;
    while (s->nr < MAX_STOPS_SEEN &&
           (result = travel_continue(&w->app, direction, &which)) == TRAVEL_BREAK) {
        s->at[s->nr++] = timeline_position(w->app.t);
    }
    s->all = result != TRAVEL_BREAK;
}

static void compare_stops(struct wanderer *w, const struct stops_seen *a,
                          const struct stops_seen *b, bool reversed, const char *what)
{
    char text[160], place[2][POSITION_TEXT];
    if (!a->all || !b->all) {
        return;
    }
    for (size_t i = 0; i < a->nr || i < b->nr; i++) {
        const size_t k = reversed ? b->nr - 1 - i : i;
        if (i >= a->nr || i >= b->nr || !same_place(a->at[i], b->at[k])) {
            snprintf(text, sizeof text,
                     "%s: %zu and %zu stops, number %zu differs (%s, %s)", what, a->nr,
                     b->nr, i, i < a->nr ? position_format(place[0], a->at[i]) : "none",
                     i < b->nr ? position_format(place[1], b->at[k]) : "none");
            fail_walk(w, text);
            return;
        }
    }
}

static struct stops_seen live, recorded, back;

/* While the script runs; then there and back. */
static void both_directions(struct wanderer *w)
{
    char told[200];
    for (uint64_t n = 1 + below(w, 2); n; n--) {
        random_stop(w);
    }
    snprintf(told, sizeof told, "%s", w->typed);
    const bool fresh = timeline_nr_ops(w->app.t, 0) == 0;
    if (fresh) {
        collect(w, 1, &live);
    }
    const struct position end = {timeline_position(w->app.t).branch, UINT64_MAX, 0};
    timeline_seek(w->app.t, (struct position){end.branch, 0, 0});
    collect(w, 1, &recorded);
    timeline_seek(w->app.t, end);
    /* one that stops at the very end is where we are */
    const bool at_end = recorded.nr && same_place(recorded.at[recorded.nr - 1],
                                                  timeline_position(w->app.t));
    recorded.nr -= at_end;
    collect(w, -1, &back);
    snprintf(w->typed, sizeof w->typed, "%s", told);
    compare_stops(w, &recorded, &back, true, "on and back");
    recorded.nr += at_end;
    if (fresh) {
        compare_stops(w, &live, &recorded, false, "live and recorded");
    }
    w->nr_found += back.nr;
    type_line(w, "delete");
}

/* ---- walks ---- */

static void walk_begin(struct wanderer *w, uint64_t seed)
{
    char err[600];
    w->rand.state = seed * 7919 + 1;
    w->print = getenv("MMSCOPE_DEBUG_TYPED") != NULL;
    random_script(w);
    if (w->print) {
        diag("%s", w->script);
    }
    w->session = session_open_text("walk", w->script,
                                   &(struct session_options){.keep_locals = true}, err,
                                   sizeof err);
    if (!w->session) {
        bail_out("seed %" PRIu64 ": %s", seed, err);
    }
    app_init(&w->app, w->session, GLYPHS_ASCII);
    w->console = (struct console){&w->app, open_memstream(&w->answer, &w->answer_size)};
    snprintf(w->file, sizeof w->file, "/tmp/mmscope-walk-%ld.mmscope", (long)getpid());
}

static void walk_end(struct wanderer *w)
{
    fclose(w->console.out);
    free(w->answer);
    app_free(&w->app);
    session_close(w->session);
    if (!w->problem[0] || !w->print) {
        unlink(w->file);
    }
}

static void walk(uint64_t seed, uint64_t nr_steps, bool *failed)
{
    struct wanderer *w = calloc(1, sizeof *w);
    walk_begin(w, seed);
    both_directions(w);
    uint64_t i = 0;
    for (; i < nr_steps && !w->problem[0]; i++) {
        something(w);
        check_place(w);
        if (i % 50 == 49 && !w->problem[0]) {
            type_line(w, "delete");
            both_directions(w);
        }
    }
    /* what the user does may break what the script counts on: on a branch */
    if (timeline_nr_branches(w->app.t) == 1 &&
        session_state(w->session) == SESSION_ERROR && !w->problem[0]) {
        fail_walk(w, session_error(w->session));
    }
    *failed = w->problem[0] != 0;
    ok(!*failed,
       "seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " places seen again, %" PRIu64
       " stops found from behind, %u branches %s",
       seed, i, w->nr_again, w->nr_found, timeline_nr_branches(w->app.t), w->problem);
    walk_end(w);
    free(w);
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
    const uint64_t nr_seeds = env_number("MMSCOPE_DEBUG_SEEDS", 6);
    const uint64_t nr_steps = env_number("MMSCOPE_DEBUG_STEPS", 150);
    const uint64_t only = env_number("MMSCOPE_DEBUG_SEED", 0);
    bool failed = false;
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : nr_seeds); seed++) {
        walk(seed, nr_steps, &failed);
    }
    return done_testing();
}
