/* One processor's way to memory: TLBs, page-table walker, first-level caches,
 * second-level cache, RAM. Several of them, joined by a bus: hw/smp.h.
 *
 *      virtual address
 *        |            \                          physical or VIPT tags: translation first
 *        |        ITLB/DTLB -> STLB -> walk ----- virtual tags: only on an L1 miss
 *        v                               |
 *      L1I/L1D --miss--> L2 <--entries---+
 *                        L2 --miss--> RAM
 *
 * The same code runs an access in two ways. memsys_access() is an operation of the
 * machine: every step is an event, every change is marked in the arena, and lines hold
 * bytes if configured so. memsys_run() takes many references at once and only counts; it
 * marks everything beforehand and announces nothing, which is what makes long traces
 * fast.
 *
 * An access inside one first-level miss, in this order: L1 chooses its victim; the demand
 * fetch goes to L2; the dirty victim is written to L2 (a hit there becomes the youngest,
 * a miss allocates without fetching); the line is filled. A reference that touches two
 * lines is two accesses, the low one first; one that touches two pages is two accesses of
 * the TLB. A first-level TLB hit does not touch the second level, a miss fills both.
 *
 * A line of a virtually tagged L1 carries its page's permissions, so a hit is checked as
 * a TLB hit is. A write needs D in the line or TLB entry; without it the tables are
 * walked again and D set.
 *
 * What a processor may have beside that (coherence with others, hw/smp.h; inclusion;
 * memory types, hw/memtype.h; paging-structure caches, hw/psc.c; hazards announced) is in
 * memsys_config and only memsys_access has it. A store that crosses into a page that
 * faults writes nothing, as long as nobody mends faults inside of it (on_fault).
 *
 * Calls, in order: memsys_create, (memsys_set_mmu, ...), memsys_access or memsys_run ...
 *
 * Left out: prefetch, a third level, store buffers and what they let others see late,
 * locked accesses, paging-structure caches and memory types in memsys_run's own way.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMSYS_H
#define HW_MEMSYS_H

#include "cost.h"
#include "lean_walker.h"
#include "memtype.h"
#include "missclass.h"
#include "mmu.h"
#include "probe.h"
#include "ram.h"
#include "sparse.h"

enum tagging {
    TAG_PIPT, /* physical index, physical tag */
    TAG_VIPT, /* virtual index, physical tag */
    TAG_VIVT, /* virtual index and tag: whoever changes the address space must flush */
    TAG_VIVT_ASID /* virtual tags with the address space's number */
};

enum translation {
    TRANSLATE_IDENTITY,    /* physical = virtual; TLBs count, walks read nothing */
    TRANSLATE_FIRST_TOUCH, /* frames in order of first touch, from first_pfn on */
    TRANSLATE_TABLES       /* page tables in RAM */
};

enum side { SIDE_I, SIDE_D, NR_SIDES };

/* Between L1 and L2. */
enum inclusion {
    INCLUSION_NONE,      /* neither (NINE): each fills and evicts by itself */
    INCLUSION_INCLUSIVE, /* what L2 evicts leaves L1 too (back-invalidation) */
    INCLUSION_EXCLUSIVE  /* a line is in L1 or in L2: hits move up, victims move down */
};

struct memsys_config {
    struct cache_config l1[NR_SIDES],
        l2; /* ways 0: not there. L2's lines are at least as long as L1's */
    struct tlb_config tlb[NR_SIDES], stlb; /* entries 0: not there */
    enum tagging tagging;
    enum translation translation;
    uint64_t first_pfn;
    bool write_through;     /* L1D: every store goes to L2 as well */
    bool no_write_allocate; /* L1D: a store that misses goes to L2 only */
    bool data;              /* lines hold bytes: memsys_access only */
    bool causes;            /* tell misses by cause (costs time) */
    /* The rest is memsys_access's; with any of it (but cost) memsys_run calls that. */
    enum inclusion inclusion;
    /* L1I, L1D, the walker, devices and other processors see each other's writes, by
     * snooping (hw/smp.h) */
    bool coherent;
    bool memory_types;   /* PWT, PCD and PAT are obeyed; else all is write-back */
    uint64_t pat;        /* the PAT to begin with: PAT_POWER_ON, PAT_LINUX */
    uint32_t wc_buffers; /* write-combining buffers, up to WC_MAX; 0: each store alone */
    uint32_t psc[MMU_MAX_LEVELS + 1]; /* paging-structure caches: entries for level 2 (PD)
                                         to 5; 0: none */
    bool detect;                      /* announce synonyms, homonyms, stale entries */
    const struct cost_model *cost;    /* NULL: no cycles */
};

