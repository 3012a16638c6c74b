/* What callers of the object layer call: kmem_cache_alloc and kmem_cache_free, kmalloc
 * and kfree, in bulk or one by one; and what they do wrong.
 *
 * A kernel built without debugging looks at nothing: it would hand out an object twice
 * after a double free, and crash later after others. Here every address is looked up
 * first, at no more cost than that; a wrong one is reported as a kernel with
 * CONFIG_SLAB_FREELIST_HARDENED or CONFIG_DEBUG_SLAB does, and nothing is done with it,
 * so that the machine stays whole. An object of another cache is reported and goes back
 * where it belongs, as cache_from_obj() has it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "fault_inject.h"
#include "kmalloc.h"
#include "slab_ops.h"
#include "slub_debug.h"

/* ---- the address of an object ---- */

void slab_report(struct machine *m, uint32_t reason, uint64_t va, uint32_t cache)
{
    const bool warning = reason == BAD_OBJECT_CACHE || reason == BAD_LARGE_ORDER_0 ||
                         reason == BAD_SLAB_GFP || reason == BAD_SLAB_CTOR_ZERO ||
                         reason == BAD_KMALLOC_LARGE ||
                         (reason >= BAD_CACHE_FAILED && reason <= BAD_CACHE_MANY);
    probe(&m->probe, warning ? EV_SLAB_WARN : EV_SLAB_BUG, reason, va, cache);
}

/* Which object of its slab it is that a caller has; answers why it is none. */
FAST enum bad_reason object_find(const struct machine *m, const struct kmem_cache *c,
                                 uint32_t ref, uint64_t va, uint64_t *entry)
{
    const struct slab *s = slab_r(m, ref);
    const uint64_t offset = va - s->s_mem;
    if (UNLIKELY(va < s->s_mem)) {
        return BAD_OBJECT_OUTSIDE;
    }
    const uint32_t i = offset_to_index(c, offset);
    if (UNLIKELY(i >= s->num)) {
        return BAD_OBJECT_OUTSIDE;
    }
    if (UNLIKELY((uint64_t)i * c->size != offset)) {
        return BAD_OBJECT_INSIDE;
    }
    *entry = entry_of(ref, i);
    return LIKELY(slab_object_at(m, s, i)->in_use) ? BAD_NONE : BAD_OBJECT_DOUBLE;
}

/* ---- caches ---- */

FAST uint64_t alloc_object(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    return UNLIKELY(m->config.slub) ? slub_alloc(m, c, gfp) : slab_alloc(m, c, gfp);
}

/* slab_pre_alloc_hook */
FAST bool refused(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    return should_failslab(m, c->id, c->object_size, c->id == m->slab->kmem_cache, gfp);
}

uint64_t kmem_cache_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    fn_enter(&m->probe, FN_kmem_cache_alloc, c->id, gfp);
    const uint64_t va = refused(m, c, gfp) ? 0 : alloc_object(m, c, gfp);
    probe(&m->probe, EV_KMEM_CACHE_ALLOC, c->id, va, gfp);
    fn_leave(&m->probe);
    return va;
}

/* An object of slab ref, which is one of c's, or so it seems. */
FAST void free_from_slab(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                         uint64_t va)
{
    uint64_t entry;
    const enum bad_reason why = object_find(m, c, ref, va, &entry);
    if (UNLIKELY(why)) {
        if (!slub_debug_misuse(m, c, ref, va)) {
            slab_report(m, why, va, c->id);
        }
        return;
    }
    if (UNLIKELY(m->config.slub)) {
        slub_free(m, c, entry, va);
    } else {
        slab_free(m, c, entry, va);
    }
}

