/* The replay of objects: geometries, dumps of caches, calls.
 *
 * Both allocators' lines are read here; a machine has only the one that its record has.
 *
 *   geometry           an answer: computed anew, and compared field by field
 *   cache, node, ...   a state: all lines of one cache together. The machine takes on a
 *                      cache that it has not met yet, which must be new and empty; then
 *                      all is compared, slabs in the order of their lists
 *   kmem_cache_alloc   an operation; its answer is compared
 *   kmem_cache_free    an operation
 *   kmalloc            an answer: name and ksize
 *
 * The state of the kmalloc caches is not recorded, so a small kmalloc is looked up and
 * not done. It changes the page allocator's state only when the kernel's cache had to
 * grow; that it did shows in the address, whose page was free in the machine: then the
 * machine allocates it too. A large kmalloc is done as the pages that it is, and they are
 * freed again at once, as the probe did.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "inspect.h"
#include "replay_private.h"
#include "slab_view.h"

/* Where record_slab.c's forms put what (SLAB's). */
enum { G_SIZE, G_ALIGN, G_NUM, G_ORDER, G_COLOUR, G_COLOUR_OFF, G_FREELIST_SIZE };
enum { G_PLACE = G_FREELIST_SIZE + 1, G_LIMIT, G_BATCH, G_SHARED };
enum { C_OBJECT_SIZE, C_SIZE, C_ALIGN, C_NUM, C_ORDER, C_COLOUR, C_COLOUR_OFF };
enum { C_FREELIST_SIZE = C_COLOUR_OFF + 1, C_LIMIT, C_BATCH, C_SHARED, C_FLAGS };
enum { N_TOTAL, N_FREE_SLABS, N_FREE_OBJECTS, N_FREE_LIMIT, N_COLOUR_NEXT };
enum { A_CPU, A_AVAIL, A_LIMIT, A_BATCH };
enum { S_AVAIL, S_LIMIT };
enum { SLAB_PFN, SLAB_S_MEM, SLAB_ACTIVE, SLAB_FREELIST };

/* SLUB's. */
enum { U_SIZE, U_ALIGN, U_OFFSET, U_INUSE, U_ORDER, U_OBJECTS, U_MIN_ORDER };
enum { U_MIN_OBJECTS = U_MIN_ORDER + 1, U_MIN_PARTIAL, U_CPU_PARTIAL, U_CPU_SLABS };
enum { UC_OBJECT_SIZE, UC_GEOMETRY, UC_FLAGS = UC_GEOMETRY + U_CPU_SLABS + 1 };
enum { UN_PARTIAL };
enum { CPU_CPU, CPU_SLAB };
enum { SLUB_MOST = PAGE_SIZE }; /* objects in a slab: 8 pages of 8 bytes each */
enum { US_PFN, US_INUSE, US_OBJECTS, US_FROZEN };
/* __CMPXCHG_DOUBLE: the processor has the instruction, which nothing else depends on */
enum { SLUB_CMPXCHG_DOUBLE = 0x40000000 };

static const struct record_object *object_of(const struct record *r, uint32_t i)
{
    return &r->objects[r->items[i].n];
}

static bool same_name(const struct record_object *a, const struct record_object *b)
{
    return a->name_len == b->name_len && !memcmp(a->name, b->name, a->name_len);
}

static void name_of(const struct record_object *o, char name[RECORD_NAME])
{
    memcpy(name, o->name, o->name_len);
    name[o->name_len] = 0;
}

static uint32_t machine_cache(const struct replay *rp, const struct record_object *o)
{
    char name[RECORD_NAME];
    name_of(o, name);
    return cache_by_name(rp->on, name);
}

static bool is_dump(uint8_t kind)
{
    return kind == RECORD_NODE || kind == RECORD_ARRAY_CACHE || kind == RECORD_SHARED ||
           kind == RECORD_SLAB || kind == RECORD_CPU_SLAB;
}

/* The item behind the last line of the dump that begins at item i. */
static uint32_t dump_end(const struct record *r, uint32_t i)
{
    const struct record_object *first = object_of(r, i);
    uint32_t end = i + 1;
    while (end < r->nr_items && is_dump(r->items[end].kind) &&
           same_name(first, object_of(r, end))) {
        end++;
    }
    return end;
}

