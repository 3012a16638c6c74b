/* The page tables of processes: see mm_struct.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "mm_struct.h"
#include "pgtable.h"

/* ---- entries ---- */

static uint32_t levels(const struct machine *m) { return m->vm->kspace.levels; }

static uint64_t entry_at(const struct machine *m, uint64_t table, uint64_t va,
                         uint32_t level)
{
    return (table << PAGE_SHIFT) +
           (uint64_t)pgtable_index(m, va, level) * pgtable_entry_bytes(m);
}

static uint64_t read_entry(const struct machine *m, uint64_t at)
{
    unsigned char bytes[8] = {0};
    const uint32_t size = pgtable_entry_bytes(m);
    hardware_read_phys(m, at, bytes, size);
    return pgtable_table_entry(m, bytes, 0);
}

struct as_entry as_find_entry(const struct machine *m, uint64_t mm, uint64_t va)
{
    uint64_t table = m->mms->mm[mm].pgd;
    for (struct as_entry e = {0, 0, levels(m), false};; e.level--) {
        e.at = entry_at(m, table, va, e.level);
        e.value = read_entry(m, e.at);
        e.maps = (e.value & PTE_P) && pgtable_maps_page(m, e.value, e.level);
        if (e.maps || e.level == 1 || !(e.value & PTE_P)) {
            return e;
        }
        table = pgtable_frame(m, e.value);
    }
}

/* pte_alloc_one() and its like: GFP_PGTABLE_USER. level: of the new table. */
static uint64_t new_table(struct machine *m, uint64_t mm, uint64_t va, uint32_t level)
{
    static const uint16_t names[] = {[1] = FN___pte_alloc,
                                     [2] = FN___pmd_alloc,
                                     [3] = FN___pud_alloc,
                                     [4] = FN___p4d_alloc,
                                     [5] = FN_pgd_alloc};
    const bool top = level == levels(m);
    fn_enter(&m->probe, top ? FN_pgd_alloc : names[level], va);
    uint64_t frame = alloc_pages(m, GFP_KERNEL | __GFP_ZERO | __GFP_ACCOUNT, 0);
    if (frame != PFN_NONE && !page_keep(m, frame)) {
        frame = PFN_NONE;
    }
    if (frame != PFN_NONE) {
        as_w(m, mm)->nr_tables++;
        probe(&m->probe, EV_PTE_ALLOC, level, va, frame);
    }
    fn_leave(&m->probe);
    return frame;
}

uint64_t as_make_entry(struct machine *m, uint64_t mm, uint64_t va, uint32_t level)
{
    for (;;) {
        const struct as_entry e = as_find_entry(m, mm, va);
        if (e.level <= level || e.maps) {
            return e.level == level ? e.at : 0;
        }
        uint64_t frame = new_table(m, mm, va, e.level - 1);
        if (frame == PFN_NONE) {
            return 0;
        }
        pgtable_write_entry(m, e.at, pgtable_pointer(m, frame, e.level));
    }
}

void as_set_entry(struct machine *m, uint64_t va, uint64_t at, uint64_t value)
{
    pgtable_write_entry(m, at, value);
    probe(&m->probe, EV_SET_PTE, va, pgtable_frame(m, value), at);
}

/* ---- the top ---- */

static uint32_t kernel_boundary(const struct machine *m)
{
    const uint64_t kernel = levels(m) > 3 ? (uint64_t)1 << 63 : m->vm->kspace.page_offset;
    return levels(m) > 3 ? pgtable_entries(m, levels(m)) / 2
                         : pgtable_index(m, kernel, levels(m));
}

