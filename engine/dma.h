/* Memory for devices: coherent memory within a device's reach, and copies where its own
 * memory is out of reach.
 *
 *   dma_alloc_coherent   the zone is chosen by the device's mask: DMA, DMA32, any; what
 *                        is too high all the same is given back, and a lower one tried
 *   dma_map_page         the page itself if the device reaches it; else a copy in the
 *                        software I/O TLB, where the kernel has one (more than 4 GiB of
 *                        memory and 64-bit entries); else an error
 *   blk_queue_bounce     a driver that needs a kernel address for its data gets a copy of
 *                        each HighMem page in low memory
 *
 * Models kernel/dma/direct.c, kernel/dma/swiotlb.c, block/bounce.c and mm/mempool.c, on a
 * PC without an IOMMU: a DMA address is the physical one, and DMA is coherent.
 *
 *   io_tlb      64 MiB below 4 GiB, in slots of 2 KiB; as many areas as CPUs, each
 *               searched from where its last search ended; 128 slots a mapping at most
 *   page_pool   64 pages that the block layer keeps for when there are no others
 *
 * Copies go through kmap_local where a page is in HighMem, byte for byte.
 *
 * D1  A slot's list is the number of free slots from it on, within its 128; 0: in use.
 * D2  An area's used is the number of its slots in use.
 * D3  Each bounced page is allocated, or was of the pool, and is counted in nr_bounce.
 *
 * Left out: dma_map_sg, the atomic pools, bus limits, swiotlb= and iommu= options; a
 * caller that has to wait for the pool gets PFN_NONE at once (nobody can fill it
 * meanwhile). The pool is filled at the first bounce; the kernel fills it when it boots.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_DMA_H
#define ENGINE_DMA_H

#include "vm.h"

enum {
    IO_TLB_SHIFT = 11,
    IO_TLB_SEGMENT = 128, /* slots: the longest mapping */
    IO_TLB_SLABS = (64 << 20) >> IO_TLB_SHIFT,
    BOUNCE_POOL = 64,
    MAX_BOUNCES = 1024
};
#define DMA_MAPPING_ERROR UINT64_MAX

struct io_tlb_slot {
    uint64_t orig;  /* physical address; with list 0 */
    uint32_t size;  /* of the mapping from here on */
    uint32_t taken; /* IO_TLB_SEGMENT - offset - list: 0 in a fresh table */
};
struct io_tlb_area {
    uint32_t index, used;
};
struct bounce {
    uint32_t orig, page; /* page frames; page 0: this place is free */
    uint32_t write, zone;
};

struct dma_state { /* in the arena */
    uint32_t nr_pool, pool_made;
    uint32_t pool[BOUNCE_POOL];
    uint32_t nr_bounces, highest;  /* places ever used */
    uint32_t nr_bounce[MAX_ZONES]; /* NR_BOUNCE */
    struct io_tlb_area area[MAX_CPUS];
    struct bounce bounce[MAX_BOUNCES];
    struct io_tlb_slot slot[]; /* nr_slots */
};

/* Has this machine a software I/O TLB? Frames that it takes of low memory, 0: none. */
uint64_t dma_io_tlb_frames(const struct machine_config *c, uint64_t max_pfn);
uint64_t dma_arena_bytes(const struct machine_config *c);
bool dma_create(struct machine *m);
void dma_reset(struct machine *m);

/* Answers a kernel address, 0: none. Its DMA address is its physical one. */
uint64_t dma_alloc_coherent(struct machine *m, uint64_t size, uint64_t mask, gfp_t gfp);
void dma_free_coherent(struct machine *m, uint64_t size, uint64_t va);
/* Answers the address that the device uses. */
uint64_t dma_map_page(struct machine *m, uint64_t phys, uint64_t size, uint64_t mask,
                      bool to_device);
void dma_unmap_page(struct machine *m, uint64_t dma, uint64_t size, bool to_device);

/* The page to use for I/O with this one: itself, or its bounce page; PFN_NONE: none to be
 * had. write: to the device, so its bytes are copied now. */
uint64_t blk_queue_bounce(struct machine *m, uint64_t frame, bool write);
/* The I/O with a bounce page is done: what was read is copied to the page it stands
 * for. */
void bounce_end_io(struct machine *m, uint64_t page);

/* NR_BOUNCE of a zone. */
uint64_t dma_nr_bounce(const struct machine *m, uint32_t zone);
const char *dma_check(const struct machine *m);

#endif
