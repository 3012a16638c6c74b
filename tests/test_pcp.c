/* The per-CPU page lists: refill, hot and cold ends, draining in turn, free_factor, the
 * trylock that an interrupt finds taken.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

/* Normal has 16384 frames; batch and high are what a small zone gets. */
static struct machine *normal_machine(uint32_t cpus, bool cold)
{
    struct machine_config c = bare_config(4096 + 16384, 0, 11);
    c.cpus = cpus;
    c.pcp_cold = cold;
    c.min_free_kbytes = 1024;
    return boot(&c);
}

static void refill_and_order(void)
{
    struct machine *m = normal_machine(1, false);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    uint32_t batch = zone_view(m, z).pageset_batch;
    ok(batch > 1, "batch is %u", batch);
    struct event_log log = {0};
    watch(m, &log);
    uint64_t p = take(m, GFP_KERNEL, 0);
    is_u64(find_event(&log, EV_PCP_EMPTY)->arg[2], batch,
           "an empty list asks for a batch");
    is_u64(pcp_list_count(m, z, 0, 0), batch - 1, "one of them is ours, the rest stay");
    is_hex(pcp_list_first(m, z, 0, 0).v, p + 1, "in ascending order");
    log.nr = 0;
    uint64_t q = take(m, GFP_KERNEL, 0);
    is_hex(q, p + 1, "the next page follows");
    ok(!find_event(&log, EV_PCP_EMPTY), "without zone->lock");
    give(m, p, 0);
    is_hex(pcp_list_first(m, z, 0, 0).v, p, "a freed page is the hottest");
    is_hex(take(m, GFP_KERNEL, 0), p, "and the first to go out again");
    for (uint32_t order = 1; order <= 3; order++) {
        log.nr = 0;
        take(m, GFP_KERNEL, order);
        uint64_t want = batch >> order > 2 ? batch >> order : 2;
        is_u64(find_event(&log, EV_PCP_EMPTY)->arg[2], want, "order %u: %u blocks", order,
               (unsigned)want);
    }
    log.nr = 0;
    take(m, GFP_KERNEL, 4);
    ok(!find_event(&log, EV_PCP_EMPTY), "order 4 goes past the lists");
    machine_destroy(m);
}

static void free_factor_doubles(void)
{
    struct machine *m = normal_machine(1, false);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    static uint64_t p[2000];
    for (int i = 0; i < 2000; i++) {
        p[i] = take(m, GFP_KERNEL, 0);
    }
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    struct pcp_view v = pcp_view(m, z, 0);
    is_u64(v.count, 0, "drained");
    struct event_log log = {0};
    watch(m, &log);
    uint32_t factor = v.free_factor;
    is_u64(factor, 0, "allocating brought the factor down");
    for (int i = 0, drains = 0; i < 2000 && drains < 7; i++) {
        log.nr = 0;
        give(m, p[i], 0);
        const struct event *ev = find_event(&log, EV_PCP_DRAIN);
        if (ev) {
            uint64_t want = (uint64_t)v.batch << factor, most = v.high - v.batch;
            is_u64(ev->arg[2], want < most ? want : most, "drain %d gives back so many",
                   drains);
            factor += factor < 5 && want < most;
            is_u64(pcp_view(m, z, 0).free_factor, factor, "then free_factor is %u",
                   factor);
            ok(pcp_view(m, z, 0).count < v.high, "and the lists are below high");
            drains++;
        }
    }
    unwatch(m);
    take(m, GFP_KERNEL, 0);
    is_u64(pcp_view(m, z, 0).free_factor, factor / 2, "an allocation halves it");
    machine_destroy(m);
}

static void high_orders_go_back_at_once(void)
{
    struct machine *m = normal_machine(1, false);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    static uint64_t p[1000];
    for (int i = 0; i < 1000; i++) {
        p[i] = take(m, GFP_KERNEL, 0);
    }
    uint64_t big = take(m, GFP_KERNEL, 2);
    for (int i = 0; i < 1000 && !pcp_view(m, z, 0).free_factor; i++) {
        give(m, p[i], 0);
    }
    ok(pcp_view(m, z, 0).free_factor > 0, "freeing without allocating");
    give(m, big, 2);
    is_u64(pcp_view(m, z, 0).count, 0, "then a block of order 2 empties the lists");
    machine_destroy(m);
}

