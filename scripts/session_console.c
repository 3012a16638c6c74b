/* The console: lines of Lua that the user types, and what completes them.
 *
 * The console has its own Lua state beside the script's. Names that are not its globals
 * are looked up among the script's locals at the position, which the timeline keeps as
 * text, so that what is shown belongs to the position and not to wherever the script is
 * now.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "describe.h"
#include "expression.h"
#include "script.h"

/* ---- the script's locals as globals ---- */

/* A frame of which nothing but the locals is known: the first ones of a text. */
static struct script_frame innermost(const char *text)
{
    struct script_frame f = {.locals = text};
    const char *end = *text == '#' ? text : strstr(text, "\n#");
    f.locals_len = end ? (size_t)(end - text) : strlen(text);
    return f;
}

/* Those of a frame at the last operation of the script's before operation op (what the
 * user did has none). Whoever asks at each event asks for the same one again, or for the
 * next. */
static struct script_frame locals_before(struct session *s, uint64_t op, uint32_t frame)
{
    const struct timeline *t = s->timeline;
    const uint32_t branch = timeline_position(t).branch;
    const bool known = s->locals_known && s->locals_branch == branch;
    struct op_record r;
    uint64_t at = op;
    if (op && op - 1 == timeline_nr_ops(t, branch)) {
        const char *text = timeline_locals(t, branch, op - 1);
        if (*text) { /* the one that is being done */
            return innermost(text);
        }
    }
    const bool on = known && op >= s->locals_asked;
    while (at > (on ? s->locals_asked : 0) &&
           !(timeline_op(t, branch, at - 1, &r) && r.op.origin == ORIGIN_SCRIPT)) {
        at--;
    }
    at = on && at == s->locals_asked ? s->locals_found : at;
    if (op <= timeline_nr_ops(t, branch)) {
        s->locals_known = true;
        s->locals_branch = branch;
        s->locals_asked = op;
        s->locals_found = at;
    }
    struct script_frame f = innermost("");
    if (at && !frame) {
        f = innermost(timeline_locals(t, branch, at - 1));
    } else if (at) {
        session_frame(s, branch, at - 1, frame, &f);
    }
    return f;
}

/* At the position; inside a condition, at the event that it is tested at. */
static uint64_t ops_here(const struct script *sc)
{
    const struct position at = timeline_position(sc->session->timeline);
    return at.op + (sc->hook_event ? !sc->hook_over : at.event != 0);
}

const char *session_local(struct session *s, uint64_t op, uint32_t frame,
                          const char *name, size_t *len)
{
    const size_t name_len = strlen(name);
    const struct script_frame f = locals_before(s, op, frame);
    for (const char *line = f.locals; name_len && line < f.locals + f.locals_len;) {
        const char *end = line + strcspn(line, "\n");
        if (strncmp(line, name, name_len) == 0 &&
            strncmp(line + name_len, " = ", 3) == 0) {
            const char *value = line + name_len + 3;
            *len = (size_t)(end - value);
            return value;
        }
        line = *end ? end + 1 : end;
    }
    return NULL;
}

/* Push what a line "name = value" says: texts and tables as their constructors, and what
 * cannot be made again as its text. */
static void push_parsed(lua_State *L, const char *value, size_t len)
{
    const char *text = lua_pushlstring(L, value, len);
    if (strncmp(text, "page 0x", 7) == 0) {
        push_page(L, strtoull(text + 5, NULL, 16));
        return;
    }
    if (strncmp(text, "zone ", 5) == 0) {
        lua_getglobal(L, "zone");
        lua_pushstring(L, text + 5);
        lua_call(L, 1, 1);
        return;
    }
    size_t size;
    const char *chunk =
        (lua_pushfstring(L, "return %s", text), lua_tolstring(L, -1, &size));
    bool constant = !strpbrk(text, "(#") && strncmp(text, "return ", 7) != 0;
    if (!constant || sandbox_load(L, chunk, size, "=local") != LUA_OK ||
        lua_pcall(L, 0, 1, 0) != LUA_OK) {
        lua_pushlstring(L, value, len);
    }
}

