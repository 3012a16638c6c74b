/* Lua values for the machine's quantities, and back: flags, orders, page frames, zones,
 * migratetypes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "hardware.h"
#include "script.h"

/* What stands there instead, for a message; a misspelt constant is nil. */
static const char *found(lua_State *L, int idx)
{
    if (lua_isnone(L, idx)) {
        return "missing";
    }
    if (lua_isnil(L, idx)) {
        return "nil: is a name misspelt?";
    }
    struct buffer *b = &script_of(L)->scratch;
    buffer_clear(b);
    value_text(L, idx, b);
    return lua_pushstring(L, b->len < 60 ? buffer_of(b) : luaL_typename(L, idx));
}

uint32_t check_gfp(lua_State *L, int idx, const char *who)
{
    gfp_t gfp;
    const char *bad;
    if (lua_type(L, idx) == LUA_TSTRING) {
        if (!gfp_parse(lua_tostring(L, idx), &gfp, &bad)) {
            luaL_error(L, "%s: unknown GFP flag at '%s'", who, bad);
        }
        return gfp;
    }
    if (!lua_isinteger(L, idx)) {
        luaL_error(L, "%s: gfp should be flags like GFP_KERNEL | __GFP_ZERO, but is %s",
                   who, found(L, idx));
    }
    lua_Integer v = lua_tointeger(L, idx);
    if (v < 0 || v > UINT32_MAX) {
        luaL_error(L, "%s: gfp flags have 32 bits, %I is outside", who, (LUAI_UACINT)v);
    }
    return (uint32_t)v;
}

uint32_t check_order(lua_State *L, int idx, const char *who)
{
    struct timeline *t = script_timeline(script_of(L));
    uint32_t max_order = t ? timeline_machine(t)->config.max_order : MAX_ORDER;
    lua_Integer v = 0;
    if (!lua_isnoneornil(L, idx)) {
        if (!lua_isinteger(L, idx)) {
            luaL_error(L, "%s: order should be a number from 0 to %d, but is %s", who,
                       (int)max_order - 1, found(L, idx));
        }
        v = lua_tointeger(L, idx);
    }
    if (v < 0 || v >= max_order) {
        luaL_error(L,
                   v < 0 ? "%s: order %I is below 0"
                         : "%s: order %I is not below MAX_ORDER %d",
                   who, (LUAI_UACINT)v, (int)max_order);
    }
    return (uint32_t)v;
}

uint64_t check_pfn(lua_State *L, int idx, const char *who)
{
    uint64_t pfn;
    if (to_page(L, idx, &pfn)) {
        return pfn;
    }
    if (lua_isnoneornil(L, idx)) {
        luaL_error(L, "%s: page is nil: did the allocation fail?", who);
    }
    if (!lua_isinteger(L, idx) || lua_tointeger(L, idx) < 0) {
        luaL_error(L, "%s: page should be a page or a page frame number, but is %s", who,
                   found(L, idx));
    }
    return (uint64_t)lua_tointeger(L, idx);
}

uint32_t check_cpu(lua_State *L, int idx, const char *who)
{
    struct timeline *t = script_timeline(script_of(L));
    uint32_t cpus = t ? timeline_machine(t)->config.cpus : 1;
    if (!lua_isinteger(L, idx)) {
        luaL_error(L, "%s: cpu should be a number from 0 to %d, but is %s", who,
                   (int)cpus - 1, found(L, idx));
    }
    lua_Integer v = lua_tointeger(L, idx);
    if (v < 0 || v >= cpus) {
        luaL_error(L, "%s: there is no CPU %I: this machine has %d (machine.cpus)", who,
                   (LUAI_UACINT)v, (int)cpus);
    }
    return (uint32_t)v;
}

uint32_t check_migratetype(lua_State *L, int idx, const char *who)
{
    if (lua_isinteger(L, idx) && lua_tointeger(L, idx) >= 0 &&
        lua_tointeger(L, idx) < MIGRATE_TYPES) {
        return (uint32_t)lua_tointeger(L, idx);
    }
    for (uint32_t mt = 0; lua_type(L, idx) == LUA_TSTRING && mt < MIGRATE_TYPES; mt++) {
        char name[32];
        value_format(name, sizeof name, NULL, "mt", mt);
        if (strcmp(name, lua_tostring(L, idx)) == 0) {
            return mt;
        }
    }
    luaL_error(
        L, "%s: migratetype should be MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, ..., but is %s",
        who, found(L, idx));
    return 0;
}

uint64_t check_count(lua_State *L, int idx, const char *who, const char *what)
{
    if (!lua_isinteger(L, idx) || lua_tointeger(L, idx) < 0) {
        luaL_error(L, "%s: %s should be a number, 0 or more, but is %s", who, what,
                   found(L, idx));
    }
    return (uint64_t)lua_tointeger(L, idx);
}

