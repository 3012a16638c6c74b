/* Sessions as text files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "session_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "host.h"
#include "script.h"

static const char magic[] = "mmscope session 1\n";

bool session_file_is(const char *text, size_t size)
{
    return size >= sizeof magic - 1 && !memcmp(text, magic, sizeof magic - 1);
}

const char *session_notes(const struct session *s) { return s->notes ? s->notes : ""; }

/* ---- writing ---- */

static bool is_text(const char *type)
{
    return !strcmp(type, "text") || !strcmp(type, "lock");
}

static void put_quoted(struct buffer *b, const char *text)
{
    buffer_string(b, "\"");
    for (; *text; text++) {
        const char c = *text;
        if (c == '\n') {
            buffer_string(b, "\\n");
        } else {
            buffer_printf(b, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
    buffer_string(b, "\"");
}

static void put_op(struct buffer *b, const struct timeline *t, const struct op *op)
{
    const struct op_info *info = op_info(op->kind);
    char name[32], type[32];
    buffer_printf(b, "do %u %s", op->cpu, info->name);
    for (uint32_t i = 0; i < 4; i++) {
        const bool known = arg_describe(info->args, i, name, type);
        if (known && is_text(type) && !(op->arg[i] >> 32)) {
            buffer_string(b, " ");
            put_quoted(b, timeline_string(t, (uint32_t)op->arg[i]));
        } else if (known || op->arg[i]) {
            buffer_printf(b, " 0x%" PRIx64, op->arg[i]);
        }
    }
    buffer_string(b, "\n");
}

static uint64_t lock_number(const struct op *op)
{
    return op->kind == OP_SPIN_LOCK || op->kind == OP_SPIN_UNLOCK ? op->arg[0] : 0;
}

/* The largest number of a text that names a lock. */
static uint32_t last_lock(const struct timeline *t)
{
    uint64_t last = 0;
    struct op_record rec;
    struct injected in;
    for (uint32_t branch = 0; branch < timeline_nr_branches(t); branch++) {
        for (uint64_t op = timeline_branch(t, branch).fork_op;
             timeline_op(t, branch, op, &rec); op++) {
            uint64_t n = lock_number(&rec.op);
            last = n > last && n <= UINT32_MAX ? n : last;
            for (uint32_t i = 0;
                 i < rec.nr_injected && timeline_injected(t, branch, op, i, &in); i++) {
                n = lock_number(&in.op);
                last = n > last && n <= UINT32_MAX ? n : last;
            }
        }
    }
    return (uint32_t)last;
}

/* The interrupts that the user put into operation op. first: the branch begins with the
 * first of them. */
static void put_interrupts(struct buffer *b, const struct timeline *t, uint32_t branch,
                           uint64_t op, bool first)
{
    struct injected in;
    for (uint32_t i = 0; timeline_injected(t, branch, op, i, &in); i++) {
        if (in.op.kind != OP_IRQ_ENTER || in.op.origin != ORIGIN_USER) {
            continue;
        }
        const uint64_t event = in.event;
        uint32_t end = i + 1;
        while (timeline_injected(t, branch, op, end, &in) && in.op.kind != OP_IRQ_LEAVE) {
            end++;
        }
        buffer_printf(b, "%s %" PRIu64 " %u %u\n", first ? "fork" : "interrupt", event,
                      in.op.cpu, end - i - 1);
        for (i++; i < end && timeline_injected(t, branch, op, i, &in); i++) {
            put_op(b, t, &in.op);
        }
        first = false;
    }
}

static bool same_op(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->cpu == b->cpu && a->origin == b->origin &&
           !memcmp(a->arg, b->arg, sizeof a->arg);
}

static void put_branch(struct buffer *b, struct session *s, uint32_t branch)
{
    struct timeline *t = s->timeline;
    const struct branch_info info = timeline_branch(t, branch);
    const uint64_t first = branch ? info.fork_op : 0;
    uint64_t run = 0;
    struct op_record rec, before;
    buffer_printf(b, "branch %" PRIu32 " %" PRIu64 " %s\n", info.parent, first,
                  info.name);
    for (uint64_t op = first; op < info.nr_ops; op++) {
        timeline_op(t, branch, op, &rec);
        const bool redone = branch && op == first &&
                            timeline_op(t, info.parent, op, &before) &&
                            same_op(&rec.op, &before.op) && rec.nr_injected;
        if (rec.op.origin == ORIGIN_SCRIPT && !redone) {
            run++;
        }
        if (run && (rec.op.origin != ORIGIN_SCRIPT || rec.nr_injected)) {
            buffer_printf(b, "run %" PRIu64 "\n", run);
            run = 0;
        }
        if (rec.op.origin != ORIGIN_SCRIPT && !redone) {
            put_op(b, t, &rec.op);
        }
        put_interrupts(b, t, branch, op, redone);
    }
    if (run) {
        buffer_printf(b, "run %" PRIu64 "\n", run);
    }
    const struct op *waiting;
    size_t nr;
    uint8_t cpu;
    for (uint32_t i = 0; (waiting = timeline_waiting(t, branch, i, &nr, &cpu)); i++) {
        buffer_printf(b, "wait %u %zu\n", cpu, nr);
        for (size_t k = 0; k < nr; k++) {
            put_op(b, t, &waiting[k]);
        }
    }
    timeline_seek(t, (struct position){branch, info.nr_ops, 0});
    buffer_printf(b, "digest %" PRIu64 " %016" PRIx64 "\n", info.nr_ops,
                  machine_digest(timeline_machine(t)));
}

char *session_file_make(struct session *s, const char *notes, char *err, size_t err_size)
{
    struct timeline *t = s->timeline;
    const struct position here = timeline_position(t);
    struct buffer b = {0};
    char config[4096];
    if (s->feed || (!s->text && strcmp(s->name, "sandbox") != 0)) {
        snprintf(err, err_size,
                 "a record on the screen is saved already: it is its file");
        return NULL;
    }
    if (timeline_first_op(t) > 0) {
        snprintf(err, err_size,
                 "its first operations are forgotten: start with a larger --history");
        return NULL;
    }
    config_format(config, sizeof config, &timeline_machine(t)->config);
    buffer_printf(&b, "%sname %s\ntitle %s\nconfig %s\n", magic, s->name,
                  session_title(s), config);
    buffer_printf(&b, "script %zu\n", s->text ? s->text_size : 0);
    if (s->text) {
        buffer_append(&b, s->text, s->text_size);
        buffer_string(&b, "\n");
    }
    const uint32_t last = last_lock(t);
    for (uint32_t i = 1; i <= last; i++) {
        buffer_string(&b, "text ");
        put_quoted(&b, timeline_string(t, i));
        buffer_string(&b, "\n");
    }
    for (uint32_t i = 0; i < timeline_nr_branches(t); i++) {
        put_branch(&b, s, i);
    }
    timeline_seek(t, here);
    buffer_printf(&b, "position %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", here.branch,
                  here.op, here.event);
    while (*notes) {
        const size_t len = strcspn(notes, "\n");
        buffer_string(&b, "note ");
        buffer_append(&b, notes, len);
        buffer_string(&b, "\n");
        notes += len + (notes[len] == '\n');
    }
    const size_t before = b.len;
    buffer_string(&b, "end\n");
    if (b.len != before + 4) {
        snprintf(err, err_size, "out of memory");
        buffer_free(&b);
        return NULL;
    }
    return b.at;
}

bool session_save(struct session *s, const char *path, const char *notes, char *err,
                  size_t err_size)
{
    char *text = session_file_make(s, notes, err, err_size);
    const bool good = text && host_write_file(path, text, strlen(text), err, err_size);
    free(text);
    return good;
}

/* ---- reading ---- */

struct reader {
    const char *path, *at, *end;
    uint32_t line;
    char *err;
    size_t err_size;
    struct session *s;
    uint32_t branch; /* which is being made, and where it leaves its parent */
    uint32_t parent;
    uint64_t fork_op;
    bool begun; /* the branch exists */
    char name[48];
};

__attribute__((format(printf, 2, 3))) static bool fail(struct reader *r,
                                                       const char *format, ...)
{
    va_list args;
    char why[400];
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(r->err, r->err_size, "%s:%" PRIu32 ": %s", r->path, r->line, why);
    return false;
}

/* The next line, cut off at its newline; NULL at the end. */
static bool next_line(struct reader *r, char *line, size_t size)
{
    if (r->at >= r->end) {
        return false;
    }
    const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    const char *stop = newline ? newline : r->end;
    snprintf(line, size, "%.*s", (int)(stop - r->at), r->at);
    r->at = newline ? newline + 1 : r->end;
    r->line++;
    return true;
}

static bool next_number(const char **at, uint64_t *n)
{
    char *end;
    *at += strspn(*at, " ");
    *n = strtoull(*at, &end, 0);
    if (end == *at || (*end && *end != ' ')) {
        return false;
    }
    *at = end;
    return true;
}

static bool next_text(const char **at, char *text, size_t size)
{
    *at += strspn(*at, " ");
    size_t n = 0;
    if (**at != '"') {
        return false;
    }
    for (++*at; **at && **at != '"'; ++*at) {
        char c = **at;
        if (c == '\\' && (*at)[1]) {
            c = *++*at == 'n' ? '\n' : **at;
        }
        if (n + 1 < size) {
            text[n++] = c;
        }
    }
    text[n] = 0;
    if (**at != '"') {
        return false;
    }
    ++*at;
    return true;
}

/* What follows "do". */
static bool parse_op(struct reader *r, const char *at, struct op *op)
{
    uint64_t cpu;
    char word[64], name[32], type[32], text[4096];
    if (!next_number(&at, &cpu) || cpu >= MAX_CPUS) {
        return fail(r, "this is no CPU's number");
    }
    at += strspn(at, " ");
    const size_t len = strcspn(at, " ");
    snprintf(word, sizeof word, "%.*s", (int)len, at);
    at += len;
    *op = (struct op){
        .kind = op_kind_by_name(word), .cpu = (uint8_t)cpu, .origin = ORIGIN_USER};
    if (op->kind == UINT16_MAX) {
        return fail(r, "there is no operation %s: another version of mmscope wrote this",
                    word);
    }
    const struct op_info *info = op_info(op->kind);
    for (uint32_t i = 0; i < 4 && at[strspn(at, " ")]; i++) {
        const bool known = arg_describe(info->args, i, name, type);
        if (known && is_text(type) && at[strspn(at, " ")] == '"') {
            if (!next_text(&at, text, sizeof text)) {
                return fail(r, "a text without its end");
            }
            op->arg[i] = timeline_intern(r->s->timeline, text);
        } else if (!next_number(&at, &op->arg[i])) {
            return fail(r, "argument %u is no number", i + 1);
        }
    }
    return true;
}

/* Where the branch's next operation is done. */
static void go_on(struct reader *r)
{
    struct timeline *t = r->s->timeline;
    if (!r->begun && r->branch) {
        timeline_seek(t, (struct position){r->parent, r->fork_op, 0});
    } else {
        timeline_seek(t, (struct position){r->branch, timeline_nr_ops(t, r->branch), 0});
    }
    r->begun = true;
}

static bool run_script(struct reader *r, uint64_t n)
{
    struct timeline *t = r->s->timeline;
    const bool begins = !r->begun && r->branch;
    go_on(r);
    if (begins) { /* by an interrupt that had to wait */
        timeline_fork(t);
    }
    const uint64_t wanted = timeline_nr_ops(t, r->branch) + n;
    for (uint64_t before = wanted; timeline_nr_ops(t, r->branch) < wanted;) {
        const uint64_t now = timeline_nr_ops(t, r->branch);
        if (now == before && session_state(r->s) != SESSION_READY) {
            return fail(r, "the script ends after %" PRIu64 " operations, not %" PRIu64,
                        now, wanted);
        }
        before = now;
        if (session_advance(r->s, NULL, NULL) == SESSION_STOPPED) {
            before = wanted;
        }
    }
    return true;
}

enum comes { COMES_HERE, COMES_FORKING, COMES_LATER };

static bool interrupt(struct reader *r, const char *at, enum comes comes)
{
    enum { MOST = 256 };
    struct timeline *t = r->s->timeline;
    uint64_t event = 0, cpu, n;
    struct op ops[MOST];
    char line[8192], err[300];
    if ((comes != COMES_LATER && !next_number(&at, &event)) || !next_number(&at, &cpu) ||
        !next_number(&at, &n) || n > MOST) {
        return fail(r, "this wants an event, a CPU and a number of operations");
    }
    for (uint64_t i = 0; i < n; i++) {
        if (!next_line(r, line, sizeof line) || strncmp(line, "do ", 3) != 0 ||
            !parse_op(r, line + 3, &ops[i])) {
            return *r->err ? false : fail(r, "the interrupt's operations are missing");
        }
    }
    if (comes == COMES_LATER) {
        go_on(r);
    } else {
        const bool forks = comes == COMES_FORKING;
        const uint64_t op = forks ? r->fork_op : timeline_nr_ops(t, r->branch) - 1;
        timeline_seek(t, (struct position){forks ? r->parent : r->branch, op, event});
    }
    r->begun = true;
    return (comes == COMES_FORKING ? timeline_interrupt_fork(t, ops, n, err, sizeof err)
                                   : timeline_interrupt(t, ops, n, err, sizeof err)) ||
           fail(r, "%s", err);
}

/* The branch is whole: is it what was saved? */
static bool check_digest(struct reader *r, const char *at)
{
    struct timeline *t = r->s->timeline;
    uint64_t ops;
    if (!next_number(&at, &ops)) {
        return fail(r, "digest wants a number of operations");
    }
    const uint64_t wanted = strtoull(at, NULL, 16);
    if (r->branch >= timeline_nr_branches(t)) {
        return fail(r, "branch %" PRIu32 " did not come to be", r->branch);
    }
    timeline_seek(t, (struct position){r->branch, timeline_nr_ops(t, r->branch), 0});
    const uint64_t got = machine_digest(timeline_machine(t));
    if (timeline_nr_ops(t, r->branch) != ops || got != wanted) {
        return fail(r,
                    "run again, branch %s has %" PRIu64 " operations and the digest "
                    "%016" PRIx64 ", not %" PRIu64 " and %016" PRIx64
                    ": another version of mmscope wrote this, or the file was changed",
                    r->name, timeline_nr_ops(t, r->branch), got, ops, wanted);
    }
    timeline_name_branch(t, r->branch, r->name);
    r->branch++;
    return true;
}

static bool begin_branch(struct reader *r, const char *at)
{
    uint64_t parent;
    if (!next_number(&at, &parent) || !next_number(&at, &r->fork_op) ||
        (r->branch && parent >= r->branch)) {
        return fail(r, "branch wants its parent, where it leaves it, and its name");
    }
    r->parent = (uint32_t)parent;
    r->begun = r->branch == 0;
    snprintf(r->name, sizeof r->name, "%s", at + strspn(at, " "));
    return true;
}

static bool keep_note(struct reader *r, const char *line)
{
    const size_t had = r->s->notes ? strlen(r->s->notes) : 0;
    char *more = realloc(r->s->notes, had + strlen(line) + 2);
    if (!more) {
        return fail(r, "out of memory");
    }
    r->s->notes = more;
    sprintf(more + had, "%s\n", line);
    return true;
}

static bool take_text(struct reader *r, const char *at)
{
    const size_t room = strlen(at) + 1;
    char *text = malloc(room);
    const bool good = text && next_text(&at, text, room);
    if (good) {
        timeline_intern(r->s->timeline, text);
    }
    free(text);
    return good || fail(r, "text wants a text in quotes");
}

static bool do_line(struct reader *r, const char *line, bool *ended)
{
    static const struct {
        const char *word;
        int id;
    } words[] = {{"text ", 10},    {"wait ", 9},      {"branch ", 0}, {"run ", 1},
                 {"do ", 2},       {"interrupt ", 3}, {"fork ", 4},   {"digest ", 5},
                 {"position ", 6}, {"note ", 7},      {"end", 8}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t len = strlen(words[i].word);
        if (strncmp(line, words[i].word, len) != 0) {
            continue;
        }
        const char *at = line + len;
        struct op op;
        uint64_t n, more[2];
        switch (words[i].id) {
        case 0:
            return begin_branch(r, at);
        case 1:
            return next_number(&at, &n) ? run_script(r, n)
                                        : fail(r, "run wants a number");
        case 2:
            if (!parse_op(r, at, &op)) {
                return false;
            }
            go_on(r);
            timeline_do(r->s->timeline, &op);
            return true;
        case 3:
            return interrupt(r, at, COMES_HERE);
        case 4:
            return interrupt(r, at, COMES_FORKING);
        case 9:
            return interrupt(r, at, COMES_LATER);
        case 10:
            return take_text(r, at);
        case 5:
            return check_digest(r, at);
        case 6:
            if (!next_number(&at, &n) || !next_number(&at, &more[0]) ||
                !next_number(&at, &more[1])) {
                return fail(r, "position wants a branch, an operation and an event");
            }
            timeline_seek(r->s->timeline,
                          (struct position){(uint32_t)n, more[0], more[1]});
            return true;
        case 7:
            return keep_note(r, at);
        default:
            *ended = true;
            return true;
        }
    }
    return fail(r, "%.40s: this is no line of a session", line);
}

/* "a=1 b=2" as settings; the words stay in text. */
static const char **split_settings(char *text)
{
    size_t n = 1;
    for (const char *c = text; *c; c++) {
        n += *c == ' ';
    }
    const char **settings = calloc(n + 1, sizeof *settings);
    size_t i = 0;
    for (char *at = text; settings && *at;) {
        settings[i++] = at;
        at += strcspn(at, " ");
        while (*at == ' ') {
            *at++ = 0;
        }
    }
    return settings;
}

/* name, title, config, script: the session, with nothing done yet. */
static struct session *open_head(struct reader *r, const struct session_options *o)
{
    char line[8192], name[4096] = "sandbox", config[8192] = "";
    char *text = NULL;
    struct session *s = NULL;
    while (!text && next_line(r, line, sizeof line)) {
        if (!strncmp(line, "name ", 5)) {
            snprintf(name, sizeof name, "%.4000s", line + 5);
        } else if (!strncmp(line, "config ", 7)) {
            snprintf(config, sizeof config, "%s", line + 7);
        } else if (!strncmp(line, "script ", 7)) {
            const unsigned long long size = strtoull(line + 7, NULL, 10);
            if (size > (size_t)(r->end - r->at)) {
                fail(r, "the file ends inside the script: it is cut off");
                return NULL;
            }
            text = malloc((size_t)size + 1);
            if (!text) {
                fail(r, "out of memory");
                return NULL;
            }
            memcpy(text, r->at, (size_t)size);
            text[size] = 0;
            for (const char *c = text; *c; c++) {
                r->line += *c == '\n';
            }
            r->at += size;
            r->at += size && r->at < r->end;
            r->line += size != 0;
        } else if (strncmp(line, "title ", 6) != 0) {
            fail(r, "%.40s: this is no line of a session", line);
            return NULL;
        }
    }
    char *kept = buffer_copy_string(config);
    const char **settings = kept ? split_settings(kept) : NULL;
    if (!text || !settings) {
        fail(r,
             text ? "out of memory" : "the file ends before its script: it is cut off");
    } else {
        struct session_options options = o ? *o : (struct session_options){0};
        char why[600];
        options.settings = settings;
        options.seed = 0;
        s = *text ? session_open_text(name, text, &options, why, sizeof why)
                  : session_open_sandbox(&options, why, sizeof why);
        if (!s) {
            fail(r, "%s", why);
        }
    }
    free(text);
    if (s) {
        s->kept_config = kept;
        s->kept_settings = settings;
    } else {
        free(kept);
        free(settings);
    }
    return s;
}

struct session *session_file_load(const char *path, const char *text, size_t size,
                                  const struct session_options *o, char *err,
                                  size_t err_size)
{
    struct reader r = {
        .path = path, .at = text, .end = text + size, .err = err, .err_size = err_size};
    const size_t room = size + 1;
    char *line = malloc(room);
    bool ended = false, good = line != NULL;
    err[0] = 0;
    if (good) {
        next_line(&r, line, room);
        r.s = open_head(&r, o);
        good = r.s != NULL;
    }
    while (good && !ended && next_line(&r, line, room)) {
        good = do_line(&r, line, &ended);
    }
    if (good && !ended) {
        good = fail(&r, "the file ends too early: it is cut off");
    }
    free(line);
    if (!good) {
        session_close(r.s);
        return NULL;
    }
    return r.s;
}
