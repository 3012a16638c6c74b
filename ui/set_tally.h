/* Hits and misses by set of every cache and TLB, counted from the events of the
 * operations that lie between a beginning and the position.
 *
 * The hardware counts for a whole cache only. Counting begins when somebody first asks,
 * with the last SET_TALLY_WINDOW operations; from then on what a step passes is added,
 * and what a step back passes is taken away. A jump further than that, or into another
 * branch, begins anew.
 *
 * I1  What is counted is what the probes in events [from, upto] say.
 *
 * Left out: the side of TLB probes that an interrupt's accesses make inside a fetch (they
 * count as the fetch's).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_SET_TALLY_H
#define UI_SET_TALLY_H

#include "inspect_hw.h"
#include "timeline.h"

enum { SET_TALLY_WINDOW = 1000 };

struct set_counts {
    uint32_t hits, misses;
};

struct set_tally {
    bool counting;
    uint64_t from_op;     /* the first operation that is counted */
    struct position upto; /* the events of upto.op up to upto.event, and all before */
    uint32_t nr_cpus;
    struct set_counts **of; /* [cpu * NR_PARTS + part][set]; NULL: no such cache */
};

void set_tally_free(struct set_tally *s);
/* Forget: the next refresh begins anew. */
void set_tally_stop(struct set_tally *s);
/* Count up to the timeline's position. */
void set_tally_refresh(struct set_tally *s, struct timeline *t);
struct set_counts set_tally_of(const struct set_tally *s, uint32_t cpu, enum hw_part part,
                               uint32_t set);

#endif
