/* One cache of objects: where each of its objects is.
 *
 *   256 bytes, 16 a slab ...                                what it is
 *   137 kmalloc(256): freelist hit > object 3 of 0x1809     the last operation's way
 *   CPU 0   0x1809 5   >3 4 5 6 7                           what goes out next first
 *           2 of 6 partial: 0x180b 9 free, 0x180a 3 free
 *   slab 0x1809 CPU 0's: 11 in use, 5 on its freelist
 *   c1809000  # # # > 0 0 0 0 # # #                         its objects, number 0 first
 *   # in use  0 on CPU 0's freelist ...                     glyphs
 *   object 3 at 0xc1809300: free, ...                       under the cursor
 *
 * With SLAB a CPU's row has the objects in its array as PAGE.NUMBER, and the shared array
 * follows; a slab's colour moves its objects to the right, as far as it moves them in
 * memory against the other colours. A bar stands before the first object of a further
 * page. A slab's freelist stands behind its counts, what goes out next first.
 *
 * Left out: objects beyond number 4095 of a slab.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hw_focus.h"
#include "object_path.h"
#include "objects.h"
#include "pane.h"
#include "slabs.h"

/* ---- objects ---- */

static uint32_t place_glyph(const struct app *a, const struct object_place *p, int *style)
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
                         const struct slabs_shape *sh, const struct slab_view *v, int row,
                         const struct object_place *places, bool focused)
{
    const struct objects_state *s = &a->objects;
    const uint32_t first = (uint32_t)(row * sh->per_row), size = sh->v.size;
    int x = r.x + sh->prefix;
    if (sh->prefix) {
        grid_printf(g, r.x, r.y, ST_DIM, 0, "%0*llx", hw_va_digits(a),
                    (unsigned long long)(v->s_mem + (uint64_t)first * size));
    }
    const int shift = slabs_shift(sh, v);
    if (!row) {
        grid_hline(g, x, r.y, shift, a->glyphs->hline, ST_RESERVED);
    }
    x += shift;
    for (uint32_t i = first;
         i < v->num && i < first + (uint32_t)sh->per_row && i < SLABS_MAX_OBJECTS; i++) {
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

/* Whose a slab is, or on which list. */
static int slab_whose(const struct app *a, const struct slab_view *v, uint32_t slab,
                      bool narrow, char *buf, size_t size)
{
    const char *frozen = narrow ? "" : ", frozen";
    static const char *const kinds[NR_SLAB_LISTS] = {"", "partial", "full", "free"};
    if (slab == a->objects.moving) {
        snprintf(buf, size, "on no list just now");
        return ST_WARN;
    }
    if (v->cpu != UINT32_MAX) {
        v->place ? snprintf(buf, size, "CPU %u's partial %u%s", v->cpu, v->place, frozen)
                 : snprintf(buf, size, "CPU %u's%s", v->cpu, frozen);
        return ST_HINT_KEY;
    }
    snprintf(buf, size, "%s%s",
             a->model.m->config.slub && v->list == SLABS_PARTIAL ? "node's " : "",
             kinds[v->list]);
    return v->list == SLABS_FREE      ? ST_FREE
           : v->list == SLABS_PARTIAL ? ST_PCP
                                      : ST_MOVABLE;
}

/* The numbers of its free objects, what goes out next first. */
static void draw_freelist(const struct app *a, struct grid *g, struct rect r, int x,
                          uint32_t slab)
{
    enum { MOST = 64 };
    uint32_t numbers[MOST];
    const uint32_t nr = slab_freelist(a->model.m, slab, numbers, MOST);
    char text[16];
    if (!nr || x + 12 > r.x + r.w) {
        return;
    }
    x += 1 + grid_put(g, x + 1, r.y, a->glyphs->up, ST_HINT_KEY, 0);
    for (uint32_t i = 0; i < nr; i++) {
        snprintf(text, sizeof text, "%u", numbers[i]);
        if (x + text_width(text) + (i + 1 < nr ? 3 : 0) > r.x + r.w) {
            grid_put(g, x, r.y, a->glyphs->more, ST_DIM, 0);
            return;
        }
        x = grid_text(g, x, r.y, text, i ? ST_FREE : ST_BRIGHT, 0) + 1;
    }
}

static void draw_slab_head(const struct app *a, struct grid *g, struct rect r,
                           const struct slabs_shape *sh, const struct slab_view *v,
                           uint32_t slab, const struct object_place *places)
{
    const int marks = model_pfn_changed(&a->model, v->pfn, v->order) ? MARK_CHANGED : 0;
    char text[200], colour[64] = "", stored[64] = "";
    uint32_t kept = 0, free = 0;
    for (uint32_t i = 0; i < v->num && i < SLABS_MAX_OBJECTS; i++) {
        kept += places[i].state == OBJECT_IN_ARRAY;
        free += places[i].state == OBJECT_FREE;
    }
    int x = grid_text(g, r.x, r.y, r.w < 56 ? "" : "slab ", ST_DIM, 0);
    x = grid_printf(g, x, r.y, ST_BRIGHT, marks, PFN_FORMAT, (unsigned long long)v->pfn);
    if (v->order && r.w >= 56) {
        x = grid_printf(g, x, r.y, ST_DIM, 0, "-%llx",
                        (unsigned long long)(v->pfn + (UINT64_C(1) << v->order) - 1));
    }
    const int style = slab_whose(a, v, slab, r.w < 56, text, sizeof text);
    x = slabs_text(a, g, r, x + 1, text, style, 0);
    if (sh->v.colour > 1) {
        snprintf(colour, sizeof colour, ", colour %u: +%u", v->colour,
                 v->colour * sh->v.colour_off);
    }
    if (kept) {
        snprintf(stored, sizeof stored, ", %u %s", kept,
                 r.w < 56   ? "kept"
                 : sh->slub ? "on the CPU's freelist"
                            : "in arrays");
    }
    snprintf(text, sizeof text,
             r.w < 56 ? ": %u used%s%s, %u free" : ": %u in use%s%s, %u free", v->in_use,
             stored, colour, free);
    x = slabs_text(a, g, r, x, text, ST_NORMAL, 0);
    draw_freelist(a, g, r, x, slab);
}

static void draw_slabs(const struct app *a, struct grid *g, struct rect r,
                       const struct slabs_shape *sh, bool focused)
{
    const int64_t top = a->objects.top;
    struct object_place places[SLABS_MAX_OBJECTS];
    uint32_t slab = slabs_nth(a, top / sh->rows);
    int row = (int)(top % sh->rows), y = 0;
    if (!slab && r.h) {
        grid_text(g, r.x, r.y, "It has no slab.", ST_DIM, 0);
    }
    for (; slab && y < r.h; slab = slabs_after(a, slab)) {
        const struct slab_view v = slab_view(a->model.m, slab);
        slabs_places(a, &v, slab, sh->v.size, places);
        for (; row < sh->rows && y < r.h; row++, y++) {
            const struct rect line = {r.x, r.y + y, r.w - (y == 0 || y == r.h - 1), 1};
            row ? draw_objects(a, g, line, sh, &v, row - 1, places, focused)
                : draw_slab_head(a, g, line, sh, &v, slab, places);
        }
        row = 0;
    }
    const int64_t nr = sh->nr_slabs * sh->rows;
    pane_more(a, g, r, top > 0, top + r.h < nr ? r.h + 1 + (top > 0) : r.h);
}

/* ---- stores ---- */

/* How many move at a time (that field of the shared array has no meaning), and whether
 * it was used since it was last reaped. */
static void draw_array_rest(struct grid *g, int x, struct rect r,
                            const struct store_view *v)
{
    char text[64];
    if (v->cpu == UINT32_MAX) {
        snprintf(text, sizeof text, "%s", v->touched ? ", touched" : "");
    } else {
        snprintf(text, sizeof text, ", batch %u%s", v->batchcount,
                 v->touched ? ", touched" : "");
    }
    if (x + text_width(text) <= r.x + r.w) {
        grid_text(g, x, r.y, text, ST_DIM, 0);
    }
}

/* SLUB: slabs for later, from one on, behind the words on how many there are. */
static void draw_partial(const struct app *a, struct grid *g, struct rect r, int x,
                         const char *words, uint32_t slab)
{
    char text[64];
    x = slabs_text(a, g, r, x, words, slab ? ST_DIM : ST_FAINT, 0);
    for (; slab; slab = slabs_next(a->model.m, slab)) {
        const struct slab_view s = slab_view(a->model.m, slab);
        snprintf(text, sizeof text, " " PFN_FORMAT " %u free", (unsigned long long)s.pfn,
                 s.num - s.active);
        if (x + text_width(text) + 2 > r.x + r.w) {
            grid_put(g, x + 1, r.y, a->glyphs->more, ST_DIM, 0);
            return;
        }
        x = grid_text(g, x, r.y, text, s.frozen ? ST_HINT_KEY : ST_PCP,
                      model_pfn_changed(&a->model, s.pfn, s.order) ? MARK_CHANGED : 0);
    }
}

static void draw_node(const struct app *a, struct grid *g, struct rect r,
                      const struct slabs_shape *sh)
{
    char words[80];
    snprintf(words, sizeof words, "%u partial (min_partial %u)%s", sh->v.nr_partial,
             sh->v.min_partial, sh->v.nr_partial ? ":" : "");
    grid_text(g, r.x, r.y, "node", ST_DIM, 0);
    draw_partial(a, g, r, r.x + 7, words,
                 slabs_first(a->model.m, a->objects.cache, SLABS_PARTIAL));
}

/* The page of the slab that a CPU has, and on the second row what it keeps. */
static void draw_cpu_slab(const struct app *a, struct grid *g, struct rect r,
                          const struct slabs_shape *sh, const struct store_view *v)
{
    if (sh->store_rows > 1) {
        char words[80] = "no partial slabs";
        if (v->nr_partial) {
            snprintf(words, sizeof words, "%u partial, frozen (most %u):", v->nr_partial,
                     sh->v.cpu_partial_slabs);
        }
        draw_partial(a, g, (struct rect){r.x, r.y + 1, r.w, 1}, r.x + 7, words,
                     v->partial);
    }
    if (!v->slab) {
        grid_text(g, r.x + 7, r.y, "no slab", ST_FAINT, 0);
        return; /* with debugging never one */
    }
    const struct slab_view s = slab_view(a->model.m, v->slab);
    grid_printf(g, r.x + 7, r.y, ST_NORMAL,
                model_pfn_changed(&a->model, s.pfn, s.order) ? MARK_CHANGED : 0,
                PFN_FORMAT, (unsigned long long)s.pfn);
}

static void draw_store(const struct app *a, struct grid *g, struct rect r,
                       const struct slabs_shape *sh, int store, bool focused)
{
    enum { MOST = 256 };
    const struct objects_state *s = &a->objects;
    const int num_digits = slabs_digits(sh->v.num ? sh->v.num - 1 : 0, 10);
    const bool row = s->has_cursor && s->in_array && (int)s->array == store && focused;
    uint64_t entries[MOST];
    struct store_view v;
    if (!store_view(a, store, &v)) {
        grid_printf(g, r.x, r.y, ST_FAINT, 0, "CPU %d  has nothing of it yet", store);
        return;
    }
    v.cpu == UINT32_MAX ? grid_text(g, r.x, r.y, "shared", ST_DIM, 0)
                        : grid_printf(g, r.x, r.y, ST_DIM, 0, "CPU %u", v.cpu);
    if (sh->slub) {
        draw_cpu_slab(a, g, r, sh, &v);
    } else {
        grid_printf(g, r.x + 7, r.y, ST_NORMAL, row && !v.avail ? MARK_SELECTED : 0,
                    "%u/%u", v.avail, v.limit);
    }
    int x = r.x + store_entries_x(r.w);
    const uint32_t first = store_first(a, sh, store, r.w);
    const int width = store_entry_width(a, sh);
    if (!v.avail) {
        x = grid_text(g, x, r.y,
                      !sh->slub                                      ? "empty"
                      : objects_debugs(a->model.m, a->objects.cache) ? "debugging: none"
                                                                     : "freelist empty",
                      ST_FAINT, row && sh->slub ? MARK_SELECTED : 0);
        if (!sh->slub) {
            draw_array_rest(g, x, r, &v);
        }
        return;
    }
    grid_put(g, x - 1, r.y, first ? a->glyphs->back : a->glyphs->here, ST_HINT_KEY, 0);
    const uint32_t nr = store_entries(a, store, first, entries, MOST);
    uint32_t i = 0;
    for (; i < nr && x + width < r.x + r.w; i++, x += width) {
        const struct object_view o = object_view(a->model.m, entries[i]);
        const uint64_t pfn = o.slab ? slab_r(a->model.m, o.slab)->pfn : 0;
        const int marks =
            (objects_is_lit(a, entries[i], pfn, o.index) ? MARK_CHANGED : 0) |
            (row && s->entry == first + i ? MARK_SELECTED : 0);
        const int style = first + i ? ST_PCP : ST_BRIGHT;
        if (!sh->slub) {
            grid_printf(g, x, r.y, style, marks, "%llx.%-*u", (unsigned long long)pfn,
                        num_digits, o.index);
            continue;
        }
        int end = grid_printf(g, x, r.y, style, marks, "%*u", num_digits, o.index);
        if (sh->detail == 3) {
            end = grid_printf(g, end, r.y, style, marks, ":%0*llx", hw_va_digits(a),
                              (unsigned long long)entries[i]);
        }
        if (first + i + 1 < v.avail) {
            grid_put(g, end, r.y, a->glyphs->arrow, ST_FAINT, 0);
        }
    }
    if (first + i < v.avail) {
        grid_put(g, app_min_int(x, r.x + r.w - 1), r.y, a->glyphs->more, ST_DIM, 0);
    } else if (!sh->slub) {
        draw_array_rest(g, x - 1, r, &v);
    } else if (x + 12 < r.x + r.w) {
        grid_printf(g, x + 1, r.y, ST_DIM, 0, "%u of %u", v.avail, sh->v.num);
    }
}

/* ---- words ---- */

static void draw_head(const struct app *a, struct grid *g, struct rect r,
                      const struct slabs_shape *sh)
{
    const struct cache_view *v = &sh->v;
    char text[240];
    snprintf(text, sizeof text,
             "%" PRIu64 " slab%s of %u x %u bytes: %" PRIu64 " in use, %" PRIu64
             "%s, %" PRIu64 " free",
             v->num_slabs, v->num_slabs == 1 ? "" : "s", v->num, v->size, v->in_use,
             v->in_arrays,
             r.w < 56   ? " kept"
             : sh->slub ? " with CPUs"
                        : " in arrays",
             v->free_objects);
    grid_text_cut(g, r.x, r.y, r.w, text, a->glyphs->more, ST_NORMAL, 0);
}

static void draw_legend(const struct app *a, struct grid *g, struct rect r, bool slub)
{
    const struct glyphs *gl = a->glyphs;
    const struct {
        uint32_t ch;
        int style;
        const char *words;
    } rows[] = {{gl->bar, ST_MOVABLE, " in use"},
                {'0', ST_PCP, slub ? " CPU 0's freelist" : " CPU 0's array"},
                {slub ? 0 : 's', ST_PCP, " shared"},
                {gl->here, ST_HINT_KEY, slub ? " its next" : " array's next"},
                {gl->dot, ST_FREE, " free"},
                {gl->up, ST_HINT_KEY, " slab's next"}};
    int x = r.x;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].ch && x + 1 + text_width(rows[i].words) <= r.x + r.w) {
            x += grid_put(g, x, r.y, rows[i].ch, rows[i].style, 0);
            x = grid_text(g, x, r.y, rows[i].words, ST_DIM, 0) + 1;
        }
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct objects_state *s = &a->objects;
    struct slabs_shape sh;
    if (!slabs_shape(a, r.w, r.h, &sh)) {
        grid_text_cut(g, r.x, r.y, r.w, "There is no cache yet.", a->glyphs->more, ST_DIM,
                      0);
        return;
    }
    if (sh.head) {
        draw_head(a, g, r, &sh);
    }
    if (sh.path_rows) {
        object_path_draw(a, g, (struct rect){r.x, r.y + sh.path_y, r.w, sh.path_rows});
    }
    for (int i = 0; i < sh.stores; i++) {
        const struct rect row = {r.x, r.y + sh.stores_y + i * sh.store_rows, r.w - 1,
                                 sh.store_rows};
        draw_store(a, g, row, &sh, s->array_top + i, focused);
    }
    if (sh.node) {
        draw_node(a, g, (struct rect){r.x, r.y + sh.slabs_y - 1, r.w, 1}, &sh);
    }
    pane_more(a, g, (struct rect){r.x, r.y + sh.stores_y, r.w, sh.stores * sh.store_rows},
              s->array_top, sh.nr_stores + sh.stores * (sh.store_rows - 1));
    draw_slabs(a, g, (struct rect){r.x, r.y + sh.slabs_y, r.w, sh.slabs_h}, &sh, focused);
    if (sh.legend) {
        draw_legend(a, g, (struct rect){r.x, r.y + sh.words_y - 1, r.w, 1}, sh.slub);
    }
    slabs_words(a, g, (struct rect){r.x, r.y + sh.words_y, r.w, sh.words});
}

/* ---- the rest of a pane ---- */

static void scale(struct app *a, int by)
{
    struct objects_state *s = &a->objects;
    s->detail = app_clamp((s->detail ? s->detail : 1) - by, 1, 3);
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
    const struct object_view v = object_view(a->model.m, slabs_object(a));
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
    const uint64_t va = a->objects.has_cursor ? slabs_object(a) : 0;
    return va ? object_details(a, va, name, size)
              : cache_details(a, a->objects.cache, name, size);
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
        "One cache down to the object: the way that the last operation took, as far as "
        "it "
        "has come; each CPU's array and the shared one, or with SLUB each CPU's freelist "
        "and partial slabs and the node's, what goes out next first; then its slabs, a "
        "cell an object, moved to the right by their colour. The arrows choose an "
        "object: "
        "its page and its cache lines light up, Enter tells its bytes and who had it "
        "(without one: the cache's geometry), why and history what happened to it, w "
        "watches it. + and - show numbers and "
        "addresses, [ and ] another cache.",
    .title = title,
    .fit = slabs_fit,
    .draw = draw,
    .key = slabs_key,
    .click = slabs_click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .find = slabs_find,
    .scale = scale,
    .turn = slabs_turn,
    .columns = true,
    .turn_hint = "other cache",
};
