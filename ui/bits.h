/* The bits of an address in a row, and under it what they are used for.
 *
 *     1100000001 0000000001 0010 0011 0100      bits_draw
 *     PD 769     PT 1       offset 0x234        bits_fields, a row for each use
 *     tag 0xc0401         set 17 ──── +0x14
 *
 * A use stands under its bits: as a text where there is room, else as its letter in every
 * column, so that colour is never all that tells uses apart.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_BITS_H
#define UI_BITS_H

#include "glyphs.h"
#include "grid.h"

struct bit_row {
    int x, y;      /* of the first column */
    int top;       /* the highest bit shown */
    uint64_t gaps; /* bit n: an empty column behind bit n */
};

struct bit_field {
    int low, nr; /* bits low .. low + nr - 1 */
    int style;
    char letter; /* where no text fits */
    char text[48], brief[24];
};

int bits_width(int top, uint64_t gaps);
int bits_column(const struct bit_row *r, int bit);
/* The address, each bit in the style of the field that it is in. */
void bits_draw(struct grid *g, const struct bit_row *r, uint64_t address,
               const struct bit_field *fields, int nr);
/* The fields' texts under the bits, at row y. */
void bits_fields(struct grid *g, const struct bit_row *r, int y,
                 const struct glyphs *glyphs, const struct bit_field *fields, int nr);

#endif
