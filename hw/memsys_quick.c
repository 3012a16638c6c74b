/* An access as an operation, where it can be done in few instructions: see memsys_access
 * in hw/memsys.h.
 *
 * While nobody watches (no event of this access is one that the probe stops at), the
 * usual machine goes the lean way, which marks what it changes and only counts the
 * events. Otherwise a hit of the youngest line of its set is still simple, and everything
 * else goes the whole way.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "events.h"
#include "memsys_lean.h"

/* More events than one access inside one line can have: a walk's four entries with six
 * each, and the rest of a miss. */
enum { MOST_EVENTS = 64 };

/* Most accesses hit the youngest line of their set; with virtual tags that is quickly
 * seen. */
static bool access_other(struct memsys *m, uint64_t va, uint32_t size_bytes,
                         enum access_kind access, void *bytes)
{
    struct front *f = &m->front[access != ACCESS_FETCH];
    const struct cache *c = &f->l1;
    const uint64_t line = va >> c->line_shift;
    if (!m->quick_live || (va + size_bytes - 1) >> c->line_shift != line) {
        return memsys_access_whole(m, va, size_bytes, access, bytes);
    }
    const uint64_t set = line & c->set_mask;
    struct cache_set *s = (struct cache_set *)(void *)(c->sets + set * c->stride);
    const uint32_t way = (uint32_t)s->order & 15;
    uint8_t *attr = (uint8_t *)s + c->attr_at + way;
    if (s->key[way] != (line ^ m->s->line_space) ||
        !(m->s->line_may[access] >> (*attr & CACHE_NEEDS) & 1)) {
        return memsys_access_whole(m, va, size_bytes, access, bytes);
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

/* One access inside one line. */
HW_INLINE bool quick(struct memsys *m, uint64_t va, const enum access_kind access,
                     const bool eight)
{
    arena_mark(m->arena, m->s);
    if (!lean_access(m, m->s, &va, access,
                     (struct lean_kind){.eight = eight, .live = true})) {
        return false;
    }
    return true;
}

static HW_NOINLINE bool quick_other(struct memsys *m, uint64_t va,
                                    enum access_kind access)
{
    return access == ACCESS_READ    ? quick(m, va, ACCESS_READ, false)
           : access == ACCESS_WRITE ? quick(m, va, ACCESS_WRITE, false)
                                    : quick(m, va, ACCESS_FETCH, false);
}

/* Of several lines, or given up by the lean way. */
static HW_NOINLINE bool pieces(struct memsys *m, uint64_t va, uint64_t last,
                               enum access_kind access)
{
    const bool write = access == ACCESS_WRITE;
    const uint32_t size = (uint32_t)(last - va + 1);
    if ((va ^ last) < LEAN_LINE || size > 2 * LEAN_LINE ||
        (write && (va ^ last) >= PAGE_SIZE)) { /* both pages are asked first */
        return memsys_access_whole(m, va, size, access, NULL);
    }
    arena_mark(m->arena, m->s);
    m->s->n.l1_straddle[access != ACCESS_FETCH]++;
    for (uint64_t at = va;; at++) {
        const uint64_t line_end = at | (LEAN_LINE - 1);
        const uint64_t end = line_end < last ? line_end : last;
        if (!quick_other(m, at, access) &&
            !memsys_access_whole(m, at, (uint32_t)(end - at + 1), access, NULL)) {
            return false;
        }
        at = end;
        if (end == last) {
            return true;
        }
    }
}

bool memsys_access(struct memsys *m, uint64_t va, uint32_t size_bytes,
                   enum access_kind access, void *bytes)
{
    const uint64_t last = va + size_bytes - 1;
    const struct probe *p = m->probe;
    if (!m->lean_live || p->n + 3 * MOST_EVENTS >= p->stop) {
        return access_other(m, va, size_bytes, access, bytes);
    }
    if (HW_LIKELY((va ^ last) < LEAN_LINE)) {
        const bool done = !m->lean_eight           ? quick_other(m, va, access)
                          : access == ACCESS_FETCH ? quick(m, va, ACCESS_FETCH, true)
                          : access == ACCESS_READ  ? quick(m, va, ACCESS_READ, true)
                                                   : quick(m, va, ACCESS_WRITE, true);
        if (HW_LIKELY(done)) {
            return true;
        }
    }
    return pieces(m, va, last, access);
}
