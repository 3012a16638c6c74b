/* Caches by number, their creation and destruction, and the operations on objects.
 *
 * Models kmem_cache_create() and kmem_cache_destroy() of mm/slab_common.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "inspect.h"
#include "kmalloc.h"
#include "mempool.h"
#include "slab_ops.h"
#include "slub_debug.h"

/* Slabs take at most so many frames, each with so many bytes of records. */
enum { MAX_SLAB_FRAMES = 1 << 18, RECORDS_A_FRAME = 2048, ARENA_FOR_CACHES = 8 << 20 };

uint64_t slab_arena_bytes(const struct machine_config *c, uint64_t max_pfn)
{
    const uint64_t slabs = max_pfn < MAX_SLAB_FRAMES ? max_pfn : MAX_SLAB_FRAMES;
    return sizeof(struct slab_root) + ARENA_FOR_CACHES +
           (uint64_t)c->nr_cpus * (256 << 10) + slabs * RECORDS_A_FRAME;
}

bool slab_create(struct machine *m)
{
    m->slab = arena_alloc(&m->arena, sizeof *m->slab, ARENA_CHUNK);
    return m->slab != NULL;
}

void slab_reset(struct machine *m)
{
    if (m->slab->state == SLAB_DOWN && !m->slab->pool_index) {
        return;
    }
    slab_pool_reset(m);
    for (size_t at = 0; at < sizeof *m->slab; at += ARENA_CHUNK) {
        arena_mark(&m->arena, (unsigned char *)m->slab + at);
    }
    memset(m->slab, 0, sizeof *m->slab);
}

/* ---- caches by number ---- */

