/* hw/smp.c and the full way of an access, one thing at a time: the events of the
 * textbook's MESI example, inclusion, DMA, memory types, write combining, shootdowns,
 * paging-structure caches, hazards, flushes, cycles.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "events.h"
#include "host.h"
#include "prng.h"
#include "smp.h"
#include "tap.h"

enum { FRAMES = 1024, CPUS = 4, MAX_EVENTS = 256 };

struct rig {
    struct arena arena;
    struct ram ram;
    struct probe probe;
    struct smp smp;
    struct memsys cpu[CPUS];
    struct mmu mmu;
    uint64_t next_table;
    struct event event[MAX_EVENTS];
    uint32_t nr_events;
};

static void record(struct probe *p, const struct event *ev)
{
    struct rig *g = p->slow_ctx;
    if (g->nr_events < MAX_EVENTS) {
        g->event[g->nr_events++] = *ev;
    }
}

static uint64_t bus_read(void *ctx, uint64_t at, uint32_t size)
{
    uint64_t v = 0;
    ram_read(ctx, paddr(at), &v, size);
    return v;
}
static void bus_write(void *ctx, uint64_t at, uint64_t value, uint32_t size)
{
    ram_write(ctx, paddr(at), &value, size);
}
static uint64_t table(void *ctx)
{
    struct rig *g = ctx;
    return g->next_table++ << PAGE_SHIFT;
}

/* Page tables past the caches: fit as long as they hold none of these. */
static void map(struct rig *g, uint64_t va, uint64_t pa, uint64_t flags)
{
    const struct mmu_bus bus = {bus_read, bus_write, &g->ram};
    mmu_map(&g->mmu, va, pa, flags | PTE_A | PTE_D, PAGE_4K, &bus, table, g);
}

static struct smp_config usual(uint32_t cpus)
{
    struct smp_config c = {.nr_cpus = cpus};
    c.cpu = (struct memsys_config){
        .tagging = TAG_PIPT, .data = true, .coherent = true, .cost = cost_models(0)};
    c.cpu.l1[0] = c.cpu.l1[1] =
        (struct cache_config){.sets = 64, .ways = 4, .line_bytes = 64};
    c.cpu.l2 = (struct cache_config){.sets = 256, .ways = 8, .line_bytes = 64};
    c.cpu.tlb[0] = c.cpu.tlb[1] = (struct tlb_config){.entries = 16, .ways = 4};
    return c;
}

static struct rig *rig_create(const struct smp_config *c)
{
    static struct rig g;
    const char *part = "";
    memset(&g, 0, sizeof g);
    g.probe.stop = 0;
    g.probe.slow = record;
    g.probe.slow_ctx = &g;
    const char *error = smp_config_error(c, &part);
    if (error) {
        diag("%s: %s", part, error);
    }
    if (error || !arena_create(&g.arena, (size_t)1 << 27, &host_memory) ||
        !ram_create(&g.ram, &g.arena, FRAMES) ||
        !smp_create(&g.smp, g.cpu, &g.arena, &g.ram, &g.probe, c)) {
        bail_out("no machine");
    }
    g.next_table = 17;
    g.mmu = (struct mmu){.paging = PAGING_4LEVEL,
                         .cr3 = 16 << PAGE_SHIFT,
                         .physical_bits = 40,
                         .pge = true,
                         .nxe = true};
    if (c->cpu.translation == TRANSLATE_TABLES) {
        for (uint32_t i = 0; i < c->nr_cpus; i++) {
            memsys_set_mmu(&g.cpu[i], &g.mmu);
        }
    }
    return &g;
}

static void rig_destroy(struct rig *g)
{
    const char *broken = smp_check(&g->smp);
    broken = broken ? broken : arena_check(&g->arena);
    ok(!broken, "the invariants hold%s%s", broken ? ": " : "", broken ? broken : "");
    arena_destroy(&g->arena);
}

static uint64_t load(struct rig *g, uint32_t cpu, uint64_t va)
{
    uint64_t v = 0;
    memsys_access(&g->cpu[cpu], va, 8, ACCESS_READ, &v);
    return v;
}
static void store(struct rig *g, uint32_t cpu, uint64_t va, uint64_t v)
{
    memsys_access(&g->cpu[cpu], va, 8, ACCESS_WRITE, &v);
}
static uint64_t in_ram(struct rig *g, uint64_t pa) { return bus_read(&g->ram, pa, 8); }

