/* SLUB's debugging at work: what is written around objects, what is checked when they
 * go out and come back, and how damage is told and mended (slub_debug.h).
 *
 * Each complaint is an event slub:bug, announced while the damage is there; each repair
 * an event slub:fix, announced when it has been made. report_slab.c turns them into the
 * kernel's text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slub_debug.h"

#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "slab_ops.h"

enum { TASK_PID = 1, CHUNK = 256, SEEN_WORDS = (1 << 16) / 64 };

/* ---- bytes ---- */

static bool fill(struct machine *m, uint64_t va, unsigned char value, uint64_t nr)
{
    unsigned char bytes[CHUNK];
    bool done = true;
    memset(bytes, value, sizeof bytes);
    for (uint64_t at = 0; at < nr; at += CHUNK) {
        done =
            slab_write(m, va + at, bytes, nr - at < CHUNK ? (size_t)(nr - at) : CHUNK) &&
            done;
    }
    return done;
}

/* memchr_inv, from both ends: where bytes differ from value first and last. */
static bool differs(const struct machine *m, uint64_t va, unsigned char value,
                    uint64_t nr, uint64_t *first, uint64_t *last)
{
    unsigned char bytes[CHUNK];
    bool found = false;
    for (uint64_t at = 0; at < nr; at += CHUNK) {
        const size_t part = nr - at < CHUNK ? (size_t)(nr - at) : CHUNK;
        slab_read(m, va + at, bytes, part);
        for (size_t i = 0; i < part; i++) {
            if (bytes[i] != value) {
                *first = found ? *first : va + at + i;
                *last = va + at + i;
                found = true;
            }
        }
    }
    return found;
}

static void write_number(struct machine *m, uint64_t va, uint64_t v, uint32_t nr)
{
    unsigned char b[8];
    for (uint32_t i = 0; i < nr; i++) {
        b[i] = (unsigned char)(v >> 8 * i);
    }
    slab_write(m, va, b, nr);
}

static void write_pointer(struct machine *m, const struct kmem_cache *c, uint64_t object,
                          uint64_t next)
{
    write_number(m, object + c->offset, next, slab_word(&m->config));
}

/* ---- complaints ---- */

/* slab_bug and what follows it: the kernel is tainted from then on. */
static void complain(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                     uint32_t reason, uint64_t object, uint64_t from, uint64_t to,
                     uint64_t value)
{
    probe(&m->probe, EV_SLUB_BUG, reason, c->id, object ? object : slab_r(m, ref)->s_mem,
          from, to, value);
    if (slub_debugs(c)) {
        slab_root_w(m)->tainted = 1;
    }
}

static void fixed(struct machine *m, const struct kmem_cache *c, uint32_t reason,
                  uint64_t object)
{
    probe(&m->probe, EV_SLUB_FIX, reason, c->id, object);
}

/* check_bytes_and_report, and restore_bytes. True: all is well. */
static bool check_bytes(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                        uint32_t reason, uint64_t object, uint64_t start,
                        unsigned char value, uint32_t nr)
{
    uint64_t first = 0, last = 0;
    if (!differs(m, start, value, nr, &first, &last)) {
        return true;
    }
    complain(m, c, ref, reason, object, first, last, value);
    fill(m, first, value, last - first + 1);
    probe(&m->probe, EV_SLUB_RESTORE, reason, c->id, first, last, value);
    return false;
}

/* ---- what is written ---- */

/* init_object */
static bool init_object(struct machine *m, const struct kmem_cache *c, uint64_t object,
                        unsigned char red)
{
    bool done = true;
    if (c->flags & SLAB_RED_ZONE) {
        done = fill(m, object - c->red_left_pad, red, c->red_left_pad);
    }
    if (slub_poisons(c)) {
        done = fill(m, object, POISON_FREE, c->object_size - 1) && done;
        done = fill(m, object + c->object_size - 1, POISON_END, 1) && done;
    }
    if (c->flags & SLAB_RED_ZONE) {
        done = fill(m, object + c->object_size, red, c->inuse - c->object_size) && done;
    }
    return done;
}

