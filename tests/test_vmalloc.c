/* The address space against a naive model: random vmalloc, vmap, vm_map_ram, ioremap and
 * their ends, with every invariant checked, every mapping walked by the MMU, and every
 * page given back in the end.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "inspect.h"
#include "pgtable.h"
#include "prng.h"
#include "tap.h"

enum { MOST = 200 };

struct known {         /* what the model knows of an area */
    uint64_t va, size; /* with its guard page, if it has one */
    uint64_t nr;       /* pages */
    enum op_kind kind;
    uint64_t frame; /* of the first page; IOREMAP, VMAP */
};

struct world {
    struct machine *m;
    struct known area[MOST], lazy[4096];
    uint32_t nr, nr_lazy;
    struct prng rng;
    uint32_t reports, last_reason;
    uint64_t purges, seen_purges;
    const char *wrong;
};

static void watch(struct probe *p, const struct event *ev)
{
    struct world *w = p->slow_ctx;
    if (ev->kind == EV_VM_WARN || ev->kind == EV_VM_BUG ||
        ev->kind == EV_SLEEP_IN_ATOMIC) {
        w->reports++;
        w->last_reason = ev->kind == EV_SLEEP_IN_ATOMIC ? 0 : (uint32_t)ev->arg[1];
    }
    w->purges += ev->kind == EV_PURGE_VMAP_AREA_LAZY;
}

static uint64_t call(struct world *w, enum op_kind kind, uint64_t a, uint64_t b)
{
    const struct op op = {.kind = (uint16_t)kind, .arg = {a, b}};
    return machine_do(w->m, &op);
}

static bool boot(struct world *w, enum arch arch, const char *ram, const char *highmem)
{
    struct machine_config c;
    char err[300];
    memset(w, 0, sizeof *w);
    config_init(&c, arch);
    config_set(&c, "ram", ram, err, sizeof err);
    if (highmem) {
        config_set(&c, "highmem", highmem, err, sizeof err);
    }
    w->m = machine_create(&c, NULL, err, sizeof err);
    if (!w->m) {
        diag("%s", err);
        return false;
    }
    w->rng.state = 88172645463325252u;
    w->m->probe.slow = watch;
    w->m->probe.slow_ctx = w;
    w->m->probe.stop = 0;
    return true;
}

/* ---- the model ---- */

static bool overlaps(const struct known *k, uint32_t nr, uint64_t from, uint64_t to,
                     uint64_t *behind)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (k[i].va < to && from < k[i].va + k[i].size) {
            *behind = k[i].va + k[i].size;
            return true;
        }
    }
    return false;
}

/* The lowest aligned place, slowly. */
static uint64_t lowest(const struct world *w, uint64_t size, uint64_t align)
{
    uint64_t at = w->m->vm->kspace.vmalloc_start, behind;
    for (;;) {
        at = (at + align - 1) & ~(align - 1);
        if (overlaps(w->area, w->nr, at, at + size, &behind) ||
            overlaps(w->lazy, w->nr_lazy, at, at + size, &behind)) {
            at = behind;
        } else {
            return at;
        }
    }
}

static void wrong(struct world *w, const char *what)
{
    if (!w->wrong) {
        w->wrong = what;
    }
}

/* The frame that the MMU finds, PFN_NONE: a page fault. */
static uint64_t walk(const struct machine *m, uint64_t va)
{
    struct mmu mmu;
    struct walk found;
    const struct mmu_bus bus = pgtable_bus(m);
    pgtable_mmu(m, &mmu);
    mmu_peek(&mmu, va, ACCESS_WRITE, &bus, &found);
    return found.fault.kind == FAULT_NONE
               ? tlb_entry_translate(found.entry, va).v >> PAGE_SHIFT
               : PFN_NONE;
}

