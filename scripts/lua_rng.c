/* Random numbers that depend on the seed alone: xoshiro256** (Blackman and Vigna), seeded
 * by splitmix64.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lua_sandbox.h"

static uint64_t rotate_left(uint64_t x, int by) { return x << by | x >> (64 - by); }

void sandbox_seed(struct sandbox *sb, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        sb->rng[i] = z ^ z >> 31;
    }
}

uint64_t sandbox_random(struct sandbox *sb)
{
    uint64_t *s = sb->rng, answer = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return answer;
}

uint64_t sandbox_random_below(struct sandbox *sb, uint64_t n)
{
    uint64_t top = UINT64_MAX - UINT64_MAX % n, x;
    do {
        x = sandbox_random(sb);
    } while (x >= top);
    return x % n;
}

/* math.random(), (n), (m, n), (0): as Lua's. Also `random`, as a global. */
static int random_number(lua_State *L)
{
    struct sandbox *sb = sandbox_of(L);
    lua_Integer low = 1, high;
    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, (lua_Number)(sandbox_random(sb) >> 11) * 0x1p-53);
        return 1;
    case 1:
        high = luaL_checkinteger(L, 1);
        if (high == 0) {
            lua_pushinteger(L, (lua_Integer)sandbox_random(sb));
            return 1;
        }
        break;
    case 2:
        low = luaL_checkinteger(L, 1);
        high = luaL_checkinteger(L, 2);
        break;
    default:
        return luaL_error(L, "random: takes no argument, n, or m and n");
    }
    luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t x =
        span == UINT64_MAX ? sandbox_random(sb) : sandbox_random_below(sb, span + 1);
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + x));
    return 1;
}

static int random_seed(lua_State *L)
{
    if (lua_gettop(L) == 0) {
        return luaL_error(L, "math.randomseed: give a number: a seed from the clock "
                             "would differ in every run");
    }
    lua_Integer i = 0;
    if (lua_isinteger(L, 1)) {
        i = lua_tointeger(L, 1);
    } else if (!lua_numbertointeger(luaL_checknumber(L, 1), &i)) {
        i = 0;
    }
    sandbox_seed(sandbox_of(L), (uint64_t)i);
    return 0;
}

void sandbox_open_random(lua_State *L)
{
    lua_pushcfunction(L, random_number);
    lua_setglobal(L, "random");
    lua_getglobal(L, "math");
    lua_pushcfunction(L, random_number);
    lua_setfield(L, -2, "random");
    lua_pushcfunction(L, random_seed);
    lua_setfield(L, -2, "randomseed");
    lua_pop(L, 1);
}
