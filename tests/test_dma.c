/* Fixed addresses, early_ioremap, kmap_atomic's old slots, and memory for devices.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include "bad_reasons.h"
#include "dma.h"
#include "hardware.h"
#include "pgtable.h"
#include "prng.h"

static struct {
    struct machine *m;
    uint32_t reason, seen[NR_EVENTS];
} w;

static void hook(struct probe *p, const struct event *ev)
{
    (void)p;
    w.seen[ev->kind]++;
    if (ev->kind == EV_VM_WARN || ev->kind == EV_VM_BUG) {
        w.reason = (uint32_t)ev->arg[1];
    } else if (ev->kind == EV_BAD_CALL) {
        w.reason = (uint32_t)ev->arg[2];
    }
}

static void start(enum arch arch, const char *ram, const char *highmem, bool km_types)
{
    struct machine_config c;
    char err[300];
    memset(&w, 0, sizeof w);
    config_init(&c, arch);
    config_set(&c, "ram", ram, err, sizeof err);
    config_set(&c, "highmem", highmem, err, sizeof err);
    c.cpus = 2;
    c.km_types = km_types;
    w.m = boot(&c);
    w.m->probe.slow = hook;
    w.m->probe.stop = 0;
}

static uint64_t on(uint32_t cpu, enum op_kind kind, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d)
{
    const struct op op = {
        .kind = (uint16_t)kind, .cpu = (uint8_t)cpu, .arg = {a, b, c, d}};
    w.reason = 0;
    return machine_do(w.m, &op);
}
static uint64_t call(enum op_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return on(0, kind, a, b, c, d);
}

static void end(const char *what)
{
    is_str(machine_check(w.m), NULL, "%s: invariants", what);
    machine_destroy(w.m);
}

enum { HIGH = 0x6000 };

static void put(uint64_t frame, uint32_t at, const char *text)
{
    hardware_write_phys(w.m, (frame << PAGE_SHIFT) + at, text, strlen(text));
}
static bool reads(uint64_t pa, const char *text)
{
    char got[64] = "";
    hardware_read_phys(w.m, pa, got, strlen(text));
    return !memcmp(got, text, strlen(text));
}

/* ---- fixed addresses ---- */

static void test_fixmap(enum arch arch, const char *name)
{
    start(arch, "160M", arch == ARCH_X86_64 ? "auto" : "80M", false);
    const struct kspace *k = &w.m->vm->kspace;
    const uint64_t index = k->bits == 32 ? 5 : 4;
    const uint64_t va = call(OP_SET_FIXMAP, index, 0xfebc0000, true, 0);
    is_hex(va, kspace_fix_to_virt(k, index), "%s: set_fixmap answers the address", name);
    is_hex(pgtable_translate(w.m, va), 0xfebc0, "%s: which maps the device", name);
    ok(pgtable_get(w.m, va) & PTE_PCD, "%s: uncached", name);
    is_u64(w.seen[EV_TLB_FLUSH_ONE], 1, "%s: one invlpg", name);
    call(OP_CLEAR_FIXMAP, index, 0, 0, 0);
    is_hex(pgtable_translate(w.m, va), PFN_NONE, "%s: clear_fixmap", name);
    call(OP_SET_FIXMAP, 1 << 20, 0, 0, 0);
    is_u64(w.reason, BAD_FIXMAP_INDEX, "%s: no such index", name);
    end(name);
}

