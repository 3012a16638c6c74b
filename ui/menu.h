/* The menu: the lessons in teaching order, and the free sandbox.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_MENU_H
#define UI_MENU_H

#include "glyphs.h"
#include "grid.h"
#include "lessons.h"

struct menu {
    const struct lessons *lessons;
    const struct glyphs *glyphs;
    int selected; /* lessons, then the sandbox, then what was interrupted */
    int typed;    /* the first digit of a lesson's number that waits for its second; -1 */
    int cols, rows;
    char message[512]; /* why a lesson could not be opened */
    char left[200];    /* title of a session that was interrupted; "": there is none */
};

enum menu_answer { MENU_STAY, MENU_OPEN, MENU_QUIT };

void menu_init(struct menu *m, const struct lessons *lessons, enum glyph_set set);
/* Pure, as app_draw. */
void menu_draw(const struct menu *m, struct grid *g);
enum menu_answer menu_key(struct menu *m, int key);
/* How long to wait for a key, in ms, -1: for ever; and when none came: a number of one
 * digit was meant. */
int menu_wait(const struct menu *m);
enum menu_answer menu_timeout(struct menu *m);
/* The lesson that is selected, or NULL: the sandbox. */
const struct lesson *menu_selected(const struct menu *m);
/* Is it the interrupted session? */
bool menu_is_left(const struct menu *m);
/* The entry in row y of the screen becomes the selected one; false: there is none. */
bool menu_click(struct menu *m, int y);

#endif
