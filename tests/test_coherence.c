/* hw/smp.c, hw/snoop.c: what several processors and a device see of each other's writes.
 *
 * Coherent: after random loads, stores, fetches, flushes and DMA on 1 to 4 CPUs, on
 * random configurations (tags, inclusion, private or shared L2, write policy, memory
 * types, paging-structure caches), a load returns the last store and every invariant
 * holds. And each line's MESI state in each CPU is the one of the textbook's table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "host.h"
#include "prng.h"
#include "smp.h"
#include "tap.h"

enum { FRAMES = 4096, PAGES = 24, BASE = 0x400000, TABLES = 0x600000, CPUS = 4 };

struct rig {
    struct arena arena;
    struct ram ram;
    struct probe probe;
    struct smp smp;
    struct memsys cpu[CPUS];
    struct mmu mmu;
    uint64_t next_table;
    uint64_t entry[PAGES]; /* where each page's table entry is */
    uint32_t entry_bytes;
};

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

/* A hook that takes a digest at each event takes the marks away; its owner gives them
 * back. */
static void take_digest(struct probe *p, const struct event *ev)
{
    struct rig *g = p->slow_ctx;
    (void)ev;
    arena_digest(&g->arena);
}
static void mark_again(struct probe *p)
{
    struct rig *g = p->slow_ctx;
    smp_mark(&g->smp);
}

static const char *const tag_names[] = {"PIPT", "VIPT", "VIVT", "VIVT+ASID"};
static const char *const inclusion_names[] = {"neither", "inclusive", "exclusive"};

static void rig_create(struct rig *g, const struct smp_config *c, enum paging paging,
                       struct prng *r)
{
    const char *part = "";
    memset(g, 0, sizeof *g);
    g->probe.stop = UINT64_MAX;
    const char *error = smp_config_error(c, &part);
    if (error) {
        diag("%s: %s", part, error);
        bail_out("a bad configuration");
    }
    if (!arena_create(&g->arena, (size_t)1 << 28, &host_memory) ||
        !ram_create(&g->ram, &g->arena, FRAMES) ||
        !smp_create(&g->smp, g->cpu, &g->arena, &g->ram, &g->probe, c)) {
        bail_out("no arena");
    }
    g->next_table = 17;
    g->mmu = (struct mmu){.paging = paging,
                          .cr3 = 16 << PAGE_SHIFT,
                          .physical_bits = paging == PAGING_I386 ? 32 : 40,
                          .wp = true,
                          .pse = true,
                          .pge = true,
                          .nxe = paging != PAGING_I386};
    if (c->cpu.tagging == TAG_VIVT_ASID) {
        g->mmu.pcid = 5;
    }
    const struct mmu_bus bus = {bus_read, bus_write, &g->ram};
    for (uint64_t page = 0; page < PAGES; page++) {
        uint64_t flags = PTE_W;
        if (c->cpu.memory_types && r) {
            /* any slot but WC's: what waits in a buffer is no store yet */
            static const uint64_t slots[] = {0, 2, 3, 4, 5, 6, 7};
            uint64_t slot = slots[prng_below(r, 7)];
            flags |= (slot & 1 ? PTE_PWT : 0) | (slot & 2 ? PTE_PCD : 0) |
                     (slot & 4 ? PTE_PAT : 0);
        }
        if (!mmu_map(&g->mmu, BASE + (page << 12), (0x300 + page) << 12, flags, PAGE_4K,
                     &bus, table, g)) {
            bail_out("a page cannot be mapped");
        }
    }
    for (uint64_t page = 0; page < PAGES; page++) {
        struct walk w;
        mmu_peek(&g->mmu, BASE + (page << 12), ACCESS_READ, &bus, &w);
        g->entry[page] = w.step[w.nr_steps - 1].at;
    }
    g->entry_bytes = paging == PAGING_I386 ? 4 : 8;
    for (uint64_t frame = 16; frame < 32; frame++) { /* the tables, for software */
        mmu_map(&g->mmu, TABLES + (frame << 12), frame << 12, PTE_W, PAGE_4K, &bus, table,
                g);
    }
    for (uint32_t i = 0; i < c->nr_cpus; i++) {
        memsys_set_mmu(&g->cpu[i], &g->mmu);
    }
}

static struct cache_config random_cache(struct prng *r, uint32_t line, uint32_t sets)
{
    struct cache_config c = {.sets = sets,
                             .ways = 1 + (uint32_t)prng_below(r, 4),
                             .line_bytes = line,
                             .policy = (enum cache_policy)prng_below(r, 4),
                             .seed = prng_next(r)};
    if (c.policy == POLICY_PLRU) {
        c.ways = 1u << prng_below(r, 3);
    } else if (prng_one_in(r, 6)) {
        c.sets = 3 + (uint32_t)prng_below(r, 6);
    } else if (prng_one_in(r, 8)) {
        c.ways = 17;
    }
    return c;
}

