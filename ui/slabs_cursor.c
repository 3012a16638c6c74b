/* The cursor of the pane Slabs, and what stays in view (slabs.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slabs.h"

#include "hw_focus.h"
#include "objects.h"
#include "pane.h"

/* ---- following ---- */

/* The slab in which the operation did something last; -1: in none. */
static int64_t lit_slab(const struct app *a)
{
    const struct objects_state *s = &a->objects;
    const struct object_view o = object_view(a->model.m, s->last_va);
    if (o.state != OBJECT_NONE && o.cache == s->cache) {
        return slabs_ordinal(a, o.slab);
    }
    int64_t n = 0;
    for (uint32_t slab = s->nr_lit ? slabs_nth(a, 0) : 0; slab;
         slab = slabs_after(a, slab), n++) {
        if (slab_view(a->model.m, slab).pfn == s->lit[s->nr_lit - 1].pfn) {
            return n;
        }
    }
    return -1;
}

static void fit_cursor(struct app *a, const struct slabs_shape *sh)
{
    struct objects_state *s = &a->objects;
    const struct object_view o = object_view(a->model.m, s->va);
    if (s->has_cursor && !s->in_array && (!o.state || o.cache != s->cache)) {
        s->has_cursor = false;
    }
    if (s->in_array && (int)s->array >= sh->nr_stores) {
        s->array = 0;
    }
    if (s->has_cursor && s->in_array) {
        struct store_view v;
        store_view(a, (int)s->array, &v);
        s->entry = s->entry < v.avail ? s->entry : v.avail ? v.avail - 1 : 0;
    }
}

void slabs_fit(struct app *a, int w, int h)
{
    struct objects_state *s = &a->objects;
    struct slabs_shape sh;
    objects_refresh(a);
    if (!slabs_shape(a, w, h, &sh)) {
        s->has_cursor = false;
        return;
    }
    fit_cursor(a, &sh);
    const int array = s->has_cursor && s->in_array ? (int)s->array : (int)a->cpu;
    s->array_top = app_clamp(s->array_top, array - sh.stores + 1, array);
    s->array_top = app_clamp(s->array_top, 0, sh.nr_stores - sh.stores);
    const int64_t nr = sh.nr_slabs * sh.rows;
    const bool on = s->has_cursor && !s->in_array;
    const struct object_view o = object_view(a->model.m, on ? s->va : s->last_va);
    const int64_t n = on ? slabs_ordinal(a, o.slab) : s->has_cursor ? -1 : lit_slab(a);
    if (n >= 0 && sh.slabs_h > 0) { /* all of the slab if it fits, else the object */
        const int64_t first = n * sh.rows;
        const int64_t row = first + 1 + (o.state ? (int)o.index / sh.per_row : 0);
        if (s->top > first || s->top + sh.slabs_h < first + sh.rows) {
            const bool all = sh.rows <= sh.slabs_h;
            s->top = all && s->top > first        ? first
                     : all                        ? first + sh.rows - sh.slabs_h
                     : row < s->top               ? row - 1
                     : row >= s->top + sh.slabs_h ? row - sh.slabs_h + 1
                                                  : s->top;
        }
    }
    s->top = s->top + sh.slabs_h > nr ? nr - sh.slabs_h : s->top;
    s->top = s->top < 0 ? 0 : s->top;
}

/* ---- moving ---- */

void slabs_light_lines(struct app *a)
{
    static const enum hw_part parts[] = {PART_L1D, PART_L2};
    const struct machine *m = a->model.m;
    struct hw_state *hw = &a->hw;
    const struct object_view o =
        object_view(m, a->objects.has_cursor ? slabs_object(a) : 0);
    struct cache_view c;
    uint32_t set, way;
    hw->nr_lit_lines = 0;
    if (o.state == OBJECT_NONE || !cache_view(m, o.cache, &c)) {
        return;
    }
    const struct memory_at at = memory_translate(m, a->cpu, NULL, o.va);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct cache *cache = shown_cpu(a) ? shown_part(a, parts[i]) : NULL;
        const uint64_t line = cache ? cache->config.line_bytes : 0;
        for (uint64_t pa = line ? at.pa & ~(line - 1) : 0;
             line && at.via != VIA_NOTHING && pa < at.pa + c.size &&
             hw->nr_lit_lines < HW_MAX_LIT_LINES;
             pa += line) {
            if (memory_holder(m, a->cpu, parts[i], pa, &set, &way)) {
                hw->lit_lines[hw->nr_lit_lines++] =
                    (struct hw_touch){(uint8_t)parts[i], true, set, way};
            }
        }
    }
}

