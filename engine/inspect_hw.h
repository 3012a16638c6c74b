/* Looking at the hardware: caches, TLBs, page tables, memory, and what the next access
 * would find. Looking never changes anything: no line is moved, no A bit set, nothing is
 * counted.
 *
 * Levels: 1 is L1 or the first-level TLB, 2 is L2 or the STLB; side tells L1I and the
 * ITLB from L1D and the DTLB.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_INSPECT_HW_H
#define ENGINE_INSPECT_HW_H

#include "hardware.h"

/* ---- caches ---- */

enum hw_part { PART_L1I, PART_L1D, PART_L2, PART_ITLB, PART_DTLB, PART_STLB, NR_PARTS };
/* "l1i", "l1d", ...; and the other way round: NR_PARTS when there is no such name. */
const char *part_name(enum hw_part part);
enum hw_part part_by_name(const char *name);
static inline bool part_is_tlb(enum hw_part part) { return part >= PART_ITLB; }

/* A CPU's memory system: hardware_cpu() for those who do not include hardware.h. */
const struct memsys *hw_memsys(const struct machine *m, uint32_t cpu);
/* The cache, or the cache that a TLB is made of; NULL: the CPU has none. */
const struct cache *hw_cache(const struct machine *m, uint32_t cpu, enum hw_part part);

/* One line of a cache. */
struct line_view {
    bool valid, dirty;
    char state;      /* M, E, S; I: not valid */
    bool is_virtual; /* the tag is: va and asid say what it means */
    uint64_t key;    /* as the cache compares it */
    uint64_t va;     /* first byte; only with virtual tags */
    uint64_t pa;     /* first byte */
    uint32_t asid;
    uint32_t perms;             /* CACHE_U, W, X, D: virtual tags */
    uint32_t age;               /* 0: the youngest; LRU and FIFO */
    bool is_victim;             /* the next fill of this set takes it */
    const unsigned char *bytes; /* its line_bytes, or NULL */
};
struct line_view hw_line(const struct machine *m, uint32_t cpu, enum hw_part part,
                         uint32_t set, uint32_t way);

/* One entry of a TLB. */
struct tlb_view {
    bool valid, global;
    uint64_t va, pa;
    uint32_t shift; /* log2 of the page's size */
    uint32_t asid;  /* 0 for a global one */
    uint32_t perms; /* CACHE_U, W, X, D */
    uint32_t pat;   /* PAT, PCD, PWT as a number */
    uint32_t age;
    bool is_victim;
    bool stale; /* the tables of the address space loaded now say otherwise; only where
                   the entry belongs to it */
};
struct tlb_view hw_tlb_entry(const struct machine *m, uint32_t cpu, enum hw_part part,
                             uint32_t set, uint32_t way);

/* One entry of a paging-structure cache (hw/psc.h): level 2 leads to page tables. */
struct psc_view {
    bool valid;
    uint64_t va; /* the first that it is for */
    uint32_t shift, asid;
    uint64_t table; /* physical address of the table below */
    uint32_t perms; /* CACHE_U, W, X: of the entries so far */
    uint32_t age;
};
/* Ways of that level's; 0: the CPU has none. */
uint32_t hw_psc_ways(const struct machine *m, uint32_t cpu, uint32_t level);
struct psc_view hw_psc_entry(const struct machine *m, uint32_t cpu, uint32_t level,
                             uint32_t way);

/* ---- the next access ---- */

/* Where one level would look. */
struct probe_view {
    bool there; /* the CPU has this part, and the access comes so far */
    bool hit;
    enum hw_part part;
    uint32_t set, way; /* way: that hits, else that a fill would take */
};
struct access_view {
    uint64_t va, pa;
    bool user, translated; /* pa is known */
    enum access_kind kind;
    bool virtual_first; /* L1 is asked before the TLBs: its tags are virtual */
    struct probe_view l1, tlb, stlb, l2;
    bool walks; /* no TLB has it: walk is what the walker will find */
    struct walk walk;
    struct fault fault; /* how it would end; FAULT_NONE */
};
/* What an access of one byte by this CPU would find now. Answers false for a CPU that is
 * not there. */
bool hw_peek(const struct machine *m, uint32_t cpu, uint64_t va, enum access_kind kind,
             bool user, struct access_view *out);

/* Where one part has va, whether or not the access would come so far: tags that are
 * physical are compared with what the tables say. there: false when they say nothing. */
struct probe_view hw_find(const struct machine *m, uint32_t cpu, enum hw_part part,
                          uint64_t va, enum access_kind kind);