/* A cache that can be loaded has nothing in it. */
static bool dump_is_empty(const struct record *r, uint32_t i)
{
    for (const uint32_t end = dump_end(r, i); i < end; i++) {
        const struct record_object *o = object_of(r, i);
        const uint8_t kind = r->items[i].kind;
        if (kind == RECORD_SLAB || o->nr ||
            (kind == RECORD_CPU_SLAB && o->value[CPU_SLAB]) ||
            (kind == RECORD_NODE && !o->slub &&
             (o->value[N_TOTAL] || o->value[N_COLOUR_NEXT]))) {
            return false;
        }
    }
    return true;
}

bool replay_slab_can(const struct replay *rp, uint32_t i)
{
    const struct record *r = rp->record;
    const uint8_t kind = r->items[i].kind;
    if (kind < RECORD_GEOMETRY || kind > RECORD_KMALLOC ||
        (kind != RECORD_KMALLOC && kind != RECORD_KMEM_CACHE_ALLOC &&
         kind != RECORD_KMEM_CACHE_FREE &&
         object_of(r, i)->slub != rp->on->config.slub)) {
        return false;
    }
    switch (kind) {
    case RECORD_GEOMETRY:
    case RECORD_KMALLOC:
        return true;
    case RECORD_CACHE:
        return !rp->unknown &&
               (machine_cache(rp, object_of(r, i)) || dump_is_empty(r, i));
    case RECORD_KMEM_CACHE_ALLOC:
    case RECORD_KMEM_CACHE_FREE:
        return !rp->unknown && machine_cache(rp, object_of(r, i));
    default: /* part of a dump without its beginning */
        return false;
    }
}

/* ---- the machine's figures ---- */

/* The geometry of a cache, computed. */
static bool compute(const struct machine *m, uint64_t object_size, uint64_t align,
                    uint64_t flags, struct kmem_cache *c)
{
    *c = (struct kmem_cache){.object_size = (uint32_t)object_size,
                             .flags = (uint32_t)flags};
    c->align = calculate_alignment(&m->config, (uint32_t)flags, (uint32_t)align,
                                   (uint32_t)object_size);
    if (!object_size || object_size > 1 << 22 || c->align > 1 << 22 ||
        (c->align & (c->align - 1)) || !slab_calculate(m, c)) {
        return false;
    }
    if (!m->config.slub) {
        slab_tunables(m, c);
    }
    return true;
}

bool replay_slab_is_slub(const struct record *r)
{
    for (uint32_t i = 0; i < r->nr_objects; i++) {
        if (r->objects[i].slub) {
            return true;
        }
    }
    return false;
}

uint32_t replay_slab_cache_line(const struct record *r)
{
    uint64_t line = 0;
    for (uint32_t i = 0; i < r->nr_items; i++) {
        const uint8_t kind = r->items[i].kind;
        if (kind != RECORD_GEOMETRY && kind != RECORD_CACHE) {
            continue;
        }
        const struct record_object *o = object_of(r, i);
        if (!o->slub) { /* the colour's unit, unless the alignment is larger */
            const uint64_t unit =
                o->value[kind == RECORD_CACHE ? C_COLOUR_OFF : G_COLOUR_OFF];
            line = !line || unit < line ? unit : line;
        } else if (kind == RECORD_GEOMETRY && o->arg[1]) { /* the largest alignment */
            line = o->value[1] > line ? o->value[1] : line;
        }
    }
    return line >= 16 && line <= 256 && !(line & (line - 1)) ? (uint32_t)line : 0;
}

/* ---- comparing ---- */

struct comparison {
    struct replay_sink *sink;
    uint32_t line;
    const char *what; /* "cache oracle-40" */
    bool same;
};

static void differs(struct comparison *c, const char *what, const char *expected,
                    const char *got)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %s", c->what, what);
    replay_differs(c->sink, c->line, text, expected, got, NULL);
    c->same = false;
}

static void compare(struct comparison *c, const char *what, uint64_t want, uint64_t got,
                    bool hex)
{
    if (want != got) {
        char e[32], g[32];
        snprintf(e, sizeof e, hex ? "%" PRIx64 : "%" PRIu64, want);
        snprintf(g, sizeof g, hex ? "%" PRIx64 : "%" PRIu64, got);
        differs(c, what, e, g);
    }
}

