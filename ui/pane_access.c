/* An access as one path through the levels: the address's bits by use, then the stages in
 * the order in which this machine asks them, lit as far as the access has come.
 *
 *   load 4 at 0xc0401234                 190 cycles
 *     1100000001 0000000001 001000110100
 *     PD 769     PT 1       offset 0x234             what the walk makes of it
 *     tag 0xc040       set 9 ─── +0x14               what L1 makes of it, and so on
 *   ✗ L1D   set 9         miss       4
 *   ▶ DTLB  set 1 way 2   hit
 *   → L2    set 17        next
 *
 * Never colour alone: a mark and a word say hit, miss, next and not asked.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "access.h"
#include "bits.h"
#include "hardware.h"
#include "pane.h"

#include <stdio.h>
#include <string.h>

/* ---- what is shown ---- */

struct scene {
    const struct app *a;
    const struct memsys *m;
    struct access_wish wish;
    const struct access_path *path; /* NULL: it is still to come */
    uint64_t happened;
    uint64_t va;
    enum side side;
    bool pa_known;
    uint64_t pa;
    enum page_size page; /* as far as is known */
};

/* The TLB entry that the path went by, if a TLB had it: as it stands there now. */
static bool entry_now(const struct scene *s, uint64_t *entry)
{
    const struct tlb *tlbs[2] = {&s->m->front[s->side].tlb, &s->m->stlb};
    const bool there[2] = {s->m->front[s->side].has_tlb, s->m->has_stlb};
    for (int i = 0; i < 2; i++) {
        struct tlb_place p = {NULL, CACHE_NO_WAY};
        if (there[i]) {
            p = tlb_find(tlbs[i], s->va, s->m->s->space, CACHE_COUNT);
        }
        if (p.way != CACHE_NO_WAY) {
            *entry = *cache_home(&tlbs[i]->c, p.set, p.way);
            return true;
        }
    }
    return false;
}

static bool translated(const struct scene *s)
{
    const struct access_path *p = s->path;
    for (int i = 0; p && i < p->nr; i++) {
        const struct stage *st = &p->stages[i];
        if ((st->kind == STAGE_TLB || st->kind == STAGE_STLB) && st->hit &&
            st->event <= s->happened) {
            return true;
        }
    }
    return false;
}

static void find_physical(struct scene *s)
{
    const struct access_path *p = s->path;
    uint64_t entry;
    if (!p) {
        return;
    }
    bool filled = p->entry_event && p->entry_event <= s->happened;
    if (filled || (translated(s) && entry_now(s, &entry))) {
        entry = filled ? p->entry : entry;
        s->page = (enum page_size)tlb_entry_size(entry);
        s->pa = tlb_entry_translate(entry, s->va).v;
        s->pa_known = true;
    } else if (p->pa_event && p->pa_event <= s->happened) {
        s->pa = p->pa;
        s->pa_known = true;
    }
    if (s->pa_known && s->m->config.translation == TRANSLATE_IDENTITY) {
        s->pa = s->va;
    }
}

/* The access in view; else the one that comes next, if that is known. */
static bool scene_of(const struct app *a, struct scene *s)
{
    const struct model *md = &a->model;
    struct op_record rec;
    *s = (struct scene){.a = a, .happened = a->paths_happened};
    if (a->paths.nr) {
        s->path = access_path_at(&a->paths, s->happened);
        s->wish =
            a->paths.has_wish ? a->paths.wish : (struct access_wish){.va = s->path->va};
        s->m = hardware_cpu(md->m, a->paths.cpu);
    } else if (!md->inside && timeline_op(a->t, md->at.branch, md->at.op, &rec) &&
               access_of_op(&rec.op, &s->wish)) {
        s->m = hardware_cpu(md->m, rec.op.cpu);
    }
    if (!s->m) {
        return false;
    }
    s->va = s->path ? s->path->va : s->wish.va;
    s->side = access_side(s->wish.kind);
    find_physical(s);
    return true;
}

/* ---- uses of bits ---- */

static int log2_of(uint64_t n)
{
    int bits = 0;
    while (n > 1) {
        n >>= 1;
        bits++;
    }
    return bits;
}

