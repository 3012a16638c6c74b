/* Commands: what changed this, and why?
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"
#include "stops.h"
#include "target.h"
#include "travel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HISTORY = MAX_CHOICES - 1 };

/* The thing that args name, or the selected one. False: it is told what is missing. */
static bool asked_about(struct app *a, const char *args, struct watch *w)
{
    char err[300];
    uint64_t page;
    if (*args) {
        char *end;
        page = strtoull(args, &end, 0);
        if (!*end) {
            *w = (struct watch){WATCH_PAGE, page, 0, 0};
            const char *error = watch_error(w, a->model.m);
            if (error) {
                app_message(a, MESSAGE_ERROR, "%s: %s.", args, error);
            }
            return !error;
        }
        if (target_parse(a, args, w, err, sizeof err)) {
            return true;
        }
        app_message(a, MESSAGE_ERROR, "%s",
                    *err ? err
                         : "Ask about: a page's number, free ZONE ORDER, pcp ZONE CPU "
                           "LIST, zone NAME, phys, virt or object ADDRESS, pte ADDRESS, "
                           "l1d SET; why also about a Lua expression: why "
                           "zone.Normal.free.");
        return false;
    }
    if (!target_selected(a, w)) {
        app_message(a, MESSAGE_INFO,
                    "Select a page or a list first, or name it: why "
                    "0x1c04, why free Normal 3.");
        return false;
    }
    return true;
}

/* Remembers that it was stopped: what was not found then may still be there. */
struct patience {
    struct app *a;
    bool stopped;
};

static bool out_of_patience(void *ctx)
{
    struct patience *p = ctx;
    const struct app *a = p->a;
    p->stopped = p->stopped || (a->interrupted && a->interrupted(a->interrupted_ctx));
    return p->stopped;
}

static bool find(struct app *a, int direction, const struct watch *w, bool *stopped)
{
    struct patience p = {a, false};
    a->asked = *w;
    a->has_asked = true;
    const bool found = timeline_find_change(a->t, direction, w, out_of_patience, &p);
    *stopped = !found && p.stopped;
    return found;
}

/* ---- the chain ---- */

static void goto_command(char *buf, size_t size, struct position at)
{
    char text[POSITION_TEXT];
    snprintf(buf, size, "goto %s", position_format(text, at));
}

static void add_event(struct app *a, uint64_t op, const struct event *ev,
                      const char *indent)
{
    char sentence[300], command[64];
    event_explain(sentence, sizeof sentence, a->model.m, ev);
    goto_command(command, sizeof command, (struct position){.op = op, .event = ev->n});
    popup_add(a, command, "%s%s: %s", indent, event_info(ev->kind)->name, sentence);
}

/* From the script's line through the kernel functions that were on the stack, each with
 * the event before it was called (what led there), to the event. */
static void show_chain(struct app *a, const char *name, const char *now,
                       const char *before_that)
{
    const struct model *md = &a->model;
    char call[256], command[64], indent[32];
    if (!md->has_op) {
        app_message(a, MESSAGE_INFO, "Nothing has happened yet: %s is as it was booted.",
                    name);
        return;
    }
    char title[96];
    snprintf(title, sizeof title, "Why %.60s", name);
    popup_choice(a, title);
    const uint64_t op = md->view.op;
    struct site site = timeline_site(a->t, md->view.rec.op.site);
    op_format(call, sizeof call, md->m, &md->view.rec.op, NULL);
    const unsigned long long number = op_number(op);
    snprintf(command, sizeof command, "goto %llu", number);
    if (site.line) {
        popup_add(a, command, "line %u: %s", site.line,
                  session_line(a->session, site.line) +
                      strspn(session_line(a->session, site.line), " \t"));
    }
    popup_add(a, command, "operation %llu: %s", number, call);
    uint64_t last = 0;
    for (uint32_t d = 0; d < md->depth && md->has_event; d++) {
        const struct probe_frame *f = &md->stack[d];
        uint64_t n = (md->event.n & ~UINT64_C(0xffff)) | f->event_entered;
        n = n >= md->event.n ? n - 0x10000 : n;
        snprintf(indent, sizeof indent, "%*s", (int)(d < 12 ? d + 1 : 13), "");
        const struct event *before = n > last ? op_events_get(&md->view, n) : NULL;
        if (before) {
            add_event(a, op, before, indent);
            last = n;
        }
        frame_format(call, sizeof call, md->m, f);
        char entered[64];
        goto_command(entered, sizeof entered,
                     (struct position){.op = op, .event = n + 1});
        popup_add(a, entered, "%s%s", indent, call);
    }
    if (md->has_event) {
        snprintf(indent, sizeof indent, "%*s", (int)(md->depth < 12 ? md->depth + 1 : 13),
                 "");
        add_event(a, op, &md->event, indent);
    }
    popup_add(a, before_that, "now: %s. Enter: the change before", now);
    a->popup.selected = app_max_int(0, a->popup.nr_choices - 2);
}

