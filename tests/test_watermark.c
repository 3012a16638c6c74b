/* Watermarks and what hangs on them, against values worked out by hand and values that
 * kernels showed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap.h"
#include "watermark.h"

static const uint32_t usual_ratio[MAX_NR_ZONES] = {
    [ZONE_DMA] = 256, [ZONE_DMA32] = 256, [ZONE_NORMAL] = 32};

struct machine_row {
    const char *name;
    uint32_t cpus;
    uint64_t dma, dma32, normal, highmem; /* managed when the kernel computed */
    uint64_t min_free_kbytes, totalreserve;
    struct {
        enum zone_type zone;
        uint64_t min, low, high;
        uint64_t reserve_dma32, reserve_normal, reserve_highmem, reserve_movable;
        uint32_t pcp_high, pcp_batch, threshold;
    } zone[3];
};

/* What kernels 6.1 showed; managed is without the initial RAM disk, which they free
 * later. */
static const struct machine_row seen[] = {
    {"i386 160M highmem=80M",
     1,
     3840,
     0,
     14311,
     20480,
     1077,
     1359,
     {{ZONE_DMA, 56, 70, 84, 0, 55, 135, 135, 70, 1, 2},
      {ZONE_NORMAL, 212, 265, 318, 0, 0, 640, 640, 265, 3, 2},
      {ZONE_HIGHMEM, 32, 107, 182, 0, 0, 0, 0, 107, 3, 2}}},
    {"i386 160M highmem=80M, 2 CPUs",
     2,
     3840,
     0,
     14284,
     20480,
     1077,
     1359,
     {{ZONE_DMA, 56, 70, 84, 0, 55, 135, 135, 35, 1, 4},
      {ZONE_NORMAL, 212, 265, 318, 0, 0, 640, 640, 132, 3, 4},
      {ZONE_HIGHMEM, 32, 107, 182, 0, 0, 0, 0, 53, 3, 4}}},
    {"i386 1G",
     1,
     3840,
     0,
     218269,
     35810,
     3770,
     3630,
     {{ZONE_DMA, 16, 20, 24, 0, 852, 992, 992, 20, 1, 2},
      {ZONE_NORMAL, 925, 1156, 1387, 0, 0, 1119, 1119, 1156, 63, 8},
      {ZONE_HIGHMEM, 34, 71, 108, 0, 0, 0, 0, 71, 7, 4}}},
    {"x86_64 256M",
     1,
     3840,
     56390,
     0,
     0,
     1963,
     951,
     {{ZONE_DMA, 31, 38, 45, 220, 220, 220, 220, 38, 1, 2},
      {ZONE_DMA32, 458, 572, 686, 0, 0, 0, 0, 572, 15, 4},
      {ZONE_NORMAL, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2}}},
};

static void fill(struct wmark_zone z[MAX_NR_ZONES], const struct machine_row *m)
{
    memset(z, 0, sizeof *z * MAX_NR_ZONES);
    z[ZONE_DMA].managed = m->dma;
    z[ZONE_DMA32].managed = m->dma32;
    z[ZONE_NORMAL].managed = m->normal;
    z[ZONE_HIGHMEM].managed = m->highmem;
    z[ZONE_HIGHMEM].highmem = true;
    z[ZONE_MOVABLE].highmem = m->highmem > 0;
}

static void check_machine(const struct machine_row *m)
{
    struct wmark_zone z[MAX_NR_ZONES];
    fill(z, m);
    uint64_t kbytes = wmark_min_free_kbytes(z);
    is_u64(kbytes, m->min_free_kbytes, "%s: min_free_kbytes", m->name);
    wmark_setup(z, kbytes, m->cpus);
    wmark_thresholds(z, m->cpus);
    wmark_lowmem_reserve(z, usual_ratio);
    is_u64(wmark_totalreserve(z), m->totalreserve, "%s: totalreserve", m->name);
    for (int i = 0; i < 3; i++) {
        const struct wmark_zone *got = &z[m->zone[i].zone];
        is_u64(got->min, m->zone[i].min, "%s: zone %d min", m->name, i);
        is_u64(got->low, m->zone[i].low, "%s: zone %d low", m->name, i);
        is_u64(got->high, m->zone[i].high, "%s: zone %d high", m->name, i);
        is_u64(got->lowmem_reserve[ZONE_DMA32], m->zone[i].reserve_dma32,
               "%s: zone %d reserve for DMA32", m->name, i);
        is_u64(got->lowmem_reserve[ZONE_NORMAL], m->zone[i].reserve_normal,
               "%s: zone %d reserve for Normal", m->name, i);
        is_u64(got->lowmem_reserve[ZONE_HIGHMEM], m->zone[i].reserve_highmem,
               "%s: zone %d reserve for HighMem", m->name, i);
        is_u64(got->lowmem_reserve[ZONE_MOVABLE], m->zone[i].reserve_movable,
               "%s: zone %d reserve for Movable", m->name, i);
        is_u64(got->pcp_high, m->zone[i].pcp_high, "%s: zone %d pcp high", m->name, i);
        is_u64(got->pcp_batch, m->zone[i].pcp_batch, "%s: zone %d pcp batch", m->name, i);
        is_u64(got->stat_threshold, m->zone[i].threshold, "%s: zone %d threshold",
               m->name, i);
    }
}

