/* SLAB: what each thing does, on machines where one can count along.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "bad_reasons.h"
#include "record.h"
#include "slab_ops.h"
#include "slab_view.h"

static struct event_log ev;

static uint64_t call(struct machine *m, uint32_t cpu, uint16_t kind, uint64_t a0,
                     uint64_t a1, uint64_t a2, uint64_t a3)
{
    const struct op op = {.kind = kind, .cpu = (uint8_t)cpu, .arg = {a0, a1, a2, a3}};
    const uint64_t result = machine_do(m, &op);
    const char *why = machine_check(m);
    if (why) {
        ok(false, "after %s: %s", op_info(kind)->name, why);
    }
    return result;
}

static struct machine_config config(enum arch arch, const char *ram, uint32_t cpus)
{
    struct machine_config c;
    char err[300];
    config_init(&c, arch);
    config_set(&c, "ram", ram, err, sizeof err);
    c.cpus = cpus;
    c.nr_cpus = cpus > c.nr_cpus ? cpus : c.nr_cpus;
    return c;
}

/* A machine with its object layer booted. */
static struct machine *machine(enum arch arch, uint32_t cpus)
{
    const struct machine_config c = config(arch, "64M", cpus);
    struct machine *m = boot(&c);
    call(m, 0, OP_KMEM_CACHE_INIT, 0, 0, 0, 0);
    return m;
}

static uint64_t create(struct machine *m, uint64_t size, uint64_t align, uint64_t flags)
{
    return call(m, 0, OP_KMEM_CACHE_CREATE, size, size, align, flags);
}
static uint64_t alloc(struct machine *m, uint32_t cpu, uint64_t cache)
{
    return call(m, cpu, OP_KMEM_CACHE_ALLOC, cache, GFP_KERNEL, 0, 0);
}
static void give_back(struct machine *m, uint32_t cpu, uint64_t cache, uint64_t va)
{
    call(m, cpu, OP_KMEM_CACHE_FREE, cache, va, 0, 0);
}
static uint32_t avail(struct machine *m, uint64_t cache, uint32_t cpu)
{
    struct array_view v;
    array_view(m, (uint32_t)cache, cpu, &v);
    return v.avail;
}
static struct cache_view view(struct machine *m, uint64_t cache)
{
    struct cache_view v;
    cache_view(m, (uint32_t)cache, &v);
    return v;
}

/* ---- the kernel's own table of caches ---- */

/* The columns of a line of /proc/slabinfo that do not depend on what was allocated. */
struct row {
    char name[40];
    unsigned size, per_slab, pages, limit, batchcount, shared;
};

static bool next_row(const char **at, struct row *row)
{
    for (const char *line = *at; line && *line; line = *at) {
        const char *newline = strchr(line, '\n');
        *at = newline ? newline + 1 : NULL;
        unsigned long active, all;
        if (sscanf(line, "%39s %lu %lu %u %u %u : tunables %u %u %u", row->name, &active,
                   &all, &row->size, &row->per_slab, &row->pages, &row->limit,
                   &row->batchcount, &row->shared) == 9 &&
            (strstr(row->name, "kmalloc-") || !strcmp(row->name, "kmem_cache"))) {
            return true;
        }
    }
    return false;
}

static void check_slabinfo(const char *file)
{
    static char ours[32768], theirs[32768];
    char path[1024], err[300], name[100];
    size_t size = 0;
    snprintf(name, sizeof name, "tests/golden/%s.txt.xz", file);
    struct record *r = record_open(source_path(path, sizeof path, name), err, sizeof err);
    const char *section = r ? record_section(r, "/proc/slabinfo", &size) : NULL;
    if (!section || size >= sizeof theirs) {
        bail_out("%s", r ? "no slabinfo" : err);
    }
    memcpy(theirs, section, size);
    theirs[size] = 0;
    struct machine_config c = config(strstr(file, "x86_64") ? ARCH_X86_64
                                     : strstr(file, "pae")  ? ARCH_I386_PAE
                                                            : ARCH_I386,
                                     "160M", r->cpus);
    struct machine *m = boot(&c);
    call(m, 0, OP_KMEM_CACHE_INIT, 0, 0, 0, 0);
    proc_slabinfo(ours, sizeof ours, m);
    const char *a = ours, *b = theirs;
    struct row mine, wanted;
    unsigned nr = 0, same = 0;
    while (next_row(&b, &wanted)) {
        const bool there = next_row(&a, &mine);
        nr++;
        same += there && !strcmp(mine.name, wanted.name) && mine.size == wanted.size &&
                mine.per_slab == wanted.per_slab && mine.pages == wanted.pages &&
                mine.limit == wanted.limit && mine.batchcount == wanted.batchcount &&
                mine.shared == wanted.shared;
    }
    ok(nr == 34 && same == nr && !next_row(&a, &mine),
       "%s: %u of %u rows of /proc/slabinfo, in their order", file, same, nr);
    ok(!strncmp(ours, theirs, (size_t)(strchr(strchr(ours, '\n') + 1, '\n') - ours)),
       "%s: its heading", file);
    machine_destroy(m);
    record_free(r);
}

