/* A cache of the CPU in view, as sets by ways (hw_sets.h).
 *
 *   near      set way  state  age or tree  tag  addresses  permissions  first bytes
 *   nearer    a row a set: a letter of state, the tag, the age
 *   far       a cell a set or several: how many lines are in use, are some dirty?
 *
 * States are letters: M E S I where CPUs keep each other's caches coherent, else D(irty)
 * and V(alid). Age 0 is the line used last (LRU) or filled last (FIFO); a tree-PLRU set
 * shows its tree: each node points to the half where the next line goes.
 *
 * The heat map can show each set's misses or hits instead (set_tally.h). Below stand the
 * write-combining buffers, where there are any and there is room.
 *
 * Left out: how long ago a set was used.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "hw_buffers.h"
#include "hw_focus.h"
#include "hw_sets.h"

static const struct cache *cache_in(const struct app *a)
{
    return shown_part(a, a->hw.cache);
}

static struct line_view line_at(const struct app *a, enum hw_part part, uint32_t set,
                                uint32_t way)
{
    return hw_line(a->model.m, a->cpu, part, set, way);
}

static bool is_mesi(const struct app *a)
{
    const struct memsys *ms = shown_cpu(a);
    return ms->smp && ms->config.coherent;
}

static bool is_virtual(const struct app *a, enum hw_part part)
{
    return part != PART_L2 && shown_cpu(a)->virtual_tags;
}

/* M, E, S, I where CPUs keep each other's caches coherent, else D, V, -. */
static char state_letter(const struct line_view *l, bool mesi)
{
    return mesi ? l->state : !l->valid ? '-' : l->dirty ? 'D' : 'V';
}

static const char *state_word(char state)
{
    switch (state) {
    case 'M':
        return "modified: the only copy, memory is older";
    case 'E':
        return "exclusive: the only copy, the same as memory";
    case 'S':
        return "shared: other caches may have it too";
    case 'D':
        return "dirty: memory below is older";
    case 'V':
        return "valid: the same as memory below";
    default:
        return "empty";
    }
}

static int hex_digits(uint64_t n)
{
    int digits = 1;
    for (; n >= 16; n >>= 4) {
        digits++;
    }
    return digits;
}

/* Digits of a tag: addresses without set and offset. */
static int tag_digits(const struct app *a, enum hw_part part)
{
    const struct cache *c = shown_part(a, part);
    const int bits = 4 * (is_virtual(a, part) ? hw_va_digits(a) : hw_pa_digits(a));
    const uint64_t top = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    return hex_digits((top >> c->line_shift) / c->config.sets);
}

static int state_style(char state)
{
    switch (state) {
    case 'M':
    case 'D':
        return ST_LINE_DIRTY;
    case 'E':
    case 'V':
        return ST_LINE_CLEAN;
    case 'S':
        return ST_LINE_SHARED;
    default:
        return ST_HOLE;
    }
}

/* ---- the tree of a PLRU set, a column a level ---- */

static int tree_cols(const struct cache *c)
{
    return c->config.policy == POLICY_PLRU ? 2 * (int)c->tree_levels : 0;
}

/* In a way's row: for each level the node that the way hangs under, drawn in the middle
 * of its ways, as the arrow that it is. */
static void draw_tree(const struct app *a, const struct cache *c, struct grid *g, int x,
                      int y, uint32_t set, uint32_t way)
{
    const uint64_t tree = cache_set_at(c, set)->order;
    const uint32_t victim = cache_peek_victim(c, set);
    for (uint32_t level = 0; level < c->tree_levels; level++) {
        const uint32_t span = c->config.ways >> level, below = span / 2;
        const uint32_t node = ((uint32_t)1 << level) + way / span;
        const bool right = tree >> (node & 63) & 1, on_path = victim / span == way / span;
        const uint32_t at = way % span;
        const int style = on_path ? ST_WARN : ST_FAINT;
        if (at == below - 1 + right) { /* on the side that it points to */
            grid_put(g, x, y, right ? a->glyphs->down : a->glyphs->up, style, 0);
        } else if (below > 1 && at >= below / 2 && at < span - below / 2) {
            grid_put(g, x, y, a->glyphs->vline, ST_FAINT, 0);
        }
        x += 2;
    }
}

