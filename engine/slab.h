/* The object layer: caches of objects of one size, cut out of pages.
 *
 *   slab_common.c    caches by number, creation and destruction, what both allocators share
 *   slab_geometry.c  alignment, SLAB's order and object count: pure functions
 *   kmalloc.c        kmalloc caches and their boot, large kmalloc, krealloc
 *   slab.c           SLAB: arrays, shared array, three lists of slabs, growth, reaping
 *   slub.c           SLUB: each CPU's slab, allocating from it, freeing, new slabs
 *   slub_cache.c     SLUB: geometry, nodes, boot, flushing, shrinking, taking apart
 *   slub_debug.c     SLUB: red zones, poisoning, users, checks; slub_layout.c: where
 *   slab_merge.c     one cache for several that are alike
 *   slab_pool.c      blocks of the arena for all of that
 *   slab_view.c      looking: caches, slabs, objects, /proc/slabinfo; slab_sysfs.c:
 *                    /sys/kernel/slab
 *   slab_check.c     the invariants below; slub_check.c: those of SLUB
 *   slab_quiet.c     slab.c and kmalloc.c again, for operations that nobody watches
 *
 * Models mm/slab_common.c, mm/slab.c and mm/slub.c; a machine has one of the two
 * (config.slub), and from outside they are the same. One node, so one struct
 * kmem_cache_node a cache, a part of struct kmem_cache here.
 *
 *   root chunks  struct slab_root: caches by number, kmalloc caches, simulated time
 *   pool blocks  64 to 4096 bytes, by reference: struct kmem_cache, struct array_cache,
 *                struct slab with a struct slab_object for each of its objects
 *   RAM          objects, and SLAB's freelists as the bytes that the kernel keeps: at the
 *                slab's end, in a free object, or in a kmalloc'ed object
 *
 * What the kernel allocates for itself it allocates here too, so that its pages and
 * addresses are right: each struct kmem_cache is an object of the cache kmem_cache, its
 * node, shared array and copied name are kmalloc'ed (kmem_cache.addr and so on). Their
 * fields are kept in the arena and not as bytes in those objects. Per-CPU arrays come
 * from the per-CPU area, which is not simulated: they have no address.
 *
 * An object is named by its slab and its number there: `entry`, slab << 16 | number.
 * Caches are named by `id`: a slot, and above it how often the slot has been used.
 *
 * I1  An object is in exactly one place: with a caller (slab_object.in_use), in one entry of
 *     one array, or on its slab's freelist, from index active on; unless somebody wrote
 *     into the freelist, which loses objects of that slab (slab.corrupt, once seen).
 * I2  A slab is on the list that its active says: full, partial, free; total_slabs and
 *     free_slabs count them, free_objects the entries of all their freelists.
 * I3  The first page of a slab has PG_SLAB, and its page.count is the slab's reference.
 * I4  Every object lies inside its slab, at s_mem + number * size.
 * I5  No cache has more entries in an array than its limit.
 * With SLUB:
 *   U1  An object is with a caller, on a CPU's freelist, or on its slab's; unless somebody
 *       wrote into a free one, which loses those behind it (slab.corrupt, once seen).
 *   U2  A slab is frozen and a CPU's (its slab, or one in its chain of partial ones), or on
 *       the node's partial list, or full; the kernel has full ones on no list, here they
 *       are on SLABS_FULL so that one finds them. total_slabs, total_objects count them.
 *   U3  slab.active, the kernel's inuse, is what is not on the slab's own freelist.
 *   U4  A chain of a CPU's partial slabs has no more than cpu_partial_slabs plus those of
 *       one visit to the node.
 *
 * I6  A machine that never uses an object has a root of zeros: the layer boots with the
 *     first operation on objects, or with kmem_cache_init().
 *
 * Left out: NUMA and alien arrays, memory cgroups, KASAN and the like, SLAB's own
 * debugging (CONFIG_DEBUG_SLAB), RCU grace periods (SLAB_TYPESAFE_BY_RCU frees at once).
 * Of SLUB: writing to /sys/kernel/slab and the memory that its kobjects take, the
 * transaction ids of its lockless paths (nothing comes between here), slabs of pages from
 * the reserves (pfmemalloc), hardened and random freelists.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_SLAB_H
#define ENGINE_SLAB_H

#include "page.h"
#include "vm.h"

/* Flags of kmem_cache_create, with the kernel's values. */
#define SLAB_FLAGS(X)                                                                    \
    X(SLAB_CONSISTENCY_CHECKS, 0x100u, "SLUB: check objects and slabs at every step")    \
    X(SLAB_RED_ZONE, 0x400u, "SLUB: bytes around an object that nobody may change")      \
    X(SLAB_POISON, 0x800u, "SLUB: fill free objects with a pattern")                     \
    X(SLAB_KMALLOC, 0x1000u, "one of kmalloc's")                                         \
    X(SLAB_HWCACHE_ALIGN, 0x2000u, "objects begin at cache lines")                       \
    X(SLAB_CACHE_DMA, 0x4000u, "from the DMA zone")                                      \
    X(SLAB_CACHE_DMA32, 0x8000u, "from memory below 4 GiB")                              \
    X(SLAB_STORE_USER, 0x10000u, "SLUB: remember who allocated and freed an object")     \
    X(SLAB_RECLAIM_ACCOUNT, 0x20000u, "objects can be reclaimed: Reclaimable pages")     \
    X(SLAB_PANIC, 0x40000u, "panic if the cache cannot be created")                      \
    X(SLAB_TYPESAFE_BY_RCU, 0x80000u, "pages are freed after a grace period")            \
    X(SLAB_MEM_SPREAD, 0x100000u, "spread over nodes")                                   \
    X(SLAB_TRACE, 0x200000u, "SLUB: print allocations and frees")                        \
    X(SLAB_NOLEAKTRACE, 0x800000u, "kmemleak does not look at it")                       \
    X(SLAB_ACCOUNT, 0x4000000u, "charged to memory cgroups")                             \
    X(CFLGS_OBJFREELIST_SLAB, 0x40000000u, "SLAB: the freelist is in a free object")     \
    X(CFLGS_OFF_SLAB, 0x80000000u, "SLAB: the freelist is in a kmalloc'ed object")
