/* Looking at the object layer. Nothing here changes anything.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_SLAB_VIEW_H
#define ENGINE_SLAB_VIEW_H

#include "kmalloc.h"

/* What /proc/slabinfo and slabtop show of a cache. */
struct cache_view {
    uint32_t id;
    const char *name;
    uint32_t object_size, size, align, flags, num, order;
    uint32_t colour, colour_off, colour_next, freelist_size;
    enum freelist_place place;
    uint32_t limit, batchcount, shared, free_limit;
    uint64_t active_objs, num_objs, active_slabs, num_slabs, free_objects;
    uint64_t shared_avail, shared_limit;
    uint64_t in_use;    /* objects that callers have; the kernel does not count them */
    uint64_t in_arrays; /* SLUB: in slabs that CPUs have */
    /* SLUB's; 0 with SLAB */
    uint32_t offset, inuse, min_order, min_num;
    uint32_t min_partial, cpu_partial, cpu_partial_slabs, nr_partial;
    bool ctor;
    uint32_t red_left_pad;
    int32_t refcount; /* users; several: caches that were merged */
};
/* Caches from the newest to the oldest: for (id = first; id; id = next). */
uint32_t caches_first(const struct machine *m);
uint32_t caches_next(const struct machine *m, uint32_t id);
/* 0: none has this name; that of a cache that was merged into another counts too. */
uint32_t cache_by_name(const struct machine *m, const char *name);
/* False: there is no such cache. Costs a look at each of its arrays. */
bool cache_view(const struct machine *m, uint32_t id, struct cache_view *v);

struct array_view {
    uint32_t avail, limit, batchcount;
    bool touched;
};
/* A CPU's array; cpu UINT32_MAX: the shared one. False: there is none. */
bool array_view(const struct machine *m, uint32_t id, uint32_t cpu, struct array_view *v);
/* Entry i: an address; the last, avail - 1, goes out next. */
uint64_t array_entry(const struct machine *m, uint32_t id, uint32_t cpu, uint32_t i);

/* Slabs by reference, from the head of a list on. */
uint32_t slabs_first(const struct machine *m, uint32_t id, enum slab_list_kind kind);
uint32_t slabs_next(const struct machine *m, uint32_t slab);
struct slab_view {
    uint32_t cache;
    uint64_t pfn, s_mem, freelist; /* freelist 0: none, all objects are out */
    uint32_t order, num, active, in_use, colour;
    enum slab_list_kind list; /* SLUB: none while it is frozen, a CPU's */
    bool frozen;
    uint32_t op; /* the operation that made it */
    /* SLUB: the CPU that it is frozen for, UINT32_MAX: none; 0: that CPU's slab, else its
     * place, from 1 on, in the chain of that CPU's partial ones */
    uint32_t cpu, place;
};
struct slab_view slab_view(const struct machine *m, uint32_t slab);
/* All slabs of a cache in the order in which objects would come from them: SLUB's per-CPU
 * slab of each CPU and its partial ones, then the lists. One that is between two of these
 * places, in the midst of an operation, is not among them. */
uint32_t cache_slabs_first(const struct machine *m, uint32_t id);
uint32_t cache_slabs_next(const struct machine *m, uint32_t slab);
/* How many those are. Costs a look at each CPU. */
uint32_t cache_nr_slabs(const struct machine *m, uint32_t id);
/* The slab that a page belongs to; 0: none. */
uint32_t slab_of_page(const struct machine *m, uint64_t pfn);
/* Numbers of the objects on the freelist, the next one first; answers how many. */
uint32_t slab_freelist(const struct machine *m, uint32_t slab, uint32_t *numbers,
                       uint32_t most);

/* SLUB: what a CPU has of a cache. False: no such cache or CPU, or it is SLAB's. Its
 * partial slabs: for (slab = partial; slab; slab = slabs_next(m, slab)). */
struct slub_cpu_view {
    uint32_t slab, partial; /* 0: none */
    uint64_t freelist;      /* address */
};
bool slub_cpu_view(const struct machine *m, uint32_t id, uint32_t cpu,
                   struct slub_cpu_view *v);
/* Numbers of the objects on the CPU's freelist, the next one first. */
uint32_t slub_cpu_freelist(const struct machine *m, uint32_t id, uint32_t cpu,
                           uint32_t *numbers, uint32_t most);

enum object_state {
    OBJECT_NONE,     /* no object has this address */
    OBJECT_IN_USE,   /* a caller has it */
    OBJECT_IN_ARRAY, /* in an array, a CPU's or the shared one; on a CPU's freelist */
    OBJECT_FREE      /* on its slab's freelist */
};
struct object_view {
    enum object_state state;
    uint32_t cache, slab, index;
    uint64_t va;                /* where it begins */
    uint32_t cpu;               /* in an array: whose; UINT32_MAX the shared one */
    uint32_t position;          /* there, or on the freelist: so many go out before it */
    uint32_t alloc_op, free_op; /* operations that did it last; 0: none */
};
/* The object that an address lies in. Looks through the cache's arrays. */
struct object_view object_view(const struct machine *m, uint64_t va);

/* What the last bulk allocation answered, or what has been staged for the next free. */
uint32_t staged_objects(const struct machine *m, uint64_t *va, uint32_t most);

/* A file of /sys/kernel/slab/<cache>/ or of /sys/kernel/debug/slab/<cache>/. Length as
 * snprintf; -1: no such cache or file, or the machine has SLAB, which has none. */
int sysfs_slab(char *buf, size_t size, const struct machine *m, uint32_t id,
               const char *file);
/* Their names; NULL past the last. */
const char *sysfs_slab_name(size_t i);
/* What /sys/kernel/slab itself lists: a line each, links with what they lead to. */
int sysfs_slab_dir(char *buf, size_t size, const struct machine *m);

/* /proc/slabinfo in the kernel's layout. Length as snprintf. */
int proc_slabinfo(char *buf, size_t size, const struct machine *m);

#endif
