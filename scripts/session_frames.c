/* The script's call stack at an operation and each frame's locals, from texts that the
 * timeline keeps: the traceback of the operation's place; locals, divided by "#n".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* The line of the traceback that is frame n, or NULL. */
static const char *frame_line(const char *stack, uint32_t n)
{
    for (const char *at = stack ? stack : ""; *at;
         at += strcspn(at, "\n"), at += *at == '\n') {
        /* "\t(...tail calls...)" and "\t..." are none */
        if (strncmp(at, "\t(...", 5) != 0 && strncmp(at, "\t...\n", 5) != 0 && !n--) {
            return at + (*at == '\t');
        }
    }
    return NULL;
}

/* "upvalue 'take'" is take(), "function <small.lua:23>" and "main chunk" stay. */
static void take_name(struct script_frame *f, const char *what, size_t len)
{
    const char *quote = memchr(what, '\'', len);
    if (quote && what[len - 1] == '\'' && quote < what + len - 1) {
        const bool meta = strncmp(what, "metamethod", 10) == 0;
        snprintf(f->name, sizeof f->name, "%s%.*s()", meta ? "metamethod " : "",
                 (int)(what + len - 2 - quote), quote + 1);
    } else {
        snprintf(f->name, sizeof f->name, "%.*s", (int)len, what);
    }
}

/* "file:line: in what" or "[C]: in what"; the file's name may have colons in it. */
static bool parse_frame(struct script_frame *f, const char *text)
{
    const size_t len = strcspn(text, "\n");
    const char *in = NULL;
    for (const char *at = text; at + 5 <= text + len && !in; at++) {
        in = strncmp(at, ": in ", 5) == 0 ? at : NULL;
    }
    if (!in) {
        return false;
    }
    const char *digits = in, *end = in;
    while (digits > text && digits[-1] >= '0' && digits[-1] <= '9') {
        digits--;
    }
    if (digits < in && digits > text && digits[-1] == ':') {
        f->line = (uint32_t)strtoul(digits, NULL, 10);
        end = digits - 1;
    }
    snprintf(f->file, sizeof f->file, "%.*s", (int)(end - text), text);
    take_name(f, in + 5, (size_t)(text + len - (in + 5)));
    return true;
}

static void find_locals(struct script_frame *f, const char *text, uint32_t n)
{
    char head[16];
    const int len = snprintf(head, sizeof head, "#%u\n", n);
    while (n && *text && strncmp(text, head, (size_t)len) != 0) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    f->locals = text + (n && *text ? len : 0);
    const char *end = f->locals;
    while (*end && *end != '#') {
        end += strcspn(end, "\n");
        end += *end == '\n';
    }
    f->locals_len = (size_t)(end - f->locals);
}

bool session_frame(const struct session *s, uint32_t branch, uint64_t op, uint32_t n,
                   struct script_frame *f)
{
    struct op_record r;
    *f = (struct script_frame){.locals = ""};
    if (!timeline_op(s->timeline, branch, op, &r)) {
        return false;
    }
    const struct site site = timeline_site(s->timeline, r.op.site);
    const char *line = frame_line(site.stack, n);
    if (!line || !parse_frame(f, line)) {
        return false;
    }
    find_locals(f, timeline_locals(s->timeline, branch, op), n);
    return true;
}

uint32_t session_nr_frames(const struct session *s, uint32_t branch, uint64_t op)
{
    struct op_record r;
    uint32_t n = 0;
    if (timeline_op(s->timeline, branch, op, &r)) {
        const struct site site = timeline_site(s->timeline, r.op.site);
        while (frame_line(site.stack, n)) {
            n++;
        }
    }
    return n;
}

void session_select_frame(struct session *s, uint32_t n) { s->frame = n; }