/* The first place where two lists differ. */
static void compare_list(struct comparison *c, const char *what, const uint64_t *want,
                         uint32_t nr_want, const uint64_t *got, uint32_t nr_got, bool hex)
{
    char text[80], e[32] = "nothing", g[32] = "nothing";
    uint32_t i = 0;
    while (i < nr_want && i < nr_got && want[i] == got[i]) {
        i++;
    }
    if (i == nr_want && i == nr_got) {
        return;
    }
    snprintf(text, sizeof text, "%s %" PRIu32, what, i);
    if (i < nr_want) {
        snprintf(e, sizeof e, hex ? "%" PRIx64 : "%" PRIu64, want[i]);
    }
    if (i < nr_got) {
        snprintf(g, sizeof g, hex ? "%" PRIx64 : "%" PRIu64, got[i]);
    }
    differs(c, text, e, g);
}

static void compare_geometry(struct comparison *c, const struct record_object *o,
                             const struct kmem_cache *k)
{
    const uint64_t *want = o->value;
    compare(c, "size", want[G_SIZE], k->size, false);
    compare(c, "align", want[G_ALIGN], k->align, false);
    compare(c, "num", want[G_NUM], k->num, false);
    compare(c, "gfporder", want[G_ORDER], k->gfporder, false);
    compare(c, "colour", want[G_COLOUR], k->colour, false);
    compare(c, "colour_off", want[G_COLOUR_OFF], k->colour_off, false);
    compare(c, "freelist_size", want[G_FREELIST_SIZE], k->freelist_size, false);
    compare(c, "freelist_place", want[G_PLACE], cache_place(k), false);
    compare(c, "limit", want[G_LIMIT], k->limit, false);
    compare(c, "batchcount", want[G_BATCH], k->batchcount, false);
    compare(c, "shared", want[G_SHARED], k->shared, false);
}

static void compare_slub_geometry(struct comparison *c, const uint64_t *want,
                                  const struct kmem_cache *k)
{
    compare(c, "size", want[U_SIZE], k->size, false);
    compare(c, "align", want[U_ALIGN], k->align, false);
    compare(c, "offset", want[U_OFFSET], k->offset, false);
    compare(c, "inuse", want[U_INUSE], k->inuse, false);
    compare(c, "order", want[U_ORDER], k->gfporder, false);
    compare(c, "objects", want[U_OBJECTS], k->num, false);
    compare(c, "min_order", want[U_MIN_ORDER], k->min_order, false);
    compare(c, "min_objects", want[U_MIN_OBJECTS], k->min_num, false);
    compare(c, "min_partial", want[U_MIN_PARTIAL], k->min_partial, false);
    compare(c, "cpu_partial", want[U_CPU_PARTIAL], k->cpu_partial, false);
    compare(c, "cpu_partial_slabs", want[U_CPU_SLABS], k->cpu_partial_slabs, false);
}

static void compare_slub_cache(struct comparison *c, const struct record_object *o,
                               const struct kmem_cache *k)
{
    compare(c, "object_size", o->value[UC_OBJECT_SIZE], k->object_size, false);
    compare_slub_geometry(c, o->value + UC_GEOMETRY, k);
    const uint64_t processor = o->value[UC_FLAGS] & SLUB_CMPXCHG_DOUBLE;
    compare(c, "flags", o->value[UC_FLAGS], k->flags | processor, true);
}

/* Objects of a slab, by number there, against addresses. */
static void compare_objects(struct comparison *c, const struct replay *rp,
                            const struct record_object *o, uint32_t slab,
                            const uint32_t *numbers, uint32_t nr)
{
    uint64_t va[SLUB_MOST];
    for (uint32_t i = 0; i < nr; i++) {
        const struct slab *s = slab_r(rp->on, slab);
        va[i] = index_to_obj(cache_r(rp->on, s->cache), s, numbers[i]);
    }
    compare_list(c, "free object", rp->record->wides + o->first, o->nr, va, nr, true);
}

static void compare_cpu_slab(struct comparison *c, const struct replay *rp,
                             const struct record_object *o, uint32_t id)
{
    const uint32_t cpu = (uint32_t)o->value[CPU_CPU];
    uint32_t numbers[SLUB_MOST];
    struct slub_cpu_view v;
    if (!slub_cpu_view(rp->on, id, cpu, &v)) {
        differs(c, "the CPU", "there", "no such CPU");
        return;
    }
    compare(c, "slab", o->value[CPU_SLAB], v.slab ? slab_view(rp->on, v.slab).pfn : 0,
            true);
    const uint32_t nr = slub_cpu_freelist(rp->on, id, cpu, numbers, SLUB_MOST);
    compare_objects(c, rp, o, v.slab, numbers, nr);
}

