/* Commands: going through time, branches.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "popup.h"
#include "travel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void travelled(struct app *a, enum travel result, struct position from)
{
    app_moved(a, from);
    switch (result) {
    case TRAVEL_END:
        a->running = false;
        if (a->sandbox) {
            app_message(
                a, MESSAGE_INFO,
                "This is now. Do something: a allocates, : takes Lua. S goes back.");
        } else {
            app_message(a, MESSAGE_INFO,
                        "The %s ends here. S goes back, R to the beginning, a and : "
                        "do more.",
                        a->recorded ? "recording" : "script");
        }
        break;
    case TRAVEL_START:
        app_message(a, MESSAGE_INFO,
                    "This is the beginning: the machine has just booted.");
        break;
    case TRAVEL_FAILED: {
        a->running = false;
        const char *error = session_error(a->session);
        app_message(a, MESSAGE_ERROR, "The script failed: %.*s (Enter: more)",
                    (int)strcspn(error, "\n"), error);
        break;
    }
    case TRAVEL_INTERRUPTED:
        a->running = false;
        app_message(a, MESSAGE_INFO, "Stopped.");
        break;
    default:
        break;
    }
}

typedef enum travel travel_fn(struct app *a, int direction);

/* "step 3": how often; 1 when args does not say. False: it is told what is wrong. */
static bool parse_count(struct app *a, const char *args, uint64_t *count)
{
    char *end;
    *count = *args ? strtoull(args, &end, 0) : 1;
    if (*args && (*end || !*count || *args == '-')) {
        app_message(a, MESSAGE_ERROR, "%s is no number of times.", args);
        return false;
    }
    return true;
}

static void travel(struct app *a, const char *args, travel_fn *fn, int direction)
{
    const struct position from = timeline_position(a->t);
    enum travel result = TRAVEL_MOVED;
    uint64_t count;
    if (!parse_count(a, args, &count)) {
        return;
    }
    session_select_frame(a->session, 0);
    for (; count && result == TRAVEL_MOVED; count--) {
        const struct position before = timeline_position(a->t);
        result = fn(a, direction);
        if (result == TRAVEL_MOVED && a->interrupted &&
            a->interrupted(a->interrupted_ctx)) {
            result = TRAVEL_INTERRUPTED;
        }
        if (count > 1 && result == TRAVEL_MOVED) { /* the next one starts from there */
            app_moved(a, before);
        }
    }
    travelled(a, result, from);
}

void run_step(struct app *a, const char *args) { travel(a, args, travel_step, 1); }
void run_step_back(struct app *a, const char *args) { travel(a, args, travel_step, -1); }
void run_event(struct app *a, const char *args) { travel(a, args, travel_event, 1); }
void run_event_back(struct app *a, const char *args)
{
    travel(a, args, travel_event, -1);
}
void run_next(struct app *a, const char *args) { travel(a, args, travel_next, 1); }
void run_next_back(struct app *a, const char *args) { travel(a, args, travel_next, -1); }
void run_finish(struct app *a, const char *args)
{
    (void)args, travel(a, "", travel_finish, 1);
}
void run_finish_back(struct app *a, const char *args)
{
    (void)args, travel(a, "", travel_finish, -1);
}

static void stopped_at(struct app *a, struct stop *stop)
{
    char text[400];
    stop_format(text, sizeof text, stop, a->model.m);
    stop->hits++;
    a->last_stop = stop->number;
    if (*a->stops.error) {
        app_message(a, MESSAGE_ERROR, "%d: %s: %s", stop->number, text, a->stops.error);
    } else {
        app_message(a, MESSAGE_INFO, "%s %d: %s.",
                    stop->kind >= STOP_PAGE ? "Watchpoint" : "Breakpoint", stop->number,
                    text);
    }
    snprintf(a->todo, sizeof a->todo, "%s", stop->commands);
    if (stop->temporary) {
        stops_remove(&a->stops, stop->number);
    }
}

static bool continue_to(struct app *a, int direction)
{
    struct position from = timeline_position(a->t);
    struct stop *which;
    session_select_frame(a->session, 0);
    enum travel result = travel_continue(a, direction, &which);
    travelled(a, result, from);
    if (result == TRAVEL_BREAK && which) {
        stopped_at(a, which);
        return true;
    }
    if (result == TRAVEL_MOVED && direction > 0 &&
        session_state(a->session) == SESSION_DONE) {
        app_message(a, MESSAGE_INFO, "The %s ends here. S goes back, R to the beginning.",
                    a->recorded ? "recording" : "script");
    }
    return false;
}

