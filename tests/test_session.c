/* Sessions: advancing, errors, branches and running a script again, hooks, the console.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "api.h"
#include "describe.h"
#include "inspect.h"
#include "prng.h"
#include "story.h"

static struct story s;

static struct timeline *t(void) { return session_timeline(s.session); }

static struct machine *m(void) { return timeline_machine(t()); }

static uint64_t length(void)
{
    return timeline_nr_ops(t(), timeline_position(t()).branch);
}

static void go(uint64_t op, uint64_t event)
{
    timeline_seek(t(), (struct position){timeline_position(t()).branch, op, event});
}

static struct op_record record(uint64_t op)
{
    struct op_record r = {0};
    timeline_op(t(), timeline_position(t()).branch, op, &r);
    return r;
}

/* A line at the console; its output in `typed`. */
static char typed[16384];
static bool type(const char *line)
{
    char *out;
    bool good = session_console(s.session, line, &out);
    snprintf(typed, sizeof typed, "%s", out);
    free(out);
    return good;
}

static void steps(void)
{
    static const char text[] =
        "return lesson {\n"
        "  title = 'Steps', summary = 'one by one',\n"
        "  machine = { arch = 'i386', ram = '32M', highmem = '0', cpus = 2 },\n"
        "  run = function()\n"
        "    say [[ two\n       lines\n\n       and a paragraph ]]\n"
        "    local order = 2\n"
        "    local page = alloc_pages(GFP_KERNEL, order)\n"
        "    on_cpu(1, function()\n"
        "      __free_pages(page, order)\n"
        "    end)\n"
        "    expect(page:state() == 'pcp')\n"
        "    expect_eq(page:cpu(), 0, 'whose')\n"
        "  end,\n"
        "}\n";
    struct session_options o = {.keep_locals = true};
    ok(story_open(&s, text, &o), "a session opens: %s", s.err);
    is_str(session_title(s.session), "Steps", "title");
    is_u64(session_nr_lines(s.session), 17, "lines of the script");
    is_str(session_line(s.session, 10), "    local page = alloc_pages(GFP_KERNEL, order)",
           "line 10");
    is_str(session_line(s.session, 99), "", "no line 99");
    for (uint64_t n = 1; n <= 6; n++) {
        is_u64(session_advance(s.session, NULL, NULL), SESSION_READY, "step %u",
               (unsigned)n);
        is_u64(length(), n, "is one operation");
    }
    is_u64(session_advance(s.session, NULL, NULL), SESSION_DONE, "and then it is done");
    is_u64(session_advance(s.session, NULL, NULL), SESSION_DONE, "and stays so");
    is_str(timeline_string(t(), (uint32_t)record(1).op.arg[1]),
           "two lines\n\nand a paragraph", "paragraphs");
    struct site site = timeline_site(t(), record(2).op.site);
    ok(site.line == 10 && strcmp(site.file, "story.lua") == 0,
       "the operation knows its line: %s:%u", site.file, site.line);
    is_str(timeline_locals(t(), 0, 2), "order = 2\n", "and the locals");
    site = timeline_site(t(), record(3).op.site);
    ok(record(3).op.cpu == 1 && site.line == 12, "on CPU 1, from line %u", site.line);
    ok(strstr(site.stack, "story.lua:12:") && strstr(site.stack, "story.lua:11:"),
       "with the script's call stack:\n%s", site.stack);
    uint64_t passed, failed;
    session_expectations(s.session, &passed, &failed);
    is_u64(passed, 1, "one expectation holds");
    is_u64(failed, 1, "one fails");
    is_str(timeline_string(t(), (uint32_t)record(4).op.arg[1]),
           "expect(page:state() == 'pcp')", "its line is its text");
    is_str(timeline_string(t(), (uint32_t)record(5).op.arg[1]), "whose: got 1, wanted 0",
           "both values are shown");
    story_close(&s);
}

