/* Random operations on objects against a naive model: a list of who has which bytes.
 *
 * No object is handed out twice, none is lost, every one lies inside its slab, what its
 * owner wrote stays in it, and the counters are what counting gives. After each step all
 * invariants are checked. A sequence that fails is shrunk. Then the same at every page
 * request that can fail.
 *
 * All of it three times: on SLAB, on SLUB, and on SLUB with its debugging, which must
 * find nothing.
 *
 *   test_model_slab [ROUNDS [SEED]]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "steps.h"

#include "prng.h"
#include "slab_ops.h"
#include "slab_view.h"

enum { STEPS = 1500, LIVE = 1200, CACHES = 12, HOGS = 16384, BULK = 64 };

enum kind {
    ALLOC,
    FREE,
    KMALLOC,
    KREALLOC,
    BULK_ALLOC,
    BULK_FREE,
    CREATE,
    DESTROY,
    SHRINK,
    REAP,
    TUNE,
    HOG,
    UNHOG,
    NR_KINDS
};

struct step {
    uint8_t kind, cpu;
    uint32_t which, size;
    gfp_t gfp;
};

struct owner {
    uint64_t va, size, cache; /* cache 0: kmalloc's */
    unsigned char tag;
};

struct run {
    struct machine *m;
    struct owner live[LIVE];
    uint32_t nr_live;
    uint64_t cache[CACHES];
    uint32_t nr_caches;
    uint64_t hog[HOGS];
    uint32_t nr_hogs;
    unsigned char tag;
    char problem[300];
};

static uint64_t call(struct run *r, uint32_t cpu, uint16_t kind, uint64_t a0, uint64_t a1,
                     uint64_t a2, uint64_t a3)
{
    const struct op op = {.kind = kind, .cpu = (uint8_t)cpu, .arg = {a0, a1, a2, a3}};
    return machine_do(r->m, &op);
}

static bool bad(struct run *r, const char *what, uint64_t va)
{
    if (!r->problem[0]) {
        snprintf(r->problem, sizeof r->problem, "%s: %#" PRIx64, what, va);
    }
    return false;
}

/* ---- owners ---- */

static void fill(struct run *r, const struct owner *o)
{
    unsigned char bytes[64];
    memset(bytes, o->tag, sizeof bytes);
    for (uint64_t at = 0; at < o->size && at < 4096; at += sizeof bytes) {
        const uint64_t left = o->size - at;
        slab_write(r->m, o->va + at, bytes, left < sizeof bytes ? (size_t)left : 64);
    }
}

static bool still_filled(struct run *r, const struct owner *o, uint64_t size)
{
    unsigned char bytes[64];
    for (uint64_t at = 0; at < size && at < 4096; at += sizeof bytes) {
        const size_t n = size - at < sizeof bytes ? (size_t)(size - at) : sizeof bytes;
        slab_read(r->m, o->va + at, bytes, n);
        for (size_t i = 0; i < n; i++) {
            if (bytes[i] != o->tag) {
                return bad(r, "an owner's bytes have changed", o->va + at + i);
            }
        }
    }
    return true;
}

static bool add_owner(struct run *r, uint64_t va, uint64_t size, uint64_t cache)
{
    for (uint32_t i = 0; i < r->nr_live; i++) {
        const struct owner *o = &r->live[i];
        if (va < o->va + o->size && o->va < va + size) {
            return bad(r, "memory is handed out twice", va);
        }
    }
    const struct object_view v = object_view(r->m, va);
    if (cache || v.state != OBJECT_NONE) {
        struct cache_view c;
        if (v.state != OBJECT_IN_USE || v.va != va || (cache && v.cache != cache) ||
            !cache_view(r->m, v.cache, &c) || size > c.object_size) {
            return bad(r, "an answer is no object in use", va);
        }
        const struct slab_view s = slab_view(r->m, v.slab);
        const uint64_t end =
            kspace_va(&r->m->vm->kspace, s.pfn) + ((uint64_t)PAGE_SIZE << s.order);
        if (va < kspace_va(&r->m->vm->kspace, s.pfn) ||
            va - c.red_left_pad + c.size > end || (c.align && va % c.align)) {
            return bad(r, "an object is outside of its slab, or not aligned", va);
        }
    }
    r->live[r->nr_live] = (struct owner){va, size, cache, ++r->tag};
    fill(r, &r->live[r->nr_live++]);
    return true;
}

