/* What the hardware's panes show is what is there, and looking changes nothing.
 *
 * Random loads, stores and mappings on machines of several kinds. Bytes are compared with
 * what a load then answers, the rows of the page-table tree with
 * the tables, searches with looking byte by byte, and what is announced as probed next
 * with the events of the operation when it comes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <locale.h>

#include "app.h"
#include "hw_focus.h"
#include "memory_view.h"
#include "mm_struct.h"
#include "open_app.h"
#include "pane.h"
#include "prng.h"
#include "session.h"
#include "tap.h"
#include "vm.h"
#include "walk_rows.h"

enum { PAGES = 16, AREA = PAGES * 4096 };
#define USER_VA UINT64_C(0x10000000)

struct bench {
    struct session *s;
    struct app a;
    struct grid g;
    struct prng r;
    uint64_t mm, kernel;
};

static uint64_t run(struct bench *b, const struct op *op)
{
    const struct position from = timeline_position(b->a.t);
    const uint64_t result = timeline_do(b->a.t, op);
    app_moved(&b->a, from);
    return result;
}

static uint64_t do_op(struct bench *b, uint16_t kind, uint64_t a0, uint64_t a1,
                      uint64_t a2, uint64_t a3)
{
    const struct op op = {.kind = kind, .origin = ORIGIN_USER, .arg = {a0, a1, a2, a3}};
    return run(b, &op);
}

static void open_bench(struct bench *b, const char *machine, uint64_t seed)
{
    *b = (struct bench){.r = {seed}};
    b->s = open_app(&b->a, &b->g, "hardware", machine, "");
    b->mm = do_op(b, OP_MM_CREATE, 0, 0, 0, 0);
    do_op(b, OP_SWITCH_MM, b->mm, 0, 0, 0);
    do_op(b, OP_MMAP, b->mm, USER_VA, AREA, VM_READ | VM_WRITE);
    b->kernel = do_op(b, OP_VMALLOC, AREA, 0, 0, 0);
}

static void close_bench(struct bench *b)
{
    grid_destroy(&b->g);
    app_free(&b->a);
    session_close(b->s);
}

/* One random access. */
static void access_once(struct bench *b)
{
    const bool user = prng_below(&b->r, 2);
    const uint64_t mode = user ? MODE_USER : MODE_KERNEL;
    const uint64_t base = user ? USER_VA : b->kernel;
    const uint64_t va = base + prng_below(&b->r, AREA / 8) * 8;
    struct op op = {.origin = ORIGIN_USER,
                    .cpu = (uint8_t)prng_below(&b->r, machine_nr_cpus(b->a.model.m))};
    op.arg[0] = va;
    switch (prng_below(&b->r, 8)) {
    case 0:
        op.kind = OP_FETCH;
        op.arg[1] = mode;
        op.arg[2] = 1;
        break;
    case 1:
    case 2:
    case 3:
        op.kind = OP_LOAD;
        op.arg[1] = 8;
        op.arg[2] = mode;
        break;
    default:
        op.kind = OP_STORE;
        op.arg[1] = 8;
        /* numbers, addresses and what looks like entries */
        op.arg[2] = prng_one_in(&b->r, 3) ? base + prng_below(&b->r, AREA)
                                          : prng_next(&b->r) >> prng_below(&b->r, 60);
        op.arg[3] = mode;
        break;
    }
    if (user && op.cpu) {
        op.cpu = 0; /* the process runs there only */
    }
    run(b, &op);
}

/* ---- bytes ---- */

