/* The record's lines of the address space: vmalloc, kmap and their like.
 *
 *   vmap_area START END        vmap PAGES -> VA           kmap PFN highmem=1 -> VA | kmap PFN -> VA (lowmem)
 *   vmalloc SIZE -> VA         ioremap PHYS SIZE -> VA    kmap_atomic PFN -> VA preempt=1 | ... -> VA (lowmem)
 *   vfree VA, vunmap VA, iounmap VA, kunmap PFN, kunmap_atomic VA, vm_unmap_aliases,
 *   swapped INDEX PFN
 *
 * Addresses, page frames and ioremap's size are hexadecimal, the other numbers decimal.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "record_private.h"

/* args: one letter an argument, x hexadecimal, p a page frame, d decimal; answer: is
 * there one? */
static const struct {
    enum record_kind kind;
    const char *args;
    bool answer;
} forms[] = {
    {RECORD_VMAP_AREA, "xx", false}, {RECORD_VMALLOC, "d", true},
    {RECORD_VFREE, "x", false},      {RECORD_VM_UNMAP_ALIASES, "", false},
    {RECORD_VMAP, "d", true},        {RECORD_VUNMAP, "x", false},
    {RECORD_IOREMAP, "xx", true},    {RECORD_IOUNMAP, "x", false},
    {RECORD_KMAP, "p", true},        {RECORD_KUNMAP, "p", false},
    {RECORD_KMAP_ATOMIC, "p", true}, {RECORD_KUNMAP_ATOMIC, "x", false},
    {RECORD_SWAPPED, "dp", false},
};
enum { NR_FORMS = sizeof forms / sizeof forms[0] };

static uint32_t form_of(enum record_kind kind)
{
    uint32_t i = 0;
    while (i < NR_FORMS && forms[i].kind != kind) {
        i++;
    }
    return i;
}

bool record_kind_is_vm(enum record_kind kind) { return form_of(kind) < NR_FORMS; }

static bool next_argument(struct parser *p, char type, uint64_t *out)
{
    uint64_t most = type == 'p'        ? RECORD_NULL - 1
                    : p->r->ptrs == 32 ? UINT32_MAX
                                       : UINT64_MAX;
    return next_number(p, type == 'd' ? 10 : 16, most, out);
}

/* "-> VA", and what stands around it. */
static bool parse_answer(struct parser *p, struct record_vm *v)
{
    struct word w;
    if (!next_word(p, &w)) {
        return false;
    }
    if ((word_is(w, "highmem=0") || word_is(w, "highmem=1")) && !next_word(p, &w)) {
        return false;
    }
    if (!word_is(w, "->")) {
        return bad_word(p, w, "->");
    }
    skip_blanks(p);
    if (p->end - p->at >= 4 && !memcmp(p->at, "NULL", 4)) {
        p->at += 4;
    } else if (!next_argument(p, 'x', &v->answer)) {
        return false;
    }
    if (at_end(p)) {
        return true;
    }
    if (!next_word(p, &w)) {
        return false;
    }
    if (word_is(w, "(lowmem)")) {
        v->lowmem = true;
    } else if (word_is(w, "preempt=0") || word_is(w, "preempt=1")) {
        v->preempt = w.text[8] == '1';
    } else {
        return bad_word(p, w, "(lowmem) or preempt=");
    }
    return true;
}

bool parse_vm_line(struct parser *p, enum record_kind kind)
{
    struct record_item item = {.kind = (uint8_t)kind, .line = p->line, .n = p->r->nr_vms};
    struct record_vm v = {.preempt = 2};
    const uint32_t form = form_of(kind);
    for (size_t i = 0; forms[form].args[i]; i++) {
        if (!next_argument(p, forms[form].args[i], &v.arg[i])) {
            return false;
        }
    }
    if (forms[form].answer && !parse_answer(p, &v)) {
        return false;
    }
    return end_of_line(p) && APPEND(p, vms, nr_vms, v) &&
           APPEND(p, items, nr_items, item);
}
