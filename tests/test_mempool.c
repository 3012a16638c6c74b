/* Memory pools (mempool.h) and fault injection (fault_inject.h): what a reserve does when
 * the allocator fails, against a naive model, and with every request failing in turn.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include "fault_inject.h"
#include "kmalloc.h"
#include "mempool.h"
#include "prng.h"
#include "slab_view.h"

static struct event_log log_;

static struct machine_config small(enum arch arch, bool slub)
{
    struct machine_config c;
    config_init(&c, arch);
    c.ram_bytes = 64 << 20;
    c.cpus = c.nr_cpus = 2;
    c.slub = slub;
    return c;
}

static uint64_t op4(struct machine *m, uint16_t kind, uint64_t a, uint64_t b, uint64_t c)
{
    const struct op op = {.kind = kind, .arg = {a, b, c}};
    return machine_do(m, &op);
}

static void attribute(struct machine *m, uint32_t point, uint32_t field, int64_t value)
{
    op4(m, OP_FAULT_ATTR, point, field, (uint64_t)value);
}

/* All requests of a point fail, or only those that count_down says. */
static void let_fail(struct machine *m, uint32_t point, bool on)
{
    attribute(m, point, FAULT_IGNORE_GFP_WAIT, 0);
    if (point == FAIL_PAGE_ALLOC) {
        attribute(m, point, FAULT_IGNORE_GFP_HIGHMEM, 0);
        attribute(m, point, FAULT_MIN_ORDER, 0);
    }
    attribute(m, point, FAULT_TIMES, -1);
    attribute(m, point, FAULT_PROBABILITY, on ? 100 : 0);
}

static uint64_t cache_of(struct machine *m, uint64_t size)
{
    return op4(m, OP_KMEM_CACHE_CREATE, 7, size, 0);
}

static uint64_t pool_of(struct machine *m, enum mempool_kind kind, uint64_t min_nr)
{
    const uint64_t data = kind == MEMPOOL_SLAB      ? cache_of(m, 200)
                          : kind == MEMPOOL_KMALLOC ? 300
                                                    : 1;
    return run_op(m, (uint16_t)(OP_MEMPOOL_CREATE_SLAB_POOL + kind), min_nr, data);
}

/* What of the allocator makes a pool of this kind fail. */
static uint32_t point_of(enum mempool_kind kind)
{
    return kind == MEMPOOL_PAGES ? FAIL_PAGE_ALLOC : FAILSLAB;
}

static const char *const kinds[] = {"slab", "kmalloc", "page"};

static void reserve(struct machine *m, enum mempool_kind kind)
{
    enum { MIN_NR = 4 };
    uint64_t out[MIN_NR], before[MIN_NR];
    const uint64_t id = pool_of(m, kind, MIN_NR);
    const struct mempool *p = mempool_r(m, id);
    if (!ok(p != NULL, "%s pool", kinds[kind])) {
        return;
    }
    is_u64(p->curr_nr, MIN_NR, "%s: all of the reserve is there at once", kinds[kind]);
    for (uint32_t i = 0; i < MIN_NR; i++) {
        before[i] = mempool_element(m, p, i);
        ok(mempool_element_is_live(m, p, before[i]), "%s: element %u", kinds[kind], i);
    }
    const uint64_t one = run_op(m, OP_MEMPOOL_ALLOC, id, GFP_NOIO);
    ok(one != MEMPOOL_NONE && p->curr_nr == MIN_NR && p->from_allocator == 1,
       "%s: the allocator first", kinds[kind]);
    run_op(m, OP_MEMPOOL_FREE, one, id);
    ok(p->curr_nr == MIN_NR && !p->refilled, "%s: and back to it", kinds[kind]);
    let_fail(m, point_of(kind), true);
    for (uint32_t i = 0; i < MIN_NR; i++) {
        out[i] = run_op(m, OP_MEMPOOL_ALLOC, id, i % 2 ? GFP_ATOMIC : GFP_NOIO);
        is_hex(out[i], before[MIN_NR - 1 - i], "%s: the last in is out first",
               kinds[kind]);
    }
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_ATOMIC), MEMPOOL_NONE, "%s: then NULL",
           kinds[kind]);
    is_u64(p->failed, 1, "%s: and it is counted", kinds[kind]);
    for (uint32_t i = 0; i < MIN_NR; i++) {
        run_op(m, OP_MEMPOOL_FREE, out[i], id);
        is_hex(mempool_element(m, p, i), out[i], "%s: mempool_free fills it in order",
               kinds[kind]);
    }
    let_fail(m, point_of(kind), false);
    watch(m, &log_);
    run_op(m, OP_MEMPOOL_FREE, out[0], id);
    unwatch(m);
    ok(find_event(&log_, EV_MEMPOOL_BUG) && p->curr_nr == MIN_NR,
       "%s: a second free of what is in the reserve is reported", kinds[kind]);
    run_op(m, OP_MEMPOOL_DESTROY, id, 0);
    ok(!mempool_r(m, id), "%s: destroyed", kinds[kind]);
}

