/* The screen of one session.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "app.h"

#include "api.h"
#include "card.h"
#include "commands.h"
#include "compare.h"
#include "describe.h"
#include "hardware.h"
#include "hw_focus.h"
#include "keep.h"
#include "keys.h"
#include "pane.h"
#include "popup.h"
#include "session_file.h"
#include "slabs.h"
#include "status.h"
#include "travel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int app_min_int(int a, int b) { return a < b ? a : b; }
int app_max_int(int a, int b) { return a > b ? a : b; }

int app_clamp(int v, int low, int high)
{
    if (v > high) {
        v = high;
    }
    return v < low ? low : v;
}

static const int speeds[] = {1, 2, 4, 8, 15, 30, 60, 120, 250};
enum { NR_SPEEDS = sizeof speeds / sizeof speeds[0], FIRST_SPEED = 1 };

int app_speed(const struct app *a)
{
    return speeds[app_clamp(a->speed, 0, NR_SPEEDS - 1)];
}

/* ---- life ---- */

/* Where an ordinary request goes first. */
static uint32_t first_zone(const struct machine *m)
{
    static const enum zone_type wanted[] = {ZONE_NORMAL, ZONE_DMA32};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        uint32_t zone = zone_by_type(m, wanted[i]);
        if (zone < machine_nr_zones(m)) {
            return zone;
        }
    }
    return 0;
}

static size_t word_hash(const char *word, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)word[i]) * 16777619u;
    }
    return h % API_WORDS;
}

static void learn_api_words(struct app *a)
{
    const struct api_entry *e;
    for (size_t i = 0; i < API_WORDS / 2 && (e = session_api(i)); i++) {
        size_t at = word_hash(e->name, strlen(e->name));
        while (a->api_words[at]) {
            at = (at + 1) % API_WORDS;
        }
        a->api_words[at] = e->name;
    }
}

bool app_is_api_word(const struct app *a, const char *word, size_t len)
{
    for (size_t at = word_hash(word, len); a->api_words[at]; at = (at + 1) % API_WORDS) {
        if (!strncmp(a->api_words[at], word, len) && !a->api_words[at][len]) {
            return true;
        }
    }
    return false;
}

void app_init(struct app *a, struct session *s, enum glyph_set set)
{
    *a = (struct app){.session = s, .t = session_timeline(s)};
    struct machine *m = timeline_machine(a->t);
    a->glyphs = glyphs(set);
    a->sandbox = session_nr_lines(s) == 0 && !strcmp(session_name(s), "sandbox");
    a->recorded = session_nr_lines(s) == 0 && !a->sandbox;
    a->prefs.zoomed = a->view_wanted = -1;
    a->script.selected = a->narration.selected = a->stack.selected = -1;
    a->script_frame = -1;
    a->zones.selected = a->events.selected = -1;
    a->buddy.chain = a->pcp.chain = -1;
    a->map.shift = -1;
    a->map.columns = 64;
    a->chart = SERIES_L1D;
    a->speed = FIRST_SPEED;
    hw_focus_init(a);
    a->last_allocated = PFN_NONE;
    a->zone = first_zone(m);
    a->focus = PANE_NARRATION;
    if (a->sandbox) {
        a->focus = PANE_BUDDY;
    }
    a->stamp = 1;
    a->prefs.chosen[a->focus] = a->stamp;
    learn_api_words(a);
    a->pagemap = pagemap_create(m);
    model_init(&a->model, s);
    app_moved(a, timeline_position(a->t));
    app_resize(a, 80, 24);
    keep_take_notes(a, session_notes(s));
}

void app_free(struct app *a)
{
    popup_close(a);
    compare_close(a->compare);
    free(a->prompt_matches);
    free(a->hw.walk.rows);
    set_tally_free(&a->hw.tally);
    stops_clear(&a->stops);
    record_stop(a);
    if (a->pagemap) {
        pagemap_destroy(a->pagemap);
    }
    model_free(&a->model);
    access_paths_free(&a->paths);
    history_free(&a->history);
    free(a->access.at);
    free(a->objects.last.at);
    *a = (struct app){0};
}

