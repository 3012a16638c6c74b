/* SLUB: each CPU has one slab of a cache to itself, frozen, and the chain of free objects
 * in it; behind it a few more frozen ones with free objects; behind these the node's list
 * of partial slabs; behind that the page allocator. No array of objects anywhere: a free
 * object has the address of the next one in it.
 *
 *   kmem_cache_alloc    freelist[cpu] --empty--> its slab's freelist --empty--> partial[cpu]
 *                       --none--> node's partial list --none--> new slab
 *   kmem_cache_free     own slab: freelist[cpu]; any other: on the slab's freelist, and
 *                       was it full, the slab is frozen and goes into partial[cpu]
 *
 * Models mm/slub.c with CONFIG_SLUB_CPU_PARTIAL, for caches without debugging. What the
 * kernel does with cmpxchg_double happens here at once. Interrupts are off where it holds
 * local_lock, and on while it takes pages for a new slab, if they were.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slab.h"

#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "kmalloc.h"
#include "slab_ops.h"
#include "slub_debug.h"

FAST struct slub_cpu *this_slub_cpu(const struct machine *m, const struct kmem_cache *c)
{
    return slab_block(m, c->array[m->probe.cpu]);
}
FAST struct slub_cpu *slub_cpu_w(struct machine *m, const struct kmem_cache *c)
{
    struct slub_cpu *cpu = this_slub_cpu(m, c);
    arena_mark(&m->arena, cpu);
    return cpu;
}

/* ---- freelists: bytes in free objects ---- */

