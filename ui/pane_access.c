/* An access as one path through the levels: the address's bits by use, and the stages
 * that it passes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pane.h"

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    (void)focused;
    grid_text_cut(g, r.x + 1, r.y, r.w - 1, "No access has been made yet.",
                  a->glyphs->more, ST_DIM, 0);
}

const struct pane_kind pane_access = {
    .name = "Access",
    .short_name = "Access",
    .about = "An access on its way from the virtual address to the data.",
    .draw = draw,
};
