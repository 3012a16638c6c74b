/* Sessions on disk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "keep.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "describe.h"
#include "folders.h"
#include "pane.h"
#include "popup.h"
#include "session_file.h"
#include "target.h"

/* ---- marks and breakpoints ---- */

/* The command that sets it; false: it goes with the program. */
static bool stop_command(const struct app *a, const struct stop *stop, char *buf,
                         size_t size)
{
    const char *verb = stop->temporary ? "tbreak" : "break";
    const unsigned long long what = stop->what;
    char target[160];
    int n = 0;
    switch (stop->kind) {
    case STOP_EVENT:
        n = snprintf(buf, size, "%s %s", verb, event_info((uint16_t)what)->name);
        break;
    case STOP_FUNCTION:
    case STOP_RETURN:
        n = snprintf(buf, size, "%s %s%s", verb, stop->kind == STOP_RETURN ? "-r " : "",
                     fn_info((uint16_t)what)->name);
        break;
    case STOP_LINE:
    case STOP_OP: /* from 0 in a file, as all its operations */
        n = snprintf(buf, size, "%s %s%llu", verb, stop->kind == STOP_OP ? "op " : "",
                     what);
        break;
    case STOP_PAGE:
        n = snprintf(buf, size, "watch 0x%llx", what);
        break;
    case STOP_CHANGE:
        target_format(a, &stop->watch, target, sizeof target);
        n = snprintf(buf, size, "watch %s", target);
        break;
    case STOP_VALUE:
        n = snprintf(buf, size, "watch %s", stop->text);
        break;
    default:
        return false;
    }
    if (*stop->condition && n > 0 && (size_t)n < size) {
        snprintf(buf + n, size - (size_t)n, " if %s", stop->condition);
    }
    return true;
}

char *keep_notes(const struct app *a)
{
    struct text_buf b = {0};
    char command[512];
    text_add(&b, "%s", "");
    for (int i = 0; i < a->nr_marks; i++) {
        const struct bookmark *m = &a->marks[i];
        text_add(&b, "mark %" PRIu32 " %" PRIu64 " %" PRIu64 " %s %s\n", m->at.branch,
                 m->at.op, m->at.event, m->name, m->note);
    }
    for (int i = 0; i < a->stops.nr; i++) {
        const struct stop *stop = &a->stops.list[i];
        if (!stop_command(a, stop, command, sizeof command)) {
            continue;
        }
        text_add(&b, "do %s\n", command);
        if (*stop->commands) {
            text_add(&b, "do commands $ %s\n", stop->commands);
        }
        if (!stop->enabled) {
            text_add(&b, "do disable $\n");
        }
    }
    return b.text;
}

static void take_mark(struct app *a, const char *line)
{
    struct bookmark m = {0};
    int at = 0;
    if (a->nr_marks < MAX_MARKS &&
        sscanf(line, "%" SCNu32 " %" SCNu64 " %" SCNu64 " %31s %n", &m.at.branch,
               &m.at.op, &m.at.event, m.name, &at) == 4) {
        snprintf(m.note, sizeof m.note, "%s", line + at);
        a->marks[a->nr_marks++] = m;
    }
}

/* "break op 0" of a file is "break op 1". */
static void from_file(const char *text, char *command, size_t size)
{
    uint64_t op;
    int verb = 0, rest = 0;
    if (sscanf(text, "%*[a-z] op%n %" SCNu64 "%n", &verb, &op, &rest) == 1 &&
        (!strncmp(text, "break ", 6) || !strncmp(text, "tbreak ", 7))) {
        snprintf(command, size, "%.*s %" PRIu64 "%s", verb, text, op_number(op),
                 text + rest);
    } else {
        snprintf(command, size, "%s", text);
    }
}

void keep_take_notes(struct app *a, const char *notes)
{
    char line[1024], command[1100];
    while (*notes) {
        const size_t len = strcspn(notes, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, notes);
        notes += len + (notes[len] == '\n');
        if (!strncmp(line, "mark ", 5)) {
            take_mark(a, line + 5);
        } else if (!strncmp(line, "do ", 3)) { /* $ is the breakpoint just set */
            const char *dollar = strchr(line, '$');
            if (dollar &&
                (!strncmp(line, "do commands", 11) || !strncmp(line, "do disable", 10))) {
                snprintf(command, sizeof command, "%.*s%d%s", (int)(dollar - line - 3),
                         line + 3, a->stops.last_number, dollar + 1);
            } else {
                from_file(line + 3, command, sizeof command);
            }
            command_run(a, command);
        }
    }
    a->message_kind = MESSAGE_NONE;
}

/* ---- the user's own commands ---- */

