-- The way of an object: kmalloc(200) through the CPU's array, the shared array, the
-- slabs, the per-CPU page list and the buddy system, and back.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local SIZE = 200

local function seen(name)
    return #events(name) > 0
end

local function take()
    return kmalloc(SIZE, GFP_KERNEL)
end

-- All objects that the lesson holds, the oldest first.
local held = {}

local function hold(n)
    for _ = 1, n do
        held[#held + 1] = take()
    end
end

local function release(n)
    for _ = 1, n do
        kfree(table.remove(held, 1))
    end
end

local function prepare()
    title "1. Three layers"
    say [[The buddy system gives out pages. Most of what the kernel needs is smaller: an
          inode, a socket, 200 bytes for a name. So a second layer cuts pages into
          objects, the slabs. And a third one keeps some free objects for each CPU, in
          an array, so that most calls touch neither.

          A cache (struct kmem_cache) has objects of one size. kmalloc has a row of
          them: kmalloc-32, kmalloc-64 and so on.]]
    kmem_cache_init()
    local cache = kmem_cache "kmalloc-256"
    sayf([[kmalloc(200) uses %s: a slab is %d page, cut into %d objects. Its arrays hold
           %d objects. That is a lot to look at, so they are made smaller here, as root
           can do: echo "kmalloc-256 8 4 2" > /proc/slabinfo.]], cache.name,
         1 << cache.order, cache.num, cache.limit)
    expect_eq(cache:tune(8, 4, 2), 0,
              "limit 8 a CPU, batchcount 4, shared 2: the shared array holds 2 * 4")
    drain_all_pages()
    expect_eq(cache:array().avail, 0, "this CPU's array is empty")
    expect_eq(cache:shared().avail, 0, "so is the shared array")
    expect_eq(#cache:slabs(), 0, "there is no slab yet")
    return cache
end

local function all_the_way_down(cache)
    title "2. The first call: all the way down"
    ask { "kmalloc(200). Arrays and slabs are empty. How many pages does the CPU take "
          .. "from the buddy system?",
          "none", "one", "a batch of them",
          answer = 3,
          why = [[The slab needs one page. It comes from the CPU's page list, and that
                  is empty too: it is refilled by a batch.]] }
    say [[Step through it (s) and watch the call stack: each layer asks the next. The
          pages come from the zone DMA32: ] and [ show another zone's lists.]]
    hold(1)
    local all = #events()
    expect(seen "slab:array_empty", "the CPU's array is empty: cache_alloc_refill")
    expect(seen "pcp:empty", "no slab has a free object. A page! The CPU's list is empty")
    expect(seen "buddy:take", "the buddy system gives blocks, and splits some")
    expect(#events "buddy:take" > 1 and seen "pcp:refill", ("%d blocks go to the list")
        :format(#events "buddy:take"))
    expect(seen "slab:grow", "one page of it becomes a slab: cache_grow_begin")
    expect_eq(events "slab:refill"[1].nr, 4, "batchcount objects go to the CPU's array")
    expect_eq(cache:array().avail, 3, "one of them is the answer, three stay there")
    local slab = cache:slabs "partial"[1]
    expect_eq(#slab.free, cache.num - 4, "the others are on the slab's freelist")
    expect_eq(slab.page, virt_to_page(held[1]), "the object lies in the slab's page")
    local o = object_at(held[1] + 17)
    sayf("%s + 17 is a byte of object %d of this slab: %s.", hex(held[1]), o.number,
         o.state)
    return all
end

local function array_hit(cache, all)
    title "3. The second call: one step"
    ask { "The same call once more. Which layers does it touch?",
          "the array alone", "array and slab", "all three",
          answer = 1,
          why = "Three objects are waiting in the CPU's array." }
    hold(1)
    expect(seen "slab:array_hit" and not seen "slab:refill", "an array hit, no more")
    sayf([[%d events, where the first call had %d. No lock is needed: interrupts are off
           and the array belongs to this CPU.]], #events(), all)
    expect(#events() * 10 < all, "that is what the array is for")
    local last = held[#held]
    kfree(last)
    expect(seen "slab:array_put", "kfree is as short: the object goes on top")
    expect_eq(take(), last, "and the next kmalloc gets just this one: last in, first out")
    say [[The object that was used last is the one whose lines are still in this CPU's
          caches.]]
    expect_eq(cache:array().avail, 2, "two are left")
end

local function partial_slab(cache)
    title "4. The partial slab"
    hold(2)
    expect_eq(cache:array().avail, 0, "two calls later the array is empty")
    hold(1)
    expect(seen "slab:array_empty" and seen "slab:refill", "it is refilled from the slab")
    expect(not seen "slab:grow" and not seen "pcp:take", "no page was needed")
    expect_eq(#cache:slabs "partial"[1].free, cache.num - 8, "four fewer on its freelist")
    say [[The kernel takes from partial slabs first, and from free ones only then: so
          that full slabs stay full, and free ones can be given back.]]
end

local function page_list(cache)
    title "5. A new slab from the CPU's page list"
    hold(cache.num - #held)
    expect_eq(#cache:slabs "full", 1, ("%d objects are out: the slab is full")
        :format(#held))
    local lists = zone(virt_to_page(held[1]))
    local before = lists:pcp().count
    ask { "One more. The cache must grow again. Where does the page come from?",
          "the CPU's page list", "the buddy system",
          answer = 1,
          why = "Most of the first call's batch is still there." }
    hold(1)
    expect(seen "slab:grow" and seen "pcp:take", "slab:grow takes a page from the list")
    expect(not seen "buddy:take", "the buddy system is not asked")
    expect_eq(lists:pcp().count, before - 1, ("the list: %d pages, then %d")
        :format(before, before - 1))
    say [[So there are two pairs of the same kind: a store, and before it a short list
          for each CPU. Pages: the buddy system and the page lists. Objects: slabs and
          arrays.]]
end

local function to_the_shared_array(cache)
    title "6. The way back: the shared array"
    hold(3 * cache.num - #held)
    expect_eq(#cache:slabs "full", 3, ("%d objects, three full slabs"):format(#held))
    release(8)
    expect_eq(cache:array().avail, 8, "eight kfrees: the array is full")
    release(1)
    expect(seen "slab:array_full", "the ninth: cache_flusharray makes room")
    expect_eq(events "slab:flush_shared"[1].nr, 4, "the four oldest go to the shared one")
    expect_eq(cache:array().avail, 5, "8 - 4 + 1 are in the CPU's array")
    expect_eq(#cache:slabs "full", 3, "the slabs know nothing of all this: still full")
    ask { "Now CPU 1 calls kmalloc(200). Its own array is empty. Where does the object "
          .. "come from?",
          "CPU 0's array", "the shared array", "a new slab",
          answer = 2,
          why = [[No CPU reaches into another's array. The shared array is for that: one
                  CPU frees what another needs, and no slab is touched.]] }
    held[#held + 1] = on_cpu(1, take)
    expect_eq(events "slab:refill_shared"[1].nr, 4, "CPU 1 takes all four from it")
    expect_eq(cache:shared().avail, 0, "the shared array is empty again")
    expect_eq(cache:array(1).avail, 3, "three are in CPU 1's array now")
end

local function to_the_slabs(cache)
    title "7. The way back: slabs and pages"
    local lists = zone(virt_to_page(held[1]))
    repeat
        release(1)
    until seen "slab:flush"
    expect_eq(cache:shared().avail, cache:shared().limit, "the shared array is full, too")
    expect_eq(events "slab:flush"[1].nr, 4, "so four objects go back to their slabs")
    expect(#cache:slabs "partial" > 0, "a full slab is partial now")
    sayf([[Slabs may become free, with no object out. The cache keeps some: up to %d free
           objects (free_limit). Let us go on.]], cache.free_limit)
    local page
    on("slab:destroy", function(ev) page = page or pfn_to_page(ev.pfn) end)
    repeat
        release(1)
    until page or #held == 0
    off "slab:destroy"
    expect(seen "slab:destroy", "more than free_limit: a free slab is destroyed")
    expect(seen "pcp:add", "its page goes to the CPU's page list")
    expect_eq(page:state(), "pcp", "there it is")
    expect(not seen "buddy:add", "and no further")
    release(#held)
    drain_all_pages()
    expect(seen "buddy:merge", "drain_all_pages: pages go to the buddy system and merge")
    expect_eq(page:state(), "free", "the slab's page is a free page again")
    sayf([[The cache still holds %d slabs, though nobody has an object. kmem_cache_shrink
           empties the arrays and gives them back.]], #cache:slabs())
    expect(cache:shrink(), "no slab is left")
    expect_eq(#cache:slabs(), 0, "all is as it was")
end

return lesson {
    title = "The way of an object",
    summary = "kmalloc(200): arrays, slab, page list, buddy system, and back.",
    view = "objects",
    machine = { arch = "x86_64", ram = "256M", cpus = 2 },
    run = function()
        held = {}
        local cache = prepare()
        local all = all_the_way_down(cache)
        array_hit(cache, all)
        partial_slab(cache)
        page_list(cache)
        to_the_shared_array(cache)
        to_the_slabs(cache)
        title "Now you"
        say [[:slabtop and :kmem -S kmalloc-256 show the cache wherever you are. Go back
              to the end of section 1 and type :alloc_page(GFP_KERNEL): how much shorter
              is the first kmalloc after that? Call
              cache_reap() on each CPU a few times after section 6: what happens to
              arrays that nobody uses?]]
    end,
}
