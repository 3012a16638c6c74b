/* What the files of a machine's options share: values as words, rows of the table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_CONFIG_PRIVATE_H
#define ENGINE_CONFIG_PRIVATE_H

#include <stdio.h>

#include "machine.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

/* Where to say what is wrong, and what would be right. */
struct config_error {
    char *text;
    size_t size;
};
#define FAIL(e, ...) (snprintf((e).text, (e).size, __VA_ARGS__), false)

/* A row of the table: the option's words, and a pair of functions. */
struct option {
    struct config_option doc;
    bool (*set)(struct machine_config *c, const char *value, struct config_error e);
    int (*get)(char *buf, size_t size, const struct machine_config *c);
};
struct option_group {
    const struct option *option;
    size_t nr;
};
extern const struct option_group config_memory_options; /* config_memory.c */
extern const struct option_group config_kernel_options; /* config_kernel.c */

/* Can memory be so? top: its end. */
bool config_memory_check(const struct machine_config *c, struct config_error e);
const char *config_arch_name(enum arch arch);

/* ---- values: config_values.c ---- */

/* A size with an optional K, M, G, T (powers of 1024), and an optional B or iB behind it.
 * scan: what follows it is left at *at. */
bool config_scan_size(const char **at, uint64_t *out);
bool config_parse_size(const char *text, uint64_t *out);
int config_print_size(char *buf, size_t size, uint64_t v);
bool config_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);
bool config_parse_bool(const char *text, bool *out);

#endif
