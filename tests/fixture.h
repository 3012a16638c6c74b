/* Small machines for the allocator's tests, and what an operation announced.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS; so include this header first */
#include <sys/mman.h>

#include "describe.h"
#include "inspect.h"
#include "page.h"
#include "tap.h"

/* A machine of nothing but frames 0 .. frames - 1: no image, no reservations, no reserve
 * below the watermarks. Zones: DMA up to 16 MiB, then Normal, and HighMem on top. */
static inline struct machine_config bare_config(uint64_t frames, uint64_t highmem_frames,
                                                uint32_t max_order)
{
    struct machine_config c;
    config_init(&c, ARCH_I386);
    c.ram_bytes = frames << PAGE_SHIFT;
    c.memmap[0] = (struct memmap_entry){0, frames << PAGE_SHIFT, MEMMAP_USABLE};
    c.nr_memmap = 1;
    c.kernel_start = c.kernel_end = 1;
    c.highmem_bytes = highmem_frames << PAGE_SHIFT;
    c.max_order = max_order;
    c.min_free_kbytes = 0;
    return c;
}

/* Options as on the command line: "ram=256M cpus=2". */
static inline void config_words(struct machine_config *c, const char *settings)
{
    char err[300], words[300];
    snprintf(words, sizeof words, "%s", settings);
    for (char *at = words, *end; *at; at = end) {
        char *equals = strchr(at, '=');
        end = at + strcspn(at, " ");
        end += *end ? (*end = 0, 1) : 0;
        if (!equals || equals > end) {
            bail_out("%s is no option", at);
        }
        *equals = 0;
        if (!config_set(c, at, equals + 1, err, sizeof err)) {
            bail_out("%s", err);
        }
    }
}

/* Not calloc(): under MALLOC_PERTURB_, which Meson sets for tests, that writes all of
 * it. */
static inline void *sparse_reserve(size_t size_bytes)
{
    void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
static inline void sparse_release(void *base, size_t size_bytes)
{
    munmap(base, size_bytes);
}

static inline struct machine *boot(const struct machine_config *c)
{
    const struct arena_host host = {sparse_reserve, sparse_release};
    char err[300] = "";
    struct machine *m = machine_create(c, &host, err, sizeof err);
    if (!m) {
        printf("Bail out! %s\n", err);
        exit(1);
    }
    return m;
}

/* ---- operations; each is followed by machine_check ---- */

static inline uint64_t run_on(struct machine *m, uint32_t cpu, uint16_t kind, uint64_t a,
                              uint64_t b)
{
    const struct op op = {.kind = kind, .cpu = (uint8_t)cpu, .arg = {a, b}};
    uint64_t result = machine_do(m, &op);
    const char *why = machine_check(m);
    if (why) {
        ok(false, "after %s(%#" PRIx64 ", %" PRIu64 "): %s", op_info(kind)->name, a, b,
           why);
    }
    return result;
}
static inline uint64_t run_op(struct machine *m, uint16_t kind, uint64_t a, uint64_t b)
{
    return run_on(m, 0, kind, a, b);
}
static inline uint64_t take(struct machine *m, gfp_t gfp, uint64_t order)
{
    return run_op(m, OP_ALLOC_PAGES, gfp, order);
}
static inline void give(struct machine *m, uint64_t frame, uint64_t order)
{
    run_op(m, OP_FREE_PAGES, frame, order);
}

/* ---- what it announced ---- */

enum { MAX_LOG = 4096 };

struct event_log {
    struct event event[MAX_LOG];
    uint32_t nr;
    struct machine *m;
    void (*at)(struct machine *m, const struct event *ev); /* may nest operations */
};

static inline void log_hook(struct probe *p, const struct event *ev)
{
    struct event_log *log = p->slow_ctx;
    if (log->nr < MAX_LOG) {
        log->event[log->nr++] = *ev;
    }
    if (log->at) {
        log->at(log->m, ev);
    }
}
static inline void watch(struct machine *m, struct event_log *log)
{
    log->m = m;
    log->nr = 0;
    m->probe.slow = log_hook;
    m->probe.slow_ctx = log;
    m->probe.stop = 0;
}
static inline void unwatch(struct machine *m) { m->probe.stop = UINT64_MAX; }

/* The first event of this kind; NULL: there was none. */
static inline const struct event *find_event(const struct event_log *log, uint16_t kind)
{
    for (uint32_t i = 0; i < log->nr; i++) {
        if (log->event[i].kind == kind) {
            return &log->event[i];
        }
    }
    return NULL;
}
static inline uint32_t count_events(const struct event_log *log, uint16_t kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < log->nr; i++) {
        n += log->event[i].kind == kind;
    }
    return n;
}

/* Events as one line each, only those that begin with one of the words (space-separated
 * beginnings of names, NULL: all). */
static inline const char *story(const struct event_log *log, const char *words)
{
    static char text[65536];
    size_t len = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < log->nr; i++) {
        const char *name = event_info(log->event[i].kind)->name;
        bool wanted = !words;
        for (const char *w = words; w && *w && !wanted;) {
            size_t n = strcspn(w, " ");
            wanted = !strncmp(name, w, n);
            w += n + strspn(w + n, " ");
        }
        if (wanted && len < sizeof text - 300) {
            int n = event_format(text + len, 299, log->m, &log->event[i]);
            len += n < 298 ? (size_t)n : 298;
            len += (size_t)sprintf(text + len, "\n");
        }
    }
    return text;
}

/* A free list or per-CPU list as "1c0 200 ..." */
static inline const char *free_list(const struct machine *m, uint32_t zone,
                                    uint32_t order, enum migratetype mt)
{
    static char text[2][4096];
    static int which;
    char *to = text[which ^= 1];
    int len = 0;
    to[0] = 0;
    for (pfn_t p = freelist_first(m, zone, order, mt); !pfn_is_none(p) && len < 4000;
         p = freelist_next(m, p)) {
        len += sprintf(to + len, "%s%" PRIx64, len ? " " : "", p.v);
    }
    return to;
}
static inline const char *pcp_list(const struct machine *m, uint32_t zone, uint32_t cpu,
                                   uint32_t list)
{
    static char text[2][4096];
    static int which;
    char *to = text[which ^= 1];
    int len = 0;
    to[0] = 0;
    for (pfn_t p = pcp_list_first(m, zone, cpu, list); !pfn_is_none(p) && len < 4000;
         p = pcp_list_next(m, p)) {
        len += sprintf(to + len, "%s%" PRIx64, len ? " " : "", p.v);
    }
    return to;
}

/* Exact count of a zone's free pages, and of all memory. */
static inline uint64_t listed_free(const struct machine *m, uint32_t zone)
{
    uint64_t n = 0;
    for (uint32_t o = 0; o < MAX_ORDER; o++) {
        n += free_area_count(m, zone, o) << o;
    }
    return n;
}
static inline uint64_t all_free(const struct machine *m)
{
    uint64_t n = 0;
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        n += listed_free(m, z) + zone_view(m, z).pcp_pages;
    }
    return n;
}

#endif
