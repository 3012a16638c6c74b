/* Lua's basic functions where the usual ones differ from run to run or lead out of
 * bounds: pairs and next in sorted order, tostring with numbers for addresses,
 * setmetatable without finalizers, bounded table functions.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lua_sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tostring ---- */

static const char
    object_ids; /* its address is the registry's key of the table object -> number */

/* The number of a table, function, thread or userdata: 1, 2, ... in the order of asking.
 */
static lua_Integer object_id(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &object_ids) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_newtable(L);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &object_ids);
    }
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) != LUA_TNUMBER) {
        lua_pop(L, 1);
        lua_rawgeti(L, -1, 0); /* the last number given */
        lua_Integer id = lua_tointeger(L, -1) + 1;
        lua_pop(L, 1);
        lua_pushinteger(L, id);
        lua_rawseti(L, -2, 0);
        lua_pushvalue(L, idx);
        lua_pushinteger(L, id);
        lua_rawset(L, -3);
        lua_pushinteger(L, id);
    }
    lua_Integer id = lua_tointeger(L, -1);
    lua_pop(L, 2);
    return id;
}

const char *sandbox_tostring(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 8, NULL);
    switch (lua_type(L, idx)) {
    case LUA_TTABLE:
    case LUA_TFUNCTION:
    case LUA_TTHREAD:
    case LUA_TUSERDATA:
    case LUA_TLIGHTUSERDATA:
        break;
    default:
        return luaL_tolstring(L, idx, NULL);
    }
    if (luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL) {
        lua_pop(L, 1);
        return luaL_tolstring(L, idx, NULL);
    }
    int type = luaL_getmetafield(L, idx, "__name");
    const char *name = type == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, idx);
    const char *text =
        lua_pushfstring(L, "%s: #%I", name, (LUAI_UACINT)object_id(L, idx));
    if (type != LUA_TNIL) {
        lua_remove(L, -2);
    }
    return text;
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    sandbox_tostring(L, 1);
    return 1;
}

/* ---- pairs and next ---- */

/* A key with what its place is computed from. Numbers come first, then strings by their
 * bytes, then false and true, then userdata that order themselves (pages, zones), then at
 * most one key of any other type: two of those have no order that is the same in every
 * run. */
struct key {
    int rank; /* 0 number, 1 string, 2 boolean, 3 ordered userdata, 4 other */
    bool is_integer;
    lua_Integer i; /* integers, booleans and ordered userdata */
    lua_Number n;
    const char *s;
    size_t len;
};

/* Page handles and the like order themselves by a number: their metatable's __order(v).
 */
static bool order_of_object(lua_State *L, int idx, lua_Integer *order)
{
    if (lua_type(L, idx) != LUA_TUSERDATA ||
        luaL_getmetafield(L, idx, "__order") != LUA_TFUNCTION) {
        return false;
    }
    lua_pushvalue(L, idx < 0 ? idx - 1 : idx);
    lua_call(L, 1, 1);
    *order = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return true;
}

static struct key key_at(lua_State *L, int idx)
{
    struct key k = {.rank = 4};
    switch (lua_type(L, idx)) {
    case LUA_TNUMBER:
        k.rank = 0;
        k.is_integer = lua_isinteger(L, idx);
        k.i = k.is_integer ? lua_tointeger(L, idx) : 0;
        k.n = lua_tonumber(L, idx);
        break;
    case LUA_TSTRING:
        k.rank = 1;
        k.s = lua_tolstring(L, idx, &k.len);
        break;
    case LUA_TBOOLEAN:
        k.rank = 2;
        k.i = lua_toboolean(L, idx);
        break;
    default:
        if (order_of_object(L, idx, &k.i)) {
            k.rank = 3;
        }
        break;
    }
    return k;
}

static int key_compare(const struct key *a, const struct key *b)
{
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    if (a->rank == 0) {
        if (a->is_integer && b->is_integer) {
            return (a->i > b->i) - (a->i < b->i);
        }
        int order = (a->n > b->n) - (a->n < b->n);
        return order ? order : a->is_integer - b->is_integer;
    }
    if (a->rank == 1) {
        size_t len = a->len < b->len ? a->len : b->len;
        int order = memcmp(a->s, b->s, len);
        return order ? order : (a->len > b->len) - (a->len < b->len);
    }
    return (a->i > b->i) - (a->i < b->i);
}

static int no_order(lua_State *L, const char *who)
{
    return luaL_error(L,
                      "%s: two keys of this table are tables, functions or threads, and "
                      "such keys have no order "
                      "that is the same in every run: use an array",
                      who);
}

struct sort_entry {
    struct key key;
    lua_Integer at; /* in the list of unsorted keys */
};

