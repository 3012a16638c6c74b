/* Where everything is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "layout.h"

#include <string.h>

enum {
    ROWS_STATUS = 1,
    ROWS_NOW = 3,
    ROWS_NOW_TALL = 4,
    ROWS_TALL = 30,
    ROWS_HINT = 1,
    ROWS_TABS = 7 /* at least, of a slot that several panes share */
};
enum { COLS_TWO = 80, ROWS_TWO = 24, COLS_THREE = 140 };

/* ---- the table of views ---- */

enum { MAX_LEVELS = 4, MAX_PLACES = 7, NR_COLUMNS = 3 };

/* Column and place of a slot. */
enum place {
    A1 = 1,
    A2,
    A3,
    A4,
    A5,
    B1 = MAX_PLACES + 1,
    B2,
    B3,
    B4,
    B5,
    B6,
    C1 = 2 * MAX_PLACES + 1,
    C2,
    C3,
    C4,
    C5
};

struct view_shape {
    int from[2][MAX_LEVELS - 1]; /* with two, with three columns; 0: no such level */
};

struct view_pane {
    unsigned char view, pane;
    unsigned char slot[2][MAX_LEVELS]; /* enum place */
    unsigned char rows, share, most;
};

#define TWO(a, b, c)                                                                     \
    {                                                                                    \
        a, b, c                                                                          \
    }
#define THREE(a, b)                                                                      \
    {                                                                                    \
        a, b, 0                                                                          \
    }
#define TWO_COLS(a, b, c, d)                                                             \
    {                                                                                    \
        a, b, c, d                                                                       \
    }
#define THREE_COLS(a, b, c)                                                              \
    {                                                                                    \
        a, b, c, c                                                                       \
    }

static const struct view_shape shapes[NR_VIEWS] = {
#define VIEW(id, name, title, two, three, about) [VIEW_##id] = {{two, three}},
#define VIEW_PANE(view, pane, two, three, rows, share, most)
#include "views.def"
#undef VIEW
#undef VIEW_PANE
};

static const struct view_pane view_panes[] = {
#define VIEW(id, name, title, two, three, about)
#define VIEW_PANE(view, pane, two, three, rows, share, most)                             \
    {VIEW_##view, PANE_##pane, {two, three}, rows, share, most},
#include "views.def"
#undef VIEW
#undef VIEW_PANE
};

enum { NR_VIEW_PANES = sizeof view_panes / sizeof view_panes[0] };

const struct view_info *view_info(int view)
{
    static const struct view_info infos[NR_VIEWS] = {
#define VIEW(id, name, title, two, three, about) [VIEW_##id] = {name, title, about},
#define VIEW_PANE(view, pane, two, three, rows, share, most)
#include "views.def"
#undef VIEW
#undef VIEW_PANE
    };
    return view >= 0 && view < NR_VIEWS ? &infos[view] : NULL;
}

int view_find(const char *name)
{
    for (int i = 0; i < NR_VIEWS; i++) {
        if (!strcmp(view_info(i)->name, name)) {
            return i;
        }
    }
    return -1;
}

int view_number(int view, int pane)
{
    int n = 0;
    for (int i = 0; i < NR_VIEW_PANES; i++) {
        if (view_panes[i].view == view) {
            n++;
            if (view_panes[i].pane == pane) {
                return n;
            }
        }
    }
    return 0;
}

int view_pane(int view, int number)
{
    for (int i = 0; i < NR_VIEW_PANES; i++) {
        if (view_panes[i].view == view && --number == 0) {
            return view_panes[i].pane;
        }
    }
    return -1;
}

int view_nr_panes(int view)
{
    int n = 0;
    for (int i = 0; i < NR_VIEW_PANES; i++) {
        n += view_panes[i].view == view;
    }
    return n;
}

/* ---- rows and columns ---- */

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

static int at_most(int n, int most) { return n < 0 ? 0 : n < most ? n : most; }

/* 7 : 8 : 10, dealt so that one more column of the screen never makes a column of
 * slots narrower. */
static void deal_columns(int room, int *left, int *middle)
{
    int whole = room / 25, over = room % 25;
    *left = 7 * whole + at_most(over - 10, 7);
    *middle = 8 * whole + at_most(over - 17, 8);
}

/* A pane more for a slot. Several panes in one are content with little, and want what the
 * greediest wants. */
static void add_pane(struct part *p, const struct view_pane *row)
{
    bool first = p->nr_panes == 0;
    p->panes[p->nr_panes++] = row->pane;
    p->min_rows = first ? row->rows : p->min_rows < ROWS_TABS ? p->min_rows : ROWS_TABS;
    p->share = first || row->share > p->share ? row->share : p->share;
    p->max_rows = first                        ? row->most
                  : !row->most || !p->max_rows ? 0
                  : row->most > p->max_rows    ? row->most
                                               : p->max_rows;
}

static void columns(struct layout *l, const struct layout_prefs *prefs, bool three)
{
    const int *from = shapes[prefs->view].from[three];
    int level = 0, widths[NR_COLUMNS], x = 0, nr_columns = three ? 3 : 2;
    while (level < MAX_LEVELS - 1 && from[level] && l->body.h >= from[level]) {
        level++;
    }
    int room = l->body.w - (nr_columns - 1);
    if (three) {
        deal_columns(room, &widths[0], &widths[1]);
        widths[2] = room - widths[0] - widths[1];
    } else {
        widths[0] = room * 12 / 25;
        widths[1] = room - widths[0];
    }
    for (int c = 0; c < nr_columns; c++) {
        struct part places[MAX_PLACES + 1] = {{{0}, 0, 0, 0, 0}}, parts[MAX_PLACES];
        int nr = 0;
        for (int i = 0; i < NR_VIEW_PANES; i++) {
            int place = view_panes[i].slot[three][level] - c * MAX_PLACES;
            if (view_panes[i].view == prefs->view && place > 0 && place <= MAX_PLACES) {
                add_pane(&places[place], &view_panes[i]);
            }
        }
        for (int i = 1; i <= MAX_PLACES; i++) { /* a place may have no pane */
            if (places[i].nr_panes) {
                parts[nr++] = places[i];
            }
        }
        add_column(l, prefs, x, widths[c], parts, nr);
        x += widths[c];
        if (c + 1 < nr_columns) {
            l->rules[l->nr_rules++] = x++;
        }
    }
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
        struct part all = {.min_rows = body};
        for (int i = 0; i < NR_VIEW_PANES; i++) {
            if (view_panes[i].view == prefs->view) {
                all.panes[all.nr_panes++] = view_panes[i].pane;
            }
        }
        add_slot(&l, prefs, l.body, &all);
        if (prefs->zoomed >= 0) {
            l.slots[0].shown = prefs->zoomed;
        }
    } else {
        columns(&l, prefs, l.tier == TIER_THREE);
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
