/* A session: opening, closing, advancing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "script.h"
#include "session_file.h"

enum {
    MAX_SCRIPT_BYTES = 4 << 20,
    STEPS_PER_ADVANCE =
        20000000 /* instructions without an operation before SESSION_STOPPED */
};

/* ---- opening ---- */

static struct session *session_new(const char *name, const struct session_options *o)
{
    static const struct session_options none;
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    o = o ? o : &none;
    s->name = buffer_copy_string(name);
    s->settings = o->settings;
    s->seed = o->seed;
    s->keep_locals = o->keep_locals;
    s->host = o->host ? o->host : &host_memory;
    config_init(&s->config, ARCH_I386);
    if (!s->name) {
        session_close(s);
        return NULL;
    }
    return s;
}

/* The text's lines, for the script pane. */
static bool split_lines(struct session *s)
{
    uint32_t n = 1;
    for (size_t i = 0; i < s->text_size; i++) {
        n += s->text[i] == '\n';
    }
    s->line_text = malloc(s->text_size + 1);
    s->lines = malloc(n * sizeof *s->lines);
    if (!s->line_text || !s->lines) {
        return false;
    }
    memcpy(s->line_text, s->text, s->text_size);
    s->line_text[s->text_size] = 0;
    char *at = s->line_text, *end = at + s->text_size;
    while (at < end) {
        s->lines[s->nr_lines++] = at;
        char *newline = memchr(at, '\n', (size_t)(end - at));
        newline = newline ? newline : end;
        *newline = 0;
        if (newline > at && newline[-1] == '\r') {
            newline[-1] = 0;
        }
        at = newline + 1;
    }
    return true;
}

/* The settings of the command line go over what the script asks for. */
bool session_setup_config(struct session *s, char *err, size_t err_size)
{
    for (const char *const *set = s->settings; set && *set; set++) {
        char name[64];
        const char *equals = strchr(*set, '=');
        size_t len = equals ? (size_t)(equals - *set) : 0;
        if (!len || len >= sizeof name) {
            snprintf(err, err_size, "%s: a setting is written name=value, as in ram=256M",
                     *set);
            return false;
        }
        memcpy(name, *set, len);
        name[len] = 0;
        if (!config_set(&s->config, name, equals + 1, err, err_size)) {
            return false;
        }
    }
    if (s->seed) {
        s->config.seed = s->seed;
    }
    return true;
}

static bool boot(struct session *s, const struct session_options *o, char *err,
                 size_t err_size)
{
    struct timeline_options options = {.history_bytes = o ? o->history_bytes : 0};
    s->timeline = timeline_create(&s->config, s->host, &options, err, err_size);
    return s->timeline != NULL;
}

static struct session *give_up(struct session *s)
{
    session_close(s);
    return NULL;
}

