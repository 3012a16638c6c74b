/* What a run stops at: breakpoints, watchpoints, conditions.
 *
 *   kind      what               stops at
 *   EVENT     an event's kind    each such event
 *   FUNCTION  a kernel function  the first event after it is called
 *   RETURN    a kernel function  the first event after it has returned
 *   LINE      a script's line    the first event of the first operation that it issues
 *   OP        an operation, as   its first event
 *             timeline_op counts
 *   PAGE      a pfn              each event that names a block with this page in it
 *   CHANGE    watch              each event behind which the watched thing is another one
 *                                than behind the event before (an operation's end, which
 *                                is where a person sees its last event, belongs to that)
 *   VALUE     text               the same of an expression's value
 *   WHEN      text               each event at which the expression is true
 *
 * A function that announces no event inside is not seen. Lines and operations are no
 * events: travel.c looks for them (stops_places).
 *
 * Calls while searching: stops_begin where a stretch of events begins, then stops_at at
 * each event of it (or only at those of stops_kinds), and stops_at_end at the end of each
 * operation if stops_ends.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_STOPS_H
#define UI_STOPS_H

#include "session.h"
#include "watch.h"

enum { MAX_STOPS = 64, STOP_TEXT = 200 };

enum stop_kind {
    STOP_EVENT,
    STOP_FUNCTION,
    STOP_RETURN,
    STOP_LINE,
    STOP_OP,
    STOP_PAGE,
    STOP_CHANGE,
    STOP_VALUE,
    STOP_WHEN
};

struct stop {
    int number;
    enum stop_kind kind;
    uint64_t what;
    struct watch watch;
    char text[STOP_TEXT];      /* VALUE, WHEN: the expression */
    char condition[STOP_TEXT]; /* "": none */
    char commands[STOP_TEXT];  /* to run when it has stopped, divided by ; */
    uint64_t ignore, hits;
    bool enabled, temporary;
    bool asked; /* a place that must be looked at there, in turn with the others */
    struct condition *expression, *test; /* text and condition, compiled */
    /* while searching */
    struct watch_value last;
    char last_text[STOP_TEXT];
    bool inside;
    uint16_t entered;
};

struct stops {
    struct stop list[MAX_STOPS];
    int nr, last_number;
    uint64_t kinds[(NR_EVENTS + 63) / 64]; /* of events that may stop, if not all may */
    bool all;
    bool ends, values;     /* operations' ends count; there are VALUE */
    bool asked_places;     /* LINE or OP with a condition or an ignore count */
    struct event seen;     /* the last one, for VALUE at an operation's end */
    bool backwards;        /* ignore counts do not count */
    char error[STOP_TEXT]; /* what a condition could not tell */
};

/* Add one like that (number and compiled parts are made); NULL: err says why not. */
struct stop *stops_add(struct stops *s, struct session *session, const struct stop *like,
                       char *err, size_t err_size);
/* "": no condition any more. */
bool stop_set_condition(struct stops *s, struct stop *stop, struct session *session,
                        const char *condition, char *err, size_t err_size);
struct stop *stops_find(struct stops *s, int number);
/* One of the same kind at the same place. */
struct stop *stops_same(struct stops *s, const struct stop *like);
void stops_remove(struct stops *s, int number);
void stops_clear(struct stops *s);
/* After enabling or disabling one. */
void stops_changed(struct stops *s);
/* Is there one that stops at places rather than events (LINE, OP)? At events? */
bool stops_places(const struct stops *s);
bool stops_events(const struct stops *s);

/* The kinds of events that may stop, a bit each; NULL: all. */
const uint64_t *stops_kinds(const struct stops *s);
/* Must operations' ends be looked at? */
static inline bool stops_ends(const struct stops *s) { return s->ends; }

/* last: the event before; NULL: none, or stops_values() does not hold. Inside an
 * operation (inside) the machine is at that event, else behind the operation. */
void stops_begin(struct stops *s, struct machine *m, const struct event *last,
                 bool inside);
static inline bool stops_values(const struct stops *s) { return s->values; }
/* An operation as a place: its number, its line, and that of the one before. */
struct op_start {
    uint64_t op;
    uint32_t line, before;
};
/* The first one that stops here, or NULL. at: at the operation's first event, if
 * stops_asks_places(); else NULL. */
struct stop *stops_at(struct stops *s, struct machine *m, const struct event *ev,
                      const struct op_start *at);
/* The same behind an operation, where ends are looked at; at: if it had no event. */
struct stop *stops_at_end(struct stops *s, struct machine *m, const struct op_start *at);
/* Are there places that must be asked there? */
static inline bool stops_asks_places(const struct stops *s) { return s->asked_places; }
/* One that stops where that operation begins, if it needs no asking (asked: or if it
 * does: stop_holds then says). */
struct stop *stops_at_place(struct stops *s, const struct op_start *at, bool asked);
/* Its condition, with the ignore count: true, it stops. ev may be NULL. */
bool stop_holds(struct stops *s, struct stop *stop, struct machine *m,
                const struct event *ev);

/* "event buddy:split if order > 3", as snprintf. */
int stop_format(char *buf, size_t size, const struct stop *stop, const struct machine *m);

#endif
