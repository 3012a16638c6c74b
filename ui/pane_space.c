/* The kernel's address space: nested bars from all of it down to pages, and page-table
 * entries as rows (space_map.h).
 *
 *   user space          direct ma|vmalloc
 *   uuuuuuuuu~~uuuuuuuuuDDDDDDDDDVV...        all regions, break marks where not to scale
 *                                `-' 0xf7ffe000, 2 MiB a cell
 *   V~...                                     the region
 *   `-' 0xf7ffe000, 4 KiB a cell
 *   VV-gM-g..                                 pages: areas, guard pages, free space
 *
 * The bar at the bottom is the one that the cursor moves in. Areas are the letter of
 * their interface, small where a cell has free space too; + several kinds in a cell. Bars
 * that have no room are left out between the first and the last ones. Without a cursor
 * the place is where the last event was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "hw_focus.h"
#include "pane.h"
#include "pgtable.h"
#include "space_map.h"

/* ---- what is seen ---- */

static int words_rows(int h)
{
    return h >= 17 ? 6 : h >= 15 ? 5 : h >= 12 ? 4 : h >= 8 ? 2 : 1;
}

static int levels(const struct app *a, int w)
{
    return space_levels(a->model.m, a->hw.space.at, w);
}

/* The level that the cursor moves in. */
static int level_of(const struct app *a, int w)
{
    const int nr = levels(a, w);
    return a->hw.space.near < 0 ? nr - 2 : app_clamp(a->hw.space.near, 0, nr - 1);
}

static bool is_entries(const struct app *a, int w)
{
    return level_of(a, w) == levels(a, w) - 1;
}

/* The bars that are drawn, from the top: answers how many. */
static int bars(const struct app *a, int w, int h, int level[SPACE_MAX_LEVELS])
{
    const int nr = levels(a, w), here = level_of(a, w);
    const bool entries = here == nr - 1;
    const int deepest = entries ? nr - 2 : here;
    int most = app_clamp((h - words_rows(h)) / 2, 1, SPACE_MAX_LEVELS);
    int n = 0;
    most = entries ? app_min_int(most, most > 3 ? 2 : 1) : most;
    if (deepest + 1 <= most) {
        for (n = 0; n <= deepest; n++) {
            level[n] = n;
        }
        return n;
    }
    if (most > 1) {
        level[n++] = 0;
    }
    for (int i = deepest - (most - n) + 1; i <= deepest; i++) {
        level[n++] = i;
    }
    return n;
}

static void add_address(void *ctx, const struct mapping_view *v)
{
    struct space_state *s = ctx;
    if (s->nr_addresses < SPACE_MAX_ADDRESSES) {
        s->at_of_page[s->nr_addresses] = v->va;
    }
    s->nr_addresses++;
}

/* The selected page's addresses, looked for when something has changed. */
static void find_addresses(struct app *a)
{
    struct space_state *s = &a->hw.space;
    const uint64_t page = a->focus == PANE_PHYSMAP ? a->map.cursor : a->hw.lit;
    const bool there = a->focus == PANE_PHYSMAP ? a->map.has_cursor : a->hw.has_lit;
    if (there && (!s->has_page || s->page != page || s->page_stamp != a->hw.stamp)) {
        s->nr_addresses = 0;
        space_mappings(a->model.m, page, s, add_address);
        s->page = page;
        s->page_stamp = a->hw.stamp;
    }
    s->has_page = there;
}

/* Does some byte of it belong to the selected page? */
static bool is_selected(const struct space_state *s, uint64_t first, uint64_t last)
{
    for (int i = 0; s->has_page && i < s->nr_addresses && i < SPACE_MAX_ADDRESSES; i++) {
        if (s->at_of_page[i] <= last && s->at_of_page[i] + (PAGE_SIZE - 1) >= first) {
            return true;
        }
    }
    return false;
}

static void fit(struct app *a, int w, int h)
{
    struct space_state *s = &a->hw.space;
    (void)h;
    find_addresses(a);
    s->lit = space_lit(a, &s->lit_first, &s->lit_last);
    if (!s->placed) {
        s->at = a->model.m->vm->kspace.vmalloc_start;
        s->near = -1;
        s->placed = true;
    }
    if (!s->has_cursor && s->lit) {
        s->at = s->lit_first;
    }
    s->columns = w;
}

/* ---- bars ---- */

