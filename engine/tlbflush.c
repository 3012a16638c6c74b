/* Switching address spaces, and flushes that other CPUs must hear of: see mm_struct.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "context.h"
#include "events.h"
#include "mm_struct.h"
#include "pgtable.h"

enum { FLUSH_CEILING = 33 }; /* tlb_single_page_flush_ceiling */

static bool has_pcid(const struct machine *m)
{
    return m->config.hw.pcid && m->vm->kspace.bits == 64;
}

/* ---- the CPUs' state ---- */

static void load_cr3(struct machine *m, uint32_t cpu, uint32_t mm, uint32_t asid,
                     bool flush)
{
    struct memsys *sys = &m->hardware->cpu[cpu];
    /* 0 is for those who do not know of PCIDs */
    const uint32_t pcid = has_pcid(m) ? asid + 1 : 0;
    const uint64_t cr3 = m->mms->mm[mm].pgd << PAGE_SHIFT;
    memsys_load_cr3(sys, cr3, pcid, !flush && has_pcid(m));
    probe(&m->probe, EV_LOAD_CR3, cpu, cr3, pcid, !(flush || !has_pcid(m)));
}

void tlb_state_reset(struct machine *m)
{
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        struct mm_cpu *c = as_cpu_w(m, cpu);
        struct memsys *sys = &m->hardware->cpu[cpu];
        memset(c, 0, sizeof *c);
        c->next_asid = 1;
        c->ctx[0].ctx_id = m->mms->mm[0].ctx_id;
        if (has_pcid(m) && sys->s->mmu.paging != PAGING_NONE) {
            struct mmu mmu = sys->s->mmu;
            mmu.pcid = 1;
            memsys_set_mmu(sys, &mmu);
        }
    }
}

/* choose_new_asid(): a place among the contexts that this CPU remembers. */
static uint32_t choose_new_asid(struct machine *m, struct mm_cpu *c,
                                const struct mm_struct *next, bool *need_flush)
{
    *need_flush = true;
    if (!has_pcid(m)) {
        return 0;
    }
    for (uint32_t asid = 0; asid < NR_DYN_ASIDS; asid++) {
        if (c->ctx[asid].ctx_id == next->ctx_id) {
            *need_flush = c->ctx[asid].tlb_gen < next->tlb_gen;
            return asid;
        }
    }
    uint32_t asid = c->next_asid++;
    if (asid >= NR_DYN_ASIDS) {
        asid = 0;
        c->next_asid = 1;
    }
    return asid;
}

static void set_cpumask(struct machine *m, uint32_t mm, uint32_t cpu, bool on)
{
    if (mm) {
        struct mm_struct *as = as_w(m, mm);
        const uint64_t bit = (uint64_t)1 << cpu;
        as->cpumask = on ? as->cpumask | bit : as->cpumask & ~bit;
    }
}

static void switch_mm_irqs_off(struct machine *m, uint32_t next)
{
    const uint32_t cpu = m->probe.cpu;
    struct mm_cpu *c = as_cpu_w(m, cpu);
    const struct mm_struct *as = &m->mms->mm[next];
    const bool was_lazy = c->lazy;
    uint32_t asid = c->asid;
    bool need_flush = true;
    fn_enter(&m->probe, FN_switch_mm_irqs_off, c->loaded_mm, next);
    c->lazy = 0;
    if (c->loaded_mm == next) {
        if (!was_lazy || c->ctx[asid].tlb_gen == as->tlb_gen) {
            fn_leave(&m->probe);
            return;
        }
    } else {
        set_cpumask(m, c->loaded_mm, cpu, false);
        set_cpumask(m, next, cpu, true);
        asid = choose_new_asid(m, c, as, &need_flush);
    }
    if (need_flush) {
        c->ctx[asid].ctx_id = as->ctx_id;
        c->ctx[asid].tlb_gen = as->tlb_gen;
    }
    c->loaded_mm = next;
    c->asid = asid;
    load_cr3(m, cpu, next, asid, need_flush);
    fn_leave(&m->probe);
}

void as_switch(struct machine *m, uint64_t mm)
{
    const uint32_t cpu = m->probe.cpu;
    if (as_cpu(m, cpu)->mm == mm) {
        return;
    }
    fn_enter(&m->probe, FN_context_switch, as_cpu(m, cpu)->mm, mm);
    if (mm) {
        switch_mm_irqs_off(m, (uint32_t)mm);
    } else {
        fn_enter(&m->probe, FN_enter_lazy_tlb);
        struct mm_cpu *c = as_cpu_w(m, cpu);
        c->lazy = c->loaded_mm != 0;
        probe(&m->probe, EV_LAZY_TLB, cpu, c->loaded_mm);
        fn_leave(&m->probe);
    }
    as_cpu_w(m, cpu)->mm = (uint32_t)mm;
    fn_leave(&m->probe);
}

/* ---- what one CPU does when it is told ---- */

