/* The access in view.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw_focus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hardware.h"
#include "mm_struct.h"
#include "pgtable.h"

const struct memsys *shown_cpu(const struct app *a)
{
    return hardware_cpu(a->model.m, a->cpu);
}

const struct cache *shown_part(const struct app *a, enum hw_part part)
{
    return hw_cache(a->model.m, a->cpu, part);
}

const char *hw_part_title(enum hw_part part)
{
    static const char *const names[NR_PARTS] = {"L1I",  "L1D",  "L2",
                                                "ITLB", "DTLB", "STLB"};
    return part < NR_PARTS ? names[part] : "?";
}

const char *hw_policy_name(enum cache_policy policy)
{
    static const char *const names[] = {"LRU", "tree-PLRU", "FIFO", "random"};
    return (unsigned)policy < sizeof names / sizeof *names ? names[policy] : "?";
}

void hw_focus_init(struct app *a)
{
    a->hw = (struct hw_state){.cache = PART_L1D, .tlb = PART_DTLB};
    a->hw.focus.first_next = -1;
    a->hw.walk.at = -1;
    for (int i = 0; i < NR_PARTS; i++) {
        a->hw.sets[i].zoom = -1;
    }
}

void hw_focus_forget(struct app *a)
{
    struct hw_state *s = &a->hw;
    for (int i = 0; i < NR_PARTS; i++) {
        s->sets[i].has_cursor = false;
    }
    s->cache_pinned = s->tlb_pinned = false;
    s->walk.has_cursor = s->walk.pinned = false;
    s->memory.has_cursor = s->has_lit = false;
    s->nr_lit_lines = 0;
    s->space.has_cursor = s->windows.has_cursor = false;
}

/* ---- what events say about places ---- */

static enum hw_part l1_part(enum side side)
{
    return side == SIDE_I ? PART_L1I : PART_L1D;
}
static enum hw_part tlb_part(enum side side, uint64_t level)
{
    return level > 1 ? PART_STLB : side == SIDE_I ? PART_ITLB : PART_DTLB;
}

/* Where a translation is, or would be. */
static struct hw_touch tlb_place(const struct app *a, enum hw_part part, uint64_t va)
{
    const struct memsys *ms = shown_cpu(a);
    const struct tlb *t =
        part == PART_STLB ? &ms->stlb : &ms->front[part - PART_ITLB].tlb;
    struct tlb_place p = tlb_find_kinds(t, va, ms->s->space);
    if (p.set && p.way != CACHE_NO_WAY) {
        return (struct hw_touch){(uint8_t)part, true, cache_number_of(&t->c, p.set),
                                 p.way};
    }
    return (struct hw_touch){(uint8_t)part, false,
                             cache_set_number(&t->c, tlb_page(va, 0)), CACHE_NO_WAY};
}

static bool is_probe(const struct event *ev)
{
    return ev->kind == EV_TLB_PROBE || ev->kind == EV_L1_PROBE || ev->kind == EV_L2_PROBE;
}

/* True: the event is about a place in a cache or TLB. */
static bool event_place(const struct app *a, enum side side, const struct event *ev,
                        struct hw_touch *t)
{
    if (!is_probe(ev) && ev->kind != EV_TLB_FILL && ev->kind != EV_CACHE_FILL) {
        return false;
    }
    uint64_t level = 0, set = 0, way = UINT64_MAX, va = 0, hit = 0;
    event_arg_named(ev, "level", &level);
    event_arg_named(ev, "set", &set);
    event_arg_named(ev, "way", &way);
    event_arg_named(ev, "hit", &hit);
    enum hw_part part;
    switch (ev->kind) {
    case EV_TLB_PROBE:
        part = tlb_part(side, level);
        break;
    case EV_TLB_FILL:
        part = tlb_part(side, level);
        if (!shown_part(a, part) || !event_arg_named(ev, "va", &va)) {
            return false;
        }
        *t = tlb_place(a, part, va);
        return true;
    case EV_L1_PROBE:
        part = l1_part(side);
        break;
    case EV_L2_PROBE:
        part = PART_L2;
        break;
    case EV_CACHE_FILL:
        part = level > 1 ? PART_L2 : l1_part(side);
        break;
    default:
        return false;
    }
    const struct cache *c = shown_part(a, part);
    if (!c || set >= c->config.sets) {
        return false;
    }
    *t = (struct hw_touch){(uint8_t)part, hit, (uint32_t)set,
                           way < c->config.ways ? (uint32_t)way : CACHE_NO_WAY};
    return true;
}

