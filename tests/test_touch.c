/* What the allocators touch of their own structures: the lines of known steps, computed
 * here from the structures' addresses; without the option nothing is different; time
 * travel with it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include <string.h>

#include "depth.h"
#include "host.h"
#include "inspect_hw.h"
#include "slab_ops.h"
#include "slab_view.h"
#include "touch.h"
#include "travel.h"

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

static struct machine_config config(enum arch arch, bool slub, bool on)
{
    struct machine_config c;
    config_init(&c, arch);
    c.ram_bytes = 64 << 20;
    c.slub = slub;
    c.cpus = 2;
    c.nr_cpus = c.nr_cpus < 2 ? 2 : c.nr_cpus;
    c.kernel_accesses = on;
    return c;
}

static struct machine *machine(enum arch arch, bool slub)
{
    const struct machine_config c = config(arch, slub, true);
    return boot(&c);
}

static struct touch_cost cost(struct machine *m, uint32_t layers)
{
    struct touch_cost t;
    touch_cost(m, layers, &t);
    return t;
}

/* ---- lines, counted by hand ---- */

struct lines {
    uint64_t line[64];
    uint32_t nr, bytes;
};

static void add(struct lines *l, uint64_t va, uint32_t size)
{
    for (uint64_t at = va / l->bytes; at <= (va + size - 1) / l->bytes; at++) {
        bool there = false;
        for (uint32_t i = 0; i < l->nr; i++) {
            there = there || l->line[i] == at;
        }
        if (!there) {
            l->line[l->nr++] = at;
        }
    }
}

static bool all_there(const struct machine *m, const struct lines *l)
{
    for (uint32_t i = 0; i < touch_nr(m); i++) {
        const struct touch *t = touch_at(m, i);
        bool there = false;
        for (uint32_t k = 0; k < l->nr; k++) {
            there = there || l->line[k] == t->va / l->bytes;
        }
        if (!there) {
            diag("%#" PRIx64 " was not expected", t->va);
            return false;
        }
    }
    return true;
}

/* The kernel's ____cache_alloc: the cache's pointer to its arrays, avail and touched, and
 * the entry that goes out. */
static void test_array_hit(enum arch arch)
{
    struct machine *m = machine(arch, false);
    const bool wide = arch == ARCH_X86_64;
    const uint64_t word = wide ? 8 : 4;
    const uint32_t id = (uint32_t)call(m, 0, OP_KMEM_CACHE_CREATE, 200, 200, 0, 0);
    for (int i = 0; i < 3; i++) {
        call(m, 0, OP_KMEM_CACHE_ALLOC, id, GFP_KERNEL, 0, 0);
    }
    const struct kmem_cache *c = cache_r(m, id);
    const uint32_t avail = array_r(m, c->array[0])->avail;
    const uint64_t percpu =
                       m->vm->kspace.page_offset + (m->places.percpu.first << PAGE_SHIFT),
                   end = percpu + (m->places.percpu.nr << PAGE_SHIFT);
    const uint64_t array = touch_array_va(m, c, 0);
    ok(array >= percpu && array + 16 + 120 * word <= end && array % word == 0,
       "the array lies in CPU 0's area");
    is_hex(touch_array_va(m, c, 1) - array, m->places.percpu_stride << PAGE_SHIFT,
           "CPU 1's in its own");
    is_hex(touch_cache_va(m, c), c->addr, "struct kmem_cache is the object that it is");
    struct lines l = {.bytes = wide ? 64 : 32};
    add(&l, c->addr, (uint32_t)word);
    add(&l, array, 16);
    add(&l, array + 16 + word * avail, (uint32_t)word);
    const struct touch_cost t = cost(m, TOUCH_ALL_LAYERS);
    is_u64(t.sum.reads, 3, "an array hit reads the cache, avail and the entry");
    is_u64(t.sum.writes, 2, "and writes avail and touched");
    is_u64(t.lines_l1, l.nr, "in so many lines");
    ok(all_there(m, &l), "those");
    ok(t.pages >= 1 && t.pages <= 2, "in one or two pages");
    is_u64(t.dropped, 0, "none is left out");
    /* a second time the lines are there: each access costs what L1 costs */
    const struct memsys *cpu = hw_memsys(m, 0);
    is_u64(t.sum.l1_misses, 0, "nothing misses");
    is_u64(t.sum.cycles.total, 5 * cpu->config.cost->l1, "five hits");
    machine_destroy(m);
}

