/* Looking at the hardware: see inspect_hw.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect_hw.h"

#include <string.h>

#include "mm_struct.h"
#include "pgtable.h"
#include "text.h"
#include "vm.h"

static const char *const part_names[NR_PARTS] = {
    [PART_L1I] = "l1i",   [PART_L1D] = "l1d",   [PART_L2] = "l2",
    [PART_ITLB] = "itlb", [PART_DTLB] = "dtlb", [PART_STLB] = "stlb"};

const char *part_name(enum hw_part part)
{
    return part < NR_PARTS ? part_names[part] : "?";
}

enum hw_part part_by_name(const char *name)
{
    enum hw_part part = PART_L1I;
    while (part < NR_PARTS && strcmp(part_names[part], name) != 0) {
        part++;
    }
    return part;
}

/* ---- caches and TLBs ---- */

static const struct cache *cache_of(const struct memsys *cpu, enum hw_part part)
{
    switch (part) {
    case PART_L1I:
    case PART_L1D:
        return cpu->front[part].has_l1 ? &cpu->front[part].l1 : NULL;
    case PART_L2:
        return cpu->has_l2 ? &cpu->l2 : NULL;
    case PART_ITLB:
    case PART_DTLB:
        return cpu->front[part - PART_ITLB].has_tlb ? &cpu->front[part - PART_ITLB].tlb.c
                                                    : NULL;
    case PART_STLB:
        return cpu->has_stlb ? &cpu->stlb.c : NULL;
    case NR_PARTS:
        break;
    }
    return NULL;
}

const struct cache *hw_cache(const struct machine *m, uint32_t cpu, enum hw_part part)
{
    const struct memsys *c = hardware_cpu(m, cpu);
    return c ? cache_of(c, part) : NULL;
}

/* The cache if it has this way. */
static const struct cache *place(const struct machine *m, uint32_t cpu, enum hw_part part,
                                 uint32_t set, uint32_t way)
{
    const struct cache *c = hw_cache(m, cpu, part);
    return c && set < c->config.sets && way < c->config.ways ? c : NULL;
}

/* An address from a line number that may have an address space's number over it. Bits
 * 52 and above of a canonical address repeat its sign, which bit 50 shows. */
static uint64_t untag(uint64_t key, uint32_t shift, bool asids, uint32_t *asid)
{
    const uint64_t high = UINT64_MAX >> shift & ~(((uint64_t)1 << 52) - 1);
    *asid = 0;
    if (asids) {
        *asid = (uint32_t)((key ^ (key >> 50 & 1 ? high : 0)) >> 52);
        key ^= tlb_space(*asid);
    }
    return key << shift;
}

struct line_view hw_line(const struct machine *m, uint32_t cpu, enum hw_part part,
                         uint32_t set, uint32_t way)
{
    struct line_view v;
    const struct cache *c = place(m, cpu, part, set, way);
    memset(&v, 0, sizeof v);
    v.state = 'I';
    if (!c || part_is_tlb(part)) {
        return v;
    }
    struct cache_set *s = cache_set_at(c, set);
    const unsigned attr = *cache_attr(c, s, way);
    v.age = cache_peek_age(c, set, way);
    v.is_victim = cache_peek_victim(c, set) == way;
    v.valid = s->key[way] != CACHE_NO_KEY;
    if (!v.valid) {
        return v;
    }
    v.dirty = attr & CACHE_DIRTY;
    v.state = v.dirty ? 'M' : attr & CACHE_OWNED ? 'E' : 'S';
    v.perms = attr & CACHE_PERMS;
    v.key = s->key[way];
    v.is_virtual = c->config.homes;
    v.pa = (v.is_virtual ? *cache_home(c, s, way) : v.key) << c->line_shift;
    if (v.is_virtual) {
        const bool asids = hardware_cpu(m, cpu)->config.tagging == TAG_VIVT_ASID;
        v.va = untag(v.key, c->line_shift, asids, &v.asid);
    }
    v.bytes = c->data ? cache_data(c, s, way) : NULL;
    return v;
}

