/* Which requests fail on purpose (fault_inject.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fault_inject.h"

#include "bad_reasons.h"
#include "context.h"

static const struct {
    const char *name;
    int64_t lowest, highest;
} fields[] = {
#define ROW_(id, file, lowest, highest, meaning) {file, lowest, highest},
    FAULT_FIELDS(ROW_)
#undef ROW_
};

/* The other point has no such file. */
static bool has_field(uint32_t point, uint32_t field)
{
    switch (field) {
    case FAULT_IGNORE_GFP_HIGHMEM:
    case FAULT_MIN_ORDER:
        return point == FAIL_PAGE_ALLOC;
    case FAULT_CACHE_FILTER:
        return point == FAILSLAB;
    default:
        return field < NR_FAULT_FIELDS;
    }
}

const char *fault_field_name(uint32_t field)
{
    return field < NR_FAULT_FIELDS ? fields[field].name : NULL;
}

const char *fault_point_name(uint32_t point)
{
    static const char *const names[NR_FAULT_POINTS] = {"fail_page_alloc", "failslab"};
    return point < NR_FAULT_POINTS ? names[point] : NULL;
}

/* FAULT_ATTR_INITIALIZER, and what the two points add to it */
static const struct fault_attr initial[NR_FAULT_POINTS] = {
    [FAIL_PAGE_ALLOC] = {.interval = 1,
                         .times = 1,
                         .ignore_gfp_wait = 1,
                         .ignore_gfp_highmem = 1,
                         .min_order = 1},
    [FAILSLAB] = {.interval = 1, .times = 1, .ignore_gfp_wait = 1},
};

static const struct fault_attr *attr_r(const struct machine *m, uint32_t point)
{
    return m->mm->faults.on ? &m->mm->faults.attr[point] : &initial[point];
}

/* xorshift64*, and from it a number below 100 */
static uint32_t random_percent(struct machine *m)
{
    uint64_t x = m->mm->faults.random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    mm_w(m)->faults.random = x;
    return (uint32_t)(((x * 0x2545f4914f6cdd1d) >> 32) * 100 >> 32);
}

static struct fault_state *switch_on(struct machine *m)
{
    struct fault_state *f = &mm_w(m)->faults;
    if (!f->on) {
        f->on = 1;
        f->random = (m->config.seed + 1) * 0x9e3779b97f4a7c15;
        f->random = f->random ? f->random : 1;
        for (uint32_t i = 0; i < NR_FAULT_POINTS; i++) {
            f->attr[i] = initial[i];
        }
    }
    return f;
}

bool fault_set(struct machine *m, uint64_t point, uint64_t field, int64_t value)
{
    if (point >= NR_FAULT_POINTS || field >= NR_FAULT_FIELDS ||
        !has_field((uint32_t)point, (uint32_t)field) || value < fields[field].lowest ||
        value > fields[field].highest) {
        probe(&m->probe, EV_BAD_CALL, OP_FAULT_ATTR, (uint64_t)value, BAD_FAULT_ATTR);
        return false;
    }
    struct fault_attr *a = &switch_on(m)->attr[point];
    switch ((enum fault_field)field) {
    case FAULT_PROBABILITY:
        a->probability = (uint32_t)value;
        break;
    case FAULT_INTERVAL:
        a->interval = (uint32_t)value;
        break;
    case FAULT_TIMES:
        a->times = (int32_t)value;
        break;
    case FAULT_SPACE:
        a->space = (int32_t)value;
        break;
    case FAULT_IGNORE_GFP_WAIT:
        a->ignore_gfp_wait = value != 0;
        break;
    case FAULT_IGNORE_GFP_HIGHMEM:
        a->ignore_gfp_highmem = value != 0;
        break;
    case FAULT_MIN_ORDER:
        a->min_order = (uint16_t)value;
        break;
    case FAULT_CACHE_FILTER:
    case NR_FAULT_FIELDS:
        a->cache_filter = (uint32_t)value;
        break;
    }
    probe(&m->probe, EV_FAULT_ATTR, point, field, (uint64_t)value);
    return true;
}

int64_t fault_get(const struct machine *m, uint32_t point, uint32_t field)
{
    const struct fault_attr *a = attr_r(m, point);
    const int64_t values[NR_FAULT_FIELDS] = {
        [FAULT_PROBABILITY] = a->probability,
        [FAULT_INTERVAL] = a->interval,
        [FAULT_TIMES] = a->times,
        [FAULT_SPACE] = a->space,
        [FAULT_IGNORE_GFP_WAIT] = a->ignore_gfp_wait,
        [FAULT_IGNORE_GFP_HIGHMEM] = a->ignore_gfp_highmem,
        [FAULT_MIN_ORDER] = a->min_order,
        [FAULT_CACHE_FILTER] = a->cache_filter,
    };
    return has_field(point, field) ? values[field] : 0;
}