static void check_area(struct world *w, const struct known *k)
{
    for (uint64_t i = 0; i < k->nr; i++) {
        uint64_t frame = walk(w->m, k->va + (i << PAGE_SHIFT));
        if (frame == PFN_NONE) {
            wrong(w, "a page of an area is not mapped");
        } else if (k->kind != OP_VMALLOC && frame != k->frame + i) {
            wrong(w, "a page of an area is mapped to another frame");
        } else if (k->kind == OP_VMALLOC &&
                   page_view(w->m, pfn(frame)).state != PAGE_ALLOCATED) {
            wrong(w, "a page of vmalloc is not allocated");
        }
    }
    if (k->kind != OP_VM_MAP_RAM &&
        walk(w->m, k->va + (k->nr << PAGE_SHIFT)) != PFN_NONE) {
        wrong(w, "a guard page is mapped");
    }
}

/* The purge that the kernel does when too much waits, or when it is asked. */
static void purged_now(struct world *w)
{
    if (w->purges != w->seen_purges) {
        w->seen_purges = w->purges;
        w->nr_lazy = 0;
        if (w->m->vm->lazy.nr) {
            wrong(w, "something waits still after a purge");
        }
    }
}

/* ---- one random operation ---- */

static void do_vmalloc(struct world *w)
{
    uint64_t size = 1 + prng_below(&w->rng, prng_one_in(&w->rng, 20) ? 600000 : 40000);
    uint64_t nr = (size + PAGE_SIZE - 1) >> PAGE_SHIFT, span = (nr + 1) << PAGE_SHIFT;
    uint64_t want = lowest(w, span, PAGE_SIZE), got = call(w, OP_VMALLOC, size, 0);
    if (got != want) {
        wrong(w, "vmalloc is not at the lowest address that fits");
    }
    w->area[w->nr++] = (struct known){got, span, nr, OP_VMALLOC, 0};
}

static void stage(struct world *w, uint64_t frame, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        call(w, OP_VMAP_PAGE, frame + i, 0);
    }
}

static void do_vmap(struct world *w)
{
    uint64_t nr = 1 + prng_below(&w->rng, 20),
             frame = 0x1000 + prng_below(&w->rng, 0x800);
    uint64_t span = (nr + 1) << PAGE_SHIFT, want = lowest(w, span, PAGE_SIZE);
    stage(w, frame, nr);
    uint64_t got = call(w, OP_VMAP, nr, 0);
    if (got != want) {
        wrong(w, "vmap is not at the lowest address that fits");
    }
    w->area[w->nr++] = (struct known){got, span, nr, OP_VMAP, frame};
}

static void do_ioremap(struct world *w)
{
    uint64_t nr = 1 + prng_below(&w->rng, 40), frame = 0xfeb00 + prng_below(&w->rng, 64);
    /* large pages, as long as there is room for them without a purge */
    if (prng_one_in(&w->rng, 3) && lowest(w, (uint64_t)8 << 20, PAGE_SIZE) + (8 << 20) <
                                       w->m->vm->kspace.vmalloc_end) {
        nr += 500;
        frame &= ~(uint64_t)511;
    }
    uint64_t size = nr << PAGE_SHIFT, align = PAGE_SIZE;
    const uint64_t most_align = (uint64_t)1 << (w->m->vm->kspace.bits == 64    ? 30
                                                : w->m->vm->kspace.levels == 3 ? 21
                                                                               : 22);
    while (align < size && align < most_align) {
        align <<= 1;
    }
    uint64_t span = size + PAGE_SIZE, least = lowest(w, span, align);
    uint64_t most = lowest(w, span + align - 1, PAGE_SIZE);
    uint64_t got = call(w, OP_IOREMAP, frame << PAGE_SHIFT | 0x10, size - 0x10);
    if ((got & (align - 1)) != 0x10 || got < least ||
        got > ((most + align - 1) & ~(align - 1)) + 0x10) {
        wrong(w, "ioremap is not aligned, or not where it should be");
    }
    w->area[w->nr++] = (struct known){got - 0x10, span, nr, OP_IOREMAP, frame};
}

