/* SLUB's debugging: layouts against sums done by hand from calculate_sizes(), each kind
 * of complaint with its text and its repair, users, validation, merging,
 * /sys/kernel/slab.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"

#include <string.h>

#include "bad_reasons.h"
#include "prng.h"
#include "slab_ops.h"
#include "slab_view.h"
#include "slub_debug.h"

static struct event_log ev;
static char text[1 << 16]; /* all reports of the last operation */

/* Reports are written while the event is there. */
static void report_event(struct machine *m, const struct event *e)
{
    if (event_info(e->kind)->level == EVENT_REPORT) {
        const size_t len = strlen(text);
        report_format(text + len, sizeof text - len, m, e);
        strncat(text, "\n", sizeof text - strlen(text) - 1);
    }
}

static uint64_t call(struct machine *m, uint32_t cpu, uint16_t kind, uint64_t a0,
                     uint64_t a1, uint64_t a2, uint64_t a3)
{
    const struct op op = {.kind = kind, .cpu = (uint8_t)cpu, .arg = {a0, a1, a2, a3}};
    text[0] = 0;
    watch(m, &ev);
    const uint64_t result = machine_do(m, &op);
    unwatch(m);
    const char *why = machine_check(m);
    if (why) {
        ok(false, "after %s: %s", op_info(kind)->name, why);
    }
    return result;
}

static struct machine *machine_with(enum arch arch, const char *debug, bool merge)
{
    struct machine_config c;
    char err[300];
    config_init(&c, arch);
    config_set(&c, "ram", "64M", err, sizeof err);
    config_set(&c, "slab", "slub", err, sizeof err);
    config_set(&c, "slab_merge", merge ? "true" : "false", err, sizeof err);
    if (!config_set(&c, "slub_debug", debug, err, sizeof err)) {
        ok(false, "slub_debug=%s: %s", debug, err);
    }
    c.cpus = 2;
    struct machine *m = boot(&c);
    const struct op op = {.kind = OP_KMEM_CACHE_INIT};
    machine_do(m, &op);
    return m;
}

static uint32_t create(struct machine *m, uint64_t size, uint64_t align, uint64_t flags)
{
    return (uint32_t)call(m, 0, OP_KMEM_CACHE_CREATE, size, size, align, flags);
}
static uint64_t alloc(struct machine *m, uint64_t cache)
{
    return call(m, 0, OP_KMEM_CACHE_ALLOC, cache, GFP_KERNEL, 0, 0);
}
static void give_back(struct machine *m, uint64_t cache, uint64_t va)
{
    call(m, 0, OP_KMEM_CACHE_FREE, cache, va, 0, 0);
}
static struct cache_view view(struct machine *m, uint32_t cache)
{
    struct cache_view v;
    cache_view(m, cache, &v);
    return v;
}
static void poke(struct machine *m, uint64_t va, unsigned char byte)
{
    slab_write(m, va, &byte, 1);
}
static unsigned char peek(struct machine *m, uint64_t va)
{
    unsigned char byte;
    slab_read(m, va, &byte, 1);
    return byte;
}
static bool all_are(struct machine *m, uint64_t va, uint64_t nr, unsigned char byte)
{
    for (uint64_t i = 0; i < nr; i++) {
        if (peek(m, va + i) != byte) {
            return false;
        }
    }
    return true;
}
static void said(const char *wanted, const char *what)
{
    const bool there = strstr(text, wanted) != NULL;
    ok(there, "%s: \"%s\"", what, wanted);
    if (!there) {
        printf("# %.3000s\n", text);
    }
}

/* ---- layouts ---- */

enum { F = 0x100, Z = 0x400, P = 0x800, U = 0x10000, HW = 0x2000, RCU = 0x80000 };

