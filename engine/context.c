/* Contexts: entering, leaving, and sleeping where one may not (context.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "context.h"

#include "bad_reasons.h"
#include "mm_struct.h"

void might_sleep_atomic(struct machine *m)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    fn_enter(&m->probe, FN___might_resched, m->probe.cpu, c->preempt_count);
    probe(&m->probe, EV_SLEEP_IN_ATOMIC, m->probe.cpu, m->probe.ctx, c->preempt_count,
          c->irqs_disabled);
    fn_leave(&m->probe);
}

static void refuse(struct machine *m, enum op_kind op, uint64_t argument,
                   enum bad_reason reason)
{
    probe(&m->probe, EV_BAD_CALL, op, argument, reason);
}

static void show_count(struct machine *m)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    probe(&m->probe, EV_PREEMPT_COUNT, m->probe.cpu, c->preempt_count, c->irqs_disabled);
}

void context_irq_enter(struct machine *m)
{
    uint32_t cpu = m->probe.cpu;
    fn_enter(&m->probe, FN_irq_enter, cpu);
    if (cpu_r(m, cpu)->nr_irq_saved == MAX_IRQ_NEST) {
        refuse(m, OP_IRQ_ENTER, MAX_IRQ_NEST, BAD_TOO_DEEP);
    } else {
        struct cpu *c = cpu_w(m, cpu);
        c->irq_saved[c->nr_irq_saved++] = c->irqs_disabled;
        c->preempt_count += HARDIRQ_OFFSET;
        c->irqs_disabled = 1;
        context_show(m, cpu);
        probe(&m->probe, EV_IRQ_ENTRY, cpu, CTX_HARDIRQ);
    }
    fn_leave(&m->probe);
}

void context_irq_leave(struct machine *m)
{
    uint32_t cpu = m->probe.cpu;
    fn_enter(&m->probe, FN_irq_exit, cpu);
    if (!(cpu_r(m, cpu)->preempt_count & HARDIRQ_MASK)) {
        refuse(m, OP_IRQ_LEAVE, 0, BAD_UNBALANCED);
    } else {
        struct cpu *c = cpu_w(m, cpu);
        c->preempt_count -= HARDIRQ_OFFSET;
        c->irqs_disabled = c->irq_saved[--c->nr_irq_saved];
        c->irq_saved[c->nr_irq_saved] = 0;
        context_show(m, cpu);
        probe(&m->probe, EV_IRQ_EXIT, cpu, CTX_HARDIRQ);
        tlb_flush_pending(m);
    }
    fn_leave(&m->probe);
}

void context_softirq_enter(struct machine *m)
{
    uint32_t cpu = m->probe.cpu;
    /* in a hardirq, or in a softirq already, the kernel does not begin one */
    if (cpu_r(m, cpu)->preempt_count & (HARDIRQ_MASK | SOFTIRQ_MASK)) {
        refuse(m, OP_SOFTIRQ_ENTER, 0, BAD_TOO_DEEP);
        return;
    }
    struct cpu *c = cpu_w(m, cpu);
    c->preempt_count += SOFTIRQ_OFFSET;
    c->softirq_disabled = c->nr_disabled;
    context_show(m, cpu);
    probe(&m->probe, EV_SOFTIRQ_ENTRY, cpu, m->probe.ctx);
}

void context_softirq_leave(struct machine *m)
{
    uint32_t cpu = m->probe.cpu;
    if ((cpu_r(m, cpu)->preempt_count & HARDIRQ_MASK) ||
        !(cpu_r(m, cpu)->preempt_count & SOFTIRQ_MASK)) {
        refuse(m, OP_SOFTIRQ_LEAVE, 0, BAD_UNBALANCED);
        return;
    }
    const uint32_t was = cpu_r(m, cpu)->softirq_disabled;
    if (was != cpu_r(m, cpu)->nr_disabled) { /* __do_softirq() sets it back */
        const uint32_t exited = cpu_r(m, cpu)->preempt_count;
        probe(&m->probe, EV_SOFTIRQ_COUNT, cpu, exited + was - cpu_r(m, cpu)->nr_disabled,
              exited);
    }
    struct cpu *c = cpu_w(m, cpu);
    c->preempt_count -= SOFTIRQ_OFFSET + c->nr_disabled - was;
    c->nr_disabled = was;
    c->softirq_disabled = 0;
    context_show(m, cpu);
    probe(&m->probe, EV_SOFTIRQ_EXIT, cpu, m->probe.ctx);
}

