/* What the kernel would print of objects: the WARN_ON()s and BUG_ON()s of SLAB, SLUB's
 * object_err(), slab_err() and slab_fix() with the bytes around the object, and the
 * objects that a destroyed cache still has. Behind the kernel's lines stand those that
 * only a timeline can tell: which operation allocated the object last, which one freed
 * it, and where in the script they are.
 *
 * A caller is told as the script's file and line, or as the kernel's function that
 * called. Addresses are told as they are, as a kernel does that was booted with
 * slub_debug.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "bad_reasons.h"
#include "describe.h"
#include "inspect.h"
#include "report_private.h"
#include "slab_ops.h"
#include "slab_view.h"
#include "slub_debug.h"

/* ---- who ---- */

static bool operation(const struct machine *m, uint64_t nr, struct op_source *o)
{
    return nr && m->texts && m->texts->operation &&
           m->texts->operation(m->texts->ctx, nr, o);
}

/* "operation 14, demo.lua:41: kmalloc(64, GFP_KERNEL)" */
static void put_operation(struct text *t, const struct machine *m, uint32_t nr)
{
    struct op_source o;
    char call[300];
    text_put(t, "operation %u", nr);
    if (operation(m, nr, &o)) {
        op_format(call, sizeof call, m, &o.op, NULL);
        if (o.line) {
            text_put(t, ", %s:%u", o.file, o.line);
        }
        text_put(t, ": %s", call);
    }
}

static void put_history_line(struct text *t, const struct machine *m, const char *what,
                             uint32_t nr)
{
    if (nr) {
        text_put(t, "  last %s by ", what);
        put_operation(t, m, nr);
        text_put(t, "\n");
    }
}

static void put_history(struct text *t, const struct machine *m, uint64_t va)
{
    const struct object_view v = object_view(m, va);
    if (v.state != OBJECT_NONE) {
        put_history_line(t, m, "allocated", v.alloc_op);
        put_history_line(t, m, "freed", v.free_op);
    }
}

/* A script's functions, the innermost first, as lines of a stack. */
static void put_script_stack(struct text *t, const char *stack)
{
    while (*stack) {
        const size_t len = strcspn(stack, "\n");
        const size_t blanks = strspn(stack, " \t");
        if (len > blanks) {
            text_put(t, " %.*s\n", (int)(len - blanks), stack + blanks);
        }
        stack += len + (stack[len] == '\n');
    }
}

/* print_track() */
static void put_track(struct text *t, const struct machine *m, const struct kmem_cache *c,
                      uint64_t object, enum track_item item)
{
    struct slub_track track;
    struct op_source o;
    uint16_t kind;
    bool script;
    if (!slub_track(m, c, object, item, &track) || !track.addr) {
        return;
    }
    text_put(t, "%s in ", item == TRACK_ALLOC ? "Allocated" : "Freed");
    const bool known = slub_caller_kind(m, track.addr, &kind, &script);
    const bool told = operation(m, track.handle, &o);
    if (known && script && told && o.line) {
        text_put(t, "%s:%u", o.file, o.line);
    } else if (known && script) {
        text_put(t, "operation %u", track.handle);
    } else if (known) {
        text_put(t, "%s", op_info(kind)->name);
    } else {
        text_put(t, "%#" PRIx64, track.addr);
    }
    text_put(t, " age=%" PRIu64 " cpu=%u pid=%u\n", m->mm->nr_ops - track.when, track.cpu,
             track.pid);
    if (!known) {
        text_put(t, "object allocation/free stack trace missing\n");
        return;
    }
    text_put(t, " %s\n", op_info(kind)->name);
    if (told) {
        put_script_stack(t, o.stack);
    }
}

/* ---- what ---- */

static void put_address(struct text *t, const struct machine *m, uint64_t va)
{
    text_put(t, "0x%0*" PRIx64, (int)slab_word(&m->config) * 2, va);
}

/* struct page, which struct slab is a view of. */
static uint64_t slab_address(const struct machine *m, const struct slab *s)
{
    const struct kspace *k = &m->vm->kspace;
    return slab_word(&m->config) == 8
               ? k->vmemmap_start + (uint64_t)s->pfn * 64
               : kspace_va(k, m->places.memmap.first) + (uint64_t)s->pfn * 32;
}

