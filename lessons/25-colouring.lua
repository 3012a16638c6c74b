-- Slab colouring: why two slabs' first objects do not begin at the same place, and what
-- the caches make of it, measured.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local SLABS = 16

-- A cache with so many slabs, all of them full; its slabs by address, and all objects.
local function fill(name, size, slabs)
    local cache, objects = kmem_cache_create(name, size), {}
    for i = 1, slabs * cache.num do
        objects[i] = cache:alloc()
    end
    local list = cache:slabs()
    table.sort(list, function(a, b) return a.s_mem < b.s_mem end)
    table.sort(objects)
    return cache, list, objects
end

local function firsts(list)
    local at = {}
    for i, slab in ipairs(list) do
        at[i] = slab.s_mem
    end
    return at
end

-- In how many sets of L1D do the first lines of these lie?
local function nr_sets(addresses)
    local sets, n = {}, 0
    for _, va in ipairs(addresses) do
        local set = cpu().l1d:set_of(va)
        n = n + (sets[set] and 0 or 1)
        sets[set] = true
    end
    return n
end

-- The first word of each, once to load them and four times counted.
local function misses(addresses)
    local function pass()
        for _, va in ipairs(addresses) do
            read_u32(va)
        end
    end
    pass()
    local c = measure(function()
        for _ = 1, 4 do
            pass()
        end
    end)
    return c.l1d.miss, c.l1d.access, c.cycles.total
end

