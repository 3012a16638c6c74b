/* A record of what a real kernel answered (tests/golden/, and others like them), parsed.
 *
 *   boot messages          memory map, command line, what was freed when
 *   === /proc/oracle       the probe: state dumps, calls with their answers -> items
 *   === /proc/zoneinfo ... files as they were afterwards -> record_section()
 *
 * Parsing is strict: a line that is not understood is an error that names it, never
 * skipped. Kinds of lines that a machine has no counterpart for become items as well, so
 * that whoever replays can count them. Kernel messages ("[ 0.123] text") may stand
 * anywhere.
 *
 * Bounds: RECORD_MAX_TEXT bytes of text, MAX_CPUS CPUs, 4 zones a state, page frames of
 * 32 bits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCRIPTS_RECORD_H
#define SCRIPTS_RECORD_H

#include "machine.h"

enum { RECORD_MAX_TEXT = 1 << 30, RECORD_ZONES = 4 };

/* Kinds of lines that have no type of their own above: LINE(id, "first word", "belongs
 * to") */
#define RECORD_UNMODELLED(LINE)                                                          \
    LINE(GEOMETRY, "geometry", "objects")                                                \
    LINE(CACHE, "cache", "objects")                                                      \
    LINE(NODE, "node", "objects")                                                        \
    LINE(ARRAY_CACHE, "array_cache", "objects")                                          \
    LINE(SHARED, "shared", "objects")                                                    \
    LINE(SLAB, "slab", "objects")                                                        \
    LINE(CPU_SLAB, "cpu_slab", "objects")                                                \
    LINE(KMEM_CACHE_ALLOC, "kmem_cache_alloc", "objects")                                \
    LINE(KMEM_CACHE_FREE, "kmem_cache_free", "objects")                                  \
    LINE(KMALLOC, "kmalloc", "objects")                                                  \
    LINE(VMAP_AREA, "vmap_area", "address space")                                        \
    LINE(VMALLOC, "vmalloc", "address space")                                            \
    LINE(VFREE, "vfree", "address space")                                                \
    LINE(VM_UNMAP_ALIASES, "vm_unmap_aliases", "address space")                          \
    LINE(VMAP, "vmap", "address space")                                                  \
    LINE(VUNMAP, "vunmap", "address space")                                              \
    LINE(IOREMAP, "ioremap", "address space")                                            \
    LINE(IOUNMAP, "iounmap", "address space")                                            \
    LINE(KMAP, "kmap", "address space")                                                  \
    LINE(KUNMAP, "kunmap", "address space")                                              \
    LINE(KMAP_ATOMIC, "kmap_atomic", "address space")                                    \
    LINE(KUNMAP_ATOMIC, "kunmap_atomic", "address space")                                \
    LINE(SWAPPED, "swapped", "address space")

enum record_kind {
    RECORD_STATE,     /* n: number of the state */
    RECORD_SEQ,       /* n: number of the sequence */
    RECORD_ALLOC,     /* order, gfp; pfn: the answer, RECORD_NULL for NULL */
    RECORD_FREE,      /* order, pfn */
    RECORD_EXHAUSTED, /* n: how many allocations succeeded */
#define RECORD_ENUM_(id, word, what) RECORD_##id,
    RECORD_UNMODELLED(RECORD_ENUM_)
#undef RECORD_ENUM_
        NR_RECORD_KINDS
};

#define RECORD_NULL UINT32_MAX

struct record_item {
    uint8_t kind; /* enum record_kind */
    uint8_t order;
    uint32_t line; /* 1, 2, ... in the file */
    union {
        gfp_t gfp;
        uint32_t n;
    };
    uint32_t pfn;
};

struct record_vm {   /* a line of the address space: item.n is its number */
    uint64_t arg[2]; /* as the line has them: size, address, page frame ... */
    uint64_t answer; /* an address; 0 for NULL, or where the line has none */
    bool lowmem;     /* answered from the direct map */
    uint8_t preempt; /* kmap_atomic: preempt=0|1; 2: the line does not say */
};

enum { RECORD_NAME = 64, RECORD_VALUES = 16 };
enum record_slab_list {
    RECORD_PARTIAL,
    RECORD_FULL,
    RECORD_FREE_SLABS,
    RECORD_CPU_PARTIAL,
    NR_RECORD_LISTS
};

