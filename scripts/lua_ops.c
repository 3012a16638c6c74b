/* Operations: a Lua function for every row of engine/ops.def.
 *
 * What kernel code writes around them (alloc_page, in_irq, with_spinlock ...) is made
 * from these in prelude.lua.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "describe.h"
#include "script.h"

/* __free_pages(page) means the block that the page is: its order need not be said. */
static uint64_t default_order(lua_State *L, uint64_t page)
{
    struct page_view v = page_view(script_machine(L), pfn(page));
    return v.state == PAGE_ALLOCATED && v.head == page ? v.order : 0;
}

static void check_arguments(lua_State *L, const struct op_info *info, struct op *op)
{
    char name[32], type[32];
    int n = 0;
    for (uint32_t i = 0; arg_describe(info->args, i, name, type); i++, n++) {
        int idx = (int)i + 1;
        if (strcmp(type, "order") == 0 && lua_isnoneornil(L, idx) &&
            op->kind != OP_ALLOC_PAGES) {
            op->arg[i] = default_order(L, op->arg[0]);
        } else {
            op->arg[i] = check_typed(L, idx, info->name, name, type);
        }
    }
    if (lua_gettop(L) > n) {
        luaL_error(L, "%s: takes %d argument%s, not %d", info->name, n, n == 1 ? "" : "s",
                   lua_gettop(L));
    }
}

/* Upvalue: the operation's kind. */
static int issue(lua_State *L)
{
    struct op op = {.kind = (uint16_t)lua_tointeger(L, lua_upvalueindex(1))};
    const struct op_info *info = op_info(op.kind);
    check_arguments(L, info, &op);
    uint64_t result = script_issue(L, &op);
    if (strcmp(info->result, "-") == 0) {
        return script_return(L, 0);
    }
    if (strcmp(info->result, "addr") == 0 && !result) {
        lua_pushnil(L); /* the kernel's NULL */
    } else {
        push_typed(L, NULL, info->result, result);
    }
    return script_return(L, 1);
}

/* The sysctl min_free_kbytes is read without an argument, as the file is. */
static int min_free_kbytes(lua_State *L)
{
    if (lua_gettop(L) > 0) {
        return issue(L);
    }
    lua_pushinteger(L, (lua_Integer)machine_min_free_kbytes(script_machine(L)));
    return 1;
}

/* ---- the CPU that operations run on: no operation itself ---- */

static int get_cpu(lua_State *L)
{
    lua_pushinteger(L, script_of(L)->cpu);
    return 1;
}

static int set_cpu(lua_State *L)
{
    struct script *sc = script_of(L);
    uint32_t cpu = check_cpu(L, 1, "on_cpu");
    if (sc->hook_event && cpu != sc->cpu) {
        return luaL_error(
            L, "on_cpu: an interrupt handler runs on the CPU that it interrupts, %d",
            (int)sc->cpu);
    }
    sc->cpu = cpu;
    return 0;
}

void open_ops(lua_State *L)
{
    for (uint16_t kind = 0; kind < NR_OPS; kind++) {
        if (kind == OP_NOTE) {
            continue; /* say, expect, ... */
        }
        lua_pushinteger(L, kind);
        lua_pushcclosure(L, kind == OP_SET_MIN_FREE_KBYTES ? min_free_kbytes : issue, 1);
        lua_setglobal(L, op_info(kind)->name);
    }
    lua_pushcfunction(L, get_cpu);
    lua_setglobal(L, "smp_processor_id");
    lua_pushcfunction(L, set_cpu);
    lua_setglobal(L, "__set_cpu"); /* taken out of the globals by prelude.lua */
}
