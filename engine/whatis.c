/* What is this address, and which others does its frame have: see inspect_space.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "describe.h"
#include "hardware.h"
#include "image.h"
#include "inspect_space.h"
#include "mm_struct.h"
#include "slab_view.h"
#include "text.h"

/* The object layer's word for an address of the direct map, where it has one. */
static void put_object(struct text *t, const struct machine *m, uint64_t va)
{
    const struct object_view o = object_view(m, va);
    struct cache_view cache;
    if (o.state == OBJECT_NONE || !cache_view(m, o.cache, &cache)) {
        return;
    }
    text_put(t, "object    %" PRIu64 " bytes into object %u of %s at %#" PRIx64 ": %s\n",
             va - o.va, o.index, cache.name, o.va,
             o.state == OBJECT_IN_USE     ? "in use"
             : o.state == OBJECT_IN_ARRAY ? "free, in an array"
                                          : "free, on the slab's freelist");
}

/* ---- the addresses of a frame ---- */

struct search {
    const struct machine *m;
    uint64_t frame;
    void *ctx;
    void (*visit)(void *ctx, const struct mapping_view *v);
    uint32_t nr;
};

static enum kspace_kind kind_of(const struct machine *m, uint64_t va)
{
    const uint32_t i = space_region_of(m, va);
    return i == UINT32_MAX ? AREA_HOLE : space_region(m, i).area.kind;
}

static void found(struct search *s, uint64_t va, const struct pgtable_entry *e)
{
    const struct mapping_view v = {.va = va,
                                   .shift = pgtable_shift(s->m, e->level),
                                   .entry = e->value,
                                   .at = e->at,
                                   .region = kind_of(s->m, va)};
    s->nr++;
    s->visit(s->ctx, &v);
}

/* Is the frame mapped at this one address? */
static void look_at(struct search *s, uint64_t va)
{
    const struct pgtable_entry e = pgtable_find(s->m, va);
    if (e.maps && pgtable_translate(s->m, va) == s->frame) {
        found(s, va, &e);
    }
}

/* All small pages in [va, last]: what is not mapped costs an entry of a higher table. */
static void look_in(struct search *s, uint64_t va, uint64_t last)
{
    const struct machine *m = s->m;
    unsigned char bytes[PGTABLE_BYTES];
    while (va <= last) {
        const struct pgtable_entry e = pgtable_find(m, va);
        const uint64_t size = (uint64_t)1 << pgtable_shift(m, e.level == 1 ? 2 : e.level);
        const uint64_t next = (va & ~(size - 1)) + size;
        if (e.level == 1) {
            const uint32_t entry_bytes = pgtable_entry_bytes(m);
            const uint64_t table = e.at & ~(uint64_t)(PGTABLE_BYTES - 1);
            pgtable_read_table(m, table >> PAGE_SHIFT, bytes);
            for (uint32_t i = pgtable_index(m, va, 1); i < pgtable_entries(m, 1); i++) {
                const uint64_t at = (va & ~(size - 1)) + ((uint64_t)i << PAGE_SHIFT);
                const struct pgtable_entry one = {.at = table + (uint64_t)i * entry_bytes,
                                                  .value =
                                                      pgtable_table_entry(m, bytes, i),
                                                  .level = 1};
                if (at <= last && one.value & PTE_P &&
                    pgtable_frame(m, one.value) == s->frame) {
                    found(s, at, &one);
                }
            }
        } else if (e.maps) {
            const uint64_t first = pgtable_translate(m, va & ~(size - 1));
            if (s->frame >= first && s->frame - first < size >> PAGE_SHIFT) {
                found(s, (va & ~(size - 1)) + ((s->frame - first) << PAGE_SHIFT), &e);
            }
        }
        if (next <= va) {
            break; /* the end of the address space */
        }
        va = next;
    }
}

/* ---- processes ---- */

struct process_search {
    struct search *s;
    uint32_t mm;
};

static void look_at_table(void *ctx, uint64_t frame, uint32_t level)
{
    (void)ctx;
    (void)frame;
    (void)level;
}

