/* What the kernel's allocators touch of their own data structures, made through the
 * simulated hardware: every load and store of an array_cache, a struct slab, a zone or a
 * list of pages is an access of the CPU that runs, with its TLB probes, cache lines and
 * cycles (option of the machine: kernel_accesses; off, none of this exists).
 *
 *   step of an allocator      touch.def, touch_steps.c     touch_place.c
 *   EV_SLAB_ARRAY_HIT  --->   array_cache.avail, RW  --->  an address of the direct map
 *   list_del(page)     --->   page.lru of three pages ->   ... of vmemmap
 *                                       |
 *                             hardware_kernel_access()  -->  log of the operation
 *
 * Where what is written down in the arena has an address in the kernel, the access goes
 * there: frames to the frame table (64 bytes each on x86-64, 32 on i386), caches, nodes
 * and shared arrays to the objects that they are, what is per CPU to that CPU's area,
 * zones to the node's page. A store writes the bytes that are there already: the arena is
 * what the machine goes by, and only freelists and objects are bytes in RAM.
 *
 * A step is made before its event is announced (events.h), and so after what it stands
 * for: an event inside an access is told before the allocator's. Between two events, list
 * operations are only noted, and made with the next event, so that nobody comes between
 * them who did not before.
 *
 * I1  Without the option neither an address nor an event nor a byte of the arena differs.
 * I2  An access goes to a mapped address, or is dropped and counted: none faults.
 * I3  In an access there is no other: what a hook does inside of one touches nothing.
 *
 * Left out: instructions, stacks and locals; struct pages of pages that a search passes
 * over; page tables, vmalloc, creation and destruction of caches; NUMA; kernel text's
 * constants, static variables but zones and boot caches; prefetches; cycles of the
 * instructions themselves, atomic or not; HighMem pages that are cleared.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_TOUCH_H
#define ENGINE_TOUCH_H

#include <stdalign.h>

#include "machine.h"

enum touch_layer {
#define TOUCH_LAYER(id, name, what) LAYER_##id,
#include "touch.def"
    NR_TOUCH_LAYERS
};

enum touch_field {
#define TOUCH_FIELD(id, structure, name, at64, bytes64, at32, bytes32) TF_##id,
#include "touch.def"
    NR_TOUCH_FIELDS
};

enum touch_access { TOUCH_R = 1, TOUCH_W = 2, TOUCH_RW = 3 };

/* One access. */
struct touch {
    uint64_t va, pa;
    uint32_t cycles;
    uint16_t event; /* enum event_kind that it belongs to; 0: the operation's end */
    uint8_t field;  /* enum touch_field */
    uint8_t size;   /* bytes */
    uint8_t layer;  /* enum touch_layer */
    uint8_t write, cpu;
    uint8_t page_shift; /* log2 of the page that maps it */
    uint8_t l1_missed, l2_missed, tlb_missed;
    uint8_t walk_reads; /* page-table entries that were read for it */
};

/* What a layer's accesses cost together. */
struct touch_sum {
    uint64_t reads, writes;
    uint64_t l1_misses, l2_misses, tlb_misses, walk_reads;
    struct cycles cycles;
};

enum { TOUCH_LOG = 4096 };

/* The operation that ran last or is under way, with what was nested in it; in the
 * arena. */
struct touch_log {
    alignas(4096) uint64_t nr; /* accesses; the first TOUCH_LOG are in entry[] */
    uint64_t dropped;          /* to addresses that nothing is mapped at */
    uint64_t op;               /* number of the operation, of mm.nr_ops */
    struct touch_sum sum[NR_TOUCH_LAYERS];
    alignas(4096) struct touch entry[TOUCH_LOG];
};

/* What is noted between two events. */
struct touch_want {
    uint64_t va;
    uint8_t field, size, layer, write;
};
enum { TOUCH_WANTS = 8192 };

struct touching { /* the host's handle */
    struct touch_log *log;
    bool in_arena; /* the log is */
    uint32_t wanted, done;
    uint16_t event; /* whose accesses are made now */
    struct touch_want want[TOUCH_WANTS];
};

/* ---- the machine's own calls ---- */

uint64_t touch_arena_bytes(const struct machine_config *c);
/* False: no memory. Does nothing where the option is off. */
bool touch_create(struct machine *m);
void touch_destroy(struct machine *m);
/* An operation of the user's begins; it, or one nested in it, ends. */
void touch_begin(struct machine *m);
void touch_end(struct machine *m);
/* From now on this machine's kernel makes its accesses, and they are logged in what the
 * caller has (zeroed): for a machine that is only measured, since time travel knows
 * nothing of it. NULL: no longer. */
