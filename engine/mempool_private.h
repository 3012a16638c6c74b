/* What mempool.c has of mempool_reserve.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_MEMPOOL_PRIVATE_H
#define ENGINE_MEMPOOL_PRIVATE_H

#include "mempool.h"

struct mempool *mempool_w(struct machine *m, const struct mempool *p);
/* A zeroed record; NULL: there are too many, or the arena is full. */
struct mempool *mempool_record_new(struct machine *m);
void mempool_record_drop(struct machine *m, struct mempool *p);
void mempool_report(struct machine *m, uint32_t reason, const struct mempool *p,
                    uint64_t element);

/* spin_lock_irqsave(&pool->lock). _fails: an operation that this one is nested in has it
 * (reported). */
bool mempool_lock_fails(struct machine *m, const struct mempool *p);
uint32_t mempool_lock(struct machine *m, const struct mempool *p);
void mempool_unlock(struct machine *m, const struct mempool *p, uint32_t flags);

/* False: somebody has freed the array past the pool; then nothing of it is touched. */
bool mempool_array_is_live(const struct machine *m, const struct mempool *p);
/* Before the reserve is looked at: false when it is empty, or gone with its array
 * (reported). */
bool mempool_reserve_is_there(struct machine *m, const struct mempool *p);
bool mempool_has_in_reserve(const struct machine *m, const struct mempool *p,
                            uint64_t element);
/* With the lock held. remove_element: MEMPOOL_NONE when nothing of it is an element any
 * more. */
void add_element(struct machine *m, const struct mempool *p, uint64_t element);
uint64_t remove_element(struct machine *m, const struct mempool *p);

#endif
