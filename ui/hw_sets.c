/* A cache or TLB as sets by ways.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw_sets.h"

#include <stdio.h>

#include "hw_focus.h"

enum { MAX_SHIFT = 26 };

int sets_zoom(const struct sets_state *s) { return s->zoom >= 0 ? s->zoom : s->fitted; }

static int digits_of(uint32_t n)
{
    int digits = 1;
    for (; n >= 10; n /= 10) {
        digits++;
    }
    return digits;
}

/* The mark of what is probed next, then the number of the set. */
static int label_cols(const struct cache *c)
{
    return 1 + digits_of(c->config.sets - 1) + 1;
}

static uint32_t nr_cells(const struct cache *c, int shift)
{
    return (uint32_t)(((uint64_t)c->config.sets + ((uint64_t)1 << shift) - 1) >> shift);
}

static int heat_shift(const struct sets_state *s)
{
    return app_clamp(sets_zoom(s) - SETS_HEAT, 0, MAX_SHIFT);
}

static int64_t row_of_set(const struct sets_state *s, const struct cache *c, uint32_t set)
{
    switch (sets_zoom(s)) {
    case SETS_WAYS:
        return (int64_t)set * c->config.ways;
    case SETS_SETS:
        return set;
    default:
        return (set >> heat_shift(s)) / (uint32_t)app_max_int(1, s->columns);
    }
}

static int64_t nr_rows(const struct sets_state *s, const struct cache *c)
{
    switch (sets_zoom(s)) {
    case SETS_WAYS:
        return (int64_t)c->config.sets * c->config.ways;
    case SETS_SETS:
        return c->config.sets;
    default: {
        const uint32_t columns = (uint32_t)app_max_int(1, s->columns);
        return (nr_cells(c, heat_shift(s)) + columns - 1) / columns;
    }
    }
}

bool sets_at(const struct app *a, enum hw_part part, uint32_t *set, uint32_t *way)
{
    const struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    if (!c) {
        return false;
    }
    if (s->has_cursor) {
        *set = s->set < c->config.sets ? s->set : c->config.sets - 1;
        *way = s->way < c->config.ways ? s->way : c->config.ways - 1;
        return true;
    }
    if (!hw_follow_set(a, part, set, way)) {
        return false;
    }
    *way = *way < c->config.ways ? *way : cache_peek_victim(c, *set);
    return true;
}

/* The widest tier in which all ways fit; the last one where none does. */
static int cell_tier(const struct app *a, const struct sets_kind *k, enum hw_part part,
                     const struct cache *c, int w)
{
    int tier = 0, last = 0;
    for (; k->cell_width(a, part, tier); tier++) {
        last = tier;
        if ((int64_t)k->cell_width(a, part, tier) * c->config.ways <= w) {
            return tier;
        }
    }
    return last;
}

static uint32_t ways_seen(const struct app *a, const struct sets_kind *k,
                          enum hw_part part, const struct cache *c, int w)
{
    const int width = k->cell_width(a, part, cell_tier(a, k, part, c, w));
    const uint32_t most = (uint32_t)app_max_int(1, w / app_max_int(1, width));
    return most < c->config.ways ? most : c->config.ways;
}

/* Rows that are not the part's contents: the heading where a row is a way; the legend. */
static int head_rows(const struct sets_state *s) { return sets_zoom(s) == SETS_WAYS; }
static int legend_rows(int h) { return h >= 6; }

