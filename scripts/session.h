/* A session: one scenario (or the free sandbox), its machine under a timeline, and the
 * script beside it.
 *
 * The screen, `mmscope run` and later front ends all drive a scenario through this. The
 * script is a coroutine that issues one operation at a time; it is only resumed at the
 * end of the current branch. Going back does not touch it. When the user does something
 * in the past, a branch begins and the script's state belongs to the old future: the next
 * session_advance() then runs the script again from its beginning, with the same machine
 * answers, up to the branch's last operation (operations that the user added are passed
 * over), and goes on from there.
 *
 * No Lua type appears here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_SESSION_H
#define SCRIPTS_SESSION_H

#include "timeline.h"

struct session;

struct session_options {
    const struct arena_host *host; /* NULL: host_memory */
    size_t history_bytes;          /* 0: the default */
    const char *const *settings;   /* "name=value" machine options that override the
                                      script's, NULL-terminated */
    bool keep_locals; /* record the script's visible locals at every operation */
    uint64_t seed;    /* 0: the script's or the default */
};

/* Open a lesson, a scenario or a saved session (session_file.h); NULL with cause and
 * remedy in err (file missing, syntax error with its line, bad machine). */
struct session *session_open(const char *path, const struct session_options *o, char *err,
                             size_t err_size);
/* The same from text; name is what messages call it. */
struct session *session_open_text(const char *name, const char *text,
                                  const struct session_options *o, char *err,
                                  size_t err_size);
/* The free sandbox: a machine and no script. */
struct session *session_open_sandbox(const struct session_options *o, char *err,
                                     size_t err_size);
/* Around a timeline that somebody else fills (replay --view); the session owns it from
 * now on. */
struct session *session_open_timeline(struct timeline *t, const char *name);
void session_close(struct session *s);

struct timeline *session_timeline(struct session *s);
const char *session_title(const struct session *s); /* never NULL */
const char *session_name(const struct session *s);  /* the file's path, "sandbox", ... */
/* The view that the script wants to be seen in (scripts/views.h); "" when it does not
 * say. */
const char *session_view(const struct session *s);
/* For a session without a script. */
void session_set_view(struct session *s, const char *view);
/* The script's text, for the script pane: number of lines, and a line without its newline
 * (1-based). */
uint32_t session_nr_lines(const struct session *s);
const char *session_line(const struct session *s, uint32_t line);

enum session_state {
    SESSION_READY,  /* the script has more to do, as far as is known */
    SESSION_DONE,   /* it has returned */
    SESSION_ERROR,  /* it has failed: session_error() */
    SESSION_STOPPED /* interrupted, or over its instruction limit for one step; advancing
                       again goes on */
};
/* At the end of the current branch: resume the script until it has issued one more
 * operation (which is done and recorded; a note counts) or ended. Elsewhere: go to the
 * end first. interrupted is asked now and then. */
enum session_state session_advance(struct session *s, bool (*interrupted)(void *ctx),
                                   void *ctx);
/* It is SESSION_STOPPED and shall not go on: SESSION_ERROR from now on. */
void session_give_up(struct session *s, const char *why);
enum session_state session_state(const struct session *s);
/* The message with file, line and traceback of SESSION_ERROR; "" otherwise. */
const char *session_error(const struct session *s);
uint32_t session_error_line(const struct session *s);
/* Counts of expect() so far on this branch's script run. */
void session_expectations(const struct session *s, uint64_t *passed, uint64_t *failed);

/* A frame of the script's call stack when it issued an operation; 0 is the innermost. */
struct script_frame {
    char name[96];      /* "take()", "function <small.lua:23>" */
    char file[256];     /* as the traceback has it */
    uint32_t line;      /* 0: a function that is not written in Lua */
    const char *locals; /* "name = value" a line each, locals_len bytes; the timeline's */
    size_t locals_len;
};
bool session_frame(const struct session *s, uint32_t branch, uint64_t op, uint32_t n,
                   struct script_frame *f);
uint32_t session_nr_frames(const struct session *s, uint32_t branch, uint64_t op);
/* Whose locals the console and conditions see at the position: 0 after every move. */
void session_select_frame(struct session *s, uint32_t n);

/* Feed a timeline that has no script: called by session_advance; false when there is
 * nothing more. For replay --view. */
void session_set_feed(struct session *s, bool (*feed)(void *ctx, struct timeline *t),
                      void *ctx);
/* Asked before each: is there something to feed? false, after a moment: not yet, so that
 * session_advance can be interrupted while it waits. */
void session_set_feed_ready(struct session *s, bool (*ready)(void *ctx));
/* Asked what it will feed next, if it knows without waiting. */
void session_set_feed_peek(struct session *s, bool (*peek)(void *ctx, struct op *op));
/* The operation that session_advance would do next at the end of the branch; false: not
 * known, as with every script. Nothing is changed. */
bool session_next_op(const struct session *s, struct op *op);

/* Asked now and then while a line or a condition runs; true stops it. NULL: nobody is. */
void session_set_interrupted(struct session *s, bool (*interrupted)(void *ctx),
                             void *ctx);
/* Run a line of Lua typed by the user, at the position: expressions print their value,
 * operations are done and recorded as the user's (a branch begins if the position is in
 * the past). out receives what was printed or the error (malloced, never NULL; free it).
 * False on an error. Globals that it sets stay for the next line. */
bool session_console(struct session *s, const char *line, char **out);
/* A condition: an expression over the machine's state, compiled once. Beside what the
 * console knows, the fields of the event and `ev` itself are in scope. It can look at the
 * machine, but do nothing to it. NULL: err says what is wrong with it. It lives as long
 * as the session. */
struct condition;
struct condition *session_condition(struct session *s, const char *expression, char *err,
                                    size_t err_size);
/* Its value as text, as the console prints it, at this event (ev may be NULL: between
 * operations) of the session's machine; buf holds the error if it has none. True: it is
 * neither nil nor false, nor an error. */
enum verdict { VERDICT_NO, VERDICT_YES, VERDICT_ERROR };
enum verdict condition_test(struct condition *c, struct machine *m,
                            const struct event *ev, char *buf, size_t size);
/* The same behind the operation whose last event ev was. */
enum verdict condition_test_behind(struct condition *c, struct machine *m,
                                   const struct event *ev, char *buf, size_t size);
void condition_forget(struct condition *c);

/* Words that complete the last word of line at the console: calls fn for each. */
void session_complete(struct session *s, const char *line,
                      void (*fn)(void *ctx, const char *word), void *ctx);

/* A NOTE_ASK's text: the question, then a line for each choice ("- choice", the right one
 * "= choice"), then, if the script says why, "> why". This takes it apart; the pointers
 * are into copy, which must be as large as text. */
enum { SESSION_MAX_CHOICES = 9 };
struct question {
    const char *question, *why; /* why: "" when there is none */
    const char *choice[SESSION_MAX_CHOICES];
    uint32_t nr_choices, answer; /* answer: index of the right choice */
};
bool session_parse_question(const char *text, char *copy, struct question *q);

/* Title and one-line summary of a lesson file without running it; false when it is none.
 */
bool session_describe(const char *path, char *title, size_t title_size, char *summary,
                      size_t summary_size);

#endif
