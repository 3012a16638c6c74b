/* The page allocator's files as one translation unit, so that the compiler sees the fast
 * path (page_alloc.c > zone_watermark.c, pcp.c) as a whole. Each is complete in itself;
 * read them in the order of alloc.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef PROBE_QUIET
#define PROBE_BEFORE /* touch.h */
#endif

#include "zone_watermark.c"

#include "buddy.c"

#include "fallback.c"

#include "pcp.c"

#include "page_alloc.c"
