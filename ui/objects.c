/* Caches of objects as the screen shows them, and what the operation in view did to which
 * objects (objects.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "objects.h"

#include "object_path.h"
#include "slub_debug.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

struct cache_view *objects_caches(const struct machine *m, size_t *nr)
{
    *nr = 0;
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        ++*nr;
    }
    struct cache_view *list = calloc(*nr + 1, sizeof *list);
    size_t i = 0;
    for (uint32_t id = list ? caches_first(m) : 0; id && i < *nr;
         id = caches_next(m, id)) {
        i += cache_view(m, id, &list[i]);
    }
    *nr = i;
    return list;
}

double objects_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

uint64_t objects_bytes(const struct cache_view *v)
{
    return v->num_slabs << v->order << PAGE_SHIFT;
}

bool objects_debugs(const struct machine *m, uint32_t cache)
{
    const struct kmem_cache *c = cache ? cache_r(m, cache) : NULL;
    return c && m->config.slub && slub_debugs(c);
}

static double key_of(const struct cache_view *v, char key)
{
    switch (key) {
    case 'a':
        return (double)v->active_objs;
    case 'b':
        return v->num;
    case 'c':
        return (double)objects_bytes(v);
    case 'l':
        return (double)v->num_slabs;
    case 'v':
        return (double)v->active_slabs;
    case 'p':
        return (double)(1u << v->order);
    case 's':
        return v->size;
    case 'u':
        return objects_percent(v->active_objs, v->num_objs);
    default:
        return (double)v->num_objs;
    }
}

const char *objects_sort_name(char key)
{
    switch (key) {
    case 'a':
        return "active objects";
    case 'b':
        return "objects a slab";
    case 'c':
        return "cache size";
    case 'l':
        return "slabs";
    case 'v':
        return "active slabs";
    case 'p':
        return "pages a slab";
    case 's':
        return "object size";
    case 'u':
        return "use";
    case 'n':
        return "name";
    default:
        return "objects";
    }
}

struct sorted { /* qsort has no other way to the key */
    struct cache_view v;
    double key;
};

static int compare(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? 1 : -1;
    }
    const int by_name = strcmp(x->v.name, y->v.name);
    return by_name ? by_name : x->v.id < y->v.id ? -1 : 1;
}

void objects_sort(struct cache_view *list, size_t nr, char key)
{
    struct sorted *s = calloc(nr + 1, sizeof *s);
    for (size_t i = 0; s && i < nr; i++) {
        s[i] = (struct sorted){list[i], key == 'n' ? 0 : key_of(&list[i], key)};
    }
    if (s) {
        qsort(s, nr, sizeof *s, compare);
    }
    for (size_t i = 0; s && i < nr; i++) {
        list[i] = s[i].v;
    }
    free(s);
}

int objects_head(char *buf, size_t size)
{
    return snprintf(buf, size, "%6s %6s %4s %8s %6s %8s %10s %s", "OBJS", "ACTIVE", "USE",
                    "OBJ SIZE", "SLABS", "OBJ/SLAB", "CACHE SIZE", "NAME");
}

int objects_row(char *buf, size_t size, const struct cache_view *v)
{
    return snprintf(
        buf, size,
        "%6" PRIu64 " %6" PRIu64 " %3.0f%% %7.2fK %6" PRIu64 " %8u %9" PRIu64 "K %s",
        v->num_objs, v->active_objs,
        v->num_objs ? objects_percent(v->active_objs, v->num_objs) : 0,
        (double)v->size / 1024, v->num_slabs, v->num, objects_bytes(v) >> 10, v->name);
}

/* ---- the operation in view ---- */

/* An address in the object that an event is about: handed out, taken back; accessed, if
 * that is what was asked for (allocators access objects of their own all the time). */
static bool event_object(const struct model *md, const struct event *ev, uint64_t *va)
{
    const uint16_t kind = md->view.rec.op.kind;
    return event_arg_named(ev, "ptr", va) ||
           (ev->kind == EV_ACCESS && (kind == OP_LOAD || kind == OP_STORE) &&
            event_arg_named(ev, "va", va));
}

