/* The replay of the address space: its lines as operations, its borders.
 *
 *   seq NAME=VALUE ...         the borders that the probe printed: figures, computed
 *   vmap_area                  a state: the areas in use; the first one of a run clears the machine's away
 *   vmalloc, vmap, ioremap, kmap, kmap_atomic      operations; their answers are compared
 *   vfree, kunmap, ...         operations
 *   swapped                    nothing: which pages are mapped next is on the next lines
 *   page_tables/kernel         its markers: figures too
 *
 * Which pages a recorded vmap() mapped is not recorded; the machine's last ones stand for
 * them. A line that needs the areas in use is not modelled as long as no vmap_area line
 * has told them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "inspect.h"
#include "replay_private.h"
#include "vm.h"

static const struct {
    enum record_kind kind;
    enum op_kind op;
    bool areas; /* needs the areas in use */
} ops[] = {
    {RECORD_VMAP_AREA, OP_LOAD_VMAP_AREA, false},
    {RECORD_VMALLOC, OP_VMALLOC, true},
    {RECORD_VFREE, OP_VFREE, true},
    {RECORD_VM_UNMAP_ALIASES, OP_VM_UNMAP_ALIASES, true},
    {RECORD_VMAP, OP_VMAP, true},
    {RECORD_VUNMAP, OP_VUNMAP, true},
    {RECORD_IOREMAP, OP_IOREMAP, true},
    {RECORD_IOUNMAP, OP_IOUNMAP, true},
    {RECORD_KMAP, OP_KMAP, false},
    {RECORD_KUNMAP, OP_KUNMAP, false},
    {RECORD_KMAP_ATOMIC, OP_KMAP_ATOMIC, false},
    {RECORD_KUNMAP_ATOMIC, OP_KUNMAP_ATOMIC, false},
    {RECORD_SWAPPED, OP_NOTE, false},
};

static size_t row_of(enum record_kind kind)
{
    size_t i = 0;
    while (i < sizeof ops / sizeof ops[0] && ops[i].kind != kind) {
        i++;
    }
    return i;
}

bool replay_vm_can(const struct replay *rp, enum record_kind kind)
{
    size_t row = row_of(kind);
    return row < sizeof ops / sizeof ops[0] && (!ops[row].areas || rp->areas_known);
}

struct op replay_vm_op(const struct replay *rp, uint32_t i)
{
    const struct record *r = rp->record;
    const struct record_item *item = &r->items[i];
    const struct record_vm *v = &r->vms[item->n];
    struct op op = {.kind = (uint16_t)ops[row_of((enum record_kind)item->kind)].op,
                    .cpu = (uint8_t)r->cpu,
                    .origin = ORIGIN_REPLAY};
    op.arg[0] = v->arg[0];
    op.arg[1] = v->arg[1];
    if (op.kind == OP_LOAD_VMAP_AREA) {
        op.arg[2] = i == 0 || r->items[i - 1].kind != RECORD_VMAP_AREA;
    }
    return op;
}

bool replay_vm_do(struct replay *rp, uint32_t i, replay_do_fn *call, void *ctx,
                  struct replay_vm_answer *a)
{
    const struct record *r = rp->record;
    const struct record_item *item = &r->items[i];
    const struct record_vm *v = &r->vms[item->n];
    memset(a, 0, sizeof *a);
    if (item->kind == RECORD_VMAP_AREA) {
        rp->areas_known = true;
    }
    if (item->kind == RECORD_SWAPPED) {
        return false;
    }
    for (uint64_t n = 0; item->kind == RECORD_VMAP && n < v->arg[0] && n < VM_MAX_STAGED;
         n++) {
        struct op page = {
            .kind = OP_VMAP_PAGE, .cpu = (uint8_t)r->cpu, .origin = ORIGIN_REPLAY};
        page.arg[0] = machine_max_pfn(rp->on) - 1 - n;
        call(ctx, item, &page);
    }
    const struct op op = replay_vm_op(rp, i);
    a->got = call(ctx, item, &op);
    /* what the kernel allocated for its own objects is not in the machine's page
     * allocator */
    rp->unknown =
        rp->unknown || row_of((enum record_kind)item->kind) < row_of(RECORD_KMAP);
    bool answers = strcmp(op_info(op.kind)->result, "-") != 0;
    a->want = v->answer;
    a->preempt = cpu_view(rp->on, r->cpu).preempt_count != 0;
    a->identical = a->got == a->want && (v->preempt > 1 || v->preempt == a->preempt);
    return answers;
}

/* ---- borders ---- */

struct border {
    const char *name;
    uint64_t value;
};

static void compare_border(struct replay_sink *sink, uint32_t line, const char *name,
                           const char *want, bool same, uint64_t got)
{
    sink->tally->figures++;
    sink->tally->figures_identical += same;
    if (!same) {
        char g[32];
        snprintf(g, sizeof g, "%" PRIx64, got);
        replay_differs(sink, line, name, want, g, NULL);
    }
}

static uint64_t parse_value(const char *at, const char *end, unsigned base)
{
    uint64_t v = 0;
    for (; at < end; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : 99;
        if (digit >= base) {
            break;
        }
        v = v * base + digit;
    }
    return v;
}

