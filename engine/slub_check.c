/* SLUB's invariants (slab.h), by counting everything again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "slab_ops.h"
#include "slub_debug.h"

/* What counting gives for one cache. */
struct count {
    uint64_t slabs, objects, in_use;
};

enum { SEEN_WORDS = (1 << 16) / 64 };

/* All objects from first on are free ones, none of them seen before. */
static const char *check_chain(const struct machine *m, const struct kmem_cache *c,
                               uint32_t ref, uint64_t first, uint64_t *seen, uint32_t *nr,
                               bool *damaged)
{
    const struct slab *s = slab_r(m, ref);
    bool broken = false;
    *nr = 0;
    while (first && !broken) {
        uint64_t two[2] = {0};
        if (slub_chain(m, ref, first, two, 2, &broken)) {
            const uint64_t i = (first - s->s_mem) / c->size;
            if (seen[i / 64] >> i % 64 & 1) {
                return "slub: an object is on a freelist twice (U1)";
            }
            seen[i / 64] |= (uint64_t)1 << i % 64;
            (*nr)++;
        }
        first = two[1];
    }
    *damaged = *damaged || broken;
    /* with debugging, damage is the user's, for SLUB's own checks to find */
    return broken && !s->corrupt && !slub_debugs(c)
               ? "slub: a freelist leads out of its slab (U1)"
               : NULL;
}

static const char *check_slub_slab(const struct machine *m, const struct kmem_cache *c,
                                   uint32_t ref, uint64_t cpu_freelist, struct count *n)
{
    uint64_t seen[SEEN_WORDS];
    const struct slab *s = slab_r(m, ref);
    const struct page *page = page_r(m, s->pfn);
    uint32_t on_slab, on_cpu, in_use = 0;
    bool damaged = false;
    const bool large = s->order == c->gfporder && s->num == c->num;
    if (!(page->flags & PG_SLAB) || page->count != ref || page->state != USE_ALLOC ||
        page->order != s->order || s->cache != c->id ||
        (!large && (s->order != c->min_order || s->num != c->min_num))) {
        return "slub: a slab's page does not know it (I3)";
    }
    const uint64_t start = kspace_va(&m->vm->kspace, s->pfn);
    if (s->s_mem != start + c->red_left_pad ||
        (uint64_t)c->size * s->num > (uint64_t)PAGE_SIZE << s->order) {
        return "slub: objects do not lie inside their slab (I4)";
    }
    memset(seen, 0, (s->num / 64 + 1) * sizeof seen[0]);
    const char *why = check_chain(m, c, ref, s->freelist, seen, &on_slab, &damaged);
    why = why ? why : check_chain(m, c, ref, cpu_freelist, seen, &on_cpu, &damaged);
    if (why) {
        return why;
    }
    for (uint32_t i = 0; i < s->num; i++) {
        in_use += slab_object_at(m, s, i)->in_use;
    }
    n->slabs++;
    n->objects += s->num;
    n->in_use += in_use;
    if (s->corrupt || damaged) {
        return NULL;
    }
    return s->active + on_slab != s->num ? "slub: inuse is wrong (U3)"
           : in_use + on_cpu + on_slab != s->num
               ? "slub: an object is lost, or in two places (U1)"
               : NULL;
}

static const char *check_list(const struct machine *m, const struct kmem_cache *c,
                              enum slab_list_kind kind, struct count *n)
{
    uint32_t prev = 0, nr = 0;
    for (uint32_t ref = c->list[kind].first; ref; ref = slab_r(m, ref)->next) {
        const struct slab *s = slab_r(m, ref);
        if (s->list != kind || s->prev != prev || (s->frozen && !s->corrupt) ||
            (s->freelist == 0) != (kind == SLABS_FULL) ||
            (s->active == s->num) != (kind == SLABS_FULL)) {
            return "slub: a slab is on the wrong list (U2)";
        }
        const char *why = check_slub_slab(m, c, ref, 0, n);
        if (why) {
            return why;
        }
        prev = ref;
        nr++;
    }
    return c->list[kind].last != prev || c->list[kind].nr != nr
               ? "slub: a list of slabs is broken (U2)"
               : NULL;
}

static const char *check_cpu(const struct machine *m, const struct kmem_cache *c,
                             const struct slub_cpu *cpu, struct count *n)
{
    const char *why = NULL;
    if (slub_debugs(c) && (cpu->slab || cpu->partial)) {
        return "slub: a cache with debugging has a CPU's slab (D1)";
    }
    if (cpu->freelist && !cpu->slab) {
        return "slub: a CPU has a freelist and no slab (U2)";
    }
    if (cpu->slab) {
        const struct slab *s = slab_r(m, cpu->slab);
        why = !s->frozen || s->list != SLABS_NONE
                  ? "slub: a CPU's slab is not frozen (U2)"
                  : check_slub_slab(m, c, cpu->slab, cpu->freelist, n);
    }
    const uint32_t most = c->cpu_partial_slabs + c->cpu_partial_slabs / 2 + 1;
    uint32_t left = cpu->partial ? slab_r(m, cpu->partial)->slabs : 0;
    if (left > most) {
        return "slub: a CPU has too many partial slabs (U4)";
    }
    for (uint32_t ref = cpu->partial; ref && !why; ref = slab_r(m, ref)->next, left--) {
        const struct slab *s = slab_r(m, ref);
        why = !s->frozen || s->list != SLABS_NONE || s->slabs != left || !s->freelist
                  ? "slub: a CPU's chain of partial slabs is broken (U2)"
                  : check_slub_slab(m, c, ref, 0, n);
    }
    return why ? why : left ? "slub: a CPU's chain of partial slabs is cut (U2)" : NULL;
}

const char *slub_check_cache(const struct machine *m, const struct kmem_cache *c)
{
    struct count n = {0};
    int64_t out = 0;
    const char *why = check_list(m, c, SLABS_PARTIAL, &n);
    why = why ? why : check_list(m, c, SLABS_FULL, &n);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus && !why; cpu++) {
        why = check_cpu(m, c, slub_cpu_at(m, c, cpu), &n);
        out += slub_cpu_at(m, c, cpu)->out;
    }
    if (!why && (n.slabs != c->total_slabs || n.objects != c->total_objects ||
                 (int64_t)n.in_use != out || c->list[SLABS_FREE].nr)) {
        why = "slub: total_slabs, total_objects or the objects out are wrong (U2)";
    }
    return why;
}