static bool drop_owner(struct run *r, uint32_t i, uint32_t cpu)
{
    const struct owner o = r->live[i];
    if (!still_filled(r, &o, o.size)) {
        return false;
    }
    r->live[i] = r->live[--r->nr_live];
    if (o.cache) {
        call(r, cpu, OP_KMEM_CACHE_FREE, o.cache, o.va, 0, 0);
    } else {
        call(r, cpu, OP_KFREE, o.va, 0, 0, 0);
    }
    return true;
}

static bool count_again(struct run *r)
{
    for (uint32_t i = 0; i < r->nr_caches; i++) {
        struct cache_view v;
        uint64_t live = 0;
        if (!cache_view(r->m, (uint32_t)r->cache[i], &v)) {
            return bad(r, "a cache is gone", r->cache[i]);
        }
        for (uint32_t o = 0; o < r->nr_live; o++) {
            live += r->live[o].cache == r->cache[i];
        }
        if (v.in_use != live) {
            return bad(r, "objects in use are not those that owners have", v.in_use);
        }
    }
    const char *why = machine_check(r->m);
    return why ? bad(r, why, 0) : true;
}

/* ---- steps ---- */

static bool do_bulk(struct run *r, const struct step *s)
{
    const uint64_t cache = r->cache[s->which % r->nr_caches];
    const uint32_t nr = 1 + s->which / 7 % BULK;
    struct cache_view v;
    uint64_t va[BULK];
    cache_view(r->m, (uint32_t)cache, &v);
    if (r->nr_live + nr > LIVE) {
        return true;
    }
    const uint64_t got = call(r, s->cpu, OP_KMEM_CACHE_ALLOC_BULK, cache, s->gfp, nr, 0);
    if (got && got != nr) {
        return bad(r, "a bulk allocation gives a part", got);
    }
    staged_objects(r->m, va, BULK);
    for (uint32_t i = 0; i < got; i++) {
        if (!add_owner(r, va[i], v.object_size, cache)) {
            return false;
        }
    }
    return true;
}

static bool do_bulk_free(struct run *r, const struct step *s)
{
    uint32_t nr = 1 + s->which % BULK;
    uint64_t cache = r->nr_live ? r->live[s->which % r->nr_live].cache : 0;
    for (uint32_t i = r->nr_live; i-- > 0 && nr;) {
        const struct owner o = r->live[i];
        if (o.cache != cache) {
            continue;
        }
        if (!still_filled(r, &o, o.size)) {
            return false;
        }
        r->live[i] = r->live[--r->nr_live];
        call(r, s->cpu, OP_STAGE_OBJECT, o.va, 0, 0, 0);
        nr--;
    }
    call(r, s->cpu, OP_KMEM_CACHE_FREE_BULK, cache, 0, 0, 0);
    return true;
}

static bool do_krealloc(struct run *r, const struct step *s)
{
    const uint32_t i = s->which % r->nr_live;
    const struct owner o = r->live[i];
    if (o.cache) {
        return true;
    }
    const uint64_t va = call(r, s->cpu, OP_KREALLOC, o.va, s->size, s->gfp, 0);
    if (!va) {
        return true;
    }
    struct owner moved = o;
    moved.va = va;
    if (!still_filled(r, &moved, o.size < s->size ? o.size : s->size)) {
        return false;
    }
    r->live[i] = r->live[--r->nr_live];
    return add_owner(r, va, s->size, 0);
}

static void do_hog(struct run *r, const struct step *s)
{
    for (uint32_t i = 0; i < s->size && r->nr_hogs < HOGS; i++) {
        const uint64_t p =
            call(r, s->cpu, OP_ALLOC_PAGES, GFP_ATOMIC | __GFP_NOWARN, 0, 0, 0);
        if (p == PFN_NONE) {
            break;
        }
        r->hog[r->nr_hogs++] = p;
    }
}