/* Inside a condition: a field of the event, or all of it as ev. */
static bool push_event_field(lua_State *L, const char *name)
{
    const struct script *sc = script_of(L);
    const struct event *ev = sc->hook_event;
    const struct event_info *info = ev ? event_info(ev->kind) : NULL;
    char field[32], type[32];
    if (!info) {
        return false;
    }
    if (!strcmp(name, "ev")) {
        push_event(L, sc->hook_machine, ev);
        return true;
    }
    for (uint32_t i = 0; i < PROBE_ARGS && arg_describe(info->args, i, field, type);
         i++) {
        if (!strcmp(field, name)) {
            push_typed(L, sc->hook_machine, type, ev->arg[i]);
            return true;
        }
    }
    return false;
}

static int find_local(lua_State *L)
{
    struct script *sc = script_of(L);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    size_t len;
    if (push_event_field(L, name)) {
        return 1;
    }
    /* a condition at an event asks where the event is, not where somebody looks */
    const uint32_t frame = sc->looking && sc->hook_event ? 0 : sc->session->frame;
    const char *value = session_local(sc->session, ops_here(sc), frame, name, &len);
    if (value) {
        push_parsed(L, value, len);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* ---- help ---- */

static void print_entry(struct buffer *out, const struct api_entry *e)
{
    char call[200];
    api_signature(call, sizeof call, e);
    buffer_printf(out, "%s\n    %s\n", call, e->help);
}

static int help(lua_State *L)
{
    struct buffer *out = &script_of(L)->out;
    if (lua_gettop(L) == 0) {
        const struct api_entry *e;
        const char *group = "";
        for (size_t i = 0; (e = session_api(i)) != NULL; i++) {
            bool new_group = strcmp(group, e->group) != 0;
            buffer_printf(out, "%s%s%s%s", new_group ? (i ? "\n" : "") : " ",
                          new_group ? e->group : "", new_group ? ": " : "", e->name);
            group = e->group;
        }
        buffer_string(out, "\nhelp \"name\" explains one\n");
        return 0;
    }
    const char *name = luaL_checkstring(L, 1);
    const struct api_entry *e = session_api_find(name);
    if (!e) {
        return luaL_error(L, "help: there is no '%s'; help() lists what there is", name);
    }
    print_entry(out, e);
    return 0;
}

/* ---- running a line ---- */

static int open_console(lua_State *L)
{
    lua_pushcfunction(L, help);
    lua_setglobal(L, "help");
    lua_pushglobaltable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, find_local);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    expression_open(L);
    return 0;
}

struct script *session_console_state(struct session *s)
{
    if (!s->console) {
        s->console = script_create(s, true);
        if (!s->console) {
            return NULL;
        }
        s->console->may_operate = true;
        lua_State *L = s->console->sandbox.L;
        lua_pushcfunction(L, open_console);
        if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
            script_destroy(s->console);
            s->console = NULL;
        }
    }
    return s->console;
}

/* "help alloc_pages" is a convenience: help "alloc_pages". Pushes the line. */
static void push_line(lua_State *L, const char *line)
{
    const char *word = line + strspn(line, " \t");
    if (strncmp(word, "help", 4) == 0) {
        word += 4;
        size_t blank = strspn(word, " \t"), len = strcspn(word + blank, " \t\r\n");
        const char *name = word + blank;
        if (!len && !*name) {
            lua_pushliteral(L, "help()");
            return;
        }
        if (blank && len && !name[len + strspn(name + len, " \t\r\n")] && *name != '"' &&
            *name != '\'' && *name != '(') {
            lua_pushlstring(L, name, len);
            lua_pushfstring(L, "help [=[%s]=]", lua_tostring(L, -1));
            return;
        }
    }
    lua_pushstring(L, line);
}

