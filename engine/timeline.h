/* The timeline: the list of operations done so far, and travel along it in both
 * directions.
 *
 *   position = (branch, op, event)    op operations are done; event events of the next one
 *                                     have happened (0: the position is between
 *                                     operations); position.h says how a person writes it
 *
 * To go anywhere: restore the nearest checkpoint at or before it, run the operations
 * between again, run the last one up to the event, and longjmp out of its probe. Doing
 * something new in the past starts a new branch; the old future is kept.
 *
 * I1  The arena at a position is a function of configuration and the operations before
 *     it.
 * I2  Operations, once recorded, never change, and a branch only grows at its end. One
 *     exception: an interrupt in the last operation of a branch that no other branch has
 *     does that operation anew in place.
 * I3  Memory stays under options.history_bytes: checkpoints are thinned (dense near the
 *     position, sparse far away). When even the operations are too many, the oldest ones
 *     are forgotten, and with them the branches that left the way there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_TIMELINE_H
#define ENGINE_TIMELINE_H

#include "machine.h"
#include "position.h"

struct timeline;

struct timeline_options {
    size_t history_bytes; /* 0: 512 MiB */
};

/* Put a machine that somebody made (replay: loaded) under a timeline, as its position
 * 0. The timeline owns it from now on, also when the answer is NULL (no memory). */
struct timeline *timeline_adopt(struct machine *m,
                                const struct timeline_options *options);
/* A booted machine under a timeline, or NULL with cause and remedy in err. */
struct timeline *timeline_create(const struct machine_config *c,
                                 const struct arena_host *host,
                                 const struct timeline_options *options, char *err,
                                 size_t err_size);
void timeline_destroy(struct timeline *t);

/* The machine at the position. Change it only through the timeline. */
struct machine *timeline_machine(struct timeline *t);

struct position timeline_position(const struct timeline *t);
uint64_t timeline_nr_ops(const struct timeline *t,
                         uint32_t branch); /* its length, from operation 0 */
/* Operations before this one are forgotten, because the history is over history_bytes;
 * positions cannot go there. */
uint64_t timeline_first_op(const struct timeline *t);

/* ---- doing ---- */

/* Do op at the position and record it; the position moves behind it. Inside an
 * operation (event != 0) that one is finished first. If the position is not the
 * branch's end, a new branch begins here and becomes the current one. Answers op's
 * result. */
uint64_t timeline_do(struct timeline *t, const struct op *op);

/* Let an interrupt come at the position: IRQ_ENTER, the ops, IRQ_LEAVE run nested
 * there (or, where the CPU has interrupts off, at the first event at which they are on
 * again; that may be in an operation that is done later: until then it waits). Between
 * operations it is the same as doing them. The CPU is the one that runs at the
 * position, between operations that of ops[0]. Starts a branch unless the position is
 * in the last operation of the branch and behind everything that is nested there.
 * Afterwards the position is the event at which the handler has returned (behind the
 * operation, if it has to wait). False: err says why not. */
bool timeline_interrupt(struct timeline *t, const struct op *ops, size_t nr_ops,
                        char *err, size_t err_size);

/* The same, but it begins a branch wherever it comes inside an operation. */
bool timeline_interrupt_fork(struct timeline *t, const struct op *ops, size_t nr_ops,
                             char *err, size_t err_size);

/* Only from inside a live hook (below): do op nested in the operation under way, and
 * record that. From inside timeline_events' fn: run the next operation that was nested
 * at this event now (it is not run again then), and answer its result now; which one
 * that is, timeline_peek_nested says. */
uint64_t timeline_do_nested(struct timeline *t, const struct op *op);
bool timeline_peek_nested(const struct timeline *t, struct op *op);

/* fn is called at each event of an operation that timeline_do runs for the first time
 * (never when time travel runs it again), for the kinds whose bit is set in kinds
 * (NR_EVENTS bits; NULL: all). An operation that timeline_interrupt does anew does not
 * count: its events were seen before. One hook; NULL removes it. */
typedef void event_fn(void *ctx, struct machine *m, const struct event *ev);
void timeline_set_live_hook(struct timeline *t, event_fn *fn, void *ctx,
                            const uint64_t *kinds);

/* pred and at_end of calls look on while timeline_do does something for the first time;
 * what they answer does not matter, and they may only look. Inside an operation the
 * position is still the one before it. An operation that timeline_interrupt does anew
 * does not count. One observer, which must stay where it is; NULL removes it. */
struct search_calls;
void timeline_observe(struct timeline *t, const struct search_calls *calls);

/* ---- travelling ---- */

/* Go to a position. It is clamped to what exists: op to the branch's length, event to
 * the operation's number of events (at the last event the operation has not ended yet;
 * behind that is the next operation's 0). */
void timeline_seek(struct timeline *t, struct position to);
/* One event on or back, across operations. False at the end or the beginning. */
bool timeline_step_event(struct timeline *t, int direction);
/* To the next (previous) position where pred answers true, event by event; false when
 * there is none (the position is then the end or the beginning). The machine passed to
 * pred is at that event. interrupted, if not NULL, is asked now and then and stops the
 * search where it is. */
typedef bool position_fn(void *ctx, struct machine *m, const struct event *ev);
bool timeline_search(struct timeline *t, int direction, position_fn *pred, void *ctx,
                     bool (*interrupted)(void *ctx));