/* ---- in and out ---- */

static void check_array(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint64_t c = create(m, 100, 0, 0); /* 104 bytes, 39 a slab */
    uint64_t va[40];
    watch(m, &ev);
    va[0] = alloc(m, 0, c);
    unwatch(m);
    is_u64(count_events(&ev, EV_SLAB_GROW), 1, "the first object: the cache grows");
    is_u64(count_events(&ev, EV_SLAB_OBJECT_OUT), 16,
           "an array that was not used gets 16 objects");
    is_u64(avail(m, c, 0), 15, "15 stay");
    is_hex(va[0],
           view(m, c).active_objs
               ? slab_view(m, slabs_first(m, (uint32_t)c, SLABS_PARTIAL)).s_mem + 15 * 104
               : 0,
           "the last one put in goes out first");
    watch(m, &ev);
    va[1] = alloc(m, 0, c);
    unwatch(m);
    ok(find_event(&ev, EV_SLAB_ARRAY_HIT) && !find_event(&ev, EV_SLAB_REFILL),
       "the next is a hit");
    for (int i = 2; i < 17; i++) {
        va[i] = alloc(m, 0, c);
    }
    is_u64(view(m, c).num_slabs, 1, "one slab of 39 objects");
    is_u64(view(m, c).active_objs, 39, "the second refill took the other 23");
    give_back(m, 0, c, va[3]);
    is_hex(alloc(m, 0, c), va[3], "what came back last goes out first");
    machine_destroy(m);
}

static void check_flush(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint64_t c = create(m, 2000, 0, 0); /* 2 a slab, arrays of 24 */
    uint64_t va[100];
    for (int i = 0; i < 100; i++) {
        va[i] = alloc(m, 0, c);
    }
    const uint32_t before = avail(m, c, 0);
    for (uint32_t i = 0; i < 24 - before; i++) {
        give_back(m, 0, c, va[i]);
    }
    is_u64(avail(m, c, 0), 24, "the array is full");
    const uint64_t slabs = view(m, c).num_slabs;
    watch(m, &ev);
    give_back(m, 0, c, va[24]);
    unwatch(m);
    ok(find_event(&ev, EV_SLAB_ARRAY_FULL) && find_event(&ev, EV_SLAB_FLUSH),
       "one more: a batch leaves it");
    is_u64(avail(m, c, 0), 13, "12 of 24 left, one came");
    for (int i = 25; i < 100; i++) {
        give_back(m, 0, c, va[i]);
    }
    ok(view(m, c).num_slabs < slabs && view(m, c).free_objects <= view(m, c).free_limit,
       "slabs above free_limit went back: %u of at most %u objects are free",
       (unsigned)view(m, c).free_objects, view(m, c).free_limit);
    machine_destroy(m);
}

