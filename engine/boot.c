/* The memory map becomes zones: setup_arch(), free_area_init() and mem_init() of a PC.
 *
 *   memory map --usable--> struct map.memory      what has frames
 *   image, firmware, tables ---------> struct map.taken    what nobody can allocate
 *   memory - taken ----> free lists, in the order in which the kernel frees it
 *
 * The reservations that the kernel makes for itself at boot are modelled one by one, at
 * the place where its boot allocator (memblock, top-down from the end of low memory)
 * puts them; their sizes are computed as the kernel computes them where they follow from
 * the machine (frame table, hash tables, page tables, per-CPU areas), and are those of a
 * small 6.1 kernel where they follow from its configuration (image, per-CPU variables).
 * What a running kernel frees later (init code) stays reserved.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "boot.h"

#include "dma.h"
#include "image.h"
#include "kspace.h"
#include "page.h"
#include "watermark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB_PAGES ((uint64_t)1 << (20 - PAGE_SHIFT))
#define GIB_PAGES ((uint64_t)1 << (30 - PAGE_SHIFT))
#define PAGES_OF(bytes) (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)

#define DMA_END_PFN (16 * MIB_PAGES)
#define DMA32_END_PFN (4 * GIB_PAGES)

struct map_range {
    uint64_t start, end; /* pfns */
};

enum { MAX_TAKEN = 96 };

struct map {
    struct map_range memory[MAX_MEMMAP],
        taken[MAX_TAKEN]; /* sorted, apart from each other */
    uint32_t nr_memory, nr_taken;
    uint64_t max_pfn, max_low_pfn;
    bool bare, full;
    struct boot_places places;
};

static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

static bool has_highmem(const struct machine_config *c) { return c->arch != ARCH_X86_64; }

/* ---- the firmware's memory map ---- */

static void map_entry(struct memmap_entry map[MAX_MEMMAP], uint32_t *n, uint64_t start,
                      uint64_t end, enum memmap_type type)
{
    map[*n] = (struct memmap_entry){start, end, type};
    ++*n;
}

static uint32_t boot_memmap(const struct machine_config *c,
                            struct memmap_entry map[MAX_MEMMAP])
{
    if (c->nr_memmap) {
        memcpy(map, c->memmap, c->nr_memmap * sizeof map[0]);
        return c->nr_memmap;
    }
    const uint64_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib;
    const uint64_t acpi_tables = 128 * kib, hole_from = 3 * gib + 512 * mib;
    /* The devices' window lies below 4 GiB: what does not fit there goes above. */
    uint64_t low = c->ram_bytes < hole_from ? c->ram_bytes : 3 * gib;
    uint32_t n = 0;
    map_entry(map, &n, 0, 639 * kib, MEMMAP_USABLE);
    map_entry(map, &n, 639 * kib, 640 * kib, MEMMAP_RESERVED); /* extended BIOS data */
    map_entry(map, &n, 960 * kib, mib, MEMMAP_RESERVED);       /* BIOS */
    map_entry(map, &n, mib, low - acpi_tables, MEMMAP_USABLE);
    map_entry(map, &n, low - acpi_tables, low, MEMMAP_RESERVED);
    map_entry(map, &n, 4 * gib - 256 * kib, 4 * gib, MEMMAP_RESERVED); /* BIOS flash */
    if (c->ram_bytes > low) {
        map_entry(map, &n, 4 * gib, 4 * gib + (c->ram_bytes - low), MEMMAP_USABLE);
    }
    return n;
}

/* The first entry that begins in or after frame from, in bytes; and where entries that
 * cover its beginning end. */
static uint64_t next_entry(const struct memmap_entry *map, uint32_t n, uint64_t from,
                           uint64_t *covered)
{
    uint64_t next = UINT64_MAX;
    *covered = from;
    for (uint32_t i = 0; i < n; i++) {
        if (map[i].start <= from && map[i].end > *covered) {
            *covered = map[i].end;
        } else if (map[i].start > from && map[i].start < next) {
            next = map[i].start;
        }
    }
    return next;
}

