/* Cleaning, invalidating and flushing lines, by address or all: see hw/memsys.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_full.h"

/* One line of an L1. True: it was written back. */
static bool op_l1(struct memsys *m, enum side side, struct slot at, enum cache_op op)
{
    const bool exclusive = m->config.inclusion == INCLUSION_EXCLUSIVE && m->has_l2;
    const bool write = (op & CACHE_CLEAN) && (*slot_attr(at) & CACHE_DIRTY);
    if (write && exclusive) {
        flush_down(m, side, at);
    } else if (write) {
        lower_victim(m, side, at);
        slot_set_attr(at, *slot_attr(at) & ~(unsigned)CACHE_DIRTY);
    }
    if (op & CACHE_INVALIDATE) {
        slot_drop(at);
    }
    return write;
}

/* One line of L2. */
static bool op_l2(struct memsys *m, struct slot at, enum cache_op op)
{
    const bool write = (op & CACHE_CLEAN) && (*slot_attr(at) & CACHE_DIRTY);
    if (op & CACHE_INVALIDATE && m->config.inclusion == INCLUSION_INCLUSIVE) {
        /* what is above it goes with it: written back, unless all is thrown away */
        l2_evict_above(m, at, (op & CACHE_CLEAN) != 0);
    }
    if ((op & CACHE_CLEAN) && (*slot_attr(at) & CACHE_DIRTY)) {
        l2_write_back_full(m, at);
    }
    if (op & CACHE_INVALIDATE) {
        slot_drop(at);
    }
    return write;
}

static uint32_t op_copies(struct memsys *m, uint64_t pa, uint32_t size_bytes,
                          enum cache_op op, unsigned where)
{
    uint32_t written = 0;
    struct slot at;
    memsys_mark_state(m);
    for (int side = 0; side < NR_SIDES; side++) {
        if (m->front[side].has_l1 && where >> side & 1) {
            struct copies it = copies_of(m, &m->front[side].l1, pa, size_bytes);
            while (copies_next(&it, &at)) {
                written += op_l1(m, (enum side)side, at, op);
            }
        }
    }
    if (m->has_l2 && where & OP_L2) {
        struct copies it = copies_of(m, &m->l2, pa, size_bytes);
        while (copies_next(&it, &at)) {
            written += op_l2(m, at, op);
        }
    }
    return written;
}

/* Without coherence, virtual tags: the line under this address, and no other. */
static uint32_t op_virtual(struct memsys *m, uint64_t va, enum cache_op op,
                           unsigned where)
{
    uint32_t written = 0;
    for (int side = 0; side < NR_SIDES; side++) {
        struct cache *c = &m->front[side].l1;
        if (m->front[side].has_l1 && where >> side & 1) {
            const uint64_t line = va >> c->line_shift;
            struct slot at = slot_find(c, line, line ^ m->s->line_space);
            written += slot_found(at) && op_l1(m, (enum side)side, at, op);
        }
    }
    return written;
}

bool memsys_op_line(struct memsys *m, uint64_t va, enum cache_op op, unsigned where)
{
    memsys_home(m);
    uint64_t entry;
    uint32_t written = 0;
    memsys_mark_state(m);
    if (!translate_full(m, va, ACCESS_READ, &entry)) {
        return false;
    }
    const uint64_t pa = m->config.translation == TRANSLATE_IDENTITY
                            ? va
                            : tlb_entry_translate(entry, va).v;
    if (m->config.coherent) {
        const uint64_t line = pa & ~(uint64_t)(m->bus_line - 1);
        for (uint32_t i = 0; i < nr_nodes(m); i++) {
            written += op_copies(node(m, i), line, m->bus_line, op, where);
        }
    } else if (m->virtual_tags) {
        written = op_virtual(m, va, op, where);
        written += op_copies(m, pa, 1, op, where & OP_L2);
    } else {
        written = op_copies(m, pa, 1, op, where);
    }
    m->s->n.line_flushes++;
    probe(m->probe, HW_EV_CACHE_OP, op, va, pa, written);
    return true;
}

bool memsys_op_page(struct memsys *m, uint64_t va, enum cache_op op, unsigned where)
{
    memsys_home(m);
    const uint64_t page = va & ~(uint64_t)(PAGE_SIZE - 1);
    uint32_t step = m->has_l2 ? m->config.l2.line_bytes : PAGE_SIZE;
    for (int side = 0; side < NR_SIDES; side++) {
        if (m->front[side].has_l1 && m->config.l1[side].line_bytes < step) {
            step = m->config.l1[side].line_bytes;
        }
    }
    for (uint32_t at = 0; at < PAGE_SIZE; at += step) {
        if (!memsys_op_line(m, page + at, op, where)) {
            return false;
        }
    }
    return true;
}

uint32_t memsys_op_all(struct memsys *m, enum cache_op op, unsigned where)
{
    memsys_home(m);
    uint32_t written = 0;
    memsys_mark_state(m);
    for (int level = SIDE_I; level <= NR_SIDES; level++) {
        struct cache *c = level == NR_SIDES ? &m->l2 : &m->front[level].l1;
        const bool there = level == NR_SIDES ? m->has_l2 : m->front[level].has_l1;
        for (uint32_t set = 0; there && where >> level & 1 && set < c->config.sets;
             set++) {
            struct slot at = {c, cache_set_at(c, set), 0};
            for (; at.way < c->config.ways; at.way++) {
                if (at.s->key[at.way] != CACHE_NO_KEY) {
                    written += level == NR_SIDES ? op_l2(m, at, op)
                                                 : op_l1(m, (enum side)level, at, op);
                }
            }
        }
    }
    probe(m->probe, HW_EV_CACHE_OP_ALL, op, where, written);
    return written;
}
