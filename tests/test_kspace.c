/* The borders of the address space against the golden records' and against arithmetic
 * done by hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kspace.h"

#include "tap.h"

struct recorded {
    const char *name;
    enum arch arch;
    uint64_t low, max; /* pfns */
    uint64_t vmalloc_start, vmalloc_end, high_memory, pkmap_base;
    uint32_t last_pkmap;
    uint64_t cpu_entry, fixaddr_start;
};

/* From the records: `seq vmalloc`, `seq kmap`, and the markers of page_tables/kernel;
 * all with NR_CPUS=4. */
static const struct recorded recorded[] = {
    {"160M, highmem=80M", ARCH_I386, 0x4fe0, 0x9fe0, 0xc57e0000, 0xff3fe000, 0xc4fe0000,
     0xff400000, 1024, 0xffc00000, 0xfff7a000},
    {"1G", ARCH_I386, 0x373fe, 0x3ffe0, 0xf7bfe000, 0xff3fe000, 0xf73fe000, 0xff400000,
     1024, 0xffc00000, 0xfff7a000},
    {"PAE", ARCH_I386_PAE, 0x4fe0, 0x9fe0, 0xc57e0000, 0xff5fe000, 0xc4fe0000, 0xff600000,
     512, 0xffa00000, 0xfff7a000},
    {"x86-64", ARCH_X86_64, 0xffe0, 0xffe0, 0xffffc90000000000, 0xffffe8ffffffffff,
     0xffff88800ffe0000, 0, 0, 0xfffffe0000000000, 0xffffffffff77c000},
};

static void test_recorded(const struct recorded *r)
{
    struct machine_config c;
    struct kspace l;
    config_init(&c, r->arch);
    kspace_init(&l, &c, r->low, r->max);
    is_hex(l.vmalloc_start, r->vmalloc_start, "%s: VMALLOC_START", r->name);
    is_hex(l.vmalloc_end, r->vmalloc_end, "%s: VMALLOC_END", r->name);
    is_hex(l.high_memory, r->high_memory, "%s: high_memory", r->name);
    is_hex(l.pkmap_base, r->pkmap_base, "%s: PKMAP_BASE", r->name);
    is_u64(l.last_pkmap, r->last_pkmap, "%s: LAST_PKMAP", r->name);
    is_hex(l.cpu_entry_area, r->cpu_entry, "%s: CPU entry areas", r->name);
    is_hex(l.fixaddr_start, r->fixaddr_start, "%s: FIXADDR_START", r->name);
    is_str(kspace_check(&l), NULL, "%s: areas fill the address space", r->name);
    if (l.bits == 32) {
        is_hex(kspace_fix_to_virt(&l, l.fix_kmap_begin), 0xfffbb000,
               "%s: kmap_atomic's first slot", r->name);
    }
}

static const struct kspace_area *find(const struct kspace_area *a, uint32_t nr,
                                      enum kspace_kind kind)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (a[i].kind == kind) {
            return &a[i];
        }
    }
    return NULL;
}

static void test_all_shapes(void)
{
    unsigned wrong = 0;
    for (int arch = ARCH_I386; arch <= ARCH_X86_64; arch++) {
        for (uint32_t split = 1; split <= 3; split++) {
            for (uint32_t cpus = 1; cpus <= MAX_CPUS; cpus++) {
                struct machine_config c;
                struct kspace l;
                struct kspace_area a[KSPACE_MAX_AREAS];
                config_init(&c, (enum arch)arch);
                c.user_gib = split;
                c.nr_cpus = cpus;
                c.la57 = split == 1;
                uint64_t low = 0x20000, most = kspace_maxmem_pfn(&c);
                kspace_init(&l, &c, low < most ? low : most, 0x40000);
                uint32_t nr = kspace_areas(&l, a);
                const struct kspace_area *local = find(a, nr, AREA_KMAP_LOCAL);
                wrong += kspace_check(&l) != NULL;
                wrong += l.bits == 32 && (!local || local->last + 1 - local->first !=
                                                        (uint64_t)cpus * 16 * PAGE_SIZE);
                wrong += l.bits == 32 && l.page_offset != (uint64_t)split << 30;
                /* what is kept for vmalloc when all low memory is there: 120 MiB and
                 * the hole */
                kspace_init(&l, &c, most < 1 << 20 ? most : 1 << 20, 1 << 20);
                wrong += l.bits == 32 && l.vmalloc_end - l.vmalloc_start != 120u << 20;
            }
        }
    }
    is_u64(wrong, 0, "all architectures, splits and numbers of CPUs");
}

static void test_five_levels(void)
{
    struct machine_config c;
    struct kspace l;
    config_init(&c, ARCH_X86_64);
    c.la57 = true;
    kspace_init(&l, &c, 0x10000, 0x10000);
    is_hex(l.page_offset, 0xff11000000000000, "5 levels: direct map");
    is_hex(l.vmalloc_end, 0xffd1ffffffffffff, "5 levels: vmalloc's last byte");
    is_hex(l.vmemmap_start, 0xffd4000000000000, "5 levels: frame table");
}

int main(void)
{
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        test_recorded(&recorded[i]);
    }
    test_all_shapes();
    test_five_levels();
    return done_testing();
}
