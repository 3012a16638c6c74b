/* Address spaces: areas, mapping and unmapping, invariants. See mm_struct.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mm_struct.h"

#include <string.h>

#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "image.h"
#include "page.h"
#include "pgtable.h"

/* Below the stack and its guard, as mmap_base() leaves it for a stack of 8 MiB. */
enum { MMAP_GAP = 128 << 20 };

uint64_t as_arena_bytes(const struct machine_config *c)
{
    (void)c;
    return sizeof(struct mm_table) + 2 * (uint64_t)ARENA_CHUNK;
}

bool as_create_table(struct machine *m)
{
    m->mms = arena_alloc(&m->arena, sizeof *m->mms, ARENA_CHUNK);
    return m->mms != NULL;
}

void as_reset(struct machine *m)
{
    for (uint32_t i = 1; i < MAX_MMS; i++) {
        if (m->mms->mm[i].ctx_id) {
            pgtable_drop_kernel_half(m, m->mms->mm[i].pgd);
            memset(as_w(m, i), 0, sizeof(struct mm_struct));
        }
    }
    struct mm_struct *init = as_w(m, 0);
    init->ctx_id = 1;
    init->pgd = m->vm->pgd;
    arena_mark(&m->arena, m->mms);
    if (m->mms->last_ctx_id == 0) {
        m->mms->last_ctx_id = 1;
    }
    tlb_state_reset(m);
}

const struct mm_struct *as_find(const struct machine *m, uint64_t mm)
{
    return mm < MAX_MMS && m->mms->mm[mm].ctx_id ? &m->mms->mm[mm] : NULL;
}

uint64_t as_task_size(const struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    return k->bits == 32    ? k->page_offset
           : k->levels == 5 ? ((uint64_t)1 << 56) - PAGE_SIZE
                            : ((uint64_t)1 << 47) - PAGE_SIZE;
}

uint64_t as_zero_page(const struct machine *m)
{
    struct image image;
    return image_layout(&image, &m->config) ? image.rodata_end : PFN_NONE;
}

const struct vma *as_find_vma(const struct machine *m, uint64_t mm, uint64_t va)
{
    const struct mm_struct *as = as_find(m, mm);
    for (uint32_t i = 0; as && i < as->nr_vmas; i++) {
        if (va >= as->vma[i].start && va < as->vma[i].end) {
            return &as->vma[i];
        }
    }
    return NULL;
}

/* ---- creation and end ---- */

uint64_t as_create(struct machine *m)
{
    uint32_t mm = 1;
    while (mm < MAX_MMS && m->mms->mm[mm].ctx_id) {
        mm++;
    }
    if (mm == MAX_MMS) {
        probe(&m->probe, EV_BAD_CALL, OP_MM_CREATE, MAX_MMS, BAD_TOO_DEEP);
        return 0;
    }
    fn_enter(&m->probe, FN_mm_alloc);
    arena_mark(&m->arena, m->mms);
    const uint64_t ctx_id = ++m->mms->last_ctx_id;
    struct mm_struct *as = as_w(m, mm);
    memset(as, 0, sizeof *as);
    as->ctx_id = ctx_id;
    as->pgd = PFN_NONE;
    as->op = m->mm->nr_ops;
    bool made = as_make_root(m, mm);
    if (made) {
        probe(&m->probe, EV_MM_CREATE, mm, m->mms->mm[mm].pgd, ctx_id);
    } else {
        if (m->mms->mm[mm].pgd != PFN_NONE) {
            as_unmap_region(m, mm, 0, as_task_size(m));
            as_free_root(m, mm);
        }
        memset(as_w(m, mm), 0, sizeof *as);
    }
    fn_leave(&m->probe);
    return made ? mm : 0;
}

static bool known(struct machine *m, uint16_t op, uint64_t mm)
{
    if (mm && as_find(m, mm)) {
        return true;
    }
    probe(&m->probe, EV_BAD_CALL, op, mm, BAD_NO_MM);
    return false;
}

