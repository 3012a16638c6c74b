/* The configuration of a machine as text: one table of options, from which parsing,
 * printing, help and completion are made. The processor's part of it: config_hw.c.
 *
 * The file is over 800 lines because each option is a pair of small functions here and a
 * row of the table at its end.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_hw.h"
#include "hardware.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static const char *const arch_names[] = {
    [ARCH_I386] = "i386", [ARCH_I386_PAE] = "i386pae", [ARCH_X86_64] = "x86_64"};
enum { NR_ARCHS = sizeof arch_names / sizeof arch_names[0] };

static const char *const ratio_names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal", "HighMem",
                                                      "Movable"};

struct error {
    char *text;
    size_t size;
};

#define FAIL(e, ...) (snprintf((e).text, (e).size, __VA_ARGS__), false)

/* ---- values ---- */

/* A number with an optional K, M, G, T (powers of 1024), and an optional B or iB behind
 * it. */
static bool scan_size(const char **at, uint64_t *out)
{
    const char *s = *at;
    if (*s < '0' || *s > '9') {
        return false;
    }
    char *end;
    int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
    uint64_t v = strtoull(s, &end, base);
    if (v == UINT64_MAX) {
        return false;
    }
    static const char units[] = "KMGT";
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    if (unit) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (v > UINT64_MAX >> shift) {
            return false;
        }
        v <<= shift;
        end++;
    }
    if (end[0] == 'i' && end[1] == 'B') {
        end += 2;
    } else if (end[0] == 'B') {
        end++;
    }
    *at = end;
    *out = v;
    return true;
}

static bool parse_size(const char *text, uint64_t *out)
{
    return scan_size(&text, out) && !*text;
}

static int print_size(char *buf, size_t size, uint64_t v)
{
    static const char units[] = "TGMK";
    for (unsigned i = 0; i < 4; i++) {
        unsigned shift = 40 - 10 * i;
        if (v && !(v & (((uint64_t)1 << shift) - 1))) {
            return snprintf(buf, size, "%" PRIu64 "%c", v >> shift, units[i]);
        }
    }
    return snprintf(buf, size, "%" PRIu64, v);
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    uint64_t v = strtoull(text, &end, 0);
    if (*end || v < min || v > max || v == UINT64_MAX) {
        return false;
    }
    *out = v;
    return true;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < 4; i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *out = !strcmp(text, yes[i]);
            return true;
        }
    }
    return false;
}

/* ---- one pair of functions for each kind of option ---- */

static bool arch_of(const char *value, enum arch *arch)
{
    for (size_t i = 0; i < NR_ARCHS; i++) {
        if (!strcmp(arch_names[i], value)) {
            *arch = (enum arch)i;
            return true;
        }
    }
    if (!strcmp(value, "i386-pae") || !strcmp(value, "pae")) {
        *arch = ARCH_I386_PAE;
        return true;
    }
    if (!strcmp(value, "x86-64") || !strcmp(value, "amd64")) {
        *arch = ARCH_X86_64;
        return true;
    }
    return false;
}

static bool set_arch(struct machine_config *c, const char *value, struct error e)
{
    enum arch arch;
    if (!arch_of(value, &arch)) {
        return FAIL(e, "arch=%.40s is not known: use i386, i386pae or x86_64", value);
    }
    hw_config_change_arch(&c->hw, c->arch, arch);
    c->arch = arch;
    return true;
}

static int get_arch(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", arch_names[c->arch]);
}

static bool set_ram(struct machine_config *c, const char *value, struct error e)
{
    uint64_t v;
    if (!parse_size(value, &v)) {
        return FAIL(
            e, "ram=%.40s is not a size: use a number and K, M, G or T, such as 160M",
            value);
    }
    if (v % PAGE_SIZE) {
        return FAIL(e, "ram=%.40s is not a multiple of 4K, the size of a page", value);
    }
    c->ram_bytes = v;
    return true;
}

static int get_ram(char *buf, size_t size, const struct machine_config *c)
{
    return print_size(buf, size, c->ram_bytes);
}

