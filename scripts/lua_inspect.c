/* Everything of engine/inspect.h as scripts read it: machine, zones, per-CPU lists, CPUs,
 * counters, /proc.
 *
 * Zone objects are numbers of zones: what they answer is read from the machine at that
 * moment.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "script.h"
#include "slab_view.h"
#include "vm.h"

static const char type_name[] = "zone";
static const char *const zone_type_names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal",
                                                          "HighMem", "Movable"};

/* ---- zones ---- */

static void push_zone(lua_State *L, uint32_t zone)
{
    uint32_t *z = lua_newuserdatauv(L, sizeof *z, 0);
    *z = zone;
    luaL_setmetatable(L, type_name);
}

static void no_zone(lua_State *L, const char *who, const char *name)
{
    struct machine *m = script_machine(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        luaL_addstring(&b, z ? ", " : "");
        luaL_addstring(&b, zone_view(m, z).name);
    }
    luaL_pushresult(&b);
    luaL_error(L, "%s: there is no zone %s: this machine has %s", who, name,
               lua_tostring(L, -1));
}

uint32_t check_zone(lua_State *L, int idx, const char *who)
{
    struct machine *m = script_machine(L);
    const uint32_t *z = luaL_testudata(L, idx, type_name);
    uint64_t p;
    if (z && *z < machine_nr_zones(m)) {
        return *z;
    }
    if (lua_type(L, idx) == LUA_TSTRING) {
        uint32_t by_name = zone_by_name(m, lua_tostring(L, idx));
        if (by_name == UINT32_MAX) {
            no_zone(L, who, lua_tostring(L, idx));
        }
        return by_name;
    }
    if (to_page(L, idx, &p)) {
        uint32_t of_page = zone_of_pfn(m, pfn(p));
        if (of_page >= machine_nr_zones(m)) {
            luaL_error(L, "%s: this page lies in no zone", who);
        }
        return of_page;
    }
    if (lua_isinteger(L, idx) && lua_tointeger(L, idx) >= 0 &&
        lua_tointeger(L, idx) < machine_nr_zones(m)) {
        return (uint32_t)lua_tointeger(L, idx);
    }
    no_zone(L, who, sandbox_tostring(L, idx));
    return 0;
}

static void push_reserves(lua_State *L, const struct zone_view *v)
{
    lua_createtable(L, 0, MAX_NR_ZONES);
    for (int i = 0; i < MAX_NR_ZONES; i++) {
        set_int(L, zone_type_names[i], v->lowmem_reserve[i]);
    }
}

static bool push_zone_field(lua_State *L, const struct zone_view *v, const char *field)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"start_pfn", v->start_pfn},
        {"spanned", v->spanned},
        {"present", v->present},
        {"managed", v->managed},
        {"min", v->wmark_min},
        {"low", v->wmark_low},
        {"high", v->wmark_high},
        {"boost", v->wmark_boost},
        {"free", v->free},
        {"highatomic", v->highatomic},
        {"pcp_pages", v->pcp_pages},
        {"pageset_high", v->pageset_high},
        {"flags", v->flags},
        {"pageset_batch", v->pageset_batch},
        {"end_pfn", v->start_pfn + v->spanned},
    };
    if (strcmp(field, "name") == 0) {
        lua_pushstring(L, v->name);
        return true;
    }
    if (strcmp(field, "lowmem_reserve") == 0) {
        push_reserves(L, v);
        return true;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(field, numbers[i].name) == 0) {
            lua_pushinteger(L, (lua_Integer)numbers[i].value);
            return true;
        }
    }
    return false;
}

