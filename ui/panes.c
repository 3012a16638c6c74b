/* The table of panes, and what several of them need.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "describe.h"
#include "pane.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pane_kind *const kinds[NR_PANES] = {
#define PANE(id, object) [PANE_##id] = &pane_##object,
#include "panes.def"
#undef PANE
};

const struct pane_kind *pane_kind(int pane)
{
    return kinds[pane >= 0 && pane < NR_PANES ? pane : 0];
}

/* ---- lists ---- */

void pane_list_show(struct pane_list *l, int row, int nr, int h)
{
    int last = app_max_int(0, nr - h);
    if (row < l->top) {
        l->top = row;
    } else if (row >= l->top + h) {
        l->top = row - h + 1;
    }
    l->top = app_clamp(l->top, 0, last);
    l->rows = nr;
}

void pane_list_follow(struct pane_list *l, int row, int nr, int h, int margin)
{
    int above = app_min_int(margin, row), below = app_clamp(nr - 1 - row, 0, margin);
    l->rows = nr;
    if (nr <= h) {
        l->top = 0;
    } else if (row - above < l->top || row + below >= l->top + h) {
        l->top = app_clamp(row - h / 3, 0, nr - 1);
    }
}

bool pane_list_key(struct pane_list *l, int key, int nr, int h, int follow)
{
    int at = l->selected >= 0 ? l->selected : follow;
    switch (key) {
    case K_UP:
    case 'k':
        at--;
        break;
    case K_DOWN:
    case 'j':
        at++;
        break;
    case K_PAGE_UP:
        at -= app_max_int(1, h - 1);
        break;
    case K_PAGE_DOWN:
        at += app_max_int(1, h - 1);
        break;
    case K_HOME:
        at = 0;
        break;
    case K_END:
        l->selected = -1;
        return true;
    default:
        return false;
    }
    l->selected = nr ? app_clamp(at, 0, nr - 1) : -1;
    return true;
}

void pane_more(const struct app *a, struct grid *g, struct rect r, int top, int nr)
{
    if (r.h < 2 || r.w < 4) {
        return;
    }
    if (top > 0) {
        grid_put(g, r.x + r.w - 1, r.y, a->glyphs->up, ST_HINT_KEY, 0);
    }
    if (top + r.h < nr) {
        grid_put(g, r.x + r.w - 1, r.y + r.h - 1, a->glyphs->down, ST_HINT_KEY, 0);
    }
}

/* ---- words ---- */

struct type_words {
    const char *name, *brief;
    char letter;
    unsigned char style, tile;
};

static const struct type_words types[MIGRATE_TYPES] = {
    [MIGRATE_UNMOVABLE] = {"Unmovable", "Unmov", 'U', ST_UNMOVABLE, ST_UNMOVABLE_TILE},
    [MIGRATE_MOVABLE] = {"Movable", "Movab", 'M', ST_MOVABLE, ST_MOVABLE_TILE},
    [MIGRATE_RECLAIMABLE] = {"Reclaimable", "Recla", 'R', ST_RECLAIMABLE,
                             ST_RECLAIMABLE_TILE},
    [MIGRATE_HIGHATOMIC] = {"HighAtomic", "HiAto", 'H', ST_HIGHATOMIC,
                            ST_HIGHATOMIC_TILE},
    [MIGRATE_ISOLATE] = {"Isolate", "Isol.", 'I', ST_ISOLATE, ST_ISOLATE_TILE},
};

static const struct type_words *type_words(enum migratetype mt)
{
    return &types[(unsigned)mt < MIGRATE_TYPES ? (unsigned)mt : 0];
}

int type_style(enum migratetype mt) { return type_words(mt)->style; }
int type_tile_style(enum migratetype mt) { return type_words(mt)->tile; }
const char *type_name(enum migratetype mt) { return type_words(mt)->name; }
const char *type_short(enum migratetype mt) { return type_words(mt)->brief; }
char type_letter(enum migratetype mt) { return type_words(mt)->letter; }

const char *thousands(char buf[28], uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *to = buf;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && len > 4) {
            *to++ = ' ';
        }
        *to++ = digits[i];
    }
    *to = 0;
    return buf;
}

const char *bytes_text(char buf[28], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = 0;
    uint64_t whole = bytes, rest = 0;
    while (whole >= 1024 && unit < 6) {
        rest = whole % 1024;
        whole /= 1024;
        unit++;
    }
    if (rest && whole < 100) {
        snprintf(buf, 28, "%llu.%llu %s", (unsigned long long)whole,
                 (unsigned long long)(rest * 10 / 1024), units[unit]);
    } else {
        snprintf(buf, 28, "%llu %s", (unsigned long long)whole, units[unit]);
    }
    return buf;
}