void boot_add_holes(const struct machine_config *c, struct ram *ram, uint64_t max_pfn)
{
    struct memmap_entry map[MAX_MEMMAP];
    const uint32_t n = boot_memmap(c, map);
    const uint64_t end = max_pfn << PAGE_SHIFT;
    for (uint64_t at = 0, covered; at < end; at = covered) {
        const uint64_t next = min_u64(next_entry(map, n, at, &covered), end);
        if (covered > at) {
            continue;
        }
        /* a frame that an entry covers in part is there */
        const uint64_t first = (at + PAGE_SIZE - 1) >> PAGE_SHIFT;
        const uint64_t last = next >> PAGE_SHIFT;
        if (first < last) {
            const struct ram_device hole = {first, last - first, NULL, NULL};
            ram_add_device(ram, &hole);
        }
        covered = next;
    }
}

/* ---- sets of frames ---- */

/* Insert [start, end) into a sorted set, joining what touches. */
static bool set_add(struct map_range *set, uint32_t *n, uint32_t most, uint64_t start,
                    uint64_t end)
{
    uint32_t at = 0;
    while (at < *n && set[at].end < start) {
        at++;
    }
    uint32_t behind = at;
    while (behind < *n && set[behind].start <= end) {
        start = min_u64(start, set[behind].start);
        end = max_u64(end, set[behind].end);
        behind++;
    }
    if (at == behind) {
        if (*n == most) {
            return false;
        }
        memmove(set + at + 1, set + at, (*n - at) * sizeof *set);
        ++*n;
    } else {
        memmove(set + at + 1, set + behind, (*n - behind) * sizeof *set);
        *n -= behind - at - 1;
    }
    set[at] = (struct map_range){start, end};
    return true;
}

static void take(struct map *map, uint64_t start, uint64_t end)
{
    if (start < end && !set_add(map->taken, &map->nr_taken, MAX_TAKEN, start, end)) {
        map->full = true;
    }
}

static void give_back(struct map *map, uint64_t start, uint64_t end)
{
    const struct map before = *map;
    map->nr_taken = 0;
    for (uint32_t i = 0; i < before.nr_taken; i++) {
        struct map_range r = before.taken[i];
        take(map, r.start, min_u64(r.end, start));
        take(map, max_u64(r.start, end), r.end);
    }
}

/* The next range of memory - taken at or after *at; false when there is none. */
static bool next_free(const struct map *map, uint64_t *at, struct map_range *out)
{
    for (uint32_t i = 0; i < map->nr_memory; i++) {
        uint64_t start = max_u64(*at, map->memory[i].start), end = map->memory[i].end;
        for (uint32_t j = 0; j < map->nr_taken && start < end; j++) {
            if (map->taken[j].end <= start) {
                continue;
            }
            if (map->taken[j].start > start) {
                end = min_u64(end, map->taken[j].start);
                break;
            }
            start = map->taken[j].end;
        }
        if (start < end) {
            *out = (struct map_range){start, end};
            *at = end;
            return true;
        }
    }
    return false;
}

/* memblock_alloc: the highest place below max_low_pfn where nr aligned pages are free.
 * Answers its first frame, PFN_NONE when there is none. */
static uint64_t place(const struct map *map, uint64_t nr, uint64_t align)
{
    uint64_t best = PFN_NONE;
    struct map_range r;
    for (uint64_t at = 0; next_free(map, &at, &r);) {
        uint64_t end = min_u64(r.end, map->max_low_pfn);
        if (end > r.start && end - r.start >= nr) {
            uint64_t start = (end - nr) / align * align;
            if (start >= r.start) {
                best = start;
            }
        }
    }
    return best;
}

/* The same, and all of it below limit (a frame). */
static uint64_t place_below(struct map *map, uint64_t nr, uint64_t align, uint64_t limit)
{
    const uint64_t low = map->max_low_pfn;
    map->max_low_pfn = min_u64(low, limit);
    const uint64_t start = place(map, nr, align);
    map->max_low_pfn = low;
    return start;
}

static bool take_some(struct map *map, uint64_t nr, uint64_t align)
{
    uint64_t start = nr ? place(map, nr, align) : 0;
    if (start == PFN_NONE) {
        return false;
    }
    take(map, start, start + nr);
    return true;
}

