-- The page-table walk of the i386: two levels, 32-bit entries, 4 KiB and 4 MiB pages;
-- flags, the A and D bits, and page faults.
--
-- SPDX-License-Identifier: GPL-3.0-or-later

local function entry_in_memory(at)
    return (string.unpack("<I4", read_phys(at, 4)))
end

local function binary(n, bits)
    local digits = {}
    for i = bits - 1, 0, -1 do
        digits[#digits + 1] = n >> i & 1
    end
    return table.concat(digits)
end

local function the_address(va)
    title "1. An address is three numbers"
    say [[A process believes to have 4 GiB of memory from 0 on, all for itself. What it
          calls an address is a virtual address. Which byte of RAM that is, is said by
          tables that the kernel writes and the processor reads.

          One table with an entry for each of the 2^20 pages would take 4 MiB for every
          process. So it is cut into pieces of 1024 entries, a page each, and only the
          pieces that are needed exist. A directory says where they are.]]
    local dir, tab, offset = va >> 22, va >> 12 & 1023, va & 4095
    sayf([[The address %s in binary, cut into 10, 10 and 12 bits:

           %s  %s  %s

           directory %d, table %d, offset %d.]],
         hex(va), binary(dir, 10), binary(tab, 10), binary(offset, 12), dir, tab, offset)
    expect_eq(dir << 22 | tab << 12 | offset, va, "together they are the address again")
    expect_eq(1024 * 1024 * 4096, 1 << 32, "1024 * 1024 * 4096 bytes = 4 GiB")
    ask { "How much memory does one entry of the directory stand for?",
          "4 KiB", "4 MiB", "4 GiB",
          answer = 2,
          why = "A table of 1024 entries, a page of 4 KiB each." }
    return dir, tab, offset
end

local function the_walk(va, dir, tab, offset, page)
    title "2. The walk"
    sayf([[The kernel has mapped a page at this address: frame %s. The register CR3
           holds the physical address of the directory. Now the process loads from
           %s. The TLB does not know the page, so the walker begins.]],
         hex(page), hex(va))
    ask { "How many table entries must be read?",
          "one", "two", "1024",
          answer = 2,
          why = "One of the directory, which tells the table, and one of that table." }
    say "Step (s), and follow it in the page tables (7)."
    read_u32(va)
    local steps = events "walk:entry"
    expect_eq(#steps, 2, "two entries are read")
    local w = walk(va)
    expect_eq(steps[1].at, w.root + 4 * dir, ("the first lies at CR3 + 4 * %d = %s")
        :format(dir, hex(steps[1].at)))
    local table_at = steps[1].value & 0xfffff000
    sayf([[Its value is %s. The upper 20 bits are the frame in which the table lies,
           the lower 12 are flags.]], hex(steps[1].value))
    expect_eq(steps[2].at, table_at + 4 * tab,
              ("the second lies at %s + 4 * %d = %s"):format(hex(table_at), tab,
                                                             hex(steps[2].at)))
    expect_eq(steps[2].value >> 12, page:pfn(),
              ("its upper 20 bits are our frame, %s"):format(hex(page)))
    expect_eq(w.pa, page:phys() + offset,
              ("the physical address: %s + %d = %s"):format(hex(page:phys()), offset,
                                                            hex(w.pa)))
    expect_eq(page_to_pfn(pfn_to_page(table_at >> 12)) << 12, table_at,
              "directory and table are page frames like any other")
    return w
end

local function flags(mm, va, w)
    title "3. Flags, and who sets them"
    say [[The lower bits of an entry:

          P: present. W: may be written. U: user mode may use it. PWT and PCD: how it is
          cached. A: accessed. D: dirty. PS: a large page. G: global.

          The kernel sets them, with two exceptions: the walker itself sets A when it
          goes through an entry, and D when the page is written.]]
    local at = w[2].at
    sayf("The entry of our page in memory: %s, %s.", hex(entry_in_memory(at)),
         walk(va)[2].words)
    expect(entry_in_memory(at) & 0x20 ~= 0, "A is set: the walk of section 2 did it")
    expect(entry_in_memory(at) & 0x40 == 0, "D is not: nobody has written yet")
    ask { "The process stores to the page. The TLB has its translation. Is there a walk?",
          "no, the TLB has the page", "yes, to set D in the table",
          answer = 2,
          why = [[The TLB keeps D as well. An entry without D is good for loads only;
                  the first store goes to the table to set it.]] }
    write_u32(va, 0x12345678)
    expect_eq(#events "walk:entry", 2, "the tables are walked again")
    expect(#events "walk:set" >= 1, "the walker writes an entry")
    expect(entry_in_memory(at) & 0x40 ~= 0, "D is set in memory")
    write_u32(va + 4, 0x9abcdef0)
    expect_eq(#events "walk:entry", 0, "the second store needs no walk")
    say [[That is all the processor tells the kernel about the use of pages. The kernel
          clears A from time to time and looks who has got it again: so it finds pages
          that nobody uses. And a page without D need not be written to disk before it
          is thrown away.]]
end

local function where_they_lie(mm, va, w)
    title "4. Where the tables lie, and what a walk costs"
    sayf([[The directory lies at %s, the table at %s: ordinary pages of RAM, which the
           kernel got from its page allocator. So the walker's reads are memory reads,
           and go through L2.]], hex(w.root), hex(w[2].table_phys))
    expect_eq(pfn_to_page(w.root >> 12):state(), "allocated",
              "the directory's frame is allocated")
    expect(cache "l2":find_phys(w[2].at)[1] ~= nil, "the line with our entry is in L2")
    va = va & ~(PAGE_SIZE - 1)
    local next_va = va + PAGE_SIZE
    mm:map(next_va, alloc_page(GFP_HIGHUSER))
    ask { "The next page is mapped, too. How many of its two entries come from RAM?",
          "none", "one", "both",
          answer = 1,
          why = [[The directory's entry is the same as before. The table's entry is the
                  neighbour of ours, in the same line.]] }
    read_u32(next_va)
    expect_eq(access().l2.walk_miss, 0, "both are in L2")
    expect_eq(#events "walk:entry", 2, "though two entries were read again")
    local far = va + (64 << 20)
    mm:map(far, alloc_page(GFP_HIGHUSER))
    expect_eq(#events "mm:pte_alloc", 1, "64 MiB further on: a new table is needed")
    read_u32(far)
    local f = walk(far)
    expect(f[1].table_phys == w[1].table_phys and f[2].table_phys ~= w[2].table_phys,
           "the same directory, another table")
    say [[A process that uses three pages in three places far apart has a directory and
          three tables: 16 KiB of tables for 12 KiB of data.]]
end

-- An access that faults, and what the processor tells about it.
local function faulting(text, va, how, mode, code, why)
    local q = { text .. " Which error code?", answer = 1, why = why }
    for i = 0, 2 do
        local c = code & ~3 | (code + i + 3) % 4 -- the answer's place depends on it
        q[#q + 1] = tostring(c)
        q.answer = c == code and i + 1 or q.answer
    end
    ask(q)
    local _, fault
    if how == "write" then
        _, fault = write_u32(va, 1, mode)
    else
        _, fault = read_u32(va, mode)
    end
    expect(fault and fault.error_code == code,
           ("error code %d: %s"):format(code, fault and fault.text or "no fault"))
    expect_eq(fault and fault.cr2, va, "CR2 has the address")
end

local function faults(mm, va)
    title "5. Page faults"
    say [[What if an entry does not have P, or does not allow the access? Then the
          instruction has not happened: the processor raises a page fault. It leaves
          the address in CR2 and an error code of single bits for the kernel:

          1: the page was present, but the access not allowed; without it, the page was
          not present. 2: it was a write. 4: it came from user mode.]]
    va = va & ~(PAGE_SIZE - 1)
    local nowhere = va + (128 << 20)
    local fixed, private = va + 2 * PAGE_SIZE, va + 3 * PAGE_SIZE
    mm:map(fixed, alloc_page(GFP_HIGHUSER), "r")
    mm:map(private, alloc_page(GFP_HIGHUSER), "rwk")
    faulting("The process loads from an address where nothing is mapped.", nowhere,
             "read", "user", 4, "Not present, a read, in user mode: 0 + 0 + 4.")
    expect_eq(#events "walk:entry", 1, "the walk ended at the directory's entry")
    faulting("It stores to a page that is present, but has no W.", fixed, "write", "user",
             7, "Present 1, write 2, user mode 4.")
    faulting("It loads from a page without U.", private, "read", "user", 5,
             "Present 1, user mode 4: a read of what is there but not allowed.")
    faulting("The kernel itself stores to the page without W.", fixed, "write", "kernel",
             3, [[Present 1, write 2. CR0.WP makes W hold for the kernel as well: it
                  needs that for copy on write.]])
    expect(read_u32(private, "kernel") ~= nil,
           "the kernel may load from the page without U")
    say [[What the kernel does then is its own affair: it may map a page there and let
          the instruction run again, or send SIGSEGV. Here no area of the process
          covers these addresses, so it is SIGSEGV.]]
end

local function four_megabytes(page, offset)
    title "6. Pages of 4 MiB"
    local va = page_address(page) + offset
    sayf([[An entry of the directory with the flag PS does not point to a table: it
           maps 4 MiB at once. The kernel maps all of its memory in this way, one
           behind the other from 0xc0000000 on. Our word is seen there too, at %s.]],
         hex(va))
    ask { "The kernel loads from there. How many entries does the walk read?",
          "one", "two",
          answer = 1,
          why = "The directory's entry is the last one." }
    local value = read_u32(va)
    expect_eq(#events "walk:entry", 1, "one entry")
    local w = walk(va)
    expect(w[1].large and w.size == 4 << 20, "it has PS: " .. w[1].words)
    expect_eq(w.pa, (w[1].entry & 0xffc00000) + (va & 0x3fffff),
              "10 bits choose the entry, the other 22 are the offset")
    expect_eq(value, 0x12345678, "it is the word that the process has stored")
    expect(w.global, "and it is global: the lesson on the TLB says what for")
    say [[Large pages save tables, and one TLB entry serves 1024 times as much memory.
          But they need 4 MiB of contiguous frames: lesson 01 shows how hard those can
          be to get.]]
end

return lesson {
    title = "The page-table walk on i386",
    summary = "Directory and table, flags, A and D, page faults, pages of 4 MiB.",
    view = "hardware",
    machine = { arch = "i386", ram = "64M", cpu = { cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes a process
              and maps pages. s is a step: use it where the CPU accesses memory. The
              pane of the page tables is 7, that of the access 4.]]
        local va = 0x0840302c
        local page = alloc_page(GFP_HIGHUSER)
        local mm = process()
        switch_mm(mm)
        mm:map(va & ~4095, page)
        local dir, tab, offset = the_address(va)
        local w = the_walk(va, dir, tab, offset, page)
        flags(mm, va, w)
        where_they_lie(mm, va, w)
        faults(mm, va)
        four_megabytes(page, offset)
        title "Now you"
        say [[Go back to section 2 and look at the tables as a tree (7; Enter
              opens a table). Then map a page of your own: :map(0x20000000,
              alloc_page(GFP_HIGHUSER)), and :walk(0x20000000). What does
              :write_u8(0x20000fff, 1) cost (:access() tells), and what happens with
              :write_u8(0x20001000, 1)?]]
    end,
}
