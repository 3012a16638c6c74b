/* Random operations on the engine and on a naive model side by side (model_alloc.h):
 * every answer must be the same page, every list the same pages in the same order. A
 * sequence that fails is shrunk to the shortest that still does, and printed.
 *
 *   test_model_alloc [ROUNDS [SEED]]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "steps.h"

#include "model_alloc.h"
#include "prng.h"

enum { STEPS = 3000, LIVE = 4096 };

enum step_kind { ALLOC, FREE, DRAIN_LOCAL, DRAIN_ALL, FOLD, MEMALLOC, LRU, SPLIT };

struct step {
    uint8_t kind, cpu, order;
    uint32_t which; /* of the live blocks, or on or off */
    gfp_t gfp;
};

struct live {
    uint32_t page, order;
    bool compound, lru;
};

struct run {
    struct machine *m;
    struct model *o;
    struct live live[LIVE];
    uint32_t nr_live;
    char problem[300];
};

/* ---- the model begins as the machine has booted ---- */

/* One model at a time; what it used is cleared for the next. */
static struct model model;
static struct model_list
    lists[MODEL_ZONES * (MAX_ORDER * MIGRATE_TYPES + MODEL_CPUS * NR_PCP_LISTS)];
static uint32_t nr_lists;

static struct model_list *new_list(void)
{
    lists[nr_lists].nr = 0;
    return &lists[nr_lists++];
}

static void copy_zone(struct model *o, const struct machine *m, uint32_t z)
{
    struct zone_view v = zone_view(m, z);
    struct model_zone *to = &o->zone[z];
    to->type = v.type;
    to->start = v.start_pfn;
    to->end = v.start_pfn + v.spanned;
    to->managed = v.managed;
    to->wmark[0] = v.wmark_min;
    to->wmark[1] = v.wmark_low;
    to->wmark[2] = v.wmark_high;
    memcpy(to->lowmem, v.lowmem_reserve, sizeof to->lowmem);
    to->free = (int64_t)v.free;
    for (uint32_t k = 0; k < MAX_ORDER; k++) {
        for (uint32_t mt = 0; mt < MIGRATE_TYPES; mt++) {
            to->area[k][mt] = new_list();
            for (pfn_t p = freelist_first(m, z, k, mt); !pfn_is_none(p);
                 p = freelist_next(m, p)) {
                model_put_free(o, z, (uint32_t)p.v, k, mt, true);
            }
        }
    }
    for (uint32_t cpu = 0; cpu < o->nr_cpus; cpu++) {
        struct pcp_view pv = pcp_view(m, z, cpu);
        struct model_pcp *c = &to->pcp[cpu];
        c->high = (int)pv.high;
        c->batch = (int)pv.batch;
        c->diff = pv.free_diff;
        c->threshold = pv.stat_threshold;
        for (uint32_t i = 0; i < NR_PCP_LISTS; i++) {
            c->list[i] = new_list();
        }
    }
    uint64_t size = 1ull << machine_pageblock_order(m);
    for (uint64_t p = to->start & ~(size - 1); p < to->end; p += size) {
        *model_block(o, z, p) = (uint8_t)pageblock_type(m, z, pfn(p));
    }
}

static struct model *model_of(const struct machine *m)
{
    struct model *o = &model;
    memset(o->page, 0, machine_max_pfn(m) * sizeof o->page[0]);
    memset(o->zone, 0, sizeof o->zone);
    memset(o->memalloc, 0, sizeof o->memalloc);
    nr_lists = 0;
    o->nr_zones = machine_nr_zones(m);
    o->nr_cpus = machine_nr_cpus(m);
    o->max_order = machine_pageblock_order(m) + 1;
    o->dma32 = m->config.arch == ARCH_X86_64;
    o->highmem = !o->dma32;
    for (uint32_t z = 0; z < o->nr_zones; z++) {
        copy_zone(o, m, z);
    }
    return o;
}

/* ---- comparing ---- */

static bool fail(struct run *r, const char *what, uint32_t z, uint32_t a, uint32_t b)
{
    snprintf(r->problem, sizeof r->problem, "%s (zone %u, %u, %u)", what, z, a, b);
    return false;
}

static bool same_list(const struct model_list *l, const struct machine *m, pfn_t first,
                      pfn_t (*next)(const struct machine *, pfn_t))
{
    uint32_t i = 0;
    for (pfn_t p = first; !pfn_is_none(p); p = next(m, p)) {
        if (i == l->nr || l->page[i++] != p.v) {
            return false;
        }
    }
    return i == l->nr;
}

