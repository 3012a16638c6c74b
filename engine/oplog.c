/* The operations of each branch as records of 32 bytes, and what is rare about an
 * operation (a wide argument, nested operations) in an extra beside it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_private.h"

_Static_assert(sizeof(struct op_rec) == 32,
               "at most 48 bytes an event, of which this is a part");
_Static_assert(NR_OPS < 256, "op_rec.kind is a byte");

/* ---- branches ---- */

uint64_t branch_nr_ops(const struct branch *b) { return b->fork_op + b->nr_own; }

uint32_t branch_owner_until(const struct timeline *t, uint32_t b, uint64_t op,
                            uint64_t *until)
{
    *until = UINT64_MAX;
    while (b && op < t->branches[b].fork_op) {
        const uint64_t fork = t->branches[b].fork_op;
        *until = fork < *until ? fork : *until;
        b = t->branches[b].parent;
    }
    return b;
}

uint32_t branch_owner(const struct timeline *t, uint32_t b, uint64_t op)
{
    uint64_t until;
    return branch_owner_until(t, b, op, &until);
}

uint64_t branch_common(const struct timeline *t, uint32_t a, uint32_t b)
{
    uint64_t nr = UINT64_MAX;
    /* A parent has a lower number than its children. */
    while (a != b) {
        uint32_t *later = a > b ? &a : &b;
        const struct branch *br = &t->branches[*later];
        nr = br->fork_op < nr ? br->fork_op : nr;
        *later = br->parent;
    }
    uint64_t whole = branch_nr_ops(&t->branches[a]);
    return nr < whole ? nr : whole;
}

/* An interrupt that was asked for before the fork and came after it waits in the new
 * branch too. */
static void inherit_pending(struct timeline *t, struct branch *to,
                            const struct branch *from)
{
    for (uint32_t i = 0; i < from->nr_pending; i++) {
        struct pending p = from->pending[i];
        if (p.asked_op >= to->fork_op || p.delivered_op < to->fork_op) {
            continue;
        }
        struct op *ops = timeline_alloc(t, NULL, (p.nr_ops + 1) * sizeof *ops);
        memcpy(ops, p.ops, p.nr_ops * sizeof *ops);
        p.ops = ops;
        p.inherited = true;
        p.was_op = p.delivered_op;
        p.was_at = p.delivered_at;
        p.delivered_op = NO_EVENT;
        to->pending = timeline_alloc(t, to->pending, (to->nr_pending + 1) * sizeof p);
        to->pending[to->nr_pending++] = p;
    }
}

uint32_t branch_fork(struct timeline *t, uint32_t parent, uint64_t fork_op)
{
    uint32_t owner = fork_op ? branch_owner(t, parent, fork_op - 1) : 0;
    GROW(t, t->branches, t->nr_branches, t->room_branches, &t->bytes_ops);
    uint32_t id = t->nr_branches++;
    struct branch *b = &t->branches[id];
    memset(b, 0, sizeof *b);
    b->parent = owner;
    b->fork_op = fork_op;
    b->fork_events = log_events_before(t, parent, fork_op);
    snprintf(b->name, sizeof b->name, "branch %u", id);
    inherit_pending(t, b, &t->branches[parent]);
    return id;
}

void entries_free(struct timeline *t, struct entries *list)
{
    t->bytes_ops -= list->room * sizeof *list->e;
    free(list->e);
    *list = (struct entries){0};
}

void branch_free(struct timeline *t, struct branch *b)
{
    for (uint32_t i = 0; i < b->nr_extras; i++) {
        entries_free(t, &b->extras[i].nested);
    }
    for (uint32_t i = 0; i < b->nr_blocks; i++) {
        t->bytes_ops -= b->blocks[i].rec ? b->blocks[i].room * sizeof(struct op_rec) : 0;
        free(b->blocks[i].rec);
    }
    for (uint32_t i = 0; i < b->nr_points; i++) {
        snapshot_unref(&t->m->arena, b->points[i].snap);
    }
    for (uint32_t i = 0; i < b->nr_pending; i++) {
        free(b->pending[i].ops);
    }
    t->bytes_ops -= b->room_extras * sizeof *b->extras +
                    b->room_blocks * sizeof *b->blocks +
                    b->room_points * sizeof *b->points;
    free(b->extras);
    free(b->blocks);
    free(b->points);
    free(b->pending);
    b->extras = NULL;
    b->blocks = NULL;
    b->points = NULL;
    b->pending = NULL;
    b->nr_extras = b->room_extras = b->nr_blocks = b->room_blocks = 0;
    b->nr_points = b->room_points = b->nr_pending = 0;
}

/* ---- records ---- */