static void do_unhog(struct run *r, const struct step *s, uint32_t nr)
{
    while (r->nr_hogs && nr--) {
        call(r, s->cpu, OP_FREE_PAGES, r->hog[--r->nr_hogs], 0, 0, 0);
    }
}

static bool do_step(struct run *r, const struct step *s)
{
    uint64_t va;
    struct cache_view v;
    const uint64_t cache = r->nr_caches ? r->cache[s->which % r->nr_caches] : 0;
    switch ((enum kind)s->kind) {
    case ALLOC:
        if (!cache || r->nr_live == LIVE) {
            return true;
        }
        va = call(r, s->cpu, OP_KMEM_CACHE_ALLOC, cache, s->gfp, 0, 0);
        cache_view(r->m, (uint32_t)cache, &v);
        return !va || add_owner(r, va, v.object_size, cache);
    case FREE:
        return !r->nr_live || drop_owner(r, s->which % r->nr_live, s->cpu);
    case KMALLOC:
        if (r->nr_live == LIVE) {
            return true;
        }
        va = call(r, s->cpu, OP_KMALLOC, s->size, s->gfp, 0, 0);
        return !va || add_owner(r, va, s->size, 0);
    case KREALLOC:
        return !r->nr_live || do_krealloc(r, s);
    case BULK_ALLOC:
        return !cache || do_bulk(r, s);
    case BULK_FREE:
        return do_bulk_free(r, s);
    case CREATE:
        if (r->nr_caches < CACHES) {
            static const uint64_t ctors[] = {0, 0, 0, (uint64_t)0x1aa << 32};
            static const uint64_t flags[] = {0, SLAB_HWCACHE_ALIGN, SLAB_RECLAIM_ACCOUNT,
                                             SLAB_NOLEAKTRACE};
            const uint64_t id = call(r, s->cpu, OP_KMEM_CACHE_CREATE, s->which, s->size,
                                     s->which % 5 ? 0 : (uint64_t)8 << s->which / 5 % 4,
                                     flags[s->which / 16 % 4] | ctors[s->which / 64 % 4]);
            if (id) {
                r->cache[r->nr_caches++] = id;
            }
        }
        return true;
    case DESTROY:
        if (!cache) {
            return true;
        }
        for (uint32_t i = r->nr_live; i-- > 0;) {
            if (r->live[i].cache == cache && !drop_owner(r, i, s->cpu)) {
                return false;
            }
        }
        call(r, s->cpu, OP_KMEM_CACHE_DESTROY, cache, 0, 0, 0);
        r->cache[s->which % r->nr_caches] = r->cache[r->nr_caches - 1];
        r->nr_caches--;
        return !cache_r(r->m, cache) || bad(r, "a destroyed cache is there", cache);
    case SHRINK:
        if (cache) {
            call(r, s->cpu, OP_KMEM_CACHE_SHRINK, cache, 0, 0, 0);
        }
        return true;
    case REAP:
        call(r, s->cpu, OP_CACHE_REAP, 0, 0, 0, 0);
        return true;
    case TUNE:
        if (cache) {
            const uint32_t limit = 1 + s->which / 3 % 80;
            call(r, s->cpu, OP_TUNE_CPUCACHE, cache, limit, 1 + s->which / 11 % limit,
                 s->which / 5 % 4);
        }
        return true;
    case HOG:
        do_hog(r, s);
        return true;
    case UNHOG:
        do_unhog(r, s, s->size);
        return true;
    case NR_KINDS:
        break;
    }
    return true;
}

/* All pages that are free or slabs'. */
static uint64_t pages_of(const struct machine *m)
{
    uint64_t nr = m->slab->nr_reclaimable + m->slab->nr_unreclaimable;
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        const struct zone_view v = zone_view(m, z);
        nr += v.free + v.pcp_pages;
    }
    return nr;
}

