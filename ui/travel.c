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
        history_note(&a->history, a->t);
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

/* A search through what is recorded, between two operations' beginnings. */
struct hunt {
    struct app *a;
    struct stop *which; /* the last one that stopped */
};

static void keep_event(void *ctx, struct machine *m, const struct event *ev)
{
    (void)m;
    *(struct event *)ctx = *ev;
}

/* The last event up to the position. */
static bool last_event(struct app *a, struct event *ev)
{
    const struct position at = timeline_position(a->t);
    if (timeline_current_event(a->t, ev)) {
        return true;
    }
    for (uint64_t op = at.op, nr = 0; op-- > timeline_first_op(a->t);) {
        if (nr_events_of(a, at.branch, op, &nr) && nr) {
            timeline_events(a->t, at.branch, op, keep_event, ev);
            return true;
        }
    }
    return false;
}

static void begin_stops(struct app *a, struct machine *m)
{
    struct event last;
    const bool known = stops_values(&a->stops) && last_event(a, &last);
    stops_begin(&a->stops, m, known ? &last : NULL, timeline_position(a->t).event != 0);
}

static void hunt_begin(void *ctx, struct machine *m)
{
    struct hunt *h = ctx;
    begin_stops(h->a, m);
}

static struct op_start place_of(struct app *a, uint32_t branch, uint64_t op)
{
    return (struct op_start){op, line_of(a, branch, op),
                             op ? line_of(a, branch, op - 1) : 0};
}

static bool hunt_at(void *ctx, struct machine *m, const struct event *ev)
{
    struct hunt *h = ctx;
    struct stops *s = &h->a->stops;
    struct op_start at;
    const bool begins = ev->n == 1 && stops_asks_places(s);
    if (begins) {
        const struct position now = timeline_position(h->a->t);
        at = place_of(h->a, now.branch, now.op);
    }
    struct stop *stop = stops_at(s, m, ev, begins ? &at : NULL);
    h->which = stop ? stop : h->which;
    return stop != NULL;
}

static bool hunt_end(void *ctx, struct machine *m)
{
    struct hunt *h = ctx;
    struct stops *s = &h->a->stops;
    const struct position now = timeline_position(h->a->t);
    struct op_start at;
    uint64_t nr = 1;
    const bool eventless =
        stops_asks_places(s) && nr_events_of(h->a, now.branch, now.op - 1, &nr) && !nr;
    if (eventless) {
        at = place_of(h->a, now.branch, now.op - 1);
    }
    struct stop *stop = stops_at_end(s, m, eventless ? &at : NULL);
    h->which = stop ? stop : h->which;
    return stop != NULL;
}

static bool hunt_interrupted(void *ctx)
{
    const struct hunt *h = ctx;
    return interrupted(h->a);
}

/* To where something stopped: at an event, or behind an operation. */
static void go_found(struct app *a, struct position at)
{
    if (at.event) {
        go(a, at.branch, at.op, at.event);
    } else {
        timeline_seek(a->t, at);
    }
}

/* Search through the operations from floor on, up to limit (0: all). */
static bool hunt_through(struct hunt *h, int direction, uint64_t floor, uint64_t limit,
                         bool *stopped)
{
    const struct stops *s = &h->a->stops;
    const struct search_calls calls = {.begin = hunt_begin,
                                       .pred = hunt_at,
                                       .at_end = stops_ends(s) ? hunt_end : NULL,
                                       .interrupted = hunt_interrupted,
                                       .ctx = h,
                                       .kinds = stops_kinds(s),
                                       .floor = floor,
                                       .limit = limit};
    return timeline_search_with(h->a->t, direction, &calls, stopped);
}

/* The next operation (in that direction, op itself included) at whose beginning a line or
 * a number stops; UINT64_MAX: none. */
static uint64_t next_place(struct app *a, uint32_t branch, uint64_t op, int direction,
                           struct stop **which)
{
    const uint64_t first = timeline_first_op(a->t), end = timeline_nr_ops(a->t, branch);
    uint32_t before = 0;
    *which = NULL;
    if (!stops_places(&a->stops)) {
        return UINT64_MAX;
    }
    for (bool known = false; op >= first && op < end;
         op += (uint64_t)(int64_t)direction) {
        const uint32_t line = line_of(a, branch, op);
        before = known && direction > 0 ? before : op ? line_of(a, branch, op - 1) : 0;
        const struct op_start at = {op, line, before};
        struct stop *stop = stops_at_place(&a->stops, &at, false);
        if (stop) {
            *which = stop;
            return op;
        }
        before = line;
        known = true;
    }
    return UINT64_MAX;
}

/* A place is the first event of its operation. */
static void go_place(struct app *a, uint32_t branch, uint64_t op)
{
    go(a, branch, op, 1);
}

static enum travel continue_back(struct app *a, struct stop **which)
{
    struct spot s = spot_now(a);
    if (s.start) {
        return TRAVEL_START;
    }
    const struct position from = timeline_position(a->t);
    struct stop *placed;
    /* the place of this operation counts if we are behind it */
    uint64_t place = next_place(a, s.branch, s.n > 1 ? s.op : s.op - 1, -1, &placed);
    if (s.op == timeline_first_op(a->t) && s.n <= 1) {
        place = UINT64_MAX;
    }
    struct hunt h = {a, NULL};
    if (stops_events(&a->stops)) {
        bool stopped = false;
        if (!from.event && s.nr) { /* its last event is where we are */
            timeline_seek(a->t, (struct position){s.branch, s.op, s.nr});
        }
        const bool found =
            hunt_through(&h, -1, place == UINT64_MAX ? 0 : place, 0, &stopped);
        if (stopped) {
            return TRAVEL_INTERRUPTED;
        }
        if (found && h.which) {
            go_found(a, timeline_position(a->t));
            *which = h.which;
            return TRAVEL_BREAK;
        }
    }
    if (place != UINT64_MAX) {
        go_place(a, s.branch, place);
        *which = placed;
        return TRAVEL_BREAK;
    }
    go_start(a);
    return TRAVEL_MOVED;
}