static void draw_names(const struct app *a, struct grid *g, struct rect r,
                       const struct space_bar *b)
{
    for (int i = 0; i < b->nr; i++) {
        const struct space_part *p = &b->part[i];
        const struct kspace_area area = space_region(a->model.m, p->region).area;
        const bool here = a->hw.space.at >= p->first && a->hw.space.at <= p->last;
        if (p->n >= 4 && area.kind != AREA_HOLE) {
            grid_text_cut(g, r.x + p->x, r.y, p->n - 1, area.name, a->glyphs->more,
                          here ? ST_BRIGHT : ST_DIM, 0);
        }
    }
}

static void draw_cells(const struct app *a, struct grid *g, struct rect r,
                       const struct space_bar *b, bool active, bool focused)
{
    const struct space_state *s = &a->hw.space;
    const int here = space_cell_of(b, a->hw.space.at);
    for (int i = 0; i < b->n; i++) {
        uint64_t first, last;
        space_cell(b, i, &first, &last);
        const struct space_look look = space_look(a, first, last);
        const int marks =
            (s->lit && s->lit_first <= last && s->lit_last >= first ? MARK_CHANGED : 0) |
            ((i == here && active && focused && s->has_cursor) ||
                     is_selected(s, first, last)
                 ? MARK_SELECTED
                 : 0);
        grid_put(g, r.x + i, r.y, look.ch, look.style, marks);
    }
    for (int i = 0; i < b->nr; i++) {
        const struct space_part *p = &b->part[i];
        const int x = p->x + p->n / 2;
        if (p->broken && x != here) {
            grid_put(g, r.x + x, r.y, a->glyphs->bar_break, ST_WARN, 0);
        }
    }
}

/* Between two bars: which cells of the upper one the lower one shows, and how finely. */
static void draw_nest(const struct app *a, struct grid *g, struct rect r,
                      const struct space_bar *up, const struct space_bar *b, bool broken)
{
    const struct glyphs *gl = a->glyphs;
    const int from = app_max_int(0, space_cell_of(up, b->first));
    const int to = app_max_int(from, space_cell_of(up, b->last));
    char text[96], size[28];
    snprintf(text, sizeof text, "%s%#llx, %s a cell", broken ? "... " : "",
             (unsigned long long)b->first, bytes_text(size, b->cell));
    const int len = text_width(text);
    if (from == to) {
        grid_put(g, r.x + from, r.y, gl->up, ST_HINT_KEY, 0);
    } else {
        grid_hline(g, r.x + from, r.y, to - from + 1, gl->hline, ST_RULE);
        grid_put(g, r.x + from, r.y, gl->corner_ll, ST_RULE, 0);
        grid_put(g, r.x + to, r.y, gl->corner_lr, ST_RULE, 0);
    }
    const int right = r.w - to - 2, left = from - 1;
    const bool behind = right >= len || (left < len && right >= left);
    const int x = behind ? to + 2 : app_max_int(0, left - len);
    const int room = behind ? right : left;
    if (room > 0) {
        grid_text_cut(g, r.x + x, r.y, room, text, gl->more, ST_DIM, 0);
    }
}

/* ---- page-table entries ---- */

