/* Memory as a CPU would see it, and page tables.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "hw_memory.h"
#include "smp.h"

static uint64_t bus_read(void *ctx, uint64_t at, uint32_t size_bytes)
{
    unsigned char bytes[8] = {0};
    uint64_t value = 0;
    hw_read_phys(ctx, at, bytes, size_bytes);
    for (uint32_t i = 0; i < size_bytes; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

static void bus_drop(void *ctx, uint64_t at, uint64_t value, uint32_t size_bytes)
{
    (void)ctx, (void)at, (void)value, (void)size_bytes;
}

void table_walk(const struct machine *m, const struct mmu *mmu, uint64_t va,
                struct walk *w)
{
    struct mmu supervisor = *mmu;
    supervisor.user = supervisor.smap = supervisor.smep = false;
    const struct mmu_bus bus = {bus_read, bus_drop, (void *)(uintptr_t)m};
    mmu_peek(&supervisor, va, ACCESS_READ, &bus, w);
}

/* ---- translation ---- */

static struct memory_at placed(enum memory_via via, uint64_t entry, uint64_t va)
{
    const uint64_t size = (uint64_t)1 << page_shift(tlb_entry_size(entry));
    return (struct memory_at){via, tlb_entry_translate(entry, va).v, entry,
                              size - (va & (size - 1))};
}

static bool tlb_holds(const struct memsys *ms, const struct tlb *t, uint64_t va,
                      uint64_t *entry)
{
    struct tlb_place p = tlb_find(t, va, ms->s->space, CACHE_COUNT);
    if (p.way == CACHE_NO_WAY) {
        return false;
    }
    *entry = *cache_home(&t->c, p.set, p.way);
    return true;
}

struct memory_at memory_translate(const struct machine *m, uint32_t cpu,
                                  const struct mmu *mmu, uint64_t va)
{
    const struct memsys *ms = hardware_cpu(m, cpu);
    const bool own = !mmu || mmu == &ms->s->mmu;
    const uint64_t rest = PAGE_SIZE - (va & (PAGE_SIZE - 1));
    uint64_t entry;
    if (own && ms->config.translation == TRANSLATE_IDENTITY) {
        return (struct memory_at){VIA_PHYSICAL, va, 0, rest};
    }
    if (own && ms->config.translation == TRANSLATE_FIRST_TOUCH) {
        uint32_t given = sparse_peek(&ms->frames, va >> PAGE_SHIFT);
        return given ? placed(VIA_WALK,
                              tlb_entry((ms->config.first_pfn + given - 1) << PAGE_SHIFT,
                                        CACHE_PERMS, PAGE_4K, false, 0),
                              va)
                     : (struct memory_at){.via = VIA_NOTHING, .left = rest};
    }
    if (own && ms->front[SIDE_D].has_tlb &&
        tlb_holds(ms, &ms->front[SIDE_D].tlb, va, &entry)) {
        return placed(VIA_DTLB, entry, va);
    }
    if (own && ms->has_stlb && tlb_holds(ms, &ms->stlb, va, &entry)) {
        return placed(VIA_STLB, entry, va);
    }
    if ((mmu ? mmu : &ms->s->mmu)->paging == PAGING_NONE) {
        return (struct memory_at){VIA_PHYSICAL, va, 0, rest};
    }
    struct walk w;
    table_walk(m, mmu ? mmu : &ms->s->mmu, va, &w);
    return w.fault.kind == FAULT_NONE
               ? placed(VIA_WALK, w.entry, va)
               : (struct memory_at){.via = VIA_NOTHING, .left = rest};
}

/* ---- bytes ---- */

