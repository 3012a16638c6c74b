/* The bus: what the caches of several processors, and the two L1s of one, do about each
 * other's lines. See hw/smp.h for the protocol.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "memsys_full.h"

/* An index that is virtual agrees with the physical one below the page's size only: any
 * set that does may hold the line. */
struct copies copies_of(const struct memsys *m, struct cache *c, uint64_t pa,
                        uint32_t size_bytes)
{
    struct copies it = {.c = c,
                        .line = pa >> c->line_shift,
                        .last = (pa + size_bytes - 1) >> c->line_shift};
    const uint32_t lines_a_page = PAGE_SIZE >> c->line_shift, sets = c->config.sets;
    const bool physical = m->config.tagging == TAG_PIPT || c->sets == m->l2.sets;
    it.step = physical ? sets : c->modulo ? 1 : lines_a_page < sets ? lines_a_page : sets;
    it.set = physical    ? cache_set_number(c, it.line)
             : c->modulo ? 0
                         : (uint32_t)it.line & (it.step - 1);
    return it;
}

static void copies_next_line(struct copies *it)
{
    const uint32_t sets = it->c->config.sets;
    it->line++;
    it->way = 0;
    it->set = it->step == sets ? cache_set_number(it->c, it->line)
              : it->c->modulo  ? 0
                               : (uint32_t)it->line & (it->step - 1);
}

bool copies_next(struct copies *it, struct slot *at)
{
    while (it->line <= it->last) {
        for (; it->set < it->c->config.sets; it->set += it->step, it->way = 0) {
            struct cache_set *s = cache_set_at(it->c, it->set);
            const uint64_t *keys = it->c->config.homes ? cache_home(it->c, s, 0) : s->key;
            while (it->way < it->c->config.ways) {
                uint32_t way = it->way++;
                if (keys[way] == it->line && s->key[way] != CACHE_NO_KEY) {
                    *at = (struct slot){it->c, s, way};
                    return true;
                }
            }
        }
        copies_next_line(it);
    }
    return false;
}

void l2_write_back_full(struct memsys *m, struct slot at)
{
    const uint64_t pa = slot_pa(at);
    memsys_mark_state(m);
    m->s->n.l2_writeback++;
    if (at.c->data) {
        ram_write(m->ram, paddr(pa), slot_data(at), at.c->config.line_bytes);
    }
    slot_set_attr(at, *slot_attr(at) & ~(unsigned)CACHE_DIRTY);
    probe(m->probe, HW_EV_CACHE_WRITEBACK, 2, pa);
}

void flush_down(struct memsys *m, enum side side, struct slot at)
{
    const uint64_t pa = slot_pa(at);
    const uint32_t size = at.c->config.line_bytes;
    struct slot below = {.way = CACHE_NO_WAY};
    memsys_mark_state(m);
    m->s->n.l1_writeback[side]++;
    if (m->has_l2) {
        below = slot_find(&m->l2, pa >> m->l2.line_shift, pa >> m->l2.line_shift);
    }
    if (slot_found(below)) {
        m->s->n.l2_access[L2_VICTIM]++;
        slot_set_attr(below, *slot_attr(below) | CACHE_DIRTY | CACHE_OWNED);
        if (at.c->data) {
            unsigned char *to = slot_data(below) + (pa & (m->l2.config.line_bytes - 1));
            arena_mark(m->arena, to);
            memcpy(to, slot_data(at), size);
        }
    } else {
        m->s->n.direct_bytes += size;
        if (at.c->data) {
            ram_write(m->ram, paddr(pa), slot_data(at), size);
        }
    }
    slot_set_attr(at, *slot_attr(at) & ~(unsigned)CACHE_DIRTY);
    probe(m->probe, HW_EV_CACHE_WRITEBACK, 1, pa);
}

/* One line answers; before: its state before it was flushed. */
static void answer(struct memsys *m, uint32_t level, struct slot at, enum mesi before,
                   enum snoop how)
{
    const uint64_t pa = slot_pa(at);
    if (how == SNOOP_INVALIDATE) {
        memsys_mark_state(m);
        m->s->n.invalidated++;
        slot_drop(at);
    } else {
        slot_set_attr(at, *slot_attr(at) & ~(unsigned)CACHE_OWNED);
    }
    probe(m->probe, HW_EV_SNOOP, m->cpu, level, pa, before,
          how == SNOOP_INVALIDATE ? MESI_I : MESI_S);
}

static bool snoop_l1(struct memsys *m, enum side side, uint64_t pa, uint32_t size_bytes,
                     enum snoop how, bool *supplied)
{
    struct cache *c = &m->front[side].l1;
    bool found = false;
    if (!m->front[side].has_l1) {
        return false;
    }
    struct copies it = copies_of(m, c, pa, size_bytes);
    for (struct slot at; copies_next(&it, &at); found = true) {
        const enum mesi before = cache_mesi(*slot_attr(at));
        if (before == MESI_M) {
            flush_down(m, side, at);
            *supplied = true;
        }
        answer(m, 1, at, before, how);
    }
    return found;
}

bool snoop_side(struct memsys *m, enum side side, uint64_t pa, uint32_t size_bytes,
                enum snoop how)
{
    bool supplied = false;
    return snoop_l1(m, side, pa, size_bytes, how, &supplied);
}

struct snooped snoop_node(struct memsys *m, uint64_t pa, uint32_t size_bytes,
                          enum snoop how)
{
    struct snooped r = {false, false};
    for (int side = 0; side < NR_SIDES; side++) {
        r.found |= snoop_l1(m, (enum side)side, pa, size_bytes, how, &r.supplied);
    }
    if (l2_private(m)) {
        struct copies it = copies_of(m, &m->l2, pa, size_bytes);
        for (struct slot at; copies_next(&it, &at); r.found = true) {
            const enum mesi before = cache_mesi(*slot_attr(at));
            if (before == MESI_M) {
                l2_write_back_full(m, at);
                r.supplied = true;
            }
            answer(m, 2, at, before, how);
        }
    }
    return r;
}

struct snooped bus_request(struct memsys *m, enum bus_kind kind, uint64_t pa)
{
    struct snooped all = {false, false};
    const uint64_t line = pa & ~(uint64_t)(m->bus_line - 1);
    if (!m->config.coherent) {
        return all;
    }
    memsys_mark_state(m);
    m->s->n.bus[kind]++;
    probe(m->probe, HW_EV_BUS, kind, m->cpu, line);
    for (uint32_t i = 0; i < nr_nodes(m); i++) {
        if (node(m, i) != m) {
            struct snooped one =
                snoop_node(node(m, i), line, m->bus_line,
                           kind == BUS_RD ? SNOOP_SHARE : SNOOP_INVALIDATE);
            all.found |= one.found;
            all.supplied |= one.supplied;
        }
    }
    m->s->n.supplied += all.supplied;
    return all;
}

void bus_own(struct memsys *m, uint64_t pa)
{
    if (!m->config.coherent) {
        return;
    }
    const uint64_t line = pa & ~(uint64_t)(m->bus_line - 1);
    snoop_side(m, SIDE_I, line, m->bus_line, SNOOP_INVALIDATE);
    if (l2_private(m)) {
        struct slot at =
            slot_find(&m->l2, pa >> m->l2.line_shift, pa >> m->l2.line_shift);
        if (slot_found(at)) {
            if (!(*slot_attr(at) & CACHE_OWNED)) {
                bus_request(m, BUS_UPGR, pa);
                slot_set_attr(at, *slot_attr(at) | CACHE_OWNED);
            }
            return;
        }
    }
    bus_request(m, BUS_UPGR, pa);
}
