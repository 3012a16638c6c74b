-- Loops over memory: what they touch, in which order, and what they answer. The machine
-- is the usual one; 16 KiB of L1D, 4 ways, lines of 32 bytes.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function addresses(kind, fn)
    local list = {}
    on(kind or "cpu:access", function(ev) list[#list + 1] = ev.va end)
    local c = fn()
    off()
    return list, c
end

local function fails(fn, text)
    local ok, message = pcall(fn)
    expect(not ok and tostring(message):find(text, 1, true), tostring(message))
end

return lesson {
    title = "Loops over memory",
    machine = { arch = "i386", ram = "64M" },
    run = function()
        local d = cpu().l1d
        local size = 2 * d.size
        local base = vmalloc(size)
        local function run(loop, w)
            w.base, w.mode = w.base or base, "kernel"
            return addresses(w.event, function() return loop(w) end)
        end

        local list, c = run(stride, { stride = d.line, n = d.nr_lines, repeats = 2 })
        expect_eq(#list, 2 * d.nr_lines, "stride: n times repeats accesses")
        expect(list[2] == base + d.line and list[d.nr_lines + 1] == base, "in order")
        expect_eq(c.accesses, 2 * d.nr_lines)
        expect_eq(c.misses, d.nr_lines, "the second round hits")
        expect_eq(c.hits, d.nr_lines)
        expect(not c.cycles or c.amat == c.cycles.total / c.accesses,
               "amat is of the loop")
        expect_eq(c.miss_rate, 0.5)
        list, c = run(stride, { stride = -4, base = base + 8, n = 3, op = "write" })
        expect(list[1] == base + 8 and list[3] == base, "a stride may go down")
        expect_eq(read_u32(base + 4, "kernel"), base + 4, "written: its own address")
        expect_eq(c.l1d.writes, 3)
        list, c = run(stride, { n = 4, op = "fetch" })
        expect_eq(c.l1i.access, 4, "fetches go to the instruction cache")
        expect_eq(c.accesses, 4)

        list = run(matrix, { rows = 2, cols = 3 })
        expect_eq(list[3] - base, 8)
        list = run(matrix, { rows = 2, cols = 3, order = "columns", pitch = 64 })
        expect(list[2] == base + 64 and list[3] == base + 4,
               "down a column, then the next")
        list = run(matrix, { rows = 3, cols = 5, order = "blocked", block = 2 })
        table.sort(list)
        local all = #list == 15
        for i, va in ipairs(list) do
            all = all and va == base + 4 * (i - 1)
        end
        expect(all, "blocks that do not fit: every element once")

        list = run(random_walk, { size = 4096, n = 200, seed = 7, element = 8 })
        local inside = #list == 200
        for _, va in ipairs(list) do
            inside = inside and va >= base and va < base + 4096 and va % 8 == 0
        end
        expect(inside, "random_walk stays inside")
        expect_eq(run(random_walk, { size = 4096, n = 200, seed = 7, element = 8 })[99],
                  list[99], "the same seed, the same walk")

        list, c = run(pointer_chase, { size = 4096, element = 64, seed = 3 })
        expect_eq(c.accesses, 64, "writing the list is not counted")
        expect_eq(c.at, base, "once around")
        local seen, nodes = {}, 0
        for i = #list - 63, #list do
            nodes = nodes + (seen[list[i]] and 0 or 1)
            seen[list[i]] = true
        end
        expect_eq(nodes, 64, "through every node")
        list, c = run(pointer_chase, { size = 4096, n = 5, build = false })
        expect_eq(#list, 5)
        expect_eq(c.at, read_u32(list[5], "kernel"), "it ends where the last one points")

        fails(function() stride { base = base } end, "stride: n should be a whole number")
        fails(function() stride { base = base, n = 1, element = 3 } end, "element")
        fails(function() stride { base = 4096, n = 1 } end, "is not present at 0x1000")
        fails(function() matrix { base = base, rows = 1, order = "x" } end,
              "no order 'x'")
        fails(function() stride(7) end, "stride { base")
    end,
}
