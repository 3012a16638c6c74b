/* What the allocators' own accesses cost, as scripts see it: cost() of the last
 * operation, touches() one by one, depths() measured on a copy of the machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "depth.h"
#include "describe.h"
#include "host.h"
#include "script.h"

static const char *const layer_keys[NR_TOUCH_LAYERS] = {"cpu", "slab",  "zones",
                                                        "pcp", "buddy", "bytes"};

static void push_cost(lua_State *L, const struct touch_cost *t)
{
    const struct cycles *y = &t->sum.cycles;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"accesses", t->sum.reads + t->sum.writes},
                  {"reads", t->sum.reads},
                  {"writes", t->sum.writes},
                  {"lines", t->lines_l1},
                  {"l2_lines", t->lines_l2},
                  {"pages", t->pages},
                  {"l1_misses", t->sum.l1_misses},
                  {"l2_misses", t->sum.l2_misses},
                  {"tlb_misses", t->sum.tlb_misses},
                  {"walk_reads", t->sum.walk_reads},
                  {"cycles", y->total},
                  {"dropped", t->dropped}},
      parts[] = {{"l1", y->l1},
                 {"tlb", y->tlb},
                 {"walk", y->walk},
                 {"l2", y->l2},
                 {"memory", y->memory},
                 {"bus", y->bus},
                 {"uncached", y->uncached},
                 {"ipi", y->ipi}};
    lua_createtable(L, 0, 16);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        set_int(L, counts[i].name, counts[i].value);
    }
    set_bool(L, "partial", t->partial);
    lua_createtable(L, 0, 8);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        set_int(L, parts[i].name, parts[i].value);
    }
    lua_setfield(L, -2, "by_level");
}

/* cost(): of the last operation; nil where the kernel's accesses are not made. */
static int last_cost(lua_State *L)
{
    const struct machine *m = script_machine(L);
    struct touch_cost t;
    if (!touch_cost(m, TOUCH_ALL_LAYERS, &t)) {
        lua_pushnil(L);
        return 1;
    }
    push_cost(L, &t);
    for (uint32_t i = 0; i < NR_TOUCH_LAYERS; i++) {
        touch_cost(m, 1u << i, &t);
        push_cost(L, &t);
        lua_setfield(L, -2, layer_keys[i]);
    }
    return 1;
}

static int touches(lua_State *L)
{
    const struct machine *m = script_machine(L);
    const uint32_t nr = touch_nr(m);
    if (!touch_is_on(m)) {
        lua_pushnil(L);
        return 1;
    }
    sandbox_charge(sandbox_of(L), nr);
    lua_createtable(L, (int)nr, 0);
    for (uint32_t i = 0; i < nr; i++) {
        const struct touch *t = touch_at(m, i);
        const struct touch_field_view f = touch_field_view(m, t->field);
        lua_createtable(L, 0, 12);
        set_string(L, "structure", f.structure);
        set_string(L, "field", f.name);
        set_string(L, "layer", layer_keys[t->layer]);
        set_int(L, "va", t->va);
        set_int(L, "pa", t->pa);
        set_int(L, "size", t->size);
        set_bool(L, "write", t->write);
        set_int(L, "cpu", t->cpu);
        set_int(L, "cycles", t->cycles);
        set_bool(L, "l1_miss", t->l1_missed);
        set_bool(L, "l2_miss", t->l2_missed);
        set_bool(L, "tlb_miss", t->tlb_missed);
        if (t->event) {
            set_string(L, "event", event_info(t->event)->name);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* "GROW_REFILL" as a key. */
static void set_row(lua_State *L, const char *id)
{
    char key[32];
    size_t i = 0;
    for (; id[i] && i + 1 < sizeof key; i++) {
        key[i] = id[i] == '_' ? '_' : (char)(id[i] | 0x20);
    }
    key[i] = 0;
    lua_setfield(L, -2, key);
}

/* depths([cache], [cpu]) */
static int depths(lua_State *L)
{
    static const char *const ids[NR_DEPTHS] = {
#define ID_(id, unit, what, where) #id,
        DEPTHS(ID_)
#undef ID_
    };
    const uint64_t cache = lua_isnoneornil(L, 1) ? 0 : check_cache(L, 1, "depths");
    const uint32_t cpu =
        lua_isnoneornil(L, 2) ? script_of(L)->cpu : check_cpu(L, 2, "depths");
    char err[300] = "";
    struct depth_table *t = calloc(1, sizeof *t);
    sandbox_charge(sandbox_of(L), 100000);
    const bool done = t && depth_measure(script_machine(L), (uint32_t)cache, cpu,
                                         &host_memory, t, err, sizeof err);
    if (!done) {
        free(t);
        return luaL_error(L, "depths: %s", *err ? err : "there is no memory");
    }
    lua_createtable(L, 0, NR_DEPTHS);
    for (uint32_t i = 0; i < NR_DEPTHS; i++) {
        const struct depth_cost *r = &t->row[i];
        if (!r->measured) {
            continue;
        }
        lua_createtable(L, 0, 6);
        set_string(L, "what", depth_info(i)->what);
        set_string(L, "where", depth_info(i)->where);
        set_int(L, "events", r->events);
        set_int(L, "units", r->units);
        push_cost(L, &r->cold);
        lua_setfield(L, -2, "cold");
        push_cost(L, &r->warm);
        lua_setfield(L, -2, "warm");
        set_row(L, ids[i]);
    }
    free(t);
    return 1;
}

void open_cost(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"cost", last_cost}, {"depths", depths}, {"touches", touches}, {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
