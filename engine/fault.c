/* Page faults: arch/x86/mm/fault.c and the anonymous part of mm/memory.c. See
 * mm_struct.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "context.h"
#include "mm_struct.h"
#include "pgtable.h"

enum { SIGSEGV = 11, SEGV_MAPERR = 1, SEGV_ACCERR = 2 };

/* ---- faults that nobody mends ---- */

static void page_fault_oops(struct machine *m, const struct fault *f)
{
    fn_enter(&m->probe, FN_page_fault_oops, f->error_code, f->cr2);
    probe(&m->probe, EV_PAGE_FAULT_OOPS, f->cr2, f->error_code, f->kind);
    fn_leave(&m->probe);
}

/* What kernel code gets that may fault (copy_from_user): an error instead of an oops. */
static void fixup_exception(struct machine *m, const struct fault *f)
{
    fn_enter(&m->probe, FN_fixup_exception, f->cr2);
    probe(&m->probe, EV_FIXUP, f->cr2, f->error_code);
    fn_leave(&m->probe);
}

static void bad_area(struct machine *m, const struct fault *f, uint32_t mode, int code)
{
    fn_enter(&m->probe, FN_bad_area_nosemaphore, f->error_code, f->cr2);
    if (mode == MODE_USER) {
        fn_enter(&m->probe, FN_force_sig_fault, SIGSEGV, (uint64_t)code, f->cr2);
        probe(&m->probe, EV_SIGSEGV, SIGSEGV, code, f->cr2, f->error_code);
        fn_leave(&m->probe);
    } else if (mode == MODE_UACCESS) {
        fixup_exception(m, f);
    } else {
        page_fault_oops(m, f);
    }
    fn_leave(&m->probe);
}

/* ---- anonymous memory ---- */

enum outcome { DONE, OUT_OF_MEMORY };

static uint64_t entry_rights(const struct machine *m, const struct vma *vma)
{
    const bool nx = m->config.hw.nx && pgtable_entry_bytes(m) == 8;
    return PTE_P | PTE_U | PTE_A | (nx && !(vma->prot & VM_EXEC) ? PTE_NX : 0);
}

/* alloc_zeroed_user_highpage_movable() */
static uint64_t new_page(struct machine *m)
{
    const uint64_t frame = alloc_pages(m, GFP_HIGHUSER_MOVABLE | __GFP_ZERO, 0);
    return frame != PFN_NONE && page_keep(m, frame) ? frame : PFN_NONE;
}

static enum outcome do_anonymous_page(struct machine *m, uint64_t mm,
                                      const struct vma *vma, uint64_t va, bool write)
{
    uint64_t zero = write ? PFN_NONE : as_zero_page(m), frame = zero;
    enum outcome outcome = OUT_OF_MEMORY;
    fn_enter(&m->probe, FN_do_anonymous_page, va, write);
    const uint64_t at = as_make_entry(m, mm, va, 1);
    if (at) {
        frame = zero == PFN_NONE ? new_page(m) : zero;
    }
    if (at && frame != PFN_NONE) {
        uint64_t entry = frame << PAGE_SHIFT | entry_rights(m, vma);
        if (frame == zero) {
            entry |= PTE_SPECIAL;
        } else {
            entry |= vma->prot & VM_WRITE ? PTE_W | PTE_D : 0;
            as_w(m, mm)->nr_pages++;
        }
        as_set_entry(m, va, at, entry);
        outcome = DONE;
    }
    fn_leave(&m->probe);
    return outcome;
}

/* A write to a page that its entry does not let be written, though the area does. */
static enum outcome do_wp_page(struct machine *m, uint64_t mm, const struct vma *vma,
                               uint64_t va, const struct as_entry *e)
{
    enum outcome outcome = DONE;
    fn_enter(&m->probe, FN_do_wp_page, va);
    if (pgtable_frame(m, e->value) == as_zero_page(m)) {
        fn_enter(&m->probe, FN_wp_page_copy, va);
        uint64_t frame = new_page(m);
        if (frame == PFN_NONE) {
            outcome = OUT_OF_MEMORY;
        } else {
            /* ptep_clear_flush_notify(): nobody may go on with the old one */
            pgtable_write_entry(m, e->at, 0);
            probe(&m->probe, EV_PTE_CLEAR, va, pgtable_frame(m, e->value), e->at);
            flush_tlb_mm_range(m, mm, va, va + PAGE_SIZE, false, false);
            as_w(m, mm)->nr_pages++;
            as_set_entry(m, va, e->at,
                         frame << PAGE_SHIFT | entry_rights(m, vma) | PTE_W | PTE_D);
        }
        fn_leave(&m->probe);
    } else { /* wp_page_reuse(): it is ours alone */
        as_set_entry(m, va, e->at, e->value | PTE_W | PTE_D | PTE_A);
    }
    fn_leave(&m->probe);
    return outcome;
}