/* ---- waiting ---- */

static uint64_t handed, pool_at_hook;
static void free_in_interrupt(struct machine *m, const struct event *ev)
{
    if (ev->kind == EV_MEMPOOL_WAIT && handed != MEMPOOL_NONE) {
        const struct op ops[] = {{.kind = OP_IRQ_ENTER},
                                 {.kind = OP_MEMPOOL_FREE, .arg = {handed, pool_at_hook}},
                                 {.kind = OP_MEMPOOL_DESTROY, .arg = {pool_at_hook}},
                                 {.kind = OP_IRQ_LEAVE}};
        handed = MEMPOOL_NONE;
        for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
            machine_do_nested(m, &ops[i]);
        }
    }
}

static void waiting(struct machine *m)
{
    const uint64_t id = pool_of(m, MEMPOOL_SLAB, 2);
    const struct mempool *p = mempool_r(m, id);
    uint64_t a, b;
    let_fail(m, FAILSLAB, true);
    a = run_op(m, OP_MEMPOOL_ALLOC, id, GFP_NOIO);
    b = run_op(m, OP_MEMPOOL_ALLOC, id, GFP_NOIO);
    /* an interrupt frees one while the caller sleeps */
    watch(m, &log_);
    log_.at = free_in_interrupt;
    handed = b;
    pool_at_hook = id;
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_NOIO), b,
           "who sleeps gets what an interrupt frees meanwhile");
    log_.at = NULL;
    unwatch(m);
    ok(mempool_r(m, id) == p && find_event(&log_, EV_MEMPOOL_BUG),
       "and nobody can destroy the pool under it");
    is_u64(p->nr_waiters, 0, "nobody waits any more");
    /* nobody frees one: it stays on the queue */
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_KERNEL), MEMPOOL_NONE, "it sleeps on");
    is_hex(run_on(m, 1, OP_MEMPOOL_ALLOC, id, GFP_NOIO), MEMPOOL_NONE,
           "and one more on CPU 1");
    is_u64(p->nr_waiters, 2, "two wait");
    is_u64(run_op(m, OP_IO_SCHEDULE_TIMEOUT, id, 0), 0, "5 s later they still do");
    is_u64(p->nr_waiters, 2, "both on the queue again");
    watch(m, &log_);
    run_on(m, 1, OP_MEMPOOL_FREE, a, id);
    unwatch(m);
    const struct event *ev = find_event(&log_, EV_MEMPOOL_RESUME);
    ok(ev && ev->arg[1] == a, "a free wakes them: one has the element");
    ok(count_events(&log_, EV_MEMPOOL_RESUME) == 1 && p->nr_waiters == 1 &&
           p->curr_nr == 0,
       "the other one sleeps again");
    watch(m, &log_);
    run_op(m, OP_MEMPOOL_DESTROY, id, 0);
    unwatch(m);
    ok(mempool_r(m, id) && find_event(&log_, EV_MEMPOOL_BUG),
       "a pool with waiters is not destroyed");
    let_fail(m, FAILSLAB, false);
    watch(m, &log_);
    is_u64(run_op(m, OP_IO_SCHEDULE_TIMEOUT, id, 0), 1,
           "memory is back: the timeout is enough");
    unwatch(m);
    ev = find_event(&log_, EV_MEMPOOL_RESUME);
    const uint64_t late = ev ? ev->arg[1] : MEMPOOL_NONE;
    ok(late != MEMPOOL_NONE && p->curr_nr == 0, "from the allocator, not the reserve");
    /* in an interrupt nobody may sleep */
    let_fail(m, FAILSLAB, true);
    run_op(m, OP_IRQ_ENTER, 0, 0);
    watch(m, &log_);
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_KERNEL), MEMPOOL_NONE,
           "in an interrupt: NULL");
    unwatch(m);
    ok(find_event(&log_, EV_SLEEP_IN_ATOMIC) && find_event(&log_, EV_VM_BUG),
       "and the kernel's reports");
    run_op(m, OP_IRQ_LEAVE, 0, 0);
    is_u64(p->nr_waiters, 0, "it is on no queue");
    let_fail(m, FAILSLAB, false);
    run_op(m, OP_MEMPOOL_FREE, a, id);
    run_op(m, OP_MEMPOOL_FREE, b, id);
    run_op(m, OP_MEMPOOL_FREE, late, id);
    is_u64(p->curr_nr, 2, "the first two back fill the reserve");
    run_op(m, OP_MEMPOOL_DESTROY, id, 0);
}