void app_message(struct app *a, enum message_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->message, sizeof a->message, format, args);
    va_end(args);
    for (char *c = a->message; *c; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    a->message_kind = kind;
}

void app_busy(struct app *a, const char *what)
{
    a->busy = what;
    if (what && a->show) {
        a->show(a->show_ctx, a);
    }
}

/* ---- following what happens ---- */

static void follow(struct app *a)
{
    const struct model *md = &a->model;
    const struct event *ev = md->has_event ? &md->event : NULL;
    uint64_t v;
    if (!a->zone_pinned && ev) {
        if (event_arg(ev, "zone", &v) && v < machine_nr_zones(md->m)) {
            a->zone = (uint32_t)v;
        } else if (event_arg(ev, "pfn", &v)) {
            uint32_t zone = zone_of_pfn(md->m, pfn(v));
            a->zone = zone < machine_nr_zones(md->m) ? zone : a->zone;
        }
    }
    if (!a->buddy.has_cursor && ev && event_arg(ev, "mt", &v) && v < MIGRATE_TYPES) {
        if (event_arg_named(ev, "fallback_migratetype", &v) && v >= MIGRATE_TYPES) {
            v = 0;
        }
        a->buddy.mt = (int)v;
    }
    if (!a->buddy.has_cursor && ev && !event_arg_named(ev, "fallback_order", &v) &&
        !event_arg_named(ev, "found", &v) && !event_arg(ev, "order", &v)) {
        v = UINT64_MAX;
    } else if (!a->buddy.has_cursor && ev && v < MAX_ORDER) {
        a->buddy.order = (int)v; /* where a pane has too few rows for all of them */
    }
    if (!a->pcp.has_cursor && ev && event_arg(ev, "list", &v) && v < NR_PCP_LISTS) {
        a->pcp.list = (int)v;
    }
}

/* The lesson's wish at the position: what it asked for last, else for all of it. */
static int wanted_view(const struct app *a)
{
    const char *name = a->model.view_name;
    return view_find(name ? name : session_view(a->session));
}

/* Nobody has chosen, and the hardware is being used: say once that it can be seen. */
static void suggest_view(struct app *a)
{
    const struct model *md = &a->model;
    bool chosen = a->view_chosen || a->view_wanted >= 0 || a->view_suggested;
    if (!chosen && a->prefs.view != VIEW_HARDWARE && md->has_event &&
        access_is_event(md->event.kind)) {
        a->view_suggested = true;
        app_message(a, MESSAGE_INFO, "This is the hardware's work: F3 shows it.");
    }
}

/* Show what the lesson wants to be seen, unless the user has chosen for himself. */
static void follow_view(struct app *a)
{
    int wanted = wanted_view(a);
    if (wanted == a->view_wanted) {
        suggest_view(a);
        return;
    }
    a->view_wanted = wanted;
    if (wanted < 0 || wanted == a->prefs.view) {
        return;
    }
    if (a->view_chosen) {
        app_message(a, MESSAGE_INFO, "The lesson goes on in the view %s: :view %s",
                    view_info(wanted)->title, view_info(wanted)->name);
    } else {
        app_show_view(a, wanted);
    }
}

bool app_next_op(const struct app *a, struct op *op)
{
    const struct model *md = &a->model;
    struct op_record rec;
    if (md->inside) {
        return false;
    }
    if (timeline_op(a->t, md->at.branch, md->at.op, &rec)) {
        *op = rec.op;
        return true;
    }
    return session_next_op(a->session, op);
}

/* The access in view; what is said about one, or done between, leaves it there. */
static void follow_access(struct app *a)
{
    enum { FAR = 256 };
    const struct model *md = &a->model;
    struct op_record rec;
    struct access_wish wish;
    access_paths_refresh(&a->paths, md->has_op ? &md->view : NULL, md->m);
    a->paths_happened = md->happened;
    for (uint64_t op = md->has_op ? md->view.op : 0; !a->paths.nr && op > 0; op--) {
        if (md->view.op - op >= FAR || !timeline_op(a->t, md->at.branch, op - 1, &rec)) {
            return;
        }
        if (access_of_op(&rec.op, &wish)) {
            access_paths_refresh(
                &a->paths,
                op_events_load(&a->access, a->t, md->at.branch, op - 1, UINT64_MAX),
                md->m);
            a->paths_happened = UINT64_MAX;
            return;
        }
    }
}