/* zone.field reads it from the machine; the methods are in upvalue 1. */
static int zone_index(lua_State *L)
{
    const uint32_t *z = luaL_checkudata(L, 1, type_name);
    const char *field = luaL_checkstring(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    struct zone_view v = zone_view(script_machine(L), *z);
    if (strcmp(field, "index") == 0) {
        lua_pushinteger(L, *z);
        return 1;
    }
    if (!push_zone_field(L, &v, field)) {
        return luaL_error(L, "a zone has no field '%s' (help \"zone\" lists them)",
                          field);
    }
    return 1;
}

static int zone_tostring(lua_State *L)
{
    const uint32_t *z = luaL_checkudata(L, 1, type_name);
    lua_pushfstring(L, "zone %s", zone_view(script_machine(L), *z).name);
    return 1;
}

static int zone_equal(lua_State *L)
{
    const uint32_t *a = luaL_testudata(L, 1, type_name),
                   *b = luaL_testudata(L, 2, type_name);
    lua_pushboolean(L, a && b && *a == *b);
    return 1;
}

static int zone_order(lua_State *L)
{
    lua_pushinteger(L, *(const uint32_t *)luaL_checkudata(L, 1, type_name));
    return 1;
}

static int zone_nr_free(lua_State *L)
{
    uint32_t z = check_zone(L, 1, "zone:nr_free"),
             order = check_order(L, 2, "zone:nr_free");
    struct machine *m = script_machine(L);
    uint64_t n =
        lua_isnoneornil(L, 3)
            ? free_area_count(m, z, order)
            : freelist_count(m, z, order,
                             (enum migratetype)check_migratetype(L, 3, "zone:nr_free"));
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* Pushes a chain of pages as an array, at most `most` of them. */
static int push_chain(lua_State *L, const struct machine *m, pfn_t p,
                      pfn_t (*next)(const struct machine *, pfn_t), uint64_t most)
{
    lua_newtable(L);
    for (lua_Integer i = 1; !pfn_is_none(p) && (uint64_t)i <= most; i++, p = next(m, p)) {
        push_page(L, p.v);
        lua_rawseti(L, -2, i);
        sandbox_charge(sandbox_of(L), 10);
    }
    return 1;
}

static uint64_t check_most(lua_State *L, int idx, const char *who)
{
    return lua_isnoneornil(L, idx) ? UINT64_MAX
                                   : check_count(L, idx, who, "the number of pages");
}

static int zone_freelist(lua_State *L)
{
    static const char who[] = "zone:freelist";
    uint32_t z = check_zone(L, 1, who), order = check_order(L, 2, who);
    enum migratetype mt = (enum migratetype)check_migratetype(L, 3, who);
    struct machine *m = script_machine(L);
    return push_chain(L, m, freelist_first(m, z, order, mt), freelist_next,
                      check_most(L, 4, who));
}

static int zone_pcp(lua_State *L)
{
    uint32_t z = check_zone(L, 1, "zone:pcp");
    uint32_t cpu =
        lua_isnoneornil(L, 2) ? script_of(L)->cpu : check_cpu(L, 2, "zone:pcp");
    struct pcp_view v = pcp_view(script_machine(L), z, cpu);
    lua_createtable(L, 0, 8);
    set_int(L, "count", v.count);
    set_int(L, "high", v.high);
    set_int(L, "batch", v.batch);
    set_int(L, "free_factor", v.free_factor);
    set_int(L, "free_diff", (uint64_t)(int64_t)v.free_diff);
    set_int(L, "threshold", (uint64_t)(int64_t)v.stat_threshold);
    set_bool(L, "locked", v.locked);
    return 1;
}

static uint32_t check_pcp_list(lua_State *L, const char *who, uint32_t *z, uint32_t *cpu)
{
    *z = check_zone(L, 1, who);
    *cpu = check_cpu(L, 2, who);
    uint32_t order = check_order(L, 3, who), mt = check_migratetype(L, 4, who);
    if (order > PAGE_ALLOC_COSTLY_ORDER || mt >= MIGRATE_PCPTYPES) {
        luaL_error(L,
                   "%s: per-CPU lists are of orders 0 to %d and of Unmovable, Movable "
                   "and Reclaimable",
                   who, PAGE_ALLOC_COSTLY_ORDER);
    }
    return order * MIGRATE_PCPTYPES + mt;
}

static int zone_pcp_list(lua_State *L)
{
    uint32_t z, cpu, list = check_pcp_list(L, "zone:pcp_list", &z, &cpu);
    struct machine *m = script_machine(L);
    return push_chain(L, m, pcp_list_first(m, z, cpu, list), pcp_list_next, UINT64_MAX);
}

static int zone_pcp_count(lua_State *L)
{
    uint32_t z, cpu, list = check_pcp_list(L, "zone:pcp_count", &z, &cpu);
    lua_pushinteger(L, pcp_list_count(script_machine(L), z, cpu, list));
    return 1;
}

static int zone_contains(lua_State *L)
{
    uint32_t z = check_zone(L, 1, "zone:contains");
    uint64_t p = check_pfn(L, 2, "zone:contains");
    lua_pushboolean(L, zone_of_pfn(script_machine(L), pfn(p)) == z);
    return 1;
}

/* zone("Normal"), zone(page), zone.Normal */
static int zone_call(lua_State *L)
{
    push_zone(L, check_zone(L, 2, "zone"));
    return 1;
}

static int has_zone(lua_State *L)
{
    lua_pushboolean(L, zone_by_name(script_machine(L), luaL_checkstring(L, 1)) !=
                           UINT32_MAX);
    return 1;
}

static int zones(lua_State *L)
{
    uint32_t n = machine_nr_zones(script_machine(L));
    lua_createtable(L, (int)n, 0);
    for (uint32_t z = 0; z < n; z++) {
        push_zone(L, z);
        lua_rawseti(L, -2, (lua_Integer)z + 1);
    }
    return 1;
}

/* ---- the machine ---- */

static int machine_index(lua_State *L)
{
    const char *field = luaL_checkstring(L, 2);
    struct machine *m = script_machine(L);
    char text[32];
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"ram", m->config.ram_bytes},
        {"highmem", m->config.highmem_bytes == UINT64_MAX ? 0 : m->config.highmem_bytes},
        {"cpus", m->config.cpus},
        {"max_order", m->config.max_order},
        {"pageblock_order", machine_pageblock_order(m)},
        {"max_pfn", machine_max_pfn(m)},
        {"nr_ops", machine_nr_ops(m)},
        {"totalreserve_pages", machine_totalreserve_pages(m)},
        {"min_free_kbytes", machine_min_free_kbytes(m)},
        {"seed", m->config.seed},
        {"page_size", PAGE_SIZE},
        {"page_offset", m->vm->kspace.page_offset},
    };
    if (strcmp(field, "arch") == 0) {
        static const char *const names[] = {"i386", "i386pae", "x86_64"};
        lua_pushstring(L, names[m->config.arch]);
        return 1;
    }
    if (strcmp(field, "pcp_cold") == 0 || strcmp(field, "slub") == 0) {
        lua_pushboolean(L, field[0] == 'p' ? m->config.pcp_cold : m->config.slub);
        return 1;
    }
    if (strcmp(field, "digest") == 0) {
        snprintf(text, sizeof text, "%016" PRIx64, machine_digest(m));
        lua_pushstring(L, text);
        return 1;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(field, numbers[i].name) == 0) {
            lua_pushinteger(L, (lua_Integer)numbers[i].value);
            return 1;
        }
    }
    return luaL_error(L, "machine has no field '%s' (help \"machine\" lists them)",
                      field);
}

