/* Calls that no correct caller makes: each is reported, and the machine stays consistent
 * (machine_check after every operation).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include "bad_reasons.h"
#include "prng.h"

static struct event_log seen;

static struct machine *fresh(void)
{
    struct machine_config c = bare_config(2048, 0, 11);
    struct machine *m = boot(&c);
    watch(m, &seen);
    return m;
}

static void wrong_free(struct machine *m, uint64_t frame, uint64_t order,
                       enum bad_reason reason, const char *what)
{
    seen.nr = 0;
    give(m, frame, order);
    const struct event *ev = find_event(&seen, EV_BAD_FREE);
    ok(ev != NULL, "%s is reported", what);
    if (ev) {
        is_u64(ev->arg[2], reason, "%s: for the right reason", what);
        is_u64(event_info(ev->kind)->level, EVENT_REPORT, "%s: as a report", what);
    }
}

static void double_free_on_pcp(void)
{
    struct machine *m = fresh();
    uint64_t p = take(m, GFP_KERNEL, 0);
    give(m, p, 0);
    wrong_free(m, p, 0, BAD_DOUBLE_FREE, "a double free");
    is_u64((uint32_t)page_view(m, pfn(p)).refcount, UINT32_MAX, "_refcount is -1");
    is_u64(page_view(m, pfn(p)).state, PAGE_PCP, "and the page stays where it is");
    seen.nr = 0;
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    const struct event *ev = find_event(&seen, EV_BAD_PAGE);
    ok(ev && ev->arg[0] == p && ev->arg[1] == BAD_REFCOUNT,
       "leaving the list, it is noticed: Bad page state, nonzero _refcount");
    is_u64(page_view(m, pfn(p)).state, PAGE_ALLOCATED, "and lost for ever");
    is_u64(all_free(m), 2047, "all others are free");
    machine_destroy(m);

    m = fresh();
    p = take(m, GFP_KERNEL, 0);
    give(m, p, 0);
    give(m, p, 0);
    is_hex(take(m, GFP_KERNEL, 0), p,
           "taken straight off the list again, it is not looked at");
    is_u64(page_view(m, pfn(p)).refcount, 1, "and healed");
    machine_destroy(m);
}

static void double_free_in_buddy(void)
{
    struct machine *m = fresh();
    uint64_t p = take(m, GFP_HIGHUSER_MOVABLE, 0);
    give(m, p, 0);
    run_op(m, OP_DRAIN_ALL_PAGES, 0, 0);
    is_u64(page_view(m, pfn(p)).order, 10, "the page is part of a big block");
    wrong_free(m, p + 1, 0,
               page_view(m, pfn(p + 1)).head == p + 1 ? BAD_DOUBLE_FREE : BAD_TAIL_FREE,
               "freeing a page inside of a free block");
    seen.nr = 0;
    uint64_t lost = 0, n = 0;
    while (take(m, GFP_NOWAIT | __GFP_MOVABLE | __GFP_NOWARN, 0) != PFN_NONE) {
        n++;
    }
    lost = count_events(&seen, EV_BAD_PAGE);
    ok(lost <= 1, "%u pages are lost", (unsigned)lost);
    ok(n >= 2040, "the others can all be had");
    machine_destroy(m);
}

static void wrong_orders(void)
{
    struct machine *m = fresh();
    uint64_t p = take(m, GFP_KERNEL, 4);
    wrong_free(m, p, 2, BAD_LOW_ORDER, "too low an order");
    ok(page_view(m, pfn(p)).state != PAGE_ALLOCATED, "the beginning is free");
    is_u64(page_view(m, pfn(p + 4)).state, PAGE_ALLOCATED, "the rest leaks");
    is_u64(all_free(m), 2048 - 12, "12 pages are lost");
    wrong_free(m, p + 8, 3, BAD_LEAKED, "freeing what leaked");

    uint64_t q = take(m, GFP_KERNEL, 4), after = take(m, GFP_KERNEL, 4);
    uint64_t low = q < after ? q : after;
    if (low & 31) {
        low = take(m, GFP_KERNEL, 5) /* to be aligned */;
        wrong_free(m, low, 6, BAD_HIGH_ORDER, "too high an order");
    } else {
        wrong_free(m, low, 5, BAD_HIGH_ORDER, "too high an order");
    }
    ok(find_event(&seen, EV_BAD_PAGE) != NULL,
       "the pages behind it are somebody's: Bad page");
    is_u64(page_view(m, pfn(low)).state, PAGE_ALLOCATED, "so the block is not freed");
    wrong_free(m, take(m, GFP_KERNEL, 0), 10, BAD_HIGH_ORDER, "order 10 for one page");
    uint64_t odd;
    do {
        odd = take(m, GFP_KERNEL, 0);
    } while (!(odd & 1));
    wrong_free(m, odd, 1, BAD_MISALIGNED, "a block that cannot begin here");
    wrong_free(m, odd, 11, BAD_NO_ORDER, "an order that does not exist");
    wrong_free(m, odd, UINT64_MAX, BAD_NO_ORDER, "or a number");
    machine_destroy(m);
}

