/* The kernel's page tables as text: /sys/kernel/debug/page_tables/kernel (pgtable.h).
 *
 * Models arch/x86/mm/dump_pagetables.c and mm/ptdump.c: all entries in the order of their
 * addresses; what follows one another with the same flags at the same level is one line.
 * A marker comes at the first entry at or behind its address, one marker at a time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>

#include "pgtable.h"
#include "text.h"

enum { MOST_MARKERS = 12, DEPTH_PGD = 0, DEPTH_PTE = 4, DEPTH_NONE = 9 };

struct marker {
    uint64_t at;
    const char *name;
};

struct dump {
    const struct machine *m;
    void *ctx;
    void (*line)(void *ctx, const struct pgtable_line *l);
    struct marker marker[MOST_MARKERS];
    uint32_t nr_markers, now; /* the marker that we are behind */
    uint64_t start, flags;
    uint32_t level; /* DEPTH_* */
};

static void mark(struct dump *d, uint64_t at, const char *name)
{
    d->marker[d->nr_markers++] = (struct marker){at, name};
}

static void find_markers(struct dump *d)
{
    const struct kspace *k = &d->m->vm->kspace;
    mark(d, 0, "User Space");
    if (k->bits == 32) {
        mark(d, k->page_offset, "Kernel Mapping");
        mark(d, k->vmalloc_start, "vmalloc() Area");
        mark(d, k->vmalloc_end, "vmalloc() End");
        mark(d, k->pkmap_base, "Persistent kmap() Area");
        mark(d, k->cpu_entry_area, "CPU entry area");
        mark(d, k->fixaddr_start, "Fixmap area");
    } else {
        mark(d, (uint64_t)1 << 63, "Kernel Space");
        mark(d, k->page_offset, "Low Kernel Mapping");
        mark(d, k->vmalloc_start, "vmalloc() Area");
        mark(d, k->vmemmap_start, "Vmemmap");
        mark(d, k->cpu_entry_area, "CPU entry Area");
        mark(d, k->kernel_start, "High Kernel Mapping");
        mark(d, k->modules_start, "Modules");
        mark(d, k->modules_end, "End Modules");
        mark(d, k->fixaddr_start, "Fixmap Area");
    }
    mark(d, UINT64_MAX, NULL);
}

static void tell_marker(struct dump *d)
{
    const struct pgtable_line l = {.marker = d->marker[d->now].name,
                                   .start = d->marker[d->now].at};
    d->line(d->ctx, &l);
}

/* An entry at va begins; level DEPTH_NONE: there are no more. */
static void note(struct dump *d, uint64_t va, uint32_t level, uint64_t flags)
{
    if (d->level == DEPTH_NONE) {
        tell_marker(d);
    } else if (flags != d->flags || level != d->level || va >= d->marker[d->now + 1].at) {
        const struct pgtable_line l = {
            .start = d->start, .end = va, .flags = d->flags, .level = d->level};
        d->line(d->ctx, &l);
        if (va >= d->marker[d->now + 1].at) {
            d->now++;
            tell_marker(d);
        }
    } else {
        return;
    }
    d->start = va;
    d->level = level;
    d->flags = flags;
}

/* The kernel counts pgd, p4d, pud, pmd, pte whatever the processor has; where levels are
 * missing an empty entry is the topmost's, a page the lowest's of those folded. */
static uint32_t depth_of(const struct machine *m, uint32_t level, bool empty)
{
    const uint32_t levels = m->vm->kspace.levels;
    return empty && level == levels ? DEPTH_PGD : DEPTH_PTE + 1 - level;
}

