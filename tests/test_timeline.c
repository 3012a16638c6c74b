/* The timeline: positions, branches, interrupts, search, what is kept and what is
 * forgotten. Random travel, a little of it; test_travel_random.c does more, and looks at
 * all memory at each step.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "timeline.h"

#include "travel.h"

static struct machine_config config;

static struct timeline *begin(size_t history_bytes)
{
    char err[300] = "";
    struct timeline *t = timeline_create(
        &config, NULL, &(struct timeline_options){history_bytes}, err, sizeof err);
    if (!t) {
        bail_out("no machine: %s", err);
    }
    return t;
}

static const struct op alloc_op = {.kind = OP_ALLOC_PAGES, .arg = {GFP_KERNEL, 0}};

static uint64_t digest(struct timeline *t) { return machine_digest(timeline_machine(t)); }

static void is_at(struct timeline *t, uint32_t branch, uint64_t op, uint64_t event,
                  const char *what)
{
    const struct position at = timeline_position(t);
    if (!ok(at.branch == branch && at.op == op && at.event == event, "%s", what)) {
        diag("at branch %u, operation %" PRIu64 ", event %" PRIu64, at.branch, at.op,
             at.event);
    }
}

static struct position place(uint32_t branch, uint64_t op, uint64_t event)
{
    return (struct position){branch, op, event};
}

static void test_position_text(void)
{
    static const struct {
        const char *text;
        struct position at;
    } good[] = {{"0", {3, 0, 0}},
                {"42", {3, 42, 0}},
                {"1.1", {3, 0, 1}},
                {"42.3", {3, 41, 3}},
                {"1000000.1", {3, 999999, 1}},
                {"18446744073709551615", {3, UINT64_MAX, 0}}};
    static const char *const bad[] = {"",
                                      "x",
                                      ".",
                                      "-1",
                                      " 1",
                                      ".3",
                                      "5.",
                                      "5.x",
                                      "0.1",
                                      "0.0",
                                      "18446744073709551616",
                                      "1.18446744073709551616"};
    char text[POSITION_TEXT];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct position at = {3, 7, 7};
        const char *rest = position_parse(good[i].text, &at);
        ok(rest && !*rest && at.branch == 3 && at.op == good[i].at.op &&
               at.event == good[i].at.event,
           "%s is a position", good[i].text);
        is_str(position_format(text, at), good[i].text, "and is written like that");
    }
    struct position at = {3, 7, 7};
    const char *rest = position_parse("42.0 on", &at);
    ok(rest && !strcmp(rest, " on") && at.op == 41 && !at.event,
       "42.0 is where operation 42 begins; what follows is left");
    is_str(position_format(text, at), "41", "the end of operation 41");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        at = place(3, 7, 7);
        ok(!position_parse(bad[i], &at) && at.op == 7 && at.event == 7,
           "\"%s\" is none, and changes nothing", bad[i]);
    }
}

static void test_positions(void)
{
    struct timeline *t = begin(0);
    struct op_record r;
    is_at(t, 0, 0, 0, "it begins before operation 0");
    ok(!timeline_step_event(t, -1) && !timeline_step_event(t, 1),
       "and there is nowhere to go");
    ok(!timeline_op(t, 0, 0, &r) && !timeline_op(t, 7, 0, &r), "and nothing is recorded");
    const uint64_t boot = digest(t);
    const uint64_t page = timeline_do(t, &alloc_op);
    ok(page != PFN_NONE, "an operation answers");
    is_at(t, 0, 1, 0, "the position is behind it");
    ok(timeline_op(t, 0, 0, &r), "it is recorded");
    ok(r.result == page && r.nr_events > 1 && r.op.kind == OP_ALLOC_PAGES,
       "with result and events");
    const uint64_t after = digest(t);
    struct event ev;
    ok(!timeline_current_event(t, &ev), "between operations there is no event");
    ok(timeline_step_event(t, -1), "a step back");
    is_at(t, 0, 0, r.nr_events, "leads to the last event");
    ok(timeline_current_event(t, &ev) && ev.n == r.nr_events, "which is current");
    for (uint64_t e = r.nr_events; e-- > 0;) {
        timeline_step_event(t, -1);
    }
    is_at(t, 0, 0, 0, "and so on to the beginning");
    is_hex(digest(t), boot, "where all is as after boot");
    timeline_seek(t, place(0, 99, 99));
    is_at(t, 0, 1, 0, "a position behind the end is the end");
    is_hex(digest(t), after, "with its state");
    timeline_seek(t, place(0, 0, 99));
    is_at(t, 0, 0, r.nr_events, "an event behind the last is the last");
    ok(timeline_machine(t)->probe.depth > 0 || ev.depth == 0, "its call stack is there");
    timeline_seek(t, place(9, 0, 0));
    is_at(t, 0, 0, 0, "a branch that does not exist is the current one");
    is_u64(timeline_event_number(t, place(0, 1, 0)), r.nr_events, "events are counted");
    is_u64(timeline_do(t, &(struct op){.kind = NR_OPS}), PFN_NONE,
           "an operation that does not exist");
    is_u64(timeline_nr_ops(t, 0), 1, "is not recorded");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

static void test_branches(void)
{
    struct timeline *t = begin(0);
    uint64_t old[6], new[6];
    for (int i = 0; i < 6; i++) {
        old[i] = digest(t);
        timeline_do(t, &alloc_op);
    }
    timeline_seek(t, place(0, 3, 1));
    struct op drain = {.kind = OP_DRAIN_ALL_PAGES};
    timeline_do(t, &drain);
    is_at(t, 1, 5, 0,
          "done inside an operation of the past: that one is finished, a branch begins "
          "behind it");
    is_u64(timeline_nr_branches(t), 2, "there are two branches");
    is_u64(timeline_branch(t, 1).fork_op, 4, "which have four operations in common");
    is_u64(timeline_branch(t, 1).parent, 0, "the first is the parent");
    is_u64(timeline_nr_ops(t, 0), 6, "the old future is kept");
    for (uint64_t i = 0; i < 6; i++) {
        timeline_seek(t, place(1, i, 0));
        new[i] = digest(t);
        timeline_seek(t, place(0, i, 0));
        ok(digest(t) == old[i] && (i > 4 || new[i] == old[i]),
           "operation %" PRIu64 " in both branches", i);
    }
    ok(new[5] != old[5], "behind the fork they differ");
    timeline_seek(t, place(1, 4, 0));
    timeline_do(t, &alloc_op);
    is_u64(timeline_branch(t, 2).parent, 0,
           "a branch at the fork is the first branch's child");
    timeline_seek(t, place(1, 2, 0));
    timeline_do(t, &alloc_op);
    is_at(t, 3, 3, 0, "the same operation again in the past is a branch too");
    is_hex(digest(t), old[3], "in which the same happens");
    timeline_name_branch(t, 3, "again");
    is_str(timeline_branch(t, 3).name, "again", "a branch has a name");
    ok(timeline_branch(t, 2).name[0] && timeline_branch(t, 99).name[0], "always");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

/* The number of events of this kind that an operation has. */
struct count {
    uint16_t kind;
    uint64_t nr, first, last;
};
static void count_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct count *c = ctx;
    (void)m;
    if (ev->kind == c->kind) {
        c->first = c->nr ? c->first : ev->n;
        c->last = ev->n;
        c->nr++;
    }
}
static struct count count_kind(struct timeline *t, uint32_t branch, uint64_t op,
                               uint16_t kind)
{
    struct count c = {.kind = kind};
    timeline_events(t, branch, op, count_event, &c);
    return c;
}