static void errors(void)
{
    story_body(&s, "local p = alloc_pages(GFP_KERNEL, 1)\n in_irq(function()\n local "
                   "function deep()\n error 'alas'\n end\n "
                   "deep()\n end)");
    ok(s.state == SESSION_ERROR &&
           strncmp(s.err, "story.lua:4: alas\nstack traceback:\n", 34) == 0,
       "file, line and message: %s", s.err);
    ok(strstr(s.err, "story.lua:6:") && strstr(s.err, "story.lua:2:") &&
           !strstr(s.err, "mmscope"),
       "the traceback has the script's frames and none of ours");
    is_u64(session_error_line(s.session), 4, "the line");
    is_u64(cpu_view(m(), 0).ctx, CTX_HARDIRQ,
           "the machine is as it was when it happened");
    is_u64(record(length() - 1).op.arg[0], NOTE_ERROR, "a note of it is in the timeline");
    go(0, 0);
    is_u64(session_state(s.session), SESSION_ERROR,
           "going back does not touch the script");
    ok(type("1 + 1") && strcmp(typed, "2\n") == 0, "and the console works");
    story_close(&s);

    static const struct {
        const char *body, *message;
    } wrong[] = {
        {"alloc_pages(GFP_KERNEL, 12)",
         "alloc_pages: order 12 is not below MAX_ORDER 11"},
        {"alloc_pages(GFP_KERNEL, -1)", "alloc_pages: order -1 is below 0"},
        {"alloc_pages(GFP_KERNAL, 0)", "alloc_pages: gfp should be flags like GFP_KERNEL "
                                       "| __GFP_ZERO, but is nil: is a "
                                       "name misspelt?"},
        {"alloc_pages('GFP_KERNAL', 0)", "alloc_pages: unknown GFP flag at 'GFP_KERNAL'"},
        {"alloc_pages(GFP_KERNEL, 0, 1)", "alloc_pages: takes 2 arguments, not 3"},
        {"alloc_pages(GFP_KERNEL, 1.5)",
         "alloc_pages: order should be a number from 0 to 10, but is 1.5"},
        {"__free_pages(nil, 0)", "__free_pages: page is nil: did the allocation fail?"},
        {"__free_pages('x', 0)",
         "__free_pages: page should be a page or a page frame number, but is \"x\""},
        {"on_cpu(2, print)",
         "story.lua:1: on_cpu: there is no CPU 2: this machine has 2"},
        {"zone('Norml')", "zone: there is no zone Norml: this machine has DMA, Normal"},
        {"local x = zone.HighMem", "zone: there is no zone HighMem"},
        {"local x = zone.Normal.fre", "a zone has no field 'fre'"},
        {"local x = machine.ramm", "machine has no field 'ramm'"},
        {"in_irq(7)", "in_irq: needs a function"},
        {"with_spinlock(print)", "with_spinlock: needs the lock's name and a function"},
        {"on('buddy:slit', print)", "on: there is no event 'buddy:slit'"},
        {"on('bud:*', print)", "on: no event is called 'bud:*'"},
        {"interrupt(print)", "interrupt: there is no operation to interrupt"},
        {"on('kmem:mm_page_alloc', function() alloc_pages(GFP_ATOMIC, 0) end) "
         "alloc_pages(GFP_KERNEL, 0)",
         "alloc_pages: a hook only looks"},
        {"on('kmem:mm_page_alloc', function(ev) error('in ' .. ev.event) end) "
         "alloc_pages(GFP_KERNEL, 0)",
         "in kmem:mm_page_alloc"},
        {"ask { 'really?', 'yes', answer = 2 }",
         "ask: answer should be the number of a choice, 1 to 1"},
        {"workload {}", "workload: give steps = N or stop_when"},
        {"zone.Normal:pcp_list(0, 4, 0)",
         "zone:pcp_list: per-CPU lists are of orders 0 to 3"},
        {"vmstat 'nr_dreams'", "vmstat: there is no counter 'nr_dreams'"},
        {"local p = alloc_pages(GFP_KERNEL, 0) p.order()",
         "page:order: not called on a page"},
        {"error {}", "table: #"},
        {"error()", "nil"},
        {"local t = nil; t.x = 1", "attempt to index a nil value (local 't')"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        story_body(&s, wrong[i].body);
        if (!ok(s.state == SESSION_ERROR && strstr(s.err, wrong[i].message), "%s",
                wrong[i].message)) {
            diag("%s\n%s", wrong[i].body, s.err);
        }
        story_close(&s);
    }
}

static void contexts(void)
{
    story_body(&s,
               "say(context(), cpu().preempt_count)\n"
               "in_softirq(function() say(context()) in_irq(function() say(context()) "
               "end) say(context()) end)\n"
               "preempt_disabled(function() say(cpu().preempt_count) end)\n"
               "irqs_disabled(function() say(cpu().irqs_disabled) end)\n"
               "with_spinlock('zone->lock', function() say(cpu().locks[1], "
               "cpu().nr_locks) end)\n"
               "memalloc(function() say(cpu().memalloc) end)\n"
               "say(select(2, pcall(in_irq, function() error 'caught' end)), context())\n"
               "say(in_irq(function(...) return ... end, 1, 2, 3))\n"
               "say(on_cpu(1, smp_processor_id), smp_processor_id())\n"
               "say(cpu().memalloc, cpu().preempt_count, cpu().irqs_disabled)");
    is_u64(s.state, SESSION_DONE, "contexts: %s", s.err);
    is_str(s.say,
           "process 0\nsoftirq\nhardirq\nsoftirq\n1\ntrue\nzone->lock "
           "1\ntrue\nstory.lua:7: caught process\n1 2 3\n1 "
           "0\nfalse 0 false",
           "each is left again, also by an error that is caught");
    story_close(&s);
}

static void page_arithmetic(void)
{
    story_body(&s, "local p = alloc_pages(GFP_KERNEL, 4)\n"
                   "expect((p + 3):pfn() == p:pfn() + 3 and 3 + p == p:plus(3))\n"
                   "expect(p + 3 - p == 3 and p + 3 - 3 == p)\n"
                   "say(p - 'x')");
    uint64_t passed, failed;
    session_expectations(s.session, &passed, &failed);
    is_u64(passed, 2, "pages add up as struct page * does");
    ok(s.state == SESSION_ERROR && strstr(s.err, "number expected, got string"),
       "and with numbers only: %s", s.err);
    story_close(&s);
}

static bool after_three(void *ctx) { return ++*(int *)ctx > 3; }

static void stopping(void)
{
    story_open_body(&s, "local n = 0 for i = 1, 3e7 do n = n + 1 end say(n)", NULL);
    is_u64(session_advance(s.session, NULL, NULL), SESSION_STOPPED,
           "a long computation stops");
    int stops = 1;
    while (session_advance(s.session, NULL, NULL) == SESSION_STOPPED) {
        stops++;
    }
    story_collect(&s, 0);
    is_str(s.say, "30000000", "and goes on where it was, after %d stops", stops);
    story_close(&s);
    story_open_body(&s, "while true do end", NULL);
    int asked = 0;
    is_u64(session_advance(s.session, after_three, &asked), SESSION_STOPPED,
           "somebody interrupts");
    is_u64((uint64_t)asked, 4, "was asked now and then");
    story_close(&s);
}

/* ---- branches ---- */

/* A script that looks, decides by what it sees, uses hooks and random numbers. */
static const char busy[] =
    "local hooked, held = 0, {}\n"
    "on('kmem:mm_page_alloc_zone_locked', function(ev)\n"
    "  hooked = hooked + 1\n"
    "  if hooked % 7 == 3 then\n"
    "    interrupt(function()\n"
    "      local p = alloc_pages(GFP_ATOMIC, 0)\n"
    "      local q = alloc_pages(GFP_ATOMIC, 1)\n"
    "      if p and hooked < 40 then __free_pages(p, 0) end\n"
    "      if q and zone.Normal.free % 2 == 0 then __free_pages(q, 1) end\n"
    "    end)\n"
    "  end\n"
    "  if hooked % 11 == 5 then say('seen', ev.pfn, ev.zone) end\n"
    "end)\n"
    "on('pcp:add', function(ev) if ev.count % 5 == 1 then interrupt(function() "
    "alloc_pages(GFP_ATOMIC, 2) end) end end)\n"
    "for i = 1, 60 do\n"
    "  if #held > 0 and random(10) <= 4 then\n"
    "    local h = table.remove(held, random(#held))\n"
    "    on_cpu(random(2) - 1, __free_pages, h[1], h[2])\n"
    "  else\n"
    "    local order = zone.Normal.free % 3\n"
    "    local p = alloc_pages(i % 3 == 0 and GFP_ATOMIC or GFP_KERNEL, order)\n"
    "    if p then held[#held + 1] = { p, order } end\n"
    "  end\n"
    "  if i % 20 == 0 then drain_all_pages() say(#held, zone.Normal.free) end\n"
    "end\n"
    "expect(hooked > 0)\n";

static void check_all(const char *what)
{
    const char *broken = timeline_check(t());
    ok(!broken, "%s: the timeline holds its invariants: %s", what, broken ? broken : "");
    broken = machine_check(m());
    ok(!broken, "%s: the machine too: %s", what, broken ? broken : "");
}

static uint64_t digest(void) { return machine_digest(m()); }

/* The user does something in the past, here and there: the script goes on behind it. */
static void branch_anywhere(enum session_state end_state, uint64_t step)
{
    uint64_t end = length();
    unsigned wrong = 0;
    for (uint64_t at = 0; at < end; at += step) {
        timeline_seek(t(), (struct position){0, at, 0});
        wrong += !type("alloc_pages(GFP_KERNEL, 0)");
        uint32_t branch = timeline_position(t()).branch;
        wrong += at < end && branch == 0;
        wrong += story_run(&s) != end_state;
        wrong += timeline_position(t()).branch != branch;
        if (wrong) {
            diag("branch at %u: %s%s", (unsigned)at, s.err, typed);
            break;
        }
        uint64_t digest_here = digest(), here = length();
        go(at / 2, 0);
        go(here, 0);
        wrong += digest() != digest_here;
    }
    is_u64(wrong, 0, "a branch anywhere: the script is run again and goes on");
}

static void run_again(void)
{
    story_body(&s, busy);
    is_u64(s.state, SESSION_DONE, "a script with hooks that interrupt: %s", s.err);
    uint64_t end = length(), at_end = digest(), injected = 0;
    for (uint64_t i = 0; i < end; i++) {
        injected += record(i).nr_injected;
    }
    ok(injected > 20, "%u operations in injected interrupts", (unsigned)injected);
    check_all("at the end");
    go(0, 0);
    go(end, 0);
    is_hex(digest(), at_end, "back to 0 and forward again: the same state");

    branch_anywhere(SESSION_DONE, 7);
    check_all("after many branches");

    /* An operation of the user's at the end of a branch does not disturb the script's
     * own. */
    timeline_seek(t(), (struct position){0, end, 0});
    is_hex(digest(), at_end, "the first branch is still there");
    is_u64(session_advance(s.session, NULL, NULL), SESSION_DONE,
           "and its script is run again to its end");
    uint64_t passed, failed;
    session_expectations(s.session, &passed, &failed);
    is_u64(passed, 1, "with its expectations");
    story_close(&s);
}

/* An interrupt that comes while the CPU takes none waits, over several operations if it
 * must, and comes on the CPU for which it is. */
static const char waits[] =
    "local n = 0\n"
    "on('buddy:split', function(ev)\n"
    "  n = n + 1\n"
    "  if n % 3 ~= 1 then return end\n"
    "  local cpu, mine = ev.on_cpu, n\n"
    "  local now = interrupt(function()\n"
    "    if mine == 4 then expect_eq(mine, 5) end\n"
    "    say(mine, context(), cpu, smp_processor_id())\n"
    "    expect(cpu == smp_processor_id() and context() == 'hardirq')\n"
    "    expect_eq(_G.cpu().preempt_count // 65536, 1)\n"
    "    alloc_pages(GFP_ATOMIC, n % 4)\n"
    "  end)\n"
    "  if n == 1 then say('at once', now) end\n"
    "end)\n"
    "in_irq(function() alloc_pages(GFP_ATOMIC, 3) say 'inside' alloc_pages(GFP_ATOMIC, "
    "0)\n"
    "  on_cpu(1, alloc_pages, GFP_KERNEL, 0) say 'elsewhere' end)\n"
    "say 'outside'\n"
    "irqs_disabled(function()\n"
    "  for i = 0, 12 do alloc_pages(GFP_ATOMIC, i % 5) zone.Normal:nr_free(0) end\n"
    "end)\n"
    "for i = 0, 9 do on_cpu(i % 2, alloc_pages, GFP_ATOMIC, i % 5) end\n"
    "off()\n"
    "local function fails() interrupt(function() error 'alas' end) end\n"
    "on('kmem:mm_page_alloc', fails)\n"
    "expect(not pcall(alloc_pages, GFP_KERNEL, 0) and context() == 'process')\n"
    "in_irq(function() expect(pcall(alloc_pages, GFP_ATOMIC, 0)) end)\n";

static void interrupts_wait(void)
{
    story_body(&s, waits);
    ok(s.state == SESSION_ERROR && strstr(s.err, "alas\nin an event hook:\n"),
       "a handler that fails when the interrupt comes at last: %s", s.err);
    ok(strstr(s.err, "in function <story.lua:"), "its frames are shown");
    static const char begin[] = "at once false\ninside\n";
    is_u64((uint64_t)strncmp(s.say, begin, sizeof begin - 1), 0,
           "an interrupt waits in the one under way: %.80s", s.say);
    const char *first = strstr(s.say, "1 hardirq 0 0"),
               *elsewhere = strstr(s.say, "elsewhere"),
               *outside = strstr(s.say, "outside");
    ok(first && elsewhere && outside && elsewhere < first && first < outside,
       "and comes behind its end");
    uint64_t passed, failed;
    session_expectations(s.session, &passed, &failed);
    ok(passed > 20 && failed == 1, "%u expectations held, %u did not", (unsigned)passed,
       (unsigned)failed);
    is_u64(cpu_view(m(), 0).ctx, CTX_PROCESS, "no CPU stays in an interrupt");
    check_all("after interrupts that waited");
    branch_anywhere(SESSION_ERROR, 1);
    story_close(&s);
}

static void branch_keeps_the_answers(void)
{
    story_open_body(&s,
                    "local a = alloc_pages(GFP_KERNEL, 4)\n"
                    "say(hex(a), zone.Normal.free)\n"
                    "local b = alloc_pages(GFP_KERNEL, 4)\n"
                    "say(hex(b), zone.Normal.free)\n"
                    "__free_pages(a, 4)\n"
                    "__free_pages(b, 4)\n",
                    NULL);
    story_run(&s);
    char first[sizeof s.say];
    memcpy(first, s.say, sizeof first);
    go(2, 0);
    ok(type("mine = alloc_pages(GFP_KERNEL, 4) return mine"),
       "the user allocates in the past");
    is_u64(timeline_position(t()).branch, 1, "a branch begins");
    is_u64(record(2).op.origin, ORIGIN_USER, "the operation is the user's");
    is_u64(session_state(s.session), SESSION_READY, "the script has more to do there");
    is_u64(story_run(&s), SESSION_DONE, "the script goes on: %s", s.err);
    char *line = strchr(s.say, '\n'), *old_line = strchr(first, '\n');
    ok(line && old_line && line - s.say == old_line - first &&
           strncmp(s.say, first, (size_t)(line - s.say)) == 0,
       "what was before the branch is the same: %s", s.say);
    ok(line && old_line && strcmp(line, old_line) != 0, "what comes after it is not");
    ok(type("mine:state()") && strcmp(typed, "\"allocated\"\n") == 0,
       "the user's page is still allocated: %s", typed);
    story_close(&s);
}

static void user_interrupts(void)
{
    story_body(&s, busy);
    uint64_t end = length();
    unsigned wrong = 0, tried = 0;
    struct prng random = {.state = 11};
    for (int i = 0; i < 25; i++) {
        uint64_t at = prng_below(&random, end);
        timeline_seek(t(), (struct position){0, at, 0});
        struct op_record r = record(at);
        if (r.op.kind == OP_NOTE || r.nr_events < 2) {
            continue;
        }
        go(at, 1 + prng_below(&random, r.nr_events - 1));
        struct op op = {
            .kind = OP_ALLOC_PAGES, .origin = ORIGIN_USER, .arg = {GFP_ATOMIC, 0}};
        char err[256] = "";
        tried++;
        if (!timeline_interrupt(t(), &op, 1, err, sizeof err)) {
            diag("operation %u: %s", (unsigned)at, err);
            wrong++;
        }
        go(length(), 0);
        if (story_run(&s) != SESSION_DONE) {
            diag("interrupt in operation %u: %s", (unsigned)at, s.err);
            wrong++;
        }
    }
    ok(tried > 5, "interrupts of the user's in %u operations", tried);
    is_u64(wrong, 0, "after each, the script is run again and goes on");
    check_all("after interrupts");
    story_close(&s);
}

static void try_mismatch(const char *body)
{
    story_body(&s, body);
    go(1, 0);
    /* Something that the script never did, as if it were the script's. */
    struct op op = {
        .kind = OP_ALLOC_PAGES, .origin = ORIGIN_SCRIPT, .arg = {GFP_KERNEL, 3}};
    timeline_do(t(), &op);
    is_u64(session_advance(s.session, NULL, NULL), SESSION_ERROR,
           "a script that does something else than it did");
    ok(strstr(session_error(s.session), "this is a bug of mmscope"),
       "is our bug, and told: %s", session_error(s.session));
    story_close(&s);
}

static void mismatch(void)
{
    try_mismatch(
        "alloc_pages(GFP_KERNEL, 0) drain_all_pages() alloc_pages(GFP_KERNEL, 1)");
    try_mismatch("for i = 1, 3 do pcall(function() alloc_pages(GFP_KERNEL, i) end) end");
}

/* ---- the console ---- */

static void console(void)
{
    struct session_options o = {.keep_locals = true};
    story_open_body(&s,
                    "local n, name, list, page = 42, 'x\"y', { 1, 2, k = 'v' }, "
                    "alloc_pages(GFP_KERNEL, 2)\n"
                    "say 'now'\n"
                    "page = nil\n"
                    "say 'later'",
                    &o);
    story_run(&s);
    static const struct {
        const char *line;
        bool good;
        const char *out;
    } lines[] = {
        {"1 + 1", true, "2\n"},
        {"", true, ""},
        {"x = 7", true, ""},
        {"x * 6, 'a\nb'", false, NULL},
        {"x * 6, \"two\"", true, "42\t\"two\"\n"},
        {"for i = 1, 3 do print(i) end", true, "1\n2\n3\n"},
        {"{ 3, 1, b = { c = {} }, a = true }", true,
         "{3, 1, a = true, b = {c = {...}}}\n"},
        {"{ pa = -4096, pfn = 4096, at = 'x', count = 4096 }", true,
         "{at = \"x\", count = 4096, pa = 0xfffffffffffff000, pfn = 0x1000}\n"},
        {"print(n, name)", true, "42\tx\"y\n"},
        {"list.k, #list", true, "\"v\"\t2\n"},
        {"nothing", true, "nil\n"},
        {"nothing.at.all", false,
         "console:1: attempt to index a nil value (global 'nothing')"},
        {"if", false, "console:1: unexpected symbol near <eof>"},
        {"error 'alas'", false, "console:1: alas"},
        {"alloc_pages(GFP_KERNEL, 11)", false,
         "console:1: alloc_pages: order 11 is not below MAX_ORDER 11"},
        {"while true do pcall(function() while true do end end) end", false,
         "stopped after 100 million instructions\n"},
        {"help get_order", true,
         "get_order(bytes) -> order\n    The order of the smallest block that holds so "
         "many bytes.\n"},
        {"help 'zone:pcp'", true, NULL},
        {"help", true, NULL},
        {"help nonsense", false, NULL},
        {"zone.Normal", true, "zone Normal\n"},
        {"context()", true, "\"process\"\n"},
        {"setmetatable({}, { __tostring = function() return 'me' end })", true, "me\n"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        bool good = type(lines[i].line);
        ok(good == lines[i].good, "console: %s: %s", lines[i].line, typed);
        if (lines[i].out) {
            is_str(typed, lines[i].out, "answers");
        }
    }
    uint64_t before = length();
    ok(type("p = alloc_pages(GFP_KERNEL, 0) return p:order(), p:zone()") &&
           strcmp(typed, "0\t\"Normal\"\n") == 0,
       "an operation: %s", typed);
    is_u64(length(), before + 1, "is recorded");
    is_u64(record(before).op.origin, ORIGIN_USER, "as the user's");
    go(1, 0);
    ok(type("page") && strcmp(typed, "nil\n") == 0, "a local that is not there yet: %s",
       typed);
    go(2, 0);
    ok(type("page, page:order()") && strstr(typed, "page 0x") && strstr(typed, "\t2\n"),
       "locals belong to the position: %s", typed);
    go(before, 0);
    ok(type("page") && strcmp(typed, "nil\n") == 0, "later it is nil");
    ok(type("expect(true) say 'mine'"), "notes at the console");
    story_close(&s);
}

static char words[65536];
static void add_word(void *ctx, const char *word)
{
    (void)ctx;
    size_t len = strlen(words);
    snprintf(words + len, sizeof words - len, "%s ", word);
}

static void complete(const char *line, const char *wanted)
{
    words[0] = 0;
    session_complete(s.session, line, add_word, NULL);
    is_str(words, wanted, "completing %s", line);
}

static void completion(void)
{
    struct session_options o = {.keep_locals = true};
    story_open_body(&s, "local pagelist = {} say 'x'", &o);
    story_run(&s);
    complete("x = alloc_p", "alloc_page alloc_pages alloc_pages_bulk ");
    complete("alloc_pages(GFP_HIGHUSER_", "GFP_HIGHUSER_MOVABLE ");
    complete("zone.N", "zone.Normal ");
    complete("string.re", "string.rep string.reverse ");
    complete("whatever:pcp_", "whatever:pcp_list whatever:pcp_count ");
    complete("pagel", "pagelist ");
    complete("repe", "repeat ");
    complete("qqq", "");
    words[0] = 0;
    session_complete(s.session, "", add_word, NULL);
    ok(strstr(words, "say ") && strstr(words, "while "), "nothing yet: all words");
    story_close(&s);
}

static void api_table(void)
{
    const struct api_entry *e;
    unsigned without_help = 0, out_of_group = 0;
    const char *group = "";
    char seen[4096] = "", text[200];
    for (size_t i = 0; (e = session_api(i)) != NULL; i++) {
        without_help += !*e->help || !api_signature(text, sizeof text, e);
        if (strcmp(group, e->group) != 0) {
            char mark[64];
            snprintf(mark, sizeof mark, "|%s|", e->group);
            out_of_group += strstr(seen, mark) != NULL;
            strncat(seen, mark, sizeof seen - strlen(seen) - 1);
            group = e->group;
        }
    }
    is_u64(without_help, 0, "every row has a signature and a help text");
    is_u64(out_of_group, 0, "groups stand together: %s", seen);
    /* Every row is a global or a method, and every operation has a row. */
    story_open_body(&s, "", NULL);
    unsigned absent = 0;
    for (size_t i = 0; (e = session_api(i)) != NULL; i++) {
        char line[256];
        const char *colon = strchr(e->name, ':');
        if (colon) {
            snprintf(line, sizeof line, "assert(%s.%s)",
                     strncmp(e->name, "page:", 5) == 0    ? "pfn_to_page(1)"
                     : strncmp(e->name, "cache:", 6) == 0 ? "cache('l2')"
                     : strncmp(e->name, "kmem_cache:", 11) == 0
                         ? "(kmem_cache_init() and kmem_cache('kmalloc-64'))"
                     : strncmp(e->name, "mempool:", 8) == 0
                         ? "mempool_create(1, { size = 8 })"
                         : "zone.Normal",
                     colon + 1);
        } else {
            snprintf(line, sizeof line, "assert(%s ~= nil)", e->name);
        }
        if (!type(line)) {
            diag("%s: %s", e->name, typed);
            absent++;
        }
    }
    is_u64(absent, 0, "every row of the table is there");
    for (uint16_t kind = 0; kind < NR_OPS; kind++) {
        absent += kind != OP_NOTE && !session_api_find(op_info(kind)->name);
    }
    is_u64(absent, 0, "every operation has a row");
    story_close(&s);
}

/* ---- the rest of the interface ---- */

static void settings(void)
{
    static const char *const set[] = {"ram=64M", "cpus=4", NULL};
    struct session_options o = {.settings = set, .seed = 99};
    ok(story_open_body(
           &s, "say(machine.ram >> 20, machine.cpus, machine.seed, random(1000000))", &o),
       "settings: %s", s.err);
    story_run(&s);
    ok(strncmp(s.say, "64 4 99 ", 8) == 0, "go over the script's: %s", s.say);
    char first[sizeof s.say];
    memcpy(first, s.say, sizeof first);
    story_close(&s);
    story_open_body(
        &s, "say(machine.ram >> 20, machine.cpus, machine.seed, random(1000000))", &o);
    story_run(&s);
    is_str(s.say, first, "the same seed gives the same numbers");
    story_close(&s);
    o.seed = 100;
    story_open_body(
        &s, "say(machine.ram >> 20, machine.cpus, machine.seed, random(1000000))", &o);
    story_run(&s);
    ok(strcmp(s.say + 8, first + 8) != 0, "another seed gives others");
    story_close(&s);
    static const char *const wrong[] = {"ram", NULL}, *const unknown[] = {"rma=3", NULL};
    o.settings = wrong;
    ok(!story_open_body(&s, "", &o) && strstr(s.err, "name=value"),
       "a setting without a value: %s", s.err);
    o.settings = unknown;
    ok(!story_open_body(&s, "", &o) && strstr(s.err, "rma"), "an unknown one: %s", s.err);
    struct session *box = session_open_sandbox(NULL, s.err, sizeof s.err);
    ok(box && session_advance(box, NULL, NULL) == SESSION_DONE,
       "a sandbox has no script");
    session_close(box);
}

static bool feed_three(void *ctx, struct timeline *line)
{
    struct op op = {
        .kind = OP_ALLOC_PAGES, .origin = ORIGIN_REPLAY, .arg = {GFP_KERNEL, 0}};
    timeline_do(line, &op);
    return ++*(int *)ctx < 3;
}

static void feed(void)
{
    struct machine_config c;
    char err[256];
    config_init(&c, ARCH_X86_64);
    config_set(&c, "ram", "64M", err, sizeof err);
    s.session =
        session_open_timeline(timeline_create(&c, NULL, NULL, err, sizeof err), "fed");
    int fed = 0;
    session_set_feed(s.session, feed_three, &fed);
    int n = 0;
    while (session_advance(s.session, NULL, NULL) == SESSION_READY) {
        n++;
    }
    is_u64(length(), 3, "a timeline that somebody else fills");
    is_str(session_name(s.session), "fed", "its name");
    ok(type("machine.arch") && strcmp(typed, "\"x86_64\"\n") == 0,
       "the console works there too");
    story_close(&s);
}

static void questions(void)
{
    story_body(&s, "predict { [[How\n  many?]], 'one', 2, answer = 2, why = 'because' }");
    if (!ok(s.state == SESSION_DONE, "a question: %s", s.err)) {
        return;
    }
    const char *text = timeline_string(t(), (uint32_t)record(0).op.arg[1]);
    char copy[256];
    struct question q;
    ok(session_parse_question(text, copy, &q), "is taken apart");
    is_str(q.question, "How many?", "question");
    is_u64(q.nr_choices, 2, "choices");
    is_str(q.choice[1], "2", "the second");
    is_u64(q.answer, 1, "is right");
    is_str(q.why, "because", "why");
    story_close(&s);
}

static void workloads(void)
{
    story_body(
        &s, "local w = workload { steps = 300, seed = 5, gfp = { GFP_KERNEL, { "
            "GFP_ATOMIC, 2 } }, cpus = { 0, 1 } }\n"
            "expect_eq(w.steps, 300) expect_eq(w.allocated + w.freed + w.failed, 300)\n"
            "expect_eq(#w.held, w.allocated - w.freed)\n"
            "free_all(w.held) drain_all_pages() expect_eq(#w.held, 0)\n"
            "local n = 0 workload { steps = 1000, stop_when = function(r) return "
            "r.allocated >= 10 end }\n"
            "local p = exhaust(GFP_KERNEL, 3) expect(#p > 100) expect(not "
            "alloc_pages(GFP_KERNEL | __GFP_NOWARN, 3))\n"
            "free_all(p, 3)\n"
            "local kept = fragment(GFP_KERNEL)\n"
            "local z = zone.Normal\n"
            "expect(z:nr_free(0) > z.free * 9 // 10 and z:nr_free(1) < 10, #kept)\n"
            "expect(check() == nil)");
    ok(s.state == SESSION_DONE, "workloads: %s", s.err);
    uint64_t passed, failed;
    session_expectations(s.session, &passed, &failed);
    is_u64(failed, 0, "no expectation fails");
    is_u64(passed, 8, "all hold");
    story_close(&s);
}

int main(void)
{
    steps();
    errors();
    contexts();
    page_arithmetic();
    stopping();
    run_again();
    branch_keeps_the_answers();
    interrupts_wait();
    user_interrupts();
    mismatch();
    console();
    completion();
    api_table();
    settings();
    feed();
    questions();
    workloads();
    return done_testing();
}
