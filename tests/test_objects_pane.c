/* The pane Slabs shows each object where it is, and the way of the last operation is the
 * same whichever way one comes to a position.
 *
 * Random allocations and frees on machines with SLAB and with SLUB. After each the cells
 * are counted and compared with the cache's own counters. Then the last operations are
 * gone through event by event, back and forth: the path only grows at its end while an
 * operation goes on, and the same position always shows the same one. Looking changes
 * nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "object_path.h"
#include "objects.h"
#include "open_app.h"
#include "pane.h"
#include "prng.h"
#include "session.h"
#include "slabs.h"
#include "tap.h"

enum { OPS = 400, HELD = 128, BACK = 30, MAX_SEEN = 4096, PATH_TEXT = 2048 };

struct bench {
    struct session *s;
    struct app a;
    struct grid g;
    struct prng r;
    uint64_t held[HELD];
    int nr_held;
};

static uint64_t do_op(struct bench *b, uint16_t kind, uint8_t cpu, uint64_t a0,
                      uint64_t a1)
{
    const struct op op = {
        .kind = kind, .origin = ORIGIN_USER, .cpu = cpu, .arg = {a0, a1}};
    const struct position from = timeline_position(b->a.t);
    const uint64_t result = timeline_do(b->a.t, &op);
    app_moved(&b->a, from);
    return result;
}

static void open_bench(struct bench *b, const char *machine, uint64_t seed)
{
    *b = (struct bench){.r = {seed}};
    b->s = open_app(&b->a, &b->g, "objects", machine, "kmem_cache_init()");
    app_show_view(&b->a, VIEW_OBJECTS);
    app_command(&b->a, "pane 5");
}

static void close_bench(struct bench *b)
{
    grid_destroy(&b->g);
    app_free(&b->a);
    session_close(b->s);
}

static void random_op(struct bench *b)
{
    static const uint16_t sizes[] = {8, 60, 200, 500, 2000, 8000};
    const uint8_t cpu = (uint8_t)prng_below(&b->r, machine_nr_cpus(b->a.model.m));
    if (b->nr_held < HELD && (!b->nr_held || prng_below(&b->r, 5) < 3)) {
        const uint64_t size = sizes[prng_below(&b->r, 6)];
        const uint64_t va = do_op(b, OP_KMALLOC, cpu, size, GFP_KERNEL);
        if (va) {
            b->held[b->nr_held++] = va;
        }
    } else {
        const int i = (int)prng_below(&b->r, (uint64_t)b->nr_held);
        do_op(b, OP_KFREE, cpu, b->held[i], 0);
        b->held[i] = b->held[--b->nr_held];
    }
}

/* ---- cells ---- */

/* Do the cells of all slabs of the cache add up to what the cache says of itself? */
static bool cells_agree(const struct bench *b)
{
    static struct object_place places[SLABS_MAX_OBJECTS];
    const struct app *a = &b->a;
    uint64_t nr[4] = {0}, slabs = 0;
    struct cache_view v;
    if (!cache_view(a->model.m, a->objects.cache, &v)) {
        return false;
    }
    for (uint32_t slab = slabs_nth(a, 0); slab; slab = slabs_after(a, slab), slabs++) {
        const struct slab_view s = slab_view(a->model.m, slab);
        uint32_t next = 0;
        slabs_places(a, &s, slab, v.size, places);
        for (uint32_t i = 0; i < s.num; i++) {
            /* what is free in a frozen slab counts as its CPU's */
            nr[s.frozen && places[i].state == OBJECT_FREE ? OBJECT_IN_ARRAY
                                                          : places[i].state]++;
            next += places[i].state == OBJECT_FREE && places[i].next;
            const struct object_view o =
                object_view(a->model.m, s.s_mem + (uint64_t)i * v.size);
            if (o.state != places[i].state || o.index != i || o.slab != slab ||
                places[i].next != (o.state != OBJECT_IN_USE && !o.position)) {
                diag("object %u of slab %u: state %u and %u", i, slab, o.state,
                     places[i].state);
                return false;
            }
        }
        if (slabs_ordinal(a, slab) != (int64_t)slabs || next > 1) {
            return false;
        }
    }
    if (nr[OBJECT_IN_USE] != v.in_use || nr[OBJECT_IN_ARRAY] != v.in_arrays ||
        nr[OBJECT_FREE] != v.free_objects || slabs != v.num_slabs) {
        diag("%s: cells %llu %llu %llu in %llu slabs, counters %llu %llu %llu in %llu",
             v.name, (unsigned long long)nr[1], (unsigned long long)nr[2],
             (unsigned long long)nr[3], (unsigned long long)slabs,
             (unsigned long long)v.in_use, (unsigned long long)v.in_arrays,
             (unsigned long long)v.free_objects, (unsigned long long)v.num_slabs);
        return false;
    }
    return true;
}