static void draw_entry(const struct app *a, struct grid *g, struct rect r, uint64_t va,
                       bool focused)
{
    const struct machine *m = a->model.m;
    const struct space_state *s = &a->hw.space;
    const bool here = (s->at & ~(uint64_t)(PAGE_SIZE - 1)) == va;
    const bool lit = s->lit && va + PAGE_SIZE > s->lit_first && va <= s->lit_last;
    const int marks =
        (lit ? MARK_CHANGED : 0) | (here && focused && s->has_cursor ? MARK_SELECTED : 0);
    const struct address_view v = space_whatis(m, space_mm(a, va), va);
    const struct space_look look = space_look(a, va, va + PAGE_SIZE - 1);
    char use[200], size[28];
    if (here) {
        grid_put(g, r.x, r.y, a->glyphs->here, ST_HINT_KEY, 0);
    }
    int x = grid_printf(g, r.x + 1, r.y, ST_NORMAL, marks, "%0*llx", hw_va_digits(a),
                        (unsigned long long)va);
    x += 1 + grid_put(g, x + 1, r.y, look.ch, look.style, 0);
    if (!v.canonical) {
        grid_text(g, x + 1, r.y, "not canonical", ST_FAINT, 0);
        return;
    }
    if (!v.entry.maps) {
        x = grid_printf(g, x + 1, r.y, ST_FAINT, 0, "level %u empty", v.entry.level);
        x = grid_text(g, x, r.y, v.in_guard ? ", guard page" : "", ST_WARN, 0);
        if (v.in_area && v.area.kind == VMAP_LAZY) {
            grid_text(g, x, r.y, ", lazily freed", ST_STALE, 0);
        }
        return;
    }
    x = grid_printf(g, x + 1, r.y, ST_BRIGHT, marks, "%llx",
                    (unsigned long long)v.entry.value);
    x = grid_printf(g, x + 1, r.y, ST_NORMAL, 0, "%s%s%s",
                    v.entry.value & PTE_W ? "W" : "-", v.entry.value & PTE_U ? "U" : "-",
                    v.entry.value & PTE_G ? "G" : "-");
    if (v.entry.level > 1) {
        x = grid_printf(g, x + 1, r.y, ST_DIM, 0, "%s",
                        bytes_text(size, (uint64_t)1 << pgtable_shift(m, v.entry.level)));
    }
    x = grid_printf(g, x + 1, r.y, ST_NUMBER, 0, "page " PFN_FORMAT,
                    (unsigned long long)v.frame);
    frame_use_text(use, sizeof use, m, v.frame);
    if (x + 2 < r.x + r.w) {
        grid_text_cut(g, x + 1, r.y, r.x + r.w - x - 1, use, a->glyphs->more, ST_DIM, 0);
    }
}

/* As many rows as there is room for; the list is turned like a page. */
static void draw_entries(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const uint64_t page = a->hw.space.at & ~(uint64_t)(PAGE_SIZE - 1);
    const uint64_t before = r.h > 0 ? (page >> PAGE_SHIFT) % (uint64_t)r.h : 0;
    for (int i = 0; i < r.h; i++) {
        const uint64_t va = page + (((uint64_t)i - before) << PAGE_SHIFT);
        if (space_region_of(a->model.m, va) != UINT32_MAX) {
            draw_entry(a, g, (struct rect){r.x, r.y + i, r.w, 1}, va, focused);
        }
    }
}

/* ---- words ---- */

static void row(const struct app *a, struct grid *g, struct rect r, int *y, int style,
                const char *head, const char *text)
{
    if (*y < r.y + r.h) {
        const int x = grid_text(g, r.x, *y, head, ST_DIM, 0);
        if (x < r.x + r.w) {
            grid_text_cut(g, x, *y, r.x + r.w - x, text, a->glyphs->more, style, 0);
        }
        (*y)++;
    }
}

/* What users of the area may and may not: over two rows if need be and there is room. */
static void draw_rules(const struct app *a, struct grid *g, struct rect r, int *y,
                       const char *rules)
{
    char text[200];
    const int room = r.w - 6;
    size_t cut = 0;
    if ((int)strlen(rules) > room && *y + 1 < r.y + r.h) {
        for (size_t i = 0; (int)i <= room && i < sizeof text; i++) {
            cut = rules[i] == ' ' ? i : cut;
        }
    }
    if (!cut) {
        row(a, g, r, y, ST_NORMAL, "rules ", rules);
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)cut, rules);
    row(a, g, r, y, ST_NORMAL, "rules ", text);
    row(a, g, r, y, ST_NORMAL, "      ", rules + cut + 1);
}

static void area_words(const struct app *a, const struct address_view *v, char *buf,
                       size_t size)
{
    char bytes[28], whole[28];
    uint64_t first, last;
    if (v->in_area) {
        const struct area_view *r = &v->area;
        const uint64_t end = r->guard ? r->guard : r->last + 1;
        const char *then = v->in_guard   ? ": the guard page"
                           : r->deferred ? ": a kworker frees it"
                                         : "";
        if (r->kind == VMAP_LAZY) {
            snprintf(buf, size, "%s, not flushed: %s at %#llx", r->name,
                     bytes_text(bytes, end - r->first), (unsigned long long)r->first);
        } else {
            snprintf(buf, size, "%s of %s%s at %#llx%s", r->name,
                     bytes_text(bytes, end - r->first),
                     r->guard ? " and a guard page" : "", (unsigned long long)r->first,
                     then);
        }
    } else if (space_is_areas(a->model.m, v->va) &&
               space_hole_at(a->model.m, v->va, &first, &last)) {
        const struct kspace_area r = space_region(a->model.m, v->region).area;
        first = first < r.first ? r.first : first;
        last = last > r.last ? r.last : last;
        snprintf(buf, size, "free: %s from %#llx", bytes_text(bytes, last - first + 1),
                 (unsigned long long)first);
    } else {
        const struct kspace_area r = space_region(a->model.m, v->region).area;
        snprintf(buf, size, "%s of %#llx-%#llx", bytes_text(whole, r.last - r.first + 1),
                 (unsigned long long)r.first, (unsigned long long)r.last);
    }
}