#define SLAB_CONST_(name, value, meaning) static const uint32_t name = value;
#if defined __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#endif
SLAB_FLAGS(SLAB_CONST_)
#if defined __GNUC__
#pragma GCC diagnostic pop
#endif
#undef SLAB_CONST_
/* What callers may ask for. */
#define SLAB_FLAGS_PERMITTED                                                             \
    (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER |           \
     SLAB_TRACE | SLAB_HWCACHE_ALIGN | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_PANIC |  \
     SLAB_TYPESAFE_BY_RCU | SLAB_RECLAIM_ACCOUNT | SLAB_MEM_SPREAD | SLAB_NOLEAKTRACE |  \
     SLAB_ACCOUNT)

enum {
    SLAB_SLOTS = 1024, /* caches at a time; slot 0 is none */
    SLAB_NAME = 64,    /* bytes of a name, its end included */
    KMALLOC_SHIFT_HIGH = PAGE_SHIFT + 1,
    KMALLOC_MAX_CACHE_SIZE = 1 << KMALLOC_SHIFT_HIGH,
    SLAB_MAX_BULK = 504,   /* objects of one bulk operation: what a pool block holds */
    SLAB_MAX_ENTRIES = 510 /* of one array, for the same reason */
};

#define LIKELY(x) (!UNLIKELY(!(x)))

enum kmalloc_type { KMALLOC_NORMAL, KMALLOC_RECLAIM, KMALLOC_DMA, NR_KMALLOC_TYPES };

/* slab_state: how far the boot has come */
enum slab_state { SLAB_DOWN, SLAB_PARTIAL, SLAB_PARTIAL_NODE, SLAB_UP, SLAB_FULL };

