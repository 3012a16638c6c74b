/* The way of the last operation on a cache's objects, from each CPU's own store down to
 * the pages and back, as its events tell it.
 *
 *   kmalloc(60): array empty > shared empty > slabs 0x1c04: 27 > object 5
 *                new slab  pages                         (dim: where it need not go)
 *
 * Each place that it came to stands in the order in which it came there, with what it
 * found; behind them, dim, the places of the same route that it has not come to. While
 * the operation is under way there is as much as has happened. What no event says follows
 * from the route: who goes on to the slabs has found the shared array empty.
 *
 * Left out: what an interrupt did to the same cache in between is told as if it belonged
 * to the operation.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_OBJECT_PATH_H
#define UI_OBJECT_PATH_H

#include "app.h"

/* The cache that the last operation on objects, up to the position, was about; 0: none of
 * late. */
uint32_t object_path_last_cache(const struct app *a);
/* Gather the path of a->objects.cache. After a move, or another cache. */
void object_path_refresh(struct app *a);
const char *object_path_name(int where); /* "array" */
/* The i-th place of the route that it has not come to; -1: there are not so many. */
int object_path_ahead(const struct app *a, int i);

/* ---- path_row.c ---- */

/* Rows that a path may take in so many columns. */
int object_path_rows(int w);
void object_path_draw(const struct app *a, struct grid *g, struct rect r);

#endif