/* The same, and where it is. */
static bool take_at(struct map *map, uint64_t nr, uint64_t align, struct boot_span *out)
{
    *out = (struct boot_span){nr ? place(map, nr, align) : 0, nr};
    if (out->first == PFN_NONE) {
        return false;
    }
    take(map, out->first, out->first + nr);
    return true;
}

static uint64_t present_in(const struct map *map, uint64_t start, uint64_t end)
{
    uint64_t nr = 0;
    for (uint32_t i = 0; i < map->nr_memory; i++) {
        uint64_t s = max_u64(start, map->memory[i].start);
        uint64_t e = min_u64(end, map->memory[i].end);
        nr += e > s ? e - s : 0;
    }
    return nr;
}

/* ---- where low memory ends ---- */

/* find_low_pfn_range() */
static void find_low_memory(struct map *map, const struct machine_config *c)
{
    if (!has_highmem(c)) {
        map->max_low_pfn = map->max_pfn;
        return;
    }
    const uint64_t maxmem = kspace_maxmem_pfn(c), least_low = 64 * MIB_PAGES;
    const bool asked = c->highmem_bytes != UINT64_MAX;
    uint64_t highmem = asked ? c->highmem_bytes >> PAGE_SHIFT : 0;
    if (map->max_pfn <= maxmem) {
        map->max_low_pfn = map->max_pfn;
        if (highmem < map->max_pfn &&
            (map->bare || map->max_pfn - highmem >= least_low)) {
            map->max_low_pfn -= highmem;
        }
        return;
    }
    map->max_low_pfn = maxmem;
    if (asked && highmem + maxmem < map->max_pfn) {
        map->max_pfn = maxmem + highmem;
    }
}

static bool find_memory(struct map *map, const struct machine_config *c, char *err,
                        size_t err_size)
{
    struct memmap_entry e820[MAX_MEMMAP];
    uint32_t n = boot_memmap(c, e820);
    memset(map, 0, sizeof *map);
    map->bare = c->kernel_start == c->kernel_end && c->kernel_end;
    const uint64_t reach = c->arch == ARCH_I386       ? 4 * GIB_PAGES
                           : c->arch == ARCH_I386_PAE ? 64 * GIB_PAGES
                                                      : UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (e820[i].type != MEMMAP_USABLE) {
            continue;
        }
        uint64_t start = PAGES_OF(e820[i].start), end = e820[i].end >> PAGE_SHIFT;
        if (!map->bare && start == 0) {
            start = 1; /* trim_bios_range(): the BIOS owns the first page */
        }
        end = min_u64(end, reach);
        if (start < end) {
            set_add(map->memory, &map->nr_memory, MAX_MEMMAP, start, end);
        }
    }
    if (!map->nr_memory) {
        snprintf(err, err_size,
                 "there is no usable memory: use more ram or another memmap");
        return false;
    }
    map->max_pfn = map->memory[map->nr_memory - 1].end;
    find_low_memory(map, c);
    /* highmem= may have cut the memory short */
    while (map->nr_memory && map->memory[map->nr_memory - 1].start >= map->max_pfn) {
        map->nr_memory--;
    }
    if (map->memory[map->nr_memory - 1].end > map->max_pfn) {
        map->memory[map->nr_memory - 1].end = map->max_pfn;
    }
    return true;
}

/* ---- what the kernel takes for itself ---- */

/* alloc_large_system_hash() for a table of pointers that has an entry for each 2^scale
 * bytes. */
static uint64_t hash_table_pages(const struct machine_config *c, uint64_t kernel_pages,
                                 uint64_t all_pages, unsigned scale)
{
    const bool wide = c->arch == ARCH_X86_64;
    const uint64_t bucket = wide ? 8 : 4;
    uint64_t entries = (kernel_pages + MIB_PAGES - 1) / MIB_PAGES * MIB_PAGES;
    for (uint64_t size = 64 * GIB_PAGES; wide && size < entries; size <<= 2) {
        scale++;
    }
    entries >>= scale - PAGE_SHIFT;
    entries = max_u64(entries, PAGE_SIZE / bucket);
    uint64_t rounded = 1;
    while (rounded < entries) {
        rounded <<= 1;
    }
    uint64_t most = (all_pages << PAGE_SHIFT >> 4) / bucket;
    while (rounded > 1 && (rounded > most || rounded > (uint64_t)1 << 31)) {
        rounded >>= 1;
    }
    return PAGES_OF(rounded * bucket);
}

