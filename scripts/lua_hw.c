/* The hardware as scripts see it: caches, TLBs, walks, counters, the last access.
 *
 * Cache and TLB objects are a CPU and a part: what they answer is read from the machine
 * at that moment. Loads and stores are operations (lua_ops.c); read, write and fetch are
 * made of them in prelude.lua.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "inspect_hw.h"
#include "script.h"

static const char type_name[] = "cache";

struct part_handle {
    uint32_t cpu;
    enum hw_part part;
};

static uint64_t check_address(lua_State *L, int idx, const char *who)
{
    uint64_t page;
    if (to_page(L, idx, &page)) {
        luaL_error(
            L,
            "%s: a page has no virtual address of its own: use page_address(page), "
            "kmap(page), or page:phys() for its physical one",
            who);
    }
    if (!lua_isinteger(L, idx)) {
        luaL_error(L, "%s: the address should be a number, but is %s", who,
                   lua_isnoneornil(L, idx) ? "nil: did an allocation fail?"
                                           : luaL_typename(L, idx));
    }
    return (uint64_t)lua_tointeger(L, idx);
}

static uint32_t optional_cpu(lua_State *L, int idx, const char *who)
{
    return lua_isnoneornil(L, idx) ? script_of(L)->cpu : check_cpu(L, idx, who);
}

/* ---- caches and TLBs ---- */

static enum hw_part check_part(lua_State *L, int idx, const char *who)
{
    const char *name = lua_tostring(L, idx);
    enum hw_part part = name ? part_by_name(name) : NR_PARTS;
    if (part == NR_PARTS) {
        luaL_error(L, "%s: there is no %s: say l1i, l1d, l2, itlb, dtlb or stlb", who,
                   name ? name : luaL_typename(L, idx));
    }
    return part;
}

static void push_part(lua_State *L, uint32_t cpu, enum hw_part part)
{
    struct part_handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    h->cpu = cpu;
    h->part = part;
    luaL_setmetatable(L, type_name);
}

/* cache("l1d", [cpu]), tlb("dtlb", [cpu]) */
static int part_object(lua_State *L, const char *who)
{
    enum hw_part part = check_part(L, 1, who);
    uint32_t cpu = optional_cpu(L, 2, who);
    if (!hw_cache(script_machine(L), cpu, part)) {
        lua_pushnil(L);
    } else {
        push_part(L, cpu, part);
    }
    return 1;
}

static int cache_object(lua_State *L) { return part_object(L, "cache"); }
static int tlb_object(lua_State *L) { return part_object(L, "tlb"); }

static struct part_handle *self(lua_State *L, const char *method)
{
    struct part_handle *h = luaL_testudata(L, 1, type_name);
    if (!h) {
        luaL_error(L, "cache:%s: not called on a cache (write c:%s() with a colon)",
                   method, method);
    }
    return h;
}

static const struct cache *look(lua_State *L, const struct part_handle *h)
{
    const struct cache *c = hw_cache(script_machine(L), h->cpu, h->part);
    if (!c) {
        luaL_error(L, "this machine has no %s", part_name(h->part));
    }
    return c;
}

static bool push_line(lua_State *L, const struct part_handle *h, const struct cache *c,
                      uint32_t set, uint32_t way)
{
    struct line_view v = hw_line(script_machine(L), h->cpu, h->part, set, way);
    char perms[5], state[2] = {v.state, 0};
    if (!v.valid) {
        return false;
    }
    lua_createtable(L, 0, 12);
    set_int(L, "set", set);
    set_int(L, "way", way);
    set_string(L, "state", state);
    set_bool(L, "dirty", v.dirty);
    set_int(L, "pa", v.pa);
    set_int(L, "tag", v.key);
    set_int(L, "age", v.age);
    set_bool(L, "victim", v.is_victim);
    if (v.is_virtual) {
        perms_format(perms, v.perms);
        set_int(L, "va", v.va);
        set_int(L, "asid", v.asid);
        set_string(L, "perms", perms);
    }
    if (v.bytes) {
        lua_pushlstring(L, (const char *)v.bytes, c->config.line_bytes);
        lua_setfield(L, -2, "data");
    }
    return true;
}

