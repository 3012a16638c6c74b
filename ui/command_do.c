/* Commands: doing something to the machine, as the user.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "pane.h"
#include "popup.h"
#include "slab_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void run_alloc(struct app *a, const char *args)
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

void run_free(struct app *a, const char *args)
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

void run_drain(struct app *a, const char *args)
{
    user_op(a, (struct op){.kind = !strcmp(args, "all") ? OP_DRAIN_ALL_PAGES
                                                        : OP_DRAIN_LOCAL_PAGES});
}

void run_validate_slab(struct app *a, const char *args)
{
    const uint32_t id = cache_by_name(a->model.m, args);
    if (!id) {
        app_message(a, MESSAGE_ERROR, "There is no cache %s.", args);
        return;
    }
    const uint64_t nr =
        user_op(a, (struct op){.kind = OP_VALIDATE_SLAB_CACHE, .arg = {id}});
    app_message(a, MESSAGE_INFO, "%llu slabs of %s have been checked.",
                (unsigned long long)nr, args);
}

void run_interrupt(struct app *a, const char *args)
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
