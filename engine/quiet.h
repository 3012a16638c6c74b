/* The page allocator a second time, for operations that nobody watches.
 *
 * Whether an operation is watched is known when it begins: probe.stop is then not
 * UINT64_MAX, and only a hook, which runs only when watched, may change that. So
 * allocator_quiet.c is allocator.c again, compiled with PROBE_QUIET: events are counted
 * and nothing else, and the call stack is not kept (nor is it otherwise, see probe.h).
 * Everything that the files define for others gets another name here, so that both can be
 * linked; only the two entries below are called from outside.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_QUIET_H
#define ENGINE_QUIET_H

#include "types.h"

struct machine;
uint64_t alloc_pages_quiet(struct machine *m, uint32_t gfp, uint64_t order);
void __free_pages_quiet(struct machine *m, uint64_t frame, uint64_t order);

#endif