static bool push_entry(lua_State *L, const struct part_handle *h, uint32_t set,
                       uint32_t way)
{
    struct tlb_view v = hw_tlb_entry(script_machine(L), h->cpu, h->part, set, way);
    char perms[5];
    if (!v.valid) {
        return false;
    }
    perms_format(perms, v.perms);
    lua_createtable(L, 0, 12);
    set_int(L, "set", set);
    set_int(L, "way", way);
    set_int(L, "va", v.va);
    set_int(L, "pa", v.pa);
    set_int(L, "size", (uint64_t)1 << v.shift);
    set_bool(L, "global", v.global);
    set_int(L, "asid", v.asid);
    set_string(L, "perms", perms);
    set_int(L, "age", v.age);
    set_bool(L, "victim", v.is_victim);
    set_bool(L, "stale", v.stale);
    return true;
}

static bool push_way(lua_State *L, const struct part_handle *h, const struct cache *c,
                     uint32_t set, uint32_t way)
{
    sandbox_charge(sandbox_of(L), 10);
    return part_is_tlb(h->part) ? push_entry(L, h, set, way)
                                : push_line(L, h, c, set, way);
}

/* c:set(n): the ways of one set, false where nothing is. */
static int part_set(lua_State *L)
{
    struct part_handle *h = self(L, "set");
    const struct cache *c = look(L, h);
    uint64_t set = check_count(L, 2, "cache:set", "the set");
    if (set >= c->config.sets) {
        return luaL_error(L, "cache:set: there is no set %d: they are 0 to %d", (int)set,
                          (int)c->config.sets - 1);
    }
    lua_createtable(L, (int)c->config.ways, 0);
    for (uint32_t way = 0; way < c->config.ways; way++) {
        if (!push_way(L, h, c, (uint32_t)set, way)) {
            lua_pushboolean(L, false);
        }
        lua_rawseti(L, -2, (lua_Integer)way + 1);
    }
    return 1;
}

/* c:lines(), t:entries(): all that is there, by set and way. */
static int part_all(lua_State *L)
{
    struct part_handle *h = self(L, "lines");
    const struct cache *c = look(L, h);
    lua_Integer n = 0;
    lua_newtable(L);
    for (uint32_t set = 0; set < c->config.sets; set++) {
        for (uint32_t way = 0; way < c->config.ways; way++) {
            if (cache_set_at(c, set)->key[way] != CACHE_NO_KEY &&
                push_way(L, h, c, set, way)) {
                lua_rawseti(L, -2, ++n);
            }
        }
    }
    return 1;
}

/* How many lines or entries are there. */
static int part_count(lua_State *L)
{
    const struct cache *c = look(L, self(L, "count"));
    lua_Integer n = 0;
    for (uint32_t set = 0; set < c->config.sets; set++) {
        for (uint32_t way = 0; way < c->config.ways; way++) {
            n += cache_set_at(c, set)->key[way] != CACHE_NO_KEY;
        }
    }
    lua_pushinteger(L, n);
    return 1;
}

/* c:find(va): the line or entry that an access to va would hit, or nil. L2 has physical
 * addresses, va is translated for it. */
static int part_find(lua_State *L)
{
    struct part_handle *h = self(L, "find");
    const struct cache *c = look(L, h);
    const struct machine *m = script_machine(L);
    uint64_t va = check_address(L, 2, "cache:find");
    bool fetch = h->part == PART_L1I || h->part == PART_ITLB;
    struct probe_view at =
        hw_find(m, h->cpu, h->part, va, fetch ? ACCESS_FETCH : ACCESS_READ);
    if (!at.there || !at.hit || !push_way(L, h, c, at.set, at.way)) {
        lua_pushnil(L);
    }
    return 1;
}

