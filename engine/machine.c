/* A machine from its configuration, and operations on it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "boot.h"
#include "context.h"
#include "fault_inject.h"
#include "mm_struct.h"
#include "pgtable.h"
#include "quiet.h"
#include "slab.h"
#include "touch.h"
#include "vm.h"
#include "vmstat.h"

/* Frames whose bytes somebody wrote take room in the arena: for so many at most. */
enum { MAX_WRITTEN_FRAMES = 1 << 18 };

static uint64_t arena_bytes(const struct machine_config *c, uint64_t max_pfn)
{
    uint64_t written = max_pfn < MAX_WRITTEN_FRAMES ? max_pfn : MAX_WRITTEN_FRAMES;
    return mm_arena_bytes(c, max_pfn) + vm_arena_bytes(c) + hardware_arena_bytes(c) +
           slab_arena_bytes(c, max_pfn) + touch_arena_bytes(c) +
           max_pfn * sizeof(uint32_t) + (written + 64) * ARENA_CHUNK;
}

/* The hook may have made a snapshot or a digest: the marks are gone (mm.h, I3), also
 * those that an access has made for what it counts. */
static void after_hook(struct probe *p)
{
    struct machine *m = (struct machine *)((char *)p - offsetof(struct machine, probe));
    mm_mark_hot(m);
    if (m->hardware && m->hardware->s->used) {
        smp_mark(&m->hardware->smp);
    }
}

struct machine *machine_create(const struct machine_config *c,
                               const struct arena_host *host, char *err, size_t err_size)
{
    uint64_t max_pfn = boot_max_pfn(c, err, err_size);
    if (!max_pfn) {
        return NULL;
    }
    struct machine *m = calloc(1, sizeof *m);
    if (!m || !arena_create(&m->arena, arena_bytes(c, max_pfn), host)) {
        snprintf(err, err_size,
                 "the host has no memory for a machine of %llu frames: ask for less ram",
                 (unsigned long long)max_pfn);
        free(m);
        return NULL;
    }
    m->config = *c;
    m->probe.stop = UINT64_MAX;
    m->probe.after = after_hook;
    if (!mm_create(m, max_pfn) ||
        !ram_create(&m->ram, &m->arena, max_pfn + pgtable_bare_frames(c, max_pfn))) {
        snprintf(err, err_size, "the arena is too small for the frame table");
        machine_destroy(m);
        return NULL;
    }
    boot_add_holes(c, &m->ram, max_pfn);
    if (!boot_memory(m, err, err_size)) {
        machine_destroy(m);
        return NULL;
    }
    if (!hardware_create(m)) {
        snprintf(err, err_size,
                 "the arena is too small for the caches: use smaller ones");
        machine_destroy(m);
        return NULL;
    }
    if (!vm_create(m)) {
        snprintf(err, err_size, "the arena is too small for the address space");
        machine_destroy(m);
        return NULL;
    }
    hardware_reset(m);
    if (!slab_create(m)) {
        snprintf(err, err_size, "the arena is too small for caches of objects");
        machine_destroy(m);
        return NULL;
    }
    if (!touch_create(m)) {
        snprintf(err, err_size,
                 "there is no memory for the log of the kernel's accesses");
        machine_destroy(m);
        return NULL;
    }
    m->probe.n = 0;
    return m;
}

void machine_destroy(struct machine *m)
{
    if (m) {
        touch_destroy(m);
        arena_destroy(&m->arena);
        free(m->hardware);
        free(m);
    }
}

/* Operations that want zone->lock. */
static bool takes_zone_lock(uint16_t kind)
{
    switch (kind) {
    case OP_ALLOC_PAGES:
    case OP_FREE_PAGES:
    case OP_ALLOC_PAGES_BULK:
    case OP_DRAIN_LOCAL_PAGES:
    case OP_DRAIN_ALL_PAGES:
    case OP_SET_MIN_FREE_KBYTES:
    case OP_LOAD_STATE:
        return true;
    default:
        return as_is_op(kind) || hardware_is_op(kind) || vm_is_op(kind) ||
               slab_is_op(kind);
    }
}

