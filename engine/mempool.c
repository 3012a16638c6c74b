/* Memory pools: mempool_create, mempool_alloc, mempool_free, mempool_resize and
 * mempool_destroy (mempool.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "kmalloc.h"
#include "mempool_private.h"
#include "slab_ops.h"

enum { IO_SCHEDULE_SECONDS = 5 };

/* ---- pool->alloc and pool->free ---- */

static uint64_t allocator_alloc(struct machine *m, const struct mempool *p, gfp_t gfp)
{
    uint64_t va = 0;
    fn_enter(&m->probe,
             p->kind == MEMPOOL_SLAB      ? FN_mempool_alloc_slab
             : p->kind == MEMPOOL_KMALLOC ? FN_mempool_kmalloc
                                          : FN_mempool_alloc_pages,
             gfp, p->data);
    if (p->kind == MEMPOOL_SLAB) {
        const struct kmem_cache *c = cache_r(m, p->data);
        if (c) {
            va = kmem_cache_alloc(m, c, gfp);
        } else {
            mempool_report(m, BAD_NO_CACHE, p, MEMPOOL_NONE);
        }
    } else if (p->kind == MEMPOOL_KMALLOC) {
        va = kmalloc(m, p->data, gfp);
    }
    const uint64_t element = p->kind == MEMPOOL_PAGES ? alloc_pages(m, gfp, p->data)
                             : va                     ? va
                                                      : MEMPOOL_NONE;
    fn_leave(&m->probe);
    return element;
}

static void allocator_free(struct machine *m, const struct mempool *p, uint64_t element)
{
    fn_enter(&m->probe,
             p->kind == MEMPOOL_SLAB      ? FN_mempool_free_slab
             : p->kind == MEMPOOL_KMALLOC ? FN_mempool_kfree
                                          : FN_mempool_free_pages,
             element, p->data);
    if (p->kind == MEMPOOL_PAGES) {
        __free_pages(m, element, p->data);
    } else if (p->kind == MEMPOOL_KMALLOC) {
        kfree(m, element);
    } else if (cache_r(m, p->data)) {
        kmem_cache_free(m, cache_r(m, p->data), element);
    }
    fn_leave(&m->probe);
}

/* ---- making and taking apart ---- */

/* mempool_exit, and the pool itself: the newest element first. */
static void mempool_exit(struct machine *m, const struct mempool *p)
{
    fn_enter(&m->probe, FN_mempool_exit, p->id);
    while (mempool_reserve_is_there(m, p)) {
        const uint64_t element = remove_element(m, p);
        if (element != MEMPOOL_NONE) {
            allocator_free(m, p, element);
        }
    }
    if (p->elements) {
        kfree(m, p->elements);
        mempool_w(m, p)->elements = 0;
    }
    fn_leave(&m->probe);
}

/* sizeof(mempool_t): lock, min_nr, curr_nr, elements, pool_data, alloc, free, wait */
static uint32_t sizeof_mempool(const struct machine *m)
{
    return slab_word(&m->config) == 8 ? 72 : 40;
}

static bool mempool_init(struct machine *m, const struct mempool *p)
{
    bool done = false;
    fn_enter(&m->probe, FN_mempool_init_node, p->min_nr, p->id);
    const uint64_t elements =
        kmalloc(m, (uint64_t)p->min_nr * slab_word(&m->config), (gfp_t)GFP_KERNEL);
    mempool_w(m, p)->elements = elements;
    while (elements && p->curr_nr < p->min_nr) {
        const uint64_t element = allocator_alloc(m, p, (gfp_t)GFP_KERNEL);
        if (element == MEMPOOL_NONE) {
            break;
        }
        add_element(m, p, element);
    }
    done = elements && p->curr_nr == p->min_nr;
    if (!done) {
        mempool_exit(m, p);
    }
    fn_leave(&m->probe);
    return done;
}

static uint32_t mempool_create(struct machine *m, uint64_t min_nr, enum mempool_kind kind,
                               uint64_t data)
{
    uint32_t id = 0;
    fn_enter(&m->probe, FN_mempool_create_node, min_nr, kind, data);
    const uint64_t addr =
        kmalloc(m, sizeof_mempool(m), (gfp_t)GFP_KERNEL | (gfp_t)__GFP_ZERO);
    struct mempool *p = addr ? mempool_record_new(m) : NULL;
    if (p) {
        p->kind = kind;
        p->data = data;
        p->min_nr = (uint32_t)min_nr;
        p->addr = addr;
        if (mempool_init(m, p)) {
            id = p->id;
            probe(&m->probe, EV_MEMPOOL_CREATE, id, min_nr, addr, p->elements);
        } else {
            mempool_record_drop(m, p);
        }
    }
    if (!id) {
        probe(&m->probe, EV_MEMPOOL_CREATE_FAIL, min_nr);
        if (addr) {
            kfree(m, addr);
        }
    }
    fn_leave(&m->probe);
    return id;
}

