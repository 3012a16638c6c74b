/* Sessions on disk: save and load, and the copy that survives a crash.
 *
 * While a session is on the screen, a copy of it is kept in the state folder
 * (XDG_STATE_HOME/mmscope, or ~/.local/state/mmscope) as recovery-PID.mmscope, written
 * when the user pauses, and removed when the program ends in order. A copy whose program
 * is gone is offered at the next start.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_KEEP_H
#define UI_KEEP_H

#include "app.h"

/* Marks and breakpoints as a session file's notes (malloced), and back. */
char *keep_notes(const struct app *a);
void keep_take_notes(struct app *a, const char *notes);

/* The user's own commands, run when a session opens: XDG_CONFIG_HOME/mmscope/rc, or
 * ~/.config/mmscope/rc, a command a line, # begins a comment. What goes wrong is told as
 * a message with its line. */
void keep_run_rc(struct app *a);

/* The session as a file; a message says how it went. */
void keep_save(struct app *a, const char *path);

/* Has anything changed since the copy was written? Write it; it is not worth a message
 * if that fails. */
bool keep_is_stale(const struct app *a);
void keep_copy(struct app *a);
void keep_remove(void);
/* The newest copy that somebody left behind (malloced), or NULL. title: what was open. */
char *keep_find(char *title, size_t title_size);

#endif
