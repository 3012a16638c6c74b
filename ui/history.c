/* What the hardware has counted, over time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "history.h"

#include "access.h"
#include "hardware.h"

#include <stdlib.h>
#include <string.h>

void history_free(struct history *h)
{
    free(h->at);
    *h = (struct history){0};
}

static void add(struct history_sample *s, enum history_series series, uint64_t of,
                uint64_t part)
{
    s->of[series] += of;
    s->part[series] += part;
}

struct history_sample history_now(const struct machine *m, uint64_t op)
{
    struct history_sample s = {.op = op};
    const struct memsys *cpu;
    for (uint32_t i = 0; (cpu = hardware_cpu(m, i)); i++) {
        const struct memsys_tally *n = &cpu->s->n;
        const struct cycles y = access_cycles_of(cpu);
        for (int side = 0; side < NR_SIDES; side++) {
            add(&s, side == SIDE_I ? SERIES_L1I : SERIES_L1D,
                tally_l1_accesses(n, (enum side)side),
                tally_l1_misses(n, (enum side)side));
            add(&s, side == SIDE_I ? SERIES_ITLB : SERIES_DTLB, n->tlb_access[side],
                n->tlb_miss[side]);
        }
        add(&s, SERIES_L2, tally_l2_accesses(n), tally_l2_misses(n));
        add(&s, SERIES_STLB, n->stlb_access, n->stlb_miss);
        add(&s, SERIES_AMAT, y.accesses, y.total);
    }
    return s;
}

/* ---- samples ---- */

/* The first sample at or behind op. */
static size_t find(const struct history *h, uint64_t op)
{
    size_t low = 0, high = h->nr;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (h->at[mid].op < op) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void thin(struct history *h)
{
    size_t kept = 0;
    h->every *= 2;
    for (size_t i = 0; i < h->nr; i++) {
        if (h->at[i].op % h->every == 0) {
            h->at[kept++] = h->at[i];
        }
    }
    h->nr = kept;
}

/* Operations that two branches share. */
static uint64_t shared_ops(const struct timeline *t, uint32_t a, uint32_t b)
{
    uint64_t limit_a = UINT64_MAX;
    for (uint32_t x = a;; x = timeline_branch(t, x).parent) {
        uint64_t limit_b = UINT64_MAX;
        for (uint32_t y = b;; y = timeline_branch(t, y).parent) {
            if (x == y) {
                return limit_a < limit_b ? limit_a : limit_b;
            }
            struct branch_info info = timeline_branch(t, y);
            limit_b = info.fork_op < limit_b ? info.fork_op : limit_b;
            if (info.parent == y) {
                break;
            }
        }
        struct branch_info info = timeline_branch(t, x);
        limit_a = info.fork_op < limit_a ? info.fork_op : limit_a;
        if (info.parent == x) {
            return 0;
        }
    }
}

void history_note(struct history *h, struct timeline *t)
{
    struct position at = timeline_position(t);
    h->every = h->every ? h->every : 1;
    if (at.branch != h->branch) {
        uint64_t shared = shared_ops(t, h->branch, at.branch);
        h->nr = shared == UINT64_MAX ? h->nr : find(h, shared + 1);
        h->branch = at.branch;
    }
    if (at.event || at.op % h->every) {
        return;
    }
    size_t i = find(h, at.op);
    bool known = i < h->nr && h->at[i].op == at.op;
    if (!known && h->nr == HISTORY_MOST) {
        thin(h);
        history_note(h, t);
        return;
    }
    if (!known && h->nr == h->room) {
        size_t room = h->room ? 2 * h->room : 64;
        struct history_sample *bigger = realloc(h->at, room * sizeof *bigger);
        if (!bigger) {
            return;
        }
        h->at = bigger;
        h->room = room;
    }
    if (!known) {
        memmove(&h->at[i + 1], &h->at[i], (h->nr - i) * sizeof h->at[0]);
        h->nr++;
    }
    h->at[i] = history_now(timeline_machine(t), at.op);
}

/* ---- values ---- */

/* A counter at an operation: between samples, as if it grew evenly. */
static bool value_at(const struct history *h, enum history_series series, uint64_t op,
                     double *of, double *part)
{
    size_t i = find(h, op);
    if (i == h->nr || (i == 0 && h->at[0].op != op)) {
        return false;
    }
    const struct history_sample *b = &h->at[i];
    *of = (double)b->of[series];
    *part = (double)b->part[series];
    if (b->op != op) {
        const struct history_sample *a = b - 1;
        double share = (double)(op - a->op) / (double)(b->op - a->op);
        *of = (double)a->of[series] + share * (*of - (double)a->of[series]);
        *part = (double)a->part[series] + share * (*part - (double)a->part[series]);
    }
    return true;
}

void history_values(const struct history *h, enum history_series series, uint64_t from,
                    uint64_t to, int64_t *values, int nr)
{
    for (int i = 0; i < nr; i++) {
        uint64_t a = from + (to - from) * (uint64_t)i / (uint64_t)nr;
        uint64_t b = from + (to - from) * (uint64_t)(i + 1) / (uint64_t)nr;
        double of[2], part[2];
        b = b == a ? a + 1 : b; /* fewer operations than values */
        values[i] = -1;
        if (value_at(h, series, a, &of[0], &part[0]) &&
            value_at(h, series, b, &of[1], &part[1]) && of[1] > of[0]) {
            values[i] = (int64_t)(1000 * (part[1] - part[0]) / (of[1] - of[0]) + 0.5);
        }
    }
}
