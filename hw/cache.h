/* A set-associative cache: which line is where, in which state, who goes next, and what
 * it holds.
 *
 *   line number = address >> line_shift        set = line number mod sets
 *
 *   one set   | sig, sig, ... | order | attr, attr, ... | key, key, ... | home, ... |
 *
 *   sig    16 bits of each key, or made from it: a vector operation compares 8 ways
 *   key    the line number (a virtual tag may carry an address space's number), or
 *          CACHE_NO_KEY
 *   attr   permissions and coherence state, CACHE_*
 *   home   physical line number, where the key is none (virtual tags), or a TLB's entry
 *   order  the policy's memory of this set, see below
 *   data   the bytes, apart from the rest, when the cache holds bytes at all
 *
 * The same machinery serves data caches, instruction caches and TLBs (hw/tlb.h). It
 * counts nothing and knows no other level: hw/memsys.h joins levels to a machine.
 *
 * order, by policy:
 *   LRU, FIFO, up to 16 ways   ways as nibbles, the youngest in bits 0..3; 0 above
 *   LRU, FIFO, more ways       the youngest way; next[] and prev[] make a ring of them
 *   PLRU                       bit i: the victim is right of node i of the tree (root 1)
 *   RANDOM                     nothing; *random is the generator's state
 * A set fills from way 0 up, whatever the policy; an invalidated way is filled first.
 *
 * Up to 16 ways a set is "small": it has signatures, its attributes stand in its head,
 * it has room for 8 or 16 ways, and its size is a power of two up to 512 bytes, so that
 * it lies in one chunk of the arena. A larger one is searched key by key and has its
 * attributes at the end.
 *
 * I1  No two ways of a set have the same key, except CACHE_NO_KEY.
 * I2  order[set] of LRU and FIFO names each way exactly once.
 * I3  A way without a key has attr 0.
 * I4  In a small set sig[way] is the signature of key[way].
 *
 * All state lies in the arena. With CACHE_MARK every change is marked there; otherwise
 * the caller has marked the whole cache (cache_mark) before a run of many accesses.
 *
 * Left out: prefetch, victim buffers, sectors; lines are filled whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_CACHE_H
#define HW_CACHE_H

#include "arena.h"

/* Vectors of 16 bytes, as the compiler has them without a header. */
#if defined __SSE2__ && defined __has_builtin
#if __has_builtin(__builtin_ia32_pmovmskb128) && __has_builtin(__builtin_ia32_packsswb128)
#define CACHE_VECTORS
typedef char cache_bytes_t __attribute__((vector_size(16)));
typedef short cache_halves_t __attribute__((vector_size(16)));
#endif
#endif

enum cache_policy { POLICY_LRU, POLICY_PLRU, POLICY_FIFO, POLICY_RANDOM };

enum {
    CACHE_PACKED_WAYS = 16,   /* nibbles in a word */
    CACHE_PLRU_MAX_WAYS = 64, /* tree nodes in a word */
    CACHE_MAX_WAYS = 65536,
    CACHE_MAX_LINES = 1 << 26
};

#define CACHE_NO_KEY UINT64_MAX
#define CACHE_NO_WAY UINT32_MAX

/* A key's signature is the upper half of the lower word of key * factor: with a power of
 * two, 16 bits cut out of the key, which are found at their place in an address without
 * any reckoning; else a hash of its lower 32 bits. */
enum {
    CACHE_SIG_PAGE = 1 << 12, /* TLBs of 8 sets and more: bits 16 to 31 of the address */
    CACHE_SIG_LINE = 1 << 14, /* lines of 64 bytes: bits 8 to 23 of the address */
    CACHE_SIG_FAR = 1 << 6    /* ..., ways of 32 KiB and more: bits 16 to 31 of it */
};
#define CACHE_SIG_HASH 0x9e3779b1u /* 2 to the 32 over the golden ratio */

/* A line's attributes. The low five bits are what an access needs (see memsys.h,

 * may[]). */
enum {
    CACHE_U = 1,        /* the page may be used in user mode */
    CACHE_W = 2,        /* ... be written */
    CACHE_X = 4,        /* ... be executed */
    CACHE_D = 8,        /* its table entry is already dirty */
    CACHE_OWNED = 16,   /* no other cache holds the line: states E and M of MESI */
    CACHE_DIRTY = 32,   /* state M: memory is older */
    CACHE_VALID = 64,   /* alone (no OWNED): state S */
    CACHE_NOT_WB = 128, /* its page's memory type is not write-back */
    CACHE_PERMS = CACHE_U | CACHE_W | CACHE_X | CACHE_D,
    CACHE_NEEDS = CACHE_PERMS | CACHE_OWNED
};

