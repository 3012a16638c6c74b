/* SLAB's arrays as a whole: making them, draining them, and the periodic work that takes
 * back what nobody uses.
 *
 * Models do_tune_cpucache(), setup_kmem_cache_node(), __kmem_cache_shrink() and
 * cache_reap() of mm/slab.c. Time is simulated: it moves on by REAPTIMEOUT_AC for a CPU
 * each time that cache_reap() runs there, and the machine's is that of the CPU that is
 * ahead.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "kmalloc.h"
#include "slab_ops.h"

/* ---- making ---- */

static size_t array_bytes(uint32_t limit)
{
    return sizeof(struct array_cache) + limit * sizeof(uint64_t);
}

static uint32_t array_new(struct machine *m, uint32_t limit, uint32_t batchcount)
{
    const uint32_t ref =
        limit <= SLAB_MAX_ENTRIES ? slab_pool_take(m, array_bytes(limit)) : 0;
    if (ref) {
        struct array_cache *ac = array_w(m, ref);
        ac->limit = limit;
        ac->batchcount = batchcount;
    }
    return ref;
}

static void array_give(struct machine *m, uint32_t ref)
{
    if (ref) {
        slab_pool_give(m, ref, array_bytes(array_r(m, ref)->limit));
    }
}

/* alloc_kmem_cache_cpus: an array for every CPU, from the per-CPU area. */
static bool arrays_new(struct machine *m, uint32_t arrays[MAX_CPUS], uint32_t limit,
                       uint32_t batchcount)
{
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        arrays[cpu] = array_new(m, limit, batchcount);
        if (!arrays[cpu]) {
            while (cpu-- > 0) {
                array_give(m, arrays[cpu]);
            }
            return false;
        }
    }
    return true;
}

/* A CPU's entries of an array that is not used any more go back to their slabs. */
static void empty_array(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    const uint32_t flags = slab_irq_save(m);
    const uint32_t nr = array_r(m, ref)->avail;
    slab_list_lock(m, c);
    const uint32_t excess = slab_free_block(m, c, array_r(m, ref)->entry, nr);
    slab_list_unlock(m, c);
    slab_array_drop_first(m, ref, nr);
    slab_irq_restore(m, flags);
    slabs_destroy(m, c, excess);
}

static void own_kfree(struct machine *m, uint64_t va)
{
    if (va) {
        kfree(m, va);
    }
}

static uint64_t address_of_shared(struct machine *m, uint32_t entries, gfp_t gfp)
{
    return kmalloc(m, (uint64_t)entries * slab_word(&m->config) + 16, gfp);
}

/* setup_kmem_cache_node */
static bool setup_node(struct machine *m, struct kmem_cache *c, uint32_t online,
                       gfp_t gfp)
{
    uint64_t shared_addr = 0;
    uint32_t shared = 0;
    bool done = true;
    fn_enter(&m->probe, FN_setup_kmem_cache_node, c->id);
    if (c->shared) {
        const uint32_t entries = c->shared * c->batchcount;
        shared_addr = address_of_shared(m, entries, gfp);
        shared = shared_addr ? array_new(m, entries, 0xbaadf00d) : 0;
        done = shared != 0;
    }
    if (done && !c->node_addr) {
        const uint64_t node = kmalloc(m, slab_sizeof_node(&m->config), gfp);
        done = node != 0;
        if (done) {
            cache_w(m, c)->node_addr = node;
            cache_w(m, c)->next_reap =
                m->slab->jiffies + REAPTIMEOUT_NODE + c->addr % REAPTIMEOUT_NODE;
        }
    }
    if (done) {
        cache_w(m, c)->free_limit = (1 + online) * c->batchcount + c->num;
        if (c->shared_array) {
            empty_array(m, c, c->shared_array);
        }
        const uint32_t old = c->shared_array;
        const uint64_t old_addr = c->shared_addr;
        struct kmem_cache *w = cache_w(m, c);
        w->shared_array = shared;
        w->shared_addr = shared_addr;
        array_give(m, old);
        own_kfree(m, old_addr);
    } else {
        array_give(m, shared);
        own_kfree(m, shared_addr);
    }
    fn_leave(&m->probe);
    return done;
}

