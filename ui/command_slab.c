/* Commands: caches of objects, memory pools and mapped areas, as slabtop, crash and /proc
 * show them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "fault_inject.h"
#include "inspect_space.h"
#include "mempool.h"
#include "objects.h"
#include "pane.h"
#include "popup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- slabtop ---- */

void run_slabtop(struct app *a, const char *args)
{
    size_t nr;
    struct cache_view *list = objects_caches(a->model.m, &nr);
    struct text_buf b = {0};
    uint64_t objs = 0, active = 0, slabs = 0, active_slabs = 0, bytes = 0, used = 0;
    uint64_t busy = 0, least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < nr; i++) {
        const struct cache_view *v = &list[i];
        objs += v->num_objs;
        active += v->active_objs;
        slabs += v->num_slabs;
        active_slabs += v->active_slabs;
        bytes += objects_bytes(v);
        used += v->active_objs * v->size;
        busy += v->active_objs != 0;
        least = v->size < least ? v->size : least;
        most = v->size > most ? v->size : most;
    }
    if (!nr) {
        app_message(a, MESSAGE_INFO,
                    "There are no caches yet: kmem_cache_init() boots "
                    "them, and so does the first kmalloc.");
        free(list);
        return;
    }
    objects_sort(list, nr, *args ? *args : 'o');
    text_add(
        &b, " Active / Total Objects (%% used)    : %" PRIu64 " / %" PRIu64 " (%.1f%%)\n",
        active, objs, objects_percent(active, objs));
    text_add(
        &b, " Active / Total Slabs (%% used)      : %" PRIu64 " / %" PRIu64 " (%.1f%%)\n",
        active_slabs, slabs, objects_percent(active_slabs, slabs));
    text_add(&b, " Active / Total Caches (%% used)     : %" PRIu64 " / %zu (%.1f%%)\n",
             busy, nr, objects_percent(busy, nr));
    text_add(&b, " Active / Total Size (%% used)       : %.2fK / %.2fK (%.1f%%)\n",
             (double)used / 1024, (double)bytes / 1024, objects_percent(used, bytes));
    text_add(&b, " Minimum / Average / Maximum Object : %.2fK / %.2fK / %.2fK\n\n",
             (double)least / 1024,
             objs ? (double)used / (double)(active ? active : 1) / 1024 : 0,
             (double)most / 1024);
    char line[200];
    objects_head(line, sizeof line);
    text_add(&b, "%s\n", line);
    for (size_t i = 0; i < nr; i++) {
        objects_row(line, sizeof line, &list[i]);
        text_add(&b, "%s\n", line);
    }
    popup_text(a, "slabtop", b.text);
    free(list);
}

void run_sort(struct app *a, const char *args)
{
    if (!*args || args[1] || !strchr(OBJECTS_SORT_KEYS, *args)) {
        app_message(a, MESSAGE_ERROR,
                    "sort wants one of slabtop's keys: a, b, c, l, n, o, p, s, u, v.");
        return;
    }
    a->objects.sort = *args;
    app_focus(a, PANE_CACHES);
    app_message(a, MESSAGE_INFO, "The caches stand by %s.", objects_sort_name(*args));
}

/* ---- kmem -s, -S ---- */

void kmem_caches(struct app *a, struct text_buf *b, const char *name)
{
    size_t nr;
    struct cache_view *list = objects_caches(a->model.m, &nr);
    text_add(b, "%-8s %8s %10s %8s %6s %6s  %s\n", "CACHE", "OBJSIZE", "ALLOCATED",
             "TOTAL", "SLABS", "SSIZE", "NAME");
    for (size_t i = 0; i < nr; i++) {
        const struct cache_view *v = &list[i];
        if (!*name || !strcmp(name, v->name)) {
            text_add(b, "%-8u %8u %10" PRIu64 " %8" PRIu64 " %6" PRIu64 " %5uk  %s\n",
                     v->id, v->object_size, v->in_use, v->num_objs, v->num_slabs,
                     4u << v->order, v->name);
        }
    }
    free(list);
}

/* One slab, as crash prints it: its objects, those in use in brackets. */
static void put_slab(const struct machine *m, struct text_buf *b, const char *indent,
                     uint32_t slab)
{
    const struct slab_view v = slab_view(m, slab);
    /* SLAB counts what its arrays have, too; crash does not for SLUB's CPU freelists */
    const uint32_t out = m->config.slub ? v.in_use : v.active;
    struct cache_view c;
    if (!cache_view(m, v.cache, &c)) {
        return;
    }
    text_add(b, "%s%-10s  %-18s  %4s  %5s  %9s  %4s\n", indent, "SLAB", "MEMORY", "NODE",
             "TOTAL", "ALLOCATED", "FREE");
    text_add(b, "%s0x%-8" PRIx64 "  0x%-16" PRIx64 "  %4u  %5u  %9u  %4u\n", indent,
             v.pfn, v.s_mem, 0, v.num, out, v.num - out);
    text_add(b, "%sFREE / [ALLOCATED]\n", indent);
    for (uint32_t i = 0; i < v.num; i++) {
        const uint64_t va = v.s_mem + (uint64_t)i * c.size;
        const struct object_view o = object_view(m, va);
        text_add(b, o.state == OBJECT_IN_USE ? "%s  [%" PRIx64 "]" : "%s   %" PRIx64,
                 indent, va);
        if (o.state == OBJECT_IN_ARRAY && o.cpu != UINT32_MAX) {
            text_add(b, "  (cpu %u cache)", o.cpu);
        } else if (o.state == OBJECT_IN_ARRAY) {
            text_add(b, "  (shared cache)");
        }
        text_add(b, "\n");
    }
}

