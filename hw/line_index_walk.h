/* L2 and the walks through it, as line_index_run.c has them: see hw/line_index.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_LINE_INDEX_WALK_H
#define HW_LINE_INDEX_WALK_H

#include "line_index_lanes.h"
#include "memsys_lean.h"

HW_INLINE bool allows(const struct line_index *x, uint64_t perms,
                      const enum access_kind access)
{
    return x->may[access] >> ((perms & CACHE_PERMS) | CACHE_OWNED) & 1;
}

/* The next time. */
HW_INLINE uint16_t tick(uint32_t *clock) { return (uint16_t)(++*clock); }

/* ---- L2 ---- */

/* A line is found by its offset in bytes among its page's, and in slots among L1's. */
HW_INLINE uint64_t line_byte(uint64_t va)
{
    return va >> (IX_LINE_SHIFT - 2) & (sizeof(struct ix_pair) * (IX_LINES - 1));
}
HW_INLINE struct ix_pair *line_at(struct ix_page *p, uint64_t byte)
{
    return (struct ix_pair *)(void *)((unsigned char *)p->line + byte);
}
HW_INLINE ix_cell *l1_cell(struct ix_page *p, uint64_t byte, const enum side side)
{
    return side == SIDE_D ? &line_at(p, byte)->l1d
                          : (ix_cell *)(void *)((unsigned char *)p->fetched + byte / 2);
}

/* A line comes into L2. */
HW_INLINE void l2_fill(struct line_index *x, uint32_t *clock, struct ix_page *p,
                       uint64_t byte, const enum l2_use use, const bool write,
                       const uint32_t lanes)
{
    const uint64_t set = (p->frame_line + byte * (lanes / 4)) & x->l2.slot_mask;
    const uint64_t slot = set + oldest(&x->l2.stamp[set + lanes], lanes) + lanes;
    ix_cell *at = &line_at(p, byte)->l2;
    x->n.l2_miss[use]++;
    *x->l2.cell[slot] = 0;
    const unsigned old = x->l2.attr[slot];
    if (!HW_LIKELY(old == IX_L2_CLEAN)) {
        x->l2.attr[slot] = IX_L2_CLEAN;
        if (old) {
            x->n.l2_writeback++;
        } else {
            x->n.l2_empty++;
        }
    }
    if (write) {
        x->l2.attr[slot] = IX_L2_CLEAN | CACHE_DIRTY;
    }
    x->l2.cell[slot] = at;
    *at = (ix_cell)slot;
    x->l2.stamp[slot] = tick(clock);
}

/* What is rarer is known by its cell. */
static HW_NOINLINE void l2_miss(struct line_index *x, ix_cell *at, enum l2_use use,
                                bool write)
{
    struct ix_page *p = line_index_page_of(at);
    const uint64_t byte =
        (uint64_t)((unsigned char *)at - (unsigned char *)&p->line[0].l2);
    x->l2.lanes == 8 ? l2_fill(x, &x->clock, p, byte, use, write, 8)
                     : l2_fill(x, &x->clock, p, byte, use, write, 16);
}
HW_INLINE void l2_walked(struct line_index *x, uint32_t *clock, ix_cell *at,
                         const bool write)
{
    const uint32_t slot = *at;
    if (HW_LIKELY(slot)) {
        x->l2.stamp[slot] = tick(clock);
        if (write) {
            x->l2.attr[slot] = IX_L2_CLEAN | CACHE_DIRTY;
        }
    } else {
        x->clock = *clock;
        l2_miss(x, at, L2_WALK, write);
        *clock = x->clock;
    }
}

/* ---- walks ---- */

/* The record of a table, and the cell of an entry's line; NULL: no memory. */
static struct ix_page *table_of(struct line_index *x, uint64_t pa)
{
    struct ix_page *p = line_index_frame(x, pa >> PAGE_SHIFT);
    if (p) {
        line_index_rest(p)->table = true;
    }
    return p;
}
static ix_cell *entry_cell(struct line_index *x, uint64_t pa)
{
    struct ix_page *p = table_of(x, pa);
    return p ? &p->line[pa >> IX_LINE_SHIFT & (IX_LINES - 1)].l2 : NULL;
}

static uint64_t entry_read(struct line_index *x, uint64_t pa)
{
    ix_cell *at = entry_cell(x, pa);
    if (at) {
        l2_walked(x, &x->clock, at, false);
    }
    x->n.walk_reads++;
    return ram_word(x->m->ram, pa, 8);
}