static void compare_slub_slab(struct comparison *c, const struct replay *rp,
                              const struct record_object *o, uint32_t slab)
{
    uint32_t numbers[SLUB_MOST];
    if (!slab) {
        differs(c, "the slab", "there", "the list is shorter");
        return;
    }
    const struct slab_view v = slab_view(rp->on, slab);
    compare(c, "pfn", o->value[US_PFN], v.pfn, true);
    compare(c, "inuse", o->value[US_INUSE], v.active, false);
    compare(c, "objects", o->value[US_OBJECTS], v.num, false);
    compare(c, "frozen", o->value[US_FROZEN], v.frozen, false);
    const uint32_t nr = slab_freelist(rp->on, slab, numbers, SLUB_MOST);
    compare_objects(c, rp, o, slab, numbers, nr);
}

/* The partial slabs of CPUs: each CPU's behind its own line, or, apart, those of all CPUs
 * in their order behind the last one's. */
struct chains {
    bool apart;
    uint32_t slab; /* that the next line is of; 0: none left of that CPU's */
    uint32_t next; /* the next CPU, while they are apart */
    uint64_t seen; /* CPUs that have had their line */
};

static bool chains_apart(const struct record *r, uint32_t i)
{
    bool seen = false;
    for (const uint32_t end = dump_end(r, i); i < end; i++) {
        const uint8_t kind = r->items[i].kind;
        if (seen && kind == RECORD_CPU_SLAB) {
            return false;
        }
        seen =
            seen || (kind == RECORD_SLAB && object_of(r, i)->list == RECORD_CPU_PARTIAL);
    }
    return true;
}

static struct slub_cpu_view cpu_of(const struct replay *rp, uint32_t id, uint64_t cpu)
{
    struct slub_cpu_view v;
    slub_cpu_view(rp->on, id, cpu < MAX_CPUS ? (uint32_t)cpu : MAX_CPUS, &v);
    return v;
}

static uint32_t *chain_at(const struct replay *rp, uint32_t id, struct chains *chains)
{
    while (chains->apart && !chains->slab && chains->next < machine_nr_cpus(rp->on)) {
        chains->slab = cpu_of(rp, id, chains->next++).partial;
    }
    return &chains->slab;
}

static void compare_slub_cpu(struct comparison *c, const struct replay *rp, uint32_t i,
                             uint32_t id, struct chains *chains)
{
    const struct record_object *o = object_of(rp->record, i);
    const uint64_t cpu = o->value[CPU_CPU];
    if (!chains->apart) {
        if (chains->slab) {
            differs(c, "a CPU's partial slabs", "at their end", "the machine has more");
        }
        chains->slab = cpu_of(rp, id, cpu).partial;
    }
    chains->seen |= cpu < MAX_CPUS ? (uint64_t)1 << cpu : 0;
    compare_cpu_slab(c, rp, o, id);
}

/* A CPU whose line is missing has no slabs. */
static void compare_unseen(struct comparison *c, const struct replay *rp, uint32_t id,
                           const struct chains *chains)
{
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(rp->on); cpu++) {
        const struct slub_cpu_view v = cpu_of(rp, id, cpu);
        if (!(chains->seen >> cpu & 1) && (v.slab || v.partial)) {
            char text[30];
            snprintf(text, sizeof text, "CPU %" PRIu32, cpu);
            differs(c, text, "no slabs", "the machine has some");
        }
    }
}