void push_typed(lua_State *L, const struct machine *m, const char *type, uint64_t value)
{
    char text[160];
    if (strcmp(type, "pfn") == 0) {
        push_page(L, value);
    } else if (strcmp(type, "cache") == 0) {
        push_cache(L, value);
    } else if (strcmp(type, "mempool") == 0) {
        push_mempool(L, value);
    } else if (strcmp(type, "bool") == 0) {
        lua_pushboolean(L, value != 0);
    } else if (strcmp(type, "zone") == 0 || strcmp(type, "ctx") == 0 ||
               strcmp(type, "wmark") == 0 || strcmp(type, "place") == 0 ||
               strcmp(type, "fault") == 0 || strcmp(type, "faultattr") == 0 ||
               strcmp(type, "slablist") == 0 || strcmp(type, "reason") == 0) {
        value_format(text, sizeof text, m, type, value);
        lua_pushstring(L, text);
    } else {
        lua_pushinteger(L, (lua_Integer)value);
    }
}

uint32_t check_mode(lua_State *L, int idx, const char *who)
{
    static const char *const modes[] = {
        [MODE_KERNEL] = "kernel", [MODE_USER] = "user", [MODE_UACCESS] = "uaccess"};
    const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : "kernel";
    for (uint32_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
        if (strcmp(modes[mode], name) == 0) {
            return mode;
        }
    }
    luaL_error(L,
               "%s: there is no mode '%s': \"user\", \"kernel\", or \"uaccess\" for "
               "kernel code that expects a fault, as copy_from_user does",
               who, name);
    return 0;
}

/* "rw", "r-x" */
static uint64_t check_prot(lua_State *L, int idx, const char *who)
{
    static const char letters[] = "rwx-";
    const char *text = luaL_optstring(L, idx, "rw");
    uint64_t prot = 0;
    for (const char *at = text; *at; at++) {
        const char *letter = strchr(letters, *at);
        if (!letter) {
            luaL_error(L, "%s: '%s' is no protection: write r, w and x, as in \"rw\"",
                       who, text);
        } else if (*letter != '-') {
            prot |= (uint64_t)1 << (letter - letters);
        }
    }
    return prot;
}

uint64_t check_typed(lua_State *L, int idx, const char *who, const char *name,
                     const char *type)
{
    struct script *sc = script_of(L);
    if (strcmp(type, "gfp") == 0) {
        return check_gfp(L, idx, who);
    }
    if (strcmp(type, "cache") == 0) {
        return check_cache(L, idx, who);
    }
    if (strcmp(type, "mempool") == 0) {
        return check_mempool(L, idx, who);
    }
    if (strcmp(type, "element") == 0) {
        return check_element(L, idx, who);
    }
    if (strcmp(type, "order") == 0) {
        return check_order(L, idx, who);
    }
    if (strcmp(type, "pfn") == 0) {
        return check_pfn(L, idx, who);
    }
    if (strcmp(type, "cpu") == 0) {
        return check_cpu(L, idx, who);
    }
    if (strcmp(type, "mt") == 0) {
        return check_migratetype(L, idx, who);
    }
    if (strcmp(type, "zone") == 0) {
        return check_zone(L, idx, who);
    }
    if (strcmp(type, "mode") == 0) {
        return check_mode(L, idx, who);
    }
    if (strcmp(type, "prot") == 0) {
        return check_prot(L, idx, who);
    }
    if (strcmp(type, "bool") == 0) {
        return lua_isnone(L, idx) || lua_toboolean(L, idx);
    }
    if ((strcmp(type, "lock") == 0 || strcmp(type, "text") == 0) &&
        lua_type(L, idx) == LUA_TSTRING) {
        return script_timeline(sc)
                   ? timeline_intern(script_timeline(sc), lua_tostring(L, idx))
                   : 0;
    }
    /* 64-bit kernel addresses are negative numbers in Lua */
    if ((strcmp(type, "addr") == 0 || strcmp(type, "x") == 0 || strcmp(type, "d") == 0) &&
        lua_isinteger(L, idx)) {
        return (uint64_t)lua_tointeger(L, idx);
    }
    return check_count(L, idx, who, name);
}

const char *lock_name(lua_State *L, uint64_t id)
{
    return id <= UINT32_MAX ? timeline_string(script_timeline(script_of(L)), (uint32_t)id)
                            : "?";
}

/* ---- values as text: no metamethod of the script's runs, since that could do anything
 * ---- */

static void quoted(const char *s, size_t len, struct buffer *out)
{
    enum { MOST = 80 };
    buffer_string(out, "\"");
    for (size_t i = 0; i < len && i < MOST; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') {
            buffer_printf(out, "\\%c", c);
        } else if (c == '\n') {
            buffer_string(out, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buffer_printf(out, "\\%03d", c);
        } else {
            buffer_append(out, s + i, 1);
        }
    }
    buffer_string(out, len > MOST ? "...\"" : "\"");
}

