/* The event loop: keys in, grids out. Blocks while there is nothing to do; never polls.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "view.h"

#include "app.h"
#include "cmdline.h"
#include "keep.h"
#include "menu.h"
#include "subcommands.h"
#include "term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAUSE_MS = 1500 }; /* without a key: time to write the copy that survives */

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool view_begin(const struct options *o, char *err, size_t err_size)
{
    struct term_options t = {.ascii = o->ascii, .no_color = o->no_color, .mouse = true};
    cmdline_init();
    if (!term_open(&t, err, err_size)) {
        cmdline_finish();
        return false;
    }
    return true;
}

void view_end(void)
{
    term_close();
    cmdline_finish();
}

/* ---- long travels ---- */

struct watcher {
    unsigned calls;
};

/* Any key stops what takes long; asked often, so it looks only now and then. */
static bool interrupted(void *ctx)
{
    struct watcher *w = ctx;
    return ++w->calls % 256 == 0 && term_pending();
}

/* ---- one session ---- */

static void show(struct app *a, struct grid *g)
{
    if (g->cols != a->cols || g->rows != a->rows) {
        grid_resize(g, a->cols, a->rows);
    }
    app_draw(a, g);
    term_show(g);
    record_frame(a, g);
}

/* In the middle of a command. */
static void show_now(void *ctx, struct app *a) { show(a, ctx); }

static void resize(struct app *a)
{
    int cols, rows;
    term_size(&cols, &rows);
    app_resize(a, cols, rows);
    cmdline_size(cols, rows);
}

static void run_line(struct app *a)
{
    char command[1100];
    const char *search = a->prompt[0] == '/' ? "search " : "";
    snprintf(command, sizeof command, "%s%s", search, cmdline_line());
    if (*cmdline_line()) {
        app_command(a, command);
    } else if (*search && *a->search) {
        snprintf(command, sizeof command, "search %s", a->search);
        app_command(a, command);
    }
}

static void prompt_key(struct app *a, int key)
{
    if (key == K_RESIZE) {
        resize(a);
    } else if (key > 0 && key <= 0xff) {
        char prompt = a->prompt[0];
        enum cmdline_state state = cmdline_byte(a, (unsigned char)key, term_pending());
        if (state != CMDLINE_EDITING) {
            term_raw_bytes(false);
            app_layout(a);
        }
        if (state == CMDLINE_DONE) {
            a->prompt[0] = prompt;
            run_line(a);
        }
    }
}

/* What the screen asked for. True: leave the loop. */
static bool serve(struct app *a, enum view_result *result)
{
    enum app_request request = a->request;
    a->request = REQUEST_NONE;
    switch (request) {
    case REQUEST_QUIT:
    case REQUEST_MENU:
    case REQUEST_LOAD:
        *result = request == REQUEST_QUIT   ? VIEW_QUIT
                  : request == REQUEST_LOAD ? VIEW_LOAD
                                            : VIEW_MENU;
        return true;
    case REQUEST_SUSPEND:
        term_suspend();
        resize(a);
        return false;
    case REQUEST_REDRAW:
        term_redraw();
        return false;
    case REQUEST_MOUSE:
        app_message(a, MESSAGE_INFO, "%s",
                    term_toggle_mouse()
                        ? "The mouse works here again; m gives it back."
                        : "The mouse is the terminal's: select and copy. m takes it.");
        return false;
    default:
        return false;
    }
}

