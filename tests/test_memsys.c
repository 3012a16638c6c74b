/* hw/memsys.c: the whole way of an access, three times over.
 *
 * memsys_run (counting), memsys_access (events, marks, bytes) and a naive machine run the
 * same random references on random configurations: all counts must agree, and the first
 * two leave the same bytes in their arenas. Then bytes: what is loaded is what was stored
 * last, and where a virtual cache cannot know, it is the stale value.
 *
 * This file is over 800 lines because the naive machine stands in it, beside what it is
 * compared with.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_count.h"
#include "memsys_rig.h"
#include "naive_cache.h"
#include "prng.h"
#include "tap.h"

/* ---- the naive machine ---- */

/* Why a TLB misses: the pages that were ever there, and a fully associative TLB. */
struct naive_causes {
    struct naive_cache whole;
    uint64_t seen[4096];
    uint32_t nr_seen;
};

struct naive {
    struct memsys_config c;
    struct naive_causes tlb_causes[NR_SIDES], stlb_causes;
    struct naive_cache l1[NR_SIDES], l2, tlb[NR_SIDES], stlb;
    struct rig *rig; /* RAM and process of its own */
    struct memsys_tally n;
    uint64_t first_touch[1024][2];
    uint32_t touched;
};

static void naive_create(struct naive *v, const struct memsys_config *c, struct rig *rig)
{
    memset(v, 0, sizeof *v);
    v->c = *c;
    v->rig = rig;
    for (int s = 0; s < NR_SIDES; s++) {
        naive_init(&v->l1[s], c->l1[s].sets, c->l1[s].ways, c->l1[s].policy);
        naive_init(&v->tlb_causes[s].whole, 1, c->tlb[s].entries, POLICY_LRU);
        if (c->tlb[s].ways) {
            naive_init(&v->tlb[s], c->tlb[s].entries / c->tlb[s].ways, c->tlb[s].ways,
                       c->tlb[s].policy);
        }
    }
    naive_init(&v->stlb_causes.whole, 1, c->stlb.entries, POLICY_LRU);
    naive_init(&v->l2, c->l2.sets, c->l2.ways, c->l2.policy);
    if (c->stlb.ways) {
        naive_init(&v->stlb, c->stlb.entries / c->stlb.ways, c->stlb.ways,
                   c->stlb.policy);
    }
}

static void naive_destroy(struct naive *v)
{
    for (int s = 0; s < NR_SIDES; s++) {
        naive_free(&v->l1[s]);
        naive_free(&v->tlb[s]);
        naive_free(&v->tlb_causes[s].whole);
    }
    naive_free(&v->stlb_causes.whole);
    naive_free(&v->l2);
    naive_free(&v->stlb);
}

static void naive_below(struct naive *v, uint64_t pa, enum l2_use use, bool write,
                        uint64_t bytes)
{
    v->n.l2_access[use]++;
    if (!v->c.l2.ways) {
        v->n.l2_miss[use]++;
        v->n.direct_bytes += write ? bytes : 0;
        return;
    }
    uint64_t line = pa / v->c.l2.line_bytes;
    uint32_t set = (uint32_t)(line % v->l2.sets);
    struct naive_line *l = naive_find(&v->l2, set, line);
    if (l) {
        l->dirty = l->dirty || write;
        naive_use(&v->l2, set, l);
        return;
    }
    v->n.l2_miss[use]++;
    l = naive_victim(&v->l2, set);
    v->n.l2_writeback += l->valid && l->dirty;
    naive_put(&v->l2, set, l, line, 0, write);
}

static uint64_t naive_entry_read(void *ctx, uint64_t at, uint32_t size)
{
    struct naive *v = ctx;
    uint64_t value = 0;
    naive_below(v, at, L2_WALK, false, size);
    ram_read(&v->rig->ram, paddr(at), &value, size); /* little-endian, as x86 */
    return value;
}

static void naive_entry_write(void *ctx, uint64_t at, uint64_t value, uint32_t size)
{
    struct naive *v = ctx;
    naive_below(v, at, L2_WALK, true, size);
    ram_write(&v->rig->ram, paddr(at), &value, size);
}

