/* string.find, match, gmatch and gsub with Lua's patterns, in bounded time.
 *
 * Lua's own matcher backtracks inside C, where no hook runs: a short pattern with a few
 * stars can take longer than anybody waits. This one counts its steps, charges them as
 * instructions and gives up with an error past MAX_STEPS. What it answers is what the
 * manual (6.4.1) says.
 *
 * Lua's matcher answers "malformed pattern" for more than can be seen here to be wrong:
 * so does this one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "lua_sandbox.h"

#include <ctype.h>
#include <string.h>

enum {
    MAX_CAPTURES = 32,
    MAX_DEPTH = 200,
    MAX_STEPS = 4000000,
    STEPS_PER_INSTRUCTION = 4
};
enum { OPEN = -1, POSITION = -2 };

struct matcher {
    lua_State *L;
    const char *start, *end; /* the subject */
    const char *pattern_end;
    int depth;
    int64_t steps; /* left, of one call of a library function */
    int nr;        /* captures */
    struct {
        const char *at;
        ptrdiff_t len; /* or OPEN, POSITION */
    } capture[MAX_CAPTURES];
};

static const char *match_here(struct matcher *m, const char *s, const char *p);

static void step(struct matcher *m, int64_t n)
{
    m->steps -= n;
    if (m->steps < 0) {
        sandbox_charge(sandbox_of(m->L), MAX_STEPS / STEPS_PER_INSTRUCTION);
        luaL_error(m->L, "pattern takes too long: more than %d steps", MAX_STEPS);
    }
}

static unsigned char byte_at(const char *s) { return (unsigned char)*s; }

/* Behind the single-character item at p: a letter, %x or a [set]. */
static const char *item_end(struct matcher *m, const char *p)
{
    if (*p == '%') {
        if (p + 1 >= m->pattern_end) {
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        }
        return p + 2;
    }
    if (*p++ != '[') {
        return p;
    }
    p += p < m->pattern_end && *p == '^';
    bool first = true;
    while (first || p >= m->pattern_end || *p != ']') {
        first = false;
        if (p >= m->pattern_end) {
            luaL_error(m->L, "malformed pattern (missing ']')");
        }
        p += *p == '%' && p + 1 < m->pattern_end ? 2 : 1;
    }
    return p + 1;
}

static bool in_class(unsigned char c, unsigned char letter)
{
    bool is;
    switch (tolower(letter)) {
    case 'a':
        is = isalpha(c);
        break;
    case 'c':
        is = iscntrl(c);
        break;
    case 'd':
        is = isdigit(c);
        break;
    case 'g':
        is = isgraph(c);
        break;
    case 'l':
        is = islower(c);
        break;
    case 'p':
        is = ispunct(c);
        break;
    case 's':
        is = isspace(c);
        break;
    case 'u':
        is = isupper(c);
        break;
    case 'w':
        is = isalnum(c);
        break;
    case 'x':
        is = isxdigit(c);
        break;
    default:
        return c == letter;
    }
    return isupper(letter) ? !is : is;
}

/* p is at '[', end behind its ']'. */
static bool in_set(unsigned char c, const char *p, const char *end)
{
    bool wanted = true;
    end--;
    if (*++p == '^') {
        wanted = false;
        p++;
    }
    for (; p < end; p++) {
        if (*p == '%') {
            p++;
            if (in_class(c, byte_at(p))) {
                return wanted;
            }
        } else if (p + 2 < end && p[1] == '-') {
            if (byte_at(p) <= c && c <= byte_at(p + 2)) {
                return wanted;
            }
            p += 2;
        } else if (byte_at(p) == c) {
            return wanted;
        }
    }
    return !wanted;
}

static bool matches_item(struct matcher *m, const char *s, const char *p, const char *end)
{
    if (s >= m->end) {
        return false;
    }
    step(m, 1);
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(byte_at(s), byte_at(p + 1));
    case '[':
        step(m, (end - p) / 8);
        return in_set(byte_at(s), p, end);
    default:
        return *p == *s;
    }
}

static const char *longest_first(struct matcher *m, const char *s, const char *p,
                                 const char *end)
{
    ptrdiff_t n = 0;
    while (matches_item(m, s + n, p, end)) {
        n++;
    }
    for (; n >= 0; n--) {
        step(m, 1);
        const char *answer = match_here(m, s + n, end + 1);
        if (answer) {
            return answer;
        }
    }
    return NULL;
}