static void page_words(const struct app *a, const struct address_view *v, char *buf,
                       size_t size)
{
    char use[200];
    if (!v->entry.maps) {
        snprintf(buf, size, "not mapped: its entry of level %u is %#llx", v->entry.level,
                 (unsigned long long)v->entry.value);
        return;
    }
    frame_use_text(use, sizeof use, a->model.m, v->frame);
    snprintf(buf, size, "%#llx leads to page %#llx: %s",
             (unsigned long long)v->entry.value, (unsigned long long)v->frame, use);
}

/* The CPUs whose TLBs know the address, and whether what they know is still so. */
static int draw_tlbs(const struct app *a, struct grid *g, int x, int y,
                     const struct address_view *v)
{
    const struct machine *m = a->model.m;
    for (uint32_t cpu = 0; shown_cpu(a) && cpu < machine_nr_cpus(m); cpu++) {
        const struct memory_at at = memory_translate(m, cpu, NULL, v->va);
        if (at.via == VIA_DTLB || at.via == VIA_STLB) {
            x = at.pa == v->pa ? grid_printf(g, x, y, ST_LINE_CLEAN, 0, "TLB%u ", cpu)
                               : grid_printf(g, x, y, ST_STALE, 0, "stale TLB%u ", cpu);
        }
    }
    return x;
}

static void draw_words(const struct app *a, struct grid *g, struct rect r)
{
    const struct machine *m = a->model.m;
    const uint64_t at = a->hw.space.at;
    const struct address_view v = space_whatis(m, space_mm(a, at), at);
    if (v.region == UINT32_MAX) {
        return;
    }
    const struct kspace_area area = space_region(m, v.region).area;
    char text[300], head[64];
    int y = r.y;
    if (r.h > 4) {
        grid_hline(g, r.x, y++, r.w, a->glyphs->hline, ST_FAINT);
    }
    area_words(a, &v, text, sizeof text);
    snprintf(head, sizeof head, "%#llx ", (unsigned long long)at);
    if (y < r.y + r.h) {
        int x = grid_text(g, r.x, y, head, ST_BRIGHT, 0);
        x = grid_printf(g, x, y, ST_HEADING, 0, "%s", area.name);
        if (x + 2 < r.x + r.w) {
            grid_text(g, x, y, ": ", ST_DIM, 0);
            grid_text_cut(g, x + 2, y, r.x + r.w - x - 2, text, a->glyphs->more,
                          ST_NORMAL, 0);
        }
        y++;
    }
    draw_rules(a, g, r, &y, area.rules ? area.rules : "");
    if (v.canonical) {
        page_words(a, &v, text, sizeof text);
        if (y < r.y + r.h) {
            int x = grid_text(g, r.x, y, "entry ", ST_DIM, 0);
            x = draw_tlbs(a, g, x, y, &v);
            if (x < r.x + r.w) {
                grid_text_cut(g, x, y, r.x + r.w - x, text, a->glyphs->more, ST_NORMAL,
                              0);
            }
            y++;
        }
    }
    row(a, g, r, &y, ST_NORMAL, "from  ", area.who ? area.who : "");
}

/* Is there more to tell of it than this pane's cursor says already? */
static bool tells_page(const struct app *a)
{
    const struct space_state *s = &a->hw.space;
    return s->has_page && (a->focus != PANE_SPACE || s->nr_addresses > 1);
}

