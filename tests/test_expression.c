/* Conditions that are evaluated without Lua answer what Lua answers: random expressions,
 * each asked twice at random events of a random scenario, as it is and wrapped in a Lua
 * function, which no native condition is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prng.h"
#include "session.h"
#include "tap.h"

static const char script[] =
    "return scenario {\n"
    "  machine = { arch = 'i386', ram = '64M', cpus = 2 },\n"
    "  run = function()\n"
    "    local held, count, big, half, name, yes = {}, 0, 1 << 60, 0.5, 'x', true\n"
    "    for i = 1, 60 do\n"
    "      local page = on_cpu(random(2) - 1, alloc_pages, GFP_KERNEL, random(0, 4))\n"
    "      held[#held + 1] = { page, page:order() }\n"
    "      count, big, half, yes = count + 1, -big, half * 3, not yes\n"
    "      if i % 7 == 0 then say('note') end\n"
    "      if random(3) == 1 then\n"
    "        local h = table.remove(held, random(#held))\n"
    "        __free_pages(h[1], h[2])\n"
    "      end\n"
    "    end\n"
    "    drain_all_pages()\n"
    "  end }\n";

static struct prng rand_state = {7};

static uint64_t below(uint64_t n) { return (prng_next(&rand_state) >> 8) % n; }

/* ---- random expressions ---- */

static const char *const atoms[] = {"0",
                                    "1",
                                    "2",
                                    "3",
                                    "10",
                                    "0x10",
                                    "7.5",
                                    "1e3",
                                    "0.1",
                                    "-1",
                                    "9007199254740993",
                                    "9223372036854775807",
                                    "1.5e300",
                                    "true",
                                    "false",
                                    "nil",
                                    "'Normal'",
                                    "\"DMA\"",
                                    "'buddy:split'",
                                    "'hardirq'",
                                    "'process'",
                                    "order",
                                    "pfn",
                                    "zone",
                                    "migratetype",
                                    "gfp_flags",
                                    "mark",
                                    "free",
                                    "ok",
                                    "count",
                                    "batch",
                                    "found",
                                    "block",
                                    "n",
                                    "big",
                                    "half",
                                    "name",
                                    "yes",
                                    "page",
                                    "held",
                                    "i",
                                    "nosuch",
                                    "ev.event",
                                    "ev.n",
                                    "ev.order",
                                    "ev.on_cpu",
                                    "ev.context",
                                    "ev.depth",
                                    "ev.pfn",
                                    "ev.zone",
                                    "ev.nosuch",
                                    "ev.ok",
                                    "zone.Normal.free",
                                    "zone.Normal.low",
                                    "zone.Normal.min",
                                    "zone.Normal.high",
                                    "zone.Normal.boost",
                                    "zone.Normal.managed",
                                    "zone.Normal.present",
                                    "zone.Normal.spanned",
                                    "zone.Normal.start_pfn",
                                    "zone.Normal.end_pfn",
                                    "zone.DMA.free",
                                    "zone.DMA.highatomic",
                                    "zone.DMA.flags",
                                    "zone.DMA.pageset_high",
                                    "zone.DMA.pageset_batch",
                                    "zone.Normal.pcp_pages",
                                    "zone.Normal.index",
                                    "zone.HighMem.free",
                                    "zone.Nowhere.free",
                                    "zone.Normal.nothing",
                                    "zone.Normal:nr_free(0)",
                                    "zone.Normal:nr_free(3)",
                                    "zone.Normal:nr_free(99)",
                                    "zone.Normal:nr_free(1, MIGRATE_MOVABLE)",
                                    "zone.Normal:pcp_count(0, 0, 0)",
                                    "zone.Normal:pcp_count(1, 1, MIGRATE_UNMOVABLE)",
                                    "machine.nr_ops",
                                    "machine.max_pfn",
                                    "machine.totalreserve_pages",
                                    "machine.min_free_kbytes",
                                    "machine.pageblock_order",
                                    "machine.ram",
                                    "machine.cpus",
                                    "machine.max_order",
                                    "machine.page_size",
                                    "machine.arch",
                                    "vmstat('nr_free_pages')",
                                    "vmstat'pgfree'",
                                    "vmstat('none')",
                                    "pfn_to_page(0x800)",
                                    "pfn:pfn()",
                                    "page:pfn()",
                                    "GFP_KERNEL",
                                    "MIGRATE_MOVABLE",
                                    "PAGE_SIZE",
                                    "set_by_hand",
                                    "other_by_hand",
                                    "math.huge",
                                    "#name",
                                    "ev.stack"};
static const char *const binary[] = {"==", "~=", "<",  "<=", ">",  ">=",  "and", "or",
                                     "+",  "-",  "*",  "/",  "//", "%",   "&",   "|",
                                     "~",  "<<", ">>", "==", "<",  "and", "or",  "=="};
static const char *const unary[] = {"not ", "-", "~", "- -", "not not "};

#define PICK(list) (list)[below(sizeof(list) / sizeof *(list))]

static void put(char *buf, size_t size, const char *text)
{
    const size_t len = strlen(buf);
    snprintf(buf + len, size - len, "%s", text);
}