static void test_layouts(void)
{
    /* x86-64: pointers of 8 bytes, tracks of 32; i386: 4 and 20, alignment at least 8 */
    static const struct {
        enum arch arch;
        uint32_t size, align, flags;
        uint32_t inuse, offset, left, slot, order, num;
    } rows[] = {
        /* 100 -> 104; nothing to move */
        {ARCH_X86_64, 100, 0, F, 104, 48, 0, 104, 0, 39},
        /* Z: 100 -> 104 has 4 bytes to spare; 8 + 8 more */
        {ARCH_X86_64, 100, 0, Z, 104, 48, 8, 120, 0, 34},
        /* Z: 104 has none: a word more */
        {ARCH_X86_64, 104, 0, Z, 112, 48, 8, 128, 0, 32},
        /* Z with less than a word: the pointer goes outside: 8 | 8 | 8 + 8 */
        {ARCH_X86_64, 4, 0, Z, 8, 8, 8, 32, 0, 128},
        /* P: the pointer outside */
        {ARCH_X86_64, 100, 0, P, 104, 104, 0, 112, 0, 36},
        {ARCH_X86_64, 104, 0, U, 104, 48, 0, 168, 0, 24},
        /* 104 + 8 + 64 + 8 + 8 */
        {ARCH_X86_64, 100, 0, F | Z | P | U, 104, 104, 8, 192, 0, 21},
        /* 64: 72 + 8 + 64 + 8, left 64: 216 -> 256 */
        {ARCH_X86_64, 64, 64, F | Z | P | U, 72, 72, 64, 256, 0, 16},
        {ARCH_X86_64, 64, 0, F | Z | P | U | HW, 72, 72, 64, 256, 0, 16},
        /* 4000: 4008 + 8 + 64 + 8 + 8 = 4096 */
        {ARCH_X86_64, 4000, 0, F | Z | P | U, 4008, 4008, 8, 4096, 3, 8},
        {ARCH_X86_64, 200, 0, RCU | Z, 208, 208, 8, 232, 0, 17},
        /* i386: 100 is full words: 104 + 4 + 40 + 4, left 8: 160 */
        {ARCH_I386, 100, 0, F | Z | P | U, 104, 104, 8, 160, 0, 25},
        {ARCH_I386, 30, 0, Z, 32, 12, 8, 48, 0, 85},
        {ARCH_I386, 30, 0, U, 32, 12, 0, 72, 0, 56},
    };
    struct machine *wide = machine_with(ARCH_X86_64, "none", false);
    struct machine *narrow = machine_with(ARCH_I386, "none", false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct machine *m = rows[i].arch == ARCH_I386 ? narrow : wide;
        const uint32_t id = create(m, rows[i].size, rows[i].align, rows[i].flags);
        const struct cache_view v = view(m, id);
        ok(v.inuse == rows[i].inuse && v.offset == rows[i].offset &&
               v.red_left_pad == rows[i].left && v.size == rows[i].slot &&
               v.order == rows[i].order && v.num == rows[i].num,
           "size %u, flags %#x: inuse %u offset %u left %u slot %u order %u, %u objects",
           rows[i].size, rows[i].flags, v.inuse, v.offset, v.red_left_pad, v.size,
           v.order, v.num);
        is_u64(v.cpu_partial, 0, "... and no CPU keeps partial slabs");
    }
    machine_destroy(wide);
    machine_destroy(narrow);
}

static void test_options(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "FZ,kmalloc-64,foo*;u", false);
    const uint32_t debug = F | Z | P | U | SLAB_TRACE;
    is_hex(view(m, cache_by_name(m, "kmalloc-64")).flags & debug, F | Z, "a named cache");
    is_hex(view(m, cache_by_name(m, "kmalloc-128")).flags & debug, U, "all others");
    /* kmalloc-128: 128 + 64 + 4 -> 256; the size asked for is kept */
    is_u64(view(m, cache_by_name(m, "kmalloc-128")).size, 256, "tracks take room");
    is_u64(slub_flags(&m->config, 0, "foobar"), F | Z, "a star");
    is_u64(slub_flags(&m->config, 0, "fo"), U, "less than what is before the star");
    is_u64(slub_flags(&m->config, SLAB_NOLEAKTRACE, "x"), SLAB_NOLEAKTRACE,
           "a cache of a debugger's own remembers no users");
    machine_destroy(m);
    m = machine_with(ARCH_X86_64, "FZPUO", false);
    is_hex(view(m, cache_by_name(m, "kmalloc-4k")).flags & debug, F,
           "O: nothing where a slab would get larger");
    is_hex(view(m, cache_by_name(m, "kmalloc-64")).flags & debug, F | Z | P | U,
           "... and all of it elsewhere");
    machine_destroy(m);
    m = machine_with(ARCH_I386, ",kmalloc-32", false);
    is_hex(view(m, cache_by_name(m, "kmalloc-32")).flags & debug, F | Z | P | U,
           "no letters: everything");
    machine_destroy(m);
    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    ok(!config_set(&c, "slub_debug", "FQ", err, sizeof err), "an unknown letter: %s",
       err);
    ok(config_set(&c, "slub_debug", "-", err, sizeof err), "nothing");
}