struct kmem_cache *slab_cache_new(struct machine *m, const char *name)
{
    uint32_t slot = m->slab->next_slot + 1;
    for (uint32_t i = 0; i < SLAB_SLOTS; i++, slot++) {
        slot = slot % SLAB_SLOTS ? slot % SLAB_SLOTS : 1;
        if (!m->slab->cache[slot]) {
            break;
        }
    }
    const uint32_t ref = slot == SLAB_SLOTS || m->slab->cache[slot]
                             ? 0
                             : slab_pool_take(m, sizeof(struct kmem_cache));
    if (!ref) {
        return NULL;
    }
    arena_mark(&m->arena, &m->slab->cache[slot]);
    arena_mark(&m->arena, &m->slab->used[slot]);
    m->slab->cache[slot] = ref;
    struct kmem_cache *c = cache_w(m, slab_block(m, ref));
    c->id = m->slab->used[slot]++ * SLAB_SLOTS + slot;
    slab_root_w(m)->next_slot = slot;
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

void slab_cache_drop(struct machine *m, struct kmem_cache *c)
{
    uint32_t *slot = &m->slab->cache[c->id % SLAB_SLOTS];
    arena_mark(&m->arena, slot);
    const uint32_t ref = *slot;
    *slot = 0;
    slab_pool_give(m, ref, sizeof(struct kmem_cache));
}

void slab_cache_link(struct machine *m, struct kmem_cache *c)
{
    struct slab_root *r = slab_root_w(m);
    c = cache_w(m, c);
    c->prev = 0;
    c->next = r->first;
    if (c->next) {
        cache_w(m, cache_r(m, c->next))->prev = c->id;
    } else {
        r->last = c->id;
    }
    r->first = c->id;
    r->nr_caches++;
}

static void unlink_cache(struct machine *m, struct kmem_cache *c)
{
    struct slab_root *r = slab_root_w(m);
    if (c->prev) {
        cache_w(m, cache_r(m, c->prev))->next = c->next;
    } else {
        r->first = c->next;
    }
    if (c->next) {
        cache_w(m, cache_r(m, c->next))->prev = c->prev;
    } else {
        r->last = c->prev;
    }
    r->nr_caches--;
}

/* ---- creation ---- */

static enum bad_reason spec_is_bad(const struct slab_spec *s)
{
    return !s->name || !*s->name                                 ? BAD_CACHE_NAME
           : s->flags & ~(uint64_t)SLAB_FLAGS_PERMITTED          ? BAD_CACHE_FLAGS
           : s->align > PAGE_SIZE || (s->align & (s->align - 1)) ? BAD_CACHE_ALIGN
           : s->size == 0 || s->size > (1 << 22)                 ? BAD_CACHE_SIZE
                                                                 : BAD_NONE;
}

/* What is in no allocated object yet: from the request to the geometry. */
static struct kmem_cache *fill_cache(struct machine *m, const struct slab_spec *s)
{
    struct kmem_cache *c = slab_cache_new(m, s->name);
    if (c) {
        uint32_t flags = (uint32_t)s->flags;
        if (!m->config.slub) { /* CACHE_CREATE_MASK: SLAB without its debugging */
            flags &= ~(SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON |
                       SLAB_STORE_USER | SLAB_TRACE);
        } else { /* SLUB does not know this one */
            flags &= ~SLAB_MEM_SPREAD;
        }
        c->object_size = (uint32_t)s->size;
        c->flags = flags;
        c->ctor = s->ctor;
        c->align =
            calculate_alignment(&m->config, flags, (uint32_t)s->align, c->object_size);
    }
    return c;
}

/* create_cache: the struct kmem_cache, an object itself, and all that hangs on it. */
static enum bad_reason create_cache(struct machine *m, const struct slab_spec *s,
                                    uint64_t name_addr, uint32_t *id)
{
    enum bad_reason why = BAD_CACHE_FAILED;
    fn_enter(&m->probe, FN_create_cache, s->size, s->align, s->flags);
    const struct kmem_cache *caches = cache_r(m, m->slab->kmem_cache);
    const uint64_t addr =
        kmem_cache_alloc(m, caches, (gfp_t)GFP_KERNEL | (gfp_t)__GFP_ZERO);
    struct kmem_cache *c = addr ? fill_cache(m, s) : NULL;
    if (c) {
        c->addr = addr;
        c->name_addr = name_addr;
        fn_enter(&m->probe, FN___kmem_cache_create, c->id, c->flags);
        why = !slab_calculate(m, c)                            ? BAD_CACHE_SIZE
              : !slab_setup_cpu_cache(m, c, (gfp_t)GFP_KERNEL) ? BAD_CACHE_FAILED
                                                               : BAD_NONE;
        fn_leave(&m->probe);
        if (why) {
            slab_release(m, c);
            slab_cache_drop(m, c);
        } else {
            cache_w(m, c)->refcount = 1;
            slab_cache_link(m, c);
            *id = c->id;
        }
    } else if (addr) {
        why = BAD_CACHE_MANY;
    }
    if (why && addr) {
        kmem_cache_free(m, caches, addr);
    }
    fn_leave(&m->probe);
    return why;
}

/* A function that takes slab_mutex: may it sleep, and can it get it? */
static bool mutex_fails(struct machine *m, uint64_t value)
{
    might_sleep(m);
    if (m->slab->mutex) {
        slab_report(m, BAD_SLAB_BUSY, value, 0);
        return true;
    }
    return false;
}

uint32_t kmem_cache_create(struct machine *m, const struct slab_spec *s)
{
    uint32_t id = 0;
    fn_enter(&m->probe, FN_kmem_cache_create, s->size, s->align, s->flags);
    if (!mutex_fails(m, s->size)) {
        enum bad_reason why = spec_is_bad(s);
        slab_mutex_lock(m);
        id = why ? 0 : slab_alias(m, s);
        if (id) {
            slab_mutex_unlock(m);
            fn_leave(&m->probe);
            return id;
        }
        if (!why) {
            const uint64_t name = kmalloc(m, strlen(s->name) + 1, (gfp_t)GFP_KERNEL);
            why = name ? create_cache(m, s, name, &id) : BAD_CACHE_FAILED;
            if (why && name) {
                kfree(m, name);
            }
        }
        slab_mutex_unlock(m);
        if (why) {
            slab_report(m, why, s->size, 0);
        } else {
            const struct kmem_cache *c = cache_r(m, id);
            probe(&m->probe, EV_KMEM_CACHE_CREATE, id, c->size, c->num, c->gfporder,
                  c->colour, cache_place(c));
        }
    }
    fn_leave(&m->probe);
    return id;
}

uint32_t slab_load_cache(struct machine *m, const struct slab_spec *s)
{
    struct kmem_cache *c = spec_is_bad(s) ? NULL : fill_cache(m, s);
    if (!c) {
        return 0;
    }
    /* what the kernel allocated for it belongs to the recorded state already */
    if (!slab_calculate(m, c) || !slab_load_arrays(m, c)) {
        slab_release(m, c);
        slab_cache_drop(m, c);
        return 0;
    }
    cache_w(m, c)->refcount = 1;
    slab_cache_link(m, c);
    return c->id;
}

/* ---- destruction ---- */

static void report_left(struct machine *m, const struct kmem_cache *c)
{
    static const enum slab_list_kind lists[] = {SLABS_FULL, SLABS_PARTIAL};
    uint64_t objects = 0;
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t ref = c->list[lists[i]].first; ref; ref = slab_r(m, ref)->next) {
            for (uint32_t o = 0; o < slab_r(m, ref)->num; o++) {
                objects += slab_object_at(m, slab_r(m, ref), o)->in_use;
            }
        }
    }
    probe(&m->probe, EV_SLAB_LEAK, c->id, objects, c->total_slabs);
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t ref = c->list[lists[i]].first; ref; ref = slab_r(m, ref)->next) {
            const struct slab *s = slab_r(m, ref);
            for (uint32_t o = 0; o < s->num; o++) {
                if (slab_object_at(m, s, o)->in_use) {
                    probe(&m->probe, EV_SLAB_LEFT, c->id, index_to_obj(c, s, o),
                          slab_object_at(m, s, o)->alloc_op);
                }
            }
        }
    }
}

