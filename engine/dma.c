/* dma_alloc_coherent, dma_map_page and the software I/O TLB (dma.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "dma.h"

#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "hardware.h"
#include "pgtable.h"

#define DMA_BITS(n) (((uint64_t)1 << (n)) - 1)

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t dma_io_tlb_frames(const struct machine_config *c, uint64_t max_pfn)
{
    const bool wide = c->arch != ARCH_I386; /* CONFIG_SWIOTLB */
    const bool bare = c->kernel_start == c->kernel_end && c->kernel_end;
    return wide && !bare && max_pfn > (uint64_t)1 << (32 - PAGE_SHIFT)
               ? (uint64_t)IO_TLB_SLABS >> (PAGE_SHIFT - IO_TLB_SHIFT)
               : 0;
}

static uint32_t nr_slots(const struct machine *m)
{
    return m->places.io_tlb.nr ? IO_TLB_SLABS : 0;
}

uint64_t dma_arena_bytes(const struct machine_config *c)
{
    return sizeof(struct dma_state) + 2 * (uint64_t)ARENA_CHUNK +
           (c->arch == ARCH_I386 ? 0 : IO_TLB_SLABS * sizeof(struct io_tlb_slot));
}

bool dma_create(struct machine *m)
{
    m->dma = arena_alloc(
        &m->arena, sizeof(struct dma_state) + nr_slots(m) * sizeof(struct io_tlb_slot),
        ARENA_CHUNK);
    return m->dma != NULL;
}

/* The fields before the slots, of which a write may touch more than one chunk. */
static struct dma_state *dma_w(struct machine *m, const void *field)
{
    arena_mark(&m->arena, field);
    return m->dma;
}

static struct io_tlb_slot *slot_w(struct machine *m, uint32_t i)
{
    arena_mark(&m->arena, &m->dma->slot[i]);
    return &m->dma->slot[i];
}

void dma_reset(struct machine *m)
{
    struct dma_state *d = m->dma;
    if (d->pool_made || d->nr_bounces) {
        for (size_t at = 0; at < sizeof *d; at += ARENA_CHUNK) {
            arena_mark(&m->arena, (unsigned char *)d + at);
        }
        arena_mark(&m->arena, (unsigned char *)(d + 1) - 1);
        memset(d, 0, sizeof *d);
    }
    for (uint32_t i = 0; i < nr_slots(m); i++) {
        if (d->slot[i].taken || d->slot[i].size) {
            *slot_w(m, i) = (struct io_tlb_slot){0, 0, 0};
        }
    }
    for (uint32_t i = 0; i < MAX_CPUS; i++) {
        if (d->area[i].used || d->area[i].index) {
            dma_w(m, &d->area[i])->area[i] = (struct io_tlb_area){0, 0};
        }
    }
}

/* ---- coherent memory ---- */

static uint32_t order_of(uint64_t size)
{
    uint32_t order = 0;
    while (order < MAX_ORDER && ((uint64_t)PAGE_SIZE << order) < size) {
        order++;
    }
    return order;
}

static bool reaches(uint64_t pa, uint64_t size, uint64_t mask)
{
    return pa + size - 1 <= mask;
}

/* __dma_direct_alloc_pages() */
static uint64_t alloc_within(struct machine *m, uint64_t size, uint64_t mask, gfp_t gfp)
{
    const uint32_t order = order_of(size);
    gfp |= mask <= DMA_BITS(24) ? __GFP_DMA : mask <= DMA_BITS(32) ? __GFP_DMA32 : 0;
    for (;;) {
        const uint64_t frame = alloc_pages(m, gfp, order);
        if (frame == PFN_NONE || reaches(frame << PAGE_SHIFT, size, mask)) {
            return frame;
        }
        probe(&m->probe, EV_DMA_TOO_HIGH, frame, order, mask);
        __free_pages(m, frame, order);
        if (m->mm->has_dma32 && mask < UINT64_MAX && !(gfp & (__GFP_DMA32 | __GFP_DMA))) {
            gfp |= __GFP_DMA32;
        } else if (!(gfp & __GFP_DMA)) {
            gfp = (gfp & ~(gfp_t)__GFP_DMA32) | __GFP_DMA;
        } else {
            return PFN_NONE;
        }
    }
}

uint64_t dma_alloc_coherent(struct machine *m, uint64_t size, uint64_t mask, gfp_t gfp)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_dma_alloc_attrs, size, mask, gfp);
    if (!mask) {
        vm_warn(m, BAD_DMA_NO_MASK, size);
    }
    size = (size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (size && size <= (uint64_t)PAGE_SIZE << (m->mm->max_order - 1)) {
        gfp &= ~(gfp_t)(__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM | __GFP_ZERO);
        const uint64_t frame = alloc_within(m, size, mask, gfp);
        if (frame != PFN_NONE) {
            hardware_clear_frames(m, frame, size >> PAGE_SHIFT);
            va = kspace_va(&m->vm->kspace, frame);
        }
    }
    probe(&m->probe, EV_DMA_ALLOC, va, size, mask);
    fn_leave(&m->probe);
    return va;
}

