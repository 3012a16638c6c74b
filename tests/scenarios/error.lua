-- SPDX-License-Identifier: GPL-3.0-or-later
local function deep(n)
    if n == 0 then
        error "alas"
    end
    return deep(n - 1) + 1
end

return scenario {
    machine = { ram = "32M", highmem = "0" },
    run = function()
        say "quotes \" backslash \\ tab \t bell \7 bytes \255\254 and Ünïcödé"
        alloc_pages(GFP_KERNEL, 0)
        deep(2)
    end,
}
