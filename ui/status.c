/* The status line, what just happened, the hint line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "status.h"

#include "access_words.h"
#include "card.h"
#include "describe.h"
#include "hardware.h"
#include "keys.h"
#include "pane.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* ---- the status line ---- */

static const char *machine_name(const struct machine *m, char *buf, size_t size)
{
    static const char *const archs[] = {"i386", "i386 PAE", "x86-64"};
    char ram[28];
    snprintf(buf, size, "%s %s", archs[m->config.arch],
             bytes_text(ram, m->config.ram_bytes));
    return buf;
}

static const char *context_name(const struct app *a, uint32_t cpu)
{
    static const char *const names[] = {"process", "softirq", "hardirq"};
    struct cpu_view v = cpu_view(a->model.m, cpu);
    return names[v.ctx <= CTX_HARDIRQ ? v.ctx : 0];
}

struct word {
    const char *label;
    char value[48];
    bool is_warning;
};

void status_draw(const struct app *a, struct grid *g)
{
    struct rect r = a->layout.status;
    const struct model *md = &a->model;
    struct rect old = grid_clip(g, r);
    grid_fill(g, r, ' ', ST_BAR, 0);
    enum { NAME_COLS = 100 }; /* narrower: the view has the name's place */
    int x = r.x;
    if (r.w >= NAME_COLS) {
        x = grid_text(g, x, r.y, " mmscope ", ST_BAR_NAME, 0) + 1;
    }
    int style = r.w >= NAME_COLS ? ST_BAR_KEY : ST_BAR_NAME;
    x = grid_printf(g, x, r.y, style, 0, " %s ", view_info(a->prefs.view)->title) + 1;

    struct word words[6]; /* from the right, the most important first */
    int nr = 0;
    struct branch_info branch = timeline_branch(a->t, md->at.branch);
    char n[28], place[POSITION_TEXT];
    if (md->inside) {
        snprintf(words[nr].value, sizeof words[nr].value, "%s/%u",
                 position_format(place, md->at), md->view.rec.nr_events);
    } else {
        snprintf(words[nr].value, sizeof words[nr].value, "%s",
                 position_format(place, md->at));
    }
    words[nr++].label = "op ";
    uint32_t cpu = md->has_op ? md->view.rec.op.cpu : a->cpu;
    snprintf(words[nr].value, sizeof words[nr].value, "%u %s", cpu, context_name(a, cpu));
    words[nr++].label = "CPU ";
    if (md->past || timeline_nr_branches(a->t) > 1) {
        snprintf(words[nr].value, sizeof words[nr].value, "%s%s", branch.name,
                 md->past ? ", past" : "");
        words[nr++].label = strncmp(branch.name, "branch", 6) ? "branch " : "";
    }
    snprintf(words[nr].value, sizeof words[nr].value, "%s",
             thousands(n, timeline_event_number(a->t, md->at)));
    words[nr++].label = "event ";
    machine_name(md->m, words[nr].value, sizeof words[nr].value);
    words[nr++].label = "";
    const struct memsys *hw = hardware_cpu(md->m, cpu);
    struct word cycles = {.label = "cycles "};
    snprintf(cycles.value, sizeof cycles.value, "%s",
             hw && hw->config.cost ? thousands(n, access_cycles_of(hw).total) : "-");
    if (a->prefs.view == VIEW_HARDWARE) { /* more important there than the machine is */
        words[nr] = words[nr - 1];
        words[nr - 1] = cycles;
        nr++;
    } else {
        words[nr++] = cycles;
    }

    const char *title = session_title(a->session);
    int need = text_width(title) + 2, right = r.x + r.w - 1;
    if (a->busy) {
        right -= text_width(a->busy) + 3;
        grid_printf(g, right, r.y, ST_BAR_NAME, 0, " %s ", a->busy);
    } else if (a->running) {
        char speed[32];
        snprintf(speed, sizeof speed, " %d/s ", app_speed(a));
        right -= text_width(speed) + 2;
        int rx = grid_put(g, right, r.y, a->glyphs->play, ST_BAR_KEY, 0) + right;
        grid_text(g, rx, r.y, speed, ST_BAR_KEY, 0);
    }
    int order[6], kept = 0;
    for (int i = 0; i < nr;
         i++) { /* as many as there is room for beside a readable title */
        int w = text_width(words[i].label) + text_width(words[i].value) + 2;
        bool needed = i < 2 || (i == 2 && md->past); /* more than the whole title is */
        if (right - w < x + (needed ? 8 : need)) {
            break;
        }
        right -= w;
        order[kept++] = i;
    }
    grid_text_cut(g, x, r.y, right - x - 1, title, a->glyphs->more, ST_BAR, MARK_BOLD);
    for (int i = kept - 1; i >= 0; i--) {
        const struct word *w = &words[order[i]];
        right = grid_text(g, right, r.y, w->label, ST_BAR_DIM, 0);
        right = grid_text(g, right, r.y, w->value, ST_BAR_KEY, 0) + 2;
    }
    grid_set_clip(g, old);
}

/* ---- what just happened, and why ---- */

