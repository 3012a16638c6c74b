/* The commands. Over 800 lines because each row of command.def has its function here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "commands.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"
#include "travel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND(id, name, args, complete, help)                                          \
    static void run_##id(struct app *a, const char *args_);
#include "command.def"
#undef COMMAND

static const struct command_row rows[] = {
#define COMMAND(id, name, args, complete, help)                                          \
    {name, args, help, COMPLETE_##complete, run_##id},
#include "command.def"
#undef COMMAND
};

size_t commands_count(void) { return sizeof rows / sizeof rows[0]; }

const struct command_row *command_row(size_t i)
{
    return i < commands_count() ? &rows[i] : NULL;
}

const struct command_row *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count(); i++) {
        if (!strcmp(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* ---- going through time ---- */

static void travelled(struct app *a, enum travel result, struct position from)
{
    app_moved(a, from);
    switch (result) {
    case TRAVEL_END:
        a->running = false;
        if (a->sandbox) {
            app_message(
                a, MESSAGE_INFO,
                "This is now. Do something: a allocates, : takes Lua. S goes back.");
        } else {
            app_message(a, MESSAGE_INFO,
                        "The script ends here. S goes back, R to the beginning, a and : "
                        "do something new.");
        }
        break;
    case TRAVEL_START:
        app_message(a, MESSAGE_INFO,
                    "This is the beginning: the machine has just booted.");
        break;
    case TRAVEL_FAILED: {
        a->running = false;
        const char *error = session_error(a->session);
        app_message(a, MESSAGE_ERROR, "The script failed: %.*s (Enter: more)",
                    (int)strcspn(error, "\n"), error);
        break;
    }
    case TRAVEL_INTERRUPTED:
        a->running = false;
        app_message(a, MESSAGE_INFO, "Stopped.");
        break;
    default:
        break;
    }
}

typedef enum travel travel_fn(struct app *a, int direction);

static void travel(struct app *a, travel_fn *fn, int direction)
{
    struct position from = timeline_position(a->t);
    travelled(a, fn(a, direction), from);
}

static void run_step(struct app *a, const char *args)
{
    (void)args, travel(a, travel_step, 1);
}
static void run_step_back(struct app *a, const char *args)
{
    (void)args, travel(a, travel_step, -1);
}
static void run_event(struct app *a, const char *args)
{
    (void)args, travel(a, travel_event, 1);
}
static void run_event_back(struct app *a, const char *args)
{
    (void)args, travel(a, travel_event, -1);
}
static void run_next(struct app *a, const char *args)
{
    (void)args, travel(a, travel_next, 1);
}
static void run_next_back(struct app *a, const char *args)
{
    (void)args, travel(a, travel_next, -1);
}
static void run_finish(struct app *a, const char *args)
{
    (void)args, travel(a, travel_finish, 1);
}
static void run_finish_back(struct app *a, const char *args)
{
    (void)args, travel(a, travel_finish, -1);
}

static void breakpoint_text(const struct app *a, const struct breakpoint *b, char *buf,
                            size_t size)
{
    switch (b->kind) {
    case BREAK_EVENT:
        snprintf(buf, size, "event %s", event_info((uint16_t)b->what)->name);
        break;
    case BREAK_FUNCTION:
        snprintf(buf, size, "call of %s()", fn_info((uint16_t)b->what)->name);
        break;
    case BREAK_LINE:
        snprintf(buf, size, "line %llu of the script", (unsigned long long)b->what);
        break;
    default:
        snprintf(buf, size, "page " PFN_FORMAT, (unsigned long long)b->what);
        break;
    }
    (void)a;
}

