/* The replay's run: item after item, with a tally for each sequence.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "host.h"
#include "replay_private.h"

/* ---- the machine ---- */

static uint64_t record_end(const struct record *r)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < r->nr_states; i++) {
        for (uint32_t z = 0; z < r->states[i].nr_zones; z++) {
            const struct record_zone *zone = &r->states[i].zone[z];
            uint64_t zone_end = zone->start + zone->spanned;
            end = end > zone_end ? end : zone_end;
        }
    }
    return end;
}

/* A bare machine whose frames are the record's: the states that are loaded say what is
 * free. The firmware's map is used for its holes where it fits. */
void replay_config(const struct record *r, struct machine_config *c)
{
    config_init(c, r->ptrs == 64 ? ARCH_X86_64 : r->pae ? ARCH_I386_PAE : ARCH_I386);
    uint64_t end = record_end(r) << PAGE_SHIFT, top = 0;
    c->kernel_start = c->kernel_end = 1;
    c->cpus = r->cpus;
    uint32_t nr_cpus = replay_vm_nr_cpus(r);
    c->nr_cpus = nr_cpus ? nr_cpus : c->nr_cpus;
    c->nr_cpus = r->cpus > c->nr_cpus ? r->cpus : c->nr_cpus;
    c->max_order = r->max_order;
    c->cache_line = replay_slab_cache_line(r);
    c->slub = replay_slab_is_slub(r);
    c->highmem_bytes = r->ptrs == 32 ? r->highmem_bytes : UINT64_MAX;
    c->ram_bytes = end;
    memcpy(c->memmap, r->memmap, sizeof c->memmap);
    c->nr_memmap = r->nr_memmap;
    for (uint32_t i = 0; i < c->nr_memmap; i++) {
        if (c->memmap[i].type == MEMMAP_USABLE) {
            top = c->memmap[i].end;
        }
    }
    char ignored[200];
    if (top >> PAGE_SHIFT != end >> PAGE_SHIFT ||
        !config_check(c, ignored, sizeof ignored)) {
        memset(c->memmap, 0, sizeof c->memmap);
        c->memmap[0] = (struct memmap_entry){0, end, MEMMAP_USABLE};
        c->nr_memmap = 1;
    }
}

static bool can_be_replayed(const struct record *r, char *err, size_t err_size)
{
    if (!r->nr_states || !r->states[0].load) {
        snprintf(err, err_size, "the record has no state to begin from: it is cut off");
        return false;
    }
    for (uint32_t i = 0; i < r->nr_items; i++) {
        if (r->items[i].kind == RECORD_STATE) {
            break;
        }
        if (r->items[i].kind != RECORD_SEQ) {
            snprintf(err, err_size,
                     "line %u: a call before the first state: lines are missing",
                     r->items[i].line);
            return false;
        }
    }
    return true;
}

struct replay *replay_create(const struct record *r, const struct arena_host *host,
                             char *err, size_t err_size)
{
    struct machine_config c;
    if (!can_be_replayed(r, err, err_size)) {
        return NULL;
    }
    struct replay *rp = calloc(1, sizeof *rp);
    if (!rp) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    replay_config(r, &c);
    rp->record = r;
    rp->source = (struct state_source){replay_load, rp};
    rp->m = machine_create(&c, host ? host : &host_memory, err, err_size);
    if (!rp->m) {
        free(rp);
        return NULL;
    }
    rp->m->states = &rp->source;
    rp->texts = (struct text_source){.text = replay_slab_text, .ctx = rp};
    rp->m->texts = &rp->texts;
    rp->on = rp->m;
    return rp;
}

void replay_destroy(struct replay *rp)
{
    if (rp) {
        machine_destroy(rp->m);
        free(rp);
    }
}

struct machine *replay_machine(struct replay *rp) { return rp->m; }

/* The probe asked for alloc_pages(gfp | __GFP_NOWARN), compound where larger than a
 * page. */
struct op replay_op(const struct record *r, const struct record_item *item)
{
    struct op op = {.cpu = (uint8_t)r->cpu, .origin = ORIGIN_REPLAY};
    switch (item->kind) {
    case RECORD_STATE:
        op.kind = OP_LOAD_STATE;
        op.arg[0] = item->n;
        break;
    case RECORD_ALLOC:
        op.kind = OP_ALLOC_PAGES;
        op.arg[0] = item->gfp | __GFP_NOWARN | (item->order ? (gfp_t)__GFP_COMP : 0);
        op.arg[1] = item->order;
        break;
    default:
        op.kind = OP_FREE_PAGES;
        op.arg[0] = item->pfn;
        op.arg[1] = item->order;
        break;
    }
    return op;
}