/* slab_alloc_node: cpu_slab and offset of the cache, the CPU's four words, the object. */
static void test_slub_hit(enum arch arch)
{
    struct machine *m = machine(arch, true);
    const bool wide = arch == ARCH_X86_64;
    const uint32_t word = wide ? 8 : 4;
    const uint32_t id = (uint32_t)call(m, 0, OP_KMEM_CACHE_CREATE, 200, 200, 0, 0);
    call(m, 0, OP_KMEM_CACHE_ALLOC, id, GFP_KERNEL, 0, 0);
    const uint64_t va = call(m, 0, OP_KMEM_CACHE_ALLOC, id, GFP_KERNEL, 0, 0);
    const struct kmem_cache *c = cache_r(m, id);
    struct lines l = {.bytes = wide ? 64 : 32};
    add(&l, c->addr, word);
    add(&l, c->addr + (wide ? 40 : 28), 4);
    add(&l, touch_array_va(m, c, 0), 4 * word);
    add(&l, va + c->offset, word);
    struct touch_cost t = cost(m, TOUCH_ALL_LAYERS);
    is_u64(t.lines_l1, l.nr, "SLUB's fast path: cache, CPU and the object itself");
    ok(all_there(m, &l), "those lines");
    call(m, 0, OP_KMEM_CACHE_FREE, id, va, 0, 0);
    add(&l, touch_page_va(m, (va - m->vm->kspace.page_offset) >> PAGE_SHIFT), 8);
    t = cost(m, TOUCH_ALL_LAYERS);
    ok(all_there(m, &l), "freeing it looks at the page, too");
    is_u64(t.lines_l1, l.nr, "and at nothing else");
    machine_destroy(m);
}

/* A block that is halved: its upper half's struct page, the lists that it leaves and
 * joins, the lock. */
static void test_buddy(enum arch arch)
{
    struct machine *m = machine(arch, false);
    const bool wide = arch == ARCH_X86_64;
    const uint64_t frame = call(m, 0, OP_ALLOC_PAGES, GFP_KERNEL, 4, 0, 0);
    const struct touch_cost t = cost(m, 1 << LAYER_BUDDY);
    uint32_t pages[64], nr = 0, lock = 0;
    for (uint32_t i = 0; i < touch_nr(m); i++) {
        const struct touch *a = touch_at(m, i);
        const struct touch_field_view f = touch_field_view(m, a->field);
        if (!strcmp(f.structure, "page") && nr < 64) {
            const uint64_t table = touch_page_va(m, 0);
            pages[nr++] = (uint32_t)((a->va - table) / (wide ? 64 : 32));
        }
        lock += !strcmp(f.name, "lock") && !strcmp(f.structure, "zone") && a->write;
    }
    bool took = false, split = false;
    for (uint32_t i = 0; i < nr; i++) {
        took = took || pages[i] == frame;
        split = split || pages[i] == frame + 16;
    }
    ok(took, "the block's struct page is touched at its place in the frame table");
    ok(split || page_r(m, frame + 16)->state != USE_BUDDY, "so is its upper half's");
    is_u64(lock, 1, "zone->lock is written");
    ok(t.sum.reads + t.sum.writes > 8 && t.lines_l1 > 2, "and lists: %u lines",
       t.lines_l1);
    ok(cost(m, 1 << LAYER_CPU).lines_l1 == 0, "no object is");
    machine_destroy(m);
}

/* ---- deeper costs more ---- */

enum way { HIT, REFILL, GROW, NR_WAYS };

static void test_depths(enum arch arch, bool slub)
{
    struct machine *m = machine(arch, slub);
    const uint32_t id = (uint32_t)call(m, 0, OP_KMEM_CACHE_CREATE, 200, 200, 0, 0);
    uint64_t va[400], lines[NR_WAYS] = {0}, accesses[NR_WAYS] = {0};
    uint32_t nr = 0;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            const uint64_t object = call(m, 0, OP_KMEM_CACHE_ALLOC, id, GFP_KERNEL, 0, 0);
            const struct touch_cost all = cost(m, TOUCH_ALL_LAYERS);
            const bool pages = cost(m, 1 << LAYER_ZONES).sum.reads;
            const bool slabs = cost(m, 1 << LAYER_SLAB).sum.reads;
            const enum way d = pages ? GROW : slabs ? REFILL : HIT;
            lines[d] = all.lines_l1;
            accesses[d] = all.sum.reads + all.sum.writes;
            va[nr++] = object;
        }
        for (uint32_t i = 0; round == 0 && i < 200; i += 2) { /* partial slabs */
            call(m, 0, OP_KMEM_CACHE_FREE, id, va[i], 0, 0);
        }
    }
    ok(lines[HIT] && lines[HIT] < lines[REFILL] && lines[REFILL] < lines[GROW],
       "%s: a hit touches %" PRIu64 " lines, a refill %" PRIu64 ", a new slab %" PRIu64,
       slub ? "SLUB" : "SLAB", lines[HIT], lines[REFILL], lines[GROW]);
    ok(accesses[HIT] < accesses[REFILL] && accesses[REFILL] < accesses[GROW],
       "and %" PRIu64 ", %" PRIu64 ", %" PRIu64 " times", accesses[HIT], accesses[REFILL],
       accesses[GROW]);
    machine_destroy(m);
}

