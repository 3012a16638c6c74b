/* What the panes show that is not simply the machine's state: the operation in view with
 * its events, the event that just happened, the notes told so far, and what the last step
 * changed.
 *
 * A position (op, event) with event 0 lies between operations. What just happened there
 * is the last event of the operation before: the model then has the events of that one,
 * all of them.
 *
 * Calls: model_refresh after every move; it costs the events of one operation, and
 * nothing when the operation is the same as before.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_MODEL_H
#define UI_MODEL_H

#include "inspect.h"
#include "session.h"

enum {
    MODEL_MAX_CHANGED = 128,
    MODEL_MAX_ZONES = MAX_NR_ZONES,
    MODEL_MAX_EVENTS = 1 << 16
};

/* Some or all events of one operation. */
struct op_events {
    bool valid;
    uint32_t branch;
    uint64_t op;
    struct op_record rec;
    /* number (1-based) of at[0]: a window when there are more than MODEL_MAX_EVENTS */
    uint64_t first;
    struct event *at;
    size_t nr, room;
    /* the call stack at the operation's last event */
    struct probe_frame last_stack[PROBE_STACK];
    uint32_t last_depth;
};

struct op_list { /* operations by number, ascending */
    uint64_t *at;
    size_t nr, room;
};

struct zone_counts {
    uint64_t buddy[MAX_ORDER][MIGRATE_TYPES];
    uint64_t free;
    uint64_t pcp[NR_PCP_LISTS]; /* of the shown CPU */
    uint64_t pcp_count;
};

struct model {
    struct session *session;
    struct timeline *t;
    const struct machine *m;
    struct position at;
    bool past; /* not at the end of the branch */

    bool has_op; /* an operation is in view: it is under way, or was the last one done */
    bool inside; /* it is under way */
    struct op_events view; /* its events */
    uint64_t happened;     /* how many of them have happened */
    bool has_event;
    struct event event; /* the last of them */
    bool is_note;       /* the operation in view is a note to be read */

    /* outermost first; between operations: at the last event */
    struct probe_frame stack[PROBE_STACK];
    uint32_t depth;
    uint32_t line;      /* the script's line in view, 0: none (the user did it) */
    uint32_t near_line; /* that, or the last line before */

    /* operations of the branch that are notes to be read, and those that ask for a
     * view, found so far */
    struct op_list notes, views;
    uint64_t notes_scanned;
    const char *view_name; /* what view() asked for last, up to the position; or NULL */
    uint32_t notes_branch;

    /* events of the operation in view that the last step passed, both in it; low > high:
     * none */
    uint64_t step_low, step_high;

    /* what the last step changed */
    uint64_t changed[MODEL_MAX_CHANGED]; /* page frame numbers */
    size_t nr_changed;
    uint64_t changed_zones; /* bits: zones in its events */
    bool counts_valid;
    struct zone_counts now[MODEL_MAX_ZONES], before[MODEL_MAX_ZONES];
    uint32_t cpu; /* whose per-CPU lists the counts are of */
};

void model_init(struct model *md, struct session *s);
void model_free(struct model *md);
/* After a move (or anything done). from: the position before; cpu: whose lists are
 * shown. */
void model_refresh(struct model *md, struct position from, uint32_t cpu);
/* The shown CPU is another one: nothing is a change. */
void model_show_cpu(struct model *md, uint32_t cpu);

/* The events of operation op around event number around, kept until another operation
 * is asked for. NULL: there is no such operation. */
const struct op_events *model_events(struct model *md, uint32_t branch, uint64_t op,
                                     uint64_t around);
/* The same into e, which may be all zeros. */
const struct op_events *op_events_load(struct op_events *e, struct timeline *t,
                                       uint32_t branch, uint64_t op, uint64_t around);
/* Event number n of those, or NULL outside the window. */
const struct event *op_events_get(const struct op_events *e, uint64_t n);

bool model_pfn_changed(const struct model *md, uint64_t pfn, uint32_t order);
/* Arguments of an event by type: true and the value of the first one of that type. */
bool event_arg(const struct event *ev, const char *type, uint64_t *value);
/* The same by the argument's name. */
bool event_arg_named(const struct event *ev, const char *name, uint64_t *value);
/* Does the event concern this page (it lies in a block that the event names)? */
bool event_touches_pfn(const struct event *ev, uint64_t pfn);
/* Do events of this kind name blocks at all? */
bool event_names_pfn(uint16_t kind);
/* Is the operation a note that a person should stop at? */
bool op_is_note(const struct op *op);
bool op_is_stop_note(const struct op *op);

#endif