/* "MES": the states of pa's line in L1D of all CPUs. */
static const char *states(struct rig *g, uint64_t pa)
{
    static char text[CPUS + 1];
    memset(text, 0, sizeof text);
    for (uint32_t i = 0; i < g->smp.config.nr_cpus; i++) {
        const struct cache *l1 = &g->cpu[i].front[SIDE_D].l1;
        struct cache_set *s = cache_set_of(l1, pa >> l1->line_shift);
        uint32_t way = cache_find(l1, s, pa >> l1->line_shift);
        text[i] =
            way == CACHE_NO_WAY ? 'I' : *mesi_name(cache_mesi(*cache_attr(l1, s, way)));
    }
    return text;
}

/* How many events of this kind there were; the list begins anew. */
static uint32_t events(struct rig *g, uint16_t kind, bool forget)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->nr_events; i++) {
        n += g->event[i].kind == kind;
    }
    g->nr_events = forget ? 0 : g->nr_events;
    return n;
}
static const struct event *last_event(const struct rig *g, uint16_t kind)
{
    for (uint32_t i = g->nr_events; i > 0; i--) {
        if (g->event[i - 1].kind == kind) {
            return &g->event[i - 1];
        }
    }
    static const struct event none;
    return &none;
}

static void test_mesi(bool shared)
{
    struct smp_config c = usual(3);
    c.shared_l2 = shared;
    struct rig *g = rig_create(&c);
    load(g, 0, 0x1000);
    is_str(states(g, 0x1000), "EII", "CPU 0 reads: exclusive");
    is_hex(last_event(g, HW_EV_BUS)->arg[0], BUS_RD, "BusRd");
    load(g, 1, 0x1008);
    is_str(states(g, 0x1000), "SSI", "CPU 1 reads: both share");
    g->nr_events = 0;
    store(g, 1, 0x1000, 7);
    is_str(states(g, 0x1000), "IMI", "CPU 1 writes: modified, CPU 0 lost it");
    is_hex(last_event(g, HW_EV_BUS)->arg[0], BUS_UPGR, "BusUpgr");
    is_u64(events(g, HW_EV_SNOOP, false), shared ? 1 : 2, "one node answered");
    is_u64(last_event(g, HW_EV_SNOOP)->arg[3], MESI_S, "its line was shared");
    is_u64(last_event(g, HW_EV_SNOOP)->arg[4], MESI_I, "and is invalid");
    is_u64(in_ram(g, 0x1000), 0, "memory does not know yet");
    g->nr_events = 0;
    is_u64(load(g, 2, 0x1000), 7, "CPU 2 reads what CPU 1 wrote");
    is_str(states(g, 0x1000), "ISS", "the owner flushed its line and shares it");
    is_u64(events(g, HW_EV_CACHE_WRITEBACK, false), shared ? 1 : 2, "write-backs");
    is_u64(in_ram(g, 0x1000), shared ? 0 : 7, "L1's line went to %s",
           shared ? "the L2 that all share" : "memory");
    is_u64(g->cpu[2].s->n.supplied, 1, "a cache supplied it");
    g->nr_events = 0;
    store(g, 0, 0x1000, 8);
    is_str(states(g, 0x1000), "MII", "CPU 0 writes what it has not: the others lose it");
    is_hex(last_event(g, HW_EV_BUS)->arg[0], BUS_RDX, "BusRdX");
    g->nr_events = 0;
    store(g, 0, 0x1000, 9);
    is_u64(events(g, HW_EV_BUS, true), 0, "a second store needs no bus");
    uint64_t code = 0;
    memsys_access(&g->cpu[0], 0x1000, 8, ACCESS_FETCH, &code);
    is_u64(code, 9, "a fetch sees the store before it");
    is_str(states(g, 0x1000), "SII", "L1D and L1I share the line");
    store(g, 0, 0x1000, 10);
    memsys_access(&g->cpu[0], 0x1000, 8, ACCESS_FETCH, &code);
    is_u64(code, 10, "self-modifying code works without a flush");
    rig_destroy(g);
}