void sets_fit(struct app *a, const struct sets_kind *k, enum hw_part part, int w, int h)
{
    struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    if (!c) {
        return;
    }
    s->fitted = k->near;
    s->columns = 8;
    while (2 * s->columns + label_cols(c) <= w && s->columns < 256) {
        s->columns *= 2;
    }
    s->most = SETS_HEAT;
    const int room = app_max_int(1, h - legend_rows(h));
    while (s->most < SETS_HEAT + MAX_SHIFT &&
           nr_cells(c, s->most - SETS_HEAT) > (uint32_t)(s->columns * room)) {
        s->most++;
    }
    if (s->zoom > s->most) {
        s->zoom = s->most;
    }
    s->rows = app_max_int(1, room - head_rows(s));
    const int64_t nr = nr_rows(s, c);
    uint32_t set, way;
    if (sets_at(a, part, &set, &way)) {
        const int64_t block =
            sets_zoom(s) == SETS_WAYS ? app_min_int((int)c->config.ways, s->rows) : 1;
        int64_t first = row_of_set(s, c, set), last = first + block - 1;
        if (sets_zoom(s) == SETS_WAYS && s->has_cursor) {
            first = last = first + way;
        }
        if (first < s->top || last >= s->top + s->rows) {
            s->top = s->has_cursor ? (first < s->top ? first : last - s->rows + 1)
                                   : first - (s->rows - block) / 3;
        }
        const uint32_t seen = ways_seen(a, k, part, c, w - label_cols(c));
        s->way_top = way < s->way_top           ? way
                     : way >= s->way_top + seen ? way - seen + 1
                                                : s->way_top;
        s->way_top =
            s->way_top + seen > c->config.ways ? c->config.ways - seen : s->way_top;
    }
    if (s->top > nr - s->rows) {
        s->top = nr - s->rows;
    }
    if (s->top < 0) {
        s->top = 0;
    }
}

/* ---- drawing ---- */

static void draw_label(const struct app *a, const struct cache *c, enum hw_part part,
                       struct grid *g, int x, int y, uint32_t set, bool number)
{
    if (number && hw_next(a, part, set, CACHE_NO_WAY)) {
        grid_put(g, x, y, a->glyphs->here, ST_HINT_KEY, 0);
    }
    if (number) {
        grid_printf(g, x + 1, y,
                    hw_touched(a, part, set, CACHE_NO_WAY) ? ST_BRIGHT : ST_DIM, 0, "%*u",
                    digits_of(c->config.sets - 1), set);
    }
}

/* What is lit in a way, and the cursor. */
static int way_marks(const struct app *a, enum hw_part part, uint32_t set, uint32_t way,
                     bool focused)
{
    const struct sets_state *s = &a->hw.sets[part];
    const bool cursor = focused && s->has_cursor && s->set == set && s->way == way;
    return (hw_touched(a, part, set, way) ? MARK_CHANGED : 0) |
           (cursor || hw_lit_line(a, part, set, way) ? MARK_SELECTED : 0);
}

static void draw_ways(const struct app *a, const struct sets_kind *k, enum hw_part part,
                      struct grid *g, struct rect r, bool focused)
{
    const struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    const int label = label_cols(c), digits = digits_of(c->config.ways - 1);
    grid_text(g, r.x + 1, r.y, "set way", ST_DIM, 0);
    struct rect rest = {r.x + app_max_int(label + digits + 1, 9), r.y, 0, 1};
    rest.w = r.x + r.w - rest.x;
    k->heading(a, part, g, rest);
    for (int i = 0; i < s->rows; i++) {
        const int64_t row = s->top + i;
        if (row >= nr_rows(s, c)) {
            break;
        }
        const uint32_t set = (uint32_t)(row / c->config.ways);
        const uint32_t way = (uint32_t)(row % c->config.ways);
        const int y = r.y + 1 + i, marks = way_marks(a, part, set, way, focused);
        draw_label(a, c, part, g, r.x, y, set, way == 0 || i == 0);
        if (hw_next(a, part, set, way) == 2) {
            grid_put(g, r.x + label, y, a->glyphs->here, ST_HINT_KEY, 0);
        }
        grid_printf(g, r.x + label + 1, y, ST_DIM, marks & MARK_SELECTED, "%*u", digits,
                    way);
        rest.y = y;
        k->row(a, part, g, rest, set, way, marks);
    }
}

/* The nodes of a set's tree in their order, 1 where the next to go is on the right. */
static void draw_tree_bits(struct grid *g, int x, int y, const struct cache *c,
                           uint32_t set)
{
    const uint64_t tree = cache_set_at(c, set)->order;
    x = grid_text(g, x, y, "tree ", ST_FAINT, 0);
    for (uint32_t node = 1; node < c->config.ways; node++) {
        const bool right = tree >> (node & 63) & 1;
        grid_put(g, x++, y, right ? '1' : '0', right ? ST_NORMAL : ST_DIM, 0);
    }
}

