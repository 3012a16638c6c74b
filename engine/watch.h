/* Something in the machine whose changes can be watched: by watchpoints, and by "why?".
 *
 * A watch names a thing, not bytes: a page, a free list, an address. What it is now is
 * read as a few words, and two readings that are equal mean that nothing has changed.
 * Reading costs some nanoseconds, so that it can be done at every event.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include "machine.h"

enum watch_kind {
    WATCH_PAGE,     /* a: pfn. Who has it, and in what state */
    WATCH_FREELIST, /* a: zone, b: order, c: migratetype. First block and number */
    WATCH_PCP,      /* a: zone, b: CPU, c: list. The same */
    WATCH_ZONE,     /* a: zone. Its counter of free pages, and its watermarks */
    WATCH_PHYSICAL, /* a: address, b: bytes */
    WATCH_ENTRY,    /* a: address: the page-table entry that maps it; of user space in
                       address space c, 0: the first one that maps it */
    WATCH_VIRTUAL,  /* a: address, b: bytes: through the tables; c as below */
    WATCH_L1I_SET,  /* a: set, b: CPU */
    WATCH_L1D_SET,
    WATCH_L2_SET,
    WATCH_ITLB_SET,
    WATCH_DTLB_SET,
    WATCH_STLB_SET,
    WATCH_OBJECT, /* a: address in it. Who has the object, and where it waits */
    NR_WATCH_KINDS
};

enum { WATCH_MAX_BYTES = 4096 };

struct watch {
    enum watch_kind kind;
    uint64_t a, b, c;
};

struct watch_value {
    uint64_t word[4];
};

/* NULL, or why there is no such thing in this machine. */
const char *watch_error(const struct watch *w, const struct machine *m);
struct watch_value watch_read(const struct watch *w, const struct machine *m);
/* Is it another one than *value? *value is what it is now. */
bool watch_changed(const struct watch *w, const struct machine *m,
                   struct watch_value *value);
/* "the Unmovable list of order 4 in Normal", as snprintf. */
int watch_name(char *buf, size_t size, const struct watch *w, const struct machine *m);
/* What it is now: "3 blocks, the first one 0x1c00". */
int watch_format(char *buf, size_t size, const struct watch *w, const struct machine *m);

#endif