static void high_order_over_a_list(void)
{
    struct machine *m = fresh();
    uint64_t p[8];
    for (int i = 0; i < 8; i++) {
        p[i] = take(m, GFP_KERNEL, 0);
    }
    /* 4k aligned quadruple of neighbours, three of them on the per-CPU list */
    for (int i = 0; i + 3 < 8; i++) {
        if (!(p[i] & 3) && p[i + 3] == p[i] + 3) {
            give(m, p[i + 1], 0);
            give(m, p[i + 2], 0);
            give(m, p[i + 3], 0);
            seen.nr = 0;
            give(m, p[i], 2);
            uint32_t n = count_events(&seen, EV_BAD_FREE);
            is_u64(n, 2,
                   "a block over pages of a per-CPU list: the kernel would not see it");
            is_u64(page_view(m, pfn(p[i])).state, PAGE_ALLOCATED, "here the page leaks");
            is_u64(page_view(m, pfn(p[i + 1])).state, PAGE_PCP, "and the others stay");
            break;
        }
    }
    machine_destroy(m);
}

static void tails_and_compounds(void)
{
    struct machine *m = fresh();
    uint64_t p = take(m, GFP_KERNEL | __GFP_COMP, 4);
    ok(page_view(m, pfn(p)).compound, "a compound page");
    wrong_free(m, p + 3, 0, BAD_TAIL_FREE, "freeing a tail");
    seen.nr = 0;
    give(m, p, 4);
    ok(find_event(&seen, EV_BAD_PAGE) != NULL, "its block is then bad");
    is_u64(page_view(m, pfn(p)).state, PAGE_ALLOCATED, "and leaks");
    seen.nr = 0;
    run_op(m, OP_SPLIT_PAGE, take(m, GFP_KERNEL | __GFP_COMP, 3), 3);
    ok(find_event(&seen, EV_BAD_CALL) != NULL, "a compound page cannot be split");
    machine_destroy(m);
}

static void split_pages(void)
{
    struct machine *m = fresh();
    uint64_t p = take(m, GFP_KERNEL, 3);
    run_op(m, OP_SPLIT_PAGE, p, 3);
    for (uint64_t i = 0; i < 8; i++) {
        is_u64(page_view(m, pfn(p + i)).refcount, 1, "page %u of 8 is its own",
               (unsigned)i);
        give(m, p + i, 0);
    }
    is_u64(all_free(m), 2048, "all are free");
    seen.nr = 0;
    run_op(m, OP_SPLIT_PAGE, p, 3);
    run_op(m, OP_SPLIT_PAGE, 1 << 20, 3);
    run_op(m, OP_SPLIT_PAGE, take(m, GFP_KERNEL, 2), 1);
    is_u64(count_events(&seen, EV_BAD_CALL), 3,
           "what is not a block of this order is refused");
    machine_destroy(m);
}

static void reserved_and_wild(void)
{
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    config_set(&c, "ram", "64M", err, sizeof err);
    config_set(&c, "highmem", "0", err, sizeof err);
    struct machine *m = boot(&c);
    watch(m, &seen);
    uint64_t image = 0x1000, before = all_free(m);
    is_u64(page_view(m, pfn(image)).state, PAGE_RESERVED,
           "the kernel's image is reserved");
    wrong_free(m, image, 0, BAD_RESERVED, "freeing the kernel's image");
    is_u64(all_free(m), before + 1, "the kernel believes it: the page is free");
    wrong_free(m, image + 16, 4, BAD_RESERVED, "16 pages of it");
    ok(find_event(&seen, EV_BAD_PAGE) != NULL, "their neighbours are reserved: Bad page");
    is_u64(page_view(m, pfn(image + 16)).state, PAGE_RESERVED, "and they stay");
    wrong_free(m, 0xa0, 0, BAD_RESERVED, "freeing the VGA hole");

    seen.nr = 0;
    give(m, 64 << 8, 0);
    give(m, 1 << 30, 0);
    give(m, UINT64_MAX, 0);
    give(m, UINT64_MAX - 1, 10);
    is_u64(count_events(&seen, EV_OOPS), 4, "frames without a struct page: an oops each");
    machine_destroy(m);
}

