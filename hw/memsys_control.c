/* Making a memory system, loading its registers, flushing: what of hw/memsys.h is no
 * access.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "memsys_full.h"

static const char *const l1_names[NR_SIDES] = {"l1i", "l1d"};
static const char *const tlb_names[NR_SIDES] = {"itlb", "dtlb"};

/* An index that is virtual must find the line at one place for all its addresses, or the
 * tag must be virtual too. */
static const char *l1_error(const struct memsys_config *c, enum side side)
{
    const struct cache_config *l1 = &c->l1[side];
    const char *error = cache_config_error(l1);
    if (error) {
        return error;
    }
    if (c->l2.ways && l1->line_bytes > c->l2.line_bytes) {
        return "its lines are longer than the second level's: give both lines of one "
               "length, as 32K,8,64 and 256K,8,64";
    }
    if (c->tagging == TAG_VIVT_ASID && l1->line_bytes < 32) {
        return "virtual tags with an address space's number need lines of at least 32 "
               "bytes";
    }
    return NULL;
}

/* Lines move between L1 and L2, so both must be there and have the same. */
static const char *exclusive_error(const struct memsys_config *c, const char **part)
{
    *part = "l2";
    for (int side = 0; side < NR_SIDES; side++) {
        if (!c->l1[side].ways || c->l1[side].line_bytes != c->l2.line_bytes) {
            return "exclusive caches need both first-level caches, with lines of the "
                   "same length as the second level's";
        }
    }
    return !c->coherent       ? "exclusive caches need coherence: one line may be wanted "
                                "by both first-level caches"
           : c->write_through ? "exclusive caches need a write-back first level"
                              : NULL;
}

/* A line of one byte at the last address would have the number CACHE_NO_KEY. */
static const char *line_error(const struct cache_config *c)
{
    return c->line_bytes < 2 ? "its lines need at least 2 bytes" : NULL;
}

const char *memsys_config_error(const struct memsys_config *c, const char **part)
{
    const char *error = NULL;
    for (int side = 0; side < NR_SIDES && !error; side++) {
        if (c->l1[side].ways) {
            *part = l1_names[side];
            error = l1_error(c, (enum side)side);
            error = error ? error : line_error(&c->l1[side]);
        }
        if (!error && c->tlb[side].entries) {
            *part = tlb_names[side];
            error = tlb_config_error(&c->tlb[side]);
        }
    }
    if (!error && c->l2.ways) {
        *part = "l2";
        error = cache_config_error(&c->l2);
        error = error ? error : line_error(&c->l2);
    }
    if (!error && c->stlb.entries) {
        *part = "stlb";
        error = tlb_config_error(&c->stlb);
        if (!error && !c->tlb[SIDE_I].entries && !c->tlb[SIDE_D].entries) {
            error = "a second level needs a first one";
        }
    }
    if (!error && c->l2.ways && c->data && c->l2.line_bytes < 8) {
        *part = "l2";
        error = "lines that hold table entries need at least 8 bytes";
    }
    if (!error && c->inclusion != INCLUSION_NONE && !c->l2.ways) {
        *part = "l2";
        error = "inclusive and exclusive are about a second level, and there is none";
    }
    if (!error && c->inclusion == INCLUSION_EXCLUSIVE) {
        error = exclusive_error(c, part);
    }
    if (!error && c->wc_buffers > WC_MAX) {
        *part = "wc";
        error = "at most 8 write-combining buffers";
    }
    if (!error && c->no_write_allocate && !c->write_through) {
        *part = "l1d";
        error = "write-back needs write-allocate here";
    }
    return error;
}

/* The configuration with what the parts follow from each other. */
static struct cache_config l1_config(const struct memsys_config *c, int side)
{
    struct cache_config l1 = c->l1[side];
    l1.homes = c->tagging >= TAG_VIVT;
    l1.data = c->data;
    return l1;
}

static struct cache_config l2_config(const struct memsys_config *c)
{
    struct cache_config l2 = c->l2;
    l2.data = c->data;
    return l2;
}