static void drains_in_turn(void)
{
    struct machine *m = normal_machine(1, false);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    struct pcp_view v = pcp_view(m, z, 0);
    static uint64_t p[4000];
    uint32_t n = 0;
    uint64_t movable[2] = {take(m, GFP_HIGHUSER_MOVABLE, 0),
                           take(m, GFP_HIGHUSER_MOVABLE, 0)};
    for (; n < v.high + 10; n++) {
        p[n] = take(m, GFP_KERNEL, 0);
    }
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    give(m, movable[0], 0);
    give(m, movable[1], 0);
    struct event_log log = {0};
    watch(m, &log);
    uint32_t i = 0;
    for (; i < n && !find_event(&log, EV_PCP_DRAIN); i++) {
        log.nr = 0;
        give(m, p[i], 0);
    }
    const struct event *first = find_event(&log, EV_MM_PAGE_PCPU_DRAIN);
    ok(first != NULL, "at high the lists are drained");
    is_hex(first->arg[0], p[0], "beginning with the freed page's list, at the cold end");
    is_u64(count_events(&log, EV_MM_PAGE_PCPU_DRAIN), v.batch,
           "one list is emptied as far as it goes before the next");
    machine_destroy(m);
}

static void cpus_have_their_own(void)
{
    struct machine *m = normal_machine(2, false);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    uint64_t p = run_on(m, 0, OP_ALLOC_PAGES, GFP_KERNEL, 0);
    uint64_t q = run_on(m, 1, OP_ALLOC_PAGES, GFP_KERNEL, 0);
    ok(q >= p + zone_view(m, z).pageset_batch, "CPU 1 refills its own list");
    run_on(m, 1, OP_FREE_PAGES, p, 0);
    is_hex(pcp_list_first(m, z, 1, 0).v, p,
           "a page goes to the list of the CPU that frees it");
    is_u64(page_view(m, pfn(p)).cpu, 1, "and says so");
    run_on(m, 0, OP_DRAIN_LOCAL_PAGES, 0, 0);
    is_u64(pcp_view(m, z, 0).count, 0, "a CPU drains its own lists");
    ok(pcp_view(m, z, 1).count > 0, "not the other's");
    run_on(m, 0, OP_DRAIN_ALL_PAGES, 0, 0);
    is_u64(pcp_view(m, z, 1).count, 0, "or all CPUs'");
    machine_destroy(m);
}

static void counters_drift(void)
{
    struct machine *m = normal_machine(2, false);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    uint64_t before = zone_view(m, z).free;
    int32_t threshold = pcp_view(m, z, 0).stat_threshold;
    run_op(m, OP_ALLOC_PAGES, GFP_KERNEL, 1); /* two blocks of two pages leave */
    is_i64(pcp_view(m, z, 0).free_diff, -4, "the CPU holds back what it took");
    is_u64(zone_view(m, z).free, before,
           "up to the threshold of %d the zone does not know", threshold);
    run_op(m, OP_VMSTAT_UPDATE, 0, 0);
    is_u64(zone_view(m, z).free, before - 4, "vmstat_update folds it in");
    is_i64(pcp_view(m, z, 0).free_diff, 0, "and nothing is held back");
    run_op(m, OP_ALLOC_PAGES, GFP_KERNEL, 4);
    is_u64(zone_view(m, z).free, before - 20, "more than the threshold goes in at once");
    machine_destroy(m);
}

/* An interrupt at a chosen event takes and gives a page. */
static struct {
    uint16_t at;
    bool done, deliverable, trylock_failed;
    uint64_t taken;
} irq;

static void nested(struct machine *m, uint16_t kind, uint64_t a, uint64_t b)
{
    machine_do_nested(m, &(struct op){.kind = kind, .arg = {a, b}});
}

static void interrupt(struct machine *m, const struct event *ev)
{
    irq.trylock_failed |= ev->kind == EV_PCP_TRYLOCK_FAIL;
    if (irq.done || ev->kind != irq.at) {
        return;
    }
    irq.done = true;
    irq.deliverable = machine_irq_deliverable(m, 0);
    if (irq.deliverable) {
        nested(m, OP_IRQ_ENTER, 0, 0);
        irq.taken = machine_do_nested(
            m, &(struct op){.kind = OP_ALLOC_PAGES, .arg = {GFP_ATOMIC, 0}});
        nested(m, OP_FREE_PAGES, irq.taken, 0);
        nested(m, OP_IRQ_LEAVE, 0, 0);
    }
}

