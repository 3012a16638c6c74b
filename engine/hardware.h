/* The machine's hardware: each CPU's caches, TLBs and control registers (hw/memsys.h),
 * and RAM behind them.
 *
 *   CPU 0: struct memsys    CPU 1: struct memsys    ...
 *                  \          |         /
 *                     RAM (struct machine)
 *
 * Two ways lead to memory. An access (OP_LOAD, OP_STORE, OP_FETCH) is what a CPU does: it
 * goes through TLBs and caches and is counted. What the simulated kernel does on its own
 * behalf (page-table entries, cleared pages) goes past them, hardware_read_phys() and
 * hardware_write_phys(): the bytes change wherever a copy of them is, so no cache
 * disagrees with RAM because of the kernel, only because of accesses.
 *
 * An access that faults is an instruction that did not happen: the fault is handled
 * between, and the instruction runs again. Interrupts come before it or behind it, not
 * inside.
 *
 * Left out so far: processes, coherence between CPUs, cycles.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_HARDWARE_H
#define ENGINE_HARDWARE_H

#include "machine.h"
#include "smp.h"

/* Who makes an access. */
enum access_mode {
    MODE_KERNEL,
    MODE_USER,
    MODE_UACCESS /* kernel code that expects a fault (copy_from_user), with EFLAGS.AC */
};

enum { HARDWARE_MAX_BYTES = 64 }; /* of one access */

/* What the last access of a CPU was. */
struct hardware_access {
    /* value: what was loaded or stored, little-endian, the first 8 bytes */
    uint64_t va, value;
    uint32_t size;
    uint8_t kind;              /* enum access_kind */
    uint8_t mode, done, there; /* mode: enum access_mode */
    struct fault fault;        /* the one that ended it */
    struct memsys_tally n;     /* what it counted, with all restarts of the instruction */
};

/* In the arena, by CPU. */
struct hardware_cpu {
    struct hardware_access last;
    uint32_t in_access, pad;
};

struct hardware_state { /* in the arena */
    bool used;          /* caches and TLBs may hold something */
    struct hardware_cpu cpu[MAX_CPUS];
};

struct hardware { /* the host's handle */
    uint32_t nr_cpus;
    struct hardware_state *s;
    struct smp smp;
    struct memsys cpu[];
};

/* The processor that arch's machines have unless told otherwise. */
void hardware_config_init(struct hardware_config *c, enum arch arch);
/* NULL, or what is wrong with it, and with which part ("l1d"). */
const char *hardware_config_error(const struct machine_config *c, const char **part);
/* Bytes of arena for all CPUs. */
uint64_t hardware_arena_bytes(const struct machine_config *c);
/* False: the arena is too small. */
bool hardware_create(struct machine *m);
/* The arena was restored to another time: what is remembered outside of it no longer
 * holds. */
void hardware_forget(struct machine *m);
/* The kernel's page tables have another root: every CPU starts with empty TLBs and
 * caches there, and no process is left. */
void hardware_reset(struct machine *m);

/* For looking; NULL: no such CPU. */
const struct memsys *hardware_cpu(const struct machine *m, uint32_t cpu);

/* One of OP_LOAD ... OP_DMA_WRITE. */
uint64_t hardware_do(struct machine *m, const struct op *op);
static inline bool hardware_is_op(uint16_t kind)
{
    return kind >= OP_LOAD && kind <= OP_DMA_WRITE;
}
/* One access of the kernel's own code on the current CPU, to an address that is mapped;
 * nothing remembers it as the CPU's last one. bytes: what is written, or room for what is
 * read. False: it faulted all the same. */
bool hardware_kernel_access(struct machine *m, uint64_t va, uint32_t size, bool write,
                            void *bytes);
/* Is an access under way on this CPU, an instruction on its caches, or a transfer of a
 * device that it has asked for? */
bool hardware_in_access(const struct machine *m, uint32_t cpu);

/* ---- memory as the kernel's own code changes it ---- */

/* The newest copy of the bytes, wherever it is; the range may cross frames. False: part
 * of it is not there (0xff bytes). */
bool hardware_read_phys(const struct machine *m, uint64_t pa, void *to, size_t n);
bool hardware_write_phys(struct machine *m, uint64_t pa, const void *from, size_t n);
/* Frames become zeros. */
void hardware_clear_frames(struct machine *m, uint64_t frame, uint64_t nr);

/* ---- TLBs, for the kernel's addresses (tlbflush.c) ----
 * This CPU flushes its own and interrupts the others of the mask; those that have their
 * interrupts off do it later. */
typedef uint64_t cpu_mask; /* bit n: CPU n */
_Static_assert(MAX_CPUS <= 64, "cpu_mask");

cpu_mask hardware_all_cpus(const struct machine *m);
/* One page, global or not; on this CPU alone it is invlpg. */
void hardware_flush_tlb_page(struct machine *m, cpu_mask cpus, uint64_t va);
/* flush_tlb_kernel_range() on all CPUs: page by page, or everything if that is more than
 * 33 pages (tlb_single_page_flush_ceiling). end is not in it. */
void hardware_flush_tlb_range(struct machine *m, uint64_t start, uint64_t end);
/* Everything; global entries stay unless with_global (flush_tlb_all() has it). */
void hardware_flush_tlb_all(struct machine *m, cpu_mask cpus, bool with_global);

const char *hardware_check(const struct machine *m);

#endif
