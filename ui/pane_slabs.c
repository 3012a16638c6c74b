/* One cache of objects: where each of its objects is.
 *
 *   kmalloc-64: 64 bytes, 64 a slab of order 0                 what it is
 *   CPU 0   4/120  >1c04.3 1c04.2 1c04.1 1c04.0, batch 60  arrays, next to go out first
 *   shared  0/480
 *   array empty > new slab 0x1c04 > 60 from slab 0x1c04        what the operation did
 *   slab 0x1c04 partial, 60 of 64 out, colour 2 +128
 *   c1c04080 --# # # # 0 0 0 >|^ . .  its objects, number 0 first
 *   # in use, a digit in that CPU's array ...                  glyphs
 *   object 3 at 0xc1c04140: in use                             under the cursor
 *
 * Slabs stand in the kernel's order: partial, full, free. A slab's colour moves its
 * objects to the right, as far as it moves them in memory against the other colours; a
 * bar stands before the first object of a further page. The cursor goes over the entries
 * of arrays and over objects.
 *
 * It is over 800 lines because drawing, the cursor and clicks go by the same shape, which
 * nobody else needs.
 *
 * Left out: the objects of SLUB's per-CPU slabs (a line tells of the slab) and the path
 * of its operations; objects beyond number 4095 of a slab.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hw_focus.h"
#include "objects.h"
#include "pane.h"

enum { MAX_OBJECTS = 4096, MAX_PAD = 6 };

/* ---- what is where ---- */

struct shape {
    struct cache_view v;
    bool head, path, legend; /* rows that there is room for */
    int nr_arrays, arrays;   /* all, and how many are seen */
    int arrays_y, slabs_y, slabs_h, words_y, words;
    int prefix, pad;                 /* columns: of the address, of the colour */
    int detail, cell, per_row, rows; /* rows: of a slab, its heading too */
};

static int digits_of(uint64_t n, unsigned base)
{
    int digits = 1;
    for (; n >= base; n /= base) {
        digits++;
    }
    return digits;
}

static int nr_slab_arrays(const struct app *a)
{
    struct array_view shared;
    return (int)machine_nr_cpus(a->model.m) +
           array_view(a->model.m, a->objects.cache, UINT32_MAX, &shared);
}

static int cell_width(const struct app *a, const struct cache_view *v, int detail)
{
    return detail == 1   ? 2
           : detail == 2 ? digits_of(v->num ? v->num - 1 : 0, 10) + 3
                         : hw_va_digits(a) + 3;
}

/* False: there is no cache. */
static bool shape_of(const struct app *a, int w, int h, struct shape *s)
{
    *s = (struct shape){.detail = a->objects.detail};
    if (!cache_view(a->model.m, a->objects.cache, &s->v) || !s->v.num) {
        return false;
    }
    s->nr_arrays = nr_slab_arrays(a);
    s->head = h >= 6;
    s->path = h >= 9;
    s->legend = h >= 11;
    s->words = h >= 14 ? 3 : h >= 8 ? 2 : h >= 5 ? 1 : 0;
    s->arrays = app_min_int(s->nr_arrays, app_max_int(1, h / 4));
    s->arrays_y = s->head;
    s->slabs_y = s->arrays_y + s->arrays + s->path;
    s->words_y = h - s->words;
    s->slabs_h = app_max_int(0, s->words_y - s->legend - s->slabs_y);
    s->prefix = w >= 30 ? hw_va_digits(a) + 1 : 0;
    s->pad = w >= 30 && s->v.colour > 1 ? app_min_int(MAX_PAD, (int)s->v.colour - 1) : 0;
    const int room = app_max_int(2, w - s->prefix - s->pad - 1);
    if (!s->detail) { /* numbers where they make few rows */
        const int wide = cell_width(a, &s->v, 2);
        const int rows = ((int)s->v.num * wide + room - 1) / room;
        s->detail = rows <= app_max_int(1, s->slabs_h / 5) ? 2 : 1;
    }
    s->cell = cell_width(a, &s->v, s->detail);
    s->per_row = app_max_int(1, room / s->cell);
    s->rows = 1 + ((int)s->v.num + s->per_row - 1) / s->per_row;
    return true;
}

/* Columns that a slab's colour moves its objects by: any colour moves them. */
static int shift_of(const struct shape *sh, const struct slab_view *v)
{
    const uint32_t most = sh->v.colour - 1;
    return sh->pad ? app_min_int(sh->pad,
                                 (int)((v->colour * (uint32_t)sh->pad + most - 1) / most))
                   : 0;
}

