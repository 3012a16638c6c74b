/* Commands: what is seen or counted, as files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "hardware.h"
#include "memsys.h"
#include "picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the event log ---- */

enum log_form { LOG_TEXT, LOG_NDJSON, LOG_FTRACE };

struct log_writer {
    FILE *f;
    enum log_form form;
    uint64_t op, events, number; /* number: of events before this operation */
};

static void put_json(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            fprintf(f, "\\%c", *p);
        } else if (*p < ' ') {
            fprintf(f, "\\u%04x", *p);
        } else {
            fputc(*p, f);
        }
    }
    fputc('"', f);
}

/* One event. ftrace's columns are task-pid, CPU, irqs-off/need-resched/hardirq/preempt
 * flags and a time; the simulated time is the number of the event, as microseconds. */
static void put_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct log_writer *w = ctx;
    char text[512];
    const struct event_info *info = event_info(ev->kind);
    event_format(text, sizeof text, m, ev);
    const char *fields = text + strcspn(text, " ");
    fields += *fields == ' ';
    const uint64_t n = w->number + ev->n;
    w->events++;
    if (w->form == LOG_FTRACE) {
        static const char contexts[] = {'.', 's', 'h'};
        const struct cpu_view v = cpu_view(m, ev->cpu);
        const char *colon = strchr(info->name, ':');
        fprintf(w->f,
                "         mmscope-1       [%03u] %c.%c%x. %5" PRIu64 ".%06" PRIu64
                ": %s: %s\n",
                ev->cpu, v.irqs_disabled ? 'd' : '.', contexts[ev->ctx < 3 ? ev->ctx : 0],
                v.preempt_count & 15, n / 1000000, n % 1000000,
                colon ? colon + 1 : info->name, fields);
    } else if (w->form == LOG_NDJSON) {
        fprintf(w->f, "{\"op\":%" PRIu64 ",\"n\":%" PRIu64 ",\"cpu\":%u,\"event\":",
                op_number(w->op), ev->n, ev->cpu);
        put_json(w->f, info->name);
        char name[32], type[32], value[160];
        for (uint32_t i = 0; i < PROBE_ARGS && arg_describe(info->args, i, name, type);
             i++) {
            value_format(value, sizeof value, m, type, ev->arg[i]);
            fprintf(w->f, ",");
            put_json(w->f, name);
            fprintf(w->f, ":");
            if (!strcmp(type, "n") || !strcmp(type, "order")) {
                fprintf(w->f, "%" PRIu64, ev->arg[i]);
            } else if (!strcmp(type, "bool")) {
                fprintf(w->f, ev->arg[i] ? "true" : "false");
            } else {
                put_json(w->f, value);
            }
        }
        fprintf(w->f, "}\n");
    } else {
        const struct position at = {.op = w->op, .event = ev->n};
        char place[POSITION_TEXT];
        fprintf(w->f, "%s\t%s\n", position_format(place, at), text);
    }
}

static uint64_t write_events(struct app *a, FILE *f, enum log_form form)
{
    const uint32_t branch = timeline_position(a->t).branch;
    struct log_writer w = {.f = f, .form = form};
    struct op_record rec;
    if (form == LOG_FTRACE) {
        fputs("# tracer: nop\n#\n#                                _-----=> irqs-off\n"
              "#                               / _----=> need-resched\n"
              "#                              | / _---=> hardirq/softirq\n"
              "#                              || / _--=> preempt-depth\n"
              "#                              ||| / _-=> migrate-disable\n"
              "#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION\n"
              "#              | |         |   ||||      |         |\n",
              f);
    }
    for (w.op = timeline_first_op(a->t); timeline_op(a->t, branch, w.op, &rec); w.op++) {
        char call[256];
        op_format(call, sizeof call, a->model.m, &rec.op, &rec.result);
        if (form == LOG_TEXT) {
            fprintf(f, "%" PRIu64 "\t%s\n", op_number(w.op), call);
        }
        if (rec.nr_events) {
            timeline_events(a->t, branch, w.op, put_event, &w);
        }
        w.number += rec.nr_events;
    }
    return w.events;
}

/* ---- counters ---- */

/* A line an operation: the zones' free pages, and what the CPUs have counted. */
static uint64_t write_counters(struct app *a, FILE *f)
{
    const struct position here = timeline_position(a->t);
    const struct machine *m = a->model.m;
    const uint64_t end = timeline_nr_ops(a->t, here.branch);
    uint64_t op = timeline_first_op(a->t);
    fprintf(f, "op,events");
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        fprintf(f, ",free_%s,pcp_%s", zone_view(m, z).name, zone_view(m, z).name);
    }
    fprintf(
        f, ",l1i_access,l1i_miss,l1d_access,l1d_miss,l2_access,l2_miss,tlb_miss,walks\n");
    for (; op <= end; op++) {
        timeline_seek(a->t, (struct position){here.branch, op, 0});
        fprintf(f, "%" PRIu64 ",%" PRIu64, op,
                timeline_event_number(a->t, timeline_position(a->t)));
        for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
            const struct zone_view v = zone_view(m, z);
            fprintf(f, ",%" PRIu64 ",%" PRIu64, v.free, v.pcp_pages);
        }
        uint64_t sums[8] = {0};
        for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
            const struct memsys *s = hardware_cpu(m, cpu);
            if (!s) {
                continue;
            }
            const struct memsys_tally *n = &s->s->n;
            const uint64_t add[8] = {tally_l1_accesses(n, SIDE_I),
                                     tally_l1_misses(n, SIDE_I),
                                     tally_l1_accesses(n, SIDE_D),
                                     tally_l1_misses(n, SIDE_D),
                                     tally_l2_accesses(n),
                                     tally_l2_misses(n),
                                     n->tlb_miss[SIDE_I] + n->tlb_miss[SIDE_D],
                                     n->walks};
            for (int i = 0; i < 8; i++) {
                sums[i] += add[i];
            }
        }
        for (int i = 0; i < 8; i++) {
            fprintf(f, ",%" PRIu64, sums[i]);
        }
        fputc('\n', f);
    }
    timeline_seek(a->t, here);
    return end + 1 - timeline_first_op(a->t);
}

