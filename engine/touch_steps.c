/* What each step of the allocators touches: the rows of touch.def, and here what is a
 * loop or needs to look at what an event's arguments only name.
 *
 * Kernel functions and what they do beside the rows:
 *
 *   ____cache_alloc, ___cache_free  the entry of the array that goes out or comes in
 *   transfer_objects                as many entries of two arrays as objects move
 *   slab_get_obj, slab_put_obj      the object's number in the freelist; the array's entry
 *   cache_flusharray, free_block    the entries that go, and those that move down
 *   cache_init_objs                 each object's number (shuffled ones are left out)
 *   allocate_slab (SLUB)            a free pointer in each object
 *   __rmqueue_smallest              the list heads of the orders that have nothing
 *   prep_compound_page              every tail
 *   check_new_pages,                every page of a block, when it leaves the free lists
 *   free_pages_prepare              or comes back
 *   move_freepages                  each page of the pageblock that heads no free block
 *   __zone_watermark_ok             each order's nr_free, and a list, until there is one
 *   get_pfnblock_flags_mask         the pageblock's bits
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include "alloc.h"
#include "slab.h"

/* Where a row's structure lies. */
enum place {
    PLACE_CACHE,
    PLACE_NODE,
    PLACE_ARRAY,
    PLACE_SHARED,
    PLACE_CPU,
    PLACE_SLAB,
    PLACE_PAGE,
    PLACE_PAGE_OF,
    PLACE_FREE,
    PLACE_ZONE,
    PLACE_AREA,
    PLACE_PCP,
    PLACE_STAT,
    PLACE_EVENTS
};
#define CACHE(i) PLACE_CACHE, i
#define NODE(i) PLACE_NODE, i
#define ARRAY(i) PLACE_ARRAY, i
#define SHARED(i) PLACE_SHARED, i
#define CPU(i) PLACE_CPU, i
#define SLAB(i) PLACE_SLAB, i
#define PAGE(i) PLACE_PAGE, i
#define PAGE_OF(i) PLACE_PAGE_OF, i
#define FREE(i) PLACE_FREE, i
#define ZONE(i) PLACE_ZONE, i
#define AREA(i) PLACE_AREA, i
#define PCP(i) PLACE_PCP, i
#define STAT(i) PLACE_STAT, i
#define EVENTS(i) PLACE_EVENTS, i

