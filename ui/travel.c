/* Going through time by the steps that a person thinks in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "travel.h"

#include "describe.h"

/* Where we are, as (operation in view, its events that have happened). At the start
 * (the beginning, or where what is remembered begins) no operation is in view, and op
 * is the one before. */
struct spot {
    uint32_t branch;
    uint64_t op;
    uint64_t n;
    uint64_t nr; /* events of the operation */
    bool start;
};

static bool nr_events_of(struct app *a, uint32_t branch, uint64_t op, uint64_t *nr)
{
    struct op_record rec;
    if (!timeline_op(a->t, branch, op, &rec)) {
        return false;
    }
    *nr = rec.nr_events;
    return true;
}

static struct spot spot_now(struct app *a)
{
    struct position at = timeline_position(a->t);
    struct spot s = {at.branch, at.event ? at.op : at.op - 1, at.event, 0,
                     !at.event && at.op <= timeline_first_op(a->t)};
    if (s.start) {
        return s;
    }
    nr_events_of(a, s.branch, s.op, &s.nr);
    if (!at.event) {
        s.n = s.nr;
    }
    return s;
}

static void go(struct app *a, uint32_t branch, uint64_t op, uint64_t n)
{
    uint64_t nr = 0;
    nr_events_of(a, branch, op, &nr);
    struct position to =
        n >= nr ? (struct position){branch, op + 1, 0} : (struct position){branch, op, n};
    timeline_seek(a->t, to);
}

static void go_start(struct app *a)
{
    timeline_seek(a->t, (struct position){timeline_position(a->t).branch,
                                          timeline_first_op(a->t), 0});
}

/* At the end of the branch: let the script issue one more operation. The position is
 * then behind it. */
static enum travel extend(struct app *a)
{
    uint32_t branch = timeline_position(a->t).branch;
    uint64_t before = timeline_nr_ops(a->t, branch);
    enum session_state state =
        session_advance(a->session, a->interrupted, a->interrupted_ctx);
    uint32_t now = timeline_position(a->t).branch;
    if (now != branch || timeline_nr_ops(a->t, now) > before) {
        return TRAVEL_MOVED;
    }
    return state == SESSION_ERROR     ? TRAVEL_FAILED
           : state == SESSION_STOPPED ? TRAVEL_INTERRUPTED
                                      : TRAVEL_END;
}

/* Make operation op exist; it is not gone to. */
static enum travel need_op(struct app *a, uint64_t op)
{
    while (true) {
        uint32_t branch = timeline_position(a->t).branch;
        if (op < timeline_nr_ops(a->t, branch)) {
            return TRAVEL_MOVED;
        }
        timeline_seek(a->t, (struct position){branch, timeline_nr_ops(a->t, branch), 0});
        enum travel result = extend(a);
        if (result != TRAVEL_MOVED) {
            return result;
        }
    }
}

static bool interrupted(struct app *a)
{
    return a->interrupted && a->interrupted(a->interrupted_ctx);
}

enum travel travel_event(struct app *a, int direction)
{
    struct spot s = spot_now(a);
    if (direction < 0) {
        if (s.start) {
            return TRAVEL_START;
        }
        if (s.n > 1) {
            go(a, s.branch, s.op, s.n - 1);
        } else if (s.op == timeline_first_op(a->t)) {
            go_start(a);
        } else {
            uint64_t nr = 0;
            nr_events_of(a, s.branch, s.op - 1, &nr);
            go(a, s.branch, s.op - 1, nr);
        }
        return TRAVEL_MOVED;
    }
    if (!s.start && s.n < s.nr) {
        go(a, s.branch, s.op, s.n + 1);
        return TRAVEL_MOVED;
    }
    enum travel result = need_op(a, s.op + 1);
    if (result == TRAVEL_MOVED) {
        go(a, timeline_position(a->t).branch, s.op + 1, 1);
    }
    return result;
}

/* ---- steps ---- */

static bool is_step(const struct event *ev)
{
    const struct event_info *info = event_info(ev->kind);
    return info && info->level != EVENT_DETAIL;
}

/* The first stop of operation op behind event n (direction 1), or the last one before
 * n (-1). -1: none. */
