/* Where everything is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "layout.h"

#include <string.h>

/* How finely the right-hand panes are divided; each level divides the one before (I2). */
enum level {
    LEVEL_TABS,  /* free lists; one slot for the other four */
    LEVEL_PAIRS, /* free lists; per-CPU|zones; map|events */
    LEVEL_MAP,   /* free lists; per-CPU|zones; map; events (three columns only) */
    LEVEL_ALL    /* each pane its own slot */
};

enum {
    ROWS_STATUS = 1,
    ROWS_NOW = 3,
    ROWS_NOW_TALL = 4,
    ROWS_TALL = 30,
    ROWS_HINT = 1,
    ROWS_BUDDY = 13
};
enum { COLS_TWO = 80, ROWS_TWO = 24, COLS_THREE = 140 };

struct part { /* one slot of a column of slots */
    int panes[NR_PANES], nr_panes;
    int min_rows; /* with the title */
    int share;    /* of rows that are left over */
    int max_rows; /* as long as others can take more; 0: any number */
};

/* Rows left over are dealt out one by one, share times to each part in turn, so that
 * one more row never makes any part smaller. */
static void deal_rows(const struct part *parts, int nr, int rows, int heights[])
{
    for (int i = 0; i < nr; i++) {
        heights[i] = parts[i].min_rows;
        rows -= parts[i].min_rows;
    }
    while (rows > 0) {
        int dealt = 0;
        for (int round = 0; round < 4 && rows > 0; round++) {
            for (int i = 0; i < nr && rows > 0; i++) {
                bool full = parts[i].max_rows && heights[i] >= parts[i].max_rows;
                if (parts[i].share > round && !full) {
                    heights[i]++;
                    rows--;
                    dealt++;
                }
            }
        }
        if (!dealt) {
            heights[nr - 1] += rows;
            rows = 0;
        }
    }
    for (int i = nr - 1; rows < 0 && i >= 0;
         i--) { /* less than the minimum: cut from below */
        int cut = heights[i] - 2 < -rows ? heights[i] - 2 : -rows;
        if (cut > 0) {
            heights[i] -= cut;
            rows += cut;
        }
    }
}

static void add_slot(struct layout *l, const struct layout_prefs *prefs,
                     struct rect frame, const struct part *part)
{
    struct slot *s = &l->slots[l->nr_slots++];
    s->frame = frame;
    s->inside = (struct rect){frame.x, frame.y + 1, frame.w, frame.h - 1};
    s->nr_panes = part->nr_panes;
    memcpy(s->panes, part->panes, sizeof s->panes);
    s->shown = s->panes[0];
    for (int i = 1; i < s->nr_panes; i++) {
        if (prefs->chosen[s->panes[i]] > prefs->chosen[s->shown]) {
            s->shown = s->panes[i];
        }
    }
}

static void add_column(struct layout *l, const struct layout_prefs *prefs, int x, int w,
                       const struct part *parts, int nr)
{
    int heights[NR_PANES];
    deal_rows(parts, nr, l->body.h, heights);
    int y = l->body.y;
    for (int i = 0; i < nr; i++) {
        add_slot(l, prefs, (struct rect){x, y, w, heights[i]}, &parts[i]);
        y += heights[i];
    }
}

static const struct part script = {{PANE_SCRIPT}, 1, 6, 3, 0};
static const struct part narration = {{PANE_NARRATION}, 1, 6, 3, 0};
static const struct part stack = {{PANE_STACK}, 1, 7, 2, 16};
static const struct part buddy = {{PANE_BUDDY}, 1, ROWS_BUDDY, 0, 0};
static const struct part pcp = {{PANE_PCP}, 1, 7, 2, 14};
static const struct part zones = {{PANE_ZONES}, 1, 7, 1, 0};
static const struct part physmap = {{PANE_PHYSMAP}, 1, 7, 4, 0};
static const struct part events = {{PANE_EVENTS}, 1, 7, 4, 0};
static const struct part rest = {
    {PANE_PCP, PANE_PHYSMAP, PANE_ZONES, PANE_EVENTS}, 4, 6, 1, 0};
static const struct part pcp_zones = {{PANE_PCP, PANE_ZONES}, 2, 6, 1, 0};
static const struct part map_events = {{PANE_PHYSMAP, PANE_EVENTS}, 2, 8, 2, 0};

