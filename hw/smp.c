/* Making the processors, devices, interrupts, invariants: see hw/smp.h. What goes over
 * the bus: hw/snoop.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "smp.h"

#include <string.h>

#include "events.h"

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
    }
    return s->s != NULL;
}

void smp_forget(struct smp *s)
{
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        memsys_forget(&s->cpu[i]);
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
    for (uint32_t i = 0; i < s->config.nr_cpus; i++) {
        if (i != from && mask >> i & 1) {
            memsys_mark_state(sender);
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
        memsys_mark_state(m);
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

void smp_dma_read(struct smp *s, uint64_t pa, void *to, uint32_t size_bytes)
{
    arena_mark(s->arena, s->s);
    s->s->dma_reads++;
    s->s->dma_bytes += size_bytes;
    ram_read(s->ram, paddr(pa), to, size_bytes);
    probe(s->probe, HW_EV_DMA_READ, pa, size_bytes, s->config.cpu.coherent);
}

void smp_dma_write(struct smp *s, uint64_t pa, const void *from, uint32_t size_bytes)
{
    arena_mark(s->arena, s->s);
    s->s->dma_writes++;
    s->s->dma_bytes += size_bytes;
    ram_write(s->ram, paddr(pa), from, size_bytes);
    probe(s->probe, HW_EV_DMA_WRITE, pa, size_bytes, s->config.cpu.coherent);
}

const char *smp_check(const struct smp *s)
{
    const char *broken = NULL;
    for (uint32_t i = 0; i < s->config.nr_cpus && !broken; i++) {
        broken = memsys_check(&s->cpu[i]);
    }
    return broken;
}
