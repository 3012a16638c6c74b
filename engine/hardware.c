/* Each CPU's caches, TLBs and registers, and accesses through them: see hardware.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "hardware.h"

#include <stdlib.h>
#include <string.h>

#include "bad_reasons.h"
#include "mm_struct.h"
#include "pgtable.h"
#include "vm.h"

/* Field by field: configurations are compared as bytes, padding too. */
static void set_cache(struct cache_config *c, uint32_t kib, uint32_t ways, uint32_t line)
{
    c->sets = kib * 1024 / line / ways;
    c->ways = ways;
    c->line_bytes = line;
    c->policy = POLICY_LRU;
}

static void set_tlb(struct tlb_config *c, uint32_t entries, uint32_t ways)
{
    c->entries = entries;
    c->ways = ways;
    c->policy = POLICY_LRU;
}

void hardware_config_init(struct hardware_config *c, enum arch arch)
{
    memset(c, 0, sizeof *c);
    struct memsys_config *mem = &c->mem;
    if (arch == ARCH_X86_64) { /* Nehalem */
        set_cache(&mem->l1[SIDE_I], 32, 4, 64);
        set_cache(&mem->l1[SIDE_D], 32, 8, 64);
        set_cache(&mem->l2, 256, 8, 64);
        set_tlb(&mem->tlb[SIDE_I], 128, 4);
        set_tlb(&mem->tlb[SIDE_D], 64, 4);
        set_tlb(&mem->stlb, 512, 4);
    } else { /* Pentium III (Coppermine) */
        set_cache(&mem->l1[SIDE_I], 16, 4, 32);
        set_cache(&mem->l1[SIDE_D], 16, 4, 32);
        set_cache(&mem->l2, 256, 8, 32);
        set_tlb(&mem->tlb[SIDE_I], 32, 4);
        set_tlb(&mem->tlb[SIDE_D], 64, 4);
    }
    mem->tagging = TAG_VIPT;
    mem->coherent = mem->memory_types = mem->detect = true;
    mem->pat = PAT_LINUX;
    mem->wc_buffers = 4;
    mem->cost = cost_model_by_name(arch == ARCH_X86_64 ? "nehalem" : "pentium-m");
    c->pse = c->pge = c->intel = true;
    c->nx = arch != ARCH_I386; /* 32-bit entries have no bit for it */
    c->gbpages = arch == ARCH_X86_64;
}

static struct smp_config smp_config(const struct machine_config *c)
{
    struct smp_config smp = {.nr_cpus = c->cpus, .shared_l2 = c->hw.shared_l2};
    smp.cpu = c->hw.mem;
    if (!c->hw.traced) {
        smp.cpu.translation = TRANSLATE_TABLES;
        smp.cpu.data = true;
        for (uint32_t side = 0; side < NR_SIDES; side++) {
            smp.cpu.l1[side].seed = smp.cpu.tlb[side].seed = c->seed + side;
        }
        smp.cpu.l2.seed = smp.cpu.stlb.seed = c->seed + NR_SIDES;
    }
    return smp;
}

const char *hardware_config_error(const struct machine_config *c, const char **part)
{
    const struct smp_config smp = smp_config(c);
    return smp_config_error(&smp, part);
}

uint64_t hardware_arena_bytes(const struct machine_config *c)
{
    const struct smp_config smp = smp_config(c);
    /* each part begins a chunk; causes remember every line that was ever there, first
     * touches every page */
    const bool grows = smp.cpu.causes || smp.cpu.translation == TRANSLATE_FIRST_TOUCH;
    const uint64_t chunks = 16 + (grows ? 1 << 16 : 0);
    return sizeof(struct hardware_state) + 2 * (uint64_t)ARENA_CHUNK + as_arena_bytes(c) +
           smp_size_bytes(&smp) + c->cpus * chunks * ARENA_CHUNK;
}

bool hardware_create(struct machine *m)
{
    const struct smp_config smp = smp_config(&m->config);
    struct hardware *h = calloc(1, sizeof *h + smp.nr_cpus * sizeof *h->cpu);
    m->hardware = h;
    if (!h) {
        return false;
    }
    h->nr_cpus = smp.nr_cpus;
    h->s = arena_alloc(&m->arena, sizeof *h->s, ARENA_CHUNK);
    return h->s && smp_create(&h->smp, h->cpu, &m->arena, &m->ram, &m->probe, &smp) &&
           as_create_table(m);
}

