/* Caches and objects as scripts see them. A cache's handle is its id and nothing else: it
 * answers from the machine at that moment, and a cache that was destroyed is nil to ask.
 * Objects are addresses, as in kernel code.
 *
 * What changes something (cache:alloc, kmem_cache_create with a table of options) is in
 * prelude.lua, on top of the operations.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "lua_handle.h"
#include "script.h"
#include "slab_view.h"
#include "slub_debug.h"

static const struct handle_kind caches = {"kmem_cache", "cache", "kmem_cache_create"};

void push_cache(lua_State *L, uint64_t id)
{
    if (!id) {
        lua_pushnil(L);
    } else {
        handle_push(L, &caches, id);
    }
}

uint64_t check_cache(lua_State *L, int idx, const char *who)
{
    return handle_check(L, idx, &caches, who);
}

/* ---- fields ---- */

static void set_typed(lua_State *L, const char *name, const char *type, uint64_t v)
{
    char text[200];
    value_format(text, sizeof text, NULL, type, v);
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

/* All fields of a cache, as a table. */
static void push_fields(lua_State *L, const struct cache_view *v)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"object_size", v->object_size},
                   {"size", v->size},
                   {"align", v->align},
                   {"num", v->num},
                   {"order", v->order},
                   {"colour", v->colour},
                   {"colour_off", v->colour_off},
                   {"colour_next", v->colour_next},
                   {"freelist_size", v->freelist_size},
                   {"limit", v->limit},
                   {"batchcount", v->batchcount},
                   {"shared_factor", v->shared},
                   {"free_limit", v->free_limit},
                   {"free_objects", v->free_objects},
                   {"active_objs", v->active_objs},
                   {"num_objs", v->num_objs},
                   {"active_slabs", v->active_slabs},
                   {"num_slabs", v->num_slabs},
                   {"in_use", v->in_use},
                   {"in_arrays", v->in_arrays},
                   {"shared_avail", v->shared_avail},
                   {"refcount", v->refcount < 0 ? 0 : (uint64_t)v->refcount},
                   {"offset", v->offset},
                   {"red_left_pad", v->red_left_pad},
                   {"inuse", v->inuse},
                   {"min_order", v->min_order},
                   {"min_num", v->min_num},
                   {"min_partial", v->min_partial},
                   {"cpu_partial", v->cpu_partial},
                   {"cpu_partial_slabs", v->cpu_partial_slabs},
                   {"nr_partial", v->nr_partial}};
    lua_createtable(L, 0, 38);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        set_int(L, numbers[i].name, numbers[i].value);
    }
    lua_pushstring(L, v->name);
    lua_setfield(L, -2, "name");
    set_bool(L, "ctor", v->ctor);
    set_typed(L, "flags", "slabflags", v->flags);
    set_typed(L, "freelist", "place", v->place);
}

/* cache.field, or one of the methods (upvalue 1). */
static int cache_index(lua_State *L)
{
    const uint64_t id = check_cache(L, 1, "cache");
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    struct cache_view v;
    if (id > UINT32_MAX || !cache_view(script_machine(L), (uint32_t)id, &v)) {
        return luaL_error(L, "cache: it has been destroyed");
    }
    push_fields(L, &v);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        return luaL_error(L, "cache: there is no field '%s'",
                          lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
    }
    return 1;
}

static int cache_fields(lua_State *L)
{
    struct cache_view v;
    const uint64_t id = check_cache(L, 1, "cache:fields");
    if (id > UINT32_MAX || !cache_view(script_machine(L), (uint32_t)id, &v)) {
        lua_pushnil(L);
    } else {
        push_fields(L, &v);
    }
    return 1;
}

static int cache_tostring(lua_State *L)
{
    char text[SLAB_NAME + 10];
    snprintf(text, sizeof text, "cache %" PRIu64, check_cache(L, 1, "cache"));
    lua_pushstring(L, text);
    return 1;
}

static int cache_equal(lua_State *L)
{
    const uint64_t *a = handle_test(L, 1, &caches);
    const uint64_t *b = handle_test(L, 2, &caches);
    lua_pushboolean(L, a && b && *a == *b);
    return 1;
}

static uint32_t live_cache(lua_State *L, const char *who)
{
    const uint64_t id = check_cache(L, 1, who);
    if (id > UINT32_MAX || !cache_r(script_machine(L), id)) {
        luaL_error(L, "%s: the cache has been destroyed", who);
    }
    return (uint32_t)id;
}

/* ---- arrays and slabs ---- */

