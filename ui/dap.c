/* The Debug Adapter Protocol.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "dap.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "commands.h"
#include "console.h"
#include "describe.h"
#include "inspect_hw.h"
#include "lessons.h"
#include "memsys.h"
#include "source.h"

enum { MAX_QUEUE = 64, MAX_MESSAGE = 16 << 20 };

/* What a variablesReference stands for. */
enum scope {
    SCOPE_LOCALS = 1, /* of the script's innermost frame */
    SCOPE_CPU,
    SCOPE_ZONES,
    SCOPE_CACHES,
    SCOPE_ARGUMENTS = 1000,                     /* + the kernel's frame, innermost 0 */
    SCOPE_OUTER = SCOPE_ARGUMENTS + PROBE_STACK /* + the script's frame */
};

struct dap {
    FILE *in, *out;
    const struct session_options *options;
    int64_t seq;
    struct session *session;
    struct app app;
    bool stop_on_entry, leaving, broken, ended;
    json_t *queue[MAX_QUEUE]; /* read while something ran */
    int nr_queued;
};

/* ---- messages ---- */

static json_t *read_message(struct dap *d)
{
    char line[512];
    size_t length = 0;
    bool any = false;
    while (fgets(line, sizeof line, d->in)) {
        any = true;
        if (!strncasecmp(line, "Content-Length:", 15)) {
            length = (size_t)strtoull(line + 15, NULL, 10);
        }
        if (!strcmp(line, "\r\n") || !strcmp(line, "\n")) {
            break;
        }
    }
    if (!length || length > MAX_MESSAGE) {
        d->broken = any;
        return NULL;
    }
    char *body = malloc(length);
    json_t *message = NULL;
    if (body && fread(body, 1, length, d->in) == length) {
        message = json_loadb(body, length, 0, NULL);
    }
    d->broken = !message;
    free(body);
    return message;
}

