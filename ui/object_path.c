/* The way of the last operation on a cache's objects (object_path.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "object_path.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "objects.h"
#include "pane.h"

enum { FAR = 4096 }; /* operations that are looked back at */

enum place {
    AT_END,
    AT_OBJECT,
    AT_ARRAY,
    AT_SHARED,
    AT_SLABS,
    AT_FREELIST,
    AT_CPU_SLAB,
    AT_ITS_SLAB,
    AT_CPU_PARTIAL,
    AT_NODE,
    AT_PAGES,
    AT_NEW
};

/* What a place is called, and what it is like when one has to go on from there. */
static const struct {
    const char *name, *passed;
} places[] = {
    [AT_OBJECT] = {"object", ""},
    [AT_ARRAY] = {"array", "empty"},
    [AT_SHARED] = {"shared", "empty"},
    [AT_SLABS] = {"slabs", "none has one"},
    [AT_FREELIST] = {"freelist", "empty"},
    [AT_CPU_SLAB] = {"CPU's slab", "none"},
    [AT_ITS_SLAB] = {"its slab", ""},
    [AT_CPU_PARTIAL] = {"CPU's partial", "none"},
    [AT_NODE] = {"node's partial", "none"},
    [AT_PAGES] = {"pages", ""},
    [AT_NEW] = {"new slab", ""},
};

/* All places in the order in which one comes to them. */
static const uint8_t routes[2][2][8] = {
    {{AT_ARRAY, AT_SHARED, AT_SLABS, AT_PAGES, AT_NEW, AT_OBJECT},
     {AT_OBJECT, AT_ARRAY, AT_SHARED, AT_SLABS, AT_PAGES}},
    {{AT_FREELIST, AT_CPU_SLAB, AT_CPU_PARTIAL, AT_NODE, AT_PAGES, AT_NEW, AT_OBJECT},
     {AT_OBJECT, AT_FREELIST, AT_ITS_SLAB, AT_CPU_PARTIAL, AT_NODE, AT_PAGES}},
};

static const uint8_t *route_of(const struct app *a)
{
    return routes[a->model.m->config.slub != 0][a->objects.path.frees];
}

static bool has_shared(const struct app *a)
{
    struct array_view v;
    return array_view(a->model.m, a->objects.cache, UINT32_MAX, &v);
}

/* Is the place there at all? A cache with debugging leaves nothing with CPUs. */
static bool is_there(const struct app *a, int where)
{
    const bool cpus =
        where == AT_FREELIST || where == AT_CPU_SLAB || where == AT_CPU_PARTIAL;
    return where == AT_SHARED ? has_shared(a)
                              : !cpus || !objects_debugs(a->model.m, a->objects.cache);
}

/* ---- which operation ---- */

static uint32_t cache_at(const struct machine *m, uint64_t va)
{
    const uint32_t slab = va ? virt_to_slab(m, va) : 0;
    return slab ? slab_r(m, slab)->cache : 0;
}

static bool is_free(uint16_t kind)
{
    return kind == OP_KFREE || kind == OP_KMEM_CACHE_FREE ||
           kind == OP_KMEM_CACHE_FREE_BULK || kind == OP_KMEM_CACHE_SHRINK ||
           kind == OP_CACHE_REAP || kind == OP_KMEM_CACHE_DESTROY;
}

/* The cache that an operation was about, by what it was asked and what it answered; 0:
 * none, or it does not say. */
static uint32_t cache_of_op(const struct machine *m, const struct op_record *rec)
{
    switch (rec->op.kind) {
    case OP_KMALLOC:
        return cache_at(m, rec->result);
    case OP_KFREE:
    case OP_KREALLOC:
        return cache_at(m, rec->op.arg[0]);
    case OP_KMEM_CACHE_ALLOC:
    case OP_KMEM_CACHE_FREE:
    case OP_KMEM_CACHE_ALLOC_BULK:
    case OP_KMEM_CACHE_FREE_BULK:
    case OP_KMEM_CACHE_SHRINK:
        return cache_r(m, rec->op.arg[0]) ? (uint32_t)rec->op.arg[0] : 0;
    default:
        return 0;
    }
}

/* The same of those that make and tune caches, and of those that access objects. */
static uint32_t cache_of_other(const struct machine *m, const struct op_record *rec)
{
    if (rec->op.kind == OP_LOAD || rec->op.kind == OP_STORE) {
        return cache_at(m, rec->op.arg[0]);
    }
    const uint64_t id = rec->op.kind == OP_KMEM_CACHE_CREATE ? rec->result
                        : rec->op.kind == OP_TUNE_CPUCACHE   ? rec->op.arg[0]
                                                             : 0;
    return id && cache_r(m, id) ? (uint32_t)id : 0;
}

