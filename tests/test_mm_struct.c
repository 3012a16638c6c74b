/* Address spaces: areas, page faults, switching, shootdowns; and random operations
 * against a model of what each byte must be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "bad_reasons.h"
#include "inspect_hw.h"
#include "mm_struct.h"
#include "pgtable.h"
#include "prng.h"

static struct machine *m;
static struct event_log event_log;

static uint64_t on(uint32_t cpu, enum op_kind kind, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d)
{
    const struct op op = {
        .kind = (uint16_t)kind, .cpu = (uint8_t)cpu, .arg = {a, b, c, d}};
    watch(m, &event_log);
    const uint64_t result = machine_do(m, &op);
    unwatch(m);
    return result;
}
static uint64_t load(uint32_t cpu, uint64_t va, enum access_mode mode)
{
    return on(cpu, OP_LOAD, va, 4, mode, 0);
}
static bool store(uint32_t cpu, uint64_t va, uint64_t value, enum access_mode mode)
{
    return on(cpu, OP_STORE, va, 4, value, mode);
}
static bool saw(enum event_kind kind) { return find_event(&event_log, (uint16_t)kind); }
static bool was_in(enum fn fn)
{
    for (uint32_t i = 0; i < m->probe.depth && i < PROBE_STACK; i++) {
        if (m->probe.stack[i].fn == fn) {
            return true;
        }
    }
    return false;
}

static struct machine_config config_of(enum arch arch, const char *settings)
{
    struct machine_config c;
    config_init(&c, arch);
    c.ram_bytes = (uint64_t)64 << 20;
    c.cpus = 3;
    config_words(&c, settings);
    return c;
}

static void begin(enum arch arch, const char *settings)
{
    const struct machine_config c = config_of(arch, settings);
    m = boot(&c);
}
static void end(const char *what)
{
    is_str(machine_check(m), NULL, "%s: invariants", what);
    machine_destroy(m);
}

/* In the buddy system, with nothing on CPUs' lists. */
static uint64_t free_pages(void)
{
    uint64_t n = 0;
    on(0, OP_DRAIN_ALL_PAGES, 0, 0, 0, 0);
    for (uint32_t z = 0; z < machine_nr_zones(m); z++) {
        for (uint32_t order = 0; order < m->config.max_order; order++) {
            n += free_area_count(m, z, order) << order;
        }
    }
    return n;
}

/* ---- stories ---- */

static const struct {
    enum arch arch;
    const char *settings, *name;
    uint32_t tables; /* of an address space with one page */
} kinds[] = {
    {ARCH_I386, "", "i386", 2},
    {ARCH_I386_PAE, "", "PAE", 5}, /* pointers, three directories, one table */
    {ARCH_X86_64, "", "x86-64", 4},
    {ARCH_X86_64, "la57=true pcid=true", "x86-64, five levels", 5},
};
enum { NR_KINDS = sizeof kinds / sizeof *kinds };

static bool in_anonymous;
static void look_at_stack(struct machine *machine, const struct event *ev)
{
    if (ev->kind == EV_SET_PTE) {
        (void)machine;
        in_anonymous |= was_in(FN_exc_page_fault) && was_in(FN_do_user_addr_fault) &&
                        was_in(FN_handle_mm_fault) && was_in(FN_do_anonymous_page);
    }
}