static struct cache_config psc_config(const struct memsys_config *c, uint32_t level)
{
    return (struct cache_config){
        .sets = 1, .ways = c->psc[level], .line_bytes = 1, .homes = true};
}

size_t memsys_size_bytes(const struct memsys_config *c)
{
    size_t bytes = sizeof(struct memsys_state) + 1024 + ARENA_CHUNK;
    for (int side = 0; side < NR_SIDES; side++) {
        if (c->l1[side].ways) {
            struct cache_config l1 = l1_config(c, side);
            bytes += cache_size_bytes(&l1);
            bytes += c->causes ? missclass_size_bytes(l1.sets * l1.ways) : 0;
        }
        bytes += c->tlb[side].entries ? tlb_size_bytes(&c->tlb[side]) : 0;
        bytes += c->tlb[side].entries && c->causes
                     ? missclass_size_bytes(c->tlb[side].entries)
                     : 0;
    }
    if (c->l2.ways) {
        struct cache_config l2 = l2_config(c);
        bytes += cache_size_bytes(&l2);
        bytes += c->causes ? missclass_size_bytes(l2.sets * l2.ways) : 0;
    }
    for (uint32_t level = 2; level <= MMU_MAX_LEVELS; level++) {
        const struct cache_config psc = psc_config(c, level);
        bytes += psc.ways ? cache_size_bytes(&psc) : 0;
    }
    bytes += c->causes && c->stlb.entries ? missclass_size_bytes(c->stlb.entries) : 0;
    return bytes + (c->stlb.entries ? tlb_size_bytes(&c->stlb) : 0);
}

static bool create_side(struct memsys *m, int side)
{
    const struct memsys_config *c = &m->config;
    m->front[side].has_l1 = c->l1[side].ways;
    m->front[side].has_tlb = c->tlb[side].entries;
    if (c->l1[side].ways) {
        struct cache_config l1 = l1_config(c, side);
        if (!cache_create(&m->front[side].l1, m->arena, &l1) ||
            (c->causes && !missclass_create(&m->front[side].causes, m->arena,
                                            l1.sets * l1.ways, &m->out_of_memory))) {
            return false;
        }
    }
    return !c->tlb[side].entries ||
           (tlb_create(&m->front[side].tlb, m->arena, &c->tlb[side]) &&
            (!c->causes || missclass_create(&m->front[side].tlb_causes, m->arena,
                                            c->tlb[side].entries, &m->out_of_memory)));
}

static bool create_psc(struct memsys *m)
{
    for (uint32_t level = 2; level <= MMU_MAX_LEVELS; level++) {
        const struct cache_config c = psc_config(&m->config, level);
        if (c.ways && !cache_create(&m->psc[level], m->arena, &c)) {
            return false;
        }
        m->has_psc = m->has_psc || c.ways;
    }
    return true;
}

/* Is there something that only the full way of an access does? */
static bool wants_full(const struct memsys *m)
{
    const struct memsys_config *c = &m->config;
    return c->inclusion != INCLUSION_NONE || c->coherent || c->memory_types ||
           m->has_psc || c->detect;
}

static uint32_t longest_line(const struct memsys_config *c)
{
    uint32_t longest = c->l2.ways ? c->l2.line_bytes : 16;
    for (int side = 0; side < NR_SIDES; side++) {
        if (c->l1[side].ways && c->l1[side].line_bytes > longest) {
            longest = c->l1[side].line_bytes;
        }
    }
    return longest;
}

bool memsys_create(struct memsys *m, struct arena *a, struct ram *ram,
                   struct probe *probe, const struct memsys_config *config)
{
    return memsys_create_sharing(m, a, ram, probe, config, NULL);
}

static bool is_lean_cache(const struct cache *c, uint32_t ways)
{
    return c->packed && !c->modulo && c->config.policy == POLICY_LRU &&
           c->config.ways <= ways;
}

