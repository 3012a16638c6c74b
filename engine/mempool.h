/* Memory pools: a reserve of elements for one purpose, so that work which frees memory
 * can go on when there is none.
 *
 *      mempool_alloc                            mempool_free
 *   1  the allocator, without waiting           reserve below min_nr? into it, wake
 *   2  the reserve (last in, first out)         else the allocator
 *   3  the allocator, with reclaim and I/O
 *   4  may the caller sleep? wait: else NULL    ... what wakes who waits
 *
 * A pool's elements are objects of a cache, kmalloc'ed memory, or blocks of pages.
 *
 * Models mm/mempool.c. struct mempool_s and its array of elements are kmalloc'ed, so
 * their pages and objects are right; the array holds the elements' pointers as bytes in
 * simulated RAM (pages: where their struct page is), the fields are in a block of the
 * arena.
 *
 * Requests to the allocator have __GFP_NOMEMALLOC, __GFP_NORETRY and __GFP_NOWARN: the
 * page allocator's last reserves are for tasks that have none of their own.
 *
 * Waiting. io_schedule_timeout() lets other tasks run; here other operations. At the
 * event mempool:wait the caller is on the pool's queue: who frees an element there (an
 * interrupt from a hook, say) wakes it, and the operation goes on. If nobody does, the
 * operation ends and answers none; the task stays on the queue and tries again when an
 * operation frees an element (mempool:wake) or its 5 seconds are over
 * (OP_IO_SCHEDULE_TIMEOUT), and has its element at the event mempool:resume.
 *
 * A pool is named by id, as a cache is: a slot, and above it how often the slot was used.
 * An element is an address, or of pages the first one's number; MEMPOOL_NONE is NULL.
 *
 * I1  curr_nr is at most min_nr, and the pool's array has room for min_nr elements.
 * I2  Slots, references and the pools' ids agree; nr_mempools counts them.
 * I3  Between operations no pool is locked or in use.
 * I4  An element is in the reserve once, and the allocator has given it out (unless
 *     somebody freed it past the pool, or wrote into the array).
 *
 * Left out: pools with functions of their own, poisoning of elements
 * (CONFIG_DEBUG_SLAB), __GFP_ZERO and constructors (the kernel forbids them, too).
 * Elements that are none are reported, as objects.c does, and stay where they are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_MEMPOOL_H
#define ENGINE_MEMPOOL_H

#include "slab.h"

#define MEMPOOL_NONE PFN_NONE
enum {
    MEMPOOL_SLOTS = 512,
    MEMPOOL_MAX_WAITERS = 16 /* of one pool */
};
/* The block layer's page_pool (bounce.c), where an id is wanted. */
#define MEMPOOL_BOUNCE UINT64_MAX

enum mempool_kind { MEMPOOL_SLAB, MEMPOOL_KMALLOC, MEMPOOL_PAGES, NR_MEMPOOL_KINDS };

struct mempool {
    uint32_t id;
    uint32_t kind;   /* enum mempool_kind */
    uint64_t data;   /* pool_data: a cache, a size in bytes, an order */
    uint32_t min_nr; /* int in the kernel: never above INT32_MAX */
    uint32_t curr_nr;
    uint64_t addr, elements; /* kernel addresses: struct mempool_s, its array */
    uint32_t locked;
    uint32_t users; /* operations on it that are under way */
    uint32_t woken; /* those on the queue are to try again */
    uint32_t nr_waiters;
    /* what has happened so far: requests that the allocator met, that the reserve met,
     * that failed, that slept; frees that filled the reserve */
    uint64_t from_allocator, from_reserve, failed, slept, refilled;
    struct {
        uint32_t gfp;
        uint32_t cpu;
    } waiter[MEMPOOL_MAX_WAITERS]; /* the newest last: it is woken first */
};
_Static_assert(sizeof(struct mempool) <= 256, "a pool block");

/* ---- operations: OP_MEMPOOL_CREATE_SLAB_POOL .. OP_IO_SCHEDULE_TIMEOUT ---- */

static inline bool mempool_is_op(uint16_t kind)
{
    return kind >= OP_MEMPOOL_CREATE_SLAB_POOL && kind <= OP_IO_SCHEDULE_TIMEOUT;
}
uint64_t mempool_do(struct machine *m, const struct op *op);
/* Those who were woken try again; not inside of an operation on their pool. */
void mempool_resume(struct machine *m);
const char *mempool_check(const struct machine *m);

/* ---- looking ---- */

/* NULL: there is no such pool (any more). */
const struct mempool *mempool_r(const struct machine *m, uint64_t id);
/* Pools by slot: for (id = mempools_first(m); id; id = mempools_next(m, id)). */
uint32_t mempools_first(const struct machine *m);
uint32_t mempools_next(const struct machine *m, uint32_t id);
/* Element i of the reserve, 0 .. curr_nr - 1; the last goes out next. MEMPOOL_NONE: the
 * array holds no such thing (somebody wrote into it). */
uint64_t mempool_element(const struct machine *m, const struct mempool *p, uint32_t i);
/* Has the allocator given the element out, and is it one of this pool's kind? */
bool mempool_element_is_live(const struct machine *m, const struct mempool *p,
                             uint64_t element);
/* "mempool-3 (kmalloc-256)": what it is a pool of. Length as snprintf. */
int mempool_format(char *buf, size_t size, const struct machine *m, uint64_t id);

#endif
