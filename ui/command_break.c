/* Commands: breakpoints and watchpoints.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint16_t function_by_name(const char *name)
{
    for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
        if (!strcmp(fn_info(i)->name, name)) {
            return i;
        }
    }
    return 0;
}

/* ---- setting ---- */

static void add(struct app *a, const struct stop *like)
{
    char err[300], text[400];
    struct stop *stop = stops_add(&a->stops, a->session, like, err, sizeof err);
    if (!stop) {
        app_message(a, MESSAGE_ERROR, "%s", err);
        return;
    }
    stop_format(text, sizeof text, stop, a->model.m);
    bool watches = stop->kind >= STOP_PAGE;
    app_message(a, MESSAGE_INFO, "%s %d: %s. c continues to it, C goes back to it.",
                stop->temporary ? "Temporary breakpoint"
                : watches       ? "Watchpoint"
                                : "Breakpoint",
                stop->number, text);
}

/* A key sets one, and the same key takes it away. */
static void toggle(struct app *a, const struct stop *like)
{
    char text[400];
    struct stop *same = stops_same(&a->stops, like);
    if (same && !*like->condition && !like->temporary) {
        stop_format(text, sizeof text, same, a->model.m);
        app_message(a, MESSAGE_INFO, "No longer a breakpoint: %s.", text);
        stops_remove(&a->stops, same->number);
    } else {
        add(a, like);
    }
}

static void break_at_selection(struct app *a, struct stop *like)
{
    const struct model *md = &a->model;
    if (a->focus == PANE_SCRIPT && session_nr_lines(a->session)) {
        int row = a->script.selected >= 0 ? a->script.selected : (int)md->line - 1;
        if (row >= 0) {
            like->kind = STOP_LINE;
            like->what = (uint64_t)row + 1;
            toggle(a, like);
            return;
        }
    }
    if (a->focus == PANE_STACK && md->depth) {
        int row = a->stack.selected >= 0 ? a->stack.selected : (int)md->depth - 1;
        like->kind = STOP_FUNCTION;
        like->what = md->stack[row].fn;
        toggle(a, like);
        return;
    }
    const struct event *ev = md->has_event ? &md->event : NULL;
    if (a->focus == PANE_EVENTS && a->events.selected >= 0 && md->has_op &&
        (uint64_t)a->events.selected > md->view.op) {
        ev = op_events_get(&md->view, (uint64_t)a->events.selected - md->view.op);
    }
    if (ev) {
        like->kind = STOP_EVENT;
        like->what = ev->kind;
        toggle(a, like);
    } else {
        app_message(
            a, MESSAGE_INFO,
            "Nothing to break on here: break EVENT, FUNCTION, LINE or op NUMBER.");
    }
}

/* Cut " if EXPR" off args; the expression, or "". */
static const char *take_condition(char *args)
{
    char *at = !strncmp(args, "if ", 3) ? args : strstr(args, " if ");
    if (!at) {
        return "";
    }
    const char *expression = at + (*at == ' ' ? 4 : 3);
    *at = 0;
    return expression + strspn(expression, " ");
}

static bool parse_place(struct app *a, const char *what, bool returns, struct stop *like)
{
    char *end;
    const char *rest;
    unsigned long line = strtoul(what, &end, 10);
    uint16_t kind = event_kind_by_name(what), fn = function_by_name(what);
    if (first_word_is(what, "op", &rest) && *rest) {
        struct position at;
        rest = position_parse(rest, &at);
        like->kind = STOP_OP;
        like->what = op_of_number(rest ? at.op : 1);
        return rest && !*rest && at.op && !at.event;
    }
    if (!*end && line && line <= session_nr_lines(a->session)) {
        like->kind = STOP_LINE;
        like->what = line;
    } else if (kind) {
        like->kind = STOP_EVENT;
        like->what = kind;
    } else if (fn) {
        like->kind = returns ? STOP_RETURN : STOP_FUNCTION;
        like->what = fn;
    } else {
        return false;
    }
    return true;
}

static void set_break(struct app *a, const char *args, bool temporary)
{
    char text[1024];
    const char *rest;
    snprintf(text, sizeof text, "%s", args);
    struct stop like = {.temporary = temporary};
    snprintf(like.condition, sizeof like.condition, "%s", take_condition(text));
    bool returns = first_word_is(text, "-r", &rest);
    char *what = text + (returns ? rest - text : 0);
    for (size_t n = strlen(what); n && what[n - 1] == ' '; n--) {
        what[n - 1] = 0;
    }
    if (!*what) {
        break_at_selection(a, &like);
    } else if (parse_place(a, what, returns, &like)) {
        toggle(a, &like);
    } else {
        app_message(a, MESSAGE_ERROR,
                    "%s is no event, no function and no line of the script (:events "
                    "lists events).",
                    what);
    }
}

void run_break(struct app *a, const char *args) { set_break(a, args, false); }
void run_tbreak(struct app *a, const char *args) { set_break(a, args, true); }

bool selected_page(struct app *a, const char *args, uint64_t *p)
{
    if (*args) {
        char *end;
        *p = strtoull(args, &end, 0);
        if (*end) {
            app_message(a, MESSAGE_ERROR,
                        "%s is no page frame number, as 0x1c04 or 7172.", args);
            return false;
        }
        return true;
    }
    const struct pane_kind *pane = pane_kind(a->focus);
    return pane->selected_pfn && pane->selected_pfn(a, p);
}

