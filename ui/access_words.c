/* An access in words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "access_words.h"

#include "hardware.h"
#include "inspect_hw.h"

#include <inttypes.h>
#include <stdio.h>

static void cycles_text(char *buf, size_t size, uint64_t cycles)
{
    buf[0] = 0;
    if (cycles) {
        snprintf(buf, size, " %" PRIu64 " cycle%s.", cycles, cycles == 1 ? "" : "s");
    }
}

/* ---- the whole access ---- */

struct course {
    bool tlb, stlb, walk, asked, l1, l2, ram, other, uncached, fault;
    int entries, entries_ram;
    uint64_t cycles;
};

static struct course course_of(const struct access_paths *p)
{
    struct course c = {0};
    for (int i = 0; i < p->nr; i++) {
        const struct access_path *path = &p->at[i];
        c.cycles += access_cycles(path, UINT64_MAX);
        c.fault = c.fault || path->fault_event;
        for (int j = 0; j < path->nr; j++) {
            const struct stage *s = &path->stages[j];
            c.tlb = c.tlb || (s->kind == STAGE_TLB && s->hit);
            c.stlb = c.stlb || (s->kind == STAGE_STLB && s->hit);
            c.asked = c.asked || s->kind == STAGE_L1 || s->kind == STAGE_L2;
            c.l1 = c.l1 || (s->kind == STAGE_L1 && s->hit);
            c.l2 = c.l2 || (s->kind == STAGE_L2 && s->hit);
            c.ram = c.ram || s->kind == STAGE_RAM;
            c.other = c.other || (s->kind == STAGE_BUS && s->supplied);
            c.uncached = c.uncached || s->kind == STAGE_UNCACHED;
            c.walk = c.walk || s->kind == STAGE_WALK;
            c.entries += s->kind == STAGE_WALK && s->level;
            c.entries_ram += s->kind == STAGE_WALK && s->level && s->source == FROM_RAM;
        }
    }
    return c;
}

void access_summary(const struct access_paths *p, char *buf, size_t size)
{
    const struct course c = course_of(p);
    char walk[64] = "", cycles[40];
    if (c.entries) {
        snprintf(walk, sizeof walk, "a walk of %d entr%s, %d from RAM", c.entries,
                 c.entries == 1 ? "y" : "ies", c.entries_ram);
    }
    const char *by = c.entries ? walk
                     : c.stlb  ? "the second-level TLB"
                     : c.tlb   ? "the TLB"
                     : c.walk  ? "a walk, without tables here"
                               : "none was needed";
    const char *from = c.uncached ? "memory, past the caches"
                       : c.ram    ? "RAM"
                       : c.other  ? "another processor's cache"
                       : c.l2     ? "L2"
                       : c.l1     ? "L1"
                       : c.asked  ? "below L1"
                                  : "RAM"; /* there are no caches */
    cycles_text(cycles, sizeof cycles, c.cycles);
    snprintf(buf, size, "%sTranslation: %s. Data: %s.%s",
             c.fault ? "After a fault. " : "", by, from, cycles);
}

/* ---- one event ---- */

static const struct stage *stage_at(const struct access_paths *p, uint64_t event)
{
    for (int i = 0; i < p->nr; i++) {
        for (int j = 0; j < p->at[i].nr; j++) {
            const struct stage *s = &p->at[i].stages[j];
            if (s->event == event || s->begin == event) {
                return s;
            }
        }
    }
    return NULL;
}

static void walk_words(const struct memsys *m, const struct stage *s, char *buf,
                       size_t size)
{
    const enum paging paging = m->s->mmu.paging;
    const struct table_view t = {.paging = paging, .level = s->level};
    char flags[160];
    entry_flags_words(flags, sizeof flags, &t, s->value);
    bool page = s->level == 1 || (s->value & PTE_PS);
    if (!s->hit) {
        snprintf(buf, size, "It is not present: the walk ends in a page fault.");
    } else if (page) {
        snprintf(buf, size, "It maps the page: frame 0x%" PRIx64 ", %s.",
                 (s->value & TLB_FRAME) >> PAGE_SHIFT, flags);
    } else {
        snprintf(buf, size, "It points to the %s at 0x%" PRIx64 ": %s.",
                 mmu_table_name(paging, (uint32_t)s->level - 1), s->value & TLB_FRAME,
                 flags);
    }
}

