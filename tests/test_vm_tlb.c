/* What TLBs hold of the kernel's mappings: global entries that survive, flushes at their
 * time and no earlier, and what a forgotten one does.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware.h"
#include "inspect.h"
#include "inspect_hw.h"
#include "pgtable.h"
#include "prng.h"
#include "tap.h"

enum { HIGH = 0x6000, MOST = 48 };

static struct {
    struct machine *m;
    struct prng rng;
    uint32_t seen[NR_EVENTS];
    const char *wrong;
} w;

static void watch(struct probe *p, const struct event *ev)
{
    (void)p;
    w.seen[ev->kind]++;
}

static uint64_t on(uint32_t cpu, enum op_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    const struct op op = {.kind = (uint16_t)kind, .cpu = (uint8_t)cpu, .arg = {a, b, c}};
    return machine_do(w.m, &op);
}
static uint64_t load(uint32_t cpu, uint64_t va) { return on(cpu, OP_LOAD, va, 4, 0); }
static bool store(uint32_t cpu, uint64_t va, uint64_t v)
{
    return on(cpu, OP_STORE, va, 4, v);
}

static void boot(enum arch arch, uint32_t cpus, const char *forget)
{
    struct machine_config c;
    char err[300];
    memset(&w, 0, sizeof w);
    w.rng.state = 99;
    config_init(&c, arch);
    config_set(&c, "highmem", arch == ARCH_X86_64 ? "auto" : "80M", err, sizeof err);
    config_set(&c, "forget_flush", forget, err, sizeof err);
    c.cpus = cpus;
    w.m = machine_create(&c, NULL, err, sizeof err);
    if (!w.m) {
        bail_out("%s", err);
    }
    w.m->probe.slow = watch;
    w.m->probe.stop = 0;
}

static void end(const char *what)
{
    is_str(machine_check(w.m), NULL, "%s: invariants", what);
    machine_destroy(w.m);
}

static bool in_tlb(uint32_t cpu, uint64_t va)
{
    struct access_view v;
    return hw_peek(w.m, cpu, va, ACCESS_READ, false, &v) && v.tlb.hit;
}

/* ---- stories ---- */

static void test_global(enum arch arch, const char *name)
{
    boot(arch, 2, "none");
    const struct kspace *k = &w.m->vm->kspace;
    const uint64_t direct = k->page_offset + 0x2345678;
    const uint64_t area = on(0, OP_VMALLOC, 8192, 0, 0);
    ok(store(0, direct, 0xbeef) && load(0, direct) == 0xbeef, "%s: the direct map is RAM",
       name);
    load(0, area);
    uint64_t pkmap = 0;
    if (k->bits == 32) {
        pkmap = on(0, OP_KMAP, HIGH, 0, 0);
        load(0, pkmap);
    }
    hardware_flush_tlb_all(w.m, 1, false);
    ok(in_tlb(0, direct) && in_tlb(0, area) && (!pkmap || in_tlb(0, pkmap)),
       "%s: a CR3 load leaves the direct map, vmalloc and pkmap in the TLB", name);
    hardware_flush_tlb_all(w.m, 1, true);
    ok(!in_tlb(0, direct) && !in_tlb(0, area), "%s: CR4.PGE off and on does not", name);
    end(name);
}

static void test_frame_table(void)
{
    boot(ARCH_X86_64, 1, "none");
    const struct kspace *k = &w.m->vm->kspace;
    const uint64_t page = k->vmemmap_start + 0x1234 * 64;
    ok(store(0, page, 0x77), "x86-64: a struct page can be written through vmemmap");
    const uint64_t frame = pgtable_translate(w.m, page);
    is_u64(load(0, kspace_va(k, frame) + (page & 4095)), 0x77,
           "x86-64: and is found again through the direct map");
    ok(!store(0, k->kernel_start + (16 << 20), 1), "x86-64: kernel text is read-only");
    ok(on(0, OP_FETCH, k->kernel_start + (16 << 20), 0, 1), "x86-64: and is code");
    ok(!on(0, OP_FETCH, kspace_va(k, 0x1000), 0, 1),
       "x86-64: through the direct map it is not");
    end("frame table");
}

/* Fill the ring once, so that the next kmap gets the first slot again. */
static uint64_t round_trip(uint32_t cpu, uint64_t frame)
{
    const uint64_t first = on(cpu, OP_KMAP, frame, 0, 0);
    load(cpu, first);
    load(1, first);
    on(cpu, OP_KUNMAP, frame, 0, 0);
    for (uint32_t i = 1; i < w.m->vm->kspace.last_pkmap; i++) {
        on(cpu, OP_KMAP, frame + i, 0, 0);
        on(cpu, OP_KUNMAP, frame + i, 0, 0);
    }
    const uint64_t again = on(cpu, OP_KMAP, frame + 5000, 0, 0);
    if (again != first) {
        w.wrong = "the ring did not come round";
    }
    return again;
}