/* Give everything back; nothing may be missing then. */
static bool finish(struct run *r, uint64_t pages, uint64_t kmalloc_objects)
{
    const struct step s = {0};
    do_unhog(r, &s, UINT32_MAX);
    while (r->nr_live) {
        if (!drop_owner(r, 0, 0)) {
            return false;
        }
    }
    while (r->nr_caches) {
        call(r, 0, OP_KMEM_CACHE_DESTROY, r->cache[--r->nr_caches], 0, 0, 0);
    }
    uint64_t objects = 0;
    for (uint32_t id = caches_first(r->m); id; id = caches_next(r->m, id)) {
        struct cache_view v;
        cache_view(r->m, id, &v);
        objects += v.in_use;
    }
    call(r, 0, OP_VMSTAT_UPDATE, 0, 0, 0, 0);
    for (uint32_t cpu = 0; cpu < r->m->mm->nr_cpus; cpu++) {
        call(r, cpu, OP_VMSTAT_UPDATE, 0, 0, 0, 0);
    }
    return (objects == kmalloc_objects || bad(r, "objects are lost", objects)) &&
           (pages_of(r->m) == pages || bad(r, "pages are lost", pages_of(r->m))) &&
           count_again(r);
}

static int play(const struct machine_config *c, const void *all, int n, int every,
                char *problem, size_t size)
{
    const struct step *steps = all;
    struct run *r = calloc(1, sizeof *r);
    int failed = -1;
    uint64_t objects = 0;
    r->m = boot(c);
    r->m->probe.slow = count_seen;
    call(r, 0, OP_KMEM_CACHE_INIT, 0, 0, 0, 0);
    for (uint32_t cpu = 0; cpu < r->m->mm->nr_cpus; cpu++) {
        call(r, cpu, OP_VMSTAT_UPDATE, 0, 0, 0, 0);
    }
    const uint64_t pages = pages_of(r->m);
    const bool up = r->m->slab->state == SLAB_FULL;
    for (uint32_t id = caches_first(r->m); id; id = caches_next(r->m, id)) {
        struct cache_view v;
        cache_view(r->m, id, &v);
        objects += v.in_use;
    }
    for (int i = 0; i < n && up && failed < 0; i++) {
        r->m->probe.stop = i % 3 ? UINT64_MAX : 0; /* watched, and not */
        if (!do_step(r, &steps[i]) || (i % every == 0 && !count_again(r))) {
            failed = i;
        }
    }
    if (failed < 0 && up && !finish(r, pages, objects)) {
        failed = n - 1;
    }
    snprintf(problem, size, "%s", r->problem);
    machine_destroy(r->m);
    free(r);
    return failed;
}

/* ---- making sequences ---- */

static uint32_t random_size(struct prng *rand)
{
    return prng_one_in(rand, 12)  ? 1 + (uint32_t)prng_below(rand, 40000)
           : prng_one_in(rand, 3) ? 1 + (uint32_t)prng_below(rand, 3000)
                                  : 1 + (uint32_t)prng_below(rand, 300);
}

static void make_steps(struct prng *rand, struct step *steps, uint32_t cpus, int mood)
{
    static const gfp_t gfps[] = {GFP_KERNEL,
                                 GFP_ATOMIC,
                                 GFP_NOWAIT,
                                 GFP_NOFS,
                                 GFP_KERNEL | __GFP_ZERO,
                                 GFP_KERNEL | __GFP_RECLAIMABLE,
                                 GFP_ATOMIC | __GFP_DMA};
    for (int i = 0; i < STEPS; i++) {
        struct step *s = &steps[i];
        const uint64_t frees = (i / 300 + mood) % 3 ? 25 : 45;
        const uint64_t dice = prng_below(rand, 100);
        s->kind = (uint8_t)(dice < 70 - frees ? ALLOC
                            : dice < 70       ? FREE
                            : dice < 78       ? KMALLOC
                            : dice < 81       ? KREALLOC
                            : dice < 84       ? BULK_ALLOC
                            : dice < 87       ? BULK_FREE
                            : dice < 90       ? CREATE
                            : dice < 91       ? DESTROY
                            : dice < 92       ? SHRINK
                            : dice < 95       ? REAP
                            : dice < 96       ? TUNE
                            : dice < 98       ? HOG
                                              : UNHOG);
        s->cpu = (uint8_t)prng_below(rand, cpus);
        s->which = (uint32_t)prng_next(rand) >> 8;
        s->size = random_size(rand);
        s->gfp = gfps[prng_below(rand, sizeof gfps / sizeof gfps[0])] | __GFP_NOWARN;
        s->gfp &= s->kind == KMALLOC || s->kind == KREALLOC
                      ? ~(gfp_t)0
                      : ~(gfp_t)(__GFP_RECLAIMABLE | __GFP_DMA);
        if (i < 8) {
            s->kind = CREATE;
        }
    }
}