static void mempool_destroy(struct machine *m, const struct mempool *p)
{
    fn_enter(&m->probe, FN_mempool_destroy, p->id);
    if (p->users || p->nr_waiters) { /* they would find their pool gone */
        mempool_report(m, BAD_POOL_WAITERS, p, MEMPOOL_NONE);
    } else {
        const uint64_t addr = p->addr;
        mempool_exit(m, p);
        probe(&m->probe, EV_MEMPOOL_DESTROY, p->id);
        mempool_record_drop(m, mempool_w(m, p));
        kfree(m, addr);
    }
    fn_leave(&m->probe);
}

/* ---- mempool_alloc ---- */

/* With the caller on the queue: does somebody free an element while it sleeps? */
static bool sleep_on(struct machine *m, const struct mempool *p, gfp_t gfp)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    fn_enter(&m->probe, FN_io_schedule_timeout, IO_SCHEDULE_SECONDS);
    bool woken = false;
    if (c->preempt_count || c->irqs_disabled) {
        probe(&m->probe, EV_VM_BUG, p->id, BAD_SCHED_ATOMIC);
    } else if (p->nr_waiters == MEMPOOL_MAX_WAITERS) {
        probe(&m->probe, EV_BAD_CALL, OP_MEMPOOL_ALLOC, p->id, BAD_TOO_DEEP);
    } else {
        const uint32_t id = p->id;
        struct mempool *w = mempool_w(m, p);
        const uint32_t at = w->nr_waiters++;
        w->waiter[at].gfp = gfp;
        w->waiter[at].cpu = m->probe.cpu;
        w->slept++;
        w->woken = 0;
        probe(&m->probe, EV_MEMPOOL_WAIT, id, w->nr_waiters, w->min_nr,
              IO_SCHEDULE_SECONDS);
        woken = p->woken;
        if (woken) { /* finish_wait() */
            w = mempool_w(m, p);
            w->nr_waiters--;
            w->waiter[w->nr_waiters].gfp = w->waiter[w->nr_waiters].cpu = 0;
        }
    }
    fn_leave(&m->probe);
    return woken;
}

/* The rounds of repeat_alloc. gfp: complete. *asleep: the caller waits now. */
static uint64_t take(struct machine *m, const struct mempool *p, gfp_t gfp, gfp_t first,
                     bool *asleep)
{
    gfp_t now = first;
    *asleep = false;
    while (true) {
        uint64_t element = allocator_alloc(m, p, now);
        if (element != MEMPOOL_NONE) {
            mempool_w(m, p)->from_allocator++;
            return element;
        }
        probe(&m->probe, EV_MEMPOOL_NO_MEMORY, p->id, now, p->curr_nr, p->min_nr);
        if (mempool_lock_fails(m, p)) {
            return MEMPOOL_NONE;
        }
        const uint32_t flags = mempool_lock(m, p);
        element = mempool_reserve_is_there(m, p) ? remove_element(m, p) : MEMPOOL_NONE;
        mempool_unlock(m, p, flags);
        if (element != MEMPOOL_NONE) {
            mempool_w(m, p)->from_reserve++;
            return element;
        }
        if (now != gfp) {
            now = gfp;
            probe(&m->probe, EV_MEMPOOL_RETRY, p->id, gfp);
            continue;
        }
        if (!(gfp & __GFP_DIRECT_RECLAIM)) {
            mempool_w(m, p)->failed++;
            probe(&m->probe, EV_MEMPOOL_FAIL, p->id, gfp);
            return MEMPOOL_NONE;
        }
        if (!sleep_on(m, p, gfp)) {
            *asleep = true;
            return MEMPOOL_NONE;
        }
    }
}

static uint64_t mempool_alloc(struct machine *m, const struct mempool *p, gfp_t gfp)
{
    bool asleep;
    fn_enter(&m->probe, FN_mempool_alloc, p->id, gfp);
    if (gfp & __GFP_DIRECT_RECLAIM) {
        might_sleep(m);
    }
    gfp |= __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
    const uint64_t element =
        take(m, p, gfp, gfp & ~(gfp_t)(__GFP_DIRECT_RECLAIM | __GFP_IO), &asleep);
    fn_leave(&m->probe);
    return element;
}

/* All on the queue try again, the newest first; who finds nothing is on it again. Answers
 * how many have their element now. */