static int read_only(lua_State *L)
{
    return luaL_error(L, "looking never changes anything: this cannot be set");
}

static int check(lua_State *L)
{
    const char *broken = machine_check(script_machine(L));
    lua_pushstring(L, broken);
    return 1;
}

/* ---- CPUs ---- */

static int cpu(lua_State *L)
{
    static const char *const contexts[] = {"process", "softirq", "hardirq"};
    uint32_t n = lua_isnoneornil(L, 1) ? script_of(L)->cpu : check_cpu(L, 1, "cpu");
    struct cpu_view v = cpu_view(script_machine(L), n);
    lua_createtable(L, 0, 6);
    set_string(L, "context", contexts[v.ctx]);
    set_int(L, "preempt_count", v.preempt_count);
    set_bool(L, "irqs_disabled", v.irqs_disabled);
    set_bool(L, "memalloc", v.memalloc);
    set_int(L, "nr_locks", v.nr_locks);
    lua_newtable(L);
    for (uint32_t i = 0; i < v.nr_locks && i < sizeof v.locks / sizeof *v.locks; i++) {
        lua_pushstring(L, lock_name(L, v.locks[i]));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "locks");
    push_cpu_parts(L, n);
    return 1;
}

static int context(lua_State *L)
{
    cpu(L);
    lua_getfield(L, -1, "context");
    return 1;
}

