/* Looking at the object layer (slab_view.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slab_view.h"

#include <inttypes.h>
#include <string.h>

#include "slab_ops.h"
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
    uint32_t alias_of = 0;
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        const struct kmem_cache *c = cache_r(m, id);
        const char *alias;
        if (strcmp(c->name, name) == 0) {
            return id;
        }
        for (uint32_t i = 0; (alias = slab_alias_name(m, c, i)) != NULL; i++) {
            alias_of = strcmp(alias, name) == 0 ? id : alias_of;
        }
    }
    return alias_of;
}

static uint32_t array_of(const struct machine *m, const struct kmem_cache *c,
                         uint32_t cpu)
{
    return cache_place(c) == FREELIST_CHAIN ? 0 /* SLUB has none */
           : cpu == UINT32_MAX              ? c->shared_array
           : cpu < m->mm->nr_cpus           ? c->array[cpu]
                                            : 0;
}

/* As get_slabinfo() counts: what CPUs have counts as active. */
static void count_slub(const struct machine *m, const struct kmem_cache *c,
                       struct cache_view *v)
{
    int64_t out = 0;
    v->active_slabs = v->num_slabs;
    v->num_objs = c->total_objects;
    v->free_objects = 0;
    for (uint32_t ref = c->list[SLABS_PARTIAL].first; ref; ref = slab_r(m, ref)->next) {
        v->free_objects += slab_r(m, ref)->num - slab_r(m, ref)->active;
    }
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        out += slub_cpu_at(m, c, cpu)->out;
    }
    v->active_objs = v->num_objs - v->free_objects;
    v->in_use = (uint64_t)out;
    v->in_arrays = v->active_objs - v->in_use;
    v->offset = c->offset;
    v->red_left_pad = c->red_left_pad;
    v->inuse = c->inuse;
    v->min_order = c->min_order;
    v->min_num = c->min_num;
    v->min_partial = c->min_partial;
    v->cpu_partial = c->cpu_partial;
    v->cpu_partial_slabs = c->cpu_partial_slabs;
    v->nr_partial = c->list[SLABS_PARTIAL].nr;
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
                             .ctor = c->ctor != 0,
                             .refcount = c->refcount};
    v->active_objs = v->num_objs - v->free_objects;
    v->in_use = v->active_objs;
    if (m->config.slub) {
        count_slub(m, c, v);
        return true;
    }
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

/* SLUB: the CPU that has the slab, and where; false: none. */
static bool find_owner(const struct machine *m, const struct kmem_cache *c, uint32_t slab,
                       uint32_t *cpu, uint32_t *place)
{
    for (*cpu = 0; *cpu < m->mm->nr_cpus; ++*cpu) {
        const struct slub_cpu *its = slub_cpu_at(m, c, *cpu);
        *place = 0;
        if (!c->array[*cpu]) {
            continue;
        }
        if (its->slab == slab) {
            return true;
        }
        for (uint32_t ref = its->partial; ref; ref = slab_r(m, ref)->next) {
            ++*place;
            if (ref == slab) {
                return true;
            }
        }
    }
    *cpu = UINT32_MAX;
    *place = 0;
    return false;
}

/* The first slab behind those of the CPUs before this one. */
static uint32_t first_from_cpu(const struct machine *m, const struct kmem_cache *c,
                               uint32_t cpu)
{
    for (; m->config.slub && cpu < m->mm->nr_cpus; cpu++) {
        const struct slub_cpu *its = slub_cpu_at(m, c, cpu);
        if (c->array[cpu] && (its->slab || its->partial)) {
            return its->slab ? its->slab : its->partial;
        }
    }
    for (int kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        if (c->list[kind].first) {
            return c->list[kind].first;
        }
    }
    return 0;
}

uint32_t cache_slabs_first(const struct machine *m, uint32_t id)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    return c ? first_from_cpu(m, c, 0) : 0;
}

uint32_t cache_slabs_next(const struct machine *m, uint32_t slab)
{
    const struct slab *s = slab_r(m, slab);
    const struct kmem_cache *c = cache_r(m, s->cache);
    uint32_t cpu, place, next = s->next;
    if (c && s->list == SLABS_NONE) {
        if (!m->config.slub || !find_owner(m, c, slab, &cpu, &place)) {
            return 0;
        }
        next = place ? s->next : slub_cpu_at(m, c, cpu)->partial;
        return next ? next : first_from_cpu(m, c, cpu + 1);
    }
    for (int kind = s->list + 1; c && !next && kind < NR_SLAB_LISTS; kind++) {
        next = c->list[kind].first;
    }
    return next;
}