static bool same_zone(struct run *r, uint32_t z)
{
    const struct machine *m = r->m;
    struct model_zone *want = &r->o->zone[z];
    struct zone_view v = zone_view(m, z);
    int64_t free = want->free > 0 ? want->free : 0;
    if (v.free != (uint64_t)free || v.wmark_boost != want->boost ||
        v.highatomic != (uint64_t)want->highatomic) {
        return fail(r, "free, boost or HighAtomic", z, (uint32_t)v.free, (uint32_t)free);
    }
    for (uint32_t k = 0; k < r->o->max_order; k++) {
        for (uint32_t mt = 0; mt < MIGRATE_TYPES; mt++) {
            if (!same_list(want->area[k][mt], m, freelist_first(m, z, k, mt),
                           freelist_next)) {
                return fail(r, "a free list: order, type", z, k, mt);
            }
        }
    }
    for (uint32_t cpu = 0; cpu < r->o->nr_cpus; cpu++) {
        struct pcp_view p = pcp_view(m, z, cpu);
        const struct model_pcp *c = &want->pcp[cpu];
        if ((int)p.count != c->count || (int)p.free_factor != c->factor ||
            p.free_diff != c->diff) {
            return fail(r, "count, free_factor or diff of a CPU", z, cpu, p.count);
        }
        for (uint32_t i = 0; i < NR_PCP_LISTS; i++) {
            if (!same_list(c->list[i], m, pcp_list_first(m, z, cpu, i), pcp_list_next)) {
                return fail(r, "a per-CPU list: CPU, index", z, cpu, i);
            }
        }
    }
    uint64_t size = 1ull << machine_pageblock_order(m);
    for (uint64_t p = want->start & ~(size - 1); p < want->end; p += size) {
        if (pageblock_type(m, z, pfn(p)) != *model_block(r->o, z, p)) {
            return fail(r, "a pageblock's type", z, (uint32_t)p, 0);
        }
    }
    return true;
}

static bool same(struct run *r)
{
    const char *why = machine_check(r->m);
    if (why) {
        snprintf(r->problem, sizeof r->problem, "%s", why);
        return false;
    }
    for (uint32_t z = 0; z < r->o->nr_zones; z++) {
        if (!same_zone(r, z)) {
            return false;
        }
    }
    /* what is allocated belongs to nobody else */
    for (uint32_t i = 0; i < r->nr_live; i++) {
        struct page_view v = page_view(r->m, pfn(r->live[i].page));
        if (v.state != PAGE_ALLOCATED || v.head != r->live[i].page ||
            v.order != r->live[i].order || v.refcount != 1) {
            return fail(r, "a live block", 0, r->live[i].page, r->live[i].order);
        }
    }
    return true;
}

/* ---- one step on both ---- */

static uint64_t machine_step(struct run *r, const struct step *s, uint16_t op, uint64_t a,
                             uint64_t b)
{
    return machine_do(r->m, &(struct op){.kind = op, .cpu = s->cpu, .arg = {a, b}});
}

static bool step_alloc(struct run *r, const struct step *s)
{
    uint32_t order = s->order % r->o->max_order;
    uint64_t got = machine_step(r, s, OP_ALLOC_PAGES, s->gfp, order);
    uint64_t want = model_alloc(r->o, s->gfp, order);
    if (got != want) {
        return fail(r, "an allocation: got, expected", 0, (uint32_t)got, (uint32_t)want);
    }
    if (got != PFN_NONE && r->nr_live < LIVE) {
        bool compound = order && (s->gfp & __GFP_COMP);
        r->live[r->nr_live++] = (struct live){(uint32_t)got, order, compound, false};
    }
    return true;
}

static void step_live(struct run *r, const struct step *s)
{
    if (!r->nr_live) {
        return;
    }
    struct live *l = &r->live[s->which % r->nr_live], was = *l;
    uint32_t z = r->o->page[was.page].zone;
    if (s->kind == LRU || was.lru) {
        /* a page on the LRU leaves it before anything else is done with it */
        machine_step(r, s, was.lru ? OP_LRU_DEL : OP_LRU_ADD, was.page, 0);
        l->lru = r->o->page[was.page].lru = !was.lru;
        r->o->zone[z].lru += was.lru ? -(1 << was.order) : 1 << was.order;
    } else if (s->kind == FREE) {
        *l = r->live[--r->nr_live];
        machine_step(r, s, OP_FREE_PAGES, was.page, was.order);
        model_free(r->o, was.page, was.order);
    } else if (!was.compound && r->nr_live + (1u << was.order) < LIVE) {
        machine_step(r, s, OP_SPLIT_PAGE, was.page, was.order);
        l->order = 0;
        r->o->page[was.page].order = 0;
        for (uint32_t i = 1; i < 1u << was.order; i++) {
            r->o->page[was.page + i] = r->o->page[was.page];
            r->live[r->nr_live++] = (struct live){was.page + i, 0, false, false};
        }
    }
}

