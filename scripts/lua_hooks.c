/* Event hooks: on("buddy:split", fn) calls fn at each such event of an operation of the
 * same script, and interrupt(fn) inside it lets a hardware interrupt come there.
 *
 * Rules:
 *  - A hook looks; only the function given to interrupt() operates, nested in the
 *    operation under way. Where the CPU has interrupts off, the interrupt waits for the
 *    first event at which they are on again there, in this operation or a later one; it
 *    also comes between two operations.
 *  - What an injected interrupt does calls no hooks.
 *  - say and expect in a hook are written down behind the operation.
 *  - An interrupt's handler returns from the interrupt on every way out.
 *  - No Lua error jumps out of the timeline: a hook's error is kept and raised when the
 *    operation has ended.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "describe.h"
#include "script.h"

/* Their addresses are registry keys. */
static const char hook_functions; /* kind -> array of functions */
static const char waiting;        /* interrupts that wait: function, CPU, function ... */
static const char notes;          /* array of kind, text, kind, text ... */

static void set_kind(struct script *sc, uint16_t kind)
{
    sc->hook_kinds[kind / 64] |= (uint64_t)1 << (kind % 64);
}

static bool has_kind(const struct script *sc, uint16_t kind)
{
    return sc->hook_kinds[kind / 64] >> (kind % 64) & 1;
}

static void registry_table(lua_State *L, const void *key)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    }
}

static void append(lua_State *L, const void *key)
{
    registry_table(L, key);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
}

/* ---- calling hooks ---- */

struct call {
    struct script *sc;
    struct machine *m;
    const struct event *ev;
};

static void issue_irq(lua_State *L, uint16_t kind)
{
    struct op op = {.kind = kind};
    script_issue(L, &op);
}

static int with_traceback(lua_State *L, const char *where)
{
    const char *message = sandbox_tostring(L, 1);
    sandbox_traceback(L, L, 1);
    lua_pushfstring(L, "%s\n%s:\n%s", message, where, lua_tostring(L, -1));
    return 1;
}

static int hook_failed(lua_State *L)
{
    struct script *sc = script_of(L);
    bool traced = sc->traced;
    sc->traced = false;
    return traced ? 1 : with_traceback(L, "in an event hook");
}

/* The hook's own message handler then finds the traceback there. */
static int handler_failed(lua_State *L)
{
    struct script *sc = script_of(L);
    sc->traced = sc->hook_event != NULL;
    return with_traceback(L, sc->traced ? "in an event hook" : "in an interrupt");
}

/* The function on top of the stack as an interrupt handler; pops it. An error in it is
 * raised when the CPU is back from the interrupt. */
static void run_handler(lua_State *L)
{
    struct script *sc = script_of(L);
    sc->in_interrupt = sc->hook_event != NULL;
    issue_irq(L, OP_IRQ_ENTER);
    lua_pushcfunction(L, handler_failed);
    lua_insert(L, -2);
    int status = lua_pcall(L, 0, 0, -2);
    issue_irq(L, OP_IRQ_LEAVE);
    sc->in_interrupt = false;
    if (status != LUA_OK) {
        lua_error(L);
    }
    lua_pop(L, 1);
}

/* Does the CPU take an interrupt here? When an operation is answered from the record: did
 * it then? (It did not if the user has since put an interrupt of his own before it; then
 * ours waits again.) */
static bool deliverable(const struct script *sc, const struct machine *m, uint32_t cpu)
{
    struct op recorded;
    if (!sc->replaying) {
        return machine_irq_deliverable(m, cpu);
    }
    return timeline_peek_nested(sc->session->timeline, &recorded) &&
           recorded.kind == OP_IRQ_ENTER && recorded.origin == ORIGIN_SCRIPT;
}

/* Take the interrupt that waits at place i of the list and push its handler. */
static void take_waiting(lua_State *L, lua_Integer i)
{
    struct script *sc = script_of(L);
    registry_table(L, &waiting);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    lua_rawgeti(L, -1, i);
    lua_rawgeti(L, -2, i + 1);
    sc->nr_pending[lua_tointeger(L, -1)]--;
    lua_pop(L, 1);
    for (; i <= n; i++) {
        lua_rawgeti(L, -2, i + 2);
        lua_rawseti(L, -3, i);
    }
    lua_remove(L, -2);
}

/* The place of the first interrupt that waits for this CPU; 0: none does. */
static lua_Integer find_waiting(lua_State *L, uint32_t cpu)
{
    registry_table(L, &waiting);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1), found = 0;
    for (lua_Integer i = 1; i < n && !found; i += 2) {
        lua_rawgeti(L, -1, i + 1);
        found = (uint32_t)lua_tointeger(L, -1) == cpu ? i : 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

static int call_hooks(lua_State *L)
{
    const struct call *c = lua_touserdata(L, 1);
    struct script *sc = c->sc;
    while (sc->nr_pending[c->ev->cpu] && deliverable(sc, c->m, c->ev->cpu)) {
        take_waiting(L, find_waiting(L, c->ev->cpu));
        run_handler(L);
    }
    if (!has_kind(sc, c->ev->kind)) {
        return 0;
    }
    registry_table(L, &hook_functions);
    lua_rawgeti(L, -1, c->ev->kind);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        push_event(L, c->m, c->ev);
        lua_call(L, 1, 0);
    }
    return 0;
}

