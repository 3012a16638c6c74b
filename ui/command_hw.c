/* Commands: looking at the hardware.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command_run.h"
#include "hw_focus.h"
#include "hw_sets.h"
#include "memory_view.h"
#include "walk_rows.h"

/* A part by its name among first .. last, or by the number of its level. */
static bool part_find(const char *name, enum hw_part first, enum hw_part last,
                      enum hw_part *part)
{
    for (enum hw_part i = first; i <= last; i++) {
        if (!strcasecmp(name, hw_part_title(i))) {
            *part = i;
            return true;
        }
    }
    return false;
}

/* Put a set, a number, under the cursor. */
static bool show_set(struct app *a, enum hw_part part, const char *text)
{
    const struct cache *c = shown_part(a, part);
    unsigned set, way = 0;
    char rest;
    int got = sscanf(text, "%u %u %c", &set, &way, &rest);
    if (got < 1 || got > 2 || set >= c->config.sets || way >= c->config.ways) {
        app_message(a, MESSAGE_ERROR, "%s has sets 0 to %u and ways 0 to %u.",
                    hw_part_title(part), c->config.sets - 1, c->config.ways - 1);
        return false;
    }
    a->hw.sets[part].has_cursor = true;
    a->hw.sets[part].set = set;
    a->hw.sets[part].way = way;
    return true;
}

static void show_part(struct app *a, const char *args, enum hw_part first,
                      enum hw_part last, int pane, enum hw_part *shown, bool *pinned)
{
    char name[16];
    const size_t len = strcspn(args, " ");
    const char *rest = args + len + strspn(args + len, " ");
    enum hw_part part = *shown;
    snprintf(name, sizeof name, "%.*s", (int)len, args);
    app_focus(a, pane);
    if (!*args) {
        return;
    }
    if (!strcmp(name, "auto")) {
        *pinned = false;
        app_message(a, MESSAGE_INFO, "It follows what happens.");
        return;
    }
    if (!strcmp(name, "next") || !strcmp(name, "previous")) {
        part = sets_turn(a, first, last, *shown, *name == 'n' ? 1 : -1);
    } else if (!part_find(name, first, last, &part)) {
        app_message(a, MESSAGE_ERROR, "There is no %s: %s, %s and %s are known.", name,
                    hw_part_title(first), hw_part_title(first + 1), hw_part_title(last));
        return;
    }
    if (!shown_part(a, part)) {
        app_message(a, MESSAGE_ERROR, "This CPU has no %s.", hw_part_title(part));
        return;
    }
    if (*rest && !show_set(a, part, rest)) {
        return;
    }
    *shown = part;
    *pinned = true;
}

void run_cache(struct app *a, const char *args)
{
    show_part(a, args, PART_L1I, PART_L2, PANE_CACHE, &a->hw.cache, &a->hw.cache_pinned);
}

void run_heat(struct app *a, const char *args)
{
    static const char *const names[NR_HEATS] = {"contents", "misses", "hits"};
    int at = *args ? NR_HEATS : (int)(a->hw.heat + 1) % NR_HEATS;
    for (int i = 0; i < NR_HEATS && at == NR_HEATS; i++) {
        at = strcmp(args, names[i]) ? at : i;
    }
    if (at == NR_HEATS) {
        app_message(a, MESSAGE_ERROR, "heat %s: contents, misses and hits are there.",
                    args);
        return;
    }
    a->hw.heat = (enum heat_kind)at;
    set_tally_stop(&a->hw.tally);
    if (at != HEAT_CONTENTS) {
        struct sets_state *s =
            &a->hw.sets[a->focus == PANE_TLB ? a->hw.tlb : a->hw.cache];
        s->zoom = sets_zoom(s) < SETS_HEAT ? SETS_HEAT : s->zoom;
        set_tally_refresh(&a->hw.tally, a->t);
    }
    app_message(a, MESSAGE_INFO, "Heat maps of caches and TLBs show %s.",
                at == HEAT_CONTENTS ? "what sets hold"
                : at == HEAT_MISSES ? "each set's misses"
                                    : "each set's hits");
}

void run_tlb(struct app *a, const char *args)
{
    show_part(a, args, PART_ITLB, PART_STLB, PANE_TLB, &a->hw.tlb, &a->hw.tlb_pinned);
}

/* ---- page tables ---- */

