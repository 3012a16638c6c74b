/* The access in view: what it touched by the last step, what it will probe next.
 *
 * Inside an operation both come from its events, those that have happened and those that
 * will. Between operations the next one may be known (going through the past, or through
 * a trace): then what it will probe is worked out from its address; else from the address
 * that the user follows (:walk).
 *
 * Left out: what the script will do next where nothing has been done yet; what other CPUs
 * snoop.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HW_FOCUS_H
#define UI_HW_FOCUS_H

#include "app.h"

/* After a move. */
void hw_focus_refresh(struct app *a);

void hw_focus_init(struct app *a);
/* Where nothing else is known: announce what a load from va would probe. */
void hw_focus_aim(struct app *a, uint64_t va);
/* Forget what is selected: follow what happens. */
void hw_focus_forget(struct app *a);
/* The CPU that the panes show; NULL: the machine has no such hardware. */
const struct memsys *shown_cpu(const struct app *a);
const struct cache *shown_part(const struct app *a, enum hw_part part);
const char *hw_part_title(enum hw_part part); /* "L1D" */
const char *hw_policy_name(enum cache_policy policy);

/* Did the last step touch that way of the set (way CACHE_NO_WAY: the set at all)? */
bool hw_touched(const struct app *a, enum hw_part part, uint32_t set, uint32_t way);
/* Will it be probed next? 2: this way will hit. */
int hw_next(const struct app *a, enum hw_part part, uint32_t set, uint32_t way);
/* The set that a pane should show: touched last, or to be probed; false: none of them. */
bool hw_follow_set(const struct app *a, enum hw_part part, uint32_t *set, uint32_t *way);
/* Is it a line of the object that was selected last? */
bool hw_lit_line(const struct app *a, enum hw_part part, uint32_t set, uint32_t way);
/* The part of which that is so, among first .. last; -1: none. */
int hw_follow_part(const struct app *a, enum hw_part first, enum hw_part last);

/* The tables that a choice means. False: there are none. */
bool hw_space(const struct app *a, const struct space_choice *c, struct mmu *mmu,
              char *name, size_t size);
/* "current", "kernel", a process's number or name. */
bool hw_space_find(const struct app *a, const char *word, struct space_choice *c);
/* Another choice, one on or back. */
void hw_space_turn(const struct app *a, struct space_choice *c, int by);

/* ": 3 cold 0 capacity 2 conflict", briefer where there is little room; answers where it
 * ends. */
int hw_draw_causes(struct grid *g, int x, int y, int w, const struct miss_causes *why);

/* A number as people type addresses: hexadecimal with or without 0x. False: it is
 * none. */
bool hw_parse_address(const char *text, uint64_t *value);
/* A trace that runs without page tables: what the kernel's say has no meaning for it. */
bool hw_without_tables(const struct app *a);
/* Digits of a virtual address of this machine, and of a physical one. */
int hw_va_digits(const struct app *a);
int hw_pa_digits(const struct app *a);
/* Whose a physical address is, in a few words: "Normal, allocated", "no memory". */
const char *hw_owner(const struct app *a, uint64_t pa, char *buf, size_t size);

#endif
