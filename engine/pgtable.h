/* The kernel's page tables (init_mm): real entries in simulated RAM, as hw/mmu.h walks
 * them.
 *
 *   pgtable.c        reading, setting and clearing entries
 *   pgtable_boot.c   swapper_pg_dir as the boot leaves it
 *   vmap_range.c     mapping ranges in pages as large as they fit
 *   pgtable_sync.c   the kernel's half in processes
 *   pgtable_dump.c   /sys/kernel/debug/page_tables/kernel
 *
 * Where tables lie: those of the direct map and of the frame table where the boot
 * reserved room for them (boot.c); all others that the boot makes at the end of the
 * kernel image; later ones are allocated by alloc_pages when something is mapped there
 * first (__pte_alloc_kernel), and stay. A bare machine has no image: its tables lie in
 * frames behind its memory.
 *
 * I1  A table's entries that were never set are 0.
 * I2  An entry of a level above the last is a table's, or maps a large page, or is 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_PGTABLE_H
#define ENGINE_PGTABLE_H

#include "memtype.h"
#include "mmu.h"
#include "vm.h"

/* PAGE_KERNEL without what the processor does not have (NX). */
uint64_t pgtable_kernel_flags(const struct machine *m);

/* The last entry on va's way: the one that maps it, or the first that is not present. */
struct pgtable_entry {
    uint64_t at;    /* its physical address; 0: there is no root yet */
    uint64_t value; /* as in memory */
    uint32_t level; /* 1: the last */
    bool maps;      /* present, and a page rather than a table */
};
struct pgtable_entry pgtable_find(const struct machine *m, uint64_t va);
/* The same in the tables whose top one is in that frame, a process's. */
struct pgtable_entry pgtable_find_in(const struct machine *m, uint64_t root, uint64_t va);
/* The frame of va that an entry maps; PFN_NONE: it maps none. */
uint64_t pgtable_entry_frame(const struct machine *m, const struct pgtable_entry *e,
                             uint64_t va);
/* What an entry of this level maps, or would: log2 of bytes. */
uint32_t pgtable_shift(const struct machine *m, uint32_t level);
/* Has this machine large pages of this level? */
bool pgtable_level_has_pages(const struct machine *m, uint32_t level);
/* Does a present entry of this level map a page, rather than point to a table? As the
 * processor takes it. */
bool pgtable_maps_page(const struct machine *m, uint64_t entry, uint32_t level);
/* The frame that the tables have for va, PFN_NONE: none. */
uint64_t pgtable_translate(const struct machine *m, uint64_t va);
/* The entry of the last level for va: 0 when there is none, or a large page. */
uint64_t pgtable_get(const struct machine *m, uint64_t va);
/* The frame that an entry maps. */
uint64_t pgtable_frame(const struct machine *m, uint64_t entry);
/* Map one page. False: no memory for a table. */
bool pgtable_set(struct machine *m, uint64_t va, uint64_t frame, uint64_t flags);
/* The entry of this level for va, with the tables that lead to it made. False: no memory
 * for them, or a large page is in the way. */
bool pgtable_slot(struct machine *m, uint64_t va, uint32_t level,
                  struct pgtable_entry *slot);
/* Flags of a 4 KiB page's entry as those of a large page: PTE_PS, and PAT moves. */
uint64_t pgtable_large_flags(uint64_t flags);
/* Take the entry away; answers what it was. */
uint64_t pgtable_clear(struct machine *m, uint64_t va);
/* Make the tables for va, without mapping anything. */
bool pgtable_prepare(struct machine *m, uint64_t va);
/* The same for [start, end), large pages that reach into it included: costs what is
 * mapped there, and a look at each table. */
void pgtable_clear_range(struct machine *m, uint64_t start, uint64_t end);
/* Forget all tables (their frames belong to somebody else now). */
void pgtable_forget(struct machine *m);

/* ---- pgtable_boot.c ---- */

/* Frames behind a bare machine's memory that its tables need. */
uint64_t pgtable_bare_frames(const struct machine_config *c, uint64_t max_pfn);
/* Build swapper_pg_dir: direct map, kernel image, frame table, CPU entry areas, fixmap,
 * and the tables of areas whose place is fixed. None is there before. */
void pgtable_boot(struct machine *m);
/* A zeroed frame for a table of the boot's; PFN_NONE: none left. */
uint64_t pgtable_boot_frame(struct machine *m);
/* Change the flags of pages that are mapped, as change_page_attr() does: large pages that
 * keep others' flags too are split first. False: no room for a table. */
