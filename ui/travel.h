/* Going through time by the steps that a person thinks in, in both directions.
 *
 * Every position is seen as "event e of operation k has just happened"; the end of
 * operation k is its last event. What each step stops at:
 *
 *   event     every event; the end of an operation that has none (a note)
 *   step      events of level STEP and REPORT; notes to be read; the end of an
 *             operation without any such event
 *   next      the end of an operation that another line of the script issued; first
 *             the end of the one under way
 *   finish    the first event after the current simulated function has returned, or
 *             the operation's end
 *   continue  a breakpoint, or the end
 *
 * Forwards at the end of the branch the script is resumed (session_advance).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_TRAVEL_H
#define UI_TRAVEL_H

#include "app.h"

enum travel {
    TRAVEL_MOVED,
    TRAVEL_END,         /* there is nothing further on */
    TRAVEL_START,       /* there is nothing before */
    TRAVEL_FAILED,      /* the script has an error: session_error() */
    TRAVEL_INTERRUPTED, /* the user or a limit stopped it on the way */
    TRAVEL_BREAK        /* a breakpoint was reached */
};

enum travel travel_event(struct app *a, int direction);
enum travel travel_step(struct app *a, int direction);
enum travel travel_next(struct app *a, int direction);
enum travel travel_finish(struct app *a, int direction);
/* which: the breakpoint reached, or NULL. */
enum travel travel_continue(struct app *a, int direction, struct stop **which);
/* To operation op, event event of the current branch; operations that do not exist yet
 * are run. */
enum travel travel_to(struct app *a, uint64_t op, uint64_t event);

#endif
