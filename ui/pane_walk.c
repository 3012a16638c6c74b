/* The page tables of an address space as a tree (walk_rows.h).
 *
 *   > PGD PML4 511  ffffff8000000000  PWUAD   table 0x2a10 Normal, reserved
 *     the entry that the walk reads next; what the last step read is lit, what the walk
 *     has read before has a bullet
 *
 * The tree opens by itself along the followed address: that of the access in view, or one
 * that the user chose (:walk ADDRESS). Right and Left open and close.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "hw_focus.h"
#include "mm_struct.h"
#include "pane.h"
#include "walk_rows.h"

static bool space_of(const struct app *a, struct mmu *mmu, char *name, size_t size)
{
    return hw_space(a, &a->hw.walk.space, mmu, name, size);
}

static bool follows(const struct app *a, uint64_t *va)
{
    const struct walk_state *s = &a->hw.walk;
    const struct hw_focus *f = &a->hw.focus;
    *va = s->pinned ? s->pinned_va : f->follow;
    return s->pinned || f->has_follow;
}

static int body_rows(int h) { return h >= 5 ? h - 1 : h; }

static void fit(struct app *a, int w, int h)
{
    (void)w;
    struct walk_state *s = &a->hw.walk;
    struct mmu mmu;
    char name[48];
    uint64_t va = 0;
    s->at = -1;
    if (!space_of(a, &mmu, name, sizeof name)) {
        s->nr_rows = 0;
        s->built = false;
        return;
    }
    const bool followed = follows(a, &va);
    if (!s->built || s->built_stamp != a->hw.stamp || s->built_root != table_root(&mmu) ||
        s->built_folds != s->fold_changes || s->built_followed != followed ||
        s->built_follow != va) {
        s->built = walk_rows_build(a->model.m, s, &mmu, followed, va);
        s->built_stamp = a->hw.stamp;
        s->built_root = table_root(&mmu);
        s->built_folds = s->fold_changes;
        s->built_followed = followed;
        s->built_follow = va;
    }
    if (s->has_cursor) {
        s->at = walk_rows_same(s, &s->cursor);
        struct pane_list l = {.top = s->top};
        pane_list_show(&l, s->at, s->nr_rows, body_rows(h));
        s->top = l.top;
        return;
    }
    s->at = followed ? walk_rows_find(s, &mmu, va) : -1;
    struct pane_list l = {.top = s->top};
    pane_list_follow(&l, app_max_int(0, s->at), s->nr_rows, body_rows(h), 1);
    s->top = app_clamp(l.top, 0, app_max_int(0, s->nr_rows - body_rows(h)));
}

/* ---- a row ---- */

/* The entry's part in the walk in view: 3 lit by the step, 2 read next, 1 read before. */
static int walk_part(const struct app *a, uint64_t at)
{
    const struct hw_focus *f = &a->hw.focus;
    int part = f->has_next_entry && f->next_entry == at ? 2 : 0;
    for (uint32_t i = 0; i < f->nr_walk; i++) {
        if (f->walk[i].at == at) {
            part = f->walk[i].by_step ? 3 : app_max_int(part, 1);
        }
    }
    return part;
}

static struct table_view table_of(const struct mmu *mmu, const struct walk_row *r)
{
    return (struct table_view){
        .paging = mmu->paging,
        .pa = r->table,
        .level = r->level,
        .entries = table_entries(mmu->paging, r->level),
        .entry_bytes = table_shape(mmu->paging).entry_bytes,
        .shift = table_level_shift(mmu->paging, r->level),
        .name = mmu_table_name(mmu->paging, r->level),
    };
}

static uint64_t target_of(const struct mmu *mmu, const struct walk_row *r)
{
    return r->kind == WALK_ROOT ? r->table : table_entry_target(mmu, r->level, r->value);
}

