/* Commands: the same script on another machine, in lock step, up to where they part.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One of the two. */
struct twin {
    const char *name;
    struct session *session;
    struct timeline *t;
};

/* A fingerprint of one operation's events. */
struct fingerprint {
    uint64_t hash, nr;
};

static void add_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct fingerprint *f = ctx;
    (void)m;
    f->hash = (f->hash ^ ev->kind) * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < PROBE_ARGS; i++) {
        f->hash = (f->hash ^ ev->arg[i]) * UINT64_C(0x9e3779b97f4a7c15);
        f->hash ^= f->hash >> 29;
    }
    f->nr++;
}

/* Operation op here: it is run if it has not been. False: the script has ended. */
static bool have_op(struct twin *s, uint64_t op, struct op_record *rec)
{
    const uint32_t branch = timeline_position(s->t).branch;
    while (op >= timeline_nr_ops(s->t, branch)) {
        const uint64_t before = timeline_nr_ops(s->t, branch);
        session_advance(s->session, NULL, NULL);
        if (timeline_nr_ops(s->t, branch) == before) {
            return false;
        }
    }
    return timeline_op(s->t, branch, op, rec);
}

static struct fingerprint fingerprint(struct twin *s, uint64_t op)
{
    struct fingerprint f = {0};
    timeline_events(s->t, timeline_position(s->t).branch, op, add_event, &f);
    return f;
}

/* The first event that is another one. */
static void put_difference(struct text_buf *b, const struct twin sides[2], uint64_t op)
{
    struct op_place place[2];
    char line[2][EVENT_LINE];
    for (int i = 0; i < 2; i++) {
        place[i] =
            (struct op_place){sides[i].t, timeline_position(sides[i].t).branch, op};
    }
    text_add(b, "\nTheir events part at number %" PRIu64 ":\n",
             events_part_at(place, line));
    for (int i = 0; i < 2; i++) {
        text_add(b, "  %-10s %s\n", sides[i].name, *line[i] ? line[i] : "none further");
    }
}

static void put_op(struct text_buf *b, const struct twin *s, bool there,
                   const struct op_record *rec, uint64_t nr_events)
{
    char call[256];
    if (!there) {
        text_add(b, "  %-10s has ended\n", s->name);
        return;
    }
    op_format(call, sizeof call, timeline_machine(s->t), &rec->op, &rec->result);
    text_add(b, "  %-10s %s, %" PRIu64 " events\n", s->name, call, nr_events);
}

/* Both to where they part, or to the end. */
static void compare(struct app *a, struct twin sides[2], struct text_buf *b)
{
    uint64_t op = 0, notes = 0;
    for (;; op++) {
        struct op_record rec[2];
        const bool x = have_op(&sides[0], op, &rec[0]),
                   y = have_op(&sides[1], op, &rec[1]);
        if (!x && !y) {
            text_add(b,
                     "The script does the same on both: %" PRIu64 " operations, %" PRIu64
                     " of them notes.\n",
                     op, notes);
            return;
        }
        struct fingerprint f[2] = {{0}, {0}};
        for (int i = 0; i < 2; i++) {
            if (i ? y : x) {
                f[i] = fingerprint(&sides[i], op);
            }
        }
        const bool same = x && y && rec[0].op.kind == rec[1].op.kind &&
                          !memcmp(rec[0].op.arg, rec[1].op.arg, sizeof rec[0].op.arg) &&
                          rec[0].result == rec[1].result && f[0].nr == f[1].nr &&
                          f[0].hash == f[1].hash;
        if (!same) {
            text_add(b,
                     "The first %" PRIu64 " operations are the same. Operation %" PRIu64
                     " is not:\n",
                     op, op);
            put_op(b, &sides[0], x, &rec[0], f[0].nr);
            put_op(b, &sides[1], y, &rec[1], f[1].nr);
            if (x && y) {
                put_difference(b, sides, op);
            }
            return;
        }
        notes += rec[0].op.kind == OP_NOTE;
        if (a->interrupted && a->interrupted(a->interrupted_ctx)) {
            text_add(b, "Stopped after %" PRIu64 " operations: the same so far.\n",
                     op + 1);
            return;
        }
    }
}

/* The words of text, then those of more, which win. */
static const char **settings_of(char *text, char *more)
{
    enum { MOST = 128 };
    const char **list = calloc(MOST + 1, sizeof *list);
    size_t n = 0;
    char *parts[] = {text, more};
    for (int i = 0; list && i < 2; i++) {
        for (char *at = strtok(parts[i], " "); at && n < MOST; at = strtok(NULL, " ")) {
            list[n++] = at;
        }
    }
    return list;
}

void run_compare(struct app *a, const char *args)
{
    char config[4096], more[512], err[600];
    if (!*args || !strchr(args, '=')) {
        app_message(a, MESSAGE_ERROR,
                    "Compare with what? As in: compare ram=1G, compare "
                    "tags=vivt, compare pcp_cold=true cpus=2");
        return;
    }
    if (!session_nr_lines(a->session)) {
        app_message(a, MESSAGE_ERROR,
                    "The sandbox has no script that could be run twice.");
        return;
    }
    config_format(config, sizeof config, &a->model.m->config);
    snprintf(more, sizeof more, "%s", args);
    char *usual = strdup(config);
    const char **plain = usual ? settings_of(usual, (char[1]){0}) : NULL;
    const char **other = settings_of(config, more);
    struct twin sides[2] = {{"this", NULL, NULL}, {"the other", NULL, NULL}};
    for (int i = 0; i < 2 && plain && other; i++) {
        const struct session_options o = {.settings = i ? other : plain};
        sides[i].session = session_open(session_name(a->session), &o, err, sizeof err);
        sides[i].t = sides[i].session ? session_timeline(sides[i].session) : NULL;
        if (!sides[i].session) {
            break;
        }
    }
    if (sides[0].session && sides[1].session) {
        struct text_buf b = {0};
        text_add(&b, "the other: %s\n\n", args);
        compare(a, sides, &b);
        popup_text(a, "In lock step", b.text);
    } else {
        app_message(a, MESSAGE_ERROR, "%s", plain && other ? err : "out of memory");
    }
    for (int i = 0; i < 2; i++) {
        session_close(sides[i].session);
    }
    free(usual);
    free(plain);
    free(other);
}
