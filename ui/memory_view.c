/* The bytes that the memory pane shows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memory_view.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hw_focus.h"
#include "vm.h"

bool memory_tables(const struct app *a, const struct memory_place *p, struct mmu *mmu)
{
    char name[48];
    return hw_space(a, &p->space, mmu, name, sizeof name);
}

/* The CPU's own tables go through its TLBs: NULL for them. */
static const struct mmu *tables_or_own(const struct memory_place *p,
                                       const struct mmu *mmu)
{
    return p->space.kind == SPACE_CURRENT ? NULL : mmu;
}

bool memory_physical(const struct app *a, const struct memory_place *p, uint64_t *pa)
{
    struct mmu mmu;
    if (p->what != MEMORY_VIRTUAL) {
        *pa = p->at;
        return true;
    }
    memory_tables(a, p, &mmu);
    const struct memory_at at =
        memory_translate(a->model.m, a->cpu, tables_or_own(p, &mmu), p->at);
    *pa = at.pa;
    return at.via != VIA_NOTHING;
}

/* ---- the window ---- */

uint32_t memory_index(const struct memory_window *w, uint64_t at)
{
    return at - w->first < w->size ? (uint32_t)(at - w->first) : 0;
}

static bool holds(const struct memory_window *w, uint64_t at)
{
    return w->valid && at - w->first < w->size;
}

/* Frames without memory are not there, whatever the bus answers. */
static void drop_holes(const struct app *a, struct memory_window *w)
{
    for (uint32_t i = 0, n; i < w->size; i += n) {
        const uint64_t frame = (w->first + i) >> PAGE_SHIFT;
        n = PAGE_SIZE - ((uint32_t)(w->first + i) & (PAGE_SIZE - 1));
        n = n < w->size - i ? n : w->size - i;
        if (frame >= a->model.m->ram.nr_frames ||
            (page_view(a->model.m, pfn(frame)).state == PAGE_HOLE &&
             !ram_peek(&a->model.m->ram, pfn(frame)))) {
            memset(w->from + i, SEEN_NOWHERE, n);
        }
    }
}

/* Is the frame a page table of these tables? Answers its level, 0: it is none. */
static uint32_t level_of_frame(const struct app *a, const struct mmu *mmu, uint64_t table,
                               uint32_t level, uint64_t frame, const uint64_t *dirty,
                               size_t nr_dirty, uint32_t *budget)
{
    uint64_t entries[TABLE_MAX_ENTRIES];
    if (table >> PAGE_SHIFT == frame) {
        return level;
    }
    if (level == 1 || !*budget ||
        memory_frame_is_blank(a->model.m, table >> PAGE_SHIFT, dirty, nr_dirty)) {
        return 0;
    }
    --*budget;
    const uint32_t nr = table_read(a->model.m, mmu->paging, table, level, entries);
    uint32_t found = 0;
    for (uint32_t i = 0; i < nr && !found; i++) {
        if (table_entry_kind(mmu, level, entries[i]) == ENTRY_TABLE) {
            const uint64_t below = table_entry_target(mmu, level, entries[i]);
            found = level == 2 ? below >> PAGE_SHIFT == frame
                               : level_of_frame(a, mmu, below, level - 1, frame, dirty,
                                                nr_dirty, budget);
        }
    }
    return found;
}

static uint32_t table_level(const struct app *a, uint64_t frame, struct mmu *mmu)
{
    enum { MAX_DIRTY = 1024, MAX_TABLES = 256 };
    static const struct space_choice choices[] = {{.kind = SPACE_CURRENT},
                                                  {.kind = SPACE_KERNEL}};
    uint64_t dirty[MAX_DIRTY];
    const size_t nr = memory_dirty_frames(a->model.m, dirty, MAX_DIRTY);
    const size_t known = nr <= MAX_DIRTY ? nr : 0;
    for (int i = 0; i < 2; i++) {
        uint32_t budget = MAX_TABLES;
        char name[48];
        if (hw_space(a, &choices[i], mmu, name, sizeof name)) {
            const uint32_t level =
                level_of_frame(a, mmu, table_root(mmu), table_shape(mmu->paging).levels,
                               frame, dirty, known, &budget);
            if (level) {
                return level;
            }
        }
    }
    return 0;
}