/* ---- differences ---- */

void replay_differs(struct replay_sink *sink, uint32_t line, const char *what,
                    const char *expected, const char *got, const char *stack)
{
    sink->tally->differences++;
    const struct replay_watch *w = sink->watch;
    if (w && w->difference && sink->tally->differences <= w->max_differences) {
        const struct replay_difference d = {line, what, expected, got,
                                            stack ? stack : ""};
        w->difference(w->ctx, &d);
    }
}

/* The call stack at the event that matters: the first that names the wrong page, else
 * the last. */
struct witness {
    struct machine *m;
    uint64_t wanted; /* a pfn */
    bool found;
    char stack[4096];
};

static void witness_event(struct probe *p, const struct event *ev)
{
    struct witness *w = p->slow_ctx;
    const struct event_info *info = event_info(ev->kind);
    if (w->found || !info) {
        return;
    }
    char arg[32], type[32];
    for (uint32_t i = 0; i < PROBE_ARGS && arg_describe(info->args, i, arg, type); i++) {
        w->found = w->found || (!strcmp(type, "pfn") && ev->arg[i] == w->wanted);
    }
    size_t len = 0;
    uint32_t depth = p->depth < PROBE_STACK ? p->depth : PROBE_STACK;
    for (uint32_t i = 0; i <= depth && len < sizeof w->stack; i++) {
        char *at = w->stack + len;
        size_t room = sizeof w->stack - len;
        int n = i < depth ? frame_format(at, room, w->m, &p->stack[i])
                          : event_format(at, room, w->m, ev);
        len += n > 0 ? (size_t)n : 0;
        if (len + 1 < sizeof w->stack && i < depth) {
            w->stack[len++] = '\n';
            w->stack[len] = 0;
        }
    }
}

/* Do item again, from the last loaded state on, and look. Then all is as it was. */
static void look_again(struct replay *rp, uint32_t item, const struct snapshot *loaded,
                       uint32_t loaded_item, uint64_t wrong, struct witness *w)
{
    struct snapshot *now = arena_snapshot(&rp->m->arena);
    if (!now) {
        return;
    }
    arena_restore(&rp->m->arena, loaded);
    for (uint32_t i = loaded_item + 1; i <= item; i++) {
        const struct record_item *it = &rp->record->items[i];
        if (it->kind != RECORD_ALLOC && it->kind != RECORD_FREE) {
            continue;
        }
        const struct op op = replay_op(rp->record, it);
        if (i == item) {
            *w = (struct witness){.m = rp->m, .wanted = wrong};
            rp->m->probe.slow = witness_event;
            rp->m->probe.slow_ctx = w;
            rp->m->probe.stop = 0;
        }
        machine_do(rp->m, &op);
    }
    rp->m->probe.stop = UINT64_MAX;
    rp->m->probe.slow = NULL;
    arena_restore(&rp->m->arena, now);
    snapshot_unref(&rp->m->arena, now);
}

/* ---- the run ---- */

struct run {
    struct replay *rp;
    const struct replay_watch *watch;
    struct replay_sink sink;
    struct snapshot
        *loaded; /* of the last loaded state; only kept while differences are told */
    uint32_t loaded_item;
    struct replay_tally total;
    struct replay_tally at_seq; /* the total when this sequence began */
    char name[200];
    uint32_t seq_line;
    bool in_seq;
};

static void add_difference(struct replay_tally *t, const struct replay_tally *a,
                           const struct replay_tally *b)
{
    *t = *a;
    t->answers -= b->answers;
    t->answers_identical -= b->answers_identical;
    t->states -= b->states;
    t->states_identical -= b->states_identical;
    t->figures -= b->figures;
    t->figures_identical -= b->figures_identical;
    t->nr_unmodelled -= b->nr_unmodelled;
    t->differences -= b->differences;
    for (int k = 0; k < NR_RECORD_KINDS; k++) {
        t->unmodelled[k] -= b->unmodelled[k];
    }
}

static void end_sequence(struct run *run)
{
    if (run->in_seq && run->watch && run->watch->sequence) {
        struct replay_tally t;
        add_difference(&t, &run->total, &run->at_seq);
        run->watch->sequence(run->watch->ctx, run->name, run->seq_line, &t);
    }
    run->at_seq = run->total;
    run->in_seq = false;
}

