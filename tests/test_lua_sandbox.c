/* The sandbox: every way out that can be thought of is tried, every limit is run into,
 * and what a script computes is the same in two runs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "story.h"

static const char *const states[] = {"ready", "done", "error", "stopped"};

static struct story s;

/* The body ends without error and has said this. */
static void says(const char *body, const char *wanted)
{
    enum session_state state = story_body(&s, body);
    if (!ok(state == SESSION_DONE, "%s", body)) {
        diag("ended as %s: %s", states[state], s.err);
    }
    is_str(s.say, wanted, "... and says %.60s", wanted);
    story_close(&s);
}

/* The body ends with an error that has this in it. */
static void fails(const char *body, const char *wanted)
{
    enum session_state state = story_body(&s, body);
    if (!ok(state == SESSION_ERROR && strstr(s.err, wanted), "%s: %s", body, wanted)) {
        diag("ended as %s: %s%s", states[state], s.err, s.say);
    }
    story_close(&s);
}

/* The body never ends, and nothing in it keeps us from stopping it, again and again. */
static void hangs(const char *body)
{
    enum session_state state = story_body(&s, body);
    if (!ok(state == SESSION_STOPPED, "stopped: %s", body)) {
        diag("ended as %s: %s", states[state], s.err);
    }
    story_close(&s);
}

static void no_way_out(void)
{
    says("local t = {} for _, n in ipairs { 'os', 'io', 'load', 'loadstring', "
         "'loadfile', 'dofile', 'debug', 'require', "
         "'package', 'collectgarbage', 'warn' } do if _G[n] ~= nil then t[#t + 1] = n "
         "end end say(#t, table.concat(t))",
         "0");
    says(
        "say(tostring(string.dump), tostring(_G.__set_cpu), tostring(_G.__page_methods))",
        "nil nil nil");
}

static void no_way_out_by_metatables(void)
{
    says("say(tostring(getmetatable('')), tostring(getmetatable(zone.Normal)), "
         "tostring(getmetatable(machine)))",
         "false false false");
    says("say(pcall(setmetatable, {}, { __gc = function() end }))",
         "false setmetatable: __gc is not available: when garbage is collected must not "
         "matter");
    says("say((pcall(setmetatable, {}, { __mode = 'k' })))", "false");
    says("say((pcall(function() zone.Normal.free = 7 end)), (pcall(function() "
         "machine.cpus = 7 end)))",
         "false false");
    says("local t = setmetatable({}, { __metatable = 'no' }) say(getmetatable(t), "
         "(pcall(setmetatable, t, {})))",
         "no false");
}

static void text_only(void)
{
    bool opened = story_open(&s, "\033Lua", NULL);
    ok(!opened && strstr(s.err, "is compiled Lua"), "a chunk of bytecode is refused: %s",
       s.err);
    story_close(&s);
    opened = story_open(&s, "return lesson { run = ", NULL);
    ok(!opened && strstr(s.err, "story.lua:1:"), "a syntax error says file and line: %s",
       s.err);
    opened = story_open(&s, "return 7", NULL);
    ok(!opened && strstr(s.err, "return lesson"),
       "a file that returns no lesson is told what to do");
    opened = story_open(&s, "while true do end", NULL);
    ok(!opened && strstr(s.err, "too long"), "a file that never returns: %s", s.err);
    opened = story_open(&s, "alloc_pages(0, 0) return lesson { run = print }", NULL);
    ok(!opened && strstr(s.err, "no machine yet"),
       "operations before there is a machine: %s", s.err);
    opened = story_open(&s, "local x = zone.Normal return lesson { run = print }", NULL);
    ok(!opened && strstr(s.err, "no machine yet"), "looking before there is a machine");
    opened = story_open(
        &s, "return setmetatable({}, { __index = function() while true do end end })",
        NULL);
    ok(!opened, "a lesson with a metatable: %s", s.err);
    opened = story_open(&s, "return lesson { run = print, machine = { arhc = 'i386' } }",
                        NULL);
    ok(!opened && strstr(s.err, "arhc"), "a misspelt option of the machine: %s", s.err);
    opened =
        story_open(&s, "return lesson { run = print, machine = { ram = 'lots' } }", NULL);
    ok(!opened && strstr(s.err, "ram=lots"), "a wrong value of one: %s", s.err);
}