static bool is_64_bit(const struct app *a)
{
    return a->model.m->config.arch == ARCH_X86_64;
}

static uint64_t number_at(const unsigned char *bytes, uint32_t n)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < n; i++) {
        v |= (uint64_t)bytes[i] << 8 * i;
    }
    return v;
}

static enum kspace_kind area_kind(const struct app *a, uint64_t va, const char **name)
{
    struct kspace_area areas[KSPACE_MAX_AREAS];
    const uint32_t nr = kspace_areas(&a->model.m->vm->kspace, areas);
    for (uint32_t i = 0; i < nr; i++) {
        if (va >= areas[i].first && va <= areas[i].last) {
            *name = areas[i].name;
            return areas[i].kind;
        }
    }
    *name = "no area";
    return AREA_HOLE;
}

const char *memory_area(const struct app *a, uint64_t va)
{
    const char *name;
    area_kind(a, va, &name);
    return name;
}

uint64_t memory_direct(const struct app *a, uint64_t pa)
{
    const struct kspace *k = &a->model.m->vm->kspace;
    const uint64_t va = kspace_va(k, pa >> PAGE_SHIFT) + (pa & (PAGE_SIZE - 1));
    return pa >> PAGE_SHIFT < machine_max_pfn(a->model.m) && kspace_is_direct(k, va) ? va
                                                                                     : 0;
}

static enum word_class class_of_number(const struct app *a, const struct memory_place *p,
                                       const struct mmu *mmu, uint64_t v)
{
    const char *name;
    if (v < PAGE_SIZE) {
        return WORD_PLAIN;
    }
    switch (area_kind(a, v, &name)) {
    case AREA_HOLE:
    case AREA_NON_CANONICAL:
        return WORD_PLAIN;
    case AREA_USER: /* most numbers look like one: only where something is mapped */
        return memory_translate(a->model.m, a->cpu, tables_or_own(p, mmu), v).via !=
                       VIA_NOTHING
                   ? WORD_USER
                   : WORD_PLAIN;
    default:
        return WORD_KERNEL;
    }
}

/* What the words of the rows in view are. */
static void classify(struct app *a, uint64_t first, uint32_t n)
{
    struct memory_state *s = &a->hw.memory;
    struct memory_window *w = &s->window;
    const uint32_t word = is_64_bit(a) ? 8 : 4;
    struct mmu mmu, tables = {0};
    uint64_t page = UINT64_MAX;
    uint32_t level = 0, size = word;
    const bool paging = memory_tables(a, &s->place, &mmu);
    memset(w->word, WORD_PLAIN, sizeof w->word);
    for (uint64_t at = first & ~(uint64_t)7; at - first < n || at < first; at += size) {
        if (at >> PAGE_SHIFT != page) {
            struct memory_place p = s->place;
            uint64_t pa;
            page = at >> PAGE_SHIFT;
            p.at = at;
            level = memory_physical(a, &p, &pa)
                        ? table_level(a, pa >> PAGE_SHIFT, &tables)
                        : 0;
            size = level ? table_shape(tables.paging).entry_bytes : word;
        }
        if (!holds(w, at) || !holds(w, at + size - 1) || !w->from[memory_index(w, at)]) {
            continue;
        }
        const unsigned char *bytes = s->place.what == MEMORY_RAM ? w->ram : w->seen;
        const uint64_t v = number_at(bytes + memory_index(w, at), size);
        enum word_class what = WORD_PLAIN;
        if (level) {
            const enum entry_kind kind = table_entry_kind(&tables, level, v);
            what = kind == ENTRY_TABLE  ? WORD_TABLE
                   : kind == ENTRY_PAGE ? WORD_PAGE
                                        : WORD_PLAIN;
        } else if (paging) {
            what = class_of_number(a, &s->place, &mmu, v);
        }
        memset(&w->word[memory_index(w, at) / 4], (int)what, size / 4);
    }
}

