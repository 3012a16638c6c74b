/* The cell grid.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

bool grid_create(struct grid *g, int cols, int rows)
{
    *g = (struct grid){.cursor_x = -1, .cursor_y = -1};
    return grid_resize(g, cols, rows);
}

void grid_destroy(struct grid *g)
{
    free(g->cells);
    *g = (struct grid){.cursor_x = -1, .cursor_y = -1};
}

bool grid_resize(struct grid *g, int cols, int rows)
{
    if (cols < 0 || rows < 0) {
        cols = rows = 0;
    }
    struct cell *cells =
        realloc(g->cells, ((size_t)cols * (size_t)rows + 1) * sizeof *cells);
    if (!cells) {
        grid_destroy(g);
        return false;
    }
    g->cells = cells;
    g->cols = cols;
    g->rows = rows;
    g->clip = (struct rect){0, 0, cols, rows};
    g->cursor_x = g->cursor_y = -1;
    grid_clear(g);
    return true;
}

void grid_clear(struct grid *g)
{
    size_t n = (size_t)g->cols * (size_t)g->rows;
    for (size_t i = 0; i < n; i++) {
        g->cells[i] = (struct cell){.ch = ' '};
    }
}

static struct rect intersection(struct rect a, struct rect b)
{
    int x0 = a.x > b.x ? a.x : b.x, y0 = a.y > b.y ? a.y : b.y;
    int x1 = a.x + a.w < b.x + b.w ? a.x + a.w : b.x + b.w;
    int y1 = a.y + a.h < b.y + b.h ? a.y + a.h : b.y + b.h;
    return (struct rect){x0, y0, x1 > x0 ? x1 - x0 : 0, y1 > y0 ? y1 - y0 : 0};
}

struct rect grid_clip(struct grid *g, struct rect r)
{
    struct rect old = g->clip;
    g->clip = intersection(r, (struct rect){0, 0, g->cols, g->rows});
    return old;
}

struct cell *grid_at(struct grid *g, int x, int y)
{
    return x >= 0 && y >= 0 && x < g->cols && y < g->rows ? &g->cells[y * g->cols + x]
                                                          : NULL;
}

static bool clipped(const struct grid *g, int x, int y)
{
    return x < g->clip.x || y < g->clip.y || x >= g->clip.x + g->clip.w ||
           y >= g->clip.y + g->clip.h;
}

static void write_cell(struct grid *g, int x, int y, uint32_t ch, int style, int marks)
{
    struct cell *c = &g->cells[y * g->cols + x];
    if (c->ch == GRID_TAIL && ch != GRID_TAIL && x > 0) {
        c[-1].ch = ' ';
    }
    if (ch != GRID_TAIL && x + 1 < g->cols && c[1].ch == GRID_TAIL) {
        c[1].ch = ' ';
    }
    *c = (struct cell){.ch = ch, .style = (uint8_t)style, .marks = (uint8_t)marks};
}

int ch_width(uint32_t ch)
{
    if (ch < 0x7f) {
        return ch >= ' ' ? 1 : 0;
    }
    if (ch < 0xa0) {
        return 0;
    }
    int w = wcwidth((wchar_t)ch);
    return w < 0 ? (ch == 0xfffd ? 1 : 0) : w;
}

int grid_put(struct grid *g, int x, int y, uint32_t ch, int style, int marks)
{
    int w = ch_width(ch);
    if (w <= 0) {
        return 0;
    }
    if (w == 1) {
        if (!clipped(g, x, y)) {
            write_cell(g, x, y, ch, style, marks);
        }
        return 1;
    }
    if (!clipped(g, x, y) && !clipped(g, x + 1, y)) {
        write_cell(g, x, y, ch, style, marks);
        struct cell *tail = &g->cells[y * g->cols + x + 1];
        if (x + 2 < g->cols && tail->ch != GRID_TAIL && tail[1].ch == GRID_TAIL) {
            tail[1].ch = ' ';
        }
        write_cell(g, x + 1, y, GRID_TAIL, style, marks);
    } else if (!clipped(g, x, y)) {
        write_cell(g, x, y, ' ', style, marks);
    } else if (!clipped(g, x + 1, y)) {
        write_cell(g, x + 1, y, ' ', style, marks);
    }
    return 2;
}

int grid_text(struct grid *g, int x, int y, const char *text, int style, int marks)
{
    for (uint32_t ch; (ch = utf8_next(&text));) {
        x += grid_put(g, x, y, ch, style, marks);
    }
    return x;
}

int grid_text_cut(struct grid *g, int x, int y, int max, const char *text,
                  uint32_t ellipsis, int style, int marks)
{
    if (max <= 0) {
        return x;
    }
    int width = text_width(text);
    int room = width > max && ellipsis ? max - 1 : max;
    int end = x + room;
    for (uint32_t ch; (ch = utf8_next(&text));) {
        int w = ch_width(ch);
        if (x + w > end) {
            break;
        }
        x += grid_put(g, x, y, ch, style, marks);
    }
    if (width > max && ellipsis) {
        x += grid_put(g, x, y, ellipsis, style, marks);
    }
    return x;
}

int grid_printf(struct grid *g, int x, int y, int style, int marks, const char *format,
                ...)
{
    char buf[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(buf, sizeof buf, format, args);
    va_end(args);
    return grid_text(g, x, y, buf, style, marks);
}

void grid_fill(struct grid *g, struct rect r, uint32_t ch, int style, int marks)
{
    r = intersection(r, g->clip);
    for (int y = r.y; y < r.y + r.h; y++) {
        for (int x = r.x; x < r.x + r.w; x++) {
            write_cell(g, x, y, ch, style, marks);
        }
    }
}

void grid_mark(struct grid *g, struct rect r, int style, int marks)
{
    r = intersection(r, g->clip);
    for (int y = r.y; y < r.y + r.h; y++) {
        for (int x = r.x; x < r.x + r.w; x++) {
            struct cell *c = &g->cells[y * g->cols + x];
            c->marks |= (uint8_t)marks;
            if (style >= 0) {
                c->style = (uint8_t)style;
            }
        }
    }
}

void grid_hline(struct grid *g, int x, int y, int n, uint32_t ch, int style)
{
    for (int i = 0; i < n; i++) {
        grid_put(g, x + i, y, ch, style, 0);
    }
}

void grid_vline(struct grid *g, int x, int y, int n, uint32_t ch, int style)
{
    for (int i = 0; i < n; i++) {
        grid_put(g, x, y + i, ch, style, 0);
    }
}

size_t grid_row_text(const struct grid *g, int y, char *buf, size_t size)
{
    size_t len = 0, kept = 0;
    for (int x = 0; x < g->cols && size; x++) {
        uint32_t ch = g->cells[y * g->cols + x].ch;
        if (ch == GRID_TAIL) {
            continue;
        }
        char bytes[4];
        size_t n = utf8_put(bytes, ch);
        if (len + n >= size) {
            break;
        }
        memcpy(buf + len, bytes, n);
        len += n;
        if (ch != ' ') {
            kept = len;
        }
    }
    if (size) {
        buf[kept] = 0;
    }
    return kept;
}

uint32_t utf8_next(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    if (p[0] < 0x80) {
        *s += p[0] != 0;
        return p[0];
    }
    int n = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
    uint32_t ch = p[0] & (0x3fu >> n);
    if (p[0] < 0xc2 || p[0] > 0xf4) {
        *s += 1;
        return 0xfffd;
    }
    for (int i = 1; i <= n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *s += 1;
            return 0xfffd;
        }
        ch = ch << 6 | (p[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (ch < least[n] || ch > 0x10ffff || (ch >= 0xd800 && ch < 0xe000)) {
        *s += 1;
        return 0xfffd;
    }
    *s += n + 1;
    return ch;
}

size_t utf8_put(char out[4], uint32_t ch)
{
    if (ch < 0x80) {
        out[0] = (char)ch;
        return 1;
    }
    if (ch < 0x800) {
        out[0] = (char)(0xc0 | ch >> 6);
        out[1] = (char)(0x80 | (ch & 0x3f));
        return 2;
    }
    if (ch < 0x10000) {
        out[0] = (char)(0xe0 | ch >> 12);
        out[1] = (char)(0x80 | (ch >> 6 & 0x3f));
        out[2] = (char)(0x80 | (ch & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | ch >> 18);
    out[1] = (char)(0x80 | (ch >> 12 & 0x3f));
    out[2] = (char)(0x80 | (ch >> 6 & 0x3f));
    out[3] = (char)(0x80 | (ch & 0x3f));
    return 4;
}

int text_width(const char *text)
{
    int w = 0;
    for (uint32_t ch; (ch = utf8_next(&text));) {
        w += ch_width(ch);
    }
    return w;
}
