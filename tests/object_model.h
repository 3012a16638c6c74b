/* Both allocators described a second time, from the kernel's source and not from the
 * engine: vectors that are searched, copied and moved as a whole. Of the machine it knows
 * nothing but the addresses of new slabs (hint). It can write its state as a record's
 * lines.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_OBJECT_MODEL_H
#define TESTS_OBJECT_MODEL_H

#include <string.h>

#include "slab.h"
#include "tap.h"
#include "write_record.h"

enum { CPUS = 8, SLABS = 4000, OBJECTS = 600, ENTRIES = 512, HELD = 6000 };

struct vector { /* of addresses; the head is at 0 */
    uint64_t at[OBJECTS];
    uint32_t nr;
};

struct part { /* a slab */
    uint64_t base, s_mem;
    uint32_t inuse, order, num;
    bool frozen;
    struct vector free; /* SLUB: its own freelist, the head first; SLAB: from active on */
    uint64_t freelist;  /* SLAB: where that is; 0: nowhere */
    uint32_t pages;     /* SLUB: slabs in the chain that it begins */
};

struct list { /* of slabs, by number */
    uint32_t at[SLABS];
    uint32_t nr;
};

static struct {
    bool slub, fragmented; /* the latter: there are no blocks but single pages */
    uint32_t cpus, word;
    uint64_t page_offset;
    /* geometry */
    uint32_t object_size, size, align, order, num, colour, colour_off, place;
    uint32_t offset, inuse, min_order, min_num, min_partial, cpu_partial, cpu_slabs;
    uint32_t limit, batch, shared_factor, flags;
    /* states */
    struct part slab[SLABS];
    uint32_t nr_slabs;
    struct list partial, full, empty;
    int32_t cpu_slab[CPUS]; /* -1: none */
    struct vector cpu_free[CPUS];
    struct list chain[CPUS];           /* SLUB: a CPU's partial slabs, the first first */
    uint64_t entry[CPUS + 1][ENTRIES]; /* SLAB: of CPUs, then the shared ones */
    uint32_t avail[CPUS + 1];
    bool touched[CPUS];
    uint32_t free_objects, free_limit, colour_next;
    uint64_t hint; /* the address that the machine answered */
} k;

/* ---- vectors ---- */

static void push_front(struct vector *v, uint64_t va)
{
    memmove(v->at + 1, v->at, v->nr++ * sizeof v->at[0]);
    v->at[0] = va;
}
static uint64_t pop_front(struct vector *v)
{
    const uint64_t va = v->at[0];
    memmove(v->at, v->at + 1, --v->nr * sizeof v->at[0]);
    return va;
}
static void list_insert(struct list *l, uint32_t slab, bool tail)
{
    if (tail) {
        l->at[l->nr++] = slab;
    } else {
        memmove(l->at + 1, l->at, l->nr++ * sizeof l->at[0]);
        l->at[0] = slab;
    }
}
static void list_remove(struct list *l, uint32_t slab)
{
    for (uint32_t i = 0; i < l->nr; i++) {
        if (l->at[i] == slab) {
            memmove(l->at + i, l->at + i + 1, (--l->nr - i) * sizeof l->at[0]);
            return;
        }
    }
}
static uint32_t slab_of(uint64_t va)
{
    uint32_t i = k.nr_slabs;
    while (i-- > 0 && va - k.slab[i].base >= (uint64_t)PAGE_SIZE << k.slab[i].order) {
    }
    return i;
}
static uint64_t frame_of(uint32_t slab)
{
    return (k.slab[slab].base - k.page_offset) >> PAGE_SHIFT;
}

/* A slab where the machine's is. What has been given back is out of the way. */
static uint32_t new_part(void)
{
    const bool few = k.slub && k.fragmented;
    const uint32_t order = few ? k.min_order : k.order;
    const uint64_t base = k.hint & ~(((uint64_t)PAGE_SIZE << order) - 1);
    const uint32_t i = k.nr_slabs++;
    if (i == SLABS) {
        bail_out("too many slabs");
    }
    memset(&k.slab[i], 0, sizeof k.slab[i]);
    k.slab[i].base = k.slab[i].s_mem = base;
    k.slab[i].order = order;
    k.slab[i].num = few ? k.min_num : k.num;
    return i;
}
static void give_pages(uint32_t slab) { k.slab[slab].base = 0; }

/* ---- SLUB ---- */

static uint32_t order_for(uint64_t bytes)
{
    uint32_t order = 0;
    for (; (uint64_t)PAGE_SIZE << order < bytes; order++) {
    }
    return order;
}