bool as_make_root(struct machine *m, uint64_t mm)
{
    fn_enter(&m->probe, FN_mm_init);
    uint64_t frame = new_table(m, mm, 0, levels(m));
    if (frame != PFN_NONE) {
        as_w(m, mm)->pgd = frame;
    }
    /* pgd_prepopulate_pmd(): PAE's directories below the kernel are there from the
       beginning */
    const uint32_t pmds = levels(m) == 3 ? kernel_boundary(m) : 0;
    bool all = frame != PFN_NONE && pgtable_copy_kernel_half(m, frame); /* pgd_ctor() */
    for (uint32_t i = 0; i < pmds && all; i++) {
        all = as_make_entry(m, mm, (uint64_t)i << 30, 2) != 0;
    }
    fn_leave(&m->probe);
    return all;
}

/* ---- going through them ---- */

struct range {
    uint64_t start, end;
};

/* Does any area lie in this range? */
static bool has_area(const struct machine *m, uint64_t mm, uint64_t start, uint64_t end)
{
    const struct mm_struct *as = &m->mms->mm[mm];
    for (uint32_t i = 0; i < as->nr_vmas; i++) {
        if (as->vma[i].start < end && start < as->vma[i].end) {
            return true;
        }
    }
    return false;
}

static bool table_is_empty(const unsigned char *table)
{
    for (uint32_t i = 0; i < PGTABLE_BYTES; i++) {
        if (table[i]) {
            return false;
        }
    }
    return true;
}

/* Entries of the user part in a table of this level. */
static uint32_t nr_entries(const struct machine *m, uint32_t level)
{
    return level == levels(m) ? kernel_boundary(m) : pgtable_entries(m, level);
}

static void visit(const struct machine *m, uint64_t table, uint32_t level, uint64_t first,
                  const struct as_visitor *v)
{
    unsigned char bytes[PGTABLE_BYTES];
    v->table(v->ctx, table, level);
    pgtable_read_table(m, table, bytes);
    for (uint32_t i = 0; i < nr_entries(m, level); i++) {
        const uint64_t entry = pgtable_table_entry(m, bytes, i);
        const uint64_t va = first + ((uint64_t)i << pgtable_shift(m, level));
        if (level == 1 ? !as_pte_present(entry) : !(entry & PTE_P)) {
            continue;
        }
        if (pgtable_maps_page(m, entry, level)) {
            v->page(v->ctx, va, entry, level);
        } else {
            visit(m, pgtable_frame(m, entry), level - 1, va, v);
        }
    }
}

void as_visit(const struct machine *m, uint64_t mm, const struct as_visitor *v)
{
    visit(m, m->mms->mm[mm].pgd, levels(m), 0, v);
}

/* ---- unmapping ---- */

/* struct mmu_gather: what is to be freed, but only when no TLB knows it any more. */
enum { GATHER = 256 };
struct gather {
    uint64_t mm, start, end; /* what was cleared since the last flush */
    uint64_t frame[GATHER];
    uint32_t nr;
    bool freed_tables;
};

/* tlb_finish_mmu() */
static void gather_flush(struct machine *m, struct gather *g)
{
    if (g->start < g->end || g->freed_tables) {
        flush_tlb_mm_range(m, g->mm, g->start, g->end, g->freed_tables, false);
    }
    for (uint32_t i = 0; i < g->nr; i++) {
        page_free_kept(m, g->frame[i]);
    }
    g->nr = 0;
    g->freed_tables = false;
    g->start = UINT64_MAX;
    g->end = 0;
}

static void gather_page(struct machine *m, struct gather *g, uint64_t frame)
{
    if (g->nr == GATHER) {
        gather_flush(m, g);
    }
    g->frame[g->nr++] = frame;
}

