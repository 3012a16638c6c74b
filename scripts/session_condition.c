/* Conditions: expressions that are asked at many events.
 *
 * What can be is evaluated without Lua (expression.h); the rest is a Lua function that is
 * compiled once and run in a coroutine of its own.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expression.h"

enum { CONDITION_STEPS = 10000000 };

struct condition {
    struct script *sc;
    lua_State *co;   /* runs it, again and again */
    int ref, co_ref; /* its function and its coroutine in the registry */
    char *text;
    struct expression *native; /* NULL: it needs Lua */
    bool impure;               /* Lua has always to say, and may do more than look */
    uint64_t lines_run;        /* native holds for the globals as they were then */
    bool has_last;             /* the value that was told last, and its text */
    struct value last;
    char last_text[32];
};

/* Argument: the expression as light userdata. Answers the references of both. */
static int compile_condition(lua_State *L)
{
    const char *expression = lua_touserdata(L, 1);
    const char *chunk = lua_pushfstring(L, "return %s", expression);
    if (sandbox_load(L, chunk, strlen(chunk), "=condition") != LUA_OK) {
        return lua_error(L);
    }
    const int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_State *co = lua_newthread(L);
    lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
    lua_pushinteger(L, ref);
    lua_pushlightuserdata(L, co);
    return 3;
}

/* Argument: the condition as light userdata. */
static int compile_native(lua_State *L)
{
    struct condition *c = lua_touserdata(L, 1);
    c->native = expression_compile(c->sc->session, L, c->text);
    return 0;
}

/* Argument: the condition as light userdata. */
static int check_native(lua_State *L)
{
    const struct condition *c = lua_touserdata(L, 1);
    lua_pushboolean(L, expression_holds(c->native, L));
    return 1;
}

static bool native_holds(struct condition *c)
{
    lua_State *L = c->sc->sandbox.L;
    lua_pushcfunction(L, check_native);
    lua_pushlightuserdata(L, c);
    const bool holds = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    lua_pop(L, 1);
    return holds;
}

static void make_native(struct condition *c)
{
    lua_State *L = c->sc->sandbox.L;
    expression_free(c->native);
    c->native = NULL;
    c->has_last = false;
    c->lines_run = c->sc->nr_lines_run;
    lua_pushcfunction(L, compile_native);
    lua_pushlightuserdata(L, c);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) { /* no memory: Lua will say so */
        lua_pop(L, 1);
    }
}

struct condition *session_condition(struct session *s, const char *expression, char *err,
                                    size_t err_size)
{
    struct script *sc = session_console_state(s);
    struct condition *c = sc ? calloc(1, sizeof *c) : NULL;
    char *text = c ? buffer_copy_string(expression) : NULL;
    if (!text) {
        snprintf(err, err_size, "out of memory");
        free(c);
        return NULL;
    }
    lua_State *L = sc->sandbox.L;
    lua_settop(L, 0);
    sc->sandbox.steps = CONSOLE_STEPS;
    lua_pushcfunction(L, compile_condition);
    lua_pushlightuserdata(L, (void *)(uintptr_t)expression);
    if (lua_pcall(L, 1, 3, 0) != LUA_OK) {
        snprintf(err, err_size, "%s",
                 lua_isstring(L, -1) ? lua_tostring(L, -1) : "it is no expression");
        lua_settop(L, 0);
        free(text);
        free(c);
        return NULL;
    }
    *c = (struct condition){.sc = sc,
                            .co = lua_touserdata(L, 3),
                            .ref = (int)lua_tointeger(L, 2),
                            .co_ref = (int)lua_tointeger(L, 1),
                            .text = text};
    lua_settop(L, 0);
    make_native(c);
    return c;
}

void condition_forget(struct condition *c)
{
    if (c) {
        luaL_unref(c->sc->sandbox.L, LUA_REGISTRYINDEX, c->ref);
        luaL_unref(c->sc->sandbox.L, LUA_REGISTRYINDEX, c->co_ref);
        expression_free(c->native);
        free(c->text);
        free(c);
    }
}

/* ---- testing ---- */

