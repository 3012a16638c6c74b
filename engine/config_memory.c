/* Options about a machine's memory: how much there is, what the firmware says of it, and
 * what the boot loader leaves in it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"
#include "text.h"

static bool set_ram(struct machine_config *c, const char *value, struct config_error e)
{
    uint64_t v;
    if (!config_parse_size(value, &v)) {
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
    return config_print_size(buf, size, c->ram_bytes);
}

static bool set_memmap(struct machine_config *c, const char *value, struct config_error e)
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
        if (!config_scan_size(&at, &m->start) || *at++ != '-' ||
            !config_scan_size(&at, &m->end)) {
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
        config_print_size(start, sizeof start, c->memmap[i].start);
        config_print_size(end, sizeof end, c->memmap[i].end);
        text_put(&t, "%s%s-%s%s", i ? "," : "", start, end,
                 c->memmap[i].type == MEMMAP_RESERVED ? ":reserved" : "");
    }
    return t.len;
}

static bool set_highmem(struct machine_config *c, const char *value,
                        struct config_error e)
{
    uint64_t v;
    if (!strcmp(value, "auto")) {
        c->highmem_bytes = UINT64_MAX;
    } else if (config_parse_size(value, &v) && v % PAGE_SIZE == 0) {
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
    return config_print_size(buf, size, c->highmem_bytes);
}

static bool set_kernel(struct machine_config *c, const char *value, struct config_error e)
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
    if (!config_scan_size(&at, &start) || *at++ != '-' || !config_scan_size(&at, &end) ||
        *at || end <= start) {
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
    config_print_size(start, sizeof start, c->kernel_start);
    config_print_size(end, sizeof end, c->kernel_end);
    return snprintf(buf, size, "%s-%s", start, end);
}

static bool set_initrd(struct machine_config *c, const char *value, struct config_error e)
{
    if (!config_parse_size(value, &c->initrd_bytes)) {
        return FAIL(
            e, "initrd=%.40s is not a size: use a number and K, M or G, or 0 for none",
            value);
    }
    return true;
}

static int get_initrd(char *buf, size_t size, const struct machine_config *c)
{
    return config_print_size(buf, size, c->initrd_bytes);
}

/* ---- the table's rows ---- */

static const struct option options[] = {
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
};
const struct option_group config_memory_options = {options,
                                                   sizeof options / sizeof options[0]};

/* ---- memory that cannot be ---- */

static bool check_memmap(const struct machine_config *c, struct config_error e)
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

bool config_memory_check(const struct machine_config *c, struct config_error e)
{
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
        config_print_size(size, sizeof size, most);
        return FAIL(e, "%s cannot have memory above %s: use %s",
                    config_arch_name(c->arch), size,
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
    if (c->initrd_bytes > top / 2) {
        return FAIL(
            e,
            "initrd takes more than half of the memory: use a smaller one or more ram");
    }
    return true;
}
