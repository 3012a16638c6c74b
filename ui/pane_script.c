/* The script with its current line; for a session without a script, the list of
 * operations.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "api.h"
#include "describe.h"
#include "pane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_script(const struct app *a) { return session_nr_lines(a->session) > 0; }

static int nr_rows(const struct app *a)
{
    return has_script(a) ? (int)session_nr_lines(a->session)
                         : (int)timeline_nr_ops(a->t, a->model.at.branch);
}

/* The row that is followed: the line (or operation) in view. */
static int follow_row(const struct app *a)
{
    if (!has_script(a)) {
        return a->model.has_op ? (int)a->model.view.op : 0;
    }
    return a->model.near_line ? (int)a->model.near_line - 1 : 0;
}

static void title(const struct app *a, char *buf, size_t size)
{
    const char *name = session_name(a->session), *slash = strrchr(name, '/');
    snprintf(buf, size, "%s", slash ? slash + 1 : name);
}

static void fit(struct app *a, int w, int h)
{
    (void)w;
    int nr = nr_rows(a), row = a->script.selected;
    if (row >= 0) {
        pane_list_show(&a->script, row, nr, h);
        return;
    }
    pane_list_follow(&a->script, follow_row(a), nr, h, h > 8 ? 2 : 1);
}

/* ---- colouring Lua ---- */

enum lexer {
    LEX_CODE,
    LEX_COMMENT,
    LEX_STRING
}; /* what a long bracket that is still open holds */

static bool word_char(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool is_keyword(const char *s, size_t len)
{
    static const char *const words[] = {
        "and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
        "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
        "repeat",   "return", "then", "true", "until",  "while"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == len && !memcmp(words[i], s, len)) {
            return true;
        }
    }
    return false;
}

/* One token at s: its length and style. */
static size_t token(const struct app *a, const char *s, enum lexer *state, int *style)
{
    const char *close = *state != LEX_CODE ? strstr(s, "]]") : NULL;
    if (*state != LEX_CODE) {
        *style = *state == LEX_COMMENT ? ST_CODE_COMMENT : ST_CODE_STRING;
        if (!close) {
            return strlen(s);
        }
        *state = LEX_CODE;
        return (size_t)(close + 2 - s);
    }
    if (!strncmp(s, "--[[", 4) || !strncmp(s, "[[", 2)) {
        *state = s[0] == '-' ? LEX_COMMENT : LEX_STRING;
        *style = s[0] == '-' ? ST_CODE_COMMENT : ST_CODE_STRING;
        return s[0] == '-' ? 4 : 2;
    }
    if (!strncmp(s, "--", 2)) {
        *style = ST_CODE_COMMENT;
        return strlen(s);
    }
    if (*s == '"' || *s == '\'') {
        size_t n = 1;
        while (s[n] && s[n] != *s) {
            n += s[n] == '\\' && s[n + 1] ? 2 : 1;
        }
        *style = ST_CODE_STRING;
        return s[n] ? n + 1 : n;
    }
    size_t n = 0;
    while (word_char(s[n])) {
        n++;
    }
    if (n) {
        *style = is_keyword(s, n)           ? ST_CODE_WORD
                 : app_is_api_word(a, s, n) ? ST_CODE_CALL
                                            : ST_CODE;
        return n;
    }
    *style = ST_CODE;
    const char *next = s;
    utf8_next(&next);
    return (size_t)(next - s);
}

static void skip_line(const struct app *a, const char *s, enum lexer *state)
{
    int style;
    if (*state == LEX_CODE && !strstr(s, "[[")) {
        return;
    }
    while (*s) {
        s += token(a, s, state, &style);
    }
}

