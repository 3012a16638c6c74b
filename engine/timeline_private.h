/* What the timeline's files share. Nobody else includes this.
 *
 *   oplog.c       the operations as records, branch by branch
 *   checkpoint.c  snapshots along the way: when one is taken, which ones stay
 *   travel.c      running operations again: seek, step, search
 *   interrupt.c   operations nested in others: interrupts, hooks
 *   strings.c     texts, sites, locals
 *   timeline.c    doing, and all the rest of the public interface
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_TIMELINE_PRIVATE_H
#define ENGINE_TIMELINE_PRIVATE_H

#include <setjmp.h>

#include "timeline.h"

/* ---- records (oplog.c) ---- */

/* An operation as it is kept. What does not fit is in an extra of the same operation. */
struct op_rec {
    uint8_t kind, cpu;
    uint8_t origin;
    uint8_t extra; /* bool: there is a struct op_extra */
    uint32_t site;
    uint32_t arg1;
    uint32_t nr_events;
    uint64_t arg0;
    uint64_t result;
};

/* An operation that ran nested in another one, begun at that one's event number at. */
struct entry {
    uint64_t at;
    struct op op;
    uint64_t result;
};

struct entries { /* sorted by at; of equal ones the first runs first */
    struct entry *e;
    uint32_t nr, room;
};

struct op_extra {
    uint64_t op;
    uint64_t arg[4];
    struct entries nested;
};

enum { BLOCK_SHIFT = 12, BLOCK_OPS = 1 << BLOCK_SHIFT, SUM_SHIFT = 8 };

/* 4096 operations of a branch. The first block of a branch grows from small; a forgotten
 * block has no rec. */
struct op_block {
    struct op_rec *rec;
    uint32_t room;
    uint64_t before[BLOCK_OPS >> SUM_SHIFT]; /* events of the branch's own operations
                                                before each 256 */
};

struct checkpoint {
    uint64_t op;   /* operations done */
    uint64_t cost; /* cost_at(op): how far along the branch it is, see checkpoint.c */
    struct snapshot *snap;
};

/* An interrupt that was asked for where the CPU took none, and waits. */
struct pending {
    uint64_t asked_op;       /* inside it, or before it */
    uint64_t delivered_op;   /* NO_EVENT: it still waits */
    uint64_t delivered_at;   /* event number there; 0: before the operation */
    uint64_t was_op, was_at; /* inherited: where the parent branch delivered it */
    bool inherited;
    uint8_t cpu;
    struct op *ops;
    uint32_t nr_ops;
};

struct branch {
    uint32_t parent;
    bool forgotten;
    uint64_t fork_op;
    uint64_t fork_events; /* events of all operations before fork_op */
    uint64_t nr_own, own_events;
    char name[48];
    struct op_block *blocks;
    uint32_t nr_blocks, room_blocks;
    struct op_extra *extras; /* sorted by op */
    uint32_t nr_extras, room_extras;
    struct checkpoint *points; /* sorted by op, all > fork_op (>= 0 in branch 0) */
    uint32_t nr_points, room_points;
    struct pending *pending;
    uint32_t nr_pending;
};

/* ---- a run of one operation (travel.c) ---- */

#define NO_EVENT UINT64_MAX

struct run {
    uint64_t target; /* stop at this event of the operation; NO_EVENT: run to its end */
    const struct entries *nested; /* to run at their events */
    bool (*watch)(void *ctx, struct machine *m,
                  const struct event *ev); /* true: stop here */
    void *watch_ctx;
    const uint64_t *watch_kinds; /* NULL, or of these kinds only */
    uint64_t watch_from;         /* only events behind this one are watched */
    struct entries *record; /* doing for the first time: nested operations go there */
    bool live;              /* and the live hook is called */
    bool observed;          /* and the observer */
    uint64_t hook_at;       /* the event at which a hook is running; 0: none is */
    uint32_t
        nr_visited;  /* of what is nested at hook_at: so many has the hook run itself */
    uint64_t ran_at; /* the same, of the last event whose hook has returned */
    uint32_t nr_ran;
    jmp_buf out;
};