void run_tables(struct app *a, const char *args)
{
    struct space_choice choice;
    struct mmu mmu;
    char name[48];
    app_focus(a, PANE_WALK);
    if (!*args) {
        return;
    }
    if (!hw_space_find(a, args, &choice) ||
        !hw_space(a, &choice, &mmu, name, sizeof name)) {
        app_message(
            a, MESSAGE_ERROR,
            "There is no address space %s: current, kernel, or a process's number.",
            args);
        return;
    }
    a->hw.walk.space = choice;
    a->hw.walk.has_cursor = false;
    app_message(a, MESSAGE_INFO, "The tables of %s.", name);
}

void run_walk(struct app *a, const char *args)
{
    struct walk_state *s = &a->hw.walk;
    struct mmu mmu;
    struct walk w;
    char name[48], letters[5];
    uint64_t va;
    app_focus(a, PANE_WALK);
    if (!*args || !strcmp(args, "auto")) {
        s->pinned = s->has_cursor = false;
        app_message(a, MESSAGE_INFO, "The tree follows the access in view.");
        return;
    }
    if (!hw_parse_address(args, &va)) {
        app_message(a, MESSAGE_ERROR, "walk wants an address, as 0xc0100000.");
        return;
    }
    if (!hw_space(a, &s->space, &mmu, name, sizeof name)) {
        app_message(a, MESSAGE_ERROR, "Paging is off: there are no tables.");
        return;
    }
    s->pinned = true;
    s->pinned_va = va;
    hw_focus_aim(a, va);
    s->has_cursor = false;
    table_walk(a->model.m, &mmu, va, &w);
    if (w.fault.kind == FAULT_PROTECTION) {
        app_message(a, MESSAGE_ERROR, "0x%llx is not canonical: no table is asked.",
                    (unsigned long long)va);
    } else if (w.fault.kind != FAULT_NONE) {
        const uint32_t level = w.nr_steps ? w.step[w.nr_steps - 1].level : 0;
        app_message(a, MESSAGE_INFO, "0x%llx is not mapped: its %s entry is %s.",
                    (unsigned long long)va, walk_kernel_name(mmu.paging, level),
                    w.nr_steps && w.step[w.nr_steps - 1].value & PTE_P ? "not a valid one"
                                                                       : "not present");
    } else {
        perms_format(letters, (uint32_t)w.entry & TLB_PERMS);
        app_message(
            a, MESSAGE_INFO, "0x%llx is at 0x%llx, a page of %s: %s.",
            (unsigned long long)va,
            (unsigned long long)tlb_entry_translate(w.entry, va).v,
            bytes_text((char[28]){0}, (uint64_t)1 << page_shift(tlb_entry_size(w.entry))),
            letters);
    }
}

/* ---- memory ---- */

void run_memory(struct app *a, const char *args)
{
    static const char *const words[] = {"virtual", "physical", "ram"};
    struct memory_state *s = &a->hw.memory;
    struct memory_place to = s->place;
    const char *rest = args;
    bool said = false;
    for (int i = 0; i < 3 && !said; i++) {
        if (first_word_is(args, words[i], &rest)) {
            to.what = (enum memory_what)i;
            said = true;
        }
    }
    app_focus(a, PANE_MEMORY);
    if (!strcmp(args, "back")) {
        if (!s->nr_before) {
            app_message(a, MESSAGE_INFO, "There is no place to go back to.");
        } else {
            s->place = s->before[--s->nr_before];
            s->has_cursor = true;
        }
    } else if (!strcmp(args, "auto")) {
        s->has_cursor = false;
        app_message(a, MESSAGE_INFO, "The bytes follow the access in view.");
    } else if (said && !*rest) {
        uint64_t pa;
        const bool mapped = memory_physical(a, &s->place, &pa);
        if (to.what == MEMORY_VIRTUAL && s->place.what != MEMORY_VIRTUAL) {
            to.at = memory_direct(a, to.at);
        } else if (to.what != MEMORY_VIRTUAL) {
            to.at = mapped ? pa : 0;
        }
        s->place = to;
    } else if (*rest) {
        to.what = said ? to.what : MEMORY_VIRTUAL;
        if (!hw_parse_address(rest, &to.at)) {
            app_message(a, MESSAGE_ERROR, "memory wants an address, as 0xc0100000.");
        } else {
            memory_go(a, &to);
        }
    }
}
