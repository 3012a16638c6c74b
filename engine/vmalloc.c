/* vmalloc, vmap and what stands behind them: areas, page arrays, lazy freeing (vm.h).
 *
 * Models mm/vmalloc.c. Freed areas stay unusable until their TLB entries are flushed, all
 * at once: when there are more than lazy_max_pages() of them, when space runs out, or
 * when vm_unmap_aliases() asks for it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "alloc.h"
#include "bad_reasons.h"
#include "context.h"
#include "pgtable.h"
#include "vm.h"

static uint64_t align_up(uint64_t size, uint32_t shift)
{
    const uint64_t unit = (uint64_t)1 << shift;
    return (size + unit - 1) & ~(unit - 1);
}
static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* GFP_RECLAIM_MASK: what of the caller's flags goes for the kernel's own objects too. */
#define GFP_RECLAIM_MASK                                                                 \
    (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS |    \
     __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NORETRY |                 \
     __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_ATOMIC)

static uint64_t totalram_pages(const struct machine *m)
{
    uint64_t nr = 0;
    for (uint32_t z = 0; z < m->mm->nr_zones; z++) {
        nr += zone_r(m, z)->managed;
    }
    return nr;
}

/* ---- lazy freeing ---- */

uint64_t lazy_max_pages(const struct machine *m)
{
    uint64_t log = 0;
    for (uint32_t cpus = m->mm->nr_cpus; cpus; cpus >>= 1) {
        log++;
    }
    return log * ((32 << 20) / PAGE_SIZE);
}

/* __purge_vmap_area_lazy. Areas cost a flush of all CPUs' TLBs together. */
static bool purge_lazy_areas(struct machine *m, uint64_t start, uint64_t end)
{
    fn_enter(&m->probe, FN___purge_vmap_area_lazy, start, end);
    uint32_t id = m->vm->lazy.first, nr = m->vm->lazy.nr;
    if (id) {
        start = min_u64(start, area_r(m, id)->start);
        end = max_u64(end, area_r(m, m->vm->lazy.last)->end);
        vm_flush_range(m, start, end, VM_FLUSH_VMALLOC);
        vm_lock(m, VM_LOCK_VMAP);
        while ((id = m->vm->lazy.first) != 0) {
            vmap_remove(m, &m->vm->lazy, id);
            struct vmap_area *a = area_w(m, id);
            vm_w(m)->lazy_nr -= area_size(a) >> PAGE_SHIFT;
            a->kind = VMAP_FREE;
            vmap_merge_or_add(m, &m->vm->free, id);
        }
        vm_unlock(m, VM_LOCK_VMAP);
        probe(&m->probe, EV_PURGE_VMAP_AREA_LAZY, start, end, nr);
    }
    fn_leave(&m->probe);
    return nr > 0;
}

void purge_vmap_area_lazy(struct machine *m, uint64_t start, uint64_t end, bool flush)
{
    if (!purge_lazy_areas(m, start, end) && flush) {
        vm_flush_range(m, start, end, VM_FLUSH_VMALLOC);
    }
}

void free_vmap_area_noflush(struct machine *m, uint32_t id)
{
    fn_enter(&m->probe, FN_free_vmap_area_noflush, area_r(m, id)->start);
    vm_lock(m, VM_LOCK_VMAP);
    vmap_remove(m, &m->vm->busy, id);
    const uint64_t start = area_r(m, id)->start,
                   nr = area_size(area_r(m, id)) >> PAGE_SHIFT;
    struct vm *vm = vm_w(m);
    vm->lazy_nr += nr;
    vm->busy_bytes -= nr << PAGE_SHIFT;
    const struct vmap_area plain = {
        .start = start, .end = start + (nr << PAGE_SHIFT), .kind = VMAP_LAZY};
    *area_w(m, id) = plain;
    vmap_merge_or_add(m, &vm->lazy, id);
    vm_unlock(m, VM_LOCK_VMAP);
    uint64_t most = lazy_max_pages(m);
    probe(&m->probe, EV_FREE_VMAP_AREA_NOFLUSH, start, m->vm->lazy_nr, most);
    if (m->vm->lazy_nr > most) {
        vm_w(m)->pending |= WORK_DRAIN;
    }
    fn_leave(&m->probe);
}

