/* kmap_local_page and kmap_atomic: one page of HighMem in a slot of this CPU, last mapped
 * first unmapped (vm.h).
 *
 *   fixed address   FIX_KMAP_BEGIN + KM_MAX_IDX * cpu + depth      addresses go down as depth goes up
 *
 * Models mm/highmem.c (__kmap_local_pfn_prot, kunmap_local_indexed,
 * __kmap_local_sched_out). The depth is the current task's; an interrupt goes on counting
 * from there. kmap_atomic forbids preemption on top of it. A context switch takes the
 * outgoing task's mappings away and puts the incoming task's back, at the same addresses.
 *
 * Unmapping out of order does what it does in the kernel: a warning; the entry of the
 * last mapping goes, and the TLB entry of the address that was given.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "context.h"
#include "pgtable.h"
#include "vm.h"

#include <string.h>

static struct kmap_ctrl *task_w(struct machine *m, uint32_t task)
{
    struct kmap_ctrl *t = &m->vm_tables.tasks[task];
    arena_mark(&m->arena, t);
    return t;
}
static const struct kmap_ctrl *task_r(const struct machine *m, uint32_t task)
{
    return &m->vm_tables.tasks[task];
}

static uint32_t current(const struct machine *m) { return m->vm->task[m->probe.cpu]; }

/* Where this CPU's slot number depth is. */
static uint64_t slot_address(const struct machine *m, uint32_t depth)
{
    const struct kspace *k = &m->vm->kspace;
    return kspace_fix_to_virt(k, k->fix_kmap_begin + (uint64_t)KM_MAX_IDX * m->probe.cpu +
                                     depth);
}

static uint64_t map_local(struct machine *m, uint64_t frame)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN___kmap_local_pfn_prot, frame);
    const uint32_t depth = task_r(m, current(m))->idx;
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    if (c->preempt_count & HARDIRQ_MASK && !c->irqs_disabled) {
        vm_warn(m, BAD_KMAP_IRQS_ON, frame);
    }
    if (depth + 1 >= KM_MAX_IDX) {
        vm_bug(m, BAD_KMAP_LOCAL_DEPTH, frame);
    } else if (pgtable_get(m, slot_address(m, depth))) {
        vm_bug(m, BAD_KMAP_LOCAL_BUSY, slot_address(m, depth));
    } else if (pgtable_set(m, slot_address(m, depth), frame, pgtable_kernel_flags(m))) {
        struct kmap_ctrl *t = task_w(m, current(m));
        t->frame[depth] = (uint32_t)frame;
        t->cpu = m->probe.cpu;
        t->idx = depth + 1;
        va = slot_address(m, depth);
        probe(&m->probe, EV_KMAP_LOCAL, frame, va, depth);
    }
    fn_leave(&m->probe);
    return va;
}

uint64_t kmap_local_page(struct machine *m, uint64_t frame)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_kmap_local_page, frame);
    if (frame >= m->mm->max_pfn) {
        probe(&m->probe, EV_BAD_CALL, OP_KMAP_LOCAL_PAGE, frame, BAD_WILD);
    } else if (page_is_highmem(m, frame)) {
        va = map_local(m, frame);
    } else {
        va = kspace_va(&m->vm->kspace, frame);
        probe(&m->probe, EV_KMAP_LOWMEM, frame, va);
    }
    fn_leave(&m->probe);
    return va;
}

