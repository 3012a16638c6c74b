-- The memory hierarchy: the three paths that an access can take, and what each costs.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local NR_PAGES = 32

-- A process with its pages, none of which it has used yet.
local function make_process(base)
    local mm = process()
    for i = 0, NR_PAGES - 1 do
        mm:map(base + i * PAGE_SIZE, alloc_page(GFP_HIGHUSER))
    end
    switch_mm(mm)
end

-- A load of four bytes, and what it cost.
local function load_at(va)
    read_u32(va)
    return access()
end

local function probes(what)
    return #events(what .. ":probe")
end

-- What an access paid, stage by stage.
local function bill(a)
    local y = a.cycles
    local parts = {}
    for _, stage in ipairs { "l1", "tlb", "walk", "l2", "memory" } do
        if y[stage] > 0 then
            parts[#parts + 1] = ("%s %d"):format(stage, y[stage])
        end
    end
    return ("%d cycle%s (%s)"):format(y.total, y.total == 1 and "" or "s",
                                      table.concat(parts, ", "))
end

local function what_there_is()
    title "1. What stands between the CPU and memory"
    local l1, l2, tlb = cpu().l1d, cpu().l2, cpu().dtlb
    say [[A program names virtual addresses. Memory knows physical ones. And memory is
          slow: while it answers one load, the CPU could do a hundred other things. So
          there are small, fast memories between the two, and each keeps what was
          wanted last.]]
    sayf([[L1, the first-level cache: %d bytes in lines of %d. In this machine it is
           virtually addressed: it is asked with the virtual address as it stands.

           TLB: the last %d translations from a virtual page to a page frame.

           L2, the second-level cache: %d KiB, asked with physical addresses.

           RAM, where everything is, the page tables too.]],
         l1.size, l1.line, tlb.nr_entries, l2.size >> 10)
    expect_eq(l1.size, l1.sets * l1.ways * l1.line, "size of L1 = sets * ways * line")
    expect(l1.size < l2.size and l2.size < machine.ram,
           "each level is larger than the one above it")
    say [[The prices of this lesson are made for arithmetic by head: 1 cycle for a
          question to L1 and 1 for a question to L2, 100 for memory. They are to be
          read as: what this stage adds.

          The pane "Access" (key 4) shows the way of an access from the top down, each
          stage lit when it answers.]]
end

local function the_long_way(base)
    title "2. Nothing is there yet: the long way"
    sayf([[%d pages have been mapped, one behind the other, from %s on. Nobody has used
           them. All caches are empty.

           The program loads a word from the first page. L1 does not have it, so a
           physical address is needed. The TLB does not have the translation, so the
           page tables must be read: this is the page-table walk. On this processor
           it takes two entries, one of the page directory and one of a page table.
           The tables lie in memory, and the walker asks L2 for them like anybody
           else.]], NR_PAGES, hex(base))
    ask { "One load. How often must RAM be read for it?",
          "once, for the word", "twice, for the two entries", "three times",
          answer = 3,
          why = "Two table entries, and then the line with the word itself." }
    say "Step through it with s, and watch the access go down."
    local a = load_at(base)
    expect(probes "l1" == 1 and a.l1d.miss == 1, "L1 is asked first, and misses")
    expect_eq(a.dtlb.miss, 1, "then the TLB, which misses")
    expect_eq(#events "walk:entry", 2, "the walker reads two entries")
    expect_eq(#events "mem:read", 3, "RAM was read three times")
    sayf("The price: %s. The walk cost more than the word.", bill(a))
    expect(a.cycles.walk > a.cycles.l2 + a.cycles.memory,
           "the walk cost more than the data")
    expect_eq(a.hit, "memory", "the data came from memory")
    return a.cycles.total
end

local function the_short_way(base, long)
    title "3. Path one: a hit in L1"
    ask { "The same load again. Which stages are asked?",
          "L1", "the TLB, then L1", "the TLB, L1 and L2",
          answer = 1,
          why = [[This L1 is addressed virtually. Its line bears the virtual address,
                  so a hit needs no translation at all.]] }
    local a = load_at(base)
    expect_eq(probes "tlb", 0, "the TLB is not asked")
    expect_eq(a.translation, "none", "no translation was needed")
    expect(a.hit == "L1" and a.cycles.total == a.cycles.l1, "L1 answered: " .. bill(a))
    sayf([[%d cycles before, now %d. Most caches of today do it in another way: they
           look up set and TLB at the same time and compare physical addresses. Then
           each access asks the TLB. A virtually addressed cache need not, and has
           other troubles for it; a later lesson is about them.]], long, a.cycles.total)
    local line = cpu().l1d.line
    ask { ("A line has %d bytes. The program loads the next word. What happens?")
              :format(line),
          "a hit: it came with the first one", "a miss: nobody has loaded it",
          answer = 1,
          why = [[Caches move whole lines. Who reads one word is likely to want the next:
                  spatial locality.]] }
    expect_eq(load_at(base + 4).hit, "L1", "the neighbour is there")
    local c = stride { base = base, stride = 4, n = line // 4 }
    expect_eq(c.hits, line // 4, ("all %d words of the line hit"):format(line // 4))
end

local function the_middle_way(base)
    title "4. Path two: a miss in L1, a hit in the TLB"
    local l1 = cpu().l1d
    say "Now the first word of the next line. It lies in the same page."
    ask { "Which stages are asked this time?",
          "L1, TLB, L2, RAM", "L1, TLB, walk, L2, RAM", "L1, L2, RAM",
          answer = 1,
          why = [[The page's translation is in the TLB since the first load. One entry
                  serves all lines of a page.]] }
    local a = load_at(base + l1.line)
    expect_eq(a.translation, "dtlb", "the TLB knows the page: no walk")
    expect_eq(#events "mem:read", 1, "RAM is read once")
    sayf("The price: %s.", bill(a))
    sayf([[A cache has little room, and each line has its place. Lines that lie %d
           bytes apart share one (the next lesson is about it). We load %d lines of
           that kind: the first one has to leave L1.]], l1.size // l1.ways, l1.ways)
    for i = 1, l1.ways do
        load_at(base + i * (l1.size // l1.ways))
    end
    expect(not l1:find(base), "the first line is no longer in L1")
    ask { "And where is it found now?",
          "in L2", "in RAM only",
          answer = 1,
          why = [[It came through L2 on its way up and stayed there. L2 is larger, so it
                  remembers longer.]] }
    local b = load_at(base)
    expect(b.hit == "L2" and b.translation == "dtlb", "TLB and L2 answer: " .. bill(b))
    expect(b.cycles.total < a.cycles.total, "far cheaper than memory")
end

local function the_walk_again(base)
    title "5. Path three: a miss in the TLB"
    say [[The second page. The TLB has never heard of it, so the tables are walked
          again. But look at what the walker finds (s).]]
    ask { "How often is RAM read this time?",
          "once", "twice", "three times",
          answer = 1,
          why = [[The two entries lie beside those of the first walk, in lines that L2
                  holds by now. Only the data is missing.]] }
    local a = load_at(base + PAGE_SIZE)
    expect_eq(a.translation, "walk", "the tables are walked")
    expect_eq(#events "walk:entry", 2, "two entries again")
    expect_eq(a.l2.walk_miss, 0, "L2 has them both")
    expect_eq(#events "mem:read", 1, "RAM is read only for the data")
    sayf([[The price: %s. A walk is not expensive as such; it is as expensive as the
           memory in which its entries are found.]], bill(a))
    local entries = cpu().l2.line // 4
    sayf([[A line of %d bytes has %d entries. So %d pages further on, the table's entry
           lies in a line that nobody has read yet.]], cpu().l2.line, entries, entries)
    local b = load_at(base + entries * PAGE_SIZE)
    expect_eq(b.l2.walk_miss, 1, "one of the two entries comes from RAM")
    expect_eq(#events "mem:read", 2, "two reads of RAM: an entry and the data")
end

local function amat(base)
    title "6. The average: AMAT"
    say [[Single accesses cost between one cycle and some hundreds. What counts for a
          program is the mean of all: AMAT, the average memory access time.

          AMAT = t(L1) + misses of L1 * (translation + t(L2) + misses of L2 * t(RAM))

          Misses here are rates: the share of the accesses that come so far. Let us
          see whether it is true. A loop reads two pages word by word.]]
    local w = { base = base + 16 * PAGE_SIZE, stride = 4, n = 2 * PAGE_SIZE // 4 }
    local line = cpu().l1d.line
    ask { ("A line holds %d words. What share of the loads will miss L1?")
              :format(line // 4),
          ("1 of %d"):format(line // 4), "1 of 2", "all of them",
          answer = 1,
          why = "The first word of a line misses and brings the others along." }
    local c = stride(w)
    expect_eq(c.misses * (line // 4), c.accesses,
              ("%d accesses, %d misses of L1"):format(c.accesses, c.misses))
    expect_eq(c.tlb_misses, 2, "two pages: two misses of the TLB")
    local y = c.cycles
    local l1_rate, l2_rate = c.misses / c.accesses, c.l2.fetch_miss / c.l2.fetch
    local walk = (c.l2.walk * 1 + c.l2.walk_miss * 100) / c.misses
    local computed = 1 + l1_rate * (walk + 1 + l2_rate * 100)
    sayf([[Counted: %d of %d accesses missed L1, and %d of these missed L2 as well. A
           walk reads two entries, and the first one to a page marks it as accessed. So
           the two walks asked L2 %d times; not found: %d. For each miss of L1 that is
           %.3f cycles.

           AMAT = 1 + %.3f * (%.3f + 1 + %.2f * 100) = %.3f cycles.]],
         c.misses, c.accesses, c.l2.fetch_miss, c.l2.walk, c.l2.walk_miss, walk,
         l1_rate, walk, l2_rate, computed)
    expect(math.abs(computed - y.total / c.accesses) < 1e-9,
           ("counted: %d cycles / %d accesses = %.3f"):format(y.total, c.accesses,
                                                             y.total / c.accesses))
    return w, y.total / c.accesses
end

local function locality(base, w, first)
    title "7. Locality"
    say "The same loop again, over the same two pages."
    ask { ("Its data is %d KiB. L1 has %d KiB, L2 %d. What will be cheaper now?")
              :format(w.n * 4 >> 10, cpu().l1d.size >> 10, cpu().l2.size >> 10),
          "nothing: L1 is too small to remember it", "L1's misses: L2 answers them",
          "everything: all hits in L1",
          answer = 2,
          why = [[When the loop comes back to the beginning, L1 has only the end. L2
                  still has all of it: temporal locality needs room.]] }
    local c = stride(w)
    expect_eq(c.l2.fetch_miss, 0, "no miss of L2")
    expect_eq(c.walks, 0, "no walk")
    local again = c.cycles.total / c.accesses
    expect(again < first / 5,
           ("AMAT falls from %.2f to %.2f cycles"):format(first, again))
    say [[How much may a program use before it becomes slow? We read a range twice, one
          word of each line, and let the range grow. (n runs it all at once.)]]
    local rows, steps = { "  KiB   L1 miss   L2 miss   TLB miss   cycles an access" }, {}
    local size = cpu().l1d.size
    while size <= NR_PAGES * PAGE_SIZE do
        local loop, r = { base = base, stride = cpu().l1d.line, n = size // 32 }, nil
        for _ = 1, 2 do r = stride(loop) end -- once to fill, once to count
        steps[size] = r.cycles.total / r.accesses
        rows[#rows + 1] = ("%5d   %6.0f%%   %6.0f%%   %7.0f%%   %8.1f"):format(
            size >> 10, 100 * r.miss_rate, 100 * r.l2.fetch_miss / r.accesses,
            100 * r.tlb_misses / r.accesses, steps[size])
        size = size * 2
    end
    print(table.concat(rows, "\n"))
    local l1, l2, reach = cpu().l1d.size, cpu().l2.size, cpu().dtlb.nr_entries * PAGE_SIZE
    expect(steps[l1] == 1, "as large as L1: every access is a hit")
    expect(steps[2 * l1] > steps[l1], "larger than L1: L2 answers")
    expect(steps[2 * l2] > 10 * steps[l2], "larger than L2: memory answers")
    expect(steps[2 * reach] > steps[reach],
           ("larger than what the TLB covers, %d KiB: walks too"):format(reach >> 10))
    say [[Such a table, measured, tells the sizes of the caches of a real machine. And
          it tells a programmer what to do: work on pieces that fit.]]
    local r = random_walk { base = base, size = NR_PAGES * PAGE_SIZE, n = 2000, seed = 1 }
    local s = stride { base = base, stride = 4, n = 2000 }
    expect(r.cycles.total > 3 * s.cycles.total,
           ("2000 random words: %.1f cycles each; 2000 in a row: %.1f")
               :format(r.cycles.total / 2000, s.cycles.total / 2000))
end

return lesson {
    title = "The memory hierarchy",
    summary = "Three paths of an access: L1, TLB, page-table walk; and what they cost.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M",
                cpu = { l1i = { size = "1K", ways = 2, line = 32 },
                        l1d = { size = "1K", ways = 2, line = 32 }, tags = "vivt",
                        l2 = { size = "16K", ways = 4, line = 32 },
                        itlb = { entries = 8, ways = 8 },
                        dtlb = { entries = 8, ways = 8 }, cost = "flat" } },
    run = function()
        what_there_is()
        say [[First the kernel makes a process and maps its pages. How it does that is
              not today's matter: press n, which goes on by a line of the script, until
              section 2 begins. From there on use s, a step of the hardware.]]
        local base = 0x10000000
        make_process(base)
        local long = the_long_way(base)
        the_short_way(base, long)
        the_middle_way(base)
        the_walk_again(base)
        local w, first = amat(base)
        locality(base, w, first)
        title "Now you"
        say [[Go back to section 2 (C leads to the beginning) and watch the panes of the
              caches while you step. Then type :read_u32(addr) with addresses of your
              own: can you make an access that walks the tables and then hits L2?]]
    end,
}