static void test_pkmap(const char *forget, bool stale)
{
    boot(ARCH_I386, 2, forget);
    hardware_write_phys(w.m, (uint64_t)HIGH << PAGE_SHIFT, "old.", 4);
    hardware_write_phys(w.m, (uint64_t)(HIGH + 5000) << PAGE_SHIFT, "new.", 4);
    const uint64_t va = round_trip(0, HIGH);
    const uint64_t old = 0x2e646c6f, new = 0x2e77656e;
    is_str(w.wrong, NULL, "forget %s: a ring", forget);
    is_hex(load(0, va), stale ? old : new, "forget %s: CPU 0 reads the %s page", forget,
           stale ? "old" : "new");
    is_hex(load(1, va), stale ? old : new, "forget %s: and so does CPU 1", forget);
    is_u64(w.seen[EV_TLB_FLUSH_RANGE], !stale, "forget %s: flushes of all CPUs", forget);
    is_u64(w.seen[EV_FLUSH_FORGOTTEN], stale, "forget %s: forgotten ones", forget);
    end(forget);
}

static void test_local(const char *forget, bool stale)
{
    boot(ARCH_I386, 2, forget);
    hardware_write_phys(w.m, (uint64_t)HIGH << PAGE_SHIFT, "old.", 4);
    hardware_write_phys(w.m, (uint64_t)(HIGH + 1) << PAGE_SHIFT, "new.", 4);
    const uint64_t direct = w.m->vm->kspace.page_offset + 0x2000000;
    load(1, direct);
    load(0, direct);
    uint64_t va = on(0, OP_KMAP_ATOMIC, HIGH, 0, 0);
    load(0, va);
    on(0, OP_KUNMAP_ATOMIC, va, 0, 0);
    is_u64(w.seen[EV_TLB_FLUSH_ONE], !stale, "forget %s: invlpg of one page", forget);
    is_u64(w.seen[EV_TLB_FLUSH_RANGE], 0, "forget %s: no other CPU is asked", forget);
    ok(in_tlb(0, direct) && in_tlb(1, direct), "forget %s: all else stays", forget);
    is_hex(on(0, OP_KMAP_ATOMIC, HIGH + 1, 0, 0), va, "forget %s: the same slot", forget);
    is_hex(load(0, va), stale ? 0x2e646c6f : 0x2e77656e, "forget %s: what is read there",
           forget);
    end(forget);
}

static void test_vmalloc(const char *forget, bool stale)
{
    boot(ARCH_X86_64, 2, forget);
    uint64_t va = on(0, OP_VMALLOC, PAGE_SIZE, 0, 0);
    const uint64_t first = pgtable_translate(w.m, va);
    store(0, va, 0x01d);
    on(0, OP_VFREE, va, 0, 0);
    ok(in_tlb(0, va), "forget %s: a vfree leaves the TLB alone", forget);
    is_u64(w.seen[EV_TLB_FLUSH_RANGE], 0, "forget %s: nothing is flushed", forget);
    uint64_t other = on(0, OP_VMALLOC, PAGE_SIZE, 0, 0);
    ok(other != va, "forget %s: the address is not used again", forget);
    on(0, OP_VFREE, other, 0, 0);
    on(0, OP_VM_UNMAP_ALIASES, 0, 0, 0);
    is_u64(w.seen[EV_TLB_FLUSH_RANGE], !stale, "forget %s: two areas, one flush", forget);
    /* the frame goes elsewhere, so that the area gets another one */
    const uint64_t page = on(0, OP_ALLOC_PAGES, GFP_KERNEL, 0, 0);
    is_hex(on(0, OP_VMALLOC, PAGE_SIZE, 0, 0), va, "forget %s: the address again",
           forget);
    const uint64_t now = pgtable_translate(w.m, va);
    hardware_write_phys(w.m, now << PAGE_SHIFT, "new.", 4);
    if (now != first) {
        is_hex(load(0, va), stale ? 0x01d : 0x2e77656e, "forget %s: what is read there",
               forget);
    }
    (void)page;
    end(forget);
}

/* ---- any sequence ---- */

struct mapped {
    uint64_t va;
    uint64_t nr; /* pages */
    enum op_kind undo;
    uint64_t argument;
    uint32_t cpu; /* kmap_atomic: whose; UINT32_MAX: everybody's */
};

static struct mapped list[MOST];
static uint32_t nr_mapped;

/* Each frame is stamped with its own number: whoever reads it sees where it got to. */
static void touch(uint32_t cpu, const struct mapped *x)
{
    const uint64_t va = x->va + (prng_below(&w.rng, x->nr) << PAGE_SHIFT);
    const uint64_t frame = pgtable_translate(w.m, va);
    if (frame == PFN_NONE) {
        w.wrong = "what is in use is not mapped";
        return;
    }
    store(cpu, va + 8, frame);
    if (load(cpu, va + 8) != frame) {
        w.wrong = "a load does not answer what was stored";
    }
    uint32_t there = 0;
    hardware_read_phys(w.m, (frame << PAGE_SHIFT) + 8, &there, 4);
    if (there != frame) {
        w.wrong = "a store went to another frame than the tables say";
    }
}