static const struct row {
    uint16_t event;
    uint8_t layer, place, arg, field, access;
} rows[] = {
#define ROW_(event, layer, place, arg, field, access)                                    \
    {EV_##event, LAYER_##layer, place, arg, TF_##field, TOUCH_##access},
#define TOUCH(event, layer, place, field, access) ROW_(event, layer, place, field, access)
#include "touch.def"
#undef ROW_
};

static uint64_t word_of(const struct machine *m)
{
    return m->config.arch == ARCH_X86_64 ? 8 : 4;
}

/* The frame that heads the slab or block of an address; as the kernel finds it through
 * compound_head. */
static uint64_t frame_of(const struct machine *m, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    return kspace_is_direct(k, va) ? (va - k->page_offset) >> PAGE_SHIFT : PFN_NONE;
}

static uint64_t head_page_va(const struct machine *m, uint64_t va)
{
    const uint64_t frame = frame_of(m, va);
    const uint64_t head = frame < m->mm->nr_frames ? page_block(m, frame) : PFN_NONE;
    return head == PFN_NONE ? 0 : touch_page_va(m, head);
}

static uint64_t base_of(const struct machine *m, const struct row *r, const uint64_t *a)
{
    const uint32_t cpu = m->probe.cpu, zone = (uint32_t)a[0];
    const struct kmem_cache *c =
        r->place <= PLACE_CPU || r->place == PLACE_FREE ? cache_r(m, a[0]) : NULL;
    switch ((enum place)r->place) {
    case PLACE_CACHE:
        return c ? touch_cache_va(m, c) : 0;
    case PLACE_NODE:
        return c ? touch_node_va(m, c) : 0;
    case PLACE_ARRAY:
    case PLACE_CPU:
        return c ? touch_array_va(m, c, cpu) : 0;
    case PLACE_SHARED:
        return c ? c->shared_addr : 0;
    case PLACE_FREE:
        return c ? a[r->arg] + c->offset : 0;
    case PLACE_SLAB:
    case PLACE_PAGE:
        return touch_page_va(m, a[r->arg]);
    case PLACE_PAGE_OF:
        return head_page_va(m, a[r->arg]);
    case PLACE_ZONE:
    case PLACE_AREA:
        return touch_zone_va(m, zone);
    case PLACE_PCP:
        return touch_pcp_va(m, zone, cpu);
    case PLACE_STAT:
        return touch_stat_va(m, zone, cpu);
    default:
        return touch_events_va(m, cpu);
    }
}

static uint64_t area_offset(const struct machine *m, uint64_t order)
{
    return order * (2 * word_of(m) * MIGRATE_TYPES + word_of(m));
}

/* ---- arrays ---- */

static void entries(struct machine *m, uint32_t layer, uint64_t array, uint32_t field,
                    uint64_t first, uint64_t nr, enum touch_access access)
{
    for (uint64_t i = 0; i < nr; i++) {
        touch_note_at(m, layer, array, field, (first + i) * word_of(m), access);
    }
}

static const struct slab *slab_at(const struct machine *m, uint64_t frame)
{
    const struct page *page = frame < m->mm->nr_frames ? page_r(m, frame) : NULL;
    return page && (page->flags & PG_SLAB) ? slab_r(m, page->count) : NULL;
}

static void step_slab(struct machine *m, uint16_t event, const uint64_t *a)
{
    const struct kmem_cache *c = cache_r(m, a[0]);
    if (!c) {
        return;
    }
    const uint32_t cpu = m->probe.cpu;
    const uint64_t array = touch_array_va(m, c, cpu);
    const struct array_cache *ac = m->config.slub ? NULL : array_r(m, c->array[cpu]);
    const struct slab *s;
    switch (event) {
    case EV_SLAB_ARRAY_HIT:
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, a[2], 1, TOUCH_R);
        break;
    case EV_SLAB_ARRAY_PUT:
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, a[2] - 1, 1, TOUCH_W);
        break;
    case EV_SLAB_REFILL_SHARED:
        entries(m, LAYER_SLAB, c->shared_addr, TF_SHARED_ENTRY, a[2], a[1], TOUCH_R);
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, ac->avail - a[1], a[1], TOUCH_W);
        break;
    case EV_SLAB_OBJECT_OUT:
        s = slab_at(m, a[1]);
        if (s) {
            touch_note_at(m, LAYER_SLAB, s->freelist, TF_SLAB_NUMBER, s->active - 1,
                          TOUCH_R);
        }
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, ac->avail - 1, 1, TOUCH_W);
        break;
    case EV_SLAB_REFILL:
        if (a[4] == SLABS_FREE) {
            touch_note(m, LAYER_SLAB, touch_node_va(m, c), TF_NODE_TOUCHED, TOUCH_W);
            touch_note(m, LAYER_SLAB, touch_node_va(m, c), TF_NODE_FREE, TOUCH_R);
            touch_note(m, LAYER_SLAB, touch_node_va(m, c), TF_NODE_FREE_SLABS, TOUCH_RW);
        }
        break;
    case EV_SLAB_FREELIST:
        for (uint64_t i = 0; i < c->num; i++) {
            touch_note_at(m, LAYER_SLAB, a[2], TF_SLAB_NUMBER, i, TOUCH_W);
        }
        break;
    case EV_SLAB_FLUSH_SHARED:
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, 0, a[1], TOUCH_R);
        entries(m, LAYER_SLAB, c->shared_addr, TF_SHARED_ENTRY, a[2] - a[1], a[1],
                TOUCH_W);
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, a[1], ac->avail, TOUCH_R);
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, 0, ac->avail, TOUCH_W);
        touch_note(m, LAYER_CPU, array, TF_ARRAY_AVAIL, TOUCH_RW);
        break;
    case EV_SLAB_OBJECT_IN:
        s = slab_at(m, a[1]);
        if (s) {
            const uint64_t va = index_to_obj(c, s, (uint32_t)a[2]);
            touch_note(m, LAYER_SLAB, head_page_va(m, va), TF_PAGE_HEAD, TOUCH_R);
            touch_note_at(m, LAYER_SLAB, s->freelist, TF_SLAB_NUMBER, a[3], TOUCH_W);
        }
        break;
    case EV_SLAB_ARRAY_FULL: /* the entries that go, when no shared array takes them */
        entries(m, LAYER_CPU, array, TF_ARRAY_ENTRY, 0, a[1], TOUCH_R);
        break;
    case EV_SLAB_CTOR:
        s = slab_at(m, a[1]);
        for (uint32_t i = 0; s && i < s->num; i++) {
            touch_note_bytes(m, LAYER_BYTES, index_to_obj(c, s, i), c->object_size, true);
        }
        break;
    case EV_SLUB_NEW:
        s = slab_at(m, a[1]);
        for (uint32_t i = 0; s && i < s->num; i++) {
            touch_note(m, LAYER_SLAB, index_to_obj(c, s, i) + c->offset, TF_OBJECT_FREE,
                       TOUCH_W);
        }
        break;
    case EV_KMEM_CACHE_FREE:
        if (m->config.slub) {
            touch_note(m, LAYER_CPU, head_page_va(m, a[1]), TF_PAGE_HEAD, TOUCH_R);
        }
        break;
    default:
        break;
    }
}

