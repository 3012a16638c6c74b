/* struct vm: the state of the kernel's address space, in the arena.
 *
 *   root chunk     struct vm: borders, roots of trees, lazy freeing, queues, tasks' kmap stacks
 *   node chunks    struct vmap_area and struct vmap_block, 96 bytes each, by number; never moved
 *   page arrays    chunks of page frame numbers, for areas of more than VMAP_INLINE pages
 *   pkmap          a slot a page of the persistent kmap area
 *   page tables    in simulated RAM (pgtable.h)
 *
 * Models mm/vmalloc.c and mm/highmem.c:
 *
 *   pgtable.c      the kernel's page tables
 *   vmap_tree.c    areas by address: the augmented tree of free space, those in use, those freed lazily
 *   vmalloc.c      alloc_vmap_area, lazy freeing, vmalloc, vfree, vmap, vunmap
 *   vmap_ram.c     vm_map_ram: blocks that CPUs cut into small pieces
 *   ioremap.c      ioremap, iounmap
 *   set_memory.c   memory types of pages that are mapped
 *   kmap.c         kmap, kunmap
 *   kmap_local.c   kmap_local_page, kmap_atomic and what a context switch does with them
 *   kmap_types.c   kmap_atomic as it was before that: slots by name
 *   fixmap.c       set_fixmap, early_ioremap
 *   dma.c, bounce.c   memory for devices (dma.h)
 *   vm_flush.c     TLB flushes, and the check that none is missing
 *
 * The kernel's objects for areas (struct vmap_area, struct vm_struct, page arrays that
 * fit a page) are here, not in slabs: their memory is not counted. Work that the kernel
 * leaves to a kworker or a woken task (draining lazily freed areas, vfree from
 * interrupts, sleepers in kmap) is done behind the operation that allows it (vm_work).
 *
 * I1  Busy, free and lazily freed areas together cover the address space from 1 up to the
 *     last byte, without overlap, but for areas of vmap blocks that are freed.
 * I2  subtree_max of a free area is the size of the largest free area in its subtree.
 * I3  lazy_nr is the number of pages in lazily freed areas.
 * I4  A page-table entry in the vmalloc area is present exactly in areas in use that have
 *     pages there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_VM_H
#define ENGINE_VM_H

#include "kspace.h"
#include "memtype.h"
#include "mm.h"

enum {
    VMAP_INLINE = 4, /* page frame numbers that an area's node holds itself */
    VM_MAX_NODE_CHUNKS = 1 << 14,
    VM_MAX_STAGED = 1024, /* pages that vmap_page() has collected for the next vmap() */
    VM_MAX_TASKS = 64,
    EARLY_SLOTS = 8, /* FIX_BTMAPS_SLOTS */
    VM_MAX_SLEEPERS = 32,
    /* frames of the image for tables of the boot's, at most */
    VM_BOOT_TABLES = 128
};

/* What an area is. */
enum vmap_kind {
    VMAP_FREE,    /* free space */
    VMAP_LAZY,    /* unmapped, but TLBs may still have it */
    VMAP_VMALLOC, /* vmalloc: has pages of its own */
    VMAP_VMAP,    /* vmap: maps pages of others */
    VMAP_IOREMAP, /* device memory */
    VMAP_RAM,     /* vm_map_ram of many pages */
    VMAP_BLOCK,   /* vm_map_ram's block, cut into pieces */
    VMAP_LOADED,  /* in use in a recorded state; what by is not known */
    NR_VMAP_KINDS
};

enum {
    VMAP_DEFERRED = 1,
    /* vfree from an interrupt: to be freed by a kworker */ VMAP_PART = 2
};

struct vmap_area {
    uint64_t start, end;
    uint64_t subtree_max; /* free areas: largest in this subtree */
    /* VMALLOC: where its page array is, if vmalloc'ed itself; IOREMAP: the physical
     * address */
    uint64_t detail;
    uint64_t op;         /* number of the operation that made it */
    uint32_t parent;     /* number << 1 | red */
    uint32_t child[2];   /* left, right */
    uint32_t link;       /* next on a deferred list, or in the pool */
    uint32_t prev, next; /* by address */
    uint32_t nr_pages;
    /* page frame numbers; [0] is a chunk of them when there are more */
    uint32_t page[VMAP_INLINE];
    uint32_t block; /* VMAP_BLOCK: its struct vmap_block */
    uint8_t kind, flags;
    uint8_t cpu, by; /* who made it; enum op_kind: by which operation */
};
_Static_assert(sizeof(struct vmap_area) == 96, "fixed layout");

