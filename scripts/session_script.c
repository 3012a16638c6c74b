/* A session's script: loading its file, reading the lesson's table, and what an error
 * says.
 *
 * Everything that may run out of Lua's memory runs protected: outside of a protected call
 * Lua would end the program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_hw.h"
#include "script.h"

enum { LOAD_STEPS = 50000000 };

static const char co_key; /* its address is the registry's key of the coroutine */

static struct session *session_of(lua_State *L) { return script_of(L)->session; }

/* ---- errors ---- */

const char *script_error_without_own_place(const char *message)
{
    static const char own[] = "mmscope:"; /* SANDBOX_OWN_CHUNK */
    if (strncmp(message, own, sizeof own - 1) != 0) {
        return NULL;
    }
    const char *digits = message + sizeof own - 1;
    size_t n = strspn(digits, "0123456789");
    return n && strncmp(digits + n, ": ", 2) == 0 ? digits + n + 2 : NULL;
}

static int describe_error(lua_State *L)
{
    struct session *s = session_of(L);
    lua_State *co = lua_touserdata(L, 1);
    struct script *sc = script_of(L);
    const char *message;
    if (sc->sandbox.broken && sc->sandbox.why_broken[0]) {
        message = sc->sandbox.why_broken;
    } else {
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
        message = sandbox_tostring(L, -1);
    }
    lua_Debug ar;
    int level = 0;
    const char *bare = script_error_without_own_place(message);
    if (bare && sandbox_script_frame(co, &level, &ar)) {
        buffer_printf(&s->error, "%s:%d: %s", ar.short_src, ar.currentline, bare);
    } else {
        buffer_string(&s->error, message);
    }
    level = 0;
    buffer_clear(&sc->scratch);
    if (sandbox_script_frame(co, &level, &ar)) {
        s->error_line = (uint32_t)ar.currentline;
        sandbox_traceback(L, co, 0);
        buffer_printf(&s->error, "\nstack traceback:\n%s", lua_tostring(L, -1));
    }
    locals_text(co, &sc->scratch); /* last: it needs room on a stack that may have none */
    return 0;
}

/* "file:12: message" says a line too, where the stack is gone. */
static uint32_t line_of_message(const char *message)
{
    for (const char *colon = strchr(message, ':'); colon;
         colon = strchr(colon + 1, ':')) {
        size_t digits = strspn(colon + 1, "0123456789");
        if (digits && colon[1 + digits] == ':') {
            return (uint32_t)strtoul(colon + 1, NULL, 10);
        }
    }
    return 0;
}

void session_keep_error(struct session *s, lua_State *co)
{
    struct script *sc = s->script;
    lua_State *L = sc->sandbox.L;
    buffer_clear(&s->error);
    s->error_line = 0;
    sc->sandbox.max_bytes += 1 << 20; /* room for saying that there is no room */
    lua_settop(L, 0);
    lua_pushcfunction(L, describe_error);
    lua_pushlightuserdata(L, co);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK && !s->error.len) {
        buffer_string(&s->error, "an error that cannot be described");
    }
    lua_settop(L, 0);
    if (strncmp(buffer_of(&s->error), "not enough memory", 17) == 0) {
        struct buffer more = {0};
        buffer_printf(&more, "not enough memory: a script may use %d MiB%s",
                      SANDBOX_MAX_BYTES >> 20, buffer_of(&s->error) + 17);
        buffer_free(&s->error);
        s->error = more;
    }
    size_t len = s->error.len;
    while (len && s->error.at[len - 1] == '\n') {
        s->error.at[--len] = 0;
    }
    s->error.len = len;
    if (!s->error_line) {
        s->error_line = line_of_message(buffer_of(&s->error));
    }
}

/* ---- the machine's table ---- */

/* A value as config_set wants it, pushed: { DMA = 256 } is DMA:256, { "a", "b" } is a,b.
 */
