/* Checkpoints: when one is taken, and which ones stay.
 *
 * The core reads no clock, so time is estimated: running an operation again costs OP_COST
 * and EVENT_COST for each of its events, putting a chunk back CHUNK_COST (nanoseconds,
 * measured by tests/bench_timeline.c; only their proportions matter).
 *
 * When: the run since the last checkpoint costs FINE, and at least SHARE times what the
 * checkpoint itself costs; in any case after COARSE.
 *
 * Which stay: the gap between neighbours may grow with the distance from the position
 * (dense here, exponentially sparse far away). When there is too much, the checkpoint
 * goes whose gap is smallest for its distance. One that would leave a gap over WIDEST
 * goes last, so that a jump anywhere stays short.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "timeline_private.h"

enum {
    OP_COST = 60,
    EVENT_COST = 12,
    CHUNK_COST = 300,
    COARSE = 1000 * 1000,
    WIDEST = 20 * 1000 * 1000,
    NEAR = 100 * 1000 * 1000,
    SHARE = 2,
    MAX_POINTS = 2048
};

/* What checkpoints may hold: in proportion to what there is to travel in. */
enum { POINT_BYTES_MIN = 1 << 18, POINT_BYTES_AN_EVENT = 30 };

uint64_t op_cost(uint16_t kind, uint64_t nr_events)
{
    /* A recorded state is a whole machine: a checkpoint behind it saves loading it again.
     */
    return (kind == OP_LOAD_STATE ? COARSE : OP_COST) + EVENT_COST * nr_events;
}

uint64_t cost_at(const struct timeline *t, uint32_t branch, uint64_t op)
{
    return OP_COST * op + EVENT_COST * log_events_before(t, branch, op);
}

/* The branch that a checkpoint after op operations belongs to: who owns the last of them.
 */
static uint32_t point_owner(const struct timeline *t, uint32_t branch, uint64_t op)
{
    return op ? branch_owner(t, branch, op - 1) : 0;
}