void text_add(struct text_buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && b->len + (size_t)n + 1 > b->room) {
        size_t room = 2 * (b->len + (size_t)n) + 256;
        char *bigger = realloc(b->text, room);
        if (!bigger) {
            va_end(again);
            return;
        }
        b->text = bigger;
        b->room = room;
    }
    if (n >= 0) {
        b->len += (size_t)vsnprintf(b->text + b->len, b->room - b->len, format, again);
    }
    va_end(again);
}

/* ---- what is this page? ---- */

#define KEY POPUP_TEXT_KEY
#define PLAIN POPUP_TEXT_NORMAL
#define DIM POPUP_TEXT_DIM

static void add_history(struct app *a, struct text_buf *b, const struct page_view *v)
{
    if (!v->op) {
        text_add(b, "It has been like this since the machine booted.\n");
        return;
    }
    struct op_record rec;
    char line[256];
    snprintf(a->details_command, sizeof a->details_command, "goto %llu",
             (unsigned long long)v->op);
    if (timeline_op(a->t, a->model.at.branch, op_of_number(v->op), &rec)) {
        op_format(line, sizeof line, a->model.m, &rec.op,
                  rec.op.kind == OP_ALLOC_PAGES ? &rec.result : NULL);
        text_add(b, "Last changed by operation %llu: %s\n", (unsigned long long)v->op,
                 line);
        struct site site = timeline_site(a->t, rec.op.site);
        if (site.line) {
            text_add(b, "in line %u of the script.\n", site.line);
        }
    } else {
        text_add(b, "Last changed by operation %llu.\n", (unsigned long long)v->op);
    }
}

char *page_details(struct app *a, uint64_t p, char *title, size_t title_size)
{
    const struct machine *m = a->model.m;
    struct page_view v = page_view(m, pfn(p));
    struct text_buf b = {0};
    char size[28], gfp[256];
    snprintf(title, title_size, "Page " PFN_FORMAT, (unsigned long long)p);
    text_add(&b, "Physical address " KEY "0x%llx" PLAIN "\n",
             (unsigned long long)p << PAGE_SHIFT);
    if (v.state == PAGE_HOLE) {
        text_add(&b, "There is no memory at this address.\n");
        return b.text;
    }
    const char *zone = v.zone != UINT32_MAX ? zone_view(m, v.zone).name : "no zone";
    enum migratetype block =
        v.zone != UINT32_MAX ? pageblock_type(m, v.zone, pfn(p)) : MIGRATE_UNMOVABLE;
    text_add(&b, "Zone " KEY "%s" PLAIN ", in a pageblock of type " KEY "%s" PLAIN "\n\n",
             zone, type_name(block));
    uint64_t pages = (uint64_t)1 << (v.order < 64 ? v.order : 0);
    bytes_text(size, pages << PAGE_SHIFT);
    switch (v.state) {
    case PAGE_RESERVED:
        text_add(&b,
                 KEY "Reserved" PLAIN
                     ": kernel image, firmware or the frame table. The allocator never "
                     "hands it out.\n");
        return b.text;
    case PAGE_FREE:
        text_add(&b,
                 KEY "Free" PLAIN
                     ", in the buddy system: part of the block at " KEY PFN_FORMAT PLAIN
                     " of order " KEY "%u" PLAIN " (%llu page%s, %s) on the " KEY
                     "%s" PLAIN " list.\n",
                 (unsigned long long)v.head, v.order, (unsigned long long)pages,
                 pages == 1 ? "" : "s", size, type_name(v.type));
        text_add(&b,
                 "Its buddy is the block at " KEY PFN_FORMAT PLAIN
                 " (the same number with bit %u the other way): when that is free too, "
                 "and whole, the two become one.\n",
                 (unsigned long long)(v.head ^ pages), v.order);
        break;
    case PAGE_PCP:
        text_add(&b,
                 KEY "On a per-CPU list" PLAIN " of CPU " KEY "%u" PLAIN
                     ": list of order " KEY "%u" PLAIN ", " KEY "%s" PLAIN
                     ". The buddy system counts it as in use; this CPU "
                     "can hand it out without a lock.\n",
                 v.cpu, v.order, type_name(v.type));
        break;
    default:
        gfp_format(gfp, sizeof gfp, v.gfp);
        text_add(&b,
                 KEY "Allocated" PLAIN ": part of the block at " KEY PFN_FORMAT PLAIN
                     " of order " KEY "%u" PLAIN " (%llu page%s, %s).\n",
                 (unsigned long long)v.head, v.order, (unsigned long long)pages,
                 pages == 1 ? "" : "s", size);
        text_add(&b,
                 "Asked for with " KEY "%s" PLAIN
                 " on CPU %u. Reference count %u%s%s%s.\n",
                 gfp, v.cpu, v.refcount, v.compound ? ", compound" : "",
                 v.lru ? ", on the LRU" : "", v.highatomic ? ", high-atomic" : "");
        break;
    }
    text_add(&b, "\n");
    add_history(a, &b, &v);
    return b.text;
}
