/* mmscope show: the tables that the program is made from, or a lesson, as text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "lessons.h"
#include "subcommands.h"
#include "topics.h"

enum { SHOW_WIDTH = 80, MAX_LESSON_BYTES = 1 << 24 };

static void show_topic(const struct topic *t)
{
    struct topic_row row;
    for (size_t i = 0; t->row(i, &row); i++) {
        printf("%s%s%s%s\n", row.head, row.note[0] ? "  (" : "", row.note,
               row.note[0] ? ")" : "");
        print_wrapped(row.text, 4, SHOW_WIDTH);
    }
}

/* The file as it is: redirected, it is the beginning of a scenario of one's own. */
static int show_lesson(const char *word)
{
    char err[512];
    char *path = lesson_find(word, err, sizeof err);
    if (!path) {
        struct nearest near = {0};
        for (size_t i = 0; topic_info(i); i++) {
            nearest_try(&near, word, topic_info(i)->name);
        }
        return near.word
                   ? trouble("there is no topic %s: did you mean %s?", word, near.word)
                   : trouble(
                         "%s is no topic (mmscope show lists them), and no lesson: %s",
                         word, err);
    }
    size_t size;
    char *text = host_read_file(path, MAX_LESSON_BYTES, &size, err, sizeof err);
    free(path);
    if (!text) {
        return trouble("%s", err);
    }
    fwrite(text, 1, size, stdout);
    free(text);
    return EXIT_OK;
}

int cmd_show(const struct options *o, int argc, char **argv)
{
    (void)o;
    if (argc > 1) {
        return trouble("show prints one topic at a time: mmscope show %s", argv[0]);
    }
    if (!argc) {
        for (size_t i = 0; topic_info(i); i++) {
            printf("%-12s %s\n", topic_info(i)->name, topic_info(i)->what);
        }
        printf("%-12s %s\n", "LESSON",
               "a lesson's Lua text, by name or number (mmscope list)");
        return EXIT_OK;
    }
    const struct topic *t = topic_find(argv[0]);
    if (!t) {
        return show_lesson(argv[0]);
    }
    show_topic(t);
    return EXIT_OK;
}