static const char *shortest_first(struct matcher *m, const char *s, const char *p,
                                  const char *end)
{
    while (true) {
        const char *answer = match_here(m, s, end + 1);
        if (answer) {
            return answer;
        }
        if (!matches_item(m, s, p, end)) {
            return NULL;
        }
        s++;
    }
}

static const char *open_capture(struct matcher *m, const char *s, const char *p,
                                ptrdiff_t kind)
{
    if (m->nr >= MAX_CAPTURES) {
        luaL_error(m->L, "too many captures");
    }
    m->capture[m->nr].at = s;
    m->capture[m->nr].len = kind;
    m->nr++;
    const char *answer = match_here(m, s, p);
    if (!answer) {
        m->nr--;
    }
    return answer;
}

static const char *close_capture(struct matcher *m, const char *s, const char *p)
{
    int i = m->nr - 1;
    while (i >= 0 && m->capture[i].len != OPEN) {
        i--;
    }
    if (i < 0) {
        luaL_error(m->L, "invalid pattern capture");
    }
    m->capture[i].len = s - m->capture[i].at;
    const char *answer = match_here(m, s, p);
    if (!answer) {
        m->capture[i].len = OPEN;
    }
    return answer;
}

/* %1 to %9: the same bytes again. */
static const char *match_capture(struct matcher *m, const char *s, unsigned char digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->nr || m->capture[i].len == OPEN) {
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    }
    ptrdiff_t len = m->capture[i].len < 0 ? 0 : m->capture[i].len;
    step(m, len / 8);
    return m->end - s >= len && memcmp(m->capture[i].at, s, (size_t)len) == 0 ? s + len
                                                                              : NULL;
}

/* %bxy: from x to the y that balances it. */
static const char *match_balance(struct matcher *m, const char *s, const char *p)
{
    if (p + 1 >= m->pattern_end) {
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    }
    if (s >= m->end || *s != *p) {
        return NULL;
    }
    int depth = 1;
    while (++s < m->end) {
        step(m, 1);
        if (*s == p[1]) {
            if (--depth == 0) {
                return s + 1;
            }
        } else if (*s == *p) {
            depth++;
        }
    }
    return NULL;
}

/* What stands under one % that is no class; *s moves. Answers the rest of the pattern,
 * NULL: no match, or p itself: it is a class after all. */
static const char *match_special(struct matcher *m, const char **s, const char *p)
{
    switch (p + 1 < m->pattern_end ? p[1] : 0) {
    case 'b':
        *s = match_balance(m, *s, p + 2);
        return *s ? p + 4 : NULL;
    case 'f': {
        if (p + 2 >= m->pattern_end || p[2] != '[') {
            luaL_error(m->L, "missing '[' after '%%f' in pattern");
        }
        const char *end = item_end(m, p + 2);
        unsigned char before = *s == m->start ? 0 : byte_at(*s - 1);
        unsigned char here = *s == m->end ? 0 : byte_at(*s);
        step(m, (end - p) / 8);
        return !in_set(before, p + 2, end) && in_set(here, p + 2, end) ? end : NULL;
    }
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *s = match_capture(m, *s, byte_at(p + 1));
        return *s ? p + 2 : NULL;
    default:
        return p;
    }
}

static const char *match_items(struct matcher *m, const char *s, const char *p)
{
    while (p < m->pattern_end) {
        step(m, 1);
        if (*p == '(') {
            bool position = p + 1 < m->pattern_end && p[1] == ')';
            return open_capture(m, s, p + (position ? 2 : 1), position ? POSITION : OPEN);
        }
        if (*p == ')') {
            return close_capture(m, s, p + 1);
        }
        if (*p == '$' && p + 1 == m->pattern_end) {
            return s == m->end ? s : NULL;
        }
        if (*p == '%') {
            const char *rest = match_special(m, &s, p);
            if (rest != p) {
                if (!rest) {
                    return NULL;
                }
                p = rest;
                continue;
            }
        }
        const char *end = item_end(m, p);
        char suffix = end < m->pattern_end ? *end : 0;
        if (suffix == '*') {
            return longest_first(m, s, p, end);
        }
        if (suffix == '-') {
            return shortest_first(m, s, p, end);
        }
        bool here = matches_item(m, s, p, end);
        if (suffix == '+') {
            return here ? longest_first(m, s + 1, p, end) : NULL;
        }
        if (suffix == '?') {
            const char *answer = here ? match_here(m, s + 1, end + 1) : NULL;
            if (answer) {
                return answer;
            }
            p = end + 1;
            continue;
        }
        if (!here) {
            return NULL;
        }
        s++;
        p = end;
    }
    return s;
}

