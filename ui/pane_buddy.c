/* The free lists of a zone: orders by migratetypes, and the chain of the selected type's
 * blocks.
 *
 *   order  Unmov Movab Recla HiAto Isol. | Unmovable, from the head
 *       0      3     .     .     .     . | 1c04 1c08 1c20
 *
 * A number is how many blocks; a chain shows their first pages in the order of the list.
 * What the last step changed is lit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pane.h"

#include <stdio.h>

enum { TYPE_COLS = 6, ORDER_COLS = 4 };

struct geometry {
    int nr_types;   /* a narrow pane has no column for the empty type Isolate */
    int type_cols;  /* columns of one type */
    int chain_x;    /* where the chain begins */
    int chain_cols; /* of one block */
    int chain_nr;   /* blocks that are seen in a row */
    int digits;     /* of a page frame number */
};

static int hex_digits(uint64_t n)
{
    int d = 1;
    for (; n >= 16; n >>= 4) {
        d++;
    }
    return d;
}

static bool has_isolated(const struct app *a)
{
    uint64_t n = 0;
    for (int order = 0; a->zone < MODEL_MAX_ZONES && order < MAX_ORDER; order++) {
        n += a->model.now[a->zone].buddy[order][MIGRATE_ISOLATE];
    }
    return n > 0;
}

static struct geometry geometry(const struct app *a, int w)
{
    struct geometry g = {.type_cols = w >= 56 ? TYPE_COLS : TYPE_COLS - 1};
    g.nr_types = w >= 56 || has_isolated(a) ? MIGRATE_TYPES : MIGRATE_ISOLATE;
    g.digits = hex_digits(machine_max_pfn(a->model.m));
    g.chain_cols = g.digits + 1;
    g.chain_x = ORDER_COLS + g.nr_types * g.type_cols + 2;
    g.chain_nr = app_max_int(0, (w - g.chain_x) / g.chain_cols);
    return g;
}

static int nr_orders(const struct app *a)
{
    return app_clamp((int)a->model.m->config.max_order, 1, MAX_ORDER);
}

/* The type whose chains are seen: the cursor's, or that of what happened last. */
static enum migratetype shown_type(const struct app *a)
{
    return (enum migratetype)a->buddy.mt;
}

static uint64_t nth_block(const struct app *a, int order, enum migratetype mt, int64_t n)
{
    pfn_t p = freelist_first(a->model.m, a->zone, (uint32_t)order, mt);
    for (; n > 0 && !pfn_is_none(p); n--) {
        p = freelist_next(a->model.m, p);
    }
    return p.v;
}

static bool count_changed(const struct app *a, int order, int mt)
{
    const struct model *md = &a->model;
    return a->zone < MODEL_MAX_ZONES &&
           md->now[a->zone].buddy[order][mt] != md->before[a->zone].buddy[order][mt];
}

static void draw_chain(const struct app *a, struct grid *g, struct rect r, int y,
                       int order, bool focused, const struct geometry *geo)
{
    const struct buddy_state *b = &a->buddy;
    enum migratetype mt = shown_type(a);
    uint64_t count = freelist_count(a->model.m, a->zone, (uint32_t)order, mt);
    bool here = b->has_cursor && b->order == order && b->chain >= 0;
    int64_t skip = here ? b->chain_top : 0;
    pfn_t p = pfn(nth_block(a, order, mt, skip));
    int x = r.x + geo->chain_x;
    if (skip) {
        grid_put(g, x - 1, y, a->glyphs->back, ST_HINT_KEY, 0);
    }
    for (int i = 0; i < geo->chain_nr && !pfn_is_none(p); i++) {
        int marks =
            (model_pfn_changed(&a->model, p.v, (uint32_t)order) ? MARK_CHANGED : 0) |
            (here && focused && b->chain == skip + i ? MARK_SELECTED : 0);
        bool last = i + 1 == geo->chain_nr && count > (uint64_t)(skip + i + 1);
        int style = type_style(mt);
        grid_printf(g, x, y, style, marks, "%0*llx", geo->digits,
                    (unsigned long long)p.v);
        if (last) {
            grid_put(g, x + geo->digits, y, a->glyphs->more, ST_DIM, 0);
        }
        x += geo->chain_cols;
        p = freelist_next(a->model.m, p);
    }
}