static bool set_memmap(struct machine_config *c, const char *value, struct error e)
{
    struct memmap_entry map[MAX_MEMMAP];
    memset(map, 0,
           sizeof map); /* the padding too: configurations are compared as bytes */
    uint32_t n = 0;
    if (!strcmp(value, "pc")) {
        c->nr_memmap = 0;
        memset(c->memmap, 0, sizeof c->memmap);
        return true;
    }
    for (const char *at = value;;) {
        if (n == MAX_MEMMAP) {
            return FAIL(
                e, "memmap has more than %d ranges: join neighbours of the same type",
                MAX_MEMMAP);
        }
        struct memmap_entry *m = &map[n];
        m->type = MEMMAP_USABLE;
        if (!scan_size(&at, &m->start) || *at++ != '-' || !scan_size(&at, &m->end)) {
            return FAIL(
                e,
                "memmap range %u is not START-END: write 0-640K,1M-160M, with :reserved "
                "behind a range that is not RAM",
                n + 1);
        }
        if (*at == ':') {
            at++;
            if (!strncmp(at, "reserved", 8)) {
                m->type = MEMMAP_RESERVED;
                at += 8;
            } else if (!strncmp(at, "usable", 6)) {
                at += 6;
            } else {
                return FAIL(
                    e, "memmap range %u has an unknown type: use :usable or :reserved",
                    n + 1);
            }
        }
        if (m->end <= m->start) {
            return FAIL(
                e, "memmap range %u ends before it starts: the end is not in the range",
                n + 1);
        }
        n++;
        if (!*at) {
            break;
        }
        if (*at++ != ',') {
            return FAIL(
                e, "memmap range %u is followed by '%.8s': put a comma between ranges", n,
                at - 1);
        }
    }
    memset(c->memmap, 0, sizeof c->memmap);
    memcpy(c->memmap, map, n * sizeof map[0]);
    c->nr_memmap = n;
    return true;
}

static int get_memmap(char *buf, size_t size, const struct machine_config *c)
{
    if (!c->nr_memmap) {
        return snprintf(buf, size, "pc");
    }
    struct text t = {buf, size, 0};
    for (uint32_t i = 0; i < c->nr_memmap; i++) {
        char start[32], end[32];
        print_size(start, sizeof start, c->memmap[i].start);
        print_size(end, sizeof end, c->memmap[i].end);
        text_put(&t, "%s%s-%s%s", i ? "," : "", start, end,
                 c->memmap[i].type == MEMMAP_RESERVED ? ":reserved" : "");
    }
    return t.len;
}

static bool set_highmem(struct machine_config *c, const char *value, struct error e)
{
    uint64_t v;
    if (!strcmp(value, "auto")) {
        c->highmem_bytes = UINT64_MAX;
    } else if (parse_size(value, &v) && v % PAGE_SIZE == 0) {
        c->highmem_bytes = v;
    } else {
        return FAIL(
            e,
            "highmem=%.40s is not a size of whole pages: use auto (what lies above "
            "896 MiB) or a size such as 80M",
            value);
    }
    return true;
}

static int get_highmem(char *buf, size_t size, const struct machine_config *c)
{
    if (c->highmem_bytes == UINT64_MAX) {
        return snprintf(buf, size, "auto");
    }
    return print_size(buf, size, c->highmem_bytes);
}

static bool set_kernel(struct machine_config *c, const char *value, struct error e)
{
    uint64_t start, end;
    const char *at = value;
    if (!strcmp(value, "auto")) {
        c->kernel_start = c->kernel_end = 0;
        return true;
    }
    if (!strcmp(value, "none")) {
        c->kernel_start = c->kernel_end = 1;
        return true;
    }
    if (!scan_size(&at, &start) || *at++ != '-' || !scan_size(&at, &end) || *at ||
        end <= start) {
        return FAIL(
            e, "kernel=%.40s is not START-END: use auto, none or a range such as 16M-21M",
            value);
    }
    c->kernel_start = start;
    c->kernel_end = end;
    return true;
}

static int get_kernel(char *buf, size_t size, const struct machine_config *c)
{
    if (c->kernel_start == c->kernel_end) {
        return snprintf(buf, size, "%s", c->kernel_end ? "none" : "auto");
    }
    char start[32], end[32];
    print_size(start, sizeof start, c->kernel_start);
    print_size(end, sizeof end, c->kernel_end);
    return snprintf(buf, size, "%s-%s", start, end);
}

static bool set_initrd(struct machine_config *c, const char *value, struct error e)
{
    if (!parse_size(value, &c->initrd_bytes)) {
        return FAIL(
            e, "initrd=%.40s is not a size: use a number and K, M or G, or 0 for none",
            value);
    }
    return true;
}

static int get_initrd(char *buf, size_t size, const struct machine_config *c)
{
    return print_size(buf, size, c->initrd_bytes);
}