static uint64_t bits_of(uint64_t address, int low, int nr)
{
    return nr >= 64 ? address >> low : address >> low & (((uint64_t)1 << nr) - 1);
}

/* word and brief stand before the number: where there is room, where there is little. */
static void field(struct bit_field *f, int low, int nr, int style, char letter,
                  const char *word, const char *brief, bool hex, uint64_t value)
{
    *f = (struct bit_field){.low = low, .nr = nr, .style = style, .letter = letter};
    const char *format = hex ? "%.10s0x%llx" : "%.10s%llu";
    snprintf(f->text, sizeof f->text, format, word, (unsigned long long)value);
    snprintf(f->brief, sizeof f->brief, format, brief, (unsigned long long)value);
}

static int va_bits(const struct scene *s)
{
    switch (s->m->s->mmu.paging) {
    case PAGING_4LEVEL:
        return 48;
    case PAGING_5LEVEL:
        return 57;
    case PAGING_NONE:
        return s->va >> 32 ? 48 : 32;
    default:
        return 32;
    }
}

static int index_bits(enum paging p) { return p == PAGING_I386 ? 10 : 9; }

static int nr_levels(const struct scene *s)
{
    static const int levels[] = {[PAGING_NONE] = 0,
                                 [PAGING_I386] = 2,
                                 [PAGING_PAE] = 3,
                                 [PAGING_4LEVEL] = 4,
                                 [PAGING_5LEVEL] = 5};
    bool tables = s->m->config.translation == TRANSLATE_TABLES;
    return tables ? levels[s->m->s->mmu.paging] : 0;
}

/* The table index of each level, and what is left: the byte in the page. */
static int table_fields(const struct scene *s, struct bit_field fields[8])
{
    enum paging paging = s->m->s->mmu.paging;
    int n = 0, page = (int)page_shift(s->page), top = va_bits(s), levels = nr_levels(s);
    for (int level = levels; level >= 1; level--) {
        int low = PAGE_SHIFT + index_bits(paging) * (level - 1);
        int nr = level == levels ? top - low : index_bits(paging);
        char word[16];
        if (low < page) {
            break;
        }
        snprintf(word, sizeof word, "%s ", mmu_table_name(paging, (uint32_t)level));
        field(&fields[n++], low, nr, level % 2 ? ST_BITS_INDEX_2 : ST_BITS_INDEX,
              (char)('0' + level), word, "", false, bits_of(s->va, low, nr));
    }
    if (!n) {
        field(&fields[n++], page, top - page, ST_BITS_INDEX, 'p', "page ", "", true,
              bits_of(s->va, page, top - page));
    }
    field(&fields[n++], 0, page, ST_BITS_PAGE, 'o', "offset ", "+", true,
          bits_of(s->va, 0, page));
    return n;
}

/* Offset, set and tag of a line, or of a page in a TLB. */
static int set_fields(const struct cache *c, int shift, uint64_t address, int top,
                      bool with_tag, bool with_offset, struct bit_field fields[3])
{
    int n = 0, sets = c->modulo ? 0 : log2_of(c->config.sets);
    int tag = shift + sets;
    if (c->modulo) {
        uint64_t line = address >> shift;
        struct bit_field *f = &fields[n++];
        field(f, shift, top - shift, ST_BITS_SET, 's', "set ", "s", false,
              cache_set_number(c, line));
        snprintf(f->text, sizeof f->text, "0x%llx mod %u is set %u",
                 (unsigned long long)line, c->config.sets, cache_set_number(c, line));
    } else {
        if (with_tag && top > tag) {
            field(&fields[n++], tag, top - tag, ST_BITS_TAG, 't', "tag ", "", true,
                  bits_of(address, tag, top - tag));
        }
        if (sets) {
            field(&fields[n++], shift, sets, ST_BITS_SET, 's', "set ", "s", false,
                  bits_of(address, shift, sets));
        }
    }
    if (with_offset && shift) {
        field(&fields[n++], 0, shift, ST_BITS_OFFSET, 'o', "byte ", "+", false,
              bits_of(address, 0, shift));
    }
    return n;
}

/* ---- the address ---- */

