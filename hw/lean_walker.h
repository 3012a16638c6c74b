/* What the lean way of an access (hw/memsys_lean.h) remembers of page tables: for a few
 * regions of 2 MiB, the table that has their last entries, and how one gets there.
 *
 * It lies outside of the arena, and nothing follows from it: before it is used, all that
 * it was made from is compared with what is there now, unless nothing can have changed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_LEAN_WALKER_H
#define HW_LEAN_WALKER_H

#include "cache.h"

enum { LEAN_REGIONS = 64, LEAN_REGION_SHIFT = 21, LEAN_ACCESSES = 3 };

struct lean_region {
    uint64_t number;      /* va >> LEAN_REGION_SHIFT, or UINT64_MAX */
    uint64_t generation;  /* of the walker, when this was last found to hold */
    unsigned char *table; /* the last-level table's bytes */
    uint64_t table_pa;
    uint64_t perms; /* that the upper entries leave, as a TLB's entry has them */
    /* by kind of access: the last entry's bits apart from the frame that were last found
       to be the usual ones and to permit it (all ones: none), and what a TLB's entry has
       for them */
    uint64_t flags[LEAN_ACCESSES], flags_perms[LEAN_ACCESSES];
    struct cache_set *set[3]; /* where the upper entries would be in L2 */
    uint64_t line[3];
    /* what all that follows from */
    uint64_t cr3;
    const unsigned char *entry[3];
    uint64_t value[3];
    const uint32_t *chunk_of[4]; /* of the four tables, in RAM's table of chunks */
    uint32_t chunk[4];
    uint64_t reserved[2]; /* 256 bytes together */
};

struct lean_walker {
    uint32_t physical_bits; /* of the registers; and what follows from them */
    bool nxe;
    uint32_t may[LEAN_ACCESSES];
    uint64_t address;    /* an entry's frame */
    uint64_t usual_mask; /* which bits of an entry tell whether it is the usual one */
    uint64_t generation; /* how often tables or registers may have been changed */
    bool unmended;       /* the last walk has faulted, and nobody has mended it */
    struct lean_region region[LEAN_REGIONS];
};

#endif