static void look_at_page(void *ctx, uint64_t va, uint64_t entry, uint32_t level)
{
    const struct process_search *p = ctx;
    const struct machine *m = p->s->m;
    const uint32_t shift = pgtable_shift(m, level);
    const uint64_t pages = (uint64_t)1 << (shift - PAGE_SHIFT);
    const uint64_t first = pgtable_frame(m, entry) & ~(pages - 1);
    if (p->s->frame >= first && p->s->frame - first < pages) {
        const struct as_entry e = as_find_entry(m, p->mm, va);
        const struct mapping_view v = {.va = va + ((p->s->frame - first) << PAGE_SHIFT),
                                       .shift = shift,
                                       .entry = entry,
                                       .at = e.at,
                                       .region = AREA_USER,
                                       .mm = p->mm};
        p->s->nr++;
        p->s->visit(p->s->ctx, &v);
    }
}

static void look_in_processes(struct search *s)
{
    for (uint32_t mm = 1; mm < MAX_MMS; mm++) {
        struct process_search p = {s, mm};
        const struct as_visitor visitor = {look_at_table, look_at_page, &p};
        if (as_find(s->m, mm)) {
            as_visit(s->m, mm, &visitor);
        }
    }
}

uint32_t space_mappings(const struct machine *m, uint64_t frame, void *ctx,
                        void (*visit)(void *ctx, const struct mapping_view *v))
{
    const struct kspace *k = &m->vm->kspace;
    struct search s = {m, frame, ctx, visit, 0};
    const uint64_t direct = kspace_va(k, frame);
    if (kspace_is_direct(k, direct) && direct >= k->page_offset) {
        look_at(&s, direct);
    }
    look_in(&s, k->vmalloc_start, k->vmalloc_end - 1);
    if (k->bits == 32) {
        const uint64_t window = frame < m->mm->max_pfn ? page_address(m, frame) : 0;
        if (window >= k->pkmap_base) {
            look_at(&s, window);
        }
        look_in(&s, k->cpu_entry_area, UINT32_MAX);
    } else {
        /* the frame table is mapped by large pages in the order of its frames */
        if (frame - m->places.memmap.first < m->places.memmap.nr) {
            look_in(&s, k->vmemmap_start, k->vmemmap_end - 1);
        }
        look_in(&s, k->cpu_entry_area, k->cpu_entry_area + ((uint64_t)1 << 30));
        look_in(&s, k->kernel_start, k->fixaddr_top);
    }
    look_in_processes(&s);
    return s.nr;
}

/* ---- what a frame is for ---- */

struct table_search {
    uint64_t frame;
    uint32_t level;
};

static void is_it_this_table(void *ctx, uint64_t frame, uint32_t level)
{
    struct table_search *s = ctx;
    s->level = frame == s->frame ? level : s->level;
}

static bool in_span(const struct boot_span *span, uint64_t frame)
{
    return frame >= span->first && frame - span->first < span->nr;
}

static const char *reserved_use(const struct machine *m, uint64_t frame)
{
    struct image i;
    const struct boot_places *p = &m->places;
    if (frame < 0x100) {
        return "BIOS data, video memory and ROMs of the first MiB";
    }
    if (in_span(&p->memmap, frame)) {
        return "frame table (memmap)";
    }
    for (uint32_t cpu = 0; p->percpu.nr && cpu < m->mm->nr_cpus; cpu++) {
        const struct boot_span area = {p->percpu.first + cpu * p->percpu_stride,
                                       p->percpu.nr};
        if (in_span(&area, frame)) {
            return "per-CPU area";
        }
    }
    if (image_layout(&i, &m->config) && frame >= i.start && frame < i.end) {
        return frame < i.text_end     ? "kernel text"
               : frame < i.rodata     ? "gap behind the kernel's text"
               : frame < i.rodata_end ? "kernel constants (rodata)"
               : frame == i.idt       ? "interrupt descriptor table"
                                      : "kernel data";
    }
    return "reserved at boot: hash tables, initial RAM disk";
}

/* The first area of the vmalloc space that maps the frame. */
static void first_area(void *ctx, const struct mapping_view *v)
{
    uint64_t *va = ctx;
    if (v->region == AREA_VMALLOC && !*va) {
        *va = v->va;
    }
}