static void draw_sets(const struct app *a, const struct sets_kind *k, enum hw_part part,
                      struct grid *g, struct rect r, bool focused)
{
    const struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    const int label = label_cols(c), room = r.w - label;
    const int tier = cell_tier(a, k, part, c, room);
    const int width = k->cell_width(a, part, tier);
    const uint32_t seen = ways_seen(a, k, part, c, room);
    for (int i = 0; i < s->rows; i++) {
        const int64_t row = s->top + i;
        if (row >= nr_rows(s, c)) {
            break;
        }
        const uint32_t set = (uint32_t)row;
        draw_label(a, c, part, g, r.x, r.y + i, set, true);
        for (uint32_t n = 0; n < seen; n++) {
            const uint32_t way = s->way_top + n;
            k->cell(a, part, g, r.x + label + (int)n * width, r.y + i, tier, set, way,
                    way_marks(a, part, set, way, focused));
        }
        const int after = label + (int)seen * width + 1;
        if (c->config.policy == POLICY_PLRU &&
            after + 6 + (int)c->config.ways <= r.w - 1) {
            draw_tree_bits(g, r.x + after, r.y + i, c, set);
        }
        if (s->way_top + seen < c->config.ways) {
            grid_put(g, r.x + r.w - 1, r.y + i, a->glyphs->more, ST_DIM, 0);
        }
    }
}

static uint32_t level_glyph(const struct glyphs *gl, uint64_t part, uint64_t whole)
{
    const uint32_t levels[] = {gl->level1, gl->level2, gl->level3, gl->level4,
                               gl->level5, gl->level6, gl->level7, gl->level8};
    if (!part || !whole) {
        return gl->dot;
    }
    uint64_t n = (part * 8 + whole - 1) / whole;
    return levels[(n > 8 ? 8 : n) - 1];
}

/* What is in the sets of a cell, and what was counted there. */
struct heat {
    uint64_t used, other, whole;
    uint64_t hits, misses;
    bool touched, next, lit;
};

static struct heat heat_of(const struct app *a, const struct sets_kind *k,
                           enum hw_part part, uint32_t cell, int shift)
{
    const struct cache *c = shown_part(a, part);
    const struct hw_focus *f = &a->hw.focus;
    struct heat h = {0};
    const uint64_t first = (uint64_t)cell << shift, end = first + ((uint64_t)1 << shift);
    for (uint64_t set = first; set < end && set < c->config.sets; set++) {
        uint32_t used = 0, other = 0;
        k->count(a, part, (uint32_t)set, &used, &other);
        h.used += used;
        h.other += other;
        h.whole += c->config.ways;
        const struct set_counts n =
            set_tally_of(&a->hw.tally, a->cpu, part, (uint32_t)set);
        h.hits += n.hits;
        h.misses += n.misses;
    }
    for (uint32_t i = 0; i < f->nr_touched; i++) {
        h.touched = h.touched ||
                    (f->touched[i].part == part && f->touched[i].set >> shift == cell);
    }
    for (uint32_t i = 0; i < a->hw.nr_lit_lines; i++) {
        const struct hw_touch *t = &a->hw.lit_lines[i];
        h.lit = h.lit || (t->part == part && t->set >> shift == cell);
    }
    h.next = f->has_next[part] && f->next[part].set >> shift == cell;
    return h;
}

/* What is counted of a cell: 0 where the map shows contents. */
static uint64_t counted(const struct app *a, const struct heat *h)
{
    return a->hw.heat == HEAT_MISSES ? h->misses : a->hw.heat == HEAT_HITS ? h->hits : 0;
}

/* The most of any cell: the full height of the glyphs. */
static uint64_t most_counted(const struct app *a, enum hw_part part, int shift)
{
    const struct cache *c = shown_part(a, part);
    uint64_t most = 0, sum = 0;
    for (uint64_t set = 0; a->hw.heat != HEAT_CONTENTS && set < c->config.sets; set++) {
        const struct set_counts n =
            set_tally_of(&a->hw.tally, a->cpu, part, (uint32_t)set);
        sum = (set & (((uint64_t)1 << shift) - 1) ? sum : 0) +
              (a->hw.heat == HEAT_MISSES ? n.misses : n.hits);
        most = sum > most ? sum : most;
    }
    return most;
}