static bool set_u32(uint32_t *out, const char *name, const char *value, uint32_t min,
                    uint32_t max, struct error e)
{
    uint64_t v;
    if (!parse_number(value, min, max, &v)) {
        return FAIL(e, "%s=%.40s: use a number from %u to %u", name, value, min, max);
    }
    *out = (uint32_t)v;
    return true;
}

static bool set_cpus(struct machine_config *c, const char *value, struct error e)
{
    return set_u32(&c->cpus, "cpus", value, 1, MAX_CPUS, e);
}

static int get_cpus(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->cpus);
}

static bool set_nr_cpus(struct machine_config *c, const char *value, struct error e)
{
    return set_u32(&c->nr_cpus, "nr_cpus", value, 1, MAX_CPUS, e);
}

static int get_nr_cpus(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->nr_cpus);
}

static bool set_max_order(struct machine_config *c, const char *value, struct error e)
{
    return set_u32(&c->max_order, "max_order", value, 2, MAX_ORDER, e);
}

static int get_max_order(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->max_order);
}

static bool set_min_free_kbytes(struct machine_config *c, const char *value,
                                struct error e)
{
    uint64_t v;
    if (!strcmp(value, "auto")) {
        c->min_free_kbytes = -1;
    } else if (parse_number(value, 0, INT32_MAX, &v)) {
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
static bool set_ratio(struct machine_config *c, const char *value, struct error e)
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

static bool set_pcp(struct machine_config *c, const char *value, struct error e)
{
    bool on;
    if (!parse_bool(value, &on)) {
        return FAIL(e, "pcp=%.40s: use true or false", value);
    }
    c->no_pcp = !on;
    return true;
}

static int get_pcp(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->no_pcp ? "false" : "true");
}

static bool set_pcp_cold(struct machine_config *c, const char *value, struct error e)
{
    return parse_bool(value, &c->pcp_cold) ||
           FAIL(e, "pcp_cold=%.40s: use true or false", value);
}

static int get_pcp_cold(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->pcp_cold ? "true" : "false");
}

static bool set_vmsplit(struct machine_config *c, const char *value, struct error e)
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

static bool set_la57(struct machine_config *c, const char *value, struct error e)
{
    return parse_bool(value, &c->la57) || FAIL(e, "la57=%.40s: use true or false", value);
}
static int get_la57(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->la57 ? "true" : "false");
}

/* slub=true is another way to say it. */
static bool set_slab(struct machine_config *c, const char *value, struct error e)
{
    if (!strcmp(value, "slab") || !strcmp(value, "slub")) {
        c->slub = !strcmp(value, "slub");
        return true;
    }
    return parse_bool(value, &c->slub) || FAIL(e, "slab=%.40s: use slab or slub", value);
}
static int get_slab(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->slub ? "slub" : "slab");
}

static bool set_slab_merge(struct machine_config *c, const char *value, struct error e)
{
    return parse_bool(value, &c->slab_merge) ||
           FAIL(e, "slab_merge=%.40s: use true or false", value);
}
static int get_slab_merge(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->slab_merge ? "true" : "false");
}

/* Blocks of options, each perhaps for certain caches only: FZ,kmalloc-64,ext4*;U */
static bool set_slub_debug(struct machine_config *c, const char *value, struct error e)
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

static bool set_cache_line(struct machine_config *c, const char *value, struct error e)
{
    uint64_t line = 0;
    if (strcmp(value, "auto") != 0 &&
        (!parse_number(value, 16, 256, &line) || (line & (line - 1)))) {
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

static bool set_cache_reap(struct machine_config *c, const char *value, struct error e)
{
    uint64_t ops;
    if (!parse_number(value, 0, UINT32_MAX, &ops)) {
        return FAIL(e, "cache_reap=%.40s: use a number of operations, or 0", value);
    }
    c->reap_ops = (uint32_t)ops;
    return true;
}
static int get_cache_reap(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%u", c->reap_ops);
}

static bool set_vmalloc_fault(struct machine_config *c, const char *value, struct error e)
{
    return parse_bool(value, &c->vmalloc_fault) ||
           FAIL(e, "vmalloc_fault=%.40s: use true or false", value);
}
static int get_vmalloc_fault(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->vmalloc_fault ? "true" : "false");
}

static bool set_km_types(struct machine_config *c, const char *value, struct error e)
{
    return parse_bool(value, &c->km_types) ||
           FAIL(e, "km_types=%.40s: use true or false", value);
}
static int get_km_types(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->km_types ? "true" : "false");
}