static void entry_write(struct line_index *x, uint64_t pa, uint64_t value)
{
    ix_cell *at = entry_cell(x, pa);
    if (at) {
        l2_walked(x, &x->clock, at, true);
    }
    x->n.walk_writes++;
    ram_write(x->m->ram, paddr(pa), &value, 8);
}

#define WALK_BUS struct line_index *
#define WALK_STEP(x, w, level, at, value) ((void)(level))
#define WALK_NAME walk_index
#define WALK_BODY walk_index_body
#define WALK_READ(x, at, bytes) entry_read(x, at)
#define WALK_WRITE(x, at, value, bytes) entry_write(x, at, value)
#include "mmu_walk.h"

static uint64_t peek_read(void *ctx, uint64_t pa, uint32_t size_bytes)
{
    return ram_word(ctx, pa, size_bytes);
}

/* The fault that a walk for this access would meet, or none: then *entry is what it would
 * find. */
static enum fault_kind peek(struct line_index *x, uint64_t va, enum access_kind access,
                            uint64_t *entry)
{
    const struct mmu_bus bus = {.read = peek_read, .ctx = x->m->ram};
    struct walk w;
    mmu_peek(&x->m->s->mmu, va, access, &bus, &w);
    *entry = w.entry;
    return w.fault.kind;
}
/* A 4 KiB page, not global, of the first memory type. */
static bool is_usual(uint64_t entry) { return (entry & (PAGE_SIZE - 1)) <= TLB_PERMS; }

/* Is there room for the events of a fault, before somebody wants to be stopped at one? */
static bool fault_room(const struct line_index *x)
{
    enum { FAULT_EVENTS = 1 << 16 };
    const struct probe *probe = x->m->probe;
    return !x->live || x->no_stop ||
           probe->n + 2 * x->block_events + FAULT_EVENTS < probe->stop;
}

/* A walk has met a fault. True: mended, and the walk goes on. The access's probes of L1
 * and of both TLBs come before the fault, and are counted only when it is over. */
static bool mended(struct line_index *x, const struct fault *f)
{
    struct memsys *m = x->m;
    enum { PROBES = 3 };
    if (x->live) {
        line_index_settle(x);
        m->probe->n += PROBES;
    }
    const bool good = memsys_walk_faulted(m, f, x->live);
    if (x->live) {
        m->probe->n -= PROBES;
    }
    x->generation++;
    x->unmended = !good;
    if (!x->lost && x->clock > UINT16_MAX - 64) {
        rank_all(x);
    }
    return good && !x->lost && !x->no_memory;
}

/* What a walk says: attributes of a line filled after it, or this. */
enum { NO_WALK = 0 };

/* The page lies in this frame, and may be used through a TLB: the attributes of its
 * lines. */
static unsigned found(struct line_index *x, struct ix_page *p, uint64_t frame,
                      uint64_t perms)
{
    return !x->no_memory && allows(x, perms, ACCESS_READ) && line_index_join(x, p, frame)
               ? x->attr_of[perms & CACHE_PERMS]
               : NO_WALK;
}

/* Whatever the tables are. */
static unsigned walk_long(struct line_index *x, struct ix_page *p, uint64_t va,
                          enum access_kind access)
{
    for (;;) {
        struct walk w;
        uint64_t entry;
        const enum fault_kind fault = peek(x, va, access, &entry);
        const unsigned attr =
            fault != FAULT_NONE ? NO_WALK : found(x, p, entry >> PAGE_SHIFT, entry);
        if (fault == FAULT_NONE ? attr == NO_WALK || !is_usual(entry) : !fault_room(x)) {
            return NO_WALK;
        }
        x->n.long_walks++;
        walk_index(&x->m->s->mmu, va, access, x, &w);
        if (fault == FAULT_NONE) {
            x->n.walks--;
            return x->no_memory ? NO_WALK : x->attr_of[w.entry & TLB_PERMS];
        }
        if (!mended(x, &w.fault)) {
            return NO_WALK;
        }
    }
}

/* The region of va, which holds now. NULL: something is not the usual. */
static struct ix_region *region_now(struct line_index *x, uint64_t va)
{
    struct memsys *m = x->m;
    const uint64_t number = va >> LEAN_REGION_SHIFT;
    struct ix_region *g = line_index_region(x, number);
    if (!g || g->generation == x->generation) {
        return g;
    }
    if (g->generation && !lean_region_holds(m, &g->as)) {
        g = line_index_new_region(x, number);
    }
    if (g && !g->generation) {
        if (!lean_region_find(m, &g->as, va, (struct lean_kind){.eight = false})) {
            return NULL;
        }
        for (int i = 0; i < 3; i++) {
            g->upper[i] = entry_cell(x, g->as.line[i] << IX_LINE_SHIFT);
        }
        g->table = table_of(x, g->as.table_pa);
    }
    if (!g || x->no_memory) {
        return NULL;
    }
    g->generation = x->generation;
    return g;
}

