/* What the panes show that is not simply the machine's state.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "model.h"

#include "describe.h"

#include <stdlib.h>
#include <string.h>

void model_init(struct model *md, struct session *s)
{
    *md = (struct model){.session = s, .t = session_timeline(s)};
    md->m = timeline_machine(md->t);
    md->at = timeline_position(md->t);
}

void model_free(struct model *md)
{
    free(md->view.at);
    free(md->notes.at);
    free(md->views.at);
    *md = (struct model){0};
}

/* ---- the events of one operation ---- */

struct capture {
    struct op_events *e;
    uint64_t from, to; /* event numbers, to is not in it */
};

static void capture_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct capture *c = ctx;
    struct op_events *e = c->e;
    if (ev->n >= e->rec.nr_events) {
        const struct probe *p = &m->probe;
        e->last_depth = p->depth;
        memcpy(e->last_stack, p->stack,
               (p->depth < PROBE_STACK ? p->depth : PROBE_STACK) * sizeof p->stack[0]);
    }
    if (ev->n < c->from || ev->n >= c->to) {
        return;
    }
    if (e->nr == e->room) {
        size_t room = e->room ? 2 * e->room : 64;
        struct event *bigger = realloc(e->at, room * sizeof *bigger);
        if (!bigger) {
            return;
        }
        e->at = bigger;
        e->room = room;
    }
    e->at[e->nr++] = *ev;
}

const struct op_events *op_events_load(struct op_events *e, struct timeline *t,
                                       uint32_t branch, uint64_t op, uint64_t around)
{
    struct op_record rec;
    if (!timeline_op(t, branch, op, &rec)) {
        return NULL;
    }
    if (around > rec.nr_events) {
        around = rec.nr_events;
    }
    uint64_t half = MODEL_MAX_EVENTS / 2;
    uint64_t from =
        rec.nr_events <= MODEL_MAX_EVENTS || around <= half ? 1 : around - half;
    if (e->valid && e->branch == branch && e->op == op &&
        e->rec.nr_events == rec.nr_events &&
        !memcmp(&e->rec.op, &rec.op, sizeof rec.op)) {
        uint64_t end = e->first + e->nr;
        bool near = around >= e->first && (around + 1 < end || end > rec.nr_events);
        if (near) {
            return e;
        }
    }
    e->valid = true;
    e->branch = branch;
    e->op = op;
    e->rec = rec;
    e->first = from;
    e->nr = 0;
    e->last_depth = 0;
    if (rec.nr_events) {
        struct capture c = {e, from, from + MODEL_MAX_EVENTS};
        timeline_events(t, branch, op, capture_event, &c);
    }
    return e;
}

const struct op_events *model_events(struct model *md, uint32_t branch, uint64_t op,
                                     uint64_t around)
{
    return op_events_load(&md->view, md->t, branch, op, around);
}

const struct event *op_events_get(const struct op_events *e, uint64_t n)
{
    return n >= e->first && n < e->first + e->nr ? &e->at[n - e->first] : NULL;
}

/* ---- arguments ---- */

/* The arguments of a kind of event, taken out of its row of the table once: thousands of
 * events are asked for one after the other. */
struct kind_args {
    bool known;
    uint32_t nr;
    struct {
        char name[32], type[32];
    } arg[PROBE_ARGS];
};

static const struct kind_args *kind_args(uint16_t kind)
{
    static struct kind_args all[NR_EVENTS];
    static const struct kind_args none;
    const struct event_info *info = event_info(kind);
    if (!info || kind >= NR_EVENTS) {
        return &none;
    }
    struct kind_args *k = &all[kind];
    if (!k->known) {
        while (k->nr < PROBE_ARGS &&
               arg_describe(info->args, k->nr, k->arg[k->nr].name, k->arg[k->nr].type)) {
            k->nr++;
        }
        k->known = true;
    }
    return k;
}

static bool same_word(const char *a, const char *b) { return *a == *b && !strcmp(a, b); }

static bool find_arg(const struct event *ev, const char *name, const char *type,
                     uint64_t *value)
{
    const struct kind_args *k = kind_args(ev->kind);
    for (uint32_t i = 0; i < k->nr; i++) {
        if ((!name || same_word(k->arg[i].name, name)) &&
            (!type || same_word(k->arg[i].type, type))) {
            *value = ev->arg[i];
            return true;
        }
    }
    return false;
}

bool event_arg(const struct event *ev, const char *type, uint64_t *value)
{
    return find_arg(ev, NULL, type, value);
}

bool event_arg_named(const struct event *ev, const char *name, uint64_t *value)
{
    return find_arg(ev, name, NULL, value);
}

/* Which arguments of a kind of event say what blocks it is about: bits. */
struct block_args {
    bool known;
    uint8_t pfns, orders;
};

