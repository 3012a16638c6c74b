/* Paging-structure caches and write-combining buffers (hw_buffers.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw_buffers.h"

#include "hw_focus.h"

enum { LEAST_ROWS = 8 }; /* that the sets and what is above them keep */

/* ---- paging-structure caches ---- */

static const char *level_name(const struct app *a, uint32_t level)
{
    static const char *const names[] = {
        [2] = "PD", [3] = "PDPT", [4] = "PML4", [5] = "PML5"};
    return a->model.m->config.arch == ARCH_I386 ? "PD" : names[level];
}

int hw_psc_rows(const struct app *a, int h)
{
    int rows = 0;
    for (uint32_t level = 2; level <= MMU_MAX_LEVELS; level++) {
        rows += hw_psc_ways(a->model.m, a->cpu, level) != 0;
    }
    return h >= LEAST_ROWS + rows ? rows : 0;
}

/* Youngest first. */
static struct psc_view by_age(const struct app *a, uint32_t level, uint32_t age)
{
    struct psc_view v = {0};
    for (uint32_t way = 0; way < hw_psc_ways(a->model.m, a->cpu, level); way++) {
        v = hw_psc_entry(a->model.m, a->cpu, level, way);
        if (v.valid && v.age == age) {
            return v;
        }
    }
    return (struct psc_view){0};
}

/* What the step that the screen stands at asked of this level, or entered. */
static bool is_lit(const struct app *a, uint32_t level, const struct psc_view *v)
{
    const struct event *ev = op_events_get(&a->model.view, a->model.happened);
    uint64_t of = 0, va = 0;
    return ev && (ev->kind == EV_PSC_PROBE || ev->kind == EV_PSC_FILL) &&
           event_arg_named(ev, "level", &of) && of == level &&
           event_arg_named(ev, "va", &va) && v->valid &&
           va >> v->shift == v->va >> v->shift;
}

static void draw_level(const struct app *a, uint32_t level, struct grid *g, struct rect r)
{
    const uint32_t ways = hw_psc_ways(a->model.m, a->cpu, level);
    const int digits = hw_va_digits(a), pa = hw_pa_digits(a), cell = digits + 1 + pa + 2;
    uint32_t used = 0;
    for (uint32_t way = 0; way < ways; way++) {
        used += hw_psc_entry(a->model.m, a->cpu, level, way).valid;
    }
    int x = grid_printf(g, r.x, r.y, ST_TITLE, 0, "%-5s", level_name(a, level));
    x = grid_printf(g, x, r.y, ST_DIM, 0, "%u of %u  ", used, ways);
    for (uint32_t age = 0; age < ways; age++) {
        const struct psc_view v = by_age(a, level, age);
        const int marks = is_lit(a, level, &v) ? MARK_CHANGED : 0;
        if (x + cell > r.x + r.w) {
            grid_put(g, r.x + r.w - 1, r.y, a->glyphs->more, ST_DIM, 0);
            return;
        }
        if (v.valid) {
            x = grid_printf(g, x, r.y, ST_LINE_CLEAN, marks, "%0*llx", digits,
                            (unsigned long long)v.va);
            x += grid_put(g, x, r.y, a->glyphs->arrow, ST_FAINT, 0);
            x = grid_printf(g, x, r.y, ST_NORMAL, marks, "%0*llx", pa,
                            (unsigned long long)v.table) +
                2;
        }
    }
}

void hw_draw_psc(const struct app *a, struct grid *g, struct rect r)
{
    int y = r.y;
    for (uint32_t level = MMU_MAX_LEVELS; level >= 2; level--) {
        if (hw_psc_ways(a->model.m, a->cpu, level)) {
            draw_level(a, level, g, (struct rect){r.x, y++, r.w, 1});
        }
    }
}

/* ---- write-combining buffers ---- */

int hw_wc_rows(const struct app *a, int h)
{
    const struct memsys *ms = shown_cpu(a);
    const bool some = ms && ms->config.wc_buffers && ms->s->n.wc_stores;
    return some && h >= LEAST_ROWS + (int)ms->config.wc_buffers
               ? (int)ms->config.wc_buffers
               : 0;
}

static uint32_t bytes_in(uint64_t mask)
{
    uint32_t n = 0;
    for (; mask; mask &= mask - 1) {
        n++;
    }
    return n;
}

static void draw_buffer(const struct app *a, const struct wc_buffer *b, bool next,
                        struct grid *g, int x, int y, int w)
{
    const int digits = hw_pa_digits(a), end = x + w;
    if (next) {
        grid_put(g, x, y, a->glyphs->arrow, ST_WARN, 0);
    }
    x++;
    if (!b->mask) {
        grid_text_cut(g, x, y, end - x, "empty", 0, ST_FAINT, 0);
        return;
    }
    x = grid_printf(g, x, y, ST_LINE_DIRTY, 0, "%0*llx ", digits,
                    (unsigned long long)b->line);
    /* a cell for as many bytes as it takes */
    int each = 1;
    while (x + WC_BYTES / each + 10 > end && each < 16) {
        each *= 2;
    }
    for (int i = 0; i < WC_BYTES && x < end; i += each) {
        const uint64_t part = b->mask >> i & (((uint64_t)1 << each) - 1);
        const bool all = part == ((uint64_t)1 << each) - 1;
        x += grid_put(g, x, y,
                      !part ? a->glyphs->dot
                      : all ? a->glyphs->level8
                            : a->glyphs->level4,
                      part ? ST_LINE_DIRTY : ST_FAINT, 0);
    }
    if (x + 10 <= end) {
        grid_printf(g, x + 1, y, ST_DIM, 0, "%u of %u", bytes_in(b->mask), WC_BYTES);
    }
}

void hw_draw_wc(const struct app *a, struct grid *g, struct rect r)
{
    const struct memsys *ms = shown_cpu(a);
    for (uint32_t i = 0; i < ms->config.wc_buffers; i++) {
        const int y = r.y + (int)i;
        const int x = grid_printf(g, r.x, y, ST_TITLE, 0, "wc %u ", i);
        draw_buffer(a, &ms->s->wc[i], i == ms->s->wc_next, g, x, y, r.w - (x - r.x));
    }
}
