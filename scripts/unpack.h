/* Files that may be packed: plain, .xz or .gz, told apart by their first bytes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_UNPACK_H
#define SCRIPTS_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

/* The unpacked bytes with a 0 behind them, or NULL with "cause: remedy" in err; free()
 * them. Never gives more than max_bytes: a packed file can be small and its content
 * huge. */
char *unpack(const void *data, size_t size, size_t max_bytes, size_t *out_size, char *err,
             size_t err_size);

/* The same for a file. */
char *unpack_file(const char *path, size_t max_bytes, size_t *out_size, char *err,
                  size_t err_size);

#endif
