/* The buddy system: free lists per order and migratetype, splitting and merging.
 *
 * The buddy of a block of order o is the block whose pfn differs in bit o alone; two free
 * buddies become one block of order o + 1, whose pfn has that bit clear.
 *
 * Models mm/page_alloc.c: expand, __rmqueue_smallest, __free_one_page. The order of pages
 * on a list is part of the answer: split halves and merged blocks go to the head; to the
 * tail go blocks that are likely to merge soon (their buddy one order up is free), boot
 * memory, and blocks that are moved to another type.
 *
 * Left out: page reporting, guard pages, compaction's capture, list shuffling.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "context.h"
#include "vmstat.h"

static bool is_buddy(const struct page *buddy, uint32_t zone, uint32_t order)
{
    return buddy->state == USE_BUDDY && buddy->order == order && buddy->zone == zone &&
           !(buddy->flags & PG_UNBUDDY);
}

static void add_to_free_list(struct machine *m, uint32_t zone, uint64_t frame,
                             uint32_t order, enum migratetype mt, bool tail)
{
    struct page *page = page_w(m, frame);
    uint32_t head = freelist_head(zone, order, mt);
    page_set(page, USE_BUDDY, order, mt, zone);
    if (tail) {
        list_add_tail(m, head, (uint32_t)frame, page);
    } else {
        list_add(m, head, (uint32_t)frame, page);
    }
    zone_hot(m, zone)->nr_free[order]++;
}

void move_to_free_list(struct machine *m, uint32_t zone, uint64_t frame, uint32_t order,
                       enum migratetype mt)
{
    struct page *page = page_w(m, frame);
    list_del(m, freelist_head(zone, order, page->type), page);
    page->type = (uint8_t)mt;
    list_add_tail(m, freelist_head(zone, order, mt), (uint32_t)frame, page);
}

void del_page_from_free_list(struct machine *m, uint32_t zone, uint64_t frame,
                             uint32_t order)
{
    struct page *page = page_w(m, frame);
    list_del(m, freelist_head(zone, order, page->type), page);
    page->state = USE_ALLOC;
    page->flags &= PG_ODD;
    zone_hot(m, zone)->nr_free[order]--;
}

static void expand(struct machine *m, uint32_t zone, uint64_t frame, uint32_t low,
                   uint32_t high, enum migratetype mt)
{
    fn_enter(&m->probe, FN_expand, zone, frame, low, high);
    while (high > low) {
        high--;
        uint64_t upper = frame + (1ULL << high);
        page_w(m, frame)->order = (uint8_t)high;
        add_to_free_list(m, zone, upper, high, mt, false);
        page_w(m, upper)->op = page_r(m, frame)->op;
        probe(&m->probe, EV_BUDDY_SPLIT, zone, upper, high, mt);
    }
    fn_leave(&m->probe);
}

uint64_t __rmqueue_smallest(struct machine *m, uint32_t zone, uint32_t order,
                            enum migratetype mt)
{
    uint64_t frame = PFN_NONE;
    fn_enter(&m->probe, FN___rmqueue_smallest, zone, order, mt);
    for (uint32_t o = order; o < m->mm->max_order; o++) {
        uint32_t head = freelist_head(zone, o, mt), first = list_first(m, head);
        if (first == head) {
            continue;
        }
        frame = first;
        del_page_from_free_list(m, zone, frame, o);
        probe(&m->probe, EV_BUDDY_TAKE, zone, frame, o, mt, node_at(m, head)->count);
        if (o > order) {
            expand(m, zone, frame, order, o, mt);
        }
        page_w(m, frame)->type = (uint8_t)mt;
        probe(&m->probe, EV_MM_PAGE_ALLOC_ZONE_LOCKED, frame, order, mt,
              order <= PAGE_ALLOC_COSTLY_ORDER && mt < MIGRATE_PCPTYPES, o, zone);
        break;
    }
    fn_leave(&m->probe);
    return frame;
}

/* A block that has just been freed will merge soon if the buddy of the block that it and
 * its buddy would make is free already. */
static bool buddy_merge_likely(const struct machine *m, uint64_t frame, uint32_t order)
{
    if (order + 2 >= m->mm->max_order) {
        return false;
    }
    uint64_t higher = frame & ~(1ULL << order);
    return is_buddy(page_r(m, higher ^ (2ULL << order)), zone_of(m, higher), order + 1);
}

static bool types_forbid_merge(const struct machine *m, uint32_t zone, uint64_t buddy,
                               enum migratetype mt)
{
    enum migratetype buddy_mt = pageblock_get(m, zone, buddy);
    return mt != buddy_mt &&
           !(migratetype_is_mergeable(mt) && migratetype_is_mergeable(buddy_mt));
}

