/* hw/cache.c against the blackboard model: random geometries, accesses and invalidations.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "naive_cache.h"
#include "prng.h"
#include "tap.h"

static const char *const policy_names[] = {"LRU", "PLRU", "FIFO", "random"};

struct pair {
    struct arena arena;
    struct cache cache;
    struct naive_cache naive;
};

static bool pair_create(struct pair *p, const struct cache_config *c)
{
    naive_init(&p->naive, c->sets, c->ways, c->policy);
    return arena_create(&p->arena, cache_size_bytes(c) + 65536, NULL) &&
           cache_create(&p->cache, &p->arena, c);
}

static void pair_destroy(struct pair *p)
{
    naive_free(&p->naive);
    arena_destroy(&p->arena);
}

/* Use a line in both. Answers whether they agree about hit and what had to go. */
static bool pair_use(struct pair *p, uint64_t line)
{
    struct cache *c = &p->cache;
    uint32_t set = cache_set_number(c, line);
    if (set != line % c->config.sets) {
        return false;
    }
    struct cache_set *s = cache_set_at(c, set);
    struct naive_line *l = naive_find(&p->naive, set, line);
    uint32_t way = cache_find(c, s, line);
    if ((way != CACHE_NO_WAY) != (l != NULL)) {
        return false;
    }
    if (l) {
        naive_use(&p->naive, set, l);
        cache_touch(c, s, way, CACHE_MARK);
        return true;
    }
    uint32_t expected = cache_peek_victim(c, set);
    way = cache_take_victim(c, s, CACHE_MARK);
    l = c->config.policy == POLICY_RANDOM
            ? &p->naive.line[(size_t)set * c->config.ways + way]
            : naive_victim(&p->naive, set);
    bool same = way == expected && way < c->config.ways &&
                s->key[way] == (l->valid ? l->key : CACHE_NO_KEY);
    /* a line goes only from a full set */
    for (uint32_t w = 0; w < c->config.ways && s->key[way] != CACHE_NO_KEY; w++) {
        same = same && s->key[w] != CACHE_NO_KEY;
    }
    naive_put(&p->naive, set, l, line, 0, false);
    cache_put(c, s, way, line, CACHE_VALID);
    return same;
}

static void pair_invalidate(struct pair *p, uint64_t line)
{
    uint32_t set = (uint32_t)(line % p->cache.config.sets);
    struct naive_line *l = naive_find(&p->naive, set, line);
    if (l) {
        cache_invalidate(&p->cache, set,
                         cache_find(&p->cache, cache_set_at(&p->cache, set), line));
        l->valid = false;
    }
}

/* Does the order of age agree, for those that are there? */
static bool same_ages(struct pair *p, uint32_t set)
{
    struct cache *c = &p->cache;
    struct naive_line *first = &p->naive.line[(size_t)set * c->config.ways];
    for (uint32_t a = 0; a < c->config.ways; a++) {
        for (uint32_t b = 0; b < c->config.ways; b++) {
            if (!first[a].valid || !first[b].valid || a == b) {
                continue;
            }
            struct cache_set *s = cache_set_at(c, set);
            uint32_t age_a = cache_peek_age(c, set, cache_find(c, s, first[a].key));
            uint32_t age_b = cache_peek_age(c, set, cache_find(c, s, first[b].key));
            bool younger = c->config.policy == POLICY_LRU ? first[a].used > first[b].used
                                                          : first[a].came > first[b].came;
            if (younger != (age_a < age_b)) {
                return false;
            }
        }
    }
    return true;
}

static uint64_t random_line(struct prng *r, const struct cache_config *c)
{
    uint64_t lines = (uint64_t)c->sets * c->ways;
    switch (prng_below(r, 4)) {
    case 0: /* one set, a little more than it holds */
        return prng_below(r, c->ways + 2) * c->sets + 1;
    case 1:
        return prng_below(r, lines + lines / 4 + 1);
    case 2:
        return prng_next(r) >> 20;
    default:
        return prng_below(r, lines * 2 + 1) | (uint64_t)1 << 57;
    }
}

static void run_random(struct prng *r, const struct cache_config *c, int accesses)
{
    struct pair p;
    if (!pair_create(&p, c)) {
        bail_out("no arena");
    }
    struct snapshot *before = arena_snapshot(&p.arena);
    int wrong = 0;
    const char *broken = NULL;
    for (int i = 0; i < accesses; i++) {
        uint64_t line = random_line(r, c);
        if (prng_one_in(r, 16)) {
            pair_invalidate(&p, line);
        } else {
            wrong += !pair_use(&p, line);
        }
        if (prng_one_in(r, 50) && !broken) {
            broken = cache_check(&p.cache);
            if (c->policy == POLICY_LRU || c->policy == POLICY_FIFO) {
                wrong +=
                    c->ways <= 24 && !same_ages(&p, (uint32_t)prng_below(r, c->sets));
            }
        }
    }
    broken = broken ? broken : cache_check(&p.cache);
    if (!ok(!wrong && !broken, "%u sets, %u ways, %s: as the naive model", c->sets,
            c->ways, policy_names[c->policy])) {
        diag("%d of %d differ; %s", wrong, accesses, broken ? broken : "invariants hold");
    }
    ok(!arena_check(&p.arena), "every change was marked");
    arena_restore(&p.arena, before);
    ok(!cache_check(&p.cache) &&
           cache_find(&p.cache, cache_set_at(&p.cache, 0), 0) == CACHE_NO_WAY,
       "restored, it is empty");
    snapshot_unref(&p.arena, before);
    pair_destroy(&p);
}

static void test_geometries(struct prng *r)
{
    static const uint32_t sets[] = {1, 2, 3, 5, 8, 12, 64, 100};
    static const uint32_t ways[] = {1, 2, 3, 4, 7, 8, 12, 15, 16, 17, 24, 32, 64, 300};
    for (int policy = POLICY_LRU; policy <= POLICY_RANDOM; policy++) {
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            struct cache_config c = {.sets = sets[prng_below(r, 8)],
                                     .ways = ways[w],
                                     .line_bytes = 64,
                                     .policy = (enum cache_policy)policy,
                                     .homes = prng_one_in(r, 2),
                                     .seed = prng_next(r)};
            if (cache_config_error(&c)) {
                ok(policy == POLICY_PLRU, "refused: %s", cache_config_error(&c));
                continue;
            }
            run_random(r, &c, ways[w] > 64 ? 3000 : 6000);
        }
    }
}

static void test_errors(void)
{
    struct cache_config c = {.sets = 64, .ways = 8, .line_bytes = 64};
    ok(!cache_config_error(&c), "64 sets of 8 ways are a cache");
    c.line_bytes = 48;
    ok(cache_config_error(&c) != NULL, "lines of 48 bytes are not");
    c = (struct cache_config){.sets = 0, .ways = 8, .line_bytes = 64};
    ok(cache_config_error(&c) != NULL, "nor are no sets");
    c = (struct cache_config){.sets = 1 << 20, .ways = 4096, .line_bytes = 64};
    ok(cache_config_error(&c) != NULL, "nor are 2^32 lines");
    c = (struct cache_config){
        .sets = 4, .ways = 6, .line_bytes = 64, .policy = POLICY_PLRU};
    ok(cache_config_error(&c) != NULL, "nor is a tree over six ways");
}

int main(void)
{
    struct prng r = {20260101};
    test_errors();
    test_geometries(&r);
    return done_testing();
}
