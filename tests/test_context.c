/* Contexts: preempt count, interrupts, locks, and sleeping where one may not.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include "bad_reasons.h"

static struct event_log seen;

static struct machine *fresh(void)
{
    struct machine_config c = bare_config(2048, 0, 11);
    c.cpus = 2;
    struct machine *m = boot(&c);
    watch(m, &seen);
    return m;
}

static uint32_t did(struct machine *m, uint16_t op, uint64_t arg, uint16_t event)
{
    seen.nr = 0;
    run_op(m, op, arg, 0);
    return count_events(&seen, event);
}

static bool sleeps(struct machine *m, gfp_t gfp)
{
    return did(m, OP_ALLOC_PAGES, gfp, EV_SLEEP_IN_ATOMIC) != 0;
}

static void interrupts(void)
{
    struct machine *m = fresh();
    is_u64(cpu_view(m, 0).ctx, CTX_PROCESS, "a CPU begins in a process");
    ok(machine_irq_deliverable(m, 0), "and can be interrupted");
    is_u64(did(m, OP_IRQ_ENTER, 0, EV_IRQ_ENTRY), 1, "an interrupt begins");
    struct cpu_view v = cpu_view(m, 0);
    is_u64(v.ctx, CTX_HARDIRQ, "hardirq");
    is_hex(v.preempt_count, 0x10000, "preempt_count says so");
    ok(v.irqs_disabled && !machine_irq_deliverable(m, 0), "no other one can come");
    ok(machine_irq_deliverable(m, 1), "on another CPU it can");
    run_op(m, OP_ALLOC_PAGES, GFP_ATOMIC, 0);
    is_u64(find_event(&seen, EV_IRQ_ENTRY)->ctx, CTX_HARDIRQ, "events bear the context");
    is_u64(did(m, OP_IRQ_LEAVE, 0, EV_IRQ_EXIT), 1, "it ends");
    v = cpu_view(m, 0);
    ok(v.ctx == CTX_PROCESS && !v.preempt_count && !v.irqs_disabled,
       "and all is as before");

    run_op(m, OP_LOCAL_IRQ_DISABLE, 0, 0);
    ok(!machine_irq_deliverable(m, 0), "local_irq_disable keeps them away");
    run_op(m, OP_IRQ_ENTER, 0, 0);
    run_op(m, OP_IRQ_LEAVE, 0, 0);
    ok(cpu_view(m, 0).irqs_disabled, "an interrupt gives back the state it found");
    run_op(m, OP_LOCAL_IRQ_ENABLE, 0, 0);

    run_op(m, OP_SOFTIRQ_ENTER, 0, 0);
    is_u64(cpu_view(m, 0).ctx, CTX_SOFTIRQ, "softirq");
    is_hex(cpu_view(m, 0).preempt_count, 0x100, "in preempt_count");
    run_op(m, OP_IRQ_ENTER, 0, 0);
    is_u64(cpu_view(m, 0).ctx, CTX_HARDIRQ, "interrupted by a hardirq");
    run_op(m, OP_IRQ_LEAVE, 0, 0);
    is_u64(cpu_view(m, 0).ctx, CTX_SOFTIRQ, "which returns there");
    run_op(m, OP_SOFTIRQ_LEAVE, 0, 0);
    is_u64(cpu_view(m, 0).ctx, CTX_PROCESS, "and all ends in the process");
    machine_destroy(m);
}

static void sleeping(void)
{
    static const struct {
        uint16_t begin, end;
        const char *where;
    } places[] = {{OP_IRQ_ENTER, OP_IRQ_LEAVE, "in a hardirq"},
                  {OP_SOFTIRQ_ENTER, OP_SOFTIRQ_LEAVE, "in a softirq"},
                  {OP_PREEMPT_DISABLE, OP_PREEMPT_ENABLE, "with preemption off"},
                  {OP_LOCAL_IRQ_DISABLE, OP_LOCAL_IRQ_ENABLE, "with interrupts off"},
                  {OP_SPIN_LOCK, OP_SPIN_UNLOCK, "under a spinlock"}};
    struct machine *m = fresh();
    ok(!sleeps(m, GFP_KERNEL), "GFP_KERNEL may sleep in a process");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        run_op(m, places[i].begin, 7, 0);
        ok(sleeps(m, GFP_KERNEL), "GFP_KERNEL %s is a BUG", places[i].where);
        ok(find_event(&seen, EV_MM_PAGE_ALLOC) != NULL, "but the page is allocated");
        ok(!sleeps(m, GFP_ATOMIC), "GFP_ATOMIC %s is well", places[i].where);
        ok(!sleeps(m, GFP_NOWAIT), "and so is GFP_NOWAIT");
        run_op(m, places[i].end, 7, 0);
        ok(!sleeps(m, GFP_KERNEL), "afterwards GFP_KERNEL is well again");
    }
    run_on(m, 1, OP_PREEMPT_DISABLE, 0, 0);
    ok(!sleeps(m, GFP_KERNEL), "another CPU's state does not matter");
    machine_destroy(m);
}

static void unbalanced(void)
{
    static const uint16_t ends[] = {OP_IRQ_LEAVE, OP_SOFTIRQ_LEAVE, OP_PREEMPT_ENABLE,
                                    OP_SPIN_UNLOCK};
    struct machine *m = fresh();
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        is_u64(did(m, ends[i], 3, EV_BAD_CALL), 1, "%s with nothing to end is refused",
               op_info(ends[i])->name);
        is_hex(cpu_view(m, 0).preempt_count, 0, "and changes nothing");
    }
    for (int i = 0; i < 20; i++) {
        run_op(m, OP_IRQ_ENTER, 0, 0);
    }
    ok(cpu_view(m, 0).preempt_count >> 16 < 16, "hardirqs do not nest without end");
    while (cpu_view(m, 0).preempt_count) {
        run_op(m, OP_IRQ_LEAVE, 0, 0);
    }
    for (int i = 0; i < 400; i++) {
        run_op(m, OP_PREEMPT_DISABLE, 0, 0);
    }
    is_u64(cpu_view(m, 0).ctx, CTX_PROCESS,
           "nor does preempt_disable reach softirq's bits");
    machine_destroy(m);
}

static void locks(void)
{
    struct machine *m = fresh();
    is_u64(did(m, OP_SPIN_LOCK, 5, EV_LOCK_ACQUIRED), 1, "a spinlock");
    run_op(m, OP_SPIN_LOCK, 6, 0);
    struct cpu_view v = cpu_view(m, 0);
    ok(v.nr_locks == 2 && v.locks[0] == 5 && v.locks[1] == 6, "two are held");
    is_hex(v.preempt_count, 2, "each counts");
    is_u64(did(m, OP_SPIN_LOCK, 5, EV_LOCK_RECURSION), 1,
           "the same again is a recursion");
    seen.nr = 0;
    run_on(m, 1, OP_SPIN_LOCK, 5, 0);
    is_u64(count_events(&seen, EV_LOCK_RECURSION), 1, "another CPU would spin for ever");
    is_u64(did(m, OP_PREEMPT_ENABLE, 0, EV_BAD_CALL), 1,
           "preempt_enable cannot undo what a lock counts");
    run_op(m, OP_SPIN_UNLOCK, 5, 0);
    v = cpu_view(m, 0);
    ok(v.nr_locks == 1 && v.locks[0] == 6, "released in any order");
    run_op(m, OP_SPIN_UNLOCK, 6, 0);
    for (uint64_t i = 0; i < 12; i++) {
        run_op(m, OP_SPIN_LOCK, 100 + i, 0);
    }
    is_u64(cpu_view(m, 0).nr_locks, 8, "eight at most");
    machine_destroy(m);
}

/* preempt_enable() in a handler that has disabled nothing itself. */
static bool unlocked_once, refused_once;