enum slab_list_kind { SLABS_NONE, SLABS_PARTIAL, SLABS_FULL, SLABS_FREE, NR_SLAB_LISTS };

/* Where a slab's freelist is. */
enum freelist_place {
    FREELIST_ON_SLAB,
    FREELIST_IN_OBJECT,
    FREELIST_OFF_SLAB,
    FREELIST_CHAIN /* SLUB: each free object has the next one's address in it */
};

struct slab_list { /* of slabs, by reference; 0: none */
    uint32_t first, last, nr;
};

struct kmem_cache {
    char name[SLAB_NAME];
    uint32_t id;
    uint32_t prev, next; /* ids: slab_caches, newest first */
    int32_t refcount;
    /* geometry */
    uint32_t object_size, size, align;
    uint32_t flags, allocflags;
    uint32_t num, gfporder; /* objects a slab, order of its pages */
    uint32_t colour, colour_off, freelist_size;
    uint32_t ctor; /* 0: none; 0x100 | the byte that it fills objects with */
    /* tunables */
    uint32_t batchcount, limit, shared;
    uint64_t inverse; /* ceil(2^44 / size): index_of */
    /* kernel addresses of its parts; 0: part of the image, or loaded from a record */
    uint64_t addr, name_addr, node_addr, shared_addr;
    /* struct kmem_cache_node */
    struct slab_list list[NR_SLAB_LISTS];
    uint32_t total_slabs, free_slabs;
    uint32_t free_objects, free_limit;
    uint32_t colour_next, free_touched;
    uint64_t next_reap;
    uint32_t shared_array; /* reference; 0: none */
    uint32_t locked;       /* list_lock */
    /* struct array_cache by CPU; with SLUB struct slub_cpu */
    uint32_t array[MAX_CPUS];
    /* SLUB: where the next one's address is in a free object; the bytes in front of what
     * SLUB adds; order and objects when memory is short (num, gfporder: when it is not).
     * min_num is 0 with SLAB. */
    uint32_t offset, inuse, min_order, min_num;
    uint32_t min_partial, cpu_partial, cpu_partial_slabs;
    uint32_t red_left_pad; /* bytes in front of each object (slub_debug.h) */
    uint64_t total_objects;
    uint32_t aliases; /* block: names of caches that were merged into it */
};
_Static_assert(sizeof(struct kmem_cache) <= 1024, "a pool block");

struct array_cache { /* entries from index 0 up; the last is handed out next */
    uint32_t avail, limit, batchcount, touched;
    uint64_t entry[];
};

struct slub_cpu {      /* struct kmem_cache_cpu */
    uint64_t freelist; /* address of the object that goes out next; 0: none */
    uint32_t slab;     /* whose that is, frozen; 0: none */
    uint32_t partial;  /* frozen slabs for later, chained by next */
    int64_t out;       /* objects that went out on this CPU less those that came back */
};

struct slab_object {
    uint32_t alloc_op; /* number of the operation that last allocated it, 0 none */
    uint32_t free_op : 31;
    uint32_t in_use : 1; /* a caller has it */
};

/* struct slab, and behind it its objects. With more than SLAB_INLINE objects these are in
 * blocks of SLAB_INLINE of their own. */
struct slab {
    uint32_t prev, next; /* on its list */
    uint32_t pfn;
    uint32_t cache;  /* id */
    uint32_t active; /* objects that are not on the freelist; SLUB: inuse */
    uint8_t list;    /* enum slab_list_kind */
    uint8_t order;
    uint16_t num;
    uint64_t s_mem;    /* address of the first object */
    uint64_t freelist; /* address; 0: none */
    uint32_t op;       /* number of the operation that made it */
    uint32_t blocks;   /* of objects, when they are not behind it */
    uint32_t slabs;    /* SLUB: in a CPU's chain, how many it is the first of */
    uint8_t frozen;    /* SLUB: a CPU's */
    uint8_t corrupt;   /* a part of its freelist is lost */
    uint16_t unused;
    struct slab_object object[];
};
enum { SLAB_INLINE = 504, SLAB_HEADER = 64 };
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "objects begin at 64");

