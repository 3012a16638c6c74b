/* A TLB of the CPU in view, as sets by ways (hw_sets.h).
 *
 *   near      set way  page -> frame  size  permissions  address space  age
 *   nearer    a row a set: the page's address, or only its size, and the age
 *   far       a cell a set or several: how many entries are in use, are some stale?
 *
 * A stale entry, one that the tables of the loaded address space no longer bear out, has
 * an exclamation mark. Permissions are U(ser) or S(upervisor), W, X, D(irty), G(lobal).
 *
 * Below them stand the paging-structure caches, where there are any and there is room.
 *
 * Left out: whether entries of other address spaces than the loaded one are stale.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "hw_buffers.h"
#include "hw_focus.h"
#include "hw_sets.h"

static struct tlb_view entry_at(const struct app *a, enum hw_part part, uint32_t set,
                                uint32_t way)
{
    return hw_tlb_entry(a->model.m, a->cpu, part, set, way);
}

static const char *size_name(uint32_t shift)
{
    return shift == 12   ? "4K"
           : shift == 21 ? "2M"
           : shift == 22 ? "4M"
           : shift == 30 ? "1G"
                         : "?";
}

static void perms_and_global(char buf[6], const struct tlb_view *e)
{
    perms_format(buf, e->perms);
    buf[0] = e->perms & CACHE_U ? 'U' : 'S';
    buf[4] = e->global ? 'G' : '-';
    buf[5] = 0;
}

static bool has_asids(const struct app *a) { return a->model.m->config.hw.pcid; }

static int entry_style(const struct tlb_view *e)
{
    return !e->valid ? ST_HOLE : e->stale ? ST_STALE : ST_LINE_CLEAN;
}

/* ---- a row a way ---- */

enum column {
    COL_STALE,
    COL_VA,
    COL_ARROW,
    COL_PA,
    COL_SIZE,
    COL_PERMS,
    COL_ASID,
    COL_AGE,
    COL_WORD,
    NR_COLUMNS
};

static struct sets_columns columns_of(const struct app *a, enum hw_part part, int room)
{
    const int want[NR_COLUMNS] = {
        [COL_STALE] = 1,
        [COL_VA] = hw_va_digits(a),
        [COL_ARROW] = 1,
        [COL_PA] = hw_pa_digits(a),
        [COL_SIZE] = 2,
        [COL_PERMS] = 5,
        [COL_ASID] = has_asids(a) ? 4 : 0,
        [COL_AGE] = sets_has_ages(shown_part(a, part)) ? 4 : 1,
        [COL_WORD] = 12,
    };
    static const unsigned char by_rank[] = {COL_STALE, COL_VA,   COL_PA,
                                            COL_PERMS, COL_SIZE, COL_ARROW,
                                            COL_AGE,   COL_ASID, COL_WORD};
    /* the mark of a stale entry stands right before its page */
    return sets_columns(want, NR_COLUMNS, by_rank, sizeof by_rank, COL_STALE, room);
}

static void heading(const struct app *a, enum hw_part part, struct grid *g, struct rect r)
{
    static const char *const words[NR_COLUMNS] = {"",     "page", "",     "frame", "sz",
                                                  "perm", "pcid", "age ", ""};
    const struct sets_columns cols = columns_of(a, part, r.w);
    for (int n = 0; n < NR_COLUMNS; n++) {
        const bool none = n == COL_AGE && !sets_has_ages(shown_part(a, part));
        if (cols.w[n] && !none) {
            grid_text_cut(g, r.x + cols.x[n], r.y, cols.w[n], words[n], 0, ST_DIM, 0);
        }
    }
}

