/* Random travel in a timeline, with the digest of every position known beforehand: what
 * test_timeline.c and test_travel_random.c share.
 *
 * Every operation's digests (before it and at each of its events) are learned once, right
 * after it was done. From then on, however a position is reached, its digest must be the
 * one that was learned. It is over 800 lines because what is learned, what is done at
 * random and what is then compared know the same few arrays.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_TRAVEL_H
#define TESTS_TRAVEL_H

#include "inspect.h"
#include "prng.h"
#include "slab_view.h"
#include "slub_debug.h"
#include "tap.h"
#include "timeline.h"

enum { TRAVEL_PAGES = 256, TRAVEL_OBJECTS = 256, TRAVEL_CACHES = 8, TRAVEL_AREAS = 8 };

/* Where machines get their memory. A huge one needs a host that does not touch it:
 * calloc() does, when the tests set MALLOC_PERTURB_. */
static const struct arena_host *travel_host;

struct op_digests {
    uint64_t nr_events;
    uint64_t *at; /* nr_events + 1 */
};

struct branch_digests {
    uint64_t fork_op, nr, room;
    uint32_t parent;
    struct op_digests *ops; /* from fork_op on */
};

struct traveller {
    struct timeline *t;
    bool big; /* a look at the whole arena takes too long to take it after each step */
    bool thorough; /* take it wherever travel comes, not only at some places on the way */
    uint32_t places;
    struct prng rand;
    struct machine_config config;
    struct branch_digests *branches;
    uint32_t nr_branches;
    struct {
        uint64_t pfn;
        uint32_t order;
    } pages[TRAVEL_PAGES];
    uint32_t nr_pages;
    struct {
        uint64_t va, cache; /* cache 0: kmalloc's */
    } objects[TRAVEL_OBJECTS];
    uint32_t nr_objects;
    struct {
        uint64_t element, pool;
    } elements[TRAVEL_OBJECTS];
    uint32_t nr_elements;
    uint64_t pools[TRAVEL_CACHES];
    uint32_t nr_pools;
    uint64_t caches[TRAVEL_CACHES];
    uint32_t nr_caches;
    uint64_t areas[TRAVEL_AREAS]; /* of ioremap */
    uint32_t nr_areas;
    uint32_t hooked; /* operations that the live hook did */
    bool hook_busy;
    char problem[300];
};

static inline bool travel_fail(struct traveller *tr, const char *what, struct position at)
{
    if (!tr->problem[0]) {
        snprintf(tr->problem, sizeof tr->problem,
                 "%s at branch %u, operation %" PRIu64 ", event %" PRIu64, what,
                 at.branch, at.op, at.event);
    }
    return false;
}

static inline uint64_t travel_digest(struct traveller *tr)
{
    return machine_digest(timeline_machine(tr->t));
}

/* ---- what is known ---- */

static inline uint64_t travel_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15;
    return h ^ h >> 29;
}

/* The state at an event: the arena, the event itself, the call stack. */
static inline uint64_t travel_digest_at(struct machine *m, const struct event *ev)
{
    uint64_t h = machine_digest(m);
    const uint64_t words[] = {ev->kind,  ev->cpu, ev->ctx,
                              ev->depth, ev->n,   m->probe.depth};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        h = travel_mix(h, words[i]);
    }
    for (size_t i = 0; i < PROBE_ARGS; i++) {
        h = travel_mix(h, ev->arg[i]);
    }
    for (uint32_t i = 0; i < ev->depth && i < PROBE_STACK; i++) {
        const struct probe_frame *f = &m->probe.stack[i];
        h = travel_mix(travel_mix(h, f->fn), f->event_entered);
        for (size_t k = 0; k < PROBE_FRAME_ARGS; k++) {
            h = travel_mix(h, f->arg[k]);
        }
    }
    return h;
}

static inline uint64_t travel_digest_here(struct traveller *tr)
{
    struct event ev;
    return timeline_current_event(tr->t, &ev)
               ? travel_digest_at(timeline_machine(tr->t), &ev)
               : travel_digest(tr);
}

static inline struct op_digests *travel_known(struct traveller *tr, uint32_t branch,
                                              uint64_t op)
{
    while (branch && op < tr->branches[branch].fork_op) {
        branch = tr->branches[branch].parent;
    }
    struct branch_digests *b = &tr->branches[branch];
    return op - b->fork_op < b->nr ? &b->ops[op - b->fork_op] : NULL;
}

