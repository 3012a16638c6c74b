/* mmscope: from the command line to a subcommand.
 *
 *     mmscope                      the menu          = mmscope open
 *     mmscope FILE.lua | LESSON    a scenario        = mmscope open FILE.lua
 *     mmscope SUBCOMMAND ...       see subcommands.def
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lessons.h"
#include "source.h"
#include "subcommands.h"
#include "version.h"

/* Is a word that is no subcommand meant as a scenario? A file ("x.lua", "./x"), a
 * lesson's number ("01"), or, where no subcommand is near, a part of a lesson's name
 * ("watermark"). */
static bool names_scenario(const char *word, const char *near)
{
    if (strpbrk(word, "./0123456789") || strcmp(word, "sandbox") == 0) {
        return true;
    }
    if (near) {
        return false;
    }
    char err[512];
    char *path = lesson_find(word, err, sizeof err);
    free(path);
    return path != NULL;
}

static int unknown_subcommand(const char *word, const char *near)
{
    if (near) {
        return trouble("there is no subcommand %s: did you mean mmscope %s?", word, near);
    }
    return trouble(
        "%s is neither a subcommand nor a Lua file: mmscope --help lists the subcommands",
        word);
}

/* The first option that was given and that the subcommand does not take. */
static const struct option_info *stray_option(const struct options *o,
                                              const char *subcommand)
{
    for (size_t i = 0; option_info(i); i++) {
        if (o->value[i] && !option_applies(option_info(i), subcommand)) {
            return option_info(i);
        }
    }
    return NULL;
}

static int dispatch(const struct options *o, int argc, char **argv)
{
    if (o->value[OPT_VERSION]) {
        printf("mmscope " MMSCOPE_VERSION "\n"
               "Licence GPL-3.0-or-later; this program comes with no warranty.\n");
        return EXIT_OK;
    }
    const struct subcommand *c = argc ? subcommand_find(argv[0]) : NULL;
    if (c) {
        argc--;
        argv++;
    } else if (argc) {
        struct nearest near = {0};
        for (size_t i = 0; subcommand_info(i); i++) {
            nearest_try(&near, argv[0], subcommand_info(i)->name);
        }
        if (!names_scenario(argv[0], near.word)) {
            return unknown_subcommand(argv[0], near.word);
        }
        c = subcommand_find("open");
    }
    if (o->value[OPT_HELP]) {
        print_help(c);
        return EXIT_OK;
    }
    if (!c) {
        c = subcommand_find("open");
    }
    const struct option_info *stray = stray_option(o, c->name);
    if (stray) {
        return trouble("--%s is no option of mmscope %s, but of: %s", stray->name,
                       c->name, stray->subcommands);
    }
    source_set_tree(o->value[OPT_KERNEL_SRC]);
    return c->run(o, argc, argv);
}

int main(int argc, char **argv)
{
    /* Characters as the terminal has them; numbers stay with a point in every language.
     */
    setlocale(LC_CTYPE, "");
    struct options o;
    int first = options_parse(&o, argc, argv);
    if (first < 0) {
        return EXIT_TROUBLE;
    }
    int status = dispatch(&o, argc - first, argv + first);
    errno = 0;
    if (fflush(stdout) || ferror(stdout)) {
        return trouble("the output could not be written: %s",
                       errno ? strerror(errno) : "is the disk full?");
    }
    return status;
}
