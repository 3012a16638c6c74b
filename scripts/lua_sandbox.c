/* The sandbox: allocator with a cap, count hook, pausing, and which libraries there are.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lua_sandbox.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHURN_PER_HOOK =
        16 << 20, /* bytes allocated between two hook calls before one is forced */
    BYTES_PER_STEP = 8
};

static void count_hook(lua_State *L, lua_Debug *ar);

static void hook_soon(struct sandbox *sb)
{
    if (sb->running && !sb->tight) {
        sb->tight = true;
        lua_sethook(sb->running, count_hook, LUA_MASKCOUNT, 1);
    }
}

static void *capped_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
    struct sandbox *sb = ud;
    size_t had = p ? old_size : 0;
    if (!new_size) {
        free(p);
        sb->bytes -= had;
        return NULL;
    }
    if (new_size > had && new_size - had > sb->max_bytes - sb->bytes) {
        return NULL;
    }
    void *q = realloc(p, new_size);
    if (!q) {
        return NULL;
    }
    sb->bytes = sb->bytes - had + new_size;
    sb->churn += new_size;
    if (new_size >= 4096) {
        sb->steps -= (int64_t)(new_size / BYTES_PER_STEP);
    }
    if (sb->churn > CHURN_PER_HOOK || sb->steps <= 0) {
        hook_soon(sb);
    }
    return q;
}

void sandbox_charge(struct sandbox *sb, uint64_t n)
{
    sb->steps -= (int64_t)n;
    if (sb->steps <= 0) {
        hook_soon(sb);
    }
}

bool sandbox_may_pause(lua_State *L)
{
    return lua_isyieldable(L) && !sandbox_of(L)->pinned;
}

static void count_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct sandbox *sb = sandbox_of(L);
    int count = lua_gethookcount(L);
    sb->churn = 0;
    sb->steps -= count;
    if (!sb->broken && sb->steps > 0 && !(sb->interrupted && sb->interrupted(sb->ctx))) {
        sb->tight = false;
        if (count != SANDBOX_COUNT) {
            lua_sethook(L, count_hook, LUA_MASKCOUNT, SANDBOX_COUNT);
        }
        return;
    }
    if (sandbox_may_pause(L)) {
        sb->pause = PAUSE_STOP;
        lua_yield(L, 0);
        return;
    }
    if (!sb->broken) {
        snprintf(sb->why_broken, sizeof sb->why_broken,
                 "stopped: too long in a function that cannot be paused");
    }
    sb->broken = true;
    sb->tight = true;
    lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
    luaL_error(L, "%s", sb->why_broken);
}

int sandbox_break(lua_State *L, const char *message)
{
    struct sandbox *sb = sandbox_of(L);
    sb->broken = true;
    snprintf(sb->why_broken, sizeof sb->why_broken, "%s", message);
    hook_soon(sb);
    return luaL_error(L, "%s", sb->why_broken);
}

static int after_pause(lua_State *L, int status, lua_KContext nresults)
{
    (void)status;
    (void)L;
    return (int)nresults;
}

int sandbox_pause(lua_State *L, int nresults)
{
    sandbox_of(L)->pause = PAUSE_OP;
    return lua_yieldk(L, 0, nresults, after_pause);
}

int sandbox_resume(struct sandbox *sb, lua_State *co, int nargs)
{
    int nresults;
    sb->pause = PAUSE_NONE;
    sb->running = sb->outermost = co;
    sb->tight = false;
    sb->churn = 0;
    lua_sethook(co, count_hook, LUA_MASKCOUNT, SANDBOX_COUNT);
    int status = lua_resume(co, NULL, nargs, &nresults);
    sb->running = NULL;
    if (status == LUA_YIELD) {
        lua_pop(co, nresults);
    }
    return status;
}

int sandbox_load(lua_State *L, const char *text, size_t size, const char *chunkname)
{
    return luaL_loadbufferx(L, text, size, chunkname, "t");
}

/* Lua's libraries, less what leads outside or differs from run to run. */
static void keep_only(lua_State *L, int table, const char *const *names)
{
    table = lua_absindex(L, table);
    lua_newtable(L);
    for (; *names; names++) {
        lua_getfield(L, table, *names);
        lua_setfield(L, -2, *names);
    }
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, table);
    }
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, table);
    }
    lua_pop(L, 1);
}

static void open_library(lua_State *L, const char *name, lua_CFunction open,
                         const char *const *names)
{
    luaL_requiref(L, name, open, 1);
    keep_only(L, -1, names);
    lua_pop(L, 1);
}

static const char *const base_names[] = {
    "_G",     "_VERSION", "assert", "error",    "ipairs", "pcall",  "rawequal", "rawget",
    "rawlen", "rawset",   "select", "tonumber", "type",   "xpcall", NULL};
static const char *const string_names[] = {
    "byte", "char",    "format", "len",    "lower", "pack", "packsize",
    "rep",  "reverse", "sub",    "unpack", "upper", NULL};
static const char *const table_names[] = {"concat", "insert", "move", "pack",
                                          "remove", "unpack", NULL};
static const char *const math_names[] = {
    "abs",  "acos", "asin", "atan", "ceil",       "cos",  "deg",        "exp",  "floor",
    "fmod", "huge", "log",  "max",  "maxinteger", "min",  "mininteger", "modf", "pi",
    "rad",  "sin",  "sqrt", "tan",  "tointeger",  "type", "ult",        NULL};
static const char *const utf8_names[] = {"char", "charpattern", "codepoint", "codes",
                                         "len",  "offset",      NULL};

static int open_all(lua_State *L)
{
    open_library(L, LUA_GNAME, luaopen_base, base_names);
    open_library(L, LUA_STRLIBNAME, luaopen_string, string_names);
    open_library(L, LUA_TABLIBNAME, luaopen_table, table_names);
    open_library(L, LUA_MATHLIBNAME, luaopen_math, math_names);
    open_library(L, LUA_UTF8LIBNAME, luaopen_utf8, utf8_names);
    sandbox_open_base(L);
    sandbox_open_table(L);
    sandbox_open_pattern(L);
    sandbox_open_coroutine(L);
    sandbox_open_random(L);
    return 0;
}

bool sandbox_open(struct sandbox *sb, uint64_t seed)
{
    *sb = (struct sandbox){.max_bytes = SANDBOX_MAX_BYTES, .steps = INT64_MAX};
    sandbox_seed(sb, seed);
    sb->L = lua_newstate(capped_alloc, sb);
    if (!sb->L) {
        return false;
    }
    *(struct sandbox **)lua_getextraspace(sb->L) = sb;
    lua_pushcfunction(sb->L, open_all);
    if (lua_pcall(sb->L, 0, 0, 0) != LUA_OK) {
        lua_close(sb->L);
        sb->L = NULL;
        return false;
    }
    return true;
}

void sandbox_close(struct sandbox *sb)
{
    if (sb->L) {
        sb->running = NULL;
        lua_close(sb->L);
        sb->L = NULL;
    }
}