enum { LABEL_COLS = 6, INDENT = 1 };

struct address {
    const struct scene *s;
    struct grid *g;
    struct rect r;
    int y;
    bool wide; /* bits in a row; else the uses in words */
    struct bit_row bits;
};

/* A row of uses, under the bits or as words. */
static void put_uses(struct address *ad, const char *label, const struct bit_field *f,
                     int nr)
{
    struct grid *g = ad->g;
    int x = ad->r.x + INDENT;
    if (ad->y >= ad->r.y + ad->r.h) {
        return;
    }
    grid_text(g, x, ad->y, label, ST_DIM, 0);
    if (ad->wide) {
        bits_fields(g, &ad->bits, ad->y, ad->s->a->glyphs, f, nr);
    } else {
        x += LABEL_COLS;
        for (int i = 0; i < nr; i++) {
            x = grid_text(g, x, ad->y, f[i].text, f[i].style, 0) + 1;
        }
    }
    ad->y++;
}

static void begin_address(struct address *ad, int top, uint64_t gaps)
{
    ad->bits = (struct bit_row){ad->r.x + INDENT + LABEL_COLS, ad->y, top - 1, gaps};
    ad->wide = INDENT + LABEL_COLS + bits_width(top - 1, gaps) <= ad->r.w;
}

/* The bits themselves, coloured by the uses given. */
static void put_bits(struct address *ad, const char *label, uint64_t address,
                     const struct bit_field *f, int nr, bool known)
{
    if (ad->y >= ad->r.y + ad->r.h) {
        return;
    }
    grid_text(ad->g, ad->r.x + INDENT, ad->y, label, ST_DIM, 0);
    int x = ad->r.x + INDENT + LABEL_COLS;
    if (!known) {
        const struct scene *sc = ad->s;
        bool over = sc->path && !access_next(sc->path, sc->happened);
        grid_text(ad->g, x, ad->y, over ? "was not needed" : "not known yet", ST_DIM, 0);
    } else if (ad->wide) {
        ad->bits.y = ad->y;
        bits_draw(ad->g, &ad->bits, address, f, nr);
    } else {
        grid_printf(ad->g, x, ad->y, ST_BRIGHT, 0, "0x%llx", (unsigned long long)address);
    }
    ad->y++;
}

static const char *l1_name(const struct scene *s)
{
    return s->side == SIDE_I ? "L1I" : "L1D";
}

static const char *tlb_name(const struct scene *s)
{
    return s->side == SIDE_I ? "ITLB" : "DTLB";
}

static void put_virtual(struct address *ad, bool with_tlb)
{
    const struct scene *s = ad->s;
    const struct front *f = &s->m->front[s->side];
    struct bit_field fields[8];
    int top = va_bits(s), nr = table_fields(s, fields);
    uint64_t gaps = 0;
    for (int i = 0; i < nr; i++) {
        gaps |= fields[i].low ? (uint64_t)1 << fields[i].low : 0;
    }
    begin_address(ad, top, gaps);
    if (ad->wide) { /* in words, the header has the address */
        put_bits(ad, "va", s->va, fields, nr, true);
    }
    put_uses(ad, "MMU", fields, nr);
    if (f->has_tlb && with_tlb) {
        nr = set_fields(&f->tlb.c, (int)page_shift(s->page), s->va, top, true, false,
                        fields);
        put_uses(ad, tlb_name(s), fields, nr);
    }
    if (f->has_l1 && s->m->config.tagging != TAG_PIPT) {
        bool vipt = s->m->config.tagging == TAG_VIPT;
        nr = set_fields(&f->l1, (int)f->l1.line_shift, s->va, top, !vipt, true, fields);
        put_uses(ad, l1_name(s), fields, nr);
        if (vipt && ad->wide) {
            int high = fields[0].low + fields[0].nr - 1;
            if (bits_column(&ad->bits, high) - ad->bits.x > 13) {
                grid_text(ad->g, ad->bits.x, ad->y - 1, "tag: from pa", ST_DIM, 0);
            }
        }
    }
}

