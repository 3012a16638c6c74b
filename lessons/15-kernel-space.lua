-- The kernel's address space on 32 bits: its regions, why 896 MiB, what HighMem costs.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function mib(bytes) return ("%d MiB"):format(bytes >> 20) end

local function region(name)
    for _, r in ipairs(address_space()) do
        if r.name:find(name, 1, true) then
            return r
        end
    end
end

local function size(r) return r.last - r.first + 1 end

-- The direct map's end: it is listed by zones.
local function direct_end()
    local last
    for _, r in ipairs(address_space()) do
        last = r.name:find("direct", 1, true) and r.last + 1 or last
    end
    return last
end

local function tour()
    title "1. Four GiB for everybody"
    local lines, last, gaps = {}, nil, 0
    for _, r in ipairs(address_space()) do
        lines[#lines + 1] = ("  %08x - %08x  %s"):format(r.first, r.last, r.name)
        gaps = gaps + (last and r.first ~= last + 1 and 1 or 0)
        expect(not last or r.first > last, r.name .. " begins behind the one before it")
        last = r.last
    end
    say [[A 32-bit processor has addresses from 0 to 4 GiB, and no more. User space and
          the kernel share them: the lower three GiB belong to the process that runs,
          the last one to the kernel, in every process alike.]]
    print(table.concat(lines, "\n"))
    local user, direct = region "user", region "direct"
    expect_eq(user.first, 0, "user space begins at 0")
    expect_eq(direct.first, 0xc0000000, "the kernel's part at 3 GiB: PAGE_OFFSET")
    expect_eq(last, 0xffffffff, "and it goes up to the last byte")
    return direct
end

local function direct_map(direct)
    title "2. The direct map"
    local page = alloc_page(GFP_KERNEL)
    local va = page_address(page)
    sayf([[The kernel's largest region is the direct map: physical memory, one to one,
           from %s on. The page that was just allocated has the physical address %s,
           and the kernel reaches it at %s. No table has to be changed for that; the
           entries were made at boot.]], hex(direct.first), hex(page:phys()), hex(va))
    expect_eq(va, page:phys() + direct.first, "virtual = physical + PAGE_OFFSET")
    expect_eq(walk(va).pa, page:phys(), "the page tables say the same")
    write_u32(va, 0xc0ffee)
    expect_eq(read_u32(va), 0xc0ffee, "it can be used at once")
    local steps = walk(va)
    sayf("The walk takes %d entries; the last one is %s.", #steps, steps[#steps].words)
    expect(steps[#steps].words:find("global", 1, true), "the direct map is global")
    __free_page(page)
end

local function limit(direct)
    title "3. Why 896 MiB"
    local vmalloc, pkmap, fixmap = region "vmalloc", region "persistent", region "fixmap"
    local rest = 0x100000000 - 0xc0000000 - (896 << 20)
    sayf([[One GiB of addresses is all that the kernel has. It needs a part of them for
           other things: vmalloc and ioremap (%s here, at least 128 MiB), the window of
           kmap (%s), fixed addresses at the very end. So at most 1024 - 128 = 896 MiB
           of memory can have a place in the direct map.]],
         mib(size(vmalloc)), mib(size(pkmap)))
    expect_eq(rest, 128 << 20, "1 GiB less 896 MiB is 128 MiB")
    expect(size(vmalloc) >= 100 << 20, "vmalloc has most of the 128 MiB, here more")
    expect(fixmap.first > pkmap.first and pkmap.first > vmalloc.first,
           "fixmap, pkmap and vmalloc hang on the end of the address space")
    ask { "A machine has 2 GiB of memory. How much of it is in the direct map?",
          "all", "1 GiB", "896 MiB", "none",
          answer = 3,
          why = "The limit is addresses, not memory. The rest is HighMem." }
    sayf([[This machine was told highmem=%s, so that we need not have so much memory:
           its direct map ends at %s already.]], mib(machine.highmem),
         hex(direct_end()))
    expect_eq(direct_end() - direct.first, zone.HighMem.start_pfn * PAGE_SIZE,
              "the direct map ends where HighMem begins")
end

local function highmem()
    title "4. What HighMem costs"
    local page = alloc_page(GFP_HIGHUSER)
    sayf("A page for a user comes from HighMem: %s.", tostring(page))
    expect_eq(page:zone(), "HighMem", "it lies in HighMem")
    expect_eq(page_address(page), nil, "it has no address in the kernel")
    expect_eq(#mappings(page), 0, "nothing maps it")
    ask { "How can the kernel read what is in it?",
          "by its physical address", "it must map it first", "not at all",
          answer = 2,
          why = "Instructions use virtual addresses only. Another lesson shows kmap." }
    local va = kmap(page)
    sayf("kmap puts it into a window at %s, for as long as it is needed.", hex(va))
    expect(va >= region "persistent".first and va <= region "persistent".last,
           "the window lies in the region of kmap")
    expect_eq(#mappings(page), 1, "now one address maps it")
    expect_eq(mappings(page)[1].va, va, "the one that kmap answered")
    kunmap(page)
    __free_page(page)
    say [[Each access to HighMem costs this detour: an entry is written, later cleared,
          and TLBs must forget it. And the kernel's own data cannot lie there at all:
          page tables, inodes and sockets must fit into 896 MiB, however much memory
          there is. With 64-bit addresses all memory fits into the direct map; HighMem
          is gone there.]]
end

return lesson {
    title = "The kernel's 32-bit address space",
    summary = "Its regions, why the direct map ends at 896 MiB, what HighMem costs.",
    view = "space",
    machine = { arch = "i386", ram = "160M", highmem = "80M" },
    run = function()
        local direct = tour()
        direct_map(direct)
        limit(direct)
        highmem()
        title "Now you"
        say [[Ask for any address: whatis(0xc0100000), whatis(0xfff00000). Start the
              lesson with --set vmsplit=2g, or with --set ram=2G --set highmem=auto,
              and see where the borders go: address_space() lists them.]]
    end,
}
