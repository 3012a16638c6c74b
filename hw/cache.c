/* Sets, ways and who goes next: what of hw/cache.h is not on the fast path.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cache.h"

#include <string.h>

static bool power_of_two(uint32_t n) { return n && !(n & (n - 1)); }

static uint32_t log2_of(uint32_t n)
{
    uint32_t l = 0;
    while (n >>= 1) {
        l++;
    }
    return l;
}

static bool has_order(const struct cache_config *c)
{
    return c->policy == POLICY_LRU || c->policy == POLICY_FIFO;
}

static bool wants_ring(const struct cache_config *c)
{
    return has_order(c) && c->ways > CACHE_PACKED_WAYS;
}

const char *cache_config_error(const struct cache_config *c)
{
    if (!c->sets || !c->ways) {
        return "a cache needs at least one set and one way";
    }
    if (c->ways > CACHE_MAX_WAYS) {
        return "more than 65536 ways";
    }
    if ((uint64_t)c->sets * c->ways > CACHE_MAX_LINES) {
        return "more than 67108864 lines";
    }
    if (!power_of_two(c->line_bytes) || c->line_bytes > PAGE_SIZE) {
        return "the line size must be a power of two, at most 4096 bytes";
    }
    if (c->policy == POLICY_PLRU &&
        (!power_of_two(c->ways) || c->ways > CACHE_PLRU_MAX_WAYS)) {
        return "tree-PLRU needs a power of two ways, at most 64";
    }
    return NULL;
}

/* Each array begins at a multiple of 8 bytes, so a cell never crosses a chunk's border. */
static size_t padded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

size_t cache_size_bytes(const struct cache_config *c)
{
    size_t lines = (size_t)c->sets * c->ways;
    size_t bytes =
        padded(lines * 8) + padded(lines) + padded((size_t)c->sets * 8) + padded(8);
    if (wants_ring(c)) {
        bytes += 2 * padded(lines * 4);
    }
    if (c->homes) {
        bytes += padded(lines * 8);
    }
    if (c->data) {
        bytes += padded(lines * c->line_bytes) + ARENA_CHUNK;
    }
    return bytes;
}

bool cache_create(struct cache *c, struct arena *a, const struct cache_config *config)
{
    size_t lines = (size_t)config->sets * config->ways;
    memset(c, 0, sizeof *c);
    c->config = *config;
    c->arena = a;
    c->line_shift = log2_of(config->line_bytes);
    c->tree_levels = log2_of(config->ways);
    c->packed = has_order(config) && config->ways <= CACHE_PACKED_WAYS;
    c->oldest_shift = c->packed ? 4 * (config->ways - 1) : 0;
    c->modulo = !power_of_two(config->sets);
    c->set_mask = config->sets - 1;
    c->key = arena_alloc(a, padded(lines * 8), 64);
    c->attr = arena_alloc(a, padded(lines), 64);
    c->order = arena_alloc(a, padded((size_t)config->sets * 8), 64);
    c->random = arena_alloc(a, padded(8), 64);
    if (!c->key || !c->attr || !c->order || !c->random) {
        return false;
    }
    if (wants_ring(config)) {
        c->next = arena_alloc(a, padded(lines * 4), 64);
        c->prev = arena_alloc(a, padded(lines * 4), 64);
        if (!c->next || !c->prev) {
            return false;
        }
    }
    if (config->homes) {
        c->home = arena_alloc(a, padded(lines * 8), 64);
        if (!c->home) {
            return false;
        }
    }
    if (config->data) {
        /* aligned to the line, so that no line crosses a chunk */
        c->data = arena_alloc(a, padded(lines * config->line_bytes), ARENA_CHUNK);
        if (!c->data) {
            return false;
        }
    }
    arena_mark(a, c->random);
    *c->random =
        (config->seed ^ 0x9e3779b97f4a7c15u) | 1; /* never the generator's dead state */
    cache_clear(c);
    return true;
}