static void send_message(struct dap *d, json_t *message)
{
    json_object_set_new(message, "seq", json_integer(++d->seq));
    char *text = json_dumps(message, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (text) {
        fprintf(d->out, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
        fflush(d->out);
    }
    free(text);
    json_decref(message);
}

/* body may be NULL; it is given away. */
static void send_event(struct dap *d, const char *event, json_t *body)
{
    json_t *m = json_pack("{s:s, s:s}", "type", "event", "event", event);
    if (body) {
        json_object_set_new(m, "body", body);
    }
    send_message(d, m);
}

static const char *command_of(const json_t *request)
{
    const char *command = json_string_value(json_object_get(request, "command"));
    return command ? command : "";
}

static void respond(struct dap *d, const json_t *request, json_t *body)
{
    json_t *m = json_pack("{s:s, s:I, s:b, s:s}", "type", "response", "request_seq",
                          json_integer_value(json_object_get(request, "seq")), "success",
                          1, "command", command_of(request));
    if (body) {
        json_object_set_new(m, "body", body);
    }
    send_message(d, m);
}

static void refuse(struct dap *d, const json_t *request, const char *why)
{
    send_message(d, json_pack("{s:s, s:I, s:b, s:s, s:s, s:{s:{s:i, s:s}}}", "type",
                              "response", "request_seq",
                              json_integer_value(json_object_get(request, "seq")),
                              "success", 0, "command", command_of(request), "message",
                              why, "body", "error", "id", 1, "format", why));
}

static void send_output(struct dap *d, const char *text)
{
    if (*text) {
        send_event(d, "output",
                   json_pack("{s:s, s:s}", "category", "console", "output", text));
    }
}

/* ---- running ---- */

/* While something runs: what comes is kept for later; some of it stops the run. */
static bool interrupted(void *ctx)
{
    struct dap *d = ctx;
    struct pollfd p = {.fd = fileno(d->in), .events = POLLIN};
    for (int i = 0; i < d->nr_queued; i++) {
        const char *command = command_of(d->queue[i]);
        /* a farewell counts when nothing else is asked before it */
        if (!strcmp(command, "pause") ||
            (!i && (!strcmp(command, "disconnect") || !strcmp(command, "terminate")))) {
            return true;
        }
    }
    if (!d->ended && d->nr_queued < MAX_QUEUE && poll(&p, 1, 0) > 0) {
        json_t *message = read_message(d);
        if (!message) { /* nobody will ask to stop any more; what runs may end */
            d->ended = true;
            return d->broken;
        }
        d->queue[d->nr_queued++] = message;
        return interrupted(d);
    }
    return false;
}

static const char *arguments_string(const json_t *request, const char *name)
{
    const char *value =
        json_string_value(json_object_get(json_object_get(request, "arguments"), name));
    return value ? value : "";
}

/* A command of the command line; what it prints, malloced. */
static char *run_command(struct dap *d, const char *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f) {
        return NULL;
    }
    struct console c = {.app = &d->app, .out = f};
    console_run(&c, line);
    fclose(f);
    return text;
}

static void send_stopped(struct dap *d, const char *reason)
{
    const struct model *md = &d->app.model;
    const uint32_t cpu = md->has_op ? md->view.rec.op.cpu : d->app.cpu;
    json_t *body = json_pack("{s:s, s:i, s:b}", "reason", reason, "threadId",
                             (int)cpu + 1, "allThreadsStopped", 1);
    if (d->app.last_stop && !strcmp(reason, "breakpoint")) {
        json_object_set_new(body, "hitBreakpointIds", json_pack("[i]", d->app.last_stop));
    }
    send_event(d, "stopped", body);
}

/* Move, tell what was passed, and that we have stopped again. */
static void move(struct dap *d, const char *command, const char *reason)
{
    d->app.last_stop = 0;
    char *text = run_command(d, command);
    send_output(d, text ? text : "");
    free(text);
    send_stopped(d, d->app.last_stop ? "breakpoint" : reason);
}

/* ---- launching ---- */

static json_t *capabilities(void)
{
    static const char *const can[] = {"supportsConfigurationDoneRequest",
                                      "supportsFunctionBreakpoints",
                                      "supportsConditionalBreakpoints",
                                      "supportsHitConditionalBreakpoints",
                                      "supportsStepBack",
                                      "supportsEvaluateForHovers",
                                      "supportsReadMemoryRequest",
                                      "supportsCompletionsRequest",
                                      "supportsTerminateRequest"};
    json_t *body = json_object();
    for (size_t i = 0; i < sizeof can / sizeof can[0]; i++) {
        json_object_set_new(body, can[i], json_true());
    }
    json_object_set_new(body, "exceptionBreakpointFilters",
                        json_pack("[{s:s, s:s, s:b}]", "filter", "report", "label",
                                  "Reports of the kernel (WARNING, BUG, OOM)", "default",
                                  1));
    return body;
}

static void launch(struct dap *d, const json_t *request)
{
    char err[1024];
    const char *program = arguments_string(request, "program");
    const json_t *arguments = json_object_get(request, "arguments");
    const json_t *entry = json_object_get(arguments, "stopOnEntry");
    if (d->session) {
        refuse(d, request, "a scenario is open already");
        return;
    }
    char *path = *program ? lesson_find(program, err, sizeof err) : NULL;
    d->session = *program && !path ? NULL
                 : path            ? session_open(path, d->options, err, sizeof err)
                                   : session_open_sandbox(d->options, err, sizeof err);
    free(path);
    if (!d->session) {
        refuse(d, request, err);
        return;
    }
    app_init(&d->app, d->session, GLYPHS_ASCII);
    d->app.interrupted = interrupted;
    d->app.interrupted_ctx = d;
    session_set_interrupted(d->session, interrupted, d);
    d->stop_on_entry = !json_is_false(entry);
    respond(d, request, NULL);
    send_event(d, "initialized", NULL);
}

/* ---- breakpoints ---- */

static void remove_kinds(struct stops *s, bool (*wanted)(const struct stop *stop))
{
    for (int i = s->nr - 1; i >= 0; i--) {
        if (wanted(&s->list[i])) {
            stops_remove(s, s->list[i].number);
        }
    }
}

static bool is_line(const struct stop *s) { return s->kind == STOP_LINE; }
static bool is_report(const struct stop *s)
{
    return s->kind == STOP_EVENT && event_info((uint16_t)s->what)->level == EVENT_REPORT;
}
static bool is_function(const struct stop *s)
{
    return s->kind == STOP_FUNCTION || (s->kind == STOP_EVENT && !is_report(s));
}

/* Sets it and answers the protocol's breakpoint. */
static json_t *add_stop(struct dap *d, struct stop *like, const json_t *wanted)
{
    char err[300] = "there is no such function or event";
    const char *condition = json_string_value(json_object_get(wanted, "condition"));
    const char *hits = json_string_value(json_object_get(wanted, "hitCondition"));
    snprintf(like->condition, sizeof like->condition, "%s", condition ? condition : "");
    const unsigned long long n = hits ? strtoull(hits, NULL, 10) : 0;
    like->ignore = n ? n - 1 : 0;
    const struct stop *stop =
        like->what ? stops_add(&d->app.stops, d->session, like, err, sizeof err) : NULL;
    if (!stop) {
        return json_pack("{s:b, s:s}", "verified", 0, "message", err);
    }
    json_t *b = json_pack("{s:i, s:b}", "id", stop->number, "verified", 1);
    if (stop->kind == STOP_LINE) {
        json_object_set_new(b, "line", json_integer((json_int_t)stop->what));
    }
    return b;
}

static void set_breakpoints(struct dap *d, const json_t *request)
{
    json_t *list = json_object_get(json_object_get(request, "arguments"), "breakpoints");
    json_t *answers = json_array(), *wanted;
    size_t i;
    remove_kinds(&d->app.stops, is_line);
    json_array_foreach(list, i, wanted)
    {
        struct stop like = {
            .kind = STOP_LINE,
            .what = (uint64_t)json_integer_value(json_object_get(wanted, "line"))};
        like.what = like.what <= session_nr_lines(d->session) ? like.what : 0;
        json_array_append_new(answers, add_stop(d, &like, wanted));
    }
    respond(d, request, json_pack("{s:o}", "breakpoints", answers));
}

static void set_function_breakpoints(struct dap *d, const json_t *request)
{
    json_t *list = json_object_get(json_object_get(request, "arguments"), "breakpoints");
    json_t *answers = json_array(), *wanted;
    size_t i;
    remove_kinds(&d->app.stops, is_function);
    json_array_foreach(list, i, wanted)
    {
        const char *name = json_string_value(json_object_get(wanted, "name"));
        struct stop like = {.kind = STOP_EVENT,
                            .what = event_kind_by_name(name ? name : "")};
        for (uint16_t fn = 1; name && !like.what && fn < NR_FUNCTIONS; fn++) {
            if (!strcmp(fn_info(fn)->name, name)) {
                like = (struct stop){.kind = STOP_FUNCTION, .what = fn};
            }
        }
        json_array_append_new(answers, add_stop(d, &like, wanted));
    }
    respond(d, request, json_pack("{s:o}", "breakpoints", answers));
}

static void set_exception_breakpoints(struct dap *d, const json_t *request)
{
    char err[300];
    json_t *list = json_object_get(json_object_get(request, "arguments"), "filters");
    remove_kinds(&d->app.stops, is_report);
    for (uint16_t i = 1; json_array_size(list) && i < NR_EVENTS; i++) {
        struct stop like = {.kind = STOP_EVENT, .what = i};
        if (event_info(i)->level == EVENT_REPORT) {
            stops_add(&d->app.stops, d->session, &like, err, sizeof err);
        }
    }
    respond(d, request, NULL);
}

/* ---- looking ---- */

static void threads(struct dap *d, const json_t *request)
{
    static const char *const contexts[] = {"process", "softirq", "hardirq"};
    json_t *list = json_array();
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(d->app.model.m); cpu++) {
        char name[64];
        snprintf(name, sizeof name, "CPU %u: %s context", cpu,
                 contexts[cpu_view(d->app.model.m, cpu).ctx]);
        json_array_append_new(list,
                              json_pack("{s:i, s:s}", "id", (int)cpu + 1, "name", name));
    }
    respond(d, request, json_pack("{s:o}", "threads", list));
}

