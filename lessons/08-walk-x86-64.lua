-- The page-table walk of x86-64: four levels, canonical addresses, rights along the way,
-- pages of 2 MiB and 1 GiB.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local W, U, NX = 2, 4, 1 << 63 -- flags of an entry
local NAMES = { "PML4", "PDPT", "PD", "PT" }

local function indices(va)
    return { va >> 39 & 511, va >> 30 & 511, va >> 21 & 511, va >> 12 & 511 }
end

local function the_address(va)
    title "1. 48 bits, four times nine"
    local i, offset = indices(va), va & 4095
    sayf([[Addresses have 64 bits now, of which this processor uses 48. A table is still
           a page, an entry still has 8 bytes, so each level decodes 9 bits:
           48 = 9 + 9 + 9 + 9 + 12. The tables are called PML4, PDPT, PD and PT; the
           kernel says pgd, pud, pmd and pte.

           %s: PML4 %d, PDPT %d, PD %d, PT %d, offset %d.]], hex(va), i[1], i[2], i[3],
         i[4], offset)
    expect_eq(i[1] << 39 | i[2] << 30 | i[3] << 21 | i[4] << 12 | offset, va,
              "together they are the address")
    ask { "The upper 16 bits are decoded by nobody. May they be anything?",
          "yes, they are ignored", "no, they must equal bit 47",
          answer = 2,
          why = [[Were they ignored, programs would hide data in them, as they did once
                  before, and no processor could ever decode more bits. An address
                  whose upper bits repeat bit 47 is called canonical.]] }
    local ok, fault = read_u64(1 << 47, "user")
    expect(ok == nil and fault.kind == "general protection",
           ("0x%x is not canonical: %s"):format(1 << 47, fault and fault.kind))
    expect_eq(#events "walk:entry", 0, "no table was read: it is no page fault")
    local _, other = read_u64(0x7fffffffe000, "user")
    expect(other.kind == "page fault", "the last page below is canonical: a page fault")
    say [[So there are two halves: the lower one, up to 0x00007fffffffffff, belongs to
          the process, the upper one, from 0xffff800000000000 on, to the kernel.]]
end

local function the_walk(mm, va, page)
    title "2. Four levels"
    mm:map(va & ~4095, page)
    local made = #events "mm:pte_alloc"
    expect_eq(made, 3, "for the first page three tables were made (the PML4 was there)")
    ask { "How often must RAM be read for the first load from there?",
          "once", "twice", "five times",
          answer = 3,
          why = "Four entries in four tables, all new to L2, and the data." }
    say "Step through it (s)."
    read_u64(va)
    local steps, w, i = events "walk:entry", walk(va), indices(va)
    expect_eq(#steps, 4, "four entries")
    for level = 1, 4 do
        expect_eq(steps[level].at, w[level].table_phys + 8 * i[level],
                  ("%s: entry %d of the table at %s"):format(NAMES[level], i[level],
                                                            hex(w[level].table_phys)))
    end
    expect_eq(#events "mem:read", 5, "five reads of RAM for one load")
    expect_eq(w.pa, page:phys() + (va & 4095), "and the answer is " .. hex(w.pa))
    say [[Walks of four levels are why TLBs have become large, why they have a second
          level, and why processors keep the upper entries in caches of their own
          (paging-structure caches; the option psc gives this machine some).]]
end

local function rights(mm, va)
    title "3. Rights: all along the way"
    say [[W, U and NX stand in every entry. A write needs W in all four, user mode needs
          U in all four, a fetch needs NX clear in all four. The kernel sets the upper
          entries to allow everything, and decides in the last one.]]
    local w = walk(va)
    local all = true
    for level = 1, 3 do
        all = all and w[level].entry & (W | U) == W | U and w[level].entry & NX == 0
    end
    expect(all, "the three upper entries allow everything")
    local text, data = (va & ~4095) + PAGE_SIZE, (va & ~4095) + 2 * PAGE_SIZE
    mm:map(text, alloc_page(GFP_HIGHUSER), "rx")
    mm:map(data, alloc_page(GFP_HIGHUSER))
    expect(fetch(text) and write_u64(data, 1), "code is fetched, data is written")
    ask { "A program writes to its code. Which error code? (1 present, 2 write, 4 user)",
          "6", "7", "23",
          answer = 2,
          why = "Present 1, write 2, user 4." }
    local _, fault = write_u64(text, 1)
    expect_eq(fault and fault.error_code, 7, fault and fault.text)
    local _, jump = fetch(data)
    expect_eq(jump and jump.error_code, 21, "it jumps to its data: 1 + 4 + 16 (fetch)")
    say [[Either written or executed, never both: W^X. An attacker who can write bytes
          somewhere can then not run them.]]
    local kernel = page_address(alloc_page(GFP_KERNEL))
    local _, nosy = read_u64(kernel, "user")
    expect_eq(nosy and nosy.error_code, 5, "it reads the kernel's memory: 1 + 4")
    expect(read_u64(kernel, "kernel") ~= nil, "which the kernel itself may")
end

local function accessed_and_dirty(mm, va)
    title "4. A and D"
    local at = (va & ~4095) + 3 * PAGE_SIZE
    mm:map(at, alloc_page(GFP_HIGHUSER))
    local function bits()
        local w = walk(at)
        local e = w[#w].entry
        return (e & 0x20 ~= 0 and "A" or "-") .. (e & 0x40 ~= 0 and "D" or "-")
    end
    expect_eq(bits(), "--", "a page just mapped: neither accessed nor dirty")
    read_u64(at)
    expect_eq(bits(), "A-", "after a load: accessed")
    write_u64(at, 1)
    expect_eq(bits(), "AD", "after a store: dirty")
    expect(#events "walk:set" > 0, "the walker wrote it into the table")
    say "The walker wrote these bits by itself; no line of the kernel has run for it."
end

local function large_pages(mm)
    title "5. Pages of 2 MiB and 1 GiB"
    local block = alloc_pages(GFP_HIGHUSER, 9)
    local va = 0x40000000
    sayf([[With PS in an entry of the PD the walk ends there: a page of 2 MiB. For it
           the kernel needs a block of order 9, aligned to its size: frame %s.]],
         hex(block))
    expect_eq(block:pfn() % 512, 0, "the block's frame number is a multiple of 512")
    expect(mm:map(va, block, "rwl"), "it is mapped at " .. hex(va))
    read_u64(va + 0x12345 * 8)
    local w = walk(va + 0x12345 * 8)
    expect_eq(#events "walk:entry", 3, "three entries")
    expect(w.size == 2 << 20 and w.pa == block:phys() + 0x12345 * 8,
           "21 bits are the offset")
    ask { "A load from the other end of the same 2 MiB. Is there a walk?",
          "yes, it is another page", "no, the TLB has it",
          answer = 2,
          why = "One TLB entry is good for all of the large page." }
    read_u64(va + (2 << 20) - 8)
    expect_eq(#events "walk:entry", 0, "no walk")
    local direct = page_address(block)
    local d = walk(direct)
    sayf([[With PS in an entry of the PDPT it is a page of 1 GiB, if the processor has
           them. The kernel maps all of RAM at 0xffff888000000000; of large pages, as far
           as they fit. Our block is seen there at %s, in a page of %d MiB.]],
         hex(direct), d.size >> 20)
    expect_eq(read_u64(direct), read_u64(va), "the same memory")
    expect(d.size >= 2 << 20 and #d < 4,
           ("%d entries for the kernel's mapping"):format(#d))
end

return lesson {
    title = "The page-table walk on x86-64",
    summary = "Four levels, canonical addresses, rights, A and D, 2 MiB and 1 GiB.",
    view = "hardware",
    machine = { arch = "x86_64", ram = "3G", cpu = { cost = "flat" } },
    run = function()
        say [[n goes on by a line of the script: use it where the kernel makes a process
              and maps pages. s is a step: use it where the CPU accesses memory. The
              pane of the page tables is 7, that of the access 4.]]
        local va = 0x7f12345678
        local mm = process()
        switch_mm(mm)
        the_address(va)
        the_walk(mm, va, alloc_page(GFP_HIGHUSER))
        rights(mm, va)
        accessed_and_dirty(mm, va)
        large_pages(mm)
        title "Now you"
        say [[Five levels: mmscope 08 --set la57=true. Which claims fail, and which
              addresses are canonical then? And look for the 1 GiB pages of the kernel's
              mapping: :walk(0xffff888040000000).]]
    end,
}
