-- The TLB: reach, process switches and global pages, stale entries and flushes, huge
-- pages, shootdown.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local BASE = 0x10000000

local function map_pages(mm, va, n)
    for i = 0, n - 1 do
        mm:map(va + i * PAGE_SIZE, alloc_page(GFP_HIGHUSER))
    end
end

local function kib(bytes)
    return bytes >= 1 << 20 and ("%d MiB"):format(bytes >> 20)
        or ("%d KiB"):format(bytes >> 10)
end

local function an_entry()
    title "1. What the TLB keeps"
    say [[A walk reads up to four entries in memory, only to learn where one page lies.
          The TLB, the translation lookaside buffer, keeps the results: for a virtual
          page its frame, and what may be done with it.]]
    write_u64(BASE + 8, 0x1111)
    local t = tlb "dtlb"
    local e = t:find(BASE)
    sayf("The process has stored to its first page. The entry: page %s, frame %s, %s.",
         hex(e.va), hex(e.pa >> 12), e.perms)
    expect(e and e.va == BASE and e.pa == walk(BASE).pa, "it says what the tables say")
    expect_eq(e.size, PAGE_SIZE, "it is good for 4096 bytes")
    expect_eq(access().translation, "walk", "it cost a walk")
    write_u64(BASE + 16, 0x2222)
    expect_eq(access().translation, "dtlb", "and saves one at each further access")
    return t
end

