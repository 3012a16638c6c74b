/* Recorded states: into a machine, against a machine, and against what follows from
 * their sizes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "load.h"
#include "page.h"
#include "replay_private.h"
#include "watermark.h"

static const char *const zone_names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal", "HighMem",
                                                     "Movable"};
static const char *const type_names[MIGRATE_TYPES] = {
    "Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"};

/* ---- into a machine ---- */

static uint64_t drift_mark(const struct record *r, const struct record_zone *z)
{
    uint64_t drift = (uint64_t)r->cpus * z->pcp[0].threshold;
    return drift > z->low - z->min ? z->high + drift : 0;
}

static void load_failed(struct replay *rp, uint32_t line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(rp->load_error, sizeof rp->load_error, format, ap);
    va_end(ap);
    rp->load_line = line;
}

static bool load_lists(struct replay *rp, struct machine *m, uint32_t zone,
                       const struct record_zone *z)
{
    const struct record *r = rp->record;
    for (uint32_t i = 0; i < z->nr_lists; i++) {
        const struct record_list *l = &r->lists[z->first_list + i];
        for (uint32_t j = 0; j < l->nr; j++) {
            pfn_t p = pfn(r->numbers[l->first + j]);
            bool good = l->pcp ? load_pcp_block(m, zone, l->cpu, l->index, p)
                               : load_free_block(m, zone, l->index, l->type, p);
            if (!good) {
                load_failed(rp, l->line,
                            "page %" PRIx64
                            " cannot be on this list: outside of the zone, not "
                            "aligned, or on another list too",
                            p.v);
                return false;
            }
        }
    }
    return true;
}

static bool load_one_zone(struct replay *rp, struct machine *m,
                          const struct record_zone *z)
{
    const struct record *r = rp->record;
    struct zone zone = {.start_pfn = z->start,
                        .spanned = z->spanned,
                        .present = z->present,
                        .managed = z->managed,
                        .free = (int64_t)z->free,
                        .watermark = {z->min, z->low, z->high},
                        .watermark_boost = z->boost,
                        .nr_reserved_highatomic = z->highatomic,
                        .percpu_drift_mark = drift_mark(r, z),
                        .pageset_high = z->pageset_high,
                        .pageset_batch = z->pageset_batch,
                        .flags = z->flags,
                        .type = z->type};
    for (uint32_t i = 0; i < z->nr_reserve; i++) {
        zone.lowmem_reserve[record_zone_index(r, i)] = z->lowmem_reserve[i];
    }
    uint32_t n = load_zone(m, &zone);
    if (n == UINT32_MAX) {
        load_failed(rp, z->line, "zone %s overlaps another or reaches beyond the memory",
                    zone_names[z->type]);
        return false;
    }
    for (uint32_t cpu = 0; cpu < r->cpus; cpu++) {
        const struct record_pcp *p = &z->pcp[cpu];
        struct pcp pcp = {.high = (int32_t)p->high,
                          .batch = (int32_t)p->batch,
                          .free_factor = (int32_t)p->free_factor,
                          .free_diff = p->free_diff,
                          .stat_threshold = (int32_t)p->threshold};
        if (!load_pcp(m, n, cpu, &pcp)) {
            load_failed(rp, p->line, "these figures of CPU %u cannot be", cpu);
            return false;
        }
    }
    for (uint32_t i = 0; i < z->nr_blocks; i++) {
        uint64_t p = z->blocks_start + ((uint64_t)i << z->block_order);
        p = p > z->start ? p : z->start;
        if (!load_pageblock(m, n, pfn(p),
                            (enum migratetype)r->types[z->first_block + i])) {
            load_failed(rp, z->blocks_line, "pageblock %u cannot be", i);
            return false;
        }
    }
    return load_lists(rp, m, n, z);
}