static void test_no_coherence(void)
{
    struct smp_config c = usual(2);
    c.cpu.coherent = false;
    struct rig *g = rig_create(&c);
    load(g, 1, 0x1000);
    store(g, 0, 0x1000, 7);
    is_u64(load(g, 1, 0x1000), 0, "without snooping CPU 1 keeps what it has");
    memsys_op_line(&g->cpu[0], 0x1000, CACHE_CLEAN, OP_ALL);
    is_u64(in_ram(g, 0x1000), 7, "CPU 0 cleans the line: memory has it");
    is_u64(load(g, 1, 0x1000), 0, "CPU 1 still has its own");
    memsys_op_line(&g->cpu[1], 0x1000, CACHE_INVALIDATE, OP_ALL);
    is_u64(load(g, 1, 0x1000), 7, "and reads memory once it has thrown that out");
    store(g, 0, 0x2000, 1);
    memsys_op_line(&g->cpu[0], 0x2000, CACHE_INVALIDATE, OP_ALL);
    is_u64(load(g, 0, 0x2000), 0, "what is invalidated and not cleaned is lost");
    rig_destroy(g);
}

static void test_inclusion(enum inclusion inclusion)
{
    struct smp_config c = usual(1);
    c.cpu.inclusion = inclusion;
    c.cpu.l1[0] = c.cpu.l1[1] =
        (struct cache_config){.sets = 1, .ways = 4, .line_bytes = 64};
    c.cpu.l2 = (struct cache_config){.sets = 1, .ways = 2, .line_bytes = 64};
    struct rig *g = rig_create(&c);
    store(g, 0, 0x0, 1);
    store(g, 0, 0x40, 2);
    store(g, 0, 0x80, 3); /* L2 has two lines and needs a third */
    const struct memsys_tally *n = &g->cpu[0].s->n;
    if (inclusion == INCLUSION_INCLUSIVE) {
        is_u64(n->back_invalidated, 1, "inclusive: L1 lost what L2 evicted");
        is_u64(events(g, HW_EV_BACK_INVALIDATE, true), 1, "and said so");
        is_u64(in_ram(g, 0), 1, "its bytes went with it");
        is_str(states(g, 0), "I", "it is not in L1");
    } else if (inclusion == INCLUSION_EXCLUSIVE) {
        is_u64(n->l2_miss[L2_VICTIM], 0, "exclusive: nothing has left L1 yet");
        store(g, 0, 0xc0, 4);
        store(g, 0, 0x100, 5);
        is_u64(events(g, HW_EV_CACHE_MOVE, true), 1, "a victim moves down");
        is_u64(load(g, 0, 0), 1, "it is read again");
        is_u64(n->l2_access[L2_FETCH] - n->l2_miss[L2_FETCH], 1, "from L2");
        is_str(states(g, 0), "M", "and is still modified");
        is_u64(in_ram(g, 0), 0, "memory never saw it");
    } else {
        is_u64(n->back_invalidated, 0, "neither: L1 keeps what L2 evicted");
        is_str(states(g, 0), "M", "it is in L1");
    }
    rig_destroy(g);
}

static void test_dma(bool coherent)
{
    struct smp_config c = usual(2);
    c.cpu.coherent = coherent;
    struct rig *g = rig_create(&c);
    const char *name = coherent ? "coherent DMA" : "DMA past the caches";
    uint64_t v = 0, w = 5;
    store(g, 1, 0x3000, 9);
    smp_dma_read(&g->smp, 0x3000, &v, 8);
    is_u64(v, coherent ? 9 : 0, "%s: the device reads", name);
    smp_dma_write(&g->smp, 0x3000, &w, 8);
    is_u64(load(g, 1, 0x3000), coherent ? 5 : 9, "%s: the CPU reads what it wrote", name);
    is_u64(g->smp.s->dma_writes, 1, "it is counted");
    rig_destroy(g);
}