struct slab_root {
    alignas(4096) uint32_t state;    /* enum slab_state */
    uint32_t nr_caches, first, last; /* slab_caches: ids */
    uint32_t mutex;                  /* slab_mutex */
    uint32_t nesting;                /* operations on objects that are under way */
    uint32_t irqs_off;               /* sections with interrupts off that we are in */
    uint32_t pool_first[7];
    uint32_t pool_index; /* chunk: chunks that the pool has */
    uint32_t kmalloc[NR_KMALLOC_TYPES][KMALLOC_SHIFT_HIGH + 1];
    uint32_t kmem_cache;      /* the cache of caches */
    uint32_t kmem_cache_node; /* SLUB: the cache of nodes */
    uint32_t staged; /* block: objects for the next bulk free, or of the last bulk
                            allocation */
    uint32_t nr_staged;
    uint32_t answered; /* they are the answer of a bulk allocation */
    uint32_t next_slot;
    uint32_t tainted;    /* TAINT_BAD_PAGE: SLUB has found damage */
    uint32_t since_reap; /* operations on objects since the last periodic cache_reap() */
    uint64_t jiffies;    /* simulated time: each CPU's reap timer moves it on */
    uint64_t cpu_reaped[MAX_CPUS];             /* when it last ran there */
    uint64_t nr_reclaimable, nr_unreclaimable; /* pages, NR_SLAB_*_B */
    uint32_t mempools;                         /* block: pools by slot (mempool.h) */
    uint32_t nr_mempools;
    alignas(4096) uint32_t cache[SLAB_SLOTS]; /* references by slot */
    uint32_t used[SLAB_SLOTS];                /* how often the slot was used */
};

enum { SLAB_HZ = 250, REAPTIMEOUT_AC = 2 * SLAB_HZ, REAPTIMEOUT_NODE = 4 * SLAB_HZ };

/* ---- creation ---- */

uint64_t slab_arena_bytes(const struct machine_config *c, uint64_t max_pfn);
/* False: the arena is too small. */
bool slab_create(struct machine *m);
/* A state was loaded: all caches are forgotten; their pages belong to others now. */
void slab_reset(struct machine *m);
/* One of the operations OP_KMEM_CACHE_INIT ... OP_CACHE_REAP. */
uint64_t slab_do(struct machine *m, const struct op *op);
static inline bool slab_is_op(uint16_t kind)
{
    return kind >= OP_KMEM_CACHE_INIT && kind <= OP_CACHE_REAP;
}
/* The same for the frequent ones, when nobody watches (slab_quiet.c). */
uint64_t slab_do_quiet(struct machine *m, const struct op *op);
static inline bool slab_is_quick(const struct machine *m, const struct op *op)
{
    return (!m->config.reap_ops || m->config.slub) &&
           (m->slab->state == SLAB_FULL ||
            (m->slab->first && op->kind <= OP_KMEM_CACHE_FREE));
}
const char *slab_check(const struct machine *m);

/* ---- blocks ---- */

static inline void *slab_block(const struct machine *m, uint32_t ref)
{
    return m->arena.base + ((size_t)ref << 6);
}
static inline uint32_t slab_ref(const struct machine *m, const void *block)
{
    return (uint32_t)((size_t)((const unsigned char *)block - m->arena.base) >> 6);
}
/* A block of zeros of at least so many bytes, or 0: no memory. Back with the same
 * size. */
uint32_t slab_pool_take(struct machine *m, size_t size_bytes);
void slab_pool_give(struct machine *m, uint32_t ref, size_t size_bytes);
void slab_pool_reset(struct machine *m);

/* ---- reading and writing: the _w ones mark ---- */