static void check_shared(void)
{
    struct machine *m = machine(ARCH_I386, 2);
    const uint64_t c = create(m, 100, 0, 0);
    uint64_t va[300];
    struct array_view v;
    ok(array_view(m, (uint32_t)c, UINT32_MAX, &v) && v.limit == 8 * 60,
       "two CPUs: a shared array of 8 batches");
    for (int i = 0; i < 300; i++) {
        va[i] = alloc(m, 0, c);
    }
    for (int i = 0; i < 200; i++) { /* objects wander to CPU 1 */
        give_back(m, 1, c, va[i]);
    }
    is_u64(avail(m, c, UINT32_MAX), 120, "CPU 1 flushed two batches to it");
    is_u64(view(m, c).free_objects, 300 / 39 * 39 + 39 - 300 - avail(m, c, 0),
           "none went back to a slab");
    while (avail(m, c, 0)) {
        alloc(m, 0, c);
    }
    watch(m, &ev);
    alloc(m, 0, c);
    unwatch(m);
    ok(find_event(&ev, EV_SLAB_REFILL_SHARED) && !find_event(&ev, EV_SLAB_REFILL),
       "CPU 0 is refilled from it");
    machine_destroy(m);
}

static void check_colours(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint64_t c = create(m, 1300, 0, 0); /* 3 a slab, 4096 - 3912 bytes left over */
    const uint32_t colours = view(m, c).colour;
    bool right = colours > 2;
    for (uint32_t i = 0; i < 3 * colours; i++) {
        watch(m, &ev);
        alloc(m, 0, c);
        unwatch(m);
        for (uint32_t e = 0; e < ev.nr; e++) {
            static uint32_t next = 1;
            if (ev.event[e].kind == EV_SLAB_GROW) {
                right = right && ev.event[e].arg[3] == next % colours;
                next++;
            }
        }
    }
    ok(right, "each new slab has the next of %u colours", colours);
    machine_destroy(m);
}

/* ---- where freelists are ---- */

static void check_places(void)
{
    struct machine *m = machine(ARCH_X86_64, 1);
    const uint64_t ctor = (uint64_t)0x15a << 32;
    const uint64_t in_object = create(m, 512, 0, 0), on_slab = create(m, 32, 0, 0);
    const uint64_t off_slab = call(m, 0, OP_KMEM_CACHE_CREATE, 1, 2048, 0, ctor);
    is_u64(view(m, in_object).place, FREELIST_IN_OBJECT, "in a free object");
    is_u64(view(m, on_slab).place, FREELIST_ON_SLAB, "at the slab's end");
    is_u64(view(m, off_slab).place, FREELIST_OFF_SLAB, "kmalloc'ed, with a constructor");
    const uint64_t kmalloc_32 = cache_by_name(m, "kmalloc-32");
    const uint64_t used = view(m, kmalloc_32).in_use;
    const uint64_t va = alloc(m, 0, off_slab);
    is_u64(view(m, kmalloc_32).in_use, used + 1, "it costs an object of kmalloc-32");
    unsigned char bytes[2048], same = 1;
    slab_read(m, va, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        same = same && bytes[i] == 0x5a;
    }
    ok(same, "the constructor has filled the object");
    const uint32_t slab = virt_to_slab(m, alloc(m, 0, in_object));
    const struct slab_view s = slab_view(m, slab);
    slab_read(m, s.freelist, bytes, s.num);
    bool numbers = true;
    for (uint32_t i = 0; i < s.num; i++) {
        numbers = numbers && bytes[i] == i;
    }
    ok(s.freelist == 0 || numbers, "freelist bytes are in RAM");
    give_back(m, 0, off_slab, va);
    call(m, 0, OP_KMEM_CACHE_DESTROY, off_slab, 0, 0, 0);
    is_u64(view(m, kmalloc_32).in_use, used - 1, "and gives it back, with its name");
    machine_destroy(m);
}

/* ---- kmalloc ---- */