bool pgtable_protect(struct machine *m, uint64_t va, uint64_t nr_pages, uint64_t set,
                     uint64_t clear);

/* The same when the boot is over: tables come from the allocator, and *was_split says
 * whether one was needed. */
bool pgtable_change(struct machine *m, uint64_t va, uint64_t nr_pages, uint64_t set,
                    uint64_t clear, bool *was_split);

/* ---- set_memory.c ---- */

/* PAT, PCD and PWT of a 4 KiB page's entry of that type, with Linux's PAT. */
uint64_t pgtable_type_flags(enum memtype type);

/* ---- vmap_range.c ---- */

/* vmap_range_noflush(): [va, end) is [pa, ...), in pages of up to 1 << max_shift bytes
 * where addresses, size and processor allow it. A table of smaller pages that is empty
 * makes way on x86-64, not with PAE. False: no memory for tables; what is mapped
 * stays. */
bool vmap_range(struct machine *m, uint64_t va, uint64_t end, uint64_t pa, uint64_t flags,
                uint32_t max_shift);

/* ---- pgtable_sync.c: processes ---- */

enum { VM_MAX_ROOTS = 1024 };

/* A process's new root gets the kernel's half, and follows it from now on. False: there
 * are too many. */
bool pgtable_copy_kernel_half(struct machine *m, uint64_t root);
/* The root goes. */
void pgtable_drop_kernel_half(struct machine *m, uint64_t root);
/* The kernel has mapped something in [start, end): roots that need it follow. */
void pgtable_sync_mappings(struct machine *m, uint64_t start, uint64_t end);
/* vmalloc_fault(): a page fault in the kernel at va, with this root loaded. True: the
 * root only had not followed yet, and the access can be done again. */
bool pgtable_sync_fault(struct machine *m, uint64_t root, uint64_t va);

/* ---- for those ---- */

enum { PGTABLE_BYTES = 4096 };
uint32_t pgtable_entry_bytes(const struct machine *m);
uint32_t pgtable_entries(const struct machine *m, uint32_t level);
/* A whole table at once. */
void pgtable_read_table(const struct machine *m, uint64_t frame,
                        unsigned char table[PGTABLE_BYTES]);
bool pgtable_write_table(struct machine *m, uint64_t frame,
                         const unsigned char table[PGTABLE_BYTES]);
uint64_t pgtable_table_entry(const struct machine *m, const unsigned char *table,
                             uint32_t index);
void pgtable_table_set(const struct machine *m, unsigned char *table, uint32_t index,
                       uint64_t value);
uint32_t pgtable_index(const struct machine *m, uint64_t va, uint32_t level);
/* An entry that points to the table in this frame. */
uint64_t pgtable_pointer(const struct machine *m, uint64_t frame, uint32_t level);
/* The entry of this level for va, tables above it made from the boot's frames; 0: none
 * left, or a large page is in the way. */
uint64_t pgtable_boot_slot(struct machine *m, uint64_t va, uint32_t level);
uint64_t pgtable_read_entry(const struct machine *m, uint64_t at);
bool pgtable_write_entry(struct machine *m, uint64_t at, uint64_t value);

/* ---- pgtable_dump.c ---- */

/* One line of the dump: a marker, or a range of addresses whose entries have the same
 * level and flags. */
struct pgtable_line {
    const char *marker;  /* NULL: a range */
    uint64_t start, end; /* bytes; end is not in it, and 0 behind the last byte */
    uint64_t flags;      /* PTE_*; not present: all is empty there */
    uint32_t level;      /* 0 pgd, 1 p4d, 2 pud, 3 pmd, 4 pte, as the kernel counts */
};
/* The kernel's ptdump_walk_pgd() over the tables under root. */
void pgtable_dump(const struct machine *m, uint64_t root, void *ctx,
                  void (*line)(void *ctx, const struct pgtable_line *l));
/* /sys/kernel/debug/page_tables/kernel, in the kernel's layout. Length as snprintf. */
int pgtable_dump_text(char *buf, size_t size, const struct machine *m, uint64_t root);

/* The MMU with these tables, for hw/mmu.h; bus reads and writes m's RAM. */
void pgtable_mmu(const struct machine *m, struct mmu *mmu);
struct mmu_bus pgtable_bus(const struct machine *m);

/* How many tables there are, the root included; visit is called for each one. */
void pgtable_each_table(const struct machine *m, void *ctx,
                        void (*visit)(void *ctx, uint64_t frame, uint32_t level));

#endif