FAST uint64_t dispatch(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    uint64_t result = 0;
    switch ((enum op_kind)op->kind) {
    case OP_ALLOC_PAGES:
        return alloc_pages(m, (gfp_t)arg[0], arg[1]);
    case OP_FREE_PAGES:
        __free_pages(m, arg[0], arg[1]);
        break;
    case OP_ALLOC_PAGES_BULK:
        return alloc_pages_bulk(m, (gfp_t)arg[0], arg[1]);
    case OP_SPLIT_PAGE:
        split_page(m, arg[0], arg[1]);
        break;
    case OP_LRU_ADD:
        lru_mark(m, arg[0], true);
        break;
    case OP_LRU_DEL:
        lru_mark(m, arg[0], false);
        break;
    case OP_DRAIN_LOCAL_PAGES:
        drain_local_pages(m);
        break;
    case OP_DRAIN_ALL_PAGES:
        drain_all_pages(m);
        break;
    case OP_VMSTAT_UPDATE:
        vmstat_refresh(m);
        break;
    case OP_SET_MIN_FREE_KBYTES:
        boot_set_min_free_kbytes(m, arg[0]);
        break;
    case OP_SET_LOWMEM_RESERVE_RATIO:
        if (arg[0] < m->mm->nr_zones) {
            boot_set_lowmem_reserve_ratio(m, zone_r(m, (uint32_t)arg[0])->type,
                                          (uint32_t)arg[1]);
        } else {
            probe(&m->probe, EV_BAD_CALL, op->kind, arg[0], BAD_WILD);
        }
        break;
    case OP_MEMALLOC:
        context_memalloc(m, arg[0]);
        break;
    case OP_IRQ_ENTER:
        context_irq_enter(m);
        break;
    case OP_IRQ_LEAVE:
        context_irq_leave(m);
        break;
    case OP_SOFTIRQ_ENTER:
        context_softirq_enter(m);
        break;
    case OP_SOFTIRQ_LEAVE:
        context_softirq_leave(m);
        break;
    case OP_PREEMPT_DISABLE:
    case OP_PREEMPT_ENABLE:
        context_preempt(m, op->kind == OP_PREEMPT_DISABLE);
        break;
    case OP_LOCAL_IRQ_DISABLE:
    case OP_LOCAL_IRQ_ENABLE:
        context_local_irq(m, op->kind == OP_LOCAL_IRQ_DISABLE);
        break;
    case OP_SPIN_LOCK:
        context_spin_lock(m, arg[0]);
        break;
    case OP_SPIN_UNLOCK:
        context_spin_unlock(m, arg[0]);
        break;
    case OP_FAULT_ATTR:
        return fault_set(m, arg[0], arg[1], (int64_t)arg[2]);
    case OP_FAIL_NTH:
        fault_set_nth(m, arg[0]);
        break;
    case OP_LOAD_STATE:
        if (m->states) {
            m->states->load(m->states->ctx, m, arg[0]);
        }
        break;
    case OP_NOTE:
    case NR_OPS:
        break;
    default:
        if (!slab_is_op(op->kind)) {
            return hardware_is_op(op->kind) ? hardware_do(m, op)
                   : as_is_op(op->kind)     ? as_do(m, op)
                                            : vm_do(m, op);
        }
        result = slab_do(m, op);
        break;
    }
    if (m->vm->pending) {
        vm_work(m);
    }
    return result;
}

static uint64_t nothing(uint16_t kind) { return kind == OP_ALLOC_PAGES ? PFN_NONE : 0; }

FAST uint64_t run(struct machine *m, const struct op *op)
{
    if (op->kind >= NR_OPS || op->cpu >= m->mm->nr_cpus) {
        probe(&m->probe, EV_BAD_CALL, op->kind, op->cpu,
              op->kind >= NR_OPS ? BAD_NO_OP : BAD_NO_CPU);
        return nothing(op->kind);
    }
    context_show(m, op->cpu);
    mm_mark_hot(m);
    if (UNLIKELY(m->vm->hung >> op->cpu & 1) && op->kind != OP_NOTE &&
        op->kind != OP_LOAD_STATE) {
        probe(&m->probe, EV_BAD_CALL, op->kind, op->arg[0], BAD_CPU_HUNG);
        return nothing(op->kind);
    }
    if (m->mm->zones_locked && takes_zone_lock(op->kind)) {
        /* only nested: the operation under way holds a zone->lock */
        probe(&m->probe, EV_BAD_CALL, op->kind, op->arg[0], BAD_ZONE_LOCKED);
        return nothing(op->kind);
    }
    return dispatch(m, op);
}

uint64_t machine_do(struct machine *m, const struct op *op)
{
    m->probe.n = 0;
    m->probe.depth = 0;
    m->doing = op->kind;
    const bool cpu_there = op->cpu < m->mm->nr_cpus;
    context_show(m, cpu_there ? op->cpu : 0); /* not what ran before this */
    mm_mark_hot(m);
    struct mm *mm = mm_hot(m);
    mm->nr_ops++;
    mm->kswapd_awake = 0;
    if (UNLIKELY(m->touching != NULL)) { /* the watched files make the accesses */
        touch_begin(m);
        const uint64_t result = run(m, op);
        touch_end(m);
        return result;
    }
    /* the two most frequent operations, unwatched, without run()'s detours */
    if (m->probe.stop == UINT64_MAX && cpu_there && !mm->zones_locked && !m->vm->hung &&
        !mm->faults.on) {
        if (op->kind == OP_ALLOC_PAGES) {
            return alloc_pages_quiet(m, (gfp_t)op->arg[0], op->arg[1]);
        }
        if (op->kind == OP_FREE_PAGES) {
            __free_pages_quiet(m, op->arg[0], op->arg[1]);
            if (UNLIKELY(m->vm->pending)) {
                vm_work(m);
            }
            return 0;
        }
        if (slab_is_op(op->kind) && slab_is_quick(m, op)) {
            const uint64_t result = slab_do_quiet(m, op);
            if (UNLIKELY(m->vm->pending)) {
                vm_work(m);
            }
            return result;
        }
    }
    return run(m, op);
}

uint64_t machine_do_nested(struct machine *m, const struct op *op)
{
    uint8_t cpu = m->probe.cpu;
    uint32_t depth = m->probe.depth;
    const uint16_t doing = m->doing;
    m->doing = op->kind;
    uint64_t result = run(m, op);
    m->doing = doing;
    if (m->touching) {
        touch_end(m);
    }
    m->probe.depth = depth;
    context_show(m, cpu);
    return result;
}

bool machine_irq_deliverable(const struct machine *m, uint32_t cpu)
{
    if (cpu >= m->mm->nr_cpus) {
        return false;
    }
    const struct cpu *c = cpu_r(m, cpu);
    /* an interrupt comes between two instructions, not inside of one */
    return !c->irqs_disabled && !(c->preempt_count & HARDIRQ_MASK) &&
           !hardware_in_access(m, cpu);
}

uint64_t machine_digest(struct machine *m) { return arena_digest(&m->arena); }
