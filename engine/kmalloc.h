/* kmalloc: caches for every size, and pages for what is larger.
 *
 * Models the kmalloc part of mm/slab_common.c and the boot of mm/slab.c
 * (kmem_cache_init). Sizes are powers of two from KMALLOC_MIN_SIZE (SLAB 32, SLUB 8) to
 * 8 KiB, and 96 and 192; three sets of them: kmalloc-*, kmalloc-rcl-* (__GFP_RECLAIMABLE)
 * and dma-kmalloc-* (__GFP_DMA).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_KMALLOC_H
#define ENGINE_KMALLOC_H

#include "slab.h"

/* ZERO_SIZE_PTR: what kmalloc(0) answers. */
enum { ZERO_SIZE_PTR = 16 };
static inline bool zero_or_null(uint64_t va) { return va <= ZERO_SIZE_PTR; }

/* The cache for so many bytes (not 0), or NULL: larger than the largest, or not there
 * yet. */
const struct kmem_cache *kmalloc_slab(const struct machine *m, uint64_t size, gfp_t gfp);
uint32_t kmalloc_index(const struct machine_config *c, uint64_t size);
enum kmalloc_type kmalloc_type(gfp_t gfp);
/* "kmalloc-rcl-192": its name; false: there is no such cache. */
bool kmalloc_name(const struct machine_config *c, enum kmalloc_type type, uint32_t index,
                  char *buf, size_t size);

/* 0: no memory. */
uint64_t kmalloc(struct machine *m, uint64_t size, gfp_t gfp);
void kfree(struct machine *m, uint64_t va);
uint64_t krealloc(struct machine *m, uint64_t va, uint64_t size, gfp_t gfp);
uint64_t ksize(struct machine *m, uint64_t va);

/* kmem_cache_init and kmem_cache_init_late. False: no memory (the kernel would panic). */
bool kmem_cache_init(struct machine *m);

#endif