/* struct flush_tlb_info */
struct flush {
    uint32_t mm;         /* 0: the kernel's addresses */
    uint64_t start, end; /* end FLUSH_ALL: everything */
    uint64_t tlb_gen;    /* 0: catch up with what the address space has come to */
    bool freed_tables, sync, keep_global;
};

static void flush_hardware(struct machine *m, uint32_t cpu, enum tlb_flush_kind kind,
                           uint64_t start, uint64_t end)
{
    const struct tlb_flush what = {
        .kind = kind,
        .va = start & ~(uint64_t)(PAGE_SIZE - 1),
        .nr_pages = kind == TLB_FLUSH_RANGE
                        ? (end - (start & ~(uint64_t)(PAGE_SIZE - 1)) + PAGE_SIZE - 1) >>
                              PAGE_SHIFT
                        : 0,
        .size = PAGE_4K};
    memsys_flush_translations(&m->hardware->cpu[cpu], &what);
}

/* flush_tlb_func(), on the CPU that runs. */
static void flush_tlb_func(struct machine *m, const struct flush *f, bool local)
{
    const uint32_t cpu = m->probe.cpu;
    struct mm_cpu *c = as_cpu_w(m, cpu);
    struct mm_context *ctx = &c->ctx[c->asid];
    const struct mm_struct *as = &m->mms->mm[c->loaded_mm];
    fn_enter(&m->probe, FN_flush_tlb_func, f->start, f->end);
    if ((!local && f->mm != c->loaded_mm) || !c->loaded_mm) {
        /* it has gone on to another one meanwhile */
    } else if (c->lazy) {
        switch_mm_irqs_off(m, 0);
    } else if ((f->tlb_gen && f->tlb_gen <= ctx->tlb_gen) ||
               ctx->tlb_gen == as->tlb_gen) {
        /* a later flush has done it already */
    } else {
        const bool one_behind = f->tlb_gen && f->end != FLUSH_ALL &&
                                f->tlb_gen == ctx->tlb_gen + 1 &&
                                f->tlb_gen == as->tlb_gen;
        flush_hardware(m, cpu, one_behind ? TLB_FLUSH_RANGE : TLB_FLUSH_NOT_GLOBAL,
                       f->start, f->end);
        as_cpu_w(m, cpu)->ctx[c->asid].tlb_gen = as->tlb_gen;
    }
    fn_leave(&m->probe);
}

/* do_flush_tlb_all(), do_kernel_range_flush() */
static void flush_kernel(struct machine *m, const struct flush *f)
{
    const uint32_t cpu = m->probe.cpu;
    const bool all = f->end == FLUSH_ALL;
    fn_enter(&m->probe, all ? FN_do_flush_tlb_all : FN_do_kernel_range_flush, f->start,
             f->end);
    flush_hardware(m, cpu,
                   !all             ? TLB_FLUSH_RANGE
                   : f->keep_global ? TLB_FLUSH_NOT_GLOBAL
                                    : TLB_FLUSH_ALL,
                   f->start, f->end);
    if (all) { /* contexts that are not loaded have nothing any more, either */
        struct mm_cpu *c = as_cpu_w(m, cpu);
        for (uint32_t i = 0; i < NR_DYN_ASIDS && has_pcid(m); i++) {
            c->ctx[i].ctx_id = i == c->asid ? c->ctx[i].ctx_id : 0;
        }
    }
    fn_leave(&m->probe);
}

static void flush_here(struct machine *m, const struct flush *f, bool local)
{
    f->mm ? flush_tlb_func(m, f, local) : flush_kernel(m, f);
}

/* ---- telling others ---- */

static void go_to(struct machine *m, uint32_t cpu)
{
    context_show(m, cpu);
    mm_mark_hot(m);
}

/* The interrupt on CPU `cpu`: sysvec_call_function(). */
static void take_interrupt(struct machine *m, uint32_t cpu, uint32_t from,
                           const struct flush *f)
{
    struct memsys *sys = &m->hardware->cpu[cpu];
    go_to(m, cpu);
    context_irq_enter(m);
    memsys_mark_state(sys);
    sys->s->n.ipi_received++;
    probe(&m->probe, HW_EV_IPI_RECEIVE, cpu, from);
    memsys_fence(sys);
    const uint64_t flushed = sys->s->n.tlb_flushed;
    flush_here(m, f, false);
    memsys_mark_state(sys);
    sys->s->n.ipi_acked++;
    probe(&m->probe, HW_EV_IPI_ACK, cpu, from, sys->s->n.tlb_flushed - flushed);
    context_irq_leave(m);
    go_to(m, from);
}

static void postpone(struct machine *m, uint32_t cpu, const struct flush *f)
{
    struct mm_cpu *c = as_cpu_w(m, cpu);
    if (f->mm) {
        c->pending |= PENDING_MM;
    } else if (f->end == FLUSH_ALL || (c->pending & PENDING_RANGE)) {
        c->pending |= PENDING_ALL;
    } else {
        c->pending |= PENDING_RANGE;
        c->pending_start = f->start;
        c->pending_end = f->end;
    }
    probe(&m->probe, EV_IPI_PENDING, cpu, m->probe.cpu);
}