static bool init_tracking(struct machine *m, const struct kmem_cache *c, uint64_t object)
{
    return !(c->flags & SLAB_STORE_USER) || fill(m, object + slub_info_end(&m->config, c),
                                                 0, 2 * slub_sizeof_track(&m->config));
}

/* set_track */
static void set_track(struct machine *m, const struct kmem_cache *c, uint64_t object,
                      enum track_item item)
{
    const uint32_t word = slab_word(&m->config), size = slub_sizeof_track(&m->config);
    const uint64_t at =
        object + slub_info_end(&m->config, c) + (item == TRACK_FREE ? (uint64_t)size : 0);
    if (!(c->flags & SLAB_STORE_USER)) {
        return;
    }
    write_number(m, at, slub_caller(m), word);
    write_number(m, at + word, (uint32_t)m->mm->nr_ops, 4);
    write_number(m, at + word + 4, m->probe.cpu, 4);
    write_number(m, at + word + 8, TASK_PID, 4);
    write_number(m, at + size - word, m->mm->nr_ops, word);
}

void slub_debug_orig_size(struct machine *m, const struct kmem_cache *c, uint64_t object,
                          uint64_t size)
{
    if ((c->flags & SLAB_STORE_USER) && (c->flags & SLAB_KMALLOC)) {
        write_number(m, object + slub_orig_size_at(&m->config, c), size, 4);
    }
}

bool slub_debug_setup(struct machine *m, const struct kmem_cache *c, const struct slab *s)
{
    const uint32_t num = s->num;
    bool done = true;
    if (c->flags & SLAB_POISON) { /* setup_slab_debug */
        done = fill(m, s->s_mem - c->red_left_pad, POISON_INUSE,
                    (uint64_t)PAGE_SIZE << s->order);
    }
    for (uint32_t i = 0; i < num; i++) { /* setup_object_debug */
        const uint64_t object = index_to_obj(c, s, i);
        done = init_object(m, c, object, SLUB_RED_INACTIVE) && done;
        done = init_tracking(m, c, object) && done;
    }
    return done;
}

void slub_debug_first(struct machine *m, const struct kmem_cache *c, uint64_t object)
{
    if (slub_debugs(c)) {
        init_object(m, c, object, SLUB_RED_ACTIVE);
        init_tracking(m, c, object);
    }
}

/* ---- checks ---- */

/* check_valid_pointer: 0, or where an object of the slab may begin. */
static bool valid_pointer(const struct kmem_cache *c, const struct slab *s, uint64_t va)
{
    const uint64_t offset = va - s->s_mem;
    return !va || (va >= s->s_mem && offset < (uint64_t)c->size * s->num &&
                   offset % c->size == 0);
}

/* A free object of the slab; its number. */
static bool is_free(const struct machine *m, const struct kmem_cache *c,
                    const struct slab *s, uint64_t va, uint32_t *i)
{
    if (!va || !valid_pointer(c, s, va)) {
        return false;
    }
    *i = (uint32_t)((va - s->s_mem) / c->size);
    return !slab_object_at(m, s, *i)->in_use;
}

/* slab_pad_check: what is left over behind the last object. */
static void pad_check(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    const struct slab *s = slab_r(m, ref);
    const uint64_t start = s->s_mem - c->red_left_pad;
    const uint64_t length = (uint64_t)PAGE_SIZE << s->order;
    const uint32_t rest = (uint32_t)(length % c->size);
    if ((c->flags & SLAB_POISON) && rest) {
        check_bytes(m, c, ref, BAD_SLAB_PADDING, 0, start + length - rest, POISON_INUSE,
                    rest);
    }
}