static uint32_t cache_of(const struct model *md, const struct event *ev)
{
    const struct machine *m = md->m;
    uint64_t value;
    struct cache_view v;
    if (event_arg(ev, "cache", &value)) {
        return cache_view(m, (uint32_t)value, &v) ? (uint32_t)value : 0;
    }
    return event_object(md, ev, &value) ? object_view(m, value).cache : 0;
}

uint32_t objects_touched(const struct app *a)
{
    const struct model *md = &a->model;
    for (uint64_t n = md->has_op ? md->happened : 0; n > 0; n--) {
        const struct event *ev = op_events_get(&md->view, n);
        const uint32_t id = ev ? cache_of(md, ev) : 0;
        if (!ev || id) {
            return id;
        }
    }
    return 0;
}

static void add_lit(struct objects_state *s, uint64_t va, uint64_t pfn, uint32_t index)
{
    if (s->nr_lit < OBJECTS_MAX_LIT) {
        s->lit[s->nr_lit++] = (struct object_lit){va, pfn, index};
    }
}

/* On no list, and no CPU's: it is on its way from one to another. */
static bool is_nowhere(const struct machine *m, uint32_t slab, uint32_t cache)
{
    const struct slab_view v = slab_view(m, slab);
    return v.cache == cache && v.list == SLABS_NONE && v.cpu == UINT32_MAX;
}

static void gather_lit(struct app *a)
{
    const struct model *md = &a->model;
    struct objects_state *s = &a->objects;
    s->nr_lit = 0;
    s->last_va = 0;
    s->moving = 0;
    for (uint64_t n = 1; md->has_op && n <= md->happened; n++) {
        const struct event *ev = op_events_get(&md->view, n);
        uint64_t va, pfn, index;
        if (!ev) {
            continue;
        }
        if (event_object(md, ev, &va) && object_view(md->m, va).state) {
            s->last_va = object_view(md->m, va).va;
            add_lit(s, s->last_va, PFN_NONE, 0);
        } else if (event_arg_named(ev, "object", &index) && event_arg(ev, "pfn", &pfn)) {
            add_lit(s, 0, pfn, (uint32_t)index);
        }
        if (cache_of(md, ev) == s->cache && event_arg(ev, "pfn", &pfn)) {
            const uint32_t slab = slab_of_page(md->m, pfn);
            s->moving = slab && is_nowhere(md->m, slab, s->cache) ? slab : s->moving;
        }
    }
}

/* The object that the last operation on the cache answered, or took back. */
static uint64_t last_object(const struct app *a)
{
    const struct op_events *e = &a->objects.last;
    uint64_t va;
    for (uint64_t n = e->first + e->nr; n-- > e->first;) {
        const struct event *ev = op_events_get(e, n);
        if (ev && event_arg_named(ev, "ptr", &va)) {
            const struct object_view o = object_view(a->model.m, va);
            if (o.state != OBJECT_NONE && o.cache == a->objects.cache) {
                return o.va;
            }
        }
    }
    return 0;
}

void objects_refresh(struct app *a)
{
    struct objects_state *s = &a->objects;
    struct cache_view v;
    if (!cache_view(a->model.m, s->cache, &v)) {
        s->pinned = s->has_cursor = false;
        s->cache = 0;
    }
    if (!s->pinned && !s->has_cursor) {
        const uint32_t touched = objects_touched(a);
        const uint32_t last = touched ? touched : object_path_last_cache(a);
        s->cache = last ? last : s->cache;
    }
    if (!s->cache) {
        s->cache = cache_by_name(a->model.m, "kmalloc-64");
        s->cache = s->cache ? s->cache : caches_first(a->model.m);
    }
    gather_lit(a);
    object_path_refresh(a);
    if (!s->last_va && s->path.there && !s->path.live) {
        s->last_va = last_object(a);
    }
}

bool objects_is_lit(const struct app *a, uint64_t va, uint64_t pfn, uint32_t index)
{
    const struct objects_state *s = &a->objects;
    for (int i = 0; i < s->nr_lit; i++) {
        const struct object_lit *l = &s->lit[i];
        if (l->va ? l->va == va : l->pfn == pfn && l->index == index) {
            return true;
        }
    }
    return false;
}
