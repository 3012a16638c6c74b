/* The bytes that the memory pane shows: reading them, what changed, what words are, and
 * searching.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_MEMORY_VIEW_H
#define UI_MEMORY_VIEW_H

#include "app.h"

/* The tables of a place; false: paging is off there. */
bool memory_tables(const struct app *a, const struct memory_place *p, struct mmu *mmu);
/* Have [first, first + n) in the window, marked with what the last step changed. n is at
 * most MEMORY_WINDOW / 2. */
void memory_look(struct app *a, uint64_t first, uint32_t n);
/* Index of an address in the window (0 when it is not there). */
uint32_t memory_index(const struct memory_window *w, uint64_t at);
/* The physical address of a place; false: nothing is mapped there. */
bool memory_physical(const struct app *a, const struct memory_place *p, uint64_t *pa);

/* Show a place (pane_memory.c); the one before can be returned to. */
void memory_go(struct app *a, const struct memory_place *to);
/* The kernel's own virtual address of a physical one; 0: it has none. */
uint64_t memory_direct(const struct app *a, uint64_t pa);

/* Bytes of a word where p lies: 4, or 8 on 64 bits and in tables with wide entries. */
uint32_t memory_word_bytes(const struct app *a, uint64_t at);
/* The word at an address (cut down to the word's beginning) as the pane shows it, and
 * what it is. */
uint64_t memory_word(const struct app *a, uint64_t *at, enum word_class *what);
/* Where a word leads; false: nowhere. */
bool memory_follow(const struct app *a, uint64_t at, struct memory_place *to);
/* "direct map", "vmalloc", ...: the area of a virtual address. */
const char *memory_area(const struct app *a, uint64_t va);

/* Bytes to search for, from text: 0x... is a number (lowest byte first), pairs of
 * hexadecimal digits are bytes, all else is text. Answers how many; 0: none. */
uint32_t memory_needle(const char *text, unsigned char needle[64]);
/* From p->at on; true: p->at is where they are. False: not found up to p->at; exhausted
 * tells whether there is more to search. */
bool memory_search(const struct app *a, struct memory_place *p,
                   const unsigned char *needle, uint32_t n, bool *exhausted);

#endif
