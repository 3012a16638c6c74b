/* A cache or TLB as sets by ways, seen from near or far: what the cache pane and the TLB
 * pane have in common.
 *
 *   near      a row a way: everything about it
 *   nearer    a row a set: its ways side by side, as much of each as fits
 *   far       a cell a set, or a power of two of sets: a heat map of what is in use
 *
 * + and - go from one to the other; the set under the cursor stays in view. Without a
 * cursor the view follows what happens.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HW_SETS_H
#define UI_HW_SETS_H

#include "pane.h"

enum { SETS_WAYS, SETS_SETS, SETS_HEAT };

/* How a part's contents are drawn. */
struct sets_kind {
    enum hw_part first, last; /* the parts that the pane turns through */
    int near;                 /* the zoom that it begins with: SETS_WAYS or SETS_SETS */
    /* A row a way: the heading's words, and a row from x on. */
    void (*heading)(const struct app *a, enum hw_part part, struct grid *g,
                    struct rect r);
    void (*row)(const struct app *a, enum hw_part part, struct grid *g, struct rect r,
                uint32_t set, uint32_t way, int marks);
    /* A way beside others, in tiers from 0, the widest; width 0: no such tier. */
    int (*cell_width)(const struct app *a, enum hw_part part, int tier);
    void (*cell)(const struct app *a, enum hw_part part, struct grid *g, int x, int y,
                 int tier, uint32_t set, uint32_t way, int marks);
    /* How many of a set's ways are in use, and how many of those are of the other sort
     * (dirty, stale), which has a style of its own. */
    void (*count)(const struct app *a, enum hw_part part, uint32_t set, uint32_t *used,
                  uint32_t *other);
    int used_style, other_style;
    const char *unit, *other_word; /* "lines", "dirty" */
};

int sets_zoom(const struct sets_state *s);
void sets_fit(struct app *a, const struct sets_kind *k, enum hw_part part, int w, int h);
void sets_draw(const struct app *a, const struct sets_kind *k, enum hw_part part,
               struct grid *g, struct rect r, bool focused);
bool sets_key(struct app *a, const struct sets_kind *k, enum hw_part part, int key,
              int h);
void sets_click(struct app *a, const struct sets_kind *k, enum hw_part part, int x, int y,
                int w);
/* + and -: one nearer (-1) or further. */
void sets_scale(struct app *a, enum hw_part part, int by);
/* The next part that this processor has. */
enum hw_part sets_turn(const struct app *a, enum hw_part first, enum hw_part last,
                       enum hw_part part, int by);
/* Columns of a row: as many as fit, those first in by_rank before others; a gap of one
 * cell behind each but one (-1: behind all). */
enum { SETS_MAX_COLUMNS = 12 };
struct sets_columns {
    int x[SETS_MAX_COLUMNS], w[SETS_MAX_COLUMNS]; /* w 0: not shown */
    int used;                                     /* cells of the row */
};
struct sets_columns sets_columns(const int *want, int nr, const unsigned char *by_rank,
                                 size_t nr_ranks, int without_gap, int room);
/* Are its lines numbered by age? */
bool sets_has_ages(const struct cache *c);

/* ---- what both panes do alike ---- */

/* Rows above the sets: the part's geometry, its counts. */
int sets_head_rows(int h);
/* "12 asked, 3 missed (25.0%): 3 cold ..."; why: NULL when causes are not told. Answers
 * where it ends. */
int sets_draw_counts(struct grid *g, int x, int y, int w, const char *asked, uint64_t all,
                     uint64_t missed, const struct miss_causes *why);
/* The part that the pane shows: what happens is followed unless it is pinned, and one
 * that the processor has not is passed over. */
enum hw_part sets_follow(const struct app *a, enum hw_part first, enum hw_part last,
                         enum hw_part part, bool pinned);
/* [ and ]: another part, that stays in view. */
enum hw_part sets_turn_pane(struct app *a, enum hw_part first, enum hw_part last,
                            enum hw_part part, bool *pinned, int by);
void sets_title(const struct app *a, enum hw_part part, char *buf, size_t size);
/* Did the last step touch one of these? */
bool sets_changed(const struct app *a, enum hw_part first, enum hw_part last);

/* The way under the cursor, else what is followed; false: neither. */
bool sets_at(const struct app *a, enum hw_part part, uint32_t *set, uint32_t *way);

#endif