static void test_life(size_t k)
{
    const char *name = kinds[k].name;
    begin(kinds[k].arch, kinds[k].settings);
    const uint64_t before = free_pages();
    const uint64_t mm = on(0, OP_MM_CREATE, 0, 0, 0, 0);
    const uint64_t va = on(0, OP_MMAP, mm, 0, 64 << 10, VM_READ | VM_WRITE);
    ok(mm && va, "%s: an address space with an area", name);
    on(0, OP_SWITCH_MM, mm, 0, 0, 0);
    in_anonymous = false;
    event_log.at = look_at_stack;
    ok(store(0, va, 0x1234, MODE_USER), "%s: a store into it", name);
    event_log.at = NULL;
    ok(in_anonymous, "%s: ... went through do_anonymous_page", name);
    is_u64(load(0, va, MODE_USER), 0x1234, "%s: ... is read again", name);
    is_u64(load(0, va, MODE_KERNEL), 0x1234, "%s: ... by the kernel, too", name);
    const struct mm_struct *as = as_find(m, mm);
    is_u64(as->nr_tables, kinds[k].tables, "%s: tables", name);
    is_u64(as->nr_pages, 1, "%s: one page", name);
    /* the zero page, and the copy of it */
    is_u64(load(0, va + 0x5000, MODE_USER), 0, "%s: what was never written is 0", name);
    is_u64(as->nr_pages, 1, "%s: ... and takes no page", name);
    ok(store(0, va + 0x5004, 7, MODE_USER) && saw(EV_PTE_CLEAR),
       "%s: the first store after it flushes the zero page's entry", name);
    is_u64(load(0, va + 0x5004, MODE_USER), 7, "%s: ... into a page of its own", name);
    is_u64(as->nr_pages, 2, "%s: two pages", name);
    /* across two pages, both missing */
    ok(store(0, va + 0x8ffe, 0xaabbccdd, MODE_USER), "%s: a store across a border", name);
    is_u64(load(0, va + 0x8ffe, MODE_USER), 0xaabbccdd, "%s: ... is read again", name);
    is_u64(as->nr_pages, 4, "%s: four pages", name);
    ok(!store(0, 0x1000, 1, MODE_USER) && saw(EV_SIGSEGV), "%s: SIGSEGV where no area is",
       name);
    ok(!store(0, 0x1000, 1, MODE_KERNEL) && saw(EV_PAGE_FAULT_OOPS),
       "%s: an oops of the kernel there", name);
    ok(!store(0, 0x1000, 1, MODE_UACCESS) && saw(EV_FIXUP),
       "%s: but -EFAULT where it expected that", name);
    ok(!load(0, m->vm->kspace.page_offset, MODE_USER) && saw(EV_SIGSEGV),
       "%s: user mode may not read the kernel", name);
    ok(on(0, OP_MPROTECT, mm, va, 0x1000, VM_READ), "%s: mprotect", name);
    ok(!store(0, va, 1, MODE_USER) && saw(EV_SIGSEGV), "%s: ... takes the right to write",
       name);
    ok(on(0, OP_MPROTECT, mm, va, 0x1000, 0) && !load(0, va, MODE_USER) &&
           saw(EV_SIGSEGV),
       "%s: PROT_NONE", name);
    ok(on(0, OP_MPROTECT, mm, va, 0x1000, VM_READ | VM_WRITE) &&
           load(0, va, MODE_USER) == 0x1234 && store(0, va, 5, MODE_USER),
       "%s: ... and back, with what was there", name);
    is_str(machine_check(m), NULL, "%s: invariants on the way", name);
    ok(on(0, OP_MUNMAP, mm, va, 0x2000, 0) && !load(0, va, MODE_USER), "%s: munmap",
       name);
    is_u64(as->nr_pages, 3, "%s: three pages", name);
    on(0, OP_MM_EXIT, mm, 0, 0, 0);
    is_u64(free_pages(), before, "%s: after its exit all pages are free again", name);
    ok(!as_find(m, mm), "%s: and the number, too", name);
    end(name);
}

/* Frees by somebody who has no business with the page. */
static uint32_t refused(uint64_t frame, uint64_t order)
{
    on(0, OP_FREE_PAGES, frame, order, 0, 0);
    const struct event *ev = find_event(&event_log, EV_BAD_FREE);
    return ev ? (uint32_t)ev->arg[2] : 0;
}

static uint64_t early; /* a page that an interrupt frees before its owner has it */
static void free_early(struct machine *machine, const struct event *ev)
{
    if (ev->kind == EV_MM_PAGE_ALLOC && early == PFN_NONE) {
        early = ev->arg[0];
        machine_do_nested(machine,
                          &(struct op){.kind = OP_FREE_PAGES, .arg = {early, 0}});
    }
}

