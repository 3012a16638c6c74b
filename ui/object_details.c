/* One object, one cache: all about it (objects.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "hw_focus.h"
#include "pane.h"
#include "slub_debug.h"

/* ---- one object ---- */

uint32_t object_word(const struct machine *m)
{
    return m->config.arch == ARCH_X86_64 ? 8 : 4;
}

bool object_next(const struct machine *m, const struct object_view *v, uint64_t *next)
{
    unsigned char bytes[8];
    struct cache_view c;
    const uint32_t word = object_word(m);
    *next = 0;
    if (!cache_view(m, v->cache, &c) || !c.min_num) {
        return false;
    }
    slab_read(m, v->va + c.offset, bytes, word);
    for (uint32_t i = word; i-- > 0;) {
        *next = *next << 8 | bytes[i];
    }
    return true;
}

bool object_lines(const struct app *a, uint64_t va, enum hw_part part,
                  struct object_lines *l)
{
    const struct machine *m = a->model.m;
    const struct object_view v = object_view(m, va);
    const struct memory_at at = memory_translate(m, a->cpu, NULL, v.va);
    const struct cache *cache = shown_cpu(a) ? shown_part(a, part) : NULL;
    struct cache_view c;
    uint32_t set, way;
    *l = (struct object_lines){0};
    if (!cache || at.via == VIA_NOTHING || !cache_view(m, v.cache, &c)) {
        return false;
    }
    const uint64_t line = cache->config.line_bytes;
    for (uint64_t pa = at.pa & ~(line - 1); pa < at.pa + c.size; pa += line, l->all++) {
        if (memory_holder(m, a->cpu, part, pa, &set, &way)) {
            l->first_set = l->held ? l->first_set : set;
            l->held++;
        }
    }
    return true;
}

int object_state_text(char *buf, size_t size, const struct app *a,
                      const struct object_view *v)
{
    const bool slub = a->model.m->config.slub;
    char where[48] = "on the freelist of its slab", when[48] = "next to go out";
    if (v->state == OBJECT_IN_USE || v->state == OBJECT_NONE) {
        return snprintf(buf, size, "%s",
                        v->state == OBJECT_NONE ? "no object" : "in use");
    }
    if (v->state == OBJECT_IN_ARRAY && v->cpu == UINT32_MAX) {
        snprintf(where, sizeof where, "in the shared array");
    } else if (v->state == OBJECT_IN_ARRAY) {
        snprintf(where, sizeof where, "%s CPU %u's %s", slub ? "on" : "in", v->cpu,
                 slub ? "freelist" : "array");
    }
    if (v->position) {
        snprintf(when, sizeof when, "%u go%s out before it", v->position,
                 v->position == 1 ? "es" : "");
    }
    return snprintf(buf, size, "free, %s, %s", where, when);
}

int object_op_text(char *buf, size_t size, const struct app *a, uint32_t op)
{
    struct op_record rec;
    char line[200];
    if (!op) {
        return snprintf(buf, size, "nobody so far");
    }
    if (!timeline_op(a->t, a->model.at.branch, op_of_number(op), &rec)) {
        return snprintf(buf, size, "operation %u", op);
    }
    op_format(line, sizeof line, a->model.m, &rec.op, NULL);
    const struct site site = timeline_site(a->t, rec.op.site);
    return site.line
               ? snprintf(buf, size, "operation %u: %s, line %u", op, line, site.line)
               : snprintf(buf, size, "operation %u: %s", op, line);
}

/* The kernel functions that were under way when an operation handed the object out, or
 * took it back. */
struct handover {
    uint64_t va;
    uint32_t depth;
    uint16_t fn[PROBE_STACK];
};

static void at_event(void *ctx, struct machine *m, const struct event *ev)
{
    struct handover *h = ctx;
    const struct probe *p = &m->probe;
    uint64_t va;
    if (event_arg_named(ev, "ptr", &va) && va == h->va && p->depth >= h->depth) {
        h->depth = p->depth < PROBE_STACK ? p->depth : PROBE_STACK;
        for (uint32_t i = 0; i < h->depth; i++) {
            h->fn[i] = p->stack[i].fn;
        }
    }
}

