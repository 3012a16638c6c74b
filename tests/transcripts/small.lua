-- What the transcripts debug: functions that call each other, notes, pages, objects,
-- memory that is stored to. Few lines, so that the transcripts stay short.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local ORDER = 3

local function take(order)
    local page = alloc_pages(GFP_KERNEL, order)
    return page
end

local function take_many(n)
    local pages = {}
    for i = 1, n do
        pages[i] = take(ORDER)
    end
    return pages
end

return lesson {
    title = "Small",
    machine = { arch = "i386", ram = "64M", highmem = "16M", cpus = 2 },
    run = function()
        title "Blocks"
        say "A block is taken, and another one."
        local pages = take_many(2)
        expect(pages[1]:order() == ORDER, "the block is of order 3")
        say "Objects."
        local address = kmalloc(100, GFP_KERNEL)
        write_u32(address, 0x1234)
        kfree(address)
        __free_pages(pages[1], ORDER)
    end,
}
