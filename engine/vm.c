/* The address space's state: creation, nodes, locks, deferred work, operations,
 * invariants (vm.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "vm.h"

#include <string.h>

#include "bad_reasons.h"
#include "context.h"
#include "dma.h"
#include "hardware.h"
#include "inspect.h"
#include "mempool.h"
#include "pgtable.h"

/* ---- creation ---- */

enum { ARENA_FOR_AREAS = 64 << 20 };

uint64_t vm_arena_bytes(const struct machine_config *c)
{
    return sizeof(struct vm) + VM_MAX_NODE_CHUNKS * sizeof(uint32_t) +
           VM_MAX_ROOTS * sizeof(uint32_t) + 1024 * sizeof(struct pkmap_slot) +
           VM_MAX_TASKS * sizeof(struct kmap_ctrl) + 8 * ARENA_CHUNK + ARENA_FOR_AREAS +
           dma_arena_bytes(c);
}

/* Where low memory ends: at the HighMem zone, or with the memory. */
static uint64_t end_of_low_memory(const struct machine *m)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        if (zone_r(m, z)->type == ZONE_HIGHMEM) {
            return zone_r(m, z)->start_pfn;
        }
    }
    return m->mm->nr_zones ? zone_end_pfn(zone_r(m, m->mm->nr_zones - 1))
                           : m->mm->max_pfn;
}

static void add_free_space(struct machine *m)
{
    uint32_t id = vm_node_take(m);
    if (id) {
        struct vmap_area *a = area_w(m, id);
        a->start = 1;
        a->end = m->vm->kspace.bits == 32 ? UINT32_MAX : UINT64_MAX;
        vmap_insert(m, &vm_w(m)->free, id);
    }
}

bool vm_create(struct machine *m)
{
    struct vm_tables *t = &m->vm_tables;
    m->vm = arena_alloc(&m->arena, sizeof(struct vm), ARENA_CHUNK);
    t->node_chunk =
        arena_alloc(&m->arena, VM_MAX_NODE_CHUNKS * sizeof *t->node_chunk, ARENA_CHUNK);
    t->pkmap = arena_alloc(&m->arena, 1024 * sizeof *t->pkmap, ARENA_CHUNK);
    t->tasks = arena_alloc(&m->arena, VM_MAX_TASKS * sizeof *t->tasks, ARENA_CHUNK);
    t->roots = arena_alloc(&m->arena, VM_MAX_ROOTS * sizeof *t->roots, ARENA_CHUNK);
    if (!m->vm || !t->node_chunk || !t->pkmap || !t->tasks || !t->roots ||
        !dma_create(m)) {
        return false;
    }
    struct vm *vm = vm_w(m);
    kspace_init(&vm->kspace, &m->config, end_of_low_memory(m), m->mm->max_pfn);
    vm->pgd = PFN_NONE;
    vm->nr_nodes = 1; /* node 0 is none */
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        vm->task[cpu] = cpu; /* the idle tasks */
    }
    vm->forget = m->config.forget_flush;
    pgtable_boot(m);
    add_free_space(m);
    return true;
}

static void forget_areas(struct machine *m)
{
    struct vm *vm = vm_w(m);
    if (vm->staged) {
        arena_chunk_give(&m->arena, vm->staged);
    }
    vm->staged = vm->nr_staged = 0;
    for (uint32_t id = vm->busy.first; id; id = area_r(m, id)->next) {
        const struct vmap_area *a = area_r(m, id);
        uint32_t chunk = a->nr_pages > VMAP_INLINE ? a->page[0] : 0;
        while (chunk) {
            uint32_t next = *(const uint32_t *)arena_chunk_ptr(&m->arena, chunk);
            arena_chunk_give(&m->arena, chunk);
            chunk = next;
        }
    }
    for (uint32_t i = (vm->nr_nodes - 1) / NODES_A_CHUNK + 1; i--;) {
        uint32_t *chunk = &m->vm_tables.node_chunk[i];
        if (*chunk) {
            arena_chunk_give(&m->arena, *chunk);
            arena_mark(&m->arena, chunk);
            *chunk = 0;
        }
    }
    vm->busy = vm->free = vm->lazy = (struct vmap_set){0, 0, 0, 0};
    vm->pool = vm->nr_used = 0;
    vm->nr_nodes = 1;
    vm->lazy_nr = vm->nr_vmalloc_pages = vm->nr_lost_pages = vm->busy_bytes = 0;
    memset(vm->queue_first, 0, sizeof vm->queue_first);
    memset(vm->queue_last, 0, sizeof vm->queue_last);
    memset(vm->deferred, 0, sizeof vm->deferred);
}

