/* Contexts: what a CPU may do now. Process, softirq and hardirq, preempt count,
 * interrupts on or off, held spinlocks.
 *
 *   preempt_count   0x000f0000 hardirq   0x0000ff00 softirq   0x000000ff preempt
 *
 * Models include/linux/preempt.h and __might_resched of a kernel with
 * CONFIG_DEBUG_ATOMIC_SLEEP (which counts preempt_disable and spinlocks even where
 * CONFIG_PREEMPT_NONE would not). The allocator's own locks are here too: zone->lock is
 * taken with interrupts off; a CPU's page lists are only tried, with interrupts on, so an
 * interrupt may find them taken.
 *
 * I1  irqs are off while any zone->lock is held; nobody else can want it then.
 * I2  Between operations the allocator holds no lock.
 * I3  preempt_count counts each preempt_disable() that was not taken back and each
 *     spinlock. preempt_enable() takes back the former only.
 *
 * An interrupt handler that calls preempt_enable() without a preempt_disable() of its own
 * takes back that of the code it has interrupted: the count is the CPU's, and a hard
 * interrupt's end does not look at it (a softirq's does, and sets it back). Where that
 * code has only locks, ours or the caller's, the kernel would count them down without a
 * word and go wrong later; here the call is refused.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_CONTEXT_H
#define ENGINE_CONTEXT_H

#include "mm.h"
#include "touch.h"

enum {
    PREEMPT_OFFSET = 1,
    SOFTIRQ_OFFSET = 0x100,
    HARDIRQ_OFFSET = 0x10000,
    PREEMPT_MASK = 0xff,
    SOFTIRQ_MASK = 0xff00,
    HARDIRQ_MASK = 0xf0000
};

static inline enum context context_of(const struct cpu *c)
{
    return c->preempt_count & HARDIRQ_MASK   ? CTX_HARDIRQ
           : c->preempt_count & SOFTIRQ_MASK ? CTX_SOFTIRQ
                                             : CTX_PROCESS;
}

/* spin_lock_irqsave(&zone->lock): answers whether interrupts were off, for the unlock. */
static inline uint32_t zone_lock(struct machine *m, uint32_t zone)
{
    struct cpu *c = cpu_hot(m);
    uint32_t flags = c->irqs_disabled;
    c->irqs_disabled = 1;
    c->preempt_count += PREEMPT_OFFSET;
    mm_hot(m)->zones_locked |= 1U << zone;
    TOUCH_NOTE(m, touch_zone_lock(m, zone));
    return flags;
}
static inline void zone_unlock(struct machine *m, uint32_t zone, uint32_t flags)
{
    struct cpu *c = cpu_hot(m);
    mm_hot(m)->zones_locked &= ~(1U << zone);
    c->preempt_count -= PREEMPT_OFFSET;
    c->irqs_disabled = flags;
}

/* pcp_spin_trylock: pins the task and takes the lock of this CPU's lists of a zone. */
static inline bool pcp_trylock(struct machine *m, uint32_t zone)
{
    struct pcp *pcp = pcp_hot(m, zone);
    if (pcp->locked) {
        return false;
    }
    pcp->locked = 1;
    cpu_hot(m)->preempt_count += 2 * PREEMPT_OFFSET;
    return true;
}
static inline void pcp_unlock(struct machine *m, uint32_t zone)
{
    pcp_hot(m, zone)->locked = 0;
    cpu_hot(m)->preempt_count -= 2 * PREEMPT_OFFSET;
}

/* might_sleep(): a report event where sleeping is forbidden; the caller goes on. */
void might_sleep_atomic(struct machine *m); /* the report */
static inline void might_sleep(struct machine *m)
{
    const struct cpu *c = cpu_hot(m);
    if (UNLIKELY(c->preempt_count || c->irqs_disabled)) {
        might_sleep_atomic(m);
    }
}

/* The operations on contexts; unbalanced ones are answered with a report, unchanged. */
void context_irq_enter(struct machine *m);
void context_irq_leave(struct machine *m);
void context_softirq_enter(struct machine *m);
void context_softirq_leave(struct machine *m);
void context_preempt(struct machine *m, bool disable);
void context_local_irq(struct machine *m, bool disable);
void context_spin_lock(struct machine *m, uint64_t lock);
void context_spin_unlock(struct machine *m, uint64_t lock);
void context_memalloc(struct machine *m, bool on);

/* Set the current CPU, and the probe's and context from the CPU's state. */
static inline void context_show(struct machine *m, uint32_t cpu)
{
    m->cpu = &m->tables.cpus[cpu];
    m->probe.cpu = (uint8_t)cpu;
    m->probe.ctx = (uint8_t)context_of(m->cpu);
}

const char *context_check(const struct machine *m);

#endif
