/* Options about a machine's CPUs and its kernel: how it was built, its parameters, its
 * habits, and what is broken in it on purpose.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"
#include "text.h"

static const char *const ratio_names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal", "HighMem",
                                                      "Movable"};

static bool set_u32(uint32_t *out, const char *name, const char *value, uint32_t min,
                    uint32_t max, struct config_error e)
{
    uint64_t v;
    if (!config_parse_number(value, min, max, &v)) {
        return FAIL(e, "%s=%.40s: use a number from %u to %u", name, value, min, max);
    }
    *out = (uint32_t)v;
    return true;
}

static bool set_cpus(struct machine_config *c, const char *value, struct config_error e)
{
    return set_u32(&c->cpus, "cpus", value, 1, MAX_CPUS, e);
}

static int get_cpus(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->cpus);
}

static bool set_nr_cpus(struct machine_config *c, const char *value,
                        struct config_error e)
{
    return set_u32(&c->nr_cpus, "nr_cpus", value, 1, MAX_CPUS, e);
}

static int get_nr_cpus(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->nr_cpus);
}

static bool set_max_order(struct machine_config *c, const char *value,
                          struct config_error e)
{
    return set_u32(&c->max_order, "max_order", value, 2, MAX_ORDER, e);
}

static int get_max_order(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->max_order);
}

static bool set_min_free_kbytes(struct machine_config *c, const char *value,
                                struct config_error e)
{
    uint64_t v;
    if (!strcmp(value, "auto")) {
        c->min_free_kbytes = -1;
    } else if (config_parse_number(value, 0, INT32_MAX, &v)) {
        c->min_free_kbytes = (int64_t)v;
    } else {
        return FAIL(e, "min_free_kbytes=%.40s: use auto or a number of KiB", value);
    }
    return true;
}

static int get_min_free_kbytes(char *buf, size_t size, const struct machine_config *c)
{
    if (c->min_free_kbytes < 0) {
        return snprintf(buf, size, "auto");
    }
    return snprintf(buf, size, "%" PRId64, c->min_free_kbytes);
}

/* Zone:ratio pairs; a zone that is not named keeps its ratio. */
static bool set_ratio(struct machine_config *c, const char *value, struct config_error e)
{
    uint32_t ratio[MAX_NR_ZONES];
    memcpy(ratio, c->lowmem_reserve_ratio, sizeof ratio);
    for (const char *at = value;;) {
        uint32_t z = 0;
        size_t len = strcspn(at, ":,");
        while (z < MAX_NR_ZONES &&
               (strlen(ratio_names[z]) != len || strncmp(ratio_names[z], at, len) != 0)) {
            z++;
        }
        char *end;
        unsigned long long v = 0;
        bool good = z < MAX_NR_ZONES && at[len] == ':' && at[len + 1] >= '0' &&
                    at[len + 1] <= '9';
        if (good) {
            v = strtoull(at + len + 1, &end, 10);
            good = v <= INT32_MAX && (!*end || *end == ',');
        }
        if (!good) {
            return FAIL(e,
                        "lowmem_reserve_ratio=%.40s: write zone:ratio pairs such as "
                        "DMA:256,Normal:32 (0 switches a reserve off)",
                        value);
        }
        ratio[z] = (uint32_t)v;
        if (!*end) {
            break;
        }
        at = end + 1;
    }
    memcpy(c->lowmem_reserve_ratio, ratio, sizeof ratio);
    return true;
}

static int get_ratio(char *buf, size_t size, const struct machine_config *c)
{
    struct text t = {buf, size, 0};
    for (uint32_t z = 0; z < MAX_NR_ZONES; z++) {
        text_put(&t, "%s%s:%u", z ? "," : "", ratio_names[z], c->lowmem_reserve_ratio[z]);
    }
    return t.len;
}

static bool set_pcp(struct machine_config *c, const char *value, struct config_error e)
{
    bool on;
    if (!config_parse_bool(value, &on)) {
        return FAIL(e, "pcp=%.40s: use true or false", value);
    }
    c->no_pcp = !on;
    return true;
}