/* What the row leads to, in words. */
static void target_text(const struct app *a, const struct mmu *mmu,
                        const struct walk_row *r, bool wide, char *buf, size_t size)
{
    char owner[64], unit[28];
    const uint64_t pa = target_of(mmu, r), frame = pa >> PAGE_SHIFT;
    const uint64_t page = (uint64_t)1 << table_level_shift(mmu->paging, r->level);
    hw_owner(a, pa, owner, sizeof owner);
    bytes_text(unit, page);
    if (r->kind == WALK_RUN) {
        const uint64_t nr = (uint64_t)(r->last - r->first) + 1;
        const uint64_t frames = r->leads ? 1 : page >> PAGE_SHIFT;
        const char *what = r->leads ? "empty tables" : unit;
        int n =
            r->leads
                ? snprintf(buf, size, "%llu %s, frame", (unsigned long long)nr, what)
                : snprintf(buf, size, "%llu x %s, frame", (unsigned long long)nr, what);
        n += r->alike ? snprintf(buf + n, size - (size_t)n, " 0x%llx each time",
                                 (unsigned long long)frame)
                      : snprintf(buf + n, size - (size_t)n, "s 0x%llx-0x%llx",
                                 (unsigned long long)frame,
                                 (unsigned long long)(frame + nr * frames - 1));
        snprintf(buf + n, size - (size_t)n, "%s%s", wide ? " " : "", wide ? owner : "");
    } else if (!(r->value & PTE_P)) {
        const bool none = r->level == 1 && (r->value & PTE_PROTNONE);
        snprintf(buf, size, none ? "PROT_NONE, frame 0x%llx" : "not present: 0x%llx",
                 (unsigned long long)(none ? frame : r->value));
    } else {
        const bool large = !r->leads && r->level > 1;
        snprintf(buf, size, "%s%s 0x%llx%s%s%s%s", r->leads ? "table" : "frame",
                 large && wide ? "s from" : "", (unsigned long long)frame,
                 large ? " " : "", large ? unit : "", wide ? " " : "", wide ? owner : "");
    }
}

static void draw_gap(const struct app *a, struct grid *g, int x, int y,
                     const struct walk_row *r)
{
    const uint32_t nr = (uint32_t)(r->last - r->first) + 1;
    x += grid_put(g, x, y, a->glyphs->dot, ST_FAINT, 0) + 1;
    grid_printf(g, x, y, ST_FAINT, 0, nr == 1 ? "%u: empty" : "%u-%u: %u empty", r->first,
                r->last, nr);
}

static void draw_row(const struct app *a, struct grid *g, struct rect r,
                     const struct mmu *mmu, int n, const char *name, bool focused)
{
    const struct walk_state *s = &a->hw.walk;
    const struct walk_row *row = &s->rows[n];
    const struct glyphs *gl = a->glyphs;
    const bool wide = r.w >= 76, wider = r.w >= 110;
    const int part = row->kind == WALK_ENTRY ? walk_part(a, walk_row_at(row, mmu)) : 0;
    const int marks = (part == 3 ? MARK_CHANGED : 0) |
                      (focused && s->has_cursor && s->at == n ? MARK_SELECTED : 0);
    const bool here = !s->has_cursor && s->at == n;
    const int style = part || here ? ST_BRIGHT : ST_NORMAL;
    char text[160], flags[24];
    uint64_t va;
    if (part) {
        grid_put(g, r.x, r.y, part == 2 ? gl->here : gl->bullet, ST_HINT_KEY, 0);
    } else if (here && follows(a, &va) && row->kind != WALK_ROOT) {
        grid_put(g, r.x, r.y, gl->arrow, ST_HINT_KEY, 0);
    }
    int x = r.x + 1 + row->depth * (wide ? 2 : 1);
    if (row->kind == WALK_GAP) {
        draw_gap(a, g, x, r.y, row);
        if (marks) {
            grid_mark(g, (struct rect){x, r.y, 1, 1}, -1, marks);
        }
        return;
    }
    if (walk_row_has_node(row)) {
        grid_put(g, x, r.y, row->open ? gl->fold_open : gl->fold_shut, ST_HINT_KEY, 0);
    }
    x += 1;
    if (row->kind == WALK_ROOT) {
        snprintf(text, sizeof text, "%s", name);
        x = grid_text(g, x, r.y, text, ST_TITLE, marks) + 1;
        target_text(a, mmu,
                    &(struct walk_row){.kind = WALK_ENTRY,
                                       .level = row->level,
                                       .value = row->table | PTE_P,
                                       .leads = true},
                    wide, text, sizeof text);
        grid_printf(g, x, r.y, ST_DIM, 0, "%s %s: %s",
                    walk_kernel_name(mmu->paging, row->level),
                    mmu_table_name(mmu->paging, row->level), text);
        return;
    }
    const int begin = x;
    x = grid_text(g, x, r.y, walk_kernel_name(mmu->paging, row->level),
                  row->leads ? ST_EVENT_NAME : ST_DIM, marks);
    if (wide) {
        x = grid_printf(g, x + 1, r.y, ST_DIM, 0, "%s",
                        mmu_table_name(mmu->paging, row->level));
    }
    if (row->kind == WALK_RUN) {
        x = grid_printf(g, x + 1, r.y, style, marks, "%u-%u", row->first, row->last);
    } else {
        x = grid_printf(g, x + 1, r.y, style, marks, "%u", row->first);
    }
    /* from here on in columns */
    const int deepest = (wide ? 2 : 1) * (int)(table_shape(mmu->paging).levels + 1);
    const int words = wide ? 16 : 8, column = r.x + 2 + deepest + words;
    x = app_max_int(x + 1, begin < column ? column : x + 1);
    x = grid_printf(g, x, r.y, style, 0, "%0*llx", hw_va_digits(a),
                    (unsigned long long)row->va);
    if (wider) {
        const uint64_t size = ((uint64_t)(row->last - row->first) + 1)
                              << table_level_shift(mmu->paging, row->level);
        x = grid_printf(g, x, r.y, ST_DIM, 0, "-%0*llx", hw_va_digits(a),
                        (unsigned long long)(row->va + size - 1));
    }
    const struct table_view t = table_of(mmu, row);
    entry_flags_letters(flags, sizeof flags, &t, row->value);
    grid_text(g, x + 1, r.y, flags, part ? ST_BRIGHT : ST_NORMAL, 0);
    x += 2 + app_max_int(7, text_width(flags));
    target_text(a, mmu, row, r.w >= 90, text, sizeof text);
    const int spare = app_max_int(0, 7 - text_width(flags));
    const int over = text_width(text) - (r.x + r.w - 1 - x);
    x -= over > 0 && over <= spare ? spare : 0; /* rather out of its column than cut */
    const int room = r.x + r.w - 1 - x;
    if (room >= 8) {
        grid_text_cut(g, x, r.y, room, text, gl->more,
                      row->leads ? ST_EVENT_NAME : ST_DIM, 0);
    }
}