void app_count(struct app *a)
{
    const struct memsys *m = hardware_cpu(a->model.m, a->cpu);
    history_note(&a->history, a->t);
    if (!m) {
        return;
    }
    bool same_cpu = a->tally_cpu == a->cpu;
    a->tally_before = same_cpu ? a->tally_now : m->s->n;
    a->tally_now = m->s->n;
    uint64_t cycles = access_cycles_of(m).total;
    a->cycles_before = same_cpu ? a->cycles_now : cycles;
    a->cycles_now = cycles;
    a->tally_cpu = a->cpu;
}

void app_moved(struct app *a, struct position from)
{
    struct position to = timeline_position(a->t);
    struct op_record rec;
    uint64_t op = to.event ? to.op : to.op - 1;
    if (!a->cpu_pinned && (to.event || to.op) && timeline_op(a->t, to.branch, op, &rec) &&
        !op_is_note(&rec.op)) {
        a->cpu = rec.op.cpu;
    }
    model_refresh(&a->model, from, a->cpu);
    follow(a);
    follow_access(a);
    hw_focus_refresh(a);
    follow_view(a);
    app_count(a);
    if (a->pagemap) {
        pagemap_update(a->pagemap);
    }
    /* lists of the past that a cursor pointed into are others now: follow again */
    a->script.selected = a->stack.selected = a->events.selected = -1;
    a->script_frame = -1;
    a->source_wanted = 0;
    session_select_frame(a->session, 0);
    a->narration.top = 0;
    a->buddy.chain = a->pcp.chain = -1;
    a->changed_panes = 0;
    for (int i = 0; i < NR_PANES; i++) {
        if (pane_kind(i)->changed && pane_kind(i)->changed(a)) {
            a->changed_panes |= 1u << i;
        }
    }
    app_layout(a);
}

/* ---- layout ---- */

/* A page that a hardware pane's cursor is on lights up in the memory map. */
static void find_lit(struct app *a)
{
    const struct pane_kind *p = pane_kind(a->focus);
    slabs_light_lines(a);
    if (a->focus != PANE_PHYSMAP &&
        (view_number(VIEW_HARDWARE, a->focus) || view_number(VIEW_SPACE, a->focus) ||
         a->focus == PANE_SLABS) &&
        p->selected_pfn) {
        a->hw.has_lit = p->selected_pfn(a, &a->hw.lit);
    }
}

void app_layout(struct app *a)
{
    a->layout = layout_compute(a->cols, a->rows, &a->prefs);
    for (int i = 0; i < a->layout.nr_slots; i++) {
        const struct slot *s = &a->layout.slots[i];
        const struct pane_kind *p = pane_kind(s->shown);
        if (p->fit) {
            p->fit(a, s->inside.w, s->inside.h);
        }
    }
    find_lit(a);
}

void app_resize(struct app *a, int cols, int rows)
{
    a->cols = cols;
    a->rows = rows;
    app_layout(a);
}

/* What was looked at last among the panes that only this view has, else its first. */
static int view_focus(const struct app *a, int view)
{
    int best = -1;
    for (int n = 1; n <= view_nr_panes(view); n++) {
        int pane = view_pane(view, n);
        bool shared = false;
        for (int i = 0; i < NR_VIEWS; i++) {
            shared = shared || (i != view && view_number(i, pane));
        }
        if (!shared && (best < 0 || a->prefs.chosen[pane] > a->prefs.chosen[best])) {
            best = pane;
        }
    }
    return best >= 0 ? best : view_pane(view, 1);
}

void app_show_view(struct app *a, int view)
{
    a->prefs.view = view;
    if (!view_number(view, a->focus)) {
        a->focus = view_focus(a, view);
    }
    if (a->prefs.zoomed >= 0) {
        a->prefs.zoomed = a->focus;
    }
    app_layout(a);
}

void app_focus(struct app *a, int pane)
{
    for (int i = 0; i < NR_VIEWS && !view_number(a->prefs.view, pane); i++) {
        if (view_number(i, pane)) {
            a->prefs.view = i;
        }
    }
    a->focus = pane;
    a->prefs.chosen[pane] = ++a->stamp;
    if (a->prefs.zoomed >= 0) {
        a->prefs.zoomed = pane;
    }
    app_layout(a);
}

