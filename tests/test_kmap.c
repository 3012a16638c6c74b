/* kmap and kmap_local as stories, and against naive models of their slots.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "describe.h"
#include "inspect.h"
#include "pgtable.h"
#include "prng.h"
#include "tap.h"

static struct {
    struct machine *m;
    uint32_t seen[NR_EVENTS];
    uint32_t reason; /* of the last warning or BUG */
    uint64_t resumed;
} w;

static void watch(struct probe *p, const struct event *ev)
{
    (void)p;
    w.seen[ev->kind]++;
    if (ev->kind == EV_VM_WARN || ev->kind == EV_VM_BUG) {
        w.reason = (uint32_t)ev->arg[1];
    } else if (ev->kind == EV_KMAP_RESUME) {
        w.resumed = ev->arg[0];
    }
}

static uint64_t on(uint32_t cpu, enum op_kind kind, uint64_t a)
{
    const struct op op = {.kind = (uint16_t)kind, .cpu = (uint8_t)cpu, .arg = {a}};
    return machine_do(w.m, &op);
}
static uint64_t call(enum op_kind kind, uint64_t a) { return on(0, kind, a); }

static void boot(enum arch arch, uint32_t cpus)
{
    struct machine_config c;
    char err[300];
    memset(&w, 0, sizeof w);
    config_init(&c, arch);
    config_set(&c, "highmem", arch == ARCH_X86_64 ? "auto" : "80M", err, sizeof err);
    c.cpus = cpus;
    w.m = machine_create(&c, NULL, err, sizeof err);
    if (!w.m) {
        diag("%s", err);
        exit(1);
    }
    w.m->probe.slow = watch;
    w.m->probe.stop = 0;
}

static void end(const char *what)
{
    is_str(machine_check(w.m), NULL, "%s: invariants", what);
    machine_destroy(w.m);
}

static uint64_t walk(uint64_t va)
{
    struct mmu mmu;
    struct walk found;
    const struct mmu_bus bus = pgtable_bus(w.m);
    pgtable_mmu(w.m, &mmu);
    mmu_peek(&mmu, va, ACCESS_WRITE, &bus, &found);
    return found.fault.kind == FAULT_NONE ? (found.entry & TLB_FRAME) >> PAGE_SHIFT
                                          : PFN_NONE;
}

enum { HIGH = 0x6000 }; /* a HighMem frame of 160M with highmem=80M */

static void test_ring(enum arch arch, const char *name)
{
    boot(arch, 1);
    const struct kspace *k = &w.m->vm->kspace;
    const uint32_t last = k->last_pkmap;
    is_hex(call(OP_KMAP, 0x1234), k->page_offset + 0x1234000,
           "%s: low memory is mapped already", name);
    is_hex(call(OP_KMAP, HIGH), k->pkmap_base + PAGE_SIZE, "%s: slot 1 is the first",
           name);
    is_hex(call(OP_KMAP, HIGH), k->pkmap_base + PAGE_SIZE, "%s: a second user shares it",
           name);
    is_u64(walk(k->pkmap_base + PAGE_SIZE), HIGH, "%s: the MMU finds the page", name);
    call(OP_KUNMAP, HIGH);
    call(OP_KUNMAP, HIGH);
    is_u64(walk(k->pkmap_base + PAGE_SIZE), HIGH, "%s: without users it stays mapped",
           name);
    is_hex(call(OP_KMAP, HIGH), k->pkmap_base + PAGE_SIZE, "%s: and is found again",
           name);
    call(OP_KUNMAP, HIGH);
    for (uint32_t i = 2; i < last; i++) {
        call(OP_KMAP, HIGH + i);
        call(OP_KUNMAP, HIGH + i);
    }
    is_u64(w.seen[EV_KMAP_FLUSH], 0, "%s: no flush in the first round", name);
    is_hex(call(OP_KMAP, HIGH + last), k->pkmap_base, "%s: slot 0 comes last", name);
    is_u64(w.seen[EV_TLB_FLUSH_RANGE], 1, "%s: with one flush of all CPUs", name);
    is_hex(walk(k->pkmap_base + PAGE_SIZE), PFN_NONE,
           "%s: then slots without users are gone", name);
    is_u64(w.m->vm->nr_pkmaps, 1, "%s: all but the one in use", name);
    end(name);
}

