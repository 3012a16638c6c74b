/* Two machines under one script, in lock step: the script's machine, and the same with
 * other options.
 *
 * Both are sessions of their own, so that the user's session stays where it is, and both
 * have timelines: going back is going to an earlier place of both. A place is (operation,
 * event), the same number on both sides.
 *
 *     compare_open(...)                 both at the beginning
 *     compare_first(c, ...)             to the first event in which they differ
 *     compare_go(c, op, event)          anywhere
 *     compare_rows(c, rows, room)       what is to be seen of both, side by side
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_COMPARE_H
#define UI_COMPARE_H

#include "app.h"

enum { NR_COUNTERS = 10, COMPARE_VALUE = 120, COMPARE_ROWS = 200 };
extern const char *const counter_names[NR_COUNTERS];
/* All CPUs' together, and the objects in use. */
void machine_counters(const struct machine *m, uint64_t counter[NR_COUNTERS]);

struct compare {
    struct session *session[2]; /* ours, the other */
    struct timeline *t[2];
    char what[160];     /* the options that are different */
    uint64_t op, event; /* where both are */
    /* where they part first, as far as is known: operation and event (from 1; 0: no event
     * differs); UINT64_MAX: they do not, up to `same` operations */
    uint64_t first_op, first_event, same;
    bool ended; /* the script, on both */
    int top;    /* first row that is seen */
};

struct compare_row {
    char name[40], value[2][COMPARE_VALUE];
    bool heading;
};

/* NULL: err says why. name: the scenario's path; settings of the machine as config_format
 * writes them; what: those of the other one, "NAME=VALUE ...". */
struct compare *compare_open(const char *name, const struct machine *like,
                             const char *what, char *err, size_t err_size);
void compare_close(struct compare *c);
/* From where both are to the next operation that is not the same, and in it to the event
 * that is another one (from the beginning: the first divergence). False: there is none
 * before the script's end, or it was interrupted. */
bool compare_next(struct compare *c, bool (*interrupted)(void *ctx), void *ctx);
/* Both to that place, or as far as they go. False: neither gets there. */
bool compare_go(struct compare *c, uint64_t op, uint64_t event);
/* An event (or with whole: an operation) forwards or back. */
bool compare_step(struct compare *c, int direction, bool whole);
/* width: columns of a value; an event's sentence that is longer takes several rows. */
size_t compare_rows(const struct compare *c, struct compare_row *rows, size_t room,
                    int width);
/* The place of the first difference in words, malloced. */
char *compare_words(struct compare *c);

/* The screen of it, over the panes. */
void compare_draw(const struct app *a, struct grid *g);
/* True: the key was for it. */
bool compare_key(struct app *a, int key);

#endif
