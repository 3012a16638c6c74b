/* Taking caches and TLBs over into an index of their lines, and bringing them home: see
 * hw/line_index.h. The run itself: hw/line_index_run.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "line_index.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "memsys_lean.h"

/* ---- pages, frames and regions ---- */

static struct ix_block *new_block(struct line_index *x)
{
    struct ix_block *b = x->nr_pages < IX_MOST_PAGES
                             ? aligned_alloc(IX_BLOCK_BYTES, IX_BLOCK_BYTES)
                             : NULL;
    if (!b) {
        x->no_memory = true;
        return NULL;
    }
    b->used = 0;
    b->code = NULL;
    b->next = x->blocks;
    x->blocks = b;
    return b;
}

static void free_block(struct ix_block *b)
{
    while (b->code) {
        struct ix_code *next = b->code->next;
        free(b->code);
        b->code = next;
    }
    free(b);
}

static struct ix_page *new_page(struct line_index *x)
{
    struct ix_block *b = x->blocks;
    if (!b || b->used == IX_BLOCK_PAGES) {
        b = new_block(x);
    }
    if (!b) {
        return NULL;
    }
    struct ix_page *p = &b->page[b->used];
    b->rest[b->used++] = (struct ix_rest){.frame = IX_NO_NUMBER};
    x->nr_pages++;
    *p = x->nobody; /* all of a new page is as its */
    return p;
}

bool line_index_code(struct line_index *x, struct ix_page *p)
{
    struct ix_code *code = calloc(1, sizeof *code);
    if (!code) {
        x->no_memory = true;
        return false;
    }
    code->next = line_index_block(p)->code;
    line_index_block(p)->code = code;
    p->fetched = code->at;
    return true;
}

static uint32_t hash_of(uint64_t number, uint32_t shift)
{
    return (uint32_t)number * IX_HASH >> (32 - shift);
}

struct ix_page *line_index_page(struct line_index *x, uint64_t number)
{
    struct ix_page **head = &x->page_head[hash_of(number, IX_HEADS_SHIFT)], **link = head;
    while ((*link)->number != number && *link != &x->nobody) {
        link = &(*link)->next;
    }
    struct ix_page *p = *link;
    if (p == &x->nobody) {
        p = new_page(x);
        if (!p) {
            return &x->nobody;
        }
        p->number = number;
        p->dtlb_set = (uint16_t)(number * IX_LANES & x->tlb[SIDE_D].slot_mask);
    } else { /* the one used last comes first */
        *link = p->next;
    }
    p->next = *head;
    *head = p;
    return p;
}

static struct ix_page **frame_link(struct line_index *x, uint64_t number)
{
    struct ix_page **link = &x->frame_head[hash_of(number, IX_HEADS_SHIFT)];
    while (*link != &x->nobody && line_index_rest(*link)->frame != number) {
        link = &line_index_rest(*link)->next_frame;
    }
    return link;
}

static void in_frame(struct line_index *x, struct ix_page *p, struct ix_page **link,
                     uint64_t number)
{
    struct ix_rest *rest = line_index_rest(p);
    p->frame_line = (uint32_t)(number * IX_LINES * x->l2.lanes);
    rest->frame = number;
    rest->next_frame = *link;
    *link = p;
}

struct ix_page *line_index_frame(struct line_index *x, uint64_t number)
{
    struct ix_page **link = frame_link(x, number);
    if (*link == &x->nobody) {
        struct ix_page *p = new_page(x);
        if (p) {
            in_frame(x, p, link, number);
        }
        return p;
    }
    return *link;
}

bool line_index_join(struct line_index *x, struct ix_page *p, uint64_t frame)
{
    if (p == &x->nobody || line_index_rest(p)->frame != IX_NO_NUMBER) {
        return p != &x->nobody && line_index_rest(p)->frame == frame;
    }
    struct ix_page **link = frame_link(x, frame), *before = *link;
    if (before != &x->nobody) {
        if (before->number != IX_NO_NUMBER || line_index_rest(before)->table) {
            return false;
        }
        *link = line_index_rest(before)->next_frame;
        for (int i = 0; i < IX_LINES; i++) {
            const ix_cell slot = before->line[i].l2;
            p->line[i].l2 = slot;
            x->l2.cell[slot] = slot ? &p->line[i].l2 : x->l2.cell[slot];
        }
    }
    in_frame(x, p, link, frame);
    return true;
}

