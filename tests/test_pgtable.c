/* swapper_pg_dir: against what real kernels printed of theirs, and frame by frame against
 * the machine's memory.
 *
 * Of the records' === /sys/kernel/debug/page_tables/kernel all is compared but
 *   - what lies in the vmalloc area: the real kernel's own boot-time areas (ACPI tables,
 *     per-CPU chunks, the probe's arrays), which no machine here has made;
 *   - on 32 bits also the empty lines right before and behind it, whose borders are those
 *     of the page tables that such areas needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_line.h"
#include "host.h"
#include "image.h"
#include "inspect.h"
#include "page.h"
#include "pgtable.h"
#include "prng.h"
#include "record.h"
#include "tap.h"

static char err[600];

static struct machine *boot_config(const struct machine_config *c, const char *what)
{
    struct machine *m = machine_create(c, &host_memory, err, sizeof err);
    if (!m) {
        bail_out("%s: %s", what, err);
    }
    return m;
}

/* ---- recorded kernels ---- */

static char *dump_of(const struct machine *m)
{
    size_t len = (size_t)pgtable_dump_text(NULL, 0, m, m->vm->pgd);
    char *text = malloc(len + 1);
    pgtable_dump_text(text, len + 1, m, m->vm->pgd);
    return text;
}

/* Is this line one that the machine's state determines? */
static bool compared(const struct kspace *k, const char *line)
{
    char *end;
    if (line[0] == '-') {
        return true;
    }
    uint64_t from = strtoull(line, &end, 16), to = strtoull(end + 1, NULL, 16);
    const uint64_t unsure = k->bits == 32 ? k->high_memory : k->vmalloc_start;
    const uint64_t sure = k->bits == 32
                              ? k->pkmap_base + ((uint64_t)k->last_pkmap << PAGE_SHIFT)
                              : k->vmalloc_end;
    return to && to <= unsure ? true : from >= sure;
}

/* The next line that is compared; NULL: there is none. */
static const char *next_line(const struct kspace *k, const char **at, size_t *len)
{
    while (**at && strncmp(*at, "===", 3) != 0) {
        const char *line = *at;
        *len = strcspn(line, "\n");
        *at += *len + (line[*len] != 0);
        if (compared(k, line)) {
            return line;
        }
    }
    return NULL;
}

static void check_record(const char *name, bool slub)
{
    char path[1024], file[200];
    snprintf(file, sizeof file, "tests/golden/%s.txt.xz", name);
    struct record *r = record_open(source_path(path, sizeof path, file), err, sizeof err);
    if (!r) {
        bail_out("%s", err);
    }
    struct machine_config c;
    config_init(&c, r->ptrs == 64 ? ARCH_X86_64 : r->pae ? ARCH_I386_PAE : ARCH_I386);
    memcpy(c.memmap, r->memmap, sizeof c.memmap);
    c.nr_memmap = r->nr_memmap;
    c.highmem_bytes = r->highmem_bytes;
    c.cpus = r->cpus;
    c.slub = slub;
    c.initrd_bytes = r->freed_initrd_kib << 10;
    c.hw.intel = strstr(r->text, "CPU0: Intel") != NULL;
    struct machine *m = boot_config(&c, name);
    const struct kspace *k = &m->vm->kspace;
    char *dump = dump_of(m);
    const char *got_at = dump;
    const char *want_at = strstr(r->text, "=== /sys/kernel/debug/page_tables/kernel");
    want_at = want_at ? strchr(want_at, '\n') + 1 : "";
    uint32_t same = 0, other = 0;
    for (;;) {
        size_t got_len = 0, want_len = 0;
        const char *got = next_line(k, &got_at, &got_len);
        const char *want = next_line(k, &want_at, &want_len);
        if (!got || !want) {
            ok(!got && !want, "%s: both end at the same line", name);
            break;
        }
        if (got_len == want_len && !memcmp(got, want, got_len)) {
            same++;
        } else if (!other++) {
            diag("got  %.*s", (int)got_len, got);
            diag("want %.*s", (int)want_len, want);
        }
    }
    is_u64(other, 0, "%s: lines of page_tables/kernel that differ", name);
    ok(same > 20, "%s: %u lines are the same", name, same);
    free(dump);
    machine_destroy(m);
    record_free(r);
}

