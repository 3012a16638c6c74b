/* mmscope debug FILE.lua: the commands of the screen without the screen.
 *
 * Lines are read with readline where somebody types, and as they come from a pipe; the
 * commands, their texts and their help are those of command.def. What the screen would
 * show of a step is told: notes that were passed, where we are, the event's sentence.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"
#include "commands.h"
#include "console.h"
#include "keep.h"
#include "lessons.h"
#include "subcommands.h"

static volatile sig_atomic_t interrupted;
static const char prompt[] = "(mmscope) ";

static void on_signal(int number) { interrupted = number; }

static bool was_interrupted(void *ctx)
{
    (void)ctx;
    return interrupted != 0;
}

/* A line without its newline, or NULL at the end; free it. */
static char *piped_line(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n && line[n - 1] == '\n') {
        line[n - 1] = 0;
    }
    return line;
}

/* An empty line does a step again, as in gdb. */
static bool is_repeated(const char *line)
{
    static const char *const stepping[] = {
        "step",   "step-back",   "event",    "event-back",    "next", "next-back",
        "finish", "finish-back", "continue", "continue-back", "up",   "down"};
    char name[32], others[8];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
    const struct command_row *row = command_resolve(name, others, sizeof others);
    for (size_t i = 0; row && i < sizeof stepping / sizeof stepping[0]; i++) {
        if (!strcmp(row->name, stepping[i])) {
            return true;
        }
    }
    return false;
}

/* echo: lines that nobody types are printed, as if somebody did. path: what shall be
 * opened instead, or "". */
static void debug(struct session *s, bool typed, bool echo, char *path, size_t path_size)
{
    struct app a;
    char last[1024] = "";
    app_init(&a, s, GLYPHS_ASCII);
    a.interrupted = was_interrupted;
    session_set_interrupted(s, was_interrupted, NULL);
    /* Ctrl-C stops what runs; it does not end the program */
    struct sigaction sa = {.sa_handler = on_signal}, old;
    sigaction(SIGINT, &sa, &old);
    if (typed) {
        cmdline_init();
    }
    struct console c = {.app = &a, .out = stdout};
    console_begin(&c);
    keep_run_rc(&a);
    if (a.message_kind != MESSAGE_NONE) {
        printf("%s\n", a.message);
    }
    while (a.request != REQUEST_QUIT && a.request != REQUEST_LOAD) {
        interrupted = 0;
        fflush(stdout);
        char *line = typed ? cmdline_read(&a, prompt) : piped_line();
        if (!line) {
            if (interrupted) { /* the line is given up, not the session */
                continue;
            }
            break;
        }
        if (echo && !typed) {
            printf("%s%s\n", prompt, line);
        }
        const char *text = line + strspn(line, " \t");
        if (*text && *text != '#') {
            snprintf(last, sizeof last, "%s", is_repeated(text) ? text : "");
            console_run(&c, text);
        } else if (!*text && *last) {
            console_run(&c, last);
        }
        free(line);
    }
    if (typed) {
        cmdline_finish();
    }
    snprintf(path, path_size, "%s", a.request == REQUEST_LOAD ? a.load_path : "");
    sigaction(SIGINT, &old, NULL);
    app_free(&a);
}

int cmd_debug(const struct options *o, int argc, char **argv)
{
    if (argc > 1) {
        return trouble("debug takes one scenario: %s is one too many", argv[1]);
    }
    char err[1024] = "";
    struct session_options so = {.history_bytes = o->history_bytes,
                                 .settings = o->settings,
                                 .keep_locals = true,
                                 .seed = o->seed};
    bool sandbox = !argc || !strcmp(argv[0], "sandbox");
    char *path = sandbox ? NULL : lesson_find(argv[0], err, sizeof err);
    struct session *s = sandbox ? session_open_sandbox(&so, err, sizeof err)
                        : path  ? session_open(path, &so, err, sizeof err)
                                : NULL;
    free(path);
    if (!s) {
        return trouble("%s", err);
    }
    char other[1024] = "";
    do {
        debug(s, isatty(STDIN_FILENO), o->value[OPT_ECHO] != NULL, other, sizeof other);
        struct session *loaded =
            *other ? session_open(other, &so, err, sizeof err) : NULL;
        if (loaded) {
            session_close(s);
            s = loaded;
        } else if (*other) {
            printf("%s\n", err);
        }
    } while (*other);
    int status = session_state(s) == SESSION_ERROR ? EXIT_TROUBLE : EXIT_OK;
    session_close(s);
    return status;
}
