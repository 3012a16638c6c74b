/* The page-table tree as rows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "walk_rows.h"

#include <stdlib.h>

enum { MAX_DIRTY = 4096 };

struct builder {
    const struct machine *m;
    struct walk_state *s;
    const struct mmu *mmu;
    uint64_t root, follow;
    bool has_follow, full;
    uint64_t *dirty; /* memory_dirty_frames, when first needed */
    size_t nr_dirty;
};

const char *walk_kernel_name(enum paging paging, uint32_t level)
{
    static const char *const four[] = {"", "PTE", "PMD", "PUD", "P4D", "PGD"};
    const uint32_t levels = table_shape(paging).levels;
    return level >= levels ? "PGD" : level <= 4 ? four[level] : "?";
}

uint64_t walk_row_at(const struct walk_row *r, const struct mmu *mmu)
{
    return r->table + (uint64_t)r->first * table_shape(mmu->paging).entry_bytes;
}

bool walk_row_has_node(const struct walk_row *r)
{
    return r->kind == WALK_ROOT || r->kind == WALK_RUN ||
           (r->kind == WALK_ENTRY && r->leads);
}

/* ---- what the user has folded ---- */

static struct walk_fold *fold_of(struct walk_state *s, uint64_t root, uint64_t va,
                                 uint32_t level, bool run)
{
    for (int i = 0; i < s->nr_folds; i++) {
        struct walk_fold *f = &s->folds[i];
        if (f->root == root && f->va == va && f->level == level && f->run == run) {
            return f;
        }
    }
    return NULL;
}

static bool is_open(const struct builder *b, uint64_t va, uint32_t level, bool run,
                    bool by_itself)
{
    const struct walk_fold *f = fold_of(b->s, b->root, va, level, run);
    return f ? f->open : by_itself;
}

bool walk_rows_fold(struct walk_state *s, const struct mmu *mmu, int row, bool open)
{
    if (row < 0 || row >= s->nr_rows || !walk_row_has_node(&s->rows[row])) {
        return false;
    }
    const struct walk_row *r = &s->rows[row];
    const uint64_t root = table_root(mmu);
    const uint32_t level = r->kind == WALK_ROOT ? r->level + 1u : r->level;
    const bool run = r->kind == WALK_RUN;
    struct walk_fold *f = fold_of(s, root, r->va, level, run);
    if (!f) {
        if (s->nr_folds == WALK_MAX_FOLDS) { /* forget the oldest */
            for (int i = 1; i < s->nr_folds; i++) {
                s->folds[i - 1] = s->folds[i];
            }
            s->nr_folds--;
        }
        f = &s->folds[s->nr_folds++];
        *f = (struct walk_fold){root, r->va, (uint8_t)level, run, open};
    }
    f->open = open;
    s->fold_changes++;
    return true;
}

/* ---- building ---- */

static void emit(struct builder *b, const struct walk_row *r)
{
    struct walk_state *s = b->s;
    if (s->nr_rows == WALK_MAX_ROWS) {
        s->truncated = true;
        b->full = true;
        return;
    }
    if (s->nr_rows == s->room) {
        const int room = s->room ? 2 * s->room : 256;
        struct walk_row *bigger = realloc(s->rows, (size_t)room * sizeof *bigger);
        if (!bigger) {
            b->full = s->truncated = true;
            return;
        }
        s->rows = bigger;
        s->room = room;
    }
    s->rows[s->nr_rows++] = *r;
}

/* One table being shown. */
struct level_view {
    uint64_t table, va;
    uint32_t level, depth, nr;
    int followed; /* index of the entry on the way to the followed address; -1: none */
    const uint64_t *entries;
};

static struct walk_row row_of(const struct builder *b, const struct level_view *v,
                              enum walk_row_kind kind, uint32_t first, uint32_t last)
{
    const uint64_t va =
        v->va + ((uint64_t)first << table_level_shift(b->mmu->paging, v->level));
    return (struct walk_row){
        .kind = (uint8_t)kind,
        .level = (uint8_t)v->level,
        .depth = (uint8_t)v->depth,
        .first = (uint16_t)first,
        .last = (uint16_t)last,
        .table = v->table,
        .va = table_canonical(b->mmu->paging, va),
        .value = v->entries[first],
        .leads = table_entry_kind(b->mmu, v->level, v->entries[first]) == ENTRY_TABLE,
    };
}

