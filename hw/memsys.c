/* Accesses as operations of the machine, every step announced and marked, and flushes:
 * see hw/memsys.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_full.h"
#include "memsys_lean.h"
#include "memsys_path.h"

bool memsys_access_whole(struct memsys *m, uint64_t va, uint32_t size,
                         enum access_kind access, unsigned char *bytes)
{
    memsys_mark_state(m);
    if (m->config.cost) {
        m->s->before = m->s->n;
        m->s->last_quick = 0;
    }
    const bool crosses = (va & (PAGE_SIZE - 1)) + size > PAGE_SIZE;
    if (m->full ||
        (crosses && access == ACCESS_WRITE && m->virtual_tags && !m->on_fault)) {
        return memsys_access_full(m, va, size, access, bytes);
    }
    return reference(m, va, size, access, bytes, LIVE);
}

/* ---- flushes ---- */

static uint32_t flush(struct memsys *m, unsigned where, bool clean, bool invalidate)
{
    const unsigned op = (clean ? CACHE_CLEAN : 0) | (invalidate ? CACHE_INVALIDATE : 0);
    return memsys_op_all(m, (enum cache_op)op, where);
}

uint32_t memsys_flush_l1(struct memsys *m, enum side side, bool clean, bool invalidate)
{
    return flush(m, 1u << side, clean, invalidate);
}

uint32_t memsys_flush_l2(struct memsys *m, bool clean, bool invalidate)
{
    return flush(m, OP_L2, clean, invalidate);
}