/* All lines of one cache of SLUB's. */
static bool compare_slub_dump(struct replay *rp, uint32_t i, uint32_t id,
                              struct comparison *c, char *what, size_t size)
{
    const struct record *r = rp->record;
    const struct kmem_cache *k = cache_r(rp->on, id);
    uint32_t partial = slabs_first(rp->on, id, SLABS_PARTIAL);
    struct chains chains = {.apart = chains_apart(r, i)};
    char name[RECORD_NAME];
    name_of(object_of(r, i), name);
    for (const uint32_t end = dump_end(r, i); i < end; i++) {
        const struct record_object *o = object_of(r, i);
        const enum record_kind kind = (enum record_kind)r->items[i].kind;
        c->line = r->items[i].line;
        snprintf(what, size, "%s %s", record_kind_word(kind), name);
        if (kind == RECORD_CACHE) {
            compare_slub_cache(c, o, k);
        } else if (kind == RECORD_NODE) {
            compare(c, "nr_partial", o->value[UN_PARTIAL], k->list[SLABS_PARTIAL].nr,
                    false);
        } else if (kind == RECORD_CPU_SLAB) {
            compare_slub_cpu(c, rp, i, id, &chains);
        } else {
            uint32_t *slab =
                o->list == RECORD_CPU_PARTIAL ? chain_at(rp, id, &chains) : &partial;
            compare_slub_slab(c, rp, o, *slab);
            *slab = *slab ? slabs_next(rp->on, *slab) : 0;
        }
    }
    if (partial || *chain_at(rp, id, &chains)) {
        differs(c, "a list of slabs", "at its end", "the machine has more");
    }
    compare_unseen(c, rp, id, &chains);
    return c->same;
}

static void compare_cache(struct comparison *c, const struct record_object *o,
                          const struct cache_view *v)
{
    const uint64_t *want = o->value;
    compare(c, "object_size", want[C_OBJECT_SIZE], v->object_size, false);
    compare(c, "size", want[C_SIZE], v->size, false);
    compare(c, "align", want[C_ALIGN], v->align, false);
    compare(c, "num", want[C_NUM], v->num, false);
    compare(c, "gfporder", want[C_ORDER], v->order, false);
    compare(c, "colour", want[C_COLOUR], v->colour, false);
    compare(c, "colour_off", want[C_COLOUR_OFF], v->colour_off, false);
    compare(c, "freelist_size", want[C_FREELIST_SIZE], v->freelist_size, false);
    compare(c, "limit", want[C_LIMIT], v->limit, false);
    compare(c, "batchcount", want[C_BATCH], v->batchcount, false);
    compare(c, "shared", want[C_SHARED], v->shared, false);
    compare(c, "flags", want[C_FLAGS], v->flags, true);
}

static void compare_node(struct comparison *c, const struct record_object *o,
                         const struct cache_view *v)
{
    const uint64_t *want = o->value;
    compare(c, "total", want[N_TOTAL], v->num_slabs, false);
    compare(c, "free_slabs", want[N_FREE_SLABS], v->num_slabs - v->active_slabs, false);
    compare(c, "free_objects", want[N_FREE_OBJECTS], v->free_objects, false);
    compare(c, "free_limit", want[N_FREE_LIMIT], v->free_limit, false);
    compare(c, "colour_next", want[N_COLOUR_NEXT], v->colour_next, false);
}

static void compare_array(struct comparison *c, const struct replay *rp,
                          const struct record_object *o, uint32_t id, bool shared)
{
    const uint32_t cpu = shared ? UINT32_MAX : (uint32_t)o->value[A_CPU];
    uint64_t entries[SLAB_MAX_ENTRIES];
    struct array_view v;
    array_view(rp->on, id, cpu, &v);
    compare(c, "avail", o->value[shared ? (int)S_AVAIL : (int)A_AVAIL], v.avail, false);
    compare(c, "limit", o->value[shared ? (int)S_LIMIT : (int)A_LIMIT], v.limit, false);
    if (!shared) {
        compare(c, "batchcount", o->value[A_BATCH], v.batchcount, false);
    }
    for (uint32_t i = 0; i < v.avail; i++) {
        entries[i] = array_entry(rp->on, id, cpu, i);
    }
    compare_list(c, "entry", rp->record->wides + o->first, o->nr, entries, v.avail, true);
}

/* An array whose line is missing is empty. */
static void compare_unseen_arrays(struct comparison *c, const struct replay *rp,
                                  uint32_t id, uint64_t seen, bool shared)
{
    struct array_view v;
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(rp->on); cpu++) {
        if (!(seen >> cpu & 1) && array_view(rp->on, id, cpu, &v) && v.avail) {
            char text[30];
            snprintf(text, sizeof text, "CPU %" PRIu32, cpu);
            differs(c, text, "an empty array", "the machine has objects in it");
        }
    }
    if (!shared && array_view(rp->on, id, UINT32_MAX, &v) && v.avail) {
        differs(c, "the shared array", "none", "the machine has objects in it");
    }
}

