/* The slow half of probe(): build the event and hand it to whoever watches.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe.h"

void probe_slow(struct probe *p, uint16_t kind, const uint64_t arg[PROBE_ARGS])
{
    struct event ev = {.kind = kind, .cpu = p->cpu, .ctx = p->ctx, .depth = p->depth, .n = p->n};
    for (int i = 0; i < PROBE_ARGS; i++) {
        ev.arg[i] = arg[i];
    }
    if (p->slow) {
        p->slow(p, &ev);
    }
}
