/* The physical memory map in few cells: a pyramid of counts over the frame table.
 *
 *   level k      a cell of 2^(10+k) frames: counts     level 0: a top block, 1024 frames
 *   ...
 *   level 0 ---> detail, only where frames are not all alike: a byte a frame, and counts
 *                for 16, 32, ... 512 frames
 *
 * A frame's byte is its state and its type (struct page_view's, without who and when). A
 * top block is read again when the arena says that its part of the frame table was
 * written, or when its head or its pageblocks' types are not what they were; the change
 * of its counts is then added to all levels above.
 *
 * I1  Every count is what page_view() gives for its frames (after pagemap_update).
 * I2  A top block without detail has frames of one kind only.
 *
 * Left out: the pyramid knows nothing about orders, so blocks that split or merge
 * without a change of state do not count as changed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "page.h"

enum {
    TOP_FRAMES = 1 << TOP_SHIFT,
    NR_COUNTS = NR_PAGE_STATES + 2 * MIGRATE_TYPES,
    MAX_LEVELS = 32,
    DETAIL_SHIFT =
        4, /* the smallest cells with counts of their own; smaller ones are added up */
    NR_DETAIL = 2 * (TOP_FRAMES >> DETAIL_SHIFT) - 2 /* 64 + 32 + ... + 2 */
};

struct cell {
    uint32_t count[NR_COUNTS]; /* by state; free by type; allocated by type */
    uint32_t stamp;            /* the update in which it changed last */
};

struct detail {
    uint8_t code[TOP_FRAMES];
    uint64_t changed[TOP_FRAMES / 64]; /* in the update `stamp` of the top block */
    uint16_t count[NR_DETAIL][NR_COUNTS];
};

struct top {
    struct detail *detail; /* I2 */
    uint64_t head; /* what the head and the pageblock types were: see fingerprint() */
    uint32_t
        queued;   /* the update in which it was put on the list of those to read again */
    uint8_t code; /* without detail: of all frames */
    bool all_changed; /* without detail */
};

struct pagemap {
    struct machine *m;
    uint64_t nr_frames, nr_tops;
    uint32_t nr_levels, stamp;
    struct cell *level[MAX_LEVELS];
    struct top *top;
    uint32_t *queue, nr_queue;
    /* the zones' places: another state was loaded when they differ */
    uint64_t zone_start[MAX_ZONES], zone_spanned[MAX_ZONES];
    uint32_t nr_zones, nr_ranges;
};

/* ---- codes ---- */

enum { CODE_TYPE_SHIFT = 3, CODE_STATE_MASK = 7 };

static uint8_t make_code(enum page_state state, enum migratetype type)
{
    bool typed = state == PAGE_FREE || state == PAGE_ALLOCATED;
    return (uint8_t)((uint32_t)state | (typed ? (uint32_t)type << CODE_TYPE_SHIFT : 0));
}

static void count_code(uint32_t count[NR_COUNTS], uint8_t code, uint32_t nr)
{
    uint32_t state = code & CODE_STATE_MASK, type = code >> CODE_TYPE_SHIFT;
    count[state] += nr;
    if (state == PAGE_FREE) {
        count[NR_PAGE_STATES + type] += nr;
    } else if (state == PAGE_ALLOCATED) {
        count[NR_PAGE_STATES + MIGRATE_TYPES + type] += nr;
    }
}

/* ---- reading a top block ---- */

/* What the head's page and the pageblocks' types say, in one number. */
static uint64_t fingerprint(const struct machine *m, uint64_t top)
{
    const uint64_t first = top << TOP_SHIFT, step = (uint64_t)1 << m->mm->pageblock_order;
    const struct page *head = page_r(m, first);
    uint64_t f = head->state | (uint64_t)head->order << 8 | (uint64_t)head->type << 16 |
                 (uint64_t)head->flags << 24;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        const struct zone *zone = zone_r(m, z);
        if (zone_end_pfn(zone) <= first || zone->start_pfn >= first + TOP_FRAMES) {
            continue;
        }
        for (uint64_t p = first; p < first + TOP_FRAMES; p += step) {
            uint64_t at = p > zone->start_pfn ? p : zone->start_pfn;
            if (at < zone_end_pfn(zone)) {
                f = (f ^ (pageblock_get(m, z, at) + 1)) * 0x9e3779b97f4a7c15;
                f ^= f >> 29;
            }
        }
    }
    return f;
}

