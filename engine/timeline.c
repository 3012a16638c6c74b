/* The timeline: doing operations, and what is known about those that were done.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_private.h"

static const size_t default_history_bytes = (size_t)512 << 20;

void *timeline_alloc(struct timeline *t, void *old, size_t size_bytes)
{
    void *p = realloc(old, size_bytes);
    for (int i = 0; !p && i < 16; i++) {
        checkpoint_thin(t, arena_snapshot_bytes(&t->m->arena) / 2);
        p = realloc(old, size_bytes);
    }
    if (!p) {
        abort(); /* records cannot be left out: what came after them would be wrong */
    }
    return p;
}

/* ---- the whole ---- */

static const char *text_of(void *ctx, uint64_t id)
{
    const struct timeline *t = ctx;
    return id < t->strings.nr ? timeline_string(t, (uint32_t)id) : NULL;
}

/* What operation nr of the branch in view was; machines count from 1. */
static bool source_of(void *ctx, uint64_t nr, struct op_source *source)
{
    const struct timeline *t = ctx;
    struct op_record rec;
    if (!nr || !timeline_op(t, t->pos.branch, nr - 1, &rec)) {
        return false;
    }
    const struct site site = timeline_site(t, rec.op.site);
    *source = (struct op_source){rec.op, site.file, site.stack, site.line};
    return true;
}

/* The name of a cache that is gone: from the operation that made it, the first of those
 * that were merged. */
static const char *gone_cache(void *ctx, uint64_t id)
{
    struct timeline *t = ctx;
    struct op_record rec;
    if (t->gone_cache != id || t->gone_branch != t->pos.branch) {
        const uint64_t most = t->pos.op + 1;
        t->gone_cache = id;
        t->gone_branch = t->pos.branch;
        t->gone_name = 0;
        for (uint64_t op = 0; op < most && !t->gone_name; op++) {
            if (timeline_op(t, t->pos.branch, op, &rec) &&
                rec.op.kind == OP_KMEM_CACHE_CREATE && rec.result == id) {
                t->gone_name = (uint32_t)rec.op.arg[0];
            }
        }
    }
    return t->gone_name ? timeline_string(t, t->gone_name) : NULL;
}

struct timeline *timeline_adopt(struct machine *m, const struct timeline_options *options)
{
    struct timeline *t = calloc(1, sizeof *t);
    struct snapshot *boot = t ? arena_snapshot(&m->arena) : NULL;
    if (!boot) {
        free(t);
        machine_destroy(m);
        return NULL;
    }
    snapshot_unref(
        &m->arena,
        boot); /* the arena keeps it as its last one, checkpoint_take shares it */
    t->m = m;
    t->history_bytes = options && options->history_bytes ? options->history_bytes
                                                         : default_history_bytes;
    GROW(t, t->branches, t->nr_branches, t->room_branches, &t->bytes_ops);
    memset(&t->branches[0], 0, sizeof t->branches[0]);
    snprintf(t->branches[0].name, sizeof t->branches[0].name, "main");
    t->nr_branches = 1;
    strings_init(t);
    t->texts = (struct text_source){text_of, t, source_of, gone_cache};
    m->texts = &t->texts;
    checkpoint_take(t, 0, 0);
    t->base_bytes = arena_snapshot_bytes(&m->arena);
    run_clear(t);
    m->probe.slow = on_event;
    m->probe.slow_ctx = t;
    m->probe.stop = UINT64_MAX;
    return t;
}

struct timeline *timeline_create(const struct machine_config *c,
                                 const struct arena_host *host,
                                 const struct timeline_options *options, char *err,
                                 size_t err_size)
{
    struct machine *m = machine_create(c, host, err, err_size);
    if (!m) {
        return NULL;
    }
    struct timeline *t = timeline_adopt(m, options);
    if (!t) {
        snprintf(
            err, err_size,
            "no memory for the history: close other programs or use a smaller machine");
    }
    return t;
}

