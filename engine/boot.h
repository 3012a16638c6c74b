/* From a configuration to a booted machine: the memory map, zones, reservations,
 * watermarks.
 *
 * machine_create (machine.c) calls boot_max_pfn, makes the arena and the tables
 * (mm_create), then boot_memory. That one calls mm_add_range and mm_add_zone, hands free
 * memory to the allocator with free_pages_core, and computes what the kernel computes at
 * boot: watermarks, lowmem reserves, totalreserve, per-CPU batch and high, thresholds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_BOOT_H
#define ENGINE_BOOT_H

#include "mm.h"

/* Where the machine's memory ends: frames 0 .. answer - 1 can exist. 0: err has cause and
 * remedy. */
uint64_t boot_max_pfn(const struct machine_config *c, char *err, size_t err_size);

/* What the firmware's map says nothing about, below frame max_pfn, is no RAM: it reads as
 * all ones. */
void boot_add_holes(const struct machine_config *c, struct ram *ram, uint64_t max_pfn);

/* Fill the zones of a machine whose tables are made. False: err has cause and remedy. */
bool boot_memory(struct machine *m, char *err, size_t err_size);

/* vm.min_free_kbytes and vm.lowmem_reserve_ratio written: all that depends on them is
 * computed anew. */
void boot_set_min_free_kbytes(struct machine *m, uint64_t kbytes);
void boot_set_lowmem_reserve_ratio(struct machine *m, enum zone_type zone,
                                   uint32_t ratio);

#endif