/* Is it the usual machine of hw/memsys_lean.h? */
static void make_lean(struct memsys *m)
{
    const struct memsys_config *c = &m->config;
    m->lean = c->tagging >= TAG_VIVT && c->translation == TRANSLATE_TABLES && m->has_l2 &&
              m->has_stlb && !m->full && !c->write_through && !c->causes && !c->data &&
              is_lean_cache(&m->l2, 16) && m->l2.line_shift == 6 &&
              is_lean_cache(&m->stlb.c, 16);
    for (int side = 0; side < NR_SIDES; side++) {
        const struct front *f = &m->front[side];
        m->lean = m->lean && f->has_l1 && f->has_tlb && is_lean_cache(&f->l1, 8) &&
                  is_lean_cache(&f->tlb.c, 8) && f->l1.line_shift == 6;
        m->lean_l1_mask[side] = f->l1.set_mask * f->l1.stride;
        m->lean_tlb_mask[side] = f->tlb.c.set_mask * f->tlb.c.stride;
    }
    m->lean_live = m->lean && !c->cost;
    m->lean_eight = c->l1[SIDE_I].ways == 8 && c->l1[SIDE_D].ways == 8 &&
                    c->l2.ways == 8 && m->l2.sig_factor == CACHE_SIG_FAR &&
                    m->front[SIDE_I].l1.sig_factor == CACHE_SIG_LINE &&
                    m->front[SIDE_D].l1.sig_factor == CACHE_SIG_LINE &&
                    m->front[SIDE_I].tlb.c.sig_factor == CACHE_SIG_PAGE &&
                    m->front[SIDE_D].tlb.c.sig_factor == CACHE_SIG_PAGE &&
                    m->stlb.c.sig_factor == CACHE_SIG_PAGE;
    m->lean_l2_mask = m->l2.set_mask * m->l2.stride;
    m->lean_stlb_stride = m->stlb.c.stride;
}

bool memsys_create_sharing(struct memsys *m, struct arena *a, struct ram *ram,
                           struct probe *probe, const struct memsys_config *config,
                           const struct memsys *sharer)
{
    memset(m, 0, sizeof *m);
    m->config = *config;
    m->arena = a;
    m->ram = ram;
    m->probe = probe;
    m->has_l2 = config->l2.ways;
    m->has_stlb = config->stlb.entries;
    m->virtual_tags = config->tagging >= TAG_VIVT;
    _Static_assert(sizeof *m->s <= ARENA_CHUNK, "one mark is enough for it");
    m->s = arena_alloc(a, sizeof *m->s, ARENA_CHUNK);
    if (!m->s || !create_side(m, SIDE_I) || !create_side(m, SIDE_D)) {
        return false;
    }
    if (config->l2.ways && sharer) {
        m->l2 = sharer->l2;
        m->l2_causes = sharer->l2_causes;
        m->l2_causes.full = &m->out_of_memory;
    } else if (config->l2.ways) {
        struct cache_config l2 = l2_config(config);
        if (!cache_create(&m->l2, a, &l2) ||
            (config->causes &&
             !missclass_create(&m->l2_causes, a, l2.sets * l2.ways, &m->out_of_memory))) {
            return false;
        }
    }
    if (config->stlb.entries &&
        (!tlb_create(&m->stlb, a, &config->stlb) ||
         (config->causes && !missclass_create(&m->stlb_causes, a, config->stlb.entries,
                                              &m->out_of_memory)))) {
        return false;
    }
    if (!create_psc(m)) {
        return false;
    }
    if (config->translation == TRANSLATE_FIRST_TOUCH && !sparse_create(&m->frames, a)) {
        return false;
    }
    m->s->pat = config->pat;
    m->bus_line = longest_line(config);
    m->full = wants_full(m);
    m->quick_live = m->virtual_tags && !config->detect && !config->memory_types &&
                    !config->data && !config->causes && !config->write_through;
    for (int side = 0; side < NR_SIDES; side++) {
        const struct cache *c = &m->front[side].l1;
        m->quick_live = m->quick_live && m->front[side].has_l1 && c->packed && !c->modulo;
    }
    make_lean(m);
    m->index_worth = 1 << 14;
    struct mmu none = {.paging = PAGING_NONE, .physical_bits = 52};
    memsys_set_mmu(m, &none);
    return true;
}

