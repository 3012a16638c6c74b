/* Running a scenario to its end without a screen: `mmscope run`.
 *
 * As text: narration in paragraphs of 80 columns, operations with their answers, under
 * each its events, indented by the depth of the simulated call stack; the last line is a
 * summary.
 *
 * As JSON, one object a line; "type" says which. Members not named here may be added;
 * none will be taken away.
 *
 *   start   schema (1), name, title, machine: { option: text, ... }
 *   title, say   op, file, line, text
 *   ask     op, file, line, question, choices: [ text ], answer (1 is the first), why
 *   expect  op, file, line, ok, text
 *   op      op (its number, from 0), name, cpu, origin ("script", "user", "replay"),
 *           file, line, args: { name: value }, result (absent when there is none), events
 *           (how many), injected (operations of interrupts inside it)
 *   event   op, n (from 1), event, level ("step", "detail", "report"), cpu, context,
 *           depth, function, args, text
 *   error   message, file, line, traceback
 *   end     status ("done", "error", "interrupted"), operations, events, passed, failed,
 *           digest
 *
 * Values in args and result: page frames, orders and counts are numbers, NULL is null;
 * flags, zones, migratetypes, contexts are their names; addresses and numbers above 2^53
 * are hexadecimal strings.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_RUNNER_H
#define SCRIPTS_RUNNER_H

#include <stdio.h>

#include "session.h"

enum run_events { RUN_EVENTS_NONE, RUN_EVENTS_STEPS, RUN_EVENTS_ALL };

struct run_options {
    struct session_options session;
    enum run_events events;
    bool json;
    FILE *out, *err;
    bool (*interrupted)(void *ctx); /* NULL: never */
    void *ctx;
};

enum run_status {
    RUN_OK = 0,
    RUN_EXPECTATION_FAILED = 1,
    RUN_SCRIPT_ERROR =
        2, /* also: no such file, a syntax error, a machine that cannot be made */
    RUN_INTERRUPTED = 130
};

enum run_status run_scenario(const char *path, const struct run_options *o);

#endif