local function reach(t)
    title "2. Reach"
    local n = t.nr_entries
    sayf([[This TLB has %d entries, in %d sets of %d ways. Together they cover %d pages:
           %s. That is its reach. What a program uses at a time should not be more.]],
         n, t.sets, t.ways, n, kib(n * PAGE_SIZE))
    local loop = { base = BASE, stride = PAGE_SIZE + 64, n = n }
    stride(loop)
    local fits = stride(loop)
    expect_eq(fits.tlb_misses, 0, ("a loop over %d pages, the second time: no miss")
        :format(n))
    loop.n = 2 * n
    stride(loop)
    ask { ("The same over %d pages, twice the reach. How many of %d accesses miss?")
              :format(2 * n, 2 * n),
          tostring(n), tostring(2 * n),
          answer = 2,
          why = [[Each entry is thrown out before its page comes again: LRU, round and
                  round, as in a cache.]] }
    local too_many = stride(loop)
    expect_eq(too_many.tlb_misses, 2 * n, "all of them")
    expect_eq(too_many.walks, 2 * n, "each miss is a walk")
    sayf("A walk cost %d cycles here, though L2 had the entries.",
         too_many.cycles.walk // too_many.walks)
    expect(too_many.cycles.walk > 0, "walks cost cycles")
end

local function switching(t, a, b)
    title "3. Another process: what survives a CR3 load"
    local kernel = page_address(alloc_page(GFP_KERNEL))
    read_u64(BASE)
    read_u64(kernel)
    say [[Entries belong to an address space. The same virtual page means another frame
          in another process. So when the kernel loads CR3 with another top table,
          the processor throws all entries out; all but the global ones. The flag G
          says that a page is the same in all address spaces: the kernel's own.]]
    expect(t:find(BASE) and not t:find(BASE).global, "the process's page is not global")
    expect(t:find(kernel).global, "the kernel's page is")
    ask { "The kernel switches to process B. Which entries are left?",
          "none", "the global ones", "all",
          answer = 2,
          why = [[The kernel's pages are used by every process. To lose them at each
                  switch would be a waste.]] }
    switch_mm(b)
    local global, others = 0, 0
    for _, e in ipairs(t:entries()) do
        global = global + (e.global and 1 or 0)
        others = others + (e.global and 0 or 1)
    end
    expect(others == 0 and global > 0, "left: only what is global, " .. global)
    write_u64(BASE, 0x3333)
    expect_eq(access().translation, "walk", "B's own page at the same address: a walk")
    switch_mm(a)
    expect(not t:find(BASE), "back to A: its entries are gone, too")
    local c = stride { base = BASE, stride = PAGE_SIZE, n = 8 }
    expect_eq(c.tlb_misses, 8, "the first access to each page is a miss again")
    expect_eq(read_u64(BASE + 8), 0x1111, "A finds its own data")
    say [[This is the hidden price of a process switch: not the switch itself, but the
          misses after it.]]
end

local function stale(t, mm)
    title "4. A stale entry"
    local va = BASE + PAGE_SIZE
    local page = pfn_to_page(walk(va).pa >> 12)
    write_u64(va, 0x600d)
    say [[The TLB does not know when the tables in memory are changed: the kernel must
          tell it. Let us see what happens if it forgets to. The page's entry is
          cleared, without a flush. The page is freed.]]
    mm:unmap(va, false)
    __free_page(page)
    expect(walk(va).fault, "the tables say: nothing is mapped here")
    expect(t:find(va).stale, "the TLB still has the entry")
    local again = alloc_page(GFP_KERNEL)
    local secret = page_address(again)
    expect_eq(again, page, "the kernel allocates a page, and gets just this one")
    write_u64(secret, 0x5ec3e7)
    ask { "The kernel has written something of its own there. The process loads from the "
          .. "address that it no longer has. What happens?",
          "a page fault", "it reads what it wrote itself", "it reads the kernel's data",
          answer = 3,
          why = "The old entry leads to the old frame, whoever that belongs to by now." }
    local value = read_u64(va)
    expect_eq(value, 0x5ec3e7, "the process reads the kernel's data: " .. hex(value))
    write_u64(va, 0xbad)
    expect_eq(read_u64(secret), 0xbad, "and it can overwrite it")
    say [[So the order is law: clear the entry, flush the TLB, and only then free the
          page. For a single page there is an instruction, invlpg.]]
    flush_tlb_range(mm, va, PAGE_SIZE)
    expect(not t:find(va), "after the flush the entry is gone")
    local _, fault = read_u64(va)
    expect(fault and fault.kind == "page fault", "and the load faults, as it should")
end

local function one_by_one(t, mm)
    title "5. One by one, or all at once"
    local far = 0x20000000
    map_pages(mm, far, 4)
    read_u64(BASE)
    stride { base = far, stride = PAGE_SIZE, n = 4 }
    say [[A range can be flushed page by page, or everything at once. One invlpg costs
          more than a hundred cycles; flushing all costs the misses afterwards. The
          kernel draws the line at 33 pages (tlb_single_page_flush_ceiling).]]
    flush_tlb_range(mm, far, 4 * PAGE_SIZE)
    expect(not t:find(far) and t:find(BASE), "4 pages: only these are gone")
    read_u64(far)
    ask { "A range of 34 pages is flushed. What about the page at " .. hex(BASE) .. "?",
          "it stays: it is not in the range", "it goes too",
          answer = 2,
          why = "34 is more than 33: everything goes." }
    flush_tlb_range(mm, far, 34 * PAGE_SIZE)
    expect(not t:find(BASE) and not t:find(far), "34 pages: everything is gone")
end

local function huge(t, mm)
    title "6. Huge pages"
    local small, large = 0x40000000, 0x80000000
    local n = 4 * t.nr_entries
    map_pages(mm, small, n)
    local block = alloc_pages(GFP_HIGHUSER, 9)
    mm:map(large, block, "rwl")
    sayf([[%s, mapped twice: once by %d pages of 4 KiB, once by one of 2 MiB. A loop reads
           a word from each 4 KiB.]], kib(n * PAGE_SIZE), n)
    local by_small = stride { base = small, stride = PAGE_SIZE + 64, n = n - 8 }
    ask { ("%d misses with small pages. How many with the large one?")
              :format(by_small.tlb_misses),
          "one", tostring(n // 8), "the same",
          answer = 1,
          why = "One entry covers all of it." }
    local by_large = stride { base = large, stride = PAGE_SIZE + 64, n = n - 8 }
    expect_eq(by_small.tlb_misses, n - 8, "small pages: each access misses")
    expect_eq(by_large.tlb_misses, 1, "one large page: one miss")
    expect_eq(t:find(large).size, 2 << 20, "the entry is good for 2 MiB")
    sayf([[The reach grows from %s to %s, as far as the processor lets large pages use
           all entries. And a walk is one entry shorter.]], kib(t.nr_entries * PAGE_SIZE),
         kib(t.nr_entries << 21))
    expect(by_large.cycles.walk < by_small.cycles.walk // 10,
           ("cycles for walks: %d and %d"):format(by_small.cycles.walk,
                                                  by_large.cycles.walk))
end

local function shootdown(mm)
    title "7. Shootdown: other CPUs' TLBs"
    local va = 0x30000000
    map_pages(mm, va, 1)
    say [[Two threads of the process run, one on CPU 0 and one on CPU 1. Both have used
          the page. Each CPU has a TLB of its own, and no CPU can reach into another's.]]
    read_u64(va)
    on_cpu(1, function()
        switch_mm(mm)
        read_u64(va)
    end)
    local function on_both()
        return tlb("dtlb", 0):find(va) and tlb("dtlb", 1):find(va)
    end
    expect(on_both(),
           "both TLBs have the page")
    ask { "CPU 0 unmaps the page. How do the entries of CPU 1 go?",
          "the hardware sees the change in the tables", "CPU 0 interrupts CPU 1",
          answer = 2,
          why = [[Caches are kept coherent by hardware, TLBs are not. The kernel sends an
                  interrupt, an IPI, and waits.]] }
    say "Step through it (s)."
    local cycles = counters().cycles.total
    mm:unmap(va)
    expect(#events "ipi:send" == 1 and #events "ipi:receive" == 1,
           "CPU 0 interrupts CPU 1")
    expect_eq(#events "ipi:ack", 1, "CPU 1 flushes, and acknowledges")
    local cost = counters().cycles.total - cycles
    expect(cost >= 1000, ("CPU 0 waited: %d cycles"):format(cost))
    local _, here = read_u64(va)
    local _, there = on_cpu(1, read_u64, va)
    expect(here and there, "now both get a page fault")
    say [[With many CPUs and many threads this is one of the dearest things that an
          munmap does. So the kernel remembers which CPUs have an address space loaded,
          and spares the others.]]
    on_cpu(1, switch_mm, 0)
end

return lesson {
    title = "The TLB",
    summary = "Reach, global pages, stale entries, flushes, huge pages, shootdown.",
    view = "hardware",
    machine = { arch = "x86_64", ram = "256M", cpus = 2,
                cpu = { dtlb = { entries = 16, ways = 4 }, stlb = "none",
                        cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes processes
              and maps pages, and for loops. s is a step: use it where the CPU accesses
              memory. The pane of the TLB is 6; { and } show another CPU's.]]
        local a, b = process(), process()
        map_pages(b, BASE, 1)
        switch_mm(a)
        map_pages(a, BASE, 64)
        local t = an_entry()
        reach(t)
        switching(t, a, b)
        stale(t, a)
        one_by_one(t, a)
        huge(t, a)
        shootdown(a)
        title "Now you"
        say [[Go back to section 4, and try what happens if the process stores to the
              stale page instead. And in section 7: unmap the page without the flush
              (:unmap(0x30000000, false)). Which CPU reads what afterwards?]]
    end,
}