/* What goes over the bus that joins processors. */
enum bus_kind {
    BUS_RD,   /* a line, to read: others keep it, shared */
    BUS_RDX,  /* a line, to write: others lose it */
    BUS_UPGR, /* the right to write a line that we have: others lose it */
    BUS_WR,   /* bytes to memory, past our caches: others lose the line */
    NR_BUS_KINDS
};

/* What software does to lines. */
enum cache_op {
    CACHE_CLEAN = 1,      /* write back what is dirty, keep it (clwb) */
    CACHE_INVALIDATE = 2, /* throw out, dirty or not: what was not written back is lost */
    CACHE_FLUSH = 3,      /* write back and throw out (clflush, wbinvd) */
    NR_CACHE_OPS = 4
};

enum l2_use {
    L2_FETCH,  /* a line for L1 */
    L2_VICTIM, /* L1's dirty victim */
    L2_STORE,  /* a store that L1 writes through */
    L2_WALK,   /* a table entry, read or written */
    NR_L2_USES
};

/* What was counted, as few numbers as possible; without L2 its accesses are memory's, and
 * all miss. */
struct memsys_tally {
    uint64_t l1_access[NR_ACCESS_KINDS], l1_miss[NR_ACCESS_KINDS]; /* ACCESS_FETCH: L1I */
    uint64_t l1_straddle[NR_SIDES]; /* references that touched two lines */
    uint64_t l1_writeback[NR_SIDES];
    uint64_t l2_access[NR_L2_USES], l2_miss[NR_L2_USES], l2_writeback;
    uint64_t tlb_access[NR_SIDES], tlb_miss[NR_SIDES];
    uint64_t tlb_straddle[NR_SIDES]; /* references that touched two pages */
    uint64_t stlb_access, stlb_miss;
    uint64_t walks, faults;
    uint64_t direct_bytes; /* written to memory past L2 */
    struct miss_causes l1_causes[NR_SIDES], l2_causes, tlb_causes[NR_SIDES], stlb_causes;
    /* memsys_access only */
    uint64_t bus[NR_BUS_KINDS]; /* transactions of ours */
    uint64_t supplied;          /* lines that another cache had changed and gave us */
    uint64_t spared;            /* L2_FETCH misses that memory did not have to answer */
    uint64_t invalidated;       /* lines of ours that others' writes took */
    uint64_t back_invalidated;  /* lines of L1 that went because L2 evicted them */
    uint64_t uncached[NR_ACCESS_KINDS];
    uint64_t wc_stores, wc_bursts;
    uint64_t psc_access[MMU_MAX_LEVELS + 1], psc_hit[MMU_MAX_LEVELS + 1];
    uint64_t walk_steps; /* table entries read */
    uint64_t line_flushes;
    uint64_t ipi_sent, ipi_received, ipi_acked, tlb_flushed; /* entries thrown out */
    uint64_t synonyms, homonyms, stale_entries;              /* with config.detect */
};