/* The store that the last step has done: what changed where nobody looked before.
 * Answers its size, 0: there is none. */
static uint32_t stored_bytes(const struct app *a, struct memory_place *to)
{
    const struct model *md = &a->model;
    const struct op *op = &md->view.rec.op;
    uint64_t pa;
    const bool done = md->has_op && md->happened == md->view.rec.nr_events &&
                      md->step_high == md->happened && md->step_low <= md->step_high;
    if (!done || op->kind != OP_STORE || !md->view.rec.result) {
        return 0;
    }
    struct memory_place p = {.what = MEMORY_VIRTUAL, .at = op->arg[0]};
    to->at = p.at;
    if (to->what != MEMORY_VIRTUAL) {
        if (!memory_physical(a, &p, &pa)) {
            return 0;
        }
        to->at = pa;
    }
    return (uint32_t)op->arg[1];
}

enum { AROUND = 512 }; /* bytes before and behind those in view */

void memory_look(struct app *a, uint64_t first, uint32_t n)
{
    struct memory_state *s = &a->hw.memory;
    struct memory_window *w = &s->window;
    struct mmu mmu = {0};
    const bool physical = s->place.what != MEMORY_VIRTUAL;
    const bool paging = memory_tables(a, &s->place, &mmu);
    const uint64_t root = physical || !paging ? 0 : table_root(&mmu);
    const bool same = w->valid && w->physical == physical && w->root == root;
    if (!same || w->stamp != a->hw.stamp || !holds(w, first) ||
        !holds(w, first + n - 1)) {
        static const struct memory_window none;
        struct memory_window was = same ? *w : none;
        const bool moved = same && was.stamp + 1 == a->hw.stamp;
        const bool still = same && was.stamp == a->hw.stamp;
        w->valid = true;
        w->physical = physical;
        w->root = root;
        w->stamp = a->hw.stamp;
        w->first = first < AROUND ? 0 : (first - AROUND) & ~(uint64_t)(AROUND - 1);
        w->size = (uint32_t)(first - w->first) + n + AROUND;
        w->size = w->size < MEMORY_WINDOW ? w->size : MEMORY_WINDOW;
        w->words_n = 0;
        memory_see(a->model.m, a->cpu, tables_or_own(&s->place, &mmu), physical, w->first,
                   w->size, w->seen, w->ram, w->from);
        if (physical) {
            drop_holes(a, w);
        }
        struct memory_place stored = s->place;
        const uint32_t size = stored_bytes(a, &stored);
        for (uint32_t i = 0; i < w->size; i++) {
            const uint64_t at = w->first + i;
            const uint32_t old = holds(&was, at) ? memory_index(&was, at) : 0;
            w->changed[i] = still && holds(&was, at) ? was.changed[old]
                            : moved && holds(&was, at)
                                ? was.seen[old] != w->seen[i] || was.ram[old] != w->ram[i]
                                : at - stored.at < size;
        }
    }
    const bool ram_words = s->place.what == MEMORY_RAM;
    if (w->words_n != n || w->words_from != first || w->words_stamp != a->hw.stamp ||
        w->ram_words != ram_words) {
        classify(a, first, n);
        w->words_n = n;
        w->words_from = first;
        w->words_stamp = a->hw.stamp;
        w->ram_words = ram_words;
    }
}

/* ---- words ---- */

uint32_t memory_word_bytes(const struct app *a, uint64_t at)
{
    const struct memory_window *w = &a->hw.memory.window;
    const uint8_t what = holds(w, at) ? w->word[memory_index(w, at) / 4] : WORD_PLAIN;
    const bool wide = (what == WORD_TABLE || what == WORD_PAGE) &&
                      a->model.m->config.arch == ARCH_I386_PAE;
    return is_64_bit(a) || wide ? 8 : 4;
}

