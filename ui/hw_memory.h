/* Memory and page tables as the panes of the hardware view show them, beyond what
 * engine/inspect_hw.h answers: many bytes at a time, any tables, and where a byte is.
 * Nothing is changed or counted.
 *
 *   memory_translate    where the CPU would find an address now
 *   memory_see          the bytes as the CPU would load them, and as RAM has them
 *   memory_holder       the way of a cache that holds a line
 *   table_read          a whole page table
 *   table_next_mapped   pages in use, without looking at the gaps between them
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HW_MEMORY_H
#define UI_HW_MEMORY_H

#include "hardware.h"
#include "inspect_hw.h"

/* A walk that leaves no trace, by the rules of a supervisor's load. */
void table_walk(const struct machine *m, const struct mmu *mmu, uint64_t va,
                struct walk *w);

enum memory_via { VIA_NOTHING, VIA_PHYSICAL, VIA_DTLB, VIA_STLB, VIA_WALK };
struct memory_at {
    enum memory_via via; /* VIA_NOTHING: it would fault */
    uint64_t pa;
    uint64_t entry; /* as tlb.h has it */
    uint64_t left;  /* bytes from va on to the end of its page */
};
/* Through the CPU's own TLBs, as a load would go; a stale entry translates. With other
 * tables than the CPU's: by walk. mmu NULL: the CPU's. */
struct memory_at memory_translate(const struct machine *m, uint32_t cpu,
                                  const struct mmu *mmu, uint64_t va);

/* The way of a cache that holds the line of a physical address, whatever its tags: the
 * dirty one if there are several (virtual tags). */
bool memory_holder(const struct machine *m, uint32_t cpu, enum hw_part part, uint64_t pa,
                   uint32_t *set, uint32_t *way);

/* The frames of which some cache of some CPU holds bytes that are newer than memory,
 * ascending, each once. Answers how many there are, and writes the first most of them. */
size_t memory_dirty_frames(const struct machine *m, uint64_t *frames, size_t most);
/* Nothing but zeros in RAM (not looked at: never written), and no newer bytes in caches?
 * dirty: all of memory_dirty_frames. */
bool memory_frame_is_blank(const struct machine *m, uint64_t frame, const uint64_t *dirty,
                           size_t nr_dirty);

/* Where the CPU would find a byte. */
enum seen_from { SEEN_NOWHERE, SEEN_RAM, SEEN_L2, SEEN_L1, SEEN_OTHER };

/* n bytes from va (physical: from pa) on: what the CPU would load, what RAM holds, and
 * where it would be found (enum seen_from). Bytes that are not there are 0. */
void memory_see(const struct machine *m, uint32_t cpu, const struct mmu *mmu,
                bool physical, uint64_t at, size_t n, unsigned char *seen,
                unsigned char *ram, unsigned char *from);

/* ---- page tables ---- */

struct table_shape {
    uint32_t levels, index_bits, entry_bytes;
};
struct table_shape table_shape(enum paging paging);
/* Entries of a table of this level (a PAE directory pointer table has four). */
uint32_t table_entries(enum paging paging, uint32_t level);
uint32_t table_level_shift(enum paging paging, uint32_t level);
/* All entries of a table, one read; answers how many. */
enum { TABLE_MAX_ENTRIES = 1024 };
uint32_t table_read(const struct machine *m, enum paging paging, uint64_t table_pa,
                    uint32_t level, uint64_t entries[TABLE_MAX_ENTRIES]);
uint64_t table_root(const struct mmu *mmu); /* physical address */
/* What an entry is. */
enum entry_kind { ENTRY_EMPTY, ENTRY_NOT_PRESENT, ENTRY_TABLE, ENTRY_PAGE };
enum entry_kind table_entry_kind(const struct mmu *mmu, uint32_t level, uint64_t value);
/* Where it points, a physical address. */
uint64_t table_entry_target(const struct mmu *mmu, uint32_t level, uint64_t value);
/* Bits of an index above the sign are copies of it: the canonical address. */
uint64_t table_canonical(enum paging paging, uint64_t va);

/* The first mapped page at va or above it. False: there is none, or budget tables have
 * been read (then *va is where it stopped and *budget 0). */
bool table_next_mapped(const struct machine *m, const struct mmu *mmu, uint64_t *va,
                       uint64_t *size_bytes, uint32_t *budget);

#endif
