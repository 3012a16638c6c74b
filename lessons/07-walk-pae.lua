-- The page-table walk with PAE: entries of 64 bits, three levels, memory above 4 GiB, NX,
-- pages of 2 MiB.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local GIB4 = (1 << 32) // PAGE_SIZE -- the first frame above 4 GiB
local NX = 1 << 63

local function why_pae(page)
    title "1. More memory than addresses"
    sayf([[An entry of 32 bits has 20 bits for the frame: frames up to 4 GiB. In 1995
           servers wanted more. The Pentium Pro got 36 address lines, and a mode in
           which entries have 64 bits: PAE, physical address extension.

           This machine has %d MiB of RAM. Part of it lies above 4 GiB.]],
         machine.ram >> 20)
    expect(page:phys() >= 1 << 32, ("a page above 4 GiB: frame %s, physical address %s")
        :format(hex(page), hex(page:phys())))
    expect_eq(page:zone(), "HighMem", "it belongs to HighMem")
    ask { "A page of 4096 bytes has room for how many entries of 64 bits?",
          "512", "1024",
          answer = 1,
          why = [[4096 / 8 = 512. So a table covers half of what it did, 2 MiB, and 9
                  bits of the address choose its entry.]] }
end

local function the_walk(mm, va, page)
    title "2. Three levels"
    local ptr, dir, tab, offset = va >> 30, va >> 21 & 511, va >> 12 & 511, va & 4095
    sayf([[Virtual addresses still have 32 bits. They are cut into 2, 9, 9 and 12: the
           first two choose one of four directory pointers, a table of 32 bytes to
           which CR3 points.

           %s: pointer %d, directory %d, table %d, offset %d.]], hex(va), ptr, dir, tab,
         offset)
    expect_eq(ptr << 30 | dir << 21 | tab << 12 | offset, va,
              "together they are the address")
    mm:map(va & ~4095, page)
    say "The page above 4 GiB has been mapped there. The process stores to it (s)."
    write_u32(va, 0xcafe)
    local steps, w = events "walk:entry", walk(va)
    expect_eq(#w, 3, "three entries are read")
    expect(steps[1].at == w.root + 8 * ptr and steps[2].at == w[2].table_phys + 8 * dir
           and steps[3].at == w[3].table_phys + 8 * tab, "each at table + 8 * index")
    expect(steps[2].at % 8 == 0 and steps[3].at % 8 == 0, "entries of 8 bytes")
    expect(w[3].pfn == page:pfn() and w[3].pfn >> 20 > 0,
           ("the last one has frame %s: more than 20 bits"):format(hex(w[3].pfn)))
    expect(w.pa == page:phys() + offset and w.pa >= 1 << 32,
           ("a virtual address of 32 bits, a physical one of 33: %s"):format(hex(w.pa)))
    expect(w[2].present and w[3].words:find("dirty"), "the last entry has got A and D")
    ask { "Does a process have more than 4 GiB now?",
          "yes", "no, but all processes together have",
          answer = 2,
          why = [[Its addresses still have 32 bits. More memory, not more addresses: so
                  the kernel can map only a part of it at a time, and needs HighMem.]] }
    expect(page_address(page) == nil, "the kernel has no address for this page")
    return w
end

local function no_execute(mm, va)
    title "3. NX"
    say [[64 bits leave room at the upper end. Bit 63 became NX, no execute: from this
          page no instruction is fetched. On i386 without PAE, whatever can be read can
          be executed, a stack full of an attacker's bytes too.]]
    va = va & ~(PAGE_SIZE - 1)
    local code, data = va + 16 * PAGE_SIZE, va + 17 * PAGE_SIZE
    mm:map(code, alloc_page(GFP_HIGHUSER), "rx")
    mm:map(data, alloc_page(GFP_HIGHUSER))
    expect_eq(fetch(code), true, "from a page without NX an instruction is fetched")
    expect(read_u32(data) ~= nil, "from the page with NX can be read")
    ask { "And a fetch from it? The error code has a bit more: 16, a fetch.",
          "4 + 16", "1 + 4 + 16", "no fault",
          answer = 2,
          why = "The page is present (1), in user mode (4), and it was a fetch (16)." }
    local ok, fault = fetch(data)
    expect(not ok and fault.error_code == 21, ("error code %d: %s"):format(
        fault and fault.error_code or 0, fault and fault.text or "no fault"))
    expect(walk(data)[3].entry & NX ~= 0, "bit 63 of the entry is set")
end

local function two_megabytes(page)
    title "4. Pages of 2 MiB"
    local va = page_address(page)
    sayf([[A directory's entry stands for 512 pages of 4 KiB now, so a large page has
           2 MiB. The kernel maps its own memory with them. A page of zone %s, frame
           %s, is at %s.]], page:zone(), hex(page), hex(va))
    read_u32(va)
    local w = walk(va)
    expect_eq(#w, 2, "two entries: pointer and directory")
    expect(w[2].large and w.size == 2 << 20, "2 MiB: " .. w[2].words)
    expect_eq(w.pa & 0x1fffff, va & 0x1fffff, "21 bits are the offset")
end

local function the_price(mm, va, w)
    title "5. The price"
    say [[A walk is one entry longer. The tables take twice as much room: entries are
          twice as large. And the pointers are special: they have no R/W, no U/S and no
          A; the processor reads them when CR3 is loaded (this machine reads them at
          each walk, as AMD's processors do).]]
    expect(w[1].flags:find("A") == nil, "no A in the directory pointer: " .. w[1].flags)
    local far = (va & ~(PAGE_SIZE - 1)) + (2 << 20)
    mm:map(far, alloc_page(GFP_HIGHUSER))
    expect_eq(#events "mm:pte_alloc", 1, "2 MiB further on, another table is needed")
    ask { "How many of the three entries that the walk reads now were read before?",
          "none", "two", "all",
          answer = 2,
          why = "The pointer, and the directory's line. The new table is new." }
    read_u32(far)
    expect_eq(#events "walk:entry", 3, "every walk reads three entries")
    expect_eq(access().l2.walk_miss, 1, "one of them came from RAM")
end

return lesson {
    title = "The page-table walk with PAE",
    summary = "Three levels, memory above 4 GiB, NX, pages of 2 MiB.",
    view = "hardware",
    machine = { arch = "i386pae", ram = "5G", cpu = { cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes a process
              and maps pages. s is a step: use it where the CPU accesses memory. The
              pane of the page tables is 7, that of the access 4.]]
        local va = 0x08403124
        local got = exhaust(GFP_HIGHUSER, 10, nil, function(pages)
            return #pages > 0 and pages[#pages]:pfn() >= GIB4
        end)
        local high = got[#got]
        local mm = process()
        switch_mm(mm)
        why_pae(high)
        local w = the_walk(mm, va, high)
        no_execute(mm, va)
        two_megabytes(alloc_page(GFP_KERNEL))
        the_price(mm, va, w)
        title "Now you"
        say [[What would the same walk be without PAE? mmscope 06 shows it. And try
              :map(0x10000000, alloc_page(GFP_HIGHUSER)), then a store there:
              how many tables are new?]]
    end,
}