static inline struct slab_root *slab_root_w(struct machine *m)
{
    arena_mark(&m->arena, m->slab);
    return m->slab;
}
/* NULL: there is no such cache (any more). */
static inline const struct kmem_cache *cache_r(const struct machine *m, uint64_t id)
{
    const uint32_t ref = m->slab->cache[id % SLAB_SLOTS];
    const struct kmem_cache *c = ref ? slab_block(m, ref) : NULL;
    return c && c->id == id ? c : NULL;
}
static inline struct kmem_cache *cache_w(struct machine *m, const struct kmem_cache *c)
{
    arena_mark(&m->arena, c);
    return (struct kmem_cache *)slab_block(m, slab_ref(m, c));
}
static inline const struct slab *slab_r(const struct machine *m, uint32_t ref)
{
    return slab_block(m, ref);
}
static inline struct slab *slab_w(struct machine *m, uint32_t ref)
{
    struct slab *s = slab_block(m, ref);
    arena_mark(&m->arena, s);
    return s;
}
static inline const struct array_cache *array_r(const struct machine *m, uint32_t ref)
{
    return slab_block(m, ref);
}
static inline struct array_cache *array_w(struct machine *m, uint32_t ref)
{
    struct array_cache *a = slab_block(m, ref);
    arena_mark(&m->arena, a);
    return a;
}

static inline struct slab_object *slab_object_at(const struct machine *m,
                                                 const struct slab *s, uint32_t i)
{
    if (UNLIKELY(s->blocks)) {
        const uint32_t *blocks = slab_block(m, s->blocks);
        struct slab_object *first = slab_block(m, blocks[i / SLAB_INLINE]);
        return first + i % SLAB_INLINE;
    }
    unsigned char *first = (unsigned char *)slab_block(m, slab_ref(m, s)) + SLAB_HEADER;
    return (struct slab_object *)(void *)first + i;
}

enum { ENTRY_SHIFT = 16 };
static inline uint64_t entry_of(uint32_t slab, uint32_t i)
{
    return (uint64_t)slab << ENTRY_SHIFT | i;
}
static inline uint32_t entry_slab(uint64_t entry)
{
    return (uint32_t)(entry >> ENTRY_SHIFT);
}
static inline uint32_t entry_index(uint64_t entry) { return entry & 0xffff; }
static inline uint64_t index_to_obj(const struct kmem_cache *c, const struct slab *s,
                                    uint32_t i)
{
    return s->s_mem + (uint64_t)c->size * i;
}
static inline const struct slub_cpu *slub_cpu_at(const struct machine *m,
                                                 const struct kmem_cache *c, uint32_t cpu)
{
    return slab_block(m, c->array[cpu]);
}
static inline uint64_t entry_va(const struct machine *m, const struct kmem_cache *c,
                                uint64_t entry)
{
    return index_to_obj(c, slab_r(m, entry_slab(entry)), entry_index(entry));
}
/* offset / size, for offsets up to MAX_SLAB_OFFSET. */
enum { MAX_SLAB_OFFSET = (1 << 22) - 1 };
static inline uint32_t offset_to_index(const struct kmem_cache *c, uint64_t offset)
{
    return (uint32_t)(offset * c->inverse >> 44);
}

static inline enum freelist_place cache_place(const struct kmem_cache *c)
{
    return c->min_num                          ? FREELIST_CHAIN
           : c->flags & CFLGS_OBJFREELIST_SLAB ? FREELIST_IN_OBJECT
           : c->flags & CFLGS_OFF_SLAB         ? FREELIST_OFF_SLAB
                                               : FREELIST_ON_SLAB;
}

/* ---- slab_geometry.c ---- */

/* sizeof(void *) */
static inline uint32_t slab_word(const struct machine_config *c)
{
    return c->arch == ARCH_X86_64 ? 8 : 4;
}
uint32_t slab_cache_line(const struct machine_config *c); /* cache_line_size() */
/* KMALLOC_SHIFT_LOW */
static inline uint32_t slab_min_kmalloc_shift(const struct machine_config *c)
{
    return c->slub ? 3 : 5;
}
uint32_t slab_sizeof_kmem_cache(const struct machine_config *c);
uint32_t slab_sizeof_node(const struct machine_config *c);
uint32_t calculate_alignment(const struct machine_config *c, uint32_t flags,
                             uint32_t align, uint32_t size);
