/* What runner.c (the loop, text) and runner_json.c share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_RUNNER_PRIVATE_H
#define SCRIPTS_RUNNER_PRIVATE_H

#include "json.h"
#include "runner.h"

struct run_printer;

enum { RUN_LOOP_SITES = 64, RUN_LOOP_SHOWN = 64 };

struct runner {
    const struct run_options *o;
    const struct run_printer *printer;
    struct session *session;
    struct timeline *t;
    struct json json;
    uint64_t printed; /* operations */
    uint64_t at;      /* the operation whose events are being printed */
    uint64_t operations, events, passed, failed;
    bool after_note;
    /* Text: of a loop that issues very many operations, the first ones of each line and
     * the last one are shown. */
    struct {
        uint32_t site;
        uint64_t nr;
    } loop[RUN_LOOP_SITES];
    uint32_t nr_loop;
    uint64_t skipped;
    struct op_record held_back; /* the last one that was skipped */
    uint64_t held_back_at;
};

struct run_printer {
    void (*start)(struct runner *r); /* may be NULL */
    void (*note)(struct runner *r, const struct op_record *op);
    void (*op)(struct runner *r, const struct op_record *op, uint64_t at);
    void (*error)(const struct runner *r); /* may be NULL */
    void (*end)(struct runner *r, const char *status);
};

extern const struct run_printer json_printer;

bool runner_wants(const struct runner *r, const struct event *ev);

#endif
