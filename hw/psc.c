/* Paging-structure caches: entries of the upper tables, so that a walk need not begin at
 * the top (Intel SDM volume 3, "Paging-Structure Caches").
 *
 *   level 2   PDE cache     va >> 21 (i386: 22)   where the page table is
 *   level 3   PDPTE cache   va >> 30              where the page directory is
 *   level 4   PML4E cache   va >> 39              ...
 *   level 5   PML5E cache   va >> 48
 *
 * One is a set of its own, fully associative. A key carries the PCID; home[] is the
 * address of the next table with the rights of all entries so far, as PTE_W, PTE_U and
 * PTE_NX. Only entries that lead to a table and have A set are entered. PAE's directory
 * pointers are not cached (its walker reads them each time). Global pages do not make
 * upper entries global.
 *
 * INVLPG throws out all of the current PCID's entries, whatever the address; a CR3 load
 * that does not keep them too; a page fault those that the address would use.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "memsys_full.h"

static uint64_t psc_key(const struct memsys *m, uint64_t va, uint32_t level)
{
    const uint32_t shift = m->s->mmu.paging == PAGING_I386 ? 22 : 12 + 9 * (level - 1);
    return va >> shift ^ m->s->space;
}

uint32_t psc_find(struct memsys *m, uint64_t va, uint32_t levels, uint64_t *next)
{
    for (uint32_t level = 2; level <= levels; level++) {
        struct cache *c = &m->psc[level];
        if (!m->config.psc[level] || (levels == 3 && level == 3)) {
            continue;
        }
        struct slot at = slot_find(c, 0, psc_key(m, va, level));
        m->s->n.psc_access[level]++;
        probe(m->probe, HW_EV_PSC_PROBE, level, va, slot_found(at));
        if (slot_found(at)) {
            m->s->n.psc_hit[level]++;
            cache_touch(c, at.s, at.way, CACHE_MARK);
            *next = *cache_home(c, at.s, at.way);
            return level;
        }
    }
    return 0;
}

void psc_enter(struct memsys *m, uint64_t va, uint32_t level, uint64_t next)
{
    struct cache *c = &m->psc[level];
    if (!m->config.psc[level] || (m->s->mmu.paging == PAGING_PAE && level == 3)) {
        return;
    }
    struct slot at = slot_find(c, 0, psc_key(m, va, level));
    if (!slot_found(at)) {
        at.way = cache_take_victim(c, at.s, CACHE_MARK);
    }
    cache_mark_way(c, at.s, at.way);
    cache_put(c, at.s, at.way, psc_key(m, va, level), CACHE_VALID);
    *cache_home(c, at.s, at.way) = next;
    probe(m->probe, HW_EV_PSC_FILL, level, va, next & TLB_FRAME);
}

static void flush_if(struct memsys *m, bool all, uint32_t asid)
{
    for (uint32_t level = 2; m->has_psc && level <= MMU_MAX_LEVELS; level++) {
        struct cache *c = &m->psc[level];
        for (uint32_t way = 0; way < m->config.psc[level]; way++) {
            struct slot at = {c, cache_set_at(c, 0), way};
            uint64_t key = at.s->key[way];
            if (key != CACHE_NO_KEY && (all || tlb_key_asid(key) == asid)) {
                slot_drop(at);
            }
        }
    }
}

void psc_flush(struct memsys *m) { flush_if(m, true, 0); }

void psc_flush_asid(struct memsys *m, uint32_t asid) { flush_if(m, false, asid); }

void psc_flush_address(struct memsys *m, uint64_t va)
{
    for (uint32_t level = 2; m->has_psc && level <= MMU_MAX_LEVELS; level++) {
        if (!m->config.psc[level]) {
            continue;
        }
        struct slot at = slot_find(&m->psc[level], 0, psc_key(m, va, level));
        if (slot_found(at)) {
            slot_drop(at);
        }
    }
}
