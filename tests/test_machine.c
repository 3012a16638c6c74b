/* Machines as wholes: the host that has no memory, the same bytes from the same
 * operations, watched or not, with digests and snapshots taken at any event.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"
#include "prng.h"

/* ---- a host that fails ---- */

static int reserves_left, given;

static void *stingy_reserve(size_t size_bytes)
{
    if (reserves_left-- <= 0) {
        return NULL;
    }
    given++;
    return calloc(1, size_bytes);
}
static void stingy_release(void *base, size_t size_bytes)
{
    (void)size_bytes;
    given--;
    free(base);
}

static void host_without_memory(void)
{
    const struct arena_host host = {stingy_reserve, stingy_release};
    struct machine_config c = bare_config(2048, 0, 11);
    struct machine *m = NULL;
    int n = 0;
    for (; !m && n < 100; n++) {
        char err[300] = "";
        reserves_left = n;
        given = 0;
        m = machine_create(&c, &host, err, sizeof err);
        if (!m) {
            ok(err[0] && !given, "no memory at the host's call %d: refused (%s)", n, err);
        }
    }
    ok(m && n > 1, "with %d calls the machine is there", n - 1);
    machine_destroy(m);
    is_i64(given, 0, "and everything is given back");
}

/* ---- the same operations ---- */

static void zeroed_pages(void)
{
    struct machine_config c = bare_config(2048, 0, 11);
    struct machine *m = boot(&c);
    uint64_t p = take(m, GFP_KERNEL, 2);
    unsigned char bytes[4] = {1, 2, 3, 4};
    ram_write(&m->ram, paddr((p + 1) << PAGE_SHIFT), bytes, 4);
    give(m, p, 2);
    is_hex(take(m, GFP_KERNEL, 2), p, "the block comes back");
    ram_read(&m->ram, paddr((p + 1) << PAGE_SHIFT), bytes, 4);
    is_u64(bytes[3], 4, "with what was in it");
    give(m, p, 2);
    take(m, GFP_KERNEL | __GFP_ZERO, 2);
    ram_read(&m->ram, paddr((p + 1) << PAGE_SHIFT), bytes, 4);
    is_u64(bytes[0] | bytes[1] | bytes[2] | bytes[3], 0, "__GFP_ZERO clears it");
    machine_destroy(m);
}

static void random_op(struct prng *r, struct op *op, const uint64_t *pages,
                      const uint8_t *orders, uint32_t n, uint32_t *slot)
{
    static const gfp_t gfps[] = {GFP_KERNEL, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE, GFP_NOWAIT,
                                 GFP_KERNEL | __GFP_RECLAIMABLE};
    static const uint16_t others[] = {OP_DRAIN_ALL_PAGES, OP_VMSTAT_UPDATE, OP_IRQ_ENTER,
                                      OP_IRQ_LEAVE,       OP_MEMALLOC,      OP_NOTE};
    *slot = (uint32_t)prng_below(r, n);
    *op = (struct op){.cpu = (uint8_t)prng_below(r, 2)};
    if (prng_one_in(r, 12)) {
        op->kind = others[prng_below(r, 6)];
    } else if (pages[*slot] == PFN_NONE) {
        op->kind = OP_ALLOC_PAGES;
        op->arg[0] = gfps[prng_below(r, 5)] | __GFP_NOWARN;
        op->arg[1] = prng_below(r, prng_one_in(r, 3) ? 11 : 4);
    } else {
        op->kind = OP_FREE_PAGES;
        op->arg[0] = pages[*slot];
        op->arg[1] = orders[*slot];
    }
}

enum { SLOTS = 300 };

/* Answers a hash of all answers and numbers of events. */
static uint64_t play(struct machine *m, int nr_ops)
{
    struct prng r = {12345};
    uint64_t pages[SLOTS], hash = 0;
    uint8_t orders[SLOTS] = {0};
    for (int i = 0; i < SLOTS; i++) {
        pages[i] = PFN_NONE;
    }
    for (int i = 0; i < nr_ops; i++) {
        struct op op;
        uint32_t slot;
        random_op(&r, &op, pages, orders, SLOTS, &slot);
        uint64_t answer = machine_do(m, &op);
        hash = (hash ^ answer) * 0x9e3779b97f4a7c15 + m->probe.n;
        if (op.kind == OP_ALLOC_PAGES) {
            pages[slot] = answer;
            orders[slot] = (uint8_t)op.arg[1];
        } else if (op.kind == OP_FREE_PAGES) {
            pages[slot] = PFN_NONE;
        }
    }
    return hash;
}

static struct machine_config two_cpus(void)
{
    struct machine_config c = bare_config(4096 + 6000, 2000, 11);
    c.cpus = 2;
    c.min_free_kbytes = 512;
    return c;
}

struct meddler {
    struct machine *m;
    uint64_t events;
    bool digest, snapshot;
    const char *broken; /* what machine_check said at some event */
    struct snapshot *held;
};

static void meddle(struct probe *p, const struct event *ev)
{
    struct meddler *x = p->slow_ctx;
    x->events++;
    if (!x->broken && x->events % 5 == 0) {
        x->broken = machine_check(x->m);
        if (x->broken) {
            diag("at %s: %s", event_info(ev->kind)->name, x->broken);
        }
    }
    if (x->digest && x->events % 7 == 0) {
        machine_digest(x->m);
    }
    if (x->snapshot && x->events % 11 == 0) {
        struct snapshot *s = arena_snapshot(&x->m->arena);
        if (x->held) {
            snapshot_unref(&x->m->arena, x->held);
        }
        x->held = s;
    }
}

static void same_bytes(void)
{
    struct machine_config c = two_cpus();
    struct machine *plain = boot(&c);
    uint64_t booted = machine_digest(plain), answers = play(plain, 6000);
    uint64_t digest = machine_digest(plain);
    ok(digest != booted, "operations change the bytes");
    ok(!machine_check(plain), "all invariants hold");
    for (int how = 0; how < 4; how++) {
        struct machine *m = boot(&c);
        struct meddler x = {.m = m, .digest = how & 1, .snapshot = how & 2};
        const char *what = how == 0   ? "watched"
                           : how == 1 ? "with digests at events"
                           : how == 2 ? "with snapshots at events"
                                      : "with both";
        is_hex(machine_digest(m), booted, "%s: the same bytes after boot", what);
        m->probe.slow = meddle;
        m->probe.slow_ctx = &x;
        m->probe.stop = 0;
        is_hex(play(m, 6000), answers, "%s: the same answers and events", what);
        is_hex(machine_digest(m), digest, "%s: the same bytes at the end", what);
        const char *why = arena_check(&m->arena);
        ok(!why, "%s: every change was marked %s", what, why ? why : "");
        ok(!x.broken, "%s: all invariants hold at events, too", what);
        is_u64(m->probe.depth, 0, "%s: every function was left", what);
        if (x.held) {
            snapshot_unref(&m->arena, x.held);
        }
        machine_destroy(m);
    }
    machine_destroy(plain);
}

int main(void)
{
    host_without_memory();
    zeroed_pages();
    same_bytes();
    return done_testing();
}