static bool do_step(struct run *r, const struct step *s)
{
    r->o->cpu = s->cpu;
    switch ((enum step_kind)s->kind) {
    case ALLOC:
        return step_alloc(r, s);
    case FREE:
    case LRU:
    case SPLIT:
        step_live(r, s);
        break;
    case DRAIN_LOCAL:
        machine_step(r, s, OP_DRAIN_LOCAL_PAGES, 0, 0);
        model_drain_cpu(r->o, s->cpu);
        break;
    case DRAIN_ALL:
        machine_step(r, s, OP_DRAIN_ALL_PAGES, 0, 0);
        for (uint32_t cpu = 0; cpu < r->o->nr_cpus; cpu++) {
            model_drain_cpu(r->o, cpu);
        }
        break;
    case FOLD:
        machine_step(r, s, OP_VMSTAT_UPDATE, 0, 0);
        for (uint32_t z = 0; z < r->o->nr_zones; z++) {
            r->o->zone[z].free += r->o->zone[z].pcp[s->cpu].diff;
            r->o->zone[z].pcp[s->cpu].diff = 0;
        }
        break;
    case MEMALLOC:
        machine_step(r, s, OP_MEMALLOC, s->which & 1, 0);
        r->o->memalloc[s->cpu] = s->which & 1;
        break;
    }
    return true;
}

static int play(const struct machine_config *c, const void *all, int n, int every,
                char *problem, size_t size)
{
    const struct step *steps = all;
    struct run *r = calloc(1, sizeof *r);
    r->m = boot(c);
    r->m->probe.slow = count_seen;
    r->m->probe.stop = n % 2 ? UINT64_MAX : 0; /* odd lengths run unobserved */
    r->o = model_of(r->m);
    int bad = same(r) ? -1 : 0;
    for (int i = 0; i < n && bad < 0; i++) {
        if (!do_step(r, &steps[i]) || ((i % every == 0 || i == n - 1) && !same(r))) {
            bad = i;
        }
    }
    snprintf(problem, size, "%s", r->problem);
    machine_destroy(r->m);
    free(r);
    return bad;
}

/* ---- making sequences ---- */

static void make_steps(struct prng *rand, struct step *steps, uint32_t cpus, int mood)
{
    static const gfp_t gfps[] = {GFP_KERNEL,
                                 GFP_ATOMIC,
                                 GFP_NOWAIT,
                                 GFP_USER,
                                 GFP_HIGHUSER,
                                 GFP_HIGHUSER_MOVABLE,
                                 GFP_KERNEL | __GFP_RECLAIMABLE,
                                 GFP_KERNEL | __GFP_DMA,
                                 GFP_ATOMIC | __GFP_HIGHMEM,
                                 GFP_NOFS,
                                 GFP_NOIO | __GFP_HIGH,
                                 GFP_KERNEL | __GFP_NORETRY,
                                 GFP_KERNEL | __GFP_RETRY_MAYFAIL,
                                 GFP_ATOMIC | __GFP_NOMEMALLOC,
                                 GFP_KERNEL | __GFP_DMA32 | __GFP_MOVABLE};
    for (int i = 0; i < STEPS; i++) {
        struct step *s = &steps[i];
        memset(s, 0, sizeof *s);
        /* waves: more allocations, then more frees */
        uint64_t frees = (i / 400 + mood) % 3 ? 38 : 65, dice = prng_below(rand, 112);
        s->kind = (uint8_t)(dice < 100 - frees ? ALLOC
                            : dice < 100       ? FREE
                            : dice < 102       ? DRAIN_LOCAL
                            : dice < 103       ? DRAIN_ALL
                            : dice < 105       ? FOLD
                            : dice < 106       ? MEMALLOC
                            : dice < 110       ? LRU
                                               : SPLIT);
        s->cpu = (uint8_t)prng_below(rand, cpus);
        s->which = (uint32_t)prng_next(rand) >> 8;
        while (s->order < 10 && prng_below(rand, mood % 2 ? 3 : 2)) {
            s->order++;
        }
        s->gfp = gfps[prng_below(rand, sizeof gfps / sizeof gfps[0])] | __GFP_NOWARN;
        s->gfp |= prng_one_in(rand, 3) ? __GFP_COMP : 0;
        if (s->kind == MEMALLOC) {
            s->which = (uint32_t)prng_one_in(rand, 4);
        }
    }
}

