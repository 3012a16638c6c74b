/* `mmscope run --json`: the objects that runner.h describes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "runner_private.h"

static const char *const contexts[] = {"process", "softirq", "hardirq"};

static void begin(struct json *w, const char *type)
{
    write_json_begin(w);
    write_json_string(w, "type", type);
}

static void add_site(const struct runner *r, struct json *w, uint32_t site)
{
    struct site s = timeline_site(r->t, site);
    write_json_string(w, "file", s.file ? s.file : "");
    write_json_number(w, "line", s.line);
}

/* A value as its type wants it. */
static void add_value(struct json *w, const struct machine *m, const char *key,
                      const char *type, uint64_t v)
{
    static const char *const names[] = {"gfp",    "zone",   "mt",     "ctx",
                                        "wmark",  "aflags", "reason", "list",
                                        "access", "mode",   "prot"};
    char text[512];
    if (strcmp(type, "pfn") == 0 && v == PFN_NONE) {
        write_json_null(w, key);
        return;
    }
    if (strcmp(type, "bool") == 0) {
        write_json_bool(w, key, v != 0);
        return;
    }
    if (strcmp(type, "d") == 0) {
        write_json_signed(w, key, (int64_t)v);
        return;
    }
    bool named = strcmp(type, "addr") == 0 || strcmp(type, "x") == 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        named |= strcmp(type, names[i]) == 0;
    }
    if (named) {
        value_format(text, sizeof text, m, type, v);
        write_json_string(w, key, text);
    } else {
        write_json_number(w, key, v);
    }
}

static void add_args(const struct runner *r, struct json *w, const struct machine *m,
                     const char *args, const uint64_t *values, uint32_t most)
{
    char name[32], type[32];
    write_json_open(w, "args", '{');
    for (uint32_t i = 0; i < most && arg_describe(args, i, name, type); i++) {
        if (strcmp(type, "lock") == 0 || strcmp(name, "lock") == 0) {
            write_json_string(w, name, timeline_string(r->t, (uint32_t)values[i]));
        } else {
            add_value(w, m, name, type, values[i]);
        }
    }
    write_json_close(w, '}');
}

static void json_start(struct runner *r)
{
    struct json *w = &r->json;
    char line[4096];
    begin(w, "start");
    write_json_number(w, "schema", 1);
    write_json_string(w, "name", session_name(r->session));
    write_json_string(w, "title", session_title(r->session));
    write_json_open(w, "machine", '{');
    config_format(line, sizeof line, &timeline_machine(r->t)->config);
    for (char *word = line; *word;) {
        size_t len = strcspn(word, " ");
        char *next = word + len + (word[len] == ' ');
        word[len] = 0;
        char *equals = strchr(word, '=');
        if (equals) {
            *equals = 0;
            write_json_string(w, word, equals + 1);
        }
        word = next;
    }
    write_json_close(w, '}');
    write_json_end(w);
}

static void add_question(struct json *w, const char *text)
{
    struct question q;
    char *copy = malloc(strlen(text) + 1);
    if (copy && session_parse_question(text, copy, &q)) {
        write_json_string(w, "question", q.question);
        write_json_open(w, "choices", '[');
        for (uint32_t i = 0; i < q.nr_choices; i++) {
            write_json_string(w, NULL, q.choice[i]);
        }
        write_json_close(w, ']');
        write_json_number(w, "answer", q.answer + 1);
        write_json_string(w, "why", q.why);
    }
    free(copy);
}

static void json_note(struct runner *r, const struct op_record *op)
{
    static const char *const types[] = {
        [NOTE_SAY] = "say",          [NOTE_TITLE] = "title",
        [NOTE_EXPECT_OK] = "expect", [NOTE_EXPECT_FAILED] = "expect",
        [NOTE_ERROR] = NULL,         [NOTE_ASK] = "ask",
        [NOTE_VIEW] = "view"};
    struct json *w = &r->json;
    uint64_t kind = op->op.arg[0];
    const char *text = timeline_string(r->t, (uint32_t)op->op.arg[1]);
    if (kind >= sizeof types / sizeof *types || !types[kind]) {
        return; /* an error has an object of its own */
    }
    begin(w, types[kind]);
    write_json_number(w, "op", op_number(r->printed));
    add_site(r, w, op->op.site);
    if (kind == NOTE_ASK) {
        add_question(w, text);
    } else {
        if (kind == NOTE_EXPECT_OK || kind == NOTE_EXPECT_FAILED) {
            write_json_bool(w, "ok", kind == NOTE_EXPECT_OK);
        }
        write_json_string(w, "text", text);
    }
    write_json_end(w);
}