void timeline_destroy(struct timeline *t)
{
    if (!t) {
        return;
    }
    snapshot_unref(&t->m->arena, t->here);
    recent_drop(t, UINT32_MAX, 0);
    for (uint32_t i = 0; i < t->nr_branches; i++) {
        branch_free(t, &t->branches[i]);
    }
    free(t->branches);
    strings_free(t);
    machine_destroy(t->m);
    free(t);
}

struct machine *timeline_machine(struct timeline *t) { return t->m; }

struct position timeline_position(const struct timeline *t) { return t->pos; }

uint64_t timeline_nr_ops(const struct timeline *t, uint32_t branch)
{
    return branch < t->nr_branches ? branch_nr_ops(&t->branches[branch]) : 0;
}

uint64_t timeline_first_op(const struct timeline *t) { return t->first_op; }

/* ---- doing ---- */

void begin_branch(struct timeline *t)
{
    if (t->pos.op != branch_nr_ops(&t->branches[t->pos.branch])) {
        t->pos.branch = branch_fork(t, t->pos.branch, t->pos.op);
    }
}

/* Run op for the first time; what is nested in it comes to record. */
static uint64_t run_first(struct timeline *t, const struct op *op,
                          const struct entries *nested, struct entries *record)
{
    uint64_t result = 0;
    t->run.nested = nested;
    t->run.record = record;
    t->run.live = t->hook && !t->redoing;
    t->run.observed = t->observer && t->observer->pred && !t->redoing;
    run_op(t, op, &result);
    run_clear(t);
    return result;
}

uint64_t do_one(struct timeline *t, const struct op *op, const struct entries *nested)
{
    struct entries record = {0};
    const bool plain = !nested && !t->hook && !t->asked && !t->observer;
    const uint64_t result =
        plain ? machine_do(t->m, op) : run_first(t, op, nested, &record);
    const uint64_t nr_events = t->m->probe.n;
    log_append(t, t->pos.branch, op, result, nr_events, &record);
    t->pos.op++;
    t->nr_events += nr_events;
    t->since += op_cost(op->kind, nr_events);
    if (t->observer && t->observer->at_end && !t->redoing) {
        t->observer->at_end(t->observer->ctx, t->m);
    }
    if (checkpoint_due(t, CHECKPOINT_FINE)) {
        checkpoint_consider(t, t->pos.branch, t->pos.op);
    }
    return result;
}

/* With an interrupt that waits: it may come inside this operation. */
static uint64_t do_one_while_waiting(struct timeline *t, const struct op *op,
                                     struct pending *p)
{
    struct asked a = {.ops = p->ops, .nr_ops = p->nr_ops, .cpu = p->cpu};
    t->asked = &a;
    const uint64_t result = do_one(t, op, NULL);
    t->asked = NULL;
    if (a.done) {
        p->delivered_op = t->pos.op - 1;
        p->delivered_at = a.begun_at;
    }
    pending_deliver(t);
    return result;
}

uint64_t timeline_do(struct timeline *t, const struct op *op)
{
    if (op->kind >= NR_OPS) {
        return PFN_NONE;
    }
    if (t->pos.event) {
        travel_to_boundary(t, t->pos.branch, t->pos.op + 1);
    }
    begin_branch(t);
    struct pending *p = pending_next(t);
    return p ? do_one_while_waiting(t, op, p) : do_one(t, op, NULL);
}

void timeline_set_live_hook(struct timeline *t, event_fn *fn, void *ctx,
                            const uint64_t *kinds)
{
    t->hook = fn;
    t->hook_ctx = ctx;
    t->hook_all = !kinds;
    for (size_t i = 0; kinds && i < sizeof t->hook_kinds / sizeof t->hook_kinds[0]; i++) {
        t->hook_kinds[i] = kinds[i];
    }
}

void timeline_observe(struct timeline *t, const struct search_calls *calls)
{
    t->observer = calls;
}

/* ---- what happened ---- */

