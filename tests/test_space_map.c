/* The picture of the address space: bars against the regions and areas that there are,
 * zooming that keeps the place, and looking that changes nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <locale.h>
#include <string.h>

#include "app.h"
#include "hw_focus.h"
#include "open_app.h"
#include "pane.h"
#include "prng.h"
#include "session.h"
#include "space_map.h"
#include "tap.h"

struct bench {
    struct session *s;
    struct app a;
    struct grid g;
    struct prng r;
    uint64_t va[40], page[40];
    int nr_va, nr_pages;
};

static uint64_t call(struct bench *b, enum op_kind kind, uint64_t a0, uint64_t a1)
{
    const struct op op = {.kind = (uint16_t)kind, .origin = ORIGIN_USER, .arg = {a0, a1}};
    const struct position from = timeline_position(b->a.t);
    const uint64_t answer = timeline_do(b->a.t, &op);
    app_moved(&b->a, from);
    return answer;
}

static void open_bench(struct bench *b, const char *machine, uint64_t seed)
{
    *b = (struct bench){.r = {seed}};
    b->s = open_app(&b->a, &b->g, "space", machine, "");
    for (int i = 0; i < 60; i++) {
        if (prng_one_in(&b->r, 3) && b->nr_va) {
            call(b, OP_VFREE, b->va[--b->nr_va], 0);
        } else if (b->nr_va < 40) {
            b->va[b->nr_va++] =
                call(b, OP_VMALLOC, (1 + prng_below(&b->r, 9)) << PAGE_SHIFT, 0);
        }
    }
}

static void close_bench(struct bench *b)
{
    grid_destroy(&b->g);
    app_free(&b->a);
    session_close(b->s);
}

/* Any address that there is, more often one near something. */
static uint64_t any_place(struct bench *b)
{
    const struct machine *m = b->a.model.m;
    if (prng_one_in(&b->r, 2) && b->nr_va) {
        return b->va[prng_below(&b->r, (uint64_t)b->nr_va)] +
               prng_below(&b->r, 64 * PAGE_SIZE);
    }
    const struct kspace_area r =
        space_region(m, (uint32_t)prng_below(&b->r, space_nr_regions(m))).area;
    return r.first + prng_below(&b->r, r.last - r.first);
}

static void test_bars(struct bench *b, const char *name)
{
    const struct machine *m = b->a.model.m;
    unsigned outside = 0, gaps = 0, lost = 0, coarse = 0, hidden = 0, wide = 0;
    for (int round = 0; round < 400; round++) {
        const uint64_t at = any_place(b);
        const int w = 20 + (int)prng_below(&b->r, 180), nr = space_levels(m, at, w);
        uint64_t cell = UINT64_MAX, first, last, next;
        for (int level = 0; level < nr - 1; level++) {
            struct space_bar bar;
            space_bar(m, at, w, level, &bar);
            outside += at < bar.first || at > bar.last || space_cell_of(&bar, at) < 0;
            wide += bar.n > w;
            for (int i = 0; level && i < bar.n; i++) {
                space_cell(&bar, i, &first, &last);
                lost += space_cell_of(&bar, first) != i || space_cell_of(&bar, last) != i;
                gaps += i ? first != next : first != bar.first;
                next = last + 1;
            }
            gaps += level && last != bar.last;
            coarse += level && bar.cell > cell;
            cell = level ? bar.cell : cell;
        }
        coarse += cell != PAGE_SIZE;
        struct space_bar top;
        space_bar(m, at, w, 0, &top);
        for (int i = 0; i < top.nr; i++) {
            hidden += top.part[i].n < 1;
        }
        hidden += (uint32_t)top.nr != space_nr_regions(m);
    }
    is_u64(outside, 0, "%s: every bar has the place", name);
    is_u64(gaps, 0, "%s: cells leave no gap", name);
    is_u64(lost, 0, "%s: an address is in the cell that has it", name);
    is_u64(coarse, 0, "%s: each bar is finer, the last has pages", name);
    is_u64(hidden, 0, "%s: no region is too small to be seen", name);
    is_u64(wide, 0, "%s: bars fit", name);
}

