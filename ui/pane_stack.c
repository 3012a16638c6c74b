/* The simulated call stack, outermost function first, and what holds this CPU up: locks,
 * disabled interrupts.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "describe.h"
#include "pane.h"

#include <stdio.h>

static int follow_row(const struct app *a)
{
    return app_max_int(0, (int)a->model.depth - 1);
}

static void fit(struct app *a, int w, int h)
{
    (void)w;
    int depth = (int)a->model.depth, row = follow_row(a);
    struct pane_list *l = &a->stack;
    if (l->selected >= 0) {
        pane_list_show(l, l->selected, depth, h);
    } else if (depth <= h) {
        l->top = 0;
    } else if (row <=
               l->top) { /* calls come and go: the view moves no more than it must */
        l->top = row - 1;
    } else if (row >= l->top + h) {
        l->top = row - h + 1;
    }
}

static void title(const struct app *a, char *buf, size_t size)
{
    const struct model *md = &a->model;
    char op[160];
    if (!md->has_op || md->is_note) {
        buf[0] = 0;
        return;
    }
    op_format(op, sizeof op, md->m, &md->view.rec.op, NULL);
    snprintf(buf, size, "%s%s", op, md->inside ? "" : ": done");
}

static const char *lock_name(const struct app *a, uint64_t lock, char *buf, size_t size)
{
    if (lock >> 63) {
        snprintf(buf, size, "zone->lock of %s",
                 zone_view(a->model.m, (uint32_t)lock).name);
    } else if (lock >> 62) {
        snprintf(buf, size, "the per-CPU lists' lock");
    } else if (lock >> 61) {
        snprintf(buf, size, "a lock of the address space");
    } else {
        snprintf(buf, size, "%s", timeline_string(a->t, (uint32_t)lock));
    }
    return buf;
}

static void draw_context(const struct app *a, struct grid *g, struct rect r, int y)
{
    const struct machine *m = a->model.m;
    if (y >= r.y + r.h) {
        return;
    }
    uint32_t cpu = a->model.has_op ? a->model.view.rec.op.cpu : a->cpu;
    struct cpu_view v = cpu_view(m, cpu);
    static const char *const contexts[] = {"process context", "softirq",
                                           "hard interrupt"};
    static const char *const brief[] = {"process", "softirq", "hardirq"};
    bool narrow = r.w < 56;
    int x = grid_printf(g, r.x + 1, y, ST_DIM, 0, narrow ? "CPU %u %s" : "CPU %u: %s",
                        cpu, narrow ? brief[v.ctx] : contexts[v.ctx]);
    if (v.preempt_count) {
        x = grid_printf(g, x, y, ST_DIM, 0,
                        narrow ? ", preempt 0x%x" : ", preempt_count 0x%x",
                        v.preempt_count);
    }
    if (v.irqs_disabled) {
        x = grid_text(g, x, y, ", irqs off", ST_WARN, 0);
    }
    if (v.memalloc) {
        x = grid_text(g, x, y, ", PF_MEMALLOC", ST_WARN, 0);
    }
    for (uint32_t i = 0; i < v.nr_locks && i < 8; i++) {
        char lock[96];
        x = grid_printf(g, x, y, ST_WARN, 0, ", holds %s",
                        lock_name(a, v.locks[i], lock, sizeof lock));
    }
    if (x > r.x + r.w) {
        grid_put(g, r.x + r.w - 1, y, a->glyphs->more, ST_WARN, 0);
    }
}

/* "rmqueue(Normal, 2, ...)": the values alone, where there is no room for the names. */
static void short_frame(const struct app *a, const struct probe_frame *f, char *buf,
                        size_t size)
{
    const struct fn_info *info = fn_info(f->fn);
    char name[32], type[32], value[128];
    size_t len = (size_t)snprintf(buf, size, "%s(", info ? info->name : "?");
    for (uint32_t i = 0;
         info && i < PROBE_FRAME_ARGS && arg_describe(info->args, i, name, type) &&
         len + sizeof value < size;
         i++) {
        value_format(value, sizeof value, a->model.m, type, f->arg[i]);
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "", value);
    }
    snprintf(buf + len, size - len, ")");
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    const struct model *md = &a->model;
    int depth = (int)md->depth, row = 0;
    for (; row < r.h && a->stack.top + row < depth; row++) {
        int i = a->stack.top + row, y = r.y + row;
        bool innermost = i == depth - 1 && md->inside;
        int marks = (innermost ? MARK_LINE : 0) |
                    (focused && i == a->stack.selected ? MARK_SELECTED : 0);
        char text[1024];
        frame_format(text, sizeof text, md->m, &md->stack[i]);
        if (text_width(text) > r.w - i - 2) {
            short_frame(a, &md->stack[i], text, sizeof text);
        }
        if (marks) {
            grid_fill(g, (struct rect){r.x, y, r.w, 1}, ' ', ST_NORMAL, marks);
        }
        int x = r.x + 1 + i;
        if (i) {
            grid_put(g, x - 1, y, a->glyphs->branch, ST_FAINT, marks);
        }
        grid_text_cut(g, x, y, r.x + r.w - x - 1, text, a->glyphs->more,
                      !md->inside ? ST_DIM
                      : innermost ? ST_BRIGHT
                                  : ST_NORMAL,
                      marks);
    }
    if (!depth && row < r.h) {
        const char *text =
            md->is_note   ? (a->recorded ? "A note; the machine does nothing."
                                         : "The script speaks; the machine does nothing.")
            : !md->has_op ? "The machine has booted and waits."
            : md->inside  ? "The hardware is at work, no kernel function."
                          : "The operation has run to its end.";
        grid_text_cut(g, r.x + 1, r.y, r.w - 1, text, a->glyphs->more, ST_DIM, 0);
        row++;
    }
    draw_context(a, g, r, r.y + row);
    pane_more(a, g, r, a->stack.top, depth);
}

/* A function of the kernel's is selected instead of one of the script's. */
static void leave_script(struct app *a)
{
    a->script_frame = -1;
    session_select_frame(a->session, 0);
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    leave_script(a);
    return pane_list_key(&a->stack, k, (int)a->model.depth, h, follow_row(a));
}

static void click(struct app *a, int x, int y, int w, int h)
{
    (void)x, (void)w, (void)h;
    if (a->stack.top + y < (int)a->model.depth) {
        a->stack.selected = a->stack.top + y;
        leave_script(a);
    }
}

static char *details(struct app *a, char *name, size_t size)
{
    const struct model *md = &a->model;
    int row = a->stack.selected >= 0 ? a->stack.selected : follow_row(a);
    const struct fn_info *info = row < (int)md->depth ? fn_info(md->stack[row].fn) : NULL;
    if (!info) {
        return NULL;
    }
    struct text_buf b = {0};
    char text[256];
    frame_format(text, sizeof text, md->m, &md->stack[row]);
    snprintf(name, size, "%s()", info->name);
    text_add(&b,
             POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL "\n\n%s\n\n" POPUP_TEXT_DIM
                            "In the kernel's source: %s",
             text, info->sentence, fn_file(md->m, md->stack[row].fn));
    text_add(&b, POPUP_TEXT_NORMAL "\n\n" POPUP_TEXT_KEY "b" POPUP_TEXT_NORMAL
                                   " stops each time it is called; " POPUP_TEXT_KEY
                                   "f" POPUP_TEXT_NORMAL
                                   " runs until the innermost function returns.\n");
    return b.text;
}

const struct pane_kind pane_stack = {
    .name = "Calls",
    .short_name = "Calls",
    .about = "The kernel functions that are under way, each called by the one above it, "
             "and the CPU's context.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
};