static void put_slab_list(const struct machine *m, struct text_buf *b, uint32_t id,
                          enum slab_list_kind kind, const char *indent, const char *none)
{
    uint32_t slab = slabs_first(m, id, kind);
    text_add(b, "%s", slab ? "" : none);
    for (; slab; slab = slabs_next(m, slab)) {
        put_slab(m, b, indent, slab);
    }
}

/* SLUB: each CPU's slab and partial ones, then the node's. */
static void put_slub(const struct machine *m, struct text_buf *b, uint32_t id)
{
    struct cache_view c;
    if (!cache_view(m, id, &c)) {
        return;
    }
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        struct slub_cpu_view v = {0};
        slub_cpu_view(m, id, cpu, &v);
        text_add(b, "CPU %u SLAB:\n%s", cpu, v.slab ? "" : "  (empty)\n");
        if (v.slab) {
            put_slab(m, b, "  ", v.slab);
        }
        text_add(b, "CPU %u PARTIAL:\n%s", cpu, v.partial ? "" : "  (empty)\n");
        for (uint32_t s = v.partial; s; s = slabs_next(m, s)) {
            put_slab(m, b, "  ", s);
        }
    }
    text_add(b, "KMEM_CACHE_NODE  NODE  SLABS  PARTIAL\n%-16s %4u %6" PRIu64 " %8u\n", "",
             0, c.num_slabs, c.nr_partial);
    text_add(b, "NODE 0 PARTIAL:\n");
    put_slab_list(m, b, id, SLABS_PARTIAL, "  ", "  (empty)\n");
    text_add(b, "NODE 0 FULL:\n  (not tracked)\n");
}

void kmem_slabs(struct app *a, struct text_buf *b, const char *name)
{
    const struct machine *m = a->model.m;
    const uint32_t id = cache_by_name(m, name);
    if (!id) {
        text_add(b, "kmem -S wants a cache's name: there is no %s.\n", name);
        return;
    }
    kmem_caches(a, b, name);
    if (m->config.slub) {
        put_slub(m, b, id);
        return;
    }
    for (int kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        put_slab_list(m, b, id, (enum slab_list_kind)kind, "", "");
    }
}

/* ---- /sys/kernel/slab ---- */

/* The file's text, for free(); NULL: there is none. */
static char *sysfs_text(const struct machine *m, uint32_t id, const char *file)
{
    const int len = id ? sysfs_slab(NULL, 0, m, id, file) : sysfs_slab_dir(NULL, 0, m);
    char *text = len >= 0 ? malloc((size_t)len + 1) : NULL;
    if (text && id) {
        sysfs_slab(text, (size_t)len + 1, m, id, file);
    } else if (text) {
        sysfs_slab_dir(text, (size_t)len + 1, m);
    }
    return text;
}

static void add_sysfs_file(struct text_buf *b, const struct machine *m, uint32_t id,
                           const char *file)
{
    char *text = sysfs_text(m, id, file);
    const char *end = text ? strchr(text, '\n') : NULL;
    if (end && end[1]) { /* more than a line */
        text_add(b, "%s:\n%s", file, text);
    } else if (text && *text) {
        text_add(b, "%-18s %s", file, text);
    }
    free(text);
}

void run_sysfs_slab(struct app *a, const char *args)
{
    const struct machine *m = a->model.m;
    const size_t len = strcspn(args, " ");
    const char *file = args + len + strspn(args + len, " ");
    char name[SLAB_NAME], title[SLAB_NAME + 32];
    struct text_buf b = {0};
    if (!m->config.slub) {
        app_message(a, MESSAGE_ERROR, "SLAB has no /sys/kernel/slab: slab=slub has.");
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1),
             args);
    const uint32_t id = *name ? cache_by_name(m, name) : 0;
    if (*name && !id) {
        app_message(a, MESSAGE_ERROR, "There is no cache %s.", name);
        return;
    }
    if (*file && sysfs_slab(NULL, 0, m, id, file) < 0) {
        app_message(a, MESSAGE_ERROR,
                    "/sys/kernel/slab/%s has no file %s (alloc_traces and free_traces: "
                    "where slub_debug has a U).",
                    name, file);
        return;
    }
    if (!id || *file) {
        char *text = sysfs_text(m, id, file);
        text_add(&b, "%s", text ? text : "");
        free(text);
    } else {
        for (size_t i = 0; sysfs_slab_name(i); i++) {
            add_sysfs_file(&b, m, id, sysfs_slab_name(i));
        }
    }
    snprintf(title, sizeof title, "/sys/kernel/slab%s%s%s%s", id ? "/" : "", name,
             *file ? "/" : "", file);
    popup_text(a, title, b.text ? b.text : "");
}

