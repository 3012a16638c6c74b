/* mmscope show: the tables that the program is made from, as text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "subcommands.h"

enum { SHOW_WIDTH = 80 };

static void show_events(void)
{
    static const char *const levels[] = {"step", "detail", "report"};
    static const struct {
        const char *name, *args, *sentence;
        enum event_level level;
    } rows[] = {
#define EVENT(id, name, level, args, sentence) {name, args, sentence, EVENT_##level},
#include "events.def"
#undef EVENT
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("%s (%s) %s\n", rows[i].name, levels[rows[i].level], rows[i].args);
        print_wrapped(rows[i].sentence, 4, SHOW_WIDTH);
    }
}

static void show_functions(void)
{
    static const struct {
        const char *name, *file, *args, *sentence;
    } rows[] = {
#define FUNCTION(name, file, args, sentence) {#name, file, args, sentence},
#include "functions.def"
#undef FUNCTION
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("%s (%s) %s\n", rows[i].name, rows[i].file, rows[i].args);
        print_wrapped(rows[i].sentence, 4, SHOW_WIDTH);
    }
}

static void show_operations(void)
{
    static const struct {
        const char *name, *args, *result, *sentence;
    } rows[] = {
#define OP(id, name, args, result, sentence) {name, args, result, sentence},
#include "ops.def"
#undef OP
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("%s%s%s%s%s\n", rows[i].name, rows[i].args[0] ? " " : "", rows[i].args,
               strcmp(rows[i].result, "-") ? " -> " : "",
               strcmp(rows[i].result, "-") ? rows[i].result : "");
        print_wrapped(rows[i].sentence, 4, SHOW_WIDTH);
    }
}

static void show_options(void)
{
    for (size_t i = 0; option_info(i); i++) {
        const struct option_info *info = option_info(i);
        printf("--%s%s%s (%s)\n", info->name, info->arg[0] ? "=" : "", info->arg,
               strcmp(info->subcommands, "*") ? info->subcommands : "all subcommands");
        print_wrapped(info->meaning, 4, SHOW_WIDTH);
    }
}

static void show_subcommands(void)
{
    for (size_t i = 0; subcommand_info(i); i++) {
        const struct subcommand *c = subcommand_info(i);
        printf("mmscope %s%s%s\n", c->name, c->args[0] ? " " : "", c->args);
        print_wrapped(c->sentence, 4, SHOW_WIDTH);
    }
}

static const struct topic {
    const char *name, *what;
    void (*show)(void);
} topics[] = {
    {"events", "everything that the machine can announce", show_events},
    {"functions", "the kernel functions in the simulated call stack", show_functions},
    {"operations", "the calls that change a machine", show_operations},
    {"options", "the options of the command line", show_options},
    {"subcommands", "the subcommands", show_subcommands},
};
enum { NR_TOPICS = sizeof topics / sizeof *topics };

int cmd_show(const struct options *o, int argc, char **argv)
{
    (void)o;
    if (argc > 1) {
        return trouble("show prints one topic at a time: mmscope show %s", argv[0]);
    }
    if (!argc) {
        for (size_t i = 0; i < NR_TOPICS; i++) {
            printf("%-12s %s\n", topics[i].name, topics[i].what);
        }
        return EXIT_OK;
    }
    struct nearest near = {0};
    for (size_t i = 0; i < NR_TOPICS; i++) {
        if (strcmp(argv[0], topics[i].name) == 0) {
            topics[i].show();
            return EXIT_OK;
        }
        nearest_try(&near, argv[0], topics[i].name);
    }
    return near.word
               ? trouble("there is no topic %s: did you mean %s?", argv[0], near.word)
               : trouble("there is no topic %s: mmscope show lists them", argv[0]);
}