static const char *match_here(struct matcher *m, const char *s, const char *p)
{
    if (++m->depth > MAX_DEPTH) {
        luaL_error(m->L, "pattern too complex");
    }
    const char *answer = match_items(m, s, p);
    m->depth--;
    return answer;
}

/* ---- captures as Lua values ---- */

static void push_capture(struct matcher *m, int i, const char *s, const char *e)
{
    if (i >= m->nr) {
        if (i != 0) {
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        }
        lua_pushlstring(m->L, s, (size_t)(e - s));
        return;
    }
    if (m->capture[i].len == POSITION) {
        lua_pushinteger(m->L, m->capture[i].at - m->start + 1);
        return;
    }
    if (m->capture[i].len == OPEN) {
        luaL_error(m->L, "unfinished capture");
    }
    lua_pushlstring(m->L, m->capture[i].at, (size_t)m->capture[i].len);
}

/* All captures, or the whole match if there are none and whole is set. */
static int push_captures(struct matcher *m, const char *s, const char *e, bool whole)
{
    int n = m->nr == 0 && whole ? 1 : m->nr;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++) {
        push_capture(m, i, s, e);
    }
    return n;
}

static struct matcher matcher_for(lua_State *L, const char *s, size_t len, const char *p,
                                  size_t plen)
{
    return (struct matcher){
        .L = L, .start = s, .end = s + len, .pattern_end = p + plen, .steps = MAX_STEPS};
}

static const char *try_at(struct matcher *m, const char *s, const char *p)
{
    m->nr = 0;
    m->depth = 0;
    step(m, 1);
    return match_here(m, s, p);
}

static void charge_steps(struct matcher *m)
{
    sandbox_charge(sandbox_of(m->L),
                   (uint64_t)(MAX_STEPS - m->steps) / STEPS_PER_INSTRUCTION);
}

/* Where a find begins: Lua's 1-based position, negative from the end; false: behind the
 * end. */
static bool start_offset(lua_State *L, int idx, size_t len, size_t *offset)
{
    lua_Integer init = luaL_optinteger(L, idx, 1);
    if (init < 0) {
        init = (lua_Unsigned)-init > len ? 1 : (lua_Integer)len + init + 1;
    } else if (init == 0) {
        init = 1;
    }
    *offset = (size_t)init - 1;
    return *offset <= len;
}

static bool is_plain(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] && strchr("^$*+?.([%-", p[i])) {
            return false;
        }
    }
    return true;
}

static const char *find_plain(struct matcher *m, const char *s, const char *p,
                              size_t plen)
{
    if (!plen) {
        return s;
    }
    while ((size_t)(m->end - s) >= plen) {
        const char *first = memchr(s, *p, (size_t)(m->end - s) - plen + 1);
        step(m, ((first ? first : m->end) - s) / 16 + 1);
        if (!first) {
            return NULL;
        }
        size_t same = 0;
        while (same < plen && first[same] == p[same]) {
            same++;
        }
        step(m, (int64_t)same / 4);
        if (same == plen) {
            return first;
        }
        s = first + 1;
    }
    return NULL;
}