/* What the pane shows of eight bytes, then what a load of the CPU in view answers. */
static unsigned wrong_bytes(struct bench *b, uint64_t va)
{
    enum { N = 64 };
    const struct machine *m = b->a.model.m;
    unsigned char seen[N], ram[N], from[N];
    const uint32_t cpu = b->a.cpu;
    unsigned wrong = 0, i = (unsigned)prng_below(&b->r, N - 7);
    memory_see(m, cpu, NULL, false, va, N, seen, ram, from);
    for (unsigned k = 0; k < N; k++) {
        const struct memory_at at = memory_translate(m, cpu, NULL, va + k);
        unsigned char byte = 0;
        wrong += (from[k] == SEEN_NOWHERE) != (at.via == VIA_NOTHING);
        if (at.via != VIA_NOTHING) {
            ram_read(&m->ram, paddr(at.pa), &byte, 1);
            wrong += byte != ram[k];
        }
    }
    if (from[i] == SEEN_NOWHERE || from[i + 7] == SEEN_NOWHERE) {
        return wrong;
    }
    const struct op op = {.kind = OP_LOAD,
                          .cpu = (uint8_t)cpu,
                          .origin = ORIGIN_USER,
                          .arg = {va + i, 8, va < b->kernel ? MODE_USER : MODE_KERNEL}};
    uint64_t want = 0;
    for (unsigned k = 0; k < 8; k++) {
        want |= (uint64_t)seen[i + k] << 8 * k;
    }
    return wrong + (run(b, &op) != want);
}

/* ---- what is probed next ---- */

struct first_probe {
    uint16_t kind;
    uint64_t set, level, data;
};

static void catch_probe(void *ctx, struct machine *m, const struct event *ev)
{
    struct first_probe *p = ctx;
    (void)m;
    if (!p->kind && (ev->kind == EV_L1_PROBE || ev->kind == EV_TLB_PROBE)) {
        p->kind = ev->kind;
        event_arg_named(ev, "set", &p->set);
        event_arg_named(ev, "level", &p->level);
        event_arg_named(ev, "data", &p->data);
    }
}

/* Back before the last operation: is the first probe the one announced? */
static bool predicted(struct bench *b)
{
    const struct position end = timeline_position(b->a.t);
    struct first_probe p = {0};
    struct op_record rec;
    timeline_op(b->a.t, end.branch, end.op - 1, &rec);
    timeline_events(b->a.t, end.branch, end.op - 1, catch_probe, &p);
    struct position before = end;
    before.op--;
    timeline_seek(b->a.t, before);
    app_moved(&b->a, end);
    const struct hw_focus *f = &b->a.hw.focus;
    const bool fetch = rec.op.kind == OP_FETCH;
    bool good = true;
    if (p.kind && hardware_is_op(rec.op.kind) && b->a.cpu == rec.op.cpu) {
        const int part = p.kind == EV_L1_PROBE ? (fetch ? PART_L1I : PART_L1D)
                                               : (fetch ? PART_ITLB : PART_DTLB);
        good = f->first_next == part && f->has_next[part] && f->next[part].set == p.set;
    }
    timeline_seek(b->a.t, end);
    app_moved(&b->a, before);
    return good;
}

/* ---- the tree ---- */

/* Every entry of every open table is in exactly one row, as it is in memory. */
static unsigned wrong_rows(const struct machine *m, const struct walk_state *s,
                           const struct mmu *mmu)
{
    unsigned wrong = 0;
    for (int i = 0; i < s->nr_rows; i++) {
        const struct walk_row *r = &s->rows[i];
        if (!r->open || (r->kind == WALK_ENTRY && !r->leads)) {
            continue;
        }
        /* the rows one deeper, up to the next row that is not deeper */
        const bool run = r->kind == WALK_RUN;
        uint32_t next = run ? r->first : 0, level = r->level;
        uint64_t table = r->table, entries[TABLE_MAX_ENTRIES];
        if (r->kind == WALK_ENTRY) {
            table = table_entry_target(mmu, r->level, r->value);
            level = r->level - 1;
        }
        const uint32_t nr = table_read(m, mmu->paging, table, level, entries);
        for (int j = i + 1; j < s->nr_rows && s->rows[j].depth > r->depth; j++) {
            const struct walk_row *in = &s->rows[j];
            if (in->depth != r->depth + 1) {
                continue;
            }
            wrong += in->table != table || in->level != level || in->first != next;
            wrong += in->value != entries[in->first];
            for (uint32_t k = in->first; k <= in->last; k++) {
                const uint64_t page = (uint64_t)1
                                      << table_level_shift(mmu->paging, level);
                const uint64_t step = in->kind == WALK_GAP || in->alike ? 0
                                      : in->leads                       ? PAGE_SIZE
                                                                        : page;
                wrong += entries[k] != in->value + (k - in->first) * step;
            }
            next = in->last + 1u;
        }
        wrong += next != (run ? r->last + 1u : nr);
    }
    return wrong;
}