/* print_slab_info() */
static void put_slab(struct text *t, const struct machine *m, const struct slab *s)
{
    enum { PG_SLAB_BIT = 1 << 9, PG_HEAD_BIT = 1 << 16 };
    const enum zone_type type = zone_view(m, zone_of_pfn(m, pfn(s->pfn))).type;
    const bool wide = slab_word(&m->config) == 8;
    const uint64_t zone = wide || type == ZONE_DMA ? (uint64_t)type : (uint64_t)type - 1;
    const uint64_t bits =
        PG_SLAB_BIT | (s->order ? (uint64_t)PG_HEAD_BIT : 0) | zone << (wide ? 62 : 30);
    text_put(t, "Slab ");
    put_address(t, m, slab_address(m, s));
    text_put(t, " objects=%u used=%u fp=", s->num, s->active);
    put_address(t, m, s->freelist);
    text_put(t, " flags=%#" PRIx64 "(slab%s|zone=%" PRIu64 ")\n", bits,
             s->order ? "|head" : "", zone);
}

/* print_hex_dump() */
static void put_bytes(struct text *t, const struct machine *m, const char *name,
                      uint64_t va, uint64_t nr)
{
    enum { ROW = 16, ASCII_COLUMN = 49 };
    unsigned char b[ROW];
    for (uint64_t at = 0; at < nr; at += ROW) {
        const uint32_t part = nr - at < ROW ? (uint32_t)(nr - at) : ROW;
        char ascii[ROW + 1] = "";
        slab_read(m, va + at, b, part);
        text_put(t, "%s%0*" PRIx64 ": ", name, (int)slab_word(&m->config) * 2, va + at);
        for (uint32_t i = 0; i < part; i++) {
            text_put(t, "%02x ", b[i]);
            ascii[i] = (char)(b[i] >= 0x20 && b[i] < 0x7f ? b[i] : '.');
        }
        text_put(t, "%*s%s\n", ASCII_COLUMN - 3 * (int)part, "", ascii);
    }
}

static uint64_t slab_start(const struct kmem_cache *c, const struct slab *s)
{
    return s->s_mem - c->red_left_pad;
}

/* print_trailer(), all but the stack */
static void put_trailer(struct text *t, const struct machine *m,
                        const struct kmem_cache *c, const struct slab *s, uint64_t object)
{
    const uint32_t padding = slub_padding_at(&m->config, c);
    put_track(t, m, c, object, TRACK_ALLOC);
    put_track(t, m, c, object, TRACK_FREE);
    put_slab(t, m, s);
    text_put(t, "Object ");
    put_address(t, m, object);
    text_put(t, " @offset=%" PRIu64 " fp=", object - slab_start(c, s));
    put_address(t, m, slub_free_pointer(m, c, object));
    text_put(t, "\n\n");
    if (c->flags & SLAB_RED_ZONE) {
        put_bytes(t, m, "Redzone  ", object - c->red_left_pad, c->red_left_pad);
    } else if (object > slab_start(c, s) + 16) {
        put_bytes(t, m, "Bytes b4 ", object - 16, 16);
    }
    put_bytes(t, m, "Object   ", object,
              c->object_size < PAGE_SIZE ? c->object_size : PAGE_SIZE);
    if (c->flags & SLAB_RED_ZONE) {
        put_bytes(t, m, "Redzone  ", object + c->object_size, c->inuse - c->object_size);
    }
    if (padding < slub_slot_end(c)) {
        put_bytes(t, m, "Padding  ", object + padding, slub_slot_end(c) - padding);
    }
    put_history(t, m, object);
}

/* ---- SLUB's reports ---- */

static void put_left_objects(struct text *t, const struct machine *m,
                             const struct kmem_cache *c, const struct slab *s)
{
    for (uint32_t i = 0; i < s->num; i++) {
        const struct slab_object *o = slab_object_at(m, s, i);
        const uint64_t object = index_to_obj(c, s, i);
        if (o->in_use) {
            text_put(t, "Object ");
            put_address(t, m, object);
            text_put(t, " @offset=%" PRIu64 "\n", object - slab_start(c, s));
            put_track(t, m, c, object, TRACK_ALLOC);
            put_track(t, m, c, object, TRACK_FREE);
            put_history_line(t, m, "allocated", o->alloc_op);
        }
    }
}

static bool is_object_report(uint64_t reason)
{
    switch (reason) {
    case BAD_SLAB_PADDING:
    case BAD_OBJECT_COUNT:
    case BAD_INVALID_POINTER:
    case BAD_SLAB_DISABLED:
    case BAD_OBJECTS_REMAINING:
        return false;
    default:
        return true;
    }
}

