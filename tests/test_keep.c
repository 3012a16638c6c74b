/* The copy of a session that survives kill -9: offered when its program is dead, also one
 * that its parent has not asked about, and not while it is at work.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keep.h"
#include "tap.h"

static const char script[] = "return lesson {\n"
                             "    title = 'Kept',\n"
                             "    machine = { arch = 'i386', ram = '32M' },\n"
                             "    run = function() alloc_pages(GFP_KERNEL, 3) end,\n"
                             "}\n";

/* The program that dies: it keeps a copy, says so, and waits for its end. */
static void victim(int out)
{
    char err[300];
    struct app a;
    struct session *s = session_open_text(
        "kept.lua", script, &(struct session_options){.seed = 1}, err, sizeof err);
    if (s) {
        app_init(&a, s, GLYPHS_ASCII);
        app_command(&a, "continue");
        const bool stale = keep_is_stale(&a);
        keep_copy(&a);
        const char says = stale && !keep_is_stale(&a) ? 'y' : 'n';
        if (write(out, &says, 1) == 1) {
            pause();
        }
    }
    _exit(1);
}

int main(void)
{
    char folder[] = "/tmp/mmscope-keep-XXXXXX", title[200] = "", says = 0;
    int out[2];
    if (!mkdtemp(folder) || pipe(out)) {
        return 1;
    }
    setenv("XDG_STATE_HOME", folder, 1);
    ok(!keep_find(title, sizeof title), "nothing is kept yet");
    const pid_t pid = fork();
    if (!pid) {
        victim(out[1]);
    }
    ok(read(out[0], &says, 1) == 1 && says == 'y', "a session is kept as it changes");
    ok(!keep_find(title, sizeof title), "not offered while its program is at work");
    kill(pid, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT); /* dead, and still a zombie */
    char *path = keep_find(title, sizeof title);
    ok(path != NULL, "offered when it was killed, before its parent has asked");
    is_str(title, "Kept", "by its title");
    free(path);
    waitpid(pid, NULL, 0);
    path = keep_find(title, sizeof title);
    char err[300];
    struct session *s =
        path ? session_open(path, &(struct session_options){.seed = 0}, err, sizeof err)
             : NULL;
    ok(s && timeline_nr_ops(session_timeline(s), 0) > 0, "and whole");
    session_close(s);
    if (path) {
        unlink(path);
    }
    ok(!keep_find(title, sizeof title), "once");
    free(path);

    /* another program has the number by now: init, whoever that is */
    char text[300];
    snprintf(text, sizeof text, "%s/mmscope/recovery-1.mmscope", folder);
    FILE *f = fopen(text, "w");
    if (f) {
        fprintf(f, "mmscope session 1\n# x\ntitle Old\n");
        fclose(f);
    }
    path = keep_find(title, sizeof title);
    ok(path && !strcmp(title, "Old"), "a number that another program has is nobody's");
    free(path);
    unlink(text);
    snprintf(text, sizeof text, "%s/mmscope", folder);
    rmdir(text);
    rmdir(folder);
    return done_testing();
}