void vm_unmap_aliases(struct machine *m)
{
    uint64_t start = UINT64_MAX, end = 0;
    bool flush = false;
    fn_enter(&m->probe, FN_vm_unmap_aliases);
    might_sleep(m);
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        for (uint32_t id = m->vm->queue_first[cpu]; id; id = block_r(m, id)->next) {
            const struct vmap_block *b = block_r(m, id);
            if (b->dirty && b->dirty != vmap_block_pages(m)) {
                uint64_t at = area_r(m, b->area)->start;
                start = min_u64(start, at + ((uint64_t)b->dirty_min << PAGE_SHIFT));
                end = max_u64(end, at + ((uint64_t)b->dirty_max << PAGE_SHIFT));
                flush = true;
            }
        }
    }
    purge_fragmented_blocks_allcpus(m);
    purge_vmap_area_lazy(m, start, end, flush);
    fn_leave(&m->probe);
}

/* ---- areas ---- */

uint32_t alloc_vmap_area(struct machine *m, uint64_t size, uint64_t align)
{
    const uint64_t vstart = m->vm->kspace.vmalloc_start, vend = m->vm->kspace.vmalloc_end;
    fn_enter(&m->probe, FN_alloc_vmap_area, size, align, vstart, vend);
    might_sleep(m);
    uint32_t id = vm_node_take(m);
    uint64_t at = vend;
    for (int purged = 0; id && at == vend && purged < 2; purged++) {
        if (purged) {
            /* no space: perhaps there is some among what was freed lazily */
            purge_fragmented_blocks_allcpus(m);
            purge_vmap_area_lazy(m, UINT64_MAX, 0, false);
        }
        vm_lock(m, VM_LOCK_VMAP);
        at = vmap_cut(m, size, align, vstart, vend);
        vm_unlock(m, VM_LOCK_VMAP);
    }
    if (id && at != vend) {
        vm_lock(m, VM_LOCK_VMAP);
        struct vmap_area *a = area_w(m, id);
        a->start = at;
        a->end = at + size;
        a->kind = VMAP_RAM;
        a->op = m->mm->nr_ops;
        a->cpu = m->probe.cpu;
        a->by = (uint8_t)m->vm->by;
        vm_w(m)->busy_bytes += size;
        vmap_insert(m, &m->vm->busy, id);
        vm_unlock(m, VM_LOCK_VMAP);
    } else if (id) {
        vm_node_give(m, id);
        id = 0;
    }
    probe(&m->probe, EV_ALLOC_VMAP_AREA, at, size, align, vstart, vend,
          at == vend || !id);
    if (!id) {
        vm_warn(m, BAD_NO_VMAP_SPACE, size);
    }
    fn_leave(&m->probe);
    return id;
}

/* log2 of the smallest power of two that is not smaller. */
static uint32_t count_order(uint64_t size)
{
    uint32_t order = 0;
    while (((uint64_t)1 << order) < size) {
        order++;
    }
    return order;
}

/* In units of 1 << shift bytes, and aligned to them. */
static uint32_t get_area_of(struct machine *m, uint64_t size, enum vmap_kind kind,
                            uint32_t shift)
{
    uint64_t align = shift > PAGE_SHIFT ? (uint64_t)1 << shift : 1;
    uint32_t id = 0;
    fn_enter(&m->probe, FN___get_vm_area_node, size, kind == VMAP_IOREMAP);
    if (vm_in_interrupt(m)) {
        vm_bug(m, BAD_IN_INTERRUPT, size);
        fn_leave(&m->probe);
        return 0;
    }
    size = align_up(size, shift);
    if (kind == VMAP_IOREMAP) {
        uint32_t order = count_order(size), most = m->vm->kspace.ioremap_max_order;
        align = (uint64_t)1 << (order < PAGE_SHIFT ? PAGE_SHIFT
                                : order > most     ? most
                                                   : order);
    }
    if (size) {
        id = alloc_vmap_area(m, size + PAGE_SIZE, align); /* with a guard page */
    }
    if (id) {
        area_w(m, id)->kind = (uint8_t)kind;
    }
    fn_leave(&m->probe);
    return id;
}

