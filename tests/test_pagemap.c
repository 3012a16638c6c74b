/* The page map's counts against page_view() of every single page, after random
 * operations, time travel and misuse.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect.h"
#include "page.h"
#include "tap.h"

static uint64_t rng = 88172645463325252u;

static uint64_t next_random(uint64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % below;
}

static struct machine *boot(const char *const *settings)
{
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    for (; *settings; settings += 2) {
        if (!config_set(&c, settings[0], settings[1], err, sizeof err)) {
            bail_out("%s", err);
        }
    }
    struct machine *m = machine_create(&c, NULL, err, sizeof err);
    if (!m) {
        bail_out("%s", err);
    }
    return m;
}

static uint64_t run(struct machine *m, uint16_t kind, uint64_t a, uint64_t b)
{
    const struct op op = {.kind = kind, .arg = {a, b}};
    return machine_do(m, &op);
}

/* What the map ought to say, page by page. */
static struct pagemap_cell count_pages(const struct machine *m, uint64_t first,
                                       uint64_t nr)
{
    struct pagemap_cell c = {0};
    for (uint64_t p = first; p < first + nr; p++) {
        struct page_view v = page_view(m, pfn(p));
        c.nr[v.state]++;
        if (v.state == PAGE_FREE) {
            c.free_by_type[v.type]++;
        } else if (v.state == PAGE_ALLOCATED) {
            c.alloc_by_type[v.type]++;
        }
    }
    return c;
}

static bool same_counts(const struct pagemap_cell *a, const struct pagemap_cell *b)
{
    return !memcmp(a->nr, b->nr, sizeof a->nr) &&
           !memcmp(a->free_by_type, b->free_by_type, sizeof a->free_by_type) &&
           !memcmp(a->alloc_by_type, b->alloc_by_type, sizeof a->alloc_by_type);
}

/* All cells of one size. */
static bool agrees_at(const struct pagemap *pm, const struct machine *m, uint32_t shift)
{
    for (uint64_t p = 0; p < machine_max_pfn(m) + 5000; p += (uint64_t)1 << shift) {
        struct pagemap_cell got = pagemap_cell(pm, p, shift);
        struct pagemap_cell want = count_pages(m, p, (uint64_t)1 << shift);
        if (!same_counts(&got, &want)) {
            diag("cell %" PRIx64 " shift %u differs: free %" PRIu64 " not %" PRIu64
                 ", allocated %" PRIu64 " not %" PRIu64 ", pcp %" PRIu64 " not %" PRIu64,
                 p, shift, got.nr[PAGE_FREE], want.nr[PAGE_FREE], got.nr[PAGE_ALLOCATED],
                 want.nr[PAGE_ALLOCATED], got.nr[PAGE_PCP], want.nr[PAGE_PCP]);
            return false;
        }
    }
    return true;
}

static void agrees(const struct pagemap *pm, const struct machine *m, const char *when)
{
    static const uint32_t shifts[] = {0, 3, 4, 7, 9, 10, 12, 20};
    bool good = true;
    for (size_t i = 0; good && i < sizeof shifts / sizeof shifts[0]; i++) {
        good = agrees_at(pm, m, shifts[i]);
    }
    /* ranges that are not aligned */
    for (int i = 0; good && i < 50; i++) {
        uint32_t shift = (uint32_t)next_random(13);
        uint64_t first = next_random(machine_max_pfn(m));
        struct pagemap_cell got = pagemap_cell(pm, first, shift);
        struct pagemap_cell want = count_pages(m, first, (uint64_t)1 << shift);
        good = same_counts(&got, &want);
    }
    ok(good, "%s: every cell counts its pages", when);
}

enum { HELD = 2000 };

struct held {
    uint64_t frame[HELD];
    uint8_t order[HELD];
    uint32_t nr;
};