static void put_what(struct text *t, const struct machine *m, const struct kmem_cache *c,
                     const struct slab *s, const struct event *ev)
{
    char reason[128];
    const uint64_t from = ev->arg[3], to = ev->arg[4];
    value_format(reason, sizeof reason, m, "reason", ev->arg[0]);
    switch (ev->arg[0]) {
    case BAD_SLAB_PADDING:
        text_put(t, "%s. ", reason);
        put_address(t, m, from);
        text_put(t, "-");
        put_address(t, m, to);
        text_put(t, " @offset=%" PRIu64, from - slab_start(c, s));
        break;
    case BAD_OBJECT_COUNT:
        text_put(t, "%s. Counter is %" PRIu64 " but counted were %" PRIu64, reason, from,
                 to);
        break;
    case BAD_INVALID_POINTER:
        text_put(t, "%s ", reason);
        put_address(t, m, from);
        break;
    case BAD_OBJECTS_REMAINING:
        text_put(t, "Objects remaining in %s on __kmem_cache_shutdown()", c->name);
        break;
    default:
        text_put(t, "%s", reason);
        break;
    }
}

void report_slub_bug(struct text *t, const struct machine *m, const struct event *ev)
{
    const struct kmem_cache *c = cache_r(m, ev->arg[1]);
    const uint32_t ref = c ? virt_to_slab(m, ev->arg[2]) : 0;
    const uint64_t object = ev->arg[2], from = ev->arg[3], to = ev->arg[4];
    if (!ref) {
        return; /* it is asked for after the event: nothing is left */
    }
    const struct slab *s = slab_r(m, ref);
    text_put(
        t, "%.77s\n",
        "============================================================================="
        "=");
    text_put(t, "BUG %s (%s): ", c->name, m->slab->tainted ? TAINTED : "Not tainted");
    put_what(t, m, c, s, ev);
    text_put(
        t, "\n%.77s\n\n",
        "-----------------------------------------------------------------------------"
        "-");
    if (!is_object_report(ev->arg[0])) {
        put_slab(t, m, s);
        if (ev->arg[0] == BAD_INVALID_POINTER) {
            put_history(t, m, from);
        }
        report_stack(t, m, ev);
        if (ev->arg[0] == BAD_SLAB_PADDING) {
            const uint64_t length = (uint64_t)PAGE_SIZE << s->order;
            put_bytes(t, m, "Padding ", slab_start(c, s) + length - length % c->size,
                      length % c->size);
        } else if (ev->arg[0] == BAD_OBJECTS_REMAINING) {
            put_left_objects(t, m, c, s);
        }
        return;
    }
    if (from) { /* check_bytes_and_report() */
        unsigned char first;
        slab_read(m, from, &first, 1);
        put_address(t, m, from);
        text_put(t, "-");
        put_address(t, m, to);
        text_put(t, " @offset=%" PRIu64 ". First byte 0x%x instead of 0x%" PRIx64 "\n",
                 from - slab_start(c, s), first, ev->arg[5]);
    }
    if (ev->arg[0] == BAD_FREELIST_CHECK && object_view(m, object).va != object) {
        put_slab(t, m, s);
        text_put(t, "Invalid pointer ");
        put_address(t, m, object);
        text_put(t, "\n");
        return;
    }
    put_trailer(t, m, c, s, object);
    report_stack(t, m, ev);
}

void report_slub_fix(struct text *t, const struct machine *m, const struct event *ev)
{
    const struct kmem_cache *c = cache_r(m, ev->arg[1]);
    char reason[128];
    value_format(reason, sizeof reason, m, "reason", ev->arg[0]);
    text_put(t, "FIX %s: ", c ? c->name : "?");
    switch (ev->arg[0]) {
    case BAD_FIX_CLEARED:
    case BAD_FIX_COUNT:
    case BAD_FIX_ALL_USED:
        text_put(t, "%s\n", reason);
        break;
    case BAD_FIX_NOT_FREED:
        text_put(t, "Object at ");
        put_address(t, m, ev->arg[2]);
        text_put(t, " not freed\n");
        break;
    default: { /* restore_bytes() */
        const size_t what = strcspn(reason, " ");
        const char *over = strstr(reason, " overwritten");
        const size_t len = over ? (size_t)(over - reason) : what;
        text_put(t, "Restoring %.*s ", ev->arg[0] == BAD_SLAB_PADDING ? 12 : (int)len,
                 ev->arg[0] == BAD_SLAB_PADDING ? "slab padding" : reason);
        put_address(t, m, ev->arg[2]);
        text_put(t, "-");
        put_address(t, m, ev->arg[3]);
        text_put(t, "=0x%" PRIx64 "\n", ev->arg[4]);
        break;
    }
    }
}

/* ---- without debugging ---- */

