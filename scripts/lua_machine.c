/* A second machine beside the script's own: what on_machine() of prelude_pools.lua is
 * made from.
 *
 * While it is open, the script's operations are done on it, and looking looks at it; it
 * has a timeline of its own, which nobody travels in. Notes (say, expect) go where they
 * always go. The same settings and the same operations give the same answers, so a script
 * that is run again does them again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "script.h"

enum { HISTORY_BYTES = 32 << 20 };

struct timeline *script_timeline(const struct script *sc)
{
    return sc->other ? sc->other : sc->session->timeline;
}

void script_close_other(struct script *sc)
{
    if (sc->other) {
        timeline_destroy(sc->other);
        sc->other = NULL;
    }
}

uint64_t script_issue_other(lua_State *L, struct op *op)
{
    struct script *sc = script_of(L);
    sc->fresh = false; /* the session's timeline has not moved */
    const uint64_t result = timeline_do(sc->other, op);
    sandbox_charge(&sc->sandbox, 50);
    return result;
}

/* __machine_open({ "slab=slub", ... }): the script's machine with these settings, new. */
static int machine_open(lua_State *L)
{
    struct script *sc = script_of(L);
    const struct timeline_options options = {.history_bytes = HISTORY_BYTES};
    char err[256], text[256];
    luaL_checktype(L, 1, LUA_TTABLE);
    script_machine(L); /* an error where there is none yet */
    if (sc->other || sc->hook_event || sc->looking) {
        return luaL_error(L, "on_machine: %s",
                          sc->other ? "not inside of another one"
                                    : "not inside a hook or a condition");
    }
    struct machine_config c = sc->session->config;
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) == LUA_TSTRING; i++) {
        snprintf(text, sizeof text, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        char *equals = strchr(text, '=');
        if (!equals) {
            return luaL_error(L, "on_machine: %s is no setting", text);
        }
        *equals = 0;
        if (!config_set(&c, text, equals + 1, err, sizeof err)) {
            return luaL_error(L, "on_machine: %s", err);
        }
    }
    sc->other = timeline_create(&c, sc->session->host, &options, err, sizeof err);
    if (!sc->other) {
        return luaL_error(L, "on_machine: %s", err);
    }
    return 0;
}

static int machine_close(lua_State *L)
{
    script_close_other(script_of(L));
    return 0;
}

void open_machine(lua_State *L)
{
    lua_pushcfunction(L, machine_open);
    lua_setglobal(L, "__machine_open");
    lua_pushcfunction(L, machine_close);
    lua_setglobal(L, "__machine_close");
}
