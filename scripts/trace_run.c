/* Running references and naming what was counted: see trace_run.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "machine.h"
#include "process.h"

struct trace_run {
    struct trace_setup setup;
    struct arena arena;
    struct probe probe;
    struct memsys memsys;
    struct ref_plan plan;
    uint64_t references;
    /* --mmu: the machine whose kernel gives frames to the process that runs the trace */
    struct machine *machine;
    struct process process;
};

/* The simulated kernel's page allocator, as its page fault handler would ask it. */
static uint64_t kernel_frame(void *ctx, bool for_table)
{
    const uint64_t gfp = for_table ? GFP_KERNEL | __GFP_ZERO : GFP_HIGHUSER_MOVABLE;
    const struct op op = {.kind = OP_ALLOC_PAGES, .arg = {gfp, 0}};
    return machine_do(ctx, &op);
}

static bool create_process(struct trace_run *r, char *err, size_t err_size)
{
    static const enum paging pagings[] = {[ARCH_I386] = PAGING_I386,
                                          [ARCH_I386_PAE] = PAGING_PAE,
                                          [ARCH_X86_64] = PAGING_4LEVEL};
    enum paging paging = pagings[r->setup.kernel.arch];
    if (paging == PAGING_4LEVEL && r->setup.kernel.la57) {
        paging = PAGING_5LEVEL;
    }
    r->machine = machine_create(&r->setup.kernel, &host_memory, err, err_size);
    if (!r->machine) {
        return false;
    }
    r->machine->probe.stop = UINT64_MAX;
    if (!process_create(&r->process, paging, &r->machine->ram, kernel_frame,
                        r->machine)) {
        snprintf(err, err_size, "the simulated machine has no page for a page table");
        return false;
    }
    return true;
}

/* First touches and misses' causes take memory as the trace goes: room for them is
 * reserved, not taken. */
static size_t arena_bytes(const struct memsys_config *c)
{
    size_t bytes = memsys_size_bytes(c) + ((size_t)1 << 20);
    bool grows = c->translation == TRANSLATE_FIRST_TOUCH || c->causes;
    return bytes + (grows ? (size_t)1 << 30 : 0);
}

struct trace_run *trace_run_create(const struct trace_setup *setup, char *err,
                                   size_t err_size)
{
    if (!trace_setup_check(setup, err, err_size)) {
        return NULL;
    }
    struct trace_run *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    r->setup = *setup;
    r->probe.stop = UINT64_MAX;
    r->plan = ref_plan(setup->as_reads);
    if (!arena_create(&r->arena, arena_bytes(&setup->machine), &host_memory)) {
        snprintf(err, err_size, "out of memory: smaller caches need less");
        free(r);
        return NULL;
    }
    if (setup->tables && !create_process(r, err, err_size)) {
        trace_run_destroy(r);
        return NULL;
    }
    if (setup->tables) {
        r->setup.machine.translation = TRANSLATE_TABLES;
    }
    if (!memsys_create(&r->memsys, &r->arena, setup->tables ? &r->machine->ram : NULL,
                       &r->probe, &r->setup.machine)) {
        snprintf(err, err_size, "out of memory: smaller caches need less");
        trace_run_destroy(r);
        return NULL;
    }
    r->memsys.index_kept = true;
    if (setup->tables) {
        memsys_set_mmu(&r->memsys, &r->process.mmu);
        r->memsys.on_fault = process_fault;
        r->memsys.on_fault_ctx = &r->process;
    }
    return r;
}

void trace_run_destroy(struct trace_run *r)
{
    if (r) {
        memsys_home(&r->memsys);
        arena_destroy(&r->arena);
        if (r->machine) {
            machine_destroy(r->machine);
        }
        free(r);
    }
}

/* A load, store or fetch of more than the two pages that the hardware takes at once: page
 * by page. It is still one access that straddles. */
static bool long_access(struct trace_run *r, const struct ref *ref,
                        enum access_kind access)
{
    static const uint32_t kinds[NR_ACCESS_KINDS] = {
        [ACCESS_READ] = REF_LOAD, [ACCESS_WRITE] = REF_STORE, [ACCESS_FETCH] = REF_FETCH};
    const struct memsys_config *c = &r->setup.machine;
    const enum side side = access == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const bool l1 = c->l1[side].ways;
    const bool tlb = c->tlb[side].entries && !(l1 && c->tagging >= TAG_VIVT);
    struct memsys_tally *n = &r->memsys.s->n;
    const uint64_t l1_straddle = n->l1_straddle[side] + l1,
                   tlb_straddle = n->tlb_straddle[side] + tlb;
    struct ref piece = {.va = ref->va, .kind = kinds[access]};
    for (uint32_t left = ref->size; left; left -= piece.size) {
        const uint32_t room = PAGE_SIZE - (uint32_t)(piece.va & (PAGE_SIZE - 1));
        piece.size = left < room ? left : room;
        if (!memsys_run(&r->memsys, &piece, 1, &r->plan)) {
            return false;
        }
        piece.va += piece.size;
    }
    n->l1_straddle[side] = l1_straddle;
    n->tlb_straddle[side] = tlb_straddle;
    return true;
}

