/* Makes what is installed beside the program from the same tables as the program: run by
 * the build.
 *
 *   pages man    the manual, mmscope(1)
 *   pages bash   completion for bash
 *   pages zsh    completion for zsh
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "subcommands.h"
#include "topics.h"
#include "version.h"

/* ---- the manual ---- */

/* Text as roff wants it: a backslash, a hyphen and a dot or quote at the beginning of
 * a line mean something there. */
static void roff(const char *text)
{
    bool at_start = true;
    for (; *text; text++) {
        if (at_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", stdout);
        }
        switch (*text) {
        case '\\':
            fputs("\\e", stdout);
            break;
        case '-':
            fputs("\\-", stdout);
            break;
        case '~':
            fputs("\\(ti", stdout);
            break;
        case '^':
            fputs("\\(ha", stdout);
            break;
        case '`':
            fputs("\\(ga", stdout);
            break;
        default:
            putchar(*text);
            break;
        }
        at_start = *text == '\n';
    }
}

static void section(const char *title) { printf(".SH %s\n", title); }

static void term(const char *head, const char *note)
{
    printf(".TP\n\\fB");
    roff(head);
    printf("\\fR");
    if (note[0]) {
        printf(" (");
        roff(note);
        putchar(')');
    }
    putchar('\n');
}

static void man_topic(const char *title, const char *topic, const char *intro)
{
    const struct topic *t = topic_find(topic);
    struct topic_row row;
    if (!t || !t->row(0, &row)) {
        return;
    }
    section(title);
    roff(intro);
    putchar('\n');
    for (size_t i = 0; t->row(i, &row); i++) {
        term(row.head, row.note);
        roff(row.text);
        putchar('\n');
    }
}

/* A subcommand's story: paragraphs, those that begin with two spaces as they stand. */
static void man_story(const char *story)
{
    while (*story) {
        size_t len = strcspn(story, "\n");
        char line[2048];
        snprintf(line, sizeof line, "%.*s", (int)len, story);
        if (line[0] == ' ') {
            printf(".IP\n.EX\n");
            roff(line + strspn(line, " "));
            printf("\n.EE\n");
        } else if (len) {
            printf(".IP\n");
            roff(line);
            putchar('\n');
        }
        story += len + (story[len] == '\n');
    }
}