static void random_operation(struct machine *m, struct held *h, uint32_t max_order,
                             bool misuse)
{
    static const gfp_t flags[] = {GFP_KERNEL, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE,
                                  GFP_NOWAIT | __GFP_RECLAIMABLE};
    uint64_t what = next_random(100);
    if (misuse && what < 3) {
        run(m, OP_FREE_PAGES, next_random(m->mm->max_pfn + 100), next_random(max_order));
    } else if (what < 55 && h->nr < HELD) {
        uint64_t order = next_random(4) ? 0 : next_random(max_order);
        uint64_t frame =
            run(m, OP_ALLOC_PAGES, flags[next_random(4)] | __GFP_NOWARN, order);
        if (frame != PFN_NONE) {
            h->frame[h->nr] = frame;
            h->order[h->nr++] = (uint8_t)order;
        }
    } else if (what < 98 && h->nr) {
        uint32_t i = (uint32_t)next_random(h->nr);
        run(m, OP_FREE_PAGES, h->frame[i], h->order[i]);
        h->frame[i] = h->frame[--h->nr];
        h->order[i] = h->order[h->nr];
    } else {
        run(m, OP_DRAIN_LOCAL_PAGES, 0, 0);
    }
}

static void check_machine(const char *name, const char *const *settings, bool misuse)
{
    struct machine *m = boot(settings);
    struct pagemap *pm = pagemap_create(m);
    struct held h = {.nr = 0};
    char when[200];
    snprintf(when, sizeof when, "%s, booted", name);
    agrees(pm, m, when);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 300; i++) {
            random_operation(m, &h, m->mm->max_order, misuse);
            if (i % 60 == 0) {
                pagemap_update(pm);
            }
        }
        pagemap_update(pm);
        snprintf(when, sizeof when, "%s, round %d", name, round);
        agrees(pm, m, when);
    }
    struct snapshot *s = arena_snapshot(&m->arena);
    struct held then = h;
    for (int i = 0; i < 2000; i++) {
        random_operation(m, &h, m->mm->max_order, misuse);
    }
    pagemap_update(pm);
    arena_restore(&m->arena, s);
    h = then;
    pagemap_update(pm);
    snprintf(when, sizeof when, "%s, gone back", name);
    agrees(pm, m, when);
    snapshot_unref(&m->arena, s);
    /* a second map, made late */
    struct pagemap *late = pagemap_create(m);
    snprintf(when, sizeof when, "%s, a map made late", name);
    agrees(late, m, when);
    pagemap_destroy(late);
    pagemap_destroy(pm);
    machine_destroy(m);
}

static void check_changed(void)
{
    struct machine *m = boot((const char *const[]){"ram", "64M", NULL});
    struct pagemap *pm = pagemap_create(m);
    ok(!pagemap_cell(pm, 0, 20).changed, "a new map: nothing has changed");
    run(m, OP_ALLOC_PAGES, GFP_KERNEL, 5); /* takes a whole pageblock over */
    pagemap_update(pm);
    uint64_t frame = run(m, OP_ALLOC_PAGES, GFP_KERNEL, 5);
    pagemap_update(pm);
    bool good = true;
    for (uint64_t p = 0; p < machine_max_pfn(m); p++) {
        bool in = p >= frame && p < frame + 32;
        good = good && pagemap_cell(pm, p, 0).changed == in;
    }
    ok(good, "an allocation of 32 pages: exactly these have changed");
    ok(pagemap_cell(pm, frame & ~(uint64_t)4095, 12).changed,
       "so has the cell of 4096 pages around");
    pagemap_update(pm);
    ok(!pagemap_cell(pm, 0, 20).changed, "after another update nothing has");
    pagemap_destroy(pm);
    machine_destroy(m);
}

int main(void)
{
    check_machine("i386", (const char *const[]){"ram", "64M", "highmem", "0", NULL},
                  false);
    check_machine("i386 with HighMem",
                  (const char *const[]){"ram", "160M", "highmem", "80M", NULL}, false);
    check_machine("i386, misuse", (const char *const[]){"ram", "64M", NULL}, true);
    check_machine("x86_64 with a hole",
                  (const char *const[]){"arch", "x86_64", "memmap",
                                        "0-640K,1M-70M,128M-200M", NULL},
                  false);
    check_machine("small blocks",
                  (const char *const[]){"ram", "64M", "max_order", "4", NULL}, false);
    check_changed();
    return done_testing();
}