/* ---- pages ---- */

static void make_tails(struct machine *m, uint64_t frame, uint64_t order)
{
    for (uint64_t i = 1; i < (uint64_t)1 << order; i++) {
        touch_note(m, LAYER_ZONES, touch_page_va(m, frame + i), TF_PAGE_HEAD, TOUCH_W);
        touch_note(m, LAYER_ZONES, touch_page_va(m, frame + i), TF_PAGE_MAPPING, TOUCH_W);
    }
}

/* page_expected_state: of each page of a block. */
static void expect_state(struct machine *m, uint32_t layer, uint64_t frame,
                         uint64_t order, uint64_t first, bool clear_flags)
{
    for (uint64_t i = first; i < (uint64_t)1 << order; i++) {
        const uint64_t va = touch_page_va(m, frame + i);
        touch_note(m, layer, va, TF_PAGE_TYPE, TOUCH_R);
        touch_note(m, layer, va, TF_PAGE_MAPPING, TOUCH_R);
        touch_note(m, layer, va, TF_PAGE_COUNT, TOUCH_R);
        touch_note(m, layer, va, TF_PAGE_FLAGS, clear_flags ? TOUCH_RW : TOUCH_R);
    }
}

static void block_bits(struct machine *m, uint32_t layer, uint64_t zone, uint64_t frame,
                       enum touch_access access)
{
    touch_note(m, layer, touch_block_bits_va(m, (uint32_t)zone, frame), TF_BLOCK_BITS,
               access);
}

/* Orders whose lists are looked at before the block is found. */
static void empty_lists(struct machine *m, uint64_t zone, uint64_t from, uint64_t to,
                        uint64_t mt)
{
    for (uint64_t o = from; o <= to; o++) {
        touch_note_at(m, LAYER_BUDDY, touch_zone_va(m, (uint32_t)zone), TF_ZONE_AREA,
                      area_offset(m, o) + mt * 2 * word_of(m), TOUCH_R);
    }
}

static void look_for_block(struct machine *m, uint64_t zone, uint64_t order)
{
    const uint64_t va = touch_zone_va(m, (uint32_t)zone);
    for (uint64_t o = order; order && o < m->mm->max_order; o++) {
        touch_note_at(m, LAYER_ZONES, va, TF_ZONE_NR_FREE, area_offset(m, o), TOUCH_R);
        if (zone_r(m, (uint32_t)zone)->nr_free[o]) {
            touch_note_at(m, LAYER_ZONES, va, TF_ZONE_AREA, area_offset(m, o), TOUCH_R);
            break;
        }
    }
}

static void walk_pageblock(struct machine *m, uint32_t zone, uint64_t frame)
{
    const struct zone *z = zone_r(m, zone);
    uint64_t at = frame & ~(pageblock_nr_pages(m) - 1);
    const uint64_t end = at + pageblock_nr_pages(m);
    if (!zone_spans_pfn(z, at)) {
        at = frame;
    }
    while (at < end && zone_spans_pfn(z, end - 1)) {
        const struct page *page = page_r(m, at);
        const bool free = page->state == USE_BUDDY && !(page->flags & PG_UNBUDDY);
        touch_note(m, LAYER_BUDDY, touch_page_va(m, at), TF_PAGE_TYPE, TOUCH_R);
        touch_note(m, LAYER_BUDDY, touch_page_va(m, at),
                   free ? TF_PAGE_PRIVATE : TF_PAGE_FLAGS, TOUCH_R);
        at += free ? (uint64_t)1 << page->order : 1;
    }
}