/* ---- info ---- */

void info_vmalloc(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    struct area_view v;
    text_add(b, "%-18s %-18s %8s  %-10s %s\n", "FIRST", "LAST", "PAGES", "KIND", "BY");
    for (uint64_t at = 0; space_next_area(m, at, UINT64_MAX, &v); at = v.last + 1) {
        text_add(b,
                 "0x%-16" PRIx64 " 0x%-16" PRIx64 " %8" PRIu64
                 "  %-10s %s, operation %" PRIu64 ", CPU %u\n",
                 v.first, v.last, (v.last - v.first + 1) >> PAGE_SHIFT, v.name, v.caller,
                 v.op, v.cpu);
        if (v.last == UINT64_MAX) {
            break;
        }
    }
}

void info_pkmap(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    const uint32_t nr = space_nr_pkmaps(m);
    if (!nr) {
        text_add(b, "There is no HighMem on 64 bits, and no window for it.\n");
        return;
    }
    text_add(b, "%u slots, %u sleep\n%4s %5s %-12s %s\n", nr, space_nr_pkmap_sleepers(m),
             "SLOT", "COUNT", "ADDRESS", "PAGE");
    for (uint32_t i = 0; i < nr; i++) {
        const struct pkmap_view v = space_pkmap(m, i);
        if (v.count) {
            text_add(b, "%4u %5u 0x%-10" PRIx64 " 0x%" PRIx64 "%s\n", i, v.count, v.va,
                     v.frame, v.last ? "  last_pkmap_nr" : "");
        }
    }
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        text_add(b, "CPU %u: %u of %u kmap_local slots", cpu, space_kmap_depth(m, cpu),
                 space_nr_kmap_slots(m));
        for (uint32_t i = 0; i < space_kmap_depth(m, cpu); i++) {
            const struct kmap_slot_view v = space_kmap_slot(m, cpu, i);
            text_add(b, "  0x%" PRIx64 " = 0x%" PRIx64, v.va, v.frame);
        }
        text_add(b, "\n");
    }
}

/* ---- info mempool ---- */

static void put_injection(struct text_buf *b, const struct machine *m)
{
    for (uint32_t point = 0; point < NR_FAULT_POINTS; point++) {
        if (fault_get(m, point, FAULT_PROBABILITY) || fault_calls(m, point)) {
            text_add(b,
                     "%s: probability %" PRId64 ", interval %" PRId64 ", times %" PRId64
                     "; %" PRIu64 " of %" PRIu64 " requests failed\n",
                     fault_point_name(point), fault_get(m, point, FAULT_PROBABILITY),
                     fault_get(m, point, FAULT_INTERVAL),
                     fault_get(m, point, FAULT_TIMES), fault_injected(m, point),
                     fault_calls(m, point));
        }
    }
    if (fault_nth(m)) {
        text_add(b, "fail-nth: %u\n", fault_nth(m));
    }
}

void info_mempool(struct app *a, struct text_buf *b)
{
    enum { MOST = 16 };
    const struct machine *m = a->model.m;
    char name[120];
    if (!mempools_first(m)) {
        text_add(b, "There are no pools: mempool_create(4, { size = 200 }) makes one.\n");
    } else {
        text_add(b, "%-30s %7s %5s %9s %7s %6s %6s\n", "POOL", "RESERVE", "WAIT",
                 "ALLOCATOR", "RESERVE", "FAILED", "SLEPT");
    }
    for (uint32_t id = mempools_first(m); id; id = mempools_next(m, id)) {
        const struct mempool *p = mempool_r(m, id);
        mempool_format(name, sizeof name, m, id);
        text_add(b,
                 "%-30.30s %3u/%-3u %5u %9" PRIu64 " %7" PRIu64 " %6" PRIu64 " %6" PRIu64
                 "\n",
                 name, p->curr_nr, p->min_nr, p->nr_waiters, p->from_allocator,
                 p->from_reserve, p->failed, p->slept);
        for (uint32_t i = p->curr_nr; i-- > 0 && i + MOST >= p->curr_nr;) {
            text_add(b, "%s %#" PRIx64, i + 1 == p->curr_nr ? "  next out:" : "",
                     mempool_element(m, p, i));
        }
        text_add(b, p->curr_nr ? "\n" : "");
    }
    put_injection(b, m);
}
