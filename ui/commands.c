/* The commands: their table, a line that is run, completion.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "api.h"
#include "describe.h"
#include "hw_focus.h"
#include "objects.h"
#include "popup.h"
#include "screen_words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command_row rows[] = {
#define COMMAND(id, name, args, complete, help)                                          \
    {name, args, help, COMPLETE_##complete, run_##id},
#include "command.def"
#undef COMMAND
};

size_t commands_count(void) { return sizeof rows / sizeof rows[0]; }

const struct command_row *command_row(size_t i)
{
    return i < commands_count() ? &rows[i] : NULL;
}

const struct command_row *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count(); i++) {
        if (!strcmp(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct command_row *command_resolve(const char *name, char *others, size_t size)
{
    static const struct {
        const char *word, *command;
    } aliases[] = {
#define ALIAS(word, command) {word, command},
#include "alias.def"
#undef ALIAS
    };
    const struct command_row *row = command_find(name), *first = NULL;
    snprintf(others, size, "%s", "");
    for (size_t i = 0; !row && i < sizeof aliases / sizeof aliases[0]; i++) {
        if (!strcmp(aliases[i].word, name)) {
            row = command_find(aliases[i].command);
        }
    }
    size_t len = strlen(name), used = 0, nr = 0;
    for (size_t i = 0; !row && len && i < commands_count(); i++) {
        if (!strncmp(rows[i].name, name, len)) {
            first = nr++ ? first : &rows[i];
            int n = used < size ? snprintf(others + used, size - used, "%s%s",
                                           used ? ", " : "", rows[i].name)
                                : 0;
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (nr == 1) {
        snprintf(others, size, "%s", "");
        row = first;
    }
    return row;
}

/* ---- lines ---- */

/* A lone word that says little as a value: a function of the scripts' is explained, and
 * what has no value may have been meant as a command. False: neither. */