void dma_free_coherent(struct machine *m, uint64_t size, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    fn_enter(&m->probe, FN_dma_free_attrs, size, va);
    if (cpu_r(m, m->probe.cpu)->irqs_disabled) {
        vm_warn(m, BAD_DMA_FREE_IRQS_OFF, va);
    }
    if (va && (!kspace_is_direct(k, va) || va & (PAGE_SIZE - 1) || !size ||
               order_of(size) >= m->mm->max_order)) {
        probe(&m->probe, EV_BAD_CALL, OP_DMA_FREE_COHERENT, va, BAD_WILD);
    } else if (va) {
        __free_pages(m, (va - k->page_offset) >> PAGE_SHIFT, order_of(size));
    }
    fn_leave(&m->probe);
}

/* ---- the software I/O TLB ---- */

static uint32_t nr_areas(const struct machine *m)
{
    uint32_t nr = 1;
    while (nr < m->mm->nr_cpus) {
        nr <<= 1;
    }
    return nr;
}

/* A slot's list: free slots from it on. */
static uint32_t list_of(const struct machine *m, uint32_t i)
{
    return IO_TLB_SEGMENT - i % IO_TLB_SEGMENT - m->dma->slot[i].taken;
}
static void set_list(struct machine *m, uint32_t i, uint32_t list)
{
    slot_w(m, i)->taken = IO_TLB_SEGMENT - i % IO_TLB_SEGMENT - list;
}

static uint32_t slots_of(uint64_t size)
{
    return (uint32_t)((size + (1 << IO_TLB_SHIFT) - 1) >> IO_TLB_SHIFT);
}

/* swiotlb_do_find_slots(): UINT32_MAX, none in this area. */
static uint32_t find_slots(struct machine *m, uint32_t area, uint64_t size)
{
    const uint32_t each = IO_TLB_SLABS / nr_areas(m), nr = slots_of(size);
    const uint32_t stride = size >= PAGE_SIZE ? 1 << (PAGE_SHIFT - IO_TLB_SHIFT) : 1;
    const struct io_tlb_area *a = &m->dma->area[area];
    if (size > (uint64_t)IO_TLB_SEGMENT << IO_TLB_SHIFT || nr > each - a->used) {
        return UINT32_MAX;
    }
    uint32_t index = (a->index + stride - 1) / stride * stride;
    index = index >= each ? 0 : index;
    const uint32_t wrap = index;
    do {
        const uint32_t at = area * each + index;
        if (list_of(m, at) >= nr) {
            for (uint32_t i = 0; i < nr; i++) {
                set_list(m, at + i, 0);
                slot_w(m, at + i)->size =
                    (uint32_t)(size - ((uint64_t)i << IO_TLB_SHIFT));
            }
            uint32_t count = 0;
            for (uint32_t i = at; i % IO_TLB_SEGMENT && list_of(m, i - 1); i--) {
                set_list(m, i - 1, ++count);
            }
            struct io_tlb_area *w = &dma_w(m, a)->area[area];
            w->index = index + nr < each ? index + nr : 0;
            w->used += nr;
            return at;
        }
        index = index + stride >= each ? 0 : index + stride;
    } while (index != wrap);
    return UINT32_MAX;
}

static void release_slots(struct machine *m, uint32_t at)
{
    const uint32_t each = IO_TLB_SLABS / nr_areas(m);
    const uint32_t nr = slots_of(m->dma->slot[at].size);
    const uint32_t behind = at + nr;
    uint32_t count = behind % IO_TLB_SEGMENT ? list_of(m, behind) : 0;
    for (uint32_t i = behind; i > at; i--) {
        *slot_w(m, i - 1) = (struct io_tlb_slot){0, 0, 0};
        set_list(m, i - 1, ++count);
    }
    for (uint32_t i = at; i % IO_TLB_SEGMENT && list_of(m, i - 1); i--) {
        set_list(m, i - 1, ++count);
    }
    dma_w(m, &m->dma->area[at / each])->area[at / each].used -= nr;
}

static uint64_t tlb_address(const struct machine *m, uint32_t slot)
{
    return (m->places.io_tlb.first << PAGE_SHIFT) + ((uint64_t)slot << IO_TLB_SHIFT);
}

/* The mapping that an address belongs to the beginning of; UINT32_MAX: none. */
static uint32_t mapping_at(const struct machine *m, uint64_t dma)
{
    const struct boot_span *io = &m->places.io_tlb;
    const uint64_t first = io->first << PAGE_SHIFT;
    if (!io->nr || dma < first || dma - first >= io->nr << PAGE_SHIFT) {
        return UINT32_MAX;
    }
    const uint32_t slot = (uint32_t)((dma - first) >> IO_TLB_SHIFT);
    return m->dma->slot[slot].size ? slot : UINT32_MAX;
}

