/* What every list, array and chain of a cache is after each operation, on machines that
 * no golden record shows: SLUB with 64 bits and several CPUs, SLAB with several CPUs.
 *
 * The states come from a second description of both allocators (object_model.h). First
 * CPU 0 works alone, as in the records: what the description says of it becomes a record,
 * and a replay of that must agree throughout. Then all CPUs work.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_line.h"
#include "host.h"
#include "inspect.h"
#include "object_model.h"
#include "prng.h"
#include "replay.h"
#include "slab_view.h"

/* ---- the machine's, against it ---- */

static struct machine *m;
static uint32_t id;
static char why[300];

static void same(const char *what, uint64_t want, uint64_t got)
{
    if (want != got && !why[0]) {
        snprintf(why, sizeof why, "%s: %" PRIx64 ", the machine: %" PRIx64, what, want,
                 got);
    }
}

static void same_objects(const char *what, uint32_t slab, const struct vector *v,
                         const uint32_t *numbers, uint32_t nr)
{
    same(what, v->nr, nr);
    for (uint32_t i = 0; i < nr && i < v->nr; i++) {
        const struct slab_view s = slab_view(m, slab);
        same(what, v->at[i], s.s_mem + (uint64_t)numbers[i] * k.size);
    }
}

static void same_slab(const char *what, uint32_t part, uint32_t slab)
{
    uint32_t numbers[OBJECTS];
    same(what, 1, slab != 0);
    if (slab) {
        const struct slab_view v = slab_view(m, slab);
        const struct part *s = &k.slab[part];
        same("pfn", frame_of(part), v.pfn);
        same("s_mem", s->s_mem, v.s_mem);
        same("objects", s->num, v.num);
        same("active", k.slub ? s->inuse : k.num - s->free.nr, v.active);
        same("frozen", s->frozen, v.frozen);
        if (!k.slub) {
            same("freelist", s->freelist, v.freelist);
        }
        same_objects(what, slab, &s->free, numbers,
                     slab_freelist(m, slab, numbers, OBJECTS));
    }
}

static void same_list(const char *what, const struct list *l, uint32_t slab)
{
    for (uint32_t i = 0; i < l->nr && !why[0]; i++) {
        same_slab(what, l->at[i], slab);
        slab = slab ? slabs_next(m, slab) : 0;
    }
    same(what, 0, slab);
}

static void compare_slub(void)
{
    uint32_t numbers[OBJECTS];
    for (uint32_t cpu = 0; cpu < k.cpus && !why[0]; cpu++) {
        struct slub_cpu_view v;
        slub_cpu_view(m, id, cpu, &v);
        same("a CPU's slab", k.cpu_slab[cpu] >= 0, v.slab != 0);
        if (v.slab && k.cpu_slab[cpu] >= 0) {
            same_slab("a CPU's slab", (uint32_t)k.cpu_slab[cpu], v.slab);
            same_objects("a CPU's freelist", v.slab, &k.cpu_free[cpu], numbers,
                         slub_cpu_freelist(m, id, cpu, numbers, OBJECTS));
        }
        same_list("a CPU's partial slabs", &k.chain[cpu], v.partial);
    }
    same_list("partial", &k.partial, slabs_first(m, id, SLABS_PARTIAL));
}

static void compare_arrays(void)
{
    for (uint32_t i = 0; i <= CPUS; i++) {
        struct array_view v;
        const uint32_t cpu = i < CPUS ? i : UINT32_MAX;
        if (i >= k.cpus && (i < CPUS || !k.shared_factor)) {
            continue;
        }
        array_view(m, id, cpu, &v);
        same("avail", k.avail[i], v.avail);
        same("limit", i < CPUS ? k.limit : k.shared_factor * k.batch, v.limit);
        for (uint32_t e = 0; e < v.avail && !why[0]; e++) {
            same("an entry", k.entry[i][e], array_entry(m, id, cpu, e));
        }
    }
    struct cache_view v;
    cache_view(m, id, &v);
    same("free_objects", k.free_objects, v.free_objects);
    same("free_limit", k.free_limit, v.free_limit);
    same("colour_next", k.colour_next, v.colour_next);
    same("slabs", k.partial.nr + k.full.nr + k.empty.nr, v.num_slabs);
    same_list("partial", &k.partial, slabs_first(m, id, SLABS_PARTIAL));
    same_list("full", &k.full, slabs_first(m, id, SLABS_FULL));
    same_list("free", &k.empty, slabs_first(m, id, SLABS_FREE));
}