/* ---- resizing, destroying ---- */

static void resizing(struct machine *m)
{
    const uint64_t id = pool_of(m, MEMPOOL_KMALLOC, 3);
    const struct mempool *p = mempool_r(m, id);
    uint64_t first[3];
    for (uint32_t i = 0; i < 3; i++) {
        first[i] = mempool_element(m, p, i);
    }
    is_u64(run_op(m, OP_MEMPOOL_RESIZE, id, 40), 0, "larger");
    ok(p->min_nr == 40 && p->curr_nr == 40, "and full");
    ok(mempool_element(m, p, 0) == first[0] && mempool_element(m, p, 2) == first[2],
       "the old elements are at the bottom as before");
    is_u64(run_op(m, OP_MEMPOOL_RESIZE, id, 2), 0, "smaller");
    ok(p->min_nr == 2 && p->curr_nr == 2 && mempool_element(m, p, 1) == first[1],
       "the newest went first");
    ok(object_view(m, first[2]).state != OBJECT_IN_USE, "to the allocator");
    let_fail(m, FAILSLAB, true);
    is_u64(run_op(m, OP_MEMPOOL_RESIZE, id, 9), (uint64_t)-12, "no array: -ENOMEM");
    is_u64(p->min_nr, 2, "and nothing has changed");
    attribute(m, FAILSLAB, FAULT_SPACE,
              100); /* the array goes through, no element does */
    is_u64(run_op(m, OP_MEMPOOL_RESIZE, id, 9), 0, "an array, but no elements: done");
    ok(p->min_nr == 9 && p->curr_nr == 2, "mempool_free will fill it");
    let_fail(m, FAILSLAB, false);
    const uint64_t more = run_op(m, OP_MEMPOOL_ALLOC, id, GFP_KERNEL);
    run_op(m, OP_MEMPOOL_FREE, more, id);
    is_u64(p->curr_nr, 3, "so it does, though memory is there");
    watch(m, &log_);
    is_u64(run_op(m, OP_MEMPOOL_RESIZE, id, 0), (uint64_t)-22, "BUG_ON(new_min_nr <= 0)");
    unwatch(m);
    ok(find_event(&log_, EV_MEMPOOL_BUG), "reported");
    const uint64_t outside = run_op(m, OP_MEMPOOL_ALLOC, id, GFP_KERNEL);
    run_op(m, OP_MEMPOOL_DESTROY, id, 0);
    ok(object_view(m, outside).state == OBJECT_IN_USE,
       "what is out when the pool goes stays its holder's");
    run_op(m, OP_KFREE, outside, 0);
    ok(object_view(m, outside).state != OBJECT_IN_USE, "kfree gives it back");
}

