/* One machine whose page tables are looked at, entry by entry: what test_vmap_range.c and
 * test_set_memory.c share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_ENTRIES_H
#define TESTS_ENTRIES_H

#include "fixture.h"

#include "pgtable.h"
#include "vm.h"

#define KIB UINT64_C(1024)
#define MIB (KIB << 10)
#define GIB (MIB << 10)

static struct {
    struct machine *m;
    uint32_t seen[NR_EVENTS]; /* how often since it was made */
    uint64_t last_reason;     /* of the last EV_VM_WARN */
} w;

static inline void count_event(struct probe *p, const struct event *ev)
{
    (void)p;
    w.seen[ev->kind]++;
    w.last_reason = ev->kind == EV_VM_WARN ? ev->arg[1] : w.last_reason;
}

/* call(OP_IOREMAP, 0xe0000000, 4096): up to four arguments, the others are 0. */
#define call(kind, ...) call_with((kind), (const uint64_t[4]){__VA_ARGS__})
static inline uint64_t call_with(enum op_kind kind, const uint64_t arg[4])
{
    const struct op op = {.kind = (uint16_t)kind,
                          .arg = {arg[0], arg[1], arg[2], arg[3]}};
    return machine_do(w.m, &op);
}

static inline void begin(enum arch arch, const char *settings)
{
    struct machine_config c;
    memset(&w, 0, sizeof w);
    config_init(&c, arch);
    config_words(&c, settings);
    w.m = boot(&c);
    w.m->probe.slow = count_event;
    w.m->probe.stop = 0;
}

static inline void end(const char *what)
{
    is_str(machine_check(w.m), NULL, "%s: invariants", what);
    machine_destroy(w.m);
}

/* The entry that maps va, or the empty one where it would be. */
static inline void is_entry(uint64_t va, uint32_t level, uint64_t value, const char *what)
{
    const struct pgtable_entry e = pgtable_find(w.m, va);
    is_u64(e.level, level, "%s: level", what);
    is_hex(e.value, value, "%s: entry", what);
}

#endif
