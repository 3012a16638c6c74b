/* The map of physical memory: a cell is a page, or a power of two of pages.
 *
 * Each zone begins on a row of its own; a row holds a power of two of cells, so that
 * buddies stand where their numbers put them. Cells of one page show blocks: the first
 * page of a free block shows its order, an allocated one the letter of its pageblock's
 * type, the rest of a block a line.
 *
 * Cells of several pages: all free a dot; all allocated the type's letter on its colour;
 * in part the letter small; p some on per-CPU lists; reserved a hatching; nothing where
 * there is no memory.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pane.h"

#include <stdio.h>

enum { MAX_SHIFT = 30 };

struct map_row {
    int zone;       /* -1: past the end */
    uint64_t first; /* page of the first cell */
};

/* The label: the zone's name in its first row, the row's first page in the others. */
static int label_cols(const struct app *a)
{
    int digits = 1;
    for (uint64_t n = machine_max_pfn(a->model.m); n >= 16; n >>= 4) {
        digits++;
    }
    return app_max_int(8, digits + 1);
}

static int map_columns(const struct app *a, int w)
{
    int cols = 8;
    while (2 * cols + label_cols(a) <= w) {
        cols *= 2;
    }
    return cols;
}

static int shift_of(const struct app *a)
{
    return a->map.shift >= 0 ? a->map.shift : a->map.fitted_shift;
}

static uint64_t row_pages(const struct app *a, int shift)
{
    return (uint64_t)a->map.columns << shift;
}

static int64_t zone_row_count(const struct app *a, uint32_t zone, int shift)
{
    struct zone_view z = zone_view(a->model.m, zone);
    uint64_t pages = row_pages(a, shift), first = z.start_pfn & ~(pages - 1);
    return (int64_t)((z.start_pfn + z.spanned - first + pages - 1) / pages);
}

static int64_t row_count(const struct app *a, int shift)
{
    int64_t n = 0;
    for (uint32_t z = 0; z < machine_nr_zones(a->model.m); z++) {
        n += zone_row_count(a, z, shift);
    }
    return n;
}

static struct map_row row_at(const struct app *a, int64_t row)
{
    int shift = shift_of(a);
    for (uint32_t z = 0; z < machine_nr_zones(a->model.m); z++) {
        int64_t n = zone_row_count(a, z, shift);
        if (row < n) {
            uint64_t pages = row_pages(a, shift);
            uint64_t first = zone_view(a->model.m, z).start_pfn & ~(pages - 1);
            return (struct map_row){(int)z, first + (uint64_t)row * pages};
        }
        row -= n;
    }
    return (struct map_row){-1, 0};
}

static int64_t row_of_pfn(const struct app *a, uint64_t p)
{
    int shift = shift_of(a);
    int64_t before = 0;
    for (uint32_t z = 0; z < machine_nr_zones(a->model.m); z++) {
        struct zone_view v = zone_view(a->model.m, z);
        uint64_t pages = row_pages(a, shift), first = v.start_pfn & ~(pages - 1);
        if (p < v.start_pfn + v.spanned) {
            return before + (p > first ? (int64_t)((p - first) / pages) : 0);
        }
        before += zone_row_count(a, z, shift);
    }
    return before > 0 ? before - 1 : 0;
}

static void fit(struct app *a, int w, int h)
{
    struct map_state *s = &a->map;
    int rows = app_max_int(1, h - 1); /* the legend */
    s->columns = map_columns(a, w);
    s->rows = rows;
    s->fitted_shift = 0;
    while (s->fitted_shift < MAX_SHIFT && row_count(a, s->fitted_shift) > rows) {
        s->fitted_shift++;
    }
    if (s->shift >= s->fitted_shift) {
        s->shift = -1;
    }
    int64_t nr = row_count(a, shift_of(a));
    if (s->shift < 0) {
        s->top = 0;
    } else if (s->has_cursor) {
        int64_t row = row_of_pfn(a, s->cursor);
        if (row < s->top) {
            s->top = row;
        } else if (row >= s->top + rows) {
            s->top = row - rows + 1;
        }
    }
    if (s->top > nr - rows) {
        s->top = nr - rows;
    }
    if (s->top < 0) {
        s->top = 0;
    }
}

