/* SLUB's debugging, what follows from a cache's flags alone: which flags it gets, how its
 * slots are laid out, and what stands in a track (slub_debug.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "slub_debug.h"

#include <string.h>

#include "image.h"

enum { DEBUG_DEFAULT_FLAGS = 0x100 | 0x400 | 0x800 | 0x10000 }; /* F, Z, P, U */

/* ---- slub_debug=... ---- */

static uint32_t letter_flag(char letter)
{
    switch (letter) {
    case 'F':
    case 'f':
        return SLAB_CONSISTENCY_CHECKS;
    case 'Z':
    case 'z':
        return SLAB_RED_ZONE;
    case 'P':
    case 'p':
        return SLAB_POISON;
    case 'U':
    case 'u':
        return SLAB_STORE_USER;
    case 'T':
    case 't':
        return SLAB_TRACE;
    default:
        return 0;
    }
}

/* One block of options: its flags, and where the names of its caches begin (NULL: it is
 * for all). Answers its length, with the semicolon. */
static size_t parse_block(const char *text, uint32_t *flags, const char **names)
{
    const size_t len = strcspn(text, ";");
    const size_t letters = strcspn(text, ",;");
    *flags = letters ? 0 : (uint32_t)DEBUG_DEFAULT_FLAGS;
    for (size_t i = 0; i < letters; i++) {
        *flags = text[i] == '-' ? 0 : *flags | letter_flag(text[i]);
    }
    *names = letters < len ? text + letters + 1 : NULL;
    return len + (text[len] == ';');
}

/* Is the cache among "one,two*,three"? What stands behind a star does not count. */
static bool name_listed(const char *names, const char *name)
{
    while (*names && *names != ';') {
        const size_t len = strcspn(names, ",;");
        const size_t star = strcspn(names, "*,;");
        if (star < len ? strncmp(name, names, star) == 0
                       : strlen(name) == len && strncmp(name, names, len) == 0) {
            return true;
        }
        names += len + (names[len] == ',');
    }
    return false;
}

uint32_t slub_flags(const struct machine_config *c, uint32_t flags, const char *name)
{
    uint32_t all = 0, block;
    const char *names;
    for (const char *at = c->slub_debug + strspn(c->slub_debug, ";"); *at;) {
        at += parse_block(at, &block, &names);
        at += strspn(at, ";");
        if (!names) {
            all = block;
        } else if (name_listed(names, name)) {
            return flags | block;
        }
    }
    return flags | (flags & SLAB_NOLEAKTRACE ? all & ~SLAB_STORE_USER : all);
}

bool slub_debug_low_order(const struct machine_config *c)
{
    bool letters = true;
    for (const char *at = c->slub_debug; *at; at++) {
        letters = *at == ';' || (letters && *at != ',');
        if (letters && (*at == 'O' || *at == 'o')) {
            return true;
        }
    }
    return false;
}

/* ---- the slot ---- */

static uint32_t align_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

/* addr, handle, cpu, pid, when: words and numbers of 4 bytes. */
uint32_t slub_sizeof_track(const struct machine_config *c)
{
    return slab_word(c) == 8 ? 32 : 20;
}

void slub_layout(const struct machine_config *config, struct kmem_cache *c)
{
    const uint32_t word = slab_word(config);
    uint32_t size = align_up(c->object_size, word);
    if ((c->flags & SLAB_RED_ZONE) && size == c->object_size) {
        size += word; /* there must be something to overwrite */
    }
    c->inuse = size;
    if ((c->flags & (SLAB_TYPESAFE_BY_RCU | SLAB_POISON)) || c->ctor ||
        ((c->flags & SLAB_RED_ZONE) && c->object_size < word)) {
        c->offset = size;
        size += word;
    } else {
        c->offset = c->object_size / 2 / word * word;
    }
    if (c->flags & SLAB_STORE_USER) {
        size += 2 * slub_sizeof_track(config);
        size += c->flags & SLAB_KMALLOC ? 4 : 0;
    }
    c->red_left_pad = 0;
    if (c->flags & SLAB_RED_ZONE) {
        /* a word of padding even where alignment leaves none, and the left zone: as long
         * as alignment wants it */
        c->red_left_pad = align_up(word, c->align);
        size += word + c->red_left_pad;
    }
    c->size = align_up(size, c->align);
}