static void walk(struct dump *d, uint64_t table, uint32_t level, uint64_t first,
                 uint32_t from, uint32_t to)
{
    const struct machine *m = d->m;
    const uint64_t frame_bits =
        pgtable_entry_bytes(m) == 4 ? 0xfffff000 : 0xffffffffff000;
    unsigned char bytes[PGTABLE_BYTES];
    pgtable_read_table(m, table, bytes);
    for (uint32_t i = from; i < to; i++) {
        const uint64_t va = first + ((uint64_t)i << pgtable_shift(m, level));
        const uint64_t entry = pgtable_table_entry(m, bytes, i);
        if (level == 1 || !(entry & PTE_P) || pgtable_maps_page(m, entry, level)) {
            /* a large page's PAT lies among its address bits */
            const uint64_t pat = level > 1 ? entry & PTE_PAT_LARGE : 0;
            note(d, va, depth_of(m, level, !entry), (entry & ~frame_bits) | pat);
        } else {
            walk(d, pgtable_frame(m, entry), level - 1, va, 0,
                 pgtable_entries(m, level - 1));
        }
    }
}

void pgtable_dump(const struct machine *m, uint64_t root, void *ctx,
                  void (*line)(void *ctx, const struct pgtable_line *l))
{
    struct dump d = {.m = m, .ctx = ctx, .line = line, .level = DEPTH_NONE};
    const struct kspace *k = &m->vm->kspace;
    if (root == PFN_NONE) {
        return;
    }
    find_markers(&d);
    const uint32_t entries = pgtable_entries(m, k->levels), half = entries / 2;
    if (k->bits == 32) {
        walk(&d, root, k->levels, 0, 0, entries);
        note(&d, 0, DEPTH_NONE - 1, 0);
        return;
    }
    const uint64_t top = (uint64_t)1 << pgtable_shift(m, k->levels);
    walk(&d, root, k->levels, 0, 0, half);
    /* without the guard hole */
    walk(&d, root, k->levels, -(top * entries), pgtable_index(m, k->ldt_base, k->levels),
         entries);
    note(&d, 0, DEPTH_NONE - 1, 0);
}

/* ---- as text ---- */

struct writer {
    struct text t;
    uint32_t digits;
};

static void put_flags(struct text *t, uint64_t flags, uint32_t level)
{
    static const char *const level_name[] = {"pgd", "p4d", "pud", "pmd", "pte"};
    const bool large = level < DEPTH_PTE;
    if (!(flags & PTE_P)) {
        text_put(t, "%30s%s\n", "", level_name[level]);
        return;
    }
    const bool pat = flags & (large ? (uint64_t)PTE_PAT_LARGE : (uint64_t)PTE_PAT);
    text_put(t, "%s%s%s%s%s%s%s%s%s\n", flags & PTE_U ? "USR " : "    ",
             flags & PTE_W ? "RW " : "ro ", flags & PTE_PWT ? "PWT " : "    ",
             flags & PTE_PCD ? "PCD " : "    ", large && flags & PTE_PS ? "PSE " : "    ",
             pat ? "PAT " : "    ", flags & PTE_G ? "GLB " : "    ",
             flags & PTE_NX ? "NX " : "x  ", level_name[level]);
}

static void put_line(void *ctx, const struct pgtable_line *l)
{
    struct writer *w = ctx;
    if (l->marker) {
        text_put(&w->t, "---[ %s ]---\n", l->marker);
        return;
    }
    uint64_t size = l->end - l->start;
    if (w->digits == 8) {
        size &= UINT32_MAX;
    }
    const char *unit = "BKMGTPE";
    while (!(size & 1023) && unit[1]) {
        size >>= 10;
        unit++;
    }
    text_put(&w->t, "0x%0*" PRIx64 "-0x%0*" PRIx64 "   %9" PRIu64 "%c ", (int)w->digits,
             l->start, (int)w->digits, l->end, size, *unit);
    put_flags(&w->t, l->flags, l->level);
}

int pgtable_dump_text(char *buf, size_t size, const struct machine *m, uint64_t root)
{
    struct writer w = {{buf, size, 0}, m->vm->kspace.bits / 4};
    text_put(&w.t, "%s", "");
    pgtable_dump(m, root, &w, put_line);
    return w.t.len;
}