/* ---- counters and /proc ---- */

/* The rows of /proc/vmstat, and events of the vm that are none of its rows. */
static int vmstat(lua_State *L)
{
    struct machine *m = script_machine(L);
    const char *wanted = luaL_optstring(L, 1, NULL), *event;
    char name[VMSTAT_NAME];
    for (uint32_t i = 0; wanted && (event = vmstat_name(m, i)) != NULL; i++) {
        if (strcmp(event, wanted) == 0) {
            lua_pushinteger(L, (lua_Integer)vmstat_value(m, i));
            return 1;
        }
    }
    lua_newtable(L);
    for (uint32_t row = 0; vmstat_row_name(name, sizeof name, m, row); row++) {
        if (!wanted) {
            set_int(L, name, vmstat_row_value(m, row));
        } else if (strcmp(name, wanted) == 0) {
            lua_pushinteger(L, (lua_Integer)vmstat_row_value(m, row));
            return 1;
        }
    }
    return wanted ? luaL_error(L, "vmstat: there is no counter '%s'", wanted) : 1;
}

typedef int proc_fn(char *buf, size_t size, const struct machine *m);
static const struct {
    const char *name;
    proc_fn *print;
} proc_files[] = {{"buddyinfo", proc_buddyinfo},
                  {"pagetypeinfo", proc_pagetypeinfo},
                  {"slabinfo", proc_slabinfo},
                  {"vmstat", proc_vmstat},
                  {"zoneinfo", proc_zoneinfo}};
enum { NR_PROC = sizeof proc_files / sizeof *proc_files };

/* Upvalue: which. */
static int proc_file(lua_State *L)
{
    struct machine *m = script_machine(L);
    proc_fn *print = proc_files[lua_tointeger(L, lua_upvalueindex(1))].print;
    int len = print(NULL, 0, m);
    luaL_Buffer b;
    char *text = luaL_buffinitsize(L, &b, (size_t)len + 1);
    print(text, (size_t)len + 1, m);
    luaL_pushresultsize(&b, (size_t)len);
    return 1;
}

/* ---- the events of the last operation ---- */

void push_event(lua_State *L, const struct machine *m, const struct event *ev)
{
    static const char *const contexts[] = {"process", "softirq", "hardirq"};
    const struct event_info *info = event_info(ev->kind);
    char name[32], type[32];
    lua_createtable(L, 0, 12);
    for (uint32_t i = 0;
         info && arg_describe(info->args, i, name, type) && i < PROBE_ARGS; i++) {
        push_typed(L, m, type, ev->arg[i]);
        lua_setfield(L, -2, name);
    }
    set_string(L, "event", info ? info->name : "?");
    set_int(L, "on_cpu", ev->cpu);
    set_string(L, "context", ev->ctx < 3 ? contexts[ev->ctx] : "?");
    set_int(L, "n", ev->n);
    set_int(L, "depth", ev->depth);
    lua_createtable(L, (int)(ev->depth < PROBE_STACK ? ev->depth : PROBE_STACK), 0);
    for (uint32_t i = 0; i < ev->depth && i < PROBE_STACK; i++) {
        const struct fn_info *fn = fn_info(m->probe.stack[i].fn);
        lua_pushstring(L, fn ? fn->name : "?");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "stack");
}

/* Events are first copied: no Lua error may jump out of the timeline. */
struct event_list {
    struct event *ev;
    size_t nr, room;
    uint16_t wanted;
};

static void collect_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct event_list *list = ctx;
    (void)m;
    if ((list->wanted && list->wanted != ev->kind) || list->nr == list->room) {
        return;
    }
    list->ev[list->nr++] = *ev;
}

uint16_t check_event_kind(lua_State *L, int idx, const char *who)
{
    const char *name = luaL_checkstring(L, idx);
    uint16_t kind = event_kind_by_name(name);
    if (!kind) {
        luaL_error(L, "%s: there is no event '%s' (`mmscope show events` lists them)",
                   who, name);
    }
    return kind;
}