/* ---- the access ---- */

static enum side op_side(const struct op_events *e)
{
    for (size_t i = 0; i < e->nr; i++) {
        uint64_t data;
        if (e->at[i].kind == EV_L1_PROBE && event_arg_named(&e->at[i], "data", &data)) {
            return data ? SIDE_D : SIDE_I;
        }
    }
    return e->rec.op.kind == OP_FETCH ? SIDE_I : SIDE_D;
}

static bool is_access_event(const struct event *ev)
{
    return ev->kind == EV_TLB_PROBE || ev->kind == EV_L1_PROBE ||
           ev->kind == EV_PAGE_FAULT;
}

/* Its address: that of the last probe, else of the next one. */
static bool find_access(const struct model *md, struct hw_focus *f)
{
    const struct op_events *e = &md->view;
    for (uint64_t n = md->happened; n >= e->first && n > 0; n--) {
        const struct event *ev = op_events_get(e, n);
        if (ev && is_access_event(ev) && event_arg_named(ev, "va", &f->va)) {
            return true;
        }
    }
    for (uint64_t n = md->happened + 1; n < e->first + e->nr; n++) {
        const struct event *ev = op_events_get(e, n);
        if (ev && is_access_event(ev) && event_arg_named(ev, "va", &f->va)) {
            return true;
        }
    }
    return false;
}

static void add_touched(struct hw_focus *f, const struct hw_touch *t)
{
    if (f->nr_touched == HW_MAX_TOUCHED) { /* the latest count */
        memmove(f->touched, f->touched + 1, sizeof f->touched - sizeof f->touched[0]);
        f->nr_touched--;
    }
    f->touched[f->nr_touched++] = *t;
}

static void add_walk(struct hw_focus *f, const struct event *ev, bool by_step)
{
    uint64_t at, level;
    const uint32_t most = sizeof f->walk / sizeof f->walk[0];
    if (event_arg_named(ev, "at", &at) && event_arg_named(ev, "level", &level) &&
        f->nr_walk < most) {
        f->walk[f->nr_walk].at = at;
        f->walk[f->nr_walk].by_step = by_step;
        f->walk[f->nr_walk++].level = (uint32_t)level;
    }
}

static void set_next(struct hw_focus *f, const struct hw_touch *t)
{
    if (!f->has_next[t->part]) {
        f->has_next[t->part] = true;
        f->next[t->part] = *t;
        f->first_next = f->first_next < 0 ? t->part : f->first_next;
    }
}

static void look_at_events(const struct app *a, struct hw_focus *f)
{
    const struct model *md = &a->model;
    const struct op_events *e = &md->view;
    struct hw_touch t;
    for (uint64_t n = e->first; n < e->first + e->nr; n++) {
        const struct event *ev = op_events_get(e, n);
        const bool passed = n >= md->step_low && n <= md->step_high;
        if (ev->kind == EV_WALK_ENTRY) {
            if (n <= md->happened) {
                add_walk(f, ev, passed);
            } else if (!f->has_next_entry) {
                f->has_next_entry = event_arg_named(ev, "at", &f->next_entry);
            }
        }
        if (passed && event_place(a, f->side, ev, &t)) {
            add_touched(f, &t);
        }
        if (md->inside && n > md->happened && is_probe(ev) &&
            event_place(a, f->side, ev, &t)) {
            set_next(f, &t);
            if (!f->has_next_va) {
                f->next_va = f->va;
                f->has_next_va = true;
            }
        }
    }
    /* nothing: what the last event in view was about */
    for (uint64_t n = md->happened; n >= e->first && n > 0 && !f->nr_touched; n--) {
        const struct event *ev = op_events_get(e, n);
        if (ev && event_place(a, f->side, ev, &t)) {
            add_touched(f, &t);
        }
    }
    const struct event *last = op_events_get(e, md->happened);
    f->walking = last && last->kind == EV_WALK_ENTRY;
}