static void endless_loops(void)
{
    hangs("while true do end");
    hangs("while true do pcall(function() while true do end end) end");
    hangs("pcall(pcall, function() while true do end end) while true do end");
    hangs("xpcall(function() while true do end end, function() while true do end end)");
    hangs("coroutine.wrap(function() while true do end end)()");
    hangs("local co = coroutine.create(function() while true do "
          "pcall(coroutine.wrap(function() while true do end end)) "
          "end end) coroutine.resume(co)");
    hangs("local x <close> = setmetatable({}, { __close = function() while true do end "
          "end })");
    hangs("local function f() return f() end f()");
    hangs("local t = setmetatable({}, { __index = function() while true do end end }) "
          "local x = t.x");
    hangs("local t = setmetatable({}, { __lt = function() while true do end end }) local "
          "x = t < t");
    hangs("for _ in function() return 1 end do end");
    hangs("local s = 'x' while true do s = ('x'):rep(1 << 20) end");
    hangs("local s = ('x'):rep(1 << 22) while true do local r = s .. 'y' end");
    hangs("table.sort({ 3, 1, 2 }, function(a, b) while true do end end)");
    hangs("local t = {} for i = 1, 1e5 do t[i] = i end while true do for k in pairs(t) "
          "do end end");
    hangs("while true do next({ 1, 2, 3 }) end");
}

/* Inside a C function that calls back the state cannot be paused: an error ends the
 * script for good, whoever catches it. */
static void endless_inside_c(void)
{
    fails("('x'):gsub('x', function() while true do end end)", "cannot be paused");
    fails("pcall(string.gsub, 'x', 'x', function() while true do end end) while true do "
          "end",
          "cannot be paused");
    fails("while true do pcall(string.gsub, 'x', 'x', function() while true do "
          "pcall(error) end end) end",
          "cannot be paused");
    fails("on('mm:lru', print) on('kmem:mm_page_alloc', function() while true do end "
          "end) alloc_pages(GFP_KERNEL, 0)",
          "cannot be paused");
    fails("coroutine.close((function() local co = coroutine.create(function() local x "
          "<close> = setmetatable({}, "
          "{ __close = function() while true do end end }) coroutine.yield() end) "
          "coroutine.resume(co) return co end)())",
          "cannot be paused");
}

static void patterns(void)
{
    fails("('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))",
          "pattern takes too long");
    fails("('a'):rep(40):match(('a*'):rep(20) .. 'b')", "pattern takes too long");
    fails("('x'):rep(100000):find('.-.-.-y')", "pattern takes too long");
    fails("('a'):rep(300000):gsub('(a*)*b', '')", "pattern takes too long");
    hangs("while true do pcall(string.find, ('a'):rep(40), ('a*'):rep(20) .. 'b') end");
    says("say(('key = val'):match('^(%w+)%s*=%s*(%w+)$'))", "key val");
    says("say(('hello'):find('l'), ('hello'):find('xyz'), ('hello'):find(''), "
         "('hello'):find('', 10))",
         "3 nil 1 nil");
    says("say(('a.b'):find('.', 1, true), ('a.b'):find('.b', -2, true))", "2 2 3");
    says("say(('THE (quick) fox'):find('%((%a+)%)'))", "5 11 quick");
    says("say(('f(a(b)c)d'):match('%b()'), ('THE (quick) fox'):gsub('%f[%a]%a+', "
         "string.lower))",
         "(a(b)c) the (quick) fox 3");
    says("local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k "
         ".. v end say(table.concat(t, ' '))",
         "a1 b2");
    says("say(('abc'):gsub('', '-'), ('abc'):gsub('%w', '%0%0', 2), ('hello "
         "world'):gsub('o', { o = '0' }))",
         "-a-b-c- aabbc hell0 w0rld 2");
    says("say(('x'):match('()'), ('  x'):match('^%s*()'), ('aXb'):match('%u'), "
         "('a-b'):gsub('%-', '+'))",
         "1 3 X a+b 1");
    says("say(('[x]'):match('[]]'), ('a-z'):match('[a%-]+'), ('x^'):match('[%^x]+'), "
         "('q'):match('[^%s]'))",
         "] a- x^ q");
    says("say(('abab'):match('^(ab)%1$'), ('2024-01'):match('(%d+)-(%d+)'))",
         "ab 2024 01");
    says("local n = 0 for w in ('one two'):gmatch('%a+') do n = n + #w end say(n, "
         "('a\\0b'):find('%z') == nil, "
         "('a\\0b'):find('\\0'))",
         "6 true 2 2");
    fails("('x'):find('%')", "malformed pattern (ends with '%')");
    fails("('x'):find('[x')", "malformed pattern (missing ']')");
    fails("('x'):find('(x')", "unfinished capture");
    fails("('x'):match('x)')", "invalid pattern capture");
    fails("('x'):find('%1')", "invalid capture index");
    fails("('x'):gsub('x', '%2')", "invalid capture index");
    fails("('x'):find(('('):rep(40))", "too many captures");
    fails("('x'):rep(1000):match(('x?'):rep(500))", "pattern too complex");
}

