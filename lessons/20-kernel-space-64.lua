-- The kernel's address space on 64 bits, and why HighMem is gone.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function region(name)
    for _, r in ipairs(address_space()) do
        if r.name:find(name, 1, true) then
            return r
        end
    end
end

local function size(r) return r.last - r.first + 1 end

return lesson {
    title = "The kernel's 64-bit address space",
    summary = "Two halves, a direct map of all memory, large pages, the frame table.",
    view = "space",
    machine = { arch = "x86_64", ram = "256M" },
    run = function()
        title "1. Two halves and a gap"
        local lines = {}
        for _, r in ipairs(address_space()) do
            lines[#lines + 1] = ("  %016x  %s"):format(r.first, r.name)
        end
        say [[Of the 64 bits of an address, 48 are used with four levels of page tables.
              The upper bits must repeat bit 47. So there is a lower half for user space,
              an upper one for the kernel, 128 TiB each, and nothing between them.]]
        print(table.concat(lines, "\n"))
        expect_eq(size(region "user"), 1 << 47, "user space has 128 TiB")
        local _, fault = read_u8(0x0000900000000000)
        expect(fault and fault.kind ~= "page fault",
               "between them: " .. (fault and fault.kind or ""))
        title "2. All memory at once"
        local direct = region "direct"
        local page = alloc_page(GFP_HIGHUSER)
        local va = page_address(page)
        sayf([[The direct map begins at %s, and there is room for 64 TiB. This machine's
               %d MiB are lost in it. A page for a user, asked for with GFP_HIGHUSER: it
               has its address %s, as every page has.]], hex(direct.first),
             machine.ram >> 20, hex(va))
        expect(not has_zone "HighMem", "there is no zone HighMem")
        expect_eq(va, direct.first + page:phys(), "virtual = physical + PAGE_OFFSET")
        expect_eq(kmap(page), va, "kmap has nothing to do")
        kunmap(page)
        write_u64(va, 42)
        expect_eq(read_u64(va), 42, "the kernel uses it at once")
        ask { "How large would memory have to be for HighMem to be needed again?",
              "4 GiB", "1 TiB", "more than 64 TiB",
              answer = 3,
              why = "Then it would not fit into the direct map." }
        title "3. Large pages"
        local steps = walk(va)
        ask { "This machine has four levels of page tables. How many entries does a walk "
              .. "in the direct map read?", "three", "four",
              answer = 1,
              why = "The direct map is made of large pages: the walk ends at the PD." }
        sayf("The walk for this page: %d entries, then a page of %d KiB.", #steps,
             steps.size >> 10)
        expect_eq(#steps, 3, "PML4, PDPT, PD: three entries, not four")
        expect_eq(steps.size, 2 << 20, "an entry of the PD maps 2 MiB")
        expect(steps[3].words:find("global", 1, true), "and is global")
        expect(steps[3].words:find("no execute", 1, true), "and holds no code")
        say [[For the direct map the kernel takes the largest pages that fit: fewer
              tables, and one TLB entry for 512 frames.]]
        title "4. The frame table"
        local map = region "vmemmap"
        local where = map.first + page:pfn() * 64
        sayf([[For each frame the kernel has a struct page of 64 bytes. On 64 bits these
               lie in one array at %s, mapped where there is memory: vmemmap. Ours is
               the one at %s.]], hex(map.first), hex(where))
        expect(where >= map.first and where <= map.last, "it lies in that region")
        expect(walk(where).pa, "and is mapped: page_to_pfn is a subtraction")
        title "5. vmalloc and the image"
        local v = vmalloc(3 * PAGE_SIZE)
        expect(v >= region "vmalloc".first, "vmalloc has 32 TiB of its own: " .. hex(v))
        vfree(v)
        local image = region "kernel image"
        local text = walk(image.first + (16 << 20))
        sayf("The kernel's own text is mapped a second time, at %s.", hex(image.first))
        expect(text.pa, "its frames have an address in the direct map as well")
        title "Now you"
        say [[Start it with --set la57=true: five levels, and everything moves. Or with
              --set ram=1T: how many tables does the direct map take? page_tables()
              shows the whole kernel half as the kernel prints it.]]
    end,
}