static bool explain_word(struct app *a, const char *word, const char *value)
{
    char text[1200];
    if (!*word || word[strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) {
        return false;
    }
    const struct api_entry *e = session_api_find(word);
    if (e && !strncmp(value, "function: ", 10)) {
        char call[200];
        api_signature(call, sizeof call, e);
        snprintf(text, sizeof text, "%s\n\n%s", call, e->help);
        popup_text(a, word, strdup(text));
        return true;
    }
    if (strcmp(word, "nil") != 0 && !strcmp(value, "nil")) {
        app_message(a, MESSAGE_INFO,
                    "nil: %s has no value, and is no command (apropos %s searches).",
                    word, word);
        return true;
    }
    return false;
}

static void run_lua(struct app *a, const char *line)
{
    struct position from = timeline_position(a->t);
    uint32_t branches = timeline_nr_branches(a->t);
    char *out = NULL;
    bool good = session_console(a->session, line, &out);
    app_moved(a, from);
    size_t len = out ? strlen(out) : 0;
    while (len && (out[len - 1] == '\n' || out[len - 1] == ' ')) {
        out[--len] = 0;
    }
    if (good && out && explain_word(a, line, out)) {
        free(out);
        return;
    }
    if (out && (strchr(out, '\n') || text_width(out) > a->cols - 4)) {
        popup_text(a, good ? line : "Error", out);
        out = NULL;
    } else if (out && *out) {
        app_message(a, good ? MESSAGE_INFO : MESSAGE_ERROR, "%s", out);
    }
    if (timeline_nr_branches(a->t) > branches && good) {
        app_message(a, MESSAGE_INFO, "Now on %s; the old future is kept (:branch).%s%s",
                    timeline_branch(a->t, a->model.at.branch).name,
                    out && *out ? " = " : "", out ? out : "");
    }
    free(out);
}

struct sought {
    const char *word;
    bool found;
};

static void compare_word(void *ctx, const char *word)
{
    struct sought *s = ctx;
    s->found = s->found || !strcmp(word, s->word);
}

static bool is_lua_word(struct app *a, const char *word)
{
    struct sought s = {word, false};
    session_complete(a->session, word, compare_word, &s);
    return s.found;
}

void command_run(struct app *a, const char *line)
{
    line += strspn(line, " ");
    char name[32];
    size_t len = strcspn(line, " ");
    if (!strncmp(line, "x/", 2)) { /* as gdb has it: x/8xw */
        len = 1;
    }
    if (!*line) {
        return;
    }
    if (len < sizeof name) {
        memcpy(name, line, len);
        name[len] = 0;
        char others[200];
        const struct command_row *row = command_resolve(name, others, sizeof others);
        const char *args = line + len + strspn(line + len, " ");
        if (!*args && (len == 1 || !command_find(name)) && is_lua_word(a, name)) {
            row = NULL; /* the user's variable rather than an abbreviation */
        } else if (*others && !*args) {
            app_message(a, MESSAGE_ERROR, "%s may be one of: %s.", name, others);
            return;
        }
        if (row && *args != '=') { /* "step = 3" is Lua */
            char trimmed[1024];
            snprintf(trimmed, sizeof trimmed, "%s", args);
            for (size_t n = strlen(trimmed); n && trimmed[n - 1] == ' '; n--) {
                trimmed[n - 1] = 0;
            }
            row->run(a, trimmed);
            return;
        }
    }
    run_lua(a, line);
}

/* ---- completion ---- */

static void offer(const char *prefix, const char *word,
                  void (*fn)(void *ctx, const char *word), void *ctx)
{
    if (!strncmp(word, prefix, strlen(prefix))) {
        fn(ctx, word);
    }
}

struct offering {
    const char *prefix;
    void (*fn)(void *ctx, const char *word);
    void *ctx;
};

static void offer_word(void *ctx, const char *word)
{
    const struct offering *o = ctx;
    offer(o->prefix, word, o->fn, o->ctx);
}

static void complete_kmem(struct app *a, const struct offering *o)
{
    size_t nr;
    struct cache_view *list = objects_caches(a->model.m, &nr);
    static const char *const options[] = {"-i", "-f", "-s", "-S", "-p"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        offer(o->prefix, options[i], o->fn, o->ctx);
    }
    for (size_t i = 0; i < nr; i++) {
        offer(o->prefix, list[i].name, o->fn, o->ctx);
    }
    free(list);
}

static void complete_argument(struct app *a, enum complete_kind kind, const char *prefix,
                              void (*fn)(void *ctx, const char *word), void *ctx)
{
    static const char *const procs[] = {"buddyinfo",  "pagetypeinfo", "zoneinfo",
                                        "vmstat",     "slabinfo",     "vmallocinfo",
                                        "page_tables"};
    static const char *const targets[] = {"page", "free", "pcp",  "zone", "phys",
                                          "virt", "pte",  "l1i",  "l1d",  "l2",
                                          "itlb", "dtlb", "stlb", "if"};
    static const char *const settings[] = {"speed", "glyphs"};
    static const char *const gfps[] = {
#define GFP_NAME_(name, value, meaning) #name,
        GFP_COMBINATIONS(GFP_NAME_)
#undef GFP_NAME_
    };
    switch (kind) {
    case COMPLETE_EVENT:
        for (uint16_t i = 1; i < NR_EVENTS; i++) {
            offer(prefix, event_info(i)->name, fn, ctx);
        }
        for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
            offer(prefix, fn_info(i)->name, fn, ctx);
        }
        break;
    case COMPLETE_INFO:
        command_infos(offer_word, &(struct offering){prefix, fn, ctx});
        break;
    case COMPLETE_TARGET:
        for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
            offer(prefix, targets[i], fn, ctx);
        }
        session_complete(a->session, prefix, fn, ctx);
        break;
    case COMPLETE_ADDRESS:
        offer(prefix, "phys", fn, ctx);
        break;
    case COMPLETE_LUA:
        session_complete(a->session, prefix, fn, ctx);
        break;
    case COMPLETE_MARK:
        for (int i = 0; i < a->nr_marks; i++) {
            offer(prefix, a->marks[i].name, fn, ctx);
        }
        break;
    case COMPLETE_KMEM:
        complete_kmem(a, &(struct offering){prefix, fn, ctx});
        break;
    case COMPLETE_ZONE:
        for (uint32_t i = 0; i < machine_nr_zones(a->model.m); i++) {
            offer(prefix, zone_view(a->model.m, i).name, fn, ctx);
        }
        offer(prefix, "auto", fn, ctx);
        offer(prefix, "next", fn, ctx);
        offer(prefix, "previous", fn, ctx);
        break;
    case COMPLETE_BRANCH:
        for (uint32_t i = 0; i < timeline_nr_branches(a->t); i++) {
            offer(prefix, timeline_branch(a->t, i).name, fn, ctx);
        }
        offer(prefix, "list", fn, ctx);
        offer(prefix, "name", fn, ctx);
        break;
    case COMPLETE_COMMANDS:
        for (size_t i = 0; i < commands_count(); i++) {
            offer(prefix, rows[i].name, fn, ctx);
        }
        break;
    case COMPLETE_CONFIG:
        for (size_t i = 0; config_options(i); i++) {
            char word[64];
            snprintf(word, sizeof word, "%s=", config_options(i)->name);
            offer(prefix, word, fn, ctx);
        }
        break;
    case COMPLETE_PROC:
        for (size_t i = 0; i < sizeof procs / sizeof procs[0]; i++) {
            offer(prefix, procs[i], fn, ctx);
        }
        break;
    case COMPLETE_SETTING:
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
            offer(prefix, settings[i], fn, ctx);
        }
        break;
    case COMPLETE_MEMORY:
        offer(prefix, "virtual", fn, ctx);
        offer(prefix, "physical", fn, ctx);
        offer(prefix, "ram", fn, ctx);
        offer(prefix, "back", fn, ctx);
        offer(prefix, "auto", fn, ctx);
        break;
    case COMPLETE_SPACE:
        offer(prefix, "current", fn, ctx);
        offer(prefix, "kernel", fn, ctx);
        break;
    case COMPLETE_CACHE:
    case COMPLETE_TLB:
        for (int i = 0; i < 3; i++) {
            const int first = kind == COMPLETE_TLB ? PART_ITLB : PART_L1I;
            offer(prefix, hw_part_title((enum hw_part)(first + i)), fn, ctx);
        }
        offer(prefix, "auto", fn, ctx);
        offer(prefix, "next", fn, ctx);
        offer(prefix, "previous", fn, ctx);
        break;
    case COMPLETE_VIEW:
        for (int i = 0; i < NR_VIEWS; i++) {
            offer(prefix, view_info(i)->name, fn, ctx);
        }
        offer(prefix, "auto", fn, ctx);
        offer(prefix, "next", fn, ctx);
        offer(prefix, "previous", fn, ctx);
        break;
    case COMPLETE_GFP:
        for (size_t i = 0; i < sizeof gfps / sizeof gfps[0]; i++) {
            offer(prefix, gfps[i], fn, ctx);
        }
        break;
    default:
        break;
    }
}

