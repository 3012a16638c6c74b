/* SLUB: what each thing does, on machines where one can count along.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include <string.h>

#include "bad_reasons.h"
#include "hardware.h"
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

static struct machine *machine(enum arch arch, uint32_t cpus)
{
    struct machine_config c;
    char err[300];
    config_init(&c, arch);
    config_set(&c, "ram", "64M", err, sizeof err);
    config_set(&c, "slab", "slub", err, sizeof err);
    c.cpus = cpus;
    c.nr_cpus = cpus > c.nr_cpus ? cpus : c.nr_cpus;
    struct machine *m = boot(&c);
    call(m, 0, OP_KMEM_CACHE_INIT, 0, 0, 0, 0);
    return m;
}

static uint32_t create(struct machine *m, uint64_t size, uint64_t flags)
{
    return (uint32_t)call(m, 0, OP_KMEM_CACHE_CREATE, size, size, 0, flags);
}
static uint64_t alloc(struct machine *m, uint32_t cpu, uint64_t cache)
{
    return call(m, cpu, OP_KMEM_CACHE_ALLOC, cache, GFP_KERNEL, 0, 0);
}
static void give_back(struct machine *m, uint32_t cpu, uint64_t cache, uint64_t va)
{
    call(m, cpu, OP_KMEM_CACHE_FREE, cache, va, 0, 0);
}
static struct cache_view view(struct machine *m, uint32_t cache)
{
    struct cache_view v;
    cache_view(m, cache, &v);
    return v;
}
static struct slub_cpu_view percpu(struct machine *m, uint32_t cache, uint32_t cpu)
{
    struct slub_cpu_view v;
    slub_cpu_view(m, cache, cpu, &v);
    return v;
}
static uint64_t word_at(struct machine *m, uint64_t va)
{
    uint64_t v = 0;
    slab_read(m, va, &v, slab_word(&m->config)); /* a little-endian host, in this test */
    return v;
}

/* The bytes of free objects are the chain. */
static void test_chain(enum arch arch)
{
    struct machine *m = machine(arch, 1);
    const uint32_t c = create(m, 200, 0);
    const struct cache_view v = view(m, c);
    is_u64(v.offset, arch == ARCH_X86_64 ? 96 : 100, "the pointer is in the middle");
    const uint64_t first = alloc(m, 0, c);
    struct slub_cpu_view cpu = percpu(m, c, 0);
    is_hex(cpu.freelist, first + 200, "the objects of a new slab go out in their order");
    uint64_t at = cpu.freelist;
    uint32_t nr = 1;
    for (; at && nr < 100; nr++) {
        const uint64_t next = word_at(m, at + v.offset);
        ok(next == at + 200 || !next, "object %u leads to the next one", nr);
        at = next;
    }
    is_u64(nr, v.num, "and there are as many as the geometry says");
    const uint64_t second = alloc(m, 0, c);
    give_back(m, 0, c, first);
    is_hex(word_at(m, first + v.offset), second + 200,
           "a freed one leads to what was first");
    is_hex(percpu(m, c, 0).freelist, first, "and is first itself");
    is_hex(alloc(m, 0, c), first, "so it goes out next");
    machine_destroy(m);
}

/* A slab that was full comes to the CPU that frees of it. */
static void test_partial(void)
{
    struct machine *m = machine(ARCH_I386, 2);
    const uint32_t c = create(m, 1024, 0);
    const uint32_t num = view(m, c).num;
    uint64_t va[64];
    for (uint32_t i = 0; i < 2 * num; i++) {
        va[i] = alloc(m, 0, c);
    }
    is_u64(view(m, c).num_slabs, 2, "two slabs");
    is_u64(slab_view(m, virt_to_slab(m, va[0])).list, SLABS_FULL, "the first is full");
    give_back(m, 1, c, va[0]);
    const uint32_t slab = virt_to_slab(m, va[0]);
    ok(slab_view(m, slab).frozen, "an object comes back: its slab is frozen");
    is_u64(percpu(m, c, 1).partial, slab, "and kept for the CPU that freed it");
    is_u64(percpu(m, c, 0).partial, 0, "not for the one that had allocated it");
    is_hex(alloc(m, 1, c), va[0], "which gets it from there");
    is_u64(percpu(m, c, 1).slab, slab, "its slab now");
    for (uint32_t i = 0; i < 2 * num; i++) {
        give_back(m, 0, c, va[i]);
    }
    is_u64(view(m, c).in_use, 0, "all are back");
    is_u64(view(m, c).num_slabs, 2, "frozen slabs stay though they are empty");
    is_u64(call(m, 0, OP_KMEM_CACHE_SHRINK, c, 0, 0, 0), 0, "shrinking takes all");
    is_u64(view(m, c).num_slabs, 0, "none is left");
    machine_destroy(m);
}

/* Shrinking puts the fullest slabs first. */
static void test_shrink(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint32_t c = create(m, 1024, 0);
    const uint32_t num = view(m, c).num;
    uint64_t va[5][64];
    for (uint32_t s = 0; s < 5; s++) {
        for (uint32_t i = 0; i < num; i++) {
            va[s][i] = alloc(m, 0, c);
        }
    }
    static const uint32_t freed[5] = {2, 1, 4, 3, 1};
    for (uint32_t s = 0; s < 5; s++) {
        for (uint32_t i = 0; i < freed[s]; i++) {
            give_back(m, 0, c, va[s][i]);
        }
    }
    is_u64(call(m, 0, OP_KMEM_CACHE_SHRINK, c, 0, 0, 0), 1, "slabs with objects stay");
    uint32_t slab = slabs_first(m, c, SLABS_PARTIAL), last = 0, nr = 0;
    for (; slab; slab = slabs_next(m, slab), nr++) {
        const struct slab_view v = slab_view(m, slab);
        ok(v.num - v.active >= last, "%u free, after %u", v.num - v.active, last);
        last = v.num - v.active;
    }
    is_u64(nr, 5, "all five are on the list");
    machine_destroy(m);
}