/* swiotlb_bounce(): between the slots and the page that they stand for. */
static void copy_mapping(struct machine *m, uint32_t slot, uint64_t size, bool to_slots)
{
    uint64_t at = tlb_address(m, slot), orig = m->dma->slot[slot].orig;
    fn_enter(&m->probe, FN_swiotlb_bounce, at, orig, size);
    size = min_u64(size, m->dma->slot[slot].size);
    while (size) {
        const uint64_t part = min_u64(size, PAGE_SIZE - (orig & (PAGE_SIZE - 1)));
        vm_copy_page(m, orig, at, part, !to_slots);
        orig += part;
        at += part;
        size -= part;
    }
    fn_leave(&m->probe);
}

static uint64_t swiotlb_map(struct machine *m, uint64_t phys, uint64_t size,
                            uint64_t mask)
{
    const uint32_t areas = nr_areas(m);
    uint32_t slot = UINT32_MAX;
    fn_enter(&m->probe, FN_swiotlb_map, phys, size);
    for (uint32_t i = 0; i < areas && slot == UINT32_MAX; i++) {
        slot = find_slots(m, (m->probe.cpu + i) & (areas - 1), size);
    }
    uint64_t dma = DMA_MAPPING_ERROR;
    if (slot == UINT32_MAX) {
        vm_warn(m, BAD_SWIOTLB_FULL, size);
    } else {
        for (uint32_t i = 0; i < slots_of(size); i++) {
            slot_w(m, slot + i)->orig = phys + ((uint64_t)i << IO_TLB_SHIFT);
        }
        dma = tlb_address(m, slot);
        probe(&m->probe, EV_SWIOTLB_BOUNCED, phys, dma, size);
        copy_mapping(m, slot, size, true);
        if (!reaches(dma, size, mask)) {
            release_slots(m, slot);
            vm_warn(m, BAD_DMA_OVERFLOW, dma);
            dma = DMA_MAPPING_ERROR;
        }
    }
    fn_leave(&m->probe);
    return dma;
}

uint64_t dma_map_page(struct machine *m, uint64_t phys, uint64_t size, uint64_t mask,
                      bool to_device)
{
    uint64_t dma = phys;
    fn_enter(&m->probe, FN_dma_map_page_attrs, phys, size, mask);
    (void)to_device;
    if (!size || phys + size < phys || phys + size > m->mm->max_pfn << PAGE_SHIFT) {
        probe(&m->probe, EV_BAD_CALL, OP_DMA_MAP_PAGE, phys, BAD_WILD);
        dma = DMA_MAPPING_ERROR;
    } else if (!reaches(phys, size, mask)) {
        if (nr_slots(m)) {
            dma = swiotlb_map(m, phys, size, mask);
        } else {
            vm_warn(m, BAD_DMA_OVERFLOW, phys);
            dma = DMA_MAPPING_ERROR;
        }
    }
    probe(&m->probe, EV_DMA_MAP, phys, dma, size);
    fn_leave(&m->probe);
    return dma;
}

void dma_unmap_page(struct machine *m, uint64_t dma, uint64_t size, bool to_device)
{
    const uint32_t slot = mapping_at(m, dma);
    fn_enter(&m->probe, FN_dma_unmap_page_attrs, dma, size);
    const bool inside =
        slot != UINT32_MAX && slot && m->dma->slot[slot - 1].size > (1 << IO_TLB_SHIFT) &&
        m->dma->slot[slot - 1].orig + (1 << IO_TLB_SHIFT) == m->dma->slot[slot].orig;
    if (slot != UINT32_MAX && inside) {
        probe(&m->probe, EV_BAD_CALL, OP_DMA_UNMAP_PAGE, dma, BAD_WILD);
    } else if (slot != UINT32_MAX) {
        if (!to_device) {
            copy_mapping(m, slot, size, false);
        }
        release_slots(m, slot);
    }
    fn_leave(&m->probe);
}

/* ---- check ---- */

static const char *check_slots(const struct machine *m)
{
    const uint32_t each = IO_TLB_SLABS / nr_areas(m);
    for (uint32_t area = 0; area < nr_areas(m); area++) {
        uint32_t used = 0;
        for (uint32_t i = (area + 1) * each; i > area * each && m->dma->area[area].used;
             i--) {
            const bool last = i % IO_TLB_SEGMENT == 0;
            const uint32_t list = list_of(m, i - 1);
            if (m->dma->slot[i - 1].size) {
                used++;
            }
            if (m->dma->slot[i - 1].size ? list != 0
                                         : list != (last ? 0 : list_of(m, i)) + 1) {
                return "dma: a slot's list is not the number of free ones from it on "
                       "(D1)";
            }
        }
        if (used != m->dma->area[area].used) {
            return "dma: an area's used is not the number of its slots in use (D2)";
        }
    }
    return NULL;
}

const char *dma_check(const struct machine *m)
{
    const struct dma_state *d = m->dma;
    uint32_t nr = 0, counted = 0;
    for (uint32_t i = 0; i < d->highest; i++) {
        nr += d->bounce[i].page != 0;
    }
    for (uint32_t z = 0; z < MAX_ZONES; z++) {
        counted += d->nr_bounce[z];
    }
    if (nr != d->nr_bounces || counted != nr) {
        return "dma: nr_bounce is not the number of bounced pages (D3)";
    }
    return nr_slots(m) ? check_slots(m) : NULL;
}