/* ---- a row a way ---- */

/* The columns of such a row, left to right; those with a higher rank go first when there
 * is no room. */
enum column {
    COL_STATE,
    COL_AGE,
    COL_TAG,
    COL_VA,
    COL_PA,
    COL_PERMS,
    COL_ASID,
    COL_DATA,
    NR_COLUMNS
};

static struct sets_columns columns_of(const struct app *a, enum hw_part part, int room)
{
    const struct cache *c = shown_part(a, part);
    const bool virtual_tags = is_virtual(a, part);
    int want[NR_COLUMNS] = {
        [COL_STATE] = 1,
        [COL_AGE] = sets_has_ages(c) ? 4 : tree_cols(c) + 1,
        [COL_TAG] = tag_digits(a, part),
        [COL_VA] = virtual_tags ? hw_va_digits(a) : 0,
        [COL_PA] = hw_pa_digits(a),
        [COL_PERMS] = virtual_tags ? 4 : 0,
        [COL_ASID] =
            virtual_tags && shown_cpu(a)->config.tagging == TAG_VIVT_ASID ? 4 : 0,
        [COL_DATA] = 0,
    };
    const unsigned char by_rank[] = {COL_STATE, virtual_tags ? COL_VA : COL_PA,
                                     COL_AGE,   virtual_tags ? COL_PERMS : COL_TAG,
                                     COL_PA,    COL_TAG,
                                     COL_PERMS, COL_ASID};
    struct sets_columns cols =
        sets_columns(want, NR_COLUMNS, by_rank, sizeof by_rank, -1, room);
    if (c->data && room - cols.used >= 17) { /* bytes in words of four, last of all */
        cols.w[COL_DATA] = (room - cols.used) / 9 * 9 - 1;
    }
    return cols;
}

static void heading(const struct app *a, enum hw_part part, struct grid *g, struct rect r)
{
    static const char *const words[NR_COLUMNS] = {"s",        "age",  "tag",  "virtual",
                                                  "physical", "perm", "asid", "bytes"};
    const struct sets_columns cols = columns_of(a, part, r.w);
    const struct cache *c = shown_part(a, part);
    for (int n = 0; n < NR_COLUMNS; n++) {
        if (cols.w[n]) {
            const char *word = words[n];
            if (n == COL_PA && cols.w[n] < 8) {
                word = "phys";
            } else if (n == COL_AGE && !sets_has_ages(c)) {
                word = c->config.policy == POLICY_PLRU ? "tree" : " ";
            }
            grid_text_cut(g, r.x + cols.x[n], r.y, cols.w[n], word, 0, ST_DIM, 0);
        }
    }
}

static void draw_bytes(struct grid *g, int x, int y, int w, const unsigned char *data,
                       uint32_t n, int style, int marks)
{
    for (uint32_t i = 0; i < n && (int)i / 4 * 9 + 8 <= w; i++) {
        grid_printf(g, x + (int)(i / 4 * 9 + i % 4 * 2), y, style, marks, "%02x",
                    data[i]);
    }
}

