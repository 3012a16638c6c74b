/* Large pages in the vmalloc area: entries that were computed by hand from the flags'
 * bits, page tables that make way for them, and their ends.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "entries.h"

#include "inspect_hw.h"
#include "inspect_space.h"

/* NX 1<<63 | PAT of a large page 1<<12 | G 100 | PS 80 | D 40 | A 20 | PCD 10 | PWT 8 |
 * W 2 | P 1 */
#define IO_SMALL UINT64_C(0x8000000000000173)
#define IO_LARGE UINT64_C(0x80000000000001f3)
#define RAM_LARGE UINT64_C(0x80000000000001e3)

static bool dump_has(const char *line)
{
    const size_t size = (size_t)proc_page_tables(NULL, 0, w.m) + 1;
    char *text = malloc(size);
    proc_page_tables(text, size, w.m);
    const bool there = strstr(text, line) != NULL;
    if (!there) {
        diag("%s", strstr(text, "vmalloc") ? strstr(text, "vmalloc") : text);
    }
    free(text);
    return there;
}

static bool whatis_has(uint64_t va, const char *words)
{
    char text[2000];
    const struct address_view v = space_whatis(w.m, 0, va);
    space_whatis_text(text, sizeof text, w.m, &v);
    if (!strstr(text, words)) {
        diag("%s", text);
    }
    return strstr(text, words) != NULL;
}

/* ---- ioremap ---- */

static void test_2m(void)
{
    const uint64_t base = UINT64_C(0xffffc90000000000);
    begin(ARCH_X86_64, "ram=256M");
    const uint64_t tables = w.m->vm->nr_tables;
    is_hex(call(OP_IOREMAP, 0xe0000000, 4 * MIB + 4 * KIB), base, "4 MiB and a page");
    is_entry(base, 2, 0xe0000000 | IO_LARGE, "the first 2 MiB");
    is_entry(base + 0x1fffff, 2, 0xe0000000 | IO_LARGE, "their last byte");
    is_entry(base + 2 * MIB, 2, 0xe0200000 | IO_LARGE, "the second 2 MiB");
    is_entry(base + 4 * MIB, 1, 0xe0400000 | IO_SMALL, "the page behind them");
    is_entry(base + 4 * MIB + 4 * KIB, 1, 0, "the guard page");
    is_u64(w.m->vm->nr_tables, tables + 2, "a directory and one page table");
    is_u64(w.seen[EV_HUGE_SET], 2, "two large entries were set");
    is_u64(w.seen[EV_SET_PTE], 1, "and a small one");
    ok(dump_has("0xffffc90000000000-0xffffc90000400000           4M     RW     PCD "
                "PSE     GLB NX pmd\n"),
       "page_tables/kernel has them as the kernel prints them");
    ok(whatis_has(base + 2 * MIB + 0x12345, "page of 2 MiB"), "whatis: the large page");
    ok(whatis_has(base + 2 * MIB + 0x12345, "physical  0xe0212345"), "and its address");
    ok(whatis_has(base + 2 * MIB + 0x12345, "uncached"), "and its type");
    is_hex(pgtable_translate(w.m, base + 0x345678), 0xe0345, "translated");
    call(OP_IOUNMAP, base, 0);
    is_entry(base, 2, 0, "unmapped, the first");
    is_entry(base + 2 * MIB, 2, 0, "unmapped, the second");
    is_entry(base + 4 * MIB, 1, 0, "unmapped, the page");
    is_u64(w.seen[EV_HUGE_CLEAR], 2, "two large entries were cleared");
    end("2 MiB");
}

static void test_alignment(void)
{
    const uint64_t base = UINT64_C(0xffffc90000000000);
    begin(ARCH_X86_64, "ram=256M");
    is_hex(call(OP_IOREMAP, 0xe0001000, 2 * MIB), base, "2 MiB from a page on");
    is_entry(base, 1, 0xe0001000 | IO_SMALL, "are small pages");
    is_u64(w.seen[EV_HUGE_SET], 0, "all of them");
    is_hex(call(OP_IOREMAP, 0xe0000000, 2 * MIB - 4 * KIB), base + 4 * MIB,
           "one page less than 2 MiB is aligned to 2 MiB");
    is_entry(base + 4 * MIB, 1, 0xe0000000 | IO_SMALL, "but is small pages");
    is_hex(call(OP_IOREMAP, 0xe0000010, 2 * MIB), base + 8 * MIB + 0x10,
           "2 MiB from an odd byte on need a page more");
    is_entry(base + 8 * MIB, 2, 0xe0000000 | IO_LARGE, "the whole part is large");
    is_entry(base + 10 * MIB, 1, 0xe0200000 | IO_SMALL, "the rest a page");
    end("alignment");
}