static void memory(void)
{
    says("say((pcall(string.rep, 'x', 1 << 28)))", "false");
    says("say((pcall(string.rep, 'x', 1 << 60)))", "false");
    says("say((pcall(function() local t = {} for i = 1, 1e9 do t[i] = i end end)))",
         "false");
    says("say((pcall(function() local s = 'x' while true do s = s .. s end end)))",
         "false");
    fails("local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end",
          "not enough memory: a script may use 64");
    fails("local t = {} while true do t = { t } end", "not enough memory");
    says("local n = 0 local function f() n = n + 1 return f() + 1 end pcall(f) say(n > "
         "1000)",
         "true");
    says("say((pcall(table.concat, { 'x' }, ('x'):rep(1 << 20), 1, 1)))", "true");
}

static void bounded_tables(void)
{
    fails("table.move({}, 1, 1 << 53, 2)", "more than");
    fails("table.unpack({}, 1, 1 << 40)", "more than");
    fails("table.concat({}, '', 1, 1 << 40)", "more than");
    fails(
        "table.insert(setmetatable({}, { __len = function() return 1 << 50 end }), 1, 1)",
        "__len");
    fails("table.remove(setmetatable({}, { __len = function() return 1 << 50 end }), 1)",
          "__len");
    fails("table.concat(setmetatable({}, { __len = function() return 1 << 50 end }))",
          "__len");
    says("local t = { 3, 1, 2 } table.insert(t, 4) table.insert(t, 1, 9) table.remove(t, "
         "2) say(table.concat(t, ','), "
         "table.unpack(t, 1, 2))",
         "9,1,2,4 9 1");
    says("say(table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ' '), select('#', "
         "table.unpack({ 1, nil, 3 }, 1, 3)))",
         "1 1 2 3 3");
}

