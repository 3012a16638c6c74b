/* Operations nested in others: an interrupt that the user lets come at an event, and what
 * a script's hook does there.
 *
 * Both are entries of the operation under way: (event, operation). Running that operation
 * again runs them at the same events again, so they need no other record.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "timeline_private.h"

enum { MAX_HANDLER_OPS = 1000 };

uint32_t nested_from(const struct entries *list, uint64_t event)
{
    uint32_t low = 0, high = list ? list->nr : 0;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (list->e[mid].at < event) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* The operations that were nested at event n, without those that timeline_events' fn ran
 * there itself. A handler's own events may have further ones: those come while it
 * runs. */
void deliver_nested(struct timeline *t, uint64_t n)
{
    struct run *r = &t->run;
    uint32_t i = nested_from(r->nested, n) + (r->ran_at == n ? r->nr_ran : 0);
    for (; r->nested && i < r->nested->nr && r->nested->e[i].at == n; i++) {
        struct entry e = r->nested->e[i];
        e.result = machine_do_nested(t->m, &e.op);
        if (r->record) {
            entries_add(t, r->record, &e);
        }
    }
}

/* It is noted at the event that the hook was called for, not at the last one that
 * operations nested before it had: run again, it must begin when they have ended. */
static uint64_t nest_and_record(struct timeline *t, const struct op *op)
{
    struct entry e = {.at = t->run.hook_at, .op = *op};
    e.result = machine_do_nested(t->m, op);
    entries_add(t, t->run.record, &e);
    return e.result;
}

bool timeline_peek_nested(const struct timeline *t, struct op *op)
{
    const struct run *r = &t->run;
    if (r->live || !r->hook_at || !r->nested) {
        return false;
    }
    const uint32_t i = nested_from(r->nested, r->hook_at) + r->nr_visited;
    if (i >= r->nested->nr || r->nested->e[i].at != r->hook_at) {
        return false;
    }
    *op = r->nested->e[i].op;
    return true;
}

uint64_t timeline_do_nested(struct timeline *t, const struct op *op)
{
    struct op recorded;
    if (t->run.live && t->run.hook_at) {
        return op->kind < NR_OPS ? nest_and_record(t, op) : PFN_NONE;
    }
    if (!timeline_peek_nested(t, &recorded)) {
        return PFN_NONE;
    }
    t->run.nr_visited++;
    return machine_do_nested(t->m, &recorded);
}

/* Operation i of an interrupt: IRQ_ENTER, the handler's, IRQ_LEAVE, all on the CPU that
 * is interrupted. */
static struct op handler_op(const struct asked *a, uint32_t i, uint8_t cpu)
{
    struct op op = {.kind = i ? OP_IRQ_LEAVE : OP_IRQ_ENTER, .origin = ORIGIN_USER};
    if (a->nr_ops) {
        op.origin = a->ops[0].origin;
        op.site = a->ops[0].site;
    }
    if (i && i <= a->nr_ops) {
        op = a->ops[i - 1];
    }
    op.cpu = cpu;
    return op;
}

void deliver_asked(struct timeline *t, uint8_t cpu)
{
    struct asked *a = t->asked;
    if (a->cpu != cpu || !machine_irq_deliverable(t->m, cpu)) {
        return;
    }
    a->done = true;
    a->begun_at = t->m->probe.n;
    for (uint32_t i = 0; i < a->nr_ops + 2; i++) {
        const struct op op = handler_op(a, i, cpu);
        struct entry e = {.at = a->begun_at, .op = op};
        e.result = machine_do_nested(t->m, &op);
        entries_add(t, t->run.record, &e);
    }
    a->returned_at = t->m->probe.n;
}

/* ---- waiting interrupts ---- */

static void pending_add(struct timeline *t, const struct asked *a, uint64_t asked_op)
{
    struct branch *b = &t->branches[t->pos.branch];
    struct op *ops = timeline_alloc(t, NULL, (a->nr_ops + 1) * sizeof *ops);
    if (a->nr_ops) {
        memcpy(ops, a->ops, a->nr_ops * sizeof *ops);
    }
    b->pending = timeline_alloc(t, b->pending, (b->nr_pending + 1) * sizeof *b->pending);
    b->pending[b->nr_pending++] = (struct pending){.asked_op = asked_op,
                                                   .delivered_op = NO_EVENT,
                                                   .cpu = a->cpu,
                                                   .ops = ops,
                                                   .nr_ops = a->nr_ops};
}

struct pending *pending_next(const struct timeline *t)
{
    const struct branch *b = &t->branches[t->pos.branch];
    for (uint32_t i = 0; i < b->nr_pending; i++) {
        if (b->pending[i].delivered_op == NO_EVENT) {
            return &b->pending[i];
        }
    }
    return NULL;
}

/* Between operations: do the handler as operations of their own. */
static void do_handler(struct timeline *t, const struct asked *a)
{
    for (uint32_t i = 0; i < a->nr_ops + 2; i++) {
        const struct op op = handler_op(a, i, a->cpu);
        do_one(t, &op, NULL);
    }
}

void pending_deliver(struct timeline *t)
{
    struct pending *p;
    while ((p = pending_next(t)) && machine_irq_deliverable(t->m, p->cpu)) {
        const struct asked a = {.ops = p->ops, .nr_ops = p->nr_ops, .cpu = p->cpu};
        p->delivered_op = t->pos.op;
        do_handler(t, &a);
    }
}

