/* The per-CPU lists of a zone, from the hot end, where pages are taken and put, to the
 * cold one.
 *
 *   order type        count   hot -> cold
 *       0 Unmovable      12   1c04 1c05 1c06 ...
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pane.h"

#include <stdio.h>

enum { CHAIN_X = 20 };

struct geometry {
    int digits, cols, nr;
};

static struct geometry geometry(const struct app *a, int w)
{
    struct geometry g = {.digits = 1};
    for (uint64_t n = machine_max_pfn(a->model.m); n >= 16; n >>= 4) {
        g.digits++;
    }
    g.cols = g.digits + 1;
    g.nr = app_max_int(1, (w - CHAIN_X) / g.cols);
    return g;
}

static uint32_t list_count(const struct app *a, int list)
{
    return pcp_list_count(a->model.m, a->zone, a->cpu, (uint32_t)list);
}

static uint64_t nth_page(const struct app *a, int list, int64_t n)
{
    pfn_t p = pcp_list_first(a->model.m, a->zone, a->cpu, (uint32_t)list);
    for (; n > 0 && !pfn_is_none(p); n--) {
        p = pcp_list_next(a->model.m, p);
    }
    return p.v;
}

static bool list_changed(const struct app *a, int list)
{
    const struct model *md = &a->model;
    return a->zone < MODEL_MAX_ZONES &&
           md->now[a->zone].pcp[list] != md->before[a->zone].pcp[list];
}

static int top_row(const struct app *a, int h)
{
    int row = a->pcp.list; /* the cursor's, or that of what happened last */
    return row >= h ? row - h + 1 : 0;
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct pcp_state *s = &a->pcp;
    struct geometry geo = geometry(a, r.w);
    struct pcp_view v = pcp_view(a->model.m, a->zone, a->cpu);
    const struct model *md = &a->model;
    bool moved = a->zone < MODEL_MAX_ZONES &&
                 md->now[a->zone].pcp_count != md->before[a->zone].pcp_count;
    int x =
        grid_printf(g, r.x + 1, r.y, ST_NORMAL, moved ? MARK_CHANGED : 0, "%u", v.count);
    x = grid_printf(g, x, r.y, ST_DIM, 0, " pages, high %u, batch %u", v.high, v.batch);
    if (v.free_factor) {
        x = grid_printf(g, x, r.y, ST_DIM, 0, ", free_factor %u", v.free_factor);
    }
    if (v.locked) {
        grid_text(g, x, r.y, ", locked", ST_WARN, 0);
    } else if (r.w - (x - r.x) > 24) {
        grid_printf(g, r.x + CHAIN_X, r.y, ST_DIM, 0, "%s",
                    x - r.x < CHAIN_X - 1 ? "hot end first" : "");
    }
    int rows = r.h - 1, top = top_row(a, rows);
    for (int row = 0; row < rows && top + row < NR_PCP_LISTS; row++) {
        int list = top + row, y = r.y + 1 + row;
        int order = list / MIGRATE_PCPTYPES;
        enum migratetype mt = (enum migratetype)(list % MIGRATE_PCPTYPES);
        uint32_t count = list_count(a, list);
        bool cursor = s->has_cursor && s->list == list;
        int marks = (list_changed(a, list) ? MARK_CHANGED : 0) |
                    (focused && cursor && s->chain < 0 ? MARK_SELECTED : 0);
        grid_printf(g, r.x + 1, y, ST_DIM, 0, "%d", order);
        grid_text(g, r.x + 3, y, type_name(mt), type_style(mt), 0);
        if (count) {
            char n[16];
            int len = snprintf(n, sizeof n, "%u", count);
            grid_text(g, r.x + 19 - len, y, n, type_style(mt), marks);
        } else {
            grid_put(g, r.x + 18, y, a->glyphs->dot, ST_FAINT, marks);
        }
        int64_t skip = cursor && s->chain >= 0 ? s->chain_top : 0;
        if (skip) {
            grid_put(g, r.x + CHAIN_X - 1, y, a->glyphs->back, ST_HINT_KEY, 0);
        }
        pfn_t p = pfn(nth_page(a, list, skip));
        for (int i = 0; i < geo.nr && !pfn_is_none(p); i++) {
            int px = r.x + CHAIN_X + i * geo.cols;
            int pm =
                (model_pfn_changed(&a->model, p.v, (uint32_t)order) ? MARK_CHANGED : 0) |
                (focused && cursor && s->chain == skip + i ? MARK_SELECTED : 0);
            grid_printf(g, px, y, type_style(mt), pm, "%0*llx", geo.digits,
                        (unsigned long long)p.v);
            if (i + 1 == geo.nr && count > (uint64_t)(skip + i + 1)) {
                grid_put(g, px + geo.digits, y, a->glyphs->more, ST_DIM, 0);
            }
            p = pcp_list_next(a->model.m, p);
        }
    }
    pane_more(a, g, (struct rect){r.x, r.y + 1, r.w, rows}, top, NR_PCP_LISTS);
}

