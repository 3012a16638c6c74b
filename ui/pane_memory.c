/* Memory, byte by byte: as the CPU would load it, or as RAM holds it.
 *
 *     c57e1000*88776655 44332211 00000000 00000000  .wfUD3".........
 *
 * An asterisk behind the address: a cache has newer bytes of this row than RAM (they are
 * in their own colour). In the column of characters an arrow is the first byte of a word
 * that is an address or a page-table entry: Enter follows it. Two dashes: nothing is
 * mapped, or there is no memory.
 *
 * Without a cursor the view follows the access in view. Looking changes nothing: TLBs,
 * caches and accessed bits stay as they are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "hw_focus.h"
#include "memory_view.h"
#include "pane.h"

/* ---- geometry ---- */

struct geometry {
    int digits;      /* of an address */
    int per_row;     /* bytes */
    int group;       /* bytes without a space between them */
    int hex, glyphs; /* columns where they begin; glyphs 0: no room */
};

static int hex_cols(int per_row, int group) { return 2 * per_row + per_row / group - 1; }

static struct geometry geometry(const struct app *a, int w)
{
    static const struct {
        unsigned char per_row, group;
    } tries[] = {{16, 1}, {16, 2}, {16, 4}, {8, 1}, {8, 2}, {8, 4}, {8, 8}};
    struct geometry g = {.digits = a->hw.memory.place.what == MEMORY_VIRTUAL
                                       ? hw_va_digits(a)
                                       : app_max_int(8, hw_pa_digits(a))};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        g.per_row = tries[i].per_row;
        g.group = tries[i].group;
        g.hex = 1 + g.digits + 1;
        g.glyphs = g.hex + hex_cols(g.per_row, g.group) + 1;
        if (g.glyphs + g.per_row <= w) {
            return g;
        }
    }
    g.glyphs = g.hex + hex_cols(g.per_row, g.group); /* without a gap, or cut */
    return g;
}

static int byte_col(const struct geometry *g, int i)
{
    return g->hex + 2 * i + i / g->group;
}

static int body_rows(int h) { return h >= 5 ? h - 1 : h; }

/* ---- what is looked at ---- */

static uint64_t mask_of(const struct app *a)
{
    const bool wide = a->hw.memory.place.what != MEMORY_VIRTUAL ||
                      a->model.m->config.arch == ARCH_X86_64;
    return wide ? UINT64_MAX : UINT32_MAX;
}

/* What the view follows: the access in view, translated if need be. */
static bool followed(const struct app *a, uint64_t *at)
{
    const struct memory_state *s = &a->hw.memory;
    const struct hw_focus *f = &a->hw.focus;
    if (!f->has_follow) {
        return false;
    }
    *at = f->follow;
    if (s->place.what != MEMORY_VIRTUAL) {
        struct memory_place p = {.what = MEMORY_VIRTUAL, .at = *at};
        return memory_physical(a, &p, at);
    }
    return true;
}

static void fit(struct app *a, int w, int h)
{
    struct memory_state *s = &a->hw.memory;
    uint64_t at;
    s->per_row = geometry(a, w).per_row;
    s->rows = app_max_int(1, body_rows(h));
    if (!s->has_cursor && followed(a, &at)) {
        s->place.at = at;
    } else if (!s->placed && !s->has_cursor) {
        s->place.at = memory_direct(a, 0);
    }
    s->place.at &= mask_of(a);
    const uint64_t row = (uint64_t)s->per_row, view = row * (uint64_t)s->rows;
    const uint64_t here = s->place.at & ~(row - 1);
    s->top = s->placed ? s->top : here;
    s->placed = true;
    s->top &= ~(row - 1) & mask_of(a);
    if (here - s->top >= view) {
        const uint64_t above = s->has_cursor && here > s->top ? view - row
                               : s->has_cursor                ? 0
                                                              : view / row / 3 * row;
        s->top = here >= above ? here - above : 0;
        if (s->has_cursor && here - s->top >= view) { /* far away: with some before it */
            s->top = here;
        }
    }
    memory_look(a, s->top, (uint32_t)view);
}