uint32_t get_vm_area(struct machine *m, uint64_t size, enum vmap_kind kind)
{
    return get_area_of(m, size, kind, PAGE_SHIFT);
}

/* vunmap_range_noflush: the entries go, what TLBs hold stays. */
static void unmap_range(struct machine *m, uint64_t start, uint64_t end)
{
    fn_enter(&m->probe, FN_vunmap_range_noflush, start, end);
    pgtable_clear_range(m, start, end);
    fn_leave(&m->probe);
}

static void free_unmap_vmap_area(struct machine *m, uint32_t id)
{
    unmap_range(m, area_r(m, id)->start, area_r(m, id)->end);
    free_vmap_area_noflush(m, id);
}

bool remove_vm_area(struct machine *m, uint64_t va)
{
    fn_enter(&m->probe, FN_remove_vm_area, va);
    might_sleep(m);
    uint32_t id = vmap_find(m, &m->vm->busy, va);
    bool is_vm =
        id && area_r(m, id)->kind != VMAP_RAM && area_r(m, id)->kind != VMAP_BLOCK;
    if (is_vm) {
        free_unmap_vmap_area(m, id);
    }
    fn_leave(&m->probe);
    return is_vm;
}

/* ---- arrays of page frame numbers ---- */

enum { PAGES_A_CHUNK = ARENA_CHUNK / sizeof(uint32_t) - 1 }; /* [0] is the next chunk */

static uint32_t *chunk_words(const struct machine *m, uint32_t chunk)
{
    return arena_chunk_ptr(&m->arena, chunk);
}

uint64_t vmap_area_page(const struct machine *m, const struct vmap_area *a, uint64_t i)
{
    if (a->nr_pages <= VMAP_INLINE) {
        return a->page[i];
    }
    uint32_t chunk = a->page[0];
    for (; i >= PAGES_A_CHUNK; i -= PAGES_A_CHUNK) {
        chunk = chunk_words(m, chunk)[0];
    }
    return chunk_words(m, chunk)[1 + i];
}

static void chunks_give(struct machine *m, uint32_t chunk)
{
    while (chunk) {
        uint32_t next = chunk_words(m, chunk)[0];
        arena_chunk_give(&m->arena, chunk);
        chunk = next;
    }
}

/* Room for nr numbers. The area is not the owner of any page yet. False: no memory. */
static bool page_array_make(struct machine *m, uint32_t id, uint64_t nr)
{
    uint32_t first = 0;
    for (uint64_t done = 0; nr > VMAP_INLINE && done < nr; done += PAGES_A_CHUNK) {
        uint32_t chunk = arena_chunk_take(&m->arena);
        if (!chunk) {
            chunks_give(m, first);
            return false;
        }
        uint32_t *words = chunk_words(m, chunk);
        arena_mark(&m->arena, words);
        words[0] = first;
        first = chunk;
    }
    area_w(m, id)->page[0] = first;
    return true;
}

/* Where the numbers are written, one after the other. */
struct page_writer {
    uint32_t area, chunk;
    uint64_t nr, most; /* written, of how many in all */
};

static void page_write(struct machine *m, struct page_writer *w, uint64_t frame)
{
    struct vmap_area *a = area_w(m, w->area);
    if (w->most <= VMAP_INLINE) {
        a->page[w->nr] = (uint32_t)frame;
    } else {
        uint64_t in = w->nr % PAGES_A_CHUNK;
        if (in == 0) {
            w->chunk = w->nr ? chunk_words(m, w->chunk)[0] : a->page[0];
        }
        uint32_t *words = chunk_words(m, w->chunk);
        arena_mark(&m->arena, words);
        words[1 + in] = (uint32_t)frame;
    }
    w->nr++;
}