struct cache_config {
    uint32_t sets, ways; /* ways 0: no such cache */
    uint32_t line_bytes; /* a power of two, 1 to 4096 (1: a TLB's entries) */
    enum cache_policy policy;
    bool data;     /* hold bytes */
    bool homes;    /* keep each line's physical line number: virtual tags, TLB entries */
    uint64_t seed; /* POLICY_RANDOM */
};

struct cache_set {
    uint16_t sig[CACHE_PACKED_WAYS]; /* small sets: cache_signature() of the keys */
    uint64_t order, reserved;
    uint8_t attr[CACHE_PACKED_WAYS]; /* small sets */
    uint64_t key[];                  /* then homes, then a large set's attributes */
};

struct cache {
    struct cache_config config;
    uint32_t line_shift;
    uint32_t stride;       /* bytes of one set */
    uint32_t home_at;      /* where in a set the homes begin, in bytes */
    uint32_t attr_at;      /* ... the attributes */
    uint64_t order_mask;   /* packed: the nibbles in use */
    uint32_t oldest_shift; /* packed: where the oldest way's nibble is */
    bool small;            /* up to CACHE_PACKED_WAYS ways */
    bool packed;           /* order is nibbles */
    bool modulo;           /* the number of sets is no power of two */
    uint32_t tree_levels;  /* PLRU: log2(ways) */
    uint32_t sig_factor;   /* see CACHE_SIG_* */
    uint32_t way_mask;     /* small sets: a bit for each way */
    uint64_t set_mask;     /* sets - 1, when it is a power of two */
    struct arena *arena;
    unsigned char *sets;
    uint32_t *next, *prev; /* [set * ways + way] */
    unsigned char *data;   /* [(set * ways + way) * line_bytes] */
    uint64_t *random;
};

/* NULL, or why such a cache cannot be made ("tree-PLRU needs a power of two ways"). */
const char *cache_config_error(const struct cache_config *c);
/* Bytes of arena that it takes. */
size_t cache_size_bytes(const struct cache_config *c);
/* False when the arena is full. The configuration is a good one. */
bool cache_create(struct cache *c, struct arena *a, const struct cache_config *config);

/* Empty it; dirty lines are lost (write them back first). */
void cache_clear(struct cache *c);
/* Drop one line; its way is the first to be filled again. */
void cache_invalidate(struct cache *c, uint32_t set, uint32_t way);
/* Mark everything except data as about to change. */
void cache_mark(struct cache *c);

/* For looking: changes nothing. The way that the next fill of this set would take
 * (RANDOM: as the generator stands now), and where a way stands in the order of age (0:
 * the youngest; FIFO and LRU only, else 0). */
uint32_t cache_peek_victim(const struct cache *c, uint32_t set);
uint32_t cache_peek_age(const struct cache *c, uint32_t set, uint32_t way);

/* The first broken invariant, or NULL. */
const char *cache_check(const struct cache *c);

/* ---- the parts of an access, inline because they are all that a trace does ---- */

#if defined __GNUC__
#define HW_INLINE static inline __attribute__((always_inline))
#define HW_NOINLINE __attribute__((noinline))
#define HW_COLD __attribute__((noinline, cold))
#define HW_LIKELY(x) __builtin_expect(!!(x), 1)
/* What the compiler cannot know. */
#define HW_ASSUME(x) ((x) ? (void)0 : __builtin_unreachable())
/* Keep this pointer rather than reckon it again and again. */
#define HW_KEEP(pointer) __asm__("" : "+r"(pointer))
#else
#define HW_INLINE static inline
#define HW_NOINLINE
#define HW_COLD
#define HW_LIKELY(x) (x)
#define HW_ASSUME(x) ((void)0)
#define HW_KEEP(pointer) ((void)0)
#endif

/* The rarer policies and larger sets. */
void cache_mark_way(struct cache *c, struct cache_set *s, uint32_t way);
void cache_touch_slow(struct cache *c, struct cache_set *s, uint32_t way);
uint32_t cache_choose_slow(struct cache *c, struct cache_set *s);

