/* The memory management unit: from a virtual address through page tables to a frame, with
 * x86's rules.
 *
 *   PAGING_I386     PD -> PT              32-bit entries   4 KiB, 4 MiB (CR4.PSE, PSE-36)
 *   PAGING_PAE      PDPT -> PD -> PT      64-bit entries   4 KiB, 2 MiB
 *   PAGING_4LEVEL   PML4 -> PDPT -> PD -> PT               4 KiB, 2 MiB, 1 GiB
 *   PAGING_5LEVEL   PML5 -> PML4 -> ...                    the same
 *
 *   entry   63   62..52 51 ............... 12 11..9  8   7   6   5   4   3   2   1   0
 *          | NX |      | frame or next table |     | G | PS | D | A |PCD|PWT|U/S|R/W| P |
 *
 *   Bit 7 of a 4 KiB page's entry is PAT; a large page has it in bit 12.
 *
 * Rules, after the processor manuals:
 *   - a user access needs U/S in every entry of the walk, a write R/W in every one; a
 *     fetch needs NX clear in every one
 *   - CR0.WP off: the supervisor writes to read-only pages too
 *   - SMEP: the supervisor fetches nothing from user pages; SMAP: nor reads or writes
 *     them, unless EFLAGS.AC is set
 *   - NX is a reserved bit while EFER.NXE is off; so are address bits beyond the
 *     machine's, and PS where no page can be
 *   - the walker sets A in each entry that it passes, D in the one that maps the page
 *     when it is written; A and D of the last entry only if the access is permitted
 *   - a non-canonical address is no page fault but a general protection fault
 * PAE's four directory pointers are read from memory at each walk (as AMD's processors
 * do), not kept from the CR3 load; they have no R/W, U/S, A.
 *
 * Left out: protection keys, shadow stacks, page modification logging.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MMU_H
#define HW_MMU_H

#include "tlb.h"

enum paging { PAGING_NONE, PAGING_I386, PAGING_PAE, PAGING_4LEVEL, PAGING_5LEVEL };

enum { MMU_MAX_LEVELS = 5 };

/* What an access is, and what asks for it. */
enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH, NR_ACCESS_KINDS };

enum {
    PTE_P = 1 << 0,
    PTE_W = 1 << 1,
    PTE_U = 1 << 2,
    PTE_PWT = 1 << 3,
    PTE_PCD = 1 << 4,
    PTE_A = 1 << 5,
    PTE_D = 1 << 6,
    PTE_PS = 1 << 7,
    PTE_PAT = 1 << 7, /* in a 4 KiB page's entry */
    PTE_G = 1 << 8,
    PTE_PAT_LARGE = 1 << 12
};
#define PTE_NX ((uint64_t)1 << 63)

/* A page fault's error code. */
enum {
    PF_PRESENT = 1, /* clear: an entry was not present */
    PF_WRITE = 2,
    PF_USER = 4,
    PF_RESERVED = 8, /* a reserved bit was set */
    PF_FETCH = 16 /* reported only where fetches have a rule of their own (NXE or SMEP) */
};

enum fault_kind { FAULT_NONE, FAULT_PAGE, FAULT_PROTECTION, FAULT_BUS };

struct fault {
    enum fault_kind kind;
    uint32_t error_code; /* FAULT_PAGE: PF_* */
    uint64_t cr2;        /* FAULT_PAGE: the address */
};

struct mmu {
    enum paging paging;
    uint64_t cr3;           /* the top table's physical address */
    uint32_t pcid;          /* 0 unless CR4.PCIDE */
    uint32_t physical_bits; /* MAXPHYADDR: 32 to 52 */
    bool wp, pse, pge, nxe, smep, smap;
    bool ac;   /* EFLAGS.AC */
    bool user; /* CPL is 3 */
};

/* One entry that a walk read. */
struct walk_step {
    uint64_t at;    /* physical address of the entry */
    uint64_t value; /* as read, before A or D is set */
    uint8_t level;  /* 5 PML5 ... 1 PT */
};

struct walk {
    struct fault fault;
    uint64_t entry; /* as tlb.h has it, when there is no fault */
    uint32_t nr_steps;
    struct walk_step step[MMU_MAX_LEVELS];
};

/* How a walk reaches table entries. Answers are whole entries of size 4 or 8. */
struct mmu_bus {
    uint64_t (*read)(void *ctx, uint64_t at, uint32_t size_bytes);
    void (*write)(void *ctx, uint64_t at, uint64_t value, uint32_t size_bytes);
    void *ctx;
};

/* Walk for this access: sets A and D in memory. w->fault.kind tells whether it

 * succeeded. */
void mmu_walk(const struct mmu *m, uint64_t va, enum access_kind access,
              const struct mmu_bus *bus, struct walk *w);
/* The same without touching anything: what a walk would find now. */
void mmu_peek(const struct mmu *m, uint64_t va, enum access_kind access,
              const struct mmu_bus *bus, struct walk *w);

bool mmu_canonical(const struct mmu *m, uint64_t va);

/* For each combination of CACHE_NEEDS bits (bit n of the answer: combination n): is this
 * access allowed by it, and without asking anybody else? A write asks for D and for OWNED
 * too. One shift then decides at every level. */
uint32_t mmu_may(const struct mmu *m, enum access_kind access);
/* The fault of an access that the page's permissions (CACHE_PERMS) do not allow; kind
 * FAULT_NONE when they do, and only D is missing. */
struct fault mmu_permission_fault(const struct mmu *m, uint64_t va,
                                  enum access_kind access, uint32_t perms);

/* ---- what an operating system does with the tables ---- */

/* A zeroed frame for a table: its physical address, or UINT64_MAX. */
typedef uint64_t mmu_table_fn(void *ctx);

/* Map the page at va (of this size) to a frame; flags are the last entry's (PTE_P and
 * PTE_PS are set here, PTE_PAT of a large page is PTE_PAT_LARGE). Missing tables are
 * made, with all rights. False: no table could be had, a larger page or a table is in the
 * way, or the mode has no such page. TLBs are not told. */
bool mmu_map(const struct mmu *m, uint64_t va, uint64_t frame_address, uint64_t flags,
             enum page_size size, const struct mmu_bus *bus, mmu_table_fn *table,
             void *ctx);
/* Clear the entry that maps va; answers it, 0 when nothing did. Tables stay. */
uint64_t mmu_unmap(const struct mmu *m, uint64_t va, const struct mmu_bus *bus);

/* "PML4", "PDPT", ... of a level in this mode. */
const char *mmu_table_name(enum paging p, uint32_t level);

#endif