/* NAME=VALUE words of a sequence's heading, those that are borders. */
void replay_vm_heading(struct replay *rp, const struct record_seq *s,
                       struct replay_sink *sink)
{
    const struct kspace *k = &rp->m->vm->kspace;
    const struct {
        const char *name;
        unsigned base;
        uint64_t value;
    } borders[] = {{"VMALLOC_START", 16, k->vmalloc_start},
                   {"VMALLOC_END", 16, k->vmalloc_end},
                   {"high_memory", 16, k->high_memory},
                   {"PKMAP_BASE", 16, k->pkmap_base},
                   {"LAST_PKMAP", 10, k->last_pkmap},
                   {"FIXADDR_TOP", 16, k->fixaddr_top},
                   {"FIX_KMAP_BEGIN", 10, k->fix_kmap_begin},
                   {"KM_MAX_IDX", 10, KM_MAX_IDX},
                   {"NR_CPUS", 10, k->nr_cpus}};
    const char *end = s->text + s->text_len;
    for (const char *at = s->text; at < end;) {
        const char *stop = memchr(at, ' ', (size_t)(end - at));
        stop = stop ? stop : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        for (size_t i = 0; equals && i < sizeof borders / sizeof borders[0]; i++) {
            size_t len = strlen(borders[i].name);
            if (len != (size_t)(equals - at) || memcmp(at, borders[i].name, len) != 0) {
                continue;
            }
            char want[32];
            snprintf(want, sizeof want, "%.*s",
                     (int)(stop - equals - 1 < 31 ? stop - equals - 1 : 31), equals + 1);
            compare_border(sink, s->line, borders[i].name, want,
                           parse_value(equals + 1, stop, borders[i].base) ==
                               borders[i].value,
                           borders[i].value);
        }
        at = stop < end ? stop + 1 : end;
    }
}

/* CONFIG_NR_CPUS, which places the borders on 32 bits; 0: the record does not say. */
uint32_t replay_vm_nr_cpus(const struct record *r)
{
    static const char name[] = "NR_CPUS=";
    for (uint32_t i = 0; i < r->nr_seqs; i++) {
        const char *end = r->seqs[i].text + r->seqs[i].text_len;
        for (const char *at = r->seqs[i].text; at + sizeof name - 1 < end; at++) {
            if (!memcmp(at, name, sizeof name - 1)) {
                uint64_t v = parse_value(at + sizeof name - 1, end, 10);
                return v <= MAX_CPUS ? (uint32_t)v : 0;
            }
        }
    }
    return 0;
}

/* ---- the markers of page_tables/kernel ----
 *
 *     0xSTART-0xEND ...
 *     ---[ marker ]---
 *     0xSTART-0xEND ...
 *
 * The kernel prints a marker in front of the first range that it notices at or behind
 * the border, and it notices ranges only where entries change: the border lies between
 * the starts of the ranges around it. */

static uint64_t range_start(const char *line, const char *end)
{
    return end - line > 2 && line[0] == '0' && line[1] == 'x'
               ? parse_value(line + 2, end, 16)
               : UINT64_MAX;
}

void replay_vm_markers(struct replay *rp, struct replay_sink *sink)
{
    const struct kspace *k = &rp->m->vm->kspace;
    const struct border borders[] = {{"Kernel Mapping", k->page_offset},
                                     {"Low Kernel Mapping", k->page_offset},
                                     {"vmalloc() Area", k->vmalloc_start},
                                     {"vmalloc() End", k->vmalloc_end},
                                     {"Persistent kmap() Area", k->pkmap_base},
                                     {"Vmemmap", k->vmemmap_start},
                                     {"CPU entry area", k->cpu_entry_area},
                                     {"CPU entry Area", k->cpu_entry_area},
                                     {"Fixmap area", k->fixaddr_start},
                                     {"High Kernel Mapping", k->kernel_start},
                                     {"Modules", k->modules_start},
                                     {"End Modules", k->modules_end}};
    size_t size;
    const char *at =
        record_section(rp->record, "/sys/kernel/debug/page_tables/kernel", &size);
    const char *end = at ? at + size : NULL;
    uint64_t before = 0;
    const char *marker = NULL;
    size_t marker_len = 0;
    while (at && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        uint64_t start = range_start(at, stop);
        if (stop - at > 10 && !memcmp(at, "---[ ", 5)) {
            marker = at + 5;
            marker_len = (size_t)(stop - marker) > 5 ? (size_t)(stop - marker) - 5 : 0;
        } else if (start != UINT64_MAX) {
            for (size_t i = 0; marker && i < sizeof borders / sizeof borders[0]; i++) {
                if (strlen(borders[i].name) == marker_len &&
                    !memcmp(marker, borders[i].name, marker_len)) {
                    char want[80];
                    snprintf(want, sizeof want, "between %" PRIx64 " and %" PRIx64,
                             before, start);
                    compare_border(sink, 0, borders[i].name, want,
                                   borders[i].value >= before &&
                                       borders[i].value <= start,
                                   borders[i].value);
                }
            }
            marker = NULL;
            before = start;
        }
        at = newline ? newline + 1 : end;
    }
}
