/* Where every line is, written down beside its page: how memsys_run does many references
 * in few instructions.
 *
 * A cache is an array of sets that are searched. While many references are only counted,
 * nobody else looks at the sets, and the search can be spared: each page that a reference
 * has touched has a record, with one cell for each of its lines that says in which slot
 * of L1I, of L1D and, for the frame that the page lies in, of L2 it is, and one for each
 * TLB. One lookup of the page answers what L1, both TLBs and L2 will say.
 *
 *   page   | cells: ITLB, DTLB, STLB | permissions | 64 cells: L1D, L2 | 64 cells: L1I |
 *   cell   0, or the slot that holds it: (set + 1) * lanes + way
 *   slot   stamp: when it was used last; cell: whose it is; attr
 *
 * Ways are lanes of a vector, 8 or 16. A use writes a stamp, and the victim is the lane
 * with the smallest one, which SSE 4.1 finds in one instruction; lanes that are no ways
 * have the largest. Stamps have 16 bits and become ranks before they run out.
 *
 * line_index_take() reads the machine's sets into the index, line_index_home() writes
 * them back; what it leaves in the arena is what the whole path (hw/memsys_path.h) would
 * have left there. In between memsys.index is set, and whoever else uses the machine's
 * caches or TLBs (a page fault's handler) brings them home first, which ends the run.
 *
 * Events are not announced but counted: how many there were follows from the counts
 * (line_index_settle).
 *
 * I1  A cell that is not 0 and its slot's pointer name each other.
 * I2  A page has one frame while any of its cells is not 0, and a frame one page.
 * I3  What L1 and the first TLBs hold may be read (D side) or fetched (I side) now, and
 *     what the second TLB holds may be read. Entries are 4 KiB pages', not global, PAT 0.
 *
 * Left out: what hw/memsys_lean.h leaves out; keys of L1 with an address space's number;
 * two pages in one frame.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_LINE_INDEX_H
#define HW_LINE_INDEX_H

#include "memsys.h"

#include <stddef.h>

enum {
    IX_LINE_SHIFT = 6,
    IX_LINES = PAGE_SIZE >> IX_LINE_SHIFT, /* a page has */
    IX_LANES = 8,                          /* L1 and first TLBs */
    IX_STLB_LANES = 16,
    IX_NEAR_SLOTS = IX_LANES * 513, /* of L1 or a first TLB */
    IX_FAR_SLOTS = 1 << 16,         /* of L2 or the second TLB */
    IX_STLB = NR_SIDES,             /* of the three TLBs */
    IX_HEADS_SHIFT = 15,            /* log2 of how many chains of pages there are */
    IX_REGION_HEADS_SHIFT = 8,
    IX_MOST_PAGES = 1 << 17 /* then it goes home, and is made anew with what is there */
};

typedef uint16_t ix_cell;

/* A line's attributes in its slot, and those of lines filled through a TLB's entry:
 * CACHE_PERMS, OWNED, DIRTY, and for L1 and TLBs instead of the others: */
enum {
    IX_MAY_WRITE = 64,
    IX_UNUSUAL = 128 /* as a victim: it is dirty, or nothing is there */
};
/* ... for L2, nothing: as the cache has them. */
enum { IX_L2_CLEAN = CACHE_VALID | CACHE_OWNED };

/* What is known of one line of a page: where it is in L1D, and in L2. */
struct ix_pair {
    ix_cell l1d, l2;
};

/* 2 MiB whose last entries are in one table. */
struct ix_region {
    uint64_t number;     /* va >> LEAN_REGION_SHIFT */
    uint64_t generation; /* of the index, when this was last found to hold */
    ix_cell *upper[3];   /* L2's cells of the upper entries' lines */
    struct ix_page *table;
    struct lean_region as; /* what that follows from */
    struct ix_region *next;
};

/* A page, a frame, or both together. What one access needs of it lies in two lines of
 * most hosts' caches, and as few of their pages as can be. */