static void stage_words(const struct memsys *m, const struct stage *s, uint64_t event,
                        char *buf, size_t size)
{
    const char *below = m->has_l2 ? "L2" : "RAM";
    switch (s->kind) {
    case STAGE_TLB:
        snprintf(buf, size, "%s",
                 s->hit        ? "The frame is known; the tables need not be read."
                 : m->has_stlb ? "The second-level TLB is asked next."
                               : "The page tables have to be walked.");
        break;
    case STAGE_STLB:
        snprintf(buf, size, "%s",
                 s->hit ? "The frame is known; the entry goes into the first level too."
                        : "The page tables have to be walked.");
        break;
    case STAGE_PSC:
        snprintf(buf, size, "%s",
                 s->hit ? "The walk begins below it." : "The walk begins further up.");
        break;
    case STAGE_WALK:
        if (s->event != event) {
            snprintf(buf, size,
                     "The walker reads table entries through L2, as any line.");
        } else {
            walk_words(m, s, buf, size);
        }
        break;
    case STAGE_L1:
        if (s->hit) {
            snprintf(
                buf, size, "%s",
                m->virtual_tags
                    ? "It was found by its virtual address: no translation is needed."
                    : "Its tag is the frame that the TLB gave.");
        } else if (m->virtual_tags) {
            snprintf(
                buf, size,
                "Only now the physical address is wanted: the TLB is asked, then %s.",
                below);
        } else {
            snprintf(buf, size, "%s is asked next.", below);
        }
        break;
    case STAGE_L2:
        snprintf(buf, size, "%s",
                 s->hit ? "The line goes up into L1." : "RAM has to be asked.");
        break;
    case STAGE_BUS:
        snprintf(buf, size, "All other processors look for the line in their caches.");
        break;
    case STAGE_RAM:
        snprintf(buf, size, "The line goes up through L2 into L1.");
        break;
    default:
        snprintf(buf, size, "The page's memory type keeps it out of the caches.");
        break;
    }
}

void access_why(const struct machine *m, const struct access_paths *p,
                const struct event *ev, char *buf, size_t size)
{
    const struct memsys *cpu = hardware_cpu(m, ev->cpu);
    const struct stage *s = stage_at(p, ev->n);
    char words[400], cycles[40];
    buf[0] = 0;
    if (!cpu) {
        return;
    }
    switch (ev->kind) {
    case EV_ACCESS:
        access_summary(p, buf, size);
        return;
    case EV_TLB_FILL:
        snprintf(buf, size, "The next access to this page needs no walk.");
        return;
    case EV_WALK_SET:
        snprintf(buf, size,
                 "Accessed and dirty bits are the walker's to set: one more write.");
        return;
    case EV_PAGE_FAULT: {
        const struct fault f = {.kind = (enum fault_kind)ev->arg[2],
                                .error_code = (uint32_t)ev->arg[1],
                                .cr2 = ev->arg[0]};
        fault_words(words, sizeof words, &f);
        snprintf(buf, size, "A %s: the kernel has to mend it.", words);
        return;
    }
    case EV_CACHE_EVICT:
        snprintf(buf, size, "Its way is needed, and the policy gives this one up.");
        return;
    case EV_CACHE_WRITEBACK:
        snprintf(buf, size, "Its bytes are newer than those below.");
        return;
    case EV_CACHE_FILL:
        snprintf(buf, size, "The next access to this line is a hit here.");
        return;
    case EV_MEM_READ:
        if (!s) {
            snprintf(buf, size, "L2 did not have it, and the walker waits.");
        }
        break;
    default:
        break;
    }
    if (s) {
        stage_words(cpu, s, ev->n, words, sizeof words);
        cycles_text(cycles, sizeof cycles, s->event == ev->n ? s->cycles : 0);
        snprintf(buf, size, "%s%s", words, cycles);
    }
}
