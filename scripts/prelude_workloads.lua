-- Workloads: random allocations, exhaustion, loops over memory. A part of prelude.lua's
-- chunk.
--
-- SPDX-License-Identifier: GPL-3.0-or-later

---- workloads ----

-- An array of {value, weight} or of plain values, as a function that draws one.
local function drawer(choices, what)
    local values, upto, total = {}, {}, 0
    check(type(choices) == "table" and #choices > 0, "workload: %s should be an array",
          what)
    for i, c in ipairs(choices) do
        local value, weight = c, 1
        if type(c) == "table" then
            value, weight = c[1], c[2] or 1
        end
        check(math.type(weight) == "integer" and weight > 0,
              "workload: a weight in %s is not a number above 0", what)
        total = total + weight
        values[i], upto[i] = value, total
    end
    return function(draw)
        local x = draw(total)
        for i = 1, #upto do
            if x <= upto[i] then
                return values[i]
            end
        end
    end
end

local default_orders = { { 0, 60 }, { 1, 15 }, { 2, 10 }, { 3, 7 }, { 4, 4 }, { 5, 2 },
                         { 6, 1 }, { 9, 1 } }

-- A generator of its own (the minimal standard one of Park and Miller), so that a
-- workload with a seed draws the same numbers wherever it stands in a script.
local function generator(seed)
    if seed == nil then
        return random
    end
    local state = seed % 2147483646 + 1
    return function(n)
        state = state * 48271 % 2147483647
        return state % n + 1
    end
end

