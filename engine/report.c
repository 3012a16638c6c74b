/* What the kernel would print on its console for a report event: warn_alloc() and
 * show_mem() for an allocation that fails, bad_page(), the complaints of schedulers and
 * spinlocks, each with its stack dump.
 *
 * Left out: time stamps, the offsets and addresses of functions, module lists. The task
 * is always the same one. Figures of what is not modelled (LRU lists, swap) are 0.
 * A misuse that a kernel does not notice at the time has no report of its own: the
 * event's sentence stands for it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "bad_reasons.h"
#include "describe.h"
#include "inspect.h"
#include "mm.h"
#include "report_private.h"
#include "slab.h"

static uint64_t kib(uint64_t pages) { return pages << (PAGE_SHIFT - 10); }

/* ---- the stack ---- */

/* Where an interrupt handler's part of the stack begins: at the last function that is an
 * operation of its own. */
static uint32_t handler_begin(const struct machine *m, const struct event *ev,
                              uint32_t depth)
{
    if (ev->ctx == CTX_PROCESS) {
        return 0;
    }
    for (uint32_t i = depth; i-- > 0;) {
        const struct fn_info *fn = fn_info(m->probe.stack[i].fn);
        if (fn && op_kind_by_name(fn->name) != UINT16_MAX) {
            return i;
        }
    }
    return 0;
}

static void put_frames(struct text *t, const struct machine *m, const char *tag,
                       uint32_t from, uint32_t to)
{
    text_put(t, " <%s>\n", tag);
    while (to > from) { /* innermost first */
        const struct fn_info *fn = fn_info(m->probe.stack[--to].fn);
        text_put(t, " %s\n", fn ? fn->name : "?");
    }
    text_put(t, " </%s>\n", tag);
}

/* dump_stack() */
void report_stack(struct text *t, const struct machine *m, const struct event *ev)
{
    const uint32_t depth = ev->depth < PROBE_STACK ? ev->depth : PROBE_STACK;
    const uint32_t begin = handler_begin(m, ev, depth);
    text_put(t, "CPU: %u PID: %d Comm: " TASK " %s 6.1.0 #1\n", ev->cpu, TASK_PID,
             m->slab->tainted ? TAINTED : "Not tainted");
    text_put(t, "Hardware name: mmscope\nCall Trace:\n");
    if (ev->ctx != CTX_PROCESS) {
        put_frames(t, m, "IRQ", begin, depth);
    }
    if (ev->ctx == CTX_PROCESS || begin) {
        put_frames(t, m, "TASK", 0, ev->ctx == CTX_PROCESS ? depth : begin);
    }
}

/* ---- show_mem() ---- */

struct mem_info {
    uint64_t free, free_pcp, present, reserved, highmem;
};

static struct mem_info count_memory(const struct machine *m, enum zone_type highest)
{
    struct mem_info sum = {0};
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        const struct zone_view z = zone_view(m, i);
        sum.free += z.free;
        sum.present += z.present;
        sum.reserved += z.present - z.managed;
        sum.highmem += z.type == ZONE_HIGHMEM ? z.present : 0;
        sum.free_pcp += z.type <= highest ? z.pcp_pages : 0;
    }
    return sum;
}

static void put_zone(struct text *t, const struct machine *m, uint32_t zone, uint32_t cpu)
{
    const struct zone_view z = zone_view(m, zone);
    text_put(t, "%s free:%" PRIu64 "kB boost:%" PRIu64 "kB min:%" PRIu64 "kB", z.name,
             kib(z.free), kib(z.wmark_boost), kib(z.wmark_min + z.wmark_boost));
    text_put(t, " low:%" PRIu64 "kB high:%" PRIu64 "kB reserved_highatomic:%" PRIu64 "KB",
             kib(z.wmark_low + z.wmark_boost), kib(z.wmark_high + z.wmark_boost),
             kib(z.highatomic));
    text_put(t, " active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB "
                "unevictable:0kB"
                " writepending:0kB");
    text_put(t, " present:%" PRIu64 "kB managed:%" PRIu64 "kB mlocked:0kB bounce:0kB",
             kib(z.present), kib(z.managed));
    text_put(t, " free_pcp:%" PRIu64 "kB local_pcp:%" PRIu64 "kB free_cma:0kB\n",
             kib(z.pcp_pages), kib(pcp_view(m, zone, cpu).count));
    text_put(t, "lowmem_reserve[]:");
    for (uint32_t type = 0; type < MAX_NR_ZONES; type++) {
        const bool known = type != (m->mm->has_dma32 ? ZONE_HIGHMEM : ZONE_DMA32);
        if (known) {
            text_put(t, " %" PRIu64, z.lowmem_reserve[type]);
        }
    }
    text_put(t, "\n");
}