static void random_map(uint32_t cpu)
{
    const bool wide = w.m->vm->kspace.bits == 64;
    struct mapped x = {.nr = 1, .cpu = UINT32_MAX};
    const uint64_t page = HIGH + prng_below(&w.rng, 600);
    switch (prng_below(&w.rng, wide ? 2 : 4)) {
    case 0:
        x.nr = 1 + prng_below(&w.rng, 50);
        x.va = on(cpu, OP_VMALLOC, x.nr << PAGE_SHIFT, 0, 0);
        x.undo = OP_VFREE;
        x.argument = x.va;
        break;
    case 1:
        for (uint64_t i = 0; i < 3; i++) {
            on(cpu, OP_VMAP_PAGE, page + i, 0, 0);
        }
        x.nr = 3;
        x.va = on(cpu, OP_VMAP, 3, 0, 0);
        x.undo = OP_VUNMAP;
        x.argument = x.va;
        break;
    case 2:
        x.va = on(cpu, OP_KMAP, page, 0, 0);
        x.undo = OP_KUNMAP;
        x.argument = page;
        break;
    default:
        x.va = on(cpu, OP_KMAP_LOCAL_PAGE, page, 0, 0);
        x.undo = OP_KUNMAP_LOCAL;
        x.argument = x.va;
        x.cpu = cpu;
    }
    if (x.va) {
        list[nr_mapped++] = x;
    }
}

static void random_unmap(uint32_t cpu)
{
    uint32_t i = (uint32_t)prng_below(&w.rng, nr_mapped);
    struct mapped x = list[i];
    for (uint32_t later = i + 1; later < nr_mapped; later++) {
        if (x.undo == OP_KUNMAP_LOCAL && list[later].cpu == x.cpu) {
            return; /* not the last of its CPU */
        }
    }
    memmove(&list[i], &list[i + 1], (nr_mapped - i - 1) * sizeof list[0]);
    nr_mapped--;
    on(x.cpu == UINT32_MAX ? cpu : x.cpu, x.undo, x.argument, 0, 0);
}

static void test_random(enum arch arch, const char *name)
{
    boot(arch, 3, "none");
    const char *why = NULL;
    nr_mapped = 0;

    for (int i = 0; i < 4000 && !w.wrong && !why; i++) {
        const uint32_t cpu = (uint32_t)prng_below(&w.rng, 3);
        const uint64_t dice = prng_below(&w.rng, 100);
        if (dice < 20 && nr_mapped < MOST - 1) {
            random_map(cpu);
        } else if (dice < 40 && nr_mapped) {
            random_unmap(cpu);
        } else if (dice < 98 && nr_mapped) {
            const struct mapped *x = &list[prng_below(&w.rng, nr_mapped)];
            touch(x->cpu == UINT32_MAX ? cpu : x->cpu, x);
        } else if (dice == 98) {
            on(cpu, OP_VM_UNMAP_ALIASES, 0, 0, 0);
        } else {
            load(cpu, w.m->vm->kspace.page_offset + (prng_below(&w.rng, 20000) << 12));
        }
        if (i % 8 == 0) {
            why = machine_check(w.m);
        }
    }
    is_str(w.wrong, NULL, "%s: loads and stores go where the tables say", name);
    is_str(why, NULL, "%s: no TLB holds what should have been flushed", name);
    ok(w.seen[EV_TLB_FLUSH_RANGE] > 3, "%s: with %u flushes of all CPUs, %u of one page",
       name, w.seen[EV_TLB_FLUSH_RANGE], w.seen[EV_TLB_FLUSH_ONE]);
    end(name);
}

/* The check is not blind: a forgotten flush, hidden from it, is found. */
static void test_check_sees(void)
{
    boot(ARCH_I386, 2, "kmap_local");
    uint64_t va = on(0, OP_KMAP_LOCAL_PAGE, HIGH, 0, 0);
    load(0, va);
    on(0, OP_KUNMAP_LOCAL, va, 0, 0);
    is_str(machine_check(w.m), NULL, "broken on purpose: nothing is said");
    vm_w(w.m)->nr_forgotten = 0;
    ok(machine_check(w.m) != NULL, "but it is seen: %s", machine_check(w.m));
    machine_destroy(w.m);
}

int main(void)
{
    test_global(ARCH_I386, "i386");
    test_global(ARCH_I386_PAE, "i386 with PAE");
    test_global(ARCH_X86_64, "x86-64");
    test_frame_table();
    test_pkmap("none", false);
    test_pkmap("pkmap", true);
    test_local("none", false);
    test_local("kmap_local", true);
    test_vmalloc("none", false);
    test_vmalloc("vmalloc", true);
    test_random(ARCH_I386, "i386");
    test_random(ARCH_I386_PAE, "i386 with PAE");
    test_random(ARCH_X86_64, "x86-64");
    test_check_sees();
    return done_testing();
}
