/* Addresses and page frame numbers on the screen: the panes are drawn once more, into a
 * grid of their own, and read.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen_words.h"

#include <stdio.h>
#include <string.h>

#include "pane.h"

enum { MOST_LETTERS = 18 }; /* 0x and 16 digits */

/* Page frame numbers bear the style of their state; what else is written in digits alone
 * is a count. */
static bool is_page_style(int style)
{
    switch (style) {
    case ST_FREE:
    case ST_UNMOVABLE:
    case ST_MOVABLE:
    case ST_RECLAIMABLE:
    case ST_HIGHATOMIC:
    case ST_ISOLATE:
    case ST_PCP:
    case ST_POINTER:
        return true;
    default:
        return false;
    }
}

static bool is_hex(uint32_t ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f');
}

static bool is_word(uint32_t ch)
{
    return is_hex(ch) || (ch >= 'g' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
           ch == '_' || ch > 127;
}

/* The address that the n cells are, or false. */
static bool address_in(const struct cell *c, int n, char word[MOST_LETTERS + 1])
{
    const bool marked = n > 2 && c[0].ch == '0' && c[1].ch == 'x';
    bool digit = false, letter = false;
    if (n < 3 || n > (marked ? MOST_LETTERS : MOST_LETTERS - 2)) {
        return false;
    }
    for (int i = marked ? 2 : 0; i < n; i++) {
        if (!is_hex(c[i].ch)) {
            return false;
        }
        digit = digit || c[i].ch <= '9';
        letter = letter || c[i].ch > '9';
    }
    if (!marked && !is_page_style(c[0].style) && !(digit && letter)) {
        return false;
    }
    snprintf(word, MOST_LETTERS + 1, "0x");
    for (int i = marked ? 2 : 0, to = 2; i < n; i++) {
        word[to++] = (char)c[i].ch;
        word[to] = 0;
    }
    return true;
}

static void read_rect(struct grid *g, struct rect r, const char *prefix,
                      void (*fn)(void *ctx, const char *word), void *ctx)
{
    char word[MOST_LETTERS + 1];
    for (int y = r.y; y < r.y + r.h; y++) {
        for (int x = r.x, n; x < r.x + r.w; x += n + !n) {
            for (n = 0; x + n < r.x + r.w && is_word(grid_at(g, x + n, y)->ch);) {
                n++;
            }
            if (n && address_in(grid_at(g, x, y), n, word) &&
                !strncmp(word, prefix, strlen(prefix))) {
                fn(ctx, word);
            }
        }
    }
}

void screen_words(const struct app *a, const char *prefix,
                  void (*fn)(void *ctx, const char *word), void *ctx)
{
    struct grid g;
    if (!grid_create(&g, a->cols, a->rows)) {
        return;
    }
    app_draw(a, &g);
    const struct slot *s = layout_slot(&a->layout, a->focus);
    if (s && a->popup.kind == POPUP_NONE) {
        read_rect(&g, s->inside, prefix, fn, ctx);
    }
    read_rect(&g, (struct rect){0, 0, g.cols, g.rows}, prefix, fn, ctx);
    grid_destroy(&g);
}
