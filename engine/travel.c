/* Travel: going back to a checkpoint and running operations again, to their end or to an
 * event inside.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hardware.h"
#include "timeline_private.h"
#include "watch.h"

/* ---- one operation ---- */

/* The number of the next event at which somebody must be called, whatever its kind. */
static uint64_t next_must(const struct timeline *t, uint64_t n)
{
    const struct run *r = &t->run;
    uint64_t must = r->target;
    const uint32_t next = nested_from(r->nested, n + 1);
    if (r->nested && next < r->nested->nr && r->nested->e[next].at < must) {
        must = r->nested->e[next].at;
    }
    return must;
}

/* Set when the probe calls next, behind event n. */
static void set_stop(struct timeline *t, struct probe *p, uint64_t n)
{
    const struct run *r = &t->run;
    p->kinds = NULL;
    if (r->live || (t->asked && !t->asked->done)) {
        p->stop = 0;
        return;
    }
    p->must = p->stop = next_must(t, n);
    if (r->watch) {
        const uint64_t first = n > r->watch_from ? n + 1 : r->watch_from + 1;
        p->stop = first < p->stop ? first : p->stop;
        p->kinds = r->watch_kinds;
    } else if (r->observed) {
        p->stop = 0;
        p->kinds = t->observer->kinds;
    }
}

static bool has_kind(const uint64_t *kinds, uint16_t kind)
{
    return !kinds || (kinds[kind / 64] >> (kind % 64) & 1);
}

void on_event(struct probe *p, const struct event *ev)
{
    struct timeline *t = p->slow_ctx;
    struct run *r = &t->run;
    if (r->watch && ev->n > r->watch_from && has_kind(r->watch_kinds, ev->kind) &&
        r->watch(r->watch_ctx, t->m, ev)) {
        t->at = *ev;
        longjmp(r->out, 1);
    }
    if (ev->n == r->target) {
        t->at = *ev;
        longjmp(r->out, 1);
    }
    if (r->observed && has_kind(t->observer->kinds, ev->kind)) {
        t->observer->pred(t->observer->ctx, t->m, ev);
    }
    if (r->live && has_kind(t->hook_all ? NULL : t->hook_kinds, ev->kind)) {
        const uint64_t outer = r->hook_at;
        r->hook_at = ev->n;
        t->hook(t->hook_ctx, t->m, ev);
        r->hook_at = outer;
    }
    if (p->kinds && ev->n < p->must) {
        return; /* nothing else is to come here, and what comes next is known */
    }
    deliver_nested(t, ev->n);
    if (t->asked && !t->asked->done && ev->n >= t->asked->from) {
        deliver_asked(t, ev->cpu);
    }
    set_stop(t, p, p->n);
}

bool run_op(struct timeline *t, const struct op *op, uint64_t *result)
{
    set_stop(t, &t->m->probe, 0);
    if (setjmp(t->run.out)) {
        t->m->probe.stop = UINT64_MAX;
        t->m->probe.kinds = NULL;
        return true;
    }
    *result = machine_do(t->m, op);
    t->m->probe.stop = UINT64_MAX;
    t->m->probe.kinds = NULL;
    return false;
}

static void note_divergence(struct timeline *t, uint64_t op, const struct full_op *o,
                            uint64_t result)
{
    if (!t->broken[0]) {
        snprintf(t->broken, sizeof t->broken,
                 "timeline: operation %llu run again answers %#llx after %llu events, "
                 "not %#llx after %u",
                 (unsigned long long)op_number(op), (unsigned long long)result,
                 (unsigned long long)t->m->probe.n, (unsigned long long)o->result,
                 o->nr_events);
    }
}

/* Run operation op of branch again, from its start. True: stopped inside. */
static bool run_again(struct timeline *t, const struct full_op *o, uint64_t op)
{
    uint64_t result = 0;
    t->run.nested = o->nested;
    if (run_op(t, &o->op, &result)) {
        return true;
    }
    if (result != o->result || t->m->probe.n != o->nr_events) {
        note_divergence(t, op, o, result);
    }
    return false;
}

