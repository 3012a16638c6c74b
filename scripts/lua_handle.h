/* Handles: what a script holds of a page, a cache, a mempool. One userdata for each
 * number, so that two handles of the same thing are equal; it goes when no script has it
 * any more.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_LUA_HANDLE_H
#define SCRIPTS_LUA_HANDLE_H

#include <lauxlib.h>
#include <stdint.h>

struct handle_kind {
    const char *type;  /* the metatable's name */
    const char *thing; /* "cache", and what makes one: for messages */
    const char *maker;
};

/* The table of a kind's handles, once, when the API is opened. */
void handles_open(lua_State *L, const struct handle_kind *kind);
void handle_push(lua_State *L, const struct handle_kind *kind, uint64_t id);
/* NULL: no handle of this kind. */
const uint64_t *handle_test(lua_State *L, int idx, const struct handle_kind *kind);
/* The number of a handle, or the number that stands in its place; raises an error that
 * begins with who. */
uint64_t handle_check(lua_State *L, int idx, const struct handle_kind *kind,
                      const char *who);

#endif
