/* mmscope run: a scenario to its end, as text or JSON.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lessons.h"
#include "runner.h"
#include "subcommands.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number) { interrupted = number; }

static bool was_interrupted(void *ctx)
{
    (void)ctx;
    return interrupted != 0;
}

static bool parse_events(const char *word, enum run_events *events)
{
    static const char *const names[] = {"none", "steps", "all"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, names[i]) == 0) {
            *events = (enum run_events)i;
            return true;
        }
    }
    return false;
}

int cmd_run(const struct options *o, int argc, char **argv)
{
    struct run_options run = {.session = {.history_bytes = o->history_bytes,
                                          .settings = o->settings,
                                          .seed = o->seed},
                              .events = RUN_EVENTS_STEPS,
                              .json = o->value[OPT_JSON] != NULL,
                              .out = stdout,
                              .err = stderr,
                              .interrupted = was_interrupted};
    if (argc != 1) {
        return trouble(
            argc ? "run takes one scenario, %s is one too many"
                 : "run needs a scenario: mmscope run FILE.lua, or a lesson's name",
            argc ? argv[1] : "");
    }
    if (o->value[OPT_EVENTS] && !parse_events(o->value[OPT_EVENTS], &run.events)) {
        return trouble("--events=%s: use none, steps or all", o->value[OPT_EVENTS]);
    }
    char err[512];
    char *path = lesson_find(argv[0], err, sizeof err);
    if (!path) {
        return trouble("%s", err);
    }
    /* Ctrl-C: what has been printed stays whole, and the summary follows. */
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    enum run_status status = run_scenario(path, &run);
    free(path);
    return (int)status;
}