static void print_step(const void *step, int i)
{
    static const char *const names[] = {"alloc", "free",     "drain_local", "drain_all",
                                        "fold",  "memalloc", "lru",         "split"};
    const struct step *s = step;
    char gfp[128];
    gfp_format(gfp, sizeof gfp, s->gfp);
    diag("%3d  cpu %u  %s order %u which %u %s", i, s->cpu, names[s->kind], s->order,
         s->which, s->kind == ALLOC ? gfp : "");
}

/* A 64-bit machine with a little in DMA32 and a little in Normal: DMA32 is used before
 * types mix in Normal. */
static struct machine_config beyond_4g(void)
{
    struct machine_config c = bare_config(8192, 0, 11);
    c.arch = ARCH_X86_64;
    c.highmem_bytes = UINT64_MAX;
    c.memmap[1] =
        (struct memmap_entry){4ull << 30, (4ull << 30) + (32 << 20), MEMMAP_USABLE};
    c.nr_memmap = 2;
    c.ram_bytes = 64 << 20;
    c.min_free_kbytes = 512;
    return c;
}

static struct machine_config geometry(int i)
{
    static const struct {
        uint64_t frames, highmem;
        uint32_t max_order, cpus;
        int64_t min_kbytes;
    } sizes[] = {{8, 0, 2, 1, 0},         {8, 0, 4, 1, 0},
                 {64, 0, 3, 2, 16},       {1000, 0, 5, 2, 64},
                 {1024, 0, 11, 1, 0},     {4096 + 3000, 1100, 7, 2, 256},
                 {4096, 0, 11, 2, 512},   {4096 + 9000, 3500, 11, 2, 1024},
                 {14000, 4000, 11, 1, 0}, {16000, 0, 11, 2, 2048}};
    int k = i % ((int)(sizeof sizes / sizeof sizes[0]) + 1);
    if (k == (int)(sizeof sizes / sizeof sizes[0])) {
        return beyond_4g();
    }
    struct machine_config c =
        bare_config(sizes[k].frames, sizes[k].highmem, sizes[k].max_order);
    c.cpus = sizes[k].cpus;
    c.min_free_kbytes = sizes[k].min_kbytes;
    if (i % 3 == 2 && !sizes[k].highmem) {
        c.arch = ARCH_X86_64;
        c.highmem_bytes = UINT64_MAX;
    }
    return c;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 44;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x5eed;
    static const struct steps_kind kind = {sizeof(struct step), play, print_step};
    struct step *steps = calloc(STEPS, sizeof *steps);
    for (int i = 0; i < rounds; i++) {
        struct machine_config c = geometry(i);
        struct prng rand = {seed + (uint64_t)i * 0x9e3779b97f4a7c15};
        char what[80];
        make_steps(&rand, steps, c.cpus, i / 10);
        int every = c.ram_bytes >> PAGE_SHIFT <= 1024 ? 1 : 16;
        snprintf(what, sizeof what, "round %d: %d steps give the model's answers", i,
                 STEPS);
        if (!steps_hold(&kind, &c, steps, STEPS, every, what)) {
            break;
        }
    }
    static const uint16_t must_see[] = {EV_MM_PAGE_ALLOC_FAIL, EV_MM_PAGE_ALLOC_EXTFRAG,
                                        EV_HIGHATOMIC_RESERVE, EV_HIGHATOMIC_UNRESERVE,
                                        EV_WATERMARK_BOOST,    EV_PAGEBLOCK_TYPE,
                                        EV_PAGEBLOCK_KEPT,     EV_MOVE_ONE,
                                        EV_NO_FRAGMENT_RETRY,  EV_WATERMARK_NO_BLOCK,
                                        EV_RECLAIM_RETRY_ZONE, EV_OOM,
                                        EV_MM_PAGE_PCPU_DRAIN, EV_VMSTAT_FOLD,
                                        EV_RESERVES_ALLOWED,   EV_BUDDY_MERGE};
    if (rounds >= 20) {
        must_have_seen(must_see, sizeof must_see / sizeof must_see[0]);
    }
    free(steps);
    return done_testing();
}