static void compare_slab(struct comparison *c, const struct replay *rp,
                         const struct record_object *o, uint32_t slab)
{
    if (!slab) {
        differs(c, "the slab", "there", "the list is shorter");
        return;
    }
    const struct slab_view v = slab_view(rp->on, slab);
    compare(c, "pfn", o->value[SLAB_PFN], v.pfn, true);
    compare(c, "s_mem", o->value[SLAB_S_MEM], v.s_mem, true);
    compare(c, "active", o->value[SLAB_ACTIVE], v.active, false);
    compare(c, "freelist", o->value[SLAB_FREELIST], v.freelist, true);
    uint32_t numbers[256];
    uint64_t wide[256];
    const uint32_t nr = slab_freelist(rp->on, slab, numbers, 256);
    for (uint32_t i = 0; i < nr; i++) {
        wide[i] = numbers[i];
    }
    compare_list(c, "free object", rp->record->wides + o->first, o->nr, wide, nr, false);
}

static enum slab_list_kind list_of(const struct record_object *o)
{
    return o->list == RECORD_FULL      ? SLABS_FULL
           : o->list == RECORD_PARTIAL ? SLABS_PARTIAL
                                       : SLABS_FREE;
}

/* All lines of one cache. */
static void compare_dump(struct replay *rp, uint32_t i, uint32_t id,
                         struct replay_sink *sink)
{
    const struct record *r = rp->record;
    uint32_t next[NR_SLAB_LISTS] = {0};
    uint64_t seen = 0; /* CPUs */
    bool shared = false;
    struct cache_view v;
    char name[RECORD_NAME], what[RECORD_NAME + 40];
    struct comparison c = {.sink = sink, .what = what, .same = true};
    if (rp->on->config.slub) {
        sink->tally->states++;
        sink->tally->states_identical +=
            compare_slub_dump(rp, i, id, &c, what, sizeof what);
        return;
    }
    cache_view(rp->on, id, &v);
    name_of(object_of(r, i), name);
    for (uint32_t kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        next[kind] = slabs_first(rp->on, id, (enum slab_list_kind)kind);
    }
    for (const uint32_t end = dump_end(r, i); i < end; i++) {
        const struct record_object *o = object_of(r, i);
        const enum record_kind kind = (enum record_kind)r->items[i].kind;
        c.line = r->items[i].line;
        snprintf(what, sizeof what, "%s %s", record_kind_word(kind), name);
        if (kind == RECORD_CACHE) {
            compare_cache(&c, o, &v);
        } else if (kind == RECORD_NODE) {
            compare_node(&c, o, &v);
        } else if (kind == RECORD_SLAB) {
            uint32_t *slab = &next[list_of(o)];
            compare_slab(&c, rp, o, *slab);
            *slab = *slab ? slabs_next(rp->on, *slab) : 0;
        } else {
            compare_array(&c, rp, o, id, kind == RECORD_SHARED);
            shared = shared || kind == RECORD_SHARED;
            seen |= kind == RECORD_SHARED ? 0 : (uint64_t)1 << (o->value[A_CPU] & 63);
        }
    }
    compare_unseen_arrays(&c, rp, id, seen, shared);
    for (uint32_t kind = SLABS_PARTIAL; kind < NR_SLAB_LISTS; kind++) {
        if (next[kind]) {
            differs(&c, "a list of slabs", "at its end", "the machine has more");
        }
    }
    sink->tally->states++;
    sink->tally->states_identical += c.same;
}

/* ---- doing ---- */

static struct op slab_op(const struct replay *rp, uint16_t kind, uint64_t a0, uint64_t a1,
                         uint64_t a2, uint64_t a3)
{
    return (struct op){.kind = kind,
                       .cpu = (uint8_t)rp->record->cpu,
                       .origin = ORIGIN_REPLAY,
                       .arg = {a0, a1, a2, a3}};
}

static void answer(struct replay *rp, struct replay_sink *sink, uint32_t i, bool same)
{
    (void)rp, (void)i;
    sink->tally->answers++;
    sink->tally->answers_identical += same;
}