static bool load_lru_pages(struct replay *rp, struct machine *m,
                           const struct record_zone *z)
{
    for (uint32_t i = 0; i < z->nr_lru; i++) {
        const uint32_t *range = &rp->record->numbers[z->first_lru + 2 * i];
        for (uint64_t p = range[0]; p <= range[1]; p++) {
            if (!load_lru(m, pfn(p))) {
                load_failed(rp, z->lru_line, "page %" PRIx64 " is on the LRU and free",
                            p);
                return false;
            }
        }
    }
    return true;
}

void replay_load(void *ctx, struct machine *m, uint64_t state)
{
    struct replay *rp = ctx;
    rp->load_error[0] = 0;
    if (state >= rp->record->nr_states) {
        return;
    }
    const struct record_state *s = &rp->record->states[state];
    bool good = true;
    load_begin(m, s->totalreserve);
    for (uint32_t i = 0; i < s->nr_zones && good; i++) {
        good = load_one_zone(rp, m, &s->zone[i]);
    }
    for (uint32_t i = 0; i < s->nr_zones && good; i++) {
        good = load_lru_pages(rp, m, &s->zone[i]);
    }
    const char *broken = load_end(m);
    if (good && broken) {
        load_failed(rp, s->line, "state %s cannot be: %s", s->tag, broken);
    }
}

uint64_t replay_misuse(const struct machine *m)
{
    return m->mm->nr_odd_pages + m->mm->nr_leaked + m->mm->nr_adopted;
}

/* ---- against a machine ---- */

struct compare {
    struct replay_sink *sink;
    uint32_t line;
    uint64_t nr; /* compared */
    uint64_t same;
};

#if defined __GNUC__
__attribute__((format(printf, 4, 5)))
#endif
static void
compare_number(struct compare *c, int64_t expected, int64_t got, const char *format, ...)
{
    c->nr++;
    if (expected == got) {
        c->same++;
        return;
    }
    char what[160], e[32], g[32];
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    snprintf(e, sizeof e, "%" PRId64, expected);
    snprintf(g, sizeof g, "%" PRId64, got);
    replay_differs(c->sink, c->line, what, e, g, NULL);
}

/* "N pages, ... X Y [Z] ..." around place `at` of a list. */
static void print_around(char *buf, size_t size, const uint32_t *pages, uint64_t nr,
                         uint64_t at)
{
    int len = snprintf(buf, size, "%" PRIu64 " blocks:%s", nr, at > 3 ? " ..." : "");
    uint64_t from = at > 3 ? at - 3 : 0;
    for (uint64_t i = from; i < nr && i < at + 4; i++) {
        if (len > 0 && (size_t)len < size) {
            len += snprintf(buf + len, size - (size_t)len, i == at ? " [%x]" : " %x",
                            pages[i]);
        }
    }
    if (at >= nr && len > 0 && (size_t)len < size) {
        len += snprintf(buf + len, size - (size_t)len, " [end]");
    } else if (at + 4 < nr && len > 0 && (size_t)len < size) {
        snprintf(buf + len, size - (size_t)len, " ...");
    }
}

/* A list of the machine against the recorded one, from head to tail. */
static void compare_list(struct compare *c, const struct machine *m, uint32_t head,
                         const struct record *r, const struct record_list *l,
                         const char *what)
{
    const uint32_t *want = l ? r->numbers + l->first : NULL;
    const uint64_t nr = l ? l->nr : 0;
    uint64_t i = 0;
    uint32_t at = list_first(m, head);
    c->nr++;
    for (; at != head && i < nr && want[i] == at; i++) {
        at = node_at(m, at)->next;
    }
    if (at == head && i == nr) {
        c->same++;
        return;
    }
    /* copy the machine's for the message, not more than is shown */
    uint32_t got[16];
    uint64_t nr_got = 0, from = i > 3 ? i - 3 : 0, k = 0;
    for (uint32_t id = list_first(m, head); id != head; id = node_at(m, id)->next, k++) {
        if (k >= from && nr_got < 8) {
            got[nr_got++] = id;
        }
    }
    char e[256], g[256];
    print_around(e, sizeof e, want, nr, i);
    uint32_t shown[16] = {0};
    memcpy(shown, got, nr_got * sizeof *got);
    int len = snprintf(g, sizeof g, "%" PRIu64 " blocks:%s", k, from ? " ..." : "");
    for (uint64_t j = 0; j < nr_got && len > 0 && (size_t)len < sizeof g; j++) {
        len += snprintf(g + len, sizeof g - (size_t)len, from + j == i ? " [%x]" : " %x",
                        shown[j]);
    }
    if (i >= k && len > 0 && (size_t)len < sizeof g) {
        snprintf(g + len, sizeof g - (size_t)len, " [end]");
    }
    replay_differs(c->sink, l ? l->line : c->line, what, e, g, NULL);
}

