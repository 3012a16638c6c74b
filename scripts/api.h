/* The scenario API as a table: what `help` prints at the console, what completion offers
 * and what the manual is made from. Every global that a script sees stands in it, except
 * Lua's own.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_API_H
#define SCRIPTS_API_H

#include <stddef.h>

struct api_entry {
    const char *name;      /* "alloc_pages", "page:order", "GFP_KERNEL" */
    const char *signature; /* "page:order() -> number"; NULL: of its args and result */
    const char *help;      /* one or more sentences */
    const char *group; /* "operations", "contexts", "pages", ... in the table's order */
    const char *args, *result; /* of operations: as in engine/ops.def */
};

/* NULL past the end. Sorted by group as a manual would have them. */
const struct api_entry *session_api(size_t i);
/* The row of that name, or NULL. */
const struct api_entry *session_api_find(const char *name);
/* How it is called: "alloc_pages(gfp, order) -> page". Length as snprintf. */
int api_signature(char *buf, size_t size, const struct api_entry *e);

#endif