static void test_1g(void)
{
    const uint64_t base = UINT64_C(0xffffc90000000000);
    begin(ARCH_X86_64, "ram=256M");
    is_hex(call(OP_IOREMAP, 8 * GIB, GIB + 2 * MIB + 4 * KIB), base, "1 GiB and more");
    is_entry(base + 0x2345678, 3, 8 * GIB | IO_LARGE, "1 GiB by one entry");
    is_entry(base + GIB, 2, 9 * GIB | IO_LARGE, "2 MiB by one");
    is_entry(base + GIB + 2 * MIB, 1, (9 * GIB + 2 * MIB) | IO_SMALL, "the last page");
    ok(dump_has("0xffffc90000000000-0xffffc90040000000           1G     RW     PCD "
                "PSE     GLB NX pud\n"),
       "page_tables/kernel");
    ok(whatis_has(base + GIB - 1, "page of 1 GiB"), "whatis");
    call(OP_IOUNMAP, base, 0);
    is_entry(base, 3, 0, "unmapped");
    end("1 GiB");
    begin(ARCH_X86_64, "ram=256M gbpages=false");
    call(OP_IOREMAP, 8 * GIB, GIB);
    is_entry(base, 2, 8 * GIB | IO_LARGE, "a processor without pages of 1 GiB");
    is_u64(w.seen[EV_HUGE_SET], 512, "has 512 entries");
    end("without gbpages");
    begin(ARCH_X86_64, "ram=256M la57=true");
    const uint64_t five = UINT64_C(0xffa0000000000000);
    is_hex(call(OP_IOREMAP, 8 * GIB, GIB), five, "five levels");
    is_entry(five, 3, 8 * GIB | IO_LARGE, "1 GiB by one entry");
    end("five levels");
}

/* Small pages were there before, and left their tables. */
static void test_tables_make_way(void)
{
    const uint64_t base = UINT64_C(0xffffc90000000000);
    begin(ARCH_X86_64, "ram=256M");
    is_hex(call(OP_IOREMAP, 0xe0000000, 4 * KIB), base, "a page");
    const uint64_t tables = w.m->vm->nr_tables;
    const uint64_t table = pgtable_find(w.m, base).at >> PAGE_SHIFT;
    call(OP_IOUNMAP, base, 0);
    call(OP_VM_UNMAP_ALIASES, 0, 0);
    is_u64(w.m->vm->nr_tables, tables, "its table stays");
    const uint64_t flushes = w.m->vm->nr_flushes;
    is_hex(call(OP_IOREMAP, 0xe0000000, 2 * MIB), base, "2 MiB at the same place");
    is_entry(base, 2, 0xe0000000 | IO_LARGE, "by one entry");
    is_u64(w.seen[EV_PTE_FREE], 1, "the table makes way");
    is_u64(w.m->vm->nr_tables, tables - 1, "one less");
    is_u64(w.m->vm->nr_flushes, flushes + 1, "after a flush");
    ok(page_view(w.m, pfn(table)).state != PAGE_ALLOCATED, "its page is free");
    call(OP_IOUNMAP, base, 0);
    /* a directory with two tables */
    call(OP_VM_UNMAP_ALIASES, 0, 0);
    const uint64_t a = call(OP_IOREMAP, 0xe0000000, 4 * KIB);
    const uint64_t b = call(OP_IOREMAP, 0xe0001000, 4 * MIB);
    call(OP_IOUNMAP, a, 0);
    call(OP_IOUNMAP, b, 0);
    call(OP_VM_UNMAP_ALIASES, 0, 0);
    const uint64_t many = w.m->vm->nr_tables;
    w.seen[EV_PTE_FREE] = 0;
    is_hex(call(OP_IOREMAP, 8 * GIB, GIB), base, "1 GiB at the same place");
    is_entry(base, 3, 8 * GIB | IO_LARGE, "by one entry");
    is_u64(w.seen[EV_PTE_FREE], 4, "a directory and three tables make way");
    is_u64(w.m->vm->nr_tables, many - 4, "they are gone");
    end("tables make way");
}

static void test_32(void)
{
    begin(ARCH_I386_PAE, "ram=256M highmem=128M");
    uint64_t va = call(OP_IOREMAP, 0xe0000000, 2 * MIB);
    is_u64(va & (2 * MIB - 1), 0, "PAE: aligned");
    is_entry(va, 2, 0xe0000000 | IO_LARGE, "PAE: 2 MiB by one entry");
    call(OP_IOUNMAP, va, 0);
    is_entry(va, 2, 0, "PAE: unmapped");
    end("PAE");
    begin(ARCH_I386_PAE, "ram=256M highmem=128M");
    va = call(OP_IOREMAP, 0xe0001000, 2 * MIB);
    call(OP_IOUNMAP, va, 0);
    call(OP_VM_UNMAP_ALIASES, 0, 0);
    is_hex(call(OP_IOREMAP, 0xe0000000, 2 * MIB), va, "PAE: where a table is");
    is_entry(va, 1, 0xe0000000 | IO_SMALL, "PAE: the table stays: small pages");
    is_u64(w.seen[EV_PTE_FREE], 0, "PAE: nothing makes way");
    end("PAE with a table");
    begin(ARCH_I386, "ram=256M highmem=128M");
    va = call(OP_IOREMAP, 0xe0000000, 8 * MIB);
    is_u64(va & (4 * MIB - 1), 0, "i386: aligned to 4 MiB, no more");
    is_entry(va, 1, 0xe0000173, "i386: small pages nevertheless");
    end("i386");
}

