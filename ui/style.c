/* Named styles.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "style.h"

#include "grid.h"

struct style_row {
    const char *name, *meaning;
    short fg256, bg256, fg8, bg8;
    unsigned char attr, mono;
};

enum { B = ATTR_BOLD, D = ATTR_DIM, R = ATTR_REVERSE, U = ATTR_UNDERLINE };

static const struct style_row styles[NR_STYLES] = {
#define STYLE(id, fg256, bg256, fg8, bg8, attr, mono, meaning)                           \
    {#id, meaning, fg256, bg256, fg8, bg8, attr, mono},
#include "style.def"
#undef STYLE
};

enum { COLOUR_CHANGED = 221, COLOUR_BLACK = 16, COLOUR_LINE = 237, COLOUR_LINE_8 = 4 };

static struct look changed_look(enum colour_depth depth)
{
    switch (depth) {
    case DEPTH_256:
        return (struct look){COLOUR_BLACK, COLOUR_CHANGED, 0};
    case DEPTH_16:
        return (struct look){0, 11, 0};
    case DEPTH_8:
        return (struct look){0, 3, 0};
    default:
        return (struct look){-1, -1, ATTR_REVERSE | ATTR_BOLD};
    }
}

struct look style_look(enum colour_depth depth, int style, int marks)
{
    const struct style_row *s = &styles[style >= 0 && style < NR_STYLES ? style : 0];
    struct look look = {-1, -1, s->attr};
    if (depth == DEPTH_256) {
        look.fg = s->fg256;
        look.bg = s->bg256;
    } else if (depth != DEPTH_MONO) {
        look.fg = s->fg8;
        look.bg = s->bg8;
        if (depth == DEPTH_16 &&
            (style == ST_DIM || style == ST_FAINT || style == ST_OLD ||
             style == ST_HOLE || style == ST_GAUGE_EMPTY)) {
            look.fg = 8; /* what terminals call bright black */
        }
    } else {
        look.attrs = s->mono;
    }
    if (marks & MARK_LINE) {
        if (depth == DEPTH_256) {
            look.bg = look.bg < 0 ? COLOUR_LINE : look.bg;
        } else if (depth == DEPTH_MONO) {
            look.attrs |= ATTR_BOLD;
        } else if (look.bg < 0) {
            look.bg = COLOUR_LINE_8;
            look.fg =
                look.fg < 0 || look.fg == COLOUR_LINE_8 || look.fg == 8 ? 7 : look.fg;
        }
    }
    if (marks & MARK_CHANGED) {
        look = changed_look(depth);
    }
    if (marks & MARK_SELECTED) {
        look.attrs ^= ATTR_REVERSE;
        if (depth == DEPTH_MONO && (marks & MARK_CHANGED)) {
            look.attrs |= ATTR_REVERSE | ATTR_UNDERLINE;
        }
    }
    if (marks & MARK_BOLD) {
        look.attrs |= ATTR_BOLD;
    }
    return look;
}

const char *style_name(int style)
{
    return style >= 0 && style < NR_STYLES ? styles[style].name : "";
}

const char *style_meaning(int style)
{
    return style >= 0 && style < NR_STYLES ? styles[style].meaning : "";
}

enum colour_depth style_depth(int colours, bool no_color)
{
    return no_color || colours < 8 ? DEPTH_MONO
           : colours < 16          ? DEPTH_8
           : colours < 256         ? DEPTH_16
                                   : DEPTH_256;
}