int frame_use_text(char *buf, size_t size, const struct machine *m, uint64_t frame)
{
    struct text t = {buf, size, 0};
    struct table_search table = {.frame = frame};
    char value[64];
    text_put(&t, "%s", "");
    pgtable_each_table(m, &table, is_it_this_table);
    const struct page_view page = page_view(m, pfn(frame));
    if (table.level) {
        text_put(&t, "page table of level %u of the kernel's", table.level);
        return t.len;
    }
    switch (page.state) {
    case PAGE_HOLE:
        text_put(&t, "%s",
                 frame < 0x100000 && frame >= 0xfec00 ? "device"
                                                      : "no memory: a hole, or a device");
        return t.len;
    case PAGE_RESERVED:
        text_put(&t, "%s", reserved_use(m, frame));
        return t.len;
    case PAGE_FREE:
        value_format(value, sizeof value, m, "mt", page.type);
        text_put(&t, "free, in a block of order %u, %s", page.order, value);
        return t.len;
    case PAGE_PCP:
        value_format(value, sizeof value, m, "mt", page.type);
        text_put(&t, "free, on CPU %u's page lists, order %u, %s", page.cpu, page.order,
                 value);
        return t.len;
    default:
        break;
    }
    uint64_t va = 0;
    struct area_view area;
    struct cache_view cache;
    const uint32_t slab = virt_to_slab(m, kspace_va(&m->vm->kspace, frame));
    if (slab && cache_view(m, slab_view(m, slab).cache, &cache)) {
        const struct slab_view s = slab_view(m, slab);
        text_put(&t, "slab of %s, %u of %u objects in use", cache.name, s.in_use, s.num);
        return t.len;
    }
    space_mappings(m, frame, &va, first_area);
    value_format(value, sizeof value, m, "gfp", page.gfp);
    if (va && space_area_at(m, va, &area)) {
        text_put(&t, "in the %s area at %#" PRIx64 ", ", area.name, area.first);
    }
    if (page.gfp || page.op) {
        text_put(&t, "allocated by operation %" PRIu64 " with %s, order %u", page.op,
                 value, page.order);
    } else {
        text_put(&t, "allocated before the state was recorded");
    }
    text_put(&t, "%s", page.lru ? ", on the LRU" : "");
    return t.len;
}

/* ---- what an address is ---- */

static void look_at_frame(const struct machine *m, struct address_view *v)
{
    v->frame = v->pa >> PAGE_SHIFT;
    v->page = page_view(m, pfn(v->frame));
    v->is_ram = v->page.state != PAGE_HOLE;
}

struct address_view space_whatis(const struct machine *m, uint32_t mm, uint64_t va)
{
    struct address_view v = {.is_virtual = true,
                             .va = va,
                             .region = space_region_of(m, va),
                             .pa = UINT64_MAX,
                             .frame = PFN_NONE};
    struct mmu mmu;
    pgtable_mmu(m, &mmu);
    v.canonical = mmu_canonical(&mmu, va);
    if (!v.canonical) {
        return v;
    }
    v.in_area = space_area_at(m, va, &v.area);
    v.in_guard = v.in_area && v.area.guard && va >= v.area.guard;
    v.entry = pgtable_find(m, va);
    if (mm && as_find(m, mm) && va < as_task_size(m)) {
        const struct as_entry e = as_find_entry(m, mm, va);
        v.entry = (struct pgtable_entry){e.at, e.value, e.level, e.maps};
    }
    if (v.entry.maps) {
        const uint64_t pages = (uint64_t)1
                               << (pgtable_shift(m, v.entry.level) - PAGE_SHIFT);
        const uint64_t first = pgtable_frame(m, v.entry.value) & ~(pages - 1);
        v.pa = (first | (va >> PAGE_SHIFT & (pages - 1))) << PAGE_SHIFT |
               (va & (PAGE_SIZE - 1));
        look_at_frame(m, &v);
    }
    return v;
}

struct address_view space_whatis_phys(const struct machine *m, uint64_t pa)
{
    struct address_view v = {.region = UINT32_MAX, .pa = pa};
    look_at_frame(m, &v);
    return v;
}