/* of one CPU: allocated from the front, never reused before all of it is free */
struct vmap_block {
    uint32_t area;
    uint32_t prev, next; /* its CPU's queue of blocks with room; 0: not on it */
    uint32_t queued, cpu;
    uint32_t free, dirty; /* pages never used yet, pages freed */
    uint32_t dirty_min, dirty_max;
};

/* A tree of areas and the list of them by address; 0 is no area. */
struct vmap_set {
    uint32_t root, first, last, nr;
};

struct kmap_ctrl { /* current->kmap_ctrl */
    uint32_t idx;
    /* of each slot in use; kept while the task is switched out */
    uint32_t frame[KM_MAX_IDX];
    uint32_t cpu; /* where the mappings belong (migration is off while there are any) */
    uint32_t preempt_count, pad[13];
};
_Static_assert(sizeof(struct kmap_ctrl) == 128, "fixed layout");

struct pkmap_slot {
    uint32_t count; /* pkmap_count: 0 unused; 1 unused but still mapped; n n - 1 users */
    uint32_t frame; /* where count is not 0 */
    uint32_t next;  /* in its bucket of page_address_htable: slot + 1, 0 the last */
    uint32_t pad;
};
enum { PKMAP_BUCKETS = 128 };

/* Work that waits until sleeping is allowed. */
enum { WORK_DRAIN = 1, WORK_VFREE = 2, WORK_KMAP = 4, WORK_MEMPOOL = 8 };

/* The locks of these files. */
enum vm_lock { VM_LOCK_VMAP = 1, VM_LOCK_KMAP = 2 };

struct vm {
    alignas(4096) struct kspace kspace;
    uint64_t pgd; /* swapper_pg_dir's frame; PFN_NONE: not made yet */
    uint64_t boot_table,
        boot_end; /* frames of the image for the tables that the boot makes */
    uint64_t nr_tables;
    struct vmap_set busy, free, lazy;
    uint32_t pool, nr_nodes, nr_used; /* free nodes; nodes that were ever used, and now */
    uint32_t pending;                 /* WORK_* */
    uint32_t locked;                  /* enum vm_lock */
    uint32_t last_pkmap_nr;
    uint32_t nr_pkmaps;  /* slots whose count is not 0 */
    uint64_t lazy_nr;    /* vmap_lazy_nr */
    uint64_t busy_bytes; /* in areas in use */
    uint32_t by;         /* enum op_kind: the operation under way */
    uint64_t nr_vmalloc_pages;
    uint64_t nr_lost_pages; /* of those, of areas that vunmap or iounmap took away */
    uint64_t nr_flushes;    /* of TLB ranges on all CPUs */
    uint64_t early_map[EARLY_SLOTS], early_size[EARLY_SLOTS]; /* early_ioremap's */
    uint64_t hung;     /* bit n: CPU n spins for ever */
    uint32_t lost;     /* enum vm_lock: held by a CPU that spins for ever */
    uint32_t torn;     /* what a lock protects was changed by two at once */
    uint32_t running;  /* the boot is over: early_ioremap's time, too */
    uint32_t nr_roots; /* of processes: vm_tables.roots */
    uint32_t forget;   /* enum vm_flush: flushes that the kernel forgets from now on */
    uint32_t nr_forgotten; /* flushes that it has forgotten */
    uint32_t nr_sleepers;  /* in kmap */
    uint32_t nr_staged;
    uint32_t staged;                   /* chunk of page frame numbers */
    uint32_t nesting;                  /* of these operations */
    uint32_t sleeper[VM_MAX_SLEEPERS]; /* the page that each wants, oldest first */
    uint32_t sleeper_cpu[VM_MAX_SLEEPERS];
    uint32_t queue_first[MAX_CPUS], queue_last[MAX_CPUS]; /* vmap_block_queue */
    uint32_t deferred[MAX_CPUS];                          /* vfree_deferred */
    uint32_t task[MAX_CPUS];                              /* who runs there */
    uint16_t bucket[PKMAP_BUCKETS]; /* page_address_htable: slot + 1 */
};
_Static_assert(sizeof(struct vm) == 4096, "one chunk");

/* Bytes of arena for all of this. */
uint64_t vm_arena_bytes(const struct machine_config *c);
/* With the zones made. False: the arena is too small. */
bool vm_create(struct machine *m);
/* A state was loaded: all areas and mappings are forgotten, the borders follow its
 * zones. tables: the page tables' frames belong to others now too. */