/* What stands in the cells of pages is what the engine says of them. */
static void test_looks(struct bench *b, const char *name)
{
    const struct machine *m = b->a.model.m;
    unsigned wrong = 0, areas = 0, lazy = 0, guards = 0;
    const uint64_t from = m->vm->kspace.vmalloc_start;
    for (uint64_t va = from; va < from + 400 * PAGE_SIZE; va += PAGE_SIZE) {
        struct area_view v;
        const struct space_look look = space_look(&b->a, va, va + PAGE_SIZE - 1);
        const bool in = space_area_at(m, va, &v);
        const bool guard = in && v.guard && va >= v.guard;
        wrong += (look.ch == '.') != !in;
        wrong += (look.ch == '~') != (in && v.kind == VMAP_LAZY);
        wrong += (look.ch == 'g') != guard;
        areas += in;
        lazy += look.ch == '~';
        guards += guard;
    }
    is_u64(wrong, 0, "%s: pages are drawn as what they are", name);
    ok(areas && lazy && guards, "%s: areas, %u guard pages and %u lazily freed ones",
       name, guards, lazy);
}

static void test_keys(struct bench *b, const char *name)
{
    static const char keys[] = "+-+-+-hjkl[]";
    struct app *a = &b->a;
    const uint64_t digest = machine_digest(timeline_machine(a->t));
    unsigned moved = 0, nowhere = 0;
    app_focus(a, PANE_SPACE);
    for (int i = 0; i < 600; i++) {
        if (prng_one_in(&b->r, 40)) {
            a->hw.space.at = any_place(b);
            a->hw.space.has_cursor = true;
        }
        const uint64_t before = a->hw.space.at;
        const bool cursor = a->hw.space.has_cursor;
        const char k = keys[prng_below(&b->r, sizeof keys - 1)];
        app_key(a, k);
        app_draw(a, &b->g);
        moved += cursor && (k == '+' || k == '-') && a->hw.space.at != before;
        nowhere += space_region_of(a->model.m, a->hw.space.at) == UINT32_MAX;
    }
    is_u64(moved, 0, "%s: zooming keeps the place", name);
    is_u64(nowhere, 0, "%s: the cursor stays in the address space", name);
    app_focus(a, PANE_KMAP);
    for (int i = 0; i < 200; i++) {
        app_key(a, "hjkl[]"[prng_below(&b->r, 6)]);
        app_draw(a, &b->g);
    }
    is_u64(machine_digest(timeline_machine(a->t)), digest, "%s: looking changes nothing",
           name);
}

/* A page's addresses light up, and its frame does from its address. */
static void test_both_ways(struct bench *b, const char *name)
{
    struct app *a = &b->a;
    const uint64_t va = b->va[0];
    const struct address_view v = space_whatis(a->model.m, 0, va);
    char line[64];
    app_focus(a, PANE_SPACE);
    snprintf(line, sizeof line, "search %#llx", (unsigned long long)va);
    app_command(a, line);
    is_u64(a->hw.space.at, va, "%s: / goes to an address", name);
    ok(a->hw.has_lit && a->hw.lit == v.frame, "%s: its frame lights up", name);
    a->hw.space.has_cursor = false;
    app_focus(a, PANE_PHYSMAP);
    a->map.has_cursor = true;
    a->map.cursor = v.frame;
    app_resize(a, 120, 40);
    bool found = false;
    for (int i = 0; i < a->hw.space.nr_addresses && i < SPACE_MAX_ADDRESSES; i++) {
        found = found || a->hw.space.at_of_page[i] == va;
    }
    ok(found, "%s: and from the frame the address", name);
}

int main(void)
{
    static const struct {
        const char *name, *machine;
    } machines[] = {
        {"i386", "arch = \"i386\", ram = \"1G\", cpus = 2"},
        {"i386 1G/3G", "arch = \"i386\", ram = \"64M\", vmsplit = \"1g\""},
        {"PAE", "arch = \"i386pae\", ram = \"128M\", highmem = \"32M\", cpus = 3"},
        {"x86-64", "arch = \"x86_64\", ram = \"128M\""},
        {"five levels", "arch = \"x86_64\", ram = \"128M\", la57 = true"},
    };
    setlocale(LC_ALL, "C.UTF-8");
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        struct bench b;
        open_bench(&b, machines[i].machine, 7 + i);
        test_bars(&b, machines[i].name);
        test_looks(&b, machines[i].name);
        test_both_ways(&b, machines[i].name);
        test_keys(&b, machines[i].name);
        close_bench(&b);
    }
    return done_testing();
}
