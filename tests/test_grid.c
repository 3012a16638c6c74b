/* The cell grid, text breaking, styles, glyph sets.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "grid.h"

#include <locale.h>
#include <string.h>

#include "glyphs.h"
#include "prng.h"
#include "style.h"
#include "tap.h"
#include "text.h"

static const char *row(const struct grid *g, int y)
{
    static char buf[4096];
    grid_row_text(g, y, buf, sizeof buf);
    return buf;
}

static void test_text(void)
{
    struct grid g;
    ok(grid_create(&g, 10, 3), "a grid");
    is_i64(grid_text(&g, 0, 0, "hello", ST_NORMAL, 0), 5, "the column behind the text");
    is_str(row(&g, 0), "hello", "trailing spaces are cut");
    grid_text(&g, 7, 1, "cut off here", ST_NORMAL, 0);
    is_str(row(&g, 1), "       cut", "cut at the right edge");
    grid_text(&g, -3, 2, "left", ST_NORMAL, 0);
    is_str(row(&g, 2), "t", "cut at the left edge");
    grid_clear(&g);
    grid_text_cut(&g, 0, 0, 5, "abcdefgh", 0x2026, ST_NORMAL, 0);
    is_str(row(&g, 0), "abcd…", "an ellipsis where text is cut");
    grid_text_cut(&g, 0, 1, 5, "abcde", 0x2026, ST_NORMAL, 0);
    is_str(row(&g, 1), "abcde", "and none where it fits");
    grid_clear(&g);
    grid_text(&g, 0, 0, "a\tb\x01\xcc\x81z\xff.", ST_NORMAL, 0);
    is_str(row(&g, 0), "abz\xef\xbf\xbd.",
           "controls and combining marks are dropped, bad UTF-8 is shown");
    grid_destroy(&g);
}

static void test_wide(void)
{
    struct grid g;
    grid_create(&g, 6, 2);
    grid_text(&g, 0, 0, "漢字", ST_NORMAL, 0);
    is_str(row(&g, 0), "漢字", "wide characters");
    is_u64(g.cells[1].ch, GRID_TAIL, "their right half is a tail");
    grid_put(&g, 1, 0, 'x', ST_NORMAL, 0);
    is_str(row(&g, 0), " x字", "overwriting the right half frees the left one");
    grid_put(&g, 2, 0, 'y', ST_NORMAL, 0);
    is_str(row(&g, 0), " xy", "overwriting the left half frees the right one");
    grid_put(&g, 5, 1, 0x6f22, ST_NORMAL, 0);
    is_str(row(&g, 1), "", "half a character at the edge is a space");
    grid_destroy(&g);
}

/* I1, I2 under random drawing with random clips. */
static void test_random(void)
{
    struct prng r = {7};
    struct grid g;
    unsigned outside = 0, halves = 0;
    grid_create(&g, 20, 8);
    for (int i = 0; i < 20000; i++) {
        struct rect clip = {(int)prng_below(&r, 24) - 2, (int)prng_below(&r, 10) - 1,
                            (int)prng_below(&r, 20), (int)prng_below(&r, 8)};
        struct cell before[160];
        memcpy(before, g.cells, sizeof before);
        struct rect old = grid_clip(&g, clip);
        static const uint32_t chars[] = {'a', 0x6f22, ' ', 0x2502, 0x301, 0xff21};
        grid_put(&g, (int)prng_below(&r, 26) - 3, (int)prng_below(&r, 12) - 2,
                 chars[prng_below(&r, 6)], 1, 0);
        grid_set_clip(&g, old);
        for (int y = 0; y < 8; y++) {
            for (int x = 0; x < 20; x++) {
                const struct cell *c = &g.cells[y * 20 + x], *b = &before[y * 20 + x];
                bool in = x >= clip.x && x < clip.x + clip.w && y >= clip.y &&
                          y < clip.y + clip.h;
                bool freed_half =
                    c->ch == ' ' && (b->ch == GRID_TAIL || ch_width(b->ch) == 2);
                outside += !in && c->ch != b->ch && !freed_half;
                bool tail = c->ch == GRID_TAIL, head = x > 0 && ch_width(c[-1].ch) == 2;
                halves += tail != (x > 0 && c[-1].ch != GRID_TAIL && head);
            }
        }
    }
    is_u64(outside, 0, "nothing is written outside the clip");
    is_u64(halves, 0, "no row ever holds half a character");
    grid_destroy(&g);
}