static void test_memory_types(void)
{
    struct smp_config c = usual(2);
    c.cpu.translation = TRANSLATE_TABLES;
    c.cpu.memory_types = true;
    c.cpu.pat = PAT_LINUX;
    c.cpu.wc_buffers = 2;
    struct rig *g = rig_create(&c);
    const struct memsys_tally *n = &g->cpu[0].s->n;
    map(g, 0x10000, 0x100000, PTE_W);
    map(g, 0x11000, 0x101000, PTE_W | PTE_PWT);                     /* WC */
    map(g, 0x12000, 0x102000, PTE_W | PTE_PWT | PTE_PCD);           /* UC */
    map(g, 0x13000, 0x103000, PTE_W | PTE_PWT | PTE_PCD | PTE_PAT); /* WT */
    map(g, 0x14000, 0x104000, PTE_W | PTE_PWT | PTE_PAT);           /* WP */
    map(g, 0x15000, 0x100000, PTE_W | PTE_PWT | PTE_PCD); /* UC, the first page's frame */
    map(g, 0x16000, (uint64_t)FRAMES << 12, PTE_W | PTE_PWT | PTE_PCD);
    store(g, 0, 0x12000, 1);
    is_u64(in_ram(g, 0x102000), 1, "UC: a store is in memory at once");
    is_str(states(g, 0x102000), "II", "and in no cache");
    is_u64(n->uncached[ACCESS_WRITE], 1, "counted as uncached");
    is_u64(n->l1_access[ACCESS_WRITE], 0, "L1 was not asked");
    is_u64(last_event(g, HW_EV_UNCACHED)->arg[3], MEMTYPE_UC, "the event says UC");
    store(g, 0, 0x13000, 2);
    is_u64(in_ram(g, 0x103000), 2, "WT: a store is in memory at once");
    is_str(states(g, 0x103000), "II", "a miss allocates nothing");
    load(g, 0, 0x13000);
    store(g, 0, 0x13000, 3);
    is_str(states(g, 0x103000), "EI", "a line that is there stays clean");
    is_u64(load(g, 0, 0x13000), 3, "and has the new bytes");
    is_u64(in_ram(g, 0x103000), 3, "as memory has");
    load(g, 0, 0x14000);
    is_str(states(g, 0x104000), "EI", "WP: reads are cached");
    store(g, 1, 0x14000, 4);
    is_str(states(g, 0x104000), "II", "a write throws the line out everywhere");
    is_u64(load(g, 0, 0x14000), 4, "and is in memory");
    store(g, 0, 0x10000, 5);
    is_u64(load(g, 0, 0x15000), 5, "UC hits a modified line: it is written back first");
    is_str(states(g, 0x100000), "II", "and thrown out");
    is_u64(load(g, 0, 0x16000), UINT64_MAX, "beyond RAM: all ones");
    /* write combining */
    store(g, 0, 0x11000, 6);
    is_u64(in_ram(g, 0x101000), 0, "WC: a store waits");
    is_u64(load(g, 0, 0x11000), 6, "its own CPU sees it");
    store(g, 0, 0x11008, 7);
    is_u64(load(g, 1, 0x11008), 0, "another does not");
    memsys_fence(&g->cpu[0]);
    is_u64(load(g, 1, 0x11008), 7, "after a fence it does");
    g->nr_events = 0;
    uint64_t bursts = n->wc_bursts;
    for (uint64_t at = 0; at < 64; at += 8) {
        store(g, 0, 0x11040 + at, at);
    }
    is_u64(events(g, HW_EV_WC_FLUSH, true), 1, "a full buffer goes by itself");
    is_u64(n->wc_bursts - bursts, 1, "in one burst");
    is_u64(in_ram(g, 0x101078), 56, "all of it");
    store(g, 0, 0x11080, 1);
    store(g, 0, 0x110c0, 2);
    store(g, 0, 0x11100, 3);
    is_u64(in_ram(g, 0x101080), 1, "a third line takes the older buffer");
    is_u64(in_ram(g, 0x1010c0), 0, "the younger one waits");
    load(g, 0, 0x12000);
    is_u64(in_ram(g, 0x1010c0), 2, "an uncached access empties them");
    memsys_set_pat(&g->cpu[0], PAT_POWER_ON);
    store(g, 0, 0x11140, 4);
    is_u64(in_ram(g, 0x101140), 4, "with the power-on PAT the same page is WT");
    is_str(memtype_name(pat_type(PAT_POWER_ON, 2)), "UC-", "slot 2 is UC-");
    rig_destroy(g);
}

