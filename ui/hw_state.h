/* What the panes of the hardware view remember: a part of struct app.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_HW_STATE_H
#define UI_HW_STATE_H

#include "hw_memory.h"
#include "set_tally.h"

/* A cache or TLB as sets by ways, seen from near or far. */
struct sets_state {
    /* 0: a row a way; 1: a row a set; 2 + n: a cell is 2^n sets. -1: as fits the part */
    int zoom;
    int fitted; /* what -1 means */
    int most;   /* no further out than this */
    int columns,
        rows;         /* cells a row in the heat map; rows of the drawing that are seen */
    int64_t top;      /* first row that is seen */
    uint32_t way_top; /* first way that is seen where a row is a set */
    bool has_cursor;
    uint32_t set, way;
};

/* What happened to a place, or will happen next. */
struct hw_touch {
    uint8_t part; /* enum hw_part */
    bool hit;
    uint32_t set;
    uint32_t way; /* CACHE_NO_WAY: only the set is known */
};

enum { HW_MAX_TOUCHED = 64, HW_MAX_LIT_LINES = 1024 };

/* The access in view: the one under way, or the last one before the position. Kept up to
 * date by hw_focus_refresh. */
struct hw_focus {
    bool has_access, under_way;
    /* what a view should show: its address, else that of the CPU's last one, or that of
     * the next operation */
    bool has_follow;
    uint64_t follow;
    uint32_t cpu;
    uint64_t va;
    enum side side;
    struct hw_touch touched[HW_MAX_TOUCHED]; /* by the last step */
    uint32_t nr_touched;
    /* what will be probed next, by part, and first of all */
    struct hw_touch next[NR_PARTS];
    bool has_next[NR_PARTS];
    int first_next;   /* enum hw_part, -1: not known */
    uint64_t next_va; /* whose probes those are */
    bool has_next_va;
    /* entries that the walks of this operation have read so far */
    struct {
        uint64_t at;
        uint32_t level;
        bool by_step; /* the last step read it */
    } walk[64];
    uint32_t nr_walk;
    bool walking; /* the last of them is what the last event read */
    bool has_next_entry;
    uint64_t next_entry; /* physical address of the entry that is read next */
};

/* Which tables, or whose memory. */
enum space_kind { SPACE_CURRENT, SPACE_KERNEL, SPACE_PROCESS };
struct space_choice {
    enum space_kind kind;
    uint32_t process;
};

/* A row of the page-table tree. */
enum walk_row_kind { WALK_ROOT, WALK_ENTRY, WALK_RUN, WALK_GAP };
struct walk_row {
    uint8_t kind, level, depth, open;
    bool leads;           /* the entry points to a table */
    bool alike;           /* a run of one entry, again and again */
    uint16_t first, last; /* indices in its table */
    uint64_t table;       /* physical address of the table */
    uint64_t va;          /* that the first index covers */
    uint64_t value;       /* of the first entry */
};

/* The user's own folding of a node; what he did not touch follows the access. */
struct walk_fold {
    uint64_t root, va;
    uint8_t level, run, open;
};
enum { WALK_MAX_FOLDS = 256, WALK_MAX_ROWS = 1 << 16 };

struct walk_state {
    struct space_choice space;
    bool pinned; /* an address that the user follows */
    uint64_t pinned_va;
    struct walk_fold folds[WALK_MAX_FOLDS];
    int nr_folds;
    struct walk_row *rows; /* as they were built for: */
    int nr_rows, room;
    uint64_t built_stamp, built_root, built_follow;
    uint32_t built_folds, fold_changes;
    bool built, built_followed;
    int top;
    int at; /* row of the cursor, or of the entry in use; -1: none */
    bool has_cursor;
    struct walk_row cursor; /* what it stood on */
    bool truncated;
};

/* What a word in memory seems to be. */
enum word_class { WORD_PLAIN, WORD_KERNEL, WORD_USER, WORD_TABLE, WORD_PAGE };

/* The bytes in view with some around, as they were when looked at last. */
enum { MEMORY_WINDOW = 8192, MEMORY_PLACES = 16 };

struct memory_window {
    bool valid;
    uint64_t stamp; /* of the move after which it was read */
    uint64_t first; /* address of the first byte */
    uint32_t size;
    bool physical, ram_words;
    uint64_t root; /* of the tables, where addresses are virtual */
    unsigned char seen[MEMORY_WINDOW], ram[MEMORY_WINDOW], from[MEMORY_WINDOW];
    unsigned char changed[MEMORY_WINDOW];  /* by the last step */
    unsigned char word[MEMORY_WINDOW / 4]; /* enum word_class, of the words in view: */
    uint64_t words_from, words_stamp;
    uint32_t words_n;
};

enum memory_what { MEMORY_VIRTUAL, MEMORY_PHYSICAL, MEMORY_RAM };

struct memory_place {
    enum memory_what what;
    struct space_choice space;
    uint64_t at;
};

struct memory_state {
    struct memory_place
        place; /* the cursor; without one: what the access in view touched */
    bool has_cursor, placed; /* placed: something has been looked at */
    uint64_t top;            /* address of the first row */
    int per_row, rows;
    struct memory_window window;
    struct memory_place before[MEMORY_PLACES]; /* where the user has come from */
    int nr_before;
};

/* A place in the address space, and how near it is looked at (space_map.h). */
enum { SPACE_MAX_ADDRESSES = 16 };
struct space_state {
    bool placed, has_cursor;
    uint64_t at;
    int near;    /* level of the bar that the cursor moves in; -1: pages */
    int columns; /* as fitted */
    /* the bytes that the last event was about */
    bool lit;
    uint64_t lit_first, lit_last;
    /* a page that another pane's cursor, or this one's, is on, and its addresses; kept as
     * they were at that stamp */
    bool has_page;
    uint64_t page, page_stamp, at_of_page[SPACE_MAX_ADDRESSES];
    int nr_addresses;
};

/* kmap's windows. */
struct windows_state {
    bool has_cursor;
    int at;  /* a slot: of the persistent ones, then of each CPU's */
    int top; /* first row that is seen */
    int per_row;
    int touched; /* by the last event; -1: none */
};

/* What the heat map of a cache or TLB shows. */
enum heat_kind { HEAT_CONTENTS, HEAT_MISSES, HEAT_HITS, NR_HEATS };

struct hw_state {
    struct hw_focus focus;
    uint64_t stamp; /* counts moves */
    struct sets_state sets[NR_PARTS];
    enum heat_kind heat;
    struct set_tally tally; /* counts while it is not HEAT_CONTENTS */
    enum hw_part cache, tlb;
    bool cache_pinned, tlb_pinned; /* the user chose it; else it follows what happens */
    struct walk_state walk;
    struct memory_state memory;
    struct space_state space;
    struct windows_state windows;
    /* the lines of an object that was selected last, where CPUs' caches hold them */
    struct hw_touch lit_lines[HW_MAX_LIT_LINES];
    uint32_t nr_lit_lines;
    bool has_lit; /* a frame that was selected last: it lights up in the memory map */
    uint64_t lit;
};

#endif
