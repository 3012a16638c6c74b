/* What is where in one cache of objects (slabs.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slabs.h"

#include "hw_focus.h"
#include "object_path.h"

int slabs_digits(uint64_t n, unsigned base)
{
    int digits = 1;
    for (; n >= base; n /= base) {
        digits++;
    }
    return digits;
}

/* ---- the shape ---- */

static int nr_stores(const struct app *a)
{
    struct array_view shared;
    return (int)machine_nr_cpus(a->model.m) +
           array_view(a->model.m, a->objects.cache, UINT32_MAX, &shared);
}

static int cell_width(const struct app *a, const struct cache_view *v, int detail)
{
    return detail == 1   ? 2
           : detail == 2 ? slabs_digits(v->num ? v->num - 1 : 0, 10) + 3
                         : hw_va_digits(a) + 3;
}

bool slabs_shape(const struct app *a, int w, int h, struct slabs_shape *s)
{
    *s = (struct slabs_shape){.detail = a->objects.detail};
    if (!cache_view(a->model.m, a->objects.cache, &s->v) || !s->v.num) {
        return false;
    }
    s->slub = s->v.min_num != 0;
    s->nr_stores = nr_stores(a);
    s->head = h >= 6;
    s->path_rows = h < 9    ? 0
                   : h < 12 ? 1
                            : app_min_int(h < 18 ? 2 : 3, object_path_rows(w));
    s->legend = h >= 11;
    s->words = h >= 20 ? 5 : h >= 16 ? 3 : h >= 9 ? 2 : h >= 5 ? 1 : 0;
    s->store_rows = s->slub && h >= 16 ? 2 : 1;
    s->stores =
        app_min_int(s->nr_stores, app_max_int(1, h / (s->store_rows > 1 ? 8 : 4)));
    s->path_y = s->head;
    s->stores_y = s->path_y + s->path_rows;
    s->node = s->slub && h >= 12;
    s->slabs_y = s->stores_y + s->stores * s->store_rows + s->node;
    s->words_y = h - s->words;
    s->slabs_h = app_max_int(0, s->words_y - s->legend - s->slabs_y);
    s->prefix = w >= 30 ? hw_va_digits(a) + 1 : 0;
    s->pad =
        w >= 30 && s->v.colour > 1 ? app_min_int(SLABS_MAX_PAD, (int)s->v.colour - 1) : 0;
    const int room = app_max_int(2, w - s->prefix - s->pad - 1);
    if (!s->detail) { /* numbers where they make few rows */
        const int wide = cell_width(a, &s->v, 2);
        const int rows = ((int)s->v.num * wide + room - 1) / room;
        s->detail = rows <= app_max_int(1, s->slabs_h / 5) ? 2 : 1;
    }
    s->cell = cell_width(a, &s->v, s->detail);
    s->per_row = app_max_int(1, room / s->cell);
    if (s->per_row > 8 && s->per_row < (int)s->v.num) {
        /* rows begin at round addresses */
        s->per_row -= s->per_row % (s->per_row > 16 ? 16 : 8);
    }
    s->rows = 1 + ((int)s->v.num + s->per_row - 1) / s->per_row;
    s->nr_slabs =
        (int64_t)cache_nr_slabs(a->model.m, a->objects.cache) + (a->objects.moving != 0);
    return true;
}

int slabs_shift(const struct slabs_shape *sh, const struct slab_view *v)
{
    const uint32_t most = sh->v.colour - 1;
    return sh->pad ? app_min_int(sh->pad,
                                 (int)((v->colour * (uint32_t)sh->pad + most - 1) / most))
                   : 0;
}

/* ---- slabs ---- */

uint32_t slabs_nth(const struct app *a, int64_t n)
{
    const struct objects_state *s = &a->objects;
    uint32_t slab = s->moving ? s->moving : cache_slabs_first(a->model.m, s->cache);
    for (; slab && n > 0; n--) {
        slab = slabs_after(a, slab);
    }
    return n < 0 ? 0 : slab;
}

uint32_t slabs_after(const struct app *a, uint32_t slab)
{
    return slab == a->objects.moving ? cache_slabs_first(a->model.m, a->objects.cache)
                                     : cache_slabs_next(a->model.m, slab);
}

int64_t slabs_ordinal(const struct app *a, uint32_t slab)
{
    int64_t n = 0;
    for (uint32_t s = slabs_nth(a, 0); s; s = slabs_after(a, s), n++) {
        if (s == slab) {
            return n;
        }
    }
    return -1;
}

/* ---- stores ---- */

static uint32_t store_cpu(const struct app *a, int store)
{
    return store < (int)machine_nr_cpus(a->model.m) ? (uint32_t)store : UINT32_MAX;
}

