/* Running a scenario without a screen: the loop, and what it prints as text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "runner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "inspect.h"
#include "runner_private.h"

enum {
    WIDTH = 80,
    MAX_STOPS = 50 /* session_advance() without an operation so often: the script hangs */
};

/* ---- text ---- */

static bool is_continuation(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

/* A script's text goes to a terminal: nothing in it may command that. */
static void put_plain(FILE *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        putc(c < 0x20 && c != '\t' ? '?' : c == 0x7f ? '?' : c, out);
    }
}

/* One line of text, wrapped; what looks like a table (two blanks in a row, or a blank
 * first) stays as it is. */
static void put_wrapped_line(FILE *out, const char *s, size_t len, int indent)
{
    bool table = len && (*s == ' ' || *s == '\t');
    for (size_t i = 1; i < len; i++) {
        table |= s[i] == ' ' && s[i - 1] == ' ';
    }
    if (table) {
        fprintf(out, "%*s", indent, "");
        put_plain(out, s, len);
        putc('\n', out);
        return;
    }
    int column = 0;
    while (len) {
        size_t word = 0;
        int width = 0;
        while (word < len && s[word] != ' ') {
            width += !is_continuation(s[word]);
            word++;
        }
        if (column && column + 1 + width > WIDTH) {
            putc('\n', out);
            column = 0;
        }
        column += column ? fprintf(out, " ") : fprintf(out, "%*s", indent, "");
        put_plain(out, s, word);
        column += width;
        s += word;
        len -= word;
        while (len && *s == ' ') {
            s++;
            len--;
        }
    }
    putc('\n', out);
}

static void put_wrapped(FILE *out, const char *text, int indent)
{
    while (true) {
        size_t len = strcspn(text, "\n");
        put_wrapped_line(out, text, len, indent);
        if (!text[len]) {
            return;
        }
        text += len + 1;
    }
}

static void put_title(FILE *out, const char *text)
{
    fputs("\n", out);
    put_wrapped(out, text, 0);
    int width = 0;
    for (const char *s = text; *s; s++) {
        width += !is_continuation(*s);
    }
    for (int i = 0; i < width && i < WIDTH; i++) {
        putc('=', out);
    }
    putc('\n', out);
}

static void put_question(FILE *out, const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    struct question q;
    if (copy && session_parse_question(text, copy, &q)) {
        fputs("\n? ", out);
        put_wrapped(out, q.question, 0);
        for (uint32_t i = 0; i < q.nr_choices; i++) {
            fprintf(out, "  %c %c. ", i == q.answer ? '*' : ' ', (int)('a' + i));
            put_plain(out, q.choice[i], strlen(q.choice[i]));
            putc('\n', out);
        }
        if (*q.why) {
            put_wrapped(out, q.why, 2);
        }
    }
    free(copy);
}

static void end_loop(struct runner *r);

static void text_note(struct runner *r, const struct op_record *op)
{
    FILE *out = r->o->out;
    const char *text = timeline_string(r->t, (uint32_t)op->op.arg[1]);
    if (op->op.arg[0] == NOTE_VIEW) {
        return; /* there is no screen */
    }
    end_loop(r);
    switch (op->op.arg[0]) {
    case NOTE_TITLE:
        put_title(out, text);
        break;
    case NOTE_SAY:
        putc('\n', out);
        put_wrapped(out, text, 0);
        break;
    case NOTE_EXPECT_OK:
        fputs("  holds: ", out);
        put_plain(out, text, strcspn(text, "\n"));
        putc('\n', out);
        break;
    case NOTE_EXPECT_FAILED: {
        struct site site = timeline_site(r->t, op->op.site);
        fprintf(out, "  EXPECTATION FAILED (%s:%u): ", site.file, site.line);
        put_plain(out, text, strcspn(text, "\n"));
        putc('\n', out);
        break;
    }
    case NOTE_ASK:
        put_question(out, text);
        break;
    default: /* an error: told on stderr */
        break;
    }
    r->after_note = true;
}