/* pcpu_embed_first_chunk(): every CPU's area; a 64-bit kernel divides 2 MiB pages among
 * them and gives back what is not used. */
static bool take_percpu(struct map *map, const struct machine_config *c)
{
    if (c->arch != ARCH_X86_64) {
        const uint64_t used = 27;
        bool room = take_at(map, used * c->cpus, 1, &map->places.percpu);
        map->places.percpu.nr = map->places.percpu_stride = used;
        return room;
    }
    const uint64_t used = 47, atom = 512;
    uint64_t per_atom = 8, best = 1, fewest = UINT64_MAX;
    for (; per_atom; per_atom /= 2) {
        uint64_t atoms = (c->cpus + per_atom - 1) / per_atom;
        if (atoms * per_atom - c->cpus > c->cpus / 3) {
            continue;
        }
        if (atoms > fewest) {
            break;
        }
        fewest = atoms;
        best = per_atom;
    }
    uint64_t atoms = (c->cpus + best - 1) / best, unit = atom / best;
    uint64_t start = place(map, atoms * atom, atom);
    if (start == PFN_NONE) {
        return false;
    }
    map->places.percpu = (struct boot_span){start, used};
    map->places.percpu_stride = unit;
    for (uint64_t cpu = 0; cpu < c->cpus; cpu++) {
        take(map, start + cpu * unit, start + cpu * unit + used);
    }
    return true;
}

/* The frame table (memmap): the array of struct page that the kernel itself keeps. */
static bool take_memmap(struct map *map, const struct machine_config *c)
{
    if (c->arch != ARCH_X86_64) {
        /* FLATMEM: 32 bytes a frame from the first to the last, in whole top blocks; and
         * a page for the node */
        uint64_t frames = (map->max_pfn + 1023) / 1024 * 1024;
        return take_at(map, PAGES_OF(frames * 32), 1, &map->places.memmap) &&
               take_at(map, 1, 1, &map->places.node);
    }
    /* SPARSEMEM_VMEMMAP: 64 bytes a frame, for each section of 128 MiB that has memory */
    const uint64_t section = 128 * MIB_PAGES;
    uint64_t sections = 0, from = 0;
    for (uint32_t i = 0; i < map->nr_memory; i++) {
        uint64_t first = max_u64(map->memory[i].start / section, from);
        from = (map->memory[i].end + section - 1) / section;
        sections += from > first ? from - first : 0;
    }
    uint64_t pages = sections * 512;
    uint64_t tables = pages / GIB_PAGES + 1 + pages / (512 * GIB_PAGES) + 1;
    uint64_t roots = 4 + sections / 256 + 1;
    return take_some(map, roots, 1) && take_at(map, pages, 512, &map->places.memmap) &&
           take_at(map, tables, 1, &map->places.memmap_tables) &&
           take_at(map, 7, 1, &map->places.node); /* the node and the pageblocks' bits */
}

/* Tables for the direct map that do not find room in the image's heap. */
static uint64_t direct_map_tables(const struct map *map, const struct machine_config *c)
{
    const uint64_t large = c->arch == ARCH_I386 ? 1024 : 512; /* pages */
    if (c->arch == ARCH_X86_64) {
        /* the ends that are smaller than 2 MiB; the directories of what is in such pages;
         * where they point from */
        const uint64_t ends = 2, roots = map->max_pfn / (512 * GIB_PAGES) + 1;
        const uint64_t gib = map->max_pfn / GIB_PAGES; /* a whole one: a page itself */
        return ends + (c->hw.gbpages ? min_u64(gib, 2) : gib) + 1 + roots;
    }
    return large == 512 || c->hw.pse ? 0 : (map->max_low_pfn + large - 1) / large;
}