static void row(const struct app *a, enum hw_part part, struct grid *g, struct rect r,
                uint32_t set, uint32_t way, int marks)
{
    const struct cache *c = shown_part(a, part);
    const struct sets_columns cols = columns_of(a, part, r.w);
    const struct line_view l = line_at(a, part, set, way);
    const char state = state_letter(&l, is_mesi(a));
    const int style = state_style(state);
    char letters[5];
    grid_put(g, r.x + cols.x[COL_STATE], r.y, (uint32_t)state, style, marks);
    if (cols.w[COL_AGE] && sets_has_ages(c)) {
        const int x = r.x + cols.x[COL_AGE];
        grid_printf(g, x, r.y, l.valid ? ST_NORMAL : ST_FAINT, 0, "%3u", l.age);
        if (l.is_victim) {
            grid_put(g, x + 3, r.y, a->glyphs->arrow, ST_WARN, 0);
        }
    } else if (cols.w[COL_AGE] && c->config.policy == POLICY_PLRU) {
        draw_tree(a, c, g, r.x + cols.x[COL_AGE], r.y, set, way);
        if (l.is_victim) {
            grid_put(g, r.x + cols.x[COL_AGE] + tree_cols(c), r.y, a->glyphs->arrow,
                     ST_WARN, 0);
        }
    } else if (cols.w[COL_AGE] && l.is_victim) {
        grid_put(g, r.x + cols.x[COL_AGE], r.y, a->glyphs->arrow, ST_WARN, 0);
    }
    if (!l.valid) {
        const int x = cols.w[COL_VA] ? cols.x[COL_VA] : cols.x[COL_PA];
        grid_put(g, r.x + x, r.y, a->glyphs->dot, ST_FAINT, marks);
        return;
    }
    if (cols.w[COL_TAG]) {
        grid_printf(g, r.x + cols.x[COL_TAG], r.y, ST_NORMAL, marks, "%0*llx",
                    cols.w[COL_TAG], (unsigned long long)(l.key / c->config.sets));
    }
    if (cols.w[COL_VA]) {
        grid_printf(g, r.x + cols.x[COL_VA], r.y, style, marks, "%0*llx", cols.w[COL_VA],
                    (unsigned long long)l.va);
    }
    if (cols.w[COL_PA]) {
        grid_printf(g, r.x + cols.x[COL_PA], r.y, cols.w[COL_VA] ? ST_DIM : style,
                    cols.w[COL_VA] ? 0 : marks, "%0*llx", cols.w[COL_PA],
                    (unsigned long long)l.pa);
    }
    if (cols.w[COL_PERMS]) {
        perms_format(letters, l.perms);
        grid_text(g, r.x + cols.x[COL_PERMS], r.y, letters, ST_NORMAL, 0);
    }
    if (cols.w[COL_ASID]) {
        grid_printf(g, r.x + cols.x[COL_ASID], r.y, ST_DIM, 0, "%u", l.asid);
    }
    if (cols.w[COL_DATA] && l.bytes) {
        draw_bytes(g, r.x + cols.x[COL_DATA], r.y, cols.w[COL_DATA], l.bytes,
                   c->config.line_bytes, ST_NUMBER, 0);
    }
}

/* ---- ways side by side ---- */

static int age_digits(const struct cache *c)
{
    return !sets_has_ages(c) ? 0 : c->config.ways > 100 ? 3 : c->config.ways > 10 ? 2 : 1;
}

/* Tiers: letter, tag, age; letter and age; the letter. */
static int cell_width(const struct app *a, enum hw_part part, int tier)
{
    const struct cache *c = shown_part(a, part);
    const int age = age_digits(c);
    switch (tier) {
    case 0:
        return 1 + tag_digits(a, part) + (age ? 1 + age : 0) + 2;
    case 1:
        return 1 + age + 2;
    case 2:
        return 2;
    default:
        return 0;
    }
}

static void cell(const struct app *a, enum hw_part part, struct grid *g, int x, int y,
                 int tier, uint32_t set, uint32_t way, int marks)
{
    const struct cache *c = shown_part(a, part);
    const struct line_view l = line_at(a, part, set, way);
    const char state = state_letter(&l, is_mesi(a));
    const int style = state_style(state);
    const int begin = x;
    x += grid_put(g, x, y, l.valid ? (uint32_t)state : a->glyphs->dot, style, marks);
    if (tier == 0 && l.valid) {
        x = grid_printf(g, x, y, style, marks, "%0*llx", tag_digits(a, part),
                        (unsigned long long)(l.key / c->config.sets));
    }
    if (tier < 2 && age_digits(c) && l.valid) {
        x += tier == 0 ? grid_put(g, x, y, a->glyphs->dot, ST_FAINT, marks) : 0;
        x = grid_printf(g, x, y, ST_DIM, marks, "%u", l.age);
    }
    if (tier < 2 && l.is_victim) {
        grid_put(g, begin + cell_width(a, part, tier) - 2, y, a->glyphs->arrow, ST_WARN,
                 0);
    }
}

