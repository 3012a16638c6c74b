/* Every event explains itself: each kind that happens in the lessons yields one sentence
 * with its numbers, and nothing of the table's own notation is left in it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "session.h"
#include "tap.h"

static bool seen[NR_EVENTS];
static uint64_t nr_events;

/* What is wrong with a sentence, or NULL. */
static const char *fault_of(const char *s)
{
    const size_t len = strlen(s);
    if (len < 10) {
        return "it says nothing";
    }
    if (!strchr(".?!)", s[len - 1])) {
        return "it has no end";
    }
    if (strpbrk(s, "{}%\n\t") || strstr(s, "  ")) {
        return "a rest of the table is in it";
    }
    if (strstr(s, "-in-") || strstr(s, "EV_") || strstr(s, "FREELIST_")) {
        return "a bare name of an enumeration is in it";
    }
    for (const char *at = s; (at = strstr(at, " 1 ")) != NULL; at++) {
        static const char *const plurals[] = {"pages",   "blocks", "objects", "slabs",
                                              "entries", "bytes",  "times",   "elements"};
        for (size_t i = 0; i < sizeof plurals / sizeof plurals[0]; i++) {
            const size_t n = strlen(plurals[i]);
            if (!strncmp(at + 3, plurals[i], n) && !isalpha((unsigned char)at[3 + n])) {
                return "one of many";
            }
        }
    }
    return NULL;
}

static void look(void *ctx, struct machine *m, const struct event *ev)
{
    char text[600];
    const char *lesson = ctx;
    event_explain(text, sizeof text, m, ev);
    const char *fault = fault_of(text);
    nr_events++;
    if (!seen[ev->kind] || fault) {
        if (!ok(!fault, "%s: %s", event_info(ev->kind)->name, fault ? fault : text)) {
            diag("%s: %s", lesson, text);
        }
    }
    seen[ev->kind] = true;
}

/* Each operation's events; of the many alike ones of a workload only the first. */
static void read_lesson(const char *path)
{
    enum { MOST_OPS = 1500 };
    char err[600];
    struct session *s =
        session_open(path, &(struct session_options){.seed = 0}, err, sizeof err);
    if (!ok(s != NULL, "%s", path)) {
        diag("%s", err);
        return;
    }
    struct timeline *t = session_timeline(s);
    for (uint64_t op = 0; op < MOST_OPS; op++) {
        while (op >= timeline_nr_ops(t, 0) && session_state(s) == SESSION_READY) {
            session_advance(s, NULL, NULL);
        }
        if (op >= timeline_nr_ops(t, 0)) {
            break;
        }
        timeline_events(t, 0, op, look, (void *)(uintptr_t)path);
    }
    session_close(s);
}

int main(void)
{
    const char *source = getenv("MMSCOPE_SOURCE");
    char pattern[4000];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/lessons/[0-9]*.lua", source ? source : ".");
    if (!ok(!glob(pattern, 0, NULL, &found), "lessons in %s", pattern)) {
        return done_testing();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        read_lesson(found.gl_pathv[i]);
    }
    globfree(&found);
    unsigned kinds = 0;
    for (int i = 0; i < NR_EVENTS; i++) {
        kinds += seen[i];
    }
    diag("%u kinds of %u, %llu events", kinds, (unsigned)NR_EVENTS - 1,
         (unsigned long long)nr_events);
    return done_testing();
}
