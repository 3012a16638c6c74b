/* One cache of objects as the pane Slabs shows it: what is where, for drawing, for the
 * cursor and for clicks, which all go by the same shape.
 *
 *   slabs_model.c   the shape, the order of slabs, where each object is
 *   slabs_cursor.c  moving, clicks, what stays in view
 *   slabs_words.c   the object under the cursor, in words
 *   pane_slabs.c    drawing the rest
 *
 * Stores are what each CPU has of the cache: with SLAB its array, and behind those the
 * shared one; with SLUB the freelist of its slab. Slabs stand in the order in which
 * objects would come from them: SLUB's per-CPU slabs first, then the kernel's lists. One
 * that the operation in view has taken off one list and not yet put on another stands
 * before all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_SLABS_H
#define UI_SLABS_H

#include "app.h"
#include "slab_view.h"

enum { SLABS_MAX_OBJECTS = 4096, SLABS_MAX_PAD = 6 };

struct slabs_shape {
    struct cache_view v;
    bool slub;
    bool head, legend;     /* rows that there is room for */
    int path_rows;         /* of the last operation's way */
    int nr_stores, stores; /* all, and how many are seen */
    int store_rows;        /* of one */
    bool node;             /* SLUB: a row behind them for the node's partial slabs */
    int path_y, stores_y, slabs_y, slabs_h, words_y, words;
    int prefix, pad;                 /* columns: of the address, of the colour */
    int detail, cell, per_row, rows; /* rows: of a slab, its heading too */
    int64_t nr_slabs;
};

/* False: there is no cache. */
bool slabs_shape(const struct app *a, int w, int h, struct slabs_shape *s);
/* Columns that a slab's colour moves its objects by: any colour moves them. */
int slabs_shift(const struct slabs_shape *sh, const struct slab_view *v);
int slabs_digits(uint64_t n, unsigned base);

/* ---- slabs ---- */

/* The n-th slab of the cache; 0: there are not so many. */
uint32_t slabs_nth(const struct app *a, int64_t n);
uint32_t slabs_after(const struct app *a, uint32_t slab);
/* Which one it is, in that order; -1: none of the cache. */
int64_t slabs_ordinal(const struct app *a, uint32_t slab);

/* ---- stores ---- */

struct store_view {
    uint32_t cpu;               /* UINT32_MAX: the shared array */
    uint32_t avail;             /* objects in it */
    uint32_t limit, batchcount; /* arrays' */
    bool touched;
    uint32_t slab, partial; /* SLUB: the CPU's, 0 none */
    uint32_t nr_partial;
};
/* False: there is none. */
bool store_view(const struct app *a, int store, struct store_view *v);
/* Addresses of its objects from the first-th on, what goes out next first; answers how
 * many. */
uint32_t store_entries(const struct app *a, int store, uint32_t first, uint64_t *va,
                       uint32_t most);
/* The one that so many go out before; 0: there is none. */
uint64_t store_entry(const struct app *a, int store, uint32_t before);
/* Columns: where entries begin, of an entry; the first one that is seen: the cursor's
 * is. */
int store_entries_x(int w);
int store_entry_width(const struct app *a, const struct slabs_shape *sh);
uint32_t store_first(const struct app *a, const struct slabs_shape *sh, int store, int w);

/* ---- objects ---- */

struct object_place {
    uint8_t state; /* enum object_state */
    bool next;     /* goes out first of all in its store or on its slab's freelist */
    uint32_t cpu;  /* in a store: whose */
};
/* Where each object of a slab is. */
void slabs_places(const struct app *a, const struct slab_view *v, uint32_t slab,
                  uint32_t size, struct object_place p[SLABS_MAX_OBJECTS]);
/* The object under the cursor, else the one that was touched last; 0: none. */
uint64_t slabs_object(const struct app *a);

/* ---- words (slabs_words.c) ---- */

/* As much of the text as there is room for in the row; answers where it ends. */
int slabs_text(const struct app *a, struct grid *g, struct rect r, int x,
               const char *text, int style, int marks);
/* The object under the cursor: what it is; who allocated and freed it; its bytes; its
 * lines. As many of these rows as r has. */
void slabs_words(const struct app *a, struct grid *g, struct rect r);

/* The lines of the selected object light up in the panes of caches. */
void slabs_light_lines(struct app *a);

/* ---- the pane's functions (pane.h) ---- */

void slabs_fit(struct app *a, int w, int h);
bool slabs_key(struct app *a, int key, int w, int h);
void slabs_click(struct app *a, int x, int y, int w, int h);
void slabs_turn(struct app *a, int by);
bool slabs_find(struct app *a, const char *text);

#endif
