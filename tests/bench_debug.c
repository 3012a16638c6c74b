/* What the debugger costs in a long history: conditions, searches both ways, why.
 *
 *     meson test -C build --benchmark debug -v
 *     MMSCOPE_BENCH_EVENTS=1000000 build/tests/bench_debug   (shorter, to profile)
 *
 * The history is what a script of allocations and frees makes; all that is timed is typed
 * as a user types it (console_run), so that the figures are those of `mmscope debug`.
 * Figures are processor time: what others do on the machine meanwhile does not count,
 * but their use of its caches does, so compare figures of one run.
 *
 *   conditions   ns an event more than the same run without a breakpoint, over all events
 *                (the rare site, the frequent one, every event)
 *   continue     ms forwards and backwards over everything, with several breakpoints
 *   why          ms in the last million events, for things that changed just now, early
 *                and never
 *
 * MMSCOPE_BENCH_EVENTS: how long the history is (10 million).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "commands.h"
#include "console.h"
#include "tap.h"

static double now_ms(void) { return (double)clock() * (1e3 / CLOCKS_PER_SEC); }

static const char script[] =
    "return scenario {\n"
    "  machine = { arch = 'i386', ram = '256M', cpus = 2, min_free_kbytes = 4096 },\n"
    "  run = function()\n"
    "    local first = alloc_pages(GFP_KERNEL, 0)\n"
    "    __free_pages(alloc_pages(GFP_HIGHUSER_MOVABLE, 9), 9)\n"
    "    local held, nr = {}, 0\n"
    "    while machine.nr_ops < OPS do\n"
    "      local order = random(4) == 1 and random(5) or 0\n"
    "      if nr > 3000 or (nr > 0 and random(20) > 9 + 1) then\n"
    "        local i = random(nr)\n"
    "        local h = held[i]\n"
    "        held[i], held[nr], nr = held[nr], nil, nr - 1\n"
    "        __free_pages(h[1], h[2])\n"
    "      else\n"
    "        local page = alloc_pages(random(2) == 1 and GFP_KERNEL or\n"
    "                                 GFP_HIGHUSER_MOVABLE, order)\n"
    "        nr = nr + 1\n"
    "        held[nr] = { page, order }\n"
    "      end\n"
    "    end\n"
    "  end }\n";

enum { EVENTS_AN_OP_X10 = 31 };

static struct console c;
static struct app a;
static char *text;
static size_t text_size;

/* Type a line; what it answers is thrown away but for its first line. */
static double type_line(const char *line)
{
    rewind(c.out);
    const double start = now_ms();
    console_run(&c, line);
    const double took = now_ms() - start;
    fflush(c.out);
    return took;
}

static const char *answer(void)
{
    static char first[100];
    const char *at = text;
    snprintf(first, sizeof first, "%.*s", (int)strcspn(at, "\n"), at);
    return first;
}

static uint64_t nr_events(void) { return timeline_figures(a.t).nr_events; }

static void go_end(void) { type_line("now"); }
static void go_begin(void) { type_line("restart"); }

/* ---- over everything, in both directions ---- */

static double both_ways(const char *what, const char *stop, double base[2])
{
    double took[2] = {0};
    type_line("breakpoints clear");
    if (stop) {
        type_line(stop);
    }
    go_begin();
    took[0] = type_line("continue");
    struct position at = timeline_position(a.t);
    const bool through = at.op == timeline_nr_ops(a.t, at.branch);
    go_end();
    took[1] = type_line("continue-back");
    at = timeline_position(a.t);
    const double n = (double)nr_events();
    char place[POSITION_TEXT];
    diag("%-52s %6.0f ms on%s, %6.0f ms back to %s", what, took[0],
         through ? "" : " (stopped)", took[1], position_format(place, at));
    if (base && base[1] > 0) {
        diag("%-52s %6.1f ns an event on, %6.1f back, more than the bare search", "",
             (took[0] - base[0]) * 1e6 / n, (took[1] - base[1]) * 1e6 / n);
    } else if (base) {
        base[0] = took[0];
        base[1] = took[1];
    }
    return took[1];
}