static void continue_to(struct app *a, int direction)
{
    struct position from = timeline_position(a->t);
    int which;
    enum travel result = travel_continue(a, direction, &which);
    travelled(a, result, from);
    if (result == TRAVEL_BREAK && which >= 0) {
        char text[128];
        breakpoint_text(a, &a->breakpoints[which], text, sizeof text);
        app_message(a, MESSAGE_INFO, "Breakpoint: %s.", text);
    } else if (result == TRAVEL_MOVED && direction > 0 &&
               session_state(a->session) == SESSION_DONE) {
        app_message(a, MESSAGE_INFO,
                    "The script ends here. S goes back, R to the beginning.");
    }
}

static void run_continue(struct app *a, const char *args)
{
    (void)args, continue_to(a, 1);
}
static void run_continue_back(struct app *a, const char *args)
{
    (void)args, continue_to(a, -1);
}

static void run_run(struct app *a, const char *args)
{
    (void)args;
    a->running = !a->running;
}

static void run_faster(struct app *a, const char *args)
{
    (void)args;
    a->speed++;
    app_message(a, MESSAGE_INFO, "%d steps a second.", app_speed(a));
}

static void run_slower(struct app *a, const char *args)
{
    (void)args;
    a->speed = a->speed > 0 ? a->speed - 1 : 0;
    app_message(a, MESSAGE_INFO, "%d step%s a second.", app_speed(a),
                app_speed(a) == 1 ? "" : "s");
}

static void seek(struct app *a, struct position to)
{
    struct position from = timeline_position(a->t);
    timeline_seek(a->t, to);
    app_moved(a, from);
}

static void run_restart(struct app *a, const char *args)
{
    (void)args;
    seek(a,
         (struct position){timeline_position(a->t).branch, timeline_first_op(a->t), 0});
}

static void run_now(struct app *a, const char *args)
{
    (void)args;
    uint32_t branch = timeline_position(a->t).branch;
    seek(a, (struct position){branch, timeline_nr_ops(a->t, branch), 0});
}

static void run_goto(struct app *a, const char *args)
{
    char *end;
    unsigned long long op = strtoull(args, &end, 0), event = 0;
    bool good = end != args;
    if (good && *end == '.') {
        const char *rest = end + 1;
        event = strtoull(rest, &end, 0);
        good = end != rest;
    }
    if (!good || *end) {
        app_message(a, MESSAGE_ERROR, "goto wants OP or OP.EVENT, as in: goto 12.3");
        return;
    }
    struct position from = timeline_position(a->t);
    travelled(a, travel_to(a, op, event), from);
}

/* ---- branches ---- */

static bool word_is(const char *args, const char *word, const char **rest)
{
    size_t len = strlen(word);
    if (strncmp(args, word, len) != 0 || (args[len] && args[len] != ' ')) {
        return false;
    }
    *rest = args + len + strspn(args + len, " ");
    return true;
}

static void list_branches(struct app *a)
{
    popup_choice(a, "Branches");
    uint32_t here = timeline_position(a->t).branch;
    for (uint32_t i = 0; i < timeline_nr_branches(a->t); i++) {
        struct branch_info b = timeline_branch(a->t, i);
        char command[32];
        snprintf(command, sizeof command, "branch %u", i);
        if (i == 0) {
            popup_add(a, command, "%s %-16s %llu operations", here == i ? "*" : " ",
                      b.name, (unsigned long long)b.nr_ops);
        } else {
            popup_add(a, command, "%s %-16s %llu operations, left %s after %llu",
                      here == i ? "*" : " ", b.name, (unsigned long long)b.nr_ops,
                      timeline_branch(a->t, b.parent).name,
                      (unsigned long long)b.fork_op);
        }
        if (here == i) {
            a->popup.selected = (int)i < MAX_CHOICES ? (int)i : 0;
        }
    }
}

