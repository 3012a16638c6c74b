/* The pane of the kernel's source: the text of the function that is at work.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "describe.h"
#include "pane.h"
#include "source.h"

#include <stdio.h>
#include <string.h>

/* The function of the selected frame, else the innermost one's. */
static uint16_t function_shown(const struct app *a)
{
    if (a->source_wanted) {
        return a->source_wanted;
    }
    const int depth = (int)a->model.depth;
    const int row = a->stack.selected >= 0 && a->stack.selected < depth
                        ? a->stack.selected
                        : depth - 1;
    return depth ? a->model.stack[row].fn : 0;
}

static const struct fn_info *function(const struct app *a)
{
    const uint16_t fn = function_shown(a);
    return fn ? fn_info(fn) : NULL;
}

static const char *file_shown(const struct app *a)
{
    return fn_file(a->model.m, function_shown(a));
}

static bool text_of(const struct app *a, struct source_text *t)
{
    const struct fn_info *fn = function(a);
    return fn && source_function(file_shown(a), fn->name, t);
}

static void title(const struct app *a, char *buf, size_t size)
{
    const struct fn_info *fn = function(a);
    struct source_text t;
    if (!fn) {
        snprintf(buf, size, "no function at work");
    } else if (text_of(a, &t)) {
        snprintf(buf, size, "%s() %s:%u", fn->name, file_shown(a), t.first);
    } else {
        snprintf(buf, size, "%s() %s", fn->name, file_shown(a));
    }
}

static int rows_of(const struct app *a)
{
    struct source_text t;
    return text_of(a, &t) ? (int)(t.last - t.first) + 1 : 0;
}

static void fit(struct app *a, int w, int h)
{
    const struct fn_info *fn = function(a);
    (void)w;
    if (fn && strcmp(a->source_fn, fn->name) != 0) { /* another one: from its beginning */
        snprintf(a->source_fn, sizeof a->source_fn, "%s", fn->name);
        a->source.top = 0;
    }
    a->source.rows = rows_of(a);
    a->source.top = app_clamp(a->source.top, 0, app_max_int(0, a->source.rows - h));
}

/* Tabs are eight columns; a comment is dimmer. */
static void draw_line(const struct app *a, struct grid *g, struct rect r, int y,
                      const char *line, bool *comment)
{
    int x = r.x;
    for (const char *s = line; *s && x < r.x + r.w;) {
        *comment = *comment || !strncmp(s, "/*", 2);
        const bool ends = *comment && s > line && s[-1] == '*' && *s == '/';
        const int style = *comment ? ST_CODE_COMMENT : ST_CODE;
        const uint32_t ch = utf8_next(&s);
        if (ch == '\t') {
            x = r.x + ((x - r.x) / 8 + 1) * 8;
        } else {
            x += grid_put(g, x, y, ch, style, 0);
        }
        *comment = *comment && !ends;
    }
    if (x > r.x + r.w) {
        grid_put(g, r.x + r.w - 1, y, a->glyphs->more, ST_DIM, 0);
    }
}

static void draw_absent(const struct app *a, struct grid *g, struct rect r)
{
    const struct fn_info *fn = function(a);
    const char *tar, *tree = source_tree(&tar);
    char text[400];
    int y = r.y;
    if (!fn) {
        grid_text_cut(g, r.x, y, r.w, "No kernel function is at work here.",
                      a->glyphs->more, ST_DIM, 0);
        return;
    }
    snprintf(text, sizeof text, "%s() is in %s.", fn->name, file_shown(a));
    grid_text_cut(g, r.x, y++, r.w, text, a->glyphs->more, ST_NORMAL, 0);
    snprintf(text, sizeof text, "%s",
             tree  ? "The tree at hand has no function of that name there."
             : tar ? ":kernel-source unpack reads it from the tar file (takes a while)."
                   : "Linux 6.1 is not at hand: apt-get install linux-source-6.1,");
    grid_text_cut(g, r.x, y++, r.w, text, a->glyphs->more, ST_DIM, 0);
    if (!tree && !tar) {
        grid_text_cut(g, r.x, y, r.w, "or mmscope --kernel-src DIR.", a->glyphs->more,
                      ST_DIM, 0);
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    struct source_text t;
    bool comment = false;
    (void)focused;
    if (!text_of(a, &t)) {
        draw_absent(a, g, r);
        return;
    }
    const int nr = (int)(t.last - t.first) + 1;
    for (int row = 0; row < r.h && a->source.top + row < nr; row++) {
        char number[16];
        const uint32_t line = t.first + (uint32_t)(a->source.top + row);
        snprintf(number, sizeof number, "%5u ", line);
        const int x = grid_text(g, r.x, r.y + row, number, ST_DIM, 0);
        draw_line(a, g, (struct rect){x, r.y, r.w - (x - r.x), r.h}, r.y + row,
                  t.line[line - 1], &comment);
    }
    pane_more(a, g, r, a->source.top, nr);
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    const int last = app_max_int(0, rows_of(a) - h);
    switch (k) {
    case K_UP:
    case 'k':
        a->source.top = app_max_int(0, a->source.top - 1);
        return true;
    case K_DOWN:
    case 'j':
        a->source.top = app_min_int(last, a->source.top + 1);
        return true;
    case K_PAGE_UP:
        a->source.top = app_max_int(0, a->source.top - h);
        return true;
    case K_PAGE_DOWN:
        a->source.top = app_min_int(last, a->source.top + h);
        return true;
    case K_HOME:
        a->source.top = 0;
        return true;
    case K_END:
        a->source.top = last;
        return true;
    default:
        return false;
    }
}

const struct pane_kind pane_source = {
    .name = "Source",
    .short_name = "Src",
    .about = "The real kernel's text of the function that is at work, or of the selected "
             "frame's, where a Linux 6.1 tree is at hand (--kernel-src).",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
};
