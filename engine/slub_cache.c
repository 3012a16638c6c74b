/* SLUB's caches as a whole: how objects lie in a slab, nodes, the boot, and taking slabs
 * from CPUs and from the node.
 *
 * Models calculate_sizes(), kmem_cache_open(), kmem_cache_init(),
 * flush_all_cpus_locked(), __kmem_cache_do_shrink() and __kmem_cache_shutdown() of
 * mm/slub.c. A free object's pointer lies in its middle, far from what a neighbour may
 * overwrite; behind the object if it has a constructor or is read after it was freed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "context.h"
#include "kmalloc.h"
#include "slab_ops.h"
#include "slub_debug.h"

enum {
    SLUB_MAX_ORDER = 3, /* PAGE_ALLOC_COSTLY_ORDER */
    MAX_OBJS_PER_PAGE = 32767,
    MIN_PARTIAL = 5,
    MAX_PARTIAL = 10,
    SHRINK_PROMOTE_MAX = 32
};

/* ---- geometry ---- */

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

static uint32_t order_of(uint64_t size)
{
    uint32_t order = 0;
    while ((uint64_t)PAGE_SIZE << order < size) {
        order++;
    }
    return order;
}

static uint32_t fls_u32(uint32_t v)
{
    uint32_t bits = 0;
    for (; v; v >>= 1) {
        bits++;
    }
    return bits;
}

static uint32_t order_objects(uint32_t order, uint32_t size)
{
    return ((uint32_t)PAGE_SIZE << order) / size;
}

/* The lowest order from that of min_objects on that wastes no more than such a part of
 * the slab; max_order + 1: none. */
static uint32_t calc_slab_order(uint32_t size, uint32_t min_objects, uint32_t max_order,
                                uint32_t fraction)
{
    if (order_objects(0, size) > MAX_OBJS_PER_PAGE) {
        return order_of((uint64_t)size * MAX_OBJS_PER_PAGE) - 1;
    }
    uint32_t order = order_of((uint64_t)min_objects * size);
    while (order <= max_order && ((uint32_t)PAGE_SIZE << order) % size >
                                     ((uint32_t)PAGE_SIZE << order) / fraction) {
        order++;
    }
    return order;
}

/* The more CPUs, the more objects a slab should have: they lock the node less often. */
static uint32_t calculate_order(const struct machine *m, uint32_t size)
{
    uint32_t nr =
        min_u32(4 * (fls_u32(m->mm->nr_cpus) + 1), order_objects(SLUB_MAX_ORDER, size));
    for (; nr > 1; nr--) {
        for (uint32_t fraction = 16; fraction >= 4; fraction /= 2) {
            const uint32_t order = calc_slab_order(size, nr, SLUB_MAX_ORDER, fraction);
            if (order <= SLUB_MAX_ORDER) {
                return order;
            }
        }
    }
    const uint32_t order = calc_slab_order(size, 1, SLUB_MAX_ORDER, 1);
    return order <= SLUB_MAX_ORDER ? order : calc_slab_order(size, 1, MAX_ORDER, 1);
}

/* set_cpu_partial: that many objects of half-full slabs. */
static void set_cpu_partial(struct kmem_cache *c)
{
    c->cpu_partial = slub_debugs(c)         ? 0
                     : c->size >= PAGE_SIZE ? 6
                     : c->size >= 1024      ? 24
                     : c->size >= 256       ? 52
                                            : 120;
    c->cpu_partial_slabs = (c->cpu_partial * 2 + c->num - 1) / c->num;
}

static bool choose_orders(const struct machine *m, struct kmem_cache *c)
{
    const uint32_t size = c->size;
    c->gfporder = calculate_order(m, size);
    c->min_order = order_of(size);
    if (c->gfporder >= m->mm->max_order && c->min_order < m->mm->max_order) {
        c->gfporder = c->min_order; /* a machine with small blocks */
    }
    if (c->gfporder >= MAX_ORDER || c->min_order >= m->mm->max_order) {
        return false;
    }
    c->num = order_objects(c->gfporder, size);
    c->min_num = order_objects(c->min_order, size);
    return true;
}

