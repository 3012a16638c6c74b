/* What the panes Caches and Slabs remember: a part of struct app.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_OBJECTS_STATE_H
#define UI_OBJECTS_STATE_H

#include "model.h"

enum { OBJECTS_MAX_LIT = 256 };

struct object_lit { /* by address, or by its slab's page and its number there */
    uint64_t va;    /* 0: the other way */
    uint64_t pfn;
    uint32_t index;
};

/* One place that an operation came to on its way (object_path.h). */
struct path_station {
    uint8_t where;  /* row of the table of stations */
    uint32_t times; /* how often in a row it came to the same */
    uint64_t event; /* that brought it there, the last of them */
    char text[48];  /* what it found there */
};
enum { PATH_MAX = 48 };
struct object_path {
    bool there;      /* some operation did something to the cache */
    bool live;       /* it is the one in view */
    bool frees;      /* its way is the one of a free */
    uint64_t op;     /* 1-based */
    uint64_t events; /* of the path so far */
    int nr, dropped; /* the first ones go where there are too many */
    char call[64];
    struct path_station at[PATH_MAX];
};

struct objects_state {
    uint32_t cache; /* shown; 0: there is none */
    bool pinned;    /* the user chose it; else it follows what happens */
    char sort;      /* slabtop's key; 0: o */
    bool opened;    /* Enter in the list showed it: Esc goes back there */
    /* Slabs */
    int detail; /* 0: as fits; 1 to 3: a cell tells nothing more, number, address */
    bool has_cursor, in_array;
    uint32_t array, entry; /* in_array: which (the shared one is behind the CPUs'),
                                   and how many go out before it */
    uint64_t va;           /* else: the object */
    int64_t top;           /* first row of slabs that is seen */
    int array_top;
    struct object_lit lit[OBJECTS_MAX_LIT]; /* touched by the operation in view */
    int nr_lit;
    uint64_t last_va;      /* the last of those; 0: none */
    uint32_t moving;       /* a slab that is between two lists just now; 0: none */
    struct op_events last; /* events of the last operation on the cache before that */
    struct object_path path;
};

#endif