static void put_free_lists(struct text *t, const struct machine *m, uint32_t zone)
{
    static const char letters[] = "UMEHI"; /* by enum migratetype */
    uint64_t total = 0;
    text_put(t, "%s: ", zone_view(m, zone).name);
    for (uint32_t order = 0; order < m->mm->max_order; order++) {
        const uint64_t nr = free_area_count(m, zone, order);
        char types[MIGRATE_TYPES + 1];
        size_t nr_types = 0;
        for (uint32_t mt = 0; mt < MIGRATE_TYPES; mt++) {
            if (!pfn_is_none(freelist_first(m, zone, order, (enum migratetype)mt))) {
                types[nr_types++] = letters[mt];
            }
        }
        types[nr_types] = 0;
        total += nr << order;
        text_put(t, "%" PRIu64 "*%" PRIu64 "kB ", nr, kib(UINT64_C(1) << order));
        if (nr) {
            text_put(t, "(%s) ", types);
        }
    }
    text_put(t, "= %" PRIu64 "kB\n", kib(total));
}

static void put_memory(struct text *t, const struct machine *m, gfp_t gfp, uint32_t cpu)
{
    /* by the four zone bits */
    const enum zone_type highest = (enum zone_type)m->mm->gfp_zone[gfp & 0xf];
    const struct mem_info all = count_memory(m, highest);
    text_put(t,
             "Mem-Info:\n"
             "active_anon:0 inactive_anon:0 isolated_anon:0\n"
             " active_file:0 inactive_file:0 isolated_file:0\n"
             " unevictable:0 dirty:0 writeback:0\n"
             " slab_reclaimable:%" PRIu64 " slab_unreclaimable:%" PRIu64 "\n"
             " mapped:0 shmem:0 pagetables:0\n"
             " sec_pagetables:0 bounce:0\n"
             " kernel_misc_reclaimable:0\n",
             m->slab->nr_reclaimable, m->slab->nr_unreclaimable);
    text_put(t, " free:%" PRIu64 " free_pcp:%" PRIu64 " free_cma:0\n", all.free,
             all.free_pcp);
    text_put(t,
             "Node 0 active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB"
             " unevictable:0kB isolated(anon):0kB isolated(file):0kB mapped:0kB dirty:0kB"
             " writeback:0kB shmem:0kB writeback_tmp:0kB kernel_stack:0kB pagetables:0kB"
             " sec_pagetables:0kB all_unreclaimable? no\n");
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        if (zone_view(m, i).type <= highest) {
            put_zone(t, m, i, cpu);
        }
    }
    for (uint32_t i = 0; i < machine_nr_zones(m); i++) {
        if (zone_view(m, i).type <= highest) {
            put_free_lists(t, m, i);
        }
    }
    text_put(t, "0 total pagecache pages\n0 pages in swap cache\nFree swap  = 0kB\nTotal "
                "swap = 0kB\n");
    text_put(t,
             "%" PRIu64 " pages RAM\n%" PRIu64 " pages HighMem/MovableOnly\n%" PRIu64
             " pages reserved\n",
             all.present, all.highmem, all.reserved);
}

/* ---- the reports ---- */

static void put_gfp(struct text *t, uint64_t gfp)
{
    char names[512];
    gfp_format(names, sizeof names, (gfp_t)gfp);
    text_put(t, "%#" PRIx64 "(%s)", gfp, names);
}

static void report_alloc_failure(struct text *t, const struct machine *m,
                                 const struct event *ev)
{
    text_put(t, TASK ": page allocation failure: order:%" PRIu64 ", mode:", ev->arg[0]);
    put_gfp(t, ev->arg[1]);
    text_put(t, ", nodemask=(null),cpuset=/,mems_allowed=0\n");
    report_stack(t, m, ev);
    put_memory(t, m, (gfp_t)ev->arg[1], ev->cpu);
}

static void report_oom(struct text *t, const struct machine *m, const struct event *ev)
{
    text_put(t, TASK " invoked oom-killer: gfp_mask=");
    put_gfp(t, ev->arg[1]);
    text_put(t, ", order=%" PRIu64 ", oom_score_adj=0\n", ev->arg[0]);
    report_stack(t, m, ev);
    put_memory(t, m, (gfp_t)ev->arg[1], ev->cpu);
    text_put(t, "Tasks state (memory values in pages):\n"
                "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents "
                "oom_score_adj name\n"
                "Out of memory and no killable processes...\n");
}