static void misuse(struct machine *m)
{
    const uint64_t id = pool_of(m, MEMPOOL_SLAB, 2);
    const struct mempool *p = mempool_r(m, id);
    const uint64_t foreign = run_op(m, OP_KMALLOC, 200, GFP_KERNEL);
    const uint64_t wrong[] = {0, 77, foreign, UINT64_C(1) << 40};
    watch(m, &log_);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        run_op(m, OP_MEMPOOL_FREE, wrong[i], id);
    }
    is_u64(count_events(&log_, EV_MEMPOOL_BUG), 4, "what is no element is reported");
    run_op(m, OP_MEMPOOL_FREE, MEMPOOL_NONE, id);
    is_u64(count_events(&log_, EV_MEMPOOL_BUG), 4, "mempool_free(NULL) is nothing");
    run_op(m, OP_KMEM_CACHE_FREE, p->data, mempool_element(m, p, 1));
    let_fail(m, FAILSLAB, true);
    const uint64_t left = mempool_element(m, p, 0);
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_ATOMIC), left,
           "an element freed past the pool is left out");
    let_fail(m, FAILSLAB, false);
    run_op(m, OP_MEMPOOL_FREE, left, id);
    run_op(m, OP_KFREE, p->elements, 0);
    log_.nr = 0;
    let_fail(m, FAILSLAB, true);
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_ATOMIC), MEMPOOL_NONE,
           "without its array the reserve is lost");
    ok(find_event(&log_, EV_MEMPOOL_BUG), "reported");
    let_fail(m, FAILSLAB, false);
    unwatch(m);
    run_op(m, OP_MEMPOOL_DESTROY, id, 0);
    ok(!mempool_r(m, id), "and it can be taken apart");
    run_op(m, OP_KFREE, foreign, 0);
    is_hex(run_op(m, OP_MEMPOOL_ALLOC, id, GFP_KERNEL), MEMPOOL_NONE, "it is gone");
}

/* Two of a reserve's elements are freed past the pool; growing, it may get them again. */
static void misuse_and_growth(struct machine *m)
{
    for (enum mempool_kind kind = 0; kind < NR_MEMPOOL_KINDS; kind++) {
        const uint64_t id = pool_of(m, kind, 4);
        const struct mempool *p = mempool_r(m, id);
        for (uint32_t i = 1; i < 3; i++) {
            const uint64_t element = mempool_element(m, p, i);
            run_op(m, kind == MEMPOOL_PAGES ? OP_FREE_PAGES : OP_KFREE, element,
                   kind == MEMPOOL_PAGES ? p->data : 0);
        }
        watch(m, &log_);
        is_u64(run_op(m, OP_MEMPOOL_RESIZE, id, 9), 0, "kind %u grows", kind);
        unwatch(m);
        is_u64(count_events(&log_, EV_MEMPOOL_BUG), 2, "what is gone is left out");
        is_u64(p->curr_nr, 9, "and the reserve is full");
        for (uint32_t i = 0; i < p->curr_nr; i++) {
            uint32_t same = 0;
            for (uint32_t j = 0; j < p->curr_nr; j++) {
                same += mempool_element(m, p, i) == mempool_element(m, p, j);
            }
            if (same != 1) {
                ok(false, "element %u is in it %u times", i, same);
            }
        }
        run_op(m, OP_MEMPOOL_DESTROY, id, 0);
    }
}

/* ---- a naive model: two stacks ---- */

enum { MODEL_POOLS = 4, MODEL_OUT = 64, MODEL_RESERVE = 16 };
struct model_pool {
    uint64_t id, out[MODEL_OUT], in[MODEL_RESERVE];
    uint32_t nr_out, nr_in, min_nr;
    enum mempool_kind kind;
};

