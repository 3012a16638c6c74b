/* The rows that are always there: the status line at the top; what just happened, and
 * why; the hint line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_STATUS_H
#define UI_STATUS_H

#include "app.h"

void status_draw(const struct app *a, struct grid *g);
void now_draw(const struct app *a, struct grid *g);
void hint_draw(const struct app *a, struct grid *g);

#endif
