/* A memory system over RAM and a process whose pages are mapped as they are touched.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_MEMSYS_RIG_H
#define TESTS_MEMSYS_RIG_H

#include "host.h"
#include "memsys.h"
#include "process.h"
#include "tap.h"

enum { FRAMES = 4096 };

struct rig {
    struct arena arena;
    struct ram ram;
    struct probe probe;
    struct process process;
    struct memsys memsys;
    uint64_t next, step;      /* frame */
    uint64_t nr_given, twice; /* one in so many pages gets the frame of the one before */
};

static uint64_t next_frame(void *ctx, bool for_table)
{
    struct rig *g = ctx;
    const uint64_t frame = g->next;
    g->nr_given += !for_table;
    if (!for_table && g->twice && g->nr_given % g->twice == 0) {
        return frame - g->step;
    }
    g->next += frame < FRAMES ? g->step : 0;
    return frame < FRAMES ? frame : PFN_NONE;
}

static void rig_create(struct rig *g, const struct memsys_config *c, enum paging paging)
{
    memset(g, 0, sizeof *g);
    g->next = 16;
    g->step = 8; /* 32 KiB apart: they meet in the same sets of an L2 of 512 sets */
    g->probe.stop = UINT64_MAX;
    if (!arena_create(&g->arena, (size_t)1 << 28, &host_memory) ||
        !ram_create(&g->ram, &g->arena, FRAMES) ||
        !process_create(&g->process, paging, &g->ram, next_frame, g) ||
        !memsys_create(&g->memsys, &g->arena, &g->ram, &g->probe, c)) {
        bail_out("no arena");
    }
    g->memsys.on_fault = process_fault;
    g->memsys.on_fault_ctx = &g->process;
    if (c->translation == TRANSLATE_TABLES) {
        memsys_set_mmu(&g->memsys, &g->process.mmu);
    }
}

#endif