static void do_geometry(struct replay *rp, uint32_t i, struct replay_sink *sink)
{
    const struct record_object *o = object_of(rp->record, i);
    struct kmem_cache k;
    char what[80];
    snprintf(what, sizeof what, "geometry size=%" PRIu64 " hwalign=%" PRIu64, o->arg[0],
             o->arg[1]);
    struct comparison c = {sink, rp->record->items[i].line, what, true};
    if (compute(rp->on, o->arg[0], 0, o->arg[1] ? SLAB_HWCACHE_ALIGN : 0, &k)) {
        if (o->slub) {
            compare_slub_geometry(&c, o->value, &k);
        } else {
            compare_geometry(&c, o, &k);
        }
    } else {
        differs(&c, "the cache", "created", "refused");
    }
    answer(rp, sink, i, c.same);
    /* the kernel made a cache and destroyed it: its own pages are not the machine's */
    rp->unknown = true;
}

/* A new cache: its flags and alignment as they were asked for, as far as the dump shows
 * it. */
static uint32_t load_cache(struct replay *rp, uint32_t i,
                           const struct replay_caller *call)
{
    const struct record_object *o = object_of(rp->record, i);
    const uint64_t object_size =
        o->value[o->slub ? (int)UC_OBJECT_SIZE : (int)C_OBJECT_SIZE];
    const uint64_t has_align =
        o->value[o->slub ? UC_GEOMETRY + (int)U_ALIGN : (int)C_ALIGN];
    const uint64_t flags = o->value[o->slub ? (int)UC_FLAGS : (int)C_FLAGS] &
                           ~(uint64_t)(CFLGS_OBJFREELIST_SLAB | CFLGS_OFF_SLAB);
    struct kmem_cache k;
    char name[RECORD_NAME];
    name_of(o, name);
    uint64_t align = 0;
    if (compute(rp->on, object_size, 0, flags, &k) && k.align != has_align) {
        align = has_align;
    }
    const struct op op = slab_op(rp, OP_LOAD_CACHE, call->name(call->ctx, name),
                                 object_size, align, flags);
    return (uint32_t)call->call(call->ctx, &rp->record->items[i], &op);
}

static void do_dump(struct replay *rp, uint32_t i, const struct replay_caller *call,
                    struct replay_sink *sink)
{
    const struct record_object *o = object_of(rp->record, i);
    uint32_t id = machine_cache(rp, o);
    id = id ? id : load_cache(rp, i, call);
    if (id) {
        compare_dump(rp, i, id, sink);
        return;
    }
    char what[RECORD_NAME + 10], name[RECORD_NAME];
    name_of(o, name);
    snprintf(what, sizeof what, "cache %s", name);
    struct comparison c = {sink, rp->record->items[i].line, what, true};
    differs(&c, "the cache", "created", "refused");
    sink->tally->states++;
    rp->unknown = true;
}

static void do_alloc(struct replay *rp, uint32_t i, const struct replay_caller *call,
                     struct replay_sink *sink)
{
    const struct record_item *item = &rp->record->items[i];
    const struct record_object *o = object_of(rp->record, i);
    const struct op op =
        slab_op(rp, OP_KMEM_CACHE_ALLOC, machine_cache(rp, o), GFP_NOWAIT, 0, 0);
    const uint64_t got = call->call(call->ctx, item, &op);
    answer(rp, sink, i, got == o->va);
    if (got != o->va) {
        char what[160], e[32], g[32];
        op_format(what, sizeof what, rp->on, &op, NULL);
        snprintf(e, sizeof e, o->va ? "%" PRIx64 : "NULL", o->va);
        snprintf(g, sizeof g, got ? "%" PRIx64 : "NULL", got);
        replay_differs(sink, item->line, what, e, g, NULL);
    }
}

static void do_free(struct replay *rp, uint32_t i, const struct replay_caller *call,
                    struct replay_sink *sink)
{
    const struct record_item *item = &rp->record->items[i];
    const struct record_object *o = object_of(rp->record, i);
    const uint32_t id = machine_cache(rp, o);
    const struct object_view v = object_view(rp->on, o->va);
    if (v.state != OBJECT_IN_USE || v.va != o->va || v.cache != id) {
        char what[160];
        snprintf(what, sizeof what, "kmem_cache_free of %" PRIx64, o->va);
        replay_differs(sink, item->line, what, "an allocated object",
                       "the machine has none there", NULL);
    }
    const struct op op = slab_op(rp, OP_KMEM_CACHE_FREE, id, o->va, 0, 0);
    call->call(call->ctx, item, &op);
}