void memsys_set_mmu(struct memsys *m, const struct mmu *mmu)
{
    memsys_home(m);
    const bool tables = m->config.translation == TRANSLATE_TABLES;
    memsys_mark_state(m);
    m->s->mmu = *mmu;
    m->s->space = tlb_space(mmu->pcid);
    m->s->line_space = m->config.tagging == TAG_VIVT_ASID ? m->s->space : 0;
    for (int access = 0; access < NR_ACCESS_KINDS; access++) {
        /* physical tags: the TLB has already decided; a line only says whether others
           have it too */
        uint32_t owned = access == ACCESS_WRITE ? 0xffff0000u : 0xffffffffu;
        uint32_t may = tables ? mmu_may(mmu, (enum access_kind)access) : owned;
        m->s->page_may[access] = may;
        m->s->line_may[access] = m->virtual_tags ? may : owned;
    }
}

void memsys_set_pat(struct memsys *m, uint64_t pat)
{
    memsys_mark_state(m);
    m->s->pat = pat;
}

static struct tlb *tlb_of(struct memsys *m, int i)
{
    struct tlb *t = i == NR_SIDES ? &m->stlb : &m->front[i].tlb;
    return t->kinds ? t : NULL;
}

void memsys_load_cr3(struct memsys *m, uint64_t cr3, uint32_t pcid, bool keep)
{
    memsys_home(m);
    struct mmu mmu = m->s->mmu;
    mmu.cr3 = cr3;
    mmu.pcid = pcid;
    memsys_set_mmu(m, &mmu);
    for (int i = 0; i <= NR_SIDES && !keep; i++) {
        struct tlb *t = tlb_of(m, i);
        if (t) {
            tlb_flush_asid(t, pcid); /* without PCIDs that is all that is not global */
        }
    }
    if (!keep) {
        psc_flush_asid(m, pcid);
    }
}

void memsys_invlpg(struct memsys *m, uint64_t va)
{
    memsys_home(m);
    for (int i = 0; i <= NR_SIDES; i++) {
        if (tlb_of(m, i)) {
            tlb_flush_page(tlb_of(m, i), va, m->s->space);
        }
    }
    psc_flush_asid(m, m->s->mmu.pcid);
}

/* The bytes from pa on that L2 holds, at most *size (cut to the line's end); NULL: it
 * does not. */
static unsigned char *l2_holds(const struct memsys *m, uint64_t pa, uint32_t *size)
{
    const struct cache *c = &m->l2;
    if (!m->has_l2 || !c->data) {
        return NULL;
    }
    const uint32_t offset = (uint32_t)pa & (c->config.line_bytes - 1);
    struct cache_set *s = cache_set_of(c, pa >> c->line_shift);
    uint32_t way = cache_find(c, s, pa >> c->line_shift);
    *size = *size < c->config.line_bytes - offset ? *size : c->config.line_bytes - offset;
    return way == CACHE_NO_WAY ? NULL : cache_data(c, s, way) + offset;
}

void memsys_peek(const struct memsys *m, uint64_t pa, void *to, uint32_t size_bytes)
{
    if (!m->l2.data) {
        ram_read(m->ram, paddr(pa), to, size_bytes);
        return;
    }
    for (uint32_t done = 0, n; done < size_bytes; done += n) {
        n = size_bytes - done;
        const unsigned char *held = l2_holds(m, pa + done, &n);
        if (held) {
            memcpy((unsigned char *)to + done, held, n);
        } else {
            ram_read(m->ram, paddr(pa + done), (unsigned char *)to + done, n);
        }
    }
}

/* A line that L2 holds is changed there and in RAM, so that it does not matter whether it
 * is dirty. */
