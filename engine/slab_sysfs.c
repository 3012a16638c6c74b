/* What /sys/kernel/slab/<cache>/ holds, and alloc_traces and free_traces of debugfs, in
 * the kernel's formats (slab_view.h).
 *
 * A cache that may be merged has a directory named after its size, :0000064, which its
 * names are links to. Files that are only written (validate, shrink) read as nothing; how
 * a script does the same: cache:validate(), cache:shrink().
 *
 * Left out: files of NUMA, of KFENCE and of CONFIG_SLUB_STATS; writing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "describe.h"
#include "slab_view.h"
#include "slub_debug.h"
#include "text.h"

/* ---- show_slab_objects ---- */

static uint64_t sum_partial(const struct machine *m, const struct kmem_cache *c,
                            bool in_use)
{
    uint64_t sum = 0;
    for (uint32_t ref = c->list[SLABS_PARTIAL].first; ref; ref = slab_r(m, ref)->next) {
        const struct slab *s = slab_r(m, ref);
        sum += in_use ? s->active : (uint32_t)s->num - s->active;
    }
    return sum;
}

static uint32_t partial_of(const struct machine *m, const struct kmem_cache *c,
                           uint32_t cpu)
{
    const struct slub_cpu *its = slub_cpu_at(m, c, cpu);
    return its->partial ? slab_r(m, its->partial)->slabs : 0;
}

/* A CPU that has no slab is passed over, its partial ones with it, as in the kernel. */
static uint64_t nr_cpu_slabs(const struct machine *m, const struct kmem_cache *c)
{
    uint64_t nr = 0;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        nr += slub_cpu_at(m, c, cpu)->slab ? 1 + partial_of(m, c, cpu) : 0;
    }
    return nr;
}

static void put_cpu_partial(struct text *t, const struct machine *m,
                            const struct kmem_cache *c)
{
    uint32_t all = 0;
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        all += partial_of(m, c, cpu);
    }
    text_put(t, "%u(%u)", all * c->num / 2, all);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const uint32_t slabs = partial_of(m, c, cpu);
        if (slabs) {
            text_put(t, " C%u=%u(%u)", cpu, slabs * c->num / 2, slabs);
        }
    }
    text_put(t, "\n");
}

/* ---- alloc_traces, free_traces ---- */

enum { MAX_LOCATIONS = 128 };

struct location { /* objects that were allocated from one place */
    uint64_t addr, waste, count, sum_age, min_age, max_age, cpus;
    uint32_t handle, site, pid; /* the first one's operation */
};

static bool source(const struct machine *m, uint32_t handle, struct op_source *o)
{
    return handle && m->texts && m->texts->operation &&
           m->texts->operation(m->texts->ctx, handle, o);
}

/* False: there is no room for another place. */
static bool add_location(const struct machine *m, struct location *list, uint32_t *nr,
                         const struct slub_track *track, uint64_t waste)
{
    struct op_source o;
    const uint64_t age = m->mm->nr_ops - track->when;
    const uint32_t site = source(m, track->handle, &o) ? o.op.site : 0;
    uint32_t i = 0;
    while (i < *nr && (list[i].addr != track->addr || list[i].waste != waste ||
                       list[i].site != site)) {
        i++;
    }
    if (i == MAX_LOCATIONS) {
        return false;
    }
    struct location *l = &list[i];
    if (i == *nr) {
        (*nr)++;
        *l = (struct location){.addr = track->addr,
                               .waste = waste,
                               .min_age = age,
                               .cpus = track->cpu < 64 ? (uint64_t)1 << track->cpu : 0,
                               .handle = track->handle,
                               .site = site,
                               .pid = track->pid};
    }
    l->count++;
    if (!track->when) { /* nobody: no age either */
        l->sum_age = l->min_age;
        return true;
    }
    l->sum_age += age;
    l->min_age = age < l->min_age ? age : l->min_age;
    l->max_age = age > l->max_age ? age : l->max_age;
    l->cpus |= track->cpu < 64 ? (uint64_t)1 << track->cpu : 0;
    return true;
}

/* Objects of a slab that are not on its freelist. */
static bool add_slab(const struct machine *m, const struct kmem_cache *c, uint32_t ref,
                     enum track_item item, struct location *list, uint32_t *nr)
{
    const struct slab *s = slab_r(m, ref);
    bool room = true;
    for (uint32_t i = 0; i < s->num; i++) {
        const uint64_t object = index_to_obj(c, s, i);
        struct slub_track track;
        if (slab_object_at(m, s, i)->in_use && slub_track(m, c, object, item, &track)) {
            const uint32_t orig = slub_orig_size(m, c, object);
            const uint64_t waste =
                item == TRACK_ALLOC && orig < c->object_size ? c->object_size - orig : 0;
            room = add_location(m, list, nr, &track, waste) && room;
        }
    }
    return room;
}