static void lru(void)
{
    struct machine *m = fresh();
    uint64_t p = take(m, GFP_USER, 0), q = take(m, GFP_USER, 5);
    run_op(m, OP_LRU_ADD, p, 0);
    ok(page_view(m, pfn(p)).lru, "on the LRU");
    seen.nr = 0;
    run_op(m, OP_LRU_ADD, p, 0);
    run_op(m, OP_LRU_DEL, q, 0);
    run_op(m, OP_LRU_ADD, 1 << 30, 0);
    is_u64(count_events(&seen, EV_BAD_CALL), 3, "twice, not at all, nowhere: refused");
    give(m, p, 0);
    ok(!find_event(&seen, EV_BAD_PAGE),
       "freeing a single page on the LRU is not noticed");
    run_op(m, OP_LRU_ADD, q, 0);
    give(m, q, 5);
    ok(find_event(&seen, EV_BAD_PAGE) != NULL, "a block of order 5 is looked at");
    machine_destroy(m);
}

static void calls_without_sense(void)
{
    struct machine *m = fresh();
    machine_do(m, &(struct op){.kind = 9999});
    machine_do(m, &(struct op){.kind = OP_ALLOC_PAGES, .cpu = 200, .arg = {GFP_KERNEL}});
    run_op(m, OP_SET_LOWMEM_RESERVE_RATIO, 99, 1);
    is_u64(count_events(&seen, EV_BAD_CALL), 3,
           "no such operation, CPU or zone: refused");
    ok(!machine_check(m), "all invariants hold");
    machine_destroy(m);
}

/* A digest at every event takes the arena's marks away: whoever writes on must mark
 * anew. */
static void take_digest(struct machine *m, const struct event *ev)
{
    (void)ev;
    machine_digest(m);
}

/* Anything at all, in any order: no crash, no broken invariant. */
static void random_misuse(void)
{
    struct prng r = {20240229};
    for (int round = 0; round < 60; round++) {
        struct machine_config c =
            bare_config(round % 3 ? 64 : 8192, round % 3 ? 0 : 2048, round % 3 ? 4 : 11);
        c.cpus = 2;
        struct machine *m = boot(&c);
        uint64_t frames = machine_max_pfn(m), known[32] = {0};
        seen.at = take_digest;
        watch(m, &seen);
        for (int i = 0; i < 300; i++) {
            uint64_t frame = prng_one_in(&r, 3) ? prng_below(&r, frames + 4)
                                                : known[prng_below(&r, 32)];
            uint64_t order = prng_one_in(&r, 4) ? prng_below(&r, 12) : prng_below(&r, 4);
            gfp_t gfp = (gfp_t)prng_next(&r);
            uint64_t *slot = &known[prng_below(&r, 32)];
            uint32_t cpu = (uint32_t)prng_below(&r, 2);
            switch (prng_below(&r, 12)) {
            case 0:
                run_on(m, cpu, OP_SPLIT_PAGE, frame, order);
                break;
            case 1:
                run_on(m, cpu, OP_LRU_ADD, frame, 0);
                break;
            case 2:
                run_on(m, cpu, OP_DRAIN_ALL_PAGES, 0, 0);
                break;
            case 3:
                *slot = run_on(m, cpu, OP_ALLOC_PAGES, gfp, order);
                break;
            case 4:
            case 5:
            case 6:
            case 7:
                *slot = run_on(m, cpu, OP_ALLOC_PAGES, GFP_KERNEL | __GFP_NOWARN, order);
                break;
            default:
                run_on(m, cpu, OP_FREE_PAGES, frame, order);
            }
        }
        const char *why = machine_check(m);
        why = why ? why : arena_check(&m->arena);
        ok(!why, "round %d of random misuse: %s", round,
           why ? why : "the machine is whole");
        machine_destroy(m);
    }
}

int main(void)
{
    double_free_on_pcp();
    double_free_in_buddy();
    wrong_orders();
    high_order_over_a_list();
    tails_and_compounds();
    split_pages();
    reserved_and_wild();
    lru();
    calls_without_sense();
    random_misuse();
    return done_testing();
}