static const struct record_list *find_list(const struct record *r,
                                           const struct record_zone *z, bool pcp,
                                           uint32_t cpu, uint32_t index,
                                           enum migratetype type)
{
    for (uint32_t i = 0; i < z->nr_lists; i++) {
        const struct record_list *l = &r->lists[z->first_list + i];
        if (l->pcp == pcp && l->cpu == cpu && l->index == index && l->type == type) {
            return l;
        }
    }
    return NULL;
}

static void compare_zone_figures(struct compare *c, const struct machine *m, uint32_t n,
                                 const struct record *r, const struct record_zone *z)
{
    const struct zone *got = zone_r(m, n);
    const char *name = zone_names[z->type];
    const struct {
        const char *what;
        uint64_t expected, got;
    } rows[] = {{"start", z->start, got->start_pfn},
                {"spanned", z->spanned, got->spanned},
                {"present", z->present, got->present},
                {"managed", z->managed, got->managed},
                {"min", z->min, got->watermark[WMARK_MIN]},
                {"low", z->low, got->watermark[WMARK_LOW]},
                {"high", z->high, got->watermark[WMARK_HIGH]},
                {"boost", z->boost, got->watermark_boost},
                {"highatomic", z->highatomic, got->nr_reserved_highatomic},
                {"free", z->free, (uint64_t)got->free},
                {"pageset_high", z->pageset_high, got->pageset_high},
                {"pageset_batch", z->pageset_batch, got->pageset_batch},
                {"flags", z->flags, got->flags}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        compare_number(c, (int64_t)rows[i].expected, (int64_t)rows[i].got, "zone %s: %s",
                       name, rows[i].what);
    }
    for (uint32_t i = 0; i < z->nr_reserve; i++) {
        compare_number(c, (int64_t)z->lowmem_reserve[i],
                       (int64_t)got->lowmem_reserve[record_zone_index(r, i)],
                       "zone %s: lowmem_reserve[%u]", name, i);
    }
}

static void compare_pcp(struct compare *c, const struct machine *m, uint32_t n,
                        const struct record *r, const struct record_zone *z, uint32_t cpu)
{
    const struct record_pcp *want = &z->pcp[cpu];
    const struct pcp *got = pcp_r(m, n, cpu);
    const char *name = zone_names[z->type];
    c->line = want->line;
    compare_number(c, want->count, got->count, "pcp %s cpu %u: count", name, cpu);
    compare_number(c, want->high, got->high, "pcp %s cpu %u: high", name, cpu);
    compare_number(c, want->batch, got->batch, "pcp %s cpu %u: batch", name, cpu);
    compare_number(c, want->free_factor, got->free_factor, "pcp %s cpu %u: free_factor",
                   name, cpu);
    compare_number(c, want->free_diff, got->free_diff, "pcp %s cpu %u: free_diff", name,
                   cpu);
    compare_number(c, want->threshold, got->stat_threshold, "pcp %s cpu %u: threshold",
                   name, cpu);
    for (uint32_t i = 0; i < NR_PCP_LISTS; i++) {
        char what[80];
        enum migratetype type = (enum migratetype)(i % MIGRATE_PCPTYPES);
        snprintf(what, sizeof what, "pcp list %u of %s cpu %u (order %u %s)", i, name,
                 cpu, i / MIGRATE_PCPTYPES, type_names[type]);
        compare_list(c, m, pcp_head(n, cpu, i), r, find_list(r, z, true, cpu, i, type),
                     what);
    }
}