static int pa_bits(const struct scene *s)
{
    uint64_t top = machine_max_pfn(s->a->model.m) << PAGE_SHIFT;
    int bits = log2_of(s->pa > top ? s->pa : top) + 1;
    return app_max_int(24, (bits + 3) / 4 * 4);
}

static void put_physical(struct address *ad, bool with_l1_tag)
{
    const struct scene *s = ad->s;
    const struct front *f = &s->m->front[s->side];
    enum tagging tagging = s->m->config.tagging;
    struct bit_field fields[8];
    int top = pa_bits(s), page = (int)page_shift(s->page);
    begin_address(ad, top, (uint64_t)1 << page);
    field(&fields[0], page, top - page, ST_BITS_INDEX, 'f', "frame ", "", true,
          s->pa >> page);
    field(&fields[1], 0, page, ST_BITS_PAGE, 'o', "offset ", "+", true,
          bits_of(s->pa, 0, page));
    put_bits(ad, "pa", s->pa, fields, 2, s->pa_known);
    if (!s->pa_known) {
        return;
    }
    if (f->has_l1 && (tagging == TAG_PIPT || (tagging == TAG_VIPT && with_l1_tag))) {
        int nr = set_fields(&f->l1, (int)f->l1.line_shift, s->pa, top, true,
                            tagging == TAG_PIPT, fields);
        bool only_tag = tagging == TAG_VIPT && !f->l1.modulo;
        put_uses(ad, l1_name(s), fields, only_tag ? 1 : nr);
    }
    if (s->m->has_l2) {
        int nr = set_fields(&s->m->l2, (int)s->m->l2.line_shift, s->pa, top, true, true,
                            fields);
        put_uses(ad, "L2", fields, nr);
    }
}

/* ---- the stages ---- */

struct rung {
    enum stage_kind kind;
    const struct stage *stage; /* NULL: not asked */
    int level;                 /* STAGE_WALK; 0: all of the walk in one row */
};

enum { MAX_RUNGS = MAX_STAGES + 8 };

/* What is only worth a row when it was asked. */
static int add_asked(const struct scene *s, enum stage_kind kind, struct rung *rungs,
                     int nr)
{
    for (int i = 0; s->path && i < s->path->nr && nr < MAX_RUNGS; i++) {
        const struct stage *st = &s->path->stages[i];
        if (st->kind == kind) {
            rungs[nr++] = (struct rung){kind, st, st->level};
        }
    }
    return nr;
}

/* ... and only then. */
static int add_reached(const struct scene *s, enum stage_kind kind, struct rung *rungs,
                       int nr)
{
    int end = add_asked(s, kind, rungs, nr), kept = nr;
    for (int i = nr; i < end; i++) {
        if (rungs[i].stage->begin <= s->happened ||
            rungs[i].stage == access_next(s->path, s->happened)) {
            rungs[kept++] = rungs[i];
        }
    }
    return kept;
}

static int add_rungs(const struct scene *s, enum stage_kind kind, struct rung *rungs,
                     int nr)
{
    int with = add_asked(s, kind, rungs, nr);
    if (with == nr && nr < MAX_RUNGS) {
        rungs[with++] = (struct rung){kind, NULL, 0};
    }
    return with;
}

/* The walk: a row for each entry, or all of it in one. */
static int add_walk(const struct scene *s, bool in_one, struct rung *rungs, int nr)
{
    int levels = nr_levels(s), lowest = levels + 1;
    if (in_one || !levels) {
        rungs[nr++] = (struct rung){STAGE_WALK, NULL, 0};
        return nr;
    }
    bool asked = false;
    for (int i = 0; s->path && i < s->path->nr && nr < MAX_RUNGS - 5; i++) {
        const struct stage *st = &s->path->stages[i];
        if (st->kind == STAGE_WALK) {
            rungs[nr++] = (struct rung){STAGE_WALK, st, st->level};
            lowest = st->level;
            asked = true;
        }
    }
    for (int level = lowest - 1; level >= 1 && !asked; level--) {
        rungs[nr++] = (struct rung){STAGE_WALK, NULL, level};
    }
    return nr;
}

