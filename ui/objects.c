/* Caches of objects, and objects, as the screen shows them (objects.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "objects.h"

#include "describe.h"
#include "inspect_hw.h"
#include "pane.h"

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

static uint32_t cache_of(const struct machine *m, const struct event *ev)
{
    uint64_t value;
    struct cache_view v;
    if (event_arg(ev, "cache", &value)) {
        return cache_view(m, (uint32_t)value, &v) ? (uint32_t)value : 0;
    }
    return event_arg_named(ev, "ptr", &value) ? object_view(m, value).cache : 0;
}

uint32_t objects_touched(const struct app *a)
{
    const struct model *md = &a->model;
    for (uint64_t n = md->has_op ? md->happened : 0; n > 0; n--) {
        const struct event *ev = op_events_get(&md->view, n);
        const uint32_t id = ev ? cache_of(md->m, ev) : 0;
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

static void gather_lit(struct app *a)
{
    const struct model *md = &a->model;
    struct objects_state *s = &a->objects;
    s->nr_lit = 0;
    s->last_va = 0;
    for (uint64_t n = 1; md->has_op && n <= md->happened; n++) {
        const struct event *ev = op_events_get(&md->view, n);
        uint64_t va, pfn, index;
        if (!ev) {
            continue;
        }
        if (event_arg_named(ev, "ptr", &va) && object_view(md->m, va).state) {
            s->last_va = object_view(md->m, va).va;
            add_lit(s, s->last_va, PFN_NONE, 0);
        } else if (event_arg_named(ev, "object", &index) && event_arg(ev, "pfn", &pfn)) {
            add_lit(s, 0, pfn, (uint32_t)index);
        }
    }
}

void objects_refresh(struct app *a)
{
    struct objects_state *s = &a->objects;
    struct cache_view v;
    if (!cache_view(a->model.m, s->cache, &v)) {
        s->pinned = s->has_cursor = false;
        s->cache = 0;
    }
    const uint32_t touched = objects_touched(a);
    if (!s->pinned && !s->has_cursor && touched) {
        s->cache = touched;
    }
    if (!s->cache) {
        s->cache = cache_by_name(a->model.m, "kmalloc-64");
        s->cache = s->cache ? s->cache : caches_first(a->model.m);
    }
    gather_lit(a);
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

/* ---- one object ---- */

int object_state_text(char *buf, size_t size, const struct object_view *v)
{
    char where[48] = "the freelist of its slab", when[48] = "next to go out";
    if (v->state == OBJECT_IN_USE || v->state == OBJECT_NONE) {
        return snprintf(buf, size, "%s",
                        v->state == OBJECT_NONE ? "no object" : "in use");
    }
    if (v->state == OBJECT_IN_ARRAY && v->cpu == UINT32_MAX) {
        snprintf(where, sizeof where, "the shared array");
    } else if (v->state == OBJECT_IN_ARRAY) {
        snprintf(where, sizeof where, "CPU %u's array", v->cpu);
    }
    if (v->position) {
        snprintf(when, sizeof when, "%u go out before it", v->position);
    }
    return snprintf(buf, size, "%s, %s, %s",
                    v->state == OBJECT_IN_ARRAY ? "cached" : "free", where, when);
}

int object_op_text(char *buf, size_t size, const struct app *a, uint32_t op)
{
    struct op_record rec;
    char line[200];
    if (!op) {
        return snprintf(buf, size, "nobody so far");
    }
    if (!timeline_op(a->t, a->model.at.branch, op - 1, &rec)) {
        return snprintf(buf, size, "operation %u", op);
    }
    op_format(line, sizeof line, a->model.m, &rec.op, NULL);
    const struct site site = timeline_site(a->t, rec.op.site);
    return site.line
               ? snprintf(buf, size, "operation %u: %s, line %u", op, line, site.line)
               : snprintf(buf, size, "operation %u: %s", op, line);
}