/* Is this an event of an interrupt that the user put into the operation? It calls no
 * hooks. */
static bool is_foreign(struct script *sc, const struct event *ev)
{
    if (!sc->replaying || sc->replayed_kind == OP_IRQ_ENTER ||
        sc->replayed_kind == OP_IRQ_LEAVE) {
        return false;
    }
    if (ev->kind == EV_IRQ_ENTRY) {
        sc->foreign++;
    } else if (ev->kind == EV_IRQ_EXIT && sc->foreign) {
        sc->foreign--;
        return true;
    }
    return sc->foreign != 0;
}

static void at_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct script *sc = ctx;
    lua_State *L = sc->issuing;
    if (sc->hook_event || sc->hook_failed || is_foreign(sc, ev)) {
        return;
    }
    bool wanted = has_kind(sc, ev->kind) ||
                  (sc->nr_pending[ev->cpu] && deliverable(sc, m, ev->cpu));
    if (!wanted || !lua_checkstack(L, 8)) {
        return;
    }
    struct call c = {sc, m, ev};
    uint32_t cpu = sc->cpu;
    sc->hook_machine = m;
    sc->hook_event = ev;
    sc->cpu = ev->cpu;
    lua_pushcfunction(L, hook_failed);
    lua_pushcfunction(L, call_hooks);
    lua_pushlightuserdata(L, &c);
    int base = lua_absindex(L, -3);
    if (lua_pcall(L, 1, 0, base) != LUA_OK) {
        sc->hook_failed = true;
        buffer_clear(&sc->hook_error);
        buffer_string(&sc->hook_error, lua_isstring(L, -1) ? lua_tostring(L, -1)
                                                           : "an error in an event hook");
    }
    lua_settop(L, base - 1);
    sc->in_interrupt = false;
    sc->hook_machine = NULL;
    sc->hook_event = NULL;
    sc->cpu = cpu;
}

void hooks_arm(struct script *sc)
{
    if (sc->nr_hooks && sc->issuing && !sc->settling) {
        /* All kinds: an interrupt that waits may be let in at any event. */
        timeline_set_live_hook(sc->session->timeline, at_event, sc, NULL);
    }
}

void hooks_disarm(struct script *sc)
{
    if (sc->nr_hooks) {
        timeline_set_live_hook(sc->session->timeline, NULL, NULL, NULL);
    }
}

uint64_t hook_nested(lua_State *L, const struct op *op)
{
    struct script *sc = script_of(L);
    if (!sc->in_interrupt) {
        luaL_error(L,
                   "%s: a hook only looks; to operate there, let an interrupt come: "
                   "interrupt(function() ... end)",
                   op_info(op->kind)->name);
    }
    struct timeline *t = sc->session->timeline;
    struct op recorded;
    if (sc->replaying &&
        !(timeline_peek_nested(t, &recorded) && script_same_op(&recorded, op))) {
        sandbox_break(L, "this is a bug of mmscope: run again, the script does something "
                         "else in an interrupt "
                         "than before");
    }
    return timeline_do_nested(t, op);
}

/* ---- after the operation ---- */