struct ix_region *line_index_new_region(struct line_index *x, uint64_t number)
{
    struct ix_region **head = &x->region_head[hash_of(number, IX_REGION_HEADS_SHIFT)];
    struct ix_region *g = calloc(1, sizeof *g);
    if (!g) {
        x->no_memory = true;
        return NULL;
    }
    g->number = number;
    g->next = *head;
    *head = g;
    return g;
}

struct ix_region *line_index_region(struct line_index *x, uint64_t number)
{
    struct ix_region **head = &x->region_head[hash_of(number, IX_REGION_HEADS_SHIFT)];
    for (struct ix_region **link = head, *g; (g = *link); link = &g->next) {
        if (g->number == number) {
            *link = g->next;
            g->next = *head;
            *head = g;
            return g;
        }
    }
    return line_index_new_region(x, number);
}

/* ---- order ---- */

/* A set's stamps from its order, and the other way. */
static void stamps_from(uint16_t *stamp, uint64_t order, uint32_t ways, uint32_t lanes)
{
    for (uint32_t i = 0; i < lanes; i++) {
        stamp[i] = UINT16_MAX;
    }
    for (uint32_t age = 0; age < ways; age++) {
        stamp[order >> 4 * age & 15] = (uint16_t)(ways - 1 - age);
    }
}
static uint64_t order_from(const uint16_t *stamp, uint32_t ways)
{
    uint64_t order = 0;
    for (uint32_t way = 0; way < ways; way++) {
        uint32_t age = 0;
        for (uint32_t other = 0; other < ways; other++) {
            age += stamp[other] > stamp[way];
        }
        order |= (uint64_t)way << 4 * age;
    }
    return order;
}

/* ---- taking over ---- */

/* Both ways go slot by slot. */
#define EACH_WAY(c, lanes, set, way, slot)                                               \
    for (uint32_t set = 0, slot; set < (c)->config.sets; set++)                          \
        for (uint32_t way = 0; slot = (set + 1) * (lanes) + way, way < (c)->config.ways; \
             way++)

static void take_orders(const struct cache *c, uint16_t *stamp, uint32_t lanes)
{
    for (uint32_t set = 0; set < c->config.sets; set++) {
        stamps_from(stamp + (set + 1) * lanes, cache_set_at(c, set)->order,
                    c->config.ways, lanes);
    }
}

static bool allows(const struct line_index *x, uint64_t entry, enum access_kind access)
{
    return x->may[access] >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1;
}

/* A TLB's entries of the address space that runs; those of others are nobody's. */
static bool take_tlb(struct line_index *x, const struct tlb *t, int which,
                     uint16_t *stamp, struct ix_page **pages, uint32_t lanes)
{
    take_orders(&t->c, stamp, lanes);
    EACH_WAY(&t->c, lanes, set, way, slot)
    {
        struct cache_set *s = cache_set_at(&t->c, set);
        const uint64_t page = s->key[way] ^ x->m->s->space;
        const uint64_t entry = *cache_home(&t->c, s, way);
        pages[slot] = &x->nobody;
        if (s->key[way] == CACHE_NO_KEY || page >> 52) {
            continue;
        }
        struct ix_page *p = line_index_page(x, page);
        if (!line_index_join(x, p, entry >> PAGE_SHIFT) ||
            (entry & (PAGE_SIZE - 1)) > TLB_PERMS ||
            !allows(x, entry, which == SIDE_I ? ACCESS_FETCH : ACCESS_READ)) {
            return false;
        }
        p->attr[which] = x->attr_of[entry & TLB_PERMS];
        p->tlb[which] = (uint16_t)slot;
        pages[slot] = p;
    }
    return true;
}