static int64_t stop_in_op(struct app *a, uint32_t branch, uint64_t op, uint64_t n,
                          int direction)
{
    struct op_record rec;
    if (!timeline_op(a->t, branch, op, &rec)) {
        return -1;
    }
    if (!rec.nr_events) { /* its end, which is also its beginning, is the only place */
        bool stop = !op_is_note(&rec.op) || op_is_stop_note(&rec.op);
        return stop && n != 0 ? 0 : -1;
    }
    bool any = false;
    uint64_t from = direction > 0 ? (n == UINT64_MAX ? 1 : n + 1)
                                  : (n > rec.nr_events ? rec.nr_events : n - 1);
    for (uint64_t i = from; i >= 1 && i <= rec.nr_events;
         i += (uint64_t)(int64_t)direction) {
        const struct op_events *e = model_events(&a->model, branch, op, i);
        const struct event *ev = e ? op_events_get(e, i) : NULL;
        if (ev && is_step(ev)) {
            return (int64_t)i;
        }
    }
    /* no step on that side: the end of an operation that has none at all is a stop */
    bool end_is_on_that_side = direction > 0 ? from <= rec.nr_events : n > rec.nr_events;
    if (!end_is_on_that_side) {
        return -1;
    }
    for (uint64_t i = 1; i <= rec.nr_events && !any; i++) {
        const struct op_events *e = model_events(&a->model, branch, op, i);
        const struct event *ev = e ? op_events_get(e, i) : NULL;
        any = ev && is_step(ev);
    }
    return any ? -1 : (int64_t)rec.nr_events;
}

enum travel travel_step(struct app *a, int direction)
{
    struct spot s = spot_now(a);
    if (direction < 0) {
        if (s.start) {
            return TRAVEL_START;
        }
        int64_t stop = s.n ? stop_in_op(a, s.branch, s.op, s.n, -1) : -1;
        uint64_t op = s.op;
        while (stop < 0 && op > timeline_first_op(a->t)) {
            stop = stop_in_op(a, s.branch, --op, UINT64_MAX, -1);
            if (interrupted(a)) {
                go(a, s.branch, op, 0);
                return TRAVEL_INTERRUPTED;
            }
        }
        if (stop < 0) {
            go_start(a);
        } else {
            go(a, s.branch, op, (uint64_t)stop);
        }
        return TRAVEL_MOVED;
    }
    uint64_t op = s.op;
    uint32_t branch = s.branch;
    int64_t stop = !s.start && s.n < s.nr ? stop_in_op(a, branch, op, s.n, 1) : -1;
    while (stop < 0) {
        enum travel result = need_op(a, op + 1);
        branch = timeline_position(a->t).branch;
        if (result != TRAVEL_MOVED) {
            struct spot end = spot_now(a);
            return end.op != s.op || end.n != s.n ? TRAVEL_MOVED : result;
        }
        op++;
        struct op_record rec;
        timeline_op(a->t, branch, op, &rec);
        stop = rec.nr_events ? stop_in_op(a, branch, op, 0, 1)
                             : stop_in_op(a, branch, op, UINT64_MAX, 1);
        if (stop < 0 && interrupted(a)) {
            go(a, branch, op, rec.nr_events);
            return TRAVEL_INTERRUPTED;
        }
    }
    go(a, branch, op, (uint64_t)stop);
    return TRAVEL_MOVED;
}

/* ---- lines of the script ---- */

static uint32_t line_of(struct app *a, uint32_t branch, uint64_t op)
{
    struct op_record rec;
    return timeline_op(a->t, branch, op, &rec) ? timeline_site(a->t, rec.op.site).line
                                               : 0;
}

/* Operations that the user did have no line: each of them counts as one. */
static bool same_line(uint32_t a, uint32_t b) { return a && a == b; }

