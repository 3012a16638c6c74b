/* What a session and the functions that scripts call share. Internal to scripts/.
 *
 * A session has up to two Lua states, each a struct script: the scenario's, and the
 * console's. They share the timeline and nothing else, so that what is typed at the
 * console cannot make a scenario run differently.
 *
 * How a scenario is run again (session.h, branching): script.cursor is the number of
 * operations of the branch that the script has behind it. An operation that it issues is
 * compared with the branch's next one of its own, if there is one, and answered from the
 * record; else it is done. A function that looks at the machine first brings it to the
 * cursor (script_machine). So there is no second mode: a script is run again by beginning
 * with cursor 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_SCRIPT_H
#define SCRIPTS_SCRIPT_H

#include "buffer.h"
#include "inspect.h"
#include "lua_sandbox.h"
#include "session.h"

struct script {
    struct sandbox sandbox;
    struct session *session;
    lua_State *co; /* the coroutine of run(), kept in the registry */
    bool console; /* operations are the user's, print goes to out, nothing is run again */
    bool
        may_operate; /* false while the file's main chunk runs: there is no machine yet */
    bool flat;       /* the file began with machine{ ... }: it is itself run() */
    bool looking;    /* a condition is tested: nothing may be done */
    uint32_t cpu;    /* operations run here */
    uint64_t seed;
    uint32_t branch; /* cursor counts operations of this branch */
    uint64_t cursor;
    bool fresh; /* the last operation was done now, not answered from the record */
    struct op_record last;   /* operation cursor - 1 as it was when the script went on */
    uint64_t passed, failed; /* expectations */
    struct timeline *other;  /* on_machine: operations are done there; NULL: none */
    struct buffer out;       /* console: what was printed */
    struct buffer
        scratch; /* for texts under way: an error may jump out of their making */
    struct buffer mismatch; /* what answer_or_do has to complain of */

    /* hooks: lua_hooks.c */
    uint32_t nr_hooks;
    uint64_t hook_kinds[(NR_EVENTS + 63) / 64];
    struct machine *hook_machine; /* inside a hook: the machine at the event */
    const struct event *hook_event;
    bool hook_over;        /* that event's operation has ended */
    uint64_t nr_lines_run; /* console: lines, and conditions, that may have set globals */
    bool in_interrupt;     /* inside interrupt(): operations run nested */
    bool hook_failed;      /* a hook raised an error; its message is in hook_error */
    struct buffer hook_error;
    bool traced; /* a hook's error has its traceback already: it came from a handler */
    uint32_t nr_pending[MAX_CPUS]; /* interrupts that wait until the CPU takes them */
    bool replaying; /* hooks run for an operation that is answered from the record */
    uint16_t replayed_kind;
    uint32_t foreign;   /* > 0: inside an interrupt that the user put there */
    bool settling;      /* what hooks have left behind is being done: it calls no hooks */
    lua_State *issuing; /* whose operation is under way: hooks run on it */
};

struct session {
    struct timeline *timeline; /* NULL only while session_describe reads a file */
    const struct arena_host *host;
    char *name;
    char *text; /* the script's; NULL: there is none */
    size_t text_size;
    char *line_text, **lines; /* a copy of text, cut into lines */
    uint32_t nr_lines;
    char *title, *summary, *view;
    struct script *script, *console;
    struct machine_config config; /* as the script asks, with the settings over it */
    const char *const *settings;
    uint64_t seed; /* 0: the script's */
    bool keep_locals;
    uint32_t frame; /* of the script at the position, whose locals the console sees */
    bool
        titled; /* the first operation, the note with the title, lies behind the script */
    enum session_state state;
    struct buffer error;
    uint32_t error_line;
    /* whose locals are seen before operation locals_asked: the one before locals_found */
    bool locals_known;
    uint32_t locals_branch;
    uint64_t locals_asked, locals_found;
    bool (*interrupted)(void *ctx); /* of the console and of conditions */
    void *interrupted_ctx;
    bool (*feed)(void *ctx, struct timeline *t);
    bool (*feed_ready)(void *ctx); /* NULL: always */
    bool (*feed_peek)(void *ctx, struct op *op);
    void *feed_ctx;
    /* of the file that it was loaded from (session_file.h) */
    char *notes, *kept_config;
    const char **kept_settings;
};

/* session_script.c: run the file's text up to its lesson { ... }; the script is ready to
 * be resumed then. False: s->error says why. */
bool session_load_script(struct session *s);
/* machine{ ... } as a call: how a file that is no lesson begins. */
int script_call_machine(lua_State *L);
/* Keep the error whose value is on top of co. */
void session_keep_error(struct session *s, lua_State *co);
/* session.c */
bool session_setup_config(struct session *s, char *err, size_t err_size);

/* session_console.c: the console's state, or NULL: no memory. */
struct script *session_console_state(struct session *s);
enum { CONSOLE_STEPS = 100000000 }; /* instructions for a line */
/* A local of a frame of the script's, as the operation before op saw it: the text of its
 * value (*len bytes), or NULL. Conditions see those of frame 0. */
const char *session_local(struct session *s, uint64_t op, uint32_t frame,
                          const char *name, size_t *len);
/* Argument: a coroutine that has returned values, or raised an error: as text to out. */
int console_print_values(lua_State *L);
int console_error_text(lua_State *L);

/* An error that a function of prelude.lua has found out names a place in there: what
 * comes behind it, or NULL. */
const char *script_error_without_own_place(const char *message);