uint64_t memory_word(const struct app *a, uint64_t *at, enum word_class *what)
{
    const struct memory_state *s = &a->hw.memory;
    const struct memory_window *w = &s->window;
    const uint32_t size = memory_word_bytes(a, *at);
    *at &= ~(uint64_t)(size - 1);
    *what = WORD_PLAIN;
    if (!holds(w, *at) || !holds(w, *at + size - 1)) {
        return 0;
    }
    *what = (enum word_class)w->word[memory_index(w, *at) / 4];
    return number_at(
        (s->place.what == MEMORY_RAM ? w->ram : w->seen) + memory_index(w, *at), size);
}

bool memory_follow(const struct app *a, uint64_t at, struct memory_place *to)
{
    struct mmu mmu;
    enum word_class what;
    uint32_t level;
    uint64_t pa;
    const uint64_t v = memory_word(a, &at, &what);
    *to = a->hw.memory.place;
    switch (what) {
    case WORD_KERNEL:
    case WORD_USER:
        to->what = MEMORY_VIRTUAL;
        to->at = v;
        return true;
    case WORD_TABLE:
    case WORD_PAGE:
        to->at = at;
        if (!memory_physical(a, to, &pa)) {
            return false;
        }
        level = table_level(a, pa >> PAGE_SHIFT, &mmu);
        to->what = to->what == MEMORY_RAM ? MEMORY_RAM : MEMORY_PHYSICAL;
        to->at = level ? table_entry_target(&mmu, level, v) : 0;
        return level != 0;
    default:
        return false;
    }
}

/* ---- searching ---- */

uint32_t memory_needle(const char *text, unsigned char needle[64])
{
    uint32_t n = 0, digits = 0;
    bool hex = true;
    const bool number = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    for (const char *c = text + (number ? 2 : 0); *c; c++) {
        const bool digit = isxdigit((unsigned char)*c);
        digits += digit;
        hex = hex && (digit || (*c == ' ' && !number && digits % 2 == 0));
    }
    if (!hex || !digits || (digits % 2 && !number) || digits > 128) {
        for (const char *c = text; *c && n < 64; c++) {
            needle[n++] = (unsigned char)*c;
        }
        return n;
    }
    if (number) {
        uint64_t v;
        if (digits > 16 || !hw_parse_address(text, &v)) {
            return 0;
        }
        for (n = 0; n < (digits + 1) / 2; n++) {
            needle[n] = (unsigned char)(v >> 8 * n);
        }
        return n;
    }
    int high = -1;
    for (const char *c = text; *c; c++) {
        if (*c == ' ') {
            continue;
        }
        const char digit[2] = {*c, 0};
        const int value = (int)strtol(digit, NULL, 16);
        if (high < 0) {
            high = value;
        } else {
            needle[n++] = (unsigned char)(high << 4 | value);
            high = -1;
        }
    }
    return n;
}

/* What a search may cost. */
enum { SEARCH_PAGES = 16384, SEARCH_TABLES = 4096, SEARCH_STEPS = 1 << 22 };

struct search {
    const struct app *a;
    const struct memory_place *p;
    const struct mmu *mmu; /* NULL: the CPU's own */
    struct mmu tables;
    uint64_t dirty[4096];
    size_t nr_dirty;
    bool zeros; /* the bytes may lie in a page that was never written */
    uint32_t pages, budget;
    uint64_t steps;
};

/* Do caches hold newer bytes of one of these frames? */
static bool is_dirty(const struct search *s, uint64_t frame, uint64_t nr)
{
    size_t low = 0, high = s->nr_dirty;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (s->dirty[middle] < frame) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->nr_dirty && s->dirty[low] - frame < nr;
}