static uint64_t naive_tables(struct naive *v, uint64_t va, enum access_kind access)
{
    const struct mmu_bus bus = {naive_entry_read, naive_entry_write, v};
    struct walk w;
    v->n.walks++;
    if (v->c.translation == TRANSLATE_IDENTITY) {
        return (va & ~(uint64_t)4095) | CACHE_PERMS;
    }
    if (v->c.translation == TRANSLATE_FIRST_TOUCH) {
        for (uint32_t i = 0; i < v->touched; i++) {
            if (v->first_touch[i][0] == va >> 12) {
                return v->first_touch[i][1] << 12 | CACHE_PERMS;
            }
        }
        v->first_touch[v->touched][0] = va >> 12;
        v->first_touch[v->touched][1] = v->c.first_pfn + v->touched;
        return v->first_touch[v->touched++][1] << 12 | CACHE_PERMS;
    }
    for (;;) {
        mmu_walk(&v->rig->process.mmu, va, access, &bus, &w);
        if (w.fault.kind == FAULT_NONE) {
            return w.entry;
        }
        v->n.faults++;
        if (!process_fault(&v->rig->process, NULL, &w.fault)) {
            bail_out("a page fault that cannot be answered");
        }
        v->n.walks++;
    }
}

static void naive_enter(struct naive_cache *t, uint64_t page, uint64_t entry)
{
    uint32_t set = (uint32_t)(page % t->sets);
    naive_put(t, set, naive_victim(t, set), page, 0, false);
    naive_find(t, set, page)->entry = entry;
}

static struct naive_line *naive_entry(struct naive_cache *t, uint64_t page)
{
    return t->ways ? naive_find(t, (uint32_t)(page % t->sets), page) : NULL;
}

static void naive_cause(struct naive_causes *c, uint64_t page, bool hit,
                        struct miss_causes *n)
{
    struct naive_line *l = naive_find(&c->whole, 0, page);
    bool seen = false;
    for (uint32_t i = 0; i < c->nr_seen; i++) {
        seen = seen || c->seen[i] == page;
    }
    if (!hit) {
        n->cold += !seen;
        n->capacity += seen && !l;
        n->conflict += seen && l;
    }
    if (l) {
        naive_use(&c->whole, 0, l);
    } else {
        naive_put(&c->whole, 0, naive_victim(&c->whole, 0), page, 0, false);
    }
    if (!seen) {
        c->seen[c->nr_seen++] = page;
    }
}

/* A write needs D. */
static bool naive_enough(uint64_t entry, enum access_kind access)
{
    return access != ACCESS_WRITE || (entry & CACHE_D);
}

static uint64_t naive_translate(struct naive *v, enum side side, uint64_t va,
                                enum access_kind access)
{
    struct naive_cache *t = &v->tlb[side];
    uint64_t page = va >> 12, entry;
    if (!v->c.tlb[side].ways) {
        return v->c.translation == TRANSLATE_IDENTITY
                   ? (va & ~(uint64_t)4095) | CACHE_PERMS
                   : naive_tables(v, va, access);
    }
    v->n.tlb_access[side]++;
    struct naive_line *l = naive_entry(t, page);
    if (l) {
        naive_use(t, (uint32_t)(page % t->sets), l);
        entry = l->entry;
        naive_cause(&v->tlb_causes[side], page, true, &v->n.tlb_causes[side]);
    } else {
        struct naive_line *second = naive_entry(&v->stlb, page);
        const bool second_hit = second != NULL;
        v->n.tlb_miss[side]++;
        v->n.stlb_access += v->c.stlb.ways != 0;
        if (second) {
            naive_use(&v->stlb, (uint32_t)(page % v->stlb.sets), second);
            entry = second->entry;
        } else {
            v->n.stlb_miss += v->c.stlb.ways != 0;
            entry = naive_tables(v, va, access);
            if (v->c.stlb.ways) {
                naive_enter(&v->stlb, page, entry);
            }
        }
        naive_enter(t, page, entry);
        if (v->c.stlb.ways) {
            naive_cause(&v->stlb_causes, page, second_hit, &v->n.stlb_causes);
        }
        naive_cause(&v->tlb_causes[side], page, false, &v->n.tlb_causes[side]);
    }
    if (!naive_enough(entry, access)) { /* out, and in again with D */
        struct naive_line *second = naive_entry(&v->stlb, page);
        naive_entry(t, page)->valid = false;
        if (second) {
            second->valid = false;
        }
        entry = naive_tables(v, va, access);
        if (v->c.stlb.ways) {
            naive_enter(&v->stlb, page, entry);
        }
        naive_enter(t, page, entry);
    }
    return entry;
}

static uint64_t naive_physical(const struct naive *v, uint64_t entry, uint64_t va)
{
    return v->c.translation == TRANSLATE_IDENTITY ? va
                                                  : (entry & TLB_FRAME) | (va & 4095);
}

