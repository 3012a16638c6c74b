/* The zones: free pages against their watermarks, lowmem reserves, managed pages.
 *
 * The gauge is not linear: three quarters of it show 0 to twice the high watermark, where
 * everything happens; behind the break the rest of the zone is pressed into the last
 * quarter.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pane.h"

#include <stdio.h>

enum { NAME_COLS = 8 };

static int nr_zones(const struct app *a) { return (int)machine_nr_zones(a->model.m); }

/* Rows that a zone takes: one where there is little room, three where there is enough. */
static int zone_rows(const struct app *a, int h)
{
    int nr = app_max_int(1, nr_zones(a));
    return h >= 4 * nr - 1 ? 4 : h >= 3 * nr ? 3 : h >= 2 * nr ? 2 : 1;
}

static int scale(const struct zone_view *z, uint64_t pages, int w)
{
    uint64_t knee = 2 * z->wmark_high, whole = z->managed > knee ? z->managed : knee + 1;
    int near = w * 3 / 4;
    if (pages <= knee) {
        return knee ? (int)(pages * (uint64_t)near / knee) : 0;
    }
    uint64_t over = pages - knee;
    return near + (int)(over * (uint64_t)(w - near) / (whole - knee));
}

static void draw_gauge(const struct app *a, struct grid *g, int x, int y, int w,
                       const struct zone_view *z)
{
    int filled = scale(z, z->free, 2 * w); /* half columns */
    if (z->free && !filled) {
        filled = 1;
    }
    int style = z->free <= z->wmark_min   ? ST_GAUGE_MIN
                : z->free <= z->wmark_low ? ST_GAUGE_LOW
                                          : ST_GAUGE;
    for (int i = 0; i < w; i++) {
        uint32_t ch = 2 * i + 2 <= filled ? a->glyphs->bar
                      : 2 * i < filled    ? a->glyphs->bar_half
                                          : a->glyphs->bar_empty;
        grid_put(g, x + i, y, ch, 2 * i < filled ? style : ST_GAUGE_EMPTY, 0);
    }
    grid_put(g, x + w * 3 / 4, y, a->glyphs->bar_break,
             w * 3 / 2 < filled ? style : ST_FAINT, 0);
    const uint64_t marks[] = {z->wmark_min, z->wmark_low, z->wmark_high};
    static const char letters[] = "mlh";
    int last = -1;
    for (int i = 0; i < 3;
         i++) { /* one column each, in order, even where they would coincide */
        int at = app_max_int(scale(z, marks[i] + z->wmark_boost, w), last + 1);
        if (at < w * 3 / 4) {
            grid_put(g, x + at, y, (uint32_t)letters[i],
                     i == 0   ? ST_BAD
                     : i == 1 ? ST_WARN
                              : ST_BRIGHT,
                     0);
            last = at;
        }
    }
}

static bool free_changed(const struct app *a, int zone)
{
    const struct model *md = &a->model;
    return zone < MODEL_MAX_ZONES && md->now[zone].free != md->before[zone].free;
}

static void draw_reserves(const struct app *a, struct grid *g, int x, int y, int w,
                          const struct zone_view *z)
{
    char text[160];
    int len = 0;
    for (uint32_t i = 0; i < machine_nr_zones(a->model.m); i++) {
        struct zone_view other = zone_view(a->model.m, i);
        if (other.type > z->type && z->lowmem_reserve[other.type] &&
            len < (int)sizeof text - 40) {
            char n[28];
            len += snprintf(text + len, sizeof text - (size_t)len, "%s %s %s",
                            len ? "," : "reserve:", other.name,
                            thousands(n, z->lowmem_reserve[other.type]));
        }
    }
    if (len) {
        grid_text_cut(g, x, y, w, text, a->glyphs->more, ST_DIM, 0);
    }
}

static void draw_zone(const struct app *a, struct grid *g, struct rect r, int zone,
                      int rows, bool selected)
{
    struct zone_view z = zone_view(a->model.m, (uint32_t)zone);
    char free[28], managed[28];
    bool lit = free_changed(a, zone);
    int style = z.free <= z.wmark_min   ? ST_BAD
                : z.free <= z.wmark_low ? ST_WARN
                                        : ST_NORMAL;
    grid_text_cut(g, r.x + 1, r.y, NAME_COLS - 1, z.name, 0,
                  (uint32_t)zone == a->zone ? ST_FOCUS : ST_BRIGHT,
                  selected ? MARK_SELECTED : 0);
    thousands(free, z.free);
    thousands(managed, z.managed);
    int x = r.x + 1 + NAME_COLS;
    if (rows <= 2) { /* the gauge beside the name, the count at the end */
        int count = 16, w = r.w - NAME_COLS - count - 2;
        draw_gauge(a, g, x, r.y, w, &z);
        int cx = r.x + r.w - count;
        grid_printf(g, cx + 7 - text_width(free), r.y, style, lit ? MARK_CHANGED : 0,
                    "%s", free);
        grid_printf(g, cx + 7, r.y, ST_DIM, 0, "/%s", managed);
    } else {
        x = grid_text(g, x, r.y, free, style, lit ? MARK_CHANGED : 0);
        char size[28];
        grid_printf(g, x, r.y, ST_DIM, 0, " free of %s (%s)", managed,
                    bytes_text(size, z.managed << PAGE_SHIFT));
        draw_gauge(a, g, r.x + 1, r.y + 1, r.w - 2, &z);
    }
    if (rows >= 2) {
        int y = r.y + (rows == 2 ? 1 : 2);
        x = r.x + (rows == 2 ? 1 + NAME_COLS : 1);
        x = grid_printf(g, x, y, ST_DIM, 0, "min %llu low %llu high %llu",
                        (unsigned long long)z.wmark_min, (unsigned long long)z.wmark_low,
                        (unsigned long long)z.wmark_high);
        if (z.wmark_boost) {
            x = grid_printf(g, x, y, ST_WARN, 0, " boost %llu",
                            (unsigned long long)z.wmark_boost);
        }
        if (z.highatomic) {
            x = grid_printf(g, x, y, ST_HIGHATOMIC, 0, " highatomic %llu",
                            (unsigned long long)z.highatomic);
        }
        draw_reserves(a, g, x + 2, y, r.x + r.w - x - 3, &z);
    }
}