static bool take_l1(struct line_index *x, const struct cache *c, enum side side)
{
    struct ix_l1 *l1 = &x->l1[side];
    take_orders(c, l1->stamp, IX_LANES);
    EACH_WAY(c, IX_LANES, set, way, slot)
    {
        struct cache_set *s = cache_set_at(c, set);
        const unsigned attr = *cache_attr(c, s, way);
        const uint64_t line = s->key[way];
        l1->cell[slot] = &x->nowhere.l1d;
        l1->attr[slot] = IX_UNUSUAL;
        if (line == CACHE_NO_KEY) {
            x->n.l1_empty++;
            continue;
        }
        const uint64_t home = *cache_home(c, s, way);
        struct ix_page *p = line_index_page(x, line / IX_LINES);
        if (!line_index_join(x, p, home / IX_LINES) ||
            line % IX_LINES != home % IX_LINES || !(attr & CACHE_OWNED) ||
            (attr & CACHE_NOT_WB) || (side == SIDE_I && (attr & CACHE_DIRTY)) ||
            !allows(x, attr, side == SIDE_I ? ACCESS_FETCH : ACCESS_READ)) {
            return false;
        }
        l1->attr[slot] = (uint8_t)(x->attr_of[attr & CACHE_PERMS] |
                                   (attr & CACHE_DIRTY ? CACHE_DIRTY | IX_UNUSUAL : 0));
        if (side == SIDE_I && p->fetched == x->nothing && !line_index_code(x, p)) {
            return false;
        }
        l1->page[slot] = p;
        l1->cell[slot] =
            side == SIDE_I ? &p->fetched[line % IX_LINES] : &p->line[line % IX_LINES].l1d;
        *l1->cell[slot] = (ix_cell)slot;
    }
    return true;
}

static bool take_l2(struct line_index *x, const struct cache *c)
{
    take_orders(c, x->l2.stamp, (uint32_t)x->l2.lanes);
    EACH_WAY(c, (uint32_t)x->l2.lanes, set, way, slot)
    {
        struct cache_set *s = cache_set_at(c, set);
        const uint64_t line = s->key[way];
        x->l2.cell[slot] = &x->nowhere.l2;
        x->l2.attr[slot] = *cache_attr(c, s, way);
        if (line == CACHE_NO_KEY) {
            x->n.l2_empty++;
            continue;
        }
        struct ix_page *f = line_index_frame(x, line / IX_LINES);
        if (!f || (x->l2.attr[slot] | CACHE_DIRTY) != (IX_L2_CLEAN | CACHE_DIRTY)) {
            return false;
        }
        x->l2.cell[slot] = &f->line[line % IX_LINES].l2;
        *x->l2.cell[slot] = (ix_cell)slot;
    }
    return true;
}

static bool fits(const struct cache *c, uint32_t lanes, uint32_t slots)
{
    return (uint64_t)(c->config.sets + 1) * lanes <= slots;
}

static bool take_all(struct line_index *x)
{
    const struct memsys *m = x->m;
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        x->may[access] = m->s->page_may[access] & m->s->line_may[access];
    }
    x->may[ACCESS_WRITE] &= x->may[ACCESS_READ];
    for (uint32_t perms = 0; perms <= CACHE_PERMS; perms++) {
        x->attr_of[perms] =
            (uint8_t)(perms | CACHE_OWNED |
                      (allows(x, perms, ACCESS_WRITE) ? (unsigned)IX_MAY_WRITE : 0));
    }
    x->clock = IX_CLOCK_START;
    x->generation = 1;
    x->l2.lanes = m->l2.config.ways > 8 ? 16 : 8;
    x->l2.slot_mask = m->l2.set_mask * x->l2.lanes;
    x->stlb.slot_mask = m->stlb.c.set_mask * IX_STLB_LANES;
    for (int side = 0; side < NR_SIDES; side++) {
        x->l1[side].slot_mask = m->front[side].l1.set_mask * IX_LANES;
        x->tlb[side].slot_mask = m->front[side].tlb.c.set_mask * IX_LANES;
    }
    if (!fits(&m->l2, (uint32_t)x->l2.lanes, IX_FAR_SLOTS) ||
        !fits(&m->stlb.c, IX_STLB_LANES, IX_FAR_SLOTS) ||
        !take_tlb(x, &m->stlb, IX_STLB, x->stlb.stamp, x->stlb.page, IX_STLB_LANES)) {
        return false;
    }
    for (int side = 0; side < NR_SIDES; side++) {
        const struct front *f = &m->front[side];
        struct ix_tlb *t = &x->tlb[side];
        if (!fits(&f->l1, IX_LANES, IX_NEAR_SLOTS) ||
            !fits(&f->tlb.c, IX_LANES, IX_NEAR_SLOTS) ||
            !take_tlb(x, &f->tlb, side, t->stamp, t->page, IX_LANES) ||
            !take_l1(x, &f->l1, (enum side)side)) {
            return false;
        }
    }
    return take_l2(x, &m->l2); /* whose frames' pages are known by now */
}