bool do_tune_cpucache(struct machine *m, struct kmem_cache *c, uint32_t limit,
                      uint32_t batchcount, uint32_t shared, uint32_t online, gfp_t gfp)
{
    uint32_t arrays[MAX_CPUS] = {0}, old[MAX_CPUS];
    fn_enter(&m->probe, FN_do_tune_cpucache, c->id, limit, batchcount, shared);
    bool done = arrays_new(m, arrays, limit, batchcount);
    if (done) {
        struct kmem_cache *w = cache_w(m, c);
        memcpy(old, w->array, sizeof old);
        memcpy(w->array, arrays, sizeof arrays);
        w->batchcount = batchcount;
        w->limit = limit;
        w->shared = shared;
        for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
            if (old[cpu]) {
                empty_array(m, c, old[cpu]);
                array_give(m, old[cpu]);
            }
        }
        done = setup_node(m, c, online, gfp);
        probe(&m->probe, EV_SLAB_TUNE, c->id, limit, batchcount, shared);
    }
    fn_leave(&m->probe);
    return done;
}

bool slab_enable_cpucache(struct machine *m, struct kmem_cache *c, uint32_t online,
                          gfp_t gfp)
{
    struct kmem_cache sizes = {.size = c->size};
    fn_enter(&m->probe, FN_enable_cpucache, c->id);
    slab_tunables(m, &sizes);
    const bool done =
        do_tune_cpucache(m, c, sizes.limit, sizes.batchcount, sizes.shared, online, gfp);
    fn_leave(&m->probe);
    return done;
}

bool slab_setup_cpu_cache(struct machine *m, struct kmem_cache *c, gfp_t gfp)
{
    if (m->config.slub) {
        return slub_setup(m, c, gfp);
    }
    if (m->slab->state == SLAB_FULL) {
        return slab_enable_cpucache(m, c, m->mm->nr_cpus, gfp);
    }
    struct kmem_cache *w = cache_w(m, c);
    w->limit = w->batchcount = 1;
    if (!arrays_new(m, w->array, 1, 1)) {
        return false;
    }
    if (m->slab->state >= SLAB_PARTIAL_NODE) {
        const uint64_t node = kmalloc(m, slab_sizeof_node(&m->config), gfp);
        cache_w(m, c)->node_addr = node;
        if (!node) {
            return false;
        }
    }
    cache_w(m, c)->next_reap =
        m->slab->jiffies + REAPTIMEOUT_NODE + c->addr % REAPTIMEOUT_NODE;
    return true;
}

void slab_release(struct machine *m, struct kmem_cache *c)
{
    if (m->config.slub) {
        slub_release(m, c);
        return;
    }
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        array_give(m, c->array[cpu]);
        cache_w(m, c)->array[cpu] = 0;
    }
    array_give(m, c->shared_array);
    cache_w(m, c)->shared_array = 0;
    const uint64_t shared = c->shared_addr, node = c->node_addr;
    cache_w(m, c)->shared_addr = cache_w(m, c)->node_addr = 0;
    own_kfree(m, shared);
    own_kfree(m, node);
}

/* ---- draining ---- */

/* do_drain: an interrupt on that CPU. */
static void do_drain(struct machine *m, const struct kmem_cache *c, uint32_t cpu)
{
    const uint32_t here = m->probe.cpu;
    context_show(m, cpu);
    mm_mark_hot(m);
    const uint32_t flags = slab_irq_save(m);
    fn_enter(&m->probe, FN_do_drain, c->id, cpu);
    const uint32_t nr = array_r(m, c->array[cpu])->avail;
    empty_array(m, c, c->array[cpu]);
    probe(&m->probe, EV_SLAB_DRAIN_CPU, c->id, cpu, nr);
    fn_leave(&m->probe);
    slab_irq_restore(m, flags);
    context_show(m, here);
    mm_mark_hot(m);
}

static void drain_cpu_caches(struct machine *m, const struct kmem_cache *c)
{
    fn_enter(&m->probe, FN_drain_cpu_caches, c->id);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        do_drain(m, c, cpu);
    }
    if (c->shared_array && array_r(m, c->shared_array)->avail) {
        empty_array(m, c, c->shared_array);
    }
    fn_leave(&m->probe);
}

