-- Memory pools: a reserve for the work that frees memory, and the page allocator's own
-- reserves next to it.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local KERNEL, ATOMIC = GFP_KERNEL | __GFP_NOWARN, GFP_ATOMIC | __GFP_NOWARN
local MIN_NR, BLOCK = 4, 6

local function seen(name)
    return #events(name) > 0
end

local function the_pool()
    title "1. To free memory one needs memory"
    say [[A dirty page must be written to disk before its frame is free. For that the
          block layer needs a request: some 200 bytes, a struct bio. When memory is used
          up and this allocation fails, nothing will ever be free again.

          So the block layer puts some aside while there is plenty: a mempool.]]
    kmem_cache_init()
    local cache = kmem_cache_create("bio", 200)
    local pool = mempool_create(MIN_NR, cache)
    expect(seen "mempool:create", "mempool_create_slab_pool(4, cache)")
    expect_eq(pool.curr_nr, MIN_NR, "all four elements are allocated at once")
    expect_eq(cache.in_use, MIN_NR, "they are objects of the cache as any other")
    expect_eq(object_at(pool.array).state, "in use", "their pointers are kmalloc'ed, too")
    sayf("The array at %s, %s: four pointers. curr_nr says how many of them count.",
         hex(pool.array), object_at(pool.array).cache.name)
    return cache, pool
end

local function everyday(pool)
    title "2. Every day: the reserve stays where it is"
    ask { "mempool_alloc(pool, GFP_NOIO), with memory free. Where is the element from?",
          "the reserve", "the cache",
          answer = 2,
          why = [[The reserve is for bad times. mempool_alloc asks the allocator first,
                  each time.]] }
    local element = pool:alloc(GFP_NOIO)
    expect(seen "kmem:kmem_cache_alloc" and not seen "mempool:remove_element",
           "mempool_alloc_slab: an object of the cache")
    pool:free(element)
    expect(seen "kmem:kmem_cache_free" and not seen "mempool:add_element",
           "the reserve is full, so mempool_free gives it back to the cache")
    expect_eq(pool.curr_nr, MIN_NR, "nothing has changed")
end

local function the_reserve(cache, pool)
    title "3. The allocator fails"
    say [[Fault injection lets allocations fail although there is memory, as a kernel with
          CONFIG_FAILSLAB does: failslab, for this cache alone.]]
    failslab { probability = 100, times = -1, ignore_gfp_wait = false,
               cache_filter = cache }
    local last = pool.elements[MIN_NR]
    local held = { pool:alloc(GFP_NOIO) }
    expect(seen "fault:injected" and seen "mempool:remove_element",
           "the cache has nothing: remove_element")
    expect_eq(held[1], last, "the reserve is a stack: the last one in is out first")
    local gfp = events "kmem:kmem_cache_alloc"[1].gfp_flags
    expect(gfp & __GFP_DIRECT_RECLAIM == 0 and gfp & __GFP_NOMEMALLOC ~= 0,
           "the cache was asked without reclaim, and not for the last reserves")
    for i = 2, MIN_NR do
        held[i] = pool:alloc(GFP_NOIO)
    end
    expect_eq(pool.curr_nr, 0, "four requests later it is empty")
    ask { "One more, with GFP_ATOMIC. What is the answer?",
          "NULL", "it waits", "an object of another cache",
          answer = 1,
          why = "Who must not sleep cannot wait for anybody." }
    expect(pool:alloc(GFP_ATOMIC) == nil and seen "mempool:fail", "NULL")
    say [[And one with GFP_NOIO, which may sleep. First it asks the cache again, now with
          reclaim. Then it waits, 5 seconds at a time, until somebody frees an element.]]
    expect(pool:alloc(GFP_NOIO) == nil and seen "mempool:retry" and seen "mempool:wait",
           "two rounds, then io_schedule_timeout")
    expect_eq(pool.waiters, 1, "a task sleeps on pool->wait")
    on_cpu(1, function() pool:free(held[2]) end)
    expect(seen "mempool:add_element" and seen "mempool:wake",
           "an I/O has ended on CPU 1: its element fills the reserve, the task is woken")
    local resumed = events "mempool:resume"[1]
    expect_eq(resumed.element, held[2], "and has it now")
    say [[That is the whole guarantee: as long as those who hold elements give them back,
          who may sleep gets one. mempool_alloc never fails then.]]
    failslab(false)
    for _, element in ipairs(held) do
        pool:free(element)
    end
    expect_eq(pool.curr_nr, MIN_NR, "mempool_free fills the reserve first, free memory "
        .. "or not")
end

