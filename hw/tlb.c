/* Finding entries of several sizes, and throwing entries out: see hw/tlb.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tlb.h"

static struct cache_config as_cache(const struct tlb_config *c)
{
    return (struct cache_config){.sets = c->ways ? c->entries / c->ways : 0,
                                 .ways = c->ways,
                                 .line_bytes = 1,
                                 .policy = c->policy,
                                 .homes = true,
                                 .seed = c->seed};
}

const char *tlb_config_error(const struct tlb_config *c)
{
    if (!c->ways || c->entries % c->ways) {
        return "the number of entries must be a multiple of the ways";
    }
    const struct cache_config cc = as_cache(c);
    return cache_config_error(&cc);
}

size_t tlb_size_bytes(const struct tlb_config *c)
{
    const struct cache_config cc = as_cache(c);
    return cache_size_bytes(&cc) + 64;
}

bool tlb_create(struct tlb *t, struct arena *a, const struct tlb_config *config)
{
    const struct cache_config cc = as_cache(config);
    t->kinds = arena_alloc(a, sizeof *t->kinds, 64);
    return t->kinds && cache_create(&t->c, a, &cc);
}

uint32_t tlb_find_kinds(const struct tlb *t, uint64_t va, uint64_t space)
{
    for (uint32_t kind = 0; kind < TLB_KINDS; kind++) {
        if (*t->kinds >> kind & 1) {
            uint32_t set = cache_set(&t->c, tlb_page(va, kind));
            uint32_t way = cache_find(&t->c, set, tlb_key(va, kind, space));
            if (way != CACHE_NO_WAY) {
                return cache_index(&t->c, set, way);
            }
        }
    }
    return CACHE_NO_WAY;
}

uint32_t tlb_peek_asid(const struct tlb *t, uint32_t index)
{
    return (uint32_t)(t->c.key[index] >> 52);
}

/* Throws out the entries for which gone answers true. */
static uint32_t flush_if(struct tlb *t,
                         bool (*gone)(const struct tlb *, uint32_t, uint64_t),
                         uint64_t what)
{
    uint32_t n = 0, kinds = 0;
    for (uint32_t set = 0; set < t->c.config.sets; set++) {
        for (uint32_t way = 0; way < t->c.config.ways; way++) {
            uint32_t i = cache_index(&t->c, set, way);
            if (t->c.key[i] == CACHE_NO_KEY) {
                continue;
            }
            if (gone(t, i, what)) {
                cache_invalidate(&t->c, set, way);
                n++;
            } else {
                kinds |= 1u << tlb_entry_kind(t->c.home[i]);
            }
        }
    }
    arena_mark(t->c.arena, t->kinds);
    *t->kinds = kinds;
    return n;
}

static bool any(const struct tlb *t, uint32_t i, uint64_t what)
{
    (void)t, (void)i, (void)what;
    return true;
}

static bool not_global(const struct tlb *t, uint32_t i, uint64_t what)
{
    (void)what;
    return !(t->c.home[i] & TLB_GLOBAL);
}

static bool of_asid(const struct tlb *t, uint32_t i, uint64_t asid)
{
    return !(t->c.home[i] & TLB_GLOBAL) && tlb_peek_asid(t, i) == asid;
}

uint32_t tlb_flush(struct tlb *t) { return flush_if(t, any, 0); }

uint32_t tlb_flush_not_global(struct tlb *t) { return flush_if(t, not_global, 0); }

uint32_t tlb_flush_asid(struct tlb *t, uint32_t asid)
{
    return flush_if(t, of_asid, asid);
}

uint32_t tlb_flush_page(struct tlb *t, uint64_t va, uint64_t space)
{
    uint32_t n = 0;
    for (uint32_t i = tlb_find_kinds(t, va, space); i != CACHE_NO_WAY;
         i = tlb_find_kinds(t, va, space)) {
        cache_invalidate(&t->c, i / t->c.config.ways, i % t->c.config.ways);
        n++;
    }
    return n;
}

const char *tlb_check(const struct tlb *t)
{
    for (uint32_t i = 0; i < t->c.config.sets * t->c.config.ways; i++) {
        if (t->c.key[i] == CACHE_NO_KEY) {
            continue;
        }
        uint32_t kind = tlb_entry_kind(t->c.home[i]);
        if (!(*t->kinds >> kind & 1)) {
            return "I1: an entry of a kind that is not among kinds";
        }
    }
    return cache_check(&t->c);
}