void keep_run_rc(struct app *a)
{
    char path[3100], line[1024], why[1400] = "";
    FILE *f = user_path(path, sizeof path, FOLDER_CONFIG, "rc") ? fopen(path, "r") : NULL;
    for (int number = 1; f && fgets(line, sizeof line, f); number++) {
        char *text = line + strspn(line, " \t");
        text[strcspn(text, "\n")] = 0;
        if (!*text || *text == '#') {
            continue;
        }
        a->message_kind = MESSAGE_NONE;
        command_run(a, text);
        popup_close(a);
        if (a->message_kind == MESSAGE_ERROR && !*why) {
            snprintf(why, sizeof why, "%.200s:%d: %.1000s", path, number, a->message);
        }
    }
    if (f) {
        fclose(f);
    }
    a->message_kind = MESSAGE_NONE;
    a->request = REQUEST_NONE;
    a->prompt_open = false;
    if (*why) {
        app_message(a, MESSAGE_ERROR, "%s", why);
    }
}

/* ---- saving ---- */

void keep_save(struct app *a, const char *path)
{
    char err[600];
    struct stat st;
    char *notes = keep_notes(a);
    if (notes && session_save(a->session, path, notes, err, sizeof err)) {
        app_message(a, MESSAGE_INFO, "Saved as %s, %lld bytes. mmscope %s opens it.",
                    path, stat(path, &st) ? 0LL : (long long)st.st_size, path);
    } else {
        app_message(a, MESSAGE_ERROR, "Not saved: %s", notes ? err : "out of memory");
    }
    free(notes);
}

/* ---- the copy that survives ---- */

static bool copy_path(char *buf, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "recovery-%ld.mmscope", (long)getpid());
    return user_path(buf, size, FOLDER_STATE, name);
}

/* A number that is another one when something was done, marked or set. */
static uint64_t stamp(const struct app *a)
{
    const struct position at = timeline_position(a->t);
    uint64_t n = at.op * 31 + at.event * 7 + at.branch;
    for (uint32_t i = 0; i < timeline_nr_branches(a->t); i++) {
        n = n * 1000003 + timeline_nr_ops(a->t, i);
    }
    return n * 8191 + (uint64_t)a->nr_marks * 67 + (uint64_t)a->stops.last_number * 131 +
           (uint64_t)a->stops.nr + 1;
}

bool keep_is_stale(const struct app *a)
{
    const struct position at = timeline_position(a->t);
    const bool anything = at.op || at.event || timeline_nr_ops(a->t, 0);
    return anything && a->kept_stamp != stamp(a);
}

void keep_copy(struct app *a)
{
    char path[3100], err[600];
    char *notes = keep_notes(a);
    a->kept_stamp = stamp(a);
    if (notes && copy_path(path, sizeof path)) {
        make_folders(path);
        session_save(a->session, path, notes, err, sizeof err);
    }
    free(notes);
}

void keep_remove(void)
{
    char path[3100];
    if (copy_path(path, sizeof path)) {
        unlink(path);
    }
}

/* Is a program of ours still at work under that number? Not when it is dead and its
 * parent has not asked (a zombie), and not when another program has the number by now.
 * Where there is no /proc, whoever has the number. */
static bool is_at_work(long pid)
{
    char path[64], line[512] = "", own[64] = "", name[64];
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
        return false;
    }
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const char *const files[] = {"/proc/self/comm", path};
    char *const texts[] = {own, line};
    const int sizes[] = {sizeof own, sizeof line};
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(files[i], "r");
        if (!f || !fgets(texts[i], sizes[i], f)) {
            texts[i][0] = 0;
        }
        if (f) {
            fclose(f);
        }
    }
    const char *open = strchr(line, '('), *shut = strrchr(line, ')');
    if (!*own || !open || !shut || shut[1] != ' ') {
        return true;
    }
    own[strcspn(own, "\n")] = 0;
    snprintf(name, sizeof name, "%.*s", (int)(shut - open - 1), open + 1);
    return !strcmp(name, own) && shut[2] != 'Z' && shut[2] != 'X';
}

/* The third line of a session file: title TEXT. */
static bool read_title(const char *path, char *title, size_t size)
{
    FILE *f = fopen(path, "r");
    char line[600] = "";
    bool found = false;
    for (int i = 0; f && i < 3 && fgets(line, sizeof line, f); i++) {
        if (!strncmp(line, "title ", 6)) {
            snprintf(title, size, "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
            found = true;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

char *keep_find(char *title, size_t title_size)
{
    char folder[3000], path[3400], best[3400] = "";
    time_t newest = 0;
    DIR *d = user_path(folder, sizeof folder, FOLDER_STATE, "") ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        long pid;
        int end = 0;
        struct stat st;
        if (sscanf(e->d_name, "recovery-%ld.mmscope%n", &pid, &end) != 1 || !end ||
            e->d_name[end] || pid <= 0 || is_at_work(pid)) {
            continue;
        }
        snprintf(path, sizeof path, "%s%s", folder, e->d_name);
        char text[200];
        if (!stat(path, &st) && st.st_mtime >= newest &&
            read_title(path, text, sizeof text)) {
            newest = st.st_mtime;
            snprintf(best, sizeof best, "%s", path);
            snprintf(title, title_size, "%s", text);
        }
    }
    if (d) {
        closedir(d);
    }
    return *best ? strdup(best) : NULL;
}