local function used_up(pages_pool)
    title "4. The page allocator's reserves"
    local normal = zone.Normal
    sayf([[Now memory is really used up. The page allocator has reserves, too: free pages
          that most requests may not have. Below its min watermark, %d pages, zone Normal
          gives GFP_KERNEL nothing.]], normal.min)
    local blocks, pages = exhaust(KERNEL, BLOCK), exhaust(KERNEL)
    expect(normal.free <= normal.min + normal:pcp().batch,
           ("GFP_KERNEL got %d pages; %d are free"):format(
               (#blocks << BLOCK) + #pages, normal.free))
    local block = alloc_pages(ATOMIC, 1)
    if block then
        sayf([[A block of two pages for an interrupt: ALLOC_HIGHATOMIC. Its whole
              pageblock is kept for such requests from now on: %d pages of zone Normal.]],
             normal.highatomic)
        __free_pages(block, 1)
    end
    local more = exhaust(ATOMIC)
    expect(#more > 0, ("GFP_ATOMIC gets %d more"):format(#more))
    sayf([[Half of min for __GFP_HIGH (ALLOC_MIN_RESERVE), and a quarter of the rest since
          it cannot sleep (ALLOC_NON_BLOCK). %d pages are left.]], normal.free)
    expect(normal.free > 0, "nobody has got the last ones")
    local last = memalloc(alloc_pages, KERNEL, 0)
    expect(last, "a task with PF_MEMALLOC gets one: ALLOC_NO_WATERMARKS")
    __free_pages(last)

    title "5. The pool leaves them alone"
    ask { "The same task asks a mempool of pages. Where is its page from?",
          "the free pages below min", "the pool's reserve",
          answer = 2,
          why = [[__GFP_NOMEMALLOC. The last pages are for those who have no reserve of
                  their own.]] }
    local page, out_of_the_pool = memalloc(function()
        local got = pages_pool:alloc(GFP_NOIO)
        return got, seen "mempool:remove_element" and not seen "mm:reserves"
    end)
    expect(page and out_of_the_pool, "from the pool's reserve, though PF_MEMALLOC is set")
    expect_eq(pages_pool.from_reserve, 1, "the pool counts it")
    say [[Two kinds of reserve. That below the watermarks is anybody's in need, and
          nobody can say for how many it will do. A pool's is for one purpose and has a
          number: so many requests can always be under way.]]
    return blocks, pages, more, page
end

local function stuck(pages_pool, blocks, page)
    title "6. How to use it wrongly"
    say [[The guarantee holds if each task takes one element and gives it back. Let two
          tasks share this pool of two, each with one page, and each wants a second.]]
    local other = on_cpu(1, function() return pages_pool:alloc(GFP_NOIO) end)
    expect(other and pages_pool.curr_nr == 0, "each has one; the reserve is empty")
    pages_pool:alloc(GFP_NOIO)
    on_cpu(1, function() pages_pool:alloc(GFP_NOIO) end)
    expect_eq(pages_pool.waiters, 2, "both wait for the other one")
    expect_eq(io_schedule_timeout(pages_pool), 0, "5 seconds later: nobody has anything")
    expect_eq(pages_pool.waiters, 2, "and so on, for ever: a deadlock")
    say [[A driver that sits on another driver therefore has a pool of its own, and nobody
          takes two elements of one pool.]]
    __free_pages(table.remove(blocks), BLOCK)
    __free_pages(table.remove(blocks), BLOCK)
    local got = io_schedule_timeout(pages_pool)
    expect_eq(got, 2, "only somebody else's pages help: the allocator, not the reserve")
    expect_eq(pages_pool.curr_nr, 0, "which is empty still")
    local woken = events "mempool:resume"
    for _, ev in ipairs(woken) do
        pages_pool:free(pfn_to_page(ev.element))
    end
    expect_eq(pages_pool.curr_nr, 2, "the first two that come back fill it")
    pages_pool:free(page)
    pages_pool:free(other)
    expect_eq(pages_pool.curr_nr, 2, "the others go to the allocator")
end

return lesson {
    title = "Memory pools and emergency allocation",
    summary = "A reserve of one's own: when it is used, who waits, what it guarantees.",
    view = "objects",
    machine = { arch = "i386", ram = "32M", highmem = "0", cpus = 2 },
    run = function()
        local cache, pool = the_pool()
        everyday(pool)
        the_reserve(cache, pool)
        local pages_pool = mempool_create(2, { order = 0 })
        local blocks, pages, more, page = used_up(pages_pool)
        stuck(pages_pool, blocks, page)
        free_all(blocks, BLOCK)
        free_all(pages)
        free_all(more)
        title "Now you"
        say [[:info mempool shows the pools wherever you are. Make the reserve larger:
              :mempools()[1]:resize(8). Let every third request for pages fail:
              :fail_page_alloc { probability = 100, interval = 3, times = -1, min_order =
              0, ignore_gfp_wait = false }, and step through a kmalloc.]]
    end,
}