static uint64_t bus_read(void *ctx, uint64_t at, uint32_t size_bytes)
{
    uint64_t value = 0;
    uint32_t half = 0;
    memsys_peek(ctx, at, size_bytes == 4 ? (void *)&half : &value, size_bytes);
    return size_bytes == 4 ? half : value;
}

static void peek_walk(const struct memsys *cpu, const struct mmu *mmu, uint64_t va,
                      enum access_kind kind, struct walk *w)
{
    const struct mmu_bus bus = {.read = bus_read, .ctx = (void *)(uintptr_t)cpu};
    mmu_peek(mmu, va, kind, &bus, w);
}

/* Does the walker find something else now? A trace without tables has none to differ
 * from. */
static bool is_stale(const struct memsys *cpu, uint64_t va, uint64_t entry)
{
    if (cpu->config.translation != TRANSLATE_TABLES) {
        return false;
    }
    struct mmu mmu = cpu->s->mmu;
    struct walk w;
    mmu.user = mmu.smap = mmu.smep = mmu.wp = false; /* only where it leads to */
    peek_walk(cpu, &mmu, va, ACCESS_READ, &w);
    const uint64_t where = TLB_FRAME | TLB_PERMS, fixed = where & ~(uint64_t)CACHE_D;
    return w.fault.kind != FAULT_NONE || ((w.entry ^ entry) & fixed) ||
           tlb_entry_size(w.entry) != tlb_entry_size(entry);
}

struct tlb_view hw_tlb_entry(const struct machine *m, uint32_t cpu, enum hw_part part,
                             uint32_t set, uint32_t way)
{
    struct tlb_view v;
    const struct cache *c = place(m, cpu, part, set, way);
    memset(&v, 0, sizeof v);
    if (!c || !part_is_tlb(part)) {
        return v;
    }
    struct cache_set *s = cache_set_at(c, set);
    v.age = cache_peek_age(c, set, way);
    v.is_victim = cache_peek_victim(c, set) == way;
    v.valid = s->key[way] != CACHE_NO_KEY;
    if (!v.valid) {
        return v;
    }
    const uint64_t entry = *cache_home(c, s, way);
    const uint32_t kind = tlb_entry_kind(entry);
    v.global = entry & TLB_GLOBAL;
    v.shift = page_shift(tlb_entry_size(entry));
    v.asid = v.global ? 0 : tlb_key_asid(s->key[way]);
    v.va = (s->key[way] ^ tlb_space(v.asid) ^ (uint64_t)kind << 48) << v.shift;
    v.pa = entry & TLB_FRAME;
    v.perms = (uint32_t)entry & TLB_PERMS;
    v.pat = tlb_entry_pat(entry);
    const struct memsys *sys = hardware_cpu(m, cpu);
    v.stale = (v.global || v.asid == sys->s->mmu.pcid) && is_stale(sys, v.va, entry);
    return v;
}

/* ---- paging-structure caches ---- */

uint32_t hw_psc_ways(const struct machine *m, uint32_t cpu, uint32_t level)
{
    const struct memsys *sys = hardware_cpu(m, cpu);
    const bool some = sys && sys->has_psc && level >= 2 && level <= MMU_MAX_LEVELS;
    return some ? sys->config.psc[level] : 0;
}

struct psc_view hw_psc_entry(const struct machine *m, uint32_t cpu, uint32_t level,
                             uint32_t way)
{
    struct psc_view v = {0};
    if (way >= hw_psc_ways(m, cpu, level)) {
        return v;
    }
    const struct memsys *sys = hardware_cpu(m, cpu);
    const struct cache *c = &sys->psc[level];
    struct cache_set *s = cache_set_at(c, 0);
    v.valid = s->key[way] != CACHE_NO_KEY;
    if (v.valid) {
        const uint64_t next = *cache_home(c, s, way);
        v.asid = tlb_key_asid(s->key[way]);
        v.shift = sys->s->mmu.paging == PAGING_I386 ? 22 : 12 + 9 * (level - 1);
        v.va = (s->key[way] ^ tlb_space(v.asid)) << v.shift;
        v.table = next & TLB_FRAME;
        v.perms = (next & PTE_U ? CACHE_U : 0) | (next & PTE_W ? CACHE_W : 0) |
                  (next & PTE_NX ? 0 : CACHE_X);
        v.age = cache_peek_age(c, 0, way);
    }
    return v;
}

