/* What the hardware has counted, over time: samples of the counters, kept as positions
 * are passed, so that a chart needs no run of the past.
 *
 * A sample is taken between operations, at most each every-th one; when there are too
 * many, every second goes. Going back shows the past's numbers, because the counters lie
 * in the machine; the samples of the future stay and are still true. Another branch keeps
 * those that it shares.
 *
 * I1  Samples are sorted by operation, no two of one.
 * I2  They all belong to the branch, or to a part of another one that it shares.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HISTORY_H
#define UI_HISTORY_H

#include "timeline.h"

enum history_series {
    SERIES_L1I,
    SERIES_L1D,
    SERIES_L2,
    SERIES_ITLB,
    SERIES_DTLB,
    SERIES_STLB, /* these: asked, missed */
    SERIES_AMAT, /* accesses, cycles */
    NR_SERIES
};

struct history_sample {
    uint64_t op; /* operations done */
    uint64_t of[NR_SERIES], part[NR_SERIES];
};

enum { HISTORY_MOST = 4096 };

struct history {
    uint32_t branch;
    uint64_t every;
    struct history_sample *at;
    size_t nr, room;
};

void history_free(struct history *h);
/* The position of the timeline is one that a sample may be taken at. */
void history_note(struct history *h, struct timeline *t);
/* The counters of all CPUs as of now. */
struct history_sample history_now(const struct machine *m, uint64_t op);
/* Values of a series, each over an equal part of operations [from, to), as part of a
 * thousand (SERIES_AMAT: thousandths of a cycle an access); -1: nothing was asked there,
 * or nothing is known. */
void history_values(const struct history *h, enum history_series series, uint64_t from,
                    uint64_t to, int64_t *values, int nr);

#endif