static void value_at_depth(lua_State *L, int idx, struct buffer *out, int depth);

/* Fields that are read in hexadecimal wherever they stand: addresses, entries, frames. */
static bool in_hex(const char *key)
{
    static const char *const keys[] = {"at",  "cr2",  "entry",      "pa",  "pfn",
                                       "pgd", "root", "table_phys", "tag", "va"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!strcmp(keys[i], key)) {
            return true;
        }
    }
    return false;
}

static void table_text(lua_State *L, int idx, struct buffer *out, int depth)
{
    enum { MOST = 12, MOST_FIELDS = 48, DEEPEST = 2 };
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    if (depth >= DEEPEST) {
        buffer_string(out, "{...}");
        return;
    }
    buffer_string(out, "{");
    int shown = 0;
    for (lua_Integer i = 1; i <= n && shown < MOST; i++) {
        buffer_string(out, shown++ ? ", " : "");
        lua_rawgeti(L, idx, i);
        value_at_depth(L, -1, out, depth + 1);
        lua_pop(L, 1);
    }
    if (n > MOST) {
        buffer_printf(out, ", ... %lld in all}", (long long)n);
        return;
    }
    /* The string keys, in order: the smallest above the one before, as base next does it.
     */
    const char *last = NULL;
    while (shown < MOST_FIELDS) {
        const char *best = NULL;
        lua_pushnil(L);
        while (lua_next(L, idx)) {
            lua_pop(L, 1);
            if (lua_type(L, -1) == LUA_TSTRING) {
                const char *key = lua_tostring(L, -1);
                if ((!last || strcmp(key, last) > 0) &&
                    (!best || strcmp(key, best) < 0)) {
                    best = key; /* stays: the table holds it */
                }
            }
        }
        if (!best) {
            break;
        }
        buffer_printf(out, "%s%s = ", shown++ ? ", " : "", best);
        lua_getfield(L, idx, best);
        if (lua_isinteger(L, -1) && in_hex(best)) {
            buffer_printf(out, "0x%llx", (unsigned long long)lua_tointeger(L, -1));
        } else {
            value_at_depth(L, -1, out, depth + 1);
        }
        lua_pop(L, 1);
        last = best;
    }
    buffer_string(out, shown == MOST_FIELDS ? ", ...}" : "}");
}

static void value_at_depth(lua_State *L, int idx, struct buffer *out, int depth)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, NULL);
    size_t len;
    const char *s;
    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &len);
        quoted(s, len, out);
        break;
    case LUA_TTABLE:
        table_text(L, idx, out, depth);
        break;
    default:
        buffer_string(out, sandbox_tostring(L, idx));
        lua_pop(L, 1);
    }
}

void value_text(lua_State *L, int idx, struct buffer *out)
{
    value_at_depth(L, idx, out, 0);
}

static void local_text(lua_State *L, const char *name, struct buffer *out)
{
    int type = lua_type(L, -1);
    if (type == LUA_TFUNCTION || type == LUA_TTHREAD || *name == '(') {
        return;
    }
    buffer_printf(out, "%s = ", name);
    value_text(L, -1, out);
    buffer_string(out, "\n");
}

static void frame_locals(lua_State *L, lua_Debug *ar, struct buffer *out)
{
    const char *name;
    for (int i = 1; (name = lua_getlocal(L, ar, i)) != NULL; i++) {
        local_text(L, name, out);
        lua_pop(L, 1);
    }
    lua_getinfo(L, "f", ar);
    for (int i = 1; (name = lua_getupvalue(L, -1, i)) != NULL; i++) {
        if (strcmp(name, "_ENV") != 0) {
            local_text(L, name, out);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void locals_text(lua_State *L, struct buffer *out)
{
    enum { MOST = 16 }; /* of frames: deep recursion is the same again and again */
    lua_Debug ar;
    int level = 0;
    if (!sandbox_script_frame(L, &level, &ar)) {
        return;
    }
    luaL_checkstack(L, 8, NULL);
    for (int i = 0; i < MOST && sandbox_next_frame(L, &level, &ar); i++, level++) {
        if (i) {
            buffer_printf(out, "#%d\n", i);
        }
        if (ar.currentline > 0) {
            frame_locals(L, &ar, out);
        }
    }
}

void set_int(lua_State *L, const char *name, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, name);
}

void set_bool(lua_State *L, const char *name, bool v)
{
    lua_pushboolean(L, v);
    lua_setfield(L, -2, name);
}

void set_string(lua_State *L, const char *name, const char *v)
{
    lua_pushstring(L, v);
    lua_setfield(L, -2, name);
}
