/* Inside the object layer: what its files call of one another (slab.h is what others
 * see).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_SLAB_OPS_H
#define ENGINE_SLAB_OPS_H

#include "slab.h"

/* ---- slab.c: SLAB's ways in and out; slab_alloc and slab_free are for objects.c ---- */
/* free_block, with list_lock held: the first nr entries go back to their slabs. Answers
 * slabs that are too many now, for slabs_destroy without the lock. */
uint32_t slab_free_block(struct machine *m, const struct kmem_cache *c,
                         const uint64_t *entries, uint32_t nr);
void slabs_destroy(struct machine *m, const struct kmem_cache *c, uint32_t first);
void slab_array_drop_first(struct machine *m, uint32_t array, uint32_t nr);
void slab_list_lock(struct machine *m, const struct kmem_cache *c);
void slab_list_unlock(struct machine *m, const struct kmem_cache *c);

/* ---- slab_reap.c: SLAB's arrays as a whole ---- */
/* setup_cpu_cache: arrays and node for a new cache, small ones before the boot is done.
 * False: no memory; nothing is left behind. */
bool slab_setup_cpu_cache(struct machine *m, struct kmem_cache *c, gfp_t gfp);
/* enable_cpucache, with so many CPUs online. */
bool slab_enable_cpucache(struct machine *m, struct kmem_cache *c, uint32_t online,
                          gfp_t gfp);
/* The arrays of a cache as a record dumps it. */
bool slab_load_arrays(struct machine *m, struct kmem_cache *c);
bool do_tune_cpucache(struct machine *m, struct kmem_cache *c, uint32_t limit,
                      uint32_t batchcount, uint32_t shared, uint32_t online, gfp_t gfp);
/* __kmem_cache_shrink: true when slabs with objects stay. */
bool slab_shrink(struct machine *m, struct kmem_cache *c);
/* __kmem_cache_release */
void slab_release(struct machine *m, struct kmem_cache *c);
void cache_reap(struct machine *m);

/* ---- objects.c: what callers call; kmalloc.h has the rest ---- */
uint64_t kmem_cache_alloc_bulk(struct machine *m, uint64_t id, gfp_t gfp, uint64_t nr);
void kmem_cache_free_bulk(struct machine *m, uint64_t id);
void slab_stage_object(struct machine *m, uint64_t va);

/* ---- slab_boot.c ---- */
uint32_t slab_online_at_boot(const struct machine *m);

static inline void slab_mutex_lock(struct machine *m) { slab_root_w(m)->mutex++; }
static inline void slab_mutex_unlock(struct machine *m) { slab_root_w(m)->mutex--; }

#endif
