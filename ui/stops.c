/* What a run stops at.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "stops.h"

#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "model.h"

/* ---- the list ---- */

static bool is_place(const struct stop *stop)
{
    return stop->kind == STOP_LINE || stop->kind == STOP_OP;
}

void stops_changed(struct stops *s)
{
    memset(s->kinds, 0, sizeof s->kinds);
    s->all = s->ends = s->values = s->asked_places = false;
    for (int i = 0; i < s->nr; i++) {
        struct stop *stop = &s->list[i];
        stop->asked = is_place(stop) && (stop->test || stop->ignore);
        s->values |= stop->enabled && stop->kind == STOP_VALUE;
        s->ends |=
            stop->enabled && (stop->kind == STOP_CHANGE || stop->kind == STOP_VALUE);
        if (stop->enabled && stop->kind == STOP_PAGE) {
            for (uint16_t kind = 1; kind < NR_EVENTS; kind++) {
                const uint64_t one = event_names_pfn(kind);
                s->kinds[kind / 64] |= one << (kind % 64);
            }
        } else if (stop->enabled && stop->kind == STOP_EVENT) {
            s->kinds[stop->what / 64] |= UINT64_C(1) << (stop->what % 64);
        } else if (stop->enabled && (!is_place(stop) || stop->asked)) {
            s->all = true;
            s->ends |= is_place(stop);
            s->asked_places |= is_place(stop);
        }
    }
}

static bool compile(struct session *session, const char *text, struct condition **to,
                    char *err, size_t err_size)
{
    *to = *text ? session_condition(session, text, err, err_size) : NULL;
    return !*text || *to;
}

struct stop *stops_add(struct stops *s, struct session *session, const struct stop *like,
                       char *err, size_t err_size)
{
    if (s->nr == MAX_STOPS) {
        snprintf(err, err_size, "There are %d breakpoints already: delete one first.",
                 MAX_STOPS);
        return NULL;
    }
    struct stop *stop = &s->list[s->nr];
    *stop = *like;
    if (!compile(session, stop->text, &stop->expression, err, err_size)) {
        return NULL;
    }
    if (!compile(session, stop->condition, &stop->test, err, err_size)) {
        condition_forget(stop->expression);
        return NULL;
    }
    stop->number = ++s->last_number;
    stop->enabled = true;
    s->nr++;
    stops_changed(s);
    return stop;
}

bool stop_set_condition(struct stops *s, struct stop *stop, struct session *session,
                        const char *condition, char *err, size_t err_size)
{
    struct condition *test;
    if (!compile(session, condition, &test, err, err_size)) {
        return false;
    }
    condition_forget(stop->test);
    stop->test = test;
    snprintf(stop->condition, sizeof stop->condition, "%s", condition);
    stops_changed(s);
    return true;
}

struct stop *stops_find(struct stops *s, int number)
{
    for (int i = 0; i < s->nr; i++) {
        if (s->list[i].number == number) {
            return &s->list[i];
        }
    }
    return NULL;
}

struct stop *stops_same(struct stops *s, const struct stop *like)
{
    for (int i = 0; i < s->nr; i++) {
        struct stop *stop = &s->list[i];
        if (stop->kind == like->kind && stop->what == like->what &&
            stop->watch.kind == like->watch.kind && stop->watch.a == like->watch.a &&
            stop->watch.b == like->watch.b && stop->watch.c == like->watch.c &&
            !strcmp(stop->text, like->text)) {
            return stop;
        }
    }
    return NULL;
}

static void forget(struct stop *stop)
{
    condition_forget(stop->expression);
    condition_forget(stop->test);
}

void stops_remove(struct stops *s, int number)
{
    struct stop *stop = stops_find(s, number);
    if (stop) {
        forget(stop);
        memmove(stop, stop + 1, (size_t)(&s->list[s->nr] - (stop + 1)) * sizeof *stop);
        s->nr--;
        stops_changed(s);
    }
}

