/* Windows over the panes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "popup.h"

#include "pane.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gfp_row {
    const char *name, *meaning;
    gfp_t value;
};

static const struct gfp_row gfp_rows[] = {
#define GFP_ROW_(name, value, meaning) {#name, meaning, value},
    GFP_COMBINATIONS(GFP_ROW_)
#undef GFP_ROW_
};

enum { NR_GFP_ROWS = sizeof gfp_rows / sizeof gfp_rows[0] };

void popup_close(struct app *a)
{
    struct popup *p = &a->popup;
    free(p->text);
    for (int i = 0; i < p->nr_choices; i++) {
        free(p->choices[i].label);
        free(p->choices[i].command);
    }
    int order = p->order, gfp = p->gfp; /* the dialogue remembers */
    *p = (struct popup){.order = order, .gfp = gfp};
}

void popup_text(struct app *a, const char *title, char *text)
{
    popup_close(a);
    if (!text) {
        return;
    }
    a->popup.kind = POPUP_TEXT;
    a->popup.text = text;
    snprintf(a->popup.title, sizeof a->popup.title, "%s", title);
}

void popup_choice(struct app *a, const char *title)
{
    popup_close(a);
    a->popup.kind = POPUP_CHOICE;
    snprintf(a->popup.title, sizeof a->popup.title, "%s", title);
}

void popup_add(struct app *a, const char *command, const char *format, ...)
{
    struct popup *p = &a->popup;
    if (p->nr_choices == MAX_CHOICES) {
        return;
    }
    char label[256];
    va_list args;
    va_start(args, format);
    vsnprintf(label, sizeof label, format, args);
    va_end(args);
    p->choices[p->nr_choices].label = strdup(label);
    p->choices[p->nr_choices].command = strdup(command);
    if (p->choices[p->nr_choices].label && p->choices[p->nr_choices].command) {
        p->nr_choices++;
    }
}

void popup_alloc(struct app *a)
{
    popup_close(a);
    a->popup.kind = POPUP_ALLOC;
    if (!a->popup.gfp) {
        a->popup.gfp = 1; /* GFP_KERNEL */
    }
    snprintf(a->popup.title, sizeof a->popup.title, "Allocate pages");
}

void popup_quit(struct app *a)
{
    popup_close(a);
    a->popup.kind = POPUP_QUIT;
    snprintf(a->popup.title, sizeof a->popup.title, "Leave?");
}

/* ---- size and place ---- */

/* The next row of a popup's text: rows that go on with a paragraph begin where its first
 * one has its mark (POPUP_TEXT_HANG) or its first word. *s begins as text. */
static int wrap_row(const char *text, const char **s, int w, struct text_line *line,
                    int *indent, int *hang)
{
    bool first = *s == text || (*s)[-1] == '\n';
    *indent = first || *hang > w / 2 ? 0 : *hang;
    if (!text_wrap(s, w - *indent, line)) {
        return 0;
    }
    if (first) {
        *hang = 0;
        bool word = false;
        int column = 0;
        for (const char *at = line->start; at < line->start + line->bytes;) {
            uint32_t ch = utf8_next(&at);
            if (ch == (uint32_t)POPUP_TEXT_HANG[0]) {
                *hang = column;
                break;
            }
            word = word || ch > ' ';
            column += ch_width(ch);
            *hang = word ? *hang : column;
        }
    }
    return 1;
}

static int text_rows(const struct popup *p, int w)
{
    struct text_line line;
    int rows = 0, indent, hang = 0;
    for (const char *s = p->text; s && wrap_row(p->text, &s, w, &line, &indent, &hang);) {
        rows++;
    }
    return rows;
}

/* As wide as its widest choice, where there is room for it. */
static int choice_width(const struct app *a)
{
    int w = app_min_int(a->cols - 4, 84);
    for (int i = 0; i < a->popup.nr_choices; i++) {
        w = app_max_int(w, text_width(a->popup.choices[i].label) + 8);
    }
    return app_min_int(w, a->cols - 4);
}