enum travel travel_next(struct app *a, int direction)
{
    struct spot s = spot_now(a);
    if (direction < 0) {
        if (s.start) {
            return TRAVEL_START;
        }
        uint64_t op =
            s.op; /* to the end of the operation before the first one of this line */
        uint32_t line = line_of(a, s.branch, op);
        while (op > timeline_first_op(a->t) &&
               same_line(line_of(a, s.branch, op - 1), line)) {
            op--;
        }
        timeline_seek(a->t, (struct position){s.branch, op, 0});
        return TRAVEL_MOVED;
    }
    if (!s.start && s.n < s.nr) {
        go(a, s.branch, s.op, s.nr);
        return TRAVEL_MOVED;
    }
    uint32_t line = s.start ? 0 : line_of(a, s.branch, s.op);
    for (uint64_t op = s.op + 1;; op++) {
        enum travel result = need_op(a, op);
        uint32_t branch = timeline_position(a->t).branch;
        if (result != TRAVEL_MOVED) {
            struct spot end = spot_now(a);
            return end.op != s.op ? TRAVEL_MOVED : result;
        }
        if (!same_line(line_of(a, branch, op), line)) {
            timeline_seek(a->t, (struct position){branch, op + 1, 0});
            return TRAVEL_MOVED;
        }
        if (interrupted(a)) {
            timeline_seek(a->t, (struct position){branch, op + 1, 0});
            return TRAVEL_INTERRUPTED;
        }
    }
}

/* ---- functions ---- */

struct returned {
    uint64_t after; /* events behind this one */
    uint32_t depth;
    struct probe_frame frame;
    uint64_t found; /* 0: not yet */
};

static void look_for_return(void *ctx, struct machine *m, const struct event *ev)
{
    struct returned *r = ctx;
    const struct probe *p = &m->probe;
    if (r->found || ev->n <= r->after) {
        return;
    }
    const struct probe_frame *f =
        r->depth <= PROBE_STACK ? &p->stack[r->depth - 1] : NULL;
    if (p->depth < r->depth || !f || f->fn != r->frame.fn ||
        f->event_entered != r->frame.event_entered) {
        r->found = ev->n;
    }
}

enum travel travel_finish(struct app *a, int direction)
{
    struct spot s = spot_now(a);
    const struct probe *p = &timeline_machine(a->t)->probe;
    bool inside =
        timeline_position(a->t).event != 0 && p->depth > 0 && p->depth <= PROBE_STACK;
    if (direction < 0) {
        if (s.start) {
            return TRAVEL_START;
        }
        uint64_t n = 0;
        if (inside) { /* frames keep the low 16 bits of the event before them */
            uint64_t entered =
                (s.n & ~(uint64_t)0xffff) | p->stack[p->depth - 1].event_entered;
            n = entered >= s.n ? entered - 0x10000 : entered;
        }
        timeline_seek(a->t, (struct position){s.branch, s.op, n});
        return TRAVEL_MOVED;
    }
    if (!inside) { /* between operations: the whole next one */
        enum travel result = need_op(a, s.op + 1);
        if (result == TRAVEL_MOVED) {
            timeline_seek(a->t,
                          (struct position){timeline_position(a->t).branch, s.op + 2, 0});
        }
        return result;
    }
    struct returned r = {s.n, p->depth, p->stack[p->depth - 1], 0};
    timeline_events(a->t, s.branch, s.op, look_for_return, &r);
    go(a, s.branch, s.op, r.found ? r.found : s.nr);
    return TRAVEL_MOVED;
}

/* ---- breakpoints ---- */

static int breakpoint_at(const struct app *a, const struct machine *m,
                         const struct event *ev)
{
    const struct probe *p = &m->probe;
    for (int i = 0; i < a->nr_breakpoints; i++) {
        const struct breakpoint *b = &a->breakpoints[i];
        bool hit = false;
        if (b->kind == BREAK_EVENT) {
            hit = ev->kind == b->what;
        } else if (b->kind == BREAK_PFN) {
            hit = event_touches_pfn(ev, b->what);
        } else if (b->kind == BREAK_FUNCTION && p->depth && p->depth <= PROBE_STACK) {
            /* the first event since it was called */
            const struct probe_frame *f = NULL;
            for (uint32_t d = 0; d < p->depth; d++) {
                f = p->stack[d].fn == b->what ? &p->stack[d] : f;
            }
            hit = f && f->event_entered == (uint16_t)(ev->n - 1);
        }
        if (hit) {
            return i;
        }
    }
    return -1;
}

struct break_search {
    struct app *a;
    uint64_t low, high; /* events strictly between are looked at */
    bool last;          /* the last hit, not the first */
    uint64_t found;
    int which;
};

static void look_for_break(void *ctx, struct machine *m, const struct event *ev)
{
    struct break_search *b = ctx;
    if (ev->n <= b->low || ev->n >= b->high || (b->found && !b->last)) {
        return;
    }
    int which = breakpoint_at(b->a, m, ev);
    if (which >= 0) {
        b->found = ev->n;
        b->which = which;
    }
}