static void compare_free_lists(struct compare *c, const struct machine *m, uint32_t n,
                               const struct record *r, const struct record_zone *z)
{
    const char *name = zone_names[z->type];
    for (uint32_t order = 0; order < m->mm->max_order; order++) {
        uint64_t blocks = 0;
        for (uint32_t t = 0; t < MIGRATE_TYPES; t++) {
            enum migratetype type = (enum migratetype)t;
            const struct record_list *l = find_list(r, z, false, 0, order, type);
            char what[80];
            snprintf(what, sizeof what, "free list %s order %u %s", name, order,
                     type_names[t]);
            compare_list(c, m, freelist_head(n, order, t), r, l, what);
            blocks += l ? l->nr : 0;
        }
        compare_number(c, (int64_t)blocks, (int64_t)zone_r(m, n)->nr_free[order],
                       "zone %s: free blocks of order %u", name, order);
    }
}

static void compare_blocks(struct compare *c, const struct machine *m, uint32_t n,
                           const struct record *r, const struct record_zone *z)
{
    c->line = z->blocks_line;
    for (uint32_t i = 0; i < z->nr_blocks; i++) {
        uint64_t p = z->blocks_start + ((uint64_t)i << z->block_order);
        enum migratetype want = (enum migratetype)r->types[z->first_block + i];
        enum migratetype got = pageblock_get(m, n, p > z->start ? p : z->start);
        c->nr++;
        if (want == got) {
            c->same++;
            continue;
        }
        char what[80];
        snprintf(what, sizeof what, "pageblock %" PRIx64 " of zone %s", p,
                 zone_names[z->type]);
        replay_differs(c->sink, c->line, what, type_names[want], type_names[got], NULL);
    }
}

bool replay_compare_state(const struct machine *m, const struct record *r,
                          const struct record_state *s, struct replay_sink *sink)
{
    struct compare c = {.sink = sink, .line = s->line};
    compare_number(&c, (int64_t)s->totalreserve, (int64_t)m->mm->totalreserve_pages,
                   "totalreserve");
    compare_number(&c, s->nr_zones, m->mm->nr_zones, "number of zones");
    for (uint32_t i = 0; i < s->nr_zones && i < m->mm->nr_zones; i++) {
        const struct record_zone *z = &s->zone[i];
        c.line = z->line;
        compare_number(&c, z->type, zone_r(m, i)->type, "zone %u: type", i);
        if (z->start != zone_r(m, i)->start_pfn || z->spanned != zone_r(m, i)->spanned) {
            compare_number(&c, (int64_t)z->start, (int64_t)zone_r(m, i)->start_pfn,
                           "zone %u: start", i);
            compare_number(&c, (int64_t)z->spanned, (int64_t)zone_r(m, i)->spanned,
                           "zone %u: spanned", i);
            continue;
        }
        compare_zone_figures(&c, m, i, r, z);
        compare_free_lists(&c, m, i, r, z);
        for (uint32_t cpu = 0; cpu < r->cpus; cpu++) {
            compare_pcp(&c, m, i, r, z, cpu);
        }
        compare_blocks(&c, m, i, r, z);
    }
    return c.same == c.nr;
}

/* ---- against what follows from the zones' sizes ---- */

