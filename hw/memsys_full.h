/* What the files of the full way of an access share: hw/memsys_full.c (translation, L1),
 * hw/memsys_lower.c (L2, memory, uncached), hw/snoop.c (the bus), hw/cache_op.c
 * (flushes).
 *
 * The full way knows everything that hw/memsys.h offers: coherence, inclusion, memory
 * types, paging-structure caches, hazards. hw/memsys_path.h is the same way without
 * these, compiled for speed; where both can do it they count the same
 * (tests/test_memsys.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMSYS_FULL_H
#define HW_MEMSYS_FULL_H

#include "events.h"
#include "smp.h"

/* A line in a cache; way CACHE_NO_WAY: it is not there. */
struct slot {
    struct cache *c;
    struct cache_set *s;
    uint32_t way;
};

static inline bool slot_found(struct slot at) { return at.way != CACHE_NO_WAY; }
static inline uint8_t *slot_attr(struct slot at)
{
    return cache_attr(at.c, at.s, at.way);
}
/* The physical line number. */
static inline uint64_t slot_home(struct slot at)
{
    return at.c->config.homes ? *cache_home(at.c, at.s, at.way) : at.s->key[at.way];
}
static inline uint64_t slot_pa(struct slot at)
{
    return slot_home(at) << at.c->line_shift;
}
static inline unsigned char *slot_data(struct slot at)
{
    return cache_data(at.c, at.s, at.way);
}
static inline void slot_set_attr(struct slot at, unsigned attr)
{
    arena_mark(at.c->arena, slot_attr(at));
    *slot_attr(at) = (uint8_t)attr;
}
static inline void slot_drop(struct slot at)
{
    cache_invalidate(at.c, cache_number_of(at.c, at.s), at.way);
}
static inline struct slot slot_find(struct cache *c, uint64_t index, uint64_t key)
{
    struct cache_set *s = cache_set_of(c, index);
    return (struct slot){c, s, cache_find(c, s, key)};
}

/* All lines of a cache that hold bytes of [pa, pa + size), whatever addresses they were
 * filled under:
 *     struct copies it = copies_of(m, c, pa, size);
 *     struct slot at;
 *     while (copies_next(&it, &at)) { ... may drop it ... } */
struct copies {
    struct cache *c;
    uint64_t line, last;
    uint32_t set, step, way;
};
struct copies copies_of(const struct memsys *m, struct cache *c, uint64_t pa,
                        uint32_t size_bytes);
bool copies_next(struct copies *it, struct slot *at);

/* ---- the bus: hw/snoop.c ---- */

static inline uint32_t nr_nodes(const struct memsys *m)
{
    return m->smp ? m->smp->config.nr_cpus : 1;
}
/* The CPU of this number; m itself when it is alone. */
static inline struct memsys *node(struct memsys *m, uint32_t cpu)
{
    return m->smp ? &m->smp->cpu[cpu] : m;
}
/* Is L2 below the bus? */
static inline bool l2_shared(const struct memsys *m)
{
    return m->smp && m->smp->config.shared_l2 && m->smp->config.nr_cpus > 1;
}
static inline bool l2_private(const struct memsys *m)
{
    return m->has_l2 && !l2_shared(m);
}

struct snooped {
    bool found;    /* somebody had it */
    bool supplied; /* ... and had changed it */
};
enum snoop { SNOOP_SHARE, SNOOP_INVALIDATE };
/* One node answers for [pa, pa + size): its L1s, and its L2 if private. */
struct snooped snoop_node(struct memsys *m, uint64_t pa, uint32_t size_bytes,
                          enum snoop how);
/* A transaction of m about the bus line of pa; all other nodes answer. Nothing without
 * coherence. */
struct snooped bus_request(struct memsys *m, enum bus_kind kind, uint64_t pa);
/* m may write the line at pa: everybody else has lost it, its own L1I too. */
void bus_own(struct memsys *m, uint64_t pa);
/* L1D and L1I of the same CPU: the copies in the L1 of side answer. */
bool snoop_side(struct memsys *m, enum side side, uint64_t pa, uint32_t size_bytes,
                enum snoop how);
/* The bytes of a dirty L1 line go where the level below has the line, to L2 if it holds
 * it, else to memory. The line is clean then. */
void flush_down(struct memsys *m, enum side side, struct slot at);
void l2_write_back_full(struct memsys *m, struct slot at);

/* ---- L2, memory, what goes past the caches: hw/memsys_lower.c ---- */

struct fetched {
    bool owned; /* nobody else has it */
    bool dirty; /* it moved up from an exclusive L2, and memory is older */
};
/* A line for L1, to read or to write. */
struct fetched lower_fetch(struct memsys *m, enum side side, uint64_t pa,
                           uint32_t size_bytes, bool write, unsigned char *bytes);
/* A line leaves L1: it is dirty, or L2 is exclusive. */
void lower_victim(struct memsys *m, enum side side, struct slot at);
/* A store that goes to L2 (write-through, or no L1). owned: L1 owns the line. */
void lower_store(struct memsys *m, uint64_t pa, const unsigned char *bytes,
                 uint32_t size_bytes, bool owned);
/* A store to a write-through page: to memory, and to the line where L2 holds it. */
void lower_store_through(struct memsys *m, uint64_t pa, const unsigned char *bytes,
                         uint32_t size_bytes);
uint64_t lower_entry_read(struct memsys *m, uint64_t at, uint32_t size_bytes);
void lower_entry_write(struct memsys *m, uint64_t at, uint64_t value,
                       uint32_t size_bytes);
/* L2 loses a line: what an inclusive L2's line has above it goes first. */
void l2_evict(struct memsys *m, struct slot at);
/* ... only that; what is dirty goes into L2's line, or is lost. */
void l2_evict_above(struct memsys *m, struct slot line, bool write_back);
/* UC, WC and WP: bytes between the CPU and memory. */
void uncached_access(struct memsys *m, uint64_t pa, unsigned char *bytes,
                     uint32_t size_bytes, enum access_kind access, enum memtype type);

/* ---- the access: hw/memsys_full.c ---- */

bool memsys_access_full(struct memsys *m, uint64_t va, uint32_t size_bytes,
                        enum access_kind access, unsigned char *bytes);
/* The TLB entry of va, as an access of this kind gets it. False: it faulted. */
bool translate_full(struct memsys *m, uint64_t va, enum access_kind access,
                    uint64_t *entry);

/* ---- paging-structure caches: hw/psc.c ---- */

/* Where a walk may begin: the lowest level (2 to 5) whose entry for va is cached; *next
 * is the table below and the rights of the entries so far, as psc_enter was given them.
 * 0: nowhere. */
uint32_t psc_find(struct memsys *m, uint64_t va, uint32_t levels, uint64_t *next);
void psc_enter(struct memsys *m, uint64_t va, uint32_t level, uint64_t next);
void psc_flush(struct memsys *m);
void psc_flush_asid(struct memsys *m, uint32_t asid);
/* Those that va would use. */
void psc_flush_address(struct memsys *m, uint64_t va);

#endif