/* sizeof(void *) bytes, little-endian; compilers make one load or store of each. */
FAST uint64_t load_word(const unsigned char *p, uint32_t size_bytes)
{
    if (size_bytes == 4) {
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    return p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}
FAST void store_word(unsigned char *p, uint64_t v, uint32_t size_bytes)
{
    const unsigned char bytes[8] = {(unsigned char)v,         (unsigned char)(v >> 8),
                                    (unsigned char)(v >> 16), (unsigned char)(v >> 24),
                                    (unsigned char)(v >> 32), (unsigned char)(v >> 40),
                                    (unsigned char)(v >> 48), (unsigned char)(v >> 56)};
    if (size_bytes == 4) {
        memcpy(p, bytes, 4);
    } else {
        memcpy(p, bytes, 8);
    }
}

/* The bytes of a word at va when they can be reached at once: inside of a frame that has
 * bytes, while no cache has a newer copy. */
FAST unsigned char *word_bytes(const struct machine *m, uint64_t va)
{
    const uint64_t at = va - m->vm->kspace.page_offset;
    unsigned char *bytes = ram_bytes(&m->ram, at >> PAGE_SHIFT);
    return LIKELY(bytes && (at & (PAGE_SIZE - 1)) <= PAGE_SIZE - 8 &&
                  !m->hardware->s->used)
               ? bytes + (at & (PAGE_SIZE - 1))
               : NULL;
}

FAST uint64_t get_freepointer(const struct machine *m, const struct kmem_cache *c,
                              uint64_t object)
{
    const uint32_t word = slab_word(&m->config);
    const unsigned char *p = word_bytes(m, object + c->offset);
    unsigned char bytes[8];
    if (UNLIKELY(!p)) {
        slab_read(m, object + c->offset, bytes, word);
        p = bytes;
    }
    return load_word(p, word);
}

uint64_t slub_free_pointer(const struct machine *m, const struct kmem_cache *c,
                           uint64_t object)
{
    return get_freepointer(m, c, object);
}

FAST bool set_freepointer(struct machine *m, const struct kmem_cache *c, uint64_t object,
                          uint64_t next)
{
    const uint32_t word = slab_word(&m->config);
    unsigned char *p = word_bytes(m, object + c->offset);
    if (LIKELY(p && next)) {
        arena_mark(&m->arena, p);
        store_word(p, next, word);
        return true;
    }
    unsigned char bytes[8];
    store_word(bytes, next, word);
    return slab_write(m, object + c->offset, bytes, word);
}

/* Can this be on a freelist of the slab? Its number, then. */
FAST bool is_free_object(const struct machine *m, const struct kmem_cache *c,
                         const struct slab *s, uint64_t va, uint32_t *i)
{
    const uint64_t offset = va - s->s_mem; /* huge when it lies in front of them */
    if (UNLIKELY(offset > MAX_SLAB_OFFSET)) {
        return false;
    }
    *i = offset_to_index(c, offset);
    return LIKELY(*i < s->num && (uint64_t)*i * c->size == offset &&
                  !slab_object_at(m, s, *i)->in_use);
}

/* Somebody wrote into a free object: what follows it is lost. A kernel that does not look
 * would crash, or hand out whatever that is. */
static void freelist_broken(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                            uint64_t va)
{
    slab_w(m, ref)->corrupt = 1;
    slab_report(m, BAD_FREELIST, va, c->id);
}

uint32_t slub_chain(const struct machine *m, uint32_t ref, uint64_t first, uint64_t *va,
                    uint32_t most, bool *broken)
{
    const struct slab *s = slab_r(m, ref);
    const struct kmem_cache *c = cache_r(m, s->cache);
    uint32_t nr = 0, i;
    *broken = false;
    while (first && nr < most && !*broken) {
        *broken = nr == s->num || !is_free_object(m, c, s, first, &i);
        if (!*broken) {
            if (va) {
                va[nr] = first;
            }
            nr++;
            first = get_freepointer(m, c, first);
        }
    }
    return nr;
}

/* How many objects are on a freelist, and which is the last. */
static uint32_t chain_tail(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                           uint64_t first, uint64_t *tail)
{
    const struct slab *s = slab_r(m, ref);
    uint32_t nr = 0, i;
    *tail = 0;
    for (uint64_t at = first; at; at = get_freepointer(m, c, at)) {
        if (nr == s->num || !is_free_object(m, c, s, at, &i)) {
            freelist_broken(m, c, ref, at);
            break;
        }
        *tail = at;
        nr++;
    }
    return nr;
}

/* The first object of the CPU's freelist goes to the caller. */
FAST uint64_t pop_object(struct machine *m, const struct kmem_cache *c)
{
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    const uint64_t va = cpu->freelist;
    uint32_t i;
    if (UNLIKELY(!is_free_object(m, c, slab_r(m, cpu->slab), va, &i))) {
        cpu->freelist = 0;
        freelist_broken(m, c, cpu->slab, va);
        return 0;
    }
    struct slab_object *o = slab_object_at(m, slab_r(m, cpu->slab), i);
    arena_mark(&m->arena, o);
    o->alloc_op = (uint32_t)m->mm->nr_ops;
    o->in_use = 1;
    cpu->freelist = get_freepointer(m, c, va);
    cpu->out++;
    return va;
}

/* ---- slabs ---- */

static void construct_slub(struct machine *m, const struct kmem_cache *c,
                           const struct slab *s)
{
    unsigned char bytes[256];
    memset(bytes, (int)(c->ctor & 0xff), sizeof bytes);
    for (uint32_t i = 0; i < s->num; i++) {
        for (uint32_t at = 0; at < c->object_size; at += sizeof bytes) {
            const uint32_t left = c->object_size - at;
            slab_write(m, index_to_obj(c, s, i) + at, bytes,
                       left < sizeof bytes ? left : sizeof bytes);
        }
    }
    probe(&m->probe, EV_SLAB_CTOR, c->id, s->pfn, s->num);
}

/* The kernel's: to the partial list's head or tail. */
static void add_partial(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                        bool tail)
{
    slab_list_add(m, cache_w(m, c), ref, SLABS_PARTIAL, tail);
    probe(&m->probe, EV_SLUB_UNFREEZE, c->id, slab_r(m, ref)->pfn, slab_r(m, ref)->active,
          c->list[SLABS_PARTIAL].nr);
}

/* allocate_slab: with as many pages as is good, else with as few as will do. */
uint32_t slub_new_slab(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    fn_enter(&m->probe, FN_allocate_slab, c->id, gfp);
    if (gfp & (__GFP_DMA32 | __GFP_HIGHMEM)) { /* GFP_SLAB_BUG_MASK */
        gfp &= ~(gfp_t)(__GFP_DMA32 | __GFP_HIGHMEM);
        slab_report(m, BAD_SLAB_GFP, 0, c->id);
    }
    if (c->ctor && (gfp & __GFP_ZERO)) {
        slab_report(m, BAD_SLAB_CTOR_ZERO, 0, c->id);
    }
    gfp &= GFP_RECLAIM_MASK | GFP_CONSTRAINT_MASK;
    gfp_t first = (gfp | __GFP_NOWARN | __GFP_NORETRY) & ~(gfp_t)__GFP_NOFAIL;
    if ((first & __GFP_DIRECT_RECLAIM) && c->gfporder > c->min_order) {
        first = (first | __GFP_NOMEMALLOC) &
                ~(gfp_t)(__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM);
    }
    uint32_t ref = slab_page_alloc_order(m, c, first, c->gfporder, c->num);
    if (!ref) {
        probe(&m->probe, EV_SLUB_FALLBACK, c->id, c->gfporder, c->min_order);
        ref = slab_page_alloc_order(m, c, gfp, c->min_order, c->min_num);
    }
    if (ref) {
        struct slab *s = slab_w(m, ref);
        s->s_mem = kspace_va(&m->vm->kspace, s->pfn) + c->red_left_pad;
        s->freelist = s->s_mem;
        bool done = !slub_debugs(c) || slub_debug_setup(m, c, s);
        if (c->ctor) {
            construct_slub(m, c, s);
        }
        for (uint32_t i = 0; i < s->num; i++) {
            done = set_freepointer(m, c, index_to_obj(c, s, i),
                                   i + 1 < s->num ? index_to_obj(c, s, i + 1) : 0) &&
                   done;
        }
        if (!done) { /* the arena is full: as if there were no pages */
            slab_page_free(m, ref);
            ref = 0;
        }
    }
    if (ref) {
        const struct slab *s = slab_r(m, ref);
        probe(&m->probe, EV_SLUB_NEW, c->id, s->pfn, s->order, s->num);
    } else {
        probe(&m->probe, EV_SLAB_GROW_FAIL, c->id, gfp);
    }
    fn_leave(&m->probe);
    return ref;
}

void slub_discard(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    const struct slab *s = slab_r(m, ref);
    fn_enter(&m->probe, FN_discard_slab, c->id, s->pfn);
    probe(&m->probe, EV_SLUB_DISCARD, c->id, s->pfn, s->order, c->list[SLABS_PARTIAL].nr);
    struct kmem_cache *w = cache_w(m, c);
    w->total_slabs--;
    w->total_objects -= s->num;
    if (slub_debugs(c)) {
        slub_debug_last_look(m, c, ref);
    }
    slab_page_free(m, ref);
    fn_leave(&m->probe);
}

/* ---- a CPU's partial slabs ---- */

/* __unfreeze_partials, of slabs that are chained by next. */
static void unfreeze_chain(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    uint32_t discard = 0;
    if (!ref) {
        return;
    }
    fn_enter(&m->probe, FN___unfreeze_partials, c->id);
    const uint32_t flags = slab_irq_save(m);
    slab_list_lock(m, c);
    for (uint32_t next; ref; ref = next) {
        struct slab *s = slab_w(m, ref);
        next = s->next;
        s->next = s->slabs = s->frozen = 0;
        if (!s->active && c->list[SLABS_PARTIAL].nr >= c->min_partial) {
            s->next = discard;
            discard = ref;
        } else {
            add_partial(m, c, ref, true);
        }
    }
    slab_list_unlock(m, c);
    slab_irq_restore(m, flags);
    for (uint32_t next; discard; discard = next) {
        next = slab_r(m, discard)->next;
        slab_w(m, discard)->next = 0;
        slub_discard(m, c, discard);
    }
    fn_leave(&m->probe);
}

/* A frozen slab for later. Answers the chain that was there when it is full already. */
static uint32_t put_cpu_partial(struct machine *m, const struct kmem_cache *c,
                                uint32_t ref, bool drain)
{
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    uint32_t old = cpu->partial, chain = 0;
    fn_enter(&m->probe, FN_put_cpu_partial, c->id, slab_r(m, ref)->pfn);
    if (old && drain && slab_r(m, old)->slabs >= c->cpu_partial_slabs) {
        probe(&m->probe, EV_SLUB_CHAIN_FULL, c->id, slab_r(m, old)->slabs);
        chain = old;
        old = 0;
    }
    struct slab *s = slab_w(m, ref);
    s->slabs = (old ? slab_r(m, old)->slabs : 0) + 1;
    s->next = old;
    slub_cpu_w(m, c)->partial = ref;
    probe(&m->probe, EV_SLUB_FREEZE, c->id, s->pfn, s->slabs);
    fn_leave(&m->probe);
    return chain;
}

/* A frozen slab that was a CPU's, with what is left of the CPU's freelist. Answers it if
 * it is to be discarded. */
static uint32_t deactivate_slab(struct machine *m, const struct kmem_cache *c,
                                uint32_t ref, uint64_t freelist)
{
    struct slab *s = slab_w(m, ref);
    const bool remote = s->freelist != 0; /* others have freed objects of it */
    uint64_t tail;
    uint32_t discard = 0;
    fn_enter(&m->probe, FN_deactivate_slab, c->id, s->pfn);
    const uint32_t nr = chain_tail(m, c, ref, freelist, &tail);
    if (tail) {
        set_freepointer(m, c, tail, s->freelist);
    }
    s = slab_w(m, ref); /* marked behind the events */
    if (tail) {
        s->active -= nr;
        s->freelist = freelist;
    }
    s->frozen = 0;
    if (!s->active && c->list[SLABS_PARTIAL].nr >= c->min_partial) {
        discard = ref;
    } else if (s->freelist) {
        slab_list_lock(m, c);
        add_partial(m, c, ref, remote);
        slab_list_unlock(m, c);
    } else {
        slab_list_add(m, cache_w(m, c), ref, SLABS_FULL, false);
        probe(&m->probe, EV_SLUB_FULL, c->id, s->pfn);
    }
    fn_leave(&m->probe);
    return discard;
}

void slub_flush_cpu(struct machine *m, const struct kmem_cache *c)
{
    const uint32_t flags = slab_irq_save(m);
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    const uint32_t slab = cpu->slab, chain = cpu->partial;
    const uint64_t freelist = cpu->freelist;
    cpu->slab = cpu->partial = 0;
    cpu->freelist = 0;
    const uint32_t discard = slab ? deactivate_slab(m, c, slab, freelist) : 0;
    slab_irq_restore(m, flags);
    if (discard) {
        slub_discard(m, c, discard);
    }
    unfreeze_chain(m, c, chain);
}

/* ---- allocating ---- */

/* get_freelist: what the slab itself has; if that is nothing, the CPU leaves it. */
static bool get_freelist(struct machine *m, const struct kmem_cache *c)
{
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    const uint32_t ref = cpu->slab;
    struct slab *s = slab_w(m, ref);
    cpu->freelist = s->freelist;
    const uint32_t nr = s->num - s->active;
    s->active = s->num;
    s->freelist = 0;
    if (cpu->freelist) {
        probe(&m->probe, EV_SLUB_TAKE, c->id, s->pfn, nr);
        return true;
    }
    s->frozen = 0;
    cpu->slab = 0;
    slab_list_add(m, cache_w(m, c), ref, SLABS_FULL, false);
    probe(&m->probe, EV_SLUB_FULL, c->id, s->pfn);
    return false;
}

static void take_cpu_partial(struct machine *m, const struct kmem_cache *c)
{
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    struct slab *s = slab_w(m, cpu->partial);
    cpu->slab = cpu->partial;
    cpu->partial = s->next;
    s->next = s->slabs = 0;
    probe(&m->probe, EV_SLUB_CPU_PARTIAL, c->id, s->pfn,
          cpu->partial ? slab_r(m, cpu->partial)->slabs : 0);
}

/* The first partial slab of the node for the CPU, some more for later. */
static bool get_partial_node(struct machine *m, const struct kmem_cache *c)
{
    uint32_t more = 0;
    if (!c->list[SLABS_PARTIAL].nr) {
        return false;
    }
    fn_enter(&m->probe, FN_get_partial_node, c->id);
    slab_list_lock(m, c);
    for (uint32_t next, ref = c->list[SLABS_PARTIAL].first; ref; ref = next) {
        next = slab_r(m, ref)->next;
        slab_list_del(m, cache_w(m, c), ref);
        struct slab *s = slab_w(m, ref);
        s->frozen = 1;
        probe(&m->probe, EV_SLUB_NODE_PARTIAL, c->id, s->pfn, c->list[SLABS_PARTIAL].nr);
        struct slub_cpu *cpu = slub_cpu_w(m, c);
        if (!cpu->slab) {
            s = slab_w(m, ref); /* marked behind the event */
            cpu->slab = ref;
            cpu->freelist = s->freelist;
            s->freelist = 0;
            s->active = s->num;
        } else {
            put_cpu_partial(m, c, ref, false);
            more++;
        }
        if (more > c->cpu_partial_slabs / 2) {
            break;
        }
    }
    slab_list_unlock(m, c);
    fn_leave(&m->probe);
    return true;
}

/* A new slab becomes the CPU's. An interrupt may have given it another one meanwhile. */
static void load_new(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    const uint32_t other = cpu->slab;
    const uint64_t others = cpu->freelist;
    struct kmem_cache *w = cache_w(m, c);
    struct slab *s = slab_w(m, ref);
    w->total_slabs++;
    w->total_objects += s->num;
    cpu->slab = ref;
    cpu->freelist = s->freelist;
    s->freelist = 0;
    s->active = s->num;
    s->frozen = 1;
    const uint32_t discard = other ? deactivate_slab(m, c, other, others) : 0;
    if (discard) {
        slub_discard(m, c, discard);
    }
}

static uint64_t slow_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN____slab_alloc, c->id, gfp);
    if (slub_debugs(c)) {
        va = slub_debug_alloc(m, c, gfp);
        fn_leave(&m->probe);
        return va;
    }
    const uint32_t flags = slab_irq_save(m);
    probe(&m->probe, EV_SLUB_EMPTY, c->id);
    while (!va) {
        const struct slub_cpu *cpu = this_slub_cpu(m, c);
        if (cpu->freelist) {
            va = pop_object(m, c);
        } else if (cpu->slab) {
            get_freelist(m, c);
        } else if (cpu->partial) {
            take_cpu_partial(m, c);
        } else if (!get_partial_node(m, c)) {
            slab_irq_restore(m, flags);
            const uint32_t ref = slub_new_slab(m, c, gfp);
            slab_irq_save(m);
            if (!ref) {
                break;
            }
            load_new(m, c, ref);
        }
    }
    if (va) {
        probe(&m->probe, EV_SLUB_HIT, c->id, va, this_slub_cpu(m, c)->freelist);
    }
    slab_irq_restore(m, flags);
    fn_leave(&m->probe);
    return va;
}

