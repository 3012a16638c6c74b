/* The menu of the lessons.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "menu.h"

#include "key.h"
#include "layout.h"
#include "style.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_ROW = 6, WIDTH = 76, MOMENT_MS = 800 };

static const char sandbox_title[] = "Free sandbox";
static const char sandbox_summary[] =
    "A machine and no script: allocate, free and interrupt by key or command, and take "
    "it all back.";

void menu_init(struct menu *m, const struct lessons *lessons, enum glyph_set set)
{
    *m = (struct menu){.lessons = lessons, .glyphs = glyphs(set), .typed = -1};
}

static int nr_entries(const struct menu *m)
{
    return (int)m->lessons->nr + 1 + (m->left[0] != 0);
}

bool menu_is_left(const struct menu *m) { return m->selected > (int)m->lessons->nr; }

const struct lesson *menu_selected(const struct menu *m)
{
    return m->selected < (int)m->lessons->nr ? &m->lessons->at[m->selected] : NULL;
}

/* The number at the beginning of a lesson's name, as it is shown; -1: it has none. */
static int number_of(const struct lesson *l)
{
    const char *s = l->name;
    const bool digits = s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9';
    return digits ? 10 * (s[0] - '0') + s[1] - '0' : -1;
}

/* The first lesson whose number is in from .. to; -1: none. */
static int find_number(const struct menu *m, int from, int to)
{
    for (int i = 0; i < (int)m->lessons->nr; i++) {
        const int number = number_of(&m->lessons->at[i]);
        if (number >= from && number <= to) {
            return i;
        }
    }
    return -1;
}

static int entry_rows(const struct menu *m)
{
    return m->rows - FIRST_ROW - 3 >= 3 * nr_entries(m)   ? 3
           : m->rows - FIRST_ROW - 3 >= 2 * nr_entries(m) ? 2
                                                          : 1;
}

static int entries_seen(const struct menu *m)
{
    int n = (m->rows - FIRST_ROW - 3) / entry_rows(m);
    return n < 1 ? 1 : n;
}

static int top_entry(const struct menu *m)
{
    int seen = entries_seen(m);
    return m->selected >= seen ? m->selected - seen + 1 : 0;
}

/* Marks at the right edge: there are more above or below. */
static void draw_more(const struct menu *m, struct grid *g, int x, int top)
{
    int rows = entry_rows(m), below = nr_entries(m) - top - entries_seen(m);
    if (top > 0) {
        grid_put(g, x, FIRST_ROW, m->glyphs->up, ST_HINT_KEY, 0);
    }
    if (below > 0) {
        char text[32];
        int y = FIRST_ROW + (entries_seen(m) - 1) * rows;
        snprintf(text, sizeof text, "%d more ", below);
        int tx = x - text_width(text);
        grid_text(g, tx, y, text, ST_HINT, 0);
        grid_put(g, x, y, m->glyphs->down, ST_HINT_KEY, 0);
    }
}

static const char *entry_summary(const struct menu *m, int n)
{
    const int nr = (int)m->lessons->nr;
    return n < nr    ? m->lessons->at[n].summary
           : n == nr ? sandbox_summary
                     : "This session was interrupted: go on where it was.";
}

static void draw_entry(const struct menu *m, struct grid *g, int x, int y, int w, int n)
{
    bool selected = n == m->selected, lesson = n < (int)m->lessons->nr;
    bool left = n > (int)m->lessons->nr;
    const char *title = lesson ? m->lessons->at[n].title : left ? m->left : sandbox_title;
    const char *summary = entry_summary(m, n);
    char name[64] = "";
    if (lesson) {
        snprintf(name, sizeof name, "%.2s", m->lessons->at[n].name);
        title = *title ? title : m->lessons->at[n].name;
    }
    int rows = entry_rows(m), marks = selected ? MARK_LINE : 0;
    if (selected) {
        grid_fill(g, (struct rect){x, y, w, rows > 1 ? 2 : 1}, ' ', ST_NORMAL, marks);
        grid_put(g, x + 1, y, m->glyphs->here, ST_HINT_KEY, marks);
    }
    grid_text(g, x + 3, y, name, ST_TITLE_KEY, marks);
    grid_text_cut(g, x + 6, y, w - 7, title, m->glyphs->more,
                  selected ? ST_HEADING : ST_BRIGHT, marks);
    /* a summary that is too long for one row takes the blank one under it too */
    struct text_line line;
    for (int row = 1; row < rows && text_wrap(&summary, w - 7, &line); row++) {
        char text[256];
        bool last = row + 1 == rows;
        snprintf(text, sizeof text, "%.*s%s%s", (int)line.bytes, line.start,
                 last && *summary ? " " : "", last ? summary : "");
        if (selected && row > 1) {
            grid_fill(g, (struct rect){x, y + row, w, 1}, ' ', ST_NORMAL, marks);
        }
        grid_text_cut(g, x + 6, y + row, w - 7, text, m->glyphs->more, ST_WHY, marks);
    }
}