/* text belongs to the session from now on. */
static struct session *open_script(const char *name, char *text, size_t size,
                                   const struct session_options *o, char *err,
                                   size_t err_size)
{
    struct session *s = session_new(name, o);
    if (!s) {
        free(text);
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    s->text = text;
    s->text_size = size;
    if (!split_lines(s)) {
        snprintf(err, err_size, "out of memory");
        return give_up(s);
    }
    if (!session_load_script(s)) {
        snprintf(err, err_size, "%s", buffer_of(&s->error));
        return give_up(s);
    }
    return boot(s, o, err, err_size) ? s : give_up(s);
}

struct session *session_open(const char *path, const struct session_options *o, char *err,
                             size_t err_size)
{
    size_t size;
    char *text = host_read_file(path, MAX_SCRIPT_BYTES, &size, err, err_size);
    if (text && session_file_is(text, size)) {
        struct session *s = session_file_load(path, text, size, o, err, err_size);
        free(text);
        return s;
    }
    return text ? open_script(path, text, size, o, err, err_size) : NULL;
}

struct session *session_open_text(const char *name, const char *text,
                                  const struct session_options *o, char *err,
                                  size_t err_size)
{
    char *copy = buffer_copy_string(text);
    if (!copy) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    return open_script(name, copy, strlen(copy), o, err, err_size);
}

struct session *session_open_sandbox(const struct session_options *o, char *err,
                                     size_t err_size)
{
    struct session *s = session_new("sandbox", o);
    if (!s) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    static const char *const usual[] = {"ram=160M", "cpus=2", NULL};
    struct machine_config arch = s->config;
    bool arch_given = false;
    for (const char *const *set = s->settings; set && *set; set++) {
        if (strncmp(*set, "arch=", 5) == 0) {
            if (!config_set(&arch, "arch", *set + 5, err, err_size)) {
                return give_up(s);
            }
            arch_given = true;
        }
    }
    config_init(&s->config, arch.arch);
    const char *const *settings = s->settings;
    s->settings = usual;
    bool good = session_setup_config(s, err, err_size);
    s->settings = settings;
    if (good && !arch_given) {
        good = config_set(&s->config, "highmem", "80M", err, err_size);
    }
    good = good && session_setup_config(s, err, err_size) && boot(s, o, err, err_size);
    return good ? s : give_up(s);
}

struct session *session_open_timeline(struct timeline *t, const char *name)
{
    struct session *s = session_new(name, NULL);
    if (!s) {
        timeline_destroy(t);
        return NULL;
    }
    s->timeline = t;
    s->config = timeline_machine(t)->config;
    return s;
}

void session_close(struct session *s)
{
    if (!s) {
        return;
    }
    script_destroy(s->script);
    script_destroy(s->console);
    if (s->timeline) {
        timeline_destroy(s->timeline);
    }
    buffer_free(&s->error);
    free(s->name);
    free(s->text);
    free(s->line_text);
    free(s->lines);
    free(s->title);
    free(s->summary);
    free(s->view);
    free(s->notes);
    free(s->kept_config);
    free(s->kept_settings);
    free(s);
}

bool session_describe(const char *path, char *title, size_t title_size, char *summary,
                      size_t summary_size)
{
    char err[512] = "";
    size_t size;
    char *text = host_read_file(path, MAX_SCRIPT_BYTES, &size, err, sizeof err);
    struct session *s = text ? session_new(path, NULL) : NULL;
    bool good = false;
    if (s) {
        s->text = text;
        s->text_size = size;
        good = session_load_script(s);
    } else {
        free(text);
    }
    snprintf(title, title_size, "%s", good && s->title ? s->title : "");
    snprintf(summary, summary_size, "%s",
             good ? (s->summary ? s->summary : "") : (s ? buffer_of(&s->error) : err));
    summary[strcspn(summary, "\n")] = 0;
    session_close(s);
    return good;
}

/* ---- answers ---- */

struct timeline *session_timeline(struct session *s) { return s->timeline; }

const char *session_view(const struct session *s) { return s->view ? s->view : ""; }

void session_set_view(struct session *s, const char *view)
{
    free(s->view);
    s->view = malloc(strlen(view) + 1);
    if (s->view) {
        strcpy(s->view, view);
    }
}

const char *session_title(const struct session *s)
{
    return s->title ? s->title : s->name;
}

const char *session_name(const struct session *s) { return s->name; }

uint32_t session_nr_lines(const struct session *s) { return s->nr_lines; }

const char *session_line(const struct session *s, uint32_t line)
{
    return line >= 1 && line <= s->nr_lines ? s->lines[line - 1] : "";
}

/* What holds at the end of the current branch. */
enum session_state session_state(const struct session *s)
{
    if (s->script && s->timeline && !script_in_step(s->script)) {
        return SESSION_READY;
    }
    return s->state;
}

const char *session_error(const struct session *s)
{
    return session_state(s) == SESSION_ERROR ? buffer_of(&s->error) : "";
}

uint32_t session_error_line(const struct session *s)
{
    return session_state(s) == SESSION_ERROR ? s->error_line : 0;
}

void session_expectations(const struct session *s, uint64_t *passed, uint64_t *failed)
{
    *passed = s->script ? s->script->passed : 0;
    *failed = s->script ? s->script->failed : 0;
}

void session_set_feed(struct session *s, bool (*feed)(void *ctx, struct timeline *t),
                      void *ctx)
{
    s->feed = feed;
    s->feed_ctx = ctx;
    s->state = SESSION_READY;
}

void session_set_feed_ready(struct session *s, bool (*ready)(void *ctx))
{
    s->feed_ready = ready;
}

void session_set_feed_peek(struct session *s, bool (*peek)(void *ctx, struct op *op))
{
    s->feed_peek = peek;
}

bool session_next_op(const struct session *s, struct op *op)
{
    return s->feed_peek && s->feed_peek(s->feed_ctx, op);
}

/* ---- advancing ---- */

static enum session_state fail(struct session *s)
{
    struct buffer first = {0};
    const char *message = buffer_of(&s->error);
    buffer_append(&first, message, strcspn(message, "\n"));
    if (s->script && s->script->may_operate) {
        struct script *sc = s->script;
        script_note_outside(sc, NOTE_ERROR, buffer_of(&first), buffer_of(&sc->scratch));
    }
    buffer_free(&first);
    return s->state = SESSION_ERROR;
}

/* The script cannot be run again: its first answers are gone. */
static enum session_state forgotten(struct session *s)
{
    buffer_printf(
        &s->error,
        "%s: the script cannot be run again, since the history before operation "
        "%llu is forgotten: start with a larger --history",
        s->name, (unsigned long long)op_number(timeline_first_op(s->timeline)));
    s->error_line = 0;
    s->script->cursor = 0; /* in step with every branch: nothing more will be asked */
    return s->state = SESSION_ERROR;
}

static enum session_state resume(struct session *s)
{
    struct script *sc = s->script;
    sc->sandbox.steps = STEPS_PER_ADVANCE;
    int status = sandbox_resume(&sc->sandbox, sc->co, 0);
    if (status == LUA_OK && !sc->sandbox.broken) {
        return s->state = SESSION_DONE;
    }
    if (status == LUA_YIELD && !sc->sandbox.broken) {
        return s->state = sc->sandbox.pause == PAUSE_OP ? SESSION_READY : SESSION_STOPPED;
    }
    session_keep_error(s, sc->co);
    return fail(s);
}

/* The title is the first operation of every script that has one. */
static bool announce(struct session *s)
{
    if (s->titled || !s->title) {
        return false;
    }
    s->titled = true;
    script_note_outside(s->script, NOTE_TITLE, s->title, NULL);
    return s->script->fresh;
}

enum session_state session_advance(struct session *s, bool (*interrupted)(void *ctx),
                                   void *ctx)
{
    struct timeline *t = s->timeline;
    struct position now = timeline_position(t);
    struct position end = {now.branch, timeline_nr_ops(t, now.branch), 0};
    if (now.op != end.op || now.event) {
        timeline_seek(t, end);
    }
    if (!s->script) {
        while (s->feed_ready && !s->feed_ready(s->feed_ctx)) {
            if (interrupted && interrupted(ctx)) {
                return s->state = SESSION_STOPPED;
            }
        }
        bool more = s->feed && s->feed(s->feed_ctx, t);
        return s->state = more ? SESSION_READY : SESSION_DONE;
    }
    if (!script_in_step(s->script)) {
        s->state = SESSION_READY;
        buffer_clear(&s->error);
        if (timeline_first_op(t) > 0) {
            return forgotten(s);
        }
        if (!session_load_script(s)) {
            return fail(s);
        }
    }
    if (s->state == SESSION_DONE || s->state == SESSION_ERROR) {
        return s->state;
    }
    if (announce(s)) {
        return s->state = SESSION_READY;
    }
    s->script->sandbox.interrupted = interrupted;
    s->script->sandbox.ctx = ctx;
    enum session_state state = resume(s);
    s->script->sandbox.interrupted = NULL;
    return state;
}

void session_give_up(struct session *s, const char *why)
{
    struct script *sc = s->script;
    if (s->state != SESSION_STOPPED || !sc) {
        return;
    }
    lua_Debug ar;
    int level = 0;
    bool placed = sandbox_script_frame(sc->co, &level, &ar);
    snprintf(sc->sandbox.why_broken, sizeof sc->sandbox.why_broken, "%s:%d: %s",
             placed ? ar.short_src : s->name, placed ? ar.currentline : 0, why);
    sc->sandbox.broken = true;
    session_keep_error(s, sc->co);
    fail(s);
}

/* ---- questions ---- */

bool session_parse_question(const char *text, char *copy, struct question *q)
{
    memmove(copy, text, strlen(text) + 1);
    *q = (struct question){.question = copy, .why = ""};
    char *line = strchr(copy, '\n');
    while (line) {
        *line++ = 0;
        char *next = strchr(line, '\n');
        if ((*line == '-' || *line == '=') && q->nr_choices < SESSION_MAX_CHOICES) {
            if (*line == '=') {
                q->answer = q->nr_choices;
            }
            q->choice[q->nr_choices++] = line[1] ? line + 2 : "";
        } else if (*line == '>') {
            q->why = line[1] ? line + 2 : "";
        }
        line = next;
    }
    return q->nr_choices > 0;
}