/* slab_kmem_cache_release */
static void release_cache(struct machine *m, struct kmem_cache *c)
{
    const uint64_t addr = c->addr, name = c->name_addr;
    const uint32_t id = c->id;
    slab_aliases_forget(m, c);
    slab_release(m, c);
    if (name) {
        kfree(m, name);
    }
    probe(&m->probe, EV_KMEM_CACHE_DESTROY, id);
    slab_cache_drop(m, c);
    if (addr) {
        kmem_cache_free(m, cache_r(m, m->slab->kmem_cache), addr);
    }
}

static bool is_boot_cache(const struct kmem_cache *c)
{
    return (c->flags & SLAB_KMALLOC) || c->refcount < 0;
}

void kmem_cache_destroy(struct machine *m, uint64_t id)
{
    struct kmem_cache *c = cache_w(m, cache_r(m, id));
    fn_enter(&m->probe, FN_kmem_cache_destroy, id);
    if (is_boot_cache(c) || c->refcount == 0) {
        slab_report(m, is_boot_cache(c) ? BAD_BOOT_CACHE : BAD_CACHE_LEFT, 0, c->id);
    } else if (!mutex_fails(m, id)) {
        slab_mutex_lock(m);
        if (--cache_w(m, c)->refcount) { /* an alias goes: the others still use it */
            slab_mutex_unlock(m);
            probe(&m->probe, EV_SLAB_UNALIAS, c->id, c->refcount);
            fn_leave(&m->probe);
            return;
        }
        const bool left = m->config.slub ? slub_shutdown(m, c) : slab_shrink(m, c);
        if (left) {
            report_left(m, c);
        } else {
            unlink_cache(m, c);
        }
        slab_mutex_unlock(m);
        if (!left) {
            release_cache(m, c);
        }
    }
    fn_leave(&m->probe);
}

/* ---- operations ---- */

static const char *text_of(const struct machine *m, uint64_t id)
{
    return m->texts ? m->texts->text(m->texts->ctx, id) : NULL;
}