static void test_shootdown(void)
{
    struct smp_config c = usual(4);
    c.cpu.translation = TRANSLATE_TABLES;
    struct rig *g = rig_create(&c);
    map(g, 0x10000, 0x100000, PTE_W);
    for (uint32_t i = 0; i < 4; i++) {
        store(g, i, 0x10000, 10 + i);
    }
    uint64_t other = 99;
    for (uint32_t i = 0; i < 4; i++) {
        memsys_op_all(&g->cpu[i], CACHE_FLUSH, OP_ALL);
    }
    ram_write(&g->ram, paddr(0x200000), &other, 8);
    map(g, 0x10000, 0x200000, PTE_W);
    is_u64(load(g, 3, 0x10000), 13, "the tables have changed, a stale entry has not");
    smp_set_deaf(&g->smp, 2, true);
    const struct tlb_flush page = {.kind = TLB_FLUSH_RANGE, .va = 0x10000, .nr_pages = 1};
    g->nr_events = 0;
    is_hex(smp_shootdown(&g->smp, 0, 0xf, &page), 0xb, "all but CPU 2 acknowledge");
    is_u64(events(g, HW_EV_IPI_SEND, false), 3, "three interrupts");
    is_u64(events(g, HW_EV_IPI_RECEIVE, false), 2, "two taken");
    is_u64(events(g, HW_EV_IPI_ACK, false), 2, "and acknowledged");
    is_u64(events(g, HW_EV_IPI_LOST, false), 1, "one lost");
    is_u64(g->cpu[0].s->n.ipi_sent, 3, "counted");
    is_u64(g->cpu[1].s->n.tlb_flushed, 1, "CPU 1 lost its entry");
    is_u64(memsys_cycles(&g->cpu[0]).ipi, 3000, "interrupts cost cycles");
    for (uint32_t i = 0; i < 4; i++) {
        is_u64(load(g, i, 0x10000), i == 2 ? 13 : 99, "CPU %u reads the %s frame", i,
               i == 2 ? "old" : "new");
    }
    rig_destroy(g);
}

static void test_psc(void)
{
    struct smp_config c = usual(1);
    c.cpu.translation = TRANSLATE_TABLES;
    c.cpu.psc[2] = 2;
    c.cpu.psc[3] = 1;
    c.cpu.psc[4] = 1;
    struct rig *g = rig_create(&c);
    const struct memsys_tally *n = &g->cpu[0].s->n;
    map(g, 0x10000, 0x100000, PTE_W);
    map(g, 0x11000, 0x101000, PTE_W);
    map(g, 0x210000, 0x102000, PTE_W);
    load(g, 0, 0x10000);
    is_u64(n->walk_steps, 4, "the first walk reads four entries");
    load(g, 0, 0x11000);
    is_u64(n->walk_steps, 5, "its neighbour's reads one: the PDE is cached");
    is_u64(n->psc_hit[2], 1, "a hit");
    load(g, 0, 0x210000);
    is_u64(n->walk_steps, 7, "2 MiB further: the PDPTE is cached, two are read");
    is_u64(n->psc_hit[3], 1, "a hit one level up");
    memsys_invlpg(&g->cpu[0], 0x999000);
    load(g, 0, 0x11000);
    is_u64(n->walk_steps, 7, "INVLPG of another page leaves the TLB's entries");
    memsys_invlpg(&g->cpu[0], 0x11000);
    load(g, 0, 0x11000);
    is_u64(n->walk_steps, 11, "but all of the paging-structure caches' are gone");
    /* an entry that is stale one level up */
    uint64_t frame = 0x105000, value = 77;
    ram_write(&g->ram, paddr(frame), &value, 8);
    memsys_load_cr3(&g->cpu[0], g->mmu.cr3, 0, false);
    load(g, 0, 0x10000);
    is_u64(n->walk_steps, 15, "a CR3 load empties them too");
    memsys_load_cr3(&g->cpu[0], g->mmu.cr3, 0, true);
    memsys_flush_tlb(&g->cpu[0], true);
    load(g, 0, 0x10000);
    is_u64(n->walk_steps, 19, "and so does a flush of everything");
    rig_destroy(g);
}

/* Random walks: the entries read are those that no paging-structure cache has, by a list
 * of the regions used last. */