HW_INLINE uint64_t tally_l1_accesses(const struct memsys_tally *n, enum side side)
{
    return side == SIDE_I ? n->l1_access[ACCESS_FETCH]
                          : n->l1_access[ACCESS_READ] + n->l1_access[ACCESS_WRITE];
}
HW_INLINE uint64_t tally_l1_misses(const struct memsys_tally *n, enum side side)
{
    return side == SIDE_I ? n->l1_miss[ACCESS_FETCH]
                          : n->l1_miss[ACCESS_READ] + n->l1_miss[ACCESS_WRITE];
}
HW_INLINE uint64_t tally_l2_accesses(const struct memsys_tally *n)
{
    return n->l2_access[L2_FETCH] + n->l2_access[L2_VICTIM] + n->l2_access[L2_STORE] +
           n->l2_access[L2_WALK];
}
HW_INLINE uint64_t tally_l2_misses(const struct memsys_tally *n)
{
    return n->l2_miss[L2_FETCH] + n->l2_miss[L2_VICTIM] + n->l2_miss[L2_STORE] +
           n->l2_miss[L2_WALK];
}

/* A write-combining buffer. */
enum { WC_MAX = 8, WC_BYTES = 64 };
struct wc_buffer {
    uint64_t line; /* physical address of its first byte */
    uint64_t mask; /* bit i: byte i has been written; 0: the buffer is free */
    unsigned char bytes[WC_BYTES];
};

/* All that changes while it runs, apart from the arrays of caches and TLBs; in the

 * arena. */
struct memsys_state {
    struct mmu mmu;
    uint32_t page_may[NR_ACCESS_KINDS]; /* mmu_may() of a TLB entry */
    uint32_t line_may[NR_ACCESS_KINDS]; /* ... of an L1 line */
    uint64_t space;                     /* tlb_space() of the address space */
    uint64_t line_space;   /* the same for L1's keys: 0 where they have none */
    uint32_t frames_given; /* TRANSLATE_FIRST_TOUCH */
    struct memsys_tally n;
    struct fault fault; /* of the last access that faulted */
    uint64_t pat;
    struct memsys_tally before; /* n as it was before the last access ... */
    uint32_t last_quick;        /* ... but 1 + its kind when it was only an L1 hit */
    uint32_t wc_next;           /* the write-combining buffer that goes next */
    struct wc_buffer wc[WC_MAX];
};

/* One side of the first level. */
struct front {
    struct cache l1;
    struct tlb tlb;
    struct missclass causes, tlb_causes;
    bool has_l1, has_tlb;
};

struct smp;
struct line_index;
struct memsys;
/* Asked when a walk faults: true, it has been mended, walk again. */
typedef bool memsys_fault_fn(void *ctx, struct memsys *m, const struct fault *f);

struct memsys {
    struct memsys_config config;
    struct arena *arena;
    struct ram *ram;     /* TRANSLATE_TABLES, data */
    struct probe *probe; /* memsys_access */
    struct front front[NR_SIDES];
    struct cache l2;
    struct tlb stlb;
    struct missclass l2_causes, stlb_causes;
    struct cache psc[MMU_MAX_LEVELS + 1]; /* [level], home[]: see hw/psc.h */
    bool has_l2, has_stlb, has_psc;
    bool full; /* something that only the full way of an access does: hw/memsys_full.c */
    struct smp *smp;   /* NULL: alone */
    uint32_t cpu;      /* which of its processors */
    uint32_t bus_line; /* bytes of a bus transaction: the longest line above the bus */
    bool virtual_tags;
    bool lean;                 /* made as hw/memsys_lean.h wants it */
    bool lean_live;            /* ... for memsys_access, too */
    struct lean_walker walker; /* outside of the arena */
    bool lean_eight;           /* ... with 8 ways in L1I, L1D and L2 */
    uint64_t lean_l1_mask[NR_SIDES], lean_tlb_mask[NR_SIDES], /* sets - 1, in bytes */
        lean_l2_mask, lean_stlb_stride;
    bool quick_live;      /* see memsys_access: a hit of the youngest line is simple */
    uint64_t marked_era;  /* of the arena: all that an access changes is marked */
    uint32_t marking;     /* accesses since memsys_access last looked for that */
    struct sparse frames; /* page number to 1 + how many frames were given before it */
    struct memsys_state *s;
    memsys_fault_fn *on_fault;
    void *on_fault_ctx;
    bool out_of_memory;       /* the arena was full: counts no longer hold */
    struct line_index *index; /* has the caches and TLBs now: see memsys_home() */
    size_t index_worth;       /* so many references are worth making one; 1: always */
    /* memsys_run may leave it out between its calls; memsys_home() in the end frees it */
    bool index_kept;
    bool index_wanted;   /* then: many references missed, of these: */
    uint64_t index_seen; /* ... so many */
    bool index_plain;    /* for tests: as on a processor without SSE 4.1 */
    uint64_t indexed;    /* references done through one */
};

