/* SLAB: a cache hands out objects from a small array that each CPU has, last in, first
 * out; behind these, one array for all CPUs together; behind it the slabs, on three lists
 * by how much of them is out; behind them the page allocator.
 *
 *   kmem_cache_alloc    array[cpu] --empty--> shared array, partial slabs, free slabs --none--> grow
 *   kmem_cache_free     array[cpu] --full---> shared array --full--> slabs --too many free--> pages
 *
 * Models mm/slab.c without CONFIG_NUMA and CONFIG_DEBUG_SLAB. A freelist is the array of
 * bytes that the kernel keeps: entries active .. num - 1 are the numbers of the free
 * objects, the first of them goes out next.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slab.h"

#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "kmalloc.h"
#include "slab_ops.h"

enum { BATCHREFILL_LIMIT = 16 };

#define GFP_RECLAIM_MASK                                                                 \
    (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS |    \
     __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NORETRY |                 \
     __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_ATOMIC)
#define GFP_CONSTRAINT_MASK (__GFP_HARDWALL | __GFP_THISNODE)

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

void slab_list_lock(struct machine *m, const struct kmem_cache *c)
{
    cpu_hot(m)->preempt_count += PREEMPT_OFFSET;
    cache_w(m, c)->locked++;
    TOUCH_NOTE(m, touch_list_lock(m, c));
}
void slab_list_unlock(struct machine *m, const struct kmem_cache *c)
{
    cache_w(m, c)->locked--;
    cpu_hot(m)->preempt_count -= PREEMPT_OFFSET;
}

FAST uint32_t this_array(const struct machine *m, const struct kmem_cache *c)
{
    return c->array[m->probe.cpu];
}

/* ---- objects in and out ---- */

/* Somebody wrote into a freelist: what is on it from there on is lost. A kernel that does
 * not look would hand out whatever these numbers give, perhaps beyond the slab. */
static void numbers_broken(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                           uint64_t va)
{
    slab_w(m, ref)->corrupt = 1;
    slab_report(m, BAD_FREELIST, va, c->id);
}

/* The array's last object goes to the caller. 0: a caller has it already, because a
 * damaged freelist named it. */
FAST uint64_t pop(struct machine *m, uint32_t ref)
{
    struct array_cache *ac = array_w(m, ref);
    const uint64_t entry = ac->entry[--ac->avail];
    ac->entry[ac->avail] = 0;
    ac->touched = 1;
    struct slab_object *o =
        slab_object_at(m, slab_r(m, entry_slab(entry)), entry_index(entry));
    if (UNLIKELY(o->in_use)) {
        const struct slab *s = slab_r(m, entry_slab(entry));
        const struct kmem_cache *c = cache_r(m, s->cache);
        numbers_broken(m, c, entry_slab(entry), index_to_obj(c, s, entry_index(entry)));
        return 0;
    }
    arena_mark(&m->arena, o);
    o->alloc_op = (uint32_t)m->mm->nr_ops;
    o->in_use = 1;
    return entry;
}

FAST void push(struct machine *m, uint32_t ref, uint64_t entry)
{
    struct slab_object *o =
        slab_object_at(m, slab_r(m, entry_slab(entry)), entry_index(entry));
    arena_mark(&m->arena, o);
    o->free_op = (uint32_t)m->mm->nr_ops & 0x7fffffff;
    o->in_use = 0;
    struct array_cache *ac = array_w(m, ref);
    ac->entry[ac->avail++] = entry;
}

/* ---- growing ---- */

/* alloc_slabmgmt: where the freelist is; 0 while it is in no object yet. */
static uint64_t place_freelist(struct machine *m, const struct kmem_cache *c,
                               uint64_t start, gfp_t gfp)
{
    switch (cache_place(c)) {
    case FREELIST_IN_OBJECT:
        return 0;
    case FREELIST_OFF_SLAB:
        return kmalloc(m, c->freelist_size, gfp);
    default:
        return start + ((uint64_t)PAGE_SIZE << c->gfporder) - c->freelist_size;
    }
}

static bool construct(struct machine *m, const struct kmem_cache *c, const struct slab *s)
{
    unsigned char bytes[256];
    memset(bytes, (int)(c->ctor & 0xff), sizeof bytes);
    bool done = true;
    for (uint32_t i = 0; i < c->num; i++) {
        for (uint32_t at = 0; at < c->object_size; at += sizeof bytes) {
            done = slab_write(m, index_to_obj(c, s, i) + at, bytes,
                              min_u32(sizeof bytes, c->object_size - at)) &&
                   done;
        }
    }
    probe(&m->probe, EV_SLAB_CTOR, c->id, s->pfn, c->num);
    return done;
}