static void check_kmalloc(enum arch arch)
{
    static const struct {
        uint32_t size, has;
        const char *name;
    } rows[] = {{1, 32, "kmalloc-32"},     {33, 64, "kmalloc-64"},
                {65, 96, "kmalloc-96"},    {97, 128, "kmalloc-128"},
                {129, 192, "kmalloc-192"}, {193, 256, "kmalloc-256"},
                {4097, 8192, "kmalloc-8k"}};
    struct machine *m = machine(arch, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint64_t va = call(m, 0, OP_KMALLOC, rows[i].size, GFP_KERNEL, 0, 0);
        is_str(view(m, object_view(m, va).cache).name, rows[i].name, "kmalloc(%u)",
               rows[i].size);
        is_u64(call(m, 0, OP_KSIZE, va, 0, 0, 0), rows[i].has, "... its ksize");
        call(m, 0, OP_KFREE, va, 0, 0, 0);
        is_u64(object_view(m, va).state, OBJECT_IN_ARRAY, "... and back in the array");
    }
    uint64_t va = call(m, 0, OP_KMALLOC, 100, GFP_KERNEL | __GFP_RECLAIMABLE, 0, 0);
    is_str(view(m, object_view(m, va).cache).name, "kmalloc-rcl-128", "reclaimable");
    is_u64(page_view(m, pfn((va - m->vm->kspace.page_offset) >> PAGE_SHIFT)).type,
           MIGRATE_RECLAIMABLE, "... from a Reclaimable pageblock");
    va = call(m, 0, OP_KMALLOC, 100, GFP_KERNEL | __GFP_DMA, 0, 0);
    ok(va < m->vm->kspace.page_offset + (16 << 20), "GFP_DMA: below 16 MiB");
    is_u64(call(m, 0, OP_KMALLOC, 0, GFP_KERNEL, 0, 0), ZERO_SIZE_PTR, "kmalloc(0)");
    call(m, 0, OP_KFREE, ZERO_SIZE_PTR, 0, 0, 0);
    call(m, 0, OP_KFREE, 0, 0, 0, 0);
    va = call(m, 0, OP_KMALLOC, 100000, GFP_KERNEL, 0, 0);
    is_u64(call(m, 0, OP_KSIZE, va, 0, 0, 0), 131072, "a large one is 32 pages");
    call(m, 0, OP_KFREE, va, 0, 0, 0);
    is_u64(call(m, 0, OP_KMALLOC, 1 << 23, GFP_KERNEL | __GFP_NOWARN, 0, 0), 0,
           "more than the largest block");
    va = call(m, 0, OP_KMALLOC, 30, GFP_KERNEL, 0, 0);
    slab_write(m, va, "what was in it", 15);
    is_hex(call(m, 0, OP_KREALLOC, va, 32, GFP_KERNEL, 0), va, "krealloc: it fits");
    const uint64_t larger = call(m, 0, OP_KREALLOC, va, 20000, GFP_KERNEL, 0);
    char text[15];
    slab_read(m, larger, text, sizeof text);
    is_str(text, "what was in it", "krealloc: the bytes go along");
    is_u64(object_view(m, va).state, OBJECT_IN_ARRAY, "... and the old place is free");
    is_u64(call(m, 0, OP_KREALLOC, larger, 0, GFP_KERNEL, 0), ZERO_SIZE_PTR,
           "krealloc to 0 frees");
    slab_write(m, call(m, 0, OP_KMALLOC, 30, GFP_KERNEL, 0, 0), "old", 4);
    va = call(m, 0, OP_KMALLOC, 32, GFP_KERNEL, 0, 0);
    slab_write(m, va, "0123456789abcdefghijklmnopqrstu", 32);
    is_hex(call(m, 0, OP_KREALLOC, va, 10, GFP_KERNEL | __GFP_ZERO, 0), va,
           "krealloc with __GFP_ZERO: it fits");
    char all[32];
    bool zero = true;
    slab_read(m, va, all, sizeof all);
    for (size_t i = 10; i < sizeof all; i++) {
        zero = zero && !all[i];
    }
    ok(zero && !memcmp(all, "0123456789", 10), "... and what is behind it is cleared");
    machine_destroy(m);
}

/* Without init_on_alloc= a constructor keeps nobody from __GFP_ZERO. */
static void check_ctor_zero(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint64_t c = call(m, 0, OP_KMEM_CACHE_CREATE, 1, 40, 0, (uint64_t)0x15a << 32);
    const uint64_t first = alloc(m, 0, c); /* makes a slab */
    const uint64_t va = call(m, 0, OP_KMEM_CACHE_ALLOC, c, GFP_KERNEL | __GFP_ZERO, 0, 0);
    unsigned char bytes[40];
    bool zero = true, filled = true;
    slab_read(m, first, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        filled = filled && bytes[i] == 0x5a;
    }
    slab_read(m, va, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        zero = zero && !bytes[i];
    }
    ok(filled && zero, "an object of a constructor's is as it was made, or cleared");
    machine_destroy(m);
}

