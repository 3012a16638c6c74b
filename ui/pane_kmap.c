/* The windows that single pages are mapped into: the persistent ones of kmap that all
 * CPUs share, and each CPU's of kmap_local_page and kmap_atomic.
 *
 *   persistent: 1024 at 0xff800000, 2 in use, 1 to be flushed, last 3
 *      0  .21.....    pkmap_count: . free, 1 mapped without a user, n: n - 1 users
 *   slot 1 at 0xff801000: page 0x3f801, pkmap_count 2: 1 user
 *   asleep until a slot is free: page 0x3f805 on CPU 0
 *   CPU 0  KK......   a stack: 0xfffb9000 page 0x3f802 on top
 *
 * Without a cursor the slot in words is the one that the last event was about, else the
 * last one that kmap looked at.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "hw_focus.h"
#include "pane.h"
#include "space_map.h"

enum { LABEL = 7 };

static int nr_pkmaps(const struct app *a) { return (int)space_nr_pkmaps(a->model.m); }
static int nr_locals(const struct app *a) { return (int)space_nr_kmap_slots(a->model.m); }
static int nr_slots(const struct app *a)
{
    return nr_pkmaps(a) + nr_locals(a) * (int)machine_nr_cpus(a->model.m);
}

/* A slot by its number, the CPUs' behind the persistent ones. */
struct window {
    bool local, mapped, used, last;
    uint32_t cpu, slot, count;
    uint64_t va, frame;
};

static struct window window(const struct app *a, int n)
{
    const struct machine *m = a->model.m;
    struct window w = {.frame = PFN_NONE};
    if (n < nr_pkmaps(a)) {
        const struct pkmap_view v = space_pkmap(m, (uint32_t)n);
        return (struct window){.mapped = v.count > 0,
                               .used = v.count > 1,
                               .last = v.last,
                               .slot = (uint32_t)n,
                               .count = v.count,
                               .va = v.va,
                               .frame = v.frame};
    }
    n -= nr_pkmaps(a);
    w.local = true;
    w.cpu = (uint32_t)(n / app_max_int(1, nr_locals(a)));
    w.slot = (uint32_t)(n % app_max_int(1, nr_locals(a)));
    const struct kmap_slot_view v = space_kmap_slot(m, w.cpu, w.slot);
    w.va = v.va;
    w.frame = v.frame;
    w.mapped = v.mapped;
    w.used = v.used;
    return w;
}

/* The slot at an address; -1: none. */
static int slot_at(const struct app *a, uint64_t va)
{
    const struct kspace *k = &a->model.m->vm->kspace;
    const uint64_t page = va & ~(uint64_t)(PAGE_SIZE - 1);
    if (page >= k->pkmap_base && page - k->pkmap_base < (uint64_t)nr_pkmaps(a)
                                                            << PAGE_SHIFT) {
        return (int)((page - k->pkmap_base) >> PAGE_SHIFT);
    }
    for (int i = nr_pkmaps(a); i < nr_slots(a); i++) {
        if (window(a, i).va == page) {
            return i;
        }
    }
    return -1;
}

static int touched(const struct app *a)
{
    uint64_t first, last;
    return space_lit(a, &first, &last) ? slot_at(a, first) : -1;
}

/* ---- geometry ---- */

/* Rows of the CPUs' slots, and of the persistent ones between the words. */
static int cpu_rows(const struct app *a, int h)
{
    return app_clamp((int)machine_nr_cpus(a->model.m), 1, app_max_int(1, h / 3));
}
static int pkmap_rows(const struct app *a, int h)
{
    return app_max_int(1, h - 2 - cpu_rows(a, h) -
                              (space_nr_pkmap_sleepers(a->model.m) > 0));
}

