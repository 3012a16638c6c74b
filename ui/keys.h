/* The table of keys (keys.def): which key runs which command, and what is said about it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_KEYS_H
#define UI_KEYS_H

#include <stddef.h>

enum key_group { KEYS_STEP, KEYS_LOOK, KEYS_DO, KEYS_PROGRAM, NR_KEY_GROUPS };

/* When the hint line names a key. */
enum hint {
    HINT_ANY = 1,      /* always */
    HINT_WIDE = 2,     /* when there is room */
    HINT_INSIDE = 4,   /* inside an operation */
    HINT_PAST = 8,     /* not at the end of the branch */
    HINT_END = 16,     /* at the end of a finished script */
    HINT_RUNNING = 32, /* while it runs by itself */
    HINT_SANDBOX = 64, /* in the free sandbox */
    HINT_MAP = 128,    /* in the memory map */
    HINT_CELL = 256,   /* in a pane with a cursor */
    HINT_OPENED = 512  /* in what Enter has opened from a list */
};

struct key_row {
    int code;
    const char *shown, *command;
    enum key_group group;
    unsigned hints;
    const char *hint; /* "" when it has none; not 0-terminated: hint_len */
    int hint_len;
    const char *help;
};

size_t keys_count(void);
struct key_row key_row(size_t i);
const char *key_group_name(enum key_group group);
/* The command of a key, NULL if it has none ("" if the focused pane handles it). */
const char *key_command(int code);

#endif
