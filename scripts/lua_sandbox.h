/* A Lua state that a stranger's script may run in: no way out, no way to hang it, the
 * same answers in every run.
 *
 * Every script runs in a coroutine. A count hook measures its instructions; when they are
 * used up, or somebody interrupts, the hook yields: pcall, nested coroutines and __close
 * cannot swallow that, and resuming goes on as if nothing had been. The same yield hands
 * over after each operation (sandbox_pause).
 *
 * I1  A script reaches no file, clock, process, address, bytecode, debug interface or
 *     finalizer.
 * I2  Its memory stays under max_bytes; between two hook calls it does bounded work, also
 *     inside C functions: patterns and sorting are our own, bulk work is charged as
 *     instructions.
 * I3  What it computes is a function of its text, the seed and the machine's answers:
 *     sorted pairs and next, seeded math.random, numbered tostring, stable sort.
 * I4  Where the state cannot yield (a gsub callback, an event hook), a stop is raised as
 *     an error and the sandbox is broken from then on: it is not resumed again.
 *
 * <lua.h> stays inside scripts/.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_LUA_SANDBOX_H
#define SCRIPTS_LUA_SANDBOX_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SANDBOX_MAX_BYTES = 64 << 20,
    SANDBOX_COUNT = 1000, /* instructions between two hook calls */
    SANDBOX_MAX_RANGE =
        1 << 22 /* elements that table.move and the like go over in one call */
};

enum sandbox_pause { PAUSE_NONE, PAUSE_OP, PAUSE_STOP };

struct sandbox {
    lua_State *L;         /* the main thread; scripts run in coroutines of it */
    lua_State *running;   /* the coroutine that runs now */
    lua_State *outermost; /* the one that sandbox_resume resumed */
    size_t bytes, max_bytes;
    size_t churn;  /* bytes allocated since the last hook call */
    int64_t steps; /* instructions that are left */
    bool (*interrupted)(void *ctx);
    void *ctx;
    enum sandbox_pause pause; /* why it has yielded */
    unsigned pinned;          /* > 0: below us is a C function that cannot yield */
    bool tight;  /* the running coroutine's hook comes at the next instruction */
    bool broken; /* I4 */
    char why_broken[512];
    uint64_t rng[4];
    void *host; /* the session's, for functions that it registers */
};

/* A state with the safe libraries, or false: no memory. */
bool sandbox_open(struct sandbox *sb, uint64_t seed);
void sandbox_close(struct sandbox *sb);
static inline struct sandbox *sandbox_of(lua_State *L)
{
    return *(struct sandbox **)lua_getextraspace(L);
}

/* Load text (never bytecode) as a chunk; leaves the function or the message on the stack.
 */
int sandbox_load(lua_State *L, const char *text, size_t size, const char *chunkname);

/* Resume co with nargs values on its stack. LUA_OK: returned (values on co's stack);
 * LUA_YIELD: sb->pause says why; else an error whose value is on co's stack, which is not
 * unwound. */
int sandbox_resume(struct sandbox *sb, lua_State *co, int nargs);

/* May a function that L calls yield to sandbox_resume? */
bool sandbox_may_pause(lua_State *L);
/* return sandbox_pause(L): hand over to sandbox_resume; when resumed, the calling C
 * function returns the nresults values on top of the stack. Only if sandbox_may_pause. */
int sandbox_pause(lua_State *L, int nresults);

/* Work done in C that is worth n instructions. */
void sandbox_charge(struct sandbox *sb, uint64_t n);
/* Stop at once and for good: raises an error that pcall cannot hold. */
int sandbox_break(lua_State *L, const char *message);

/* lua_rng.c: random numbers (xoshiro256**) */
void sandbox_seed(struct sandbox *sb, uint64_t seed);
uint64_t sandbox_random(struct sandbox *sb);
/* Uniform in [0, n), n > 0. */
uint64_t sandbox_random_below(struct sandbox *sb, uint64_t n);

/* tostring without addresses: pushes the text of the value at idx (with __tostring and
 * __name). */
const char *sandbox_tostring(lua_State *L, int idx);

/* "\tfile:line: in function 'name'" a line each, innermost first, without the frames of
 * our own Lua code; pushes the text on L. The frames are those of `of`. */
void sandbox_traceback(lua_State *L, lua_State *of, int level);
enum { SANDBOX_MAX_FRAMES = 40 }; /* that it shows */
/* The innermost frame at or above level that has a line there; false: none. ar is filled
 * with "Slnt". */
bool sandbox_next_frame(lua_State *L, int *level, lua_Debug *ar);
/* The innermost Lua frame that is the script's own, at or above level; false: none. ar is
 * filled with "Sl". */
bool sandbox_script_frame(lua_State *L, int *level, lua_Debug *ar);
/* Our own Lua code's chunks bear this name. */
#define SANDBOX_OWN_CHUNK "=mmscope"

/* Parts of the libraries, each in its file. */
void sandbox_open_base(
    lua_State *L); /* lua_base.c: pairs, next, tostring, setmetatable ... */
void sandbox_open_table(lua_State *L); /* lua_base.c: bounded table functions */
void sandbox_open_pattern(
    lua_State *L); /* lua_pattern.c: find, match, gmatch, gsub in bounded time */
void sandbox_open_coroutine(lua_State *L); /* lua_coroutine.c */
void sandbox_open_random(lua_State *L);    /* lua_rng.c */

#endif
