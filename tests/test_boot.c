/* Booting: zones, reservations and free lists, against kernels that were recorded and
 * against a naive model.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "config_line.h"
#include "host.h"
#include "inspect.h"
#include "mm.h"
#include "record.h"
#include "tap.h"

static char err[600];

static struct machine *boot(const char *line)
{
    struct machine_config c;
    if (!config_from_line(&c, line, err, sizeof err)) {
        bail_out("%s: %s", line, err);
    }
    err[0] = 0;
    return machine_create(&c, &host_memory, err, sizeof err);
}

static struct machine *must_boot(const char *line)
{
    struct machine *m = boot(line);
    if (!m) {
        bail_out("%s: %s", line, err);
    }
    return m;
}

static struct zone_view zone(const struct machine *m, enum zone_type type)
{
    uint32_t z = zone_by_type(m, type);
    return z == UINT32_MAX ? (struct zone_view){.name = ""} : zone_view(m, z);
}

/* ---- recorded kernels ---- */

/* "Memory: 154512K/163320K available (..., 8808K reserved, ...": what is not managed */
static uint64_t reserved_kib(const struct record *r)
{
    const char *at = strstr(r->text, "] Memory: ");
    at = at ? strstr(at, "K reserved") : NULL;
    while (at && at > r->text && at[-1] >= '0' && at[-1] <= '9') {
        at--;
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

static void check_recorded(const char *name, bool slub)
{
    char path[1024], file[200];
    snprintf(file, sizeof file, "tests/golden/%s.txt.xz", name);
    struct record *r = record_open(source_path(path, sizeof path, file), err, sizeof err);
    if (!r) {
        bail_out("%s", err);
    }
    struct machine_config c;
    config_init(&c, r->ptrs == 64 ? ARCH_X86_64 : r->pae ? ARCH_I386_PAE : ARCH_I386);
    memcpy(c.memmap, r->memmap, sizeof c.memmap);
    c.nr_memmap = r->nr_memmap;
    c.highmem_bytes = r->highmem_bytes;
    c.cpus = r->cpus;
    c.slub = slub;
    c.initrd_bytes = r->freed_initrd_kib << 10;
    struct machine *m = machine_create(&c, &host_memory, err, sizeof err);
    if (!m) {
        bail_out("%s: %s", name, err);
    }
    const struct record_state *s = &r->states[0];
    is_u64(machine_nr_zones(m), s->nr_zones, "%s: number of zones", name);
    uint64_t reserved = 0;
    for (uint32_t i = 0; i < s->nr_zones; i++) {
        const struct record_zone *want = &s->zone[i];
        struct zone_view got = zone_view(m, i);
        is_u64(got.type, want->type, "%s: zone %u is %s", name, i, got.name);
        is_u64(got.start_pfn, want->start, "%s: %s start", name, got.name);
        is_u64(got.spanned, want->spanned, "%s: %s spanned", name, got.name);
        is_u64(got.present, want->present, "%s: %s present", name, got.name);
        reserved += got.present - got.managed;
        if (want->type == ZONE_DMA || want->type == ZONE_HIGHMEM) {
            is_u64(got.managed, want->managed, "%s: %s managed", name, got.name);
        }
    }
    is_u64(reserved * 4, reserved_kib(r), "%s: KiB reserved at boot", name);
    ok(!machine_check(m), "%s: holds its invariants", name);
    machine_destroy(m);
    record_free(r);
}

/* ---- where low memory ends ---- */

static void check_low_memory(void)
{
    static const struct {
        const char *line;
        uint64_t low, high_end; /* pfns; high_end 0: no HighMem */
    } rows[] = {
        {"ram=160M highmem=80M", 0x4fe0, 0x9fe0},
        {"ram=160M", 0x9fe0, 0},
        {"ram=1G", 0x373fe, 0x3ffe0},
        {"arch=i386pae ram=1G", 0x375fe, 0x3ffe0},
        {"ram=883M", 0x372e0, 0},
        {"ram=160M highmem=200M", 0x9fe0, 0}, /* larger than the memory: ignored */
        {"ram=160M highmem=120M", 0x9fe0,
         0}, /* less than 64 MiB would be left: ignored */
        {"ram=1G highmem=400M", 0x373fe,
         0x3ffe0}, /* more than there is above: all of that */
        {"ram=2G highmem=500M", 0x373fe, 0x567fe}, /* less: the memory is cut */
        {"ram=4G", 0x373fe, 0xbffe0}, /* what lies above 4 GiB is not reached */
        {"arch=i386pae ram=4G", 0x375fe, 0x140000}, /* but with PAE it is */
        {"ram=1G nr_cpus=64", 0x363fe, 0x3ffe0},    /* the fixed mappings of 64 CPUs */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct machine *m = must_boot(rows[i].line);
        struct zone_view normal = zone(m, ZONE_NORMAL), high = zone(m, ZONE_HIGHMEM);
        is_hex(normal.start_pfn + normal.spanned, rows[i].low, "%s: low memory's end",
               rows[i].line);
        is_hex(high.start_pfn + high.spanned, rows[i].high_end, "%s: HighMem's end",
               rows[i].line);
        ok(!machine_check(m), "%s: holds its invariants", rows[i].line);
        machine_destroy(m);
    }
}

/* ---- 64 bit ---- */

static void check_wide(void)
{
    struct machine *m = must_boot("arch=x86_64 ram=6G cpus=4");
    struct zone_view dma32 = zone(m, ZONE_DMA32), normal = zone(m, ZONE_NORMAL);
    is_u64(dma32.spanned, 1044480, "6G: DMA32 spans up to 4 GiB");
    is_u64(dma32.present, 782304, "6G: but not the devices' window");
    is_hex(normal.start_pfn, 0x100000, "6G: Normal begins at 4 GiB");
    is_u64(normal.spanned, 786432, "6G: with the 3 GiB that did not fit below");
    ok(page_view(m, pfn(0xd0000)).state == PAGE_HOLE, "6G: the window is a hole");
    uint32_t z = zone_by_type(m, ZONE_DMA32);
    ok(pageblock_type(m, z, pfn(0xd0000)) == MIGRATE_UNMOVABLE,
       "6G: its pageblocks stay Unmovable");
    ok(pageblock_type(m, z, pfn(0x50000)) == MIGRATE_MOVABLE,
       "6G: memory's begin as Movable");
    ok(page_view(m, pfn(0x1200)).state == PAGE_RESERVED,
       "6G: the kernel's image is reserved");
    machine_destroy(m);
    m = must_boot("arch=x86_64 ram=256M");
    ok(zone_by_type(m, ZONE_NORMAL) == UINT32_MAX, "256M: no Normal zone");
    machine_destroy(m);
}

/* ---- the order of free lists ---- */

/* Freeing HighMem page by page, slowly: lists as arrays with the head in front. */
enum { NAIVE_PAGES = 1 << 15, NAIVE_ORDERS = 11 };

struct naive {
    uint64_t list[NAIVE_ORDERS][NAIVE_PAGES];
    uint32_t nr[NAIVE_ORDERS];
    int8_t order_at[NAIVE_PAGES]; /* of the free block that begins here, -1: none */
    uint64_t base;
};

static int naive_order(const struct naive *n, uint64_t frame)
{
    return frame >= n->base && frame - n->base < NAIVE_PAGES
               ? n->order_at[frame - n->base]
               : -1;
}

static void naive_remove(struct naive *n, int order, uint64_t frame)
{
    uint32_t i = 0;
    while (n->list[order][i] != frame) {
        i++;
    }
    memmove(&n->list[order][i], &n->list[order][i + 1],
            (n->nr[order] - i - 1) * sizeof n->list[order][0]);
    n->nr[order]--;
    n->order_at[frame - n->base] = -1;
}

static void naive_free(struct naive *n, uint64_t frame)
{
    int order = 0;
    while (order < NAIVE_ORDERS - 1 && naive_order(n, frame ^ (1ULL << order)) == order) {
        naive_remove(n, order, frame ^ (1ULL << order));
        frame &= ~(1ULL << order);
        order++;
    }
    uint64_t above = frame & ~(1ULL << order);
    bool tail =
        order < NAIVE_ORDERS - 2 && naive_order(n, above ^ (2ULL << order)) == order + 1;
    uint64_t *list = n->list[order];
    if (tail) {
        list[n->nr[order]] = frame;
    } else {
        memmove(list + 1, list, n->nr[order] * sizeof *list);
        list[0] = frame;
    }
    n->nr[order]++;
    n->order_at[frame - n->base] = (int8_t)order;
}

static void check_highmem_order(const char *line, const uint64_t ranges[][2])
{
    static struct naive n;
    struct machine *m = must_boot(line);
    uint32_t z = zone_by_type(m, ZONE_HIGHMEM);
    memset(&n, 0, sizeof n);
    memset(n.order_at, -1, sizeof n.order_at);
    n.base = ranges[0][0] & ~1023ULL;
    for (; (*ranges)[1]; ranges++) {
        for (uint64_t p = (*ranges)[0]; p < (*ranges)[1]; p++) {
            naive_free(&n, p);
        }
    }
    bool good = true;
    for (uint32_t o = 0; o < NAIVE_ORDERS; o++) {
        /* one order's blocks can be on two lists: those of the first, Unmovable,
         * pageblock */
        uint32_t seen = 0;
        for (uint32_t i = 0; i < n.nr[o]; i++) {
            enum migratetype type = pageblock_type(m, z, pfn(n.list[o][i]));
            pfn_t p = freelist_first(m, z, o, type);
            uint32_t before = 0;
            for (uint32_t j = 0; j < i; j++) {
                before += pageblock_type(m, z, pfn(n.list[o][j])) == type;
            }
            while (before--) {
                p = freelist_next(m, p);
            }
            good = good && p.v == n.list[o][i];
            seen++;
        }
        good = good && seen == free_area_count(m, z, o);
    }
    ok(good, "%s: HighMem's lists are as if it was freed page by page", line);
    machine_destroy(m);
}

static void check_low_order(void)
{
    struct machine *m = must_boot("ram=160M highmem=80M");
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    uint64_t last = 0, nr = 0;
    bool up = true;
    for (pfn_t p = freelist_first(m, z, 10, MIGRATE_MOVABLE); !pfn_is_none(p);
         p = freelist_next(m, p)) {
        up = up && p.v > last;
        last = p.v;
        nr++;
    }
    ok(up && nr > 8,
       "low memory's blocks stand in the order of their addresses (%" PRIu64 ")", nr);
    machine_destroy(m);
}

/* ---- sizes ---- */

static void check_large(const char *line)
{
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    struct machine *m = must_boot(line);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double took =
        (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
    ok(took < 1.0, "%s: boots in %.3f s", line, took);
    ok(!machine_check(m), "%s: holds its invariants", line);
    machine_destroy(m);
}

static void check_refused(const char *line, const char *remedy)
{
    struct machine *m = boot(line);
    ok(!m, "%s cannot be booted", line);
    ok(strstr(err, remedy) != NULL, "... and why: %s", err);
    machine_destroy(m);
}

static void check_same_twice(void)
{
    struct machine *a = must_boot("ram=200M cpus=3"), *b = must_boot("ram=200M cpus=3");
    is_hex(machine_digest(a), machine_digest(b),
           "the same configuration gives the same machine");
    machine_destroy(a);
    machine_destroy(b);
}

int main(void)
{
    check_recorded("i386-slab-160M-high80M", false);
    check_recorded("i386-slab-160M-smp2", false);
    check_recorded("i386-slab-1G", false);
    check_recorded("i386-slub-160M-high80M", true);
    check_recorded("i386pae-slab-160M-high80M", false);
    check_recorded("x86_64-slab-256M", false);
    check_low_memory();
    check_wide();
    check_highmem_order("ram=160M highmem=80M",
                        (const uint64_t[][2]){{0x4fe0, 0x9fe0}, {0, 0}});
    check_highmem_order(
        "ram=160M memmap=0-640K,1M-70M,70M-90003K,91M-110123K,111M-150771K highmem=60M",
        (const uint64_t[][2]){
            {0x573c, 0x57e4}, {0x5b00, 0x6b8a}, {0x6f00, 0x933c}, {0, 0}});
    check_low_order();
    check_large("arch=x86_64 ram=64G cpus=8");
    check_large("arch=x86_64 ram=1T cpus=64");
    check_large("arch=i386pae ram=64G");
    check_refused("ram=32M kernel=16M-40M", "more ram");
    check_refused("arch=i386pae ram=64G highmem=63G kernel=16M-21M initrd=800M", "ram");
    check_refused("ram=64M memmap=1M-2M:reserved", "usable");
    check_same_twice();
    return done_testing();
}
