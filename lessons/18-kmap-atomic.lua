-- kmap_atomic in an interrupt: slots of one CPU, a stack that nests; and kmap there.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function used(cpu)
    local n = 0
    for _, s in ipairs(kmap_slots(cpu)) do
        n = n + (s.used and 1 or 0)
    end
    return n
end

local function a_slot(page)
    title "1. A slot of this CPU"
    say [[kmap_atomic maps a page at a fixed address that belongs to this CPU alone. It
          takes no lock and never sleeps. In return the task must stay on this CPU, and
          give the slot back soon: preemption is off until kunmap_atomic.]]
    local before = cpu(0).preempt_count
    local va = kmap_atomic(page)
    sayf("The page is at %s now.", hex(va))
    expect_eq(walk(va).pa, page:phys(), "the entry leads to the page")
    expect_eq(cpu(0).preempt_count, before + 1, "preemption is off")
    expect_eq(used(0), 1, "one slot of CPU 0 is used")
    expect_eq(used(1), 0, "CPU 1's slots are its own")
    local other = on_cpu(1, kmap_atomic, page)
    expect(other ~= va, "the same page on CPU 1 has another address: " .. hex(other))
    on_cpu(1, kunmap_atomic, other)
    write_u32(va, 0xaaaa)
    kunmap_atomic(va)
    expect(not walk(va).pa, "kunmap_atomic clears the entry")
    expect(not cpu(0).dtlb:find(va), "and this CPU's TLB has forgotten it")
    expect_eq(cpu(0).preempt_count, before, "preemption is on again")
end

local function nested(page, other)
    title "2. An interrupt in between"
    say [[Now the case that this interface was made for. A process has a page mapped. In
          the middle of its work an interrupt comes; the handler needs a page of
          HighMem, too.]]
    local va = kmap_atomic(page)
    write_u32(va, 0x1111)
    ask { "The handler calls kmap_atomic. Which slot does it get?",
          "the same one", "the next one", "none: it must wait",
          answer = 2,
          why = "The slots are a stack: who comes on top takes the next." }
    local inner
    in_irq(function()
        inner = kmap_atomic(other)
        expect(inner ~= va, "another slot: " .. hex(inner))
        expect_eq(used(0), 2, "two slots of CPU 0 are used")
        write_u32(inner, 0x2222)
        expect_eq(read_u32(va), 0x1111, "the process's mapping is untouched below it")
        kunmap_atomic(inner)
    end)
    expect_eq(used(0), 1, "the handler has returned, its slot is free")
    expect_eq(read_u32(va), 0x1111, "the process goes on as if nothing had been")
    kunmap_atomic(va)
end

local function order(page, other)
    title "3. In the wrong order"
    say [[A stack is given back from the top. Here a careless task maps two pages and
          unmaps the first one first.]]
    local a, b = kmap_atomic(page), kmap_atomic(other)
    kunmap_atomic(a)
    local complained = false
    for _, ev in ipairs(events()) do
        complained = complained or ev.event:find "warn" or ev.event:find "bug"
    end
    expect(complained, "the kernel complains")
    kunmap_atomic(b)
    kunmap_atomic(a)
end

local function with_kmap(page)
    title "4. The same with kmap"
    ask { "The handler uses kmap instead, the window that can sleep. What does the "
          .. "kernel say?",
          "nothing", "BUG: sleeping function called from invalid context",
          answer = 2,
          why = "kmap begins with might_sleep(), which sees the interrupt." }
    local bug
    in_irq(function()
        kmap(page)
        bug = events "sched:sleep_in_atomic"[1]
    end)
    expect(bug, "BUG: sleeping function called from invalid context")
    expect_eq(bug.ctx or bug.context, "hardirq", "in_atomic: a hardware interrupt")
    kunmap(page)
    say [[It went well this time: a slot was free, so kmap did not really sleep. That is
          what makes such mistakes bad. They show on a full machine, at a customer's.
          might_sleep() shows them at once, every time.]]
end

local function switched(page)
    title "5. kmap_local_page and the scheduler"
    say [[Newer code uses kmap_local_page: the same slots, but preemption stays on. When
          the task is switched out, the kernel clears its slots; when it comes back,
          it makes the same entries again.]]
    local va = kmap_local_page(page)
    write_u32(va, 0x7777)
    switch_to(2)
    expect(not walk(va).pa, "another task runs: the slot is empty")
    switch_to(1)
    switch_to(0)
    expect_eq(read_u32(va), 0x7777, "the task is back: the same address, the same page")
    kunmap_local(va)
end

return lesson {
    title = "kmap_atomic in an interrupt",
    summary = "A CPU's slots as a stack: nesting, order, a switch; and why not kmap.",
    view = "space",
    machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 2 },
    run = function()
        local page, other = alloc_page(GFP_HIGHUSER), alloc_page(GFP_HIGHUSER)
        a_slot(page)
        nested(page, other)
        order(page, other)
        with_kmap(page)
        switched(page)
        title "Now you"
        say [[Go back to where the process has its page mapped, and press ! for an
              interrupt of your own. How deep can kmap_atomic nest? See
              kmap_slots(0): there are 16.]]
    end,
}