static void two_columns(struct layout *l, const struct layout_prefs *prefs)
{
    int h = l->body.h;
    enum level level = h >= 34 ? LEVEL_ALL : h >= 28 ? LEVEL_PAIRS : LEVEL_TABS;
    int left = (l->body.w - 1) * 12 / 25, right = l->body.w - 1 - left;
    if (level == LEVEL_ALL) {
        const struct part parts[] = {script, narration, stack, events};
        add_column(l, prefs, 0, left, parts, 4);
    } else {
        const struct part parts[] = {script, narration, stack};
        add_column(l, prefs, 0, left, parts, 3);
    }
    l->rules[l->nr_rules++] = left;
    if (level == LEVEL_ALL) {
        const struct part parts[] = {buddy, pcp, zones, physmap};
        add_column(l, prefs, left + 1, right, parts, 4);
    } else if (level == LEVEL_PAIRS) {
        const struct part parts[] = {buddy, pcp_zones, map_events};
        add_column(l, prefs, left + 1, right, parts, 3);
    } else {
        const struct part parts[] = {buddy, rest};
        add_column(l, prefs, left + 1, right, parts, 2);
    }
}

static int at_most(int n, int most) { return n < 0 ? 0 : n < most ? n : most; }

/* 7 : 8 : 10, dealt so that one more column of the screen never makes a column of
 * slots narrower. */
static void deal_columns(int room, int *left, int *middle)
{
    int whole = room / 25, over = room % 25;
    *left = 7 * whole + at_most(over - 10, 7);
    *middle = 8 * whole + at_most(over - 17, 8);
}

static void three_columns(struct layout *l, const struct layout_prefs *prefs)
{
    enum level level = l->body.h >= 27 ? LEVEL_ALL : LEVEL_MAP;
    int room = l->body.w - 2, left, middle;
    deal_columns(room, &left, &middle);
    const struct part tellers[] = {script, narration, stack};
    add_column(l, prefs, 0, left, tellers, 3);
    l->rules[l->nr_rules++] = left;
    if (level == LEVEL_ALL) {
        const struct part parts[] = {buddy, pcp, zones};
        add_column(l, prefs, left + 1, middle, parts, 3);
    } else {
        const struct part parts[] = {buddy, pcp_zones};
        add_column(l, prefs, left + 1, middle, parts, 2);
    }
    l->rules[l->nr_rules++] = left + 1 + middle;
    const struct part parts[] = {physmap, events};
    add_column(l, prefs, left + middle + 2, room - left - middle, parts, 2);
}

struct layout layout_compute(int cols, int rows, const struct layout_prefs *prefs)
{
    struct layout l = {.tier = TIER_TOO_SMALL};
    if (cols < MIN_COLS || rows < MIN_ROWS) {
        l.body = (struct rect){0, 0, cols, rows};
        return l;
    }
    int now = rows >= ROWS_TALL ? ROWS_NOW_TALL : ROWS_NOW;
    int body = rows - ROWS_STATUS - now - ROWS_HINT;
    l.status = (struct rect){0, 0, cols, ROWS_STATUS};
    l.body = (struct rect){0, ROWS_STATUS, cols, body};
    l.now = (struct rect){0, ROWS_STATUS + body, cols, now};
    l.hint = (struct rect){0, rows - ROWS_HINT, cols, ROWS_HINT};
    bool small = cols < COLS_TWO || rows < ROWS_TWO;
    l.tier = small ? TIER_NARROW : cols < COLS_THREE ? TIER_TWO : TIER_THREE;
    if (small || prefs->zoomed >= 0) {
        struct part all = {.nr_panes = NR_PANES, .min_rows = body};
        for (int i = 0; i < NR_PANES; i++) {
            all.panes[i] = i;
        }
        add_slot(&l, prefs, l.body, &all);
        if (prefs->zoomed >= 0) {
            l.slots[0].shown = prefs->zoomed;
        }
    } else if (l.tier == TIER_TWO) {
        two_columns(&l, prefs);
    } else {
        three_columns(&l, prefs);
    }
    return l;
}

const struct slot *layout_slot(const struct layout *l, int pane)
{
    for (int i = 0; i < l->nr_slots; i++) {
        for (int j = 0; j < l->slots[i].nr_panes; j++) {
            if (l->slots[i].panes[j] == pane) {
                return &l->slots[i];
            }
        }
    }
    return NULL;
}

bool layout_visible(const struct layout *l, int pane)
{
    const struct slot *s = layout_slot(l, pane);
    return s && s->shown == pane;
}
