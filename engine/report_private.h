/* What the files that write the kernel's reports share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_REPORT_PRIVATE_H
#define ENGINE_REPORT_PRIVATE_H

#include "machine.h"
#include "text.h"

#define TASK "mmscope"
/* print_tainted() of a kernel that has seen a bad page, or damage in a slab */
#define TAINTED "Tainted: G    B             "
enum { TASK_PID = 1 };

/* dump_stack() */
void report_stack(struct text *t, const struct machine *m, const struct event *ev);

/* ---- report_slab.c ---- */
/* SLAB's WARN_ON()s and BUG_ON()s, and SLUB's where no debugging is on. */
void report_slab(struct text *t, const struct machine *m, const struct event *ev);
void report_slab_leak(struct text *t, const struct machine *m, const struct event *ev);
/* slab_bug() with what follows it, slab_fix() */
void report_slub_bug(struct text *t, const struct machine *m, const struct event *ev);
void report_slub_fix(struct text *t, const struct machine *m, const struct event *ev);

#endif