bool memory_holder(const struct machine *m, uint32_t cpu, enum hw_part part, uint64_t pa,
                   uint32_t *set, uint32_t *way)
{
    const struct cache *c = hw_cache(m, cpu, part);
    const struct memsys *ms = hardware_cpu(m, cpu);
    if (!c) {
        return false;
    }
    const uint64_t line = pa >> c->line_shift;
    const uint32_t in_page = PAGE_SIZE >> c->line_shift;
    uint32_t at = 0, last = c->config.sets - 1, step = 1;
    bool found = false;
    if (part == PART_L2 || ms->config.tagging == TAG_PIPT) {
        at = last = cache_set_number(c, line);
    } else if (!c->modulo && c->config.sets <= in_page) {
        at = last = (uint32_t)line & (c->config.sets - 1);
    } else if (!c->modulo) { /* the bits of the index that lie in a page are known */
        at = (uint32_t)line & (in_page - 1);
        step = in_page;
    }
    for (; at <= last; at += step) {
        struct cache_set *s = cache_set_at(c, at);
        for (uint32_t w = 0; w < c->config.ways; w++) {
            const uint64_t home = c->config.homes ? *cache_home(c, s, w) : s->key[w];
            if (s->key[w] != CACHE_NO_KEY && home == line) {
                *set = at;
                *way = w;
                found = true;
                if (*cache_attr(c, s, w) & CACHE_DIRTY) {
                    return true;
                }
            }
        }
    }
    return found;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

size_t memory_dirty_frames(const struct machine *m, uint64_t *frames, size_t most)
{
    size_t nr = 0;
    for (uint32_t cpu = 0; m->hardware->s->used && cpu < m->hardware->nr_cpus; cpu++) {
        for (int part = PART_L1D; part <= PART_L2; part++) {
            const struct cache *c = hw_cache(m, cpu, (enum hw_part)part);
            for (uint32_t set = 0; c && set < c->config.sets; set++) {
                struct cache_set *s = cache_set_at(c, set);
                for (uint32_t way = 0; way < c->config.ways; way++) {
                    if (!(*cache_attr(c, s, way) & CACHE_DIRTY)) {
                        continue;
                    }
                    const uint64_t line =
                        c->config.homes ? *cache_home(c, s, way) : s->key[way];
                    const uint64_t frame = line << c->line_shift >> PAGE_SHIFT;
                    const bool again = nr && nr <= most && frames[nr - 1] == frame;
                    if (nr < most && !again) {
                        frames[nr] = frame;
                    }
                    nr += !again;
                }
            }
        }
    }
    if (nr > most) {
        return nr;
    }
    qsort(frames, nr, sizeof *frames, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < nr; i++) {
        if (!kept || frames[kept - 1] != frames[i]) {
            frames[kept++] = frames[i];
        }
    }
    return kept;
}

bool memory_frame_is_blank(const struct machine *m, uint64_t frame, const uint64_t *dirty,
                           size_t nr_dirty)
{
    return !ram_peek(&m->ram, pfn(frame)) &&
           !bsearch(&frame, dirty, nr_dirty, sizeof *dirty, by_number);
}

static const unsigned char *held_bytes(const struct machine *m, uint32_t cpu,
                                       enum hw_part part, uint64_t pa)
{
    const struct cache *c = hw_cache(m, cpu, part);
    uint32_t set, way;
    return c && c->data && memory_holder(m, cpu, part, pa, &set, &way)
               ? cache_data(c, cache_set_at(c, set), way) +
                     (pa & (c->config.line_bytes - 1))
               : NULL;
}

static const unsigned char *l1_of_va(const struct memsys *ms, uint64_t va, uint64_t pa)
{
    const struct cache *c = &ms->front[SIDE_D].l1;
    if (!ms->front[SIDE_D].has_l1 || !c->data) {
        return NULL;
    }
    const uint32_t shift = c->line_shift;
    struct cache_set *s =
        cache_set_of(c, (ms->config.tagging == TAG_PIPT ? pa : va) >> shift);
    const uint64_t key = (ms->virtual_tags ? va : pa) >> shift ^ ms->s->line_space;
    uint32_t way = cache_find(c, s, key);
    return way == CACHE_NO_WAY
               ? NULL
               : cache_data(c, s, way) + (va & (c->config.line_bytes - 1));
}

/* What another CPU would answer on the bus: it has a newer copy than memory. */
static const unsigned char *others_bytes(const struct machine *m, uint32_t cpu,
                                         uint64_t pa)
{
    const struct memsys *own = hardware_cpu(m, cpu);
    if (!own->smp || !own->config.coherent) {
        return NULL;
    }
    const enum hw_part last = own->smp->config.shared_l2 ? PART_L1D : PART_L2;
    for (uint32_t other = 0; other < m->hardware->nr_cpus; other++) {
        for (enum hw_part part = PART_L1D; other != cpu && part <= last; part++) {
            const struct cache *c = hw_cache(m, other, part);
            uint32_t set, way;
            if (c && c->data && memory_holder(m, other, part, pa, &set, &way) &&
                *cache_attr(c, cache_set_at(c, set), way) & CACHE_DIRTY) {
                return held_bytes(m, other, part, pa);
            }
        }
    }
    return NULL;
}

/* Up to n bytes inside one line. */
static void see_piece(const struct machine *m, uint32_t cpu, bool own, bool by_va,
                      uint64_t va, bool has_pa, uint64_t pa, uint32_t n,
                      unsigned char *seen, unsigned char *ram, unsigned char *from)
{
    const struct memsys *ms = hardware_cpu(m, cpu);
    const unsigned char *held = NULL;
    enum seen_from where = SEEN_NOWHERE;
    const bool in_ram = has_pa && ms->ram && pa >> PAGE_SHIFT < ms->ram->nr_frames;
    memset(seen, 0, n);
    memset(ram, 0, n);
    if (in_ram) {
        ram_read(ms->ram, paddr(pa), ram, n);
    }
    if (own && by_va) {
        held = has_pa || ms->virtual_tags ? l1_of_va(ms, va, pa) : NULL;
        where = SEEN_L1;
    } else if (has_pa) {
        held = held_bytes(m, cpu, PART_L1D, pa);
        where = SEEN_L1;
    }
    if (!held && has_pa) {
        held = others_bytes(m, cpu, pa); /* the bus is asked before what is below it */
        where = SEEN_OTHER;
    }
    if (!held && has_pa) {
        held = held_bytes(m, cpu, PART_L2, pa);
        where = SEEN_L2;
    }
    if (held) {
        memcpy(seen, held, n);
    } else {
        memcpy(seen, ram, n);
        where = in_ram ? SEEN_RAM : SEEN_NOWHERE;
    }
    memset(from, (int)where, n);
}

static uint32_t piece_bytes(const struct machine *m, uint32_t cpu)
{
    uint32_t n = 64;
    const struct cache *all[] = {hw_cache(m, cpu, PART_L1D), hw_cache(m, cpu, PART_L2)};
    for (int i = 0; i < 2; i++) {
        if (all[i] && all[i]->config.line_bytes < n) {
            n = all[i]->config.line_bytes;
        }
    }
    return n;
}

void memory_see(const struct machine *m, uint32_t cpu, const struct mmu *mmu,
                bool physical, uint64_t at, size_t n, unsigned char *seen,
                unsigned char *ram, unsigned char *from)
{
    const struct memsys *ms = hardware_cpu(m, cpu);
    const bool own = !mmu || mmu == &ms->s->mmu;
    const uint32_t most = piece_bytes(m, cpu);
    struct memory_at p = {.left = 0};
    for (size_t done = 0; done < n;) {
        const uint64_t here = at + done;
        uint32_t size = most - ((uint32_t)here & (most - 1));
        size = n - done < size ? (uint32_t)(n - done) : size;
        if (physical) {
            p = (struct memory_at){VIA_PHYSICAL, here, 0, PAGE_SIZE};
        } else if (!p.left) {
            p = memory_translate(m, cpu, mmu, here);
        }
        see_piece(m, cpu, own, !physical, here, p.via != VIA_NOTHING, p.pa, size,
                  seen + done, ram + done, from + done);
        p.left = p.left > size ? p.left - size : 0;
        p.pa += size;
        done += size;
    }
}

/* ---- page tables ---- */

struct table_shape table_shape(enum paging paging)
{
    switch (paging) {
    case PAGING_I386:
        return (struct table_shape){2, 10, 4};
    case PAGING_PAE:
        return (struct table_shape){3, 9, 8};
    case PAGING_4LEVEL:
        return (struct table_shape){4, 9, 8};
    case PAGING_5LEVEL:
        return (struct table_shape){5, 9, 8};
    default:
        return (struct table_shape){0, 0, 0};
    }
}

uint32_t table_entries(enum paging paging, uint32_t level)
{
    return paging == PAGING_PAE && level == 3
               ? 4
               : (uint32_t)1 << table_shape(paging).index_bits;
}

uint32_t table_level_shift(enum paging paging, uint32_t level)
{
    return PAGE_SHIFT + table_shape(paging).index_bits * (level - 1);
}

uint32_t table_read(const struct machine *m, enum paging paging, uint64_t table_pa,
                    uint32_t level, uint64_t entries[TABLE_MAX_ENTRIES])
{
    unsigned char bytes[PAGE_SIZE];
    const uint32_t nr = table_entries(paging, level);
    const uint32_t size = table_shape(paging).entry_bytes;
    hw_read_phys(m, table_pa, bytes, nr * size);
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t half;
        if (size == 8) {
            memcpy(&entries[i], bytes + 8 * i, 8);
        } else {
            memcpy(&half, bytes + 4 * i, 4);
            entries[i] = half;
        }
    }
    return nr;
}