static void row(const struct app *a, enum hw_part part, struct grid *g, struct rect r,
                uint32_t set, uint32_t way, int marks)
{
    const struct sets_columns cols = columns_of(a, part, r.w);
    const struct tlb_view e = entry_at(a, part, set, way);
    const int style = entry_style(&e), x = r.x;
    char letters[6];
    if (cols.w[COL_AGE]) {
        const bool ages = sets_has_ages(shown_part(a, part));
        if (ages) {
            grid_printf(g, x + cols.x[COL_AGE], r.y, e.valid ? ST_NORMAL : ST_FAINT, 0,
                        "%3u", e.age);
        }
        if (e.is_victim) {
            grid_put(g, x + cols.x[COL_AGE] + (ages ? 3 : 0), r.y, a->glyphs->arrow,
                     ST_WARN, 0);
        }
    }
    if (!e.valid) {
        grid_put(g, x + cols.x[COL_VA], r.y, a->glyphs->dot, ST_FAINT, marks);
        return;
    }
    if (e.stale) {
        grid_put(g, x + cols.x[COL_STALE], r.y, '!', ST_STALE, 0);
    }
    grid_printf(g, x + cols.x[COL_VA], r.y, style, marks, "%0*llx", hw_va_digits(a),
                (unsigned long long)e.va);
    if (cols.w[COL_ARROW]) {
        grid_put(g, x + cols.x[COL_ARROW], r.y, a->glyphs->arrow, ST_FAINT, 0);
    }
    if (cols.w[COL_PA]) {
        grid_printf(g, x + cols.x[COL_PA], r.y, ST_NORMAL, 0, "%0*llx", cols.w[COL_PA],
                    (unsigned long long)e.pa);
    }
    if (cols.w[COL_SIZE]) {
        grid_text(g, x + cols.x[COL_SIZE], r.y, size_name(e.shift), ST_DIM, 0);
    }
    if (cols.w[COL_PERMS]) {
        perms_and_global(letters, &e);
        grid_text(g, x + cols.x[COL_PERMS], r.y, letters, ST_NORMAL, 0);
    }
    if (cols.w[COL_ASID]) {
        grid_printf(g, x + cols.x[COL_ASID], r.y, ST_DIM, 0, "%4u", e.asid);
    }
    if (cols.w[COL_WORD] && e.stale) {
        grid_text(g, x + cols.x[COL_WORD], r.y, "stale", ST_STALE, 0);
    }
}

/* ---- ways side by side ---- */

/* Digits of a page's number where nothing above the kernel's half is cut off. */
static int page_digits(const struct app *a) { return hw_va_digits(a) - 3; }

static int cell_width(const struct app *a, enum hw_part part, int tier)
{
    const struct cache *c = shown_part(a, part);
    const int age = !sets_has_ages(c) ? 0 : c->config.ways > 10 ? 2 : 1;
    switch (tier) {
    case 0: /* page, size, age */
        return 1 + page_digits(a) + 1 + 2 + (age ? 1 + age : 0) + 2;
    case 1:
        return 1 + 2 + age + 2;
    case 2:
        return 2;
    default:
        return 0;
    }
}

static void cell(const struct app *a, enum hw_part part, struct grid *g, int x, int y,
                 int tier, uint32_t set, uint32_t way, int marks)
{
    const struct tlb_view e = entry_at(a, part, set, way);
    const int style = entry_style(&e), begin = x;
    if (tier < 2 && e.is_victim) {
        grid_put(g, begin + cell_width(a, part, tier) - 2, y, a->glyphs->arrow, ST_WARN,
                 0);
    }
    if (!e.valid) {
        grid_put(g, x, y, a->glyphs->dot, style, marks);
        return;
    }
    if (tier == 2) {
        grid_put(g, x, y, e.stale ? '!' : (uint32_t)size_name(e.shift)[1], style, marks);
        return;
    }
    x += grid_put(g, x, y, e.stale ? '!' : ' ', style, 0);
    if (tier == 0) {
        x = grid_printf(g, x, y, style, marks, "%0*llx", page_digits(a),
                        (unsigned long long)e.va >> 12);
        x += grid_put(g, x, y, ' ', style, marks);
    }
    x = grid_text(g, x, y, size_name(e.shift), tier ? style : ST_DIM, marks);
    if (sets_has_ages(shown_part(a, part))) {
        x += tier == 0 ? grid_put(g, x, y, a->glyphs->dot, ST_FAINT, 0) : 0;
        grid_printf(g, x, y, ST_DIM, marks, "%u", e.age);
    }
}

static void count(const struct app *a, enum hw_part part, uint32_t set, uint32_t *used,
                  uint32_t *other)
{
    const struct cache *c = shown_part(a, part);
    for (uint32_t way = 0; way < c->config.ways; way++) {
        const struct tlb_view e = entry_at(a, part, set, way);
        *used += e.valid;
        *other += e.stale;
    }
}

