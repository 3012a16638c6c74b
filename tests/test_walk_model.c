/* The kernel's page tables, all of them, against a list that the test keeps: after random
 * mappings and their ends, what a walk from the root finds is exactly what the list says,
 * and the direct map besides.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect_hw.h"
#include "inspect_space.h"
#include "memsys.h"
#include "prng.h"
#include "tap.h"
#include "vm.h"

enum { MOST_AREAS = 60, MOST_PAGES = 12, MOST_FOUND = 1 << 15 };

struct known { /* what the test has asked for */
    uint64_t va, nr;
    uint64_t frame[MOST_PAGES]; /* of each page; vmalloc's: as first seen */
    bool together;              /* frame[0] and so on */
    enum op_kind kind;
};

struct found { /* a page; a large page is many */
    uint64_t va, frame;
    bool taken;
};

static struct machine *m;
static struct known area[MOST_AREAS];
static uint32_t nr_areas;
static struct found list[MOST_FOUND];
static uint32_t nr_found, nr_taken;
static uint64_t direct_bytes; /* mapped by the direct map */
static const char *wrong;

static uint64_t call(enum op_kind kind, uint64_t a, uint64_t b)
{
    const struct op op = {.kind = (uint16_t)kind, .arg = {a, b}};
    return machine_do(m, &op);
}

/* ---- what the tables say ---- */

static bool is_window(uint64_t va)
{
    const struct kspace *l = &m->vm->kspace;
    return (va >= l->vmalloc_start && va < l->vmalloc_end) ||
           (l->last_pkmap && va >= l->pkmap_base &&
            va < kspace_pkmap_addr(l, l->last_pkmap));
}

static void see(uint64_t va, uint64_t pa, uint64_t bytes)
{
    const struct kspace *l = &m->vm->kspace;
    if (kspace_is_direct(l, va)) {
        direct_bytes += bytes;
        if (pa != va - l->page_offset) {
            wrong = "the direct map leads elsewhere";
        }
    } else if (is_window(va)) {
        for (uint64_t at = 0; at < bytes && nr_found < MOST_FOUND; at += PAGE_SIZE) {
            list[nr_found++] = (struct found){va + at, (pa + at) >> PAGE_SHIFT, false};
        }
    }
}

static void walk_table(const struct table_view *t)
{
    struct entry_view e;
    struct table_view below;
    for (uint32_t i = 0; i < t->entries && hw_next_entry(m, t, i, &e); i = e.index + 1) {
        if (!e.present) {
            continue;
        }
        if (e.page) {
            see(e.va, e.pa, (uint64_t)1 << t->shift);
        } else if (hw_table_below(m, t, &e, &below)) {
            walk_table(&below);
        }
    }
}

/* ---- what the test says ---- */