/* The entry under the cursor, or the one in use, in words. */
static void draw_words(const struct app *a, struct grid *g, struct rect r,
                       const struct mmu *mmu)
{
    const struct walk_state *s = &a->hw.walk;
    if (s->truncated) {
        grid_text_cut(g, r.x, r.y, r.w, "More rows than can be shown: close something.",
                      a->glyphs->more, ST_WARN, 0);
        return;
    }
    if (s->at < 0 || s->at >= s->nr_rows || s->rows[s->at].kind == WALK_ROOT) {
        grid_text_cut(g, r.x, r.y, r.w, "Right opens, Left closes; :walk ADDRESS follows",
                      a->glyphs->more, ST_DIM, 0);
        return;
    }
    const struct walk_row *row = &s->rows[s->at];
    const struct table_view t = table_of(mmu, row);
    char words[200];
    int x = grid_printf(g, r.x, r.y, ST_NORMAL, 0,
                        "%s %u at 0x%llx: ", walk_kernel_name(mmu->paging, row->level),
                        row->first, (unsigned long long)walk_row_at(row, mmu));
    entry_flags_words(words, sizeof words, &t, row->value);
    grid_text_cut(g, x, r.y, r.x + r.w - x, words, a->glyphs->more, ST_DIM, 0);
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct walk_state *s = &a->hw.walk;
    struct mmu mmu;
    char name[48];
    if (hw_without_tables(a)) {
        grid_text(g, r.x + 1, r.y, "This trace runs without page tables.", ST_DIM, 0);
        grid_text(g, r.x + 1, r.y + 1, "mmscope trace --mmu gives it some.", ST_DIM, 0);
        return;
    }
    if (!space_of(a, &mmu, name, sizeof name)) {
        grid_text(g, r.x + 1, r.y, "There are no page tables: paging is off.", ST_DIM, 0);
        return;
    }
    const int body = body_rows(r.h);
    for (int i = 0; i < body && s->top + i < s->nr_rows; i++) {
        draw_row(a, g, (struct rect){r.x, r.y + i, r.w, 1}, &mmu, s->top + i, name,
                 focused);
    }
    if (body < r.h) {
        draw_words(a, g, (struct rect){r.x, r.y + r.h - 1, r.w, 1}, &mmu);
    }
    pane_more(a, g, (struct rect){r.x, r.y, r.w, body}, s->top, s->nr_rows);
}