static bool break_in_op(struct app *a, uint32_t branch, uint64_t op, uint64_t low,
                        uint64_t high, bool last, uint64_t *n, int *which)
{
    struct op_record rec;
    if (!timeline_op(a->t, branch, op, &rec)) {
        return false;
    }
    struct break_search b = {a, low, high, last, 0, -1};
    bool events = false;
    for (int i = 0; i < a->nr_breakpoints; i++) {
        events = events || a->breakpoints[i].kind != BREAK_LINE;
    }
    if (events && rec.nr_events) {
        timeline_events(a->t, branch, op, look_for_break, &b);
    }
    uint32_t line = timeline_site(a->t, rec.op.site).line;
    for (int i = 0; i < a->nr_breakpoints && line;
         i++) { /* a line stops at its operation's first event */
        uint64_t first = rec.nr_events > 1 ? 1 : rec.nr_events;
        bool in_range =
            rec.nr_events ? first > low && first < high : low == 0 && high == UINT64_MAX;
        if (a->breakpoints[i].kind == BREAK_LINE && a->breakpoints[i].what == line &&
            in_range && (!op || line_of(a, branch, op - 1) != line) &&
            (last ? !b.found : true)) {
            b.found = first ? first : UINT64_MAX;
            b.which = i;
        }
    }
    *n = b.found;
    *which = b.which;
    return b.found != 0;
}

static enum travel continue_back(struct app *a, int *which)
{
    struct spot s = spot_now(a);
    if (s.start) {
        return TRAVEL_START;
    }
    uint64_t n;
    for (uint64_t op = s.op, high = s.n; a->nr_breakpoints; op--, high = UINT64_MAX) {
        if (break_in_op(a, s.branch, op, 0, high, true, &n, which)) {
            go(a, s.branch, op, n);
            return TRAVEL_BREAK;
        }
        if (interrupted(a)) {
            timeline_seek(a->t, (struct position){s.branch, op, 0});
            return TRAVEL_INTERRUPTED;
        }
        if (op == timeline_first_op(a->t)) {
            break;
        }
    }
    go_start(a);
    return TRAVEL_MOVED;
}

enum travel travel_continue(struct app *a, int direction, int *which)
{
    *which = -1;
    if (direction < 0) {
        return continue_back(a, which);
    }
    struct spot s = spot_now(a);
    uint64_t op = s.op, low = s.n;
    if (s.start || s.n >= s.nr) {
        op++;
        low = 0;
    }
    uint64_t n;
    while (true) {
        enum travel result = need_op(a, op);
        uint32_t branch = timeline_position(a->t).branch;
        if (result != TRAVEL_MOVED) {
            timeline_seek(a->t,
                          (struct position){branch, timeline_nr_ops(a->t, branch), 0});
            struct spot end = spot_now(a);
            bool moved = end.op != s.op || end.n != s.n;
            return result == TRAVEL_END && moved ? TRAVEL_MOVED : result;
        }
        if (a->nr_breakpoints &&
            break_in_op(a, branch, op, low, UINT64_MAX, false, &n, which)) {
            go(a, branch, op, n);
            return TRAVEL_BREAK;
        }
        if (interrupted(a)) {
            timeline_seek(a->t, (struct position){branch, op + 1, 0});
            return TRAVEL_INTERRUPTED;
        }
        if (!a->nr_breakpoints) { /* nothing to look for in what is recorded */
            uint64_t end = timeline_nr_ops(a->t, branch);
            op = end > op + 1 ? end - 1 : op;
        }
        op++;
        low = 0;
    }
}

enum travel travel_to(struct app *a, uint64_t op, uint64_t event)
{
    if (op || event) {
        enum travel result = need_op(a, event ? op : op - 1);
        uint32_t branch = timeline_position(a->t).branch;
        uint64_t nr = timeline_nr_ops(a->t, branch);
        if (result != TRAVEL_MOVED) {
            timeline_seek(a->t, (struct position){branch, nr, 0});
            return result;
        }
    }
    timeline_seek(a->t, (struct position){timeline_position(a->t).branch, op, event});
    return TRAVEL_MOVED;
}