struct line_index *line_index_take(struct memsys *m, bool live)
{
    if (!lean_now(m) || (live && (!m->lean_live || !m->on_fault))) {
        return NULL;
    }
    struct line_index *x = aligned_alloc(64, (sizeof *x + 63) / 64 * 64);
    if (!x) {
        return NULL;
    }
    memset(x, 0, offsetof(struct line_index, l1));
    x->m = m;
    x->live = live;
    x->lean_live = m->lean_live;
    x->nobody.number = IX_NO_NUMBER;
    x->nobody.fetched = x->nothing;
    x->nobody.region = &x->nowhere_region;
    for (size_t i = 0; i < (size_t)1 << IX_HEADS_SHIFT; i++) {
        x->page_head[i] = x->frame_head[i] = &x->nobody;
    }
    lean_walker_doubt(m);
    if (!take_all(x)) {
        line_index_free(x);
        return NULL;
    }
    memset(&x->n, 0, sizeof x->n);
    memsys_mark_all(m);
    m->index = x;
    m->lean_live = false; /* memsys_access goes where it asks who has the lines */
    return x;
}

void line_index_free(struct line_index *x)
{
    if (x) {
        while (x->blocks) {
            struct ix_block *next = x->blocks->next;
            free_block(x->blocks);
            x->blocks = next;
        }
        for (size_t i = 0; i < (size_t)1 << IX_REGION_HEADS_SHIFT; i++) {
            for (struct ix_region *g = x->region_head[i], *next; g; g = next) {
                next = g->next;
                free(g);
            }
        }
        free(x);
    }
}

/* ---- home ---- */

static void home_orders(struct cache *c, const uint16_t *stamp, uint32_t lanes)
{
    for (uint32_t set = 0; set < c->config.sets; set++) {
        cache_set_at(c, set)->order =
            order_from(stamp + (set + 1) * lanes, c->config.ways);
    }
}

static void home_tlb(struct line_index *x, struct tlb *t, int which,
                     const uint16_t *stamp, struct ix_page *const *pages, uint32_t lanes)
{
    home_orders(&t->c, stamp, lanes);
    EACH_WAY(&t->c, lanes, set, way, slot)
    {
        const struct ix_page *p = pages[slot];
        if (p != &x->nobody) {
            struct cache_set *s = cache_set_at(&t->c, set);
            cache_put_key(&t->c, s, way, p->number ^ x->m->s->space, CACHE_COUNT);
            *cache_home(&t->c, s, way) =
                line_index_rest(p)->frame << PAGE_SHIFT | (p->attr[which] & TLB_PERMS);
            *t->kinds |= 1;
        }
    }
}

static void home_l1(struct line_index *x, struct cache *c, enum side side)
{
    const struct ix_l1 *l1 = &x->l1[side];
    home_orders(c, l1->stamp, IX_LANES);
    EACH_WAY(c, IX_LANES, set, way, slot)
    {
        const ix_cell *cell = l1->cell[slot];
        if (cell != &x->nowhere.l1d) {
            const struct ix_page *p =
                side == SIDE_I ? l1->page[slot] : line_index_page_of(cell);
            const uint64_t line = side == SIDE_I ? (uint64_t)(cell - p->fetched)
                                                 : (uint64_t)(cell - &p->line[0].l1d) / 2;
            struct cache_set *s = cache_set_at(c, set);
            cache_put(c, s, way, p->number * IX_LINES + line,
                      (l1->attr[slot] & ~(unsigned)(IX_MAY_WRITE | IX_UNUSUAL)) |
                          CACHE_VALID);
            *cache_home(c, s, way) = line_index_rest(p)->frame * IX_LINES + line;
        }
    }
}

static void home_l2(struct line_index *x, struct cache *c)
{
    home_orders(c, x->l2.stamp, (uint32_t)x->l2.lanes);
    EACH_WAY(c, (uint32_t)x->l2.lanes, set, way, slot)
    {
        const ix_cell *cell = x->l2.cell[slot];
        if (cell != &x->nowhere.l2) {
            const struct ix_page *p = line_index_page_of(cell);
            const uint64_t line = (uint64_t)(cell - &p->line[0].l2) / 2;
            cache_put(c, cache_set_at(c, set), way,
                      line_index_rest(p)->frame * IX_LINES + line, x->l2.attr[slot]);
        }
    }
}