static void test_early(enum arch arch, const char *name)
{
    start(arch, "160M", arch == ARCH_X86_64 ? "auto" : "80M", false);
    const struct kspace *k = &w.m->vm->kspace;
    uint64_t va[8];
    bool all = true;
    for (uint64_t i = 0; i < 8; i++) {
        va[i] = call(OP_EARLY_IOREMAP, 0x9fe0010 + (i << 16), 3 * PAGE_SIZE, 0, 0);
        all = all && va[i] >= k->fixaddr_tot_start && va[i] < k->fixaddr_start &&
              pgtable_translate(w.m, va[i]) == 0x9fe0 + (i << 4) &&
              pgtable_translate(w.m, va[i] + 3 * PAGE_SIZE) == 0x9fe3 + (i << 4);
        all = all && (!i || va[i] == va[i - 1] + (64 << PAGE_SHIFT));
    }
    ok(all, "%s: eight slots of 64 pages, one behind the other", name);
    is_u64(call(OP_EARLY_IOREMAP, 0x1000, 1, 0, 0), 0, "%s: there is no ninth", name);
    is_u64(w.reason, BAD_EARLY_IOREMAP_SLOT, "%s: the kernel says so", name);
    call(OP_EARLY_IOUNMAP, va[3], PAGE_SIZE, 0, 0);
    is_u64(w.reason, BAD_EARLY_IOREMAP_SIZE, "%s: another size", name);
    call(OP_EARLY_IOUNMAP, va[3], 3 * PAGE_SIZE, 0, 0);
    is_hex(pgtable_translate(w.m, va[3]), PFN_NONE, "%s: a slot is free", name);
    is_u64(call(OP_EARLY_IOREMAP, 0x1000, 65 * PAGE_SIZE, 0, 0), 0, "%s: too long", name);
    is_u64(call(OP_EARLY_IOREMAP_LEAK, 0, 0, 0, 0), 7, "%s: seven leak", name);
    is_u64(w.reason, BAD_EARLY_IOREMAP_LEAK, "%s: which is told", name);
    call(OP_EARLY_IOREMAP, 0x1000, 1, 0, 0);
    is_u64(w.reason, BAD_EARLY_IOREMAP_LATE, "%s: after the boot", name);
    end(name);
}

/* ---- slots by name ---- */

static void test_types(void)
{
    start(ARCH_I386, "160M", "80M", true);
    enum { USER0 = 3, IRQ0 = 9 };
    put(HIGH, 0, "mine");
    put(HIGH + 1, 0, "irq!");
    const uint64_t va = call(OP_KMAP_ATOMIC_TYPE, HIGH, USER0, 0, 0);
    is_hex(call(OP_LOAD, va, 4, 0, 0), 0x656e696d, "KM_USER0: the page");
    call(OP_IRQ_ENTER, 0, 0, 0, 0);
    const uint64_t other = call(OP_KMAP_ATOMIC_TYPE, HIGH + 1, IRQ0, 0, 0);
    ok(other != va && !w.reason, "an interrupt uses a type of its own");
    call(OP_KUNMAP_ATOMIC_TYPE, other, IRQ0, 0, 0);
    is_hex(call(OP_KMAP_ATOMIC_TYPE, HIGH + 1, USER0, 0, 0), va, "or the same type");
    is_u64(w.reason, BAD_KM_TYPE_BUSY, "which takes the slot away");
    call(OP_IRQ_LEAVE, 0, 0, 0, 0);
    is_hex(call(OP_LOAD, va, 4, 0, 0), 0x21717269, "and the task reads another page");
    call(OP_KMAP_ATOMIC_TYPE, HIGH, 16, 0, 0);
    is_u64(w.reason, BAD_KM_TYPE, "there are 16 types");
    end("types");
    start(ARCH_I386, "160M", "80M", false);
    call(OP_KMAP_ATOMIC_TYPE, HIGH, USER0, 0, 0);
    is_u64(w.reason, BAD_NO_KM_TYPES, "not in 6.1");
    end("no types");
}

/* ---- coherent memory ---- */