/* ---- moving ---- */

static void put_cursor(struct app *a, int row)
{
    struct walk_state *s = &a->hw.walk;
    if (s->nr_rows) {
        s->at = app_clamp(row, 0, s->nr_rows - 1);
        s->cursor = s->rows[s->at];
        s->has_cursor = true;
    }
}

static void fold(struct app *a, bool open)
{
    struct walk_state *s = &a->hw.walk;
    struct mmu mmu;
    char name[48];
    if (s->at < 0 || s->at >= s->nr_rows || !space_of(a, &mmu, name, sizeof name)) {
        put_cursor(a, 0);
        return;
    }
    put_cursor(a, s->at);
    const struct walk_row *r = &s->rows[s->at];
    if (walk_row_has_node(r) && r->open != open) {
        walk_rows_fold(s, &mmu, s->at, open);
    } else if (!open && walk_rows_parent(s, s->at) >= 0) {
        put_cursor(a, walk_rows_parent(s, s->at));
    } else if (open && walk_row_has_node(r)) {
        put_cursor(a, s->at + 1);
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    struct walk_state *s = &a->hw.walk;
    const int page = app_max_int(1, body_rows(h) - 1);
    const int at = app_max_int(0, s->at);
    switch (k) {
    case K_UP:
    case 'k':
        put_cursor(a, s->has_cursor ? at - 1 : at);
        return true;
    case K_DOWN:
    case 'j':
        put_cursor(a, s->has_cursor ? at + 1 : at);
        return true;
    case K_RIGHT:
    case 'l':
        fold(a, true);
        return true;
    case K_LEFT:
    case 'h':
        fold(a, false);
        return true;
    case K_PAGE_UP:
        put_cursor(a, at - page);
        return true;
    case K_PAGE_DOWN:
        put_cursor(a, at + page);
        return true;
    case K_HOME:
        put_cursor(a, 0);
        return true;
    case K_END:
        s->has_cursor = s->pinned = false;
        return true;
    default:
        return false;
    }
}

static void scale(struct app *a, int by) { fold(a, by < 0); }

static void turn(struct app *a, int by)
{
    struct mmu mmu;
    char name[48];
    hw_space_turn(a, &a->hw.walk.space, by);
    a->hw.walk.has_cursor = false;
    if (space_of(a, &mmu, name, sizeof name)) {
        app_message(a, MESSAGE_INFO, "The tables of %s.", name);
    }
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)x, (void)w;
    struct walk_state *s = &a->hw.walk;
    const int row = s->top + y;
    if (y >= body_rows(h) || row >= s->nr_rows) {
        return;
    }
    if (s->has_cursor && s->at == row) {
        fold(a, !s->rows[row].open);
    } else {
        put_cursor(a, row);
    }
}

static void title(const struct app *a, char *buf, size_t size)
{
    struct mmu mmu;
    char name[48];
    uint64_t va;
    const bool paging = !hw_without_tables(a) && space_of(a, &mmu, name, sizeof name);
    int n = snprintf(buf, size, "%s", paging ? name : "none");
    if (paging && follows(a, &va)) {
        snprintf(buf + n, size - (size_t)n, ", %s0x%llx",
                 a->hw.walk.pinned ? "you follow " : "", (unsigned long long)va);
    }
}

static const struct walk_row *selected_row(const struct app *a)
{
    const struct walk_state *s = &a->hw.walk;
    return s->has_cursor && s->at >= 0 && s->at < s->nr_rows ? &s->rows[s->at] : NULL;
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const struct walk_row *r = selected_row(a);
    struct mmu mmu;
    char name[48];
    if (!r || r->kind == WALK_GAP || !space_of(a, &mmu, name, sizeof name) ||
        (r->kind != WALK_ROOT && !(r->value & PTE_P))) {
        return false;
    }
    *p = target_of(&mmu, r) >> PAGE_SHIFT;
    return true;
}

#define KEY POPUP_TEXT_KEY
#define PLAIN POPUP_TEXT_NORMAL

