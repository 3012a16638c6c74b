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

/* Ways that a set has room for. */
static uint32_t slots_of(const struct cache_config *c)
{
    return c->ways <= 8 ? 8 : c->ways <= CACHE_PACKED_WAYS ? CACHE_PACKED_WAYS : c->ways;
}

static uint32_t home_at(const struct cache_config *c)
{
    return (uint32_t)sizeof(struct cache_set) + slots_of(c) * 8;
}

static uint32_t attr_at(const struct cache_config *c)
{
    return c->ways <= CACHE_PACKED_WAYS ? (uint32_t)offsetof(struct cache_set, attr)
                                        : home_at(c) + (c->homes ? c->ways * 8 : 0);
}

static uint32_t stride_of(const struct cache_config *c)
{
    if (c->ways > CACHE_PACKED_WAYS) {
        return (attr_at(c) + c->ways + 15) & ~15u;
    }
    uint32_t stride = 128;
    while (stride < home_at(c) + (c->homes ? slots_of(c) * 8 : 0)) {
        stride *= 2;
    }
    return stride;
}

static uint32_t sig_factor_of(const struct cache_config *c)
{
    if (!power_of_two(c->sets) || (c->line_bytes != 1 && c->line_bytes != 64)) {
        return CACHE_SIG_HASH;
    }
    if (c->line_bytes == 1) {
        return c->sets >= 8 ? CACHE_SIG_PAGE : CACHE_SIG_HASH;
    }
    return c->sets >= 32768 / 64 ? CACHE_SIG_FAR
           : c->sets >= 4        ? CACHE_SIG_LINE
                                 : CACHE_SIG_HASH;
}

