/* Named styles, and what they are on terminals of each depth of colour.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_STYLE_H
#define UI_STYLE_H

#include <stdbool.h>
#include <stddef.h>

enum style {
#define STYLE(id, fg256, bg256, fg8, bg8, attr, mono, meaning) ST_##id,
#include "style.def"
#undef STYLE
    NR_STYLES
};

enum colour_depth { DEPTH_MONO, DEPTH_8, DEPTH_16, DEPTH_256 };

enum style_attr { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_REVERSE = 4, ATTR_UNDERLINE = 8 };

struct look {
    int fg, bg;     /* colour numbers of the terminal, -1: its own */
    unsigned attrs; /* enum style_attr, or-ed */
};

/* How style with marks (grid.h) looks at depth. */
struct look style_look(enum colour_depth depth, int style, int marks);
const char *style_name(int style);    /* "NORMAL" */
const char *style_meaning(int style); /* "plain text" */

/* The depth for a terminal with so many colours; no_color: the user set NO_COLOR. */
enum colour_depth style_depth(int colours, bool no_color);

#endif
