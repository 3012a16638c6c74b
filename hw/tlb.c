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

struct tlb_place tlb_find_kinds(const struct tlb *t, uint64_t va, uint64_t space)
{
    struct tlb_place p = {NULL, CACHE_NO_WAY};
    for (uint32_t kind = 0; kind < TLB_KINDS && p.way == CACHE_NO_WAY; kind++) {
        if (*t->kinds >> kind & 1) {
            p.set = cache_set_of(&t->c, tlb_page(va, kind));
            p.way = cache_find(&t->c, p.set, tlb_key(va, kind, space));
        }
    }
    return p;
}

/* Throws out the entries for which gone answers true. */
static uint32_t flush_if(struct tlb *t,
                         bool (*gone)(uint64_t key, uint64_t entry, uint64_t what),
                         uint64_t what)
{
    uint32_t n = 0, kinds = 0;
    for (uint32_t set = 0; set < t->c.config.sets; set++) {
        struct cache_set *s = cache_set_at(&t->c, set);
        for (uint32_t way = 0; way < t->c.config.ways; way++) {
            uint64_t entry = *cache_home(&t->c, s, way);
            if (s->key[way] == CACHE_NO_KEY) {
                continue;
            }
            if (gone(s->key[way], entry, what)) {
                cache_invalidate(&t->c, set, way);
                n++;
            } else {
                kinds |= 1u << tlb_entry_kind(entry);
            }
        }
    }
    arena_mark(t->c.arena, t->kinds);
    *t->kinds = kinds;
    return n;
}

static bool any(uint64_t key, uint64_t entry, uint64_t what)
{
    (void)key, (void)entry, (void)what;
    return true;
}

static bool not_global(uint64_t key, uint64_t entry, uint64_t what)
{
    (void)key, (void)what;
    return !(entry & TLB_GLOBAL);
}

static bool of_asid(uint64_t key, uint64_t entry, uint64_t asid)
{
    return !(entry & TLB_GLOBAL) && tlb_key_asid(key) == asid;
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
    for (;;) {
        struct tlb_place p = tlb_find_kinds(t, va, space);
        if (p.way == CACHE_NO_WAY) {
            return n;
        }
        cache_invalidate(&t->c, cache_number_of(&t->c, p.set), p.way);
        n++;
    }
}

const char *tlb_check(const struct tlb *t)
{
    for (uint32_t set = 0; set < t->c.config.sets; set++) {
        struct cache_set *s = cache_set_at(&t->c, set);
        for (uint32_t way = 0; way < t->c.config.ways; way++) {
            uint32_t kind = tlb_entry_kind(*cache_home(&t->c, s, way));
            if (s->key[way] != CACHE_NO_KEY && !(*t->kinds >> kind & 1)) {
                return "I1: an entry of a kind that is not among kinds";
            }
        }
    }
    return cache_check(&t->c);
}