void as_exit(struct machine *m, uint64_t mm)
{
    if (!known(m, OP_MM_EXIT, mm)) {
        return;
    }
    fn_enter(&m->probe, FN_mmput, mm);
    fn_enter(&m->probe, FN_exit_mmap, mm);
    might_sleep(m);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        struct mm_cpu *c = as_cpu_w(m, cpu);
        if (c->mm == mm) { /* the task that ends goes on as a kernel thread for a while */
            c->mm = 0;
            c->lazy = c->loaded_mm == mm;
        }
    }
    as_w(m, mm)->nr_vmas = 0;
    as_unmap_region(m, mm, 0, as_task_size(m));
    fn_leave(&m->probe);
    /* who borrows the tables lets them go: they are about to be freed */
    flush_tlb_mm_range(m, mm, 0, FLUSH_ALL, true, true);
    as_free_root(m, mm);
    probe(&m->probe, EV_MM_EXIT, mm, m->mms->mm[mm].nr_faults);
    memset(as_w(m, mm), 0, sizeof(struct mm_struct));
    fn_leave(&m->probe);
}

/* ---- areas ---- */

static void vma_remove_at(struct mm_struct *as, uint32_t i)
{
    as->nr_vmas--;
    memmove(&as->vma[i], &as->vma[i + 1], (as->nr_vmas - i) * sizeof as->vma[0]);
    memset(&as->vma[as->nr_vmas], 0, sizeof as->vma[0]);
}

/* False: no room for another area. */
static bool vma_insert(struct mm_struct *as, uint64_t start, uint64_t end, uint32_t prot)
{
    uint32_t i = 0;
    if (as->nr_vmas == MAX_VMAS) {
        return false;
    }
    while (i < as->nr_vmas && as->vma[i].start < start) {
        i++;
    }
    memmove(&as->vma[i + 1], &as->vma[i], (as->nr_vmas - i) * sizeof as->vma[0]);
    as->nr_vmas++;
    as->vma[i].start = start;
    as->vma[i].end = end;
    as->vma[i].prot = prot;
    as->vma[i].pad = 0;
    return true;
}

/* vma_merge(): neighbours that touch and are alike become one. */
static void vma_merge(struct mm_struct *as)
{
    for (uint32_t i = 0; i + 1 < as->nr_vmas;) {
        if (as->vma[i].end == as->vma[i + 1].start &&
            as->vma[i].prot == as->vma[i + 1].prot) {
            as->vma[i].end = as->vma[i + 1].end;
            vma_remove_at(as, i + 1);
        } else {
            i++;
        }
    }
}

/* split_vma(): an area border at `at`, if it lies inside of one. False: no room. */
static bool vma_split(struct mm_struct *as, uint64_t at)
{
    for (uint32_t i = 0; i < as->nr_vmas; i++) {
        struct vma *v = &as->vma[i];
        if (v->start < at && at < v->end) {
            const uint64_t end = v->end;
            const uint32_t prot = v->prot;
            if (as->nr_vmas == MAX_VMAS) {
                return false;
            }
            v->end = at;
            return vma_insert(as, at, end, prot);
        }
    }
    return true;
}

static bool good_range(struct machine *m, uint16_t op, uint64_t start, uint64_t len)
{
    const uint64_t task_size = as_task_size(m);
    const bool good =
        start % PAGE_SIZE == 0 && len && len <= task_size && start <= task_size - len;
    if (!good) {
        probe(&m->probe, EV_BAD_CALL, op, start, BAD_USER_RANGE);
    }
    return good;
}