static void aim(struct app *a)
{
    const uint64_t va = slabs_object(a);
    if (va) { /* where its lines would be */
        hw_focus_aim(a, va);
    }
}

static void go_store(struct app *a, int array, uint32_t entry)
{
    struct objects_state *s = &a->objects;
    s->has_cursor = s->in_array = true;
    s->array = (uint32_t)array;
    s->entry = entry;
    aim(a);
}

/* Object number i of the n-th slab; as near to that as there is one. */
static void go_object(struct app *a, const struct slabs_shape *sh, int64_t n, int64_t i)
{
    struct objects_state *s = &a->objects;
    const int64_t last = sh->nr_slabs - 1;
    if (n > last || n < 0) {
        i = n < 0 ? 0 : (int64_t)sh->v.num - 1;
        n = n < 0 ? 0 : last;
    }
    const uint32_t slab = n >= 0 ? slabs_nth(a, n) : 0;
    if (!slab) {
        return;
    }
    const struct slab_view v = slab_view(a->model.m, slab);
    i = i < 0 ? 0 : i >= (int64_t)v.num ? (int64_t)v.num - 1 : i;
    s->has_cursor = true;
    s->in_array = false;
    s->va = v.s_mem + (uint64_t)i * sh->v.size;
    aim(a);
}

static void begin(struct app *a, const struct slabs_shape *sh)
{
    const struct object_view o = object_view(a->model.m, a->objects.last_va);
    if (o.state && o.cache == a->objects.cache) {
        go_object(a, sh, slabs_ordinal(a, o.slab), o.index);
    } else if (store_entry(a, (int)a->cpu, 0) || !sh->nr_slabs) {
        go_store(a, (int)a->cpu, 0);
    } else {
        go_object(a, sh, 0, 0);
    }
}

/* Rows up or down: arrays, then rows of objects. */
static void move_rows(struct app *a, const struct slabs_shape *sh, int by)
{
    struct objects_state *s = &a->objects;
    const int object_rows = sh->rows - 1;
    int64_t row = s->array; /* of all arrays and all rows of objects */
    uint32_t column = s->entry;
    if (!s->in_array) {
        const struct object_view o = object_view(a->model.m, s->va);
        row = sh->nr_stores + slabs_ordinal(a, o.slab) * object_rows +
              (int)o.index / sh->per_row;
        column = o.index % (uint32_t)sh->per_row;
    }
    row = row + by < 0 ? 0 : row + by;
    if (row < sh->nr_stores) {
        go_store(a, (int)row, s->in_array ? column : 0);
    } else {
        row -= sh->nr_stores;
        column = s->in_array ? 0 : column;
        go_object(a, sh, row / object_rows,
                  row % object_rows * sh->per_row + (int64_t)column);
    }
}

static void move_columns(struct app *a, const struct slabs_shape *sh, int by)
{
    struct objects_state *s = &a->objects;
    if (s->in_array) {
        const int64_t to = (int64_t)s->entry + by;
        if (to >= 0 && store_entry(a, (int)s->array, (uint32_t)to)) {
            go_store(a, (int)s->array, (uint32_t)to);
        }
        return;
    }
    const struct object_view o = object_view(a->model.m, s->va);
    int64_t n = slabs_ordinal(a, o.slab), i = (int64_t)o.index + by;
    if (i < 0 && n > 0) {
        n--;
        i = sh->v.num - 1;
    } else if (i >= (int64_t)sh->v.num && n + 1 < sh->nr_slabs) {
        n++;
        i = 0;
    }
    go_object(a, sh, n, i);
}