/* Two texts flowing on, the first in one style, the second in another. */
static void flow(struct grid *g, struct rect r, uint32_t ellipsis, const char *first,
                 int first_style, const char *second, int second_style)
{
    char text[1536];
    size_t split = (size_t)snprintf(text, sizeof text, "%s", first);
    if (split >= sizeof text) {
        split = sizeof text - 1;
    }
    if (*second && split + 3 < sizeof text) {
        snprintf(text + split, sizeof text - split, "  %s", second);
    }
    const char *at = text;
    struct text_line line;
    for (int row = 0; row < r.h && text_wrap(&at, r.w, &line); row++) {
        int x = r.x;
        bool cut = row == r.h - 1 && *at;
        const char *s = line.start, *end = line.start + line.bytes;
        int stop = r.x + r.w - cut;
        while (s < end && x < stop) {
            int style = (size_t)(s - text) < split ? first_style : second_style;
            x += grid_put(g, x, r.y + row, utf8_next(&s), style, 0);
        }
        if (cut) {
            grid_put(g, app_min_int(x, r.x + r.w - 1), r.y + row, ellipsis, ST_DIM, 0);
        }
    }
}

void now_draw(const struct app *a, struct grid *g)
{
    const struct model *md = &a->model;
    if (card_shown(a)) {
        card_draw(a, g);
        return;
    }
    struct rect r = a->layout.now;
    struct rect old = grid_clip(g, r);
    char what[768] = "", why[768] = "", head[320] = "";
    int style = ST_SENTENCE;
    if (!md->has_op) {
        snprintf(head, sizeof head, "the beginning");
        snprintf(what, sizeof what, "The machine has booted. Nothing has happened yet.");
        snprintf(why, sizeof why, "%s",
                 a->sandbox    ? "Press a to allocate pages, or : to type a line of Lua."
                 : a->recorded ? "Press n for one recorded call or access, s for a step "
                                 "inside it, Space to let it run."
                               : "Press s for one step, n for one line of the script, "
                                 "Space to let it run.");
    } else {
        const struct op_info *op = op_info(md->view.rec.op.kind);
        char call[256];
        bool answers = op && strcmp(op->result, "-") != 0;
        op_format(call, sizeof call, md->m, &md->view.rec.op,
                  !md->inside && answers ? &md->view.rec.result : NULL);
        int view = md->view_name ? view_find(md->view_name) : -1;
        const struct event_info *ev = md->has_event ? event_info(md->event.kind) : NULL;
        const struct fn_info *fn =
            md->depth ? fn_info(md->stack[md->depth - 1].fn) : NULL;
        if (ev) {
            event_explain(what, sizeof what, md->m, &md->event);
            style = ev->level == EVENT_REPORT ? ST_BAD : ST_SENTENCE;
            snprintf(head, sizeof head, "%s  %llu of %u in %s", ev->name,
                     (unsigned long long)md->happened, md->view.rec.nr_events, call);
        } else if (op_is_note(&md->view.rec.op) && view >= 0) {
            snprintf(head, sizeof head, "view \"%s\"", view_info(view)->name);
            snprintf(what, sizeof what, "The script goes on in the view %s: %s",
                     view_info(view)->title, view_info(view)->about);
        } else {
            snprintf(what, sizeof what, "%s: %s.", call, op ? op->sentence : "");
            snprintf(head, sizeof head, "%s", call);
        }
        if (ev && !fn && access_is_event(md->event.kind)) {
            access_why(md->m, &a->paths, &md->event, why, sizeof why);
        } else if (!md->inside && ev) {
            snprintf(why, sizeof why, "With this %s is done.", call);
        } else if (fn) {
            snprintf(why, sizeof why, "We are in %s(): %s", fn->name, fn->sentence);
        }
    }
    grid_hline(g, r.x, r.y, r.w, a->glyphs->hline, ST_RULE);
    char label[340];
    snprintf(label, sizeof label, " %s ", head);
    grid_text_cut(g, r.x + 1, r.y, r.w - 2, label, a->glyphs->more, ST_EVENT_NAME, 0);
    flow(g, (struct rect){r.x + 1, r.y + 1, r.w - 2, r.h - 1}, a->glyphs->more, what,
         style, why, ST_WHY);
    grid_set_clip(g, old);
}

/* ---- the hint line ---- */

/* Those that have their place before all others. */
enum { FIRST_HINTS = HINT_ANY | HINT_OPENED };

static unsigned wanted_hints(const struct app *a)
{
    const struct model *md = &a->model;
    unsigned hints = HINT_ANY | HINT_WIDE;
    if (a->running) {
        return HINT_RUNNING;
    }
    hints |= md->inside ? HINT_INSIDE : 0;
    hints |= md->past ? HINT_PAST : 0;
    hints |= !md->past && !a->sandbox && session_state(a->session) == SESSION_DONE
                 ? HINT_END
                 : 0;
    hints |= a->sandbox ? HINT_SANDBOX : 0;
    hints |= a->focus == PANE_PHYSMAP || pane_kind(a->focus)->scale ? HINT_MAP : 0;
    hints |= pane_kind(a->focus)->details ? HINT_CELL : 0;
    hints |= a->focus == PANE_SLABS && a->objects.opened ? HINT_OPENED : 0;
    return hints;
}

