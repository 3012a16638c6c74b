/* The tree of branches as a picture: time goes to the right, each branch has a row and
 * begins under the place where it left its parent. Each row is a choice that goes there.
 *
 *     main       ──┬──┬───────────o    12 operations
 *     what if      │  ╰─@──o            9, left main after 5: alloc_pages(GFP_KERNEL, 1)
 *     branch 2     ╰──────o            10, left main after 4: __free_pages(0x1800, 3)
 *
 * o ends a branch, @ is where we are, m is a mark.
 *
 * I1  A branch's row lies below its parent's, and what leaves the parent later lies higher:
 *     so no line crosses another.
 *
 * Left out: more than MAX_CHOICES branches; the oldest ones are in the picture then.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = MAX_CHOICES, NAME = 16, LEAST_TRACK = 12, MOST_TRACK = 60 };

struct tree {
    const struct app *a;
    uint32_t nr;
    struct branch_info info[MOST];
    int row[MOST];            /* of a branch */
    uint32_t order[MOST];     /* the branch of a row */
    int from[MOST], to[MOST]; /* its columns */
    int width;
    uint64_t ops; /* the longest branch's */
    uint32_t cell[MOST][MOST_TRACK];
};

/* I1: depth first, what left last comes first. */
static int place(struct tree *t, uint32_t branch, int row)
{
    bool done[MOST] = {false};
    t->row[branch] = row;
    t->order[row++] = branch;
    for (;;) {
        uint32_t next = UINT32_MAX;
        for (uint32_t i = 1; i < t->nr; i++) {
            if (t->info[i].parent == branch && i != branch && !done[i] &&
                (next == UINT32_MAX || t->info[i].fork_op > t->info[next].fork_op)) {
                next = i;
            }
        }
        if (next == UINT32_MAX) {
            return row;
        }
        done[next] = true;
        row = place(t, next, row);
    }
}

static int column(const struct tree *t, uint64_t op)
{
    op = op < t->ops ? op : t->ops;
    return (int)(op * (uint64_t)(t->width - 1) / t->ops);
}

static void draw_branch(struct tree *t, uint32_t branch)
{
    const struct glyphs *g = t->a->glyphs;
    const int row = t->row[branch], from = t->from[branch], to = t->to[branch];
    for (int x = from; x <= to; x++) {
        t->cell[row][x] = x == to ? 'o' : g->hline;
    }
    if (!branch) {
        return;
    }
    t->cell[row][from] = g->corner_ll;
    for (int y = t->row[t->info[branch].parent]; y < row; y++) {
        uint32_t *c = &t->cell[y][from];
        *c = *c == g->hline                             ? g->tee_down
             : *c == g->corner_ll || *c == g->tee_right ? g->tee_right
             : *c == ' '                                ? g->vline
                                                        : *c;
    }
}

static void put_mark(struct tree *t, struct position at, uint32_t ch)
{
    if (at.branch < t->nr) {
        uint32_t owner =
            at.branch; /* what was before the fork lies on the parent's row */
        while (owner && at.op < t->info[owner].fork_op) {
            owner = t->info[owner].parent;
        }
        t->cell[t->row[owner]][column(t, at.op)] = ch;
    }
}

static void draw(struct tree *t)
{
    for (int y = 0; y < (int)t->nr; y++) {
        for (int x = 0; x < t->width; x++) {
            t->cell[y][x] = ' ';
        }
    }
    for (uint32_t i = 0; i < t->nr; i++) { /* a parent is older than its children */
        const struct branch_info *b = &t->info[i];
        const int least = t->width - 2;
        t->from[i] = i ? app_min_int(column(t, b->fork_op), least) : 0;
        t->to[i] = app_max_int(column(t, b->nr_ops), t->from[i] + 1);
        draw_branch(t, i);
    }
    for (int i = 0; i < t->a->nr_marks; i++) {
        put_mark(t, t->a->marks[i].at, 'm');
    }
    put_mark(t, timeline_position(t->a->t), '@');
}

/* What the branch did first that its parent did not. */
static void first_words(const struct tree *t, uint32_t branch, char *buf, size_t size)
{
    const struct branch_info *b = &t->info[branch];
    struct op_record rec;
    char call[160] = "";
    if (!branch) {
        snprintf(buf, size, "%llu operations", (unsigned long long)b->nr_ops);
        return;
    }
    if (timeline_op(t->a->t, branch, b->fork_op, &rec)) {
        op_format(call, sizeof call, t->a->model.m, &rec.op, NULL);
    }
    snprintf(buf, size, "%llu, left %.20s after %llu%s%s", (unsigned long long)b->nr_ops,
             t->info[b->parent].name, (unsigned long long)b->fork_op, *call ? ": " : "",
             call);
}

static void add_row(struct app *a, const struct tree *t, int row)
{
    const uint32_t branch = t->order[row];
    char track[4 * MOST_TRACK + 1] = "", words[256], command[32];
    size_t len = 0;
    for (int x = 0; x < t->width; x++) {
        len += utf8_put(track + len, t->cell[row][x]);
    }
    track[len] = 0;
    first_words(t, branch, words, sizeof words);
    snprintf(command, sizeof command, "branch %u", branch);
    popup_add(a, command, "%s %-*.*s %s %s",
              timeline_position(a->t).branch == branch ? "*" : " ", NAME, NAME,
              t->info[branch].name, track, words);
}

void branch_tree(struct app *a)
{
    struct tree *t = calloc(1, sizeof *t);
    if (!t) {
        return;
    }
    t->a = a;
    t->nr = timeline_nr_branches(a->t);
    t->nr = t->nr < MOST ? t->nr : MOST;
    t->width = app_clamp((a->cols - 30) / 2, LEAST_TRACK, MOST_TRACK);
    t->ops = 1;
    for (uint32_t i = 0; i < t->nr; i++) {
        t->info[i] = timeline_branch(a->t, i);
        t->ops = t->info[i].nr_ops > t->ops ? t->info[i].nr_ops : t->ops;
    }
    place(t, 0, 0);
    draw(t);
    popup_choice(a, "Branches");
    for (int row = 0; row < (int)t->nr; row++) {
        add_row(a, t, row);
        a->popup.selected =
            t->order[row] == timeline_position(a->t).branch ? row : a->popup.selected;
    }
    if (t->nr > 1) {
        snprintf(a->popup.other, sizeof a->popup.other, "d:how they differ");
    }
    free(t);
}
