/* Random steps that must hold on a machine, and the shortest of them that do not: what
 * test_model_alloc.c and test_model_slab.c share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_STEPS_H
#define TESTS_STEPS_H

#include "fixture.h"

/* What a test's steps are. */
struct steps_kind {
    size_t step_bytes;
    /* Plays n of them on a fresh machine, everything compared at each every-th. Answers
     * the step at which it went wrong (problem says how), or -1. */
    int (*play)(const struct machine_config *c, const void *steps, int n, int every,
                char *problem, size_t size);
    void (*print)(const void *step, int i);
};

/* How often each kind of event came: a test that never steals proves nothing. */
static uint64_t seen[NR_EVENTS];

static inline void count_seen(struct probe *p, const struct event *ev)
{
    (void)p;
    seen[ev->kind]++;
}

static inline void must_have_seen(const uint16_t *kinds, size_t nr)
{
    for (size_t i = 0; i < nr && !tap.failed; i++) {
        ok(seen[kinds[i]] > 0, "%s came %" PRIu64 " times", event_info(kinds[i])->name,
           seen[kinds[i]]);
    }
}

/* Leave out what can be left out: pieces of half the length, a quarter, ... one. */
static inline int steps_shrink(const struct steps_kind *kind,
                               const struct machine_config *c, void *steps, int n,
                               char *problem, size_t size)
{
    const size_t bytes = kind->step_bytes;
    unsigned char *all = steps, *shorter = malloc((size_t)n * bytes);
    for (int piece = n / 2; piece >= 1; piece /= 2) {
        for (int at = 0; at + piece <= n;) {
            const size_t before = (size_t)at * bytes;
            memcpy(shorter, all, before);
            memcpy(shorter + before, all + before + (size_t)piece * bytes,
                   (size_t)(n - at - piece) * bytes);
            const int bad = kind->play(c, shorter, n - piece, 1, problem, size);
            if (bad >= 0) {
                n = bad + 1;
                memcpy(all, shorter, (size_t)n * bytes);
            } else {
                at += piece;
            }
        }
    }
    kind->play(c, all, n, 1, problem, size);
    free(shorter);
    return n;
}

/* One point of the test, named what. Steps that do not hold are shrunk and printed. */
static inline bool steps_hold(const struct steps_kind *kind,
                              const struct machine_config *c, void *steps, int n,
                              int every, const char *what)
{
    char problem[300], text[400];
    const int bad = kind->play(c, steps, n, every, problem, sizeof problem);
    if (!ok(bad < 0, "%s", what)) {
        config_format(text, sizeof text, c);
        diag("%s at step %d; %s", problem, bad, text);
        const int few = steps_shrink(kind, c, steps, bad + 1, problem, sizeof problem);
        diag("shrunk to %d steps: %s", few, problem);
        for (int i = 0; i < few && i < 60; i++) {
            kind->print((const unsigned char *)steps + (size_t)i * kind->step_bytes, i);
        }
    }
    return bad < 0;
}

#endif