/* An interrupt to deliver in the operation that is being done, at event from or the first
 * one after it at which the CPU takes it. */
struct asked {
    const struct op *ops;
    uint32_t nr_ops;
    uint8_t cpu;
    bool done;
    uint64_t from, begun_at, returned_at;
};

struct locals_row;
struct strings {
    char **text;
    uint32_t nr, room;
    uint32_t *hash; /* open addressing, by text; ids, 0: free */
    uint32_t hash_size;
    struct site_row {
        uint32_t file, line, stack; /* ids of texts */
    } * sites;
    uint32_t nr_sites, room_sites;
    uint32_t *site_hash;
    uint32_t site_hash_size;
    size_t bytes;
    bool full;
    struct locals_row *locals; /* ring, see strings.c */
    uint32_t *locals_hash;
    uint64_t nr_locals, oldest_locals; /* ever set; the first that is kept */
    size_t locals_bytes;
};

/* Boundaries where travel was lately. Whoever looks at the events of one operation after
 * the other, or steps about in a few, starts from these. */
enum { NR_RECENT = 16 };
struct recent {
    struct snapshot *snap; /* NULL: none */
    uint32_t branch;
    uint64_t op;
};

struct timeline {
    struct machine *m;
    size_t history_bytes;
    struct branch *branches;
    uint32_t nr_branches, room_branches;
    struct position pos;
    struct event at;       /* the event at pos, if pos.event */
    struct snapshot *here; /* the state before operation pos.op, while pos.event */
    bool lost; /* the machine is not at pos: it must be restored from a checkpoint */
    struct recent recent[NR_RECENT];
    uint32_t next_recent;
    uint64_t first_op; /* operations before this one are forgotten (checkpoint.c) */
    size_t bytes_ops;
    struct run run;
    size_t base_bytes;   /* of the first snapshot */
    uint64_t nr_events;  /* in all branches */
    uint32_t nr_points;  /* checkpoints */
    uint64_t since;      /* cost of running again from the last checkpoint to here */
    uint64_t not_before; /* no checkpoint is worth it until since is this much */
    struct asked *asked;
    event_fn *hook;
    void *hook_ctx;
    bool hook_all;
    bool forking; /* the interrupt that comes now begins a branch */
    bool redoing; /* an interrupted operation is done anew: the script has seen its events
                   */
    uint64_t hook_kinds[(NR_EVENTS + 63) / 64];
    const struct search_calls *observer; /* NULL: nobody looks on */
    struct strings strings;
    struct text_source texts;
    /* the last destroyed cache that was asked for, and its name's number */
    uint64_t gone_cache;
    uint32_t gone_branch, gone_name;
    char broken[160]; /* a run again that did not do what the first one did: our bug */
};

/* Memory or no return: the history's checkpoints are given up for it, and if that does
 * not help there is no way on (abort). */
void *timeline_alloc(struct timeline *t, void *old, size_t size_bytes);
/* Room for one more element behind nr. */
#define GROW(t, array, nr, room, counter)                                                \
    do {                                                                                 \
        if ((nr) == (room)) {                                                            \
            uint32_t room_ = (room) ? (room)*2 : 4;                                      \
            (array) = timeline_alloc((t), (array), (size_t)room_ * sizeof *(array));     \
            *(counter) += (size_t)(room_ - (room)) * sizeof *(array);                    \
            (room) = room_;                                                              \
        }                                                                                \
    } while (0)

/* oplog.c */
struct full_op {
    struct op op;
    uint64_t result;
    uint32_t nr_events;
    const struct entries *nested; /* NULL: none */
};
uint64_t branch_nr_ops(const struct branch *b);
/* The branch that owns operation op of branch b. */
uint32_t branch_owner(const struct timeline *t, uint32_t b, uint64_t op);
/* The same; and up to which operation, *until not included, that branch owns them. */
uint32_t branch_owner_until(const struct timeline *t, uint32_t b, uint64_t op,
                            uint64_t *until);