/* What the walker would find for this access now, whatever the TLBs have. */
bool hw_walk(const struct machine *m, uint32_t cpu, uint64_t va, enum access_kind kind,
             bool user, struct walk *w);
/* Does the address lie in user space, and has the CPU a user address space loaded? Then
 * the access is most likely meant to be user mode's. */
bool hw_is_user(const struct machine *m, uint32_t cpu, uint64_t va);

/* ---- the last access ---- */

struct last_access {
    bool there, done; /* done: it did not fault */
    uint64_t va, value;
    uint32_t size;
    enum access_kind kind;
    enum access_mode mode;
    struct fault fault;    /* when it was not done */
    struct memsys_tally n; /* what it counted, all restarts of the instruction */
};
struct last_access hw_last_access(const struct machine *m, uint32_t cpu);

/* A TLB's or cache's page or line permissions as letters: "UWXD", - for what is not. */
void perms_format(char buf[5], uint32_t perms);

/* ---- address spaces ---- */

enum { MM_VIEW_VMAS = 32 };
struct mm_view {
    uint32_t mm;
    uint64_t pgd; /* frame of the top table */
    uint64_t ctx_id, tlb_gen, nr_tables, nr_pages, nr_faults;
    uint64_t cpus; /* bit n: CPU n has it loaded */
    uint32_t nr_vmas;
    struct {
        uint64_t start, end;
        uint32_t prot; /* VM_READ 1, VM_WRITE 2, VM_EXEC 4 */
    } vma[MM_VIEW_VMAS];
};
/* The first address space from number mm on (the first there can be is 1); false: none.
 */
bool hw_next_mm(const struct machine *m, uint32_t mm, struct mm_view *out);
/* Whose process runs on a CPU (0: a kernel thread), whose tables it has loaded, and
 * whether only lazily. */
struct mm_cpu_view {
    uint32_t mm, loaded_mm, asid;
    bool lazy, pending; /* pending: a flush's interrupt waits */
};
struct mm_cpu_view hw_mm_of_cpu(const struct machine *m, uint32_t cpu);

/* ---- page tables ---- */

/* A table: where it lies, and what it covers. */
struct table_view {
    enum paging paging;
    uint64_t pa;    /* of its first byte */
    uint64_t first; /* the first virtual address that it covers */
    uint32_t level; /* 1 the last (PT) */
    uint32_t entries, entry_bytes;
    uint32_t shift;   /* log2 of what an entry covers */
    const char *name; /* "PML4", "PDPT", "PD", "PT" */
};
struct entry_view {
    uint32_t index;
    uint64_t at, value; /* where the entry lies, and what is in it */
    uint64_t va;        /* the first address that it covers */
    uint64_t pa;        /* of the page or table that it points to */
    bool present, page; /* page: it maps one; otherwise it points to a table */
};
/* The top table of what a CPU has loaded, or of address space mm (0: the kernel's).
 * False: paging is off, no such mm. */
bool hw_root_of_cpu(const struct machine *m, uint32_t cpu, struct table_view *out);
bool hw_root_of_mm(const struct machine *m, uint32_t mm, struct table_view *out);
struct entry_view hw_entry(const struct machine *m, const struct table_view *t,
                           uint32_t index);
/* The first entry that is not 0, from index on; false: none. Costs nothing where the
 * table's frame was never written. */
bool hw_next_entry(const struct machine *m, const struct table_view *t, uint32_t index,
                   struct entry_view *out);
/* The table that an entry points to; false: it points to none. */
bool hw_table_below(const struct machine *m, const struct table_view *t,
                    const struct entry_view *e, struct table_view *out);
/* An entry's flags: in letters ("PWUAD", bits that are not set left out), or in words
 * ("present, writable, user, accessed, dirty"). */
int entry_flags_letters(char *buf, size_t size, const struct table_view *t,
                        uint64_t value);
int entry_flags_words(char *buf, size_t size, const struct table_view *t, uint64_t value);
/* A page fault's error code in words: "write by user mode to a page that is not
 * present". */
int fault_words(char *buf, size_t size, const struct fault *f);

/* ---- memory ---- */

/* Bytes of physical memory, the newest copy of each, whichever cache has it. False: part
 * of it is not there (reads 0xff). */
bool hw_read_phys(const struct machine *m, uint64_t pa, void *to, size_t n);
/* Bytes at a virtual address as a load by this CPU would answer them: its TLBs, even if
 * stale, and its own caches first. there[i] tells whether byte i can be read at all; NULL
 * if nobody wants to know. Answers how many can. */
size_t hw_read_virt(const struct machine *m, uint32_t cpu, uint64_t va, bool user,
                    unsigned char *to, bool *there, size_t n);

#endif