/* Misses are warmer the more there are. */
static int count_style(const struct app *a, uint64_t n, uint64_t most)
{
    return !n                         ? ST_HOLE
           : a->hw.heat == HEAT_HITS  ? ST_LINE_CLEAN
           : n * 2 > most && most > 1 ? ST_STALE
                                      : ST_WARN;
}

static void draw_heat(const struct app *a, const struct sets_kind *k, enum hw_part part,
                      struct grid *g, struct rect r, bool focused)
{
    const struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    const int shift = heat_shift(s), label = label_cols(c);
    const uint64_t most = most_counted(a, part, shift);
    for (int i = 0; i < s->rows; i++) {
        const int64_t row = s->top + i;
        if (row >= nr_rows(s, c)) {
            break;
        }
        const uint32_t first = (uint32_t)row * (uint32_t)s->columns;
        grid_printf(g, r.x + 1, r.y + i, ST_FAINT, 0, "%*llu",
                    digits_of(c->config.sets - 1), (unsigned long long)first << shift);
        for (int x = 0; x < s->columns && first + (uint32_t)x < nr_cells(c, shift); x++) {
            const uint32_t cell = first + (uint32_t)x;
            const struct heat h = heat_of(a, k, part, cell, shift);
            const bool cursor = focused && s->has_cursor && s->set >> shift == cell;
            const bool contents = a->hw.heat == HEAT_CONTENTS;
            const int style = h.next      ? ST_HINT_KEY
                              : !contents ? count_style(a, counted(a, &h), most)
                              : h.other   ? k->other_style
                              : h.used    ? k->used_style
                                          : ST_HOLE;
            const uint32_t glyph = contents
                                       ? level_glyph(a->glyphs, h.used, h.whole)
                                       : level_glyph(a->glyphs, counted(a, &h), most);
            grid_put(g, r.x + label + x, r.y + i, h.next ? a->glyphs->here : glyph, style,
                     (h.touched ? MARK_CHANGED : 0) |
                         (cursor || h.lit ? MARK_SELECTED : 0));
        }
    }
}

/* A word of the legend behind its glyph, if there is room for it. */
static int legend(struct grid *g, int x, int y, int end, uint32_t ch, int style,
                  const char *word)
{
    if (x + 2 + text_width(word) > end) {
        return x;
    }
    grid_put(g, x, y, ch, style, 0);
    return grid_text(g, x + 2, y, word, ST_DIM, 0) + 2;
}

/* What is counted, since when, and what the highest glyph means. */
static void draw_count_legend(const struct app *a, enum hw_part part, int shift,
                              struct grid *g, struct rect r)
{
    const bool misses = a->hw.heat == HEAT_MISSES;
    const uint64_t most = most_counted(a, part, shift);
    const int end = r.x + r.w;
    char words[64];
    snprintf(words, sizeof words, "%s since operation %llu", misses ? "misses" : "hits",
             (unsigned long long)op_number(a->hw.tally.from_op));
    int x = r.x;
    if (x + text_width(words) <= end) {
        x = grid_text(g, x, r.y, words, ST_DIM, 0) + 2;
    }
    snprintf(words, sizeof words, "%llu, the most of a cell", (unsigned long long)most);
    x = legend(g, x, r.y, end, a->glyphs->level8, count_style(a, most, most), words);
    legend(g, x, r.y, end, a->glyphs->here, ST_HINT_KEY, "probed next");
}