/* ---- bytes and complaints ---- */

static void test_bytes(enum arch arch)
{
    struct machine *m = machine_with(arch, "none", false);
    const uint32_t c = create(m, 100, 0, F | Z | P | U);
    const struct cache_view v = view(m, c);
    const uint64_t a = alloc(m, c), b = alloc(m, c);
    is_u64(b - a, v.size, "objects lie a slot apart");
    is_u64(a % PAGE_SIZE, v.red_left_pad, "the first one behind its left red zone");
    ok(all_are(m, a - v.red_left_pad, v.red_left_pad, SLUB_RED_ACTIVE) &&
           all_are(m, a + 100, v.inuse - 100, SLUB_RED_ACTIVE),
       "red zones of an object in use");
    ok(all_are(m, a, 99, POISON_FREE) && peek(m, a + 99) == POISON_END,
       "nobody has written into it yet");
    struct slub_track t;
    const struct kmem_cache *k = cache_r(m, c);
    ok(slub_track(m, k, a, TRACK_ALLOC, &t) && t.addr && t.pid == 1 && t.cpu == 0 &&
           t.handle == object_view(m, a).alloc_op && t.when == t.handle,
       "its alloc track");
    ok(slub_track(m, k, a, TRACK_FREE, &t) && !t.addr, "nobody has freed it");
    call(m, 1, OP_KMEM_CACHE_FREE, c, a, 0, 0);
    ok(all_are(m, a - v.red_left_pad, v.red_left_pad, SLUB_RED_INACTIVE) &&
           all_are(m, a + 100, v.inuse - 100, SLUB_RED_INACTIVE),
       "red zones of a free object");
    ok(slub_track(m, k, a, TRACK_FREE, &t) && t.cpu == 1 &&
           t.handle == object_view(m, a).free_op,
       "its free track");
    ok(all_are(m, a + slub_padding_at(&m->config, k),
               slub_slot_end(k) - slub_padding_at(&m->config, k), POISON_INUSE),
       "padding");
    is_hex(alloc(m, c), a, "the last one freed goes out first");
    struct slub_cpu_view cpu;
    ok(slub_cpu_view(m, c, 0, &cpu) && !cpu.slab && !cpu.partial, "no CPU has a slab");
    machine_destroy(m);
}

static void test_overflow(enum arch arch)
{
    struct machine *m = machine_with(arch, "none", false);
    const uint32_t c = create(m, 100, 0, F | Z | P | U);
    const uint64_t a = alloc(m, c), b = alloc(m, c);
    const uint32_t left = view(m, c).red_left_pad;
    poke(m, b + 100, 0x41);
    poke(m, b + 102, 0x42);
    give_back(m, c, b);
    said("BUG cache-100 (Not tainted): Right Redzone overwritten", "overflow");
    said(" @offset=", "overflow");
    said(". First byte 0x41 instead of 0xcc", "overflow");
    said("Allocated in operation ", "overflow");
    said(" age=1 cpu=0 pid=1", "overflow");
    said(" objects=", "overflow");
    said(" used=2 fp=0x", "overflow");
    said("Redzone  ", "overflow");
    said(": 41 cc 42 cc ", "overflow");
    said("Object   ", "overflow");
    said("Padding  ", "overflow");
    said("FIX cache-100: Restoring Right Redzone 0x", "overflow");
    said("=0xcc\n", "overflow");
    said(" not freed", "overflow");
    ok(all_are(m, b + 100, 4, SLUB_RED_ACTIVE), "the red zone is mended");
    is_u64(object_view(m, b).state, OBJECT_IN_USE, "the object is not freed");
    give_back(m, c, b);
    is_str(text, "", "the second free is good");
    poke(m, a - left, 0x00);
    give_back(m, c, a);
    said("(Tainted: G    B             ): Left Redzone overwritten", "underflow");
    said("Restoring Left Redzone", "underflow");
    machine_destroy(m);
}