struct ix_page {
    uint64_t number;      /* va >> PAGE_SHIFT; IX_NO_NUMBER: a frame that no page is in */
    struct ix_page *next; /* with this hash */
    uint32_t frame_line;  /* the frame's first line, times L2's lanes */
    ix_cell tlb[NR_SIDES + 1];
    uint16_t dtlb_set;          /* its set's first slot, less the lanes */
    uint8_t attr[NR_SIDES + 1]; /* of a line filled through that TLB's entry */
    uint8_t walk_attr;          /* of one filled after a walk, as long as */
    struct ix_region *region;   /* ... this holds */
    const unsigned char *entry; /* ... and this last entry has this value */
    uint64_t value;
    ix_cell *fetched; /* where its lines are in L1I; &nothing: nowhere */
    struct ix_pair line[IX_LINES];
};
/* What is seldom asked. */
struct ix_rest {
    uint64_t frame; /* its number; IX_NO_NUMBER: nothing of the page is anywhere */
    struct ix_page *next_frame;
    bool table; /* a region knows the frame as a table's */
};
enum { IX_BLOCK_PAGES = 254, IX_BLOCK_BYTES = 1 << 17 };
/* Begins at a multiple of IX_BLOCK_BYTES. */
struct ix_block {
    struct ix_page page[IX_BLOCK_PAGES];
    struct ix_rest rest[IX_BLOCK_PAGES];
    struct ix_code *code; /* what the pages' fetched point to */
    struct ix_block *next;
    uint32_t used;
};
_Static_assert(sizeof(struct ix_block) <= IX_BLOCK_BYTES, "see line_index_page_of");
struct ix_code {
    ix_cell at[IX_LINES];
    struct ix_code *next;
};
#define IX_NO_NUMBER UINT64_MAX
#define IX_HASH 0x9e3779b1u /* 2 to the 32 over the golden ratio */
_Static_assert(offsetof(struct ix_page, line) == 64, "a line of most hosts' caches");

struct ix_l1 {
    _Alignas(16) uint16_t stamp[IX_NEAR_SLOTS];
    uint8_t attr[IX_NEAR_SLOTS];
    ix_cell *cell[IX_NEAR_SLOTS];        /* L1D's stand in a pair */
    struct ix_page *page[IX_NEAR_SLOTS]; /* L1I: whose it is */
    uint64_t slot_mask;                  /* of a line's number times lanes */
};
struct ix_tlb {
    _Alignas(16) uint16_t stamp[IX_NEAR_SLOTS];
    struct ix_page *page[IX_NEAR_SLOTS]; /* &nobody: none */
    uint64_t slot_mask;
};
struct ix_stlb {
    _Alignas(16) uint16_t stamp[IX_FAR_SLOTS];
    struct ix_page *page[IX_FAR_SLOTS];
    uint64_t slot_mask;
};
struct ix_l2 {
    _Alignas(16) uint16_t stamp[IX_FAR_SLOTS];
    uint8_t attr[IX_FAR_SLOTS];
    ix_cell *cell[IX_FAR_SLOTS];
    uint64_t slot_mask, lanes;
};

/* The clock goes on with each use of a line. A TLB's entry is stamped with the time
 * as it is: it is used on the way to a line. */
enum {
    IX_CLOCK_START = 16,
    /* references between two looks at the clock, and how far it may go meanwhile */
    IX_BLOCK = 128,
    IX_CLOCK_LIMIT = 65535 - 64 * IX_BLOCK
};

struct ix_counts {
    uint64_t access[NR_ACCESS_KINDS], l1_miss[NR_ACCESS_KINDS], l1_empty;
    uint64_t straddle[NR_SIDES], l1_writeback;
    uint64_t l2_miss[NR_L2_USES], l2_empty, l2_writeback;
    uint64_t tlb_miss[NR_SIDES], stlb_miss;
    uint64_t asked; /* a write hit a line that did not allow it */
    uint64_t again; /* translations entered once more, with D */
    /* walks that read four entries, beside one for each stlb_miss (modulo 2 to the 64) */
    uint64_t walks;
    uint64_t long_walks, walk_reads, walk_writes; /* others, and what these read */
};

