/* The address space as nested bars: see space_map.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "space_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw_focus.h"
#include "hw_memory.h"
#include "inspect_hw.h"
#include "pane.h"

/* Each bar is up to 2^CELL_STEP times as fine as the one above; so many entries are read
 * to tell whether a cell has something mapped, and so many events back looked at. */
enum { CELL_STEP = 4, ENTRY_BUDGET = 48, LIT_EVENTS = 256 };

/* ---- level 0: all regions ---- */

static bool is_areas(enum kspace_kind kind)
{
    return kind == AREA_VMALLOC || kind == AREA_MODULES;
}

static void top_bar(const struct machine *m, int w, struct space_bar *b)
{
    const int nr = (int)space_nr_regions(m);
    const int least = 3 * nr <= w ? 2 : 1, spare = w - least * nr;
    double total = 0, scale;
    int x = 0;
    b->nr = nr;
    for (int i = 0; i < nr; i++) {
        const struct kspace_area r = space_region(m, (uint32_t)i).area;
        struct space_part *p = &b->part[i];
        *p = (struct space_part){.first = r.first, .last = r.last, .region = (uint32_t)i};
        /* most of 64 bits is no address at all: that may not push the rest together */
        total += r.kind == AREA_NON_CANONICAL ? 0 : (double)(r.last - r.first);
    }
    scale = total / w; /* bytes a cell, if nothing were too small */
    for (int i = 0; i < nr; i++) {
        struct space_part *p = &b->part[i];
        const double bytes = (double)(p->last - p->first);
        const bool none = space_region(m, p->region).area.kind == AREA_NON_CANONICAL;
        const int more = none || spare <= 0 ? 0 : (int)(bytes / total * spare);
        p->x = x;
        p->n = least + more;
        p->broken = p->n > 1 && bytes / p->n > scale * 1.5;
        x += p->n;
    }
    b->n = x < SPACE_MAX_CELLS ? x : SPACE_MAX_CELLS;
    b->first = b->part[0].first;
    b->last = b->part[nr - 1].last;
}

/* ---- the levels below ---- */

/* log2 of the cells' bytes when the whole region is in a bar. */
static uint32_t whole_shift(const struct kspace_area *r, int w)
{
    uint32_t shift = PAGE_SHIFT;
    while (shift < 63 && (r->last - r->first) >> shift >= (uint64_t)w) {
        shift++;
    }
    return shift;
}

static int steps_of(uint32_t shift)
{
    return (int)(shift - PAGE_SHIFT + CELL_STEP - 1) / CELL_STEP;
}

static struct kspace_area region_at(const struct machine *m, uint64_t at)
{
    const uint32_t i = space_region_of(m, at);
    return space_region(m, i == UINT32_MAX ? 0 : i).area;
}

int space_levels(const struct machine *m, uint64_t at, int w)
{
    const struct kspace_area r = region_at(m, at);
    return 2 + steps_of(whole_shift(&r, w)) + 1;
}

void space_bar(const struct machine *m, uint64_t at, int w, int level,
               struct space_bar *b)
{
    *b = (struct space_bar){0};
    w = app_clamp(w, 1, SPACE_MAX_CELLS);
    if (level <= 0) {
        top_bar(m, w, b);
        return;
    }
    const struct kspace_area r = region_at(m, at);
    const uint32_t whole = whole_shift(&r, w);
    const int steps = steps_of(whole);
    const int step = app_min_int(level - 1, steps);
    /* from whole to a page in steps that are as alike as can be */
    const uint32_t shift =
        steps ? whole - (whole - PAGE_SHIFT) * (uint32_t)step / (uint32_t)steps : whole;
    const uint64_t cell = (uint64_t)1 << shift;
    const uint64_t base = r.first & ~(cell - 1), cells = ((r.last - base) >> shift) + 1;
    uint64_t from = 0;
    if (cells > (uint64_t)w) {
        /* turned by half a bar at a time: the place is never at its edge */
        const uint64_t here = (at - base) >> shift,
                       half = (uint64_t)app_max_int(1, w / 2);
        const uint64_t turn = here / half * half, quarter = half / 2;
        from = turn > quarter ? turn - quarter : 0;
        from = from + (uint64_t)w > cells ? cells - (uint64_t)w : from;
    }
    b->cell = cell;
    b->n = (int)(cells - from < (uint64_t)w ? cells - from : (uint64_t)w);
    b->first = base + (from << shift);
    b->last = b->first + ((uint64_t)b->n << shift) - 1;
    if (b->last > r.last || b->last < b->first) {
        b->last = r.last;
    }
    if (b->first < r.first) {
        b->first = r.first;
    }
}