static void add_step(struct app *a, struct text_buf *b, const char *what, uint32_t op,
                     uint64_t va)
{
    char text[300];
    object_op_text(text, sizeof text, a, op);
    text_add(b, "%s %s\n", what, text);
    if (!op) {
        return;
    }
    struct handover h = {.va = va};
    timeline_events(a->t, a->model.at.branch, op_of_number(op), at_event, &h);
    for (uint32_t i = 0; i < h.depth; i++) {
        text_add(b, "%s%s", i ? " > " : POPUP_TEXT_DIM "  ", fn_info(h.fn[i])->name);
    }
    text_add(b, h.depth ? POPUP_TEXT_NORMAL "\n" : "");
}

/* Its bytes; word: of the next one's address in it, from offset on; 0: none. */
static void add_bytes(struct app *a, struct text_buf *b, const struct object_view *v,
                      uint32_t offset, uint32_t word)
{
    unsigned char bytes[512];
    struct cache_view c;
    cache_view(a->model.m, v->cache, &c);
    const size_t want = c.size < sizeof bytes ? c.size : sizeof bytes;
    const size_t n = hw_read_virt(a->model.m, a->cpu, v->va, false, bytes, NULL, want);
    bool same = false;
    for (size_t at = 0; at < n; at += 16) {
        const size_t end = at + 16 < n ? at + 16 : n;
        if (at >= 16 && end - at == 16 && !memcmp(bytes + at, bytes + at - 16, 16) &&
            end < n) {
            text_add(b, same ? "" : POPUP_TEXT_DIM "  *  the same\n" POPUP_TEXT_NORMAL);
            same = true;
            continue;
        }
        same = false;
        text_add(b, POPUP_TEXT_DIM "+%03zx " POPUP_TEXT_NORMAL, at);
        for (size_t i = at; i < end; i++) {
            const bool link = word && i >= offset && i < offset + word;
            text_add(b, link ? " " POPUP_TEXT_KEY "%02x" POPUP_TEXT_NORMAL : " %02x",
                     bytes[i]);
        }
        text_add(b, "\n");
    }
    if (n < c.size) {
        text_add(b,
                 n ? "%u bytes in all; :x shows the rest.\n"
                   : "Its %u bytes cannot be read: the address is not mapped.\n",
                 c.size);
    }
}

/* Which of its lines the caches of the shown CPU hold. */
static void add_lines(struct app *a, struct text_buf *b, uint64_t va)
{
    struct object_lines l;
    static const enum hw_part parts[] = {PART_L1D, PART_L2};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (object_lines(a, va, parts[i], &l)) {
            text_add(b, "%s%s of CPU %u holds %u of its %u line%s", i ? "; " : "",
                     hw_part_title(parts[i]), a->cpu, l.held, l.all,
                     l.all == 1 ? "" : "s");
            if (l.held) {
                text_add(b, " (set %u%s)", l.first_set, l.held > 1 ? " and on" : "");
            }
        }
    }
    text_add(b, ".\n");
}

/* SLUB's debugging: what lies around the caller's bytes. */
static void add_debug(struct text_buf *b, const struct machine *m, uint32_t cache)
{
    const struct kmem_cache *c = cache_r(m, cache);
    if (!c || !objects_debugs(m, cache)) {
        return;
    }
    text_add(b, "Debugging: the caller has %u bytes", c->object_size);
    if (c->flags & SLAB_RED_ZONE) {
        text_add(b, "; %u in front of them and %u behind are red zone", c->red_left_pad,
                 c->inuse - c->object_size);
    }
    if (c->flags & SLAB_STORE_USER) {
        text_add(b, "; who had it stands from +%u on", slub_info_end(&m->config, c));
    }
    text_add(b, "; padding from +%u to +%u.\n", slub_padding_at(&m->config, c),
             slub_slot_end(c));
}