static void naive_line_access(struct naive *v, enum side side, uint64_t va, uint64_t pa,
                              uint64_t size, enum access_kind access)
{
    struct naive_cache *c = &v->l1[side];
    const bool virt = v->c.tagging >= TAG_VIVT, write = access == ACCESS_WRITE;
    const uint64_t bytes = v->c.l1[side].line_bytes;
    uint32_t set = (uint32_t)((v->c.tagging == TAG_PIPT ? pa : va) / bytes % c->sets);
    uint64_t key = (virt ? va : pa) / bytes;
    struct naive_line *l = naive_find(c, set, key);
    v->n.l1_access[access]++;
    if (l) {
        naive_use(c, set, l);
        if (virt && !naive_enough(l->entry, access)) {
            l->entry = naive_translate(v, side, va, access);
        }
        if (write && v->c.write_through) {
            naive_below(v, virt ? l->home * bytes + va % bytes : pa, L2_STORE, true,
                        size);
        } else if (write) {
            l->dirty = true;
        }
        return;
    }
    v->n.l1_miss[access]++;
    uint64_t entry = CACHE_PERMS;
    if (virt) {
        entry = naive_translate(v, side, va, access);
        pa = naive_physical(v, entry, va);
    }
    if (write && v->c.no_write_allocate) {
        naive_below(v, pa, L2_STORE, true, size);
        return;
    }
    l = naive_victim(c, set);
    naive_below(v, pa, L2_FETCH, false, bytes);
    if (l->valid && l->dirty) {
        v->n.l1_writeback[side]++;
        naive_below(v, l->home * bytes, L2_VICTIM, true, bytes);
    }
    naive_put(c, set, l, key, pa / bytes, write && !v->c.write_through);
    l->entry = virt ? entry : CACHE_PERMS;
    if (write && v->c.write_through) {
        naive_below(v, pa, L2_STORE, true, size);
    }
}

static void naive_reference(struct naive *v, uint64_t va, uint64_t size,
                            enum access_kind access)
{
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const uint64_t bytes =
        v->c.l1[side].ways ? v->c.l1[side].line_bytes : v->c.l2.line_bytes;
    uint64_t pa[2] = {0, 0}, second_page = (va + size - 1) >> 12 << 12;
    const bool virt = v->c.tagging >= TAG_VIVT && v->c.l1[side].ways;
    if (!virt) {
        pa[0] = naive_physical(v, naive_translate(v, side, va, access), va);
        if (second_page > va) {
            v->n.tlb_straddle[side] += v->c.tlb[side].ways != 0;
            pa[1] = naive_physical(v, naive_translate(v, side, second_page, access),
                                   second_page);
        }
    }
    if (v->c.l1[side].ways && va / bytes != (va + size - 1) / bytes) {
        v->n.l1_straddle[side]++;
    }
    for (uint64_t at = va; at < va + size;) {
        uint64_t end =
            (at / bytes + 1) * bytes < va + size ? (at / bytes + 1) * bytes : va + size;
        uint64_t here = second_page > va && at >= second_page ? pa[1] + (at - second_page)
                                                              : pa[0] + (at - va);
        if (v->c.l1[side].ways) {
            naive_line_access(v, side, at, here, end - at, access);
        } else if (v->c.l2.ways) {
            naive_below(v, here, access == ACCESS_WRITE ? L2_STORE : L2_FETCH,
                        access == ACCESS_WRITE, end - at);
        }
        at = end;
    }
}

/* ---- random configurations and references ---- */

static struct cache_config random_cache(struct prng *r, uint32_t line, uint32_t sets)
{
    struct cache_config c = {
        .sets = prng_one_in(r, 5) ? 3 + (uint32_t)prng_below(r, 9) : sets,
        .ways = 1 + (uint32_t)prng_below(r, prng_one_in(r, 4) ? 24 : 8),
        .line_bytes = line,
        .policy = (enum cache_policy)prng_below(r, 3)};
    if (c.policy == POLICY_PLRU) {
        c.ways = 1u << prng_below(r, 5);
    }
    return c;
}

static struct tlb_config random_tlb(struct prng *r)
{
    uint32_t ways = 1u << prng_below(r, 4);
    return (struct tlb_config){.entries = ways * (1 + (uint32_t)prng_below(r, 4)),
                               .ways = ways,
                               .policy = (enum cache_policy)prng_below(r, 3)};
}

/* What memsys_run has ways of its own for: the usual machine (hw/memsys_lean.h) and plain
 * ones (hw/memsys_count.h). */
enum shape { ANY, USUAL, PLAIN };