bool timeline_op(const struct timeline *t, uint32_t branch, uint64_t op,
                 struct op_record *out)
{
    struct full_op o;
    if (branch >= t->nr_branches || op < t->first_op || !log_get(t, branch, op, &o)) {
        return false;
    }
    *out = (struct op_record){.op = o.op,
                              .result = o.result,
                              .nr_events = o.nr_events,
                              .nr_injected = o.nested ? o.nested->nr : 0};
    return true;
}

bool timeline_current_event(const struct timeline *t, struct event *out)
{
    if (t->pos.event) {
        *out = t->at;
    }
    return t->pos.event != 0;
}

uint64_t timeline_event_number(const struct timeline *t, struct position at)
{
    return at.branch < t->nr_branches ? log_events_before(t, at.branch, at.op) + at.event
                                      : 0;
}

/* ---- branches ---- */

uint32_t timeline_nr_branches(const struct timeline *t) { return t->nr_branches; }

struct branch_info timeline_branch(const struct timeline *t, uint32_t branch)
{
    if (branch >= t->nr_branches) {
        branch = 0;
    }
    const struct branch *b = &t->branches[branch];
    return (struct branch_info){b->parent, b->fork_op, branch_nr_ops(b), b->name};
}

void timeline_fork(struct timeline *t)
{
    if (!t->pos.event) {
        begin_branch(t);
    }
}

void timeline_name_branch(struct timeline *t, uint32_t branch, const char *name)
{
    if (branch < t->nr_branches) {
        snprintf(t->branches[branch].name, sizeof t->branches[branch].name, "%s", name);
    }
}

/* ---- proof and figures ---- */

struct timeline_figures timeline_figures(const struct timeline *t)
{
    struct timeline_figures f = {
        .bytes_ops = t->bytes_ops,
        .bytes_checkpoints = arena_snapshot_bytes(&t->m->arena),
        .bytes_strings = t->strings.bytes + t->strings.locals_bytes,
        .nr_checkpoints = t->nr_points,
        .nr_events = t->nr_events,
    };
    for (uint32_t i = 0; i < t->nr_branches; i++) {
        f.nr_ops += t->branches[i].nr_own;
    }
    return f;
}

static const char *check_branch(const struct timeline *t, uint32_t id)
{
    const struct branch *b = &t->branches[id];
    if (b->forgotten) {
        return NULL;
    }
    if (id && (b->parent >= id || b->fork_op > branch_nr_ops(&t->branches[b->parent]))) {
        return "timeline: a branch leaves its parent where there is nothing";
    }
    if (id && b->fork_events != log_events_before(t, b->parent, b->fork_op)) {
        return "timeline: a branch's count of earlier events is wrong";
    }
    for (uint32_t i = 0; i < b->nr_points; i++) {
        const struct checkpoint *c = &b->points[i];
        if (c->op > branch_nr_ops(b) || (id && c->op <= b->fork_op) ||
            (i && c[-1].op >= c->op)) {
            return "timeline: a checkpoint is where it does not belong";
        }
    }
    for (uint32_t i = 0; i < b->nr_extras; i++) {
        const struct op_extra *x = &b->extras[i];
        if (x->op >= b->nr_own || (i && x[-1].op >= x->op)) {
            return "timeline: an extra has no operation";
        }
        for (uint32_t k = 1; k < x->nested.nr; k++) {
            if (x->nested.e[k - 1].at > x->nested.e[k].at) {
                return "timeline: nested operations are out of order";
            }
        }
    }
    return NULL;
}

const char *timeline_check(struct timeline *t)
{
    for (uint32_t i = 0; i < t->nr_branches; i++) {
        const char *broken = check_branch(t, i);
        if (broken) {
            return broken;
        }
    }
    const struct checkpoint *first = checkpoint_before(t, t->pos.branch, t->first_op);
    if (!first || first->op != t->first_op) {
        return "timeline: the first checkpoint is gone";
    }
    if (t->pos.op < t->first_op ||
        t->pos.op > branch_nr_ops(&t->branches[t->pos.branch])) {
        return "timeline: the position does not exist";
    }
    return t->broken[0] ? t->broken : NULL;
}