static struct smp_config random_config(struct prng *r)
{
    struct smp_config c = {.nr_cpus = 1 + (uint32_t)prng_below(r, CPUS),
                           .shared_l2 = prng_one_in(r, 2)};
    struct memsys_config *m = &c.cpu;
    uint32_t line = 16u << prng_below(r, 3);
    m->coherent = m->data = true;
    m->inclusion = (enum inclusion)prng_below(r, 3);
    m->tagging = (enum tagging)prng_below(r, 4);
    m->translation = TRANSLATE_TABLES;
    line = m->tagging == TAG_VIVT_ASID && line < 32 ? 32 : line;
    m->l2 = random_cache(r, line, 1u << prng_below(r, 5));
    for (int s = 0; s < NR_SIDES; s++) {
        m->l1[s] = random_cache(r, line, 1u << prng_below(r, 4));
        m->tlb[s] = (struct tlb_config){.entries = 8, .ways = 2};
    }
    if (m->inclusion != INCLUSION_EXCLUSIVE) {
        m->l2.line_bytes <<= prng_below(r, 2);
        m->l1[SIDE_I].line_bytes = line << (m->l2.line_bytes > line && prng_one_in(r, 2));
        m->write_through = prng_one_in(r, 3);
        m->no_write_allocate = m->write_through && prng_one_in(r, 2);
        if (m->inclusion == INCLUSION_NONE && prng_one_in(r, 4)) {
            m->l2.ways = 0;
        }
        if (m->tagging == TAG_PIPT && prng_one_in(r, 6)) {
            m->l1[prng_below(r, 2)].ways = 0;
        }
    }
    if (prng_one_in(r, 2)) {
        m->stlb = (struct tlb_config){.entries = 16, .ways = 4};
    }
    if (prng_one_in(r, 2)) {
        m->psc[2] = 1 + (uint32_t)prng_below(r, 4);
        m->psc[3] = (uint32_t)prng_below(r, 3);
        m->psc[4] = (uint32_t)prng_below(r, 3);
    }
    m->causes = prng_one_in(r, 4);
    m->detect = prng_one_in(r, 4);
    m->memory_types = prng_one_in(r, 2);
    m->pat = PAT_LINUX;
    m->wc_buffers = (uint32_t)prng_below(r, 4);
    return c;
}

static void diag_config(const struct smp_config *c)
{
    const struct memsys_config *m = &c->cpu;
    diag("%u CPUs, L2 %s, %s, %s, write-%s%s, types %d, PSC %u, L1 %u x %u x %u, L2 %u x "
         "%u x %u",
         c->nr_cpus, c->shared_l2 ? "shared" : "private", inclusion_names[m->inclusion],
         tag_names[m->tagging], m->write_through ? "through" : "back",
         m->no_write_allocate ? " without allocate" : "", m->memory_types, m->psc[2],
         m->l1[1].sets, m->l1[1].ways, m->l1[1].line_bytes, m->l2.sets, m->l2.ways,
         m->l2.line_bytes);
}

/* What was stored last: each page has two frames, and one of them now. */
struct truth {
    unsigned char bytes[2][PAGES << 12];
    uint8_t which[PAGES];
};
static struct truth shadow;
enum { BYTES = PAGES << 12 };

static unsigned char *truth_of(uint64_t at)
{
    return &shadow.bytes[shadow.which[at >> 12]][at];
}
static uint64_t pa_of(uint64_t at)
{
    return at + ((uint64_t)(0x300 + 0x40 * shadow.which[at >> 12]) << 12);
}

static bool is_true(uint64_t at, const unsigned char *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (bytes[i] != *truth_of(at + i)) {
            return false;
        }
    }
    return true;
}

static void new_bytes(struct prng *r, uint64_t at, unsigned char *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = *truth_of(at + i) = (unsigned char)prng_next(r);
    }
}

/* A CPU gives a page its other frame, as an operating system does: flush it from the
 * caches, store the entry, and have all forget the translation. */
static const char *remap(struct rig *g, struct memsys *m, uint64_t page)
{
    const uint64_t va = TABLES + g->entry[page], all = UINT64_MAX;
    const uint64_t old = pa_of(page << 12) >> 12, new = old ^ 0x40;
    const uint32_t nr = g->smp.config.nr_cpus;
    const struct tlb_flush flush = {
        .kind = TLB_FLUSH_RANGE, .va = BASE + (page << 12), .nr_pages = 1};
    uint64_t entry = 0;
    if (!memsys_op_page(m, BASE + (page << 12), CACHE_FLUSH, OP_ALL) ||
        !memsys_access(m, va, g->entry_bytes, ACCESS_READ, &entry)) {
        return "a table cannot be read";
    }
    uint64_t same = 0;
    smp_dma_read(&g->smp, g->entry[page], &same, g->entry_bytes);
    if ((entry >> 12 & 0xfffff) != old || entry != same) {
        return "software reads an old table entry";
    }
    entry ^= (old ^ new) << 12;
    memsys_access(m, va, g->entry_bytes, ACCESS_WRITE, &entry);
    smp_shootdown(&g->smp, m->cpu, all >> (64 - nr), &flush);
    shadow.which[page] ^= 1;
    return NULL;
}

