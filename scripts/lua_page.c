/* Pages as scripts see them: what struct page * is in kernel code. A handle is nothing
 * but a page frame number, so two handles of one frame are equal whoever got them when,
 * as in the kernel; all that it answers is read from the machine at that moment. There is
 * one handle a frame, so that a page can be a table's key.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "lua_handle.h"
#include "script.h"

static const struct handle_kind pages = {"page", "page", "alloc_pages"};

void push_page(lua_State *L, uint64_t pfn)
{
    if (pfn == PFN_NONE) {
        lua_pushnil(L);
    } else {
        handle_push(L, &pages, pfn);
    }
}

bool to_page(lua_State *L, int idx, uint64_t *pfn)
{
    const uint64_t *h = handle_test(L, idx, &pages);
    if (h) {
        *pfn = *h;
    }
    return h != NULL;
}

static uint64_t self(lua_State *L, const char *method)
{
    uint64_t pfn;
    if (!to_page(L, 1, &pfn)) {
        luaL_error(L, "page:%s: not called on a page (write page:%s() with a colon)",
                   method, method);
    }
    return pfn;
}

static struct page_view look(lua_State *L, const char *method)
{
    uint64_t p = self(L, method);
    return page_view(script_machine(L), pfn(p));
}

static int page_pfn(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)self(L, "pfn"));
    return 1;
}

static int page_address(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)(self(L, "phys") << PAGE_SHIFT));
    return 1;
}

static int page_order(lua_State *L)
{
    lua_pushinteger(L, look(L, "order").order);
    return 1;
}

static int page_zone(lua_State *L)
{
    struct page_view v = look(L, "zone");
    struct machine *m = script_machine(L);
    if (v.zone >= machine_nr_zones(m)) {
        lua_pushnil(L);
    } else {
        lua_pushstring(L, zone_view(m, v.zone).name);
    }
    return 1;
}

static int page_migratetype(lua_State *L)
{
    lua_pushinteger(L, look(L, "migratetype").type);
    return 1;
}

static int page_pageblock(lua_State *L)
{
    uint64_t p = self(L, "pageblock_type");
    struct machine *m = script_machine(L);
    uint32_t zone = zone_of_pfn(m, pfn(p));
    if (zone >= machine_nr_zones(m)) {
        lua_pushnil(L);
    } else {
        lua_pushinteger(L, pageblock_type(m, zone, pfn(p)));
    }
    return 1;
}

static int page_state(lua_State *L)
{
    static const char *const names[NR_PAGE_STATES] = {[PAGE_HOLE] = "hole",
                                                      [PAGE_RESERVED] = "reserved",
                                                      [PAGE_FREE] = "free",
                                                      [PAGE_PCP] = "pcp",
                                                      [PAGE_ALLOCATED] = "allocated"};
    lua_pushstring(L, names[look(L, "state").state]);
    return 1;
}

static int page_gfp(lua_State *L)
{
    lua_pushinteger(L, look(L, "gfp").gfp);
    return 1;
}

static int page_cpu(lua_State *L)
{
    lua_pushinteger(L, look(L, "cpu").cpu);
    return 1;
}

static int page_refcount(lua_State *L)
{
    lua_pushinteger(L, look(L, "refcount").refcount);
    return 1;
}

static int page_on_lru(lua_State *L)
{
    lua_pushboolean(L, look(L, "on_lru").lru);
    return 1;
}

static int page_head(lua_State *L)
{
    push_page(L, look(L, "head").head);
    return 1;
}

/* The frame whose number differs in bit `order`. */
static int page_buddy(lua_State *L)
{
    uint64_t p = self(L, "buddy");
    uint32_t order = lua_isnoneornil(L, 2) ? page_view(script_machine(L), pfn(p)).order
                                           : check_order(L, 2, "page:buddy");
    push_page(L, p ^ (uint64_t)1 << order);
    return 1;
}

static int page_offset(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 2);
    uint64_t p = self(L, "plus") + (uint64_t)n;
    push_page(L, p);
    return 1;
}

/* page + n, n + page, page - n: as with a struct page *; page - page is a number. */
static int page_add(lua_State *L)
{
    int page = lua_isinteger(L, 1) ? 2 : 1;
    uint64_t n = (uint64_t)luaL_checkinteger(L, 3 - page);
    push_page(L, check_pfn(L, page, "page + n") + n);
    return 1;
}

static int page_subtract(lua_State *L)
{
    uint64_t p = check_pfn(L, 1, "page - n"), other;
    if (to_page(L, 2, &other) && !lua_isinteger(L, 2)) {
        lua_pushinteger(L, (lua_Integer)(p - other));
    } else {
        push_page(L, p - (uint64_t)luaL_checkinteger(L, 2));
    }
    return 1;
}

static int page_tostring(lua_State *L)
{
    char text[40];
    snprintf(text, sizeof text, "page %#" PRIx64, self(L, "tostring"));
    lua_pushstring(L, text);
    return 1;
}

static int page_equal(lua_State *L)
{
    uint64_t a = 0, b = 0;
    lua_pushboolean(L, to_page(L, 1, &a) && to_page(L, 2, &b) && a == b);
    return 1;
}

static int page_less(lua_State *L)
{
    lua_pushboolean(L, check_pfn(L, 1, "page < page") < check_pfn(L, 2, "page < page"));
    return 1;
}

static int pfn_to_page(lua_State *L)
{
    push_page(L, check_pfn(L, 1, "pfn_to_page"));
    return 1;
}

static int page_to_pfn(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_pfn(L, 1, "page_to_pfn"));
    return 1;
}

void open_pages(lua_State *L)
{
    static const luaL_Reg methods[] = {{"buddy", page_buddy},
                                       {"cpu", page_cpu},
                                       {"gfp", page_gfp},
                                       {"head", page_head},
                                       {"migratetype", page_migratetype},
                                       {"on_lru", page_on_lru},
                                       {"order", page_order},
                                       {"pageblock_type", page_pageblock},
                                       {"pfn", page_pfn},
                                       {"phys", page_address},
                                       {"plus", page_offset},
                                       {"refcount", page_refcount},
                                       {"state", page_state},
                                       {"zone", page_zone},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__add", page_add},
                                    {"__eq", page_equal},
                                    {"__lt", page_less},
                                    {"__order", page_to_pfn},
                                    {"__sub", page_subtract},
                                    {"__tostring", page_tostring},
                                    {NULL, NULL}};
    luaL_newmetatable(L, pages.type);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setglobal(
        L,
        "__page_methods"); /* prelude.lua adds to them and takes it out of the globals */
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    handles_open(L, &pages);

    lua_pushcfunction(L, pfn_to_page);
    lua_setglobal(L, "pfn_to_page");
    lua_pushcfunction(L, page_to_pfn);
    lua_setglobal(L, "page_to_pfn");
}