void memsys_poke(struct memsys *m, uint64_t pa, const void *from, uint32_t size_bytes)
{
    for (uint32_t done = 0, n; done < size_bytes; done += n) {
        n = size_bytes - done;
        unsigned char *held = l2_holds(m, pa + done, &n);
        if (held) {
            arena_mark(m->arena, held);
            memcpy(held, (const unsigned char *)from + done, n);
        }
        ram_write(m->ram, paddr(pa + done), (const unsigned char *)from + done, n);
    }
}

void memsys_flush_tlb(struct memsys *m, bool with_global)
{
    memsys_home(m);
    for (int i = 0; i <= NR_SIDES; i++) {
        struct tlb *t = tlb_of(m, i);
        if (t) {
            with_global ? tlb_flush(t) : tlb_flush_not_global(t);
        }
    }
    psc_flush(m);
}

static uint32_t flush_entries(struct memsys *m, struct tlb *t,
                              const struct tlb_flush *what)
{
    uint32_t gone = 0;
    switch (what->kind) {
    case TLB_FLUSH_ALL:
        return tlb_flush(t);
    case TLB_FLUSH_NOT_GLOBAL:
        return tlb_flush_not_global(t);
    case TLB_FLUSH_RANGE:
        for (uint64_t i = 0; i < what->nr_pages; i++) {
            gone +=
                tlb_flush_page(t, what->va + (i << page_shift(what->size)), m->s->space);
        }
        break;
    case NR_TLB_FLUSH_KINDS:
        break;
    }
    return gone;
}

uint32_t memsys_flush_translations(struct memsys *m, const struct tlb_flush *what)
{
    memsys_home(m);
    uint32_t gone = 0;
    for (int i = 0; i <= NR_SIDES; i++) {
        gone += tlb_of(m, i) ? flush_entries(m, tlb_of(m, i), what) : 0;
    }
    if (what->kind == TLB_FLUSH_RANGE) {
        psc_flush_asid(m, m->s->mmu.pcid);
    } else {
        psc_flush(m);
    }
    memsys_mark_state(m);
    m->s->n.tlb_flushed += gone;
    probe(m->probe, HW_EV_TLB_FLUSH, m->cpu, what->kind, what->va, what->nr_pages, gone);
    return gone;
}

/* Calls fn for each line of c that holds bytes of [pa, pa + size), at most one line's.
 * A virtual index is the physical one below the page's size, and anything above. */
static void each_copy(const struct cache *c, bool homes, uint64_t pa,
                      void (*fn)(void *ctx, unsigned char *line, unsigned attr),
                      void *ctx)
{
    const uint64_t line = pa >> c->line_shift;
    const uint32_t lines_a_page = PAGE_SIZE >> c->line_shift, sets = c->config.sets;
    uint32_t set = 0, step = 1;
    if (!c->modulo) {
        set = (uint32_t)(line & c->set_mask & (lines_a_page - 1));
        step = lines_a_page < sets ? lines_a_page : sets;
    }
    for (; set < sets; set += step) {
        struct cache_set *s = cache_set_at(c, set);
        const uint64_t *key = homes ? cache_home(c, s, 0) : s->key;
        for (uint32_t way = 0; way < c->config.ways; way++) {
            if (key[way] == line && s->key[way] != CACHE_NO_KEY) {
                fn(ctx, cache_data(c, s, way), *cache_attr(c, s, way));
            }
        }
    }
}

struct copy {
    struct arena *arena;
    unsigned char *to;         /* reading */
    const unsigned char *from; /* writing */
    uint32_t offset, size;     /* in the line */
};

static void copy_line(void *ctx, unsigned char *line, unsigned attr)
{
    const struct copy *p = ctx;
    (void)attr;
    if (p->from) {
        for (uint32_t at = 0; at < p->size; at += ARENA_CHUNK) {
            arena_mark(p->arena, line + p->offset + at);
        }
        memcpy(line + p->offset, p->from, p->size);
    } else {
        memcpy(p->to, line + p->offset, p->size);
    }
}

