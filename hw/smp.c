/* Making the processors, devices, interrupts, invariants: see hw/smp.h. What goes over
 * the bus: hw/snoop.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "memsys_full.h"

const char *smp_config_error(const struct smp_config *c, const char **part)
{
    if (!c->nr_cpus || c->nr_cpus > SMP_MAX_CPUS) {
        *part = "cpus";
        return "1 to 64 processors";
    }
    return memsys_config_error(&c->cpu, part);
}

size_t smp_size_bytes(const struct smp_config *c)
{
    return sizeof(struct smp_state) + 64 + c->nr_cpus * memsys_size_bytes(&c->cpu);
}

bool smp_create(struct smp *s, struct memsys cpus[], struct arena *a, struct ram *ram,
                struct probe *probe, const struct smp_config *config)
{
    *s = (struct smp){
        .config = *config, .cpu = cpus, .arena = a, .ram = ram, .probe = probe};
    s->s = arena_alloc(a, sizeof *s->s, 64);
    for (uint32_t i = 0; i < config->nr_cpus && s->s; i++) {
        const struct memsys *sharer = i && config->shared_l2 ? &cpus[0] : NULL;
        if (!memsys_create_sharing(&cpus[i], a, ram, probe, &config->cpu, sharer)) {
            return false;
        }
        cpus[i].smp = s;
        cpus[i].cpu = i;
        if (l2_shared(&cpus[i])) { /* only the L1s are above the bus */
            cpus[i].bus_line = 16;
            for (int side = 0; side < NR_SIDES; side++) {
                const struct cache_config *l1 = &config->cpu.l1[side];
                if (l1->ways && l1->line_bytes > cpus[i].bus_line) {
                    cpus[i].bus_line = l1->line_bytes;
                }
            }
        }
    }
    return s->s != NULL;
}

void smp_forget(struct smp *s)
{
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        memsys_forget(&s->cpu[i]);
    }
}

void smp_mark(struct smp *s)
{
    arena_mark(s->arena, s->s);
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        memsys_mark_state(&s->cpu[i]);
    }
}

/* ---- TLB shootdown ---- */

void smp_set_deaf(struct smp *s, uint32_t cpu, bool deaf)
{
    arena_mark(s->arena, s->s);
    s->s->deaf =
        deaf ? s->s->deaf | (uint64_t)1 << cpu : s->s->deaf & ~((uint64_t)1 << cpu);
}

uint64_t smp_shootdown(struct smp *s, uint32_t from, uint64_t mask,
                       const struct tlb_flush *what)
{
    struct memsys *sender = &s->cpu[from];
    uint64_t acked = 0;
    smp_mark(s);
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        if (i != from && mask >> i & 1) {
            sender->s->n.ipi_sent++;
            probe(s->probe, HW_EV_IPI_SEND, from, i, what->kind, what->va,
                  what->nr_pages);
        }
    }
    if (mask >> from & 1) {
        memsys_flush_translations(sender, what);
        acked |= (uint64_t)1 << from;
    }
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        struct memsys *m = &s->cpu[i];
        if (i == from || !(mask >> i & 1)) {
            continue;
        }
        if (s->s->deaf >> i & 1) {
            probe(s->probe, HW_EV_IPI_LOST, i, from);
            continue;
        }
        m->s->n.ipi_received++;
        probe(s->probe, HW_EV_IPI_RECEIVE, i, from);
        memsys_fence(m); /* an interrupt empties the write-combining buffers */
        uint32_t gone = memsys_flush_translations(m, what);
        m->s->n.ipi_acked++;
        acked |= (uint64_t)1 << i;
        probe(s->probe, HW_EV_IPI_ACK, i, from, gone);
    }
    return acked;
}

/* ---- devices ---- */

/* All caches answer for the line of pa: what is dirty goes to memory, and with write all
 * lose it. */
static void dma_snoop(struct smp *s, uint64_t pa, uint32_t size_bytes, bool write)
{
    struct slot at;
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        const struct snooped r = snoop_node(&s->cpu[i], pa, size_bytes,
                                            write ? SNOOP_INVALIDATE : SNOOP_SHARE);
        s->s->dma_flushed += r.supplied;
        s->s->dma_invalidated += r.found && write;
    }
    struct memsys *first = &s->cpu[0];
    if (!first->has_l2 || !l2_shared(first)) {
        return;
    }
    struct copies it = copies_of(first, &first->l2, pa, size_bytes);
    while (copies_next(&it, &at)) {
        s->s->dma_flushed += (*slot_attr(at) & CACHE_DIRTY) != 0;
        s->s->dma_invalidated += write;
        if (write) {
            l2_evict(first, at);
            slot_drop(at);
        } else if (*slot_attr(at) & CACHE_DIRTY) {
            l2_write_back_full(first, at);
        }
    }
}

