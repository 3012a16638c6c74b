/* The slow halves of probe() and fn_enter(): build the event and hand it to whoever
 * watches; keep the frame.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe.h"

void probe_slow(struct probe *p, uint16_t kind, uint64_t a0, uint64_t a1, uint64_t a2,
                uint64_t a3, uint64_t a4, uint64_t a5)
{
    if (p->kinds && p->n < p->must && !(p->kinds[kind / 64] >> (kind % 64) & 1)) {
        return;
    }
    const struct event ev = {.kind = kind,
                             .cpu = p->cpu,
                             .ctx = p->ctx,
                             .depth = p->depth,
                             .n = p->n,
                             .arg = {a0, a1, a2, a3, a4, a5}};
    if (p->slow) {
        p->slow(p, &ev);
        if (p->after) {
            p->after(p);
        }
    }
}

void probe_push_frame(struct probe *p, uint16_t fn, uint64_t a0, uint64_t a1, uint64_t a2,
                      uint64_t a3)
{
    if (p->depth < PROBE_STACK) {
        p->stack[p->depth] = (struct probe_frame){
            .fn = fn, .event_entered = (uint16_t)p->n, .arg = {a0, a1, a2, a3}};
    }
    p->depth++;
}
