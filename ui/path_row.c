/* The way of an operation on objects, drawn as a row of places (object_path.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "object_path.h"

int object_path_rows(int w)
{
    enum { USUAL = 150 }; /* columns of a path all the way down */
    return app_clamp((USUAL + w - 1) / app_max_int(1, w), 1, 3);
}

static int station_text(const struct path_station *s, char *buf, size_t size)
{
    if (s->times > 1) {
        snprintf(buf, size, "%s %s (%u times)", object_path_name(s->where), s->text,
                 s->times);
    } else {
        snprintf(buf, size, "%s %s", object_path_name(s->where), s->text);
    }
    return text_width(buf);
}

/* Where the next words go: on this row if there is room, else on the next. */
static bool place_words(struct rect r, int *x, int *y, int width)
{
    if (*x > r.x && *x + width > r.x + r.w) {
        *x = r.x + 1;
        ++*y;
    }
    return *y < r.y + r.h;
}

/* Can all stations from the first one on be drawn? */
static bool fits(const struct object_path *p, struct rect r, int x, int first)
{
    char text[96];
    int y = r.y;
    for (int i = first; i < p->nr; i++) {
        const int width = station_text(&p->at[i], text, sizeof text) + 2 * (i > first);
        if (!place_words(r, &x, &y, width)) {
            return false;
        }
        x += width + 1;
    }
    return true;
}

void object_path_draw(const struct app *a, struct grid *g, struct rect r)
{
    const struct object_path *p = &a->objects.path;
    char text[128];
    int x = r.x, y = r.y;
    if (!p->there || !p->nr) {
        grid_text_cut(g, x, y, r.w, "Nothing was done to its objects of late.",
                      a->glyphs->more, ST_FAINT, 0);
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64 " %s:", p->op, p->call);
    if (text_width(text) * 3 <= r.w * r.h) {
        x = grid_text(g, x, y, text, p->live ? ST_NORMAL : ST_DIM, 0) + 1;
    }
    int first = 0;
    while (first < p->nr - 1 && !fits(p, r, x + 2 * (first > 0), first)) {
        first++;
    }
    if (first || p->dropped) {
        x += grid_put(g, x, y, a->glyphs->more, ST_DIM, 0) + 1;
    }
    for (int i = first; i < p->nr; i++) {
        const struct path_station *s = &p->at[i];
        const bool step =
            p->live && s->event >= a->model.step_low && s->event <= a->model.step_high;
        const int width = station_text(s, text, sizeof text) + 2 * (i > first);
        if (!place_words(r, &x, &y, width)) {
            break;
        }
        if (i > first) {
            x += grid_put(g, x, y, a->glyphs->arrow, ST_HINT_KEY, 0) + 1;
        }
        const char *name = object_path_name(s->where);
        x = grid_text(g, x, y, name, p->live ? ST_SENTENCE : ST_NORMAL,
                      step ? MARK_CHANGED : 0);
        x = grid_text_cut(g, x, y, app_max_int(0, r.x + r.w - x), text + strlen(name),
                          a->glyphs->more, p->live ? ST_NORMAL : ST_DIM,
                          step ? MARK_CHANGED : 0) +
            1;
    }
    for (int i = 0, where; (where = object_path_ahead(a, i)) >= 0; i++) {
        const char *name = object_path_name(where);
        if (place_words(r, &x, &y, text_width(name) + 2)) {
            x += grid_put(g, x, y, a->glyphs->dot, ST_FAINT, 0) + 1;
            x = grid_text(g, x, y, name, ST_FAINT, 0) + 1;
        }
    }
}