/* ---- keys ---- */

static bool pane_gets(struct app *a, int key)
{
    const struct pane_kind *p = pane_kind(a->focus);
    const struct slot *s = layout_slot(&a->layout, a->focus);
    bool sideways = key == K_LEFT || key == K_RIGHT || key == 'h' || key == 'l';
    if (sideways && !p->columns) {
        app_command(a, key == K_RIGHT || key == 'l' ? "step" : "step-back");
        return true;
    }
    return p->key && s && p->key(a, key, s->inside.w, s->inside.h);
}

void app_key(struct app *a, int key)
{
    enum message_kind shown = a->message_kind;
    if (a->layout.tier == TIER_TOO_SMALL) { /* a notice that obeys quit */
        if (key == 'q' || key == K_ESC || key == K_CTRL_C) {
            a->request = REQUEST_QUIT;
        } else if (key == K_CTRL_Z) {
            a->request = REQUEST_SUSPEND;
        }
        return;
    }
    if (popup_key(a, key)) {
        app_layout(a);
        return;
    }
    if (compare_key(a, key)) {
        return;
    }
    if (card_key(a, key)) {
        app_layout(a);
        return;
    }
    const char *command = key_command(key);
    if (key == K_ENTER && !pane_gets(a, key)) {
        app_command(a, "details");
        a->message_kind = a->message_kind == shown ? MESSAGE_NONE : a->message_kind;
    } else if (key != K_ENTER) {
        a->message_kind = MESSAGE_NONE;
        if (command && *command) {
            app_command(a, command);
        } else if (command) {
            pane_gets(a, key);
        } else if (key >= ' ' && key < K_FIRST_SPECIAL) {
            app_message(a, MESSAGE_INFO, "This key does nothing: ? lists those that do.");
        }
    }
    app_layout(a);
}

bool app_next_todo(struct app *a, char *line, size_t size)
{
    const char *at = a->todo + strspn(a->todo, "; ");
    const size_t len = strcspn(at, ";");
    snprintf(line, size, "%.*s", (int)len, at);
    memmove(a->todo, at + len, strlen(at + len) + 1);
    return *line;
}

void app_command(struct app *a, const char *line)
{
    char next[256];
    command_run(a, line);
    while (!a->keeps_todo && app_next_todo(a, next, sizeof next)) {
        command_run(a, next);
    }
    app_layout(a);
}

static int tab_at(const struct app *a, const struct slot *s, int x);

void app_mouse(struct app *a, int x, int y, int wheel)
{
    if (a->popup.kind != POPUP_NONE) {
        if (wheel) {
            popup_key(a, wheel < 0 ? K_UP : K_DOWN);
        }
        return;
    }
    for (int i = 0; i < a->layout.nr_slots; i++) {
        const struct slot s = a->layout.slots[i];
        if (x < s.frame.x || x >= s.frame.x + s.frame.w || y < s.frame.y ||
            y >= s.frame.y + s.frame.h) {
            continue;
        }
        if (y == s.frame.y) {
            int pane = tab_at(a, &s, x);
            app_focus(a, pane >= 0 ? pane : s.shown);
            return;
        }
        const struct pane_kind *p = pane_kind(s.shown);
        app_focus(a, s.shown);
        if (wheel) {
            pane_gets(a, wheel < 0 ? K_UP : K_DOWN);
        } else if (p->click) {
            p->click(a, x - s.inside.x, y - s.inside.y, s.inside.w, s.inside.h);
        }
        app_layout(a);
        return;
    }
}

/* ---- time that runs by itself ---- */

/* Notes stay for as long as they take to read at the first speeds; faster runs skim. */
int app_timeout(const struct app *a)
{
    enum { MS_A_LETTER = 40, READ_SPEED = 2, MOST_MS = 15000 };
    if (!a->running) {
        return -1;
    }
    int ms = 1000 / app_speed(a);
    if (card_shown(a)) {
        uint32_t text = (uint32_t)a->model.view.rec.op.arg[1];
        size_t letters = strlen(timeline_string(a->t, text));
        int reading = letters < 1000 ? (int)letters * MS_A_LETTER : MOST_MS;
        ms += app_min_int(reading, MOST_MS) * READ_SPEED / app_speed(a);
    }
    return app_max_int(1, ms);
}

