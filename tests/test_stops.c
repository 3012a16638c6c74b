/* Breakpoints and watches against a naive search: every position is looked at, one after
 * the other.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ui/travel.h"
#include "app.h"
#include "describe.h"
#include "pgtable.h"
#include "tap.h"

static const char script[] =
    "return scenario {\n"
    "  machine = { arch = 'i386', ram = '64M', cpus = 2 },\n"
    "  run = function()\n"
    "    local held = {}\n"
    "    for i = 1, 40 do\n"
    "      local page = on_cpu(random(2) - 1, alloc_pages, GFP_KERNEL, random(0, 4))\n"
    "      held[#held + 1] = { page, page:order() }\n"
    "      if i % 3 == 0 then say('note') end\n"
    "      if random(3) == 1 then\n"
    "        local h = table.remove(held, random(#held))\n"
    "        __free_pages(h[1], h[2])\n"
    "      end\n"
    "    end\n"
    "    drain_all_pages()\n"
    "  end }\n";

enum { MOST = 20000 };
static struct position at[MOST];
static struct watch_value value[MOST];
static size_t nr;

/* All positions of the branch, with what w reads there. */
static void walk(struct timeline *t, const struct watch *w)
{
    nr = 0;
    timeline_seek(t, (struct position){0, 0, 0});
    do {
        at[nr] = timeline_position(t);
        value[nr++] = watch_read(w, timeline_machine(t));
    } while (nr < MOST && timeline_step_event(t, 1));
}

static bool differs(size_t a, size_t b)
{
    return memcmp(&value[a], &value[b], sizeof value[a]) != 0;
}

static bool changed_at(size_t i) { return i && differs(i, i - 1); }

static bool is_at(const struct timeline *t, size_t i)
{
    struct position p = timeline_position(t);
    return p.op == at[i].op && p.event == at[i].event;
}

static void check_watch(struct timeline *t, const struct watch *w, const char *name)
{
    walk(t, w);
    bool good = true;
    size_t changes = 0;
    for (size_t i = 0; i < nr; i++) {
        changes += changed_at(i);
    }
    for (size_t from = 0; from < nr && good; from += 97) {
        size_t next = from + 1, last = from;
        while (next < nr && !changed_at(next)) {
            next++;
        }
        while (last && !changed_at(last)) {
            last--;
        }
        timeline_seek(t, at[from]);
        bool found = timeline_find_change(t, 1, w, NULL, NULL);
        good = good && found == (next < nr) && is_at(t, found ? next : from);
        timeline_seek(t, at[from]);
        found = timeline_find_change(t, -1, w, NULL, NULL);
        good = good && found == (last != 0) && is_at(t, found ? last : from);
        if (!good) {
            diag("from %llu.%llu", (unsigned long long)at[from].op,
                 (unsigned long long)at[from].event);
        }
    }
    ok(good && changes, "%s: every change is found, forwards and backwards (%zu)", name,
       changes);
}

/* continue and continue-back against the walk: stop at each event of a kind. */
static size_t count_stops(struct app *a, int direction)
{
    struct stop *which;
    size_t stops = 0;
    while (travel_continue(a, direction, &which) == TRAVEL_BREAK) {
        stops++;
    }
    return stops;
}

static size_t count_events(struct timeline *t, uint16_t kind)
{
    size_t n = 0;
    struct event ev;
    timeline_seek(t, (struct position){0, 0, 0});
    while (timeline_step_event(t, 1)) {
        n += timeline_current_event(t, &ev) && ev.kind == kind;
    }
    return n;
}

static void check_kind(struct app *a, uint16_t kind, const char *condition)
{
    char err[300];
    struct stop like = {.kind = STOP_EVENT, .what = kind};
    snprintf(like.condition, sizeof like.condition, "%s", condition);
    size_t events = count_events(a->t, kind);
    ok(stops_add(&a->stops, a->session, &like, err, sizeof err) != NULL, "set");
    timeline_seek(a->t, (struct position){0, 0, 0});
    size_t on = count_stops(a, 1);
    size_t back = count_stops(a, -1);
    if (*condition) {
        ok(on == back && on < events && on > 0, "%s if %s: %zu of %zu, both ways",
           event_info(kind)->name, condition, on, events);
    } else {
        ok(on == events && back == events, "%s stops %zu times, both ways",
           event_info(kind)->name, events);
    }
    stops_clear(&a->stops);
}

/* A run of the script from the beginning stops at the same places as one through what is
 * recorded. */
