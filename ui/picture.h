/* A grid as something to keep: plain text, SVG, HTML, or the bytes that draw it on a
 * terminal.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_PICTURE_H
#define UI_PICTURE_H

#include <stdio.h>

#include "grid.h"

enum picture { PICTURE_TEXT, PICTURE_SVG, PICTURE_HTML };

/* By a file name's ending: .svg, .html or .htm, anything else is text. */
enum picture picture_kind(const char *path);
/* False: it could not be written. */
bool picture_write(FILE *f, enum picture kind, const struct grid *g);

/* The bytes that change a terminal of 256 colours that shows before (NULL: nothing known)
 * into one that shows g. */
void picture_ansi(FILE *f, const struct grid *before, const struct grid *g);

#endif