static const char *setting_text(lua_State *L, int idx, const char *name)
{
    idx = lua_absindex(L, idx);
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        return lua_pushstring(L, lua_toboolean(L, idx) ? "true" : "false");
    case LUA_TNUMBER: {
        int whole; /* 160 * 2^20 is a float with the value of an integer */
        lua_Integer i = lua_tointegerx(L, idx, &whole);
        if (whole) {
            lua_pushinteger(L, i);
            return lua_tostring(L, -1);
        }
    } /* fall through */
    case LUA_TSTRING:
        lua_pushvalue(L, idx);
        return lua_tostring(L, -1);
    case LUA_TTABLE:
        break;
    default:
        luaL_error(L, "machine: %s should be a text or a number, but is a %s", name,
                   luaL_typename(L, idx));
    }
    lua_pushliteral(L, "");
    lua_getglobal(L, "pairs");
    lua_pushvalue(L, idx);
    lua_call(L, 1, 3);
    while (true) { /* text, iterator, table, control */
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 2);
        if (lua_isnil(L, -2)) {
            break;
        }
        bool array = lua_isinteger(L, -2);
        const char *before = lua_tostring(L, -6);
        if (array) {
            lua_pushfstring(L, "%s%s%s", before, *before ? "," : "",
                            luaL_tolstring(L, -1, NULL));
        } else {
            const char *key = luaL_checkstring(L, -2),
                       *value = luaL_tolstring(L, -1, NULL);
            lua_pushfstring(L, "%s%s%s:%s", before, *before ? "," : "", key, value);
        }
        lua_replace(L, -8);
        lua_pop(L, 2);
        lua_replace(L, -2); /* the key is the next control */
    }
    lua_pop(L, 5);
    return lua_tostring(L, -1);
}

static void set_option(lua_State *L, struct machine_config *c, const char *name,
                       const char *value)
{
    char err[256];
    if (!config_set(c, name, value, err, sizeof err)) {
        luaL_error(L, "machine: %s", err);
    }
}

/* The architecture decides the other options' defaults: --set arch, else the script's,
 * else i386. */
static void init_config(lua_State *L, struct session *s, int machine)
{
    struct machine_config arch;
    config_init(&arch, ARCH_I386);
    if (machine && lua_getfield(L, machine, "arch") != LUA_TNIL) {
        set_option(L, &arch, "arch", setting_text(L, -1, "arch"));
    }
    for (const char *const *set = s->settings; set && *set; set++) {
        if (strncmp(*set, "arch=", 5) == 0) {
            set_option(L, &arch, "arch", *set + 5);
        }
    }
    config_init(&s->config, arch.arch);
}

static void refuse_unknown_options(lua_State *L, int machine)
{
    lua_pushnil(L);
    while (lua_next(L, machine)) {
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        const struct config_option *o;
        bool known = key && strcmp(key, "cpu") == 0;
        for (size_t i = 0; key && (o = config_options(i)) != NULL; i++) {
            known |= strcmp(o->name, key) == 0;
        }
        if (!known) {
            luaL_error(
                L, "machine: there is no option %s (`mmscope show machine` lists them)",
                key ? key : sandbox_tostring(L, -1));
        }
    }
}

/* machine = { cpu = { l1d = { size = "32K", ways = 8 }, cost = "nehalem" } }: the
 * processor's options in a table of their own. */
static void read_cpu(lua_State *L, struct session *s, int machine)
{
    const struct config_option *o;
    if (lua_getfield(L, machine, "cpu") != LUA_TNIL) {
        const int cpu = lua_gettop(L);
        if (!lua_istable(L, cpu)) {
            luaL_error(L, "machine: cpu should be a table, as in cpu = { l1d = { size = "
                          "\"32K\", ways = 8 } }; cpus is how many there are");
        }
        for (lua_pushnil(L); lua_next(L, cpu); lua_pop(L, 1)) {
            const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
            if (!hw_option_known(key)) {
                luaL_error(L,
                           "machine: cpu has no option %s (`mmscope show machine` "
                           "lists them: l1i to gbpages)",
                           key);
            }
        }
        for (size_t i = 0; (o = hw_option(i)) != NULL; i++) {
            if (lua_getfield(L, cpu, o->name) != LUA_TNIL) {
                set_option(L, &s->config, o->name, setting_text(L, -1, o->name));
            }
            lua_settop(L, cpu);
        }
    }
    lua_settop(L, machine);
}