/* How many operations two branches have in common. */
uint64_t branch_common(const struct timeline *t, uint32_t a, uint32_t b);
uint32_t branch_fork(struct timeline *t, uint32_t parent, uint64_t fork_op);
void branch_free(struct timeline *t, struct branch *b);
bool log_get(const struct timeline *t, uint32_t branch, uint64_t op, struct full_op *out);
/* Append to branch; takes what is in nested. */
void log_append(struct timeline *t, uint32_t branch, const struct op *op, uint64_t result,
                uint64_t nr_events, const struct entries *nested);
void log_drop_last(struct timeline *t, uint32_t branch);
uint64_t log_events_before(const struct timeline *t, uint32_t branch, uint64_t op);
/* Give up the records of a branch's operations below op, in whole blocks. */
void log_forget(struct timeline *t, uint32_t branch, uint64_t op);
void entries_add(struct timeline *t, struct entries *list, const struct entry *e);
void entries_free(struct timeline *t, struct entries *list);

/* checkpoint.c */
/* How long it takes to run again, in nanoseconds, about. */
uint64_t op_cost(uint16_t kind, uint64_t nr_events);
uint64_t cost_at(const struct timeline *t, uint32_t branch, uint64_t op);
/* The last checkpoint at or before op on branch's way; never NULL for op >= first_op. */
const struct checkpoint *checkpoint_before(const struct timeline *t, uint32_t branch,
                                           uint64_t op);
/* The first one behind op on branch's way, or NULL. */
const struct checkpoint *checkpoint_behind(const struct timeline *t, uint32_t branch,
                                           uint64_t op);
/* Between two checkpoints a run costs this much, or more when that would be too often. */
enum { CHECKPOINT_FINE = 500 * 1000 };
/* Is it time to think about one, if they may be as close as fine? */
static inline bool checkpoint_due(const struct timeline *t, uint64_t fine)
{
    return t->since >= fine && t->since >= t->not_before;
}
/* Then: take one here, at this boundary, if it is worth it. */
void checkpoint_consider(struct timeline *t, uint32_t branch, uint64_t op);
void checkpoint_take(struct timeline *t, uint32_t branch, uint64_t op);
/* Drop the branch's own ones with op or more operations. */
void checkpoint_drop_from(struct timeline *t, uint32_t branch, uint64_t op);
void checkpoint_thin(struct timeline *t, size_t bytes_wanted);
/* A snapshot, whatever checkpoint has to go for it. */
struct snapshot *timeline_snapshot(struct timeline *t);
/* Remember the boundary that snap was taken at. */
void recent_add(struct timeline *t, uint32_t branch, uint64_t op, struct snapshot *snap);
/* The last one at or before op on branch's way, or NULL. */
const struct recent *recent_before(const struct timeline *t, uint32_t branch,
                                   uint64_t op);
/* Forget those that have more than op operations of this branch (UINT32_MAX: of all). */
void recent_drop(struct timeline *t, uint32_t branch, uint64_t op);
/* Keep the history within history_bytes. */
void history_bound(struct timeline *t);

/* travel.c */
void on_event(struct probe *p, const struct event *ev);
/* Run op; true: it was stopped at t->run.target, or by watch. t->run is set by the
 * caller. */
bool run_op(struct timeline *t, const struct op *op, uint64_t *result);
void run_clear(struct timeline *t);
void travel_to_boundary(struct timeline *t, uint32_t branch, uint64_t op);

/* interrupt.c */
/* The first of these that is at event or behind it; list may be NULL. */
uint32_t nested_from(const struct entries *list, uint64_t event);
void deliver_nested(struct timeline *t, uint64_t n);
void deliver_asked(struct timeline *t, uint8_t cpu);
/* The first interrupt that waits at the end of the current branch, or NULL. */
struct pending *pending_next(const struct timeline *t);
/* Between operations: those that can come now. */
void pending_deliver(struct timeline *t);

/* timeline.c */
/* Do op at the end of the current branch, with what is nested in it already. */
uint64_t do_one(struct timeline *t, const struct op *op, const struct entries *nested);
/* Unless the position is its branch's end: a new branch here. */
void begin_branch(struct timeline *t);

/* strings.c */
void strings_init(struct timeline *t);
void strings_free(struct timeline *t);

#endif
