/* The commands' answers as plain text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "console.h"

#include "commands.h"
#include "describe.h"
#include "pane.h"
#include "popup.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80 };

/* Text in lines of WIDTH columns, each begun with indent. */
static void put_text(FILE *out, const char *indent, const char *text)
{
    struct text_line line;
    int width = WIDTH - (int)strlen(indent);
    while (text_wrap(&text, width, &line)) {
        fprintf(out, "%s%.*s\n", indent, (int)line.bytes, line.start);
    }
}

static void put_question(FILE *out, const char *text)
{
    struct question q;
    char *copy = malloc(strlen(text) + 1);
    if (copy && session_parse_question(text, copy, &q)) {
        put_text(out, "? ", q.question);
        for (uint32_t i = 0; i < q.nr_choices; i++) {
            fprintf(out, "  %" PRIu32 " %s\n", i + 1, q.choice[i]);
        }
    }
    free(copy);
}

static void put_note(struct console *c, const struct op *op)
{
    const char *text = timeline_string(c->app->t, (uint32_t)op->arg[1]);
    switch ((enum note_kind)op->arg[0]) {
    case NOTE_TITLE:
        fprintf(c->out, "\n");
        put_text(c->out, "== ", text);
        break;
    case NOTE_EXPECT_OK:
        put_text(c->out, "holds: ", text);
        break;
    case NOTE_EXPECT_FAILED:
        put_text(c->out, "DOES NOT HOLD: ", text);
        break;
    case NOTE_ERROR:
        put_text(c->out, "error: ", text);
        break;
    case NOTE_ASK:
        put_question(c->out, text);
        break;
    default:
        put_text(c->out, "| ", text);
        break;
    }
}

/* The story between two positions, where it went on along one branch. */
static void put_notes(struct console *c, struct position from, struct position to)
{
    struct op_record rec;
    for (uint64_t op = from.op; from.branch == to.branch && op < to.op; op++) {
        if (timeline_op(c->app->t, to.branch, op, &rec) && rec.op.kind == OP_NOTE) {
            put_note(c, &rec.op);
        }
    }
}

void console_where(struct console *c)
{
    const struct model *md = &c->app->model;
    if (!md->has_op) {
        fprintf(c->out, "op 0, the beginning: the machine has booted\n");
        return;
    }
    char place[POSITION_TEXT];
    fprintf(c->out, "op %s", position_format(place, md->at));
    if (md->inside) {
        fprintf(c->out, "/%" PRIu32, md->view.rec.nr_events);
    }
    if (!md->is_note) {
        char call[256];
        const struct op_info *op = op_info(md->view.rec.op.kind);
        bool answers = op && strcmp(op->result, "-") != 0;
        op_format(call, sizeof call, md->m, &md->view.rec.op,
                  !md->inside && answers ? &md->view.rec.result : NULL);
        fprintf(c->out, ", CPU %u, %s", md->view.rec.op.cpu, call);
    }
    if (md->past) {
        fprintf(c->out, "  (past)");
    }
    fprintf(c->out, "\n");
    if (md->has_event) {
        char sentence[512];
        event_explain(sentence, sizeof sentence, md->m, &md->event);
        fprintf(c->out, "%s", event_info(md->event.kind)->name);
        if (md->depth) {
            fprintf(c->out, " in %s()", fn_info(md->stack[md->depth - 1].fn)->name);
        }
        fprintf(c->out, "\n");
        put_text(c->out, "  ", sentence);
    }
    if (md->line) {
        fprintf(c->out, "%" PRIu32 "\t%s\n", md->line,
                session_line(c->app->session, md->line));
    }
}

/* Without the characters that switch a popup's styles. */
static void put_popup_text(FILE *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t') {
            fputc(*p, out);
        }
    }
    size_t len = strlen(text);
    if (len && text[len - 1] != '\n') {
        fputc('\n', out);
    }
}

static void put_popup(struct console *c)
{
    struct app *a = c->app;
    switch (a->popup.kind) {
    case POPUP_TEXT:
        if (*a->popup.title) {
            fprintf(c->out, "%s\n", a->popup.title);
        }
        put_popup_text(c->out, a->popup.text ? a->popup.text : "");
        break;
    case POPUP_CHOICE:
        fprintf(c->out, "%s\n", a->popup.title);
        for (int i = 0; i < a->popup.nr_choices; i++) {
            fprintf(c->out, "  %-16s %s\n", a->popup.choices[i].command,
                    a->popup.choices[i].label);
        }
        break;
    case POPUP_ALLOC:
        fprintf(c->out, "alloc wants its arguments here: alloc ORDER GFP_KERNEL\n");
        break;
    case POPUP_QUIT:
        a->request = REQUEST_QUIT;
        break;
    default:
        break;
    }
    popup_close(a);
}