static int selected_zone(const struct app *a)
{
    return a->zones.selected >= 0 ? app_min_int(a->zones.selected, nr_zones(a) - 1) : -1;
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    int rows = zone_rows(a, r.h), y = r.y, nr = nr_zones(a);
    int seen = app_max_int(1, r.h / rows);
    int top = app_clamp(app_max_int(selected_zone(a), (int)a->zone) - seen + 1, 0,
                        app_max_int(0, nr - seen));
    for (int z = top; z < nr && y < r.y + r.h; z++) {
        draw_zone(a, g, (struct rect){r.x, y, r.w, rows}, z, rows,
                  focused && z == selected_zone(a));
        y += rows;
    }
    if (y < r.y + r.h) {
        const char *legend =
            "the gauge: m min, l low, h high; behind the break: the rest of the zone";
        grid_text_cut(g, r.x + 1, r.y + r.h - 1, r.w - 2, legend, a->glyphs->more, ST_DIM,
                      0);
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    bool used = pane_list_key(&a->zones, k, nr_zones(a), h, (int)a->zone);
    if (used && a->zones.selected >= 0) {
        a->zone = (uint32_t)a->zones.selected;
        a->zone_pinned = true;
    } else if (used) {
        a->zone_pinned = false;
    }
    return used;
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)x, (void)w;
    int z = y / zone_rows(a, h);
    if (z < nr_zones(a)) {
        a->zones.selected = z;
        a->zone = (uint32_t)z;
        a->zone_pinned = true;
    }
}

static char *details(struct app *a, char *name, size_t size)
{
    uint32_t zone = selected_zone(a) >= 0 ? (uint32_t)selected_zone(a) : a->zone;
    struct zone_view z = zone_view(a->model.m, zone);
    struct text_buf b = {0};
    char n[28], s[28];
    snprintf(name, size, "Zone %s", z.name);
    text_add(&b,
             "Pages " PFN_FORMAT " to " PFN_FORMAT
             ": %s spanned, %llu present, %llu managed by the allocator.\n\n",
             (unsigned long long)z.start_pfn,
             (unsigned long long)(z.start_pfn + z.spanned - 1),
             bytes_text(s, z.spanned << PAGE_SHIFT), (unsigned long long)z.present,
             (unsigned long long)z.managed);
    text_add(&b,
             POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL
                            " pages free, %llu on per-CPU lists.\n\n",
             thousands(n, z.free), (unsigned long long)z.pcp_pages);
    text_add(&b,
             POPUP_TEXT_KEY
             "min %llu" POPUP_TEXT_NORMAL
             ": below it only requests that may use the reserves are served.\n",
             (unsigned long long)z.wmark_min);
    text_add(&b,
             POPUP_TEXT_KEY
             "low %llu" POPUP_TEXT_NORMAL
             ": below it a request looks at the next zone, and kswapd is woken.\n",
             (unsigned long long)z.wmark_low);
    text_add(&b,
             POPUP_TEXT_KEY "high %llu" POPUP_TEXT_NORMAL
                            ": kswapd frees pages until there are so many.\n",
             (unsigned long long)z.wmark_high);
    if (z.wmark_boost) {
        text_add(&b,
                 POPUP_TEXT_KEY "boost %llu" POPUP_TEXT_NORMAL
                                ": added to all three since a pageblock was stolen.\n",
                 (unsigned long long)z.wmark_boost);
    }
    for (uint32_t i = 0; i < machine_nr_zones(a->model.m); i++) {
        struct zone_view other = zone_view(a->model.m, i);
        if (other.type > z.type && z.lowmem_reserve[other.type]) {
            text_add(&b,
                     "\nA request that could have had %s must leave " POPUP_TEXT_KEY
                     "%llu" POPUP_TEXT_NORMAL " pages more (lowmem_reserve).",
                     other.name, (unsigned long long)z.lowmem_reserve[other.type]);
        }
    }
    text_add(&b,
             "\n\nPer-CPU lists: batch %u, high %u. " POPUP_TEXT_KEY
             ":proc zoneinfo" POPUP_TEXT_NORMAL " shows it all.\n",
             z.pageset_batch, z.pageset_high);
    return b.text;
}

static bool changed(const struct app *a)
{
    for (int z = 0; z < nr_zones(a); z++) {
        if (free_changed(a, z)) {
            return true;
        }
    }
    return a->model.has_event && a->model.event.kind == EV_WATERMARK_TEST;
}

const struct pane_kind pane_zones = {
    .name = "Zones",
    .short_name = "Zones",
    .about = "Each zone's free pages against its watermarks min, low and high.",
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .changed = changed,
};