static int list_rungs(const struct scene *s, bool walk_in_one, struct rung *rungs)
{
    const struct front *f = &s->m->front[s->side];
    int nr = 0;
    if (f->has_l1 && s->m->virtual_tags) {
        nr = add_rungs(s, STAGE_L1, rungs, nr);
    }
    if (f->has_tlb) {
        nr = add_rungs(s, STAGE_TLB, rungs, nr);
    }
    if (s->m->has_stlb) {
        nr = add_rungs(s, STAGE_STLB, rungs, nr);
    }
    nr = add_reached(s, STAGE_PSC, rungs, nr);
    nr = add_walk(s, walk_in_one, rungs, nr);
    if (f->has_l1 && !s->m->virtual_tags) {
        nr = add_rungs(s, STAGE_L1, rungs, nr);
    }
    if (s->m->has_l2) {
        nr = add_rungs(s, STAGE_L2, rungs, nr);
    }
    if (machine_nr_cpus(s->a->model.m) > 1) { /* alone, nobody answers */
        nr = add_reached(s, STAGE_BUS, rungs, nr);
    }
    nr = add_reached(s, STAGE_UNCACHED, rungs, nr);
    return add_rungs(s, STAGE_RAM, rungs, nr);
}

enum light { LIGHT_NOT_ASKED, LIGHT_NEXT, LIGHT_ASKED, LIGHT_HIT, LIGHT_MISS };

static const struct stage *newest(const struct scene *s)
{
    const struct stage *best = NULL;
    for (int i = 0; s->path && i < s->path->nr; i++) {
        const struct stage *st = &s->path->stages[i];
        if (st->begin <= s->happened && (!best || st->begin > best->begin)) {
            best = st;
        }
    }
    return best;
}

static enum light light_of(const struct scene *s, const struct stage *st)
{
    return !st                                       ? LIGHT_NOT_ASKED
           : st->event <= s->happened                ? (st->hit ? LIGHT_HIT : LIGHT_MISS)
           : st->begin <= s->happened                ? LIGHT_ASKED
           : st == access_next(s->path, s->happened) ? LIGHT_NEXT
                                                     : LIGHT_NOT_ASKED;
}

static void rung_name(const struct scene *s, const struct rung *r, char *buf, size_t size)
{
    switch (r->kind) {
    case STAGE_L1:
        snprintf(buf, size, "%s", l1_name(s));
        break;
    case STAGE_TLB:
        snprintf(buf, size, "%s", tlb_name(s));
        break;
    case STAGE_STLB:
        snprintf(buf, size, "STLB");
        break;
    case STAGE_WALK:
        snprintf(buf, size, "%s",
                 r->level ? mmu_table_name(s->m->s->mmu.paging, (uint32_t)r->level)
                          : "walk");
        break;
    case STAGE_L2:
        snprintf(buf, size, "L2");
        break;
    case STAGE_PSC:
        snprintf(buf, size, "PSC");
        break;
    case STAGE_BUS:
        snprintf(buf, size, "bus");
        break;
    default:
        snprintf(buf, size, "RAM");
        break;
    }
}

/* Where a stage that was not asked yet would look. */
static void expected_place(const struct scene *s, const struct rung *r, char *buf,
                           size_t size)
{
    const struct front *f = &s->m->front[s->side];
    bool pipt = s->m->config.tagging == TAG_PIPT;
    buf[0] = 0;
    if (r->kind == STAGE_TLB) {
        snprintf(buf, size, "set %u", access_tlb_set(&f->tlb, s->va, s->page));
    } else if (r->kind == STAGE_STLB) {
        snprintf(buf, size, "set %u", access_tlb_set(&s->m->stlb, s->va, s->page));
    } else if (r->kind == STAGE_L1 && (!pipt || s->pa_known)) {
        snprintf(buf, size, "set %u", access_set(&f->l1, pipt ? s->pa : s->va));
    } else if (r->kind == STAGE_L2 && s->pa_known) {
        snprintf(buf, size, "set %u", access_set(&s->m->l2, s->pa));
    } else if (r->kind == STAGE_WALK && r->level) {
        int low = PAGE_SHIFT + index_bits(s->m->s->mmu.paging) * (r->level - 1);
        snprintf(
            buf, size, "[%llu]",
            (unsigned long long)bits_of(s->va, low, index_bits(s->m->s->mmu.paging)));
    }
}