HW_INLINE uint32_t cache_set_number(const struct cache *c, uint64_t line)
{
    return (uint32_t)(HW_LIKELY(!c->modulo) ? line & c->set_mask : line % c->config.sets);
}
HW_INLINE struct cache_set *cache_set_at(const struct cache *c, uint32_t set)
{
    return (struct cache_set *)(void *)(c->sets + (size_t)set * c->stride);
}
HW_INLINE struct cache_set *cache_set_of(const struct cache *c, uint64_t line)
{
    return cache_set_at(c, cache_set_number(c, line));
}
/* The same where the number of sets is known to be a power of two. */
HW_INLINE struct cache_set *cache_set_masked(const struct cache *c, uint64_t line)
{
    return (struct cache_set *)(void *)(c->sets + (line & c->set_mask) * c->stride);
}
/* Back from a set to its number: for what is rare. */
static inline uint32_t cache_number_of(const struct cache *c, const struct cache_set *s)
{
    return (uint32_t)((size_t)((const unsigned char *)s - c->sets) / c->stride);
}
HW_INLINE uint8_t *cache_attr(const struct cache *c, struct cache_set *s, uint32_t way)
{
    return (uint8_t *)s + c->attr_at + way;
}
/* Only where the cache keeps homes. */
HW_INLINE uint64_t *cache_home(const struct cache *c, struct cache_set *s, uint32_t way)
{
    return (uint64_t *)(void *)((unsigned char *)s + c->home_at) + way;
}
/* The bytes of a line. */
static inline unsigned char *cache_data(const struct cache *c, const struct cache_set *s,
                                        uint32_t way)
{
    size_t line = (size_t)cache_number_of(c, s) * c->config.ways + way;
    return c->data + line * c->config.line_bytes;
}

/* What tells most keys of a set apart. */
HW_INLINE uint16_t cache_signature(const struct cache *c, uint64_t key)
{
    return (uint16_t)((uint32_t)key * c->sig_factor >> 16);
}

#if defined CACHE_VECTORS
/* A signature eight times, to be compared with eight others. */
HW_INLINE cache_halves_t cache_spread(uint16_t sig)
{
    const short s = (short)sig;
    return (cache_halves_t){s, s, s, s, s, s, s, s};
}
#endif

/* Which of the first 8 or 16 ways of a small set have this signature: bit n for way n. */
HW_INLINE uint32_t cache_same(const struct cache_set *s, uint16_t signature,
                              const uint32_t slots)
{
#if defined CACHE_VECTORS
    const cache_halves_t v = cache_spread(signature);
    const cache_halves_t *sig = (const cache_halves_t *)(const void *)s->sig;
    const cache_halves_t low = (cache_halves_t)(v == sig[0]);
    const cache_halves_t high = slots > 8 ? (cache_halves_t)(v == sig[1]) : low;
    const cache_bytes_t same = (cache_bytes_t)__builtin_ia32_packsswb128(low, high);
    const uint32_t found = (uint32_t)__builtin_ia32_pmovmskb128(same);
    return slots > 8 ? found : found & 0xff;
#else
    uint32_t found = 0;
    for (uint32_t way = 0; way < slots; way++) {
        found |= (uint32_t)(s->sig[way] == signature) << way;
    }
    return found;
#endif
}
/* ... the key's. Others than key may have it, so whoever asks compares keys, too. */
HW_INLINE uint32_t cache_candidates(const struct cache *c, const struct cache_set *s,
                                    uint64_t key, const uint32_t slots)
{
    return cache_same(s, cache_signature(c, key), slots);
}

HW_INLINE uint32_t cache_first_bit(uint32_t bits)
{
#if defined __GNUC__
    return (uint32_t)__builtin_ctz(bits);
#else
    uint32_t n = 0;
    while (!(bits >> n & 1)) {
        n++;
    }
    return n;
#endif
}

/* How an access is done. */
enum cache_how {
    CACHE_COUNT, /* the whole cache is marked */
    CACHE_MARK,  /* mark what changes */
    CACHE_LEAN   /* marked, and known to be packed LRU with a power of two sets */
};

/* Which of the candidates has the key, or CACHE_NO_WAY. */
HW_INLINE uint32_t cache_decide(const struct cache_set *s, uint64_t key,
                                uint32_t candidates)
{
    for (; candidates; candidates &= candidates - 1) {
        const uint32_t way = cache_first_bit(candidates);
        if (HW_LIKELY(s->key[way] == key)) {
            return way;
        }
    }
    return CACHE_NO_WAY;
}