static int events(lua_State *L)
{
    struct script *sc = script_of(L);
    struct timeline *t = script_timeline(sc);
    uint16_t wanted = lua_isnoneornil(L, 1) ? 0 : check_event_kind(L, 1, "events");
    struct machine *m = script_machine(L);
    if (sc->hook_event) {
        return luaL_error(L,
                          "events: not inside a hook, where the operation has not ended");
    }
    struct position now = timeline_position(t);
    uint64_t at = sc->console || sc->other ? now.op : sc->cursor;
    struct op_record r;
    do { /* notes have no events */
        if (at == 0) {
            lua_newtable(L);
            return 1;
        }
        at--;
    } while (timeline_op(t, now.branch, at, &r) && r.op.kind == OP_NOTE);
    struct event_list list = {.wanted = wanted, .room = r.nr_events};
    list.ev = lua_newuserdatauv(L, (list.room + 1) * sizeof *list.ev, 0);
    timeline_events(t, now.branch, at, collect_event, &list);
    lua_createtable(L, (int)list.nr, 0);
    for (size_t i = 0; i < list.nr; i++) {
        push_event(L, m, &list.ev[i]);
        lua_pushnil(L); /* the call stack is only known at the event */
        lua_setfield(L, -2, "stack");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    sandbox_charge(&sc->sandbox, list.room * 4);
    return 1;
}

/* ---- names ---- */

static int name_of(lua_State *L, const char *type, uint64_t v)
{
    char text[512];
    value_format(text, sizeof text, NULL, type, v);
    lua_pushstring(L, text);
    return 1;
}

static int migratetype_name(lua_State *L)
{
    return name_of(L, "mt", check_migratetype(L, 1, "migratetype_name"));
}

static int gfp_name(lua_State *L)
{
    return name_of(L, "gfp", check_gfp(L, 1, "gfp_name"));
}

static int hex(lua_State *L)
{
    uint64_t p;
    if (!to_page(L, 1, &p)) {
        p = (uint64_t)luaL_checkinteger(L, 1);
    }
    return name_of(L, "pfn", p);
}

static void open_zone_type(lua_State *L)
{
    static const luaL_Reg methods[] = {{"contains", zone_contains},
                                       {"freelist", zone_freelist},
                                       {"nr_free", zone_nr_free},
                                       {"pcp", zone_pcp},
                                       {"pcp_count", zone_pcp_count},
                                       {"pcp_list", zone_pcp_list},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__eq", zone_equal},
                                    {"__newindex", read_only},
                                    {"__order", zone_order},
                                    {"__tostring", zone_tostring},
                                    {NULL, NULL}};
    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, zone_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* A global that is indexed or called rather than a table. */
static void open_object(lua_State *L, const char *name, lua_CFunction index,
                        lua_CFunction call)
{
    lua_newuserdatauv(L, 0, 0);
    lua_newtable(L);
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
    if (call) {
        lua_pushcfunction(L, call);
        lua_setfield(L, -2, "__call");
    }
    lua_pushcfunction(L, read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
    lua_setglobal(L, name);
}

void open_inspect(lua_State *L)
{
    static const luaL_Reg functions[] = {{"check", check},
                                         {"context", context},
                                         {"cpu", cpu},
                                         {"events", events},
                                         {"gfp_name", gfp_name},
                                         {"has_zone", has_zone},
                                         {"hex", hex},
                                         {"migratetype_name", migratetype_name},
                                         {"vmstat", vmstat},
                                         {"zones", zones},
                                         {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    for (int i = 0; i < NR_PROC; i++) {
        if (strcmp(proc_files[i].name, "vmstat") != 0) {
            lua_pushinteger(L, i);
            lua_pushcclosure(L, proc_file, 1);
            lua_setfield(L, -2, proc_files[i].name);
        }
    }
    lua_pop(L, 1);
    open_zone_type(L);
    open_object(L, "zone", zone_call, zone_call);
    open_object(L, "machine", machine_index, script_call_machine);
}
