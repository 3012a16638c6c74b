/* What a command can be asked about: a page, a free list, an address, ... as it is typed.
 *
 *   page PFN                       free ZONE ORDER [MIGRATETYPE]
 *   pcp ZONE CPU LIST              zone ZONE
 *   phys ADDRESS [BYTES]           virt ADDRESS [BYTES]
 *   pte ADDRESS                    l1d|l1i|l2|itlb|dtlb|stlb SET [CPU]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_TARGET_H
#define UI_TARGET_H

#include "app.h"

/* False: err says why, or is "" where text does not begin with one of these words. */
bool target_parse(const struct app *a, const char *text, struct watch *w, char *err,
                  size_t err_size);
/* The text that target_parse makes it of. */
void target_format(const struct app *a, const struct watch *w, char *buf, size_t size);
/* What is selected on the screen, or what the last command was about. */
bool target_selected(const struct app *a, struct watch *w);

#endif