static uint32_t retry_waiters(struct machine *m, const struct mempool *p)
{
    const uint32_t nr = p->nr_waiters;
    uint32_t got = 0;
    struct {
        uint32_t gfp, cpu;
    } waiter[MEMPOOL_MAX_WAITERS];
    struct mempool *w = mempool_w(m, p);
    memcpy(waiter, w->waiter, sizeof waiter);
    memset(w->waiter, 0, sizeof w->waiter);
    w->nr_waiters = w->woken = 0;
    w->users++;
    for (uint32_t i = nr; i-- > 0;) {
        bool asleep;
        fn_enter(&m->probe, FN_mempool_alloc, p->id, waiter[i].gfp);
        const uint64_t element =
            take(m, p, (gfp_t)waiter[i].gfp, (gfp_t)waiter[i].gfp, &asleep);
        if (element != MEMPOOL_NONE) {
            got++;
            probe(&m->probe, EV_MEMPOOL_RESUME, p->id, element, waiter[i].cpu,
                  p->nr_waiters);
        }
        fn_leave(&m->probe);
    }
    mempool_w(m, p)->users--;
    return got;
}

void mempool_resume(struct machine *m)
{
    for (uint32_t id = mempools_first(m); id; id = mempools_next(m, id)) {
        const struct mempool *p = mempool_r(m, id);
        if (p->nr_waiters && p->woken && !p->users) {
            slab_root_w(m)->nesting++;
            retry_waiters(m, p);
            slab_root_w(m)->nesting--;
        }
    }
}

/* ---- mempool_free and mempool_resize ---- */

static enum bad_reason element_is_bad(struct machine *m, const struct mempool *p,
                                      uint64_t element)
{
    if (!mempool_element_is_live(m, p, element)) {
        return BAD_ELEMENT;
    }
    return mempool_reserve_is_there(m, p) && mempool_has_in_reserve(m, p, element)
               ? BAD_ELEMENT_TWICE
               : BAD_NONE;
}

static void mempool_free(struct machine *m, const struct mempool *p, uint64_t element)
{
    fn_enter(&m->probe, FN_mempool_free, element, p->id);
    const enum bad_reason why =
        element == MEMPOOL_NONE ? BAD_NONE : element_is_bad(m, p, element);
    if (why) {
        mempool_report(m, why, p, element);
    } else if (element != MEMPOOL_NONE && !mempool_lock_fails(m, p)) {
        if (p->curr_nr < p->min_nr && mempool_array_is_live(m, p)) {
            const uint32_t flags = mempool_lock(m, p);
            add_element(m, p, element);
            mempool_w(m, p)->refilled++;
            mempool_unlock(m, p, flags);
            if (p->nr_waiters) { /* mempool_do sees to it that they run */
                mempool_w(m, p)->woken = 1;
                probe(&m->probe, EV_MEMPOOL_WAKE, p->id, p->nr_waiters);
            }
        } else {
            allocator_free(m, p, element);
        }
    }
    fn_leave(&m->probe);
}

static void shrink_to(struct machine *m, const struct mempool *p, uint32_t min_nr)
{
    uint32_t flags = mempool_lock(m, p);
    while (min_nr < p->curr_nr && mempool_reserve_is_there(m, p)) {
        const uint64_t element = remove_element(m, p);
        mempool_unlock(m, p, flags);
        if (element != MEMPOOL_NONE) {
            allocator_free(m, p, element);
        }
        flags = mempool_lock(m, p);
    }
    mempool_w(m, p)->min_nr = min_nr;
    mempool_unlock(m, p, flags);
}

/* False: no memory for a larger array. */
static bool grow_to(struct machine *m, const struct mempool *p, uint32_t min_nr)
{
    const uint32_t word = slab_word(&m->config);
    const uint64_t larger = kmalloc(m, (uint64_t)min_nr * word, (gfp_t)GFP_KERNEL);
    if (!larger) {
        return false;
    }
    uint32_t flags = mempool_lock(m, p);
    const uint64_t old = p->elements;
    const uint32_t nr = mempool_reserve_is_there(m, p) ? p->curr_nr : 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < nr; i++) {
        unsigned char bytes[8];
        if (!mempool_element_is_live(m, p, mempool_element(m, p, i))) {
            /* or the allocator could give it out for the new places, and it would be in
               the reserve twice */
            mempool_report(m, BAD_ELEMENT_GONE, p, mempool_element(m, p, i));
            continue;
        }
        slab_read(m, old + (uint64_t)i * word, bytes, word);
        slab_write(m, larger + (uint64_t)kept++ * word, bytes, word);
    }
    kfree(m, old);
    struct mempool *w = mempool_w(m, p);
    w->elements = larger;
    w->curr_nr = kept;
    w->min_nr = min_nr;
    mempool_unlock(m, p, flags);
    while (p->curr_nr < p->min_nr) {
        const uint64_t element = allocator_alloc(m, p, (gfp_t)GFP_KERNEL);
        if (element == MEMPOOL_NONE) {
            break; /* mempool_free fills the rest */
        }
        if (p->curr_nr >= p->min_nr) { /* raced: an interrupt's mempool_free was first */
            allocator_free(m, p, element);
            break;
        }
        flags = mempool_lock(m, p);
        add_element(m, p, element);
        mempool_unlock(m, p, flags);
    }
    return true;
}