/* ---- frame by frame ---- */

static bool is_memory(const struct machine *m, uint64_t frame)
{
    return mm_frame_in(m, RANGE_PRESENT, frame);
}

static bool all_memory(const struct machine *m, uint64_t first, uint64_t nr)
{
    for (uint32_t i = 0; i < m->mm->nr_ranges; i++) {
        const struct frame_range *r = &m->tables.ranges[i];
        if (r->kind == RANGE_PRESENT && r->start <= first && r->end >= first + nr) {
            return true;
        }
    }
    return false;
}

/* The size of the page that should map a frame of the direct map, as log2; 0: none. The
 * rule told backwards: the largest page that is all memory. */
static uint32_t wanted_shift(const struct machine *m, uint64_t frame, uint64_t low_end)
{
    const struct kspace *k = &m->vm->kspace;
    const uint32_t shifts[] = {30, k->pmd_shift};
    for (uint32_t i = 0; i < 2; i++) {
        const bool has = i == 0 ? k->bits == 64 && m->config.hw.gbpages
                                : k->levels > 2 || m->config.hw.pse;
        const uint64_t pages = (uint64_t)1 << (shifts[i] - PAGE_SHIFT);
        const uint64_t first = frame & ~(pages - 1);
        if (has && first + pages <= low_end && !(k->bits == 32 && first == 0) &&
            all_memory(m, first, pages)) {
            return shifts[i];
        }
    }
    return frame < 256 || is_memory(m, frame) ? PAGE_SHIFT : 0;
}

static bool in_part(uint64_t frame, uint64_t first, uint64_t end)
{
    return frame >= first && frame < end;
}

/* What is wrong with how this frame is mapped? */
static const char *check_frame(const struct machine *m, uint64_t frame, uint64_t low_end,
                               const struct image *i)
{
    struct mmu mmu;
    struct walk w;
    const struct mmu_bus bus = pgtable_bus(m);
    const uint64_t va = kspace_va(&m->vm->kspace, frame);
    pgtable_mmu(m, &mmu);
    mmu_peek(&mmu, va, ACCESS_READ, &bus, &w);
    const uint32_t shift = wanted_shift(m, frame, low_end);
    if (!shift || w.fault.kind != FAULT_NONE) {
        return shift || w.fault.kind == FAULT_NONE ? "mapped, or not, but should be else"
                                                   : NULL;
    }
    if (tlb_entry_translate(w.entry, va).v != frame << PAGE_SHIFT) {
        return "the address leads to another frame";
    }
    const bool text = in_part(frame, i->start, i->text_end);
    const bool ro = text || in_part(frame, i->rodata, i->rodata_end) ||
                    (i->idt && frame == i->idt) ||
                    (m->vm->kspace.bits == 32 && in_part(frame, i->start, i->rodata_end));
    const uint32_t got = page_shift(tlb_entry_size(w.entry));
    /* a large page that had to be split for the image's sake is smaller */
    if (got != shift && !(got < shift && (i->end && frame >> 18 <= i->end >> 18))) {
        return "mapped by a page of another size";
    }
    const bool trampoline = frame < 256 && i->end;
    if (!trampoline && !(w.entry & CACHE_W) != ro) {
        return "writable, or not, but should be else";
    }
    const bool nx = mmu.nxe && !(text && m->vm->kspace.bits == 32);
    if (!trampoline && !(w.entry & CACHE_X) != nx) {
        return "code, or not, but should be else";
    }
    if ((w.entry & CACHE_U) || !(w.entry & TLB_GLOBAL) == m->config.hw.pge) {
        return "for users, or not global";
    }
    return NULL;
}

struct counted {
    const struct machine *m;
    uint64_t nr, owned;
};

static void count_table(void *ctx, uint64_t frame, uint32_t level)
{
    struct counted *c = ctx;
    (void)level;
    c->nr++;
    const enum page_state state = page_view(c->m, pfn(frame)).state;
    c->owned +=
        state == PAGE_RESERVED || (state == PAGE_HOLE && frame >= c->m->mm->max_pfn);
}

