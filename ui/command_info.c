/* Commands: tables of the machine, as gdb's info and crash's kmem print them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _XOPEN_SOURCE 700
#include "command_run.h"

#include "describe.h"
#include "inspect_hw.h"
#include "memsys.h"
#include "pane.h"
#include "popup.h"
#include "slab_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- info ---- */

static void info_zones(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    text_add(b, "%-8s %12s %10s %10s %8s %8s %8s\n", "ZONE", "FIRST PFN", "MANAGED",
             "FREE", "MIN", "LOW", "HIGH");
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        const struct zone_view z = zone_view(m, i);
        text_add(b,
                 "%-8s %#12" PRIx64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %8" PRIu64
                 " %8" PRIu64 "\n",
                 z.name, z.start_pfn, z.managed, z.free, z.wmark_min, z.wmark_low,
                 z.wmark_high);
    }
}

static void info_buddy(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        text_add(b, "%s%s\norder", i ? "\n" : "", zone_view(m, i).name);
        for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
            text_add(b, " %12s", type_name((enum migratetype)mt));
        }
        for (uint32_t order = 0; order < m->config.max_order; order++) {
            text_add(b, "\n%5u", order);
            for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
                text_add(b, " %12" PRIu64,
                         freelist_count(m, i, order, (enum migratetype)mt));
            }
        }
        text_add(b, "\n");
    }
}

static void info_pcp(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    text_add(b, "%3s %-8s %6s %6s %6s  %s\n", "CPU", "ZONE", "COUNT", "HIGH", "BATCH",
             "LISTS (list: pages, hot first)");
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
            const struct pcp_view p = pcp_view(m, i, cpu);
            text_add(b, "%3u %-8s %6u %6u %6u ", cpu, zone_view(m, i).name, p.count,
                     p.high, p.batch);
            for (uint32_t list = 0; list < NR_PCP_LISTS; list++) {
                if (!pcp_list_count(m, i, cpu, list)) {
                    continue;
                }
                char name[32];
                value_format(name, sizeof name, m, "list", list);
                text_add(b, " %s:", name);
                uint32_t shown = 0;
                for (pfn_t p2 = pcp_list_first(m, i, cpu, list);
                     !pfn_is_none(p2) && shown++ < 4; p2 = pcp_list_next(m, p2)) {
                    text_add(b, " %" PRIx64, p2.v);
                }
                if (pcp_list_count(m, i, cpu, list) > shown) {
                    text_add(b, " +%u", pcp_list_count(m, i, cpu, list) - shown);
                }
            }
            text_add(b, "\n");
        }
    }
}

static void info_cpus(struct app *a, struct text_buf *b)
{
    static const char *const contexts[] = {"process", "softirq", "hardirq"};
    const struct machine *m = a->model.m;
    text_add(b, "  CPU CONTEXT  PREEMPT_COUNT INTERRUPTS LOCKS\n");
    for (uint32_t cpu = 0; cpu < machine_nr_cpus(m); cpu++) {
        const struct cpu_view v = cpu_view(m, cpu);
        text_add(b, "%c %3u %-8s %#13x %-10s", cpu == a->cpu ? '*' : ' ', cpu,
                 contexts[v.ctx], v.preempt_count, v.irqs_disabled ? "off" : "on");
        for (uint32_t i = 0; i < v.nr_locks; i++) {
            char name[64];
            value_format(name, sizeof name, m, "lock", v.locks[i]);
            text_add(b, " %s", name);
        }
        text_add(b, "\n");
    }
}

static void info_registers(struct app *a, struct text_buf *b)
{
    const struct memsys *s = hw_memsys(a->model.m, a->cpu);
    if (!s) {
        text_add(b, "CPU %u has no memory management unit.\n", a->cpu);
        return;
    }
    const struct mmu *u = &s->s->mmu;
    text_add(b, "cr2    0x%" PRIx64 "\ncr3    0x%" PRIx64 "  (PCID %u)\n",
             s->s->fault.cr2, u->cr3, u->pcid);
    text_add(b, "cr0    %s%s\n", u->paging == PAGING_NONE ? "" : "PG ",
             u->wp ? "WP" : "");
    text_add(b, "cr4    %s%s%s%s%s%s\n", u->pse ? "PSE " : "",
             u->paging == PAGING_I386 ? "" : "PAE ", u->pge ? "PGE " : "",
             u->smep ? "SMEP " : "", u->smap ? "SMAP " : "",
             u->paging == PAGING_5LEVEL ? "LA57 " : "");
    text_add(b, "efer   %s\neflags %s\ncpl    %d\n", u->nxe ? "NXE" : "",
             u->ac ? "AC" : "", u->user ? 3 : 0);
}