static struct rect popup_rect(const struct app *a)
{
    const struct popup *p = &a->popup;
    int w = app_min_int(a->cols - 4, 84), h;
    switch (p->kind) {
    case POPUP_ALLOC:
        w = app_min_int(a->cols - 4, 72);
        h = NR_GFP_ROWS + 7;
        break;
    case POPUP_CHOICE:
        w = choice_width(a);
        h = p->nr_choices + 4;
        break;
    case POPUP_QUIT:
        w = app_min_int(a->cols - 4, 54);
        h = 5;
        break;
    default:
        h = text_rows(p, w - 4) + 3;
        break;
    }
    h = app_min_int(h, a->rows - 4);
    return (struct rect){(a->cols - w) / 2, app_max_int(1, (a->rows - h) / 2 - 1), w, h};
}

/* ---- keys ---- */

bool popup_scroll(int *top, int key, int rows, int h)
{
    int to = *top;
    switch (key) {
    case K_UP:
    case 'k':
        to--;
        break;
    case K_DOWN:
    case 'j':
        to++;
        break;
    case K_PAGE_UP:
        to -= h - 1;
        break;
    case K_PAGE_DOWN:
        to += h - 1;
        break;
    case K_HOME:
        to = 0;
        break;
    case K_END:
        to = rows;
        break;
    default:
        return false;
    }
    *top = app_clamp(to, 0, app_max_int(0, rows - h));
    return true;
}

/* b and the space bar, as in a pager. */
static int paging_key(int key)
{
    return key == 'b' ? K_PAGE_UP : key == ' ' ? K_PAGE_DOWN : key;
}

static void run_choice(struct app *a)
{
    char command[256];
    snprintf(command, sizeof command, "%s", a->popup.choices[a->popup.selected].command);
    popup_close(a);
    if (*command) {
        app_command(a, command);
    }
}

/* In the tree of branches: the one we are on, and the selected one. */
static void run_other(struct app *a)
{
    unsigned chosen;
    char command[64];
    const uint32_t here = timeline_position(a->t).branch;
    if (sscanf(a->popup.choices[a->popup.selected].command, "branch %u", &chosen) != 1) {
        return;
    }
    if (chosen == here) {
        app_message(a, MESSAGE_INFO, "This is where we are: select another one.");
        return;
    }
    snprintf(command, sizeof command, "branch-diff %u, %u", here, chosen);
    popup_close(a);
    app_command(a, command);
}

static bool alloc_key(struct app *a, int key)
{
    struct popup *p = &a->popup;
    int top = (int)a->model.m->config.max_order - 1;
    char command[96];
    switch (key) {
    case K_UP:
    case 'k':
        p->gfp = app_max_int(0, p->gfp - 1);
        return true;
    case K_DOWN:
    case 'j':
        p->gfp = app_min_int(NR_GFP_ROWS - 1, p->gfp + 1);
        return true;
    case K_LEFT:
    case 'h':
        p->order = app_max_int(0, p->order - 1);
        return true;
    case K_RIGHT:
    case 'l':
        p->order = app_min_int(top, p->order + 1);
        return true;
    case K_ENTER:
    case 'a':
        snprintf(command, sizeof command, "alloc %d %s", p->order, gfp_rows[p->gfp].name);
        popup_close(a);
        app_command(a, command);
        return true;
    default:
        if (key >= '0' && key <= '9' && key - '0' <= top) {
            p->order = key - '0';
        }
        return true;
    }
}

bool popup_key(struct app *a, int key)
{
    struct popup *p = &a->popup;
    if (p->kind == POPUP_NONE) {
        return false;
    }
    if (key == K_CTRL_Z || key == K_CTRL_L) {
        return false;
    }
    if (key == K_ESC || key == K_CTRL_C || (key == 'q' && p->kind != POPUP_QUIT)) {
        popup_close(a);
        return true;
    }
    struct rect r = popup_rect(a);
    if (p->kind == POPUP_ALLOC) {
        return alloc_key(a, key);
    }
    if (p->kind == POPUP_QUIT) {
        if (key == 'y' || key == 'Y' || key == 'q' || key == K_ENTER) {
            a->request = REQUEST_QUIT;
        } else if (key == 'm') {
            a->request = REQUEST_MENU;
        }
        popup_close(a);
        return true;
    }
    if (p->kind == POPUP_CHOICE) {
        if (key == K_ENTER && p->nr_choices) {
            run_choice(a);
        } else if (key == 'd' && *p->other && p->nr_choices) {
            run_other(a);
        } else if (key >= '1' && key <= '9' && key - '1' < p->nr_choices) {
            p->selected = key - '1';
            run_choice(a);
        } else {
            popup_scroll(&p->selected, paging_key(key), p->nr_choices, 1);
        }
        return true;
    }
    if (key == K_ENTER && *p->command) {
        char command[sizeof p->command];
        snprintf(command, sizeof command, "%s", p->command);
        popup_close(a);
        app_command(a, command);
        return true;
    }
    if (!popup_scroll(&p->top, paging_key(key), text_rows(p, r.w - 4), r.h - 3)) {
        popup_close(a); /* any other key closes a text and does what it does */
        return key == K_ENTER || key == '?';
    }
    return true;
}

