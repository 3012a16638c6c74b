/* What stands beside the caches and TLBs of a CPU and is no set of ways: its
 * paging-structure caches, below the TLB, and its write-combining buffers, below the
 * cache once one of them was used.
 *
 *   PD     5 of 16  ffffc90000000000>1f3000  ...     an address, and the table that serves
 *                                                    a walk from there
 *   wc 0   fe000000 ########........  8 of 64        a glyph for each byte that waits
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HW_BUFFERS_H
#define UI_HW_BUFFERS_H

#include "pane.h"

/* Rows that they want of a pane of h; 0: there are none, or there is no room. */
int hw_psc_rows(const struct app *a, int h);
void hw_draw_psc(const struct app *a, struct grid *g, struct rect r);
int hw_wc_rows(const struct app *a, int h);
void hw_draw_wc(const struct app *a, struct grid *g, struct rect r);

#endif
