/* kmap: one page of HighMem in a window that all CPUs see, for as long as one likes
 * (vm.h).
 *
 *   pkmap_count   0 nothing mapped   1 mapped, no user, TLBs may have it   n  n - 1 users
 *
 * Models mm/highmem.c. Slots are handed out in a ring; each time it comes round, all that
 * have no user are unmapped and flushed on every CPU at once. When none is free the
 * caller sleeps until somebody calls kunmap.
 *
 * A sleeper's kmap() answers 0 here; it is done when kunmap() wakes it, behind that
 * operation, and page_address() then tells where. A caller that may not sleep gets a
 * report, and 0.
 *
 * I5  A slot's page-table entry is present exactly when its count is not 0, and maps its
 *     page; a page has one slot.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bad_reasons.h"
#include "context.h"
#include "pgtable.h"
#include "vm.h"

bool page_is_highmem(const struct machine *m, uint64_t frame)
{
    return zone_r(m, zone_of(m, frame))->type == ZONE_HIGHMEM;
}

static struct pkmap_slot *slot_w(struct machine *m, uint32_t nr)
{
    struct pkmap_slot *s = &m->vm_tables.pkmap[nr];
    arena_mark(&m->arena, s);
    return s;
}
static const struct pkmap_slot *slot_r(const struct machine *m, uint32_t nr)
{
    return &m->vm_tables.pkmap[nr];
}

/* ---- page_address_htable ---- */

static uint32_t bucket_of(uint64_t frame)
{
    return (uint32_t)((uint32_t)frame * 0x9e3779b1u >> 25);
}

/* The slot that maps the page, or UINT32_MAX. */
static uint32_t slot_of(const struct machine *m, uint64_t frame)
{
    uint32_t at = m->vm->bucket[bucket_of(frame)];
    while (at && slot_r(m, at - 1)->frame != frame) {
        at = slot_r(m, at - 1)->next;
    }
    return at - 1;
}

static void hash_add(struct machine *m, uint32_t nr)
{
    struct pkmap_slot *s = slot_w(m, nr);
    uint16_t *bucket = &vm_w(m)->bucket[bucket_of(s->frame)];
    s->next = *bucket;
    *bucket = (uint16_t)(nr + 1);
    vm_w(m)->nr_pkmaps++;
}

static void hash_del(struct machine *m, uint32_t nr)
{
    struct pkmap_slot *gone = slot_w(m, nr);
    uint16_t *bucket = &vm_w(m)->bucket[bucket_of(gone->frame)];
    uint32_t at = *bucket;
    if (at == nr + 1) {
        *bucket = (uint16_t)gone->next;
        vm_w(m)->nr_pkmaps--;
    } else {
        while (at && slot_r(m, at - 1)->next != nr + 1) {
            at = slot_r(m, at - 1)->next;
        }
        if (at) { /* without locks (config spinlocks) somebody may have been faster */
            slot_w(m, at - 1)->next = gone->next;
            vm_w(m)->nr_pkmaps--;
        }
    }
    *gone = (struct pkmap_slot){0, 0, 0, 0};
}

uint64_t page_address(const struct machine *m, uint64_t frame)
{
    if (!page_is_highmem(m, frame)) {
        return kspace_va(&m->vm->kspace, frame);
    }
    uint32_t nr = slot_of(m, frame);
    return nr == UINT32_MAX ? 0 : kspace_pkmap_addr(&m->vm->kspace, nr);
}

/* ---- slots ---- */

static void flush_all_zero_pkmaps(struct machine *m)
{
    const struct kspace *k = &m->vm->kspace;
    uint32_t nr = 0;
    fn_enter(&m->probe, FN_flush_all_zero_pkmaps);
    for (uint32_t i = 0; i < k->last_pkmap; i++) {
        if (slot_r(m, i)->count == 1) {
            pgtable_clear(m, kspace_pkmap_addr(k, i));
            hash_del(m, i);
            nr++;
        }
    }
    probe(&m->probe, EV_KMAP_FLUSH, nr);
    if (nr) {
        vm_flush_range(m, k->pkmap_base, kspace_pkmap_addr(k, k->last_pkmap),
                       VM_FLUSH_PKMAP);
    }
    fn_leave(&m->probe);
}

/* The slot that the page has now, UINT32_MAX: all are in use. */
static uint32_t map_new_virtual(struct machine *m, uint64_t frame)
{
    const uint32_t last = m->vm->kspace.last_pkmap;
    uint32_t nr = UINT32_MAX;
    fn_enter(&m->probe, FN_map_new_virtual, frame);
    for (uint32_t count = last; count; count--) {
        uint32_t at = (m->vm->last_pkmap_nr + 1) & (last - 1);
        vm_w(m)->last_pkmap_nr = at;
        if (at == 0) {
            flush_all_zero_pkmaps(m);
            count = last;
        }
        if (!slot_r(m, at)->count) {
            nr = at;
            break;
        }
    }
    if (nr != UINT32_MAX && !pgtable_set(m, kspace_pkmap_addr(&m->vm->kspace, nr), frame,
                                         pgtable_kernel_flags(m))) {
        nr = UINT32_MAX; /* the host's memory is at its end */
    }
    if (nr != UINT32_MAX) {
        struct pkmap_slot *s = slot_w(m, nr);
        s->frame = (uint32_t)frame;
        s->count = 1;
        hash_add(m, nr);
        probe(&m->probe, EV_KMAP_SLOT, frame, nr, kspace_pkmap_addr(&m->vm->kspace, nr));
    }
    fn_leave(&m->probe);
    return nr;
}