/* Where the extra of the branch's own operation i is, or would be. */
static uint32_t extra_place(const struct branch *b, uint64_t i)
{
    uint32_t low = 0, high = b->nr_extras;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (b->extras[mid].op < i) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool log_get(const struct timeline *t, uint32_t branch, uint64_t op, struct full_op *out)
{
    const struct branch *b = &t->branches[branch_owner(t, branch, op)];
    uint64_t i = op - b->fork_op;
    if (i >= b->nr_own || !b->blocks[i >> BLOCK_SHIFT].rec) {
        return false;
    }
    const struct op_rec *r = &b->blocks[i >> BLOCK_SHIFT].rec[i & (BLOCK_OPS - 1)];
    *out = (struct full_op){
        .op = {.kind = r->kind,
               .cpu = r->cpu,
               .origin = r->origin,
               .site = r->site,
               .arg = {r->arg0, r->arg1}},
        .result = r->result,
        .nr_events = r->nr_events,
    };
    if (r->extra) {
        const struct op_extra *x = &b->extras[extra_place(b, i)];
        memcpy(out->op.arg, x->arg, sizeof x->arg);
        out->nested = x->nested.nr ? &x->nested : NULL;
    }
    return true;
}

/* Room for the branch's record nr_own in its block, which is full or not there yet. */
static void block_grow(struct timeline *t, struct branch *b)
{
    const uint32_t block = (uint32_t)(b->nr_own >> BLOCK_SHIFT);
    if (block == b->nr_blocks) {
        GROW(t, b->blocks, b->nr_blocks, b->room_blocks, &t->bytes_ops);
        memset(&b->blocks[b->nr_blocks++], 0, sizeof *b->blocks);
    }
    /* Only a branch's first block grows: most branches are short. */
    struct op_block *k = &b->blocks[block];
    const uint32_t room = block ? BLOCK_OPS : k->room ? k->room * 2 : 16;
    k->rec = timeline_alloc(t, k->rec, room * sizeof *k->rec);
    t->bytes_ops += (room - k->room) * sizeof *k->rec;
    k->room = room;
}

static void extra_append(struct timeline *t, struct branch *b, const struct op *op,
                         const struct entries *nested)
{
    GROW(t, b->extras, b->nr_extras, b->room_extras, &t->bytes_ops);
    struct op_extra *x = &b->extras[b->nr_extras++];
    x->op = b->nr_own;
    x->nested = *nested;
    memcpy(x->arg, op->arg, sizeof x->arg);
}

void log_append(struct timeline *t, uint32_t branch, const struct op *op, uint64_t result,
                uint64_t nr_events, const struct entries *nested)
{
    struct branch *b = &t->branches[branch];
    const uint32_t block = (uint32_t)(b->nr_own >> BLOCK_SHIFT),
                   in = b->nr_own & (BLOCK_OPS - 1);
    if (block == b->nr_blocks || in == b->blocks[block].room) {
        block_grow(t, b);
    }
    struct op_block *k = &b->blocks[block];
    if (in % (1 << SUM_SHIFT) == 0) {
        k->before[in >> SUM_SHIFT] = b->own_events;
    }
    struct op_rec *r = &k->rec[in];
    r->kind = (uint8_t)op->kind;
    r->cpu = op->cpu;
    r->origin = op->origin;
    r->extra = (op->arg[1] >> 32 | op->arg[2] | op->arg[3] | nested->nr) != 0;
    r->site = op->site;
    r->arg1 = (uint32_t)op->arg[1];
    r->nr_events = (uint32_t)nr_events;
    r->arg0 = op->arg[0];
    r->result = result;
    if (r->extra) {
        extra_append(t, b, op, nested);
    }
    b->nr_own++;
    b->own_events += nr_events;
}

void log_drop_last(struct timeline *t, uint32_t branch)
{
    struct branch *b = &t->branches[branch];
    uint64_t i = --b->nr_own;
    const struct op_rec *r = &b->blocks[i >> BLOCK_SHIFT].rec[i & (BLOCK_OPS - 1)];
    b->own_events -= r->nr_events;
    if (r->extra) {
        entries_free(t, &b->extras[--b->nr_extras].nested);
    }
}

/* Events of the branch's own operations before its i-th. */
static uint64_t own_events_before(const struct branch *b, uint64_t i)
{
    if (i >= b->nr_own) {
        return b->own_events;
    }
    const struct op_block *k = &b->blocks[i >> BLOCK_SHIFT];
    uint32_t in = i & (BLOCK_OPS - 1), from = in >> SUM_SHIFT << SUM_SHIFT;
    uint64_t sum = k->before[in >> SUM_SHIFT];
    for (uint32_t at = from; k->rec && at < in; at++) {
        sum += k->rec[at].nr_events;
    }
    return sum;
}

uint64_t log_events_before(const struct timeline *t, uint32_t branch, uint64_t op)
{
    const struct branch *b = &t->branches[branch_owner(t, branch, op)];
    return b->fork_events + own_events_before(b, op - b->fork_op);
}

void entries_add(struct timeline *t, struct entries *list, const struct entry *e)
{
    GROW(t, list->e, list->nr, list->room, &t->bytes_ops);
    uint32_t at = list->nr++;
    for (; at && list->e[at - 1].at > e->at; at--) {
        list->e[at] = list->e[at - 1];
    }
    list->e[at] = *e;
}

void log_forget(struct timeline *t, uint32_t branch, uint64_t op)
{
    struct branch *b = &t->branches[branch];
    if (op <= b->fork_op) {
        return;
    }
    uint64_t own = op - b->fork_op < b->nr_own ? op - b->fork_op : b->nr_own;
    for (uint64_t i = 0; (i + 1) << BLOCK_SHIFT <= own; i++) {
        struct op_block *k = &b->blocks[i];
        t->bytes_ops -= k->rec ? k->room * sizeof *k->rec : 0;
        free(k->rec);
        k->rec = NULL;
    }
    const uint32_t nr = extra_place(b, own >> BLOCK_SHIFT << BLOCK_SHIFT);
    for (uint32_t i = 0; i < nr; i++) {
        entries_free(t, &b->extras[i].nested);
    }
    if (nr) {
        b->nr_extras -= nr;
        memmove(b->extras, b->extras + nr, b->nr_extras * sizeof *b->extras);
    }
}