static void mark_range(struct arena *a, const void *p, size_t bytes)
{
    const unsigned char *at = p;
    for (size_t i = 0; i < bytes; i += ARENA_CHUNK) {
        arena_mark(a, at + i);
    }
    if (bytes) {
        arena_mark(a, at + bytes - 1);
    }
}

void cache_mark(struct cache *c)
{
    size_t lines = (size_t)c->config.sets * c->config.ways;
    mark_range(c->arena, c->key, lines * 8);
    mark_range(c->arena, c->attr, lines);
    mark_range(c->arena, c->order, (size_t)c->config.sets * 8);
    mark_range(c->arena, c->random, 8);
    if (c->next) {
        mark_range(c->arena, c->next, lines * 4);
        mark_range(c->arena, c->prev, lines * 4);
    }
    if (c->home) {
        mark_range(c->arena, c->home, lines * 8);
    }
}

void cache_clear(struct cache *c)
{
    const uint32_t ways = c->config.ways;
    size_t lines = (size_t)c->config.sets * ways;
    cache_mark(c);
    memset(c->key, 0xff, lines * 8);
    memset(c->attr, 0, lines);
    if (c->home) {
        memset(c->home, 0, lines * 8);
    }
    /* Way 0 is the oldest, so a set fills from way 0 up. */
    uint64_t packed = 0;
    for (uint32_t w = 0; c->packed && w < ways; w++) {
        packed = packed << 4 | w;
    }
    for (uint32_t set = 0; set < c->config.sets; set++) {
        c->order[set] = c->packed ? packed : c->next ? ways - 1 : 0;
        for (uint32_t w = 0; c->next && w < ways; w++) {
            c->next[cache_index(c, set, w)] = w ? w - 1 : ways - 1;
            c->prev[cache_index(c, set, w)] = w + 1 < ways ? w + 1 : 0;
        }
    }
}

static void ring_write(struct cache *c, uint32_t *cell, uint32_t value)
{
    arena_mark(c->arena, cell);
    *cell = value;
}

/* The ring from order[set] along next[] goes from the youngest to the oldest, and from there to the youngest. */
void cache_ring_to_front(struct cache *c, uint32_t set, uint32_t way)
{
    uint32_t base = cache_index(c, set, 0);
    uint32_t first = (uint32_t)c->order[set];
    if (way == first) {
        return;
    }
    uint32_t last = c->prev[base + first];
    if (way !=
        last) { /* the last one is already before the first: only the beginning moves */
        uint32_t before = c->prev[base + way], after = c->next[base + way];
        ring_write(c, &c->next[base + before], after);
        ring_write(c, &c->prev[base + after], before);
        ring_write(c, &c->next[base + way], first);
        ring_write(c, &c->prev[base + way], last);
        ring_write(c, &c->prev[base + first], way);
        ring_write(c, &c->next[base + last], way);
    }
    arena_mark(c->arena, &c->order[set]);
    c->order[set] = way;
}

/* Every node on the way to it points to the other half. */
void cache_tree_touch(struct cache *c, uint32_t set, uint32_t way)
{
    uint64_t tree = c->order[set];
    uint32_t node = 1;
    for (uint32_t level = c->tree_levels; level-- > 0;) {
        uint32_t right = way >> level & 1;
        uint64_t bit = (uint64_t)1 << (node & 63);
        tree = right ? tree & ~bit : tree | bit;
        node = 2 * node + right;
    }
    arena_mark(c->arena, &c->order[set]);
    c->order[set] = tree;
}

static uint32_t tree_victim(const struct cache *c, uint32_t set)
{
    uint32_t node = 1, way = 0;
    for (uint32_t level = 0; level < c->tree_levels; level++) {
        uint32_t right = (uint32_t)(c->order[set] >> (node & 63)) & 1;
        way = 2 * way + right;
        node = 2 * node + right;
    }
    return way;
}

static uint64_t random_next(uint64_t x)
{
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x;
}

static uint32_t random_way(uint64_t x, uint32_t ways)
{
    return (uint32_t)((x * 2685821657736338717u >> 32) * ways >> 32);
}