static void sleep_for_slot(struct machine *m, uint64_t frame)
{
    const struct cpu *c = cpu_r(m, m->probe.cpu);
    if (c->preempt_count || c->irqs_disabled) {
        vm_bug(m, BAD_SCHED_ATOMIC, frame);
    } else if (m->vm->nr_sleepers == VM_MAX_SLEEPERS) {
        probe(&m->probe, EV_BAD_CALL, OP_KMAP, frame, BAD_TOO_DEEP);
    } else {
        struct vm *vm = vm_w(m);
        vm->sleeper[vm->nr_sleepers] = (uint32_t)frame;
        vm->sleeper_cpu[vm->nr_sleepers++] = m->probe.cpu;
        probe(&m->probe, EV_KMAP_SLEEP, frame, vm->nr_sleepers);
    }
}

static uint64_t kmap_high(struct machine *m, uint64_t frame)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_kmap_high, frame);
    vm_lock(m, VM_LOCK_KMAP);
    uint32_t nr = slot_of(m, frame);
    nr = nr == UINT32_MAX ? map_new_virtual(m, frame) : nr;
    if (nr != UINT32_MAX) {
        struct pkmap_slot *s = slot_w(m, nr);
        s->count++;
        va = kspace_pkmap_addr(&m->vm->kspace, nr);
        probe(&m->probe, EV_KMAP, frame, va, s->count);
    }
    vm_unlock(m, VM_LOCK_KMAP);
    if (!va) {
        sleep_for_slot(m, frame);
    }
    fn_leave(&m->probe);
    return va;
}

static bool there_is(struct machine *m, enum op_kind op, uint64_t frame)
{
    if (frame >= m->mm->max_pfn) {
        probe(&m->probe, EV_BAD_CALL, op, frame, BAD_WILD);
        return false;
    }
    return true;
}

uint64_t kmap(struct machine *m, uint64_t frame)
{
    uint64_t va = 0;
    fn_enter(&m->probe, FN_kmap, frame);
    might_sleep(m);
    if (!there_is(m, OP_KMAP, frame)) {
        va = 0;
    } else if (page_is_highmem(m, frame)) {
        va = kmap_high(m, frame);
    } else {
        va = kspace_va(&m->vm->kspace, frame);
        probe(&m->probe, EV_KMAP_LOWMEM, frame, va);
    }
    fn_leave(&m->probe);
    return va;
}

static void kunmap_high(struct machine *m, uint64_t frame)
{
    fn_enter(&m->probe, FN_kunmap_high, frame);
    vm_lock(m, VM_LOCK_KMAP);
    uint32_t nr = slot_of(m, frame);
    bool wake = false;
    if (nr == UINT32_MAX) {
        vm_bug(m, BAD_KUNMAP_UNMAPPED, frame);
    } else if (slot_r(m, nr)->count < 2) {
        vm_bug(m, BAD_KUNMAP_TWICE, frame);
    } else {
        struct pkmap_slot *s = slot_w(m, nr);
        s->count--;
        wake = s->count == 1 && m->vm->nr_sleepers;
        probe(&m->probe, EV_KUNMAP, frame, kspace_pkmap_addr(&m->vm->kspace, nr),
              s->count);
    }
    vm_unlock(m, VM_LOCK_KMAP);
    if (wake) {
        vm_w(m)->pending |= WORK_KMAP;
        probe(&m->probe, EV_KMAP_WAKE, m->vm->nr_sleepers);
    }
    fn_leave(&m->probe);
}

void kunmap(struct machine *m, uint64_t frame)
{
    fn_enter(&m->probe, FN_kunmap, frame);
    if (m->vm->kspace.bits == 32) {
        might_sleep(m);
    }
    if (there_is(m, OP_KUNMAP, frame) && page_is_highmem(m, frame)) {
        kunmap_high(m, frame);
    }
    fn_leave(&m->probe);
}

/* All sleepers were woken: each one looks again, and may have to sleep again. */
void kmap_resume(struct machine *m)
{
    const uint32_t nr = m->vm->nr_sleepers;
    uint32_t frames[VM_MAX_SLEEPERS];
    for (uint32_t i = 0; i < nr; i++) {
        frames[i] = m->vm->sleeper[i];
    }
    vm_w(m)->nr_sleepers = 0;
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t va = kmap_high(m, frames[i]);
        if (va) {
            probe(&m->probe, EV_KMAP_RESUME, frames[i], va);
        }
    }
}

const char *kmap_check(const struct machine *m)
{
    uint32_t used = 0;
    if (!m->vm->nr_pkmaps || m->vm->torn) {
        return NULL;
    }
    for (uint32_t i = 0; i < m->vm->kspace.last_pkmap; i++) {
        const struct pkmap_slot *s = slot_r(m, i);
        uint64_t entry = pgtable_get(m, kspace_pkmap_addr(&m->vm->kspace, i));
        if (!s->count != !entry || (entry && pgtable_frame(m, entry) != s->frame)) {
            return "kmap: a slot's page-table entry is not what its count and page say "
                   "(I5)";
        }
        used += s->count != 0;
        if (s->count && slot_of(m, s->frame) != i) {
            return "kmap: a page has two slots, or its slot is not found (I5)";
        }
    }
    return used == m->vm->nr_pkmaps ? NULL : "kmap: nr_pkmaps is not the number of slots";
}