static void test_use_after_free(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "FZPU,cache-*", false);
    const uint32_t c = create(m, 100, 0, 0);
    const uint64_t a = alloc(m, c), b = alloc(m, c);
    give_back(m, c, b);
    poke(m, b + 8, 0x42);
    const uint64_t next = alloc(m, c);
    said("Poison overwritten", "write after free");
    said("-0x", "write after free");
    said("First byte 0x42 instead of 0x6b", "write after free");
    said("Freed in operation ", "write after free");
    said("Restoring Poison 0x", "write after free");
    said("=0x6b\n", "write after free");
    said("FIX cache-100: Marking all objects used", "write after free");
    is_hex(peek(m, b + 8), POISON_FREE, "mended");
    ok(next && (next & ~UINT64_C(4095)) != (b & ~UINT64_C(4095)), "another slab serves");
    give_back(m, c, a);
    said("Slab disabled since SLUB metadata consistency check failed", "D2");
    is_u64(object_view(m, a).state, OBJECT_IN_USE, "it takes nothing back");
    call(m, 0, OP_KMEM_CACHE_DESTROY, c, 0, 0, 0);
    said("Objects remaining in cache-100 on __kmem_cache_shutdown()", "leak");
    said("kmem_cache_destroy cache-100: Slab cache still has objects", "leak");
    ok(cache_r(m, c) != NULL, "it stays");
    machine_destroy(m);

    m = machine_with(ARCH_X86_64, "none", false);
    const uint32_t p = create(m, 64, 0, F | P);
    const uint64_t one = alloc(m, p);
    give_back(m, p, one);
    poke(m, one + 63, 0);
    alloc(m, p);
    said("End Poison overwritten", "the last byte");
    machine_destroy(m);
}

static void test_misuse(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "FZPU", false);
    const uint32_t c = create(m, 40, 0, 0), d = create(m, 300, 0, 0);
    const uint64_t a = alloc(m, c), b = alloc(m, d);
    give_back(m, c, a + 8);
    said("Invalid object pointer 0x", "inside");
    said(" not freed", "inside");
    is_u64(object_view(m, a).state, OBJECT_IN_USE, "... nothing happens");
    give_back(m, c, a);
    is_str(text, "", "a good free");
    give_back(m, c, a);
    said("BUG cache-40 (Tainted: G    B             ): Object already free",
         "double free");
    said("last allocated by operation ", "double free");
    said("last freed by operation ", "double free");
    give_back(m, c, b);
    said("Wrong slab cache. cache-40 but object is from cache-300", "wrong cache");
    is_u64(object_view(m, b).state, OBJECT_FREE, "... and goes where it belongs");
    give_back(m, c, 0xffff888000000010);
    ok(find_event(&ev, EV_SLAB_BUG) != NULL, "no slab at all");
    const uint64_t k = call(m, 0, OP_KMALLOC, 50, GFP_KERNEL, 0, 0);
    is_u64(slub_orig_size(m, cache_r(m, cache_by_name(m, "kmalloc-64")), k), 50,
           "the size that kmalloc was asked for");
    is_u64(call(m, 0, OP_KSIZE, k, 0, 0, 0), 64, "ksize");
    call(m, 0, OP_KFREE, k, 0, 0, 0);
    call(m, 0, OP_KFREE, k, 0, 0, 0);
    said("BUG kmalloc-64", "kfree twice");
    machine_destroy(m);

    m = machine_with(ARCH_X86_64, "none",
                     false); /* red zones without checks see nothing */
    const uint32_t z = create(m, 40, 0, Z);
    const uint64_t x = alloc(m, z);
    poke(m, x + 40, 1);
    give_back(m, z, x);
    is_str(text, "", "no F: nobody looks");
    give_back(m, z, x);
    said("double free detected", "... but the machine stays whole");
    machine_destroy(m);
}