void app_tick(struct app *a)
{
    if (a->running && card_choices(a)) {
        a->running = false; /* a question waits for its answer */
        app_message(a, MESSAGE_INFO, "A question: answer it by its number, or go on.");
    } else if (a->running) {
        a->message_kind = MESSAGE_NONE;
        app_command(a, "step");
    }
}

/* ---- drawing ---- */

/* The words of a slot's title row: its panes, the shown one with its title. Calls back
 * for each, with the columns that it has. */
struct tab {
    int pane, x, w;
    char text[96];
};

/* Of many panes in a narrow slot only the shown one has a name. */
static bool only_numbers(const struct slot *s)
{
    return s->nr_panes > 4 && s->frame.w < 80;
}

/* Columns that are left for the shown pane's title when the other tabs have theirs. */
static int title_room(const struct slot *s)
{
    int room = s->frame.w - 2;
    for (int i = 0; i < s->nr_panes; i++) {
        bool named = !only_numbers(s) || s->panes[i] == s->shown;
        room -= named ? text_width(pane_kind(s->panes[i])->short_name) + 4 : 3;
    }
    return room - 2;
}

static int slot_tabs(const struct app *a, const struct slot *s, struct tab tabs[NR_PANES])
{
    enum { LEAST_TITLE = 8 };
    int x = s->frame.x + 1, end = s->frame.x + s->frame.w - 1, nr = 0;
    bool brief = s->nr_panes > 1;
    for (int i = 0; i < s->nr_panes; i++) {
        const struct pane_kind *p = pane_kind(s->panes[i]);
        struct tab *t = &tabs[nr];
        bool shown = s->panes[i] == s->shown;
        char title[80] = "";
        const char *name = brief ? p->short_name : p->name;
        if (s->panes[i] == PANE_SCRIPT && !session_nr_lines(a->session)) {
            name = "Operations"; /* there is no script: each step is one */
        }
        if (shown && p->title && (!brief || title_room(s) >= LEAST_TITLE)) {
            p->title(a, title, sizeof title);
        }
        snprintf(t->text, sizeof t->text, "%s%s%s", name, *title ? ": " : "", title);
        if (only_numbers(s) && !shown) {
            t->text[0] = 0;
        }
        int most = *title && brief ? text_width(name) + 6 + title_room(s) : end - x;
        t->pane = s->panes[i];
        t->x = x;
        t->w = app_min_int(text_width(t->text) + (t->text[0] ? 4 : 3), end - x);
        t->w = app_min_int(t->w, most);
        if (t->w < 3) {
            break;
        }
        x += t->w;
        nr++;
    }
    return nr;
}

static int tab_at(const struct app *a, const struct slot *s, int x)
{
    struct tab tabs[NR_PANES];
    int nr = slot_tabs(a, s, tabs);
    for (int i = 0; i < nr; i++) {
        if (x >= tabs[i].x && x < tabs[i].x + tabs[i].w) {
            return tabs[i].pane;
        }
    }
    return -1;
}

static void draw_title(const struct app *a, struct grid *g, const struct slot *s)
{
    bool focused = s->shown == a->focus;
    grid_hline(g, s->frame.x, s->frame.y, s->frame.w, a->glyphs->hline,
               focused ? ST_FOCUS_RULE : ST_RULE);
    struct tab tabs[NR_PANES];
    int nr = slot_tabs(a, s, tabs);
    for (int i = 0; i < nr; i++) {
        const struct tab *t = &tabs[i];
        bool shown = t->pane == s->shown;
        bool lit = !shown && (a->changed_panes & 1u << t->pane);
        int style = shown ? (focused ? ST_FOCUS : ST_TITLE) : ST_TAB;
        int x = grid_put(g, t->x, s->frame.y, ' ', style, 0) + t->x;
        const int number = view_number(a->prefs.view, t->pane);
        /* what is behind the tenth has no digit, but a letter of its own */
        x = grid_printf(g, x, s->frame.y, shown && focused ? ST_FOCUS : ST_TITLE_KEY,
                        lit ? MARK_CHANGED : 0, "%c",
                        number > 10 ? 'K' : '0' + number % 10);
        x += grid_put(g, x, s->frame.y, ' ', style, 0);
        if (t->text[0]) {
            x = grid_text_cut(g, x, s->frame.y, t->w - 4, t->text, a->glyphs->more, style,
                              0);
            grid_put(g, x, s->frame.y, ' ', style, 0);
        }
    }
}

