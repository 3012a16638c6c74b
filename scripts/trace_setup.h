/* What a trace runs on: the machine's caches and TLBs by name, by option or from a small
 * file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_TRACE_SETUP_H
#define SCRIPTS_TRACE_SETUP_H

#include "machine.h"
#include "memsys.h"

struct trace_setup {
    struct memsys_config machine;
    const struct cost_model *cost;
    bool as_reads;                /* mode R: every data reference is one read */
    bool tables;                  /* --mmu: a process whose pages are faulted in by ... */
    struct machine_config kernel; /* ... the simulated kernel of this machine */
    bool kernel_set;              /* an option of that machine was given */
    const char *geometry;         /* its name; NULL: none, or changed by an option */
    char mode;                    /* R, W, T */
};

/* The default: 32 KiB 8-way first-level caches, VIPT, 256 KiB 8-way L2, 64-entry
 * first-level TLBs, 1536 entries in the second level; write-back; identity mapping. */
void trace_setup_init(struct trace_setup *t);

/* G1 ... G4, P1, P2, T1 ... T3. False: err says what there is. */
bool trace_setup_geometry(struct trace_setup *t, const char *name, char *err,
                          size_t err_size);
/* R, W, T. */
bool trace_setup_mode(struct trace_setup *t, const char *mode, char *err,
                      size_t err_size);
/* One option: "l1d=32K,8,64,lru". False: err says what is wrong and what would be
 * right. */
bool trace_setup_set(struct trace_setup *t, const char *name, const char *value,
                     char *err, size_t err_size);
/* A file of such options, "name = value" a line, # begins a comment; and "geometry = G1",
 * which replaces what stands before it, and "mode = T". */
bool trace_setup_file(struct trace_setup *t, const char *path, char *err,
                      size_t err_size);
/* After all of these: does it make a machine? */
bool trace_setup_check(const struct trace_setup *t, char *err, size_t err_size);

/* The table: the geometries' rows are config_hw.h's. NULL past the end. */
const struct config_option *trace_options(size_t i);

/* "32 KiB, 8 ways, 64 sets, lines of 64 bytes, LRU" */
int cache_format(char *buf, size_t size, const struct cache_config *c);
int tlb_format(char *buf, size_t size, const struct tlb_config *c);

#endif