/* Argument: the line as light userdata. Answers a new coroutine that holds the chunk. */
static int start_line(lua_State *L)
{
    const char *line = lua_touserdata(L, 1);
    push_line(L, line);
    size_t len;
    line = lua_tolstring(L, -1, &len);
    lua_State *co = lua_newthread(L);
    script_of(L)->co = co;
    const char *expression = lua_pushfstring(L, "return %s", line);
    if (sandbox_load(L, expression, strlen(expression), "=console") != LUA_OK) {
        lua_pop(L, 1);
        if (sandbox_load(L, line, len, "=console") != LUA_OK) {
            return lua_error(L);
        }
    }
    lua_xmove(L, co, 1);
    lua_pushvalue(L, -2);
    return 1;
}

/* Argument: the coroutine that has returned its values. */
int console_print_values(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    struct buffer *out = &script_of(L)->out;
    int n = lua_gettop(co);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(co, i);
        lua_xmove(co, L, 1);
        buffer_string(out, i > 1 ? "\t" : "");
        if (lua_istable(L, -1) && luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL) {
            lua_pop(L, 1);
            buffer_string(out, sandbox_tostring(L, -1));
        } else {
            value_text(L, -1, out);
        }
        lua_settop(L, 1);
    }
    buffer_string(out, n ? "\n" : "");
    return 0;
}

int console_error_text(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    struct script *sc = script_of(L);
    if (sc->sandbox.broken) {
        buffer_string(&sc->out, sc->sandbox.why_broken);
        return 0;
    }
    lua_pushvalue(co, -1);
    lua_xmove(co, L, 1);
    const char *message = sandbox_tostring(L, -1),
               *bare = script_error_without_own_place(message);
    buffer_string(&sc->out, bare ? bare : message);
    return 0;
}

static bool take_error(struct script *sc)
{
    lua_State *L = sc->sandbox.L;
    buffer_string(&sc->out,
                  lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error that is no text");
    return false;
}

static bool run_line(struct script *sc, const char *line)
{
    lua_State *L = sc->sandbox.L;
    lua_settop(L, 0);
    lua_pushcfunction(L, start_line);
    lua_pushlightuserdata(L, (void *)(uintptr_t)line);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        return take_error(sc);
    }
    lua_State *co = lua_tothread(L, 1);
    sc->sandbox.broken = false;
    sc->sandbox.steps = CONSOLE_STEPS;
    sc->sandbox.interrupted = sc->session->interrupted;
    sc->sandbox.ctx = sc->session->interrupted_ctx;
    int status = sandbox_resume(&sc->sandbox, co, 0);
    sc->sandbox.interrupted = NULL;
    if (status == LUA_YIELD && sc->sandbox.steps > 0) {
        buffer_string(&sc->out, "stopped\n");
        return false;
    }
    if (status == LUA_YIELD) {
        buffer_printf(&sc->out, "stopped after %d million instructions\n",
                      CONSOLE_STEPS / 1000000);
        return false;
    }
    lua_pushcfunction(L, status == LUA_OK ? console_print_values : console_error_text);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        return take_error(sc);
    }
    return status == LUA_OK;
}

void session_set_interrupted(struct session *s, bool (*interrupted)(void *ctx), void *ctx)
{
    s->interrupted = interrupted;
    s->interrupted_ctx = ctx;
}

bool session_console(struct session *s, const char *line, char **out)
{
    struct script *sc = session_console_state(s);
    if (!sc) {
        *out = buffer_copy_string("out of memory");
        return false;
    }
    buffer_clear(&sc->out);
    sc->hook_event = NULL;
    sc->hook_machine = NULL;
    sc->nr_lines_run++;
    bool good = run_line(sc, line);
    lua_settop(sc->sandbox.L, 0);
    *out = buffer_copy_string(buffer_of(&sc->out));
    return good;
}

