/* hw/smp.c without snooping: what goes wrong must go wrong exactly so.
 *
 * Beside the machine runs a naive one: each cache a list of lines with their bytes, each
 * CPU with its own, nobody asking anybody. After random loads, stores, fetches, flushes
 * and DMA on 1 to 4 CPUs every load gives what the naive machine gives, stale or not.
 * Half of the machines have page tables with two names for each frame instead of an L2.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "host.h"
#include "memsys_full.h"
#include "naive_cache.h"
#include "prng.h"
#include "smp.h"
#include "tap.h"

enum { FRAMES = 512, PAGES = 12, CPUS = 4, FIRST = 0x100, RAM_BYTES = PAGES << 12 };

/* ---- the naive machine ---- */

struct naive_store { /* a cache and its lines' bytes */
    struct naive_cache c;
    unsigned char *bytes;
    uint32_t line;
};

struct naive {
    struct smp_config config;
    struct naive_store l1[CPUS][NR_SIDES], l2[CPUS];
    unsigned char ram[RAM_BYTES]; /* from FIRST << 12 on */
};

static void store_init(struct naive_store *s, const struct cache_config *c)
{
    naive_init(&s->c, c->sets, c->ways, c->policy);
    s->line = c->line_bytes;
    s->bytes = calloc((size_t)c->sets * c->ways + 1, c->line_bytes + 1);
}

static void store_free(struct naive_store *s)
{
    naive_free(&s->c);
    free(s->bytes);
}

static unsigned char *bytes_of(struct naive_store *s, const struct naive_line *l)
{
    return s->bytes + (size_t)(l - s->c.line) * s->line;
}

static struct naive_store *l2_of(struct naive *v, uint32_t cpu)
{
    return &v->l2[v->config.shared_l2 ? 0 : cpu];
}

static unsigned char *ram_of(struct naive *v, uint64_t pa)
{
    return v->ram + (pa - ((uint64_t)FIRST << 12));
}

static struct naive_line *l2_find(struct naive_store *l2, uint64_t pa)
{
    uint64_t line = pa / l2->line;
    return naive_find(&l2->c, (uint32_t)(line % l2->c.sets), line);
}

/* An L2 line loses what the L1s above it hold. */
static void lose_above(struct naive *v, uint32_t cpu, struct naive_store *l2,
                       struct naive_line *line, bool merge)
{
    const uint64_t pa = line->key * l2->line;
    for (uint32_t o = 0; o < v->config.nr_cpus; o++) {
        for (int side = 0; side < NR_SIDES && (o == cpu || v->config.shared_l2); side++) {
            struct naive_store *l1 = &v->l1[o][side];
            for (uint32_t i = 0; i < l1->c.sets * l1->c.ways; i++) {
                struct naive_line *l = &l1->c.line[i];
                const uint64_t home = l->home * l1->line;
                if (!l->valid || home < pa || home >= pa + l2->line) {
                    continue;
                }
                if (l->dirty && merge) {
                    memcpy(bytes_of(l2, line) + (home - pa), bytes_of(l1, l), l1->line);
                    line->dirty = true;
                }
                l->valid = false;
            }
        }
    }
}

/* The line in L2, fetched if need be. */
static struct naive_line *l2_get(struct naive *v, uint32_t cpu, uint64_t pa)
{
    struct naive_store *l2 = l2_of(v, cpu);
    const uint64_t line = pa / l2->line;
    const uint32_t set = (uint32_t)(line % l2->c.sets);
    struct naive_line *l = l2_find(l2, pa);
    if (l) {
        naive_use(&l2->c, set, l);
        return l;
    }
    l = naive_victim(&l2->c, set);
    if (l->valid && v->config.cpu.inclusion == INCLUSION_INCLUSIVE) {
        lose_above(v, cpu, l2, l, true);
    }
    if (l->valid && l->dirty) {
        memcpy(ram_of(v, l->key * l2->line), bytes_of(l2, l), l2->line);
    }
    memcpy(bytes_of(l2, l), ram_of(v, line * l2->line), l2->line);
    naive_put(&l2->c, set, l, line, line, false);
    return l;
}

