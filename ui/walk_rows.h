/* The page-table tree of an address space as rows: what is open, folded and collapsed.
 *
 *   root            the top table
 *    entry          present: points to a table (which may be open) or to a page
 *    run            pages that follow each other with the same flags, or the same entry
 *                   again and again
 *    gap            entries that are empty
 *
 * The way to the followed address opens by itself, and an entry on it stands alone even
 * in the middle of a run; what the user has opened or closed stays so. Only tables that
 * are open are read, so the size of the machine does not matter.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_WALK_ROWS_H
#define UI_WALK_ROWS_H

#include "app.h"

enum { WALK_RUN_LEAST = 3 }; /* fewer entries are no run */

/* Make the rows anew. follow: an address, if there is one. False: no memory. */
bool walk_rows_build(const struct machine *m, struct walk_state *s, const struct mmu *mmu,
                     bool has_follow, uint64_t follow);
/* Open or close a row's node; false: it has none. */
bool walk_rows_fold(struct walk_state *s, const struct mmu *mmu, int row, bool open);
bool walk_row_has_node(const struct walk_row *r);
/* The row that contains it. -1: the root. */
int walk_rows_parent(const struct walk_state *s, int row);
/* The row of the last entry on the way to va; -1: none. */
int walk_rows_find(const struct walk_state *s, const struct mmu *mmu, uint64_t va);
/* A row like this one, where the tree has changed: the same node, else the nearest
 * before. */
int walk_rows_same(const struct walk_state *s, const struct walk_row *r);
/* Physical address of the row's first entry. */
uint64_t walk_row_at(const struct walk_row *r, const struct mmu *mmu);
/* "PGD", "P4D", "PUD", "PMD", "PTE": the kernel's name of a table of this level. */
const char *walk_kernel_name(enum paging paging, uint32_t level);

#endif
