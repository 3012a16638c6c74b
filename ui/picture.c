/* Grids as files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <string.h>

#include "style.h"

enum { CELL_W = 8, CELL_H = 17, BASELINE = 13 };

static const char background[] = "#1c1c1c", foreground[] = "#d0d0d0";

enum picture picture_kind(const char *path)
{
    const char *dot = strrchr(path, '.');
    return !dot                                            ? PICTURE_TEXT
           : !strcmp(dot, ".svg")                          ? PICTURE_SVG
           : !strcmp(dot, ".html") || !strcmp(dot, ".htm") ? PICTURE_HTML
                                                           : PICTURE_TEXT;
}

/* xterm's 256 colours as "#rrggbb". */
static const char *colour(char buf[8], int n, const char *own)
{
    static const unsigned char basic[16][3] = {
        {0, 0, 0},       {205, 0, 0},   {0, 205, 0},   {205, 205, 0},
        {0, 0, 238},     {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
        {127, 127, 127}, {255, 0, 0},   {0, 255, 0},   {255, 255, 0},
        {92, 92, 255},   {255, 0, 255}, {0, 255, 255}, {255, 255, 255}};
    static const int steps[] = {0, 95, 135, 175, 215, 255};
    int r, g, b;
    if (n < 0) {
        return own;
    }
    if (n < 16) {
        r = basic[n][0], g = basic[n][1], b = basic[n][2];
    } else if (n < 232) {
        n -= 16;
        r = steps[n / 36], g = steps[n / 6 % 6], b = steps[n % 6];
    } else {
        r = g = b = 8 + (n - 232) * 10;
    }
    snprintf(buf, 8, "#%02x%02x%02x", (unsigned)r & 255, (unsigned)g & 255,
             (unsigned)b & 255);
    return buf;
}

/* Colours and attributes of a cell as they are seen: reverse is already applied. */
struct seen {
    char fg[8], bg[8];
    bool bold, underline, dim;
};

static struct seen seen_of(const struct cell *c)
{
    const struct look look = style_look(DEPTH_256, c->style, c->marks);
    struct seen s = {.bold = look.attrs & ATTR_BOLD,
                     .underline = look.attrs & ATTR_UNDERLINE,
                     .dim = look.attrs & ATTR_DIM};
    char fg[8], bg[8];
    const char *f = colour(fg, look.fg, foreground), *b = colour(bg, look.bg, background);
    const bool reverse = look.attrs & ATTR_REVERSE;
    memcpy(s.fg, reverse ? b : f, 8);
    memcpy(s.bg, reverse ? f : b, 8);
    return s;
}

static bool alike(const struct cell *a, const struct cell *b)
{
    return a->style == b->style && a->marks == b->marks;
}

static void put_escaped(FILE *f, uint32_t ch)
{
    char bytes[4];
    if (ch == '<') {
        fputs("&lt;", f);
    } else if (ch == '>') {
        fputs("&gt;", f);
    } else if (ch == '&') {
        fputs("&amp;", f);
    } else {
        fwrite(bytes, 1, utf8_put(bytes, ch), f);
    }
}

/* The cells from x on that look alike; answers the first that does not. */
static int run_end(const struct cell *row, int x, int cols)
{
    int end = x + 1;
    while (end < cols && alike(&row[x], &row[end])) {
        end++;
    }
    return end;
}

static void write_svg(FILE *f, const struct grid *g)
{
    const int w = g->cols * CELL_W, h = g->rows * CELL_H;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n<rect width=\"%d\" height=\"%d\" fill=\"%s\"/>\n"
            "<g font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" "
            "font-size=\"13.3\" xml:space=\"preserve\">\n",
            w, h, w, h, w, h, background);
    for (int y = 0; y < g->rows; y++) {
        const struct cell *row = &g->cells[y * g->cols];
        for (int x = 0, end; x < g->cols; x = end) {
            end = run_end(row, x, g->cols);
            const struct seen s = seen_of(&row[x]);
            if (strcmp(s.bg, background) != 0) {
                fprintf(
                    f,
                    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
                    x * CELL_W, y * CELL_H, (end - x) * CELL_W, CELL_H, s.bg);
            }
            fprintf(f, "<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"%s\"%s%s%s>",
                    x * CELL_W, y * CELL_H + BASELINE, (end - x) * CELL_W, s.fg,
                    s.bold ? " font-weight=\"bold\"" : "",
                    s.underline ? " text-decoration=\"underline\"" : "",
                    s.dim ? " opacity=\"0.6\"" : "");
            for (int i = x; i < end; i++) {
                if (row[i].ch != GRID_TAIL) {
                    put_escaped(f, row[i].ch);
                }
            }
            fputs("</text>\n", f);
        }
    }
    fputs("</g>\n</svg>\n", f);
}

