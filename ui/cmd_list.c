/* mmscope list: the lessons in teaching order.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "lessons.h"
#include "subcommands.h"

enum { LIST_WIDTH = 80 };

int cmd_list(const struct options *o, int argc, char **argv)
{
    (void)o;
    if (argc) {
        return trouble("list takes no argument: %s is one too many", argv[0]);
    }
    struct lessons lessons = lessons_load();
    int status = EXIT_OK;
    for (size_t i = 0; i < lessons.nr; i++) {
        printf("%s  %s\n", lessons.at[i].name, lessons.at[i].title);
        print_wrapped(lessons.at[i].summary, 4, LIST_WIDTH);
    }
    if (!lessons.nr) {
        status =
            trouble("there are no lessons in %s: set MMSCOPE_LESSONS to where they are",
                    lessons.dir ? lessons.dir : "the usual places");
    }
    lessons_free(&lessons);
    return status;
}
