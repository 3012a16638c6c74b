/* How objects lie in a slab: alignment, order, number, colours, the freelist's place;
 * and how large the arrays are. Functions of the cache's size and flags, of the processor
 * and of the memory's size.
 *
 * Models calculate_alignment() of mm/slab_common.c, __kmem_cache_create() and
 * enable_cpucache() of mm/slab.c. A freelist index has one byte, because no object is
 * smaller than 16 bytes (FREELIST_BYTE_INDEX): at most 255 objects a slab.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slab.h"

#include "kmalloc.h"
#include "slab_ops.h"

enum {
    SLAB_OBJ_MIN_SIZE = 16,
    SLAB_OBJ_MAX_NUM = 255,
    /* __alignof__(unsigned long long), as gcc answers on both processors */
    ARCH_SLAB_MINALIGN = 8
};

static uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static uint32_t align_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

/* x86_cache_alignment: 32 bytes on 32-bit processors without CLFLUSH, which i386 stands
 * for; those with PAE and 64 bits have it, and lines of 64 bytes. */
uint32_t slab_cache_line(const struct machine_config *c)
{
    return c->cache_line ? c->cache_line : c->arch == ARCH_I386 ? 32 : 64;
}

/* SLAB's smallest kmalloc object has 32 bytes, SLUB's 8. */
uint32_t slab_sizeof_kmem_cache(const struct machine_config *c)
{
    /* up to node[], by the types' sizes, and one node */
    if (c->slub) {
        return c->arch == ARCH_X86_64 ? 192 + 8 : 128 + 4;
    }
    return c->arch == ARCH_X86_64 ? 120 + 8 : 92 + 4;
}

uint32_t slab_sizeof_node(const struct machine_config *c)
{
    const uint32_t word = slab_word(c);
    if (c->slub) { /* the lock; four numbers with nr_partial; two list heads */
        return word + 3 * word + 4 * word;
    }
    /* the lock; three list heads, three counters; free_limit and colour_next; two
     * pointers and next_reap; free_touched */
    return word + 9 * word + 8 + 3 * word + word;
}

uint32_t calculate_alignment(const struct machine_config *c, uint32_t flags,
                             uint32_t align, uint32_t size)
{
    if (flags & SLAB_HWCACHE_ALIGN) {
        /* several small objects may share a line, as many as halving it gives */
        uint32_t line = slab_cache_line(c);
        while (size <= line / 2) {
            line /= 2;
        }
        align = max_u32(align, line);
    }
    return align_up(max_u32(align, ARCH_SLAB_MINALIGN), slab_word(c));
}

static uint64_t totalram_pages(const struct machine *m)
{
    uint64_t nr = 0;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        nr += zone_r(m, z)->managed;
    }
    return nr;
}

/* cache_estimate: objects in so many pages; what is left over. */
static uint32_t estimate(uint32_t order, uint32_t size, uint32_t flags, uint32_t *left)
{
    const uint64_t bytes = (uint64_t)PAGE_SIZE << order;
    const bool elsewhere = flags & (CFLGS_OBJFREELIST_SLAB | CFLGS_OFF_SLAB);
    const uint64_t each = elsewhere ? size : (uint64_t)size + 1;
    *left = (uint32_t)(bytes % each);
    return (uint32_t)(bytes / each);
}

/* Does it pay to have a freelist of num bytes elsewhere? */
static bool off_slab_pays(const struct machine *m, const struct kmem_cache *c,
                          uint32_t num)
{
    const struct kmem_cache *holder = kmalloc_slab(m, num, 0);
    return holder && !(holder->flags & CFLGS_OFF_SLAB) && holder->size <= c->size / 2;
}

/* calculate_slab_order: the lowest order that wastes no more than an eighth. Sets num and
 * gfporder (num 0: none will do); answers the bytes left over. */
static uint32_t choose_order(const struct machine *m, struct kmem_cache *c, uint32_t size,
                             uint32_t flags)
{
    const uint32_t max_order = totalram_pages(m) > (32 << 20) / PAGE_SIZE ? 1 : 0;
    uint32_t left = 0;
    c->num = 0;
    for (uint32_t order = 0; order < m->mm->max_order; order++) {
        uint32_t rest;
        const uint32_t num = estimate(order, size, flags, &rest);
        if (!num) {
            continue;
        }
        if (num > SLAB_OBJ_MAX_NUM) {
            break;
        }
        if ((flags & CFLGS_OFF_SLAB) && !off_slab_pays(m, c, num)) {
            continue;
        }
        c->num = num;
        c->gfporder = order;
        left = rest;
        if ((flags & SLAB_RECLAIM_ACCOUNT) || order >= max_order ||
            (uint64_t)left * 8 <= (uint64_t)PAGE_SIZE << order) {
            break;
        }
    }
    return left;
}

/* The freelist's place: in a free object, if it fits into one and nobody minds; in a
 * kmalloc'ed object, unless there is room at the slab's end anyway; at the slab's end. */
static bool choose_place(const struct machine *m, struct kmem_cache *c, uint32_t size)
{
    uint32_t left = 0;
    if (!c->ctor && !(c->flags & SLAB_TYPESAFE_BY_RCU)) {
        left = choose_order(m, c, size, c->flags | CFLGS_OBJFREELIST_SLAB);
        if (c->num && c->num <= c->object_size) {
            c->flags |= CFLGS_OBJFREELIST_SLAB;
            c->colour = left / c->colour_off;
            return true;
        }
    }
    if (!(c->flags & SLAB_NOLEAKTRACE)) {
        left = choose_order(m, c, size, c->flags | CFLGS_OFF_SLAB);
        if (c->num && left < c->num) {
            c->flags |= CFLGS_OFF_SLAB;
            c->colour = left / c->colour_off;
            return true;
        }
    }
    left = choose_order(m, c, size, c->flags);
    c->colour = left / c->colour_off;
    return c->num > 0;
}

bool slab_calculate(const struct machine *m, struct kmem_cache *c)
{
    const uint32_t word = slab_word(&m->config);
    uint32_t size = align_up(c->object_size, word);
    if (m->config.slub) {
        return slub_calculate(m, c);
    }
    c->align = max_u32(word, c->align);
    c->colour_off = max_u32(slab_cache_line(&m->config), c->align);
    size = align_up(size, c->align);
    if (size < SLAB_OBJ_MIN_SIZE) {
        size = align_up(SLAB_OBJ_MIN_SIZE, c->align);
    }
    c->size = c->object_size; /* as asked for: what off_slab_pays() compares with */
    if (!choose_place(m, c, size)) {
        return false;
    }
    c->freelist_size = c->num;
    c->allocflags = (uint32_t)__GFP_COMP;
    c->allocflags |= c->flags & SLAB_CACHE_DMA ? (uint32_t)__GFP_DMA : 0;
    c->allocflags |= c->flags & SLAB_CACHE_DMA32 ? (uint32_t)__GFP_DMA32 : 0;
    c->allocflags |= c->flags & SLAB_RECLAIM_ACCOUNT ? (uint32_t)__GFP_RECLAIMABLE : 0;
    c->size = size;
    c->inverse = (((uint64_t)1 << 44) + size - 1) / size;
    return true;
}

void slab_tunables(const struct machine *m, struct kmem_cache *c)
{
    c->limit = c->size > 131072      ? 1
               : c->size > PAGE_SIZE ? 8
               : c->size > 1024      ? 24
               : c->size > 256       ? 54
                                     : 120;
    c->batchcount = (c->limit + 1) / 2;
    c->shared = c->size <= PAGE_SIZE && m->mm->nr_cpus > 1 ? 8 : 0;
}
