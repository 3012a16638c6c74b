/* Finding the lessons' files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE
#include "lessons.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "session.h"

#ifndef LESSONS_INSTALLED
#define LESSONS_INSTALLED "/usr/local/share/mmscope/lessons"
#endif
#ifndef LESSONS_SOURCE
#define LESSONS_SOURCE ""
#endif
#ifndef LESSONS_BUILD
#define LESSONS_BUILD ""
#endif

enum { PATH_ROOM = 4096 };

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The directory of the running program; "" when the host does not say. */
static void program_dir(char *buf, size_t size)
{
    buf[0] = 0;
    ssize_t len = readlink("/proc/self/exe", buf, size - 1);
    if (len <= 0) {
        buf[0] = 0;
        return;
    }
    buf[len] = 0;
    char *slash = strrchr(buf, '/');
    if (slash) {
        *slash = 0;
    }
}

static char *lessons_dir(void)
{
    const char *env = getenv("MMSCOPE_LESSONS");
    if (env && *env) {
        return buffer_copy_string(env);
    }
    char dir[PATH_ROOM], path[PATH_ROOM + 64];
    program_dir(dir, sizeof dir);
    size_t build_len = strlen(LESSONS_BUILD);
    if (build_len && strncmp(dir, LESSONS_BUILD, build_len) == 0 &&
        (dir[build_len] == '/' || !dir[build_len]) && is_dir(LESSONS_SOURCE)) {
        return buffer_copy_string(LESSONS_SOURCE);
    }
    snprintf(path, sizeof path, "%s/../share/mmscope/lessons", dir);
    if (dir[0] && is_dir(path)) {
        return buffer_copy_string(path);
    }
    return buffer_copy_string(LESSONS_INSTALLED);
}

static bool is_lesson_name(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && name[0] >= '0' && name[0] <= '9' &&
           strcmp(name + len - 4, ".lua") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct lesson *)a)->name, ((const struct lesson *)b)->name);
}

static bool add_lesson(struct lessons *l, const char *file)
{
    struct lesson *at = realloc(l->at, (l->nr + 1) * sizeof *at);
    if (!at) {
        return false;
    }
    l->at = at;
    char path[PATH_ROOM * 2], title[256] = "", summary[512] = "";
    snprintf(path, sizeof path, "%s/%s", l->dir, file);
    session_describe(path, title, sizeof title, summary, sizeof summary);
    struct lesson *new = &at[l->nr];
    *new = (struct lesson){.path = buffer_copy_string(path),
                           .name = buffer_copy_string(file),
                           .title = buffer_copy_string(title),
                           .summary = buffer_copy_string(summary)};
    if (!new->path || !new->name || !new->title || !new->summary) {
        free(new->path);
        free(new->name);
        free(new->title);
        free(new->summary);
        return false;
    }
    new->name[strlen(file) - 4] = 0;
    l->nr++;
    return true;
}

struct lessons lessons_load(void)
{
    struct lessons l = {.dir = lessons_dir()};
    DIR *d = l.dir ? opendir(l.dir) : NULL;
    if (!d) {
        return l;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (is_lesson_name(e->d_name) && !add_lesson(&l, e->d_name)) {
            break;
        }
    }
    closedir(d);
    if (l.nr) {
        qsort(l.at, l.nr, sizeof *l.at, by_name);
    }
    return l;
}

void lessons_free(struct lessons *l)
{
    for (size_t i = 0; i < l->nr; i++) {
        free(l->at[i].path);
        free(l->at[i].name);
        free(l->at[i].title);
        free(l->at[i].summary);
    }
    free(l->at);
    free(l->dir);
    *l = (struct lessons){0};
}

/* Does the word mean this lesson? 2: exactly; 1: it is its number or a part of its name.
 */
static int lesson_matches(const struct lesson *l, const char *word)
{
    if (strcmp(l->name, word) == 0) {
        return 2;
    }
    if (word[strspn(word, "0123456789")] == 0) {
        return strtol(word, NULL, 10) == strtol(l->name, NULL, 10) ? 2 : 0;
    }
    return strstr(l->name, word) != NULL;
}

char *lesson_find(const char *word, char *err, size_t err_size)
{
    if (strcmp(word, "-") == 0) {
        word = "/dev/stdin";
    }
    size_t len = strlen(word);
    if (strchr(word, '/') || (len > 4 && strcmp(word + len - 4, ".lua") == 0) ||
        access(word, F_OK) == 0) {
        char *copy = buffer_copy_string(word);
        if (!copy) {
            snprintf(err, err_size, "out of memory");
        }
        return copy;
    }
    struct lessons l = lessons_load();
    const struct lesson *found = NULL;
    int best = 0;
    bool two = false;
    for (size_t i = 0; i < l.nr && *word; i++) {
        int match = lesson_matches(&l.at[i], word);
        if (match > best) {
            best = match;
            found = &l.at[i];
            two = false;
        } else if (match && match == best) {
            two = true;
        }
    }
    char *path = NULL;
    if (!l.nr) {
        snprintf(err, err_size,
                 "%s: no lessons in %s: set MMSCOPE_LESSONS to their directory", word,
                 l.dir ? l.dir : "memory");
    } else if (!found) {
        snprintf(
            err, err_size,
            "%s: no lesson of this name and no file: `mmscope list` lists the lessons",
            word);
    } else if (two) {
        snprintf(err, err_size,
                 "%s: several lessons have this in their name: give the number", word);
    } else if (!(path = buffer_copy_string(found->path))) {
        snprintf(err, err_size, "out of memory");
    }
    lessons_free(&l);
    return path;
}
