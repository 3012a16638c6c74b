/* Commands: the program itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "hw_focus.h"
#include "keep.h"
#include "popup.h"
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void run_set(struct app *a, const char *args)
{
    const char *value;
    if (first_word_is(args, "speed", &value) && *value) {
        a->speed = app_clamp(atoi(value), 0, 8);
        app_message(a, MESSAGE_INFO, "%d steps a second.", app_speed(a));
    } else if (first_word_is(args, "glyphs", &value) && *value) {
        enum glyph_set set = !strcmp(value, "ascii")     ? GLYPHS_ASCII
                             : !strcmp(value, "braille") ? GLYPHS_BRAILLE
                                                         : GLYPHS_UTF8;
        a->glyphs = glyphs(set);
    } else {
        app_message(a, MESSAGE_INFO,
                    "Settings: speed 0..8 (now %d), glyphs utf8|braille|ascii.",
                    a->speed);
    }
}

void run_save(struct app *a, const char *args)
{
    if (!*args) {
        app_message(a, MESSAGE_ERROR, "Save as what? save FILE.mmscope");
        return;
    }
    keep_save(a, args);
}

void run_load(struct app *a, const char *args)
{
    if (!*args) {
        app_message(a, MESSAGE_ERROR, "Load what? load FILE.mmscope");
        return;
    }
    snprintf(a->load_path, sizeof a->load_path, "%s", args);
    a->request = REQUEST_LOAD;
}

void run_kernel_source(struct app *a, const char *args)
{
    char err[600];
    const char *tar, *tree;
    const char *from = "";
    if (first_word_is(args, "unpack", &from)) {
        source_set_tree(NULL); /* from now on, what has been unpacked */
        if (!source_unpack(*from ? from : NULL, a->interrupted, a->interrupted_ctx, err,
                           sizeof err)) {
            app_message(a, MESSAGE_ERROR, "Not unpacked: %s", err);
            return;
        }
    } else if (*args) {
        source_set_tree(args);
    }
    tree = source_tree(&tar);
    if (tree) {
        app_message(a, MESSAGE_INFO, "The kernel's source is in %s.", tree);
    } else if (tar) {
        app_message(a, MESSAGE_INFO,
                    "kernel-source unpack reads what is needed out of %s.", tar);
    } else {
        app_message(a, MESSAGE_ERROR,
                    "There is no Linux 6.1 %s%s: apt-get install linux-source-6.1, or "
                    "kernel-source DIR.",
                    *args ? "in " : "here", args);
    }
}

void run_lesson(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_MENU;
}

void run_help(struct app *a, const char *args)
{
    if (*args && !command_find(args)) {
        app_message(a, MESSAGE_ERROR, "There is no command %s: ? lists them.", args);
        return;
    }
    popup_text(a, *args ? args : "Help", help_text(*args ? args : NULL));
}

void run_mouse(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_MOUSE;
}

void run_redraw(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_REDRAW;
}

void run_suspend(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_SUSPEND;
}

void run_close(struct app *a, const char *args)
{
    (void)args;
    a->running = false;
    a->script.selected = a->stack.selected = a->events.selected = a->zones.selected = -1;
    a->script_frame = -1;
    session_select_frame(a->session, 0);
    a->narration.top = 0;
    a->buddy.has_cursor = a->pcp.has_cursor = a->map.has_cursor = false;
    a->buddy.chain = a->pcp.chain = -1;
    a->objects.has_cursor = false;
    if (a->focus == PANE_SLABS && a->objects.opened) {
        app_focus(a, PANE_CACHES);
    } else {
        a->objects.pinned = false;
    }
    a->objects.opened = false;
    hw_focus_forget(a);
}

void run_back(struct app *a, const char *args)
{
    (void)args;
    if (a->prefs.zoomed >= 0) {
        a->prefs.zoomed = -1;
    } else if (a->layout.tier == TIER_TOO_SMALL) {
        a->request = REQUEST_QUIT;
    } else {
        popup_quit(a);
    }
}

void run_quit(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_QUIT;
}