/* l2:find_phys(pa), and any cache whose tags are physical or remember where they come
 * from. */
static int part_find_phys(lua_State *L)
{
    struct part_handle *h = self(L, "find_phys");
    const struct cache *c = look(L, h);
    uint64_t pa = check_address(L, 2, "cache:find_phys");
    lua_Integer n = 0;
    lua_newtable(L);
    for (uint32_t set = 0; set < c->config.sets; set++) {
        for (uint32_t way = 0; way < c->config.ways; way++) {
            struct cache_set *s = cache_set_at(c, set);
            const uint64_t line = part_is_tlb(h->part) || !c->config.homes
                                      ? s->key[way]
                                      : *cache_home(c, s, way);
            if (!part_is_tlb(h->part) && s->key[way] != CACHE_NO_KEY &&
                line == pa >> c->line_shift && push_way(L, h, c, set, way)) {
                lua_rawseti(L, -2, ++n);
            }
        }
    }
    return 1;
}

/* Which set an access to va looks in. */
static int part_set_of(lua_State *L)
{
    struct part_handle *h = self(L, "set_of");
    look(L, h);
    uint64_t va = check_address(L, 2, "cache:set_of");
    bool fetch = h->part == PART_L1I || h->part == PART_ITLB;
    struct probe_view at = hw_find(script_machine(L), h->cpu, h->part, va,
                                   fetch ? ACCESS_FETCH : ACCESS_READ);
    if (at.there) {
        lua_pushinteger(L, at.set);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int part_index(lua_State *L)
{
    static const char *const policies[] = {"lru", "plru", "fifo", "random"};
    struct part_handle *h = luaL_checkudata(L, 1, type_name);
    const char *field = luaL_checkstring(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    const struct cache *c = look(L, h);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"sets", c->config.sets},
        {"ways", c->config.ways},
        {part_is_tlb(h->part) ? "nr_entries" : "nr_lines",
         (uint64_t)c->config.sets * c->config.ways},
        {"line", c->config.line_bytes},
        {"size", (uint64_t)c->config.sets * c->config.ways * c->config.line_bytes},
        {"on_cpu", h->cpu},
    };
    if (strcmp(field, "name") == 0) {
        lua_pushstring(L, part_name(h->part));
        return 1;
    }
    if (strcmp(field, "policy") == 0) {
        lua_pushstring(L, policies[c->config.policy]);
        return 1;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(field, numbers[i].name) == 0) {
            lua_pushinteger(L, (lua_Integer)numbers[i].value);
            return 1;
        }
    }
    return luaL_error(L, "a cache has no field '%s' (help \"cache\" lists them)", field);
}

static int part_tostring(lua_State *L)
{
    struct part_handle *h = luaL_checkudata(L, 1, type_name);
    lua_pushfstring(L, "%s of CPU %d", part_name(h->part), (int)h->cpu);
    return 1;
}

static int read_only(lua_State *L)
{
    return luaL_error(L, "the machine's caches cannot be assigned to: they change by "
                         "read, write, fetch and flushes");
}

void push_cpu_parts(lua_State *L, uint32_t cpu)
{
    for (enum hw_part part = PART_L1I; part < NR_PARTS; part++) {
        if (hw_cache(script_machine(L), cpu, part)) {
            push_part(L, cpu, part);
            lua_setfield(L, -2, part_name(part));
        }
    }
}

/* ---- walks ---- */

static enum access_kind check_kind(lua_State *L, int idx, const char *who)
{
    static const char *const names[] = {"read", "write", "fetch"};
    const char *name = luaL_optstring(L, idx, "read");
    for (int i = 0; i < NR_ACCESS_KINDS; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum access_kind)i;
        }
    }
    luaL_error(L, "%s: there is no access '%s': read, write or fetch", who, name);
    return ACCESS_READ;
}

