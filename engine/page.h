/* The frame table: one struct page a frame, and the lists that pages are on.
 *
 *   tables.frames   ... list heads (negative ids) | frame 0 | 1 | 2 | ...
 *   tables.blocks   frame 0 | 1024 | 2048 | ...   (in place of those in frames)
 *
 * A node id is a pfn or, negative, a list's head; links are ids. Because a head is a node
 * as any other, taking a page off its list needs no word about which list it is. The
 * second table keeps the heads of whole top blocks together: a freshly booted machine of
 * 1 TiB touches 8 MiB of it and nothing else.
 *
 * I1  A struct page of zeros knows nothing: the frame is the tail of somebody's block,
 *     reserved, a hole, or allocated since before we looked. Only the first page of a
 *     block carries its state.
 * I2  A page's state is found at one of its aligned-down heads: at most max_order looks
 *     (page_block).
 * I3  Blocks do not overlap; a block's pages all lie in one zone. A block that is on its
 *     way between two owners is ALLOC with refcount 0.
 * I4  On a list are exactly the pages with state BUDDY (free lists) and PCP (per-CPU
 *     lists); all others have links of 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_PAGE_H
#define ENGINE_PAGE_H

#include "mm.h"
#include "touch.h"

/* page.state */
enum page_use {
    USE_NONE,  /* I1 */
    USE_BUDDY, /* heads a block on a free list */
    USE_PCP,   /* heads a block on a per-CPU list */
    USE_ALLOC  /* heads an allocated block */
};

/* page.flags */
enum {
    PG_LRU = 1,        /* a user page on the LRU: stealing counts it as movable */
    PG_COMPOUND = 2,   /* allocated with __GFP_COMP: PG_head */
    PG_PFMEMALLOC = 4, /* allocated without regard to watermarks */
    PG_UNBUDDY = 8,    /* on a free list without PageBuddy (bad_page took it): no merge */
    PG_KEPT = 8,       /* the same bit, allocated: a page table, or mapped by a process */
    PG_ODD = 16,       /* counted in mm.nr_odd_pages */
    PG_LEAKED = 32,    /* allocated, but nobody has it any more */
    PG_RESERVED = 64,  /* a reserved page that was freed, with too high an order */
    PG_SLAB = 128      /* a slab of objects (slab.h) */
};

struct page {
    uint32_t next, prev; /* node ids */
    uint8_t state;       /* enum page_use */
    uint8_t order;
    uint8_t type; /* page->index while free: the migratetype it is kept for */
    uint8_t flags;
    int32_t refcount; /* _refcount, also of tails: 0 but after misuse */
    uint32_t gfp;     /* allocated: the flags it was asked with */
    uint32_t op;  /* number of the operation that allocated or freed it (low 32 bits); 0:
                     boot */
    uint8_t cpu;  /* who did that */
    uint8_t zone; /* its number */
    uint16_t pad;
    /* list heads: nodes on the list; PG_SLAB: reference of its struct slab */
    uint32_t count;
};
_Static_assert(sizeof(struct page) == 32, "at most 32 bytes a simulated page");

enum { TOP_SHIFT = 10, TOP_MASK = (1 << TOP_SHIFT) - 1 };

/* Ids of heads are odd negative numbers: never a multiple of 1024. */
static inline uint32_t freelist_head(uint32_t zone, uint32_t order, uint32_t mt)
{
    return ~(((zone * MAX_ORDER + order) * MIGRATE_TYPES + mt) << 1);
}
enum { NR_FREELISTS = MAX_ZONES * MAX_ORDER * MIGRATE_TYPES };
static inline uint32_t pcp_head(uint32_t zone, uint32_t cpu, uint32_t list)
{
    return ~((NR_FREELISTS + (cpu * MAX_ZONES + zone) * NR_PCP_LISTS + list) << 1);
}
static inline bool node_is_head(uint32_t id) { return id >> 31; }

static inline struct page *node_at(const struct machine *m, uint32_t id)
{
    return id & TOP_MASK ? m->tables.frames + (int32_t)id
                         : m->tables.blocks + (id >> TOP_SHIFT);
}
static inline struct page *head_at(const struct machine *m, uint32_t head)
{
    return m->tables.frames + (int32_t)head;
}
static inline struct page *head_w(struct machine *m, uint32_t head)
{
    struct page *h = head_at(m, head);
    arena_mark(&m->arena, h);
    return h;
}
static inline const struct page *page_r(const struct machine *m, uint64_t frame)
{
    return node_at(m, (uint32_t)frame);
}
static inline struct page *node_w(struct machine *m, uint32_t id)
{
    struct page *n = node_at(m, id);
    arena_mark(&m->arena, n);
    return n;
}
static inline struct page *page_w(struct machine *m, uint64_t frame)
{
    return node_w(m, (uint32_t)frame);
}

/* The head of the block that this frame belongs to, or PFN_NONE where nothing is known
 * (I1). */
uint64_t page_block(const struct machine *m, uint64_t frame);

/* Which frames a chunk of the arena describes (for views that follow the arena's marks):
 * frames first, first + stride, ... nr of them. False: not a chunk of the frame table.
 * Stride 1024 is the table of top blocks' heads: only the head's own struct page has
 * changed, and with it the block as far as it reaches. */
struct frame_span {
    uint64_t first, nr, stride;
};
bool page_span_of_chunk(const struct machine *m, size_t chunk, struct frame_span *span);
/* The reverse for pageblock types: the frames whose pageblock's migratetype is in this
 * chunk. */
bool pageblock_span_of_chunk(const struct machine *m, size_t chunk,
                             struct frame_span *span);

/* ---- lists: the kernel's list_add, list_add_tail, list_del ---- */

static inline void list_init(struct machine *m, uint32_t head)
{
    struct page *h = head_w(m, head);
    h->next = h->prev = head;
    h->count = 0;
}
static inline uint32_t list_first(const struct machine *m, uint32_t head)
{
    return head_at(m, head)->next;
}
static inline uint32_t list_last(const struct machine *m, uint32_t head)
{
    return head_at(m, head)->prev;
}
static inline bool list_empty(const struct machine *m, uint32_t head)
{
    return head_at(m, head)->next == head;
}
/* page is node id, already marked; head is the list that it goes on. */
static inline void list_add(struct machine *m, uint32_t head, uint32_t id,
                            struct page *page)
{
    struct page *h = head_w(m, head);
    uint32_t next = h->next;
    TOUCH_NOTE(m, touch_list_add(m, id, head, next));
    page->next = next;
    page->prev = head;
    node_w(m, next)->prev = id;
    h->next = id;
    h->count++;
}
static inline void list_add_tail(struct machine *m, uint32_t head, uint32_t id,
                                 struct page *page)
{
    struct page *h = head_w(m, head);
    uint32_t prev = h->prev;
    TOUCH_NOTE(m, touch_list_add(m, id, prev, head));
    page->next = head;
    page->prev = prev;
    node_w(m, prev)->next = id;
    h->prev = id;
    h->count++;
}
static inline void list_del(struct machine *m, uint32_t head, struct page *page)
{
    TOUCH_NOTE(m,
               touch_list_del(m, node_at(m, page->next)->prev, page->prev, page->next));
    node_w(m, page->next)->prev = page->prev;
    node_w(m, page->prev)->next = page->next;
    page->next = page->prev = 0;
    head_w(m, head)->count--;
}

#endif
