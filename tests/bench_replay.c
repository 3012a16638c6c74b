/* How many recorded calls a second the replay does, parsing not counted; and how long
 * parsing takes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "replay.h"
#include "tap.h"

enum { ROUNDS = 7, WANTED = 1000000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void ignore(void *ctx, const struct replay_difference *d)
{
    (void)ctx;
    (void)d;
}

static uint64_t nr_calls(const struct record *r)
{
    uint64_t nr = 0;
    for (uint32_t i = 0; i < r->nr_items; i++) {
        nr += r->items[i].kind == RECORD_ALLOC || r->items[i].kind == RECORD_FREE;
    }
    return nr;
}

static void measure(const char *name)
{
    char path[1024], file[200], err[600];
    snprintf(file, sizeof file, "tests/golden/%s.txt.xz", name);
    double begin = now();
    struct record *r = record_open(source_path(path, sizeof path, file), err, sizeof err);
    double parsed = now() - begin;
    if (!r) {
        bail_out("%s", err);
    }
    const struct replay_watch w = {.difference = ignore, .max_differences = 5};
    double best = 1e9;
    struct replay_tally t = {0};
    for (int i = 0; i < ROUNDS; i++) {
        struct replay *rp = replay_create(r, NULL, err, sizeof err);
        if (!rp) {
            bail_out("%s", err);
        }
        begin = now();
        bool ran = replay_run(rp, &w, &t, err, sizeof err);
        double took = now() - begin;
        best = took < best ? took : best;
        replay_destroy(rp);
        if (!ran || t.differences) {
            bail_out("%s: the replay differs", name);
        }
    }
    double rate = (double)nr_calls(r) / best;
    ok(rate > WANTED,
       "%s: %.2f million calls a second (%.0f ns a call, all states compared)", name,
       rate / 1e6, best * 1e9 / (double)nr_calls(r));
    diag("reading and parsing: %.1f ms", parsed * 1e3);
    record_free(r);
}

int main(void)
{
    measure("i386-slab-160M-high80M");
    measure("x86_64-slab-256M");
    return done_testing();
}