void space_cell(const struct space_bar *b, int i, uint64_t *first, uint64_t *last)
{
    if (b->nr) {
        for (int k = 0; k < b->nr; k++) {
            const struct space_part *p = &b->part[k];
            if (i >= p->x && i < p->x + p->n) {
                const uint64_t each = (p->last - p->first) / (uint64_t)p->n;
                const int n = i - p->x;
                *first = (p->first + each * (uint64_t)n) & ~(uint64_t)(PAGE_SIZE - 1);
                *last = n == p->n - 1 ? p->last
                                      : ((p->first + each * (uint64_t)(n + 1)) &
                                         ~(uint64_t)(PAGE_SIZE - 1)) -
                                            1;
                *last = *last < *first ? *first : *last;
                return;
            }
        }
        *first = *last = b->last;
        return;
    }
    const uint64_t base = b->first & ~(b->cell - 1);
    *first = base + b->cell * (uint64_t)i;
    *last = *first + b->cell - 1;
    *first = *first < b->first ? b->first : *first;
    *last = *last > b->last || *last < *first ? b->last : *last;
}

int space_cell_of(const struct space_bar *b, uint64_t va)
{
    if (va < b->first || va > b->last) {
        return -1;
    }
    if (!b->nr) {
        return (int)((va - (b->first & ~(b->cell - 1))) / b->cell);
    }
    for (int i = 0; i < b->n; i++) {
        uint64_t first, last;
        space_cell(b, i, &first, &last);
        if (va >= first && va <= last) {
            return i;
        }
    }
    for (int k = 0; k < b->nr; k++) { /* two cells of less than a page */
        if (va >= b->part[k].first && va <= b->part[k].last) {
            return b->part[k].x;
        }
    }
    return -1;
}

bool space_is_areas(const struct machine *m, uint64_t va)
{
    return is_areas(region_at(m, va).kind);
}

/* ---- what a cell shows ---- */

struct space_look space_kind_look(const struct app *a, enum vmap_kind kind)
{
    static const struct space_look looks[NR_VMAP_KINDS] = {
        [VMAP_VMALLOC] = {'V', ST_MOVABLE_TILE},
        [VMAP_VMAP] = {'M', ST_UNMOVABLE_TILE},
        [VMAP_IOREMAP] = {'I', ST_HIGHATOMIC_TILE},
        [VMAP_RAM] = {'R', ST_RECLAIMABLE_TILE},
        [VMAP_BLOCK] = {'B', ST_RECLAIMABLE_TILE},
        [VMAP_LOADED] = {'X', ST_RESERVED},
        [VMAP_LAZY] = {'~', ST_STALE},
    };
    return kind > VMAP_FREE && kind < NR_VMAP_KINDS
               ? looks[kind]
               : (struct space_look){a->glyphs->dot, ST_FREE};
}

/* Where areas are: the first of several in a cell; small when part of it is free. */
static struct space_look areas_look(const struct app *a, uint64_t first, uint64_t last)
{
    const struct machine *m = a->model.m;
    struct area_view v, next;
    if (!space_next_area(m, first, last, &v)) {
        return (struct space_look){a->glyphs->dot, ST_FREE};
    }
    struct space_look look = space_kind_look(a, v.kind);
    const bool more = v.last < last && space_next_area(m, v.last + 1, last, &next);
    if (more && next.kind != v.kind) {
        return (struct space_look){'+',
                                   look.style == ST_STALE ? ST_MOVABLE_TILE : look.style};
    }
    if (v.guard && v.guard <= first && !more) {
        return (struct space_look){'g', ST_WARN};
    }
    if (v.kind == VMAP_LAZY) {
        return look;
    }
    if (v.first > first || v.last < last) {
        look.ch |= 32; /* a small letter */
    } else if (v.first < first && last - first < 2 * PAGE_SIZE) {
        look.ch = a->glyphs->tile_body;
    }
    return look;
}