enum view_result view_run(struct session *s, const char *message, char *path,
                          size_t path_size)
{
    struct app a;
    struct grid g;
    struct watcher w = {0};
    enum view_result result = VIEW_QUIT;
    app_init(&a, s, term_glyphs());
    a.interrupted = interrupted;
    a.interrupted_ctx = &w;
    session_set_interrupted(s, interrupted, &w);
    resize(&a);
    keep_run_rc(&a);
    if (*message) {
        app_message(&a, MESSAGE_INFO, "%s", message);
    }
    grid_create(&g, a.cols, a.rows);
    a.show = show_now;
    a.show_ctx = &g;
    bool dirty = true, editing = false;
    uint64_t next_tick = 0;
    while (true) {
        if (a.prompt_open && !editing) {
            term_raw_bytes(true);
            cmdline_open(&a);
        }
        editing = a.prompt_open;
        if (dirty && !(editing && term_pending())) {
            show(&a, &g);
            dirty = false;
        }
        int timeout = app_timeout(&a);
        if (timeout >= 0) {
            uint64_t now = now_ms();
            next_tick = next_tick > now + (uint64_t)timeout || next_tick + 1000 < now
                            ? now + (uint64_t)timeout
                            : next_tick;
            timeout = next_tick > now ? (int)(next_tick - now) : 0;
        }
        const bool pause = timeout < 0 && keep_is_stale(&a);
        int key = term_key(pause ? PAUSE_MS : timeout);
        if (key == K_HANGUP) {
            result = VIEW_HANGUP;
            break;
        }
        if (key == K_TIMEOUT && pause) {
            keep_copy(&a);
            continue;
        }
        if (key == K_TIMEOUT) {
            if (app_timeout(&a) >= 0 && now_ms() >= next_tick) {
                app_tick(&a);
                int next = app_timeout(&a);
                next_tick += next > 0 ? (uint64_t)next : 0;
                dirty = true;
            }
            continue;
        }
        dirty = true;
        if (editing) {
            prompt_key(&a, key);
        } else if (key == K_RESIZE) {
            resize(&a);
        } else if (key == K_MOUSE) {
            struct term_mouse m = term_mouse();
            app_mouse(&a, m.x, m.y, m.wheel);
        } else {
            app_key(&a, key);
        }
        if (serve(&a, &result)) {
            break;
        }
    }
    snprintf(path, path_size, "%s", a.load_path);
    if (result != VIEW_HANGUP) { /* a terminal that is gone is no wish to leave */
        keep_remove();
    } else if (keep_is_stale(&a)) {
        keep_copy(&a);
    }
    grid_destroy(&g);
    session_set_interrupted(s, NULL, NULL);
    app_free(&a);
    return result;
}

int view_session(struct session *s, const struct options *o)
{
    char err[512];
    if (!view_begin(o, err, sizeof err)) {
        session_close(s);
        return trouble("%s", err);
    }
    char path[1024];
    view_run(s, "", path, sizeof path);
    view_end();
    session_close(s);
    return EXIT_OK;
}

/* ---- the menu ---- */

char *view_menu(const char *message, const char *left, int *selected)
{
    struct lessons lessons = lessons_load();
    struct menu m;
    struct grid g;
    menu_init(&m, &lessons, term_glyphs());
    snprintf(m.left, sizeof m.left, "%s", left);
    m.selected = *left                          ? (int)lessons.nr + 1
                 : *selected <= (int)lessons.nr ? *selected
                                                : 0;
    snprintf(m.message, sizeof m.message, "%s", message ? message : "");
    term_size(&m.cols, &m.rows);
    grid_create(&g, m.cols, m.rows);
    char *path = NULL;
    for (bool leave = false; !leave;) {
        if (g.cols != m.cols || g.rows != m.rows) {
            grid_resize(&g, m.cols, m.rows);
        }
        menu_draw(&m, &g);
        term_show(&g);
        int key = term_key(menu_wait(&m));
        enum menu_answer answer = MENU_STAY;
        if (key == K_HANGUP) {
            answer = MENU_QUIT;
        } else if (key == K_TIMEOUT) {
            answer = menu_timeout(&m);
        } else if (key == K_RESIZE) {
            term_size(&m.cols, &m.rows);
        } else if (key == K_CTRL_Z) {
            term_suspend();
            term_size(&m.cols, &m.rows);
        } else if (key == K_CTRL_L) {
            term_redraw();
        } else if (key == K_MOUSE) {
            answer = !term_mouse().wheel && menu_click(&m, term_mouse().y) ? MENU_OPEN
                                                                           : MENU_STAY;
        } else {
            m.message[0] = 0;
            answer = menu_key(&m, key);
        }
        if (answer == MENU_OPEN) {
            const struct lesson *l = menu_selected(&m);
            path = strdup(l ? l->path : menu_is_left(&m) ? "recover" : "");
        }
        leave = answer != MENU_STAY;
    }
    *selected = m.selected;
    grid_destroy(&g);
    lessons_free(&lessons);
    return path;
}