/* Worked out from the address: all that it may have to ask. */
static void predict_access(const struct app *a, uint64_t va, enum access_kind kind,
                           bool user, struct hw_focus *f)
{
    struct access_view v;
    if (!hw_peek(a->model.m, a->cpu, va, kind, user, &v)) {
        return;
    }
    const struct probe_view *const order[2][4] = {{&v.tlb, &v.stlb, &v.l1, &v.l2},
                                                  {&v.l1, &v.tlb, &v.stlb, &v.l2}};
    for (int i = 0; i < 4; i++) {
        const struct probe_view *p = order[v.virtual_first][i];
        if (p->there) {
            set_next(f, &(struct hw_touch){(uint8_t)p->part, p->hit, p->set,
                                           p->hit ? p->way : CACHE_NO_WAY});
        }
    }
}

void hw_focus_aim(struct app *a, uint64_t va)
{
    struct hw_focus *f = &a->hw.focus;
    if (!f->has_next_va && !a->model.inside && shown_cpu(a)) {
        memset(f->has_next, 0, sizeof f->has_next);
        f->first_next = -1;
        predict_access(a, va, ACCESS_READ, hw_is_user(a->model.m, a->cpu, va), f);
    }
}

static void predict(const struct app *a, const struct op *op, struct hw_focus *f)
{
    const enum access_kind kind = op->kind == OP_FETCH   ? ACCESS_FETCH
                                  : op->kind == OP_STORE ? ACCESS_WRITE
                                                         : ACCESS_READ;
    const uint64_t mode = op->arg[kind == ACCESS_FETCH ? 1 : kind == ACCESS_READ ? 2 : 3];
    predict_access(a, op->arg[0], kind, mode == MODE_USER, f);
    f->has_next_va = f->has_follow = true;
    f->next_va = f->follow = op->arg[0];
}

void hw_focus_refresh(struct app *a)
{
    const struct model *md = &a->model;
    struct hw_focus *f = &a->hw.focus;
    *f = (struct hw_focus){.first_next = -1};
    a->hw.stamp++;
    if (!shown_cpu(a)) {
        return;
    }
    if (a->hw.heat != HEAT_CONTENTS) {
        set_tally_refresh(&a->hw.tally, a->t);
    }
    if (md->has_op) {
        f->side = op_side(&md->view);
        f->cpu = md->view.rec.op.cpu;
        f->has_access = find_access(md, f);
        f->under_way = md->inside;
        if (f->cpu == a->cpu) {
            look_at_events(a, f);
        }
    }
    const struct last_access last = hw_last_access(md->m, a->cpu);
    f->has_follow = f->has_access || last.there;
    f->follow = f->has_access ? f->va : last.va;
    struct op op;
    if (app_next_op(a, &op) && hardware_is_op(op.kind) && op.cpu == a->cpu) {
        predict(a, &op, f);
    }
    if (a->hw.walk.pinned) {
        hw_focus_aim(a, a->hw.walk.pinned_va);
    }
}