static void place_text(const struct scene *s, const struct rung *r, char *buf,
                       size_t size)
{
    const struct stage *st = r->stage;
    if (!st || light_of(s, st) < LIGHT_HIT) {
        expected_place(s, r, buf, size);
    } else if (r->kind == STAGE_WALK) {
        snprintf(buf, size, "at 0x%llx", (unsigned long long)st->at);
    } else if (r->kind == STAGE_RAM || r->kind == STAGE_UNCACHED) {
        snprintf(buf, size, "at 0x%llx", (unsigned long long)st->at);
    } else if (r->kind == STAGE_PSC) {
        snprintf(buf, size, "for the %s",
                 mmu_table_name(s->m->s->mmu.paging, (uint32_t)st->level - 1));
    } else if (r->kind == STAGE_BUS) {
        static const char *const kinds[NR_BUS_KINDS] = {"BusRd", "BusRdX", "BusUpgr",
                                                        "BusWr"};
        snprintf(buf, size, "%s", kinds[st->bus < NR_BUS_KINDS ? st->bus : 0]);
    } else if (st->way >= 0) {
        snprintf(buf, size, "set %u way %d", st->set, st->way);
    } else {
        snprintf(buf, size, "set %u", st->set);
    }
}

static const char *verdict(const struct scene *s, const struct rung *r, enum light light)
{
    const struct access_path *p = s->path;
    bool over = p && !access_next(p, s->happened);
    switch (light) {
    case LIGHT_NEXT:
        return "next";
    case LIGHT_ASKED:
        return "reading";
    case LIGHT_HIT:
        return r->kind == STAGE_UNCACHED ? "uncached"
               : r->kind == STAGE_BUS    ? (r->stage->supplied ? "supplied" : "shared")
               : r->kind == STAGE_RAM    ? "read"
               : r->kind != STAGE_WALK   ? "hit"
               : r->stage->source == FROM_L2 ? "in L2"
                                             : "from RAM";
    case LIGHT_MISS:
        return r->kind == STAGE_WALK  ? "not there"
               : r->kind == STAGE_BUS ? "nobody"
                                      : "miss";
    default:
        return over ? "not asked" : "";
    }
}

/* What a wide pane has room for besides. */
static void more_text(const struct scene *s, const struct rung *r, char *buf, size_t size)
{
    const struct stage *st = r->stage;
    buf[0] = 0;
    if (!st || light_of(s, st) < LIGHT_HIT) {
        return;
    }
    if (r->kind == STAGE_WALK) {
        uint64_t v = st->value;
        bool large = r->level > 1 && (v & PTE_PS);
        snprintf(buf, size, "%s 0x%llx %s%s%s%s%s%s%s", large ? "page" : "to",
                 (unsigned long long)(v & TLB_FRAME), v & PTE_P ? "P" : "-",
                 v & PTE_W ? "W" : "-", v & PTE_U ? "U" : "-", v & PTE_A ? "A" : "-",
                 v & PTE_D ? "D" : "-", v & PTE_G ? "G" : "-", v & PTE_NX ? " NX" : "");
    } else if (st->evicts) {
        snprintf(buf, size, "line 0x%llx goes%s", (unsigned long long)st->evicted,
                 st->dirty ? ", dirty" : "");
    }
}