/* ---- vmalloc ---- */

/* vm_area_alloc_pages: single pages in bulk, at most 100 at a time; one by one when that
 * does not give all. Blocks of a higher order are made single pages of, and nr is a
 * multiple of theirs. */
static uint64_t alloc_area_pages(struct machine *m, uint32_t id, gfp_t gfp,
                                 uint32_t order, uint64_t nr)
{
    struct page_writer w = {.area = id, .most = nr};
    uint64_t pages[100];
    fn_enter(&m->probe, FN_vm_area_alloc_pages, gfp, nr);
    while (!order && w.nr < nr) {
        uint64_t ask = min_u64(100, nr - w.nr);
        uint64_t got = alloc_pages_bulk_array(m, gfp & ~(gfp_t)__GFP_NOFAIL, ask, pages);
        for (uint64_t i = 0; i < got; i++) {
            page_write(m, &w, pages[i]);
        }
        if (got != ask) {
            break;
        }
    }
    gfp &= ~(gfp_t)(order ? __GFP_NOFAIL : 0);
    while (w.nr < nr) {
        const uint64_t frame = alloc_pages(m, gfp, order);
        if (frame == PFN_NONE) {
            break;
        }
        if (order) {
            split_page(m, frame, order);
        }
        for (uint64_t i = 0; i < (uint64_t)1 << order; i++) {
            page_write(m, &w, frame + i);
        }
    }
    vm_w(m)->nr_vmalloc_pages += w.nr;
    fn_leave(&m->probe);
    return w.nr;
}

/* Map frame_of(0 .. nr - 1) from va on. False: no memory for page tables; what is
 * mapped stays. */
bool vmap_pages_range(struct machine *m, uint64_t va, uint64_t nr,
                      uint64_t (*frame_of)(struct machine *m, uint64_t i), uint64_t flags)
{
    bool all = true;
    fn_enter(&m->probe, FN_vmap_pages_range, va, va + (nr << PAGE_SHIFT));
    for (uint64_t i = 0; i < nr && all; i++) {
        all = pgtable_set(m, va + (i << PAGE_SHIFT), frame_of(m, i), flags);
    }
    pgtable_sync_mappings(m, va, va + (nr << PAGE_SHIFT));
    fn_leave(&m->probe);
    return all;
}

/* vmap_pages_range() with pages that lie together: by large entries. */
static bool map_area_large(struct machine *m, uint32_t id, uint32_t shift)
{
    const uint64_t start = area_r(m, id)->start, nr = area_r(m, id)->nr_pages;
    const uint64_t step = (uint64_t)1 << (shift - PAGE_SHIFT);
    bool all = true;
    fn_enter(&m->probe, FN_vmap_pages_range, start, start + (nr << PAGE_SHIFT));
    for (uint64_t i = 0; i < nr && all; i += step) {
        const uint64_t va = start + (i << PAGE_SHIFT);
        const uint64_t pa = vmap_area_page(m, area_r(m, id), i) << PAGE_SHIFT;
        all = vmap_range(m, va, va + (step << PAGE_SHIFT), pa, pgtable_kernel_flags(m),
                         shift);
    }
    fn_leave(&m->probe);
    return all;
}

static bool map_area(struct machine *m, uint32_t id)
{
    const uint64_t start = area_r(m, id)->start, nr = area_r(m, id)->nr_pages;
    const uint64_t flags = pgtable_kernel_flags(m);
    bool all = true;
    fn_enter(&m->probe, FN_vmap_pages_range, start, start + (nr << PAGE_SHIFT));
    uint32_t chunk = area_r(m, id)->page[0];
    for (uint64_t i = 0; i < nr && all; i++) {
        uint64_t frame;
        if (nr <= VMAP_INLINE) {
            frame = area_r(m, id)->page[i];
        } else {
            chunk = i && i % PAGES_A_CHUNK == 0 ? chunk_words(m, chunk)[0] : chunk;
            frame = chunk_words(m, chunk)[1 + i % PAGES_A_CHUNK];
        }
        all = pgtable_set(m, start + (i << PAGE_SHIFT), frame, flags);
    }
    pgtable_sync_mappings(m, start, start + (nr << PAGE_SHIFT));
    fn_leave(&m->probe);
    return all;
}

