/* The cell grid: everything that appears on the screen is drawn into one of these first.
 *
 * A cell is one column of one row: a Unicode code point, a style (style.h) and marks that
 * lie over the style. One file (term.c) copies the grid to the terminal; tests and
 * exports read it directly, so golden screens need no terminal.
 *
 *   cells[y * cols + x]        x to the right, y down, both from 0
 *
 * I1  A wide character takes two cells: the second one's ch is GRID_TAIL. Overwriting
 *     either half turns the other one into a space, so a row never holds half a
 *     character.
 * I2  Nothing is ever written outside the clip rectangle, and that lies inside the grid.
 * I3  Code points that have no width of their own (combining marks, controls) are
 *     dropped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_GRID_H
#define UI_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRID_TAIL UINT32_MAX /* the right half of a wide character */

enum mark {
    MARK_CHANGED = 1,  /* the last step changed it */
    MARK_SELECTED = 2, /* the cursor of the focused pane */
    MARK_LINE = 4,     /* on the current line */
    MARK_BOLD = 8,
    NR_MARK_SETS = 16
};

struct cell {
    uint32_t ch;
    uint8_t style; /* enum style */
    uint8_t marks; /* enum mark, or-ed */
};

struct rect {
    int x, y, w, h;
};

struct grid {
    int cols, rows;
    struct cell *cells;
    struct rect clip;
    int cursor_x, cursor_y; /* where the terminal's cursor is shown; -1: hidden */
};

/* An empty grid of spaces. False: no memory (the grid is then 0 x 0). */
bool grid_create(struct grid *g, int cols, int rows);
void grid_destroy(struct grid *g);
/* Change the size; the contents are spaces afterwards. */
bool grid_resize(struct grid *g, int cols, int rows);
void grid_clear(struct grid *g);

/* Draw only inside r (cut to the grid) from now on; answers what was in force, for
 * grid_set_clip. */
struct rect grid_clip(struct grid *g, struct rect r);
static inline void grid_set_clip(struct grid *g, struct rect old) { g->clip = old; }

struct cell *grid_at(struct grid *g, int x, int y); /* NULL outside the grid */

/* One code point; answers the columns it takes (0: dropped, I3), even if it was
 * clipped. */
int grid_put(struct grid *g, int x, int y, uint32_t ch, int style, int marks);
/* UTF-8 text to the right of x, cut at the clip. Answers the column behind it, clipped
 * or not. */
int grid_text(struct grid *g, int x, int y, const char *text, int style, int marks);
/* At most max columns of it; a cut text ends in the ellipsis given (one column) if it
 * is not 0. */
int grid_text_cut(struct grid *g, int x, int y, int max, const char *text,
                  uint32_t ellipsis, int style, int marks);
int grid_printf(struct grid *g, int x, int y, int style, int marks, const char *format,
                ...) __attribute__((format(printf, 6, 7)));
void grid_fill(struct grid *g, struct rect r, uint32_t ch, int style, int marks);
/* Lay marks (and a style, if style >= 0) over what is there. */
void grid_mark(struct grid *g, struct rect r, int style, int marks);
void grid_hline(struct grid *g, int x, int y, int n, uint32_t ch, int style);
void grid_vline(struct grid *g, int x, int y, int n, uint32_t ch, int style);

/* A row as UTF-8, trailing spaces cut off, 0-terminated; answers its length in bytes
 * (cut to size - 1). */
size_t grid_row_text(const struct grid *g, int y, char *buf, size_t size);

/* ---- text ---- */

/* The code point at *s, which is moved on. Broken UTF-8 gives U+FFFD and moves by one
 * byte. 0 at the end. */
uint32_t utf8_next(const char **s);
size_t utf8_put(char out[4], uint32_t ch); /* bytes written */
int ch_width(uint32_t ch);        /* columns, 0 for what is dropped; after setlocale() */
int text_width(const char *text); /* columns */

#endif