static void test_coherent(void)
{
    static const struct {
        enum arch arch;
        const char *ram;
        uint64_t mask;
    } rows[] = {{ARCH_I386, "1G", 0xffffff},          {ARCH_I386, "1G", 0xffffffff},
                {ARCH_I386, "1G", 0xfffffff},         {ARCH_X86_64, "6G", 0xffffff},
                {ARCH_X86_64, "6G", 0x7fffffff},      {ARCH_X86_64, "6G", 0xffffffff},
                {ARCH_X86_64, "6G", 0xfffffffffffff}, {ARCH_X86_64, "6G", 0x13fffffff}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(rows[i].arch, rows[i].ram, "auto", false);
        const struct kspace *k = &w.m->vm->kspace;
        bool good = true;
        uint64_t first = 0, before = 0;
        call(OP_VMSTAT_UPDATE, 0, 0, 0, 0);
        for (uint32_t z = 0; z < machine_nr_zones(w.m); z++) {
            before += zone_view(w.m, z).free + zone_view(w.m, z).pcp_pages;
        }
        for (int n = 0; n < 40; n++) {
            const uint64_t size = 1 + (uint64_t)n * 700;
            uint64_t va = call(OP_DMA_ALLOC_COHERENT, size, rows[i].mask, GFP_KERNEL, 0);
            const uint64_t pa = va - k->page_offset;
            good = good && va && pa + size - 1 <= rows[i].mask && !(pa & (PAGE_SIZE - 1));
            first = first ? first : va;
            if (n) {
                call(OP_DMA_FREE_COHERENT, size, va, 0, 0);
            }
        }
        ok(good, "mask %#" PRIx64 " of %s: within reach", rows[i].mask, rows[i].ram);
        call(OP_DMA_FREE_COHERENT, 1, first, 0, 0);
        uint64_t after = 0;
        call(OP_VMSTAT_UPDATE, 0, 0, 0, 0);
        for (uint32_t z = 0; z < machine_nr_zones(w.m); z++) {
            after += zone_view(w.m, z).free + zone_view(w.m, z).pcp_pages;
        }
        is_u64(after, before, "... and all of it comes back");
        end("coherent");
    }
    start(ARCH_I386, "160M", "80M", false);
    call(OP_DMA_ALLOC_COHERENT, 4096, 0xfff, GFP_KERNEL, 0);
    is_u64(w.seen[EV_DMA_TOO_HIGH], 1, "a mask that nothing fits: one try, in DMA");
    ok(call(OP_DMA_ALLOC_COHERENT, 4096, 0x10fffff, GFP_KERNEL, 0) &&
           w.seen[EV_DMA_TOO_HIGH] == 2,
       "17 MiB: Normal first, then DMA");
    call(OP_LOCAL_IRQ_DISABLE, 0, 0, 0, 0);
    call(OP_DMA_FREE_COHERENT, 4096, 0, 0, 0);
    is_u64(w.reason, BAD_DMA_FREE_IRQS_OFF, "freeing with interrupts off");
    end("masks");
}

/* ---- bounces ---- */

static void test_bounce(void)
{
    start(ARCH_I386, "160M", "80M", false);
    put(HIGH, 100, "to the disk");
    is_hex(call(OP_BLK_QUEUE_BOUNCE, 0x2000, true, 0, 0), 0x2000,
           "low memory needs no bounce page");
    uint64_t page = call(OP_BLK_QUEUE_BOUNCE, HIGH, true, 0, 0);
    ok(page < 0x4fe0 && reads((page << PAGE_SHIFT) + 100, "to the disk"),
       "a write: a page in low memory has the bytes");
    is_u64(w.seen[EV_KMAP_LOCAL], 1, "copied through a kmap_local slot");
    is_u64(w.m->dma->nr_pool, 64, "the pool holds 64 pages");
    call(OP_BOUNCE_END_IO, page, 0, 0, 0);
    ok(page_view(w.m, pfn(page)).state != PAGE_ALLOCATED, "then it is free again");
    page = call(OP_BLK_QUEUE_BOUNCE, HIGH + 1, false, 0, 0);
    put(page, 7, "from the disk");
    is_u64(dma_nr_bounce(w.m, page < 0x1000 ? 0 : 1), 1, "nr_bounce counts it");
    call(OP_BOUNCE_END_IO, page, 0, 0, 0);
    ok(reads(((uint64_t)(HIGH + 1) << PAGE_SHIFT) + 7, "from the disk"),
       "a read: the bytes arrive in HighMem");
    call(OP_BOUNCE_END_IO, page, 0, 0, 0);
    is_u64(w.reason, BAD_NOT_ALLOCATED, "an end that nobody began");
    /* low memory is used up, HighMem is not */
    while (call(OP_ALLOC_PAGES, GFP_ATOMIC, 0, 0, 0) != PFN_NONE) {
    }
    uint64_t n = 0, last = 0;
    while (n < 200 &&
           (page = call(OP_BLK_QUEUE_BOUNCE, HIGH + n, true, 0, 0)) != PFN_NONE) {
        last = page;
        n++;
    }
    ok(n >= 64 && w.seen[EV_MEMPOOL_TAKE] == 64,
       "without low memory: %" PRIu64 " bounces, 64 from the pool", n);
    is_u64(w.seen[EV_BOUNCE_WAIT], 1, "the next one has to wait");
    ok(zone_view(w.m, 2).free > 1000, "with HighMem free");
    call(OP_BOUNCE_END_IO, last, 0, 0, 0);
    is_hex(call(OP_BLK_QUEUE_BOUNCE, HIGH, true, 0, 0), last, "and gets what came back");
    end("bounce");
}