struct learning {
    struct op_digests *to;
    uint64_t n;
    bool straight;
};

static inline void travel_learn_event(void *ctx, struct machine *m,
                                      const struct event *ev)
{
    struct learning *l = ctx;
    l->straight = l->straight && ev->n == l->n + 1 && l->n < l->to->nr_events;
    l->n++;
    if (l->straight) {
        l->to->at[l->n] = travel_digest_at(m, ev);
    }
}

static inline void travel_know_branches(struct traveller *tr)
{
    while (tr->nr_branches < timeline_nr_branches(tr->t)) {
        const struct branch_info info = timeline_branch(tr->t, tr->nr_branches);
        tr->branches =
            realloc(tr->branches, (tr->nr_branches + 1) * sizeof *tr->branches);
        tr->branches[tr->nr_branches++] =
            (struct branch_digests){.fork_op = info.fork_op, .parent = info.parent};
    }
}

/* Learn the last operations of branch, from op on. The position does not move, nor does
 * the state. */
static inline void travel_learn(struct traveller *tr, uint32_t branch, uint64_t op)
{
    travel_know_branches(tr);
    struct branch_digests *b = &tr->branches[branch];
    for (uint64_t i = op - b->fork_op; i < b->nr; i++) {
        free(b->ops[i].at);
    }
    b->nr = op - b->fork_op;
    for (; op < timeline_nr_ops(tr->t, branch); op++) {
        struct op_record r;
        if (!timeline_op(tr->t, branch, op, &r)) {
            travel_fail(tr, "no record", (struct position){branch, op, 0});
            return;
        }
        if (b->nr == b->room) {
            b->room = b->room ? b->room * 2 : 64;
            b->ops = realloc(b->ops, b->room * sizeof *b->ops);
        }
        struct op_digests *d = &b->ops[b->nr++];
        d->nr_events = r.nr_events;
        d->at = calloc(r.nr_events + 1, sizeof *d->at);
        const uint64_t before = travel_digest(tr);
        struct learning l = {d, 0, true};
        timeline_events(tr->t, branch, op, travel_learn_event, &l);
        if (!l.straight || l.n != r.nr_events) {
            travel_fail(tr, "timeline_events and nr_events disagree",
                        (struct position){branch, op, l.n});
        }
        if (travel_digest(tr) != before) {
            travel_fail(tr, "timeline_events changed the state",
                        timeline_position(tr->t));
        }
    }
}

/* A look at each byte of the arena: after each operation that is new, and at every
 * sixteenth place that travel comes to, where it takes most of the time. What is written
 * without a mark is seen then, too: going back puts marked chunks right only. */
static inline bool travel_looks(struct traveller *tr)
{
    return !tr->big && (tr->thorough || tr->places++ % 16 == 0);
}

/* Is the machine what it was when this position was learned? */
static inline bool travel_check(struct traveller *tr)
{
    const struct position at = timeline_position(tr->t);
    const uint64_t digest = travel_digest_here(tr);
    struct op_digests *d = travel_known(tr, at.branch, at.op);
    if (d && at.event > d->nr_events) {
        return travel_fail(tr, "event past the operation's end", at);
    }
    if (d && at.event == 0 && !d->at[0]) {
        d->at[0] = digest; /* the first visit of a boundary */
    }
    if (d && d->at[at.event] != digest) {
        return travel_fail(tr, "another digest", at);
    }
    const char *broken = timeline_check(tr->t);
    if (!broken && travel_looks(tr)) {
        broken = arena_check(&timeline_machine(tr->t)->arena);
    }
    if (!broken && !at.event && !tr->big) {
        broken = machine_check(timeline_machine(tr->t));
    }
    return broken ? travel_fail(tr, broken, at) : true;
}

/* ---- random operations ---- */

