/* kmap_atomic as kernels before 2.6.37 had it: each CPU has a slot for each type, and
 * whoever maps says which type he uses (vm.h, option km_types).
 *
 *   fixed address   FIX_KMAP_BEGIN + KM_MAX_IDX * cpu + type
 *
 * Models arch/i386/mm/highmem.c without CONFIG_DEBUG_HIGHMEM. Nothing is counted and
 * nothing nests: an interrupt that uses the type of the code that it interrupts takes the
 * slot away from it, and the interrupted code goes on with the interrupt's page. The
 * kernel says nothing; a report here tells of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "context.h"
#include "pgtable.h"
#include "vm.h"

static const char *const names[] = {"KM_BOUNCE_READ",
                                    "KM_SKB_SUNRPC_DATA",
                                    "KM_SKB_DATA_SOFTIRQ",
                                    "KM_USER0",
                                    "KM_USER1",
                                    "KM_BIO_SRC_IRQ",
                                    "KM_BIO_DST_IRQ",
                                    "KM_PTE0",
                                    "KM_PTE1",
                                    "KM_IRQ0",
                                    "KM_IRQ1",
                                    "KM_SOFTIRQ0",
                                    "KM_SOFTIRQ1",
                                    "KM_SYNC_ICACHE",
                                    "KM_SYNC_DCACHE",
                                    "KM_IRQ_PTE"};
enum { NR_TYPES = sizeof names / sizeof names[0] };
_Static_assert((int)NR_TYPES <= (int)KM_MAX_IDX, "a CPU's slots");

const char *km_type_name(uint64_t type) { return type < NR_TYPES ? names[type] : NULL; }

static uint64_t slot_of(const struct machine *m, uint64_t type)
{
    const struct kspace *k = &m->vm->kspace;
    return kspace_fix_to_virt(k, k->fix_kmap_begin + (uint64_t)KM_MAX_IDX * m->probe.cpu +
                                     type);
}

static bool may_use(struct machine *m, enum op_kind op, uint64_t argument, uint64_t type)
{
    if (!m->config.km_types || type >= NR_TYPES || m->vm->kspace.bits == 64) {
        probe(&m->probe, EV_BAD_CALL, op, argument,
              m->config.km_types ? BAD_KM_TYPE : BAD_NO_KM_TYPES);
        return false;
    }
    return true;
}

uint64_t kmap_atomic_type(struct machine *m, uint64_t frame, uint64_t type)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_kmap_atomic, frame);
    if (frame >= m->mm->max_pfn) {
        probe(&m->probe, EV_BAD_CALL, OP_KMAP_ATOMIC_TYPE, frame, BAD_WILD);
    } else if (may_use(m, OP_KMAP_ATOMIC_TYPE, frame, type)) {
        context_preempt(m, true);
        va = kspace_va(&m->vm->kspace, frame);
        if (page_is_highmem(m, frame)) {
            va = slot_of(m, type);
            const uint64_t old = pgtable_get(m, va);
            if (old & PTE_P && pgtable_frame(m, old) != frame) {
                vm_warn(m, BAD_KM_TYPE_BUSY, pgtable_frame(m, old));
            }
            pgtable_set(m, va, frame, pgtable_kernel_flags(m));
            vm_flush_one(m, va, VM_FLUSH_LOCAL);
            probe(&m->probe, EV_KM_TYPE, frame, va, type, m->probe.cpu);
        } else {
            probe(&m->probe, EV_KMAP_LOWMEM, frame, va);
        }
    }
    fn_leave(&m->probe);
    return va;
}

void kunmap_atomic_type(struct machine *m, uint64_t va, uint64_t type)
{
    fn_enter(&m->probe, FN_kunmap_atomic, va);
    if (may_use(m, OP_KUNMAP_ATOMIC_TYPE, va, type)) {
        if ((va & ~(uint64_t)(PAGE_SIZE - 1)) == slot_of(m, type)) {
            pgtable_clear(m, slot_of(m, type));
            vm_flush_one(m, va, VM_FLUSH_LOCAL);
        }
        context_preempt(m, false);
    }
    fn_leave(&m->probe);
}
