/* mmscope show: the tables that the program is made from, or a lesson, as text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "subcommands.h"
#include "topics.h"

enum { SHOW_WIDTH = 80 };

static void show_topic(const struct topic *t)
{
    struct topic_row row;
    for (size_t i = 0; t->row(i, &row); i++) {
        printf("%s%s%s%s\n", row.head, row.note[0] ? "  (" : "", row.note,
               row.note[0] ? ")" : "");
        print_wrapped(row.text, 4, SHOW_WIDTH);
    }
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
        return EXIT_OK;
    }
    const struct topic *t = topic_find(argv[0]);
    if (!t) {
        struct nearest near = {0};
        for (size_t i = 0; topic_info(i); i++) {
            nearest_try(&near, argv[0], topic_info(i)->name);
        }
        return near.word
                   ? trouble("there is no topic %s: did you mean %s?", argv[0], near.word)
                   : trouble("there is no topic %s: mmscope show lists them", argv[0]);
    }
    show_topic(t);
    return EXIT_OK;
}
