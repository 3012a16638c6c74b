/* Commands: the stack, numbered as gdb does it: the kernel's functions, innermost first,
 * then the script's, whose innermost one issued the operation. A frame that is selected
 * (up, down, frame) is the one whose locals the command line sees.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- frames ---- */

static uint32_t nr_script_frames(const struct app *a)
{
    const struct model *md = &a->model;
    return md->has_op ? session_nr_frames(a->session, md->at.branch, md->view.op) : 0;
}

static bool script_frame(const struct app *a, int number, struct script_frame *f)
{
    const struct model *md = &a->model;
    return md->has_op && number >= (int)md->depth &&
           session_frame(a->session, md->at.branch, md->view.op,
                         (uint32_t)(number - (int)md->depth), f);
}

static const struct probe_frame *kernel_frame(const struct app *a, int number)
{
    const int depth = (int)a->model.depth;
    return number >= 0 && number < depth ? &a->model.stack[depth - 1 - number] : NULL;
}

static int selected_frame(const struct app *a)
{
    const int row = a->stack.selected, depth = (int)a->model.depth;
    return row >= 0 && row < depth ? depth - 1 - row
           : a->script_frame >= 0  ? depth + a->script_frame
                                   : 0;
}

static void add_frame(struct text_buf *b, const struct app *a, int number)
{
    char text[320];
    struct script_frame f;
    const struct probe_frame *k = kernel_frame(a, number);
    if (k) {
        frame_format(text, sizeof text, a->model.m, k);
        text_add(b, "#%-2d %s at %s", number, text, fn_file(a->model.m, k->fn));
    } else if (script_frame(a, number, &f)) {
        text_add(b, f.line ? "#%-2d %s at %s:%" PRIu32 : "#%-2d %s in %s", number, f.name,
                 f.file, f.line);
    }
}

void run_backtrace(struct app *a, const char *args)
{
    const struct model *md = &a->model;
    const int depth = (int)md->depth, nr = depth + (int)nr_script_frames(a);
    struct text_buf b = {0};
    (void)args;
    if (!md->has_op) {
        app_message(a, MESSAGE_INFO, "No operation yet: the machine has booted.");
        return;
    }
    for (int i = 0; i <= nr; i++) {
        if (i == depth) { /* what the script called */
            char call[256];
            op_format(call, sizeof call, md->m, &md->view.rec.op, NULL);
            text_add(&b, "--- operation %" PRIu64 " on CPU %u: %s%s\n",
                     op_number(md->view.op), md->view.rec.op.cpu, call,
                     nr > depth ? ", called by" : ", by hand");
        }
        if (i < nr) {
            add_frame(&b, a, i);
            text_add(&b, "\n");
        }
    }
    popup_text(a, "Backtrace", b.text);
}

/* The script's line goes under the cursor, and its variables into scope. */
static void select_frame(struct app *a, int number, const struct script_frame *f)
{
    const int depth = (int)a->model.depth;
    a->script_frame = f ? number - depth : -1;
    a->stack.selected = f ? -1 : depth - 1 - number;
    session_select_frame(a->session, f ? (uint32_t)a->script_frame : 0);
    if (f && f->line && f->line <= session_nr_lines(a->session)) {
        a->script.selected = (int)f->line - 1;
    }
}

static void show_frame(struct app *a, int number)
{
    struct text_buf b = {0};
    struct script_frame f;
    const struct probe_frame *k = kernel_frame(a, number);
    const bool in_script = !k && script_frame(a, number, &f);
    const int nr = (int)a->model.depth + (int)nr_script_frames(a);
    if (!nr) {
        app_message(a, MESSAGE_INFO,
                    "Neither the kernel nor the script is at work here.");
        return;
    }
    if (!k && !in_script) {
        app_message(a, MESSAGE_INFO,
                    number < 0 ? "This is the innermost frame already."
                               : "This is the outermost frame already: %d.",
                    nr - 1);
        return;
    }
    select_frame(a, number, in_script ? &f : NULL);
    add_frame(&b, a, number);
    const char *line = in_script ? session_line(a->session, f.line) : "";
    app_message(a, MESSAGE_INFO, "%s%s%s", b.text ? b.text : "",
                in_script && !f.line ? "" : ": ",
                in_script ? line + strspn(line, " \t") : fn_info(k->fn)->sentence);
    free(b.text);
}