struct reader {
    const struct machine *m;
    uint64_t until; /* unknown frames below are as `unknown` says */
    enum page_state unknown;
    uint32_t zone; /* where the last frame lay */
};

static uint32_t reader_zone(struct reader *r, uint64_t frame)
{
    if (r->zone == UINT32_MAX || !zone_spans_pfn(zone_r(r->m, r->zone), frame)) {
        r->zone = zone_of_pfn(r->m, pfn(frame));
    }
    return r->zone;
}

/* The state of a frame of which the frame table knows nothing, and up to where it is the
 * same. */
static enum page_state unknown_state(struct reader *r, uint64_t frame)
{
    const struct machine *m = r->m;
    if (frame < r->until) {
        return r->unknown;
    }
    bool present = false, reserved = reader_zone(r, frame) == UINT32_MAX;
    r->until = UINT64_MAX;
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        const struct frame_range *range = &m->tables.ranges[i];
        bool in = frame >= range->start && frame < range->end;
        present |= in && range->kind == RANGE_PRESENT;
        reserved |= in && range->kind == RANGE_RESERVED;
        uint64_t border = frame < range->start ? range->start
                          : in                 ? range->end
                                               : UINT64_MAX;
        r->until = border < r->until ? border : r->until;
    }
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        uint64_t start = zone_r(m, z)->start_pfn, end = zone_end_pfn(zone_r(m, z));
        uint64_t border = frame < start ? start : frame < end ? end : UINT64_MAX;
        r->until = border < r->until ? border : r->until;
    }
    r->unknown = !present ? PAGE_HOLE : reserved ? PAGE_RESERVED : PAGE_ALLOCATED;
    return r->unknown;
}

static uint8_t frame_code(struct reader *r, uint64_t frame, enum page_state state)
{
    enum migratetype type = MIGRATE_UNMOVABLE;
    if (state == PAGE_ALLOCATED) {
        uint32_t zone = reader_zone(r, frame);
        type = zone == UINT32_MAX ? MIGRATE_UNMOVABLE : pageblock_get(r->m, zone, frame);
    }
    return make_code(state, type);
}

static void read_top(const struct pagemap *pm, uint64_t top, uint8_t code[TOP_FRAMES])
{
    const struct machine *m = pm->m;
    struct reader r = {.m = m, .zone = UINT32_MAX};
    const uint64_t first = top << TOP_SHIFT, end = first + TOP_FRAMES,
                   max = m->mm->max_pfn;
    for (uint64_t f = first; f < end;) {
        const struct page *page = page_r(m, f);
        if (page->state == USE_NONE) {
            enum page_state state = f < max ? unknown_state(&r, f) : PAGE_HOLE;
            code[f - first] = frame_code(&r, f, state);
            f++;
            continue;
        }
        uint64_t block_end = f + ((uint64_t)1 << page->order);
        block_end = block_end < end ? block_end : end;
        for (; f < block_end; f++) {
            if (f >= max) {
                code[f - first] = make_code(PAGE_HOLE, MIGRATE_UNMOVABLE);
            } else if (page->state == USE_BUDDY) {
                code[f - first] = make_code(PAGE_FREE, (enum migratetype)page->type);
            } else if (page->state == USE_PCP) {
                code[f - first] = make_code(PAGE_PCP, MIGRATE_UNMOVABLE);
            } else {
                code[f - first] = frame_code(
                    &r, f, page->flags & PG_RESERVED ? PAGE_RESERVED : PAGE_ALLOCATED);
            }
        }
    }
}

/* Nothing in the frame table about this top block but its head: all frames can be said
 * in a few words. Only true when the answer is one code for all. */