static void draw_code(const struct app *a, struct grid *g, int x, int y, int w,
                      const char *s, int marks, enum lexer *state)
{
    int end = x + w, width = 0;
    for (const char *t = s; *t;) {
        uint32_t ch = utf8_next(&t);
        width += ch == '\t' ? 4 : ch_width(ch);
    }
    bool cut = width > w;
    int at = x;
    while (*s) {
        int style;
        size_t len = token(a, s, state, &style);
        const char *stop = s + len;
        while (s < stop) {
            uint32_t ch = utf8_next(&s);
            int cw = ch == '\t' ? 4 : ch_width(ch);
            if (at + cw <= end - cut) {
                at += ch == '\t' ? 4 : grid_put(g, at, y, ch, style, marks);
            } else {
                at = end;
            }
        }
    }
    if (cut && w > 0) {
        grid_put(g, end - 1, y, a->glyphs->more, ST_DIM, marks);
    }
}

static bool line_has_breakpoint(const struct app *a, uint32_t line)
{
    for (int i = 0; i < a->stops.nr; i++) {
        if (a->stops.list[i].kind == STOP_LINE && a->stops.list[i].what == line) {
            return true;
        }
    }
    return false;
}

static void draw_script(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    enum lexer state = LEX_CODE;
    uint32_t nr = session_nr_lines(a->session), error = session_error_line(a->session);
    int digits = nr > 999 ? 4 : nr > 99 ? 3 : 2;
    for (int i = 0; i < a->script.top; i++) {
        skip_line(a, session_line(a->session, (uint32_t)i + 1), &state);
    }
    for (int row = 0; row < r.h && a->script.top + row < (int)nr; row++) {
        uint32_t line = (uint32_t)(a->script.top + row) + 1;
        bool current = line == a->model.line;
        bool selected = focused && (int)line - 1 == a->script.selected;
        bool failed = error == line && session_state(a->session) == SESSION_ERROR;
        int y = r.y + row,
            marks = (current ? MARK_LINE : 0) | (selected ? MARK_SELECTED : 0);
        if (marks) {
            grid_fill(g, (struct rect){r.x, y, r.w, 1}, ' ', ST_NORMAL, marks);
        }
        if (line_has_breakpoint(a, line)) {
            grid_put(g, r.x, y, a->glyphs->breakpoint, ST_BAD, marks);
        }
        grid_printf(g, r.x + 1, y,
                    failed    ? ST_BAD
                    : current ? ST_HINT_KEY
                              : ST_FAINT,
                    marks, "%*u", digits, line);
        if (current || failed) {
            uint32_t ch = failed            ? 'E'
                          : a->model.inside ? a->glyphs->here
                                            : a->glyphs->done;
            grid_put(g, r.x + 1 + digits, y, ch, failed ? ST_BAD : ST_HINT_KEY, marks);
        }
        int x = r.x + digits + 3;
        draw_code(a, g, x, y, r.x + r.w - x, session_line(a->session, line), marks,
                  &state);
    }
    pane_more(a, g, r, a->script.top, (int)nr);
}

/* ---- the list of operations ---- */

