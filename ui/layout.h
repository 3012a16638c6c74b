/* Where everything is: a pure function of the screen's size and the user's preferences.
 *
 *   status          one row: machine, CPU, position
 *   body            slots, in one, two or three columns; a slot shows one pane, and a
 *                   tab for each other pane that shares it
 *   now             what just happened and why
 *   hint            keys, messages, the command line
 *
 * A slot's first row is its title; the columns are separated by one column of rule.
 *
 * The panes on the screen are those of one view (views.def); the others have no slot.
 *
 * I1  Slots do not overlap and lie inside the body; every pane of the view is in exactly
 *     one slot.
 * I2  A bigger terminal (more columns, more rows or both) never shows less: the panes
 *     that can be seen are a superset. This holds because the slots of a bigger layout
 *     divide those of a smaller one (the panes of each bigger slot all come from one
 *     smaller slot) and a slot shows its most recently chosen pane.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_LAYOUT_H
#define UI_LAYOUT_H

#include "grid.h"

enum pane {
#define PANE(id, object) PANE_##id,
#include "panes.def"
#undef PANE
    NR_PANES
};

enum view {
#define VIEW(id, name, title, two, three, about) VIEW_##id,
#define VIEW_PANE(view, pane, two, three, rows, share, most)
#include "views.def"
#undef VIEW
#undef VIEW_PANE
    NR_VIEWS
};

enum { MIN_COLS = 60, MIN_ROWS = 15 };

enum tier { TIER_TOO_SMALL, TIER_NARROW, TIER_TWO, TIER_THREE };

struct layout_prefs {
    int view;   /* enum view */
    int zoomed; /* the pane that has the whole body; -1: none */
    /* when the pane was last chosen: a slot shows its latest */
    uint32_t chosen[NR_PANES];
};

struct slot {
    struct rect frame;  /* with the title row */
    struct rect inside; /* what the pane draws in */
    int panes[NR_PANES], nr_panes;
    int shown; /* the pane that is seen */
};

struct layout {
    enum tier tier;
    struct rect status, body, now, hint;
    struct slot slots[NR_PANES];
    int nr_slots;
    int rules[2], nr_rules; /* columns of the rules between the columns of slots */
};

struct layout layout_compute(int cols, int rows, const struct layout_prefs *prefs);

/* The slot that a pane is in (NULL: the pane is not in the view, or the screen is too
 * small), and whether it is seen. */
const struct slot *layout_slot(const struct layout *l, int pane);
bool layout_visible(const struct layout *l, int pane);

/* ---- views ---- */

struct view_info {
    const char *name, *title, *about;
};

const struct view_info *view_info(int view); /* NULL: there is no such view */
int view_find(const char *name);             /* -1: there is none of that name */
/* The number that a pane has in a view, from 1 on; 0: it is not in it. */
int view_number(int view, int pane);
int view_pane(int view, int number); /* -1: there is none of that number */
int view_nr_panes(int view);

#endif