/* While memsys_run is under way its caches and TLBs may be in an index (hw/line_index.h),
 * and between its calls if index_kept says so: for who runs references in many small
 * parts, and asks for nothing but counts meanwhile. What uses them otherwise, on_fault
 * for one, brings them home first. */
void memsys_bring_home(struct memsys *m);
void memsys_bring_kept_home(struct memsys *m); /* not one that runs */
static inline void memsys_home(const struct memsys *m)
{
    if (UNLIKELY(m->index != NULL)) {
        memsys_bring_home((struct memsys *)(uintptr_t)m);
    }
}

/* NULL, or what is wrong with it, and with which part ("l1d"). */
const char *memsys_config_error(const struct memsys_config *c, const char **part);
/* Bytes of arena for the fixed part; tables, first touches and causes take chunks on
 * top. */
size_t memsys_size_bytes(const struct memsys_config *c);
/* False when the arena is full. The configuration is a good one. */
bool memsys_create(struct memsys *m, struct arena *a, struct ram *ram,
                   struct probe *probe, const struct memsys_config *config);

/* The same for one of several processors (hw/smp.c): L2 is sharer's, if given. */
bool memsys_create_sharing(struct memsys *m, struct arena *a, struct ram *ram,
                           struct probe *probe, const struct memsys_config *config,
                           const struct memsys *sharer);
/* After the arena has been restored to another time: what is remembered outside of it no
 * longer holds. */
void memsys_forget(struct memsys *m);
/* All that is not in caches and TLBs is about to change. */
static inline void memsys_mark_state(struct memsys *m) { arena_mark(m->arena, m->s); }

/* Mark all that an access can change, apart from bytes and tables. */
void memsys_mark_all(struct memsys *m);

/* What all accesses so far cost, and the last one (with config.cost, else 0). */
struct cycles memsys_cycles(const struct memsys *m);
struct cycles memsys_last_cycles(const struct memsys *m);

/* Load the control registers. Flushes nothing: see the tlb_* calls and

 * memsys_load_cr3. */
void memsys_set_mmu(struct memsys *m, const struct mmu *mmu);
/* MOV to CR3: TLB entries that are not global go; with keep (PCID and bit 63 set) none
 * does. Virtually tagged caches stay as they are: flushing them is software's
  * business. */
void memsys_load_cr3(struct memsys *m, uint64_t cr3, uint32_t pcid, bool keep);
/* INVLPG: the page of va leaves all TLBs. */
void memsys_invlpg(struct memsys *m, uint64_t va);

/* Write back (clean) and throw out (invalidate) lines, by side; L2 too with
 * memsys_flush_l2. Answers how many were written back. */
uint32_t memsys_flush_l1(struct memsys *m, enum side side, bool clean, bool invalidate);
uint32_t memsys_flush_l2(struct memsys *m, bool clean, bool invalidate);

/* Lines by address, by page, or all of this CPU's caches (wbinvd: CACHE_FLUSH; invd:
 * CACHE_INVALIDATE). where: OP_* added up. By address: as a load, translated and checked;
 * false: it faulted. Coherent: all CPUs' copies, under whatever addresses. Otherwise our
 * own; virtual tags: the line under this address only. OP_L1I, OP_L1D: 1 << side. */
enum { OP_L1I = 1, OP_L1D = 2, OP_L2 = 4, OP_ALL = 7 };
bool memsys_op_line(struct memsys *m, uint64_t va, enum cache_op op, unsigned where);
bool memsys_op_page(struct memsys *m, uint64_t va, enum cache_op op, unsigned where);
/* Answers how many lines were written back. */
uint32_t memsys_op_all(struct memsys *m, enum cache_op op, unsigned where);