static void draw_count(const struct app *a, struct grid *g, int x, int y, int w,
                       int order, int mt, bool focused)
{
    const struct buddy_state *b = &a->buddy;
    uint64_t n =
        freelist_count(a->model.m, a->zone, (uint32_t)order, (enum migratetype)mt);
    bool selected =
        focused && b->has_cursor && b->chain < 0 && b->order == order && b->mt == mt;
    int marks =
        (count_changed(a, order, mt) ? MARK_CHANGED : 0) | (selected ? MARK_SELECTED : 0);
    char text[24];
    int len = n ? snprintf(text, sizeof text, "%llu", (unsigned long long)n) : 1;
    if (len > w - 1) {
        len = snprintf(text, sizeof text, "%lluk", (unsigned long long)(n / 1000));
    }
    if (n) {
        grid_text(g, x + w - len, y, text, type_style((enum migratetype)mt), marks);
    } else {
        grid_put(g, x + w - 1, y, a->glyphs->dot, ST_FAINT, marks);
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    struct geometry geo = geometry(a, r.w);
    grid_text(g, r.x, r.y, "ord", ST_DIM, 0);
    for (int mt = 0; mt < geo.nr_types; mt++) {
        int end = r.x + ORDER_COLS + (mt + 1) * geo.type_cols;
        char name[16];
        snprintf(name, sizeof name, "%.*s", geo.type_cols - 1,
                 type_short((enum migratetype)mt));
        grid_text(g, end - text_width(name), r.y, name, type_style((enum migratetype)mt),
                  mt == a->buddy.mt ? MARK_BOLD : 0);
    }
    int rule = r.x + geo.chain_x - 2;
    if (geo.chain_nr > 0) {
        grid_vline(g, rule, r.y, app_min_int(r.h, nr_orders(a) + 1), a->glyphs->vline,
                   ST_FAINT);
        char head[64];
        snprintf(head, sizeof head,
                 r.w - geo.chain_x > 24 ? "%s blocks, head first" : "%s",
                 type_name(shown_type(a)));
        grid_text_cut(g, r.x + geo.chain_x, r.y, r.w - geo.chain_x, head, a->glyphs->more,
                      type_style(shown_type(a)), 0);
    }
    int nr = nr_orders(a), rows = r.h - 1, top = 0;
    if (rows < nr) {
        top = app_clamp(a->buddy.order - rows / 2, 0, nr - rows);
    }
    for (int row = 0; row < rows && top + row < nr; row++) {
        int order = top + row, y = r.y + 1 + row;
        grid_printf(g, r.x, y, ST_DIM, 0, "%3d", order);
        for (int mt = 0; mt < geo.nr_types; mt++) {
            draw_count(a, g, r.x + ORDER_COLS + mt * geo.type_cols, y, geo.type_cols,
                       order, mt, focused);
        }
        draw_chain(a, g, r, y, order, focused, &geo);
    }
    pane_more(a, g, (struct rect){r.x, r.y + 1, r.w, rows}, top, nr);
    if (r.h > nr + 2) {
        char n[28], size[28];
        struct zone_view z = zone_view(a->model.m, a->zone);
        grid_printf(g, r.x, r.y + nr + 2, ST_DIM, 0,
                    "%s pages free, %s; a block of order n is 2^n pages",
                    thousands(n, z.free), bytes_text(size, z.free << PAGE_SHIFT));
    }
}

static void fit(struct app *a, int w, int h)
{
    (void)h;
    struct buddy_state *b = &a->buddy;
    if (!b->has_cursor || b->chain < 0) {
        b->chain_top = 0;
        return;
    }
    struct geometry geo = geometry(a, w);
    int64_t count =
        (int64_t)freelist_count(a->model.m, a->zone, (uint32_t)b->order, shown_type(a));
    if (b->chain >= count) {
        b->chain = count - 1;
    }
    if (b->chain < b->chain_top) {
        b->chain_top = b->chain;
    } else if (b->chain >= b->chain_top + geo.chain_nr) {
        b->chain_top = b->chain - app_max_int(1, geo.chain_nr) + 1;
    }
    b->chain_top = b->chain_top < 0 ? 0 : b->chain_top;
}

static void move_chain(struct app *a, int64_t by)
{
    struct buddy_state *b = &a->buddy;
    int64_t count =
        (int64_t)freelist_count(a->model.m, a->zone, (uint32_t)b->order, shown_type(a));
    int64_t to = b->chain + by;
    b->chain = to < 0 ? -1 : to >= count ? count - 1 : to;
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)h;
    struct buddy_state *b = &a->buddy;
    int nr = nr_orders(a);
    struct geometry geo = geometry(a, w);
    bool was = b->has_cursor;
    switch (k) {
    case K_UP:
    case 'k':
        b->order = was ? app_max_int(0, b->order - 1) : nr - 1;
        break;
    case K_DOWN:
    case 'j':
        b->order = was ? app_min_int(nr - 1, b->order + 1) : 0;
        break;
    case K_LEFT:
    case 'h':
        if (b->chain >= 0) {
            move_chain(a, -1);
        } else {
            b->mt = app_max_int(0, b->mt - 1);
        }
        break;
    case K_RIGHT:
    case 'l':
        if (b->chain >= 0) {
            move_chain(a, 1);
        } else {
            b->mt = app_min_int(geo.nr_types - 1, b->mt + 1);
        }
        break;
    case K_PAGE_UP:
    case K_PAGE_DOWN:
        move_chain(a, k == K_PAGE_UP ? -geo.chain_nr : geo.chain_nr);
        break;
    case K_HOME:
        b->chain = -1;
        b->order = 0;
        break;
    case K_END:
        b->has_cursor = false;
        b->chain = -1;
        return true;
    case K_ENTER: /* into the chain first; on a block the details tell about its page */
        if (!was || b->chain >= 0 ||
            !freelist_count(a->model.m, a->zone, (uint32_t)b->order, shown_type(a))) {
            return false;
        }
        b->chain = 0;
        return true;
    default:
        return false;
    }
    if (k == K_UP || k == K_DOWN || k == 'k' || k == 'j') {
        b->chain = b->chain >= 0 ? 0 : -1;
        b->chain_top = 0;
        if (b->chain == 0 &&
            !freelist_count(a->model.m, a->zone, (uint32_t)b->order, shown_type(a))) {
            b->chain = -1;
        }
    }
    b->has_cursor = true;
    return true;
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)h;
    struct geometry geo = geometry(a, w);
    struct buddy_state *b = &a->buddy;
    if (y < 1 || y > nr_orders(a) || x < ORDER_COLS) {
        return;
    }
    b->has_cursor = true;
    b->order = y - 1;
    b->chain = -1;
    b->chain_top = 0;
    if (x < geo.chain_x - 1) {
        b->mt = app_clamp((x - ORDER_COLS) / geo.type_cols, 0, geo.nr_types - 1);
    } else {
        move_chain(a, (x - geo.chain_x) / geo.chain_cols + 1);
    }
}

