/* mmscope: from the command line to a subcommand.
 *
 *     mmscope                      the menu          = mmscope open
 *     mmscope FILE.lua | LESSON    a scenario        = mmscope open FILE.lua
 *     mmscope SUBCOMMAND ...       see subcommands.def
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "subcommands.h"
#include "version.h"

/* A word that is no subcommand: is it meant as a file or a lesson ("01", "02-pcp",
 * "x.lua", "./x")? */
static bool looks_like_scenario(const char *word)
{
    return strpbrk(word, "./0123456789") != NULL;
}

static int unknown_subcommand(const char *word)
{
    struct nearest near = {0};
    for (size_t i = 0; subcommand_info(i); i++) {
        nearest_try(&near, word, subcommand_info(i)->name);
    }
    if (near.word) {
        return trouble("there is no subcommand %s: did you mean mmscope %s?", word,
                       near.word);
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
    const struct subcommand *c = argc ? subcommand_find(argv[0]) : NULL;
    if (o->value[OPT_VERSION]) {
        printf("mmscope " MMSCOPE_VERSION "\n"
               "Licence GPL-3.0-or-later; this program comes with no warranty.\n");
        return EXIT_OK;
    }
    if (c) {
        argc--;
        argv++;
    } else if (argc && !looks_like_scenario(argv[0])) {
        return unknown_subcommand(argv[0]);
    } else if (!o->value[OPT_HELP]) {
        c = subcommand_find("open");
    }
    if (o->value[OPT_HELP] || !c) {
        print_help(c);
        return EXIT_OK;
    }
    const struct option_info *stray = stray_option(o, c->name);
    if (stray) {
        return trouble("--%s is no option of mmscope %s, but of: %s", stray->name,
                       c->name, stray->subcommands);
    }
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
    if (fflush(stdout) || ferror(stdout)) {
        return trouble("the output could not be written: is the disk full?");
    }
    return status;
}
