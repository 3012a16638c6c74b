/* What a CPU's hardware has counted up to the position, and how that came about: a table
 * of levels, where the cycles went, and a chart over the operations.
 *
 *           asked   missed   rate
 *   L1D    12 345      678   5.5 %  ▁▂▂▅█▂▁
 *
 * The little bars and the chart are of all CPUs together; the table is of one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware.h"
#include "pane.h"

#include <stdio.h>

/* ---- the levels ---- */

struct level {
    const char *name;
    enum history_series series;
    uint64_t asked, missed, missed_before, asked_before;
    const struct miss_causes *causes;
};

enum { MAX_LEVELS = 6 };

static int levels_of(const struct app *a, const struct memsys *m,
                     struct level levels[MAX_LEVELS])
{
    const struct memsys_tally *n = &m->s->n, *b = &a->tally_before;
    const struct miss_causes *none = NULL;
    bool causes = m->config.causes;
    int nr = 0;
    for (int side = SIDE_I; side <= SIDE_D; side++) {
        enum side s = (enum side)side;
        if (m->front[side].has_l1) {
            levels[nr++] = (struct level){side ? "L1D" : "L1I",
                                          side ? SERIES_L1D : SERIES_L1I,
                                          tally_l1_accesses(n, s),
                                          tally_l1_misses(n, s),
                                          tally_l1_misses(b, s),
                                          tally_l1_accesses(b, s),
                                          causes ? &n->l1_causes[side] : none};
        }
    }
    if (m->has_l2) {
        levels[nr++] = (struct level){"L2",
                                      SERIES_L2,
                                      tally_l2_accesses(n),
                                      tally_l2_misses(n),
                                      tally_l2_misses(b),
                                      tally_l2_accesses(b),
                                      causes ? &n->l2_causes : none};
    }
    for (int side = SIDE_I; side <= SIDE_D; side++) {
        if (m->front[side].has_tlb) {
            levels[nr++] = (struct level){side ? "DTLB" : "ITLB",
                                          side ? SERIES_DTLB : SERIES_ITLB,
                                          n->tlb_access[side],
                                          n->tlb_miss[side],
                                          b->tlb_miss[side],
                                          b->tlb_access[side],
                                          causes ? &n->tlb_causes[side] : none};
        }
    }
    if (m->has_stlb) {
        levels[nr++] = (struct level){"STLB",
                                      SERIES_STLB,
                                      n->stlb_access,
                                      n->stlb_miss,
                                      b->stlb_miss,
                                      b->stlb_access,
                                      causes ? &n->stlb_causes : none};
    }
    return nr;
}

/* ---- bars ---- */

enum { MAX_BARS = 256, BAR_STEPS = 8 };

/* The operations that the chart covers. */
static uint64_t last_op(const struct app *a)
{
    uint64_t nr = timeline_nr_ops(a->t, a->model.at.branch);
    return nr ? nr : 1;
}

static int position_column(const struct app *a, int w)
{
    uint64_t op = a->model.at.op, nr = last_op(a);
    int column = (int)((double)op * w / (double)nr);
    return app_clamp(column, 0, w - 1);
}

static int64_t largest(const int64_t *values, int nr, int64_t at_least)
{
    int64_t most = at_least;
    for (int i = 0; i < nr; i++) {
        most = values[i] > most ? values[i] : most;
    }
    return most;
}

/* A chart of h rows; the column that the position is in is lit. */
static void draw_bars(const struct app *a, struct grid *g, struct rect r,
                      const int64_t *values, int64_t most)
{
    const struct glyphs *gl = a->glyphs;
    const uint32_t steps[BAR_STEPS + 1] = {' ',       gl->bar_1, gl->bar_2,
                                           gl->bar_3, gl->bar_4, gl->bar_5,
                                           gl->bar_6, gl->bar_7, gl->bar};
    int here = position_column(a, r.w);
    for (int i = 0; i < r.w; i++) {
        int marks = i == here ? MARK_LINE | MARK_BOLD : 0;
        int64_t eighths = values[i] < 0 || most <= 0
                              ? -1
                              : (values[i] * r.h * BAR_STEPS + most - 1) / most;
        for (int row = 0; row < r.h; row++) { /* from the bottom */
            int64_t step = eighths - (int64_t)row * BAR_STEPS;
            int y = r.y + r.h - 1 - row;
            if (eighths < 0) {
                grid_put(g, r.x + i, y, row ? ' ' : gl->dot, ST_FAINT, marks);
                continue;
            }
            step = step < 0 ? 0 : step > BAR_STEPS ? BAR_STEPS : step;
            uint32_t ch = !row && !step ? gl->bar_1 : steps[step];
            grid_put(g, r.x + i, y, ch, step ? ST_CHART : ST_FAINT, marks);
        }
    }
}

