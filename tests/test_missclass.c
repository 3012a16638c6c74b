/* hw/missclass.c and hw/sparse.c against naive ones: an array of lines in order of use,
 * and a table of all that was ever seen.
 *
 * Two shadows get the same random uses, one with everything marked beforehand, one
 * marking what it changes: both leave the same bytes, and going back in time undoes all
 * of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "missclass.h"

#include <string.h>

#include "host.h"
#include "prng.h"
#include "tap.h"

enum { MOST_LINES = 700, USES = 4000, MOST_SEEN = USES };

struct naive {
    uint64_t line[MOST_LINES]; /* the youngest first */
    uint32_t used, lines;
    uint64_t seen[MOST_SEEN];
    uint32_t nr_seen;
    struct miss_causes n;
};

static bool naive_saw(const struct naive *v, uint64_t line)
{
    for (uint32_t i = 0; i < v->nr_seen; i++) {
        if (v->seen[i] == line) {
            return true;
        }
    }
    return false;
}

/* Make a line the youngest; one that is not there only if it is let in. */
static bool naive_use(struct naive *v, uint64_t line, bool in)
{
    uint32_t at = 0;
    while (at < v->used && v->line[at] != line) {
        at++;
    }
    const bool there = at < v->used;
    if (!there && !in) {
        return false;
    }
    if (!there) {
        v->used += v->used < v->lines;
        at = v->used - 1;
    }
    memmove(&v->line[1], &v->line[0], at * sizeof *v->line);
    v->line[0] = line;
    return there;
}

static void naive_miss(struct naive *v, uint64_t line, bool filled)
{
    const bool there = naive_use(v, line, filled), seen = naive_saw(v, line);
    v->n.conflict += there;
    v->n.capacity += !there && seen;
    v->n.cold += !there && !seen;
    if (filled && !seen) {
        v->seen[v->nr_seen++] = line;
    }
}

/* Neighbours, others with the same low bits, and addresses from all over. */
static uint64_t random_line(struct prng *r, uint32_t lines)
{
    switch (prng_below(r, 4)) {
    case 0:
        return prng_below(r, 2 * lines + 2);
    case 1:
        return (prng_below(r, 40) << 30) + prng_below(r, 3);
    case 2:
        return (prng_below(r, lines + 1) << 52) ^ 0x7f0000000;
    default:
        return prng_below(r, UINT64_MAX >> 4);
    }
}

struct shadow {
    struct arena arena;
    struct missclass c;
    struct miss_causes n;
    bool full;
};

static void shadow_create(struct shadow *s, uint32_t lines)
{
    memset(s, 0, sizeof *s);
    if (!arena_create(&s->arena, (size_t)1 << 26, &host_memory) ||
        !missclass_create(&s->c, &s->arena, lines, &s->full)) {
        bail_out("no arena");
    }
}

