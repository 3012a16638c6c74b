/* What a pane is: a name and a few functions. One file a pane; the table of all is
 * panes.def, and views.def says where each is seen.
 *
 * draw is pure. fit is called before drawing, after anything has changed, with the size
 * that the pane has: it moves the view so that what must be seen is seen.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_PANE_H
#define UI_PANE_H

#include "app.h"

struct pane_kind {
    const char *name;       /* "Free lists" */
    const char *short_name; /* for tabs: "Free" */
    const char *about;      /* what it shows: for the help screen */
    void (*title)(const struct app *a, char *buf,
                  size_t size); /* what stands behind the name; may be NULL */
    void (*fit)(struct app *a, int w, int h); /* may be NULL */
    void (*draw)(const struct app *a, struct grid *g, struct rect r, bool focused);
    bool (*key)(struct app *a, int key, int w, int h); /* true: used; may be NULL */
    void (*click)(struct app *a, int x, int y, int w,
                  int h); /* inside the pane; may be NULL */
    /* What is under the cursor, as popup text (malloced), or NULL: nothing; title is
     * its first line. */
    char *(*details)(struct app *a, char *title, size_t title_size);
    bool (*selected_pfn)(const struct app *a,
                         uint64_t *pfn); /* a page under the cursor; may be NULL */
    bool (*changed)(
        const struct app *a); /* did the last step change what it shows? may be NULL */
    bool (*find)(struct app *a,
                 const char *text); /* move to the next row with this text; may be NULL */
    void (*scale)(struct app *a, int by); /* + (-1) and - (1): nearer, further; may be
                                             NULL: the memory map does */
    void (*turn)(struct app *a, int by);  /* ] (1) and [ (-1): another one of what it
                                             shows; may be NULL: another zone */
    bool columns;                         /* uses left and right */
    /* what the hint line says of Enter and of ]; NULL: what the table of keys says */
    const char *enter_hint, *turn_hint;
};

#define PANE(id, object) extern const struct pane_kind pane_##object;
#include "panes.def"
#undef PANE
const struct pane_kind *pane_kind(int pane);

/* ---- helpers ---- */

/* Move a list by a key; nr rows of which h are seen. follow: the row that is followed.
 * True: used. */
bool pane_list_key(struct pane_list *l, int key, int nr, int h, int follow);
/* Move the view so that row is seen. */
void pane_list_show(struct pane_list *l, int row, int nr, int h);
/* The same for a row that is followed: the view stays where it is while the row, and
 * margin rows around it, are in it; else it is turned like a page, so that the row stands
 * a third below the top. What is read does not move under the eyes, and the terminal gets
 * little to draw. */
void pane_list_follow(struct pane_list *l, int row, int nr, int h, int margin);
/* Little arrows where there is more above or below. */
void pane_more(const struct app *a, struct grid *g, struct rect r, int top, int nr);
int type_style(enum migratetype mt);
int type_tile_style(enum migratetype mt);
const char *type_name(enum migratetype mt);  /* "Unmovable" */
const char *type_short(enum migratetype mt); /* "Unmov" */
char type_letter(enum migratetype mt);       /* 'U' */
/* 12345 -> "12 345"; buf of 28 bytes. */
const char *thousands(char buf[28], uint64_t n);
/* "16 KiB", "12.5 MiB" */
const char *bytes_text(char buf[28], uint64_t bytes);
/* What a page is, as popup text. */
char *page_details(struct app *a, uint64_t pfn, char *title, size_t title_size);

/* Text that grows; never fails loudly: text is NULL when there is no memory. */
struct text_buf {
    char *text;
    size_t len, room;
};
void text_add(struct text_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
