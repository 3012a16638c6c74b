/* The subcommands' entry points.
 *
 * main() has read the options by then: argv holds only the arguments, argv[0] is the
 * first one after the subcommand's name, argv[argc] is NULL. The answer is the program's
 * exit status.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_SUBCOMMANDS_H
#define UI_SUBCOMMANDS_H

#include "options.h"

enum exit_status {
    EXIT_OK = 0,
    EXIT_NO =
        1, /* it ran, and the answer is no: an expectation failed, a record differs */
    EXIT_TROUBLE = 2 /* it did not run: wrong usage, a file that is not there, an error in
                        a script */
};

#define SUBCOMMAND(function, name, args, completes, sentence, story)                     \
    int cmd_##function(const struct options *o, int argc, char **argv);
#include "subcommands.def"
#undef SUBCOMMAND

struct subcommand {
    const char *name, *args, *completes, *sentence, *story;
    int (*run)(const struct options *o, int argc, char **argv);
};
/* NULL past the end. */
const struct subcommand *subcommand_info(size_t i);
const struct subcommand *subcommand_find(const char *name);

/* "mmscope: ..." on stderr, with a newline. Answers EXIT_TROUBLE: return trouble("...: do
 * this", ...). */
#if defined __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
int trouble(const char *format, ...);

/* Print text to stdout in lines of at most width columns, every one indented. */
void print_wrapped(const char *text, int indent, int width);

/* The whole of --help: of one subcommand, or of the program (NULL). */
void print_help(const struct subcommand *c);

/* Which word is nearest to a misspelt one? Feed each candidate; nearest.word is NULL
 * while none is near. */
struct nearest {
    const char *word;
    size_t distance;
};
void nearest_try(struct nearest *n, const char *misspelt, const char *candidate);

#endif
