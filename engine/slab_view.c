/* Looking at the object layer (slab_view.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slab_view.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

/* ---- caches ---- */

uint32_t caches_first(const struct machine *m) { return m->slab->first; }

uint32_t caches_next(const struct machine *m, uint32_t id)
{
    const struct kmem_cache *c = cache_r(m, id);
    return c ? c->next : 0;
}

uint32_t cache_by_name(const struct machine *m, const char *name)
{
    uint32_t id = caches_first(m);
    while (id && strcmp(cache_r(m, id)->name, name) != 0) {
        id = caches_next(m, id);
    }
    return id;
}

static uint32_t array_of(const struct machine *m, const struct kmem_cache *c,
                         uint32_t cpu)
{
    return cpu == UINT32_MAX ? c->shared_array : cpu < m->mm->nr_cpus ? c->array[cpu] : 0;
}

bool cache_view(const struct machine *m, uint32_t id, struct cache_view *v)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    memset(v, 0, sizeof *v);
    if (!c) {
        return false;
    }
    *v = (struct cache_view){.id = c->id,
                             .name = c->name,
                             .object_size = c->object_size,
                             .size = c->size,
                             .align = c->align,
                             .flags = c->flags,
                             .num = c->num,
                             .order = c->gfporder,
                             .colour = c->colour,
                             .colour_off = c->colour_off,
                             .colour_next = c->colour_next,
                             .freelist_size = c->freelist_size,
                             .place = cache_place(c),
                             .limit = c->limit,
                             .batchcount = c->batchcount,
                             .shared = c->shared,
                             .free_limit = c->free_limit,
                             .num_slabs = c->total_slabs,
                             .active_slabs = c->total_slabs - c->free_slabs,
                             .num_objs = (uint64_t)c->total_slabs * c->num,
                             .free_objects = c->free_objects,
                             .ctor = c->ctor != 0};
    v->active_objs = v->num_objs - v->free_objects;
    v->in_use = v->active_objs;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        v->in_arrays += c->array[cpu] ? array_r(m, c->array[cpu])->avail : 0;
    }
    if (c->shared_array) {
        v->shared_avail = array_r(m, c->shared_array)->avail;
        v->shared_limit = array_r(m, c->shared_array)->limit;
    }
    v->in_arrays += v->shared_avail;
    v->in_use -= v->in_arrays;
    return true;
}

bool array_view(const struct machine *m, uint32_t id, uint32_t cpu, struct array_view *v)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    const uint32_t ref = c ? array_of(m, c, cpu) : 0;
    *v = (struct array_view){0};
    if (ref) {
        const struct array_cache *ac = array_r(m, ref);
        *v = (struct array_view){ac->avail, ac->limit, ac->batchcount, ac->touched};
    }
    return ref != 0;
}

uint64_t array_entry(const struct machine *m, uint32_t id, uint32_t cpu, uint32_t i)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    const uint32_t ref = c ? array_of(m, c, cpu) : 0;
    return ref && i < array_r(m, ref)->avail ? entry_va(m, c, array_r(m, ref)->entry[i])
                                             : 0;
}

/* ---- slabs ---- */

uint32_t slabs_first(const struct machine *m, uint32_t id, enum slab_list_kind kind)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    return c && kind < NR_SLAB_LISTS ? c->list[kind].first : 0;
}

uint32_t slabs_next(const struct machine *m, uint32_t slab)
{
    return slab_r(m, slab)->next;
}

struct slab_view slab_view(const struct machine *m, uint32_t slab)
{
    const struct slab *s = slab_r(m, slab);
    const struct kmem_cache *c = cache_r(m, s->cache);
    struct slab_view v = {.cache = s->cache,
                          .pfn = s->pfn,
                          .s_mem = s->s_mem,
                          .freelist = s->freelist,
                          .order = s->order,
                          .num = s->num,
                          .active = s->active,
                          .list = (enum slab_list_kind)s->list,
                          .op = s->op};
    if (c && c->colour_off) {
        v.colour =
            (uint32_t)((s->s_mem - kspace_va(&m->vm->kspace, s->pfn)) / c->colour_off);
    }
    for (uint32_t i = 0; i < s->num; i++) {
        v.in_use += slab_object_at(m, s, i)->in_use;
    }
    return v;
}

