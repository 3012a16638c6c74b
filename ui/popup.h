/* Windows over the panes: text to scroll through, a list of choices, the allocation
 * dialogue, "really leave?".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_POPUP_H
#define UI_POPUP_H

#include "app.h"

void popup_close(struct app *a);
/* text is malloced and becomes the popup's (NULL: nothing is shown). */
void popup_text(struct app *a, const char *title, char *text);
/* Start a list of choices; then popup_add each, a label and the command that it runs. */
void popup_choice(struct app *a, const char *title);
void popup_add(struct app *a, const char *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void popup_alloc(struct app *a);
void popup_quit(struct app *a);
/* True: the key was for the popup. */
bool popup_key(struct app *a, int key);
/* Scroll a window of h rows over so many rows by a key; false: not one of these keys. */
bool popup_scroll(int *top, int key, int rows, int h);
void popup_draw(const struct app *a, struct grid *g);

#endif