/* c: NULL: whichever it belongs to. */
FAST void free_object(struct machine *m, const struct kmem_cache *c, uint64_t va)
{
    const uint32_t ref = find_slab(m, va);
    if (UNLIKELY(!ref)) {
        slab_report(m,
                    kspace_is_direct(&m->vm->kspace, va) ? BAD_OBJECT_NO_SLAB
                                                         : BAD_OBJECT_WILD,
                    va, c ? c->id : 0);
        return;
    }
    if (UNLIKELY(!c || slab_r(m, ref)->cache != c->id)) {
        if (c) {
            slab_report(m, BAD_OBJECT_CACHE, va, slab_r(m, ref)->cache);
        }
        c = cache_r(m, slab_r(m, ref)->cache);
    }
    free_from_slab(m, c, ref, va);
}

void kmem_cache_free(struct machine *m, const struct kmem_cache *c, uint64_t va)
{
    fn_enter(&m->probe, FN_kmem_cache_free, c->id, va);
    probe(&m->probe, EV_KMEM_CACHE_FREE, c->id, va);
    free_object(m, c, va);
    fn_leave(&m->probe);
}

/* ---- kmalloc ---- */

/* The least power of two, as its exponent, that is not below size. */
FAST uint32_t log2_up(uint64_t size)
{
#if defined __GNUC__
    return size <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(size - 1);
#else
    uint32_t shift = 0;
    while (shift < 63 && (uint64_t)1 << shift < size) {
        shift++;
    }
    return shift;
#endif
}

static uint32_t get_order(uint64_t size)
{
    uint32_t order = 0;
    while (order < MAX_ORDER && (uint64_t)PAGE_SIZE << order < size) {
        order++;
    }
    return order;
}

static uint64_t kmalloc_large(struct machine *m, uint64_t size, gfp_t gfp)
{
    const uint32_t order = get_order(size);
    uint64_t va = 0;
    fn_enter(&m->probe, FN_kmalloc_large, size, gfp);
    if (gfp & (__GFP_DMA32 | __GFP_HIGHMEM)) {
        gfp &= ~(gfp_t)(__GFP_DMA32 | __GFP_HIGHMEM);
        slab_report(m, BAD_SLAB_GFP, 0, 0);
    }
    if (order >= m->mm->max_order) {
        if (!(gfp & __GFP_NOWARN)) {
            slab_report(m, BAD_KMALLOC_LARGE, 0, 0);
        }
    } else {
        const uint64_t frame = alloc_pages(m, gfp | __GFP_COMP, order);
        if (frame != PFN_NONE) {
            va = kspace_va(&m->vm->kspace, frame);
            slab_root_w(m)->nr_unreclaimable += (uint64_t)1 << order;
        }
    }
    probe(&m->probe, EV_KMALLOC, va, size, (uint64_t)PAGE_SIZE << order, gfp);
    fn_leave(&m->probe);
    return va;
}

enum kmalloc_type kmalloc_type(gfp_t gfp)
{
    return gfp & __GFP_DMA           ? KMALLOC_DMA
           : gfp & __GFP_RECLAIMABLE ? KMALLOC_RECLAIM
                                     : KMALLOC_NORMAL;
}

/* kmalloc_index, of a size that is not 0 and has a cache. */
FAST uint32_t index_of_size(const struct machine_config *c, uint64_t size)
{
    const uint32_t least = slab_min_kmalloc_shift(c);
    if (size > 64 && size <= 96) {
        return 1;
    }
    if (size > 128 && size <= 192) {
        return 2;
    }
    const uint32_t shift = log2_up(size);
    return shift < least ? least : shift;
}

uint32_t kmalloc_index(const struct machine_config *c, uint64_t size)
{
    return index_of_size(c, size);
}

FAST const struct kmem_cache *cache_of_size(const struct machine *m, uint64_t size,
                                            gfp_t gfp)
{
    const enum kmalloc_type type = UNLIKELY(gfp & (__GFP_DMA | __GFP_RECLAIMABLE))
                                       ? kmalloc_type(gfp)
                                       : KMALLOC_NORMAL;
    const uint32_t id = m->slab->kmalloc[type][index_of_size(&m->config, size)];
    return LIKELY(id) ? cache_r(m, id) : NULL;
}

