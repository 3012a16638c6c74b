/* struct mm_struct: address spaces of processes. Each has page tables of its own (the
 * kernel's half is the kernel's), areas that mmap() made, and a number by which TLBs may
 * know it.
 *
 *   mm_struct.c   areas, mapping and unmapping
 *   mm_tables.c   the tables: walking, making and freeing them
 *   fault.c       exc_page_fault(): pages come when they are touched
 *   tlbflush.c    switch_mm(), and keeping other CPUs' TLBs honest
 *
 * Models mm/mmap.c, mm/memory.c (anonymous memory), arch/x86/mm/{pgtable,fault,tlb}.c.
 * Number 0 is the kernel's own, init_mm. A CPU runs the process whose mm it was switched
 * to; switched to 0 it runs a kernel thread, which borrows the page tables that are
 * loaded (lazy TLB).
 *
 * Pages of areas belong to the address space: they are zero-filled, and freed with it. A
 * read of a page that was never written maps the zero page. What as_map_page() maps
 * belongs to the caller (the entry is marked special, as for a driver's mapping).
 *
 * PCIDs as the kernel uses them on 64 bits: a CPU remembers the last 6 address spaces
 * (loaded_mm_asid, ctxs[]), each with the tlb_gen up to which its entries have been
 * flushed; switching back to one of them flushes nothing unless it is behind. Without
 * PCIDs, and on 32 bits, each switch flushes all that is not global.
 *
 * A CPU whose interrupts are off takes a flush's interrupt when they are on again. The
 * kernel's sender waits for it; here it goes on, and what the other CPU does until then
 * is not simulated to stand still. (The event ipi:pending says so.)
 *
 * I1  Areas of an address space are sorted, do not overlap and lie below TASK_SIZE.
 * I2  Every table of an address space's user part is counted in nr_tables, is in no other
 *     one, and its frame is allocated.
 *     Nobody else can free it, nor a page of an area (PG_KEPT).
 * I3  Every present entry that is not special maps a page that is allocated, inside an
 *     area: nr_pages of them.
 * I4  An address space that a CPU has loaded exists, and has the CPU in its cpumask.
 *
 * Left out: files, swap, transparent huge pages, fork and its copy on write, locks of an
 * mm, the LRU and reverse mappings of the pages, page tables in HighMem (CONFIG_HIGHPTE);
 * struct mm_struct and areas are not in slabs. PAE's directory pointers take a page, not
 * 32 bytes of a slab.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_MM_STRUCT_H
#define ENGINE_MM_STRUCT_H

#include "hardware.h"

enum { MAX_MMS = 64, MAX_VMAS = 32, NR_DYN_ASIDS = 6 };

/* Bits of mmap()'s prot. */
enum { VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4, VM_ALL = 7 };

/* A bit of a present entry that the processor ignores: _PAGE_SPECIAL. */
#define PTE_SPECIAL ((uint64_t)1 << 9)
/* A page of an area without rights (PROT_NONE): there for the kernel, not for the
 * processor (_PAGE_PROTNONE, in the last level's entries). */
#define PTE_PROTNONE ((uint64_t)PTE_G)
static inline bool as_pte_present(uint64_t entry)
{
    return entry & (PTE_P | PTE_PROTNONE);
}
/* Flags of as_map_page() besides those of an entry: a page of the next level, or of the
 * one above it. */
#define MAP_LARGE ((uint64_t)1 << 56)
#define MAP_HUGE ((uint64_t)1 << 57)

struct vma {
    uint64_t start, end; /* bytes; end is not in it */
    uint32_t prot, pad;
};

struct mm_struct {
    uint64_t ctx_id; /* 0: this number is free; never the same twice */
    uint64_t pgd;    /* frame of the top table */
    uint64_t tlb_gen;
    uint64_t cpumask;   /* CPUs that have it loaded, lazy ones too */
    uint64_t nr_tables; /* pages that are tables, the top one too */
    uint64_t nr_pages;  /* anonymous pages that are mapped */
    uint64_t nr_faults;
    uint64_t op; /* number of the operation that made it */
    uint32_t nr_vmas, pad;
    struct vma vma[MAX_VMAS];
};

struct mm_context {
    uint64_t ctx_id, tlb_gen;
};
/* cpu_tlbstate */
struct mm_cpu {
    uint32_t mm;        /* whose process runs; 0: a kernel thread */
    uint32_t loaded_mm; /* whose tables CR3 has */
    uint32_t asid;      /* which of ctx[] that is */
    uint32_t next_asid;
    uint32_t lazy; /* loaded_mm is only borrowed */
    /* a flush that came while interrupts were off: */
    uint32_t pending; /* PENDING_* */
    uint64_t pending_start, pending_end;
    struct mm_context ctx[NR_DYN_ASIDS];
};
enum { PENDING_MM = 1, PENDING_RANGE = 2, PENDING_ALL = 4 };

struct mm_table { /* in the arena */
    uint64_t last_ctx_id;
    struct mm_cpu cpu[MAX_CPUS];
    struct mm_struct mm[MAX_MMS]; /* [0]: init_mm, without areas */
};

uint64_t as_arena_bytes(const struct machine_config *c);
/* False: the arena is too small. */
bool as_create_table(struct machine *m);
/* A state was loaded, or the kernel's tables are new: no process is left (their frames
 * belong to others now), every CPU has init_mm. */