static json_t *script_source(const char *path)
{
    const char *slash = strrchr(path, '/');
    return json_pack("{s:s, s:s}", "name", slash ? slash + 1 : path, "path", path);
}

static void add_kernel_frame(struct dap *d, json_t *list, int id,
                             const struct probe_frame *f)
{
    char name[320], path[3300];
    const struct fn_info *fn = fn_info(f->fn);
    struct source_text text;
    frame_format(name, sizeof name, d->app.model.m, f);
    json_t *frame =
        json_pack("{s:i, s:s, s:i, s:i}", "id", id, "name", name, "line", 0, "column", 0);
    if (source_function(fn->file, fn->name, &text)) {
        snprintf(path, sizeof path, "%s/%s", source_tree(NULL), fn->file);
        json_object_set_new(frame, "line", json_integer((json_int_t)text.first));
        json_object_set_new(frame, "column", json_integer(1));
        json_object_set_new(frame, "source",
                            json_pack("{s:s, s:s}", "name", fn->file, "path", path));
    } else {
        json_object_set_new(frame, "presentationHint", json_string("subtle"));
    }
    json_array_append_new(list, frame);
}

/* All of a scenario's Lua is in its one file. */
static void add_script_frames(struct dap *d, json_t *list, int id)
{
    const struct model *md = &d->app.model;
    struct script_frame f;
    for (uint32_t i = 0; session_frame(d->session, md->at.branch, md->view.op, i, &f);
         i++) {
        json_t *frame = json_pack("{s:i, s:s, s:i, s:i}", "id", id++, "name", f.name,
                                  "line", (int)f.line, "column", f.line ? 1 : 0);
        if (f.line) {
            json_object_set_new(frame, "source", script_source(session_name(d->session)));
        }
        json_array_append_new(list, frame);
    }
}