uint32_t cache_peek_victim(const struct cache *c, uint32_t set)
{
    if (c->packed) {
        return (uint32_t)(c->order[set] >> c->oldest_shift) & 15;
    }
    if (c->next) {
        return c->prev[cache_index(c, set, (uint32_t)c->order[set])];
    }
    uint32_t empty = cache_find(c, set, CACHE_NO_KEY);
    if (empty != CACHE_NO_WAY) {
        return empty;
    }
    return c->config.policy == POLICY_PLRU
               ? tree_victim(c, set)
               : random_way(random_next(*c->random), c->config.ways);
}

uint32_t cache_peek_age(const struct cache *c, uint32_t set, uint32_t way)
{
    for (uint32_t age = 0; c->packed && age < c->config.ways; age++) {
        if ((c->order[set] >> (4 * age) & 15) == way) {
            return age;
        }
    }
    uint32_t age = 0;
    for (uint32_t w = (uint32_t)c->order[set]; c->next && w != way; age++) {
        w = c->next[cache_index(c, set, w)];
    }
    return age;
}

uint32_t cache_choose(struct cache *c, uint32_t set, bool marks)
{
    (void)marks; /* the rarer policies always mark */
    uint32_t way = cache_peek_victim(c, set);
    if (c->next) {
        cache_ring_to_front(c, set, way);
    } else if (c->config.policy == POLICY_PLRU) {
        cache_tree_touch(c, set, way);
    } else if (c->key[cache_index(c, set, way)] != CACHE_NO_KEY) {
        arena_mark(c->arena, c->random);
        *c->random = random_next(*c->random);
    }
    return way;
}

void cache_invalidate(struct cache *c, uint32_t set, uint32_t way)
{
    uint32_t i = cache_index(c, set, way);
    cache_mark_set(c, set, way);
    c->key[i] = CACHE_NO_KEY;
    c->attr[i] = 0;
    if (c->home) {
        c->home[i] = 0;
    }
    if (c->packed) {
        /* to the old end: everything older than it gets one younger */
        uint32_t age = cache_peek_age(c, set, way);
        uint64_t order = 0;
        for (uint32_t a = 0, from = 0; a < c->config.ways; a++, from++) {
            from += from == age;
            uint64_t w = a == c->config.ways - 1 ? way : c->order[set] >> (4 * from) & 15;
            order |= w << (4 * a);
        }
        c->order[set] = order;
    } else if (c->next) {
        cache_ring_to_front(c, set, way);
        c->order[set] = c->next[i];
    }
}

static const char *check_order(const struct cache *c, uint32_t set)
{
    const uint32_t ways = c->config.ways;
    if (c->packed) {
        uint32_t seen = 0;
        for (uint32_t age = 0; age < ways; age++) {
            seen |= 1u << (c->order[set] >> (4 * age) & 15);
        }
        return seen == (1u << ways) - 1 ? NULL : "I2: an order of ways is no permutation";
    }
    if (!c->next) {
        return NULL;
    }
    uint32_t w = (uint32_t)c->order[set];
    for (uint32_t n = 0; n < ways; n++) {
        if (w >= ways ||
            c->prev[cache_index(c, set, c->next[cache_index(c, set, w)])] != w ||
            (n && w == (uint32_t)c->order[set])) {
            return "I2: a ring of ways is broken";
        }
        w = c->next[cache_index(c, set, w)];
    }
    return w == (uint32_t)c->order[set] ? NULL : "I2: a ring of ways does not close";
}

const char *cache_check(const struct cache *c)
{
    const uint32_t ways = c->config.ways;
    for (uint32_t set = 0; set < c->config.sets; set++) {
        const uint64_t *keys = c->key + cache_index(c, set, 0);
        for (uint32_t w = 0; w < ways; w++) {
            if (keys[w] == CACHE_NO_KEY) {
                if (c->attr[cache_index(c, set, w)]) {
                    return "I3: an empty way has attributes";
                }
            } else if (cache_find(c, set, keys[w]) != w) {
                return "I1: two ways hold the same line";
            }
        }
        const char *broken = check_order(c, set);
        if (broken) {
            return broken;
        }
    }
    return NULL;
}