static void read_machine(lua_State *L, struct session *s, int lesson)
{
    int machine = 0;
    if (lua_getfield(L, lesson, "machine") != LUA_TNIL) {
        machine = lua_gettop(L);
        if (!lua_istable(L, machine)) {
            luaL_error(L, "lesson: machine should be a table, as in machine = { arch = "
                          "\"i386\", ram = \"160M\" }");
        }
        refuse_unknown_options(L, machine);
    }
    init_config(L, s, machine);
    const struct config_option *o;
    for (size_t i = 0; machine && (o = config_options(i)) != NULL; i++) {
        if (strcmp(o->name, "arch") != 0 &&
            lua_getfield(L, machine, o->name) != LUA_TNIL) {
            set_option(L, &s->config, o->name, setting_text(L, -1, o->name));
        }
        lua_settop(L, machine);
    }
    if (machine) {
        read_cpu(L, s, machine);
    }
    if (!machine) {
        set_option(L, &s->config, "ram", "160M");
        if (s->config.arch != ARCH_X86_64) {
            set_option(L, &s->config, "highmem", "80M");
        }
        set_option(L, &s->config, "cpus", "2");
    }
    if (lua_getfield(L, lesson, "seed") != LUA_TNIL) {
        set_option(L, &s->config, "seed", setting_text(L, -1, "seed"));
    }
    lua_settop(L, lesson);
}

/* A text of the lesson's table; NULL when it is not there. */
static char *lesson_text(lua_State *L, int lesson, const char *name)
{
    char *copy = NULL;
    if (lua_getfield(L, lesson, name) != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            luaL_error(L, "lesson: %s should be a text, but is a %s", name,
                       luaL_typename(L, -1));
        }
        copy = buffer_copy_string(lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    return copy;
}

/* ---- loading ---- */

/* The text behind what Lua does not read: a byte order mark, and the #! line, whose end
 * stays so that lines keep their numbers. */
static size_t skip_head(const char *text, size_t size)
{
    size_t at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (at < size && text[at] == '#') {
        const char *newline = memchr(text + at, '\n', size - at);
        at = newline ? (size_t)(newline - text) : size;
    }
    return at;
}

static int start_chunk(lua_State *L)
{
    struct session *s = session_of(L);
    lua_State *co = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &co_key);
    s->script->co = co;
    const char *name = lua_pushfstring(L, "@%s", s->name);
    size_t head = skip_head(s->text, s->text_size);
    if (s->text_size > head && s->text[head] == LUA_SIGNATURE[0]) {
        return luaL_error(L, "%s: is compiled Lua: give the Lua text", s->name);
    }
    if (sandbox_load(L, s->text + head, s->text_size - head, name) != LUA_OK) {
        return lua_error(L);
    }
    lua_xmove(L, co, 1);
    return 0;
}

/* The chunk has returned: what it returned is on co. Leaves run() there, ready to be
 * resumed. */
static int take_lesson(lua_State *L)
{
    struct session *s = session_of(L);
    lua_State *co = s->script->co;
    lua_settop(L, 0);
    lua_settop(co, 1);
    lua_xmove(co, L, 1);
    if (!lua_istable(L, 1)) {
        return luaL_error(
            L,
            "%s: should end with return lesson { title = ..., run = function() ... end }",
            s->name);
    }
    if (lua_getmetatable(L, 1)) {
        return luaL_error(L, "%s: the lesson's table must not have a metatable", s->name);
    }
    free(s->title);
    free(s->summary);
    free(s->view);
    s->title = s->summary = s->view = NULL;
    s->title = lesson_text(L, 1, "title");
    s->summary = lesson_text(L, 1, "summary");
    if (lua_getfield(L, 1, "view") != LUA_TNIL) {
        check_view_name(L, -1, "view");
        s->view = lesson_text(L, 1, "view");
    }
    lua_pop(L, 1);
    read_machine(L, s, 1);
    if (lua_getfield(L, 1, "run") != LUA_TFUNCTION) {
        return luaL_error(L, "%s: the lesson has no run = function() ... end", s->name);
    }
    lua_State *fresh = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &co_key);
    s->script->co = fresh;
    lua_xmove(L, fresh, 1);
    return 0;
}

