/* Memory pools and fault injection as scripts see them. A pool's handle is its id and
 * nothing else, as a cache's is (lua_slab.c); elements are addresses, of page pools
 * pages. What changes something is in prelude_pools.lua, on top of the operations.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "describe.h"
#include "fault_inject.h"
#include "lua_handle.h"
#include "mempool.h"
#include "script.h"

static const struct handle_kind pools = {"mempool", "pool", "mempool_create"};

void push_mempool(lua_State *L, uint64_t id)
{
    if (!id || id == MEMPOOL_BOUNCE) {
        lua_pushnil(L);
    } else {
        handle_push(L, &pools, id);
    }
}

uint64_t check_mempool(lua_State *L, int idx, const char *who)
{
    return handle_check(L, idx, &pools, who);
}

/* An element as mempool_free takes it: a page, an address, or nil. */
uint64_t check_element(lua_State *L, int idx, const char *who)
{
    uint64_t page;
    if (lua_isnoneornil(L, idx)) {
        return MEMPOOL_NONE;
    }
    if (to_page(L, idx, &page)) {
        return page;
    }
    if (!lua_isinteger(L, idx)) {
        luaL_error(L, "%s: needs an element, an address or a page, not a %s", who,
                   luaL_typename(L, idx));
    }
    return (uint64_t)lua_tointeger(L, idx);
}

static void push_element(lua_State *L, const struct mempool *p, uint64_t element)
{
    if (element == MEMPOOL_NONE) {
        lua_pushnil(L);
    } else if (p->kind == MEMPOOL_PAGES) {
        push_page(L, element);
    } else {
        lua_pushinteger(L, (lua_Integer)element);
    }
}

/* All fields of a pool, as a table. */
static void push_fields(lua_State *L, const struct machine *m, const struct mempool *p)
{
    static const char *const kinds[] = {"slab", "kmalloc", "page"};
    char name[120];
    lua_createtable(L, 0, 18);
    mempool_format(name, sizeof name, m, p->id);
    set_string(L, "name", name);
    set_string(L, "kind", kinds[p->kind]);
    if (p->kind == MEMPOOL_SLAB) {
        push_cache(L, p->data);
        lua_setfield(L, -2, "cache");
    } else {
        set_int(L, p->kind == MEMPOOL_PAGES ? "order" : "size", p->data);
    }
    set_int(L, "min_nr", p->min_nr);
    set_int(L, "curr_nr", p->curr_nr);
    set_int(L, "address", p->addr);
    set_int(L, "array", p->elements);
    set_int(L, "waiters", p->nr_waiters);
    set_int(L, "from_allocator", p->from_allocator);
    set_int(L, "from_reserve", p->from_reserve);
    set_int(L, "failed", p->failed);
    set_int(L, "slept", p->slept);
    set_int(L, "refilled", p->refilled);
    lua_createtable(L, (int)p->curr_nr, 0);
    for (uint32_t i = 0; i < p->curr_nr; i++) {
        push_element(L, p, mempool_element(m, p, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "elements");
}

static const struct mempool *pool_of(lua_State *L, const char *who)
{
    return mempool_r(script_machine(L), check_mempool(L, 1, who));
}

/* pool.field, or one of the methods (upvalue 1). */
static int pool_index(lua_State *L)
{
    const struct mempool *p = pool_of(L, "pool");
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    if (!p) {
        return luaL_error(L, "pool: it has been destroyed");
    }
    push_fields(L, script_machine(L), p);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
        const bool others =
            !strcmp(field, "cache") || !strcmp(field, "size") || !strcmp(field, "order");
        return others ? 1 : luaL_error(L, "pool: there is no field '%s'", field);
    }
    return 1;
}

static int pool_fields(lua_State *L)
{
    const struct mempool *p = pool_of(L, "pool:fields");
    if (p) {
        push_fields(L, script_machine(L), p);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int pool_tostring(lua_State *L)
{
    lua_pushfstring(L, "mempool %d", (int)check_mempool(L, 1, "pool"));
    return 1;
}

static int pool_equal(lua_State *L)
{
    const uint64_t *a = handle_test(L, 1, &pools);
    const uint64_t *b = handle_test(L, 2, &pools);
    lua_pushboolean(L, a && b && *a == *b);
    return 1;
}

static int all_pools(lua_State *L)
{
    const struct machine *m = script_machine(L);
    lua_Integer n = 0;
    lua_newtable(L);
    for (uint32_t id = mempools_first(m); id; id = mempools_next(m, id)) {
        push_mempool(L, id);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* ---- fault injection ---- */

/* __fault_state(point): what is set, and what has happened. */
static int fault_state(lua_State *L)
{
    const struct machine *m = script_machine(L);
    const uint32_t point = (uint32_t)luaL_checkinteger(L, 1) & 1;
    lua_createtable(L, 0, 10);
    for (uint32_t i = 0; i < NR_FAULT_FIELDS; i++) {
        lua_pushinteger(L, (lua_Integer)fault_get(m, point, i));
        lua_setfield(L, -2, fault_field_name(i));
    }
    set_int(L, "calls", fault_calls(m, point));
    set_int(L, "injected", fault_injected(m, point));
    set_int(L, "fail-nth", fault_nth(m));
    return 1;
}

/* __cache_id(cache): the number that a cache is named by. */
static int cache_id(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_cache(L, 1, "failslab"));
    return 1;
}

/* __fault_fields(): the attributes' names in the order of their numbers, 0 first. */
static int fault_fields(lua_State *L)
{
    lua_newtable(L);
    for (uint32_t i = 0; i < NR_FAULT_FIELDS; i++) {
        lua_pushstring(L, fault_field_name(i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

void open_mempool(lua_State *L)
{
    static const luaL_Reg methods[] = {{"fields", pool_fields}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__eq", pool_equal}, {"__tostring", pool_tostring}, {NULL, NULL}};
    static const luaL_Reg globals[] = {{"mempools", all_pools},
                                       {"__fault_state", fault_state},
                                       {"__fault_fields", fault_fields},
                                       {"__cache_id", cache_id},
                                       {NULL, NULL}};
    luaL_newmetatable(L, pools.type);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "__mempool_methods"); /* the prelude adds to them */
    lua_pushcclosure(L, pool_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    handles_open(L, &pools);
    for (const luaL_Reg *g = globals; g->name; g++) {
        lua_pushcfunction(L, g->func);
        lua_setglobal(L, g->name);
    }
}