void as_reset(struct machine *m);

/* NULL: no such address space. */
const struct mm_struct *as_find(const struct machine *m, uint64_t mm);
static inline const struct mm_cpu *as_cpu(const struct machine *m, uint32_t cpu)
{
    return &m->mms->cpu[cpu];
}
/* The end of user space. */
uint64_t as_task_size(const struct machine *m);
const struct vma *as_find_vma(const struct machine *m, uint64_t mm, uint64_t va);
/* The page of zeros, PFN_NONE: a bare machine has none. */
uint64_t as_zero_page(const struct machine *m);

/* ---- operations ---- */

/* A new address space without areas: its number, 0 when memory is used up. */
uint64_t as_create(struct machine *m);
/* The last process that had it ends: all pages and tables are freed. CPUs that have it
 * loaded go to init_mm first. */
void as_exit(struct machine *m, uint64_t mm);
/* An area for len bytes; start 0: the kernel chooses, downwards. What was at start is
 * replaced (MAP_FIXED). Answers where it is, 0 when it cannot be. */
uint64_t as_mmap(struct machine *m, uint64_t mm, uint64_t start, uint64_t len,
                 uint64_t prot);
bool as_munmap(struct machine *m, uint64_t mm, uint64_t start, uint64_t len);
bool as_mprotect(struct machine *m, uint64_t mm, uint64_t start, uint64_t len,
                 uint64_t prot);
/* Map one page of the caller's at va, with flags of the last entry (PTE_W, PTE_U, PTE_PCD
 * ..., MAP_LARGE, MAP_HUGE). TLBs are not told. False: something is mapped there, no
 * memory for a table, no such page. */
bool as_map_page(struct machine *m, uint64_t mm, uint64_t va, uint64_t frame,
                 uint64_t flags);
/* Take away what as_map_page mapped. flush: TLBs are told, as they should be. */
bool as_unmap_page(struct machine *m, uint64_t mm, uint64_t va, bool flush);

/* One of OP_MM_CREATE ... OP_FLUSH_TLB_MM. */
uint64_t as_do(struct machine *m, const struct op *op);
static inline bool as_is_op(uint16_t kind)
{
    return kind >= OP_MM_CREATE && kind <= OP_FLUSH_TLB_MM;
}

/* ---- fault.c ---- */

/* Handle the fault of the access that this CPU has just tried. True: try it again. */
bool exc_page_fault(struct machine *m, const struct fault *f, uint32_t mode);

/* ---- tlbflush.c ---- */

/* context_switch()'s half that concerns memory; 0: a kernel thread. */
void as_switch(struct machine *m, uint64_t mm);
enum { FLUSH_ALL = 0 }; /* as end: everything */
/* flush_tlb_mm_range(): all CPUs that may have entries of mm for [start, end). sync: also
 * those whose interrupts are off, at once. */
void flush_tlb_mm_range(struct machine *m, uint64_t mm, uint64_t start, uint64_t end,
                        bool freed_tables, bool sync);
/* Flushes that waited on this CPU, if its interrupts are on now. */
void tlb_flush_pending(struct machine *m);
/* Every CPU to init_mm, with empty contexts. */
void tlb_state_reset(struct machine *m);

/* ---- mm_tables.c ---- */

/* The last entry on va's way: the one that maps it, or the first that is not present. */
struct as_entry {
    uint64_t at, value; /* at: its physical address */
    uint32_t level;     /* 1: the last */
    bool maps;
};
struct as_entry as_find_entry(const struct machine *m, uint64_t mm, uint64_t va);
/* The physical address of the entry of this level for va, tables made as needed; 0: no
 * memory, or a larger page is in the way. */
uint64_t as_make_entry(struct machine *m, uint64_t mm, uint64_t va, uint32_t level);
void as_set_entry(struct machine *m, uint64_t va, uint64_t at, uint64_t value);
/* The top table, with the kernel's half. */
bool as_make_root(struct machine *m, uint64_t mm);
/* unmap_vmas(), free_pgtables(), and the flush between: [start, end) becomes empty, its
 * anonymous pages are freed; tables that no area needs any more, too. */
void as_unmap_region(struct machine *m, uint64_t mm, uint64_t start, uint64_t end);
/* All tables: everything is unmapped already. */
void as_free_root(struct machine *m, uint64_t mm);
/* Calls visit for each table of the user part, the top one too, and each present entry
 * that maps a page. */
struct as_visitor {
    void (*table)(void *ctx, uint64_t frame, uint32_t level);
    void (*page)(void *ctx, uint64_t va, uint64_t entry, uint32_t level);
    void *ctx;
};
void as_visit(const struct machine *m, uint64_t mm, const struct as_visitor *v);

static inline struct mm_struct *as_w(struct machine *m, uint64_t mm)
{
    struct mm_struct *as = &m->mms->mm[mm];
    arena_mark(&m->arena, as);
    arena_mark(&m->arena, (unsigned char *)(as + 1) - 1);
    return as;
}
static inline struct mm_cpu *as_cpu_w(struct machine *m, uint32_t cpu)
{
    struct mm_cpu *c = &m->mms->cpu[cpu];
    arena_mark(&m->arena, c);
    arena_mark(&m->arena, (unsigned char *)(c + 1) - 1);
    return c;
}

const char *as_check(const struct machine *m);

#endif
