/* Commands: looking around.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "inspect_space.h"
#include "pane.h"
#include "popup.h"
#include "slab_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void run_zone(struct app *a, const char *args)
{
    uint32_t nr = machine_nr_zones(a->model.m), zone;
    const bool next = !strcmp(args, "next"), previous = !strcmp(args, "previous");
    if ((next || previous) && pane_kind(a->focus)->turn) {
        pane_kind(a->focus)->turn(a, next ? 1 : -1);
        return;
    }
    if (!strcmp(args, "auto")) {
        a->zone_pinned = false;
        app_message(a, MESSAGE_INFO, "The lists follow what happens.");
        return;
    }
    if (next) {
        zone = (a->zone + 1) % nr;
    } else if (previous) {
        zone = (a->zone + nr - 1) % nr;
    } else {
        zone = zone_by_name(a->model.m, args);
    }
    if (zone >= nr) {
        app_message(a, MESSAGE_ERROR, "There is no zone %s here.", args);
        return;
    }
    a->zone = zone;
    a->zone_pinned = true;
    app_message(a, MESSAGE_INFO,
                "Zone %s stays in view; :zone auto follows what happens again.",
                zone_view(a->model.m, zone).name);
}

void run_cpu(struct app *a, const char *args)
{
    uint32_t nr = machine_nr_cpus(a->model.m), cpu;
    if (!strcmp(args, "auto")) {
        a->cpu_pinned = false;
        app_message(a, MESSAGE_INFO, "The lists follow what happens.");
        return;
    }
    if (!strcmp(args, "next")) {
        cpu = (a->cpu + 1) % nr;
    } else if (!strcmp(args, "previous")) {
        cpu = (a->cpu + nr - 1) % nr;
    } else {
        char *end;
        unsigned long n = strtoul(args, &end, 10);
        cpu = *args && !*end && n < nr ? (uint32_t)n : UINT32_MAX;
    }
    if (cpu >= nr) {
        app_message(a, MESSAGE_ERROR, "CPUs are 0 to %u here.", nr - 1);
        return;
    }
    a->cpu = cpu;
    a->cpu_pinned = true;
    model_show_cpu(&a->model, cpu);
    app_count(a);
    app_message(a, MESSAGE_INFO,
                "CPU %u stays in view; :cpu auto follows what happens again.", cpu);
}

void run_find(struct app *a, const char *args)
{
    uint64_t p;
    if (!*args || !selected_page(a, args, &p)) {
        if (!*args) {
            app_message(a, MESSAGE_ERROR, "find wants a page frame number, as 0x1c04.");
        }
        return;
    }
    a->map.has_cursor = true;
    a->map.cursor = p;
    app_focus(a, PANE_PHYSMAP);
    char title[96];
    a->details_command[0] = 0;
    char *text = page_details(a, p, title, sizeof title);
    popup_text(a, title, text);
    snprintf(a->popup.command, sizeof a->popup.command, "%s", a->details_command);
}

void run_details(struct app *a, const char *args)
{
    (void)args;
    if (session_state(a->session) == SESSION_ERROR && a->message_kind == MESSAGE_ERROR) {
        popup_text(a, "The script failed", strdup(session_error(a->session)));
        return;
    }
    const struct pane_kind *pane = pane_kind(a->focus);
    char title[96] = "";
    a->details_command[0] = 0;
    char *text = pane->details ? pane->details(a, title, sizeof title) : NULL;
    if (text) {
        popup_text(a, title, text);
        snprintf(a->popup.command, sizeof a->popup.command, "%s", a->details_command);
    } else {
        app_message(a, MESSAGE_INFO, "%s", pane->about);
    }
}

static void open_prompt(struct app *a, const char *prompt, const char *text)
{
    snprintf(a->prompt, sizeof a->prompt, "%s", prompt);
    snprintf(a->prompt_initial, sizeof a->prompt_initial, "%s", text);
    a->prompt_text[0] = 0;
    a->prompt_point = 0;
    a->prompt_open = true;
    a->running = false;
}

void run_prompt(struct app *a, const char *args) { open_prompt(a, ":", args); }

void run_search(struct app *a, const char *args)
{
    const struct pane_kind *pane = pane_kind(a->focus);
    if (!pane->find) {
        app_message(
            a, MESSAGE_INFO,
            "Search works in the script (1) and the events; :find PFN finds a page.");
        return;
    }
    if (!*args) {
        open_prompt(a, "/", "");
        return;
    }
    snprintf(a->search, sizeof a->search, "%s", args);
    if (!pane->find(a, a->search)) {
        app_message(a, MESSAGE_INFO, "\"%s\" is not to be found here.", a->search);
    }
}

void run_pane(struct app *a, const char *args)
{
    int pane = view_pane(a->prefs.view, atoi(args));
    if (pane < 0) {
        app_message(a, MESSAGE_ERROR, "Panes are 1 to %d here.",
                    view_nr_panes(a->prefs.view));
        return;
    }
    app_focus(a, pane);
}

void run_code(struct app *a, const char *args)
{
    uint16_t fn = 1;
    while (*args && fn < NR_FUNCTIONS && strcmp(fn_info(fn)->name, args) != 0) {
        fn++;
    }
    if (fn == NR_FUNCTIONS) {
        app_message(a, MESSAGE_ERROR, "The machine has no function %s.", args);
        return;
    }
    const bool back = !*args && a->focus == PANE_SOURCE;
    a->source_wanted = *args ? fn : 0;
    app_focus(a, back ? PANE_SCRIPT : PANE_SOURCE);
}

static void other_pane(struct app *a, int by)
{
    int view = a->prefs.view, nr = view_nr_panes(view);
    app_focus(a, view_pane(view, (view_number(view, a->focus) - 1 + nr + by) % nr + 1));
}

void run_next_pane(struct app *a, const char *args) { (void)args, other_pane(a, 1); }

void run_previous_pane(struct app *a, const char *args) { (void)args, other_pane(a, -1); }

/* The user's choice: from now on a lesson only suggests. */
void run_view(struct app *a, const char *args)
{
    int view = a->prefs.view;
    if (!*args) {
        popup_choice(a, "Views");
        for (int i = 0; i < NR_VIEWS; i++) {
            char command[48];
            snprintf(command, sizeof command, "view %s", view_info(i)->name);
            popup_add(a, command, "%s: %s", view_info(i)->title, view_info(i)->about);
        }
        return;
    }
    if (!strcmp(args, "auto")) {
        a->view_chosen = false;
        view = a->view_wanted >= 0 ? a->view_wanted : view;
        app_message(a, MESSAGE_INFO, "The view follows the lesson.");
    } else if (!strcmp(args, "next")) {
        view = (view + 1) % NR_VIEWS;
        a->view_chosen = true;
    } else if (!strcmp(args, "previous")) {
        view = (view + NR_VIEWS - 1) % NR_VIEWS;
        a->view_chosen = true;
    } else if (view_find(args) >= 0) {
        view = view_find(args);
        a->view_chosen = true;
    } else {
        app_message(a, MESSAGE_ERROR, "There is no view %s: :view lists them.", args);
        return;
    }
    app_show_view(a, view);
}