static struct hardware_state *state_w(struct machine *m)
{
    arena_mark(&m->arena, m->hardware->s);
    return m->hardware->s;
}

static struct hardware_cpu *cpu_state_w(struct machine *m, uint32_t cpu)
{
    struct hardware_cpu *c = &m->hardware->s->cpu[cpu];
    arena_mark(&m->arena, c);
    arena_mark(&m->arena, (unsigned char *)(c + 1) - 1);
    return c;
}

void hardware_forget(struct machine *m)
{
    for (uint32_t i = 0; i < m->hardware->nr_cpus; i++) {
        memsys_forget(&m->hardware->cpu[i]);
    }
}

void hardware_reset(struct machine *m)
{
    struct hardware *h = m->hardware;
    struct mmu mmu;
    pgtable_mmu(m, &mmu);
    for (uint32_t i = 0; i < h->nr_cpus; i++) {
        struct memsys *cpu = &h->cpu[i];
        if (h->s->used) {
            memsys_flush_l1(cpu, SIDE_I, true, true);
            memsys_flush_l1(cpu, SIDE_D, true, true);
            memsys_flush_l2(cpu, true, true);
            memsys_flush_tlb(cpu, true);
        }
        memsys_set_mmu(cpu, &mmu);
    }
    if (h->s->used) {
        state_w(m)->used = false;
    }
    as_reset(m);
}

const struct memsys *hardware_cpu(const struct machine *m, uint32_t cpu)
{
    return cpu < m->hardware->nr_cpus ? &m->hardware->cpu[cpu] : NULL;
}

/* ---- memory as the kernel's own code changes it ---- */

bool hardware_read_phys(const struct machine *m, uint64_t pa, void *to, size_t n)
{
    const bool all = ram_read(&m->ram, paddr(pa), to, n);
    if (m->hardware->s->used && all) {
        memsys_read_newest(&m->hardware->cpu[0], pa, to, (uint32_t)n);
    }
    return all;
}

bool hardware_write_phys(struct machine *m, uint64_t pa, const void *from, size_t n)
{
    for (uint32_t i = 0; m->hardware->s->used && i < m->hardware->nr_cpus; i++) {
        memsys_snoop_write(&m->hardware->cpu[i], pa, from, n);
    }
    return ram_write(&m->ram, paddr(pa), from, n);
}

void hardware_clear_frames(struct machine *m, uint64_t frame, uint64_t nr)
{
    static const unsigned char zeros[PAGE_SIZE];
    for (uint64_t i = 0; i < nr; i++) {
        ram_discard(&m->ram, pfn(frame + i));
        for (uint32_t cpu = 0; m->hardware->s->used && cpu < m->hardware->nr_cpus;
             cpu++) {
            memsys_snoop_write(&m->hardware->cpu[cpu], (frame + i) << PAGE_SHIFT, zeros,
                               PAGE_SIZE);
        }
    }
}

/* ---- TLBs ---- */

cpu_mask hardware_all_cpus(const struct machine *m)
{
    return UINT64_MAX >> (64 - m->hardware->nr_cpus);
}

/* ---- accesses ---- */

bool hardware_in_access(const struct machine *m, uint32_t cpu)
{
    return m->hardware->s->cpu[cpu].in_access;
}

static void set_mode(struct memsys *cpu, uint32_t mode)
{
    const bool user = mode == MODE_USER, ac = mode == MODE_UACCESS;
    if (cpu->s->mmu.user != user || cpu->s->mmu.ac != ac) {
        struct mmu mmu = cpu->s->mmu;
        mmu.user = user;
        mmu.ac = ac;
        memsys_set_mmu(cpu, &mmu);
    }
}

/* One instruction's access; false: it faulted. */
static bool try_access(struct machine *m, const struct hardware_access *a, void *bytes)
{
    struct memsys *cpu = &m->hardware->cpu[m->probe.cpu];
    struct hardware_cpu *state = cpu_state_w(m, m->probe.cpu);
    state_w(m)->used = true;
    state->in_access++;
    set_mode(cpu, a->mode);
    bool done = memsys_access(cpu, a->va, a->size, (enum access_kind)a->kind, bytes);
    cpu_state_w(m, m->probe.cpu)->in_access--;
    return done;
}