/* A row of the table of keys, in the words of the focused pane where it has its own. */
static struct key_row hint_row(const struct app *a, size_t i)
{
    const struct pane_kind *p = pane_kind(a->focus);
    struct key_row k = key_row(i);
    const char *own = k.code == K_ENTER ? p->enter_hint
                      : k.code == ']'   ? p->turn_hint
                                        : NULL;
    if (own) {
        k.hints |= HINT_CELL;
    } else if (k.code == 'n' && a->recorded) {
        own = "next call"; /* there are no lines */
    }
    if (own) {
        k.hint = own;
        k.hint_len = (int)strlen(own);
    }
    return k;
}

/* Is a key's hint of use now? At the end of a finished lesson there is no next step. */
static bool hint_applies(const struct app *a, const struct key_row *k, unsigned wanted,
                         bool wide)
{
    const struct model *md = &a->model;
    unsigned hints = k->hints & wanted;
    if (!k->hint_len || !hints || (hints == HINT_WIDE && !wide)) {
        return false;
    }
    bool at_end = !md->past && (a->sandbox || session_state(a->session) == SESSION_DONE);
    if (at_end && (k->code == 's' || k->code == 'n' || k->code == 'i' || k->code == 'c' ||
                   k->code == ' ')) {
        return false;
    }
    if (!md->has_op && (k->code == 'S' || k->code == 'R')) {
        return false;
    }
    return true;
}

static int hint_width(const struct key_row *k)
{
    return text_width(k->shown) + 1 + k->hint_len + 2;
}

static void draw_prompt(const struct app *a, struct grid *g, struct rect r)
{
    int x = grid_text(g, r.x, r.y, a->prompt, ST_PROMPT, 0);
    char before[sizeof a->prompt_text];
    snprintf(before, sizeof before, "%.*s", (int)a->prompt_point, a->prompt_text);
    int room = r.w - (x - r.x) - 1, point = text_width(before);
    int skip = point > room ? point - room : 0; /* columns scrolled out on the left */
    const char *s = a->prompt_text;
    int at = -skip;
    for (uint32_t ch; (ch = utf8_next(&s));) {
        if (at >= 0 && at < room) {
            grid_put(g, x + at, r.y, ch, ST_NORMAL, 0);
        }
        at += ch_width(ch);
    }
    g->cursor_x = x + point - skip;
    g->cursor_y = r.y;
}

/* As many as fit, in the table's order; those that are always of use have their place
 * first. */
static void draw_hints(const struct app *a, struct grid *g, struct rect r)
{
    unsigned wanted = wanted_hints(a);
    int always = 0, all = 0, x = r.x + 1;
    for (size_t i = 0; i < keys_count(); i++) {
        struct key_row k = hint_row(a, i);
        all += hint_applies(a, &k, wanted, true) ? hint_width(&k) : 0;
        always += hint_applies(a, &k, wanted & FIRST_HINTS, false) ? hint_width(&k) : 0;
    }
    bool wide = all <= r.w - 2;
    int spare = r.w + 1 - always;
    if (a->running) {
        x = grid_text(g, x, r.y, "Space", ST_HINT_KEY, 0);
        x = grid_text(g, x, r.y, " pause  ", ST_HINT, 0);
    }
    int choices = card_choices(a);
    if (choices) {
        int before = x;
        x = grid_printf(g, x, r.y, ST_HINT_KEY, 0, "1..%d", choices);
        x = grid_text(g, x, r.y, " answer  ", ST_HINT, 0);
        spare -= x - before;
        wide = false;
    }
    for (size_t i = 0; i < keys_count(); i++) {
        struct key_row k = hint_row(a, i);
        if (!hint_applies(a, &k, wanted, wide)) {
            continue;
        }
        if (!(k.hints & wanted & FIRST_HINTS)) {
            if (hint_width(&k) > spare) {
                continue;
            }
            spare -= hint_width(&k);
        }
        char text[64];
        snprintf(text, sizeof text, " %.*s  ", k.hint_len, k.hint);
        x = grid_text(g, x, r.y, k.shown, ST_HINT_KEY, 0);
        x = grid_text(g, x, r.y, text, ST_HINT, 0);
    }
}

void hint_draw(const struct app *a, struct grid *g)
{
    struct rect r = a->layout.hint;
    struct rect old = grid_clip(g, r);
    if (a->prompt_open) {
        draw_prompt(a, g, r);
    } else if (a->message_kind != MESSAGE_NONE) {
        int style = a->message_kind == MESSAGE_ERROR ? ST_ERROR : ST_MESSAGE;
        char text[sizeof a->message + 2];
        snprintf(text, sizeof text, " %s ", a->message);
        grid_fill(g, r, ' ', style, 0);
        grid_text_cut(g, r.x, r.y, r.w, text, a->glyphs->more, style, 0);
    } else {
        draw_hints(a, g, r);
    }
    grid_set_clip(g, old);
}