static void test_kept(size_t k)
{
    const char *name = kinds[k].name;
    begin(kinds[k].arch, kinds[k].settings);
    on(0, OP_VMALLOC, 5 << PAGE_SHIFT, GFP_KERNEL, 0, 0); /* the kernel's own tables */
    const uint64_t before = free_pages();
    const uint64_t mm = on(0, OP_MM_CREATE, 0, 0, 0, 0);
    const uint64_t va = on(0, OP_MMAP, mm, 0, 64 << 10, VM_READ | VM_WRITE);
    on(0, OP_SWITCH_MM, mm, 0, 0, 0);
    store(0, va, 0x1234, MODE_USER);
    const struct as_entry leaf = as_find_entry(m, mm, va);
    const uint64_t wrong[] = {as_find(m, mm)->pgd, leaf.at >> PAGE_SHIFT,
                              pgtable_frame(m, leaf.value)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        is_u64(refused(wrong[i], 0), BAD_KEPT,
               "%s: free of a table or a mapped page, %zu", name, i);
        ok(refused(wrong[i], 3) && !machine_check(m), "%s: with a wrong order", name);
    }
    is_u64(load(0, va, MODE_USER), 0x1234, "%s: the page is still there", name);
    early = PFN_NONE;
    event_log.at = free_early;
    is_u64(on(0, OP_MM_CREATE, 0, 0, 0, 0), 0, "%s: a table freed at once: none", name);
    ok(saw(EV_BAD_FREE) && early != PFN_NONE, "%s: ... is reported", name);
    early = PFN_NONE;
    ok(!store(0, va + 0x3000, 5, MODE_USER) && early != PFN_NONE,
       "%s: so is a page for a process", name);
    is_str(machine_check(m), NULL, "%s: invariants on the way", name);
    event_log.at = NULL;
    ok(store(0, va + 0x3000, 5, MODE_USER), "%s: the next try has one", name);
    on(0, OP_MM_EXIT, mm, 0, 0, 0);
    is_u64(free_pages(), before, "%s: after its exit all pages are free again", name);
    end(name);
}

static void test_shootdown(size_t k)
{
    const char *name = kinds[k].name;
    begin(kinds[k].arch, kinds[k].settings);
    const uint64_t mm = on(0, OP_MM_CREATE, 0, 0, 0, 0);
    const uint64_t va = on(0, OP_MMAP, mm, 0, 64 << 10, VM_READ | VM_WRITE);
    for (uint32_t cpu = 0; cpu < 3; cpu++) {
        on(cpu, OP_SWITCH_MM, mm, 0, 0, 0);
        store(cpu, va, cpu, MODE_USER);
    }
    is_u64(load(0, va, MODE_USER), 2, "%s: CPUs see each other's stores", name);
    on(2, OP_SWITCH_MM, 0, 0, 0, 0);
    on(0, OP_MUNMAP, mm, va, 0x1000, 0);
    uint32_t acks = 0;
    for (uint32_t i = 0; i < event_log.nr; i++) {
        acks += event_log.event[i].kind == EV_IPI_ACK;
    }
    is_u64(acks, 1, "%s: the busy CPU is interrupted, the lazy one is not", name);
    ok(!load(1, va, MODE_USER), "%s: it has forgotten the page", name);
    on(2, OP_SWITCH_MM, mm, 0, 0, 0);
    ok(saw(EV_LOAD_CR3) && !load(2, va, MODE_USER),
       "%s: the lazy one catches up when it is busy again", name);
    /* interrupts off: late */
    on(0, OP_STORE, va + 0x2000, 4, 77, MODE_USER);
    load(1, va + 0x2000, MODE_USER);
    on(1, OP_LOCAL_IRQ_DISABLE, 0, 0, 0, 0);
    on(0, OP_MUNMAP, mm, va + 0x2000, 0x1000, 0);
    ok(saw(EV_IPI_PENDING), "%s: who has interrupts off is asked all the same", name);
    struct access_view v;
    hw_peek(m, 1, va + 0x2000, ACCESS_READ, true, &v);
    ok(v.tlb.hit, "%s: ... keeps its entry", name);
    on(1, OP_LOCAL_IRQ_ENABLE, 0, 0, 0, 0);
    hw_peek(m, 1, va + 0x2000, ACCESS_READ, true, &v);
    ok(!v.tlb.hit && saw(EV_TLB_FLUSH), "%s: ... and throws it out when they are on",
       name);
    end(name);
}

