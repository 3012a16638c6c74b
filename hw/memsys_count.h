/* Counting many references in any machine without what is in hw/memsys_full.c: the way of
 * memsys_run where the lean one (hw/memsys_lean.h) does not go: with physical tags,
 * misses told by cause, other policies, no TLBs, ...
 *
 * A plain machine is one whose caches and TLBs all are packed LRU with a power of two
 * sets (hw/cache.h), write-back, with L1I, L1D and L2, and with both levels of TLBs or
 * none: what nearly everybody asks for. It has a way of its own, hw/memsys_plain.c, in
 * about half as many instructions as the whole path (hw/memsys_path.h), which takes all
 * the others in hw/memsys_count.c. All of them leave the same counts and the same bytes,
 * which tests/test_memsys.c compares.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMSYS_COUNT_H
#define HW_MEMSYS_COUNT_H

#include "memsys.h"

/* As memsys_run; everything is marked. */
size_t memsys_run_counting(struct memsys *m, const struct ref *refs, size_t nr,
                           const struct ref_plan *plan);

bool memsys_is_plain(const struct memsys *m);
/* The same for a plain machine, as long as it is one: it stops being plain with the first
 * page in a TLB that is not of 4 KiB or is global. *faulted: it ended otherwise. */
size_t memsys_run_plain(struct memsys *m, const struct ref *refs, size_t nr,
                        const struct ref_plan *plan, bool *faulted);

#endif
