-- kmap: the window into HighMem that can sleep.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function one()
    title "1. A window"
    local page = alloc_page(GFP_HIGHUSER)
    sayf([[The page %s lies in HighMem: the kernel has no address for it. kmap maps it
           into a window of %d slots that all CPUs share.]],
         tostring(page), pkmaps().slots)
    expect_eq(#mappings(page), 0, "before: no address")
    local va = kmap(page)
    expect_eq(walk(va).pa, page:phys(), "now an entry leads to the page")
    write_u32(va, 0x1234)
    expect_eq(read_u32(va), 0x1234, "and it can be used")
    local slot = pkmaps()[1]
    expect_eq(slot.count, 2, "pkmap_count is 2: one user")
    ask { "kmap is called again for the same page. Which address does it answer?",
          "the same", "another one", answer = 1,
          why = "A page has one slot at most; pkmap_count counts its users." }
    expect_eq(kmap(page), va, "the same")
    expect_eq(pkmaps()[1].count, 3, "pkmap_count 3: two users")
    kunmap(page)
    kunmap(page)
    expect_eq(pkmaps()[1].count, 1, "after both kunmaps: 1, not 0")
    say [[1 means: nobody uses it, but it is still mapped, and TLBs may know it. The slot
          cannot be used for another page before a flush.]]
    expect_eq(walk(va).pa, page:phys(), "the entry is still there")
    return page, va
end

local function lowmem()
    title "2. Pages that need no window"
    local page = alloc_page(GFP_KERNEL)
    local before = #pkmaps()
    local va = kmap(page)
    expect_eq(va, page_address(page), "a page of Normal: its address in the direct map")
    expect_eq(#pkmaps(), before, "no slot is used for it")
    kunmap(page)
    __free_page(page)
end

local function again(page, va)
    title "3. The wrap and the flush"
    say [[kmap takes the slots in turn. When it comes to the end, it goes back to slot 0,
          unmaps all slots with a count of 1 and makes all CPUs flush their TLBs, once
          for all of them: flush_all_zero_pkmaps.]]
    local flushes, others = 0, {}
    for i = 1, pkmaps().slots do
        others[i] = alloc_page(GFP_HIGHUSER)
        kmap(others[i])
        flushes = flushes + #events "kmap:flush_all_zero_pkmaps"
        kunmap(others[i])
    end
    sayf("%d slots went by. Flushes: %d.", pkmaps().slots, flushes)
    expect_eq(flushes, 1, "one flush for a whole round")
    expect_eq(#mappings(page), 0, "our first page has lost its address")
    expect(not walk(va).pa or walk(va).pa ~= page:phys(), "its entry is another's now")
    free_all(others)
end

local function full()
    title "4. The sleeper"
    local n, held = pkmaps().slots, {}
    for i = 1, n do
        held[i] = alloc_page(GFP_HIGHUSER)
        kmap(held[i])
    end
    sayf("All %d slots are in use now.", n)
    local late = alloc_page(GFP_HIGHUSER)
    ask { "One more kmap, of another page. What can it do?",
          "answer NULL", "wait until a slot is free", "take somebody's slot",
          answer = 2,
          why = "kmap may sleep. It waits on a queue until somebody calls kunmap." }
    kmap(late)
    expect_eq(#pkmaps().sleepers, 1, "the task sleeps")
    expect_eq(#mappings(late), 0, "its page has no address yet")
    kunmap(held[1])
    expect_eq(#pkmaps().sleepers, 0, "a kunmap has woken it")
    expect_eq(#mappings(late), 1, "and its page has an address now")
    kunmap(late)
    for i = 2, n do
        kunmap(held[i])
    end
end

local function contexts()
    title "5. Where it must not be called"
    local page = alloc_page(GFP_HIGHUSER)
    ask { "An interrupt handler calls kmap. Why is that a bug?",
          "it is too slow", "it may sleep, and an interrupt cannot", "it is not",
          answer = 2,
          why = [[Who would be put to sleep? The handler has no task of its own. Whoever
                  was interrupted may even hold the lock that kmap needs.]] }
    local bug = false
    in_irq(function()
        kmap(page)
        bug = #events "sched:sleep_in_atomic" > 0
    end)
    expect(bug, "BUG: sleeping function called from invalid context")
    bug = false
    with_spinlock("lock", function()
        kmap(page)
        bug = #events "sched:sleep_in_atomic" > 0
    end)
    expect(bug, "the same under a spinlock")
    say [[For such places there is kmap_atomic: the next lesson.]]
end

return lesson {
    title = "kmap: the window that can sleep",
    summary = "Slots for all CPUs: counts, the flush at the wrap, who may wait.",
    view = "space",
    machine = { arch = "i386", ram = "256M", highmem = "128M", cpus = 2 },
    run = function()
        local page, va = one()
        lowmem()
        again(page, va)
        full()
        contexts()
        title "Now you"
        say [[Call kunmap twice for one kmap, and read the kernel's report. Let it forget
              the flush: forget_flush "pkmap", and read through an old address after a
              round. Whose bytes are these?]]
    end,
}
