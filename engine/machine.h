/* The simulated machine: configuration, creation, operations.
 *
 * struct machine is the host's handle; all simulated state lies in its arena. There are
 * no mutable globals, so any number of machines can run side by side.
 *
 * Calls, in order: config_init, (config_set ...), machine_create, machine_do ...,
 * machine_destroy.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ENGINE_MACHINE_H
#define ENGINE_MACHINE_H

#include "arena.h"
#include "gfp.h"
#include "memsys.h"

enum event_kind {
    EV_NONE,
#define EVENT(id, name, level, args, sentence) EV_##id,
#include "events.def"
#undef EVENT
    NR_EVENTS
};

enum event_level { EVENT_STEP, EVENT_DETAIL, EVENT_REPORT };

enum fn {
    FN_NONE,
#define FUNCTION(name, file, args, sentence) FN_##name,
#include "functions.def"
#undef FUNCTION
    NR_FUNCTIONS
};

enum op_kind {
#define OP(id, name, args, result, sentence) OP_##id,
#include "ops.def"
#undef OP
    NR_OPS
};

enum context { CTX_PROCESS, CTX_SOFTIRQ, CTX_HARDIRQ };

enum arch { ARCH_I386, ARCH_I386_PAE, ARCH_X86_64 };

enum { MAX_CPUS = 64, MAX_MEMMAP = 32, SLUB_DEBUG_TEXT = 160 };

enum memmap_type { MEMMAP_USABLE, MEMMAP_RESERVED };

struct memmap_entry {
    uint64_t start, end; /* bytes, end is not in it */
    enum memmap_type type;
};

/* The processor: what it can, and each CPU's way to memory. translation and data of mem
 * are set when the machine is made: page tables, and lines that hold bytes. */
struct hardware_config {
    struct memsys_config mem;
    bool pse;       /* i386: pages of 4 MiB */
    bool pge;       /* global pages */
    bool nx;        /* PAE, x86-64: pages that cannot be executed */
    bool pcid;      /* x86-64: TLB entries carry their address space's number */
    bool smep;      /* the kernel fetches nothing from user pages */
    bool smap;      /* ... nor reads or writes them, but where it says so */
    bool gbpages;   /* x86-64: pages of 1 GiB */
    bool shared_l2; /* one for all CPUs */
    bool traced; /* mem is as it says, also translation and data: for memory traces, whose
                     addresses nothing is mapped at */
    bool intel;  /* rather than AMD: CPU entry areas have room for its debug store */
};

/* Everything that a machine is made from: the same configuration gives the same
 * machine. */
struct machine_config {
    enum arch arch;
    uint64_t ram_bytes;
    /* e820; nr_memmap 0: a PC's usual map of ram_bytes */
    struct memmap_entry memmap[MAX_MEMMAP];
    uint32_t nr_memmap;
    uint64_t highmem_bytes; /* i386: highmem=; UINT64_MAX: what lies above 896 MiB */
    uint32_t cpus;          /* CPUs online */
    uint32_t nr_cpus;       /* CONFIG_NR_CPUS */
    /* MAX_ORDER, 2 to 11: orders 0 .. max_order - 1 (smaller ones for tests) */
    uint32_t max_order;
    /* The image, physical bytes. 0, 0: the usual place and size. Equal but not 0: no
     * image, and none of a PC's boot-time reservations either (a bare machine, for
     * tests). */
    uint64_t kernel_start, kernel_end;
    /* an initial RAM disk, reserved as the boot loader leaves it; 0: none */
    uint64_t initrd_bytes;
    int64_t min_free_kbytes; /* -1: as the kernel computes it */
    uint32_t lowmem_reserve_ratio[MAX_NR_ZONES];
    /* option, kernels before 4.15: __GFP_COLD takes from the cold end of a per-CPU
     * list */
    bool pcp_cold;
    bool no_pcp;     /* option: no per-CPU lists, to see what they are good for */
    bool slub;       /* SLUB rather than SLAB */
    bool slab_merge; /* caches that are alike become one */
    /* SLUB: as the kernel's parameter of the same name, checked; "": none */
    char slub_debug[SLUB_DEBUG_TEXT];
    uint32_t cache_line; /* cache_line_size(); 0: the architecture's usual one */
    uint32_t reap_ops;   /* cache_reap() runs after so many operations on objects; 0:
                            only when asked for */
    uint32_t user_gib; /* 32 bit: where PAGE_OFFSET is (CONFIG_VMSPLIT): 3, 2 or 1 GiB */
    bool la57;         /* x86-64: page tables of five levels */
    /* option, kernels before 5.8: processes learn of new kernel tables by a fault */
    bool vmalloc_fault;
    /* option, kernels before 2.6.37: kmap_atomic's slots have names (KM_USER0 ...) */
    bool km_types;
    /* option: a deadlock is not only told of; the CPU answers nothing any more */
    bool deadlock_hangs;
    /* option: a kernel for one CPU, whose spinlocks exclude nobody: kmap in an interrupt
     * corrupts */
    bool no_spinlocks;
    /* option: the kernel's accesses to its own structures go through the hardware
     * (touch.h) */
    bool kernel_accesses;
    /* break it, enum vm_flush: TLB flushes that the kernel forgets */
    uint32_t forget_flush;
    uint64_t seed; /* of random workloads */
    struct hardware_config hw;
};

void config_init(struct machine_config *c, enum arch arch);

/* Set one option by name from text, as in `machine = { arch = "i386", ram = "160M" }`
 * and --set ram=160M. False: err says what is wrong and what would be right. */
