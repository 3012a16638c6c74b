/* The coroutine library: as Lua's, but a coroutine in which the sandbox pauses hands the
 * pause on to whoever resumed it, down to sandbox_resume, and goes on from there as if
 * nothing had been.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lua_sandbox.h"

#include <stddef.h>

static lua_State *check_thread(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

static int resume_done(lua_State *L, lua_State *co, int status, int nresults,
                       bool wrapped)
{
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(L, nresults + 1)) {
            lua_pop(co, nresults);
            return luaL_error(L, "too many results to resume");
        }
        if (!wrapped) {
            lua_pushboolean(L, 1);
        }
        lua_xmove(co, L, nresults);
        return nresults + !wrapped;
    }
    if (!wrapped) {
        lua_pushboolean(L, 0);
        lua_xmove(co, L, 1);
        return 2;
    }
    struct sandbox *sb = sandbox_of(L);
    sb->pinned++;
    lua_resetthread(co);
    sb->pinned--;
    lua_xmove(co, L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int resume_again(lua_State *L, int status, lua_KContext wrapped);

/* Runs co until it returns, yields to us or fails; a pause goes on to our own resumer. */
static int run(lua_State *L, lua_State *co, int nargs, bool wrapped)
{
    struct sandbox *sb = sandbox_of(L);
    bool may_pause = sandbox_may_pause(L);
    lua_State *running = sb->running;
    int nresults = 0;
    sb->pinned += !may_pause;
    sb->running = co;
    int status = lua_resume(co, L, nargs, &nresults);
    sb->running = running;
    sb->pinned -= !may_pause;
    if (status == LUA_YIELD && sb->pause != PAUSE_NONE) {
        lua_pop(co, nresults);
        return lua_yieldk(L, 0, wrapped, resume_again);
    }
    return resume_done(L, co, status, nresults, wrapped);
}

static int resume_again(lua_State *L, int status, lua_KContext wrapped)
{
    (void)status;
    lua_State *co = wrapped ? lua_tothread(L, lua_upvalueindex(1)) : lua_tothread(L, 1);
    return run(L, co, 0, wrapped != 0);
}

static const char *status_of(lua_State *L, lua_State *co)
{
    if (L == co) {
        return "running";
    }
    switch (lua_status(co)) {
    case LUA_YIELD:
        return "suspended";
    case LUA_OK: {
        lua_Debug ar;
        if (lua_getstack(co, 0, &ar)) {
            return "normal";
        }
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    }
    default:
        return "dead";
    }
}

/* Why co cannot be resumed; NULL if it can. */
static const char *unresumable(lua_State *L, lua_State *co)
{
    const char *status = status_of(L, co);
    switch (status[0]) {
    case 's':
        return NULL;
    case 'd':
        return "cannot resume dead coroutine";
    default:
        return "cannot resume non-suspended coroutine";
    }
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_thread(L);
    int nargs = lua_gettop(L) - 1;
    const char *why = unresumable(L, co);
    if (!why && !lua_checkstack(co, nargs)) {
        why = "too many arguments to resume";
    }
    if (why) {
        lua_pushboolean(L, 0);
        lua_pushstring(L, why);
        return 2;
    }
    lua_xmove(L, co, nargs);
    return run(L, co, nargs, false);
}

static int co_call_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int nargs = lua_gettop(L);
    const char *why = unresumable(L, co);
    if (!why && !lua_checkstack(co, nargs)) {
        why = "too many arguments to resume";
    }
    if (why) {
        return luaL_error(L, "%s", why);
    }
    lua_xmove(L, co, nargs);
    return run(L, co, nargs, true);
}

static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, co_call_wrapped, 1);
    return 1;
}

/* The script's own thread must not yield: nobody would take what it yields. */
static bool is_outermost(lua_State *L) { return sandbox_of(L)->outermost == L; }

static int co_yield (lua_State *L)
{
    if (is_outermost(L)) {
        return luaL_error(L, "attempt to yield from outside a coroutine");
    }
    return lua_yield(L, lua_gettop(L));
}

static int co_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_thread(L)));
    return 1;
}

static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isthread(L, 1) ? check_thread(L) : L;
    lua_pushboolean(L, lua_isyieldable(co) && !is_outermost(co));
    return 1;
}

static int co_running(lua_State *L)
{
    lua_pushthread(L);
    lua_pushboolean(L, is_outermost(L));
    return 2;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_thread(L);
    const char *status = status_of(L, co);
    if (status[0] != 'd' && status[0] != 's') {
        return luaL_error(L, "cannot close a %s coroutine", status);
    }
    struct sandbox *sb = sandbox_of(L);
    sb->pinned++;
    int closed = lua_resetthread(co);
    sb->pinned--;
    if (closed == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

void sandbox_open_coroutine(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"close", co_close},   {"create", co_create},   {"isyieldable", co_isyieldable},
        {"resume", co_resume}, {"running", co_running}, {"status", co_status},
        {"wrap", co_wrap},     {"yield", co_yield },    {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setglobal(L, "coroutine");
}
