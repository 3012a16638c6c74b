/* Memory types of the kernel's mappings: entries computed by hand, large pages that are
 * split, the rule of one type at a time, and what accesses and caches make of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "entries.h"

#include "bad_reasons.h"
#include "inspect_hw.h"
#include "mm_struct.h"

static const char settings[] = "ram=256M memory_types=true detect=false coherent=true";

static uint64_t uncached(void)
{
    const struct memsys_tally *n = &hw_memsys(w.m, 0)->s->n;
    return n->uncached[ACCESS_READ] + n->uncached[ACCESS_WRITE];
}

/* NX, G, D, A, W, P are 0x8000000000000163; PWT 8, PCD 10, PS 80, PAT 80 or 1000. */
static void test_ioremap(void)
{
    begin(ARCH_X86_64, settings);
    is_entry(call(OP_IOREMAP, 0xfe000000, 4096), 1, UINT64_C(0x80000000fe000173),
             "ioremap");
    is_entry(call(OP_IOREMAP_UC, 0xfe000000, 4096), 1, UINT64_C(0x80000000fe00017b),
             "ioremap_uc");
    is_entry(call(OP_IOREMAP_WC, 0xfe000000, 4096), 1, UINT64_C(0x80000000fe00016b),
             "ioremap_wc");
    is_entry(call(OP_IOREMAP_WT, 0xfe000000, 4096), 1, UINT64_C(0x80000000fe0001fb),
             "ioremap_wt");
    is_entry(call(OP_IOREMAP_CACHE, 0xfe000000, 4096), 1, UINT64_C(0x80000000fe000163),
             "ioremap_cache");
    is_entry(call(OP_IOREMAP_WT, 0xfe000000, 2 << 20), 2, UINT64_C(0x80000000fe0011fb),
             "ioremap_wt of 2 MiB: PAT is another bit");
    is_entry(call(OP_IOREMAP_WC, 0xfe000000, 2 << 20), 2, UINT64_C(0x80000000fe0001eb),
             "ioremap_wc of 2 MiB");
    end("ioremap");
}

static void test_split(enum arch arch, const char *name, uint64_t nx)
{
    begin(arch, settings);
    const uint64_t large = arch == ARCH_I386 ? 4 << 20 : 2 << 20;
    const uint64_t va = w.m->vm->kspace.page_offset + 24 * large, page = va + 0x5000;
    const uint64_t pa = 24 * large, tables = w.m->vm->nr_tables;
    const uint64_t mm = call(OP_MM_CREATE, 0);
    call(OP_SWITCH_MM, mm);
    call(OP_STORE, page + 16, 8, 0x1122334455667788, MODE_KERNEL);
    is_entry(page, 2, nx | pa | 0x1e3, name);
    is_u64(call(OP_SET_MEMORY_UC, page, 2), 0, "%s: two pages become UC-", name);
    is_entry(page, 1, nx | (pa + 0x5000) | 0x173, "the first");
    is_entry(page + 4096, 1, nx | (pa + 0x6000) | 0x173, "the second");
    is_entry(page + 8192, 1, nx | (pa + 0x7000) | 0x163, "the one behind them");
    is_entry(va, 1, nx | pa | 0x163, "the first of the large page");
    is_entry(va + large, 2, nx | (pa + large) | 0x1e3, "the next large page");
    is_u64(w.m->vm->nr_tables, tables + 1, "%s: one table more", name);
    is_u64(w.seen[EV_HUGE_SPLIT], 1, "%s: one split", name);
    const uint64_t before = uncached();
    is_hex(call(OP_LOAD, page + 16, 8, MODE_KERNEL), 0x1122334455667788,
           "%s: a process's load returns the store", name);
    is_u64(uncached(), before + 1, "%s: past the caches", name);
    is_hex(call(OP_SET_MEMORY_UC, page, 1), (uint64_t)-16, "%s: again: -EBUSY", name);
    is_hex(call(OP_SET_MEMORY_WC, page, 1), (uint64_t)-16, "%s: WC: -EBUSY", name);
    is_u64(w.last_reason, BAD_MEMTYPE_BUSY, "%s: it says why", name);
    is_u64(call(OP_SET_MEMORY_WB, page, 2), 0, "%s: write-back again", name);
    is_entry(page, 1, nx | (pa + 0x5000) | 0x163, "as it was, but small");
    is_u64(call(OP_SET_MEMORY_WC, page, 1), 0, "%s: then WC", name);
    is_entry(page, 1, nx | (pa + 0x5000) | 0x16b, "write-combining");
    is_hex(call(OP_LOAD, page + 16, 8, MODE_KERNEL), 0x1122334455667788,
           "%s: nothing is lost", name);
    is_hex(call(OP_SET_MEMORY_UC, page + 1, 1), (uint64_t)-22, "%s: odd: -EINVAL", name);
    is_hex(call(OP_SET_MEMORY_UC, w.m->vm->kspace.vmalloc_start, 1), (uint64_t)-22,
           "%s: no page of the direct map: -EINVAL", name);
    is_hex(call(OP_SET_MEMORY_UC, page), (uint64_t)-22, "%s: none: -EINVAL", name);
    w.seen[EV_HUGE_SPLIT] = 0;
    const uint64_t pages = large >> PAGE_SHIFT;
    is_u64(call(OP_SET_MEMORY_UC, va + 2 * large, pages), 0, "%s: a whole one", name);
    is_entry(va + 2 * large, 2, nx | (pa + 2 * large) | 0x1f3, "stays large");
    is_u64(w.seen[EV_HUGE_SPLIT], 0, "%s: without a split", name);
    end(name);
}

/* What is dirty in a cache that nobody snoops is written back before accesses pass it. */
static void test_flush(void)
{
    begin(ARCH_X86_64, "ram=256M memory_types=true detect=false coherent=false");
    const uint64_t va = w.m->vm->kspace.page_offset + (64 << 20);
    call(OP_STORE, va, 8, 7, MODE_KERNEL);
    is_u64(call(OP_DMA_READ, 64 << 20, 8), 0, "a device does not see the store");
    call(OP_SET_MEMORY_UC, va, 1);
    is_u64(call(OP_DMA_READ, 64 << 20, 8), 7, "set_memory_uc wrote it back");
    is_u64(call(OP_LOAD, va, 8, MODE_KERNEL), 7, "a load sees it");
    call(OP_DMA_WRITE, 64 << 20, 8, 9);
    is_u64(call(OP_LOAD, va, 8, MODE_KERNEL), 9, "and what a device writes");
    end("without coherence");
}

int main(void)
{
    test_ioremap();
    test_split(ARCH_X86_64, "x86-64", UINT64_C(1) << 63);
    test_split(ARCH_I386_PAE, "PAE", UINT64_C(1) << 63);
    test_split(ARCH_I386, "i386", 0);
    test_flush();
    return done_testing();
}