uint32_t slab_freelist(const struct machine *m, uint32_t slab, uint32_t *numbers,
                       uint32_t most)
{
    const struct slab *s = slab_r(m, slab);
    unsigned char bytes[256];
    uint32_t nr = s->num - s->active;
    if (!s->freelist || nr > sizeof bytes) {
        return 0;
    }
    slab_read(m, s->freelist + s->active, bytes, nr);
    nr = nr < most ? nr : most;
    for (uint32_t i = 0; i < nr; i++) {
        numbers[i] = bytes[i];
    }
    return nr;
}

/* ---- objects ---- */

/* Is the object in this array? Then it is so far from its end. */
static bool find_in_array(const struct machine *m, uint32_t ref, uint64_t entry,
                          uint32_t *position)
{
    const struct array_cache *ac = ref ? array_r(m, ref) : NULL;
    for (uint32_t i = ac ? ac->avail : 0; i-- > 0;) {
        if (ac->entry[i] == entry) {
            *position = ac->avail - 1 - i;
            return true;
        }
    }
    return false;
}

static void find_free(const struct machine *m, const struct kmem_cache *c,
                      struct object_view *v)
{
    const uint64_t entry = entry_of(v->slab, v->index);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        if (find_in_array(m, c->array[cpu], entry, &v->position)) {
            v->state = OBJECT_IN_ARRAY;
            v->cpu = cpu;
            return;
        }
    }
    if (find_in_array(m, c->shared_array, entry, &v->position)) {
        v->state = OBJECT_IN_ARRAY;
        v->cpu = UINT32_MAX;
        return;
    }
    uint32_t numbers[256];
    const uint32_t nr = slab_freelist(m, v->slab, numbers, 256);
    v->state = OBJECT_FREE;
    for (uint32_t i = 0; i < nr; i++) {
        if (numbers[i] == v->index) {
            v->position = i;
        }
    }
}

struct object_view object_view(const struct machine *m, uint64_t va)
{
    struct object_view v = {OBJECT_NONE, 0, 0, 0, va, 0, 0, 0, 0};
    const uint32_t ref = virt_to_slab(m, va);
    const struct slab *s = ref ? slab_r(m, ref) : NULL;
    const struct kmem_cache *c = s ? cache_r(m, s->cache) : NULL;
    if (!c || va < s->s_mem || (va - s->s_mem) / c->size >= s->num) {
        return v;
    }
    v.cache = c->id;
    v.slab = ref;
    v.index = (uint32_t)((va - s->s_mem) / c->size);
    v.va = index_to_obj(c, s, v.index);
    const struct slab_object *o = slab_object_at(m, s, v.index);
    v.alloc_op = o->alloc_op;
    v.free_op = o->free_op;
    v.state = OBJECT_IN_USE;
    if (!o->in_use) {
        find_free(m, c, &v);
    }
    return v;
}

uint32_t staged_objects(const struct machine *m, uint64_t *va, uint32_t most)
{
    const uint64_t *staged = m->slab->staged ? slab_block(m, m->slab->staged) : NULL;
    const uint32_t nr = m->slab->nr_staged < most ? m->slab->nr_staged : most;
    for (uint32_t i = 0; i < nr; i++) {
        va[i] = staged[i];
    }
    return nr;
}

/* ---- /proc/slabinfo ---- */

int proc_slabinfo(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    text_put(&t, "slabinfo - version: 2.1\n"
                 "# name            <active_objs> <num_objs> <objsize> <objperslab> "
                 "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
                 "slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        struct cache_view v;
        cache_view(m, id, &v);
        text_put(&t, "%-17s %6" PRIu64 " %6" PRIu64 " %6u %4u %4d", v.name, v.active_objs,
                 v.num_objs, v.size, v.num, 1 << v.order);
        text_put(&t, " : tunables %4u %4u %4u", v.limit, v.batchcount, v.shared);
        text_put(&t, " : slabdata %6" PRIu64 " %6" PRIu64 " %6" PRIu64 "\n",
                 v.active_slabs, v.num_slabs, v.shared_avail);
    }
    return t.len;
}