/* machine{ ... } in a file that is no lesson. The first run of the main chunk ends there:
 * the machine can be made now. Then the file is run from its beginning, as a lesson's
 * run() is, and this call does nothing. */
static const char flat_key;

int script_call_machine(lua_State *L)
{
    struct session *s = session_of(L);
    struct script *sc = s->script;
    if (!lua_istable(L, 2)) {
        return luaL_error(L, "machine{ ... } needs a table, but has %s",
                          luaL_typename(L, 2));
    }
    if (sc && sc->flat && !sc->console) {
        return 0;
    }
    if (!sc || sc->console || sc->may_operate) {
        return luaL_error(L, "the machine is there already: machine{ ... } stands at a "
                             "file's beginning, or in its lesson as machine = { ... }");
    }
    lua_newtable(L);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "machine");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &flat_key);
    return luaL_error(L, "machine{ ... }");
}

static int take_flat_machine(lua_State *L)
{
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &flat_key);
    read_machine(L, session_of(L), 1);
    return 0;
}

static bool has_flat_machine(lua_State *L)
{
    const bool has = lua_rawgetp(L, LUA_REGISTRYINDEX, &flat_key) == LUA_TTABLE;
    lua_pop(L, 1);
    return has;
}

/* A protected call of a C function without arguments; false: s->error holds the message.
 */
static bool call_protected(struct session *s, lua_CFunction f)
{
    lua_State *L = s->script->sandbox.L;
    lua_settop(L, 0);
    lua_pushcfunction(L, f);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
        return true;
    }
    buffer_clear(&s->error);
    buffer_string(&s->error,
                  lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error that is no text");
    s->error_line = line_of_message(buffer_of(&s->error));
    lua_settop(L, 0);
    return false;
}

/* A script of its own for the file, whose chunk is ready to be run. */
static bool open_chunk(struct session *s)
{
    script_destroy(s->script);
    s->script = script_create(s, false);
    if (!s->script) {
        if (!s->error.len) {
            buffer_string(&s->error, "out of memory");
        }
        return false;
    }
    return call_protected(s, start_chunk);
}

/* A file that began with machine{ ... }, from its beginning. */
static bool begin_again(struct session *s)
{
    free(s->title);
    free(s->summary);
    free(s->view);
    s->title = s->summary = s->view = NULL;
    if (!open_chunk(s)) {
        return false;
    }
    s->script->flat = true;
    return true;
}

bool session_load_script(struct session *s)
{
    s->titled = false;
    if (!open_chunk(s)) {
        return false;
    }
    struct script *sc = s->script;
    sc->sandbox.steps = LOAD_STEPS;
    int status = sandbox_resume(&sc->sandbox, sc->co, 0);
    if (status == LUA_YIELD) {
        buffer_clear(&s->error);
        buffer_printf(&s->error, "%s: runs for too long before it returns its lesson",
                      s->name);
        return false;
    }
    if (status != LUA_YIELD && has_flat_machine(sc->sandbox.L)) {
        if (!call_protected(s, take_flat_machine) || !begin_again(s)) {
            return false;
        }
        sc = s->script;
    } else if (status != LUA_OK) {
        session_keep_error(s, sc->co);
        return false;
    } else if (!call_protected(s, take_lesson)) {
        return false;
    }
    char err[256];
    if (!session_setup_config(s, err, sizeof err)) {
        buffer_clear(&s->error);
        buffer_string(&s->error, err);
        return false;
    }
    sc->seed = s->config.seed;
    sandbox_seed(&sc->sandbox, sc->seed);
    sc->may_operate = true;
    return true;
}