/* The next page at or after at that may hold something. */
static bool next_page(struct search *s, uint64_t *at)
{
    const struct machine *m = s->a->model.m;
    if (s->p->what == MEMORY_VIRTUAL) {
        while (s->steps++ < SEARCH_STEPS) {
            uint64_t size;
            if (!table_next_mapped(m, &s->tables, at, &size, &s->budget)) {
                return false;
            }
            const struct memory_at here = memory_translate(m, s->a->cpu, s->mmu, *at);
            if (here.via == VIA_NOTHING || s->zeros ||
                !memory_frame_is_blank(m, here.pa >> PAGE_SHIFT, s->dirty, s->nr_dirty)) {
                return true;
            }
            const uint64_t next = (*at | (PAGE_SIZE - 1)) + 1;
            if (!next || (s->tables.paging < PAGING_4LEVEL && next >> 32)) {
                return false;
            }
            *at = next;
        }
        return false;
    }
    for (uint64_t frame = *at >> PAGE_SHIFT; frame < m->ram.nr_frames; frame++) {
        const size_t offset =
            (size_t)((const unsigned char *)&m->ram.chunk_of[frame] - m->arena.base);
        const uint64_t group = ARENA_CHUNK / sizeof m->ram.chunk_of[0];
        if (s->zeros || !memory_frame_is_blank(m, frame, s->dirty, s->nr_dirty)) {
            *at = frame << PAGE_SHIFT > *at ? frame << PAGE_SHIFT : *at;
            return true;
        }
        if (offset % ARENA_CHUNK == 0 && !is_dirty(s, frame, group) &&
            !arena_chunk_touched(&m->arena, offset / ARENA_CHUNK)) {
            frame += group - 1; /* none of these frames has ever been written */
        }
        if (s->steps++ >= SEARCH_STEPS) {
            *at = frame << PAGE_SHIFT;
            return false;
        }
    }
    return false;
}

bool memory_search(const struct app *a, struct memory_place *p,
                   const unsigned char *needle, uint32_t n, bool *exhausted)
{
    unsigned char seen[PAGE_SIZE + 64], ram[PAGE_SIZE + 64], from[PAGE_SIZE + 64];
    struct search *s = calloc(1, sizeof *s);
    bool found = false;
    *exhausted = true;
    if (!s || !n) {
        free(s);
        return false;
    }
    *s = (struct search){.a = a, .p = p, .budget = SEARCH_TABLES, .zeros = true};
    const bool paging = memory_tables(a, p, &s->tables);
    s->mmu = tables_or_own(p, &s->tables);
    const size_t nr = memory_dirty_frames(a->model.m, s->dirty, 4096);
    s->nr_dirty = nr <= 4096 ? nr : 0;
    for (uint32_t i = 0; i < n; i++) {
        s->zeros = s->zeros && !needle[i];
    }
    uint64_t at = p->at;
    while (!found && (paging || p->what != MEMORY_VIRTUAL) && s->pages++ < SEARCH_PAGES) {
        if (!next_page(s, &at)) {
            *exhausted = s->steps < SEARCH_STEPS && s->budget;
            break;
        }
        /* a page and the beginning of the next one */
        const uint32_t size = PAGE_SIZE - ((uint32_t)at & (PAGE_SIZE - 1));
        memory_see(a->model.m, a->cpu, s->mmu, p->what != MEMORY_VIRTUAL, at,
                   size + n - 1, seen, ram, from);
        const unsigned char *bytes = p->what == MEMORY_RAM ? ram : seen;
        for (uint32_t i = 0; i < size && !found; i++) {
            found = !memcmp(bytes + i, needle, n) && from[i] && from[i + n - 1];
            p->at = found ? at + i : p->at;
        }
        const uint64_t next = at + size;
        if (!next || (!found && s->tables.paging < PAGING_4LEVEL &&
                      p->what == MEMORY_VIRTUAL && next >> 32)) {
            break;
        }
        at = next;
        *exhausted = s->pages < SEARCH_PAGES;
    }
    p->at = found ? p->at : at;
    free(s);
    return found;
}