/* ---- taking back ---- */

static void check_reap(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint64_t c = create(m, 1000, 0, 0);
    uint64_t va[100];
    for (int i = 0; i < 100; i++) {
        va[i] = alloc(m, 0, c);
    }
    for (int i = 0; i < 100; i++) {
        give_back(m, 0, c, va[i]);
    }
    const uint32_t before = avail(m, c, 0);
    call(m, 0, OP_CACHE_REAP, 0, 0, 0, 0);
    is_u64(avail(m, c, 0), before, "an array that was used is spared once");
    call(m, 0, OP_CACHE_REAP, 0, 0, 0, 0);
    is_u64(avail(m, c, 0), before - (54 + 4) / 5, "then a fifth of its limit goes");
    for (int i = 0; i < 40; i++) {
        call(m, 0, OP_CACHE_REAP, 0, 0, 0, 0);
    }
    is_u64(avail(m, c, 0), 0, "at last it is empty");
    is_u64(view(m, c).num_slabs, 0, "and no slab is left");
    machine_destroy(m);

    struct machine_config cfg = config(ARCH_I386, "64M", 1);
    cfg.reap_ops = 10;
    m = boot(&cfg);
    uint32_t reaps = 0;
    for (int i = 0; i < 40; i++) {
        watch(m, &ev);
        call(m, 0, OP_KMALLOC, 100, GFP_KERNEL, 0, 0);
        unwatch(m);
        reaps += m->slab->since_reap == 0;
    }
    is_u64(reaps, 4, "cache_reap=10: every tenth operation");
    machine_destroy(m);
}

static void check_shrink_and_destroy(void)
{
    struct machine *m = machine(ARCH_I386, 2);
    const uint64_t kmem_cache = cache_by_name(m, "kmem_cache");
    const uint64_t caches = view(m, kmem_cache).in_use;
    const uint64_t c = create(m, 300, 0, 0);
    is_u64(view(m, kmem_cache).in_use, caches + 1, "a cache is an object itself");
    uint64_t one = alloc(m, 0, c), two = alloc(m, 1, c);
    give_back(m, 0, c, one);
    is_u64(call(m, 0, OP_KMEM_CACHE_SHRINK, c, 0, 0, 0), 1, "one object in use");
    is_u64(view(m, c).num_slabs, 1, "... keeps its slab");
    watch(m, &ev);
    call(m, 0, OP_KMEM_CACHE_DESTROY, c, 0, 0, 0);
    unwatch(m);
    const struct event *leak = find_event(&ev, EV_SLAB_LEAK);
    const struct event *left = find_event(&ev, EV_SLAB_LEFT);
    ok(leak && leak->arg[1] == 1, "destroy: one object is left");
    ok(left && left->arg[1] == two, "... and named");
    char text[4096], wanted[40];
    report_format(text, sizeof text, m, leak);
    snprintf(wanted, sizeof wanted, "Object %" PRIx64, two);
    ok(strstr(text, wanted) && strstr(text, "Slab cache still has objects"),
       "... in the report");
    call(m, 0, OP_KMEM_CACHE_DESTROY, c, 0, 0, 0);
    ok(cache_view(m, (uint32_t)c, &(struct cache_view){0}), "it stays");
    machine_destroy(m);

    m = machine(ARCH_I386, 2);
    const uint64_t pages = m->slab->nr_unreclaimable;
    for (uint32_t i = 0; i < 60; i++) {
        const uint64_t x = create(m, 100 + i * 30, 0, i % 2 ? SLAB_HWCACHE_ALIGN : 0);
        give_back(m, 1, x, alloc(m, 0, x));
        call(m, 0, OP_KMEM_CACHE_DESTROY, x, 0, 0, 0);
        if (cache_r(m, x)) {
            ok(false, "cache %u is gone", i);
        }
    }
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        call(m, 0, OP_KMEM_CACHE_SHRINK, id, 0, 0, 0);
    }
    ok(m->slab->nr_unreclaimable <= pages, "60 caches later no page is lost: %u, %u",
       (unsigned)m->slab->nr_unreclaimable, (unsigned)pages);
    machine_destroy(m);
}

/* ---- misuse ---- */