static void interrupt_at(uint16_t kind, bool deliverable, bool fails)
{
    struct machine *m = normal_machine(1, false);
    struct event_log log = {.at = interrupt};
    memset(&irq, 0, sizeof irq);
    irq.at = kind;
    uint64_t before = all_free(m);
    watch(m, &log);
    uint64_t p = take(m, GFP_KERNEL, 0);
    const char *name = event_info(kind)->name;
    ok(irq.done && p != PFN_NONE, "%s: an interrupt is tried there", name);
    is_u64(irq.deliverable, deliverable, "%s: interrupts are %s", name,
           deliverable ? "on" : "off");
    if (deliverable) {
        is_u64(irq.trylock_failed, fails, "%s: the handler finds the lists %s", name,
               fails ? "taken" : "free");
        ok(irq.taken != PFN_NONE, "%s: and gets a page all the same", name);
    }
    is_u64(cpu_view(m, 0).preempt_count, 0, "%s: nothing stays locked", name);
    unwatch(m);
    give(m, p, 0);
    is_u64(all_free(m), before, "%s: no page is lost", name);
    machine_destroy(m);
}

static void cold_option(void)
{
    struct machine *m = normal_machine(1, true);
    uint32_t z = zone_by_type(m, ZONE_NORMAL);
    take(m, GFP_KERNEL, 0);
    uint64_t last = 0;
    for (pfn_t p = pcp_list_first(m, z, 0, 0); !pfn_is_none(p); p = pcp_list_next(m, p)) {
        last = p.v;
    }
    is_hex(take(m, GFP_KERNEL | __GFP_COLD, 0), last,
           "__GFP_COLD takes from the cold end");
    machine_destroy(m);
    m = normal_machine(1, false);
    uint64_t p = take(m, GFP_KERNEL, 0);
    is_hex(take(m, GFP_KERNEL | __GFP_COLD, 0), p + 1,
           "without the option it means nothing");
    machine_destroy(m);
}

static void bulk(void)
{
    struct machine *m = normal_machine(1, false);
    struct event_log log = {0};
    watch(m, &log);
    is_u64(run_op(m, OP_ALLOC_PAGES_BULK, GFP_KERNEL, 40), 40, "40 pages in one call");
    is_u64(count_events(&log, EV_PCP_TAKE), 40, "each off the per-CPU list");
    is_u64(run_op(m, OP_ALLOC_PAGES_BULK, GFP_KERNEL, 1), 1,
           "one page is an ordinary request");
    is_u64(run_op(m, OP_ALLOC_PAGES_BULK, GFP_KERNEL, 0), 0, "none is none");
    is_u64(run_op(m, OP_ALLOC_PAGES_BULK, GFP_NOWAIT | __GFP_NOWARN, 1 << 20), 1,
           "more than any zone has above low: a single one");
    machine_destroy(m);
}

/* pcp=false: what is freed merges at once, and no page waits on a list. */
static void without_lists(void)
{
    struct machine_config c = bare_config(4096 + 16384, 0, 11);
    c.no_pcp = true;
    struct machine *m = boot(&c);
    const uint32_t z = zone_by_type(m, ZONE_NORMAL);
    const uint64_t free = zone_view(m, z).free, blocks = free_area_count(m, z, 10);
    uint64_t page[64];
    struct event_log log = {0};
    watch(m, &log);
    for (uint32_t i = 0; i < 64; i++) {
        page[i] = take(m, GFP_KERNEL, i % 4);
        ok(page[i] != PFN_NONE && !pcp_view(m, z, 0).count, "a page, and none beside it");
    }
    is_u64(run_op(m, OP_ALLOC_PAGES_BULK, GFP_KERNEL, 40), 1, "there is no bulk without");
    for (uint32_t i = 0; i < 64; i++) {
        give(m, page[i], i % 4);
    }
    ok(!find_event(&log, EV_PCP_EMPTY) && !find_event(&log, EV_PCP_TAKE),
       "no list is asked");
    is_u64(zone_view(m, z).free, free - 1, "all is free again but the bulk's one page");
    is_u64(free_area_count(m, z, 10), blocks - 1, "and merged as far as it can be");
    is_str(machine_check(m), NULL, "the machine is sound");
    machine_destroy(m);
}

int main(void)
{
    without_lists();
    refill_and_order();
    free_factor_doubles();
    high_orders_go_back_at_once();
    drains_in_turn();
    cpus_have_their_own();
    counters_drift();
    interrupt_at(EV_ZONE_TRY, true, false);
    interrupt_at(EV_PCP_EMPTY, true, true);
    interrupt_at(EV_BUDDY_TAKE, false, false);
    interrupt_at(EV_BUDDY_SPLIT, false, false);
    interrupt_at(EV_MM_PAGE_ALLOC_EXTFRAG, false, false);
    interrupt_at(EV_PCP_REFILL, true, true);
    interrupt_at(EV_PCP_TAKE, true, true);
    interrupt_at(EV_MM_PAGE_ALLOC, true, false);
    cold_option();
    bulk();
    return done_testing();
}