/* Does entry i go on where entry i - 1 ends: the next frame, or the same one again? */
static bool goes_on(const struct builder *b, const struct level_view *v, uint32_t first,
                    uint32_t i)
{
    const uint64_t was = v->entries[i - 1], is = v->entries[i];
    const uint64_t from = table_entry_target(b->mmu, v->level, was);
    const uint64_t to = table_entry_target(b->mmu, v->level, is);
    const bool page_next = table_entry_kind(b->mmu, v->level, is) == ENTRY_PAGE;
    const uint64_t page = page_next
                              ? (uint64_t)1 << table_level_shift(b->mmu->paging, v->level)
                              : PAGE_SIZE;
    const uint64_t stride =
        i == first + 1 ? to - from
                       : table_entry_target(b->mmu, v->level, v->entries[first + 1]) -
                             table_entry_target(b->mmu, v->level, v->entries[first]);
    return (was ^ from) == (is ^ to) && to - from == stride &&
           (stride == page || stride == 0);
}

static void emit_pages(struct builder *b, const struct level_view *v, uint32_t first,
                       uint32_t end)
{
    if (end - first < WALK_RUN_LEAST) {
        for (uint32_t i = first; i < end; i++) {
            const struct walk_row r = row_of(b, v, WALK_ENTRY, i, i);
            emit(b, &r);
        }
        return;
    }
    struct walk_row r = row_of(b, v, WALK_RUN, first, end - 1);
    r.open = is_open(b, r.va, v->level, true, false);
    r.alike = v->entries[first] == v->entries[first + 1];
    emit(b, &r);
    for (uint32_t i = first; r.open && i < end && !b->full; i++) {
        struct walk_row e = row_of(b, v, WALK_ENTRY, i, i);
        e.depth++;
        emit(b, &e);
    }
}

static void emit_table(struct builder *b, const struct level_view *above);

/* Is the table that entry i points to empty, and has the user not opened it? */
static bool is_blank(struct builder *b, const struct level_view *v, uint32_t i)
{
    if (table_entry_kind(b->mmu, v->level, v->entries[i]) != ENTRY_TABLE ||
        v->followed == (int)i) {
        return false;
    }
    if (!b->dirty) {
        b->dirty = malloc(MAX_DIRTY * sizeof *b->dirty);
        b->nr_dirty = b->dirty ? memory_dirty_frames(b->m, b->dirty, MAX_DIRTY) : 0;
    }
    const uint64_t pa = table_entry_target(b->mmu, v->level, v->entries[i]);
    return b->dirty && b->nr_dirty <= MAX_DIRTY &&
           memory_frame_is_blank(b->m, pa >> PAGE_SHIFT, b->dirty, b->nr_dirty);
}

/* An entry that leads to a table, and the table if it is open. */
static void emit_pointer(struct builder *b, const struct level_view *v, uint32_t i)
{
    struct walk_row r = row_of(b, v, WALK_ENTRY, i, i);
    const bool followed = v->followed == (int)i;
    r.open = is_open(b, r.va, v->level, false, followed);
    emit(b, &r);
    if (r.open && !b->full) {
        const struct level_view below = {
            .table = table_entry_target(b->mmu, v->level, v->entries[i]),
            .va = v->va + ((uint64_t)i << table_level_shift(b->mmu->paging, v->level)),
            .level = v->level - 1,
            .depth = v->depth + 1,
            .followed = followed ? 0 : -1};
        emit_table(b, &below);
    }
}

/* Pointers to empty tables that follow each other are a run, too. */
static void emit_tables(struct builder *b, const struct level_view *v, uint32_t first,
                        uint32_t end)
{
    struct walk_row r = row_of(b, v, WALK_RUN, first, end - 1);
    const bool run = end - first >= WALK_RUN_LEAST;
    if (run) {
        r.open = is_open(b, r.va, v->level, true, false);
        r.alike = v->entries[first] == v->entries[first + 1];
        emit(b, &r);
    }
    struct level_view deeper = *v;
    deeper.depth += run;
    for (uint32_t i = first; i < end && (!run || r.open) && !b->full; i++) {
        emit_pointer(b, &deeper, i);
    }
}

