/* What the cache pane and the TLB pane do alike around their sets (hw_sets.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "hw_focus.h"
#include "hw_sets.h"

bool sets_has_ages(const struct cache *c)
{
    return c->config.policy == POLICY_LRU || c->config.policy == POLICY_FIFO;
}

struct sets_columns sets_columns(const int *want, int nr, const unsigned char *by_rank,
                                 size_t nr_ranks, int without_gap, int room)
{
    struct sets_columns cols = {0};
    for (size_t i = 0; i < nr_ranks; i++) {
        const int n = by_rank[i], cells = want[n] + (n != without_gap);
        if (want[n] && !cols.w[n] && cols.used + cells <= room) {
            cols.w[n] = want[n];
            cols.used += cells;
        }
    }
    int x = 0;
    for (int n = 0; n < nr; n++) {
        cols.x[n] = x;
        x += cols.w[n] ? cols.w[n] + (n != without_gap) : 0;
    }
    return cols;
}

int sets_head_rows(int h) { return h >= 9 ? 2 : h >= 6 ? 1 : 0; }

int sets_draw_counts(struct grid *g, int x, int y, int w, const char *asked, uint64_t all,
                     uint64_t missed, const struct miss_causes *why)
{
    char text[28];
    x = grid_printf(g, x, y, ST_NORMAL, 0, "%s", thousands(text, all));
    x = grid_printf(g, x, y, ST_DIM, 0, " %s, ", asked);
    x = grid_printf(g, x, y, missed ? ST_WARN : ST_NORMAL, 0, "%s",
                    thousands(text, missed));
    x = grid_text(g, x, y, " missed", ST_DIM, 0);
    if (all) {
        x = grid_printf(g, x, y, ST_DIM, 0, " (%llu.%llu%%)",
                        (unsigned long long)(missed * 100 / all),
                        (unsigned long long)(missed * 1000 / all % 10));
    }
    return why ? hw_draw_causes(g, x, y, w, why) : x;
}

enum hw_part sets_follow(const struct app *a, enum hw_part first, enum hw_part last,
                         enum hw_part part, bool pinned)
{
    const int follow = hw_follow_part(a, first, last);
    if (!pinned && follow >= 0) {
        part = (enum hw_part)follow;
    }
    return shown_part(a, part) ? part : sets_turn(a, first, last, part, 1);
}

enum hw_part sets_turn_pane(struct app *a, enum hw_part first, enum hw_part last,
                            enum hw_part part, bool *pinned, int by)
{
    const enum hw_part next = sets_turn(a, first, last, part, by);
    *pinned = true;
    app_message(a, MESSAGE_INFO, "%s stays in view; End follows what happens again.",
                hw_part_title(next));
    return next;
}

void sets_title(const struct app *a, enum hw_part part, char *buf, size_t size)
{
    uint32_t set, way;
    const int n = snprintf(buf, size, "%s of CPU %u", hw_part_title(part), a->cpu);
    if (a->hw.sets[part].has_cursor && sets_at(a, part, &set, &way)) {
        snprintf(buf + n, size - (size_t)n, ", set %u way %u", set, way);
    }
}

bool sets_changed(const struct app *a, enum hw_part first, enum hw_part last)
{
    const struct hw_focus *f = &a->hw.focus;
    for (uint32_t i = 0; i < f->nr_touched; i++) {
        if (f->touched[i].part >= first && f->touched[i].part <= last) {
            return true;
        }
    }
    return false;
}