/* Any configuration made plain. */
static void make_plain(struct prng *r, struct memsys_config *c)
{
    const bool tlbs = !prng_one_in(r, 4);
    struct cache_config *caches[] = {&c->l1[SIDE_I], &c->l1[SIDE_D], &c->l2};
    struct tlb_config *levels[] = {&c->tlb[SIDE_I], &c->tlb[SIDE_D], &c->stlb};
    for (int i = 0; i < 3; i++) {
        caches[i]->sets = 1u << prng_below(r, 5);
        caches[i]->ways = 1 + (uint32_t)prng_below(r, 16);
        caches[i]->policy = POLICY_LRU;
        const uint32_t ways = tlbs ? 1 + (uint32_t)prng_below(r, 16) : 0;
        *levels[i] = (struct tlb_config){.entries = ways << prng_below(r, 4), ways};
    }
    c->write_through = c->no_write_allocate = false;
    c->causes = prng_one_in(r, 2);
    if (c->tagging < TAG_VIVT && !tlbs) {
        c->translation = TRANSLATE_IDENTITY;
    }
}

static struct memsys_config random_config(struct prng *r, enum shape shape)
{
    const bool usual = shape == USUAL;
    struct memsys_config c = {.first_pfn = 0x100};
    uint32_t line = 16u << prng_below(r, 4);
    c.l2 = random_cache(r, line << prng_below(r, 2), 16);
    for (int s = 0; s < NR_SIDES; s++) {
        c.l1[s] = random_cache(r, line, 4);
        c.tlb[s] = random_tlb(r);
    }
    c.stlb = random_tlb(r);
    c.tagging = (enum tagging)prng_below(r, 4);
    c.translation = (enum translation)prng_below(r, 3);
    c.write_through = prng_one_in(r, 3);
    c.no_write_allocate = c.write_through && prng_one_in(r, 2);
    c.causes = !usual && prng_one_in(r, 3);
    if (usual) { /* what memsys_run has a lean path for */
        c.tagging = TAG_VIVT;
        c.translation = TRANSLATE_TABLES;
        c.write_through = c.no_write_allocate = false;
        c.memory_types = c.coherent = false;
        /* of which that of 8 ways whose signatures are bits of the address has a way of
           its own */
        const bool eight = prng_one_in(r, 2);
        const uint32_t tlb_sets = eight ? 8u << prng_below(r, 2) : 2;
        for (int side = 0; side < NR_SIDES; side++) {
            const uint32_t ways = eight ? 8 : 1 + (uint32_t)prng_below(r, 8);
            const uint32_t entries = 1 + (uint32_t)prng_below(r, 8);
            c.l1[side] = (struct cache_config){.sets = 4, .ways = ways, .line_bytes = 64};
            c.tlb[side] =
                (struct tlb_config){.entries = tlb_sets * entries, .ways = entries};
        }
        const uint32_t l2_ways = eight ? 8 : 1 + (uint32_t)prng_below(r, 16);
        const uint32_t entries = 1 + (uint32_t)prng_below(r, 16);
        c.l2 = (struct cache_config){.sets = eight ? 512u << prng_below(r, 2) : 16,
                                     .ways = l2_ways,
                                     .line_bytes = 64};
        c.stlb = (struct tlb_config){.entries = 2 * tlb_sets * entries, .ways = entries};
        return c;
    }
    if (shape == PLAIN) {
        make_plain(r, &c);
        return c;
    }
    if (prng_one_in(r, 6)) {
        c.l2.ways = 0;
    }
    if (prng_one_in(r, 6)) {
        c.stlb.entries = c.stlb.ways = 0;
    }
    if (prng_one_in(r, 8)) {
        c.tlb[0] = c.tlb[1] = (struct tlb_config){0};
        c.stlb.entries = c.stlb.ways = 0;
    }
    if (prng_one_in(r, 10)) {
        c.l1[SIDE_I].ways = 0;
        c.tagging = TAG_PIPT;
    }
    return c;
}

static struct ref random_ref(struct prng *r)
{
    struct ref ref = {.kind = (uint32_t)prng_below(r, NR_REF_KINDS)};
    ref.size =
        prng_one_in(r, 10) ? 1 + (uint32_t)prng_below(r, 200) : 1u << prng_below(r, 4);
    uint64_t page = prng_one_in(r, 4) ? prng_below(r, 200) : prng_below(r, 12);
    uint64_t offset =
        prng_one_in(r, 4) ? 4096 - 1 - prng_below(r, 8) : prng_below(r, 64) * 24 % 4096;
    ref.va = 0x400000 + (page << 12) + offset;
    return ref;
}

static bool same_tally(const struct memsys_tally *a, const struct memsys_tally *b,
                       bool causes)
{
    return (!causes ||
            (!memcmp(a->tlb_causes, b->tlb_causes, sizeof a->tlb_causes) &&
             !memcmp(&a->stlb_causes, &b->stlb_causes, sizeof a->stlb_causes))) &&
           !memcmp(a, b, offsetof(struct memsys_tally, l1_causes));
}

