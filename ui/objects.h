/* Caches of objects as the screen shows them: the list in slabtop's orders, what the
 * operation in view did to which objects, and what an object has been through.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_OBJECTS_H
#define UI_OBJECTS_H

#include "app.h"
#include "slab_view.h"

/* ---- the list ---- */

/* All caches, newest first, in an array (malloced). */
struct cache_view *objects_caches(const struct machine *m, size_t *nr);
/* By one of slabtop's keys (OBJECTS_SORT_KEYS), what is most first; 'n': by name. */
#define OBJECTS_SORT_KEYS "oabclvpsun"
void objects_sort(struct cache_view *list, size_t nr, char key);
const char *objects_sort_name(char key); /* "objects" */
/* 100 of nothing. */
double objects_percent(uint64_t part, uint64_t whole);
/* SLUB's debugging: CPUs keep nothing of such a cache. */
bool objects_debugs(const struct machine *m, uint32_t cache);
uint64_t objects_bytes(const struct cache_view *v); /* of its slabs */
/* slabtop's columns, and a cache in them. */
int objects_head(char *buf, size_t size);
int objects_row(char *buf, size_t size, const struct cache_view *v);

/* ---- the operation in view, as far as it has happened ---- */

/* The cache that it touched last; 0: none. */
uint32_t objects_touched(const struct app *a);
/* Gather what it touched, and the cache to be shown, into a->objects. After a move. */
void objects_refresh(struct app *a);
bool objects_is_lit(const struct app *a, uint64_t va, uint64_t pfn, uint32_t index);

/* ---- one object ---- */

/* "in use", "cached, in CPU 0's array, next to go out" */
int object_state_text(char *buf, size_t size, const struct app *a,
                      const struct object_view *v);
/* "operation 5: kmem_cache_alloc(...), line 12"; "nothing so far" */
int object_op_text(char *buf, size_t size, const struct app *a, uint32_t op);
/* Bytes of an address, and SLUB's link in a free object. False: not SLUB's. */
uint32_t object_word(const struct machine *m);
bool object_next(const struct machine *m, const struct object_view *v, uint64_t *next);
/* How many of its lines a cache of the shown CPU holds. False: there is no such cache. */
struct object_lines {
    uint32_t all, held, first_set;
};
bool object_lines(const struct app *a, uint64_t va, enum hw_part part,
                  struct object_lines *l);
/* All about it, with its bytes: popup text (malloced). */
char *object_details(struct app *a, uint64_t va, char *title, size_t size);
/* The same about a cache. */
char *cache_details(struct app *a, uint32_t id, char *title, size_t size);

#endif
