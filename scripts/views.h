/* The names of the views that a lesson can ask for. What they show is ui/views.def's
 * business (tests/test_keys holds the two against each other).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_VIEWS_H
#define SCRIPTS_VIEWS_H

#define VIEW_NAMES(X)                                                                    \
    X("pages")                                                                           \
    X("hardware")                                                                        \
    X("space")                                                                           \
    X("objects")

#endif