static void info_tlb(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    text_add(b, "CPU %u\n%-5s %5s %3s %-18s %-12s %5s %-5s %5s\n", a->cpu, "TLB", "SET",
             "WAY", "PAGE", "FRAME", "SIZE", "FLAGS", "ASID");
    for (enum hw_part part = PART_ITLB; part <= PART_STLB; part++) {
        const struct cache *c = hw_cache(m, a->cpu, part);
        for (uint32_t set = 0; c && set < c->config.sets; set++) {
            for (uint32_t way = 0; way < c->config.ways; way++) {
                const struct tlb_view t = hw_tlb_entry(m, a->cpu, part, set, way);
                char perms[5];
                if (!t.valid) {
                    continue;
                }
                perms_format(perms, t.perms);
                text_add(
                    b, "%-5s %5u %3u 0x%-16" PRIx64 " 0x%-10" PRIx64 " %4uK %s%s %5u%s\n",
                    part_name(part), set, way, t.va, t.pa, 1u << (t.shift - 10), perms,
                    t.global ? "G" : " ", t.asid, t.stale ? "  stale" : "");
            }
        }
    }
}

static void info_cache(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    text_add(b, "CPU %u\n%-4s %10s %5s %5s %5s %8s %8s\n", a->cpu, "", "BYTES", "SETS",
             "WAYS", "LINE", "VALID", "DIRTY");
    for (enum hw_part part = PART_L1I; part <= PART_L2; part++) {
        const struct cache *c = hw_cache(m, a->cpu, part);
        uint32_t valid = 0, dirty = 0;
        for (uint32_t set = 0; c && set < c->config.sets; set++) {
            for (uint32_t way = 0; way < c->config.ways; way++) {
                const struct line_view l = hw_line(m, a->cpu, part, set, way);
                valid += l.valid;
                dirty += l.dirty;
            }
        }
        if (c) {
            text_add(b, "%-4s %10u %5u %5u %5u %8u %8u\n", part_name(part),
                     c->config.sets * c->config.ways * c->config.line_bytes,
                     c->config.sets, c->config.ways, c->config.line_bytes, valid, dirty);
        }
    }
}

static void info_machine(struct app *a, struct text_buf *b)
{
    char text[1024];
    config_format(text, sizeof text, &a->model.m->config);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        text_add(b, "%s\n", word);
    }
}

static const struct {
    const char *name, *command; /* a command that shows it, or */
    void (*print)(struct app *a, struct text_buf *b);
    const char *about;
} infos[] = {
    {"breakpoints", "breakpoints", NULL, "breakpoints and watchpoints"},
    {"branches", "branch list", NULL, "branches of the timeline"},
    {"buddy", NULL, info_buddy, "free lists"},
    {"cache", NULL, info_cache, "the CPU's caches"},
    {"cpus", NULL, info_cpus, "CPUs and their contexts"},
    {"events", "events", NULL, "kinds of events"},
    {"frame", "frame", NULL, "the selected frame"},
    {"locals", "locals", NULL, "the script's variables here"},
    {"machine", NULL, info_machine, "the machine's configuration"},
    {"marks", "marks", NULL, "marked positions"},
    {"mempool", NULL, info_mempool, "memory pools and fault injection"},
    {"pcp", NULL, info_pcp, "per-CPU page lists"},
    {"pkmap", NULL, info_pkmap, "kmap's windows"},
    {"registers", NULL, info_registers, "the CPU's control registers"},
    {"slab", "slabtop", NULL, "caches of objects"},
    {"stack", "backtrace", NULL, "the simulated call stack"},
    {"tlb", NULL, info_tlb, "the CPU's TLBs"},
    {"vmalloc", NULL, info_vmalloc, "areas of vmalloc, vmap and ioremap"},
    {"zones", NULL, info_zones, "zones and watermarks"},
};