static void count(const struct app *a, enum hw_part part, uint32_t set, uint32_t *used,
                  uint32_t *other)
{
    const struct cache *c = shown_part(a, part);
    struct cache_set *s = cache_set_at(c, set);
    for (uint32_t way = 0; way < c->config.ways; way++) {
        const uint8_t attr = *cache_attr(c, s, way);
        *used += attr != 0; /* I3 of cache.h */
        *other += (attr & CACHE_DIRTY) != 0;
    }
}

static const struct sets_kind kind = {
    .first = PART_L1I,
    .last = PART_L2,
    .near = SETS_SETS,
    .heading = heading,
    .row = row,
    .cell_width = cell_width,
    .cell = cell,
    .count = count,
    .used_style = ST_LINE_CLEAN,
    .other_style = ST_LINE_DIRTY,
    .unit = "lines",
    .other_word = "dirty",
};

/* ---- the pane ---- */

static const char *tagging_word(const struct memsys *ms, enum hw_part part)
{
    static const char *const words[] = {"PIPT", "VIPT", "VIVT", "VIVT+ASID"};
    return words[part == PART_L2 ? TAG_PIPT : ms->config.tagging];
}

/* The bytes of one line, below the sets seen from near. */
static int data_rows(const struct app *a, int h)
{
    const struct cache *c = cache_in(a);
    const int rows = c && c->data ? (int)(c->config.line_bytes + 15) / 16 + 1 : 0;
    const bool near = sets_zoom(&a->hw.sets[a->hw.cache]) == SETS_WAYS;
    uint32_t set, way;
    return near && rows && sets_at(a, a->hw.cache, &set, &way) &&
                   h - sets_head_rows(h) - hw_wc_rows(a, h) - rows >= 6
               ? rows
               : 0;
}

static void fit(struct app *a, int w, int h)
{
    a->hw.cache = sets_follow(a, PART_L1I, PART_L2, a->hw.cache, a->hw.cache_pinned);
    sets_fit(a, &kind, a->hw.cache, w,
             h - sets_head_rows(h) - data_rows(a, h) - hw_wc_rows(a, h));
}

static void draw_counts(const struct app *a, struct grid *g, struct rect r)
{
    const struct memsys *ms = shown_cpu(a);
    const struct memsys_tally *n = &ms->s->n;
    const enum hw_part part = a->hw.cache;
    const enum side side = part == PART_L1I ? SIDE_I : SIDE_D;
    const bool l2 = part == PART_L2;
    const uint64_t all = l2 ? tally_l2_accesses(n) : tally_l1_accesses(n, side);
    const uint64_t missed = l2 ? tally_l2_misses(n) : tally_l1_misses(n, side);
    const struct miss_causes *why = l2 ? &n->l2_causes : &n->l1_causes[side];
    const int x = sets_draw_counts(g, r.x, r.y, r.w, all == 1 ? "access" : "accesses",
                                   all, missed, ms->config.causes ? why : NULL);
    const uint64_t back = l2 ? n->l2_writeback : n->l1_writeback[side];
    if (back && part != PART_L1I) {
        grid_printf(g, x, r.y, ST_DIM, 0, ", %llu written back",
                    (unsigned long long)back);
    }
}

static void draw_head(const struct app *a, struct grid *g, struct rect r)
{
    const struct memsys *ms = shown_cpu(a);
    const struct cache *c = cache_in(a);
    char size[28];
    const uint64_t bytes =
        (uint64_t)c->config.sets * c->config.ways * c->config.line_bytes;
    int x = grid_printf(g, r.x, r.y, ST_BRIGHT, 0, "%s %s", hw_part_title(a->hw.cache),
                        bytes_text(size, bytes));
    x = grid_printf(g, x, r.y, ST_DIM, 0, ": %u x %u x %u B %s", c->config.sets,
                    c->config.ways, c->config.line_bytes,
                    hw_policy_name(c->config.policy));
    const bool writes = a->hw.cache == PART_L1D;
    grid_printf(g, x, r.y, ST_DIM, 0, " %s%s", tagging_word(ms, a->hw.cache),
                !writes                        ? ""
                : !ms->config.write_through    ? " write-back"
                : ms->config.no_write_allocate ? " write-through, no allocate"
                                               : " write-through");
    if (r.h > 1) {
        draw_counts(a, g, (struct rect){r.x, r.y + 1, r.w, 1});
    }
}