/* The n-th slab of the cache; 0: there are not so many. */
static uint32_t nth_slab(const struct app *a, int64_t n)
{
    const struct machine *m = a->model.m;
    for (int kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        for (uint32_t s = slabs_first(m, a->objects.cache, (enum slab_list_kind)kind); s;
             s = slabs_next(m, s)) {
            if (n-- == 0) {
                return s;
            }
        }
    }
    return 0;
}

static uint32_t next_slab(const struct app *a, uint32_t slab)
{
    const struct machine *m = a->model.m;
    const int list = slab_view(m, slab).list;
    uint32_t next = slabs_next(m, slab);
    for (int kind = list + 1; !next && kind < NR_SLAB_LISTS; kind++) {
        next = slabs_first(m, a->objects.cache, (enum slab_list_kind)kind);
    }
    return next;
}

/* Which one it is, in that order; -1: none of the cache. */
static int64_t slab_ordinal(const struct app *a, uint32_t slab)
{
    int64_t n = 0;
    for (uint32_t s = nth_slab(a, 0); s; s = next_slab(a, s), n++) {
        if (s == slab) {
            return n;
        }
    }
    return -1;
}

static uint32_t array_cpu(const struct app *a, int array)
{
    return array < (int)machine_nr_cpus(a->model.m) ? (uint32_t)array : UINT32_MAX;
}

/* The entry of an array that so many go out before; 0: there is none. */
static uint64_t entry_at(const struct app *a, int array, uint32_t before)
{
    struct array_view v;
    const uint32_t cpu = array_cpu(a, array);
    return array_view(a->model.m, a->objects.cache, cpu, &v) && before < v.avail
               ? array_entry(a->model.m, a->objects.cache, cpu, v.avail - 1 - before)
               : 0;
}

/* The object under the cursor, else the one that was touched last; 0: none. */
static uint64_t object_at(const struct app *a)
{
    const struct objects_state *s = &a->objects;
    if (!s->has_cursor) {
        return object_view(a->model.m, s->last_va).cache == s->cache ? s->last_va : 0;
    }
    return s->in_array ? entry_at(a, (int)s->array, s->entry) : s->va;
}

/* ---- following ---- */

/* The slab in which the operation did something last; -1: in none. */
static int64_t lit_slab(const struct app *a)
{
    const struct objects_state *s = &a->objects;
    const struct object_view o = object_view(a->model.m, s->last_va);
    if (o.state != OBJECT_NONE && o.cache == s->cache) {
        return slab_ordinal(a, o.slab);
    }
    int64_t n = 0;
    for (uint32_t slab = s->nr_lit ? nth_slab(a, 0) : 0; slab;
         slab = next_slab(a, slab), n++) {
        if (slab_view(a->model.m, slab).pfn == s->lit[s->nr_lit - 1].pfn) {
            return n;
        }
    }
    return -1;
}

static void fit_cursor(struct app *a, const struct shape *sh)
{
    struct objects_state *s = &a->objects;
    const struct object_view o = object_view(a->model.m, s->va);
    if (s->has_cursor && !s->in_array && (!o.state || o.cache != s->cache)) {
        s->has_cursor = false;
    }
    if (s->in_array && (int)s->array >= sh->nr_arrays) {
        s->array = 0;
    }
    if (s->has_cursor && s->in_array) {
        struct array_view v = {0};
        array_view(a->model.m, s->cache, array_cpu(a, (int)s->array), &v);
        s->entry = s->entry < v.avail ? s->entry : v.avail ? v.avail - 1 : 0;
    }
}

