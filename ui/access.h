/* An access as a path: which stages it asked, in which order, what each answered and what
 * it cost. Made from the events of one operation, so that the path is what the machine
 * did; it may then be looked at as of any event.
 *
 *   virtual tags      L1 -> (miss) TLB -> STLB -> walk -> L2 -> RAM
 *   physical tags     TLB -> STLB -> walk -> L1 -> L2 -> RAM
 *
 * Between L2 and RAM other processors' caches are asked over the bus; an uncached access
 * goes past all of them.
 *
 * An operation has several paths when the access lies in two lines or pages, or when it
 * faulted and was done again. What else happens in it (write-backs, entries that the
 * walker marks) belongs to the stage that caused it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ACCESS_H
#define UI_ACCESS_H

#include "memsys.h"
#include "model.h"

enum stage_kind {
    STAGE_L1,
    STAGE_TLB,  /* first level */
    STAGE_STLB, /* second level */
    STAGE_WALK, /* one table entry */
    STAGE_PSC,  /* a paging-structure cache: begins the walk further down */
    STAGE_L2,
    STAGE_BUS, /* other processors' caches */
    STAGE_RAM,
    STAGE_UNCACHED, /* memory past the caches, or a write-combining buffer */
    NR_STAGE_KINDS
};

enum stage_source { FROM_NOWHERE, FROM_L2, FROM_RAM };

struct stage {
    enum stage_kind kind;
    uint64_t event; /* the one that tells its answer: its number in the operation */
    uint64_t
        begin; /* the one that it is asked with: before that for a walk's entry, which
                       is read through L2 */
    bool hit;  /* a cache or TLB had it; a walk's entry is present; RAM always has it */
    uint32_t set;
    int32_t way;        /* -1: nowhere */
    uint8_t level;      /* of the walk's table, 1 the last */
    uint8_t bus;        /* STAGE_BUS: enum bus_kind */
    bool supplied;      /* STAGE_BUS: another cache had changed the line */
    uint8_t supplier;   /* whose */
    uint64_t at, value; /* the walk's entry, as it was read */
    uint64_t set_event,
        value_set; /* as the walker left it, from that event on; 0: as it was */
    enum stage_source source; /* of the walk's entry */
    bool evicts, dirty;       /* the line that had to go */
    uint64_t evicted;         /* its number */
    uint32_t cycles;
};

enum { MAX_STAGES = 24 };

struct access_path {
    uint64_t va;
    bool has_va;
    uint64_t first, last;        /* events */
    uint64_t pa, pa_event;       /* known from that event on; 0: never */
    uint64_t entry_event, entry; /* the TLB entry that was filled in; 0: none was */
    uint64_t fault_event;        /* 0: it did not fault */
    uint32_t error_code;
    struct stage stages[MAX_STAGES];
    int nr;
};

/* What an operation asks of the hardware. */
struct access_wish {
    uint64_t va;
    uint32_t size;
    enum access_kind kind;
    bool user;
};

struct access_paths {
    bool valid;
    uint32_t branch;
    uint64_t op;
    uint32_t nr_events;
    uint8_t cpu;
    bool has_wish; /* the operation is an access */
    struct access_wish wish;
    struct access_path *at;
    int nr, room;
};

/* Is it an event of an access (one of the hardware's own)? */
bool access_is_event(uint16_t kind);
/* What an operation asks of the hardware; false: it is no access. */
bool access_of_op(const struct op *op, struct access_wish *w);

/* The paths of an operation (NULL: there is none); nothing is done when they are known.
 * The cycles of a finished path are memsys_last_cycles. */
void access_paths_refresh(struct access_paths *p, const struct op_events *e,
                          const struct machine *m);
void access_paths_free(struct access_paths *p);
/* The path under way when that many events have happened: the one that the last of them
 * belongs to, before the first event the first one. NULL: the operation has none. */
const struct access_path *access_path_at(const struct access_paths *p, uint64_t happened);
/* The stage that will be asked next, NULL: none is left. */
const struct stage *access_next(const struct access_path *p, uint64_t happened);
uint64_t access_cycles(const struct access_path *p, uint64_t happened);

/* The cost model that a processor's cycles are told by; without one all cost nothing. */
const struct cost_model *access_cost(const struct memsys *m);
struct cycles access_cycles_of(const struct memsys *m);

/* ---- arithmetic on addresses, as the machine's geometry has it ---- */

/* Where a line of this address would be. */
uint32_t access_set(const struct cache *c, uint64_t address);
/* The set of a TLB that a page of that size is looked for in. */
uint32_t access_tlb_set(const struct tlb *t, uint64_t va, enum page_size size);
enum side access_side(enum access_kind kind);
const char *access_kind_name(enum access_kind kind); /* "load" */

#endif