static void below_read(struct naive *v, uint32_t cpu, uint64_t pa, void *to,
                       uint32_t size)
{
    if (!v->config.cpu.l2.ways) {
        memcpy(to, ram_of(v, pa), size);
        return;
    }
    struct naive_store *l2 = l2_of(v, cpu);
    memcpy(to, bytes_of(l2, l2_get(v, cpu, pa)) + pa % l2->line, size);
}

static void below_write(struct naive *v, uint32_t cpu, uint64_t pa, const void *from,
                        uint32_t size)
{
    if (!v->config.cpu.l2.ways) {
        memcpy(ram_of(v, pa), from, size);
        return;
    }
    struct naive_store *l2 = l2_of(v, cpu);
    struct naive_line *l = l2_get(v, cpu, pa);
    memcpy(bytes_of(l2, l) + pa % l2->line, from, size);
    l->dirty = true;
}

/* Two names for each frame, and the frames in another order. */
static uint64_t translate(const struct naive *v, uint64_t va)
{
    if (v->config.cpu.translation == TRANSLATE_IDENTITY) {
        return va;
    }
    uint64_t page = (va >> 12) - FIRST;
    return (FIRST + page * 5 % PAGES) << 12 | (va & 4095);
}

static void naive_part(struct naive *v, uint32_t cpu, uint64_t va, unsigned char *bytes,
                       uint32_t size, enum access_kind access)
{
    const struct memsys_config *c = &v->config.cpu;
    struct naive_store *l1 = &v->l1[cpu][access != ACCESS_FETCH];
    const uint64_t pa = translate(v, va), index = c->tagging == TAG_PIPT ? pa : va;
    const uint64_t key = (c->tagging >= TAG_VIVT ? va : pa) / l1->line;
    const uint32_t set = (uint32_t)(index / l1->line % l1->c.sets);
    const bool write = access == ACCESS_WRITE;
    struct naive_line *l = naive_find(&l1->c, set, key);
    if (!l && write && c->no_write_allocate) {
        below_write(v, cpu, pa, bytes, size);
        return;
    }
    if (l) {
        naive_use(&l1->c, set, l);
    } else {
        unsigned char fresh[256];
        below_read(v, cpu, pa - pa % l1->line, fresh, l1->line);
        l = naive_victim(&l1->c, set);
        if (l->valid && l->dirty) {
            below_write(v, cpu, l->home * l1->line, bytes_of(l1, l), l1->line);
        }
        memcpy(bytes_of(l1, l), fresh, l1->line);
        naive_put(&l1->c, set, l, key, pa / l1->line, false);
    }
    unsigned char *at = bytes_of(l1, l) + va % l1->line;
    if (!write) {
        memcpy(bytes, at, size);
        return;
    }
    memcpy(at, bytes, size);
    if (c->write_through) {
        below_write(v, cpu, l->home * l1->line + va % l1->line, bytes, size);
    } else {
        l->dirty = true;
    }
}

static void naive_access(struct naive *v, uint32_t cpu, uint64_t va, unsigned char *bytes,
                         uint32_t size, enum access_kind access)
{
    const uint32_t line = v->l1[cpu][access != ACCESS_FETCH].line;
    for (uint64_t at = va, end; at < va + size; at = end) {
        end = at - at % line + line < va + size ? at - at % line + line : va + size;
        naive_part(v, cpu, at, bytes + (at - va), (uint32_t)(end - at), access);
    }
}

static void naive_op_line(struct naive *v, uint32_t cpu, uint64_t va, enum cache_op op,
                          unsigned where)
{
    const struct memsys_config *c = &v->config.cpu;
    const uint64_t pa = translate(v, va);
    for (int side = 0; side < NR_SIDES; side++) {
        struct naive_store *l1 = &v->l1[cpu][side];
        for (uint32_t i = 0; i < l1->c.sets * l1->c.ways && where >> side & 1; i++) {
            struct naive_line *l = &l1->c.line[i];
            if (!l->valid || (c->tagging >= TAG_VIVT ? l->key != va / l1->line
                                                     : l->home != pa / l1->line)) {
                continue;
            }
            if ((op & CACHE_CLEAN) && l->dirty) {
                below_write(v, cpu, l->home * l1->line, bytes_of(l1, l), l1->line);
                l->dirty = false;
            }
            l->valid = l->valid && !(op & CACHE_INVALIDATE);
        }
    }
    struct naive_store *l2 = l2_of(v, cpu);
    struct naive_line *l = c->l2.ways && where & OP_L2 ? l2_find(l2, pa) : NULL;
    if (!l) {
        return;
    }
    if (op & CACHE_INVALIDATE && c->inclusion == INCLUSION_INCLUSIVE) {
        lose_above(v, cpu, l2, l, op & CACHE_CLEAN);
    }
    if ((op & CACHE_CLEAN) && l->dirty) {
        memcpy(ram_of(v, l->key * l2->line), bytes_of(l2, l), l2->line);
        l->dirty = false;
    }
    l->valid = !(op & CACHE_INVALIDATE);
}