const struct kmem_cache *kmalloc_slab(const struct machine *m, uint64_t size, gfp_t gfp)
{
    return size > KMALLOC_MAX_CACHE_SIZE ? NULL : cache_of_size(m, size, gfp);
}

uint64_t kmalloc(struct machine *m, uint64_t size, gfp_t gfp)
{
    if (UNLIKELY(size > KMALLOC_MAX_CACHE_SIZE)) {
        return kmalloc_large(m, size, gfp);
    }
    fn_enter(&m->probe, FN___kmalloc, size, gfp);
    uint64_t va = ZERO_SIZE_PTR;
    if (LIKELY(size)) {
        const struct kmem_cache *c = cache_of_size(m, size, gfp);
        va = c && !refused(m, c, gfp) ? alloc_object(m, c, gfp) : 0;
        if (UNLIKELY(c && (c->flags & SLAB_STORE_USER)) && va) {
            slub_debug_orig_size(m, c, va, size);
        }
        probe(&m->probe, EV_KMALLOC, va, size, c ? c->size : 0, gfp);
    }
    fn_leave(&m->probe);
    return va;
}

/* kfree of what is no slab: pages of kmalloc_large. */
static void free_large_kmalloc(struct machine *m, uint64_t va)
{
    const uint64_t frame = (va - m->vm->kspace.page_offset) >> PAGE_SHIFT;
    const bool direct = kspace_is_direct(&m->vm->kspace, va) && frame < m->mm->nr_frames;
    const uint64_t head = direct ? page_block(m, frame) : PFN_NONE;
    const struct page *page = head == PFN_NONE ? NULL : page_r(m, head);
    if (!page || page->state != USE_ALLOC) {
        slab_report(m, direct ? BAD_OBJECT_NO_SLAB : BAD_OBJECT_WILD, va, 0);
        return;
    }
    /* a block that is not compound has no order that the kernel could know of */
    const uint64_t first = page->flags & PG_COMPOUND ? head : frame;
    const uint32_t order = page->flags & PG_COMPOUND ? page->order : 0;
    fn_enter(&m->probe, FN_free_large_kmalloc, first, va);
    if (!order) {
        slab_report(m, BAD_LARGE_ORDER_0, va, 0);
    } else {
        struct slab_root *r = slab_root_w(m);
        const uint64_t nr = (uint64_t)1 << order;
        r->nr_unreclaimable -= nr < r->nr_unreclaimable ? nr : r->nr_unreclaimable;
    }
    __free_pages(m, first, order);
    fn_leave(&m->probe);
}

void kfree(struct machine *m, uint64_t va)
{
    fn_enter(&m->probe, FN_kfree, va);
    probe(&m->probe, EV_KFREE, va);
    if (!zero_or_null(va)) {
        const uint32_t ref = find_slab(m, va);
        if (LIKELY(ref)) {
            free_from_slab(m, cache_r(m, slab_r(m, ref)->cache), ref, va);
        } else {
            free_large_kmalloc(m, va);
        }
    }
    fn_leave(&m->probe);
}

/* slab_ksize: with SLUB, who asks may have the padding too, unless something is there. */
static uint64_t slab_ksize(const struct machine *m, const struct kmem_cache *c)
{
    return !m->config.slub || (c->flags & (SLAB_RED_ZONE | SLAB_POISON)) ? c->object_size
           : c->flags & (SLAB_TYPESAFE_BY_RCU | SLAB_STORE_USER)         ? c->inuse
                                                                         : c->size;
}

