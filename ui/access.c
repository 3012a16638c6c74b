/* An access as a path.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "access.h"

#include "hardware.h"

#include <stdlib.h>

bool access_is_event(uint16_t kind)
{
    static const uint16_t last = EV_SYNONYM; /* the hardware's rows come first */
    return (kind > EV_NONE && kind <= last) || kind == EV_ACCESS;
}

bool access_of_op(const struct op *op, struct access_wish *w)
{
    switch (op->kind) {
    case OP_LOAD:
        *w = (struct access_wish){op->arg[0], (uint32_t)op->arg[1], ACCESS_READ,
                                  op->arg[2] == MODE_USER};
        return true;
    case OP_STORE:
        *w = (struct access_wish){op->arg[0], (uint32_t)op->arg[1], ACCESS_WRITE,
                                  op->arg[3] == MODE_USER};
        return true;
    case OP_FETCH:
        *w = (struct access_wish){op->arg[0], (uint32_t)op->arg[2], ACCESS_FETCH,
                                  op->arg[1] == MODE_USER};
        return true;
    default:
        return false;
    }
}

/* ---- from events to paths ---- */

struct parser {
    struct access_paths *p;
    const struct op_events *e;
    const struct memsys *m;
    const struct cost_model *cost;
    struct access_path *now;      /* what the next event belongs to */
    enum l2_use use;              /* what L2 was asked for last */
    enum stage_source entry_from; /* where the walk's next entry came from */
    bool entry_pending;
    uint64_t entry_begin;
    uint32_t entry_cycles;
    uint32_t entry_bus; /* ... and what the bus took for it */
    struct stage *bus;  /* the last transaction; NULL: it was the walk's */
    bool supplied;
};

static struct access_path *new_path(struct parser *ps, uint64_t event)
{
    struct access_paths *p = ps->p;
    if (p->nr == p->room) {
        int room = p->room ? 2 * p->room : 4;
        struct access_path *bigger = realloc(p->at, (size_t)room * sizeof *bigger);
        if (!bigger) {
            return NULL;
        }
        p->at = bigger;
        p->room = room;
    }
    ps->now = &p->at[p->nr++];
    *ps->now = (struct access_path){.first = event};
    ps->entry_pending = false;
    ps->entry_cycles = ps->entry_bus = 0;
    ps->bus = NULL;
    return ps->now;
}

static struct stage *add_stage(struct parser *ps, enum stage_kind kind, uint64_t event)
{
    struct access_path *p = ps->now;
    if (!p || p->nr == MAX_STAGES) {
        return NULL;
    }
    struct stage *s = &p->stages[p->nr++];
    *s = (struct stage){.kind = kind, .event = event, .begin = event, .way = -1};
    return s;
}

