/* Pools by number, and their reserves: arrays of pointers in simulated RAM (mempool.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "bad_reasons.h"
#include "context.h"
#include "kmalloc.h"
#include "mempool_private.h"
#include "slab_view.h"

/* A block of the arena: pools by slot; slot 0 is none. */
struct mempool_slots {
    uint32_t ref[MEMPOOL_SLOTS];
    uint32_t used[MEMPOOL_SLOTS]; /* how often the slot was used */
};
_Static_assert(sizeof(struct mempool_slots) == 4096, "the largest block");

/* ---- pools by number ---- */

static const struct mempool_slots *slots_r(const struct machine *m)
{
    return m->slab->mempools ? slab_block(m, m->slab->mempools) : NULL;
}

static struct mempool_slots *slots_w(struct machine *m)
{
    struct mempool_slots *s = slab_block(m, m->slab->mempools);
    arena_mark(&m->arena, s);
    return s;
}

const struct mempool *mempool_r(const struct machine *m, uint64_t id)
{
    const struct mempool_slots *s = slots_r(m);
    const uint32_t ref = s && id <= UINT32_MAX ? s->ref[id % MEMPOOL_SLOTS] : 0;
    const struct mempool *p = ref ? slab_block(m, ref) : NULL;
    return p && p->id == id ? p : NULL;
}

struct mempool *mempool_w(struct machine *m, const struct mempool *p)
{
    arena_mark(&m->arena, p);
    return slab_block(m, slab_ref(m, p));
}

uint32_t mempools_next(const struct machine *m, uint32_t id)
{
    const struct mempool_slots *s = slots_r(m);
    for (uint32_t slot = id % MEMPOOL_SLOTS + 1; s && slot < MEMPOOL_SLOTS; slot++) {
        if (s->ref[slot]) {
            const struct mempool *p = slab_block(m, s->ref[slot]);
            return p->id;
        }
    }
    return 0;
}

uint32_t mempools_first(const struct machine *m) { return mempools_next(m, 0); }

/* A zeroed record; NULL: there are too many, or the arena is full. */
struct mempool *mempool_record_new(struct machine *m)
{
    if (!m->slab->mempools) {
        const uint32_t ref = slab_pool_take(m, sizeof(struct mempool_slots));
        if (!ref) {
            return NULL;
        }
        slab_root_w(m)->mempools = ref;
    }
    uint32_t slot = 1;
    while (slot < MEMPOOL_SLOTS && slots_r(m)->ref[slot]) {
        slot++;
    }
    const uint32_t ref =
        slot < MEMPOOL_SLOTS ? slab_pool_take(m, sizeof(struct mempool)) : 0;
    if (!ref) {
        return NULL;
    }
    struct mempool_slots *s = slots_w(m);
    s->ref[slot] = ref;
    struct mempool *p = mempool_w(m, slab_block(m, ref));
    p->id = s->used[slot]++ * MEMPOOL_SLOTS + slot;
    slab_root_w(m)->nr_mempools++;
    return p;
}

void mempool_record_drop(struct machine *m, struct mempool *p)
{
    struct mempool_slots *s = slots_w(m);
    const uint32_t slot = p->id % MEMPOOL_SLOTS, ref = s->ref[slot];
    s->ref[slot] = 0;
    slab_root_w(m)->nr_mempools--;
    slab_pool_give(m, ref, sizeof(struct mempool));
}

/* ---- the array of elements, in simulated RAM ---- */

/* Where a page's struct page is. */
static uint64_t struct_page_base(const struct machine *m, uint32_t *size)
{
    const struct kspace *k = &m->vm->kspace;
    *size = k->bits == 64 ? 64 : 32;
    return k->bits == 64         ? k->vmemmap_start
           : m->places.memmap.nr ? kspace_va(k, m->places.memmap.first)
                                 : k->page_offset; /* a bare machine has none */
}

static uint64_t to_pointer(const struct machine *m, const struct mempool *p,
                           uint64_t element)
{
    uint32_t size;
    const uint64_t base = struct_page_base(m, &size);
    return p->kind == MEMPOOL_PAGES ? base + element * size : element;
}

static uint64_t of_pointer(const struct machine *m, const struct mempool *p,
                           uint64_t pointer)
{
    uint32_t size;
    const uint64_t base = struct_page_base(m, &size), offset = pointer - base;
    if (p->kind != MEMPOOL_PAGES) {
        return pointer;
    }
    return pointer < base || offset % size || offset / size >= m->mm->nr_frames
               ? MEMPOOL_NONE
               : offset / size;
}

