/* Several processors over one RAM, and the devices beside them: the bus that joins them
 * and keeps them coherent, DMA, and one processor's means to make others forget
 * translations.
 *
 *   CPU 0: TLBs, L1I, L1D [, L2]     CPU 1: TLBs, L1I, L1D [, L2]      device
 *                  |                                |                    |
 *   bus  ----------+--------------------------------+--------------------+----- snooped
 *                  |
 *               [L2]  RAM
 *
 * L2 is each CPU's own, below its L1s and above the bus, or one for the machine, below
 * the bus.
 *
 * MESI. A node is what is above the bus and belongs to one CPU: its L1s and, if private,
 * its L2. States of a line in a cache (memtype.h: cache_mesi):
 *
 *   M  modified    only this node has it, and it differs from the level below
 *   E  exclusive   only this node has it, as the level below has it
 *   S  shared      others may have it too: it must not be written before they lost it
 *   I  invalid     not there
 *
 *   BusRd    somebody reads: an M line is flushed (written back) and supplied, all keep
 *            it as S; the reader has E if nobody else has the line, S otherwise
 *   BusRdX   somebody writes what it does not have: M lines are flushed, all go
 *   BusUpgr  somebody writes its S line: the others' go
 *   BusWr    bytes go to memory past the writer's caches: as BusRdX
 *
 * Within a node L1D's E or M means that L1I has not the line either: stores throw it out
 * of L1I, fetches make L1D write it back, as on x86. The walker, which reads and writes
 * tables through L2, has L1D write back first. A transaction is about the longest line
 * above the bus; caches with shorter ones answer for each of them. Caches with virtual
 * tags are asked by the line's home, under whatever addresses they have it. A CPU does
 * not ask its own L1D for synonyms: those stay software's business.
 *
 * Without coherence (config.cpu.coherent false) nobody snoops: each CPU, its L1I, its
 * walker and devices see what they have, and memory what is written back.
 *
 * I1  A line that one node holds as E or M no other node holds.
 * I2  A line that L1D holds as E or M L1I does not hold, and the other way round.
 * I3  INCLUSION_INCLUSIVE: what an L1 holds its L2 holds. INCLUSION_EXCLUSIVE: what an L1
 *     holds its L2 does not.
 * I4  A dirty line is valid and owned.
 * (I1, I2 and I4 with coherence.)
 *
 * Calls: smp_create, memsys_set_mmu for each CPU, then memsys_access(&s->cpu[n], ...).
 *
 * Left out: MOESI's O and MESIF's F (the lines' data is always flushed to memory), split
 * transactions and races (a transaction is atomic), store buffers: each access is seen by
 * all at once; memory ordering is sequential consistency, but for write combining.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef HW_SMP_H
#define HW_SMP_H

#include "memsys.h"

enum { SMP_MAX_CPUS = 64 };

struct smp_config {
    uint32_t nr_cpus;
    bool shared_l2;
    struct memsys_config cpu; /* each of them */
};

struct smp_state { /* in the arena */
    uint64_t deaf; /* bit n: CPU n does not answer interrupts */
    uint64_t dma_reads, dma_writes, dma_bytes;
    uint64_t dma_flushed, dma_invalidated; /* lines that devices made caches give up */
};

struct smp {
    struct smp_config config;
    struct memsys *cpu; /* [nr_cpus], the caller's memory */
    struct arena *arena;
    struct ram *ram;
    struct probe *probe;
    struct smp_state *s;
};

/* NULL, or what is wrong with it, and with which part ("l1d"). */
const char *smp_config_error(const struct smp_config *c, const char **part);
/* Bytes of arena for the fixed part. */
size_t smp_size_bytes(const struct smp_config *c);
/* cpus: room for config->nr_cpus, outside of the arena. False: the arena is full. */
bool smp_create(struct smp *s, struct memsys cpus[], struct arena *a, struct ram *ram,
                struct probe *probe, const struct smp_config *config);
/* After the arena has been restored to another time: what is remembered outside of it no
 * longer holds. */
void smp_forget(struct smp *s);

/* All that is not in caches, TLBs and RAM is about to change, as every operation here
 * says at its beginning. A hook that takes a snapshot or a digest inside of one takes the
 * marks away: its owner gives them back. */
void smp_mark(struct smp *s);

/* ---- devices ---- */

/* A device reads or writes physical memory, past all caches. Coherent: caches are snooped
 * (what is read is flushed first, what is written leaves the caches). */
void smp_dma_read(struct smp *s, uint64_t pa, void *to, uint32_t size_bytes);
void smp_dma_write(struct smp *s, uint64_t pa, const void *from, uint32_t size_bytes);

/* ---- TLB shootdown ---- */

enum tlb_flush_kind {
    TLB_FLUSH_RANGE,      /* invlpg for each page of the range */
    TLB_FLUSH_ALL,        /* everything, global entries too */
    TLB_FLUSH_NOT_GLOBAL, /* all but global entries */
    NR_TLB_FLUSH_KINDS
};
struct tlb_flush {
    enum tlb_flush_kind kind;
    uint64_t va, nr_pages; /* TLB_FLUSH_RANGE, in pages of ... */
    enum page_size size;   /* ... this size */
};

/* What one CPU does when it is asked to, or by itself. Answers how many entries went. */
uint32_t memsys_flush_translations(struct memsys *m, const struct tlb_flush *what);
/* CPU from asks each CPU of the mask (bit n: CPU n; itself: no interrupt needed) by an
 * interrupt, waits for the acknowledgements, and answers who gave them. Who is deaf
 * gives none and keeps its entries. */
uint64_t smp_shootdown(struct smp *s, uint32_t from, uint64_t mask,
                       const struct tlb_flush *what);
void smp_set_deaf(struct smp *s, uint32_t cpu, bool deaf);

const char *smp_check(const struct smp *s);

#endif
