/* Text broken into lines that fit a width.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "text.h"

#include <ctype.h>

#include <stdbool.h>

#include "grid.h"

int text_wrap(const char **text, int width, struct text_line *line)
{
    const char *start = *text;
    if (!*start) {
        return 0;
    }
    if (width < 1) {
        width = 1;
    }
    const char *s = start, *brk = NULL; /* brk: the last space that fits */
    int w = 0;
    bool word = false; /* spaces at a line's start are kept */
    while (*s && *s != '\n') {
        const char *here = s;
        uint32_t ch = utf8_next(&s);
        int cw = ch == '\t' ? 4 : ch_width(ch);
        if (w + cw > width) {
            if (ch == ' ') {
                brk = here;
            }
            /* a word longer than the line (or a wide character in one column) */
            if (!brk) {
                brk = here > start ? here : s;
                *line = (struct text_line){start, (size_t)(brk - start)};
                *text = brk;
                return 1;
            }
            *line = (struct text_line){start, (size_t)(brk - start)};
            while (*brk == ' ') {
                brk++;
            }
            *text = *brk == '\n' ? brk + 1 : brk;
            return 1;
        }
        if (ch == ' ' && word) {
            brk = here;
        }
        word = word || ch != ' ';
        w += cw;
    }
    *line = (struct text_line){start, (size_t)(s - start)};
    *text = *s ? s + 1 : s;
    return 1;
}

int text_nr_lines(const char *text, int width)
{
    struct text_line line;
    int n = 0;
    while (text_wrap(&text, width, &line)) {
        n++;
    }
    return n;
}

bool text_contains(const char *text, const char *word)
{
    for (; *text; text++) {
        size_t i = 0;
        while (word[i] &&
               tolower((unsigned char)text[i]) == tolower((unsigned char)word[i])) {
            i++;
        }
        if (!word[i]) {
            return true;
        }
    }
    return !*word;
}