static uint64_t page_align(uint64_t len)
{
    return len > UINT64_MAX - PAGE_SIZE
               ? 0
               : (len + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

/* arch_get_unmapped_area_topdown() */
static uint64_t unmapped_area(const struct machine *m, uint64_t mm, uint64_t len)
{
    const struct mm_struct *as = as_find(m, mm);
    uint64_t top = as_task_size(m);
    top = top > 2 * (uint64_t)MMAP_GAP ? (top & ~(uint64_t)(PAGE_SIZE - 1)) - MMAP_GAP
                                       : top;
    for (uint32_t i = as->nr_vmas; i-- > 0;) {
        const struct vma *v = &as->vma[i];
        if (v->end <= top) {
            if (top - v->end >= len) {
                return top - len;
            }
            top = v->start;
        } else if (v->start < top) {
            top = v->start;
        }
    }
    return top >= len + 0x10000 ? top - len : 0; /* above mmap_min_addr */
}

uint64_t as_mmap(struct machine *m, uint64_t mm, uint64_t start, uint64_t len,
                 uint64_t prot)
{
    if (!known(m, OP_MMAP, mm)) {
        return 0;
    }
    len = page_align(len);
    if (!good_range(m, OP_MMAP, start, len)) {
        return 0;
    }
    fn_enter(&m->probe, FN_do_mmap, start, len, prot);
    might_sleep(m);
    const bool fixed = start != 0;
    start = fixed ? start : unmapped_area(m, mm, len);
    bool made = start != 0;
    if (made && fixed) {
        made = as_munmap(m, mm, start, len);
    }
    made = made && vma_insert(as_w(m, mm), start, start + len, prot & VM_ALL);
    if (made) {
        vma_merge(as_w(m, mm));
        probe(&m->probe, EV_MMAP, mm, start, start + len, prot & VM_ALL);
    } else {
        probe(&m->probe, EV_BAD_CALL, OP_MMAP, start, BAD_NO_AREA);
    }
    fn_leave(&m->probe);
    return made ? start : 0;
}

bool as_munmap(struct machine *m, uint64_t mm, uint64_t start, uint64_t len)
{
    if (!known(m, OP_MUNMAP, mm)) {
        return false;
    }
    len = page_align(len);
    if (!good_range(m, OP_MUNMAP, start, len)) {
        return false;
    }
    const uint64_t end = start + len;
    fn_enter(&m->probe, FN_do_munmap, start, end);
    might_sleep(m);
    struct mm_struct *as = as_w(m, mm);
    bool split = vma_split(as, start) && vma_split(as, end), any = false;
    for (uint32_t i = 0; split && i < as->nr_vmas;) {
        if (as->vma[i].start >= start && as->vma[i].end <= end) {
            any = true;
            vma_remove_at(as, i);
        } else {
            i++;
        }
    }
    if (any) {
        as_unmap_region(m, mm, start, end);
        probe(&m->probe, EV_MUNMAP, mm, start, end);
    } else if (!split) {
        probe(&m->probe, EV_BAD_CALL, OP_MUNMAP, start, BAD_NO_AREA);
    }
    fn_leave(&m->probe);
    return split;
}

/* The flags of a page's entry in an area of this prot, writable apart. */
static uint64_t entry_prot(const struct machine *m, uint32_t prot)
{
    const bool nx = m->config.hw.nx && pgtable_entry_bytes(m) == 8;
    return PTE_P | PTE_U | PTE_A | (nx && !(prot & VM_EXEC) ? PTE_NX : 0);
}

static bool is_zero(const struct machine *m, uint64_t entry)
{
    return pgtable_frame(m, entry) == as_zero_page(m);
}

/* pte_modify(): the page stays, with its A and D bits. A clean page becomes writable by a
 * fault. */
static uint64_t new_entry(const struct machine *m, uint64_t old, uint32_t prot)
{
    const uint64_t keep =
        (pgtable_frame(m, old) << PAGE_SHIFT) | (old & (PTE_D | PTE_A | PTE_SPECIAL));
    if (!prot) {
        return keep | PTE_PROTNONE;
    }
    const bool write = (prot & VM_WRITE) && (old & PTE_D) && !is_zero(m, old);
    return keep | entry_prot(m, prot) | (write ? PTE_W : 0);
}

/* change_protection(): entries that are there get the area's new rights. */
static void change_entries(struct machine *m, uint64_t mm, uint64_t start, uint64_t end,
                           uint32_t prot)
{
    fn_enter(&m->probe, FN_change_protection, start, end);
    uint64_t changed = 0;
    for (uint64_t va = start; va < end;) {
        const struct as_entry e = as_find_entry(m, mm, va);
        const uint64_t size = (uint64_t)1 << pgtable_shift(m, e.level);
        const bool page = e.level == 1 && as_pte_present(e.value);
        if (page && (!(e.value & PTE_SPECIAL) || is_zero(m, e.value))) {
            const uint64_t value = new_entry(m, e.value, prot);
            if (value != e.value) {
                as_set_entry(m, va, e.at, value);
                changed++;
            }
        }
        va = (va & ~(size - 1)) + size;
    }
    if (changed) {
        flush_tlb_mm_range(m, mm, start, end, false, false);
    }
    fn_leave(&m->probe);
}

bool as_mprotect(struct machine *m, uint64_t mm, uint64_t start, uint64_t len,
                 uint64_t prot)
{
    if (!known(m, OP_MPROTECT, mm)) {
        return false;
    }
    len = page_align(len);
    if (!good_range(m, OP_MPROTECT, start, len)) {
        return false;
    }
    const uint64_t end = start + len;
    for (uint64_t at = start; at < end;) { /* no hole in it */
        const struct vma *v = as_find_vma(m, mm, at);
        if (!v) {
            probe(&m->probe, EV_BAD_CALL, OP_MPROTECT, at, BAD_NO_AREA);
            return false;
        }
        at = v->end;
    }
    fn_enter(&m->probe, FN_mprotect_fixup, start, end, prot);
    might_sleep(m);
    struct mm_struct *as = as_w(m, mm);
    bool split = vma_split(as, start) && vma_split(as, end);
    for (uint32_t i = 0; split && i < as->nr_vmas; i++) {
        if (as->vma[i].start >= start && as->vma[i].end <= end) {
            as->vma[i].prot = (uint32_t)prot & VM_ALL;
        }
    }
    if (split) {
        vma_merge(as);
        change_entries(m, mm, start, end, (uint32_t)prot & VM_ALL);
        probe(&m->probe, EV_MPROTECT, mm, start, end, prot & VM_ALL);
    } else {
        probe(&m->probe, EV_BAD_CALL, OP_MPROTECT, start, BAD_NO_AREA);
    }
    fn_leave(&m->probe);
    return split;
}

/* ---- single pages ---- */

bool as_map_page(struct machine *m, uint64_t mm, uint64_t va, uint64_t frame,
                 uint64_t flags)
{
    const uint32_t level = flags & MAP_HUGE ? 3 : flags & MAP_LARGE ? 2 : 1;
    if (!known(m, OP_MAP_PAGE, mm)) {
        return false;
    }
    const bool large = level <= m->vm->kspace.levels && pgtable_level_has_pages(m, level);
    const bool sized = level == 1 || large;
    const uint64_t size = sized ? (uint64_t)1 << pgtable_shift(m, level) : PAGE_SIZE;
    if (!sized || va % size || va > as_task_size(m) - size ||
        (frame << PAGE_SHIFT) % size || frame >= m->mm->max_pfn) {
        probe(&m->probe, EV_BAD_CALL, OP_MAP_PAGE, va, BAD_USER_RANGE);
        return false;
    }
    fn_enter(&m->probe, FN_insert_pfn, va, frame);
    uint64_t at = as_make_entry(m, mm, va, level);
    const struct as_entry e = as_find_entry(m, mm, va);
    bool free = at && e.level == level && !e.value;
    if (free) {
        const bool nx = m->config.hw.nx && pgtable_entry_bytes(m) == 8;
        const uint64_t own = PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_A | PTE_D | PTE_G |
                             (level == 1 ? (uint64_t)PTE_PAT : PTE_PAT_LARGE) |
                             (nx ? PTE_NX : 0);
        as_set_entry(m, va, at,
                     frame << PAGE_SHIFT | (flags & own) | PTE_P | PTE_SPECIAL |
                         (level > 1 ? PTE_PS : 0));
    } else {
        probe(&m->probe, EV_BAD_CALL, OP_MAP_PAGE, va, BAD_MAPPED);
    }
    fn_leave(&m->probe);
    return free;
}

bool as_unmap_page(struct machine *m, uint64_t mm, uint64_t va, bool flush)
{
    if (!known(m, OP_UNMAP_PAGE, mm)) {
        return false;
    }
    const struct as_entry e = va < as_task_size(m) ? as_find_entry(m, mm, va)
                                                   : (struct as_entry){0, 0, 0, false};
    if (!e.maps || !(e.value & PTE_SPECIAL)) {
        probe(&m->probe, EV_BAD_CALL, OP_UNMAP_PAGE, va, BAD_NOT_MAPPED);
        return false;
    }
    const uint64_t size = (uint64_t)1 << pgtable_shift(m, e.level);
    va &= ~(size - 1);
    pgtable_write_entry(m, e.at, 0);
    probe(&m->probe, EV_PTE_CLEAR, va, pgtable_frame(m, e.value), e.at);
    if (flush) {
        flush_tlb_mm_range(m, mm, va, va + size, false, false);
    }
    return true;
}

uint64_t as_do(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    switch (op->kind) {
    case OP_MM_CREATE:
        return as_create(m);
    case OP_MM_EXIT:
        as_exit(m, arg[0]);
        return 0;
    case OP_MMAP:
        return as_mmap(m, arg[0], arg[1], arg[2], arg[3]);
    case OP_MUNMAP:
        return as_munmap(m, arg[0], arg[1], arg[2]);
    case OP_MPROTECT:
        return as_mprotect(m, arg[0], arg[1], arg[2], arg[3]);
    case OP_MAP_PAGE:
        return as_map_page(m, arg[0], arg[1], arg[2], arg[3]);
    case OP_UNMAP_PAGE:
        return as_unmap_page(m, arg[0], arg[1], arg[2]);
    case OP_SWITCH_MM:
        if (!arg[0] || known(m, OP_SWITCH_MM, arg[0])) {
            as_switch(m, arg[0]);
        }
        return 0;
    default: /* OP_FLUSH_TLB_MM */
        if (known(m, OP_FLUSH_TLB_MM, arg[0])) {
            flush_tlb_mm_range(m, arg[0], arg[1], arg[1] + page_align(arg[2]), false,
                               false);
        }
        return 0;
    }
}

/* ---- invariants ---- */

struct census {
    const struct machine *m;
    uint64_t mm, nr_tables, nr_pages;
    const char *why;
};

static bool is_allocated(const struct machine *m, uint64_t frame)
{
    return frame < m->mm->nr_frames && page_r(m, frame)->state == USE_ALLOC;
}

static void count_table(void *ctx, uint64_t frame, uint32_t level)
{
    struct census *c = ctx;
    (void)level;
    c->nr_tables++;
    if (!is_allocated(c->m, frame)) {
        c->why = "mm_struct: a page table is in a frame that is not allocated (I2)";
    }
}

static void count_page(void *ctx, uint64_t va, uint64_t entry, uint32_t level)
{
    struct census *c = ctx;
    if (entry & PTE_SPECIAL) {
        return;
    }
    c->nr_pages++;
    if (level != 1 || !as_find_vma(c->m, c->mm, va)) {
        c->why = "mm_struct: a page is mapped where no area is (I3)";
    } else if (!is_allocated(c->m, pgtable_frame(c->m, entry))) {
        c->why = "mm_struct: a page is mapped that is not allocated (I3)";
    }
}

static const char *check_one(const struct machine *m, uint64_t mm)
{
    const struct mm_struct *as = as_find(m, mm);
    for (uint32_t i = 0; i < as->nr_vmas; i++) {
        const struct vma *v = &as->vma[i];
        if (v->start >= v->end || v->end > as_task_size(m) ||
            (i && v->start < as->vma[i - 1].end)) {
            return "mm_struct: areas overlap, or leave user space (I1)";
        }
    }
    struct census c = {.m = m, .mm = mm};
    const struct as_visitor v = {count_table, count_page, &c};
    as_visit(m, mm, &v);
    if (!c.why && c.nr_tables != as->nr_tables) {
        c.why = "mm_struct: nr_tables is not the number of tables (I2)";
    }
    if (!c.why && c.nr_pages != as->nr_pages) {
        c.why = "mm_struct: nr_pages is not the number of pages (I3)";
    }
    return c.why;
}

const char *as_check(const struct machine *m)
{
    if (m->probe.depth) {
        return NULL; /* in the middle of an operation */
    }
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        const struct mm_cpu *c = as_cpu(m, cpu);
        const struct mm_struct *loaded = as_find(m, c->loaded_mm);
        if (!loaded || (c->loaded_mm && !(loaded->cpumask >> cpu & 1)) ||
            (c->mm && c->mm != c->loaded_mm)) {
            return "mm_struct: a CPU has an address space loaded that does not know it "
                   "(I4)";
        }
    }
    for (uint64_t mm = 1; mm < MAX_MMS; mm++) {
        const char *why = as_find(m, mm) ? check_one(m, mm) : NULL;
        if (why) {
            return why;
        }
    }
    return NULL;
}
