/* Positions on the timeline, and the one way in which a person reads and types them.
 *
 *   inside                     written
 *   {op = 0,  event = 0}       0       the beginning: nothing has been done
 *   {op = 42, event = 0}       42      operation 42 is done
 *   {op = 41, event = 3}       42.3    event 3 of operation 42 has happened
 *
 * So operations count from 1, as they do in the machine itself (mm.nr_ops, a page's or an
 * object's operation): operation N is the N-th, and "goto N" shows what operation N did.
 * Inside, the timeline's operations count from 0, since position.op says how many are
 * done; only these functions translate. Session files have the numbers from inside.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_POSITION_H
#define ENGINE_POSITION_H

#include <stdbool.h>
#include <stdint.h>

struct position {
    uint32_t branch;
    uint64_t op;
    uint64_t event;
};

/* The number of the timeline's operation op, and the operation of a number (not 0). */
static inline uint64_t op_number(uint64_t op) { return op + 1; }
static inline uint64_t op_of_number(uint64_t number) { return number - 1; }

enum { POSITION_TEXT = 48 };
/* Writes it, and answers buf. The branch is not part of it. */
const char *position_format(char buf[POSITION_TEXT], struct position at);
/* Reads "42" or "42.3" into *at, whose branch stays, and answers what follows; "42.0" is
 * where operation 42 begins. NULL: that is no position, and *at stays. */
const char *position_parse(const char *text, struct position *at);

#endif