static bool same_reserve(const struct machine *m, const struct model_pool *q)
{
    const struct mempool *p = mempool_r(m, q->id);
    bool same = p && p->curr_nr == q->nr_in && p->min_nr == q->min_nr;
    for (uint32_t i = 0; same && i < q->nr_in; i++) {
        same = mempool_element(m, p, i) == q->in[i] &&
               mempool_element_is_live(m, p, q->in[i]);
    }
    for (uint32_t i = 0; same && i < q->nr_out; i++) {
        same = mempool_element_is_live(m, p, q->out[i]);
        for (uint32_t k = 0; same && k < q->nr_in + i; k++) {
            same = (k < q->nr_in ? q->in[k] : q->out[k - q->nr_in]) != q->out[i];
        }
    }
    return same;
}

static void model_step(struct machine *m, struct prng *r, struct model_pool *q)
{
    const bool fails = prng_one_in(r, 2);
    const uint32_t what = (uint32_t)prng_below(r, 20);
    let_fail(m, FAILSLAB, fails);
    let_fail(m, FAIL_PAGE_ALLOC, fails);
    if (what < 9 && q->nr_out < MODEL_OUT) {
        const uint64_t got = run_op(m, OP_MEMPOOL_ALLOC, q->id, GFP_NOWAIT);
        if (fails && q->nr_in) {
            ok(got == q->in[q->nr_in - 1], "the top of the reserve");
            q->nr_in--;
        } else if (fails) {
            ok(got == MEMPOOL_NONE, "nothing");
        }
        if (got != MEMPOOL_NONE) {
            q->out[q->nr_out++] = got;
        }
    } else if (what < 18 && q->nr_out) {
        const uint32_t i = (uint32_t)prng_below(r, q->nr_out);
        run_op(m, OP_MEMPOOL_FREE, q->out[i], q->id);
        if (q->nr_in < q->min_nr) {
            q->in[q->nr_in++] = q->out[i];
        }
        q->out[i] = q->out[--q->nr_out];
    } else if (what == 18) {
        const uint32_t min_nr = 1 + (uint32_t)prng_below(r, MODEL_RESERVE);
        const uint64_t result = run_op(m, OP_MEMPOOL_RESIZE, q->id, min_nr);
        const struct mempool *p = mempool_r(m, q->id);
        if (min_nr <= q->min_nr) {
            q->nr_in = q->nr_in < min_nr ? q->nr_in : min_nr;
            q->min_nr = min_nr;
        } else if (!result) {
            q->min_nr = min_nr;
            while (!fails && q->nr_in < min_nr) {
                q->in[q->nr_in] = mempool_element(m, p, q->nr_in);
                q->nr_in++;
            }
        } else {
            ok(fails, "only without memory it fails");
        }
    } else {
        run_op(m, OP_CACHE_REAP, 0, 0);
    }
    let_fail(m, FAILSLAB, false);
    let_fail(m, FAIL_PAGE_ALLOC, false);
}

static void against_model(const struct machine_config *c, uint64_t seed)
{
    struct machine *m = boot(c);
    struct prng r = {seed};
    struct model_pool pools[MODEL_POOLS] = {0};
    bool same = true;
    for (uint32_t i = 0; i < MODEL_POOLS; i++) {
        pools[i].kind = (enum mempool_kind)(i % NR_MEMPOOL_KINDS);
        pools[i].min_nr = 1 + (uint32_t)prng_below(&r, MODEL_RESERVE);
        pools[i].id = pool_of(m, pools[i].kind, pools[i].min_nr);
        for (; pools[i].nr_in < pools[i].min_nr; pools[i].nr_in++) {
            pools[i].in[pools[i].nr_in] =
                mempool_element(m, mempool_r(m, pools[i].id), pools[i].nr_in);
        }
    }
    uint32_t steps = 0;
    for (; steps < 400 && same; steps++) {
        model_step(m, &r, &pools[prng_below(&r, MODEL_POOLS)]);
        for (uint32_t i = 0; i < MODEL_POOLS && same; i++) {
            same = same_reserve(m, &pools[i]);
        }
    }
    ok(same, "seed %u, %s: %u steps as the model has it", (unsigned)seed,
       c->slub ? "SLUB" : "SLAB", steps);
    machine_destroy(m);
}