uint32_t cache_nr_slabs(const struct machine *m, uint32_t id)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    uint32_t nr = 0;
    for (int kind = SLABS_PARTIAL; c && kind < NR_SLAB_LISTS; kind++) {
        nr += c->list[kind].nr;
    }
    for (uint32_t cpu = 0; c && m->config.slub && cpu < m->mm->nr_cpus; cpu++) {
        const struct slub_cpu *its = slub_cpu_at(m, c, cpu);
        nr += c->array[cpu] && its->slab;
        for (uint32_t ref = c->array[cpu] ? its->partial : 0; ref;
             ref = slab_r(m, ref)->next) {
            nr++;
        }
    }
    return nr;
}

uint32_t slab_of_page(const struct machine *m, uint64_t pfn)
{
    return virt_to_slab(m, kspace_va(&m->vm->kspace, pfn));
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
                          .frozen = s->frozen,
                          .op = s->op,
                          .cpu = UINT32_MAX};
    if (c && s->frozen && m->config.slub) {
        find_owner(m, c, slab, &v.cpu, &v.place);
    }
    if (c && c->colour_off) {
        v.colour =
            (uint32_t)((s->s_mem - kspace_va(&m->vm->kspace, s->pfn)) / c->colour_off);
    }
    for (uint32_t i = 0; i < s->num; i++) {
        v.in_use += slab_object_at(m, s, i)->in_use;
    }
    return v;
}

/* ---- SLUB ---- */

bool slub_cpu_view(const struct machine *m, uint32_t id, uint32_t cpu,
                   struct slub_cpu_view *v)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    *v = (struct slub_cpu_view){0};
    if (!c || !m->config.slub || cpu >= m->mm->nr_cpus || !c->array[cpu]) {
        return false;
    }
    const struct slub_cpu *its = slub_cpu_at(m, c, cpu);
    *v = (struct slub_cpu_view){its->slab, its->partial, its->freelist};
    return true;
}

/* Object numbers of a chain, as it stands in RAM. */
static uint32_t slub_numbers(const struct machine *m, uint32_t slab, uint64_t first,
                             uint32_t *numbers, uint32_t most)
{
    const struct slab *s = slab_r(m, slab);
    const struct kmem_cache *c = cache_r(m, s->cache);
    uint32_t nr = 0;
    bool broken = false;
    while (first && nr < most && nr < s->num && !broken) {
        uint64_t two[2] = {0};
        if (slub_chain(m, slab, first, two, 2, &broken)) {
            numbers[nr++] = (uint32_t)((first - s->s_mem) / c->size);
        }
        first = two[1];
    }
    return nr;
}

uint32_t slub_cpu_freelist(const struct machine *m, uint32_t id, uint32_t cpu,
                           uint32_t *numbers, uint32_t most)
{
    struct slub_cpu_view v;
    return slub_cpu_view(m, id, cpu, &v) && v.slab
               ? slub_numbers(m, v.slab, v.freelist, numbers, most)
               : 0;
}

uint32_t slab_freelist(const struct machine *m, uint32_t slab, uint32_t *numbers,
                       uint32_t most)
{
    const struct slab *s = slab_r(m, slab);
    unsigned char bytes[256];
    if (m->config.slub) {
        return slub_numbers(m, slab, s->freelist, numbers, most);
    }
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

/* How far from its beginning a freelist has the object. */
static bool find_in_chain(const struct machine *m, struct object_view *v, uint64_t first)
{
    uint64_t va[SLAB_INLINE];
    bool broken = false;
    uint32_t nr, before = 0;
    while (first && !broken) {
        nr = slub_chain(m, v->slab, first, va, SLAB_INLINE, &broken);
        for (uint32_t i = 0; i < nr; i++) {
            if (va[i] == v->va) {
                v->position = before + i;
                return true;
            }
        }
        if (nr < SLAB_INLINE || before > slab_r(m, v->slab)->num) {
            break;
        }
        before += nr - 1; /* the last one again, for what follows it */
        first = va[nr - 1];
    }
    return false;
}

static void find_free_slub(const struct machine *m, const struct kmem_cache *c,
                           struct object_view *v)
{
    v->state = OBJECT_FREE;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const struct slub_cpu *its = slub_cpu_at(m, c, cpu);
        if (its->slab == v->slab && find_in_chain(m, v, its->freelist)) {
            v->state = OBJECT_IN_ARRAY;
            v->cpu = cpu;
            return;
        }
    }
    find_in_chain(m, v, slab_r(m, v->slab)->freelist);
}

static void find_free(const struct machine *m, const struct kmem_cache *c,
                      struct object_view *v)
{
    const uint64_t entry = entry_of(v->slab, v->index);
    if (m->config.slub) {
        find_free_slub(m, c, v);
        return;
    }
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
