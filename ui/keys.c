/* The table of keys.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "keys.h"

#include "key.h"

#include <string.h>

struct row {
    int code;
    const char *shown, *command;
    enum key_group group;
    unsigned hints;
    const char *text; /* "[hint] help" or "help" */
};

static const struct row rows[] = {
#define KEY(code, shown, command, group, hints, text)                                    \
    {code, shown, command, KEYS_##group, hints, text},
#include "keys.def"
#undef KEY
};

size_t keys_count(void) { return sizeof rows / sizeof rows[0]; }

struct key_row key_row(size_t i)
{
    const struct row *r = &rows[i];
    struct key_row out = {.code = r->code,
                          .shown = r->shown,
                          .command = r->command,
                          .group = r->group,
                          .hints = r->hints,
                          .hint = "",
                          .help = r->text};
    const char *close = r->text[0] == '[' ? strchr(r->text, ']') : NULL;
    if (close) {
        out.hint = r->text + 1;
        out.hint_len = (int)(close - r->text - 1);
        out.help = close + 2;
    }
    return out;
}

const char *key_group_name(enum key_group group)
{
    static const char *const names[] = {"Going through time (capitals go backwards)",
                                        "Looking around",
                                        "Doing something to the machine", "The program"};
    return group < NR_KEY_GROUPS ? names[group] : "";
}

const char *key_command(int code)
{
    for (size_t i = 0; i < keys_count(); i++) {
        if (rows[i].code == code) {
            return rows[i].command;
        }
    }
    return NULL;
}