static void test_sleep(void)
{
    boot(ARCH_I386_PAE, 1);
    const uint32_t last = w.m->vm->kspace.last_pkmap;
    for (uint32_t i = 0; i < last; i++) {
        call(OP_KMAP, HIGH + i);
    }
    is_u64(w.m->vm->nr_pkmaps, last, "all slots are in use");
    is_u64(call(OP_KMAP, HIGH + last), 0, "one more sleeps");
    is_u64(call(OP_KMAP, HIGH + last + 1), 0, "and another");
    is_u64(w.seen[EV_KMAP_SLEEP], 2, "as the events say");
    uint64_t va = call(OP_KMAP, HIGH + 7);
    call(OP_KUNMAP, HIGH + 7);
    is_u64(w.seen[EV_KMAP_WAKE], 0, "nobody is woken while the page has a user");
    call(OP_KUNMAP, HIGH + 7);
    is_u64(w.seen[EV_KMAP_WAKE], 1, "the last kunmap wakes");
    is_u64(w.resumed, HIGH + last, "the first sleeper goes on");
    is_u64(walk(va), HIGH + last, "with the slot that became free");
    is_u64(w.m->vm->nr_sleepers, 1, "the second sleeps again");
    call(OP_PREEMPT_DISABLE, 0);
    is_u64(call(OP_KMAP, HIGH + 9000), 0, "with preemption off it cannot sleep");
    is_u64(w.reason, BAD_SCHED_ATOMIC, "BUG: scheduling while atomic");
    ok(w.seen[EV_SLEEP_IN_ATOMIC], "BUG: sleeping function called from invalid context");
    end("sleepers");
}

static void test_bad_kunmap(void)
{
    boot(ARCH_I386, 1);
    call(OP_KUNMAP, HIGH);
    is_u64(w.reason, BAD_KUNMAP_UNMAPPED, "kunmap without kmap");
    call(OP_KMAP, HIGH);
    call(OP_KUNMAP, HIGH);
    call(OP_KUNMAP, HIGH);
    is_u64(w.reason, BAD_KUNMAP_TWICE, "kunmap twice");
    is_u64(call(OP_KMAP, 1 << 30), 0, "kmap of no page");
    call(OP_IRQ_ENTER, 0);
    ok(call(OP_KMAP, HIGH) && w.seen[EV_SLEEP_IN_ATOMIC] == 1,
       "kmap in an interrupt: a BUG, and an address");
    call(OP_IRQ_LEAVE, 0);
    end("bad kunmap");
}

static void test_local(void)
{
    boot(ARCH_I386, 2);
    const uint64_t first = 0xfffbb000, second_cpu = first - 16 * PAGE_SIZE;
    is_hex(call(OP_KMAP_ATOMIC, HIGH), first, "the first slot");
    is_hex(call(OP_KMAP_LOCAL_PAGE, HIGH + 1), first - PAGE_SIZE,
           "the second is below it");
    is_hex(on(1, OP_KMAP_ATOMIC, HIGH + 2), second_cpu, "another CPU has its own");
    is_u64(walk(first), HIGH, "the MMU finds the page");
    is_u64(cpu_view(w.m, 0).preempt_count, 1,
           "kmap_atomic forbids preemption, kmap_local does not");
    call(OP_IRQ_ENTER, 0);
    is_hex(call(OP_KMAP_ATOMIC, HIGH + 3), first - 2 * PAGE_SIZE,
           "an interrupt nests on top");
    call(OP_KUNMAP_ATOMIC, first - 2 * PAGE_SIZE);
    call(OP_IRQ_LEAVE, 0);
    is_u64(w.seen[EV_SLEEP_IN_ATOMIC] + w.seen[EV_VM_WARN] + w.seen[EV_VM_BUG], 0,
           "and nobody complains");
    call(OP_KUNMAP_LOCAL, first - PAGE_SIZE);
    call(OP_KUNMAP_ATOMIC, first);
    is_hex(walk(first), PFN_NONE, "unmapped at once");
    is_u64(cpu_view(w.m, 0).preempt_count, 0, "preemption is on again");
    is_hex(call(OP_KMAP_ATOMIC, 0x1234), 0xc1234000, "low memory is mapped already");
    call(OP_KUNMAP_ATOMIC, 0xc1234000);
    is_u64(cpu_view(w.m, 0).preempt_count, 0, "and counts as well");
    end("local");
}

static void test_local_misuse(void)
{
    boot(ARCH_I386, 1);
    uint64_t a = call(OP_KMAP_LOCAL_PAGE, HIGH), b = call(OP_KMAP_LOCAL_PAGE, HIGH + 1);
    call(OP_KUNMAP_LOCAL, a);
    is_u64(w.reason, BAD_KUNMAP_LOCAL_ORDER, "out of order: a warning");
    is_hex(walk(b), PFN_NONE, "the last mapping's entry went");
    is_u64(walk(a), HIGH, "not the one that was meant");
    call(OP_KUNMAP_LOCAL, a);
    call(OP_KUNMAP_LOCAL, a);
    is_u64(w.reason, BAD_KUNMAP_LOCAL_NONE, "one too many");
    call(OP_KUNMAP_LOCAL, 0x8048000);
    is_u64(w.reason, BAD_KUNMAP_USER, "of a user address");
    for (uint32_t i = 0; i < 15; i++) {
        ok(call(OP_KMAP_ATOMIC, HIGH + i) != 0, "depth %u", i);
    }
    is_u64(call(OP_KMAP_ATOMIC, HIGH), 0, "not deeper");
    is_u64(w.reason, BAD_KMAP_LOCAL_DEPTH, "that is a BUG");
    end("local misuse");
}