void run_clear(struct timeline *t)
{
    t->run.target = NO_EVENT;
    t->run.nested = NULL;
    t->run.watch = NULL;
    t->run.watch_kinds = NULL;
    t->run.watch_from = 0;
    t->run.record = NULL;
    t->run.live = t->run.observed = false;
    t->run.hook_at = t->run.ran_at = 0;
    t->run.nr_visited = 0;
}

/* ---- boundaries ---- */

static void restore(struct timeline *t, struct snapshot *s)
{
    arena_restore(&t->m->arena, s);
    hardware_forget(t->m);
}

static void leave_here(struct timeline *t)
{
    snapshot_unref(&t->m->arena, t->here);
    t->here = NULL;
    t->pos.event = 0;
}

/* Bring the machine to a boundary at or before op on branch, as near as can be had
 * without running. */
static void start_from(struct timeline *t, uint32_t branch, uint64_t op)
{
    const struct checkpoint *c = checkpoint_before(t, branch, op);
    const struct recent *r = recent_before(t, branch, op);
    const bool recent = r && r->op >= c->op;
    const uint64_t first = recent ? r->op : c->op;
    const bool usable = !t->lost && t->pos.op <= op && t->pos.op >= first &&
                        branch_common(t, t->pos.branch, branch) >= t->pos.op;
    if (!usable) {
        restore(t, recent ? r->snap : c->snap);
        t->pos.op = first;
        t->since = t->not_before = 0;
    } else if (t->pos.event) {
        restore(t, t->here);
    }
    leave_here(t);
    t->pos.branch = branch;
    t->lost = false;
    t->m->probe.n = 0;
    t->m->probe.depth = 0;
}

/* How close checkpoints may be so many operations before the goal: the closer the denser,
 * so that stepping about there costs little in both directions. */
static uint64_t ladder(uint64_t ops_to_go)
{
    const uint64_t fine = 4000 + 25 * ops_to_go;
    return fine < CHECKPOINT_FINE ? fine : CHECKPOINT_FINE;
}

/* The position of the next checkpoint: there the run joins what is known already. */
static uint64_t point_behind(const struct timeline *t)
{
    const struct checkpoint *c = checkpoint_behind(t, t->pos.branch, t->pos.op);
    return c ? c->op : UINT64_MAX;
}

/* Run the operations from pos up to op. True: stopped inside one of them by watch; pos.op
 * is that one; or behind it, by at_end. */
static bool run_on(struct timeline *t, uint64_t op, bool (*interrupted)(void *ctx),
                   bool (*at_end)(void *ctx, struct machine *m), void *ctx)
{
    struct full_op o;
    const uint32_t branch = t->pos.branch;
    uint64_t next_point = point_behind(t), until = 0;
    uint32_t owner = branch;
    while (t->pos.op < op) {
        if (interrupted && t->pos.op % 64 == 0 && interrupted(ctx)) {
            return false;
        }
        if (t->pos.op >= until) {
            owner = branch_owner_until(t, branch, t->pos.op, &until);
        }
        log_get(t, owner, t->pos.op, &o);
        if (run_again(t, &o, t->pos.op)) {
            t->lost = true;
            return true;
        }
        t->pos.op++;
        t->since += op_cost(o.op.kind, o.nr_events);
        if (at_end && at_end(ctx, t->m)) {
            return true;
        }
        if (t->pos.op == next_point) {
            arena_rejoin(&t->m->arena, checkpoint_before(t, branch, t->pos.op)->snap);
            t->since = t->not_before = 0;
            next_point = point_behind(t);
        } else if (checkpoint_due(t, t->run.watch ? CHECKPOINT_FINE
                                                  : ladder(op - t->pos.op))) {
            checkpoint_consider(t, branch, t->pos.op);
            next_point = point_behind(t); /* for that one, another may have gone */
        }
    }
    return false;
}

void travel_to_boundary(struct timeline *t, uint32_t branch, uint64_t op)
{
    run_clear(t);
    start_from(t, branch, op);
    run_on(t, op, NULL, NULL, NULL);
    t->m->probe.n = 0;
    t->m->probe.depth = 0;
}