static void json_event(void *ctx, struct machine *m, const struct event *ev)
{
    static const char *const levels[] = {"step", "detail", "report"};
    struct runner *r = ctx;
    const struct event_info *info = event_info(ev->kind);
    if (!info || !runner_wants(r, ev)) {
        return;
    }
    struct json *w = &r->json;
    char sentence[1024];
    event_explain(sentence, sizeof sentence, m, ev);
    const struct fn_info *fn = ev->depth && ev->depth <= PROBE_STACK
                                   ? fn_info(m->probe.stack[ev->depth - 1].fn)
                                   : NULL;
    begin(w, "event");
    write_json_number(w, "op", op_number(r->at));
    write_json_number(w, "n", ev->n);
    write_json_string(w, "event", info->name);
    write_json_string(w, "level", levels[info->level]);
    write_json_number(w, "cpu", ev->cpu);
    write_json_string(w, "context", ev->ctx < 3 ? contexts[ev->ctx] : "?");
    write_json_number(w, "depth", ev->depth);
    write_json_string(w, "function", fn ? fn->name : "");
    add_args(r, w, m, info->args, ev->arg, PROBE_ARGS);
    write_json_string(w, "text", sentence);
    write_json_end(w);
}

static void json_op(struct runner *r, const struct op_record *op, uint64_t at)
{
    static const char *const origins[] = {"script", "user", "replay"};
    const struct op_info *info = op_info(op->op.kind);
    const struct machine *m = timeline_machine(r->t);
    struct json *w = &r->json;
    begin(w, "op");
    write_json_number(w, "op", op_number(at));
    write_json_string(w, "name", info->name);
    write_json_number(w, "cpu", op->op.cpu);
    write_json_string(w, "origin", op->op.origin < 3 ? origins[op->op.origin] : "?");
    add_site(r, w, op->op.site);
    add_args(r, w, m, info->args, op->op.arg, 4);
    if (strcmp(info->result, "-") != 0) {
        add_value(w, m, "result", info->result, op->result);
    }
    write_json_number(w, "events", op->nr_events);
    write_json_number(w, "injected", op->nr_injected);
    write_json_end(w);
    if (r->o->events != RUN_EVENTS_NONE) {
        r->at = at;
        timeline_events(r->t, timeline_position(r->t).branch, at, json_event, r);
    }
}

static void json_error(const struct runner *r)
{
    struct json w = r->json;
    const char *error = session_error(r->session);
    size_t len = strcspn(error, "\n");
    char *message = malloc(len + 1);
    if (message) {
        memcpy(message, error, len);
        message[len] = 0;
    }
    begin(&w, "error");
    write_json_string(&w, "message", message ? message : "");
    write_json_string(&w, "file", session_name(r->session));
    write_json_number(&w, "line", session_error_line(r->session));
    write_json_string(&w, "traceback", error[len] ? error + len + 1 : "");
    write_json_end(&w);
    free(message);
}

static void json_done(struct runner *r, const char *status)
{
    struct json *w = &r->json;
    char digest[24];
    snprintf(digest, sizeof digest, "%016" PRIx64,
             machine_digest(timeline_machine(r->t)));
    begin(w, "end");
    write_json_string(w, "status", status);
    write_json_number(w, "operations", r->operations);
    write_json_number(w, "events", r->events);
    write_json_number(w, "passed", r->passed);
    write_json_number(w, "failed", r->failed);
    write_json_string(w, "digest", digest);
    write_json_end(w);
}

const struct run_printer json_printer = {.start = json_start,
                                         .note = json_note,
                                         .op = json_op,
                                         .error = json_error,
                                         .end = json_done};