static void stack_trace(struct dap *d, const json_t *request)
{
    const struct model *md = &d->app.model;
    const json_t *thread =
        json_object_get(json_object_get(request, "arguments"), "threadId");
    json_t *list = json_array();
    int id = 1;
    if (md->has_op && (uint32_t)json_integer_value(thread) == md->view.rec.op.cpu + 1u) {
        for (uint32_t i = md->depth; i > 0; i--) {
            add_kernel_frame(d, list, id++, &md->stack[i - 1]);
        }
        add_script_frames(d, list, id);
    }
    const int total = (int)json_array_size(list);
    respond(d, request,
            json_pack("{s:o, s:i}", "stackFrames", list, "totalFrames", total));
}

static json_t *scope(const char *name, int reference)
{
    return json_pack("{s:s, s:i, s:b}", "name", name, "variablesReference", reference,
                     "expensive", 0);
}

/* Frames are numbered from 1: the kernel's, innermost first, then the script's. */
static bool is_script_frame(const struct dap *d, json_int_t id, uint32_t *n)
{
    const json_int_t depth = d->app.model.depth;
    *n = id > depth ? (uint32_t)(id - depth - 1) : 0;
    return id > depth;
}

static void scopes(struct dap *d, const json_t *request)
{
    const json_int_t id = json_integer_value(
        json_object_get(json_object_get(request, "arguments"), "frameId"));
    uint32_t n;
    json_t *list = json_array();
    const bool in_script = is_script_frame(d, id, &n);
    json_array_append_new(
        list, scope("Script locals", n ? SCOPE_OUTER + (int)n : SCOPE_LOCALS));
    if (!in_script && id > 0) {
        json_array_append_new(list, scope("Arguments", SCOPE_ARGUMENTS + (int)id - 1));
    }
    json_array_append_new(list, scope("CPU", SCOPE_CPU));
    json_array_append_new(list, scope("Zones", SCOPE_ZONES));
    json_array_append_new(list, scope("Caches", SCOPE_CACHES));
    respond(d, request, json_pack("{s:o}", "scopes", list));
}