char *object_details(struct app *a, uint64_t va, char *title, size_t size)
{
    const struct machine *m = a->model.m;
    const struct object_view v = object_view(m, va);
    struct cache_view c;
    struct text_buf b = {0};
    char text[300];
    if (v.state == OBJECT_NONE || !cache_view(m, v.cache, &c)) {
        return NULL;
    }
    const struct slab_view s = slab_view(m, v.slab);
    snprintf(title, size, "Object %u of slab " PFN_FORMAT, v.index,
             (unsigned long long)s.pfn);
    text_add(&b,
             "%s: %u bytes at " POPUP_TEXT_KEY "0x%" PRIx64 POPUP_TEXT_NORMAL
             " to 0x%" PRIx64 "\n",
             c.name, c.size, v.va, v.va + c.size - 1);
    object_state_text(text, sizeof text, a, &v);
    text_add(&b, "Now: " POPUP_TEXT_KEY "%s" POPUP_TEXT_NORMAL "\n\n", text);
    add_step(a, &b, "Allocated last by", v.alloc_op, v.va);
    add_step(a, &b, "Freed last by", v.free_op, v.va);
    object_op_text(text, sizeof text, a, s.op);
    text_add(&b, "Its slab was made by %s\n", text);
    text_add(&b,
             POPUP_TEXT_DIM ":history lists all that has happened to it, :why goes to "
                            "the last change.\n\n" POPUP_TEXT_NORMAL);
    const bool chained = c.min_num && v.state != OBJECT_IN_USE;
    uint64_t next;
    if (chained && object_next(m, &v, &next)) {
        next ? text_add(&b,
                        "At +%u a free object has the address of the next one: 0x%" PRIx64
                        ".\n",
                        c.offset, next)
             : text_add(&b, "At +%u there is 0 for the next one: it is the last.\n",
                        c.offset);
    }
    add_debug(&b, m, v.cache);
    add_bytes(a, &b, &v, c.offset, chained ? object_word(m) : 0);
    add_lines(a, &b, v.va);
    const uint32_t op = v.alloc_op > v.free_op ? v.alloc_op : v.free_op;
    if (op) {
        snprintf(a->details_command, sizeof a->details_command, "goto %u", op);
    }
    return b.text;
}

/* ---- a cache ---- */

static void add_slab(struct text_buf *b, const struct cache_view *v)
{
    static const char *const places[] = {"at the end of each slab", "in a free object",
                                         "in an object of kmalloc's"};
    text_add(b, "The freelist, %u bytes, is %s.\n", v->freelist_size,
             v->place <= FREELIST_OFF_SLAB ? places[v->place] : "");
    text_add(b, "Colours: %u, %u bytes apart; the next slab gets number %u.\n\n",
             v->colour, v->colour_off, v->colour_next);
    text_add(b, "Each CPU's array takes %u objects, %u at a time.", v->limit,
             v->batchcount);
    text_add(b,
             v->shared_limit ? " The shared one takes %" PRIu64 ".\n"
                             : " There is no shared one.\n",
             v->shared_limit);
}

static void add_slub(struct text_buf *b, const struct cache_view *v)
{
    text_add(b,
             "A free object has the next one's address at +%u. When memory is short, "
             "order %u with %u objects will do.\n\n",
             v->offset, v->min_order, v->min_num);
    text_add(b,
             "Each CPU has one slab to itself and keeps up to %u partial ones (for %u "
             "objects). The node has %u partial ones and keeps %u even when they are "
             "empty (min_partial).\n",
             v->cpu_partial_slabs, v->cpu_partial, v->nr_partial, v->min_partial);
}

char *cache_details(struct app *a, uint32_t id, char *title, size_t size)
{
    struct cache_view v;
    struct text_buf b = {0};
    char bytes[28];
    if (!cache_view(a->model.m, id, &v)) {
        return NULL;
    }
    snprintf(title, size, "Cache %s", v.name);
    text_add(&b,
             "Objects of " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " bytes, which take %u, aligned to %u%s.\n",
             v.object_size, v.size, v.align, v.ctor ? ", made by a constructor" : "");
    text_add(&b,
             "A slab is %u page%s (order %u) with " POPUP_TEXT_KEY "%u" POPUP_TEXT_NORMAL
             " objects; %u bytes are left over.\n",
             1u << v.order, v.order ? "s" : "", v.order, v.num,
             ((uint32_t)PAGE_SIZE << v.order) - v.num * v.size);
    v.min_num ? add_slub(&b, &v) : add_slab(&b, &v);
    text_add(&b,
             "\n" POPUP_TEXT_KEY "%" PRIu64 POPUP_TEXT_NORMAL " objects in %" PRIu64
             " slabs (%s): %" PRIu64 " in use, %" PRIu64 " %s, %" PRIu64 " on freelists",
             v.num_objs, v.num_slabs, bytes_text(bytes, objects_bytes(&v)), v.in_use,
             v.in_arrays, v.min_num ? "with CPUs" : "in arrays", v.free_objects);
    if (v.min_num) {
        text_add(&b, ".\n");
    } else {
        text_add(&b, "; above %u free ones whole slabs go.\n", v.free_limit);
    }
    return b.text;
}