static bool take_hash_tables(struct map *map, const struct machine_config *c)
{
    const uint64_t frame_bytes = c->arch == ARCH_X86_64 ? 64 : 32;
    uint64_t low = present_in(map, 0, map->max_low_pfn);
    uint64_t high = present_in(map, map->max_low_pfn, map->max_pfn);
    uint64_t kernel = low - PAGES_OF(low * frame_bytes), all = kernel + high;
    uint64_t high_memmap = PAGES_OF(high * frame_bytes);
    kernel -= kernel > high_memmap ? high_memmap : 0;
    /* dentries, then inodes */
    return take_some(map, hash_table_pages(c, kernel, all, 13), 1) &&
           take_some(map, hash_table_pages(c, kernel, all, 14), 1);
}

/* swiotlb_init(): where there is no room below 4 GiB, the kernel goes without. Its table
 * has 24 bytes a slot. */
static void take_io_tlb(struct map *map, const struct machine_config *c)
{
    const uint64_t nr = dma_io_tlb_frames(c, map->max_pfn);
    const uint64_t at = nr ? place_below(map, nr, 1, DMA32_END_PFN) : PFN_NONE;
    if (at != PFN_NONE) {
        take(map, at, at + nr);
        map->places.io_tlb = (struct boot_span){at, nr};
        take_some(map, PAGES_OF((uint64_t)IO_TLB_SLABS * 24), 1);
    }
}

static bool take_for_kernel(struct map *map, const struct machine_config *c, char *err,
                            size_t err_size)
{
    struct boot_places *at = &map->places;
    uint64_t start, end;
    image_bytes(c, &start, &end); /* with the heap right behind it (brk) */
    if (end > map->max_low_pfn << PAGE_SHIFT || start >= end) {
        snprintf(
            err, err_size,
            "the kernel image, %#" PRIx64 " to %#" PRIx64
            ", does not lie in low memory: use more ram, less highmem or another kernel=",
            start, end);
        return false;
    }
    take(map, 0, MIB_PAGES); /* reserve_real_mode(): all of the first MiB */
    take(map, start >> PAGE_SHIFT, PAGES_OF(end));
    bool room = take_some(map, PAGES_OF(c->initrd_bytes), 1);
    room = room && take_at(map, direct_map_tables(map, c), 1, &at->direct_tables);
    room = room && take_memmap(map, c);
    uint64_t gap = PFN_NONE;
    if (c->arch != ARCH_X86_64 && room) {
        gap = place(map, 2, 1); /* for laying out the per-CPU areas, then free again */
    }
    if (gap != PFN_NONE) {
        take(map, gap, gap + 2);
    }
    room = room && take_percpu(map, c) && take_hash_tables(map, c);
    if (gap != PFN_NONE) {
        give_back(map, gap, gap + 2);
    }
    take_io_tlb(map, c);
    if (!room || map->full) {
        snprintf(err, err_size,
                 "low memory is too small for the kernel's tables: use more ram, less "
                 "highmem or a "
                 "smaller initrd");
        return false;
    }
    return true;
}

/* ---- zones ---- */

static bool add_zones(struct machine *m, const struct map *map, char *err,
                      size_t err_size)
{
    const struct machine_config *c = &m->config;
    const bool wide = c->arch == ARCH_X86_64;
    const uint64_t low = map->max_low_pfn, dma32 = wide ? min_u64(DMA32_END_PFN, low) : 0;
    const uint64_t end[MAX_NR_ZONES] = {[ZONE_DMA] = min_u64(DMA_END_PFN, low),
                                        [ZONE_DMA32] = dma32,
                                        [ZONE_NORMAL] = low,
                                        [ZONE_HIGHMEM] = wide ? 0 : map->max_pfn};
    uint64_t at = map->memory[0].start;
    for (enum zone_type t = ZONE_DMA; t <= ZONE_HIGHMEM; t++) {
        if (end[t] <= at) {
            continue;
        }
        uint64_t present = present_in(map, at, end[t]);
        if (present) {
            mm_add_zone(m, t, at, end[t] - at, present);
        }
        at = end[t];
    }
    if (!m->mm->nr_zones) {
        snprintf(err, err_size, "no zone has memory: use more ram or another memmap");
        return false;
    }
    return true;
}