uint64_t fault_calls(const struct machine *m, uint32_t point)
{
    return attr_r(m, point)->calls;
}

uint64_t fault_injected(const struct machine *m, uint32_t point)
{
    return attr_r(m, point)->injected;
}

void fault_set_nth(struct machine *m, uint64_t nth)
{
    switch_on(m)->fail_nth = nth > UINT32_MAX ? UINT32_MAX : (uint32_t)nth;
    probe(&m->probe, EV_FAIL_NTH, m->mm->faults.fail_nth);
}

uint32_t fault_nth(const struct machine *m) { return m->mm->faults.fail_nth; }

/* ---- should_fail_ex ---- */

enum verdict { GO_ON, SPARE, FAIL };

/* fail-nth counts requests of tasks; while it does, it alone decides. */
static enum verdict count_down(struct machine *m)
{
    if (!m->mm->faults.fail_nth ||
        (cpu_r(m, m->probe.cpu)->preempt_count & (HARDIRQ_MASK | SOFTIRQ_MASK))) {
        return GO_ON;
    }
    return --mm_w(m)->faults.fail_nth ? SPARE : FAIL;
}

static bool by_attributes(struct machine *m, struct fault_attr *a, uint32_t size)
{
    if (!a->probability || !a->times) {
        return false;
    }
    if (a->space > (int64_t)size) {
        a->space -= (int32_t)size;
        return false;
    }
    if (a->interval > 1 && ++a->count % a->interval) {
        return false;
    }
    return a->probability > random_percent(m);
}

static bool should_fail_ex(struct machine *m, uint32_t point, uint32_t size)
{
    struct fault_attr *a = &mm_w(m)->faults.attr[point];
    a->calls++;
    const enum verdict nth = count_down(m);
    if (nth == SPARE || (nth == GO_ON && !by_attributes(m, a, size))) {
        return false;
    }
    a->injected++;
    probe(&m->probe, EV_FAULT_INJECTED, point, a->interval, a->probability,
          (uint64_t)a->space, (uint64_t)a->times, nth == FAIL);
    a = &mm_w(m)->faults.attr[point];
    a->times -= a->times > 0;
    return true;
}

bool __should_fail_alloc_page(struct machine *m, gfp_t gfp, uint32_t order)
{
    const struct fault_attr *a = &m->mm->faults.attr[FAIL_PAGE_ALLOC];
    bool fail = false;
    fn_enter(&m->probe, FN_should_fail_alloc_page, gfp, order);
    if (order >= a->min_order && !(gfp & __GFP_NOFAIL) &&
        !(a->ignore_gfp_highmem && (gfp & __GFP_HIGHMEM)) &&
        !(a->ignore_gfp_wait && (gfp & __GFP_DIRECT_RECLAIM))) {
        fail = should_fail_ex(m, FAIL_PAGE_ALLOC, 1U << order);
    }
    fn_leave(&m->probe);
    return fail;
}

bool __should_failslab(struct machine *m, uint32_t cache, uint32_t size, bool boot,
                       gfp_t gfp)
{
    const struct fault_attr *a = &m->mm->faults.attr[FAILSLAB];
    bool fail = false;
    fn_enter(&m->probe, FN_should_failslab, cache, gfp);
    if (!boot && !(gfp & __GFP_NOFAIL) &&
        !(a->ignore_gfp_wait && (gfp & __GFP_DIRECT_RECLAIM)) &&
        (!a->cache_filter || a->cache_filter == cache)) {
        fail = should_fail_ex(m, FAILSLAB, size);
    }
    fn_leave(&m->probe);
    return fail;
}

const char *fault_check(const struct machine *m)
{
    const struct fault_state *f = &m->mm->faults;
    for (uint32_t i = 0; i < NR_FAULT_POINTS; i++) {
        const struct fault_attr *a = &f->attr[i];
        if (f->on ? a->probability > 100 || a->times < -1 || a->injected > a->calls
                  : a->probability || a->times || a->calls || f->fail_nth || f->random) {
            return "fault injection: an attribute is out of its range, or set before "
                   "anybody set one (I1)";
        }
    }
    return NULL;
}
