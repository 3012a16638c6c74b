/* Time travel at random, for long: on machines of several sizes, in histories with little
 * memory and with much. MMSCOPE_TRAVEL_SEEDS and MMSCOPE_TRAVEL_STEPS say for how long.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "host.h"
#include "travel.h"

static uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void travel(const char *name, const struct machine_config *c, size_t history_bytes,
                   uint64_t seed, uint64_t nr_steps)
{
    struct traveller *tr = calloc(1, sizeof *tr);
    travel_begin(tr, c, history_bytes, seed);
    tr->thorough = true;
    if (seed % 3 == 0) {
        timeline_set_live_hook(tr->t, travel_hook, tr, NULL);
    }
    uint64_t i = 0;
    while (i < nr_steps && travel_something(tr)) {
        i++;
    }
    ok(i == nr_steps, "%s, seed %" PRIu64 ": %" PRIu64 " random steps, %u branches %s",
       name, seed, i, tr->nr_branches, tr->problem);
    if (!c->kernel_accesses) { /* an operation then has ten thousand events */
        ok(travel_all(tr, 1 + seed % 7),
           "%s, seed %" PRIu64 ": through all branches and back %s", name, seed,
           tr->problem);
    }
    for (uint32_t b = 0; b < tr->nr_branches && !tr->problem[0]; b++) {
        travel_bare(tr, b);
    }
    ok(!tr->problem[0], "%s, seed %" PRIu64 ": a machine without a timeline agrees %s",
       name, seed, tr->problem);
    travel_end(tr);
    free(tr);
}

/* Seeds that found something: pages freed under a process by an interrupt (0, 2), an
 * element freed past its pool and given out again (158, 74), an interrupt in the middle
 * of cleaning a cache (30). */
static const struct {
    uint32_t machine;
    bool slub;
    uint64_t seed, nr_steps;
} found[] = {
    {0, true, 29, 600},  {0, true, 82, 600},  {2, true, 3, 600},   {2, true, 132, 600},
    {2, true, 143, 600}, {2, true, 154, 600}, {2, true, 158, 600}, {2, true, 183, 600},
    {1, false, 6, 600},  {6, true, 10, 300},  {6, true, 29, 200},  {6, true, 30, 200},
    {6, true, 74, 600},
};

int main(void)
{
    const uint64_t nr_seeds = env_number("MMSCOPE_TRAVEL_SEEDS", 4);
    const uint64_t nr_steps = env_number("MMSCOPE_TRAVEL_STEPS", 600);
    travel_host = &host_memory;
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
        struct machine_config c = travel_machine(found[i].machine);
        c.slub = found[i].slub;
        travel(travel_machines[found[i].machine], &c, 0, found[i].seed,
               found[i].nr_steps);
    }
    for (uint64_t seed = 1; seed <= nr_seeds; seed++) {
        for (uint32_t i = 0; i < TRAVEL_MACHINES; i++) {
            const struct machine_config c = travel_machine(i);
            const uint64_t steps = i >= TRAVEL_TOUCHING       ? nr_steps / 8
                                   : i == TRAVEL_TOUCHING - 1 ? nr_steps / 4
                                                              : nr_steps;
            travel(travel_machines[i], &c, 0, seed, steps);
        }
    }
    return done_testing();
}
