-- What a switch to another process does to the TLB, and why kmap's window survives it.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local USER = 0x10000000

local function entries(what)
    local global, private = 0, 0
    for _, e in ipairs(tlb("dtlb"):entries()) do
        global = global + (e.global and 1 or 0)
        private = private + (e.global and 0 or 1)
    end
    sayf("%s: %d global entries in the data TLB, %d of the process.", what, global,
         private)
    return global, private
end

return lesson {
    title = "A process switch and the kernel's windows",
    summary = "Global entries: the direct map, vmalloc and kmap survive a CR3 load.",
    view = "hardware",
    machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 2 },
    run = function()
        title "1. Two processes and one kernel"
        local a, b = process(), process()
        for _, p in ipairs { a, b } do
            p:map(USER, alloc_page(GFP_HIGHUSER))
        end
        a:switch()
        local low = page_address(alloc_page(GFP_KERNEL))
        local far = vmalloc(PAGE_SIZE)
        local page = alloc_page(GFP_HIGHUSER)
        local window = kmap(page)
        say [[Process A runs. It uses a page of its own; on its behalf the kernel uses
              a page of the direct map, one of vmalloc, and a page of HighMem that kmap
              has put into its window.]]
        write_u32(USER, 1)
        for i, va in ipairs { low, far, window } do
            write_u32(va, 10 * i)
        end
        local global, private = entries "Before the switch"
        expect(global >= 3 and private >= 1, "the kernel's entries are global")
        ask { "The kernel switches to process B: it loads CR3. Which of the four pages "
              .. "can B's kernel code use without a walk?",
              "none", "the direct map only", "all three of the kernel's",
              answer = 3,
              why = "All mappings of the kernel have the flag G; a CR3 load keeps them." }
        title "2. The switch"
        b:switch()
        local kept, left = entries "After the switch"
        expect_eq(left, 0, "the process's entries are gone")
        expect(kept >= 3, "the global ones are still there")
        for _, p in ipairs { { low, "the direct map" }, { far, "vmalloc" },
                             { window, "kmap's window" } } do
            read_u32(p[1])
            expect_eq(access().translation ~= "walk", true, p[2] .. ": no walk")
        end
        write_u32(USER, 2)
        expect_eq(access().translation, "walk", "B's own page: a walk")
        title "3. Right for everybody"
        say [[This is allowed because the kernel's half is the same in all processes. An
              entry of B that said something else for such an address would never be
              seen: the global one stays in the TLB.]]
        for i, va in ipairs { low, far, window } do
            expect_eq(read_u32(va), 10 * i, ("page %d: the same bytes in B"):format(i))
        end
        title "4. But then it must be flushed everywhere"
        say [[What survives a switch does not go away by itself. When the kernel unmaps
              something of its own, no process switch will ever clean the TLBs: every
              CPU must be told, by an interrupt if need be.]]
        on_cpu(1, function()
            b:switch()
            read_u32(far)
        end)
        expect(cpu(1).dtlb:find(far), "CPU 1 has vmalloc's page in its TLB, too")
        ask { "The kernel frees the page and flushes. Whose TLBs must forget it?",
              "CPU 0's, which frees it", "those of both CPUs",
              answer = 2,
              why = "A global entry stays at every switch, on each CPU that has it." }
        vfree(far)
        vm_unmap_aliases()
        expect(not cpu(0).dtlb:find(far), "after vfree and the flush CPU 0 has lost it")
        expect(not cpu(1).dtlb:find(far), "and so has CPU 1")
        kunmap(page)
        expect(cpu(0).dtlb:find(window),
               "kunmap flushes nothing: the window waits for the next wrap")
        a:switch()
        expect_eq(read_u32(USER), 1, "process A goes on with its own page")
        title "Now you"
        say [[Let the kernel forget a flush: forget_flush "vmalloc". Free an area, let
              somebody else have its page, and read through the old address.]]
    end,
}