static void test_wrap(void)
{
    const char *text = "one two three\n\n  indented\nsupercalifragilistic";
    struct text_line line;
    char got[256] = "";
    while (text_wrap(&text, 9, &line)) {
        strncat(got, line.start, line.bytes);
        strcat(got, "|");
    }
    is_str(got, "one two|three||  indente|d|supercali|fragilist|ic|",
           "text is broken at spaces, and only long words are cut");
    is_i64(text_nr_lines("a b c", 1), 3, "one column");
    is_i64(text_nr_lines("", 9), 0, "nothing is no line");
    struct prng r = {3};
    unsigned too_wide = 0, lost = 0;
    for (int i = 0; i < 2000; i++) {
        char words[200];
        size_t n = prng_below(&r, sizeof words - 1), letters = 0, seen = 0;
        for (size_t j = 0; j < n; j++) {
            words[j] = " \nabcd"[prng_below(&r, 6)];
            letters += words[j] != ' ' && words[j] != '\n';
        }
        words[n] = 0;
        int width = 1 + (int)prng_below(&r, 30);
        for (const char *s = words; text_wrap(&s, width, &line);) {
            too_wide += line.bytes > (size_t)width + 1 && line.start[width] != ' ';
            for (size_t j = 0; j < line.bytes; j++) {
                seen += line.start[j] != ' ' && line.start[j] != '\n';
            }
        }
        lost += letters != seen;
    }
    is_u64(too_wide, 0, "no line is too wide");
    is_u64(lost, 0, "no letter is lost");
}

static void test_styles(void)
{
    unsigned same = 0, invisible = 0;
    const int states[] = {ST_FREE,        ST_UNMOVABLE,  ST_MOVABLE,
                          ST_RECLAIMABLE, ST_HIGHATOMIC, ST_ISOLATE};
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = i + 1; j < 6; j++) {
            same += style_look(DEPTH_256, states[i], 0).fg ==
                    style_look(DEPTH_256, states[j], 0).fg;
            same += style_look(DEPTH_8, states[i], 0).fg ==
                    style_look(DEPTH_8, states[j], 0).fg;
        }
    }
    is_u64(same, 0, "the states of pages have different colours at every depth");
    for (int style = 0; style < NR_STYLES; style++) {
        for (int depth = DEPTH_MONO; depth <= DEPTH_256; depth++) {
            for (int marks = 0; marks < NR_MARK_SETS; marks++) {
                struct look l = style_look((enum colour_depth)depth, style, marks);
                invisible += l.fg >= 0 && l.fg == l.bg;
                invisible += depth == DEPTH_MONO && (l.fg >= 0 || l.bg >= 0);
                invisible += depth == DEPTH_8 && (l.fg > 7 || l.bg > 7);
            }
        }
    }
    is_u64(invisible, 0, "no style is invisible or beyond the terminal's colours");
    for (int depth = DEPTH_MONO; depth <= DEPTH_256; depth++) {
        struct look plain = style_look((enum colour_depth)depth, ST_NORMAL, 0);
        unsigned different = 0;
        for (int mark = 1; mark < NR_MARK_SETS; mark <<= 1) {
            struct look l = style_look((enum colour_depth)depth, ST_NORMAL, mark);
            different += l.fg != plain.fg || l.bg != plain.bg || l.attrs != plain.attrs;
        }
        is_u64(different, 4, "every mark can be seen at depth %d", depth);
    }
    is_i64(style_depth(256, true), DEPTH_MONO, "NO_COLOR is obeyed");
}

static void test_glyphs(void)
{
    const struct glyphs *ascii = glyphs(GLYPHS_ASCII);
    unsigned bad = 0;
#define CHECK(name, utf8, braille, ascii_ch)                                             \
    bad += ascii->name >= 0x7f || ascii->name < ' ';
    GLYPH_TABLE(CHECK)
#undef CHECK
    is_u64(bad, 0, "the ASCII set is ASCII");
    is_i64(glyphs_choose(true), GLYPHS_ASCII, "--ascii is obeyed");
}

int main(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8")) {
        setlocale(LC_CTYPE, "");
    }
    test_text();
    test_wide();
    test_random();
    test_wrap();
    test_styles();
    test_glyphs();
    return done_testing();
}