static void fit(struct app *a, int w, int h)
{
    struct objects_state *s = &a->objects;
    struct shape sh;
    objects_refresh(a);
    if (!shape_of(a, w, h, &sh)) {
        s->has_cursor = false;
        return;
    }
    fit_cursor(a, &sh);
    const int array = s->has_cursor && s->in_array ? (int)s->array : (int)a->cpu;
    s->array_top = app_clamp(s->array_top, array - sh.arrays + 1, array);
    s->array_top = app_clamp(s->array_top, 0, sh.nr_arrays - sh.arrays);
    const int64_t nr = (int64_t)sh.v.num_slabs * sh.rows;
    const bool on = s->has_cursor && !s->in_array;
    const struct object_view o = object_view(a->model.m, on ? s->va : s->last_va);
    const int64_t n = on ? slab_ordinal(a, o.slab) : s->has_cursor ? -1 : lit_slab(a);
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

/* ---- objects ---- */

struct place {
    uint8_t state; /* enum object_state */
    bool next;     /* goes out first of all in its array or on its freelist */
    uint32_t cpu;
};

/* Where each object of a slab is. */
static void find_places(const struct app *a, const struct slab_view *v, uint32_t slab,
                        uint32_t size, struct place *p)
{
    static const struct place in_use = {OBJECT_IN_USE, false, 0};
    uint32_t numbers[MAX_OBJECTS];
    const uint32_t num = v->num < MAX_OBJECTS ? v->num : MAX_OBJECTS;
    for (uint32_t i = 0; i < num; i++) {
        p[i] = in_use;
    }
    const uint32_t nr = slab_freelist(a->model.m, slab, numbers, MAX_OBJECTS);
    for (uint32_t i = 0; i < nr; i++) {
        if (numbers[i] < num) {
            p[numbers[i]] = (struct place){OBJECT_FREE, i == 0, 0};
        }
    }
    for (int array = 0; array < nr_slab_arrays(a); array++) {
        struct array_view av;
        const uint32_t cpu = array_cpu(a, array);
        array_view(a->model.m, v->cache, cpu, &av);
        for (uint32_t i = 0; i < av.avail; i++) {
            const uint64_t va = array_entry(a->model.m, v->cache, cpu, i);
            if (va >= v->s_mem && (va - v->s_mem) / size < num) {
                p[(va - v->s_mem) / size] =
                    (struct place){OBJECT_IN_ARRAY, i + 1 == av.avail, cpu};
            }
        }
    }
}

static uint32_t place_glyph(const struct app *a, const struct place *p, int *style)
{
    const struct glyphs *gl = a->glyphs;
    switch (p->state) {
    case OBJECT_IN_USE:
        *style = ST_MOVABLE;
        return gl->bar;
    case OBJECT_IN_ARRAY:
        *style = p->next ? ST_HINT_KEY : ST_PCP;
        return p->next                ? gl->here
               : p->cpu == UINT32_MAX ? 's'
               : p->cpu < 10          ? '0' + p->cpu
                                      : '+';
    default:
        *style = p->next ? ST_HINT_KEY : ST_FREE;
        return p->next ? gl->up : gl->dot;
    }
}

/* One row of a slab's objects. */
static void draw_objects(const struct app *a, struct grid *g, struct rect r,
                         const struct shape *sh, const struct slab_view *v, int row,
                         const struct place *places, bool focused)
{
    const struct objects_state *s = &a->objects;
    const uint32_t first = (uint32_t)(row * sh->per_row), size = sh->v.size;
    int x = r.x + sh->prefix;
    if (sh->prefix) {
        grid_printf(g, r.x, r.y, ST_DIM, 0, "%0*llx", hw_va_digits(a),
                    (unsigned long long)(v->s_mem + (uint64_t)first * size));
    }
    const int shift = shift_of(sh, v);
    if (!row) {
        grid_hline(g, x, r.y, shift, a->glyphs->hline, ST_RESERVED);
    }
    x += shift;
    for (uint32_t i = first;
         i < v->num && i < first + (uint32_t)sh->per_row && i < MAX_OBJECTS; i++) {
        const uint64_t va = v->s_mem + (uint64_t)i * size;
        const bool here = s->has_cursor && focused && !s->in_array && s->va == va;
        const int marks = (objects_is_lit(a, va, v->pfn, i) ? MARK_CHANGED : 0) |
                          (here ? MARK_SELECTED : 0);
        int style;
        const uint32_t ch = place_glyph(a, &places[i], &style);
        const int width = sh->cell - 2;
        if (sh->detail == 2) {
            grid_printf(g, x, r.y, ST_DIM, marks, "%*u:", width - 1, i);
        } else if (sh->detail == 3) {
            grid_printf(g, x, r.y, ST_DIM, marks, "%0*llx:", width - 1,
                        (unsigned long long)va);
        }
        grid_put(g, x + width, r.y, ch, style, marks);
        const uint64_t end = va + size; /* where the next one begins */
        if (i + 1 < v->num && va >> PAGE_SHIFT != end >> PAGE_SHIFT) {
            grid_put(g, x + width + 1, r.y, a->glyphs->vline, ST_RULE, 0);
        }
        x += sh->cell;
    }
}

static void draw_slab_head(const struct app *a, struct grid *g, struct rect r,
                           const struct shape *sh, const struct slab_view *v)
{
    static const char *const kinds[NR_SLAB_LISTS] = {"", "partial", "full", "free"};
    const int kind_style = v->list == SLABS_FREE      ? ST_FREE
                           : v->list == SLABS_PARTIAL ? ST_PCP
                                                      : ST_MOVABLE;
    const int marks = model_pfn_changed(&a->model, v->pfn, v->order) ? MARK_CHANGED : 0;
    int x = grid_text(g, r.x, r.y, "slab ", ST_DIM, 0);
    x = grid_printf(g, x, r.y, ST_BRIGHT, marks, PFN_FORMAT, (unsigned long long)v->pfn);
    if (v->order) {
        x = grid_printf(g, x, r.y, ST_DIM, 0, "-%llx",
                        (unsigned long long)(v->pfn + (UINT64_C(1) << v->order) - 1));
    }
    x = grid_printf(g, x + 1, r.y, kind_style, 0, "%s", kinds[v->list]);
    char text[160], colour[64] = "";
    if (sh->v.colour > 1) {
        snprintf(colour, sizeof colour, ", colour %u: +%u bytes", v->colour,
                 v->colour * sh->v.colour_off);
    }
    snprintf(text, sizeof text, ", %u of %u out, %u in use%s", v->active, v->num,
             v->in_use, colour);
    if (x < r.x + r.w) {
        grid_text_cut(g, x, r.y, r.x + r.w - x, text, a->glyphs->more, ST_NORMAL, 0);
    }
}

static void draw_slabs(const struct app *a, struct grid *g, struct rect r,
                       const struct shape *sh, bool focused)
{
    const int64_t top = a->objects.top;
    struct place places[MAX_OBJECTS];
    uint32_t slab = nth_slab(a, top / sh->rows);
    int row = (int)(top % sh->rows), y = 0;
    if (!slab && r.h) {
        grid_text(g, r.x, r.y, "No slabs on its lists.", ST_DIM, 0);
    }
    for (; slab && y < r.h; slab = next_slab(a, slab)) {
        const struct slab_view v = slab_view(a->model.m, slab);
        find_places(a, &v, slab, sh->v.size, places);
        for (; row < sh->rows && y < r.h; row++, y++) {
            const struct rect line = {r.x, r.y + y, r.w, 1};
            row ? draw_objects(a, g, line, sh, &v, row - 1, places, focused)
                : draw_slab_head(a, g, line, sh, &v);
        }
        row = 0;
    }
    const int64_t nr = (int64_t)sh->v.num_slabs * sh->rows;
    pane_more(a, g, r, top > 0, top + r.h < nr ? r.h + 1 + (top > 0) : r.h);
}

/* ---- arrays ---- */

static int entry_width(const struct app *a, const struct cache_view *v)
{
    return digits_of(machine_max_pfn(a->model.m), 16) +
           digits_of(v->num ? v->num - 1 : 0, 10) + 2;
}

static int entries_x(int w) { return w >= 40 ? 18 : 16; }

/* The first entry that is seen: the cursor's is. */
static uint32_t entries_first(const struct app *a, const struct shape *sh, int array,
                              int w)
{
    const struct objects_state *s = &a->objects;
    const uint32_t nr =
        (uint32_t)app_max_int(1, (w - entries_x(w) - 2) / entry_width(a, &sh->v));
    const bool here = s->has_cursor && s->in_array && (int)s->array == array;
    return here && s->entry >= nr ? s->entry - nr + 1 : 0;
}

/* How many move at a time (that field of the shared array has no meaning), and whether
 * it was used since it was last reaped. */
static void draw_array_rest(struct grid *g, int x, struct rect r, uint32_t cpu,
                            const struct array_view *v)
{
    char text[64];
    if (cpu == UINT32_MAX) {
        snprintf(text, sizeof text, "%s", v->touched ? ", touched" : "");
    } else {
        snprintf(text, sizeof text, ", batch %u%s", v->batchcount,
                 v->touched ? ", touched" : "");
    }
    if (x + text_width(text) <= r.x + r.w) {
        grid_text(g, x, r.y, text, ST_DIM, 0);
    }
}

/* SLUB: a CPU has a slab instead. */
static void draw_cpu_slab(const struct app *a, struct grid *g, struct rect r,
                          uint32_t cpu)
{
    struct slub_cpu_view v;
    uint32_t numbers[1];
    if (!slub_cpu_view(a->model.m, a->objects.cache, cpu, &v) || !v.slab) {
        grid_text(g, r.x + 7, r.y, "has no slab", ST_FAINT, 0);
        return;
    }
    const struct slab_view s = slab_view(a->model.m, v.slab);
    const uint32_t nr = slub_cpu_freelist(a->model.m, s.cache, cpu, numbers, 1);
    int x = grid_printf(g, r.x + 7, r.y, ST_NORMAL, 0, "slab " PFN_FORMAT ", %u in use",
                        (unsigned long long)s.pfn, s.in_use);
    if (nr) {
        x = grid_printf(g, x, r.y, ST_NORMAL, 0, ", next %u", numbers[0]);
    }
    grid_text(g, x, r.y, v.partial ? ", and partial ones" : "", ST_DIM, 0);
}

static void draw_array(const struct app *a, struct grid *g, struct rect r,
                       const struct shape *sh, int array, bool focused)
{
    const struct objects_state *s = &a->objects;
    const uint32_t cpu = array_cpu(a, array),
                   num_digits = (uint32_t)digits_of(sh->v.num ? sh->v.num - 1 : 0, 10);
    const bool row = s->has_cursor && s->in_array && (int)s->array == array && focused;
    struct array_view v;
    int x = cpu == UINT32_MAX ? grid_text(g, r.x, r.y, "shared", ST_DIM, 0)
                              : grid_printf(g, r.x, r.y, ST_DIM, 0, "CPU %u", cpu);
    if (!array_view(a->model.m, s->cache, cpu, &v)) {
        draw_cpu_slab(a, g, r, cpu);
        return;
    }
    grid_printf(g, r.x + 7, r.y, ST_NORMAL, row && !v.avail ? MARK_SELECTED : 0, "%u/%u",
                v.avail, v.limit);
    x = r.x + entries_x(r.w);
    const uint32_t first = entries_first(a, sh, array, r.w);
    const int width = entry_width(a, &sh->v);
    if (!v.avail) {
        grid_text(g, x, r.y, "empty", ST_FAINT, 0);
        draw_array_rest(g, x + 5, r, cpu, &v);
        return;
    }
    grid_put(g, x - 1, r.y, first ? a->glyphs->back : a->glyphs->here, ST_HINT_KEY, 0);
    uint32_t i = first;
    for (; i < v.avail && x + width < r.x + r.w; i++, x += width) {
        const uint64_t va = entry_at(a, array, i);
        const uint32_t ref = virt_to_slab(a->model.m, va);
        const struct slab *slab = ref ? slab_r(a->model.m, ref) : NULL;
        const uint32_t n = slab ? (uint32_t)((va - slab->s_mem) / sh->v.size) : 0;
        const uint64_t pfn = slab ? slab->pfn : 0;
        const int marks = (objects_is_lit(a, va, pfn, n) ? MARK_CHANGED : 0) |
                          (row && s->entry == i ? MARK_SELECTED : 0);
        grid_printf(g, x, r.y, i ? ST_PCP : ST_BRIGHT, marks, "%llx.%-*u",
                    (unsigned long long)pfn, (int)num_digits, n);
    }
    if (i < v.avail) {
        grid_put(g, x, r.y, a->glyphs->more, ST_DIM, 0);
    } else {
        draw_array_rest(g, x - 1, r, cpu, &v);
    }
}

/* ---- words ---- */

/* What a step of the operation was, in few words; false: not one to be told. */
static bool step_words(const struct event *ev, char *buf, size_t size)
{
    uint64_t pfn = 0, nr = 0;
    event_arg(ev, "pfn", &pfn);
    event_arg_named(ev, "nr", &nr);
    switch (ev->kind) {
    case EV_SLAB_ARRAY_HIT:
        snprintf(buf, size, "array hit");
        return true;
    case EV_SLAB_ARRAY_EMPTY:
        snprintf(buf, size, "array empty");
        return true;
    case EV_SLAB_REFILL_SHARED:
        snprintf(buf, size, "%" PRIu64 " from shared", nr);
        return true;
    case EV_SLAB_REFILL:
        snprintf(buf, size, "%" PRIu64 " from slab " PFN_FORMAT, nr,
                 (unsigned long long)pfn);
        return true;
    case EV_MM_PAGE_ALLOC:
        snprintf(buf, size, "page " PFN_FORMAT, (unsigned long long)pfn);
        return true;
    case EV_SLAB_GROW:
        snprintf(buf, size, "new slab " PFN_FORMAT, (unsigned long long)pfn);
        return true;
    case EV_SLAB_GROW_FAIL:
        snprintf(buf, size, "no pages");
        return true;
    case EV_SLAB_ARRAY_PUT:
        snprintf(buf, size, "into array");
        return true;
    case EV_SLAB_ARRAY_FULL:
        snprintf(buf, size, "array full");
        return true;
    case EV_SLAB_FLUSH_SHARED:
        snprintf(buf, size, "%" PRIu64 " to shared", nr);
        return true;
    case EV_SLAB_FLUSH:
        snprintf(buf, size, "%" PRIu64 " to slabs", nr);
        return true;
    case EV_SLAB_DESTROY:
        snprintf(buf, size, "slab " PFN_FORMAT " goes", (unsigned long long)pfn);
        return true;
    default:
        return false;
    }
}

/* The way that the operation has taken so far, from array to pages. */
static void draw_path(const struct app *a, struct grid *g, struct rect r)
{
    const struct model *md = &a->model;
    char text[64];
    int x = r.x;
    for (uint64_t n = 1; a->objects.nr_lit && md->has_op && n <= md->happened; n++) {
        const struct event *ev = op_events_get(&md->view, n);
        uint64_t cache;
        if (!ev || (event_arg(ev, "cache", &cache) && cache != a->objects.cache) ||
            (ev->kind == EV_MM_PAGE_ALLOC && x == r.x) || /* for another cache */
            !step_words(ev, text, sizeof text)) {
            continue;
        }
        if (x > r.x) {
            x += 2 + grid_put(g, x + 1, r.y, a->glyphs->arrow, ST_HINT_KEY, 0);
        }
        if (x + text_width(text) + 2 > r.x + r.w) {
            grid_put(g, app_min_int(x, r.x + r.w - 1), r.y, a->glyphs->more, ST_DIM, 0);
            return;
        }
        x = grid_text(g, x, r.y, text, ST_SENTENCE, 0);
    }
    if (x == r.x && objects_touched(a) != a->objects.cache) {
        grid_text_cut(g, x, r.y, r.w, "The last operation did nothing to its objects.",
                      a->glyphs->more, ST_FAINT, 0);
    }
}

static void draw_legend(const struct app *a, struct grid *g, struct rect r)
{
    const struct glyphs *gl = a->glyphs;
    const struct {
        uint32_t ch;
        int style;
        const char *words;
    } rows[] = {{gl->bar, ST_MOVABLE, "in use"}, {'0', ST_PCP, "CPU 0's"},
                {'s', ST_PCP, "shared"},         {gl->here, ST_HINT_KEY, "array's next"},
                {gl->dot, ST_FREE, "free"},      {gl->up, ST_HINT_KEY, "slab's next"}};
    int x = r.x;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (x + 1 + text_width(rows[i].words) <= r.x + r.w) {
            x += grid_put(g, x, r.y, rows[i].ch, rows[i].style, 0);
            x = grid_text(g, x, r.y, rows[i].words, ST_DIM, 0) + 1;
        }
    }
}