void vm_reset(struct machine *m, bool tables);
/* Do the work that had to wait, if sleeping is allowed now. */
void vm_work(struct machine *m);
/* One of the operations OP_VMALLOC ... OP_SWITCH_TO. */
uint64_t vm_do(struct machine *m, const struct op *op);
static inline bool vm_is_op(uint16_t kind)
{
    return kind >= OP_VMALLOC && kind <= OP_SWITCH_TO;
}
const char *vm_check(const struct machine *m);

static inline struct vm *vm_w(struct machine *m)
{
    arena_mark(&m->arena, m->vm);
    return m->vm;
}

enum { NODES_A_CHUNK = ARENA_CHUNK / sizeof(struct vmap_area) };

static inline struct vmap_area *vmap_node(const struct machine *m, uint32_t id)
{
    unsigned char *chunk =
        arena_chunk_ptr(&m->arena, m->vm_tables.node_chunk[id / NODES_A_CHUNK]);
    return (struct vmap_area *)(void *)chunk + id % NODES_A_CHUNK;
}
static inline const struct vmap_area *area_r(const struct machine *m, uint32_t id)
{
    return vmap_node(m, id);
}
static inline struct vmap_area *area_w(struct machine *m, uint32_t id)
{
    struct vmap_area *a = vmap_node(m, id);
    arena_mark(&m->arena, a);
    return a;
}
static inline struct vmap_block *block_w(struct machine *m, uint32_t id)
{
    return (struct vmap_block *)(void *)area_w(m, id);
}
static inline const struct vmap_block *block_r(const struct machine *m, uint32_t id)
{
    return (const struct vmap_block *)(const void *)vmap_node(m, id);
}
static inline uint64_t area_size(const struct vmap_area *a) { return a->end - a->start; }

/* A node of zeros, or 0: no memory. Back with it. */
uint32_t vm_node_take(struct machine *m);
void vm_node_give(struct machine *m, uint32_t id);

/* spin_lock() of a lock of these files: no preemption until vm_unlock. Nobody else can
 * hold it (vm_do asks before). */
void vm_lock(struct machine *m, enum vm_lock lock);
void vm_unlock(struct machine *m, enum vm_lock lock);

/* What the kernel says of a call that makes no sense: WARN and go on, or BUG (the
 * caller's task dies). */
void vm_warn(struct machine *m, uint32_t reason, uint64_t value);
void vm_bug(struct machine *m, uint32_t reason, uint64_t value);

bool vm_in_interrupt(const struct machine *m);

/* ---- vm_flush.c ---- */

/* What is flushed; a break-it option makes the kernel forget it. */
enum vm_flush {
    VM_FLUSH_VMALLOC = 1,
    VM_FLUSH_PKMAP = 2,
    VM_FLUSH_LOCAL = 4,
    VM_FLUSH_FIXMAP = 8,
    VM_FLUSH_ALL = 15
};
/* flush_tlb_kernel_range: on all CPUs, which are interrupted for it. */
void vm_flush_range(struct machine *m, uint64_t start, uint64_t end, enum vm_flush which);
/* flush_tlb_one_kernel: on this CPU. */
void vm_flush_one(struct machine *m, uint64_t va, enum vm_flush which);
void vm_forget_flush(struct machine *m, uint64_t which);
const char *vm_flush_check(const struct machine *m);

/* ---- vmap_tree.c ---- */

/* The area in which addr lies, or 0. */
uint32_t vmap_find(const struct machine *m, const struct vmap_set *s, uint64_t addr);
/* The first area that ends behind addr, or 0. */
uint32_t vmap_find_exceed(const struct machine *m, const struct vmap_set *s,
                          uint64_t addr);
/* Offsets of the sets in struct vm: changing one marks it. */
void vmap_insert(struct machine *m, struct vmap_set *s, uint32_t id);
void vmap_remove(struct machine *m, struct vmap_set *s, uint32_t id);
/* Insert, joining it with what touches: answers the area that it is part of now (the
 * others' nodes are given back). */
uint32_t vmap_merge_or_add(struct machine *m, struct vmap_set *s, uint32_t id);
/* __alloc_vmap_area: cut the lowest place that fits out of free space; vend when there
 * is none. */
uint64_t vmap_cut(struct machine *m, uint64_t size, uint64_t align, uint64_t vstart,
                  uint64_t vend);
const char *vmap_set_check(const struct machine *m, const struct vmap_set *s);