/* "user", "kernel", "uaccess", or nil: whose address it is. */
static uint32_t mode_for(lua_State *L, int idx, uint64_t va, const char *who)
{
    if (!lua_isnoneornil(L, idx)) {
        return check_mode(L, idx, who);
    }
    return hw_is_user(script_machine(L), script_of(L)->cpu, va) ? MODE_USER : MODE_KERNEL;
}

static void push_fault(lua_State *L, const struct fault *f)
{
    static const char *const kinds[] = {"none", "page fault", "general protection",
                                        "bus"};
    char text[128];
    fault_words(text, sizeof text, f);
    lua_createtable(L, 0, 8);
    set_string(L, "kind", kinds[f->kind]);
    set_string(L, "text", text);
    set_int(L, "error_code", f->error_code);
    set_int(L, "cr2", f->cr2);
    set_bool(L, "present", f->error_code & PF_PRESENT);
    set_bool(L, "write", f->error_code & PF_WRITE);
    set_bool(L, "user", f->error_code & PF_USER);
    set_bool(L, "reserved", f->error_code & PF_RESERVED);
    set_bool(L, "fetch", f->error_code & PF_FETCH);
}

static void push_step(lua_State *L, const struct machine *m, const struct walk_step *step,
                      enum paging paging)
{
    char text[160];
    struct table_view t = {.paging = paging,
                           .level = step->level,
                           .pa = step->at & ~(uint64_t)(PAGE_SIZE - 1),
                           .name = mmu_table_name(paging, step->level)};
    const uint32_t entry_bytes = paging == PAGING_I386 ? 4 : 8;
    (void)m;
    lua_createtable(L, 0, 10);
    set_string(L, "table", t.name);
    set_int(L, "level", step->level);
    set_int(L, "table_phys", t.pa);
    set_int(L, "index", (step->at - t.pa) / entry_bytes);
    set_int(L, "at", step->at);
    set_int(L, "entry", step->value);
    set_int(L, "pfn", (step->value & 0x000ffffffffff000u) >> PAGE_SHIFT);
    set_bool(L, "present", step->value & PTE_P);
    set_bool(L, "large",
             step->level > 1 && (step->value & PTE_P) && (step->value & PTE_PS));
    entry_flags_letters(text, sizeof text, &t, step->value);
    set_string(L, "flags", text);
    entry_flags_words(text, sizeof text, &t, step->value);
    set_string(L, "words", text);
}