static void compare(void)
{
    if (k.slub) {
        compare_slub();
    } else {
        compare_arrays();
    }
}

/* ---- running both ---- */

static uint64_t single[32768];
static uint32_t nr_single;
static uint64_t held[HELD];
static uint32_t nr_held;
static struct prng rng;

static uint64_t call(uint32_t cpu, uint16_t kind, uint64_t a0, uint64_t a1, uint64_t a2,
                     uint64_t a3)
{
    return machine_do(
        m, &(struct op){.kind = kind, .cpu = (uint8_t)cpu, .arg = {a0, a1, a2, a3}});
}

static void step(uint32_t cpus, bool grow, bool tell)
{
    const uint32_t cpu = (uint32_t)prng_below(&rng, cpus);
    const bool more = prng_below(&rng, 100) < (grow ? 65 : 30);
    if (nr_held < HELD && (more || !nr_held)) {
        k.hint = call(cpu, OP_KMEM_CACHE_ALLOC, id, GFP_NOWAIT, 0, 0);
        const uint64_t va = k.slub ? slub_take(cpu) : slab_take(cpu);
        same("kmem_cache_alloc", va, k.hint);
        held[nr_held++] = va;
        if (tell) {
            put("kmem_cache_alloc cache-1 -> %" PRIx64 "\n", va);
        }
    } else {
        const uint32_t i = (uint32_t)prng_below(&rng, nr_held);
        const uint64_t va = held[i];
        held[i] = held[--nr_held];
        call(cpu, OP_KMEM_CACHE_FREE, id, va, 0, 0);
        if (k.slub) {
            slub_put(cpu, &va, 1);
        } else {
            slab_put(cpu, va);
        }
        if (tell) {
            put("kmem_cache_free cache-1 %" PRIx64 "\n", va);
        }
    }
}

/* Some objects at once, all on one CPU. */
static void bulk_step(bool grow)
{
    const uint32_t cpu = (uint32_t)prng_below(&rng, k.cpus);
    uint32_t nr = 1 + (uint32_t)prng_below(&rng, 40);
    uint64_t va[40];
    if (grow && nr_held + nr <= HELD) {
        same("kmem_cache_alloc_bulk", nr,
             call(cpu, OP_KMEM_CACHE_ALLOC_BULK, id, GFP_NOWAIT, nr, 0));
        memcpy(va, slab_block(m, m->slab->staged), nr * sizeof va[0]);
        for (uint32_t i = 0; i < nr; i++) {
            k.hint = va[i];
            held[nr_held] = k.slub ? slub_take(cpu) : slab_take(cpu);
            same("kmem_cache_alloc_bulk", held[nr_held++], k.hint);
        }
        return;
    }
    /* mostly neighbours, so that some are of one slab */
    nr = nr < nr_held ? nr : nr_held;
    const uint32_t first = (uint32_t)prng_below(&rng, nr_held - nr + 1);
    for (uint32_t i = 0; i < nr; i++) {
        va[i] = held[first + i];
        call(cpu, OP_STAGE_OBJECT, va[i], 0, 0, 0);
    }
    nr_held -= nr;
    memmove(held + first, held + first + nr, (nr_held - first) * sizeof held[0]);
    call(cpu, OP_KMEM_CACHE_FREE_BULK, id, 0, 0, 0);
    if (k.slub) {
        slub_put_bulk(cpu, va, nr);
        return;
    }
    for (uint32_t i = 0; i < nr; i++) {
        slab_put(cpu, va[i]);
    }
}

static void lines(bool chains_behind)
{
    if (k.slub) {
        lines_slub(chains_behind);
    } else {
        lines_slab();
    }
}

