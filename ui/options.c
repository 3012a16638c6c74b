/* Reading the command line's options with getopt_long, from the table in options.def.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "subcommands.h"

static const struct option_info infos[NR_OPTIONS] = {
#define OPTION(id, letter, name, arg, subcommands, meaning)                              \
    {letter, name, arg, subcommands, meaning},
#include "options.def"
#undef OPTION
};

const struct option_info *option_info(size_t i)
{
    return i < NR_OPTIONS ? &infos[i] : NULL;
}

bool option_applies(const struct option_info *info, const char *subcommand)
{
    if (strcmp(info->subcommands, "*") == 0) {
        return true;
    }
    size_t len = strlen(subcommand);
    for (const char *p = info->subcommands; *p;) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, subcommand, len) == 0) {
            return true;
        }
        p += n + (p[n] == ' ');
    }
    return false;
}

static bool digits(const char **text, uint64_t *n)
{
    uint64_t base = 10, sum = 0;
    const char *p = *text;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    }
    const char *first = p;
    for (;; p++) {
        uint64_t digit;
        if (*p >= '0' && *p <= '9') {
            digit = (uint64_t)(*p - '0');
        } else if (base == 16 && *p >= 'a' && *p <= 'f') {
            digit = (uint64_t)(*p - 'a') + 10;
        } else if (base == 16 && *p >= 'A' && *p <= 'F') {
            digit = (uint64_t)(*p - 'A') + 10;
        } else {
            break;
        }
        if (sum > (UINT64_MAX - digit) / base) {
            return false;
        }
        sum = sum * base + digit;
    }
    *n = sum;
    *text = p;
    return p != first;
}

bool parse_number(const char *text, uint64_t *n) { return digits(&text, n) && !*text; }

bool parse_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "kmgt";
    uint64_t n;
    if (!digits(&text, &n)) {
        return false;
    }
    unsigned shift = 0;
    const char *unit = *text ? strchr(units, *text | 0x20) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        text += text[1] == 'i' && text[2] == 'B' ? 2 : 1;
    }
    text += *text == 'B';
    if (*text || n > UINT64_MAX >> shift) {
        return false;
    }
    *bytes = n << shift;
    return true;
}

static bool understand(struct options *o, enum option_id id, const char *arg)
{
    uint64_t n;
    switch (id) {
    case OPT_SET:
        if (!strchr(arg, '=')) {
            trouble("--set %s: NAME=VALUE is wanted, as in --set ram=160M", arg);
            return false;
        }
        if (o->nr_settings == MAX_SETTINGS) {
            trouble("--set is given more than %d times", MAX_SETTINGS);
            return false;
        }
        o->settings[o->nr_settings++] = arg;
        return true;
    case OPT_SEED:
        if (!parse_number(arg, &n) || !n) {
            trouble("--seed %s: a number from 1 to 2^64 - 1 is wanted", arg);
            return false;
        }
        o->seed = n;
        return true;
    case OPT_HISTORY:
        if (!parse_size(arg, &n) || n < 1 << 20 || n > SIZE_MAX / 2) {
            trouble("--history %s: a size of at least 1M is wanted, as 512M or 2G", arg);
            return false;
        }
        o->history_bytes = (size_t)n;
        return true;
    case OPT_ASCII:
        o->ascii = true;
        return true;
    case OPT_NO_COLOR:
        o->no_color = true;
        return true;
    default:
        return true;
    }
}

/* One of the words "a|b|c"? Placeholders have no '|'. */
static bool word_allowed(const char *words, const char *arg)
{
    if (!strchr(words, '|')) {
        return true;
    }
    size_t len = strlen(arg);
    for (const char *p = words; *p;) {
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, arg, len) == 0) {
            return true;
        }
        p += n + (p[n] == '|');
    }
    return false;
}

static void explain_unknown(const char *word)
{
    struct nearest near = {0};
    if (strncmp(word, "--", 2) == 0) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
        for (size_t i = 0; i < NR_OPTIONS; i++) {
            nearest_try(&near, name, infos[i].name);
        }
    }
    if (near.word) {
        trouble("there is no option %s: did you mean --%s?", word, near.word);
    } else {
        trouble("there is no option %s: mmscope --help lists them", word);
    }
}

int options_parse(struct options *o, int argc, char **argv)
{
    enum { FIRST_LONG = 256 }; /* getopt's answer for option i, out of the letters' way */
    struct option longs[NR_OPTIONS + 1] = {0};
    char shorts[2 * NR_OPTIONS + 2] = ":";
    size_t len = 1;
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        bool has_arg = infos[i].arg[0] != 0;
        longs[i] =
            (struct option){infos[i].name, has_arg ? required_argument : no_argument,
                            NULL, FIRST_LONG + (int)i};
        if (infos[i].letter) {
            shorts[len++] = infos[i].letter;
            if (has_arg) {
                shorts[len++] = ':';
            }
        }
    }
    *o = (struct options){0};
    const char *no_color = getenv("NO_COLOR");
    o->no_color = no_color && *no_color;

    opterr = 0;
    for (;;) {
        int at = optind;
        int c = getopt_long(argc, argv, shorts, longs, NULL);
        if (c == -1) {
            return optind;
        }
        size_t i = (size_t)(c - FIRST_LONG);
        if (c < FIRST_LONG) {
            for (i = 0; i < NR_OPTIONS && infos[i].letter != c; i++) {
            }
        }
        if (c == '?' && optopt >= FIRST_LONG) {
            trouble("--%s takes no argument", infos[optopt - FIRST_LONG].name);
            return -1;
        }
        if (c == '?') {
            char letter[3] = {'-', (char)optopt, 0};
            bool is_letter = optopt > 0 && optopt < FIRST_LONG;
            explain_unknown(is_letter ? letter : argv[optind - 1 < at ? at : optind - 1]);
            return -1;
        }
        if (c == ':') {
            trouble("%s needs an argument: mmscope --help says which", argv[optind - 1]);
            return -1;
        }
        const char *arg = optarg ? optarg : "";
        if (!word_allowed(infos[i].arg, arg)) {
            trouble("--%s=%s: one of %s is wanted", infos[i].name, arg, infos[i].arg);
            return -1;
        }
        o->value[i] = arg;
        if (!understand(o, (enum option_id)i, arg)) {
            return -1;
        }
    }
}
