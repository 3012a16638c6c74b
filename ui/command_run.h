/* The functions of the commands, one each row of command.def, and what they share. Only
 * the files command_*.c and commands.c include this.
 *
 *   commands.c          the table, lines, completion
 *   command_time.c      going through time, branches
 *   branch_tree.c       a picture of the branches
 *   command_branch.c    how two branches differ
 *   command_compare.c   the same script on two machines
 *   command_break.c     breakpoints and watchpoints
 *   command_why.c       what changed this, and why
 *   command_stack.c     the stack, the script's variables
 *   command_debug.c     expressions, memory, addresses
 *   command_export.c    what is seen, as files
 *   command_info.c      tables of the machine
 *   command_slab.c      caches of objects, areas
 *   command_mark.c      marked positions
 *   command_look.c      looking around
 *   command_hw.c        looking at the hardware
 *   command_do.c        doing something to the machine
 *   command_program.c   the program
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_COMMAND_RUN_H
#define UI_COMMAND_RUN_H

#include "commands.h"

#define COMMAND(id, name, args, complete, help)                                          \
    void run_##id(struct app *a, const char *args_);
#include "command.def"
#undef COMMAND

/* The page of the argument, else the one under the cursor. False: there is none (and if
 * args is not a number, that is said). */
bool selected_page(struct app *a, const char *args, uint64_t *p);

/* branch_tree.c: the branches as a picture, to choose one. */
void branch_tree(struct app *a);
/* command_branch.c: an operation of a timeline's branch, and the number of the first
 * event in which two of them differ, with those events (empty: it has no further one); 0:
 * they have the same ones. */
enum { EVENT_LINE = 400 };
struct op_place {
    struct timeline *t;
    uint32_t branch;
    uint64_t op;
};
uint64_t events_part_at(const struct op_place place[2], char line[2][EVENT_LINE]);
/* command_slab.c, for info and kmem */
struct text_buf;
void info_mempool(struct app *a, struct text_buf *b);
void kmem_caches(struct app *a, struct text_buf *b, const char *name);
void kmem_slabs(struct app *a, struct text_buf *b, const char *name);
void info_vmalloc(struct app *a, struct text_buf *b);
void info_pkmap(struct app *a, struct text_buf *b);
/* Where the mark of that name is; false: there is none. */
bool mark_position(struct app *a, const char *name, struct position *at);
/* The names that info knows. */
void command_infos(void (*fn)(void *ctx, const char *word), void *ctx);

/* Does args begin with that word? rest is what follows. */
bool first_word_is(const char *args, const char *word, const char **rest);

#endif