/* Every second page of all that there are becomes free again. */
static void fragment(void)
{
    for (;;) {
        const uint64_t frame =
            call(0, OP_ALLOC_PAGES, GFP_NOWAIT | __GFP_NOWARN, 0, 0, 0);
        if (frame == PFN_NONE) {
            break;
        }
        single[nr_single++] = frame;
    }
    for (uint32_t i = 0; i < nr_single; i++) {
        if (single[i] % 2) {
            call(0, OP_FREE_PAGES, single[i], 0, 0, 0);
        }
    }
    call(0, OP_DRAIN_ALL_PAGES, 0, 0, 0, 0);
    for (uint32_t order = 3; order > 0;) { /* what was left below the watermark */
        order -= call(0, OP_ALLOC_PAGES, GFP_NOWAIT | __GFP_NOWARN | (gfp_t)__GFP_COMP,
                      order, 0, 0) == PFN_NONE;
    }
}

static void start_machine(const char *line, bool slub, uint32_t size, uint32_t flags,
                          bool fragmented)
{
    char err[300];
    struct machine_config c;
    if (!config_from_line(&c, line, err, sizeof err)) {
        bail_out("%s", err);
    }
    c.slub = slub;
    m = machine_create(&c, &host_memory, err, sizeof err);
    if (!m) {
        bail_out("%s: %s", line, err);
    }
    memset(&k, 0, sizeof k);
    nr_held = nr_single = 0;
    why[0] = 0;
    k.fragmented = fragmented;
    k.slub = slub;
    k.cpus = c.cpus;
    k.word = c.arch == ARCH_X86_64 ? 8 : 4;
    k.page_offset = c.arch == ARCH_X86_64 ? 0xffff888000000000 : 0xc0000000;
    k.flags = flags;
    memset(k.cpu_slab, 0xff, sizeof k.cpu_slab);
    text_size = 0;
    put("oracle linux-ours cpu=0 ptrs=%u cpus=%u max_order=11 pageblock_order=10\n",
        k.word * 8, k.cpus);
    if (fragmented) {
        fragment();
    }
    dump_state(m, "start");
    put("seq slab cache-1\n");
    id = (uint32_t)call(0, OP_LOAD_CACHE, 1, size, 0, flags);
    if (slub) {
        slub_geometry(size, !flags ? 0 : c.arch == ARCH_I386 ? 32 : 64);
        return;
    }
    /* SLAB's geometry is in all golden records */
    struct cache_view v;
    cache_view(m, id, &v);
    k.object_size = v.object_size, k.size = v.size, k.align = v.align;
    k.order = v.order, k.num = v.num, k.colour = v.colour, k.colour_off = v.colour_off;
    k.place = v.place, k.flags = v.flags;
    slab_tuning();
}

/* SLUB's geometry for all sizes, words of both kinds and lines of both lengths. */
static void check_geometry(const char *line, enum arch arch)
{
    uint32_t nr = 0, line_size = arch == ARCH_I386 ? 32 : 64;
    start_machine(line, true, 40, 0, false);
    for (uint32_t size = 8; size <= 40000 && !why[0]; size += size / 37 + 1) {
        for (uint32_t aligned = 0; aligned < 2; aligned++, nr++) {
            const struct kmem_cache *c =
                cache_r(m, call(0, OP_LOAD_CACHE, 2 + nr, size, 0,
                                aligned ? SLAB_HWCACHE_ALIGN : 0));
            slub_geometry(size, aligned ? line_size : 0);
            same("size", k.size, c->size);
            same("align", k.align, c->align);
            same("offset", k.offset, c->offset);
            same("inuse", k.inuse, c->inuse);
            same("order", k.order, c->gfporder);
            same("objects", k.num, c->num);
            same("min_order", k.min_order, c->min_order);
            same("min_objects", k.min_num, c->min_num);
            same("min_partial", k.min_partial, c->min_partial);
            same("cpu_partial", k.cpu_partial, c->cpu_partial);
            same("cpu_partial_slabs", k.cpu_slabs, c->cpu_partial_slabs);
        }
    }
    ok(nr > 400 && !why[0], "%s: the geometries of %u caches %s", line, nr, why);
    machine_destroy(m);
}

static struct replay_tally replay(char *err, size_t err_size)
{
    struct replay_tally t = {0};
    struct record *r = record_parse("ours", text, text_size, err, err_size);
    struct replay *rp = r ? replay_create(r, &host_memory, err, err_size) : NULL;
    if (!rp || !replay_run(rp, NULL, &t, err, err_size)) {
        t.differences++;
    }
    replay_destroy(rp);
    record_free(r);
    return t;
}