uint64_t table_root(const struct mmu *mmu)
{
    const uint64_t low = mmu->paging == PAGING_PAE ? 0x1f : 0xfff;
    return mmu->cr3 & ~low &
           (mmu->paging == PAGING_I386 ? 0xffffffffu : ((uint64_t)1 << 52) - 1);
}

enum entry_kind table_entry_kind(const struct mmu *mmu, uint32_t level, uint64_t value)
{
    if (!(value & PTE_P)) {
        return value ? ENTRY_NOT_PRESENT : ENTRY_EMPTY;
    }
    const bool large = level > 1 && (value & PTE_PS) &&
                       (mmu->paging == PAGING_I386 ? mmu->pse : level <= 3) &&
                       !(mmu->paging == PAGING_PAE && level == 3);
    return level == 1 || large ? ENTRY_PAGE : ENTRY_TABLE;
}

uint64_t table_entry_target(const struct mmu *mmu, uint32_t level, uint64_t value)
{
    const bool i386 = mmu->paging == PAGING_I386;
    if (level > 1 && table_entry_kind(mmu, level, value) == ENTRY_PAGE) {
        return i386 ? (value & 0xffc00000u) | (value & 0x1fe000) << 19
                    : value & (((uint64_t)1 << 52) - 1) &
                          ~(((uint64_t)1 << table_level_shift(mmu->paging, level)) - 1);
    }
    return value & (i386 ? 0xfffff000u : ((uint64_t)1 << 52) - 0x1000);
}

