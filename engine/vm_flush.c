/* What TLBs have to forget when the kernel changes its own mappings (vm.h).
 *
 *   vmalloc areas     nothing at the time; all lazily freed ones together, on all CPUs
 *   pkmap             flush_all_zero_pkmaps, on all CPUs
 *   kmap_local        one invlpg, on this CPU
 *   fixmap            one invlpg, on this CPU
 *
 * The break-it option: a flush that is forgotten (config forget_flush=, operation
 * forget_flush) leaves old entries in the TLBs, and loads through them answer the old
 * page.
 *
 * I6  A TLB's entry for an address of the kernel says what the tables say, but for
 *     addresses whose flush is not due: lazily freed ones, dirty ones of a vmap block,
 *     and another CPU's kmap_local slots and all of the fixmap, which only their own CPU
 *     may use or has flushed; and for CPUs that have yet to take a flush's interrupt.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect_hw.h"
#include "mm_struct.h"
#include "pgtable.h"
#include "vm.h"

static bool forgotten(struct machine *m, enum vm_flush which, uint64_t va)
{
    if (!(m->vm->forget & which)) {
        return false;
    }
    vm_w(m)->nr_forgotten++;
    probe(&m->probe, EV_FLUSH_FORGOTTEN, va, m->probe.cpu);
    return true;
}

void vm_flush_range(struct machine *m, uint64_t start, uint64_t end, enum vm_flush which)
{
    fn_enter(&m->probe, FN_flush_tlb_kernel_range, start, end);
    if (!forgotten(m, which, start)) {
        vm_w(m)->nr_flushes++;
        probe(&m->probe, EV_TLB_FLUSH_RANGE, start, end, m->mm->nr_cpus);
        hardware_flush_tlb_range(m, start, end);
    }
    fn_leave(&m->probe);
}

void vm_flush_one(struct machine *m, uint64_t va, enum vm_flush which)
{
    fn_enter(&m->probe, FN_flush_tlb_one_kernel, va);
    if (!forgotten(m, which, va)) {
        probe(&m->probe, EV_TLB_FLUSH_ONE, va, m->probe.cpu);
        hardware_flush_tlb_page(m, (cpu_mask)1 << m->probe.cpu, va);
    }
    fn_leave(&m->probe);
}

void vm_forget_flush(struct machine *m, uint64_t which)
{
    vm_w(m)->forget = (uint32_t)which & VM_FLUSH_ALL;
}

/* ---- I6 ---- */

/* May a TLB of this CPU hold something else here than the tables say? */
static bool may_differ(const struct machine *m, uint32_t cpu, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    if (kspace_is_vmalloc(k, va)) {
        if (vmap_find(m, &m->vm->lazy, va)) {
            return true;
        }
        uint32_t id = vmap_find(m, &m->vm->busy, va);
        return id && area_r(m, id)->kind == VMAP_BLOCK;
    }
    if (va >= k->fixaddr_tot_start && va <= k->fixaddr_top) {
        const uint64_t index = (k->fixaddr_top - va) >> PAGE_SHIFT;
        const uint64_t mine = k->fix_kmap_begin + (uint64_t)KM_MAX_IDX * cpu;
        return k->bits == 64 || index < mine || index >= mine + KM_MAX_IDX;
    }
    return false;
}

static bool agrees(const struct machine *m, const struct tlb_view *t)
{
    const struct pgtable_entry e = pgtable_find(m, t->va);
    return e.maps && pgtable_shift(m, e.level) == t->shift &&
           pgtable_translate(m, t->va) == t->pa >> PAGE_SHIFT &&
           (!(t->perms & CACHE_W) || e.value & PTE_W);
}

static const char *check_tlb(const struct machine *m, uint32_t cpu, enum hw_part part)
{
    const struct cache *c = hw_cache(m, cpu, part);
    const struct kspace *k = &m->vm->kspace;
    const uint64_t kernel = k->bits == 64 ? (uint64_t)1 << 63 : k->page_offset;
    for (uint32_t set = 0; c && set < c->config.sets; set++) {
        for (uint32_t way = 0; way < c->config.ways; way++) {
            const struct tlb_view t = hw_tlb_entry(m, cpu, part, set, way);
            if (t.valid && t.va >= kernel && !may_differ(m, cpu, t.va) &&
                !agrees(m, &t)) {
                return "vm: a TLB holds what a flush should have removed (I6)";
            }
        }
    }
    return NULL;
}

const char *vm_flush_check(const struct machine *m)
{
    const char *why = NULL;
    if (m->vm->nr_forgotten || !m->hardware->s->used) {
        return NULL;
    }
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus && !why; cpu++) {
        if (as_cpu(m, cpu)->pending) {
            continue; /* it does what it was told when its interrupts are on again */
        }
        for (enum hw_part part = PART_ITLB; part < NR_PARTS && !why; part++) {
            why = check_tlb(m, cpu, part);
        }
    }
    return why;
}
