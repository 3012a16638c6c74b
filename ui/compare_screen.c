/* Two machines side by side on the screen: the same facts of both in two columns, those
 * that differ lit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "pane.h"
#include "popup.h"

enum { NAME_WIDTH = 17 };

static struct rect screen_rect(const struct app *a)
{
    return (struct rect){0, 0, a->cols, a->rows};
}

static int value_width(const struct app *a) { return (a->cols - NAME_WIDTH - 4) / 2; }

/* Rows that are for the facts. */
static int rows_seen(const struct app *a) { return a->rows - 5; }

/* The words of one value that the other one has not at the same place. */
static void draw_value(const struct app *a, struct grid *g, int x, int y, int w,
                       const char *value, const char *other)
{
    const int end = x + w;
    const bool same = !strcmp(value, other);
    char word[COMPARE_VALUE];
    while (*value && x < end) {
        const size_t len = strcspn(value, " "), other_len = strcspn(other, " ");
        const bool lit = !same && (len != other_len || strncmp(value, other, len) != 0);
        snprintf(word, sizeof word, "%.*s", (int)len, value);
        x = grid_text_cut(g, x, y, end - x, word, a->glyphs->more,
                          lit ? ST_HEADING : ST_NORMAL, lit ? MARK_CHANGED : 0) +
            1;
        value += len + strspn(value + len, " ");
        other += other_len + strspn(other + other_len, " ");
    }
}

static void draw_row(const struct app *a, struct grid *g, int y,
                     const struct compare_row *r)
{
    const int w = value_width(a);
    const bool differs = strcmp(r->value[0], r->value[1]) != 0;
    if (r->heading) {
        grid_text(g, 1, y, r->name, ST_TITLE, 0);
        return;
    }
    grid_text_cut(g, 1, y, NAME_WIDTH, r->name, a->glyphs->more,
                  differs ? ST_BRIGHT : ST_DIM, 0);
    for (int i = 0; i < 2; i++) {
        const int x = NAME_WIDTH + 2 + i * (w + 2);
        draw_value(a, g, x, y, w, r->value[i], r->value[!i]);
    }
    grid_put(g, NAME_WIDTH + 2 + w, y, a->glyphs->vline, ST_RULE, 0);
}

static void draw_head(const struct app *a, struct grid *g, const struct compare *c)
{
    const int w = value_width(a);
    const struct position at = {.op = c->op, .event = c->event};
    char text[240], place[POSITION_TEXT];
    grid_fill(g, (struct rect){0, 0, a->cols, 1}, ' ', ST_BAR, 0);
    snprintf(text, sizeof text, " Side by side: %s", session_title(c->session[0]));
    int x = grid_text_cut(g, 0, 0, a->cols / 2, text, a->glyphs->more, ST_BAR_NAME, 0);
    snprintf(text, sizeof text, "  operation %s", position_format(place, at));
    grid_text(g, x, 0, text, ST_BAR_DIM, 0);
    grid_text(g, NAME_WIDTH + 2, 1, "this machine", ST_TITLE, 0);
    snprintf(text, sizeof text, "with %s", c->what);
    grid_text_cut(g, NAME_WIDTH + 4 + w, 1, w, text, a->glyphs->more, ST_TITLE, 0);
    grid_hline(g, 0, 2, a->cols, a->glyphs->hline, ST_RULE);
    grid_put(g, NAME_WIDTH + 2 + w, 2, a->glyphs->tee_down, ST_RULE, 0);
}

/* What is known of where they part. */
static void draw_foot(const struct app *a, struct grid *g, const struct compare *c)
{
    static const char *const keys[] = {"s",     "operation", "S",    "back", "i",
                                       "event", "I",         "back", "c",    "differ",
                                       "f",     "first",     "q",    "close"};
    char text[200];
    const int y = a->rows - 2;
    if (a->message_kind != MESSAGE_NONE) {
        snprintf(text, sizeof text, "%.190s", a->message);
    } else if (c->first_op != UINT64_MAX) {
        snprintf(text, sizeof text,
                 "They part at operation %" PRIu64 ", event %" PRIu64
                 "; before, all is the same.",
                 op_number(c->first_op), c->first_event);
    } else {
        snprintf(text, sizeof text, "The first %" PRIu64 " operations are the same%s.",
                 c->same, c->ended ? ": the whole script" : "");
    }
    grid_hline(g, 0, y - 1, 0, a->glyphs->hline, ST_RULE);
    grid_text_cut(g, 1, y, a->cols - 2, text, a->glyphs->more, ST_SENTENCE, 0);
    int x = 1;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i += 2) {
        x = grid_text(g, x, y + 1, keys[i], ST_HINT_KEY, 0) + 1;
        x = grid_text(g, x, y + 1, keys[i + 1], ST_HINT, 0) + 2;
    }
}

void compare_draw(const struct app *a, struct grid *g)
{
    const struct compare *c = a->compare;
    struct compare_row *rows = malloc(COMPARE_ROWS * sizeof *rows);
    if (!rows) {
        return;
    }
    const int nr = (int)compare_rows(c, rows, COMPARE_ROWS, value_width(a)),
              h = rows_seen(a);
    const int top = app_clamp(c->top, 0, app_max_int(0, nr - h));
    struct rect old = grid_clip(g, screen_rect(a));
    grid_fill(g, screen_rect(a), ' ', ST_NORMAL, 0);
    draw_head(a, g, c);
    for (int i = 0; i < h && top + i < nr; i++) {
        draw_row(a, g, 3 + i, &rows[top + i]);
    }
    pane_more(a, g, (struct rect){0, 3, a->cols, h}, top, nr);
    draw_foot(a, g, c);
    grid_set_clip(g, old);
    free(rows);
}

/* ---- keys ---- */

static void scroll(struct app *a, int key)
{
    struct compare *c = a->compare;
    struct compare_row *rows = malloc(COMPARE_ROWS * sizeof *rows);
    const int nr = rows ? (int)compare_rows(c, rows, COMPARE_ROWS, value_width(a)) : 0;
    free(rows);
    popup_scroll(&c->top, key, nr, rows_seen(a));
}

bool compare_key(struct app *a, int key)
{
    static const struct {
        int key;
        const char *command;
    } keys[] = {{'s', "compare step"},      {'n', "compare step"},
                {K_RIGHT, "compare step"},  {'S', "compare step-back"},
                {'N', "compare step-back"}, {K_LEFT, "compare step-back"},
                {'i', "compare event"},     {'I', "compare event-back"},
                {'c', "compare continue"},  {'f', "compare first"},
                {'R', "compare goto 0"},    {'q', "compare close"},
                {K_ESC, "compare close"},   {K_CTRL_C, "compare close"}};
    if (!a->compare || key == K_CTRL_Z || key == K_CTRL_L || key == ':') {
        return false;
    }
    a->message_kind = MESSAGE_NONE;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].key == key) {
            app_command(a, keys[i].command);
            return true;
        }
    }
    scroll(a, key);
    return true;
}
