-- Coherent caches: MESI on two CPUs, false sharing, and coherent DMA.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local A = 0x10000000
local ROUNDS = 20

-- The state of a line in both CPUs' L1D: "E-", "SS", ...
local function states(page)
    local s = ""
    for n = 0, 1 do
        local line = cache("l1d", n):find_phys(page:phys())[1]
        s = s .. (line and line.state or "-")
    end
    return s
end

local function four_states(page)
    title "1. Four states: M, E, S, I"
    say [[Each of the two CPUs has an L1 and an L2 of its own. Both run a thread of the
          same process. Were the caches alone with themselves, a store of one CPU would
          never be seen by the other. So they listen to each other on the bus: this is
          called snooping. Each line has a state:

          M, modified: only we have it, and memory is older. E, exclusive: only we have
          it, and memory is the same. S, shared: others may have it too. I, invalid: not
          here.]]
    read_u32(A)
    expect_eq(states(page), "E-", "CPU 0 has loaded it: exclusive")
    ask { "CPU 1 loads the same line. The states afterwards, of CPU 0 and CPU 1?",
          "E and E", "E and S", "S and S",
          answer = 3,
          why = [[CPU 1 asks on the bus (BusRd). CPU 0 hears it: it is not the only one
                  any longer.]] }
    on_cpu(1, read_u32, A)
    expect_eq(states(page), "SS", "shared by both")
    expect(#events "bus:snoop" >= 1, "CPU 0 has heard it on the bus")
end

local function stores(page)
    title "2. A store"
    say "CPU 0 stores. It has the line, so it is a hit; but it may not just write."
    ask { "What happens to the line of CPU 1?",
          "it is changed as well", "it goes: invalid", "nothing",
          answer = 2,
          why = [[CPU 0 demands the right to write (BusUpgr), and everybody else throws
                  the line out. A later load fetches the new value.]] }
    write_u32(A, 0x1111)
    expect_eq(states(page), "M-", "modified here, gone there")
    write_u32(A, 0x2222)
    expect_eq(#events "bus:request", 0, "the next store needs no bus: M may be written")
    ask { "CPU 1 loads it again. Where does the value come from? Memory has an old one.",
          "from memory", "from CPU 0's cache",
          answer = 2,
          why = [[CPU 0 hears the request, and has the line modified: it writes it back
                  and hands it over.]] }
    local value = on_cpu(1, read_u32, A)
    expect_eq(value, 0x2222, "CPU 1 reads what CPU 0 has stored")
    expect_eq(states(page), "SS", "shared again")
    on_cpu(1, write_u32, A, 0x3333)
    expect_eq(states(page), "-M", "and the other way round")
    expect_eq(read_u32(A), 0x3333, "a load returns the last store, whoever made it")
    say [[And E? A line that nobody else has can be written without asking: E becomes M
          in silence. Most lines are never shared, and for them the bus stays quiet.]]
    read_u32(A + 256)
    write_u32(A + 256, 1)
    expect_eq(#events "bus:request", 0, "a store to a line in state E: no request")
end

local function bump(va)
    write_u32(va, read_u32(va) + 1)
end

-- Both CPUs count, each in its own word; what the machine counts of it.
local function count(first, second)
    local n = { requests = 0 }
    on("bus:request", function() n.requests = n.requests + 1 end)
    local before = counters(0).cycles.total + counters(1).cycles.total
    for _ = 1, ROUNDS do bump(first) on_cpu(1, bump, second) end
    off()
    n.cycles = counters(0).cycles.total + counters(1).cycles.total - before
    return n
end

local function false_sharing()
    title "3. False sharing"
    local x, y = A + 1024, A + 1028
    sayf([[Two threads count something, each on its own CPU, each in a word of its own.
           Nothing is shared. But the words are neighbours: %s and %s.]], hex(x), hex(y))
    ask { ("Each thread counts to %d, in turns. How often does a line change hands?")
              :format(ROUNDS),
          "once", "at nearly every turn", "never: they are different words",
          answer = 2,
          why = [[Coherence knows lines, not words. Each store takes the line from the
                  other CPU, which wants it back at once.]] }
    local close = count(x, y)
    expect(close.requests >= 2 * ROUNDS,
           ("%d requests on the bus for %d counts"):format(close.requests, 2 * ROUNDS))
    expect(read_u32(x) == ROUNDS and read_u32(y) == ROUNDS, "the counts are right")
    say "The same with the second word 128 bytes further on, in a line of its own."
    local apart = count(A + 2048, A + 2048 + 128)
    expect(apart.requests < 12, ("%d requests on the bus"):format(apart.requests))
    expect(apart.cycles < close.cycles // 2,
           ("%d cycles instead of %d"):format(apart.cycles, close.cycles))
    say [[Nothing in the program says that it is slow. The kernel puts what different
          CPUs write into different lines (____cacheline_aligned), and what one CPU
          counts into memory of its own (per-CPU variables; lesson 02).]]
end

local function devices(page)
    title "4. Coherent DMA"
    write_u32(A, 0xda7a)
    expect_eq(states(page):sub(1, 1), "M", "CPU 0 has a dirty line")
    ask { "A device reads it by DMA. On the machine of lesson 13 it got an old value.",
          "here too", "here it gets the new one",
          answer = 2,
          why = [[The device's request goes over the same bus, and the caches hear it: the
                  dirty line is written back first.]] }
    expect_eq(dma_read(page:phys(), 4), 0xda7a, "the device reads the new value")
    read_u32(A)
    dma_write(page:phys(), 4, 0xf00d)
    expect_eq(states(page), "--", "a device writes: the caches have given up the line")
    expect_eq(read_u32(A), 0xf00d, "and the CPU reads what the device has written")
    say [[So on a PC a driver need not flush anything, and dma_map_single does next to
          nothing. It must be called all the same: the driver will be compiled for other
          machines too.]]
end

local function what_is_not()
    title "5. What is not coherent"
    ask { "CPU 0 changes a page-table entry. Is the TLB of CPU 1 told?",
          "yes, by the bus", "no",
          answer = 2,
          why = [[The line with the entry is coherent, like any other. What a TLB keeps
                  is not a line, and nobody snoops for it: lesson 09.]] }
    on_cpu(1, read_u32, A)
    unmap(A, false)
    local stale = on_cpu(1, read_u32, A)
    expect(stale ~= nil, "the entry is cleared, and CPU 1 still reads: " .. hex(stale))
    flush_tlb_range(current_mm(), A, PAGE_SIZE)
    local _, fault = on_cpu(1, read_u32, A)
    expect(fault and fault.kind == "page fault", "after the kernel's IPI it faults")
end

return lesson {
    title = "Coherence: MESI and false sharing",
    summary = "Two CPUs' caches, the four states, false sharing, coherent DMA.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M", cpus = 2,
                cpu = { l1d = { size = "4K", ways = 4, line = 32 },
                        l2 = { size = "16K", ways = 4, line = 32 }, cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it while the process is made. s is
              a step: use it where a CPU accesses memory. { and } show another CPU's
              caches.]]
        local mm, page = process(), alloc_page(GFP_HIGHUSER)
        mm:map(A, page)
        switch_mm(mm)
        on_cpu(1, switch_mm, mm)
        four_states(page)
        stores(page)
        false_sharing()
        devices(page)
        what_is_not()
        title "Now you"
        say [[Without coherence: mmscope 14 --set coherent=false. Which loads return
              something else than the last store? And what does false sharing cost when
              both CPUs have one L2 (--set l2_shared=true)?]]
    end,
}