/* ---- every request fails once ---- */

enum { WORK_CACHES = 2, WORK_OBJECTS = 90 };
struct work {
    uint64_t caches[WORK_CACHES], pools[NR_MEMPOOL_KINDS];
    uint64_t object[WORK_OBJECTS], from[WORK_OBJECTS]; /* from: a cache; 0: kmalloc */
    uint64_t element[NR_MEMPOOL_KINDS][8];
    uint32_t nr, nr_element[NR_MEMPOOL_KINDS];
    uint32_t refused; /* operations that had to say no */
};

static void keep(struct work *w, uint64_t va, uint64_t from)
{
    if (!va) {
        w->refused++;
        return;
    }
    w->object[w->nr] = va;
    w->from[w->nr++] = from;
}

static void use_caches(struct machine *m, struct work *w)
{
    for (uint32_t i = 0; i < WORK_CACHES; i++) {
        w->caches[i] = op4(m, OP_KMEM_CACHE_CREATE, 20 + i, i ? 1500 : 120, 0);
        w->refused += !w->caches[i];
    }
    for (uint32_t i = 0; i < 60; i++) {
        const uint64_t c = w->caches[i % WORK_CACHES];
        if (c) {
            keep(
                w,
                run_on(m, i & 1, OP_KMEM_CACHE_ALLOC, c, i & 2 ? GFP_ATOMIC : GFP_KERNEL),
                c);
        }
    }
    for (uint32_t i = 0; i < 12; i++) {
        keep(w, run_op(m, OP_KMALLOC, 40 + 900 * (uint64_t)i, GFP_KERNEL), 0);
    }
}

static void use_pools(struct machine *m, struct work *w)
{
    for (uint32_t k = 0; k < NR_MEMPOOL_KINDS; k++) {
        const uint64_t data = k == MEMPOOL_SLAB      ? w->caches[1]
                              : k == MEMPOOL_KMALLOC ? 3000
                                                     : 1;
        if (k != MEMPOOL_SLAB || data) {
            w->pools[k] = run_op(m, (uint16_t)(OP_MEMPOOL_CREATE_SLAB_POOL + k), 3, data);
            w->refused += !w->pools[k];
        }
        for (uint32_t i = 0; w->pools[k] && i < 6; i++) {
            const uint64_t got = run_op(m, OP_MEMPOOL_ALLOC, w->pools[k], GFP_NOWAIT);
            if (got == MEMPOOL_NONE) {
                w->refused++;
            } else {
                w->element[k][w->nr_element[k]++] = got;
            }
        }
        if (w->pools[k]) {
            w->refused += run_op(m, OP_MEMPOOL_RESIZE, w->pools[k], 7) != 0;
        }
    }
}

