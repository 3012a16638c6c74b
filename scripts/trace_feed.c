/* A trace on the screen.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hardware.h"
#include "host.h"
#include "inspect_hw.h"
#include "mm_struct.h"

enum {
    BATCH = 512,
    WAIT_MS = 1 /* for a pipe, before somebody may interrupt */
};

struct trace_feed {
    struct trace_setup setup;
    struct ref_plan plan;
    struct trace_reader *reader; /* NULL: the generator */
    struct syn syn;
    struct ref refs[BATCH];
    size_t at, nr;
    uint64_t references; /* done or begun */
    /* what is left of refs[at] */
    bool second;   /* its first access is done */
    uint32_t done; /* bytes of this access */
    bool begun, ended;
    char error[512]; /* what is wrong behind refs[] */
};

struct trace_feed *trace_feed_open(const struct trace_setup *setup, const char *path,
                                   uint64_t syn, char *err, size_t err_size)
{
    struct trace_feed *f = calloc(1, sizeof *f);
    if (!f) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    f->setup = *setup;
    f->plan = ref_plan(setup->as_reads);
    f->syn = syn_begin(syn);
    if (path && !(f->reader = trace_open(path, err, err_size))) {
        free(f);
        return NULL;
    }
    return f;
}

void trace_feed_close(struct trace_feed *f)
{
    if (f) {
        trace_close(f->reader);
        free(f);
    }
}

struct timeline *trace_feed_timeline(struct trace_feed *f,
                                     const struct timeline_options *o, char *err,
                                     size_t err_size)
{
    struct machine_config c = f->setup.kernel;
    c.cpus = 1;
    c.hw.mem = f->setup.machine;
    c.hw.mem.cost = f->setup.cost;
    c.hw.traced = !f->setup.tables;
    return timeline_create(&c, &host_memory, o, err, err_size);
}

static void note(struct timeline *t, enum note_kind kind, const char *text)
{
    const struct op op = {.kind = OP_NOTE,
                          .origin = ORIGIN_REPLAY,
                          .arg = {kind, timeline_intern(t, text)}};
    timeline_do(t, &op);
}

/* The end, or what is wrong there: said once. */
static bool finish(struct trace_feed *f, struct timeline *t, const char *err)
{
    char text[600];
    if (f->ended) {
        return false;
    }
    f->ended = true;
    if (*err) {
        note(t, NOTE_ERROR, err);
    } else {
        snprintf(text, sizeof text, "The trace ends here, after %" PRIu64 " references.",
                 f->references);
        note(t, NOTE_SAY, text);
    }
    return true;
}

static uint64_t do_op(struct timeline *t, uint16_t kind, uint64_t a0, uint64_t a1,
                      uint64_t a2, uint64_t a3)
{
    const struct op op = {.kind = kind, .origin = ORIGIN_REPLAY, .arg = {a0, a1, a2, a3}};
    return timeline_do(t, &op);
}

/* A process that may touch everything, in the machine with page tables. */
static void begin_process(struct timeline *t)
{
    const uint64_t end = as_task_size(timeline_machine(t)) - PAGE_SIZE;
    const uint64_t mm = do_op(t, OP_MM_CREATE, 0, 0, 0, 0);
    do_op(t, OP_MMAP, mm, PAGE_SIZE, end - PAGE_SIZE, VM_ALL);
    do_op(t, OP_SWITCH_MM, mm, 0, 0, 0);
}

/* The next access of the reference at hand. */
static struct op next_access(const struct trace_feed *f)
{
    const struct ref *r = &f->refs[f->at];
    const unsigned kind = f->second ? f->plan.second[r->kind] : f->plan.first[r->kind];
    const uint32_t left = r->size - f->done;
    const uint32_t size = left < HARDWARE_MAX_BYTES ? left : HARDWARE_MAX_BYTES;
    struct op op = {.origin = ORIGIN_REPLAY, .arg = {r->va + f->done, size, MODE_USER}};
    switch (kind) {
    case ACCESS_READ:
        op.kind = OP_LOAD;
        break;
    case ACCESS_WRITE:
        op.kind = OP_STORE;
        op.arg[2] = 0; /* the trace does not tell what was stored */
        op.arg[3] = MODE_USER;
        break;
    default:
        op.kind = OP_FETCH;
        op.arg[1] = MODE_USER;
        op.arg[2] = size;
        break;
    }
    return op;
}

/* False: it faulted, and nobody could mend it. */
static bool do_access(struct timeline *t, const struct op *op)
{
    timeline_do(t, op);
    const struct last_access last = hw_last_access(timeline_machine(t), 0);
    return last.done && last.va == op->arg[0]; /* else it was refused before it began */
}

/* More references, unless some are left; none: the end, or f->error. */
static void more_refs(struct trace_feed *f)
{
    if (f->at == f->nr && !f->ended && !f->error[0]) {
        f->at = 0;
        f->nr = f->reader
                    ? trace_read(f->reader, f->refs, BATCH, f->error, sizeof f->error)
                    : syn_read(&f->syn, f->refs, BATCH);
    }
}

bool trace_feed_ready(void *ctx)
{
    const struct trace_feed *f = ctx;
    return !f->reader || f->at < f->nr || f->ended || f->error[0] ||
           trace_ready(f->reader, WAIT_MS);
}

bool trace_feed_peek(void *ctx, struct op *op)
{
    struct trace_feed *f = ctx;
    if ((f->setup.tables && !f->begun) || f->ended) {
        return false;
    }
    if (f->at == f->nr && (!f->reader || trace_ready(f->reader, 0))) {
        more_refs(f);
    }
    if (f->at < f->nr) {
        *op = next_access(f);
    }
    return f->at < f->nr;
}

bool trace_feed_next(void *ctx, struct timeline *t)
{
    struct trace_feed *f = ctx;
    if (!f->begun && f->setup.tables) {
        begin_process(t);
    }
    f->begun = true;
    more_refs(f);
    if (f->at == f->nr) {
        return finish(f, t, f->error);
    }
    const struct ref *r = &f->refs[f->at];
    const struct op op = next_access(f);
    f->references += !f->second && !f->done;
    if (!do_access(t, &op)) {
        snprintf(f->error, sizeof f->error,
                 "reference %" PRIu64 ": the access to 0x%" PRIx64
                 " faults, it is no address of this process",
                 f->references, r->va);
        f->at = f->nr = 0;
        return finish(f, t, f->error);
    }
    f->done += op.kind == OP_FETCH ? (uint32_t)op.arg[2] : (uint32_t)op.arg[1];
    if (f->done < r->size) {
        return true;
    }
    f->done = 0;
    f->second = !f->second && f->plan.second[r->kind] != NR_ACCESS_KINDS;
    f->at += !f->second;
    return true;
}
