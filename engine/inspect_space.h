/* Looking at the kernel's address space: its regions, the areas in use, windows for
 * single pages, and "what is this address?". Looking never changes anything.
 *
 * A screen draws a range of addresses by asking for the regions (space_region) once and
 * for the areas in the range (space_next_area): O(log n) for the first one and for each
 * one after it. A page's other addresses come from space_mappings, which reads the
 * page tables that could have it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_INSPECT_SPACE_H
#define ENGINE_INSPECT_SPACE_H

#include "inspect.h"
#include "kspace.h"
#include "pgtable.h"

/* ---- regions: the whole address space, by address ---- */

struct region_view {
    struct kspace_area area; /* kind, first and last byte, name, who, rules */
    /* the vmalloc area and what modules share with it: bytes of areas in use (guard pages
     * too) and of lazily freed ones. Others: 0 */
    uint64_t used_bytes, lazy_bytes;
    uint32_t nr_areas;
};
uint32_t space_nr_regions(const struct machine *m);
struct region_view space_region(const struct machine *m, uint32_t i);
/* The region's number that an address lies in; UINT32_MAX: in none. */
uint32_t space_region_of(const struct machine *m, uint64_t va);

/* ---- areas: vmalloc, vmap, ioremap, vm_map_ram, and what they leave behind ---- */

struct area_view {
    enum vmap_kind kind;
    const char *name;     /* "vmalloc", "vmap", "ioremap", "vm_map_ram", ... */
    uint64_t first, last; /* bytes, both in it, with its guard page */
    uint64_t guard;     /* first byte of the guard page, behind what is mapped; 0: none */
    uint64_t nr_pages;  /* vmalloc: pages of its own */
    uint64_t phys;      /* ioremap: the device's address */
    uint64_t array;     /* vmalloc: where its page array is, if vmalloc'ed itself */
    uint64_t op;        /* number of the operation that made it */
    uint32_t cpu;       /* who made it */
    const char *caller; /* that operation's name */
    bool deferred;      /* vfree in an interrupt: a kworker will free it */
    /* VMAP_BLOCK: pages never used yet, and pages freed that wait for the block */
    uint32_t block_free, block_dirty;
};
/* The first area in use or lazily freed that ends behind va and begins by last. False:
 * there is none. Go on with va = view.last + 1. */
bool space_next_area(const struct machine *m, uint64_t va, uint64_t last,
                     struct area_view *out);
/* The area in which va lies; false: none, free space or no place for areas. */
bool space_area_at(const struct machine *m, uint64_t va, struct area_view *out);
/* The free space around va; false: it is in use. */
bool space_hole_at(const struct machine *m, uint64_t va, uint64_t *first, uint64_t *last);

/* ---- kmap's windows ---- */

struct pkmap_view {
    uint32_t count; /* pkmap_count: 0 empty; 1 mapped without users; n: n - 1 users */
    uint64_t va, frame;
    bool last; /* last_pkmap_nr: the search goes on behind it */
};
uint32_t space_nr_pkmaps(const struct machine *m); /* LAST_PKMAP; 0 on 64 bits */
struct pkmap_view space_pkmap(const struct machine *m, uint32_t slot);
uint32_t space_nr_pkmap_sleepers(const struct machine *m);
/* The page that the nth sleeper wants, oldest first. */
uint64_t space_pkmap_sleeper(const struct machine *m, uint32_t n, uint32_t *cpu);

/* The slots of the task that runs on a CPU; depth 0 is the first one taken. */
struct kmap_slot_view {
    uint64_t va, frame;
    bool used, mapped; /* used: the task has it; mapped: there is an entry */
};
uint32_t space_nr_kmap_slots(const struct machine *m); /* a CPU; 0 on 64 bits */
struct kmap_slot_view space_kmap_slot(const struct machine *m, uint32_t cpu,
                                      uint32_t depth);
uint32_t space_kmap_depth(const struct machine *m, uint32_t cpu); /* slots in use */
uint32_t space_task(const struct machine *m, uint32_t cpu);

/* ---- addresses ---- */

/* An address that maps a frame. */
struct mapping_view {
    uint64_t va;        /* of the frame's first byte */
    uint32_t shift;     /* log2 of the page that maps it */
    uint64_t entry, at; /* the entry, and its physical address */
    enum kspace_kind region;
    uint32_t mm; /* 0: the kernel's; else the process's address space */
};
/* Calls visit for each address that maps the frame, kernel first, then processes.
 * Answers how many. */
uint32_t space_mappings(const struct machine *m, uint64_t frame, void *ctx,
                        void (*visit)(void *ctx, const struct mapping_view *v));

/* What a frame is used for, in words that begin with whose it is: "page table of level
 * 2", "kernel text", "vmalloc area at 0x...", "free, order 3 Movable". */
int frame_use_text(char *buf, size_t size, const struct machine *m, uint64_t frame);

struct address_view {
    bool is_virtual, canonical;
    uint64_t va;
    uint32_t region; /* space_region(); UINT32_MAX: none */
    bool in_area;
    struct area_view area; /* where in_area */
    bool in_guard;         /* in the area's guard page */
    struct pgtable_entry
        entry;      /* the last on its way; .maps tells whether it is mapped */
    uint64_t pa;    /* UINT64_MAX: it has none */
    uint64_t frame; /* PFN_NONE: not mapped, or no such frame */
    bool is_ram;    /* the frame has a struct page */
    struct page_view page;
};
/* A virtual address of the kernel (mm 0) or of a process's address space. */
struct address_view space_whatis(const struct machine *m, uint32_t mm, uint64_t va);
struct address_view space_whatis_phys(const struct machine *m, uint64_t pa);
/* The same as lines of text. */
int space_whatis_text(char *buf, size_t size, const struct machine *m,
                      const struct address_view *v);

/* ---- files ---- */

/* /proc/vmallocinfo in the kernel's layout, with addresses as they are (not hashed). The
 * caller is the operation that made the area. */
int proc_vmallocinfo(char *buf, size_t size, const struct machine *m);
/* /sys/kernel/debug/page_tables/kernel. */
int proc_page_tables(char *buf, size_t size, const struct machine *m);

#endif
