/* mmscope open [FILE.lua]: a scenario on the screen; without a file, the menu.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "keep.h"
#include "lessons.h"
#include "subcommands.h"
#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct session *open_path(const char *path, const struct options *o, char *err,
                                 size_t err_size)
{
    struct session_options so = {.history_bytes = o->history_bytes,
                                 .settings = o->settings,
                                 .keep_locals = true,
                                 .seed = o->seed};
    return *path ? session_open(path, &so, err, err_size)
                 : session_open_sandbox(&so, err, err_size);
}

/* The session on the screen, then those that are loaded in its place. Closes them. */
static enum view_result show(struct session *s, const struct options *o)
{
    char path[1024], err[1024] = "";
    enum view_result result = VIEW_LOAD;
    while (result == VIEW_LOAD) {
        result = view_run(s, err, path, sizeof path);
        err[0] = 0;
        if (result == VIEW_LOAD) {
            struct session *other = open_path(path, o, err, sizeof err);
            if (other) {
                session_close(s);
                s = other;
            }
        }
    }
    session_close(s);
    return result;
}

/* The menu, what is chosen in it, the menu again ... */
static int open_menu(const struct options *o)
{
    char err[4096] = "";
    if (!view_begin(o, err, sizeof err)) {
        return trouble("%s", err);
    }
    int selected = 0;
    enum view_result result = VIEW_MENU;
    char title[200];
    char *left = keep_find(title, sizeof title);
    while (result == VIEW_MENU) {
        char *path = view_menu(err, left ? title : "", &selected);
        if (!path) {
            break;
        }
        err[0] = 0;
        const bool recover = !strcmp(path, "recover");
        struct session *s = open_path(recover ? left : path, o, err, sizeof err);
        if (recover && s) {
            remove(left);
            free(left);
            left = NULL;
            selected = 0;
        }
        free(path);
        if (s) {
            result = show(s, o);
        }
    }
    free(left);
    view_end();
    return EXIT_OK;
}

int cmd_open(const struct options *o, int argc, char **argv)
{
    if (argc > 1) {
        return trouble("open takes one scenario: %s is one too many", argv[1]);
    }
    if (!argc) {
        return open_menu(o);
    }
    char err[1024] = "";
    char *path =
        strcmp(argv[0], "sandbox") ? lesson_find(argv[0], err, sizeof err) : strdup("");
    struct session *s = path ? open_path(path, o, err, sizeof err) : NULL;
    free(path);
    if (!s) {
        return trouble("%s", err);
    }
    if (!view_begin(o, err, sizeof err)) {
        session_close(s);
        return trouble("%s", err);
    }
    enum view_result result = show(s, o);
    view_end();
    return result == VIEW_MENU ? cmd_open(o, 0, argv) : EXIT_OK;
}