/* The way that holds key, or CACHE_NO_WAY. */
HW_INLINE uint32_t cache_find_how(const struct cache *c, const struct cache_set *s,
                                  uint64_t key, const enum cache_how how)
{
    if (how == CACHE_LEAN || HW_LIKELY(c->small)) {
        return cache_decide(s, key,
                            cache_candidates(c, s, key, CACHE_PACKED_WAYS) & c->way_mask);
    }
    for (uint32_t way = 0; way < c->config.ways; way++) {
        if (s->key[way] == key) {
            return way;
        }
    }
    return CACHE_NO_WAY;
}
HW_INLINE uint32_t cache_find(const struct cache *c, const struct cache_set *s,
                              uint64_t key)
{
    return cache_find_how(c, s, key, CACHE_COUNT);
}

/* The youngest way, a good first guess at where a line is; way 0 when the policy does not
 * know. */
HW_INLINE uint32_t cache_guess(const struct cache *c, const struct cache_set *s)
{
    return c->packed ? (uint32_t)s->order & 15 : 0;
}

/* Move way to the young end of a packed order. The first nibble that equals it is found
 * as the first zero nibble of the difference (those above the set's ways are zero, too,
 * for way 0: the right one comes first). */
HW_INLINE uint64_t cache_order_to_front(uint64_t order, uint32_t way)
{
    const uint64_t ones = 0x1111111111111111u;
    uint64_t differs = order ^ ones * way;
    uint64_t zero = (differs - ones) & ~differs & ones << 3;
    uint64_t upto = zero ^ (zero - 1); /* up to bit 3 of the way's nibble */
    uint64_t moved = order << 4 | way; /* those before it are one older */
    return order ^ ((order ^ moved) & upto);
}

/* A line's attributes. */
HW_INLINE uint8_t *cache_attr_how(const struct cache *c, struct cache_set *s,
                                  uint32_t way, const enum cache_how how)
{
    return how == CACHE_LEAN ? &s->attr[way] : cache_attr(c, s, way);
}

HW_INLINE void cache_mark_set(struct cache *c, struct cache_set *s,
                              const enum cache_how how)
{
    if (how == CACHE_MARK) {
        arena_mark(c->arena, s);
        if (!c->small) {
            arena_mark(c->arena, (unsigned char *)s + c->stride - 1);
        }
    }
}

/* way has been used. */
HW_INLINE void cache_touch(struct cache *c, struct cache_set *s, uint32_t way,
                           const enum cache_how how)
{
    if (how == CACHE_LEAN || (c->packed && c->config.policy == POLICY_LRU)) {
        if (how == CACHE_MARK) {
            arena_mark(c->arena, s);
        }
        s->order = cache_order_to_front(s->order, way);
    } else if (!c->packed) {
        cache_touch_slow(c, s, way);
    }
}

/* The way to fill next, already counted as the youngest. Its old line stays until
 * cache_put. */
HW_INLINE uint32_t cache_take_victim(struct cache *c, struct cache_set *s,
                                     const enum cache_how how)
{
    if (how == CACHE_LEAN || HW_LIKELY(c->packed)) {
        uint32_t way = (uint32_t)(s->order >> c->oldest_shift) & 15;
        cache_mark_set(c, s, how);
        s->order = (s->order << 4 | way) & c->order_mask;
        return way;
    }
    return cache_choose_slow(
        c, s); /* marks the way, too: such sets may be longer than a chunk */
}

/* Put a key in a way that cache_take_victim gave, and with it a line's attributes. */
HW_INLINE void cache_put_key(struct cache *c, struct cache_set *s, uint32_t way,
                             uint64_t key, const enum cache_how how)
{
    s->key[way] = key;
    if (how == CACHE_LEAN || HW_LIKELY(c->small)) {
        s->sig[way] = cache_signature(c, key);
    }
}
HW_INLINE void cache_put_how(struct cache *c, struct cache_set *s, uint32_t way,
                             uint64_t key, unsigned attr, const enum cache_how how)
{
    cache_put_key(c, s, way, key, how);
    *cache_attr_how(c, s, way, how) = (uint8_t)attr;
}
HW_INLINE void cache_put(struct cache *c, struct cache_set *s, uint32_t way, uint64_t key,
                         unsigned attr)
{
    cache_put_how(c, s, way, key, attr, CACHE_COUNT);
}

#endif