/* walk(va, [access], [mode]) */
static int walk_table(lua_State *L)
{
    const struct machine *m = script_machine(L);
    const uint32_t cpu = script_of(L)->cpu;
    uint64_t va = check_address(L, 1, "walk");
    enum access_kind kind = check_kind(L, 2, "walk");
    bool user = mode_for(L, 3, va, "walk") == MODE_USER;
    struct walk w;
    struct table_view root;
    hw_walk(m, cpu, va, kind, user, &w);
    if (!hw_root_of_cpu(m, cpu, &root)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, (int)w.nr_steps, 6);
    for (uint32_t i = 0; i < w.nr_steps; i++) {
        push_step(L, m, &w.step[i], root.paging);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    set_int(L, "root", root.pa);
    if (w.fault.kind != FAULT_NONE) {
        push_fault(L, &w.fault);
        lua_setfield(L, -2, "fault");
    } else {
        set_int(L, "pa", tlb_entry_translate(w.entry, va).v);
        set_int(L, "size", (uint64_t)1 << page_shift(tlb_entry_size(w.entry)));
        set_bool(L, "global", w.entry & TLB_GLOBAL);
    }
    return 1;
}

/* ---- what was counted ---- */

static void push_causes(lua_State *L, const struct memsys *cpu,
                        const struct miss_causes *n)
{
    if (cpu->config.causes) {
        set_int(L, "cold", n->cold);
        set_int(L, "capacity", n->capacity);
        set_int(L, "conflict", n->conflict);
    }
}

static void push_ratio(lua_State *L, uint64_t access, uint64_t miss)
{
    set_int(L, "access", access);
    set_int(L, "miss", miss);
    set_int(L, "hit", access - miss);
    lua_pushnumber(L, access ? (double)miss / (double)access : 0.0);
    lua_setfield(L, -2, "miss_rate");
}

/* A table of tables, as struct memsys_tally has it. */
static void push_tally(lua_State *L, const struct memsys *cpu,
                       const struct memsys_tally *n)
{
    lua_createtable(L, 0, 12);
    for (int side = 0; side < NR_SIDES; side++) {
        lua_createtable(L, 0, 10);
        push_ratio(L, tally_l1_accesses(n, (enum side)side),
                   tally_l1_misses(n, (enum side)side));
        if (side == SIDE_D) {
            set_int(L, "reads", n->l1_access[ACCESS_READ]);
            set_int(L, "writes", n->l1_access[ACCESS_WRITE]);
            set_int(L, "read_miss", n->l1_miss[ACCESS_READ]);
            set_int(L, "write_miss", n->l1_miss[ACCESS_WRITE]);
        }
        set_int(L, "straddle", n->l1_straddle[side]);
        set_int(L, "writeback", n->l1_writeback[side]);
        push_causes(L, cpu, &n->l1_causes[side]);
        lua_setfield(L, -2, side == SIDE_I ? "l1i" : "l1d");
        lua_createtable(L, 0, 5);
        push_ratio(L, n->tlb_access[side], n->tlb_miss[side]);
        set_int(L, "straddle", n->tlb_straddle[side]);
        lua_setfield(L, -2, side == SIDE_I ? "itlb" : "dtlb");
    }
    lua_createtable(L, 0, 12);
    push_ratio(L, tally_l2_accesses(n), tally_l2_misses(n));
    set_int(L, "fetch", n->l2_access[L2_FETCH]);
    set_int(L, "fetch_miss", n->l2_miss[L2_FETCH]);
    set_int(L, "walk", n->l2_access[L2_WALK]);
    set_int(L, "walk_miss", n->l2_miss[L2_WALK]);
    set_int(L, "victim", n->l2_access[L2_VICTIM]);
    set_int(L, "store", n->l2_access[L2_STORE]);
    set_int(L, "writeback", n->l2_writeback);
    push_causes(L, cpu, &n->l2_causes);
    lua_setfield(L, -2, "l2");
    lua_createtable(L, 0, 4);
    push_ratio(L, n->stlb_access, n->stlb_miss);
    lua_setfield(L, -2, "stlb");
    lua_createtable(L, 0, 4);
    set_int(L, "rd", n->bus[BUS_RD]);
    set_int(L, "rdx", n->bus[BUS_RDX]);
    set_int(L, "upgr", n->bus[BUS_UPGR]);
    set_int(L, "wr", n->bus[BUS_WR]);
    lua_setfield(L, -2, "bus");
    set_int(L, "supplied", n->supplied);
    set_int(L, "invalidated", n->invalidated);
    set_int(L, "uncached",
            n->uncached[ACCESS_READ] + n->uncached[ACCESS_WRITE] +
                n->uncached[ACCESS_FETCH]);
    set_int(L, "wc_stores", n->wc_stores);
    set_int(L, "wc_bursts", n->wc_bursts);
    set_int(L, "ipi_sent", n->ipi_sent);
    set_int(L, "ipi_received", n->ipi_received);
    set_int(L, "tlb_flushed", n->tlb_flushed);
    set_int(L, "synonyms", n->synonyms);
    set_int(L, "homonyms", n->homonyms);
    set_int(L, "stale_entries", n->stale_entries);
    set_int(L, "walks", n->walks);
    set_int(L, "faults", n->faults);
    set_int(L, "memory_reads",
            n->l2_miss[L2_FETCH] + n->l2_miss[L2_WALK] + n->uncached[ACCESS_READ] +
                n->uncached[ACCESS_FETCH]);
    set_int(L, "memory_bytes_written",
            n->direct_bytes + n->l2_writeback * cpu->config.l2.line_bytes);
}

/* Adds cycles, where they went, and amat to the table on top; nothing without a cost
 * model. */
static void push_cycles(lua_State *L, const struct memsys *cpu,
                        const struct memsys_tally *n)
{
    const struct cycles y = cost_of(cpu->config.cost, &cpu->config, n);
    const struct {
        const char *name;
        uint64_t value;
    } parts[] = {
        {"l1", y.l1},
        {"tlb", y.tlb},
        {"walk", y.walk},
        {"l2", y.l2},
        {"memory", y.memory},
        {"bus", y.bus},
        {"uncached", y.uncached},
        {"ipi", y.ipi},
        {"total", y.total},
        {"accesses", y.accesses},
    };
    if (!cpu->config.cost) {
        return;
    }
    lua_createtable(L, 0, 10);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        set_int(L, parts[i].name, parts[i].value);
    }
    lua_setfield(L, -2, "cycles");
    lua_pushnumber(L, y.accesses ? (double)y.total / (double)y.accesses : 0.0);
    lua_setfield(L, -2, "amat");
}