/* ---- drawing ---- */

static void frame(const struct app *a, struct grid *g, struct rect r, const char *title)
{
    const struct glyphs *gl = a->glyphs;
    grid_fill(g, r, ' ', ST_POPUP, 0);
    int right = r.x + r.w - 1, bottom = r.y + r.h - 1;
    grid_hline(g, r.x, r.y, r.w, gl->hline, ST_POPUP_RULE);
    grid_hline(g, r.x, bottom, r.w, gl->hline, ST_POPUP_RULE);
    grid_vline(g, r.x, r.y, r.h, gl->vline, ST_POPUP_RULE);
    grid_vline(g, right, r.y, r.h, gl->vline, ST_POPUP_RULE);
    grid_put(g, r.x, r.y, gl->corner_ul, ST_POPUP_RULE, 0);
    grid_put(g, right, r.y, gl->corner_ur, ST_POPUP_RULE, 0);
    grid_put(g, r.x, bottom, gl->corner_ll, ST_POPUP_RULE, 0);
    grid_put(g, right, bottom, gl->corner_lr, ST_POPUP_RULE, 0);
    char text[112];
    snprintf(text, sizeof text, " %s ", title);
    grid_text_cut(g, r.x + 2, r.y, r.w - 4, text, gl->more, ST_POPUP_TITLE, 0);
}

/* The keys of a popup, on its lower edge: "Enter:do it  Esc:close". */
static void footer(struct grid *g, struct rect r, const char *text)
{
    int w = text_width(text), x = r.x + r.w - w - 4, y = r.y + r.h - 1;
    if (x < r.x + 2) {
        return;
    }
    grid_put(g, x++, y, ' ', ST_POPUP_DIM, 0);
    bool key = true;
    for (const char *s = text; *s;) {
        uint32_t ch = utf8_next(&s);
        if (ch == ':') {
            key = false;
            ch = ' ';
        } else if (ch == ' ' && *s == ' ') { /* words of one key: a single blank */
            key = true;
        }
        x += grid_put(g, x, y, ch, key ? ST_POPUP_KEY : ST_POPUP_DIM, 0);
    }
    grid_put(g, x, y, ' ', ST_POPUP_DIM, 0);
}

static int draw_line(struct grid *g, int x, int y, const char *s, size_t bytes, int style)
{
    static const int styles[] = {0, ST_POPUP, ST_POPUP_KEY, ST_POPUP_DIM,
                                 ST_POPUP_HEADING};
    const char *end = s + bytes;
    while (s < end) {
        uint32_t ch = utf8_next(&s);
        if (ch && ch <= 4) {
            style = styles[ch];
        } else if (ch != (uint32_t)POPUP_TEXT_HANG[0]) {
            x += grid_put(g, x, y, ch, style, 0);
        }
    }
    return style;
}

static void draw_text(const struct app *a, struct grid *g, struct rect r)
{
    const struct popup *p = &a->popup;
    struct rect in = {r.x + 2, r.y + 1, r.w - 4, r.h - 3};
    int rows = text_rows(p, in.w), style = ST_POPUP, row = 0;
    int top = app_clamp(p->top, 0, app_max_int(0, rows - in.h));
    const char *s = p->text;
    struct text_line line;
    int indent, hang = 0;
    while (row < top + in.h && wrap_row(p->text, &s, in.w, &line, &indent, &hang)) {
        int y = row < top
                    ? -1
                    : in.y + row - top; /* styles go on through rows that are not seen */
        style = draw_line(g, in.x + indent, y, line.start, line.bytes, style);
        row++;
    }
    if (top > 0) {
        grid_put(g, r.x + r.w - 2, in.y, a->glyphs->up, ST_POPUP_KEY, 0);
    }
    if (top + in.h < rows) {
        grid_put(g, r.x + r.w - 2, in.y + in.h - 1, a->glyphs->down, ST_POPUP_KEY, 0);
    }
    char keys[64];
    snprintf(keys, sizeof keys, "%s%sq:close", rows > in.h ? "Up/Down:scroll  " : "",
             *p->command ? "Enter:go there  " : "");
    footer(g, r, keys);
}