bool slub_calculate(const struct machine *m, struct kmem_cache *c)
{
    c->flags = slub_flags(&m->config, c->flags, c->name);
    c->align = max_u32(slab_word(&m->config), c->align);
    slub_layout(&m->config, c);
    if (slub_debug_low_order(&m->config) &&
        order_of(c->size) > order_of(c->object_size)) {
        /* disable_higher_order_debug: nothing that takes bytes */
        c->flags &= ~(SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER);
        slub_layout(&m->config, c);
    }
    if (!choose_orders(m, c)) {
        return false;
    }
    const uint32_t size = c->size;
    c->allocflags = c->gfporder ? (uint32_t)__GFP_COMP : 0;
    c->allocflags |= c->flags & SLAB_CACHE_DMA ? (uint32_t)__GFP_DMA : 0;
    c->allocflags |= c->flags & SLAB_CACHE_DMA32 ? (uint32_t)__GFP_DMA32 : 0;
    c->allocflags |= c->flags & SLAB_RECLAIM_ACCOUNT ? (uint32_t)__GFP_RECLAIMABLE : 0;
    c->inverse = (((uint64_t)1 << 44) + size - 1) / size;
    c->min_partial = (fls_u32(size) - 1) / 2;
    c->min_partial = max_u32(MIN_PARTIAL, min_u32(MAX_PARTIAL, c->min_partial));
    set_cpu_partial(c);
    return true;
}

/* ---- making ---- */

static bool cpus_new(struct machine *m, struct kmem_cache *c)
{
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const uint32_t ref = slab_pool_take(m, sizeof(struct slub_cpu));
        if (!ref) {
            return false;
        }
        cache_w(m, c)->array[cpu] = ref;
    }
    return true;
}

/* A slab that no CPU has: its first object is the node of the cache that it is of. */
static bool early_node_alloc(struct machine *m, struct kmem_cache *c)
{
    fn_enter(&m->probe, FN_early_kmem_cache_node_alloc, c->id);
    const uint32_t ref = slub_new_slab(m, c, (gfp_t)GFP_NOWAIT);
    if (ref) {
        uint64_t objects[2];
        bool broken;
        slub_chain(m, ref, slab_r(m, ref)->freelist, objects, 2, &broken);
        struct slab *s = slab_w(m, ref);
        struct slab_object *o = slab_object_at(m, s, 0);
        arena_mark(&m->arena, o);
        o->alloc_op = (uint32_t)m->mm->nr_ops;
        o->in_use = 1;
        slub_debug_first(m, c, objects[0]);
        s->freelist = objects[1];
        s->active = 1;
        struct slub_cpu *cpu = slab_block(m, c->array[m->probe.cpu]);
        arena_mark(&m->arena, cpu);
        cpu->out++;
        struct kmem_cache *w = cache_w(m, c);
        w->node_addr = objects[0];
        w->total_slabs = 1;
        w->total_objects = s->num;
        slab_list_add(m, w, ref, SLABS_PARTIAL, false);
    }
    fn_leave(&m->probe);
    return ref != 0;
}

bool slub_setup(struct machine *m, struct kmem_cache *c, gfp_t gfp)
{
    if (!cpus_new(m, c)) {
        return false;
    }
    if (m->slab->state == SLAB_DOWN) {
        return early_node_alloc(m, c);
    }
    const struct kmem_cache *nodes = cache_r(m, m->slab->kmem_cache_node);
    const uint64_t node = kmem_cache_alloc(m, nodes, gfp);
    cache_w(m, c)->node_addr = node;
    return node != 0;
}

bool slub_load(struct machine *m, struct kmem_cache *c) { return cpus_new(m, c); }

void slub_release(struct machine *m, struct kmem_cache *c)
{
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        if (c->array[cpu]) {
            slab_pool_give(m, c->array[cpu], sizeof(struct slub_cpu));
            cache_w(m, c)->array[cpu] = 0;
        }
    }
    const uint64_t node = c->node_addr;
    cache_w(m, c)->node_addr = 0;
    if (node) {
        kmem_cache_free(m, cache_r(m, m->slab->kmem_cache_node), node);
    }
}

/* bootstrap: what was static becomes an object. */
static bool bootstrap(struct machine *m, uint32_t id)
{
    const uint64_t addr = kmem_cache_alloc(m, cache_r(m, m->slab->kmem_cache),
                                           (gfp_t)GFP_NOWAIT | (gfp_t)__GFP_ZERO);
    struct kmem_cache *c = cache_w(m, cache_r(m, id));
    c->addr = addr;
    slub_flush_cpu(m, c);
    slab_cache_link(m, c);
    return addr != 0;
}

