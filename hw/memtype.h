/* Memory types and coherence states by name.
 *
 * The type of a page comes from its last table entry: PAT, PCD and PWT are a number from
 * 0 to 7, and the PAT (a model-specific register of eight bytes) says which type that is.
 *
 *            slot    0    1    2    3    4    5    6    7
 *   power-on PAT    WB   WT   UC-  UC   WB   WT   UC-  UC
 *   Linux's PAT     WB   WC   UC-  UC   WB   WP   UC-  WT
 *
 *   UC   uncached: no cache is asked, each access goes to memory or the device
 *   UC-  the same here (it differs where MTRRs say WC)
 *   WC   reads as UC; writes gather in a write-combining buffer
 *   WT   reads are cached; writes go to the cache, if it has the line, and to memory
 *   WP   reads are cached; writes go to memory and throw the line out of every cache
 *   WB   reads and writes are cached
 *
 * When a cache nevertheless holds a line that is accessed as UC, WC or WP (its page had
 * another type, or has one under another name), the manuals promise nothing unless the
 * processor snoops itself. A coherent machine does: the line is written back and thrown
 * out first. Otherwise the cache is passed by and the two go apart.
 *
 * Left out: MTRRs; the types that PCD and PWT in CR3 and in upper entries give to the
 * tables themselves (the walker always goes through L2).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_MEMTYPE_H
#define HW_MEMTYPE_H

#include "cache.h"

/* Numbered as in the PAT's bytes. */
enum memtype {
    MEMTYPE_UC = 0,
    MEMTYPE_WC = 1,
    MEMTYPE_WT = 4,
    MEMTYPE_WP = 5,
    MEMTYPE_WB = 6,
    MEMTYPE_UC_MINUS = 7,
    NR_MEMTYPES = 8
};

#define PAT_POWER_ON UINT64_C(0x0007040600070406)
#define PAT_LINUX UINT64_C(0x0407050600070106)

/* The type of slot (0 to 7). Bytes that are no type count as UC. */
static inline enum memtype pat_type(uint64_t pat, uint32_t slot)
{
    uint32_t type = (uint32_t)(pat >> (8 * slot)) & 0xff;
    return type >= NR_MEMTYPES || type == 2 || type == 3 ? MEMTYPE_UC
                                                         : (enum memtype)type;
}
static inline const char *memtype_name(uint32_t type)
{
    static const char *const names[NR_MEMTYPES] = {"UC", "WC", "?",  "?",
                                                   "WT", "WP", "WB", "UC-"};
    return names[type & 7];
}

/* MESI. */
enum mesi { MESI_I, MESI_S, MESI_E, MESI_M, NR_MESI };

/* A cache line's state from its attributes. */
static inline enum mesi cache_mesi(unsigned attr)
{
    return !(attr & CACHE_VALID) ? MESI_I
           : attr & CACHE_DIRTY  ? MESI_M
           : attr & CACHE_OWNED  ? MESI_E
                                 : MESI_S;
}
static inline const char *mesi_name(uint32_t state)
{
    static const char *const names[NR_MESI] = {"I", "S", "E", "M"};
    return state < NR_MESI ? names[state] : "?";
}

#endif