struct lines {
    struct text t;
    const struct machine *m;
    uint64_t but; /* an address that was told already */
};

static void put_mapping(void *ctx, const struct mapping_view *v)
{
    struct lines *l = ctx;
    if (v->va == (l->but & ~(uint64_t)(PAGE_SIZE - 1))) {
        return;
    }
    const uint32_t i = space_region_of(l->m, v->va);
    text_put(&l->t, "also at   %#" PRIx64 "  %s", v->va,
             i == UINT32_MAX ? "" : space_region(l->m, i).area.name);
    if (v->mm) {
        text_put(&l->t, " of address space %u", v->mm);
    }
    text_put(&l->t, "\n");
}

static void put_area(struct text *t, const struct machine *m,
                     const struct address_view *v)
{
    const struct area_view *a = &v->area;
    text_put(t, "area      %#" PRIx64 " - %#" PRIx64 "  %s", a->first, a->last, a->name);
    if (a->kind == VMAP_LAZY) {
        text_put(t, ": freed, but TLBs may still have it; no address of it is used again "
                    "before a flush");
    } else if (a->kind != VMAP_LOADED) {
        text_put(t, ", by %s on CPU %u, operation %" PRIu64, a->caller, a->cpu, a->op);
    }
    text_put(t, "%s%s\n", a->deferred ? "; a kworker will free it" : "",
             v->in_guard ? "; this is its guard page" : "");
    (void)m;
}

static void put_entry(struct text *t, const struct machine *m,
                      const struct pgtable_entry *e)
{
    static const char *const sizes[] = {
        [12] = "4 KiB", [21] = "2 MiB", [22] = "4 MiB", [30] = "1 GiB"};
    if (!e->maps) {
        text_put(
            t, "mapping   none: the entry of level %u at %#" PRIx64 " is %#" PRIx64 "\n",
            e->level, e->at, e->value);
        return;
    }
    text_put(t,
             "mapping   page of %s, entry %#" PRIx64 " of level %u at %#" PRIx64
             ": %s%s%s%s%s%s\n",
             sizes[pgtable_shift(m, e->level)], e->value, e->level, e->at,
             e->value & PTE_W ? "writable" : "read-only",
             e->value & PTE_U ? ", for users" : "", e->value & PTE_G ? ", global" : "",
             e->value & PTE_NX ? ", no code" : "", e->value & PTE_PCD ? ", uncached" : "",
             e->value & PTE_D ? ", dirty" : "");
}

int space_whatis_text(char *buf, size_t size, const struct machine *m,
                      const struct address_view *v)
{
    struct lines l = {{buf, size, 0}, m, v->is_virtual ? v->va : UINT64_MAX};
    struct text *t = &l.t;
    char use[300];
    text_put(t, "%s", "");
    if (v->is_virtual && !v->canonical) {
        text_put(t,
                 "virtual   %#" PRIx64 ": not canonical, no access to it is possible\n",
                 v->va);
        return t->len;
    }
    if (v->is_virtual) {
        const struct region_view r = space_region(m, v->region);
        text_put(t, "virtual   %#" PRIx64 " in %s", v->va, r.area.name);
        text_put(t, " (%s)\n", r.area.rules ? r.area.rules : "");
        if (v->in_area) {
            put_area(t, m, v);
        }
        put_entry(t, m, &v->entry);
    }
    if (v->pa == UINT64_MAX) {
        return t->len;
    }
    text_put(t, "physical  %#" PRIx64 "\n", v->pa);
    frame_use_text(use, sizeof use, m, v->frame);
    text_put(t, "frame     %#" PRIx64, v->frame);
    if (v->is_ram) {
        text_put(t, " in zone %s", zone_view(m, v->page.zone).name);
    }
    text_put(t, ": %s\n", use);
    const uint64_t direct =
        kspace_va(&m->vm->kspace, v->frame) | (v->pa & (PAGE_SIZE - 1));
    if (v->is_ram && kspace_is_direct(&m->vm->kspace, direct)) {
        put_object(t, m, direct);
    }
    space_mappings(m, v->frame, &l, put_mapping);
    return t->len;
}