static int find_or_match(lua_State *L, bool find)
{
    size_t len, plen, offset;
    const char *s = luaL_checklstring(L, 1, &len), *p = luaL_checklstring(L, 2, &plen);
    if (!start_offset(L, 3, len, &offset)) {
        luaL_pushfail(L);
        return 1;
    }
    struct matcher m = matcher_for(L, s, len, p, plen);
    if (find && (lua_toboolean(L, 4) || is_plain(p, plen))) {
        const char *at = find_plain(&m, s + offset, p, plen);
        charge_steps(&m);
        if (at) {
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, at - s + (lua_Integer)plen);
            return 2;
        }
        luaL_pushfail(L);
        return 1;
    }
    bool anchored = plen && *p == '^';
    p += anchored;
    const char *from = s + offset;
    do {
        const char *e = try_at(&m, from, p);
        if (e) {
            charge_steps(&m);
            if (!find) {
                return push_captures(&m, from, e, true);
            }
            lua_pushinteger(L, from - s + 1);
            lua_pushinteger(L, e - s);
            return 2 + push_captures(&m, from, e, false);
        }
    } while (from++ < m.end && !anchored);
    charge_steps(&m);
    luaL_pushfail(L);
    return 1;
}

static int string_find(lua_State *L) { return find_or_match(L, true); }
static int string_match(lua_State *L) { return find_or_match(L, false); }

/* Upvalues: subject, pattern, where to go on, where the last match ended (0-based; -1
 * before the first). */
static int gmatch_step(lua_State *L)
{
    size_t len, plen;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &len);
    const char *p = lua_tolstring(L, lua_upvalueindex(2), &plen);
    lua_Integer from = lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    struct matcher m = matcher_for(L, s, len, p, plen);
    for (; from <= (lua_Integer)len; from++) {
        const char *e = try_at(&m, s + from, p);
        if (e && e - s != last) {
            charge_steps(&m);
            lua_pushinteger(L, e - s);
            lua_copy(L, -1, lua_upvalueindex(3));
            lua_copy(L, -1, lua_upvalueindex(4));
            lua_pop(L, 1);
            return push_captures(&m, s + from, e, true);
        }
    }
    charge_steps(&m);
    lua_pushinteger(L, (lua_Integer)len + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static int string_gmatch(lua_State *L)
{
    size_t len, offset;
    luaL_checklstring(L, 1, &len);
    luaL_checkstring(L, 2);
    if (!start_offset(L, 3, len, &offset)) {
        offset = len + 1;
    }
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)offset);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_step, 4);
    return 1;
}

/* The replacement's text with %0 to %9 and %% in it. */
static void add_text(struct matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
    size_t len;
    const char *r = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (r[i] != '%') {
            luaL_addchar(b, r[i]);
            continue;
        }
        char c = ++i < len ? r[i] : 0;
        if (c == '%') {
            luaL_addchar(b, c);
        } else if (c == '0') {
            luaL_addlstring(b, s, (size_t)(e - s));
        } else if (isdigit((unsigned char)c)) {
            push_capture(m, c - '1', s, e);
            luaL_tolstring(m->L, -1, NULL);
            lua_remove(m->L, -2);
            luaL_addvalue(b);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

static bool add_value(struct matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
    lua_State *L = m->L;
    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e, true), 1);
        break;
    case LUA_TTABLE:
        push_capture(m, 0, s, e);
        lua_gettable(L, 3);
        break;
    default:
        add_text(m, b, s, e);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
        return false;
    }
    if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(b);
    return true;
}

static int string_gsub(lua_State *L)
{
    size_t len, plen;
    const char *s = luaL_checklstring(L, 1, &len), *p = luaL_checklstring(L, 2, &plen);
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING ||
                         type == LUA_TFUNCTION || type == LUA_TTABLE,
                     3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)len + 1), n = 0;
    bool anchored = plen && *p == '^', changed = false;
    const char *last = NULL;
    struct matcher m = matcher_for(L, s, len, p, plen);
    lua_settop(L, 4);
    if (type == LUA_TNUMBER) {
        lua_tostring(L, 3);
    }
    p += anchored;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (n < most) {
        const char *e = try_at(&m, s, p);
        if (e && e != last) {
            n++;
            changed |= add_value(&m, &b, s, e);
            s = last = e;
        } else if (s < m.end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchored) {
            break;
        }
    }
    charge_steps(&m);
    if (changed) {
        luaL_addlstring(&b, s, (size_t)(m.end - s));
        luaL_pushresult(&b);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_pushinteger(L, n);
    return 2;
}

void sandbox_open_pattern(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", string_find},
                                         {"gmatch", string_gmatch},
                                         {"gsub", string_gsub},
                                         {"match", string_match},
                                         {NULL, NULL}};
    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    /* getmetatable("") answers false, so nobody changes what methods of strings are */
}