/* ---- the next access ---- */

static void look_in(const struct cache *c, uint64_t line, uint64_t key,
                    struct probe_view *p)
{
    p->there = true;
    p->set = cache_set_number(c, line);
    p->way = cache_find(c, cache_set_at(c, p->set), key);
    p->hit = p->way != CACHE_NO_WAY;
    if (!p->hit) {
        p->way = cache_peek_victim(c, p->set);
    }
}

/* *entry when it hits. */
static void look_in_tlb(const struct memsys *cpu, const struct tlb *t, uint64_t va,
                        struct probe_view *p, uint64_t *entry)
{
    struct tlb_place at = tlb_find_kinds(t, va, cpu->s->space);
    p->there = true;
    p->hit = at.way != CACHE_NO_WAY;
    if (p->hit) {
        p->set = cache_number_of(&t->c, at.set);
        p->way = at.way;
        *entry = *cache_home(&t->c, at.set, at.way);
    } else {
        p->set = cache_set_number(&t->c, va >> PAGE_SHIFT);
        p->way = cache_peek_victim(&t->c, p->set);
    }
}

static void look_translate(const struct memsys *cpu, const struct mmu *mmu,
                           struct access_view *v)
{
    const enum side side = v->kind == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const struct front *f = &cpu->front[side];
    const uint32_t may = mmu_may(mmu, v->kind);
    uint64_t entry = 0;
    v->tlb.part = side == SIDE_I ? PART_ITLB : PART_DTLB;
    v->stlb.part = PART_STLB;
    if (f->has_tlb) {
        look_in_tlb(cpu, &f->tlb, v->va, &v->tlb, &entry);
        if (!v->tlb.hit && cpu->has_stlb) {
            look_in_tlb(cpu, &cpu->stlb, v->va, &v->stlb, &entry);
        }
    }
    const bool found = v->tlb.hit || v->stlb.hit;
    if (!found || !(may >> ((entry & TLB_PERMS) | CACHE_OWNED) & 1)) {
        /* nobody knows, or the tables are asked again: a first write, or a fault */
        v->fault =
            found ? mmu_permission_fault(mmu, v->va, v->kind, (uint32_t)entry & TLB_PERMS)
                  : v->fault;
        v->walks = v->fault.kind == FAULT_NONE;
        if (v->walks) {
            peek_walk(cpu, mmu, v->va, v->kind, &v->walk);
            v->fault = v->walk.fault;
            entry = v->walk.entry;
        }
    }
    v->translated = v->fault.kind == FAULT_NONE;
    if (v->translated) {
        v->pa = mmu->paging == PAGING_NONE ? v->va : tlb_entry_translate(entry, v->va).v;
    }
}

static void look_in_l1(const struct memsys *cpu, struct access_view *v)
{
    const enum side side = v->kind == ACCESS_FETCH ? SIDE_I : SIDE_D;
    const struct cache *c = &cpu->front[side].l1;
    v->l1.part = side == SIDE_I ? PART_L1I : PART_L1D;
    if (cpu->front[side].has_l1) {
        const uint64_t index = cpu->config.tagging == TAG_PIPT ? v->pa : v->va;
        const uint64_t tag = cpu->virtual_tags ? v->va : v->pa;
        look_in(c, index >> c->line_shift, tag >> c->line_shift ^ cpu->s->line_space,
                &v->l1);
    }
}

/* A hit of virtual tags: does the line allow the access without asking the tables? */
static bool line_allows(const struct memsys *cpu, const struct mmu *mmu,
                        struct access_view *v)
{
    const struct cache *c = &cpu->front[v->kind == ACCESS_FETCH ? SIDE_I : SIDE_D].l1;
    struct cache_set *s = cache_set_at(c, v->l1.set);
    v->pa = *cache_home(c, s, v->l1.way) << c->line_shift |
            (v->va & (c->config.line_bytes - 1));
    return mmu_may(mmu, v->kind) >> (*cache_attr(c, s, v->l1.way) & CACHE_NEEDS) & 1;
}