__attribute__((format(printf, 3, 4))) static void
add_variable(json_t *list, const char *name, const char *format, ...)
{
    char value[600];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "name", name, "value", value,
                                          "variablesReference", 0));
}

static void add_locals(struct dap *d, json_t *list, uint32_t n)
{
    const struct model *md = &d->app.model;
    struct script_frame f = {.locals = ""};
    if (md->has_op) {
        session_frame(d->session, md->at.branch, md->view.op, n, &f);
    }
    for (const char *at = f.locals; at < f.locals + f.locals_len;) {
        const size_t len = strcspn(at, "\n"), name_len = strcspn(at, " \n");
        char name[160];
        snprintf(name, sizeof name, "%.*s", (int)name_len, at);
        const size_t skip = len > name_len + 3 ? name_len + 3 : len;
        add_variable(list, name, "%.*s", (int)(len - skip), at + skip);
        at += len + (at[len] == '\n');
    }
}

static void add_arguments(struct dap *d, json_t *list, uint32_t n)
{
    const struct model *md = &d->app.model;
    if (n >= md->depth) {
        return;
    }
    const struct probe_frame *f = &md->stack[md->depth - 1 - n];
    char name[32], type[32], value[128];
    for (uint32_t i = 0;
         i < PROBE_FRAME_ARGS && arg_describe(fn_info(f->fn)->args, i, name, type); i++) {
        value_format(value, sizeof value, md->m, type, f->arg[i]);
        add_variable(list, name, "%s", value);
    }
}

static void add_cpu(struct dap *d, json_t *list)
{
    static const char *const contexts[] = {"process", "softirq", "hardirq"};
    const struct cpu_view v = cpu_view(d->app.model.m, d->app.cpu);
    const struct memsys *s = hw_memsys(d->app.model.m, d->app.cpu);
    add_variable(list, "cpu", "%u", d->app.cpu);
    add_variable(list, "context", "%s", contexts[v.ctx]);
    add_variable(list, "preempt_count", "0x%x", v.preempt_count);
    add_variable(list, "interrupts", "%s", v.irqs_disabled ? "off" : "on");
    if (s) {
        add_variable(list, "cr2", "0x%" PRIx64, s->s->fault.cr2);
        add_variable(list, "cr3", "0x%" PRIx64, s->s->mmu.cr3);
    }
}

static void add_zones(struct dap *d, json_t *list)
{
    const struct machine *m = d->app.model.m;
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        const struct zone_view z = zone_view(m, i);
        add_variable(list, z.name,
                     "free %" PRIu64 " of %" PRIu64 ", min %" PRIu64 " low %" PRIu64
                     " high %" PRIu64,
                     z.free, z.managed, z.wmark_min, z.wmark_low, z.wmark_high);
    }
}

static void add_caches(struct dap *d, json_t *list)
{
    const struct memsys *s = hw_memsys(d->app.model.m, d->app.cpu);
    if (!s) {
        return;
    }
    const struct memsys_tally *n = &s->s->n;
    for (int side = 0; side < NR_SIDES; side++) {
        add_variable(
            list, side ? "L1D" : "L1I", "%" PRIu64 " accesses, %" PRIu64 " misses",
            tally_l1_accesses(n, (enum side)side), tally_l1_misses(n, (enum side)side));
        add_variable(list, side ? "DTLB" : "ITLB",
                     "%" PRIu64 " accesses, %" PRIu64 " misses", n->tlb_access[side],
                     n->tlb_miss[side]);
    }
    add_variable(list, "L2", "%" PRIu64 " accesses, %" PRIu64 " misses",
                 tally_l2_accesses(n), tally_l2_misses(n));
    add_variable(list, "STLB", "%" PRIu64 " accesses, %" PRIu64 " misses", n->stlb_access,
                 n->stlb_miss);
    add_variable(list, "walks", "%" PRIu64, n->walks);
}