static struct block_args block_args_of(uint16_t kind)
{
    const struct kind_args *k = kind_args(kind);
    struct block_args b = {.known = true};
    for (uint32_t i = 0; i < k->nr; i++) {
        const char *name = k->arg[i].name, *type = k->arg[i].type;
        b.pfns |= (uint8_t)(!strcmp(type, "pfn") << i);
        if (!strcmp(type, "order") &&
            (!b.orders || !strcmp(name, "found") || !strcmp(name, "fallback_order"))) {
            b.orders |= (uint8_t)(1u << i);
        }
    }
    return b;
}

/* Every event is asked when a page is watched: the table is read once. */
static const struct block_args *block_args(uint16_t kind)
{
    static struct block_args args[NR_EVENTS];
    if (!args[kind].known) {
        args[kind] = block_args_of(kind);
    }
    return &args[kind];
}

bool event_names_pfn(uint16_t kind) { return block_args(kind)->pfns != 0; }

bool event_touches_pfn(const struct event *ev, uint64_t p)
{
    const struct block_args *b = block_args(ev->kind);
    uint64_t order = 0;
    for (uint32_t i = 0; b->orders >> i; i++) {
        if (b->orders >> i & 1 && ev->arg[i] > order) {
            order = ev->arg[i];
        }
    }
    const uint64_t size = order < 64 ? (uint64_t)1 << order : 1;
    for (uint32_t i = 0; b->pfns >> i; i++) {
        if (b->pfns >> i & 1 && p >= ev->arg[i] && p - ev->arg[i] < size) {
            return true;
        }
    }
    return false;
}

bool op_is_note(const struct op *op) { return op->kind == OP_NOTE; }

bool op_is_stop_note(const struct op *op)
{
    return op_is_note(op) && op->arg[0] != NOTE_EXPECT_OK && op->arg[0] != NOTE_TITLE &&
           op->arg[0] != NOTE_VIEW;
}

/* ---- what the last step changed ---- */

static void add_changed(struct model *md, const struct event *ev)
{
    const struct kind_args *k = kind_args(ev->kind);
    for (uint32_t i = 0; i < k->nr; i++) {
        const char *type = k->arg[i].type;
        if (!strcmp(type, "zone") && ev->arg[i] < 64) {
            md->changed_zones |= (uint64_t)1 << ev->arg[i];
        }
        if (strcmp(type, "pfn") != 0 || ev->arg[i] == PFN_NONE) {
            continue;
        }
        bool known = false;
        for (size_t j = 0; j < md->nr_changed; j++) {
            known = known || md->changed[j] == ev->arg[i];
        }
        if (!known && md->nr_changed < MODEL_MAX_CHANGED) {
            md->changed[md->nr_changed++] = ev->arg[i];
        }
    }
}

static void collect_changes(struct model *md, struct position from)
{
    md->nr_changed = 0;
    md->changed_zones = 0;
    md->step_low = 1;
    md->step_high = 0;
    if (!md->has_op) {
        return;
    }
    const struct op_events *e = &md->view;
    uint64_t low = 1, high = md->happened; /* the events passed, both in it */
    if (from.branch == md->at.branch) {
        uint64_t from_n = from.op == e->op                      ? from.event
                          : from.op == e->op + 1 && !from.event ? e->rec.nr_events
                          : from.op < e->op                     ? 0
                                                                : e->rec.nr_events;
        low = (from_n < md->happened ? from_n : md->happened) + 1;
        high = from_n < md->happened ? md->happened : from_n;
    }
    if (high > low + 2 * MODEL_MAX_CHANGED) {
        low = high - 2 * MODEL_MAX_CHANGED;
    }
    md->step_low = low;
    md->step_high = high;
    for (uint64_t n = low; n <= high; n++) {
        const struct event *ev = op_events_get(e, n);
        if (ev) {
            add_changed(md, ev);
        }
    }
}

bool model_pfn_changed(const struct model *md, uint64_t p, uint32_t order)
{
    for (size_t i = 0; i < md->nr_changed; i++) {
        if (md->changed[i] >= p && md->changed[i] - p < (uint64_t)1 << order) {
            return true;
        }
    }
    return false;
}

static void count_zones(struct model *md)
{
    uint32_t nr = machine_nr_zones(md->m);
    for (uint32_t z = 0; z < nr && z < MODEL_MAX_ZONES; z++) {
        struct zone_counts *c = &md->now[z];
        for (uint32_t order = 0; order < md->m->config.max_order && order < MAX_ORDER;
             order++) {
            for (uint32_t mt = 0; mt < MIGRATE_TYPES; mt++) {
                c->buddy[order][mt] =
                    freelist_count(md->m, z, order, (enum migratetype)mt);
            }
        }
        c->free = zone_view(md->m, z).free;
        for (uint32_t l = 0; l < NR_PCP_LISTS; l++) {
            c->pcp[l] = pcp_list_count(md->m, z, md->cpu, l);
        }
        c->pcp_count = pcp_view(md->m, z, md->cpu).count;
    }
}

