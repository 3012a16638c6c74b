/* Looking at the address space: areas in a range against the list of what was made, what
 * an address is, every address of a page, /proc/vmallocinfo.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include "inspect_space.h"
#include "prng.h"

static struct machine *m;

static uint64_t call(enum op_kind kind, uint64_t a, uint64_t b)
{
    return machine_do(m, &(struct op){.kind = (uint16_t)kind, .arg = {a, b}});
}

static void start(enum arch arch, const char *highmem)
{
    struct machine_config c;
    char err[300];
    config_init(&c, arch);
    config_set(&c, "highmem", highmem, err, sizeof err);
    m = boot(&c);
}

/* Areas by ranges of all sizes are those of one walk. */
static void test_ranges(enum arch arch, const char *name)
{
    struct prng rng = {.state = 3};
    static uint64_t first[300], last[300];
    uint32_t nr = 0, wrong = 0;
    start(arch, "auto");
    uint64_t va[200], n = 0;
    for (int i = 0; i < 200; i++) {
        va[n++] = call(OP_VMALLOC, (1 + prng_below(&rng, 9)) << PAGE_SHIFT, 0);
        if (prng_one_in(&rng, 3)) {
            call(OP_VFREE, va[--n], 0);
        }
    }
    struct area_view v;
    for (uint64_t at = 0; space_next_area(m, at, UINT64_MAX, &v) && nr < 300;
         at = v.last + 1) {
        first[nr] = v.first;
        last[nr++] = v.last;
        wrong += v.kind != VMAP_LAZY && v.guard != v.last + 1 - PAGE_SIZE;
    }
    ok(nr > n, "%s: %u areas, lazily freed ones too", name, nr);
    for (int i = 0; i < 2000; i++) {
        const uint64_t span = last[nr - 1] - first[0];
        uint64_t from = first[0] + prng_below(&rng, span);
        const uint64_t to = from + prng_below(&rng, span / 4);
        uint32_t k = 0;
        while (last[k] < from) {
            k++;
        }
        for (; space_next_area(m, from, to, &v); from = v.last + 1, k++) {
            wrong += k >= nr || v.first != first[k];
        }
        wrong += k < nr && first[k] <= to;
    }
    is_u64(wrong, 0, "%s: any range has the same ones", name);
    for (uint64_t i = 0; i < n; i++) {
        const struct address_view a = space_whatis(m, 0, va[i] + 100);
        wrong += !a.entry.maps || !a.in_area || a.area.first != va[i] || a.in_guard ||
                 a.page.state != PAGE_ALLOCATED;
        wrong += !space_whatis(m, 0, a.area.last).in_guard;
    }
    is_u64(wrong, 0, "%s: what an address in an area is", name);
    machine_destroy(m);
}

static uint32_t count;
static uint64_t seen[8];

static void note(void *ctx, const struct mapping_view *v)
{
    (void)ctx;
    if (count < 8) {
        seen[count++] = v->va;
    }
}

static bool has(uint64_t va)
{
    for (uint32_t i = 0; i < count; i++) {
        if (seen[i] == va) {
            return true;
        }
    }
    return false;
}

static void test_mappings(void)
{
    start(ARCH_I386, "80M");
    const uint64_t high = 0x6000;
    call(OP_VMAP_PAGE, high, 0);
    const uint64_t a = call(OP_VMAP, 1, 0), b = call(OP_KMAP, high, 0),
                   c = call(OP_KMAP_ATOMIC, high, 0);
    count = 0;
    is_u64(space_mappings(m, high, NULL, note), 3, "a HighMem page has three addresses");
    ok(has(a) && has(b) && has(c), "vmap's, kmap's and kmap_atomic's");
    count = 0;
    is_u64(space_mappings(m, 0x2000, NULL, note), 1, "a page of low memory has one");
    is_hex(seen[0], m->vm->kspace.page_offset + 0x2000000, "that of the direct map");
    is_u64(space_pkmap(m, 1).frame, high, "pkmap slot 1");
    is_u64(space_pkmap(m, 1).count, 2, "with one user");
    ok(space_kmap_slot(m, 0, 0).used && space_kmap_slot(m, 0, 0).frame == high &&
           space_kmap_depth(m, 0) == 1,
       "CPU 0's first slot");
    char use[200];
    frame_use_text(use, sizeof use, m, 0x1000);
    is_str(use, "kernel text", "a frame's use");
    frame_use_text(use, sizeof use, m, m->vm->pgd);
    is_str(use, "page table of level 2 of the kernel's", "another's");
    machine_destroy(m);
}

static void test_vmallocinfo(void)
{
    char text[1000];
    start(ARCH_I386, "80M");
    call(OP_VMALLOC, 10000, 0);
    call(OP_IOREMAP, 0xfebc0000, 8192);
    call(OP_VFREE, call(OP_VMALLOC, 4096, 0), 0);
    proc_vmallocinfo(text, sizeof text, m);
    is_str(text,
           "0xc57e0000-0xc57e4000   16384 vmalloc+0x0/0x0 pages=3 vmalloc\n"
           "0xc57e4000-0xc57e7000   12288 ioremap+0x0/0x0 phys=0xfebc0000 ioremap\n"
           "0xc57e7000-0xc57e9000    8192 unpurged vm_area\n",
           "/proc/vmallocinfo");
    machine_destroy(m);
}

int main(void)
{
    test_ranges(ARCH_I386, "i386");
    test_ranges(ARCH_X86_64, "x86-64");
    test_mappings();
    test_vmallocinfo();
    return done_testing();
}
