/* The machine's own quantities, as distinct types: mixing them does not compile.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_TYPES_H
#define HW_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the fast paths expect not to be so. */
#if defined __GNUC__
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define UNLIKELY(x) (x)
#endif

enum { PAGE_SHIFT = 12, PAGE_SIZE = 1 << PAGE_SHIFT };

/* page frame number: physical address >> PAGE_SHIFT */
typedef struct {
    uint64_t v;
} pfn_t;
typedef struct {
    uint64_t v;
} paddr_t; /* physical address, bytes */
typedef struct {
    uint64_t v;
} vaddr_t; /* virtual address, bytes */

/* "No page": what an allocation answers instead of NULL. */
#define PFN_NONE UINT64_MAX

static inline pfn_t pfn(uint64_t v) { return (pfn_t){v}; }
static inline paddr_t paddr(uint64_t v) { return (paddr_t){v}; }
static inline vaddr_t vaddr(uint64_t v) { return (vaddr_t){v}; }
static inline bool pfn_is_none(pfn_t p) { return p.v == PFN_NONE; }

#endif