static void run_branch(struct app *a, const char *args)
{
    const char *name;
    if (!*args || !strcmp(args, "list")) {
        list_branches(a);
        return;
    }
    struct position at = timeline_position(a->t);
    if (word_is(args, "name", &name) && *name) {
        timeline_name_branch(a->t, at.branch, name);
        app_message(a, MESSAGE_INFO, "This branch is called %s now.", name);
        return;
    }
    char *end;
    unsigned long n = strtoul(args, &end, 10);
    uint32_t nr = timeline_nr_branches(a->t),
             to = end != args && !*end ? (uint32_t)n : UINT32_MAX;
    for (uint32_t i = 0; i < nr; i++) {
        if (!strcmp(timeline_branch(a->t, i).name, args)) {
            to = i;
        }
    }
    if (to >= nr) {
        app_message(a, MESSAGE_ERROR, "There is no branch %s: :branch lists them.", args);
        return;
    }
    /* to where the two part, or as far as the other one goes: what both have in common
     * is kept in view */
    uint64_t ops = timeline_nr_ops(a->t, to);
    seek(a, (struct position){to, ops, 0});
    app_message(a, MESSAGE_INFO, "Branch %s, at its end.",
                timeline_branch(a->t, to).name);
}

/* ---- breakpoints ---- */

static void toggle_breakpoint(struct app *a, struct breakpoint b)
{
    char text[128];
    breakpoint_text(a, &b, text, sizeof text);
    for (int i = 0; i < a->nr_breakpoints; i++) {
        if (a->breakpoints[i].kind == b.kind && a->breakpoints[i].what == b.what) {
            memmove(&a->breakpoints[i], &a->breakpoints[i + 1],
                    (size_t)(a->nr_breakpoints - i - 1) * sizeof a->breakpoints[0]);
            a->nr_breakpoints--;
            app_message(a, MESSAGE_INFO, "No longer a breakpoint: %s.", text);
            return;
        }
    }
    if (a->nr_breakpoints == MAX_BREAKPOINTS) {
        app_message(a, MESSAGE_ERROR,
                    "There are %d breakpoints: remove one first (:breakpoints).",
                    MAX_BREAKPOINTS);
        return;
    }
    a->breakpoints[a->nr_breakpoints++] = b;
    app_message(a, MESSAGE_INFO, "Breakpoint: %s. c continues to it, C goes back to it.",
                text);
}

static uint16_t function_by_name(const char *name)
{
    for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
        if (!strcmp(fn_info(i)->name, name)) {
            return i;
        }
    }
    return 0;
}

static void break_at_selection(struct app *a)
{
    const struct model *md = &a->model;
    if (a->focus == PANE_SCRIPT && session_nr_lines(a->session)) {
        int row = a->script.selected >= 0 ? a->script.selected : (int)md->line - 1;
        if (row >= 0) {
            toggle_breakpoint(a, (struct breakpoint){BREAK_LINE, (uint64_t)row + 1});
            return;
        }
    }
    if (a->focus == PANE_STACK && md->depth) {
        int row = a->stack.selected >= 0 ? a->stack.selected : (int)md->depth - 1;
        toggle_breakpoint(a, (struct breakpoint){BREAK_FUNCTION, md->stack[row].fn});
        return;
    }
    const struct event *ev = md->has_event ? &md->event : NULL;
    if (a->focus == PANE_EVENTS && a->events.selected >= 0 && md->has_op &&
        (uint64_t)a->events.selected > md->view.op) {
        ev = op_events_get(&md->view, (uint64_t)a->events.selected - md->view.op);
    }
    if (ev) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_EVENT, ev->kind});
    } else {
        app_message(
            a, MESSAGE_INFO,
            "Nothing to break on here: :break EVENT, :break FUNCTION or :break LINE.");
    }
}

static void run_break(struct app *a, const char *args)
{
    if (!*args) {
        break_at_selection(a);
        return;
    }
    char *end;
    unsigned long line = strtoul(args, &end, 10);
    uint16_t kind = event_kind_by_name(args), fn = function_by_name(args);
    if (!*end && line && line <= session_nr_lines(a->session)) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_LINE, line});
    } else if (kind) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_EVENT, kind});
    } else if (fn) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_FUNCTION, fn});
    } else {
        app_message(a, MESSAGE_ERROR,
                    "%s is no event, no function and no line of the script (:events "
                    "lists events).",
                    args);
    }
}