static void draw_hints(const struct menu *m, struct grid *g, int x, int y)
{
    const size_t nr = m->lessons->nr;
    const int most = nr ? number_of(&m->lessons->at[nr - 1]) : -1;
    char numbers[16], typed[16], open[16];
    snprintf(numbers, sizeof numbers, "1..%d", most);
    snprintf(typed, sizeof typed, "%d_", m->typed);
    snprintf(open, sizeof open, "open %02d", m->typed);
    const bool typing = m->typed >= 0;
    const char *const usual[4][2] = {{"Up/Down", "choose"},
                                     {"Enter", "open"},
                                     {most > 1 ? numbers : NULL, "by number"},
                                     {"q", "quit"}};
    const char *const number[4][2] = {{typed, "lesson"},
                                      {"0..9", "second digit"},
                                      {m->typed > 0 ? "Enter" : NULL, open},
                                      {"Esc", "none"}};
    for (size_t i = 0; i < 4; i++) {
        const char *const *hint = typing ? number[i] : usual[i];
        if (hint[0]) {
            x = grid_text(g, x, y, hint[0], ST_HINT_KEY, 0) + 1;
            x = grid_text(g, x, y, hint[1], ST_HINT, 0) + 3;
        }
    }
}

void menu_draw(const struct menu *m, struct grid *g)
{
    grid_clear(g);
    g->cursor_x = g->cursor_y = -1;
    if (g->cols < MIN_COLS || g->rows < MIN_ROWS) {
        char text[64];
        snprintf(text, sizeof text, "%dx%d is too small,", g->cols, g->rows);
        grid_text(g, 0, 0, text, ST_NORMAL, 0);
        snprintf(text, sizeof text, "%dx%d is needed.", MIN_COLS, MIN_ROWS);
        grid_text(g, 0, 1, text, ST_NORMAL, 0);
        grid_text(g, 0, 2, "q quits.", ST_NORMAL, 0);
        return;
    }
    int w = g->cols - 4 < WIDTH ? g->cols - 4 : WIDTH, x = (g->cols - w) / 2;
    grid_fill(g, (struct rect){0, 0, g->cols, 1}, ' ', ST_BAR, 0);
    grid_text(g, 0, 0, " mmscope ", ST_BAR_NAME, 0);
    grid_text_cut(g, 10, 0, g->cols - 11,
                  "how Linux manages memory, step by step, forwards and backwards",
                  m->glyphs->more, ST_BAR, 0);
    grid_text(g, x, 2, "Choose a lesson", ST_HEADING, 0);
    grid_text_cut(g, x, 3, w,
                  "Five to fifteen minutes each; you can always go back and change "
                  "things.",
                  m->glyphs->more, ST_WHY, 0);
    grid_hline(g, x, 4, w, m->glyphs->hline, ST_RULE);
    int rows = entry_rows(m), top = top_entry(m);
    for (int i = 0; i < entries_seen(m) && top + i < nr_entries(m); i++) {
        draw_entry(m, g, x, FIRST_ROW + i * rows, w, top + i);
    }
    draw_more(m, g, x + w - 1, top);
    if (!m->lessons->nr) {
        char text[600];
        snprintf(text, sizeof text, "No lessons were found in %s: set MMSCOPE_LESSONS.",
                 m->lessons->dir ? m->lessons->dir : "any directory");
        grid_text_cut(g, x + 6, FIRST_ROW + rows, w - 6, text, m->glyphs->more, ST_WARN,
                      0);
    }
    int last = g->rows - 1;
    if (rows == 1 && !m->message[0]) { /* no room under each: that of the selected one */
        const char *s = entry_summary(m, m->selected);
        struct text_line line;
        for (int y = last - 2; y < last && text_wrap(&s, w - 6, &line); y++) {
            char text[256];
            snprintf(text, sizeof text, "%.*s%s%s", (int)line.bytes, line.start,
                     y + 1 == last && *s ? " " : "", y + 1 == last ? s : "");
            grid_text_cut(g, x + 6, y, w - 6, text, m->glyphs->more, ST_WHY, 0);
        }
    }
    if (m->message[0]) {
        const char *s = m->message;
        struct text_line line;
        for (int y = last - 3; y < last && text_wrap(&s, w, &line); y++) {
            char text[600];
            snprintf(text, sizeof text, "%.*s", (int)line.bytes, line.start);
            grid_fill(g, (struct rect){x, y, w, 1}, ' ', ST_ERROR, 0);
            grid_text(g, x, y, text, ST_ERROR, 0);
        }
    }
    draw_hints(m, g, x, last);
}