static void begin_sequence(struct run *run, const char *name, size_t len, uint32_t line)
{
    end_sequence(run);
    len = len < sizeof run->name - 1 ? len : sizeof run->name - 1;
    for (size_t i = 0; i < len; i++) {
        run->name[i] = name[i] >= ' ' && name[i] < 0x7f ? name[i] : '?';
    }
    run->name[len] = 0;
    run->seq_line = line;
    run->in_seq = true;
}

static void answer_differs(struct run *run, uint32_t i, uint64_t got)
{
    const struct record_item *item = &run->rp->record->items[i];
    const struct op op = replay_op(run->rp->record, item);
    char what[160], e[32], g[32];
    op_format(what, sizeof what, run->rp->m, &op, NULL);
    snprintf(e, sizeof e, item->pfn == RECORD_NULL ? "NULL" : "%" PRIx32, item->pfn);
    snprintf(g, sizeof g, got == PFN_NONE ? "NULL" : "%" PRIx64, got);
    struct witness w = {0};
    if (run->loaded && run->watch &&
        run->sink.tally->differences < run->watch->max_differences) {
        look_again(run->rp, i, run->loaded, run->loaded_item, got, &w);
    }
    replay_differs(&run->sink, item->line, what, e, g, w.stack);
}

static void misuse_differs(struct run *run, uint32_t i)
{
    const struct record_item *item = &run->rp->record->items[i];
    const struct op op = replay_op(run->rp->record, item);
    char what[160];
    op_format(what, sizeof what, run->rp->m, &op, NULL);
    struct witness w = {0};
    if (run->loaded && run->watch &&
        run->sink.tally->differences < run->watch->max_differences) {
        look_again(run->rp, i, run->loaded, run->loaded_item, UINT64_MAX, &w);
    }
    replay_differs(&run->sink, item->line, what, "the page is freed",
                   "the machine reports a bad free: the page is not allocated so",
                   w.stack);
}

static void count_unmodelled(struct run *run, enum record_kind kind)
{
    run->total.nr_unmodelled++;
    run->total.unmodelled[kind]++;
}

static bool load_state(struct run *run, uint32_t i, char *err, size_t err_size)
{
    struct replay *rp = run->rp;
    const struct record_item *item = &rp->record->items[i];
    const struct op op = replay_op(rp->record, item);
    machine_do(rp->m, &op);
    if (rp->load_error[0]) {
        snprintf(err, err_size, "line %u: %s", rp->load_line, rp->load_error);
        return false;
    }
    rp->unknown = false;
    rp->misuse = replay_misuse(rp->m);
    snapshot_unref(&rp->m->arena, run->loaded);
    run->loaded = NULL;
    run->loaded_item = i;
    if (run->watch && run->watch->difference && run->watch->max_differences) {
        run->loaded = arena_snapshot(&rp->m->arena);
    }
    replay_check_figures(rp->record, &rp->record->states[item->n], &run->sink);
    return true;
}

static void compare_state(struct run *run, const struct record_item *item)
{
    struct replay *rp = run->rp;
    const struct record_state *s = &rp->record->states[item->n];
    if (rp->unknown) {
        count_unmodelled(run, RECORD_STATE);
        return;
    }
    bool same = replay_compare_state(rp->m, rp->record, s, &run->sink);
    if (!strcmp(s->tag, "exhausted") && rp->exhausted_differs) {
        same = false;
    }
    run->total.states++;
    run->total.states_identical += same;
}

static void compare_exhausted(struct run *run, const struct record_item *item)
{
    struct replay *rp = run->rp;
    if (rp->unknown) {
        count_unmodelled(run, RECORD_EXHAUSTED);
        return;
    }
    rp->exhausted_differs = rp->successes != item->n;
    if (rp->exhausted_differs) {
        char e[32], g[32];
        snprintf(e, sizeof e, "%" PRIu32, item->n);
        snprintf(g, sizeof g, "%" PRIu64, rp->successes);
        replay_differs(&run->sink, item->line, "allocations that succeeded", e, g, NULL);
    }
}

