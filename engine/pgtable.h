/* The kernel's page tables (init_mm): real entries in simulated RAM, as hw/mmu.h walks
 * them.
 *
 * swapper_pg_dir and the tables of the fixed mappings lie in the kernel image; the others
 * are allocated by alloc_pages when something is mapped there first (__pte_alloc_kernel),
 * and stay. A bare machine has no image: its fixed tables lie in a few frames behind its
 * memory.
 *
 * I1  A table's entries that were never set are 0.
 *
 * Left out: the direct map's own entries (the layout says where it is), large pages for
 * vmalloc and ioremap, other processes' copies of the kernel's half.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_PGTABLE_H
#define ENGINE_PGTABLE_H

#include "mmu.h"
#include "vm.h"

/* PAGE_KERNEL without what the processor does not have (NX); and for devices,
 * uncached. */
uint64_t pgtable_kernel_flags(const struct machine *m);
uint64_t pgtable_io_flags(const struct machine *m);

/* The entry for va: 0 when there is none. */
uint64_t pgtable_get(const struct machine *m, uint64_t va);
/* The frame that an entry maps. */
uint64_t pgtable_frame(const struct machine *m, uint64_t entry);
/* Map one page. False: no memory for a table. */
bool pgtable_set(struct machine *m, uint64_t va, uint64_t frame, uint64_t flags);
/* Take the entry away; answers what it was. */
uint64_t pgtable_clear(struct machine *m, uint64_t va);
/* Make the tables for va, without mapping anything. */
bool pgtable_prepare(struct machine *m, uint64_t va);
/* The same for [start, end): costs what is mapped there, and a look at each table. */
void pgtable_clear_range(struct machine *m, uint64_t start, uint64_t end);
/* Forget all tables (their frames belong to somebody else now). */
void pgtable_forget(struct machine *m);

/* The MMU with these tables, for hw/mmu.h; bus reads and writes m's RAM. */
void pgtable_mmu(const struct machine *m, struct mmu *mmu);
struct mmu_bus pgtable_bus(const struct machine *m);

/* How many tables there are, the root included; visit is called for each one. */
void pgtable_each_table(const struct machine *m, void *ctx,
                        void (*visit)(void *ctx, uint64_t frame, uint32_t level));

#endif