/* slab_alloc_node: an object's address, or 0. */
FAST uint64_t slub_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    uint64_t va = 0;
    if (gfp & __GFP_DIRECT_RECLAIM) {
        might_sleep(m);
    }
    if (LIKELY(this_slub_cpu(m, c)->freelist)) {
        va = pop_object(m, c);
        if (LIKELY(va)) {
            probe(&m->probe, EV_SLUB_HIT, c->id, va, this_slub_cpu(m, c)->freelist);
        }
    }
    if (UNLIKELY(!va)) {
        va = slow_alloc(m, c, gfp);
    }
    if (UNLIKELY(gfp & __GFP_ZERO) && va) {
        clear_bytes(m, va, c->object_size);
    }
    return va;
}

/* ---- freeing ---- */

/* __slab_free: cnt objects, chained from head to tail, of a slab that is not the
 * CPU's. */
static void slow_free(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                      uint64_t head, uint64_t tail, uint32_t cnt)
{
    uint32_t chain = 0, discard = 0;
    fn_enter(&m->probe, FN___slab_free, c->id, head);
    const uint32_t flags = slab_irq_save(m);
    struct slab *s = slab_w(m, ref);
    const uint64_t prior = s->freelist;
    set_freepointer(m, c, tail, prior);
    s = slab_w(m, ref);
    s->freelist = head;
    s->active -= cnt;
    probe(&m->probe, EV_SLUB_PUT_SLOW, c->id, head, s->pfn, s->active, s->frozen);
    if (!s->frozen && !prior) { /* it was full */
        slab_list_del(m, cache_w(m, c), ref);
        slab_w(m, ref)->frozen = 1;
        chain = put_cpu_partial(m, c, ref, true);
    } else if (!s->frozen && !s->active && c->list[SLABS_PARTIAL].nr >= c->min_partial) {
        slab_list_lock(m, c);
        slab_list_del(m, cache_w(m, c), ref);
        slab_list_unlock(m, c);
        discard = ref;
    }
    slab_irq_restore(m, flags);
    unfreeze_chain(m, c, chain);
    if (discard) {
        slub_discard(m, c, discard);
    }
    fn_leave(&m->probe);
}