static void check_single_figures(void)
{
    /* batch: a thousandth of the zone, a quarter of that, one and a half times, down to
     * 2^n - 1; at most 63 */
    static const struct {
        uint64_t managed;
        uint32_t batch;
    } batches[] = {{0, 1},       {4095, 1},    {8192, 2 - 1}, {12287, 1},    {12288, 3},
                   {20480, 3},   {24576, 7},   {45055, 7},    {45056, 15},   {90112, 31},
                   {176127, 31}, {176128, 63}, {262144, 63},  {1u << 30, 63}};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        is_u64(wmark_pcp_batch(batches[i].managed), batches[i].batch, "batch of %" PRIu64,
               batches[i].managed);
    }
    is_u64(wmark_pcp_high(10, 63, 4), 252, "high is at least four batches");
    is_u64(wmark_pcp_high(4000, 63, 4), 1000, "high is the low mark divided by the CPUs");

    /* the table of processors and zone sizes that the kernel documents */
    const uint64_t mib128 = (uint64_t)128 << (20 - PAGE_SHIFT), gib = mib128 * 8;
    is_u64(wmark_stat_threshold(gib - 1, 1), 8, "threshold, 1 CPU, just under 1 GiB");
    is_u64(wmark_stat_threshold(gib - 1, 2), 16, "threshold, 2 CPUs, just under 1 GiB");
    is_u64(wmark_stat_threshold(gib, 2), 20, "threshold, 2 CPUs, 1 GiB");
    is_u64(wmark_stat_threshold(2 * gib, 2), 24, "threshold, 2 CPUs, 2 GiB");
    is_u64(wmark_stat_threshold(4 * gib, 2), 28, "threshold, 2 CPUs, 4 GiB");
    is_u64(wmark_stat_threshold(mib128 - 1, 2), 4, "threshold, 2 CPUs, under 128 MiB");
    is_u64(wmark_stat_threshold(8 * gib, 4), 48, "threshold, 4 CPUs, 8 GiB");
    is_u64(wmark_stat_threshold((uint64_t)1 << 28, 64), 125, "threshold: at most 125");
    is_u64(wmark_pressure_threshold(212, 265, 2), 26, "pressure threshold");
    is_u64(wmark_pressure_threshold(5, 5, 2), 1, "pressure threshold: at least 1");

    struct wmark_zone z[MAX_NR_ZONES] = {[ZONE_DMA] = {.managed = 1000}};
    is_u64(wmark_min_free_kbytes(z), 252 < 128 ? 128 : 252,
           "min_free_kbytes = sqrt(4000 * 16)");
    z[ZONE_DMA].managed = 10;
    is_u64(wmark_min_free_kbytes(z), 128, "min_free_kbytes: at least 128");
    z[ZONE_NORMAL].managed = (uint64_t)1 << 31;
    is_u64(wmark_min_free_kbytes(z), 262144, "min_free_kbytes: at most 262144");
}

/* The documented table: 4 * sqrt(lowmem) kilobytes. */
static void check_documented_sizes(void)
{
    static const struct {
        uint64_t mib, kbytes;
    } rows[] = {{16, 512},    {32, 724},     {64, 1024},    {128, 1448},
                {256, 2048},  {512, 2896},   {1024, 4096},  {2048, 5792},
                {4096, 8192}, {8192, 11585}, {16384, 16384}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wmark_zone z[MAX_NR_ZONES] = {
            [ZONE_NORMAL] = {.managed = rows[i].mib << (20 - PAGE_SHIFT)}};
        uint64_t got = wmark_min_free_kbytes(z);
        ok(got == rows[i].kbytes || got == rows[i].kbytes + 1,
           "%" PRIu64 " MiB: %" PRIu64 " KiB", rows[i].mib, got);
    }
}

static void check_sysctls(void)
{
    struct wmark_zone z[MAX_NR_ZONES];
    fill(z, &seen[0]);
    wmark_setup(z, 16384, 1);
    /* 4096 pages, of which DMA's share is 4096 * 3840 / 18151 */
    is_u64(z[ZONE_DMA].min, 866, "min_free_kbytes=16384: DMA");
    is_u64(z[ZONE_NORMAL].min, 3229, "min_free_kbytes=16384: Normal");
    is_u64(z[ZONE_HIGHMEM].min, 32,
           "min_free_kbytes=16384: HighMem keeps its small mark");
    is_u64(z[ZONE_HIGHMEM].low, 32 + 4621 / 4,
           "min_free_kbytes=16384: but its low mark follows");
    wmark_setup(z, 0, 1);
    is_u64(z[ZONE_NORMAL].min, 0, "min_free_kbytes=0: no minimum");
    is_u64(z[ZONE_NORMAL].low, 14, "min_free_kbytes=0: low is a thousandth of the zone");
    const uint32_t ratio[MAX_NR_ZONES] = {[ZONE_DMA] = 0, [ZONE_NORMAL] = 8};
    wmark_lowmem_reserve(z, ratio);
    is_u64(z[ZONE_DMA].lowmem_reserve[ZONE_NORMAL], 0, "ratio 0: no reserve");
    is_u64(z[ZONE_NORMAL].lowmem_reserve[ZONE_HIGHMEM], 2560,
           "ratio 8: an eighth of HighMem");
}

int main(void)
{
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        check_machine(&seen[i]);
    }
    check_single_figures();
    check_documented_sizes();
    check_sysctls();
    return done_testing();
}