static void determinism(void)
{
    says("local t = {} for k, v in pairs { b = 1, a = 2, [3] = 3, [1] = 4, [2.5] = 5, "
         "[true] = 6, [-1] = 7 } do "
         "t[#t + 1] = tostring(k) end say(table.concat(t, ' '))",
         "-1 1 2.5 3 a b true");
    says("local t, k = { z = 1, y = 2, x = 3 }, nil local o = {} repeat k = next(t, k) "
         "o[#o + 1] = tostring(k) until not k "
         "say(table.concat(o, ' '), tostring(next({})))",
         "x y z nil nil");
    says("local t = {} for i = 1, 20 do t['k' .. i] = i end for k in pairs(t) do t[k] = "
         "nil end say(tostring(next(t)))",
         "nil");
    says("local t = setmetatable({}, { __pairs = function() return function(_, k) if not "
         "k then return 1 end end end }) "
         "for k in pairs(t) do say(k) end",
         "1");
    fails("for k in pairs { [{}] = 1, [{}] = 2 } do end", "no order");
    fails("next { [print] = 1, [say] = 2 }", "no order");
    says("local n = 0 for k in pairs { [{}] = 1, a = 2 } do n = n + 1 end say(n)", "2");
    says("local p, o = {}, {} for i = 5, 1, -1 do p[pfn_to_page(i)] = i end for k in "
         "pairs(p) do o[#o + 1] = k:pfn() end "
         "say(table.concat(o, ' '))",
         "1 2 3 4 5");
    says(
        "local a, b = {}, {} say(tostring(b), tostring(a), tostring(b), tostring(print), "
        "string.format('%s %5.1f %d', a, 1.25, 3))",
        "table: #1 table: #2 table: #1 function: #3 table: #2   1.2 3");
    fails("string.format('%p', {})", "%p is not available");
    fails("string.format('%5p', print)", "%p is not available");
    says("say(string.format('%%p %s', 'x'))", "%p x");
    says("say(tostring(coroutine.create(print)), tostring(setmetatable({}, { __name = "
         "'thing' })))",
         "thread: #1 thing: #2");
    says("say(tostring(setmetatable({}, { __tostring = function() return 'me' end })))",
         "me");
    fails("math.randomseed()", "a seed from the clock");
    says("math.randomseed(7) local a = math.random(1000) math.randomseed(7) say(a == "
         "math.random(1000), "
         "math.random(5, 5), (pcall(math.random, 2, 1)))",
         "true 5 false");
    says("local sum = 0 for i = 1, 1000 do local x = random(6) if x < 1 or x > 6 then "
         "error 'range' end sum = sum + x end "
         "say(sum > 3200 and sum < 3800)",
         "true");
    /* Sorting is stable, whatever the size, and a comparator that lies does no harm. */
    says("local t = {} for i = 1, 500 do t[i] = { k = i % 7, i = i } end table.sort(t, "
         "function(a, b) return a.k < b.k end) "
         "local good = true for i = 2, 500 do good = good and (t[i - 1].k < t[i].k or "
         "t[i - 1].i < t[i].i) end say(good)",
         "true");
    says("local t = {} for i = 1, 300 do t[i] = random(1000) end table.sort(t, "
         "function() return random(2) == 1 end) "
         "say(#t)",
         "300");
    says("local t = { 5, 2, 8 } table.sort(t) say(table.concat(t, ' '), "
         "(pcall(table.sort, { 1, 'x' })))",
         "2 5 8 false");
}

static void coroutines(void)
{
    says("local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return "
         "b * 2 end) say(co(1), co(10))",
         "2 20");
    says("local co = coroutine.create(function() error 'x' end) local good, e = "
         "coroutine.resume(co) "
         "say(good, e, coroutine.status(co), coroutine.resume(co))",
         "false story.lua:1: x dead false cannot resume dead coroutine");
    /* An operation inside a coroutine pauses the whole script, and goes on there. */
    says("local co = coroutine.wrap(function() for i = 1, 3 do local p = "
         "alloc_pages(GFP_KERNEL, 0) "
         "coroutine.yield(p ~= nil) __free_pages(p, 0) end return 'end' end) say(co(), "
         "co(), co(), co())",
         "true true true end");
    says("local a = coroutine.wrap(function() local b = coroutine.wrap(function() say "
         "'inner' coroutine.yield(1) say "
         "'again' end) b() b() coroutine.yield() end) a() say 'outer'",
         "inner\nagain\nouter");
    fails("coroutine.yield()", "outside a coroutine");
    says("say(coroutine.isyieldable(), select(2, coroutine.running()), "
         "(coroutine.close(coroutine.create(print))))",
         "false true true");
    says("local co co = coroutine.create(function() return coroutine.resume(co) end) "
         "say(coroutine.resume(co))",
         "true false cannot resume non-suspended coroutine");
}

int main(void)
{
    no_way_out_by_metatables();
    no_way_out();
    text_only();
    endless_loops();
    endless_inside_c();
    patterns();
    memory();
    bounded_tables();
    determinism();
    coroutines();
    return done_testing();
}