static void test_tree(struct bench *b, const char *name)
{
    struct walk_state *s = &b->a.hw.walk;
    struct mmu mmu;
    char space[48];
    unsigned wrong = 0, lost = 0, folds = 0;
    s->nr_folds = 0;
    const struct space_choice kinds[] = {{.kind = SPACE_CURRENT},
                                         {.kind = SPACE_KERNEL},
                                         {SPACE_PROCESS, (uint32_t)b->mm}};
    for (int i = 0; i < 60; i++) {
        const uint64_t va = prng_below(&b->r, 2) ? USER_VA + prng_below(&b->r, AREA)
                                                 : b->kernel + prng_below(&b->r, AREA);
        if (!hw_space(&b->a, &kinds[i % 3], &mmu, space, sizeof space)) {
            wrong++;
            continue;
        }
        walk_rows_build(b->a.model.m, s, &mmu, true, va);
        wrong += wrong_rows(b->a.model.m, s, &mmu);
        const int row = walk_rows_find(s, &mmu, va);
        struct walk w;
        table_walk(b->a.model.m, &mmu, va, &w);
        /* unless somebody has closed the way, its end is the last entry of the walk */
        lost += !folds && (row < 0 || !w.nr_steps ||
                           walk_row_at(&s->rows[row], &mmu) > w.step[w.nr_steps - 1].at ||
                           s->rows[row].level != w.step[w.nr_steps - 1].level);
        if (i >= 30 && s->nr_rows) {
            const int at = (int)prng_below(&b->r, (uint64_t)s->nr_rows);
            folds += walk_rows_fold(s, &mmu, at, !s->rows[at].open);
        }
    }
    is_u64(wrong, 0, "%s: the tree's rows are the tables' entries, each once", name);
    is_u64(lost, 0, "%s: the way to an address opens by itself", name);
}

/* Pages in use as the tables have them, against a walk for each. */
static void test_next_mapped(struct bench *b, const char *name)
{
    struct mmu mmu;
    char space[48];
    const struct space_choice current = {.kind = SPACE_CURRENT};
    hw_space(&b->a, &current, &mmu, space, sizeof space);
    unsigned wrong = 0;
    for (uint64_t va = USER_VA - 4 * PAGE_SIZE; va < USER_VA + AREA + 4 * PAGE_SIZE;
         va += PAGE_SIZE) {
        uint64_t next = va, size = 0, want = va;
        uint32_t budget = 100;
        struct walk w = {.fault = {.kind = FAULT_PAGE}};
        while (want < USER_VA + AREA) {
            table_walk(b->a.model.m, &mmu, want, &w);
            if (w.fault.kind == FAULT_NONE) {
                break;
            }
            want += PAGE_SIZE;
        }
        const bool found = table_next_mapped(b->a.model.m, &mmu, &next, &size, &budget);
        wrong += want < USER_VA + AREA ? !found || next != want || size != PAGE_SIZE
                                       : found && next < USER_VA + AREA;
    }
    is_u64(wrong, 0, "%s: the next mapped page is the next one that a walk finds", name);
}

/* ---- searching ---- */

/* A few bytes, as they are seen one by one; false: not all of them are there. */
static bool bytes_at(const struct bench *b, uint64_t va, unsigned char *to, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        unsigned char ram, from;
        memory_see(b->a.model.m, b->a.cpu, NULL, false, va + i, 1, &to[i], &ram, &from);
        if (from == SEEN_NOWHERE) {
            return false;
        }
    }
    return true;
}

