/* Random numbers for tests: xorshift64*, the same on every host.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_PRNG_H
#define TESTS_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state; /* not 0 */
};

static inline uint64_t prng_next(struct prng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1d;
}

/* 0 .. below - 1 */
static inline uint64_t prng_below(struct prng *r, uint64_t below)
{
    return (prng_next(r) >> 11) % below;
}

/* True once in n times. */
static inline int prng_one_in(struct prng *r, uint64_t n)
{
    return prng_below(r, n) == 0;
}

#endif