static void test_psc_random(void)
{
    enum { DEPTH = 3 };
    struct smp_config c = usual(1);
    c.cpu.translation = TRANSLATE_TABLES;
    c.cpu.tlb[0] = c.cpu.tlb[1] = (struct tlb_config){0};
    c.cpu.psc[2] = 3;
    c.cpu.psc[3] = 2;
    c.cpu.psc[4] = 1;
    struct rig *g = rig_create(&c);
    struct prng r = {5};
    uint64_t list[5][DEPTH], used[5] = {0}, steps = 0, wrong = 0;
    g->probe.stop = UINT64_MAX;
    for (int i = 0; i < 4000; i++) {
        const uint64_t va = prng_below(&r, 2) << 39 | prng_below(&r, 3) << 30 |
                            prng_below(&r, 4) << 21 | prng_below(&r, 2) << 12;
        if (i < 200) {
            map(g, va, (0x200 + prng_below(&r, 64)) << 12, PTE_W);
            memsys_op_all(&g->cpu[0], CACHE_FLUSH, OP_ALL);
        }
        if (prng_one_in(&r, 40)) {
            memsys_invlpg(&g->cpu[0], 0);
            memset(used, 0, sizeof used);
        }
        uint32_t from = 4, n = (uint32_t)g->cpu[0].s->n.faults;
        for (uint32_t level = 4; level >= 2; level--) {
            for (uint64_t k = 0; k < used[level]; k++) {
                from = list[level][k] == va >> (12 + 9 * (level - 1)) ? level - 1 : from;
            }
        }
        load(g, 0, va);
        if (g->cpu[0].s->n.faults != n) { /* not mapped: those that va uses are gone */
            memsys_invlpg(&g->cpu[0], 0);
            memset(used, 0, sizeof used);
            steps = g->cpu[0].s->n.walk_steps;
            continue;
        }
        steps += from;
        wrong += steps != g->cpu[0].s->n.walk_steps;
        for (uint32_t level = 2; level <= 4; level++) {
            const uint64_t key = va >> (12 + 9 * (level - 1));
            uint64_t at = 0;
            while (at < used[level] && list[level][at] != key) {
                at++;
            }
            if (level < from + 1 && at < used[level]) {
                continue; /* below where the walk began: not there */
            }
            if (level > from + 1) {
                continue; /* above it: not asked */
            }
            used[level] += at == used[level] && at < c.cpu.psc[level];
            at = at < used[level] ? at : used[level] - 1;
            memmove(&list[level][1], &list[level][0], at * sizeof list[0][0]);
            list[level][0] = key;
        }
    }
    ok(!wrong, "random walks read as many entries as the list says");
    rig_destroy(g);
}

static void test_hazards(void)
{
    struct smp_config c = usual(1);
    c.cpu.translation = TRANSLATE_TABLES;
    c.cpu.tagging = TAG_VIVT;
    c.cpu.detect = true;
    struct rig *g = rig_create(&c);
    const struct memsys_tally *n = &g->cpu[0].s->n;
    map(g, 0x10000, 0x100000, PTE_W);
    map(g, 0x20000, 0x100000, PTE_W);
    store(g, 0, 0x10000, 1);
    is_u64(n->synonyms, 0, "one name: no synonym");
    load(g, 0, 0x20000);
    is_u64(n->synonyms, 1, "a second name for a line that is there: a synonym");
    is_hex(last_event(g, HW_EV_SYNONYM)->arg[1], 0x100000, "of this line");
    map(g, 0x10000, 0x101000, PTE_W);
    struct hazards h = memsys_hazards(&g->cpu[0], 0x10000, ACCESS_READ);
    ok(h.homonym && h.used_pa == 0x100000 && h.tables_pa == 0x101000,
       "mapped anew: the virtual hit is another frame's line");
    load(g, 0, 0x10000);
    is_u64(n->homonyms, 1, "it is announced");
    h = memsys_hazards(&g->cpu[0], 0x10040, ACCESS_READ);
    ok(h.stale_entry && h.tlb_level == 1, "the next line would use a stale TLB entry");
    load(g, 0, 0x10040);
    is_u64(n->stale_entries, 1, "it is announced");
    memsys_invlpg(&g->cpu[0], 0x10000);
    memsys_op_all(&g->cpu[0], CACHE_FLUSH, OP_ALL);
    load(g, 0, 0x10000);
    is_u64(n->homonyms + n->stale_entries, 2, "after both flushes nothing is wrong");
    rig_destroy(g);
}