/* The numbers of a tally in a row, for comparing two of them by eye. */
static void diag_tally(const char *name, const struct memsys_tally *n)
{
    char line[2048];
    size_t used = 0;
    const uint64_t *number = &n->l1_access[0];
    for (size_t i = 0; i < offsetof(struct memsys_tally, l1_causes) / sizeof *number;
         i++) {
        used += (size_t)snprintf(line + used, sizeof line - used, " %" PRIu64, number[i]);
    }
    diag("%s:%s", name, line);
}

enum { REFS = 3000 };

/* How many configurations went each of the usual machine's ways, and the plain one. */
static int nr_lean, nr_lean_eight, nr_plain;

static void count_event(struct probe *p, const struct event *ev)
{
    (void)ev;
    ++*(uint64_t *)p->slow_ctx;
}

static void test_same(struct prng *r, int number, enum shape shape)
{
    static struct rig counting, live, watched, full, own;
    static struct naive naive;
    static struct ref refs[REFS];
    const enum paging pagings[] = {PAGING_I386, PAGING_PAE, PAGING_4LEVEL, PAGING_5LEVEL};
    enum paging paging = shape == USUAL ? PAGING_4LEVEL : pagings[prng_below(r, 4)];
    struct memsys_config c = random_config(r, shape);
    const char *part = "";
    if (memsys_config_error(&c, &part)) {
        return;
    }
    rig_create(&counting, &c, paging);
    rig_create(&live, &c, paging);
    rig_create(&full, &c, paging);
    full.memsys.full = true; /* nothing of it is wanted, so it counts the same */
    full.memsys.quick_live = full.memsys.lean_live = false;
    rig_create(&watched, &c, paging);
    watched.probe.stop = 0; /* each event is heard: no short cuts */
    uint64_t heard = 0;
    watched.probe.slow = count_event;
    watched.probe.slow_ctx = &heard;
    nr_lean += counting.memsys.lean && live.memsys.lean_live;
    nr_lean_eight += counting.memsys.lean_eight;
    nr_plain += memsys_is_plain(&counting.memsys);
    rig_create(&own, &c, paging);
    naive_create(&naive, &c, &own);
    struct snapshot *before = arena_snapshot(&live.arena);
    const struct ref_plan plan = ref_plan(prng_one_in(r, 4));
    int other_events = 0;
    for (int i = 0; i < REFS; i++) {
        refs[i] = random_ref(r);
        for (int k = 0; k < 2; k++) {
            enum access_kind access =
                k ? plan.second[refs[i].kind] : plan.first[refs[i].kind];
            if (access != NR_ACCESS_KINDS) {
                memsys_access(&live.memsys, refs[i].va, refs[i].size, access, NULL);
                memsys_access(&watched.memsys, refs[i].va, refs[i].size, access, NULL);
                other_events += live.probe.n != watched.probe.n;

                memsys_access(&full.memsys, refs[i].va, refs[i].size, access, NULL);
                naive_reference(&naive, refs[i].va, refs[i].size, access);
            }
        }
    }
    counting.memsys.index_worth = (size_t)1 << prng_below(r, 12);
    size_t done = memsys_run(&counting.memsys, refs, REFS / 3, &plan);
    done += memsys_run(&counting.memsys, refs + done, REFS - done, &plan);
    bool good = done == REFS && same_tally(&counting.memsys.s->n, &naive.n, c.causes) &&
                same_tally(&live.memsys.s->n, &naive.n, c.causes) &&
                same_tally(&full.memsys.s->n, &naive.n, c.causes);
    if (!ok(good, "configuration %d%s: counts as the naive machine's", number,
            shape == USUAL   ? " (usual)"
            : shape == PLAIN ? " (plain)"
                             : "")) {
        diag("paging %d, tags %d, translation %d, through %d, allocate %d, L1 %u x %u, "
             "L2 %u x %u policy %d",
             paging, c.tagging, c.translation, c.write_through, !c.no_write_allocate,
             c.l1[1].sets, c.l1[1].ways, c.l2.sets, c.l2.ways, c.l2.policy);
        diag_tally("naive   ", &naive.n);
        diag_tally("counting", &counting.memsys.s->n);
        diag_tally("live    ", &live.memsys.s->n);
        diag_tally("full    ", &full.memsys.s->n);
    }
    const char *broken = memsys_check(&counting.memsys);
    broken = broken ? broken : memsys_check(&live.memsys);
    broken = broken ? broken : arena_check(&live.arena);
    broken = broken ? broken : arena_check(&counting.arena);
    ok(!broken && arena_digest(&live.arena) == arena_digest(&counting.arena),
       "both leave the same bytes, every change marked%s%s", broken ? ": " : "",
       broken ? broken : "");
    ok(!other_events && heard == watched.probe.n &&
           arena_digest(&watched.arena) == arena_digest(&live.arena),
       "watched or not: as many events at each access, all heard, the same bytes");
    full.memsys.s->n.walk_steps = 0; /* the one count that the others do not keep */
    arena_mark(&full.arena, full.memsys.s);
    arena_mark(&full.arena, &full.memsys.s->n.walk_steps);
    broken = memsys_check(&full.memsys);
    broken = broken ? broken : arena_check(&full.arena);
    ok(!broken && arena_digest(&full.arena) == arena_digest(&counting.arena),
       "and so does the full way%s%s", broken ? ": " : "", broken ? broken : "");
    arena_restore(&live.arena, before);
    is_u64(live.memsys.s->n.l1_access[ACCESS_READ], 0,
           "and back in time nothing has happened");
    snapshot_unref(&live.arena, before);
    naive_destroy(&naive);
    arena_destroy(&counting.arena);
    arena_destroy(&live.arena);
    arena_destroy(&watched.arena);
    arena_destroy(&full.arena);
    arena_destroy(&own.arena);
}

