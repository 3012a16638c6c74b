/* The layout: a pure function of size and preferences, for every size there is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "layout.h"

#include "prng.h"
#include "tap.h"

static bool overlap(struct rect a, struct rect b)
{
    return a.w > 0 && b.w > 0 && a.h > 0 && b.h > 0 && a.x < b.x + b.w &&
           b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

static bool inside(struct rect a, struct rect b)
{
    return a.x >= b.x && a.y >= b.y && a.x + a.w <= b.x + b.w && a.y + a.h <= b.y + b.h;
}

static uint32_t visible(const struct layout *l)
{
    uint32_t set = 0;
    for (int i = 0; i < l->nr_slots; i++) {
        set |= 1u << l->slots[i].shown;
    }
    return set;
}

static struct {
    unsigned overlaps, outside, missing, tiny, wrong_shown, less, smaller;
} bad;

static void check_one(const struct layout *l, int view, int cols, int rows)
{
    struct rect screen = {0, 0, cols, rows},
                parts[] = {l->status, l->body, l->now, l->hint};
    for (int i = 0; i < 4; i++) {
        bad.outside += !inside(parts[i], screen);
        for (int j = 0; j < i; j++) {
            bad.overlaps += overlap(parts[i], parts[j]);
        }
    }
    uint32_t seen = 0;
    for (int i = 0; i < l->nr_slots; i++) {
        const struct slot *s = &l->slots[i];
        bad.outside += !inside(s->frame, l->body) || !inside(s->inside, s->frame);
        bad.tiny += s->inside.w < 30 || s->inside.h < 4;
        bool shown = false;
        for (int j = 0; j < s->nr_panes; j++) {
            seen |= 1u << s->panes[j];
            shown = shown || s->panes[j] == s->shown;
        }
        bad.wrong_shown += !shown;
        for (int j = 0; j < i; j++) {
            bad.overlaps += overlap(s->frame, l->slots[j].frame);
        }
        for (int j = 0; j < l->nr_rules; j++) {
            bad.overlaps +=
                overlap(s->frame, (struct rect){l->rules[j], l->body.y, 1, l->body.h});
        }
    }
    uint32_t all = 0;
    for (int n = 1; n <= view_nr_panes(view); n++) {
        all |= 1u << view_pane(view, n);
    }
    bad.missing += seen != all;
}

static bool same_division(const struct layout *a, const struct layout *b)
{
    bool same = a->tier == b->tier && a->nr_slots == b->nr_slots;
    for (int i = 0; same && i < a->nr_slots; i++) {
        const struct slot *s = &a->slots[i], *t = &b->slots[i];
        same = s->nr_panes == t->nr_panes &&
               !memcmp(s->panes, t->panes, (size_t)s->nr_panes * sizeof s->panes[0]);
    }
    return same;
}

/* While the body is divided the same way, a bigger screen makes no pane smaller. */
static void check_pair(const struct layout *small, const struct layout *big)
{
    bad.less += (visible(small) & ~visible(big)) != 0;
    for (int i = 0; same_division(small, big) && i < small->nr_slots; i++) {
        const struct rect *s = &small->slots[i].frame, *b = &big->slots[i].frame;
        bad.smaller += b->w < s->w || b->h < s->h;
    }
}

int main(void)
{
    struct prng r = {11};
    for (int round = 0; round < 9 * NR_VIEWS; round++) {
        int view = round % NR_VIEWS;
        struct layout_prefs p = {.view = view, .zoomed = -1};
        for (int i = 0; i < NR_PANES && round >= NR_VIEWS; i++) {
            p.chosen[i] = (uint32_t)prng_below(&r, 9);
        }
        for (int rows = MIN_ROWS; rows < 90; rows++) {
            for (int cols = MIN_COLS; cols < 260; cols++) {
                struct layout l = layout_compute(cols, rows, &p);
                struct layout wider = layout_compute(cols + 1, rows, &p),
                              higher = layout_compute(cols, rows + 1, &p);
                check_one(&l, view, cols, rows);
                check_pair(&l, &wider);
                check_pair(&l, &higher);
            }
        }
    }
    is_u64(bad.overlaps, 0, "nothing overlaps");
    is_u64(bad.outside, 0, "everything is inside the screen");
    is_u64(bad.missing, 0, "every pane has its place");
    is_u64(bad.tiny, 0, "no pane is too small to read");
    is_u64(bad.wrong_shown, 0, "a slot shows one of its own panes");
    is_u64(bad.less, 0, "a bigger terminal never shows less");
    is_u64(bad.smaller, 0, "nor does it make a pane smaller");

    struct layout_prefs p = {.zoomed = -1};
    is_i64(layout_compute(59, 40, &p).tier, TIER_TOO_SMALL, "59 columns are too few");
    is_i64(layout_compute(80, 14, &p).tier, TIER_TOO_SMALL, "14 rows are too few");
    is_i64(layout_compute(0, 0, &p).tier, TIER_TOO_SMALL, "no screen at all");
    is_i64(layout_compute(79, 24, &p).tier, TIER_NARROW, "79 columns: one pane and tabs");
    is_i64(layout_compute(80, 24, &p).tier, TIER_TWO, "80x24: two columns");
    is_i64(layout_compute(140, 24, &p).tier, TIER_THREE, "140 columns: three");
    struct layout all = layout_compute(120, 40, &p);
    is_i64(all.nr_slots, view_nr_panes(VIEW_PAGES) - 1,
           "120x40 shows every pane of the page allocator at once");
    ok(layout_slot(&all, PANE_SOURCE) == layout_slot(&all, PANE_SCRIPT),
       "but the kernel's source, which shares the script's place");
    unsigned homeless = 0, nowhere = 0, twice = 0;
    for (int pane = 0; pane < NR_PANES; pane++) {
        bool somewhere = false;
        for (int view = 0; view < NR_VIEWS; view++) {
            somewhere = somewhere || view_number(view, pane);
        }
        homeless += !somewhere;
    }
    for (int view = 0; view < NR_VIEWS; view++) {
        static const int common[] = {PANE_SCRIPT, PANE_NARRATION, PANE_STACK,
                                     PANE_EVENTS};
        for (int i = 0; i < 4; i++) {
            nowhere += !view_number(view, common[i]);
        }
        for (int n = 1; n <= view_nr_panes(view); n++) {
            twice += view_number(view, view_pane(view, n)) != n;
        }
        const int nr = view_nr_panes(view); /* the source has a letter as well, K */
        ok(nr <= 10 || (nr == 11 && view_pane(view, 11) == PANE_SOURCE),
           "%s: every pane has a key", view_info(view)->name);
    }
    is_u64(homeless, 0, "every pane is in a view");
    is_u64(nowhere, 0, "script, story, calls and events are in every view");
    is_u64(twice, 0, "no pane is twice in a view");
    p.zoomed = PANE_BUDDY;
    struct layout zoomed = layout_compute(120, 40, &p);
    ok(zoomed.nr_slots == 1 && zoomed.slots[0].shown == PANE_BUDDY,
       "a zoomed pane has the body");
    return done_testing();
}