static int counters(lua_State *L)
{
    uint32_t cpu = optional_cpu(L, 1, "counters");
    const struct memsys *c = hw_memsys(script_machine(L), cpu);
    push_tally(L, c, &c->s->n);
    push_cycles(L, c, &c->s->n);
    return 1;
}

/* ---- the last access ---- */

/* Where the data came from: the lowest level that was asked. */
static const char *served_by(const struct memsys *cpu, const struct last_access *a)
{
    const struct memsys_tally *n = &a->n;
    const enum side side = a->kind == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const bool l1 = cpu->front[side].has_l1;
    if (n->uncached[a->kind] || n->wc_stores) { /* past the caches */
        return n->wc_stores ? "wc" : "memory";
    }
    if (l1 && !n->l1_miss[a->kind]) {
        return "L1";
    }
    return cpu->has_l2 && !n->l2_miss[L2_FETCH] && !n->l2_miss[L2_STORE] ? "L2"
                                                                         : "memory";
}

static const char *translated_by(const struct memsys *cpu, const struct last_access *a)
{
    const struct memsys_tally *n = &a->n;
    const enum side side = a->kind == ACCESS_FETCH ? SIDE_I : SIDE_D;
    return n->walks              ? "walk"
           : n->stlb_access      ? "stlb"
           : n->tlb_access[side] ? side == SIDE_I ? "itlb" : "dtlb"
           : cpu->virtual_tags   ? "none"
                                 : "walk";
}

/* access([cpu]): what the last load, store or fetch was. */
static int last_access(lua_State *L)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    static const char *const modes[] = {"kernel", "user", "uaccess"};
    const struct machine *m = script_machine(L);
    uint32_t cpu = optional_cpu(L, 1, "access");
    struct last_access a = hw_last_access(m, cpu);
    if (!a.there) {
        lua_pushnil(L);
        return 1;
    }
    const struct memsys *c = hw_memsys(m, cpu);
    push_tally(L, c, &a.n);
    push_cycles(L, c, &a.n);
    set_int(L, "va", a.va);
    set_int(L, "size", a.size);
    set_int(L, "value", a.value);
    set_string(L, "kind", kinds[a.kind]);
    set_string(L, "mode", modes[a.mode]);
    set_bool(L, "done", a.done);
    if (a.done) {
        set_string(L, "hit", served_by(c, &a));
        set_string(L, "translation", translated_by(c, &a));
    } else {
        push_fault(L, &a.fault);
        lua_setfield(L, -2, "fault");
    }
    return 1;
}

