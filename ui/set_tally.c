/* Hits and misses by set (set_tally.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "set_tally.h"

#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "model.h"

void set_tally_free(struct set_tally *s)
{
    for (uint32_t i = 0; s->of && i < s->nr_cpus * NR_PARTS; i++) {
        free(s->of[i]);
    }
    free(s->of);
    *s = (struct set_tally){0};
}

void set_tally_stop(struct set_tally *s) { s->counting = false; }

/* All zero, for this machine. False: no memory. */
static bool clear(struct set_tally *s, const struct machine *m)
{
    const uint32_t nr_cpus = machine_nr_cpus(m);
    if (!s->of) {
        s->of = calloc((size_t)nr_cpus * NR_PARTS, sizeof *s->of);
        s->nr_cpus = s->of ? nr_cpus : 0;
    }
    for (uint32_t i = 0; i < s->nr_cpus * NR_PARTS; i++) {
        const struct cache *c = hw_cache(m, i / NR_PARTS, (enum hw_part)(i % NR_PARTS));
        if (!c) {
            continue;
        }
        if (!s->of[i]) {
            s->of[i] = calloc(c->config.sets, sizeof *s->of[i]);
        } else {
            memset(s->of[i], 0, c->config.sets * sizeof *s->of[i]);
        }
        if (!s->of[i]) {
            return false;
        }
    }
    return s->of != NULL;
}

/* ---- one operation ---- */

struct pass {
    struct set_tally *s;
    uint64_t first, last; /* events that count */
    bool fetch, back;
};

static bool place_of(const struct pass *p, const struct event *ev, enum hw_part *part)
{
    uint64_t level = 1, data = 1;
    switch (ev->kind) {
    case EV_TLB_PROBE:
        event_arg_named(ev, "level", &level);
        *part = level > 1 ? PART_STLB : p->fetch ? PART_ITLB : PART_DTLB;
        return true;
    case EV_L1_PROBE:
        event_arg_named(ev, "data", &data);
        *part = data ? PART_L1D : PART_L1I;
        return true;
    case EV_L2_PROBE:
        *part = PART_L2;
        return true;
    default:
        return false;
    }
}

static void count_in(struct set_counts *n, bool hit, bool back)
{
    uint32_t *which = hit ? &n->hits : &n->misses;
    *which += back ? (*which ? UINT32_MAX : 0) : 1;
}

static void at_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct pass *p = ctx;
    enum hw_part part;
    uint64_t set = 0, hit = 0;
    if (ev->n < p->first || ev->n > p->last || ev->cpu >= p->s->nr_cpus ||
        !place_of(p, ev, &part)) {
        return;
    }
    const struct cache *c = hw_cache(m, ev->cpu, part);
    event_arg_named(ev, "set", &set);
    event_arg_named(ev, "hit", &hit);
    if (!c || set >= c->config.sets) {
        return;
    }
    for (uint32_t cpu = 0; cpu < p->s->nr_cpus; cpu++) { /* an L2 may be several CPUs' */
        const struct cache *other = hw_cache(m, cpu, part);
        if (cpu == ev->cpu || (other && other->sets == c->sets)) {
            count_in(&p->s->of[cpu * NR_PARTS + part][set], hit, p->back);
        }
    }
}

/* Events [first, last] of an operation. */
static void pass_op(struct set_tally *s, struct timeline *t, uint32_t branch, uint64_t op,
                    uint64_t first, uint64_t last, bool back)
{
    struct op_record rec;
    if (first > last || !timeline_op(t, branch, op, &rec)) {
        return;
    }
    struct pass p = {s, first, last, rec.op.kind == OP_FETCH, back};
    timeline_events(t, branch, op, at_event, &p);
}

/* From one position to another that is not before it. */
static void pass_all(struct set_tally *s, struct timeline *t, struct position from,
                     struct position to, bool back)
{
    for (uint64_t op = from.op; op <= to.op; op++) {
        const uint64_t first = op == from.op ? from.event + 1 : 1;
        pass_op(s, t, to.branch, op, first, op == to.op ? to.event : UINT64_MAX, back);
    }
}

static uint64_t distance(struct position a, struct position b)
{
    return a.op > b.op ? a.op - b.op : b.op - a.op;
}

void set_tally_refresh(struct set_tally *s, struct timeline *t)
{
    const struct position now = timeline_position(t), was = s->upto;
    if (!s->counting || now.branch != was.branch || now.op < s->from_op ||
        distance(now, was) > SET_TALLY_WINDOW) {
        const uint64_t first = timeline_first_op(t);
        s->from_op =
            now.op - first > SET_TALLY_WINDOW ? now.op - SET_TALLY_WINDOW : first;
        s->counting = clear(s, timeline_machine(t));
        if (s->counting) {
            pass_all(s, t, (struct position){now.branch, s->from_op, 0}, now, false);
        }
    } else if (now.op > was.op || (now.op == was.op && now.event > was.event)) {
        pass_all(s, t, was, now, false);
    } else {
        pass_all(s, t, now, was, true);
    }
    s->upto = now;
}

struct set_counts set_tally_of(const struct set_tally *s, uint32_t cpu, enum hw_part part,
                               uint32_t set)
{
    const struct set_counts *of =
        s->counting && cpu < s->nr_cpus ? s->of[cpu * NR_PARTS + part] : NULL;
    return of ? of[set] : (struct set_counts){0, 0};
}