/* ---- measured on a copy ---- */

static void test_measured(enum arch arch, bool slub, bool on)
{
    struct machine_config config_ = config(arch, slub, on);
    config_.ram_bytes = (uint64_t)256 << 20; /* batches of more than one page */
    struct machine *m = boot(&config_);
    struct depth_table *t = calloc(1, sizeof *t);
    char err[300] = "";
    call(m, 0, OP_KMALLOC, 200, GFP_KERNEL, 0, 0);
    const uint64_t digest = machine_digest(m), nr_ops = m->mm->nr_ops;
    ok(depth_measure(m, 0, 0, &host_memory, t, err, sizeof err),
       "%s, %s: measured on a copy %s", slub ? "SLUB" : "SLAB", on ? "on" : "off", err);
    ok(machine_digest(m) == digest && m->mm->nr_ops == nr_ops,
       "the machine is as it was");
    const struct depth_cost *r = t->row;
    const enum depth refill = slub ? DEPTH_CPU_PARTIAL : DEPTH_SHARED;
    static const enum depth always[] = {
        DEPTH_HIT,         DEPTH_REFILL, DEPTH_GROW_REFILL, DEPTH_PAGE_PCP,
        DEPTH_PAGE_REFILL, DEPTH_PUT,    DEPTH_PUT_SLAB,    DEPTH_PUT_PCP};
    bool all = r[refill].measured, sane = true, warm = true;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        all = all && r[always[i]].measured;
    }
    ok(all && !r[slub ? DEPTH_SHARED : DEPTH_CPU_PARTIAL].measured,
       "all ways are found that this allocator has, and no other");
    const struct memsys *cpu = hw_memsys(m, 0);
    for (uint32_t i = 0; i < NR_DEPTHS; i++) {
        const struct touch_sum *c = &r[i].cold.sum, *w = &r[i].warm.sum;
        if (!r[i].measured) {
            sane = sane && !c->reads && !r[i].events;
            continue;
        }
        const uint64_t nr = c->reads + c->writes;
        /* the first access of each line misses, once, and each page's first one walks */
        sane = sane && nr == w->reads + w->writes && c->l1_misses == r[i].cold.lines_l1 &&
               c->tlb_misses == r[i].cold.pages && r[i].units >= 1;
        /* lines that compete for a set may have gone to L2; what straddles two lines
         * counts twice */
        const struct cost_model *model = cpu->config.cost;
        warm =
            warm && !w->tlb_misses && !w->l2_misses && w->l1_misses * 8 <= c->l1_misses &&
            w->cycles.accesses >= nr &&
            w->cycles.total == w->cycles.accesses * model->l1 + w->l1_misses * model->l2;
        uint64_t sum = 0;
        for (uint32_t k = 0; k < NR_TOUCH_LAYERS; k++) {
            sum += r[i].layer_cold[k];
        }
        sane = sane && sum == c->cycles.total;
    }
    ok(sane, "cold: as many misses as lines, as many TLB misses as pages");
    ok(warm, "warm: next to all accesses cost what L1 costs");
    ok(r[DEPTH_HIT].warm.sum.cycles.total * 2 < r[refill].warm.sum.cycles.total &&
           r[DEPTH_HIT].cold.lines_l1 < r[DEPTH_GROW].cold.lines_l1 &&
           r[DEPTH_GROW].cold.lines_l1 < r[DEPTH_GROW_REFILL].cold.lines_l1 &&
           r[DEPTH_PAGE_PCP].cold.lines_l1 < r[DEPTH_PAGE_REFILL].cold.lines_l1,
       "what the CPU has at hand is the cheapest");
    if (on) { /* and the machine itself, when it takes that way, counts the same */
        call(m, 0, OP_KMALLOC, 200, GFP_KERNEL, 0, 0);
        const struct touch_cost own = cost(m, TOUCH_ALL_LAYERS);
        is_u64(own.sum.reads + own.sum.writes,
               r[DEPTH_HIT].warm.sum.reads + r[DEPTH_HIT].warm.sum.writes,
               "the machine's own array hit: as many accesses");
    }
    ok(!depth_measure(m, 0, 63, &host_memory, t, err, sizeof err) && *err,
       "there is no CPU 63: %s", err);
    ok(!depth_measure(m, 12345, 0, &host_memory, t, err, sizeof err),
       "nor such a cache: %s", err);
    free(t);
    machine_destroy(m);
}

