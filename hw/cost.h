/* What an access costs: cycles for each thing that a memory system counts.
 *
 * The cycles are a sum: each count of struct memsys_tally times what one of it costs. So
 * nothing needs to be added up while accesses run, the total and its parts always agree,
 * and the cycles of one access are those of the counts that it changed.
 *
 *   AMAT = (l1 + tlb + walk + l2 + memory + bus + uncached + ipi) / accesses
 *
 * A figure is what its stage adds to the stages before it: a load that misses L1 and hits
 * L2 costs l1 + l2. Stores, write-backs and victims wait in buffers and cost nobody
 * anything, unless a model says otherwise. A walk costs the L2 accesses and the memory
 * accesses that it makes.
 *
 * Left out: overlap of several misses, bandwidth, prefetch, a third level (its hits are
 * memory's).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_COST_H
#define HW_COST_H

#include "types.h"

struct cost_model {
    const char *name, *source;
    uint32_t l1;     /* each L1 access */
    uint32_t l2;     /* each L2 access that somebody waits for */
    uint32_t memory; /* ... that misses */
    uint32_t stlb;   /* each second-level TLB access */
    /* each walk whose entries are not read from memory (identity mapping) */
    uint32_t walk;
    uint32_t supply;    /* a line that another processor's cache supplies, not memory */
    uint32_t bus;       /* a transaction that moves no line: BusUpgr, BusWr */
    uint32_t uncached;  /* each uncached read or write, each write-combining burst */
    uint32_t ipi;       /* each processor that is interrupted, until it acknowledges */
    uint32_t writeback; /* each dirty line that leaves a level: 0, it waits in a buffer */
};

/* Where the cycles went. */
struct cycles {
    uint64_t l1, tlb, walk, l2, memory, bus, uncached, ipi;
    uint64_t total;
    uint64_t accesses; /* what AMAT divides by */
};

/* NULL past the end; the first is the default. */
const struct cost_model *cost_models(size_t i);
/* NULL: there is no such model. */
const struct cost_model *cost_model_by_name(const char *name);

struct memsys_config;
struct memsys_tally;
/* All zeros without a model. */
struct cycles cost_of(const struct cost_model *cost, const struct memsys_config *c,
                      const struct memsys_tally *n);
/* now - before, part by part. */
struct cycles cycles_since(const struct cycles *now, const struct cycles *before);

#endif