static int entry_compare(const void *va, const void *vb)
{
    const struct sort_entry *a = va, *b = vb;
    return key_compare(&a->key, &b->key);
}

/* Heapsort: no memory of its own, and never more than n log n. */
static void sift(struct sort_entry *e, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && entry_compare(&e[child], &e[child + 1]) < 0) {
            child++;
        }
        if (entry_compare(&e[root], &e[child]) >= 0) {
            return;
        }
        struct sort_entry swap = e[root];
        e[root] = e[child];
        e[child] = swap;
    }
}

static void sort_entries(struct sort_entry *e, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) {
        sift(e, i, n);
    }
    while (n-- > 1) {
        struct sort_entry swap = e[0];
        e[0] = e[n];
        e[n] = swap;
        sift(e, 0, n);
    }
}

/* Pushes an array of the table's keys in order, and answers how many. */
static lua_Integer push_sorted_keys(lua_State *L, int table)
{
    lua_Integer n = 0, others = 0;
    lua_newtable(L);
    int unsorted = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, unsorted, ++n);
    }
    sandbox_charge(sandbox_of(L), (uint64_t)n * 20 + 20);
    struct sort_entry *e = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *e, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, unsorted, i + 1);
        e[i] = (struct sort_entry){.key = key_at(L, -1), .at = i + 1};
        others += e[i].key.rank == 4;
        lua_pop(L, 1);
    }
    if (others > 1) {
        no_order(L, "pairs");
    }
    sort_entries(e, (size_t)n);
    lua_createtable(L, (int)(n < INT32_MAX ? n : INT32_MAX), 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, unsorted, e[i].at);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, unsorted);
    lua_settop(L, unsorted);
    return n;
}

/* The iterator: upvalues are the sorted keys and the index. Keys that were removed
 * meanwhile are skipped. */
static int pairs_step(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
    while (true) {
        i++;
        if (lua_rawgeti(L, lua_upvalueindex(2), i) == LUA_TNIL) {
            return 1;
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
            lua_pushinteger(L, i);
            lua_replace(L, lua_upvalueindex(3));
            return 2;
        }
        lua_pop(L, 2);
    }
}

static int pairs_continue(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 3;
}

static int base_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, pairs_continue);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    push_sorted_keys(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 3);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* The smallest key above the given one: a look at every key, so that loops had better use
 * pairs. */
static int base_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    struct key after = key_at(L, 2), best = {0}, k;
    bool from_start = lua_isnil(L, 2), have = false;
    if (!from_start && after.rank == 4) {
        no_order(L, "next");
    }
    lua_Integer n = 0;
    lua_pushnil(L); /* 3: the best key so far */
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        n++;
        k = key_at(L, -1);
        if (k.rank == 4 && have && best.rank == 4) {
            no_order(L, "next");
        }
        if ((from_start || key_compare(&k, &after) > 0) &&
            (!have || key_compare(&k, &best) < 0)) {
            best = k;
            have = true;
            lua_pushvalue(L, -1);
            lua_replace(L, 3);
        }
    }
    sandbox_charge(sandbox_of(L), (uint64_t)n * 4 + 20);
    lua_settop(L, 3);
    if (!have) {
        return 1;
    }
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    return 2;
}

/* ---- metatables ---- */

static int base_setmetatable(lua_State *L)
{
    static const char *const refused[] = {"__gc", "__mode"};
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    for (size_t i = 0; i < 2 && lua_istable(L, 2); i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 2) != LUA_TNIL) {
            return luaL_error(L,
                              "setmetatable: %s is not available: when garbage is "
                              "collected must not matter",
                              refused[i]);
        }
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(L, "cannot change a protected metatable");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int base_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_type(L, 1) != LUA_TTABLE) {
        lua_pushboolean(
            L, 0); /* of strings, pages, zones: the scripts' own are theirs alone */
        return 1;
    }
    luaL_getmetafield(L, 1, "__metatable");
    return 1;
}

/* ---- string.format: no %p, and %s as tostring does ---- */

static int base_format(lua_State *L)
{
    size_t len;
    const char *format = luaL_checklstring(L, 1, &len);
    int arg = 1, top = lua_gettop(L);
    for (const char *p = format, *end = format + len; p < end; p++) {
        if (*p != '%' || ++p >= end || *p == '%') {
            continue;
        }
        while (p < end && strchr("-+ #0123456789.", *p) && *p) {
            p++;
        }
        arg++;
        if (p < end && *p == 'p') {
            return luaL_error(
                L,
                "string.format: %%p is not available: addresses differ from run to run");
        }
        if (p < end && *p == 's' && arg <= top && lua_type(L, arg) > LUA_TSTRING) {
            sandbox_tostring(L, arg);
            lua_replace(L, arg);
        }
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, top, 1);
    return 1;
}