void run_zoom(struct app *a, const char *args)
{
    (void)args;
    a->prefs.zoomed = a->prefs.zoomed >= 0 ? -1 : a->focus;
}

static void scale(struct app *a, int by)
{
    if (pane_kind(a->focus)->scale) {
        pane_kind(a->focus)->scale(a, by);
        return;
    }
    struct map_state *s = &a->map;
    int shift = (s->shift >= 0 ? s->shift : s->fitted_shift) + by;
    app_focus(a, PANE_PHYSMAP);
    if (!s->has_cursor) {
        s->has_cursor =
            true; /* zoom to what happened last, else to the zone's beginning */
        s->cursor = a->model.nr_changed ? a->model.changed[0]
                                        : zone_view(a->model.m, a->zone).start_pfn;
    }
    s->shift = shift >= s->fitted_shift ? -1 : app_max_int(0, shift);
}

void run_scale_up(struct app *a, const char *args) { (void)args, scale(a, -1); }
void run_scale_down(struct app *a, const char *args) { (void)args, scale(a, 1); }

void run_events(struct app *a, const char *args)
{
    (void)args;
    static const char *const levels[] = {"a step", "a detail: only i stops at it",
                                         "a report of the kernel"};
    struct text_buf b = {0};
    for (uint16_t i = 1; i < NR_EVENTS; i++) {
        const struct event_info *e = event_info(i);
        char sentence[600];
        event_sentence(sentence, sizeof sentence, i);
        text_add(&b,
                 POPUP_TEXT_KEY "%s " POPUP_TEXT_DIM "%s\n" POPUP_TEXT_NORMAL "    %s\n",
                 e->name, levels[e->level], sentence);
    }
    popup_text(a, "All events", b.text);
}