static void bench_continue(void)
{
    diag("---- continue and continue-back over %" PRIu64 " events ----", nr_events());
    both_ways("no breakpoint", NULL, NULL);
    double base[2] = {0};
    both_ways("an event that never comes (bare search)", "break oom:kill", base);
    both_ways("an event that never comes", "break mm:alloc_fail", base);
    both_ways("a function called only at the start", "break steal_suitable_fallback",
              base);
    both_ways("a function's return", "break -r __alloc_pages_slowpath", base);
    both_ways("a page", "watch 0x3", base);
    both_ways("a page's owner", "watch page 0x3", base);
    both_ways("a free list", "watch free DMA 3", base);
    both_ways("two lines: an event and an operation", "break op 4", base);
    diag("---- conditions that never hold ----");
    both_ways("rare event if order > 30", "break buddy:split if order > 30", base);
    both_ways("frequent event if order > 30", "break kmem:mm_page_alloc if order > 30",
              base);
    both_ways("function if zone.Normal.free < zone.Normal.low",
              "break __rmqueue if zone.Normal.free < zone.Normal.low", base);
    both_ways("every event: until zone.Normal.free < zone.Normal.low", NULL, NULL);
    type_line("breakpoints clear");
    static const char *const everywhere[] = {
        "zone.Normal.free < zone.Normal.low",
        "order == 30",
        "ev.event == 'none'",
        "zone.Normal.free * 4 < zone.Normal.managed / 100 and order",
        "zone.Normal:nr_free(0) > 100000",
        "vmstat('nr_free_pages') < 10",
        "machine.nr_ops < 0",
        "nr == -1",
        "math.max(order or 0, 3) == 40"};
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++) {
        char line[200];
        go_begin();
        snprintf(line, sizeof line, "until %s", everywhere[i]);
        const double on = type_line(line);
        go_end();
        snprintf(line, sizeof line, "until-back %s", everywhere[i]);
        const double back = type_line(line), n = (double)nr_events();
        diag("until/back %-41s %6.0f ms on, %6.0f ms back (%s)", everywhere[i], on, back,
             answer());
        diag("%-52s %6.1f ns an event on, %6.1f back, more than the bare search", "",
             (on - base[0]) * 1e6 / n, (back - base[1]) * 1e6 / n);
    }
}

/* ---- why ---- */

static void bench_why(void)
{
    static const char *const things[] = {
        "page 0x1",       "page 0x3f00",   "free DMA 3",     "free Normal 0",
        "zone Normal",    "zone DMA",      "phys 0x1000 64", "virt 0xc0100000 8",
        "pte 0xc0100000", "pcp Normal 1 0"};
    diag("---- why, over %" PRIu64 " events ----", nr_events());
    struct op_record rec;
    const uint32_t branch = timeline_position(a.t).branch;
    uint64_t last = timeline_nr_ops(a.t, branch);
    while (last-- && timeline_op(a.t, branch, last, &rec) &&
           rec.op.kind != OP_FREE_PAGES) {
    }
    char lines[12][64];
    int nr = 0;
    snprintf(lines[nr++], sizeof lines[0], "page 0x%llx",
             (unsigned long long)rec.op.arg[0]);
    timeline_op(a.t, branch, 2, &rec);
    snprintf(lines[nr++], sizeof lines[0], "page 0x%llx",
             (unsigned long long)rec.op.arg[0]);
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
        snprintf(lines[nr++], sizeof lines[0], "%s", things[i]);
    }
    for (int i = 0; i < nr; i++) {
        char line[900];
        go_end();
        snprintf(line, sizeof line, "why %s", lines[i]);
        const double why = type_line(line);
        const struct position at = timeline_position(a.t);
        go_end();
        snprintf(line, sizeof line, "previous-change %s", lines[i]);
        const double previous = type_line(line);
        go_begin();
        snprintf(line, sizeof line, "next-change %s", lines[i]);
        const double next = type_line(line);
        go_end();
        snprintf(line, sizeof line, "history %s", lines[i]);
        const double all = type_line(line);
        char place[POSITION_TEXT];
        diag("%-20s why %6.1f ms (at %s), previous %6.1f, next %6.1f, history %6.1f",
             lines[i], why, position_format(place, at), previous, next, all);
    }
}

static void make(uint64_t events)
{
    char err[1000], ops[40];
    char *with = malloc(sizeof script + 100);
    snprintf(ops, sizeof ops, "%llu",
             (unsigned long long)(events * 10 / EVENTS_AN_OP_X10));
    const char *at = strstr(script, "OPS");
    sprintf(with, "%.*s%s%s", (int)(at - script), script, ops, at + 3);
    struct session *s = session_open_text(
        "bench", with, &(struct session_options){.keep_locals = true}, err, sizeof err);
    free(with);
    if (!s) {
        bail_out("%s", err);
    }
    app_init(&a, s, GLYPHS_ASCII);
    c = (struct console){&a, open_memstream(&text, &text_size)};
    const double took = type_line("continue");
    diag("%" PRIu64 " events of %" PRIu64 " operations: %.0f ms to make with a script",
         nr_events(), timeline_figures(a.t).nr_ops, took);
    ok(session_state(s) == SESSION_DONE && nr_events() > events / 2,
       "the script made %" PRIu64 " events", nr_events());
}

static void unmake(void)
{
    struct session *s = a.session;
    const char *broken = timeline_check(a.t);
    ok(!broken, "the timeline holds its invariants %s", broken ? broken : "");
    fclose(c.out);
    free(text);
    app_free(&a);
    session_close(s);
}

int main(void)
{
    const char *env = getenv("MMSCOPE_BENCH_EVENTS");
    const uint64_t events = env ? strtoull(env, NULL, 0) : 10000000;
    make(events < 1000000 ? events : 1000000);
    bench_why();
    unmake();
    make(events);
    bench_continue();
    unmake();
    return done_testing();
}
