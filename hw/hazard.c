/* What goes wrong with virtual tags and TLBs when software forgets a flush, found before
 * it happens; and whether an access would fault. Looks only: see hw/memsys.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "memsys_full.h"

/* ---- the tables as they are now, wherever the newest bytes lie ---- */

static void over_dirty(const struct memsys *m, const struct cache *cache, uint64_t pa,
                       unsigned char *to, uint32_t size_bytes)
{
    struct cache c = *cache; /* looked at only */
    struct copies it = copies_of(m, &c, pa, size_bytes);
    for (struct slot at; copies_next(&it, &at);) {
        const uint64_t line = slot_pa(at), end = line + c.config.line_bytes;
        const uint64_t from = line > pa ? line : pa;
        const uint64_t upto = end < pa + size_bytes ? end : pa + size_bytes;
        if (c.data && (*slot_attr(at) & CACHE_DIRTY)) {
            memcpy(to + (from - pa), slot_data(at) + (from - line), upto - from);
        }
    }
}

void memsys_read_newest(const struct memsys *m, uint64_t pa, void *to,
                        uint32_t size_bytes)
{
    memsys_home(m);
    const uint32_t nodes = m->smp ? m->smp->config.nr_cpus : 1;
    ram_read(m->ram, paddr(pa), to, size_bytes);
    for (uint32_t level = 2; level > 0; level--) { /* what L1 has is newer */
        for (uint32_t i = 0; i < nodes; i++) {
            const struct memsys *o = m->smp ? &m->smp->cpu[i] : m;
            if (level == 2 && o->has_l2) {
                over_dirty(o, &o->l2, pa, to, size_bytes);
            }
            for (int side = 0; side < NR_SIDES && level == 1; side++) {
                if (o->front[side].has_l1) {
                    over_dirty(o, &o->front[side].l1, pa, to, size_bytes);
                }
            }
        }
    }
}

