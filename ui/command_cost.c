/* Commands: what an allocation costs, at each depth and in the operation that ran last.
 *
 *   cost          measured on a copy of the machine as it is now (engine/depth.h)
 *   cost last     what the last operation touched (engine/touch.h), where the machine
 *                 makes the kernel's own accesses
 *
 * What was not measured is a dash: no figure here is from anywhere else.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_run.h"
#include "depth.h"
#include "describe.h"
#include "host.h"
#include "pane.h"
#include "popup.h"
#include "slab_view.h"

#define KEY POPUP_TEXT_KEY
#define NORMAL POPUP_TEXT_NORMAL
#define DIM POPUP_TEXT_DIM
#define HEADING POPUP_TEXT_HEADING

/* "1 356", or "-" for what is not there. */
static const char *figure(char buf[28], bool there, uint64_t n)
{
    if (!there) {
        snprintf(buf, 28, "-");
        return buf;
    }
    return thousands(buf, n);
}

/* A # for each doubling, where there is room: an array hit is seen beside a refill that
 * is a hundred times dearer. */
static void bar(const struct app *a, char *buf, size_t size, uint64_t cycles)
{
    int n = 0;
    while (a->cols >= 88 && n < 7 && cycles >= 16) {
        cycles /= 2;
        n++;
    }
    snprintf(buf, size, "%s%.*s", n ? " " : "", n, "#######");
}

static void depth_row(const struct app *a, struct text_buf *b,
                      const struct depth_table *t, uint32_t depth)
{
    const struct depth_cost *r = &t->row[depth];
    const struct touch_sum *s = &r->warm.sum;
    const bool cycles = r->measured && t->has_cycles, whole = !r->cold.partial;
    char n[6][28], warm[28], blocks[16];
    bar(a, blocks, sizeof blocks, cycles ? s->cycles.total : 0);
    text_add(b, "%s%-24s%5s%7s%8s%6s%5s%9s%8s%s%s\n", r->measured ? "" : DIM,
             depth_info(depth)->what, figure(n[0], r->measured, r->units),
             figure(n[1], r->measured, r->events),
             figure(n[2], r->measured, s->reads + s->writes),
             figure(n[3], r->measured && whole, r->cold.lines_l1),
             r->measured && whole ? (snprintf(n[4], 28, "%u", r->cold.pages), n[4]) : "-",
             figure(n[5], cycles, r->cold.sum.cycles.total),
             figure(warm, cycles, s->cycles.total), blocks, r->measured ? "" : NORMAL);
}

static void depth_rows(const struct app *a, struct text_buf *b,
                       const struct depth_table *t, enum depth_unit unit,
                       const char *title)
{
    if (*title) {
        text_add(b, HEADING "%-24s" NORMAL DIM "%5s%7s%8s%6s%5s%9s%8s" NORMAL "\n", title,
                 "for", "events", "touches", "lines", "TLB", "cold cy", "warm cy");
    }
    for (uint32_t i = 0; i < NR_DEPTHS; i++) {
        const bool other =
            i == (a->model.m->config.slub ? DEPTH_SHARED : DEPTH_CPU_PARTIAL);
        if (depth_info(i)->unit == unit && !other) {
            depth_row(a, b, t, i);
        }
    }
}

/* Whose row stands for a layer, and its price for each. */
static const struct depth_cost *row_for(const struct depth_table *t, enum depth first,
                                        enum depth second)
{
    return t->row[first].measured ? &t->row[first] : &t->row[second];
}

static void layer_row(struct text_buf *b, const struct depth_table *t, const char *name,
                      const char *unit, const char *purpose, const char *callers,
                      const struct depth_cost *r)
{
    const bool there = r->measured && t->has_cycles;
    const uint64_t units = r->units ? r->units : 1;
    char cold[28], warm[28];
    text_add(b, KEY "%-16s" NORMAL "%-10s%-17s%-14s%8s%7s\n", name, unit, purpose,
             callers, figure(cold, there, r->cold.sum.cycles.total / units),
             figure(warm, there, r->warm.sum.cycles.total / units));
}

static void comparison(struct text_buf *b, const struct depth_table *t)
{
    const struct depth_cost *refill = row_for(t, DEPTH_REFILL, DEPTH_GROW);
    text_add(b, "\n" HEADING "%-16s" NORMAL DIM "%-10s%-17s%-14s%8s%7s" NORMAL "\n",
             "Three layers", "unit", "purpose", "who calls", "cold cy", "warm");
    layer_row(b, t, "Per-CPU objects", "object", "no lock, no list", "every kmalloc",
              &t->row[DEPTH_HIT]);
    layer_row(b, t, "Slabs", "object", "pages cut up", "CPUs' objects", refill);
    layer_row(b, t, "Per-CPU pages", "page", "no zone->lock", "slabs, faults",
              &t->row[DEPTH_PAGE_PCP]);
    layer_row(b, t, "Buddy system", "2^n pages", "blocks, merged", "page lists",
              row_for(t, DEPTH_PAGE_BUDDY, DEPTH_PAGE_SPLIT));
    text_add(b,
             DIM "Cycles for each: a refill's are divided by what it brings. The block "
                 "is of order 4." NORMAL "\n");
}