size_t cache_size_bytes(const struct cache_config *c)
{
    size_t lines = (size_t)c->sets * c->ways;
    size_t bytes = (size_t)c->sets * stride_of(c) + 1024;
    if (wants_ring(c)) {
        bytes += 2 * (lines * 4 + 64);
    }
    if (c->data) {
        bytes += lines * c->line_bytes + ARENA_CHUNK;
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
    c->stride = stride_of(config);
    c->home_at = home_at(config);
    c->attr_at = attr_at(config);
    c->small = config->ways <= CACHE_PACKED_WAYS;
    c->sig_factor = sig_factor_of(config);
    c->way_mask = c->small ? (1u << config->ways) - 1 : 0;
    c->packed = has_order(config) && config->ways <= CACHE_PACKED_WAYS;
    c->order_mask =
        config->ways < 16 ? ((uint64_t)1 << (4 * (config->ways & 15))) - 1 : UINT64_MAX;
    c->oldest_shift = c->packed ? 4 * (config->ways - 1) : 0;
    c->modulo = !power_of_two(config->sets);
    c->set_mask = config->sets - 1;
    c->sets = arena_alloc(a, (size_t)config->sets * c->stride, c->small ? c->stride : 64);
    c->random = arena_alloc(a, 8, 64);
    if (!c->sets || !c->random) {
        return false;
    }
    if (wants_ring(config)) {
        c->next = arena_alloc(a, lines * 4, 64);
        c->prev = arena_alloc(a, lines * 4, 64);
        if (!c->next || !c->prev) {
            return false;
        }
    }
    if (config->data) {
        /* aligned to the line, so that no line crosses a chunk */
        c->data = arena_alloc(a, lines * config->line_bytes, ARENA_CHUNK);
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
    mark_range(c->arena, c->sets, (size_t)c->config.sets * c->stride);
    mark_range(c->arena, c->random, 8);
    if (c->next) {
        mark_range(c->arena, c->next, lines * 4);
        mark_range(c->arena, c->prev, lines * 4);
    }
}

void cache_mark_way(struct cache *c, struct cache_set *s, uint32_t way)
{
    arena_mark(c->arena, s);
    arena_mark(c->arena, &s->key[way]);
    arena_mark(c->arena, cache_attr(c, s, way));
    if (c->config.homes) {
        arena_mark(c->arena, cache_home(c, s, way));
    }
}

void cache_clear(struct cache *c)
{
    const uint32_t ways = c->config.ways;
    cache_mark(c);
    memset(c->sets, 0, (size_t)c->config.sets * c->stride);
    /* Way 0 is the oldest, so a set fills from way 0 up. */
    uint64_t packed = 0;
    for (uint32_t w = 0; c->packed && w < ways; w++) {
        packed = packed << 4 | w;
    }
    for (uint32_t set = 0; set < c->config.sets; set++) {
        struct cache_set *s = cache_set_at(c, set);
        s->order = c->packed ? packed : c->next ? ways - 1 : 0;
        for (uint32_t w = 0; w < slots_of(&c->config); w++) {
            cache_put_key(c, s, w, CACHE_NO_KEY, CACHE_COUNT);
            if (c->next) {
                c->next[(size_t)set * ways + w] = w ? w - 1 : ways - 1;
                c->prev[(size_t)set * ways + w] = w + 1 < ways ? w + 1 : 0;
            }
        }
    }
}

static void ring_write(struct cache *c, uint32_t *cell, uint32_t value)
{
    arena_mark(c->arena, cell);
    *cell = value;
}

/* The ring from order along next[] goes from the youngest to the oldest, and from there
 * to the youngest. */
static void ring_to_front(struct cache *c, struct cache_set *s, uint32_t way)
{
    uint32_t base = cache_number_of(c, s) * c->config.ways;
    uint32_t first = (uint32_t)s->order;
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
    arena_mark(c->arena, &s->order);
    s->order = way;
}

/* Every node on the way to it points to the other half. */
static void tree_touch(struct cache *c, struct cache_set *s, uint32_t way)
{
    uint64_t tree = s->order;
    uint32_t node = 1;
    for (uint32_t level = c->tree_levels; level-- > 0;) {
        uint32_t right = way >> level & 1;
        uint64_t bit = (uint64_t)1 << (node & 63);
        tree = right ? tree & ~bit : tree | bit;
        node = 2 * node + right;
    }
    arena_mark(c->arena, &s->order);
    s->order = tree;
}

static uint32_t tree_victim(const struct cache *c, const struct cache_set *s)
{
    uint32_t node = 1, way = 0;
    for (uint32_t level = 0; level < c->tree_levels; level++) {
        uint32_t right = (uint32_t)(s->order >> (node & 63)) & 1;
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
    const struct cache_set *s = cache_set_at(c, set);
    if (c->packed) {
        return (uint32_t)(s->order >> c->oldest_shift) & 15;
    }
    if (c->next) {
        return c->prev[set * c->config.ways + (uint32_t)s->order];
    }
    uint32_t empty = cache_find(c, s, CACHE_NO_KEY);
    if (empty != CACHE_NO_WAY) {
        return empty;
    }
    return c->config.policy == POLICY_PLRU
               ? tree_victim(c, s)
               : random_way(random_next(*c->random), c->config.ways);
}

uint32_t cache_peek_age(const struct cache *c, uint32_t set, uint32_t way)
{
    const struct cache_set *s = cache_set_at(c, set);
    for (uint32_t age = 0; c->packed && age < c->config.ways; age++) {
        if ((s->order >> (4 * age) & 15) == way) {
            return age;
        }
    }
    uint32_t age = 0;
    for (uint32_t w = (uint32_t)s->order; c->next && w != way; age++) {
        w = c->next[set * c->config.ways + w];
    }
    return age;
}

void cache_touch_slow(struct cache *c, struct cache_set *s, uint32_t way)
{
    if (c->config.policy == POLICY_LRU) {
        ring_to_front(c, s, way);
    } else if (c->config.policy == POLICY_PLRU) {
        tree_touch(c, s, way);
    }
}

uint32_t cache_choose_slow(struct cache *c, struct cache_set *s)
{
    uint32_t way = cache_peek_victim(c, cache_number_of(c, s));
    arena_mark(c->arena, s);
    cache_mark_way(c, s, way);
    if (c->next) {
        ring_to_front(c, s, way);
    } else if (c->config.policy == POLICY_PLRU) {
        tree_touch(c, s, way);
    } else if (s->key[way] != CACHE_NO_KEY) {
        arena_mark(c->arena, c->random);
        *c->random = random_next(*c->random);
    }
    return way;
}

/* To the old end of a packed order: everything older than it gets one younger. */
static uint64_t order_to_back(uint64_t order, uint32_t ways, uint32_t way)
{
    uint64_t made = 0;
    uint32_t age = 0;
    for (uint32_t a = 0; a < ways; a++) {
        uint64_t w = order >> (4 * a) & 15;
        if (w != way) {
            made |= w << (4 * age++);
        }
    }
    return made | (uint64_t)way << (4 * age);
}

void cache_invalidate(struct cache *c, uint32_t set, uint32_t way)
{
    struct cache_set *s = cache_set_at(c, set);
    cache_mark_way(c, s, way);
    cache_put(c, s, way, CACHE_NO_KEY, 0);
    if (c->config.homes) {
        *cache_home(c, s, way) = 0;
    }
    if (c->packed) {
        s->order = order_to_back(s->order, c->config.ways, way);
    } else if (c->next) {
        ring_to_front(c, s, way);
        s->order = c->next[set * c->config.ways + way];
    }
}

static const char *check_order(const struct cache *c, uint32_t set)
{
    const uint32_t ways = c->config.ways;
    const struct cache_set *s = cache_set_at(c, set);
    if (c->packed) {
        uint32_t seen = 0;
        for (uint32_t age = 0; age < ways; age++) {
            seen |= 1u << (s->order >> (4 * age) & 15);
        }
        return seen == (1u << ways) - 1 ? NULL : "I2: an order of ways is no permutation";
    }
    if (!c->next) {
        return NULL;
    }
    const uint32_t *next = c->next + (size_t)set * ways,
                   *prev = c->prev + (size_t)set * ways;
    uint32_t w = (uint32_t)s->order;
    for (uint32_t n = 0; n < ways; n++) {
        if (w >= ways || next[w] >= ways || prev[next[w]] != w ||
            (n && w == (uint32_t)s->order)) {
            return "I2: a ring of ways is broken";
        }
        w = next[w];
    }
    return w == (uint32_t)s->order ? NULL : "I2: a ring of ways does not close";
}

static const char *check_way(const struct cache *c, struct cache_set *s, uint32_t way)
{
    if (c->small && s->sig[way] != cache_signature(c, s->key[way])) {
        return "I4: a signature is not its key's";
    }
    if (s->key[way] == CACHE_NO_KEY) {
        return *cache_attr(c, s, way) ? "I3: an empty way has attributes" : NULL;
    }
    for (uint32_t other = 0; other < way; other++) {
        if (s->key[other] == s->key[way]) {
            return "I1: two ways hold the same line";
        }
    }
    return NULL;
}

const char *cache_check(const struct cache *c)
{
    for (uint32_t set = 0; set < c->config.sets; set++) {
        const char *broken = check_order(c, set);
        for (uint32_t way = 0; way < c->config.ways && !broken; way++) {
            broken = check_way(c, cache_set_at(c, set), way);
        }
        if (broken) {
            return broken;
        }
    }
    return NULL;
}