static int get_pcp(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->no_pcp ? "false" : "true");
}

static bool set_pcp_cold(struct machine_config *c, const char *value,
                         struct config_error e)
{
    return config_parse_bool(value, &c->pcp_cold) ||
           FAIL(e, "pcp_cold=%.40s: use true or false", value);
}

static int get_pcp_cold(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->pcp_cold ? "true" : "false");
}

static bool set_vmsplit(struct machine_config *c, const char *value,
                        struct config_error e)
{
    if (value[0] < '1' || value[0] > '3' || strcmp(value + 1, "g") != 0) {
        return FAIL(e, "vmsplit=%.40s: use 3g, 2g or 1g, what user space has", value);
    }
    c->user_gib = (uint32_t)(value[0] - '0');
    return true;
}
static int get_vmsplit(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%ug", c->user_gib);
}

static bool set_la57(struct machine_config *c, const char *value, struct config_error e)
{
    return config_parse_bool(value, &c->la57) ||
           FAIL(e, "la57=%.40s: use true or false", value);
}
static int get_la57(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->la57 ? "true" : "false");
}

/* slub=true is another way to say it. */
static bool set_slab(struct machine_config *c, const char *value, struct config_error e)
{
    if (!strcmp(value, "slab") || !strcmp(value, "slub")) {
        c->slub = !strcmp(value, "slub");
        return true;
    }
    return config_parse_bool(value, &c->slub) ||
           FAIL(e, "slab=%.40s: use slab or slub", value);
}
static int get_slab(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->slub ? "slub" : "slab");
}

static bool set_slab_merge(struct machine_config *c, const char *value,
                           struct config_error e)
{
    return config_parse_bool(value, &c->slab_merge) ||
           FAIL(e, "slab_merge=%.40s: use true or false", value);
}
static int get_slab_merge(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->slab_merge ? "true" : "false");
}

/* Blocks of options, each perhaps for certain caches only: FZ,kmalloc-64,ext4*;U */
static bool set_slub_debug(struct machine_config *c, const char *value,
                           struct config_error e)
{
    const char *text = !strcmp(value, "none") || !strcmp(value, "false") ? ""
                       : !strcmp(value, "true")                          ? "FZPU"
                                                                         : value;
    bool options = true;
    if (strlen(text) >= sizeof c->slub_debug || strchr(text, ' ')) {
        return FAIL(e, "slub_debug=%.40s: up to %u characters, no blanks", value,
                    (unsigned)sizeof c->slub_debug - 1);
    }
    for (const char *at = text; *at; at++) {
        options = *at == ';' || (options && *at != ',');
        if (options && !strchr("FfZzPpUuTtAaOo-;", *at)) {
            return FAIL(e,
                        "slub_debug=%.40s: there is no option '%c'; use F (checks), Z "
                        "(red zones), P (poisoning), U (users), T (trace), O (not where "
                        "it costs a larger slab), - (nothing), and caches behind a comma",
                        value, *at);
        }
    }
    memset(c->slub_debug, 0, sizeof c->slub_debug);
    memcpy(c->slub_debug, text, strlen(text));
    return true;
}
static int get_slub_debug(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", *c->slub_debug ? c->slub_debug : "none");
}

static bool set_cache_line(struct machine_config *c, const char *value,
                           struct config_error e)
{
    uint64_t line = 0;
    if (strcmp(value, "auto") != 0 &&
        (!config_parse_number(value, 16, 256, &line) || (line & (line - 1)))) {
        return FAIL(e, "cache_line=%.40s: use auto, or 16, 32, 64, 128 or 256", value);
    }
    c->cache_line = (uint32_t)line;
    return true;
}
static int get_cache_line(char *buf, size_t size, const struct machine_config *c)
{
    return c->cache_line ? snprintf(buf, size, "%u", c->cache_line)
                         : snprintf(buf, size, "auto");
}