struct record_object { /* a line of objects: item.n is its number */
    const char *name;  /* of the cache, in record.text; not terminated */
    uint32_t name_len;
    uint8_t slub;    /* of which allocator the line's form is */
    uint8_t list;    /* slab: enum record_slab_list */
    uint64_t arg[2]; /* geometry: size, hwalign; kmalloc: size, ksize */
    uint64_t va;     /* calls: an address; 0 for NULL */
    /* dumps: by the order of record_slab.c's forms */
    uint64_t value[RECORD_VALUES];
    uint32_t first, nr; /* the list behind the colon, in record.wides */
};

struct record_list { /* a free list or a per-CPU list, in order */
    uint32_t line;
    bool pcp;
    uint32_t cpu;   /* pcp */
    uint32_t index; /* pcp: order * 3 + migratetype; free list: order */
    enum migratetype type;
    uint32_t first, nr; /* in record.numbers */
};

struct record_pcp {
    uint32_t line; /* 0: this CPU is not in the dump */
    uint32_t count, high, batch, free_factor, threshold;
    int32_t free_diff;
};

struct record_zone {
    uint32_t line;
    enum zone_type type;
    uint64_t start, spanned, present, managed, min, low, high, boost, highatomic;
    uint64_t free; /* the counter as the kernel prints it */
    uint64_t lowmem_reserve[RECORD_ZONES];
    uint32_t nr_reserve;
    uint32_t pageset_high, pageset_batch, flags;
    struct record_pcp pcp[MAX_CPUS];
    uint32_t first_list, nr_lists;     /* in record.lists */
    uint32_t blocks_line, nr_blocks;   /* 0: no blocks line */
    uint32_t block_order, first_block; /* first_block in record.types */
    uint64_t blocks_start;
    uint32_t lru_line, first_lru,
        nr_lru; /* pairs in record.numbers: first and last page */
};

struct record_state {
    char tag[64];
    uint32_t line;
    bool load; /* start, before-*: begin from here. Else: an answer to compare */
    uint64_t totalreserve;
    uint32_t nr_zones;
    struct record_zone zone[RECORD_ZONES];
};

struct record_seq {
    const char *text; /* the line behind "seq ", in record.text; not terminated */
    uint32_t text_len, line;
};

struct record {
    char *text; /* all of it */
    size_t text_size;
    uint32_t ptrs, cpus, cpu, max_order, pageblock_order; /* the line `oracle` */
    char kernel[64];
    bool cut; /* the text ends inside /proc/oracle, at the end of a line */

    struct record_item *items;
    uint32_t nr_items;
    struct record_state *states;
    uint32_t nr_states;
    struct record_seq *seqs;
    uint32_t nr_seqs;
    struct record_list *lists;
    uint32_t nr_lists;
    uint32_t *numbers; /* page frames of all lists, one after the other */
    uint32_t nr_numbers;
    uint8_t *types; /* enum migratetype of pageblocks */
    uint32_t nr_types;
    struct record_vm *vms;
    uint32_t nr_vms;
    struct record_object *objects;
    uint32_t nr_objects;
    uint64_t *wides; /* numbers of 64 bits of all lists, one after the other */
    uint32_t nr_wides;

    /* boot messages; 0 where they are missing */
    struct memmap_entry memmap[MAX_MEMMAP];
    uint32_t nr_memmap;
    uint64_t highmem_bytes;              /* highmem=, UINT64_MAX: not given */
    uint64_t ramdisk_start, ramdisk_end; /* bytes, where it lay when it was freed */
    uint64_t freed_initrd_kib; /* "Freeing initrd memory" before the probe's end */
    bool pae;
};

/* Read and parse. NULL: "FILE:LINE: cause: remedy" in err. */
struct record *record_open(const char *path, char *err, size_t err_size);
/* The same from bytes, plain or packed; name is what messages call it. */
struct record *record_parse(const char *name, const void *data, size_t size, char *err,
                            size_t err_size);
void record_free(struct record *r);

/* The text of a section ("/proc/zoneinfo"), or NULL. */
const char *record_section(const struct record *r, const char *path, size_t *size);

/* The word that lines of this kind begin with, and what they belong to ("" where
 * modelled). */
const char *record_kind_word(enum record_kind kind);
const char *record_kind_group(enum record_kind kind);

/* The type that a zone of lowmem_reserve[i] stands for: the kernel's zone number i. */
enum zone_type record_zone_index(const struct record *r, uint32_t i);

#endif