static void do_free(struct world *w)
{
    uint32_t i = (uint32_t)prng_below(&w->rng, w->nr);
    struct known gone = w->area[i];
    w->area[i] = w->area[--w->nr];
    call(w,
         gone.kind == OP_VMALLOC ? OP_VFREE
         : gone.kind == OP_VMAP  ? OP_VUNMAP
                                 : OP_IOUNMAP,
         gone.va, 0);
    if (walk(w->m, gone.va) != PFN_NONE) {
        wrong(w, "a freed area is still mapped");
    }
    w->lazy[w->nr_lazy++] = gone;
}

static void random_operation(struct world *w)
{
    uint64_t dice = prng_below(&w->rng, 100);
    if (dice < 2 || w->nr_lazy > 4000) {
        call(w, OP_VM_UNMAP_ALIASES, 0, 0);
    } else if (w->nr == MOST || (w->nr && dice < 48)) {
        do_free(w);
    } else if (dice < 75) {
        do_vmalloc(w);
    } else if (dice < 90) {
        do_vmap(w);
    } else {
        do_ioremap(w);
    }
    purged_now(w);
}

static uint64_t free_pages_now(const struct machine *m)
{
    uint64_t nr = 0;
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        struct zone_view v = zone_view(m, z);
        nr += v.free + v.pcp_pages;
    }
    return nr;
}

struct tables {
    const struct machine *m;
    uint64_t all, allocated; /* the others are the image's */
};

static void count_table(void *ctx, uint64_t frame, uint32_t level)
{
    struct tables *t = ctx;
    (void)level;
    t->all++;
    t->allocated += page_view(t->m, pfn(frame)).state == PAGE_ALLOCATED;
}

static void test_random(const char *name, enum arch arch, const char *ram,
                        const char *highmem)
{
    struct world w, twin;
    if (!boot(&w, arch, ram, highmem) || !boot(&twin, arch, ram, highmem)) {
        ok(false, "%s boots", name);
        return;
    }
    const char *why = NULL;
    call(&w, OP_DRAIN_ALL_PAGES, 0, 0);
    call(&w, OP_VMSTAT_UPDATE, 0, 0);
    call(&twin, OP_DRAIN_ALL_PAGES, 0, 0);
    call(&twin, OP_VMSTAT_UPDATE, 0, 0);
    uint64_t before = free_pages_now(w.m);
    struct tables tables = {.m = w.m};
    for (int i = 0; i < 3000 && !w.wrong && !why; i++) {
        random_operation(&w);
        random_operation(&twin);
        if (i % 16 == 0) {
            why = machine_check(w.m);
        }
        for (uint32_t k = 0; i % 50 == 0 && k < w.nr; k++) {
            check_area(&w, &w.area[k]);
        }
    }
    is_str(w.wrong, NULL, "%s: as the model has it", name);
    is_str(why, NULL, "%s: invariants", name);
    is_hex(machine_digest(w.m), machine_digest(twin.m), "%s: twice the same bytes", name);
    is_u64(w.reports, 0, "%s: the kernel complains of nothing", name);
    while (w.nr) {
        do_free(&w);
        purged_now(&w);
    }
    call(&w, OP_VM_UNMAP_ALIASES, 0, 0);
    call(&w, OP_DRAIN_ALL_PAGES, 0, 0);
    call(&w, OP_VMSTAT_UPDATE, 0, 0);
    pgtable_each_table(w.m, &tables, count_table);
    is_u64(w.m->vm->nr_tables, tables.all, "%s: all tables are accounted for", name);
    is_u64(free_pages_now(w.m) + tables.allocated, before, "%s: all pages came back",
           name);
    is_u64(w.m->vm->free.nr, 1, "%s: free space is one piece again", name);
    is_str(machine_check(w.m), NULL, "%s: invariants at the end", name);
    machine_destroy(w.m);
    machine_destroy(twin.m);
}

/* ---- what has no model ---- */