void command_infos(void (*fn)(void *ctx, const char *word), void *ctx)
{
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        fn(ctx, infos[i].name);
    }
}

void run_info(struct app *a, const char *args)
{
    const size_t len = strlen(args);
    for (size_t i = 0; len && i < sizeof infos / sizeof infos[0]; i++) {
        if (strncmp(infos[i].name, args, len) != 0) {
            continue;
        }
        if (infos[i].command) {
            command_run(a, infos[i].command);
        } else {
            struct text_buf b = {0};
            infos[i].print(a, &b);
            popup_text(a, infos[i].about, b.text);
        }
        return;
    }
    if (len) {
        app_message(a, MESSAGE_ERROR,
                    "There is no info about %s: info lists what there is.", args);
        return;
    }
    popup_choice(a, "Info about");
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        char command[48];
        snprintf(command, sizeof command, "info %s", infos[i].name);
        popup_add(a, command, "%s: %s", infos[i].name, infos[i].about);
    }
}

/* ---- kmem ---- */

/* "of" names what it is a part of; NULL: nothing. */
static void kmem_line(struct text_buf *b, const char *name, uint64_t pages,
                      uint64_t total, const char *of)
{
    char size[32];
    const double mb = (double)pages * PAGE_SIZE / (1 << 20);
    snprintf(size, sizeof size,
             !pages       ? "0"
             : mb >= 1024 ? "%.1f GB"
             : mb >= 1    ? "%.1f MB"
                          : "%.0f KB",
             mb >= 1024 ? mb / 1024
             : mb >= 1  ? mb
                        : mb * 1024);
    text_add(b, "%13s %8" PRIu64 " %12s", name, pages, size);
    if (of) {
        text_add(b, " %4" PRIu64 "%% of %s\n", total ? pages * 100 / total : 0, of);
    } else {
        text_add(b, "         ----\n");
    }
}

/* The rows that crash prints. There is no page cache, no swap and no huge page here, and
 * nobody shares a page: 0, as in a machine that has just booted. */
static void kmem_i(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    uint64_t total = 0, free = 0, slabs = 0;
    struct cache_view v;
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        const struct zone_view z = zone_view(m, i);
        total += z.managed;
        free += z.free;
    }
    for (uint32_t id = caches_first(m); id; id = caches_next(m, id)) {
        if (cache_view(m, id, &v)) {
            slabs += v.num_slabs << v.order;
        }
    }
    text_add(b, "%22s %12s      PERCENTAGE\n", "PAGES", "TOTAL");
    kmem_line(b, "TOTAL MEM", total, 0, NULL);
    kmem_line(b, "FREE", free, total, "TOTAL MEM");
    kmem_line(b, "USED", total > free ? total - free : 0, total, "TOTAL MEM");
    kmem_line(b, "SHARED", 0, total, "TOTAL MEM");
    kmem_line(b, "BUFFERS", 0, total, "TOTAL MEM");
    kmem_line(b, "CACHED", 0, total, "TOTAL MEM");
    kmem_line(b, "SLAB", slabs, total, "TOTAL MEM");
    text_add(b, "\n");
    kmem_line(b, "TOTAL HUGE", 0, 0, NULL);
    kmem_line(b, "HUGE FREE", 0, 0, "TOTAL HUGE");
    text_add(b, "\n");
    kmem_line(b, "TOTAL SWAP", 0, 0, NULL);
    kmem_line(b, "SWAP USED", 0, 0, "TOTAL SWAP");
    kmem_line(b, "SWAP FREE", 0, 0, "TOTAL SWAP");
    text_add(b, "\n");
    /* vm.overcommit_ratio is 50 unless somebody sets it */
    kmem_line(b, "COMMIT LIMIT", total / 2, 0, NULL);
    kmem_line(b, "COMMITTED", 0, total / 2, "TOTAL LIMIT");
}