static bool set_cache_reap(struct machine_config *c, const char *value,
                           struct config_error e)
{
    uint64_t ops;
    if (!config_parse_number(value, 0, UINT32_MAX, &ops)) {
        return FAIL(e, "cache_reap=%.40s: use a number of operations, or 0", value);
    }
    c->reap_ops = (uint32_t)ops;
    return true;
}
static int get_cache_reap(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->reap_ops);
}

static bool set_vmalloc_fault(struct machine_config *c, const char *value,
                              struct config_error e)
{
    return config_parse_bool(value, &c->vmalloc_fault) ||
           FAIL(e, "vmalloc_fault=%.40s: use true or false", value);
}
static int get_vmalloc_fault(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->vmalloc_fault ? "true" : "false");
}

static bool set_km_types(struct machine_config *c, const char *value,
                         struct config_error e)
{
    return config_parse_bool(value, &c->km_types) ||
           FAIL(e, "km_types=%.40s: use true or false", value);
}
static int get_km_types(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->km_types ? "true" : "false");
}

static bool set_deadlock(struct machine_config *c, const char *value,
                         struct config_error e)
{
    if (strcmp(value, "told") != 0 && strcmp(value, "hangs") != 0) {
        return FAIL(e, "deadlock=%.40s: use told or hangs", value);
    }
    c->deadlock_hangs = value[0] == 'h';
    return true;
}
static int get_deadlock(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->deadlock_hangs ? "hangs" : "told");
}

static bool set_spinlocks(struct machine_config *c, const char *value,
                          struct config_error e)
{
    bool on;
    if (!config_parse_bool(value, &on)) {
        return FAIL(e, "spinlocks=%.40s: use true or false", value);
    }
    c->no_spinlocks = !on;
    return true;
}
static int get_spinlocks(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->no_spinlocks ? "false" : "true");
}

static bool set_kernel_accesses(struct machine_config *c, const char *value,
                                struct config_error e)
{
    return config_parse_bool(value, &c->kernel_accesses) ||
           FAIL(e, "kernel_accesses=%.40s: use true or false", value);
}
static int get_kernel_accesses(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->kernel_accesses ? "true" : "false");
}

static const char *const flush_names[] = {"vmalloc", "pkmap", "kmap_local", "fixmap"};
enum { NR_FLUSHES = sizeof flush_names / sizeof flush_names[0] };

static bool set_forget_flush(struct machine_config *c, const char *value,
                             struct config_error e)
{
    uint32_t mask = 0;
    if (!strcmp(value, "all")) {
        c->forget_flush = (1u << NR_FLUSHES) - 1;
        return true;
    }
    for (const char *at = value; strcmp(value, "none") != 0;) {
        const size_t len = strcspn(at, ",");
        uint32_t i = 0;
        while (i < NR_FLUSHES &&
               (strlen(flush_names[i]) != len || strncmp(at, flush_names[i], len) != 0)) {
            i++;
        }
        if (i == NR_FLUSHES) {
            return FAIL(e,
                        "forget_flush=%.40s: use none, all, or some of vmalloc, pkmap, "
                        "kmap_local and fixmap with commas between",
                        value);
        }
        mask |= 1u << i;
        if (!at[len]) {
            break;
        }
        at += len + 1;
    }
    c->forget_flush = mask;
    return true;
}

static int get_forget_flush(char *buf, size_t size, const struct machine_config *c)
{
    struct text t = {buf, size, 0};
    text_put(&t, "%s", c->forget_flush ? "" : "none");
    for (uint32_t i = 0; i < NR_FLUSHES; i++) {
        if (c->forget_flush >> i & 1) {
            text_put(&t, "%s%s", t.len ? "," : "", flush_names[i]);
        }
    }
    return t.len;
}

static bool set_seed(struct machine_config *c, const char *value, struct config_error e)
{
    return config_parse_number(value, 0, UINT64_MAX - 1, &c->seed) ||
           FAIL(e, "seed=%.40s: use a number", value);
}