static void random_expression(char *buf, size_t size, int depth)
{
    const uint64_t kind = below(10);
    if (depth == 0 || kind < 3) {
        put(buf, size, PICK(atoms));
        return;
    }
    if (kind == 3) {
        put(buf, size, PICK(unary));
    }
    const bool brackets = kind > 7;
    put(buf, size, brackets ? "(" : "");
    random_expression(buf, size, depth - 1);
    if (kind != 3) {
        put(buf, size, below(2) ? " " : "\t");
        put(buf, size, PICK(binary));
        put(buf, size, " ");
        random_expression(buf, size, depth - 1);
    }
    put(buf, size, brackets ? ")" : "");
}

/* ---- both ways ---- */

struct both {
    struct condition *plain, *wrapped;
    const char *text;
    uint64_t tests, values, errors, different;
};

static void compare(struct both *b, struct machine *m, const struct event *ev, bool over)
{
    char one[200] = "", two[200] = "";
    enum verdict v, w, quick;
    if (over) {
        v = condition_test_behind(b->plain, m, ev, one, sizeof one);
        w = condition_test_behind(b->wrapped, m, ev, two, sizeof two);
        quick = condition_test_behind(b->plain, m, ev, NULL, 0);
    } else {
        v = condition_test(b->plain, m, ev, one, sizeof one);
        w = condition_test(b->wrapped, m, ev, two, sizeof two);
        quick = condition_test(b->plain, m, ev, NULL, 0);
    }
    b->tests++;
    b->errors += v == VERDICT_ERROR;
    b->values += v == VERDICT_YES;
    /* an error's text has the function's name in it */
    if (v != w || quick != v || (v != VERDICT_ERROR && strcmp(one, two) != 0)) {
        if (!b->different++) {
            diag("%s: %s (%d, %d), Lua %s (%d)", b->text, one, v, quick, two, w);
        }
    }
}

static void at_event(void *ctx, struct machine *m, const struct event *ev)
{
    compare(ctx, m, ev, false);
}

static bool make(struct session *s, struct both *b, const char *text)
{
    char err[300], wrapped[700];
    snprintf(wrapped, sizeof wrapped, "(function() return %s end)()", text);
    b->text = text;
    b->plain = session_condition(s, text, err, sizeof err);
    b->wrapped = b->plain ? session_condition(s, wrapped, err, sizeof err) : NULL;
    return b->wrapped != NULL;
}

static void console(struct session *s, const char *line)
{
    char *out;
    session_console(s, line, &out);
    free(out);
}

int main(void)
{
    const char *env = getenv("MMSCOPE_EXPRESSIONS");
    const uint64_t wanted = env ? strtoull(env, NULL, 0) : 3000;
    char err[300];
    struct session *s = session_open_text("expressions", script,
                                          &(struct session_options){.keep_locals = true},
                                          err, sizeof err);
    if (!s) {
        bail_out("%s", err);
    }
    while (session_advance(s, NULL, NULL) == SESSION_READY) {
    }
    struct timeline *t = session_timeline(s);
    const uint64_t nr_ops = timeline_nr_ops(t, 0);
    struct both all = {0};
    for (uint64_t i = 0; i < wanted; i++) {
        char text[600] = "";
        random_expression(text, sizeof text, 3);
        struct both b = {0};
        if (!make(s, &b, text)) { /* nested too deep, as "- -" in front of a minus */
            condition_forget(b.plain);
            continue;
        }
        for (int round = 0; round < 4; round++) {
            const struct position at = {0, below(nr_ops), below(6)};
            timeline_seek(t, at);
            if (at.event) {
                timeline_events(t, 0, at.op, at_event, &b);
            }
            compare(&b, timeline_machine(t), NULL, false);
            struct event ev;
            if (timeline_current_event(t, &ev)) {
                compare(&b, timeline_machine(t), &ev, below(2));
            }
            if (below(3) == 0) { /* what it was compiled with is no longer so */
                static const char *const lines[] = {
                    "set_by_hand = 5",    "set_by_hand = nil", "other_by_hand = 'DMA'",
                    "other_by_hand = {}", "order = 2",         "order = nil",
                    "set_by_hand = 2.5",  "machine = machine", "nosuch = true",
                    "nosuch = nil"};
                console(s, PICK(lines));
            }
        }
        all.tests += b.tests;
        all.values += b.values;
        all.errors += b.errors;
        all.different += b.different;
        condition_forget(b.plain);
        condition_forget(b.wrapped);
    }
    ok(!all.different,
       "%" PRIu64 " random expressions, %" PRIu64 " values: Lua says the same", wanted,
       all.tests);
    ok(all.values > wanted && all.errors > wanted && all.tests > all.errors + all.values,
       "of all kinds: %" PRIu64 " true, %" PRIu64 " errors", all.values, all.errors);
    console(s, "zone = nil");
    struct both b = {0};
    ok(make(s, &b, "zone == nil"), "a global of the API that was taken away");
    at_event(&b, timeline_machine(t), NULL);
    is_u64(b.different, 0, "is nil for both");
    condition_forget(b.plain);
    condition_forget(b.wrapped);
    session_close(s);
    return done_testing();
}
