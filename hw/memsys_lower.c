/* Below the first level, the full way: L2 with its inclusion, the walker's entries, and
 * what goes past the caches. See hw/memsys.h, hw/smp.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "memsys_full.h"

/* ---- L2's lines ---- */

static bool exclusive(const struct memsys *m)
{
    return m->config.inclusion == INCLUSION_EXCLUSIVE;
}

/* Does a first-level cache over this L2 hold the line, another than the slot except? */
static bool held_above(struct memsys *m, uint64_t pa, struct slot except)
{
    for (uint32_t i = 0; i < nr_nodes(m); i++) {
        struct memsys *o = node(m, i);
        for (int side = 0; side < NR_SIDES && (o == m || l2_shared(m)); side++) {
            if (!o->front[side].has_l1) {
                continue;
            }
            struct copies it =
                copies_of(o, &o->front[side].l1, pa, m->l2.config.line_bytes);
            for (struct slot at; copies_next(&it, &at);) {
                if (at.s != except.s || at.way != except.way) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* What the L1s over this L2 hold of the line goes; what is dirty goes into the line, if
 * write_back. */
void l2_evict_above(struct memsys *m, struct slot line, bool write_back)
{
    const uint64_t pa = slot_pa(line);
    for (uint32_t i = 0; i < nr_nodes(m); i++) {
        struct memsys *o = node(m, i);
        for (int side = 0; side < NR_SIDES && (o == m || l2_shared(m)); side++) {
            if (!o->front[side].has_l1) {
                continue;
            }
            struct copies it =
                copies_of(o, &o->front[side].l1, pa, m->l2.config.line_bytes);
            for (struct slot at; copies_next(&it, &at);) {
                const uint64_t home = slot_pa(at);
                if (write_back && (*slot_attr(at) & CACHE_DIRTY)) {
                    flush_down(o, (enum side)side, at);
                }
                memsys_mark_state(o);
                o->s->n.back_invalidated++;
                slot_drop(at);
                probe(m->probe, HW_EV_BACK_INVALIDATE, o->cpu, side, home);
            }
        }
    }
}

void l2_evict(struct memsys *m, struct slot at)
{
    if (m->config.inclusion == INCLUSION_INCLUSIVE) {
        l2_evict_above(m, at, true);
    }
    if (*slot_attr(at) & CACHE_DIRTY) {
        l2_write_back_full(m, at);
    }
}

static void classify_l2(struct memsys *m, uint64_t line, bool hit)
{
    if (!m->config.causes) {
        return;
    }
    if (hit) {
        missclass_hit(&m->l2_causes, line);
    } else {
        missclass_miss(&m->l2_causes, line, &m->s->n.l2_causes);
    }
}

/* Look a line up, counted. */
static struct slot l2_probe(struct memsys *m, uint64_t pa, enum l2_use use)
{
    const uint64_t line = pa >> m->l2.line_shift;
    struct slot at = slot_find(&m->l2, line, line);
    const bool hit = slot_found(at);
    m->s->n.l2_access[use]++;
    m->s->n.l2_miss[use] += !hit;
    if (hit) {
        cache_touch(at.c, at.s, at.way, CACHE_MARK);
    }
    probe(m->probe, HW_EV_L2_PROBE, pa, cache_number_of(at.c, at.s),
          hit ? (int64_t)at.way : -1, hit, use);
    classify_l2(m, line, hit);
    return at;
}

/* A line comes into L2. asked: memory is asked for it, nobody else has supplied it. */
static struct slot l2_fill(struct memsys *m, uint64_t pa, unsigned attr, bool asked)
{
    struct cache *c = &m->l2;
    const uint64_t line = pa >> c->line_shift;
    struct slot at = {c, cache_set_of(c, line), 0};
    at.way = cache_take_victim(c, at.s, CACHE_MARK);
    const unsigned old = *slot_attr(at);
    if (asked) {
        probe(m->probe, HW_EV_MEM_READ, line << c->line_shift);
    }
    if (old) {
        probe(m->probe, HW_EV_CACHE_EVICT, 2, at.s->key[at.way],
              (old & CACHE_DIRTY) != 0);
        l2_evict(m, at);
    }
    if (c->data) {
        arena_mark(m->arena, slot_data(at));
        ram_read(m->ram, paddr(line << c->line_shift), slot_data(at),
                 c->config.line_bytes);
    }
    cache_mark_way(c, at.s, at.way);
    cache_put(c, at.s, at.way, line, attr | CACHE_VALID);
    probe(m->probe, HW_EV_CACHE_FILL, 2, line, cache_number_of(c, at.s), at.way);
    return at;
}

static void l2_bytes_in(struct slot at, uint64_t pa, const unsigned char *bytes,
                        uint32_t size)
{
    if (at.c->data && bytes) {
        unsigned char *to = slot_data(at) + (pa & (at.c->config.line_bytes - 1));
        arena_mark(at.c->arena, to);
        memcpy(to, bytes, size);
    }
}

static void l2_bytes_out(struct slot at, uint64_t pa, unsigned char *bytes, uint32_t size)
{
    if (at.c->data && bytes) {
        memcpy(bytes, slot_data(at) + (pa & (at.c->config.line_bytes - 1)), size);
    }
}

static void memory_read(struct memsys *m, uint64_t pa, unsigned char *bytes,
                        uint32_t size)
{
    if (m->config.data && bytes) {
        ram_read(m->ram, paddr(pa), bytes, size);
    }
}

static void memory_write(struct memsys *m, uint64_t pa, const unsigned char *bytes,
                         uint32_t size)
{
    m->s->n.direct_bytes += size;
    if (m->config.data && bytes) {
        ram_write(m->ram, paddr(pa), bytes, size);
    }
}

/* ---- what L1 asks for ---- */

/* The line is in an exclusive L2: it moves up. What cannot be dirty in L1 (an instruction
 * cache, a write-through one) is written to memory first. */
static struct fetched move_up(struct memsys *m, enum side side, struct slot at,
                              bool owned)
{
    struct fetched r = {owned, (*slot_attr(at) & CACHE_DIRTY) != 0};
    const uint64_t line = slot_home(at);
    if (r.dirty && (side == SIDE_I || m->config.write_through)) {
        l2_write_back_full(m, at);
        r.dirty = false;
    }
    slot_drop(at);
    probe(m->probe, HW_EV_CACHE_MOVE, line << m->l2.line_shift, true);
    return r;
}

struct fetched lower_fetch(struct memsys *m, enum side side, uint64_t pa,
                           uint32_t size_bytes, bool write, unsigned char *bytes)
{
    const bool coherent = m->config.coherent, private = l2_private(m);
    const enum side other = side == SIDE_I ? SIDE_D : SIDE_I;
    struct snooped others = {false, false};
    bool beside = false;
    if (coherent) {
        beside =
            snoop_side(m, other, pa, size_bytes, write ? SNOOP_INVALIDATE : SNOOP_SHARE);
    }
    if (!private) {
        others = bus_request(m, write ? BUS_RDX : BUS_RD, pa);
    }
    if (!m->has_l2) {
        m->s->n.l2_access[L2_FETCH]++;
        m->s->n.l2_miss[L2_FETCH]++;
        m->s->n.spared += others.supplied;
        if (!others.supplied) {
            probe(m->probe, HW_EV_MEM_READ, pa);
        }
        memory_read(m, pa, bytes, size_bytes);
        return (struct fetched){write || (!others.found && !beside), false};
    }
    struct slot at = l2_probe(m, pa, L2_FETCH);
    bool owned = !others.found;
    if (slot_found(at)) {
        if (private && coherent && write && !(*slot_attr(at) & CACHE_OWNED)) {
            bus_request(m, BUS_UPGR, pa);
            slot_set_attr(at, *slot_attr(at) | CACHE_OWNED);
        }
        owned = private ? *slot_attr(at) & CACHE_OWNED : owned;
    } else {
        if (private) {
            others = bus_request(m, write ? BUS_RDX : BUS_RD, pa);
            owned = !others.found || write;
        }
        m->s->n.spared += others.supplied;
        if (exclusive(m)) {
            if (!others.supplied) {
                probe(m->probe, HW_EV_MEM_READ, pa);
            }
            memory_read(m, pa, bytes, size_bytes);
            return (struct fetched){write || (owned && !beside), false};
        }
        at = l2_fill(m, pa, !private || owned ? CACHE_OWNED : 0, !others.supplied);
    }
    l2_bytes_out(at, pa, bytes, size_bytes);
    owned = write || (owned && !beside);
    return exclusive(m) ? move_up(m, side, at, owned) : (struct fetched){owned, false};
}

void lower_victim(struct memsys *m, enum side side, struct slot victim)
{
    const uint64_t pa = slot_pa(victim);
    const uint32_t size = victim.c->config.line_bytes;
    const unsigned attr = *slot_attr(victim);
    const unsigned char *bytes = victim.c->data ? slot_data(victim) : NULL;
    if (attr & CACHE_DIRTY) {
        m->s->n.l1_writeback[side]++;
        probe(m->probe, HW_EV_CACHE_WRITEBACK, 1, pa);
    }
    if (!m->has_l2) {
        m->s->n.l2_access[L2_VICTIM]++;
        m->s->n.l2_miss[L2_VICTIM]++;
        memory_write(m, pa, bytes, size);
        return;
    }
    if (exclusive(m) && !(attr & CACHE_DIRTY) && held_above(m, pa, victim)) {
        return;
    }
    struct slot at = l2_probe(m, pa, L2_VICTIM);
    if (slot_found(at)) {
        slot_set_attr(at, *slot_attr(at) | CACHE_OWNED | (attr & CACHE_DIRTY));
    } else {
        /* who owns a part of a bus line owns all of it: the rest of a longer line is in
           memory */
        const unsigned owned = l2_private(m) ? attr & CACHE_OWNED : CACHE_OWNED;
        at = l2_fill(m, pa, owned | (attr & CACHE_DIRTY), false);
    }
    l2_bytes_in(at, pa, bytes, size);
    if (exclusive(m)) {
        probe(m->probe, HW_EV_CACHE_MOVE, pa, false);
    }
}

void lower_store(struct memsys *m, uint64_t pa, const unsigned char *bytes,
                 uint32_t size_bytes, bool owned)
{
    if (m->config.coherent && !owned) {
        snoop_side(m, SIDE_I, pa, size_bytes, SNOOP_INVALIDATE);
        if (!l2_private(m)) {
            bus_request(m, BUS_WR, pa);
        }
    }
    if (!m->has_l2) {
        m->s->n.l2_access[L2_STORE]++;
        m->s->n.l2_miss[L2_STORE]++;
        memory_write(m, pa, bytes, size_bytes);
        return;
    }
    struct slot at = l2_probe(m, pa, L2_STORE);
    if (!slot_found(at)) {
        struct snooped others = {false, false};
        if (l2_private(m)) {
            others = bus_request(m, BUS_RDX, pa);
        }
        at = l2_fill(m, pa, CACHE_OWNED, !others.supplied);
    } else if (l2_private(m) && !(*slot_attr(at) & CACHE_OWNED)) {
        bus_request(m, BUS_UPGR, pa);
    }
    slot_set_attr(at, *slot_attr(at) | CACHE_OWNED | CACHE_DIRTY);
    l2_bytes_in(at, pa, bytes, size_bytes);
}

void lower_store_through(struct memsys *m, uint64_t pa, const unsigned char *bytes,
                         uint32_t size_bytes)
{
    if (m->config.coherent) {
        snoop_side(m, SIDE_I, pa, size_bytes, SNOOP_INVALIDATE);
        bus_request(m, BUS_WR, pa);
    }
    if (m->has_l2) {
        struct slot at = l2_probe(m, pa, L2_STORE);
        if (slot_found(at)) {
            l2_bytes_in(at, pa, bytes, size_bytes);
        }
    } else {
        m->s->n.l2_access[L2_STORE]++;
        m->s->n.l2_miss[L2_STORE]++;
    }
    memory_write(m, pa, bytes, size_bytes);
}

/* ---- table entries ---- */

/* The L1s make room for the walker: what they have changed goes down; with a write, or
 * where L1 and L2 exclude each other, they lose the line. */
static void walker_asks_l1(struct memsys *m, uint64_t at, bool write)
{
    for (uint32_t i = 0; i < nr_nodes(m); i++) {
        struct memsys *o = node(m, i);
        for (int side = 0; side < NR_SIDES; side++) {
            /* other nodes' answer to a transaction, unless their L1s exclude our L2 */
            if (!o->front[side].has_l1 || (o != m && !(exclusive(m) && l2_shared(m)))) {
                continue;
            }
            const uint32_t size = exclusive(m) ? m->l2.config.line_bytes : 8;
            struct copies it = copies_of(o, &o->front[side].l1, at, size);
            for (struct slot line; copies_next(&it, &line);) {
                if (exclusive(m)) {
                    lower_victim(o, (enum side)side, line);
                    slot_drop(line);
                    continue;
                }
                if (*slot_attr(line) & CACHE_DIRTY) {
                    flush_down(o, (enum side)side, line);
                }
                if (write) {
                    slot_drop(line);
                }
            }
        }
    }
}

/* The line of a table entry in L2; not found: there is no L2. */
static struct slot walker_line(struct memsys *m, uint64_t at, bool write)
{
    const bool private = l2_private(m);
    struct snooped others = {false, false};
    if (m->config.coherent) {
        walker_asks_l1(m, at, write);
        if (!private) {
            others = bus_request(m, !write ? BUS_RD : m->has_l2 ? BUS_RDX : BUS_WR, at);
        }
    }
    if (!m->has_l2) {
        m->s->n.l2_access[L2_WALK]++;
        m->s->n.l2_miss[L2_WALK]++;
        return (struct slot){.way = CACHE_NO_WAY};
    }
    struct slot line = l2_probe(m, at, L2_WALK);
    bool owned = true;
    if (!slot_found(line)) {
        if (private) {
            others = bus_request(m, write ? BUS_RDX : BUS_RD, at);
            owned = write || !others.found;
        }
        line = l2_fill(m, at, owned ? CACHE_OWNED : 0, !others.supplied);
    } else if (write && private && !(*slot_attr(line) & CACHE_OWNED)) {
        bus_request(m, BUS_UPGR, at);
    }
    if (write) {
        slot_set_attr(line, *slot_attr(line) | CACHE_OWNED | CACHE_DIRTY);
    }
    return line;
}

uint64_t lower_entry_read(struct memsys *m, uint64_t at, uint32_t size_bytes)
{
    unsigned char bytes[8];
    uint64_t value = 0;
    uint32_t half;
    m->s->n.walk_steps++;
    struct slot line = walker_line(m, at, false);
    if (slot_found(line) && line.c->data) {
        l2_bytes_out(line, at, bytes, size_bytes);
    } else {
        ram_read(m->ram, paddr(at), bytes, size_bytes);
    }
    if (size_bytes == 8) {
        memcpy(&value, bytes, 8);
    } else {
        memcpy(&half, bytes, 4);
        value = half;
    }
    return value;
}

void lower_entry_write(struct memsys *m, uint64_t at, uint64_t value, uint32_t size_bytes)
{
    unsigned char bytes[8];
    const uint32_t half = (uint32_t)value;
    size_bytes == 8 ? memcpy(bytes, &value, 8) : memcpy(bytes, &half, 4);
    struct slot line = walker_line(m, at, true);
    if (slot_found(line) && line.c->data) {
        l2_bytes_in(line, at, bytes, size_bytes);
    } else {
        m->s->n.direct_bytes += slot_found(line) ? 0 : size_bytes;
        ram_write(m->ram, paddr(at), bytes, size_bytes);
    }
    probe(m->probe, HW_EV_WALK_SET, at, value);
}

/* ---- past the caches ---- */

/* No cache may disagree with memory about the bus line of pa: our own copies go (written
 * back first), others' go when we write, and are written back when we read. */
static void caches_give_up(struct memsys *m, uint64_t pa, bool write)
{
    const uint64_t line = pa & ~(uint64_t)(m->bus_line - 1);
    if (!m->config.coherent) {
        return;
    }
    snoop_node(m, line, m->bus_line, SNOOP_INVALIDATE);
    bus_request(m, write ? BUS_WR : BUS_RD, pa);
    if (!l2_shared(m) || !m->has_l2) {
        return;
    }
    struct copies it = copies_of(m, &m->l2, line, m->bus_line);
    for (struct slot at; copies_next(&it, &at);) {
        if (write) {
            l2_evict(m, at);
            slot_drop(at);
        } else if (*slot_attr(at) & CACHE_DIRTY) {
            l2_write_back_full(m, at);
        }
    }
}

/* Write one buffer's bytes to memory: all of it in one burst, parts of it eight bytes at
 * a time. */
static void wc_empty(struct memsys *m, uint32_t i)
{
    struct wc_buffer *b = &m->s->wc[i];
    uint32_t bursts = 0;
    if (!b->mask) {
        return;
    }
    for (uint32_t at = 0; at < WC_BYTES; at += m->bus_line) {
        caches_give_up(m, b->line + at, true);
    }
    for (uint32_t at = 0; at < WC_BYTES; at++) {
        bursts += at % 8 == 0 && (b->mask >> at & 0xff);
        if (b->mask >> at & 1) {
            memory_write(m, b->line + at, &b->bytes[at], 1);
        }
    }
    bursts = b->mask == UINT64_MAX ? 1 : bursts;
    m->s->n.wc_bursts += bursts;
    b->mask = 0;
    probe(m->probe, HW_EV_WC_FLUSH, b->line, i, bursts);
}

void memsys_fence(struct memsys *m)
{
    memsys_mark_state(m);
    for (uint32_t i = 0; i < m->config.wc_buffers; i++) {
        wc_empty(m, (m->s->wc_next + i) % m->config.wc_buffers);
    }
}

/* The buffer of this line; none: a free one, or the next in turn after emptying it. */
static struct wc_buffer *wc_buffer_of(struct memsys *m, uint64_t line, uint32_t *number)
{
    const uint32_t n = m->config.wc_buffers;
    for (uint32_t i = 0; i < n; i++) {
        if (m->s->wc[i].mask && m->s->wc[i].line == line) {
            *number = i;
            return &m->s->wc[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        *number = (m->s->wc_next + i) % n;
        if (!m->s->wc[*number].mask) {
            m->s->wc[*number].line = line;
            return &m->s->wc[*number];
        }
    }
    *number = m->s->wc_next;
    wc_empty(m, *number);
    m->s->wc_next = (*number + 1) % n;
    m->s->wc[*number].line = line;
    return &m->s->wc[*number];
}

static void wc_store(struct memsys *m, uint64_t pa, const unsigned char *bytes,
                     uint32_t size_bytes)
{
    m->s->n.wc_stores++;
    for (uint32_t done = 0, n; done < size_bytes; done += n) {
        const uint32_t offset = (uint32_t)(pa + done) % WC_BYTES;
        uint32_t number;
        n = size_bytes - done < WC_BYTES - offset ? size_bytes - done : WC_BYTES - offset;
        struct wc_buffer *b = wc_buffer_of(m, pa + done - offset, &number);
        if (bytes) {
            memcpy(&b->bytes[offset], bytes + done, n);
        } else {
            memory_read(m, pa + done, &b->bytes[offset], n);
        }
        b->mask |= (n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1) << offset;
        probe(m->probe, HW_EV_WC_STORE, pa + done, n, number);
        if (b->mask == UINT64_MAX) {
            wc_empty(m, number);
        }
    }
}

/* What this CPU has written there and nobody has seen yet goes first. */
static void wc_order(struct memsys *m, uint64_t pa, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < m->config.wc_buffers; i++) {
        const struct wc_buffer *b = &m->s->wc[i];
        if (b->mask && b->line < pa + size_bytes && pa < b->line + WC_BYTES) {
            wc_empty(m, i);
        }
    }
}

void uncached_access(struct memsys *m, uint64_t pa, unsigned char *bytes,
                     uint32_t size_bytes, enum access_kind access, enum memtype type)
{
    const bool write = access == ACCESS_WRITE;
    if (type == MEMTYPE_WC && write && m->config.wc_buffers) {
        wc_store(m, pa, bytes, size_bytes);
        return;
    }
    if (type == MEMTYPE_WC) {
        wc_order(m, pa, size_bytes);
    } else {
        memsys_fence(m);
    }
    if (write && type == MEMTYPE_WP && !m->config.coherent) {
        snoop_node(m, pa, size_bytes, SNOOP_INVALIDATE); /* its own copies at least */
    }
    for (uint64_t at = pa & ~(uint64_t)(m->bus_line - 1); at < pa + size_bytes;
         at += m->bus_line) {
        caches_give_up(m, at, write);
    }
    m->s->n.uncached[access]++;
    write ? memory_write(m, pa, bytes, size_bytes)
          : memory_read(m, pa, bytes, size_bytes);
    probe(m->probe, HW_EV_UNCACHED, access, pa, size_bytes, type);
}