static void enable(struct machine *m, const struct event *ev)
{
    if (ev->kind == EV_BUDDY_TAKE && !unlocked_once) {
        unlocked_once = true;
        machine_do_nested(m, &(struct op){.kind = OP_PREEMPT_ENABLE});
    }
    refused_once |= ev->kind == EV_BAD_CALL && ev->arg[2] == BAD_UNBALANCED;
}

static void handlers(void)
{
    struct machine *m = fresh();
    seen.at = enable;
    ok(take(m, GFP_KERNEL, 0) != PFN_NONE && unlocked_once && refused_once,
       "what the allocator's locks count is nobody's to enable");
    is_hex(cpu_view(m, 0).preempt_count, 0, "and they count it down themselves");
    seen.at = NULL;
    run_op(m, OP_PREEMPT_DISABLE, 0, 0);
    run_op(m, OP_IRQ_ENTER, 0, 0);
    is_u64(did(m, OP_PREEMPT_ENABLE, 0, EV_BAD_CALL), 0,
           "a handler takes back what the interrupted code has disabled");
    run_op(m, OP_IRQ_LEAVE, 0, 0);
    is_hex(cpu_view(m, 0).preempt_count, 0, "and nobody looks");
    is_u64(did(m, OP_PREEMPT_ENABLE, 0, EV_BAD_CALL), 1,
           "until that code does it, too: unbalanced");

    static const struct {
        uint16_t before, inside;
        uint64_t entered, exited, after;
    } cases[] = {{OP_NOTE, OP_PREEMPT_DISABLE, 0x100, 0x101, 0},
                 {OP_PREEMPT_DISABLE, OP_PREEMPT_ENABLE, 0x101, 0x100, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[300];
        run_op(m, cases[i].before, 0, 0);
        run_op(m, OP_SPIN_LOCK, 9, 0);
        run_op(m, OP_SOFTIRQ_ENTER, 0, 0);
        run_op(m, cases[i].inside, 0, 0);
        seen.nr = 0;
        run_op(m, OP_SOFTIRQ_LEAVE, 0, 0);
        const struct event *ev = find_event(&seen, EV_SOFTIRQ_COUNT);
        ok(ev && ev->arg[1] == cases[i].entered + 1 && ev->arg[2] == cases[i].exited + 1,
           "a softirq that leaves another preempt_count is found out");
        run_op(m, OP_SPIN_UNLOCK, 9, 0);
        is_hex(cpu_view(m, 0).preempt_count, cases[i].after, "and it is set back");
        if (ev) {
            report_format(text, sizeof text, m, ev);
            ok(strncmp(text, "huh, entered softirq", 20) == 0, "in the kernel's words");
        }
    }
    machine_destroy(m);
}

/* An operation nested where zone->lock is held: the CPU would spin for ever. */
static uint64_t nested_answer;
static uint16_t nest_at;

static void nest(struct machine *m, const struct event *ev)
{
    if (ev->kind == nest_at) {
        nest_at = EV_NONE;
        nested_answer = machine_do_nested(
            m, &(struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_ATOMIC, 0}});
    }
}

static void under_zone_lock(void)
{
    struct machine *m = fresh();
    seen.at = nest;
    nest_at = EV_BUDDY_TAKE;
    nested_answer = 0;
    seen.nr = 0;
    ok(take(m, GFP_KERNEL, 0) != PFN_NONE, "the operation itself succeeds");
    is_hex(nested_answer, PFN_NONE, "one nested under zone->lock is refused");
    const struct event *ev = find_event(&seen, EV_BAD_CALL);
    ok(ev && ev->arg[2] == BAD_ZONE_LOCKED, "with a report");
    seen.at = NULL;
    machine_destroy(m);
}

int main(void)
{
    interrupts();
    sleeping();
    unbalanced();
    locks();
    handlers();
    under_zone_lock();
    return done_testing();
}