static void title(const struct app *a, char *buf, size_t size)
{
    snprintf(buf, size, "%s", zone_view(a->model.m, a->zone).name);
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const struct buddy_state *b = &a->buddy;
    if (!b->has_cursor || b->chain < 0) {
        return false;
    }
    *p = nth_block(a, b->order, shown_type(a), b->chain);
    return *p != PFN_NONE;
}

static char *details(struct app *a, char *name, size_t size)
{
    uint64_t p;
    if (selected_pfn(a, &p)) {
        return page_details(a, p, name, size);
    }
    const struct buddy_state *b = &a->buddy;
    struct text_buf t = {0};
    enum migratetype mt = shown_type(a);
    int order = b->has_cursor ? b->order : 0;
    uint64_t n = freelist_count(a->model.m, a->zone, (uint32_t)order, mt);
    char block[28], all[28];
    struct zone_view z = zone_view(a->model.m, a->zone);
    snprintf(name, size, "%s, order %d, %s", z.name, order, type_name(mt));
    text_add(&t,
             "free_area[%d].free_list[%s] of zone %s holds " POPUP_TEXT_KEY
             "%llu" POPUP_TEXT_NORMAL
             " free block%s of 2^%d = %d pages (%s each, %s in all).\n\n",
             order, type_name(mt), z.name, (unsigned long long)n, n == 1 ? "" : "s",
             order, 1 << order, bytes_text(block, (uint64_t)PAGE_SIZE << order),
             bytes_text(all, (n << order) << PAGE_SHIFT));
    text_add(&t, "A request takes the block at the head of the list of its order; if the "
                 "list is empty, one of the "
                 "next order is halved, and so on. A block that is given back joins its "
                 "buddy when that is free.\n\n");
    text_add(&t, POPUP_TEXT_KEY "Enter" POPUP_TEXT_NORMAL
                                " goes into the chain of blocks, " POPUP_TEXT_KEY
                                "[ ]" POPUP_TEXT_NORMAL " to another zone.\n");
    return t.text;
}

static bool changed(const struct app *a)
{
    for (int order = 0; order < nr_orders(a); order++) {
        for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
            if (count_changed(a, order, mt)) {
                return true;
            }
        }
    }
    return false;
}

const struct pane_kind pane_buddy = {
    .name = "Free lists",
    .short_name = "Free",
    .about = "The buddy system of one zone: how many blocks of each order and "
             "migratetype are free, and which.",
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
