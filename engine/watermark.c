/* Watermarks, lowmem reserves, the sizes of per-CPU lists and the counters' thresholds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "watermark.h"

enum {
    KIB_SHIFT = PAGE_SHIFT - 10,
    WATERMARK_SCALE_FACTOR = 10, /* of 10000 */
    SWAP_CLUSTER_MAX = 32,
    HIGHMEM_MIN_MOST = 128,
    PCP_BATCH_MOST = (1 << 20) / PAGE_SIZE,
    STAT_UNIT_SHIFT = 27 - PAGE_SHIFT /* 128 MiB */
};

static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t square_root(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1) {
        if ((root | bit) * (root | bit) <= v) {
            root |= bit;
        }
    }
    return root;
}

static uint32_t bit_length(uint64_t v)
{
    uint32_t n = 0;
    for (; v; v >>= 1) {
        n++;
    }
    return n;
}

uint64_t wmark_min_free_kbytes(const struct wmark_zone z[MAX_NR_ZONES])
{
    uint64_t pages = 0;
    for (int i = ZONE_DMA; i <= ZONE_NORMAL; i++) {
        pages += z[i].managed > z[i].high ? z[i].managed - z[i].high : 0;
    }
    uint64_t kbytes = square_root((pages << KIB_SHIFT) * 16);
    return min_u64(max_u64(kbytes, MIN_FREE_KBYTES_LEAST), MIN_FREE_KBYTES_MOST);
}

uint32_t wmark_pcp_batch(uint64_t managed)
{
    uint64_t batch = min_u64(managed >> 10, PCP_BATCH_MOST) / 4;
    batch = max_u64(batch, 1);
    batch += batch / 2;
    uint32_t rounded = (1u << (bit_length(batch) - 1)) - 1;
    return rounded ? rounded : 1;
}

uint32_t wmark_pcp_high(uint64_t low, uint32_t batch, uint32_t cpus)
{
    return (uint32_t)max_u64(low / cpus, (uint64_t)batch * 4);
}

uint32_t wmark_stat_threshold(uint64_t managed, uint32_t cpus)
{
    uint32_t threshold =
        2 * bit_length(cpus) * (1 + bit_length(managed >> STAT_UNIT_SHIFT));
    return (uint32_t)min_u64(threshold, STAT_THRESHOLD_MOST);
}

uint32_t wmark_pressure_threshold(uint64_t min, uint64_t low, uint32_t cpus)
{
    return (uint32_t)min_u64(max_u64((low - min) / cpus, 1), STAT_THRESHOLD_MOST);
}

void wmark_setup(struct wmark_zone z[MAX_NR_ZONES], uint64_t min_free_kbytes,
                 uint32_t cpus)
{
    uint64_t pages_min = min_free_kbytes >> KIB_SHIFT, lowmem = 0;
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        lowmem += z[i].highmem ? 0 : z[i].managed;
    }
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        uint64_t managed = z[i].managed;
        uint64_t share = lowmem ? pages_min * managed / lowmem : 0;
        z[i].min = share;
        if (z[i].highmem) {
            z[i].min =
                min_u64(max_u64(managed / 1024, SWAP_CLUSTER_MAX), HIGHMEM_MIN_MOST);
        }
        uint64_t step = max_u64(share >> 2, managed * WATERMARK_SCALE_FACTOR / 10000);
        z[i].low = z[i].min + step;
        z[i].high = z[i].low + step;
        z[i].pcp_batch = wmark_pcp_batch(managed);
        z[i].pcp_high = wmark_pcp_high(z[i].low, z[i].pcp_batch, cpus);
    }
}

void wmark_thresholds(struct wmark_zone z[MAX_NR_ZONES], uint32_t cpus)
{
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        z[i].stat_threshold = wmark_stat_threshold(z[i].managed, cpus);
        z[i].pressure_threshold = wmark_pressure_threshold(z[i].min, z[i].low, cpus);
        uint64_t drift = (uint64_t)cpus * z[i].stat_threshold;
        if (drift > z[i].low - z[i].min) {
            z[i].drift_mark = z[i].high + drift;
        }
    }
}

void wmark_lowmem_reserve(struct wmark_zone z[MAX_NR_ZONES],
                          const uint32_t ratio[MAX_NR_ZONES])
{
    for (int i = 0; i < MAX_NR_ZONES - 1; i++) {
        uint64_t above = 0;
        for (int j = i + 1; j < MAX_NR_ZONES; j++) {
            above += z[j].managed;
            z[i].lowmem_reserve[j] = ratio[i] && z[i].managed ? above / ratio[i] : 0;
        }
    }
}

uint64_t wmark_totalreserve(const struct wmark_zone z[MAX_NR_ZONES])
{
    uint64_t total = 0;
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        uint64_t most = 0;
        for (int j = i; j < MAX_NR_ZONES; j++) {
            most = max_u64(most, z[i].lowmem_reserve[j]);
        }
        total += min_u64(most + z[i].high, z[i].managed);
    }
    return total;
}