/* ---- both ---- */

struct rig {
    struct arena arena;
    struct ram ram;
    struct probe probe;
    struct smp smp;
    struct memsys cpu[CPUS];
    uint64_t next_table;
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

static void both_create(struct rig *g, struct naive *v, const struct smp_config *c)
{
    memset(g, 0, sizeof *g);
    memset(v, 0, sizeof *v);
    g->probe.stop = UINT64_MAX;
    if (!arena_create(&g->arena, (size_t)1 << 27, &host_memory) ||
        !ram_create(&g->ram, &g->arena, FRAMES) ||
        !smp_create(&g->smp, g->cpu, &g->arena, &g->ram, &g->probe, c)) {
        bail_out("no arena");
    }
    v->config = *c;
    g->next_table = 17;
    const struct mmu_bus bus = {bus_read, bus_write, &g->ram};
    const struct mmu mmu = {
        .paging = PAGING_4LEVEL, .cr3 = 16 << 12, .physical_bits = 40, .nxe = true};
    for (uint64_t page = 0; page < 2 * PAGES; page++) {
        uint64_t va = (FIRST + page) << 12;
        struct naive only = {.config.cpu.translation = TRANSLATE_TABLES};
        mmu_map(&mmu, va, translate(&only, va), PTE_W, PAGE_4K, &bus, table, g);
    }
    for (uint32_t i = 0; i < c->nr_cpus; i++) {
        if (c->cpu.translation == TRANSLATE_TABLES) {
            memsys_set_mmu(&g->cpu[i], &mmu);
        }
        store_init(&v->l2[i], &c->cpu.l2);
        for (int side = 0; side < NR_SIDES; side++) {
            store_init(&v->l1[i][side], &c->cpu.l1[side]);
        }
    }
}

static void both_destroy(struct rig *g, struct naive *v)
{
    for (uint32_t i = 0; i < v->config.nr_cpus; i++) {
        store_free(&v->l2[i]);
        store_free(&v->l1[i][0]);
        store_free(&v->l1[i][1]);
    }
    arena_destroy(&g->arena);
}

static struct cache_config random_cache(struct prng *r, uint32_t line, uint32_t sets)
{
    struct cache_config c = {.sets = prng_one_in(r, 5) ? 3 : sets,
                             .ways = 1 + (uint32_t)prng_below(r, 4),
                             .line_bytes = line,
                             .policy = (enum cache_policy)prng_below(r, 3)};
    c.ways = c.policy == POLICY_PLRU ? 1 : c.ways; /* its tree asks where a line is */
    return c;
}

static struct smp_config random_config(struct prng *r)
{
    struct smp_config c = {.nr_cpus = 1 + (uint32_t)prng_below(r, CPUS),
                           .shared_l2 = prng_one_in(r, 2)};
    struct memsys_config *m = &c.cpu;
    const uint32_t line = 16u << prng_below(r, 3);
    m->data = true;
    m->tagging = (enum tagging)prng_below(r, 3);
    for (int s = 0; s < NR_SIDES; s++) {
        m->l1[s] = random_cache(r, line, 1u << prng_below(r, 6));
        m->tlb[s] = (struct tlb_config){.entries = 8, .ways = 2};
    }
    m->write_through = prng_one_in(r, 3);
    m->no_write_allocate = m->write_through && prng_one_in(r, 2);
    if (prng_one_in(r, 2)) {
        m->translation = TRANSLATE_TABLES;
    } else {
        m->l2 = random_cache(r, line << prng_below(r, 2), 1u << prng_below(r, 5));
        m->inclusion = (enum inclusion)prng_below(r, 2);
    }
    return c;
}

static void test_incoherent(struct prng *r, int number, uint64_t *stale)
{
    static struct rig g;
    static struct naive v;
    static unsigned char shadow[RAM_BYTES];
    const struct smp_config c = random_config(r);
    const uint64_t pages = c.cpu.translation == TRANSLATE_TABLES ? 2 * PAGES : PAGES;
    both_create(&g, &v, &c);
    for (uint32_t i = 0; i < c.nr_cpus; i++) {
        g.cpu[i].full = g.cpu[i].full || number % 2; /* both ways of an access */
    }
    memset(shadow, 0, sizeof shadow);
    uint64_t wrong = 0;
    int i = 0;
    for (; i < 4000 && !wrong; i++) {
        const uint32_t cpu = (uint32_t)prng_below(r, c.nr_cpus);
        unsigned char one[64], two[64];
        const uint32_t size = 1 + (uint32_t)prng_below(r, sizeof one);
        /* inside a page: names of neighbours are no neighbours */
        const uint64_t va =
            ((FIRST + prng_below(r, pages)) << 12) + prng_below(r, 20) * 24;
        const uint64_t pa = translate(&v, va);
        for (uint32_t k = 0; k < size; k++) {
            one[k] = two[k] = (unsigned char)prng_next(r);
        }
        const uint64_t what = prng_below(r, 20);
        if (what == 0) {
            smp_dma_read(&g.smp, pa, one, size);
            memcpy(two, ram_of(&v, pa), size);
        } else if (what == 1) {
            smp_dma_write(&g.smp, pa, one, size);
            memcpy(ram_of(&v, pa), one, size);
            memcpy(ram_of(&v, pa) - v.ram + shadow, one, size);
        } else if (what == 2) {
            const enum cache_op op = (enum cache_op)(1 + prng_below(r, 3));
            const unsigned where = (unsigned)prng_below(r, 8);
            memsys_op_line(&g.cpu[cpu], va, op, where);
            naive_op_line(&v, cpu, va, op, where);
        } else {
            const enum access_kind access = what < 9    ? ACCESS_WRITE
                                            : what < 11 ? ACCESS_FETCH
                                                        : ACCESS_READ;
            memsys_access(&g.cpu[cpu], va, size, access, one);
            naive_access(&v, cpu, va, two, size, access);
            unsigned char *last = ram_of(&v, pa) - v.ram + shadow;
            if (access == ACCESS_WRITE) {
                memcpy(last, one, size);
            } else {
                *stale += memcmp(last, one, size) != 0;
            }
        }
        wrong = memcmp(one, two, size) != 0;
        const char *broken = i % 16 ? NULL : smp_check(&g.smp);
        if (broken) {
            diag("%s", broken);
            wrong++;
        }
    }
    unsigned char ram[RAM_BYTES];
    ram_read(&g.ram, paddr(FIRST << 12), ram, sizeof ram);
    if (!ok(!wrong && !memcmp(ram, v.ram, sizeof ram),
            "incoherent %d: every load as the naive machine's", number)) {
        diag("operation %d; %u CPUs, tags %d, L2 %s %u x %u x %u, inclusion %d, L1D %u x "
             "%u x %u, through %d, allocate %d, full %d",
             i, c.nr_cpus, c.cpu.tagging, c.shared_l2 ? "shared" : "private",
             c.cpu.l2.sets, c.cpu.l2.ways, c.cpu.l2.line_bytes, c.cpu.inclusion,
             c.cpu.l1[1].sets, c.cpu.l1[1].ways, c.cpu.l1[1].line_bytes,
             c.cpu.write_through, !c.cpu.no_write_allocate, g.cpu[0].full);
    }
    both_destroy(&g, &v);
}

int main(int argc, char **argv)
{
    struct prng r = {argc > 1 ? strtoull(argv[1], NULL, 0) : 31};
    uint64_t stale = 0;
    for (int i = 0; i < 100; i++) {
        test_incoherent(&r, i, &stale);
    }
    ok(stale > 1000, "and thousands of loads were stale: %" PRIu64, stale);
    return done_testing();
}