/* The value as the console prints it; false: Lua has to. */
static bool print_value(struct condition *c, const struct value *v, char *buf,
                        size_t size)
{
    const bool same = c->has_last && c->last.type == v->type &&
                      (v->type == VALUE_NIL ||
                       (v->type == VALUE_BOOL ? c->last.u.truth == v->u.truth
                                              : c->last.u.number == v->u.number));
    if (v->type > VALUE_INT) {
        return false;
    }
    if (!same && v->type == VALUE_INT) {
        snprintf(c->last_text, sizeof c->last_text, "%" PRId64, v->u.number);
    } else if (!same) {
        snprintf(c->last_text, sizeof c->last_text, "%s",
                 v->type == VALUE_NIL ? "nil"
                 : v->u.truth         ? "true"
                                      : "false");
    }
    c->has_last = true;
    c->last = *v;
    const size_t len = strlen(c->last_text);
    const size_t room = size ? (len < size ? len : size - 1) : 0;
    memcpy(buf, c->last_text, room);
    buf[room] = 0;
    return true;
}

/* False: Lua has to say. */
static bool test_native(struct condition *c, struct machine *m, const struct event *ev,
                        bool over, char *buf, size_t size, enum verdict *verdict)
{
    struct value v;
    if (!ev && c->sc->session->frame) { /* it knows the innermost frame only */
        return false;
    }
    if (c->lines_run != c->sc->nr_lines_run) {
        if (c->native ? !native_holds(c) : !c->impure) {
            make_native(c);
        }
        c->lines_run = c->sc->nr_lines_run;
    }
    if (!c->native || !expression_value(c->native, m, ev, over, &v) ||
        (buf && !print_value(c, &v, buf, size))) {
        return false;
    }
    *verdict = v.type == VALUE_NIL || (v.type == VALUE_BOOL && !v.u.truth) ? VERDICT_NO
                                                                           : VERDICT_YES;
    return true;
}

static enum verdict test_lua(struct condition *c, struct machine *m,
                             const struct event *ev, bool over, char *buf, size_t size)
{
    struct script *sc = c->sc;
    lua_State *L = sc->sandbox.L;
    sc->hook_machine = m;
    sc->hook_event = ev;
    sc->hook_over = over;
    sc->looking = true;
    sc->sandbox.steps = CONDITION_STEPS;
    sc->sandbox.broken = false;
    lua_rawgeti(c->co, LUA_REGISTRYINDEX, c->ref);
    sc->sandbox.interrupted = sc->session->interrupted;
    sc->sandbox.ctx = sc->session->interrupted_ctx;
    const int status = sandbox_resume(&sc->sandbox, c->co, 0);
    sc->sandbox.interrupted = NULL;
    const bool holds = status == LUA_OK && lua_toboolean(c->co, 1);
    if (buf) {
        buffer_clear(&sc->out);
        if (status == LUA_YIELD) {
            buffer_string(&sc->out,
                          sc->sandbox.steps > 0 ? "stopped" : "it takes too long");
        } else {
            lua_settop(L, 0);
            lua_pushcfunction(L, status == LUA_OK ? console_print_values
                                                  : console_error_text);
            lua_rawgeti(L, LUA_REGISTRYINDEX, c->co_ref);
            lua_pcall(L, 1, 0, 0); /* out of memory: less text */
        }
        const char *text = buffer_of(&sc->out);
        snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
    }
    if (status == LUA_OK) {
        lua_settop(c->co, 0);
    } else {
        lua_resetthread(c->co);
        lua_settop(c->co, 0);
    }
    lua_settop(L, 0);
    sc->looking = false;
    sc->hook_machine = NULL;
    sc->hook_event = NULL;
    sc->hook_over = false;
    if (!c->native) { /* it may have called a function that sets a global */
        c->impure = true;
        sc->nr_lines_run++;
        c->lines_run = sc->nr_lines_run;
    }
    return status != LUA_OK ? VERDICT_ERROR : holds ? VERDICT_YES : VERDICT_NO;
}

static enum verdict test(struct condition *c, struct machine *m, const struct event *ev,
                         bool over, char *buf, size_t size)
{
    enum verdict v;
    return test_native(c, m, ev, over, buf, size, &v)
               ? v
               : test_lua(c, m, ev, over, buf, size);
}

enum verdict condition_test(struct condition *c, struct machine *m,
                            const struct event *ev, char *buf, size_t size)
{
    return test(c, m, ev, false, buf, size);
}

enum verdict condition_test_behind(struct condition *c, struct machine *m,
                                   const struct event *ev, char *buf, size_t size)
{
    return test(c, m, ev, true, buf, size);
}
