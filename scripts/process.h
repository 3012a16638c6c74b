/* A process for traces: page tables that grow as pages are touched.
 *
 * Each page fault of a not-present page is answered with a frame, mapped for everything
 * that a user may do. Frames for pages and tables come from whoever gives them: the
 * simulated kernel's page allocator, or a counter.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_PROCESS_H
#define SCRIPTS_PROCESS_H

#include "memsys.h"

/* A frame number, or PFN_NONE when memory is used up. */
typedef uint64_t frame_fn(void *ctx, bool for_table);

struct process {
    struct mmu mmu;
    struct ram *ram;
    struct memsys *memsys; /* whose faults are answered; NULL before the first one */
    frame_fn *frame;
    void *frame_ctx;
    uint64_t faults; /* minor faults answered */
    uint64_t tables; /* frames that became page tables */
    bool no_memory;  /* a fault could not be answered because there was no frame */
};

/* With an empty address space of this kind. False: no frame for the top table. */
bool process_create(struct process *p, enum paging paging, struct ram *ram,
                    frame_fn *frame, void *frame_ctx);
/* A memsys_fault_fn; its ctx is the process. */
bool process_fault(void *ctx, struct memsys *m, const struct fault *f);

#endif
