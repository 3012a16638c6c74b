/* The screen of one session: all of its state, and the two things that are done with it.
 *
 *     app_key(app, key)      a key was pressed: commands run, the state changes
 *     app_draw(app, grid)    pure: the state is drawn into a grid, nothing changes
 *
 * No terminal appears here: tests drive the same calls and read the grid.
 *
 * Everything that is drawn comes from const struct machine through engine/inspect.h; the
 * machine is changed only through the session and its timeline.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_APP_H
#define UI_APP_H

#include "access.h"
#include <stdio.h>

#include "glyphs.h"
#include "grid.h"
#include "history.h"
#include "hw_state.h"
#include "key.h"
#include "layout.h"
#include "model.h"
#include "objects_state.h"
#include "stops.h"
#include "style.h"

struct pane_list { /* a pane that shows rows */
    int top;       /* first row that is seen */
    int selected;  /* -1: follow what happens */
    int rows;      /* how many there were when last fitted */
};

struct map_state {
    int shift;         /* a cell is 2^shift pages; -1: as many as fit the pane */
    int fitted_shift;  /* what -1 means at the pane's size */
    int columns, rows; /* cells a row, rows that are seen, at the pane's size */
    int64_t top;       /* first row that is seen */
    bool has_cursor;
    uint64_t cursor; /* a page frame number */
};

struct buddy_state {
    bool has_cursor;
    int order;
    int mt;
    int64_t chain;     /* block of the chain under the cursor; -1: the count is */
    int64_t chain_top; /* first block of the chain that is seen */
};

struct pcp_state {
    bool has_cursor;
    int list;
    int64_t chain;
    int64_t chain_top;
};

enum popup_kind {
    POPUP_NONE,
    POPUP_TEXT,   /* text to scroll through */
    POPUP_ALLOC,  /* the allocation dialogue */
    POPUP_CHOICE, /* a list of commands */
    POPUP_QUIT    /* really leave? */
};

/* Text in a popup may switch its style: one of these characters in it. */
#define POPUP_TEXT_NORMAL "\1"
#define POPUP_TEXT_KEY "\2"
#define POPUP_TEXT_DIM "\3"
#define POPUP_TEXT_HEADING "\4"
/* Here begin the further rows of a paragraph that is longer than one. */
#define POPUP_TEXT_HANG "\5"

enum { MAX_CHOICES = 64 };

struct popup {
    enum popup_kind kind;
    char title[96];
    char *text;       /* POPUP_TEXT: malloced */
    char command[64]; /* POPUP_TEXT: what Enter runs; "": it closes */
    int top;
    int order, gfp; /* POPUP_ALLOC: gfp is a row of the combinations */
    struct {
        char *label, *command;
    } choices[MAX_CHOICES];
    int nr_choices, selected;
    char other[32]; /* "d:how they differ" on the lower edge, of branches; "": none */
};

enum message_kind { MESSAGE_NONE, MESSAGE_INFO, MESSAGE_ERROR };

enum { MAX_ANSWERS = 64, MAX_MARKS = 64 };

struct bookmark { /* a position with a name */
    char name[32], note[160];
    struct position at;
};

/* What the screen asks of the program around it. */
enum app_request {
    REQUEST_NONE,
    REQUEST_QUIT,
    REQUEST_MENU,
    REQUEST_LOAD, /* load_path */
    REQUEST_SUSPEND,
    REQUEST_REDRAW,
    REQUEST_MOUSE
};

enum {
    API_WORDS = 1024
}; /* a power of two, well over the number of calls that a script knows */

struct recording { /* of the screen, as an asciicast */
    FILE *file;    /* NULL: none is made */
    bool began;
    double start;
    struct grid last; /* what was written */
};

struct app {
    struct session *session;
    struct timeline *t;
    struct pagemap *pagemap;
    struct model model;
    struct access_paths paths; /* of the operation in view, else of the last access */
    uint64_t paths_happened;   /* events of that operation that have happened */
    struct op_events access;   /* the last access, when it is not in view */
    struct history history;    /* of the hardware's counters */
    /* of the shown CPU, before the last step */
    struct memsys_tally tally_now, tally_before;
    uint64_t cycles_now, cycles_before;
    uint32_t tally_cpu;
    int chart;              /* enum history_series */
    bool sandbox, recorded; /* a machine to play with; a record or a trace, no script */
    const char *api_words
        [API_WORDS]; /* the calls of the scenario API, by hash: for colouring scripts */