uint32_t slub_info_end(const struct machine_config *config, const struct kmem_cache *c)
{
    return c->offset >= c->inuse ? c->inuse + slab_word(config) : c->inuse;
}

uint32_t slub_orig_size_at(const struct machine_config *config,
                           const struct kmem_cache *c)
{
    return slub_info_end(config, c) + 2 * slub_sizeof_track(config);
}

uint32_t slub_padding_at(const struct machine_config *config, const struct kmem_cache *c)
{
    const uint32_t orig = c->flags & SLAB_KMALLOC ? 4 : 0;
    return c->flags & SLAB_STORE_USER ? slub_orig_size_at(config, c) + orig
                                      : slub_info_end(config, c);
}

/* ---- tracks ---- */

static uint64_t number(const unsigned char *bytes, uint32_t nr)
{
    uint64_t v = 0;
    while (nr-- > 0) {
        v = v << 8 | bytes[nr];
    }
    return v;
}

bool slub_track(const struct machine *m, const struct kmem_cache *c, uint64_t object,
                enum track_item item, struct slub_track *track)
{
    const uint32_t word = slab_word(&m->config);
    unsigned char b[32] = {0};
    memset(track, 0, sizeof *track);
    if (!(c->flags & SLAB_STORE_USER)) {
        return false;
    }
    const uint32_t size = slub_sizeof_track(&m->config);
    const uint32_t behind = item == TRACK_FREE ? size : 0;
    slab_read(m, object + slub_info_end(&m->config, c) + behind, b, size);
    track->addr = number(b, word);
    track->handle = (uint32_t)number(b + word, 4);
    track->cpu = (uint32_t)number(b + word + 4, 4);
    track->pid = (uint32_t)number(b + word + 8, 4);
    track->when = number(b + size - word, word);
    return true;
}

uint32_t slub_orig_size(const struct machine *m, const struct kmem_cache *c,
                        uint64_t object)
{
    unsigned char b[4];
    if (!(c->flags & SLAB_STORE_USER) || !(c->flags & SLAB_KMALLOC)) {
        return c->object_size;
    }
    slab_read(m, object + slub_orig_size_at(&m->config, c), b, sizeof b);
    return (uint32_t)number(b, sizeof b);
}

/* ---- callers ---- */

/* A function's place: in the kernel's text, or in a module, which scripts stand for. */
enum { CALLER_FIRST = 0x1000, CALLER_STEP = 0x10 };

static uint64_t callers_base(const struct machine *m, bool script)
{
    const struct kspace *k = &m->vm->kspace;
    struct image image;
    const bool wide = slab_word(&m->config) == 8;
    if (script) {
        return wide ? k->modules_start : k->vmalloc_start;
    }
    const bool there = image_layout(&image, &m->config);
    const uint64_t start = there ? image.start << PAGE_SHIFT : 16 << 20;
    return (wide ? k->kernel_start : k->page_offset) + start;
}

/* Operations by which a script asks for an object or gives one back itself. */
static bool is_direct(uint16_t kind)
{
    switch (kind) {
    case OP_KMEM_CACHE_ALLOC:
    case OP_KMEM_CACHE_FREE:
    case OP_KMALLOC:
    case OP_KZALLOC:
    case OP_KFREE:
    case OP_KREALLOC:
    case OP_KMEM_CACHE_ALLOC_BULK:
    case OP_KMEM_CACHE_FREE_BULK:
        return true;
    default:
        return false;
    }
}

uint64_t slub_caller(const struct machine *m)
{
    const bool boot = m->slab->state != SLAB_FULL && m->slab->state != SLAB_DOWN;
    const uint16_t kind = boot ? (uint16_t)OP_KMEM_CACHE_INIT : m->doing;
    return callers_base(m, is_direct(kind)) + CALLER_FIRST + (uint64_t)kind * CALLER_STEP;
}

bool slub_caller_kind(const struct machine *m, uint64_t addr, uint16_t *kind,
                      bool *script)
{
    for (int i = 0; i < 2; i++) {
        const uint64_t first = callers_base(m, i) + CALLER_FIRST;
        const uint64_t at = (addr - first) / CALLER_STEP;
        if (addr >= first && at < NR_OPS && (addr - first) % CALLER_STEP == 0) {
            *kind = (uint16_t)at;
            *script = i;
            return true;
        }
    }
    return false;
}