/* What an access to va would run into, if it came now. Looks only. */
struct hazards {
    /* it would use a TLB entry that differs from what the tables say */
    bool stale_entry;
    /* it would hit a virtually tagged line that is not the one that the tables say */
    bool homonym;
    /* L1 holds its physical line under another virtual address, too */
    bool synonym;
    uint32_t tlb_level;          /* 1, 2: where the entry is; 0: it would walk */
    uint64_t used_pa, tables_pa; /* UINT64_MAX: none */
    uint64_t other_key;          /* the synonym */
    uint32_t other_set, other_way;
};
struct hazards memsys_hazards(const struct memsys *m, uint64_t va,
                              enum access_kind access);
/* The same as events and counts: what config.detect does before each access. */
void memsys_announce_hazards(struct memsys *m, uint64_t va, enum access_kind access);
/* Would it fault? */
bool memsys_would_fault(const struct memsys *m, uint64_t va, enum access_kind access);
/* The newest bytes, wherever they are: in a dirty line of any CPU, or in RAM. */
void memsys_read_newest(const struct memsys *m, uint64_t pa, void *to,
                        uint32_t size_bytes);
/* WRMSR of the PAT. Caches and TLBs stay as they are: that is software's business. */
void memsys_set_pat(struct memsys *m, uint64_t pat);

/* Physical memory as L2 sees it, past the first level and uncounted: a line that L2 holds
 * is read and changed there, what it does not hold in RAM. For page tables that somebody
 * else than the simulated software writes. The range lies in one page. */
void memsys_peek(const struct memsys *m, uint64_t pa, void *to, uint32_t size_bytes);
void memsys_poke(struct memsys *m, uint64_t pa, const void *from, uint32_t size_bytes);

/* SFENCE, MFENCE and the like: write-combining buffers are emptied to memory. */
void memsys_fence(struct memsys *m);

/* Empty all TLBs; global entries stay unless with_global. */
void memsys_flush_tlb(struct memsys *m, bool with_global);

/* Every copy of these bytes that a cache of m holds, L1 as well: what is newest goes over
 * to[] (the caller has read RAM into it); or all are changed, and stay as dirty as they
 * are. Nothing is counted, announced or moved. */
void memsys_snoop_read(const struct memsys *m, uint64_t pa, void *to, size_t size_bytes);
void memsys_snoop_write(struct memsys *m, uint64_t pa, const void *from,
                        size_t size_bytes);

/* One access of size_bytes (1 to 4096) as an operation. bytes: what is written, where
 * what was read goes, or NULL. False: it faulted, s->fault says how, and nothing was
 * written (with on_fault, the part before a page's border may have been). */
bool memsys_access(struct memsys *m, uint64_t va, uint32_t size_bytes,
                   enum access_kind access, void *bytes);

/* ---- traces ---- */

enum ref_kind { REF_FETCH, REF_LOAD, REF_STORE, REF_MODIFY, NR_REF_KINDS };

struct ref {
    uint64_t va;
    uint32_t size; /* va + size - 1 does not overflow */
    uint32_t kind; /* enum ref_kind */
};

/* What a reference does: one access, or two one after the other. */
struct ref_plan {
    uint8_t first[NR_REF_KINDS],
        second[NR_REF_KINDS]; /* enum access_kind; second: NR_ACCESS_KINDS is none */
};
/* A modify reads, then writes; as_reads: every data reference is one read. */
struct ref_plan ref_plan(bool as_reads);

/* Count n references; answers how many were done (fewer: a fault that nobody mended, or
 * out_of_memory). */
size_t memsys_run(struct memsys *m, const struct ref *refs, size_t n,
                  const struct ref_plan *plan);

/* The same as memsys_access() for each of them, in few instructions where nobody wants to
 * be stopped at one of their events: these are numbered, and all changes are marked. */
size_t memsys_run_live(struct memsys *m, const struct ref *refs, size_t n,
                       const struct ref_plan *plan);

/* Bytes written back to RAM. */
uint64_t memsys_memory_bytes(const struct memsys *m);

const char *memsys_check(const struct memsys *m);

#endif
