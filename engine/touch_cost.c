/* What an operation's accesses to the kernel's own structures come to: see touch.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include <string.h>

#include "hardware.h"

/* A set of numbers other than 0, for as many as the log has. */
enum { SLOTS = 2 * TOUCH_LOG };
struct set {
    uint64_t slot[SLOTS];
    uint32_t nr;
};

static void set_add(struct set *s, uint64_t x)
{
    uint64_t at = (x * 0x9e3779b97f4a7c15) >> 40;
    while (s->slot[at % SLOTS] && s->slot[at % SLOTS] != x) {
        at++;
    }
    if (!s->slot[at % SLOTS]) {
        s->slot[at % SLOTS] = x;
        s->nr++;
    }
}

enum counted { LINES_L1, LINES_L2, PAGES };

/* How many different ones the layers' accesses touched. */
static uint32_t distinct(const struct machine *m, uint32_t layers, enum counted what)
{
    const struct touch_log *log = m->touching->log;
    const struct memsys_config *c = &hardware_cpu(m, 0)->config;
    const uint32_t line = what == LINES_L1 ? c->l1[SIDE_D].line_bytes : c->l2.line_bytes;
    const bool there =
        what == PAGES || (what == LINES_L1 ? c->l1[SIDE_D].ways : c->l2.ways);
    struct set seen;
    memset(&seen, 0, sizeof seen);
    for (uint64_t i = 0; there && i < log->nr && i < TOUCH_LOG; i++) {
        const struct touch *t = &log->entry[i];
        if (!(layers >> t->layer & 1)) {
            continue;
        }
        if (what == PAGES) {
            set_add(&seen, (t->va >> t->page_shift << 6 | t->page_shift) + 1);
            continue;
        }
        for (uint64_t at = t->pa / line; at <= (t->pa + t->size - 1) / line; at++) {
            set_add(&seen, at + 1);
        }
    }
    return seen.nr;
}

bool touch_cost(const struct machine *m, uint32_t layers, struct touch_cost *out)
{
    memset(out, 0, sizeof *out);
    if (!m->touching) {
        return false;
    }
    const struct touch_log *log = m->touching->log;
    for (uint32_t i = 0; i < NR_TOUCH_LAYERS; i++) {
        const struct touch_sum *s = &log->sum[i];
        uint64_t all[sizeof *s / 8], one[sizeof *s / 8];
        _Static_assert(sizeof all == sizeof *s, "only counts");
        if (layers >> i & 1) {
            memcpy(all, &out->sum, sizeof all);
            memcpy(one, s, sizeof one);
            for (size_t k = 0; k < sizeof all / 8; k++) {
                all[k] += one[k];
            }
            memcpy(&out->sum, all, sizeof all);
        }
    }
    out->lines_l1 = distinct(m, layers, LINES_L1);
    out->lines_l2 = distinct(m, layers, LINES_L2);
    out->pages = distinct(m, layers, PAGES);
    out->dropped = log->dropped;
    out->partial = log->nr > TOUCH_LOG;
    return true;
}

uint32_t touch_nr(const struct machine *m)
{
    const uint64_t nr = m->touching ? m->touching->log->nr : 0;
    return nr < TOUCH_LOG ? (uint32_t)nr : TOUCH_LOG;
}

const struct touch *touch_at(const struct machine *m, uint32_t i)
{
    return i < touch_nr(m) ? &m->touching->log->entry[i] : NULL;
}

bool touch_is_on(const struct machine *m) { return m->touching != NULL; }