static void man(void)
{
    printf(".\\\" Made from the program's tables by ui/share/pages.c.\n"
           ".TH MMSCOPE 1 \"\" \"mmscope " MMSCOPE_VERSION "\" \"User Commands\"\n");
    section("NAME");
    printf("mmscope \\- watch Linux manage memory, and step through it in both "
           "directions\n");
    section("SYNOPSIS");
    printf(".B mmscope\n[\\fIFILE.lua\\fR | \\fILESSON\\fR] [\\fIOPTION\\fR]...\n.br\n"
           ".B mmscope\n\\fISUBCOMMAND\\fR [\\fIARGUMENT\\fR]... [\\fIOPTION\\fR]...\n");
    section("DESCRIPTION");
    roff("mmscope runs a simulated machine whose page allocator takes the same decisions "
         "as that of Linux 6.1, page "
         "frame by page frame, and shows on the terminal what it does: free lists, "
         "per-CPU lists, zones against their "
         "watermarks, the map of physical memory, and the kernel functions that are at "
         "work. Everything can be "
         "stopped, undone and tried again; the machine that runs the program is never "
         "touched.\n");
    printf(".PP\n");
    roff("Without arguments there is a menu of the lessons and a free sandbox. A "
         "scenario is a Lua file; the lessons "
         "are scenarios too, and can be named by their number.\n");
    section("SUBCOMMANDS");
    for (size_t i = 0; subcommand_info(i); i++) {
        const struct subcommand *c = subcommand_info(i);
        printf(".TP\n\\fBmmscope %s\\fR%s\\fI", c->name, c->args[0] ? " " : "");
        roff(c->args);
        printf("\\fR\n");
        roff(c->sentence);
        putchar('\n');
        man_story(c->story);
    }
    man_topic("OPTIONS", "options",
              "In brackets: the subcommands that take an option; without, all do. The "
              "program with a scenario or "
              "without arguments is the subcommand open.");
    man_topic("KEYS", "keys",
              "On the screen. Keys that step go forwards; their capitals go backwards.");
    man_topic(
        "COMMANDS", "commands",
        "Typed after a colon on the screen. Anything else typed there is a line of Lua.");
    man_topic(
        "SCENARIOS", "api",
        "A scenario is a Lua 5.4 file that returns lesson { title = ..., machine = "
        "{...}, run = function() ... end }. "
        "Besides Lua's own functions (without io, os, load and debug) it sees these.");
    man_topic("MACHINE", "machine",
              "Options of the simulated machine, in a scenario's machine table and after "
              "--set.");
    man_topic("OPERATIONS", "operations",
              "What changes the machine: the steps of a session's timeline.");
    man_topic("EVENTS", "events",
              "What happens inside an operation, as the log names it. In brackets: "
              "whether it ends a step, is a "
              "detail, or is a complaint of the kernel's.");
    section("ENVIRONMENT");
    term("NO_COLOR", "");
    roff("when set and not empty: no colours\n");
    term("MMSCOPE_LESSONS", "");
    roff("the directory of the lessons, instead of the installed one\n");
    term("XDG_STATE_HOME", "");
    roff("where the history of the command line is kept, in mmscope/history (default "
         "~/.local/state)\n");
    term("LC_ALL, LC_CTYPE, LANG", "");
    roff("which characters the terminal can show\n");
    section("FILES");
    term(MMSCOPE_DATADIR "/mmscope/lessons", "");
    roff("the lessons\n");
    term("~/.local/state/mmscope/history", "");
    roff("what was typed after the colon\n");
    section("EXIT STATUS");
    term("0", "");
    roff("all is well\n");
    term("1", "");
    roff("an expectation of a scenario failed, or a record differs from what the machine "
         "answers\n");
    term("2", "");
    roff("wrong usage, a script error, or something that is needed is missing or "
         "broken\n");
    section("EXAMPLES");
    static const char *const examples[][2] = {
        {"mmscope", "the menu"},
        {"mmscope 01", "the first lesson"},
        {"mmscope run 01 --events=steps", "the same as text"},
        {"mmscope mine.lua --set ram=1G --set cpus=4",
         "one's own scenario on another machine"},
        {"mmscope replay record.txt.xz",
         "hold the machine against a record of a real kernel"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        term(examples[i][0], "");
        roff(examples[i][1]);
        putchar('\n');
    }
    section("SEE ALSO");
    printf(".BR proc (5),\n.BR lua (1)\n");
}

/* ---- completion ---- */

/* The words of "a|b|c", or nothing for a placeholder. */
static void print_words(const char *words)
{
    for (const char *p = strchr(words, '|') ? words : ""; *p; p++) {
        putchar(*p == '|' ? ' ' : *p);
    }
}

static void print_topics(void)
{
    for (size_t i = 0; topic_info(i); i++) {
        printf(" %s", topic_info(i)->name);
    }
}

static void bash_options(const char *subcommand)
{
    for (size_t i = 0; option_info(i); i++) {
        if (option_applies(option_info(i), subcommand)) {
            printf(" --%s%s", option_info(i)->name, option_info(i)->arg[0] ? "=" : "");
        }
    }
}

static void bash(void)
{
    printf("# Completion of mmscope for bash, made from its tables.\n"
           "_mmscope()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
           "sub=open word options= words= i\n"
           "    COMPREPLY=()\n"
           "    if [ \"$cur\" = = ]; then\n        cur=\n"
           "    elif [ \"$prev\" = = ]; then\n        prev=${COMP_WORDS[COMP_CWORD-2]}\n "
           "   fi\n"
           "    case $prev in\n");
    for (size_t i = 0; option_info(i); i++) {
        const struct option_info *o = option_info(i);
        if (!o->arg[0]) {
            continue;
        }
        printf("    --%s)\n        COMPREPLY=($(compgen -W '", o->name);
        if (strcmp(o->name, "set") == 0) {
            struct topic_row row;
            const struct topic *t = topic_find("machine");
            for (size_t j = 0; t && t->row(j, &row); j++) {
                printf("%.*s= ", (int)strcspn(row.head, " "), row.head);
            }
        } else {
            print_words(o->arg);
        }
        printf("' -- \"$cur\"))\n        return ;;\n");
    }
    printf("    esac\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} "
           "in\n        ");
    for (size_t i = 0; subcommand_info(i); i++) {
        printf("%s%s", i ? " | " : "", subcommand_info(i)->name);
    }
    printf(") sub=${COMP_WORDS[i]}; word=yes; break ;;\n        esac\n    done\n"
           "    case $sub in\n");
    for (size_t i = 0; subcommand_info(i); i++) {
        const struct subcommand *c = subcommand_info(i);
        printf("    %s)\n        options='", c->name);
        bash_options(c->name);
        printf("'\n");
        if (strcmp(c->completes, "topic") == 0) {
            printf("        words='");
            print_topics();
            printf(
                " '$(mmscope list 2>/dev/null | sed -n 's/^\\([^ ]*\\)  .*/\\1/p') ;;\n");
        } else if (strcmp(c->completes, "subcommand") == 0) {
            printf("        words='");
            for (size_t j = 0; subcommand_info(j); j++) {
                printf(" %s", subcommand_info(j)->name);
            }
            printf("' ;;\n");
        } else if (strcmp(c->completes, "lesson") == 0) {
            printf("        words=$(mmscope list 2>/dev/null | sed -n 's/^\\([^ ]*\\)  "
                   ".*/\\1/p')\n"
                   "        COMPREPLY=($(compgen -f -X '!*.lua' -- \"$cur\") $(compgen "
                   "-d -- \"$cur\")) ;;\n");
        } else if (strcmp(c->completes, "record") == 0) {
            printf("        COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n");
        } else {
            printf("        ;;\n");
        }
    }
    printf("    esac\n"
           "    if [ -z \"${word:-}\" ]; then\n        words=\"$words");
    for (size_t i = 0; subcommand_info(i); i++) {
        printf(" %s", subcommand_info(i)->name);
    }
    printf("\"\n    fi\n"
           "    case $cur in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) "
           ";;\n"
           "    *) COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\")) ;;\n    esac\n"
           "    case ${COMPREPLY[0]:-} in\n    *=) compopt -o nospace 2>/dev/null ;;\n   "
           " esac\n}\n"
           "complete -o filenames -F _mmscope mmscope\n");
}

/* In single quotes inside an _arguments specification: what ends one or the other is
 * left out. */
static void zsh_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else if (strchr("[]:", *text)) {
            printf("\\%c", *text);
        } else {
            putchar(*text);
        }
    }
}