static bool read_untouched(const struct pagemap *pm, uint64_t top, uint8_t *code)
{
    const struct machine *m = pm->m;
    const uint64_t first = top << TOP_SHIFT, end = first + TOP_FRAMES;
    const struct page *head = page_r(m, first);
    const size_t frames =
        (size_t)((const unsigned char *)m->tables.frames - m->arena.base);
    size_t chunk = (frames + first * sizeof(struct page)) >> ARENA_CHUNK_SHIFT;
    const size_t last = (frames + (end - 1) * sizeof(struct page)) >> ARENA_CHUNK_SHIFT;
    if (end > m->mm->max_pfn) {
        return false;
    }
    if (head->state == USE_BUDDY && head->order == TOP_SHIFT) {
        *code = make_code(PAGE_FREE, (enum migratetype)head->type);
        return true;
    }
    for (; chunk <= last; chunk++) {
        if (arena_chunk_touched(&m->arena, chunk)) {
            return false;
        }
    }
    if (head->state != USE_NONE || m->mm->pageblock_order != TOP_SHIFT) {
        return false;
    }
    struct reader r = {.m = m, .zone = UINT32_MAX};
    enum page_state state = unknown_state(&r, first);
    *code = frame_code(&r, first, state);
    return r.until >= end;
}

/* ---- the pyramid ---- */

/* A detail's cell of 2^shift frames that holds frame i of the top block. */
static uint32_t detail_index(uint32_t shift, uint32_t i)
{
    /* cells of 16 first (64), then of 32 (32), ... */
    uint32_t skipped = NR_DETAIL + 2 - (2u << (TOP_SHIFT - shift));
    return skipped + (i >> shift);
}

static void fill_detail(struct detail *d)
{
    memset(d->count, 0, sizeof d->count);
    for (uint32_t i = 0; i < TOP_FRAMES; i += 1 << DETAIL_SHIFT) {
        uint32_t sum[NR_COUNTS] = {0};
        for (uint32_t j = 0; j < 1 << DETAIL_SHIFT; j++) {
            count_code(sum, d->code[i + j], 1);
        }
        uint16_t *to = d->count[detail_index(DETAIL_SHIFT, i)];
        for (int c = 0; c < NR_COUNTS; c++) {
            to[c] = (uint16_t)sum[c];
        }
    }
    for (uint32_t shift = DETAIL_SHIFT + 1; shift < TOP_SHIFT; shift++) {
        for (uint32_t i = 0; i < TOP_FRAMES; i += 1u << shift) {
            uint16_t *to = d->count[detail_index(shift, i)];
            const uint16_t *a = d->count[detail_index(shift - 1, i)];
            const uint16_t *b =
                d->count[detail_index(shift - 1, i + (1u << (shift - 1)))];
            for (int c = 0; c < NR_COUNTS; c++) {
                to[c] = (uint16_t)(a[c] + b[c]);
            }
        }
    }
}

static bool all_alike(const uint8_t code[TOP_FRAMES])
{
    return memcmp(code, code + 1, TOP_FRAMES - 1) == 0;
}

/* The top block's frames are now as code says. Answers whether any changed. */
static bool set_codes(struct pagemap *pm, struct top *t, const uint8_t code[TOP_FRAMES])
{
    struct detail *d = t->detail;
    if (!d && all_alike(code)) {
        t->all_changed = t->code != code[0];
        t->code = code[0];
        return t->all_changed;
    }
    if (!d) {
        d = t->detail = calloc(1, sizeof *d);
        if (!d) {
            abort(); /* no room for 6 KiB: the host is out of memory */
        }
        memset(d->code, t->code, sizeof d->code);
    }
    bool any = false;
    memset(d->changed, 0, sizeof d->changed);
    for (uint32_t i = 0; i < TOP_FRAMES; i++) {
        if (d->code[i] != code[i]) {
            d->changed[i / 64] |= (uint64_t)1 << i % 64;
            any = true;
        }
    }
    if (any) {
        memcpy(d->code, code, sizeof d->code);
        fill_detail(d);
    }
    (void)pm;
    return any;
}

static void top_counts(const struct top *t, uint32_t count[NR_COUNTS])
{
    memset(count, 0, NR_COUNTS * sizeof *count);
    if (!t->detail) {
        count_code(count, t->code, TOP_FRAMES);
        return;
    }
    const uint16_t *a = t->detail->count[NR_DETAIL - 2],
                   *b = t->detail->count[NR_DETAIL - 1];
    for (int c = 0; c < NR_COUNTS; c++) {
        count[c] = (uint32_t)a[c] + b[c];
    }
}

