/* A trace on the screen: each reference becomes one operation of a timeline, a load, a
 * store or a fetch (a modify two), so that it can be gone through in both directions. The
 * file is read as one goes on.
 *
 * The counts are those of trace_run, with one exception: a reference of more than
 * HARDWARE_MAX_BYTES is made in pieces. With page tables the process is one of the
 * machine's own (engine/mm_struct.h), whose faults its kernel handles, event by event;
 * there a page that is read before it is written is the zero page, so counts are a little
 * different from those of trace_run's simpler process.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_TRACE_FEED_H
#define SCRIPTS_TRACE_FEED_H

#include "timeline.h"
#include "trace_reader.h"
#include "trace_setup.h"

struct trace_feed;

/* References come from the file, or, when path is NULL, syn of the generator. NULL: err
 * says why. */
struct trace_feed *trace_feed_open(const struct trace_setup *setup, const char *path,
                                   uint64_t syn, char *err, size_t err_size);
void trace_feed_close(struct trace_feed *f);
/* The machine under a timeline, before the first reference. NULL: err says why. */
struct timeline *trace_feed_timeline(struct trace_feed *f,
                                     const struct timeline_options *o, char *err,
                                     size_t err_size);
/* Do the next operation; false when there is none left. For session_set_feed; ctx is the
 * struct trace_feed. */
bool trace_feed_next(void *ctx, struct timeline *t);
/* Will it do so without waiting for a pipe? For session_set_feed_ready. */
bool trace_feed_ready(void *ctx);
/* What it will do, if that is known without waiting. For session_set_feed_peek. */
bool trace_feed_peek(void *ctx, struct op *op);

#endif