static void unmap_all(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    for (uint32_t id = m->vm->busy.first; id; id = area_r(m, id)->next) {
        pgtable_clear_range(m, area_r(m, id)->start, area_r(m, id)->end);
    }
    if (k->bits == 32) {
        const uint64_t slots = (uint64_t)KM_MAX_IDX * k->nr_cpus;
        pgtable_clear_range(m, k->pkmap_base, kspace_pkmap_addr(k, k->last_pkmap));
        pgtable_clear_range(m, kspace_fix_to_virt(k, k->fix_kmap_begin + slots - 1),
                            kspace_fix_to_virt(k, k->fix_kmap_begin - 1));
    }
}

void vm_reset(struct machine *m, bool tables)
{
    if (tables) {
        pgtable_forget(m);
    } else {
        unmap_all(m);
    }
    forget_areas(m);
    struct vm *vm = vm_w(m);
    for (uint32_t i = 0; i < vm->kspace.last_pkmap; i++) {
        struct pkmap_slot *slot = &m->vm_tables.pkmap[i];
        if (slot->count || slot->next) {
            arena_mark(&m->arena, slot);
            *slot = (struct pkmap_slot){0, 0, 0, 0};
        }
    }
    for (uint32_t i = 0; i < VM_MAX_TASKS; i++) {
        struct kmap_ctrl *t = &m->vm_tables.tasks[i];
        if (t->idx) {
            arena_mark(&m->arena, t);
            memset(t, 0, sizeof *t);
        }
    }
    dma_reset(m);
    memset(vm->early_map, 0, sizeof vm->early_map);
    vm->running = vm->lost = vm->torn = 0;
    vm->hung = 0;
    if (tables) { /* processes go with their tables */
        for (uint32_t i = 0; i < vm->nr_roots; i++) {
            arena_mark(&m->arena, m->vm_tables.roots);
            m->vm_tables.roots[i] = 0;
        }
        vm->nr_roots = 0;
    }
    memset(vm->bucket, 0, sizeof vm->bucket);
    vm->nr_pkmaps = 0;
    vm->last_pkmap_nr = vm->nr_sleepers = vm->pending = vm->locked = 0;
    kspace_init(&vm->kspace, &m->config, end_of_low_memory(m), m->mm->max_pfn);
    if (tables) {
        pgtable_boot(m);
    }
    hardware_reset(m);
    add_free_space(m);
}

/* ---- nodes ---- */

uint32_t vm_node_take(struct machine *m)
{
    struct vm *vm = vm_w(m);
    uint32_t id = vm->pool;
    if (id) {
        struct vmap_area *a = area_w(m, id);
        vm->pool = a->link;
        a->link = 0;
    } else {
        id = vm->nr_nodes;
        uint32_t *chunk = &m->vm_tables.node_chunk[id / NODES_A_CHUNK];
        if (id / NODES_A_CHUNK >= VM_MAX_NODE_CHUNKS) {
            return 0;
        }
        if (!*chunk) {
            uint32_t new = arena_chunk_take(&m->arena);
            if (!new) {
                return 0;
            }
            arena_mark(&m->arena, chunk);
            *chunk = new;
        }
        vm->nr_nodes++;
    }
    vm->nr_used++;
    return id;
}

void vm_node_give(struct machine *m, uint32_t id)
{
    struct vm *vm = vm_w(m);
    struct vmap_area *a = area_w(m, id);
    memset(a, 0, sizeof *a);
    a->link = vm->pool;
    vm->pool = id;
    vm->nr_used--;
}

/* ---- contexts ---- */

void vm_lock(struct machine *m, enum vm_lock lock)
{
    cpu_w(m, m->probe.cpu)->preempt_count += PREEMPT_OFFSET;
    vm_w(m)->locked |= lock;
}

