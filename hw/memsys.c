/* Accesses as operations of the machine, every step announced and marked, and flushes:
 * see hw/memsys.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_full.h"
#include "memsys_path.h"

static HW_NOINLINE bool reference_live(struct memsys *m, uint64_t va, uint32_t size,
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

/* Most accesses hit the youngest line of their set; with virtual tags that is quickly
 * seen. */
bool memsys_access(struct memsys *m, uint64_t va, uint32_t size_bytes,
                   enum access_kind access, void *bytes)
{
    struct front *f = &m->front[access != ACCESS_FETCH];
    const struct cache *c = &f->l1;
    const uint64_t line = va >> c->line_shift;
    if (!m->quick_live || (va + size_bytes - 1) >> c->line_shift != line) {
        return reference_live(m, va, size_bytes, access, bytes);
    }
    const uint64_t set = line & c->set_mask;
    struct cache_set *s = (struct cache_set *)(void *)(c->sets + set * c->stride);
    const uint32_t way = (uint32_t)s->order & 15;
    uint8_t *attr = (uint8_t *)s + c->attr_at + way;
    if (s->key[way] != (line ^ m->s->line_space) ||
        !(m->s->line_may[access] >> (*attr & CACHE_NEEDS) & 1)) {
        return reference_live(m, va, size_bytes, access, bytes);
    }
    arena_mark(m->arena, &m->s->n.l1_access[access]);
    m->s->n.l1_access[access]++;
    if (m->config.cost) {
        arena_mark(m->arena, &m->s->last_quick);
        m->s->last_quick = 1 + (uint32_t)access;
    }
    probe(m->probe, HW_EV_L1_PROBE, access != ACCESS_FETCH, va, set, way, true);
    if (access == ACCESS_WRITE) {
        arena_mark(m->arena, attr);
        *attr |= CACHE_DIRTY;
    }
    return true;
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