static void emit_table(struct builder *b, const struct level_view *about)
{
    uint64_t entries[TABLE_MAX_ENTRIES];
    const enum paging paging = b->mmu->paging;
    struct level_view v = *about;
    v.nr = table_read(b->m, paging, v.table, v.level, entries);
    v.entries = entries;
    v.followed =
        v.followed < 0
            ? -1
            : (int)(b->follow >> table_level_shift(paging, v.level) & (v.nr - 1));
    for (uint32_t i = 0, end; i < v.nr && !b->full; i = end) {
        const enum entry_kind kind = table_entry_kind(b->mmu, v.level, entries[i]);
        end = i + 1;
        if (kind == ENTRY_EMPTY || kind == ENTRY_NOT_PRESENT) {
            const bool empty = kind == ENTRY_EMPTY;
            while (end < v.nr && empty && !entries[end]) {
                end++;
            }
            const struct walk_row r =
                row_of(b, &v, empty ? WALK_GAP : WALK_ENTRY, i, end - 1);
            emit(b, &r);
        } else if (kind == ENTRY_TABLE) {
            while (end < v.nr && is_blank(b, &v, end - 1) && is_blank(b, &v, end) &&
                   goes_on(b, &v, i, end)) {
                end++;
            }
            emit_tables(b, &v, i, end);
        } else {
            while (end < v.nr &&
                   table_entry_kind(b->mmu, v.level, entries[end]) == ENTRY_PAGE &&
                   goes_on(b, &v, i, end)) {
                end++;
            }
            const uint32_t alone = (uint32_t)v.followed;
            if (v.followed >= 0 && alone >= i && alone < end) {
                emit_pages(b, &v, i, alone);
                emit_pages(b, &v, alone, alone + 1);
                emit_pages(b, &v, alone + 1, end);
            } else {
                emit_pages(b, &v, i, end);
            }
        }
    }
}

bool walk_rows_build(const struct machine *m, struct walk_state *s, const struct mmu *mmu,
                     bool has_follow, uint64_t follow)
{
    struct builder b = {.m = m,
                        .s = s,
                        .mmu = mmu,
                        .root = table_root(mmu),
                        .follow = follow,
                        .has_follow = has_follow && mmu_canonical(mmu, follow)};
    const struct table_shape shape = table_shape(mmu->paging);
    s->nr_rows = 0;
    s->truncated = false;
    if (!shape.levels) {
        return true;
    }
    struct walk_row root = {.kind = WALK_ROOT,
                            .level = (uint8_t)shape.levels,
                            .last =
                                (uint16_t)(table_entries(mmu->paging, shape.levels) - 1),
                            .table = b.root,
                            .leads = true};
    root.open = is_open(&b, 0, shape.levels + 1, false, true);
    emit(&b, &root);
    if (root.open && !b.full) {
        const struct level_view top = {.table = b.root,
                                       .level = shape.levels,
                                       .depth = 1,
                                       .followed = b.has_follow ? 0 : -1};
        emit_table(&b, &top);
    }
    free(b.dirty);
    return s->nr_rows > 0;
}

/* ---- finding ---- */

int walk_rows_parent(const struct walk_state *s, int row)
{
    for (int i = row - 1; i >= 0 && row < s->nr_rows; i--) {
        if (s->rows[i].depth < s->rows[row].depth) {
            return i;
        }
    }
    return -1;
}

int walk_rows_find(const struct walk_state *s, const struct mmu *mmu, uint64_t va)
{
    int best = -1;
    for (int i = 0; i < s->nr_rows; i++) {
        const struct walk_row *r = &s->rows[i];
        const uint64_t size =
            ((uint64_t)(r->last - r->first) + 1)
            << (r->kind == WALK_ROOT ? 0 : table_level_shift(mmu->paging, r->level));
        if (r->kind != WALK_ROOT && va >= r->va && va - r->va < size) {
            best = i;
        }
    }
    return best;
}

int walk_rows_same(const struct walk_state *s, const struct walk_row *want)
{
    int best = s->nr_rows ? 0 : -1;
    for (int i = 0; i < s->nr_rows; i++) {
        const struct walk_row *r = &s->rows[i];
        if (r->level == want->level && r->va == want->va && r->kind == want->kind &&
            r->depth == want->depth) {
            return i;
        }
        if (r->kind != WALK_ROOT && r->va <= want->va && r->level >= want->level) {
            best = i;
        }
    }
    return best;
}
