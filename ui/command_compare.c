/* Commands: the same script on another machine, in lock step, side by side.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "compare.h"
#include "pane.h"
#include "popup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void close_compare(struct app *a)
{
    compare_close(a->compare);
    a->compare = NULL;
}

/* Where there is no screen, the two columns are told. */
static void tell(struct app *a)
{
    struct compare_row *rows = malloc(COMPARE_ROWS * sizeof *rows);
    struct text_buf b = {0};
    if (!rows || !a->keeps_todo) {
        free(rows);
        return;
    }
    const size_t nr = compare_rows(a->compare, rows, COMPARE_ROWS, 40);
    text_add(&b, "  %-17s %-40s %s\n", "", "this machine", a->compare->what);
    for (size_t i = 0; i < nr; i++) {
        const struct compare_row *r = &rows[i];
        if (r->heading) {
            text_add(&b, "%s\n", r->name);
        } else {
            const bool wide = strlen(r->value[0]) > 40;
            text_add(&b, wide ? "%s %-17s %s\n%60s %s\n" : "%s %-17s %-40s%s %s\n",
                     strcmp(r->value[0], r->value[1]) != 0 ? "*" : " ", r->name,
                     r->value[0], "", r->value[1]);
        }
    }
    const struct position at = {.op = a->compare->op, .event = a->compare->event};
    char title[80], place[POSITION_TEXT];
    snprintf(title, sizeof title, "Side by side, operation %s",
             position_format(place, at));
    popup_text(a, title, b.text);
    free(rows);
}

static void open_compare(struct app *a, const char *args)
{
    char err[600];
    if (!session_nr_lines(a->session)) {
        app_message(a, MESSAGE_ERROR,
                    "The sandbox has no script that could be run twice.");
        return;
    }
    close_compare(a);
    a->compare =
        compare_open(session_name(a->session), a->model.m, args, err, sizeof err);
    if (!a->compare) {
        app_message(a, MESSAGE_ERROR, "%s", err);
        return;
    }
    compare_next(a->compare, a->interrupted, a->interrupted_ctx);
    popup_text(a, "In lock step", compare_words(a->compare));
}

static void next_difference(struct app *a)
{
    struct compare *c = a->compare;
    if (!compare_next(c, a->interrupted, a->interrupted_ctx)) {
        app_message(a, MESSAGE_INFO,
                    c->ended ? "The script has ended on both."
                             : "Stopped: no difference up to here.");
    }
}

static void go(struct app *a, const char *args)
{
    struct position to;
    const char *rest = position_parse(args, &to);
    if (!rest || *rest) {
        app_message(a, MESSAGE_ERROR, "compare goto wants OP or OP.EVENT.");
    } else if (!compare_go(a->compare, to.op, to.event)) {
        app_message(a, MESSAGE_INFO, "The script ends before that on both.");
    }
}

static void first(struct app *a)
{
    struct compare *c = a->compare;
    if (c->first_op == UINT64_MAX) {
        next_difference(a);
    } else {
        compare_go(c, c->first_op, c->first_event);
    }
}

/* "step 3": so often. */
static void steps(struct app *a, const char *args, int direction, bool whole)
{
    const unsigned long n = *args ? strtoul(args, NULL, 10) : 1;
    for (unsigned long i = 0; i < n; i++) {
        if (!compare_step(a->compare, direction, whole)) {
            app_message(a, MESSAGE_INFO,
                        direction > 0 ? "The script has ended on both."
                                      : "This is the beginning.");
            return;
        }
    }
}

void run_compare(struct app *a, const char *args)
{
    const char *rest = "";
    if (strchr(args, '=')) {
        open_compare(a, args);
        return;
    }
    if (!a->compare) {
        app_message(a, MESSAGE_ERROR,
                    "Compare with what? As in: compare slab=slub, compare tags=vivt, "
                    "compare pcp=false, compare vmsplit=2g cpus=2");
        return;
    }
    if (!strcmp(args, "close")) {
        close_compare(a);
        return;
    }
    a->compare->ended = false;
    if (first_word_is(args, "step", &rest)) {
        steps(a, rest, 1, true);
    } else if (first_word_is(args, "step-back", &rest)) {
        steps(a, rest, -1, true);
    } else if (first_word_is(args, "event", &rest)) {
        steps(a, rest, 1, false);
    } else if (first_word_is(args, "event-back", &rest)) {
        steps(a, rest, -1, false);
    } else if (!strcmp(args, "continue")) {
        next_difference(a);
    } else if (!strcmp(args, "first")) {
        first(a);
    } else if (first_word_is(args, "goto", &rest)) {
        go(a, rest);
    } else if (*args) {
        app_message(a, MESSAGE_ERROR,
                    "compare takes NAME=VALUE..., or step, step-back, event, event-back, "
                    "continue, first, goto OP, close.");
        return;
    }
    tell(a);
}