/* SLAB's __kmem_cache_create: from object_size, align, flags and ctor to all the rest of
 * the geometry. False: no order will do. */
bool slab_calculate(const struct machine *m, struct kmem_cache *c);
/* enable_cpucache: limit, batchcount and shared from the size. */
void slab_tunables(const struct machine *m, struct kmem_cache *c);

/* slab_unmergeable: may no other cache share it? */
bool slab_unmergeable(const struct machine *m, const struct kmem_cache *c);
/* The i-th name that a cache was asked for by after its own; NULL past the last. */
const char *slab_alias_name(const struct machine *m, const struct kmem_cache *c,
                            uint32_t i);

/* ---- slab_common.c ---- */

struct slab_spec { /* what kmem_cache_create is asked for */
    const char *name;
    uint64_t size, align, flags;
    uint32_t ctor; /* as kmem_cache.ctor */
};
/* 0: not created (reported). */
uint32_t kmem_cache_create(struct machine *m, const struct slab_spec *spec);
void kmem_cache_destroy(struct machine *m, uint64_t id);
/* A slot with a zeroed struct kmem_cache, on no list yet; NULL: none left. */
struct kmem_cache *slab_cache_new(struct machine *m, const char *name);
void slab_cache_drop(struct machine *m, struct kmem_cache *c);
/* list_add(&s->list, &slab_caches) */
void slab_cache_link(struct machine *m, struct kmem_cache *c);
/* A cache as a record dumps it, new and empty; costs no page. The next free_limit comes
 * from the CPUs online. */
uint32_t slab_load_cache(struct machine *m, const struct slab_spec *spec);

/* The slab that an address lies in, as a reference; 0: none. */
uint32_t virt_to_slab(const struct machine *m, uint64_t va);
/* alloc_pages for a slab of c, made struct slab: page flags and counters. 0: no
 * memory. */
uint32_t slab_page_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp);
/* The same with an order and a number of objects of its own. */
uint32_t slab_page_alloc_order(struct machine *m, const struct kmem_cache *c, gfp_t gfp,
                               uint32_t order, uint32_t num);
/* kmem_freepages */
void slab_page_free(struct machine *m, uint32_t slab);
void slab_list_add(struct machine *m, struct kmem_cache *c, uint32_t slab,
                   enum slab_list_kind kind, bool tail);
void slab_list_del(struct machine *m, struct kmem_cache *c, uint32_t slab);
/* Bytes at an address of the direct map. */
bool slab_write(struct machine *m, uint64_t va, const void *bytes, size_t nr);
void slab_read(const struct machine *m, uint64_t va, void *bytes, size_t nr);

void slab_report(struct machine *m, uint32_t reason, uint64_t va, uint32_t cache);

/* local_irq_save and local_irq_restore of these files. */
static inline uint32_t slab_irq_save(struct machine *m)
{
    struct cpu *c = cpu_hot(m);
    uint32_t flags = c->irqs_disabled;
    c->irqs_disabled = 1;
#ifndef PROBE_QUIET /* nobody comes between then */
    slab_root_w(m)->irqs_off++;
#endif
    return flags;
}
static inline void slab_irq_restore(struct machine *m, uint32_t flags)
{
#ifndef PROBE_QUIET
    slab_root_w(m)->irqs_off--;
#endif
    cpu_hot(m)->irqs_disabled = flags;
}

/* ---- slab.c ---- */

uint64_t kmem_cache_alloc(struct machine *m, const struct kmem_cache *c, gfp_t gfp);
void kmem_cache_free(struct machine *m, const struct kmem_cache *c, uint64_t va);

#endif