/* calculate_sizes and calculate_order with slub_max_order 3, kmem_cache_open */
static void slub_geometry(uint32_t object_size, uint32_t line)
{
    uint32_t log = 0, objects = 0;
    k.object_size = object_size;
    k.align = 8;
    while (line > 8 && object_size <= line / 2) {
        line /= 2;
    }
    k.align = line > k.align ? line : k.align;
    k.inuse = (object_size + k.word - 1) & ~(k.word - 1);
    k.offset = object_size / 2 & ~(k.word - 1);
    k.size = (k.inuse + k.align - 1) & ~(k.align - 1);
    for (uint32_t n = k.cpus; n; n >>= 1) {
        objects++; /* fls */
    }
    objects = 4 * (objects + 1);
    objects = objects < 32768 / k.size ? objects : 32768 / k.size;
    bool found = false;
    for (; objects > 1 && !found; objects--) {
        for (uint32_t fraction = 16; fraction >= 4 && !found; fraction /= 2) {
            for (k.order = order_for((uint64_t)objects * k.size); k.order <= 3;
                 k.order++) {
                if (((uint32_t)PAGE_SIZE << k.order) % k.size <=
                    ((uint32_t)PAGE_SIZE << k.order) / fraction) {
                    found = true;
                    break;
                }
            }
        }
    }
    k.order = found ? k.order : order_for(k.size);
    k.num = ((uint32_t)PAGE_SIZE << k.order) / k.size;
    k.min_order = order_for(k.size);
    k.min_num = ((uint32_t)PAGE_SIZE << k.min_order) / k.size;
    for (uint32_t n = k.size; n > 1; n >>= 1) {
        log++;
    }
    k.min_partial = log / 2 < 5 ? 5 : log / 2 > 10 ? 10 : log / 2;
    k.cpu_partial = k.size >= PAGE_SIZE ? 6
                    : k.size >= 1024    ? 24
                    : k.size >= 256     ? 52
                                        : 120;
    k.cpu_slabs = (2 * k.cpu_partial + k.num - 1) / k.num;
}

static void put_cpu_partial(uint32_t cpu, uint32_t slab, bool drain)
{
    struct list *chain = &k.chain[cpu];
    struct list old = {.nr = 0};
    if (chain->nr && drain && k.slab[chain->at[0]].pages >= k.cpu_slabs) {
        old = *chain;
        chain->nr = 0;
    }
    k.slab[slab].pages = (chain->nr ? k.slab[chain->at[0]].pages : 0) + 1;
    list_insert(chain, slab, false);
    for (uint32_t i = 0; i < old.nr; i++) { /* __unfreeze_partials */
        struct part *s = &k.slab[old.at[i]];
        s->frozen = false;
        if (!s->inuse && k.partial.nr >= k.min_partial) {
            give_pages(old.at[i]);
        } else {
            list_insert(&k.partial, old.at[i], true);
        }
    }
}

static void slub_flush(uint32_t cpu)
{
    if (k.cpu_slab[cpu] >= 0) { /* deactivate_slab */
        const uint32_t slab = (uint32_t)k.cpu_slab[cpu];
        struct part *s = &k.slab[slab];
        const bool tail = s->free.nr != 0;
        s->inuse -= k.cpu_free[cpu].nr;
        while (k.cpu_free[cpu].nr) {
            push_front(&s->free, k.cpu_free[cpu].at[--k.cpu_free[cpu].nr]);
        }
        s->frozen = false;
        k.cpu_slab[cpu] = -1;
        if (!s->inuse && k.partial.nr >= k.min_partial) {
            give_pages(slab);
        } else if (s->free.nr) {
            list_insert(&k.partial, slab, tail);
        }
    }
    const struct list chain = k.chain[cpu];
    k.chain[cpu].nr = 0;
    for (uint32_t i = 0; i < chain.nr; i++) {
        struct part *s = &k.slab[chain.at[i]];
        s->frozen = false;
        if (!s->inuse && k.partial.nr >= k.min_partial) {
            give_pages(chain.at[i]);
        } else {
            list_insert(&k.partial, chain.at[i], true);
        }
    }
}

/* get_partial_node: false: there is none. */
static bool slub_from_node(uint32_t cpu)
{
    uint32_t kept = 0;
    bool first = true;
    if (!k.partial.nr) {
        return false;
    }
    while (k.partial.nr) {
        const uint32_t slab = k.partial.at[0];
        list_remove(&k.partial, slab);
        k.slab[slab].frozen = true;
        if (first) {
            k.cpu_slab[cpu] = (int32_t)slab;
            k.cpu_free[cpu] = k.slab[slab].free;
            k.slab[slab].free.nr = 0;
            k.slab[slab].inuse = k.slab[slab].num;
            first = false;
        } else {
            put_cpu_partial(cpu, slab, false);
            kept++;
        }
        if (kept > k.cpu_slabs / 2) {
            break;
        }
    }
    return true;
}