/* From the boundary pos into its operation, up to event (not 0). */
static void enter_op(struct timeline *t, uint64_t event)
{
    struct full_op o;
    log_get(t, t->pos.branch, t->pos.op, &o);
    t->here = timeline_snapshot(t);
    recent_add(t, t->pos.branch, t->pos.op, t->here);
    run_clear(t);
    t->run.target = event;
    if (run_again(t, &o, t->pos.op)) {
        t->pos.event = event;
    } else { /* it had fewer events than it had: our bug, noted */
        leave_here(t);
        t->pos.op++;
    }
    run_clear(t);
}

static struct position clamp(const struct timeline *t, struct position to)
{
    struct full_op o;
    if (to.branch >= t->nr_branches || t->branches[to.branch].forgotten) {
        to.branch = t->pos.branch;
    }
    const uint64_t nr_ops = branch_nr_ops(&t->branches[to.branch]);
    if (to.op < t->first_op) {
        return (struct position){to.branch, t->first_op, 0};
    }
    if (to.op >= nr_ops || !log_get(t, to.branch, to.op, &o)) {
        return (struct position){to.branch, nr_ops, 0};
    }
    if (to.event > o.nr_events) {
        to.event = o.nr_events;
    }
    return to;
}

/* Who jumps somewhere may step back from there: when the place is right behind a
 * checkpoint, and the one before is far, begin at that one, so that the way between gets
 * checkpoints too. */
static void cover_below(struct timeline *t, struct position to)
{
    const struct checkpoint *c = checkpoint_before(t, to.branch, to.op);
    const uint64_t far = 2 * CHECKPOINT_FINE, at = cost_at(t, to.branch, to.op);
    if (c->op <= t->first_op || at - c->cost > far || c->op == t->pos.op) {
        return;
    }
    const uint64_t first = c->cost;
    c = checkpoint_before(t, to.branch, c->op - 1);
    if (first - c->cost > far) {
        travel_to_boundary(t, to.branch, c->op);
    }
}

void timeline_seek(struct timeline *t, struct position to)
{
    to = clamp(t, to);
    const bool there =
        !t->lost && t->pos.op == to.op && t->pos.event == to.event &&
        branch_common(t, t->pos.branch, to.branch) >= to.op + (to.event != 0);
    if (there) {
        t->pos.branch = to.branch;
        return;
    }
    cover_below(t, to);
    travel_to_boundary(t, to.branch, to.op);
    if (to.event) {
        enter_op(t, to.event);
    }
}

bool timeline_step_event(struct timeline *t, int direction)
{
    struct position to = t->pos;
    struct full_op o;
    if (direction >= 0) {
        if (!log_get(t, to.branch, to.op, &o)) {
            return false;
        }
        if (to.event < o.nr_events) {
            to.event++;
        } else {
            to.op++;
            to.event = 0;
        }
    } else if (to.event) {
        to.event--;
    } else {
        if (to.op <= t->first_op || !log_get(t, to.branch, to.op - 1, &o)) {
            return false;
        }
        to.op--;
        to.event = o.nr_events;
    }
    timeline_seek(t, to);
    return true;
}

/* ---- search ---- */

struct search {
    const struct search_calls *calls;
    struct timeline *t;
    bool first;   /* stop at the first match; else remember the last */
    bool stopped; /* interrupted */
    uint64_t before_op, before_event; /* matches count only before this position */
    bool found;
    struct position at;
};

static bool is_before(const struct search *s, uint64_t op, uint64_t event)
{
    return op < s->before_op || (op == s->before_op && event < s->before_event);
}

static bool match(struct search *s, uint64_t op, uint64_t event)
{
    s->found = true;
    s->at = (struct position){s->t->pos.branch, op, event};
    return s->first;
}

static bool search_watch(void *ctx, struct machine *m, const struct event *ev)
{
    struct search *s = ctx;
    const uint64_t op = s->t->pos.op;
    return is_before(s, op, ev->n) && s->calls->pred(s->calls->ctx, m, ev) &&
           match(s, op, ev->n);
}

