/* Text broken into lines that fit a width.
 *
 * Breaks at spaces, honours newlines, and cuts only words that are longer than a line.
 * Runs of spaces and single newlines inside a paragraph are kept as the author wrote them
 * only at the start of a line (so indented examples survive); an empty line separates
 * paragraphs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_TEXT_H
#define UI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text_line {
    const char *start;
    size_t bytes;
};

/* The first line of *text that fits width columns (at least 1); *text is moved behind
 * it and the space or newline at which it was broken. bytes is 0 for an empty line.
 * Answers 0 at the end of the text. */
int text_wrap(const char **text, int width, struct text_line *line);
/* How many lines text makes at that width. */
int text_nr_lines(const char *text, int width);

/* Does text contain word, upper and lower case alike? */
bool text_contains(const char *text, const char *word);

#endif