static void fit(struct app *a, int w, int h)
{
    struct windows_state *s = &a->hw.windows;
    const int rows = pkmap_rows(a, h);
    s->per_row = app_clamp((w - LABEL) / 16, 1, 16) * 16;
    if (!nr_pkmaps(a)) {
        return;
    }
    s->touched = touched(a);
    if (!s->has_cursor) {
        s->at = s->touched;
        for (int i = 0; s->at < 0 && i < nr_pkmaps(a); i++) {
            s->at = space_pkmap(a->model.m, (uint32_t)i).last ? i : -1;
        }
    }
    s->at = app_clamp(s->at, 0, nr_slots(a) - 1);
    const int all = (nr_pkmaps(a) + s->per_row - 1) / s->per_row;
    if (s->at < nr_pkmaps(a)) {
        const int row = s->at / s->per_row;
        s->top = row < s->top ? row : row >= s->top + rows ? row - rows + 1 : s->top;
    }
    s->top = app_clamp(s->top, 0, app_max_int(0, all - rows));
}

/* ---- drawing ---- */

static void draw_slot(const struct app *a, struct grid *g, int x, int y, int n,
                      bool focused)
{
    const struct windows_state *s = &a->hw.windows;
    const struct window w = window(a, n);
    const int marks = (s->touched == n ? MARK_CHANGED : 0) |
                      (focused && s->has_cursor && s->at == n ? MARK_SELECTED : 0) |
                      (w.last ? MARK_LINE : 0);
    uint32_t ch = a->glyphs->dot;
    int style = ST_FREE;
    if (w.local) {
        /* mapped without a place on the stack: a typed slot, or one that was forgotten */
        ch = w.used ? (w.mapped ? 'K' : '?') : w.mapped ? 'm' : ch;
        style = w.used ? ST_MOVABLE_TILE : w.mapped ? ST_WARN : style;
    } else if (w.count) {
        ch = w.count < 10 ? '0' + w.count : '+';
        style = w.used ? ST_MOVABLE_TILE : ST_WARN;
    }
    grid_put(g, x, y, ch, style, marks);
}

static void draw_head(const struct app *a, struct grid *g, struct rect r)
{
    const struct machine *m = a->model.m;
    unsigned used = 0, idle = 0, last = 0;
    char text[160];
    for (uint32_t i = 0; i < space_nr_pkmaps(m); i++) {
        const struct pkmap_view v = space_pkmap(m, i);
        used += v.count > 1;
        idle += v.count == 1;
        last = v.last ? i : last;
    }
    snprintf(text, sizeof text,
             "kmap: %u slots, %u in use, %u to be flushed, last_pkmap_nr %u",
             space_nr_pkmaps(m), used, idle, last);
    grid_text_cut(g, r.x, r.y, r.w, text, a->glyphs->more, ST_NORMAL, 0);
}

static void draw_words(const struct app *a, struct grid *g, struct rect r)
{
    const struct window w = window(a, a->hw.windows.at);
    char text[200];
    int n = w.local ? snprintf(text, sizeof text, "CPU %u slot %u at %#llx: ", w.cpu,
                               w.slot, (unsigned long long)w.va)
                    : snprintf(text, sizeof text, "slot %u at %#llx: ", w.slot,
                               (unsigned long long)w.va);
    n += w.mapped ? snprintf(text + n, sizeof text - (size_t)n, "page " PFN_FORMAT,
                             (unsigned long long)w.frame)
                  : snprintf(text + n, sizeof text - (size_t)n, "free");
    if (!w.local && w.mapped) {
        snprintf(text + n, sizeof text - (size_t)n, ", pkmap_count %u: %s", w.count,
                 w.count == 1   ? "no user, but TLBs may have it"
                 : w.count == 2 ? "one user"
                                : "several users");
    } else if (w.local && w.mapped) {
        snprintf(text + n, sizeof text - (size_t)n, "%s",
                 w.used ? ", for this task on this CPU only"
                        : ", not on the task's stack");
    }
    grid_text_cut(g, r.x, r.y, r.w, text, a->glyphs->more, ST_BRIGHT, 0);
}