/* Processes, areas, accesses through the hardware, flushes, devices. */
static inline struct op travel_hardware_op(struct traveller *tr)
{
    static const uint16_t kinds[] = {
        OP_LOAD,         OP_STORE,      OP_STORE,     OP_LOAD,     OP_FETCH,
        OP_MM_CREATE,    OP_MM_EXIT,    OP_MMAP,      OP_MMAP,     OP_MUNMAP,
        OP_MPROTECT,     OP_SWITCH_MM,  OP_SWITCH_MM, OP_MAP_PAGE, OP_UNMAP_PAGE,
        OP_INVLPG,       OP_CACHE_LINE, OP_CACHE_ALL, OP_DMA_READ, OP_DMA_WRITE,
        OP_FLUSH_TLB_ALL};
    struct prng *r = &tr->rand;
    struct op op = {.kind = kinds[prng_below(r, sizeof kinds / sizeof kinds[0])],
                    .cpu = (uint8_t)prng_below(r, tr->config.cpus),
                    .origin = ORIGIN_SCRIPT};
    const uint64_t mm = prng_below(r, 3), page = 0x20000000 + (prng_below(r, 6) << 12);
    switch (op.kind) {
    case OP_LOAD:
    case OP_STORE:
        op.arg[0] = page + prng_below(r, 4096);
        op.arg[1] = 1 + prng_below(r, 8);
        op.arg[2] = op.kind == OP_LOAD ? prng_below(r, 3) : prng_next(r);
        op.arg[3] = op.kind == OP_STORE ? prng_below(r, 3) : 0;
        break;
    case OP_CACHE_ALL:
        op.arg[0] = 1 + 2 * prng_below(r, 2);
        op.arg[1] = 1 + prng_below(r, 7);
        break;
    case OP_DMA_READ:
    case OP_DMA_WRITE:
        op.arg[0] = (uint64_t)0x180 << 12 | (prng_below(r, 16) << 3);
        op.arg[1] = 8;
        break;
    case OP_FETCH:
    case OP_INVLPG:
    case OP_CACHE_LINE:
        op.arg[0] = page;
        op.arg[1] = op.kind == OP_FETCH ? 1 : 3;
        op.arg[2] = op.kind == OP_FETCH ? 4 : 7;
        break;
    default: /* of an address space */
        op.arg[0] = mm;
        op.arg[1] = page;
        op.arg[2] = op.kind == OP_MAP_PAGE ? 0x100 + prng_below(r, 8) : 4096;
        op.arg[3] = 3;
    }
    return op;
}

/* May a byte of this object be damaged? Where SLUB looks after it. */
static inline bool travel_may_damage(struct traveller *tr, uint64_t va)
{
    const struct machine *m = timeline_machine(tr->t);
    const struct object_view v = object_view(m, va);
    return v.state == OBJECT_IN_USE && v.va == va && m->config.slub &&
           slub_debugs(cache_r(m, v.cache));
}

/* Operations on objects, most of them on what there is (if travel has not undone it). */
static inline void travel_object_op(struct traveller *tr, struct op *op)
{
    struct prng *r = &tr->rand;
    static const uint16_t others[] = {
        OP_CACHE_REAP,         OP_KMEM_CACHE_SHRINK,     OP_KMEM_CACHE_DESTROY,
        OP_TUNE_CPUCACHE,      OP_KMEM_CACHE_ALLOC_BULK, OP_KMEM_CACHE_INIT,
        OP_VALIDATE_SLAB_CACHE};
    static const uint32_t debug[] = {0, 0, SLAB_CONSISTENCY_CHECKS,
                                     SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE |
                                         SLAB_POISON | SLAB_STORE_USER};
    const uint64_t what = prng_below(r, 100);
    const uint64_t cache = tr->nr_caches ? tr->caches[prng_below(r, tr->nr_caches)] : 0;
    if (what < 45 && tr->nr_objects) {
        const uint64_t i = prng_below(r, tr->nr_objects);
        *op = (struct op){.kind = OP_KMEM_CACHE_FREE,
                          .cpu = op->cpu,
                          .arg = {tr->objects[i].cache, tr->objects[i].va}};
        if (!tr->objects[i].cache) {
            op->kind = OP_KFREE;
            op->arg[0] = tr->objects[i].va;
        }
        tr->objects[i] = tr->objects[--tr->nr_objects];
    } else if (what < 75 && cache) {
        op->kind = OP_KMEM_CACHE_ALLOC;
        op->arg[0] = cache;
        op->arg[1] = prng_one_in(r, 3) ? GFP_ATOMIC : GFP_KERNEL;
    } else if (what < 85) {
        op->kind = prng_one_in(r, 4) ? OP_KZALLOC : OP_KMALLOC;
        op->arg[0] = prng_below(r, prng_one_in(r, 8) ? 40000 : 600);
        op->arg[1] = prng_one_in(r, 3) ? GFP_ATOMIC : GFP_KERNEL;
    } else if (what < 92) {
        op->kind = OP_KMEM_CACHE_CREATE;
        op->arg[0] = timeline_intern(tr->t, prng_one_in(r, 2) ? "a cache" : "another");
        op->arg[1] = 1 + prng_below(r, 3000);
        op->arg[3] = debug[prng_below(r, 4)];
    } else if (what < 94 && tr->nr_objects &&
               travel_may_damage(tr, tr->objects[tr->nr_objects - 1].va)) {
        op->kind = OP_STORE;
        op->arg[0] = tr->objects[tr->nr_objects - 1].va + prng_below(r, 8);
        op->arg[1] = 1;
        op->arg[2] = prng_below(r, 256);
    } else {
        op->kind = others[prng_below(r, sizeof others / sizeof others[0])];
        op->arg[0] = cache;
        op->arg[1] = op->kind == OP_TUNE_CPUCACHE ? 1 + prng_below(r, 50) : GFP_KERNEL;
        op->arg[2] = 1 + prng_below(r, 20);
    }
}

