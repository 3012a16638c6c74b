/* Sparse RAM against a plain array.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "prng.h"
#include "ram.h"
#include "tap.h"

enum { FRAMES = 24 };

static unsigned char plain[FRAMES * PAGE_SIZE];

static bool frames_agree(const struct ram *r)
{
    static const unsigned char zeros[PAGE_SIZE];
    for (uint64_t f = 0; f < FRAMES; f++) {
        const unsigned char *bytes = ram_peek(r, pfn(f)), *want = plain + f * PAGE_SIZE;
        if (memcmp(want, zeros, PAGE_SIZE) == 0
                ? bytes != NULL
                : !bytes || memcmp(bytes, want, PAGE_SIZE) != 0) {
            return false;
        }
    }
    return true;
}

static void test_random(uint64_t seed)
{
    struct arena a;
    struct ram r;
    struct prng rand = {seed};
    unsigned char buf[3 * PAGE_SIZE];
    memset(plain, 0, sizeof plain);
    if (!arena_create(&a, (FRAMES + 4) * ARENA_CHUNK, NULL) ||
        !ram_create(&r, &a, FRAMES)) {
        bail_out("no memory");
    }
    bool same = true;
    for (int i = 0; i < 4000 && same; i++) {
        size_t size = prng_below(&rand, prng_one_in(&rand, 10) ? sizeof buf : 40);
        uint64_t at = prng_below(&rand, sizeof plain - size + 1);
        uint64_t what = prng_below(&rand, 8);
        if (what < 3) {
            bool zero = prng_one_in(&rand, 2);
            for (size_t k = 0; k < size; k++) {
                buf[k] = zero ? 0 : (unsigned char)prng_next(&rand);
            }
            memcpy(plain + at, buf, size);
            same = ram_write(&r, paddr(at), buf, size);
        } else if (what < 7) {
            same =
                ram_read(&r, paddr(at), buf, size) && memcmp(buf, plain + at, size) == 0;
        } else if (prng_one_in(&rand, 4)) {
            uint64_t frame = at / PAGE_SIZE < FRAMES ? at / PAGE_SIZE : 0;
            ram_discard(&r, pfn(frame));
            memset(plain + frame * PAGE_SIZE, 0, PAGE_SIZE);
        }
        same = same && frames_agree(&r);
    }
    ok(same, "seed %" PRIu64 ": as plain memory; frames of zeros take none", seed);
    is_str(arena_check(&a), NULL, "the arena's invariants hold");
    arena_destroy(&a);
}

static void test_edges(void)
{
    struct arena a;
    struct ram r;
    arena_create(&a, 6 * ARENA_CHUNK, NULL);
    ok(!ram_create(&r, &a, UINT64_MAX) && !ram_create(&r, &a, 1 << 20),
       "no room for the table");
    ok(ram_create(&r, &a, 16), "created");
    uint64_t x = 1;
    ok(ram_write(&r, paddr(16 * PAGE_SIZE - 8), &x, 8), "the last bytes");
    ok(!ram_write(&r, paddr(16 * PAGE_SIZE - 4), &x, 8), "a write over the end is cut");
    ok(!ram_read(&r, paddr(16 * PAGE_SIZE - 4), &x, 8), "a read over the end too");
    is_hex(x, 0xffffffff00000001, "and gives ff where nothing is");
    ok(!ram_read(&r, paddr(UINT64_MAX - 3), &x, 8),
       "a read around the end of the address space");
    ok(ram_read(&r, paddr(16 * PAGE_SIZE - 4), &x, 0), "nothing is always there");
    ok(ram_peek(&r, pfn(PFN_NONE)) == NULL, "no frame at PFN_NONE");
    ram_discard(&r, pfn(PFN_NONE));
    ram_discard(&r, pfn(15));
    bool wrote = true;
    int nr = 0;
    for (uint64_t f = 0; f < 16 && wrote; f++, nr++) {
        wrote = ram_write(&r, paddr(f * PAGE_SIZE), &(char){1}, 1);
    }
    ok(!wrote && nr == 5, "when the arena is full, a write answers false");
    for (uint64_t f = 0; f < 16; f++) {
        ram_discard(&r, pfn(f));
    }
    is_str(arena_check(&a), NULL, "check");
    arena_destroy(&a);
}

/* A device of two frames that remembers one word. */
static void remember(void *ctx, paddr_t at, void *bytes, size_t size_bytes, bool write)
{
    unsigned char *word = ctx;
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char *b = &word[(at.v + i) % 8];
        write ? (void)(*b = ((unsigned char *)bytes)[i])
              : (void)(((unsigned char *)bytes)[i] = *b);
    }
}

static void test_devices(void)
{
    struct arena a;
    struct ram r;
    unsigned char word[8] = {0}, buf[24], want[24];
    if (!arena_create(&a, (FRAMES + 4) * ARENA_CHUNK, NULL) ||
        !ram_create(&r, &a, FRAMES)) {
        bail_out("no memory");
    }
    const struct ram_device device = {4, 2, remember, word}, hole = {8, 1, NULL, NULL},
                            beyond = {FRAMES + 3, 1, remember, word};
    ok(ram_add_device(&r, &device) && ram_add_device(&r, &hole) &&
           ram_add_device(&r, &beyond),
       "two devices and a hole");
    memset(buf, 0x11, sizeof buf);
    ok(ram_write(&r, paddr(4 * PAGE_SIZE - 8), buf, 24), "a write into a device");
    ok(ram_read(&r, paddr(5 * PAGE_SIZE), buf, 8) && buf[7] == 0x11,
       "its owner gives the bytes");
    ok(!ram_peek(&r, pfn(4)) && ram_peek(&r, pfn(3)), "which are not in RAM");
    ok(ram_read(&r, paddr((FRAMES + 3) * (uint64_t)PAGE_SIZE), buf, 1) && buf[0] == 0x11,
       "a device past the last frame");
    ok(!ram_write(&r, paddr(8 * PAGE_SIZE), buf, 8), "a hole takes nothing");
    memset(want, 0xff, sizeof want);
    ok(!ram_read(&r, paddr(8 * PAGE_SIZE), buf, 8) && !memcmp(buf, want, 8),
       "and reads as all ones");
    ok(ram_device_of(&r, pfn(5)) && !ram_device_of(&r, pfn(6)) &&
           !ram_device_of(&r, pfn(3)),
       "whose frame is whose");
    arena_destroy(&a);
}

int main(void)
{
    test_edges();
    for (uint64_t seed = 1; seed <= 5; seed++) {
        test_random(seed);
    }
    test_devices();
    return done_testing();
}