void run_watch(struct app *a, const char *args)
{
    char text[STOP_TEXT], err[200];
    snprintf(text, sizeof text, "%s", args);
    struct stop like = {.kind = STOP_PAGE};
    snprintf(like.condition, sizeof like.condition, "%s", take_condition(text));
    char *end;
    like.what = strtoull(text, &end, 0);
    if (end != text && !end[strspn(end, " ")]) { /* a page frame number */
        toggle(a, &like);
    } else if (!*text) {
        if (target_selected(a, &like.watch) && like.watch.kind == WATCH_OBJECT) {
            like.kind = STOP_CHANGE;
            toggle(a, &like);
        } else if (selected_page(a, "", &like.what)) {
            toggle(a, &like);
        } else {
            app_message(a, MESSAGE_INFO,
                        "Select a page or an object first, or :watch PFN.");
        }
    } else if (target_parse(a, text, &like.watch, err, sizeof err)) {
        like.kind = STOP_CHANGE;
        toggle(a, &like);
    } else if (*err) {
        app_message(a, MESSAGE_ERROR, "%s", err);
    } else {
        like.kind = STOP_VALUE;
        snprintf(like.text, sizeof like.text, "%s", text);
        toggle(a, &like);
    }
}

/* ---- changing ---- */

/* The breakpoints that args name by number, or all; each is given to fn. */
static void for_each(struct app *a, const char *args,
                     void (*fn)(struct app *a, struct stop *stop))
{
    if (!*args) {
        for (int i = a->stops.nr - 1; i >= 0; i--) {
            fn(a, &a->stops.list[i]);
        }
        return;
    }
    for (char *end; *args; args = end + strspn(end, " ,")) {
        long number = strtol(args, &end, 10);
        struct stop *stop = end != args ? stops_find(&a->stops, (int)number) : NULL;
        if (!stop) {
            app_message(a, MESSAGE_ERROR,
                        "There is no breakpoint %.*s: breakpoints lists them.",
                        (int)strcspn(args, " ,"), args);
            return;
        }
        fn(a, stop);
    }
}

static void delete_stop(struct app *a, struct stop *stop)
{
    stops_remove(&a->stops, stop->number);
}

static void enable_stop(struct app *a, struct stop *stop)
{
    stop->enabled = true;
    stops_changed(&a->stops);
}

static void disable_stop(struct app *a, struct stop *stop)
{
    stop->enabled = false;
    stops_changed(&a->stops);
}

static void tell_number(struct app *a)
{
    if (a->message_kind != MESSAGE_ERROR) {
        app_message(a, MESSAGE_INFO, "%d breakpoint%s now.", a->stops.nr,
                    a->stops.nr == 1 ? "" : "s");
    }
}

void run_delete(struct app *a, const char *args)
{
    for_each(a, args, delete_stop);
    tell_number(a);
}
void run_enable(struct app *a, const char *args)
{
    for_each(a, args, enable_stop);
    tell_number(a);
}
void run_disable(struct app *a, const char *args)
{
    for_each(a, args, disable_stop);
    tell_number(a);
}

/* The breakpoint whose number args begin with; rest is what follows. NULL: it is told. */
static struct stop *numbered(struct app *a, const char *args, const char **rest)
{
    char *end;
    long number = strtol(args, &end, 10);
    struct stop *stop = end != args ? stops_find(&a->stops, (int)number) : NULL;
    *rest = end + strspn(end, " ");
    if (!stop) {
        app_message(a, MESSAGE_ERROR,
                    "Which breakpoint? A number comes first; breakpoints lists them.");
    }
    return stop;
}

void run_ignore(struct app *a, const char *args)
{
    const char *rest;
    struct stop *stop = numbered(a, args, &rest);
    if (stop) {
        stop->ignore = strtoull(rest, NULL, 0);
        stops_changed(&a->stops);
        app_message(a, MESSAGE_INFO, "The next %llu times %d does not stop.",
                    (unsigned long long)stop->ignore, stop->number);
    }
}

void run_condition(struct app *a, const char *args)
{
    const char *rest;
    char err[300];
    struct stop *stop = numbered(a, args, &rest);
    if (!stop) {
        return;
    }
    if (!stop_set_condition(&a->stops, stop, a->session, rest, err, sizeof err)) {
        app_message(a, MESSAGE_ERROR, "%s", err);
    } else if (*rest) {
        app_message(a, MESSAGE_INFO, "%d stops if %s.", stop->number, rest);
    } else {
        app_message(a, MESSAGE_INFO, "%d stops always.", stop->number);
    }
}

void run_commands(struct app *a, const char *args)
{
    const char *rest;
    struct stop *stop = numbered(a, args, &rest);
    if (stop) {
        snprintf(stop->commands, sizeof stop->commands, "%s", rest);
        app_message(a, MESSAGE_INFO, *rest ? "When %d stops: %s" : "%d runs nothing.%s",
                    stop->number, rest);
    }
}

void run_breakpoints(struct app *a, const char *args)
{
    if (!strcmp(args, "clear")) {
        stops_clear(&a->stops);
        app_message(a, MESSAGE_INFO, "No breakpoints now.");
        return;
    }
    if (!a->stops.nr) {
        app_message(a, MESSAGE_INFO,
                    "There are no breakpoints: b sets one, w watches a page.");
        return;
    }
    popup_choice(a, "Breakpoints (Enter deletes one)");
    for (int i = 0; i < a->stops.nr; i++) {
        const struct stop *stop = &a->stops.list[i];
        char text[400], command[32], more[300] = "";
        stop_format(text, sizeof text, stop, a->model.m);
        if (*stop->commands) {
            snprintf(more, sizeof more, ", then %s", stop->commands);
        }
        snprintf(command, sizeof command, "delete %d", stop->number);
        popup_add(a, command, "%d %s%s%s, hit %llu time%s%s", stop->number,
                  stop->temporary ? "(once) " : "", stop->enabled ? "" : "(disabled) ",
                  text, (unsigned long long)stop->hits, stop->hits == 1 ? "" : "s", more);
    }
}