void context_preempt(struct machine *m, bool disable)
{
    uint32_t count = cpu_r(m, m->probe.cpu)->preempt_count & PREEMPT_MASK;
    enum op_kind op = disable ? OP_PREEMPT_DISABLE : OP_PREEMPT_ENABLE;
    if (!disable && !cpu_r(m, m->probe.cpu)->nr_disabled) {
        refuse(m, op, count, BAD_UNBALANCED);
    } else if (disable && count >= PREEMPT_MASK - 8) {
        refuse(m, op, count, BAD_TOO_DEEP);
    } else {
        struct cpu *c = cpu_w(m, m->probe.cpu);
        c->preempt_count = disable ? c->preempt_count + 1 : c->preempt_count - 1;
        c->nr_disabled = disable ? c->nr_disabled + 1 : c->nr_disabled - 1;
        show_count(m);
    }
}

void context_local_irq(struct machine *m, bool disable)
{
    cpu_w(m, m->probe.cpu)->irqs_disabled = disable;
    show_count(m);
    tlb_flush_pending(m);
}

void context_memalloc(struct machine *m, bool on)
{
    cpu_w(m, m->probe.cpu)->memalloc = on;
    probe(&m->probe, EV_MEMALLOC, m->probe.cpu, on);
}

static bool holds(const struct cpu *c, uint64_t lock)
{
    for (uint32_t i = 0; i < c->nr_locks; i++) {
        if (c->locks[i] == lock) {
            return true;
        }
    }
    return false;
}

void context_spin_lock(struct machine *m, uint64_t lock)
{
    uint32_t cpu = m->probe.cpu;
    for (uint32_t other = 0; other < m->mm->nr_cpus; other++) {
        if (holds(cpu_r(m, other), lock)) {
            probe(&m->probe, EV_LOCK_RECURSION, cpu, lock, other);
            return;
        }
    }
    if (cpu_r(m, cpu)->nr_locks == MAX_LOCKS) {
        refuse(m, OP_SPIN_LOCK, lock, BAD_TOO_DEEP);
        return;
    }
    struct cpu *c = cpu_w(m, cpu);
    c->locks[c->nr_locks++] = lock;
    c->preempt_count += PREEMPT_OFFSET;
    probe(&m->probe, EV_LOCK_ACQUIRED, cpu, lock);
}

void context_spin_unlock(struct machine *m, uint64_t lock)
{
    uint32_t cpu = m->probe.cpu;
    if (!holds(cpu_r(m, cpu), lock)) {
        refuse(m, OP_SPIN_UNLOCK, lock, BAD_UNBALANCED);
        return;
    }
    struct cpu *c = cpu_w(m, cpu);
    uint32_t i = 0;
    while (c->locks[i] != lock) {
        i++;
    }
    for (; i + 1 < c->nr_locks; i++) {
        c->locks[i] = c->locks[i + 1];
    }
    c->locks[--c->nr_locks] = 0;
    c->preempt_count -= PREEMPT_OFFSET;
    probe(&m->probe, EV_LOCK_RELEASED, cpu, lock);
}

const char *context_check(const struct machine *m)
{
    const bool between = !m->probe.depth; /* operations */
    if (between && m->mm->zones_locked) {
        return "context I2: a zone->lock is held between operations";
    }
    for (uint32_t i = 0; i < m->mm->nr_cpus; i++) {
        const struct cpu *c = cpu_r(m, i);
        if (c->nr_irq_saved != (c->preempt_count & HARDIRQ_MASK) / HARDIRQ_OFFSET) {
            return "context: hardirqs and saved interrupt flags do not agree";
        }
        if ((c->preempt_count & PREEMPT_MASK) < c->nr_locks + c->nr_disabled) {
            return "context: preempt_count is less than what callers have counted (I3)";
        }
        for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
            if (between && pcp_r(m, z, i)->locked) {
                return "context I2: per-CPU lists are locked between operations";
            }
        }
    }
    return NULL;
}
