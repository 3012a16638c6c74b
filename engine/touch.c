/* The kernel's own accesses, noted, made and logged: see touch.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include <stdlib.h>
#include <string.h>

#include "hardware.h"
#include "pgtable.h"
#include "slab.h"

/* ---- creation ---- */

static bool is_on(const struct machine_config *c)
{
    return c->kernel_accesses && !c->hw.traced;
}

uint64_t touch_arena_bytes(const struct machine_config *c)
{
    return is_on(c) ? sizeof(struct touch_log) + ARENA_CHUNK : 0;
}

static void before_event(struct probe *p, uint16_t kind, const uint64_t *arg)
{
    struct machine *m = (struct machine *)((char *)p - offsetof(struct machine, probe));
    touch_steps(m, kind, arg);
    m->touching->event = kind;
    touch_flush(m);
    m->touching->event = 0;
}

void touch_attach(struct machine *m, struct touching *t)
{
    m->touching = t;
    m->probe.before = t ? before_event : NULL;
}

bool touch_create(struct machine *m)
{
    if (!is_on(&m->config)) {
        return true;
    }
    struct touch_log *log = arena_alloc(&m->arena, sizeof *log, ARENA_CHUNK);
    struct touching *t = log ? calloc(1, sizeof *t) : NULL;
    if (t) {
        t->log = log;
        t->in_arena = true;
        touch_attach(m, t);
    }
    return t != NULL;
}

void touch_destroy(struct machine *m)
{
    if (m->touching && m->touching->in_arena) {
        free(m->touching);
    }
    touch_attach(m, NULL);
}

struct touching *touch_new(void)
{
    struct touching *t = calloc(1, sizeof *t);
    if (t) {
        t->log = aligned_alloc(alignof(struct touch_log), sizeof *t->log);
    }
    if (t && !t->log) {
        free(t);
        return NULL;
    }
    if (t) {
        memset(t->log, 0, sizeof *t->log);
    }
    return t;
}

void touch_delete(struct touching *t)
{
    if (t) {
        free(t->log);
        free(t);
    }
}

/* ---- the log ---- */

static struct touch_log *log_w(struct machine *m)
{
    struct touching *t = m->touching;
    if (t->in_arena) {
        arena_mark(&m->arena, t->log);
    }
    return t->log;
}

void touch_begin(struct machine *m)
{
    struct touch_log *log = log_w(m);
    m->touching->wanted = m->touching->done = 0;
    m->touching->event = 0;
    log->nr = log->dropped = 0;
    log->op = m->mm->nr_ops;
    memset(log->sum, 0, sizeof log->sum);
}

void touch_end(struct machine *m) { touch_flush(m); }

static void log_access(struct machine *m, const struct touch *t,
                       const struct cycles *cycles)
{
    struct touch_log *log = log_w(m);
    struct touch_sum *sum = &log->sum[t->layer];
    uint64_t all[sizeof sum->cycles / 8], one[sizeof sum->cycles / 8];
    sum->reads += !t->write;
    sum->writes += t->write;
    sum->l1_misses += t->l1_missed;
    sum->l2_misses += t->l2_missed;
    sum->tlb_misses += t->tlb_missed;
    sum->walk_reads += t->walk_reads;
    memcpy(all, &sum->cycles, sizeof all);
    memcpy(one, cycles, sizeof one);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i] += one[i];
    }
    memcpy(&sum->cycles, all, sizeof all);
    if (log->nr < TOUCH_LOG) {
        struct touch *at = &log->entry[log->nr];
        if (m->touching->in_arena) {
            arena_mark(&m->arena, at);
        }
        *at = *t;
    }
    log->nr++;
}

/* ---- making an access ---- */

/* How many times each thing had happened. */
struct counts {
    uint64_t l1, l2, tlb, reads;
    struct cycles cycles;
};

static struct counts counts_of(const struct memsys *cpu)
{
    const struct memsys_tally *n = &cpu->s->n;
    return (struct counts){n->l1_miss[ACCESS_READ] + n->l1_miss[ACCESS_WRITE],
                           n->l2_miss[L2_FETCH], n->tlb_miss[SIDE_D], n->walk_steps,
                           memsys_cycles(cpu)};
}