static void zsh_options(const char *subcommand)
{
    for (size_t i = 0; option_info(i); i++) {
        const struct option_info *o = option_info(i);
        if (!option_applies(o, subcommand)) {
            continue;
        }
        printf("            '%s--%s%s[", strcmp(o->name, "set") == 0 ? "*" : "", o->name,
               o->arg[0] ? "=" : "");
        zsh_text(o->meaning);
        putchar(']');
        if (o->arg[0]) {
            putchar(':');
            zsh_text(strchr(o->arg, '|') ? o->name : o->arg);
            printf(":(");
            print_words(o->arg);
            putchar(')');
        }
        printf("' \\\n");
    }
}

static void zsh(void)
{
    printf("#compdef mmscope\n# Completion of mmscope for zsh, made from its tables.\n"
           "_mmscope_lessons() {\n"
           "    local -a names\n"
           "    names=(${(f)\"$(mmscope list 2>/dev/null | sed -n 's/^\\([^ ]*\\)  "
           ".*/\\1/p')\"})\n"
           "    _alternative 'lessons:lesson:compadd -a names' 'files:scenario:_files -g "
           "\"*.lua\"'\n"
           "}\n"
           "_mmscope_first() {\n    local -a subcommands\n    subcommands=(\n");
    for (size_t i = 0; subcommand_info(i); i++) {
        printf("        '%s:", subcommand_info(i)->name);
        zsh_text(subcommand_info(i)->sentence);
        printf("'\n");
    }
    printf("    )\n    _describe subcommand subcommands\n    _mmscope_lessons\n}\n"
           "_mmscope() {\n    local sub=open\n"
           "    (( CURRENT > 2 )) && sub=${words[2]}\n    case $sub in\n");
    for (size_t i = 0; subcommand_info(i); i++) {
        const struct subcommand *c = subcommand_info(i);
        printf("    %s)\n        _arguments \\\n", c->name);
        zsh_options(c->name);
        printf("            '1: :_mmscope_first' '2: :");
        if (strcmp(c->completes, "topic") == 0) {
            putchar('(');
            print_topics();
            putchar(')');
        } else if (strcmp(c->completes, "subcommand") == 0) {
            putchar('(');
            for (size_t j = 0; subcommand_info(j); j++) {
                printf("%s%s", j ? " " : "", subcommand_info(j)->name);
            }
            putchar(')');
        } else {
            printf("%s", strcmp(c->completes, "lesson") == 0   ? "_mmscope_lessons"
                         : strcmp(c->completes, "record") == 0 ? "_files"
                                                               : "");
        }
        printf("'\n        ;;\n");
    }
    printf("    *)\n        _arguments \\\n");
    zsh_options("open");
    printf(
        "            '1: :_mmscope_first'\n        ;;\n    esac\n}\n_mmscope \"$@\"\n");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(void);
    } pages[] = {{"man", man}, {"bash", bash}, {"zsh", zsh}};
    for (size_t i = 0; argc == 2 && i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(argv[1], pages[i].name) == 0) {
            pages[i].make();
            return fflush(stdout) || ferror(stdout) ? 1 : 0;
        }
    }
    fprintf(stderr, "usage: pages man|bash|zsh\n");
    return 2;
}
