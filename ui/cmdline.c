/* The command line: readline through its callback interface, inside curses.
 *
 * readline gets its bytes from a queue, writes to nowhere, and touches neither signals,
 * nor the terminal's modes, nor the environment. A line is never run inside the callback:
 * it is kept, and the caller runs it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include "cmdline.h"

#include "commands.h"
#include "folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <readline/history.h>
#include <readline/readline.h>

enum { QUEUE = 256, HISTORY_LINES = 1000 };

static struct {
    struct app *app;
    unsigned char queue[QUEUE];
    size_t head, nr;
    bool done, got_line;
    char line[1024];
    char path[1024]; /* the name of a file that is completed */
    char history_file[512];
    FILE *nowhere;
    char **words; /* of the completion under way */
    size_t nr_words, words_room;
} cmd;

static int get_byte(FILE *f)
{
    (void)f;
    if (!cmd.nr) {
        return EOF;
    }
    cmd.nr--;
    return cmd.queue[cmd.head++ % QUEUE];
}

static int input_available(void) { return cmd.nr > 0; }

static void redisplay(void)
{
    struct app *a = cmd.app;
    if (!a) {
        return;
    }
    /* an incremental search shows itself in the prompt */
    const char *prompt =
        rl_display_prompt && *rl_display_prompt ? rl_display_prompt : ":";
    snprintf(a->prompt_text, sizeof a->prompt_text, "%s",
             rl_line_buffer ? rl_line_buffer : "");
    a->prompt_point = (size_t)rl_point < sizeof a->prompt_text
                          ? (size_t)rl_point
                          : sizeof a->prompt_text - 1;
    if (strlen(prompt) < sizeof a->prompt) {
        snprintf(a->prompt, sizeof a->prompt, "%s", prompt);
    }
}

static void got_line(char *line)
{
    cmd.done = true;
    cmd.got_line = line != NULL;
    snprintf(cmd.line, sizeof cmd.line, "%s", line ? line : "");
    free(line);
    rl_callback_handler_remove();
}

/* ---- completion ---- */

static void collect(void *ctx, const char *word)
{
    (void)ctx;
    for (size_t i = 0; i < cmd.nr_words; i++) {
        if (!strcmp(cmd.words[i], word)) {
            return;
        }
    }
    if (cmd.nr_words == cmd.words_room) {
        size_t room = cmd.words_room ? 2 * cmd.words_room : 64;
        char **bigger = realloc(cmd.words, room * sizeof *bigger);
        if (!bigger) {
            return;
        }
        cmd.words = bigger;
        cmd.words_room = room;
    }
    char *copy = strdup(word);
    if (copy) {
        cmd.words[cmd.nr_words++] = copy;
    }
}

static char *next_word(const char *text, int state)
{
    static size_t at;
    at = state ? at : 0;
    size_t len = strlen(text);
    while (at < cmd.nr_words) {
        const char *word = cmd.words[at++];
        if (!strncmp(word, text, len)) {
            return strdup(word);
        }
    }
    return NULL;
}

/* A name of a file: readline's own function wants the whole path, but only what stands
 * behind its last / is replaced here (that is a word's end, since it divides in Lua). */
static char *next_file(const char *text, int state)
{
    char *path = rl_filename_completion_function(cmd.path, state);
    const char *slash = path ? strrchr(path, '/') : NULL;
    (void)text;
    if (slash) {
        memmove(path, slash + 1, strlen(slash + 1) + 1);
    }
    return path;
}

static void forget_words(void)
{
    for (size_t i = 0; i < cmd.nr_words; i++) {
        free(cmd.words[i]);
    }
    cmd.nr_words = 0;
}

static char **complete(const char *text, int start, int end)
{
    (void)start;
    forget_words();
    rl_attempted_completion_over = 1; /* file names only where they belong */
    char line[1024];
    snprintf(line, sizeof line, "%.*s", end, rl_line_buffer);
    if (command_completes_files(line)) {
        snprintf(cmd.path, sizeof cmd.path, "%s", strrchr(line, ' ') + 1);
        return rl_completion_matches(text, next_file);
    }
    command_complete(cmd.app, line, collect, NULL);
    return rl_completion_matches(text, next_word);
}

static void show_matches(char **matches, int nr, int longest)
{
    (void)longest;
    struct app *a = cmd.app;
    size_t room = 1;
    for (int i = 1; i <= nr; i++) {
        room += strlen(matches[i]) + 1;
    }
    free(a->prompt_matches);
    a->prompt_matches = malloc(room);
    if (!a->prompt_matches) {
        return;
    }
    char *to = a->prompt_matches;
    *to = 0;
    for (int i = 1; i <= nr; i++) {
        to += sprintf(to, "%s\n", matches[i]);
    }
}