/* ---- the path ---- */

struct seen {
    struct position at;
    int nr;
    uint8_t where[PATH_MAX];
    char text[PATH_TEXT];
};

static void look(struct bench *b, struct seen *s)
{
    const struct object_path *p = &b->a.objects.path;
    size_t len = 0;
    app_layout(&b->a);
    app_draw(&b->a, &b->g);
    *s = (struct seen){.at = timeline_position(b->a.t), .nr = p->nr};
    len += (size_t)snprintf(s->text, sizeof s->text,
                            "%llu %d %s:", (unsigned long long)p->op, p->live, p->call);
    for (int i = 0; i < p->nr; i++) {
        s->where[i] = p->at[i].where;
        if (len < sizeof s->text) {
            len += (size_t)snprintf(s->text + len, sizeof s->text - len, " > %s %s",
                                    object_path_name(p->at[i].where), p->at[i].text);
        }
    }
}

static bool grows(const struct seen *before, const struct seen *now)
{
    return now->nr >= before->nr &&
           !memcmp(before->where, now->where, (size_t)before->nr);
}

static void test_path(struct bench *b, const char *machine)
{
    struct seen *all = calloc(MAX_SEEN, sizeof *all), now;
    int nr = 0;
    bool same = true, growing = true;
    const uint64_t digest = machine_digest(timeline_machine(b->a.t));
    const struct position end = timeline_position(b->a.t);
    while (all && nr < MAX_SEEN && timeline_position(b->a.t).op + BACK > end.op) {
        look(b, &all[nr++]);
        app_command(&b->a, "event-back");
    }
    for (int i = nr - 1; i >= 0 && same; i--) {
        app_command(&b->a, "event");
        look(b, &now);
        same = !strcmp(now.text, all[i].text) && now.at.op == all[i].at.op &&
               now.at.event == all[i].at.event;
        if (!same) {
            diag("%llu.%llu: %s", (unsigned long long)now.at.op,
                 (unsigned long long)now.at.event, now.text);
            diag("%llu.%llu: %s", (unsigned long long)all[i].at.op,
                 (unsigned long long)all[i].at.event, all[i].text);
        }
        if (i + 1 < nr && b->a.objects.path.live &&
            !strncmp(all[i + 1].text, now.text, 6)) {
            growing = growing && grows(&all[i + 1], &now);
        }
    }
    ok(nr > BACK && same, "%s: %d positions show the same path both ways", machine, nr);
    ok(growing, "%s: it only grows at its end", machine);
    is_hex(machine_digest(timeline_machine(b->a.t)), digest,
           "%s: looking changes nothing", machine);
    free(all);
}

/* w watches the object under the cursor: going back from there stops where it was handed
 * out, for somebody has it. */
