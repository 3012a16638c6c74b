/* What the object under the cursor is, in a few rows (slabs.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "hw_focus.h"
#include "objects.h"
#include "slabs.h"

int slabs_text(const struct app *a, struct grid *g, struct rect r, int x,
               const char *text, int style, int marks)
{
    return x < r.x + r.w ? grid_text_cut(g, x, r.y, r.x + r.w - x, text, a->glyphs->more,
                                         style, marks)
                         : x;
}

/* Its first bytes; with SLUB a free one has the next one's address among them. */
static void draw_bytes(const struct app *a, struct grid *g, struct rect r,
                       const struct object_view *v)
{
    unsigned char bytes[64];
    struct cache_view c;
    cache_view(a->model.m, v->cache, &c);
    const size_t want = c.size < sizeof bytes ? c.size : sizeof bytes;
    const size_t n = hw_read_virt(a->model.m, a->cpu, v->va, false, bytes, NULL, want);
    const uint32_t word = object_word(a->model.m);
    const bool chained = c.min_num && v->state != OBJECT_IN_USE;
    uint64_t next;
    int x = r.x;
    if (chained && object_next(a->model.m, v, &next)) {
        x = grid_printf(g, x, r.y, ST_DIM, 0, "at +%u ", c.offset);
        x = next ? grid_printf(g, x, r.y, ST_POINTER, 0, "next 0x%" PRIx64, next)
                 : grid_text(g, x, r.y, "0, it is the last", ST_POINTER, 0);
        x = grid_text(g, x, r.y, "; bytes ", ST_DIM, 0);
    } else {
        x = grid_text(g, x, r.y, "bytes        ", ST_DIM, 0);
    }
    size_t i = 0;
    for (; i < n && x + 3 <= r.x + r.w; i++) {
        const bool link = chained && i >= c.offset && i < c.offset + word;
        x = grid_printf(g, x, r.y, link ? ST_POINTER : ST_NORMAL, 0, "%02x", bytes[i]);
        x += (i & 3) == 3 ? 2 : 1;
    }
    if (i < c.size && x < r.x + r.w) {
        grid_put(g, x - 1, r.y, a->glyphs->more, ST_DIM, 0);
    }
}

/* Which of its lines the shown CPU's caches hold. */
static void draw_lines(const struct app *a, struct grid *g, struct rect r,
                       const struct object_view *v)
{
    static const enum hw_part parts[] = {PART_L1D, PART_L2};
    struct object_lines l;
    int x = grid_text(g, r.x, r.y, "cache lines  ", ST_DIM, 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[80], where[32] = "";
        if (!object_lines(a, v->va, parts[i], &l)) {
            continue;
        }
        if (l.held) {
            snprintf(where, sizeof where, " (set %u%s)", l.first_set,
                     l.held > 1 ? " and on" : "");
        }
        snprintf(text, sizeof text, "%s%s has %u of %u%s", i ? ", " : "",
                 hw_part_title(parts[i]), l.held, l.all, where);
        x = slabs_text(a, g, r, x, text, l.held ? ST_LINE_CLEAN : ST_FAINT, 0);
    }
}

void slabs_words(const struct app *a, struct grid *g, struct rect r)
{
    const uint64_t va = slabs_object(a);
    const struct object_view v = object_view(a->model.m, va);
    char text[300];
    if (!r.h) {
        return;
    }
    if (v.state == OBJECT_NONE) {
        slabs_text(a, g, r, r.x, "Arrows choose an object: whose it is, and who had it.",
                   ST_FAINT, 0);
        return;
    }
    int x =
        grid_printf(g, r.x, r.y, ST_BRIGHT, 0, "object %u at 0x%" PRIx64, v.index, v.va);
    x = grid_text(g, x, r.y, ": ", ST_DIM, 0);
    object_state_text(text, sizeof text, a, &v);
    slabs_text(a, g, r, x, text, ST_NORMAL, 0);
    for (int i = 1; i < r.h; i++) {
        const struct rect line = {r.x, r.y + i, r.w, 1};
        if (i > 2) {
            i == 3 ? draw_bytes(a, g, line, &v) : draw_lines(a, g, line, &v);
            continue;
        }
        const bool alloc = r.h > 2 ? i == 1 : v.alloc_op >= v.free_op;
        x = grid_text(g, line.x, line.y, alloc ? "allocated by " : "freed by     ",
                      ST_DIM, 0);
        object_op_text(text, sizeof text, a, alloc ? v.alloc_op : v.free_op);
        slabs_text(a, g, line, x, text, ST_NORMAL, 0);
    }
}