/* What the kernel prints when objects are misused: whose they are, and who had them. */
static void put_report(FILE *out, const struct machine *m, const struct event *ev,
                       int indent)
{
    const int len = report_format(NULL, 0, m, ev);
    char *text = len > 0 ? malloc((size_t)len + 1) : NULL;
    if (text) {
        report_format(text, (size_t)len + 1, m, ev);
        for (const char *line = text; line;) {
            const size_t n = strcspn(line, "\n");
            fprintf(out, "%*s|%s", indent + 2, "", n ? " " : "");
            put_plain(out, line, n);
            putc('\n', out);
            line = line[n] ? line + n + 1 : NULL;
        }
    }
    free(text);
}

static bool is_slab_report(uint16_t kind)
{
    return kind == EV_SLAB_WARN || kind == EV_SLAB_BUG || kind == EV_SLAB_LEAK ||
           kind == EV_SLUB_BUG || kind == EV_SLUB_FIX || kind == EV_SLUB_RESTORE;
}

static void text_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct runner *r = ctx;
    if (!runner_wants(r, ev)) {
        return;
    }
    char sentence[1024];
    event_explain(sentence, sizeof sentence, m, ev);
    uint32_t depth = ev->depth < 24 ? ev->depth : 24;
    fprintf(r->o->out, "%*s", (int)(2 * depth), "");
    put_plain(r->o->out, sentence, strlen(sentence));
    putc('\n', r->o->out);
    if (is_slab_report(ev->kind)) {
        put_report(r->o->out, m, ev, (int)(2 * depth));
    }
}

static void show_op(struct runner *r, const struct op_record *op, uint64_t at)
{
    char call[512];
    FILE *out = r->o->out;
    op_format(call, sizeof call, timeline_machine(r->t), &op->op, &op->result);
    if (r->after_note) {
        putc('\n', out);
        r->after_note = false;
    }
    if (op->op.cpu) {
        fprintf(out, "[CPU %u] ", op->op.cpu);
    }
    fprintf(out, "%s\n", call);
    if (r->o->events != RUN_EVENTS_NONE) {
        timeline_events(r->t, timeline_position(r->t).branch, at, text_event, r);
    }
}

/* How many operations has this line of the script issued since the last note? */
static uint64_t count_in_loop(struct runner *r, uint32_t site)
{
    uint32_t i = 0;
    while (i < r->nr_loop && r->loop[i].site != site) {
        i++;
    }
    if (i == RUN_LOOP_SITES) {
        return 0;
    }
    if (i == r->nr_loop) {
        r->loop[i].site = site;
        r->loop[i].nr = 0;
        r->nr_loop++;
    }
    return ++r->loop[i].nr;
}

static void end_loop(struct runner *r)
{
    if (r->skipped > 1) {
        fprintf(r->o->out,
                "... %" PRIu64 " more like these (--events=all shows all) ...\n",
                r->skipped - 1);
    }
    if (r->skipped) {
        show_op(r, &r->held_back, r->held_back_at);
    }
    r->skipped = 0;
    r->nr_loop = 0;
}