static void test_interrupts(void)
{
    struct timeline *t = begin(0);
    char err[200];
    struct op_record r;
    struct injected in;
    const struct op handler = {
        .kind = OP_ALLOC_PAGES, .arg = {GFP_ATOMIC, 0}, .origin = ORIGIN_USER, .site = 3};
    timeline_do(t, &alloc_op);
    timeline_do(t, &alloc_op);
    timeline_op(t, 0, 1, &r);
    const uint64_t alone = r.nr_events;
    timeline_seek(t, place(0, 1, 1));
    ok(timeline_interrupt(t, &handler, 1, err, sizeof err),
       "an interrupt in the last operation");
    is_u64(timeline_nr_branches(t), 1, "begins no branch");
    timeline_op(t, 0, 1, &r);
    is_u64(r.nr_injected, 3, "it is three nested operations");
    ok(r.nr_events > alone, "whose events are the operation's");
    struct count entry = count_kind(t, 0, 1, EV_IRQ_ENTRY),
                 leave = count_kind(t, 0, 1, EV_IRQ_EXIT);
    ok(entry.nr == 1 && leave.nr == 1, "it comes once and returns once");
    is_at(t, 0, 1, leave.last, "the position is where it has returned");
    ok(timeline_injected(t, 0, 1, 0, &in) && in.op.kind == OP_IRQ_ENTER &&
           in.op.origin == ORIGIN_USER && in.op.site == 3,
       "first it enters, and says who asked for it");
    ok(timeline_injected(t, 0, 1, 1, &in) && in.op.kind == OP_ALLOC_PAGES &&
           in.result != PFN_NONE,
       "then the handler");
    ok(timeline_injected(t, 0, 1, 2, &in) && in.op.kind == OP_IRQ_LEAVE,
       "then it leaves");
    ok(!timeline_injected(t, 0, 1, 3, &in) && !timeline_injected(t, 0, 0, 0, &in),
       "and that is all");

    timeline_seek(t, place(0, 1, entry.last));
    ok(timeline_interrupt(t, &handler, 1, err, sizeof err),
       "another one, behind it in time");
    const uint32_t branches = timeline_nr_branches(t);
    timeline_op(t, timeline_position(t).branch, 1, &r);
    is_u64(r.nr_injected, 6, "waits until the first has left");
    timeline_seek(t, place(timeline_position(t).branch, 1, 1));
    ok(timeline_interrupt(t, NULL, 0, err, sizeof err), "one in front of both");
    is_u64(timeline_nr_branches(t), branches + 1,
           "begins a branch: what came later is kept there");
    timeline_op(t, timeline_position(t).branch, 1, &r);
    is_u64(r.nr_injected, 2, "and does not come here");
    timeline_seek(t, place(0, 0, 1));
    ok(timeline_interrupt(t, &handler, 1, err, sizeof err), "one in the past");
    is_u64(timeline_nr_branches(t), branches + 2, "begins a branch");
    is_u64(timeline_nr_ops(t, timeline_position(t).branch), 1,
           "that ends with the interrupted operation");
    timeline_seek(t, place(0, UINT64_MAX, 0));
    ok(timeline_interrupt(t, &handler, 1, err, sizeof err), "one between operations");
    is_at(t, 0, 5, 0, "is three operations");
    const struct op bad = {.kind = NR_OPS};
    ok(!timeline_interrupt(t, &bad, 1, err, sizeof err) && err[0],
       "an operation that is none: %s", err);
    const struct op far = {.kind = OP_NOTE, .cpu = 200};
    ok(!timeline_interrupt(t, &far, 1, err, sizeof err) && err[0],
       "a CPU that is none: %s", err);
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

static void test_waiting_interrupt(void)
{
    struct timeline *t = begin(0);
    char err[200];
    struct op_record r;
    const struct op handler = {.kind = OP_ALLOC_PAGES, .arg = {GFP_ATOMIC, 0}};
    const struct op off = {.kind = OP_LOCAL_IRQ_DISABLE},
                    on = {.kind = OP_LOCAL_IRQ_ENABLE};
    const struct op note = {.kind = OP_NOTE};
    timeline_do(t, &off);
    ok(timeline_interrupt(t, &handler, 1, err, sizeof err),
       "an interrupt with interrupts off");
    is_at(t, 0, 1, 0, "does nothing");
    timeline_do(t, &alloc_op);
    timeline_do(t, &note);
    is_at(t, 0, 3, 0, "does nothing for now");
    timeline_do(t, &on);
    timeline_op(t, 0, 3, &r);
    const uint64_t end = timeline_nr_ops(t, 0);
    ok(r.nr_injected == 3 || end == 7,
       "it comes when they are on again, in that operation or behind it");
    const uint64_t state = digest(t);
    timeline_do(t, &alloc_op);
    is_u64(timeline_nr_ops(t, 0), end + 1, "once");
    timeline_seek(t, place(0, 2, 0));
    timeline_do(t, &note);
    timeline_do(t, &on);
    const uint32_t branch = timeline_position(t).branch;
    timeline_op(t, branch, 3, &r);
    ok(r.nr_injected == 3 || timeline_nr_ops(t, branch) == 7,
       "in a branch from before that, it comes too");
    is_hex(digest(t), state, "with the same state");
    timeline_seek(t, place(0, 0, 0));
    timeline_do(t, &on);
    is_u64(timeline_nr_ops(t, timeline_position(t).branch), 1,
           "in one from before it was asked for, it does not");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

struct hook {
    struct timeline *t;
    uint64_t calls;
    bool nest;
};
static void hook_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct hook *h = ctx;
    (void)m;
    h->calls++;
    if (h->nest) {
        h->nest = false;
        const struct op op = {
            .kind = OP_ALLOC_PAGES, .cpu = ev->cpu, .arg = {GFP_ATOMIC}};
        timeline_do_nested(h->t, &op);
    }
}

static void test_hook(void)
{
    struct timeline *t = begin(0);
    struct hook h = {.t = t};
    struct op_record r;
    uint64_t kinds[(NR_EVENTS + 63) / 64] = {0};
    is_u64(timeline_do_nested(t, &alloc_op), PFN_NONE,
           "nothing is nested outside of a hook");
    timeline_set_live_hook(t, hook_event, &h, NULL);
    timeline_do(t, &alloc_op);
    timeline_op(t, 0, 0, &r);
    is_u64(h.calls, r.nr_events, "the hook sees every event");
    timeline_seek(t, place(0, 0, 1));
    timeline_step_event(t, 1);
    timeline_events(t, 0, 0, count_event, &(struct count){0});
    timeline_seek(t, place(0, 1, 0));
    is_u64(h.calls, r.nr_events, "but not when time travel runs them again");
    kinds[EV_MM_PAGE_ALLOC / 64] |= (uint64_t)1 << EV_MM_PAGE_ALLOC % 64;
    timeline_set_live_hook(t, hook_event, &h, kinds);
    h.calls = 0;
    h.nest = true;
    timeline_do(t, &alloc_op);
    is_u64(h.calls, 2, "of the kinds that it asked for: its own allocation's event too");
    timeline_op(t, 0, 1, &r);
    is_u64(r.nr_injected, 1, "what it does is recorded");
    const uint64_t after = digest(t);
    timeline_set_live_hook(t, NULL, NULL, NULL);
    timeline_seek(t, place(0, 0, 0));
    timeline_seek(t, place(0, 2, 0));
    is_hex(digest(t), after, "and done again by time travel without the hook");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

/* A hook that nests twice at one event, and an interrupt inside the first of these. */
static void nest_twice(void *ctx, struct machine *m, const struct event *ev)
{
    struct hook *h = ctx;
    (void)m;
    if (h->nest) {
        h->nest = false;
        const struct op op = {
            .kind = OP_ALLOC_PAGES, .cpu = ev->cpu, .arg = {GFP_ATOMIC}};
        timeline_do_nested(h->t, &op);
        timeline_do_nested(h->t, &op);
    }
}

struct visit {
    struct timeline *t;
    bool take_part;
    uint64_t taken, nr, digest[200];
};
static void visit_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct visit *v = ctx;
    struct op op;
    v->digest[v->nr++ % 200] = travel_digest_at(m, ev);
    while (v->take_part && timeline_peek_nested(v->t, &op)) {
        v->taken++;
        timeline_do_nested(v->t, &op);
    }
}

static void test_visited_hook(void)
{
    struct timeline *t = begin(0);
    struct hook h = {.t = t, .nest = true};
    struct op_record r;
    char err[200];
    timeline_set_live_hook(t, nest_twice, &h, NULL);
    timeline_do(t, &alloc_op);
    timeline_set_live_hook(t, NULL, NULL, NULL);
    timeline_op(t, 0, 0, &r);
    is_u64(r.nr_injected, 2, "two operations nested at the first event");
    timeline_seek(t, place(0, 0, 2));
    ok(timeline_interrupt(t, NULL, 0, err, sizeof err),
       "an interrupt in the first of them");
    const uint32_t branch = timeline_position(t).branch;
    timeline_op(t, branch, 0, &r);
    is_u64(r.nr_injected, 4, "makes four");
    struct visit plain = {.t = t}, active = {.t = t, .take_part = true};
    timeline_events(t, branch, 0, visit_event, &plain);
    timeline_events(t, branch, 0, visit_event, &active);
    is_u64(plain.nr, r.nr_events, "all events are passed");
    is_u64(active.nr, r.nr_events, "also when fn runs what was nested itself");
    is_u64(active.taken, 4, "which it may");
    ok(memcmp(plain.digest, active.digest, sizeof plain.digest) == 0,
       "with the same states");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

/* ---- search ---- */

struct wanted {
    uint16_t kind;
    uint64_t asked, give_up_after;
};
static bool is_wanted(void *ctx, struct machine *m, const struct event *ev)
{
    struct wanted *w = ctx;
    (void)m;
    w->asked++;
    return ev->kind == w->kind;
}
static bool gives_up(void *ctx)
{
    const struct wanted *w = ctx;
    return w->asked >= w->give_up_after;
}

static void test_search(void)
{
    enum { OPS = 3000 };
    struct timeline *t = begin(0);
    struct prng rand = {7};
    uint64_t page[OPS], nr_pages = 0, nr = 0;
    static struct position all[OPS * 20];
    for (int i = 0; i < OPS; i++) {
        struct op op = alloc_op;
        if (nr_pages && prng_one_in(&rand, 2)) {
            op = (struct op){.kind = OP_FREE_PAGES, .arg = {page[--nr_pages]}};
        }
        const uint64_t got = timeline_do(t, &op);
        if (op.kind == OP_ALLOC_PAGES) {
            page[nr_pages++] = got;
        }
    }
    struct wanted w = {.kind = EV_MM_PAGE_FREE, .give_up_after = UINT64_MAX};
    timeline_seek(t, place(0, 0, 0));
    while (timeline_search(t, 1, is_wanted, &w, NULL)) {
        all[nr++] = timeline_position(t);
        struct event ev;
        if (!timeline_current_event(t, &ev) || ev.kind != w.kind) {
            ok(false, "the current event is the one that was searched for");
        }
    }
    is_at(t, 0, OPS, 0, "a search that finds no more ends at the end");
    uint64_t free_ops = 0;
    struct op_record r;
    for (uint64_t i = 0; i < OPS; i++) {
        free_ops += timeline_op(t, 0, i, &r) && r.op.kind == OP_FREE_PAGES;
    }
    is_u64(nr, free_ops, "every page that was freed was found");
    bool same = true;
    uint64_t left = nr;
    while (timeline_search(t, -1, is_wanted, &w, NULL)) {
        const struct position at = timeline_position(t);
        left--;
        same = same && at.op == all[left].op && at.event == all[left].event;
    }
    ok(same && left == 0, "backward the same are found in reverse");
    is_at(t, 0, 0, 0, "and then the beginning");
    w.kind = EV_NONE;
    w.asked = 0;
    w.give_up_after = 500;
    ok(!timeline_search(t, 1, is_wanted, &w, gives_up) && timeline_position(t).op < 500,
       "a search can be interrupted");
    timeline_seek(t, place(0, OPS, 0));
    w.asked = 0;
    ok(!timeline_search(t, -1, is_wanted, &w, gives_up) && timeline_position(t).op > 0,
       "backward too");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

/* ---- texts ---- */

static void test_strings(void)
{
    struct timeline *t = begin(1 << 20);
    is_u64(timeline_intern(t, ""), 0, "the empty text is number 0");
    const uint32_t a = timeline_intern(t, "narration");
    is_u64(timeline_intern(t, "narration"), a, "a text has one number");
    is_str(timeline_string(t, a), "narration", "and comes back");
    is_str(timeline_string(t, 2000000), "", "a number that was never given");
    const uint32_t s = timeline_intern_site(t, "a.lua", 12, "in run\nin main");
    ok(s && timeline_intern_site(t, "a.lua", 12, "in run\nin main") == s,
       "a site has one number");
    ok(timeline_intern_site(t, "a.lua", 13, "in run\nin main") != s,
       "another line, another site");
    is_str(timeline_site(t, s).file, "a.lua", "its file");
    is_u64(timeline_site(t, s).line, 12, "its line");
    is_str(timeline_site(t, s).stack, "in run\nin main", "its stack");
    is_str(timeline_site(t, 0).file, "", "site 0 is nowhere");
    timeline_set_locals(t, 0, 5, "i = 1\n");
    timeline_set_locals(t, 0, 6, "i = 1\n");
    timeline_set_locals(t, 0, 7, "i = 2\n");
    is_str(timeline_locals(t, 0, 5), "i = 1\n", "locals of an operation");
    is_str(timeline_locals(t, 0, 6), "i = 1\n", "the same of the next");
    timeline_set_locals(t, 0, 6, "i = 9\n");
    is_str(timeline_locals(t, 0, 6), "i = 9\n", "said again: the newer ones");
    is_str(timeline_locals(t, 0, 5), "i = 1\n", "of this one only");
    is_str(timeline_locals(t, 0, 8), "", "none are kept");
    char text[100];
    for (int i = 0; i < 40000; i++) {
        snprintf(text, sizeof text, "a text that nobody has said before, number %d", i);
        timeline_intern(t, text);
        timeline_intern_site(t, text, 1, "");
        timeline_set_locals(t, 0, (uint64_t)i, text);
    }
    ok(timeline_figures(t).bytes_strings < 4 << 20, "texts are bounded: %zu bytes",
       timeline_figures(t).bytes_strings);
    is_str(timeline_locals(t, 0, 39999), text, "the newest locals are kept");
    is_str(timeline_locals(t, 0, 100), "", "the oldest are not");
    is_str(timeline_string(t, a), "narration", "the oldest texts are kept");
    ok(strstr(timeline_string(t, timeline_intern(t, "one too many")), "not kept") != NULL,
       "a text for which there is no room says so");
    timeline_destroy(t);
}

/* ---- bounds ---- */

static void test_bound(void)
{
    const size_t bound = 3 << 20;
    struct timeline *t = begin(bound);
    struct op_record r;
    uint64_t worst = 0, last_digest[8];
    struct op op = alloc_op;
    for (uint64_t i = 0; i < 200000; i++) {
        if (i >= 199990) {
            last_digest[i % 8] = digest(t);
        }
        const uint64_t got = timeline_do(t, &op);
        op = op.kind == OP_ALLOC_PAGES && got != PFN_NONE
                 ? (struct op){.kind = OP_FREE_PAGES, .arg = {got}}
                 : alloc_op;
        if (i % 100 == 0) {
            const struct timeline_figures f = timeline_figures(t);
            const uint64_t bytes = f.bytes_ops + f.bytes_checkpoints + f.bytes_strings;
            worst = bytes > worst ? bytes : worst;
        }
    }
    ok(worst < bound * 11 / 10, "the history stays within its bytes: %" PRIu64 " of %zu",
       worst, bound);
    const uint64_t first = timeline_first_op(t);
    ok(first > 0 && first < 190000,
       "the oldest operations are forgotten: those before %" PRIu64, first);
    ok(!timeline_op(t, 0, first - 1, &r) && timeline_op(t, 0, first, &r),
       "the others are there");
    timeline_seek(t, place(0, 0, 0));
    is_at(t, 0, first, 0, "travel ends where they end");
    ok(!timeline_step_event(t, -1), "no step goes further back");
    timeline_seek(t, place(0, 199999, 0));
    is_hex(digest(t), last_digest[199999 % 8], "and back to the end");
    is_u64(timeline_nr_ops(t, 0), 200000, "the operations' numbers stay");
    timeline_seek(t, place(0, first + 10, 0));
    timeline_do(t, &alloc_op);
    is_at(t, 1, first + 11, 0, "a branch begins behind it");
    is_str(timeline_check(t), NULL, "check");
    timeline_destroy(t);
}

/* ---- travel ---- */

static void test_travel(uint64_t seed, bool hook)
{
    struct traveller *tr = calloc(1, sizeof *tr);
    const uint32_t machine = (uint32_t)seed % TRAVEL_SMALL_MACHINES;
    const struct machine_config c = travel_machine(machine);
    travel_begin(tr, &c, 0, seed);
    timeline_set_live_hook(tr->t, hook ? travel_hook : NULL, tr, NULL);
    int i = 0;
    while (i < 300 && travel_something(tr)) {
        i++;
    }
    travel_all(tr, 1);
    for (uint32_t b = 0; b < tr->nr_branches; b++) {
        travel_bare(tr, b);
    }
    ok(!tr->problem[0] && !hook == !tr->hooked,
       "random travel, seed %" PRIu64 ", %u branches %s", seed, tr->nr_branches,
       tr->problem);
    travel_end(tr);
    free(tr);
}

/* Two machines side by side in one process know nothing of each other. */
static void test_two(void)
{
    struct traveller *tr = calloc(3, sizeof *tr);
    uint64_t apart;
    travel_begin(&tr[0], &config, 0, 77);
    for (int i = 0; i < 200; i++) {
        travel_something(&tr[0]);
    }
    apart = travel_digest(&tr[0]);
    travel_begin(&tr[1], &config, 0, 77);
    travel_begin(&tr[2], &config, 0, 78);
    for (int i = 0; i < 200; i++) {
        travel_something(&tr[1]);
        travel_something(&tr[2]);
    }
    is_hex(travel_digest(&tr[1]), apart, "two machines in turn: each as if alone");
    for (int i = 0; i < 3; i++) {
        is_str(tr[i].problem, "", "machine %d", i);
        travel_end(&tr[i]);
    }
    free(tr);
}

int main(void)
{
    config_init(&config, ARCH_I386);
    config.cpus = 2;
    config.ram_bytes = 64 << 20;
    test_position_text();
    test_positions();
    test_branches();
    test_interrupts();
    test_waiting_interrupt();
    test_hook();
    test_visited_hook();
    test_search();
    test_strings();
    test_bound();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        test_travel(seed, seed > 4);
    }
    test_two();
    return done_testing();
}
