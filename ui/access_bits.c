/* The address's bits by use: see access_scene.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "access_scene.h"

#include "bits.h"

#include <stdio.h>
#include <string.h>

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

uint64_t scene_bits(uint64_t address, int low, int nr)
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

int scene_index_bits(enum paging p) { return p == PAGING_I386 ? 10 : 9; }

int scene_levels(const struct scene *s)
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
    int n = 0, page = (int)page_shift(s->page), top = va_bits(s),
        levels = scene_levels(s);
    for (int level = levels; level >= 1; level--) {
        int low = PAGE_SHIFT + scene_index_bits(paging) * (level - 1);
        int nr = level == levels ? top - low : scene_index_bits(paging);
        char word[16];
        if (low < page) {
            break;
        }
        snprintf(word, sizeof word, "%s ", mmu_table_name(paging, (uint32_t)level));
        field(&fields[n++], low, nr, level % 2 ? ST_BITS_INDEX_2 : ST_BITS_INDEX,
              (char)('0' + level), word, "", false, scene_bits(s->va, low, nr));
    }
    if (!n) {
        field(&fields[n++], page, top - page, ST_BITS_INDEX, 'p', "page ", "", true,
              scene_bits(s->va, page, top - page));
    }
    field(&fields[n++], 0, page, ST_BITS_PAGE, 'o', "offset ", "+", true,
          scene_bits(s->va, 0, page));
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
                  scene_bits(address, tag, top - tag));
        }
        if (sets) {
            field(&fields[n++], shift, sets, ST_BITS_SET, 's', "set ", "s", false,
                  scene_bits(address, shift, sets));
        }
    }
    if (with_offset && shift) {
        field(&fields[n++], 0, shift, ST_BITS_OFFSET, 'o', "byte ", "+", false,
              scene_bits(address, 0, shift));
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

/* From which use on the brief form must do, so that all of them fit into the columns. */
static int brief_from(const struct bit_field *f, int nr, int cols)
{
    int from = nr, width = nr - 1;
    for (int i = 0; i < nr; i++) {
        width += (int)strlen(f[i].text);
    }
    while (from > 0 && width > cols) {
        from--;
        width -= (int)(strlen(f[from].text) - strlen(f[from].brief));
    }
    return from;
}

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
        const int brief = brief_from(f, nr, ad->r.x + ad->r.w - x);
        for (int i = 0; i < nr; i++) {
            x = grid_text(g, x, ad->y, i < brief ? f[i].text : f[i].brief, f[i].style,
                          0) +
                1;
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
        grid_text(ad->g, x, ad->y,
                  over && sc->path->fault_event ? "none: a page fault"
                  : over                        ? "was not needed"
                                                : "not known yet",
                  ST_DIM, 0);
    } else if (ad->wide) {
        ad->bits.y = ad->y;
        bits_draw(ad->g, &ad->bits, address, f, nr);
    } else {
        grid_printf(ad->g, x, ad->y, ST_BRIGHT, 0, "0x%llx", (unsigned long long)address);
    }
    ad->y++;
}

const char *scene_l1_name(const struct scene *s)
{
    return s->side == SIDE_I ? "L1I" : "L1D";
}

const char *scene_tlb_name(const struct scene *s)
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
        put_uses(ad, scene_tlb_name(s), fields, nr);
    }
    if (f->has_l1 && s->m->config.tagging != TAG_PIPT) {
        bool vipt = s->m->config.tagging == TAG_VIPT;
        nr = set_fields(&f->l1, (int)f->l1.line_shift, s->va, top, !vipt, true, fields);
        put_uses(ad, scene_l1_name(s), fields, nr);
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
          scene_bits(s->pa, 0, page));
    put_bits(ad, "pa", s->pa, fields, 2, s->pa_known);
    if (!s->pa_known) {
        return;
    }
    if (f->has_l1 && (tagging == TAG_PIPT || (tagging == TAG_VIPT && with_l1_tag))) {
        int nr = set_fields(&f->l1, (int)f->l1.line_shift, s->pa, top, true,
                            tagging == TAG_PIPT, fields);
        bool only_tag = tagging == TAG_VIPT && !f->l1.modulo;
        put_uses(ad, scene_l1_name(s), fields, only_tag ? 1 : nr);
    }
    if (s->m->has_l2) {
        int nr = set_fields(&s->m->l2, (int)s->m->l2.line_shift, s->pa, top, true, true,
                            fields);
        put_uses(ad, "L2", fields, nr);
    }
}

int scene_draw_address(const struct scene *s, struct grid *g, struct rect r,
                       bool with_tlb, bool with_l1_tag)
{
    struct address ad = {.s = s, .g = g, .r = r, .y = r.y};
    put_virtual(&ad, with_tlb);
    put_physical(&ad, with_l1_tag);
    return ad.y;
}
