/* The terminal: the only file that knows curses.
 *
 *   term_open, then term_show a grid as often as something has changed, term_key for
 *   keys, term_close
 *
 * The terminal is put back as it was in every way out: term_close, a signal that ends or
 * crashes the program, a suspension. There is one terminal, so there is one of this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_TERM_H
#define UI_TERM_H

#include "glyphs.h"
#include "grid.h"
#include "style.h"

struct term_options {
    bool ascii;
    bool no_color;
    bool mouse;
};

/* False: err says why there is no screen and what to do. Input and output must be a
 * terminal. */
bool term_open(const struct term_options *o, char *err, size_t err_size);
void term_close(void);

void term_size(int *cols, int *rows);
enum glyph_set term_glyphs(void);
enum colour_depth term_depth(void);

/* Bring the screen to what the grid shows, sending only what differs. */
void term_show(const struct grid *g);
/* Forget what the screen shows: the next term_show draws everything. */
void term_redraw(void);

/* The next key, waiting at most timeout_ms (-1: for ever, blocking). K_TIMEOUT,
 * K_RESIZE, K_HANGUP, K_MOUSE ... */
int term_key(int timeout_ms);
/* Is there input waiting? */
bool term_pending(void);
struct term_mouse {
    int x, y;
    int wheel; /* -1 up, 1 down, 0 a click */
};
struct term_mouse term_mouse(void); /* after K_MOUSE */
/* Take the mouse or give it back to the terminal; answers whether it is taken now. */
bool term_toggle_mouse(void);

/* Stop as Ctrl-Z does; returns when the program is continued. */
void term_suspend(void);

/* While the command line is open keys come as the terminal sends them, for readline:
 * term_key then answers bytes, and K_TIMEOUT, K_RESIZE and K_HANGUP. */
void term_raw_bytes(bool on);

#endif