/* ---- an expression ---- */

/* What nothing but Lua can tell: a counter, a field, a sum. False: args are no such
 * expression. */
static bool as_expression(struct app *a, const char *args, struct stops *s)
{
    struct stop like = {.kind = STOP_VALUE};
    struct watch w;
    char err[300], *end;
    *s = (struct stops){0};
    (void)strtoull(args, &end, 0);
    if (!*end || strlen(args) >= sizeof like.text ||
        target_parse(a, args, &w, err, sizeof err) || *err) {
        return false;
    }
    snprintf(like.text, sizeof like.text, "%s", args);
    if (!stops_add(s, a->session, &like, err, sizeof err)) {
        return false;
    }
    struct event ev;
    const bool inside = timeline_current_event(a->t, &ev);
    stops_begin(s, timeline_machine(a->t), inside ? &ev : NULL, inside);
    if (strcmp(s->list[0].last_text, "nil") != 0) {
        return true;
    }
    stops_clear(s);
    return false;
}

/* The last change of an expression's value: up to here, or before here. */
static void expression_change(struct app *a, const char *args, struct stops *its,
                              bool here_too)
{
    const struct position from = timeline_position(a->t);
    const struct stops others = a->stops;
    struct stop *which = NULL;
    char name[128], now[STOP_TEXT], command[STOP_TEXT + 20];
    if (here_too) { /* a search backwards begins in front of where it is */
        timeline_step_event(a->t, 1);
    }
    a->stops = *its;
    const enum travel result = travel_continue(a, -1, &which);
    *its = a->stops;
    a->stops = others;
    if (result != TRAVEL_BREAK) {
        timeline_seek(a->t, from);
    }
    struct event ev;
    const bool inside = timeline_current_event(a->t, &ev);
    stops_begin(its, timeline_machine(a->t), inside ? &ev : NULL, inside);
    snprintf(now, sizeof now, "%s", its->list[0].last_text);
    stops_clear(its);
    app_moved(a, from);
    snprintf(name, sizeof name, "%s", args);
    if (result == TRAVEL_BREAK) {
        snprintf(command, sizeof command, "previous-change %s", args);
        show_chain(a, name, now, command);
    } else {
        app_message(a, MESSAGE_INFO,
                    result == TRAVEL_INTERRUPTED ? "Stopped: no change of %s so far."
                    : here_too ? "Nothing here has changed %s: it is as it was at the "
                                 "beginning."
                               : "There is no earlier change of %s.",
                    name);
    }
}

void run_why(struct app *a, const char *args)
{
    struct watch w;
    struct stops expression;
    char name[128], now[160];
    if (as_expression(a, args, &expression)) {
        expression_change(a, args, &expression, true);
        return;
    }
    if (!asked_about(a, args, &w)) {
        return;
    }
    const struct position from = timeline_position(a->t);
    watch_name(name, sizeof name, &w, a->model.m);
    bool stopped;
    if (!find(a, -1, &w, &stopped)) {
        app_moved(a, from);
        app_message(
            a, MESSAGE_INFO,
            stopped ? "Stopped: no change of %s so far."
                    : "Nothing here has changed %s: it is as it was at the beginning.",
            name);
        return;
    }
    app_moved(a, from);
    watch_name(name, sizeof name, &w, a->model.m);
    watch_format(now, sizeof now, &w, a->model.m);
    show_chain(a, name, now, "previous-change");
}