bool slabs_key(struct app *a, int k, int w, int h)
{
    struct objects_state *s = &a->objects;
    struct slabs_shape sh;
    static const int moves[] = {K_UP,        K_DOWN, K_LEFT, K_RIGHT, K_PAGE_UP,
                                K_PAGE_DOWN, 'k',    'j',    'h',     'l'};
    if (!slabs_shape(a, w, h, &sh)) {
        return false;
    }
    if (k == K_END) {
        s->has_cursor = false;
        return true;
    }
    if (k == K_HOME) {
        go_store(a, 0, 0);
        return true;
    }
    for (size_t i = 0; !s->has_cursor && i < sizeof moves / sizeof moves[0]; i++) {
        if (moves[i] == k) {
            begin(a, &sh);
            return true;
        }
    }
    const int page = app_max_int(1, sh.slabs_h - 1);
    switch (k) {
    case K_LEFT:
    case 'h':
        move_columns(a, &sh, -1);
        return true;
    case K_RIGHT:
    case 'l':
        move_columns(a, &sh, 1);
        return true;
    case K_UP:
    case 'k':
        move_rows(a, &sh, -1);
        return true;
    case K_DOWN:
    case 'j':
        move_rows(a, &sh, 1);
        return true;
    case K_PAGE_UP:
        move_rows(a, &sh, -page);
        return true;
    case K_PAGE_DOWN:
        move_rows(a, &sh, page);
        return true;
    default:
        return false;
    }
}

void slabs_click(struct app *a, int x, int y, int w, int h)
{
    struct objects_state *s = &a->objects;
    struct slabs_shape sh;
    if (!slabs_shape(a, w, h, &sh)) {
        return;
    }
    const int array = s->array_top + (y - sh.stores_y) / sh.store_rows;
    if (y >= sh.stores_y && y < sh.stores_y + sh.stores * sh.store_rows) {
        const uint32_t first = store_first(a, &sh, array, w);
        const int i = app_max_int(0, x - store_entries_x(w)) / store_entry_width(a, &sh);
        go_store(a, array, first + (uint32_t)i);
        return;
    }
    const int64_t row = s->top + y - sh.slabs_y, in_slab = row % sh.rows;
    const uint32_t slab = y >= sh.slabs_y && y < sh.slabs_y + sh.slabs_h && in_slab > 0
                              ? slabs_nth(a, row / sh.rows)
                              : 0;
    if (slab) {
        const struct slab_view v = slab_view(a->model.m, slab);
        const int column = app_max_int(0, x - sh.prefix - slabs_shift(&sh, &v)) / sh.cell;
        go_object(a, &sh, row / sh.rows,
                  (in_slab - 1) * sh.per_row + app_min_int(column, sh.per_row - 1));
    }
}

/* ---- another cache, another object ---- */

void slabs_turn(struct app *a, int by)
{
    struct objects_state *s = &a->objects;
    uint32_t next = 0, last = 0;
    for (uint32_t id = caches_first(a->model.m); id; id = caches_next(a->model.m, id)) {
        if (by > 0 ? id == s->cache : caches_next(a->model.m, id) == s->cache) {
            next = by > 0 ? caches_next(a->model.m, id) : id;
        }
        last = id;
    }
    s->cache = next ? next : by > 0 ? caches_first(a->model.m) : last;
    s->pinned = true;
    s->has_cursor = false;
    s->top = 0;
}

/* An address, or a cache's name. */
bool slabs_find(struct app *a, const char *text)
{
    struct objects_state *s = &a->objects;
    uint64_t va;
    uint32_t id = cache_by_name(a->model.m, text);
    struct object_view v = {0};
    if (!id && hw_parse_address(text, &va)) {
        v = object_view(a->model.m, va);
        id = v.state ? v.cache : 0;
    }
    if (id) {
        s->cache = id;
        s->pinned = true;
        s->has_cursor = v.state != OBJECT_NONE;
        s->in_array = false;
        s->va = v.va;
    }
    return id != 0;
}