uint64_t table_canonical(enum paging paging, uint64_t va)
{
    const uint32_t bits = paging == PAGING_4LEVEL ? 48 : paging == PAGING_5LEVEL ? 57 : 0;
    if (!bits) {
        return va & 0xffffffffu;
    }
    return va >> (bits - 1) & 1 ? va | ~(uint64_t)0 << bits
                                : va & (((uint64_t)1 << bits) - 1);
}

/* Bits of an address that the tables translate. */
static uint32_t table_va_bits(enum paging paging)
{
    return paging == PAGING_5LEVEL ? 57 : paging == PAGING_4LEVEL ? 48 : 32;
}

bool table_next_mapped(const struct machine *m, const struct mmu *mmu, uint64_t *va,
                       uint64_t *size_bytes, uint32_t *budget)
{
    const struct table_shape shape = table_shape(mmu->paging);
    uint64_t entries[MMU_MAX_LEVELS + 1][TABLE_MAX_ENTRIES];
    uint64_t read[MMU_MAX_LEVELS + 1]; /* the table whose entries those are */
    const uint64_t end = shape.levels ? (uint64_t)1 << table_va_bits(mmu->paging) : 0;
    memset(read, 0xff, sizeof read);
    for (uint64_t at = *va & (end - 1); at < end;) {
        uint64_t table = table_root(mmu);
        for (uint32_t level = shape.levels;; level--) {
            const uint32_t shift = table_level_shift(mmu->paging, level);
            const uint64_t span = (uint64_t)1 << shift;
            if (read[level] != table) {
                if (!*budget) {
                    *va = table_canonical(mmu->paging, at);
                    return false;
                }
                --*budget;
                table_read(m, mmu->paging, table, level, entries[level]);
                read[level] = table;
            }
            const uint32_t index =
                (uint32_t)(at >> shift) & (table_entries(mmu->paging, level) - 1);
            const uint64_t value = entries[level][index];
            const enum entry_kind kind = table_entry_kind(mmu, level, value);
            if (kind == ENTRY_PAGE) {
                *va = table_canonical(mmu->paging, at);
                *size_bytes = span;
                return true;
            }
            if (kind != ENTRY_TABLE) {
                at = (at & ~(span - 1)) + span;
                break;
            }
            table = table_entry_target(mmu, level, value);
        }
    }
    return false;
}