/* ---- table functions that go over a range: no fake lengths, no endless ranges ---- */

static int bounded_table(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(2));
    int top = lua_gettop(L);
    for (int i = 1; i <= top; i++) {
        if (lua_istable(L, i) && luaL_getmetafield(L, i, "__len") != LUA_TNIL) {
            return luaL_error(L, "table.%s: not for a table with __len", name);
        }
        lua_settop(L, top);
    }
    lua_Integer n = lua_istable(L, 1) ? (lua_Integer)lua_rawlen(L, 1) : 0;
    int first = name[0] == 'm' ? 2 : 3; /* move(a, f, e, t); concat(t, sep, i, j) */
    if (name[0] == 'u') {
        first = 2; /* unpack(t, i, j) */
    }
    if (name[0] == 'm' || name[0] == 'c' || name[0] == 'u') {
        lua_Integer i = luaL_optinteger(L, first, 1),
                    j = luaL_optinteger(L, first + 1, n);
        if (i <= j && (lua_Unsigned)j - (lua_Unsigned)i >= SANDBOX_MAX_RANGE) {
            return luaL_error(L, "table.%s: more than %d elements", name,
                              SANDBOX_MAX_RANGE);
        }
        n = i <= j ? j - i : 0;
    }
    sandbox_charge(sandbox_of(L), (uint64_t)n / 4);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, top, LUA_MULTRET);
    return lua_gettop(L);
}

static void set_global(lua_State *L, const char *name, lua_CFunction f)
{
    lua_pushcfunction(L, f);
    lua_setglobal(L, name);
}

void sandbox_open_base(lua_State *L)
{
    set_global(L, "tostring", base_tostring);
    set_global(L, "pairs", base_pairs);
    set_global(L, "next", base_next);
    set_global(L, "setmetatable", base_setmetatable);
    set_global(L, "getmetatable", base_getmetatable);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, base_format, 1);
    lua_setfield(L, -2, "format");
    lua_pop(L, 1);
}

void sandbox_open_table(lua_State *L)
{
    static const char *const names[] = {"concat", "insert", "move", "remove", "unpack"};
    lua_getglobal(L, "table");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lua_getfield(L, -1, names[i]);
        lua_pushstring(L, names[i]);
        lua_pushcclosure(L, bounded_table, 2);
        lua_setfield(L, -2, names[i]);
    }
    lua_pop(L, 1);
}

/* ---- call stacks ---- */

static bool is_own(const lua_Debug *ar)
{
    return strcmp(ar->source, SANDBOX_OWN_CHUNK) == 0;
}

bool sandbox_script_frame(lua_State *L, int *level, lua_Debug *ar)
{
    for (; lua_getstack(L, *level, ar); (*level)++) {
        lua_getinfo(L, "Sl", ar);
        if (ar->currentline > 0 && !is_own(ar)) {
            return true;
        }
    }
    return false;
}

bool sandbox_next_frame(lua_State *L, int *level, lua_Debug *ar)
{
    for (; lua_getstack(L, *level, ar); (*level)++) {
        lua_getinfo(L, "Slnt", ar);
        if (!is_own(ar) && (*ar->what != 'C' || *ar->namewhat)) {
            return true;
        }
    }
    return false;
}

void sandbox_traceback(lua_State *L, lua_State *of, int level)
{
    luaL_checkstack(L, 8, NULL);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    lua_Debug ar;
    for (int shown = 0; sandbox_next_frame(of, &level, &ar); level++) {
        if (shown++ == SANDBOX_MAX_FRAMES) {
            luaL_addstring(&b, "\t...\n");
            break;
        }
        char line[LUA_IDSIZE + 160];
        const char *what = *ar.namewhat ? ar.name : NULL;
        int n = snprintf(line, sizeof line, "\t%s:", ar.short_src);
        if (ar.currentline > 0) {
            n += snprintf(line + n, sizeof line - (size_t)n, "%d:", ar.currentline);
        }
        if (what) {
            snprintf(line + n, sizeof line - (size_t)n, " in %s '%.60s'\n", ar.namewhat,
                     what);
        } else if (*ar.what == 'm') {
            snprintf(line + n, sizeof line - (size_t)n, " in main chunk\n");
        } else {
            snprintf(line + n, sizeof line - (size_t)n, " in function <%.60s:%d>\n",
                     ar.short_src, ar.linedefined);
        }
        luaL_addstring(&b, line);
        if (ar.istailcall) {
            luaL_addstring(&b, "\t(...tail calls...)\n");
        }
    }
    luaL_pushresult(&b);
}