static void write_word(struct machine *m, uint64_t va, uint64_t v)
{
    slab_write(m, va, &v, 8); /* a little-endian host, in this test */
}

static void test_chains(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "none", false);
    const uint32_t c = create(m, 100, 0, F | P);
    const uint32_t offset = view(m, c).offset;
    uint64_t o[4];
    for (int i = 0; i < 4; i++) {
        o[i] = alloc(m, c);
    }
    give_back(m, c, o[1]);
    give_back(m, c, o[2]);
    write_word(m, o[2] + offset, 0x1234);
    give_back(m, c, o[3]);
    said("Freechain corrupt", "a wild pointer in the chain");
    said("Wrong object count. Counter is 2 but counted were", "... loses what follows");
    said("FIX cache-100: Object count adjusted", "...");
    is_u64(call(m, 0, OP_VALIDATE_SLAB_CACHE, c, 0, 0, 0), 1, "one slab to validate");
    is_hex(alloc(m, c), o[3], "what is left goes out");
    is_hex(alloc(m, c), o[2], "...");
    ok(alloc(m, c) != 0, "then a new slab");
    machine_destroy(m);

    m = machine_with(ARCH_X86_64, "none", false);
    const uint32_t d = create(m, 100, 0, F | P);
    o[0] = alloc(m, d);
    o[1] = alloc(m, d);
    give_back(m, d, o[1]);
    write_word(m, o[1] + offset, 0x1234);
    alloc(m, d);
    said("Freepointer corrupt", "seen when it goes out");
    said("Marking all objects used", "...");
    machine_destroy(m);
}

static void test_validate(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "none", false);
    const uint32_t c = create(m, 100, 0, F | Z | P | U);
    const struct cache_view v = view(m, c);
    uint64_t o[50];
    for (int i = 0; i < 50; i++) {
        o[i] = alloc(m, c);
    }
    is_u64(call(m, 0, OP_VALIDATE_SLAB_CACHE, c, 0, 0, 0), 3, "full slabs count, too");
    is_str(text, "", "all is well");
    poke(m, o[5] + 100, 0);
    poke(m, o[30] + slub_padding_at(&m->config, cache_r(m, c)) + 1, 0);
    const uint64_t rest = (o[0] & ~UINT64_C(4095)) + (uint64_t)v.size * v.num;
    if (PAGE_SIZE % v.size) {
        poke(m, rest + 3, 0);
    }
    call(m, 0, OP_VALIDATE_SLAB_CACHE, c, 0, 0, 0);
    said("Right Redzone overwritten", "found by looking");
    said("Object padding overwritten", "...");
    said(PAGE_SIZE % v.size ? "Padding overwritten. 0x" : "FIX", "...");
    said("Restoring slab padding 0x", "...");
    call(m, 0, OP_VALIDATE_SLAB_CACHE, c, 0, 0, 0);
    is_str(text, "", "all is mended");
    const uint32_t plain = create(m, 100, 0, 0);
    alloc(m, plain);
    is_u64(call(m, 0, OP_VALIDATE_SLAB_CACHE, plain, 0, 0, 0), 1, "without flags");
    is_str(text, "", "... nothing to say");
    machine_destroy(m);
}

/* ---- merging, /sys/kernel/slab ---- */

static const char *sysfs(struct machine *m, uint32_t id, const char *file)
{
    static char buf[4096];
    return sysfs_slab(buf, sizeof buf, m, id, file) < 0 ? "(none)" : buf;
}