static uint32_t create_op(struct machine *m, const struct op *op)
{
    char number[32];
    snprintf(number, sizeof number, "cache-%u", (unsigned)op->arg[0]);
    const char *name = text_of(m, op->arg[0]);
    const struct slab_spec s = {name ? name : number, op->arg[1], op->arg[2],
                                op->arg[3] & UINT32_MAX,
                                (uint32_t)(op->arg[3] >> 32) & 0x1ff};
    return op->kind == OP_LOAD_CACHE ? slab_load_cache(m, &s) : kmem_cache_create(m, &s);
}

static uint64_t tune_op(struct machine *m, const uint64_t *arg)
{
    enum { EINVAL_ = 22, ENOMEM_ = 12 };
    struct kmem_cache *c = cache_w(m, cache_r(m, arg[0]));
    const uint64_t limit = arg[1], batchcount = arg[2], shared = arg[3];
    if (!limit || !batchcount || batchcount > limit || limit > UINT32_MAX ||
        shared > UINT16_MAX || mutex_fails(m, limit)) {
        return (uint64_t)-EINVAL_;
    }
    if (shared * batchcount > SLAB_MAX_ENTRIES) {
        return (uint64_t)-ENOMEM_;
    }
    slab_mutex_lock(m);
    const bool done =
        do_tune_cpucache(m, c, (uint32_t)limit, (uint32_t)batchcount, (uint32_t)shared,
                         m->mm->nr_cpus, (gfp_t)GFP_KERNEL);
    slab_mutex_unlock(m);
    return done ? 0 : (uint64_t)-ENOMEM_;
}

static uint64_t shrink_op(struct machine *m, uint64_t id)
{
    uint64_t left = 1;
    fn_enter(&m->probe, FN_kmem_cache_shrink, id);
    might_sleep(m); /* it interrupts all CPUs and waits */
    left = slab_shrink(m, cache_w(m, cache_r(m, id)));
    fn_leave(&m->probe);
    return left;
}

/* Does the first argument name a cache? */
static bool wants_cache(uint16_t kind)
{
    switch (kind) {
    case OP_KMEM_CACHE_DESTROY:
    case OP_KMEM_CACHE_ALLOC:
    case OP_KMEM_CACHE_FREE:
    case OP_KMEM_CACHE_ALLOC_BULK:
    case OP_KMEM_CACHE_SHRINK:
    case OP_TUNE_CPUCACHE:
    case OP_VALIDATE_SLAB_CACHE:
        return true;
    default:
        return false;
    }
}

static uint64_t run(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    const struct kmem_cache *c = wants_cache(op->kind) ? cache_r(m, arg[0]) : NULL;
    if (wants_cache(op->kind) && !c) {
        probe(&m->probe, EV_BAD_CALL, op->kind, arg[0], BAD_NO_CACHE);
        return 0;
    }
    switch (op->kind) {
    case OP_KMEM_CACHE_INIT:
        return 1;
    case OP_KMEM_CACHE_CREATE:
    case OP_LOAD_CACHE:
        return create_op(m, op);
    case OP_KMEM_CACHE_DESTROY:
        kmem_cache_destroy(m, arg[0]);
        return 0;
    case OP_KMEM_CACHE_ALLOC:
        return kmem_cache_alloc(m, c, (gfp_t)arg[1]);
    case OP_KMEM_CACHE_FREE:
        kmem_cache_free(m, c, arg[1]);
        return 0;
    case OP_KMALLOC:
        return kmalloc(m, arg[0], (gfp_t)arg[1]);
    case OP_KZALLOC:
        return kmalloc(m, arg[0], (gfp_t)arg[1] | (gfp_t)__GFP_ZERO);
    case OP_KFREE:
        kfree(m, arg[0]);
        return 0;
    case OP_KREALLOC:
        return krealloc(m, arg[0], arg[1], (gfp_t)arg[2]);
    case OP_KSIZE:
        return ksize(m, arg[0]);
    case OP_KMEM_CACHE_ALLOC_BULK:
        return kmem_cache_alloc_bulk(m, arg[0], (gfp_t)arg[1], arg[2]);
    case OP_STAGE_OBJECT:
        slab_stage_object(m, arg[0]);
        return 0;
    case OP_KMEM_CACHE_FREE_BULK:
        kmem_cache_free_bulk(m, arg[0]);
        return 0;
    case OP_KMEM_CACHE_SHRINK:
        return shrink_op(m, arg[0]);
    case OP_TUNE_CPUCACHE:
        return tune_op(m, arg);
    case OP_VALIDATE_SLAB_CACHE:
        might_sleep(m); /* it interrupts all CPUs and waits */
        return validate_slab_cache(m, cache_w(m, c));
    case OP_CACHE_REAP:
        cache_reap(m);
        return 0;
    default:
        return mempool_do(m, op);
    }
}