/* A store over two pages writes nothing when the second faults. */
static void test_crossing(enum tagging tagging, bool full)
{
    struct smp_config c = usual(1);
    c.cpu.translation = TRANSLATE_TABLES;
    c.cpu.tagging = tagging;
    c.cpu.coherent = full;
    struct rig *g = rig_create(&c);
    map(g, 0x10000, 0x100000, PTE_W);
    map(g, 0x11000, 0x101000, 0);
    g->mmu.wp = true;
    memsys_set_mmu(&g->cpu[0], &g->mmu);
    uint64_t v = UINT64_MAX;
    ok(!memsys_access(&g->cpu[0], 0x10ffc, 8, ACCESS_WRITE, &v), "tags %d: it faults",
       tagging);
    is_hex(g->cpu[0].s->fault.cr2, 0x11000, "in the second page");
    memsys_access(&g->cpu[0], 0x10ff8, 8, ACCESS_READ, &v);
    is_hex(v, 0, "and nothing was written");
    memsys_op_all(&g->cpu[0], CACHE_FLUSH, OP_ALL); /* L2 holds the table */
    map(g, 0x11000, 0x101000, PTE_W);
    memsys_invlpg(&g->cpu[0], 0x11000);
    v = UINT64_MAX;
    ok(memsys_access(&g->cpu[0], 0x10ffc, 8, ACCESS_WRITE, &v), "mended, it writes");
    memsys_access(&g->cpu[0], 0x10ffc, 8, ACCESS_READ, &v);
    is_hex(v, UINT64_MAX, "both parts");
    rig_destroy(g);
}

static void test_sizes(void)
{
    struct smp_config c = usual(1);
    struct rig *g = rig_create(&c);
    int wrong = 0;
    for (uint32_t size = 1; size <= 16; size++) {
        for (uint64_t at = 0x1ff0; at <= 0x2000; at++) {
            unsigned char in[16], out[16];
            for (uint32_t i = 0; i < size; i++) {
                in[i] = (unsigned char)(size * 31 + at + i);
            }
            wrong += !ram_write(&g->ram, paddr(at), in, size);
            wrong += !ram_read(&g->ram, paddr(at), out, size);
            wrong += memcmp(in, out, size) != 0;
            wrong += !memsys_access(&g->cpu[0], at + 0x4000, size, ACCESS_WRITE, in);
            wrong += !memsys_access(&g->cpu[0], at + 0x4000, size, ACCESS_READ, out);
            wrong += memcmp(in, out, size) != 0;
        }
    }
    ok(!wrong, "1 to 16 bytes at any address, in RAM and through the caches");
    rig_destroy(g);
}

static void test_cycles(void)
{
    struct smp_config c = usual(2);
    c.cpu.tlb[0] = c.cpu.tlb[1] = (struct tlb_config){0};
    struct rig *g = rig_create(&c);
    load(g, 0, 0x1000);
    struct cycles y = memsys_last_cycles(&g->cpu[0]);
    is_u64(y.total, 4 + 10 + 176, "Nehalem: a miss everywhere");
    is_u64(y.memory, 176, "of it memory");
    load(g, 0, 0x1000);
    is_u64(memsys_last_cycles(&g->cpu[0]).total, 4, "a hit");
    store(g, 1, 0x1000, 1);
    load(g, 0, 0x1000);
    is_u64(memsys_last_cycles(&g->cpu[0]).total, 4 + 10 + 83,
           "a line that another cache had changed");
    y = memsys_cycles(&g->cpu[0]);
    is_u64(y.total, 190 + 4 + 97, "all of it");
    is_u64(y.accesses, 3, "for three accesses");
    for (size_t i = 0; cost_models(i); i++) {
        const struct cost_model *m = cost_models(i);
        ok(m->l1 && m->l1 <= m->l2 + m->l1 && m->l2 < m->memory && m->source[0] &&
               cost_model_by_name(m->name) == m,
           "cost model %s", m->name);
    }
    rig_destroy(g);
}

int main(void)
{
    test_mesi(false);
    test_mesi(true);
    test_no_coherence();
    test_inclusion(INCLUSION_NONE);
    test_inclusion(INCLUSION_INCLUSIVE);
    test_inclusion(INCLUSION_EXCLUSIVE);
    test_dma(true);
    test_dma(false);
    test_memory_types();
    test_shootdown();
    test_psc();
    test_psc_random();
    test_hazards();
    test_crossing(TAG_VIVT, false);
    test_crossing(TAG_VIVT, true);
    test_crossing(TAG_VIPT, false);
    test_crossing(TAG_VIPT, true);
    test_sizes();
    test_cycles();
    return done_testing();
}