/* memmap_init(): a pageblock becomes Movable when the first of its frames is memory.
 * Those that begin in a hole stay Unmovable. */
static void mark_holes_unmovable(struct machine *m, const struct map *map)
{
    const uint64_t nr = (uint64_t)1 << m->mm->pageblock_order;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        const struct zone *zone = zone_r(m, z);
        uint64_t at = zone->start_pfn;
        for (uint32_t i = 0; i <= map->nr_memory && at < zone_end_pfn(zone); i++) {
            /* the hole from `at` to the next memory */
            uint64_t hole_end =
                i < map->nr_memory ? map->memory[i].start : zone_end_pfn(zone);
            hole_end = min_u64(hole_end, zone_end_pfn(zone));
            for (uint64_t p = (at + nr - 1) / nr * nr; p < hole_end; p += nr) {
                pageblock_set(m, z, p, MIGRATE_UNMOVABLE);
            }
            at = i < map->nr_memory ? max_u64(at, map->memory[i].end) : hole_end;
        }
    }
}

/* The order of the largest block that begins at start and ends by end. */
static uint32_t block_order(const struct machine *m, uint64_t start, uint64_t end)
{
    uint32_t order = m->mm->max_order - 1;
    while (start & (((uint64_t)1 << order) - 1)) {
        order--;
    }
    while (start + ((uint64_t)1 << order) > end) {
        order--;
    }
    return order;
}

static void free_range(struct machine *m, uint64_t start, uint64_t end, bool high)
{
    while (start < end) {
        uint32_t order = block_order(m, start, end);
        if (high) {
            free_highmem_block(m, pfn(start), order);
        } else {
            free_pages_core(m, pfn(start), order);
        }
        start += (uint64_t)1 << order;
    }
}

/* mem_init(): HighMem page by page, then low memory in blocks that are as large as they
 * can be. */
static void free_all(struct machine *m, const struct map *map)
{
    struct map_range r;
    for (uint64_t at = map->max_low_pfn; next_free(map, &at, &r);) {
        free_range(m, r.start, r.end, true);
    }
    for (uint64_t at = 0; next_free(map, &at, &r) && r.start < map->max_low_pfn;) {
        free_range(m, r.start, min_u64(r.end, map->max_low_pfn), false);
    }
}

/* ---- figures ---- */

static void zones_out(const struct machine *m, struct wmark_zone z[MAX_NR_ZONES])
{
    memset(z, 0, sizeof *z * MAX_NR_ZONES);
    for (uint32_t i = 0; i < m->mm->nr_zones; i++) {
        const struct zone *zone = zone_r(m, i);
        struct wmark_zone *w = &z[zone->type];
        w->managed = zone->managed;
        w->highmem = zone->type == ZONE_HIGHMEM;
        w->min = zone->watermark[WMARK_MIN];
        w->low = zone->watermark[WMARK_LOW];
        w->high = zone->watermark[WMARK_HIGH];
        memcpy(w->lowmem_reserve, zone->lowmem_reserve, sizeof w->lowmem_reserve);
        w->drift_mark = zone->percpu_drift_mark;
    }
}

/* setup_per_zone_wmarks(): the boost goes, and the per-CPU lists' sizes follow the low
 * mark. */
static void setup_watermarks(struct machine *m)
{
    struct wmark_zone z[MAX_NR_ZONES];
    zones_out(m, z);
    wmark_setup(z, m->mm->min_free_kbytes, m->mm->nr_cpus);
    for (uint32_t i = 0; i < m->mm->nr_zones; i++) {
        struct zone *zone = zone_w(m, i);
        const struct wmark_zone *w = &z[zone->type];
        zone->watermark[WMARK_MIN] = w->min;
        zone->watermark[WMARK_LOW] = w->low;
        zone->watermark[WMARK_HIGH] = w->high;
        zone->watermark_boost = 0;
        zone->pageset_high = w->pcp_high;
        zone->pageset_batch = w->pcp_batch;
        for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
            struct pcp *p = pcp_w(m, i, cpu);
            p->high = (int32_t)w->pcp_high;
            p->batch = (int32_t)w->pcp_batch;
        }
    }
    mm_w(m)->totalreserve_pages = wmark_totalreserve(z);
}

