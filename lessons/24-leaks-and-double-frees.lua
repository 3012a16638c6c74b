-- Finding bugs with objects: a leak, a double free, one that nobody reports, a free to
-- the wrong cache; and going back to where they began.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local function open_session(cache, nr)
    local s = cache:alloc()
    write_u64(s, nr)
    return s
end

-- Closes a session. The way out for a broken connection comes too early.
local function close_session(cache, s, broken)
    if broken then
        return
    end
    cache:free(s)
end

local function leak()
    title "1. A leak"
    say [[A driver has a cache for its sessions. It opens and closes some of them, and
          when it is unloaded it destroys the cache.]]
    local cache = kmem_cache_create("session", 200)
    local open = {}
    for i = 1, 6 do
        open[i] = open_session(cache, i)
    end
    for i, s in ipairs(open) do
        close_session(cache, s, i == 4)
    end
    expect_eq(cache.in_use, 1, "all are closed, the driver thinks; in_use says 1")
    ask { "kmem_cache_destroy, with an object that nobody has freed. What happens?",
          "the object is freed with the cache", "a report, and the cache stays",
          "the kernel crashes later",
          answer = 2,
          why = [[Somebody may still have a pointer to it. To leak the slab is bad, to
                  give its page away would be worse.]] }
    cache:destroy()
    local report = events "slab:leak"[1]
    expect(report, "Slab cache still has objects when called")
    expect_eq(report.objects, 1, "one object")
    expect(kmem_cache "session", "the cache is still there")
    local left = events "slab:left"[1]
    expect_eq(left.ptr, open[4], "slab:left names it: " .. hex(left.ptr))
    local o = object_at(left.ptr)
    expect(o.state == "in use" and o.alloc_op == left.op,
           ("object %d of its slab, allocated by operation %d")
               :format(o.number, o.alloc_op))
    sayf([[:report shows the whole report. Now go back to where it began: :goto %d, and
           the object has just been allocated. :locals shows the script's variables
           there, nr is 4, and who called. From there n goes on by a line, S goes back by
           a step; . comes back to here. What is done with the other sessions later,
           and not with this one?]], o.alloc_op)
end

local function double(cache)
    title "2. A double free"
    local a = open_session(cache, 0xa)
    say [[Two ways out of a function, and both free the object.]]
    cache:free(a)
    local o = object_at(a)
    expect_eq(o.state, "in an array", "the first kmem_cache_free: in the CPU's array")
    expect_eq(o.position, 0, "it would be the next to go out")
    local avail = cache:array().avail
    ask { "The same object is freed once more. What if a kernel does not check?",
          "nothing: it is free already", "it is in the array twice",
          "its slab is given back",
          answer = 2,
          why = [[The array is no more than pointers. Two later allocations would get the
                  same object. A kernel with CONFIG_DEBUG_SLAB reports it, as this one
                  does.]] }
    cache:free(a)
    expect_eq(#events "slab:bug", 1, "BUG: double free detected")
    expect_eq(cache:array().avail, avail, "this machine leaves the array as it is")
    sayf([[The report shows who frees it now, and that is only half of the story. Who was
           the first? Operation %d: :goto %d. Or go back step by step, with S, until the
           object goes into the array.]], o.free_op, o.free_op)
    expect(o.free_op > o.alloc_op, ("allocated by %d, freed by %d"):format(o.alloc_op,
                                                                          o.free_op))
end

local function too_late(cache)
    title "3. The one that nobody reports"
    say [[Now the same bug, but a bit later. A frees its object. B allocates one.]]
    local a = open_session(cache, 0xa)
    cache:free(a)
    local b = open_session(cache, 0xb)
    expect_eq(b, a, "B gets the object that A had: last in, first out")
    ask { "A frees it a second time. What does the check for double frees say?",
          "double free detected", "nothing",
          answer = 2,
          why = "The object is in use: by B. This free looks like any other." }
    cache:free(a)
    expect_eq(#events "slab:bug", 0, "no report")
    local c = open_session(cache, 0xc)
    expect_eq(c, b, "C allocates, and has the same object as B")
    expect_eq(read_u64(b), 0xc, "B reads what C has written")
    local at = hex(walk(b).pa)
    sayf([[This is how such bugs are noticed: some data is wrong, somewhere else, much
           later. Going back finds it. The bytes lie at %s in memory. :why phys %s goes
           to the event that last changed them: C's store. :history phys %s lists all
           changes.]], at, at, at)
    local o = object_at(b)
    sayf([[The object itself: allocated by operation %d, freed before by operation %d. The
           latter is A's second kmem_cache_free: :goto %d, and :locals shows a and b, the
           same address.]], o.alloc_op, o.free_op, o.free_op)
    expect(o.free_op < o.alloc_op, "the bug lies before the allocation")
    cache:free(c)
end

local function after_free(cache)
    title "4. Use after free"
    local p = open_session(cache, 0x5e55)
    cache:free(p)
    ask { "The pointer is still there. A load through it: what does it answer?",
          "a page fault", "what was there before", "zeros",
          answer = 2,
          why = [[The page stays mapped, and kmem_cache_free does not touch the bytes. So
                  the bug is not noticed, until the object has another owner.]] }
    expect_eq(read_u64(p), 0x5e55, "the old bytes, as if nothing had happened")
    expect(object_at(p).state ~= "in use", "object_at knows: not in use")
    local q = open_session(cache, 0xdead)
    expect_eq(read_u64(p), 0xdead, "later they are another's")
    cache:free(q)
end

local function wrong_place(cache)
    title "5. To the wrong cache, from the middle"
    local ticket = kmem_cache_create("ticket", 96)
    local s = open_session(cache, 1)
    say [[kmem_cache_free is told the cache. The slab knows it, too: slab->slab_cache.]]
    ask { "A session is freed to the cache ticket. What does the kernel do?",
          "it puts it into ticket's array", "it warns, and frees it where it belongs",
          answer = 2,
          why = [[cache_from_obj compares both, in a kernel that is hardened
                  (CONFIG_SLAB_FREELIST_HARDENED). Else the next ticket would be a
                  session.]] }
    ticket:free(s)
    expect_eq(#events "slab:warning", 1, "WARNING: Wrong slab cache")
    expect_eq(ticket:array().avail, 0, "ticket's array has not got it")
    expect_eq(object_at(s).state, "in an array", "it is free")
    expect_eq(object_at(s).cache, cache, "in its own cache")
    s = open_session(cache, 2)
    cache:free(s + 8)
    expect_eq(#events "slab:bug", 1, "a pointer into the middle of an object: BUG")
    local o = object_at(s + 8)
    expect(o.address == s and o.state == "in use",
           ("object_at tells where it begins: %s"):format(hex(o.address)))
    cache:free(s)
    ticket:destroy()
    expect_eq(#events "slab:leak", 0, "ticket had no object: no report")
end

return lesson {
    title = "Leaks and double frees",
    summary = "Bugs with objects, their reports, and going back to where they began.",
    view = "objects",
    machine = { arch = "x86_64", ram = "256M", cpus = 1 },
    run = function()
        kmem_cache_init()
        leak()
        local cache = kmem_cache_create("connection", 200)
        double(cache)
        too_late(cache)
        after_free(cache)
        wrong_place(cache)
        cache:destroy()
        expect_eq(#events "slab:leak", 0, "nothing is left over this time")
        title "Now you"
        say [[Go back to section 3, between A's two frees, and allocate one more object
              there (:kmem_cache("connection"):alloc()). Who loses its object then? In
              section 1, set a breakpoint that stops at each allocation: :break
              kmem:kmem_cache_alloc.]]
    end,
}