static inline struct script *script_of(lua_State *L) { return sandbox_of(L)->host; }

/* lua_script.c: a state with the whole API; NULL: no memory. */
struct script *script_create(struct session *s, bool console);
void script_destroy(struct script *sc);

/* Do op, or answer it from the record; raises a Lua error where operations are not
 * allowed. Fills in cpu, origin and site. Sets sc->fresh. */
uint64_t script_issue(lua_State *L, struct op *op);
bool script_same_op(const struct op *a, const struct op *b);
/* The end of a C function that has issued operations: hands over to session_advance if
 * something new was done. return script_return(L, nresults). */
int script_return(lua_State *L, int nresults);
/* Issue a note: OP_NOTE with text. */
void script_note(lua_State *L, enum note_kind kind, const char *text);
/* The same from outside of the script, at its cursor. locals: those that the script had
 * there, or NULL. */
void script_note_outside(struct script *sc, enum note_kind kind, const char *text,
                         const char *locals);
/* The machine where the script is, for looking at. Raises an error when there is none
 * yet. */
struct machine *script_machine(lua_State *L);
/* Is what script has behind it a prefix of the current branch, with the same answers? */
bool script_in_step(const struct script *sc);
/* The branch's next operation of the script's own, at or behind cursor; its length if
 * there is none. */
uint64_t script_next_recorded(const struct script *sc, uint32_t branch);

/* lua_machine.c: a machine beside the session's; script_timeline: the one in use. */
struct timeline *script_timeline(const struct script *sc);
uint64_t script_issue_other(lua_State *L, struct op *op);
void script_close_other(struct script *sc);

/* lua_values.c: numbers and names of the machine as Lua values and back. who and i are
 * for messages. */
uint32_t check_gfp(lua_State *L, int idx, const char *who);
uint32_t check_order(lua_State *L, int idx, const char *who);
uint64_t check_pfn(lua_State *L, int idx, const char *who);
uint32_t check_cpu(lua_State *L, int idx, const char *who);
uint32_t check_migratetype(lua_State *L, int idx, const char *who);
uint32_t check_zone(lua_State *L, int idx, const char *who); /* a number of inspect.h's */
uint32_t check_mode(lua_State *L, int idx, const char *who); /* enum access_mode */
uint64_t check_count(lua_State *L, int idx, const char *who, const char *what);
/* Push a value of an event's, function's or operation's argument type. */
void push_typed(lua_State *L, const struct machine *m, const char *type, uint64_t value);
/* The reverse; special types of arguments are named by name ("lock", "text"). */
uint64_t check_typed(lua_State *L, int idx, const char *who, const char *name,
                     const char *type);
/* A field of the table on top of the stack. */
void set_int(lua_State *L, const char *name, uint64_t v);
void set_bool(lua_State *L, const char *name, bool v);
void set_string(lua_State *L, const char *name, const char *v);
/* Any value as a person reads it: page 0x1c04, "text", {1, 2, x = 3}. */
void value_text(lua_State *L, int idx, struct buffer *out);
/* The visible locals of the script's frames, "name = value" a line each, innermost frame
 * first; those of each other one follow "#1", "#2" ..., its place in the traceback. */
void locals_text(lua_State *L, struct buffer *out);
const char *lock_name(lua_State *L, uint64_t id);

/* lua_inspect.c */
void push_event(lua_State *L, const struct machine *m,
                const struct event *ev); /* a table */
uint16_t check_event_kind(lua_State *L, int idx, const char *who);

/* lua_hw.c: a CPU's caches and TLBs as fields of the table on top */
void push_cpu_parts(lua_State *L, uint32_t cpu);

/* lua_page.c */
void push_page(lua_State *L, uint64_t pfn); /* nil for PFN_NONE */
bool to_page(lua_State *L, int idx, uint64_t *pfn);

/* lua_slab.c */
void push_cache(lua_State *L, uint64_t id); /* nil for 0 */
uint64_t check_cache(lua_State *L, int idx, const char *who);

/* lua_mempool.c */
void push_mempool(lua_State *L, uint64_t id); /* nil for 0 */
uint64_t check_mempool(lua_State *L, int idx, const char *who);
uint64_t check_element(lua_State *L, int idx, const char *who);

/* lua_hooks.c */
void hooks_arm(struct script *sc); /* before timeline_do */
void hooks_disarm(struct script *sc);
/* Raise what a hook raised; deliver the interrupts that still wait. After timeline_do. */
void hooks_settle(lua_State *L);
/* Run the hooks for an operation that is answered from the record. */
void hooks_replay(lua_State *L, uint32_t branch, uint64_t op);
uint64_t hook_nested(lua_State *L, const struct op *op);
/* Inside a hook: keep a note for later. False: we are in none. */
bool hook_defers_note(lua_State *L, enum note_kind kind, const char *text);

/* What each file adds to the globals. */
void open_ops(lua_State *L);
void open_pages(lua_State *L);
void open_inspect(lua_State *L);
void open_hooks(lua_State *L);
void open_hw(lua_State *L);
void open_cost(lua_State *L);
void open_slab(lua_State *L);
void open_machine(lua_State *L);
void open_mempool(lua_State *L);
void open_space(lua_State *L); /* lua_space.c */
void open_notes(lua_State *L);
/* An error unless the value is the name of a view; who: what the message begins with. */
void check_view_name(lua_State *L, int idx, const char *who);
void open_constants(lua_State *L); /* lua_api.c */

#endif