static void make(struct machine *m, const struct touch_want *w)
{
    unsigned char bytes[64];
    const struct pgtable_entry e = pgtable_find(m, w->va);
    if (!e.maps) {
        log_w(m)->dropped++;
        return;
    }
    const uint32_t shift = pgtable_shift(m, e.level);
    const uint64_t frame = pgtable_translate(m, w->va);
    const uint64_t pa = frame << PAGE_SHIFT | (w->va & (PAGE_SIZE - 1));
    const struct memsys *cpu = hardware_cpu(m, m->probe.cpu);
    const struct counts before = counts_of(cpu);
    if (w->write) {
        hardware_read_phys(m, pa, bytes, w->size);
    }
    hardware_kernel_access(m, w->va, w->size, w->write, bytes);
    const struct counts now = counts_of(cpu);
    const struct cycles cycles = cycles_since(&now.cycles, &before.cycles);
    log_access(m,
               &(struct touch){.va = w->va,
                               .pa = pa,
                               .cycles = (uint32_t)cycles.total,
                               .event = m->touching->event,
                               .field = w->field,
                               .size = w->size,
                               .layer = w->layer,
                               .write = w->write,
                               .cpu = m->probe.cpu,
                               .page_shift = (uint8_t)shift,
                               .l1_missed = (uint8_t)(now.l1 - before.l1),
                               .l2_missed = (uint8_t)(now.l2 - before.l2),
                               .tlb_missed = (uint8_t)(now.tlb - before.tlb),
                               .walk_reads = (uint8_t)(now.reads - before.reads)},
               &cycles);
}

void touch_again(struct machine *m, uint32_t cpu, const struct touch *t)
{
    unsigned char bytes[64];
    const struct op nothing = {.kind = OP_NOTE, .cpu = (uint8_t)cpu};
    if (m->probe.cpu != cpu) {
        machine_do(m, &nothing);
    }
    if (t->write) {
        hardware_read_phys(m, t->pa, bytes, t->size);
    }
    hardware_kernel_access(m, t->va, t->size, t->write, bytes);
}

void touch_flush(struct machine *m)
{
    struct touching *t = m->touching;
    while (t->done < t->wanted) {
        const struct touch_want w = t->want[t->done++];
        make(m, &w);
    }
    t->done = t->wanted = 0;
}

/* ---- noting one ---- */

static void want(struct machine *m, uint32_t layer, uint64_t va, uint32_t field,
                 uint32_t size, bool write)
{
    struct touching *t = m->touching;
    if (hardware_in_access(m, m->probe.cpu)) {
        return; /* I3 */
    }
    if (t->wanted == TOUCH_WANTS) {
        log_w(m)->dropped++;
        return;
    }
    t->want[t->wanted++] = (struct touch_want){.va = va,
                                               .field = (uint8_t)field,
                                               .size = (uint8_t)size,
                                               .layer = (uint8_t)layer,
                                               .write = write};
}

void touch_note_at(struct machine *m, uint32_t layer, uint64_t base, uint32_t field,
                   uint64_t offset, enum touch_access access)
{
    const struct touch_field_view f = touch_field_view(m, field);
    if (base && (access & TOUCH_R)) {
        want(m, layer, base + f.offset + offset, field, f.size, false);
    }
    if (base && (access & TOUCH_W)) {
        want(m, layer, base + f.offset + offset, field, f.size, true);
    }
}

void touch_note(struct machine *m, uint32_t layer, uint64_t base, uint32_t field,
                enum touch_access access)
{
    touch_note_at(m, layer, base, field, 0, access);
}

void touch_note_bytes(struct machine *m, uint32_t layer, uint64_t va, uint64_t nr,
                      bool write)
{
    const uint64_t line = m->config.arch == ARCH_X86_64 ? 64 : 32;
    for (uint64_t at = va, end = va + nr; at < end;) {
        const uint64_t next = (at | (line - 1)) + 1 < end ? (at | (line - 1)) + 1 : end;
        if (m->touching->wanted == TOUCH_WANTS) {
            touch_flush(m);
        }
        want(m, layer, at, TF_BYTES, (uint32_t)(next - at), write);
        at = next;
    }
}

/* ---- lists, locks and counters ---- */

static uint64_t node_lru_va(const struct machine *m, uint32_t id, uint32_t *layer,
                            uint32_t *field, uint64_t *offset)
{
    *offset = 0;
    *field = TF_PAGE_LRU;
    if (!node_is_head(id)) {
        return touch_page_va(m, id);
    }
    uint32_t nr = ~id >> 1;
    const uint64_t word = m->config.arch == ARCH_X86_64 ? 8 : 4;
    if (nr < NR_FREELISTS) {
        const uint32_t mt = nr % MIGRATE_TYPES, area = nr / MIGRATE_TYPES;
        *layer = LAYER_BUDDY;
        *field = TF_ZONE_AREA;
        *offset = (area % MAX_ORDER) * (2 * word * MIGRATE_TYPES + word) + mt * 2 * word;
        return touch_zone_va(m, area / MAX_ORDER);
    }
    nr -= NR_FREELISTS;
    *layer = LAYER_PCP;
    *field = TF_PCP_LIST;
    *offset = (nr % NR_PCP_LISTS) * 2 * word;
    nr /= NR_PCP_LISTS;
    return touch_pcp_va(m, nr % MAX_ZONES, nr / MAX_ZONES);
}