/* ---- vmalloc.c ---- */
/* Answers an area in the busy set, or 0. */
uint32_t alloc_vmap_area(struct machine *m, uint64_t size, uint64_t align);
void free_vmap_area_noflush(struct machine *m, uint32_t id);
void purge_vmap_area_lazy(struct machine *m, uint64_t start, uint64_t end, bool flush);
/* __get_vm_area_node: with its guard page. ioremap aligns. 0: none. */
uint32_t get_vm_area(struct machine *m, uint64_t size, enum vmap_kind kind);
uint64_t vmalloc(struct machine *m, uint64_t size, gfp_t gfp);
/* VM_ALLOW_HUGE_VMAP: on x86-64, from 2 MiB on, in large pages if the allocator has
 * blocks of that order. */
uint64_t vmalloc_huge(struct machine *m, uint64_t size, gfp_t gfp);
void vfree(struct machine *m, uint64_t va);
void vfree_deferred_run(struct machine *m);
/* An area is gone, but nobody frees the pages that it had. */
void vm_lose_pages(struct machine *m, const struct vmap_area *gone);
void vmap_page(struct machine *m, uint64_t frame);
uint64_t vmap(struct machine *m, uint64_t nr);
void vunmap(struct machine *m, uint64_t va);
void vm_unmap_aliases(struct machine *m);
/* remove_vm_area: unmap and free lazily. False: no such area. */
bool remove_vm_area(struct machine *m, uint64_t va);
bool vmap_pages_range(struct machine *m, uint64_t va, uint64_t nr,
                      uint64_t (*frame_of)(struct machine *m, uint64_t i),
                      uint64_t flags);
uint64_t vmap_area_page(const struct machine *m, const struct vmap_area *a, uint64_t i);
uint64_t vm_staged_page(struct machine *m, uint64_t i);
bool vm_take_staged(struct machine *m, uint64_t nr);
void vm_load_area(struct machine *m, uint64_t start, uint64_t end, bool first);
uint64_t lazy_max_pages(const struct machine *m);

/* ---- vmap_ram.c ---- */
uint64_t vm_map_ram(struct machine *m, uint64_t nr);
void vm_unmap_ram(struct machine *m, uint64_t va, uint64_t nr);
void purge_fragmented_blocks_allcpus(struct machine *m);
uint32_t vmap_block_pages(const struct machine *m);

/* ---- ioremap.c ---- */
/* ioremap() is UC-; ioremap_uc, _wc, _wt, _cache say another type. */
uint64_t ioremap(struct machine *m, uint64_t phys, uint64_t size, enum memtype type);
void iounmap(struct machine *m, uint64_t va);

/* ---- set_memory.c ---- */
/* set_memory_uc (UC-), _wc, _wb: pages of the direct map. Answers 0 or an error's
 * negative number. */
int64_t set_memory(struct machine *m, uint64_t va, uint64_t nr, enum memtype type);

/* ---- kmap.c ---- */
bool page_is_highmem(const struct machine *m, uint64_t frame);
/* page_address(): where the page is mapped now, 0 nowhere. */
uint64_t page_address(const struct machine *m, uint64_t frame);
uint64_t kmap(struct machine *m, uint64_t frame);
void kunmap(struct machine *m, uint64_t frame);
void kmap_resume(struct machine *m);
const char *kmap_check(const struct machine *m);

/* ---- kmap_local.c ---- */
uint64_t kmap_local_page(struct machine *m, uint64_t frame);
void kunmap_local(struct machine *m, uint64_t va);
uint64_t kmap_atomic(struct machine *m, uint64_t frame);
void kunmap_atomic(struct machine *m, uint64_t va);
void switch_to(struct machine *m, uint64_t task);
const char *kmap_local_check(const struct machine *m);

/* ---- kmap_types.c ---- */
uint64_t kmap_atomic_type(struct machine *m, uint64_t frame, uint64_t type);
void kunmap_atomic_type(struct machine *m, uint64_t va, uint64_t type);
/* "KM_USER0", ...; NULL: there is no such type. */
const char *km_type_name(uint64_t type);

/* ---- fixmap.c ---- */
/* Answers the address, 0: no such index. */
uint64_t set_fixmap(struct machine *m, uint64_t index, uint64_t phys, bool uncached);
void clear_fixmap(struct machine *m, uint64_t index);
uint64_t early_ioremap(struct machine *m, uint64_t phys, uint64_t size);
void early_iounmap(struct machine *m, uint64_t va, uint64_t size);
/* The boot ends: how many mappings nobody took away. */
uint64_t check_early_ioremap_leak(struct machine *m);

/* ---- bounce.c ---- */
/* Copy between a page, through a window if it is in HighMem, and other physical memory;
 * size does not cross the page's end. */
void vm_copy_page(struct machine *m, uint64_t page_pa, uint64_t other_pa, uint64_t size,
                  bool to_page);

#endif
