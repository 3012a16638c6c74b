/* An access as an operation, where it can be done in few instructions: see memsys_access
 * in hw/memsys.h.
 *
 * While nobody watches (no event of this access is one that the probe stops at), the
 * usual machine goes the lean way, which only counts the events; what it changes is
 * marked, one by one or, after many accesses between which nobody took marks away (a
 * snapshot, the digest, a view), all at once. Otherwise a hit of the youngest line of its
 * set is still simple, and everything else goes the whole way.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "events.h"
#include "memsys_lean.h"

/* More events than one access inside one line can have: a walk's four entries with six
 * each, and the rest of a miss. */
enum { MOST_EVENTS = 64 };

/* Most accesses hit the youngest line of their set; with virtual tags that is quickly
 * seen. */
static HW_NOINLINE bool access_other(struct memsys *m, uint64_t va, uint32_t size_bytes,
                                     enum access_kind access, void *bytes)
{
    memsys_home(m);
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

/* One access inside one line, marking what it changes. */
static HW_NOINLINE bool quick_marking(struct memsys *m, uint64_t va,
                                      enum access_kind access)
{
    const struct lean_kind kind = {.live = true};
    struct memsys_state *st = m->s;
    arena_mark(m->arena, st);
    return (access == ACCESS_READ ? lean_access(m, st, &va, ACCESS_READ, kind)
            : access == ACCESS_WRITE
                ? lean_access(m, st, &va, ACCESS_WRITE, kind)
                : lean_access(m, st, &va, ACCESS_FETCH, kind)) != NULL;
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
        if (!quick_marking(m, at, access) &&
            !memsys_access_whole(m, at, (uint32_t)(end - at + 1), access, NULL)) {
            return false;
        }
        at = end;
        if (end == last) {
            return true;
        }
    }
}

/* While nobody takes marks away, whoever makes many accesses marks the same again and
 * again: after some of them everything is marked at once. */
enum { ACCESSES_MARKING = 256 };

static HW_NOINLINE bool access_marking(struct memsys *m, uint64_t va, uint32_t size_bytes,
                                       enum access_kind access)
{
    const uint64_t last = va + size_bytes - 1;
    if (m->lean_eight && m->marked_era != m->arena->era &&
        ++m->marking >= ACCESSES_MARKING) {
        m->marking = 0;
        m->marked_era = m->arena->era;
        memsys_mark_all(m);
    }
    return ((va ^ last) < LEAN_LINE && quick_marking(m, va, access)) ||
           pieces(m, va, last, access);
}

/* Everything is marked, and the youngest line of the set is not it, or is not permitted
 * so. */
HW_INLINE bool quick_rest(struct memsys *m, uint64_t va, uint32_t size_bytes,
                          const enum access_kind access)
{
    return lean_access(m, m->s, &va, access,
                       (struct lean_kind){.eight = true, .live = true, .tried = true}) ||
           pieces(m, va, va + size_bytes - 1, access);
}
static HW_NOINLINE bool quick_rest_read(struct memsys *m, uint64_t va,
                                        uint32_t size_bytes)
{
    return quick_rest(m, va, size_bytes, ACCESS_READ);
}
static HW_NOINLINE bool quick_rest_write(struct memsys *m, uint64_t va,
                                         uint32_t size_bytes)
{
    return quick_rest(m, va, size_bytes, ACCESS_WRITE);
}
static HW_NOINLINE bool quick_rest_fetch(struct memsys *m, uint64_t va,
                                         uint32_t size_bytes)
{
    return quick_rest(m, va, size_bytes, ACCESS_FETCH);
}

/* Everything is marked. The youngest line of its set is what most accesses hit, so this
 * is kept apart from what needs many registers. */
HW_INLINE bool quick(struct memsys *m, uint64_t va, uint32_t size_bytes,
                     const enum access_kind access)
{
    struct memsys_state *st = m->s;
    struct cache_set *s = lean_l1_set(m, va, access == ACCESS_FETCH ? SIDE_I : SIDE_D);
    const uint64_t key = lean_l1_key(st, va, (struct lean_kind){.live = true});
    const uint32_t way = (uint32_t)s->order & 15, may = st->line_may[access];
    if (!HW_LIKELY(s->key[way] == key) ||
        !HW_LIKELY(may >> (s->attr[way] & CACHE_NEEDS) & 1)) {
        return access == ACCESS_READ    ? quick_rest_read(m, va, size_bytes)
               : access == ACCESS_WRITE ? quick_rest_write(m, va, size_bytes)
                                        : quick_rest_fetch(m, va, size_bytes);
    }
    m->probe->n++;
    st->n.l1_access[access]++;
    if (access == ACCESS_WRITE) {
        s->attr[way] |= CACHE_DIRTY;
    }
    return true;
}

bool memsys_access(struct memsys *m, uint64_t va, uint32_t size_bytes,
                   enum access_kind access, void *bytes)
{
    const struct probe *p = m->probe;
    if (!HW_LIKELY(m->lean_live && p->n + 3 * MOST_EVENTS < p->stop)) {
        return access_other(m, va, size_bytes, access, bytes);
    }
    if (!HW_LIKELY(m->marked_era == m->arena->era &&
                   (va ^ (va + size_bytes - 1)) < LEAN_LINE)) {
        return access_marking(m, va, size_bytes, access);
    }
    return access == ACCESS_FETCH  ? quick(m, va, size_bytes, ACCESS_FETCH)
           : access == ACCESS_READ ? quick(m, va, size_bytes, ACCESS_READ)
                                   : quick(m, va, size_bytes, ACCESS_WRITE);
}