/* To where an expression is true, with all other breakpoints as they are. */
static void continue_until(struct app *a, const char *expression, int direction)
{
    struct stop like = {.kind = STOP_WHEN, .temporary = true};
    char err[300];
    if (!*expression) {
        app_message(a, MESSAGE_ERROR,
                    "Until what? As in: until zone.Normal.free < zone.Normal.low");
        return;
    }
    snprintf(like.text, sizeof like.text, "%s", expression);
    const struct stop *stop = stops_add(&a->stops, a->session, &like, err, sizeof err);
    if (!stop) {
        app_message(a, MESSAGE_ERROR, "%s", err);
        return;
    }
    const int number = stop->number;
    continue_to(a, direction);
    stops_remove(&a->stops, number);
}

void run_until(struct app *a, const char *args) { continue_until(a, args, 1); }
void run_until_back(struct app *a, const char *args) { continue_until(a, args, -1); }

/* "continue 3": past two breakpoints, to the third one. */
static void continue_times(struct app *a, const char *args, int direction)
{
    uint64_t count;
    if (parse_count(a, args, &count)) {
        while (count && continue_to(a, direction)) {
            count--;
        }
    }
}

void run_continue(struct app *a, const char *args) { continue_times(a, args, 1); }
void run_continue_back(struct app *a, const char *args) { continue_times(a, args, -1); }

void run_run(struct app *a, const char *args)
{
    (void)args;
    a->running = !a->running;
    if (a->running) { /* the first step at once: what is on the screen has been seen */
        run_step(a, "");
    }
}

void run_faster(struct app *a, const char *args)
{
    (void)args;
    a->speed++;
    app_message(a, MESSAGE_INFO, "%d steps a second.", app_speed(a));
}

void run_slower(struct app *a, const char *args)
{
    (void)args;
    a->speed = a->speed > 0 ? a->speed - 1 : 0;
    app_message(a, MESSAGE_INFO, "%d step%s a second.", app_speed(a),
                app_speed(a) == 1 ? "" : "s");
}

static void seek(struct app *a, struct position to)
{
    struct position from = timeline_position(a->t);
    timeline_seek(a->t, to);
    app_moved(a, from);
}

void run_restart(struct app *a, const char *args)
{
    (void)args;
    seek(a,
         (struct position){timeline_position(a->t).branch, timeline_first_op(a->t), 0});
}

void run_now(struct app *a, const char *args)
{
    (void)args;
    uint32_t branch = timeline_position(a->t).branch;
    seek(a, (struct position){branch, timeline_nr_ops(a->t, branch), 0});
}

void run_goto(struct app *a, const char *args)
{
    struct position marked, to;
    if (mark_position(a, args, &marked)) {
        seek(a, marked);
        return;
    }
    const char *rest = position_parse(args, &to);
    if (!rest || *rest) {
        app_message(a, MESSAGE_ERROR,
                    "goto wants OP, OP.EVENT or a mark, as in: goto 12.3");
        return;
    }
    struct position from = timeline_position(a->t);
    travelled(a, travel_to(a, to.op, to.event), from);
    const struct position at = timeline_position(a->t);
    const uint64_t nr = timeline_nr_ops(a->t, at.branch);
    if (to.op + (to.event != 0) > nr && session_state(a->session) == SESSION_DONE) {
        app_message(a, MESSAGE_INFO,
                    "There is no operation %" PRIu64 ": the script ends after %" PRIu64
                    ".",
                    to.op + (to.event != 0), nr);
    }
}

/* ---- branches ---- */

bool first_word_is(const char *args, const char *word, const char **rest)
{
    size_t len = strlen(word);
    if (strncmp(args, word, len) != 0 || (args[len] && args[len] != ' ')) {
        return false;
    }
    *rest = args + len + strspn(args + len, " ");
    return true;
}

void run_branch(struct app *a, const char *args)
{
    const char *name;
    if (!*args || !strcmp(args, "list")) {
        branch_tree(a);
        return;
    }
    struct position at = timeline_position(a->t);
    if (first_word_is(args, "name", &name) && *name) {
        timeline_name_branch(a->t, at.branch, name);
        app_message(a, MESSAGE_INFO, "This branch is called %s now.", name);
        return;
    }
    char *end;
    unsigned long n = strtoul(args, &end, 10);
    uint32_t nr = timeline_nr_branches(a->t),
             to = end != args && !*end ? (uint32_t)n : UINT32_MAX;
    for (uint32_t i = 0; i < nr; i++) {
        if (!strcmp(timeline_branch(a->t, i).name, args)) {
            to = i;
        }
    }
    if (to >= nr) {
        app_message(a, MESSAGE_ERROR, "There is no branch %s: :branch lists them.", args);
        return;
    }
    /* to where the two part, or as far as the other one goes: what both have in common
     * is kept in view */
    uint64_t ops = timeline_nr_ops(a->t, to);
    seek(a, (struct position){to, ops, 0});
    app_message(a, MESSAGE_INFO, "Branch %s, at its end.",
                timeline_branch(a->t, to).name);
}