/* L2's cell of the last entry's line. */
HW_INLINE uint64_t leaf_byte(uint64_t va) { return line_byte(va >> (PAGE_SHIFT - 3)); }
HW_INLINE ix_cell *leaf_of(const struct ix_region *g, uint64_t va)
{
    return &line_at(g->table, leaf_byte(va))->l2;
}
/* What a walk reads. */
HW_INLINE void walk_reads(struct line_index *x, uint32_t *clock,
                          const struct ix_region *g, uint64_t va)
{
    l2_walked(x, clock, g->upper[0], false);
    l2_walked(x, clock, g->upper[1], false);
    l2_walked(x, clock, g->upper[2], false);
    const uint64_t byte = leaf_byte(va);
    const uint32_t slot = line_at(g->table, byte)->l2;
    if (slot) {
        x->l2.stamp[slot] = tick(clock);
        return;
    }
    if (HW_LIKELY(x->l2.lanes == 8)) {
        l2_fill(x, clock, g->table, byte, L2_WALK, false, 8);
    } else {
        l2_fill(x, clock, g->table, byte, L2_WALK, false, 16);
    }
}

/* The page's last walk does not tell. */
static HW_NOINLINE unsigned walk_again(struct line_index *x, uint32_t clock,
                                       struct ix_page *p, uint64_t va,
                                       enum access_kind access)
{
    struct memsys *m = x->m;
    struct ix_region *g = NULL;
    const struct lean_walker *w = &m->walker;
    const uint64_t usual = w->usual_mask & ~(uint64_t)PTE_A;
    const uint64_t set = PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
    x->clock = clock;
    for (;;) {
        uint64_t value;
        if (g && lean_region_holds(m, &g->as)) { /* after a fault */
            g->generation = x->generation;
        } else {
            g = region_now(x, va);
        }
        if (!g || x->no_memory) {
            return walk_long(x, p, va, access);
        }
        unsigned char *entry = g->as.table + (va >> 9 & 0xff8);
        memcpy(&value, entry, 8);
        if (!(value & PTE_P)) {
            const struct fault f = {FAULT_PAGE, walk_error(&m->s->mmu, access, 0), va};
            if (!fault_room(x)) {
                return NO_WALK;
            }
            walk_reads(x, &x->clock, g, va);
            x->n.walks++;
            if (!mended(x, &f)) {
                return NO_WALK;
            }
            continue;
        }
        const uint64_t now = value | set;
        const uint64_t perms = ((now & PTE_W) | (now >> 2 & CACHE_U) |
                                (now >> 3 & CACHE_D) | (~now >> 61 & CACHE_X)) &
                               g->as.perms;
        if ((value & usual) != PTE_P || !allows(x, perms, access)) {
            return walk_long(x, p, va, access);
        }
        const unsigned attr = found(x, p, (value & w->address) >> PAGE_SHIFT, perms);
        if (attr == NO_WALK) {
            return NO_WALK;
        }
        walk_reads(x, &x->clock, g, va);
        if (now != value) {
            l2_walked(x, &x->clock, leaf_of(g, va), true);
            x->n.walk_writes++;
            arena_mark(m->ram->arena, g->as.table);
            memcpy(entry, &now, 8);
        }
        p->region = g;
        p->entry = entry;
        p->value = now;
        p->walk_attr = (uint8_t)attr;
        return attr;
    }
}

HW_INLINE unsigned walk(struct line_index *x, uint32_t *clock, struct ix_page *p,
                        uint64_t va, const enum access_kind access)
{
    struct ix_region *g = p->region;
    uint64_t value;
    bool known = true;
    if (!HW_LIKELY(g->generation == x->generation)) {
        known = g->generation && lean_region_holds(x->m, &g->as);
        if (known) {
            g->generation = x->generation;
        }
    }
    if (HW_LIKELY(known)) {
        memcpy(&value, p->entry, 8);
    }
    if (!HW_LIKELY(known) || !HW_LIKELY(value == p->value) ||
        (access == ACCESS_WRITE && !(p->walk_attr & IX_MAY_WRITE)) ||
        (access == ACCESS_FETCH && !allows(x, p->walk_attr, ACCESS_FETCH))) {
        const unsigned attr = walk_again(x, *clock, p, va, access);
        *clock = x->clock;
        return attr;
    }
    walk_reads(x, clock, g, va);
    return p->walk_attr;
}

#endif