static uint32_t count_glyph(uint32_t n) { return n < 10 ? '0' + n : '+'; }

static struct space_look pkmap_look(const struct app *a, uint64_t first, uint64_t last)
{
    const struct machine *m = a->model.m;
    const uint64_t base = m->vm->kspace.pkmap_base;
    uint32_t most = 0, used = 0;
    for (uint64_t va = first & ~(uint64_t)(PAGE_SIZE - 1); va <= last; va += PAGE_SIZE) {
        const struct pkmap_view v = space_pkmap(m, (uint32_t)((va - base) >> PAGE_SHIFT));
        most = v.count > most ? v.count : most;
        used += v.count > 0;
    }
    if (!used) {
        return (struct space_look){a->glyphs->dot, ST_FREE};
    }
    return (struct space_look){count_glyph(most), most > 1 ? ST_MOVABLE_TILE : ST_WARN};
}

/* Is anything mapped between first and last? As far as a few entries can tell. */
static bool any_mapped(const struct machine *m, uint64_t first, uint64_t last,
                       bool *large)
{
    uint64_t va = first;
    for (int i = 0; i < ENTRY_BUDGET && va >= first && va <= last; i++) {
        const struct pgtable_entry e = pgtable_find(m, va);
        const uint64_t size = (uint64_t)1 << pgtable_shift(m, e.level);
        if (e.maps) {
            *large = e.level > 1;
            return true;
        }
        va = (va & ~(size - 1)) + size;
    }
    return false;
}

struct space_look space_look(const struct app *a, uint64_t first, uint64_t last)
{
    const struct machine *m = a->model.m;
    const enum kspace_kind kind = region_at(m, first).kind;
    bool large = false;
    switch (kind) {
    case AREA_VMALLOC:
    case AREA_MODULES:
        return areas_look(a, first, last);
    case AREA_PKMAP:
        return pkmap_look(a, first, last);
    case AREA_USER:
        if (last - first < PAGE_SIZE &&
            space_whatis(m, space_mm(a, first), first).entry.maps) {
            return (struct space_look){'U', ST_MOVABLE_TILE};
        }
        return (struct space_look){'u', ST_DIM};
    case AREA_HOLE:
        return (struct space_look){a->glyphs->tile_reserved, ST_HOLE};
    case AREA_NON_CANONICAL:
        return (struct space_look){'x', ST_HOLE};
    default:
        break;
    }
    static const char letters[] = {
        [AREA_DIRECT] = 'D',  [AREA_LDT] = 'L',        [AREA_CPU_ENTRY] = 'E',
        [AREA_FIXMAP] = 'F',  [AREA_KMAP_LOCAL] = 'K', [AREA_EARLY_IOREMAP] = 'I',
        [AREA_VMEMMAP] = 'S', [AREA_KERNEL] = 'T'};
    const uint32_t letter = (uint32_t)letters[kind];
    if (!any_mapped(m, first, last, &large)) {
        return (struct space_look){a->glyphs->dot, ST_FAINT};
    }
    /* small letters: by small pages, where there are large ones too */
    const bool small = kind == AREA_DIRECT && !large;
    return (struct space_look){small ? letter | 32 : letter,
                               kind == AREA_DIRECT       ? ST_LINE_CLEAN
                               : kind == AREA_KMAP_LOCAL ? ST_MOVABLE_TILE
                                                         : ST_LINE_SHARED};
}

/* ---- what happens ---- */