/* ---- rows ---- */

static void draw_level(const struct app *a, struct grid *g, struct rect r, int y,
                       const struct level *l)
{
    char n[28];
    int marks = l->asked != l->asked_before ? MARK_CHANGED : 0;
    int missed = l->missed != l->missed_before ? MARK_CHANGED : 0;
    grid_text(g, r.x + 1, y, l->name, ST_NORMAL, 0);
    thousands(n, l->asked);
    grid_text(g, r.x + 16 - text_width(n), y, n, ST_NUMBER, marks);
    thousands(n, l->missed);
    grid_text(g, r.x + 26 - text_width(n), y, n, ST_NUMBER, missed);
    if (l->asked) {
        snprintf(n, sizeof n, "%.1f %%", 100 * (double)l->missed / (double)l->asked);
        grid_text(g, r.x + 35 - text_width(n), y, n, ST_BRIGHT, 0);
    }
    int x = r.x + 37;
    if (l->causes && r.w >= 76) {
        char text[96];
        snprintf(text, sizeof text, "%llu cold %llu cap. %llu conf.",
                 (unsigned long long)l->causes->cold,
                 (unsigned long long)l->causes->capacity,
                 (unsigned long long)l->causes->conflict);
        grid_text(g, x, y, text, ST_DIM, 0);
        x += app_max_int(28, text_width(text) + 1);
    }
    int w = app_min_int(r.x + r.w - 1 - x, MAX_BARS);
    if (w >= 3) {
        int64_t values[MAX_BARS];
        history_values(&a->history, l->series, 0, last_op(a), values, w);
        draw_bars(a, g, (struct rect){x, y, w, 1}, values, largest(values, w, 50));
    }
}

static void draw_cycles(const struct app *a, struct grid *g, struct rect r, int y,
                        const struct memsys *m)
{
    struct cycles c = access_cycles_of(m);
    char n[28];
    int x = grid_text(g, r.x + 1, y, "cycles ", ST_DIM, 0);
    x = grid_text(g, x, y, thousands(n, c.total), ST_BRIGHT,
                  c.total != a->cycles_before ? MARK_CHANGED : 0);
    if (c.accesses) {
        x = grid_text(g, x, y, "  AMAT ", ST_DIM, 0);
        x = grid_printf(g, x, y, ST_HEADING, 0, "%.2f",
                        (double)c.total / (double)c.accesses);
    }
    const struct {
        const char *name;
        uint64_t cycles;
    } parts[] = {
        {"L1", c.l1},   {"L2", c.l2},   {"RAM", c.memory},        {"walk", c.walk},
        {"TLB", c.tlb}, {"bus", c.bus}, {"uncached", c.uncached}, {"IPI", c.ipi}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && c.total; i++) {
        char text[64];
        snprintf(text, sizeof text, "  %s %.0f%%", parts[i].name,
                 100 * (double)parts[i].cycles / (double)c.total);
        if (parts[i].cycles && x + text_width(text) < r.x + r.w) {
            x = grid_text(g, x, y, text, ST_DIM, 0);
        }
    }
}