static bool search_end(void *ctx, struct machine *m)
{
    struct search *s = ctx;
    const uint64_t op = s->t->pos.op;
    return is_before(s, op, 0) && s->calls->at_end(s->calls->ctx, m) && match(s, op, 0);
}

static bool search_interrupted(void *ctx)
{
    const struct search *s = ctx;
    return s->calls->interrupted && s->calls->interrupted(s->calls->ctx);
}

/* Watch everything from the boundary or event pos on, up to boundary op. */
static bool watch_run(struct timeline *t, struct search *s, uint64_t op)
{
    const struct search_calls *calls = s->calls;
    bool (*at_end)(void *ctx, struct machine *m) = calls->at_end ? search_end : NULL;
    const uint64_t from_event = t->pos.event;
    struct full_op o;
    if (calls->begin) {
        calls->begin(calls->ctx, t->m);
    }
    travel_to_boundary(t, t->pos.branch, t->pos.op);
    t->run.watch = search_watch;
    t->run.watch_kinds = calls->kinds;
    t->run.watch_ctx = s;
    bool stopped = false;
    if (from_event && log_get(t, t->pos.branch, t->pos.op, &o)) {
        t->run.watch_from = from_event;
        stopped = run_again(t, &o, t->pos.op);
        t->lost = stopped;
        t->pos.op += !stopped;
        t->run.watch_from = 0;
        stopped = stopped || (at_end && at_end(s, t->m));
    }
    stopped = stopped || run_on(t, op, search_interrupted, at_end, s);
    run_clear(t);
    if (!t->lost) {
        t->m->probe.n = t->m->probe.depth = 0;
    }
    return stopped;
}

static bool search_forward(struct timeline *t, struct search *s)
{
    const uint32_t branch = t->pos.branch;
    const struct position from = t->pos;
    uint64_t end = branch_nr_ops(&t->branches[branch]);
    if (s->calls->limit && s->calls->limit < end) {
        end = s->calls->limit > from.op ? s->calls->limit : from.op;
    }
    s->first = true;
    s->before_op = NO_EVENT;
    if (end > from.op) {
        watch_run(t, s, end);
    }
    s->stopped = !s->found && t->pos.op < end;
    if (s->found) {
        timeline_seek(t, s->at);
    } else if (!s->stopped) {
        timeline_seek(t, (struct position){branch, end, end == from.op ? from.event : 0});
    }
    return s->found;
}

static bool search_backward(struct timeline *t, struct search *s)
{
    const uint32_t branch = t->pos.branch;
    const uint64_t floor = s->calls->floor > t->first_op ? s->calls->floor : t->first_op;
    uint64_t end = t->pos.op + (t->pos.event != 0);
    s->before_op = t->pos.op;
    s->before_event = t->pos.event;
    while (!s->found && end > floor) {
        const struct checkpoint *c = checkpoint_before(t, branch, end - 1);
        const uint64_t begin = c->op > floor ? c->op : floor;
        if (search_interrupted(s)) {
            s->stopped = true;
            return false;
        }
        travel_to_boundary(t, branch, begin);
        watch_run(t, s, end);
        if (t->pos.op < end) { /* interrupted: what was found may not be the last one */
            s->found = false;
            s->stopped = true;
            return false;
        }
        end = begin;
    }
    timeline_seek(t, s->found ? s->at : (struct position){branch, end, 0});
    return s->found;
}

bool timeline_search_with(struct timeline *t, int direction,
                          const struct search_calls *calls, bool *stopped)
{
    struct search s = {.calls = calls, .t = t};
    const bool found = direction >= 0 ? search_forward(t, &s) : search_backward(t, &s);
    if (stopped) {
        *stopped = s.stopped;
    }
    return found;
}

bool timeline_search(struct timeline *t, int direction, position_fn *pred, void *ctx,
                     bool (*interrupted)(void *ctx))
{
    const struct search_calls calls = {
        .pred = pred, .interrupted = interrupted, .ctx = ctx};
    return timeline_search_with(t, direction, &calls, NULL);
}

/* ---- what changed it? ---- */

struct change {
    const struct watch *w;
    struct watch_value value;
    bool (*interrupted)(void *ctx);
    void *interrupted_ctx;
};