void kunmap_local(struct machine *m, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    const uint64_t page = va & ~(uint64_t)(PAGE_SIZE - 1);
    fn_enter(&m->probe, FN_kunmap_local_indexed, va);
    const uint64_t slots = (uint64_t)KM_MAX_IDX * k->nr_cpus;
    const bool slot = k->bits == 32 &&
                      page >= kspace_fix_to_virt(k, k->fix_kmap_begin + slots - 1) &&
                      page <= kspace_fix_to_virt(k, k->fix_kmap_begin);
    const uint32_t idx = task_r(m, current(m))->idx;
    if (!slot) {
        if (page < k->page_offset) {
            vm_warn(m, BAD_KUNMAP_USER, va);
        }
    } else if (!idx) {
        vm_bug(m, BAD_KUNMAP_LOCAL_NONE, va);
    } else {
        const uint64_t top = slot_address(m, idx - 1);
        if (page != top) {
            vm_warn(m, BAD_KUNMAP_LOCAL_ORDER, va);
        }
        pgtable_clear(m, top);
        vm_flush_one(m, page, VM_FLUSH_LOCAL);
        struct kmap_ctrl *t = task_w(m, current(m));
        t->frame[idx - 1] = 0;
        t->idx = idx - 1;
        probe(&m->probe, EV_KUNMAP_LOCAL, top, idx - 1);
    }
    fn_leave(&m->probe);
}

uint64_t kmap_atomic(struct machine *m, uint64_t frame)
{
    fn_enter(&m->probe, FN_kmap_atomic, frame);
    context_preempt(m, true);
    uint64_t va = kmap_local_page(m, frame);
    fn_leave(&m->probe);
    return va;
}

void kunmap_atomic(struct machine *m, uint64_t va)
{
    fn_enter(&m->probe, FN_kunmap_atomic, va);
    kunmap_local(m, va);
    context_preempt(m, false);
    fn_leave(&m->probe);
}

/* ---- context switch ---- */

static bool may_switch(struct machine *m, uint64_t next)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    if (next >= VM_MAX_TASKS) {
        probe(&m->probe, EV_BAD_CALL, OP_SWITCH_TO, next, BAD_NO_TASK);
        return false;
    }
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        if (cpu != m->probe.cpu && m->vm->task[cpu] == next) {
            probe(&m->probe, EV_BAD_CALL, OP_SWITCH_TO, next, BAD_TASK_RUNS);
            return false;
        }
    }
    if (task_r(m, (uint32_t)next)->idx &&
        task_r(m, (uint32_t)next)->cpu != m->probe.cpu) {
        probe(&m->probe, EV_BAD_CALL, OP_SWITCH_TO, next, BAD_TASK_PINNED);
        return false;
    }
    if (c->preempt_count || c->irqs_disabled) {
        vm_bug(m, BAD_SCHED_ATOMIC, next);
        return false;
    }
    return true;
}

static void sched_out(struct machine *m, uint32_t task)
{
    fn_enter(&m->probe, FN___kmap_local_sched_out, task);
    for (uint32_t i = 0; i < task_r(m, task)->idx; i++) {
        pgtable_clear(m, slot_address(m, i));
        vm_flush_one(m, slot_address(m, i), VM_FLUSH_LOCAL);
    }
    fn_leave(&m->probe);
}

static void sched_in(struct machine *m, uint32_t task)
{
    fn_enter(&m->probe, FN___kmap_local_sched_in, task);
    for (uint32_t i = 0; i < task_r(m, task)->idx; i++) {
        pgtable_set(m, slot_address(m, i), task_r(m, task)->frame[i],
                    pgtable_kernel_flags(m));
    }
    fn_leave(&m->probe);
}

void switch_to(struct machine *m, uint64_t next)
{
    const uint32_t prev = current(m);
    if (next == prev || !may_switch(m, next)) {
        return;
    }
    fn_enter(&m->probe, FN_context_switch, prev, next);
    sched_out(m, prev);
    vm_w(m)->task[m->probe.cpu] = (uint32_t)next;
    sched_in(m, (uint32_t)next);
    probe(&m->probe, EV_SCHED_SWITCH, m->probe.cpu, prev, next);
    fn_leave(&m->probe);
}

const char *kmap_local_check(const struct machine *m)
{
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const uint32_t task = m->vm->task[cpu];
        if (task >= VM_MAX_TASKS || task_r(m, task)->idx >= KM_MAX_IDX) {
            return "kmap_local: a task's depth, or who runs, makes no sense";
        }
    }
    return NULL;
}