/* cache_init_objs. False: the arena has no room for the bytes. */
static bool init_objects(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    unsigned char numbers[256];
    if (cache_place(c) == FREELIST_IN_OBJECT) {
        struct slab *s = slab_w(m, ref);
        s->freelist = index_to_obj(c, s, c->num - 1);
    }
    const struct slab *s = slab_r(m, ref);
    bool done = !c->ctor || construct(m, c, s);
    for (uint32_t i = 0; i < c->num; i++) {
        numbers[i] = (unsigned char)i;
    }
    done = slab_write(m, s->freelist, numbers, c->num) && done;
    probe(&m->probe, EV_SLAB_FREELIST, c->id, s->pfn, s->freelist, cache_place(c));
    return done;
}

static void irqs_on(struct machine *m, bool on)
{
    cpu_hot(m)->irqs_disabled = !on;
#ifndef PROBE_QUIET
    slab_root_w(m)->irqs_off += on ? UINT32_MAX : 1;
#endif
}

/* A new slab on no list yet, or 0. With gfp that may sleep, interrupts are on meanwhile,
 * and what comes then may use this cache too. */
static uint32_t cache_grow_begin(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    fn_enter(&m->probe, FN_cache_grow_begin, c->id, gfp);
    if (gfp & (__GFP_DMA32 | __GFP_HIGHMEM)) { /* GFP_SLAB_BUG_MASK */
        gfp &= ~(gfp_t)(__GFP_DMA32 | __GFP_HIGHMEM);
        slab_report(m, BAD_SLAB_GFP, 0, c->id);
    }
    if (c->ctor && (gfp & __GFP_ZERO)) {
        slab_report(m, BAD_SLAB_CTOR_ZERO, 0, c->id);
    }
    const gfp_t local = gfp & (GFP_CONSTRAINT_MASK | GFP_RECLAIM_MASK);
    const bool sleeps = local & __GFP_DIRECT_RECLAIM;
    if (sleeps) {
        irqs_on(m, true);
    }
    uint32_t ref = slab_page_alloc(m, c, local);
    if (ref) {
        struct kmem_cache *w = cache_w(m, c);
        w->colour_next = w->colour_next + 1 < c->colour ? w->colour_next + 1 : 0;
        const uint32_t colour = w->colour_next;
        const uint64_t start = kspace_va(&m->vm->kspace, slab_r(m, ref)->pfn);
        slab_w(m, ref)->s_mem = start + (uint64_t)colour * c->colour_off;
        const uint64_t freelist =
            place_freelist(m, c, start, local & ~(gfp_t)GFP_CONSTRAINT_MASK);
        slab_w(m, ref)->freelist = freelist;
        if ((cache_place(c) == FREELIST_OFF_SLAB && !freelist) ||
            !init_objects(m, c, ref)) {
            slab_page_free(m, ref);
            if (freelist && cache_place(c) == FREELIST_OFF_SLAB) {
                kfree(m, freelist);
            }
            ref = 0;
        } else {
            probe(&m->probe, EV_SLAB_GROW, c->id, slab_r(m, ref)->pfn, c->gfporder,
                  colour, c->num, slab_r(m, ref)->freelist);
        }
    }
    if (!ref) {
        probe(&m->probe, EV_SLAB_GROW_FAIL, c->id, gfp);
    }
    if (sleeps) {
        irqs_on(m, false);
    }
    fn_leave(&m->probe);
    return ref;
}

/* fixup_slab_list, for a slab that is on no list now. */
static void fixup_slab_list(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    struct slab *s = slab_w(m, ref);
    const enum slab_list_kind kind = s->active == s->num ? SLABS_FULL : SLABS_PARTIAL;
    if (kind == SLABS_FULL && cache_place(c) == FREELIST_IN_OBJECT) {
        s->freelist = 0; /* the object that it was in is out too */
    }
    slab_list_add(m, cache_w(m, c), ref, kind, false);
    probe(&m->probe, EV_SLAB_MOVE, c->id, s->pfn, kind, s->active);
}