static void draw_legend(const struct app *a, const struct sets_kind *k, enum hw_part part,
                        struct grid *g, struct rect r)
{
    const struct sets_state *s = &a->hw.sets[part];
    const struct glyphs *gl = a->glyphs;
    const int shift = heat_shift(s), end = r.x + r.w;
    uint32_t set, way;
    int x = r.x;
    if (sets_zoom(s) < SETS_HEAT) {
        x = legend(g, x, r.y, end, gl->arrow, ST_WARN, "next to go");
        legend(g, x, r.y, end, gl->here, ST_HINT_KEY, "probed next");
        return;
    }
    if (sets_at(a, part, &set, &way)) {
        const struct heat h = heat_of(a, k, part, set >> shift, shift);
        x = grid_printf(g, x, r.y, ST_NORMAL, 0, "set %u", set >> shift << shift);
        if (shift) {
            x = grid_printf(g, x, r.y, ST_NORMAL, 0, "-%llu",
                            (((unsigned long long)(set >> shift) + 1) << shift) - 1);
        }
        if (a->hw.heat == HEAT_CONTENTS) {
            x = grid_printf(g, x, r.y, ST_NORMAL, 0, ": %llu of %llu",
                            (unsigned long long)h.used, (unsigned long long)h.whole);
            x = h.other ? grid_printf(g, x, r.y, k->other_style, 0, ", %llu %s",
                                      (unsigned long long)h.other, k->other_word)
                        : x;
        } else {
            x = grid_printf(g, x, r.y, h.misses ? ST_WARN : ST_NORMAL, 0, ": %llu missed",
                            (unsigned long long)h.misses);
            x = grid_printf(g, x, r.y, ST_NORMAL, 0, ", %llu hit",
                            (unsigned long long)h.hits);
        }
        x += 2;
    }
    if (a->hw.heat != HEAT_CONTENTS) {
        draw_count_legend(a, part, shift, g, (struct rect){x, r.y, end - x, 1});
        return;
    }
    char words[48];
    snprintf(words, sizeof words, "%u set%s a cell", 1u << shift, shift ? "s" : "");
    if (x + text_width(words) < end) {
        x = grid_text(g, x, r.y, words, ST_DIM, 0) + 2;
    }
    x = legend(g, x, r.y, end, gl->level1, k->used_style, "few");
    snprintf(words, sizeof words, "all %s in use", k->unit);
    x = legend(g, x, r.y, end, gl->level8, k->used_style, words);
    x = legend(g, x, r.y, end, gl->level4, k->other_style, k->other_word);
    legend(g, x, r.y, end, gl->here, ST_HINT_KEY, "probed next");
}

void sets_draw(const struct app *a, const struct sets_kind *k, enum hw_part part,
               struct grid *g, struct rect r, bool focused)
{
    const struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    const int head = head_rows(s);
    switch (sets_zoom(s)) {
    case SETS_WAYS:
        draw_ways(a, k, part, g, r, focused);
        break;
    case SETS_SETS:
        draw_sets(a, k, part, g, r, focused);
        break;
    default:
        draw_heat(a, k, part, g, r, focused);
        break;
    }
    if (legend_rows(r.h)) {
        draw_legend(a, k, part, g, (struct rect){r.x, r.y + r.h - 1, r.w, 1});
    }
    const int64_t nr = nr_rows(s, c), most = 1 << 30;
    pane_more(a, g, (struct rect){r.x, r.y + head, r.w, s->rows},
              (int)(s->top < most ? s->top : most), (int)(nr < most ? nr : most));
}

/* ---- moving ---- */

static void cursor_here(struct app *a, enum hw_part part)
{
    struct sets_state *s = &a->hw.sets[part];
    uint32_t set = 0, way = 0;
    if (!s->has_cursor) {
        sets_at(a, part, &set, &way);
        s->has_cursor = true;
        s->set = set;
        s->way = way;
    }
}

/* Rows down and cells to the right. */
static void move(struct app *a, enum hw_part part, int64_t rows, int64_t cells)
{
    struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    const int64_t sets = c->config.sets, ways = c->config.ways;
    if (!s->has_cursor) {
        cursor_here(a, part);
        return;
    }
    int64_t set = s->set, way = s->way;
    if (sets_zoom(s) == SETS_WAYS) {
        int64_t at = set * ways + way + rows + cells * ways;
        at = at < 0 ? 0 : at >= sets * ways ? sets * ways - 1 : at;
        set = at / ways;
        way = at % ways;
    } else if (sets_zoom(s) == SETS_SETS) {
        set += rows;
        way += cells;
    } else {
        set += (rows * s->columns + cells) * ((int64_t)1 << heat_shift(s));
    }
    s->set = (uint32_t)(set < 0 ? 0 : set >= sets ? sets - 1 : set);
    s->way = (uint32_t)(way < 0 ? 0 : way >= ways ? ways - 1 : way);
}