static void variables(struct dap *d, const json_t *request)
{
    json_t *list = json_array();
    const json_int_t reference = json_integer_value(
        json_object_get(json_object_get(request, "arguments"), "variablesReference"));
    if (reference == SCOPE_LOCALS) {
        add_locals(d, list, 0);
    } else if (reference == SCOPE_CPU) {
        add_cpu(d, list);
    } else if (reference == SCOPE_ZONES) {
        add_zones(d, list);
    } else if (reference == SCOPE_CACHES) {
        add_caches(d, list);
    } else if (reference >= SCOPE_OUTER) {
        add_locals(d, list, (uint32_t)(reference - SCOPE_OUTER));
    } else if (reference >= SCOPE_ARGUMENTS) {
        add_arguments(d, list, (uint32_t)(reference - SCOPE_ARGUMENTS));
    }
    respond(d, request, json_pack("{s:o}", "variables", list));
}

static void evaluate(struct dap *d, const json_t *request)
{
    const char *expression = arguments_string(request, "expression");
    uint32_t n;
    is_script_frame(d,
                    json_integer_value(json_object_get(
                        json_object_get(request, "arguments"), "frameId")),
                    &n);
    session_select_frame(d->session, n); /* whose variables the expression sees */
    if (!strcmp(arguments_string(request, "context"), "repl")) {
        const struct position from = timeline_position(d->app.t);
        char *text = run_command(d, expression);
        const struct position to = timeline_position(d->app.t);
        respond(
            d, request,
            json_pack("{s:s, s:i}", "result", text ? text : "", "variablesReference", 0));
        free(text);
        if (from.op != to.op || from.event != to.event || from.branch != to.branch) {
            send_stopped(d, "goto");
        }
        return;
    }
    char err[300], value[600]; /* a hover: to look, never to do */
    struct condition *c = session_condition(d->session, expression, err, sizeof err);
    if (!c) {
        refuse(d, request, err);
        return;
    }
    enum verdict v =
        condition_test(c, timeline_machine(d->app.t), NULL, value, sizeof value);
    condition_forget(c);
    if (v == VERDICT_ERROR) {
        refuse(d, request, value);
    } else {
        respond(d, request,
                json_pack("{s:s, s:i}", "result", value, "variablesReference", 0));
    }
}

static char *base64(const unsigned char *bytes, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(n / 3 * 4 + 5), *at = text;
    for (size_t i = 0; text && i < n; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16;
        three |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
        three |= i + 2 < n ? bytes[i + 2] : 0;
        *at++ = digits[three >> 18];
        *at++ = digits[three >> 12 & 63];
        *at++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
        *at++ = i + 2 < n ? digits[three & 63] : '=';
    }
    if (text) {
        *at = 0;
    }
    return text;
}

static void read_memory(struct dap *d, const json_t *request)
{
    enum { MOST = 1 << 16 };
    const json_t *arguments = json_object_get(request, "arguments");
    const uint64_t va =
        strtoull(arguments_string(request, "memoryReference"), NULL, 0) +
        (uint64_t)json_integer_value(json_object_get(arguments, "offset"));
    const json_int_t count = json_integer_value(json_object_get(arguments, "count"));
    const size_t n = count < 0 ? 0 : count > MOST ? MOST : (size_t)count;
    unsigned char *bytes = calloc(1, n + 1);
    bool *there = calloc(n + 1, sizeof *there);
    size_t good = 0;
    if (bytes && there) {
        hw_read_virt(d->app.model.m, d->app.cpu, va,
                     hw_is_user(d->app.model.m, d->app.cpu, va), bytes, there, n);
        while (good < n && there[good]) {
            good++;
        }
    }
    char *text = bytes ? base64(bytes, good) : NULL, address[24];
    snprintf(address, sizeof address, "0x%" PRIx64, va);
    respond(d, request,
            json_pack("{s:s, s:s, s:i}", "address", address, "data", text ? text : "",
                      "unreadableBytes", (int)(n - good)));
    free(text);
    free(bytes);
    free(there);
}

static void offer(void *ctx, const char *word)
{
    json_array_append_new(ctx, json_pack("{s:s}", "label", word));
}