struct line_index {
    struct memsys *m;
    uint32_t clock;
    bool live;              /* count events */
    bool no_stop;           /* nobody wants to be stopped at one */
    bool lean_live;         /* memsys.lean_live, which is off meanwhile */
    bool running;           /* line_index_run() is under way */
    bool lost;              /* at home */
    bool unmended;          /* a fault that nobody mended */
    bool no_memory;         /* ... or too many pages: nothing new can be known */
    struct ix_pair nowhere; /* whose an empty slot is */
    struct ix_counts n;
    uint64_t generation;              /* how often tables may have been changed */
    uint64_t block_events;            /* more than a block can have without faults */
    uint32_t may[NR_ACCESS_KINDS];    /* by CACHE_NEEDS of a TLB's entry */
    uint8_t attr_of[CACHE_PERMS + 1]; /* of a line with these permissions */
    struct ix_page nobody;            /* ends each chain; what there is no memory for */
    struct ix_region nowhere_region;
    struct ix_block *blocks; /* the one that is being filled first */
    uint64_t nr_pages;
    ix_cell nothing[IX_LINES]; /* zeros */
    struct ix_region *region_head[1 << IX_REGION_HEADS_SHIFT];
    /* up to here all is 0 at first */
    struct ix_l1 l1[NR_SIDES];
    struct ix_tlb tlb[NR_SIDES];
    struct ix_l2 l2;
    struct ix_stlb stlb;
    struct ix_page *page_head[1 << IX_HEADS_SHIFT], *frame_head[1 << IX_HEADS_SHIFT];
};

/* Take the machine's caches and TLBs over. NULL: it is not the usual machine as
 * hw/memsys_lean.h has it, holds something that the index cannot say, or there is no
 * memory. Everything is marked in the arena. */
struct line_index *line_index_take(struct memsys *m, bool live);
/* Write them back, and settle; m->index is NULL afterwards. The index is lost: what is
 * left to do with it is to free it. */
void line_index_home(struct line_index *x);
void line_index_free(struct line_index *x);
/* Bring the machine's counts, and the number of events, up to date. */
void line_index_settle(struct line_index *x);

/* How far a run came. */
struct ix_stop {
    size_t done;             /* whole references */
    bool stopped;            /* in reference done: */
    enum access_kind access; /* ... this access */
    uint64_t va;             /* ... from this address on; it has done nothing yet */
    bool straddles;          /* ... and has been counted as one of several lines */
};
/* Until the end, or an access that the index cannot do (x->lost: it is at home), or one
 * whose fault nobody mends (x->unmended). as_reads: see ref_plan(). */
void line_index_run(struct line_index *x, const struct ref *refs, size_t nr,
                    bool as_reads, struct ix_stop *stop);

/* ---- between line_index.c and line_index_run.c ---- */

/* The records, made if they are not there; without memory or room &x->nobody, or NULL. */
struct ix_page *line_index_page(struct line_index *x, uint64_t number);
struct ix_page *line_index_frame(struct line_index *x, uint64_t number);
struct ix_region *line_index_region(struct line_index *x, uint64_t number);
/* Another one for the same number: who knows the old one will ask again. */
struct ix_region *line_index_new_region(struct line_index *x, uint64_t number);
/* The page lies in this frame. False: it lies in another, or another page or a table
 * lies there. */
bool line_index_join(struct line_index *x, struct ix_page *p, uint64_t frame);

/* The page's lines have been in no L1I: now they may be. False: no memory. */
bool line_index_code(struct line_index *x, struct ix_page *p);

static inline struct ix_block *line_index_block(const void *inside)
{
    return (struct ix_block *)((uintptr_t)inside & ~(uintptr_t)(IX_BLOCK_BYTES - 1));
}
/* The page whose L1D or L2 cell this is. */
static inline struct ix_page *line_index_page_of(const ix_cell *cell)
{
    struct ix_block *b = line_index_block(cell);
    const size_t inside =
        (size_t)((const unsigned char *)cell - (unsigned char *)b->page);
    return &b->page[inside / sizeof *b->page];
}
static inline struct ix_rest *line_index_rest(const struct ix_page *p)
{
    struct ix_block *b = line_index_block(p);
    return &b->rest[p - b->page];
}

/* As it is compiled for any processor, and for one with SSE 4.1. */
typedef void line_index_run_fn(struct line_index *x, const struct ref *refs, size_t nr,
                               bool as_reads, struct ix_stop *stop);
line_index_run_fn line_index_run_plain, line_index_run_sse41;

#endif
