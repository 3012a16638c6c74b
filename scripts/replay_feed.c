/* The replay on the screen: each recorded call becomes an operation of a timeline,
 * headings and comparisons become notes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "host.h"
#include "replay_private.h"

struct timeline *replay_timeline(struct replay *rp, const char *name,
                                 const struct timeline_options *o, char *err,
                                 size_t err_size)
{
    struct machine_config c;
    replay_config(rp->record, &c);
    struct timeline *t = timeline_create(&c, &host_memory, o, err, err_size);
    if (t) {
        rp->on = timeline_machine(t);
        rp->on->states = &rp->source;
        rp->name = name;
        rp->next = 0;
        rp->unknown = rp->areas_known = false;
        memset(&rp->feed_tally, 0, sizeof rp->feed_tally);
    }
    return t;
}

struct feed_call {
    struct replay *rp;
    struct timeline *t;
};

static uint32_t site_of(const struct replay *rp, struct timeline *t, uint32_t line)
{
    return timeline_intern_site(t, rp->name ? rp->name : "record", line, "");
}

static void note(struct replay *rp, struct timeline *t, uint32_t line,
                 enum note_kind kind, const char *text)
{
    const struct op op = {.kind = OP_NOTE,
                          .cpu = (uint8_t)rp->record->cpu,
                          .origin = ORIGIN_REPLAY,
                          .site = site_of(rp, t, line),
                          .arg = {kind, timeline_intern(t, text)}};
    timeline_do(t, &op);
}

static uint64_t do_call(struct replay *rp, struct timeline *t,
                        const struct record_item *item)
{
    struct op op = replay_op(rp->record, item);
    op.site = site_of(rp, t, item->line);
    return timeline_do(t, &op);
}

static void feed_alloc(struct replay *rp, struct timeline *t,
                       const struct record_item *item)
{
    uint64_t got = do_call(rp, t, item);
    uint64_t want = item->pfn == RECORD_NULL ? PFN_NONE : item->pfn;
    rp->successes += got != PFN_NONE;
    rp->feed_tally.answers++;
    rp->feed_tally.answers_identical += got == want;
    if (got != want) {
        char text[160], e[32], g[32];
        snprintf(e, sizeof e, want == PFN_NONE ? "NULL" : "%" PRIx64, want);
        snprintf(g, sizeof g, got == PFN_NONE ? "NULL" : "%" PRIx64, got);
        snprintf(text, sizeof text, "line %u: the kernel answered %s, the machine %s",
                 item->line, e, g);
        note(rp, t, item->line, NOTE_EXPECT_FAILED, text);
    }
}

/* A line of the address space. */
static uint64_t call_timeline(void *ctx, const struct record_item *item,
                              const struct op *op)
{
    struct feed_call *f = ctx;
    struct op with_site = *op;
    with_site.site = site_of(f->rp, f->t, item->line);
    return timeline_do(f->t, &with_site);
}

static void feed_vm(struct replay *rp, struct timeline *t)
{
    const struct record_item *item = &rp->record->items[rp->next];
    struct feed_call call = {rp, t};
    struct replay_vm_answer a;
    if (!replay_vm_do(rp, rp->next, call_timeline, &call, &a)) {
        return;
    }
    rp->feed_tally.answers++;
    rp->feed_tally.answers_identical += a.identical;
    if (!a.identical) {
        char text[160];
        snprintf(text, sizeof text,
                 "line %u: the kernel answered %" PRIx64 ", the machine %" PRIx64,
                 item->line, a.want, a.got);
        note(rp, t, item->line, NOTE_EXPECT_FAILED, text);
    }
}

/* A line of objects, or the lines of one dump. */
static uint64_t name_timeline(void *ctx, const char *text)
{
    return timeline_intern(((struct feed_call *)ctx)->t, text);
}

static void note_difference(void *ctx, const struct replay_difference *d)
{
    const struct feed_call *f = ctx;
    char text[400];
    snprintf(text, sizeof text, "line %u, %s: the kernel %s, the machine %s", d->line,
             d->what, d->expected, d->got);
    note(f->rp, f->t, d->line, NOTE_EXPECT_FAILED, text);
}

