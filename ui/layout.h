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
 * I1  Slots do not overlap and lie inside the body; every pane is in exactly one slot.
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
    PANE_SCRIPT,
    PANE_NARRATION,
    PANE_STACK,
    PANE_BUDDY,
    PANE_PCP,
    PANE_PHYSMAP,
    PANE_ZONES,
    PANE_EVENTS,
    NR_PANES
};

enum { MIN_COLS = 60, MIN_ROWS = 15 };

enum tier { TIER_TOO_SMALL, TIER_NARROW, TIER_TWO, TIER_THREE };

struct layout_prefs {
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

/* The slot that a pane is in (never NULL unless the screen is too small), and whether
 * it is seen. */
const struct slot *layout_slot(const struct layout *l, int pane);
bool layout_visible(const struct layout *l, int pane);

#endif