static void check_live(void)
{
    char err[300];
    struct session *s =
        session_open_text("live", script, &(struct session_options){0}, err, sizeof err);
    struct app a;
    app_init(&a, s, GLYPHS_ASCII);
    struct stop like = {.kind = STOP_FUNCTION}, line = {.kind = STOP_LINE, .what = 11};
    for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
        like.what = strcmp(fn_info(i)->name, "expand") ? like.what : i;
    }
    stops_add(&a.stops, s, &like, err, sizeof err);
    stops_add(&a.stops, s, &line, err, sizeof err);
    size_t live = count_stops(&a, 1);
    timeline_seek(a.t, (struct position){0, 0, 0});
    size_t recorded = count_stops(&a, 1), back = count_stops(&a, -1);
    ok(live > 10, "the script ran");
    is_u64(recorded, live, "recorded stops as many times as live");
    is_u64(back, live, "and backwards");
    app_free(&a);
    session_close(s);
}

static void check_ignore(struct app *a)
{
    char err[300];
    struct stop like = {.kind = STOP_EVENT, .what = EV_MM_PAGE_ALLOC, .ignore = 5};
    struct stop *which;
    stops_add(&a->stops, a->session, &like, err, sizeof err);
    timeline_seek(a->t, (struct position){0, 0, 0});
    size_t on = count_stops(a, 1);
    is_u64(on, count_events(a->t, EV_MM_PAGE_ALLOC) - 5, "five are ignored");
    a->stops.list[0].enabled = false;
    stops_changed(&a->stops);
    timeline_seek(a->t, (struct position){0, 0, 0});
    ok(travel_continue(a, 1, &which) != TRAVEL_BREAK, "a disabled one does not stop");
    stops_clear(&a->stops);
    struct stop bad = {.kind = STOP_WHEN, .text = "1 +"};
    ok(!stops_add(&a->stops, a->session, &bad, err, sizeof err) && *err,
       "an expression that is none is refused: %s", err);
    struct stop acts = {.kind = STOP_WHEN, .text = "alloc_pages(GFP_KERNEL, 0)"};
    stops_add(&a->stops, a->session, &acts, err, sizeof err);
    timeline_seek(a->t, (struct position){0, 0, 0});
    ok(travel_continue(a, 1, &which) == TRAVEL_BREAK &&
           strstr(a->stops.error, "may only look"),
       "a condition may not act: %s", a->stops.error);
    stops_clear(&a->stops);
    struct stop loops = {.kind = STOP_WHEN,
                         .text = "(function() while true do end end)()"};
    stops_add(&a->stops, a->session, &loops, err, sizeof err);
    timeline_seek(a->t, (struct position){0, 0, 0});
    ok(travel_continue(a, 1, &which) == TRAVEL_BREAK && *a->stops.error,
       "one that never ends is stopped: %s", a->stops.error);
    stops_clear(&a->stops);
}

int main(void)
{
    char err[300];
    struct session *s =
        session_open_text("stops", script, &(struct session_options){0}, err, sizeof err);
    if (!s) {
        bail_out("%s", err);
    }
    struct app a;
    struct stop *which;
    app_init(&a, s, GLYPHS_ASCII);
    travel_continue(&a, 1, &which);
    const uint64_t digest = machine_digest(timeline_machine(a.t));
    check_watch(a.t, &(struct watch){WATCH_FREELIST, 1, 3, 0}, "a free list");
    check_watch(a.t, &(struct watch){WATCH_PCP, 1, 1, 0}, "a per-CPU list");
    check_watch(a.t, &(struct watch){WATCH_ZONE, 1, 0, 0}, "a zone");
    struct op_record rec;
    for (uint64_t op = 0; timeline_op(a.t, 0, op, &rec); op++) {
        if (rec.op.kind == OP_FREE_PAGES) {
            break;
        }
    }
    check_watch(a.t, &(struct watch){WATCH_PAGE, rec.op.arg[0], 0, 0}, "a page");
    const struct machine *m = timeline_machine(a.t);
    const struct watch direct = {WATCH_VIRTUAL, kspace_va(&m->vm->kspace, 0x800), 8, 0};
    ok(!pgtable_get(m, direct.a) && pgtable_translate(m, direct.a) == 0x800,
       "a large page of the direct map");
    is_hex(watch_read(&direct, m).word[3], 8 | UINT64_C(1) << 32, "is watched, too");
    check_kind(&a, EV_BUDDY_SPLIT, "");
    check_kind(&a, EV_MM_PAGE_ALLOC, "");
    check_kind(&a, EV_BUDDY_SPLIT, "order > 2");
    check_ignore(&a);
    timeline_seek(a.t, (struct position){0, UINT64_MAX, 0});
    ok(machine_digest(timeline_machine(a.t)) == digest, "looking has changed nothing");
    app_free(&a);
    session_close(s);
    check_live();
    done_testing();
}
