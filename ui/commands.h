/* The table of commands (command.def): what can be typed after ':'.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_COMMANDS_H
#define UI_COMMANDS_H

#include "app.h"

enum complete_kind {
    COMPLETE_NONE,
    COMPLETE_EVENT,
    COMPLETE_TARGET,
    COMPLETE_ADDRESS, /* or a page's number: those that are on the screen */
    COMPLETE_LUA,
    COMPLETE_MARK,
    COMPLETE_KMEM,
    COMPLETE_INFO,
    COMPLETE_FILE,
    COMPLETE_CONFIG, /* NAME= of an option of the machine */
    COMPLETE_ZONE,
    COMPLETE_BRANCH,
    COMPLETE_COMMANDS,
    COMPLETE_PROC,
    COMPLETE_SETTING,
    COMPLETE_GFP,
    COMPLETE_LESSON,
    COMPLETE_VIEW,
    COMPLETE_CACHE,
    COMPLETE_TLB,
    COMPLETE_SPACE,
    COMPLETE_MEMORY
};

struct command_row {
    const char *name, *args, *help;
    enum complete_kind complete;
    void (*run)(struct app *a, const char *args);
};

size_t commands_count(void);
const struct command_row *command_row(size_t i); /* NULL past the end */
const struct command_row *command_find(const char *name);
/* By name, by another name of it (alias.def), or by the beginning of its name. NULL:
 * none; others then lists the commands that begin so, when there are several. */
const struct command_row *command_resolve(const char *name, char *others, size_t size);

/* Run a line: a command of the table, or Lua. */
void command_run(struct app *a, const char *line);
/* Calls fn for each word that can stand in place of the last word of line (which is
 * cut at the cursor). */
void command_complete(struct app *a, const char *line,
                      void (*fn)(void *ctx, const char *word), void *ctx);

/* Is the last word of line to be the name of a file? */
bool command_completes_files(const char *line);

/* The help screen's text; of one command if it is given. malloced; NULL: no memory. */
char *help_text(const char *command);

#endif