/* Operations on memory pools, and requests that fail on purpose. */
static inline void travel_pool_op(struct traveller *tr, struct op *op)
{
    struct prng *r = &tr->rand;
    const uint64_t what = prng_below(r, 100);
    const uint64_t i = tr->nr_pools ? prng_below(r, tr->nr_pools) : 0;
    const uint64_t pool = tr->nr_pools ? tr->pools[i] : 0;
    if (what < 35 && pool) {
        op->kind = OP_MEMPOOL_ALLOC;
        op->arg[0] = pool;
        op->arg[1] = prng_one_in(r, 2) ? GFP_ATOMIC : GFP_NOIO;
    } else if (what < 60 && tr->nr_elements) {
        const uint64_t e = prng_below(r, tr->nr_elements);
        op->kind = OP_MEMPOOL_FREE;
        op->arg[0] = tr->elements[e].element;
        op->arg[1] = tr->elements[e].pool;
        tr->elements[e] = tr->elements[--tr->nr_elements];
    } else if (what < 75 || !pool) {
        op->kind = (uint16_t)(OP_MEMPOOL_CREATE_SLAB_POOL + prng_below(r, 3));
        op->arg[0] = 1 + prng_below(r, 12);
        op->arg[1] = op->kind == OP_MEMPOOL_CREATE_SLAB_POOL
                         ? (tr->nr_caches ? tr->caches[prng_below(r, tr->nr_caches)] : 0)
                     : op->kind == OP_MEMPOOL_CREATE_KMALLOC_POOL
                         ? 1 + prng_below(r, 3000)
                         : prng_below(r, 2);
    } else if (what < 90) {
        op->kind = prng_one_in(r, 3) ? OP_IO_SCHEDULE_TIMEOUT : OP_MEMPOOL_RESIZE;
        op->arg[0] = pool;
        op->arg[1] = prng_below(r, 20);
    } else if (what < 94) {
        op->kind = OP_MEMPOOL_DESTROY;
        op->arg[0] = pool;
    } else if (what < 96) {
        op->kind = OP_FAIL_NTH;
        op->arg[0] = prng_below(r, 8);
    } else { /* mostly off again */
        op->kind = OP_FAULT_ATTR;
        op->arg[0] = prng_below(r, 2);
        op->arg[1] = prng_one_in(r, 2) ? 0 : prng_below(r, 7);
        op->arg[2] = op->arg[1] || prng_one_in(r, 3) ? prng_below(r, 40) : 0;
    }
}

static inline void travel_keep_object(struct traveller *tr, const struct op *op,
                                      uint64_t result)
{
    if (op->kind == OP_MEMPOOL_ALLOC && result != PFN_NONE && result &&
        tr->nr_elements < TRAVEL_OBJECTS) {
        tr->elements[tr->nr_elements].pool = op->arg[0];
        tr->elements[tr->nr_elements++].element = result;
    } else if (op->kind >= OP_MEMPOOL_CREATE_SLAB_POOL &&
               op->kind <= OP_MEMPOOL_CREATE_PAGE_POOL && result &&
               tr->nr_pools < TRAVEL_CACHES) {
        tr->pools[tr->nr_pools++] = result;
    }
    if (op->kind == OP_KMEM_CACHE_CREATE && result && tr->nr_caches < TRAVEL_CACHES) {
        tr->caches[tr->nr_caches++] = result;
    } else if ((op->kind == OP_KMEM_CACHE_ALLOC || op->kind == OP_KMALLOC) && result &&
               tr->nr_objects < TRAVEL_OBJECTS) {
        tr->objects[tr->nr_objects].cache = op->kind == OP_KMALLOC ? 0 : op->arg[0];
        tr->objects[tr->nr_objects++].va = result;
    }
}

