/* Handles, in a weak table of the registry for each kind; the kind's address is its key.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lua_handle.h"

void handles_open(lua_State *L, const struct handle_kind *kind)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, kind);
}

void handle_push(lua_State *L, const struct handle_kind *kind, uint64_t id)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, kind);
    if (lua_rawgeti(L, -1, (lua_Integer)id) == LUA_TNIL) {
        lua_pop(L, 1);
        uint64_t *h = lua_newuserdatauv(L, sizeof *h, 0);
        *h = id;
        luaL_setmetatable(L, kind->type);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)id);
    }
    lua_remove(L, -2);
}

const uint64_t *handle_test(lua_State *L, int idx, const struct handle_kind *kind)
{
    return luaL_testudata(L, idx, kind->type);
}

uint64_t handle_check(lua_State *L, int idx, const struct handle_kind *kind,
                      const char *who)
{
    const uint64_t *h = handle_test(L, idx, kind);
    if (h) {
        return *h;
    }
    if (lua_isinteger(L, idx) && lua_tointeger(L, idx) >= 0) {
        return (uint64_t)lua_tointeger(L, idx);
    }
    if (lua_isnoneornil(L, idx)) {
        luaL_error(L, "%s: the %s is nil: did %s fail?", who, kind->thing, kind->maker);
    }
    luaL_error(L, "%s: needs a %s, as %s answers it, not a %s", who, kind->thing,
               kind->maker, luaL_typename(L, idx));
    return 0;
}