static void test_blocks(void)
{
    struct world w;
    boot(&w, ARCH_I386, "160M", "80M");
    const uint64_t block = 512u << PAGE_SHIFT; /* 128 MiB for 4 CPUs and 16 blocks each */
    stage(&w, 0x1000, 3);
    uint64_t a = call(&w, OP_VM_MAP_RAM, 3, 0);
    stage(&w, 0x2000, 1);
    uint64_t b = call(&w, OP_VM_MAP_RAM, 1, 0);
    is_u64(a % block, 0, "a block is aligned to its size");
    is_hex(b, a + 4 * PAGE_SIZE, "three pages take four of it");
    is_u64(walk(w.m, b), 0x2000, "a piece is mapped");
    call(&w, OP_VM_UNMAP_RAM, a, 3);
    is_hex(walk(w.m, a), PFN_NONE, "and unmapped");
    stage(&w, 0x1000, 2);
    is_hex(call(&w, OP_VM_MAP_RAM, 2, 0), a + 5 * PAGE_SIZE,
           "what was freed is not used again");
    call(&w, OP_VM_UNMAP_RAM, a + 5 * PAGE_SIZE, 2);
    call(&w, OP_VM_UNMAP_RAM, b, 1);
    call(&w, OP_VM_UNMAP_ALIASES, 0, 0);
    is_u64(w.m->vm->busy.nr, 0, "a block without users goes with the purge");
    stage(&w, 0x1000, 33);
    uint64_t large = call(&w, OP_VM_MAP_RAM, 33, 0);
    is_hex(large, w.m->vm->kspace.vmalloc_start, "33 pages have an area of their own");
    call(&w, OP_VM_UNMAP_RAM, large, 33);
    is_str(machine_check(w.m), NULL, "invariants");
    is_u64(w.reports, 0, "the kernel complains of nothing");
    machine_destroy(w.m);
}

static void test_misuse(void)
{
    struct world w;
    boot(&w, ARCH_I386, "160M", "80M");
    uint64_t va = call(&w, OP_VMALLOC, 8192, 0);
    call(&w, OP_VFREE, va + 12, 0);
    is_u64(w.last_reason, BAD_VFREE_ADDRESS, "vfree of an address inside of a page");
    call(&w, OP_VFREE, va + (64 << PAGE_SHIFT), 0);
    is_u64(w.last_reason, BAD_VFREE_NO_AREA, "vfree of a wild address");
    call(&w, OP_VFREE, va, 0);
    call(&w, OP_VFREE, va, 0);
    is_u64(w.reports, 3, "vfree twice");
    is_u64(call(&w, OP_IOREMAP, 0x2000000, 4096), 0, "ioremap of RAM answers NULL");
    is_u64(w.last_reason, BAD_IOREMAP_RAM, "and warns");
    call(&w, OP_IOUNMAP, va, 0);
    is_u64(w.last_reason, BAD_IOUNMAP_ADDRESS, "iounmap of nothing");
    is_u64(call(&w, OP_VMALLOC, 0, 0), 0, "vmalloc(0)");
    is_u64(call(&w, OP_VMALLOC, 1u << 30, 0), 0, "more than there is");
    is_u64(w.last_reason, BAD_VMALLOC_TOO_LARGE, "the kernel says so");
    call(&w, OP_IRQ_ENTER, 0, 0);
    is_u64(call(&w, OP_VMALLOC, 4096, 0), 0, "vmalloc in an interrupt");
    is_u64(w.last_reason, BAD_IN_INTERRUPT, "is a BUG");
    call(&w, OP_IRQ_LEAVE, 0, 0);
    va = call(&w, OP_VMALLOC, 4096, 0);
    uint32_t reports = w.reports;
    call(&w, OP_IRQ_ENTER, 0, 0);
    call(&w, OP_VFREE, va, 0);
    ok(walk(w.m, va) != PFN_NONE, "vfree in an interrupt has to wait");
    call(&w, OP_IRQ_LEAVE, 0, 0);
    is_hex(walk(w.m, va), PFN_NONE, "and is done behind it");
    is_u64(w.reports, reports, "without a complaint");
    call(&w, OP_PREEMPT_DISABLE, 0, 0);
    va = call(&w, OP_VMALLOC, 4096, 0);
    ok(va && w.reports > reports && w.last_reason == 0,
       "vmalloc in atomic context: BUG: sleeping function ...");
    is_str(machine_check(w.m), NULL, "invariants");
    machine_destroy(w.m);
}