static uint64_t mempool_resize(struct machine *m, const struct mempool *p,
                               uint64_t min_nr)
{
    enum { EINVAL_ = 22, ENOMEM_ = 12 };
    uint64_t result = 0;
    fn_enter(&m->probe, FN_mempool_resize, p->id, min_nr);
    if (min_nr == 0 || min_nr > INT32_MAX) {
        mempool_report(m, BAD_POOL_SIZE, p, MEMPOOL_NONE); /* BUG_ON(new_min_nr <= 0) */
        result = (uint64_t)-EINVAL_;
    } else if (mempool_lock_fails(m, p)) {
        result = (uint64_t)-EINVAL_;
    } else {
        might_sleep(m);
        const uint32_t before = p->min_nr;
        if (min_nr <= before) {
            shrink_to(m, p, (uint32_t)min_nr);
        } else {
            result = grow_to(m, p, (uint32_t)min_nr) ? 0 : (uint64_t)-ENOMEM_;
        }
        probe(&m->probe, EV_MEMPOOL_RESIZE, p->id, before, p->min_nr, p->curr_nr);
    }
    fn_leave(&m->probe);
    return result;
}

/* ---- operations ---- */

static uint64_t create_op(struct machine *m, const struct op *op)
{
    const enum mempool_kind kind =
        (enum mempool_kind)(op->kind - OP_MEMPOOL_CREATE_SLAB_POOL);
    const uint64_t min_nr = op->arg[0], data = op->arg[1];
    const enum bad_reason why =
        min_nr > INT32_MAX || (kind == MEMPOOL_KMALLOC && !data) ? BAD_POOL_SIZE
        : kind == MEMPOOL_SLAB && !cache_r(m, data)              ? BAD_NO_CACHE
        : kind == MEMPOOL_PAGES && data >= m->mm->max_order      ? BAD_NO_ORDER
        : kind == MEMPOOL_KMALLOC && data > (UINT64_C(1) << 31)  ? BAD_KMALLOC_LARGE
                                                                 : BAD_NONE;
    if (why) {
        probe(&m->probe, EV_BAD_CALL, op->kind, data, why);
        return 0;
    }
    might_sleep(m);
    return mempool_create(m, min_nr, kind, data);
}

static uint64_t timeout_op(struct machine *m, const struct mempool *p)
{
    if (vm_in_interrupt(m) || m->slab->nesting > 1) {
        mempool_report(m, BAD_IN_INTERRUPT, p, MEMPOOL_NONE); /* no task can run */
        return 0;
    }
    probe(&m->probe, EV_MEMPOOL_TIMEOUT, p->id, p->nr_waiters, IO_SCHEDULE_SECONDS);
    return retry_waiters(m, p);
}

uint64_t mempool_do(struct machine *m, const struct op *op)
{
    if (op->kind <= OP_MEMPOOL_CREATE_PAGE_POOL) {
        return create_op(m, op);
    }
    const uint64_t id = op->arg[op->kind == OP_MEMPOOL_FREE];
    const struct mempool *p = mempool_r(m, id);
    if (!p) {
        probe(&m->probe, EV_BAD_CALL, op->kind, id, BAD_NO_POOL);
        return op->kind == OP_MEMPOOL_ALLOC ? MEMPOOL_NONE : 0;
    }
    if (op->kind == OP_MEMPOOL_DESTROY) {
        mempool_destroy(m, p);
        return 0;
    }
    uint64_t result = 0;
    mempool_w(m, p)->users++;
    switch (op->kind) {
    case OP_MEMPOOL_ALLOC:
        result = mempool_alloc(m, p, (gfp_t)op->arg[1]);
        break;
    case OP_MEMPOOL_FREE:
        mempool_free(m, p, op->arg[0]);
        break;
    case OP_MEMPOOL_RESIZE:
        result = mempool_resize(m, p, op->arg[1]);
        break;
    default:
        result = timeout_op(m, p);
    }
    mempool_w(m, p)->users--;
    if (p->woken && p->nr_waiters) { /* those who slept already */
        vm_w(m)->pending |= WORK_MEMPOOL;
    }
    return result;
}