static void test_shadow(struct prng *r, uint32_t lines)
{
    static struct shadow marked, marking;
    static struct naive naive;
    const char *broken = NULL;
    bool youngest = true;
    memset(&naive, 0, sizeof naive);
    naive.lines = lines;
    shadow_create(&marked, lines);
    shadow_create(&marking, lines);
    struct snapshot *before = arena_snapshot(&marking.arena);
    missclass_mark(&marked.c);
    for (int i = 0; i < USES; i++) {
        const uint64_t line = naive.used && prng_one_in(r, 3)
                                  ? naive.line[prng_below(r, naive.used)]
                                  : random_line(r, lines);
        youngest = youngest && missclass_is_youngest(&marked.c, line) ==
                                   (naive.used && naive.line[0] == line);
        if (naive_saw(&naive, line) && prng_one_in(r, 2)) {
            missclass_hit_marked(&marked.c, line);
            missclass_hit(&marking.c, line);
            naive_use(&naive, line, true);
        } else if (prng_one_in(r, 5)) {
            missclass_miss_unfilled(&marked.c, line, &marked.n);
            missclass_miss_unfilled(&marking.c, line, &marking.n);
            naive_miss(&naive, line, false);
        } else {
            missclass_miss_marked(&marked.c, line, &marked.n);
            missclass_miss(&marking.c, line, &marking.n);
            naive_miss(&naive, line, true);
        }
        if (i % 64 == 0 && !broken) {
            broken = missclass_check(&marked.c);
        }
    }
    ok(!memcmp(&marked.n, &naive.n, sizeof naive.n) &&
           !memcmp(&marking.n, &naive.n, sizeof naive.n),
       "%u lines: %" PRIu64 " cold, %" PRIu64 " capacity, %" PRIu64 " conflict", lines,
       naive.n.cold, naive.n.capacity, naive.n.conflict);
    ok(youngest, "it knows which line is the youngest");
    broken = broken ? broken : missclass_check(&marking.c);
    broken = broken ? broken : arena_check(&marked.arena);
    broken = broken ? broken : arena_check(&marking.arena);
    ok(!broken && !marked.full &&
           arena_digest(&marked.arena) == arena_digest(&marking.arena),
       "marked before or as it goes: the same bytes%s%s", broken ? ": " : "",
       broken ? broken : "");
    arena_restore(&marking.arena, before);
    sparse_forget(&marking.c.seen);
    const uint64_t cold = marking.n.cold;
    missclass_miss(&marking.c, naive.line[0], &marking.n);
    is_u64(marking.n.cold, cold + 1, "back in time nothing has been seen");
    snapshot_unref(&marking.arena, before);
    arena_destroy(&marked.arena);
    arena_destroy(&marking.arena);
}

/* An arena that has room for the shadow, but not for all that it sees. */
static void test_full(void)
{
    struct arena arena;
    struct missclass c;
    struct miss_causes n = {0, 0, 0};
    bool full = false;
    uint64_t line = 0;
    if (!arena_create(&arena, 1 << 17, &host_memory) ||
        !missclass_create(&c, &arena, 64, &full)) {
        bail_out("no arena");
    }
    for (; !full && line < 1000; line++) {
        missclass_miss(&c, line << 40, &n);
    }
    ok(full && line > 2 && n.cold == line - 1,
       "the arena is full after %" PRIu64 " lines", n.cold);
    missclass_miss(&c, 0, &n);
    ok(n.capacity == 0 && n.conflict == 1, "what is there is still found");
    ok(!missclass_check(&c), "and in order");
    arena_destroy(&arena);
}

static void test_sparse(struct prng *r)
{
    enum { KEYS = 2000 };
    static uint64_t keys[KEYS];
    struct arena arena;
    struct sparse s;
    if (!arena_create(&arena, (size_t)1 << 28, &host_memory) ||
        !sparse_create(&s, &arena)) {
        bail_out("no arena");
    }
    int wrong = 0;
    for (int i = 0; i < KEYS; i++) {
        keys[i] = prng_one_in(r, 2) ? prng_below(r, 100000) : random_line(r, 1000) >> 4;
        uint32_t *cell = sparse_cell(&s, keys[i]);
        *cell += 1;
    }
    for (int i = 0; i < KEYS; i++) {
        uint32_t times = 0;
        for (int k = 0; k < KEYS; k++) {
            times += keys[k] == keys[i];
        }
        wrong += sparse_peek(&s, keys[i]) != times;
        wrong += *sparse_cell(&s, keys[i]) != times;
    }
    ok(!wrong && !arena_check(&arena), "a sparse table keeps %d keys apart", KEYS);
    is_u64(sparse_peek(&s, (uint64_t)1 << 59), 0, "and what was never written is 0");
    sparse_clear(&s);
    ok(sparse_peek(&s, keys[0]) == 0 && *sparse_cell(&s, keys[0]) == 0,
       "cleared, it is empty");
    arena_destroy(&arena);
}

int main(void)
{
    const uint32_t lines[] = {1, 2, 3, 7, 16, 64, 200, MOST_LINES};
    struct prng r = {20261123};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        test_shadow(&r, lines[i]);
    }
    test_full();
    test_sparse(&r);
    return done_testing();
}
