/* The story: what the lesson says, the newest at the bottom; expectations and how they
 * went.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "card.h"
#include "pane.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static const char sandbox_text[] =
    "This is a free machine: do anything to it, and take it back.\n\n"
    "a allocates, x frees, d drains a CPU's lists, ! lets an interrupt come; then S goes "
    "back one "
    "step, s forward again. A line of Lua after : does the rest, as\n"
    "  p = alloc_pages(GFP_KERNEL, 3)\n"
    "  __free_pages(p, 3)";

static const char opening_text[] =
    "Nothing has been told yet: press s (one step) or n (one line of the script).";
static const char silent_text[] =
    "This script has told nothing so far. What a step does stands in the rows at the "
    "bottom; pane 3 has the calls. In a script, say \"...\" tells something here.";
static const char silent_end_text[] =
    "The script has ended, and told nothing. S goes back a step, R to the beginning; a "
    "and : go on by hand.";
static const char no_script_text[] =
    "No script, no story: n goes on by a whole recorded call or access, s by what "
    "happens "
    "inside, N and S back. The rows at the bottom tell it; pane 3 has the calls.";

/* What stands here before anything is told. */
static const char *empty_text(const struct app *a)
{
    const struct model *md = &a->model;
    bool ended = !md->past && session_state(a->session) == SESSION_DONE;
    return a->sandbox    ? sandbox_text
           : a->recorded ? no_script_text
           : ended       ? silent_end_text
           : md->has_op  ? silent_text
                         : opening_text;
}