/* A little-endian word of the machine's. */
static void put_element(struct machine *m, const struct mempool *p, uint32_t i,
                        uint64_t element)
{
    const uint32_t word = slab_word(&m->config);
    const uint64_t pointer = to_pointer(m, p, element);
    unsigned char bytes[8];
    for (uint32_t at = 0; at < 8; at++) {
        bytes[at] = (unsigned char)(pointer >> 8 * at);
    }
    slab_write(m, p->elements + (uint64_t)i * word, bytes, word);
}

uint64_t mempool_element(const struct machine *m, const struct mempool *p, uint32_t i)
{
    const uint32_t word = slab_word(&m->config);
    unsigned char bytes[8] = {0};
    uint64_t pointer = 0;
    if (i >= p->curr_nr) {
        return MEMPOOL_NONE;
    }
    slab_read(m, p->elements + (uint64_t)i * word, bytes, word);
    for (uint32_t at = 8; at-- > 0;) {
        pointer = pointer << 8 | bytes[at];
    }
    return of_pointer(m, p, pointer);
}

/* Is va the beginning of memory that kmalloc has given out, of at least so many bytes? */
static bool kmalloc_is_live(const struct machine *m, uint64_t va, uint64_t size_bytes)
{
    const struct kspace *k = &m->vm->kspace;
    const struct object_view o = object_view(m, va);
    if (size_bytes == 0) {
        return va == ZERO_SIZE_PTR;
    }
    if (o.state != OBJECT_NONE) {
        return o.state == OBJECT_IN_USE && o.va == va &&
               cache_r(m, o.cache)->object_size >= size_bytes;
    }
    const uint64_t frame = (va - k->page_offset) >> PAGE_SHIFT;
    if (!kspace_is_direct(k, va) || frame >= m->mm->nr_frames || va % PAGE_SIZE) {
        return false;
    }
    const struct page *page = page_r(m, frame);
    return page->state == USE_ALLOC && (page->flags & PG_COMPOUND) &&
           !(page->flags & PG_SLAB) && (uint64_t)PAGE_SIZE << page->order >= size_bytes;
}

bool mempool_element_is_live(const struct machine *m, const struct mempool *p,
                             uint64_t element)
{
    if (p->kind == MEMPOOL_KMALLOC) {
        return kmalloc_is_live(m, element, p->data);
    }
    if (p->kind == MEMPOOL_SLAB) {
        const struct object_view o = object_view(m, element);
        return o.state == OBJECT_IN_USE && o.va == element && o.cache == p->data;
    }
    const struct page *page = element < m->mm->nr_frames ? page_r(m, element) : NULL;
    return page && page->state == USE_ALLOC && page->order == p->data &&
           page->refcount >= 1 && !(page->flags & PG_SLAB);
}

/* Somebody may have freed it past the pool; then nothing of it is touched. */
bool mempool_array_is_live(const struct machine *m, const struct mempool *p)
{
    return kmalloc_is_live(m, p->elements, (uint64_t)p->min_nr * slab_word(&m->config));
}

void mempool_report(struct machine *m, uint32_t reason, const struct mempool *p,
                    uint64_t element)
{
    probe(&m->probe, EV_MEMPOOL_BUG, reason, p->id, element);
}

/* Spinning is all that this CPU could do: only an operation nested in one on the pool. */
bool mempool_lock_fails(struct machine *m, const struct mempool *p)
{
    if (p->locked) {
        mempool_report(m, BAD_SLAB_BUSY, p, MEMPOOL_NONE);
    }
    return p->locked;
}

/* spin_lock_irqsave(&pool->lock) */
uint32_t mempool_lock(struct machine *m, const struct mempool *p)
{
    const uint32_t flags = slab_irq_save(m);
    cpu_hot(m)->preempt_count += PREEMPT_OFFSET;
    mempool_w(m, p)->locked = 1;
    return flags;
}

void mempool_unlock(struct machine *m, const struct mempool *p, uint32_t flags)
{
    mempool_w(m, p)->locked = 0;
    cpu_hot(m)->preempt_count -= PREEMPT_OFFSET;
    slab_irq_restore(m, flags);
}

/* ---- the reserve, with the lock held ---- */

void add_element(struct machine *m, const struct mempool *p, uint64_t element)
{
    fn_enter(&m->probe, FN_add_element, p->id, element);
    put_element(m, p, p->curr_nr, element);
    mempool_w(m, p)->curr_nr++;
    probe(&m->probe, EV_MEMPOOL_ADD, p->id, element, p->curr_nr, p->min_nr);
    fn_leave(&m->probe);
}

