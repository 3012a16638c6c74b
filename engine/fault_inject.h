/* Fault injection: requests for pages and for objects that fail although there is memory,
 * so that one sees what callers do then.
 *
 * Models lib/fault-inject.c, fail_page_alloc of mm/page_alloc.c and mm/failslab.c. The
 * attributes have the names of their files in /sys/kernel/debug/fail_page_alloc and
 * /sys/kernel/debug/failslab, and the kernel's values at first: interval 1, times 1,
 * probability 0, requests that may reclaim and HighMem left alone, fail_page_alloc only
 * from order 1 on. Which requests fail when the probability is not 100 is a function of
 * the machine's seed.
 *
 * A request fails if it passes, in this order: the filters (min-order, __GFP_NOFAIL,
 * ignore-gfp-highmem, ignore-gfp-wait, cache-filter); fail-nth, which alone decides while
 * it counts; times, space, interval, probability.
 *
 * I1  A machine on which nothing was ever set has zeros here.
 *
 * Left out: task-filter, stacktrace filters and verbose (an event tells of each failure).
 * fail-nth is the machine's, not a task's; like there it counts in process context only.
 * cache-filter names one cache instead of marking several.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_FAULT_INJECT_H
#define ENGINE_FAULT_INJECT_H

#include "mm.h"

/* FAULT_FIELD(ID, "file", lowest, highest, "what it means"): what can be set. */
#define FAULT_FIELDS(X)                                                                  \
    X(PROBABILITY, "probability", 0, 100, "how many of 100 requests fail")               \
    X(INTERVAL, "interval", 0, INT32_MAX, "only every so many-th request")               \
    X(TIMES, "times", -1, INT32_MAX, "how often at most; -1: without end")               \
    X(SPACE, "space", 0, INT32_MAX, "so many pages or bytes are given out before")       \
    X(IGNORE_GFP_WAIT, "ignore-gfp-wait", 0, 1, "requests that may reclaim do not fail") \
    X(IGNORE_GFP_HIGHMEM, "ignore-gfp-highmem", 0, 1, "nor do those for HighMem")        \
    X(MIN_ORDER, "min-order", 0, MAX_ORDER, "only pages of this order or more")          \
    X(CACHE_FILTER, "cache-filter", 0, UINT32_MAX, "only objects of this cache; 0: all")
#define FAULT_FIELD_ENUM_(id, file, lowest, highest, meaning) FAULT_##id,
enum fault_field { FAULT_FIELDS(FAULT_FIELD_ENUM_) NR_FAULT_FIELDS };
#undef FAULT_FIELD_ENUM_

/* "probability"; NULL past the end. */
const char *fault_field_name(uint32_t field);
/* "fail_page_alloc", "failslab" */
const char *fault_point_name(uint32_t point);

/* OP_FAULT_ATTR: false, and a report: there is no such attribute, or the value is out of
 * its range. */
bool fault_set(struct machine *m, uint64_t point, uint64_t field, int64_t value);
/* The value that it has, the kernel's first one if nothing was set. */
int64_t fault_get(const struct machine *m, uint32_t point, uint32_t field);
/* Requests that passed the filters since something was set, and those that failed. */
uint64_t fault_calls(const struct machine *m, uint32_t point);
uint64_t fault_injected(const struct machine *m, uint32_t point);
/* OP_FAIL_NTH; 0: off. */
void fault_set_nth(struct machine *m, uint64_t nth);
uint32_t fault_nth(const struct machine *m);

bool __should_fail_alloc_page(struct machine *m, gfp_t gfp, uint32_t order);
bool __should_failslab(struct machine *m, uint32_t cache, uint32_t size, bool boot,
                       gfp_t gfp);

/* Shall this request fail? To be asked once, when it begins. Operations that nobody
 * watches take the quick way only while nothing is set (machine_do). */
#ifdef PROBE_QUIET
enum { FAULTS_POSSIBLE = 0 };
#else
enum { FAULTS_POSSIBLE = 1 };
#endif
static inline bool should_fail_alloc_page(struct machine *m, gfp_t gfp, uint32_t order)
{
    return FAULTS_POSSIBLE && UNLIKELY(m->mm->faults.on) &&
           __should_fail_alloc_page(m, gfp, order);
}
/* boot: it is the cache of caches. */
static inline bool should_failslab(struct machine *m, uint32_t cache, uint32_t size,
                                   bool boot, gfp_t gfp)
{
    return FAULTS_POSSIBLE && UNLIKELY(m->mm->faults.on) &&
           __should_failslab(m, cache, size, boot, gfp);
}

const char *fault_check(const struct machine *m);

#endif