static void draw_sleepers(const struct app *a, struct grid *g, struct rect r)
{
    const struct machine *m = a->model.m;
    const uint32_t nr = space_nr_pkmap_sleepers(m);
    int x = grid_printf(g, r.x, r.y, ST_BAD, 0, "asleep");
    for (uint32_t i = 0; i < nr && x < r.x + r.w; i++) {
        char text[64];
        uint32_t cpu = 0;
        const uint64_t frame = space_pkmap_sleeper(m, i, &cpu);
        snprintf(text, sizeof text, "%s page " PFN_FORMAT " (CPU %u)", i ? "," : ":",
                 (unsigned long long)frame, cpu);
        grid_text_cut(g, x, r.y, r.x + r.w - x, text, a->glyphs->more, ST_NORMAL, 0);
        x += text_width(text);
    }
}

static void draw_cpu(const struct app *a, struct grid *g, struct rect r, uint32_t cpu,
                     bool focused)
{
    const struct machine *m = a->model.m;
    const int first = nr_pkmaps(a) + (int)cpu * nr_locals(a);
    const uint32_t depth = space_kmap_depth(m, cpu);
    char text[120];
    grid_printf(g, r.x, r.y, cpu == a->cpu ? ST_BRIGHT : ST_DIM, 0, "CPU %u", cpu);
    for (int i = 0; i < nr_locals(a); i++) {
        draw_slot(a, g, r.x + LABEL + i, r.y, first + i, focused);
    }
    const int x = r.x + LABEL + nr_locals(a) + 1;
    if (x >= r.x + r.w) {
        return;
    }
    if (depth) {
        const struct kmap_slot_view v = space_kmap_slot(m, cpu, depth - 1);
        snprintf(text, sizeof text, "task %u has %u, on top page " PFN_FORMAT " at %#llx",
                 space_task(m, cpu), depth, (unsigned long long)v.frame,
                 (unsigned long long)v.va);
    } else {
        snprintf(text, sizeof text, "task %u has none", space_task(m, cpu));
    }
    grid_text_cut(g, x, r.y, r.x + r.w - x, text, a->glyphs->more, ST_DIM, 0);
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct windows_state *s = &a->hw.windows;
    const int rows = pkmap_rows(a, r.h), per_row = app_max_int(1, s->per_row);
    if (!nr_pkmaps(a)) {
        grid_text_cut(g, r.x + 1, r.y, r.w - 1,
                      "64 bits: all memory is in the direct map, no window is needed.",
                      a->glyphs->more, ST_DIM, 0);
        return;
    }
    draw_head(a, g, r);
    int y = r.y + 1;
    for (int i = 0; i < rows; i++, y++) {
        const int first = (s->top + i) * per_row;
        if (first >= nr_pkmaps(a)) {
            continue;
        }
        grid_printf(g, r.x, y, ST_FAINT, 0, "%5d", first);
        for (int k = 0; k < per_row && first + k < nr_pkmaps(a); k++) {
            draw_slot(a, g, r.x + LABEL + k, y, first + k, focused);
        }
    }
    pane_more(a, g, (struct rect){r.x, r.y + 1, r.w, rows}, s->top,
              (nr_pkmaps(a) + per_row - 1) / per_row);
    if (space_nr_pkmap_sleepers(a->model.m)) {
        draw_sleepers(a, g, (struct rect){r.x, y++, r.w, 1});
    }
    draw_words(a, g, (struct rect){r.x, y++, r.w, 1});
    const int nr = (int)machine_nr_cpus(a->model.m), shown = cpu_rows(a, r.h);
    /* more CPUs than rows: those around the one in view */
    const int top = app_clamp((int)a->cpu - shown / 2, 0, app_max_int(0, nr - shown));
    for (int i = 0; i < shown && y < r.y + r.h; i++) {
        draw_cpu(a, g, (struct rect){r.x, y++, r.w, 1}, (uint32_t)(top + i), focused);
    }
}

/* ---- moving ---- */