/* Areas of the kernel's, in small pages and large ones. */
static inline void travel_area_op(struct traveller *tr, struct op *op)
{
    static const uint64_t sizes[] = {1, 4096, 2 << 20, 2 << 20, (4 << 20) + 1};
    struct prng *r = &tr->rand;
    if (tr->nr_areas && (prng_one_in(r, 3) || tr->nr_areas == TRAVEL_AREAS)) {
        const uint64_t i = prng_below(r, tr->nr_areas);
        op->kind = OP_IOUNMAP;
        op->arg[0] = tr->areas[i];
        tr->areas[i] = tr->areas[--tr->nr_areas];
    } else if (prng_one_in(r, 6)) {
        op->kind = OP_VM_UNMAP_ALIASES;
    } else if (prng_one_in(r, 20)) {
        op->kind = OP_VMALLOC_HUGE;
        op->arg[0] = 2 << 20;
    } else {
        op->kind = OP_IOREMAP;
        op->arg[0] = 0xe0000000 + (prng_below(r, 4) << 21);
        op->arg[1] = sizes[prng_below(r, sizeof sizes / sizeof sizes[0])];
    }
}

static inline struct op travel_random_op(struct traveller *tr)
{
    if (prng_one_in(&tr->rand, 5)) {
        return travel_hardware_op(tr);
    }
    static const uint32_t gfps[] = {
        GFP_KERNEL, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE,          GFP_USER,
        GFP_DMA,    GFP_NOWAIT, __GFP_RECLAIMABLE | GFP_KERNEL};
    static const uint16_t others[] = {OP_DRAIN_LOCAL_PAGES,
                                      OP_DRAIN_ALL_PAGES,
                                      OP_VMSTAT_UPDATE,
                                      OP_MEMALLOC,
                                      OP_SOFTIRQ_ENTER,
                                      OP_SOFTIRQ_LEAVE,
                                      OP_PREEMPT_DISABLE,
                                      OP_PREEMPT_ENABLE,
                                      OP_LOCAL_IRQ_DISABLE,
                                      OP_LOCAL_IRQ_ENABLE,
                                      OP_IRQ_ENTER,
                                      OP_IRQ_LEAVE,
                                      OP_SPIN_LOCK,
                                      OP_SPIN_UNLOCK,
                                      OP_LOCAL_IRQ_ENABLE,
                                      OP_VMALLOC,
                                      OP_KMAP,
                                      OP_KMAP_ATOMIC,
                                      OP_SET_FIXMAP,
                                      OP_CLEAR_FIXMAP,
                                      OP_EARLY_IOREMAP,
                                      OP_FORGET_FLUSH,
                                      OP_BLK_QUEUE_BOUNCE,
                                      OP_VM_UNMAP_ALIASES,
                                      OP_DMA_ALLOC_COHERENT};
    struct prng *r = &tr->rand;
    struct op op = {.cpu = (uint8_t)prng_below(r, tr->config.cpus),
                    .origin = ORIGIN_SCRIPT};
    if (prng_one_in(r, 60)) {
        op.cpu = 77; /* that is not there */
    }
    if (prng_one_in(r, 4)) {
        prng_one_in(r, 4) ? travel_pool_op(tr, &op) : travel_object_op(tr, &op);
        return op;
    }
    if (prng_one_in(r, 25)) {
        travel_area_op(tr, &op);
        return op;
    }
    uint64_t what = prng_below(r, 100);
    if (what < 45 || (what < 80 && !tr->nr_pages)) {
        op.kind = OP_ALLOC_PAGES;
        op.arg[0] = gfps[prng_below(r, sizeof gfps / sizeof gfps[0])];
        op.arg[1] = prng_one_in(r, 2) ? 0 : prng_below(r, tr->config.max_order);
    } else if (what < 80) {
        uint64_t i = prng_below(r, tr->nr_pages);
        op.kind = OP_FREE_PAGES;
        op.arg[0] = tr->pages[i].pfn;
        op.arg[1] = tr->pages[i].order;
        tr->pages[i] = tr->pages[--tr->nr_pages];
    } else if (what < 84) {
        op.kind = OP_NOTE;
        op.arg[1] = timeline_intern(tr->t, prng_one_in(r, 2) ? "a note" : "another");
    } else if (what < 86) {
        op.kind = OP_ALLOC_PAGES_BULK;
        op.arg[0] = GFP_KERNEL;
        op.arg[1] = prng_below(r, 40);
    } else if (what < 87) {
        op.kind = OP_SET_MIN_FREE_KBYTES;
        op.arg[0] = 64 + prng_below(r, 4000);
    } else if (what < 89) { /* nonsense: wild, wide */
        op.kind = prng_one_in(r, 2) ? OP_FREE_PAGES : OP_LRU_ADD;
        op.arg[0] = prng_next(r) >> prng_below(r, 60);
        op.arg[1] = prng_one_in(r, 4) ? prng_next(r) : prng_below(r, 4);
    } else {
        op.kind = others[prng_below(r, sizeof others / sizeof others[0])];
        op.arg[0] = prng_below(r, 2);
    }
    return op;
}

