/* Ways of an allocation, found and measured on a copy: see depth.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "depth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hardware.h"
#include "slab_view.h"
#include "vm.h"

enum { MOST_OBJECTS = 8192, MOST_PAGES = 2048, BLOCK_ORDER = 4, KMALLOC_BYTES = 200 };

static const struct depth_info infos[] = {
#define DEPTH_INFO_(id, unit, what, where) {DEPTH_##unit, what, where},
    DEPTHS(DEPTH_INFO_)
#undef DEPTH_INFO_
};

const struct depth_info *depth_info(uint32_t depth)
{
    return depth < NR_DEPTHS ? &infos[depth] : NULL;
}

/* What an operation announced: kinds of events. */
struct seen {
    uint64_t bits[(NR_EVENTS + 63) / 64];
    uint32_t events, objects, pages; /* moved between a CPU and what is behind it */
};

static bool saw(const struct seen *s, uint32_t kind)
{
    return s->bits[kind / 64] >> (kind % 64) & 1;
}

struct bench {
    struct machine *m; /* the copy */
    struct depth_table *out;
    struct seen seen;
    struct touching *own; /* where the copy's log is, if it has none in its arena */
    uint32_t cpu;
    gfp_t gfp;
    uint64_t object[MOST_OBJECTS], page[MOST_PAGES];
    struct touch lines[TOUCH_LOG]; /* to be warmed */
};

static void hook(struct probe *p, const struct event *ev)
{
    struct bench *b = p->slow_ctx;
    b->seen.bits[ev->kind / 64] |= (uint64_t)1 << (ev->kind % 64);
    b->seen.events += ev->kind >= EV_MM_PAGE_ALLOC;
    switch (ev->kind) {
    case EV_SLAB_REFILL:
        b->seen.objects += (uint32_t)ev->arg[2];
        break;
    case EV_SLAB_REFILL_SHARED:
    case EV_SLAB_FLUSH_SHARED:
    case EV_SLAB_FLUSH:
        b->seen.objects += (uint32_t)ev->arg[1];
        break;
    case EV_PCP_REFILL:
    case EV_PCP_DRAIN:
        b->seen.pages += (uint32_t)ev->arg[2];
        break;
    default:
        break;
    }
}

static uint64_t run(struct bench *b, uint16_t kind, uint64_t a0, uint64_t a1)
{
    const struct op op = {.kind = kind, .cpu = (uint8_t)b->cpu, .arg = {a0, a1}};
    memset(&b->seen, 0, sizeof b->seen);
    return machine_do(b->m, &op);
}

/* ---- which way was it? ---- */

static enum depth way_of_object(const struct seen *s)
{
    if (saw(s, EV_SLAB_GROW) || saw(s, EV_SLUB_NEW)) {
        return saw(s, EV_PCP_REFILL)                             ? DEPTH_GROW_REFILL
               : saw(s, EV_PCP_TAKE) || saw(s, EV_PCP_TAKE_COLD) ? DEPTH_GROW
                                                                 : DEPTH_GROW_BUDDY;
    }
    return saw(s, EV_SLAB_REFILL) || saw(s, EV_SLUB_NODE_PARTIAL) ? DEPTH_REFILL
           : saw(s, EV_SLAB_REFILL_SHARED)                        ? DEPTH_SHARED
           : saw(s, EV_SLUB_CPU_PARTIAL) || saw(s, EV_SLUB_TAKE)  ? DEPTH_CPU_PARTIAL
           : saw(s, EV_SLAB_ARRAY_HIT) || saw(s, EV_SLUB_HIT)     ? DEPTH_HIT
                                                                  : NR_DEPTHS;
}

static enum depth way_back_of_object(const struct seen *s)
{
    return saw(s, EV_SLAB_DESTROY) || saw(s, EV_SLUB_DISCARD)       ? DEPTH_PUT_PAGE
           : saw(s, EV_SLAB_ARRAY_FULL) || saw(s, EV_SLUB_PUT_SLOW) ? DEPTH_PUT_SLAB
           : saw(s, EV_SLAB_ARRAY_PUT) || saw(s, EV_SLUB_PUT)       ? DEPTH_PUT
                                                                    : NR_DEPTHS;
}

static enum depth way_of_page(const struct seen *s)
{
    return saw(s, EV_PCP_REFILL)                             ? DEPTH_PAGE_REFILL
           : saw(s, EV_PCP_TAKE) || saw(s, EV_PCP_TAKE_COLD) ? DEPTH_PAGE_PCP
           : saw(s, EV_BUDDY_SPLIT)                          ? DEPTH_PAGE_SPLIT
           : saw(s, EV_BUDDY_TAKE)                           ? DEPTH_PAGE_BUDDY
                                                             : NR_DEPTHS;
}