static void test_search(struct bench *b, const char *name)
{
    unsigned wrong = 0, found = 0;
    for (int i = 0; i < 40; i++) {
        unsigned char needle[64], here[8];
        bool exhausted;
        const uint64_t base = i % 2 ? USER_VA : b->kernel;
        const uint64_t at = base + prng_below(&b->r, AREA - 8);
        const uint32_t n = 2 + (uint32_t)prng_below(&b->r, 6);
        if (!bytes_at(b, at, needle, n)) {
            continue;
        }
        struct memory_place p = {.what = MEMORY_VIRTUAL, .at = base};
        uint64_t want = base;
        while (want < at && !(bytes_at(b, want, here, n) && !memcmp(here, needle, n))) {
            want++;
        }
        const bool got = memory_search(&b->a, &p, needle, n, &exhausted);
        wrong += !got || p.at != want;
        found += got;
    }
    ok(found > 5 && !wrong, "%s: %u searches find the first place", name, found);
}

static void test_needle(void)
{
    unsigned char n[64];
    is_u64(memory_needle("de ad be ef", n), 4, "pairs of digits are bytes");
    ok(!memcmp(n, "\xde\xad\xbe\xef", 4), "in their order");
    is_u64(memory_needle("0x1234", n), 2, "a number");
    ok(!memcmp(n, "\x34\x12", 2), "has its lowest byte first");
    is_u64(memory_needle("page", n), 4, "all else is text");
    is_u64(memory_needle("abc", n), 3, "also an odd number of digits");
    is_u64(memory_needle("", n), 0, "nothing is nothing");
}

/* ---- hits and misses by set ---- */

/* What the hardware itself has counted of a part, misses and all. */
static void counters_of(const struct memsys *ms, enum hw_part part, uint64_t *all,
                        uint64_t *missed)
{
    const struct memsys_tally *n = &ms->s->n;
    const enum side side = part == PART_L1I || part == PART_ITLB ? SIDE_I : SIDE_D;
    *all = part == PART_STLB ? n->stlb_access : n->tlb_access[side];
    *missed = part == PART_STLB ? n->stlb_miss : n->tlb_miss[side];
    if (part == PART_L1I || part == PART_L1D) {
        *all = tally_l1_accesses(n, side);
        *missed = tally_l1_misses(n, side);
    }
}

/* Parts whose sums over all sets are not the hardware's own counters. */
static unsigned wrong_tallies(struct bench *b)
{
    static const enum hw_part parts[] = {PART_L1I, PART_L1D, PART_ITLB, PART_DTLB,
                                         PART_STLB};
    const struct machine *m = timeline_machine(b->a.t);
    unsigned wrong = 0;
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            const struct cache *c = hw_cache(m, cpu, parts[i]);
            uint64_t hits = 0, misses = 0, all, missed;
            for (uint32_t set = 0; c && set < c->config.sets; set++) {
                const struct set_counts n =
                    set_tally_of(&b->a.hw.tally, cpu, parts[i], set);
                hits += n.hits;
                misses += n.misses;
            }
            counters_of(hw_memsys(m, cpu), parts[i], &all, &missed);
            wrong += c && (misses != missed || hits + misses != all);
        }
    }
    return wrong;
}

/* On and back at random: the sums are the counters, which lie in the machine. */
static void test_set_tally(struct bench *b, const char *name)
{
    static const char *const moves[] = {"event", "event-back"};
    unsigned wrong = 0, checked = 0;
    app_command(&b->a, "heat misses");
    wrong += wrong_tallies(b);
    const uint64_t last = timeline_nr_ops(b->a.t, 0);
    for (int i = 0; i < 60; i++) {
        const struct position from = timeline_position(b->a.t);
        if (i % 3 == 0) {
            const uint64_t first = timeline_first_op(b->a.t);
            const struct position to = {0, first + prng_below(&b->r, last - first + 1),
                                        0};
            timeline_seek(b->a.t, to);
            app_moved(&b->a, from);
        } else {
            app_command(&b->a, moves[prng_below(&b->r, 2)]);
        }
        app_draw(&b->a, &b->g);
        if (!timeline_position(b->a.t).event) {
            wrong += wrong_tallies(b);
            checked++;
        }
    }
    is_u64(wrong, 0, "%s: misses by set add up to the counters, on and back", name);
    ok(checked > 15, "%s: at %u positions", name, checked);
    timeline_seek(b->a.t, (struct position){0, last, 0});
    app_command(&b->a, "heat contents");
}