static inline void travel_keep(struct traveller *tr, const struct op *op, uint64_t result)
{
    if (op->kind == OP_ALLOC_PAGES && result != PFN_NONE && tr->nr_pages < TRAVEL_PAGES) {
        tr->pages[tr->nr_pages].pfn = result;
        tr->pages[tr->nr_pages++].order = (uint32_t)op->arg[1];
    } else if (op->kind == OP_IOREMAP && result && tr->nr_areas < TRAVEL_AREAS) {
        tr->areas[tr->nr_areas++] = result;
    }
    travel_keep_object(tr, op, result);
}

/* Do op, and know what it did. */
static inline void travel_do(struct traveller *tr, const struct op *op)
{
    const struct position before = timeline_position(tr->t);
    const uint64_t first = before.op + (before.event != 0);
    if (!before.event) {
        travel_check(tr);
    }
    const uint64_t digest = travel_digest(tr);
    travel_keep(tr, op, timeline_do(tr->t, op));
    const struct position now = timeline_position(tr->t);
    if (now.op <= first || now.event) {
        travel_fail(tr, "an operation does not move the position behind it", now);
    }
    travel_learn(tr, now.branch, first);
    struct op_digests *d = travel_known(tr, now.branch, first);
    if (d && !before.event) {
        d->at[0] = digest;
    }
    tr->places = 0;
    travel_check(tr);
}

/* Let an interrupt come here, and know what it did. */
static inline void travel_interrupt(struct traveller *tr)
{
    struct op ops[3];
    const uint64_t nr = prng_below(&tr->rand, 4);
    char err[200] = "";
    for (uint64_t i = 0; i < nr; i++) {
        ops[i] = travel_random_op(tr);
        if (prng_one_in(&tr->rand, 3)) {
            ops[i] = (struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_ATOMIC}};
        }
        ops[i].origin = ORIGIN_USER;
    }
    const uint64_t from = timeline_position(tr->t).op;
    struct op_record here;
    const bool inside = timeline_op(tr->t, timeline_position(tr->t).branch, from, &here);
    if ((inside && here.op.cpu >= tr->config.cpus) ||
        (!inside && nr && ops[0].cpu >= tr->config.cpus)) {
        return; /* no such CPU, so nothing to interrupt */
    }
    if (!timeline_position(tr->t).event && nr && ops[0].cpu >= tr->config.cpus) {
        return; /* between operations it is the handler's */
    }
    if (!timeline_interrupt(tr->t, ops, nr, err, sizeof err)) {
        travel_fail(tr, err, timeline_position(tr->t));
        return;
    }
    travel_learn(tr, timeline_position(tr->t).branch, from);
    tr->places = 0;
    travel_check(tr);
}

/* ---- random travel ---- */

static inline struct position travel_random_position(struct traveller *tr)
{
    struct position at = {.branch = (uint32_t)prng_below(&tr->rand, tr->nr_branches)};
    at.op = prng_below(&tr->rand, timeline_nr_ops(tr->t, at.branch) + 2);
    struct op_digests *d = travel_known(tr, at.branch, at.op);
    at.event =
        d && prng_one_in(&tr->rand, 2) ? prng_below(&tr->rand, d->nr_events + 2) : 0;
    return at;
}

