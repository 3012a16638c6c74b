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
    json_begin(w);
    json_string(w, "type", type);
}

static void add_site(const struct runner *r, struct json *w, uint32_t site)
{
    struct site s = timeline_site(r->t, site);
    json_string(w, "file", s.file ? s.file : "");
    json_number(w, "line", s.line);
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
        json_null(w, key);
        return;
    }
    if (strcmp(type, "bool") == 0) {
        json_bool(w, key, v != 0);
        return;
    }
    if (strcmp(type, "d") == 0) {
        json_signed(w, key, (int64_t)v);
        return;
    }
    bool named = strcmp(type, "addr") == 0 || strcmp(type, "x") == 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        named |= strcmp(type, names[i]) == 0;
    }
    if (named) {
        value_format(text, sizeof text, m, type, v);
        json_string(w, key, text);
    } else {
        json_number(w, key, v);
    }
}

static void add_args(const struct runner *r, struct json *w, const struct machine *m,
                     const char *args, const uint64_t *values, uint32_t most)
{
    char name[32], type[32];
    json_open(w, "args", '{');
    for (uint32_t i = 0; i < most && arg_describe(args, i, name, type); i++) {
        if (strcmp(type, "lock") == 0 || strcmp(name, "lock") == 0) {
            json_string(w, name, timeline_string(r->t, (uint32_t)values[i]));
        } else {
            add_value(w, m, name, type, values[i]);
        }
    }
    json_close(w, '}');
}

static void json_start(struct runner *r)
{
    struct json *w = &r->json;
    char line[4096];
    begin(w, "start");
    json_number(w, "schema", 1);
    json_string(w, "name", session_name(r->session));
    json_string(w, "title", session_title(r->session));
    json_open(w, "machine", '{');
    config_format(line, sizeof line, &timeline_machine(r->t)->config);
    for (char *word = line; *word;) {
        size_t len = strcspn(word, " ");
        char *next = word + len + (word[len] == ' ');
        word[len] = 0;
        char *equals = strchr(word, '=');
        if (equals) {
            *equals = 0;
            json_string(w, word, equals + 1);
        }
        word = next;
    }
    json_close(w, '}');
    json_end(w);
}

static void add_question(struct json *w, const char *text)
{
    struct question q;
    char *copy = malloc(strlen(text) + 1);
    if (copy && session_parse_question(text, copy, &q)) {
        json_string(w, "question", q.question);
        json_open(w, "choices", '[');
        for (uint32_t i = 0; i < q.nr_choices; i++) {
            json_string(w, NULL, q.choice[i]);
        }
        json_close(w, ']');
        json_number(w, "answer", q.answer + 1);
        json_string(w, "why", q.why);
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
    json_number(w, "op", r->printed);
    add_site(r, w, op->op.site);
    if (kind == NOTE_ASK) {
        add_question(w, text);
    } else {
        if (kind == NOTE_EXPECT_OK || kind == NOTE_EXPECT_FAILED) {
            json_bool(w, "ok", kind == NOTE_EXPECT_OK);
        }
        json_string(w, "text", text);
    }
    json_end(w);
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
    json_number(w, "op", r->at);
    json_number(w, "n", ev->n);
    json_string(w, "event", info->name);
    json_string(w, "level", levels[info->level]);
    json_number(w, "cpu", ev->cpu);
    json_string(w, "context", ev->ctx < 3 ? contexts[ev->ctx] : "?");
    json_number(w, "depth", ev->depth);
    json_string(w, "function", fn ? fn->name : "");
    add_args(r, w, m, info->args, ev->arg, PROBE_ARGS);
    json_string(w, "text", sentence);
    json_end(w);
}

static void json_op(struct runner *r, const struct op_record *op, uint64_t at)
{
    static const char *const origins[] = {"script", "user", "replay"};
    const struct op_info *info = op_info(op->op.kind);
    const struct machine *m = timeline_machine(r->t);
    struct json *w = &r->json;
    begin(w, "op");
    json_number(w, "op", at);
    json_string(w, "name", info->name);
    json_number(w, "cpu", op->op.cpu);
    json_string(w, "origin", op->op.origin < 3 ? origins[op->op.origin] : "?");
    add_site(r, w, op->op.site);
    add_args(r, w, m, info->args, op->op.arg, 4);
    if (strcmp(info->result, "-") != 0) {
        add_value(w, m, "result", info->result, op->result);
    }
    json_number(w, "events", op->nr_events);
    json_number(w, "injected", op->nr_injected);
    json_end(w);
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
    json_string(&w, "message", message ? message : "");
    json_string(&w, "file", session_name(r->session));
    json_number(&w, "line", session_error_line(r->session));
    json_string(&w, "traceback", error[len] ? error + len + 1 : "");
    json_end(&w);
    free(message);
}

static void json_done(struct runner *r, const char *status)
{
    struct json *w = &r->json;
    char digest[24];
    snprintf(digest, sizeof digest, "%016" PRIx64,
             machine_digest(timeline_machine(r->t)));
    begin(w, "end");
    json_string(w, "status", status);
    json_number(w, "operations", r->operations);
    json_number(w, "events", r->events);
    json_number(w, "passed", r->passed);
    json_number(w, "failed", r->failed);
    json_string(w, "digest", digest);
    json_end(w);
}

const struct run_printer json_printer = {.start = json_start,
                                         .note = json_note,
                                         .op = json_op,
                                         .error = json_error,
                                         .end = json_done};