static void cache_grow_end(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    if (!ref) {
        return;
    }
    fn_enter(&m->probe, FN_cache_grow_end, c->id, slab_r(m, ref)->pfn);
    slab_list_lock(m, c);
    struct kmem_cache *w = cache_w(m, c);
    w->total_slabs++;
    w->free_objects += c->num - slab_r(m, ref)->active;
    if (!slab_r(m, ref)->active) {
        w->free_slabs++;
        slab_list_add(m, w, ref, SLABS_FREE, true);
        probe(&m->probe, EV_SLAB_MOVE, c->id, slab_r(m, ref)->pfn, SLABS_FREE, 0);
    } else {
        fixup_slab_list(m, c, ref);
    }
    slab_list_unlock(m, c);
    fn_leave(&m->probe);
}

/* ---- allocating ---- */

/* How many of these numbers name objects that are free, each once. */
static uint32_t good_numbers(const struct machine *m, uint32_t ref,
                             const unsigned char *numbers, uint32_t nr)
{
    const struct slab *s = slab_r(m, ref);
    uint64_t seen[4] = {0};
    for (uint32_t i = 0; i < nr; i++) {
        const uint32_t n = numbers[i];
        if (n >= s->num || seen[n / 64] >> n % 64 & 1 ||
            slab_object_at(m, s, n)->in_use) {
            return i;
        }
        seen[n / 64] |= (uint64_t)1 << n % 64;
    }
    return nr;
}

/* alloc_block: up to nr objects of the slab to the array. Answers how many. */
static uint32_t alloc_block(struct machine *m, const struct kmem_cache *c, uint32_t array,
                            uint32_t ref, uint32_t nr)
{
    unsigned char numbers[256];
    const uint32_t list = slab_r(m, ref)->list;
    const uint32_t active = slab_r(m, ref)->active;
    nr = min_u32(nr, c->num - active);
    slab_read(m, slab_r(m, ref)->freelist + active, numbers, nr);
    const uint32_t wanted = nr;
    nr = good_numbers(m, ref, numbers, nr);
    for (uint32_t i = 0; i < nr; i++) {
        struct slab *s = slab_w(m, ref);
        struct array_cache *ac = array_w(m, array);
        ac->entry[ac->avail++] = entry_of(ref, numbers[i]);
        s->active++;
        probe(&m->probe, EV_SLAB_OBJECT_OUT, c->id, s->pfn, numbers[i],
              index_to_obj(c, s, numbers[i]));
    }
    if (UNLIKELY(nr < wanted)) {
        const uint64_t at = slab_r(m, ref)->freelist + slab_r(m, ref)->active;
        slab_w(m, ref)->active = c->num;
        numbers_broken(m, c, ref, at);
    }
    const struct slab *s = slab_r(m, ref);
    probe(&m->probe, EV_SLAB_REFILL, c->id, s->pfn, nr, c->num - s->active, list);
    return nr;
}

/* The first partial slab, else the first free one; taken off its list. */
static uint32_t get_first_slab(struct machine *m, const struct kmem_cache *c)
{
    struct kmem_cache *w = cache_w(m, c);
    uint32_t ref = w->list[SLABS_PARTIAL].first;
    if (!ref) {
        w->free_touched = 1;
        ref = w->list[SLABS_FREE].first;
        w->free_slabs -= ref != 0;
    }
    return ref;
}

static uint32_t transfer_objects(struct machine *m, uint32_t to_ref, uint32_t from_ref,
                                 uint32_t most)
{
    struct array_cache *to = array_w(m, to_ref), *from = array_w(m, from_ref);
    const uint32_t nr = min_u32(min_u32(from->avail, most), to->limit - to->avail);
    from->avail -= nr;
    memcpy(to->entry + to->avail, from->entry + from->avail, nr * sizeof to->entry[0]);
    memset(from->entry + from->avail, 0, nr * sizeof to->entry[0]);
    to->avail += nr;
    return nr;
}

/* From the shared array, else from the slabs. */
static void refill_locked(struct machine *m, const struct kmem_cache *c, uint32_t array,
                          uint32_t batchcount)
{
    const uint32_t shared = c->shared_array;
    const uint32_t nr = shared ? transfer_objects(m, array, shared, batchcount) : 0;
    if (nr) {
        array_w(m, shared)->touched = 1;
        probe(&m->probe, EV_SLAB_REFILL_SHARED, c->id, nr, array_r(m, shared)->avail);
        return;
    }
    for (uint32_t left = batchcount, ref; left && (ref = get_first_slab(m, c)) != 0;) {
        const uint32_t there = c->num - slab_r(m, ref)->active;
        const uint32_t got = alloc_block(m, c, array, ref, left);
        left -= got;
        cache_w(m, c)->free_objects -= there - got - (c->num - slab_r(m, ref)->active);
        slab_list_del(m, cache_w(m, c), ref);
        fixup_slab_list(m, c, ref);
    }
    cache_w(m, c)->free_objects -= array_r(m, array)->avail;
}

