/* The kernel's half in the page tables of processes (pgtable.h).
 *
 *   i386 without PAE   a root has the kernel's tables themselves: each root follows when
 *                      the kernel gets a new one
 *   PAE                a root's last entries point to the kernel's directory: shared
 *   x86-64             a root's upper entries point to tables that all exist since the
 *                      boot: nothing ever changes there
 *
 * Models arch/x86/mm/pgtable.c (pgd_ctor and its list of roots) and fault.c
 * (arch_sync_kernel_mappings, vmalloc_fault). Since 5.8 who maps something brings all
 * roots up to date; the fault is left for whoever comes between. Before that, and with
 * vmalloc_sync=fault, each process finds out by a fault.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "pgtable.h"

/* One entry of the top level. */
static uint64_t root_entry(const struct machine *m, uint64_t root, uint64_t va,
                           uint64_t *at)
{
    const uint32_t bytes = pgtable_entry_bytes(m);
    *at = (root << PAGE_SHIFT) +
          (uint64_t)pgtable_index(m, va, m->vm->kspace.levels) * bytes;
    return pgtable_read_entry(m, *at);
}

/* vmalloc_sync_one(): false, the kernel has nothing there either. */
static bool sync_one(struct machine *m, uint64_t root, uint64_t va)
{
    uint64_t kernel_at, at;
    const uint64_t kernel = root_entry(m, m->vm->pgd, va, &kernel_at);
    if (!(kernel & PTE_P)) {
        return false;
    }
    if (!(root_entry(m, root, va, &at) & PTE_P)) {
        pgtable_write_entry(m, at, kernel);
        probe(&m->probe, EV_PGD_SYNC, root, va, at);
    }
    return true;
}

bool pgtable_copy_kernel_half(struct machine *m, uint64_t root)
{
    const struct kspace *k = &m->vm->kspace;
    uint32_t *list = m->vm_tables.roots;
    unsigned char to[PGTABLE_BYTES], from[PGTABLE_BYTES];
    if (m->vm->nr_roots == VM_MAX_ROOTS || m->vm->pgd == PFN_NONE) {
        return false;
    }
    pgtable_read_table(m, root, to);
    pgtable_read_table(m, m->vm->pgd, from);
    for (uint32_t i = pgtable_index(m, k->page_offset, k->levels);
         i < pgtable_entries(m, k->levels); i++) {
        pgtable_table_set(m, to, i, pgtable_table_entry(m, from, i));
    }
    arena_mark(&m->arena, list);
    list[m->vm->nr_roots] = (uint32_t)root;
    vm_w(m)->nr_roots++;
    return pgtable_write_table(m, root, to);
}

void pgtable_drop_kernel_half(struct machine *m, uint64_t root)
{
    uint32_t *list = m->vm_tables.roots;
    const uint32_t nr = m->vm->nr_roots;
    for (uint32_t i = 0; i < nr; i++) {
        if (list[i] == root) {
            arena_mark(&m->arena, list);
            list[i] = list[nr - 1];
            list[nr - 1] = 0;
            vm_w(m)->nr_roots--;
            return;
        }
    }
}

void pgtable_sync_mappings(struct machine *m, uint64_t start, uint64_t end)
{
    const uint64_t step = (uint64_t)1 << pgtable_shift(m, m->vm->kspace.levels);
    if (m->vm->kspace.levels != 2 || m->config.vmalloc_fault || !m->vm->nr_roots) {
        return;
    }
    fn_enter(&m->probe, FN_arch_sync_kernel_mappings, start, end);
    for (uint64_t va = start & ~(step - 1); va < end; va += step) {
        for (uint32_t i = 0; i < m->vm->nr_roots; i++) {
            if (!sync_one(m, m->vm_tables.roots[i], va)) {
                break;
            }
        }
    }
    fn_leave(&m->probe);
}

bool pgtable_sync_fault(struct machine *m, uint64_t root, uint64_t va)
{
    const struct kspace *k = &m->vm->kspace;
    if (k->bits == 64 || !kspace_is_vmalloc(k, va) || root == m->vm->pgd) {
        return false;
    }
    fn_enter(&m->probe, FN_vmalloc_fault, va);
    /* whether the page is there decides the kernel's own table, not this root's copy */
    const bool mended = sync_one(m, root, va) && pgtable_translate(m, va) != PFN_NONE;
    fn_leave(&m->probe);
    return mended;
}