/* Frames give out in the middle of a run: the fault that nobody mends is counted as the
 * whole path counts it, and the run ends there. */
static void test_unmended(struct prng *r, bool usual)
{
    static struct rig counting, live, whole;
    static struct ref refs[REFS];
    const struct ref_plan plan = ref_plan(false);
    struct memsys_config c = random_config(r, usual ? USUAL : PLAIN);
    c.translation = TRANSLATE_TABLES;
    struct rig *rigs[] = {&counting, &live, &whole};
    const uint64_t next = FRAMES - 8 * (prng_below(r, 40) + 5);
    size_t did[2] = {0, 0};
    for (int i = 0; i < 3; i++) {
        rig_create(rigs[i], &c, PAGING_4LEVEL);
        rigs[i]->next = next;
    }
    whole.memsys.lean_live = whole.memsys.quick_live = false;
    for (int i = 0; i < REFS; i++) {
        refs[i] = random_ref(r);
        refs[i].size = 1;
    }
    for (int i = 0; i < 2; i++) {
        for (bool good = true; good && did[i] < REFS; did[i] += good) {
            const struct ref *ref = &refs[did[i]];
            struct memsys *m = &rigs[i + 1]->memsys;
            good = memsys_access(m, ref->va, ref->size, plan.first[ref->kind], NULL) &&
                   (ref->kind != REF_MODIFY ||
                    memsys_access(m, ref->va, ref->size, ACCESS_WRITE, NULL));
        }
    }
    counting.memsys.index_worth = prng_one_in(r, 2) ? 1 : (size_t)1 << 14;
    const size_t done = memsys_run(&counting.memsys, refs, REFS, &plan);
    ok(done < REFS && done == did[0] && done == did[1] &&
           same_tally(&counting.memsys.s->n, &whole.memsys.s->n, false) &&
           arena_digest(&counting.arena) == arena_digest(&whole.arena) &&
           arena_digest(&live.arena) == arena_digest(&whole.arena),
       "a fault that nobody mends ends a run at reference %zu, counted as elsewhere",
       done);
    for (int i = 0; i < 3; i++) {
        arena_destroy(&rigs[i]->arena);
    }
}

/* ---- bytes ---- */

/* Without two names for one frame, a load returns the last store in every configuration.
 * */
static void test_bytes(struct prng *r, int number)
{
    static struct rig g;
    static unsigned char shadow[64 << 12];
    struct memsys_config c = random_config(r, prng_one_in(r, 4) ? USUAL : ANY);
    const char *part = "";
    c.data = true;
    c.translation = prng_one_in(r, 2) ? TRANSLATE_TABLES : TRANSLATE_IDENTITY;
    if (memsys_config_error(&c, &part)) {
        return;
    }
    rig_create(&g, &c, PAGING_4LEVEL);
    memset(shadow, 0, sizeof shadow);
    int wrong = 0;
    for (int i = 0; i < 4000; i++) {
        unsigned char bytes[64];
        uint32_t size = 1 + (uint32_t)prng_below(r, sizeof bytes);
        uint64_t at = prng_below(r, sizeof shadow - size);
        if (prng_one_in(r, 2)) {
            for (uint32_t k = 0; k < size; k++) {
                bytes[k] = shadow[at + k] = (unsigned char)prng_next(r);
            }
            wrong += !memsys_access(&g.memsys, 0x400000 + at, size, ACCESS_WRITE, bytes);
        } else {
            wrong += !memsys_access(&g.memsys, 0x400000 + at, size, ACCESS_READ, bytes);
            wrong += memcmp(bytes, shadow + at, size) != 0;
        }
        if (prng_one_in(r, 500)) {
            memsys_flush_l1(&g.memsys, SIDE_D, true, prng_one_in(r, 2));
            memsys_flush_l2(&g.memsys, true, prng_one_in(r, 2));
        }
    }
    memsys_flush_l1(&g.memsys, SIDE_D, true, true);
    memsys_flush_l2(&g.memsys, true, true);
    for (uint64_t at = 0; at < sizeof shadow && c.translation == TRANSLATE_IDENTITY;
         at += 64) {
        unsigned char bytes[64];
        ram_read(&g.ram, paddr(0x400000 + at), bytes, sizeof bytes);
        wrong += memcmp(bytes, shadow + at, sizeof bytes) != 0;
    }
    ok(!wrong && !memsys_check(&g.memsys), "bytes %d: every load returns the last store",
       number);
    arena_destroy(&g.arena);
}