bool hw_peek(const struct machine *m, uint32_t cpu_nr, uint64_t va, enum access_kind kind,
             bool user, struct access_view *v)
{
    const struct memsys *cpu = hardware_cpu(m, cpu_nr);
    memset(v, 0, sizeof *v);
    v->va = va;
    v->kind = kind;
    v->user = user;
    if (!cpu) {
        return false;
    }
    struct mmu mmu = cpu->s->mmu;
    mmu.user = user;
    v->virtual_first = cpu->virtual_tags;
    v->l2.part = PART_L2;
    if (cpu->virtual_tags) {
        look_in_l1(cpu, v);
        if (v->l1.hit && line_allows(cpu, &mmu, v)) {
            v->translated = true;
            return true;
        }
        const uint64_t home = v->pa;
        look_translate(cpu, &mmu, v);
        if (v->l1.hit) {
            v->pa = home; /* the line stays where it came from */
            return true;
        }
    } else {
        look_translate(cpu, &mmu, v);
        if (v->translated) {
            look_in_l1(cpu, v);
        }
    }
    if (v->translated && !v->l1.hit && cpu->has_l2) {
        look_in(&cpu->l2, v->pa >> cpu->l2.line_shift, v->pa >> cpu->l2.line_shift,
                &v->l2);
    }
    return true;
}

struct probe_view hw_find(const struct machine *m, uint32_t cpu_nr, enum hw_part part,
                          uint64_t va, enum access_kind kind)
{
    const struct memsys *cpu = hardware_cpu(m, cpu_nr);
    const struct cache *c = hw_cache(m, cpu_nr, part);
    struct access_view v;
    uint64_t entry;
    memset(&v, 0, sizeof v);
    v.va = va;
    v.kind = kind;
    v.l1.part = part;
    if (!c) {
        return v.l1;
    }
    if (part_is_tlb(part)) {
        look_in_tlb(cpu,
                    part == PART_STLB ? &cpu->stlb : &cpu->front[part - PART_ITLB].tlb,
                    va, &v.l1, &entry);
        return v.l1;
    }
    if (part == PART_L2 || !cpu->virtual_tags) {
        struct mmu mmu = cpu->s->mmu;
        mmu.smap = mmu.smep = mmu.wp = false;
        look_translate(cpu, &mmu, &v);
        if (!v.translated) {
            return v.l1;
        }
    }
    if (part == PART_L2) {
        look_in(c, v.pa >> c->line_shift, v.pa >> c->line_shift, &v.l1);
    } else {
        look_in_l1(cpu, &v);
    }
    return v.l1;
}

const struct memsys *hw_memsys(const struct machine *m, uint32_t cpu)
{
    return hardware_cpu(m, cpu);
}

bool hw_walk(const struct machine *m, uint32_t cpu_nr, uint64_t va, enum access_kind kind,
             bool user, struct walk *w)
{
    const struct memsys *cpu = hardware_cpu(m, cpu_nr);
    memset(w, 0, sizeof *w);
    if (!cpu) {
        return false;
    }
    struct mmu mmu = cpu->s->mmu;
    mmu.user = user;
    peek_walk(cpu, &mmu, va, kind, w);
    return true;
}

bool hw_is_user(const struct machine *m, uint32_t cpu, uint64_t va)
{
    const bool low =
        m->vm->kspace.bits == 32 ? va < m->vm->kspace.page_offset : !(va >> 63);
    return low && cpu < m->hardware->nr_cpus && as_cpu(m, cpu)->mm;
}

/* ---- the last access ---- */

