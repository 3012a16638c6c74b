-- kmalloc's pages, vmalloc, vmap, ioremap: contiguous where?
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local PAGES = 5

-- The frames behind n pages of virtual memory.
local function frames(va, n)
    local list = {}
    for i = 0, n - 1 do
        list[i + 1] = walk(va + i * PAGE_SIZE).pa >> 12
    end
    return list
end

local function contiguous(list)
    for i = 2, #list do
        if list[i] ~= list[i - 1] + 1 then
            return false
        end
    end
    return true
end

local function text(list)
    local words = {}
    for i, f in ipairs(list) do
        words[i] = hex(f)
    end
    return table.concat(words, " ")
end

local function physical()
    title "1. Contiguous in memory"
    local va = __get_free_pages(GFP_KERNEL, 3)
    local list = frames(va, 8)
    sayf("alloc_pages gave a block of order 3, at %s. Its frames: %s.", hex(va),
         text(list))
    expect(contiguous(list), "the frames follow each other")
    say [[That is what the buddy system gives: contiguous frames, and in the direct map
          contiguous addresses as well. A device that reads memory by itself needs
          that. But large blocks are the first to be gone when memory is fragmented.]]
    free_pages(va, 3)
end

local function spread()
    title "2. Fragmented memory"
    local any = GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN
    local blocks = exhaust(any, 3)
    local small = { exhaust(any, 2), exhaust(any, 1), exhaust(any, 0) }
    local split = {}
    for i = 1, 150 do -- of each block every second page is given back
        local block = table.remove(blocks, 1 + (i * 7) % #blocks)
        split_page(block, 3)
        for k = 0, 7 do
            if k % 2 == 0 then
                __free_page(block + k)
            else
                split[#split + 1] = block + k
            end
        end
    end
    for _, block in ipairs(exhaust(any, 3)) do -- what the watermarks had kept back
        blocks[#blocks + 1] = block
    end
    sayf([[Nearly all memory is in use now. %d pages are free, most of them single ones
           between pages that are in use.]], zone.Normal.free + zone.HighMem.free)
    expect_eq(alloc_pages(any, 3), nil,
              "a block of order 3 cannot be had")
    ask { ("vmalloc asks for %d pages that are contiguous by their addresses. Will it "
           .. "get them?"):format(PAGES),
          "yes", "no", answer = 1,
          why = "It needs single pages only, and free addresses." }
    local va = vmalloc(PAGES * PAGE_SIZE)
    local list = frames(va, PAGES)
    sayf("vmalloc answers %s. Its frames: %s.", hex(va), text(list))
    expect(va ~= nil and va ~= 0, "vmalloc has them")
    expect(not contiguous(list), "frames from anywhere")
    for i = 0, PAGES - 1 do
        write_u32(va + i * PAGE_SIZE, i)
    end
    expect_eq(read_u32(va + 3 * PAGE_SIZE), 3, "one behind the other by their addresses")
    free_all(blocks, 3)
    free_all(split)
    for i, list in ipairs(small) do
        free_all(list, 3 - i)
    end
    return va
end

local function area(va)
    title "3. The area and its guard page"
    local a = areas(va, va)[1]
    sayf([[vmalloc has taken an area from %s to %s. One page more than was asked for:
           the last one stays unmapped. It is the guard page.]],
         hex(a.first), hex(a.last))
    expect_eq(a.pages, PAGES, "the pages that we asked for")
    expect_eq(a.last - a.first + 1, (PAGES + 1) * PAGE_SIZE, "and one for the guard")
    ask { "A loop writes one byte too far, into the guard page. What happens?",
          "it overwrites somebody's data", "a page fault",
          answer = 2,
          why = "The entry there is empty. The mistake shows at once." }
    local good, fault = write_u8(va + PAGES * PAGE_SIZE, 1)
    expect(not good and fault, "the store faults: " .. (fault and fault.text or ""))
    expect(zone(pfn_to_page(walk(va).pa >> 12)).name ~= "DMA",
           "vmalloc takes HighMem first, where there is some")
end

local function lazily(va)
    title "4. Lazy freeing"
    local before = vmstat()
    vfree(va)
    say [[vfree gives the pages back, but not the addresses, not yet. To use them again,
          all CPUs' TLBs must forget them, and such a flush is dear. So areas are
          collected and flushed together.]]
    expect(not walk(va).pa, "the entries are cleared")
    local a = areas(va, va)[1]
    expect(a and a.lazy, "the area is lazily freed")
    local other = vmalloc(PAGE_SIZE)
    expect(other ~= va, "its addresses are not given out again")
    vm_unmap_aliases()
    expect(#areas(va, va) == 0, "after the flush they are free")
    expect_eq(vmalloc(PAGE_SIZE), va, "and the next vmalloc gets the lowest: the same")
    expect(before ~= nil, "counters are at hand")
end

local function others()
    title "5. vmap and ioremap"
    local pages = { alloc_page(GFP_HIGHUSER), alloc_page(GFP_KERNEL),
                    alloc_page(GFP_HIGHUSER) }
    for _, p in ipairs(pages) do
        vmap_page(p)
    end
    local va = vmap(#pages)
    sayf("vmap takes pages that somebody has already, and maps them at %s.", hex(va))
    local list = frames(va, #pages)
    for i, p in ipairs(pages) do
        expect_eq(list[i], p:pfn(), ("page %d is the one we gave"):format(i))
    end
    vunmap(va)
    local io = ioremap(0xfebc0000, 0x2000)
    sayf([[ioremap maps what is no memory at all: the registers of a device at the
           physical address 0xfebc0000, here at %s.]], hex(io))
    expect_eq(walk(io).pa, 0xfebc0000, "the entry leads to the device")
    local steps = walk(io)
    expect(steps[#steps].flags:find("C") or steps[#steps].words:find("cache"),
           "and says that it must not be cached: " .. steps[#steps].words)
    expect_eq(ioremap(pages[2]:phys(), PAGE_SIZE) or 0, 0,
              "ioremap of RAM is refused")
    iounmap(io)
end

return lesson {
    title = "vmalloc, vmap, ioremap",
    summary = "Contiguous by address or in memory; guard pages, lazy freeing, devices.",
    view = "space",
    machine = { arch = "i386", ram = "80M", highmem = "8M" },
    run = function()
        physical()
        local va = spread()
        area(va)
        lazily(va)
        others()
        title "Now you"
        say [[vmallocinfo() lists the areas as /proc/vmallocinfo does. Free memory with
              vfree in an interrupt: in_irq(vfree, va). Who frees the pages, and when?]]
    end,
}
