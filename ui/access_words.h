/* What an access just did, and why, in words: for the lines under the panes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_ACCESS_WORDS_H
#define UI_ACCESS_WORDS_H

#include "access.h"

/* About the last event that has happened, if it is one of the hardware's: a sentence or
 * two. "" when there is nothing to say. m is the machine at that event. */
void access_why(const struct machine *m, const struct access_paths *p,
                const struct event *ev, char *buf, size_t size);
/* How a whole access went: "Translation: the TLB. Data: L2. 14 cycles." */
void access_summary(const struct access_paths *p, char *buf, size_t size);

#endif