/* __ksize */
static uint64_t size_of_object(struct machine *m, uint64_t va)
{
    if (zero_or_null(va)) {
        return 0;
    }
    const uint32_t ref = find_slab(m, va);
    if (ref) {
        const struct kmem_cache *c = cache_r(m, slab_r(m, ref)->cache);
        uint64_t entry;
        const enum bad_reason why = object_find(m, c, ref, va, &entry);
        if (why) {
            slab_report(m, why, va, c->id);
            return 0;
        }
        return slab_ksize(m, c);
    }
    const uint64_t frame = (va - m->vm->kspace.page_offset) >> PAGE_SHIFT;
    const bool direct = kspace_is_direct(&m->vm->kspace, va) && frame < m->mm->nr_frames;
    const struct page *page = direct ? page_r(m, frame) : NULL;
    if (!page || page->state != USE_ALLOC || !(page->flags & PG_COMPOUND) ||
        (va & (PAGE_SIZE - 1)) ||
        (uint64_t)PAGE_SIZE << page->order <= KMALLOC_MAX_CACHE_SIZE) {
        slab_report(m, direct ? BAD_OBJECT_NO_SLAB : BAD_OBJECT_WILD, va, 0);
        return 0;
    }
    return (uint64_t)PAGE_SIZE << page->order;
}

uint64_t ksize(struct machine *m, uint64_t va)
{
    const uint64_t size = size_of_object(m, va);
    probe(&m->probe, EV_KSIZE, va, size);
    return size;
}

static void copy_bytes(struct machine *m, uint64_t to, uint64_t from, uint64_t nr)
{
    unsigned char bytes[1024];
    for (uint64_t at = 0; at < nr; at += sizeof bytes) {
        const size_t part = nr - at < sizeof bytes ? (size_t)(nr - at) : sizeof bytes;
        slab_read(m, from + at, bytes, part);
        slab_write(m, to + at, bytes, part);
    }
    probe(&m->probe, EV_KREALLOC_COPY, from, to, nr);
}

uint64_t krealloc(struct machine *m, uint64_t va, uint64_t size, gfp_t gfp)
{
    uint64_t to = ZERO_SIZE_PTR;
    fn_enter(&m->probe, FN_krealloc, va, size, gfp);
    if (!size) {
        kfree(m, va);
    } else {
        const uint64_t has = zero_or_null(va) ? 0 : size_of_object(m, va);
        if (has >= size) {
            probe(&m->probe, EV_KREALLOC_FITS, va, size, has);
            to = va;
            if (gfp & __GFP_ZERO) {
                clear_bytes(m, va + size, has - size);
            }
        } else {
            to = kmalloc(m, size, gfp);
            if (to && has) {
                copy_bytes(m, to, va, has);
                kfree(m, va);
            }
        }
    }
    fn_leave(&m->probe);
    return to;
}

/* ---- in bulk ---- */

/* The array that bulk operations take and answer. */
static uint64_t *staged_w(struct machine *m)
{
    if (!m->slab->staged) {
        const uint32_t ref = slab_pool_take(m, SLAB_MAX_BULK * sizeof(uint64_t));
        if (!ref) {
            return NULL;
        }
        slab_root_w(m)->staged = ref;
    }
    uint64_t *staged = slab_block(m, m->slab->staged);
    arena_mark(&m->arena, staged);
    return staged;
}

/* An object of a bulk free: 0 where it is none, or pages. */
static uint32_t bulk_slab(struct machine *m, const struct kmem_cache *c, uint64_t va,
                          uint64_t *entry)
{
    const uint32_t ref = find_slab(m, va);
    if (!ref || (c && slab_r(m, ref)->cache != c->id)) {
        return 0;
    }
    const struct kmem_cache *its = cache_r(m, slab_r(m, ref)->cache);
    return object_find(m, its, ref, va, entry) ? 0 : ref;
}

/* build_detached_freelist: from the end on, objects of one slab are chained and go back
 * together; it looks past three others for more of them. What is no object goes the way
 * of a single one, to be reported. */