static void vunmap_area(struct machine *m, uint64_t va, bool free_pages);

/* __vmalloc_area_node. The array of page pointers is vmalloc'ed itself when it is
 * larger than a page. */
static bool fill_area(struct machine *m, uint32_t id, uint64_t nr, uint32_t shift,
                      gfp_t gfp)
{
    const uint64_t va = area_r(m, id)->start, array = nr * (m->vm->kspace.bits / 8);
    const gfp_t nested = (gfp & GFP_RECLAIM_MASK) | __GFP_ZERO;
    bool done = false;
    fn_enter(&m->probe, FN___vmalloc_area_node, va, gfp);
    gfp |= __GFP_NOWARN;
    if (!(gfp & (__GFP_DMA | __GFP_DMA32))) {
        gfp |= __GFP_HIGHMEM;
    }
    uint64_t array_va = array > PAGE_SIZE ? vmalloc(m, array, nested) : 0;
    if ((array > PAGE_SIZE && !array_va) || !page_array_make(m, id, nr)) {
        probe(&m->probe, EV_VMALLOC_ERROR, nr << PAGE_SHIFT, array);
        if (array_va) {
            vfree(m, array_va);
        }
        remove_vm_area(m, va);
    } else {
        struct vmap_area *a = area_w(m, id);
        a->detail = array_va;
        a->flags |= VMAP_PART;
        uint64_t got = alloc_area_pages(m, id, gfp, shift - PAGE_SHIFT, nr);
        done = got == nr;
        if (!done) {
            probe(&m->probe, EV_VMALLOC_ERROR, nr << PAGE_SHIFT, got << PAGE_SHIFT);
        }
        /* a short array stays where it was put */
        struct vmap_area *part = area_w(m, id);
        if (!done && nr > VMAP_INLINE && got <= VMAP_INLINE) {
            uint32_t chunk = part->page[0], keep[VMAP_INLINE] = {0};
            for (uint64_t i = 0; i < got; i++) {
                keep[i] = chunk_words(m, chunk)[1 + i];
            }
            chunks_give(m, chunk);
            for (uint64_t i = 0; i < VMAP_INLINE; i++) {
                part->page[i] = keep[i];
            }
        }
        part->nr_pages = (uint32_t)got;
        done =
            done && (shift > PAGE_SHIFT ? map_area_large(m, id, shift) : map_area(m, id));
        if (done) {
            area_w(m, id)->flags &= (uint8_t)~VMAP_PART;
        } else {
            vunmap_area(m, va, true);
        }
    }
    fn_leave(&m->probe);
    return done;
}

static uint64_t vmalloc_by(struct machine *m, uint64_t size, uint32_t shift, gfp_t gfp)
{
    const uint32_t id = get_area_of(m, size, VMAP_VMALLOC, shift);
    const uint64_t va = id ? area_r(m, id)->start : 0;
    const uint64_t nr = align_up(size, shift) >> PAGE_SHIFT;
    return id && fill_area(m, id, nr, shift, gfp) ? va : 0;
}

/* __vmalloc_node_range() */
static uint64_t vmalloc_range(struct machine *m, uint64_t size, gfp_t gfp, uint32_t shift)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN___vmalloc_node_range, size, gfp);
    if (!size) {
        vm_warn(m, BAD_VMALLOC_ZERO, size);
    } else if (size >> PAGE_SHIFT > totalram_pages(m)) {
        vm_warn(m, BAD_VMALLOC_TOO_LARGE, size);
    } else {
        va = vmalloc_by(m, size, shift, gfp);
        if (!va && shift > PAGE_SHIFT) {
            va = vmalloc_by(m, size, PAGE_SHIFT, gfp);
        }
        probe(&m->probe, EV_VMALLOC, va, size);
    }
    fn_leave(&m->probe);
    return va;
}