    /* the screen */
    struct layout_prefs prefs;
    struct layout layout;
    int cols, rows;
    const struct glyphs *glyphs;
    int focus;
    uint32_t stamp;         /* of the last choice of a pane */
    uint32_t changed_panes; /* bits: panes whose contents the last step changed */
    bool view_chosen;       /* by the user: a lesson only suggests from then on */
    int view_wanted;        /* the view that the lesson wants here; -1: none */
    bool view_suggested;    /* that there is another view has been said */

    /* the panes */
    struct pane_list script, narration, stack, zones, events, source, caches;
    int script_frame;       /* selected, of the script's call stack; -1: none of these */
    char source_fn[64];     /* whose text the source pane shows */
    uint16_t source_wanted; /* a function that the user asked for; 0: what is at work */
    struct buddy_state buddy;
    struct pcp_state pcp;
    struct map_state map;
    struct objects_state objects;
    struct hw_state hw;
    uint32_t zone; /* shown in the free lists and the per-CPU lists */
    uint32_t cpu;
    bool zone_pinned, cpu_pinned;

    struct popup popup;
    char details_command[64]; /* a pane's details say what Enter then does */
    enum message_kind message_kind;
    char message[1024];

    /* the command line, while it is open: what to draw */
    bool prompt_open;
    char prompt[16];
    char prompt_text[1024];
    size_t prompt_point;      /* bytes before the cursor */
    char *prompt_matches;     /* possible completions, a line each; NULL: none */
    char prompt_initial[256]; /* what the line begins with */
    char search[128];

    bool running;
    int speed; /* index into app_speed() */
    struct stops stops;
    char todo[256];  /* commands of the breakpoint that was reached, divided by ; */
    bool keeps_todo; /* whoever drives the app runs them itself */
    struct compare *compare; /* compare.h: over the panes; NULL: none */
    struct bookmark marks[MAX_MARKS];
    int nr_marks;
    int last_stop; /* number of the breakpoint that the last run stopped at; 0: none */
    struct recording recording;
    uint64_t kept_stamp; /* what the recovery copy holds: keep.h */
    char load_path[1024];
    struct watch asked; /* what why and history were asked about last */
    bool has_asked;
    struct {
        uint32_t text; /* the question: a string of the timeline */
        int choice;
    } answers[MAX_ANSWERS];
    int nr_answers;
    uint64_t last_allocated; /* pfn that the user allocated last; PFN_NONE */
    enum app_request request;

    /* is asked during long travels: true stops them */
    bool (*interrupted)(void *ctx);
    void *interrupted_ctx;
    /* what takes its time, for the status line; NULL: nothing. And how to show it. */
    const char *busy;
    void (*show)(void *ctx, struct app *a);
    void *show_ctx;
};

/* Around a session, which stays the caller's. */
void app_init(struct app *a, struct session *s, enum glyph_set set);
void app_free(struct app *a);
/* The screen's size; also after anything that changes the layout. */
void app_resize(struct app *a, int cols, int rows);
void app_key(struct app *a, int key);
void app_mouse(struct app *a, int x, int y,
               int wheel); /* wheel: -1 up, 1 down, 0 a click */
/* A line from the command prompt, or a key's command. */
void app_command(struct app *a, const char *line);
/* What has just been shown, for the recording if there is one; and its end. */
void record_frame(struct app *a, const struct grid *g);
void record_stop(struct app *a);
/* The next command that a breakpoint has left to do; false: none. */
bool app_next_todo(struct app *a, char *line, size_t size);
void app_draw(const struct app *a, struct grid *g);
/* Milliseconds until app_tick wants to be called; -1: never, nothing moves by itself. */
int app_timeout(const struct app *a);
void app_tick(struct app *a);

/* ---- for the rest of ui/ ---- */

void app_message(struct app *a, enum message_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Say on the status line what is being done, at once; NULL: it is done. */
void app_busy(struct app *a, const char *what);
/* After a move from a position, or anything done to the machine. */
void app_moved(struct app *a, struct position from);
/* The operation that comes next, where one is between two and it is known: done before,
 * or of a trace. */
bool app_next_op(const struct app *a, struct op *op);
/* A pane that is not in the view brings a view that it is in. */
void app_focus(struct app *a, int pane);
/* The hardware's counters have moved on, or another CPU is shown. */
void app_count(struct app *a);
/* Show a view; the focus goes to what was looked at there last. */
void app_show_view(struct app *a, int view);
void app_layout(struct app *a);
int app_speed(const struct app *a); /* steps a second */
/* Is the word of that length a call of the scenario API? */
bool app_is_api_word(const struct app *a, const char *word, size_t len);
int app_min_int(int a, int b);
int app_max_int(int a, int b);
int app_clamp(int v, int low, int high);

/* pfn as everybody writes it: "0x1c04" */
#define PFN_FORMAT "0x%llx"

#endif