static bool check_slab(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    if (slab_r(m, ref)->frozen) { /* D2 */
        complain(m, c, ref, BAD_SLAB_DISABLED, 0, 0, 0, 0);
        return false;
    }
    pad_check(m, c, ref);
    return true;
}

/* The object's red zones, and if it is free its poison and pointer. */
static bool check_object(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                         uint64_t object, unsigned char red)
{
    const uint64_t end = object + c->object_size;
    const uint32_t right = c->inuse - c->object_size;
    const bool free = red == SLUB_RED_INACTIVE;
    if (c->flags & SLAB_RED_ZONE) {
        if (!check_bytes(m, c, ref, BAD_RED_LEFT, object, object - c->red_left_pad, red,
                         c->red_left_pad) ||
            !check_bytes(m, c, ref, BAD_RED_RIGHT, object, end, red, right)) {
            return false;
        }
    } else if ((c->flags & SLAB_POISON) && right) {
        check_bytes(m, c, ref, BAD_ALIGN_PADDING, object, end, POISON_INUSE, right);
    }
    if (c->flags & SLAB_POISON) {
        const uint32_t padding = slub_padding_at(&m->config, c);
        if (free && slub_poisons(c) &&
            (!check_bytes(m, c, ref, BAD_POISON, object, object, POISON_FREE,
                          c->object_size - 1) ||
             !check_bytes(m, c, ref, BAD_END_POISON, object, end - 1, POISON_END, 1))) {
            return false;
        }
        check_bytes(m, c, ref, BAD_OBJECT_PADDING, object, object + padding, POISON_INUSE,
                    slub_slot_end(c) - padding);
    }
    if (c->offset < c->inuse && !free) {
        return true; /* the pointer's place is the caller's now */
    }
    if (!valid_pointer(c, slab_r(m, ref), slub_free_pointer(m, c, object))) {
        slab_w(m, ref)->corrupt = 1;
        complain(m, c, ref, BAD_FREEPOINTER, object, 0, 0, 0);
        write_pointer(m, c, object, 0);
        return false;
    }
    return true;
}

/* The slab has no freelist any more: all its objects are out, or lost. */
static void freelist_gone(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    struct slab *s = slab_w(m, ref);
    s->freelist = 0;
    s->active = s->num;
    s->corrupt = 1;
    if (s->list == SLABS_PARTIAL) {
        slab_list_del(m, cache_w(m, c), ref);
    }
    if (s->list == SLABS_NONE) {
        slab_list_add(m, cache_w(m, c), ref, SLABS_FULL, false);
    }
}

/* on_freelist: is this object on it? On the way the chain and the counter are checked
 * and mended. search 0: only that. False: the freelist was cleared, too. */
static bool on_freelist(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                        uint64_t search)
{
    uint64_t seen[SEEN_WORDS];
    const struct slab *s = slab_r(m, ref);
    uint64_t fp = s->freelist, object = 0;
    uint32_t nr = 0, i;
    memset(seen, 0, (s->num / 64 + 1) * sizeof seen[0]);
    for (; fp; nr++) {
        if (fp == search) {
            return true;
        }
        if (!is_free(m, c, s, fp, &i) || seen[i / 64] >> i % 64 & 1) {
            if (!object) {
                slab_w(m, ref)->corrupt = 1;
                complain(m, c, ref, BAD_FREEPOINTER, 0, 0, 0, 0);
                freelist_gone(m, c, ref);
                fixed(m, c, BAD_FIX_CLEARED, 0);
                return false;
            }
            slab_w(m, ref)->corrupt = 1;
            complain(m, c, ref, BAD_FREECHAIN, object, 0, 0, 0);
            write_pointer(m, c, object, 0);
            break;
        }
        seen[i / 64] |= (uint64_t)1 << i % 64;
        object = fp;
        fp = slub_free_pointer(m, c, object);
    }
    if (s->active != s->num - nr) {
        slab_w(m, ref)->corrupt = 1;
        complain(m, c, ref, BAD_OBJECT_COUNT, 0, s->active, s->num - nr, 0);
        slab_w(m, ref)->active = s->num - nr;
        fixed(m, c, BAD_FIX_COUNT, 0);
    }
    return !search;
}

