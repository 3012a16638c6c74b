/* All caches of objects, in slabtop's columns.
 *
 *     OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME
 *       64     60  94%    0.06K      1       64         4K kmalloc-64
 *
 * Below them the memory pools, if there are any.
 * Where there is not room for all of it the name comes first, then the columns that fit.
 * The cursor chooses the cache of the pane Slabs; without one that follows what happens.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mempool.h"
#include "objects.h"
#include "pane.h"

static char sort_key(const struct app *a)
{
    return a->objects.sort ? a->objects.sort : 'o';
}

static struct cache_view *sorted(const struct app *a, size_t *nr)
{
    struct cache_view *list = objects_caches(a->model.m, nr);
    if (list) {
        objects_sort(list, *nr, sort_key(a));
    }
    return list;
}

static int row_of(const struct cache_view *list, size_t nr, uint32_t id)
{
    for (size_t i = 0; list && i < nr; i++) {
        if (list[i].id == id) {
            return (int)i;
        }
    }
    return 0;
}

/* Rows at the end for memory pools, where there is room. */
static int pool_rows(const struct app *a, int h)
{
    const int nr = a->model.m->slab ? (int)a->model.m->slab->nr_mempools : 0;
    return h < 5 ? 0 : nr < h / 4 ? nr : app_max_int(h / 4, nr > 0);
}

static int list_rows(const struct app *a, int h)
{
    return app_max_int(1, h - 1 - pool_rows(a, h));
}

/* "mempool-1 (bio): 2 of 4 in reserve, 1 wait" */
static void draw_pools(const struct app *a, struct grid *g, struct rect r)
{
    const struct machine *m = a->model.m;
    char name[120], text[240];
    int y = r.y;
    for (uint32_t id = mempools_first(m); id && y < r.y + r.h;
         id = mempools_next(m, id), y++) {
        const struct mempool *p = mempool_r(m, id);
        mempool_format(name, sizeof name, m, id);
        int n = snprintf(text, sizeof text, "%s: %u of %u in reserve", name, p->curr_nr,
                         p->min_nr);
        if (p->nr_waiters) {
            snprintf(text + n, sizeof text - (size_t)n, ", %u wait", p->nr_waiters);
        }
        grid_text_cut(g, r.x + 1, y, r.w - 1, text, a->glyphs->more,
                      p->curr_nr < p->min_nr ? ST_BRIGHT : ST_NORMAL, 0);
    }
}

static void fit(struct app *a, int w, int h)
{
    struct pane_list *l = &a->caches;
    size_t nr;
    (void)w;
    objects_refresh(a);
    struct cache_view *list = sorted(a, &nr);
    const int row = row_of(list, nr, a->objects.cache);
    free(list);
    h = list_rows(a, h);
    if (a->objects.pinned) {
        pane_list_show(l, row, (int)nr, h);
    } else {
        pane_list_follow(l, row, (int)nr, h, 0);
    }
}

/* A count in five columns. */
static const char *brief(char buf[24], uint64_t n)
{
    snprintf(buf, 24, n < 100000 ? "%" PRIu64 : "%" PRIu64 "k",
             n < 100000 ? n : n / 1000);
    return buf;
}