static bool set_deadlock(struct machine_config *c, const char *value, struct error e)
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

static bool set_spinlocks(struct machine_config *c, const char *value, struct error e)
{
    bool on;
    if (!parse_bool(value, &on)) {
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
                                struct error e)
{
    return parse_bool(value, &c->kernel_accesses) ||
           FAIL(e, "kernel_accesses=%.40s: use true or false", value);
}
static int get_kernel_accesses(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%s", c->kernel_accesses ? "true" : "false");
}

static const char *const flush_names[] = {"vmalloc", "pkmap", "kmap_local", "fixmap"};
enum { NR_FLUSHES = sizeof flush_names / sizeof flush_names[0] };

static bool set_forget_flush(struct machine_config *c, const char *value, struct error e)
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

static bool set_seed(struct machine_config *c, const char *value, struct error e)
{
    return parse_number(value, 0, UINT64_MAX - 1, &c->seed) ||
           FAIL(e, "seed=%.40s: use a number", value);
}

static int get_seed(char *buf, size_t size, const struct machine_config *c)
{
    return snprintf(buf, size, "%" PRIu64, c->seed);
}

/* ---- the table ---- */

static const struct option {
    struct config_option doc;
    bool (*set)(struct machine_config *c, const char *value, struct error e);
    int (*get)(char *buf, size_t size, const struct machine_config *c);
} options[] = {
    {{"arch", "i386|i386pae|x86_64", "the processor and its kernel"}, set_arch, get_arch},
    {{"ram", "SIZE", "memory: 160M, 1G, 1T"}, set_ram, get_ram},
    {{"memmap", "pc|START-END[:reserved],...",
      "the firmware's memory map; pc: a PC's usual one for ram"},
     set_memmap,
     get_memmap},
    {{"highmem", "auto|SIZE", "32 bit: size of HighMem; auto: what lies above 896 MiB"},
     set_highmem,
     get_highmem},
    {{"kernel", "auto|none|START-END",
      "where the kernel image lies; none: a bare machine"},
     set_kernel,
     get_kernel},
    {{"initrd", "SIZE", "an initial RAM disk that the boot loader leaves in memory"},
     set_initrd,
     get_initrd},
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
enum { NR_OPTIONS = sizeof options / sizeof options[0] };

const struct config_option *config_options(size_t i)
{
    return i < NR_OPTIONS ? &options[i].doc : hw_option(i - NR_OPTIONS);
}

void config_init(struct machine_config *c, enum arch arch)
{
    memset(c, 0, sizeof *c);
    c->arch = arch;
    c->ram_bytes = 160 * MIB;
    c->highmem_bytes = UINT64_MAX;
    c->cpus = 1;
    c->nr_cpus = 4;
    c->user_gib = 3;
    c->max_order = MAX_ORDER;
    c->min_free_kbytes = -1;
    c->lowmem_reserve_ratio[ZONE_DMA] = 256;
    c->lowmem_reserve_ratio[ZONE_DMA32] = 256;
    c->lowmem_reserve_ratio[ZONE_NORMAL] = 32;
    c->seed = 1;
    hardware_config_init(&c->hw, arch);
}

bool config_set(struct machine_config *c, const char *name, const char *value, char *err,
                size_t err_size)
{
    struct error e = {err, err_size};
    name = !strcmp(name, "slub") ? "slab" : name;
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        if (!strcmp(options[i].doc.name, name)) {
            return options[i].set(c, value, e);
        }
    }
    if (hw_option_known(name)) {
        return hw_option_set(&c->hw, name, value, err, err_size);
    }
    const struct config_option *o;
    int len =
        snprintf(err, err_size, "%.40s is not an option of the machine: there are", name);
    for (size_t i = 0; (o = config_options(i)) && len > 0 && (size_t)len < err_size;
         i++) {
        len +=
            snprintf(err + len, err_size - (size_t)len, "%s%s", i ? ", " : " ", o->name);
    }
    return false;
}

/* Options that have their default's value are left out, except the first two. */
int config_format(char *buf, size_t size, const struct machine_config *c)
{
    struct machine_config defaults;
    config_init(&defaults, c->arch);
    struct text t = {buf, size, 0};
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        char value[1600], usual[1600];
        options[i].get(value, sizeof value, c);
        options[i].get(usual, sizeof usual, &defaults);
        if (i < 2 || strcmp(value, usual) != 0) {
            text_put(&t, "%s%s=%s", i ? " " : "", options[i].doc.name, value);
        }
    }
    for (size_t i = 0; hw_option(i); i++) {
        char value[80], usual[80];
        hw_option_get(value, sizeof value, &c->hw, hw_option(i)->name);
        hw_option_get(usual, sizeof usual, &defaults.hw, hw_option(i)->name);
        if (strcmp(value, usual) != 0) {
            text_put(&t, " %s=%s", hw_option(i)->name, value);
        }
    }
    return t.len;
}

