/* Any text as a scenario: as it stands, and as the body of a run function; some steps, a
 * step back, a line at the console, some steps again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { MOST_STEPS = 60, MOST_ASKED = 100 };

static bool soon(void *ctx) { return ++*(int *)ctx > MOST_ASKED; }

static void steps(struct session *s)
{
    int asked = 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        if (session_advance(s, soon, &asked) != SESSION_READY) {
            break;
        }
    }
    (void)session_error(s);
}

static void check(struct session *s)
{
    const char *broken = timeline_check(session_timeline(s));
    broken = broken ? broken : machine_check(timeline_machine(session_timeline(s)));
    if (broken || strstr(session_error(s), "bug of mmscope")) {
        fprintf(stderr, "%s%s\n", broken ? broken : "", session_error(s));
        abort();
    }
}

static void run(const char *text)
{
    char err[512];
    struct session *s = session_open_text("fuzz", text, NULL, err, sizeof err);
    if (!s) {
        return;
    }
    struct timeline *t = session_timeline(s);
    steps(s);
    check(s);
    timeline_seek(t, (struct position){0, timeline_nr_ops(t, 0) / 2, 1});
    char *out;
    session_console(s, "alloc_pages(GFP_ATOMIC, 1)", &out);
    free(out);
    steps(s);
    check(s);
    session_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char before[] = "return lesson { machine = { ram = '16M', highmem = "
                                 "'0', cpus = 2 }, run = function() ";
    static const char after[] = "\nend }";
    char *text = malloc(size + sizeof before + sizeof after);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = 0;
    run(text);
    size_t len = strlen(text);
    memmove(text + sizeof before - 1, text, len + 1);
    memcpy(text, before, sizeof before - 1);
    memcpy(text + sizeof before - 1 + len, after, sizeof after);
    run(text);
    free(text);
    return 0;
}
