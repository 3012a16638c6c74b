/* hw/mmu.c: the rules one by one, and a naive walker on random tables.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mmu.h"
#include "prng.h"
#include "tap.h"

/* ---- a small physical memory ---- */

enum { FRAMES = 64 };

struct memory {
    unsigned char bytes[FRAMES * PAGE_SIZE];
    uint64_t next; /* next free frame for tables */
};

static uint64_t mem_read(void *ctx, uint64_t at, uint32_t size)
{
    struct memory *m = ctx;
    uint64_t value = 0;
    if (at + size > sizeof m->bytes) {
        return size == 4 ? UINT32_MAX : UINT64_MAX;
    }
    for (uint32_t i = 0; i < size; i++) {
        value |= (uint64_t)m->bytes[at + i] << (8 * i);
    }
    return value;
}

static void mem_write(void *ctx, uint64_t at, uint64_t value, uint32_t size)
{
    struct memory *m = ctx;
    for (uint32_t i = 0; i < size && at + size <= sizeof m->bytes; i++) {
        m->bytes[at + i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t mem_table(void *ctx)
{
    struct memory *m = ctx;
    return m->next < FRAMES ? m->next++ * PAGE_SIZE : UINT64_MAX;
}

/* ---- the naive walker: the manual's text, one question after the other ---- */

struct naive_answer {
    struct fault fault;
    uint64_t pa;
    uint32_t perms, size;
    bool global;
};

/* May this bit be 1 in an entry of this level? */
static bool bit_is_reserved(const struct mmu *m, int level, bool large, int bit)
{
    if (m->paging == PAGING_I386) {
        if (!large) {
            return false;
        }
        if (bit == 21) {
            return true;
        }
        return bit >= 13 && bit <= 20 && bit - 13 + 32 >= (int)m->physical_bits;
    }
    if (bit == 63) {
        return !m->nxe || (m->paging == PAGING_PAE && level == 3);
    }
    if (bit >= 52) {
        return m->paging == PAGING_PAE;
    }
    if (bit >= (int)m->physical_bits) {
        return true;
    }
    if (m->paging == PAGING_PAE && level == 3) {
        return bit == 1 || bit == 2 || (bit >= 5 && bit <= 8);
    }
    if (bit == 7 && level >= 4) {
        return true;
    }
    return large && bit >= 13 && bit < (level == 2 ? 21 : 30);
}

static struct fault naive_fault(const struct mmu *m, uint64_t va, enum access_kind access,
                                uint32_t code)
{
    code |= access == ACCESS_WRITE ? 2 : 0;
    code |= m->user ? 4 : 0;
    code |= access == ACCESS_FETCH && (m->nxe || m->smep) ? 16 : 0;
    return (struct fault){FAULT_PAGE, code, va};
}

static bool naive_denied(const struct mmu *m, enum access_kind access, bool u, bool w,
                         bool x)
{
    if (access == ACCESS_FETCH && !x) {
        return true;
    }
    if (m->user) {
        return !u || (access == ACCESS_WRITE && !w);
    }
    if (access == ACCESS_WRITE && !w && m->wp) {
        return true;
    }
    if (u && access == ACCESS_FETCH && m->smep) {
        return true;
    }
    return u && access != ACCESS_FETCH && m->smap && !m->ac;
}

static struct naive_answer naive_walk(const struct mmu *m, uint64_t va,
                                      enum access_kind access, struct memory *mem)
{
    const int levels = m->paging == PAGING_I386     ? 2
                       : m->paging == PAGING_PAE    ? 3
                       : m->paging == PAGING_4LEVEL ? 4
                                                    : 5;
    const int bits = m->paging == PAGING_I386 ? 10 : 9;
    const uint32_t bytes = m->paging == PAGING_I386 ? 4 : 8;
    struct naive_answer a = {.fault = {FAULT_NONE, 0, 0}};
    bool u = true, w = true, x = true;
    if (levels >= 4) {
        int top = levels == 4 ? 47 : 56;
        for (int bit = top; bit < 64; bit++) {
            if ((va >> bit & 1) != (va >> top & 1)) {
                a.fault.kind = FAULT_PROTECTION;
                return a;
            }
        }
    }
    uint64_t table = m->cr3;
    for (int level = levels; level >= 1; level--) {
        int shift = 12 + bits * (level - 1);
        uint64_t at = table + (va >> shift) % ((uint64_t)1 << bits) * bytes;
        uint64_t e = mem_read(mem, at, bytes);
        bool pointer = m->paging == PAGING_PAE && level == 3;
        bool can_be_large =
            level == 2 ? (m->paging != PAGING_I386 || m->pse) : level == 3 && levels >= 4;
        bool large = can_be_large && (e >> 7 & 1);
        if (!(e & 1)) {
            a.fault = naive_fault(m, va, access, 0);
            return a;
        }
        for (int bit = 0; bit < 64; bit++) {
            if ((e >> bit & 1) && bit_is_reserved(m, level, large, bit)) {
                a.fault = naive_fault(m, va, access, 1 | 8);
                return a;
            }
        }
        if (!pointer) {
            u = u && (e >> 2 & 1);
            w = w && (e >> 1 & 1);
            x = x && !(m->nxe && e >> 63);
        }
        if (level > 1 && !large) {
            if (!pointer) {
                mem_write(mem, at, e | 0x20, bytes);
            }
            table = bytes == 4 ? e & 0xfffff000 : e & 0x000ffffffffff000;
            continue;
        }
        if (naive_denied(m, access, u, w, x)) {
            a.fault = naive_fault(m, va, access, 1);
            return a;
        }
        e |= access == ACCESS_WRITE ? 0x60 : 0x20;
        mem_write(mem, at, e, bytes);
        uint64_t page_bytes = (uint64_t)1 << shift;
        uint64_t base = bytes == 4 ? e & 0xfffff000 : e & 0x000ffffffffff000;
        if (large && bytes == 4) {
            base = (e & 0xffc00000) | (e >> 13 & 0xff) << 32;
        }
        a.pa = base / page_bytes * page_bytes + va % page_bytes;
        a.perms = (u ? CACHE_U : 0) | (w ? CACHE_W : 0) | (x ? CACHE_X : 0) |
                  (e & 0x40 ? CACHE_D : 0);
        a.size = !large ? PAGE_4K : bytes == 4 ? PAGE_4M : level == 2 ? PAGE_2M : PAGE_1G;
        a.global = m->pge && (e >> 8 & 1);
        return a;
    }
    return a;
}

/* ---- random tables ---- */

static uint64_t random_entry(struct prng *r, const struct mmu *m)
{
    uint64_t e = prng_below(r, FRAMES) << 12;
    if (!prng_one_in(r, 12)) {
        e |= PTE_P;
    }
    for (int bit = 1; bit < 12; bit++) {
        bool usual = bit == 1 || bit == 2;
        if (usual ? !prng_one_in(r, 6) : prng_one_in(r, bit == 7 ? 4 : 3)) {
            e |= (uint64_t)1 << bit;
        }
    }
    if (m->paging == PAGING_PAE && prng_one_in(r, 2)) {
        e &= ~(uint64_t)0x1e6; /* fit for a directory pointer */
    }
    if (prng_one_in(r, 2)) {
        e &= ~(uint64_t)0x3fffe000; /* fit for a large page */
    }
    if (prng_one_in(r, 6)) {
        e |= (uint64_t)1 << prng_below(r, 64);
    }
    if (prng_one_in(r, 5)) {
        e |= PTE_NX;
    }
    return e;
}

static void random_tables(struct prng *r, const struct mmu *m, struct memory *mem)
{
    uint32_t bytes = m->paging == PAGING_I386 ? 4 : 8;
    for (uint64_t at = 0; at < sizeof mem->bytes; at += bytes) {
        mem_write(mem, at, random_entry(r, m), bytes);
    }
}

static uint64_t random_va(struct prng *r, const struct mmu *m)
{
    uint64_t va = prng_next(r);
    if (m->paging == PAGING_I386 || m->paging == PAGING_PAE) {
        return va & UINT32_MAX;
    }
    int bits = m->paging == PAGING_4LEVEL ? 48 : 57;
    if (prng_one_in(r, 20)) {
        return va;
    }
    va &= ((uint64_t)1 << bits) - 1;
    return va >> (bits - 1) ? va | ~(((uint64_t)1 << bits) - 1) : va;
}

static bool same_answer(const struct walk *w, const struct naive_answer *a, uint64_t va)
{
    if (w->fault.kind != a->fault.kind) {
        return false;
    }
    if (w->fault.kind != FAULT_NONE) {
        return w->fault.kind != FAULT_PAGE ||
               (w->fault.error_code == a->fault.error_code &&
                w->fault.cr2 == a->fault.cr2);
    }
    return tlb_entry_translate(w->entry, va).v == a->pa &&
           (w->entry & TLB_PERMS) == a->perms && tlb_entry_size(w->entry) == a->size &&
           !(w->entry & TLB_GLOBAL) == !a->global;
}

static void test_random(struct prng *r, enum paging paging, const char *name)
{
    static struct memory ours, theirs;
    int wrong = 0, kinds[4] = {0}, sizes[NR_PAGE_SIZES] = {0};
    for (int round = 0; round < 100; round++) {
        struct mmu m = {.paging = paging,
                        .physical_bits =
                            (uint32_t[]){32, 36, 40, 46, 52}[prng_below(r, 5)],
                        .wp = prng_one_in(r, 2),
                        .pse = prng_one_in(r, 2),
                        .pge = prng_one_in(r, 2),
                        .nxe = paging != PAGING_I386 && !prng_one_in(r, 3),
                        .smep = prng_one_in(r, 2),
                        .smap = prng_one_in(r, 2),
                        .ac = prng_one_in(r, 2),
                        .user = prng_one_in(r, 2)};
        m.cr3 = prng_below(r, FRAMES) * PAGE_SIZE;
        m.cr3 += paging == PAGING_PAE ? prng_below(r, 4) * 32 : 0;
        random_tables(r, &m, &ours);
        theirs = ours;
        for (int i = 0; i < 200; i++) {
            uint64_t va = random_va(r, &m);
            enum access_kind access = (enum access_kind)prng_below(r, NR_ACCESS_KINDS);
            const struct mmu_bus bus = {mem_read, mem_write, &ours};
            struct walk w, quiet;
            mmu_peek(&m, va, access, &bus, &quiet);
            mmu_walk(&m, va, access, &bus, &w);
            struct naive_answer a = naive_walk(&m, va, access, &theirs);
            bool same = same_answer(&w, &a, va) && same_answer(&quiet, &a, va);
            kinds[w.fault.kind]++;
            if (w.fault.kind == FAULT_NONE) {
                sizes[tlb_entry_size(w.entry)]++;
            }
            /* Once an entry says so, one shift decides as the walk did. */
            bool may = mmu_may(&m, access) >> ((w.entry & TLB_PERMS) | CACHE_OWNED) & 1;
            wrong += !same || (w.fault.kind == FAULT_NONE && !may);
        }
        wrong += memcmp(ours.bytes, theirs.bytes, sizeof ours.bytes) != 0;
    }
    ok(!wrong, "%s: 20000 random walks as the naive walker, and the same A and D bits",
       name);
    diag("good %d (4K %d, 2M %d, 4M %d, 1G %d), page faults %d, protection faults %d",
         kinds[FAULT_NONE], sizes[PAGE_4K], sizes[PAGE_2M], sizes[PAGE_4M],
         sizes[PAGE_1G], kinds[FAULT_PAGE], kinds[FAULT_PROTECTION]);
}

/* ---- mapping ---- */

static void test_map(enum paging paging, const char *name, enum page_size large)
{
    static struct memory mem;
    memset(&mem, 0, sizeof mem);
    mem.next = 2;
    const struct mmu m = {.paging = paging,
                          .cr3 = PAGE_SIZE,
                          .physical_bits = 40,
                          .pse = true,
                          .pge = true,
                          .user = true};
    const struct mmu_bus bus = {mem_read, mem_write, &mem};
    struct walk w;
    uint64_t big = (uint64_t)1 << page_shift(large);
    ok(mmu_map(&m, 0x40001000, 0x7000, PTE_W | PTE_U, PAGE_4K, &bus, mem_table, &mem),
       "%s: mapped", name);
    mmu_walk(&m, 0x40001abc, ACCESS_READ, &bus, &w);
    ok(w.fault.kind == FAULT_NONE && tlb_entry_translate(w.entry, 0x40001abc).v == 0x7abc,
       "and found where it was put");
    ok(!(w.entry & CACHE_D), "clean after a read");
    mmu_walk(&m, 0x40001abc, ACCESS_WRITE, &bus, &w);
    ok(w.entry & CACHE_D, "dirty after a write");
    mmu_walk(&m, 0x40002000, ACCESS_WRITE, &bus, &w);
    is_hex(w.fault.error_code, PF_WRITE | PF_USER, "its neighbour faults, not present");
    is_hex(w.fault.cr2, 0x40002000, "with the address");
    ok(!mmu_map(&m, 0x40000000, 0, PTE_U, large, &bus, mem_table, &mem),
       "no large page goes over a table");
    ok(mmu_map(&m, 0x80000000, 3 * big, PTE_U, large, &bus, mem_table, &mem),
       "a large page elsewhere");
    mmu_walk(&m, 0x80000000 + big - 1, ACCESS_READ, &bus, &w);
    is_hex(tlb_entry_translate(w.entry, 0x80000000 + big - 1).v, 4 * big - 1,
           "covers all of its bytes");
    mmu_walk(&m, 0x80000000, ACCESS_WRITE, &bus, &w);
    is_hex(w.fault.error_code, PF_PRESENT | PF_WRITE | PF_USER, "and is read-only");
    ok(!mmu_map(&m, 0x80000000, 0, PTE_U, PAGE_4K, &bus, mem_table, &mem),
       "no small page goes under a large one");
    ok(mmu_unmap(&m, 0x40001000, &bus) & PTE_D, "unmapping answers the entry");
    mmu_walk(&m, 0x40001000, ACCESS_READ, &bus, &w);
    is_hex(w.fault.error_code, PF_USER, "and it is gone");
    is_u64(mmu_unmap(&m, 0x40001000, &bus), 0, "once");
}

int main(void)
{
    struct prng r = {4711};
    test_random(&r, PAGING_I386, "i386");
    test_random(&r, PAGING_PAE, "PAE");
    test_random(&r, PAGING_4LEVEL, "4 levels");
    test_random(&r, PAGING_5LEVEL, "5 levels");
    test_map(PAGING_I386, "i386", PAGE_4M);
    test_map(PAGING_PAE, "PAE", PAGE_2M);
    test_map(PAGING_4LEVEL, "4 levels", PAGE_1G);
    test_map(PAGING_5LEVEL, "5 levels", PAGE_2M);
    is_str(mmu_table_name(PAGING_5LEVEL, 5), "PML5", "tables have names");
    is_str(mmu_table_name(PAGING_I386, 3), "?", "where there are any");
    return done_testing();
}