static void change(struct app *a, const char *args, int direction)
{
    struct watch w;
    char name[128], now[160];
    if (!asked_about(a, args, &w)) {
        return;
    }
    const struct position from = timeline_position(a->t);
    bool found, stopped;
    if (direction < 0) { /* not the one where we are */
        timeline_step_event(a->t, -1);
    }
    found = find(a, direction, &w, &stopped);
    if (!found) {
        timeline_seek(a->t, from);
    }
    app_moved(a, from);
    watch_name(name, sizeof name, &w, a->model.m);
    watch_format(now, sizeof now, &w, a->model.m);
    if (found) {
        app_message(a, MESSAGE_INFO, "This changed %s; now: %s.", name, now);
    } else if (stopped) {
        app_message(a, MESSAGE_INFO, "Stopped: no change of %s so far.", name);
    } else {
        app_message(a, MESSAGE_INFO, "There is no %s change of %s.",
                    direction < 0 ? "earlier" : "later", name);
    }
}

void run_next_change(struct app *a, const char *args) { change(a, args, 1); }
void run_previous_change(struct app *a, const char *args)
{
    struct stops expression;
    if (as_expression(a, args, &expression)) {
        expression_change(a, args, &expression, false);
    } else {
        change(a, args, -1);
    }
}

/* ---- all changes ---- */

struct changes {
    struct app *a;
    struct watch w;
    struct watch_value value;
    struct {
        struct position at;
        char now[120];
    } list[MAX_HISTORY];
    uint64_t nr; /* of all; the last MAX_HISTORY are kept, in a ring */
};

static void changes_begin(void *ctx, struct machine *m)
{
    struct changes *c = ctx;
    c->value = watch_read(&c->w, m);
}

static bool note_change(struct changes *c, const struct machine *m, uint64_t event)
{
    if (watch_changed(&c->w, m, &c->value)) {
        struct position at = timeline_position(c->a->t);
        at.event = event;
        c->list[c->nr % MAX_HISTORY].at = at;
        watch_format(c->list[c->nr % MAX_HISTORY].now, sizeof c->list[0].now, &c->w, m);
        c->nr++;
    }
    return false;
}

static bool changes_at(void *ctx, struct machine *m, const struct event *ev)
{
    return note_change(ctx, m, ev->n);
}

static bool changes_behind(void *ctx, struct machine *m)
{
    return note_change(ctx, m, 0);
}

static bool changes_interrupted(void *ctx)
{
    const struct changes *c = ctx;
    return c->a->interrupted && c->a->interrupted(c->a->interrupted_ctx);
}

void run_history(struct app *a, const char *args)
{
    struct changes *c = calloc(1, sizeof *c);
    if (!c || !asked_about(a, args, &c->w)) {
        free(c);
        return;
    }
    c->a = a;
    a->asked = c->w;
    a->has_asked = true;
    const struct position from = timeline_position(a->t);
    timeline_seek(a->t, (struct position){from.branch, timeline_first_op(a->t), 0});
    const struct search_calls calls = {.begin = changes_begin,
                                       .pred = changes_at,
                                       .at_end = changes_behind,
                                       .interrupted = changes_interrupted,
                                       .ctx = c};
    bool stopped;
    timeline_search_with(a->t, 1, &calls, &stopped);
    timeline_seek(a->t, from);
    char name[128], title[128];
    watch_name(name, sizeof name, &c->w, a->model.m);
    if (!c->nr) {
        app_message(a, MESSAGE_INFO,
                    stopped ? "Stopped: no change of %s so far."
                            : "Nothing on this branch changes %s.",
                    name);
        free(c);
        return;
    }
    snprintf(title, sizeof title, "%s%llu change%s of %.60s", stopped ? "Stopped: " : "",
             (unsigned long long)c->nr, c->nr == 1 ? "" : "s", name);
    popup_choice(a, title);
    const uint64_t first = c->nr > MAX_HISTORY ? c->nr - MAX_HISTORY : 0;
    for (uint64_t i = first; i < c->nr; i++) {
        const struct position at = c->list[i % MAX_HISTORY].at;
        char command[64], text[POSITION_TEXT];
        goto_command(command, sizeof command, at);
        const bool here = at.op < from.op || (at.op == from.op && at.event <= from.event);
        popup_add(a, command, "%-8s %s%s", position_format(text, at),
                  c->list[i % MAX_HISTORY].now, here ? "" : "  (later)");
        if (here) {
            a->popup.selected = (int)(i - first);
        }
    }
    free(c);
}