static void test_asids(void)
{
    begin(ARCH_X86_64, "pcid=true cpus=1");
    uint64_t mm[8], va[8]; /* each in a set of its own */
    for (uint32_t i = 0; i < 8; i++) {
        mm[i] = on(0, OP_MM_CREATE, 0, 0, 0, 0);
        va[i] = 0x400000 + 0x1000 * i;
        on(0, OP_MMAP, mm[i], va[i], 0x1000, VM_READ | VM_WRITE);
    }
    for (uint32_t i = 0; i < 5; i++) {
        on(0, OP_SWITCH_MM, mm[i], 0, 0, 0);
        store(0, va[i], 100 + i, MODE_USER);
    }
    const uint64_t walks = hardware_cpu(m, 0)->s->n.walks;
    bool kept = true, right = true;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 5; i++) {
            on(0, OP_SWITCH_MM, mm[i], 0, 0, 0);
            const struct event *cr3 = find_event(&event_log, EV_LOAD_CR3);
            kept = kept && cr3 && cr3->arg[3];
            right = right && load(0, va[i], MODE_USER) == 100 + i;
        }
    }
    ok(kept && right, "five address spaces take turns: no CR3 load flushes");
    is_u64(hardware_cpu(m, 0)->s->n.walks, walks, "... and nobody walks again");
    for (uint32_t i = 5; i < 8; i++) {
        on(0, OP_SWITCH_MM, mm[i], 0, 0, 0);
        store(0, va[i], 100 + i, MODE_USER);
    }
    on(0, OP_SWITCH_MM, mm[0], 0, 0, 0);
    const struct event *cr3 = find_event(&event_log, EV_LOAD_CR3);
    ok(cr3 && !cr3->arg[3] && load(0, va[0], MODE_USER) == 100,
       "the ninth has taken a place: its first owner is flushed when it comes back");
    /* a flush that comes while it is away */
    on(0, OP_SWITCH_MM, mm[7], 0, 0, 0);
    on(0, OP_MUNMAP, mm[0], va[0], 0x1000, 0);
    on(0, OP_SWITCH_MM, mm[0], 0, 0, 0);
    cr3 = find_event(&event_log, EV_LOAD_CR3);
    ok(cr3 && !cr3->arg[3] && !load(0, va[0], MODE_USER),
       "who missed a flush while it was away is flushed (tlb_gen)");
    end("PCIDs");
}

static void test_kernel_half(void)
{
    begin(ARCH_I386, "vmalloc_fault=true");
    const uint64_t mm = on(0, OP_MM_CREATE, 0, 0, 0, 0);
    const uint64_t area = on(0, OP_VMALLOC, 4096, 0, 0, 0);
    on(0, OP_SWITCH_MM, mm, 0, 0, 0);
    ok(store(0, area, 9, MODE_KERNEL) && saw(EV_PGD_SYNC),
       "i386: a new kernel table comes by vmalloc_fault");
    is_u64(load(0, area, MODE_KERNEL), 9, "... once");
    on(0, OP_VFREE, area, 0, 0, 0);
    ok(!load(0, area + (64 << 20), MODE_KERNEL) && saw(EV_PAGE_FAULT_OOPS),
       "what the kernel has not mapped either is an oops");
    char text[2000];
    const struct event *oops = find_event(&event_log, EV_PAGE_FAULT_OOPS);
    report_format(text, sizeof text, m, oops);
    ok(strstr(text, "BUG: unable to handle page fault for address: ") &&
           strstr(text, "#PF: supervisor read access in kernel mode") &&
           strstr(text, "#PF: error_code(0x0000) - not-present page"),
       "as the kernel prints it");
    end("kernel half");
}