/* zap_pte_range(): each present entry of [start, end) in this table and below. */
static void zap(struct machine *m, struct gather *g, uint64_t table, uint32_t level,
                uint64_t first, struct range r)
{
    unsigned char bytes[PGTABLE_BYTES];
    const uint64_t size = (uint64_t)1 << pgtable_shift(m, level);
    pgtable_read_table(m, table, bytes);
    for (uint32_t i = 0; i < nr_entries(m, level); i++) {
        const uint64_t va = first + i * size, entry = pgtable_table_entry(m, bytes, i);
        if (!entry || va + size <= r.start || va >= r.end) {
            continue;
        }
        if ((entry & PTE_P) && !pgtable_maps_page(m, entry, level)) {
            zap(m, g, pgtable_frame(m, entry), level - 1, va, r);
            continue;
        }
        const uint64_t at = (table << PAGE_SHIFT) + (uint64_t)i * pgtable_entry_bytes(m);
        pgtable_write_entry(m, at, 0);
        probe(&m->probe, EV_PTE_CLEAR, va, pgtable_frame(m, entry), at);
        g->start = va < g->start ? va : g->start;
        g->end = va + size > g->end ? va + size : g->end;
        if (as_pte_present(entry) && !(entry & PTE_SPECIAL)) {
            as_w(m, g->mm)->nr_pages--;
            gather_page(m, g, pgtable_frame(m, entry));
        }
    }
}

/* free_pgd_range(): the tables below this one that touch the range, that no area needs
 * and that are empty. */
static void free_below(struct machine *m, struct gather *g, uint64_t table,
                       uint32_t level, uint64_t first, struct range r)
{
    unsigned char bytes[PGTABLE_BYTES];
    const uint64_t size = (uint64_t)1 << pgtable_shift(m, level);
    for (uint32_t i = 0; level > 1 && i < nr_entries(m, level); i++) {
        const uint64_t va = first + i * size;
        const uint64_t at = (table << PAGE_SHIFT) + (uint64_t)i * pgtable_entry_bytes(m);
        if (va + size <= r.start || va >= r.end) {
            continue;
        }
        const uint64_t entry = read_entry(m, at);
        if (!(entry & PTE_P) || pgtable_maps_page(m, entry, level)) {
            continue;
        }
        const uint64_t below = pgtable_frame(m, entry);
        free_below(m, g, below, level - 1, va, r);
        pgtable_read_table(m, below, bytes);
        if (!has_area(m, g->mm, va, va + size) && table_is_empty(bytes)) {
            pgtable_write_entry(m, at, 0);
            probe(&m->probe, EV_PTE_FREE, level - 1, va, below);
            as_w(m, g->mm)->nr_tables--;
            g->freed_tables = true;
            g->start = va < g->start ? va : g->start;
            g->end = va + size > g->end ? va + size : g->end;
            gather_page(m, g, below);
        }
    }
}

void as_unmap_region(struct machine *m, uint64_t mm, uint64_t start, uint64_t end)
{
    struct gather g = {.mm = mm, .start = UINT64_MAX};
    const struct range r = {start, end};
    const uint64_t root = m->mms->mm[mm].pgd;
    fn_enter(&m->probe, FN_unmap_region, start, end);
    fn_enter(&m->probe, FN_unmap_vmas, start, end);
    zap(m, &g, root, levels(m), 0, r);
    fn_leave(&m->probe);
    fn_enter(&m->probe, FN_free_pgtables, start, end);
    free_below(m, &g, root, levels(m), 0, r);
    fn_leave(&m->probe);
    fn_enter(&m->probe, FN_tlb_finish_mmu);
    gather_flush(m, &g);
    fn_leave(&m->probe);
    fn_leave(&m->probe);
}

void as_free_root(struct machine *m, uint64_t mm)
{
    const struct mm_struct *as = &m->mms->mm[mm];
    fn_enter(&m->probe, FN_pgd_free);
    if (as->pgd != PFN_NONE) {
        probe(&m->probe, EV_PTE_FREE, levels(m), 0, as->pgd);
        as_w(m, mm)->nr_tables--; /* marked behind the event: it may have been a stop */
        pgtable_drop_kernel_half(m, as->pgd);
        page_free_kept(m, as->pgd);
        as_w(m, mm)->pgd = PFN_NONE;
    }
    fn_leave(&m->probe);
}