/* ---- completion ---- */

struct completing {
    const char *word, *line;
    void (*fn)(void *ctx, const char *word);
    void *ctx;
};

static void offer(const struct completing *c, const char *prefix, size_t prefix_len,
                  const char *name)
{
    char word[160];
    snprintf(word, sizeof word, "%.*s%s", (int)prefix_len, prefix, name);
    if (strncmp(word, c->word, strlen(c->word)) == 0) {
        c->fn(c->ctx, word);
    }
}

static void offer_methods(const struct completing *c, size_t prefix_len)
{
    const struct api_entry *e;
    for (size_t i = 0; (e = session_api(i)) != NULL; i++) {
        const char *colon = strchr(e->name, ':');
        if (colon) {
            offer(c, c->word, prefix_len, colon + 1);
        }
    }
}

/* The string keys of the table on top of the stack, in order; pops nothing. */
static void offer_keys(lua_State *L, const struct completing *c, size_t prefix_len)
{
    lua_getglobal(L, "pairs");
    lua_pushvalue(L, -2);
    lua_call(L, 1, 3);
    while (true) {
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 2);
        if (lua_isnil(L, -2)) {
            break;
        }
        if (lua_type(L, -2) == LUA_TSTRING) {
            offer(c, c->word, prefix_len, lua_tostring(L, -2));
        }
        lua_pop(L, 1);
        lua_replace(L, -2);
    }
    lua_pop(L, 5);
}

static void offer_locals(lua_State *L, const struct completing *c)
{
    char name[160];
    const struct script *sc = script_of(L);
    const struct script_frame f =
        locals_before(sc->session, ops_here(sc), sc->session->frame);
    for (const char *line = f.locals; line && line < f.locals + f.locals_len;) {
        size_t len = strcspn(line, " \n");
        snprintf(name, sizeof name, "%.*s", (int)len, line);
        offer(c, "", 0, name);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
}

static int complete(lua_State *L)
{
    static const char *const keywords[] = {
        "and", "break",    "do",     "else", "elseif", "end",   "false",
        "for", "function", "if",     "in",   "local",  "nil",   "not",
        "or",  "repeat",   "return", "then", "true",   "until", "while"};
    const struct completing *c = lua_touserdata(L, 1);
    const char *mark = strrchr(c->word, ':'), *dot = strrchr(c->word, '.');
    if (mark) {
        offer_methods(c, (size_t)(mark + 1 - c->word));
        return 0;
    }
    if (dot && strncmp(c->word, "zone.", 5) == 0) {
        struct machine *m = script_machine(L);
        for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
            offer(c, "zone.", 5, zone_view(m, z).name);
        }
        return 0;
    }
    lua_pushglobaltable(L);
    if (dot) {
        lua_pushlstring(L, c->word, (size_t)(dot - c->word));
        if (lua_rawget(L, -2) == LUA_TTABLE) {
            offer_keys(L, c, (size_t)(dot + 1 - c->word));
        }
        return 0;
    }
    offer_keys(L, c, 0);
    offer_locals(L, c);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        offer(c, "", 0, keywords[i]);
    }
    return 0;
}

void session_complete(struct session *s, const char *line,
                      void (*fn)(void *ctx, const char *word), void *ctx)
{
    struct script *sc = session_console_state(s);
    if (!sc) {
        return;
    }
    const char *word = line + strlen(line);
    while (word > line && (isalnum((unsigned char)word[-1]) || strchr("_.:", word[-1]))) {
        word--;
    }
    struct completing c = {word, line, fn, ctx};
    lua_State *L = sc->sandbox.L;
    sc->sandbox.steps = CONSOLE_STEPS;
    lua_settop(L, 0);
    lua_pushcfunction(L, complete);
    lua_pushlightuserdata(L, &c);
    lua_pcall(L, 1, 0, 0); /* out of memory: fewer words */
    lua_settop(L, 0);
}