static void dma(struct smp *s, uint64_t pa, uint32_t size_bytes, bool write)
{
    const uint32_t line = s->cpu[0].bus_line;
    smp_mark(s);
    s->s->dma_reads += !write;
    s->s->dma_writes += write;
    s->s->dma_bytes += size_bytes;
    for (uint64_t at = pa & ~(uint64_t)(line - 1);
         s->config.cpu.coherent && at < pa + size_bytes; at += line) {
        dma_snoop(s, at, line, write);
    }
}

void smp_dma_read(struct smp *s, uint64_t pa, void *to, uint32_t size_bytes)
{
    dma(s, pa, size_bytes, false);
    ram_read(s->ram, paddr(pa), to, size_bytes);
    probe(s->probe, HW_EV_DMA_READ, pa, size_bytes, s->config.cpu.coherent);
}

void smp_dma_write(struct smp *s, uint64_t pa, const void *from, uint32_t size_bytes)
{
    dma(s, pa, size_bytes, true);
    ram_write(s->ram, paddr(pa), from, size_bytes);
    probe(s->probe, HW_EV_DMA_WRITE, pa, size_bytes, s->config.cpu.coherent);
}

/* ---- invariants ---- */

/* I1, I2: a line that this cache owns nobody else above the bus has. */
static const char *check_owned(const struct smp *s, const struct memsys *m,
                               const struct cache *own, struct slot at)
{
    const uint64_t pa = slot_pa(at);
    const uint32_t size = own->config.line_bytes;
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        const struct memsys *o = &s->cpu[i];
        const struct cache *all[] = {
            o->front[SIDE_I].has_l1 ? &o->front[SIDE_I].l1 : NULL,
            o->front[SIDE_D].has_l1 ? &o->front[SIDE_D].l1 : NULL,
            l2_private(o) ? &o->l2 : NULL};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            /* within a node L1 and L2 share; a line's synonyms are software's business */
            const bool same_node = o == m;
            if (!all[k] || all[k] == own ||
                (same_node && (all[k] == &o->l2 || own == &o->l2))) {
                continue;
            }
            struct cache c = *all[k];
            struct copies it = copies_of(o, &c, pa, size);
            struct slot other;
            if (copies_next(&it, &other)) {
                return same_node ? "I2: L1I and L1D have a line that one of them owns"
                                 : "I1: a line that one node owns another node has, too";
            }
        }
    }
    return NULL;
}

static const char *check_inclusion(const struct memsys *m, struct slot at)
{
    struct cache c = m->l2;
    const uint64_t line = slot_pa(at) >> c.line_shift;
    const bool below = m->has_l2 && slot_found(slot_find(&c, line, line));
    return m->config.inclusion == INCLUSION_INCLUSIVE && !below
               ? "I3: L2 is inclusive and lacks a line of L1"
           : m->config.inclusion == INCLUSION_EXCLUSIVE && below
               ? "I3: L2 is exclusive and has a line of L1"
               : NULL;
}

static const char *check_cache(const struct smp *s, const struct memsys *m,
                               const struct cache *cache)
{
    const bool above = l2_private(m) || cache != &m->l2;
    struct cache c = *cache;
    for (uint32_t set = 0; set < c.config.sets; set++) {
        struct slot at = {&c, cache_set_at(&c, set), 0};
        for (; at.way < c.config.ways; at.way++) {
            const unsigned attr = *slot_attr(at);
            const char *broken = NULL;
            if (at.s->key[at.way] == CACHE_NO_KEY) {
                continue;
            }
            if (s->config.cpu.coherent) {
                broken = (attr & CACHE_DIRTY) && !(attr & CACHE_OWNED)
                             ? "I4: a dirty line is not owned"
                         : above && (attr & CACHE_OWNED) ? check_owned(s, m, cache, at)
                                                         : NULL;
            }
            if (!broken && cache != &m->l2) {
                broken = check_inclusion(m, at);
            }
            if (broken) {
                return broken;
            }
        }
    }
    return NULL;
}

const char *smp_check(const struct smp *s)
{
    const char *broken = NULL;
    for (uint32_t i = 0; i < s->config.nr_cpus && !broken; i++) {
        const struct memsys *m = &s->cpu[i];
        broken = memsys_check(m);
        for (int side = 0; side < NR_SIDES && !broken; side++) {
            broken = m->front[side].has_l1 ? check_cache(s, m, &m->front[side].l1) : NULL;
        }
        if (!broken && m->has_l2) {
            broken = check_cache(s, m, &m->l2);
        }
    }
    return broken;
}