static int get_seed(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%" PRIu64, c->seed);
}

/* ---- the table's rows ---- */

static const struct option options[] = {
    {{"cpus", "1-64", "CPUs that are online"}, set_cpus, get_cpus},
    {{"nr_cpus", "1-64", "CPUs that the kernel is built for (CONFIG_NR_CPUS)"},
     set_nr_cpus,
     get_nr_cpus},
    {{"max_order", "2-11", "MAX_ORDER: blocks have 2^0 to 2^(max_order-1) pages"},
     set_max_order,
     get_max_order},
    {{"min_free_kbytes", "auto|KIB",
      "vm.min_free_kbytes at boot; auto: as the kernel computes it"},
     set_min_free_kbytes,
     get_min_free_kbytes},
    {{"lowmem_reserve_ratio", "ZONE:RATIO,...", "vm.lowmem_reserve_ratio at boot"},
     set_ratio,
     get_ratio},
    {{"pcp", "true|false",
      "false: no per-CPU lists, each page comes from the buddy system; no kernel is like "
      "that"},
     set_pcp,
     get_pcp},
    {{"pcp_cold", "true|false",
      "as kernels before 4.15: __GFP_COLD takes from a per-CPU list's cold end"},
     set_pcp_cold,
     get_pcp_cold},
    {{"slab", "slab|slub", "which allocator gives out objects (slub=true: the second)"},
     set_slab,
     get_slab},
    {{"slab_merge", "true|false",
      "caches that are alike become one (slub_merge; off, as in the records)"},
     set_slab_merge,
     get_slab_merge},
    {{"slub_debug", "none|FZPU[,CACHE...][;...]",
      "SLUB: checks (F), red zones (Z), poisoning (P), users (U), trace (T) for all "
      "caches or for those named, a* for several; O: not where it costs a larger slab"},
     set_slub_debug,
     get_slub_debug},
    {{"cache_line", "auto|BYTES",
      "cache_line_size(): what SLAB_HWCACHE_ALIGN and slab colours go by"},
     set_cache_line,
     get_cache_line},
    {{"cache_reap", "NUMBER",
      "SLAB: cache_reap() runs after so many operations on objects; 0: never by itself"},
     set_cache_reap,
     get_cache_reap},
    {{"vmsplit", "3g|2g|1g", "32 bit: user space's part of the 4 GiB of addresses"},
     set_vmsplit,
     get_vmsplit},
    {{"la57", "true|false", "x86_64: page tables of five levels"}, set_la57, get_la57},
    {{"vmalloc_fault", "true|false",
      "i386, as kernels before 5.8: processes get new tables of the vmalloc area by a "
      "page fault"},
     set_vmalloc_fault,
     get_vmalloc_fault},
    {{"km_types", "true|false",
      "as kernels before 2.6.37: kmap_atomic's slots have names, KM_USER0 and others"},
     set_km_types,
     get_km_types},
    {{"deadlock", "told|hangs",
      "who spins for a lock that its own CPU holds: a report, or the CPU is lost"},
     set_deadlock,
     get_deadlock},
    {{"spinlocks", "true|false",
      "false: a kernel for one CPU, whose spinlocks exclude nobody: kmap in an interrupt "
      "corrupts"},
     set_spinlocks,
     get_spinlocks},
    {{"kernel_accesses", "true|false",
      "the allocators' own loads and stores go through TLBs and caches and are counted: "
      "cost()"},
     set_kernel_accesses,
     get_kernel_accesses},
    {{"forget_flush", "none|all|vmalloc,pkmap,kmap_local,fixmap",
      "break it: TLB flushes that the kernel forgets"},
     set_forget_flush,
     get_forget_flush},
    {{"seed", "NUMBER", "of random workloads"}, set_seed, get_seed},
};
const struct option_group config_kernel_options = {options,
                                                   sizeof options / sizeof options[0]};
