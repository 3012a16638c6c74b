/* The same allocation at each depth, measured: what it costs when the CPU has an object
 * at hand, when it has to ask a slab, the CPU's page list, the buddy system.
 *
 *   object   array or freelist hit < shared array, CPU's partial slab < slab < new slab
 *   page     CPU's page list < refilled from the buddy system | a block, halved or not
 *
 * Measured on a copy of the machine, so that nothing happens to the machine itself: the
 * copy allocates and frees until each way has been taken once. Each time an operation
 * takes a way for the first time, it is run again from the state before it, twice: with
 * all caches and TLBs of the CPU empty (cold), and after every line that it will touch
 * has just been loaded (warm). Which way it took is seen from its events. A way that this
 * machine does not take within a few thousand allocations is not measured.
 *
 * Cycles, lines and TLB entries are those of touch.h, so what that leaves out is missing
 * here, too.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_DEPTH_H
#define ENGINE_DEPTH_H

#include "touch.h"

/* DEPTH(ID, unit, "what", "where it comes from or goes to"); unit: an object or a page
 * (or a block of them), taken or given back. */
#define DEPTHS(X)                                                                        \
    X(HIT, OBJECT, "per-CPU object", "the CPU has one at hand")                          \
    X(CPU_PARTIAL, OBJECT, "CPU's partial slab", "the CPU has another slab (SLUB)")      \
    X(SHARED, OBJECT, "shared array", "what other CPUs have freed (SLAB)")               \
    X(REFILL, OBJECT, "refill from a slab", "a slab of the node has free objects")       \
    X(GROW, OBJECT, "new slab, page at hand", "its page is on the CPU's list")           \
    X(GROW_REFILL, OBJECT, "new slab, list refilled", "the CPU's page list was empty")   \
    X(GROW_BUDDY, OBJECT, "new slab, from buddy", "its block is too large for a list")   \
    X(PAGE_PCP, PAGE, "per-CPU page", "alloc_pages(0): the CPU's list has one")          \
    X(PAGE_REFILL, PAGE, "page, list refilled", "the list takes a batch first")          \
    X(PAGE_BUDDY, PAGE, "block from buddy", "order 4, and there is one")                 \
    X(PAGE_SPLIT, PAGE, "block, larger one split", "order 4, halved out of another")     \
    X(PUT, OBJECT_BACK, "free: to the CPU", "the CPU keeps it")                          \
    X(PUT_SLAB, OBJECT_BACK, "free: to slabs", "the CPU has enough, or it is another's") \
    X(PUT_PAGE, OBJECT_BACK, "free: slab goes", "its page goes back as well")            \
    X(PUT_PCP, PAGE_BACK, "free: page to the CPU", "the CPU's list has room")            \
    X(PUT_DRAIN, PAGE_BACK, "free: list drained", "a batch goes to the buddy system")    \
    X(PUT_BUDDY, PAGE_BACK, "free: block to buddy", "order 4")                           \
    X(PUT_MERGE, PAGE_BACK, "free: block merges", "order 4, and its buddy is free")

enum depth_unit { DEPTH_OBJECT, DEPTH_PAGE, DEPTH_OBJECT_BACK, DEPTH_PAGE_BACK };
enum depth {
#define DEPTH_ENUM_(id, unit, what, where) DEPTH_##id,
    DEPTHS(DEPTH_ENUM_)
#undef DEPTH_ENUM_
        NR_DEPTHS
};

struct depth_info {
    enum depth_unit unit;
    const char *what, *where;
};
const struct depth_info *depth_info(uint32_t depth);

struct depth_cost {
    bool measured;
    uint32_t events; /* of the allocators, without the hardware's */
    /* For how many objects or blocks this was done: what a refill brings to the CPU, with
     * the one that is answered; what a flush takes from it. 1: for this one alone. */
    uint32_t units;
    struct touch_cost cold, warm;
    uint64_t layer_cold[NR_TOUCH_LAYERS]; /* cycles */
    uint64_t layer_warm[NR_TOUCH_LAYERS];
};

struct depth_table {
    struct depth_cost row[NR_DEPTHS];
    uint32_t cache; /* of its objects; 0: the allocator could not boot */
    uint32_t cpu, operations;
    uint64_t size; /* of an object */
    bool has_cycles;
};

/* Measure on a copy of m that the host gives memory for: objects of this cache (0: those
 * that kmalloc gives for 200 bytes), on this CPU. False: err says why not, e.g. because
 * an operation is under way. */
bool depth_measure(const struct machine *m, uint32_t cache, uint32_t cpu,
                   const struct arena_host *host, struct depth_table *out, char *err,
                   size_t err_size);

#endif