static bool event_range(const struct app *a, const struct event *ev, uint64_t *first,
                        uint64_t *last)
{
    static const char *const names[] = {"va", "addr", "va_start", "start"};
    uint64_t end;
    struct area_view v;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (event_arg_named(ev, names[i], first) &&
            space_region_of(a->model.m, *first) != UINT32_MAX && *first) {
            *last = *first | (PAGE_SIZE - 1);
            if (event_arg_named(ev, "end", &end) && end > *first) {
                *last = end - 1;
            } else if (space_area_at(a->model.m, *first, &v)) {
                *first = v.first;
                *last = v.last;
            }
            return true;
        }
    }
    return false;
}

bool space_lit(const struct app *a, uint64_t *first, uint64_t *last)
{
    const struct model *md = &a->model;
    const struct op_events *e = &md->view;
    if (!md->has_op) {
        return false;
    }
    /* not all of them: an operation may have thousands that are about no address */
    const uint64_t far = md->happened > LIT_EVENTS ? md->happened - LIT_EVENTS : 0;
    for (uint64_t n = md->happened; n >= e->first && n > far; n--) {
        const struct event *ev = op_events_get(e, n);
        uint64_t any;
        if (ev && event_arg(ev, "addr", &any) && event_range(a, ev, first, last)) {
            return true;
        }
    }
    return false;
}

/* ---- moving ---- */

uint64_t space_next_thing(const struct machine *m, uint64_t at, int by)
{
    const struct kspace_area r = region_at(m, at);
    struct area_view v;
    uint64_t first, last;
    if (is_areas(r.kind)) {
        if (space_area_at(m, at, &v)) {
            first = v.first;
            last = v.last;
        } else if (!space_hole_at(m, at, &first, &last)) {
            first = r.first;
            last = r.last;
        }
    } else {
        first = r.first;
        last = r.last;
    }
    first = first < r.first ? r.first : first;
    last = last > r.last ? r.last : last;
    if (by > 0) {
        return last + 1 > last && space_region_of(m, last + 1) != UINT32_MAX ? last + 1
                                                                             : at;
    }
    if (at > first && at - first >= PAGE_SIZE) {
        return first; /* first to the beginning of this one */
    }
    if (!first) {
        return 0;
    }
    at = first - 1;
    if (is_areas(region_at(m, at).kind)) {
        return space_area_at(m, at, &v)              ? v.first
               : space_hole_at(m, at, &first, &last) ? first
                                                     : at;
    }
    return region_at(m, at).first;
}

/* ---- what is this address? ---- */

uint32_t space_mm(const struct app *a, uint64_t va)
{
    const struct machine *m = a->model.m;
    return region_at(m, va).kind == AREA_USER ? hw_mm_of_cpu(m, a->cpu).mm : 0;
}

char *space_whatis_popup(const struct app *a, bool physical, uint64_t address)
{
    static const char *const vias[] = {[VIA_DTLB] = "the DTLB", [VIA_STLB] = "the STLB"};
    const struct machine *m = a->model.m;
    struct text_buf b = {0};
    const struct address_view v = physical
                                      ? space_whatis_phys(m, address)
                                      : space_whatis(m, space_mm(a, address), address);
    const int n = space_whatis_text(NULL, 0, m, &v);
    char *text = n > 0 ? malloc((size_t)n + 1) : NULL;
    if (text) {
        space_whatis_text(text, (size_t)n + 1, m, &v);
        text_add(&b, "%s", text);
        free(text);
    }
    for (uint32_t cpu = 0; !physical && cpu < machine_nr_cpus(m); cpu++) {
        if (!shown_cpu(a)) {
            break; /* without hardware */
        }
        const struct memory_at at = memory_translate(m, cpu, NULL, address);
        if (at.via == VIA_DTLB || at.via == VIA_STLB) {
            text_add(&b, "CPU %u     %s has it as %#llx%s\n", cpu, vias[at.via],
                     (unsigned long long)at.pa,
                     at.pa == v.pa ? "" : ": stale, the tables say something else");
        }
    }
    return b.text;
}