static uint64_t load(struct memsys *m, uint64_t va)
{
    uint64_t v = 0;
    memsys_access(m, va, 8, ACCESS_READ, &v);
    return v;
}

static void store(struct memsys *m, uint64_t va, uint64_t v)
{
    memsys_access(m, va, 8, ACCESS_WRITE, &v);
}

/* Page tables as software writes them, past the caches: fit as long as no table is in L2.
 * */
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
static uint64_t bus_table(void *ctx)
{
    (void)ctx;
    static uint64_t at = 2000;
    return at++ << PAGE_SHIFT;
}

static uint64_t next_table(void *ctx) { return (*(uint64_t *)ctx)++ << PAGE_SHIFT; }

/* Pages of 2 MiB turn up in the middle of a run: a machine that was plain, or the usual
 * one, counts on as the whole path does. */
static void test_large_pages(struct prng *r, bool usual)
{
    static struct rig rig[2]; /* memsys_run, memsys_access */
    static struct ref refs[REFS];
    const struct ref_plan plan = ref_plan(false);
    struct memsys_config c = random_config(r, usual ? USUAL : PLAIN);
    c.translation = TRANSLATE_TABLES;
    for (int i = 0; i < 2; i++) {
        struct rig *g = &rig[i];
        uint64_t table = 2000;
        rig_create(g, &c, PAGING_4LEVEL);
        const struct mmu_bus bus = {bus_read, bus_write, &g->ram};
        mmu_map(&g->process.mmu, 0x400000, 0x800000, PTE_W | PTE_U, PAGE_2M, &bus,
                next_table, &table);
    }
    for (int i = 0; i < REFS; i++) {
        refs[i] = random_ref(r);
        refs[i].va += i < REFS / 3 || prng_one_in(r, 2) ? 0x200000 : 0;
    }
    const size_t done = memsys_run(&rig[0].memsys, refs, REFS, &plan);
    const bool plain = memsys_is_plain(&rig[0].memsys);
    for (int i = 0; i < REFS; i++) {
        memsys_access(&rig[1].memsys, refs[i].va, refs[i].size, plan.first[refs[i].kind],
                      NULL);
        if (refs[i].kind == REF_MODIFY) {
            memsys_access(&rig[1].memsys, refs[i].va, refs[i].size, ACCESS_WRITE, NULL);
        }
    }
    ok(done == REFS && !(plain && c.stlb.ways) && !memsys_check(&rig[0].memsys) &&
           same_tally(&rig[0].memsys.s->n, &rig[1].memsys.s->n, true) &&
           arena_digest(&rig[0].arena) == arena_digest(&rig[1].arena),
       "large pages, %s: counts and bytes as those of the whole path",
       usual ? "usual" : "plain");
    arena_destroy(&rig[0].arena);
    arena_destroy(&rig[1].arena);
}