bool sets_key(struct app *a, const struct sets_kind *k, enum hw_part part, int key, int h)
{
    (void)k;
    struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    if (!c) {
        return false;
    }
    const int page = app_max_int(1, app_min_int(h, s->rows) - 1);
    switch (key) {
    case K_UP:
    case 'k':
        move(a, part, -1, 0);
        return true;
    case K_DOWN:
    case 'j':
        move(a, part, 1, 0);
        return true;
    case K_LEFT:
    case 'h':
        move(a, part, 0, -1);
        return true;
    case K_RIGHT:
    case 'l':
        move(a, part, 0, 1);
        return true;
    case K_PAGE_UP:
        move(a, part, -page, 0);
        return true;
    case K_PAGE_DOWN:
        move(a, part, page, 0);
        return true;
    case K_HOME:
        s->has_cursor = true;
        s->set = s->way = 0;
        return true;
    case K_END:
        s->has_cursor = false;
        return true;
    default:
        return false;
    }
}

void sets_click(struct app *a, const struct sets_kind *k, enum hw_part part, int x, int y,
                int w)
{
    struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    if (!c) {
        return;
    }
    const int label = label_cols(c);
    const int64_t row = s->top + y - head_rows(s);
    if (y < head_rows(s) || y >= head_rows(s) + s->rows || row >= nr_rows(s, c)) {
        return;
    }
    uint64_t set = (uint64_t)row, way = s->way;
    if (sets_zoom(s) == SETS_WAYS) {
        set = (uint64_t)row / c->config.ways;
        way = (uint64_t)row % c->config.ways;
    } else if (sets_zoom(s) == SETS_SETS) {
        const int width =
            app_max_int(1, k->cell_width(a, part, cell_tier(a, k, part, c, w - label)));
        way = s->way_top + (uint64_t)(app_max_int(0, x - label) / width);
    } else {
        set = ((uint64_t)row * (uint64_t)s->columns +
               (uint64_t)app_clamp(x - label, 0, s->columns - 1))
              << heat_shift(s);
    }
    s->has_cursor = true;
    s->set = (uint32_t)(set < c->config.sets ? set : c->config.sets - 1);
    s->way = (uint32_t)(way < c->config.ways ? way : c->config.ways - 1);
}

/* The set that a row begins with. */
static uint32_t set_of_row(const struct sets_state *s, const struct cache *c, int64_t row)
{
    const uint64_t set = sets_zoom(s) == SETS_WAYS ? (uint64_t)row / c->config.ways
                         : sets_zoom(s) == SETS_SETS
                             ? (uint64_t)row
                             : ((uint64_t)row * (uint64_t)s->columns) << heat_shift(s);
    return (uint32_t)(set < c->config.sets ? set : c->config.sets - 1);
}

void sets_scale(struct app *a, enum hw_part part, int by)
{
    struct sets_state *s = &a->hw.sets[part];
    const struct cache *c = shown_part(a, part);
    if (!c) {
        return;
    }
    const uint32_t first = set_of_row(s, c, s->top);
    const int zoom = app_clamp(sets_zoom(s) + by, 0, app_max_int(SETS_HEAT, s->most));
    s->zoom = zoom == s->fitted ? -1 : zoom;
    s->top = row_of_set(s, c, first); /* what is seen stays in view */
}

enum hw_part sets_turn(const struct app *a, enum hw_part first, enum hw_part last,
                       enum hw_part part, int by)
{
    const int nr = (int)last - (int)first + 1;
    for (int i = 1; i <= nr; i++) {
        const int next = (int)first + ((int)part - (int)first + by * i % nr + nr) % nr;
        if (shown_part(a, (enum hw_part)next)) {
            return (enum hw_part)next;
        }
    }
    return part;
}