/* Name, then what fits: the names of what is narrow. */
static void narrow(char *buf, size_t size, int w, const struct cache_view *v)
{
    if (v) {
        const double use = v->num_objs ? objects_percent(v->active_objs, v->num_objs) : 0;
        const bool cut = strlen(v->name) > 18;
        char objs[24], active[24], slabs[24];
        int n = snprintf(buf, size, "%-*.*s%s %5s %5s", cut ? 17 : 18, cut ? 17 : 18,
                         v->name, cut ? "~" : "", brief(objs, v->num_objs),
                         brief(active, v->active_objs));
        if (w >= 37) {
            n += snprintf(buf + n, size - (size_t)n, " %3.0f%%", use);
        }
        if (w >= 44) {
            n += snprintf(buf + n, size - (size_t)n, " %6u", v->size);
        }
        if (w >= 51) {
            n += snprintf(buf + n, size - (size_t)n, " %5s", brief(slabs, v->num_slabs));
        }
        if (w >= 58) {
            snprintf(buf + n, size - (size_t)n, " %6" PRIu64 "K", objects_bytes(v) >> 10);
        }
        return;
    }
    snprintf(buf, size, "%-18s %5s %5s%s%s%s%s", "NAME", "OBJS", "ACTIV",
             w >= 37 ? "  USE" : "", w >= 44 ? "   SIZE" : "", w >= 51 ? " SLABS" : "",
             w >= 58 ? "   BYTES" : "");
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct objects_state *s = &a->objects;
    const uint32_t touched = objects_touched(a);
    char text[160];
    size_t nr;
    struct cache_view *list = sorted(a, &nr);
    if (!nr) {
        grid_text_cut(g, r.x, r.y, r.w, "None yet: kmem_cache_init() boots them.",
                      a->glyphs->more, ST_DIM, 0);
        free(list);
        return;
    }
    const bool wide = r.w >= 72;
    wide ? (void)objects_head(text, sizeof text) : narrow(text, sizeof text, r.w, NULL);
    grid_text_cut(g, r.x + 1, r.y, r.w - 1, text, a->glyphs->more, ST_DIM, 0);
    const struct rect body = {r.x, r.y + 1, r.w, list_rows(a, r.h)};
    for (int i = 0; i < body.h && a->caches.top + i < (int)nr; i++) {
        const struct cache_view *v = &list[a->caches.top + i];
        const int y = body.y + i;
        const int marks = (v->id == touched ? MARK_CHANGED : 0) |
                          (v->id == s->cache && s->pinned && focused ? MARK_SELECTED : 0);
        if (v->id == s->cache) {
            grid_put(g, r.x, y, a->glyphs->here, ST_HINT_KEY, 0);
        }
        wide ? (void)objects_row(text, sizeof text, v)
             : narrow(text, sizeof text, r.w, v);
        grid_text_cut(g, r.x + 1, y, r.w - 1, text, a->glyphs->more,
                      v->num_objs ? ST_NORMAL : ST_FAINT, marks);
    }
    pane_more(a, g, body, a->caches.top, (int)nr);
    draw_pools(a, g, (struct rect){r.x, body.y + body.h, r.w, pool_rows(a, r.h)});
    free(list);
}

static void choose(struct app *a, uint32_t id)
{
    struct objects_state *s = &a->objects;
    s->has_cursor = s->has_cursor && s->cache == id;
    s->cache = id;
    s->pinned = true;
}

static bool key(struct app *a, int k, int w, int h)
{
    struct objects_state *s = &a->objects;
    size_t nr;
    (void)w;
    struct cache_view *list = sorted(a, &nr);
    const int row = row_of(list, nr, s->cache);
    if (k == K_ENTER && list && nr) {
        choose(a, list[row].id);
        s->opened = true;
        free(list);
        app_focus(a, PANE_SLABS);
        return true;
    }
    a->caches.selected = s->pinned ? row : -1;
    const bool used = pane_list_key(&a->caches, k, (int)nr, list_rows(a, h), row);
    if (used && a->caches.selected < 0) {
        s->pinned = s->has_cursor = false;
    } else if (used && list && a->caches.selected < (int)nr) {
        choose(a, list[a->caches.selected].id);
    }
    free(list);
    return used;
}

static void click(struct app *a, int x, int y, int w, int h)
{
    size_t nr;
    (void)x, (void)w;
    struct cache_view *list = sorted(a, &nr);
    const int row = a->caches.top + y - 1;
    if (y >= 1 && y <= list_rows(a, h) && list && row < (int)nr) {
        choose(a, list[row].id);
    }
    free(list);
}

/* Another order. */
static void turn(struct app *a, int by)
{
    static const char keys[] = OBJECTS_SORT_KEYS;
    const int n = (int)strlen(keys), at = (int)(strchr(keys, sort_key(a)) - keys);
    a->objects.sort = keys[(at + by + n) % n];
}

static void title(const struct app *a, char *buf, size_t size)
{
    snprintf(buf, size, "by %s", objects_sort_name(sort_key(a)));
}

static char *details(struct app *a, char *name, size_t size)
{
    return cache_details(a, a->objects.cache, name, size);
}

static bool find(struct app *a, const char *text)
{
    size_t nr;
    struct cache_view *list = sorted(a, &nr);
    const int row = row_of(list, nr, a->objects.cache);
    bool found = false;
    for (size_t i = 1; list && i <= nr && !found; i++) {
        const struct cache_view *v = &list[((size_t)row + i) % nr];
        found = strstr(v->name, text) != NULL;
        if (found) {
            choose(a, v->id);
        }
    }
    free(list);
    return found;
}

static bool changed(const struct app *a)
{
    return a->model.step_low <= a->model.step_high && objects_touched(a);
}

const struct pane_kind pane_caches = {
    .name = "Caches",
    .short_name = "Caches",
    .about =
        "All caches of objects in slabtop's columns; [ and ] change the order, :sort "
        "takes slabtop's letters. The cursor chooses the cache of the pane Slabs, "
        "Enter opens it, Esc comes back. The one that the last event touched is "
        "lit. Below them memory pools: how many elements are in reserve, of how many, "
        "and who waits.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .changed = changed,
    .find = find,
    .turn = turn,
    .enter_hint = "open",
    .turn_hint = "other order",
};