void vm_unlock(struct machine *m, enum vm_lock lock)
{
    vm_w(m)->locked &= ~(uint32_t)lock;
    cpu_w(m, m->probe.cpu)->preempt_count -= PREEMPT_OFFSET;
}

void vm_warn(struct machine *m, uint32_t reason, uint64_t value)
{
    probe(&m->probe, EV_VM_WARN, value, reason);
}

void vm_bug(struct machine *m, uint32_t reason, uint64_t value)
{
    probe(&m->probe, EV_VM_BUG, value, reason);
}

bool vm_in_interrupt(const struct machine *m)
{
    return cpu_r(m, m->probe.cpu)->preempt_count & (HARDIRQ_MASK | SOFTIRQ_MASK);
}

/* ---- work that had to wait ---- */

static void drain_vmap_area_work(struct machine *m)
{
    fn_enter(&m->probe, FN_drain_vmap_area_work);
    do {
        purge_vmap_area_lazy(m, UINT64_MAX, 0, false);
    } while (m->vm->lazy_nr > lazy_max_pages(m));
    fn_leave(&m->probe);
}

static bool may_work(const struct machine *m)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    return !c->preempt_count && !c->irqs_disabled && !m->vm->nesting;
}

void vm_work(struct machine *m)
{
    bool asleep = false; /* who was woken sleeps again */
    while (m->vm->pending && may_work(m) && !asleep) {
        struct vm *vm = vm_w(m);
        uint32_t work = vm->pending;
        vm->pending = 0;
        vm->nesting++;
        if (work & WORK_KMAP) {
            kmap_resume(m);
        }
        if (work & WORK_MEMPOOL) {
            mempool_resume(m);
        }
        if (work & WORK_VFREE) {
            vfree_deferred_run(m);
        }
        if (work & WORK_DRAIN) {
            drain_vmap_area_work(m);
        }
        vm_w(m)->nesting--;
        asleep = m->vm->pending == WORK_KMAP;
    }
}

/* ---- operations ---- */

/* Which of our locks an operation takes. */
static uint32_t locks_of(const struct machine *m, uint16_t kind)
{
    switch (kind) {
    case OP_KMAP:
    case OP_KUNMAP:
        return VM_LOCK_KMAP;
    case OP_KMAP_LOCAL_PAGE:
    case OP_KUNMAP_LOCAL:
    case OP_KMAP_ATOMIC:
    case OP_KUNMAP_ATOMIC:
    case OP_VMAP_PAGE:
    case OP_KMAP_ATOMIC_TYPE:
    case OP_KUNMAP_ATOMIC_TYPE:
    case OP_SET_FIXMAP:
    case OP_CLEAR_FIXMAP:
    case OP_EARLY_IOREMAP:
    case OP_EARLY_IOUNMAP:
    case OP_EARLY_IOREMAP_LEAK:
    case OP_DMA_ALLOC_COHERENT:
    case OP_DMA_FREE_COHERENT:
    case OP_DMA_MAP_PAGE:
    case OP_DMA_UNMAP_PAGE:
    case OP_BLK_QUEUE_BOUNCE:
    case OP_BOUNCE_END_IO:
    case OP_FORGET_FLUSH:
    case OP_SWITCH_TO:
        return 0;
    case OP_VFREE:
        return vm_in_interrupt(m) ? 0 : VM_LOCK_VMAP;
    default:
        return VM_LOCK_VMAP;
    }
}