/* The command that line is about, once there is a blank behind it. */
static const struct command_row *command_of(const char *line)
{
    char name[32], others[200];
    line += strspn(line, " ");
    const size_t len = strncmp(line, "x/", 2) == 0 ? 1 : strcspn(line, " ");
    snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, line);
    return line[len] ? command_resolve(name, others, sizeof others) : NULL;
}

bool command_completes_files(const char *line)
{
    const struct command_row *row = command_of(line);
    return row && row->complete == COMPLETE_FILE;
}

void command_complete(struct app *a, const char *line,
                      void (*fn)(void *ctx, const char *word), void *ctx)
{
    line += strspn(line, " ");
    size_t len = strcspn(line, " ");
    if (!line[len]) { /* the first word: a command, or Lua */
        complete_argument(a, COMPLETE_COMMANDS, line, fn, ctx);
        session_complete(a->session, line, fn, ctx);
        return;
    }
    const char *last = strrchr(line, ' ') + 1;
    const struct command_row *row = command_of(line);
    if (row) {
        complete_argument(a, row->complete, last, fn, ctx);
    } else {
        session_complete(a->session, line, fn, ctx);
    }
    /* an address, wherever it stands: that is typed most often, and worst */
    const char *word = line + strlen(line);
    while (word > line && isalnum((unsigned char)word[-1])) {
        word--;
    }
    const bool wanted =
        row && (row->complete == COMPLETE_ADDRESS || row->complete == COMPLETE_TARGET ||
                row->complete == COMPLETE_MEMORY);
    if (*word == '0' || (!*word && wanted)) {
        screen_words(a, word, fn, ctx);
    }
}
