/* Numbers, sizes and misspelt words of the command line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap.h"

#include "options.h"
#include "subcommands.h"
#include "topics.h"

static void sizes(void)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"4096", 4096},
                {"64k", 65536},
                {"64K", 65536},
                {"160M", 160 << 20},
                {"160MB", 160 << 20},
                {"160MiB", 160 << 20},
                {"1G", 1 << 30},
                {"1T", 1ull << 40},
                {"0x10M", 16 << 20},
                {"16777215T", 16777215ull << 40},
                {"18446744073709551615", UINT64_MAX}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t n = 1;
        ok(parse_size(good[i].text, &n), "%s is a size", good[i].text);
        is_u64(n, good[i].bytes, "of so many bytes");
    }
    static const char *const bad[] = {"",
                                      "M",
                                      "-1",
                                      "1.5G",
                                      "1X",
                                      "1M ",
                                      "1MM",
                                      "16777216T",
                                      "1KiBB",
                                      "0x",
                                      "18446744073709551616",
                                      " 1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t n = 7;
        ok(!parse_size(bad[i], &n) && n == 7, "\"%s\" is no size", bad[i]);
    }
}

static void numbers(void)
{
    uint64_t n = 0;
    ok(parse_number("017", &n) && n == 17, "a 0 before a number means nothing");
    ok(parse_number("0xffffffffffffffff", &n) && n == UINT64_MAX,
       "the largest in hexadecimal");
    ok(!parse_number("0x10000000000000000", &n), "one more is too large");
    ok(!parse_number("12k", &n), "a number has no unit");
    ok(!parse_number("", &n), "nothing is no number");
}

static const char *nearest(const char *misspelt)
{
    static const char *const words[] = {"list", "show", "help", "replay", "run"};
    struct nearest near = {0};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        nearest_try(&near, misspelt, words[i]);
    }
    return near.word;
}

static void misspellings(void)
{
    is_str(nearest("lsit"), "list", "two letters that changed places");
    is_str(nearest("replya"), "replay", "at the end, too");
    is_str(nearest("rep"), "replay", "the beginning of a word");
    is_str(nearest("hlp"), "help", "a letter that is missing");
    is_str(nearest("ran"), "run", "a wrong letter");
    is_str(nearest("banana"), NULL, "nothing is near to nonsense");
    is_str(nearest("x"), NULL, "nor to a single letter");
    is_str(nearest("a word that is longer than thirty-one characters"), NULL,
           "nor to a sentence");
}

static void tables(void)
{
    for (size_t i = 0; topic_info(i); i++) {
        const struct topic *t = topic_info(i);
        struct topic_row row;
        size_t nr = 0, empty = 0;
        for (; t->row(nr, &row); nr++) {
            size_t len = strlen(row.text);
            empty += !row.head[0] || !len;
        }
        ok(nr > 0, "the topic %s has rows (%zu)", t->name, nr);
        is_u64(empty, 0, "and each says something");
        ok(topic_find(t->name) == t, "and is found by its name");
        ok(!subcommand_find(t->name), "which is no subcommand's");
    }
    for (size_t i = 0; option_info(i); i++) {
        for (size_t j = 0; j < i; j++) {
            const struct option_info *a = option_info(i), *b = option_info(j);
            if (strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter)) {
                ok(false, "options --%s and --%s are told apart", a->name, b->name);
            }
        }
        /* Every subcommand that it names is there. */
        const char *p = option_info(i)->subcommands;
        while (strcmp(p, "*") && *p) {
            char name[32];
            size_t len = strcspn(p, " ");
            snprintf(name, sizeof name, "%.*s", (int)len, p);
            ok(subcommand_find(name) != NULL, "--%s: %s is a subcommand",
               option_info(i)->name, name);
            p += len + (p[len] == ' ');
        }
    }
}

int main(void)
{
    sizes();
    numbers();
    misspellings();
    tables();
    return done_testing();
}