static void report_warning(struct text *t, const struct machine *m,
                           const struct event *ev)
{
    const uint32_t depth = ev->depth < PROBE_STACK ? ev->depth : PROBE_STACK;
    const struct fn_info *fn = depth ? fn_info(m->probe.stack[depth - 1].fn) : NULL;
    text_put(t, "------------[ cut here ]------------\n");
    text_put(t, "WARNING: CPU: %u PID: %d at %s %s\n", ev->cpu, TASK_PID,
             fn ? fn->file : "mm/page_alloc.c", fn ? fn->name : "__alloc_pages");
    report_stack(t, m, ev);
    text_put(t, "---[ end trace 0000000000000000 ]---\n");
}

static void report_bad_page(struct text *t, const struct machine *m,
                            const struct event *ev)
{
    char reason[128];
    value_format(reason, sizeof reason, m, "reason", ev->arg[1]);
    text_put(t, "BUG: Bad page state in process " TASK "  pfn:%05" PRIx64 "\n",
             ev->arg[0]);
    text_put(t,
             "page:(____ptrval____) refcount:%" PRId64
             " mapcount:0 mapping:0000000000000000 index:0x0 pfn:%#" PRIx64 "\n",
             (int64_t)ev->arg[2], ev->arg[0]);
    text_put(t, "flags: %#" PRIx64 "\npage dumped because: %s\n", ev->arg[3], reason);
    report_stack(t, m, ev);
}

static void report_oops(struct text *t, const struct machine *m, const struct event *ev)
{
    if (m->mm->has_dma32) {
        /* vmemmap without address randomisation; a struct page has 64 bytes there */
        text_put(t, "BUG: unable to handle page fault for address: %016" PRIx64 "\n",
                 UINT64_C(0xffffea0000000000) + ev->arg[0] * 64);
    } else {
        text_put(t,
                 "BUG: unable to handle page fault for address: mem_map + %#" PRIx64
                 " * sizeof(struct page)\n",
                 ev->arg[0]);
    }
    text_put(t, "#PF: supervisor read access in kernel mode\n"
                "#PF: error_code(0x0000) - not-present page\n"
                "Oops: 0000 [#1] PREEMPT SMP\n");
    report_stack(t, m, ev);
    text_put(t, "---[ end trace 0000000000000000 ]---\n");
}

/* show_fault_oops() */
static void report_fault_oops(struct text *t, const struct machine *m,
                              const struct event *ev)
{
    const uint64_t va = ev->arg[0], code = ev->arg[1];
    const bool wide = m->mm->has_dma32;
    if (ev->arg[2] == FAULT_PROTECTION) {
        text_put(t,
                 "general protection fault, probably for non-canonical address %#" PRIx64
                 ": 0000 [#1] PREEMPT SMP\n",
                 va);
        report_stack(t, m, ev);
        text_put(t, "---[ end trace 0000000000000000 ]---\n");
        return;
    }
    if (code & PF_FETCH && code & PF_PRESENT) {
        text_put(
            t, "kernel tried to execute NX-protected page - exploit attempt? (uid: 0)\n");
    }
    text_put(t,
             va < PAGE_SIZE
                 ? "BUG: kernel NULL pointer dereference, address: %0*" PRIx64 "\n"
                 : "BUG: unable to handle page fault for address: %0*" PRIx64 "\n",
             wide ? 16 : 8, va);
    text_put(t, "#PF: supervisor %s in kernel mode\n",
             code & PF_FETCH   ? "instruction fetch"
             : code & PF_WRITE ? "write access"
                               : "read access");
    text_put(t, "#PF: error_code(0x%04" PRIx64 ") - %s\n", code,
             !(code & PF_PRESENT) ? "not-present page"
             : code & PF_RESERVED ? "reserved bit violation"
                                  : "permissions violation");
    text_put(t, "Oops: %04" PRIx64 " [#1] PREEMPT SMP\n", code);
    report_stack(t, m, ev);
    text_put(t, "CR2: %0*" PRIx64 "\n---[ end trace 0000000000000000 ]---\n",
             wide ? 16 : 8, va);
}

/* Where the call to might_sleep() stands: in the function around __might_resched(). */
static const char *sleeping_place(const struct machine *m, const struct event *ev)
{
    static const struct {
        uint16_t fn;
        const char *place;
    } places[] = {
        {FN_kmap, "include/linux/highmem-internal.h:44"},
        {FN_kunmap, "include/linux/highmem-internal.h:55"},
        {FN_alloc_vmap_area, "mm/vmalloc.c:1673"},
        {FN_vm_unmap_aliases, "mm/vmalloc.c:2214"},
        {FN_vm_unmap_ram, "mm/vmalloc.c:2280"},
        {FN_remove_vm_area, "mm/vmalloc.c:2663"},
        {FN_vfree, "mm/vmalloc.c:2858"},
        {FN_vunmap, "mm/vmalloc.c:2879"},
        {FN_vmap, "mm/vmalloc.c:2907"},
    };
    const uint16_t fn =
        ev->depth > 1 && ev->depth <= PROBE_STACK ? m->probe.stack[ev->depth - 2].fn : 0;
    if (fn == FN_kmap && !m->mm->has_highmem) {
        return "include/linux/highmem-internal.h:166";
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].fn == fn) {
            return places[i].place;
        }
    }
    return "include/linux/sched/mm.h:274"; /* might_alloc() */
}