/* ---- what a pane would show ---- */

/* Does the command only move a pane? Its answer is what is seen there then. */
static bool shows_pane(const char *line, bool *whole)
{
    static const char *const names[] = {
        "cache",     "tlb",        "tables", "walk", "memory",        "pane",
        "next-pane", "code",       "sort",   "heat", "previous-pane", "zoom",
        "scale-up",  "scale-down", "search", "view"};
    char name[32], others[8];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
    const struct command_row *row = command_resolve(name, others, sizeof others);
    *whole = row && !strcmp(row->name, "view");
    for (size_t i = 0; row && i < sizeof names / sizeof names[0]; i++) {
        if (!strcmp(names[i], row->name)) {
            return true;
        }
    }
    return false;
}

static void put_grid(FILE *out, struct grid *g)
{
    char row[4 * WIDTH + 1];
    int rows = g->rows;
    bool blank = false; /* a pane's last rows may stand at its lower edge */
    while (rows && !grid_row_text(g, rows - 1, row, sizeof row)) {
        rows--;
    }
    for (int y = 0; y < rows; y++) {
        const bool text = grid_row_text(g, y, row, sizeof row) != 0;
        if (text || !blank) {
            fprintf(out, "%s\n", row);
        }
        blank = !text;
    }
}

static void put_screen(struct console *c)
{
    struct grid g;
    if (grid_create(&g, c->app->cols, c->app->rows)) {
        app_draw(c->app, &g);
        put_grid(c->out, &g);
        grid_destroy(&g);
    }
}

/* The focused pane, and what its cursor is on. */
static void put_pane(struct console *c)
{
    enum { ROWS = 16 };
    struct app *a = c->app;
    const struct pane_kind *p = pane_kind(a->focus);
    char title[160] = "";
    struct grid g;
    if (!grid_create(&g, WIDTH, ROWS)) {
        return;
    }
    if (p->fit) {
        p->fit(a, WIDTH, ROWS);
    }
    if (p->title) {
        p->title(a, title, sizeof title);
    }
    fprintf(c->out, "%s%s%s\n", p->name, *title ? ": " : "", title);
    p->draw(a, &g, (struct rect){0, 0, WIDTH, ROWS}, true);
    put_grid(c->out, &g);
    grid_destroy(&g);
    const bool set = (a->focus == PANE_CACHE || a->focus == PANE_TLB);
    char *text = set ? p->details(a, title, sizeof title) : NULL;
    if (text) {
        fprintf(c->out, "%s\n", title);
        put_popup_text(c->out, text);
    }
    free(text);
    app_layout(a);
}

void console_begin(struct console *c)
{
    fprintf(c->out, "%s\n", session_title(c->app->session));
    console_where(c);
}

static void run_one(struct console *c, const char *line)
{
    struct app *a = c->app;
    struct position from = timeline_position(a->t);
    bool whole;
    a->message_kind = MESSAGE_NONE;
    app_command(a, line);
    while (a->running) { /* here it runs as fast as it can */
        a->running = false;
        app_command(a, "continue");
    }
    const bool for_screen = a->prompt_open || a->request == REQUEST_SUSPEND ||
                            a->request == REQUEST_REDRAW || a->request == REQUEST_MOUSE;
    if (for_screen) {
        a->prompt_open = false;
        a->request = REQUEST_NONE;
        fprintf(c->out, "That is for the screen: mmscope open.\n");
    } else if (a->request == REQUEST_MENU) {
        a->request = REQUEST_QUIT;
    }
    struct position to = timeline_position(a->t);
    if (from.branch != to.branch || from.op != to.op || from.event != to.event) {
        put_notes(c, from, to);
        console_where(c);
    }
    if (a->message_kind != MESSAGE_NONE) {
        put_text(c->out, "", a->message);
    }
    if (a->popup.kind == POPUP_NONE && a->message_kind != MESSAGE_ERROR && !for_screen &&
        shows_pane(line, &whole)) {
        if (whole) {
            put_screen(c);
        } else {
            put_pane(c);
        }
    }
    put_popup(c);
}

void console_run(struct console *c, const char *line)
{
    char next[256];
    c->app->keeps_todo = true;
    run_one(c, line);
    while (app_next_todo(c->app, next, sizeof next)) {
        run_one(c, next);
    }
}