static void kmem_f(struct app *a, struct text_buf *b)
{
    const struct machine *m = a->model.m;
    uint64_t free = 0;
    text_add(b, "NODE\n  0\n");
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        const struct zone_view z = zone_view(m, i);
        text_add(b, "%sZONE  %-10s %8s %8s  %-16s %s\n", i ? "\n" : "", "NAME", "SIZE",
                 "FREE", "START_PADDR", "START_MAPNR");
        text_add(b, "%3u   %-10s %8" PRIu64 " %8" PRIu64 "  %-16" PRIx64 " %" PRIu64 "\n",
                 i, z.name, z.spanned, z.free, z.start_pfn << PAGE_SHIFT, z.start_pfn);
        text_add(b, "AREA  %8s %8s %8s\n", "SIZE", "BLOCKS", "PAGES");
        for (uint32_t order = 0; order < m->config.max_order; order++) {
            const uint64_t blocks = free_area_count(m, i, order);
            text_add(b, "%3u   %7uk %8" PRIu64 " %8" PRIu64 "\n", order, 4u << order,
                     blocks, blocks << order);
        }
        free += z.free;
    }
    text_add(b, "\nnr_free_pages: %" PRIu64 "\n", free);
}

static void kmem_p(struct app *a, struct text_buf *b, const char *address)
{
    char *end, title[96];
    const uint64_t pa = strtoull(address, &end, 16);
    if (end == address || *end) {
        text_add(b, "kmem -p wants a physical address, hexadecimal.\n");
        return;
    }
    char *details = page_details(a, pa >> PAGE_SHIFT, title, sizeof title);
    const struct page_view v = page_view(a->model.m, pfn(pa >> PAGE_SHIFT));
    const uint32_t slab = slab_of_page(a->model.m, pa >> PAGE_SHIFT);
    text_add(b, "%-10s %-16s %3s %s\n", "PAGE", "PHYSICAL", "CNT", "FLAGS");
    text_add(
        b, "%-10" PRIx64 " %-16" PRIx64 " %3u%s%s%s%s%s%s\n\n%s\n%s", pa >> PAGE_SHIFT,
        pa & ~UINT64_C(4095), v.refcount, v.state == PAGE_RESERVED ? " reserved" : "",
        v.state == PAGE_FREE ? " buddy" : "", slab ? " slab" : "",
        v.compound ? " head" : "", v.lru ? " lru" : "",
        v.state == PAGE_PCP ? " (on a per-CPU list)" : "", title, details ? details : "");
    free(details);
}

void run_kmem(struct app *a, const char *args)
{
    struct text_buf b = {0};
    const char *rest;
    if (first_word_is(args, "-i", &rest)) {
        kmem_i(a, &b);
    } else if (first_word_is(args, "-f", &rest)) {
        kmem_f(a, &b);
    } else if (first_word_is(args, "-s", &rest)) {
        kmem_caches(a, &b, rest);
    } else if (first_word_is(args, "-S", &rest)) {
        kmem_slabs(a, &b, rest);
    } else if (first_word_is(args, "-p", &rest)) {
        kmem_p(a, &b, rest);
    } else {
        app_message(a, MESSAGE_ERROR,
                    "kmem -i: memory in use; -f: free lists; -s [CACHE]: caches; -S "
                    "CACHE: its slabs; -p ADDRESS: a page.");
        return;
    }
    popup_text(a, "kmem", b.text);
}

/* ---- files of /proc by their names ---- */

void run_buddyinfo(struct app *a, const char *args)
{
    (void)args, command_run(a, "proc buddyinfo");
}
void run_pagetypeinfo(struct app *a, const char *args)
{
    (void)args, command_run(a, "proc pagetypeinfo");
}
void run_zoneinfo(struct app *a, const char *args)
{
    (void)args, command_run(a, "proc zoneinfo");
}
void run_vmstat(struct app *a, const char *args)
{
    (void)args, command_run(a, "proc vmstat");
}
void run_slabinfo(struct app *a, const char *args)
{
    (void)args, command_run(a, "proc slabinfo");
}