static uint64_t cache_alloc_refill(struct machine *m, const struct kmem_cache *c,
                                   gfp_t gfp)
{
    const uint32_t array = this_array(m, c);
    const bool touched = array_r(m, array)->touched;
    uint32_t batchcount = array_r(m, array)->batchcount;
    uint64_t entry = 0;
    fn_enter(&m->probe, FN_cache_alloc_refill, c->id, gfp);
    if (!touched && batchcount > BATCHREFILL_LIMIT) {
        batchcount = BATCHREFILL_LIMIT; /* rarely used: not too much at once */
    }
    probe(&m->probe, EV_SLAB_ARRAY_EMPTY, c->id, batchcount, touched);
    if (c->free_objects || (c->shared_array && array_r(m, c->shared_array)->avail)) {
        slab_list_lock(m, c);
        refill_locked(m, c, array, batchcount);
        slab_list_unlock(m, c);
    }
    if (!array_r(m, array)->avail) {
        const uint32_t ref = cache_grow_begin(m, c, gfp & ~(gfp_t)__GFP_NOFAIL);
        /* an interrupt may have filled the array meanwhile */
        if (ref && !array_r(m, array)->avail) {
            alloc_block(m, c, array, ref, batchcount);
        }
        cache_grow_end(m, c, ref);
    }
    while (!entry && array_r(m, array)->avail) {
        entry = pop(m, array);
    }
    fn_leave(&m->probe);
    return entry;
}

FAST uint64_t do_cache_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    uint64_t entry = 0;
    fn_enter(&m->probe, FN___do_cache_alloc, c->id, gfp);
    const uint32_t array = this_array(m, c);
    while (!entry && LIKELY(array_r(m, array)->avail)) {
        entry = pop(m, array);
    }
    if (LIKELY(entry)) {
        probe(&m->probe, EV_SLAB_ARRAY_HIT, c->id, entry_va(m, c, entry),
              array_r(m, array)->avail);
    } else {
        entry = cache_alloc_refill(m, c, gfp);
    }
    fn_leave(&m->probe);
    return entry;
}

static void clear_bytes(struct machine *m, uint64_t va, uint64_t nr)
{
    static const unsigned char zeros[256];
    for (uint64_t at = 0; at < nr; at += sizeof zeros) {
        slab_write(m, va + at, zeros, nr - at < sizeof zeros ? nr - at : sizeof zeros);
    }
    probe(&m->probe, EV_CLEAR_OBJECT, va, nr);
}

/* slab_alloc_node: an object's address, or 0. */
FAST uint64_t slab_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    if (gfp & __GFP_DIRECT_RECLAIM) {
        might_sleep(m);
    }
    const uint32_t flags = slab_irq_save(m);
    const uint64_t entry = do_cache_alloc(m, c, gfp);
    slab_irq_restore(m, flags);
    const uint64_t va = entry ? entry_va(m, c, entry) : 0;
    if (UNLIKELY(gfp & __GFP_ZERO) && va) { /* whatever a constructor has made of it */
        clear_bytes(m, va, c->object_size);
    }
    return va;
}

/* ---- freeing ---- */

static void slab_destroy(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    const struct slab *s = slab_r(m, ref);
    const uint64_t freelist = s->freelist, frame = s->pfn;
    fn_enter(&m->probe, FN_slab_destroy, c->id, frame);
    probe(&m->probe, EV_SLAB_DESTROY, c->id, frame, c->gfporder);
    slab_page_free(m, ref);
    if (cache_place(c) == FREELIST_OFF_SLAB) {
        kfree(m, freelist);
    }
    fn_leave(&m->probe);
}

/* Slabs that are on no list any more, chained by next. */
void slabs_destroy(struct machine *m, const struct kmem_cache *c, uint32_t first)
{
    while (first) {
        const uint32_t next = slab_r(m, first)->next;
        slab_destroy(m, c, first);
        first = next;
    }
}

/* slab_put_obj */
static void put_object(struct machine *m, const struct kmem_cache *c, uint64_t entry)
{
    const unsigned char i = (unsigned char)entry_index(entry);
    struct slab *s = slab_w(m, entry_slab(entry));
    s->active--;
    if (!s->freelist) {
        s->freelist = index_to_obj(c, s, i);
    }
    slab_write(m, s->freelist + s->active, &i, 1);
    probe(&m->probe, EV_SLAB_OBJECT_IN, c->id, s->pfn, i, s->active);
}