static uint64_t section_numbers(const struct record *r, const char *path, uint64_t *out,
                                uint64_t most)
{
    size_t size;
    const char *at = record_section(r, path, &size);
    const char *end = at ? at + size : NULL;
    uint64_t nr = 0;
    while (at && at < end && nr < most) {
        while (at < end && (*at < '0' || *at > '9') && *at != '\n') {
            at++;
        }
        if (at == end || *at == '\n') {
            break;
        }
        out[nr] = 0;
        while (at < end && *at >= '0' && *at <= '9') {
            out[nr] = out[nr] * 10 + (uint64_t)(*at++ - '0');
        }
        nr++;
    }
    return nr;
}

/* What the record's files say. */
struct sysctls {
    uint32_t ratio[MAX_NR_ZONES];
    bool has_kbytes;
    uint64_t kbytes;
};

static struct sysctls read_sysctls(const struct record *r)
{
    struct machine_config c;
    struct sysctls s = {.has_kbytes = false};
    uint64_t ratio[RECORD_ZONES];
    config_init(&c, r->ptrs == 64 ? ARCH_X86_64 : ARCH_I386);
    memcpy(s.ratio, c.lowmem_reserve_ratio, sizeof s.ratio);
    uint64_t nr =
        section_numbers(r, "/proc/sys/vm/lowmem_reserve_ratio", ratio, RECORD_ZONES);
    for (uint32_t i = 0; i < nr; i++) {
        s.ratio[record_zone_index(r, i)] = (uint32_t)ratio[i];
    }
    s.has_kbytes = section_numbers(r, "/proc/sys/vm/min_free_kbytes", &s.kbytes, 1) == 1;
    return s;
}

struct figures {
    struct wmark_zone z[MAX_NR_ZONES];
    uint64_t min_free_kbytes, totalreserve;
};

/* What a kernel computes whose zones have so many pages less. */
static void compute(const struct record *r, const struct record_state *s,
                    const struct sysctls *y, const uint64_t missing[MAX_NR_ZONES],
                    struct figures *f)
{
    memset(f, 0, sizeof *f);
    for (uint32_t i = 0; i < s->nr_zones; i++) {
        const struct record_zone *z = &s->zone[i];
        uint64_t m = missing[z->type];
        f->z[z->type].managed = z->managed > m ? z->managed - m : 0;
        f->z[z->type].highmem = z->type == ZONE_HIGHMEM;
    }
    f->min_free_kbytes = wmark_min_free_kbytes(f->z);
    wmark_setup(f->z, f->min_free_kbytes, r->cpus);
    wmark_thresholds(f->z, r->cpus);
    wmark_lowmem_reserve(f->z, y->ratio);
    f->totalreserve = wmark_totalreserve(f->z);
}

static void compare_figures(struct compare *c, const struct record *r,
                            const struct record_state *s, const struct sysctls *y,
                            const struct figures *f)
{
    c->line = s->line;
    if (y->has_kbytes) {
        compare_number(c, (int64_t)y->kbytes, (int64_t)f->min_free_kbytes,
                       "computed: min_free_kbytes");
    }
    compare_number(c, (int64_t)s->totalreserve, (int64_t)f->totalreserve,
                   "computed: totalreserve");
    for (uint32_t i = 0; i < s->nr_zones; i++) {
        const struct record_zone *z = &s->zone[i];
        const struct wmark_zone *w = &f->z[z->type];
        const char *name = zone_names[z->type];
        const struct {
            const char *what;
            uint64_t expected, got;
        } rows[] = {{"min", z->min, w->min},
                    {"low", z->low, w->low},
                    {"high", z->high, w->high},
                    {"pageset_high", z->pageset_high, w->pcp_high},
                    {"pageset_batch", z->pageset_batch, w->pcp_batch}};
        c->line = z->line;
        for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
            compare_number(c, (int64_t)rows[j].expected, (int64_t)rows[j].got,
                           "computed: zone %s: %s", name, rows[j].what);
        }
        for (uint32_t j = 0; j < z->nr_reserve; j++) {
            compare_number(c, (int64_t)z->lowmem_reserve[j],
                           (int64_t)w->lowmem_reserve[record_zone_index(r, j)],
                           "computed: zone %s: lowmem_reserve[%u]", name, j);
        }
        for (uint32_t cpu = 0; cpu < r->cpus; cpu++) {
            const struct record_pcp *p = &z->pcp[cpu];
            c->line = p->line;
            compare_number(c, p->high, w->pcp_high, "computed: pcp %s cpu %u: high", name,
                           cpu);
            compare_number(c, p->batch, w->pcp_batch, "computed: pcp %s cpu %u: batch",
                           name, cpu);
            /* While kswapd is awake, zones whose counters could drift too far have the
             * other one. */
            uint32_t threshold = w->stat_threshold;
            if (w->drift_mark && p->threshold == w->pressure_threshold) {
                threshold = w->pressure_threshold;
            }
            compare_number(c, p->threshold, threshold,
                           "computed: pcp %s cpu %u: threshold", name, cpu);
        }
    }
}