static void refresh_top(struct pagemap *pm, uint64_t i)
{
    struct top *t = &pm->top[i];
    uint8_t code[TOP_FRAMES];
    if (!read_untouched(pm, i, &code[0])) {
        read_top(pm, i, code);
    } else {
        memset(code, code[0], sizeof code);
    }
    t->head = fingerprint(pm->m, i);
    if (!set_codes(pm, t, code)) {
        return;
    }
    uint32_t count[NR_COUNTS], delta[NR_COUNTS];
    top_counts(t, count);
    for (int c = 0; c < NR_COUNTS; c++) {
        delta[c] = count[c] - pm->level[0][i].count[c];
    }
    for (uint32_t k = 0; k < pm->nr_levels; k++) {
        struct cell *cell = &pm->level[k][i >> k];
        cell->stamp = pm->stamp;
        for (int c = 0; c < NR_COUNTS; c++) {
            cell->count[c] += delta[c];
        }
    }
}

/* ---- what to read again ---- */

static void enqueue(struct pagemap *pm, uint64_t top)
{
    if (top < pm->nr_tops && pm->top[top].queued != pm->stamp) {
        pm->top[top].queued = pm->stamp;
        pm->queue[pm->nr_queue++] = (uint32_t)top;
    }
}

static void enqueue_if_changed(struct pagemap *pm, uint64_t top)
{
    if (top < pm->nr_tops && pm->top[top].head != fingerprint(pm->m, top)) {
        enqueue(pm, top);
    }
}

static void see_chunk(void *ctx, size_t chunk)
{
    struct pagemap *pm = ctx;
    struct frame_span s;
    if (page_span_of_chunk(pm->m, chunk, &s)) {
        if (s.stride == 1) {
            for (uint64_t top = s.first >> TOP_SHIFT;
                 top <= (s.first + s.nr - 1) >> TOP_SHIFT && s.nr; top++) {
                enqueue(pm, top);
            }
        } else {
            for (uint64_t i = 0; i < s.nr; i++) {
                enqueue_if_changed(pm, (s.first + i * s.stride) >> TOP_SHIFT);
            }
        }
    } else if (pageblock_span_of_chunk(pm->m, chunk, &s)) {
        uint64_t from = s.first >> TOP_SHIFT,
                 to = (s.first + s.nr * s.stride) >> TOP_SHIFT;
        for (uint64_t top = from; top <= to; top++) {
            enqueue_if_changed(pm, top);
        }
    }
}

static bool geometry_changed(struct pagemap *pm)
{
    const struct mm *mm = pm->m->mm;
    bool changed = pm->nr_zones != mm->nr_zones || pm->nr_ranges != mm->nr_ranges;
    pm->nr_zones = mm->nr_zones;
    pm->nr_ranges = mm->nr_ranges;
    for (uint32_t z = 0; z < mm->nr_zones; z++) {
        changed |= pm->zone_start[z] != mm->zones[z].start_pfn ||
                   pm->zone_spanned[z] != mm->zones[z].spanned;
        pm->zone_start[z] = mm->zones[z].start_pfn;
        pm->zone_spanned[z] = mm->zones[z].spanned;
    }
    return changed;
}

void pagemap_update(struct pagemap *pm)
{
    pm->stamp++;
    pm->nr_queue = 0;
    arena_take_unseen(&pm->m->arena, see_chunk, pm);
    if (geometry_changed(pm)) {
        for (uint64_t i = 0; i < pm->nr_tops; i++) {
            enqueue(pm, i);
        }
    }
    for (uint32_t i = 0; i < pm->nr_queue; i++) {
        refresh_top(pm, pm->queue[i]);
    }
}

/* ---- from outside ---- */

void pagemap_destroy(struct pagemap *pm)
{
    if (!pm) {
        return;
    }
    for (uint64_t i = 0; pm->top && i < pm->nr_tops; i++) {
        free(pm->top[i].detail);
    }
    for (uint32_t k = 0; k < pm->nr_levels; k++) {
        free(pm->level[k]);
    }
    free(pm->top);
    free(pm->queue);
    free(pm);
}