/* Pages that the kernel allocated: the machine does so too, and frees them again if the
 * kernel did. */
static void do_pages(struct replay *rp, uint32_t i, uint32_t order, bool back,
                     const struct replay_caller *call)
{
    const struct record_item *item = &rp->record->items[i];
    const struct op take = slab_op(
        rp, OP_ALLOC_PAGES, (uint32_t)GFP_NOWAIT | (uint32_t)__GFP_COMP, order, 0, 0);
    const uint64_t frame = call->call(call->ctx, item, &take);
    if (back && frame != PFN_NONE) {
        const struct op give = slab_op(rp, OP_FREE_PAGES, frame, order, 0, 0);
        call->call(call->ctx, item, &give);
    }
}

static void do_kmalloc(struct replay *rp, uint32_t i, const struct replay_caller *call,
                       struct replay_sink *sink)
{
    const struct record_item *item = &rp->record->items[i];
    const struct record_object *o = object_of(rp->record, i);
    const struct machine *m = rp->on;
    char want[RECORD_NAME], name[RECORD_NAME] = "-", e[100], g[100];
    const uint64_t size = o->arg[0];
    uint64_t has = PAGE_SIZE;
    uint32_t order = 0;
    const bool large = size > KMALLOC_MAX_CACHE_SIZE;
    name_of(o, want);
    if (large) {
        while (has < size) {
            has <<= 1;
            order++;
        }
    } else if (size) {
        const uint32_t index = kmalloc_index(&m->config, size);
        struct kmem_cache k;
        kmalloc_name(&m->config, KMALLOC_NORMAL, index, name, sizeof name);
        has = index == 1 ? 96 : index == 2 ? 192 : (uint64_t)1 << index;
        order = compute(m, has, has & (has - 1) ? 8 : has,
                        m->config.slub ? 0 : SLAB_HWCACHE_ALIGN, &k)
                    ? k.gfporder
                    : 0;
    }
    const bool same = !strcmp(name, want) && has == o->arg[1];
    answer(rp, sink, i, same);
    if (!same) {
        char what[60];
        snprintf(what, sizeof what, "kmalloc(%" PRIu64 ")", size);
        snprintf(e, sizeof e, "%s, ksize %" PRIu64, want, o->arg[1]);
        snprintf(g, sizeof g, "%s, ksize %" PRIu64, name, has);
        replay_differs(sink, item->line, what, e, g, NULL);
    }
    if (rp->unknown || !o->va || order >= m->config.max_order) {
        return;
    }
    const pfn_t frame = pfn((o->va - m->vm->kspace.page_offset) >> PAGE_SHIFT);
    const enum page_state state = page_view(m, frame).state;
    if (large) {
        do_pages(rp, i, order, true, call);
    } else if (state == PAGE_FREE || state == PAGE_PCP) {
        do_pages(rp, i, order, false, call);
    }
}

uint32_t replay_slab_do(struct replay *rp, uint32_t i, const struct replay_caller *call,
                        struct replay_sink *sink)
{
    switch (rp->record->items[i].kind) {
    case RECORD_GEOMETRY:
        do_geometry(rp, i, sink);
        return i + 1;
    case RECORD_CACHE:
        do_dump(rp, i, call, sink);
        return dump_end(rp->record, i);
    case RECORD_KMEM_CACHE_ALLOC:
        do_alloc(rp, i, call, sink);
        return i + 1;
    case RECORD_KMEM_CACHE_FREE:
        do_free(rp, i, call, sink);
        return i + 1;
    default:
        do_kmalloc(rp, i, call, sink);
        return i + 1;
    }
}

/* ---- names for a machine without a timeline ---- */

uint64_t replay_slab_name(struct replay *rp, const char *text)
{
    uint32_t i = 0;
    while (i < rp->nr_names && strcmp(rp->names[i], text) != 0) {
        i++;
    }
    if (i == rp->nr_names && rp->nr_names < REPLAY_NAMES) {
        snprintf(rp->names[rp->nr_names++], RECORD_NAME, "%s", text);
    }
    return i;
}

const char *replay_slab_text(void *ctx, uint64_t id)
{
    const struct replay *rp = ctx;
    return id < rp->nr_names ? rp->names[id] : NULL;
}