/* The best explanation so far: the one with the fewest differences. */
struct explanation {
    struct sysctls y;
    struct figures f;
    uint64_t differences;
};

static void try_sizes(struct explanation *best, const struct record *r,
                      const struct record_state *s, const uint64_t missing[MAX_NR_ZONES])
{
    struct figures f;
    struct replay_tally ignored = {0};
    struct replay_sink nowhere = {.tally = &ignored, .watch = NULL};
    struct compare c = {.sink = &nowhere};
    compute(r, s, &best->y, missing, &f);
    compare_figures(&c, r, s, &best->y, &f);
    if (c.nr - c.same < best->differences) {
        best->differences = c.nr - c.same;
        best->f = f;
    }
}

/* The RAM disk's pages of each zone. */
static void try_ramdisk(struct explanation *best, const struct record *r,
                        const struct record_state *s)
{
    uint64_t missing[MAX_NR_ZONES] = {0}, disk = r->ramdisk_start >> PAGE_SHIFT;
    uint64_t disk_end = disk + (r->freed_initrd_kib >> (PAGE_SHIFT - 10));
    for (uint32_t i = 0; i < s->nr_zones; i++) {
        const struct record_zone *z = &s->zone[i];
        uint64_t from = disk > z->start ? disk : z->start, end = z->start + z->spanned;
        uint64_t to = disk_end < end ? disk_end : end;
        missing[z->type] = to > from ? to - from : 0;
    }
    try_sizes(best, r, s, missing);
}

/* Without boot messages nobody knows how large the RAM disk was: some size, in the last
 * zone of low memory, must explain all figures. */
static void try_any_ramdisk(struct explanation *best, const struct record *r,
                            const struct record_state *s)
{
    enum { MOST_PAGES = 1 << 16 };
    const struct record_zone *low = NULL;
    for (uint32_t i = 0; i < s->nr_zones; i++) {
        if (s->zone[i].type < ZONE_HIGHMEM) {
            low = &s->zone[i];
        }
    }
    uint64_t missing[MAX_NR_ZONES] = {0};
    for (uint64_t nr = 1;
         low && nr < low->managed && nr < MOST_PAGES && best->differences; nr++) {
        missing[low->type] = nr;
        try_sizes(best, r, s, missing);
    }
}

void replay_check_figures(const struct record *r, const struct record_state *s,
                          struct replay_sink *sink)
{
    struct explanation best = {.y = read_sysctls(r), .differences = UINT64_MAX};
    const uint64_t none[MAX_NR_ZONES] = {0};
    try_sizes(&best, r, s, none);
    if (best.differences && r->freed_initrd_kib) {
        try_ramdisk(&best, r, s);
    } else if (best.differences && !r->nr_memmap) {
        try_any_ramdisk(&best, r, s);
    }
    struct compare c = {.sink = sink};
    compare_figures(&c, r, s, &best.y, &best.f);
    sink->tally->figures += c.nr;
    sink->tally->figures_identical += c.same;
}