static inline void travel_jump(struct traveller *tr)
{
    const struct position to = travel_random_position(tr);
    timeline_seek(tr->t, to);
    const struct position at = timeline_position(tr->t);
    if (at.branch != to.branch || at.op > to.op || at.event > to.event) {
        travel_fail(tr, "a jump went elsewhere", at);
    }
    travel_check(tr);
}

static inline void travel_steps(struct traveller *tr)
{
    const int direction = prng_one_in(&tr->rand, 2) ? 1 : -1;
    for (uint64_t i = prng_below(&tr->rand, 20); i; i--) {
        const struct position from = timeline_position(tr->t);
        const uint64_t n = timeline_event_number(tr->t, from);
        const bool moved = timeline_step_event(tr->t, direction);
        const struct position at = timeline_position(tr->t);
        const uint64_t want = at.op == from.op ? n + (uint64_t)direction : n;
        if (!moved) {
            const bool end =
                direction > 0
                    ? from.op == timeline_nr_ops(tr->t, from.branch) && !from.event
                    : from.op == timeline_first_op(tr->t) && !from.event;
            if (!end) {
                travel_fail(tr, "a step does not move", at);
            }
            break;
        }
        if (timeline_event_number(tr->t, at) != want) {
            travel_fail(tr, "a step is not one event", at);
        }
        travel_check(tr);
    }
}

/* The live hook: now and then an allocation or an interrupt, nested. */
static inline void travel_hook(void *ctx, struct machine *m, const struct event *ev)
{
    struct traveller *tr = ctx;
    if (tr->hook_busy || !prng_one_in(&tr->rand, 12) ||
        !machine_irq_deliverable(m, ev->cpu)) {
        return;
    }
    tr->hook_busy = true;
    const uint16_t kinds[] = {OP_IRQ_ENTER, OP_ALLOC_PAGES, OP_IRQ_LEAVE};
    for (int i = 0; i < 3; i++) {
        const struct op op = {.kind = kinds[i], .cpu = ev->cpu, .arg = {GFP_ATOMIC}};
        timeline_do_nested(tr->t, &op);
        tr->hooked++;
    }
    tr->hook_busy = false;
}

/* One random thing; false: something was wrong. */
static inline bool travel_something(struct traveller *tr)
{
    const uint64_t what = prng_below(&tr->rand, 100);
    if (what < 60 && !timeline_position(tr->t).event &&
        timeline_position(tr->t).op ==
            timeline_nr_ops(tr->t, timeline_position(tr->t).branch)) {
        const struct op op = travel_random_op(tr);
        travel_do(tr, &op);
    } else if (what < 62 && tr->nr_branches < 12) {
        const struct op op = travel_random_op(tr);
        travel_do(tr, &op);
    } else if (what < 68 && tr->nr_branches < 12) {
        travel_interrupt(tr);
    } else if (what < 75) {
        travel_jump(tr);
    } else if (what < 90) {
        travel_steps(tr);
    } else {
        const uint32_t branch = (uint32_t)prng_below(&tr->rand, tr->nr_branches);
        timeline_seek(tr->t, (struct position){branch, UINT64_MAX, 0});
        travel_check(tr);
    }
    return !tr->problem[0];
}

/* Each branch from its beginning to its end in steps of some size, and back. */
static inline bool travel_all(struct traveller *tr, uint64_t events_a_step)
{
    for (uint32_t branch = 0; branch < tr->nr_branches && !tr->problem[0]; branch++) {
        timeline_seek(tr->t, (struct position){branch, 0, 0});
        for (int direction = 1; direction >= -1; direction -= 2) {
            for (uint64_t i = 0; timeline_step_event(tr->t, direction) && !tr->problem[0];
                 i++) {
                if (i % events_a_step == 0) {
                    travel_check(tr);
                }
            }
        }
    }
    return !tr->problem[0];
}

/* Machines of all sizes: a few frames and three orders, ordinary ones, one that hardly
 * any host could hold. */
static const char *const travel_machines[] = {"tiny SLUB",
                                              "i386 32M",
                                              "x86_64 64M",
                                              "i386 1G cold",
                                              "x86_64 1T",
                                              "i386 32M accesses",
                                              "x86_64 64M SLUB accesses"};
enum { TRAVEL_SMALL_MACHINES = 3, TRAVEL_TOUCHING = 5, TRAVEL_MACHINES = 7 };

