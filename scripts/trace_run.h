/* A trace on its machine: from references to counts, cycles and lines of results.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_TRACE_RUN_H
#define SCRIPTS_TRACE_RUN_H

#include "cost.h"
#include "trace_setup.h"

struct trace_run;

/* NULL: err says why. */
struct trace_run *trace_run_create(const struct trace_setup *setup, char *err,
                                   size_t err_size);
void trace_run_destroy(struct trace_run *r);

/* Count these references. False: err says why it cannot go on. */
bool trace_run_refs(struct trace_run *r, const struct ref *refs, size_t n, char *err,
                    size_t err_size);

uint64_t trace_run_references(const struct trace_run *r);
const struct memsys_tally *trace_run_counts(const struct trace_run *r);
/* --mmu: page faults answered, and pages that became page tables. */
void trace_run_process(const struct trace_run *r, uint64_t *page_faults,
                       uint64_t *tables);
const struct memsys *trace_run_memsys(const struct trace_run *r);

/* Where the cycles went. */
struct cycles trace_run_cycles(const struct trace_run *r);

/* The counts under the names that golden/cache uses ("L1D.miss"), those that this machine
 * has. False past the end. */
struct trace_metric {
    char name[24];
    uint64_t value;
};
bool trace_run_metric(const struct trace_run *r, size_t i, struct trace_metric *out);

#endif
