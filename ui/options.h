/* The options that every subcommand shares, read once by main().
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_OPTIONS_H
#define UI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_SETTINGS = 64 };

struct options {
    const char *settings[MAX_SETTINGS + 1]; /* --set name=value, NULL-terminated: as
                                               session_options wants it */
    size_t nr_settings;
    uint64_t seed;        /* --seed; 0: not given */
    size_t history_bytes; /* --history; 0: the default */
    bool ascii;           /* --ascii: no character above 0x7f */
    bool no_color;        /* --no-color, or NO_COLOR is set and not empty */
};

/* "512M", "1G", "64k", "4096": bytes, binary units. False when it is none of these or too
 * large. */
bool parse_size(const char *text, uint64_t *bytes);

#endif
