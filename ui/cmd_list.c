/* mmscope list: the lessons in teaching order.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "subcommands.h"

int cmd_list(const struct options *o, int argc, char **argv)
{
    (void)o;
    if (argc) {
        return trouble("list takes no argument: %s is one too many", argv[0]);
    }
    return EXIT_OK;
}
