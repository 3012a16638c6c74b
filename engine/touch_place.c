/* Where the kernel's data structures lie: see touch.h.
 *
 *   per-CPU area   | static variables, vm_event_states at 32 KiB ...
 *   (boot.c)       |   ... caches, downwards | zones' lists and counters |
 *   node's page    | node_zones[] by type | node_zonelists[] ... | pageblocks' bits
 *   image, data    | boot caches, nodes by slot | ...
 *
 * The kernel's dynamic per-CPU memory is packed in the order of allocation; here a cache
 * has its place by its slot, with room for an array of 120 entries (longer ones, which
 * only tuning makes, run into their neighbour's). What a first chunk of the kernel has no
 * room for lies in the vmalloc space there; here all caches are in the first chunk, and
 * the oldest and newest share places once it is full. Boot caches, and those of a loaded
 * record, which does not tell their addresses, are in the image.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "image.h"
#include "slab.h"
#include "touch.h"

enum {
    DEFAULT_ENTRIES = 120, /* of the longest array that enable_cpucache makes */
    PCP_BYTES = 256,       /* struct per_cpu_pages in whole lines, and its counters */
    STAT_BYTES = 64,
    EVENTS_AT = 32 << 10,
    CACHES_FROM = 40 << 10, /* no cache below this in a CPU's area */
    IMAGE_CACHE = 256,      /* a struct kmem_cache in the image, and a node */
    IMAGE_NODE = 128,
    BITS_A_BLOCK = 4 /* NR_PAGEBLOCK_BITS */
};

static bool wide(const struct machine *m) { return m->config.arch == ARCH_X86_64; }

static uint64_t word_of(const struct machine *m) { return wide(m) ? 8 : 4; }

uint64_t touch_page_va(const struct machine *m, uint64_t frame)
{
    if (frame >= m->mm->max_pfn || !m->places.memmap.nr) {
        return 0;
    }
    return wide(m) ? m->vm->kspace.vmemmap_start + frame * 64
                   : kspace_va(&m->vm->kspace, m->places.memmap.first) + frame * 32;
}

/* ---- the node ---- */

/* sizeof(struct zone): free_area begins a cache line, so do lock's neighbours behind it
 * and vm_stat. */
static uint64_t zone_bytes(const struct machine *m) { return wide(m) ? 1472 : 736; }

static uint64_t node_at_va(const struct machine *m)
{
    return m->places.node.nr ? kspace_va(&m->vm->kspace, m->places.node.first) : 0;
}

/* A zone's place in node_zones[]: by its type, among those that this kernel has. */
static uint64_t type_index(const struct machine *m, uint32_t type)
{
    const bool there[MAX_NR_ZONES] = {[ZONE_DMA] = m->mm->has_dma,
                                      [ZONE_DMA32] = m->mm->has_dma32,
                                      [ZONE_NORMAL] = true,
                                      [ZONE_HIGHMEM] = m->mm->has_highmem,
                                      [ZONE_MOVABLE] = true};
    uint64_t i = 0;
    for (uint32_t t = 0; t < type && t < MAX_NR_ZONES; t++) {
        i += there[t];
    }
    return i;
}

uint64_t touch_zone_va(const struct machine *m, uint32_t zone)
{
    const uint64_t node = node_at_va(m);
    return node && zone < m->mm->nr_zones
               ? node + type_index(m, zone_r(m, zone)->type) * zone_bytes(m)
               : 0;
}

uint64_t touch_zoneref_va(const struct machine *m, uint32_t nr)
{
    const uint64_t node = node_at_va(m);
    return node ? node + MAX_ZONES * zone_bytes(m) + nr * 2 * word_of(m) : 0;
}

uint64_t touch_block_bits_va(const struct machine *m, uint32_t zone, uint64_t frame)
{
    const uint64_t node = node_at_va(m), word = word_of(m);
    const uint64_t from = wide(m) ? 2 * PAGE_SIZE : PAGE_SIZE * 3 / 4;
    const uint64_t room = (m->places.node.nr << PAGE_SHIFT) - from;
    const uint64_t bit = pageblock_index(m, zone_r(m, zone), frame) * BITS_A_BLOCK;
    return node ? node + from + bit / 8 / word * word % room : 0;
}