void stops_clear(struct stops *s)
{
    for (int i = 0; i < s->nr; i++) {
        forget(&s->list[i]);
    }
    s->nr = 0;
    stops_changed(s);
}

bool stops_places(const struct stops *s)
{
    for (int i = 0; i < s->nr; i++) {
        if (s->list[i].enabled && is_place(&s->list[i])) {
            return true;
        }
    }
    return false;
}

bool stops_events(const struct stops *s)
{
    for (int i = 0; i < s->nr; i++) {
        if (s->list[i].enabled && (!is_place(&s->list[i]) || s->list[i].asked)) {
            return true;
        }
    }
    return false;
}

const uint64_t *stops_kinds(const struct stops *s) { return s->all ? NULL : s->kinds; }

/* ---- searching ---- */

/* The innermost frame of this function, or NULL. */
static const struct probe_frame *frame_of(const struct machine *m, uint64_t fn)
{
    const struct probe *p = &m->probe;
    for (uint32_t d = p->depth < PROBE_STACK ? p->depth : PROBE_STACK; d > 0; d--) {
        if (p->stack[d - 1].fn == fn) {
            return &p->stack[d - 1];
        }
    }
    return NULL;
}

static void see_frame(struct stop *stop, const struct machine *m)
{
    const struct probe_frame *f = frame_of(m, stop->what);
    stop->inside = f != NULL;
    stop->entered = f ? f->event_entered : 0;
}

/* Its value as text: at ev, or behind the operation whose last event that was. */
static void read_value(const struct stop *stop, struct machine *m, const struct event *ev,
                       bool inside, char text[STOP_TEXT])
{
    if (inside || !ev) {
        condition_test(stop->expression, m, ev, text, STOP_TEXT);
    } else {
        condition_test_behind(stop->expression, m, ev, text, STOP_TEXT);
    }
}

void stops_begin(struct stops *s, struct machine *m, const struct event *last,
                 bool inside)
{
    s->seen = last ? *last : (struct event){0};
    for (int i = 0; i < s->nr; i++) {
        struct stop *stop = &s->list[i];
        if (stop->kind == STOP_CHANGE) {
            stop->last = watch_read(&stop->watch, m);
        } else if (stop->kind == STOP_VALUE) {
            read_value(stop, m, last, inside, stop->last_text);
        } else if (stop->kind == STOP_RETURN) {
            see_frame(stop, m);
        }
    }
}

static bool value_changed(struct stop *stop, struct machine *m, const struct event *ev,
                          bool inside)
{
    char now[STOP_TEXT];
    read_value(stop, m, ev, inside, now);
    if (!strcmp(now, stop->last_text)) {
        return false;
    }
    memcpy(stop->last_text, now, sizeof now);
    return true;
}

static bool has_returned(struct stop *stop, const struct machine *m,
                         const struct event *ev)
{
    const bool was = stop->inside && ev->n > 1;
    const uint16_t entered = stop->entered;
    see_frame(stop, m);
    return was && (!stop->inside || stop->entered != entered);
}

static bool is_at_place(const struct stop *stop, const struct op_start *at)
{
    return stop->enabled && is_place(stop) &&
           (stop->kind == STOP_OP
                ? stop->what == at->op
                : at->line && stop->what == at->line && at->before != at->line);
}

static bool is_hit(struct stops *s, struct stop *stop, struct machine *m,
                   const struct event *ev, const struct op_start *at)
{
    const struct probe_frame *f;
    switch (stop->kind) {
    case STOP_EVENT:
        return ev->kind == stop->what;
    case STOP_PAGE:
        return event_touches_pfn(ev, stop->what);
    case STOP_FUNCTION:
        f = frame_of(m, stop->what);
        return f && f->event_entered == (uint16_t)(ev->n - 1);
    case STOP_RETURN:
        return has_returned(stop, m, ev);
    case STOP_CHANGE:
        return watch_changed(&stop->watch, m, &stop->last);
    case STOP_VALUE:
        return value_changed(stop, m, ev, true);
    case STOP_WHEN: {
        enum verdict v = condition_test(stop->expression, m, ev, NULL, 0);
        if (v == VERDICT_ERROR) {
            condition_test(stop->expression, m, ev, s->error, sizeof s->error);
        }
        return v != VERDICT_NO;
    }
    case STOP_LINE:
    case STOP_OP:
        return at && stop->asked && is_at_place(stop, at);
    default:
        return false;
    }
}