bool hw_touched(const struct app *a, enum hw_part part, uint32_t set, uint32_t way)
{
    const struct hw_focus *f = &a->hw.focus;
    for (uint32_t i = 0; i < f->nr_touched; i++) {
        const struct hw_touch *t = &f->touched[i];
        if (t->part == part && t->set == set && (way == CACHE_NO_WAY || t->way == way)) {
            return true;
        }
    }
    return false;
}

int hw_next(const struct app *a, enum hw_part part, uint32_t set, uint32_t way)
{
    const struct hw_focus *f = &a->hw.focus;
    if (!f->has_next[part] || f->next[part].set != set) {
        return 0;
    }
    return f->next[part].hit && f->next[part].way == way ? 2 : 1;
}

bool hw_follow_set(const struct app *a, enum hw_part part, uint32_t *set, uint32_t *way)
{
    const struct hw_focus *f = &a->hw.focus;
    const struct hw_touch *t = NULL;
    for (uint32_t i = 0; i < f->nr_touched; i++) {
        t = f->touched[i].part == part ? &f->touched[i] : t;
    }
    if (!t && f->has_next[part]) {
        t = &f->next[part];
    }
    if (!t) {
        return false;
    }
    *set = t->set;
    *way = t->way;
    return true;
}

bool hw_lit_line(const struct app *a, enum hw_part part, uint32_t set, uint32_t way)
{
    for (uint32_t i = 0; i < a->hw.nr_lit_lines; i++) {
        const struct hw_touch *t = &a->hw.lit_lines[i];
        if (t->part == part && t->set == set && t->way == way) {
            return true;
        }
    }
    return false;
}

int hw_follow_part(const struct app *a, enum hw_part first, enum hw_part last)
{
    const struct hw_focus *f = &a->hw.focus;
    int part = -1;
    for (uint32_t i = 0; i < f->nr_touched; i++) {
        if (f->touched[i].part >= first && f->touched[i].part <= last) {
            part = f->touched[i].part;
        }
    }
    for (int i = (int)first; i <= (int)last && part < 0; i++) {
        part = f->first_next == i ? i : part;
    }
    return part;
}

/* ---- address spaces ---- */

static bool process_space(const struct app *a, uint32_t process, struct mmu *mmu)
{
    struct table_view root;
    pgtable_mmu(a->model.m, mmu);
    if (!hw_root_of_mm(a->model.m, process, &root)) {
        return false;
    }
    mmu->paging = root.paging;
    mmu->cr3 = root.pa;
    return true;
}

/* Address space 0 is the kernel's. */
static void space_name(uint32_t process, char *name, size_t size)
{
    if (process) {
        snprintf(name, size, "process %u", process);
    } else {
        snprintf(name, size, "swapper_pg_dir");
    }
}

bool hw_space(const struct app *a, const struct space_choice *c, struct mmu *mmu,
              char *name, size_t size)
{
    const struct memsys *ms = shown_cpu(a);
    struct mmu other;
    if (c->kind != SPACE_CURRENT || !ms) {
        const uint32_t process = c->kind == SPACE_PROCESS ? c->process : 0;
        space_name(process, name, size);
        return process_space(a, process, mmu) && mmu->paging != PAGING_NONE;
    }
    *mmu = ms->s->mmu;
    snprintf(name, size, "CR3");
    for (uint32_t i = 0; i < MAX_MMS; i++) {
        if (process_space(a, i, &other) && table_root(&other) == table_root(mmu)) {
            const int n = snprintf(name, size, "CR3: ");
            space_name(i, name + n, size - (size_t)n);
            break;
        }
    }
    return mmu->paging != PAGING_NONE;
}

bool hw_space_find(const struct app *a, const char *word, struct space_choice *c)
{
    char *end;
    const unsigned long n = strtoul(word, &end, 10);
    struct mmu mmu;
    if (!strcmp(word, "current")) {
        *c = (struct space_choice){.kind = SPACE_CURRENT};
    } else if (!strcmp(word, "kernel") || !strcmp(word, "swapper_pg_dir")) {
        *c = (struct space_choice){.kind = SPACE_KERNEL};
    } else if (*word >= '0' && *word <= '9' && !*end && n && n < MAX_MMS &&
               process_space(a, (uint32_t)n, &mmu)) {
        *c = (struct space_choice){SPACE_PROCESS, (uint32_t)n};
    } else {
        return false;
    }
    return true;
}