/* As much as there are addresses: then NULL, and a purge finds room again. */
static void test_exhaustion(void)
{
    struct world w;
    boot(&w, ARCH_I386, "1G", NULL);
    uint64_t va[40], n = 0;
    while (n < 40 && (va[n] = call(&w, OP_IOREMAP, 0xf0000000, 8 << 20)) != 0) {
        n++;
    }
    ok(n > 5 && n < 16, "%" PRIu64 " mappings of 8 MiB in 120 MiB", n);
    is_u64(w.last_reason, BAD_NO_VMAP_SPACE,
           "then the kernel says that there is no room");
    for (uint64_t i = 0; i < n; i++) {
        call(&w, OP_IOUNMAP, va[i], 0);
    }
    ok(w.m->vm->lazy_nr > 0 && w.m->vm->lazy_nr <= 8192,
       "lazily freed pages stay below their limit");
    is_hex(call(&w, OP_IOREMAP, 0xf0000000, 64 << 20) != 0, 1,
           "a large one fits after the purge");
    is_str(machine_check(w.m), NULL, "invariants");
    machine_destroy(w.m);
}

/* Any call with any argument, from any context: the machine stays whole. */
static uint64_t wild(struct world *w)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   0xfff,
                                   0x1000,
                                   0x5000,
                                   0x7fff,
                                   0xc0000000,
                                   0xc4fe0000,
                                   0xc57e0000,
                                   0xc57e1000,
                                   0xff400000,
                                   0xff401000,
                                   0xfffbb000,
                                   0xfffff000,
                                   0xffffffff,
                                   0x100000000,
                                   0xffffc90000000000,
                                   0xffffe8ffffffffff,
                                   UINT64_MAX,
                                   UINT64_MAX - 4095};
    uint64_t v = odd[prng_below(&w->rng, sizeof odd / sizeof odd[0])];
    switch (prng_below(&w->rng, 4)) {
    case 0:
        return v;
    case 1:
        return v + (prng_below(&w->rng, 64) << PAGE_SHIFT);
    case 2:
        return prng_below(&w->rng, 100);
    default:
        return prng_next(&w->rng) >> prng_below(&w->rng, 64);
    }
}

static void test_wild(enum arch arch)
{
    struct world w;
    const char *why = NULL;
    boot(&w, arch, "64M", NULL);
    for (int i = 0; i < 20000 && !why; i++) {
        struct op op = {
            .kind = (uint16_t)(OP_VMALLOC +
                               prng_below(&w.rng, OP_SWITCH_TO + 1 - OP_VMALLOC))};
        uint64_t dice = prng_below(&w.rng, 40);
        if (dice < 8) {
            op.kind = (uint16_t)(OP_IRQ_ENTER +
                                 prng_below(&w.rng, OP_SPIN_UNLOCK + 1 - OP_IRQ_ENTER));
        } else if (op.kind == OP_LOAD_VMAP_AREA && dice < 30) {
            op.kind = OP_VFREE;
        }
        for (int a = 0; a < 3; a++) {
            op.arg[a] = wild(&w);
        }
        if (op.kind == OP_IOREMAP) {
            op.arg[1] &= 0xffffff;
        }
        machine_do(w.m, &op);
        if (i % 64 == 0) {
            why = machine_check(w.m);
        }
    }
    is_str(why, NULL, "wild calls leave the machine whole");
    ok(w.reports > 100, "and %u were complained of", w.reports);
    machine_destroy(w.m);
}

int main(void)
{
    test_random("i386", ARCH_I386, "160M", "80M");
    test_random("i386 with PAE", ARCH_I386_PAE, "1G", NULL);
    test_random("x86-64", ARCH_X86_64, "256M", NULL);
    test_blocks();
    test_misuse();
    test_exhaustion();
    test_wild(ARCH_I386);
    test_wild(ARCH_I386_PAE);
    test_wild(ARCH_X86_64);
    return done_testing();
}
