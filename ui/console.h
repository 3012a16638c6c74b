/* The commands' answers as plain text: what `mmscope debug` prints.
 *
 * An app is driven as the screen drives it, and what it would show is told in lines. No
 * terminal appears here: tests give it a file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include <stdio.h>

#include "app.h"

struct console {
    struct app *app;
    FILE *out;
};

/* Tell what is open and where it stands. */
void console_begin(struct console *c);
/* Run a line and print all that it leads to. */
void console_run(struct console *c, const char *line);
/* Where we are: position, event and its sentence, the script's line. */
void console_where(struct console *c);

#endif
