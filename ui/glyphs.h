/* The glyphs that are not text: frames, gauges, marks, the tiles of the memory map.
 *
 * Three sets: full UTF-8; UTF-8 with ASCII frames (for terminals and fonts where
 * box-drawing and block glyphs are two columns wide); plain ASCII. The set is chosen at
 * start by locale and a wcwidth() test.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_GLYPHS_H
#define UI_GLYPHS_H

#include <stdbool.h>
#include <stdint.h>

enum glyph_set { GLYPHS_UTF8, GLYPHS_BRAILLE, GLYPHS_ASCII, NR_GLYPH_SETS };

/* GLYPH(name, UTF-8, braille, ASCII) */
#define GLYPH_TABLE(X)                                                                   \
    X(hline, 0x2500, '-', '-') /* rules and frames */                                    \
    X(vline, 0x2502, '|', '|')                                                           \
    X(cross, 0x253c, '+', '+')                                                           \
    X(tee_down, 0x252c, '+', '+')                                                        \
    X(tee_up, 0x2534, '+', '+')                                                          \
    X(tee_right, 0x251c, '+', '+')                                                       \
    X(tee_left, 0x2524, '+', '+')                                                        \
    X(corner_ul, 0x256d, '.', '+')                                                       \
    X(corner_ur, 0x256e, '.', '+')                                                       \
    X(corner_ll, 0x2570, '`', '+')                                                       \
    X(corner_lr, 0x256f, '\'', '+')                                                      \
    X(branch, 0x2514, '`', '`') /* the called function in the call stack */              \
    X(here, 0x25b6, '>', '>')   /* the current line or frame */                          \
    X(done, 0x25b8, '>', '>')   /* a line that has been run */                           \
    X(breakpoint, 0x25cf, '*', '*')                                                      \
    X(tick, 0x2713, 0x283f, '+') /* an expectation that held */                          \
    X(fail, 0x2717, 'X', 'X')                                                            \
    X(dot, 0x00b7, '.', '.') /* a zero, a free page in the map */                        \
    X(arrow, 0x2192, '>', '>')                                                           \
    X(back, 0x2190, '<', '<')                                                            \
    X(more, 0x2026, '~', '~') /* cut text */                                             \
    X(up, 0x2191, '^', '^')   /* there is more above */                                  \
    X(down, 0x2193, 'v', 'v')                                                            \
    X(bar, 0x2588, 0x28ff, '#')   /* gauges */                                           \
    X(bar_1, 0x2581, 0x2840, '_') /* charts: one eighth, two eighths ... */              \
    X(bar_2, 0x2582, 0x2840, '.')                                                        \
    X(bar_3, 0x2583, 0x2844, ':')                                                        \
    X(bar_4, 0x2584, 0x2844, '-')                                                        \
    X(bar_5, 0x2585, 0x2846, '=')                                                        \
    X(bar_6, 0x2586, 0x2846, '+')                                                        \
    X(bar_7, 0x2587, 0x2847, '*')                                                        \
    X(bar_half, 0x258c, 0x2847, '#')                                                     \
    X(bar_empty, 0x2500, 0x2824, '-')                                                    \
    X(bar_mark, 0x2502, '|', '|')                                                        \
    X(bar_break, 0x2248, '/', '/')                                                       \
    X(tile_free, 0x00b7, 0x2802, '.') /* the memory map: all free */                     \
    X(tile_reserved, 0x2592, 0x2895, '#')                                                \
    X(tile_hole, ' ', ' ', ' ')                                                          \
    X(tile_body, 0x2500, '-',                                                            \
      '-') /* the rest of a block whose first page shows its order */                    \
    X(fold_open, 0x25be, '-', '-') /* a node of a tree */                                \
    X(fold_shut, 0x25b8, '+', '+')                                                       \
    X(level1, 0x2581, 0x2840, '1') /* an eighth of a cell is in use */                   \
    X(level2, 0x2582, 0x28c0, '2')                                                       \
    X(level3, 0x2583, 0x28c4, '3')                                                       \
    X(level4, 0x2584, 0x28e4, '4')                                                       \
    X(level5, 0x2585, 0x28e6, '5')                                                       \
    X(level6, 0x2586, 0x28f6, '6')                                                       \
    X(level7, 0x2587, 0x28f7, '7')                                                       \
    X(level8, 0x2588, 0x28ff, '8') /* all of it */                                       \
    X(bullet, 0x2022, '*', '*')                                                          \
    X(play, 0x25b6, '>', '>')                                                            \
    X(pause, 0x2016, '=', '=')

struct glyphs {
#define GLYPH_FIELD_(name, utf8, braille, ascii) uint32_t name;
    GLYPH_TABLE(GLYPH_FIELD_)
#undef GLYPH_FIELD_
};

const struct glyphs *glyphs(enum glyph_set set);

/* The best set for the locale in force: ASCII if it is not UTF-8, BRAILLE if wcwidth()
 * does not give every glyph of the full set one column. force_ascii: the user asked
 * for it. */
enum glyph_set glyphs_choose(bool force_ascii);

#endif
