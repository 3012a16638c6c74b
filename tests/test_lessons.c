/* Every lesson: it loads, runs to its end, and its claims hold; and from anywhere in it
 * one can go back, do something else and go on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lessons.h"
#include "session.h"
#include "tap.h"

static enum session_state run(struct session *s)
{
    enum session_state state;
    do {
        state = session_advance(s, NULL, NULL);
    } while (state == SESSION_READY || state == SESSION_STOPPED);
    return state;
}

static void try_lesson(const struct lesson *l)
{
    char err[4096] = "";
    ok(l->title[0] && l->summary[0], "%s has a title and a summary: %s", l->name,
       l->summary);
    struct session *s = session_open(l->path, NULL, err, sizeof err);
    if (!ok(s != NULL, "%s opens: %s", l->name, err)) {
        return;
    }
    struct timeline *t = session_timeline(s);
    uint64_t passed, failed;
    is_u64(run(s), SESSION_DONE, "%s runs to its end: %s", l->name, session_error(s));
    session_expectations(s, &passed, &failed);
    is_u64(failed, 0, "%s: no claim fails", l->name);
    ok(passed >= 10, "%s: %u claims", l->name, (unsigned)passed);
    ok(!machine_check(timeline_machine(t)) && !timeline_check(t), "%s: invariants hold",
       l->name);

    /* Questions can be shown, narration is not empty. */
    struct op_record r;
    uint64_t end = timeline_nr_ops(t, 0), questions = 0, wrong = 0;
    for (uint64_t i = 0; i < end && timeline_op(t, 0, i, &r); i++) {
        if (r.op.kind == OP_NOTE && r.op.arg[0] == NOTE_ASK) {
            struct question q;
            char copy[4096];
            questions++;
            wrong += !session_parse_question(timeline_string(t, (uint32_t)r.op.arg[1]),
                                             copy, &q);
        }
    }
    ok(questions >= 2 && !wrong, "%s: %u questions", l->name, (unsigned)questions);

    uint64_t digest = machine_digest(timeline_machine(t));
    for (uint64_t at = 0; at <= end; at += end / 3) {
        timeline_seek(t, (struct position){0, at, 0});
        char *out;
        bool good = session_console(s, "drain_all_pages()", &out);
        ok(good, "%s: an operation of the user's at %u: %s", l->name, (unsigned)at, out);
        free(out);
        enum session_state state = run(s);
        ok(state == SESSION_DONE, "%s: it goes on: %s", l->name, session_error(s));
    }
    timeline_seek(t, (struct position){0, end, 0});
    is_hex(machine_digest(timeline_machine(t)), digest, "%s: what was is still there",
           l->name);
    session_close(s);
}

int main(void)
{
    struct lessons list = lessons_load();
    ok(list.nr >= 25, "%u lessons in %s", (unsigned)list.nr, list.dir);
    for (size_t i = 0; i < list.nr; i++) {
        try_lesson(&list.at[i]);
    }
    char err[512];
    char *path = lesson_find("1", err, sizeof err);
    ok(path && strstr(path, "/01-"), "lesson 1 by its number");
    free(path);
    path = lesson_find("zones", err, sizeof err);
    ok(path && strstr(path, "/03-zones-and-watermarks.lua"), "by a part of its name");
    free(path);
    path = lesson_find("nowhere", err, sizeof err);
    ok(!path && strstr(err, "mmscope list"), "no such lesson: %s", err);
    path = lesson_find("a", err, sizeof err);
    ok(!path && strstr(err, "several"), "too many: %s", err);
    path = lesson_find("./x.lua", err, sizeof err);
    is_str(path, "./x.lua", "a file as it stands");
    free(path);
    lessons_free(&list);
    return done_testing();
}