/* ---- allocating ---- */

static void say_trace(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                      uint64_t object, bool alloc)
{
    if (c->flags & SLAB_TRACE) {
        const struct slab *s = slab_r(m, ref);
        probe(&m->probe, EV_SLUB_TRACE, c->id, object, alloc, s->active, s->freelist);
    }
}

/* alloc_debug_processing, of an object that is off the freelist already. */
static bool alloc_processing(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                             uint64_t object)
{
    fn_enter(&m->probe, FN_alloc_debug_processing, c->id, object);
    const bool good =
        !(c->flags & SLAB_CONSISTENCY_CHECKS) ||
        (check_slab(m, c, ref) && check_object(m, c, ref, object, SLUB_RED_INACTIVE));
    if (good) {
        say_trace(m, c, ref, object, true);
        slub_debug_orig_size(m, c, object, c->object_size);
        init_object(m, c, object, SLUB_RED_ACTIVE);
    }
    fn_leave(&m->probe);
    return good;
}

/* The first free object of a slab, which is on the partial list or on none. 0: there was
 * something wrong with it, and the slab gives none any more. */
static uint64_t take_object(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    struct slab *s = slab_w(m, ref);
    const uint64_t va = s->freelist;
    uint32_t i;
    if (!is_free(m, c, s, va, &i)) {
        s->corrupt = 1;
        if (c->flags & SLAB_CONSISTENCY_CHECKS) {
            complain(m, c, ref, BAD_FREELIST_CHECK, va, 0, 0, 0);
            slab_w(m, ref)->frozen = 1;
        } else {
            slab_report(m, BAD_FREELIST, va, c->id);
        }
        freelist_gone(m, c, ref);
        fixed(m, c, BAD_FIX_ALL_USED, 0);
        return 0;
    }
    struct slab_object *o = slab_object_at(m, s, i);
    struct slub_cpu *cpu = slab_block(m, c->array[m->probe.cpu]);
    arena_mark(&m->arena, o);
    arena_mark(&m->arena, cpu);
    o->in_use = 1;
    cpu->out++;
    s->freelist = slub_free_pointer(m, c, va);
    s->active++;
    if (!s->freelist) { /* add_full */
        if (s->active != s->num) {
            s->active = s->num; /* the chain was cut: what followed is lost */
            s->corrupt = 1;
        }
        if (s->list == SLABS_PARTIAL) {
            slab_list_del(m, cache_w(m, c), ref);
        }
        slab_list_add(m, cache_w(m, c), ref, SLABS_FULL, false);
    } else if (s->list == SLABS_NONE) {
        slab_list_add(m, cache_w(m, c), ref, SLABS_PARTIAL, false);
    }
    const bool good = alloc_processing(m, c, ref, va);
    arena_mark(&m->arena, o);
    arena_mark(&m->arena, cpu);
    if (good) {
        o->alloc_op = (uint32_t)m->mm->nr_ops;
        return va;
    }
    o->in_use = 0;
    cpu->out--;
    slab_w(m, ref)->frozen = 1;
    freelist_gone(m, c, ref);
    fixed(m, c, BAD_FIX_ALL_USED, 0);
    return 0;
}

/* get_partial_node */
static uint64_t from_partial(struct machine *m, const struct kmem_cache *c)
{
    uint64_t va = 0;
    if (!c->list[SLABS_PARTIAL].nr) {
        return 0;
    }
    fn_enter(&m->probe, FN_get_partial_node, c->id);
    const uint32_t flags = slab_irq_save(m);
    slab_list_lock(m, c);
    for (uint32_t next, ref = c->list[SLABS_PARTIAL].first; ref && !va; ref = next) {
        next = slab_r(m, ref)->next;
        va = take_object(m, c, ref);
    }
    slab_list_unlock(m, c);
    slab_irq_restore(m, flags);
    fn_leave(&m->probe);
    return va;
}