static void test_switch(void)
{
    boot(ARCH_I386, 2);
    call(OP_SWITCH_TO, 10);
    uint64_t a = call(OP_KMAP_LOCAL_PAGE, HIGH), b = call(OP_KMAP_LOCAL_PAGE, HIGH + 1);
    call(OP_SWITCH_TO, 11);
    is_hex(walk(a), PFN_NONE, "the outgoing task's mappings go");
    is_hex(call(OP_KMAP_LOCAL_PAGE, HIGH + 2), a, "the incoming one begins at the top");
    on(1, OP_SWITCH_TO, 10);
    is_u64(w.m->vm->task[1], 1, "a task with mappings does not migrate");
    call(OP_SWITCH_TO, 10);
    ok(walk(a) == HIGH && walk(b) == HIGH + 1, "they come back at the same addresses");
    call(OP_KUNMAP_LOCAL, b);
    call(OP_KUNMAP_LOCAL, a);
    call(OP_KMAP_ATOMIC, HIGH);
    call(OP_SWITCH_TO, 11);
    is_u64(w.reason, BAD_SCHED_ATOMIC, "no switch between kmap_atomic and kunmap_atomic");
    end("switch");
}

/* Random kmap and kunmap against counts. */
static void test_random(enum arch arch)
{
    static uint32_t users[2000];
    struct prng rng = {.state = 424242};
    unsigned wrong = 0;
    boot(arch, 1);
    memset(users, 0, sizeof users);
    uint32_t mapped = 0, most = w.m->vm->kspace.last_pkmap - 20;
    for (int i = 0; i < 60000; i++) {
        uint32_t p = (uint32_t)prng_below(&rng, 2000);
        if (mapped < most && (!users[p] || prng_one_in(&rng, 3))) {
            mapped += !users[p]++;
            uint64_t va = call(OP_KMAP, HIGH + p);
            wrong += walk(va) != HIGH + p || page_address(w.m, HIGH + p) != va;
        } else if (users[p]) {
            mapped -= !--users[p];
            call(OP_KUNMAP, HIGH + p);
        }
        if (i % 500 == 0) {
            for (uint32_t q = 0; q < 2000; q++) {
                uint64_t va = page_address(w.m, HIGH + q);
                wrong += users[q] && (!va || walk(va) != HIGH + q);
            }
            wrong += machine_check(w.m) != NULL;
        }
    }
    is_u64(wrong, 0, "60000 random kmap and kunmap");
    ok(w.seen[EV_KMAP_FLUSH] > 10, "the ring came round %u times", w.seen[EV_KMAP_FLUSH]);
    is_u64(w.seen[EV_VM_BUG] + w.seen[EV_VM_WARN] + w.seen[EV_KMAP_SLEEP], 0,
           "no complaint, nobody slept");
    end("random");
}

static void test_64(void)
{
    boot(ARCH_X86_64, 1);
    is_hex(call(OP_KMAP, 0x5000), 0xffff888005000000, "64 bits: kmap is the direct map");
    is_hex(call(OP_KMAP_ATOMIC, 0x5000), 0xffff888005000000, "and kmap_atomic too");
    call(OP_KUNMAP, 0x5000);
    call(OP_KUNMAP_ATOMIC, 0xffff888005000000);
    is_u64(cpu_view(w.m, 0).preempt_count, 0, "preemption is on again");
    end("64 bits");
}

/* ---- kmap where it must not be ---- */

static struct {
    bool armed, inside;
    uint64_t want;  /* the page that the interrupt maps */
    uint64_t got;   /* what kmap answered it */
    uint64_t at_va; /* it comes when this address's entry is cleared */
    char report[2000];
    uint32_t reports;
} irq;

static void interrupting(struct probe *p, const struct event *ev)
{
    w.seen[ev->kind]++;
    if (ev->kind == EV_SLEEP_IN_ATOMIC && !irq.reports++) {
        report_format(irq.report, sizeof irq.report, w.m, ev);
    }
    if (ev->kind == EV_PTE_CLEAR && irq.armed && ev->arg[0] == irq.at_va) {
        irq.armed = false;
        const struct op enter = {.kind = OP_IRQ_ENTER}, leave = {.kind = OP_IRQ_LEAVE};
        const struct op map = {.kind = OP_KMAP, .arg = {irq.want}};
        machine_do_nested(w.m, &enter);
        irq.got = machine_do_nested(w.m, &map);
        machine_do_nested(w.m, &leave);
    }
    (void)p;
}

