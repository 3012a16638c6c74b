/* Answering page faults: see process.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "process.h"

#include <string.h>

/* Tables are written where the walker will look for them: through L2, once there is one.
 * */
static void entry_read(const struct process *p, uint64_t at, void *to,
                       uint32_t size_bytes)
{
    if (p->memsys) {
        memsys_peek(p->memsys, at, to, size_bytes);
    } else {
        ram_read(p->ram, paddr(at), to, size_bytes);
    }
}

/* The bytes of the entry in RAM, where lines hold none; NULL: ask who knows. */
static unsigned char *entry_bytes(const struct process *p, uint64_t at)
{
    unsigned char *bytes =
        p->memsys && p->memsys->config.data ? NULL : ram_bytes(p->ram, at >> PAGE_SHIFT);
    return bytes ? bytes + (at & (PAGE_SIZE - 1)) : NULL;
}

static uint64_t bus_read(void *ctx, uint64_t at, uint32_t size_bytes)
{
    const unsigned char *bytes = entry_bytes(ctx, at);
    uint64_t value = 0;
    if (bytes && size_bytes == 8) {
        memcpy(&value, bytes, 8);
        return value;
    }
    uint32_t half = 0;
    entry_read(ctx, at, size_bytes == 4 ? (void *)&half : &value, size_bytes);
    return size_bytes == 4 ? half : value;
}

static void bus_write(void *ctx, uint64_t at, uint64_t value, uint32_t size_bytes)
{
    struct process *p = ctx;
    unsigned char *bytes = entry_bytes(p, at);
    if (bytes && value && size_bytes == 8) {
        arena_mark(p->ram->arena, bytes);
        memcpy(bytes, &value, 8);
        return;
    }
    uint32_t half = (uint32_t)value;
    const void *from = size_bytes == 4 ? (const void *)&half : &value;
    if (p->memsys) {
        memsys_poke(p->memsys, at, from, size_bytes);
    } else {
        ram_write(p->ram, paddr(at), from, size_bytes);
    }
}

/* A frame of zeros, in L2 as in RAM. */
static void clear_frame(struct process *p, uint64_t frame)
{
    static const unsigned char zeros[PAGE_SIZE];
    ram_discard(p->ram, pfn(frame));
    if (p->memsys && p->memsys->config.data) {
        memsys_poke(p->memsys, frame << PAGE_SHIFT, zeros, PAGE_SIZE);
    }
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
    clear_frame(p, frame);
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
    p->memsys = m;
    if (f->kind != FAULT_PAGE || (f->error_code & PF_PRESENT)) {
        return false;
    }
    const struct mmu_bus bus = {.read = bus_read, .write = bus_write, .ctx = p};
    uint64_t frame = p->frame(p->frame_ctx, false);
    if (frame == PFN_NONE) {
        p->no_memory = true;
        return false;
    }
    p->faults++;
    return mmu_map(&p->mmu, f->cr2, frame << PAGE_SHIFT, PTE_W | PTE_U, PAGE_4K, &bus,
                   table_frame, p);
}