static uint64_t run(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    switch (op->kind) {
    case OP_VMALLOC:
        return vmalloc(m, arg[0], GFP_KERNEL);
    case OP_VZALLOC:
        return vmalloc(m, arg[0], GFP_KERNEL | __GFP_ZERO);
    case OP_VMALLOC_HUGE:
        return vmalloc_huge(m, arg[0], GFP_KERNEL);
    case OP_VFREE:
        vfree(m, arg[0]);
        return 0;
    case OP_VMAP_PAGE:
        vmap_page(m, arg[0]);
        return 0;
    case OP_VMAP:
        return vmap(m, arg[0]);
    case OP_VUNMAP:
        vunmap(m, arg[0]);
        return 0;
    case OP_VM_MAP_RAM:
        return vm_map_ram(m, arg[0]);
    case OP_VM_UNMAP_RAM:
        vm_unmap_ram(m, arg[0], arg[1]);
        return 0;
    case OP_VM_UNMAP_ALIASES:
        vm_unmap_aliases(m);
        return 0;
    case OP_IOREMAP:
        return ioremap(m, arg[0], arg[1], MEMTYPE_UC_MINUS);
    case OP_IOREMAP_UC:
        return ioremap(m, arg[0], arg[1], MEMTYPE_UC);
    case OP_IOREMAP_WC:
        return ioremap(m, arg[0], arg[1], MEMTYPE_WC);
    case OP_IOREMAP_WT:
        return ioremap(m, arg[0], arg[1], MEMTYPE_WT);
    case OP_IOREMAP_CACHE:
        return ioremap(m, arg[0], arg[1], MEMTYPE_WB);
    case OP_SET_MEMORY_UC:
        return (uint64_t)set_memory(m, arg[0], arg[1], MEMTYPE_UC_MINUS);
    case OP_SET_MEMORY_WC:
        return (uint64_t)set_memory(m, arg[0], arg[1], MEMTYPE_WC);
    case OP_SET_MEMORY_WB:
        return (uint64_t)set_memory(m, arg[0], arg[1], MEMTYPE_WB);
    case OP_IOUNMAP:
        iounmap(m, arg[0]);
        return 0;
    case OP_LOAD_VMAP_AREA:
        vm_load_area(m, arg[0], arg[1], arg[2]);
        return 0;
    case OP_KMAP:
        return kmap(m, arg[0]);
    case OP_KUNMAP:
        kunmap(m, arg[0]);
        return 0;
    case OP_KMAP_LOCAL_PAGE:
        return kmap_local_page(m, arg[0]);
    case OP_KUNMAP_LOCAL:
        kunmap_local(m, arg[0]);
        return 0;
    case OP_KMAP_ATOMIC:
        return kmap_atomic(m, arg[0]);
    case OP_KUNMAP_ATOMIC:
        kunmap_atomic(m, arg[0]);
        return 0;
    case OP_KMAP_ATOMIC_TYPE:
        return kmap_atomic_type(m, arg[0], arg[1]);
    case OP_KUNMAP_ATOMIC_TYPE:
        kunmap_atomic_type(m, arg[0], arg[1]);
        return 0;
    case OP_SET_FIXMAP:
        return set_fixmap(m, arg[0], arg[1], arg[2]);
    case OP_CLEAR_FIXMAP:
        clear_fixmap(m, arg[0]);
        return 0;
    case OP_EARLY_IOREMAP:
        return early_ioremap(m, arg[0], arg[1]);
    case OP_EARLY_IOUNMAP:
        early_iounmap(m, arg[0], arg[1]);
        return 0;
    case OP_EARLY_IOREMAP_LEAK:
        return check_early_ioremap_leak(m);
    case OP_DMA_ALLOC_COHERENT:
        return dma_alloc_coherent(m, arg[0], arg[1], (gfp_t)arg[2]);
    case OP_DMA_FREE_COHERENT:
        dma_free_coherent(m, arg[0], arg[1]);
        return 0;
    case OP_DMA_MAP_PAGE:
        return dma_map_page(m, arg[0], arg[1], arg[2], arg[3]);
    case OP_DMA_UNMAP_PAGE:
        dma_unmap_page(m, arg[0], arg[1], arg[2]);
        return 0;
    case OP_BLK_QUEUE_BOUNCE:
        return blk_queue_bounce(m, arg[0], arg[1]);
    case OP_BOUNCE_END_IO:
        bounce_end_io(m, arg[0]);
        return 0;
    case OP_FORGET_FLUSH:
        vm_forget_flush(m, arg[0]);
        return 0;
    default:
        switch_to(m, arg[0]);
        return 0;
    }
}

/* Can these locks be taken now? They are held only by an operation under way, on this CPU
 * (this one is nested in it), or by a CPU that has hung. */