static void draw_others(struct grid *g, struct rect r, int y, const struct memsys *m)
{
    const struct memsys_tally *n = &m->s->n;
    const struct {
        const char *name;
        uint64_t value;
        bool always;
    } counts[] = {
        {"walks", n->walks, true},
        {"faults", n->faults, true},
        {"write-backs L1", n->l1_writeback[SIDE_I] + n->l1_writeback[SIDE_D], true},
        {"L2", n->l2_writeback, true},
        {"two lines", n->l1_straddle[SIDE_I] + n->l1_straddle[SIDE_D], false},
        {"two pages", n->tlb_straddle[SIDE_I] + n->tlb_straddle[SIDE_D], false},
        {"invalidated", n->invalidated, false},
        {"supplied", n->supplied, false},
        {"uncached",
         n->uncached[ACCESS_READ] + n->uncached[ACCESS_WRITE] + n->uncached[ACCESS_FETCH],
         false},
        {"IPIs", n->ipi_sent, false},
        {"synonyms", n->synonyms, false},
        {"homonyms", n->homonyms, false},
        {"stale entries", n->stale_entries, false}};
    int x = r.x + 1;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char text[64], v[28];
        snprintf(text, sizeof text, "%s %s", counts[i].name,
                 thousands(v, counts[i].value));
        if ((counts[i].always || counts[i].value) && x + text_width(text) < r.x + r.w) {
            x = grid_text(g, x, y, text, ST_DIM, 0) + 2;
        }
    }
}

static const struct {
    const char *name;
    bool is_rate;
} series_names[NR_SERIES] = {
    [SERIES_L1I] = {"L1I misses", true},        [SERIES_L1D] = {"L1D misses", true},
    [SERIES_L2] = {"L2 misses", true},          [SERIES_ITLB] = {"ITLB misses", true},
    [SERIES_DTLB] = {"DTLB misses", true},      [SERIES_STLB] = {"STLB misses", true},
    [SERIES_AMAT] = {"cycles an access", false}};