/* ---- the option changes nothing but what it says ---- */

static void test_same_answers(enum arch arch, bool slub)
{
    const struct machine_config with = config(arch, slub, true),
                                without = config(arch, slub, false);
    struct machine *a = boot(&with), *b = boot(&without);
    struct prng r = {7};
    uint64_t va[64] = {0}, frame[16] = {0};
    bool same = true, bytes = true;
    const uint32_t id = (uint32_t)call(a, 0, OP_KMEM_CACHE_CREATE, 3, 200, 0, 0);
    call(b, 0, OP_KMEM_CACHE_CREATE, 3, 200, 0, 0);
    for (int i = 0; i < 600 && same; i++) {
        struct op op = {.cpu = (uint8_t)prng_below(&r, 2)};
        const uint32_t which = (uint32_t)prng_below(&r, 64), f = which % 16;
        uint64_t *slot = &va[which];
        if (i % 8 == 0) {
            slot = &frame[f];
            op.kind = *slot ? OP_FREE_PAGES : OP_ALLOC_PAGES;
            op.arg[0] = *slot ? *slot : (uint64_t)GFP_KERNEL;
            op.arg[1] = f % 5;
        } else if (which & 1) {
            op.kind = *slot ? OP_KFREE : OP_KMALLOC;
            op.arg[0] = *slot ? *slot : (uint64_t)which * 20;
            op.arg[1] = GFP_KERNEL;
        } else {
            op.kind = *slot ? OP_KMEM_CACHE_FREE : OP_KMEM_CACHE_ALLOC;
            op.arg[0] = id;
            op.arg[1] = *slot ? *slot : (uint64_t)GFP_KERNEL;
        }
        const uint64_t x = machine_do(a, &op), y = machine_do(b, &op);
        same = x == y;
        *slot = *slot ? 0 : x;
        const char *why = machine_check(a);
        if (why) {
            ok(false, "step %d: %s", i, why);
        }
    }
    ok(same, "the same operations have the same answers with the option");
    for (int i = 0; i < 64; i++) {
        uint64_t x = 0, y = 0;
        if (va[i] && va[i] != ZERO_SIZE_PTR) {
            slab_read(a, va[i], &x, 8);
            slab_read(b, va[i], &y, 8);
            bytes = bytes && x == y;
        }
    }
    ok(bytes, "and objects the same bytes");
    ok(b->touching == NULL && touch_nr(b) == 0, "without it there is no log");
    machine_destroy(a);
    machine_destroy(b);
}

/* ---- time travel ---- */

static void test_travel(uint32_t i)
{
    const struct machine_config c = travel_machine(i);
    struct traveller *tr = calloc(1, sizeof *tr);
    travel_begin(tr, &c, 0, 1);
    timeline_set_live_hook(tr->t, travel_hook, tr, NULL);
    uint32_t steps = 0;
    while (steps < 60 && travel_something(tr)) {
        steps++;
    }
    ok(steps == 60, "%s: random steps and travels %s", travel_machines[i], tr->problem);
    for (uint32_t b = 0; b < tr->nr_branches && !tr->problem[0]; b++) {
        travel_bare(tr, b);
    }
    ok(!tr->problem[0], "%s: a machine without a timeline agrees %s", travel_machines[i],
       tr->problem);
    travel_end(tr);
    free(tr);
}

int main(void)
{
    static const enum arch archs[] = {ARCH_I386, ARCH_I386_PAE, ARCH_X86_64};
    travel_host = &host_memory;
    for (size_t i = 0; i < sizeof archs / sizeof archs[0]; i++) {
        test_array_hit(archs[i]);
        test_slub_hit(archs[i]);
        test_buddy(archs[i]);
        for (int slub = 0; slub < 2; slub++) {
            test_depths(archs[i], slub);
            test_same_answers(archs[i], slub);
            test_measured(archs[i], slub, false);
            test_measured(archs[i], slub, true);
        }
    }
    for (uint32_t i = TRAVEL_TOUCHING; i < TRAVEL_MACHINES; i++) {
        test_travel(i);
    }
    return done_testing();
}