/* The first operation, going back from the position, that was about the cache (0: about
 * any). False: none of late. */
static bool last_op(const struct app *a, uint32_t cache, uint64_t *op, uint32_t *which)
{
    const struct model *md = &a->model;
    struct op_record rec;
    uint64_t at = md->has_op ? md->view.op : md->at.op;
    for (int i = 0; i < FAR && at > 0; i++, at--) {
        if (!timeline_op(md->t, md->at.branch, at - 1, &rec)) {
            return false;
        }
        *which = cache_of_op(md->m, &rec);
        *which = *which || cache ? *which : cache_of_other(md->m, &rec);
        if (*which && (!cache || *which == cache)) {
            *op = at - 1;
            return true;
        }
    }
    return false;
}

uint32_t object_path_last_cache(const struct app *a)
{
    uint64_t op;
    uint32_t which;
    return last_op(a, 0, &op, &which) ? which : 0;
}

/* ---- its way ---- */

static bool came_to(const struct object_path *p, int where)
{
    for (int i = 0; i < p->nr; i++) {
        if (p->at[i].where == where) {
            return true;
        }
    }
    return false;
}

static struct path_station *add(struct object_path *p, int where, uint64_t n)
{
    if (p->nr == PATH_MAX) {
        memmove(p->at, p->at + 1, sizeof p->at - sizeof p->at[0]);
        p->nr--;
        p->dropped++;
    }
    struct path_station *s = &p->at[p->nr++];
    *s = (struct path_station){.where = (uint8_t)where, .times = 1, .event = n};
    return s;
}

/* It has come to a place. Those of the route before it were passed without a word. */
static void come(struct app *a, const struct event *ev, int where, const char *format,
                 ...)
{
    struct object_path *p = &a->objects.path;
    const uint8_t *route = route_of(a);
    struct path_station *s = p->nr ? &p->at[p->nr - 1] : NULL;
    for (int i = 0; route[i] != AT_END && route[i] != where; i++) {
        const int at = route[i];
        if (*places[at].passed && p->nr && where != AT_OBJECT && !came_to(p, at) &&
            is_there(a, at)) {
            const char *words = p->frees && at == AT_FREELIST ? "is another slab's"
                                : p->frees && at == AT_SHARED ? "full"
                                : p->frees                    ? ""
                                                              : places[at].passed;
            if (*words) {
                snprintf(add(p, at, ev->n)->text, sizeof s->text, "%s", words);
                s = NULL;
            }
        }
    }
    va_list args;
    if (!s || s->where != where || ev->kind == EV_SLAB_REFILL) {
        s = add(p, where, ev->n);
    } else { /* the same again, in a bulk operation */
        s->times++;
        s->event = ev->n;
    }
    va_start(args, format);
    vsnprintf(s->text, sizeof s->text, format, args);
    va_end(args);
}

/* "5 of 0x1c04" */
static void object_text(char *buf, size_t size, const struct app *a, uint64_t va)
{
    const struct object_view o = object_view(a->model.m, va);
    if (!va) {
        snprintf(buf, size, "none");
    } else if (o.state == OBJECT_NONE) {
        snprintf(buf, size, "0x%" PRIx64, va);
    } else {
        snprintf(buf, size, "%u of " PFN_FORMAT, o.index,
                 (unsigned long long)slab_r(a->model.m, o.slab)->pfn);
    }
}

/* Did these pages become a slab of the cache? */
static bool are_for(const struct op_events *e, const struct event *page, uint32_t cache)
{
    for (uint64_t n = page->n + 1; n < e->first + e->nr; n++) {
        const struct event *ev = op_events_get(e, n);
        if (ev && (ev->kind == EV_SLAB_GROW || ev->kind == EV_SLUB_NEW) &&
            ev->arg[1] == page->arg[0]) {
            return ev->arg[0] == cache;
        }
    }
    return false;
}

