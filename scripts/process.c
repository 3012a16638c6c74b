/* Answering page faults: see process.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "process.h"

static uint64_t bus_read(void *ctx, uint64_t at, uint32_t size_bytes)
{
    uint64_t value = 0;
    if (size_bytes == 4) {
        uint32_t half = 0;
        ram_read(ctx, paddr(at), &half, 4);
        return half;
    }
    ram_read(ctx, paddr(at), &value, 8);
    return value;
}

static void bus_write(void *ctx, uint64_t at, uint64_t value, uint32_t size_bytes)
{
    uint32_t half = (uint32_t)value;
    ram_write(ctx, paddr(at), size_bytes == 4 ? (const void *)&half : &value, size_bytes);
}

static uint64_t table_frame(void *ctx)
{
    struct process *p = ctx;
    uint64_t frame = p->frame(p->frame_ctx, true);
    if (frame == PFN_NONE) {
        p->no_memory = true;
        return UINT64_MAX;
    }
    p->tables++;
    ram_discard(p->ram, pfn(frame));
    return frame << PAGE_SHIFT;
}

bool process_create(struct process *p, enum paging paging, struct ram *ram,
                    frame_fn *frame, void *frame_ctx)
{
    *p = (struct process){.ram = ram, .frame = frame, .frame_ctx = frame_ctx};
    p->mmu = (struct mmu){.paging = paging,
                          .physical_bits = 52,
                          .wp = true,
                          .pse = true,
                          .pge = true,
                          .nxe = paging != PAGING_I386,
                          .user = true};
    p->mmu.cr3 = table_frame(p);
    return p->mmu.cr3 != UINT64_MAX;
}

bool process_fault(void *ctx, struct memsys *m, const struct fault *f)
{
    struct process *p = ctx;
    (void)m;
    if (f->kind != FAULT_PAGE || (f->error_code & PF_PRESENT)) {
        return false;
    }
    const struct mmu_bus bus = {.read = bus_read, .write = bus_write, .ctx = p->ram};
    uint64_t frame = p->frame(p->frame_ctx, false);
    if (frame == PFN_NONE) {
        p->no_memory = true;
        return false;
    }
    p->faults++;
    return mmu_map(&p->mmu, f->cr2, frame << PAGE_SHIFT, PTE_W | PTE_U, PAGE_4K, &bus,
                   table_frame, p);
}
