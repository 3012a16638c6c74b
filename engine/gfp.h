/* GFP flags with the values of Linux 6.1, migratetypes and zone types.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_GFP_H
#define ENGINE_GFP_H

#include "types.h"

typedef uint32_t gfp_t;

/* GFP_FLAG(name, value, "meaning"): the single bits */
#define GFP_FLAGS(X)                                                                     \
    X(__GFP_DMA, 0x01, "from ZONE_DMA")                                                  \
    X(__GFP_HIGHMEM, 0x02, "may come from ZONE_HIGHMEM")                                 \
    X(__GFP_DMA32, 0x04, "from ZONE_DMA32")                                              \
    X(__GFP_MOVABLE, 0x08, "may be migrated or reclaimed later")                         \
    X(__GFP_RECLAIMABLE, 0x10, "slab pages that a shrinker can free")                    \
    X(__GFP_HIGH, 0x20, "high priority: may go deeper into the reserves")                \
    X(__GFP_IO, 0x40, "may start disk I/O to free memory")                               \
    X(__GFP_FS, 0x80, "may call into the file system to free memory")                    \
    X(__GFP_ZERO, 0x100, "the page is zeroed")                                           \
    X(__GFP_ATOMIC, 0x200, "cannot sleep and has nothing to fall back to")               \
    X(__GFP_DIRECT_RECLAIM, 0x400, "the caller may reclaim, and so sleep")               \
    X(__GFP_KSWAPD_RECLAIM, 0x800, "kswapd is woken when free pages are low")            \
    X(__GFP_WRITE, 0x1000, "the page will be dirtied")                                   \
    X(__GFP_NOWARN, 0x2000, "no report on failure")                                      \
    X(__GFP_RETRY_MAYFAIL, 0x4000, "try hard, but may fail")                             \
    X(__GFP_NOFAIL, 0x8000, "must not fail")                                             \
    X(__GFP_NORETRY, 0x10000, "give up early")                                           \
    X(__GFP_MEMALLOC, 0x20000, "may use all reserves")                                   \
    X(__GFP_COMP, 0x40000, "a compound page")                                            \
    X(__GFP_NOMEMALLOC, 0x80000, "must not use the reserves")                            \
    X(__GFP_HARDWALL, 0x100000, "only from the task's own memory nodes")                 \
    X(__GFP_THISNODE, 0x200000, "only from this node")                                   \
    X(__GFP_ACCOUNT, 0x400000, "accounted to the task's memory cgroup")                  \
    X(__GFP_COLD, 0x40000000,                                                            \
      "a cache-cold page (kernels before 4.15; an option of the machine)")

#define GFP_ENUM_(name, value, meaning) name = value,
enum gfp_flag { GFP_FLAGS(GFP_ENUM_) };

/* The combinations that callers use. */
#define GFP_COMBINATIONS(X)                                                              \
    X(GFP_ATOMIC, __GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM,                      \
      "cannot sleep: may use part of the reserves")                                      \
    X(GFP_KERNEL, __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_IO | __GFP_FS,     \
      "the kernel's normal request: may sleep")                                          \
    X(GFP_NOWAIT, __GFP_KSWAPD_RECLAIM, "does not sleep, uses no reserves")              \
    X(GFP_NOIO, __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM, "may sleep, starts no I/O") \
    X(GFP_NOFS, __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_IO,                  \
      "may sleep, does not call into file systems")                                      \
    X(GFP_USER,                                                                          \
      __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_IO | __GFP_FS |                \
          __GFP_HARDWALL,                                                                \
      "for user space, but the kernel must reach it too")                                \
    X(GFP_DMA, __GFP_DMA, "below 16 MiB, for ISA DMA")                                   \
    X(GFP_DMA32, __GFP_DMA32, "below 4 GiB")                                             \
    X(GFP_HIGHUSER, GFP_USER | __GFP_HIGHMEM, "for user space, anywhere")                \
    X(GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER | __GFP_MOVABLE,                                \
      "for user space, anywhere, and the page can be migrated")

enum gfp_combination { GFP_COMBINATIONS(GFP_ENUM_) };
#undef GFP_ENUM_

enum migratetype {
    MIGRATE_UNMOVABLE,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_PCPTYPES, /* the number of types that the per-CPU lists know */
    MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES,
    MIGRATE_ISOLATE,
    MIGRATE_TYPES
};

enum { MAX_ORDER = 11, PAGE_ALLOC_COSTLY_ORDER = 3, NR_PCP_LISTS = MIGRATE_PCPTYPES * 4 };

/* Zones in the order of their addresses. A machine has those that its architecture
 * knows. */
enum zone_type {
    ZONE_DMA,
    ZONE_DMA32,
    ZONE_NORMAL,
    ZONE_HIGHMEM,
    ZONE_MOVABLE,
    MAX_NR_ZONES
};

/* "GFP_KERNEL|__GFP_NOWARN" and so on: the largest combination, then the rest as
 * single bits. Answers the length as snprintf does. "0x0" for no bits. */
int gfp_format(char *buf, size_t size, gfp_t gfp);
/* The reverse, also for numbers; false: a word is unknown, and *bad is set to it if
 * not NULL. */
bool gfp_parse(const char *text, gfp_t *gfp, const char **bad);

#endif
