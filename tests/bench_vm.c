/* What the address space's calls cost, without an observer, with few areas in it and with
 * many: no more than the logarithm of their number may show.
 *
 *   vmalloc       vmalloc and vfree of one page
 *   kmap          kmap and kunmap of one of 1000 HighMem pages in turn
 *   kmap_atomic   kmap_atomic and kunmap_atomic of a HighMem page
 *
 * Half of the space between the areas is free again, in pieces of two pages. The smallest
 * of many short runs is printed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <time.h>

#include "tap.h"
#include "vm.h"

enum { RUNS = 40, PAIRS = 5000, HIGH = 0x6000 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t call(struct machine *m, enum op_kind kind, uint64_t a)
{
    return machine_do(m, &(struct op){.kind = (uint16_t)kind, .arg = {a}});
}

static void vmalloc_pair(struct machine *m, int i)
{
    (void)i;
    call(m, OP_VFREE, call(m, OP_VMALLOC, PAGE_SIZE));
}
static void kmap_pair(struct machine *m, int i)
{
    call(m, OP_KMAP, HIGH + (uint64_t)i % 1000);
    call(m, OP_KUNMAP, HIGH + (uint64_t)i % 1000);
}
static void kmap_atomic_pair(struct machine *m, int i)
{
    (void)i;
    call(m, OP_KUNMAP_ATOMIC, call(m, OP_KMAP_ATOMIC, HIGH));
}

static double pair_ns(struct machine *m, void (*pair)(struct machine *m, int i))
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double from = now_ns();
        for (int i = 0; i < PAIRS; i++) {
            pair(m, i);
        }
        double ns = (now_ns() - from) / PAIRS;
        best = ns < best ? ns : best;
    }
    return best;
}

/* nr areas, with as many holes between them. */
static struct machine *with_areas(uint32_t nr)
{
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    config_set(&c, "ram", "256M", err, sizeof err);
    config_set(&c, "highmem", "160M", err, sizeof err);
    struct machine *m = machine_create(&c, NULL, err, sizeof err);
    uint64_t *va = calloc(2 * (size_t)nr, sizeof *va);
    if (!m || !va) {
        diag("%s", err);
        exit(1);
    }
    for (uint32_t i = 0; i < 2 * nr; i++) {
        va[i] = call(m, OP_VMALLOC, PAGE_SIZE);
    }
    for (uint32_t i = 0; i < 2 * nr; i += 2) {
        call(m, OP_VFREE, va[i]);
    }
    call(m, OP_VM_UNMAP_ALIASES, 0);
    free(va);
    return m;
}

int main(void)
{
    static const uint32_t sizes[] = {10, 10000};
    static const struct {
        const char *name;
        void (*pair)(struct machine *m, int i);
    } rows[] = {{"vmalloc", vmalloc_pair},
                {"kmap", kmap_pair},
                {"kmap_atomic", kmap_atomic_pair}};
    double ns[3][2];
    for (int s = 0; s < 2; s++) {
        struct machine *m = with_areas(sizes[s]);
        is_u64(m->vm->busy.nr, sizes[s], "%" PRIu32 " areas", sizes[s]);
        for (int r = 0; r < 3; r++) {
            ns[r][s] = pair_ns(m, rows[r].pair);
        }
        is_str(machine_check(m), NULL, "invariants");
        machine_destroy(m);
    }
    for (int r = 0; r < 3; r++) {
        diag("%-12s pair: %7.0f ns with 10 areas, %7.0f ns with 10000", rows[r].name,
             ns[r][0], ns[r][1]);
        ok(ns[r][1] < 8 * ns[r][0], "%s: no more than the logarithm", rows[r].name);
    }
    return done_testing();
}