static void print_step(const void *step, int i)
{
    static const char *const names[NR_KINDS] = {
        "alloc",   "free",   "kmalloc", "krealloc", "bulk_alloc", "bulk_free", "create",
        "destroy", "shrink", "reap",    "tune",     "hog",        "unhog"};
    const struct step *s = step;
    char gfp[128];
    gfp_format(gfp, sizeof gfp, s->gfp);
    diag("%3d  cpu %u  %s which %u size %u %s", i, s->cpu, names[s->kind], s->which,
         s->size, gfp);
}

static struct machine_config geometry(int i)
{
    static const struct {
        uint64_t frames, highmem;
        uint32_t max_order, cpus, cache_line;
        int64_t min_kbytes;
    } sizes[] = {{64, 0, 3, 1, 0, 0},      {40, 0, 2, 2, 16, 0},
                 {1000, 0, 5, 2, 128, 64}, {4096 + 3000, 1100, 7, 3, 0, 256},
                 {2048, 0, 11, 1, 0, 512}, {12000, 2000, 11, 2, 0, 512}};
    const int k = i % (int)(sizeof sizes / sizeof sizes[0]);
    struct machine_config c =
        bare_config(sizes[k].frames, sizes[k].highmem, sizes[k].max_order);
    c.cpus = sizes[k].cpus;
    c.cache_line = sizes[k].cache_line;
    c.min_free_kbytes = sizes[k].min_kbytes;
    if (i % 2 && !sizes[k].highmem) {
        c.arch = ARCH_X86_64;
        c.highmem_bytes = UINT64_MAX;
    }
    return c;
}

/* ---- failure at every page request ---- */

