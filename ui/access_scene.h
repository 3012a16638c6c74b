/* What the access pane shows at a position, and its upper half: the address's bits by
 * what each level makes of them. Only the pane's two files include this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ACCESS_SCENE_H
#define UI_ACCESS_SCENE_H

#include "app.h"

struct scene {
    const struct app *a;
    const struct memsys *m;
    struct access_wish wish;
    const struct access_path *path; /* NULL: it is still to come */
    uint64_t happened;
    uint64_t va;
    enum side side;
    bool pa_known;
    uint64_t pa;
    enum page_size page; /* as far as is known */
};

/* Bits low .. low + nr - 1 of an address. */
uint64_t scene_bits(uint64_t address, int low, int nr);
/* Of an index into a table, and how many levels of tables a walk reads; 0: none. */
int scene_index_bits(enum paging p);
int scene_levels(const struct scene *s);
const char *scene_l1_name(const struct scene *s);  /* "L1D" */
const char *scene_tlb_name(const struct scene *s); /* "DTLB" */

/* Rows for the virtual and the physical address; with_tlb, with_l1_tag: also those that
 * are left out first. Answers the row below. */
int scene_draw_address(const struct scene *s, struct grid *g, struct rect r,
                       bool with_tlb, bool with_l1_tag);

#endif
