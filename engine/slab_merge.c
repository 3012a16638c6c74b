/* Merging: a cache that is asked for becomes another name of one that is there, if its
 * objects fit and nothing about it would show.
 *
 * Models find_mergeable(), slab_unmergeable() and __kmem_cache_alias(). The option
 * slab_merge; off, as in the records. kmalloc's caches never take part: user space may
 * be copied to their objects (usersize). A name stays known after its user has gone, as
 * the link in /sys/kernel/slab does, until the cache itself goes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "slab_ops.h"
#include "slub_debug.h"

/* A block of aliases: the next block, and a name. */
struct alias {
    uint32_t next;
    char name[SLAB_NAME];
};

static uint32_t align_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

static bool never_merges(uint32_t flags)
{
    return flags & (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | SLAB_TRACE |
                    SLAB_TYPESAFE_BY_RCU | SLAB_NOLEAKTRACE);
}

static uint32_t must_be_same(uint32_t flags)
{
    return flags &
           (SLAB_RECLAIM_ACCOUNT | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_ACCOUNT);
}

bool slab_unmergeable(const struct machine *m, const struct kmem_cache *c)
{
    return !m->config.slab_merge || never_merges(c->flags) || c->ctor ||
           (c->flags & SLAB_KMALLOC) || c->refcount < 0;
}

/* find_mergeable: the oldest one first. */
static const struct kmem_cache *find_mergeable(const struct machine *m,
                                               const struct slab_spec *s, uint32_t flags)
{
    const uint32_t word = slab_word(&m->config);
    uint32_t size = align_up((uint32_t)s->size, word);
    const uint32_t align =
        calculate_alignment(&m->config, flags, (uint32_t)s->align, size);
    size = align_up(size, align);
    flags = m->config.slub ? slub_flags(&m->config, flags, s->name) : flags;
    if (!m->config.slab_merge || s->ctor || never_merges(flags)) {
        return NULL;
    }
    for (uint32_t id = m->slab->last; id;) {
        const struct kmem_cache *c = cache_r(m, id);
        id = c->prev;
        if (slab_unmergeable(m, c) || size > c->size || c->size - size >= word ||
            must_be_same(flags) != must_be_same(c->flags) || c->size & (align - 1)) {
            continue;
        }
        if (!m->config.slub && (align > c->align || c->align % align)) {
            continue;
        }
        return c;
    }
    return NULL;
}

static void remember(struct machine *m, struct kmem_cache *c, const char *name)
{
    const uint32_t ref = slab_pool_take(m, sizeof(struct alias));
    if (ref) {
        struct alias *a = slab_block(m, ref);
        arena_mark(&m->arena, a);
        a->next = c->aliases;
        strncpy(a->name, name, sizeof a->name - 1);
        cache_w(m, c)->aliases = ref;
    }
}

uint32_t slab_alias(struct machine *m, const struct slab_spec *s)
{
    const uint32_t flags = (uint32_t)s->flags;
    uint32_t id = 0;
    if (!m->config.slab_merge) {
        return 0;
    }
    fn_enter(&m->probe, FN___kmem_cache_alias, s->size, s->align, s->flags);
    const struct kmem_cache *found = find_mergeable(m, s, flags);
    if (found) {
        struct kmem_cache *c = cache_w(m, found);
        const uint32_t size = (uint32_t)s->size;
        id = c->id;
        c->refcount++;
        /* __GFP_ZERO clears the largest object that anybody has asked for */
        c->object_size = size > c->object_size ? size : c->object_size;
        const uint32_t inuse = align_up(size, slab_word(&m->config));
        c->inuse = m->config.slub && inuse > c->inuse ? inuse : c->inuse;
        remember(m, c, s->name);
        probe(&m->probe, EV_SLAB_ALIAS, id, s->size, c->refcount);
    }
    fn_leave(&m->probe);
    return id;
}

void slab_aliases_forget(struct machine *m, struct kmem_cache *c)
{
    for (uint32_t next, ref = c->aliases; ref; ref = next) {
        next = ((const struct alias *)slab_block(m, ref))->next;
        slab_pool_give(m, ref, sizeof(struct alias));
    }
    cache_w(m, c)->aliases = 0;
}

const char *slab_alias_name(const struct machine *m, const struct kmem_cache *c,
                            uint32_t i)
{
    uint32_t ref = c->aliases;
    while (ref && i--) {
        ref = ((const struct alias *)slab_block(m, ref))->next;
    }
    return ref ? ((const struct alias *)slab_block(m, ref))->name : NULL;
}