static void add_entry(const struct app *a, struct text_buf *b, const struct mmu *mmu,
                      const struct walk_row *r)
{
    const struct table_view t = table_of(mmu, r);
    char words[200], letters[24], target[160];
    entry_flags_words(words, sizeof words, &t, r->value);
    entry_flags_letters(letters, sizeof letters, &t, r->value);
    target_text(a, mmu, r, true, target, sizeof target);
    text_add(b, "%s " KEY "0x%llx" PLAIN ": " KEY "%s" PLAIN " (%s).\n",
             r->kind == WALK_RUN ? "Value of the first entry" : "Value",
             (unsigned long long)r->value, letters, words);
    text_add(b, "It leads to %s.\n", target);
}

static char *details(struct app *a, char *name, size_t size)
{
    struct walk_state *s = &a->hw.walk;
    struct mmu mmu;
    char space[48], owner[64];
    struct text_buf b = {0};
    if (!space_of(a, &mmu, space, sizeof space) || s->at < 0 || s->at >= s->nr_rows) {
        return NULL;
    }
    const struct walk_row *r = &s->rows[s->at];
    const uint64_t at = walk_row_at(r, &mmu);
    const char *kernel = walk_kernel_name(mmu.paging, r->level);
    const char *hardware = mmu_table_name(mmu.paging, r->level);
    const uint64_t page = (uint64_t)1 << table_level_shift(mmu.paging, r->level);
    if (r->kind == WALK_ROOT) {
        snprintf(name, size, "%s", space);
        text_add(&b,
                 "CR3 " KEY "0x%llx" PLAIN ": the top table (" KEY "%s" PLAIN
                 ", the kernel's %s) lies in page " KEY "0x%llx" PLAIN ": %s.\n",
                 (unsigned long long)mmu.cr3, hardware, kernel,
                 (unsigned long long)(r->table >> PAGE_SHIFT),
                 hw_owner(a, r->table, owner, sizeof owner));
    } else {
        const uint64_t nr = (uint64_t)(r->last - r->first) + 1;
        char each[28];
        snprintf(name, size, nr > 1 ? "%s (%s) entries %u to %u" : "%s (%s) entry %u",
                 kernel, hardware, r->first, r->last);
        text_add(&b,
                 "Virtual addresses " KEY "0x%llx" PLAIN " to " KEY "0x%llx" PLAIN
                 ", %s an entry.\n",
                 (unsigned long long)r->va, (unsigned long long)(r->va + nr * page - 1),
                 bytes_text(each, page));
        text_add(&b,
                 "The %s at physical address " KEY "0x%llx" PLAIN ", in page " KEY
                 "0x%llx" PLAIN ": %s.\n",
                 nr > 1 ? "entries begin" : "entry lies", (unsigned long long)at,
                 (unsigned long long)(at >> PAGE_SHIFT),
                 hw_owner(a, at, owner, sizeof owner));
        if (r->kind == WALK_GAP) {
            text_add(&b, "%s empty: nothing is mapped there.\n",
                     nr > 1 ? "They are" : "It is");
        } else {
            add_entry(a, &b, &mmu, r);
        }
    }
    text_add(&b, "\n" KEY "Right Left" PLAIN " open and close, " KEY "[ ]" PLAIN
                 " another address space, " KEY ":walk ADDRESS" PLAIN
                 " follows one; Enter shows the table's bytes.\n");
    snprintf(a->details_command, sizeof a->details_command, "memory physical 0x%llx",
             (unsigned long long)at);
    return b.text;
}

static bool find(struct app *a, const char *text)
{
    char line[160];
    uint64_t va;
    if (!hw_parse_address(text, &va)) {
        return false;
    }
    snprintf(line, sizeof line, "walk %s", text);
    app_command(a, line);
    return true;
}

static bool changed(const struct app *a)
{
    const struct hw_focus *f = &a->hw.focus;
    for (uint32_t i = 0; i < f->nr_walk; i++) {
        if (f->walk[i].by_step) {
            return true;
        }
    }
    return false;
}

const struct pane_kind pane_walk = {
    .name = "Page tables",
    .short_name = "Tables",
    .about = "The page tables of an address space as a tree: Right and Left open and "
             "close, :walk ADDRESS follows an address, [ and ] another address space.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .find = find,
    .scale = scale,
    .turn = turn,
    .columns = true,
};