static void completions(struct dap *d, const json_t *request)
{
    json_t *list = json_array();
    char line[1024];
    const json_int_t column = json_integer_value(
        json_object_get(json_object_get(request, "arguments"), "column"));
    snprintf(line, sizeof line, "%.*s", column > 0 ? (int)(column - 1) : 1000,
             arguments_string(request, "text"));
    command_complete(&d->app, line, offer, list);
    respond(d, request, json_pack("{s:o}", "targets", list));
}

/* ---- requests ---- */

static void done(struct dap *d, const json_t *request) { respond(d, request, NULL); }

static void initialize(struct dap *d, const json_t *request)
{
    respond(d, request, capabilities());
}

static void configuration_done(struct dap *d, const json_t *request)
{
    respond(d, request, NULL);
    if (d->stop_on_entry) {
        send_stopped(d, "entry");
    } else {
        move(d, "continue", "pause");
    }
}

static void leave(struct dap *d, const json_t *request)
{
    respond(d, request, NULL);
    send_event(d, "terminated", NULL);
    d->leaving = true;
}

static void run_on(struct dap *d, const json_t *request)
{
    respond(d, request, json_pack("{s:b}", "allThreadsContinued", 1));
    move(d, "continue", "pause");
}
static void run_back(struct dap *d, const json_t *request)
{
    respond(d, request, NULL);
    move(d, "continue-back", "pause");
}
static void step(struct dap *d, const json_t *request)
{
    static const struct {
        const char *request, *command;
    } steps[] = {{"next", "next"},
                 {"stepIn", "step"},
                 {"stepOut", "finish"},
                 {"stepBack", "step-back"}};
    respond(d, request, NULL);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (!strcmp(steps[i].request, command_of(request))) {
            move(d, steps[i].command, "step");
        }
    }
}

static const struct {
    const char *command;
    bool open; /* wants a session */
    void (*serve)(struct dap *d, const json_t *request);
} requests[] = {
    {"initialize", false, initialize},
    {"launch", false, launch},
    {"setBreakpoints", true, set_breakpoints},
    {"setFunctionBreakpoints", true, set_function_breakpoints},
    {"setExceptionBreakpoints", true, set_exception_breakpoints},
    {"configurationDone", true, configuration_done},
    {"threads", true, threads},
    {"stackTrace", true, stack_trace},
    {"scopes", true, scopes},
    {"variables", true, variables},
    {"evaluate", true, evaluate},
    {"readMemory", true, read_memory},
    {"completions", true, completions},
    {"continue", true, run_on},
    {"reverseContinue", true, run_back},
    {"next", true, step},
    {"stepIn", true, step},
    {"stepOut", true, step},
    {"stepBack", true, step},
    {"pause", true, done},
    {"disconnect", false, leave},
    {"terminate", false, leave},
};

static void serve(struct dap *d, const json_t *request)
{
    const char *command = command_of(request);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (strcmp(requests[i].command, command) != 0) {
            continue;
        }
        if (requests[i].open && !d->session) {
            refuse(d, request, "nothing is launched yet");
        } else {
            requests[i].serve(d, request);
        }
        return;
    }
    refuse(d, request, "mmscope does not know this request");
}

bool dap_serve(FILE *in, FILE *out, const struct session_options *o)
{
    struct dap d = {.in = in, .out = out, .options = o};
    setvbuf(in, NULL, _IONBF, 0); /* poll() then knows all that has come */
    while (!d.leaving) {
        json_t *message = NULL;
        if (d.nr_queued) {
            message = d.queue[0];
            memmove(d.queue, d.queue + 1, (size_t)--d.nr_queued * sizeof d.queue[0]);
        } else {
            message = read_message(&d);
        }
        if (!message) {
            break;
        }
        serve(&d, message);
        json_decref(message);
    }
    while (d.nr_queued) {
        json_decref(d.queue[--d.nr_queued]);
    }
    if (d.session) {
        app_free(&d.app);
        session_close(d.session);
    }
    return !d.broken;
}