/* ---- vmalloc_huge ---- */

static void test_vmalloc_huge(void)
{
    const uint64_t base = UINT64_C(0xffffc90000000000);
    begin(ARCH_X86_64, "ram=256M");
    is_hex(call(OP_VMALLOC_HUGE, 3 * MIB, 0), base, "vmalloc_huge of 3 MiB");
    const struct pgtable_entry e = pgtable_find(w.m, base);
    const uint64_t block = pgtable_frame(w.m, e.value);
    is_u64(block & 511, 0, "has a block of 2 MiB");
    is_entry(base, 2, block << PAGE_SHIFT | RAM_LARGE, "its first large page");
    ok(pgtable_find(w.m, base + 3 * MIB).maps, "its size is rounded up to 4 MiB");
    ok(!pgtable_find(w.m, base + 4 * MIB).maps, "behind it is the guard page");
    is_u64(w.m->vm->nr_vmalloc_pages, 1024 + 2,
           "1024 pages are counted, and two of the array of their addresses");
    ok(page_view(w.m, pfn(block + 5)).state == PAGE_ALLOCATED &&
           page_view(w.m, pfn(block + 5)).order == 0,
       "each page is one of its own");
    is_str(machine_check(w.m), NULL, "invariants");
    call(OP_VFREE, base, 0);
    is_u64(w.m->vm->nr_vmalloc_pages, 0, "vfree gives them back one by one");
    is_u64(w.seen[EV_HUGE_CLEAR], 2, "two large entries are cleared");
    const uint64_t next = base + 6 * MIB; /* the old one is still in TLBs, perhaps */
    is_hex(call(OP_VMALLOC_HUGE, 2 * MIB, 0), next, "the next is aligned to 2 MiB");
    is_u64(call(OP_VMALLOC_HUGE, 2 * MIB - 1, 0) % PAGE_SIZE, 0, "less than 2 MiB");
    is_u64(w.seen[EV_HUGE_SET], 3, "is small pages");
    end("vmalloc_huge");
    /* no block of 2 MiB: small pages, elsewhere */
    begin(ARCH_X86_64, "ram=64M");
    uint64_t blocks[64], nr = 0;
    call(OP_MEMALLOC, 1, 0); /* the reserves, too */
    for (uint64_t got; nr < 64; nr++) {
        got = call(OP_ALLOC_PAGES, GFP_KERNEL | __GFP_NOWARN, 9);
        if (got == PFN_NONE) {
            break;
        }
        blocks[nr] = got;
    }
    ok(nr > 4 && nr < 64, "%" PRIu64 " blocks are all there are", nr);
    call(OP_MEMALLOC, 0, 0);
    for (uint64_t i = 0; i < nr; i++) { /* all but each eighth page */
        call(OP_SPLIT_PAGE, blocks[i], 9);
        for (uint64_t page = 0; page < 512; page++) {
            if (page % 8) {
                call(OP_FREE_PAGES, blocks[i] + page, 0);
            }
        }
    }
    w.seen[EV_HUGE_SET] = 0;
    const uint64_t va = call(OP_VMALLOC_HUGE, 2 * MIB, 0);
    ok(va != 0, "without blocks of that order it answers all the same");
    is_u64(w.seen[EV_HUGE_SET], 0, "with small pages");
    ok(w.seen[EV_VMALLOC_ERROR], "after a complaint");
    is_str(machine_check(w.m), NULL, "invariants");
    call(OP_VFREE, va, 0);
    end("no blocks");
    begin(ARCH_I386_PAE, "ram=256M highmem=128M");
    call(OP_VMALLOC_HUGE, 4 * MIB, 0);
    is_u64(w.seen[EV_HUGE_SET], 0, "PAE: vmalloc_huge is vmalloc");
    end("vmalloc_huge with PAE");
}

/* ---- the processor ---- */

static void test_walk(void)
{
    struct walk walk;
    begin(ARCH_X86_64, "ram=256M psc=16,4,2");
    const uint64_t va = call(OP_VMALLOC_HUGE, 2 * MIB, 0);
    const struct op store = {.kind = OP_STORE,
                             .arg = {va + 0x123456, 8, 0x1122334455667788}};
    const struct op load = {.kind = OP_LOAD, .arg = {va + 0x123456, 8}};
    machine_do(w.m, &store);
    is_hex(machine_do(w.m, &load), 0x1122334455667788, "a load returns the store");
    ok(hw_walk(w.m, 0, va + 0x123456, ACCESS_READ, false, &walk) &&
           walk.fault.kind == FAULT_NONE,
       "the walk ends without a fault");
    is_hex(tlb_entry_translate(walk.entry, va + 0x123456).v,
           (pgtable_translate(w.m, va) << PAGE_SHIFT) + 0x123456, "at its byte");
    end("the processor");
}

int main(void)
{
    test_2m();
    test_alignment();
    test_1g();
    test_tables_make_way();
    test_32();
    test_vmalloc_huge();
    test_walk();
    done_testing();
}
