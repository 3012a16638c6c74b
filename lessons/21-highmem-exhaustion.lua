-- Low memory runs out while HighMem is free: page tables and bounce buffers.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function mib(pages) return ("%.1f MiB"):format(pages * PAGE_SIZE / 2 ^ 20) end

-- Free pages, those on the CPU's own lists included.
local function left(z) return z.free + z.pcp_pages end

local function balance(what)
    sayf("%s: Normal %s free, HighMem %s free.", what, mib(left(zone.Normal)),
         mib(left(zone.HighMem)))
end

local function user_pages(p)
    title "1. User pages"
    local normal, high = left(zone.Normal), left(zone.HighMem)
    balance "At the beginning"
    local base = p:mmap(64 * PAGE_SIZE)
    for i = 0, 63 do
        write_u32(base + i * PAGE_SIZE, i)
    end
    balance "A process has touched 64 pages"
    expect(high - left(zone.HighMem) >= 64, "its pages came from HighMem")
    expect(normal - left(zone.Normal) < 16, "Normal has hardly been touched")
end

local function tables(p)
    title "2. Page tables"
    ask { "Each page that a process touches needs an entry in a page table. Which zone "
          .. "are the tables in?", "HighMem", "Normal",
          answer = 2,
          why = "Without CONFIG_HIGHPTE the kernel wants them in its direct map." }
    local before, normal, high = p.tables, left(zone.Normal), left(zone.HighMem)
    local n = 40
    local wide = p:mmap(n * (4 << 20), "rw", 0x10000000)
    for i = 0, n - 1 do
        write_u32(wide + i * (4 << 20), i)
    end
    sayf([[The process has touched %d pages, 4 MiB apart. Each lies in the part of
           another table.]], n)
    local made = p.tables - before
    expect_eq(made, n, "a table for each of them")
    expect(normal - left(zone.Normal) >= made, "the tables came from Normal")
    expect(high - left(zone.HighMem) >= n, "the pages themselves from HighMem")
    balance "Now"
    say [[So sparse use costs low memory: one page of Normal for one of HighMem. On a
          machine with 16 GiB and 896 MiB of low memory that was the usual way to end.]]
end

local function bounce()
    title "3. Bounce buffers"
    say [[A disk's driver that cannot reach HighMem gets a copy of the page in low
          memory: a bounce buffer. What is written is copied before, what is read is
          copied afterwards.]]
    local page = alloc_page(GFP_HIGHUSER)
    local va = kmap(page)
    write_u32(va, 0xd15c)
    kunmap(page)
    local normal = left(zone.Normal)
    local copy = blk_queue_bounce(page, true)
    expect(copy ~= page, "the I/O gets another page: " .. tostring(copy))
    expect_eq(copy:zone(), "Normal", "it lies in Normal")
    expect(left(zone.Normal) < normal, "which has less for as long as the I/O lasts")
    expect_eq(read_u32(page_address(copy)), 0xd15c, "with the bytes of the page")
    bounce_end_io(copy)
    local low = alloc_page(GFP_KERNEL)
    expect_eq(blk_queue_bounce(low, true), low, "a page of low memory needs no copy")
end

local function the_end()
    title "4. Out of memory, with memory free"
    local blocks, held = exhaust(GFP_KERNEL | __GFP_NOWARN, 5), {}
    for order = 4, 0, -1 do
        held[order] = exhaust(GFP_KERNEL | __GFP_NOWARN, order)
    end
    balance "The kernel has taken all of low memory that it may"
    expect(zone.HighMem.free > 10 * zone.Normal.free, "HighMem is free as before")
    ask { "The kernel asks for one page more, with GFP_KERNEL. What does it get?",
          "a page of HighMem", "NULL", answer = 2,
          why = "The kernel's own data must not lie in HighMem, however much there is." }
    expect_eq(alloc_page(GFP_KERNEL | __GFP_NOWARN), nil, "NULL")
    local page = alloc_page(GFP_HIGHUSER)
    expect(page and page:zone() == "HighMem", "a user still gets pages")
    say [[The OOM killer comes, and free(1) shows gigabytes free. Who counts only free
          pages does not understand; who looks at the zones does.]]
    free_all(blocks, 5)
    for order = 0, 4 do
        free_all(held[order], order)
    end
end

return lesson {
    title = "Low memory runs out",
    summary = "Page tables and bounce buffers take Normal while HighMem is free.",
    machine = { arch = "i386", ram = "128M", highmem = "56M" },
    run = function()
        local p = process()
        p:switch()
        user_pages(p)
        tables(p)
        bounce()
        the_end()
        title "Now you"
        say [[Let the process exit (p:exit() in the middle of the lesson, at the console)
              and see which zone gets its pages back, and which its tables.]]
    end,
}