static const struct sets_kind kind = {
    .first = PART_ITLB,
    .last = PART_STLB,
    .near = SETS_WAYS,
    .heading = heading,
    .row = row,
    .cell_width = cell_width,
    .cell = cell,
    .count = count,
    .used_style = ST_LINE_CLEAN,
    .other_style = ST_STALE,
    .unit = "entries",
    .other_word = "stale",
};

/* ---- the pane ---- */

static void fit(struct app *a, int w, int h)
{
    a->hw.tlb = sets_follow(a, PART_ITLB, PART_STLB, a->hw.tlb, a->hw.tlb_pinned);
    sets_fit(a, &kind, a->hw.tlb, w, h - sets_head_rows(h) - hw_psc_rows(a, h));
}

static void draw_head(const struct app *a, struct grid *g, struct rect r)
{
    const struct memsys *ms = shown_cpu(a);
    const struct cache *c = shown_part(a, a->hw.tlb);
    const struct memsys_tally *n = &ms->s->n;
    const bool second = a->hw.tlb == PART_STLB;
    const enum side side = a->hw.tlb == PART_ITLB ? SIDE_I : SIDE_D;
    const uint64_t all = second ? n->stlb_access : n->tlb_access[side];
    const uint64_t missed = second ? n->stlb_miss : n->tlb_miss[side];
    const uint32_t entries = c->config.sets * c->config.ways;
    char text[28];
    int x = grid_printf(g, r.x, r.y, ST_BRIGHT, 0, "%s %u entries",
                        hw_part_title(a->hw.tlb), entries);
    x = grid_printf(g, x, r.y, ST_DIM, 0, ": %u x %u %s, reach %s in 4 KiB pages",
                    c->config.sets, c->config.ways, hw_policy_name(c->config.policy),
                    bytes_text(text, (uint64_t)entries << PAGE_SHIFT));
    if (r.h < 2) {
        return;
    }
    const int y = r.y + 1;
    x = sets_draw_counts(g, r.x, y, r.w, "asked", all, missed,
                         !ms->config.causes ? NULL
                         : second           ? &n->stlb_causes
                                            : &n->tlb_causes[side]);
    grid_printf(g, x, y, ST_DIM, 0, ", %s walks in all", thousands(text, n->walks));
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    if (!shown_part(a, a->hw.tlb)) {
        grid_text(g, r.x + 1, r.y, "This CPU has no TLBs.", ST_DIM, 0);
        return;
    }
    const int head = sets_head_rows(r.h);
    if (head) {
        draw_head(a, g, (struct rect){r.x, r.y, r.w, head});
    }
    const int psc = hw_psc_rows(a, r.h);
    sets_draw(a, &kind, a->hw.tlb, g,
              (struct rect){r.x, r.y + head, r.w, r.h - head - psc}, focused);
    if (psc) {
        hw_draw_psc(a, g, (struct rect){r.x, r.y + r.h - psc, r.w, psc});
    }
}

static bool key(struct app *a, int k, int w, int h)
{
    (void)w;
    if (k == K_END) {
        a->hw.tlb_pinned = false;
    }
    return sets_key(a, &kind, a->hw.tlb, k, h);
}

static void click(struct app *a, int x, int y, int w, int h)
{
    sets_click(a, &kind, a->hw.tlb, x, y - sets_head_rows(h), w);
}

static void scale(struct app *a, int by) { sets_scale(a, a->hw.tlb, by); }

static void turn(struct app *a, int by)
{
    a->hw.tlb = sets_turn_pane(a, PART_ITLB, PART_STLB, a->hw.tlb, &a->hw.tlb_pinned, by);
}

static void title(const struct app *a, char *buf, size_t size)
{
    sets_title(a, a->hw.tlb, buf, size);
}

static bool selected_pfn(const struct app *a, uint64_t *p)
{
    uint32_t set, way;
    const enum hw_part part = a->hw.tlb;
    if (!a->hw.sets[part].has_cursor || !sets_at(a, part, &set, &way)) {
        return false;
    }
    const struct tlb_view e = entry_at(a, part, set, way);
    *p = e.pa >> PAGE_SHIFT;
    return e.valid;
}

#define KEY POPUP_TEXT_KEY
#define PLAIN POPUP_TEXT_NORMAL