/* For read, write and fetch: who asks? did the last one fault? */
static int mode_of(lua_State *L)
{
    static const char *const modes[] = {"kernel", "user", "uaccess"};
    const char *who = luaL_optstring(L, 3, "read");
    uint64_t va = check_address(L, 1, who);
    lua_pushstring(L, modes[mode_for(L, 2, va, who)]);
    return 1;
}

static int last_fault(lua_State *L)
{
    struct last_access a = hw_last_access(script_machine(L), script_of(L)->cpu);
    if (!a.there || a.done) {
        lua_pushnil(L);
    } else {
        push_fault(L, &a.fault);
    }
    return 1;
}

/* read_phys(pa, [n]): memory as it is, whichever cache has the newest copy. */
static int read_phys(lua_State *L)
{
    enum { MOST = 1 << 16 };
    uint64_t page,
        pa = to_page(L, 1, &page) ? page << PAGE_SHIFT : check_address(L, 1, "read_phys");
    uint64_t n = lua_isnoneornil(L, 2) ? 1 : check_count(L, 2, "read_phys", "the length");
    if (n > MOST) {
        return luaL_error(L, "read_phys: %d bytes at once are the most", MOST);
    }
    luaL_Buffer b;
    char *bytes = luaL_buffinitsize(L, &b, (size_t)n);
    sandbox_charge(sandbox_of(L), n / 8);
    hw_read_phys(script_machine(L), pa, bytes, (size_t)n);
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

/* ---- address spaces ---- */

static int current_mm(lua_State *L)
{
    uint32_t cpu = optional_cpu(L, 1, "current_mm");
    lua_pushinteger(L, hw_mm_of_cpu(script_machine(L), cpu).mm);
    return 1;
}

/* __mm_info(n): what is known of an address space, or nil. */
static int mm_info(lua_State *L)
{
    static const char *const prots[] = {"---", "r--", "-w-", "rw-",
                                        "--x", "r-x", "-wx", "rwx"};
    const struct machine *m = script_machine(L);
    uint64_t mm = check_count(L, 1, "process", "the number of an address space");
    struct mm_view v;
    if (!mm || mm > UINT32_MAX || !hw_next_mm(m, (uint32_t)mm, &v) || v.mm != mm) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 10);
    set_int(L, "mm", v.mm);
    push_page(L, v.pgd);
    lua_setfield(L, -2, "pgd");
    set_int(L, "tables", v.nr_tables);
    set_int(L, "pages", v.nr_pages);
    set_int(L, "faults", v.nr_faults);
    set_int(L, "tlb_gen", v.tlb_gen);
    set_int(L, "ctx_id", v.ctx_id);
    lua_newtable(L);
    lua_Integer n = 0;
    for (uint32_t cpu = 0; cpu < m->config.cpus; cpu++) {
        if (v.cpus >> cpu & 1) {
            lua_pushinteger(L, cpu);
            lua_rawseti(L, -2, ++n);
        }
    }
    lua_setfield(L, -2, "cpus");
    lua_createtable(L, (int)v.nr_vmas, 0);
    for (uint32_t i = 0; i < v.nr_vmas; i++) {
        lua_createtable(L, 0, 3);
        set_int(L, "start", v.vma[i].start);
        set_int(L, "end", v.vma[i].end);
        set_string(L, "prot", prots[v.vma[i].prot & 7]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "areas");
    return 1;
}

void open_hw(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"count", part_count},         {"entries", part_all}, {"find", part_find},
        {"find_phys", part_find_phys}, {"lines", part_all},   {"set", part_set},
        {"set_of", part_set_of},       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__newindex", read_only}, {"__tostring", part_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"access", last_access},
                                         {"cache", cache_object},
                                         {"counters", counters},
                                         {"current_mm", current_mm},
                                         {"__mm_info", mm_info},
                                         {"read_phys", read_phys},
                                         {"tlb", tlb_object},
                                         {"walk", walk_table},
                                         {"__last_fault", last_fault},
                                         {"__mode_of", mode_of},
                                         {NULL, NULL}};
    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, part_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