static void test_smap(void)
{
    begin(ARCH_X86_64, "smap=true smep=true");
    const uint64_t mm = on(0, OP_MM_CREATE, 0, 0, 0, 0);
    const uint64_t va = on(0, OP_MMAP, mm, 0, 4096, VM_ALL);
    on(0, OP_SWITCH_MM, mm, 0, 0, 0);
    ok(store(0, va, 3, MODE_USER), "SMAP: user mode writes its page");
    ok(!load(0, va, MODE_KERNEL) && saw(EV_PAGE_FAULT_OOPS),
       "... the kernel may not read it");
    is_u64(load(0, va, MODE_UACCESS), 3, "... but where it says so");
    ok(on(0, OP_FETCH, va, MODE_USER, 0, 0), "SMEP: user mode runs its page");
    ok(!on(0, OP_FETCH, va, MODE_KERNEL, 0, 0) && saw(EV_PAGE_FAULT_OOPS),
       "... the kernel may not");
    ok(!load(0, (uint64_t)1 << 62, MODE_USER) && saw(EV_SIGSEGV),
       "an address that is not canonical");
    end("SMAP");
}

static void test_single_pages(size_t k)
{
    const char *name = kinds[k].name;
    begin(kinds[k].arch, kinds[k].settings);
    const uint64_t mm = on(0, OP_MM_CREATE, 0, 0, 0, 0), va = 0x10000000;
    const uint64_t a = on(0, OP_ALLOC_PAGES, GFP_KERNEL, 0, 0, 0);
    const uint64_t b = on(0, OP_ALLOC_PAGES, GFP_KERNEL, 0, 0, 0);
    on(0, OP_SWITCH_MM, mm, 0, 0, 0);
    ok(on(0, OP_MAP_PAGE, mm, va, a, PTE_W | PTE_U) &&
           on(0, OP_MAP_PAGE, mm, va + 0x1000, a, PTE_U) && store(0, va, 42, MODE_USER),
       "%s: one page under two addresses", name);
    is_u64(load(0, va + 0x1000, MODE_USER), 42, "%s: physical tags: no alias", name);
    ok(!store(0, va + 0x1000, 1, MODE_USER) && saw(EV_SIGSEGV), "%s: one is read-only",
       name);
    ok(!on(0, OP_MAP_PAGE, mm, va, b, PTE_U), "%s: a second page there is refused", name);
    ok(on(0, OP_UNMAP_PAGE, mm, va, false, 0) &&
           on(0, OP_MAP_PAGE, mm, va, b, PTE_W | PTE_U),
       "%s: another page at the same address, without a flush", name);
    is_u64(load(0, va, MODE_USER), 42, "%s: the stale entry reads the old page", name);
    on(0, OP_INVLPG, va, 0, 0, 0);
    is_u64(load(0, va, MODE_USER), 0, "%s: after invlpg the new one", name);
    /* a large page */
    const uint32_t shift = pgtable_shift(m, 2);
    const uint64_t large = (uint64_t)1 << shift, frame = large >> PAGE_SHIFT;
    if (kinds[k].arch != ARCH_I386 || m->config.hw.pse) {
        ok(on(0, OP_MAP_PAGE, mm, 2 * va, frame, PTE_U | MAP_LARGE), "%s: a large page",
           name);
        struct access_view v;
        load(0, 2 * va + 0x3000, MODE_USER);
        hw_peek(m, 0, 2 * va + 0x5000, ACCESS_READ, true, &v);
        ok(v.tlb.hit && v.pa == large + 0x5000, "%s: one entry for all of it", name);
    }
    on(0, OP_MM_EXIT, mm, 0, 0, 0);
    on(0, OP_FREE_PAGES, a, 0, 0, 0);
    on(0, OP_FREE_PAGES, b, 0, 0, 0);
    end(name);
}

/* ---- random operations and a model ---- */

enum { MODEL_MMS = 3, MODEL_PAGES = 24, STEPS = 4000 };
static struct {
    uint64_t mm;
    bool mapped[MODEL_PAGES];
    uint32_t word[MODEL_PAGES];
} model[MODEL_MMS];