static enum menu_answer open_number(struct menu *m, int number)
{
    const int at = find_number(m, number, number);
    if (at < 0) {
        snprintf(m->message, sizeof m->message, "There is no lesson %02d.", number);
        return MENU_STAY;
    }
    m->selected = at;
    return MENU_OPEN;
}

/* One digit is enough where no lesson's number begins with it. */
static enum menu_answer type_digit(struct menu *m, int digit)
{
    const int before = m->typed;
    m->typed = -1;
    if (before >= 0) {
        return open_number(m, 10 * before + digit);
    }
    if (find_number(m, 10 * digit, 10 * digit + 9) < 0) {
        return open_number(m, digit);
    }
    const int at = find_number(m, digit, digit);
    m->typed = digit;
    m->selected = at >= 0 ? at : m->selected;
    return MENU_STAY;
}

int menu_wait(const struct menu *m) { return m->typed >= 0 ? MOMENT_MS : -1; }

enum menu_answer menu_timeout(struct menu *m)
{
    const int typed = m->typed;
    m->typed = -1;
    return typed > 0 ? open_number(m, typed) : MENU_STAY;
}

enum menu_answer menu_key(struct menu *m, int key)
{
    int nr = nr_entries(m);
    if (m->cols < MIN_COLS || m->rows < MIN_ROWS) {
        return key == 'q' || key == K_ESC || key == K_CTRL_C ? MENU_QUIT : MENU_STAY;
    }
    if (key >= '0' && key <= '9') {
        return type_digit(m, key - '0');
    }
    if (m->typed >= 0) {
        if (key == K_ENTER) {
            return menu_timeout(m);
        }
        m->typed = -1;
        if (key == K_ESC || key == K_BACKSPACE) {
            return MENU_STAY;
        }
    }
    switch (key) {
    case K_UP:
    case 'k':
    case K_BACKTAB:
        m->selected = (m->selected + nr - 1) % nr;
        return MENU_STAY;
    case K_DOWN:
    case 'j':
    case K_TAB:
        m->selected = (m->selected + 1) % nr;
        return MENU_STAY;
    case K_HOME:
        m->selected = 0;
        return MENU_STAY;
    case K_END:
        m->selected = nr - 1;
        return MENU_STAY;
    case K_PAGE_UP:
        m->selected -= entries_seen(m);
        m->selected = m->selected < 0 ? 0 : m->selected;
        return MENU_STAY;
    case K_PAGE_DOWN:
        m->selected += entries_seen(m);
        m->selected = m->selected >= nr ? nr - 1 : m->selected;
        return MENU_STAY;
    case K_ENTER:
    case ' ':
    case K_RIGHT:
    case 'l':
        return MENU_OPEN;
    case 'q':
    case K_ESC:
    case K_CTRL_C:
        return MENU_QUIT;
    default:
        return MENU_STAY;
    }
}

bool menu_click(struct menu *m, int y)
{
    int n = top_entry(m) + (y - FIRST_ROW) / entry_rows(m);
    if (y < FIRST_ROW || n >= nr_entries(m)) {
        return false;
    }
    m->selected = n;
    return true;
}