/* ---- the user's interrupt ---- */

/* May the last operation of the branch be done anew in place? Not when another branch has
 * it too, and not when something came after this event in it: that is kept. */
static bool may_redo(const struct timeline *t, const struct full_op *o)
{
    const uint32_t branch = t->pos.branch;
    const struct branch *b = &t->branches[branch];
    if (t->pos.op + 1 != branch_nr_ops(b) || t->pos.op < b->fork_op) {
        return false;
    }
    for (uint32_t i = 0; i < t->nr_branches; i++) {
        if (i != branch && t->branches[i].parent == branch &&
            t->branches[i].fork_op > t->pos.op) {
            return false;
        }
    }
    return !o->nested || o->nested->e[o->nested->nr - 1].at < t->pos.event;
}

/* What was nested before the position stays as it was. */
static struct entries nested_before(struct timeline *t, const struct full_op *o,
                                    uint64_t event)
{
    struct entries list = {0};
    for (uint32_t i = 0; o->nested && i < o->nested->nr && o->nested->e[i].at < event;
         i++) {
        entries_add(t, &list, &o->nested->e[i]);
    }
    return list;
}

/* A branch that begins inside an operation has what waited before that operation; what of
 * this came in it before the event is there already, nested. */
static void drop_delivered(struct timeline *t, uint64_t op, uint64_t event)
{
    struct branch *b = &t->branches[t->pos.branch];
    for (uint32_t i = 0; i < b->nr_pending; i++) {
        struct pending *p = &b->pending[i];
        if (p->inherited && p->was_op == op && p->was_at < event) {
            p->delivered_op = op;
        }
    }
}

static void interrupt_inside(struct timeline *t, struct asked *a)
{
    struct full_op o;
    log_get(t, t->pos.branch, t->pos.op, &o);
    const uint64_t event = t->pos.event, op = t->pos.op;
    const bool in_place = !t->forking && may_redo(t, &o);
    struct entries before = nested_before(t, &o, event);
    travel_to_boundary(t, t->pos.branch, op);
    if (in_place) {
        log_drop_last(t, t->pos.branch);
        checkpoint_drop_from(t, t->pos.branch, op + 1);
        recent_drop(t, t->pos.branch, op);
    } else {
        t->pos.branch = branch_fork(t, t->pos.branch, op);
        drop_delivered(t, op, event);
    }
    a->from = event;
    t->asked = a;
    t->redoing = true;
    do_one(t, &o.op, &before);
    t->redoing = false;
    t->asked = NULL;
    entries_free(t, &before);
    if (a->done) {
        timeline_seek(t, (struct position){t->pos.branch, op, a->returned_at});
    } else {
        pending_add(t, a, op);
        pending_deliver(t);
    }
}

bool timeline_interrupt(struct timeline *t, const struct op *ops, size_t nr_ops,
                        char *err, size_t err_size)
{
    struct asked a = {.ops = ops, .nr_ops = (uint32_t)nr_ops};
    a.cpu = t->pos.event ? t->at.cpu : nr_ops ? ops[0].cpu : 0;
    if (nr_ops > MAX_HANDLER_OPS) {
        snprintf(err, err_size, "a handler of over %d operations: make it shorter",
                 MAX_HANDLER_OPS);
        return false;
    }
    for (size_t i = 0; i < nr_ops; i++) {
        if (ops[i].kind >= NR_OPS) {
            snprintf(err, err_size, "operation kind %u does not exist", ops[i].kind);
            return false;
        }
    }
    if (a.cpu >= machine_nr_cpus(t->m)) {
        snprintf(err, err_size, "there is no CPU %u to interrupt", a.cpu);
        return false;
    }
    if (t->pos.event) {
        interrupt_inside(t, &a);
        return true;
    }
    begin_branch(t);
    if (machine_irq_deliverable(t->m, a.cpu)) {
        do_handler(t, &a);
    } else {
        pending_add(t, &a, t->pos.op);
    }
    return true;
}

bool timeline_interrupt_fork(struct timeline *t, const struct op *ops, size_t nr_ops,
                             char *err, size_t err_size)
{
    t->forking = true;
    const bool good = timeline_interrupt(t, ops, nr_ops, err, err_size);
    t->forking = false;
    return good;
}

bool timeline_injected(const struct timeline *t, uint32_t branch, uint64_t op, uint32_t i,
                       struct injected *out)
{
    struct full_op o;
    if (branch >= t->nr_branches || op < t->first_op || !log_get(t, branch, op, &o) ||
        !o.nested || i >= o.nested->nr) {
        return false;
    }
    const struct entry *e = &o.nested->e[i];
    *out = (struct injected){.op = e->op, .result = e->result, .event = e->at};
    return true;
}

const struct op *timeline_waiting(const struct timeline *t, uint32_t branch, uint32_t i,
                                  size_t *nr_ops, uint8_t *cpu)
{
    const struct branch *b = branch < t->nr_branches ? &t->branches[branch] : NULL;
    for (uint32_t k = 0; b && k < b->nr_pending; k++) {
        const struct pending *p = &b->pending[k];
        if (!p->inherited && p->delivered_op == NO_EVENT && i-- == 0) {
            *nr_ops = p->nr_ops;
            *cpu = p->cpu;
            return p->ops;
        }
    }
    return NULL;
}