/* __might_resched() */
static void report_sleep(struct text *t, const struct machine *m, const struct event *ev)
{
    const uint64_t count = ev->arg[2], irqs_disabled = ev->arg[3];
    text_put(t, "BUG: sleeping function called from invalid context at %s\n",
             sleeping_place(m, ev));
    text_put(t,
             "in_atomic(): %d, irqs_disabled(): %d, non_block: 0, pid: %d, name: " TASK
             "\n",
             count != 0, irqs_disabled != 0, TASK_PID);
    text_put(t,
             "preempt_count: %" PRIx64 ", expected: 0\nRCU nest depth: 0, expected: 0\n",
             count);
    report_stack(t, m, ev);
}

static void report_recursion(struct text *t, const struct machine *m,
                             const struct event *ev)
{
    char lock[160];
    value_format(lock, sizeof lock, m, "lock", ev->arg[1]);
    text_put(t, "BUG: spinlock recursion on CPU#%" PRIu64 ", " TASK "/%d\n", ev->arg[0],
             TASK_PID);
    text_put(
        t, " lock: %s, .magic: dead4ead, .owner: " TASK "/%d, .owner_cpu: %" PRIu64 "\n",
        lock, TASK_PID, ev->arg[2]);
    report_stack(t, m, ev);
}

/* __do_softirq(), of a handler that leaves preempt_count other than it was. */
static void report_softirq(struct text *t, const struct machine *m,
                           const struct event *ev)
{
    (void)m;
    text_put(t,
             "huh, entered softirq 6 TASKLET with preempt_count %08" PRIx64
             ", exited with %08" PRIx64 "?\n",
             ev->arg[1], ev->arg[2]);
}

/* What BUG() and WARN() say of the address space's bad calls; schedule() has words of its
 * own. */
static void report_vm(struct text *t, const struct machine *m, const struct event *ev)
{
    char sentence[512];
    if (ev->kind == EV_VM_BUG && ev->arg[1] == BAD_SCHED_ATOMIC) {
        text_put(t, "BUG: scheduling while atomic: " TASK "/%d/0x%08x\n", TASK_PID,
                 cpu_r(m, ev->cpu)->preempt_count);
    } else {
        event_explain(sentence, sizeof sentence, m, ev);
        text_put(t, "%s\n", sentence);
    }
    report_stack(t, m, ev);
}

/* Not the kernel's words: those of the event. */
static void report_other(struct text *t, const struct machine *m, const struct event *ev)
{
    char sentence[512];
    event_explain(sentence, sizeof sentence, m, ev);
    text_put(t, "%s\n", sentence);
    report_stack(t, m, ev);
}

static const struct {
    uint16_t kind;
    void (*put)(struct text *t, const struct machine *m, const struct event *ev);
} reports[] = {
    {EV_ALLOC_FAILURE, report_alloc_failure},
    {EV_OOM, report_oom},
    {EV_WARN_ALLOC, report_warning},
    {EV_BAD_PAGE, report_bad_page},
    {EV_OOPS, report_oops},
    {EV_PAGE_FAULT_OOPS, report_fault_oops},
    {EV_SLEEP_IN_ATOMIC, report_sleep},
    {EV_LOCK_RECURSION, report_recursion},
    {EV_SOFTIRQ_COUNT, report_softirq},
    {EV_VM_BUG, report_vm},
    {EV_SLAB_WARN, report_slab},
    {EV_SLAB_BUG, report_slab},
    {EV_SLAB_LEAK, report_slab_leak},
    {EV_SLUB_BUG, report_slub_bug},
    {EV_SLUB_FIX, report_slub_fix},
    {EV_SLUB_RESTORE, report_slub_fix},
};

int report_format(char *buf, size_t size, const struct machine *m, const struct event *ev)
{
    struct text t = {buf, size, 0};
    void (*put)(struct text * t, const struct machine *m, const struct event *ev) =
        report_other;
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        put = reports[i].kind == ev->kind ? reports[i].put : put;
    }
    put(&t, m, ev);
    if (t.len && (size_t)t.len <= size) {
        buf[t.len - 1] = 0; /* lines are separated, not ended, by newlines */
    }
    return t.len ? t.len - 1 : 0;
}