FAST void object_is_free(struct machine *m, uint64_t entry)
{
    struct slab_object *o =
        slab_object_at(m, slab_r(m, entry_slab(entry)), entry_index(entry));
    arena_mark(&m->arena, o);
    o->free_op = (uint32_t)m->mm->nr_ops & 0x7fffffff;
    o->in_use = 0;
}

/* do_slab_free: of objects that are marked as free already. */
FAST void free_chain(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                     uint64_t head, uint64_t tail, uint32_t cnt)
{
    struct slub_cpu *cpu = slub_cpu_w(m, c);
    cpu->out -= cnt;
    if (UNLIKELY(ref != cpu->slab)) {
        slow_free(m, c, ref, head, tail, cnt);
        return;
    }
    const uint64_t next = cpu->freelist;
    set_freepointer(m, c, tail, next);
    cpu->freelist = head;
    probe(&m->probe, EV_SLUB_PUT, c->id, head, next);
}

FAST void slub_free(struct machine *m, const struct kmem_cache *c, uint64_t entry,
                    uint64_t va)
{
    if (UNLIKELY(slub_debugs(c))) {
        slub_debug_free(m, c, entry_slab(entry), va);
        return;
    }
    object_is_free(m, entry);
    free_chain(m, c, entry_slab(entry), va, va, 1);
}