/* ---- drawing ---- */

static void draw_glyph(const struct app *a, struct grid *g, int x, int y,
                       unsigned char byte, bool pointer, int marks)
{
    const bool printable = byte >= 32 && byte < 127;
    const uint32_t ch = pointer ? a->glyphs->arrow : printable ? byte : a->glyphs->dot;
    grid_put(g, x, y, ch, pointer ? ST_POINTER : printable ? ST_NORMAL : ST_FAINT, marks);
}

static void draw_row(const struct app *a, struct grid *g, struct rect r,
                     const struct geometry *geo, uint64_t at, bool focused)
{
    const struct memory_state *s = &a->hw.memory;
    const struct memory_window *w = &s->window;
    uint64_t here;
    bool newer = false;
    if (followed(a, &here) && here - at < (uint64_t)geo->per_row) {
        grid_put(g, r.x, r.y, a->glyphs->here, ST_HINT_KEY, 0);
    }
    grid_printf(g, r.x + 1, r.y, ST_DIM, 0, "%0*llx", geo->digits,
                (unsigned long long)at);
    for (int i = 0; i < geo->per_row; i++) {
        const uint32_t n = memory_index(w, at + (uint64_t)i);
        const unsigned char byte = s->place.what == MEMORY_RAM ? w->ram[n] : w->seen[n];
        const bool differs = w->seen[n] != w->ram[n];
        const uint32_t word = w->word[n / 4];
        const uint32_t size = memory_word_bytes(a, at + (uint64_t)i);
        const bool cursor = focused && s->has_cursor && s->place.at == at + (uint64_t)i;
        const int marks =
            (w->changed[n] ? MARK_CHANGED : 0) | (cursor ? MARK_SELECTED : 0);
        const int x = r.x + byte_col(geo, i), glyph = r.x + geo->glyphs + i;
        if (w->from[n] == SEEN_NOWHERE) {
            grid_text(g, x, r.y, "--", ST_HOLE, marks);
            grid_put(g, glyph, r.y, ' ', ST_HOLE, marks & MARK_SELECTED);
            continue;
        }
        newer = newer || differs;
        const int style = differs ? ST_LINE_DIRTY
                          : word  ? ST_POINTER
                          : byte  ? ST_NUMBER
                                  : ST_FAINT;
        grid_printf(g, x, r.y, style, marks, "%02x", byte);
        draw_glyph(a, g, glyph, r.y, byte,
                   word && !((uint32_t)(at + (uint64_t)i) & (size - 1)),
                   marks & MARK_SELECTED);
    }
    if (newer) {
        grid_put(g, r.x + geo->hex - 1, r.y, '*', ST_LINE_DIRTY, 0);
    }
}

static const char *from_word(unsigned char from)
{
    static const char *const words[] = {"not there", "RAM", "L2", "L1D",
                                        "another CPU's cache"};
    return words[from < sizeof words / sizeof words[0] ? from : 0];
}

/* What the word at the cursor is. */
static void word_text(const struct app *a, uint64_t v, enum word_class what, char *buf,
                      size_t size)
{
    switch (what) {
    case WORD_KERNEL:
        snprintf(buf, size, "kernel address: %s", memory_area(a, v));
        break;
    case WORD_USER:
        snprintf(buf, size, "user address, mapped");
        break;
    case WORD_TABLE:
        snprintf(buf, size, "page-table entry: leads to a table");
        break;
    case WORD_PAGE:
        snprintf(buf, size, "page-table entry: maps a page");
        break;
    default:
        buf[0] = 0;
        break;
    }
}

