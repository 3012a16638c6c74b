/* The tables that the program is made from, row by row, for whoever prints them: mmscope
 * show, the manual, the shells' completions.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_TOPICS_H
#define UI_TOPICS_H

#include <stdbool.h>
#include <stddef.h>

struct topic_row {
    char head[256];   /* "kmem:mm_page_free(pfn, order)", "--seed=NUMBER", ... */
    char note[64];    /* beside it, in brackets: where it belongs; "" for nothing */
    const char *text; /* what it means */
    char own[600];    /* room for text, where no table has it as it stands */
};

struct topic {
    const char *name, *what;
    bool (*row)(size_t i, struct topic_row *row); /* false past the end */
};

/* NULL past the end. */
const struct topic *topic_info(size_t i);
const struct topic *topic_find(const char *name);

#endif