/* No object twice, each one allocated. */
static bool all_apart(const struct machine *m, const struct work *w)
{
    for (uint32_t i = 0; i < w->nr; i++) {
        const struct object_view o = object_view(m, w->object[i]);
        if (o.state != OBJECT_NONE && o.state != OBJECT_IN_USE) {
            return false;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (w->object[k] == w->object[i]) {
                return false;
            }
        }
        for (uint32_t k = 0; k < MEMPOOL_PAGES; k++) {
            for (uint32_t e = 0; e < w->nr_element[k]; e++) {
                if (w->element[k][e] == w->object[i]) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void undo(struct machine *m, struct work *w)
{
    for (uint32_t k = 0; k < NR_MEMPOOL_KINDS; k++) {
        for (uint32_t i = 0; i < w->nr_element[k]; i++) {
            run_op(m, OP_MEMPOOL_FREE, w->element[k][i], w->pools[k]);
        }
        if (w->pools[k]) {
            run_op(m, OP_MEMPOOL_DESTROY, w->pools[k], 0);
        }
    }
    for (uint32_t i = 0; i < w->nr; i++) {
        w->from[i] ? run_op(m, OP_KMEM_CACHE_FREE, w->from[i], w->object[i])
                   : run_op(m, OP_KFREE, w->object[i], 0);
    }
    for (uint32_t i = 0; i < WORK_CACHES; i++) {
        if (w->caches[i]) {
            run_op(m, OP_KMEM_CACHE_DESTROY, w->caches[i], 0);
        }
    }
}

static uint64_t objects_in_use(const struct machine *m)
{
    uint64_t n = 0;
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        struct cache_view v;
        n += cache_view(m, id, &v) ? v.in_use : 0;
    }
    return n;
}

/* Pages that belong to nobody but slabs. */
static uint64_t shrink_all(struct machine *m)
{
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        run_op(m, OP_KMEM_CACHE_SHRINK, id, 0);
    }
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    return all_free(m);
}

/* The nth request of the work fails, of pages or of objects and pages. Answers whether
 * there were so many. */
static bool nth_fails(const struct machine_config *c, uint32_t nth, bool pages_only,
                      uint32_t *refusals)
{
    struct machine *m = boot(c);
    struct work w = {0};
    run_op(m, OP_KMEM_CACHE_INIT, 0, 0);
    const uint64_t in_use = objects_in_use(m), free_pages = shrink_all(m);
    let_fail(m, FAIL_PAGE_ALLOC, false);
    let_fail(m, FAILSLAB, false);
    if (pages_only) { /* every nth fails, but only one in all */
        attribute(m, FAIL_PAGE_ALLOC, FAULT_INTERVAL, nth);
        attribute(m, FAIL_PAGE_ALLOC, FAULT_TIMES, 1);
        attribute(m, FAIL_PAGE_ALLOC, FAULT_PROBABILITY, 100);
    } else {
        run_op(m, OP_FAIL_NTH, nth, 0);
    }
    use_caches(m, &w);
    use_pools(m, &w);
    const bool reached =
        fault_injected(m, FAIL_PAGE_ALLOC) + fault_injected(m, FAILSLAB) == 1;
    run_op(m, OP_FAIL_NTH, 0, 0);
    attribute(m, FAIL_PAGE_ALLOC, FAULT_PROBABILITY, 0);
    if (!all_apart(m, &w)) {
        ok(false, "request %u: an object is handed out twice", nth);
    }
    undo(m, &w);
    *refusals += w.refused;
    if (objects_in_use(m) != in_use || shrink_all(m) != free_pages ||
        m->slab->nr_mempools) {
        ok(false,
           "request %u: a leak: %" PRIu64 " objects, were %" PRIu64 "; %" PRIu64
           " pages, were %" PRIu64,
           nth, objects_in_use(m), in_use, all_free(m), free_pages);
    }
    machine_destroy(m);
    return reached;
}

static void every_request_fails(const struct machine_config *c, bool pages_only)
{
    uint32_t nth = 1, refusals = 0;
    while (nth < 2000 && nth_fails(c, nth, pages_only, &refusals)) {
        nth++;
    }
    ok(nth > (pages_only ? 10 : 100) && nth < 2000,
       "%s: each of %u requests for %s fails in turn, and nothing else goes wrong",
       c->slub ? "SLUB" : "SLAB", nth - 1, pages_only ? "pages" : "pages and objects");
    ok(refusals > 0, "%u operations answered no", refusals);
}

/* ---- fault injection itself ---- */

static void attributes(struct machine *m)
{
    run_op(m, OP_KMEM_CACHE_INIT, 0, 0);
    is_u64((uint64_t)fault_get(m, FAIL_PAGE_ALLOC, FAULT_MIN_ORDER), 1, "min-order");
    is_u64((uint64_t)fault_get(m, FAILSLAB, FAULT_TIMES), 1, "times");
    attribute(m, FAIL_PAGE_ALLOC, FAULT_PROBABILITY, 100);
    ok(take(m, GFP_ATOMIC, 0) != PFN_NONE, "order 0 is below min-order");
    ok(take(m, GFP_KERNEL, 1) != PFN_NONE, "who may reclaim is spared");
    ok(take(m, GFP_ATOMIC | __GFP_NOFAIL, 1) != PFN_NONE, "and who must not fail");
    ok(take(m, GFP_ATOMIC, 1) == PFN_NONE, "this one fails");
    ok(take(m, GFP_ATOMIC, 1) != PFN_NONE, "times is 0 now");
    attribute(m, FAIL_PAGE_ALLOC, FAULT_TIMES, -1);
    attribute(m, FAIL_PAGE_ALLOC, FAULT_INTERVAL, 3);
    uint32_t failed = 0;
    for (uint32_t i = 0; i < 12; i++) {
        const uint64_t frame = take(m, GFP_ATOMIC, 1);
        failed += frame == PFN_NONE;
        if (frame != PFN_NONE) {
            give(m, frame, 1);
        }
    }
    is_u64(failed, 4, "every third of twelve");
    attribute(m, FAIL_PAGE_ALLOC, FAULT_INTERVAL, 1);
    attribute(m, FAIL_PAGE_ALLOC, FAULT_SPACE, 5);
    for (failed = 0; failed < 10 && take(m, GFP_ATOMIC, 1) != PFN_NONE; failed++) {
    }
    is_u64(failed, 2, "space 5: two blocks of two pages first");
    attribute(m, FAIL_PAGE_ALLOC, FAULT_PROBABILITY, 30);
    attribute(m, FAIL_PAGE_ALLOC, FAULT_SPACE, 0);
    failed = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        const uint64_t frame = take(m, GFP_ATOMIC, 1);
        failed += frame == PFN_NONE;
        if (frame != PFN_NONE) {
            give(m, frame, 1);
        }
    }
    ok(failed > 230 && failed < 370, "probability 30: %u of 1000", failed);
    attribute(m, FAIL_PAGE_ALLOC, FAULT_PROBABILITY, 0);
    run_op(m, OP_FAIL_NTH, 2, 0);
    for (uint32_t i = 0; i < 3; i++) {
        ok(run_op(m, OP_KMALLOC, 64, GFP_KERNEL), "who may reclaim does not count");
    }
    attribute(m, FAILSLAB, FAULT_IGNORE_GFP_WAIT, 0);
    ok(run_op(m, OP_KMALLOC, 64, GFP_KERNEL), "fail-nth 2: the first goes through");
    ok(!run_op(m, OP_KMALLOC, 64, GFP_KERNEL), "the second fails");
    ok(run_op(m, OP_KMALLOC, 64, GFP_KERNEL), "and no other one");
}

static void wrong_attributes(struct machine *m)
{
    const struct {
        uint64_t point, field;
        int64_t value;
    } bad[] = {{2, FAULT_PROBABILITY, 1},
               {FAILSLAB, FAULT_MIN_ORDER, 1},
               {FAIL_PAGE_ALLOC, FAULT_CACHE_FILTER, 1},
               {FAILSLAB, NR_FAULT_FIELDS, 1},
               {FAILSLAB, FAULT_PROBABILITY, 101},
               {FAILSLAB, FAULT_TIMES, -2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ok(!op4(m, OP_FAULT_ATTR, bad[i].point, bad[i].field, (uint64_t)bad[i].value),
           "attribute %u of %u cannot be %d", (unsigned)bad[i].field,
           (unsigned)bad[i].point, (int)bad[i].value);
    }
}

int main(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        const struct machine_config c = small(i & 2 ? ARCH_I386 : ARCH_X86_64, i & 1);
        struct machine *m = boot(&c);
        for (uint32_t k = 0; k < NR_MEMPOOL_KINDS; k++) {
            reserve(m, (enum mempool_kind)k);
        }
        waiting(m);
        resizing(m);
        misuse(m);
        misuse_and_growth(m);
        machine_destroy(m);
        against_model(&c, i + 1);
        every_request_fails(&c, true);
        every_request_fails(&c, false);
    }
    const struct machine_config c = small(ARCH_X86_64, false);
    struct machine *m = boot(&c);
    wrong_attributes(m);
    attributes(m);
    machine_destroy(m);
    return done_testing();
}