bool hardware_kernel_access(struct machine *m, uint64_t va, uint32_t size, bool write,
                            void *bytes)
{
    const struct hardware_access a = {
        .va = va, .size = size, .kind = write ? ACCESS_WRITE : ACCESS_READ};
    return try_access(m, &a, bytes);
}

/* An instruction that touches two pages may fault on each, more than once where a table
 * is made or rights change on the way. */
enum { MAX_RESTARTS = 16 };

/* A tally is nothing but counts of 64 bits. */
static void tally_difference(struct memsys_tally *out, const struct memsys_tally *now,
                             const struct memsys_tally *before)
{
    uint64_t a[sizeof *out / 8], b[sizeof *out / 8];
    _Static_assert(sizeof a == sizeof *out, "only counts");
    memcpy(a, now, sizeof a);
    memcpy(b, before, sizeof b);
    for (size_t i = 0; i < sizeof a / 8; i++) {
        a[i] -= b[i];
    }
    memcpy(out, a, sizeof a);
}

/* What is no mode is refused by access(). */
static uint8_t mode_of(uint64_t mode)
{
    return mode > MODE_UACCESS ? MODE_UACCESS + 1 : (uint8_t)mode;
}

static uint64_t access(struct machine *m, const struct op *op, struct hardware_access *a)
{
    unsigned char bytes[HARDWARE_MAX_BYTES] = {0};
    const bool wide = m->vm->kspace.bits == 64;
    if (a->mode > MODE_UACCESS || a->size < 1 || a->size > HARDWARE_MAX_BYTES ||
        (!wide && a->va + a->size - 1 > UINT32_MAX) || a->va + a->size - 1 < a->va) {
        probe(&m->probe, EV_BAD_CALL, op->kind, a->va, BAD_WILD);
        return 0;
    }
    for (uint32_t i = 0; i < a->size && i < 8; i++) {
        bytes[i] = (unsigned char)(a->value >> 8 * i);
    }
    const struct memsys *cpu = &m->hardware->cpu[m->probe.cpu];
    const struct memsys_tally before = cpu->s->n;
    tlb_flush_pending(m);
    a->done = try_access(m, a, bytes);
    for (uint32_t tries = 0; !a->done && tries < MAX_RESTARTS; tries++) {
        struct fault f = cpu->s->fault;
        if (f.kind != FAULT_PAGE) {
            f.cr2 = a->va;
        }
        if (!exc_page_fault(m, &f, a->mode)) {
            break;
        }
        a->done = try_access(m, a, bytes);
    }
    tally_difference(&a->n, &cpu->s->n, &before);
    if (!a->done) {
        a->fault = cpu->s->fault;
    }
    a->there = true;
    a->value = 0;
    for (uint32_t i = 0; i < a->size && i < 8 && a->done; i++) {
        a->value |= (uint64_t)bytes[i] << 8 * i;
    }
    cpu_state_w(m, m->probe.cpu)->last = *a;
    if (a->done) {
        probe(&m->probe, EV_ACCESS, a->kind, a->va, a->size, a->value);
    }
    return a->kind == ACCESS_READ ? a->value : a->done;
}

static uint64_t do_access(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    struct hardware_access a;
    memset(&a, 0, sizeof a);
    a.va = arg[0];
    switch (op->kind) {
    case OP_LOAD:
    case OP_STORE:
        a.kind = op->kind == OP_LOAD ? ACCESS_READ : ACCESS_WRITE;
        a.size = arg[1] <= HARDWARE_MAX_BYTES ? (uint32_t)arg[1] : 0;
        a.value = op->kind == OP_STORE ? arg[2] : 0;
        a.mode = mode_of(arg[op->kind == OP_LOAD ? 2 : 3]);
        break;
    default:
        a.kind = ACCESS_FETCH;
        a.size = !arg[2] ? 1 : arg[2] <= HARDWARE_MAX_BYTES ? (uint32_t)arg[2] : 0;
        a.mode = mode_of(arg[1]);
    }
    return access(m, op, &a);
}