/* The bytes of the line under the cursor, or of the one followed. */
static void draw_data(const struct app *a, struct grid *g, struct rect r)
{
    const struct cache *c = cache_in(a);
    uint32_t set, way;
    if (r.h < 2 || !sets_at(a, a->hw.cache, &set, &way)) {
        return;
    }
    const struct line_view l = line_at(a, a->hw.cache, set, way);
    int x = grid_printf(g, r.x, r.y, ST_TITLE, 0, "set %u way %u: ", set, way);
    if (!l.valid || !l.bytes) {
        grid_text(g, x, r.y, "empty", ST_DIM, 0);
        return;
    }
    grid_text_cut(g, x, r.y, r.w - (x - r.x), state_word(state_letter(&l, is_mesi(a))),
                  a->glyphs->more, ST_DIM, 0);
    const uint64_t from = l.is_virtual ? l.va : l.pa;
    const int digits = l.is_virtual ? hw_va_digits(a) : hw_pa_digits(a);
    const int per_row = digits + 2 + 35 <= r.w ? 16 : 8;
    for (uint32_t at = 0; at < c->config.line_bytes; at += (uint32_t)per_row) {
        const int y = r.y + 1 + (int)at / per_row;
        if (y >= r.y + r.h) {
            break;
        }
        const uint32_t left = c->config.line_bytes - at;
        const uint32_t n = left < (uint32_t)per_row ? left : (uint32_t)per_row;
        grid_printf(g, r.x, y, ST_DIM, 0, "%0*llx", digits,
                    (unsigned long long)(from + at));
        draw_bytes(g, r.x + digits + 2, y, r.w - digits - 2, l.bytes + at, n, ST_NUMBER,
                   0);
        const int glyphs = digits + 2 + per_row / 4 * 9 + 1;
        for (uint32_t i = 0; i < n && glyphs + per_row <= r.w; i++) {
            const unsigned char byte = l.bytes[at + i];
            const bool printable = byte >= 32 && byte < 127;
            grid_put(g, r.x + glyphs + (int)i, y, printable ? byte : a->glyphs->dot,
                     printable ? ST_NORMAL : ST_FAINT, 0);
        }
    }
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    if (!cache_in(a)) {
        grid_text(g, r.x + 1, r.y, "This CPU has no caches.", ST_DIM, 0);
        return;
    }
    const int head = sets_head_rows(r.h), data = data_rows(a, r.h);
    const int wc = hw_wc_rows(a, r.h), below = data + wc;
    if (head) {
        draw_head(a, g, (struct rect){r.x, r.y, r.w, head});
    }
    sets_draw(a, &kind, a->hw.cache, g,
              (struct rect){r.x, r.y + head, r.w, r.h - head - below}, focused);
    if (data) {
        draw_data(a, g, (struct rect){r.x, r.y + r.h - below, r.w, data});
    }
    if (wc) {
        hw_draw_wc(a, g, (struct rect){r.x, r.y + r.h - wc, r.w, wc});
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    if (k == K_END) {
        a->hw.cache_pinned = false;
    }
    return sets_key(a, &kind, a->hw.cache, k, h);
}

static void click(struct app *a, int x, int y, int w, int h)
{
    sets_click(a, &kind, a->hw.cache, x, y - sets_head_rows(h), w);
}

static void scale(struct app *a, int by) { sets_scale(a, a->hw.cache, by); }

static void turn(struct app *a, int by)
{
    a->hw.cache =
        sets_turn_pane(a, PART_L1I, PART_L2, a->hw.cache, &a->hw.cache_pinned, by);
}

static void title(const struct app *a, char *buf, size_t size)
{
    sets_title(a, a->hw.cache, buf, size);
}

static bool selected_line(const struct app *a, struct line_view *l)
{
    uint32_t set, way;
    const enum hw_part part = a->hw.cache;
    if (!cache_in(a) || !a->hw.sets[part].has_cursor || !sets_at(a, part, &set, &way)) {
        return false;
    }
    *l = line_at(a, part, set, way);
    return l->valid;
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    struct line_view l;
    if (!selected_line(a, &l)) {
        return false;
    }
    *p = l.pa >> PAGE_SHIFT;
    return true;
}

#define KEY POPUP_TEXT_KEY
#define PLAIN POPUP_TEXT_NORMAL

/* Which other caches hold the line of a physical address. */
static void add_holders(const struct app *a, struct text_buf *b, uint64_t pa,
                        enum hw_part own)
{
    bool any = false;
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(a->model.m); cpu++) {
        for (enum hw_part part = PART_L1I; part <= PART_L2; part++) {
            uint32_t set, way;
            if ((cpu == a->cpu && part == own) ||
                !memory_holder(a->model.m, cpu, part, pa, &set, &way)) {
                continue;
            }
            const struct line_view l = hw_line(a->model.m, cpu, part, set, way);
            text_add(b, "%s" KEY "%s" PLAIN " of CPU %u, set %u way %u: %s",
                     any ? ".\n" : "Also in ", hw_part_title(part), cpu, set, way,
                     state_word(state_letter(&l, is_mesi(a))));
            any = true;
        }
    }
    text_add(b, any ? ".\n" : "No other cache holds it.\n");
}