/* A run of allocs and frees: the loop that counts. Answers the item behind it. */
static uint32_t do_calls(struct run *run, uint32_t i)
{
    struct replay *rp = run->rp;
    const struct record *r = rp->record;
    for (; i < r->nr_items; i++) {
        const struct record_item *item = &r->items[i];
        if (item->kind == RECORD_ALLOC) {
            const struct op op = replay_op(r, item);
            uint64_t got = machine_do(rp->m, &op);
            uint64_t want = item->pfn == RECORD_NULL ? PFN_NONE : item->pfn;
            rp->successes += got != PFN_NONE;
            run->total.answers++;
            if (got == want) {
                run->total.answers_identical++;
            } else {
                answer_differs(run, i, got);
            }
        } else if (item->kind == RECORD_FREE) {
            const struct op op = replay_op(r, item);
            machine_do(rp->m, &op);
            uint64_t misuse = replay_misuse(rp->m);
            if (misuse != rp->misuse) {
                rp->misuse = misuse;
                misuse_differs(run, i);
            }
        } else {
            break;
        }
    }
    return i;
}

static uint64_t call_machine(void *ctx, const struct record_item *item,
                             const struct op *op)
{
    (void)item;
    return machine_do(ctx, op);
}

static uint64_t call_replay(void *ctx, const struct record_item *item,
                            const struct op *op)
{
    (void)item;
    return machine_do(((struct replay *)ctx)->m, op);
}
static uint64_t name_replay(void *ctx, const char *text)
{
    return replay_slab_name(ctx, text);
}

/* A line of the address space. */
static void do_vm(struct run *run, uint32_t i)
{
    struct replay *rp = run->rp;
    struct replay_vm_answer a;
    if (!replay_vm_do(rp, i, call_machine, rp->m, &a)) {
        return;
    }
    run->total.answers++;
    run->total.answers_identical += a.identical;
    if (!a.identical) {
        const struct op op = replay_vm_op(rp, i);
        char what[160], e[64], g[64];
        op_format(what, sizeof what, rp->m, &op, NULL);
        snprintf(e, sizeof e, "%" PRIx64, a.want);
        snprintf(g, sizeof g, "%" PRIx64 "%s", a.got,
                 a.got != a.want ? ""
                 : a.preempt     ? " preempt=1"
                                 : " preempt=0");
        replay_differs(&run->sink, rp->record->items[i].line, what, e, g, NULL);
    }
}

static bool run_items(struct run *run, char *err, size_t err_size)
{
    struct replay *rp = run->rp;
    const struct record *r = rp->record;
    for (uint32_t i = 0; i < r->nr_items;) {
        const struct record_item *item = &r->items[i];
        const enum record_kind kind = (enum record_kind)item->kind;
        if (kind == RECORD_STATE && r->states[item->n].load) {
            const struct record_state *s = &r->states[item->n];
            char name[80];
            int len = snprintf(name, sizeof name, "state %s", s->tag);
            begin_sequence(run, name, (size_t)len, s->line);
            if (!load_state(run, i, err, err_size)) {
                return false;
            }
        } else if (kind == RECORD_SEQ) {
            begin_sequence(run, r->seqs[item->n].text, r->seqs[item->n].text_len,
                           item->line);
            replay_vm_heading(rp, &r->seqs[item->n], &run->sink);
            rp->successes = 0;
        } else if (kind == RECORD_STATE) {
            compare_state(run, item);
        } else if (kind == RECORD_EXHAUSTED) {
            compare_exhausted(run, item);
        } else if ((kind == RECORD_ALLOC || kind == RECORD_FREE) && !rp->unknown) {
            i = do_calls(run, i);
            continue;
        } else if (replay_vm_can(rp, kind)) {
            do_vm(run, i);
        } else if (replay_slab_can(rp, i)) {
            const struct replay_caller caller = {call_replay, name_replay, rp};
            i = replay_slab_do(rp, i, &caller, &run->sink);
            continue;
        } else {
            rp->unknown = true;
            count_unmodelled(run, kind);
        }
        i++;
    }
    return true;
}

bool replay_run(struct replay *rp, const struct replay_watch *w, struct replay_tally *t,
                char *err, size_t err_size)
{
    struct run run = {.rp = rp, .watch = w};
    run.sink = (struct replay_sink){&run.total, w};
    rp->unknown = false;
    rp->areas_known = false;
    bool good = run_items(&run, err, err_size);
    if (good) {
        size_t size;
        static const char tables[] = "page_tables/kernel";
        if (record_section(rp->record, "/sys/kernel/debug/page_tables/kernel", &size)) {
            begin_sequence(&run, tables, sizeof tables - 1, 0);
            replay_vm_markers(rp, &run.sink);
        }
        end_sequence(&run);
    }
    snapshot_unref(&rp->m->arena, run.loaded);
    *t = run.total;
    return good;
}