/* ---- export ---- */

static bool write_view(const struct app *a, FILE *f, const char *path)
{
    struct grid g;
    if (!grid_create(&g, a->cols, a->rows)) {
        return false;
    }
    app_draw(a, &g);
    const bool good = picture_write(f, picture_kind(path), &g);
    grid_destroy(&g);
    return good;
}

static bool ends(const char *path, const char *with)
{
    const size_t n = strlen(path), w = strlen(with);
    return n >= w && !strcmp(path + n - w, with);
}

void run_export(struct app *a, const char *args)
{
    const char *path;
    enum { VIEW, EVENTS, COUNTERS } what;
    if (first_word_is(args, "view", &path)) {
        what = VIEW;
    } else if (first_word_is(args, "events", &path)) {
        what = EVENTS;
    } else if (first_word_is(args, "counters", &path)) {
        what = COUNTERS;
    } else {
        path = "";
    }
    if (!*path) {
        app_message(
            a, MESSAGE_ERROR,
            "export view FILE.txt, .svg or .html; export events FILE.txt, .ndjson "
            "or .ftrace; export counters FILE.csv");
        return;
    }
    FILE *f = fopen(path, "w");
    if (!f) {
        app_message(a, MESSAGE_ERROR, "%s cannot be written: %s", path, strerror(errno));
        return;
    }
    uint64_t lines = 0;
    bool good = true;
    if (what == VIEW) {
        good = write_view(a, f, path);
    } else if (what == EVENTS) {
        lines = write_events(a, f,
                             ends(path, ".ndjson") || ends(path, ".json") ? LOG_NDJSON
                             : ends(path, ".ftrace")                      ? LOG_FTRACE
                                                                          : LOG_TEXT);
    } else {
        lines = write_counters(a, f);
    }
    good = !ferror(f) && good;
    good = !fclose(f) && good;
    if (!good) {
        app_message(a, MESSAGE_ERROR, "%s could not be written whole: is the disk full?",
                    path);
    } else if (what == VIEW) {
        app_message(a, MESSAGE_INFO, "The screen is in %s.", path);
    } else {
        app_message(a, MESSAGE_INFO, "%" PRIu64 " %s are in %s.", lines,
                    what == EVENTS ? "events" : "operations", path);
    }
}

/* ---- asciicast ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void record_frame(struct app *a, const struct grid *g)
{
    struct recording *r = &a->recording;
    if (!r->file) {
        return;
    }
    char *bytes = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&bytes, &size);
    if (f) {
        picture_ansi(f, r->last.cells ? &r->last : NULL, g);
        fclose(f);
    }
    if (!r->began) {
        r->began = true;
        r->start = seconds();
        fprintf(r->file,
                "{\"version\": 2, \"width\": %d, \"height\": %d, \"title\": ", g->cols,
                g->rows);
        put_json(r->file, session_title(a->session));
        fprintf(r->file, "}\n");
    }
    if (bytes && size > 4) {
        fprintf(r->file, "[%.6f, \"o\", ", seconds() - r->start);
        put_json(r->file, bytes);
        fprintf(r->file, "]\n");
        fflush(r->file);
    }
    free(bytes);
    if (r->last.cols != g->cols || r->last.rows != g->rows) {
        grid_destroy(&r->last);
        grid_create(&r->last, g->cols, g->rows);
    }
    if (r->last.cells) {
        memcpy(r->last.cells, g->cells,
               (size_t)g->cols * (size_t)g->rows * sizeof *g->cells);
    }
}

void record_stop(struct app *a)
{
    if (a->recording.file) {
        fclose(a->recording.file);
        grid_destroy(&a->recording.last);
        a->recording = (struct recording){0};
    }
}

void run_record(struct app *a, const char *args)
{
    if (!*args || !strcmp(args, "stop")) {
        const bool was = a->recording.file != NULL;
        record_stop(a);
        app_message(a, was ? MESSAGE_INFO : MESSAGE_ERROR,
                    was ? "The recording is whole: asciinema play shows it."
                        : "Record into what? record FILE.cast; record stop ends it.");
        return;
    }
    record_stop(a);
    a->recording.file = fopen(args, "w");
    if (a->recording.file) {
        app_message(a, MESSAGE_INFO,
                    "What the screen shows goes into %s: record stop ends it.", args);
    } else {
        app_message(a, MESSAGE_ERROR, "%s cannot be written: %s", args, strerror(errno));
    }
}