static void draw_ops(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct model *md = &a->model;
    int nr = nr_rows(a);
    if (!nr) {
        grid_text_cut(g, r.x + 1, r.y, r.w - 1,
                      a->sandbox ? "No operation yet: press a to allocate."
                                 : "No operation yet: press s.",
                      a->glyphs->more, ST_DIM, 0);
    }
    for (int row = 0; row < r.h && a->script.top + row < nr; row++) {
        uint64_t op = (uint64_t)(a->script.top + row);
        struct op_record rec;
        if (!timeline_op(a->t, md->at.branch, op, &rec)) {
            break;
        }
        bool current = md->has_op && op == md->view.op,
             future = op >= md->at.op + (md->inside ? 1 : 0);
        bool selected = focused && (int)op == a->script.selected;
        int y = r.y + row,
            marks = (current ? MARK_LINE : 0) | (selected ? MARK_SELECTED : 0);
        if (marks) {
            grid_fill(g, (struct rect){r.x, y, r.w, 1}, ' ', ST_NORMAL, marks);
        }
        char text[512];
        if (op_is_note(&rec.op)) {
            snprintf(text, sizeof text, "%s",
                     timeline_string(a->t, (uint32_t)rec.op.arg[1]));
        } else {
            op_format(text, sizeof text, md->m, &rec.op,
                      current && md->inside ? NULL
                      : rec.op.kind == OP_ALLOC_PAGES ||
                              rec.op.kind == OP_ALLOC_PAGES_BULK
                          ? &rec.result
                          : NULL);
        }
        grid_printf(g, r.x + 1, y, current ? ST_HINT_KEY : ST_FAINT, marks, "%5llu",
                    (unsigned long long)op_number(op));
        if (current) {
            grid_put(g, r.x + 6, y, md->inside ? a->glyphs->here : a->glyphs->done,
                     ST_HINT_KEY, marks);
        }
        grid_text_cut(g, r.x + 8, y, r.w - 8, text, a->glyphs->more,
                      future ? ST_DIM : ST_CODE, marks);
    }
    pane_more(a, g, r, a->script.top, nr);
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    if (has_script(a)) {
        draw_script(a, g, r, focused);
    } else {
        draw_ops(a, g, r, focused);
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    return pane_list_key(&a->script, k, nr_rows(a), h, follow_row(a));
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)x, (void)w, (void)h;
    if (a->script.top + y < nr_rows(a)) {
        a->script.selected = a->script.top + y;
    }
}

static char *details(struct app *a, char *name, size_t size)
{
    int row = a->script.selected >= 0 ? a->script.selected : follow_row(a);
    struct text_buf b = {0};
    if (has_script(a)) {
        uint32_t line = (uint32_t)row + 1;
        snprintf(name, size, "Line %u", line);
        const char *s = session_line(a->session, line);
        while (*s) { /* every call of the scenario API in the line, explained */
            size_t n = 0;
            while (word_char(s[n])) {
                n++;
            }
            char word[48];
            snprintf(word, sizeof word, "%.*s", n < 47 ? (int)n : 47, s);
            const struct api_entry *e = n ? session_api_find(word) : NULL;
            char call[200] = "";
            if (e) {
                api_signature(call, sizeof call, e);
            }
            if (e && (!b.text || !strstr(b.text, call))) {
                text_add(&b, POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL "\n%s\n\n", call,
                         e->help);
            }
            s += n ? n : 1;
        }
        if (!b.text) {
            text_add(&b, "This line calls nothing of the machine.\n\n");
        }
        text_add(&b, POPUP_TEXT_KEY "b" POPUP_TEXT_NORMAL
                                    " sets a breakpoint on the line.\n");
    } else {
        struct op_record rec;
        if (!timeline_op(a->t, a->model.at.branch, (uint64_t)row, &rec)) {
            return NULL;
        }
        const struct op_info *info = op_info(rec.op.kind);
        char text[512];
        op_format(text, sizeof text, a->model.m, &rec.op, &rec.result);
        const unsigned long long number = op_number((uint64_t)row);
        snprintf(name, size, "Operation %llu", number);
        text_add(&b,
                 POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL "\n%s\n\n%u events on CPU %u.\n",
                 text, info ? info->sentence : "", rec.nr_events, rec.op.cpu);
        snprintf(a->details_command, sizeof a->details_command, "goto %llu", number);
    }
    return b.text;
}

static bool find(struct app *a, const char *text)
{
    int nr = nr_rows(a),
        at = a->script.selected >= 0 ? a->script.selected : follow_row(a);
    for (int i = 1; i <= nr && has_script(a); i++) {
        int row = (at + i) % nr;
        if (strstr(session_line(a->session, (uint32_t)row + 1), text)) {
            a->script.selected = row;
            return true;
        }
    }
    return false;
}

const struct pane_kind pane_script = {
    .name = "Script",
    .short_name = "Script",
    .about = "The lesson's script; the bright line has just been run, or is being run. "
             "In the sandbox: the operations.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .find = find,
};