/* ---- life ---- */

void cmdline_init(void)
{
    if (!user_path(cmd.history_file, sizeof cmd.history_file, FOLDER_STATE, "history")) {
        cmd.history_file[0] = 0;
    }
    cmd.nowhere = fopen("/dev/null", "r+");
    rl_readline_name = "mmscope";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_prep_term_function = NULL;
    rl_deprep_term_function = NULL;
    rl_instream = cmd.nowhere;
    rl_outstream = cmd.nowhere;
    rl_getc_function = get_byte;
    rl_input_available_hook = input_available;
    rl_redisplay_function = redisplay;
    rl_completion_display_matches_hook = show_matches;
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = (char *)" \t\n\"'=<>;&(){}[],+*/";
    rl_variable_bind("bell-style", "none");
    rl_variable_bind("enable-bracketed-paste", "off");
    rl_variable_bind("show-all-if-ambiguous", "on");
    rl_variable_bind("completion-query-items", "0");
    rl_variable_bind("keyseq-timeout", "0");
    using_history();
    stifle_history(HISTORY_LINES);
    if (*cmd.history_file) {
        read_history(cmd.history_file);
    }
}

void cmdline_finish(void)
{
    if (*cmd.history_file && history_length > 0) {
        make_folders(cmd.history_file);
        write_history(cmd.history_file);
    }
    forget_words();
    free(cmd.words);
    if (cmd.nowhere) {
        fclose(cmd.nowhere);
    }
    memset(&cmd, 0, sizeof cmd);
}

void cmdline_size(int cols, int rows) { rl_set_screen_size(rows, cols); }

void cmdline_open(struct app *a)
{
    cmd.app = a;
    cmd.nr = cmd.head = 0;
    cmd.done = false;
    rl_callback_handler_install(a->prompt, got_line);
    rl_set_screen_size(a->rows, a->cols);
    if (*a->prompt_initial) {
        rl_insert_text(a->prompt_initial);
    }
    redisplay();
}

static void closed(struct app *a)
{
    a->prompt_open = false;
    free(a->prompt_matches);
    a->prompt_matches = NULL;
    forget_words();
}

void cmdline_cancel(struct app *a)
{
    if (!cmd.done) {
        rl_callback_sigcleanup();
        rl_callback_handler_remove();
    }
    closed(a);
}

static void remember(const char *line)
{
    HIST_ENTRY *last =
        history_length ? history_get(history_base + history_length - 1) : NULL;
    if (*line && (!last || strcmp(last->line, line) != 0)) {
        add_history(line);
    }
}

enum cmdline_state cmdline_byte(struct app *a, unsigned char byte, bool more)
{
    bool empty = !rl_line_buffer || !*rl_line_buffer;
    bool backspace = byte == 127 || byte == 8;
    if (byte == K_CTRL_C || (byte == K_ESC && !more && !cmd.nr) ||
        (empty && (backspace || byte == K_CTRL_D))) {
        cmdline_cancel(a);
        return CMDLINE_CANCELLED;
    }
    if (cmd.nr == QUEUE) {
        return CMDLINE_EDITING;
    }
    if (!cmd.nr) {
        cmd.head = 0;
    }
    cmd.queue[(cmd.head + cmd.nr++) % QUEUE] = byte;
    if (more && byte == K_ESC) { /* an escape sequence: readline wants it in one piece */
        return CMDLINE_EDITING;
    }
    free(a->prompt_matches);
    a->prompt_matches = NULL;
    while (cmd.nr && !cmd.done) {
        rl_callback_read_char();
    }
    if (!cmd.done) {
        return CMDLINE_EDITING;
    }
    closed(a);
    if (cmd.got_line) {
        remember(cmd.line);
    }
    return cmd.got_line ? CMDLINE_DONE : CMDLINE_CANCELLED;
}

const char *cmdline_line(void) { return cmd.line; }

char *cmdline_read(struct app *a, const char *prompt)
{
    cmd.app = a;
    rl_instream = stdin;
    rl_outstream = stdout;
    rl_catch_signals = 1; /* Ctrl-C: readline puts the terminal right first */
    rl_catch_sigwinch = 1;
    rl_prep_term_function = rl_prep_terminal;
    rl_deprep_term_function = rl_deprep_terminal;
    rl_getc_function = rl_getc;
    rl_input_available_hook = NULL;
    rl_redisplay_function = rl_redisplay;
    rl_completion_display_matches_hook = NULL;
    char *line = readline(prompt);
    if (line) {
        remember(line);
    }
    return line;
}
