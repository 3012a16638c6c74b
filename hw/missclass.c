/* The fully associative cache beside the real one: see hw/missclass.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "missclass.h"

static uint32_t hash_bits(uint32_t lines)
{
    uint32_t bits = 4;
    while (((uint32_t)1 << bits) < 2 * lines) {
        bits++;
    }
    return bits;
}

size_t missclass_size_bytes(uint32_t lines)
{
    return (size_t)lines * (8 + 4 + 4 + 4) + ((size_t)4 << hash_bits(lines)) + 1024;
}

bool missclass_create(struct missclass *c, struct arena *a, uint32_t lines)
{
    *c = (struct missclass){.arena = a, .lines = lines, .hash_bits = hash_bits(lines)};
    c->s = arena_alloc(a, sizeof *c->s, 64);
    c->key = arena_alloc(a, (size_t)lines * 8, 64);
    c->next = arena_alloc(a, (size_t)lines * 4, 64);
    c->prev = arena_alloc(a, (size_t)lines * 4, 64);
    c->chain = arena_alloc(a, (size_t)lines * 4, 64);
    c->bucket = arena_alloc(a, (size_t)4 << c->hash_bits, 64);
    return c->s && c->key && c->next && c->prev && c->chain && c->bucket &&
           sparse_create(&c->seen, a);
}

static void put(struct missclass *c, uint32_t *cell, uint32_t value)
{
    arena_mark(c->arena, cell);
    *cell = value;
}

static uint32_t *bucket_of(struct missclass *c, uint64_t line)
{
    return &c->bucket[line * 0x9e3779b97f4a7c15u >> (64 - c->hash_bits)];
}

static void unchain(struct missclass *c, uint32_t node)
{
    uint32_t *link = bucket_of(c, c->key[node]);
    while (*link != node + 1) {
        link = &c->chain[*link - 1];
    }
    put(c, link, c->chain[node]);
}

/* Take node out of the ring and put it before the youngest. */
static void to_front(struct missclass *c, uint32_t node)
{
    uint32_t first = c->s->youngest, last = c->prev[first];
    if (node == first) {
        return;
    }
    if (node != last) {
        put(c, &c->next[c->prev[node]], c->next[node]);
        put(c, &c->prev[c->next[node]], c->prev[node]);
        put(c, &c->next[node], first);
        put(c, &c->prev[node], last);
        put(c, &c->prev[first], node);
        put(c, &c->next[last], node);
    }
    c->s->youngest = node;
}

/* A node for a new line: one never used, or the oldest. It is the youngest afterwards. */
static uint32_t take_node(struct missclass *c)
{
    if (c->s->used < c->lines) {
        uint32_t node = c->s->used++;
        uint32_t first = node ? c->s->youngest : node,
                 last = node ? c->prev[first] : node;
        put(c, &c->next[node], first);
        put(c, &c->prev[node], last);
        put(c, &c->prev[first], node);
        put(c, &c->next[last], node);
        c->s->youngest = node;
        return node;
    }
    uint32_t node = c->prev[c->s->youngest];
    unchain(c, node);
    c->s->youngest = node;
    return node;
}

/* Was the line ever in the cache? And from now on it was, if fill says so. */
static bool seen_before(struct missclass *c, uint64_t line, bool fill, bool *full)
{
    uint32_t bit = (uint32_t)1 << (line & 31);
    if (!fill) {
        return sparse_peek(&c->seen, line >> 5) & bit;
    }
    uint32_t *bits = sparse_cell(&c->seen, line >> 5);
    if (!bits) {
        *full = true;
        return false;
    }
    bool before = *bits & bit;
    *bits |= bit;
    return before;
}

enum miss_cause missclass_use_slow(struct missclass *c, uint64_t line, enum miss_use use,
                                   bool *full)
{
    arena_mark(c->arena, c->s);
    uint32_t *bucket = bucket_of(c, line);
    for (uint32_t n = *bucket; n; n = c->chain[n - 1]) {
        if (c->key[n - 1] == line) {
            to_front(c, n - 1);
            return MISS_CONFLICT;
        }
    }
    if (use != USE_MISS_NOT_FILLED) {
        uint32_t node = take_node(c);
        arena_mark(c->arena, &c->key[node]);
        c->key[node] = line;
        put(c, &c->chain[node], *bucket);
        put(c, bucket, node + 1);
    }
    if (use == USE_HIT) {
        return MISS_CAPACITY; /* nobody asks; and what is in the cache was seen before */
    }
    return seen_before(c, line, use == USE_MISS, full) ? MISS_CAPACITY : MISS_COLD;
}
