/* Addresses and page frame numbers that can be read on the screen, to complete what is
 * typed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_SCREEN_WORDS_H
#define UI_SCREEN_WORDS_H

#include "app.h"

/* Calls fn for each that begins with prefix, "0x1810" also for what is shown as 1810;
 * from the focused pane on: what is looked at comes first. */
void screen_words(const struct app *a, const char *prefix,
                  void (*fn)(void *ctx, const char *word), void *ctx);

#endif