static void check_replay(const char *line, uint32_t size)
{
    char err[400] = "";
    const struct replay_tally t = replay(err, sizeof err);
    ok(t.answers > 500 && t.answers == t.answers_identical && t.states == 6 &&
           t.states == t.states_identical && !t.nr_unmodelled && !t.differences,
       "%s, %u bytes: replayed: %" PRIu64 " of %" PRIu64 " answers, %" PRIu64
       " of %" PRIu64 " states %s",
       line, size, t.answers_identical, t.answers, t.states_identical, t.states, err);
}

/* Without the last line that tells what CPU 0 has. */
static void check_unseen(void)
{
    const char *begin =
        k.slub ? "\ncpu_slab cache-1 cpu=0" : "\narray_cache cache-1 cpu=0";
    char err[400] = "", *at = NULL;
    text[text_size] = 0;
    for (char *next = text; (next = strstr(next, begin)) != NULL; next++) {
        at = next + 1;
    }
    char *behind = at ? strchr(at, '\n') + 1 : NULL;
    if (behind) {
        memmove(at, behind, (size_t)(text + text_size - behind));
        text_size -= (size_t)(behind - at);
    }
    const struct replay_tally t = replay(err, sizeof err);
    ok(behind && t.states == 6 && t.states_identical == 5 && t.differences,
       "... and without a CPU's line one state is not %s", err);
}

/* On CPU 0 alone, as the records are, and then on all. */
static void check(const char *line, bool slub, uint32_t size, uint32_t flags,
                  bool fragmented, uint32_t steps)
{
    start_machine(line, slub, size, flags, fragmented);
    rng.state = size + k.cpus * 1000 + slub;
    lines(false);
    compare();
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < steps; i++) {
            step(1, round % 2 == 0, true);
        }
        compare();
        lines(round % 2);
    }
    dump_state(m, "after-slab");
    check_replay(line, size);
    check_unseen();
    for (uint32_t i = 0; i < 8 * steps && !why[0]; i++) {
        step(k.cpus, i / steps % 2 == 0, false);
        if (i % 40 == 0) {
            bulk_step(i / steps % 2 == 0);
        }
        if (i % 16 == 0) {
            compare();
        }
        if (i % (3 * steps) == 3 * steps - 1) {
            call(0, OP_KMEM_CACHE_SHRINK, id, 0, 0, 0);
            if (slub) {
                slub_shrink_all();
            } else {
                slab_shrink_all();
            }
            compare();
        }
    }
    ok(!why[0], "%s, %s, %u bytes: all as the kernel's source says %s", line,
       slub ? "SLUB" : "SLAB", size, why);
    const char *broken = machine_check(m);
    ok(!broken, "... and the machine is whole%s%s", broken ? ": " : "",
       broken ? broken : "");
    machine_destroy(m);
}

int main(void)
{
    static const struct {
        const char *line;
        enum arch arch;
    } machines[] = {{"arch=x86_64 ram=96M cpus=1", ARCH_X86_64},
                    {"arch=x86_64 ram=96M cpus=4", ARCH_X86_64},
                    {"ram=96M highmem=16M cpus=2", ARCH_I386},
                    {"ram=96M highmem=16M cpus=3", ARCH_I386},
                    {"arch=i386pae ram=96M cpus=4", ARCH_I386_PAE},
                    {"arch=x86_64 ram=96M cpus=8", ARCH_X86_64}};
    static const uint32_t sizes[][2] = {
        {40, 0}, {200, SLAB_HWCACHE_ALIGN}, {700, 0}, {1700, 0}, {5000, 0}};
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        check_geometry(machines[i].line, machines[i].arch);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            const uint32_t steps = sizes[s][0] < 1000 ? 1500 : 500;
            check(machines[i].line, true, sizes[s][0], sizes[s][1], false, steps);
            check(machines[i].line, false, sizes[s][0], sizes[s][1], false, steps);
        }
    }
    /* the order that is good for 1700 bytes is not to be had: two objects a page */
    check("arch=x86_64 ram=96M cpus=4", true, 1700, 0, true, 500);
    check("ram=96M highmem=16M cpus=1", true, 1700, 0, true, 500);
    check("ram=96M highmem=16M cpus=2", true, 700, 0, true, 1000);
    free(text);
    return done_testing();
}