static void setup_lowmem_reserve(struct machine *m)
{
    struct wmark_zone z[MAX_NR_ZONES];
    zones_out(m, z);
    wmark_lowmem_reserve(z, m->mm->lowmem_reserve_ratio);
    for (uint32_t i = 0; i < m->mm->nr_zones; i++) {
        struct zone *zone = zone_w(m, i);
        memcpy(zone->lowmem_reserve, z[zone->type].lowmem_reserve,
               sizeof zone->lowmem_reserve);
    }
    mm_w(m)->totalreserve_pages = wmark_totalreserve(z);
}

/* refresh_zone_stat_thresholds() */
static void setup_thresholds(struct machine *m)
{
    struct wmark_zone z[MAX_NR_ZONES];
    zones_out(m, z);
    wmark_thresholds(z, m->mm->nr_cpus);
    for (uint32_t i = 0; i < m->mm->nr_zones; i++) {
        struct zone *zone = zone_w(m, i);
        zone->percpu_drift_mark = z[zone->type].drift_mark;
        for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
            pcp_w(m, i, cpu)->stat_threshold = (int32_t)z[zone->type].stat_threshold;
        }
    }
}

void boot_set_min_free_kbytes(struct machine *m, uint64_t kbytes)
{
    struct mm *mm = mm_w(m);
    mm->min_free_kbytes = min_u64(kbytes, INT32_MAX);
    mm->user_min_free_kbytes = (int64_t)mm->min_free_kbytes;
    setup_watermarks(m);
}

void boot_set_lowmem_reserve_ratio(struct machine *m, enum zone_type zone, uint32_t ratio)
{
    if ((unsigned)zone < MAX_NR_ZONES) {
        mm_w(m)->lowmem_reserve_ratio[zone] = ratio;
    }
    setup_lowmem_reserve(m);
}

/* ---- all of it ---- */

uint64_t boot_max_pfn(const struct machine_config *c, char *err, size_t err_size)
{
    struct map map;
    if (!config_check(c, err, err_size) || !find_memory(&map, c, err, err_size)) {
        return 0;
    }
    return map.max_pfn;
}

static bool describe_ranges(struct machine *m, const struct map *map)
{
    for (uint32_t i = 0; i < map->nr_memory; i++) {
        if (!mm_add_range(m, RANGE_PRESENT, map->memory[i].start, map->memory[i].end)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < map->nr_taken; i++) {
        if (!mm_add_range(m, RANGE_RESERVED, map->taken[i].start, map->taken[i].end)) {
            return false;
        }
    }
    return true;
}

bool boot_memory(struct machine *m, char *err, size_t err_size)
{
    const struct machine_config *c = &m->config;
    struct map map;
    if (!find_memory(&map, c, err, err_size) ||
        (!map.bare && !take_for_kernel(&map, c, err, err_size))) {
        return false;
    }
    m->places = map.places;
    if (!describe_ranges(m, &map)) {
        snprintf(err, err_size, "the memory map has too many pieces: join some");
        return false;
    }
    if (!add_zones(m, &map, err, err_size)) {
        return false;
    }
    mark_holes_unmovable(m, &map);
    free_all(m, &map);

    struct wmark_zone z[MAX_NR_ZONES];
    zones_out(m, z);
    struct mm *mm = mm_w(m);
    memcpy(mm->lowmem_reserve_ratio, c->lowmem_reserve_ratio,
           sizeof mm->lowmem_reserve_ratio);
    mm->user_min_free_kbytes = c->min_free_kbytes;
    mm->min_free_kbytes =
        c->min_free_kbytes < 0 ? wmark_min_free_kbytes(z) : (uint64_t)c->min_free_kbytes;
    setup_watermarks(m);
    setup_thresholds(m);
    setup_lowmem_reserve(m);
    return true;
}
