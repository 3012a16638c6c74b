/* What the parts of the replay share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_REPLAY_PRIVATE_H
#define SCRIPTS_REPLAY_PRIVATE_H

#include "replay.h"

/* Where differences go: counted, and the first ones told. */
struct replay_sink {
    struct replay_tally *tally;
    const struct replay_watch *watch;
};

/* One difference; expected and got are printf-made texts. stack may be NULL. */
void replay_differs(struct replay_sink *sink, uint32_t line, const char *what,
                    const char *expected, const char *got, const char *stack);

enum { REPLAY_NAMES = 256 };

struct replay {
    const struct record *record;
    struct machine *m;
    struct machine *on; /* whom the calls are made on: m, or a timeline's machine */
    struct state_source source; /* for OP_LOAD_STATE */
    char load_error[400];       /* the last load failed: cause; else "" */
    uint32_t load_line;

    /* where a run or a feed is */
    uint32_t next;      /* item */
    uint64_t successes; /* allocations of this sequence that were answered with a page */
    bool unknown;       /* I2: a line since the last loaded state is not modelled */
    bool areas_known;   /* vmap_area lines have told which addresses are in use */
    bool exhausted_differs;
    uint64_t misuse;  /* what the machine counted before the call */
    const char *name; /* feed: of the file, in sites */
    struct replay_tally feed_tally;
    struct text_source texts; /* m's, for the names of caches */
    char names[REPLAY_NAMES][RECORD_NAME];
    uint32_t nr_names;
};

struct op replay_op(const struct record *r, const struct record_item *item);

/* replay_vm.c */
/* Can a line of this kind be done now? */
bool replay_vm_can(const struct replay *rp, enum record_kind kind);
struct op replay_vm_op(const struct replay *rp, uint32_t item);
/* How operations are issued: at once, or as a timeline's. */
typedef uint64_t replay_do_fn(void *ctx, const struct record_item *item,
                              const struct op *op);
struct replay_vm_answer {
    uint64_t got, want;
    bool preempt; /* kmap_atomic: preemption is off afterwards */
    bool identical;
};
/* Do the line. Answers whether it has an answer that was compared. */
bool replay_vm_do(struct replay *rp, uint32_t item, replay_do_fn *call, void *ctx,
                  struct replay_vm_answer *a);
void replay_vm_heading(struct replay *rp, const struct record_seq *s,
                       struct replay_sink *sink);
void replay_vm_markers(struct replay *rp, struct replay_sink *sink);
uint32_t replay_vm_nr_cpus(const struct record *r);

/* replay_slab.c */
/* Who makes the calls and how texts get their numbers. */
struct replay_caller {
    replay_do_fn *call;
    uint64_t (*name)(void *ctx, const char *text);
    void *ctx;
};
/* Can this line of objects be done now? */
bool replay_slab_can(const struct replay *rp, uint32_t item);
/* Do it, with all lines of the same dump. Answers the item behind them. */
uint32_t replay_slab_do(struct replay *rp, uint32_t item,
                        const struct replay_caller *call, struct replay_sink *sink);
/* cache_line_size() of the recorded kernel; 0: the record does not say. */
uint32_t replay_slab_cache_line(const struct record *r);
bool replay_slab_is_slub(const struct record *r);
/* Texts of a machine without a timeline. */
uint64_t replay_slab_name(struct replay *rp, const char *text);
const char *replay_slab_text(void *ctx, uint64_t id);

/* replay_state.c */
void replay_load(void *ctx, struct machine *m, uint64_t state);
bool replay_compare_state(const struct machine *m, const struct record *r,
                          const struct record_state *s, struct replay_sink *sink);
void replay_check_figures(const struct record *r, const struct record_state *s,
                          struct replay_sink *sink);
/* What the machine counts as misuse (bad frees and the like). */
uint64_t replay_misuse(const struct machine *m);

#endif