/* One random operation. NULL, or what went wrong. */
static const char *random_op(struct rig *g, struct prng *r)
{
    const uint32_t nr = g->smp.config.nr_cpus, cpu = (uint32_t)prng_below(r, nr);
    struct memsys *m = &g->cpu[cpu];
    unsigned char bytes[96];
    const uint32_t size =
        prng_one_in(r, 8) ? 1 + (uint32_t)prng_below(r, 96) : 1u << prng_below(r, 5);
    const uint64_t at = prng_one_in(r, 3) ? prng_below(r, BYTES - size)
                                          : prng_below(r, 40) * 101 % (BYTES - size);
    const uint64_t va = BASE + at;
    /* a device does not cross pages */
    const uint32_t dma = size < 4096 - at % 4096 ? size : 4096 - (uint32_t)at % 4096;
    switch (prng_below(r, 21)) {
    case 0:
        smp_dma_read(&g->smp, pa_of(at), bytes, dma);
        return is_true(at, bytes, dma) ? NULL : "a device reads what is old";
    case 1:
        new_bytes(r, at, bytes, dma);
        smp_dma_write(&g->smp, pa_of(at), bytes, dma);
        return NULL;
    case 2: {
        const enum cache_op op = prng_one_in(r, 2) ? CACHE_CLEAN : CACHE_FLUSH;
        switch (prng_below(r, 12)) {
        case 0:
            memsys_op_all(m, op, OP_ALL);
            return NULL;
        case 1:
            return memsys_op_page(m, va, op, OP_ALL) ? NULL : "a page's flush faults";
        default:
            return memsys_op_line(m, va, op, (unsigned)prng_below(r, 8))
                       ? NULL
                       : "a line's flush faults";
        }
    }
    case 3: {
        const struct tlb_flush all = {.kind = TLB_FLUSH_NOT_GLOBAL},
                               page = {.kind = TLB_FLUSH_RANGE, .va = va, .nr_pages = 2};
        const uint64_t mask = prng_next(r) & (((uint64_t)1 << nr) - 1);
        return smp_shootdown(&g->smp, cpu, mask, prng_one_in(r, 3) ? &all : &page) == mask
                   ? NULL
                   : "an interrupt was not acknowledged";
    }
    case 4:
    case 5:
    case 6:
        if (!memsys_access(m, va, size, ACCESS_FETCH, bytes)) {
            return "a fetch faults";
        }
        return is_true(at, bytes, size) ? NULL : "a fetch sees what is old";
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        new_bytes(r, at, bytes, size);
        return memsys_access(m, va, size, ACCESS_WRITE, bytes) ? NULL : "a store faults";
    case 12:
        return prng_one_in(r, 4) ? remap(g, m, at >> 12) : NULL;
    default:
        if (!memsys_access(m, va, size, ACCESS_READ, bytes)) {
            return "a load faults";
        }
        return is_true(at, bytes, size) ? NULL : "a load sees what is old";
    }
}