static inline struct machine_config travel_machine(uint32_t i)
{
    struct machine_config c;
    const bool touching = i >= TRAVEL_TOUCHING;
    i = touching ? i - TRAVEL_TOUCHING + 1 : i;
    config_init(&c, i == 2 || i == 4 ? ARCH_X86_64 : ARCH_I386);
    c.cpus = 2;
    c.nr_cpus = c.nr_cpus < 2 ? 2 : c.nr_cpus;
    if (i == 0) {
        c.kernel_start = c.kernel_end = 1; /* bare */
        c.max_order = 3;
        c.nr_memmap = 1;
        c.memmap[0] =
            (struct memmap_entry){1 << 20, (1 << 20) + 40 * PAGE_SIZE, MEMMAP_USABLE};
        c.slub = true;
    } else {
        c.ram_bytes = i == 4   ? (uint64_t)1 << 40
                      : i == 3 ? (uint64_t)1 << 30
                               : (uint64_t)32 << 20 << (i - 1);
        c.pcp_cold = i == 3;
        c.slub = i == 4 || (i == 2 && touching);
        c.kernel_accesses = touching; /* touch.h */
    }
    return c;
}

static inline void travel_begin(struct traveller *tr, const struct machine_config *c,
                                size_t history_bytes, uint64_t seed)
{
    char err[300];
    memset(tr, 0, sizeof *tr);
    tr->rand.state = seed * 0x9e3779b97f4a7c15 | 1;
    tr->config = *c;
    tr->big = c->ram_bytes > (uint64_t)1 << 36;
    tr->t = timeline_create(c, travel_host, &(struct timeline_options){history_bytes},
                            err, sizeof err);
    if (!tr->t) {
        bail_out("no machine: %s", err);
    }
    travel_know_branches(tr);
}

static inline void travel_end(struct traveller *tr)
{
    timeline_destroy(tr->t);
    for (uint32_t i = 0; i < tr->nr_branches; i++) {
        for (uint64_t k = 0; k < tr->branches[i].nr; k++) {
            free(tr->branches[i].ops[k].at);
        }
        free(tr->branches[i].ops);
    }
    free(tr->branches);
}

/* ---- the same branch on a bare machine, without a timeline ---- */

struct bare_run {
    const struct timeline *t;
    uint32_t branch;
    uint64_t op;
    uint32_t next; /* nested operation */
};

static inline void bare_event(struct probe *p, const struct event *ev)
{
    struct bare_run *b = p->slow_ctx;
    struct machine *m =
        (struct machine *)(void *)((char *)p - offsetof(struct machine, probe));
    struct injected in;
    uint32_t first = b->next;
    while (timeline_injected(b->t, b->branch, b->op, b->next, &in) && in.event == ev->n) {
        b->next++;
    }
    const uint32_t end = b->next;
    for (; first < end; first++) {
        timeline_injected(b->t, b->branch, b->op, first, &in);
        machine_do_nested(m, &in.op);
    }
}

/* A machine of its own runs the branch's operations: same digests (I1)? */
static inline bool travel_bare(struct traveller *tr, uint32_t branch)
{
    char err[300];
    struct machine *m = machine_create(&tr->config, travel_host, err, sizeof err);
    struct bare_run b = {.t = tr->t, .branch = branch};
    struct op_record r;
    m->texts = timeline_machine(tr->t)->texts; /* the names of caches */
    m->probe.slow = bare_event;
    m->probe.slow_ctx = &b;
    for (; timeline_op(tr->t, branch, b.op, &r) && !tr->problem[0]; b.op++) {
        struct op_digests *d = travel_known(tr, branch, b.op);
        if (d && d->at[0] && d->at[0] != machine_digest(m)) {
            travel_fail(tr, "a bare machine differs", (struct position){branch, b.op, 0});
        }
        b.next = 0;
        m->probe.stop = 0;
        if (machine_do(m, &r.op) != r.result || m->probe.n != r.nr_events) {
            travel_fail(tr, "a bare machine answers differently",
                        (struct position){branch, b.op, 0});
        }
    }
    timeline_seek(tr->t, (struct position){branch, UINT64_MAX, 0});
    if (!tr->problem[0] && machine_digest(m) != travel_digest(tr)) {
        travel_fail(tr, "a bare machine ends differently", timeline_position(tr->t));
    }
    machine_destroy(m);
    return !tr->problem[0];
}

#endif
