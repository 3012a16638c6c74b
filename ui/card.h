/* The card: what the script says at the position, whole, over the lowest rows of the
 * panes.
 *
 * While the script speaks the machine does nothing, so nothing that moves is covered; the
 * next step puts the card away and every pane is where it was. A question waits on its
 * card for an answer by number.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_CARD_H
#define UI_CARD_H

#include "app.h"

/* Is there one at the position? */
bool card_shown(const struct app *a);
/* The rows that it takes, with the rule above it. */
struct rect card_rect(const struct app *a);
void card_draw(const struct app *a, struct grid *g);

/* A question at the position that has not been answered yet: how many choices it has;
 * 0: there is none. */
int card_choices(const struct app *a);
/* The key answers it: true. */
bool card_key(struct app *a, int key);

/* A question as the story tells it: with all its choices while it is open, else with
 * the right one. The text is put into buf. */
void card_question_text(const struct app *a, uint32_t text_id, bool open, char *buf,
                        size_t size);

#endif