static void write_notes(lua_State *L)
{
    registry_table(L, &notes);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    if (n) {
        lua_newtable(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &notes);
    }
    for (lua_Integer i = 1; i < n; i += 2) {
        lua_rawgeti(L, -1, i);
        lua_rawgeti(L, -2, i + 1);
        script_note(L, (enum note_kind)lua_tointeger(L, -2), lua_tostring(L, -1));
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* The machine right behind the script's last operation, also when this was answered from
 * the record: what the user has done after it does not count. */
static const struct machine *machine_behind(const struct script *sc)
{
    struct timeline *t = sc->session->timeline;
    struct position now = timeline_position(t);
    if (!sc->console && (now.op != sc->cursor || now.event)) {
        timeline_seek(t, (struct position){now.branch, sc->cursor, 0});
    }
    return timeline_machine(t);
}

/* Interrupts that wait come between two operations too, where their CPU takes them. */
static int deliver_waiting(lua_State *L)
{
    struct script *sc = script_of(L);
    const uint32_t cpu = sc->cpu, nr_cpus = machine_nr_cpus(machine_behind(sc));
    for (uint32_t c = 0; c < nr_cpus; c++) {
        while (sc->nr_pending[c] && machine_irq_deliverable(machine_behind(sc), c)) {
            take_waiting(L, find_waiting(L, c));
            sc->cpu = c;
            run_handler(L);
        }
    }
    sc->cpu = cpu;
    return 0;
}

static bool any_waits(const struct script *sc)
{
    for (uint32_t c = 0; c < MAX_CPUS; c++) {
        if (sc->nr_pending[c]) {
            return true;
        }
    }
    return false;
}

void hooks_settle(lua_State *L)
{
    struct script *sc = script_of(L);
    if (!sc->nr_hooks || sc->settling) {
        return;
    }
    luaL_checkstack(L, 8, NULL);
    bool fresh = sc->fresh;
    uint32_t cpu = sc->cpu;
    int status = LUA_OK;
    sc->settling = true;
    if (sc->hook_failed) {
        sc->hook_failed = false;
        lua_pushstring(L, buffer_of(&sc->hook_error));
        status = LUA_ERRRUN;
    } else if (any_waits(sc)) {
        lua_pushcfunction(L, deliver_waiting);
        status = lua_pcall(L, 0, 0, 0);
        sc->cpu = cpu;
    }
    write_notes(L);
    sc->settling = false;
    sc->fresh |= fresh;
    if (status != LUA_OK) {
        lua_error(L);
    }
}

bool hook_defers_note(lua_State *L, enum note_kind kind, const char *text)
{
    if (!script_of(L)->hook_event) {
        return false;
    }
    lua_pushinteger(L, kind);
    append(L, &notes);
    lua_pushstring(L, text);
    append(L, &notes);
    return true;
}

void hooks_replay(lua_State *L, uint32_t branch, uint64_t op)
{
    struct script *sc = script_of(L);
    if (!sc->nr_hooks || sc->settling) {
        return;
    }
    struct timeline *t = sc->session->timeline;
    struct op_record r;
    timeline_op(t, branch, op, &r);
    sc->replaying = true;
    sc->replayed_kind = r.op.kind;
    sc->foreign = 0;
    timeline_events(t, branch, op, at_event, sc);
    sc->replaying = false;
}

/* ---- what scripts call ---- */

/* on(name, fn): name is an event, "subsystem:*" or "*". */
static int on(lua_State *L)
{
    struct script *sc = script_of(L);
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    bool star = len && name[len - 1] == '*', some = false;
    uint16_t exact = star ? 0 : check_event_kind(L, 1, "on");
    registry_table(L, &hook_functions);
    for (uint16_t kind = 1; kind < NR_EVENTS; kind++) {
        bool is =
            star ? strncmp(event_info(kind)->name, name, len - 1) == 0 : kind == exact;
        if (!is) {
            continue;
        }
        some = true;
        set_kind(sc, kind);
        if (lua_rawgeti(L, -1, kind) != LUA_TTABLE) {
            lua_pop(L, 1);
            lua_newtable(L);
            lua_pushvalue(L, -1);
            lua_rawseti(L, -3, kind);
        }
        lua_pushvalue(L, 2);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        lua_pop(L, 1);
    }
    if (!some) {
        return luaL_error(
            L, "on: no event is called '%s' (`mmscope show events` lists them)", name);
    }
    sc->nr_hooks++;
    return 0;
}

/* off(name): no hooks at this event any more; off(): none at all. */
static int off(lua_State *L)
{
    struct script *sc = script_of(L);
    if (sc->hook_event) {
        return luaL_error(L, "off: not inside a hook");
    }
    uint16_t only = lua_isnoneornil(L, 1) ? 0 : check_event_kind(L, 1, "off");
    registry_table(L, &hook_functions);
    for (uint16_t kind = 1; kind < NR_EVENTS; kind++) {
        if (!only || kind == only) {
            sc->hook_kinds[kind / 64] &= ~((uint64_t)1 << (kind % 64));
            lua_pushnil(L);
            lua_rawseti(L, -2, kind);
        }
    }
    return 0;
}

/* interrupt(fn): inside a hook. Answers whether the interrupt came at once. */
static int interrupt(lua_State *L)
{
    struct script *sc = script_of(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!sc->hook_event) {
        return luaL_error(L, "interrupt: there is no operation to interrupt: call it "
                             "inside on(event, fn), or write "
                             "in_irq(fn)");
    }
    if (sc->in_interrupt) {
        return luaL_error(L, "interrupt: we are in an interrupt already");
    }
    lua_settop(L, 1);
    if (deliverable(sc, sc->hook_machine, sc->hook_event->cpu)) {
        run_handler(L);
        lua_pushboolean(L, 1);
        return 1;
    }
    append(L, &waiting);
    lua_pushinteger(L, sc->hook_event->cpu);
    append(L, &waiting);
    sc->nr_pending[sc->hook_event->cpu]++;
    lua_pushboolean(L, 0);
    return 1;
}

void open_hooks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"interrupt", interrupt}, {"off", off}, {"on", on}, {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