static uint64_t slub_take(uint32_t cpu)
{
    while (!k.cpu_free[cpu].nr) {
        if (k.cpu_slab[cpu] >= 0) { /* get_freelist */
            struct part *s = &k.slab[k.cpu_slab[cpu]];
            k.cpu_free[cpu] = s->free;
            s->free.nr = 0;
            s->inuse = s->num;
            s->frozen = k.cpu_free[cpu].nr != 0;
            if (!s->frozen) {
                k.cpu_slab[cpu] = -1;
            }
        } else if (k.chain[cpu].nr) {
            k.cpu_slab[cpu] = (int32_t)k.chain[cpu].at[0];
            list_remove(&k.chain[cpu], k.chain[cpu].at[0]);
        } else if (!slub_from_node(cpu)) {
            const uint32_t slab = new_part();
            for (uint32_t i = 0; i < k.slab[slab].num; i++) {
                k.cpu_free[cpu].at[i] = k.slab[slab].base + (uint64_t)i * k.size;
            }
            k.cpu_free[cpu].nr = k.slab[slab].num;
            k.slab[slab].inuse = k.slab[slab].num;
            k.slab[slab].frozen = true;
            k.cpu_slab[cpu] = (int32_t)slab;
        }
    }
    return pop_front(&k.cpu_free[cpu]);
}

/* do_slab_free: objects of one slab, in the order in which they are put in front. */
static void slub_put(uint32_t cpu, const uint64_t *va, uint32_t nr)
{
    const uint32_t slab = slab_of(va[0]);
    struct part *s = &k.slab[slab];
    const bool own = k.cpu_slab[cpu] == (int32_t)slab, was_full = !s->free.nr;
    for (uint32_t i = 0; i < nr; i++) {
        push_front(own ? &k.cpu_free[cpu] : &s->free, va[i]);
    }
    s->inuse -= own ? 0 : nr;
    if (own || s->frozen) {
        return;
    }
    if (was_full) {
        s->frozen = true;
        put_cpu_partial(cpu, slab, true);
    } else if (!s->inuse && k.partial.nr >= k.min_partial) {
        list_remove(&k.partial, slab);
        give_pages(slab);
    }
}

/* kmem_cache_free_bulk: from the array's end on; the third object of another slab ends
 * the search for more of this one. */
static void slub_put_bulk(uint32_t cpu, uint64_t *va, uint32_t nr)
{
    while (nr) {
        uint64_t chain[ENTRIES];
        uint32_t in_chain = 0, others = 0, size = nr - 1, same = size;
        chain[in_chain++] = va[size];
        while (size && others < 3) {
            size--;
            if (slab_of(va[size]) != slab_of(chain[0])) {
                others++;
                continue;
            }
            chain[in_chain++] = va[size];
            same--;
            const uint64_t other = va[same];
            va[same] = va[size];
            va[size] = other;
        }
        nr = same;
        slub_put(cpu, chain, in_chain);
    }
}

/* flush_all and __kmem_cache_do_shrink */
static void slub_shrink_all(void)
{
    for (uint32_t cpu = 0; cpu < k.cpus; cpu++) {
        slub_flush(cpu);
    }
    static struct list keep, promoted;
    keep.nr = promoted.nr = 0;
    for (uint32_t i = 0; i < k.partial.nr; i++) {
        const uint32_t slab = k.partial.at[i];
        const uint32_t free = k.slab[slab].num - k.slab[slab].inuse;
        if (free == k.slab[slab].num) {
            give_pages(slab);
        } else if (free > 32) {
            list_insert(&keep, slab, true);
        }
    }
    for (uint32_t free = 1; free <= 32; free++) {
        for (uint32_t i = k.partial.nr; i-- > 0;) {
            const uint32_t slab = k.partial.at[i];
            const struct part *s = &k.slab[slab];
            if (s->inuse && s->num - s->inuse == free) {
                list_insert(&promoted, slab, true);
            }
        }
    }
    k.partial = promoted;
    for (uint32_t i = 0; i < keep.nr; i++) {
        list_insert(&k.partial, keep.at[i], true);
    }
}

/* ---- SLAB ---- */