static bool long_reference(struct trace_run *r, const struct ref *ref)
{
    const uint8_t second = r->plan.second[ref->kind];
    return long_access(r, ref, (enum access_kind)r->plan.first[ref->kind]) &&
           (second == NR_ACCESS_KINDS || long_access(r, ref, (enum access_kind)second));
}

/* Answers how many were done. */
static size_t run_refs(struct trace_run *r, const struct ref *refs, size_t n)
{
    size_t done = 0;
    while (done < n) {
        size_t end = done;
        while (end < n && refs[end].size <= PAGE_SIZE) {
            end++;
        }
        done += memsys_run(&r->memsys, refs + done, end - done, &r->plan);
        if (done < end || (done < n && !long_reference(r, &refs[done]))) {
            break;
        }
        done += done < n;
    }
    return done;
}

bool trace_run_refs(struct trace_run *r, const struct ref *refs, size_t n, char *err,
                    size_t err_size)
{
    uint32_t sizes = 0; /* ored: hardly ever is one of more than a page among them */
    for (size_t i = 0; i < n; i++) {
        sizes |= refs[i].size;
    }
    const size_t done = sizes > PAGE_SIZE ? run_refs(r, refs, n)
                                          : memsys_run(&r->memsys, refs, n, &r->plan);
    r->references += done;
    if (done == n) {
        return true;
    }
    if (r->memsys.out_of_memory) {
        snprintf(err, err_size,
                 "after %" PRIu64
                 " references: the trace touches more memory than 1 GiB of tables can "
                 "remember; causes=off and translation=identity need none",
                 r->references);
    } else if (r->process.no_memory) {
        snprintf(err, err_size,
                 "reference %" PRIu64
                 ": the simulated machine's memory is used up after %" PRIu64
                 " page faults; --set ram=SIZE makes it larger",
                 r->references + 1, r->process.faults);
    } else {
        snprintf(err, err_size,
                 "reference %" PRIu64 ": the access to 0x%" PRIx64
                 " faults, it is no address of this machine",
                 r->references + 1, refs[done].va);
    }
    return false;
}

void trace_run_process(const struct trace_run *r, uint64_t *page_faults, uint64_t *tables)
{
    *page_faults = r->process.faults;
    *tables = r->process.tables;
}

uint64_t trace_run_references(const struct trace_run *r) { return r->references; }
const struct memsys_tally *trace_run_counts(const struct trace_run *r)
{
    return &r->memsys.s->n;
}
const struct memsys *trace_run_memsys(const struct trace_run *r)
{
    memsys_home(&r->memsys);
    return &r->memsys;
}

struct cycles trace_run_cycles(const struct trace_run *r)
{
    return cost_of(r->setup.cost, &r->setup.machine, trace_run_counts(r));
}

/* All metrics, and where they are. */
bool trace_run_metric(const struct trace_run *r, size_t i, struct trace_metric *out)
{
    const struct memsys_tally *n = trace_run_counts(r);
    const struct memsys_config *c = &r->setup.machine;
    const bool caches = c->l1[SIDE_I].ways || c->l1[SIDE_D].ways, l2 = c->l2.ways;
    const bool tlbs = c->tlb[SIDE_I].entries || c->tlb[SIDE_D].entries;
    const bool back = !c->write_through;
    const struct {
        const char *name;
        uint64_t value;
        bool there;
    } all[] = {
        {"L1I.access", tally_l1_accesses(n, SIDE_I), caches},
        {"L1I.miss", tally_l1_misses(n, SIDE_I), caches},
        {"L1I.straddle", n->l1_straddle[SIDE_I], caches},
        {"L1D.access", tally_l1_accesses(n, SIDE_D), caches},
        {"L1D.miss", tally_l1_misses(n, SIDE_D), caches},
        {"L1D.wmiss", n->l1_miss[ACCESS_WRITE], caches},
        {"L1D.straddle", n->l1_straddle[SIDE_D], caches},
        {"L2.access", tally_l2_accesses(n), l2},
        {"L2.miss", tally_l2_misses(n), l2},
        {"L2.wb_in", n->l2_access[L2_VICTIM], l2 && back},
        {"L2.wb_miss", n->l2_miss[L2_VICTIM], l2 && back},
        {"L2.fetch_miss", n->l2_miss[L2_FETCH], l2 && back},
        {"MEM.wb_bytes", memsys_memory_bytes(&r->memsys), caches || l2},
        {"ITLB.access", n->tlb_access[SIDE_I], tlbs},
        {"ITLB.miss", n->tlb_miss[SIDE_I], tlbs},
        {"ITLB.straddle", n->tlb_straddle[SIDE_I], tlbs},
        {"DTLB.access", n->tlb_access[SIDE_D], tlbs},
        {"DTLB.miss", n->tlb_miss[SIDE_D], tlbs},
        {"DTLB.straddle", n->tlb_straddle[SIDE_D], tlbs},
        {"STLB.access", n->stlb_access, c->stlb.entries != 0},
        {"STLB.miss", n->stlb_miss, c->stlb.entries != 0},
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        if (all[k].there && i-- == 0) {
            snprintf(out->name, sizeof out->name, "%s", all[k].name);
            out->value = all[k].value;
            return true;
        }
    }
    return false;
}
