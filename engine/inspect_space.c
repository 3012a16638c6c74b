/* Regions, areas and kmap's windows for looking at: see inspect_space.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect_space.h"

#include <inttypes.h>

#include "describe.h"
#include "text.h"

/* ---- regions ---- */

uint32_t space_nr_regions(const struct machine *m)
{
    struct kspace_area areas[KSPACE_MAX_AREAS];
    return kspace_areas(&m->vm->kspace, areas);
}

struct region_view space_region(const struct machine *m, uint32_t i)
{
    struct kspace_area areas[KSPACE_MAX_AREAS];
    struct region_view v = {.area = {.name = ""}};
    if (i < kspace_areas(&m->vm->kspace, areas)) {
        v.area = areas[i];
    }
    if (v.area.kind == AREA_VMALLOC) {
        v.used_bytes = m->vm->busy_bytes;
        v.lazy_bytes = m->vm->lazy_nr << PAGE_SHIFT;
        v.nr_areas = m->vm->busy.nr;
    }
    return v;
}

uint32_t space_region_of(const struct machine *m, uint64_t va)
{
    struct kspace_area areas[KSPACE_MAX_AREAS];
    const uint32_t nr = kspace_areas(&m->vm->kspace, areas);
    for (uint32_t i = 0; i < nr; i++) {
        if (va >= areas[i].first && va <= areas[i].last) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* ---- areas ---- */

static const char *const kind_names[NR_VMAP_KINDS] = {
    [VMAP_FREE] = "free",        [VMAP_LAZY] = "lazily freed",
    [VMAP_VMALLOC] = "vmalloc",  [VMAP_VMAP] = "vmap",
    [VMAP_IOREMAP] = "ioremap",  [VMAP_RAM] = "vm_map_ram",
    [VMAP_BLOCK] = "vmap block", [VMAP_LOADED] = "of the recorded kernel",
};

static void view_area(const struct machine *m, uint32_t id, struct area_view *v)
{
    const struct vmap_area *a = area_r(m, id);
    *v = (struct area_view){.kind = (enum vmap_kind)a->kind,
                            .name = kind_names[a->kind],
                            .first = a->start,
                            .last = a->end - 1,
                            .op = a->op,
                            .cpu = a->cpu,
                            .caller = op_info(a->by)->name,
                            .deferred = a->flags & VMAP_DEFERRED};
    switch (v->kind) {
    case VMAP_VMALLOC:
        v->nr_pages = a->nr_pages;
        v->array = a->detail;
        v->guard = a->end - PAGE_SIZE;
        break;
    case VMAP_IOREMAP:
        v->phys = a->detail;
        v->guard = a->end - PAGE_SIZE;
        break;
    case VMAP_VMAP:
        v->guard = a->end - PAGE_SIZE;
        break;
    case VMAP_BLOCK:
        v->block_free = block_r(m, a->block)->free;
        v->block_dirty = block_r(m, a->block)->dirty;
        break;
    default:
        break;
    }
}

bool space_next_area(const struct machine *m, uint64_t va, uint64_t last,
                     struct area_view *out)
{
    uint32_t busy = vmap_find_exceed(m, &m->vm->busy, va);
    const uint32_t lazy = vmap_find_exceed(m, &m->vm->lazy, va);
    if (!busy || (lazy && area_r(m, lazy)->start < area_r(m, busy)->start)) {
        busy = lazy;
    }
    if (!busy || area_r(m, busy)->start > last) {
        return false;
    }
    view_area(m, busy, out);
    return true;
}

bool space_area_at(const struct machine *m, uint64_t va, struct area_view *out)
{
    return space_next_area(m, va, va, out);
}

bool space_hole_at(const struct machine *m, uint64_t va, uint64_t *first, uint64_t *last)
{
    const uint32_t id = vmap_find(m, &m->vm->free, va);
    if (!id) {
        return false;
    }
    *first = area_r(m, id)->start;
    *last = area_r(m, id)->end - 1;
    return true;
}

/* ---- kmap ---- */

uint32_t space_nr_pkmaps(const struct machine *m) { return m->vm->kspace.last_pkmap; }

struct pkmap_view space_pkmap(const struct machine *m, uint32_t slot)
{
    struct pkmap_view v = {.frame = PFN_NONE};
    if (slot < space_nr_pkmaps(m)) {
        const struct pkmap_slot *s = &m->vm_tables.pkmap[slot];
        v.va = kspace_pkmap_addr(&m->vm->kspace, slot);
        v.count = s->count;
        v.frame = s->count ? s->frame : PFN_NONE;
        v.last = slot == m->vm->last_pkmap_nr;
    }
    return v;
}

uint32_t space_nr_pkmap_sleepers(const struct machine *m) { return m->vm->nr_sleepers; }

uint64_t space_pkmap_sleeper(const struct machine *m, uint32_t n, uint32_t *cpu)
{
    if (n >= m->vm->nr_sleepers) {
        return PFN_NONE;
    }
    *cpu = m->vm->sleeper_cpu[n];
    return m->vm->sleeper[n];
}

uint32_t space_nr_kmap_slots(const struct machine *m)
{
    return m->vm->kspace.bits == 32 ? KM_MAX_IDX : 0;
}

uint32_t space_task(const struct machine *m, uint32_t cpu)
{
    return cpu < m->mm->nr_cpus ? m->vm->task[cpu] : UINT32_MAX;
}

uint32_t space_kmap_depth(const struct machine *m, uint32_t cpu)
{
    return cpu < m->mm->nr_cpus ? m->vm_tables.tasks[m->vm->task[cpu]].idx : 0;
}

struct kmap_slot_view space_kmap_slot(const struct machine *m, uint32_t cpu,
                                      uint32_t depth)
{
    const struct kspace *k = &m->vm->kspace;
    struct kmap_slot_view v = {.frame = PFN_NONE};
    if (k->bits == 32 && cpu < m->mm->nr_cpus && depth < KM_MAX_IDX) {
        v.va =
            kspace_fix_to_virt(k, k->fix_kmap_begin + (uint64_t)KM_MAX_IDX * cpu + depth);
        const uint64_t entry = pgtable_get(m, v.va);
        v.mapped = entry & PTE_P;
        v.used = depth < space_kmap_depth(m, cpu);
        v.frame = v.mapped ? pgtable_frame(m, entry) : PFN_NONE;
    }
    return v;
}

/* ---- files ---- */

int proc_vmallocinfo(char *buf, size_t size, const struct machine *m)
{
    struct text t = {buf, size, 0};
    const int digits = (int)m->vm->kspace.bits / 4;
    const int phys = m->vm->kspace.levels == 2 ? 8 : 16;
    text_put(&t, "%s", "");
    for (uint32_t id = m->vm->busy.first; id; id = area_r(m, id)->next) {
        struct area_view a;
        view_area(m, id, &a);
        text_put(&t, "0x%0*" PRIx64 "-0x%0*" PRIx64 " %7" PRIu64, digits, a.first, digits,
                 a.last + 1, a.last + 1 - a.first);
        if (a.kind == VMAP_RAM || a.kind == VMAP_BLOCK) {
            text_put(&t, " vm_map_ram\n");
            continue;
        }
        if (a.kind == VMAP_LOADED) {
            text_put(&t, "\n");
            continue;
        }
        text_put(&t, " %s+0x0/0x0", a.caller);
        if (a.nr_pages) {
            text_put(&t, " pages=%" PRIu64, a.nr_pages);
        }
        if (a.phys) {
            text_put(&t, " phys=0x%0*" PRIx64, phys, a.phys);
        }
        text_put(&t, " %s%s\n", a.name, a.array ? " vpages" : "");
    }
    for (uint32_t id = m->vm->busy.nr ? m->vm->lazy.first : 0; id;
         id = area_r(m, id)->next) {
        const struct vmap_area *a = area_r(m, id);
        text_put(&t, "0x%0*" PRIx64 "-0x%0*" PRIx64 " %7" PRIu64 " unpurged vm_area\n",
                 digits, a->start, digits, a->end, a->end - a->start);
    }
    return t.len;
}

int proc_page_tables(char *buf, size_t size, const struct machine *m)
{
    return pgtable_dump_text(buf, size, m, m->vm->pgd);
}