uint64_t vmalloc(struct machine *m, uint64_t size, gfp_t gfp)
{
    return vmalloc_range(m, size, gfp, PAGE_SHIFT);
}

uint64_t vmalloc_huge(struct machine *m, uint64_t size, gfp_t gfp)
{
    const struct kspace *k = &m->vm->kspace;
    const bool large = k->bits == 64 && size >> k->pmd_shift;
    return vmalloc_range(m, size, gfp, large ? k->pmd_shift : PAGE_SHIFT);
}

void vm_lose_pages(struct machine *m, const struct vmap_area *gone)
{
    chunks_give(m, gone->nr_pages > VMAP_INLINE ? gone->page[0] : 0);
    vm_w(m)->nr_lost_pages += gone->kind == VMAP_VMALLOC ? gone->nr_pages : 0;
}

/* __vunmap */
static void vunmap_area(struct machine *m, uint64_t va, bool free_pages)
{
    fn_enter(&m->probe, FN___vunmap, va, free_pages);
    uint32_t id = va & (PAGE_SIZE - 1) ? 0 : vmap_find(m, &m->vm->busy, va);
    const struct vmap_area *a = id ? area_r(m, id) : NULL;
    if (va & (PAGE_SIZE - 1)) {
        vm_warn(m, BAD_VFREE_ADDRESS, va);
    } else if (!a || a->kind == VMAP_RAM || a->kind == VMAP_BLOCK) {
        vm_warn(m, BAD_VFREE_NO_AREA, va);
    } else {
        struct vmap_area gone = *a;
        remove_vm_area(m, va);
        if (!free_pages) {
            vm_lose_pages(m, &gone);
        } else {
            for (uint64_t i = 0; i < gone.nr_pages; i++) {
                __free_pages(m, vmap_area_page(m, &gone, i), 0);
            }
            chunks_give(m, gone.nr_pages > VMAP_INLINE ? gone.page[0] : 0);
        }
        if (free_pages && gone.kind == VMAP_VMALLOC) {
            vm_w(m)->nr_vmalloc_pages -= gone.nr_pages;
        }
        if (free_pages && gone.kind == VMAP_VMALLOC && gone.detail) {
            vfree(m, gone.detail);
        }
    }
    fn_leave(&m->probe);
}

/* In an interrupt nothing may sleep: a kworker does it later. */
static void vfree_deferred(struct machine *m, uint64_t va)
{
    fn_enter(&m->probe, FN___vfree_deferred, va);
    uint32_t id = vmap_find(m, &m->vm->busy, va);
    if (!id || area_r(m, id)->start != va || area_r(m, id)->flags & VMAP_DEFERRED) {
        vm_warn(m, BAD_VFREE_NO_AREA, va);
    } else {
        struct vm *vm = vm_w(m);
        struct vmap_area *a = area_w(m, id);
        a->flags |= VMAP_DEFERRED;
        a->link = vm->deferred[m->probe.cpu];
        vm->deferred[m->probe.cpu] = id;
        vm->pending |= WORK_VFREE;
        probe(&m->probe, EV_VFREE_DEFERRED, va);
    }
    fn_leave(&m->probe);
}

void vfree_deferred_run(struct machine *m)
{
    for (uint32_t cpu = 0; cpu < m->mm->nr_cpus; cpu++) {
        struct vm *vm = vm_w(m);
        uint32_t id = vm->deferred[cpu];
        vm->deferred[cpu] = 0;
        while (id) {
            struct vmap_area *a = area_w(m, id);
            uint32_t next = a->link;
            a->flags &= (uint8_t)~VMAP_DEFERRED;
            a->link = 0;
            vunmap_area(m, a->start, true);
            id = next;
        }
    }
}