static void change_begin(void *ctx, struct machine *m)
{
    struct change *c = ctx;
    c->value = watch_read(c->w, m);
}

static bool changed_behind(void *ctx, struct machine *m)
{
    struct change *c = ctx;
    return watch_changed(c->w, m, &c->value);
}

static bool changed(void *ctx, struct machine *m, const struct event *ev)
{
    (void)ev;
    return changed_behind(ctx, m);
}

static bool change_interrupted(void *ctx)
{
    const struct change *c = ctx;
    return c->interrupted && c->interrupted(c->interrupted_ctx);
}

bool timeline_find_change(struct timeline *t, int direction, const struct watch *w,
                          bool (*interrupted)(void *ctx), void *interrupted_ctx)
{
    const struct position from = t->pos;
    struct change c = {.w = w, .interrupted = interrupted};
    c.interrupted_ctx = interrupted_ctx;
    const struct search_calls calls = {.begin = change_begin,
                                       .pred = changed,
                                       .at_end = changed_behind,
                                       .interrupted = change_interrupted,
                                       .ctx = &c};
    if (direction < 0) { /* the position itself may be the one */
        const struct watch_value here = watch_read(w, t->m);
        if (timeline_step_event(t, -1)) {
            c.value = watch_read(w, t->m);
            timeline_seek(t, from);
            if (memcmp(&here, &c.value, sizeof here) != 0) {
                return true;
            }
        }
    }
    const bool found = timeline_search_with(t, direction, &calls, NULL);
    if (!found) {
        timeline_seek(t, from);
    }
    return found;
}

/* ---- looking at one operation ---- */

struct visit {
    event_fn *fn;
    void *ctx;
    struct run *run;
};

static bool visit_watch(void *ctx, struct machine *m, const struct event *ev)
{
    const struct visit *v = ctx;
    struct run *r = v->run;
    const uint64_t outer = r->hook_at;
    const uint32_t outer_nr = r->nr_visited;
    r->hook_at = ev->n;
    r->nr_visited = 0;
    v->fn(v->ctx, m, ev);
    const uint32_t nr = r->nr_visited;
    r->hook_at = outer;
    r->nr_visited = outer_nr;
    r->ran_at = ev->n;
    r->nr_ran = nr;
    return false;
}

/* The next operation is likely to be looked at next: it begins where this one ended. If
 * that is the position, its own snapshot is the better one: what was made by running
 * again shares less with the rest. */
static void remember_behind(struct timeline *t, uint32_t branch, uint64_t op,
                            const struct position *pos, struct snapshot *now)
{
    if (!pos->event) {
        recent_add(t, pos->branch, pos->op, now);
    }
    if (pos->event || pos->op != op + 1 || pos->branch != branch) {
        struct snapshot *behind = timeline_snapshot(t);
        recent_add(t, branch, op + 1, behind);
        snapshot_unref(&t->m->arena, behind);
    }
}

void timeline_events(struct timeline *t, uint32_t branch, uint64_t op, event_fn *fn,
                     void *ctx)
{
    struct full_op o;
    if (branch >= t->nr_branches || op < t->first_op || !log_get(t, branch, op, &o)) {
        return;
    }
    /* Come back by a snapshot: the state inside an operation, its call stack and all. */
    const struct position pos = t->pos;
    const struct event at = t->at;
    const struct probe probe = t->m->probe;
    const uint64_t since = t->since, not_before = t->not_before;
    struct snapshot *now = timeline_snapshot(t),
                    *here = t->here ? snapshot_ref(t->here) : NULL;
    travel_to_boundary(t, branch, op);
    struct visit v = {fn, ctx, &t->run};
    t->run.watch = visit_watch;
    t->run.watch_ctx = &v;
    t->run.watch_from = 0;
    run_again(t, &o, op);
    run_clear(t);
    remember_behind(t, branch, op, &pos, now);
    restore(t, now);
    snapshot_unref(&t->m->arena, now);
    t->here = here;
    t->pos = pos;
    t->at = at;
    t->since = since;
    t->not_before = not_before;
    t->m->probe = probe;
}
