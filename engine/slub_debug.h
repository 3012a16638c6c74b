/* SLUB's debugging: red zones, poisoning, users, checks. What a slab's slot looks like
 * (all of it bytes in simulated RAM; only what the cache's flags ask for is there):
 *
 *   slot                    object                 object + inuse
 *   | left red zone (Z)     | the caller's bytes   | pointer to the next free one, if it
 *   | red_left_pad bytes    | object_size          | must not be in the object (P, Z with
 *   | bb free, cc in use    | 6b ... a5 free (P)   | tiny objects, constructor, RCU)
 *                           | right red zone (Z)   | alloc track, free track (U)
 *                           |   up to inuse        | size asked for (U, kmalloc)
 *                                                  | padding 5a (P), to size
 *
 * An object's address is that behind the left red zone: slab.s_mem counts from there.
 *
 * Models CONFIG_SLUB_DEBUG of mm/slub.c: calculate_sizes(), check_object(),
 * alloc_debug_processing(), free_debug_processing(), validate_slab_cache(). A cache with
 * any of these flags never has a CPU's slab: each allocation and each free takes the
 * node's list_lock, and full slabs are on a list.
 *
 * A track is struct track: the caller's address, a stack's handle, CPU, pid, time. Time
 * is counted in operations, and the handle is the operation's number: the timeline is
 * the depot where its stack lies. The caller is the script, as if it were a module, or
 * the kernel's function that is the operation under way.
 *
 * D1  A cache with debugging has no CPU's slab and no CPU's partial slabs.
 * D2  A slab whose check failed when it was to give an object is frozen, on SLABS_FULL,
 *     and gives and takes none any more (slab.corrupt).
 *
 * Where the kernel would go on with a chain that it cannot know to be wrong (a free
 * object's pointer to one in use), the chain is cut there, as a corrupt one: the machine
 * must stay whole. A slab whose whole freelist was cleared goes to the full ones at once;
 * the kernel leaves it on the partial list and faults on its next visit. A bulk free
 * checks and frees object by object. In a slab of a cache whose flags name no checks (F)
 * a broken chain is seen when it is used, as without debugging.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_SLUB_DEBUG_H
#define ENGINE_SLUB_DEBUG_H

#include "slab.h"

enum {
    SLUB_RED_INACTIVE = 0xbb,
    SLUB_RED_ACTIVE = 0xcc,
    POISON_INUSE = 0x5a,
    POISON_FREE = 0x6b,
    POISON_END = 0xa5
};

/* kmem_cache_debug */
static inline bool slub_debugs(const struct kmem_cache *c)
{
    return (c->flags & (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON |
                        SLAB_STORE_USER | SLAB_TRACE)) != 0;
}
/* __OBJECT_POISON: may the object itself be poisoned? */
static inline bool slub_poisons(const struct kmem_cache *c)
{
    return (c->flags & SLAB_POISON) && !(c->flags & SLAB_TYPESAFE_BY_RCU) && !c->ctor;
}

/* ---- slub_layout.c: pure functions ---- */

/* kmem_cache_flags: what slub_debug adds to a cache's flags. */
uint32_t slub_flags(const struct machine_config *c, uint32_t flags, const char *name);
/* slub_debug has an O. */
bool slub_debug_low_order(const struct machine_config *c);
uint32_t slub_sizeof_track(const struct machine_config *c);
/* calculate_sizes: offset, inuse, red_left_pad and size from object_size, align, flags
 * and ctor. */
void slub_layout(const struct machine_config *config, struct kmem_cache *c);
/* Bytes behind the object's beginning: where tracks begin, where the size asked for is,
 * where padding begins, and where the slot ends. */
uint32_t slub_info_end(const struct machine_config *config, const struct kmem_cache *c);
uint32_t slub_orig_size_at(const struct machine_config *config,
                           const struct kmem_cache *c);
uint32_t slub_padding_at(const struct machine_config *config, const struct kmem_cache *c);
static inline uint32_t slub_slot_end(const struct kmem_cache *c)
{
    return c->size - c->red_left_pad;
}

enum track_item { TRACK_ALLOC, TRACK_FREE };
struct slub_track { /* as it stands in RAM; addr 0: nobody yet */
    uint64_t addr, when;
    uint32_t handle, cpu, pid;
};
/* False: the cache keeps none. */
bool slub_track(const struct machine *m, const struct kmem_cache *c, uint64_t object,
                enum track_item item, struct slub_track *track);
/* get_orig_size */
uint32_t slub_orig_size(const struct machine *m, const struct kmem_cache *c,
                        uint64_t object);
/* Who calls now, as an address; and back: the operation's kind, false: nobody's. */
uint64_t slub_caller(const struct machine *m);
bool slub_caller_kind(const struct machine *m, uint64_t addr, uint16_t *kind,
                      bool *script);

/* ---- slub_debug.c ---- */

/* A new slab's bytes, before its freelist is written. False: the arena is full. */
bool slub_debug_setup(struct machine *m, const struct kmem_cache *c,
                      const struct slab *s);
/* The first object of all: allocated before anybody can be asked. */
void slub_debug_first(struct machine *m, const struct kmem_cache *c, uint64_t object);
/* ___slab_alloc of such a cache: 0: no memory. */
uint64_t slub_debug_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp);
/* set_orig_size */
void slub_debug_orig_size(struct machine *m, const struct kmem_cache *c, uint64_t object,
                          uint64_t size);
/* free_to_partial_list of an object that a caller has. */
void slub_debug_free(struct machine *m, const struct kmem_cache *c, uint32_t slab,
                     uint64_t object);
/* Free of what is no object in use: reports it as free_consistency_checks() does. False:
 * the cache does not check. */
bool slub_debug_misuse(struct machine *m, const struct kmem_cache *c, uint32_t slab,
                       uint64_t object);
/* list_slab_objects: what is left of a cache that is destroyed. */
void slub_debug_left(struct machine *m, const struct kmem_cache *c, uint32_t slab);
/* __free_slab's last look at a slab. */
void slub_debug_last_look(struct machine *m, const struct kmem_cache *c, uint32_t slab);
/* Answers how many slabs were looked at. */
uint64_t validate_slab_cache(struct machine *m, struct kmem_cache *c);

#endif