bool store_view(const struct app *a, int store, struct store_view *v)
{
    const struct machine *m = a->model.m;
    struct array_view array;
    struct slub_cpu_view cpu;
    *v = (struct store_view){.cpu = store_cpu(a, store)};
    if (array_view(m, a->objects.cache, v->cpu, &array)) {
        v->avail = array.avail;
        v->limit = array.limit;
        v->batchcount = array.batchcount;
        v->touched = array.touched;
        return true;
    }
    if (!slub_cpu_view(m, a->objects.cache, v->cpu, &cpu)) {
        return false;
    }
    uint32_t numbers[SLABS_MAX_OBJECTS];
    v->avail = slub_cpu_freelist(m, a->objects.cache, v->cpu, numbers, SLABS_MAX_OBJECTS);
    v->slab = cpu.slab;
    v->partial = cpu.partial;
    for (uint32_t slab = cpu.partial; slab; slab = slabs_next(m, slab)) {
        v->nr_partial++;
    }
    return true;
}

uint32_t store_entries(const struct app *a, int store, uint32_t first, uint64_t *va,
                       uint32_t most)
{
    const struct machine *m = a->model.m;
    struct store_view v;
    uint32_t nr = 0;
    if (!store_view(a, store, &v)) {
        return 0;
    }
    if (!m->config.slub) {
        for (uint32_t i = first; i < v.avail && nr < most; i++) {
            va[nr++] = array_entry(m, a->objects.cache, v.cpu, v.avail - 1 - i);
        }
        return nr;
    }
    uint32_t numbers[SLABS_MAX_OBJECTS];
    struct cache_view c;
    cache_view(m, a->objects.cache, &c);
    const uint32_t all =
        slub_cpu_freelist(m, a->objects.cache, v.cpu, numbers, SLABS_MAX_OBJECTS);
    const uint64_t s_mem = v.slab ? slab_view(m, v.slab).s_mem : 0;
    for (uint32_t i = first; i < all && nr < most; i++) {
        va[nr++] = s_mem + (uint64_t)numbers[i] * c.size;
    }
    return nr;
}

uint64_t store_entry(const struct app *a, int store, uint32_t before)
{
    uint64_t va = 0;
    store_entries(a, store, before, &va, 1);
    return va;
}

int store_entries_x(int w) { return w >= 40 ? 18 : 16; }

int store_entry_width(const struct app *a, const struct slabs_shape *sh)
{
    const int number = slabs_digits(sh->v.num ? sh->v.num - 1 : 0, 10);
    if (sh->slub) { /* all of one slab */
        return number + 1 + (sh->detail == 3 ? hw_va_digits(a) + 1 : 0);
    }
    return slabs_digits(machine_max_pfn(a->model.m), 16) + number + 2;
}

uint32_t store_first(const struct app *a, const struct slabs_shape *sh, int store, int w)
{
    const struct objects_state *s = &a->objects;
    const uint32_t nr =
        (uint32_t)app_max_int(1, (w - store_entries_x(w) - 2) / store_entry_width(a, sh));
    const bool here = s->has_cursor && s->in_array && (int)s->array == store;
    return here && s->entry >= nr ? s->entry - nr + 1 : 0;
}

/* ---- objects ---- */

static void mark_place(struct object_place *p, const struct slab_view *v, uint32_t num,
                       uint32_t size, uint64_t va, bool next, uint32_t cpu)
{
    if (va >= v->s_mem && (va - v->s_mem) / size < num) {
        p[(va - v->s_mem) / size] = (struct object_place){OBJECT_IN_ARRAY, next, cpu};
    }
}

void slabs_places(const struct app *a, const struct slab_view *v, uint32_t slab,
                  uint32_t size, struct object_place p[SLABS_MAX_OBJECTS])
{
    const struct machine *m = a->model.m;
    static const struct object_place in_use = {OBJECT_IN_USE, false, 0};
    uint32_t numbers[SLABS_MAX_OBJECTS];
    const uint32_t num = v->num < SLABS_MAX_OBJECTS ? v->num : SLABS_MAX_OBJECTS;
    for (uint32_t i = 0; i < num; i++) {
        p[i] = in_use;
    }
    uint32_t nr = slab_freelist(m, slab, numbers, SLABS_MAX_OBJECTS);
    for (uint32_t i = 0; i < nr; i++) {
        if (numbers[i] < num) {
            p[numbers[i]] = (struct object_place){OBJECT_FREE, i == 0, 0};
        }
    }
    if (m->config.slub) {
        nr = v->cpu != UINT32_MAX && !v->place
                 ? slub_cpu_freelist(m, v->cache, v->cpu, numbers, SLABS_MAX_OBJECTS)
                 : 0;
        for (uint32_t i = 0; i < nr; i++) {
            mark_place(p, v, num, size, v->s_mem + (uint64_t)numbers[i] * size, i == 0,
                       v->cpu);
        }
        return;
    }
    for (int store = 0; store < nr_stores(a); store++) {
        struct store_view s;
        store_view(a, store, &s);
        for (uint32_t i = 0; i < s.avail; i++) {
            mark_place(p, v, num, size, array_entry(m, v->cache, s.cpu, i),
                       i + 1 == s.avail, s.cpu);
        }
    }
}

uint64_t slabs_object(const struct app *a)
{
    const struct objects_state *s = &a->objects;
    if (!s->has_cursor) {
        return object_view(a->model.m, s->last_va).cache == s->cache ? s->last_va : 0;
    }
    return s->in_array ? store_entry(a, (int)s->array, s->entry) : s->va;
}
