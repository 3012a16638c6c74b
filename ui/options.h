/* The command line's options, read once by main() for every subcommand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_OPTIONS_H
#define UI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_id {
#define OPTION(id, letter, name, arg, subcommands, meaning) OPT_##id,
#include "options.def"
#undef OPTION
    NR_OPTIONS
};

enum { MAX_SETTINGS = 64 };

struct options {
    /* As written: the argument, "" for an option that takes none, NULL when not given. */
    const char *value[NR_OPTIONS];
    /* Those that several subcommands want, understood. */
    const char *settings[MAX_SETTINGS +
                         1]; /* --set, NULL-terminated: as session_options wants it */
    size_t nr_settings;
    uint64_t seed;        /* 0: not given */
    size_t history_bytes; /* 0: the default */
    bool ascii;
    bool no_color; /* --no-color, or NO_COLOR is set and not empty */
};

struct option_info {
    char letter; /* 0: none */
    const char *name, *arg, *subcommands, *meaning;
};
/* NULL past the end. */
const struct option_info *option_info(size_t i);
/* Does this subcommand take it? */
bool option_applies(const struct option_info *info, const char *subcommand);

/* Read argv's options. Leaves argv permuted, the arguments that are no options from
 * argv[answer] on; -1: an error has been told to the user. */
int options_parse(struct options *o, int argc, char **argv);

/* "512M", "1G", "64k", "4096": bytes, binary units. False when it is none of these or too
 * large. */
bool parse_size(const char *text, uint64_t *bytes);
/* "12", "0x1c04", "017" is seventeen: no octal. False when there is anything else. */
bool parse_number(const char *text, uint64_t *n);

#endif
