/* The address space as nested bars: where each cell of which bar lies, and what is there.
 *
 *   level 0       all regions side by side. To scale, but none is too small to be seen:
 *                 those that give way for that (more than MAP_BROKEN to the true scale)
 *                 have a break mark
 *   level 1       the region of the place, whole
 *   2 ...         a window of it around the place, cells up to 16 times as small
 *   the last but one   a cell is a page
 *   the last      page-table entries as rows
 *
 * Everything follows from a place, a width and a level: nothing is remembered, so that
 * zooming keeps the place and looking changes nothing.
 *
 * Left out: a process's areas (pages are seen in the last bar, those of the address space
 * that the CPU in view has); entries of instruction TLBs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_SPACE_MAP_H
#define UI_SPACE_MAP_H

#include "app.h"
#include "inspect_space.h"

enum { SPACE_MAX_LEVELS = 20, SPACE_MAX_CELLS = 512 };

struct space_bar {
    uint64_t first, last;
    int n;         /* cells */
    uint64_t cell; /* bytes a cell; level 0: as its regions have it */
    /* level 0: regions and their cells */
    int nr;
    struct space_part {
        uint64_t first, last;
        uint32_t region;
        int x, n;
        bool broken;
    } part[KSPACE_MAX_AREAS];
};

/* How many levels there are at this place, the entries among them. */
int space_levels(const struct machine *m, uint64_t at, int w);
void space_bar(const struct machine *m, uint64_t at, int w, int level,
               struct space_bar *out);
/* The bytes of cell i, and the cell that an address lies in (-1: none). */
void space_cell(const struct space_bar *b, int i, uint64_t *first, uint64_t *last);
int space_cell_of(const struct space_bar *b, uint64_t va);

/* What a cell shows. */
struct space_look {
    uint32_t ch;
    int style;
};
struct space_look space_look(const struct app *a, uint64_t first, uint64_t last);
struct space_look space_kind_look(const struct app *a, enum vmap_kind kind);

/* The bytes of the last event that was about any (in the operation in view, not too far
 * back); false: there is none. */
bool space_lit(const struct app *a, uint64_t *first, uint64_t *last);
/* Does it lie where vmalloc and its like have their areas? */
bool space_is_areas(const struct machine *m, uint64_t va);
/* The next thing after this place, or before it: a region, an area, a hole. */
uint64_t space_next_thing(const struct machine *m, uint64_t at, int by);
/* The address space that an address belongs to as the shown CPU sees it: 0 the
 * kernel's. */
uint32_t space_mm(const struct app *a, uint64_t va);
/* What an address is, as popup text (malloced): the engine's words, and the CPUs' TLBs
 * that know it. */
char *space_whatis_popup(const struct app *a, bool physical, uint64_t address);

#endif