/* COUNT frames further out; more than there are: the outermost one, as gdb does it. */
static void move_frame(struct app *a, const char *args, int by)
{
    const int outermost = (int)a->model.depth + (int)nr_script_frames(a) - 1;
    const int from = selected_frame(a);
    int to = from + by * (*args ? atoi(args) : 1);
    if (to > outermost && from < outermost) {
        to = outermost;
    } else if (to < 0 && from > 0) {
        to = 0;
    }
    show_frame(a, to);
}

void run_up(struct app *a, const char *args) { move_frame(a, args, 1); }
void run_down(struct app *a, const char *args) { move_frame(a, args, -1); }

void run_frame(struct app *a, const char *args)
{
    char *end;
    const long number = strtol(args, &end, 10);
    if (*end || number < 0 || number > 10000) {
        app_message(a, MESSAGE_ERROR, "frame wants a number, as backtrace lists them.");
    } else {
        show_frame(a, *args ? (int)number : selected_frame(a));
    }
}

/* ---- what a frame knows ---- */

static void add_arguments(struct text_buf *b, const struct app *a,
                          const struct probe_frame *k)
{
    const struct fn_info *info = fn_info(k->fn);
    char name[32], type[32], value[128];
    for (uint32_t i = 0; i < PROBE_FRAME_ARGS && arg_describe(info->args, i, name, type);
         i++) {
        value_format(value, sizeof value, a->model.m, type, k->arg[i]);
        text_add(b, "%s = %s\n", name, value);
    }
}

void run_locals(struct app *a, const char *args)
{
    const int depth = (int)a->model.depth, number = selected_frame(a);
    /* unless one of the kernel's was chosen, it is about the script */
    const bool in_kernel = a->script_frame < 0 && a->stack.selected >= 0;
    const struct probe_frame *k = in_kernel ? kernel_frame(a, number) : NULL;
    struct script_frame f;
    struct text_buf b = {0};
    (void)args;
    if (!a->model.has_op) {
        app_message(a, MESSAGE_INFO, "The script has not begun.");
        return;
    }
    if (k) {
        text_add(&b,
                 POPUP_TEXT_HEADING "Arguments of frame %d, %s()" POPUP_TEXT_NORMAL "\n",
                 number, fn_info(k->fn)->name);
        add_arguments(&b, a, k);
        text_add(&b, "\n");
    }
    const int shown = a->script_frame >= 0 ? number : depth;
    if (script_frame(a, shown, &f)) {
        text_add(
            &b, POPUP_TEXT_HEADING "Variables of frame %d, %s" POPUP_TEXT_NORMAL "\n%.*s",
            shown, f.name, (int)f.locals_len, f.locals);
        text_add(&b, "%s", f.locals_len ? "" : "(none)\n");
    } else {
        text_add(&b, "The operation in view was done by hand: it has no variables.\n");
    }
    for (int i = depth; script_frame(a, i, &f); i++) {
        text_add(&b, "%s",
                 i == depth ? "\n" POPUP_TEXT_HEADING
                              "Frames of the script" POPUP_TEXT_NORMAL "\n"
                            : "");
        add_frame(&b, a, i);
        text_add(&b, "%s\n", i == shown ? "  (these)" : "");
    }
    popup_text(a, "Locals", b.text);
}

/* ---- the script ---- */

void run_list(struct app *a, const char *args)
{
    enum { AROUND = 5 };
    const uint32_t nr = session_nr_lines(a->session);
    struct script_frame f;
    uint32_t line = *args ? (uint32_t)strtoul(args, NULL, 10)
                    : a->script_frame >= 0 && script_frame(a, selected_frame(a), &f)
                        ? f.line
                        : a->model.near_line;
    struct text_buf b = {0};
    if (!nr) {
        app_message(a, MESSAGE_INFO, "There is no script here.");
        return;
    }
    line = line < 1 ? 1 : line > nr ? nr : line;
    const uint32_t first = line > AROUND ? line - AROUND : 1;
    for (uint32_t i = first; i <= nr && i < first + 2 * AROUND; i++) {
        text_add(&b, "%s%" PRIu32 "\t%s\n", i == a->model.line ? "=> " : "   ", i,
                 session_line(a->session, i));
    }
    popup_text(a, session_name(a->session), b.text);
}