/* ---- all of it ---- */

static void test_machine(const char *machine, uint64_t seed)
{
    static const int panes[] = {PANE_CACHE, PANE_TLB, PANE_WALK, PANE_MEMORY};
    static const int keys[] = {K_UP,  K_DOWN, K_LEFT, K_RIGHT,     '+',       '-',
                               '[',   ']',    '{',    K_PAGE_DOWN, K_ENTER,   'q',
                               K_END, K_HOME, K_ESC,  '}',         K_PAGE_UP, K_ENTER};
    struct bench b;
    open_bench(&b, machine, seed);
    unsigned wrong = 0, missed = 0, touched = 0;
    uint64_t digest = 0, changes = 0;
    for (int i = 0; i < 150; i++) {
        access_once(&b);
        touched += b.a.hw.focus.cpu != b.a.cpu || b.a.hw.focus.nr_touched > 0;
        const bool user = i % 2 && b.a.cpu == 0;
        wrong += wrong_bytes(&b, (user ? USER_VA : b.kernel) +
                                     prng_below(&b.r, AREA / 64) * 64);
        missed += i % 3 == 0 && !predicted(&b);
        digest = machine_digest(timeline_machine(b.a.t));
        app_focus(&b.a, panes[prng_below(&b.r, 4)]);
        for (int k = 0; k < 4; k++) {
            app_key(&b.a, keys[prng_below(&b.r, sizeof keys / sizeof keys[0])]);
        }
        app_command(&b.a, i % 5 ? "close" : "walk 10000000");
        app_draw(&b.a, &b.g);
        changes += machine_digest(timeline_machine(b.a.t)) != digest;
    }
    is_u64(wrong, 0, "%s: bytes are what a load would answer", machine);
    is_u64(missed, 0, "%s: what is probed next was announced", machine);
    is_u64(touched, 150, "%s: what an access touched is lit", machine);
    is_u64(changes, 0, "%s: looking changes nothing", machine);
    b.a.cpu = 0;
    test_tree(&b, machine);
    test_next_mapped(&b, machine);
    test_search(&b, machine);
    test_set_tally(&b, machine);
    ok(machine_check(timeline_machine(b.a.t)) == NULL, "%s: the machine is sound",
       machine);
    close_bench(&b);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    test_needle();
    test_machine("arch = \"i386\", ram = \"160M\"", 1);
    test_machine("arch = \"i386-pae\", ram = \"1G\", cpus = 2", 2);
    test_machine("arch = \"x86-64\", ram = \"256M\", cpus = 3", 3);
    test_machine("arch = \"x86-64\", ram = \"256M\", cpus = 2, pcid = true, "
                 "tags = \"vivt_asid\", l1d = \"4K,8,64,plru\", l2_shared = true",
                 4);
    test_machine("arch = \"i386\", ram = \"160M\", cpus = 2, coherent = false, "
                 "tags = \"pipt\", l1d = \"1K,2,32,random\", l2 = \"none\"",
                 5);
    test_machine("arch = \"x86-64\", ram = \"256M\", tags = \"vivt\", "
                 "write = \"through\", dtlb = \"4,4,fifo\", stlb = \"none\", "
                 "inclusion = \"inclusive\", causes = true",
                 6);
    test_machine("arch = \"i386\", ram = \"160M\", l1d = \"none\", l1i = \"none\", "
                 "dtlb = \"none\", itlb = \"none\"",
                 7);
    return done_testing();
}