static void text_op(struct runner *r, const struct op_record *op, uint64_t at)
{
    if (r->o->events == RUN_EVENTS_ALL ||
        count_in_loop(r, op->op.site) <= RUN_LOOP_SHOWN) {
        show_op(r, op, at);
        return;
    }
    r->skipped++;
    r->held_back = *op;
    r->held_back_at = at;
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

static void text_end(struct runner *r, const char *status)
{
    FILE *out = r->o->out;
    end_loop(r);
    if (strcmp(status, "done") != 0) {
        fprintf(out, "\nended by %s\n",
                strcmp(status, "error") == 0 ? "an error" : "an interrupt");
    }
    fprintf(out,
            "\n%" PRIu64 " operation%s, %" PRIu64 " event%s, %" PRIu64
            " expectation%s held, %" PRIu64 " failed, digest %016" PRIx64 "\n",
            r->operations, plural(r->operations), r->events, plural(r->events), r->passed,
            plural(r->passed), r->failed, machine_digest(timeline_machine(r->t)));
}

static const struct run_printer text_printer = {
    .note = text_note, .op = text_op, .end = text_end};

/* ---- the loop ---- */

bool runner_wants(const struct runner *r, const struct event *ev)
{
    const struct event_info *info = event_info(ev->kind);
    return r->o->events == RUN_EVENTS_ALL || (info && info->level != EVENT_DETAIL);
}

/* What has been recorded since the last time. */
static void print_new(struct runner *r)
{
    struct position now = timeline_position(r->t);
    struct op_record op;
    for (; r->printed < now.op && timeline_op(r->t, now.branch, r->printed, &op);
         r->printed++) {
        if (op.op.kind == OP_NOTE) {
            r->printer->note(r, &op);
        } else {
            r->operations++;
            r->events += op.nr_events;
            r->printer->op(r, &op, r->printed);
        }
    }
}

static bool is_interrupted(const struct runner *r)
{
    return r->o->interrupted && r->o->interrupted(r->o->ctx);
}

/* Until the script has ended; answers how. */
static const char *run(struct runner *r)
{
    uint64_t stops = 0;
    while (true) {
        enum session_state state =
            session_advance(r->session, r->o->interrupted, r->o->ctx);
        print_new(r);
        if (ferror(r->o->out)) {
            return "interrupted"; /* nobody reads on */
        }
        switch (state) {
        case SESSION_DONE:
            return "done";
        case SESSION_ERROR:
            return "error";
        case SESSION_STOPPED:
            if (++stops > MAX_STOPS) {
                session_give_up(r->session, "the script computes for ever without an "
                                            "operation: does a loop not end?");
                return "error";
            }
            break;
        case SESSION_READY:
            stops = 0;
            break;
        }
        if (is_interrupted(r)) {
            return "interrupted";
        }
    }
}

static void tell_error(const struct runner *r)
{
    fflush(r->o->out);
    fprintf(r->o->err, "mmscope: %s\n", session_error(r->session));
    if (r->printer->error) {
        r->printer->error(r);
    }
}

static enum run_status finish(struct runner *r, const char *how)
{
    session_expectations(r->session, &r->passed, &r->failed);
    enum run_status status = r->failed ? RUN_EXPECTATION_FAILED : RUN_OK;
    if (strcmp(how, "error") == 0) {
        tell_error(r);
        status = RUN_SCRIPT_ERROR;
    } else if (strcmp(how, "interrupted") == 0) {
        status = RUN_INTERRUPTED;
    }
    r->printer->end(r, how);
    fflush(r->o->out);
    return status;
}

/* highmem= is the kernel's own parameter, and the kernel goes on without one that it
 * cannot use. */
static void warn_of_highmem(const struct runner *r)
{
    const struct machine *m = timeline_machine(r->t);
    const struct machine_config *c = &m->config;
    if (c->arch == ARCH_X86_64 || c->highmem_bytes == UINT64_MAX || !c->highmem_bytes) {
        return;
    }
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        if (zone_view(m, z).type == ZONE_HIGHMEM) {
            return;
        }
    }
    fprintf(r->o->err,
            "mmscope: highmem=%" PRIu64
            "M is ignored, as the kernel does: 64M or more of "
            "the memory must stay outside of HighMem\n",
            c->highmem_bytes >> 20);
}

enum run_status run_scenario(const char *path, const struct run_options *o)
{
    char err[8192] = "";
    struct runner r = {.o = o,
                       .printer = o->json ? &json_printer : &text_printer,
                       .json = {.out = o->out}};
    r.session = session_open(path, &o->session, err, sizeof err);
    if (!r.session) {
        fprintf(o->err, "mmscope: %s\n", err);
        return RUN_SCRIPT_ERROR;
    }
    r.t = session_timeline(r.session);
    warn_of_highmem(&r);
    if (r.printer->start) {
        r.printer->start(&r);
    }
    enum run_status status = finish(&r, run(&r));
    session_close(r.session);
    return status;
}