static void test_coherent(struct prng *r, int number)
{
    static struct rig g;
    const enum paging pagings[] = {PAGING_I386, PAGING_PAE, PAGING_4LEVEL, PAGING_5LEVEL};
    const struct smp_config c = random_config(r);
    const char *broken = NULL;
    int i = 0;
    rig_create(&g, &c, pagings[prng_below(r, 4)], r);
    memset(&shadow, 0, sizeof shadow);
    struct snapshot *middle = NULL;
    struct prng again = {0};
    static struct truth shadow_then;
    for (; i < 3000 && !broken; i++) {
        if (i == 2000) {
            middle = arena_snapshot(&g.arena);
            again = *r;
            shadow_then = shadow;
        }
        broken = random_op(&g, r);
        broken = broken || i % 8 ? broken : smp_check(&g.smp);
    }
    if (!broken) { /* back in time, and the same again */
        broken = arena_check(&g.arena);
        const uint64_t digest = arena_digest(&g.arena);
        arena_restore(&g.arena, middle);
        smp_forget(&g.smp);
        shadow = shadow_then;
        g.probe.slow = take_digest;
        g.probe.after = mark_again;
        g.probe.slow_ctx = &g;
        g.probe.stop = number % 4 ? UINT64_MAX : 0;
        for (int k = 2000; k < 3000 && !broken; k++) {
            broken = random_op(&g, &again);
        }
        broken = broken || arena_digest(&g.arena) == digest
                     ? broken
                     : "the same operations leave other bytes";
        snapshot_unref(&g.arena, middle);
    }
    for (uint32_t cpu = 0; cpu < c.nr_cpus && !broken; cpu++) {
        memsys_op_all(&g.cpu[cpu], CACHE_FLUSH, OP_ALL);
    }
    for (uint64_t at = 0; at < 2 * BYTES && !broken; at += 64) {
        unsigned char bytes[64];
        const uint64_t which = at / BYTES, in = at % BYTES;
        ram_read(&g.ram, paddr(((0x300 + 0x40 * which) << 12) + in), bytes, sizeof bytes);
        broken = memcmp(bytes, &shadow.bytes[which][in], 64)
                     ? "memory is old after all flushes"
                     : NULL;
    }
    broken = broken ? broken : arena_check(&g.arena);
    if (!ok(!broken, "coherent %d: a load returns the last store", number)) {
        diag("after %d operations: %s", i, broken);
        diag_config(&c);
    }
    arena_destroy(&g.arena);
}

/* ---- the states, against the textbook's table ---- */

/* Caches without end: a line is where it was put until a transaction takes it. */
static void test_states(struct prng *r, bool shared, bool with_l2)
{
    static struct rig g;
    static enum mesi state[CPUS][64];
    struct smp_config c = {.nr_cpus = CPUS, .shared_l2 = shared};
    c.cpu = (struct memsys_config){
        .tagging = TAG_PIPT, .translation = TRANSLATE_IDENTITY, .coherent = true};
    c.cpu.l1[0] = c.cpu.l1[1] =
        (struct cache_config){.sets = 64, .ways = 4, .line_bytes = 64};
    if (with_l2) {
        c.cpu.l2 = (struct cache_config){.sets = 256, .ways = 8, .line_bytes = 64};
    }
    rig_create(&g, &c, PAGING_4LEVEL, NULL);
    memset(state, 0, sizeof state);
    uint64_t rd = 0, rdx = 0, upgr = 0, wrong = 0;
    for (int i = 0; i < 20000; i++) {
        const uint32_t cpu = (uint32_t)prng_below(r, CPUS);
        const uint64_t line = prng_below(r, 64);
        const bool write = prng_one_in(r, 3);
        enum mesi *own = &state[cpu][line];
        bool others = false;
        memsys_access(&g.cpu[cpu], line * 64, 8, write ? ACCESS_WRITE : ACCESS_READ,
                      NULL);
        rd += *own == MESI_I && !write;
        rdx += *own == MESI_I && write;
        upgr += *own == MESI_S && write;
        for (uint32_t o = 0; o < CPUS; o++) {
            enum mesi *s = &state[o][line];
            if (o != cpu && *s != MESI_I && (write || *own == MESI_I)) {
                others = true;
                *s = write ? MESI_I : MESI_S;
            }
        }
        *own = write ? MESI_M : *own != MESI_I ? *own : others ? MESI_S : MESI_E;
        for (uint32_t o = 0; o < CPUS; o++) {
            struct cache *l1 = &g.cpu[o].front[SIDE_D].l1;
            struct cache_set *s = cache_set_of(l1, line);
            uint32_t way = cache_find(l1, s, line);
            enum mesi real =
                way == CACHE_NO_WAY ? MESI_I : cache_mesi(*cache_attr(l1, s, way));
            wrong += real != state[o][line];
        }
    }
    ok(!wrong && !smp_check(&g.smp), "%s L2: the states are the textbook's",
       !with_l2 ? "no"
       : shared ? "shared"
                : "private");
    uint64_t bus[NR_BUS_KINDS] = {0};
    for (uint32_t o = 0; o < CPUS; o++) {
        for (int k = 0; k < NR_BUS_KINDS; k++) {
            bus[k] += g.cpu[o].s->n.bus[k];
        }
    }
    is_u64(bus[BUS_RD], rd, "and so many BusRd");
    is_u64(bus[BUS_RDX], rdx, "BusRdX");
    is_u64(bus[BUS_UPGR], upgr, "BusUpgr");
    arena_destroy(&g.arena);
}

int main(int argc, char **argv)
{
    struct prng r = {argc > 1 ? strtoull(argv[1], NULL, 0) : 20261123};
    const int nr = argc > 2 ? atoi(argv[2]) : 120;
    for (int i = 0; i < nr; i++) {
        test_coherent(&r, i);
    }
    test_states(&r, false, true);
    test_states(&r, true, true);
    test_states(&r, false, false);
    return done_testing();
}