static void test_merge(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "none", true);
    const uint32_t a = create(m, 100, 0, 0);
    is_u64(create(m, 97, 0, 0), a, "104 bytes of a slot: the same cache");
    ok(create(m, 96, 0, 0) != a, "a word less: another one");
    ok(create(m, 100, 0, SLAB_RECLAIM_ACCOUNT) != a, "other pages");
    ok(create(m, 100, 0, Z) != a, "red zones");
    ok(create(m, 100, 64, 0) != a, "alignment");
    ok(create(m, 100, 0, (uint64_t)0x1c5 << 32) != a, "a constructor");
    ok(create(m, 64, 0, 0) != cache_by_name(m, "kmalloc-64"), "kmalloc's stay alone");
    is_u64(create(m, 103, 0, 0), a, "larger than the first");
    is_u64(view(m, a).object_size, 103, "... so objects are that large");
    is_str(sysfs(m, a, "aliases"), "2\n", "two aliases");
    is_u64(cache_by_name(m, "cache-103"), a, "found by its alias");
    call(m, 0, OP_KMEM_CACHE_DESTROY, a, 0, 0, 0);
    const uint64_t va = alloc(m, a);
    call(m, 0, OP_KMEM_CACHE_DESTROY, a, 0, 0, 0);
    is_str(text, "", "an alias may go while there are objects");
    is_str(sysfs(m, a, "aliases"), "0\n", "one user left");
    give_back(m, a, va);
    call(m, 0, OP_KMEM_CACHE_DESTROY, a, 0, 0, 0);
    ok(!cache_r(m, a), "the last one takes it with him");
    machine_destroy(m);

    struct machine_config c;
    char err[300];
    config_init(&c, ARCH_I386);
    config_set(&c, "slab_merge", "true", err, sizeof err);
    m = boot(&c);
    const uint32_t s = create(m, 100, 0, 0);
    is_u64(create(m, 98, 0, 0), s, "SLAB merges, too");
    ok(create(m, 98, 32, 0) != s, "... but not what wants more alignment");
    machine_destroy(m);
    m = machine_with(ARCH_X86_64, "none", false);
    ok(create(m, 100, 0, 0) != create(m, 100, 0, 0), "off unless asked for");
    machine_destroy(m);
}

static void test_sysfs(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "none", false);
    const uint32_t c = create(m, 1000, 0, HW), u = create(m, 100, 0, U | RCU);
    uint64_t o[20];
    for (int i = 0; i < 20; i++) {
        o[i] = alloc(m, c);
    }
    is_str(sysfs(m, c, "object_size"), "1000\n", "object_size");
    is_str(sysfs(m, c, "slab_size"), "1024\n", "slab_size");
    is_str(sysfs(m, c, "align"), "64\n", "align");
    is_str(sysfs(m, c, "hwcache_align"), "1\n", "hwcache_align");
    is_str(sysfs(m, c, "objs_per_slab"), "16\n", "objs_per_slab");
    is_str(sysfs(m, c, "order"), "2\n", "12 objects at least: order");
    is_str(sysfs(m, c, "slabs"), "2\n", "slabs");
    is_str(sysfs(m, c, "total_objects"), "32\n", "total_objects");
    is_str(sysfs(m, c, "objects"), "32\n", "objects: what a CPU has counts");
    is_str(sysfs(m, c, "cpu_slabs"), "1\n", "cpu_slabs");
    give_back(m, c, o[0]);
    give_back(m, c, o[1]);
    give_back(m, c, o[8]);
    is_str(sysfs(m, c, "slabs_cpu_partial"), "8(1) C0=8(1)\n", "slabs_cpu_partial");
    is_str(sysfs(m, c, "cpu_slabs"), "2\n", "cpu_slabs with partial ones");
    call(m, 0, OP_KMEM_CACHE_SHRINK, c, 0, 0, 0);
    is_str(sysfs(m, c, "partial"), "2\n", "partial");
    is_str(sysfs(m, c, "objects_partial"), "17\n", "objects_partial");
    is_str(sysfs(m, c, "objects"), "17\n", "objects");
    is_str(sysfs(m, c, "min_partial"), "5\n", "min_partial");
    is_str(sysfs(m, c, "cpu_partial"), "24\n", "cpu_partial");
    is_str(sysfs(m, c, "alloc_traces"), "(none)", "no users, no traces");
    is_str(sysfs(m, c, "nothing"), "(none)", "no such file");
    is_str(sysfs(m, u, "destroy_by_rcu"), "1\n", "destroy_by_rcu");
    is_str(sysfs(m, u, "store_user"), "1\n", "store_user");
    is_str(sysfs(m, u, "cpu_partial"), "0\n", "cpu_partial with debugging");
    is_str(sysfs(m, u, "alloc_traces"), "No data\n", "nobody yet");
    alloc(m, u);
    alloc(m, u);
    ok(strstr(sysfs(m, u, "alloc_traces"), "      2 ") &&
           strstr(sysfs(m, u, "alloc_traces"), " age=0/0/1 pid=1 cpus=0"),
       "two from one place: %s", sysfs(m, u, "alloc_traces"));
    ok(strstr(sysfs(m, u, "free_traces"), "      2 <not-available> age="),
       "whom nobody has freed before: %s", sysfs(m, u, "free_traces"));
    is_str(sysfs(m, cache_by_name(m, "kmalloc-64"), "usersize"), "64\n", "usersize");
    machine_destroy(m);
    struct machine_config slab;
    config_init(&slab, ARCH_X86_64);
    m = boot(&slab);
    call(m, 0, OP_KMALLOC, 10, GFP_KERNEL, 0, 0);
    is_str(sysfs(m, cache_by_name(m, "kmalloc-32"), "slabs"), "(none)", "SLAB has none");
    machine_destroy(m);
}

