/* A configuration from a line of words, "arch=x86_64 ram=64M", as configurations are
 * written in tests.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_CONFIG_LINE_H
#define TESTS_CONFIG_LINE_H

#include <stdio.h>
#include <string.h>

#include "machine.h"

/* False: err says which word is wrong, and why. */
static inline bool config_from_line(struct machine_config *c, const char *line, char *err,
                                    size_t err_size)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", line);
    config_init(c, ARCH_I386);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        char *eq = strchr(word, '=');
        *eq = 0;
        if (!config_set(c, word, eq + 1, err, err_size)) {
            return false;
        }
    }
    return true;
}

#endif