/* A wrong call is reported with this reason, and nothing changes. */
static void expect_bad(struct machine *m, uint16_t kind, uint64_t a0, uint64_t a1,
                       uint32_t reason, const char *what)
{
    const uint64_t in_use = view(m, cache_by_name(m, "kmalloc-128")).in_use;
    watch(m, &ev);
    call(m, 0, kind, a0, a1, 0, 0);
    unwatch(m);
    bool told = false;
    for (uint32_t i = 0; i < ev.nr; i++) {
        const uint16_t k = ev.event[i].kind;
        told = told ||
               ((k == EV_SLAB_BUG || k == EV_SLAB_WARN) && ev.event[i].arg[0] == reason);
        char text[4096];
        if (k == EV_SLAB_BUG || k == EV_SLAB_WARN) {
            report_format(text, sizeof text, m, &ev.event[i]);
        }
    }
    ok(told, "%s: told", what);
    is_u64(view(m, cache_by_name(m, "kmalloc-128")).in_use, in_use, "%s: nothing happens",
           what);
}

static void check_misuse(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint64_t c = create(m, 200, 0, SLAB_HWCACHE_ALIGN), d = create(m, 96, 0, 0);
    const uint64_t va = alloc(m, 0, c), other = alloc(m, 0, d);
    expect_bad(m, OP_KMEM_CACHE_FREE, c, va + 8, BAD_OBJECT_INSIDE, "inside an object");
    expect_bad(m, OP_KMEM_CACHE_FREE, c, 0x1000, BAD_OBJECT_WILD, "user space");
    expect_bad(m, OP_KMEM_CACHE_FREE, c, 0, BAD_OBJECT_WILD, "NULL");
    const uint64_t page = call(m, 0, OP_ALLOC_PAGES, GFP_KERNEL, 0, 0, 0);
    const uint64_t page_va = kspace_va(&m->vm->kspace, page);
    expect_bad(m, OP_KMEM_CACHE_FREE, c, page_va, BAD_OBJECT_NO_SLAB, "a page");
    const uint64_t slab_end = (va & ~(uint64_t)(PAGE_SIZE - 1)) + PAGE_SIZE - 8;
    expect_bad(m, OP_KMEM_CACHE_FREE, c, slab_end, BAD_OBJECT_OUTSIDE, "behind the last");
    give_back(m, 0, c, va);
    expect_bad(m, OP_KMEM_CACHE_FREE, c, va, BAD_OBJECT_DOUBLE, "a double free");
    expect_bad(m, OP_KFREE, va, 0, BAD_OBJECT_DOUBLE, "kfree of what is free");
    expect_bad(m, OP_KMEM_CACHE_FREE, c, other, BAD_OBJECT_CACHE, "the wrong cache");
    is_u64(object_view(m, other).state, OBJECT_IN_ARRAY, "... it goes where it belongs");
    expect_bad(m, OP_KFREE, page_va, 0, BAD_LARGE_ORDER_0, "kfree of a single page");
    is_u64(page_view(m, pfn(page)).state, PAGE_PCP, "... frees it");
    expect_bad(m, OP_KFREE, page_va, 0, BAD_OBJECT_NO_SLAB, "... twice");
    const uint64_t slab_page = slab_view(m, virt_to_slab(m, va)).pfn;
    watch(m, &ev);
    call(m, 0, OP_FREE_PAGES, slab_page, 0, 0, 0);
    unwatch(m);
    ok(find_event(&ev, EV_BAD_PAGE), "__free_pages of a slab: a bad page");
    is_u64(page_view(m, pfn(slab_page)).state, PAGE_ALLOCATED, "... that stays");
    expect_bad(m, OP_KMEM_CACHE_DESTROY, cache_by_name(m, "kmalloc-64"), 0,
               BAD_BOOT_CACHE, "destroying kmalloc-64");
    expect_bad(m, OP_KMEM_CACHE_CREATE, 7, 0, BAD_CACHE_SIZE, "objects of no bytes");
    expect_bad(m, OP_KMEM_CACHE_CREATE, 7, (1 << 22) + 1, BAD_CACHE_SIZE, "too large");
    watch(m, &ev);
    call(m, 0, OP_KMEM_CACHE_ALLOC, 999, 0, 0, 0);
    unwatch(m);
    ok(find_event(&ev, EV_BAD_CALL), "no such cache");
    call(m, 0, OP_KMEM_CACHE_DESTROY, d, 0, 0, 0);
    const uint64_t again = create(m, 96, 0, 0);
    ok(again != d && !cache_r(m, d), "an id is not used again at once");
    watch(m, &ev);
    alloc(m, 0, d);
    unwatch(m);
    ok(find_event(&ev, EV_BAD_CALL), "a destroyed cache");
    machine_destroy(m);
}