-- Random allocations and frees until steps are done or a condition holds. Answers the
-- pages that are held then, an array of { page = , order = }, and counts.
function workload(w)
    w = w or {}
    check(type(w) == "table", "workload: needs a table of options")
    local steps, stop_when = w.steps, w.stop_when
    check(steps or stop_when,
          "workload: give steps = N or stop_when = function() ... end")
    local draw = generator(w.seed)
    local order_of = drawer(w.orders or default_orders, "orders")
    local gfp_of = drawer(w.gfp and (type(w.gfp) == "table" and w.gfp or { w.gfp })
                          or { GFP_KERNEL }, "gfp")
    local cpu_of = drawer(w.cpus or { smp_processor_id() }, "cpus")
    local most = w.max_held or 256
    local free_percent = w.free_percent or 45
    local held = w.held or {}
    local result = { held = held, allocated = 0, freed = 0, failed = 0, steps = 0 }
    while (not steps or result.steps < steps) and not (stop_when and stop_when(result)) do
        result.steps = result.steps + 1
        local cpu = cpu_of(draw)
        if #held > 0 and (#held >= most or draw(100) <= free_percent) then
            local i = draw(#held)
            local victim = held[i]
            held[i] = held[#held]
            held[#held] = nil
            on_cpu(cpu, __free_pages, victim.page, victim.order)
            result.freed = result.freed + 1
        else
            local order = order_of(draw)
            local page = on_cpu(cpu, alloc_pages, gfp_of(draw), order)
            if page then
                held[#held + 1] = { page = page, order = order }
                result.allocated = result.allocated + 1
            else
                result.failed = result.failed + 1
                if result.failed > (w.max_failed or math.huge) then
                    break
                end
            end
        end
    end
    return result
end

-- Allocate until NULL is answered or a limit is reached: the array of pages. A
-- condition can stop it earlier.
function exhaust(gfp, order, limit, stop_when)
    order = order or 0
    gfp = gfp | __GFP_NOWARN
    local pages = {}
    while #pages < (limit or math.huge) and not (stop_when and stop_when(pages)) do
        local page = alloc_pages(gfp, order)
        if not page then
            break
        end
        pages[#pages + 1] = page
    end
    return pages
end

-- Give back an array of pages (or of a workload's { page =, order = }), in the order of
-- the array.
function free_all(pages, order)
    for i = 1, #pages do
        local p = pages[i]
        if type(p) == "table" then
            __free_pages(p.page, p.order)
        else
            __free_pages(p, order or 0)
        end
        pages[i] = nil
    end
end

-- Take everything (or `limit` pages), then give back every second one: free memory
-- without a block of order 1. Answers the pages that stay allocated.
function fragment(gfp, limit)
    local pages = exhaust(gfp, 0, limit)
    table.sort(pages)
    local kept = {}
    for i, page in ipairs(pages) do
        if page:pfn() % 2 == 0 then
            kept[#kept + 1] = page
        else
            __free_pages(page, 0)
        end
    end
    drain_all_pages()
    return kept
end

---- loops over memory ----

local loads = { read_u8, read_u16, nil, read_u32, nil, nil, nil, read_u64 }
local stores = { write_u8, write_u16, nil, write_u32, nil, nil, nil, write_u64 }

-- An option that is a whole number.
local function whole(w, who, name, default, least)
    local v = w[name]
    v = v == nil and default or v
    check(math.type(v) == "integer" and v >= (least or v),
          "%s: %s should be a whole number%s, but is %s", who, name,
          least and (" from %d on"):format(least) or "", tostring(v))
    return v
end

-- The access that a loop repeats, as a function of the address.
local function accessor(w, who, element)
    check(type(w) == "table", "%s: needs a table, as in %s { base = va, ... }", who, who)
    local op, size = w.op or "read", math.min(element or w.element or 4, 8)
    check(op == "read" or op == "write" or op == "fetch",
          "%s: there is no op '%s': say \"read\", \"write\" or \"fetch\"", who,
          tostring(op))
    local fn = op == "fetch" and fetch or (op == "write" and stores or loads)[size]
    check(fn, "%s: element should be 1, 2, 4, 8 or more bytes, but is %s", who,
          tostring(element or w.element))
    local mode = w.mode
    return function(va, value)
        local done, fault
        if op == "write" then
            done, fault = fn(va, value or va, mode)
        else
            done, fault = fn(va, mode)
        end
        check(not fault, "%s: %s at 0x%x: is all of the range mapped?", who,
              fault and fault.text, va)
        return done
    end
end

-- What the CPU counted while fn ran, with what one looks at first on top.
local function counted(w, fn)
    local c = measure(fn)
    local l1, tlb = c.l1d, c.dtlb
    if w.op == "fetch" then
        l1, tlb = c.l1i, c.itlb
    end
    c.accesses, c.hits, c.misses, c.miss_rate = l1.access, l1.hit, l1.miss, l1.miss_rate
    c.cold, c.capacity, c.conflict = l1.cold, l1.capacity, l1.conflict
    c.tlb_misses = tlb.miss
    return c
end

-- n accesses, stride bytes apart, the whole of it `repeats` times.
function stride(w)
    local access = accessor(w, "stride")
    local base, step = whole(w, "stride", "base"), whole(w, "stride", "stride", 4)
    local n = whole(w, "stride", "n", nil, 1)
    local repeats = whole(w, "stride", "repeats", 1, 1)
    return counted(w, function()
        for _ = 1, repeats do
            for i = 0, n - 1 do
                access(base + i * step)
            end
        end
    end)
end

-- Every element of a matrix that lies in memory row by row: along its rows, along its
-- columns, or in squares of block by block elements, each of them by columns.
function matrix(w)
    local access = accessor(w, "matrix")
    local base = whole(w, "matrix", "base")
    local rows = whole(w, "matrix", "rows", nil, 1)
    local cols = whole(w, "matrix", "cols", rows, 1)
    local element = whole(w, "matrix", "element", 4, 1)
    local pitch = whole(w, "matrix", "pitch", cols * element, cols * element)
    local block = whole(w, "matrix", "block", 8, 1)
    local order = w.order or "rows"
    local function by_columns(r0, r1, c0, c1)
        for c = c0, c1 do
            for r = r0, r1 do
                access(base + r * pitch + c * element)
            end
        end
    end
    check(order == "rows" or order == "columns" or order == "blocked",
          "matrix: there is no order '%s': say \"rows\", \"columns\" or \"blocked\"",
          tostring(order))
    return counted(w, function()
        for _ = 1, whole(w, "matrix", "repeats", 1, 1) do
            if order == "rows" then
                for r = 0, rows - 1 do
                    by_columns(r, r, 0, cols - 1)
                end
            elseif order == "columns" then
                by_columns(0, rows - 1, 0, cols - 1)
            else
                for r = 0, rows - 1, block do
                    for c = 0, cols - 1, block do
                        by_columns(r, math.min(r + block, rows) - 1,
                                   c, math.min(c + block, cols) - 1)
                    end
                end
            end
        end
    end)
end

-- n accesses to random elements of a range.
function random_walk(w)
    local access = accessor(w, "random_walk")
    local base = whole(w, "random_walk", "base")
    local element = whole(w, "random_walk", "element", 4, 1)
    local elements = whole(w, "random_walk", "size", nil, element) // element
    local n, draw = whole(w, "random_walk", "n", nil, 1), generator(w.seed)
    return counted(w, function()
        for _ = 1, n do
            access(base + (draw(elements) - 1) * element)
        end
    end)
end

-- A list through a range, a node in each element, in random order: each holds the
-- address of the next. It is written first (not counted, unless it is there already:
-- build = false), then followed for n steps (once around). Answers where it ended, too.
function pointer_chase(w)
    local word = machine.arch == "x86_64" and 8 or 4
    local access = accessor(w, "pointer_chase", word)
    check(w.op == nil or w.op == "read", "pointer_chase: following a list is reading")
    local base = whole(w, "pointer_chase", "base")
    local element = whole(w, "pointer_chase", "element", 64, word)
    local nodes = whole(w, "pointer_chase", "size", nil, element) // element
    local n, at = whole(w, "pointer_chase", "n", nodes, 1),
        whole(w, "pointer_chase", "from", base)
    if w.build ~= false then
        local draw, ring, link = generator(w.seed), {}, {}
        for i = 1, nodes do
            ring[i] = i - 1
        end
        for i = nodes, 2, -1 do
            local j = draw(i)
            ring[i], ring[j] = ring[j], ring[i]
        end
        for i = 1, nodes do
            link[ring[i]] = ring[i % nodes + 1]
        end
        local store = accessor({ op = "write", mode = w.mode }, "pointer_chase", word)
        for i = 0, nodes - 1 do
            store(base + i * element, base + link[i] * element)
        end
    end
    local c = counted(w, function()
        for _ = 1, n do
            at = access(at)
        end
    end)
    c.at = at
    return c
end