static void fit(struct app *a, int w, int h)
{
    (void)h;
    struct pcp_state *s = &a->pcp;
    if (!s->has_cursor || s->chain < 0) {
        s->chain_top = 0;
        return;
    }
    struct geometry geo = geometry(a, w);
    int64_t count = (int64_t)list_count(a, s->list);
    s->chain = s->chain >= count ? count - 1 : s->chain;
    if (s->chain < s->chain_top) {
        s->chain_top = s->chain;
    } else if (s->chain >= s->chain_top + geo.nr) {
        s->chain_top = s->chain - geo.nr + 1;
    }
    s->chain_top = s->chain_top < 0 ? 0 : s->chain_top;
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w, (void)h;
    struct pcp_state *s = &a->pcp;
    int64_t count = (int64_t)list_count(a, s->list);
    switch (k) {
    case K_UP:
    case 'k':
        s->list = s->has_cursor ? app_max_int(0, s->list - 1) : NR_PCP_LISTS - 1;
        s->chain = -1;
        break;
    case K_DOWN:
    case 'j':
        s->list = s->has_cursor ? app_min_int(NR_PCP_LISTS - 1, s->list + 1) : 0;
        s->chain = -1;
        break;
    case K_RIGHT:
    case 'l':
        s->chain = s->chain + 1 < count ? s->chain + 1 : count - 1;
        break;
    case K_LEFT:
    case 'h':
        s->chain = s->chain > -1 ? s->chain - 1 : -1;
        break;
    case K_HOME:
        s->list = 0;
        s->chain = -1;
        break;
    case K_END:
        s->has_cursor = false;
        s->chain = -1;
        return true;
    default:
        return false;
    }
    s->has_cursor = true;
    return true;
}

static void click(struct app *a, int x, int y, int w, int h)
{
    struct pcp_state *s = &a->pcp;
    int list = top_row(a, h - 1) + y - 1;
    if (y < 1 || list >= NR_PCP_LISTS) {
        return;
    }
    int64_t count = (int64_t)list_count(a, list),
            at = (x - CHAIN_X) / geometry(a, w).cols;
    s->has_cursor = true;
    s->list = list;
    s->chain = x < CHAIN_X ? -1 : at < count ? at : count - 1;
}

static void title(const struct app *a, char *buf, size_t size)
{
    snprintf(buf, size, "CPU %u, %s", a->cpu, zone_view(a->model.m, a->zone).name);
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const struct pcp_state *s = &a->pcp;
    if (!s->has_cursor || s->chain < 0) {
        return false;
    }
    *p = nth_page(a, s->list, s->chain);
    return *p != PFN_NONE;
}

static char *details(struct app *a, char *name, size_t size)
{
    uint64_t p;
    if (selected_pfn(a, &p)) {
        return page_details(a, p, name, size);
    }
    struct pcp_view v = pcp_view(a->model.m, a->zone, a->cpu);
    struct text_buf b = {0};
    snprintf(name, size, "Per-CPU lists of CPU %u in zone %s", a->cpu,
             zone_view(a->model.m, a->zone).name);
    text_add(&b,
             "Pages that CPU %u can hand out and take back without the zone's lock. A "
             "page that was freed last is "
             "probably still in the CPU's cache (hot), so it is handed out first.\n\n",
             a->cpu);
    text_add(&b,
             "There are " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " pages here. An empty list is refilled with up to "
             "batch = " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " pages at once; above high = " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " some go back to the buddy system from the cold end.\n\n",
             v.count, v.batch, v.high);
    text_add(&b, "There is a list for each migratetype and order up to 3. " POPUP_TEXT_KEY
                 "{ }" POPUP_TEXT_NORMAL " shows another CPU, " POPUP_TEXT_KEY
                 "[ ]" POPUP_TEXT_NORMAL " another zone.\n");
    return b.text;
}

static bool changed(const struct app *a)
{
    for (int list = 0; list < NR_PCP_LISTS; list++) {
        if (list_changed(a, list)) {
            return true;
        }
    }
    return false;
}

const struct pane_kind pane_pcp = {
    .name = "Per-CPU lists",
    .short_name = "Per-CPU",
    .about = "The pages that one CPU keeps for itself, from the hot end to the cold one.",
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
