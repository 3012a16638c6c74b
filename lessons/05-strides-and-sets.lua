-- Where a line may stand in a cache, and what that does to loops: sets and ways, conflict
-- misses, replacement, matrices.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local NR_PAGES = 40

local function binary(n, bits)
    local digits = {}
    for i = bits - 1, 0, -1 do
        digits[#digits + 1] = n >> i & 1
    end
    return table.concat(digits)
end

-- A process with its pages, none of which it has used yet.
local function make_process(base)
    local mm = process()
    for i = 0, NR_PAGES - 1 do
        mm:map(base + i * PAGE_SIZE, alloc_page(GFP_HIGHUSER))
    end
    switch_mm(mm)
end

-- Each section has pages of its own that nobody has used before.
local function pieces(base)
    local next_page = 0
    return function(pages)
        local at = base + next_page * PAGE_SIZE
        next_page = next_page + pages
        return at
    end
end

local function sets_and_ways(fresh)
    title "1. Sets and ways"
    local l1 = cpu().l1d
    sayf([[L1D has room for %d lines of %d bytes. A line cannot stand anywhere in it:
           to find it quickly, the cache is divided into %d sets of %d ways. The
           address says which set; in the set, the line may be in any way.

           An address is cut into three: the last %d bits are the byte in the line,
           the next %d the set. What is left is the tag, which is kept beside the line
           to tell whose it is.]],
         l1.nr_lines, l1.line, l1.sets, l1.ways, 5, 4)
    local va = fresh(1) + 0x9a4
    local set = va // l1.line % l1.sets
    sayf("%s ends in binary %s %s.", hex(va), binary(va >> 5 & 15, 4), binary(va & 31, 5))
    ask { "In which set is its line looked for?",
          tostring(set), tostring(set ~ 8), "in every set",
          answer = 1,
          why = ("The four bits before the last five: %s."):format(binary(set, 4)) }
    read_u32(va)
    local probe = events "l1:probe"[1]
    expect_eq(probe.set, set, "the event says the same: set " .. set)
    expect_eq(l1:set_of(va), set, "set = address / line size mod number of sets")
    expect_eq(l1:set_of(va + l1.line), (set + 1) % l1.sets,
              "the next line belongs to the next set")
    local way_size = l1.size // l1.ways
    expect_eq(l1:set_of(va + way_size), set,
              ("and %d bytes on it is the same set again"):format(way_size))
    sayf([[That is the number to remember: size / ways, here %d / %d = %d bytes.
           Addresses that far apart compete for the same %d ways. The pane Cache
           (5) shows the sets as rows.]], l1.size, l1.ways, way_size, l1.ways)
    return way_size
end

local function strides(fresh)
    title "2. Strides"
    local l1 = cpu().l1d
    say [[A loop takes 64 words, with a fixed distance between two of them: the
          stride. The memory is new to the cache each time.]]
    ask { ("With a stride of 4 bytes, %d words lie in a line. At which stride does every "
           .. "access miss?"):format(l1.line // 4),
          "from 8 on", ("from %d on, the size of a line"):format(l1.line), "never",
          answer = 2,
          why = "As long as two accesses share a line, the second one hits." }
    local rows = { "  stride   misses of 64" }
    local good = true
    for _, s in ipairs { 4, 8, 16, 32, 64 } do
        local c = stride { base = fresh(1), stride = s, n = 64 }
        good = good and c.misses == 64 * math.min(s, l1.line) // l1.line
        rows[#rows + 1] = ("  %6d   %6d"):format(s, c.misses)
    end
    print(table.concat(rows, "\n"))
    expect(good, "miss rate = stride / line size, at most 1")
end

local function conflicts(fresh, way_size)
    title "3. Conflicts"
    local l1, base = cpu().l1d, fresh(1)
    sayf([[Now the same few words over and over, %d bytes apart: all in one set. First
           two of them, ten times.]], way_size)
    local two = stride { base = base, stride = way_size, n = 2, repeats = 10 }
    expect_eq(two.misses, 2, "two words, two ways: 2 misses in 20 accesses")
    base = fresh(1)
    ask { ("Then three of them, ten times. The cache has room for %d lines.")
              :format(l1.nr_lines),
          "3 misses, then hits", "some hits and some misses", "30 misses: not one hit",
          answer = 3,
          why = [[The third one throws out the first, which is wanted next. It throws
                  out the second, and so on: the set is one way short.]] }
    say "Step through the first of them and watch the set."
    local three = stride { base = base, stride = way_size, n = 3, repeats = 10 }
    expect_eq(three.misses, 30, "30 accesses, 30 misses")
    expect_eq(three.conflict, 27, "27 of them because of the sets: conflict misses")
    local c = stride { base = fresh(1), stride = way_size + l1.line, n = 3, repeats = 10 }
    expect_eq(c.misses, 3, ("with a stride of %d, one line more, only 3"):format(
        way_size + l1.line))
    say [[Powers of two are the worst strides, and they are frequent. Three arrays of 4096
          bytes, one behind the other, of which a loop adds the first two to the third:
          that is the pattern.]]
end

local function three_causes(fresh)
    title "4. Cold, capacity, conflict"
    local l1 = cpu().l1d
    sayf([[Why does a cache miss? Mark Hill named three causes (1987).

           cold: the line was never there before.

           capacity: it was there, but the cache is too small. Even a cache of %d lines
           without any sets, which throws out what was unused for longest, would have
           lost it.

           conflict: that cache would still have it. The sets are to blame.

           The machine runs such a cache beside the real one, to tell.]], l1.nr_lines)
    local n = 2 * l1.nr_lines
    local loop = { base = fresh(1), stride = l1.line, n = n }
    local first = stride(loop)
    expect(first.cold == n and first.misses == n,
           ("%d lines, read once: all misses are cold"):format(n))
    ask { ("The same %d lines once more. The cache holds %d."):format(n, l1.nr_lines),
          "half of them hit", "none hits: conflict", "none hits: capacity",
          answer = 3,
          why = [[When the loop begins again, the last half is there; the first line
                  throws out just what will be wanted soonest. Round and round is the
                  worst case of LRU.]] }
    local second = stride(loop)
    expect(second.misses == n and second.capacity == n, "all misses, all by capacity")
    local both = measure(function()
        stride { base = fresh(1), stride = l1.line, n = 8, repeats = 4 }
    end)
    expect(both.l1d.cold == 8 and both.l1d.hit == 24,
           "8 lines, four times: what fits misses only once, cold")
    say [[Each has its own remedy. Cold: longer lines, or fetching ahead. Capacity: a
          larger cache, or a smaller piece of work. Conflict: more ways, or other
          addresses.]]
end

local function more_ways(fresh)
    title "5. More ways"
    local d, i = cpu().l1d, cpu().l1i
    sayf([[The instruction cache of this machine has the size of the data cache, %d
           bytes, but %d ways instead of %d, and so %d sets instead of %d. Three
           functions lie %d bytes apart, and a loop calls one after the other.]],
         i.size, i.ways, d.ways, i.sets, d.sets, d.size // d.ways)
    expect_eq(i.size, d.size, "both have the same size")
    local loop = { base = fresh(1), stride = d.size // d.ways, n = 3, repeats = 10,
                   op = "fetch" }
    ask { "Three lines for one set again, ten times. How many misses?",
          "30", "3",
          answer = 2,
          why = "With four ways there is room for all three." }
    expect_eq(stride(loop).misses, 3, "3 cold misses, 27 hits")
    loop.base, loop.n = fresh(1), i.ways + 1
    local c = stride(loop)
    expect_eq(c.hits, 0, ("%d lines in %d ways: no hit again"):format(i.ways + 1, i.ways))
    say [[More ways move the limit. They cost: all ways of a set are compared at once,
          with a comparator each, and the answer comes later. L1 caches have 2 to 12
          ways, TLBs are sometimes one single set.]]
end

-- The line that the next fill of va's set throws out.
local function victim(c, va)
    for _, line in ipairs(c:set(c:set_of(va))) do
        if line and line.victim then
            return line
        end
    end
end

local function who_goes(fresh)
    title "6. Who has to go: LRU, FIFO, tree-PLRU"
    local d, i, l2 = cpu().l1d, cpu().l1i, cpu().l2
    say [[A set is full and a new line comes. Which one goes? The best choice is the
          one that will not be wanted for the longest time (Belady). A cache cannot
          know the future and guesses from the past.

          LRU: the one unused for longest. FIFO: the one that came first, used or not.
          LRU must note the order of all ways at each hit. Tree-PLRU needs only one bit
          for each branching of a tree over the ways: a hit turns the bits on its path
          away from itself, and the victim is where they point.]]
    sayf("In this machine L1D has %s, L1I %s and L2 %s.", d.policy, i.policy, l2.policy)
    expect(d.policy == "lru" and i.policy == "plru" and l2.policy == "fifo",
           "three caches, three policies")

    local base, step = fresh(1) + 5 * i.line, i.size // i.ways -- a set that is empty
    local name = { "A", "B", "C", "D", "E" }
    local function line(n) return base + (n - 1) * step end
    local function which(c, l, at)
        for n = 1, #name do
            local there = c == l2 and walk(at(n)).pa or at(n)
            if l and there == (c == l2 and l.pa or l.va) then
                return name[n]
            end
        end
        return "?"
    end
    say "First L1I. Four lines of one set, A B C D, fill its four ways; then A again."
    for _, n in ipairs { 1, 2, 3, 4, 1 } do
        fetch(line(n))
    end
    ask { "B has not been used for the longest time. E comes. Whom does PLRU throw out?",
          "A", "B", "C",
          answer = 3,
          why = [[A's last use turned the top bit towards the other half, C and D. There
                  the bit points away from D, which came last. The tree has forgotten
                  that B is older.]] }
    expect_eq(which(i, victim(i, base), line), "C", "the bits point to C")
    fetch(line(5))
    expect(i:find(line(2)) and not i:find(line(3)), "E came, C went, B stayed")

    say [[Now L2. Its sets have four ways too, and pages are as far apart as two lines
          of one set. Again A B C D, A, and then E; in between L1D loses them, so that
          L2 sees each access.]]
    local pages = fresh(5)
    local function in_page(n) return pages + (n - 1) * PAGE_SIZE + 0x420 end
    for n = 1, 5 do
        read_u32(pages + (n - 1) * PAGE_SIZE + 0x820) -- the translations, beforehand
    end
    for _, n in ipairs { 1, 2, 3, 4, 1 } do
        read_u32(in_page(n))
    end
    expect_eq(access().hit, "L2", "the second A is a hit in L2")
    ask { "FIFO: whom does E throw out?",
          "A", "B",
          answer = 1,
          why = "A came first. That it has just been used counts for nothing." }
    expect_eq(which(l2, victim(l2, in_page(1)), in_page), "A", "A is next to go")
    read_u32(in_page(5))
    expect(not l2:find(in_page(1)) and l2:find(in_page(2)), "A went, B stayed")

    say [[And L1D, two ways, LRU: X, Y, X, and then Z.]]
    local x = fresh(1)
    local y, z = x + d.size // d.ways, x + 2 * (d.size // d.ways)
    for _, va in ipairs { x, y, x, z } do
        read_u32(va)
    end
    expect(d:find(x) and not d:find(y), "Y went: X was used after it")
end

local function matrices(fresh, way_size)
    title "7. A matrix by rows, by columns, in blocks"
    local l1 = cpu().l1d
    local w = { base = fresh(1), rows = 32, cols = 32, element = 4 }
    local lines = 32 * 32 * 4 // l1.line
    sayf([[A matrix of 32 * 32 words lies in memory row by row, as in C: 4096 bytes, %d
           lines. A program adds up all elements. Row by row it needs each line once.]],
         lines)
    local rows = matrix(w)
    expect_eq(rows.misses, lines, ("by rows: %d misses in %d accesses"):format(
        rows.misses, rows.accesses))
    ask { "Now column by column: a stride of 128 bytes. How many of 1024 accesses miss?",
          "128", "256", "all 1024",
          answer = 3,
          why = [[A column touches 32 lines. But they are four lines apart: they fall
                  into 4 of the 16 sets, which have room for 8. When the next column
                  comes, they are gone.]] }
    w.order = "columns"
    local columns = matrix(w)
    expect_eq(columns.misses, 1024, "by columns: every access misses")
    w.order = "rows"
    local warm = matrix(w)
    expect(columns.cycles.total > 1.5 * warm.cycles.total,
           ("though L2 had all of it: %d cycles; by rows once more %d"):format(
               columns.cycles.total, warm.cycles.total))
    expect_eq(l1:set_of(w.base), l1:set_of(w.base + 4 * 128),
              "rows 0 and 4 of a column: the same set")
    say [[The sum does not depend on the order. So the loop may be cut up: in blocks of
          8 * 8 elements, column by column inside a block. A block's 8 lines fall two
          into each of the four sets.]]
    w.order, w.block, w.base = "blocked", 8, fresh(1)
    local blocked = matrix(w)
    expect_eq(blocked.misses, lines,
              ("in blocks: %d misses, as few as by rows"):format(blocked.misses))
    say [[Who transposes a matrix, or multiplies two, must go through one of them by
          columns. Blocks are how libraries do it.

          The other remedy: rows that are one line longer than they need to be. The 32
          lines of a column then spread over all sets.]]
    w.order, w.base = "columns", fresh(2)
    w.pitch = 128 + l1.line
    local padded = matrix(w)
    expect_eq(padded.misses, lines,
              ("by columns, rows of %d bytes: %d misses"):format(w.pitch, padded.misses))
end

return lesson {
    title = "Strides, sets and conflict misses",
    summary = "Sets and ways, the three causes of misses, replacement, and matrices.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M",
                cpu = { l1d = { size = "1K", ways = 2, line = 32, policy = "lru" },
                        l1i = { size = "1K", ways = 4, line = 32, policy = "plru" },
                        l2 = { size = "16K", ways = 4, line = 32, policy = "fifo" },
                        tags = "vivt", causes = true, cost = "flat" } },
    run = function()
        say [[A process is made, and its pages are mapped. Press n, which goes on by a
              line of the script, until section 1 begins. n is also the key for the
              loops of this lesson, s for single accesses.]]
        local base = 0x10000000
        make_process(base)
        local fresh = pieces(base)
        local way_size = sets_and_ways(fresh)
        strides(fresh)
        conflicts(fresh, way_size)
        three_causes(fresh)
        more_ways(fresh)
        who_goes(fresh)
        matrices(fresh, way_size)
        title "Now you"
        say [[The machine can be started with another cache:

              mmscope 05 --set l1d=1K,4,32

              Which of the claims fail then, and why? And try a matrix whose rows are
              33 words: matrix { base = ..., rows = 32, cols = 33, order = "columns" }.]]
    end,
}