static int push_array(lua_State *L, uint32_t id, uint32_t cpu)
{
    struct machine *m = script_machine(L);
    struct array_view v;
    if (!array_view(m, id, cpu, &v)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, (int)v.avail, 4);
    set_int(L, "avail", v.avail);
    set_int(L, "limit", v.limit);
    set_int(L, "batchcount", v.batchcount);
    set_bool(L, "touched", v.touched);
    for (uint32_t i = 0; i < v.avail; i++) {
        lua_pushinteger(L, (lua_Integer)array_entry(m, id, cpu, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int cache_array(lua_State *L)
{
    const uint32_t id = live_cache(L, "cache:array");
    const uint32_t cpu =
        lua_isnoneornil(L, 2) ? script_of(L)->cpu : check_cpu(L, 2, "cache:array");
    return push_array(L, id, cpu);
}

static int cache_shared(lua_State *L)
{
    return push_array(L, live_cache(L, "cache:shared"), UINT32_MAX);
}

static void push_slab(lua_State *L, const struct machine *m, uint32_t slab)
{
    const struct slab_view v = slab_view(m, slab);
    uint32_t numbers[SLAB_INLINE];
    const uint32_t nr = slab_freelist(m, slab, numbers, SLAB_INLINE);
    lua_createtable(L, 0, 12);
    push_page(L, v.pfn);
    lua_setfield(L, -2, "page");
    set_int(L, "order", v.order);
    set_int(L, "num", v.num);
    set_int(L, "active", v.active);
    set_int(L, "in_use", v.in_use);
    set_int(L, "colour", v.colour);
    set_int(L, "s_mem", v.s_mem);
    set_int(L, "freelist", v.freelist);
    set_int(L, "op", v.op);
    set_bool(L, "frozen", v.frozen);
    set_typed(L, "list", "slablist", v.list);
    lua_createtable(L, (int)nr, 0);
    for (uint32_t i = 0; i < nr; i++) {
        lua_pushinteger(L, numbers[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "free");
}

/* cache:cpu_slab([cpu]): SLUB: the slab that a CPU has, the addresses on its freelist,
 * and its partial slabs; nil with SLAB. */
static int cache_cpu_slab(lua_State *L)
{
    const uint32_t id = live_cache(L, "cache:cpu_slab");
    const uint32_t cpu =
        lua_isnoneornil(L, 2) ? script_of(L)->cpu : check_cpu(L, 2, "cache:cpu_slab");
    const struct machine *m = script_machine(L);
    uint32_t numbers[SLAB_INLINE];
    struct slub_cpu_view v;
    if (!slub_cpu_view(m, id, cpu, &v)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 3);
    if (v.slab) {
        push_slab(L, m, v.slab);
        lua_setfield(L, -2, "slab");
    }
    const uint32_t nr = slub_cpu_freelist(m, id, cpu, numbers, SLAB_INLINE);
    lua_createtable(L, (int)nr, 0);
    for (uint32_t i = 0; i < nr; i++) {
        const struct slab *s = slab_r(m, v.slab);
        lua_pushinteger(L,
                        (lua_Integer)index_to_obj(cache_r(m, s->cache), s, numbers[i]));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "freelist");
    lua_newtable(L);
    lua_Integer n = 0;
    for (uint32_t slab = v.partial; slab; slab = slabs_next(m, slab)) {
        push_slab(L, m, slab);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "partial");
    return 1;
}

/* cache:slabs(["partial"|"full"|"free"]) */
static int cache_slabs(lua_State *L)
{
    static const char *const names[] = {"partial", "full", "free", NULL};
    const uint32_t id = live_cache(L, "cache:slabs");
    struct machine *m = script_machine(L);
    const int only = lua_isnoneornil(L, 2) ? -1 : luaL_checkoption(L, 2, NULL, names);
    lua_Integer n = 0;
    lua_newtable(L);
    for (int kind = 0; kind < 3; kind++) {
        if (only != -1 && only != kind) {
            continue;
        }
        const enum slab_list_kind list = (enum slab_list_kind)(SLABS_PARTIAL + kind);
        for (uint32_t slab = slabs_first(m, id, list); slab; slab = slabs_next(m, slab)) {
            push_slab(L, m, slab);
            lua_rawseti(L, -2, ++n);
        }
    }
    return 1;
}

/* ---- all caches, any object ---- */

static int find_cache(lua_State *L)
{
    push_cache(L, cache_by_name(script_machine(L), luaL_checkstring(L, 1)));
    return 1;
}

static int all_caches(lua_State *L)
{
    struct machine *m = script_machine(L);
    lua_Integer n = 0;
    lua_newtable(L);
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        push_cache(L, id);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int slab_is_up(lua_State *L)
{
    lua_pushboolean(L, script_machine(L)->slab->state != SLAB_DOWN);
    return 1;
}

/* alloc_site = "demo.lua:41": where in the script an operation came from. */
static void set_site(lua_State *L, const char *name, const struct machine *m, uint32_t op)
{
    struct op_source o;
    if (op && m->texts && m->texts->operation &&
        m->texts->operation(m->texts->ctx, op, &o) && o.line) {
        lua_pushfstring(L, "%s:%d", o.file, (int)o.line);
        lua_setfield(L, -2, name);
    }
}

static void set_track(lua_State *L, const char *name, const struct machine *m,
                      const struct object_view *v, enum track_item item)
{
    struct slub_track track;
    if (slub_track(m, cache_r(m, v->cache), v->va, item, &track) && track.addr) {
        lua_createtable(L, 0, 5);
        set_int(L, "caller", track.addr);
        set_int(L, "cpu", track.cpu);
        set_int(L, "pid", track.pid);
        set_int(L, "when", track.when);
        set_int(L, "op", track.handle);
        lua_setfield(L, -2, name);
    }
}

/* object(address): what lies there; nil: no object. */
static int find_object(lua_State *L)
{
    static const char *const states[] = {"none", "in use", "in an array", "free"};
    struct machine *m = script_machine(L);
    const struct object_view v = object_view(m, (uint64_t)luaL_checkinteger(L, 1));
    if (v.state == OBJECT_NONE) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 14);
    lua_pushstring(L, states[v.state]);
    lua_setfield(L, -2, "state");
    push_cache(L, v.cache);
    lua_setfield(L, -2, "cache");
    push_page(L, slab_view(m, v.slab).pfn);
    lua_setfield(L, -2, "slab");
    set_int(L, "address", v.va);
    set_int(L, "number", v.index);
    set_int(L, "alloc_op", v.alloc_op);
    set_int(L, "free_op", v.free_op);
    set_site(L, "alloc_site", m, v.alloc_op);
    set_site(L, "free_site", m, v.free_op);
    set_track(L, "alloc_track", m, &v, TRACK_ALLOC);
    set_track(L, "free_track", m, &v, TRACK_FREE);
    if (v.state != OBJECT_IN_USE) {
        set_int(L, "position", v.position);
    }
    if (v.state == OBJECT_IN_ARRAY && v.cpu != UINT32_MAX) {
        set_int(L, "cpu", v.cpu);
    }
    return 1;
}

/* The addresses that the last bulk allocation answered. */
static int bulk_objects(lua_State *L)
{
    uint64_t va[SLAB_MAX_BULK];
    const uint32_t nr = staged_objects(script_machine(L), va, SLAB_MAX_BULK);
    lua_createtable(L, (int)nr, 0);
    for (uint32_t i = 0; i < nr; i++) {
        lua_pushinteger(L, (lua_Integer)va[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* ---- /sys/kernel/slab ---- */

/* Pushes the file's text, or nil; id 0: the list of all. */
static void push_sysfs(lua_State *L, uint32_t id, const char *file)
{
    const struct machine *m = script_machine(L);
    const int len = id ? sysfs_slab(NULL, 0, m, id, file) : sysfs_slab_dir(NULL, 0, m);
    luaL_Buffer b;
    if (len < 0) {
        lua_pushnil(L);
        return;
    }
    char *text = luaL_buffinitsize(L, &b, (size_t)len + 1);
    if (id) {
        sysfs_slab(text, (size_t)len + 1, m, id, file);
    } else {
        sysfs_slab_dir(text, (size_t)len + 1, m);
    }
    luaL_pushresultsize(&b, (size_t)len);
}

/* cache:sysfs([file]) */
static int cache_sysfs(lua_State *L)
{
    const uint32_t id = live_cache(L, "cache:sysfs");
    if (!lua_isnoneornil(L, 2)) {
        push_sysfs(L, id, luaL_checkstring(L, 2));
        return 1;
    }
    lua_newtable(L);
    for (size_t i = 0; sysfs_slab_name(i); i++) {
        push_sysfs(L, id, sysfs_slab_name(i));
        lua_setfield(L, -2, sysfs_slab_name(i));
    }
    return 1;
}

static int sysfs_list(lua_State *L)
{
    push_sysfs(L, 0, NULL);
    return 1;
}

void open_slab(lua_State *L)
{
    static const luaL_Reg methods[] = {{"array", cache_array},
                                       {"cpu_slab", cache_cpu_slab},
                                       {"fields", cache_fields},
                                       {"shared", cache_shared},
                                       {"slabs", cache_slabs},
                                       {"sysfs", cache_sysfs},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__eq", cache_equal}, {"__tostring", cache_tostring}, {NULL, NULL}};
    static const luaL_Reg globals[] = {{"kmem_cache", find_cache},
                                       {"kmem_caches", all_caches},
                                       {"object_at", find_object},
                                       {"__slab_is_up", slab_is_up},
                                       {"__bulk_objects", bulk_objects},
                                       {"sysfs_slab", sysfs_list},
                                       {NULL, NULL}};
    luaL_newmetatable(L, caches.type);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "__cache_methods"); /* prelude.lua adds to them */
    lua_pushcclosure(L, cache_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    handles_open(L, &caches);
    for (const luaL_Reg *g = globals; g->name; g++) {
        lua_pushcfunction(L, g->func);
        lua_setglobal(L, g->name);
    }
}