struct look_of_cell {
    uint32_t ch;
    int style;
};

static enum migratetype most(const uint64_t by_type[MIGRATE_TYPES])
{
    enum migratetype best = MIGRATE_UNMOVABLE;
    for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
        if (by_type[mt] > by_type[best]) {
            best = (enum migratetype)mt;
        }
    }
    return best;
}

static struct look_of_cell page_look(const struct app *a, uint64_t p)
{
    struct page_view v = page_view(a->model.m, pfn(p));
    const struct glyphs *gl = a->glyphs;
    bool head = v.head == p;
    static const char orders[] = "0123456789A";
    switch (v.state) {
    case PAGE_HOLE:
        return (struct look_of_cell){gl->tile_hole, ST_HOLE};
    case PAGE_RESERVED:
        return (struct look_of_cell){gl->tile_reserved, ST_RESERVED};
    case PAGE_FREE:
        return (struct look_of_cell){head && v.order < sizeof orders - 1
                                         ? (uint32_t)orders[v.order]
                                         : gl->tile_free,
                                     type_style(v.type)};
    case PAGE_PCP:
        return (struct look_of_cell){head ? 'p' : gl->tile_body, ST_PCP};
    default:
        return (struct look_of_cell){head ? (uint32_t)type_letter(v.type) : gl->tile_body,
                                     type_tile_style(v.type)};
    }
}

static struct look_of_cell cell_look(const struct app *a, const struct pagemap_cell *c)
{
    const struct glyphs *gl = a->glyphs;
    uint64_t free = c->nr[PAGE_FREE], used = c->nr[PAGE_ALLOCATED], pcp = c->nr[PAGE_PCP];
    uint64_t reserved = c->nr[PAGE_RESERVED], managed = free + used + pcp;
    if (!managed && !reserved) {
        return (struct look_of_cell){gl->tile_hole, ST_HOLE};
    }
    if (!managed || (!used && !pcp && reserved > free)) {
        return (struct look_of_cell){gl->tile_reserved, ST_RESERVED};
    }
    if (used) {
        enum migratetype mt = most(c->alloc_by_type);
        bool whole = used >= free + pcp;
        uint32_t letter = (uint32_t)type_letter(mt);
        return (struct look_of_cell){whole ? letter : letter | 32,
                                     whole ? type_tile_style(mt) : type_style(mt)};
    }
    if (pcp) {
        return (struct look_of_cell){'p', ST_PCP};
    }
    return (struct look_of_cell){gl->tile_free, type_style(most(c->free_by_type))};
}

static void draw_row(const struct app *a, struct grid *g, struct rect r, int y,
                     int64_t row, bool focused)
{
    struct map_row mr = row_at(a, row);
    if (mr.zone < 0) {
        return;
    }
    int shift = shift_of(a);
    struct zone_view z = zone_view(a->model.m, (uint32_t)mr.zone);
    bool first = row == 0 || row_at(a, row - 1).zone != mr.zone;
    int cells = r.x + label_cols(a);
    if (first) {
        grid_text_cut(g, r.x, y, 7, z.name, 0,
                      (uint32_t)mr.zone == a->zone ? ST_FOCUS : ST_BRIGHT, 0);
    } else {
        char label[24];
        snprintf(label, sizeof label, "%llx", (unsigned long long)mr.first);
        grid_text(g, cells - 1 - text_width(label), y, label, ST_FAINT, 0);
    }
    for (int i = 0; i < a->map.columns; i++) {
        uint64_t p = mr.first + ((uint64_t)i << shift), size = (uint64_t)1 << shift;
        if (p + size <= z.start_pfn || p >= z.start_pfn + z.spanned) {
            continue;
        }
        struct look_of_cell look;
        bool changed = model_pfn_changed(&a->model, p, (uint32_t)shift);
        if (shift == 0 || !a->pagemap) {
            look = page_look(a, p);
        } else {
            struct pagemap_cell c = pagemap_cell(a->pagemap, p, (uint32_t)shift);
            look = cell_look(a, &c);
            changed = changed || c.changed;
        }
        bool cursor = focused && a->map.has_cursor && a->map.cursor >= p &&
                      a->map.cursor < p + size;
        bool lit = a->hw.has_lit && a->hw.lit >= p && a->hw.lit < p + size;
        int marks = (changed ? MARK_CHANGED : 0) | (cursor || lit ? MARK_SELECTED : 0);
        grid_put(g, cells + i, y, look.ch, look.style, marks);
    }
}

