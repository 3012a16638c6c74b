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
#include "access_scene.h"
#include "access_words.h"
#include "hardware.h"
#include "pane.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* ---- what is shown ---- */

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
    if (s->m->config.translation == TRANSLATE_IDENTITY && !s->m->front[s->side].has_tlb) {
        s->pa = s->va; /* nobody has to say so */
        s->pa_known = true;
        return;
    }
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
    struct op op;
    *s = (struct scene){.a = a, .happened = a->paths_happened};
    if (a->paths.nr) {
        s->path = access_path_at(&a->paths, s->happened);
        s->wish =
            a->paths.has_wish ? a->paths.wish : (struct access_wish){.va = s->path->va};
        s->m = hardware_cpu(md->m, a->paths.cpu);
    } else if (app_next_op(a, &op) && access_of_op(&op, &s->wish)) {
        s->m = hardware_cpu(md->m, op.cpu);
    }
    if (!s->m) {
        return false;
    }
    s->va = s->path ? s->path->va : s->wish.va;
    s->side = access_side(s->wish.kind);
    find_physical(s);
    return true;
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
    int levels = scene_levels(s), lowest = levels + 1;
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
    if (f->has_tlb || s->m->config.translation != TRANSLATE_IDENTITY) {
        nr = add_walk(s, walk_in_one, rungs, nr);
    }
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
        snprintf(buf, size, "%s", scene_l1_name(s));
        break;
    case STAGE_TLB:
        snprintf(buf, size, "%s", scene_tlb_name(s));
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
        int low = PAGE_SHIFT + scene_index_bits(s->m->s->mmu.paging) * (r->level - 1);
        snprintf(buf, size, "[%llu]",
                 (unsigned long long)scene_bits(s->va, low,
                                                scene_index_bits(s->m->s->mmu.paging)));
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
    if (asked && scene_levels(s)) {
        snprintf(place, size, "%d of %d, %d RAM", asked, app_max_int(nr, 1), from_ram);
    } else if (scene_levels(s)) {
        snprintf(place, size, "%d levels", scene_levels(s));
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
    if (s->wish.size) {
        snprintf(text, sizeof text, "%s %u at 0x%llx%s", access_kind_name(s->wish.kind),
                 s->wish.size, (unsigned long long)s->va, s->wish.user ? ", user" : "");
    } else {
        snprintf(text, sizeof text, "access at 0x%llx", (unsigned long long)s->va);
    }
    if (!s->path && text_width(text) + text_width(cycles) + 3 > r.w) {
        snprintf(cycles, sizeof cycles, "next");
    }
    const int right = r.x + r.w - 1 - text_width(cycles);
    grid_text_cut(g, r.x + 1, r.y, right - r.x - 2, text, s->a->glyphs->more, ST_BRIGHT,
                  0);
    grid_text(g, right, r.y, cycles, s->path ? ST_HEADING : ST_HINT_KEY, 0);
}

/* Is the first level's set known before anything has been asked? */
static bool set_known(const struct scene *s)
{
    return s->m->config.tagging != TAG_PIPT ||
           s->m->config.translation == TRANSLATE_IDENTITY;
}

static void draw_next(const struct app *a, struct grid *g, struct rect r)
{
    const struct model *md = &a->model;
    struct op op;
    struct access_wish w;
    if (!app_next_op(a, &op) || !access_of_op(&op, &w)) {
        return;
    }
    struct scene s = {.a = a, .m = hardware_cpu(md->m, op.cpu), .wish = w, .va = w.va};
    if (!s.m) {
        return;
    }
    const struct front *f = &s.m->front[access_side(w.kind)];
    s.side = access_side(w.kind);
    char text[160];
    int n = snprintf(text, sizeof text, "next: %s 0x%llx", access_kind_name(w.kind),
                     (unsigned long long)w.va);
    if (f->has_l1 && set_known(&s) && n < (int)sizeof text) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s set %u", scene_l1_name(&s),
                      access_set(&f->l1, w.va));
    }
    if (f->has_tlb && n < (int)sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ", %s set %u", scene_tlb_name(&s),
                 access_tlb_set(&f->tlb, w.va, PAGE_4K));
    }
    if (text_width(text) > r.w - 4) {
        n = snprintf(text, sizeof text, "next 0x%llx", (unsigned long long)w.va);
        if (f->has_l1 && set_known(&s)) {
            n += snprintf(text + n, sizeof text - (size_t)n, " %s s%u", scene_l1_name(&s),
                          access_set(&f->l1, w.va));
        }
        if (f->has_tlb) {
            snprintf(text + n, sizeof text - (size_t)n, " %s s%u", scene_tlb_name(&s),
                     access_tlb_set(&f->tlb, w.va, PAGE_4K));
        }
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
    int y = r.y + HEADER;
    if (with_addresses) {
        struct rect above = {r.x, y, r.w, r.h - nr - HEADER};
        y = scene_draw_address(&s, g, above, with_tlb, with_l1_tag) + (left >= 2);
    }
    y = app_max_int(r.y + HEADER, app_min_int(y, r.y + r.h - nr));
    int fit = r.y + r.h - y, first = 0;
    const struct stage *last = newest(&s);
    for (int i = 0; i < nr && fit < nr; i++) { /* too few rows: around the newest */
        if (last && rungs[i].stage == last) {
            first = app_clamp(i - fit / 2, 0, nr - fit);
        }
    }
    for (int i = first; i < nr && y < r.y + r.h; i++) {
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

static char *details(struct app *a, char *name, size_t size)
{
    struct scene s;
    struct text_buf b = {0};
    char place[40], more[80], stage[16], text[320];
    if (!scene_of(a, &s) || !s.path) {
        return NULL;
    }
    snprintf(name, size, "%s at 0x%llx", access_kind_name(s.wish.kind),
             (unsigned long long)s.va);
    if (s.happened >= a->paths.nr_events) {
        access_summary(&a->paths, text, sizeof text);
        text_add(&b, "%s\n\n", text);
    }
    struct rung rungs[MAX_RUNGS];
    int nr = list_rungs(&s, false, rungs);
    for (int i = 0; i < nr; i++) {
        const struct rung *r = &rungs[i];
        enum light light = light_of(&s, r->stage);
        rung_name(&s, r, stage, sizeof stage);
        place_text(&s, r, place, sizeof place);
        more_text(&s, r, more, sizeof more);
        text_add(&b, POPUP_TEXT_KEY "%6s" POPUP_TEXT_NORMAL "  %-20s %-10s", stage, place,
                 verdict(&s, r, light));
        if (light >= LIGHT_HIT) {
            text_add(&b, "%6u cycles  " POPUP_TEXT_DIM "%s" POPUP_TEXT_NORMAL,
                     r->stage->cycles, more);
        }
        text_add(&b, "\n");
    }
    const struct cost_model *cost = access_cost(s.m);
    text_add(
        &b,
        "\nCost model " POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL
        ": L1 %u, L2 + %u, memory + %u, second-level TLB + %u cycles. A walk pays for "
        "the L2 and memory accesses that it makes.\n",
        cost->name, cost->l1, cost->l2, cost->memory, cost->stlb);
    return b.text;
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
    .details = details,
    .changed = changed,
};