static void draw_chart(const struct app *a, struct grid *g, struct rect r)
{
    enum history_series series = (enum history_series)a->chart;
    int64_t values[MAX_BARS];
    int w = app_min_int(r.w - 10, MAX_BARS);
    if (w < 8 || r.h < 3) {
        return;
    }
    history_values(&a->history, series, 0, last_op(a), values, w);
    int64_t most = largest(values, w, 1);
    struct rect bars = {r.x + 9, r.y + 1, w, r.h - 2};
    grid_text_cut(g, r.x + 1, r.y, r.w - 2, series_names[series].name, a->glyphs->more,
                  ST_HEADING, 0);
    const char *unit = series_names[series].is_rate ? " %" : "";
    double scale = series_names[series].is_rate ? 10.0 : 1000.0;
    grid_printf(g, r.x + 1, bars.y, ST_DIM, 0, "%6.1f%s", (double)most / scale, unit);
    grid_printf(g, r.x + 1, bars.y + bars.h - 1, ST_DIM, 0, "%6d", 0);
    draw_bars(a, g, bars, values, most);
    int y = r.y + r.h - 1, here = bars.x + position_column(a, w);
    char text[POSITION_TEXT];
    snprintf(text, sizeof text, "op %llu", (unsigned long long)last_op(a));
    grid_text(g, bars.x, y, "op 0", ST_DIM, 0);
    grid_text(g, bars.x + w - text_width(text) - 1, y, text, ST_DIM, 0);
    position_format(text, a->model.at);
    int x = app_clamp(here + 1, bars.x, bars.x + w - text_width(text) - 1);
    if (here > bars.x + 5 && here + text_width(text) + 10 < bars.x + w) {
        grid_text(g, x, y, text, ST_HINT_KEY, 0);
    }
    grid_put(g, here, y, a->glyphs->up, ST_HINT_KEY, 0);
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    (void)focused;
    const struct memsys *m = hardware_cpu(a->model.m, a->cpu);
    struct level levels[MAX_LEVELS];
    if (!m) {
        return;
    }
    int nr = levels_of(a, m, levels), y = r.y;
    draw_cycles(a, g, r, y++, m);
    if (r.h >= nr + 3) {
        draw_others(g, r, y++, m);
    }
    if (r.h >= nr + 2) {
        grid_text(g, r.x + 11, y, "asked", ST_DIM, 0);
        grid_text(g, r.x + 20, y, "missed", ST_DIM, 0);
        grid_text(g, r.x + 30, y, "rate", ST_DIM, 0);
        if (r.w >= 50) {
            grid_text(g, r.x + 37, y, "over time", ST_DIM, 0);
        }
        y++;
    }
    for (int i = 0; i < nr && y < r.y + r.h; i++) {
        draw_level(a, g, r, y++, &levels[i]);
    }
    if (r.y + r.h - y >= 4) {
        enum { CHART_MOST = 14 };
        int h = app_min_int(r.y + r.h - y - 1, CHART_MOST);
        draw_chart(a, g, (struct rect){r.x, y + 1, r.w, h});
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w, (void)h;
    bool next = k == K_RIGHT || k == 'l' || k == K_DOWN || k == 'j';
    bool previous = k == K_LEFT || k == 'h' || k == K_UP || k == 'k';
    if (!next && !previous) {
        return false;
    }
    a->chart = (a->chart + (next ? 1 : NR_SERIES - 1)) % NR_SERIES;
    return true;
}

static void title(const struct app *a, char *buf, size_t size)
{
    snprintf(buf, size, "CPU %u", a->cpu);
}

static char *details(struct app *a, char *name, size_t size)
{
    const struct memsys *m = hardware_cpu(a->model.m, a->cpu);
    struct text_buf b = {0};
    if (!m) {
        return NULL;
    }
    const struct cost_model *cost = access_cost(m);
    struct cycles c = access_cycles_of(m);
    char n[28];
    snprintf(name, size, "What the hardware of CPU %u has counted", a->cpu);
    text_add(&b,
             "A hit rate is what did not miss. L2 is asked by L1's misses, by lines that "
             "L1 writes back, and by the walker for table entries.\n\n");
    struct level levels[MAX_LEVELS];
    int nr = levels_of(a, m, levels);
    for (int i = 0; i < nr; i++) {
        const struct level *l = &levels[i];
        text_add(&b,
                 POPUP_TEXT_KEY "%5s" POPUP_TEXT_NORMAL " %llu asked, %llu hits, %llu "
                                "misses",
                 l->name, (unsigned long long)l->asked,
                 (unsigned long long)(l->asked - l->missed),
                 (unsigned long long)l->missed);
        if (l->causes) {
            text_add(&b, " (%llu cold, %llu capacity, %llu conflict)",
                     (unsigned long long)l->causes->cold,
                     (unsigned long long)l->causes->capacity,
                     (unsigned long long)l->causes->conflict);
        }
        text_add(&b, "\n");
    }
    text_add(&b,
             "\nCycles: " POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL
             " = L1 %llu + L2 %llu + memory %llu + walks %llu + TLB %llu + bus %llu + "
             "uncached %llu + IPIs %llu.\n",
             thousands(n, c.total), (unsigned long long)c.l1, (unsigned long long)c.l2,
             (unsigned long long)c.memory, (unsigned long long)c.walk,
             (unsigned long long)c.tlb, (unsigned long long)c.bus,
             (unsigned long long)c.uncached, (unsigned long long)c.ipi);
    text_add(&b,
             "Cost model " POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL
             " (%s): L1 %u, L2 + %u, memory + %u, second-level TLB + %u cycles.\n\n",
             cost->name, cost->source, cost->l1, cost->l2, cost->memory, cost->stlb);
    text_add(&b, POPUP_TEXT_KEY
             "Left" POPUP_TEXT_NORMAL " and " POPUP_TEXT_KEY "Right" POPUP_TEXT_NORMAL
             " choose what the chart shows; " POPUP_TEXT_KEY "{ }" POPUP_TEXT_NORMAL
             " another CPU.\n");
    return b.text;
}

static bool changed(const struct app *a)
{
    const struct memsys *m = hardware_cpu(a->model.m, a->cpu);
    return m && access_cycles_of(m).total != a->cycles_before;
}

const struct pane_kind pane_counters = {
    .name = "Counters",
    .short_name = "Counts",
    .about = "What the hardware has counted: hits, misses by cause, walks, write-backs, "
             "cycles, and rates over time.",
    .title = title,
    .draw = draw,
    .key = key,
    .details = details,
    .changed = changed,
    .columns = true,
};