/* Through what is recorded. TRAVEL_MOVED: nothing stopped, we are at the branch's end. */
static enum travel continue_recorded(struct app *a, struct stop **which)
{
    struct spot s = spot_now(a);
    const uint64_t end = timeline_nr_ops(a->t, s.branch);
    struct stop *placed;
    const uint64_t place = next_place(a, s.branch, s.op + 1, 1, &placed);
    struct hunt h = {a, NULL};
    if (stops_events(&a->stops)) {
        bool stopped = false;
        const bool found =
            hunt_through(&h, 1, 0, place == UINT64_MAX ? 0 : place, &stopped);
        if (found && h.which) {
            go_found(a, timeline_position(a->t));
            *which = h.which;
            return TRAVEL_BREAK;
        }
        if (stopped && !found) {
            return TRAVEL_INTERRUPTED;
        }
    }
    if (place != UINT64_MAX) {
        go_place(a, s.branch, place);
        *which = placed;
        return TRAVEL_BREAK;
    }
    timeline_seek(a->t, (struct position){s.branch, end, 0});
    return TRAVEL_MOVED;
}

/* Looking on while the script does something new. */
struct look_on {
    struct app *a;
    struct stop *which; /* the first one that stopped; NULL: none yet */
    struct position at; /* there */
};

static bool look_at(void *ctx, struct machine *m, const struct event *ev)
{
    struct look_on *l = ctx;
    if (!l->which && (l->which = stops_at(&l->a->stops, m, ev, NULL))) {
        l->at = timeline_position(l->a->t);
        l->at.event = ev->n;
    }
    return false;
}

static bool look_behind(void *ctx, struct machine *m)
{
    struct look_on *l = ctx;
    if (!l->which && (l->which = stops_at_end(&l->a->stops, m, NULL))) {
        l->at = timeline_position(l->a->t);
    }
    return false;
}

/* Operation op has just been done: does one stop at its beginning? A condition is asked
 * there; we come back to the end if it does not hold. */
static struct stop *new_place(struct app *a, uint32_t branch, uint64_t op)
{
    const struct op_start at = place_of(a, branch, op);
    struct stop *stop = stops_at_place(&a->stops, &at, true);
    if (!stop) {
        return NULL;
    }
    const struct position end = timeline_position(a->t);
    struct event ev;
    uint64_t nr = 0;
    nr_events_of(a, branch, op, &nr);
    timeline_seek(a->t, (struct position){branch, op + (nr == 0), nr != 0});
    const bool inside = timeline_current_event(a->t, &ev);
    if (stop_holds(&a->stops, stop, timeline_machine(a->t), inside ? &ev : NULL)) {
        return stop;
    }
    timeline_seek(a->t, end);
    return NULL;
}

/* Let the script go on, an operation at a time. */
static enum travel go_on(struct app *a, const struct look_on *l, struct stop **which)
{
    for (uint64_t op = timeline_position(a->t).op;; op++) {
        enum travel result = need_op(a, op);
        const uint32_t branch = timeline_position(a->t).branch;
        struct stop *placed = NULL;
        if (result != TRAVEL_MOVED) {
            return result;
        }
        if (stops_places(&a->stops) && (placed = new_place(a, branch, op)) != NULL) {
            go(a, branch, op, 1);
            *which = placed;
            return TRAVEL_BREAK;
        }
        if (l->which && l->at.op <= op + (l->at.event == 0)) {
            go_found(a, (struct position){branch, l->at.op, l->at.event});
            *which = l->which;
            return TRAVEL_BREAK;
        }
        if (interrupted(a)) {
            timeline_seek(a->t, (struct position){branch, op + 1, 0});
            return TRAVEL_INTERRUPTED;
        }
    }
}

static enum travel continue_live(struct app *a, struct stop **which)
{
    const struct stops *s = &a->stops;
    struct look_on l = {.a = a};
    const struct search_calls calls = {.pred = look_at,
                                       .at_end = stops_ends(s) ? look_behind : NULL,
                                       .ctx = &l,
                                       .kinds = stops_kinds(s)};
    const bool events = stops_events(s);
    if (events) {
        begin_stops(a, timeline_machine(a->t));
        timeline_observe(a->t, &calls);
    }
    const enum travel result = go_on(a, &l, which);
    timeline_observe(a->t, NULL);
    return result;
}

enum travel travel_continue(struct app *a, int direction, struct stop **which)
{
    *which = NULL;
    a->stops.error[0] = 0;
    a->stops.backwards = direction < 0;
    if (direction < 0) {
        return continue_back(a, which);
    }
    struct spot s = spot_now(a);
    enum travel result = continue_recorded(a, which);
    if (result != TRAVEL_MOVED) {
        return result;
    }
    result = continue_live(a, which);
    struct spot end = spot_now(a);
    bool moved = end.op != s.op || end.n != s.n;
    return result == TRAVEL_END && moved ? TRAVEL_MOVED : result;
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