void model_show_cpu(struct model *md, uint32_t cpu)
{
    if (cpu != md->cpu) {
        md->cpu = cpu;
        count_zones(md);
        memcpy(md->before, md->now, sizeof md->before);
    }
}

/* ---- notes ---- */

static bool keep(struct op_list *l, uint64_t op)
{
    if (l->nr == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        uint64_t *bigger = realloc(l->at, room * sizeof *bigger);
        if (!bigger) {
            return false;
        }
        l->at = bigger;
        l->room = room;
    }
    l->at[l->nr++] = op;
    return true;
}

static void find_notes(struct model *md)
{
    if (md->notes_branch != md->at.branch) {
        md->notes.nr = md->views.nr = 0;
        md->notes_scanned = 0;
        md->notes_branch = md->at.branch;
    }
    uint64_t nr = timeline_nr_ops(md->t, md->at.branch);
    struct op_record rec;
    for (; md->notes_scanned < nr; md->notes_scanned++) {
        if (timeline_op(md->t, md->at.branch, md->notes_scanned, &rec) &&
            op_is_note(&rec.op) &&
            !keep(rec.op.arg[0] == NOTE_VIEW ? &md->views : &md->notes,
                  md->notes_scanned)) {
            return;
        }
    }
}

/* ---- the view that the script wants ---- */

static void find_view(struct model *md)
{
    const struct op_list *l = &md->views;
    struct op_record rec;
    md->view_name = NULL;
    for (size_t i = l->nr; i > 0; i--) {
        if (l->at[i - 1] < md->at.op &&
            timeline_op(md->t, md->at.branch, l->at[i - 1], &rec)) {
            md->view_name = timeline_string(md->t, (uint32_t)rec.op.arg[1]);
            return;
        }
    }
}

/* ---- all of it ---- */

/* What the user did has no line: the script waits where it was. */
static void find_near_line(struct model *md)
{
    enum { FAR = 256 };
    struct op_record rec;
    md->near_line = md->line;
    for (uint64_t op = md->view.op; !md->near_line && op > 0 && md->view.op - op < FAR;
         op--) {
        if (!timeline_op(md->t, md->at.branch, op - 1, &rec)) {
            return;
        }
        md->near_line = timeline_site(md->t, rec.op.site).line;
    }
}

static void look_at_event(struct model *md)
{
    md->has_event = false;
    md->depth = 0;
    md->happened = 0;
    md->is_note = false;
    md->line = md->near_line = 0;
    if (!md->has_op) {
        return;
    }
    const struct op_events *e = &md->view;
    md->is_note = op_is_note(&e->rec.op) && e->rec.op.arg[0] != NOTE_VIEW;
    md->line = timeline_site(md->t, e->rec.op.site).line;
    find_near_line(md);
    md->happened = md->inside ? md->at.event : e->rec.nr_events;
    const struct event *ev = op_events_get(e, md->happened);
    if (ev) {
        md->has_event = true;
        md->event = *ev;
    }
    const struct probe *p = &md->m->probe;
    md->depth = md->inside ? p->depth : e->last_depth;
    if (md->depth > PROBE_STACK) {
        md->depth = PROBE_STACK;
    }
    memcpy(md->stack, md->inside ? p->stack : e->last_stack,
           md->depth * sizeof md->stack[0]);
}

void model_refresh(struct model *md, struct position from, uint32_t cpu)
{
    md->at = timeline_position(md->t);
    md->m = timeline_machine(md->t);
    uint64_t nr = timeline_nr_ops(md->t, md->at.branch);
    md->inside = md->at.event != 0;
    md->past = md->at.op + md->inside < nr;
    md->has_op = md->inside || md->at.op > 0;
    if (md->has_op) {
        uint64_t op = md->inside ? md->at.op : md->at.op - 1;
        md->has_op = model_events(md, md->at.branch, op,
                                  md->inside ? md->at.event : UINT64_MAX) != NULL;
    }
    look_at_event(md);
    memcpy(md->before, md->now, sizeof md->before);
    bool same_cpu = md->cpu == cpu && md->counts_valid;
    md->cpu = cpu;
    count_zones(md);
    if (!same_cpu) {
        memcpy(md->before, md->now, sizeof md->before);
    }
    md->counts_valid = true;
    collect_changes(md, from);
    find_notes(md);
    find_view(md);
}
