/* The card: what the script says at the position.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "card.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TEXT = 8192, MARGIN = 2 };

static const struct op *note_op(const struct app *a) { return &a->model.view.rec.op; }

bool card_shown(const struct app *a) { return a->model.is_note; }

/* ---- questions ---- */

static bool parse_question(const struct app *a, uint32_t text_id, char *copy,
                           struct question *q)
{
    const char *text = timeline_string(a->t, text_id);
    return strlen(text) < MAX_TEXT && session_parse_question(text, copy, q);
}

/* The choice that was answered; -1: none yet. */
static int answer_to(const struct app *a, uint32_t text_id)
{
    for (int i = 0; i < a->nr_answers; i++) {
        if (a->answers[i].text == text_id) {
            return a->answers[i].choice;
        }
    }
    return -1;
}

int card_choices(const struct app *a)
{
    char copy[MAX_TEXT];
    struct question q;
    uint32_t text = (uint32_t)note_op(a)->arg[1];
    if (!a->model.is_note || note_op(a)->arg[0] != NOTE_ASK || answer_to(a, text) >= 0 ||
        !parse_question(a, text, copy, &q)) {
        return 0;
    }
    return (int)q.nr_choices;
}

bool card_key(struct app *a, int key)
{
    int nr = card_choices(a);
    if (key < '1' || key >= '1' + nr) {
        return false;
    }
    if (a->nr_answers == MAX_ANSWERS) { /* the oldest is forgotten */
        memmove(&a->answers[0], &a->answers[1], (MAX_ANSWERS - 1) * sizeof a->answers[0]);
        a->nr_answers--;
    }
    a->answers[a->nr_answers].text = (uint32_t)note_op(a)->arg[1];
    a->answers[a->nr_answers++].choice = key - '1';
    return true;
}

void card_question_text(const struct app *a, uint32_t text_id, bool open, char *buf,
                        size_t size)
{
    char copy[MAX_TEXT];
    struct question q;
    if (!parse_question(a, text_id, copy, &q)) {
        snprintf(buf, size, "%s", timeline_string(a->t, text_id));
        return;
    }
    size_t len = (size_t)snprintf(buf, size, "%s", q.question);
    bool answered = answer_to(a, text_id) >= 0;
    for (uint32_t i = 0; i < q.nr_choices && len < size; i++) {
        if (open && !answered) {
            len +=
                (size_t)snprintf(buf + len, size - len, "\n%u  %s", i + 1, q.choice[i]);
        } else if (i == q.answer) {
            len += (size_t)snprintf(buf + len, size - len, "\nAnswer: %s", q.choice[i]);
        }
    }
}

/* ---- the card's lines ---- */

/* Either draws (g not NULL) or only counts; answers the number of rows. */
struct pen {
    const struct app *a;
    struct grid *g;
    struct rect r; /* text is cut at its last row */
    int row;
    bool tight; /* no empty rows */
};

static void put_line(struct pen *p, int indent, const char *s, size_t bytes, int style)
{
    if (p->tight && !bytes) {
        return;
    }
    if (p->g && p->row < p->r.h) {
        char buf[1024];
        snprintf(buf, sizeof buf, "%.*s", (int)bytes, s);
        grid_text(p->g, p->r.x + indent, p->r.y + p->row, buf, style, 0);
    }
    p->row++;
}

static void put_text(struct pen *p, int indent, const char *text, int style)
{
    struct text_line line;
    while (text_wrap(&text, p->r.w - indent, &line)) {
        put_line(p, indent, line.start, line.bytes, style);
    }
}

static void put_mark(struct pen *p, uint32_t mark, int style)
{
    if (p->g && p->row < p->r.h) {
        grid_put(p->g, p->r.x, p->r.y + p->row, mark, style, 0);
    }
}

/* Short choices share a row, so that less of the machine is covered. */
static bool choices_are_short(const struct pen *p, const struct question *q)
{
    int width = 0;
    for (uint32_t i = 0; i < q->nr_choices; i++) {
        int w = text_width(q->choice[i]);
        width += w + 6;
        if (w > 14) {
            return false;
        }
    }
    return width <= p->r.w;
}

static void put_choices(struct pen *p, const struct question *q, int answer)
{
    const struct glyphs *gl = p->a->glyphs;
    bool one_row = choices_are_short(p, q);
    int x = p->r.x;
    for (int i = 0; i < (int)q->nr_choices; i++) {
        bool right = i == (int)q->answer, chosen = i == answer;
        int style = answer < 0 ? ST_NORMAL : right ? ST_GOOD : chosen ? ST_BAD : ST_DIM;
        uint32_t mark = answer < 0 ? (uint32_t)('1' + i)
                        : right    ? gl->tick
                        : chosen   ? gl->fail
                                   : ' ';
        int mark_style = answer < 0 ? ST_HINT_KEY : style;
        if (!one_row) {
            put_mark(p, mark, mark_style);
            put_text(p, 3, q->choice[i], style);
        } else if (p->g && p->row < p->r.h) {
            grid_put(p->g, x, p->r.y + p->row, mark, mark_style, 0);
            x = grid_text(p->g, x + 2, p->r.y + p->row, q->choice[i], style, 0) + 4;
        }
    }
    p->row += one_row;
}

