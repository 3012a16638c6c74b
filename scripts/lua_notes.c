/* Narration and claims: say, expect, ask. They are OP_NOTE operations, so that they
 * travel in time with the rest.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "script.h"
#include "views.h"

/* Texts in long brackets are indented as the script is: lines lose the indentation that
 * all but the first share, paragraphs (divided by an empty line) stay apart, the lines of
 * one are joined. */
static void add_paragraphs(luaL_Buffer *b, const char *s, size_t len)
{
    const char *end = s + len;
    bool something = false, paragraph = false;
    while (s < end) {
        const char *line_end = memchr(s, '\n', (size_t)(end - s));
        line_end = line_end ? line_end : end;
        const char *from = s, *to = line_end;
        while (from < to && (*from == ' ' || *from == '\t' || *from == '\r')) {
            from++;
        }
        while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r')) {
            to--;
        }
        if (from == to) {
            paragraph = something;
        } else {
            if (something) {
                luaL_addstring(b, paragraph ? "\n\n" : " ");
            }
            luaL_addlstring(b, from, (size_t)(to - from));
            something = true;
            paragraph = false;
        }
        s = line_end + 1;
    }
}

static const char *paragraphs(lua_State *L, int idx)
{
    size_t len;
    const char *s = lua_tolstring(L, idx, &len);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    add_paragraphs(&b, s, len);
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

/* All arguments as one text. */
static const char *joined(lua_State *L, const char *separator)
{
    int top = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= top; i++) {
        if (i > 1) {
            luaL_addstring(&b, separator);
        }
        sandbox_tostring(L, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

static int say(lua_State *L)
{
    if (lua_gettop(L) == 0 || lua_isnil(L, 1)) {
        return luaL_error(L, "say: there is no text");
    }
    joined(L, " ");
    script_note(L, NOTE_SAY, paragraphs(L, -1));
    return script_return(L, 0);
}

static int title(lua_State *L)
{
    luaL_checkstring(L, 1);
    script_note(L, NOTE_TITLE, paragraphs(L, 1));
    return script_return(L, 0);
}

static int print(lua_State *L)
{
    struct script *sc = script_of(L);
    const char *text = joined(L, "\t");
    if (sc->console) {
        buffer_printf(&sc->out, "%s\n", text);
        return 0;
    }
    script_note(L, NOTE_SAY, text);
    return script_return(L, 0);
}

/* The line of the script that claims something, as its own text. */
static const char *source_line(lua_State *L)
{
    struct script *sc = script_of(L);
    lua_Debug ar;
    int level = 0;
    if (sc->console || !sandbox_script_frame(L, &level, &ar)) {
        return "expect";
    }
    const char *line = session_line(sc->session, (uint32_t)ar.currentline);
    lua_pushstring(L, line);
    return paragraphs(L, -1);
}

static int expect(lua_State *L)
{
    struct script *sc = script_of(L);
    luaL_argcheck(L, lua_gettop(L) >= 1, 1, "expect(condition, [text])");
    bool holds = lua_toboolean(L, 1);
    const char *text = lua_isnoneornil(L, 2)
                           ? source_line(L)
                           : (sandbox_tostring(L, 2), paragraphs(L, -1));
    script_note(L, holds ? NOTE_EXPECT_OK : NOTE_EXPECT_FAILED, text);
    *(holds ? &sc->passed : &sc->failed) += 1;
    lua_pushboolean(L, holds);
    return script_return(L, 1);
}

static int expect_eq(lua_State *L)
{
    struct script *sc = script_of(L);
    luaL_argcheck(L, lua_gettop(L) >= 2, 1, "expect_eq(got, wanted, [text])");
    bool holds = lua_compare(L, 1, 2, LUA_OPEQ);
    const char *text = lua_isnoneornil(L, 3)
                           ? source_line(L)
                           : (sandbox_tostring(L, 3), paragraphs(L, -1));
    if (!holds) {
        struct buffer *b = &sc->scratch;
        buffer_clear(b);
        buffer_printf(b, "%s: got ", text);
        value_text(L, 1, b);
        buffer_string(b, ", wanted ");
        value_text(L, 2, b);
        text = lua_pushstring(L, buffer_of(b));
    }
    script_note(L, holds ? NOTE_EXPECT_OK : NOTE_EXPECT_FAILED, text);
    *(holds ? &sc->passed : &sc->failed) += 1;
    lua_pushboolean(L, holds);
    return script_return(L, 1);
}

/* The value on top of the stack becomes one line of text. */
static void to_paragraphs(lua_State *L)
{
    sandbox_tostring(L, -1);
    lua_pushstring(L, luaL_gsub(L, paragraphs(L, -1), "\n\n", " "));
    lua_replace(L, -5);
    lua_pop(L, 3);
}

/* ask { question, choice, choice ..., answer = n, why = text }: see
 * session_parse_question. */
static int ask(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1) - 1;
    if (n < 1 || n > SESSION_MAX_CHOICES) {
        return luaL_error(L, "ask: give a question and 1 to %d choices",
                          SESSION_MAX_CHOICES);
    }
    lua_getfield(L, 1, "answer");
    lua_Integer answer = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (answer < 1 || answer > n) {
        return luaL_error(L, "ask: answer should be the number of a choice, 1 to %d",
                          (int)n);
    }
    bool why = lua_getfield(L, 1, "why") != LUA_TNIL;
    if (why) {
        to_paragraphs(L);
    }
    for (lua_Integer i = 1; i <= n + 1; i++) {
        lua_rawgeti(L, 1, i);
        to_paragraphs(L);
    }
    int first = lua_gettop(L) - (int)n;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i <= (int)n; i++) {
        luaL_addstring(&b, i == 0 ? "" : i == answer ? "\n= " : "\n- ");
        lua_pushvalue(L, first + i);
        luaL_addvalue(&b);
    }
    if (why) {
        luaL_addstring(&b, "\n> ");
        lua_pushvalue(L, first - 1);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    script_note(L, NOTE_ASK, lua_tostring(L, -1));
    return script_return(L, 0);
}

void check_view_name(lua_State *L, int idx, const char *who)
{
    static const char *const names[] = {
#define VIEW_NAME_(name) name,
        VIEW_NAMES(VIEW_NAME_)
#undef VIEW_NAME_
    };
    const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name && !strcmp(name, names[i])) {
            luaL_pushresult(&b);
            lua_pop(L, 1);
            return;
        }
        luaL_addstring(&b, i ? ", \"" : "\"");
        luaL_addstring(&b, names[i]);
        luaL_addstring(&b, "\"");
    }
    luaL_pushresult(&b);
    luaL_error(L, "%s: there is no such view; there are %s", who, lua_tostring(L, -1));
}

/* What is to be seen from here on. */
static int view(lua_State *L)
{
    check_view_name(L, 1, "view");
    script_note(L, NOTE_VIEW, lua_tostring(L, 1));
    return script_return(L, 0);
}

void open_notes(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"ask", ask},     {"expect", expect}, {"expect_eq", expect_eq},
        {"predict", ask}, {"print", print},   {"say", say},
        {"title", title}, {"view", view},     {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