static bool selected_page(struct app *a, const char *args, uint64_t *p)
{
    if (*args) {
        char *end;
        *p = strtoull(args, &end, 0);
        if (*end) {
            app_message(a, MESSAGE_ERROR,
                        "%s is no page frame number, as 0x1c04 or 7172.", args);
            return false;
        }
        return true;
    }
    const struct pane_kind *pane = pane_kind(a->focus);
    return pane->selected_pfn && pane->selected_pfn(a, p);
}

static void run_watch(struct app *a, const char *args)
{
    uint64_t p;
    if (selected_page(a, args, &p)) {
        toggle_breakpoint(a, (struct breakpoint){BREAK_PFN, p});
    } else if (!*args) {
        app_message(a, MESSAGE_INFO,
                    "Select a page first (in 4, 5 or 6), or :watch PFN.");
    }
}

static void run_breakpoints(struct app *a, const char *args)
{
    if (!strcmp(args, "clear")) {
        a->nr_breakpoints = 0;
        app_message(a, MESSAGE_INFO, "No breakpoints now.");
        return;
    }
    if (!a->nr_breakpoints) {
        app_message(a, MESSAGE_INFO,
                    "There are no breakpoints: b sets one, w watches a page.");
        return;
    }
    popup_choice(a, "Breakpoints (Enter removes one)");
    for (int i = 0; i < a->nr_breakpoints; i++) {
        const struct breakpoint *b = &a->breakpoints[i];
        char text[128], command[160];
        breakpoint_text(a, b, text, sizeof text);
        const char *word = strrchr(text, ' ');
        if (b->kind == BREAK_PFN) {
            snprintf(command, sizeof command, "watch %llu", (unsigned long long)b->what);
        } else if (b->kind == BREAK_LINE) {
            snprintf(command, sizeof command, "break %llu", (unsigned long long)b->what);
        } else {
            snprintf(command, sizeof command, "break %.*s", (int)strcspn(word + 1, "("),
                     word + 1);
        }
        popup_add(a, command, "%s", text);
    }
}

/* ---- looking ---- */