static void draw_words(const struct app *a, struct grid *g, struct rect r)
{
    const uint64_t va = object_at(a);
    const struct object_view v = object_view(a->model.m, va);
    char text[300];
    if (v.state == OBJECT_NONE || !r.h) {
        return;
    }
    int x =
        grid_printf(g, r.x, r.y, ST_BRIGHT, 0, "object %u at 0x%" PRIx64, v.index, v.va);
    x = grid_text(g, x, r.y, ": ", ST_DIM, 0);
    object_state_text(text, sizeof text, &v);
    grid_text_cut(g, x, r.y, app_max_int(0, r.x + r.w - x), text, a->glyphs->more,
                  ST_NORMAL, 0);
    for (int i = 1; i < r.h; i++) {
        const bool alloc = r.h > 2 ? i == 1 : v.alloc_op >= v.free_op;
        x = grid_text(g, r.x, r.y + i, alloc ? "allocated by " : "freed by     ", ST_DIM,
                      0);
        object_op_text(text, sizeof text, a, alloc ? v.alloc_op : v.free_op);
        grid_text_cut(g, x, r.y + i, app_max_int(0, r.x + r.w - x), text, a->glyphs->more,
                      ST_NORMAL, 0);
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    struct shape sh;
    if (!shape_of(a, r.w, r.h, &sh)) {
        grid_text_cut(g, r.x, r.y, r.w, "There is no cache yet.", a->glyphs->more, ST_DIM,
                      0);
        return;
    }
    if (sh.head) {
        char text[200];
        snprintf(text, sizeof text,
                 "%u bytes each, %u a slab of order %u; %" PRIu64 " slabs, %" PRIu64
                 " in use, %" PRIu64 " in arrays, %" PRIu64 " free",
                 sh.v.size, sh.v.num, sh.v.order, sh.v.num_slabs, sh.v.in_use,
                 sh.v.in_arrays, sh.v.free_objects);
        grid_text_cut(g, r.x, r.y, r.w, text, a->glyphs->more, ST_NORMAL, 0);
    }
    for (int i = 0; i < sh.arrays; i++) {
        draw_array(a, g, (struct rect){r.x, r.y + sh.arrays_y + i, r.w, 1}, &sh,
                   a->objects.array_top + i, focused);
    }
    pane_more(a, g, (struct rect){r.x, r.y + sh.arrays_y, r.w, sh.arrays},
              a->objects.array_top, sh.nr_arrays);
    if (sh.path) {
        draw_path(a, g, (struct rect){r.x, r.y + sh.slabs_y - 1, r.w, 1});
    }
    draw_slabs(a, g, (struct rect){r.x, r.y + sh.slabs_y, r.w, sh.slabs_h}, &sh, focused);
    if (sh.legend) {
        draw_legend(a, g, (struct rect){r.x, r.y + sh.words_y - 1, r.w, 1});
    }
    draw_words(a, g, (struct rect){r.x, r.y + sh.words_y, r.w, sh.words});
}

/* ---- moving ---- */

static void aim(struct app *a)
{
    const uint64_t va = object_at(a);
    if (va) { /* where its lines would be */
        hw_focus_aim(a, va);
    }
}

static void go_array(struct app *a, int array, uint32_t entry)
{
    struct objects_state *s = &a->objects;
    s->has_cursor = s->in_array = true;
    s->array = (uint32_t)array;
    s->entry = entry;
    aim(a);
}

/* Object number i of the n-th slab; as near to that as there is one. */
static void go_object(struct app *a, const struct shape *sh, int64_t n, int64_t i)
{
    struct objects_state *s = &a->objects;
    const int64_t last = (int64_t)sh->v.num_slabs - 1;
    if (n > last || n < 0) {
        i = n < 0 ? 0 : (int64_t)sh->v.num - 1;
        n = n < 0 ? 0 : last;
    }
    const uint32_t slab = n >= 0 ? nth_slab(a, n) : 0;
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

static void begin(struct app *a, const struct shape *sh)
{
    const struct object_view o = object_view(a->model.m, a->objects.last_va);
    if (o.state && o.cache == a->objects.cache) {
        go_object(a, sh, slab_ordinal(a, o.slab), o.index);
    } else if (entry_at(a, (int)a->cpu, 0) || !sh->v.num_slabs) {
        go_array(a, (int)a->cpu, 0);
    } else {
        go_object(a, sh, 0, 0);
    }
}

/* Rows up or down: arrays, then rows of objects. */
static void move_rows(struct app *a, const struct shape *sh, int by)
{
    struct objects_state *s = &a->objects;
    const int object_rows = sh->rows - 1;
    int64_t row = s->array; /* of all arrays and all rows of objects */
    uint32_t column = s->entry;
    if (!s->in_array) {
        const struct object_view o = object_view(a->model.m, s->va);
        row = sh->nr_arrays + slab_ordinal(a, o.slab) * object_rows +
              (int)o.index / sh->per_row;
        column = o.index % (uint32_t)sh->per_row;
    }
    row = row + by < 0 ? 0 : row + by;
    if (row < sh->nr_arrays) {
        go_array(a, (int)row, s->in_array ? column : 0);
    } else {
        row -= sh->nr_arrays;
        column = s->in_array ? 0 : column;
        go_object(a, sh, row / object_rows,
                  row % object_rows * sh->per_row + (int64_t)column);
    }
}

static void move_columns(struct app *a, const struct shape *sh, int by)
{
    struct objects_state *s = &a->objects;
    if (s->in_array) {
        const int64_t to = (int64_t)s->entry + by;
        if (to >= 0 && entry_at(a, (int)s->array, (uint32_t)to)) {
            go_array(a, (int)s->array, (uint32_t)to);
        }
        return;
    }
    const struct object_view o = object_view(a->model.m, s->va);
    int64_t n = slab_ordinal(a, o.slab), i = (int64_t)o.index + by;
    if (i < 0 && n > 0) {
        n--;
        i = sh->v.num - 1;
    } else if (i >= (int64_t)sh->v.num && n + 1 < (int64_t)sh->v.num_slabs) {
        n++;
        i = 0;
    }
    go_object(a, sh, n, i);
}

static bool key(struct app *a, int k, int w, int h)
{
    struct objects_state *s = &a->objects;
    struct shape sh;
    static const int moves[] = {K_UP,        K_DOWN, K_LEFT, K_RIGHT, K_PAGE_UP,
                                K_PAGE_DOWN, 'k',    'j',    'h',     'l'};
    if (!shape_of(a, w, h, &sh)) {
        return false;
    }
    if (k == K_END) {
        s->has_cursor = false;
        return true;
    }
    if (k == K_HOME) {
        go_array(a, 0, 0);
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

static void click(struct app *a, int x, int y, int w, int h)
{
    struct objects_state *s = &a->objects;
    struct shape sh;
    if (!shape_of(a, w, h, &sh)) {
        return;
    }
    const int array = s->array_top + y - sh.arrays_y;
    if (y >= sh.arrays_y && y < sh.arrays_y + sh.arrays) {
        const uint32_t first = entries_first(a, &sh, array, w);
        const int i = app_max_int(0, x - entries_x(w)) / entry_width(a, &sh.v);
        go_array(a, array, first + (uint32_t)i);
        return;
    }
    const int64_t row = s->top + y - sh.slabs_y, in_slab = row % sh.rows;
    const uint32_t slab = y >= sh.slabs_y && y < sh.slabs_y + sh.slabs_h && in_slab > 0
                              ? nth_slab(a, row / sh.rows)
                              : 0;
    if (slab) {
        const struct slab_view v = slab_view(a->model.m, slab);
        const int column = app_max_int(0, x - sh.prefix - shift_of(&sh, &v)) / sh.cell;
        go_object(a, &sh, row / sh.rows,
                  (in_slab - 1) * sh.per_row + app_min_int(column, sh.per_row - 1));
    }
}

/* ---- the rest of a pane ---- */

static void scale(struct app *a, int by)
{
    struct objects_state *s = &a->objects;
    s->detail = app_clamp((s->detail ? s->detail : 1) - by, 1, 3);
}

static void turn(struct app *a, int by)
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

static void title(const struct app *a, char *buf, size_t size)
{
    struct cache_view v;
    if (cache_view(a->model.m, a->objects.cache, &v)) {
        snprintf(buf, size, "%s", v.name);
    }
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const struct object_view v = object_view(a->model.m, object_at(a));
    if (!a->objects.has_cursor || v.state == OBJECT_NONE) {
        return false;
    }
    const struct slab_view s = slab_view(a->model.m, v.slab);
    struct cache_view c;
    cache_view(a->model.m, v.cache, &c);
    const uint64_t colour = (uint64_t)s.colour * c.colour_off;
    *p = s.pfn + ((colour + (v.va - s.s_mem)) >> PAGE_SHIFT);
    return true;
}

static char *details(struct app *a, char *name, size_t size)
{
    const uint64_t va = object_at(a);
    return va ? object_details(a, va, name, size)
              : cache_details(a, a->objects.cache, name, size);
}

/* An address, or a cache's name. */
static bool find(struct app *a, const char *text)
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

static bool changed(const struct app *a)
{
    return a->model.step_low <= a->model.step_high &&
           objects_touched(a) == a->objects.cache && a->objects.cache;
}

const struct pane_kind pane_slabs = {
    .name = "Slabs",
    .short_name = "Slabs",
    .about =
        "One cache down to the object: each CPU's array and the shared one, what goes "
        "out next first; then its slabs, a cell an object, moved to the right by "
        "their colour. + and - show numbers and addresses, [ and ] another cache, Enter "
        "an object's bytes and history.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .find = find,
    .scale = scale,
    .turn = turn,
    .columns = true,
};