static void add_bytes(struct app *a, struct text_buf *b, const struct object_view *v)
{
    unsigned char bytes[256];
    struct cache_view c;
    cache_view(a->model.m, v->cache, &c);
    const size_t want = c.size < sizeof bytes ? c.size : sizeof bytes;
    const size_t n = hw_read_virt(a->model.m, a->cpu, v->va, false, bytes, NULL, want);
    for (size_t at = 0; at < n; at += 16) {
        text_add(b, POPUP_TEXT_DIM "+%03zx " POPUP_TEXT_NORMAL, at);
        for (size_t i = at; i < at + 16 && i < n; i++) {
            text_add(b, " %02x", bytes[i]);
        }
        text_add(b, "\n");
    }
    if (n < c.size) {
        text_add(b,
                 n ? "%u bytes in all; :x shows the rest.\n"
                   : "Its %u bytes cannot be read: the address is not mapped.\n",
                 c.size);
    }
}

char *object_details(struct app *a, uint64_t va, char *title, size_t size)
{
    const struct machine *m = a->model.m;
    const struct object_view v = object_view(m, va);
    struct cache_view c;
    struct text_buf b = {0};
    char text[300];
    if (v.state == OBJECT_NONE || !cache_view(m, v.cache, &c)) {
        return NULL;
    }
    const struct slab_view s = slab_view(m, v.slab);
    snprintf(title, size, "Object %u of slab " PFN_FORMAT, v.index,
             (unsigned long long)s.pfn);
    text_add(&b,
             "%s: %u bytes at " POPUP_TEXT_KEY "0x%" PRIx64 POPUP_TEXT_NORMAL
             " to 0x%" PRIx64 "\n",
             c.name, c.size, v.va, v.va + c.size - 1);
    object_state_text(text, sizeof text, &v);
    text_add(&b, "Now: " POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL "\n\n", text);
    object_op_text(text, sizeof text, a, v.alloc_op);
    text_add(&b, "Allocated last by %s\n", text);
    object_op_text(text, sizeof text, a, v.free_op);
    text_add(&b, "Freed last by %s\n", text);
    object_op_text(text, sizeof text, a, s.op);
    text_add(&b, "Its slab was made by %s\n\n", text);
    add_bytes(a, &b, &v);
    const uint32_t op = v.alloc_op > v.free_op ? v.alloc_op : v.free_op;
    if (op) {
        snprintf(a->details_command, sizeof a->details_command, "goto %u", op);
    }
    return b.text;
}

char *cache_details(struct app *a, uint32_t id, char *title, size_t size)
{
    static const char *const places[] = {"at the end of each slab", "in a free object",
                                         "in an object of kmalloc's"};
    struct cache_view v;
    struct text_buf b = {0};
    char bytes[28];
    if (!cache_view(a->model.m, id, &v)) {
        return NULL;
    }
    snprintf(title, size, "Cache %s", v.name);
    text_add(&b,
             "Objects of " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " bytes, which take %u, aligned to %u%s.\n",
             v.object_size, v.size, v.align, v.ctor ? ", made by a constructor" : "");
    text_add(&b,
             "A slab is %u page%s (order %u) with " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " objects; %u bytes are left over.\n",
             1u << v.order, v.order ? "s" : "", v.order, v.num,
             (uint32_t)((PAGE_SIZE << v.order) - v.num * v.size));
    text_add(&b, "The freelist, %u bytes, is %s.\n", v.freelist_size,
             v.place <= FREELIST_OFF_SLAB ? places[v.place] : "");
    text_add(&b, "Colours: %u, %u bytes apart; the next slab gets number %u.\n\n",
             v.colour, v.colour_off, v.colour_next);
    text_add(&b, "Each CPU's array takes %u objects, %u at a time.", v.limit,
             v.batchcount);
    text_add(&b,
             v.shared_limit ? " The shared one takes %" PRIu64 ".\n"
                            : " There is no shared one.\n",
             v.shared_limit);
    text_add(&b,
             "\n" POPUP_TEXT_KEY "%" PRIu64 POPUP_TEXT_NORMAL " objects in %" PRIu64
             " slabs (%s): %" PRIu64 " in use, %" PRIu64 " in arrays, %" PRIu64
             " on freelists; above %u free ones whole slabs go.\n",
             v.num_objs, v.num_slabs, bytes_text(bytes, objects_bytes(&v)), v.in_use,
             v.in_arrays, v.free_objects, v.free_limit);
    return b.text;
}