static enum outcome handle_pte_fault(struct machine *m, uint64_t mm,
                                     const struct vma *vma, uint64_t va, bool write)
{
    const struct as_entry e = as_find_entry(m, mm, va);
    enum outcome outcome = DONE;
    fn_enter(&m->probe, FN_handle_pte_fault, va, write);
    if (e.level > 1 || !as_pte_present(e.value)) {
        outcome = do_anonymous_page(m, mm, vma, va, write);
    } else if (write && !(e.value & PTE_W)) {
        outcome = do_wp_page(m, mm, vma, va, &e);
    } else { /* ptep_set_access_flags(); the TLB was behind */
        const uint64_t young = e.value | PTE_A | (write ? PTE_D : 0);
        if (young != e.value) {
            as_set_entry(m, va, e.at, young);
        }
    }
    fn_leave(&m->probe);
    return outcome;
}

static enum outcome handle_mm_fault(struct machine *m, uint64_t mm, const struct vma *vma,
                                    uint64_t va, bool write)
{
    fn_enter(&m->probe, FN_handle_mm_fault, va, write);
    enum outcome outcome = handle_pte_fault(m, mm, vma, va, write);
    fn_leave(&m->probe);
    return outcome;
}

/* access_error(): may the area be used so at all? */
static bool access_error(uint32_t error_code, const struct vma *vma)
{
    return error_code & PF_WRITE     ? !(vma->prot & VM_WRITE)
           : error_code & PF_PRESENT ? true
                                     : !vma->prot;
}

/* ---- from the processor ---- */

static bool do_user_addr_fault(struct machine *m, const struct fault *f, uint32_t mode)
{
    const uint32_t cpu = m->probe.cpu, e = f->error_code;
    const uint64_t mm = as_cpu(m, cpu)->mm, page = f->cr2 & ~(uint64_t)(PAGE_SIZE - 1);
    const struct cpu *c = cpu_r(m, cpu);
    bool again = false;
    fn_enter(&m->probe, FN_do_user_addr_fault, e, f->cr2);
    const struct vma *vma = as_find_vma(m, mm, f->cr2);
    if ((e & (PF_USER | PF_FETCH)) == PF_FETCH || (e & PF_RESERVED) ||
        (m->config.hw.smap && mode == MODE_KERNEL)) {
        page_fault_oops(m, f);
    } else if (c->preempt_count || !mm || !vma) {
        bad_area(m, f, mode, SEGV_MAPERR);
    } else if (access_error(e, vma)) {
        bad_area(m, f, mode, SEGV_ACCERR);
    } else {
        as_w(m, mm)->nr_faults++;
        again = handle_mm_fault(m, mm, vma, page, e & PF_WRITE) == DONE;
        if (!again) {
            fn_enter(&m->probe, FN_pagefault_out_of_memory);
            probe(&m->probe, EV_FAULT_NO_MEMORY, f->cr2, mm);
            fn_leave(&m->probe);
        }
    }
    fn_leave(&m->probe);
    return again;
}

static bool do_kern_addr_fault(struct machine *m, const struct fault *f, uint32_t mode)
{
    const bool missing = !(f->error_code & (PF_RESERVED | PF_USER | PF_PRESENT));
    fn_enter(&m->probe, FN_do_kern_addr_fault, f->error_code, f->cr2);
    const uint64_t root = m->mms->mm[as_cpu(m, m->probe.cpu)->loaded_mm].pgd;
    bool again = missing && pgtable_sync_fault(m, root, f->cr2);
    if (!again) {
        bad_area(m, f, mode, SEGV_MAPERR);
    }
    fn_leave(&m->probe);
    return again;
}

bool exc_page_fault(struct machine *m, const struct fault *f, uint32_t mode)
{
    bool again = false;
    if (f->kind == FAULT_PROTECTION) {
        fn_enter(&m->probe, FN_exc_general_protection);
        if (mode == MODE_USER) {
            probe(&m->probe, EV_SIGSEGV, SIGSEGV, 0x80, f->cr2, 0);
        } else if (mode == MODE_UACCESS) {
            fixup_exception(m, f);
        } else {
            probe(&m->probe, EV_PAGE_FAULT_OOPS, f->cr2, 0, f->kind);
        }
        fn_leave(&m->probe);
        return false;
    }
    fn_enter(&m->probe, FN_exc_page_fault, f->error_code, f->cr2);
    /* fault_in_kernel_space() */
    const struct kspace *k = &m->vm->kspace;
    const bool kernel = k->bits == 32 ? f->cr2 >= k->page_offset : f->cr2 >> 63;
    again = kernel ? do_kern_addr_fault(m, f, mode) : do_user_addr_fault(m, f, mode);
    fn_leave(&m->probe);
    return again;
}