/* %*pbl: "0-2,5" */
static void put_cpus(struct text *t, uint64_t cpus)
{
    const char *comma = "";
    for (uint32_t cpu = 0; cpu < 64; cpu++) {
        if (cpus >> cpu & 1) {
            uint32_t last = cpu;
            while (last < 63 && cpus >> (last + 1) & 1) {
                last++;
            }
            text_put(t, last > cpu ? "%s%u-%u" : "%s%u", comma, cpu, last);
            comma = ",";
            cpu = last;
        }
    }
}

static void put_location(struct text *t, const struct machine *m,
                         const struct location *l)
{
    struct op_source o;
    uint16_t kind;
    bool script;
    const bool known = slub_caller_kind(m, l->addr, &kind, &script);
    const bool told = source(m, l->handle, &o);
    text_put(t, "%7" PRIu64 " ", l->count);
    if (!known) {
        text_put(t, "<not-available>");
    } else if (!script) {
        text_put(t, "%s", op_info(kind)->name);
    } else if (told && o.line) {
        text_put(t, "%s:%u", o.file, o.line);
    } else {
        text_put(t, "%#" PRIx64, l->addr);
    }
    if (l->waste) {
        text_put(t, " waste=%" PRIu64 "/%" PRIu64, l->count * l->waste, l->waste);
    }
    if (l->sum_age != l->min_age) {
        text_put(t, " age=%" PRIu64 "/%" PRIu64 "/%" PRIu64, l->min_age,
                 l->sum_age / l->count, l->max_age);
    } else {
        text_put(t, " age=%" PRIu64, l->min_age);
    }
    text_put(t, " pid=%u", l->pid);
    if (m->mm->nr_cpus > 1 && l->cpus) {
        text_put(t, " cpus=");
        put_cpus(t, l->cpus);
    }
    if (known) {
        text_put(t, "\n        %s\n", op_info(kind)->name);
        for (const char *line = told ? o.stack : ""; *line;) {
            const size_t len = strcspn(line, "\n"), blanks = strspn(line, " \t");
            if (len > blanks) {
                text_put(t, "        %.*s\n", (int)(len - blanks), line + blanks);
            }
            line += len + (line[len] == '\n');
        }
    }
    text_put(t, "\n");
}

static void put_traces(struct text *t, const struct machine *m,
                       const struct kmem_cache *c, enum track_item item)
{
    static const enum slab_list_kind lists[] = {SLABS_PARTIAL, SLABS_FULL};
    struct location list[MAX_LOCATIONS];
    uint32_t nr = 0;
    bool room = true;
    for (int i = 0; i < 2; i++) {
        for (uint32_t ref = c->list[lists[i]].first; ref; ref = slab_r(m, ref)->next) {
            room = add_slab(m, c, ref, item, list, &nr) && room;
        }
    }
    for (uint32_t told = 0; told < nr; told++) { /* the most frequent first */
        uint32_t most = 0;
        for (uint32_t i = 1; i < nr; i++) {
            most = list[i].count > list[most].count ? i : most;
        }
        put_location(t, m, &list[most]);
        list[most].count = 0;
    }
    if (!nr) {
        text_put(t, "No data\n");
    }
    if (!room) {
        text_put(t, "(there are more than %u places)\n", (unsigned)MAX_LOCATIONS);
    }
}

/* ---- files ---- */

#define FLAG_FILE(name, flag)                                                            \
    static void put_##name(struct text *t, const struct machine *m,                      \
                           const struct kmem_cache *c)                                   \
    {                                                                                    \
        (void)m;                                                                         \
        text_put(t, "%d\n", (c->flags & (flag)) != 0);                                   \
    }
#define NUMBER_FILE(name, value)                                                         \
    static void put_##name(struct text *t, const struct machine *m,                      \
                           const struct kmem_cache *c)                                   \
    {                                                                                    \
        (void)m;                                                                         \
        text_put(t, "%" PRIu64 "\n", (uint64_t)(value));                                 \
    }
NUMBER_FILE(aliases, c->refcount < 0 ? 0 : c->refcount - 1)
NUMBER_FILE(align, c->align)
FLAG_FILE(cache_dma, SLAB_CACHE_DMA)
NUMBER_FILE(cpu_partial_objects, c->cpu_partial)
NUMBER_FILE(cpu_slabs, nr_cpu_slabs(m, c))
FLAG_FILE(destroy_by_rcu, SLAB_TYPESAFE_BY_RCU)
FLAG_FILE(hwcache_align, SLAB_HWCACHE_ALIGN)
NUMBER_FILE(min_partial, c->min_partial)
NUMBER_FILE(object_size, c->object_size)
NUMBER_FILE(objects, c->total_objects - sum_partial(m, c, false))
NUMBER_FILE(objects_partial, sum_partial(m, c, true))
NUMBER_FILE(objs_per_slab, c->num)
NUMBER_FILE(order, c->gfporder)
NUMBER_FILE(partial, c->list[SLABS_PARTIAL].nr)
FLAG_FILE(poison, SLAB_POISON)
FLAG_FILE(reclaim_account, SLAB_RECLAIM_ACCOUNT)
FLAG_FILE(red_zone, SLAB_RED_ZONE)
FLAG_FILE(sanity_checks, SLAB_CONSISTENCY_CHECKS)
NUMBER_FILE(slab_size, c->size)
NUMBER_FILE(slabs, c->total_slabs)
FLAG_FILE(store_user, SLAB_STORE_USER)
NUMBER_FILE(total_objects, c->total_objects)
FLAG_FILE(trace, SLAB_TRACE)
NUMBER_FILE(usersize, c->flags &SLAB_KMALLOC ? c->object_size : 0)