/* ---- CPUs' areas ---- */

static uint64_t percpu_va(const struct machine *m, uint32_t cpu)
{
    const struct boot_places *p = &m->places;
    return p->percpu.nr
               ? kspace_va(&m->vm->kspace, p->percpu.first + cpu * p->percpu_stride)
               : 0;
}

static uint64_t percpu_bytes(const struct machine *m)
{
    return m->places.percpu.nr << PAGE_SHIFT;
}

uint64_t touch_pcp_va(const struct machine *m, uint32_t zone, uint32_t cpu)
{
    const uint64_t area = percpu_va(m, cpu);
    return area ? area + percpu_bytes(m) -
                      (uint64_t)(MAX_ZONES - zone) * (PCP_BYTES + STAT_BYTES)
                : 0;
}

uint64_t touch_stat_va(const struct machine *m, uint32_t zone, uint32_t cpu)
{
    const uint64_t pcp = touch_pcp_va(m, zone, cpu);
    return pcp ? pcp + PCP_BYTES : 0;
}

uint64_t touch_events_va(const struct machine *m, uint32_t cpu)
{
    const uint64_t area = percpu_va(m, cpu);
    return area ? area + EVENTS_AT : 0;
}

uint64_t touch_array_va(const struct machine *m, const struct kmem_cache *c, uint32_t cpu)
{
    const uint64_t area = percpu_va(m, cpu), word = word_of(m);
    const uint64_t bytes = m->config.slub ? 4 * word : 16 + DEFAULT_ENTRIES * word;
    const uint64_t top = percpu_bytes(m) - MAX_ZONES * (PCP_BYTES + STAT_BYTES);
    if (!area || top <= CACHES_FROM + bytes) {
        return 0;
    }
    const uint64_t room = (top - CACHES_FROM) / bytes;
    return area + top - (c->id % SLAB_SLOTS % room + 1) * bytes;
}

/* ---- caches ---- */

static uint64_t image_va(const struct machine *m, uint64_t offset)
{
    struct image i;
    if (!image_layout(&i, &m->config) || i.idt <= i.rodata_end) {
        return 0;
    }
    const uint64_t pa =
        (i.rodata_end << PAGE_SHIFT) + offset % ((i.idt - i.rodata_end) << PAGE_SHIFT);
    return wide(m) ? m->vm->kspace.kernel_start + pa : m->vm->kspace.page_offset + pa;
}

uint64_t touch_cache_va(const struct machine *m, const struct kmem_cache *c)
{
    return c->addr ? c->addr : image_va(m, (uint64_t)(c->id % SLAB_SLOTS) * IMAGE_CACHE);
}

uint64_t touch_node_va(const struct machine *m, const struct kmem_cache *c)
{
    return c->node_addr ? c->node_addr
                        : image_va(m, (uint64_t)SLAB_SLOTS * IMAGE_CACHE +
                                          (uint64_t)(c->id % SLAB_SLOTS) * IMAGE_NODE);
}

/* ---- fields ---- */

static const struct {
    const char *structure, *name;
    uint32_t offset[2], size[2]; /* 64 bits, 32 bits */
} fields[] = {
#define TOUCH_FIELD(id, structure, name, at64, bytes64, at32, bytes32)                   \
    {structure, name, {at64, at32}, {bytes64, bytes32}},
#include "touch.def"
};

struct touch_field_view touch_field_view(const struct machine *m, uint32_t field)
{
    const int i = !wide(m);
    if (field >= NR_TOUCH_FIELDS) {
        return (struct touch_field_view){"?", "?", 0, 1};
    }
    return (struct touch_field_view){fields[field].structure, fields[field].name,
                                     fields[field].offset[i], fields[field].size[i]};
}

static const char *const layers[][2] = {
#define TOUCH_LAYER(id, name, what) {name, what},
#include "touch.def"
};

const char *touch_layer_name(uint32_t layer)
{
    return layer < NR_TOUCH_LAYERS ? layers[layer][0] : "?";
}

const char *touch_layer_text(uint32_t layer)
{
    return layer < NR_TOUCH_LAYERS ? layers[layer][1] : "?";
}