static void draw_words(const struct app *a, struct grid *g, struct rect r)
{
    const struct memory_state *s = &a->hw.memory;
    const struct memory_window *w = &s->window;
    uint64_t at = s->place.at, pa, followed_at;
    char text[96];
    if (!s->has_cursor && !followed(a, &followed_at)) {
        grid_text_cut(g, r.x, r.y, r.w, ":x ADDRESS looks there, [ ] physical or virtual",
                      a->glyphs->more, ST_DIM, 0);
        return;
    }
    const unsigned char from = w->from[memory_index(w, at)];
    int x = grid_printf(g, r.x, r.y, ST_NORMAL, 0, "0x%llx", (unsigned long long)at);
    if (s->place.what == MEMORY_VIRTUAL && memory_physical(a, &s->place, &pa)) {
        x = grid_printf(g, x, r.y, ST_DIM, 0, " at 0x%llx", (unsigned long long)pa);
    }
    x = grid_printf(g, x, r.y, ST_DIM, 0, ", %s", from_word(from));
    if (from == SEEN_NOWHERE) {
        return;
    }
    if (w->seen[memory_index(w, at)] != w->ram[memory_index(w, at)]) {
        x = grid_text(g, x, r.y, ", RAM is older", ST_LINE_DIRTY, 0);
    }
    enum word_class what;
    const uint64_t v = memory_word(a, &at, &what);
    x = grid_printf(g, x, r.y, ST_DIM, 0, "; word 0x%llx", (unsigned long long)v);
    word_text(a, v, what, text, sizeof text);
    if (text[0]) {
        x = grid_text(g, x, r.y, ", ", ST_DIM, 0);
        grid_text_cut(g, x, r.y, app_max_int(0, r.x + r.w - x), text, a->glyphs->more,
                      ST_POINTER, 0);
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct memory_state *s = &a->hw.memory;
    const struct geometry geo = geometry(a, r.w);
    const int rows = body_rows(r.h);
    for (int i = 0; i < rows; i++) {
        const uint64_t at = s->top + (uint64_t)i * (uint64_t)geo.per_row;
        if (at < s->top || at > mask_of(a)) {
            break;
        }
        draw_row(a, g, (struct rect){r.x, r.y + i, r.w, 1}, &geo, at, focused);
    }
    if (rows < r.h) {
        draw_words(a, g, (struct rect){r.x, r.y + r.h - 1, r.w, 1});
    }
}

/* ---- moving ---- */

static void move(struct app *a, int64_t by)
{
    struct memory_state *s = &a->hw.memory;
    if (!s->has_cursor) {
        s->has_cursor = true;
        return;
    }
    const uint64_t at = s->place.at, most = mask_of(a),
                   step = (uint64_t)(by < 0 ? -by : by);
    s->place.at = by < 0 ? (at < step ? at % step : at - step)
                         : (most - at < step ? at : at + step);
}

static void go(struct app *a, const struct memory_place *to)
{
    struct memory_state *s = &a->hw.memory;
    if (s->nr_before == MEMORY_PLACES) {
        memmove(s->before, s->before + 1, sizeof s->before - sizeof s->before[0]);
        s->nr_before--;
    }
    s->before[s->nr_before++] = s->place;
    s->place = *to;
    s->has_cursor = true;
}

static bool follow(struct app *a)
{
    struct memory_place to;
    if (!a->hw.memory.has_cursor || !memory_follow(a, a->hw.memory.place.at, &to)) {
        return false;
    }
    go(a, &to);
    app_message(a, MESSAGE_INFO, "%s 0x%llx; :memory back returns.",
                to.what == MEMORY_VIRTUAL ? "At" : "At physical address",
                (unsigned long long)to.at);
    return true;
}

static bool key(struct app *a, int k, int w, int h)
{
    struct memory_state *s = &a->hw.memory;
    const int row = geometry(a, w).per_row, page = row * app_max_int(1, body_rows(h) - 1);
    switch (k) {
    case K_UP:
    case 'k':
        move(a, -row);
        return true;
    case K_DOWN:
    case 'j':
        move(a, row);
        return true;
    case K_LEFT:
    case 'h':
        move(a, -1);
        return true;
    case K_RIGHT:
    case 'l':
        move(a, 1);
        return true;
    case K_PAGE_UP:
        move(a, -page);
        return true;
    case K_PAGE_DOWN:
        move(a, page);
        return true;
    case K_HOME: /* of the page */
        s->has_cursor = true;
        s->place.at &= ~(uint64_t)(PAGE_SIZE - 1);
        return true;
    case K_END:
        s->has_cursor = false;
        return true;
    case K_ENTER:
        return follow(a);
    default:
        return false;
    }
}

static void click(struct app *a, int x, int y, int w, int h)
{
    struct memory_state *s = &a->hw.memory;
    const struct geometry geo = geometry(a, w);
    if (y >= body_rows(h)) {
        return;
    }
    int byte = 0;
    for (int i = 0; i < geo.per_row; i++) {
        byte = x >= byte_col(&geo, i) || x == geo.glyphs + i ? i : byte;
    }
    byte = x >= geo.glyphs ? app_clamp(x - geo.glyphs, 0, geo.per_row - 1) : byte;
    s->has_cursor = true;
    s->place.at = s->top + (uint64_t)(y * geo.per_row + byte);
}

/* Virtual addresses of each address space, physical ones, RAM itself. */
static void turn(struct app *a, int by)
{
    struct memory_state *s = &a->hw.memory;
    struct memory_place *p = &s->place;
    const struct space_choice current = {.kind = SPACE_CURRENT};
    struct space_choice next = p->space;
    uint64_t pa;
    const bool mapped = memory_physical(a, p, &pa);
    hw_space_turn(a, &next, by);
    const bool wraps = next.kind == SPACE_CURRENT || p->space.kind == SPACE_CURRENT;
    if (p->what == MEMORY_VIRTUAL && (by > 0 ? next.kind != SPACE_CURRENT : !wraps)) {
        p->space = next;
    } else if (p->what == MEMORY_VIRTUAL) {
        p->what = by > 0 ? MEMORY_PHYSICAL : MEMORY_RAM;
        p->at = mapped ? pa : 0;
        p->space = current;
    } else if (p->what == (by > 0 ? MEMORY_PHYSICAL : MEMORY_RAM)) {
        p->what = by > 0 ? MEMORY_RAM : MEMORY_PHYSICAL;
    } else {
        const uint64_t va = memory_direct(a, p->at);
        p->what = MEMORY_VIRTUAL;
        p->space = current;
        p->at = va ? va : p->at;
    }
}

static void scale(struct app *a, int by) { move(a, by * (int64_t)PAGE_SIZE); }

static void title(const struct app *a, char *buf, size_t size)
{
    const struct memory_place *p = &a->hw.memory.place;
    struct mmu mmu;
    char name[48];
    if (p->what == MEMORY_VIRTUAL) {
        const bool paging = hw_space(a, &p->space, &mmu, name, sizeof name);
        snprintf(buf, size, "virtual, %s", paging ? name : "no paging");
    } else {
        snprintf(buf, size,
                 p->what == MEMORY_RAM ? "physical, RAM itself"
                                       : "physical, as CPU %u sees it",
                 a->cpu);
    }
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    uint64_t pa;
    if (!a->hw.memory.has_cursor || !memory_physical(a, &a->hw.memory.place, &pa)) {
        return false;
    }
    *p = pa >> PAGE_SHIFT;
    return true;
}

#define KEY POPUP_TEXT_KEY
#define PLAIN POPUP_TEXT_NORMAL

static char *details(struct app *a, char *name, size_t size)
{
    struct memory_state *s = &a->hw.memory;
    const struct memory_window *w = &s->window;
    const uint32_t n = memory_index(w, s->place.at);
    struct text_buf b = {0};
    uint64_t pa, at = s->place.at;
    char text[96], owner[64];
    enum word_class what;
    snprintf(name, size, "%s 0x%llx",
             s->place.what == MEMORY_VIRTUAL ? "Virtual address" : "Physical address",
             (unsigned long long)at);
    if (!memory_physical(a, &s->place, &pa)) {
        text_add(&b, "Nothing is mapped there: an access would fault. Enter follows the "
                     "address through the tables.\n");
    } else {
        if (s->place.what == MEMORY_VIRTUAL) {
            text_add(&b, "Physical address " KEY "0x%llx" PLAIN ", area %s.\n",
                     (unsigned long long)pa, memory_area(a, at));
        }
        text_add(&b, "Page " KEY PFN_FORMAT PLAIN ": %s.\n",
                 (unsigned long long)(pa >> PAGE_SHIFT),
                 hw_owner(a, pa, owner, sizeof owner));
        if (w->from[n] == SEEN_NOWHERE) {
            text_add(&b, "There is no memory.\n");
        } else {
            text_add(&b,
                     "CPU %u would load " KEY "0x%02x" PLAIN " from " KEY "%s" PLAIN
                     "; RAM holds " KEY "0x%02x" PLAIN "%s.\n",
                     a->cpu, w->seen[n], from_word(w->from[n]), w->ram[n],
                     w->seen[n] != w->ram[n] ? ", which is older" : "");
        }
        const uint32_t bytes = memory_word_bytes(a, at);
        const uint64_t v = memory_word(a, &at, &what);
        word_text(a, v, what, text, sizeof text);
        text_add(&b, "\nThe word of %u bytes at 0x%llx is " KEY "0x%llx" PLAIN " (%llu)",
                 bytes, (unsigned long long)at, (unsigned long long)v,
                 (unsigned long long)v);
        text_add(&b,
                 text[0] ? ", a %s. With the cursor on it, Enter follows it.\n" : "%s.\n",
                 text);
    }
    if (s->place.what == MEMORY_VIRTUAL) {
        snprintf(a->details_command, sizeof a->details_command, "walk 0x%llx",
                 (unsigned long long)s->place.at);
    }
    text_add(&b, "\n" KEY "[ ]" PLAIN " virtual, physical, RAM itself; " KEY "+ -" PLAIN
                 " a page back and on; " KEY "/" PLAIN
                 " searches bytes (de ad be ef), a number (0x1234) or text; " KEY
                 ":x ADDRESS" PLAIN " looks elsewhere; " KEY ":memory back" PLAIN
                 " returns.\n");
    return b.text;
}

static bool find(struct app *a, const char *text)
{
    struct memory_state *s = &a->hw.memory;
    struct memory_place p = s->place;
    unsigned char needle[64];
    bool exhausted;
    const uint32_t n = memory_needle(text, needle);
    p.at++;
    bool found = n && memory_search(a, &p, needle, n, &exhausted);
    if (n && !found && exhausted) { /* from the beginning */
        p.at = 0;
        found = memory_search(a, &p, needle, n, &exhausted);
    }
    if (found) {
        go(a, &p);
        return true;
    }
    if (n && !exhausted) {
        go(a, &p);
        app_message(a, MESSAGE_INFO, "Not found up to 0x%llx; / goes on from there.",
                    (unsigned long long)p.at);
        return true;
    }
    return false;
}

static bool changed(const struct app *a)
{
    const struct memory_window *w = &a->hw.memory.window;
    return w->valid && w->stamp == a->hw.stamp && memchr(w->changed, 1, w->size);
}

void memory_go(struct app *a, const struct memory_place *to)
{
    go(a, to);
    a->hw.memory.top = to->at & ~(uint64_t)15;
}

const struct pane_kind pane_memory = {
    .name = "Memory",
    .short_name = "Memory",
    .about = "Bytes as the CPU would load them, or as RAM holds them: * is newer in a "
             "cache; Enter follows addresses and table entries; [ and ] virtual or "
             "physical.",
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