static void put_ctor(struct text *t, const struct machine *m, const struct kmem_cache *c)
{
    (void)m;
    if (c->ctor) {
        text_put(t, "fill_with_0x%02x\n", c->ctor & 0xff);
    }
}
static void put_nothing(struct text *t, const struct machine *m,
                        const struct kmem_cache *c)
{
    (void)t, (void)m, (void)c;
}
static void put_alloc_traces(struct text *t, const struct machine *m,
                             const struct kmem_cache *c)
{
    put_traces(t, m, c, TRACK_ALLOC);
}
static void put_free_traces(struct text *t, const struct machine *m,
                            const struct kmem_cache *c)
{
    put_traces(t, m, c, TRACK_FREE);
}

static const struct {
    const char *name;
    void (*put)(struct text *t, const struct machine *m, const struct kmem_cache *c);
} files[] = {{"aliases", put_aliases},
             {"align", put_align},
             {"cache_dma", put_cache_dma},
             {"cpu_partial", put_cpu_partial_objects},
             {"cpu_slabs", put_cpu_slabs},
             {"ctor", put_ctor},
             {"destroy_by_rcu", put_destroy_by_rcu},
             {"hwcache_align", put_hwcache_align},
             {"min_partial", put_min_partial},
             {"object_size", put_object_size},
             {"objects", put_objects},
             {"objects_partial", put_objects_partial},
             {"objs_per_slab", put_objs_per_slab},
             {"order", put_order},
             {"partial", put_partial},
             {"poison", put_poison},
             {"reclaim_account", put_reclaim_account},
             {"red_zone", put_red_zone},
             {"sanity_checks", put_sanity_checks},
             {"shrink", put_nothing},
             {"slab_size", put_slab_size},
             {"slabs", put_slabs},
             {"slabs_cpu_partial", put_cpu_partial},
             {"store_user", put_store_user},
             {"total_objects", put_total_objects},
             {"trace", put_trace},
             {"usersize", put_usersize},
             {"validate", put_nothing},
             /* /sys/kernel/debug/slab/<cache>/, where users are remembered */
             {"alloc_traces", put_alloc_traces},
             {"free_traces", put_free_traces}};
enum { NR_FILES = sizeof files / sizeof files[0], NR_DEBUGFS = 2 };

static bool has_file(const struct kmem_cache *c, size_t i)
{
    return i < NR_FILES - NR_DEBUGFS || (c->flags & SLAB_STORE_USER);
}

const char *sysfs_slab_name(size_t i) { return i < NR_FILES ? files[i].name : NULL; }

int sysfs_slab(char *buf, size_t size, const struct machine *m, uint32_t id,
               const char *file)
{
    const struct kmem_cache *c = id && m->config.slub ? cache_r(m, id) : NULL;
    struct text t = {buf, size, 0};
    for (size_t i = 0; c && i < NR_FILES; i++) {
        if (strcmp(files[i].name, file) == 0 && has_file(c, i)) {
            if (size) {
                buf[0] = 0;
            }
            files[i].put(&t, m, c);
            return t.len;
        }
    }
    return -1;
}

/* create_unique_id() */
static void put_directory(struct text *t, const struct machine *m,
                          const struct kmem_cache *c)
{
    if (slab_unmergeable(m, c)) {
        text_put(t, "%s", c->name);
        return;
    }
    const char *dash = c->flags & (SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_ACCOUNT |
                                   SLAB_RECLAIM_ACCOUNT | SLAB_CONSISTENCY_CHECKS)
                           ? "-"
                           : "";
    text_put(t, ":%s%s%s%s%s%s%07u", c->flags & SLAB_CACHE_DMA ? "d" : "",
             c->flags & SLAB_CACHE_DMA32 ? "D" : "",
             c->flags & SLAB_RECLAIM_ACCOUNT ? "a" : "",
             c->flags & SLAB_CONSISTENCY_CHECKS ? "F" : "",
             c->flags & SLAB_ACCOUNT ? "A" : "", dash, c->size);
}

static void put_link(struct text *t, const struct machine *m, const struct kmem_cache *c,
                     const char *name)
{
    text_put(t, "%s", name);
    if (!slab_unmergeable(m, c)) {
        text_put(t, " -> ");
        put_directory(t, m, c);
    }
    text_put(t, "\n");
}

int sysfs_slab_dir(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    if (size) {
        buf[0] = 0;
    }
    for (uint32_t id = m->config.slub ? caches_first(m) : 0; id;
         id = caches_next(m, id)) {
        const struct kmem_cache *c = cache_r(m, id);
        const char *name;
        put_link(&t, m, c, c->name);
        for (uint32_t i = 0; (name = slab_alias_name(m, c, i)) != NULL; i++) {
            put_link(&t, m, c, name);
        }
    }
    return t.len;
}