/* What the figures come to, where there are two to compare. */
static void moral(struct text_buf *b, const struct depth_table *t)
{
    const struct depth_cost *hit = &t->row[DEPTH_HIT];
    const struct depth_cost *deep = row_for(t, DEPTH_GROW_REFILL, DEPTH_GROW);
    char one[28], other[28];
    if (!hit->measured || !deep->measured || !t->has_cycles ||
        !hit->warm.sum.cycles.total) {
        return;
    }
    const uint64_t a = hit->warm.sum.cycles.total, z = deep->warm.sum.cycles.total;
    text_add(
        b,
        "\nWith an object at hand the CPU touches %u lines in %s cycles, and no line "
        "that another CPU writes. All the way down it is %u lines and %s cycles, %" PRIu64
        " times as much: so that is done for many at a time, here for %u.\n",
        hit->cold.lines_l1, thousands(one, a), deep->cold.lines_l1, thousands(other, z),
        z / a, deep->units);
}

static void cost_depths(struct app *a, uint32_t cache)
{
    struct depth_table *t = calloc(1, sizeof *t);
    struct text_buf b = {0};
    struct cache_view v;
    char err[300] = "there is no memory", name[96] = "kmalloc(200)";
    app_busy(a, "measuring");
    const bool done =
        t && depth_measure(a->model.m, cache, a->cpu, &host_memory, t, err, sizeof err);
    app_busy(a, NULL);
    if (!done) {
        app_message(a, MESSAGE_ERROR, "Nothing can be measured here: %s.", err);
        free(t);
        return;
    }
    if (cache && cache_view(a->model.m, cache, &v)) {
        snprintf(name, sizeof name, "an object of %s", v.name);
    }
    text_add(
        &b,
        "%s on CPU %u, measured on a copy of this machine: the allocators' loads and "
        "stores through its TLBs and caches, with both empty (cold), and with the "
        "same lines just used (warm).\n\n",
        name, t->cpu);
    depth_rows(a, &b, t, DEPTH_OBJECT, "An object");
    depth_rows(a, &b, t, DEPTH_PAGE, "A page");
    depth_rows(a, &b, t, DEPTH_OBJECT_BACK, "Given back");
    depth_rows(a, &b, t, DEPTH_PAGE_BACK, "");
    if (a->cols >= 88) {
        text_add(&b, DIM "%73s" NORMAL "\n", "Each # is twice the cycles of one less.");
    }
    comparison(&b, t);
    moral(&b, t);
    free(t);
    popup_text(a, "What an allocation costs", b.text);
}

/* ---- the last operation ---- */

static void last_layers(const struct machine *m, struct text_buf *b)
{
    struct touch_cost t;
    text_add(b, DIM "%-16s %6s %6s %6s %5s %7s %7s %7s %8s" NORMAL "\n", "layer", "reads",
             "writes", "lines", "TLB", "L1 miss", "L2 miss", "TLB m.", "cycles");
    for (uint32_t i = 0; i <= NR_TOUCH_LAYERS; i++) {
        const uint32_t layers = i == NR_TOUCH_LAYERS ? TOUCH_ALL_LAYERS : 1u << i;
        char cycles[28];
        touch_cost(m, layers, &t);
        if (t.sum.reads + t.sum.writes == 0 && i < NR_TOUCH_LAYERS) {
            continue;
        }
        text_add(b,
                 KEY "%-16s" NORMAL " %6" PRIu64 " %6" PRIu64 " %6u %5u %7" PRIu64
                     " %7" PRIu64 " %7" PRIu64 " %8s\n",
                 i == NR_TOUCH_LAYERS ? "all" : touch_layer_name(i), t.sum.reads,
                 t.sum.writes, t.lines_l1, t.pages, t.sum.l1_misses, t.sum.l2_misses,
                 t.sum.tlb_misses, thousands(cycles, t.sum.cycles.total));
    }
    if (t.partial) {
        text_add(b, "Lines and pages are of the first %d accesses only.\n", TOUCH_LOG);
    }
}

static void last_touches(const struct machine *m, struct text_buf *b)
{
    enum { MOST = 1000 };
    uint16_t event = UINT16_MAX;
    for (uint32_t i = 0; i < touch_nr(m) && i < MOST; i++) {
        const struct touch *t = touch_at(m, i);
        const struct touch_field_view f = touch_field_view(m, t->field);
        if (t->event != event) {
            event = t->event;
            text_add(b, HEADING "%s" NORMAL "\n",
                     event ? event_info(event)->name : "at the end");
        }
        text_add(b, "  %c 0x%-16" PRIx64 " %6u  %-9s %s.%s\n", t->write ? 'W' : 'R',
                 t->va, t->cycles,
                 t->l2_missed   ? "memory"
                 : t->l1_missed ? "L2"
                                : "L1",
                 f.structure, f.name);
    }
}

static void cost_last(struct app *a)
{
    const struct machine *m = a->model.m;
    struct text_buf b = {0};
    if (!touch_is_on(m)) {
        app_message(a, MESSAGE_ERROR,
                    "This machine does not make the kernel's own accesses: open it with "
                    "kernel_accesses=true. cost without an argument measures a copy.");
        return;
    }
    if (!touch_nr(m)) {
        app_message(a, MESSAGE_INFO,
                    "The last operation touched none of the allocators' structures.");
        return;
    }
    last_layers(m, &b);
    text_add(&b,
             "\n" DIM "  R/W  address, cycles, where the line was, field" NORMAL "\n");
    last_touches(m, &b);
    popup_text(a, "What the last operation touched", b.text);
}

void run_cost(struct app *a, const char *args)
{
    const uint32_t cache = *args ? cache_by_name(a->model.m, args) : 0;
    if (!strcmp(args, "last")) {
        cost_last(a);
    } else if (*args && !cache) {
        app_message(a, MESSAGE_ERROR,
                    "There is no cache %s: say cost, cost CACHE or cost last.", args);
    } else {
        cost_depths(a, cache);
    }
}