static void test_random(size_t k, const char *settings, uint64_t seed)
{
    struct prng rng = {.state = seed};
    char all[200];
    snprintf(all, sizeof all, "%s%s%s", kinds[k].settings, *kinds[k].settings ? " " : "",
             settings);
    begin(kinds[k].arch, all);
    const uint64_t before = free_pages(), base = 0x20000000;
    uint32_t runs[3] = {0}, wrong = 0, faults = 0;
    const char *broken = NULL;
    memset(model, 0, sizeof model);
    for (uint32_t step = 0; step < STEPS && !broken && !wrong; step++) {
        const uint32_t cpu = (uint32_t)prng_below(&rng, 3),
                       what = (uint32_t)prng_below(&rng, 100);
        const uint32_t i = (uint32_t)prng_below(&rng, MODEL_MMS);
        const uint32_t page = (uint32_t)prng_below(&rng, MODEL_PAGES);
        const uint64_t va =
            base + ((uint64_t)page << PAGE_SHIFT) * (page % 3 ? 1 : 0x101) + 8 * i;
        if (!model[i].mm) {
            memset(&model[i], 0, sizeof model[i]);
            model[i].mm = on(cpu, OP_MM_CREATE, 0, 0, 0, 0);
        } else if (what < 2) {
            on(cpu, OP_MM_EXIT, model[i].mm, 0, 0, 0);
            for (uint32_t c = 0; c < 3; c++) {
                runs[c] = runs[c] == i + 1 ? 0 : runs[c];
            }
            model[i].mm = 0;
        } else if (what < 12) {
            on(cpu, OP_SWITCH_MM, what == 2 ? 0 : model[i].mm, 0, 0, 0);
            runs[cpu] = what == 2 ? 0 : i + 1;
        } else if (what < 25) {
            on(cpu, OP_MMAP, model[i].mm, va & ~(uint64_t)4095, 4096, VM_READ | VM_WRITE);
            model[i].mapped[page] = true;
            model[i].word[page] = 0;
        } else if (what < 30) {
            on(cpu, OP_MUNMAP, model[i].mm, va & ~(uint64_t)4095, 4096, 0);
            model[i].mapped[page] = false;
        } else if (what < 32) {
            on(cpu, what & 1 ? OP_LOCAL_IRQ_DISABLE : OP_LOCAL_IRQ_ENABLE, 0, 0, 0, 0);
            on(cpu, OP_LOCAL_IRQ_ENABLE, 0, 0, 0, 0);
        } else if (runs[cpu]) {
            const uint32_t r = runs[cpu] - 1;
            const uint64_t at = va - 8 * i + 8 * r;
            if (what < 65) {
                const uint32_t value = (uint32_t)prng_next(&rng);
                const bool done = store(cpu, at, value, MODE_USER);
                wrong += done != model[r].mapped[page];
                model[r].word[page] = done ? value : model[r].word[page];
            } else {
                const uint64_t got = load(cpu, at, MODE_USER);
                const struct last_access last = hw_last_access(m, cpu);
                wrong += last.done != model[r].mapped[page] ||
                         (last.done && got != model[r].word[page]);
            }
            faults += saw(EV_SIGSEGV);
        }
        broken = step % 16 ? NULL : machine_check(m);
        if (wrong) {
            diag("step %u, CPU %u, process %u, page %u, what %u", step, cpu, i, page,
                 what);
        }
    }
    for (uint32_t i = 0; i < MODEL_MMS; i++) {
        if (model[i].mm) {
            on(0, OP_MM_EXIT, model[i].mm, 0, 0, 0);
        }
    }
    broken = broken ? broken : machine_check(m);
    is_str(broken, NULL, "%s %s: invariants hold", kinds[k].name, settings);
    ok(!wrong && faults > 10, "%s %s: each load is the model's, %u faults", kinds[k].name,
       settings, faults);
    is_u64(free_pages(), before, "%s %s: all tables and pages are free again",
           kinds[k].name, settings);
    machine_destroy(m);
}

int main(void)
{
    for (size_t k = 0; k < NR_KINDS; k++) {
        test_life(k);
        test_kept(k);
        test_shootdown(k);
        test_single_pages(k);
        test_random(k, "tags=vipt", 11 + k);
        test_random(
            k, "tags=pipt l1d=1K,2,32 l1i=1K,2,32 l2=8K,4,64 dtlb=8,2 itlb=4,4 stlb=none",
            77 + k);
    }
    test_random(2, "pcid=true dtlb=4,4 stlb=8,2 psc=4,2,2", 5);
    test_random(2, "pcid=true l2_shared=true", 6);
    test_asids();
    test_kernel_half();
    test_smap();
    return done_testing();
}