struct pagemap *pagemap_create(struct machine *m)
{
    struct pagemap *pm = calloc(1, sizeof *pm);
    if (!pm) {
        return NULL;
    }
    pm->m = m;
    pm->nr_tops = m->mm->nr_frames >> TOP_SHIFT;
    pm->nr_frames = pm->nr_tops << TOP_SHIFT;
    pm->top = calloc(pm->nr_tops, sizeof *pm->top);
    pm->queue = calloc(pm->nr_tops, sizeof *pm->queue);
    bool good = pm->top && pm->queue;
    for (uint64_t nr = pm->nr_tops; good && pm->nr_levels < MAX_LEVELS;
         nr = (nr + 1) / 2) {
        struct cell *cells = calloc(nr, sizeof *cells);
        good = cells != NULL;
        pm->level[pm->nr_levels] = cells;
        pm->nr_levels += good;
        if (nr <= 1) {
            break;
        }
    }
    if (!good) {
        pagemap_destroy(pm);
        return NULL;
    }
    /* all frames begin as what is not there; the first update reads them all */
    for (uint64_t i = 0; i < pm->nr_tops; i++) {
        pm->top[i].code = make_code(PAGE_HOLE, MIGRATE_UNMOVABLE);
        for (uint32_t k = 0; k < pm->nr_levels; k++) {
            pm->level[k][i >> k].count[PAGE_HOLE] += TOP_FRAMES;
        }
    }
    pm->nr_zones = UINT32_MAX;
    pagemap_update(pm);
    pm->stamp++; /* nothing has changed yet */
    return pm;
}

static void add_counts(struct pagemap_cell *to, const uint32_t count[NR_COUNTS])
{
    for (int s = 0; s < NR_PAGE_STATES; s++) {
        to->nr[s] += count[s];
    }
    for (int t = 0; t < MIGRATE_TYPES; t++) {
        to->free_by_type[t] += count[NR_PAGE_STATES + t];
        to->alloc_by_type[t] += count[NR_PAGE_STATES + MIGRATE_TYPES + t];
    }
}

/* 2^shift aligned frames of one top block. */
static void add_part(const struct pagemap *pm, uint64_t first, uint32_t shift,
                     struct pagemap_cell *to)
{
    const struct top *t = &pm->top[first >> TOP_SHIFT];
    bool now = pm->level[0][first >> TOP_SHIFT].stamp == pm->stamp;
    uint32_t count[NR_COUNTS] = {0}, i = first & (TOP_FRAMES - 1);
    if (!t->detail) {
        count_code(count, t->code, 1u << shift);
        to->changed |= now && t->all_changed;
    } else if (shift >= DETAIL_SHIFT) {
        const uint16_t *c = t->detail->count[detail_index(shift, i)];
        for (int k = 0; k < NR_COUNTS; k++) {
            count[k] = c[k];
        }
    } else {
        for (uint32_t j = 0; j < 1u << shift; j++) {
            count_code(count, t->detail->code[i + j], 1);
        }
    }
    for (uint32_t j = i; t->detail && now && j < i + (1u << shift);) {
        uint32_t in_word = 64 - j % 64, left = i + (1u << shift) - j;
        uint32_t nr = left < in_word ? left : in_word;
        uint64_t mask = nr == 64 ? UINT64_MAX : (((uint64_t)1 << nr) - 1) << j % 64;
        to->changed |= (t->detail->changed[j / 64] & mask) != 0;
        j += nr;
    }
    add_counts(to, count);
}

struct pagemap_cell pagemap_cell(const struct pagemap *pm, uint64_t first_pfn,
                                 uint32_t shift)
{
    struct pagemap_cell cell = {0};
    uint64_t at = first_pfn, left = shift < 64 ? (uint64_t)1 << shift : UINT64_MAX;
    while (left && at < pm->nr_frames) {
        /* the largest aligned piece that begins here */
        uint32_t s = 0;
        while (s < TOP_SHIFT + pm->nr_levels - 1 && !(at >> s & 1) &&
               left >> (s + 1) != 0 && at + ((uint64_t)2 << s) <= pm->nr_frames) {
            s++;
        }
        if (s < TOP_SHIFT) {
            add_part(pm, at, s, &cell);
        } else {
            const struct cell *c = &pm->level[s - TOP_SHIFT][at >> s];
            add_counts(&cell, c->count);
            cell.changed |= c->stamp == pm->stamp;
        }
        at += (uint64_t)1 << s;
        left -= (uint64_t)1 << s;
    }
    cell.nr[PAGE_HOLE] += left;
    return cell;
}