void __free_one_page(struct machine *m, uint32_t zone, uint64_t frame, uint32_t order,
                     enum migratetype mt, bool to_tail)
{
    fn_enter(&m->probe, FN___free_one_page, zone, frame, order, mt);
    if (mt != MIGRATE_ISOLATE) {
        vmstat_add_free(m, zone, 1 << order);
    }
    while (order + 1 < m->mm->max_order) {
        uint64_t buddy = frame ^ (1ULL << order);
        if (!is_buddy(page_r(m, buddy), zone, order) ||
            (order >= m->mm->pageblock_order && types_forbid_merge(m, zone, buddy, mt))) {
            probe(&m->probe, EV_BUDDY_NO_MERGE, zone, frame, buddy, order);
            break;
        }
        del_page_from_free_list(m, zone, buddy, order);
        uint64_t freed = frame;
        frame &= buddy;
        order++;
        struct page *whole = page_w(m, frame);
        whole->op = page_r(m, freed)->op;
        page_forget(page_w(m, frame + (1ULL << (order - 1))));
        page_set(whole, USE_ALLOC, order, mt, zone);
        probe(&m->probe, EV_BUDDY_MERGE, zone, freed, buddy, order);
    }
    to_tail = to_tail || buddy_merge_likely(m, frame, order);
    add_to_free_list(m, zone, frame, order, mt, to_tail);
    probe(&m->probe, EV_BUDDY_ADD, zone, frame, order, mt, to_tail);
    fn_leave(&m->probe);
}

void free_one_page(struct machine *m, uint32_t zone, uint64_t frame, uint32_t order,
                   enum migratetype mt, bool to_tail)
{
    fn_enter(&m->probe, FN_free_one_page, zone, frame, order, mt);
    uint32_t flags = zone_lock(m, zone);
    __free_one_page(m, zone, frame, order, mt, to_tail);
    zone_unlock(m, zone, flags);
    fn_leave(&m->probe);
}

static const char *check_free_block(const struct machine *m, uint32_t zone,
                                    uint32_t order, uint32_t mt, uint32_t id)
{
    const struct page *page = node_at(m, id);
    if (page->state != USE_BUDDY || page->order != order || page->type != mt ||
        page->zone != zone) {
        return "buddy: a page on a free list is not marked as on that list";
    }
    if (id & ((1U << order) - 1)) {
        return "buddy: a free block is not aligned to its size";
    }
    if (!zone_spans_pfn(zone_r(m, zone), id) ||
        !zone_spans_pfn(zone_r(m, zone), id + (1ULL << order) - 1)) {
        return "buddy: a free block leaves its zone";
    }
    for (uint32_t o = order + 1; o < m->mm->max_order; o++) {
        uint64_t above = id & ~((1ULL << o) - 1);
        const struct page *p = page_r(m, above);
        if (above != id && p->state != USE_NONE && above + (1ULL << p->order) > id) {
            return "buddy I3: a free block lies inside of another block";
        }
    }
    if (order + 1 < m->mm->max_order && order < m->mm->pageblock_order &&
        !(page->flags & PG_UNBUDDY) &&
        is_buddy(page_r(m, id ^ (1ULL << order)), zone, order)) {
        return "buddy: two free buddies are not merged";
    }
    return NULL;
}

static const char *check_free_list(const struct machine *m, uint32_t zone, uint32_t order,
                                   uint32_t mt)
{
    uint32_t head = freelist_head(zone, order, mt), n = 0, prev = head;
    for (uint32_t id = list_first(m, head); id != head; id = node_at(m, id)->next) {
        if (node_is_head(id) || id >= m->mm->nr_frames) {
            return "buddy: a free list leads out of the frame table";
        }
        if (node_at(m, id)->prev != prev || n++ > m->mm->nr_frames) {
            return "buddy: a free list's links do not agree";
        }
        prev = id;
        const char *why = check_free_block(m, zone, order, mt, id);
        if (why) {
            return why;
        }
    }
    return n == node_at(m, head)->count ? NULL : "buddy: a free list's count is wrong";
}

const char *buddy_check(const struct machine *m)
{
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        for (uint32_t o = 0; o < m->mm->max_order; o++) {
            uint64_t n = 0;
            for (uint32_t mt = 0; mt < MIGRATE_TYPES; mt++) {
                const char *why = check_free_list(m, z, o, mt);
                if (why) {
                    return why;
                }
                n += node_at(m, freelist_head(z, o, mt))->count;
            }
            if (n != zone_r(m, z)->nr_free[o]) {
                return "buddy: nr_free is not the sum of the lists";
            }
        }
    }
    return NULL;
}