static void feed_slab(struct replay *rp, struct timeline *t)
{
    const struct record_item *item = &rp->record->items[rp->next];
    struct feed_call call = {rp, t};
    const struct replay_caller caller = {call_timeline, name_timeline, &call};
    const struct replay_watch watch = {
        .ctx = &call, .difference = note_difference, .max_differences = UINT64_MAX};
    struct replay_sink sink = {&rp->feed_tally, &watch};
    const uint64_t states = rp->feed_tally.states;
    const uint64_t identical = rp->feed_tally.states_identical;
    rp->next = replay_slab_do(rp, rp->next, &caller, &sink);
    if (rp->feed_tally.states_identical > identical) {
        note(rp, t, item->line, NOTE_EXPECT_OK,
             "the cache, its arrays and every slab are the kernel's");
    } else if (rp->feed_tally.states == states && item->kind == RECORD_GEOMETRY) {
        note(rp, t, item->line, NOTE_EXPECT_OK, "the geometry is the kernel's");
    }
}

static void feed_compare(struct replay *rp, struct timeline *t,
                         const struct record_item *item)
{
    const struct record_state *s = &rp->record->states[item->n];
    struct replay_tally tally = {0};
    struct replay_sink sink = {&tally, NULL};
    char text[160];
    bool same = replay_compare_state(timeline_machine(t), rp->record, s, &sink);
    rp->feed_tally.states++;
    rp->feed_tally.states_identical += same;
    snprintf(text, sizeof text,
             same ? "state %s: every list and figure is the kernel's"
                  : "state %s: %" PRIu64 " lists and figures differ from the kernel's",
             s->tag, tally.differences);
    note(rp, t, item->line, same ? NOTE_EXPECT_OK : NOTE_EXPECT_FAILED, text);
}

/* Lines that are not modelled, up to the next that is: one note. */
static void feed_unmodelled(struct replay *rp, struct timeline *t)
{
    const struct record *r = rp->record;
    uint32_t first = rp->next, nr = 0;
    char text[160];
    for (; rp->next < r->nr_items; rp->next++, nr++) {
        const struct record_item *item = &r->items[rp->next];
        if (item->kind == RECORD_SEQ ||
            (item->kind == RECORD_STATE && r->states[item->n].load)) {
            break;
        }
    }
    rp->unknown = true;
    rp->feed_tally.nr_unmodelled += nr;
    snprintf(text, sizeof text, "%u lines from line %u on are not modelled yet (%s ...)",
             nr, r->items[first].line,
             record_kind_word((enum record_kind)r->items[first].kind));
    note(rp, t, r->items[first].line, NOTE_SAY, text);
}

bool replay_feed(void *ctx, struct timeline *t)
{
    struct replay *rp = ctx;
    const struct record *r = rp->record;
    char text[240];
    if (rp->next >= r->nr_items) {
        return false;
    }
    const struct record_item *item = &r->items[rp->next];
    const enum record_kind kind = (enum record_kind)item->kind;
    if (kind == RECORD_SEQ) {
        const struct record_seq *s = &r->seqs[item->n];
        snprintf(text, sizeof text, "%.*s", (int)(s->text_len < 200 ? s->text_len : 200),
                 s->text);
        note(rp, t, item->line, NOTE_TITLE, text);
        rp->successes = 0;
    } else if (kind == RECORD_STATE && r->states[item->n].load) {
        rp->unknown = false;
        do_call(rp, t, item);
        if (rp->load_error[0]) {
            snprintf(text, sizeof text, "line %u: %.200s", rp->load_line, rp->load_error);
            note(rp, t, item->line, NOTE_ERROR, text);
            return false;
        }
    } else if (replay_vm_can(rp, kind)) {
        feed_vm(rp, t);
    } else if (replay_slab_can(rp, rp->next)) {
        feed_slab(rp, t);
        return true;
    } else if (rp->unknown || kind > RECORD_EXHAUSTED) {
        feed_unmodelled(rp, t);
        return true;
    } else if (kind == RECORD_STATE) {
        feed_compare(rp, t, item);
    } else if (kind == RECORD_ALLOC) {
        feed_alloc(rp, t, item);
    } else if (kind == RECORD_FREE) {
        do_call(rp, t, item);
    } else {
        bool same = rp->successes == item->n;
        snprintf(text, sizeof text, "exhausted after %" PRIu64 " pages; the kernel: %u",
                 rp->successes, item->n);
        note(rp, t, item->line, same ? NOTE_EXPECT_OK : NOTE_EXPECT_FAILED, text);
    }
    rp->next++;
    return true;
}