static void snoop(const struct memsys *m, const struct cache *c, bool homes, uint64_t pa,
                  unsigned char *to, const unsigned char *from, size_t size_bytes)
{
    if (!c->data) {
        return;
    }
    for (size_t done = 0, n; done < size_bytes; done += n) {
        const uint32_t offset = (uint32_t)(pa + done) & (c->config.line_bytes - 1);
        n = c->config.line_bytes - offset;
        n = n < size_bytes - done ? n : size_bytes - done;
        struct copy p = {.arena = m->arena,
                         .to = to ? to + done : NULL,
                         .from = from ? from + done : NULL,
                         .offset = offset,
                         .size = (uint32_t)n};
        each_copy(c, homes, pa + done, copy_line, &p);
    }
}

/* L2 first: what L1 has is newer. */
static void snoop_all(const struct memsys *m, uint64_t pa, unsigned char *to,
                      const unsigned char *from, size_t size_bytes)
{
    snoop(m, &m->l2, false, pa, to, from, size_bytes);
    for (int side = 0; side < NR_SIDES; side++) {
        const struct cache *l1 = &m->front[side].l1;
        snoop(m, l1, l1->config.homes, pa, to, from, size_bytes);
    }
}

void memsys_snoop_read(const struct memsys *m, uint64_t pa, void *to, size_t size_bytes)
{
    snoop_all(m, pa, to, NULL, size_bytes);
}

void memsys_snoop_write(struct memsys *m, uint64_t pa, const void *from,
                        size_t size_bytes)
{
    snoop_all(m, pa, NULL, from, size_bytes);
}

void memsys_forget(struct memsys *m)
{
    memsys_home(m);
    sparse_forget(&m->frames);
    sparse_forget(&m->l2_causes.seen);
    sparse_forget(&m->stlb_causes.seen);
    for (int side = 0; side < NR_SIDES; side++) {
        sparse_forget(&m->front[side].causes.seen);
        sparse_forget(&m->front[side].tlb_causes.seen);
    }
}

struct cycles memsys_cycles(const struct memsys *m)
{
    return cost_of(m->config.cost, &m->config, &m->s->n);
}

struct cycles memsys_last_cycles(const struct memsys *m)
{
    if (m->s->last_quick) {
        struct memsys_tally hit = {0};
        hit.l1_access[m->s->last_quick - 1] = 1;
        return cost_of(m->config.cost, &m->config, &hit);
    }
    const struct cycles now = memsys_cycles(m);
    const struct cycles before = cost_of(m->config.cost, &m->config, &m->s->before);
    return cycles_since(&now, &before);
}

uint64_t memsys_memory_bytes(const struct memsys *m)
{
    const struct memsys_tally *n = &m->s->n;
    return n->direct_bytes + n->l2_writeback * m->config.l2.line_bytes;
}

const char *memsys_check(const struct memsys *m)
{
    memsys_home(m);
    for (int side = 0; side < NR_SIDES; side++) {
        const char *broken =
            m->config.l1[side].ways ? cache_check(&m->front[side].l1) : NULL;
        if (!broken && m->config.tlb[side].entries) {
            broken = tlb_check(&m->front[side].tlb);
        }
        if (broken) {
            return broken;
        }
    }
    const char *broken = m->config.l2.ways ? cache_check(&m->l2) : NULL;
    if (!broken && m->config.stlb.entries) {
        broken = tlb_check(&m->stlb);
    }
    const struct missclass *shadows[] = {&m->front[SIDE_I].causes,
                                         &m->front[SIDE_D].causes,
                                         &m->front[SIDE_I].tlb_causes,
                                         &m->front[SIDE_D].tlb_causes,
                                         &m->l2_causes,
                                         &m->stlb_causes};
    for (size_t i = 0; !broken && i < sizeof shadows / sizeof *shadows; i++) {
        broken = shadows[i]->lines ? missclass_check(shadows[i]) : NULL;
    }
    return broken;
}
