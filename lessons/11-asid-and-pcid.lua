-- Numbers for address spaces: PCID in the TLB, ASID tags in a virtually addressed cache.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local BASE, NR_PAGES = 0x10000000, 8

local function make_process()
    local mm = process()
    for i = 0, NR_PAGES - 1 do
        mm:map(BASE + i * PAGE_SIZE, alloc_page(GFP_HIGHUSER))
    end
    return mm
end

local function touch()
    return stride { base = BASE, stride = PAGE_SIZE, n = NR_PAGES }
end

local function the_idea(a, b)
    title "1. A number instead of a flush"
    say [[A TLB entry holds for one address space. Lesson 09 has shown the simple
          answer: a CR3 load throws all entries out that are not global. The other
          answer is to write the number of the address space beside each entry. Then
          entries of several processes can stand in the TLB together, and a hit needs
          the right page and the right number.

          x86 calls the number PCID, most other processors ASID.]]
    local t = tlb "dtlb"
    local kernel = page_address(alloc_page(GFP_KERNEL))
    switch_mm(a)
    read_u64(kernel)
    touch()
    local mine = t:find(BASE)
    sayf("Process A runs and has used its %d pages. Its entries bear the number %d.",
         NR_PAGES, mine.asid)
    expect(mine.asid > 0, "A's number is " .. mine.asid)
    ask { ("The kernel switches to B. How many of A's %d entries are left?")
              :format(NR_PAGES), "none", tostring(NR_PAGES),
          answer = 2,
          why = "CR3 is loaded with another number, and with a bit that says: no flush." }
    switch_mm(b)
    local left = 0
    for _, e in ipairs(t:entries()) do
        left = left + (e.asid == mine.asid and 1 or 0)
    end
    expect_eq(left, NR_PAGES, "all of A's entries are still there")
    expect(not t:find(BASE), "but B does not find them: its number is another")
    expect(t:find(kernel) and t:find(kernel).global,
           "the kernel's entry is found by everybody: it is global, and has no number")
    expect_eq(touch().tlb_misses, NR_PAGES, "B's first accesses miss")
    local other = t:find(BASE)
    expect(other and other.asid ~= mine.asid and other.pa ~= mine.pa,
           ("B's entry for the same page: number %d, another frame"):format(
               other and other.asid or 0))
    switch_mm(a)
    local back = touch()
    expect_eq(back.tlb_misses, 0, "back to A: not one miss")
    return t, mine.asid
end

local function few_numbers(t, a, asid)
    title "2. There are only a few"
    say [[A PCID has 12 bits, an ASID often 8. Linux uses only six numbers on each CPU:
          who has not run for a while would hardly find anything in the TLB anyhow. When
          a seventh process comes, it takes over the number of another, and the old
          entries of that number must be flushed first.]]
    local others = {}
    for i = 1, 6 do
        others[i] = make_process()
    end
    ask { "Six other processes run, one after the other. Then A again. Does it find its "
          .. "entries?", "yes", "no",
          answer = 2,
          why = "Its number has been given to another process in the meantime." }
    for i = 1, 6 do
        switch_mm(others[i])
        touch()
    end
    switch_mm(a)
    expect_eq(touch().tlb_misses, NR_PAGES, "A misses on all of its pages")
    local e = t:find(BASE)
    expect(e and e.asid ~= 0, ("it has got a number again: %d, before it was %d"):format(
        e and e.asid or 0, asid))
    return others
end

local function flush_while_away(t, a, b)
    title "3. A flush for somebody who is not running"
    switch_mm(a)
    touch()
    local page = pfn_to_page(walk(BASE).pa >> 12)
    switch_mm(b)
    say [[A new trouble: entries of A stay while B runs. What if a page of A is unmapped
          just now, by another thread or by the kernel? The entry is in the TLB, but A
          is not loaded.

          The kernel keeps a generation for each address space, which grows with each
          flush, and for each number on each CPU the generation up to which it has been
          flushed. At the next switch the two are compared.]]
    a:unmap(BASE)
    __free_page(page)
    ask { "Back to A. What does the switch do?",
          "nothing: the number is the same", "it flushes A's entries",
          answer = 2,
          why = "A's generation has grown since it was here." }
    switch_mm(a)
    expect(not t:find(BASE), "the stale entry is gone")
    local _, fault = read_u64(BASE + 512)
    expect(fault and fault.kind == "page fault", "and the access faults, as it should")
    say [[(It was a load of a line that L1 does not have. What L1 has of the page would
          still be hit: a virtually addressed cache must be flushed as well, as in
          lesson 10.)]]
    expect(cpu().l1d:find(BASE) ~= nil, "the page's first line is still in L1")
    flush_cache_page(BASE)
    a:map(BASE, alloc_page(GFP_HIGHUSER))
end

local function the_same_in_l1(a, b)
    title "4. The same in a virtually addressed cache"
    local l1 = cpu().l1d
    say [[L1 of this machine is virtually addressed, as in lesson 10, but its tags carry
          the number too. A writes to an address, B reads from the same one.]]
    switch_mm(a)
    write_u64(BASE + 64, 0xaaaa)
    local line = l1:find(BASE + 64)
    expect(line and line.asid > 0,
           "the line bears A's number: " .. (line and line.asid or 0))
    switch_mm(b)
    expect(not l1:find(BASE + 64), "B does not hit A's line")
    expect_eq(read_u64(BASE + 64), 0, "it reads its own memory: no homonym")
    write_u64(BASE + 64, 0xbbbb)
    switch_mm(a)
    expect_eq(read_u64(BASE + 64), 0xaaaa, "and A finds its own value")
    expect_eq(access().hit, "L1", "even in L1: nothing was flushed")
    local twice = 0x20000000
    a:map(twice, pfn_to_page(walk(BASE).pa >> 12))
    ask { "A maps the same frame at a second address. Do the numbers help against the "
          .. "alias?", "yes", "no",
          answer = 2,
          why = "Both names belong to the same address space, so to the same number." }
    expect_eq(read_u64(twice + 64), 0, "the old value: the alias is still there")
end

return lesson {
    title = "PCID and ASID",
    summary = "Numbers of address spaces in TLB and cache: switching without a flush.",
    view = "hardware",
    machine = { arch = "x86_64", ram = "256M",
                cpu = { dtlb = { entries = 64, ways = 64 }, stlb = "none", pcid = true,
                        tags = "vivt_asid", cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes processes
              and maps pages. s is a step: use it where the CPU accesses memory. Look at
              the pane TLB (6).]]
        local a, b = make_process(), make_process()
        local t, asid = the_idea(a, b)
        few_numbers(t, a, asid)
        flush_while_away(t, a, b)
        the_same_in_l1(a, b)
        title "Now you"
        say [[How much do the numbers save? Start the lesson without them (mmscope 11
              --set pcid=false) and see which claims fail. And what happens to the
              global entries of the kernel at a switch in either case?]]
    end,
}
