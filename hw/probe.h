/* Events and the simulated call stack: how the machine tells what it does.
 *
 * An operation runs to its end and announces on its way everything that a teacher would
 * point at. Each announcement is probe(). Without an observer it costs one increment and
 * one compare; with one (stop set to 0) or on reaching the wanted event (stop set to its
 * number), the slow hook runs. The hook may longjmp out: the arena then holds exactly the
 * state at that event, which is how the timeline seeks.
 *
 * Rule: an event is announced after the change that it names has been made, so that the
 * state "at the event" shows it.
 *
 * The call stack is of simulated functions (engine/functions.def). It lives outside the
 * arena and is empty between operations. It is not kept where nobody can ask for it,
 * while stop is UINT64_MAX: a hook may set stop to that (it will not be called again in
 * this operation), nobody may set it to less inside of one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_PROBE_H
#define HW_PROBE_H

#include "types.h"

enum { PROBE_ARGS = 6, PROBE_STACK = 64, PROBE_FRAME_ARGS = 4 };

struct event {
    uint16_t kind; /* enum event_kind (events.def) */
    uint8_t cpu;
    uint8_t ctx;    /* enum context: process, softirq, hardirq */
    uint32_t depth; /* call stack depth at the event */
    uint64_t n;     /* 1, 2, ... within the operation */
    uint64_t arg[PROBE_ARGS];
};

struct probe_frame {
    uint16_t fn;            /* enum fn (functions.def) */
    uint16_t event_entered; /* low 16 bits of n at entry: which call of several this is */
    uint64_t arg[PROBE_FRAME_ARGS];
};

struct probe {
    uint64_t n; /* events so far in this operation */
    /* the slow hook runs when n >= stop; 0: at every event; UINT64_MAX: never */
    uint64_t stop;
    void (*slow)(struct probe *p, const struct event *ev);
    void *slow_ctx;
    /* NULL, or of which kinds (a bit each) the hook wants to know; of the others only
     * from event must on */
    const uint64_t *kinds;
    uint64_t must;
    /* the probe's owner: called when the hook has returned */
    void (*after)(struct probe *p);
    /* the probe's owner, NULL: nobody: called before an event is counted, by the files
     * that define PROBE_BEFORE; may announce events of other files */
    void (*before)(struct probe *p, uint16_t kind, const uint64_t *arg);
    uint8_t cpu, ctx; /* kept up to date by the engine, copied into each event */
    /* frames in use; may exceed PROBE_STACK, the deeper ones are not stored */
    uint32_t depth;
    struct probe_frame stack[PROBE_STACK];
};

void probe_slow(struct probe *p, uint16_t kind, uint64_t a0, uint64_t a1, uint64_t a2,
                uint64_t a3, uint64_t a4, uint64_t a5);

static inline void probe_announce(struct probe *p, uint16_t kind, uint64_t a0,
                                  uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                                  uint64_t a5)
{
#ifdef PROBE_QUIET /* nobody watches this operation: see engine/quiet.h */
    (void)kind, (void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    p->n++;
#else
#ifdef PROBE_BEFORE
    if (UNLIKELY(p->before != NULL)) {
        p->before(p, kind, (const uint64_t[PROBE_ARGS]){a0, a1, a2, a3, a4, a5});
    }
#endif
    if (UNLIKELY(++p->n >= p->stop)) {
        probe_slow(p, kind, a0, a1, a2, a3, a4, a5);
    }
#endif
}

/* probe(p, EV_X, up to six arguments) */
#define probe(p, ...) PROBE_PAD_(p, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define PROBE_PAD_(p, kind, a0, a1, a2, a3, a4, a5, ...)                                 \
    probe_announce((p), (uint16_t)(kind), (uint64_t)(a0), (uint64_t)(a1),                \
                   (uint64_t)(a2), (uint64_t)(a3), (uint64_t)(a4), (uint64_t)(a5))

void probe_push_frame(struct probe *p, uint16_t fn, uint64_t a0, uint64_t a1, uint64_t a2,
                      uint64_t a3);

static inline void probe_push(struct probe *p, uint16_t fn, uint64_t a0, uint64_t a1,
                              uint64_t a2, uint64_t a3)
{
#ifdef PROBE_QUIET
    (void)p, (void)fn, (void)a0, (void)a1, (void)a2, (void)a3;
#else
    if (UNLIKELY(p->stop != UINT64_MAX)) {
        probe_push_frame(p, fn, a0, a1, a2, a3);
    }
#endif
}

static inline void probe_pop(struct probe *p)
{
#ifdef PROBE_QUIET
    (void)p;
#else
    if (UNLIKELY(p->stop != UINT64_MAX) && p->depth) {
        p->depth--;
    }
#endif
}

/* fn_enter(p, FN_x, up to four arguments) ... fn_leave(p): exactly one leave on every
 * way out. */
#define fn_enter(p, ...) FN_PAD_(p, __VA_ARGS__, 0, 0, 0, 0, 0)
#define FN_PAD_(p, fn, a0, a1, a2, a3, ...)                                              \
    probe_push((p), (uint16_t)(fn), (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2),      \
               (uint64_t)(a3))
#define fn_leave(p) probe_pop(p)

#endif