/* The vertical rules, joined to the title rows that they touch. */
static void draw_rules(const struct app *a, struct grid *g)
{
    const struct glyphs *gl = a->glyphs;
    struct rect b = a->layout.body;
    int bottom = card_shown(a) ? card_rect(a).y : b.y + b.h;
    for (int i = 0; i < a->layout.nr_rules; i++) {
        int x = a->layout.rules[i];
        for (int y = b.y; y < bottom; y++) {
            bool left = false, right = false;
            for (int j = 0; j < a->layout.nr_slots; j++) {
                const struct rect *f = &a->layout.slots[j].frame;
                left = left || (f->y == y && f->x + f->w == x);
                right = right || (f->y == y && f->x == x + 1);
            }
            uint32_t ch = left && right ? (y == b.y ? gl->tee_down : gl->cross)
                          : left        ? gl->tee_left
                          : right       ? gl->tee_right
                                        : gl->vline;
            grid_put(g, x, y, ch, ST_RULE, 0);
        }
        const struct cell *below = grid_at(g, x, bottom);
        if (below && below->ch == gl->hline) {
            grid_put(g, x, bottom, gl->tee_up, ST_RULE, 0);
        }
    }
}

static void draw_matches(const struct app *a, struct grid *g)
{
    if (!a->prompt_open || !a->prompt_matches) {
        return;
    }
    int rows = 1, widest = 1, nr = 0;
    for (const char *s = a->prompt_matches; *s;) {
        int len = (int)strcspn(s, "\n");
        widest = app_max_int(widest, len);
        nr++;
        s += len + (s[len] == '\n');
    }
    int per_row = app_max_int(1, (a->cols - 2) / (widest + 2));
    rows = app_min_int((nr + per_row - 1) / per_row, a->rows / 2);
    int top = a->layout.hint.y - rows;
    grid_fill(g, (struct rect){0, top, a->cols, rows}, ' ', ST_POPUP, 0);
    int i = 0;
    for (const char *s = a->prompt_matches; *s; i++) {
        int len = (int)strcspn(s, "\n");
        if (i / per_row < rows) {
            grid_printf(g, 1 + i % per_row * (widest + 2), top + i / per_row, ST_POPUP, 0,
                        "%.*s", len, s);
        }
        s += len + (s[len] == '\n');
    }
}

void app_draw(const struct app *a, struct grid *g)
{
    grid_clear(g);
    g->cursor_x = g->cursor_y = -1;
    if (a->layout.tier == TIER_TOO_SMALL) {
        char text[64];
        snprintf(text, sizeof text, "%dx%d is too small,", g->cols, g->rows);
        grid_text(g, 0, 0, text, ST_NORMAL, 0);
        snprintf(text, sizeof text, "%dx%d is needed.", MIN_COLS, MIN_ROWS);
        grid_text(g, 0, 1, text, ST_NORMAL, 0);
        grid_text(g, 0, 2, "q quits.", ST_NORMAL, 0);
        return;
    }
    status_draw(a, g);
    for (int i = 0; i < a->layout.nr_slots; i++) {
        const struct slot *s = &a->layout.slots[i];
        draw_title(a, g, s);
        struct rect old = grid_clip(g, s->inside);
        pane_kind(s->shown)->draw(a, g, s->inside, s->shown == a->focus);
        grid_set_clip(g, old);
    }
    now_draw(a, g);
    draw_rules(a, g);
    if (a->compare) {
        compare_draw(a, g);
    }
    if (!a->compare || a->prompt_open) {
        hint_draw(a, g);
    }
    popup_draw(a, g);
    draw_matches(a, g);
}