/* The first nr entries go back on their slabs' freelists. Answers the slabs that are now
 * too many, chained by next. */
uint32_t slab_free_block(struct machine *m, const struct kmem_cache *c,
                         const uint64_t *entries, uint32_t nr)
{
    uint32_t excess = 0;
    fn_enter(&m->probe, FN_free_block, c->id, nr);
    cache_w(m, c)->free_objects += nr;
    for (uint32_t i = 0; i < nr; i++) {
        const uint32_t ref = entry_slab(entries[i]);
        struct kmem_cache *w = cache_w(m, c);
        slab_list_del(m, w, ref);
        put_object(m, c, entries[i]);
        const struct slab *s = slab_r(m, ref);
        const enum slab_list_kind kind = s->active ? SLABS_PARTIAL : SLABS_FREE;
        w = cache_w(m, c);
        w->free_slabs += kind == SLABS_FREE;
        /* to the tail: the other objects get the most time to come back too */
        slab_list_add(m, w, ref, kind, kind == SLABS_PARTIAL);
        probe(&m->probe, EV_SLAB_MOVE, c->id, s->pfn, kind, s->active);
    }
    while (c->free_objects > c->free_limit && c->list[SLABS_FREE].last) {
        const uint32_t ref = c->list[SLABS_FREE].last;
        struct kmem_cache *w = cache_w(m, c);
        slab_list_del(m, w, ref);
        w->free_objects -= c->num;
        w->free_slabs--;
        w->total_slabs--;
        slab_w(m, ref)->next = excess;
        excess = ref;
    }
    if (nr) {
        probe(&m->probe, EV_SLAB_FLUSH, c->id, nr, c->free_objects, c->free_limit);
    }
    fn_leave(&m->probe);
    return excess;
}

/* The first nr entries are gone: the others move down. */
void slab_array_drop_first(struct machine *m, uint32_t ref, uint32_t nr)
{
    struct array_cache *ac = array_w(m, ref);
    ac->avail -= nr;
    memmove(ac->entry, ac->entry + nr, ac->avail * sizeof ac->entry[0]);
    memset(ac->entry + ac->avail, 0, nr * sizeof ac->entry[0]);
}

static void cache_flusharray(struct machine *m, const struct kmem_cache *c,
                             uint32_t array)
{
    uint32_t batchcount = array_r(m, array)->batchcount, excess = 0;
    fn_enter(&m->probe, FN_cache_flusharray, c->id);
    probe(&m->probe, EV_SLAB_ARRAY_FULL, c->id, batchcount);
    slab_list_lock(m, c);
    const struct array_cache *shared =
        c->shared_array ? array_r(m, c->shared_array) : NULL;
    if (shared && shared->limit > shared->avail) {
        struct array_cache *to = array_w(m, c->shared_array);
        batchcount = min_u32(batchcount, to->limit - to->avail);
        memcpy(to->entry + to->avail, array_r(m, array)->entry,
               batchcount * sizeof to->entry[0]);
        to->avail += batchcount;
        slab_array_drop_first(m, array, batchcount);
        probe(&m->probe, EV_SLAB_FLUSH_SHARED, c->id, batchcount, to->avail);
    } else {
        excess = slab_free_block(m, c, array_r(m, array)->entry, batchcount);
        slab_array_drop_first(m, array, batchcount);
    }
    slab_list_unlock(m, c);
    slabs_destroy(m, c, excess);
    fn_leave(&m->probe);
}

FAST void cache_free(struct machine *m, const struct kmem_cache *c, uint64_t entry,
                     uint64_t va)
{
    fn_enter(&m->probe, FN____cache_free, c->id, va);
    const uint32_t array = this_array(m, c);
    if (UNLIKELY(array_r(m, array)->avail >= array_r(m, array)->limit)) {
        cache_flusharray(m, c, array);
    }
    push(m, array, entry);
    probe(&m->probe, EV_SLAB_ARRAY_PUT, c->id, va, array_r(m, array)->avail);
    fn_leave(&m->probe);
}

/* __do_kmem_cache_free: of an object that a caller has. */
FAST void slab_free(struct machine *m, const struct kmem_cache *c, uint64_t entry,
                    uint64_t va)
{
    const uint32_t flags = slab_irq_save(m);
    cache_free(m, c, entry, va);
    slab_irq_restore(m, flags);
}