/* On a free list or a CPU's? As the list's head says, and else the page. */
static uint32_t layer_of(const struct machine *m, uint32_t id, uint32_t prev,
                         uint32_t next)
{
    uint32_t layer = UINT32_MAX, field;
    uint64_t offset;
    node_lru_va(m, prev, &layer, &field, &offset);
    if (layer == UINT32_MAX) {
        node_lru_va(m, next, &layer, &field, &offset);
    }
    if (layer == UINT32_MAX) {
        const uint32_t neighbour = node_is_head(prev) ? id : prev;
        layer = node_at(m, neighbour)->state == USE_PCP ? LAYER_PCP : LAYER_BUDDY;
    }
    return layer;
}

static void note_links(struct machine *m, uint32_t layer, uint32_t id,
                       enum touch_access access)
{
    uint32_t other = layer, field;
    uint64_t offset;
    const uint64_t base = node_lru_va(m, id, &other, &field, &offset);
    touch_note_at(m, layer, base, field, offset, access);
}

void touch_list_add(struct machine *m, uint32_t id, uint32_t prev, uint32_t next)
{
    const uint32_t layer = layer_of(m, id, prev, next);
    note_links(m, layer, prev, TOUCH_RW);
    note_links(m, layer, next, TOUCH_W);
    note_links(m, layer, id, TOUCH_W);
}

void touch_list_del(struct machine *m, uint32_t id, uint32_t prev, uint32_t next)
{
    const uint32_t layer = layer_of(m, id, prev, next);
    note_links(m, layer, id, TOUCH_R);
    note_links(m, layer, next, TOUCH_W);
    note_links(m, layer, prev, TOUCH_W);
    note_links(m, layer, id, TOUCH_W); /* LIST_POISON */
}

static void note_slab_links(struct machine *m, const struct kmem_cache *c, uint32_t kind,
                            uint32_t slab, enum touch_access access)
{
    if (slab) {
        touch_note(m, LAYER_SLAB, touch_page_va(m, slab_r(m, slab)->pfn), TF_SLAB_LIST,
                   access);
        return;
    }
    touch_note(m, LAYER_SLAB, touch_node_va(m, c),
               m->config.slub       ? TF_NODE_PARTIALS
               : kind == SLABS_FULL ? TF_NODE_FULL
               : kind == SLABS_FREE ? TF_NODE_FREE
                                    : TF_NODE_PARTIAL,
               access);
}

void touch_slab_list(struct machine *m, const struct kmem_cache *c, uint32_t kind,
                     uint32_t slab, uint32_t prev, uint32_t next, bool add)
{
    if (m->config.slub && kind == SLABS_FULL) {
        return; /* the kernel has full ones on no list */
    }
    note_slab_links(m, c, kind, slab, add ? TOUCH_W : TOUCH_R);
    note_slab_links(m, c, kind, next, TOUCH_W);
    note_slab_links(m, c, kind, prev, TOUCH_W);
    if (!add) {
        note_slab_links(m, c, kind, slab, TOUCH_W);
    }
}

void touch_list_lock(struct machine *m, const struct kmem_cache *c)
{
    touch_note(m, LAYER_SLAB, touch_node_va(m, c), TF_NODE_LOCK, TOUCH_RW);
}

void touch_zone_lock(struct machine *m, uint32_t zone)
{
    touch_note(m, LAYER_BUDDY, touch_zone_va(m, zone), TF_ZONE_LOCK, TOUCH_RW);
}

void touch_zone_stat(struct machine *m, uint32_t zone, bool folded)
{
    touch_note(m, LAYER_ZONES, touch_stat_va(m, zone, m->probe.cpu), TF_STAT_DIFF,
               TOUCH_RW);
    if (folded) {
        touch_note(m, LAYER_ZONES, touch_zone_va(m, zone), TF_ZONE_STAT, TOUCH_RW);
    }
}

/* ---- invariants ---- */

const char *touch_check(const struct machine *m)
{
    uint64_t nr = 0;
    if (!m->touching) {
        return NULL;
    }
    const struct touch_log *log = m->touching->log;
    for (uint32_t i = 0; i < NR_TOUCH_LAYERS; i++) {
        nr += log->sum[i].reads + log->sum[i].writes;
    }
    if (nr != log->nr) {
        return "touch: the layers' accesses are not all";
    }
    return NULL;
}