static uint64_t peek_entry(void *ctx, uint64_t at, uint32_t size_bytes)
{
    unsigned char bytes[8] = {0};
    uint64_t value = 0;
    memsys_read_newest(ctx, at, bytes, size_bytes);
    for (uint32_t i = 0; i < size_bytes; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

/* What the tables (or their stand-in) say now; false: a fault. */
static bool tables_say(const struct memsys *m, uint64_t va, enum access_kind access,
                       struct walk *w)
{
    const struct mmu_bus bus = {.read = peek_entry, .ctx = (void *)(uintptr_t)m};
    *w = (struct walk){.fault = {FAULT_NONE, 0, 0}};
    if (m->config.translation == TRANSLATE_IDENTITY) {
        w->entry = tlb_entry(va, CACHE_PERMS, PAGE_4K, false, 0);
        return true;
    }
    if (m->config.translation == TRANSLATE_FIRST_TOUCH) {
        uint32_t given = sparse_peek(&m->frames, va >> PAGE_SHIFT);
        w->entry = tlb_entry((m->config.first_pfn + given - 1) << PAGE_SHIFT, CACHE_PERMS,
                             PAGE_4K, false, 0);
        return given != 0;
    }
    mmu_peek(&m->s->mmu, va, access, &bus, w);
    return w->fault.kind == FAULT_NONE;
}

/* The TLB entry that an access would use; false: it would walk. */
static bool tlb_says(const struct memsys *m, uint64_t va, enum side side, uint64_t *entry,
                     uint32_t *level)
{
    const struct tlb *tlbs[2] = {&m->front[side].tlb, &m->stlb};
    const bool there[2] = {m->front[side].has_tlb, m->front[side].has_tlb && m->has_stlb};
    for (int i = 0; i < 2; i++) {
        if (there[i]) {
            struct tlb_place p = tlb_find_kinds(tlbs[i], va, m->s->space);
            if (p.way != CACHE_NO_WAY) {
                *entry = *cache_home(&tlbs[i]->c, p.set, p.way);
                *level = 1 + (uint32_t)i;
                return true;
            }
        }
    }
    return false;
}

static struct slot l1_slot(const struct memsys *m, struct cache *c, uint64_t va,
                           uint64_t pa)
{
    const uint64_t index = (m->config.tagging == TAG_PIPT ? pa : va) >> c->line_shift;
    return slot_find(c, index,
                     (m->virtual_tags ? va : pa) >> c->line_shift ^ m->s->line_space);
}

bool memsys_would_fault(const struct memsys *m, uint64_t va, enum access_kind access)
{
    memsys_home(m);
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    uint64_t entry;
    uint32_t level;
    if (m->virtual_tags && m->front[side].has_l1) {
        struct cache c = m->front[side].l1;
        struct slot at = l1_slot(m, &c, va, 0);
        const uint32_t may = m->s->line_may[access];
        if (slot_found(at) && may >> ((*slot_attr(at) & CACHE_NEEDS) | CACHE_OWNED) & 1) {
            return false;
        }
    }
    if (tlb_says(m, va, side, &entry, &level)) {
        if (m->s->page_may[access] >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1) {
            return false;
        }
    }
    struct walk w;
    return m->config.translation == TRANSLATE_TABLES && !tables_say(m, va, access, &w);
}

/* ---- hazards ---- */

/* Do an entry and the tables lead to the same place with the same rights? D apart: it is
 * set by whoever writes first. */
static bool same_page(uint64_t a, uint64_t b, uint64_t va)
{
    const uint64_t same = CACHE_U | CACHE_W | CACHE_X | TLB_GLOBAL | 7u << TLB_PAT_SHIFT;
    return tlb_entry_translate(a, va).v == tlb_entry_translate(b, va).v &&
           (a & same) == (b & same);
}

static void find_synonym(const struct memsys *m, struct cache *c, uint64_t va,
                         uint64_t pa, struct hazards *h)
{
    struct copies it = copies_of(m, c, pa, 1);
    const struct slot own = l1_slot(m, c, va, pa);
    for (struct slot at; !h->synonym && copies_next(&it, &at);) {
        if (at.s != own.s || (at.way != own.way && m->virtual_tags)) {
            h->synonym = true;
            h->other_key = at.s->key[at.way];
            h->other_set = cache_number_of(c, at.s);
            h->other_way = at.way;
        }
    }
}

struct hazards memsys_hazards(const struct memsys *m, uint64_t va,
                              enum access_kind access)
{
    memsys_home(m);
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    struct hazards h = {.tables_pa = UINT64_MAX, .used_pa = UINT64_MAX};
    struct walk now;
    const bool mapped = tables_say(m, va, access, &now);
    if (mapped) {
        h.used_pa = h.tables_pa = tlb_entry_translate(now.entry, va).v;
    }
    uint64_t entry;
    if (tlb_says(m, va, side, &entry, &h.tlb_level)) {
        h.stale_entry = m->config.translation == TRANSLATE_TABLES &&
                        (!mapped || !same_page(entry, now.entry, va));
        h.used_pa = tlb_entry_translate(entry, va).v;
    }
    if (!m->front[side].has_l1) {
        return h;
    }
    struct cache c = m->front[side].l1;
    if (m->virtual_tags) {
        struct slot at = l1_slot(m, &c, va, 0);
        if (slot_found(at)) { /* no translation is asked for */
            h.used_pa = slot_pa(at) | (va & (c.config.line_bytes - 1));
            h.homonym = h.used_pa != h.tables_pa;
            h.stale_entry = false;
        }
    }
    if (h.used_pa != UINT64_MAX && m->config.tagging != TAG_PIPT) {
        find_synonym(m, &c, va, h.used_pa, &h);
    }
    return h;
}

void memsys_announce_hazards(struct memsys *m, uint64_t va, enum access_kind access)
{
    memsys_home(m);
    const struct hazards h = memsys_hazards(m, va, access);
    memsys_mark_state(m);
    if (h.stale_entry) {
        m->s->n.stale_entries++;
        probe(m->probe, HW_EV_STALE_ENTRY, va, h.tlb_level, h.used_pa, h.tables_pa);
    }
    if (h.homonym) {
        m->s->n.homonyms++;
        probe(m->probe, HW_EV_HOMONYM, va, h.used_pa, h.tables_pa);
    }
    if (h.synonym) {
        m->s->n.synonyms++;
        probe(m->probe, HW_EV_SYNONYM, va, h.used_pa, h.other_set, h.other_way);
    }
}