/* One row for the whole walk: its entries as hit or miss of L2. */
static void walk_row(const struct scene *s, enum light *light, char *place, size_t size,
                     const char **word, uint64_t *cycles)
{
    int asked = 0, from_ram = 0, nr = 0;
    bool present = true, next = false, reading = false;
    const struct stage *ahead = s->path ? access_next(s->path, s->happened) : NULL;
    for (int i = 0; s->path && i < s->path->nr; i++) {
        const struct stage *st = &s->path->stages[i];
        if (st->kind != STAGE_WALK) {
            continue;
        }
        nr++;
        next = next || st == ahead;
        reading = reading || (st->begin <= s->happened && st->event > s->happened);
        if (st->event <= s->happened) {
            asked++;
            from_ram += st->source == FROM_RAM;
            present = present && st->hit;
            *cycles += st->cycles;
        }
    }
    *light = reading ? LIGHT_ASKED
             : asked ? (present ? LIGHT_HIT : LIGHT_MISS)
             : next  ? LIGHT_NEXT
                     : LIGHT_NOT_ASKED;
    if (asked && nr_levels(s)) {
        snprintf(place, size, "%d of %d, %d RAM", asked, app_max_int(nr, 1), from_ram);
    } else if (nr_levels(s)) {
        snprintf(place, size, "%d levels", nr_levels(s));
    } else {
        snprintf(place, size, "no tables");
    }
    *word = reading                ? "reading"
            : *light == LIGHT_HIT  ? (next ? "next" : "found")
            : *light == LIGHT_MISS ? "not there"
            : *light == LIGHT_NEXT ? "next"
            : s->path && !ahead    ? "not asked"
                                   : "";
}

static void draw_rung(const struct scene *s, struct grid *g, struct rect r, int y,
                      const struct rung *rung)
{
    const struct glyphs *gl = s->a->glyphs;
    const struct stage *st = rung->stage, *last = newest(s);
    enum light light = light_of(s, st);
    char name[16], place[40], more[80];
    uint64_t cycles = st && light >= LIGHT_HIT ? st->cycles : 0;
    rung_name(s, rung, name, sizeof name);
    place_text(s, rung, place, sizeof place);
    more_text(s, rung, more, sizeof more);
    const char *word = verdict(s, rung, light);
    bool here = st && st == last;
    if (rung->kind == STAGE_WALK && !rung->level) {
        walk_row(s, &light, place, sizeof place, &word, &cycles);
        here = last && last->kind == STAGE_WALK;
    }
    static const int styles[] = {ST_DIM, ST_HINT_KEY, ST_HINT_KEY, ST_GOOD, ST_WARN};
    const uint32_t marks[] = {gl->dot, gl->arrow, gl->here, gl->tick, gl->fail};
    int line = here ? MARK_LINE : 0, style = styles[light];
    int cycles_x = r.x + r.w - 7, word_x = cycles_x - 10;
    if (here) {
        grid_fill(g, (struct rect){r.x, y, r.w, 1}, ' ', ST_NORMAL, MARK_LINE);
    }
    grid_put(g, r.x + 1, y, marks[light], style, line);
    grid_text(g, r.x + 3, y, name, light == LIGHT_NOT_ASKED ? ST_DIM : ST_BRIGHT, line);
    int place_x = r.x + 9, room = word_x - place_x - 1;
    grid_text_cut(g, place_x, y, room, place, gl->more,
                  light >= LIGHT_HIT ? ST_NORMAL : ST_DIM, line);
    if (room - 16 >= text_width(more)) {
        grid_text(g, place_x + 16, y, more, ST_DIM, line);
    }
    grid_text(g, word_x, y, word, style, line | (here ? MARK_CHANGED : 0));
    if (cycles) {
        grid_printf(g, cycles_x, y, ST_NUMBER, line, "%6llu", (unsigned long long)cycles);
    }
}

/* ---- all of it ---- */

static void draw_header(const struct scene *s, struct grid *g, struct rect r)
{
    char cycles[40] = "", text[96];
    if (s->path) {
        uint64_t n = access_cycles(s->path, s->happened);
        snprintf(cycles, sizeof cycles, "%llu cycle%s", (unsigned long long)n,
                 n == 1 ? "" : "s");
    } else {
        snprintf(cycles, sizeof cycles, "comes next");
    }
    int right = r.x + r.w - 1 - text_width(cycles);
    if (s->wish.size) {
        snprintf(text, sizeof text, "%s %u at 0x%llx%s", access_kind_name(s->wish.kind),
                 s->wish.size, (unsigned long long)s->va, s->wish.user ? ", user" : "");
    } else {
        snprintf(text, sizeof text, "access at 0x%llx", (unsigned long long)s->va);
    }
    grid_text_cut(g, r.x + 1, r.y, right - r.x - 2, text, s->a->glyphs->more, ST_BRIGHT,
                  0);
    grid_text(g, right, r.y, cycles, s->path ? ST_HEADING : ST_HINT_KEY, 0);
}