bool slub_boot(struct machine *m)
{
    struct kmem_cache *nodes = slab_cache_new(m, "kmem_cache_node");
    if (!nodes || !slab_create_boot_cache(m, nodes, slab_sizeof_node(&m->config),
                                          SLAB_HWCACHE_ALIGN)) {
        return false;
    }
    slab_root_w(m)->kmem_cache_node = nodes->id;
    slab_root_w(m)->state = SLAB_PARTIAL;
    struct kmem_cache *caches = slab_cache_new(m, "kmem_cache");
    if (!caches || !slab_create_boot_cache(m, caches, slab_sizeof_kmem_cache(&m->config),
                                           SLAB_HWCACHE_ALIGN)) {
        return false;
    }
    slab_root_w(m)->kmem_cache = caches->id;
    if (!bootstrap(m, caches->id) || !bootstrap(m, nodes->id) ||
        !slab_create_kmalloc_caches(m)) {
        return false;
    }
    slab_root_w(m)->state = SLAB_FULL;
    return true;
}

/* ---- taking apart ---- */

/* flush_all_cpus_locked: a worker on each CPU that has something. */
void slub_flush_all(struct machine *m, const struct kmem_cache *c)
{
    const uint32_t here = m->probe.cpu;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const struct slub_cpu *its = slub_cpu_at(m, c, cpu);
        if (its->slab || its->partial) {
            context_show(m, cpu);
            mm_mark_hot(m);
            fn_enter(&m->probe, FN_flush_cpu_slab, c->id, cpu);
            slub_flush_cpu(m, c);
            fn_leave(&m->probe);
        }
    }
    context_show(m, here);
    mm_mark_hot(m);
}

/* Empty slabs leave the partial list; they are chained by next, the last one first. */
static uint32_t take_empty(struct machine *m, struct kmem_cache *c)
{
    uint32_t taken = 0;
    for (uint32_t next, ref = c->list[SLABS_PARTIAL].first; ref; ref = next) {
        next = slab_r(m, ref)->next;
        if (!slab_r(m, ref)->active) {
            slab_list_del(m, cache_w(m, c), ref);
            slab_w(m, ref)->next = taken;
            taken = ref;
        }
    }
    return taken;
}

static void discard_all(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    for (uint32_t next; ref; ref = next) {
        next = slab_r(m, ref)->next;
        slab_w(m, ref)->next = 0;
        slub_discard(m, c, ref);
    }
}

bool slub_shutdown(struct machine *m, struct kmem_cache *c)
{
    fn_enter(&m->probe, FN___kmem_cache_shutdown, c->id);
    slub_flush_all(m, c);
    slab_list_lock(m, c);
    const uint32_t empty = take_empty(m, c);
    for (uint32_t ref = c->list[SLABS_PARTIAL].first; ref; ref = slab_r(m, ref)->next) {
        slub_debug_left(m, c, ref);
    }
    slab_list_unlock(m, c);
    discard_all(m, c, empty);
    fn_leave(&m->probe);
    return c->total_slabs != 0;
}

/* Slabs with so many free objects go to the head of the partial list, the last of them
 * first: as list_move() and list_splice() do together. */
static void promote(struct machine *m, struct kmem_cache *c, uint32_t free)
{
    uint32_t left = c->list[SLABS_PARTIAL].nr;
    for (uint32_t next, ref = c->list[SLABS_PARTIAL].first; left; ref = next, left--) {
        const struct slab *s = slab_r(m, ref);
        next = s->next;
        if ((uint32_t)s->num - s->active == free) {
            slab_list_del(m, cache_w(m, c), ref);
            slab_list_add(m, cache_w(m, c), ref, SLABS_PARTIAL, false);
        }
    }
}

bool slub_shrink(struct machine *m, struct kmem_cache *c)
{
    slub_flush_all(m, c);
    fn_enter(&m->probe, FN___kmem_cache_do_shrink, c->id);
    slab_list_lock(m, c);
    const uint32_t empty = take_empty(m, c);
    for (uint32_t free = SHRINK_PROMOTE_MAX; free > 0; free--) {
        promote(m, c, free);
    }
    slab_list_unlock(m, c);
    discard_all(m, c, empty);
    probe(&m->probe, EV_SLAB_SHRINK, c->id, c->total_slabs);
    fn_leave(&m->probe);
    return c->total_slabs != 0;
}