void touch_attach(struct machine *m, struct touching *t);
struct touching *touch_new(void); /* NULL: no memory */
void touch_delete(struct touching *t);
/* The same access once more on a CPU, not logged. */
void touch_again(struct machine *m, uint32_t cpu, const struct touch *t);

/* ---- where the engine touches without an event ---- */

/* Only the files whose operations are measured see it: they define PROBE_BEFORE. */
#if defined PROBE_BEFORE && !defined PROBE_QUIET
#define TOUCH_NOTE(m, call)                                                              \
    do {                                                                                 \
        if (UNLIKELY((m)->touching != NULL)) {                                           \
            call;                                                                        \
        }                                                                                \
    } while (0)
#else
#define TOUCH_NOTE(m, call) ((void)0)
#endif

struct kmem_cache;
/* list_add and list_del of pages: ids of page.h, prev and next the neighbours. */
void touch_list_add(struct machine *m, uint32_t id, uint32_t prev, uint32_t next);
void touch_list_del(struct machine *m, uint32_t id, uint32_t prev, uint32_t next);
/* ... of slabs, by reference; 0: the list's head in the node. */
void touch_slab_list(struct machine *m, const struct kmem_cache *c, uint32_t kind,
                     uint32_t slab, uint32_t prev, uint32_t next, bool add);
void touch_list_lock(struct machine *m, const struct kmem_cache *c);
void touch_zone_lock(struct machine *m, uint32_t zone);
/* __mod_zone_page_state: this CPU's difference, and the zone's counter where it is
 * folded. */
void touch_zone_stat(struct machine *m, uint32_t zone, bool folded);

/* ---- looking (touch_cost.c) ---- */

struct touch_cost {
    struct touch_sum sum;
    uint32_t lines_l1,
        lines_l2;   /* different lines, in lines of that cache; 0: no cache */
    uint32_t pages; /* different pages: TLB entries, large ones as one */
    uint64_t dropped;
    bool partial; /* there were more accesses than the log has: the three are too low */
};
enum { TOUCH_ALL_LAYERS = (1 << NR_TOUCH_LAYERS) - 1 };
/* What the last operation, or the one under way so far, touched in these layers (bit n:
 * layer n). False: the machine does not make the kernel's accesses. */
bool touch_cost(const struct machine *m, uint32_t layers, struct touch_cost *out);
/* The accesses one by one, in their order. NULL past the end. */
uint32_t touch_nr(const struct machine *m);
const struct touch *touch_at(const struct machine *m, uint32_t i);
bool touch_is_on(const struct machine *m);

/* ---- addresses (touch_place.c); 0: the machine has no such place ---- */

uint64_t touch_page_va(const struct machine *m, uint64_t frame); /* struct page */
uint64_t touch_zone_va(const struct machine *m, uint32_t zone);
uint64_t touch_cache_va(const struct machine *m, const struct kmem_cache *c);
uint64_t touch_node_va(const struct machine *m, const struct kmem_cache *c);
/* struct array_cache, with SLUB struct kmem_cache_cpu */
uint64_t touch_array_va(const struct machine *m, const struct kmem_cache *c,
                        uint32_t cpu);
uint64_t touch_pcp_va(const struct machine *m, uint32_t zone, uint32_t cpu);
uint64_t touch_stat_va(const struct machine *m, uint32_t zone, uint32_t cpu);
uint64_t touch_events_va(const struct machine *m, uint32_t cpu);
uint64_t touch_zoneref_va(const struct machine *m, uint32_t nr);
uint64_t touch_block_bits_va(const struct machine *m, uint32_t zone, uint64_t frame);

struct touch_field_view {
    const char *structure, *name;
    uint32_t offset, size; /* bytes, in this machine's kernel */
};
struct touch_field_view touch_field_view(const struct machine *m, uint32_t field);
const char *touch_layer_name(uint32_t layer);
const char *touch_layer_text(uint32_t layer);

/* ---- for touch_steps.c ---- */

/* The accesses of an event, noted. */
void touch_steps(struct machine *m, uint16_t event, const uint64_t *arg);
/* Note one access (two for TOUCH_RW) of the field in the structure at base (0:
 * nothing). */
void touch_note(struct machine *m, uint32_t layer, uint64_t base, uint32_t field,
                enum touch_access access);
/* ... of its element i, step bytes apart; and of nr bytes from va on, line by line. */
void touch_note_at(struct machine *m, uint32_t layer, uint64_t base, uint32_t field,
                   uint64_t offset, enum touch_access access);
void touch_note_bytes(struct machine *m, uint32_t layer, uint64_t va, uint64_t nr,
                      bool write);
/* Make what is noted. */
void touch_flush(struct machine *m);

const char *touch_check(const struct machine *m);

#endif
