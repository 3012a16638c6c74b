/* Everything of engine/inspect_space.h as scripts read it: the address space's regions
 * and areas, kmap's windows, "what is this address?".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "inspect_space.h"
#include "script.h"

static void set_page(lua_State *L, const char *name, uint64_t frame)
{
    push_page(L, frame);
    lua_setfield(L, -2, name);
}

/* ---- regions and areas ---- */

static void push_region(lua_State *L, const struct region_view *v)
{
    lua_createtable(L, 0, 8);
    set_string(L, "name", v->area.name);
    set_string(L, "who", v->area.who);
    set_string(L, "rules", v->area.rules);
    set_int(L, "first", v->area.first);
    set_int(L, "last", v->area.last);
    set_int(L, "used", v->used_bytes);
    set_int(L, "lazy", v->lazy_bytes);
    set_int(L, "areas", v->nr_areas);
}

static int address_space(lua_State *L)
{
    const struct machine *m = script_machine(L);
    lua_newtable(L);
    for (uint32_t i = 0; i < space_nr_regions(m); i++) {
        const struct region_view v = space_region(m, i);
        push_region(L, &v);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static void push_area(lua_State *L, const struct area_view *v)
{
    lua_createtable(L, 0, 10);
    set_string(L, "kind", v->name);
    set_int(L, "first", v->first);
    set_int(L, "last", v->last);
    set_int(L, "pages", v->nr_pages);
    set_string(L, "caller", v->caller);
    set_int(L, "op", v->op);
    set_int(L, "cpu", v->cpu);
    set_bool(L, "lazy", v->kind == VMAP_LAZY);
    set_bool(L, "deferred", v->deferred);
    if (v->guard) {
        set_int(L, "guard", v->guard);
    }
    if (v->kind == VMAP_IOREMAP) {
        set_int(L, "phys", v->phys);
    }
    if (v->kind == VMAP_BLOCK) {
        set_int(L, "free", v->block_free);
        set_int(L, "dirty", v->block_dirty);
    }
}

static int areas(lua_State *L)
{
    const struct machine *m = script_machine(L);
    uint64_t va = (uint64_t)luaL_optinteger(L, 1, 0);
    const uint64_t last = (uint64_t)luaL_optinteger(L, 2, -1);
    struct area_view v;
    lua_newtable(L);
    for (lua_Integer i = 1; va <= last && space_next_area(m, va, last, &v); i++) {
        push_area(L, &v);
        lua_rawseti(L, -2, i);
        va = v.last + 1;
        if (!va) {
            break;
        }
    }
    return 1;
}

/* ---- kmap ---- */

static int pkmaps(lua_State *L)
{
    const struct machine *m = script_machine(L);
    lua_Integer n = 0;
    lua_newtable(L);
    for (uint32_t i = 0; i < space_nr_pkmaps(m); i++) {
        const struct pkmap_view v = space_pkmap(m, i);
        if (v.last) {
            set_int(L, "last", i);
        }
        if (v.count) {
            lua_createtable(L, 0, 4);
            set_int(L, "slot", i);
            set_int(L, "count", v.count);
            set_int(L, "va", v.va);
            set_page(L, "page", v.frame);
            lua_rawseti(L, -2, ++n);
        }
    }
    set_int(L, "slots", space_nr_pkmaps(m));
    lua_newtable(L);
    for (uint32_t i = 0, cpu; i < space_nr_pkmap_sleepers(m); i++) {
        push_page(L, space_pkmap_sleeper(m, i, &cpu));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "sleepers");
    return 1;
}

static int kmap_slots(lua_State *L)
{
    const struct machine *m = script_machine(L);
    const uint32_t cpu =
        lua_isnoneornil(L, 1) ? script_of(L)->cpu : check_cpu(L, 1, "kmap_slots");
    lua_newtable(L);
    for (uint32_t i = 0; i < space_nr_kmap_slots(m); i++) {
        const struct kmap_slot_view v = space_kmap_slot(m, cpu, i);
        lua_createtable(L, 0, 4);
        set_int(L, "va", v.va);
        set_bool(L, "used", v.used);
        set_bool(L, "mapped", v.mapped);
        set_page(L, "page", v.frame);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    set_int(L, "depth", space_kmap_depth(m, cpu));
    set_int(L, "task", space_task(m, cpu));
    return 1;
}

/* ---- addresses ---- */

/* Collected first: no Lua error may jump out of the engine. */
struct found {
    struct mapping_view v[64];
    uint32_t nr;
};

static void collect(void *ctx, const struct mapping_view *v)
{
    struct found *f = ctx;
    if (f->nr < 64) {
        f->v[f->nr++] = *v;
    }
}

static int mappings(lua_State *L)
{
    const struct machine *m = script_machine(L);
    struct found f = {.nr = 0};
    space_mappings(m, check_pfn(L, 1, "mappings"), &f, collect);
    lua_createtable(L, (int)f.nr, 0);
    for (uint32_t i = 0; i < f.nr; i++) {
        const uint32_t region = space_region_of(m, f.v[i].va);
        lua_createtable(L, 0, 5);
        set_int(L, "va", f.v[i].va);
        set_int(L, "size", (uint64_t)1 << f.v[i].shift);
        set_int(L, "entry", f.v[i].entry);
        set_int(L, "at", f.v[i].at);
        set_int(L, "mm", f.v[i].mm);
        set_string(L, "region",
                   region == UINT32_MAX ? "" : space_region(m, region).area.name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int whatis(lua_State *L)
{
    const struct machine *m = script_machine(L);
    static const char *const spaces[] = {"virtual", "physical", NULL};
    uint64_t frame;
    struct address_view v;
    char text[4000];
    const bool page = to_page(L, 1, &frame);
    if (page || luaL_checkoption(L, 2, "virtual", spaces) == 1) {
        v = space_whatis_phys(m, page ? frame << PAGE_SHIFT
                                      : (uint64_t)luaL_checkinteger(L, 1));
    } else {
        v = space_whatis(m, (uint32_t)luaL_optinteger(L, 3, 0),
                         (uint64_t)luaL_checkinteger(L, 1));
    }
    space_whatis_text(text, sizeof text, m, &v);
    lua_createtable(L, 0, 12);
    set_string(L, "text", text);
    set_bool(L, "mapped", v.is_virtual && v.entry.maps);
    if (v.is_virtual) {
        set_int(L, "virtual", v.va);
        const struct region_view r = space_region(m, v.region);
        set_string(L, "region", r.area.name);
        set_int(L, "entry", v.entry.value);
        set_int(L, "at", v.entry.at);
        set_int(L, "level", v.entry.level);
        set_bool(L, "guard", v.in_guard);
    }
    if (v.in_area) {
        push_area(L, &v.area);
        lua_setfield(L, -2, "area");
    }
    if (v.pa != UINT64_MAX) {
        set_int(L, "physical", v.pa);
        frame_use_text(text, sizeof text, m, v.frame);
        set_string(L, "use", text);
    }
    if (v.is_ram) {
        set_page(L, "page", v.frame);
        set_string(L, "zone", zone_view(m, v.page.zone).name);
    }
    return 1;
}

/* ---- files ---- */

typedef int print_fn(char *buf, size_t size, const struct machine *m);

static int push_text(lua_State *L, print_fn *print)
{
    const struct machine *m = script_machine(L);
    const int len = print(NULL, 0, m);
    luaL_Buffer b;
    char *text = luaL_buffinitsize(L, &b, (size_t)len + 1);
    print(text, (size_t)len + 1, m);
    luaL_pushresultsize(&b, (size_t)len);
    return 1;
}

static int vmallocinfo(lua_State *L) { return push_text(L, proc_vmallocinfo); }
static int page_tables(lua_State *L) { return push_text(L, proc_page_tables); }

void open_space(lua_State *L)
{
    static const luaL_Reg functions[] = {{"address_space", address_space},
                                         {"areas", areas},
                                         {"kmap_slots", kmap_slots},
                                         {"mappings", mappings},
                                         {"page_tables", page_tables},
                                         {"pkmaps", pkmaps},
                                         {"vmallocinfo", vmallocinfo},
                                         {"whatis", whatis},
                                         {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    for (lua_Integer type = 0; km_type_name((uint64_t)type); type++) {
        lua_pushinteger(L, type);
        lua_setfield(L, -2, km_type_name((uint64_t)type));
    }
    lua_pop(L, 1);
}
