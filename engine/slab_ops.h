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

/* ---- slub.c: SLUB's ways in and out ---- */
/* new_slab: a slab with all its objects on its freelist, on no list; 0: no memory. */
uint32_t slub_new_slab(struct machine *m, const struct kmem_cache *c, gfp_t gfp);
/* discard_slab, of one that is on no list. */
void slub_discard(struct machine *m, const struct kmem_cache *c, uint32_t slab);
/* __flush_cpu_slab, on this CPU: its slabs go to the node. */
void slub_flush_cpu(struct machine *m, const struct kmem_cache *c);
/* kmem_cache_free_bulk; c NULL: of any caches, and pages of kmalloc_large. */
void slub_free_bulk(struct machine *m, const struct kmem_cache *c, uint64_t *va,
                    uint32_t nr);
/* The objects of a freelist that begins at an address, at most so many. Ends where one is
 * not a free object of the slab: then *broken. */
uint32_t slub_chain(const struct machine *m, uint32_t slab, uint64_t first, uint64_t *va,
                    uint32_t most, bool *broken);

/* What is behind this free object on its freelist: an address, 0, or what somebody wrote
 * there. */
uint64_t slub_free_pointer(const struct machine *m, const struct kmem_cache *c,
                           uint64_t object);

/* ---- slub_cache.c ---- */
/* calculate_sizes and what depends on them. False: no order will do. */
bool slub_calculate(const struct machine *m, struct kmem_cache *c);
/* init_kmem_cache_nodes and alloc_kmem_cache_cpus. False: no memory. */
bool slub_setup(struct machine *m, struct kmem_cache *c, gfp_t gfp);
bool slub_load(struct machine *m, struct kmem_cache *c);
void slub_release(struct machine *m, struct kmem_cache *c);
/* __kmem_cache_shutdown, __kmem_cache_shrink: true when slabs stay. */
bool slub_shutdown(struct machine *m, struct kmem_cache *c);
bool slub_shrink(struct machine *m, struct kmem_cache *c);
/* flush_all_cpus_locked: all slabs of all CPUs go to the node. */
void slub_flush_all(struct machine *m, const struct kmem_cache *c);
/* The first two caches, each of which needs the other. */
bool slub_boot(struct machine *m);

/* ---- slab_merge.c ---- */
/* __kmem_cache_alias: a cache that is there already and will do, with one user more; 0:
 * none. */
uint32_t slab_alias(struct machine *m, const struct slab_spec *s);
void slab_aliases_forget(struct machine *m, struct kmem_cache *c);

/* ---- slub_check.c ---- */
const char *slub_check_cache(const struct machine *m, const struct kmem_cache *c);

/* ---- slab_boot.c: for slub_boot ---- */
bool slab_create_boot_cache(struct machine *m, struct kmem_cache *c, uint32_t size,
                            uint32_t flags);
bool slab_create_kmalloc_caches(struct machine *m);

/* ---- objects.c: what callers call; kmalloc.h has the rest ---- */
uint64_t kmem_cache_alloc_bulk(struct machine *m, uint64_t id, gfp_t gfp, uint64_t nr);
void kmem_cache_free_bulk(struct machine *m, uint64_t id);
void slab_stage_object(struct machine *m, uint64_t va);

/* ---- slab_boot.c ---- */
uint32_t slab_online_at_boot(const struct machine *m);

static inline void slab_mutex_lock(struct machine *m) { slab_root_w(m)->mutex++; }
static inline void slab_mutex_unlock(struct machine *m) { slab_root_w(m)->mutex--; }

#endif