static void test_no_swiotlb(void)
{
    start(ARCH_I386, "160M", "80M", false);
    is_hex(call(OP_DMA_MAP_PAGE, 0x6000000, 100, UINT32_MAX, true), 0x6000000,
           "a PCI device reaches HighMem itself");
    is_hex(call(OP_DMA_MAP_PAGE, 0x6000000, 100, 0xffffff, true), UINT64_MAX,
           "an ISA device does not, and i386 without PAE has no bounce buffers");
    is_u64(w.reason, BAD_DMA_OVERFLOW, "it warns");
    end("no swiotlb");
}

struct mapped {
    uint64_t phys, size, dma;
};

static void test_swiotlb(enum arch arch, const char *name)
{
    start(arch, "6G", "auto", false);
    const struct boot_span *io = &w.m->places.io_tlb;
    struct prng rng = {.state = 5};
    static struct mapped list[300];
    uint32_t nr = 0, wrong = 0, bounced = 0;
    const char *why = NULL;
    is_u64(io->nr, 16384, "%s: 64 MiB of bounce buffers", name);
    for (int i = 0; i < 4000 && !why; i++) {
        if (nr < 300 && prng_below(&rng, 100) < 52) {
            struct mapped x = {
                .phys = (4ULL << 30) + (prng_next(&rng) & 0x3fffffff),
                .size = 1 + prng_below(&rng, prng_one_in(&rng, 5) ? 200000 : 5000)};
            char text[24];
            snprintf(text, sizeof text, "no %d.", i);
            if (x.size < 20) {
                continue;
            }
            hardware_write_phys(w.m, x.phys, text, strlen(text));
            x.dma = on(prng_below(&rng, 2) != 0, OP_DMA_MAP_PAGE, x.phys, x.size,
                       UINT32_MAX, false);
            const bool inside = x.dma >= io->first << PAGE_SHIFT &&
                                x.dma + x.size <= (io->first + io->nr) << PAGE_SHIFT;
            wrong += x.dma != UINT64_MAX && (!inside || !reads(x.dma, text));
            for (uint32_t k = 0; k < nr; k++) {
                wrong += x.dma < list[k].dma + list[k].size &&
                         list[k].dma < x.dma + x.size && x.dma != UINT64_MAX;
            }
            if (x.dma != UINT64_MAX) {
                list[nr++] = x;
                bounced++;
            } else {
                wrong += x.size <= 128 << 11 && nr < 100;
            }
        } else if (nr) {
            const uint32_t k = (uint32_t)prng_below(&rng, nr);
            char text[24];
            snprintf(text, sizeof text, "back %d.", i);
            hardware_write_phys(w.m, list[k].dma, text, strlen(text));
            call(OP_DMA_UNMAP_PAGE, list[k].dma, list[k].size, false, 0);
            wrong += !reads(list[k].phys, text);
            list[k] = list[--nr];
        }
        if (i % 64 == 0) {
            why = machine_check(w.m);
        }
    }
    is_u64(wrong, 0, "%s: %u mappings, bytes there and back", name, bounced);
    is_str(why, NULL, "%s: invariants on the way", name);
    while (nr) {
        nr--;
        call(OP_DMA_UNMAP_PAGE, list[nr].dma, list[nr].size, true, 0);
    }
    is_u64(w.m->dma->area[0].used + w.m->dma->area[1].used, 0, "%s: all slots came back",
           name);
    is_hex(call(OP_DMA_MAP_PAGE, 4ULL << 30, 129 << 11, UINT32_MAX, true), UINT64_MAX,
           "%s: more than 128 slots cannot be", name);
    is_u64(w.reason, BAD_SWIOTLB_FULL, "%s: the kernel says that it is full", name);
    end(name);
}

int main(void)
{
    test_fixmap(ARCH_I386, "i386");
    test_fixmap(ARCH_X86_64, "x86-64");
    test_early(ARCH_I386, "i386");
    test_early(ARCH_I386_PAE, "PAE");
    test_early(ARCH_X86_64, "x86-64");
    test_types();
    test_coherent();
    test_bounce();
    test_no_swiotlb();
    test_swiotlb(ARCH_I386_PAE, "PAE");
    test_swiotlb(ARCH_X86_64, "x86-64");
    return done_testing();
}