/* Pages, and how far down they came from. */
static void come_to_pages(struct app *a, const struct op_events *e,
                          const struct event *page)
{
    const unsigned long long first = page->arg[0], order = page->arg[1];
    uint64_t blocks = 0;
    bool listed = false;
    for (uint64_t n = page->n; n-- > e->first;) {
        const struct event *ev = op_events_get(e, n);
        if (!ev || ev->kind == EV_MM_PAGE_ALLOC) {
            break;
        }
        listed = listed || ((ev->kind == EV_PCP_TAKE || ev->kind == EV_PCP_TAKE_COLD) &&
                            ev->arg[2] == first);
        if (ev->kind == EV_PCP_REFILL) {
            event_arg_named(ev, "blocks", &blocks);
        }
    }
    char from[48];
    if (blocks) {
        snprintf(from, sizeof from, "CPU's list took %" PRIu64 " first", blocks);
    } else {
        snprintf(from, sizeof from, "%s", listed ? "off the CPU's list" : "buddy system");
    }
    if (order) {
        come(a, page, AT_PAGES, PFN_FORMAT "-%llx, %s", first,
             first + (1ull << order) - 1, from);
    } else {
        come(a, page, AT_PAGES, PFN_FORMAT ", %s", first, from);
    }
}

static void slab_event(struct app *a, const struct event *ev)
{
    uint64_t pfn = 0, nr = 0;
    event_arg(ev, "pfn", &pfn);
    event_arg_named(ev, "nr", &nr);
    const unsigned long long frame = pfn, n = nr, one = ev->arg[1], two = ev->arg[2];
    switch (ev->kind) {
    case EV_SLAB_ARRAY_HIT:
        come(a, ev, AT_ARRAY, "hit, %llu stay", two);
        break;
    case EV_SLAB_ARRAY_EMPTY:
        come(a, ev, AT_ARRAY, "empty");
        break;
    case EV_SLAB_REFILL_SHARED:
        come(a, ev, AT_SHARED, "gives %llu, %llu stay", n, two);
        break;
    case EV_SLAB_REFILL:
        come(a, ev, AT_SLABS, PFN_FORMAT " gives %llu", frame, n);
        break;
    case EV_SLAB_GROW:
        come(a, ev, AT_NEW, PFN_FORMAT " of %llu", frame, (unsigned long long)ev->arg[4]);
        break;
    case EV_SLAB_GROW_FAIL:
        come(a, ev, AT_PAGES, "none to be had");
        break;
    case EV_SLAB_ARRAY_PUT:
        come(a, ev, AT_ARRAY, "takes it, has %llu", two);
        break;
    case EV_SLAB_ARRAY_FULL:
        come(a, ev, AT_ARRAY, "full, %llu leave", one);
        break;
    case EV_SLAB_FLUSH_SHARED:
        come(a, ev, AT_SHARED, "takes %llu, has %llu", n, two);
        break;
    case EV_SLAB_FLUSH:
        come(a, ev, AT_SLABS, "take %llu back", n);
        break;
    case EV_SLAB_REAP_ARRAY:
        come(a, ev, ev->arg[1] ? AT_SHARED : AT_ARRAY, "%llu leave, %llu stay", n,
             (unsigned long long)ev->arg[3]);
        break;
    case EV_SLAB_DESTROY:
        come(a, ev, AT_PAGES, PFN_FORMAT " go back", frame);
        break;
    case EV_SLAB_SHRINK:
        come(a, ev, AT_SLABS, "%llu stay", one);
        break;
    default:
        break;
    }
}

