/* Reading what is watched.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "watch.h"

#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "hardware.h"
#include "inspect.h"
#include "memsys.h"
#include "mm_struct.h"
#include "page.h"
#include "pgtable.h"
#include "slab_view.h"
#include "vm.h"

static const struct cache *set_cache(const struct watch *w, const struct machine *m)
{
    const struct memsys *s = hardware_cpu(m, (uint32_t)w->b);
    if (!s) {
        return NULL;
    }
    switch (w->kind) {
    case WATCH_L1I_SET:
    case WATCH_L1D_SET: {
        const struct front *f = &s->front[w->kind == WATCH_L1D_SET];
        return f->has_l1 ? &f->l1 : NULL;
    }
    case WATCH_L2_SET:
        return s->has_l2 ? &s->l2 : NULL;
    case WATCH_ITLB_SET:
    case WATCH_DTLB_SET: {
        const struct front *f = &s->front[w->kind == WATCH_DTLB_SET];
        return f->has_tlb ? &f->tlb.c : NULL;
    }
    default:
        return s->has_stlb ? &s->stlb.c : NULL;
    }
}

/* Bytes as three words: themselves if they fit, else two sums over them. */
static void put_bytes(struct watch_value *v, const unsigned char *bytes, size_t n)
{
    if (n <= 24) {
        memcpy(v->word, bytes, n);
        v->word[3] = n;
        return;
    }
    uint64_t a = n, b = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, n - i < 8 ? n - i : 8);
        a = (a ^ word) * UINT64_C(0xff51afd7ed558ccd);
        a ^= a >> 32;
        b = (b + word) * UINT64_C(0xc4ceb9fe1a85ec53);
        b ^= b >> 29;
    }
    v->word[0] = a;
    v->word[1] = b;
}

static void read_page(struct watch_value *v, const struct machine *m, uint64_t frame)
{
    const struct page_view p = page_view(m, pfn(frame));
    v->word[0] = (uint64_t)p.state | (uint64_t)p.order << 8 | (uint64_t)p.type << 16 |
                 (uint64_t)p.cpu << 24 | (uint64_t)p.lru << 32 |
                 (uint64_t)p.highatomic << 33;
    v->word[1] = p.head;
    v->word[2] = p.op << 8 | (p.state == PAGE_ALLOCATED);
    v->word[3] = (uint64_t)p.gfp << 32 | p.refcount;
}

static void read_list(struct watch_value *v, const struct machine *m, uint32_t head)
{
    const struct page *h = head_at(m, head);
    v->word[0] = h->next;
    v->word[1] = h->prev;
    v->word[2] = h->count;
}

static void read_zone(struct watch_value *v, const struct machine *m, uint32_t zone)
{
    const struct zone *z = zone_r(m, zone);
    v->word[0] = (uint64_t)z->free;
    v->word[1] = z->watermark[WMARK_MIN] << 32 ^ z->watermark[WMARK_LOW];
    v->word[2] = z->watermark[WMARK_HIGH] << 32 ^ z->watermark_boost;
}

/* In the kernel's tables; an address of user space in those of address space mm, or (0)
 * of the first one that maps it: a function of the machine's state alone, so that it does
 * not matter which CPU has come by. */
static struct pgtable_entry tables_entry(const struct machine *m, uint64_t va,
                                         uint64_t mm)
{
    struct pgtable_entry e = pgtable_find(m, va);
    if (!m->mms || va >= as_task_size(m)) {
        return e;
    }
    for (uint64_t i = mm ? mm : 1; i < (mm && mm < MAX_MMS ? mm + 1 : MAX_MMS) && !e.maps;
         i++) {
        const struct mm_struct *as = &m->mms->mm[i];
        if (as->ctx_id) {
            e = pgtable_find_in(m, as->pgd, va);
        }
    }
    return e;
}