/* Where the selected page is. */
static void draw_addresses(const struct app *a, struct grid *g, struct rect r)
{
    const struct space_state *s = &a->hw.space;
    int x = grid_printf(g, r.x, r.y, ST_BRIGHT, 0, "page " PFN_FORMAT,
                        (unsigned long long)s->page);
    x = grid_text(g, x, r.y, s->nr_addresses ? " is at" : " has no address", ST_DIM, 0);
    for (int i = 0; i < s->nr_addresses; i++) {
        char text[32];
        const bool known = i < SPACE_MAX_ADDRESSES;
        snprintf(text, sizeof text, " %#llx",
                 known ? (unsigned long long)s->at_of_page[i] : 0);
        if (!known || x + text_width(text) > r.x + r.w) {
            grid_put(g, app_min_int(x + 1, r.x + r.w - 1), r.y, a->glyphs->more, ST_DIM,
                     0);
            break;
        }
        x = grid_text(g, x, r.y, text, ST_NUMBER, 0);
    }
}

/* Which letter is what, in the line of the lowest bar. */
static void draw_legend(const struct app *a, struct grid *g, struct rect r)
{
    int x = r.x;
    if (tells_page(a)) {
        draw_addresses(a, g, r);
        return;
    }
    for (int kind = VMAP_LAZY; kind < NR_VMAP_KINDS; kind++) {
        static const char *const words[] = {
            [VMAP_LAZY] = "lazily freed", [VMAP_VMALLOC] = "malloc",
            [VMAP_VMAP] = "vmap",         [VMAP_IOREMAP] = "oremap",
            [VMAP_RAM] = "vm_map_ram",    [VMAP_BLOCK] = "block",
            [VMAP_LOADED] = "recorded"};
        if (x + 2 + text_width(words[kind]) > r.x + r.w) {
            continue;
        }
        const struct space_look look = space_kind_look(a, (enum vmap_kind)kind);
        x += grid_put(g, x, r.y, look.ch, look.style, 0);
        x = grid_text(g, x, r.y, words[kind], ST_DIM, 0) + 1;
    }
    if (x + 11 <= r.x + r.w) {
        x += grid_put(g, x, r.y, 'g', ST_WARN, 0);
        grid_text(g, x, r.y, "uard page", ST_DIM, 0);
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    int level[SPACE_MAX_LEVELS];
    const int n = bars(a, r.w, r.h, level), words = words_rows(r.h);
    int end = r.y + r.h - words;
    struct space_bar up = {0}, b;
    int y = r.y;
    for (int i = 0; i < n && y < end; i++) {
        const bool active = i == n - 1 && !is_entries(a, r.w);
        const bool alone = n == 1 && end - y < 2;
        space_bar(a->model.m, a->hw.space.at, r.w, level[i], &b);
        if (!level[i] && !alone) {
            draw_names(a, g, (struct rect){r.x, y++, r.w, 1}, &b);
        } else if (i) {
            draw_nest(a, g, (struct rect){r.x, y++, r.w, 1}, &up, &b,
                      level[i] > level[i - 1] + 1);
        }
        if (y < end) {
            draw_cells(a, g, (struct rect){r.x, y++, r.w, 1}, &b, active, focused);
        }
        up = b;
    }
    const bool legend = !is_entries(a, r.w) && y < end;
    if (legend) {
        draw_legend(a, g, (struct rect){r.x, end - 1, r.w, 1});
        end--;
    }
    if (level_of(a, r.w) >= levels(a, r.w) - 2) { /* pages: with what is left over */
        draw_entries(a, g, (struct rect){r.x, y, r.w, end - y}, focused);
    }
    int room = words;
    if (tells_page(a) && !legend && words > 1) {
        draw_addresses(a, g, (struct rect){r.x, r.y + r.h - 1, r.w, 1});
        room--;
    }
    draw_words(a, g, (struct rect){r.x, r.y + r.h - words, r.w, room});
}

/* ---- moving ---- */

static void go(struct app *a, uint64_t at)
{
    if (space_region_of(a->model.m, at) != UINT32_MAX) {
        a->hw.space.at = at;
        a->hw.space.has_cursor = true;
        a->hw.walk.pinned = true; /* its entries, and where a load would look for it */
        a->hw.walk.pinned_va = at;
        a->hw.walk.has_cursor = false;
        hw_focus_aim(a, at);
    }
}

static void move(struct app *a, int w, int by)
{
    struct space_state *s = &a->hw.space;
    struct space_bar b;
    uint64_t first, last;
    const int level = level_of(a, w);
    if (!s->has_cursor) {
        s->has_cursor = true;
        return;
    }
    if (is_entries(a, w)) {
        const uint64_t step = (uint64_t)(by < 0 ? -by : by) << PAGE_SHIFT;
        go(a, by < 0 ? s->at - (s->at < step ? s->at : step) : s->at + step);
        return;
    }
    space_bar(a->model.m, s->at, w, level, &b);
    const int here = app_max_int(0, space_cell_of(&b, s->at));
    if (here + by >= 0 && here + by < b.n) {
        space_cell(&b, here + by, &first, &last);
        go(a, first);
    } else if (level > 0) { /* over the edge of the region */
        const uint64_t edge = by < 0 ? b.first - 1 : b.last + 1;
        if ((by < 0) == (edge < s->at)) {
            go(a, edge);
        }
    } else {
        space_cell(&b, by < 0 ? 0 : b.n - 1, &first, &last);
        go(a, first);
    }
}

static void zoom(struct app *a, int by)
{
    struct space_state *s = &a->hw.space;
    const int w = app_max_int(1, s->columns), nr = levels(a, w);
    s->near = app_clamp(level_of(a, w) - by, 0, nr - 1);
    s->near = s->near == nr - 2 ? -1 : s->near; /* pages, wherever */
}

static bool key(struct app *a, int k, int w, int h)
{
    const bool rows = is_entries(a, w);
    const int page = rows ? app_max_int(1, h / 2) : app_max_int(1, w / 2);
    switch (k) {
    case K_LEFT:
    case 'h':
        move(a, w, -1);
        return true;
    case K_RIGHT:
    case 'l':
        move(a, w, 1);
        return true;
    case K_UP:
    case 'k':
        rows ? move(a, w, -1) : zoom(a, 1);
        return true;
    case K_DOWN:
    case 'j':
        rows ? move(a, w, 1) : zoom(a, -1);
        return true;
    case K_PAGE_UP:
        move(a, w, -page);
        return true;
    case K_PAGE_DOWN:
        move(a, w, page);
        return true;
    case K_HOME:
        go(a, a->model.m->vm->kspace.page_offset);
        return true;
    case K_END:
        a->hw.space.has_cursor = a->hw.walk.pinned = false;
        a->hw.space.near = -1;
        return true;
    default:
        return false;
    }
}

static void turn(struct app *a, int by)
{
    go(a, space_next_thing(a->model.m, a->hw.space.at, by));
}

static void click(struct app *a, int x, int y, int w, int h)
{
    int level[SPACE_MAX_LEVELS];
    const int n = bars(a, w, h, level), i = (y - 1) / 2;
    struct space_bar b;
    uint64_t first, last;
    if (y < 0 || i >= n) {
        return;
    }
    space_bar(a->model.m, a->hw.space.at, w, level[i], &b);
    if (x >= 0 && x < b.n) {
        space_cell(&b, x, &first, &last);
        go(a, first);
    }
}

static void title(const struct app *a, char *buf, size_t size)
{
    const uint32_t i = space_region_of(a->model.m, a->hw.space.at);
    snprintf(buf, size, "%#llx, %s", (unsigned long long)a->hw.space.at,
             i == UINT32_MAX ? "nowhere" : space_region(a->model.m, i).area.name);
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const uint64_t at = a->hw.space.at;
    const struct address_view v = space_whatis(a->model.m, space_mm(a, at), at);
    *p = v.frame;
    return a->hw.space.has_cursor && v.is_ram;
}

static char *details(struct app *a, char *name, size_t size)
{
    const uint64_t at = a->hw.space.at;
    snprintf(name, size, "What is %#llx?", (unsigned long long)at);
    snprintf(a->details_command, sizeof a->details_command, "walk %#llx",
             (unsigned long long)at);
    return space_whatis_popup(a, false, at);
}

static bool find(struct app *a, const char *text)
{
    uint64_t at;
    if (!hw_parse_address(text, &at) || space_region_of(a->model.m, at) == UINT32_MAX) {
        return false;
    }
    go(a, at);
    return true;
}

static bool changed(const struct app *a)
{
    uint64_t first, last;
    return a->model.step_low <= a->model.step_high && space_lit(a, &first, &last);
}

const struct pane_kind pane_space = {
    .name = "Address space",
    .short_name = "Space",
    .about =
        "The address space as nested bars: + and - (or Up and Down) zoom from all of "
        "it to page-table entries, Left and Right move, [ and ] go to the next area, "
        "Enter tells what an address is.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .find = find,
    .scale = zoom,
    .turn = turn,
    .columns = true,
};
