/* Any bytes as a record: the reader must answer an error that names a place, or a record
 * that can be replayed without harm.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum { MOST_FRAMES = 1 << 20 }; /* a machine of 4 GiB; larger ones only take longer */

static bool small_enough(const struct record *r)
{
    for (uint32_t i = 0; i < r->nr_states; i++) {
        for (uint32_t z = 0; z < r->states[i].nr_zones; z++) {
            const struct record_zone *zone = &r->states[i].zone[z];
            if (zone->start + zone->spanned > MOST_FRAMES) {
                return false;
            }
        }
    }
    return true;
}

static void replay_it(const struct record *r)
{
    char err[600] = "";
    struct replay *rp = replay_create(r, NULL, err, sizeof err);
    if (!rp) {
        if (!err[0]) {
            abort();
        }
        return;
    }
    struct replay_tally t;
    bool ran = replay_run(rp, NULL, &t, err, sizeof err);
    uint64_t unmodelled = 0;
    for (int k = 0; k < NR_RECORD_KINDS; k++) {
        unmodelled += t.unmodelled[k];
    }
    if (unmodelled != t.nr_unmodelled || t.answers_identical > t.answers ||
        t.states_identical > t.states || (!ran && !err[0])) {
        abort();
    }
    if (ran && machine_check(replay_machine(rp))) {
        fprintf(stderr, "%s\n", machine_check(replay_machine(rp)));
        abort();
    }
    replay_destroy(rp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[600] = "";
    struct record *r = record_parse("it", data, size, err, sizeof err);
    if (!r) {
        if (!err[0]) {
            abort();
        }
        return 0;
    }
    if (small_enough(r)) {
        replay_it(r);
    }
    record_free(r);
    return 0;
}
