/* The cost models and the sum: see hw/cost.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cost.h"

#include <string.h>

#include "memsys.h"

/* Where the figures are from. Those of tables that give whole latencies are turned into
 * what each stage adds, except Nehalem's, which are used as they are quoted.
 *
 *   nehalem    Intel, "Performance Analysis Guide for Intel Core i7 Processor and Intel
 *              Xeon 5500 processors" (Levinthal): L1 4, L2 10, local DRAM about 60 ns,
 *              176 cycles at 2.93 GHz. A line modified in another core's cache: 83
 *              (Molka, Hackenberg, Schoene, Mueller, PACT 2009).
 *   pentium-m  Drepper, "What Every Programmer Should Know About Memory" (2007), the
 *              table of section 3.2: L1d about 3, L2 about 14, main memory about 240.
 *   skylake    Intel, "64 and IA-32 Architectures Optimization Reference Manual", cache
 *              parameters of the Skylake client microarchitecture: L1D 4, L2 12, L3 44;
 *              7-cpu.com: RAM L3 + 51 ns, 204 cycles at 4.0 GHz.
 *   cortex-a9  7-cpu.com, Exynos 4210 at 1.2 GHz: L1 4, L2 + 19, first-level TLB miss
 *              + 7, second-level TLB miss + 7, RAM + 110 ns, 132 cycles.
 *   geode-lx   7-cpu.com, AMD Geode LX at 500 MHz: L1 3, L2 + 8, first-level TLB miss
 *              + 3, second-level TLB miss + 5, RAM + 70 ns, 35 cycles.
 *
 * Nobody publishes all of a row. Assumed are: second-level TLBs of 7 cycles, of 9 with
 * Skylake; walks of identity mapping of 30 (the two of 7-cpu.com have the measured
 * figure); another cache's line and an uncached access cost what memory costs (Nehalem's
 * line is measured); a transaction without data half of that; an IPI 1000 cycles. */
static const struct cost_model models[] = {
    {"nehalem", "Core i7/Xeon 5500: Intel's guide for caches and DRAM; TLBs assumed", 4,
     10, 176, 7, 30, 83, 83, 176, 1000, 0},
    {"flat", "every stage one cycle, memory a hundred: for arithmetic by head", 1, 1, 100,
     1, 1, 10, 10, 100, 1000, 0},
    {"pentium-m", "Pentium M: Drepper's paper for caches and memory; the rest assumed", 3,
     11, 226, 7, 30, 226, 113, 226, 1000, 0},
    {"skylake", "Skylake at 4 GHz: Intel's manual, 7-cpu.com for RAM; the rest assumed",
     4, 8, 236, 9, 30, 236, 118, 236, 1000, 0},
    {"cortex-a9", "Cortex-A9 at 1.2 GHz: 7-cpu.com; bus and IPI assumed", 4, 19, 132, 7,
     7, 132, 66, 132, 1000, 0},
    {"geode-lx", "AMD Geode LX at 500 MHz: 7-cpu.com; bus and IPI assumed", 3, 8, 35, 3,
     5, 35, 18, 35, 1000, 0},
};

const struct cost_model *cost_models(size_t i)
{
    return i < sizeof models / sizeof *models ? &models[i] : NULL;
}

const struct cost_model *cost_model_by_name(const char *name)
{
    for (size_t i = 0; cost_models(i); i++) {
        if (!strcmp(models[i].name, name)) {
            return &models[i];
        }
    }
    return NULL;
}

struct cycles cost_of(const struct cost_model *cost, const struct memsys_config *c,
                      const struct memsys_tally *n)
{
    struct cycles y = {0};
    const bool l1 = c->l1[SIDE_I].ways || c->l1[SIDE_D].ways, l2 = c->l2.ways;
    const uint64_t accesses = tally_l1_accesses(n, SIDE_I) + tally_l1_accesses(n, SIDE_D);
    if (!cost) {
        return y;
    }
    y.accesses = l1 ? accesses : n->tlb_access[SIDE_I] + n->tlb_access[SIDE_D];
    y.accesses += n->uncached[ACCESS_READ] + n->uncached[ACCESS_WRITE] +
                  n->uncached[ACCESS_FETCH] + n->wc_stores;
    y.l1 = cost->l1 * accesses;
    y.tlb = cost->stlb * n->stlb_access;
    y.walk = c->translation == TRANSLATE_TABLES
                 ? (l2 ? cost->l2 * n->l2_access[L2_WALK] : 0) +
                       cost->memory * n->l2_miss[L2_WALK]
                 : cost->walk * n->walks;
    y.l2 = l2 ? cost->l2 * n->l2_access[L2_FETCH] : 0;
    /* a line that another cache has supplied did not come from memory */
    y.memory = cost->memory * (n->l2_miss[L2_FETCH] - n->spared) +
               cost->writeback *
                   (n->l1_writeback[SIDE_I] + n->l1_writeback[SIDE_D] + n->l2_writeback);
    y.bus = cost->supply * n->supplied + cost->bus * (n->bus[BUS_UPGR] + n->bus[BUS_WR]);
    y.uncached = cost->uncached * (n->uncached[ACCESS_READ] + n->uncached[ACCESS_WRITE] +
                                   n->uncached[ACCESS_FETCH] + n->wc_bursts);
    y.ipi = cost->ipi * n->ipi_sent;
    y.total = y.l1 + y.tlb + y.walk + y.l2 + y.memory + y.bus + y.uncached + y.ipi;
    return y;
}

struct cycles cycles_since(const struct cycles *now, const struct cycles *before)
{
    return (struct cycles){now->l1 - before->l1,
                           now->tlb - before->tlb,
                           now->walk - before->walk,
                           now->l2 - before->l2,
                           now->memory - before->memory,
                           now->bus - before->bus,
                           now->uncached - before->uncached,
                           now->ipi - before->ipi,
                           now->total - before->total,
                           now->accesses - before->accesses};
}