void line_index_home(struct line_index *x)
{
    struct memsys *m = x->m;
    if (x->lost) {
        return;
    }
    x->lost = true;
    m->index = NULL;
    m->lean_live = x->lean_live;
    memsys_mark_all(m);
    line_index_settle(x);
    home_l2(x, &m->l2);
    home_tlb(x, &m->stlb, IX_STLB, x->stlb.stamp, x->stlb.page, IX_STLB_LANES);
    for (int side = 0; side < NR_SIDES; side++) {
        home_tlb(x, &m->front[side].tlb, side, x->tlb[side].stamp, x->tlb[side].page,
                 IX_LANES);
        home_l1(x, &m->front[side].l1, (enum side)side);
    }
}

void memsys_bring_home(struct memsys *m)
{
    struct line_index *x = m->index;
    line_index_home(x);
    if (!x->running) { /* else who runs it frees it */
        line_index_free(x);
    }
}

void memsys_bring_kept_home(struct memsys *m)
{
    if (!m->index->running) {
        memsys_bring_home(m);
    }
}

/* What the whole path would have announced for these counts. */
static uint64_t events_of(const struct ix_counts *n)
{
    const uint64_t l1_misses =
        n->l1_miss[ACCESS_READ] + n->l1_miss[ACCESS_WRITE] + n->l1_miss[ACCESS_FETCH];
    const uint64_t tlb_misses = n->tlb_miss[SIDE_I] + n->tlb_miss[SIDE_D];
    const uint64_t l2_misses =
        n->l2_miss[L2_FETCH] + n->l2_miss[L2_VICTIM] + n->l2_miss[L2_WALK];
    const uint64_t entries = 4 * (n->stlb_miss + n->walks) + n->walk_reads;
    const uint64_t probes = n->access[ACCESS_READ] + n->access[ACCESS_WRITE] +
                            n->access[ACCESS_FETCH] + l1_misses + n->asked + tlb_misses +
                            l1_misses + n->l1_writeback + entries + n->walk_writes;
    const uint64_t fills =
        l1_misses + l2_misses + tlb_misses + n->stlb_miss + 2 * n->again;
    const uint64_t evictions = l1_misses - n->l1_empty + l2_misses - n->l2_empty;
    const uint64_t memory =
        l2_misses - n->l2_miss[L2_VICTIM] + n->l1_writeback + n->l2_writeback;
    return probes + fills + evictions + memory + entries + n->walk_writes;
}

void line_index_settle(struct line_index *x)
{
    struct memsys_tally *to = &x->m->s->n;
    const struct ix_counts *n = &x->n;
    uint64_t l1_misses = 0;
    memsys_mark_state(x->m);
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        to->l1_access[access] += n->access[access];
        to->l1_miss[access] += n->l1_miss[access];
        l1_misses += n->l1_miss[access];
    }
    for (int side = 0; side < NR_SIDES; side++) {
        to->l1_straddle[side] += n->straddle[side];
        to->tlb_miss[side] += n->tlb_miss[side];
    }
    to->tlb_access[SIDE_I] += n->l1_miss[ACCESS_FETCH];
    to->tlb_access[SIDE_D] += l1_misses - n->l1_miss[ACCESS_FETCH] + n->asked;
    to->stlb_access += n->tlb_miss[SIDE_I] + n->tlb_miss[SIDE_D];
    to->stlb_miss += n->stlb_miss;
    to->walks += n->stlb_miss + n->walks + n->long_walks;
    to->l1_writeback[SIDE_D] += n->l1_writeback;
    to->l2_access[L2_FETCH] += l1_misses;
    to->l2_access[L2_VICTIM] += n->l1_writeback;
    to->l2_access[L2_WALK] +=
        4 * (n->stlb_miss + n->walks) + n->walk_reads + n->walk_writes;
    for (int use = 0; use < NR_L2_USES; use++) {
        to->l2_miss[use] += n->l2_miss[use];
    }
    to->l2_writeback += n->l2_writeback;
    if (x->live) {
        x->m->probe->n += events_of(n);
    }
    memset(&x->n, 0, sizeof x->n);
}

void line_index_run(struct line_index *x, const struct ref *refs, size_t nr,
                    bool as_reads, struct ix_stop *stop)
{
#if defined HW_HAS_SSE41
    if (!x->m->index_plain && __builtin_cpu_supports("sse4.1")) {
        line_index_run_sse41(x, refs, nr, as_reads, stop);
        return;
    }
#endif
    line_index_run_plain(x, refs, nr, as_reads, stop);
}
