/* The command line: the only file that knows readline. It edits one line while the prompt
 * is open; the bytes come from the terminal's keys and what must be drawn goes into the
 * app's prompt fields.
 *
 * readline is one for the whole program, so is this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CMDLINE_H
#define UI_CMDLINE_H

#include "app.h"

/* Once, at the start: reads the history. */
void cmdline_init(void);
/* At the end: writes it. */
void cmdline_finish(void);

void cmdline_open(struct app *a);
enum cmdline_state { CMDLINE_EDITING, CMDLINE_DONE, CMDLINE_CANCELLED };
/* One byte from the terminal; more: others wait behind it. After DONE, cmdline_line()
 * is the line. */
enum cmdline_state cmdline_byte(struct app *a, unsigned char byte, bool more);
void cmdline_cancel(struct app *a);
const char *cmdline_line(void);
/* Without a screen: read a line from the terminal as readline does by itself, with
 * history and completion. malloced; NULL at the end (Ctrl-D), or when Ctrl-C gave it up.
 */
char *cmdline_read(struct app *a, const char *prompt);
void cmdline_size(int cols, int rows);

#endif