/* ---- bulk, and damage at random ---- */

static void test_bulk(void)
{
    struct machine *m = machine_with(ARCH_X86_64, "FZPU", false);
    const uint32_t c = create(m, 200, 0, 0);
    uint64_t o[40];
    is_u64(call(m, 0, OP_KMEM_CACHE_ALLOC_BULK, c, GFP_KERNEL, 40, 0), 40, "in bulk");
    is_u64(staged_objects(m, o, 40), 40, "... 40 objects");
    for (int i = 0; i < 40; i++) {
        call(m, 0, OP_STAGE_OBJECT, o[i], 0, 0, 0);
    }
    call(m, 0, OP_STAGE_OBJECT, o[7], 0, 0, 0);
    call(m, 0, OP_KMEM_CACHE_FREE_BULK, c, 0, 0, 0);
    said("Object already free", "one of them twice");
    is_u64(view(m, c).in_use, 0, "all are back");
    machine_destroy(m);
}

/* Wild writes into all of a slab, operations on top of that: reports, no crash. */
static void test_wild(uint64_t seed)
{
    static const uint32_t flags[] = {F, F | Z, F | P, F | Z | P | U, Z | U, P, U, 0};
    struct prng r = {seed * 0x9e3779b97f4a7c15 | 1};
    struct machine *m = machine_with(seed & 1 ? ARCH_X86_64 : ARCH_I386, "none", false);
    const uint32_t size = 1 + (uint32_t)prng_below(&r, 300);
    const uint32_t c = create(m, size, 0, flags[seed % 8]);
    uint64_t o[64];
    uint32_t nr = 0, reports = 0;
    for (int step = 0; step < 400; step++) {
        const struct op ops[] = {
            {.kind = OP_KMEM_CACHE_ALLOC, .arg = {c, GFP_KERNEL}},
            {.kind = OP_KMEM_CACHE_FREE, .arg = {c, nr ? o[prng_below(&r, nr)] : 0}},
            {.kind = OP_VALIDATE_SLAB_CACHE, .arg = {c}},
            {.kind = OP_KMEM_CACHE_SHRINK, .arg = {c}}};
        const uint32_t what = prng_one_in(&r, 30)   ? 3
                              : prng_one_in(&r, 20) ? 2
                                                    : (uint32_t)prng_below(&r, 2);
        struct op op = ops[what];
        op.cpu = (uint8_t)prng_one_in(&r, 4);
        text[0] = 0;
        watch(m, &ev);
        const uint64_t va = machine_do(m, &op);
        unwatch(m);
        reports += text[0] != 0;
        if (what == 0 && va && nr < 64) {
            o[nr++] = va;
        }
        if (nr && prng_one_in(&r, 6)) {
            poke(m, (o[prng_below(&r, nr)] & ~UINT64_C(4095)) + prng_below(&r, 4096),
                 (unsigned char)prng_below(&r, 256));
        }
    }
    ok(m->slab->nesting == 0 && m->slab->irqs_off == 0 && m->slab->mutex == 0,
       "wild writes, seed %u: %u operations reported something", (unsigned)seed, reports);
    machine_destroy(m);
}