static void read_virtual(struct watch_value *v, const struct machine *m, uint64_t va,
                         uint64_t n, uint64_t mm)
{
    unsigned char bytes[WATCH_MAX_BYTES];
    for (uint64_t done = 0; done < n;) {
        const uint64_t at = va + done, room = PAGE_SIZE - (at & (PAGE_SIZE - 1));
        const size_t now = (size_t)(room < n - done ? room : n - done);
        const struct pgtable_entry e = tables_entry(m, at, mm);
        const uint64_t frame = pgtable_entry_frame(m, &e, at);
        if (frame != PFN_NONE) {
            const uint64_t pa = (frame << PAGE_SHIFT) | (at & (PAGE_SIZE - 1));
            hardware_read_phys(m, pa, bytes + done, now);
        } else {
            memset(bytes + done, 0, now);
        }
        v->word[3] = v->word[3] << 1 | (frame != PFN_NONE);
        done += now;
    }
    const uint64_t there = v->word[3];
    put_bytes(v, bytes, (size_t)n);
    v->word[3] ^= there << 32;
}

static void read_object(struct watch_value *v, const struct machine *m, uint64_t va)
{
    const struct object_view o = object_view(m, va);
    if (o.state != OBJECT_NONE) {
        v->word[0] = (uint64_t)o.state | (uint64_t)o.cache << 32;
        v->word[1] = (uint64_t)o.alloc_op << 32 | o.free_op;
        v->word[2] = o.state == OBJECT_IN_ARRAY ? o.cpu : 0;
    }
}

struct watch_value watch_read(const struct watch *w, const struct machine *m)
{
    struct watch_value v = {{0}};
    unsigned char bytes[WATCH_MAX_BYTES];
    switch (w->kind) {
    case WATCH_PAGE:
        read_page(&v, m, w->a);
        break;
    case WATCH_FREELIST:
        read_list(&v, m, freelist_head((uint32_t)w->a, (uint32_t)w->b, (uint32_t)w->c));
        break;
    case WATCH_PCP:
        read_list(&v, m, pcp_head((uint32_t)w->a, (uint32_t)w->b, (uint32_t)w->c));
        break;
    case WATCH_ZONE:
        read_zone(&v, m, (uint32_t)w->a);
        break;
    case WATCH_PHYSICAL:
        hardware_read_phys(m, w->a, bytes, (size_t)w->b);
        put_bytes(&v, bytes, (size_t)w->b);
        break;
    case WATCH_ENTRY:
        v.word[0] = tables_entry(m, w->a, w->c).value;
        break;
    case WATCH_VIRTUAL:
        read_virtual(&v, m, w->a, w->b, w->c);
        break;
    case WATCH_OBJECT:
        read_object(&v, m, w->a);
        break;
    default: {
        const struct cache *c = set_cache(w, m);
        if (c) {
            put_bytes(&v, c->sets + w->a * c->stride, c->stride);
        }
        break;
    }
    }
    return v;
}

bool watch_changed(const struct watch *w, const struct machine *m,
                   struct watch_value *value)
{
    const struct watch_value now = watch_read(w, m);
    const bool other = memcmp(&now, value, sizeof now) != 0;
    *value = now;
    return other;
}

const char *watch_error(const struct watch *w, const struct machine *m)
{
    switch (w->kind) {
    case WATCH_PAGE:
        return w->a < machine_max_pfn(m) ? NULL : "there is no such page";
    case WATCH_FREELIST:
        return w->a >= machine_nr_zones(m) ? "there is no such zone"
               : w->b >= m->mm->max_order  ? "there is no such order"
               : w->c >= MIGRATE_TYPES     ? "there is no such migratetype"
                                           : NULL;
    case WATCH_PCP:
        return w->a >= machine_nr_zones(m) ? "there is no such zone"
               : w->b >= m->mm->nr_cpus    ? "there is no such CPU"
               : w->c >= NR_PCP_LISTS      ? "there is no such list"
                                           : NULL;
    case WATCH_ZONE:
        return w->a < machine_nr_zones(m) ? NULL : "there is no such zone";
    case WATCH_PHYSICAL:
    case WATCH_VIRTUAL:
        return w->b >= 1 && w->b <= WATCH_MAX_BYTES ? NULL
                                                    : "1 to 4096 bytes can be watched";
    case WATCH_ENTRY:
    case WATCH_OBJECT:
        return NULL;
    default: {
        const struct cache *c = set_cache(w, m);
        return !c                       ? "there is no such cache or CPU"
               : w->a >= c->config.sets ? "it has fewer sets"
                                        : NULL;
    }
    }
}