/* What the tables say now, where that differs. */
static void add_stale(const struct app *a, struct text_buf *b, const struct tlb_view *e)
{
    struct walk w;
    if (hw_without_tables(a)) {
        text_add(
            b,
            "This trace runs without page tables: mmscope trace --mmu gives it some.\n");
        return;
    }
    if (!e->global && e->asid != shown_cpu(a)->s->mmu.pcid) {
        text_add(b, "It belongs to another address space than the one loaded.\n");
        return;
    }
    if (!e->stale) {
        text_add(b, "The tables say the same.\n");
        return;
    }
    table_walk(a->model.m, &shown_cpu(a)->s->mmu, e->va, &w);
    text_add(b, KEY "Stale" PLAIN ": ");
    if (w.fault.kind != FAULT_NONE) {
        text_add(b, "the tables no longer map the page");
    } else if ((w.entry & TLB_FRAME) != e->pa) {
        text_add(b, "the tables lead to frame " KEY "0x%llx" PLAIN " now",
                 (unsigned long long)(w.entry & TLB_FRAME) >> PAGE_SHIFT);
    } else {
        char letters[5];
        perms_format(letters, (uint32_t)w.entry & TLB_PERMS);
        text_add(b, "the tables say " KEY "%s" PLAIN ", %s now", letters,
                 size_name(page_shift(tlb_entry_size(w.entry))));
    }
    text_add(b, ". Until it is flushed, accesses go where the entry says.\n");
}

static char *details(struct app *a, char *name, size_t size)
{
    const enum hw_part part = a->hw.tlb;
    uint32_t set, way;
    char letters[6], owner[64];
    struct text_buf b = {0};
    if (!sets_at(a, part, &set, &way)) {
        return NULL;
    }
    const struct tlb_view e = entry_at(a, part, set, way);
    snprintf(name, size, "%s of CPU %u: set %u, way %u", hw_part_title(part), a->cpu, set,
             way);
    if (!e.valid) {
        text_add(&b, "Empty.\n");
    } else {
        perms_and_global(letters, &e);
        text_add(&b,
                 "Page " KEY "0x%llx" PLAIN " of " KEY "%s" PLAIN " lies at " KEY
                 "0x%llx" PLAIN ": %s.\n",
                 (unsigned long long)e.va, size_name(e.shift), (unsigned long long)e.pa,
                 hw_owner(a, e.pa, owner, sizeof owner));
        text_add(&b, "Permissions " KEY "%s" PLAIN ": %s, %s, %s%s.\n", letters,
                 e.perms & CACHE_U ? "user and supervisor" : "supervisor only",
                 e.perms & CACHE_W ? "writable" : "read-only",
                 e.perms & CACHE_X ? "executable" : "not executable",
                 e.perms & CACHE_D ? ", the table entry is already dirty" : "");
        if (e.global) {
            text_add(&b, "Global: a CR3 load does not throw it out.\n");
        } else if (has_asids(a)) {
            text_add(&b, "Of address space " KEY "%u" PLAIN " (PCID).\n", e.asid);
        }
        text_add(&b, "Memory type %u (PAT, PCD, PWT as a number).\n", e.pat);
        add_stale(a, &b, &e);
        snprintf(a->details_command, sizeof a->details_command, "walk 0x%llx",
                 (unsigned long long)e.va);
    }
    if (sets_has_ages(shown_part(a, part))) {
        text_add(&b, "Age %u of %u.", e.age, shown_part(a, part)->config.ways);
    }
    text_add(&b,
             "%s\n\n" KEY "+ -" PLAIN " nearer and further, " KEY "[ ]" PLAIN
             " another TLB, " KEY "{ }" PLAIN " another CPU%s.\n",
             e.is_victim ? " The next entry of this set goes here." : "",
             e.valid ? "; Enter shows the tables' way to the page" : "");
    return b.text;
}

static bool changed(const struct app *a) { return sets_changed(a, PART_ITLB, PART_STLB); }

const struct pane_kind pane_tlb = {
    .name = "TLB",
    .short_name = "TLB",
    .about =
        "A TLB of the CPU in view as sets by ways: ! is a stale entry, + and - zoom, "
        "[ and ] another TLB.",
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
