/* mmscope replay FILE: hold the allocator against what a real kernel answered.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"
#include "subcommands.h"
#include "view.h"

enum { MOST_DIFFERENCES = 10, NAME_WIDTH = 44 };

struct printer {
    bool json, quiet;
};

/* ---- JSON ---- */

static void write_json_string(const char *text)
{
    putchar('"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') {
            putchar('\\');
            putchar(*c);
        } else if (*c == '\n') {
            fputs("\\n", stdout);
        } else if ((unsigned char)*c < ' ') {
            printf("\\u%04x", *c);
        } else {
            putchar(*c);
        }
    }
    putchar('"');
}

static void json_tally(const struct replay_tally *t)
{
    printf("\"answers\":[%" PRIu64 ",%" PRIu64 "],\"states\":[%" PRIu64 ",%" PRIu64
           "],\"figures\":[%" PRIu64 ",%" PRIu64 "],\"differences\":%" PRIu64
           ",\"not_modelled\":%" PRIu64,
           t->answers_identical, t->answers, t->states_identical, t->states,
           t->figures_identical, t->figures, t->differences, t->nr_unmodelled);
    fputs(",\"kinds\":{", stdout);
    const char *comma = "";
    for (int k = 0; k < NR_RECORD_KINDS; k++) {
        if (t->unmodelled[k]) {
            printf("%s\"%s\":%" PRIu64, comma, record_kind_word((enum record_kind)k),
                   t->unmodelled[k]);
            comma = ",";
        }
    }
    putchar('}');
}

/* ---- text ---- */

static void print_tally(const struct replay_tally *t)
{
    if (t->answers) {
        printf("  answers %" PRIu64 "/%" PRIu64, t->answers_identical, t->answers);
    }
    if (t->states) {
        printf("  states %" PRIu64 "/%" PRIu64, t->states_identical, t->states);
    }
    if (t->figures) {
        printf("  computed figures %" PRIu64 "/%" PRIu64, t->figures_identical,
               t->figures);
    }
    if (t->nr_unmodelled) {
        fputs("  not modelled yet:", stdout);
    }
    const char *comma = " ";
    for (int k = 0; k < NR_RECORD_KINDS; k++) {
        if (t->unmodelled[k]) {
            printf("%s%s %" PRIu64, comma, record_kind_word((enum record_kind)k),
                   t->unmodelled[k]);
            comma = ", ";
        }
    }
}

static void print_sequence(void *ctx, const char *name, uint32_t line,
                           const struct replay_tally *t)
{
    const struct printer *p = ctx;
    if (p->json) {
        printf("{\"type\":\"sequence\",\"line\":%u,\"name\":", line);
        write_json_string(name);
        putchar(',');
        json_tally(t);
        puts("}");
    } else if (!p->quiet) {
        /* only figures that follow are aligned; a long name pushes them on */
        printf("%6u  %-*.*s", line, NAME_WIDTH, NAME_WIDTH, name);
        print_tally(t);
        putchar('\n');
    }
}

static void print_difference(void *ctx, const struct replay_difference *d)
{
    const struct printer *p = ctx;
    if (p->json) {
        printf("{\"type\":\"difference\",\"line\":%u,\"what\":", d->line);
        write_json_string(d->what);
        fputs(",\"expected\":", stdout);
        write_json_string(d->expected);
        fputs(",\"got\":", stdout);
        write_json_string(d->got);
        fputs(",\"stack\":", stdout);
        write_json_string(d->stack);
        puts("}");
        return;
    }
    if (p->quiet) {
        return;
    }
    printf("line %u: %s\n    expected %s\n    got      %s\n", d->line, d->what,
           d->expected, d->got);
    const char *from = d->stack;
    for (int indent = 4; *from; indent += 2) {
        size_t len = strcspn(from, "\n");
        printf("%*s%.*s\n", indent, "", (int)len, from);
        from += len + (from[len] == '\n');
    }
}

static void print_totals(const struct printer *p, const struct replay_tally *t)
{
    if (p->json) {
        fputs("{\"type\":\"total\",", stdout);
        json_tally(t);
        puts("}");
        return;
    }
    if (!p->quiet) {
        if (t->differences > MOST_DIFFERENCES) {
            printf("%" PRIu64 " differences, of which the first %d are shown\n",
                   t->differences, MOST_DIFFERENCES);
        }
        printf("%6s  %-*s", "", NAME_WIDTH, "all");
        print_tally(t);
        putchar('\n');
    }
    printf("answers %" PRIu64 "/%" PRIu64 " states %" PRIu64 "/%" PRIu64
           " not-modelled %" PRIu64 "\n",
           t->answers_identical, t->answers, t->states_identical, t->states,
           t->nr_unmodelled);
}

/* ---- the subcommand ---- */

static int replay_file(const struct printer *p, const char *path, const struct record *r)
{
    char err[600];
    struct replay *rp = replay_create(r, NULL, err, sizeof err);
    if (!rp) {
        return trouble("%s: %s", path, err);
    }
    if (!p->quiet && !p->json) {
        printf("%s: %s, %s, %u CPU%s\n", path, r->kernel,
               r->ptrs == 64 ? "x86_64"
               : r->pae      ? "i386 with PAE"
                             : "i386",
               r->cpus, r->cpus == 1 ? "" : "s");
    }
    if (r->cut) {
        fprintf(stderr,
                "mmscope: %s: the record ends inside /proc/oracle: it may be cut off\n",
                path);
    }
    const struct replay_watch watch = {.ctx = (void *)(uintptr_t)p,
                                       .sequence = print_sequence,
                                       .difference = print_difference,
                                       .max_differences = MOST_DIFFERENCES};
    struct replay_tally t;
    bool whole = replay_run(rp, &watch, &t, err, sizeof err);
    replay_destroy(rp);
    if (!whole) {
        return trouble("%s: %s", path, err);
    }
    print_totals(p, &t);
    return t.differences ? EXIT_NO : EXIT_OK;
}

/* The same on the screen, a recorded call a step. */
static int view_file(const struct options *o, const char *path, const struct record *r)
{
    char err[600];
    struct replay *rp = replay_create(r, NULL, err, sizeof err);
    if (!rp) {
        return trouble("%s: %s", path, err);
    }
    const struct timeline_options options = {.history_bytes = o->history_bytes};
    struct timeline *t = replay_timeline(rp, path, &options, err, sizeof err);
    struct session *s = t ? session_open_timeline(t, path) : NULL;
    int status = EXIT_TROUBLE;
    if (s) {
        session_set_feed(s, replay_feed, rp);
        status = view_session(s, o);
    } else {
        trouble("%s: %s", path, t ? "out of memory" : err);
    }
    replay_destroy(rp);
    return status;
}

int cmd_replay(const struct options *o, int argc, char **argv)
{
    if (argc != 1) {
        return trouble(
            "replay wants one record: mmscope replay tests/golden/i386-slab-1G.txt.xz");
    }
    char err[600];
    struct record *r = record_open(argv[0], err, sizeof err);
    if (!r) {
        return trouble("%s", err);
    }
    const struct printer p = {.json = o->value[OPT_JSON] != NULL,
                              .quiet = o->value[OPT_QUIET] != NULL};
    bool view = o->value[OPT_VIEW] != NULL;
    int status = view ? view_file(o, argv[0], r) : replay_file(&p, argv[0], r);
    record_free(r);
    return status;
}