static enum depth way_back_of_page(const struct seen *s)
{
    return saw(s, EV_PCP_DRAIN)     ? DEPTH_PUT_DRAIN
           : saw(s, EV_PCP_ADD)     ? DEPTH_PUT_PCP
           : saw(s, EV_BUDDY_MERGE) ? DEPTH_PUT_MERGE
           : saw(s, EV_BUDDY_ADD)   ? DEPTH_PUT_BUDDY
                                    : NR_DEPTHS;
}

static enum depth way(uint16_t kind, const struct seen *s)
{
    return kind == OP_ALLOC_PAGES                              ? way_of_page(s)
           : kind == OP_FREE_PAGES                             ? way_back_of_page(s)
           : kind == OP_KMEM_CACHE_ALLOC || kind == OP_KMALLOC ? way_of_object(s)
                                                               : way_back_of_object(s);
}

/* ---- one operation, three times ---- */

static void restore(struct bench *b, struct snapshot *s)
{
    arena_restore(&b->m->arena, s);
    hardware_forget(b->m);
}

static void read_costs(struct bench *b, struct touch_cost *cost, uint64_t *layers)
{
    touch_cost(b->m, TOUCH_ALL_LAYERS, cost);
    for (uint32_t i = 0; i < NR_TOUCH_LAYERS; i++) {
        struct touch_cost one;
        touch_cost(b->m, 1u << i, &one);
        layers[i] = one.sum.cycles.total;
    }
}

static uint32_t units(const struct bench *b, enum depth d)
{
    const enum depth_unit unit = infos[d].unit;
    uint32_t nr =
        unit == DEPTH_PAGE || unit == DEPTH_PAGE_BACK ? b->seen.pages : b->seen.objects;
    if (unit == DEPTH_OBJECT && d != DEPTH_HIT && b->m->config.slub) {
        uint32_t numbers[512];
        nr = 1 + slub_cpu_freelist(b->m, b->out->cache, b->cpu, numbers,
                                   sizeof numbers / sizeof numbers[0]);
    }
    return nr ? nr : 1;
}

static void measure(struct bench *b, enum depth d, struct snapshot *before, uint16_t kind,
                    uint64_t a0, uint64_t a1)
{
    enum { FLUSH_ALL = 3 };
    struct depth_cost *row = &b->out->row[d];
    const struct seen first = b->seen;
    restore(b, before);
    run(b, OP_CACHE_ALL, FLUSH_ALL, OP_ALL);
    run(b, OP_FLUSH_TLB_ALL, 0, 0);
    run(b, kind, a0, a1);
    const bool same = way(kind, &b->seen) == d;
    read_costs(b, &row->cold, row->layer_cold);
    const uint32_t nr = touch_nr(b->m);
    for (uint32_t i = 0; i < nr; i++) {
        b->lines[i] = *touch_at(b->m, i);
    }
    restore(b, before);
    /* a store first: it brings the right to write the line, too */
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = nr; i-- > 0;) {
            if (pass || b->lines[i].write) {
                touch_again(b->m, b->cpu, &b->lines[i]);
            }
        }
    }
    run(b, kind, a0, a1);
    read_costs(b, &row->warm, row->layer_warm);
    row->measured = same && way(kind, &b->seen) == d;
    row->events = first.events;
    row->units = units(b, d);
}

/* Run it; if its way is new, measure it. */
static uint64_t step(struct bench *b, uint16_t kind, uint64_t a0, uint64_t a1)
{
    struct snapshot *before = arena_snapshot(&b->m->arena);
    uint64_t result = run(b, kind, a0, a1);
    b->out->operations++;
    const enum depth d = way(kind, &b->seen);
    if (before && d < NR_DEPTHS && !b->out->row[d].measured) {
        measure(b, d, before, kind, a0, a1);
        restore(b, before);
        result = run(b, kind, a0, a1);
    }
    if (before) {
        snapshot_unref(&b->m->arena, before);
    }
    return result;
}

/* ---- what is done to find the ways ---- */

static uint32_t objects_out(struct bench *b, uint32_t from, uint32_t nr)
{
    uint32_t i = from;
    while (i < from + nr && i < MOST_OBJECTS &&
           (b->object[i] = step(b, OP_KMEM_CACHE_ALLOC, b->out->cache, b->gfp)) != 0) {
        i++;
    }
    return i;
}

static void object_back(struct bench *b, uint32_t i)
{
    if (b->object[i]) {
        step(b, OP_KMEM_CACHE_FREE, b->out->cache, b->object[i]);
        b->object[i] = 0;
    }
}

/* How many objects make sure that slabs are full, and arrays and lists of pages empty. */
static uint32_t enough(const struct machine *m, uint32_t cache)
{
    struct cache_view v;
    const uint32_t most = MOST_OBJECTS / 2;
    if (!cache_view(m, cache, &v)) {
        return 0;
    }
    const uint64_t wanted =
        8 * (uint64_t)v.num + 4 * (uint64_t)v.limit + 3 * v.shared_limit;
    return wanted < most ? (uint32_t)wanted : most;
}