/* Which object an address is, as kmem_dump_obj() tells it, and what it went through. */
static void put_object(struct text *t, const struct machine *m, uint64_t va)
{
    static const char *const states[] = {"none", "allocated", "free, in an array",
                                         "free, on its slab's freelist"};
    const struct object_view v = object_view(m, va);
    struct cache_view c;
    if (v.state == OBJECT_NONE || !cache_view(m, v.cache, &c)) {
        return;
    }
    text_put(t, " slab %s start %" PRIx64 " pointer offset %" PRIu64 " size %u\n", c.name,
             v.va, va - v.va, c.object_size);
    text_put(t, "  object %u of the slab at pfn:%#" PRIx64 ": %s\n", v.index,
             slab_view(m, v.slab).pfn, states[v.state]);
    put_history(t, m, va);
}

/* Which cache the caller named: kmem_cache_free's first argument. */
static const char *callers_cache(const struct machine *m, const struct event *ev)
{
    const uint32_t depth = ev->depth < PROBE_STACK ? ev->depth : PROBE_STACK;
    for (uint32_t i = depth; i-- > 0;) {
        const struct probe_frame *f = &m->probe.stack[i];
        if (f->fn == FN_kmem_cache_free || f->fn == FN_kmem_cache_free_bulk) {
            const struct kmem_cache *c = cache_r(m, f->arg[0]);
            return c ? c->name : NULL;
        }
    }
    return NULL;
}

void report_slab(struct text *t, const struct machine *m, const struct event *ev)
{
    const bool bug = ev->kind == EV_SLAB_BUG;
    char reason[128], cache[SLAB_NAME + 8];
    value_format(reason, sizeof reason, m, "reason", ev->arg[0]);
    value_format(cache, sizeof cache, m, "cache", ev->arg[2]);
    text_put(t, "------------[ cut here ]------------\n");
    if (ev->arg[0] == BAD_OBJECT_DOUBLE) {
        text_put(t, "slab: double free detected in cache '%s', objp %" PRIx64 "\n", cache,
                 ev->arg[1]);
    } else if (ev->arg[0] == BAD_OBJECT_CACHE) {
        const char *callers = callers_cache(m, ev);
        text_put(t, "cache_from_obj: Wrong slab cache. %s but object is from %s\n",
                 callers ? callers : "?", cache);
    } else if (ev->arg[1]) {
        text_put(t, "%s: %" PRIx64 "\n", reason, ev->arg[1]);
    } else {
        text_put(t, "%s\n", reason);
    }
    put_object(t, m, ev->arg[1]);
    text_put(t, bug ? "kernel BUG at mm/%s.c!\n" : "WARNING: at mm/%s.c\n",
             m->config.slub ? "slub" : "slab");
    report_stack(t, m, ev);
    text_put(t, "---[ end trace 0000000000000000 ]---\n");
}

/* Which objects nobody has given back. */
static void put_left(struct text *t, const struct machine *m, uint32_t cache,
                     enum slab_list_kind list)
{
    enum { MOST = 64 };
    uint32_t told = 0;
    for (uint32_t slab = slabs_first(m, cache, list); slab; slab = slabs_next(m, slab)) {
        const struct slab_view s = slab_view(m, slab);
        text_put(t, "Slab pfn:%#" PRIx64 " objects=%u used=%u\n", s.pfn, s.num, s.in_use);
        for (uint32_t i = 0; i < s.num && told < MOST; i++) {
            const struct slab_object *o = slab_object_at(m, slab_r(m, slab), i);
            if (o->in_use) {
                const struct kmem_cache *c = cache_r(m, cache);
                const uint64_t object = index_to_obj(c, slab_r(m, slab), i);
                text_put(t, "Object %" PRIx64 " @offset=%" PRIu64 "\n", object,
                         object - slab_start(c, slab_r(m, slab)));
                put_history_line(t, m, "allocated", o->alloc_op);
                told++;
            }
        }
    }
}

void report_slab_leak(struct text *t, const struct machine *m, const struct event *ev)
{
    char cache[SLAB_NAME + 8];
    struct op_source o;
    value_format(cache, sizeof cache, m, "cache", ev->arg[0]);
    text_put(t, "------------[ cut here ]------------\n");
    text_put(t, "kmem_cache_destroy %s: Slab cache still has objects", cache);
    if (operation(m, m->mm->nr_ops, &o) && o.line) {
        text_put(t, " when called from %s:%u", o.file, o.line);
    }
    text_put(t, "\n");
    put_left(t, m, (uint32_t)ev->arg[0], SLABS_FULL);
    put_left(t, m, (uint32_t)ev->arg[0], SLABS_PARTIAL);
    text_put(t, "WARNING: CPU: %u PID: %d at mm/slab_common.c kmem_cache_destroy\n",
             ev->cpu, TASK_PID);
    report_stack(t, m, ev);
    text_put(t, "---[ end trace 0000000000000000 ]---\n");
}
