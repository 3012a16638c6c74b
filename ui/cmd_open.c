/* mmscope open [FILE.lua]: a scenario on the screen; without a file, the menu.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "lessons.h"
#include "subcommands.h"
#include "view.h"

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

/* The menu, what is chosen in it, the menu again ... */
static int open_menu(const struct options *o)
{
    char err[1024] = "";
    if (!view_begin(o, err, sizeof err)) {
        return trouble("%s", err);
    }
    int selected = 0;
    enum view_result result = VIEW_MENU;
    while (result == VIEW_MENU) {
        char *path = view_menu(err, &selected);
        if (!path) {
            break;
        }
        err[0] = 0;
        struct session *s = open_path(path, o, err, sizeof err);
        free(path);
        if (s) {
            result = view_run(s);
            session_close(s);
        }
    }
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
    enum view_result result = view_run(s);
    view_end();
    session_close(s);
    return result == VIEW_MENU ? cmd_open(o, 0, argv) : EXIT_OK;
}