static void run_zone(struct app *a, const char *args)
{
    uint32_t nr = machine_nr_zones(a->model.m), zone;
    if (!strcmp(args, "auto")) {
        a->zone_pinned = false;
        app_message(a, MESSAGE_INFO, "The lists follow what happens.");
        return;
    }
    if (!strcmp(args, "next")) {
        zone = (a->zone + 1) % nr;
    } else if (!strcmp(args, "previous")) {
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

static void run_cpu(struct app *a, const char *args)
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
    app_message(a, MESSAGE_INFO,
                "CPU %u stays in view; :cpu auto follows what happens again.", cpu);
}

static void run_find(struct app *a, const char *args)
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

static void run_details(struct app *a, const char *args)
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

static void run_prompt(struct app *a, const char *args) { open_prompt(a, ":", args); }

static void run_search(struct app *a, const char *args)
{
    const struct pane_kind *pane = pane_kind(a->focus);
    if (!pane->find) {
        app_message(
            a, MESSAGE_INFO,
            "Search works in the script (1) and the events (8); :find PFN finds a page.");
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

static void run_pane(struct app *a, const char *args)
{
    int n = atoi(args);
    if (n < 1 || n > NR_PANES) {
        app_message(a, MESSAGE_ERROR, "Panes are 1 to %d.", NR_PANES);
        return;
    }
    app_focus(a, n - 1);
}

static void run_next_pane(struct app *a, const char *args)
{
    (void)args, app_focus(a, (a->focus + 1) % NR_PANES);
}

static void run_previous_pane(struct app *a, const char *args)
{
    (void)args;
    app_focus(a, (a->focus + NR_PANES - 1) % NR_PANES);
}

static void run_zoom(struct app *a, const char *args)
{
    (void)args;
    a->prefs.zoomed = a->prefs.zoomed >= 0 ? -1 : a->focus;
}

static void scale(struct app *a, int by)
{
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

static void run_scale_up(struct app *a, const char *args) { (void)args, scale(a, -1); }
static void run_scale_down(struct app *a, const char *args) { (void)args, scale(a, 1); }

static void run_events(struct app *a, const char *args)
{
    (void)args;
    static const char *const levels[] = {"a step", "a detail: only i stops at it",
                                         "a report of the kernel"};
    struct text_buf b = {0};
    for (uint16_t i = 1; i < NR_EVENTS; i++) {
        const struct event_info *e = event_info(i);
        text_add(&b,
                 POPUP_TEXT_KEY "%s " POPUP_TEXT_DIM "%s\n" POPUP_TEXT_NORMAL "    %s\n",
                 e->name, levels[e->level], e->sentence);
    }
    popup_text(a, "All events", b.text);
}

static void run_proc(struct app *a, const char *args)
{
    static const struct {
        const char *name;
        int (*print)(char *buf, size_t size, const struct machine *m);
    } files[] = {{"buddyinfo", proc_buddyinfo},
                 {"pagetypeinfo", proc_pagetypeinfo},
                 {"zoneinfo", proc_zoneinfo},
                 {"vmstat", proc_vmstat}};
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

static void run_report(struct app *a, const char *args)
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

static void run_locals(struct app *a, const char *args)
{
    (void)args;
    const struct model *md = &a->model;
    if (!md->has_op) {
        app_message(a, MESSAGE_INFO, "The script has not begun.");
        return;
    }
    struct site site = timeline_site(a->t, md->view.rec.op.site);
    const char *locals = timeline_locals(a->t, md->at.branch, md->view.op);
    struct text_buf b = {0};
    text_add(&b,
             POPUP_TEXT_HEADING "Variables" POPUP_TEXT_NORMAL
                                "\n%s\n\n" POPUP_TEXT_HEADING
                                "Called from" POPUP_TEXT_NORMAL "\n%s\n",
             *locals ? locals : "(none)",
             site.stack && *site.stack ? site.stack : "(nowhere)");
    popup_text(a, "The script at this operation", b.text);
}

static void run_digest(struct app *a, const char *args)
{
    (void)args;
    app_message(a, MESSAGE_INFO, "Digest %016llx at operation %llu, event %llu.",
                (unsigned long long)machine_digest(timeline_machine(a->t)),
                (unsigned long long)a->model.at.op,
                (unsigned long long)a->model.at.event);
}

static void run_check(struct app *a, const char *args)
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

static void run_figures(struct app *a, const char *args)
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

/* ---- doing ---- */

/* Do an operation as the user; says so when that begins a branch. */
static uint64_t user_op(struct app *a, struct op op)
{
    struct position from = timeline_position(a->t);
    op.origin = ORIGIN_USER;
    op.cpu = (uint8_t)a->cpu;
    uint32_t branches = timeline_nr_branches(a->t);
    uint64_t result = timeline_do(a->t, &op);
    app_moved(a, from);
    char text[256];
    const struct op_info *info = op_info(op.kind);
    op_format(text, sizeof text, a->model.m, &op,
              info && strcmp(info->result, "-") != 0 ? &result : NULL);
    if (timeline_nr_branches(a->t) > branches) {
        app_message(a, MESSAGE_INFO, "Now on %s; the old future is kept (:branch). %s",
                    timeline_branch(a->t, a->model.at.branch).name, text);
    } else {
        app_message(a, MESSAGE_INFO,
                    "%s on CPU %u. F goes to its beginning, s steps through it.", text,
                    op.cpu);
    }
    return result;
}

static void run_alloc(struct app *a, const char *args)
{
    if (!*args) {
        popup_alloc(a);
        return;
    }
    char *end;
    unsigned long order = strtoul(args, &end, 0);
    const char *words = end + strspn(end, " "), *bad = NULL;
    gfp_t gfp = GFP_KERNEL;
    if (end == args || order > UINT32_MAX || (*words && !gfp_parse(words, &gfp, &bad))) {
        app_message(a, MESSAGE_ERROR,
                    "alloc wants ORDER [GFP], as in: alloc 3 GFP_KERNEL|__GFP_ZERO%s%s",
                    bad ? "; unknown: " : "", bad ? bad : "");
        return;
    }
    uint64_t p = user_op(a, (struct op){.kind = OP_ALLOC_PAGES, .arg = {gfp, order}});
    if (p != PFN_NONE) {
        a->last_allocated = p;
    }
}

/* The block to free: the argument, the selected one, the one that the user allocated
 * last. */
static bool block_to_free(struct app *a, const char *args, uint64_t *p)
{
    if (selected_page(a, args, p)) {
        return true;
    }
    if (!*args && a->last_allocated != PFN_NONE &&
        page_view(a->model.m, pfn(a->last_allocated)).state == PAGE_ALLOCATED) {
        *p = a->last_allocated;
        return true;
    }
    if (!*args) {
        app_message(a, MESSAGE_INFO,
                    "Select an allocated block in the memory map (6), or :free PFN.");
    }
    return false;
}

static void run_free(struct app *a, const char *args)
{
    uint64_t p;
    if (!block_to_free(a, args, &p)) {
        return;
    }
    struct page_view v = page_view(a->model.m, pfn(p));
    if (v.state != PAGE_ALLOCATED && !*args) {
        app_message(a, MESSAGE_INFO,
                    "Page " PFN_FORMAT
                    " is not allocated. (:free PFN does it all the same.)",
                    (unsigned long long)p);
        return;
    }
    uint64_t head = v.state == PAGE_ALLOCATED ? v.head : p;
    user_op(a, (struct op){.kind = OP_FREE_PAGES,
                           .arg = {head, v.state == PAGE_ALLOCATED ? v.order : 0}});
}

static void run_drain(struct app *a, const char *args)
{
    user_op(a, (struct op){.kind = !strcmp(args, "all") ? OP_DRAIN_ALL_PAGES
                                                        : OP_DRAIN_LOCAL_PAGES});
}

static void run_interrupt(struct app *a, const char *args)
{
    struct op op = {.cpu = (uint8_t)(a->model.has_op ? a->model.view.rec.op.cpu : a->cpu),
                    .origin = ORIGIN_USER};
    size_t nr = 1;
    uint64_t p = 0;
    if (!strcmp(args, "alloc")) {
        op.kind = OP_ALLOC_PAGES;
        op.arg[0] = GFP_ATOMIC;
    } else if (!strcmp(args, "drain")) {
        op.kind = OP_DRAIN_LOCAL_PAGES;
    } else if (!strcmp(args, "free")) {
        if (!block_to_free(a, "", &p)) {
            return;
        }
        struct page_view v = page_view(a->model.m, pfn(p));
        op.kind = OP_FREE_PAGES;
        op.arg[0] = v.head;
        op.arg[1] = v.order;
    } else if (!strcmp(args, "nothing")) {
        nr = 0;
    } else {
        popup_choice(a, "An interrupt comes right here. Its handler");
        popup_add(a, "interrupt alloc", "allocates a page: alloc_pages(GFP_ATOMIC, 0)");
        popup_add(a, "interrupt free",
                  "frees the selected block, or the one you allocated last");
        popup_add(a, "interrupt drain", "drains this CPU's page lists");
        popup_add(a, "interrupt nothing", "does nothing");
        return;
    }
    struct position from = timeline_position(a->t);
    uint32_t branches = timeline_nr_branches(a->t);
    char err[256] = "";
    if (!timeline_interrupt(a->t, &op, nr, err, sizeof err)) {
        app_message(a, MESSAGE_ERROR, "No interrupt: %s", err);
        return;
    }
    app_moved(a, from);
    bool fork = timeline_nr_branches(a->t) > branches;
    app_message(a, MESSAGE_INFO,
                "The interrupt has come and gone; I and S go back through it.%s",
                fork ? " This is a branch; the old future is kept (:branch)." : "");
}

/* ---- the program ---- */

static void run_set(struct app *a, const char *args)
{
    const char *value;
    if (word_is(args, "speed", &value) && *value) {
        a->speed = app_clamp(atoi(value), 0, 8);
        app_message(a, MESSAGE_INFO, "%d steps a second.", app_speed(a));
    } else if (word_is(args, "glyphs", &value) && *value) {
        enum glyph_set set = !strcmp(value, "ascii")     ? GLYPHS_ASCII
                             : !strcmp(value, "braille") ? GLYPHS_BRAILLE
                                                         : GLYPHS_UTF8;
        a->glyphs = glyphs(set);
    } else {
        app_message(a, MESSAGE_INFO,
                    "Settings: speed 0..8 (now %d), glyphs utf8|braille|ascii.",
                    a->speed);
    }
}

static void run_lesson(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_MENU;
}

static void run_help(struct app *a, const char *args)
{
    if (*args && !command_find(args)) {
        app_message(a, MESSAGE_ERROR, "There is no command %s: ? lists them.", args);
        return;
    }
    popup_text(a, *args ? args : "Help", help_text(*args ? args : NULL));
}

static void run_mouse(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_MOUSE;
}

static void run_redraw(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_REDRAW;
}

static void run_suspend(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_SUSPEND;
}

static void run_close(struct app *a, const char *args)
{
    (void)args;
    a->running = false;
    a->script.selected = a->stack.selected = a->events.selected = a->zones.selected = -1;
    a->narration.top = 0;
    a->buddy.has_cursor = a->pcp.has_cursor = a->map.has_cursor = false;
    a->buddy.chain = a->pcp.chain = -1;
}

static void run_back(struct app *a, const char *args)
{
    (void)args;
    if (a->prefs.zoomed >= 0) {
        a->prefs.zoomed = -1;
    } else if (a->layout.tier == TIER_TOO_SMALL) {
        a->request = REQUEST_QUIT;
    } else {
        popup_quit(a);
    }
}

static void run_quit(struct app *a, const char *args)
{
    (void)args;
    a->request = REQUEST_QUIT;
}

/* ---- lines ---- */

static void run_lua(struct app *a, const char *line)
{
    struct position from = timeline_position(a->t);
    uint32_t branches = timeline_nr_branches(a->t);
    char *out = NULL;
    bool good = session_console(a->session, line, &out);
    app_moved(a, from);
    size_t len = out ? strlen(out) : 0;
    while (len && (out[len - 1] == '\n' || out[len - 1] == ' ')) {
        out[--len] = 0;
    }
    if (out && (strchr(out, '\n') || text_width(out) > a->cols - 4)) {
        popup_text(a, good ? line : "Error", out);
        out = NULL;
    } else if (out && *out) {
        app_message(a, good ? MESSAGE_INFO : MESSAGE_ERROR, "%s", out);
    }
    if (timeline_nr_branches(a->t) > branches && good) {
        app_message(a, MESSAGE_INFO, "Now on %s; the old future is kept (:branch).%s%s",
                    timeline_branch(a->t, a->model.at.branch).name,
                    out && *out ? " = " : "", out ? out : "");
    }
    free(out);
}

void command_run(struct app *a, const char *line)
{
    line += strspn(line, " ");
    char name[32];
    size_t len = strcspn(line, " ");
    if (!*line) {
        return;
    }
    if (len < sizeof name) {
        memcpy(name, line, len);
        name[len] = 0;
        const struct command_row *row = command_find(name);
        const char *args = line + len + strspn(line + len, " ");
        if (row && *args != '=') { /* "step = 3" is Lua */
            char trimmed[1024];
            snprintf(trimmed, sizeof trimmed, "%s", args);
            for (size_t n = strlen(trimmed); n && trimmed[n - 1] == ' '; n--) {
                trimmed[n - 1] = 0;
            }
            row->run(a, trimmed);
            return;
        }
    }
    run_lua(a, line);
}

/* ---- completion ---- */

static void offer(const char *prefix, const char *word,
                  void (*fn)(void *ctx, const char *word), void *ctx)
{
    if (!strncmp(word, prefix, strlen(prefix))) {
        fn(ctx, word);
    }
}

static void complete_argument(struct app *a, enum complete_kind kind, const char *prefix,
                              void (*fn)(void *ctx, const char *word), void *ctx)
{
    static const char *const procs[] = {"buddyinfo", "pagetypeinfo", "zoneinfo",
                                        "vmstat"};
    static const char *const settings[] = {"speed", "glyphs"};
    static const char *const gfps[] = {
#define GFP_NAME_(name, value, meaning) #name,
        GFP_COMBINATIONS(GFP_NAME_)
#undef GFP_NAME_
    };
    switch (kind) {
    case COMPLETE_EVENT:
        for (uint16_t i = 1; i < NR_EVENTS; i++) {
            offer(prefix, event_info(i)->name, fn, ctx);
        }
        for (uint16_t i = 1; i < NR_FUNCTIONS; i++) {
            offer(prefix, fn_info(i)->name, fn, ctx);
        }
        break;
    case COMPLETE_ZONE:
        for (uint32_t i = 0; i < machine_nr_zones(a->model.m); i++) {
            offer(prefix, zone_view(a->model.m, i).name, fn, ctx);
        }
        offer(prefix, "auto", fn, ctx);
        offer(prefix, "next", fn, ctx);
        offer(prefix, "previous", fn, ctx);
        break;
    case COMPLETE_BRANCH:
        for (uint32_t i = 0; i < timeline_nr_branches(a->t); i++) {
            offer(prefix, timeline_branch(a->t, i).name, fn, ctx);
        }
        offer(prefix, "list", fn, ctx);
        offer(prefix, "name", fn, ctx);
        break;
    case COMPLETE_COMMANDS:
        for (size_t i = 0; i < commands_count(); i++) {
            offer(prefix, rows[i].name, fn, ctx);
        }
        break;
    case COMPLETE_PROC:
        for (size_t i = 0; i < sizeof procs / sizeof procs[0]; i++) {
            offer(prefix, procs[i], fn, ctx);
        }
        break;
    case COMPLETE_SETTING:
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
            offer(prefix, settings[i], fn, ctx);
        }
        break;
    case COMPLETE_GFP:
        for (size_t i = 0; i < sizeof gfps / sizeof gfps[0]; i++) {
            offer(prefix, gfps[i], fn, ctx);
        }
        break;
    default:
        break;
    }
}

void command_complete(struct app *a, const char *line,
                      void (*fn)(void *ctx, const char *word), void *ctx)
{
    line += strspn(line, " ");
    size_t len = strcspn(line, " ");
    if (!line[len]) { /* the first word: a command, or Lua */
        complete_argument(a, COMPLETE_COMMANDS, line, fn, ctx);
        session_complete(a->session, line, fn, ctx);
        return;
    }
    char name[32];
    const char *last = strrchr(line, ' ') + 1;
    snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, line);
    const struct command_row *row = command_find(name);
    if (row) {
        complete_argument(a, row->complete, last, fn, ctx);
    } else {
        session_complete(a->session, line, fn, ctx);
    }
}