int watch_name(char *buf, size_t size, const struct watch *w, const struct machine *m)
{
    static const char *const sets[] = {
        [WATCH_L1I_SET] = "L1I",   [WATCH_L1D_SET] = "L1D",   [WATCH_L2_SET] = "L2",
        [WATCH_ITLB_SET] = "ITLB", [WATCH_DTLB_SET] = "DTLB", [WATCH_STLB_SET] = "STLB"};
    char type[64];
    const unsigned long long a = w->a, b = w->b;
    switch (w->kind) {
    case WATCH_PAGE:
        return snprintf(buf, size, "page 0x%llx", a);
    case WATCH_FREELIST:
        value_format(type, sizeof type, m, "mt", w->c);
        return snprintf(buf, size, "the %s free list of order %llu in %s", type, b,
                        zone_view(m, (uint32_t)w->a).name);
    case WATCH_PCP:
        value_format(type, sizeof type, m, "list", w->c);
        return snprintf(buf, size, "CPU %llu's list %s in %s", b, type,
                        zone_view(m, (uint32_t)w->a).name);
    case WATCH_ZONE:
        return snprintf(buf, size, "zone %s", zone_view(m, (uint32_t)w->a).name);
    case WATCH_PHYSICAL:
        return snprintf(buf, size, "%llu byte%s of physical memory at 0x%llx", b,
                        b == 1 ? "" : "s", a);
    case WATCH_ENTRY:
        return snprintf(buf, size, "the page-table entry of 0x%llx", a);
    case WATCH_VIRTUAL:
        return snprintf(buf, size, "%llu byte%s at 0x%llx", b, b == 1 ? "" : "s", a);
    case WATCH_OBJECT:
        return snprintf(buf, size, "the object at 0x%llx", a);
    default:
        return snprintf(buf, size, "set %llu of CPU %llu's %s", a, b, sets[w->kind]);
    }
}

static int format_object(char *buf, size_t size, const struct machine *m, uint64_t va)
{
    const struct object_view o = object_view(m, va);
    switch (o.state) {
    case OBJECT_NONE:
        return snprintf(buf, size, "no object");
    case OBJECT_IN_USE:
        return snprintf(buf, size, "in use, allocated by operation %u", o.alloc_op);
    case OBJECT_IN_ARRAY:
        return o.cpu == UINT32_MAX ? snprintf(buf, size, "free, in the shared array")
                                   : snprintf(buf, size, "free, %s CPU %u's %s",
                                              m->config.slub ? "on" : "in", o.cpu,
                                              m->config.slub ? "freelist" : "array");
    default:
        return snprintf(buf, size, "free, on its slab's freelist");
    }
}

int watch_format(char *buf, size_t size, const struct watch *w, const struct machine *m)
{
    static const char *const states[] = {"a hole", "reserved", "free",
                                         "on a per-CPU list", "allocated"};
    const struct watch_value v = watch_read(w, m);
    switch (w->kind) {
    case WATCH_PAGE: {
        const struct page_view p = page_view(m, pfn(w->a));
        return snprintf(buf, size, "%s, in the block 0x%llx of order %u, %u reference%s",
                        states[p.state], (unsigned long long)p.head, p.order, p.refcount,
                        p.refcount == 1 ? "" : "s");
    }
    case WATCH_FREELIST:
    case WATCH_PCP:
        return v.word[2]
                   ? snprintf(buf, size, "%llu block%s, the first one 0x%llx",
                              (unsigned long long)v.word[2], v.word[2] == 1 ? "" : "s",
                              (unsigned long long)v.word[0])
                   : snprintf(buf, size, "empty");
    case WATCH_ZONE:
        return snprintf(buf, size, "%lld pages free", (long long)v.word[0]);
    case WATCH_ENTRY:
        return snprintf(buf, size, "0x%llx", (unsigned long long)v.word[0]);
    case WATCH_OBJECT:
        return format_object(buf, size, m, w->a);
    case WATCH_PHYSICAL:
    case WATCH_VIRTUAL:
        if (w->b <= 8) {
            return snprintf(buf, size, "0x%0*llx", (int)(2 * w->b),
                            (unsigned long long)v.word[0]);
        }
        break;
    default:
        break;
    }
    return snprintf(buf, size, "other contents (%016llx)", (unsigned long long)v.word[0]);
}