static bool all_ways_out(const struct bench *b)
{
    return b->out->row[DEPTH_HIT].measured &&
           ((b->out->row[DEPTH_GROW].measured &&
             b->out->row[DEPTH_GROW_REFILL].measured) ||
            b->out->row[DEPTH_GROW_BUDDY].measured);
}

static void find_object_ways(struct bench *b)
{
    const uint32_t chunk = enough(b->m, b->out->cache);
    uint32_t nr = objects_out(b, 0, chunk), before = 0;
    while (!all_ways_out(b) && nr + 64 < MOST_OBJECTS / 2 && nr > before) {
        before = nr;
        nr = objects_out(b, nr, 64);
    }
    for (uint32_t i = 0; i < nr; i += 2) { /* now slabs are partial */
        object_back(b, i);
    }
    objects_out(b, nr, nr / 2);
    for (uint32_t i = 0; i < MOST_OBJECTS; i++) {
        object_back(b, i);
    }
}

static void find_page_ways(struct bench *b, uint32_t order, uint32_t most)
{
    uint32_t nr = 0;
    while (nr < most) {
        b->page[nr] = step(b, OP_ALLOC_PAGES, b->gfp | __GFP_NOWARN, order);
        if (b->page[nr] == UINT64_MAX || b->page[nr] >= b->m->ram.nr_frames) {
            break;
        }
        nr++;
    }
    for (uint32_t i = 0; i < nr; i++) {
        step(b, OP_FREE_PAGES, b->page[i], order);
    }
}

/* ---- the copy ---- */

static bool copy_machine(struct bench *b, const struct machine *m,
                         const struct arena_host *host, char *err, size_t err_size)
{
    b->m = machine_create(&m->config, host, err, err_size);
    if (!b->m) {
        return false;
    }
    if (!arena_copy(&b->m->arena, &m->arena)) {
        snprintf(err, err_size, "the machine cannot be copied");
        return false;
    }
    hardware_forget(b->m);
    b->m->texts = m->texts;
    b->m->states = m->states;
    if (!touch_is_on(b->m)) {
        b->own = touch_new();
        if (!b->own) {
            snprintf(err, err_size, "there is no memory for the measurement");
            return false;
        }
        touch_attach(b->m, b->own);
    }
    b->m->probe.slow = hook;
    b->m->probe.slow_ctx = b;
    b->m->probe.stop = 0;
    return true;
}

static void end(struct bench *b)
{
    if (b->m) {
        if (b->own) {
            touch_attach(b->m, NULL);
        }
        machine_destroy(b->m);
    }
    touch_delete(b->own);
    free(b);
}

static bool prepare(struct bench *b, uint32_t cache, char *err, size_t err_size)
{
    struct cache_view v;
    run(b, OP_KMEM_CACHE_INIT, 0, 0);
    const struct kmem_cache *c = kmalloc_slab(b->m, KMALLOC_BYTES, 0);
    b->out->cache = cache ? cache : c ? c->id : 0;
    if (!cache_view(b->m, b->out->cache, &v)) {
        snprintf(err, err_size, "there is no such cache");
        return false;
    }
    b->out->size = v.object_size;
    return true;
}

bool depth_measure(const struct machine *m, uint32_t cache, uint32_t cpu,
                   const struct arena_host *host, struct depth_table *out, char *err,
                   size_t err_size)
{
    memset(out, 0, sizeof *out);
    out->cpu = cpu;
    const struct cpu *c = cpu_r(m, cpu < m->mm->nr_cpus ? cpu : 0);
    const bool busy = m->slab->nesting || m->mm->zones_locked || m->vm->nesting ||
                      hardware_in_access(m, cpu < m->mm->nr_cpus ? cpu : 0);
    if (busy || m->config.hw.traced || cpu >= m->mm->nr_cpus) {
        snprintf(err, err_size, "%s",
                 busy ? "an operation is under way: go to its end (f) first"
                      : "this machine has no kernel whose accesses could be measured");
        return false;
    }
    struct bench *b = calloc(1, sizeof *b);
    if (!b) {
        snprintf(err, err_size, "there is no memory for the measurement");
        return false;
    }
    b->out = out;
    b->cpu = cpu;
    b->gfp = c->preempt_count || c->irqs_disabled ? (gfp_t)GFP_ATOMIC : (gfp_t)GFP_KERNEL;
    const bool done =
        copy_machine(b, m, host, err, err_size) && prepare(b, cache, err, err_size);
    if (done) {
        out->has_cycles = hardware_cpu(b->m, cpu)->config.cost != NULL;
        find_object_ways(b);
        find_page_ways(b, 0, MOST_PAGES / 4);
        find_page_ways(b, BLOCK_ORDER, 64);
    }
    end(b);
    return done;
}