struct last_access hw_last_access(const struct machine *m, uint32_t cpu)
{
    struct last_access v;
    memset(&v, 0, sizeof v);
    if (cpu < m->hardware->nr_cpus) {
        const struct hardware_access *a = &m->hardware->s->cpu[cpu].last;
        v.there = a->there;
        v.done = a->done;
        v.va = a->va;
        v.value = a->value;
        v.size = a->size;
        v.kind = (enum access_kind)a->kind;
        v.mode = (enum access_mode)a->mode;
        v.fault = a->fault;
        v.n = a->n;
    }
    return v;
}

void perms_format(char buf[5], uint32_t perms)
{
    static const char letters[] = "UWXD";
    for (int i = 0; i < 4; i++) {
        buf[i] = perms >> i & 1 ? letters[i] : '-';
    }
    buf[4] = 0;
}

/* ---- address spaces ---- */

bool hw_next_mm(const struct machine *m, uint32_t mm, struct mm_view *out)
{
    _Static_assert((int)MM_VIEW_VMAS == (int)MAX_VMAS, "all areas");
    memset(out, 0, sizeof *out);
    for (mm = mm ? mm : 1; mm < MAX_MMS; mm++) {
        const struct mm_struct *as = as_find(m, mm);
        if (!as) {
            continue;
        }
        out->mm = mm;
        out->pgd = as->pgd;
        out->ctx_id = as->ctx_id;
        out->tlb_gen = as->tlb_gen;
        out->nr_tables = as->nr_tables;
        out->nr_pages = as->nr_pages;
        out->nr_faults = as->nr_faults;
        out->cpus = as->cpumask;
        out->nr_vmas = as->nr_vmas;
        for (uint32_t i = 0; i < as->nr_vmas; i++) {
            out->vma[i].start = as->vma[i].start;
            out->vma[i].end = as->vma[i].end;
            out->vma[i].prot = as->vma[i].prot;
        }
        return true;
    }
    return false;
}

struct mm_cpu_view hw_mm_of_cpu(const struct machine *m, uint32_t cpu)
{
    struct mm_cpu_view v = {0, 0, 0, false, false};
    if (cpu < m->hardware->nr_cpus) {
        const struct mm_cpu *c = as_cpu(m, cpu);
        v.mm = c->mm;
        v.loaded_mm = c->loaded_mm;
        v.asid = c->asid;
        v.lazy = c->lazy;
        v.pending = c->pending;
    }
    return v;
}

/* ---- page tables ---- */

static const struct {
    uint32_t levels, index_bits, entry_bytes;
} shapes[] = {[PAGING_NONE] = {0, 0, 0},
              [PAGING_I386] = {2, 10, 4},
              [PAGING_PAE] = {3, 9, 8},
              [PAGING_4LEVEL] = {4, 9, 8},
              [PAGING_5LEVEL] = {5, 9, 8}};

static struct table_view table_at(enum paging paging, uint64_t pa, uint64_t first,
                                  uint32_t level)
{
    const bool pointers = paging == PAGING_PAE && level == 3;
    return (struct table_view){
        .paging = paging,
        .pa = pa,
        .first = first,
        .level = level,
        .entries = pointers ? 4 : 1U << shapes[paging].index_bits,
        .entry_bytes = shapes[paging].entry_bytes,
        .shift = PAGE_SHIFT + (level - 1) * shapes[paging].index_bits,
        .name = mmu_table_name(paging, level),
    };
}

static bool root(enum paging paging, uint64_t cr3, struct table_view *out)
{
    const uint64_t mask = paging == PAGING_PAE ? ~(uint64_t)0x1f : ~(uint64_t)0xfff;
    if (paging == PAGING_NONE) {
        return false;
    }
    *out = table_at(paging, cr3 & mask & (((uint64_t)1 << 52) - 1), 0,
                    shapes[paging].levels);
    return true;
}

bool hw_root_of_cpu(const struct machine *m, uint32_t cpu, struct table_view *out)
{
    const struct memsys *c = hardware_cpu(m, cpu);
    return c && root(c->s->mmu.paging, c->s->mmu.cr3, out);
}

bool hw_root_of_mm(const struct machine *m, uint32_t mm, struct table_view *out)
{
    const struct mm_struct *as = as_find(m, mm);
    struct mmu mmu;
    pgtable_mmu(m, &mmu);
    return as && root(mmu.paging, (mm ? as->pgd : m->vm->pgd) << PAGE_SHIFT, out);
}

