/* The real kernel's source, where the user has it: the text of a function.
 *
 * Looked for in this order: --kernel-src DIR; the copy that was unpacked from a tar file;
 * /usr/src/linux-source-6.1, /usr/src/linux. /usr/src/linux-source-6.1.tar.xz (Debian's
 * package) can be unpacked: only the files that the simulated functions lie in, into
 * XDG_CACHE_HOME/mmscope. Nothing of it comes with mmscope.
 *
 * One tree for the whole program, read when first asked for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_SOURCE_H
#define UI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --kernel-src; NULL: where it usually is. */
void source_set_tree(const char *dir);
/* The tree's folder, or NULL: there is none; then *tar is a file that could be unpacked,
 * or NULL. */
const char *source_tree(const char **tar);

/* A function's text: lines first .. last (from 1) of file. False: no tree, no such file,
 * or no such function in it. The texts live as long as the program. */
struct source_text {
    const char *const *line; /* line[i] is line number i + 1 */
    uint32_t nr_lines;
    uint32_t first, last; /* the function; first is where its type begins */
};
bool source_function(const char *file, const char *name, struct source_text *out);

/* Unpack the files of functions.def from a tar file (NULL: Debian's), packed or not.
 * interrupted is asked now and then. False: err says why not. */
bool source_unpack(const char *tar, bool (*interrupted)(void *ctx), void *ctx, char *err,
                   size_t err_size);

#endif