/* The kernel hands out whatever the array holds; here what is no element any more is
 * reported and left out. */
uint64_t remove_element(struct machine *m, const struct mempool *p)
{
    uint64_t element = MEMPOOL_NONE;
    fn_enter(&m->probe, FN_remove_element, p->id);
    while (p->curr_nr && element == MEMPOOL_NONE) {
        element = mempool_element(m, p, p->curr_nr - 1);
        mempool_w(m, p)->curr_nr--;
        if (!mempool_element_is_live(m, p, element)) {
            mempool_report(m, BAD_ELEMENT_GONE, p, element);
            element = MEMPOOL_NONE;
        } else {
            probe(&m->probe, EV_MEMPOOL_REMOVE, p->id, element, p->curr_nr, p->min_nr);
        }
    }
    fn_leave(&m->probe);
    return element;
}

/* Before the array is looked at; false: it is gone, and the reserve with it. */
bool mempool_reserve_is_there(struct machine *m, const struct mempool *p)
{
    if (p->curr_nr && !mempool_array_is_live(m, p)) {
        mempool_report(m, BAD_ELEMENTS_GONE, p, p->elements);
        mempool_w(m, p)->curr_nr = 0;
    }
    return p->curr_nr != 0;
}

bool mempool_has_in_reserve(const struct machine *m, const struct mempool *p,
                            uint64_t element)
{
    for (uint32_t i = 0; i < p->curr_nr; i++) {
        if (mempool_element(m, p, i) == element) {
            return true;
        }
    }
    return false;
}

/* ---- looking ---- */

int mempool_format(char *buf, size_t size, const struct machine *m, uint64_t id)
{
    const struct mempool *p = m && m->slab ? mempool_r(m, id) : NULL;
    const unsigned slot = (unsigned)(id & UINT32_MAX);
    if (id == MEMPOOL_BOUNCE) {
        return snprintf(buf, size, "page_pool");
    }
    if (!p) {
        return id ? snprintf(buf, size, "mempool-%u", slot) : snprintf(buf, size, "NULL");
    }
    if (p->kind == MEMPOOL_SLAB) {
        const struct kmem_cache *c = cache_r(m, p->data);
        return snprintf(buf, size, "mempool-%u (%s)", slot, c ? c->name : "no cache");
    }
    return snprintf(buf, size,
                    p->kind == MEMPOOL_KMALLOC ? "mempool-%u (%llu bytes)"
                                               : "mempool-%u (pages, order %llu)",
                    slot, (unsigned long long)p->data);
}

/* I4, as far as it is the pool's to keep: twice in the reserve is never right. */
static const char *check_reserve(const struct machine *m, const struct mempool *p)
{
    for (uint32_t i = 0; i < p->curr_nr && mempool_array_is_live(m, p); i++) {
        const uint64_t element = mempool_element(m, p, i);
        for (uint32_t k = 0; k < i && mempool_element_is_live(m, p, element); k++) {
            if (mempool_element(m, p, k) == element) {
                return "mempool: an element is in the reserve twice (I4)";
            }
        }
    }
    return NULL;
}

const char *mempool_check(const struct machine *m)
{
    enum { LOOK = 256 }; /* at reserves of more elements than this: only counts */
    if (!m->slab || m->slab->nesting) {
        return NULL; /* in the middle of an operation */
    }
    const struct mempool_slots *s = slots_r(m);
    uint32_t nr = 0;
    for (uint32_t slot = 1; s && slot < MEMPOOL_SLOTS; slot++) {
        const struct mempool *p = s->ref[slot] ? slab_block(m, s->ref[slot]) : NULL;
        if (!p) {
            continue;
        }
        nr++;
        if (p->id % MEMPOOL_SLOTS != slot || p->id / MEMPOOL_SLOTS >= s->used[slot]) {
            return "mempool: a slot and its pool do not agree (I2)";
        }
        if (p->curr_nr > p->min_nr || !p->elements ||
            p->nr_waiters > MEMPOOL_MAX_WAITERS) {
            return "mempool: the reserve has more elements than min_nr (I1)";
        }
        if (p->locked || p->users) {
            return "mempool: a pool is locked or in use between operations (I3)";
        }
        const char *why = p->curr_nr <= LOOK ? check_reserve(m, p) : NULL;
        if (why) {
            return why;
        }
    }
    return nr == m->slab->nr_mempools ? NULL : "mempool: nr_mempools is wrong (I2)";
}