static void write_html(FILE *f, const struct grid *g)
{
    fprintf(f,
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>mmscope</title>"
            "</head>\n<body style=\"background:%s\"><pre style=\"color:%s;font-family:"
            "'DejaVu Sans Mono',Menlo,Consolas,monospace;line-height:1.25\">\n",
            background, foreground);
    for (int y = 0; y < g->rows; y++) {
        const struct cell *row = &g->cells[y * g->cols];
        for (int x = 0, end; x < g->cols; x = end) {
            end = run_end(row, x, g->cols);
            const struct seen s = seen_of(&row[x]);
            fprintf(f, "<span style=\"color:%s;background:%s%s%s\">", s.fg, s.bg,
                    s.bold ? ";font-weight:bold" : "",
                    s.underline ? ";text-decoration:underline" : "");
            for (int i = x; i < end; i++) {
                if (row[i].ch != GRID_TAIL) {
                    put_escaped(f, row[i].ch);
                }
            }
            fputs("</span>", f);
        }
        fputc('\n', f);
    }
    fputs("</pre></body></html>\n", f);
}

bool picture_write(FILE *f, enum picture kind, const struct grid *g)
{
    char row[4096];
    if (kind == PICTURE_SVG) {
        write_svg(f, g);
    } else if (kind == PICTURE_HTML) {
        write_html(f, g);
    } else {
        for (int y = 0; y < g->rows; y++) {
            grid_row_text(g, y, row, sizeof row);
            fprintf(f, "%s\n", row);
        }
    }
    return !ferror(f);
}

/* ---- as a terminal is told ---- */

static void put_look(FILE *f, const struct cell *c)
{
    const struct look look = style_look(DEPTH_256, c->style, c->marks);
    fputs("\033[0", f);
    if (look.attrs & ATTR_BOLD) {
        fputs(";1", f);
    }
    if (look.attrs & ATTR_DIM) {
        fputs(";2", f);
    }
    if (look.attrs & ATTR_UNDERLINE) {
        fputs(";4", f);
    }
    if (look.attrs & ATTR_REVERSE) {
        fputs(";7", f);
    }
    if (look.fg >= 0) {
        fprintf(f, ";38;5;%d", look.fg);
    }
    if (look.bg >= 0) {
        fprintf(f, ";48;5;%d", look.bg);
    }
    fputc('m', f);
}

void picture_ansi(FILE *f, const struct grid *before, const struct grid *g)
{
    const bool known = before && before->cols == g->cols && before->rows == g->rows;
    const struct cell *last = NULL; /* whose look is set */
    if (!known) {
        fputs("\033[0m\033[2J", f);
    }
    for (int y = 0; y < g->rows; y++) {
        bool placed = false;
        for (int x = 0; x < g->cols; x++) {
            const struct cell *c = &g->cells[y * g->cols + x];
            const struct cell *old = known ? &before->cells[y * g->cols + x] : NULL;
            char bytes[4];
            if (old && old->ch == c->ch && alike(old, c)) {
                placed = false;
                continue;
            }
            if (c->ch == GRID_TAIL) {
                continue;
            }
            if (!placed) {
                fprintf(f, "\033[%d;%dH", y + 1, x + 1);
            }
            if (!last || !alike(last, c)) {
                put_look(f, c);
            }
            last = c;
            fwrite(bytes, 1, utf8_put(bytes, c->ch), f);
            placed = true;
        }
    }
    fputs("\033[0m", f);
}