/* alloc_single_from_new_slab */
static uint64_t from_new_slab(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    fn_enter(&m->probe, FN_alloc_single_from_new_slab, c->id, slab_r(m, ref)->pfn);
    const uint32_t flags = slab_irq_save(m);
    slab_list_lock(m, c);
    struct kmem_cache *w = cache_w(m, c);
    w->total_slabs++;
    w->total_objects += slab_r(m, ref)->num;
    const uint64_t va = take_object(m, c, ref);
    slab_list_unlock(m, c);
    slab_irq_restore(m, flags);
    fn_leave(&m->probe);
    return va;
}

uint64_t slub_debug_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
    uint64_t va = 0;
    while (!va) {
        va = from_partial(m, c);
        if (!va) {
            const uint32_t ref = slub_new_slab(m, c, gfp);
            if (!ref) {
                return 0;
            }
            va = from_new_slab(m, c, ref);
        }
    }
    set_track(m, c, va, TRACK_ALLOC);
    const uint32_t ref = virt_to_slab(m, va);
    probe(&m->probe, EV_SLUB_DEBUG_ALLOC, c->id, va, slab_r(m, ref)->pfn,
          slab_r(m, ref)->active);
    return va;
}

/* ---- freeing ---- */

/* free_consistency_checks and check_slab. in_use: what a caller really has. */
static bool free_checks(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                        uint64_t object)
{
    if (!check_slab(m, c, ref)) {
        return false;
    }
    if (!valid_pointer(c, slab_r(m, ref), object)) {
        complain(m, c, ref, BAD_INVALID_POINTER, 0, object, 0, 0);
        return false;
    }
    if (on_freelist(m, c, ref, object)) {
        complain(m, c, ref, BAD_ALREADY_FREE, object, 0, 0, 0);
        return false;
    }
    return check_object(m, c, ref, object, SLUB_RED_ACTIVE);
}

/* free_debug_processing */
static bool free_processing(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                            uint64_t object)
{
    fn_enter(&m->probe, FN_free_debug_processing, c->id, object);
    const bool good =
        !(c->flags & SLAB_CONSISTENCY_CHECKS) || free_checks(m, c, ref, object);
    if (good) {
        set_track(m, c, object, TRACK_FREE);
        say_trace(m, c, ref, object, false);
        init_object(m, c, object, SLUB_RED_INACTIVE);
    } else {
        fixed(m, c, BAD_FIX_NOT_FREED, object);
    }
    fn_leave(&m->probe);
    return good;
}

/* The object goes on its slab's freelist. Answers the slab if it is not needed. */
static uint32_t put_object(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                           uint64_t object)
{
    struct slab *s = slab_w(m, ref);
    const uint64_t prior = s->freelist;
    struct slab_object *o =
        slab_object_at(m, s, (uint32_t)((object - s->s_mem) / c->size));
    struct slub_cpu *cpu = slab_block(m, c->array[m->probe.cpu]);
    arena_mark(&m->arena, o);
    arena_mark(&m->arena, cpu);
    write_pointer(m, c, object, prior);
    o->free_op = (uint32_t)m->mm->nr_ops & 0x7fffffff;
    o->in_use = 0;
    cpu->out--;
    s = slab_w(m, ref);
    s->freelist = object;
    s->active--;
    const bool excess = !s->active && c->list[SLABS_PARTIAL].nr >= c->min_partial;
    if (!prior || excess) {
        slab_list_del(m, cache_w(m, c), ref);
    }
    if (!prior && !excess) {
        slab_list_add(m, cache_w(m, c), ref, SLABS_PARTIAL, true);
    }
    probe(&m->probe, EV_SLUB_DEBUG_FREE, c->id, object, s->pfn, s->active);
    return excess ? ref : 0;
}