static void go(struct app *a, int to)
{
    struct windows_state *s = &a->hw.windows;
    const int nr = nr_slots(a);
    if (nr && s->has_cursor) {
        s->at = app_clamp(to, 0, nr - 1);
    }
    s->has_cursor = nr > 0;
    const struct window w = window(a, s->at);
    a->cpu = w.local ? w.cpu : a->cpu;
    a->cpu_pinned = a->cpu_pinned || w.local;
}

/* A row on or back: the CPUs' rows stand below the persistent ones. */
static int row_from(const struct app *a, int at, int by)
{
    const int nr = nr_pkmaps(a), per_row = app_max_int(1, a->hw.windows.per_row);
    const int locals = app_max_int(1, nr_locals(a));
    if (at < nr) {
        const int to = at + by * per_row;
        return to < 0 ? at : to < nr ? to : nr + app_min_int(at % per_row, locals - 1);
    }
    const int to = at + by * locals;
    return to >= nr_slots(a) ? at
           : to >= nr        ? to
                             : (nr - 1) / per_row * per_row + (at - nr) % locals;
}

static bool key(struct app *a, int k, int w, int h)
{
    const int at = a->hw.windows.at;
    (void)w;
    switch (k) {
    case K_LEFT:
    case 'h':
        go(a, at - 1);
        return true;
    case K_RIGHT:
    case 'l':
        go(a, at + 1);
        return true;
    case K_UP:
    case 'k':
        go(a, row_from(a, at, -1));
        return true;
    case K_DOWN:
    case 'j':
        go(a, row_from(a, at, 1));
        return true;
    case K_PAGE_UP:
        go(a, at - a->hw.windows.per_row * pkmap_rows(a, h));
        return true;
    case K_PAGE_DOWN:
        go(a, at + a->hw.windows.per_row * pkmap_rows(a, h));
        return true;
    case K_HOME:
        go(a, 0);
        return true;
    case K_END:
        a->hw.windows.has_cursor = false;
        return true;
    default:
        return false;
    }
}

static void click(struct app *a, int x, int y, int w, int h)
{
    struct windows_state *s = &a->hw.windows;
    const int column = x - LABEL, to = (s->top + y - 1) * s->per_row + column;
    (void)w;
    if (nr_pkmaps(a) && y >= 1 && y <= pkmap_rows(a, h) && column >= 0 &&
        column < s->per_row && to < nr_pkmaps(a)) {
        s->has_cursor = true;
        go(a, to);
    }
}

/* The next slot in use. */
static void turn(struct app *a, int by)
{
    for (int i = a->hw.windows.at + by; i >= 0 && i < nr_slots(a); i += by) {
        if (window(a, i).mapped) {
            a->hw.windows.has_cursor = true;
            go(a, i);
            return;
        }
    }
}

static void title(const struct app *a, char *buf, size_t size)
{
    const uint32_t asleep = space_nr_pkmap_sleepers(a->model.m);
    buf[0] = 0;
    if (asleep) {
        snprintf(buf, size, "%u asleep", asleep);
    }
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const struct windows_state *s = &a->hw.windows;
    if (!s->has_cursor || s->at >= nr_slots(a)) {
        return false;
    }
    *p = window(a, s->at).frame;
    return *p != PFN_NONE && *p < machine_max_pfn(a->model.m);
}

static char *details(struct app *a, char *name, size_t size)
{
    if (!nr_pkmaps(a)) {
        return NULL;
    }
    const struct window w = window(a, a->hw.windows.at);
    snprintf(name, size, "What is %#llx?", (unsigned long long)w.va);
    snprintf(a->details_command, sizeof a->details_command, "walk %#llx",
             (unsigned long long)w.va);
    return space_whatis_popup(a, false, w.va);
}

static bool changed(const struct app *a)
{
    return a->model.step_low <= a->model.step_high && touched(a) >= 0;
}

const struct pane_kind pane_kmap = {
    .name = "Windows",
    .short_name = "Windows",
    .about =
        "The slots of kmap, which all CPUs share, with their pkmap_count, and each "
        "CPU's of kmap_local_page and kmap_atomic; [ and ] go to the next one in use.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .turn = turn,
    .columns = true,
};