static char *details(struct app *a, char *name, size_t size)
{
    const enum hw_part part = a->hw.cache;
    uint32_t set, way;
    char letters[5], owner[64];
    struct text_buf b = {0};
    if (!cache_in(a) || !sets_at(a, part, &set, &way)) {
        return NULL;
    }
    const struct cache *c = cache_in(a);
    const struct line_view l = line_at(a, part, set, way);
    const char state = state_letter(&l, is_mesi(a));
    snprintf(name, size, "%s of CPU %u: set %u, way %u", hw_part_title(part), a->cpu, set,
             way);
    text_add(&b, "State " KEY "%c" PLAIN ": %s.\n", state, state_word(state));
    if (l.valid) {
        text_add(&b, "Tag " KEY "0x%llx" PLAIN ".\n",
                 (unsigned long long)(l.key / c->config.sets));
        if (l.is_virtual) {
            text_add(&b, "Virtual address " KEY "0x%llx" PLAIN ", address space %u; ",
                     (unsigned long long)l.va, l.asid);
            perms_format(letters, l.perms);
            text_add(&b,
                     "the page's permissions, kept with the line: " KEY "%s" PLAIN
                     " (U user or S supervisor, W write, X execute, D already dirty)."
                     "\n",
                     letters);
        }
        text_add(&b,
                 "Physical address " KEY "0x%llx" PLAIN ", page " KEY PFN_FORMAT PLAIN
                 ": %s.\n\n",
                 (unsigned long long)l.pa, (unsigned long long)(l.pa >> PAGE_SHIFT),
                 hw_owner(a, l.pa, owner, sizeof owner));
        add_holders(a, &b, l.pa, part);
        snprintf(a->details_command, sizeof a->details_command, "memory physical 0x%llx",
                 (unsigned long long)l.pa);
    }
    if (sets_has_ages(c)) {
        text_add(&b, "Age %u of %u%s.", l.age, c->config.ways,
                 l.age == 0 ? ": the youngest" : "");
    }
    text_add(&b, "%s\n",
             l.is_victim ? " The next line that comes into this set goes here." : "");
    text_add(&b,
             "\n" KEY "+ -" PLAIN " nearer and further, " KEY "[ ]" PLAIN
             " another cache, " KEY "{ }" PLAIN " another CPU%s.\n",
             l.valid ? "; Enter shows the line's bytes in memory" : "");
    return b.text;
}

static bool changed(const struct app *a) { return sets_changed(a, PART_L1I, PART_L2); }

const struct pane_kind pane_cache = {
    .name = "Cache",
    .short_name = "Cache",
    .about = "A cache of the CPU in view as sets by ways: + and - from single lines to a "
             "heat map, [ and ] another cache.",
    .title = title,
    .fit = fit,
    .draw = draw,
    .key = key,
    .click = click,
    .details = details,
    .selected_pfn = selected_pfn,
    .changed = changed,
    .scale = scale,
    .turn = turn,
    .columns = true,
};