void slub_debug_free(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                     uint64_t object)
{
    uint32_t excess = 0;
    fn_enter(&m->probe, FN_free_to_partial_list, c->id, object);
    const uint32_t flags = slab_irq_save(m);
    slab_list_lock(m, c);
    if (free_processing(m, c, ref, object)) {
        excess = put_object(m, c, ref, object);
    }
    slab_list_unlock(m, c);
    slab_irq_restore(m, flags);
    if (excess) {
        slub_discard(m, c, excess);
    }
    fn_leave(&m->probe);
}

bool slub_debug_misuse(struct machine *m, const struct kmem_cache *c, uint32_t ref,
                       uint64_t object)
{
    if (!(c->flags & SLAB_CONSISTENCY_CHECKS)) {
        return false;
    }
    fn_enter(&m->probe, FN_free_to_partial_list, c->id, object);
    const uint32_t flags = slab_irq_save(m);
    slab_list_lock(m, c);
    fn_enter(&m->probe, FN_free_debug_processing, c->id, object);
    const bool told = !free_checks(m, c, ref, object);
    if (told) {
        fixed(m, c, BAD_FIX_NOT_FREED, object);
    }
    fn_leave(&m->probe);
    slab_list_unlock(m, c);
    slab_irq_restore(m, flags);
    fn_leave(&m->probe);
    return told;
}

void slub_debug_left(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    complain(m, c, ref, BAD_OBJECTS_REMAINING, 0, 0, 0, 0);
}

void slub_debug_last_look(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    if (c->flags & SLAB_CONSISTENCY_CHECKS) {
        const uint32_t num = slab_r(m, ref)->num;
        pad_check(m, c, ref);
        for (uint32_t i = 0; i < num; i++) {
            check_object(m, c, ref, index_to_obj(c, slab_r(m, ref), i),
                         SLUB_RED_INACTIVE);
        }
    }
}

/* ---- validating ---- */

static void validate_slab(struct machine *m, const struct kmem_cache *c, uint32_t ref)
{
    const struct slab *s = slab_r(m, ref);
    uint64_t free[SEEN_WORDS];
    if (!check_slab(m, c, ref) || !on_freelist(m, c, ref, 0)) {
        return;
    }
    memset(free, 0, (s->num / 64 + 1) * sizeof free[0]);
    uint64_t fp = s->freelist;
    for (uint32_t i, nr = 0; nr < s->num && is_free(m, c, s, fp, &i); nr++) {
        free[i / 64] |= (uint64_t)1 << i % 64;
        fp = slub_free_pointer(m, c, fp);
    }
    for (uint32_t i = 0; i < s->num; i++) {
        if (!check_object(m, c, ref, index_to_obj(c, s, i),
                          free[i / 64] >> i % 64 & 1 ? SLUB_RED_INACTIVE
                                                     : SLUB_RED_ACTIVE)) {
            break;
        }
    }
}

uint64_t validate_slab_cache(struct machine *m, struct kmem_cache *c)
{
    static const enum slab_list_kind lists[] = {SLABS_PARTIAL, SLABS_FULL};
    uint64_t count = 0;
    fn_enter(&m->probe, FN_validate_slab_cache, c->id);
    slub_flush_all(m, c);
    const uint32_t flags = slab_irq_save(m);
    slab_list_lock(m, c);
    /* without users, the kernel does not find its full slabs; those that a check moves
     * behind are not looked at twice */
    for (int i = c->flags & SLAB_STORE_USER ? 1 : 0; i >= 0; i--) {
        for (uint32_t next, ref = c->list[lists[i]].first; ref; ref = next) {
            next = slab_r(m, ref)->next;
            validate_slab(m, c, ref);
            count++;
        }
    }
    slab_list_unlock(m, c);
    slab_irq_restore(m, flags);
    probe(&m->probe, EV_SLUB_VALIDATED, c->id, count);
    fn_leave(&m->probe);
    return count;
}