/* The first of b's checkpoints that has more than op operations. */
static uint32_t point_after(const struct branch *b, uint64_t op)
{
    uint32_t low = 0, high = b->nr_points;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (b->points[mid].op <= op) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

const struct checkpoint *checkpoint_before(const struct timeline *t, uint32_t branch,
                                           uint64_t op)
{
    for (uint32_t id = branch;; id = t->branches[id].parent) {
        const struct branch *b = &t->branches[id];
        uint32_t i = point_after(b, op);
        if (i) {
            return &b->points[i - 1];
        }
        if (!id) {
            return NULL;
        }
        op = b->fork_op < op ? b->fork_op : op;
    }
}

const struct checkpoint *checkpoint_behind(const struct timeline *t, uint32_t branch,
                                           uint64_t op)
{
    const struct checkpoint *first = NULL;
    uint64_t shared = UINT64_MAX; /* checkpoints over this are not on the way */
    for (uint32_t id = branch;; id = t->branches[id].parent) {
        const struct branch *b = &t->branches[id];
        const uint32_t i = point_after(b, op);
        if (i < b->nr_points && b->points[i].op <= shared) {
            first = &b->points[i];
        }
        if (!id || op >= b->fork_op) {
            return first;
        }
        shared = b->fork_op < shared ? b->fork_op : shared;
    }
}

struct snapshot *timeline_snapshot(struct timeline *t)
{
    struct snapshot *s = arena_snapshot(&t->m->arena);
    for (int i = 0; !s && i < 16; i++) {
        checkpoint_thin(t, arena_snapshot_bytes(&t->m->arena) / 2);
        s = arena_snapshot(&t->m->arena);
    }
    if (!s) {
        abort(); /* not even memory for one snapshot: the machine cannot be gone back with
                  */
    }
    return s;
}

void checkpoint_take(struct timeline *t, uint32_t branch, uint64_t op)
{
    uint32_t owner = point_owner(t, branch, op);
    struct branch *b = &t->branches[owner];
    uint32_t at = point_after(b, op);
    t->since = t->not_before = 0;
    if (at && b->points[at - 1].op == op) {
        return;
    }
    struct snapshot *s = timeline_snapshot(t);
    GROW(t, b->points, b->nr_points, b->room_points, &t->bytes_ops);
    at = point_after(b, op); /* making room for the two may have dropped some */
    memmove(b->points + at + 1, b->points + at, (b->nr_points - at) * sizeof *b->points);
    b->points[at] = (struct checkpoint){op, cost_at(t, branch, op), s};
    b->nr_points++;
    t->nr_points++;
}

static void point_drop(struct timeline *t, struct branch *b, uint32_t i)
{
    snapshot_unref(&t->m->arena, b->points[i].snap);
    memmove(b->points + i, b->points + i + 1, (b->nr_points - i - 1) * sizeof *b->points);
    b->nr_points--;
    t->nr_points--;
}

void checkpoint_drop_from(struct timeline *t, uint32_t branch, uint64_t op)
{
    struct branch *b = &t->branches[branch];
    while (b->nr_points && b->points[b->nr_points - 1].op >= op) {
        point_drop(t, b, b->nr_points - 1);
    }
}

void checkpoint_consider(struct timeline *t, uint32_t branch, uint64_t op)
{
    const uint64_t own = (uint64_t)SHARE * CHUNK_COST * arena_nr_changed(&t->m->arena);
    if (t->since < own && t->since < COARSE) {
        t->not_before = own < COARSE ? own : COARSE;
        return;
    }
    checkpoint_take(t, branch, op);
    history_bound(t);
}

/* ---- where travel was lately ---- */

void recent_add(struct timeline *t, uint32_t branch, uint64_t op, struct snapshot *snap)
{
    struct recent *r = &t->recent[t->next_recent++ % NR_RECENT];
    snapshot_ref(snap);
    snapshot_unref(&t->m->arena, r->snap);
    *r = (struct recent){snap, branch, op};
}

const struct recent *recent_before(const struct timeline *t, uint32_t branch, uint64_t op)
{
    const struct recent *best = NULL;
    for (uint32_t i = 0; i < NR_RECENT; i++) {
        const struct recent *r = &t->recent[i];
        if (r->snap && r->op <= op && (!best || r->op > best->op) &&
            (r->branch == branch || branch_common(t, r->branch, branch) >= r->op)) {
            best = r;
        }
    }
    return best;
}

void recent_drop(struct timeline *t, uint32_t branch, uint64_t op)
{
    for (uint32_t i = 0; i < NR_RECENT; i++) {
        struct recent *r = &t->recent[i];
        if (branch == UINT32_MAX || (r->branch == branch && r->op > op)) {
            snapshot_unref(&t->m->arena, r->snap);
            r->snap = NULL;
        }
    }
}

/* ---- thinning ---- */

static uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

/* How much the history loses when this checkpoint goes; smaller is less. */
static double loss(uint64_t gap, uint64_t far)
{
    double share = (double)gap / (double)(far + NEAR);
    return gap > WIDEST ? share + 1e6 : share;
}

/* Looking through all checkpoints costs more than dropping one, so some are found at a
 * time. */
enum { MAX_VICTIMS = 16 };
struct victim {
    uint32_t branch, point;
    double loss;
};
struct victims {
    struct victim v[MAX_VICTIMS]; /* by loss, the smallest first */
    uint32_t nr;
};

/* Not together with a neighbour: the gap would be wider than either expects. */
static void victim_offer(struct victims *list, struct victim v)
{
    if (list->nr == MAX_VICTIMS && v.loss >= list->v[MAX_VICTIMS - 1].loss) {
        return;
    }
    struct victim *last = NULL;
    for (uint32_t i = 0; i < list->nr; i++) {
        if (list->v[i].branch == v.branch && list->v[i].point + 1 == v.point) {
            last = &list->v[i];
        }
    }
    if (last && last->loss <= v.loss) {
        return;
    }
    if (last) {
        list->nr--;
        memmove(last, last + 1, (size_t)(list->v + list->nr - last) * sizeof v);
    }
    uint32_t at = list->nr < MAX_VICTIMS ? list->nr++ : MAX_VICTIMS - 1;
    for (; at && list->v[at - 1].loss > v.loss; at--) {
        list->v[at] = list->v[at - 1];
    }
    list->v[at] = v;
}

static void find_victims(const struct timeline *t, struct victims *list)
{
    const uint64_t here = cost_at(t, t->pos.branch, t->pos.op);
    for (uint32_t id = 0; id < t->nr_branches; id++) {
        const struct branch *b = &t->branches[id];
        if (!b->nr_points) {
            continue;
        }
        uint64_t common = branch_common(t, id, t->pos.branch);
        if (common > t->pos.op) {
            common = t->pos.op;
        }
        const uint64_t fork = cost_at(t, t->pos.branch, common);
        const uint64_t end = cost_at(t, id, branch_nr_ops(b));
        uint64_t before = id ? cost_at(t, id, b->fork_op) : 0;
        for (uint32_t i = 0; i < b->nr_points; i++) {
            const struct checkpoint *c = &b->points[i];
            const uint64_t after = i + 1 < b->nr_points ? c[1].cost : end;
            const uint64_t far = c->op <= common
                                     ? distance(c->cost, here)
                                     : distance(c->cost, fork) + distance(fork, here);
            if (c->op >
                t->first_op) { /* the first one of all is what everything is made from */
                victim_offer(list, (struct victim){id, i, loss(after - before, far)});
            }
            before = c->cost;
        }
    }
}

static bool over(const struct timeline *t, size_t bytes_wanted)
{
    return arena_snapshot_bytes(&t->m->arena) > bytes_wanted || t->nr_points > MAX_POINTS;
}

void checkpoint_thin(struct timeline *t, size_t bytes_wanted)
{
    while (over(t, bytes_wanted)) {
        struct victims list = {.nr = 0};
        find_victims(t, &list);
        if (!list.nr) {
            return;
        }
        for (uint32_t i = 0; i < list.nr && over(t, bytes_wanted); i++) {
            const struct victim v = list.v[i];
            point_drop(t, &t->branches[v.branch], v.point);
            for (uint32_t k = i + 1; k < list.nr; k++) {
                list.v[k].point -=
                    list.v[k].branch == v.branch && list.v[k].point > v.point;
            }
        }
    }
}

/* ---- the bound ---- */

static bool on_way(const struct timeline *t, uint32_t branch)
{
    uint32_t b = t->pos.branch;
    while (b > branch) {
        b = t->branches[b].parent;
    }
    return b == branch;
}

static void forget_branch(struct timeline *t, uint32_t id)
{
    recent_drop(t, UINT32_MAX, 0);
    struct branch *b = &t->branches[id];
    t->nr_points -= b->nr_points;
    branch_free(t, b);
    b->forgotten = true;
    b->nr_own = b->own_events = 0;
}

/* A branch that nothing goes on from and the position is not on, if it holds more than
 * the way to the position does. */
static bool forget_largest_branch(struct timeline *t)
{
    uint32_t largest = 0;
    uint64_t most = 0;
    for (uint32_t id = 1; id < t->nr_branches; id++) {
        const struct branch *b = &t->branches[id];
        bool parent = on_way(t, id);
        for (uint32_t k = id + 1; k < t->nr_branches && !parent; k++) {
            parent = t->branches[k].parent == id && !t->branches[k].forgotten;
        }
        if (!parent && b->nr_own > most) {
            largest = id;
            most = b->nr_own;
        }
    }
    if (!largest || most < t->pos.op - t->first_op) {
        return false;
    }
    forget_branch(t, largest);
    return true;
}

/* Give up the oldest quarter of the way to the position, and the branches that leave it
 * there. */
static bool forget_oldest(struct timeline *t)
{
    const uint64_t wanted = t->first_op + (t->pos.op - t->first_op) / 4;
    const struct checkpoint *c = checkpoint_before(t, t->pos.branch, wanted);
    if (!c || c->op <= t->first_op) {
        return false;
    }
    const uint64_t first = c->op;
    recent_drop(t, UINT32_MAX, 0);
    for (uint32_t id = 0; id < t->nr_branches; id++) {
        if (t->branches[id].forgotten) {
            continue;
        }
        if (!on_way(t, id) && branch_common(t, id, t->pos.branch) < first) {
            forget_branch(t, id);
            continue;
        }
        struct branch *b = &t->branches[id];
        while (b->nr_points && b->points[0].op < first) {
            point_drop(t, b, 0);
        }
        log_forget(t, id, first);
    }
    t->first_op = first;
    return true;
}

void history_bound(struct timeline *t)
{
    const struct strings *s = &t->strings;
    size_t records = t->bytes_ops + s->bytes + s->locals_bytes;
    while (records > t->history_bytes / 4 * 3 &&
           (forget_largest_branch(t) || forget_oldest(t))) {
        records = t->bytes_ops + s->bytes + s->locals_bytes;
    }
    size_t room = records < t->history_bytes ? t->history_bytes - records : 0;
    size_t fair =
        t->base_bytes + POINT_BYTES_MIN + (size_t)(POINT_BYTES_AN_EVENT * t->nr_events);
    const size_t most = fair < room ? fair : room;
    if (over(t, most)) {
        checkpoint_thin(t, most - most / 128);
    }
}