static void test_stale(enum tagging tagging)
{
    static struct rig g;
    const bool virt = tagging >= TAG_VIVT;
    struct memsys_config c = {
        .tagging = tagging, .translation = TRANSLATE_TABLES, .data = true};
    c.l1[0] = c.l1[1] = (struct cache_config){.sets = 64, .ways = 8, .line_bytes = 64};
    c.l2 = (struct cache_config){.sets = 512, .ways = 8, .line_bytes = 64};
    c.tlb[0] = c.tlb[1] = (struct tlb_config){.entries = 64, .ways = 4};
    rig_create(&g, &c, PAGING_4LEVEL);
    const struct mmu *mmu = &g.process.mmu;
    const struct mmu_bus bus = {bus_read, bus_write, &g.ram};
    const char *name = virt ? "virtual tags" : "physical tags";
    /* two names, one frame */
    mmu_map(mmu, 0x10000, 0x500000, PTE_W | PTE_U, PAGE_4K, &bus, bus_table, NULL);
    mmu_map(mmu, 0x20000, 0x500000, PTE_W | PTE_U, PAGE_4K, &bus, bus_table, NULL);
    store(&g.memsys, 0x10008, 1);
    is_u64(load(&g.memsys, 0x20008), virt ? 0 : 1, "%s: the alias, before any flush",
           name);
    memsys_flush_l1(&g.memsys, SIDE_D, true, true);
    is_u64(load(&g.memsys, 0x20008), 1, "%s: after a flush", name);
    /* the same name in another address space */
    struct process other;
    struct rig frames = {.next = 3000, .step = 8};
    process_create(&other, PAGING_4LEVEL, &g.ram, next_frame, &frames);
    mmu_map(&other.mmu, 0x10000, 0x600000, PTE_W | PTE_U, PAGE_4K, &bus, bus_table, NULL);
    uint64_t mine = 42;
    ram_write(&g.ram, paddr(0x600008), &mine, 8);
    load(&g.memsys, 0x10008);
    memsys_load_cr3(&g.memsys, other.mmu.cr3, tagging == TAG_VIVT_ASID ? 1 : 0, false);
    is_u64(load(&g.memsys, 0x10008), tagging == TAG_VIVT ? 1 : 42,
           "tags %d: the homonym reads %s page", tagging,
           tagging == TAG_VIVT ? "the other process's" : "its own");
    arena_destroy(&g.arena);
}

/* A TLB entry outlives the tables that it was made from. */
static void test_stale_entry(void)
{
    static struct rig g;
    struct memsys_config c = {.tagging = TAG_PIPT, .translation = TRANSLATE_TABLES};
    c.tlb[0] = c.tlb[1] = (struct tlb_config){.entries = 16, .ways = 4};
    c.data = true;
    rig_create(&g, &c, PAGING_4LEVEL);
    const struct mmu *mmu = &g.process.mmu;
    const struct mmu_bus bus = {bus_read, bus_write, &g.ram};
    uint64_t a = 11, b = 22;
    ram_write(&g.ram, paddr(0x500000), &a, 8);
    ram_write(&g.ram, paddr(0x501000), &b, 8);
    mmu_map(mmu, 0x10000, 0x500000, PTE_U, PAGE_4K, &bus, bus_table, NULL);
    is_u64(load(&g.memsys, 0x10000), 11, "the first frame");
    mmu_map(mmu, 0x10000, 0x501000, PTE_U, PAGE_4K, &bus, bus_table, NULL);
    is_u64(load(&g.memsys, 0x10000), 11,
           "mapped anew, the TLB still leads to the first frame");
    memsys_invlpg(&g.memsys, 0x10000);
    is_u64(load(&g.memsys, 0x10000), 22, "invlpg, and it leads to the second");
    uint64_t v = 1;
    ok(!memsys_access(&g.memsys, 0x10000, 8, ACCESS_WRITE, &v),
       "a read-only page is not written");
    is_hex(g.memsys.s->fault.error_code, PF_PRESENT | PF_WRITE | PF_USER,
           "the error code says why");
    is_hex(g.memsys.s->fault.cr2, 0x10000, "CR2 says where");
    ok(memsys_access(&g.memsys, 0x10000, 8, ACCESS_READ, &v), "it is read all the same");
    arena_destroy(&g.arena);
}

int main(void)
{
    struct prng r = {31337};
    for (int i = 0; i < 60; i++) {
        test_same(&r, i, ANY);
    }
    nr_lean = nr_lean_eight = 0;
    for (int i = 0; i < 30; i++) {
        test_same(&r, i, USUAL);
    }
    ok(nr_lean == 30 && nr_lean_eight > 5 && nr_lean_eight < 25,
       "the usual machine has gone both of its ways (%d of %d the one for 8 ways)",
       nr_lean_eight, nr_lean);
    nr_plain = 0;
    for (int i = 0; i < 60; i++) {
        test_same(&r, i, PLAIN);
    }
    ok(nr_plain >= 50, "so have plain machines (%d of 60)", nr_plain);
    for (int i = 0; i < 24; i++) {
        test_unmended(&r, i < 8);
    }
    for (int i = 0; i < 24; i++) {
        test_bytes(&r, i);
    }
    for (int i = 0; i < 40; i++) {
        test_large_pages(&r, i % 4 == 0);
    }
    test_stale(TAG_PIPT);
    test_stale(TAG_VIVT);
    test_stale(TAG_VIVT_ASID);
    test_stale_entry();
    return done_testing();
}