static bool may_take(struct machine *m, uint32_t locks)
{
    const uint32_t held = (m->vm->locked | m->vm->lost) & locks;
    if (!held) {
        return true;
    }
    if (m->config.no_spinlocks && held == VM_LOCK_KMAP) {
        /* a lock of a kernel for one CPU only forbids preemption */
        probe(&m->probe, EV_LOCK_IGNORED, m->probe.cpu, LOCK_VM(held));
        vm_w(m)->torn = 1;
        return true;
    }
    probe(&m->probe, EV_LOCK_RECURSION, m->probe.cpu, LOCK_VM(held), m->probe.cpu);
    if (m->config.deadlock_hangs) {
        struct vm *vm = vm_w(m);
        vm->hung |= (uint64_t)1 << m->probe.cpu;
        vm->lost |= held;
        probe(&m->probe, EV_SOFT_LOCKUP, m->probe.cpu, LOCK_VM(held));
    }
    return false;
}

uint64_t vm_do(struct machine *m, const struct op *op)
{
    uint64_t result = 0;
    if (!may_take(m, locks_of(m, op->kind))) {
        return 0;
    }
    const uint32_t outer = m->vm->by;
    vm_w(m)->nesting++;
    vm_w(m)->by = op->kind;
    result = run(m, op);
    vm_w(m)->nesting--;
    vm_w(m)->by = outer;
    if (m->vm->pending) {
        vm_work(m);
    }
    return result;
}

/* ---- invariants ---- */

static const char *check_cover(const struct machine *m)
{
    /* merge the three sorted lists */
    const struct vm *vm = m->vm;
    uint32_t at[3] = {vm->busy.first, vm->free.first, vm->lazy.first};
    uint64_t next = 1, lazy = 0;
    for (;;) {
        int lowest = -1;
        for (int i = 0; i < 3; i++) {
            if (at[i] &&
                (lowest < 0 || area_r(m, at[i])->start < area_r(m, at[lowest])->start)) {
                lowest = i;
            }
        }
        if (lowest < 0) {
            break;
        }
        const struct vmap_area *a = area_r(m, at[lowest]);
        if (a->start != next) {
            return a->start < next ? "vm: areas overlap (I1)"
                                   : "vm: an address range belongs to nobody (I1)";
        }
        lazy += lowest == 2 ? area_size(a) >> PAGE_SHIFT : 0;
        next = a->end;
        at[lowest] = a->next;
    }
    if (next != (vm->kspace.bits == 32 ? UINT32_MAX : UINT64_MAX)) {
        return "vm: the end of the address space belongs to nobody (I1)";
    }
    return lazy == vm->lazy_nr
               ? NULL
               : "vm: lazy_nr is not the number of lazily freed pages (I3)";
}

static const char *check_mappings(const struct machine *m)
{
    uint64_t pages = 0, bytes = 0;
    for (uint32_t id = m->vm->busy.first; id; id = area_r(m, id)->next) {
        const struct vmap_area *a = area_r(m, id);
        bytes += area_size(a);
        pages += a->kind == VMAP_VMALLOC ? a->nr_pages : 0;
        for (uint64_t i = 0;
             a->kind == VMAP_VMALLOC && i < a->nr_pages && !(a->flags & VMAP_PART); i++) {
            const uint64_t frame = pgtable_translate(m, a->start + (i << PAGE_SHIFT));
            if (frame == PFN_NONE || frame != vmap_area_page(m, a, i)) {
                return "vm: an area's page-table entry does not map its page (I4)";
            }
        }
    }
    for (uint32_t id = m->vm->lazy.first; id; id = area_r(m, id)->next) {
        if (pgtable_find(m, area_r(m, id)->start).maps) {
            return "vm: a lazily freed area is still mapped (I4)";
        }
    }
    if (bytes != m->vm->busy_bytes) {
        return "vm: busy_bytes is not the size of the areas in use";
    }
    return pages + m->vm->nr_lost_pages == m->vm->nr_vmalloc_pages
               ? NULL
               : "vm: nr_vmalloc_pages is wrong";
}

const char *vm_check(const struct machine *m)
{
    if (m->vm->nesting) {
        return NULL; /* in the middle of an operation */
    }
    const char *why = kspace_check(&m->vm->kspace);
    why = why ? why : vmap_set_check(m, &m->vm->busy);
    why = why ? why : vmap_set_check(m, &m->vm->free);
    why = why ? why : vmap_set_check(m, &m->vm->lazy);
    why = why ? why : check_cover(m);
    why = why ? why : check_mappings(m);
    why = why ? why : kmap_check(m);
    why = why ? why : kmap_local_check(m);
    why = why ? why : dma_check(m);
    return why ? why : vm_flush_check(m);
}