void run_proc(struct app *a, const char *args)
{
    static const struct {
        const char *name;
        int (*print)(char *buf, size_t size, const struct machine *m);
    } files[] = {{"buddyinfo", proc_buddyinfo},    {"pagetypeinfo", proc_pagetypeinfo},
                 {"zoneinfo", proc_zoneinfo},      {"vmstat", proc_vmstat},
                 {"slabinfo", proc_slabinfo},      {"vmallocinfo", proc_vmallocinfo},
                 {"page_tables", proc_page_tables}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (strcmp(args, files[i].name) != 0) {
            continue;
        }
        int len = files[i].print(NULL, 0, a->model.m);
        char *text = len >= 0 ? malloc((size_t)len + 1) : NULL;
        if (text) {
            files[i].print(text, (size_t)len + 1, a->model.m);
            char title[64];
            snprintf(title, sizeof title, "/proc/%s", args);
            popup_text(a, title, text);
        }
        return;
    }
    popup_choice(a, "Files of /proc");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char command[32];
        snprintf(command, sizeof command, "proc %s", files[i].name);
        popup_add(a, command, "/proc/%s", files[i].name);
    }
}

void run_report(struct app *a, const char *args)
{
    (void)args;
    const struct model *md = &a->model;
    for (uint64_t n = md->happened; md->has_op && n >= 1;
         n--) { /* the last report of the operation in view */
        const struct event *ev = op_events_get(&md->view, n);
        if (ev && event_info(ev->kind)->level == EVENT_REPORT) {
            int len = report_format(NULL, 0, md->m, ev);
            char *text = len >= 0 ? malloc((size_t)len + 1) : NULL;
            if (text) {
                report_format(text, (size_t)len + 1, md->m, ev);
            }
            popup_text(a, "The kernel's report", text);
            return;
        }
    }
    app_message(a, MESSAGE_INFO, "The operation in view has made no report.");
}

void run_digest(struct app *a, const char *args)
{
    (void)args;
    char at[POSITION_TEXT];
    app_message(a, MESSAGE_INFO, "Digest %016llx at operation %s.",
                (unsigned long long)machine_digest(timeline_machine(a->t)),
                position_format(at, a->model.at));
}

void run_check(struct app *a, const char *args)
{
    (void)args;
    const char *broken = a->model.inside ? NULL : machine_check(timeline_machine(a->t));
    if (!broken) {
        broken = timeline_check(a->t);
    }
    if (broken) {
        app_message(a, MESSAGE_ERROR, "Broken: %s", broken);
    } else if (a->model.inside) {
        app_message(a, MESSAGE_INFO,
                    "The timeline is sound. The machine is inside an operation: finish "
                    "it (n) to check it.");
    } else {
        app_message(a, MESSAGE_INFO, "All invariants hold.");
    }
}

void run_figures(struct app *a, const char *args)
{
    (void)args;
    struct timeline_figures f = timeline_figures(a->t);
    char ops[28], checkpoints[28], strings[28];
    app_message(
        a, MESSAGE_INFO,
        "%llu operations, %llu events; history %s, %llu checkpoints %s, texts %s.",
        (unsigned long long)f.nr_ops, (unsigned long long)f.nr_events,
        bytes_text(ops, f.bytes_ops), (unsigned long long)f.nr_checkpoints,
        bytes_text(checkpoints, f.bytes_checkpoints),
        bytes_text(strings, f.bytes_strings));
}
