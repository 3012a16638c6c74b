/* Scenarios in tests: a body of Lua is run as a lesson, and what it did can be asked.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

#include "session.h"
#include "tap.h"

struct story {
    struct session *session; /* NULL: it was not opened */
    enum session_state state;
    char err[4096];  /* of opening or of running */
    char say[65536]; /* all that was said, a line each */
};

enum { STORY_MOST_STOPS = 2 };

static inline bool story_open(struct story *s, const char *text,
                              const struct session_options *o)
{
    memset(s, 0, sizeof *s);
    s->session = session_open_text("story.lua", text, o, s->err, sizeof s->err);
    return s->session != NULL;
}

/* Notes from operation `from` on. */
static inline void story_collect(struct story *s, uint64_t from)
{
    struct timeline *t = session_timeline(s->session);
    struct position now = timeline_position(t);
    struct op_record r;
    size_t len = 0;
    s->say[0] = 0;
    for (uint64_t i = from; i < now.op && timeline_op(t, now.branch, i, &r); i++) {
        if (r.op.kind == OP_NOTE && r.op.arg[0] == NOTE_SAY && len < sizeof s->say - 1) {
            const char *text = timeline_string(t, (uint32_t)r.op.arg[1]);
            len += (size_t)snprintf(s->say + len, sizeof s->say - len, "%s%s",
                                    len ? "\n" : "", text);
        }
    }
}

/* To the end, an error, or until it has stopped a few times. */
static inline enum session_state story_run(struct story *s)
{
    int stops = 0;
    do {
        s->state = session_advance(s->session, NULL, NULL);
        stops += s->state == SESSION_STOPPED;
    } while (s->state == SESSION_READY ||
             (s->state == SESSION_STOPPED && stops < STORY_MOST_STOPS));
    snprintf(s->err, sizeof s->err, "%s", session_error(s->session));
    story_collect(s, 0);
    return s->state;
}

static inline void story_close(struct story *s)
{
    if (s->session) {
        session_close(s->session);
    }
    s->session = NULL;
}

/* A body as the run function of a lesson on a small machine. */
static inline bool story_open_body(struct story *s, const char *body,
                                   const struct session_options *o)
{
    static char text[65536];
    snprintf(text, sizeof text,
             "return lesson { machine = { arch = \"i386\", ram = \"32M\", highmem = "
             "\"0\", cpus = 2 }, "
             "run = function() %s\nend }",
             body);
    return story_open(s, text, o);
}

static inline enum session_state story_body(struct story *s, const char *body)
{
    if (!story_open_body(s, body, NULL)) {
        return s->state = SESSION_ERROR;
    }
    return story_run(s);
}

#endif