static void draw_choice(const struct app *a, struct grid *g, struct rect r)
{
    const struct popup *p = &a->popup;
    int rows = r.h - 4,
        top = app_clamp(p->selected - rows + 1, 0, app_max_int(0, p->nr_choices - rows));
    for (int i = 0; i < rows && top + i < p->nr_choices; i++) {
        int n = top + i, y = r.y + 2 + i, marks = n == p->selected ? MARK_SELECTED : 0;
        grid_fill(g, (struct rect){r.x + 2, y, r.w - 4, 1}, ' ', ST_POPUP, marks);
        if (n < 9) {
            grid_printf(g, r.x + 3, y, ST_POPUP_KEY, marks, "%d", n + 1);
        }
        grid_text_cut(g, r.x + 5, y, r.w - 8, p->choices[n].label, a->glyphs->more,
                      ST_POPUP, marks);
    }
    if (top > 0) {
        grid_put(g, r.x + r.w - 2, r.y + 2, a->glyphs->up, ST_POPUP_KEY, 0);
    }
    if (top + rows < p->nr_choices) {
        grid_put(g, r.x + r.w - 2, r.y + 1 + rows, a->glyphs->down, ST_POPUP_KEY, 0);
    }
    char keys[64];
    snprintf(keys, sizeof keys, "Enter:choose  %s%sEsc:close", p->other,
             *p->other ? "  " : "");
    footer(g, r, keys);
}

static void draw_alloc(const struct app *a, struct grid *g, struct rect r)
{
    const struct popup *p = &a->popup;
    int x = r.x + 2, y = r.y + 2;
    x = grid_text(g, x, y, "order ", ST_POPUP_DIM, 0);
    for (int order = 0; order < (int)a->model.m->config.max_order; order++) {
        x = grid_printf(g, x, y, order == p->order ? ST_POPUP_KEY : ST_POPUP,
                        order == p->order ? MARK_SELECTED : 0, " %d ", order);
    }
    int rows = app_min_int(NR_GFP_ROWS, r.h - 7),
        top = app_clamp(p->gfp - rows + 1, 0, NR_GFP_ROWS - rows);
    for (int i = 0; i < rows; i++) {
        const struct gfp_row *row = &gfp_rows[top + i];
        int marks = top + i == p->gfp ? MARK_SELECTED : 0;
        y = r.y + 4 + i;
        grid_fill(g, (struct rect){r.x + 2, y, r.w - 4, 1}, ' ', ST_POPUP, marks);
        grid_text(g, r.x + 3, y, row->name, ST_POPUP_KEY, marks);
        grid_text_cut(g, r.x + 25, y, r.w - 28, row->meaning, a->glyphs->more, ST_POPUP,
                      marks);
    }
    char bytes[28];
    grid_printf(g, r.x + 2, r.y + r.h - 2, ST_POPUP_HEADING, 0, "alloc_pages(%s, %d)",
                gfp_rows[p->gfp].name, p->order);
    grid_printf(g, r.x + 2 + 16 + text_width(gfp_rows[p->gfp].name) + 2, r.y + r.h - 2,
                ST_POPUP_DIM, 0, " %d page%s, %s, on CPU %u", 1 << p->order,
                p->order ? "s" : "", bytes_text(bytes, (uint64_t)PAGE_SIZE << p->order),
                a->cpu);
    footer(g, r, "Left/Right:order  Up/Down:flags  Enter:allocate  Esc:close");
}

void popup_draw(const struct app *a, struct grid *g)
{
    const struct popup *p = &a->popup;
    if (p->kind == POPUP_NONE) {
        return;
    }
    struct rect r = popup_rect(a), old = grid_clip(g, r);
    frame(a, g, r, p->title);
    if (p->kind == POPUP_TEXT) {
        draw_text(a, g, r);
    } else if (p->kind == POPUP_CHOICE) {
        draw_choice(a, g, r);
    } else if (p->kind == POPUP_ALLOC) {
        draw_alloc(a, g, r);
    } else {
        grid_text(g, r.x + 2, r.y + 2, "Leave mmscope? What was done here is forgotten.",
                  ST_POPUP, 0);
        footer(g, r, "y:leave  m:menu  Esc:stay");
    }
    grid_set_clip(g, old);
}
