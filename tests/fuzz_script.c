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

/* False: that is no scenario. */
static bool run(const char *text)
{
    char err[512];
    struct session *s = session_open_text("fuzz", text, NULL, err, sizeof err);
    if (!s) {
        return false;
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
    return true;
}

/* The text as the body of a run function, on one of two machines. */
static bool run_body(const char *text, bool slub)
{
    static const char before[] = "return lesson { machine = { ram = '32M', highmem = "
                                 "'0', cpus = 2, slab = '%s' }, run = function() %s\n"
                                 "end }";
    const size_t room = strlen(text) + sizeof before + 40;
    char *whole = malloc(room);
    bool opened = true;
    if (whole) {
        snprintf(whole, room, before, slub ? "slub', slub_debug = 'FZPU" : "slab", text);
        opened = run(whole);
    }
    free(whole);
    return opened;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool opens;
    if (!opens && !(run_body("", false) && run_body("", true))) {
        fprintf(stderr, "the machines do not start: nothing would be tested\n");
        abort();
    }
    opens = true;
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = 0;
    run(text);
    run_body(text, size & 1);
    free(text);
    return 0;
}
