/* An application on a machine of its own, drawn on a grid of 120x40: for tests of panes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_OPEN_APP_H
#define TESTS_OPEN_APP_H

#include <stdio.h>

#include "app.h"
#include "tap.h"

/* A lesson for this view whose run function is that text, run to its end. */
static inline struct session *open_app(struct app *a, struct grid *g, const char *view,
                                       const char *machine, const char *run)
{
    char text[512], err[512];
    snprintf(text, sizeof text,
             "return lesson { view = \"%s\", machine = { %s }, run = function() %s end }",
             view, machine, run);
    struct session *s = session_open_text(view, text, NULL, err, sizeof err);
    if (!s) {
        bail_out("%s", err);
    }
    app_init(a, s, GLYPHS_ASCII);
    app_resize(a, 120, 40);
    grid_create(g, 120, 40);
    app_command(a, "continue");
    return s;
}

#endif