/* A kmap of HIGH + 1 whose ring comes round; an interrupt maps HIGH while HIGH's slot is
 * just being cleared. */
static void run_into(const char *name, const char *value)
{
    struct machine_config c;
    char err[300];
    memset(&w, 0, sizeof w);
    memset(&irq, 0, sizeof irq);
    config_init(&c, ARCH_I386);
    config_set(&c, "highmem", "80M", err, sizeof err);
    if (!config_set(&c, name, value, err, sizeof err) ||
        !(w.m = machine_create(&c, NULL, err, sizeof err))) {
        bail_out("%s", err);
    }
    w.m->probe.slow = interrupting;
    w.m->probe.stop = 0;
    const uint32_t last = w.m->vm->kspace.last_pkmap;
    for (uint32_t i = 0; i + 1 < last; i++) {
        call(OP_KMAP, HIGH + i);
        call(OP_KUNMAP, HIGH + i);
    }
    irq.at_va = kspace_pkmap_addr(&w.m->vm->kspace, 1);
    irq.want = HIGH;
    irq.armed = true;
    call(OP_KMAP, HIGH + 5000);
}

static void test_in_interrupt(void)
{
    run_into("deadlock", "told");
    is_u64(irq.got, 0, "kmap in an interrupt that finds kmap_lock taken: no answer");
    is_u64(w.seen[EV_LOCK_RECURSION], 1, "the CPU would spin for ever");
    ok(call(OP_KMAP, HIGH) != 0, "told, and no more");
    end("told");

    run_into("deadlock", "hangs");
    is_u64(w.seen[EV_SOFT_LOCKUP], 1, "or it does: soft lockup");
    is_u64(call(OP_ALLOC_PAGES, GFP_KERNEL), PFN_NONE, "the CPU does nothing any more");
    end("hangs");

    run_into("spinlocks", "false");
    is_hex(irq.got, kspace_pkmap_addr(&w.m->vm->kspace, 1),
           "without spinlocks the interrupt gets the slot that is being cleared");
    is_hex(walk(irq.got), PFN_NONE, "and maps nothing");
    w.reason = 0;
    w.m->probe.slow = watch;
    call(OP_KUNMAP, HIGH);
    is_u64(w.reason, BAD_KUNMAP_UNMAPPED, "its kunmap is a BUG");
    end("corrupt");

    boot(ARCH_I386, 1);
    memset(&irq, 0, sizeof irq);
    w.m->probe.slow = interrupting;
    call(OP_IRQ_ENTER, 0);
    call(OP_KMAP, HIGH);
    is_u64(irq.reports, 1, "kmap in a hardirq");
    ok(strstr(irq.report, "BUG: sleeping function called from invalid context at "
                          "include/linux/highmem-internal.h:44\n"
                          "in_atomic(): 1, irqs_disabled(): 1, non_block: 0,") &&
           strstr(irq.report, "preempt_count: 10000, expected: 0\n") &&
           strstr(irq.report, "<IRQ>\n __might_resched\n kmap\n </IRQ>"),
       "the kernel's words, and the call stack");
    call(OP_IRQ_LEAVE, 0);
    static const uint16_t kinds[] = {
        OP_KMAP,    OP_VMALLOC, OP_VFREE,           OP_IOREMAP,
        OP_IOUNMAP, OP_KUNMAP,  OP_VM_UNMAP_ALIASES};
    const uint64_t io = call(OP_IOREMAP, 0xfebc0000), area = call(OP_VMALLOC, 4096);
    (void)io;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const uint32_t before = irq.reports;
        const struct op op = {.kind = kinds[i],
                              .arg = {kinds[i] == OP_VFREE     ? area
                                      : kinds[i] == OP_IOREMAP ? 0xfebc0000
                                      : kinds[i] == OP_VMALLOC ? 4096
                                                               : HIGH,
                                      4096}};
        call(OP_SPIN_LOCK, 7);
        machine_do(w.m, &op);
        call(OP_SPIN_UNLOCK, 7);
        /* iounmap of what is no mapping says so before it could sleep */
        ok(irq.reports > before || kinds[i] == OP_IOUNMAP,
           "operation %u under a spinlock", kinds[i]);
    }
    end("contexts");
}

int main(void)
{
    test_ring(ARCH_I386, "i386");
    test_ring(ARCH_I386_PAE, "PAE");
    test_sleep();
    test_bad_kunmap();
    test_local();
    test_local_misuse();
    test_switch();
    test_random(ARCH_I386);
    test_random(ARCH_I386_PAE);
    test_64();
    test_in_interrupt();
    return done_testing();
}