static void slub_event(struct app *a, const struct event *ev)
{
    uint64_t pfn = 0;
    event_arg(ev, "pfn", &pfn);
    const unsigned long long frame = pfn, two = ev->arg[2], three = ev->arg[3];
    switch (ev->kind) {
    case EV_SLUB_HIT:
        come(a, ev, AT_FREELIST, ev->arg[2] ? "hit" : "hit, it was the last");
        break;
    case EV_SLUB_EMPTY:
        come(a, ev, AT_FREELIST, "empty");
        break;
    case EV_SLUB_TAKE:
        come(a, ev, AT_CPU_SLAB, PFN_FORMAT " gives %llu", frame, two);
        break;
    case EV_SLUB_FULL:
        come(a, ev, AT_CPU_SLAB, PFN_FORMAT " is full", frame);
        break;
    case EV_SLUB_CPU_PARTIAL:
        come(a, ev, AT_CPU_PARTIAL, PFN_FORMAT ", %llu stay", frame, two);
        break;
    case EV_SLUB_NODE_PARTIAL:
        come(a, ev, AT_NODE, PFN_FORMAT ", %llu stay", frame, two);
        break;
    case EV_SLUB_NEW:
        come(a, ev, AT_NEW, PFN_FORMAT " of %llu", frame, three);
        break;
    case EV_SLUB_FALLBACK:
        come(a, ev, AT_PAGES, "no order %llu, so %llu", (unsigned long long)ev->arg[1],
             two);
        break;
    case EV_SLUB_PUT:
        come(a, ev, AT_FREELIST, "takes it as the first");
        break;
    case EV_SLUB_PUT_SLOW:
        come(a, ev, AT_ITS_SLAB, PFN_FORMAT " takes it, %llu out", frame, three);
        break;
    case EV_SLUB_FREEZE:
        come(a, ev, AT_CPU_PARTIAL, PFN_FORMAT ", now %llu", frame, two);
        break;
    case EV_SLUB_CHAIN_FULL:
        come(a, ev, AT_CPU_PARTIAL, "full, all %llu leave",
             (unsigned long long)ev->arg[1]);
        break;
    case EV_SLUB_UNFREEZE:
        come(a, ev, AT_NODE, PFN_FORMAT ", now %llu", frame, three);
        break;
    case EV_SLUB_DEBUG_ALLOC:
        come(a, ev, AT_NODE, PFN_FORMAT " gives it, checked", frame);
        break;
    case EV_SLUB_DEBUG_FREE:
        come(a, ev, AT_ITS_SLAB, PFN_FORMAT " takes it, checked, %llu out", frame, three);
        break;
    case EV_SLUB_DISCARD:
        come(a, ev, AT_PAGES, PFN_FORMAT " go back", frame);
        break;
    default:
        slab_event(a, ev);
        break;
    }
}

static void walk(struct app *a, const struct op_events *e, uint64_t happened)
{
    const uint32_t cache = a->objects.cache;
    char text[48];
    for (uint64_t n = e->first; n <= happened; n++) {
        const struct event *ev = op_events_get(e, n);
        uint64_t id, va;
        if (!ev) {
            continue;
        }
        if (ev->kind == EV_KMALLOC || ev->kind == EV_KFREE ||
            ev->kind == EV_KMEM_CACHE_ALLOC || ev->kind == EV_KMEM_CACHE_FREE) {
            const bool has = event_arg(ev, "cache", &id);
            event_arg_named(ev, "ptr", &va);
            const uint32_t its = has ? (uint32_t)id : cache_at(a->model.m, va);
            if (its == cache || (!its && (a->objects.path.nr || a->objects.path.frees))) {
                object_text(text, sizeof text, a, va);
                come(a, ev, AT_OBJECT, "%s", text);
            }
        } else if (ev->kind == EV_MM_PAGE_ALLOC && are_for(e, ev, cache)) {
            come_to_pages(a, e, ev);
        } else if (event_arg(ev, "cache", &id) && id == cache) {
            slub_event(a, ev);
        }
    }
}

/* Has the operation in view come to the cache? */
static bool is_in_view(const struct app *a)
{
    const struct model *md = &a->model;
    uint64_t id, va;
    for (uint64_t n = 1; md->has_op && n <= md->happened; n++) {
        const struct event *ev = op_events_get(&md->view, n);
        if (ev &&
            (event_arg(ev, "cache", &id) ? id == a->objects.cache
                                         : event_arg_named(ev, "ptr", &va) &&
                                               cache_at(md->m, va) == a->objects.cache)) {
            return true;
        }
    }
    return false;
}

void object_path_refresh(struct app *a)
{
    struct objects_state *s = &a->objects;
    const struct model *md = &a->model;
    const struct op_events *e = NULL;
    uint64_t op, happened = 0;
    uint32_t which;
    s->path = (struct object_path){0};
    if (!s->cache) {
        return;
    }
    if (is_in_view(a)) {
        e = &md->view;
        happened = md->happened;
        s->path.live = true;
    } else if (last_op(a, s->cache, &op, &which)) {
        e = op_events_load(&s->last, md->t, md->at.branch, op, 1);
        happened = e ? e->rec.nr_events : 0;
    }
    if (e) {
        struct op op_done = e->rec.op;
        s->path.there = true;
        s->path.op = op_number(e->op);
        s->path.frees = is_free(op_done.kind);
        op_format(s->path.call, sizeof s->path.call, md->m, &op_done, NULL);
        walk(a, e, happened);
    }
}

/* ---- for the drawing ---- */

const char *object_path_name(int where) { return places[where].name; }

int object_path_ahead(const struct app *a, int i)
{
    const uint8_t *route = route_of(a);
    for (int n = 0; route[n] != AT_END; n++) {
        if (!came_to(&a->objects.path, route[n]) && is_there(a, route[n]) && i-- == 0) {
            return route[n];
        }
    }
    return -1;
}