/* A word of the legend, if there is room for it: the tile is the first letter of the
 * word, or stands before it. */
static int legend(struct grid *g, int x, int y, int end, uint32_t tile, int style,
                  const char *word)
{
    if (x + 1 + text_width(word) > end) {
        return x;
    }
    x += grid_put(g, x, y, tile, style, 0);
    return grid_text(g, x, y, word, ST_DIM, 0) + 1;
}

static void draw_legend(const struct app *a, struct grid *g, struct rect r, int y)
{
    int shift = shift_of(a), end = r.x + r.w;
    char size[28];
    int x = grid_printf(g, r.x, y, ST_NORMAL, 0,
                        "cell %s:", bytes_text(size, (uint64_t)PAGE_SIZE << shift)) +
            1;
    x = legend(g, x, y, end, a->glyphs->tile_free, ST_FREE,
               shift ? "free" : "free (digit: order)");
    for (int mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
        const char *name = type_name((enum migratetype)mt) + 1;
        x = legend(g, x, y, end, (uint32_t)type_letter((enum migratetype)mt),
                   type_tile_style((enum migratetype)mt), name);
    }
    x = legend(g, x, y, end, 'p', ST_PCP, "er-CPU");
    x = legend(g, x, y, end, a->glyphs->tile_reserved, ST_RESERVED, "reserved");
    if (shift) {
        x = legend(g, x, y, end, 'u', ST_UNMOVABLE, " small: in part");
    }
    legend(g, x, y, end, 'H', ST_HIGHATOMIC_TILE, "ighAtomic");
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    int64_t nr = row_count(a, shift_of(a));
    for (int i = 0; i < r.h - 1; i++) {
        draw_row(a, g, r, r.y + i, a->map.top + i, focused);
    }
    draw_legend(a, g, r, r.y + r.h - 1);
    struct rect cells = {r.x, r.y, r.w, r.h - 1};
    int top = a->map.top > 1 << 30 ? 1 << 30 : (int)a->map.top;
    pane_more(a, g, cells, top, nr > 1 << 30 ? 1 << 30 : (int)nr);
}