bool config_set(struct machine_config *c, const char *name, const char *value, char *err,
                size_t err_size);
/* The table of options, for help and completion: name, values, meaning. NULL past the
 * end. */
struct config_option {
    const char *name, *values, *meaning;
};
const struct config_option *config_options(size_t i);
/* The configuration as one line of name=value words that config_set understands. */
int config_format(char *buf, size_t size, const struct machine_config *c);
/* Can this machine exist? False: err says why not, and what would do. machine_create
 * asks it too. */
bool config_check(const struct machine_config *c, char *err, size_t err_size);

struct mm; /* engine/mm.h: zones, per-CPU lists, contexts; in the arena */
struct page;
struct cpu;
struct frame_range;

/* Where the arena's big tables lie: host addresses, fixed for the machine's life
 * (engine/mm.h, page.h). */
struct machine_tables {
    struct page *frames, *blocks;
    struct cpu *cpus;
    uint8_t *pageblocks;
    struct frame_range *ranges;
};

struct vm;        /* engine/vm.h: the kernel's address space; in the arena */
struct slab_root; /* engine/slab.h: caches of objects; in the arena */
struct pkmap_slot;
struct kmap_ctrl;

struct touching;
struct dma_state; /* engine/dma.h: bounce pages; in the arena */

struct vm_tables {
    uint32_t *node_chunk; /* areas, by number / nodes a chunk */
    struct pkmap_slot *pkmap;
    struct kmap_ctrl *tasks;
    uint32_t *roots; /* frames of processes' page tables (pgtable_sync.c) */
};

struct mm_table;
struct hardware; /* engine/hardware.h: each CPU's caches, TLBs and registers */
/* Where the boot put what lies in memory that nobody can allocate: frames, nr 0: there is
 * none. Follows from the configuration. */
struct boot_span {
    uint64_t first, nr;
};
struct boot_places {
    struct boot_span direct_tables; /* page tables of the direct map */
    struct boot_span memmap;        /* the frame table's own frames */
    struct boot_span memmap_tables;
    struct boot_span percpu; /* CPU 0's area */
    uint64_t percpu_stride;  /* to the next CPU's */
    struct boot_span io_tlb; /* bounce buffers (dma.h) */
    struct boot_span node;   /* struct pglist_data, and its pageblocks' bits */
};

struct machine;

/* Where OP_LOAD_STATE finds what it loads: the host's, the same as long as the machine
 * lives. load() must do the same to a machine each time, so that the operation can be
 * run again. */
struct state_source {
    void (*load)(void *ctx, struct machine *m, uint64_t state);
    void *ctx;
};

struct op_source;

/* Texts that operations refer to by number: the timeline's strings. NULL for a number
 * that has none. The other two may be missing: what operation number nr was (counted from
 * 1, as alloc_op and the like do), and the name of a cache that is gone (NULL: it does
 * not know). */
struct text_source {
    const char *(*text)(void *ctx, uint64_t id);
    void *ctx;
    bool (*operation)(void *ctx, uint64_t nr, struct op_source *source);
    const char *(*cache)(void *ctx, uint64_t id);
};

struct machine {
    struct arena arena;
    struct probe probe;
    struct ram ram;
    struct machine_config config;
    struct mm *mm;
    struct machine_tables tables;
    struct cpu *cpu; /* the current one's state, among tables.cpus */
    struct vm *vm;
    struct vm_tables vm_tables;
    struct hardware *hardware;
    struct mm_table *mms; /* engine/mm_struct.h: address spaces; in the arena */
    struct dma_state *dma;
    struct boot_places places;
    struct slab_root *slab;
    struct touching *touching;         /* engine/touch.h; NULL: kernel_accesses is off */
    const struct state_source *states; /* NULL: OP_LOAD_STATE does nothing */
    /* for describe.h; NULL: texts are shown as numbers */
    const struct text_source *texts;
    uint16_t doing; /* the operation under way, enum op_kind */
};

/* A booted machine, or NULL with cause and remedy in err. */
struct machine *machine_create(const struct machine_config *c,
                               const struct arena_host *host, char *err, size_t err_size);
void machine_destroy(struct machine *m);

/* One operation. origin says who issued it; site is a number of the timeline's (file,
 * line, stack). */
struct op {
    uint16_t kind; /* enum op_kind */
    uint8_t cpu;
    uint8_t origin; /* enum op_origin */
    uint32_t site;
    uint64_t arg[4];
};
enum op_origin { ORIGIN_SCRIPT, ORIGIN_USER, ORIGIN_REPLAY };

/* An operation that has been done and where in a script it came from: file "" when it
 * came from none. stack: the script's functions, a line each, innermost first. */
struct op_source {
    struct op op;
    const char *file, *stack;
    uint32_t line;
};

/* Run op to its end; answers its result (see ops.def). Arguments that make no sense (a
 * CPU that is not there, a wild pfn) are answered as the kernel answers them, with a
 * report event; the machine stays consistent. Resets the probe's counter and stack
 * first; m->probe.n is the number of events after. */
uint64_t machine_do(struct machine *m, const struct op *op);

/* Run op inside the operation that is under way, from a probe hook: the counter goes
 * on. This is how an interrupt handler's operations run. */
uint64_t machine_do_nested(struct machine *m, const struct op *op);

/* May a hardware interrupt be delivered on this CPU now (interrupts on, not inside
 * one)? */
bool machine_irq_deliverable(const struct machine *m, uint32_t cpu);

uint64_t machine_digest(struct machine *m);

/* The first broken invariant of any module, as text, or NULL. Also at an event inside
 * of an operation. */
const char *machine_check(struct machine *m);

#endif
