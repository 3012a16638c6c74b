/* Replay: give a simulated machine the state that a kernel was in, make the calls that
 * the kernel was asked, and compare every answer and every state afterwards.
 *
 *   state start, before-*      loaded (an operation: OP_LOAD_STATE)
 *   alloc, free                operations; an alloc's answer is compared
 *   state after-*, exhausted   compared: figures, lists in order, pageblock types
 *   vmalloc, kmap, ...         operations of the address space; their answers and its borders are compared
 *   kmem_cache_alloc, ...      operations on objects; their answers and whole caches are compared
 *   everything else            counted as not modelled, by kind
 *
 * I1  Nothing is passed over in silence: each item is an answer, a state, a free, a
 *     heading, or counted in nr_unmodelled.
 * I2  A call or state behind a line that is not modelled cannot be judged, because what
 *     the kernel did there is missing in the machine: up to the next loaded state it is
 *     counted as not modelled too, never as identical.
 * I3  A difference is never repaired: the machine goes on with what it answered.
 *
 * The figures that the kernel computed from its zones' sizes (watermarks, reserves,
 * per-CPU batch and high, thresholds) are computed anew at each loaded state and
 * compared too. The kernel computed them before it gave back the initial RAM disk; when
 * a dump comes before that is not recorded, so the sizes with and without it are tried,
 * and one of them must explain all figures.
 *
 * Calls, in order: replay_create, replay_run (or replay_feed ...), replay_destroy.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_REPLAY_H
#define SCRIPTS_REPLAY_H

#include "record.h"
#include "timeline.h"

struct replay;

struct replay_tally {
    uint64_t answers, answers_identical;
    uint64_t states, states_identical;
    uint64_t figures, figures_identical; /* computed from zone sizes */
    uint64_t nr_unmodelled;
    uint64_t unmodelled[NR_RECORD_KINDS]; /* by kind, of which nr_unmodelled is the sum */
    /* what is not identical, one for each answer, list, figure ... */
    uint64_t differences;
};

struct replay_difference {
    uint32_t line;
    const char
        *what; /* "alloc_pages(GFP_KERNEL, 2)", "free list Normal order 3 Movable", ... */
    const char *expected; /* what the kernel answered */
    const char *got;      /* what the machine did */
    const char *stack;    /* simulated, outermost first, a line each; "" where none */
};

/* What happens on the way. Any may be NULL. */
struct replay_watch {
    void *ctx;
    /* A sequence is over: its line behind "seq " ("state start" ... for what stands in
     * front of the first) and what it added. */
    void (*sequence)(void *ctx, const char *name, uint32_t line,
                     const struct replay_tally *t);
    /* The first max_differences differences. */
    void (*difference)(void *ctx, const struct replay_difference *d);
    uint64_t max_differences;
};

/* The machine for a record, without its first state. The record must stay until
 * replay_destroy. NULL: err. */
struct replay *replay_create(const struct record *r, const struct arena_host *host,
                             char *err, size_t err_size);
void replay_destroy(struct replay *rp);

/* All of it. False: a recorded state cannot be (err names its line); the tally is what
 * was done up to there. */
bool replay_run(struct replay *rp, const struct replay_watch *w, struct replay_tally *t,
                char *err, size_t err_size);

struct machine *replay_machine(struct replay *rp);

/* ---- on the screen: each recorded call is an operation of a timeline ---- */

/* The configuration of the record's machine. */
void replay_config(const struct record *r, struct machine_config *c);
/* A timeline that begins with the record's machine, booted; feed it. It refers to the
 * replay, which must outlive it. name is what sites call the record's file. */
struct timeline *replay_timeline(struct replay *rp, const char *name,
                                 const struct timeline_options *o, char *err,
                                 size_t err_size);
/* Do the next recorded call (or heading, or comparison: a note) on t. False: the record
 * is at its end. For session_set_feed; ctx is the struct replay. */
bool replay_feed(void *ctx, struct timeline *t);

#endif
