/* The files on the way of every allocation as one translation unit, so that the compiler
 * sees the fast path (objects.c > slab.c) as a whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef PROBE_QUIET
#define PROBE_BEFORE /* touch.h */
#endif

#include "slab_pages.c"

#include "slab.c"

#include "slub.c"

#include "objects.c"