/* Operations on whole caches take slab_mutex or wait for other CPUs: not in an interrupt,
 * and not while one on an object is under way. */
static bool cannot_wait(struct machine *m, const struct op *op)
{
    switch (op->kind) {
    case OP_KMEM_CACHE_CREATE:
    case OP_KMEM_CACHE_DESTROY:
    case OP_KMEM_CACHE_SHRINK:
    case OP_TUNE_CPUCACHE:
    case OP_VALIDATE_SLAB_CACHE:
    case OP_LOAD_CACHE:
    case OP_CACHE_REAP:
        break;
    default:
        return false;
    }
    if (vm_in_interrupt(m)) {
        might_sleep(m);
        slab_report(m, BAD_IN_INTERRUPT, 0, 0);
        return true;
    }
    if (m->slab->nesting) {
        slab_report(m, BAD_SLAB_BUSY, 0, 0);
        return true;
    }
    return false;
}

/* Operations that a record's state has done already need no boot. */
static bool needs_boot(const struct machine *m, uint16_t kind)
{
    return m->slab->state != SLAB_FULL && kind != OP_LOAD_CACHE &&
           kind != OP_STAGE_OBJECT && !(m->slab->first && wants_cache(kind));
}

/* The reap timer's worker runs when the CPU may schedule. */
static void periodic_work(struct machine *m)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    struct slab_root *r = slab_root_w(m);
    r->since_reap++;
    if (r->since_reap >= m->config.reap_ops && !c->preempt_count && !c->irqs_disabled &&
        !r->nesting && r->state == SLAB_FULL) {
        r->nesting++;
        cache_reap(m);
        slab_root_w(m)->nesting--;
    }
}

uint64_t slab_do(struct machine *m, const struct op *op)
{
    if (m->config.slub && (op->kind == OP_TUNE_CPUCACHE || op->kind == OP_CACHE_REAP)) {
        enum { EIO_ = 5 };
        probe(&m->probe, EV_BAD_CALL, op->kind, op->arg[0], BAD_SLUB_ONLY);
        return op->kind == OP_TUNE_CPUCACHE ? (uint64_t)-EIO_ : 0;
    }
    if (!m->config.slub && op->kind == OP_VALIDATE_SLAB_CACHE) {
        probe(&m->probe, EV_BAD_CALL, op->kind, op->arg[0], BAD_SLAB_ONLY);
        return 0;
    }
    if (m->slab->irqs_off) {
        /* only nested: the operation under way is inside of the layer */
        slab_report(m, BAD_SLAB_BUSY, op->arg[0], 0);
        return 0;
    }
    if (cannot_wait(m, op)) {
        return 0;
    }
    slab_root_w(m)->nesting++;
    const uint64_t result =
        needs_boot(m, op->kind) && !kmem_cache_init(m) ? 0 : run(m, op);
    slab_root_w(m)->nesting--;
    if (m->config.reap_ops && !m->config.slub && op->kind != OP_CACHE_REAP) {
        periodic_work(m);
    }
    return result;
}