static void step_pages(struct machine *m, uint16_t event, const uint64_t *a)
{
    uint64_t va;
    switch (event) {
    case EV_ZONE_TRY: /* zonelists have the highest zone first */
        touch_note_at(m, LAYER_ZONES,
                      touch_zoneref_va(m, m->mm->nr_zones - 1 - (uint32_t)a[0]),
                      TF_ZONELIST_REF, 0, TOUCH_R);
        break;
    case EV_WATERMARK_TEST:
        look_for_block(m, a[0], a[1]);
        break;
    case EV_MM_PAGE_ALLOC:
        if (a[2] & __GFP_COMP) {
            make_tails(m, a[0], a[1]);
        }
        break;
    case EV_MM_PAGE_FREE:
        expect_state(m, LAYER_ZONES, a[0], a[1], 1, true);
        block_bits(m, a[1] > PAGE_ALLOC_COSTLY_ORDER ? LAYER_BUDDY : LAYER_PCP,
                   page_r(m, a[0])->zone, a[0], TOUCH_R);
        break;
    case EV_MM_PAGE_PCPU_DRAIN:
        expect_state(m, LAYER_PCP, a[0], 0, 0, false);
        break;
    case EV_PCP_DRAIN:
        va = touch_pcp_va(m, (uint32_t)a[0], (uint32_t)a[1]);
        touch_note(m, LAYER_PCP, va, TF_PCP_COUNT, TOUCH_RW);
        break;
    case EV_MM_PAGE_ALLOC_ZONE_LOCKED:
        empty_lists(m, a[5], a[1], a[4], a[2]);
        expect_state(m, LAYER_BUDDY, a[0], a[1], 0, false);
        break;
    case EV_BUDDY_MERGE:
        touch_note_at(m, LAYER_BUDDY, touch_zone_va(m, (uint32_t)a[0]), TF_ZONE_NR_FREE,
                      area_offset(m, a[3] - 1), TOUCH_RW);
        break;
    case EV_BUDDY_NONE:
        if (m->mm->max_order) {
            empty_lists(m, a[0], a[1], m->mm->max_order - 1, a[2]);
        }
        break;
    case EV_PAGEBLOCK_TYPE:
        block_bits(m, LAYER_BUDDY, a[0], a[1], TOUCH_RW);
        break;
    case EV_MOVE_FREEPAGES:
        walk_pageblock(m, (uint32_t)a[0], a[1]);
        break;
    default:
        break;
    }
}

/* ---- bytes ---- */

static void step_bytes(struct machine *m, uint16_t event, const uint64_t *a)
{
    const struct kspace *k = &m->vm->kspace;
    uint64_t va;
    switch (event) {
    case EV_CLEAR_OBJECT:
        touch_note_bytes(m, LAYER_BYTES, a[0], a[1], true);
        break;
    case EV_CLEAR_PAGES:
        va = kspace_va(k, a[0]);
        if (kspace_is_direct(k, va)) {
            touch_note_bytes(m, LAYER_BYTES, va, (uint64_t)PAGE_SIZE << a[1], true);
        }
        break;
    case EV_KREALLOC_COPY:
        touch_note_bytes(m, LAYER_BYTES, a[0], a[2], false);
        touch_note_bytes(m, LAYER_BYTES, a[1], a[2], true);
        break;
    default:
        break;
    }
}

void touch_steps(struct machine *m, uint16_t event, const uint64_t *a)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        if (r->event == event) {
            const uint64_t more = r->place == PLACE_AREA ? area_offset(m, a[2]) : 0;
            touch_note_at(m, r->layer, base_of(m, r, a), r->field, more,
                          (enum touch_access)r->access);
        }
    }
    if (event >= EV_KMEM_CACHE_CREATE && event <= EV_SLUB_DISCARD) {
        switch (event) {
        case EV_KREALLOC_COPY:
        case EV_CLEAR_OBJECT:
            step_bytes(m, event, a);
            break;
        case EV_KMALLOC:
        case EV_KFREE:
        case EV_KSIZE:
        case EV_KREALLOC_FITS:
        case EV_SLAB_INIT_DONE:
            break;
        default:
            step_slab(m, event, a);
        }
    } else {
        step_pages(m, event, a);
        step_bytes(m, event, a);
    }
}