struct entry_view hw_entry(const struct machine *m, const struct table_view *t,
                           uint32_t index)
{
    unsigned char bytes[8] = {0};
    struct entry_view e;
    memset(&e, 0, sizeof e);
    e.index = index;
    e.at = t->pa + (uint64_t)index * t->entry_bytes;
    hw_read_phys(m, e.at, bytes, t->entry_bytes);
    for (uint32_t i = 0; i < t->entry_bytes; i++) {
        e.value |= (uint64_t)bytes[i] << 8 * i;
    }
    e.va = t->first + ((uint64_t)index << t->shift);
    const uint32_t bits = t->paging == PAGING_4LEVEL   ? 48
                          : t->paging == PAGING_5LEVEL ? 57
                                                       : 0;
    if (bits && e.va >> (bits - 1)) { /* canonical */
        e.va |= ~(((uint64_t)1 << bits) - 1);
    }
    const bool i386 = t->paging == PAGING_I386;
    e.present = e.value & PTE_P;
    e.page = e.present && (t->level == 1 ||
                           ((e.value & PTE_PS) &&
                            (i386 ? m->config.hw.pse : t->level <= 3 && t->entries > 4)));
    const uint64_t frame = i386 ? 0xfffff000u : ((uint64_t)1 << 52) - 0x1000;
    e.pa = e.present ? e.value & frame : 0;
    if (e.page && t->level > 1) {
        e.pa = i386 ? (e.value & 0xffc00000u) | (e.value & 0x1fe000) << 19
                    : e.pa & ~(((uint64_t)1 << t->shift) - 1);
    }
    return e;
}

bool hw_next_entry(const struct machine *m, const struct table_view *t, uint32_t index,
                   struct entry_view *out)
{
    const bool cached = m->hardware->s->used;
    if (!cached && !ram_peek(&m->ram, pfn(t->pa >> PAGE_SHIFT))) {
        return false;
    }
    for (; index < t->entries; index++) {
        *out = hw_entry(m, t, index);
        if (out->value) {
            return true;
        }
    }
    return false;
}

bool hw_table_below(const struct machine *m, const struct table_view *t,
                    const struct entry_view *e, struct table_view *out)
{
    (void)m;
    if (!e->present || e->page || t->level <= 1) {
        return false;
    }
    *out = table_at(t->paging, e->pa, e->va, t->level - 1);
    return true;
}

struct flag {
    uint64_t bit;
    char letter;
    const char *word;
};

/* In the order in which people say them. */
static const struct flag flags[] = {
    {PTE_P, 'P', "present"},
    {PTE_W, 'W', "writable"},
    {PTE_U, 'U', "user"},
    {PTE_PWT, 'T', "write-through"},
    {PTE_PCD, 'C', "cache disable"},
    {PTE_A, 'A', "accessed"},
    {PTE_D, 'D', "dirty"},
    {PTE_PS, 'S', "large page"},
    {PTE_G, 'G', "global"},
    {PTE_NX, 'N', "no execute"},
};

/* Does this bit of an entry mean what the table above says? */
static bool flag_counts(const struct table_view *t, uint64_t value, uint64_t bit)
{
    const bool leaf = t->level == 1 || (value & PTE_PS);
    if (t->paging == PAGING_PAE && t->level == 3) {
        return bit == PTE_P || bit == PTE_PWT || bit == PTE_PCD;
    }
    if (bit == PTE_PS) {
        return t->level > 1;
    }
    return leaf || (bit != PTE_D && bit != PTE_G);
}

static int entry_flags(char *buf, size_t size, const struct table_view *t, uint64_t value,
                       bool words)
{
    struct text out = {buf, size, 0};
    text_put(&out, "%s", "");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!(value & flags[i].bit) || !flag_counts(t, value, flags[i].bit)) {
            continue;
        }
        if (words) {
            text_put(&out, "%s%s", out.len ? ", " : "", flags[i].word);
        } else {
            text_put(&out, "%c", flags[i].letter);
        }
    }
    const uint64_t pat = t->level == 1 ? PTE_PAT : PTE_PAT_LARGE;
    if ((value & pat) && (t->level == 1 || (value & PTE_PS))) {
        text_put(&out, "%s", words ? ", PAT" : "p");
    }
    return out.len;
}