/* By address: as the kernel does it, in its own mode. */
static uint64_t do_cache_op(struct machine *m, const struct op *op)
{
    const uint64_t *arg = op->arg;
    struct memsys *cpu = &m->hardware->cpu[m->probe.cpu];
    const bool all = op->kind == OP_CACHE_ALL;
    const uint64_t what = arg[all ? 0 : 1], where = arg[all ? 1 : 2];
    if (what < CACHE_CLEAN || what > CACHE_FLUSH || !where || where > OP_ALL) {
        probe(&m->probe, EV_BAD_CALL, op->kind, what, BAD_CACHE_OP);
        return 0;
    }
    state_w(m)->used = true;
    set_mode(cpu, MODE_UACCESS); /* clflush may touch user pages: with EFLAGS.AC */
    /* One instruction, as wbinvd is: what an interrupt stored between a line's write-back
       and its being marked clean would be lost. */
    cpu_state_w(m, m->probe.cpu)->in_access++;
    const uint64_t result =
        op->kind == OP_CACHE_LINE
            ? memsys_op_line(cpu, arg[0], (enum cache_op)what, (unsigned)where)
        : op->kind == OP_CACHE_PAGE
            ? memsys_op_page(cpu, arg[0], (enum cache_op)what, (unsigned)where)
            : memsys_op_all(cpu, (enum cache_op)what, (unsigned)where);
    cpu_state_w(m, m->probe.cpu)->in_access--;
    return result;
}

static uint64_t do_dma(struct machine *m, const struct op *op)
{
    const uint64_t most = op->kind == OP_DMA_READ ? HARDWARE_MAX_BYTES : 8;
    unsigned char bytes[HARDWARE_MAX_BYTES] = {0};
    uint64_t value = 0;
    if (!op->arg[1] || op->arg[1] > most ||
        op->arg[0] >> PAGE_SHIFT >= m->ram.nr_frames) {
        probe(&m->probe, EV_BAD_CALL, op->kind, op->arg[0], BAD_WILD);
        return 0;
    }
    state_w(m)->used = true;
    cpu_state_w(m, m->probe.cpu)->in_access++; /* one transfer on the bus */
    if (op->kind == OP_DMA_WRITE) {
        for (uint32_t i = 0; i < op->arg[1]; i++) {
            bytes[i] = (unsigned char)(op->arg[2] >> 8 * i);
        }
        smp_dma_write(&m->hardware->smp, op->arg[0], bytes, (uint32_t)op->arg[1]);
    } else {
        smp_dma_read(&m->hardware->smp, op->arg[0], bytes, (uint32_t)op->arg[1]);
    }
    cpu_state_w(m, m->probe.cpu)->in_access--;
    for (uint32_t i = 0; i < 8 && i < op->arg[1] && op->kind == OP_DMA_READ; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

uint64_t hardware_do(struct machine *m, const struct op *op)
{
    const uint32_t cpu = m->probe.cpu;
    if (hardware_in_access(m, cpu)) {
        /* only nested, and never an interrupt: an instruction is under way here */
        probe(&m->probe, EV_BAD_CALL, op->kind, op->arg[0], BAD_IN_ACCESS);
        return 0;
    }
    switch (op->kind) {
    case OP_LOAD:
    case OP_STORE:
    case OP_FETCH:
        return do_access(m, op);
    case OP_INVLPG:
        hardware_flush_tlb_page(m, (cpu_mask)1 << cpu, op->arg[0]);
        probe(&m->probe, EV_TLB_FLUSH_ONE, op->arg[0], cpu);
        return 0;
    case OP_FLUSH_TLB_LOCAL:
        hardware_flush_tlb_all(m, (cpu_mask)1 << cpu, op->arg[0] != 0);
        return 0;
    case OP_FLUSH_TLB_ALL:
        hardware_flush_tlb_all(m, hardware_all_cpus(m), true);
        return 0;
    case OP_FENCE:
        memsys_fence(&m->hardware->cpu[cpu]);
        return 0;
    case OP_DMA_READ:
    case OP_DMA_WRITE:
        return do_dma(m, op);
    default:
        return do_cache_op(m, op);
    }
}

const char *hardware_check(const struct machine *m)
{
    for (uint32_t i = 0; m->hardware->s->used && i < m->hardware->nr_cpus; i++) {
        const char *why =
            hardware_in_access(m, i) ? NULL : memsys_check(&m->hardware->cpu[i]);
        if (why) {
            return why;
        }
    }
    return NULL;
}