/* A scenario that goes through every way in which pages are asked for. */
static bool scenario(struct run *r)
{
    static const uint64_t sizes[] = {16, 100, 700, 2048, 5000};
    for (uint32_t i = 0; i < 5; i++) {
        const struct step make = {
            .kind = CREATE, .which = i * 64, .size = (uint32_t)sizes[i]};
        const struct step make_ctor = {
            .kind = CREATE, .which = 3 * 64 + i * 256, .size = (uint32_t)sizes[i]};
        if (!do_step(r, &make) || !count_again(r) || !do_step(r, &make_ctor) ||
            !count_again(r)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < 120; i++) {
        const struct step s = {.kind = (uint8_t)(i % 8 == 7   ? BULK_ALLOC
                                                 : i % 8 == 5 ? KMALLOC
                                                 : i % 8 == 6 ? KREALLOC
                                                              : ALLOC),
                               .which = i,
                               .size = 1 + i * 331 % 20000,
                               .gfp = (i % 2 ? (gfp_t)GFP_ATOMIC : (gfp_t)GFP_KERNEL) |
                                      __GFP_NOWARN};
        if (!do_step(r, &s) || !count_again(r)) {
            return false;
        }
    }
    return true;
}

static bool fail_from(uint32_t pages_left, bool slub, uint64_t *requests)
{
    struct machine_config c = bare_config(2000, 0, 11);
    c.slub = slub;
    struct run *r = calloc(1, sizeof *r);
    r->m = boot(&c);
    call(r, 0, OP_KMEM_CACHE_INIT, 0, 0, 0, 0);
    uint64_t objects = 0;
    for (uint32_t id = caches_first(r->m); id; id = caches_next(r->m, id)) {
        struct cache_view v;
        cache_view(r->m, id, &v);
        objects += v.in_use;
    }
    call(r, 0, OP_VMSTAT_UPDATE, 0, 0, 0, 0);
    const uint64_t pages = pages_of(r->m);
    const struct step all = {.size = UINT32_MAX};
    do_hog(r, &all);
    do_unhog(r, &all, pages_left);
    r->m->probe.slow = count_seen;
    r->m->probe.stop = 0;
    const uint64_t before =
        seen[EV_SLAB_GROW] + seen[EV_SLUB_NEW] + seen[EV_SLAB_GROW_FAIL];
    const bool good = scenario(r) && finish(r, pages, objects);
    *requests = seen[EV_SLAB_GROW] + seen[EV_SLUB_NEW] + seen[EV_SLAB_GROW_FAIL] - before;
    if (!good) {
        diag("with %u pages: %s", pages_left, r->problem);
    }
    machine_destroy(r->m);
    free(r);
    return good;
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 18;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x51ab;
    static const struct steps_kind kind = {sizeof(struct step), play, print_step};
    struct step *steps = calloc(STEPS, sizeof *steps);
    static const char *const debug[] = {"FZPU", "FZ", "FP", "U", "FZPUO", "Z"};
    for (int n = 0; n < 2 * rounds + (rounds + 1) / 2; n++) {
        const int i = n % rounds;
        struct machine_config c = geometry(i);
        char err[200];
        c.slub = n >= rounds;
        config_set(&c, "slub_debug", n < 2 * rounds ? "none" : debug[i % 6], err,
                   sizeof err);
        struct prng rand = {seed + (uint64_t)i * 0x9e3779b97f4a7c15};
        char what[240];
        make_steps(&rand, steps, c.cpus, i / 6);
        const int every = c.ram_bytes >> PAGE_SHIFT <= 1024 ? 1 : 8;
        snprintf(what, sizeof what, "%s%s, round %d: %d steps", c.slub ? "SLUB " : "SLAB",
                 c.slub_debug, i, STEPS);
        if (!steps_hold(&kind, &c, steps, STEPS, every, what)) {
            break;
        }
    }
    static const uint16_t must_see[] = {
        EV_SLAB_GROW_FAIL,    EV_SLAB_REFILL_SHARED, EV_SLAB_FLUSH_SHARED,
        EV_SLAB_DESTROY,      EV_SLAB_REAP_SPARED,   EV_SLAB_REAP_ARRAY,
        EV_SLAB_REAP_SLABS,   EV_SLAB_CTOR,          EV_SLAB_DRAIN_CPU,
        EV_SLAB_TUNE,         EV_KREALLOC_COPY,      EV_KREALLOC_FITS,
        EV_CLEAR_OBJECT,      EV_KMEM_CACHE_DESTROY, EV_SLUB_HIT,
        EV_SLUB_TAKE,         EV_SLUB_FULL,          EV_SLUB_CPU_PARTIAL,
        EV_SLUB_NODE_PARTIAL, EV_SLUB_NEW,           EV_SLUB_FALLBACK,
        EV_SLUB_PUT,          EV_SLUB_PUT_SLOW,      EV_SLUB_FREEZE,
        EV_SLUB_CHAIN_FULL,   EV_SLUB_UNFREEZE,      EV_SLUB_DISCARD,
        EV_SLUB_DEBUG_ALLOC,  EV_SLUB_DEBUG_FREE};
    if (rounds >= 18) {
        must_have_seen(must_see, sizeof must_see / sizeof must_see[0]);
    }
    ok(seen[EV_SLAB_BUG] + seen[EV_SLUB_BUG] + seen[EV_SLUB_FIX] == 0,
       "no correct call is reported");
    bool good = true;
    uint64_t most = 0;
    for (uint32_t left = 0; left < 2 * 90 && good; left++) {
        uint64_t requests;
        good = fail_from(left % 90, left >= 90, &requests);
        most = requests > most ? requests : most;
    }
    ok(good, "with 0, 1, 2 ... 89 pages left: up to %" PRIu64 " growths, any may fail",
       most);
    free(steps);
    return done_testing();
}