/* ---- contexts ---- */

static uint64_t nested_cache;
static int nested_done;
static uint64_t nested_va;

/* In the middle of a growth with interrupts on, an interrupt allocates from the same
 * cache. */
static void interrupt_in_grow(struct machine *m, const struct event *e)
{
    if (e->kind == EV_SLAB_GROW && !nested_done && machine_irq_deliverable(m, 0)) {
        const struct op enter = {.kind = OP_IRQ_ENTER};
        const struct op take_one = {.kind = OP_KMEM_CACHE_ALLOC,
                                    .arg = {nested_cache, GFP_ATOMIC}};
        const struct op leave = {.kind = OP_IRQ_LEAVE};
        nested_done = 1;
        machine_do_nested(m, &enter);
        nested_va = machine_do_nested(m, &take_one);
        machine_do_nested(m, &leave);
    }
}

static void check_contexts(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    nested_cache = create(m, 100, 0, 0);
    ev.at = interrupt_in_grow;
    watch(m, &ev);
    const uint64_t va = alloc(m, 0, nested_cache);
    unwatch(m);
    ev.at = NULL;
    ok(nested_done && nested_va && nested_va != va,
       "an interrupt in the middle of growing has its own object");
    is_u64(view(m, nested_cache).num_slabs, 2, "and its own slab");
    is_u64(view(m, nested_cache).in_use, 2, "two objects are out");
    call(m, 0, OP_LOCAL_IRQ_DISABLE, 0, 0, 0, 0);
    watch(m, &ev);
    alloc(m, 0, nested_cache);
    unwatch(m);
    ok(find_event(&ev, EV_SLEEP_IN_ATOMIC), "GFP_KERNEL with interrupts off is told");
    call(m, 0, OP_LOCAL_IRQ_ENABLE, 0, 0, 0, 0);
    call(m, 0, OP_IRQ_ENTER, 0, 0, 0, 0);
    watch(m, &ev);
    create(m, 100, 0, 0);
    unwatch(m);
    ok(find_event(&ev, EV_SLEEP_IN_ATOMIC), "kmem_cache_create in an interrupt too");
    call(m, 0, OP_IRQ_LEAVE, 0, 0, 0, 0);
    machine_destroy(m);
}

/* ---- never used ---- */

static void check_unused(void)
{
    const struct machine_config c = config(ARCH_I386, "64M", 1);
    struct machine *m = boot(&c);
    run_op(m, OP_ALLOC_PAGES, GFP_KERNEL, 3);
    bool zeros = true;
    const unsigned char *bytes = (const unsigned char *)m->slab;
    for (size_t i = 0; i < sizeof *m->slab; i++) {
        zeros = zeros && !bytes[i];
    }
    ok(zeros, "a machine that uses no object has an empty root");
    ok(call(m, 0, OP_KMALLOC, 10, GFP_KERNEL, 0, 0) != 0 && m->slab->state == SLAB_FULL,
       "the first kmalloc boots the layer");
    machine_destroy(m);
}

int main(void)
{
    static const char *const records[] = {"i386-slab-160M-high80M", "i386-slab-160M-smp2",
                                          "i386-slab-1G", "i386pae-slab-160M-high80M",
                                          "x86_64-slab-256M"};
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        check_slabinfo(records[i]);
    }
    check_array();
    check_flush();
    check_shared();
    check_colours();
    check_places();
    check_kmalloc(ARCH_I386);
    check_kmalloc(ARCH_X86_64);
    check_ctor_zero();
    check_reap();
    check_shrink_and_destroy();
    check_misuse();
    check_contexts();
    check_unused();
    return done_testing();
}