/* ---- machines that cannot be ---- */

static bool check_memmap(const struct machine_config *c, struct error e)
{
    uint64_t usable = 0;
    for (uint32_t i = 0; i < c->nr_memmap; i++) {
        const struct memmap_entry *m = &c->memmap[i];
        if (m->end <= m->start) {
            return FAIL(e, "memmap range %u is empty: its end must lie behind its start",
                        i + 1);
        }
        if (i && m->start < c->memmap[i - 1].end) {
            return FAIL(e,
                        "memmap range %u overlaps the one before it or comes too late: "
                        "sort the ranges by address",
                        i + 1);
        }
        if (m->type == MEMMAP_USABLE) {
            uint64_t start = (m->start + PAGE_SIZE - 1) / PAGE_SIZE,
                     end = m->end / PAGE_SIZE;
            usable += end > start ? end - start : 0;
        }
    }
    if (c->nr_memmap && !usable) {
        return FAIL(
            e, "memmap has no whole page of usable memory: add a range such as 1M-160M");
    }
    return true;
}

bool config_check(const struct machine_config *c, char *err, size_t err_size)
{
    struct error e = {err, err_size};
    if ((unsigned)c->arch >= NR_ARCHS) {
        return FAIL(e, "arch %d is not known: use i386, i386pae or x86_64", (int)c->arch);
    }
    bool bare = c->kernel_start == c->kernel_end && c->kernel_end;
    uint64_t top = c->ram_bytes;
    if (c->nr_memmap > MAX_MEMMAP) {
        return FAIL(e, "memmap has %u ranges: at most %d", c->nr_memmap, MAX_MEMMAP);
    }
    if (!check_memmap(c, e)) {
        return false;
    }
    for (uint32_t i = 0; i < c->nr_memmap; i++) {
        if (i == 0) {
            top = 0;
        }
        if (c->memmap[i].type == MEMMAP_USABLE) {
            top = c->memmap[i].end;
        }
    }
    const uint64_t most = c->arch == ARCH_X86_64     ? 4 * TIB
                          : c->arch == ARCH_I386_PAE ? 64 * GIB
                                                     : 4 * GIB;
    if (top > most) {
        char size[32];
        print_size(size, sizeof size, most);
        return FAIL(e, "%s cannot have memory above %s: use %s", arch_names[c->arch],
                    size,
                    c->arch == ARCH_I386       ? "less, or arch=i386pae or x86_64"
                    : c->arch == ARCH_I386_PAE ? "less, or arch=x86_64"
                                               : "less");
    }
    if (!bare && c->nr_memmap == 0 && c->ram_bytes < 32 * MIB) {
        return FAIL(
            e,
            "ram is too small for the kernel image and its tables: use ram=32M or more, "
            "or a bare machine with kernel=none and a memmap");
    }
    if (bare && c->nr_memmap == 0 && c->ram_bytes < 2 * MIB) {
        return FAIL(
            e, "ram is too small for a PC's memory map: use ram=2M or more, or a memmap");
    }
    if (c->highmem_bytes != UINT64_MAX && c->highmem_bytes && c->arch == ARCH_X86_64) {
        return FAIL(e, "x86_64 has no HighMem: leave highmem=auto, or use arch=i386");
    }
    if (c->highmem_bytes != UINT64_MAX && c->highmem_bytes % PAGE_SIZE) {
        return FAIL(e, "highmem is not a multiple of 4K, the size of a page");
    }
    if (c->cpus < 1 || c->cpus > MAX_CPUS) {
        return FAIL(e, "cpus=%u: use 1 to %d", c->cpus, MAX_CPUS);
    }
    if (c->max_order < 2 || c->max_order > MAX_ORDER) {
        return FAIL(e, "max_order=%u: use 2 to %d", c->max_order, MAX_ORDER);
    }
    if (c->initrd_bytes > top / 2) {
        return FAIL(
            e,
            "initrd takes more than half of the memory: use a smaller one or more ram");
    }
    return hw_config_check(c, err, err_size);
}
