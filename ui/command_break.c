/* Commands: breakpoints.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void breakpoint_text(const struct app *a, const struct breakpoint *b, char *buf,
                     size_t size)
{
    switch (b->kind) {
    case BREAK_EVENT:
        snprintf(buf, size, "event %s", event_info((uint16_t)b->what)->name);
        break;
    case BREAK_FUNCTION:
        snprintf(buf, size, "call of %s()", fn_info((uint16_t)b->what)->name);
        break;
    case BREAK_LINE:
        snprintf(buf, size, "line %llu of the script", (unsigned long long)b->what);
        break;
    default:
        snprintf(buf, size, "page " PFN_FORMAT, (unsigned long long)b->what);
        break;
    }
    (void)a;
}

static void toggle_breakpoint(struct app *a, struct breakpoint b)
{
    char text[128];
    breakpoint_text(a, &b, text, sizeof text);
    for (int i = 0; i < a->nr_breakpoints; i++) {
        if (a->breakpoints[i].kind == b.kind && a->breakpoints[i].what == b.what) {
            memmove(&a->breakpoints[i], &a->breakpoints[i + 1],
                    (size_t)(a->nr_breakpoints - i - 1) * sizeof a->breakpoints[0]);
            a->nr_breakpoints--;
            app_message(a, MESSAGE_INFO, "No longer a breakpoint: %s.", text);
            return;
        }
    }
    if (a->nr_breakpoints == MAX_BREAKPOINTS) {
        app_message(a, MESSAGE_ERROR,
                    "There are %d breakpoints: remove one first (:breakpoints).",
                    MAX_BREAKPOINTS);
        return;
    }
    a->breakpoints[a->nr_breakpoints++] = b;
    app_message(a, MESSAGE_INFO, "Breakpoint: %s. c continues to it, C goes back to it.",
                text);
}

static uint16_t function_by_name(const char *name)
{
    for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
        if (!strcmp(fn_info(i)->name, name)) {
            return i;
        }
    }
    return 0;
}

static void break_at_selection(struct app *a)
{
    const struct model *md = &a->model;
    if (a->focus == PANE_SCRIPT && session_nr_lines(a->session)) {
        int row = a->script.selected >= 0 ? a->script.selected : (int)md->line - 1;
        if (row >= 0) {
            toggle_breakpoint(a, (struct breakpoint){BREAK_LINE, (uint64_t)row + 1});
            return;
        }
    }
    if (a->focus == PANE_STACK && md->depth) {
        int row = a->stack.selected >= 0 ? a->stack.selected : (int)md->depth - 1;
        toggle_breakpoint(a, (struct breakpoint){BREAK_FUNCTION, md->stack[row].fn});
        return;
    }
    const struct event *ev = md->has_event ? &md->event : NULL;
    if (a->focus == PANE_EVENTS && a->events.selected >= 0 && md->has_op &&
        (uint64_t)a->events.selected > md->view.op) {
        ev = op_events_get(&md->view, (uint64_t)a->events.selected - md->view.op);
    }
    if (ev) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_EVENT, ev->kind});
    } else {
        app_message(
            a, MESSAGE_INFO,
            "Nothing to break on here: :break EVENT, :break FUNCTION or :break LINE.");
    }
}

void run_break(struct app *a, const char *args)
{
    if (!*args) {
        break_at_selection(a);
        return;
    }
    char *end;
    unsigned long line = strtoul(args, &end, 10);
    uint16_t kind = event_kind_by_name(args), fn = function_by_name(args);
    if (!*end && line && line <= session_nr_lines(a->session)) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_LINE, line});
    } else if (kind) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_EVENT, kind});
    } else if (fn) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_FUNCTION, fn});
    } else {
        app_message(a, MESSAGE_ERROR,
                    "%s is no event, no function and no line of the script (:events "
                    "lists events).",
                    args);
    }
}

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
    uint64_t p;
    if (selected_page(a, args, &p)) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_PFN, p});
    } else if (!*args) {
        app_message(a, MESSAGE_INFO,
                    "Select a page first (in 4, 5 or 6), or :watch PFN.");
    }
}

void run_breakpoints(struct app *a, const char *args)
{
    if (!strcmp(args, "clear")) {
        a->nr_breakpoints = 0;
        app_message(a, MESSAGE_INFO, "No breakpoints now.");
        return;
    }
    if (!a->nr_breakpoints) {
        app_message(a, MESSAGE_INFO,
                    "There are no breakpoints: b sets one, w watches a page.");
        return;
    }
    popup_choice(a, "Breakpoints (Enter removes one)");
    for (int i = 0; i < a->nr_breakpoints; i++) {
        const struct breakpoint *b = &a->breakpoints[i];
        char text[128], command[160];
        breakpoint_text(a, b, text, sizeof text);
        const char *word = strrchr(text, ' ');
        if (b->kind == BREAK_PFN) {
            snprintf(command, sizeof command, "watch %llu", (unsigned long long)b->what);
        } else if (b->kind == BREAK_LINE) {
            snprintf(command, sizeof command, "break %llu", (unsigned long long)b->what);
        } else {
            snprintf(command, sizeof command, "break %.*s", (int)strcspn(word + 1, "("),
                     word + 1);
        }
        popup_add(a, command, "%s", text);
    }
}