/* on_each_cpu_mask(): everybody in the mask, this CPU in between if it is. */
static void tell(struct machine *m, cpu_mask mask, const struct flush *f)
{
    const uint32_t from = m->probe.cpu;
    struct memsys *sender = &m->hardware->cpu[from];
    for (uint32_t cpu = 0; cpu < m->hardware->nr_cpus; cpu++) {
        if (cpu != from && mask >> cpu & 1) {
            memsys_mark_state(sender);
            sender->s->n.ipi_sent++;
            probe(&m->probe, HW_EV_IPI_SEND, from, cpu,
                  f->end == FLUSH_ALL ? (f->mm ? TLB_FLUSH_NOT_GLOBAL : TLB_FLUSH_ALL)
                                      : TLB_FLUSH_RANGE,
                  f->start, f->end ? (f->end - f->start) >> PAGE_SHIFT : 0);
        }
    }
    if (mask >> from & 1) {
        flush_here(m, f, true);
    }
    for (uint32_t cpu = 0; cpu < m->hardware->nr_cpus; cpu++) {
        if (cpu == from || !(mask >> cpu & 1)) {
            continue;
        }
        if (cpu_r(m, cpu)->irqs_disabled && !f->sync) {
            postpone(m, cpu, f);
        } else {
            take_interrupt(m, cpu, from, f);
        }
    }
}

void tlb_flush_pending(struct machine *m)
{
    const uint32_t cpu = m->probe.cpu;
    const uint32_t pending = as_cpu(m, cpu)->pending;
    if (!pending || cpu_r(m, cpu)->irqs_disabled) {
        return;
    }
    struct mm_cpu *c = as_cpu_w(m, cpu);
    struct flush f = {0};
    c->pending = 0;
    if (pending & (PENDING_RANGE | PENDING_ALL)) {
        f.start = pending & PENDING_ALL ? 0 : c->pending_start;
        f.end = pending & PENDING_ALL ? (uint64_t)FLUSH_ALL : c->pending_end;
        take_interrupt(m, cpu, cpu, &f);
    }
    if (pending & PENDING_MM) {
        f = (struct flush){.mm = as_cpu(m, cpu)->loaded_mm};
        if (f.mm) {
            take_interrupt(m, cpu, cpu, &f);
        }
    }
}

void flush_tlb_mm_range(struct machine *m, uint64_t mm, uint64_t start, uint64_t end,
                        bool freed_tables, bool sync)
{
    struct flush f = {.mm = (uint32_t)mm,
                      .start = start,
                      .end = end,
                      .freed_tables = freed_tables,
                      .sync = sync};
    if (end == FLUSH_ALL || (end - start) >> PAGE_SHIFT > FLUSH_CEILING) {
        f.start = 0;
        f.end = FLUSH_ALL;
    }
    fn_enter(&m->probe, FN_flush_tlb_mm_range, mm, f.start, f.end, freed_tables);
    f.tlb_gen = ++as_w(m, mm)->tlb_gen;
    /* a lazy CPU catches up when it becomes busy, unless tables go away under it */
    cpu_mask mask = m->mms->mm[mm].cpumask;
    for (uint32_t cpu = 0; cpu < m->hardware->nr_cpus; cpu++) {
        if (cpu != m->probe.cpu && as_cpu(m, cpu)->lazy && !freed_tables) {
            mask &= ~((cpu_mask)1 << cpu);
        }
    }
    tell(m, mask, &f);
    fn_leave(&m->probe);
}

/* ---- the kernel's addresses (hardware.h) ---- */

void hardware_flush_tlb_range(struct machine *m, uint64_t start, uint64_t end)
{
    struct flush f = {.start = start, .end = end};
    if (end - start > (uint64_t)FLUSH_CEILING << PAGE_SHIFT || end <= start) {
        f.start = 0;
        f.end = FLUSH_ALL;
    }
    tell(m, hardware_all_cpus(m), &f);
}

void hardware_flush_tlb_all(struct machine *m, cpu_mask cpus, bool with_global)
{
    const struct flush f = {.end = FLUSH_ALL, .keep_global = !with_global};
    fn_enter(&m->probe, FN_flush_tlb_all);
    tell(m, cpus, &f);
    fn_leave(&m->probe);
}

void hardware_flush_tlb_page(struct machine *m, cpu_mask cpus, uint64_t va)
{
    const uint64_t page = va & ~(uint64_t)(PAGE_SIZE - 1);
    if (cpus == (cpu_mask)1 << m->probe.cpu) {
        memsys_invlpg(&m->hardware->cpu[m->probe.cpu], page);
    } else {
        const struct flush f = {.start = page, .end = page + PAGE_SIZE};
        tell(m, cpus, &f);
    }
}