/* enable_cpucache and setup_kmem_cache_node */
static void slab_tuning(void)
{
    k.limit = k.size > 131072      ? 1
              : k.size > PAGE_SIZE ? 8
              : k.size > 1024      ? 24
              : k.size > 256       ? 54
                                   : 120;
    k.batch = (k.limit + 1) / 2;
    k.shared_factor = k.size <= PAGE_SIZE && k.cpus > 1 ? 8 : 0;
    k.free_limit = (1 + k.cpus) * k.batch + k.num;
}

static void slab_fixup(uint32_t slab)
{
    struct part *s = &k.slab[slab];
    list_remove(&k.partial, slab);
    list_remove(&k.empty, slab);
    if (!s->free.nr) {
        list_insert(&k.full, slab, false);
        s->freelist = k.place == FREELIST_IN_OBJECT ? 0 : s->freelist;
    } else {
        list_insert(&k.partial, slab, false);
    }
}

static uint32_t slab_block_out(uint32_t cpu, uint32_t slab, uint32_t batch)
{
    while (k.slab[slab].free.nr && batch) {
        k.entry[cpu][k.avail[cpu]++] = pop_front(&k.slab[slab].free);
        batch--;
    }
    return batch;
}

static void slab_refill(uint32_t cpu)
{
    uint32_t batch = k.touched[cpu] || k.batch <= 16 ? k.batch : 16;
    if (k.shared_factor && k.avail[CPUS]) {
        const uint32_t nr = k.avail[CPUS] < batch ? k.avail[CPUS] : batch;
        k.avail[CPUS] -= nr;
        memcpy(k.entry[cpu], k.entry[CPUS] + k.avail[CPUS], nr * sizeof k.entry[0][0]);
        k.avail[cpu] = nr;
        return;
    }
    const uint32_t asked = batch;
    if (k.free_objects) {
        while (batch && (k.partial.nr || k.empty.nr)) {
            const uint32_t slab = k.partial.nr ? k.partial.at[0] : k.empty.at[0];
            batch = slab_block_out(cpu, slab, batch);
            slab_fixup(slab);
        }
        k.free_objects -= k.avail[cpu];
    }
    if (!k.avail[cpu]) {
        const uint32_t slab = new_part();
        struct part *s = &k.slab[slab];
        k.colour_next = k.colour_next + 1 < k.colour ? k.colour_next + 1 : 0;
        s->s_mem += (uint64_t)k.colour_next * k.colour_off;
        for (uint32_t i = 0; i < k.num; i++) {
            s->free.at[s->free.nr++] = s->s_mem + (uint64_t)i * k.size;
        }
        s->freelist = k.place == FREELIST_IN_OBJECT
                          ? s->free.at[k.num - 1]
                          : s->base + ((uint64_t)PAGE_SIZE << k.order) - k.num;
        slab_block_out(cpu, slab, asked);
        k.free_objects += s->free.nr;
        slab_fixup(slab);
    }
}

static uint64_t slab_take(uint32_t cpu)
{
    if (!k.avail[cpu]) {
        slab_refill(cpu);
    }
    k.touched[cpu] = true;
    return k.entry[cpu][--k.avail[cpu]];
}

static void slab_block_in(const uint64_t *va, uint32_t nr)
{
    k.free_objects += nr;
    for (uint32_t i = 0; i < nr; i++) {
        const uint32_t slab = slab_of(va[i]);
        struct part *s = &k.slab[slab];
        list_remove(&k.full, slab);
        list_remove(&k.partial, slab);
        push_front(&s->free, va[i]);
        s->freelist = s->freelist ? s->freelist : va[i];
        list_insert(s->free.nr == k.num ? &k.empty : &k.partial, slab,
                    s->free.nr != k.num);
    }
    while (k.free_objects > k.free_limit && k.empty.nr) {
        k.free_objects -= k.num;
        give_pages(k.empty.at[--k.empty.nr]);
    }
}

static void drop_first(uint32_t array, uint32_t nr)
{
    k.avail[array] -= nr;
    memmove(k.entry[array], k.entry[array] + nr, k.avail[array] * sizeof k.entry[0][0]);
}

static void slab_put(uint32_t cpu, uint64_t va)
{
    if (k.avail[cpu] == k.limit) { /* cache_flusharray */
        uint32_t nr = k.batch;
        const uint32_t room = k.shared_factor * k.batch - k.avail[CPUS];
        if (k.shared_factor && room) {
            nr = nr < room ? nr : room;
            memcpy(k.entry[CPUS] + k.avail[CPUS], k.entry[cpu],
                   nr * sizeof k.entry[0][0]);
            k.avail[CPUS] += nr;
        } else {
            slab_block_in(k.entry[cpu], nr);
        }
        drop_first(cpu, nr);
    }
    k.entry[cpu][k.avail[cpu]++] = va;
}

