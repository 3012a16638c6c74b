/* Commands: how two branches differ.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "compare.h"
#include "describe.h"
#include "pane.h"
#include "popup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BRANCH_NAME = 48 };

/* What is compared of a machine at a branch's end. */
struct ends {
    uint64_t ops, events, digest;
    uint64_t free[MAX_NR_ZONES], pcp[MAX_NR_ZONES];
    uint64_t blocks[MAX_NR_ZONES][MAX_ORDER][MIGRATE_TYPES];
    uint64_t counter[NR_COUNTERS];
};

static uint32_t branch_by_name(const struct app *a, const char *name)
{
    char *end;
    const unsigned long n = strtoul(name, &end, 10);
    for (uint32_t i = 0; i < timeline_nr_branches(a->t); i++) {
        if (!strcmp(timeline_branch(a->t, i).name, name) ||
            (end != name && !*end && n == i)) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* The operations that both have, from the beginning. */
static uint64_t common_ops(const struct app *a, uint32_t x, uint32_t y)
{
    uint64_t common = UINT64_MAX;
    while (x != y) { /* the younger one goes up to where it began */
        uint32_t *young = x > y ? &x : &y;
        const struct branch_info b = timeline_branch(a->t, *young);
        common = b.fork_op < common ? b.fork_op : common;
        *young = b.parent;
    }
    return common;
}

static void look_at_end(struct app *a, uint32_t branch, struct ends *e)
{
    timeline_seek(a->t, (struct position){branch, timeline_nr_ops(a->t, branch), 0});
    const struct machine *m = timeline_machine(a->t);
    e->ops = timeline_nr_ops(a->t, branch);
    e->events = timeline_event_number(a->t, timeline_position(a->t));
    e->digest = machine_digest(timeline_machine(a->t));
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        e->free[z] = zone_view(m, z).free;
        e->pcp[z] = zone_view(m, z).pcp_pages;
        for (uint32_t order = 0; order < m->config.max_order; order++) {
            for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
                e->blocks[z][order][mt] =
                    freelist_count(m, z, order, (enum migratetype)mt);
            }
        }
    }
    machine_counters(m, e->counter);
}

/* The events of one operation as text, a line each. */
static void list_event(void *ctx, struct machine *m, const struct event *ev)
{
    char text[400];
    event_format(text, sizeof text, m, ev);
    text_add(ctx, "%s\n", text);
}

uint64_t events_part_at(const struct op_place place[2], char line[2][EVENT_LINE])
{
    struct text_buf lists[2] = {{0}, {0}};
    const char *at[2];
    for (int i = 0; i < 2; i++) {
        timeline_events(place[i].t, place[i].branch, place[i].op, list_event, &lists[i]);
        at[i] = lists[i].text ? lists[i].text : "";
    }
    uint64_t n = 1;
    for (; *at[0] && *at[1]; n++) {
        const size_t len = strcspn(at[0], "\n");
        if (len != strcspn(at[1], "\n") || strncmp(at[0], at[1], len) != 0) {
            break;
        }
        at[0] += len + 1;
        at[1] += len + 1;
    }
    n = *at[0] || *at[1] ? n : 0;
    for (int i = 0; i < 2; i++) {
        snprintf(line[i], EVENT_LINE, "%.*s", (int)strcspn(at[i], "\n"), at[i]);
        free(lists[i].text);
    }
    return n;
}

/* The first event that is another one, or is there in one only. */
static void first_difference(struct app *a, struct text_buf *b, uint32_t x, uint32_t y,
                             uint64_t op)
{
    const struct op_place place[2] = {{a->t, x, op}, {a->t, y, op}};
    char line[2][EVENT_LINE];
    for (int i = 0; i < 2; i++) {
        char call[256];
        struct op_record rec;
        const char *name = timeline_branch(a->t, place[i].branch).name;
        if (!timeline_op(a->t, place[i].branch, op, &rec)) {
            text_add(b, "%s ends there.\n", name);
            continue;
        }
        op_format(call, sizeof call, a->model.m, &rec.op, &rec.result);
        text_add(b, "%s: operation %" PRIu64 " is %s\n", name, op_number(op), call);
    }
    const uint64_t n = events_part_at(place, line);
    if (n) {
        text_add(b, "They part at event %" PRIu64 ":\n  %s\n  %s\n", n,
                 *line[0] ? line[0] : "none", *line[1] ? line[1] : "none");
    }
}

static void put_row(struct text_buf *b, const char *what, uint64_t x, uint64_t y)
{
    if (x != y) {
        text_add(b, "%-28s %14" PRIu64 " %14" PRIu64 " %+12" PRId64 "\n", what, x, y,
                 (int64_t)(y - x));
    }
}

void run_branch_diff(struct app *a, const char *args)
{
    char names[2][MAX_BRANCH_NAME] = {"", ""};
    const struct position here = timeline_position(a->t);
    struct ends *e = calloc(2, sizeof *e);
    uint32_t x = 0, y = here.branch;
    /* names may have blanks: "A, B" */
    const char *comma = strchr(args, ',');
    snprintf(names[0], sizeof names[0], "%.*s", comma ? (int)(comma - args) : 47, args);
    snprintf(names[1], sizeof names[1], "%s",
             comma ? comma + 1 + strspn(comma + 1, " ") : "");
    if (*args) {
        x = branch_by_name(a, names[0]);
        y = comma ? branch_by_name(a, names[1]) : here.branch;
    }
    if (!e || x == UINT32_MAX || y == UINT32_MAX || x == y) {
        app_message(a, MESSAGE_ERROR,
                    "Which two branches? As in: branch-diff main, branch 1. branch lists "
                    "them.");
        free(e);
        return;
    }
    struct text_buf b = {0};
    const uint64_t common = common_ops(a, x, y);
    look_at_end(a, x, &e[0]);
    look_at_end(a, y, &e[1]);
    timeline_seek(a->t, here);
    text_add(&b, "Both begin with the same %" PRIu64 " operations.\n", common);
    first_difference(a, &b, x, y, common);
    text_add(&b, "\n%-28s %14s %14s %12s\n", "at their ends",
             timeline_branch(a->t, x).name, timeline_branch(a->t, y).name, "difference");
    put_row(&b, "operations", e[0].ops, e[1].ops);
    put_row(&b, "events", e[0].events, e[1].events);
    for (int i = 0; i < NR_COUNTERS; i++) {
        put_row(&b, counter_names[i], e[0].counter[i], e[1].counter[i]);
    }
    for (uint32_t z = 0; z < machine_nr_zones(a->model.m); z++) {
        char what[64];
        const char *name = zone_view(a->model.m, z).name;
        snprintf(what, sizeof what, "%s: free pages", name);
        put_row(&b, what, e[0].free[z], e[1].free[z]);
        snprintf(what, sizeof what, "%s: on per-CPU lists", name);
        put_row(&b, what, e[0].pcp[z], e[1].pcp[z]);
        for (uint32_t order = 0; order < a->model.m->config.max_order; order++) {
            for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
                snprintf(what, sizeof what, "%s: order %u, %s", name, order,
                         type_name((enum migratetype)mt));
                put_row(&b, what, e[0].blocks[z][order][mt], e[1].blocks[z][order][mt]);
            }
        }
    }
    if (e[0].digest == e[1].digest) {
        text_add(&b, "The machines are the same, byte by byte.\n");
    }
    popup_text(a, "How they differ", b.text);
    free(e);
}
