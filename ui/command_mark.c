/* Commands: marked positions.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "popup.h"

#include <stdio.h>
#include <string.h>

static struct bookmark *find_mark(struct app *a, const char *name)
{
    for (int i = 0; i < a->nr_marks; i++) {
        if (!strcmp(a->marks[i].name, name)) {
            return &a->marks[i];
        }
    }
    return NULL;
}

void run_mark(struct app *a, const char *args)
{
    char name[32];
    const size_t len = strcspn(args, " ");
    const char *note = args + len + strspn(args + len, " ");
    if (len >= sizeof name) {
        app_message(a, MESSAGE_ERROR, "A mark's name has at most 31 letters.");
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)len, args);
    for (int n = a->nr_marks + 1; !*args && (!*name || find_mark(a, name)); n++) {
        snprintf(name, sizeof name, "%d", n);
    }
    struct bookmark *mark = find_mark(a, name);
    if (!mark && a->nr_marks == MAX_MARKS) {
        app_message(a, MESSAGE_ERROR, "There are %d marks: marks clear removes them.",
                    MAX_MARKS);
        return;
    }
    mark = mark ? mark : &a->marks[a->nr_marks++];
    *mark = (struct bookmark){.at = timeline_position(a->t)};
    snprintf(mark->name, sizeof mark->name, "%s", name);
    snprintf(mark->note, sizeof mark->note, "%s", note);
    app_message(a, MESSAGE_INFO, "Mark %s is here: goto %s comes back, marks lists them.",
                name, name);
}

bool mark_position(struct app *a, const char *name, struct position *at)
{
    const struct bookmark *mark = find_mark(a, name);
    if (mark) {
        *at = mark->at;
    }
    return mark != NULL;
}

void run_marks(struct app *a, const char *args)
{
    if (!strcmp(args, "clear")) {
        a->nr_marks = 0;
        app_message(a, MESSAGE_INFO, "No marks now.");
        return;
    }
    if (!a->nr_marks) {
        app_message(a, MESSAGE_INFO, "There are no marks: mark NAME makes one here.");
        return;
    }
    popup_choice(a, "Marks");
    for (int i = 0; i < a->nr_marks; i++) {
        const struct bookmark *mark = &a->marks[i];
        char command[64], at[POSITION_TEXT];
        snprintf(command, sizeof command, "goto %s", mark->name);
        popup_add(a, command, "%s  %s, operation %s  %s", mark->name,
                  timeline_branch(a->t, mark->at.branch).name,
                  position_format(at, mark->at), mark->note);
    }
}