int entry_flags_letters(char *buf, size_t size, const struct table_view *t,
                        uint64_t value)
{
    return entry_flags(buf, size, t, value, false);
}

int entry_flags_words(char *buf, size_t size, const struct table_view *t, uint64_t value)
{
    if (!(value & PTE_P)) {
        struct text out = {buf, size, 0};
        text_put(&out, "%s", "not present");
        return out.len;
    }
    return entry_flags(buf, size, t, value, true);
}

int fault_words(char *buf, size_t size, const struct fault *f)
{
    struct text out = {buf, size, 0};
    const uint32_t e = f->error_code;
    const char *what = e & PF_FETCH ? "fetch" : e & PF_WRITE ? "write" : "read";
    switch (f->kind) {
    case FAULT_NONE:
        text_put(&out, "no fault");
        break;
    case FAULT_PAGE:
        text_put(&out, "%s by %s %s", what, e & PF_USER ? "user mode" : "the kernel",
                 e & PF_RESERVED  ? "through an entry with a reserved bit set"
                 : e & PF_PRESENT ? "to a page that does not allow it"
                                  : "to a page that is not present");
        break;
    case FAULT_PROTECTION:
        text_put(&out, "the address is not canonical");
        break;
    case FAULT_BUS:
        text_put(&out, "nothing answers at this physical address");
        break;
    }
    return out.len;
}

/* ---- memory ---- */

bool hw_read_phys(const struct machine *m, uint64_t pa, void *to, size_t n)
{
    return hardware_read_phys(m, pa, to, n);
}

/* Up to the next border of any level's lines. */
static size_t piece(const struct memsys *cpu, uint64_t va, size_t n)
{
    const struct front *f = &cpu->front[SIDE_D];
    const uint32_t line = f->has_l1     ? f->l1.config.line_bytes
                          : cpu->has_l2 ? cpu->l2.config.line_bytes
                                        : PAGE_SIZE;
    const size_t room = line - (size_t)(va & (line - 1));
    return n < room ? n : room;
}

static void copy_cached(const struct cache *c, const struct probe_view *p, uint64_t at,
                        unsigned char *to, size_t n)
{
    const unsigned char *line = cache_data(c, cache_set_at(c, p->set), p->way);
    memcpy(to, line + (at & (c->config.line_bytes - 1)), n);
}

size_t hw_read_virt(const struct machine *m, uint32_t cpu_nr, uint64_t va, bool user,
                    unsigned char *to, bool *there, size_t n)
{
    const struct memsys *cpu = hardware_cpu(m, cpu_nr);
    size_t can = 0;
    memset(to, 0, n);
    for (size_t done = 0, part; done < n; done += part) {
        struct access_view v;
        part = cpu ? piece(cpu, va + done, n - done) : n - done;
        hw_peek(m, cpu_nr, va + done, ACCESS_READ, user, &v);
        bool good = v.translated && v.fault.kind == FAULT_NONE;
        if (good && v.l1.there && v.l1.hit) {
            copy_cached(&cpu->front[SIDE_D].l1, &v.l1, va + done, to + done, part);
        } else if (good && v.l2.there && v.l2.hit) {
            copy_cached(&cpu->l2, &v.l2, v.pa, to + done, part);
        } else if (good && cpu->smp && cpu->config.coherent) {
            good = hardware_read_phys(m, v.pa, to + done, part); /* others may answer */
        } else if (good) {
            good = cpu->config.coherent ? hardware_read_phys(m, v.pa, to + done, part)
                                        : ram_read(&m->ram, paddr(v.pa), to + done, part);
        }
        for (size_t i = 0; i < part && there; i++) {
            there[done + i] = good;
        }
        can += good ? part : 0;
    }
    return can;
}