bool stop_holds(struct stops *s, struct stop *stop, struct machine *m,
                const struct event *ev)
{
    if (stop->test) {
        enum verdict v = condition_test(stop->test, m, ev, NULL, 0);
        if (v == VERDICT_ERROR) {
            condition_test(stop->test, m, ev, s->error, sizeof s->error);
        }
        if (v == VERDICT_NO) {
            return false;
        }
    }
    if (!s->backwards && stop->ignore) {
        stop->ignore--;
        stop->hits++;
        return false;
    }
    return true;
}

struct stop *stops_at(struct stops *s, struct machine *m, const struct event *ev,
                      const struct op_start *at)
{
    if (!s->all && !(s->kinds[ev->kind / 64] >> (ev->kind % 64) & 1)) {
        return NULL;
    }
    struct stop *first = NULL;
    s->seen = *ev;
    for (int i = 0; i < s->nr; i++) { /* all of them: each keeps what it saw last */
        struct stop *stop = &s->list[i];
        if (stop->enabled && is_hit(s, stop, m, ev, at) && !first &&
            stop_holds(s, stop, m, ev)) {
            first = stop;
        }
    }
    return first;
}

struct stop *stops_at_end(struct stops *s, struct machine *m, const struct op_start *at)
{
    struct stop *first = NULL;
    const struct event *ev = s->seen.kind ? &s->seen : NULL;
    for (int i = 0; i < s->nr; i++) {
        struct stop *stop = &s->list[i];
        const bool hit =
            stop->enabled &&
            ((stop->kind == STOP_CHANGE && watch_changed(&stop->watch, m, &stop->last)) ||
             (stop->kind == STOP_VALUE && value_changed(stop, m, ev, false)) ||
             (at && stop->asked && is_at_place(stop, at)));
        if (hit && !first && stop_holds(s, stop, m, NULL)) {
            first = stop;
        }
    }
    return first;
}

struct stop *stops_at_place(struct stops *s, const struct op_start *at, bool asked)
{
    for (int i = 0; i < s->nr; i++) {
        struct stop *stop = &s->list[i];
        if (is_at_place(stop, at) && (asked || !stop->asked)) {
            return stop;
        }
    }
    return NULL;
}

int stop_format(char *buf, size_t size, const struct stop *stop, const struct machine *m)
{
    const unsigned long long what = stop->what;
    char name[160];
    switch (stop->kind) {
    case STOP_EVENT:
        snprintf(name, sizeof name, "event %s", event_info((uint16_t)what)->name);
        break;
    case STOP_FUNCTION:
        snprintf(name, sizeof name, "call of %s()", fn_info((uint16_t)what)->name);
        break;
    case STOP_RETURN:
        snprintf(name, sizeof name, "return from %s()", fn_info((uint16_t)what)->name);
        break;
    case STOP_LINE:
        snprintf(name, sizeof name, "line %llu of the script", what);
        break;
    case STOP_OP:
        snprintf(name, sizeof name, "operation %llu",
                 (unsigned long long)op_number(what));
        break;
    case STOP_PAGE:
        snprintf(name, sizeof name, "page 0x%llx", what);
        break;
    case STOP_CHANGE: {
        char thing[128];
        watch_name(thing, sizeof thing, &stop->watch, m);
        snprintf(name, sizeof name, "change of %s", thing);
        break;
    }
    default:
        snprintf(name, sizeof name, "%s %.140s",
                 stop->kind == STOP_VALUE ? "change of" : "when", stop->text);
        break;
    }
    return snprintf(buf, size, "%s%s%s", name, *stop->condition ? " if " : "",
                    stop->condition);
}