static void test_watch(struct bench *b, const char *machine)
{
    const uint64_t va = do_op(b, OP_KMALLOC, 0, 60, GFP_KERNEL);
    const uint64_t op = timeline_position(b->a.t).op;
    do_op(b, OP_KMALLOC, 0, 500, GFP_KERNEL);
    char find[40];
    snprintf(find, sizeof find, "search 0x%llx", (unsigned long long)va);
    app_command(&b->a, "pane 5");
    app_command(&b->a, find);
    is_hex(slabs_object(&b->a), va, "%s: search goes to an address", machine);
    app_key(&b->a, 'w');
    is_u64((uint64_t)b->a.stops.nr, 1, "%s: w watches the object", machine);
    app_command(&b->a, "continue-back");
    const struct position at = timeline_position(b->a.t);
    ok(at.op + (at.event != 0) == op &&
           object_view(b->a.model.m, va).state == OBJECT_IN_USE,
       "%s: C goes back to where it was handed out", machine);
    app_key(&b->a, 'w');
    is_u64((uint64_t)b->a.stops.nr, 0, "%s: w again, and it is watched no longer",
           machine);
    app_command(&b->a, "now");
}

/* The list opens a cache, and Esc comes back. */
static void test_keys(struct bench *b, const char *machine)
{
    app_command(&b->a, "pane 4");
    app_key(&b->a, K_HOME);
    const uint32_t first = b->a.objects.cache;
    app_key(&b->a, K_DOWN);
    app_key(&b->a, K_ENTER);
    ok(b->a.focus == PANE_SLABS && b->a.objects.cache != first, "%s: Enter opens a cache",
       machine);
    app_key(&b->a, K_DOWN);
    app_key(&b->a, K_ESC);
    ok(b->a.focus == PANE_CACHES, "%s: Esc comes back to the list", machine);
    app_key(&b->a, K_ESC);
    ok(!b->a.objects.pinned, "%s: once more, and it follows again", machine);
}

static void test_machine(const char *machine, uint64_t seed)
{
    static struct bench b;
    bool agree = true;
    open_bench(&b, machine, seed);
    for (int i = 0; i < OPS && agree; i++) {
        random_op(&b);
        app_layout(&b.a);
        agree = cells_agree(&b);
    }
    ok(agree, "%s: cells agree with the counters after each of %d operations", machine,
       OPS);
    test_path(&b, machine);
    test_watch(&b, machine);
    test_keys(&b, machine);
    close_bench(&b);
}

/* ---- what takes its time says so ---- */

static int shows;
static char shown[400];

static void show(void *ctx, struct app *a)
{
    struct grid *g = ctx;
    app_draw(a, g);
    grid_row_text(g, 0, shown, sizeof shown);
    shows++;
}

static void test_busy(void)
{
    static const int sizes[][2] = {{60, 15}, {80, 24}, {200, 60}};
    struct app a;
    struct grid g;
    struct session *s = open_app(&a, &g, "objects", "ram = '64M'", "kmalloc(100)");
    a.show = show;
    a.show_ctx = &g;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        app_resize(&a, sizes[i][0], sizes[i][1]);
        grid_resize(&g, sizes[i][0], sizes[i][1]);
        shows = 0;
        app_command(&a, "cost");
        ok(shows == 1 && strstr(shown, " measuring"), "cost says that it measures: %s",
           shown);
        show(&g, &a);
        ok(!strstr(shown, "measuring"), "until it is done: %s", shown);
        app_command(&a, "close");
    }
    grid_destroy(&g);
    app_free(&a);
    session_close(s);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    test_machine("arch = \"i386\", ram = \"160M\", cpus = 2", 1);
    test_machine("arch = \"x86-64\", ram = \"256M\"", 2);
    test_machine("arch = \"i386\", ram = \"160M\", cpus = 3, slab = \"slub\"", 3);
    test_machine("arch = \"x86-64\", ram = \"256M\", cpus = 2, slab = \"slub\"", 4);
    test_machine("arch = \"x86-64\", ram = \"256M\", cpus = 2, slab = \"slub\", "
                 "slub_debug = \"FZPU\"",
                 5);
    test_busy();
    return done_testing();
}