/* The list is sorted: tables are walked from their first entry on. */
static bool take(uint64_t va, uint64_t frame)
{
    uint32_t first = 0, end = nr_found;
    while (first < end) {
        const uint32_t middle = first + (end - first) / 2;
        if (list[middle].va < va) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    if (first == nr_found || list[first].va != va || list[first].frame != frame ||
        list[first].taken) {
        return false;
    }
    nr_taken++;
    return list[first].taken = true;
}

static uint64_t frame_of(const struct known *a, uint64_t page)
{
    return a->together ? a->frame[0] + page : a->frame[page];
}

static void compare(void)
{
    struct table_view root;
    nr_found = nr_taken = 0;
    direct_bytes = 0;
    hw_root_of_mm(m, 0, &root);
    walk_table(&root);
    for (uint32_t i = 0; i < nr_areas && !wrong; i++) {
        for (uint64_t k = 0; k < area[i].nr && !wrong; k++) {
            if (!take(area[i].va + (k << PAGE_SHIFT), frame_of(&area[i], k))) {
                wrong = "a mapping is missing, or leads elsewhere";
            }
        }
    }
    for (uint32_t slot = 0; slot < space_nr_pkmaps(m) && !wrong; slot++) {
        const struct pkmap_view v = space_pkmap(m, slot);
        if (v.count && !take(v.va, v.frame)) {
            wrong = "a slot of kmap has no entry";
        }
    }
    if (nr_found != nr_taken && !wrong) {
        wrong = "something is mapped that nobody asked for";
    }
}

/* The frame that the tables give for va now; only for vmalloc, whose pages nobody else
 * knows. */
static uint64_t frame_now(uint64_t va)
{
    struct walk w;
    return hw_walk(m, 0, va, ACCESS_READ, false, &w) && w.fault.kind == FAULT_NONE
               ? tlb_entry_translate(w.entry, va).v >> PAGE_SHIFT
               : PFN_NONE;
}

/* ---- random operations ---- */

static void map_something(struct prng *r)
{
    struct known *a = &area[nr_areas];
    a->nr = 1 + prng_below(r, MOST_PAGES);
    a->together = false;
    switch (prng_below(r, 4)) {
    case 0:
        a->kind = OP_VMALLOC;
        a->va = call(OP_VMALLOC, a->nr << PAGE_SHIFT, 0);
        for (uint64_t k = 0; a->va && k < a->nr; k++) {
            a->frame[k] = frame_now(a->va + (k << PAGE_SHIFT));
        }
        break;
    case 1:
        a->kind = OP_VMAP;
        for (uint64_t k = 0; k < a->nr; k++) {
            a->frame[k] = 0x800 + prng_below(r, 0x800);
            call(OP_VMAP_PAGE, a->frame[k], 0);
        }
        a->va = call(OP_VMAP, a->nr, 0);
        break;
    case 2: /* large pages, where their addresses allow it */
        a->kind = OP_IOREMAP;
        a->together = true;
        a->nr += prng_one_in(r, 3) ? 1024 : 512 - MOST_PAGES / 2;
        a->frame[0] = 0xf0000 + 512 * prng_below(r, 8) + prng_below(r, 2);
        a->va = call(OP_IOREMAP, a->frame[0] << PAGE_SHIFT, a->nr << PAGE_SHIFT);
        break;
    default:
        a->kind = OP_IOREMAP;
        a->together = true;
        a->frame[0] = 0xfe000 + prng_below(r, 0x800);
        a->va = call(OP_IOREMAP, a->frame[0] << PAGE_SHIFT, a->nr << PAGE_SHIFT);
        break;
    }
    nr_areas += a->va != 0;
}

static void unmap_something(struct prng *r)
{
    const uint32_t i = (uint32_t)prng_below(r, nr_areas);
    call(area[i].kind == OP_VMALLOC ? OP_VFREE
         : area[i].kind == OP_VMAP  ? OP_VUNMAP
                                    : OP_IOUNMAP,
         area[i].va, 0);
    area[i] = area[--nr_areas];
}

static void check_machine(enum arch arch, const char *ram, const char *highmem,
                          uint64_t seed)
{
    struct machine_config c;
    struct prng r = {seed};
    char err[300];
    uint64_t used[8], nr_used = 0;
    config_init(&c, arch);
    config_set(&c, "ram", ram, err, sizeof err);
    if (highmem) {
        config_set(&c, "highmem", highmem, err, sizeof err);
    }
    m = machine_create(&c, NULL, err, sizeof err);
    if (!m) {
        bail_out("%s", err);
    }
    nr_areas = 0;
    wrong = NULL;
    compare();
    const uint64_t direct = direct_bytes;
    for (int step = 0; step < 400 && !wrong; step++) {
        const uint64_t what = prng_below(&r, 10);
        if (what < 4 && nr_areas < MOST_AREAS) {
            map_something(&r);
        } else if (what < 7 && nr_areas) {
            unmap_something(&r);
        } else if (what == 7 && nr_used < 8) {
            used[nr_used] = call(OP_ALLOC_PAGES, GFP_HIGHUSER, 0);
            nr_used += call(OP_KMAP, used[nr_used], 0) != 0;
        } else if (what == 8 && nr_used) {
            call(OP_KUNMAP, used[--nr_used], 0);
        } else if (what == 9) {
            call(OP_VM_UNMAP_ALIASES, 0, 0);
        }
        compare();
        const char *broken = machine_check(m);
        wrong = wrong ? wrong : broken;
    }
    ok(!wrong, "%s, seed %" PRIu64 ": all mappings are those that were asked for%s%s",
       ram, seed, wrong ? ": " : "", wrong ? wrong : "");
    const struct kspace *l = &m->vm->kspace;
    ok(direct_bytes == direct && direct >= l->high_memory - l->page_offset,
       "the direct map has all low memory, as at boot: %" PRIu64 " bytes", direct);
    while (nr_areas) {
        unmap_something(&r);
    }
    compare();
    ok(!wrong, "and in the end nothing is left");
    machine_destroy(m);
}

int main(void)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        check_machine(ARCH_I386, "160M", "80M", seed);
        check_machine(ARCH_I386_PAE, "256M", "128M", seed);
        check_machine(ARCH_X86_64, "128M", NULL, seed);
    }
    done_testing();
}