static bool has_stage(const struct access_path *p, enum stage_kind kind)
{
    for (int i = 0; i < p->nr; i++) {
        if (p->stages[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* A TLB is asked: with physical tags that begins a path. */
static void on_tlb_probe(struct parser *ps, const struct event *ev)
{
    bool first = ev->arg[0] == 1;
    bool begins = !ps->now || (!ps->m->virtual_tags && first);
    if (begins && !new_path(ps, ev->n)) {
        return;
    }
    struct stage *s = add_stage(ps, first ? STAGE_TLB : STAGE_STLB, ev->n);
    if (s) {
        ps->now->va = ps->now->has_va ? ps->now->va : ev->arg[1];
        ps->now->has_va = true;
        s->set = (uint32_t)ev->arg[2];
        s->way = (int32_t)ev->arg[3];
        s->hit = ev->arg[4] != 0;
        s->cycles = first ? 0 : ps->cost->stlb;
    }
    bool last = s && !s->hit && (!first || !ps->m->has_stlb);
    if (last && ps->m->config.translation != TRANSLATE_TABLES &&
        (s = add_stage(ps, STAGE_WALK, ev->n))) {
        s->hit = true; /* a walk that reads nothing */
        s->cycles = ps->cost->walk;
    }
}

/* The path whose translation this line of the first level waited for. */
static struct access_path *waiting_path(struct parser *ps, uint64_t va)
{
    for (int i = ps->p->nr - 1; i >= 0 && !ps->m->virtual_tags; i--) {
        struct access_path *p = &ps->p->at[i];
        if (p->has_va && p->va >> PAGE_SHIFT == va >> PAGE_SHIFT &&
            !has_stage(p, STAGE_L1) && !p->fault_event) {
            return p;
        }
    }
    return NULL;
}

static void on_l1_probe(struct parser *ps, const struct event *ev)
{
    struct access_path *waiting = waiting_path(ps, ev->arg[1]);
    if (waiting) {
        ps->now = waiting;
    } else if (!new_path(ps, ev->n)) {
        return;
    }
    struct stage *s = add_stage(ps, STAGE_L1, ev->n);
    if (s) {
        ps->now->va = ev->arg[1];
        ps->now->has_va = true;
        s->set = (uint32_t)ev->arg[2];
        s->way = (int32_t)ev->arg[3];
        s->hit = ev->arg[4] != 0;
        s->cycles = ps->cost->l1;
        ps->use = L2_FETCH; /* without L2: what memory is asked for */
    }
}

static void on_l2_probe(struct parser *ps, const struct event *ev)
{
    const enum l2_use use = (enum l2_use)ev->arg[4];
    ps->use = use;
    if (use == L2_VICTIM) {
        return; /* nobody waits for it */
    }
    if (use == L2_WALK) {
        ps->entry_from = ev->arg[3] ? FROM_L2 : FROM_RAM;
        ps->entry_pending = true;
        ps->entry_begin = ev->n;
        ps->entry_cycles = ps->cost->l2 + (ev->arg[3] ? 0 : ps->cost->memory);
        return;
    }
    struct stage *s = add_stage(ps, STAGE_L2, ev->n);
    if (s) {
        s->cycles = use == L2_FETCH ? ps->cost->l2 : 0; /* stores wait in a buffer */
        s->set = (uint32_t)ev->arg[1];
        s->way = (int32_t)ev->arg[2];
        s->hit = ev->arg[3] != 0;
        if (!ps->now->pa_event) {
            uint64_t in_line = PAGE_SIZE - 1; /* pages and lines begin alike */
            ps->now->pa = (ev->arg[0] & ~in_line) | (ps->now->va & in_line);
            ps->now->pa_event = ev->n;
        }
    }
}

/* Is this bus transaction for a table entry? Then it belongs to the walk, whose entry is
 * announced when it has been read. */
static bool bus_for_walk(const struct parser *ps, uint64_t n)
{
    const struct event *ev;
    while (!ps->entry_pending && (ev = op_events_get(ps->e, ++n))) {
        switch (ev->kind) {
        case EV_WALK_ENTRY:
        case EV_WALK_SET:
            return true;
        case EV_L2_PROBE:
            return ev->arg[4] == L2_WALK;
        case EV_L1_PROBE:
        case EV_TLB_PROBE:
        case EV_MEM_READ:
        case EV_CACHE_FILL:
            return false;
        default:
            break;
        }
    }
    return ps->entry_pending;
}

static void on_bus(struct parser *ps, const struct event *ev)
{
    const enum bus_kind kind = (enum bus_kind)ev->arg[0];
    uint32_t cycles = kind == BUS_UPGR || kind == BUS_WR ? ps->cost->bus : 0;
    ps->bus = NULL;
    ps->supplied = false;
    if (bus_for_walk(ps, ev->n)) {
        ps->entry_bus += cycles;
    } else if ((ps->bus = add_stage(ps, STAGE_BUS, ev->n))) {
        ps->bus->bus = (uint8_t)kind;
        ps->bus->at = ev->arg[2];
        ps->bus->cycles = cycles;
    }
}

static struct stage *last_of(struct access_path *p, enum stage_kind kind)
{
    for (int i = p->nr - 1; i >= 0; i--) {
        if (p->stages[i].kind == kind) {
            return &p->stages[i];
        }
    }
    return NULL;
}

/* Another processor's cache answers. */
static void on_snoop(struct parser *ps, const struct event *ev)
{
    if (ev->arg[0] == ps->p->cpu) {
        return;
    }
    uint32_t cycles = ev->arg[3] == MESI_M && !ps->supplied ? ps->cost->supply : 0;
    ps->supplied = ps->supplied || ev->arg[3] == MESI_M;
    if (!ps->bus) {
        ps->entry_bus += cycles;
        return;
    }
    ps->bus->hit = true;
    ps->bus->cycles += cycles;
    if (ps->supplied && !ps->bus->supplied) {
        ps->bus->supplied = true;
        ps->bus->supplier = (uint8_t)ev->arg[0];
    }
}

static void on_uncached(struct parser *ps, const struct event *ev)
{
    struct stage *s = add_stage(ps, STAGE_UNCACHED, ev->n);
    if (s) {
        s->hit = true;
        s->at = ev->arg[ev->kind == EV_UNCACHED ? 1 : 0];
        s->cycles = ev->kind == EV_UNCACHED   ? ps->cost->uncached
                    : ev->kind == EV_WC_FLUSH ? ps->cost->uncached * (uint32_t)ev->arg[2]
                                              : 0;
    }
}

static void on_psc_probe(struct parser *ps, const struct event *ev)
{
    struct stage *s = add_stage(ps, STAGE_PSC, ev->n);
    if (s) {
        s->level = (uint8_t)ev->arg[0];
        s->hit = ev->arg[2] != 0;
    }
}

/* What the entry that was just read or written cost. */
static uint32_t take_entry_cycles(struct parser *ps)
{
    uint32_t cycles = ps->entry_pending ? ps->entry_cycles : ps->cost->memory;
    cycles += ps->entry_bus;
    ps->entry_bus = 0;
    return cycles;
}

static void on_walk_entry(struct parser *ps, const struct event *ev)
{
    struct stage *s = add_stage(ps, STAGE_WALK, ev->n);
    if (s) {
        s->level = (uint8_t)ev->arg[0];
        s->at = ev->arg[1];
        s->value = ev->arg[2];
        s->hit = s->value & PTE_P;
        s->begin = ps->entry_pending ? ps->entry_begin : ev->n;
        s->source = ps->entry_pending ? ps->entry_from : FROM_RAM;
        s->cycles = take_entry_cycles(ps);
    }
    ps->entry_pending = false;
}

/* The walker marks an entry: one more access, of the same stage. */
static void on_walk_set(struct parser *ps, const struct event *ev)
{
    for (int i = ps->now->nr - 1; i >= 0; i--) {
        struct stage *s = &ps->now->stages[i];
        if (s->kind == STAGE_WALK && s->at == ev->arg[0]) {
            s->cycles += take_entry_cycles(ps);
            s->value_set = ev->arg[1];
            s->set_event = ev->n;
            break;
        }
    }
    ps->entry_pending = false;
}

static void on_mem_read(struct parser *ps, const struct event *ev)
{
    struct stage *s = ps->use == L2_FETCH || ps->use == L2_STORE
                          ? add_stage(ps, STAGE_RAM, ev->n)
                          : NULL;
    if (s) {
        s->hit = true;
        s->at = ev->arg[0];
        s->cycles = ps->use == L2_FETCH ? ps->cost->memory : 0;
    }
}

static void on_evict(struct parser *ps, const struct event *ev)
{
    struct stage *s = last_of(ps->now, ev->arg[0] == 1 ? STAGE_L1 : STAGE_L2);
    if (s && !s->hit && !s->evicts && !ps->entry_pending) {
        s->evicts = true;
        s->evicted = ev->arg[1];
        s->dirty = ev->arg[2] != 0;
    }
}

static void take(struct parser *ps, const struct event *ev)
{
    switch (ev->kind) {
    case EV_TLB_PROBE:
        on_tlb_probe(ps, ev);
        break;
    case EV_L1_PROBE:
        on_l1_probe(ps, ev);
        break;
    default:
        if (!ps->now) {
            return; /* not part of an access: a flush, say */
        }
        break;
    }
    switch (ev->kind) {
    case EV_L2_PROBE:
        on_l2_probe(ps, ev);
        break;
    case EV_WALK_ENTRY:
        on_walk_entry(ps, ev);
        break;
    case EV_TLB_FILL:
        ps->now->entry = ev->arg[2];
        ps->now->entry_event = ev->n;
        ps->now->pa = tlb_entry_translate(ev->arg[2], ps->now->va).v;
        ps->now->pa_event = ps->now->pa_event ? ps->now->pa_event : ev->n;
        break;
    case EV_MEM_READ:
        on_mem_read(ps, ev);
        break;
    case EV_CACHE_EVICT:
        on_evict(ps, ev);
        break;
    case EV_BUS:
        on_bus(ps, ev);
        break;
    case EV_SNOOP:
        on_snoop(ps, ev);
        break;
    case EV_UNCACHED:
    case EV_WC_STORE:
    case EV_WC_FLUSH:
        on_uncached(ps, ev);
        break;
    case EV_PSC_PROBE:
        on_psc_probe(ps, ev);
        break;
    case EV_PAGE_FAULT:
        ps->now->fault_event = ev->n;
        ps->now->error_code = (uint32_t)ev->arg[1];
        break;
    case EV_WALK_SET:
        on_walk_set(ps, ev);
        break;
    case EV_TLB_PROBE:
    case EV_L1_PROBE:
    case EV_CACHE_FILL:
    case EV_CACHE_WRITEBACK:
    case EV_MESI:
    case EV_BACK_INVALIDATE:
    case EV_CACHE_MOVE:
    case EV_PSC_FILL:
        break;
    default:
        return;
    }
    ps->now->last = ev->n;
}

void access_paths_refresh(struct access_paths *p, const struct op_events *e,
                          const struct machine *m)
{
    if (!e) {
        p->valid = false;
        p->nr = 0;
        return;
    }
    if (p->valid && p->branch == e->branch && p->op == e->op &&
        p->nr_events == e->rec.nr_events) {
        return;
    }
    p->valid = true;
    p->branch = e->branch;
    p->op = e->op;
    p->nr_events = e->rec.nr_events;
    p->cpu = e->rec.op.cpu;
    p->nr = 0;
    p->has_wish = access_of_op(&e->rec.op, &p->wish);
    struct parser ps = {.p = p, .e = e, .m = hardware_cpu(m, p->cpu)};
    const uint16_t kind = e->rec.op.kind;
    if (!ps.m || kind == OP_CACHE_LINE || kind == OP_CACHE_PAGE) {
        return; /* a flush translates addresses, but accesses nothing */
    }
    ps.cost = access_cost(ps.m);
    for (size_t i = 0; i < e->nr; i++) {
        if (e->at[i].cpu == p->cpu) {
            take(&ps, &e->at[i]);
        }
    }
}

void access_paths_free(struct access_paths *p)
{
    free(p->at);
    *p = (struct access_paths){0};
}

const struct access_path *access_path_at(const struct access_paths *p, uint64_t happened)
{
    const struct access_path *best = p->nr ? &p->at[0] : NULL;
    uint64_t latest = 0;
    for (int i = 0; i < p->nr; i++) {
        for (int j = 0; j < p->at[i].nr; j++) {
            uint64_t event = p->at[i].stages[j].begin;
            if (event <= happened && event >= latest) {
                latest = event;
                best = &p->at[i];
            }
        }
    }
    return best;
}

const struct stage *access_next(const struct access_path *p, uint64_t happened)
{
    const struct stage *next = NULL;
    for (int i = 0; i < p->nr; i++) {
        const struct stage *s = &p->stages[i];
        if (s->event > happened && (!next || s->event < next->event)) {
            next = s;
        }
    }
    return next;
}

uint64_t access_cycles(const struct access_path *p, uint64_t happened)
{
    uint64_t sum = 0;
    for (int i = 0; i < p->nr; i++) {
        sum += p->stages[i].event <= happened ? p->stages[i].cycles : 0;
    }
    return sum;
}

const struct cost_model *access_cost(const struct memsys *m)
{
    static const struct cost_model none = {.name = "none",
                                           .source = "no cycles are counted"};
    return m->config.cost ? m->config.cost : &none;
}

struct cycles access_cycles_of(const struct memsys *m)
{
    return cost_of(access_cost(m), &m->config, &m->s->n);
}

/* ---- arithmetic ---- */

uint32_t access_set(const struct cache *c, uint64_t address)
{
    return cache_set_number(c, address >> c->line_shift);
}

uint32_t access_tlb_set(const struct tlb *t, uint64_t va, enum page_size size)
{
    return cache_set_number(&t->c, va >> page_shift(size));
}

enum side access_side(enum access_kind kind)
{
    return kind == ACCESS_FETCH ? SIDE_I : SIDE_D;
}

const char *access_kind_name(enum access_kind kind)
{
    static const char *const names[] = {"load", "store", "fetch"};
    return names[kind <= ACCESS_FETCH ? kind : 0];
}