void vfree(struct machine *m, uint64_t va)
{
    fn_enter(&m->probe, FN_vfree, va);
    if (!vm_in_interrupt(m)) {
        might_sleep(m);
    }
    if (va && vm_in_interrupt(m)) {
        vfree_deferred(m, va);
    } else if (va) {
        vunmap_area(m, va, true);
    }
    fn_leave(&m->probe);
}

/* ---- vmap ---- */

void vmap_page(struct machine *m, uint64_t frame)
{
    struct vm *vm = vm_w(m);
    if (frame >= m->mm->max_pfn || vm->nr_staged == VM_MAX_STAGED) {
        probe(&m->probe, EV_BAD_CALL, OP_VMAP_PAGE, frame,
              frame >= m->mm->max_pfn ? BAD_WILD : BAD_TOO_DEEP);
        return;
    }
    vm->staged = vm->staged ? vm->staged : arena_chunk_take(&m->arena);
    if (vm->staged) {
        uint32_t *words = chunk_words(m, vm->staged);
        arena_mark(&m->arena, words);
        words[vm->nr_staged++] = (uint32_t)frame;
    }
}

uint64_t vm_staged_page(struct machine *m, uint64_t i)
{
    return chunk_words(m, m->vm->staged)[i];
}

/* Are nr pages there to be mapped? */
bool vm_take_staged(struct machine *m, uint64_t nr)
{
    if (nr && nr <= m->vm->nr_staged) {
        return true;
    }
    vm_warn(m, BAD_NO_PAGES, nr);
    return false;
}

static void forget_staged(struct machine *m)
{
    struct vm *vm = vm_w(m);
    if (vm->staged) {
        arena_chunk_give(&m->arena, vm->staged);
    }
    vm->staged = vm->nr_staged = 0;
}

uint64_t vmap(struct machine *m, uint64_t nr)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_vmap, nr);
    might_sleep(m);
    if (nr <= totalram_pages(m) && vm_take_staged(m, nr)) {
        uint32_t id = get_vm_area(m, nr << PAGE_SHIFT, VMAP_VMAP);
        if (id) {
            va = area_r(m, id)->start;
            if (!vmap_pages_range(m, va, nr, vm_staged_page, pgtable_kernel_flags(m))) {
                vunmap_area(m, va, false);
                va = 0;
            }
        }
        probe(&m->probe, EV_VMAP, va, nr);
        forget_staged(m);
    }
    fn_leave(&m->probe);
    return va;
}

void vunmap(struct machine *m, uint64_t va)
{
    fn_enter(&m->probe, FN_vunmap, va);
    if (vm_in_interrupt(m)) {
        vm_bug(m, BAD_IN_INTERRUPT, va);
    } else {
        might_sleep(m);
        if (va) {
            vunmap_area(m, va, false);
        }
    }
    fn_leave(&m->probe);
}

/* ---- recorded states ---- */

void vm_load_area(struct machine *m, uint64_t start, uint64_t end, bool first)
{
    if (first) {
        vm_reset(m, false);
    }
    const struct kspace *k = &m->vm->kspace;
    const bool sound = !((start | end) & (PAGE_SIZE - 1)) && start < end &&
                       start >= (k->bits == 64 ? k->ldt_base : k->page_offset);
    uint32_t in = sound ? vmap_find(m, &m->vm->free, start) : 0;
    uint32_t id = in && area_r(m, in)->end >= end ? vm_node_take(m) : 0;
    if (!id || vmap_cut(m, end - start, 1, start, end) != start) {
        probe(&m->probe, EV_BAD_CALL, OP_LOAD_VMAP_AREA, start, BAD_NO_VMAP_SPACE);
        if (id) {
            vm_node_give(m, id);
        }
        return;
    }
    struct vmap_area *a = area_w(m, id);
    a->start = start;
    a->end = end;
    a->kind = VMAP_LOADED;
    a->by = OP_LOAD_VMAP_AREA;
    vm_w(m)->busy_bytes += end - start;
    a->op = m->mm->nr_ops;
    vmap_insert(m, &m->vm->busy, id);
}