static void put_question(struct pen *p, uint32_t text_id)
{
    char copy[MAX_TEXT];
    struct question q;
    if (!parse_question(p->a, text_id, copy, &q)) {
        put_text(p, 0, timeline_string(p->a->t, text_id), ST_SENTENCE);
        return;
    }
    int answer = answer_to(p->a, text_id);
    put_text(p, 0, q.question, ST_SENTENCE);
    put_line(p, 0, "", 0, ST_NORMAL);
    put_choices(p, &q, answer);
    if (answer >= 0) {
        char verdict[MAX_TEXT];
        snprintf(verdict, sizeof verdict, "%s%s%s",
                 answer == (int)q.answer ? "Right." : "No.", *q.why ? " " : "", q.why);
        put_line(p, 0, "", 0, ST_NORMAL);
        put_text(p, 0, verdict, ST_SENTENCE);
    }
}

static int put_note(struct pen *p)
{
    const struct glyphs *gl = p->a->glyphs;
    const struct op *op = note_op(p->a);
    const char *text = timeline_string(p->a->t, (uint32_t)op->arg[1]);
    p->row = 0;
    switch ((enum note_kind)op->arg[0]) {
    case NOTE_ASK:
        put_question(p, (uint32_t)op->arg[1]);
        break;
    case NOTE_TITLE:
        put_text(p, 0, text, ST_HEADING);
        break;
    case NOTE_EXPECT_OK:
        put_mark(p, gl->tick, ST_GOOD);
        put_text(p, 2, text, ST_NORMAL);
        break;
    case NOTE_EXPECT_FAILED:
    case NOTE_ERROR:
        put_mark(p, gl->fail, ST_BAD);
        put_text(p, 2, text, ST_BAD);
        break;
    default:
        put_text(p, 0, text, ST_NORMAL);
        break;
    }
    return p->row;
}

/* ---- place ---- */

static struct rect text_rect(const struct app *a, int rows)
{
    struct rect now = a->layout.now;
    int bottom = now.y + now.h;
    return (struct rect){now.x + 1, bottom - rows, now.w - MARGIN, rows};
}

/* Empty rows are the first to go when there is no room. */
static struct pen measure(const struct app *a)
{
    struct rect now = a->layout.now;
    int most = a->layout.body.h + now.h - 1 - app_min_int(5, a->layout.body.h / 2);
    struct pen p = {.a = a, .r = text_rect(a, now.h - 1)};
    int rows = put_note(&p);
    if (rows > most) {
        p.tight = true;
        rows = put_note(&p);
    }
    p.r = text_rect(a, app_clamp(rows, now.h - 1, most));
    return p;
}

struct rect card_rect(const struct app *a)
{
    struct rect r = measure(a).r;
    return (struct rect){0, r.y - 1, a->cols, r.h + 1};
}

/* The chapter that the position is in: the last title said. */
static const char *chapter(const struct app *a)
{
    const struct model *md = &a->model;
    for (size_t i = md->notes.nr; i > 0; i--) {
        struct op_record rec;
        if (md->notes.at[i - 1] < md->at.op &&
            timeline_op(a->t, md->at.branch, md->notes.at[i - 1], &rec) &&
            rec.op.arg[0] == NOTE_TITLE) {
            return timeline_string(a->t, (uint32_t)rec.op.arg[1]);
        }
    }
    return session_title(a->session);
}

void card_draw(const struct app *a, struct grid *g)
{
    struct pen p = measure(a);
    struct rect r = {0, p.r.y - 1, a->cols, p.r.h + 1}, old = grid_clip(g, r);
    grid_fill(g, r, ' ', ST_NORMAL, 0);
    grid_hline(g, r.x, r.y, r.w, a->glyphs->hline, ST_RULE);
    char label[160];
    snprintf(label, sizeof label, " %s ",
             note_op(a)->arg[0] == NOTE_TITLE ? session_title(a->session) : chapter(a));
    grid_text_cut(g, r.x + 1, r.y, r.w - 2, label, a->glyphs->more, ST_HEADING, 0);
    p.g = g;
    if (put_note(&p) > p.r.h) {
        grid_put(g, r.x + r.w - 1, r.y + r.h - 1, a->glyphs->more, ST_HINT_KEY, 0);
    }
    grid_set_clip(g, old);
}