/* SLAB: numbers on a freelist that somebody has written over. */
static uint32_t test_slab_numbers(uint64_t seed)
{
    struct prng r = {seed * 0x9e3779b97f4a7c15 | 1};
    struct machine_config config;
    config_init(&config, seed & 1 ? ARCH_X86_64 : ARCH_I386);
    config.cpus = 2;
    struct machine *m = boot(&config);
    static const uint32_t sizes[] = {32, 300, 1000, 70};
    const uint32_t size = sizes[seed % 4];
    const uint32_t c = create(m, size, 0, 0);
    uint64_t o[300];
    uint32_t nr = 0;
    bool told = false, inside = true;
    for (int step = 0; step < 3000; step++) {
        struct op op = {.kind = OP_KMEM_CACHE_ALLOC,
                        .cpu = (uint8_t)prng_one_in(&r, 3),
                        .arg = {c, GFP_KERNEL}};
        uint32_t which = 0;
        if (nr == 300 || (nr && prng_one_in(&r, 3))) {
            which = (uint32_t)prng_below(&r, nr);
            op = (struct op){
                .kind = OP_KMEM_CACHE_FREE, .cpu = op.cpu, .arg = {c, o[which]}};
        }
        watch(m, &ev);
        const uint64_t va = machine_do(m, &op);
        unwatch(m);
        const struct event *e = find_event(&ev, EV_SLAB_BUG);
        told = told || (e && e->arg[0] == BAD_FREELIST);
        if (op.kind == OP_KMEM_CACHE_FREE) {
            o[which] = o[--nr];
        } else if (va) {
            const struct object_view v = object_view(m, va);
            inside = inside && v.state == OBJECT_IN_USE && v.va == va;
            for (uint32_t i = 0; i < nr; i++) {
                inside = inside && o[i] != va;
            }
            o[nr++] = va;
        }
        const uint32_t slab = slabs_first(m, c, SLABS_PARTIAL);
        if (slab && prng_one_in(&r, 40)) {
            const struct slab_view v = slab_view(m, slab);
            poke(m, v.freelist + v.active + prng_below(&r, v.num - v.active),
                 (unsigned char)prng_below(&r, 256));
        }
    }
    ok(inside, "SLAB, seed %u: no object twice, none outside of its slab",
       (unsigned)seed);
    /* what has not been seen yet is seen when it is due */
    for (uint32_t i = 0; slabs_first(m, c, SLABS_PARTIAL) && i < 2000; i++) {
        const struct op op = {
            .kind = OP_KMEM_CACHE_ALLOC, .cpu = i & 1, .arg = {c, GFP_KERNEL}};
        machine_do(m, &op);
    }
    const char *why = machine_check(m);
    ok(!why, "... and the rest stays whole: %s", why ? why : "");
    machine_destroy(m);
    return told;
}

int main(void)
{
    ev.at = report_event;
    test_layouts();
    test_options();
    test_bytes(ARCH_X86_64);
    test_bytes(ARCH_I386);
    test_overflow(ARCH_X86_64);
    test_overflow(ARCH_I386);
    test_use_after_free();
    test_misuse();
    test_chains();
    test_validate();
    test_merge();
    test_sysfs();
    test_bulk();
    for (uint64_t seed = 1; seed <= 16; seed++) {
        test_wild(seed);
    }
    uint32_t told = 0;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        told += test_slab_numbers(seed);
    }
    ok(told >= 4, "SLAB told of damaged numbers in %u of 16 runs", told);
    return done_testing();
}
