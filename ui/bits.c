/* The bits of an address.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bits.h"

#include "style.h"

#include <string.h>

static int gaps_above(uint64_t gaps, int top, int bit)
{
    int n = 0;
    for (int b = bit + 1; b <= top; b++) {
        n += (int)(gaps >> b & 1);
    }
    return n;
}

int bits_width(int top, uint64_t gaps) { return top + 1 + gaps_above(gaps, top, 0); }

int bits_column(const struct bit_row *r, int bit)
{
    return r->x + r->top - bit + gaps_above(r->gaps, r->top, bit);
}

static const struct bit_field *field_of(const struct bit_field *fields, int nr, int bit)
{
    for (int i = 0; i < nr; i++) {
        if (bit >= fields[i].low && bit < fields[i].low + fields[i].nr) {
            return &fields[i];
        }
    }
    return NULL;
}

void bits_draw(struct grid *g, const struct bit_row *r, uint64_t address,
               const struct bit_field *fields, int nr)
{
    for (int bit = r->top; bit >= 0; bit--) {
        const struct bit_field *f = field_of(fields, nr, bit);
        grid_put(g, bits_column(r, bit), r->y, (uint32_t)('0' + (address >> bit & 1)),
                 f ? f->style : ST_FAINT, 0);
    }
}

void bits_fields(struct grid *g, const struct bit_row *r, int y,
                 const struct glyphs *glyphs, const struct bit_field *fields, int nr)
{
    for (int i = 0; i < nr; i++) {
        const struct bit_field *f = &fields[i];
        int high = f->low + f->nr - 1;
        if (f->nr <= 0 || f->low > r->top) {
            continue;
        }
        high = high > r->top ? r->top : high;
        int x = bits_column(r, high), end = bits_column(r, f->low) + 1, room = end - x;
        bool apart = !f->low || (r->gaps >> f->low & 1); /* a text may fill it */
        const char *text = text_width(f->text) + !apart <= room ? f->text : f->brief;
        int w = text_width(text);
        if (!*text || w + !apart > room) {
            for (int c = x; c < end; c++) {
                grid_put(g, c, y, (uint32_t)f->letter, f->style, 0);
            }
            continue;
        }
        grid_text(g, x, y, text, f->style, 0);
        if (room - w >= 3) { /* a line nearly to the field's last bit */
            grid_hline(g, x + w + 1, y, room - w - 2, glyphs->hline, ST_FAINT);
        }
    }
}
