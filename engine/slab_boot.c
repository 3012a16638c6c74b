/* The boot of the object layer: the cache of caches first, which is static; then the
 * kmalloc cache that nodes come from; then all others, with arrays of one object; and at
 * the end full arrays for all of them.
 *
 * Models kmem_cache_init(), kmem_cache_init_late() of mm/slab.c and
 * create_kmalloc_caches() of mm/slab_common.c; SLUB's
 * boot is in slub_cache.c. It all happens when the first object is
 * wanted, or with the operation kmem_cache_init: so the pages that it takes come from a
 * machine that has booted, and not in the middle of its boot.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "kmalloc.h"
#include "slab_ops.h"

/* ---- names ---- */

bool kmalloc_name(const struct machine_config *c, enum kmalloc_type type, uint32_t index,
                  char *buf, size_t size)
{
    static const char *const prefixes[NR_KMALLOC_TYPES] = {"kmalloc-", "kmalloc-rcl-",
                                                           "dma-kmalloc-"};
    const uint32_t bytes = index == 1 ? 96 : index == 2 ? 192 : 1U << index;
    if (index == 0 || index > KMALLOC_SHIFT_HIGH ||
        (index > 2 && index < slab_min_kmalloc_shift(c))) {
        return false;
    }
    snprintf(buf, size, bytes < 1024 ? "%s%u" : "%s%uk", prefixes[type],
             bytes < 1024 ? bytes : bytes / 1024);
    return true;
}

/* ---- caches ---- */

static uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* create_boot_cache: kmalloc's objects lie at multiples of their size where that is a
 * power of two. */
bool slab_create_boot_cache(struct machine *m, struct kmem_cache *c, uint32_t size,
                            uint32_t flags)
{
    fn_enter(&m->probe, FN_create_boot_cache, c->id);
    c = cache_w(m, c);
    c->object_size = size;
    c->flags = flags;
    c->align = calculate_alignment(&m->config, flags,
                                   size & (size - 1) ? 8 : max_u32(8, size), size);
    c->refcount = -1;
    const bool done =
        slab_calculate(m, c) && slab_setup_cpu_cache(m, c, (gfp_t)GFP_NOWAIT);
    probe(&m->probe, EV_KMEM_CACHE_CREATE, c->id, c->size, c->num, c->gfporder, c->colour,
          cache_place(c));
    fn_leave(&m->probe);
    return done;
}

static bool create_kmalloc_cache(struct machine *m, enum kmalloc_type type,
                                 uint32_t index)
{
    char name[SLAB_NAME];
    const uint32_t size = index == 1 ? 96 : index == 2 ? 192 : 1U << index;
    /* ARCH_KMALLOC_FLAGS: SLAB asks for it, SLUB does not */
    const uint32_t flags = (m->config.slub ? 0 : SLAB_HWCACHE_ALIGN) | SLAB_KMALLOC |
                           (type == KMALLOC_RECLAIM ? SLAB_RECLAIM_ACCOUNT
                            : type == KMALLOC_DMA   ? SLAB_CACHE_DMA
                                                    : 0);
    kmalloc_name(&m->config, type, index, name, sizeof name);
    const struct kmem_cache *caches = cache_r(m, m->slab->kmem_cache);
    const uint64_t addr =
        kmem_cache_alloc(m, caches, (gfp_t)GFP_NOWAIT | (gfp_t)__GFP_ZERO);
    struct kmem_cache *c = addr ? slab_cache_new(m, name) : NULL;
    if (!c) {
        return false;
    }
    c->addr = addr;
    if (!slab_create_boot_cache(m, c, size, flags)) {
        return false;
    }
    slab_cache_link(m, c);
    cache_w(m, c)->refcount = 1;
    slab_root_w(m)->kmalloc[type][index] = c->id;
    return true;
}

bool slab_create_kmalloc_caches(struct machine *m)
{
    bool done = true;
    fn_enter(&m->probe, FN_create_kmalloc_caches);
    for (uint32_t type = 0; type < NR_KMALLOC_TYPES; type++) {
        const uint32_t *there = m->slab->kmalloc[type];
        for (uint32_t i = slab_min_kmalloc_shift(&m->config); i <= KMALLOC_SHIFT_HIGH;
             i++) {
            /* sizes between the powers of two come right behind the lower of them */
            const uint32_t between = i == 6 ? 1 : i == 7 ? 2 : 0;
            done = done && (there[i] || create_kmalloc_cache(m, type, i));
            done = done &&
                   (!between || there[between] || create_kmalloc_cache(m, type, between));
        }
    }
    slab_root_w(m)->state = SLAB_UP;
    fn_leave(&m->probe);
    return done;
}

/* CPUs come up one after the other, and each sets the free limits of the caches that are
 * there by how many were online before it. */
uint32_t slab_online_at_boot(const struct machine *m)
{
    return m->mm->nr_cpus > 1 ? m->mm->nr_cpus - 1 : 1;
}

static bool init_late(struct machine *m)
{
    bool done = true;
    fn_enter(&m->probe, FN_kmem_cache_init_late);
    for (uint32_t id = m->slab->first; id && done; id = cache_r(m, id)->next) {
        const struct kmem_cache *c = cache_r(m, id);
        if (!c->addr && id != m->slab->kmem_cache) {
            continue; /* of a record, whose kernel has booted long ago */
        }
        done = slab_enable_cpucache(m, cache_w(m, c), slab_online_at_boot(m),
                                    (gfp_t)GFP_NOWAIT);
    }
    slab_root_w(m)->state = SLAB_FULL;
    fn_leave(&m->probe);
    return done;
}

/* init_list: a static node is replaced by a kmalloc'ed one. */
static bool replace_node(struct machine *m, uint32_t id)
{
    const uint64_t node = kmalloc(m, slab_sizeof_node(&m->config), (gfp_t)GFP_NOWAIT);
    cache_w(m, cache_r(m, id))->node_addr = node;
    return node != 0;
}

static bool boot_slab(struct machine *m)
{
    const uint32_t node_index = kmalloc_index(&m->config, slab_sizeof_node(&m->config));
    struct kmem_cache *caches = slab_cache_new(m, "kmem_cache");
    if (!caches || !slab_create_boot_cache(m, caches, slab_sizeof_kmem_cache(&m->config),
                                           SLAB_HWCACHE_ALIGN)) {
        return false;
    }
    slab_cache_link(m, caches);
    slab_root_w(m)->kmem_cache = caches->id;
    slab_root_w(m)->state = SLAB_PARTIAL;
    if (!create_kmalloc_cache(m, KMALLOC_NORMAL, node_index)) {
        return false;
    }
    slab_root_w(m)->state = SLAB_PARTIAL_NODE;
    return replace_node(m, m->slab->kmem_cache) &&
           replace_node(m, m->slab->kmalloc[KMALLOC_NORMAL][node_index]) &&
           slab_create_kmalloc_caches(m) && init_late(m);
}

bool kmem_cache_init(struct machine *m)
{
    if (m->slab->state != SLAB_DOWN) {
        return m->slab->state == SLAB_FULL;
    }
    fn_enter(&m->probe, FN_kmem_cache_init);
    const bool done = m->config.slub ? slub_boot(m) : boot_slab(m);
    if (done) {
        probe(&m->probe, EV_SLAB_INIT_DONE, m->slab->nr_caches,
              m->slab->nr_reclaimable + m->slab->nr_unreclaimable);
    } else {
        slab_report(m, BAD_SLAB_BOOT, 0, 0);
    }
    fn_leave(&m->probe);
    return done;
}