local function without()
    title "1. Without colour"
    local l1 = cpu().l1d
    sayf([[L1D has %d sets of %d ways, lines of %d bytes. Addresses %d bytes apart, a
           page, compete for the same set.

           Objects often have one field that is used most, and it is often the first. A
           cache of objects of 1024 bytes: four of them fill a page.]], l1.sets, l1.ways,
         l1.line, l1.size // l1.ways)
    local cache, list, objects = fill("plain", 1024, SLABS)
    expect_eq(cache.num * cache.size, PAGE_SIZE << cache.order, "nothing is left over")
    expect_eq(cache.colour, 0, "so there is no colour")
    local first = firsts(list)
    expect_eq(nr_sets(first), 1,
              ("the first objects of %d slabs: all begin in the same set"):format(SLABS))
    ask { ("A loop reads the first word of these %d objects, again and again. L1D holds "
           .. "%d lines. How many accesses miss?"):format(SLABS, l1.nr_lines),
          "none", "one in four", "all",
          answer = 3,
          why = ("%d lines compete for %d ways; the other %d sets are not used at all.")
              :format(SLABS, l1.ways, l1.sets - 1) }
    local miss, access, cycles = misses(first)
    expect_eq(miss, access, ("%d of %d accesses miss"):format(miss, access))
    return cycles, objects
end

local function with(plain_cycles)
    title "2. With colour"
    local l1 = cpu().l1d
    say [[Jeff Bonwick's slab allocator (1994) had the answer: what is left over in a
          slab may lie at its end, or before its first object. Let each slab have a bit
          more of it in front than the one before. Each step is a cache line
          (colour_off). How many such places there are is called colour.]]
    local cache, list, objects = fill("coloured", 960, SLABS)
    expect_eq(cache.num, 4, "960 bytes: four objects a page, too")
    local left = (PAGE_SIZE << cache.order) - cache.num * cache.size
    expect_eq(cache.colour, left // cache.colour_off,
              ("%d bytes are left over: %d colours of %d bytes")
                  :format(left, cache.colour, cache.colour_off))
    local rows = {}
    for i = 1, 6 do
        rows[i] = ("  page %s   colour %3d   set %2d"):format(
            hex(list[i].page:pfn()), list[i].colour, l1:set_of(list[i].s_mem))
    end
    print(table.concat(rows, "\n"))
    local first = firsts(list)
    expect(first[2] % PAGE_SIZE == (first[1] + cache.colour_off) % PAGE_SIZE,
           "the second slab's first object begins a line further")
    expect(first[5] % PAGE_SIZE == first[1] % PAGE_SIZE,
           "the fifth begins where the first did: colour_next went round")
    expect_eq(nr_sets(first), cache.colour, "the first objects lie in four sets")
    ask { ("The same loop over %d first objects, %d in each of these sets of %d ways. "
           .. "How many accesses miss?"):format(SLABS, SLABS // cache.colour, l1.ways),
          "none", "one in four", "all",
          answer = 1,
          why = "Each set has just as many ways as lines that want it." }
    local miss, access, cycles = misses(first)
    expect_eq(miss, 0, ("0 of %d accesses miss"):format(access))
    expect(cycles < plain_cycles, ("cycles: %d without colour, %d with it")
        :format(plain_cycles, cycles))
    return objects
end

local function all_objects(plain, coloured)
    title "3. All objects"
    say [[Not only the first ones: now the first word of all objects. Here the size itself
          helps, too: 1024 is a power of two, 960 is 15 lines.]]
    expect_eq(nr_sets(plain), 4, ("%d objects of 1024 bytes: 4 sets"):format(#plain))
    expect_eq(nr_sets(coloured), 16, ("%d objects of 960 bytes: 16 sets")
        :format(#coloured))
    local miss, access = misses(plain)
    expect_eq(miss, access, ("1024: %d of %d accesses miss"):format(miss, access))
    miss, access = misses(coloured)
    expect_eq(miss, 0, ("960: %d of %d"):format(miss, access))
    say [[The same number of objects in the same number of pages, and smaller by a
          sixteenth.]]
end

local function only_what_is_left()
    title "4. Only what is left over"
    say [[Colour costs no memory: the kernel never takes more pages for it. So the number
          of colours is an accident of the size.]]
    local rows = { "   size  order  objects  left over  colours" }
    for _, size in ipairs { 512, 960, 1280, 1360, 1400, 1800 } do
        local c = kmem_cache_create("size-" .. size, size)
        local left = (PAGE_SIZE << c.order) - c.num * c.size
        rows[#rows + 1] = ("  %5d  %5d  %7d  %9d  %7d"):format(c.size, c.order, c.num,
                                                              left, c.colour)
    end
    print(table.concat(rows, "\n"))
    ask { "Objects of 2000 bytes: two in a page, 96 bytes left over, so colour is 1. At "
          .. "how many places does a slab's first object begin?",
          "one", "two",
          answer = 1,
          why = "colour 1 means offset 0 and no other: colour_next goes 0, 0, 0 ..." }
    local cache, list = fill("one-colour", 2000, SLABS)
    expect_eq(cache.colour, 1, "one colour")
    expect_eq(nr_sets(firsts(list)), 1, "one place: one colour is no colour")
    local miss, access = misses(firsts(list))
    expect_eq(miss, access, ("%d of %d accesses miss, as without"):format(miss, access))
    cache, list = fill("many-colours", 1400, SLABS)
    expect(cache.colour >= SLABS, ("objects of 1400 bytes: %d colours")
        :format(cache.colour))
    expect_eq(nr_sets(firsts(list)), SLABS, "each of the slabs has a set of its own")
    expect_eq((misses(firsts(list))), 0, "and nothing misses")
    say [[Processors' caches have more ways by now, and conflicts of this kind have become
          rarer. SLUB has no colours.]]
end

return lesson {
    title = "Slab colouring",
    summary = "Cache conflicts between slabs, with colour and without, measured.",
    view = "hardware",
    machine = { arch = "x86_64", ram = "256M", cpus = 1,
                cpu = { l1d = { size = "16K", ways = 4, line = 64 }, l2 = "none",
                        cost = "flat" } },
    run = function()
        local cycles, plain = without()
        local coloured = with(cycles)
        all_objects(plain, coloured)
        only_what_is_left()
        title "Now you"
        say [[Try it with other caches, in a copy of this lesson: with 8K and 2 ways, four
              colours are too few for 16 slabs; with 32K and 8 ways, how many slabs can
              do without any? The pane Cache (5) shows a set a row.]]
    end,
}