static void move(struct app *a, int64_t cells, int64_t rows)
{
    struct map_state *s = &a->map;
    int shift = shift_of(a);
    if (!s->has_cursor) {
        s->has_cursor = true;
        s->cursor = zone_view(a->model.m, a->zone).start_pfn;
        return;
    }
    uint64_t pages = row_pages(a, shift),
             column = (s->cursor & (pages - 1)) >> shift << shift;
    int64_t row = row_of_pfn(a, s->cursor) + rows, nr = row_count(a, shift);
    if (rows) {
        row = row < 0 ? 0 : row >= nr ? nr - 1 : row;
        s->cursor = row_at(a, row).first + column;
    }
    if (cells) {
        int64_t step = cells * ((int64_t)1 << shift);
        s->cursor =
            step < 0 && s->cursor < (uint64_t)-step ? 0 : s->cursor + (uint64_t)step;
    }
    struct map_row mr = row_at(a, row_of_pfn(a, s->cursor));
    if (mr.zone < 0) {
        return;
    }
    struct zone_view z =
        zone_view(a->model.m, (uint32_t)mr.zone); /* stay on memory that a zone spans */
    if (s->cursor < z.start_pfn) {
        s->cursor = z.start_pfn;
    } else if (s->cursor >= z.start_pfn + z.spanned) {
        s->cursor = z.start_pfn + z.spanned - 1;
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    switch (k) {
    case K_UP:
    case 'k':
        move(a, 0, -1);
        return true;
    case K_DOWN:
    case 'j':
        move(a, 0, 1);
        return true;
    case K_LEFT:
    case 'h':
        move(a, -1, 0);
        return true;
    case K_RIGHT:
    case 'l':
        move(a, 1, 0);
        return true;
    case K_PAGE_UP:
        move(a, 0, -app_max_int(1, h - 2));
        return true;
    case K_PAGE_DOWN:
        move(a, 0, app_max_int(1, h - 2));
        return true;
    case K_HOME:
        a->map.has_cursor = true;
        a->map.cursor = zone_view(a->model.m, 0).start_pfn;
        return true;
    case K_END:
        a->map.has_cursor = false;
        return true;
    default:
        return false;
    }
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)w;
    struct map_row mr = row_at(a, a->map.top + y);
    if (y >= h - 1 || mr.zone < 0 || x < label_cols(a) ||
        x >= label_cols(a) + a->map.columns) {
        return;
    }
    a->map.has_cursor = true;
    a->map.cursor = mr.first + ((uint64_t)(x - label_cols(a)) << shift_of(a));
    move(a, 0, 0);
}

static void title(const struct app *a, char *buf, size_t size)
{
    if (a->map.has_cursor) {
        snprintf(buf, size, PFN_FORMAT, (unsigned long long)a->map.cursor);
    } else {
        int n = snprintf(buf, size, "%d page%s a cell", 1 << app_min_int(shift_of(a), 30),
                         shift_of(a) ? "s" : "");
        (void)n;
    }
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    *p = a->map.cursor;
    return a->map.has_cursor;
}

static char *details(struct app *a, char *name, size_t size)
{
    if (!a->map.has_cursor) {
        move(a, 0, 0);
    }
    int shift = shift_of(a);
    if (shift == 0 || !a->pagemap) {
        return page_details(a, a->map.cursor, name, size);
    }
    uint64_t first = a->map.cursor & ~(((uint64_t)1 << shift) - 1);
    struct pagemap_cell c = pagemap_cell(a->pagemap, first, (uint32_t)shift);
    struct text_buf b = {0};
    char bytes[28];
    snprintf(name, size, "Pages " PFN_FORMAT " to " PFN_FORMAT, (unsigned long long)first,
             (unsigned long long)(first + ((uint64_t)1 << shift) - 1));
    text_add(&b, "%s of memory:\n\n", bytes_text(bytes, (uint64_t)PAGE_SIZE << shift));
    static const char *const states[NR_PAGE_STATES] = {
        "where there is no memory", "reserved", "free", "on per-CPU lists", "allocated"};
    for (int i = 0; i < NR_PAGE_STATES; i++) {
        if (c.nr[i]) {
            text_add(&b, POPUP_TEXT_KEY "%8llu" POPUP_TEXT_NORMAL " pages %s\n",
                     (unsigned long long)c.nr[i], states[i]);
        }
    }
    text_add(&b, "\n");
    for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
        if (c.free_by_type[mt] || c.alloc_by_type[mt]) {
            text_add(&b, "%12s: %llu free, %llu allocated\n",
                     type_name((enum migratetype)mt),
                     (unsigned long long)c.free_by_type[mt],
                     (unsigned long long)c.alloc_by_type[mt]);
        }
    }
    text_add(&b, "\n" POPUP_TEXT_KEY "+" POPUP_TEXT_NORMAL
                 " zooms in, down to single pages; " POPUP_TEXT_KEY "-" POPUP_TEXT_NORMAL
                 " out again.\n");
    return b.text;
}

static bool changed(const struct app *a) { return a->model.nr_changed > 0; }

const struct pane_kind pane_physmap = {
    .name = "Memory",
    .short_name = "Map",
    .about = "All physical memory. + and - zoom, down to single pages; a letter is an "
             "allocated page of that type.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .columns = true,
};