static void draw_next(const struct app *a, struct grid *g, struct rect r)
{
    const struct model *md = &a->model;
    struct op_record rec;
    struct access_wish w;
    if (md->inside || !timeline_op(a->t, md->at.branch, md->at.op, &rec) ||
        !access_of_op(&rec.op, &w)) {
        return;
    }
    struct scene s = {
        .a = a, .m = hardware_cpu(md->m, rec.op.cpu), .wish = w, .va = w.va};
    if (!s.m) {
        return;
    }
    const struct front *f = &s.m->front[access_side(w.kind)];
    s.side = access_side(w.kind);
    char text[160];
    int n = snprintf(text, sizeof text, "next: %s 0x%llx", access_kind_name(w.kind),
                     (unsigned long long)w.va);
    if (f->has_l1 && s.m->config.tagging != TAG_PIPT && n < (int)sizeof text) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s set %u", l1_name(&s),
                      access_set(&f->l1, w.va));
    }
    if (f->has_tlb && n < (int)sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ", %s set %u", tlb_name(&s),
                 access_tlb_set(&f->tlb, w.va, PAGE_4K));
    }
    grid_put(g, r.x + 1, r.y, a->glyphs->arrow, ST_HINT_KEY, 0);
    grid_text_cut(g, r.x + 3, r.y, r.w - 4, text, a->glyphs->more, ST_HINT, 0);
}

static void draw(const struct app *a, struct grid *g, struct rect r, bool focused)
{
    (void)focused;
    struct scene s;
    if (!scene_of(a, &s)) {
        grid_text_cut(g, r.x + 1, r.y, r.w - 1, "No access has been made yet.",
                      a->glyphs->more, ST_DIM, 0);
        return;
    }
    struct rung rungs[MAX_RUNGS];
    int in_one = list_rungs(&s, true, rungs), all = list_rungs(&s, false, rungs);
    enum { HEADER = 1, ADDRESSES = 5 }; /* and a row for the TLB, if there is room */
    int room = r.h - HEADER, left = room - ADDRESSES;
    bool with_walk = left >= all, with_tlb = left > (with_walk ? all : in_one);
    bool with_addresses = room >= in_one + 2;
    int nr = list_rungs(&s, !with_walk, rungs);
    left -= nr + with_tlb;
    bool with_l1_tag = left >= 1 && s.m->config.tagging == TAG_VIPT;
    left -= with_l1_tag;
    draw_header(&s, g, r);
    struct address ad = {.s = &s, .g = g, .r = r, .y = r.y + HEADER};
    ad.r.h = app_max_int(0, r.h - nr);
    if (with_addresses) {
        put_virtual(&ad, with_tlb);
        put_physical(&ad, with_l1_tag);
    }
    int y = ad.y + (left >= 2 && with_addresses);
    y = app_max_int(r.y + HEADER, app_min_int(y, r.y + r.h - nr));
    for (int i = 0; i < nr && y < r.y + r.h; i++) {
        draw_rung(&s, g, r, y++, &rungs[i]);
    }
    if (s.path && y < r.y + r.h) {
        draw_next(a, g, (struct rect){r.x, r.y + r.h - 1, r.w, 1});
    }
}

static void title(const struct app *a, char *buf, size_t size)
{
    static const char *const ways[] = {[TAG_PIPT] = "L1 by physical address",
                                       [TAG_VIPT] = "L1 set virtual, tag physical",
                                       [TAG_VIVT] = "L1 by virtual address",
                                       [TAG_VIVT_ASID] =
                                           "L1 by virtual address and ASID"};
    const struct memsys *m = hardware_cpu(a->model.m, a->cpu);
    snprintf(buf, size, "%s", m ? ways[m->config.tagging] : "");
}

static bool changed(const struct app *a)
{
    const struct model *md = &a->model;
    return md->has_event && access_is_event(md->event.kind);
}

const struct pane_kind pane_access = {
    .name = "Access",
    .short_name = "Access",
    .about = "An access on its way: what each stage makes of the address's bits, which "
             "stages were asked, what they answered and what that cost.",
    .title = title,
    .draw = draw,
    .changed = changed,
};