/* __kmem_cache_shrink */
static void slab_shrink_all(void)
{
    for (uint32_t i = 0; i <= CPUS; i++) {
        if (i < k.cpus || i == CPUS) {
            slab_block_in(k.entry[i], k.avail[i]);
            drop_first(i, k.avail[i]);
        }
    }
    while (k.empty.nr) {
        k.free_objects -= k.num;
        give_pages(k.empty.at[--k.empty.nr]);
    }
}

/* ---- the description's state as lines ---- */

static void put_words(const uint64_t *va, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        put(" %" PRIx64, va[i]);
    }
    put("\n");
}

static void lines_slub_slab(const char *list, uint32_t slab)
{
    const struct part *s = &k.slab[slab];
    put("slab cache-1 %s pfn=%" PRIx64 " inuse=%u objects=%u frozen=%d free:", list,
        frame_of(slab), s->inuse, s->num, s->frozen);
    put_words(s->free.at, s->free.nr);
}

/* chains_behind: the CPUs' partial slabs behind the lines of all CPUs. */
static void lines_slub(bool chains_behind)
{
    put("cache cache-1 object_size=%u size=%u align=%u offset=%u inuse=%u order=%u "
        "objects=%u min_order=%u min_objects=%u min_partial=%u cpu_partial=%u "
        "cpu_partial_slabs=%u flags=%x\n",
        k.object_size, k.size, k.align, k.offset, k.inuse, k.order, k.num, k.min_order,
        k.min_num, k.min_partial, k.cpu_partial, k.cpu_slabs, k.flags | 0x40000000);
    put("node cache-1 nr_partial=%u\n", k.partial.nr);
    for (uint32_t cpu = 0; cpu < k.cpus; cpu++) {
        put("cpu_slab cache-1 cpu=%u slab=%" PRIx64 " freelist:", cpu,
            k.cpu_slab[cpu] < 0 ? 0 : frame_of((uint32_t)k.cpu_slab[cpu]));
        put_words(k.cpu_free[cpu].at, k.cpu_free[cpu].nr);
        for (uint32_t i = 0; i < k.chain[cpu].nr && !chains_behind; i++) {
            lines_slub_slab("cpu_partial", k.chain[cpu].at[i]);
        }
    }
    for (uint32_t cpu = 0; cpu < k.cpus && chains_behind; cpu++) {
        for (uint32_t i = 0; i < k.chain[cpu].nr; i++) {
            lines_slub_slab("cpu_partial", k.chain[cpu].at[i]);
        }
    }
    for (uint32_t i = 0; i < k.partial.nr; i++) {
        lines_slub_slab("partial", k.partial.at[i]);
    }
}

static void lines_slab_list(const char *name, const struct list *list)
{
    for (uint32_t i = 0; i < list->nr; i++) {
        const struct part *s = &k.slab[list->at[i]];
        put("slab cache-1 %s pfn=%" PRIx64 " s_mem=%" PRIx64
            " active=%u freelist=%" PRIx64 " free:",
            name, frame_of(list->at[i]), s->s_mem, k.num - s->free.nr, s->freelist);
        for (uint32_t j = 0; j < s->free.nr; j++) {
            put(" %u", (uint32_t)((s->free.at[j] - s->s_mem) / k.size));
        }
        put("\n");
    }
}

static void lines_slab(void)
{
    put("cache cache-1 object_size=%u size=%u align=%u num=%u gfporder=%u colour=%u "
        "colour_off=%u freelist_size=%u limit=%u batchcount=%u shared=%u flags=%x\n",
        k.object_size, k.size, k.align, k.num, k.order, k.colour, k.colour_off, k.num,
        k.limit, k.batch, k.shared_factor, k.flags);
    put("node cache-1 total=%u free_slabs=%u free_objects=%u free_limit=%u "
        "colour_next=%u\n",
        k.partial.nr + k.full.nr + k.empty.nr, k.empty.nr, k.free_objects, k.free_limit,
        k.colour_next);
    for (uint32_t cpu = 0; cpu < k.cpus; cpu++) {
        put("array_cache cache-1 cpu=%u avail=%u limit=%u batchcount=%u:", cpu,
            k.avail[cpu], k.limit, k.batch);
        put_words(k.entry[cpu], k.avail[cpu]);
    }
    if (k.shared_factor) {
        put("shared cache-1 avail=%u limit=%u:", k.avail[CPUS],
            k.shared_factor * k.batch);
        put_words(k.entry[CPUS], k.avail[CPUS]);
    }
    lines_slab_list("partial", &k.partial);
    lines_slab_list("full", &k.full);
    lines_slab_list("free", &k.empty);
}

#endif