/* The same, for a pred that compares an event's state with the one before, or that need
 * not see them all. What is NULL is left out. Returns from a search that was interrupted
 * are told apart by *stopped, if it is not NULL.
 *
 *   begin      called with the machine as it is where a stretch begins that is then seen
 *              without a gap (searching backwards goes through several, the latest first)
 *   at_end     the machine behind an operation, before the next one: what the operation
 *              changed behind its last event is seen here. True: this is a match, at the
 *              position between the two
 *   kinds      pred is called at events of these kinds only (NR_EVENTS bits)
 *   floor      operations before this one are not looked at; limit: nor from this one on
 *              (0: all are) */
struct search_calls {
    void (*begin)(void *ctx, struct machine *m);
    position_fn *pred;
    bool (*at_end)(void *ctx, struct machine *m);
    bool (*interrupted)(void *ctx);
    void *ctx;
    const uint64_t *kinds;
    uint64_t floor, limit;
};
bool timeline_search_with(struct timeline *t, int direction,
                          const struct search_calls *calls, bool *stopped);

/* The last position up to here (direction -1), or the first one behind (1), at which what
 * w watches is another one than at the position before; go there. That is an event, or
 * the place between two operations where the first one has changed it behind its last
 * event. False: there is none (the position stays), or it was interrupted. */
struct watch;
bool timeline_find_change(struct timeline *t, int direction, const struct watch *w,
                          bool (*interrupted)(void *ctx), void *interrupted_ctx);

/* ---- what happened ---- */

struct op_record {
    struct op op;
    uint64_t result;
    uint32_t nr_events;
    uint32_t nr_injected; /* operations that interrupts ran inside it */
};
/* Operation number op (0-based) of a branch; false past its end. */
bool timeline_op(const struct timeline *t, uint32_t branch, uint64_t op,
                 struct op_record *out);
/* What interrupts and hooks ran inside that operation, in the order in which they
 * began; event: where. */
struct injected {
    struct op op;
    uint64_t result;
    uint64_t event;
};
bool timeline_injected(const struct timeline *t, uint32_t branch, uint64_t op, uint32_t i,
                       struct injected *out);
/* Interrupts that were asked for on this branch and that the CPU has not taken yet: the
 * i-th one's handler. NULL past the last. */
const struct op *timeline_waiting(const struct timeline *t, uint32_t branch, uint32_t i,
                                  size_t *nr_ops, uint8_t *cpu);
/* The event at the position (position.event != 0), with the call stack in
 * machine->probe; false: between operations. */
bool timeline_current_event(const struct timeline *t, struct event *out);
/* The events of one operation, in order; each is passed with the machine at that
 * event. The position does not move. */
void timeline_events(struct timeline *t, uint32_t branch, uint64_t op, event_fn *fn,
                     void *ctx);
/* Events of all operations before position together (what the status line counts). */
uint64_t timeline_event_number(const struct timeline *t, struct position at);

/* ---- branches ---- */

struct branch_info {
    uint32_t parent;  /* itself for branch 0 */
    uint64_t fork_op; /* operations shared with the parent */
    uint64_t nr_ops;  /* its length, from operation 0 */
    const char *name; /* never NULL */
};
uint32_t timeline_nr_branches(const struct timeline *t);
struct branch_info timeline_branch(const struct timeline *t, uint32_t branch);
/* Begin a branch at the position, between operations, unless it is the end. Doing
 * something there does so by itself; a script that goes on there has to be told. */
void timeline_fork(struct timeline *t);
void timeline_name_branch(struct timeline *t, uint32_t branch, const char *name);

/* ---- strings and places ---- */

/* Texts that operations refer to by number (narration, lock names, sites); the same
 * text gives the same number. Number 0 is "". */
uint32_t timeline_intern(struct timeline *t, const char *text);
const char *timeline_string(const struct timeline *t, uint32_t id);

/* Where in a script an operation came from: op.site is a number of these. Number 0 is
 * "nowhere". */
struct site {
    const char *file;
    uint32_t line;
    const char *stack; /* the script's call stack, a line each, innermost first */
};
uint32_t timeline_intern_site(struct timeline *t, const char *file, uint32_t line,
                              const char *stack);
struct site timeline_site(const struct timeline *t, uint32_t site);
/* The script's visible locals when operation op was issued ("name = value" a line
 * each); "" when none are kept. */
void timeline_set_locals(struct timeline *t, uint32_t branch, uint64_t op,
                         const char *locals);
const char *timeline_locals(const struct timeline *t, uint32_t branch, uint64_t op);

/* OP_NOTE: arg[0] is the kind, arg[1] a string's number. */
enum note_kind {
    NOTE_SAY,
    NOTE_TITLE,
    NOTE_EXPECT_OK,
    NOTE_EXPECT_FAILED,
    NOTE_ERROR,
    NOTE_ASK,
    NOTE_VIEW /* what to show: the name of a view; nothing to read */
};

/* ---- proof and figures ---- */

struct timeline_figures {
    size_t bytes_ops, bytes_checkpoints, bytes_strings;
    uint64_t nr_checkpoints, nr_ops, nr_events;
};
struct timeline_figures timeline_figures(const struct timeline *t);
const char *timeline_check(struct timeline *t);

#endif
