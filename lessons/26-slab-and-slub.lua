-- SLAB and SLUB: one script, run on a machine with each, the numbers side by side.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local SIZE, MANY = 200, 90

local function pages_of_all_caches()
    local n = 0
    for _, c in ipairs(kmem_caches()) do
        n = n + (c.num_slabs << c.order)
    end
    return n
end

-- The script itself. It writes into r what it measures; tell, if there is one, is called
-- behind each of its stages.
local function script(tell)
    local r, held = {}, {}
    local function stage(name)
        if tell then
            tell(name, r)
        end
    end

    kmem_cache_init()
    r.caches, r.boot_pages = #kmem_caches(), pages_of_all_caches()
    local cache = kmem_cache_create("request", SIZE)
    r.size, r.num, r.order = cache.size, cache.num, cache.order
    r.freelist = cache.freelist
    drain_all_pages()
    stage "create"

    held[1] = cache:alloc()
    r.first = #events()
    stage "first"
    for i = 2, 4 do
        held[i] = cache:alloc()
        r.hit = #events()
    end
    r.step = held[2] - held[1]
    stage "second"

    for _, object in ipairs(cache:alloc_bulk(MANY - 4)) do
        held[#held + 1] = object
    end
    r.slabs, r.in_use = cache.num_slabs, cache.in_use
    r.spare = cache.num_slabs * cache.num - cache.in_use
    stage "many"

    cache:free(held[1]) -- its slab was filled long ago
    r.free_old = #events()
    r.old_state = object_at(held[1]).state
    local next_one = cache:alloc()
    r.old_next = next_one == held[1]
    held[1] = next_one
    stage "free"

    held[#held + 1] = on_cpu(1, function() return cache:alloc() end)
    r.cpu1 = #events()
    stage "cpu 1"

    cache:free_bulk(held)
    r.left = cache.num_slabs
    r.empty = cache:shrink()
    stage "all"
    return r
end

local told = {
    slab = {
        create = [[SLAB keeps a freelist of bytes at the end of each slab, and for each
            CPU an array of pointers to free objects.]],
        first = [[The array was empty: cache_alloc_refill. A slab was made, and a batch of
            its objects went into the array.]],
        second = [[The array's last pointer is the answer. The slab is not touched.]],
        free = [[The object's pointer is in the CPU's array again. Whose slab it is from
            does not matter.]],
    },
    slub = {
        create = [[SLUB has no arrays and no freelist of its own: in each free object
            there is the address of the next one.]],
        first = [[The CPU had no slab: ___slab_alloc. A slab was made, and it is this
            CPU's: frozen.]],
        second = [[The first object on the freelist is the answer, and the address in it
            is the first one now.]],
        free = [[The object went back on the freelist of its own slab, which is not the
            CPU's. __slab_free froze that slab and put it aside for this CPU.]],
    },
}

local function row(name, slab, slub)
    return ("  %-31s %5s %5s"):format(name, tostring(slab), tostring(slub))
end

local function table_of(a, b)
    local function yes(v) return v and "yes" or "no" end
    print(table.concat({
        "Measured, the same script on both:",
        row("", "SLAB", "SLUB"),
        row("caches after the boot", a.caches, b.caches),
        row("pages in all of them", a.boot_pages, b.boot_pages),
        row("bytes an object of 200 takes", a.size, b.size),
        row("objects a slab", a.num, b.num),
        row("bytes to the next object", a.step, b.step),
        row("events of the first allocation", a.first, b.first),
        row("events of one that hits", a.hit, b.hit),
        row(("slabs for %d objects"):format(MANY), a.slabs, b.slabs),
        row("events of freeing an old object", a.free_old, b.free_old),
        row("does it go out next?", yes(a.old_next), yes(b.old_next)),
        row("events of CPU 1's first", a.cpu1, b.cpu1),
        row("slabs left when all are freed", a.left, b.left),
    }, "\n"))
end

return lesson {
    title = "SLAB and SLUB side by side",
    summary = "One script on two machines: layout, paths, addresses, what stays behind.",
    view = "objects",
    machine = { arch = "x86_64", ram = "256M", cpus = 2, slab = "slab" },
    run = function()
        local here, there = machine.slub and "slub" or "slab",
                            machine.slub and "slab" or "slub"
        title "1. One script, two kernels"
        sayf([[Linux 6.1 can be built with SLAB or with SLUB (SLOB was for tiny machines).
              Both have the same calls. So one script runs on both: it makes a cache of
              %d-byte objects, takes %d of them and gives them back. First on this
              machine, which has %s; step through it (s).]], SIZE, MANY, here:upper())
        local mine = script(function(name, r)
            local text = told[here][name]
            if text then
                say(text)
            end
            if name == "create" then
                sayf("The freelist: %s. A slab is %d page with %d objects.", r.freelist,
                     1 << r.order, r.num)
            elseif name == "second" then
                sayf("%d events where the first call had %d.", r.hit, r.first)
            elseif name == "many" then
                sayf([[%d objects are out, in %d slabs, and %d are spare. Now the oldest
                      is freed; the CPU is busy with other slabs by now.]], r.in_use,
                     r.slabs, r.spare)
                ask { "The oldest is freed, and one is allocated. Is it the same?",
                      "yes", "no",
                      answer = here == "slab" and 1 or 2,
                      why = here == "slab" and "The array is last in, first out."
                          or "The CPU goes on with its own slab's freelist." }
            end
        end)
        expect_eq(mine.in_use, MANY, "all that were asked for are out")
        expect(mine.empty, "and in the end nothing is left")

        title "2. The same on the other"
        sayf([[Now the same script on a machine that has %s and is otherwise the same. It
              runs beside this one, so there is nothing to step through; --set slab=%s
              shows it step by step.]], there:upper(), there)
        local its = on_machine({ slab = there }, script)
        local a, b = mine, its
        if here == "slub" then
            a, b = its, mine
        end
        table_of(a, b)

        title "3. Where free objects are"
        expect_eq(a.size, b.size, "an object takes as many bytes with both")
        expect_eq(a.num, b.num, "and as many of them fit into a page")
        expect_eq(a.step, -a.size, "SLAB: downwards; a batch goes into the array from "
            .. "the lowest on, and the last one comes out first")
        expect_eq(b.step, b.size, "SLUB: upwards, along the chain through the new slab")
        ask { "What does a wild write to a free object damage first?",
              "SLAB's freelist", "SLUB's freelist", "neither",
              answer = 2,
              why = [[SLUB's chain is in the free objects. SLAB's bytes are at the end of
                      the slab, behind the last object.]] }

        title "4. Paths"
        expect(a.hit * 10 < a.first and b.hit * 10 < b.first,
               "both: a hit is a fraction of the first call")
        expect_eq(a.old_state, "in an array", "SLAB: the freed object is in the array")
        expect(a.old_next, "and goes out next, though its slab is another one")
        expect_eq(b.old_state, "free", "SLUB: it is on its slab's freelist")
        expect(not b.old_next, "and the CPU goes on with the slab that it has")
        expect(b.free_old > a.free_old, "so that free is the longer one with SLUB")
        say [[SLAB keeps what was used last close to the CPU: the object's lines are
              likely to be in its caches. SLUB keeps objects of one page together: a slab
              is empty sooner, and its page is free again.]]

        title "5. What it costs to have a cache"
        expect(a.boot_pages > b.boot_pages,
               ("after the boot SLAB's caches have %d pages, SLUB's %d"):format(
                   a.boot_pages, b.boot_pages))
        say [[SLAB kmallocs a node and a shared array for each cache, so its first slabs
              are its own. And each array may hold free objects that nobody uses, in every
              CPU and every cache: cache_reap has to look through them all, again and
              again. SLUB was written to have no such queues.]]
        expect(a.left > 0 and b.left > 0, "both keep slabs when all objects are freed")
        sayf([[%d slabs and %d slabs stay: SLAB up to free_limit free objects and what is
              in arrays, SLUB min_partial slabs on the node and the CPUs' partial ones.
              kmem_cache_shrink gives them back in both.]], a.left, b.left)
        expect(a.empty and b.empty, "nothing is left in either then")

        title "Now you"
        sayf([[Run this lesson with --set slab=%s, and step through the other's paths. Or
              write a script of your own: on_machine({ slab = "%s" }, f) runs f there and
              answers what f answers. Which has the shorter path when CPU 1 frees what
              CPU 0 allocates?]], there, there)
    end,
}