/* Up to tofree empty slabs, the oldest first. Answers how many. */
static uint32_t drain_freelist(struct machine *m, const struct kmem_cache *c,
                               uint32_t tofree)
{
    uint32_t nr = 0;
    fn_enter(&m->probe, FN_drain_freelist, c->id, tofree);
    for (uint32_t ref; nr < tofree && (ref = c->list[SLABS_FREE].last) != 0; nr++) {
        slab_list_lock(m, c);
        struct kmem_cache *w = cache_w(m, c);
        slab_list_del(m, w, ref);
        w->free_slabs--;
        w->total_slabs--;
        w->free_objects -= c->num;
        slab_list_unlock(m, c);
        slabs_destroy(m, c, ref);
    }
    fn_leave(&m->probe);
    return nr;
}

bool slab_shrink(struct machine *m, struct kmem_cache *c)
{
    if (m->config.slub) {
        return slub_shrink(m, c);
    }
    fn_enter(&m->probe, FN___kmem_cache_shrink, c->id);
    drain_cpu_caches(m, c);
    drain_freelist(m, c, UINT32_MAX);
    probe(&m->probe, EV_SLAB_SHRINK, c->id, c->total_slabs);
    fn_leave(&m->probe);
    return c->list[SLABS_FULL].first || c->list[SLABS_PARTIAL].first;
}

/* ---- reaping ---- */

/* A fifth of an array's limit, or half of what is in it; nothing if it was used since the
 * last time. */
static void drain_array(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                        bool shared)
{
    if (!ref || !array_r(m, ref)->avail) {
        return;
    }
    fn_enter(&m->probe, FN_drain_array, c->id);
    if (array_r(m, ref)->touched) {
        array_w(m, ref)->touched = 0;
        probe(&m->probe, EV_SLAB_REAP_SPARED, c->id, shared);
    } else {
        const struct array_cache *ac = array_r(m, ref);
        uint32_t nr = (ac->limit + 4) / 5;
        nr = nr > ac->avail ? (ac->avail + 1) / 2 : nr;
        const uint32_t flags = slab_irq_save(m);
        slab_list_lock(m, c);
        const uint32_t excess = slab_free_block(m, c, ac->entry, nr);
        slab_array_drop_first(m, ref, nr);
        slab_list_unlock(m, c);
        slab_irq_restore(m, flags);
        probe(&m->probe, EV_SLAB_REAP_ARRAY, c->id, shared, nr, ac->avail);
        slabs_destroy(m, c, excess);
    }
    fn_leave(&m->probe);
}

static void reap_cache(struct machine *m, struct kmem_cache *c)
{
    drain_array(m, c, c->array[m->probe.cpu], false);
    if (c->next_reap > m->slab->jiffies) {
        return;
    }
    cache_w(m, c)->next_reap = m->slab->jiffies + REAPTIMEOUT_NODE;
    drain_array(m, c, c->shared_array, true);
    if (c->free_touched) {
        cache_w(m, c)->free_touched = 0;
        return;
    }
    const uint32_t nr =
        drain_freelist(m, c, (c->free_limit + 5 * c->num - 1) / (5 * c->num));
    if (nr) {
        probe(&m->probe, EV_SLAB_REAP_SLABS, c->id, nr);
    }
}

void cache_reap(struct machine *m)
{
    const uint32_t cpu = m->probe.cpu;
    fn_enter(&m->probe, FN_cache_reap, cpu);
    struct slab_root *r = slab_root_w(m);
    r->since_reap = 0;
    r->cpu_reaped[cpu] += REAPTIMEOUT_AC;
    r->jiffies = r->cpu_reaped[cpu] > r->jiffies ? r->cpu_reaped[cpu] : r->jiffies;
    slab_mutex_lock(m);
    for (uint32_t id = m->slab->first; id; id = cache_r(m, id)->next) {
        reap_cache(m, cache_w(m, cache_r(m, id)));
    }
    slab_mutex_unlock(m);
    fn_leave(&m->probe);
}

bool slab_load_arrays(struct machine *m, struct kmem_cache *c)
{
    if (m->config.slub) {
        return slub_load(m, c);
    }
    uint32_t arrays[MAX_CPUS] = {0};
    c = cache_w(m, c);
    slab_tunables(m, c);
    if (!arrays_new(m, arrays, c->limit, c->batchcount)) {
        return false;
    }
    memcpy(c->array, arrays, sizeof arrays);
    if (c->shared) {
        c->shared_array = array_new(m, c->shared * c->batchcount, 0xbaadf00d);
        if (!c->shared_array) {
            return false;
        }
    }
    c->free_limit = (1 + m->mm->nr_cpus) * c->batchcount + c->num;
    c->next_reap = m->slab->jiffies + REAPTIMEOUT_NODE;
    return true;
}