/* Current, kernel, then the processes that there are. */
void hw_space_turn(const struct app *a, struct space_choice *c, int by)
{
    const int spaces = MAX_MMS + 1; /* 0 the current one, n + 1 number n */
    struct mmu mmu;
    int at = c->kind == SPACE_CURRENT  ? 0
             : c->kind == SPACE_KERNEL ? 1
                                       : (int)c->process + 1;
    do {
        at = (at + by + spaces) % spaces;
    } while (at > 1 && !process_space(a, (uint32_t)at - 1, &mmu));
    *c = (struct space_choice){at == 0   ? SPACE_CURRENT
                               : at == 1 ? SPACE_KERNEL
                                         : SPACE_PROCESS,
                               at > 1 ? (uint32_t)at - 1 : 0};
}

/* ---- words ---- */

int hw_draw_causes(struct grid *g, int x, int y, int w, const struct miss_causes *why)
{
    static const char *const words[2][3] = {{"cold", "capacity", "conflict"},
                                            {"cold", "cap", "conf"}};
    const uint64_t counts[] = {why->cold, why->capacity, why->conflict};
    x = grid_text(g, x, y, ": ", ST_DIM, 0);
    for (int i = 0; i < 3; i++) {
        x = grid_printf(g, x, y, counts[i] ? ST_NORMAL : ST_FAINT, 0, "%llu %s%s",
                        (unsigned long long)counts[i], words[w < 70][i],
                        i < 2 ? " " : "");
    }
    return x;
}

bool hw_parse_address(const char *text, uint64_t *value)
{
    char *end;
    if (!*text || *text == '-' || *text == ' ') {
        return false;
    }
    *value = strtoull(text, &end, 16);
    return end != text && !*end;
}

int hw_va_digits(const struct app *a)
{
    return a->model.m->config.arch == ARCH_X86_64 ? 16 : 8;
}

bool hw_without_tables(const struct app *a)
{
    const struct memsys *m = hardware_cpu(a->model.m, 0);
    return m && m->config.translation != TRANSLATE_TABLES;
}

int hw_pa_digits(const struct app *a)
{
    /* without tables, a trace's physical addresses are not those of this machine's RAM */
    const struct memsys *m = hardware_cpu(a->model.m, 0);
    const enum translation how = m ? m->config.translation : TRANSLATE_TABLES;
    if (how == TRANSLATE_IDENTITY) {
        return hw_va_digits(a);
    }
    const uint64_t touched = how == TRANSLATE_FIRST_TOUCH ? m->config.first_pfn << 1 : 0;
    const uint64_t top = machine_max_pfn(a->model.m);
    int digits = 4;
    for (uint64_t n = touched > top ? touched : top; n >= 16; n >>= 4) {
        digits++;
    }
    return digits;
}

const char *hw_owner(const struct app *a, uint64_t pa, char *buf, size_t size)
{
    const struct machine *m = a->model.m;
    const struct page_view v = page_view(m, pfn(pa >> PAGE_SHIFT));
    if (hw_without_tables(a)) {
        snprintf(buf, size, "an address of the trace");
        return buf;
    }
    static const char *const states[NR_PAGE_STATES] = {"no memory", "reserved", "free",
                                                       "on a per-CPU list", "allocated"};
    if (v.state == PAGE_HOLE) {
        snprintf(buf, size, "no memory");
    } else {
        snprintf(buf, size, "%s, %s",
                 v.zone != UINT32_MAX ? zone_view(m, v.zone).name : "no zone",
                 states[v.state]);
    }
    return buf;
}