void slub_free_bulk(struct machine *m, const struct kmem_cache *c, uint64_t *va,
                    uint32_t nr)
{
    while (nr) {
        const uint64_t tail = va[--nr];
        uint64_t head = tail, entry;
        uint32_t same = nr, cnt = 1, lookahead = 3;
        const uint32_t ref = bulk_slab(m, c, tail, &entry);
        if (!ref) {
            if (!c && !find_slab(m, tail)) {
                free_large_kmalloc(m, tail);
            } else {
                free_object(m, c, tail);
            }
            continue;
        }
        const struct kmem_cache *its = cache_r(m, slab_r(m, ref)->cache);
        if (slub_debugs(its)) {
            slub_debug_free(m, its, ref, tail);
            continue;
        }
        object_is_free(m, entry);
        for (uint32_t at = nr; at;) {
            if (bulk_slab(m, c, va[--at], &entry) == ref) {
                object_is_free(m, entry);
                set_freepointer(m, its, va[at], head);
                head = va[at];
                cnt++;
                same--;
                va[at] = va[same];
                va[same] = head;
            } else if (!--lookahead) {
                break;
            }
        }
        nr = same;
        free_chain(m, its, ref, head, tail, cnt);
    }
}

void slab_stage_object(struct machine *m, uint64_t va)
{
    uint64_t *staged = staged_w(m);
    if (m->slab->answered) {
        slab_root_w(m)->answered = slab_root_w(m)->nr_staged = 0;
    }
    if (!staged || m->slab->nr_staged == SLAB_MAX_BULK) {
        probe(&m->probe, EV_BAD_CALL, OP_STAGE_OBJECT, va, BAD_BULK_MANY);
        return;
    }
    staged[slab_root_w(m)->nr_staged++] = va;
}

void kmem_cache_free_bulk(struct machine *m, uint64_t id)
{
    const struct kmem_cache *c = id ? cache_r(m, id) : NULL;
    uint64_t va[SLAB_MAX_BULK];
    const uint32_t nr = m->slab->answered ? 0 : m->slab->nr_staged;
    if (nr) {
        memcpy(va, slab_block(m, m->slab->staged), nr * sizeof va[0]);
    }
    slab_root_w(m)->nr_staged = slab_root_w(m)->answered = 0;
    fn_enter(&m->probe, FN_kmem_cache_free_bulk, id, nr);
    if (m->config.slub) {
        slub_free_bulk(m, c, va, nr);
        fn_leave(&m->probe);
        return;
    }
    const uint32_t flags = slab_irq_save(m);
    for (uint32_t i = 0; i < nr; i++) {
        if (!c && !find_slab(m, va[i])) {
            free_large_kmalloc(m, va[i]);
        } else {
            free_object(m, c, va[i]);
        }
    }
    slab_irq_restore(m, flags);
    fn_leave(&m->probe);
}

uint64_t kmem_cache_alloc_bulk(struct machine *m, uint64_t id, gfp_t gfp, uint64_t nr)
{
    const struct kmem_cache *c = cache_r(m, id);
    uint64_t got = 0;
    fn_enter(&m->probe, FN_kmem_cache_alloc_bulk, id, gfp, nr);
    slab_root_w(m)->nr_staged = slab_root_w(m)->answered = 0;
    if (nr > SLAB_MAX_BULK || !staged_w(m)) {
        probe(&m->probe, EV_BAD_CALL, OP_KMEM_CACHE_ALLOC_BULK, nr, BAD_BULK_MANY);
    } else if (!refused(m, c, gfp)) {
        for (; got < nr; got++) {
            const uint64_t va = alloc_object(m, c, gfp);
            if (!va) {
                break;
            }
            staged_w(m)[got] = va;
            slab_root_w(m)->nr_staged = (uint32_t)got + 1;
        }
        if (got < nr) { /* all or nothing */
            kmem_cache_free_bulk(m, id);
            got = 0;
        }
        slab_root_w(m)->answered = 1;
    }
    fn_leave(&m->probe);
    return got;
}
