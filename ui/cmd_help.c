/* mmscope help, --help, and the words in which main() speaks to its user.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "subcommands.h"

enum { HELP_WIDTH = 80, HELP_INDENT = 22 };

static const struct subcommand subcommands[] = {
#define SUBCOMMAND(function, name, args, completes, sentence, story)                     \
    {name, args, completes, sentence, story, cmd_##function},
#include "subcommands.def"
#undef SUBCOMMAND
};

const struct subcommand *subcommand_info(size_t i)
{
    return i < sizeof subcommands / sizeof *subcommands ? &subcommands[i] : NULL;
}

const struct subcommand *subcommand_find(const char *name)
{
    for (size_t i = 0; subcommand_info(i); i++) {
        if (strcmp(subcommands[i].name, name) == 0) {
            return &subcommands[i];
        }
    }
    return NULL;
}

int trouble(const char *format, ...)
{
    va_list ap;
    fputs("mmscope: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_TROUBLE;
}

/* Edit distance in which two neighbours that changed places count once; words over 31
 * characters are far away. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t la = strlen(a), lb = strlen(b);
    if (la >= MAX || lb >= MAX) {
        return MAX;
    }
    size_t d[MAX][MAX];
    for (size_t i = 0; i <= la; i++) {
        d[i][0] = i;
    }
    for (size_t j = 0; j <= lb; j++) {
        d[0][j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        for (size_t j = 1; j <= lb; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best) {
                best = d[i - 2][j - 2] + 1;
            }
            d[i][j] = best;
        }
    }
    return d[la][lb];
}

void nearest_try(struct nearest *n, const char *misspelt, const char *candidate)
{
    size_t len = strlen(misspelt), distance = edit_distance(misspelt, candidate);
    if (len >= 2 && strncmp(misspelt, candidate, len) == 0) {
        distance = 1; /* the beginning of it */
    }
    if (distance <= (len < 4 ? 1 : 2) && (!n->word || distance < n->distance)) {
        *n = (struct nearest){candidate, distance};
    }
}

void print_wrapped(const char *text, int indent, int width)
{
    bool first = true;
    int column = 0;
    while (*text) {
        size_t blanks = strspn(text, " ");
        size_t len = strcspn(text + blanks, " \n");
        if (first) {
            printf("%*s", indent, "");
            column = indent;
        }
        if (!first && column + 1 + (int)len > width) {
            printf("\n%*s", indent, "");
            column = indent;
            blanks = 0;
            text += strspn(text, " ");
        }
        printf("%.*s", (int)(blanks + len), text);
        column += (int)(blanks + len);
        text += blanks + len;
        first = false;
        if (*text == '\n') {
            putchar('\n');
            text++;
            first = true;
        }
    }
    if (!first) {
        putchar('\n');
    }
}

/* A term and what it means: the meaning begins in the same line when the term leaves
 * room. */
static void print_entry(const char *term, const char *meaning)
{
    size_t len = strlen(term);
    if (len + 3 > HELP_INDENT) {
        printf("  %s\n", term);
        print_wrapped(meaning, HELP_INDENT, HELP_WIDTH);
        return;
    }
    printf("  %-*s", HELP_INDENT - 2, term);
    const char *p = meaning;
    int room = HELP_WIDTH - HELP_INDENT;
    if (strlen(p) <= (size_t)room) {
        puts(p);
        return;
    }
    int cut = room;
    while (cut > 0 && p[cut] != ' ') {
        cut--;
    }
    if (!cut) {
        puts(p);
        return;
    }
    printf("%.*s\n", cut, p);
    print_wrapped(p + cut + 1, HELP_INDENT, HELP_WIDTH);
}

static void print_options(const char *subcommand)
{
    for (size_t i = 0; option_info(i); i++) {
        const struct option_info *info = option_info(i);
        if (subcommand && !option_applies(info, subcommand)) {
            continue;
        }
        char term[64], letter[5] = "    ";
        if (info->letter) {
            snprintf(letter, sizeof letter, "-%c, ", info->letter);
        }
        snprintf(term, sizeof term, "%s--%s%s%s", letter, info->name,
                 info->arg[0] ? "=" : "", info->arg);
        print_entry(term, info->meaning);
    }
}

static void print_usage(const struct subcommand *c)
{
    printf("mmscope %s%s%s", c->name, c->args[0] ? " " : "", c->args);
}

void print_help(const struct subcommand *c)
{
    if (c) {
        printf("Usage: ");
        print_usage(c);
        printf(" [OPTION]...\n%s\n\n", c->sentence);
        print_wrapped(c->story, 0, HELP_WIDTH);
        printf("\nOptions:\n");
        print_options(c->name);
        return;
    }
    printf("Usage: mmscope [FILE.lua | LESSON] [OPTION]...\n"
           "       mmscope SUBCOMMAND [ARGUMENT]... [OPTION]...\n");
    print_wrapped("Watch Linux manage memory, step through it forwards and backwards, "
                  "and take it apart: a simulated "
                  "machine whose page allocator answers as Linux 6.1's does. Without "
                  "arguments: a menu of the lessons "
                  "and a free sandbox.",
                  0, HELP_WIDTH);
    printf("\nSubcommands:\n");
    for (size_t i = 0; subcommand_info(i); i++) {
        char term[64];
        snprintf(term, sizeof term, "%s%s%s", subcommands[i].name,
                 subcommands[i].args[0] ? " " : "", subcommands[i].args);
        print_entry(term, subcommands[i].sentence);
    }
    printf("\nOptions (mmscope help SUBCOMMAND says which apply):\n");
    print_options(NULL);
    printf("\nExit status: 0 all is well, 1 an expectation failed or a record differs,\n"
           "2 wrong usage, or something that is needed is missing or broken.\n");
}

int cmd_help(const struct options *o, int argc, char **argv)
{
    (void)o;
    if (argc > 1) {
        return trouble("help explains one subcommand at a time: mmscope help %s",
                       argv[0]);
    }
    const struct subcommand *c = NULL;
    if (argc == 1 && !(c = subcommand_find(argv[0]))) {
        struct nearest near = {0};
        for (size_t i = 0; subcommand_info(i); i++) {
            nearest_try(&near, argv[0], subcommands[i].name);
        }
        return near.word ? trouble("there is no subcommand %s: did you mean %s?", argv[0],
                                   near.word)
                         : trouble("there is no subcommand %s: mmscope help lists them",
                                   argv[0]);
    }
    print_help(c);
    return EXIT_OK;
}