/* Objects of one slab go back together, in one chain. */
static void test_bulk(void)
{
    struct machine *m = machine(ARCH_X86_64, 1);
    const uint32_t c = create(m, 64, 0);
    const uint32_t num = view(m, c).num;
    uint64_t va[200];
    for (uint32_t i = 0; i < 2 * num; i++) {
        va[i] = alloc(m, 0, c);
    }
    for (uint32_t i = 0; i < 6; i++) { /* of two slabs in turn; it looks past three */
        call(m, 0, OP_STAGE_OBJECT, va[i % 2 ? num + i : i], 0, 0, 0);
    }
    watch(m, &ev);
    call(m, 0, OP_KMEM_CACHE_FREE_BULK, c, 0, 0, 0);
    is_u64(count_events(&ev, EV_SLUB_PUT) + count_events(&ev, EV_SLUB_PUT_SLOW), 2,
           "six objects of two slabs: two chains");
    is_u64(view(m, c).in_use, 2 * num - 6, "all six are back");
    machine_destroy(m);
}

/* A write into a free object breaks the chain: told, and the machine stays whole. The
 * CPU's store stays in its caches for now: the allocator sees it all the same. */
static void test_broken(bool by_store)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint32_t c = create(m, 64, 0);
    const uint64_t va = alloc(m, 0, c), other = alloc(m, 0, c);
    const uint32_t bad = 0x12345678;
    give_back(m, 0, c, va);
    if (by_store) {
        const struct op store = {.kind = OP_STORE,
                                 .arg = {va + 32, sizeof bad, bad, MODE_KERNEL}};
        machine_do(m, &store);
        uint32_t in_ram;
        ram_read(&m->ram, paddr(va + 32 - m->vm->kspace.page_offset), &in_ram, 4);
        ok(in_ram != bad, "RAM has the old pointer");
    } else {
        slab_write(m, va + 32, &bad, sizeof bad);
    }
    /* machine_check() tells of it until the allocator has found out */
    const struct op op = {.kind = OP_KMEM_CACHE_ALLOC, .arg = {c, GFP_KERNEL}};
    is_str(machine_check(m), "slub: a freelist leads out of its slab (U1)", "found");
    is_hex(machine_do(m, &op), va, "the object itself goes out");
    watch(m, &ev);
    const uint64_t next = call(m, 0, OP_KMEM_CACHE_ALLOC, c, GFP_KERNEL, 0, 0);
    is_u64(count_events(&ev, EV_SLAB_BUG), 1, "its pointer is no object: reported");
    ok(next && virt_to_slab(m, next) != virt_to_slab(m, va), "another slab is used");
    give_back(m, 0, c, other);
    give_back(m, 0, c, va);
    watch(m, &ev);
    give_back(m, 0, c, va);
    is_u64(count_events(&ev, EV_SLAB_BUG), 1, "a double free is told");
    machine_destroy(m);
}

/* slab_ksize: the whole slot, unless something lies behind the object. */
static void test_ksize(void)
{
    static const struct {
        enum arch arch;
        uint32_t size, flags, has;
    } rows[] = {
        {ARCH_I386, 200, SLAB_HWCACHE_ALIGN, 224}, /* lines of 32 bytes */
        {ARCH_I386, 20, 0, 24},
        {ARCH_I386, 202, SLAB_TYPESAFE_BY_RCU, 204}, /* up to the pointer */
        {ARCH_I386, 202, SLAB_STORE_USER, 204},
        {ARCH_I386, 202, SLAB_POISON, 202},
        {ARCH_X86_64, 200, SLAB_HWCACHE_ALIGN, 256},
        {ARCH_X86_64, 202, SLAB_TYPESAFE_BY_RCU, 208},
        {ARCH_X86_64, 202, SLAB_STORE_USER, 208},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct machine *m = machine(rows[i].arch, 1);
        const uint64_t va = alloc(m, 0, create(m, rows[i].size, rows[i].flags));
        is_u64(call(m, 0, OP_KSIZE, va, 0, 0, 0), rows[i].has, "ksize of %u bytes, %#x",
               rows[i].size, rows[i].flags);
        machine_destroy(m);
    }
}

static void test_refused(void)
{
    struct machine *m = machine(ARCH_I386, 1);
    const uint32_t c = create(m, 64, 0);
    watch(m, &ev);
    is_u64(call(m, 0, OP_TUNE_CPUCACHE, c, 10, 5, 0), (uint64_t)-5, "nothing to tune");
    call(m, 0, OP_CACHE_REAP, 0, 0, 0, 0);
    is_u64(count_events(&ev, EV_BAD_CALL), 2, "SLAB has this, SLUB has not: told");
    const uint64_t va = alloc(m, 0, c);
    call(m, 0, OP_KMEM_CACHE_DESTROY, c, 0, 0, 0);
    ok(cache_r(m, c) != NULL, "a cache with an object stays");
    give_back(m, 0, c, va);
    machine_destroy(m);
}

int main(void)
{
    test_chain(ARCH_I386);
    test_chain(ARCH_X86_64);
    test_partial();
    test_shrink();
    test_bulk();
    test_broken(false);
    test_broken(true);
    test_ksize();
    test_refused();
    return done_testing();
}