/* vmemmap: each frame's struct page lies in a frame of its own, which is reserved. */
static const char *check_vmemmap(const struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    for (uint64_t f = 0; f < m->mm->max_pfn; f += 1 << 9) {
        const uint64_t at = pgtable_translate(m, k->vmemmap_start + f * 64);
        if (!is_memory(m, f)) {
            continue;
        }
        if (at == PFN_NONE || page_view(m, pfn(at)).state != PAGE_RESERVED ||
            at < m->places.memmap.first ||
            at >= m->places.memmap.first + m->places.memmap.nr) {
            return "a frame's struct page is not in the frame table's memory";
        }
    }
    return NULL;
}

static void check_machine(const char *line, bool pse, bool pge, bool gbpages)
{
    struct machine_config c;
    char what[700];
    if (!config_from_line(&c, line, err, sizeof err)) {
        bail_out("%s: %s", line, err);
    }
    c.hw.pse = pse;
    c.hw.pge = pge;
    c.hw.gbpages = gbpages;
    snprintf(what, sizeof what, "%s%s%s%s", line, pse ? "" : ", no PSE",
             pge ? "" : ", no PGE", gbpages ? ", 1 GiB pages" : "");
    struct machine *m = boot_config(&c, what);
    const struct kspace *k = &m->vm->kspace;
    const uint64_t low_end = (k->high_memory - k->page_offset) >> PAGE_SHIFT;
    struct image image;
    image_layout(&image, &c);
    struct prng rng = {.state = 7};
    const char *why = NULL;
    uint64_t frame = 0, checked = 0;
    while (frame < low_end && !why) {
        why = check_frame(m, frame, low_end, &image);
        checked++;
        frame += frame < 0x2000 || low_end - frame < 600 ? 7 : 1 + prng_below(&rng, 4000);
    }
    if (why) {
        diag("frame %#" PRIx64, frame - 1);
    }
    is_str(why, NULL, "%s: %" PRIu64 " frames of the direct map", what, checked);
    struct counted tables = {.m = m};
    pgtable_each_table(m, &tables, count_table);
    is_u64(tables.nr, m->vm->nr_tables, "%s: all tables are accounted for", what);
    is_u64(tables.owned, tables.nr, "%s: and lie in reserved frames", what);
    if (k->bits == 64 && image.end) {
        is_str(check_vmemmap(m), NULL, "%s: the frame table is mapped", what);
    }
    for (uint64_t va = k->vmalloc_start; va < k->vmalloc_end;
         va += (k->vmalloc_end - k->vmalloc_start) / 64) {
        if (pgtable_translate(m, va) != PFN_NONE) {
            ok(false, "%s: the vmalloc area is empty", what);
        }
    }
    is_str(machine_check(m), NULL, "%s: invariants", what);
    machine_destroy(m);
}

int main(void)
{
    check_record("i386-slab-160M-high80M", false);
    check_record("i386-slab-160M-smp2", false);
    check_record("i386-slab-1G", false);
    check_record("i386-slub-160M-high80M", true);
    check_record("i386pae-slab-160M-high80M", false);
    check_record("x86_64-slab-256M", false);
    check_machine("ram=160M highmem=80M", true, true, false);
    check_machine("ram=160M highmem=80M", false, true, false);
    check_machine("ram=1G", true, false, false);
    check_machine("ram=2G vmsplit=1g", true, true, false);
    check_machine("ram=64M memmap=0-640K,1M-50M,51M-64M", true, true, false);
    check_machine("arch=i386pae ram=8G", true, true, false);
    check_machine("arch=i386pae ram=64M kernel=16M-20M", true, true, false);
    check_machine("arch=x86_64 ram=6G", true, true, true);
    check_machine("arch=x86_64 ram=6G", true, true, false);
    check_machine("arch=x86_64 ram=6G la57=true", true, true, true);
    check_machine("arch=x86_64 ram=1T cpus=3", true, true, false);
    check_machine("arch=x86_64 ram=3G memmap=0-640K,1M-1025M,1537M-2560M kernel=16M-40M",
                  true, true, true);
    check_machine("ram=8M kernel=none memmap=0-6M", true, true, false);
    check_machine("arch=x86_64 ram=2G kernel=none", true, true, true);
    check_machine("ram=64M kernel=none", false, true, false);
    return done_testing();
}