/* Notes that have been told at the position. */
static size_t nr_told(const struct app *a)
{
    const struct model *md = &a->model;
    size_t low = 0, high = md->notes.nr;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (md->notes.at[mid] < md->at.op) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct note {
    enum note_kind kind;
    const char *text;
    bool is_last;
    char question[2048]; /* what text points to when it is a question */
};

static void note_at(const struct app *a, size_t i, size_t told, struct note *n)
{
    struct op_record rec;
    *n = (struct note){.kind = NOTE_SAY, .text = "", .is_last = i + 1 == told};
    if (!timeline_op(a->t, a->model.at.branch, a->model.notes.at[i], &rec)) {
        return;
    }
    n->kind = (enum note_kind)rec.op.arg[0];
    n->text = timeline_string(a->t, (uint32_t)rec.op.arg[1]);
    if (n->kind == NOTE_ASK) {
        card_question_text(a, (uint32_t)rec.op.arg[1], n->is_last, n->question,
                           sizeof n->question);
        n->text = n->question;
    }
}

static int note_rows(const struct note *n, int w)
{
    int indent = n->kind == NOTE_SAY || n->kind == NOTE_TITLE ? 0 : 2;
    return text_nr_lines(n->text, w - indent) +
           (n->kind == NOTE_EXPECT_OK ? 0 : 1); /* an empty row behind */
}

/* The rows of the last notes: as many notes as make at least need rows. */
struct story {
    size_t told, first; /* notes first .. told - 1 */
    int rows;           /* that they take, without the last empty one */
    int newest_rows;    /* of the last note */
    int top;            /* the row at the pane's top when nothing is scrolled */
};

static struct story story(const struct app *a, int w, int h, int need)
{
    struct story s = {.told = nr_told(a)};
    s.first = s.told;
    while (s.first > 0 && s.rows < need + s.newest_rows) {
        struct note n;
        note_at(a, --s.first, s.told, &n);
        int rows = note_rows(&n, w);
        if (n.is_last) {
            s.newest_rows = n.kind == NOTE_EXPECT_OK ? rows : rows - 1;
            rows = s.newest_rows;
        }
        s.rows += rows;
    }
    /* the end of the story, but never so that the newest note's beginning is not seen */
    s.top = s.newest_rows > h ? s.rows - s.newest_rows : app_max_int(0, s.rows - h);
    return s;
}

static int draw_note(const struct app *a, struct grid *g, struct rect r, int y,
                     const struct note *n)
{
    int style = n->is_last ? ST_BRIGHT : ST_OLD, indent = 0;
    uint32_t mark = 0;
    int mark_style = style;
    switch (n->kind) {
    case NOTE_TITLE:
        style = n->is_last ? ST_HEADING : ST_OLD;
        break;
    case NOTE_EXPECT_OK:
        mark = a->glyphs->tick;
        mark_style = ST_GOOD;
        style = ST_OLD;
        break;
    case NOTE_EXPECT_FAILED:
    case NOTE_ERROR:
        mark = a->glyphs->fail;
        mark_style = style = ST_BAD;
        break;
    case NOTE_ASK:
        mark = '?';
        mark_style = style = ST_HEADING;
        break;
    default:
        break;
    }
    if (mark) {
        indent = 2;
        grid_put(g, r.x, y, mark, mark_style, 0);
    }
    const char *text = n->text;
    struct text_line line;
    while (text_wrap(&text, r.w - indent, &line)) {
        char buf[1024];
        snprintf(buf, sizeof buf, "%.*s", (int)line.bytes, line.start);
        grid_text(g, r.x + indent, y++, buf, style, 0);
    }
    return n->kind == NOTE_EXPECT_OK ? y : y + 1;
}

static struct rect text_rect(struct rect r)
{
    return (struct rect){r.x + 1, r.y, r.w - 3, r.h};
}

/* narration.top: rows scrolled down (up: negative) from where the story stands by
 * itself. */
static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    (void)focused;
    struct rect in = text_rect(r);
    int scrolled = a->narration.top;
    struct story s = story(a, in.w, in.h, in.h + (scrolled < 0 ? -scrolled : 0) + 2);
    if (!s.told) {
        struct note n = {.kind = NOTE_SAY, .text = empty_text(a)};
        draw_note(a, g, in, in.y, &n);
        return;
    }
    int top = app_clamp(s.top + scrolled, 0, app_max_int(s.top, s.rows - in.h)),
        y = in.y - top;
    for (size_t i = s.first; i < s.told && y < in.y + in.h; i++) {
        struct note n;
        note_at(a, i, s.told, &n);
        y = draw_note(a, g, in, y, &n);
    }
    if (top > 0 || s.first > 0) {
        grid_put(g, r.x + r.w - 1, r.y, a->glyphs->up, ST_HINT_KEY, 0);
    }
    if (s.rows - top > in.h) {
        grid_put(g, r.x + r.w - 1, r.y + r.h - 1, a->glyphs->down, ST_HINT_KEY, 0);
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    int step = 0;
    switch (k) {
    case K_UP:
    case 'k':
        step = -1;
        break;
    case K_DOWN:
    case 'j':
        step = 1;
        break;
    case K_PAGE_UP:
        step = 1 - h;
        break;
    case K_PAGE_DOWN:
        step = h - 1;
        break;
    case K_HOME:
        step = -(1 << 20);
        break;
    case K_END:
        a->narration.top = 0;
        return true;
    default:
        return false;
    }
    struct story s = story(a, w - 3, h, 1 << 24);
    int want =
        app_clamp(s.top + a->narration.top + step, 0, app_max_int(s.top, s.rows - h));
    a->narration.top = want - s.top;
    return true;
}

static void title(const struct app *a, char *buf, size_t size)
{
    uint64_t passed = 0, failed = 0;
    session_expectations(a->session, &passed, &failed);
    if (failed) {
        snprintf(buf, size, "%llu expectations failed", (unsigned long long)failed);
    } else if (size) {
        buf[0] = 0;
    }
}

static bool changed(const struct app *a) { return a->model.is_note; }

const struct pane_kind pane_narration = {
    .name = "Story",
    .short_name = "Story",
    .about = "What the lesson tells; the newest words are bright. A tick is an "
             "expectation that held.",
    .title = title,
    .draw = draw,
    .key = key,
    .changed = changed,
};
