/* What line_index_run.c does with the stamps of a set, as vectors where there are some:
 * see hw/line_index.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_LINE_INDEX_LANES_H
#define HW_LINE_INDEX_LANES_H

#include <string.h>

#include "line_index.h"

#if defined HW_SSE41
typedef short halves_t __attribute__((vector_size(16)));
#endif

/* Which stamp is the smallest, and its place: in bits 0 to 15, and from 16 on. */
HW_INLINE uint32_t least_of_eight(const uint16_t *stamp)
{
#if defined HW_SSE41
    typedef int words_t __attribute__((vector_size(16)));
    typedef short signed_t __attribute__((vector_size(16)));
    const signed_t *stamps = (const signed_t *)(const void *)stamp;
    return (uint32_t)((words_t)__builtin_ia32_phminposuw128(*stamps))[0];
#else
    uint32_t way = 0, least = stamp[0];
    for (uint32_t i = 1; i < 8; i++) {
        way = stamp[i] < least ? i : way;
        least = stamp[i] < least ? stamp[i] : least;
    }
    return way << 16 | least;
#endif
}
/* The way to take next. */
HW_INLINE uint32_t oldest(const uint16_t *stamp, const uint32_t lanes)
{
    if (lanes == 8) {
#if defined HW_SSE41
        typedef short signed_t __attribute__((vector_size(16)));
        const signed_t *stamps = (const signed_t *)(const void *)stamp;
        return (uint16_t)__builtin_ia32_phminposuw128(*stamps)[1];
#else
        return least_of_eight(stamp) >> 16;
#endif
    }
    const uint32_t low = least_of_eight(stamp), high = least_of_eight(stamp + 8);
    return (uint16_t)high < (uint16_t)low ? 8 + (high >> 16) : low >> 16;
}

/* Stamps become ranks; lanes that are no ways stay behind all others. */
#if defined HW_SSE41
/* Comparisons are signed: the highest bit is turned over for them. */
#if defined __clang__ || __GNUC__ >= 12
#define TURN(v) __builtin_shufflevector(v, v, 1, 2, 3, 4, 5, 6, 7, 0)
#else
#define TURN(v) __builtin_shuffle(v, (halves_t){1, 2, 3, 4, 5, 6, 7, 0})
#endif
HW_INLINE halves_t stamps_at(const uint16_t *stamp)
{
    return *(const halves_t *)(const void *)stamp ^ ((halves_t){0} + INT16_MIN);
}
HW_INLINE void ranks_to(uint16_t *stamp, halves_t stamps, halves_t ranks)
{
    const halves_t no_way = (halves_t)(stamps == (halves_t){0} + INT16_MAX);
    *(halves_t *)(void *)stamp = ranks | no_way;
}
HW_INLINE void rank_eight(uint16_t *stamp)
{
    const halves_t old = stamps_at(stamp);
    halves_t rank = {0}, other = old;
    for (int i = 1; i < 8; i++) {
        other = TURN(other);
        rank -= (halves_t)(old > other);
    }
    ranks_to(stamp, old, rank);
}
HW_INLINE void rank_sixteen(uint16_t *stamp)
{
    const halves_t low = stamps_at(stamp), high = stamps_at(stamp + 8);
    halves_t low_rank = {0}, high_rank = {0}, other[2] = {low, high};
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 2; k++) {
            low_rank -= (halves_t)(low > other[k]);
            high_rank -= (halves_t)(high > other[k]);
            other[k] = TURN(other[k]);
        }
    }
    ranks_to(stamp, low, low_rank);
    ranks_to(stamp + 8, high, high_rank);
}
#else
HW_INLINE void rank_some(uint16_t *stamp, const uint32_t lanes)
{
    uint16_t rank[16] = {0}, old[16];
    memcpy(old, stamp, lanes * sizeof *stamp);
    for (uint32_t other = 0; other < lanes; other++) {
        for (uint32_t i = 0; i < lanes; i++) {
            rank[i] = (uint16_t)(rank[i] + (old[other] < old[i]));
        }
    }
    for (uint32_t i = 0; i < lanes; i++) {
        stamp[i] = old[i] == UINT16_MAX ? UINT16_MAX : rank[i];
    }
}
HW_INLINE void rank_eight(uint16_t *stamp) { rank_some(stamp, 8); }
HW_INLINE void rank_sixteen(uint16_t *stamp) { rank_some(stamp, 16); }
#endif
/* slot_mask: of the last set. */
static HW_NOINLINE void rank_sets(uint16_t *stamp, uint64_t slot_mask, uint64_t lanes)
{
    for (uint64_t slot = 0; slot <= slot_mask; slot += lanes) {
        stamp += lanes;
        lanes == 8 ? rank_eight(stamp) : rank_sixteen(stamp);
    }
}
static HW_NOINLINE void rank_all(struct line_index *x)
{
    rank_sets(x->l2.stamp, x->l2.slot_mask, x->l2.lanes);
    rank_sets(x->stlb.stamp, x->stlb.slot_mask, IX_STLB_LANES);
    for (int side = 0; side < NR_SIDES; side++) {
        rank_sets(x->l1[side].stamp, x->l1[side].slot_mask, IX_LANES);
        rank_sets(x->tlb[side].stamp, x->tlb[side].slot_mask, IX_LANES);
    }
    x->clock = IX_CLOCK_START;
}

#endif
