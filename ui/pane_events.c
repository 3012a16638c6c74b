/* The event log: the operations done, one line each, and the events of the one in view,
 * indented by the depth of the call stack.
 *
 * Rows: 0 .. op - 1 the operations before the one in view, then that one, then its events
 * that have happened.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "describe.h"
#include "pane.h"

#include <stdio.h>
#include <string.h>

static int nr_rows(const struct app *a)
{
    const struct model *md = &a->model;
    return md->has_op ? (int)(md->view.op + 1 + md->happened) : 0;
}

static int follow_row(const struct app *a) { return app_max_int(0, nr_rows(a) - 1); }

static void fit(struct app *a, int w, int h)
{
    (void)w;
    if (a->events.selected >= 0) {
        pane_list_show(&a->events, a->events.selected, nr_rows(a), h);
    } else {
        pane_list_follow(&a->events, follow_row(a), nr_rows(a), h, 0);
    }
}

static void op_text(const struct app *a, uint64_t op, char *buf, size_t size)
{
    const struct model *md = &a->model;
    struct op_record rec;
    buf[0] = 0;
    if (!timeline_op(a->t, md->at.branch, op, &rec)) {
        return;
    }
    if (op_is_note(&rec.op)) {
        const char *text = timeline_string(a->t, (uint32_t)rec.op.arg[1]);
        snprintf(buf, size, "%s\"%.*s\"", rec.op.arg[0] == NOTE_VIEW ? "view " : "",
                 (int)strcspn(text, "\n"), text);
        return;
    }
    bool under_way = md->inside && op == md->view.op;
    const struct op_info *info = op_info(rec.op.kind);
    bool answers = info && strcmp(info->result, "-") != 0;
    op_format(buf, size, md->m, &rec.op, under_way || !answers ? NULL : &rec.result);
}

static void draw_row(const struct app *a, struct grid *g, struct rect r, int y, int row,
                     int marks)
{
    const struct model *md = &a->model;
    char text[512];
    if ((uint64_t)row <= md->view.op) {
        op_text(a, (uint64_t)row, text, sizeof text);
        bool in_view = (uint64_t)row == md->view.op;
        grid_printf(g, r.x, y, ST_FAINT, marks, "%5llu",
                    (unsigned long long)op_number((uint64_t)row));
        grid_text_cut(g, r.x + 6, y, r.w - 7, text, a->glyphs->more,
                      in_view ? ST_BRIGHT : ST_DIM, marks);
        return;
    }
    uint64_t n = (uint64_t)row - md->view.op;
    const struct event *ev = op_events_get(&md->view, n);
    if (!ev) {
        return;
    }
    const struct event_info *info = event_info(ev->kind);
    bool newest = n == md->happened;
    int indent = app_min_int((int)ev->depth, app_max_int(2, r.w / 8));
    int style = info && info->level == EVENT_REPORT   ? ST_BAD
                : newest                              ? ST_BRIGHT
                : info && info->level == EVENT_DETAIL ? ST_DIM
                                                      : ST_NORMAL;
    if (newest) {
        grid_put(g, r.x, y, a->glyphs->here, ST_HINT_KEY, marks);
    }
    grid_printf(g, r.x + 1, y, ST_FAINT, marks, "%4llu", (unsigned long long)n);
    event_explain(text, sizeof text, md->m, ev);
    int x = r.x + 6 + indent;
    if (r.w >= 90 && info) {
        x = grid_text_cut(g, x, y, 34, info->name, a->glyphs->more, ST_EVENT_NAME,
                          marks) +
            1;
    }
    grid_text_cut(g, x, y, r.x + r.w - x - 1, text, a->glyphs->more, style, marks);
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    int nr = nr_rows(a);
    if (!nr) {
        grid_text_cut(g, r.x + 1, r.y, r.w - 1, "No operation has been done yet.",
                      a->glyphs->more, ST_DIM, 0);
    }
    for (int i = 0; i < r.h && a->events.top + i < nr; i++) {
        int row = a->events.top + i, y = r.y + i;
        bool newest = row == nr - 1 && a->model.happened;
        int marks = (newest ? MARK_LINE : 0) |
                    (focused && row == a->events.selected ? MARK_SELECTED : 0);
        if (marks) {
            grid_fill(g, (struct rect){r.x, y, r.w, 1}, ' ', ST_NORMAL, marks);
        }
        draw_row(a, g, r, y, row, marks);
    }
    pane_more(a, g, r, a->events.top, nr);
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    return pane_list_key(&a->events, k, nr_rows(a), h, follow_row(a));
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)x, (void)w, (void)h;
    if (a->events.top + y < nr_rows(a)) {
        a->events.selected = a->events.top + y;
    }
}

static char *details(struct app *a, char *name, size_t size)
{
    const struct model *md = &a->model;
    int row = a->events.selected >= 0 ? a->events.selected : follow_row(a);
    if (!md->has_op || row >= nr_rows(a)) {
        return NULL;
    }
    struct text_buf b = {0};
    char text[512];
    if ((uint64_t)row <= md->view.op) {
        op_text(a, (uint64_t)row, text, sizeof text);
        const unsigned long long number = op_number((uint64_t)row);
        snprintf(name, size, "Operation %llu", number);
        text_add(&b, POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL "\n", text);
        snprintf(a->details_command, sizeof a->details_command, "goto %llu", number);
        return b.text;
    }
    uint64_t n = (uint64_t)row - md->view.op;
    const struct event *ev = op_events_get(&md->view, n);
    const struct event_info *info = ev ? event_info(ev->kind) : NULL;
    if (!info) {
        return NULL;
    }
    const struct position at = {.op = md->view.op, .event = n};
    char place[POSITION_TEXT];
    snprintf(name, size, "Event %s: %s", position_format(place, at), info->name);
    event_explain(text, sizeof text, md->m, ev);
    text_add(&b, "%s\n\n", text);
    char arg[32], type[32];
    for (uint32_t i = 0; i < PROBE_ARGS && arg_describe(info->args, i, arg, type); i++) {
        value_format(text, sizeof text, md->m, type, ev->arg[i]);
        text_add(&b, POPUP_TEXT_DIM "%22s " POPUP_TEXT_KEY "%s\n", arg, text);
    }
    text_add(&b, POPUP_TEXT_NORMAL "\n" POPUP_TEXT_KEY "b" POPUP_TEXT_NORMAL
                                   " stops at all of this kind.\n");
    snprintf(a->details_command, sizeof a->details_command, "goto %s", place);
    return b.text;
}

static bool find(struct app *a, const char *wanted)
{
    const struct model *md = &a->model;
    int nr = nr_rows(a),
        at = a->events.selected >= 0 ? a->events.selected : follow_row(a);
    for (int i = 1; i <= nr && i < 100000; i++) {
        int row = (at + nr - i) % nr; /* backwards: the newest first */
        char text[1024];
        if ((uint64_t)row <= md->view.op) {
            op_text(a, (uint64_t)row, text, sizeof text);
        } else {
            const struct event *ev =
                op_events_get(&md->view, (uint64_t)row - md->view.op);
            int len = ev ? event_format(text, 512, md->m, ev) : 0;
            if (ev) {
                event_explain(text + app_min_int(len, 511), 512, md->m, ev);
            }
        }
        if (strstr(text, wanted)) {
            a->events.selected = row;
            return true;
        }
    }
    return false;
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    const struct model *md = &a->model;
    int row = a->events.selected >= 0 ? a->events.selected : follow_row(a);
    const struct event *ev = md->has_op && (uint64_t)row > md->view.op
                                 ? op_events_get(&md->view, (uint64_t)row - md->view.op)
                                 : NULL;
    return ev && event_arg(ev, "pfn", p) && *p != PFN_NONE;
}

const struct pane_kind pane_events = {
    .name = "Events",
    .short_name = "Events",
    .about = "All that has happened: the operations, and the events of the latest one, "
             "indented by the depth of calls.",
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .find = find,
};
