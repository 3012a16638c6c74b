/* The invariants of the object layer (slab.h), by counting everything again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "slab_ops.h"

/* The freelist's numbers: each once, each of an object that nobody has. Marks them in
 * seen. */
static const char *check_freelist(const struct machine *m, const struct kmem_cache *c,
                                  const struct slab *s, unsigned char seen[256])
{
    unsigned char numbers[256];
    if (s->num > 255 || s->active > s->num) {
        return "slab: more objects are out than there are (I1)";
    }
    if (s->active == s->num) {
        return NULL;
    }
    if (!s->freelist) {
        return "slab: a slab with free objects has no freelist (I1)";
    }
    slab_read(m, s->freelist + s->active, numbers, s->num - s->active);
    for (uint32_t i = 0; i < (uint32_t)s->num - s->active; i++) {
        if (numbers[i] >= s->num || seen[numbers[i]]) {
            return "slab: an object is on its freelist twice, or there is none such (I1)";
        }
        if (slab_object_at(m, s, numbers[i])->in_use) {
            return "slab: an object on a freelist is in use (I1)";
        }
        seen[numbers[i]] = 1;
    }
    if (cache_place(c) == FREELIST_IN_OBJECT) {
        const uint64_t offset = s->freelist - s->s_mem;
        if (offset % c->size || offset / c->size >= s->num || !seen[offset / c->size]) {
            return "slab: the freelist is in an object that is not free (I1)";
        }
    }
    return NULL;
}

static const char *check_slab(const struct machine *m, const struct kmem_cache *c,
                              uint32_t ref, uint64_t *in_use, uint64_t *free_objects)
{
    const struct slab *s = slab_r(m, ref);
    const struct page *page = page_r(m, s->pfn);
    unsigned char seen[256] = {0};
    if (!(page->flags & PG_SLAB) || page->count != ref || page->state != USE_ALLOC ||
        page->order != s->order || s->order != c->gfporder || s->num != c->num ||
        s->cache != c->id) {
        return "slab: a slab's page does not know it (I3)";
    }
    const uint64_t start = kspace_va(&m->vm->kspace, s->pfn);
    const uint64_t end = start + ((uint64_t)PAGE_SIZE << s->order);
    if (s->s_mem < start || index_to_obj(c, s, s->num) > end ||
        (cache_place(c) == FREELIST_ON_SLAB &&
         index_to_obj(c, s, s->num) > end - c->freelist_size)) {
        return "slab: objects do not lie inside their slab (I4)";
    }
    /* somebody wrote into it: wrong numbers are lost when they are due */
    const char *why = s->corrupt ? NULL : check_freelist(m, c, s, seen);
    for (uint32_t i = 0; i < s->num; i++) {
        *in_use += slab_object_at(m, s, i)->in_use;
    }
    *free_objects += s->num - s->active;
    return why;
}

static const char *check_lists(const struct machine *m, const struct kmem_cache *c,
                               uint64_t *in_use)
{
    uint64_t nr = 0, free_objects = 0;
    for (uint32_t kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        uint32_t prev = 0, on_list = 0;
        for (uint32_t ref = c->list[kind].first; ref; ref = slab_r(m, ref)->next) {
            const struct slab *s = slab_r(m, ref);
            const uint32_t right = s->active == s->num ? SLABS_FULL
                                   : s->active         ? SLABS_PARTIAL
                                                       : SLABS_FREE;
            if (s->list != kind || s->prev != prev || right != kind) {
                return "slab: a slab is on the wrong list (I2)";
            }
            const char *why = check_slab(m, c, ref, in_use, &free_objects);
            if (why) {
                return why;
            }
            prev = ref;
            on_list++;
        }
        if (c->list[kind].last != prev || c->list[kind].nr != on_list) {
            return "slab: a list of slabs is broken (I2)";
        }
        nr += on_list;
    }
    return nr != c->total_slabs || c->list[SLABS_FREE].nr != c->free_slabs ||
                   free_objects != c->free_objects
               ? "slab: total_slabs, free_slabs or free_objects is wrong (I2)"
               : NULL;
}

/* Every entry is an object of the cache that is out of its freelist and in nobody's
 * hands; together with those in use they are all that is out. */
static const char *check_array(const struct machine *m, const struct kmem_cache *c,
                               uint32_t ref, uint64_t *entries)
{
    if (!ref) {
        return NULL;
    }
    const struct array_cache *ac = array_r(m, ref);
    if (ac->avail > ac->limit) {
        return "slab: an array has more entries than its limit (I5)";
    }
    for (uint32_t i = 0; i < ac->avail; i++) {
        const struct slab *s = slab_r(m, entry_slab(ac->entry[i]));
        const uint32_t n = entry_index(ac->entry[i]);
        if (s->cache != c->id || n >= s->num ||
            (slab_object_at(m, s, n)->in_use && !s->corrupt)) {
            return "slab: an array's entry is no free object of its cache (I1)";
        }
        for (uint32_t other = 0; other < i; other++) {
            if (ac->entry[other] == ac->entry[i] && !s->corrupt) {
                return "slab: an object is in an array twice (I1)";
            }
        }
    }
    *entries += ac->avail;
    return NULL;
}

static bool is_damaged(const struct machine *m, const struct kmem_cache *c)
{
    bool damaged = false;
    for (uint32_t kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        for (uint32_t ref = c->list[kind].first; ref; ref = slab_r(m, ref)->next) {
            damaged = damaged || slab_r(m, ref)->corrupt;
        }
    }
    return damaged;
}

static const char *check_cache(const struct machine *m, const struct kmem_cache *c)
{
    uint64_t in_use = 0, entries = 0;
    if (m->config.slub) {
        return slub_check_cache(m, c);
    }
    const char *why = check_lists(m, c, &in_use);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus && !why; cpu++) {
        why = check_array(m, c, c->array[cpu], &entries);
    }
    why = why ? why : check_array(m, c, c->shared_array, &entries);
    if (!why && in_use + entries + c->free_objects != (uint64_t)c->total_slabs * c->num &&
        !is_damaged(m, c)) {
        why = "slab: an object is lost, or in two places (I1)";
    }
    return why;
}

const char *slab_check(const struct machine *m)
{
    const struct slab_root *r = m->slab;
    if (!r || r->nesting) {
        return NULL; /* in the middle of an operation */
    }
    uint32_t nr = 0, prev = 0;
    for (uint32_t id = r->first; id;) {
        const struct kmem_cache *c = cache_r(m, id);
        if (!c || c->prev != prev || c->locked) {
            return "slab: the list of caches is broken";
        }
        const char *why = check_cache(m, c);
        if (why) {
            return why;
        }
        prev = id;
        id = c->next;
        nr++;
    }
    return nr == r->nr_caches && r->last == prev ? NULL
                                                 : "slab: the list of caches is broken";
}
