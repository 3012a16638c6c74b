-- What kmalloc gives more than it was asked for: its sizes, waste measured, sizes that
-- fit, a cache of one's own, large requests.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local HEADER = 16

local function pages_of(cache)
    return cache.num_slabs << cache.order
end

local function free_objects(objects)
    for _, p in ipairs(objects) do
        kfree(p)
    end
end

local function sizes()
    title "1. The sizes"
    say [[kmalloc takes any size, but it has only so many caches: powers of two, and 96
          and 192. A request gets an object of the next larger size. ksize tells how
          large it is.]]
    kmem_cache_init()
    local rows = { "  cache          object  in a slab  pages" }
    for _, name in ipairs { "32", "64", "96", "128", "192", "256", "512", "1k", "2k",
                            "4k", "8k" } do
        local c = kmem_cache("kmalloc-" .. name)
        rows[#rows + 1] = ("  %-13s  %6d  %9d  %5d"):format(c.name, c.size, c.num,
                                                           1 << c.order)
    end
    print(table.concat(rows, "\n"))
    expect_eq(ksize(kmalloc(1, GFP_KERNEL)), 32, "kmalloc(1): 32 bytes, the smallest")
    expect_eq(ksize(kmalloc(65, GFP_KERNEL)), 96, "kmalloc(65): 96")
    expect_eq(kmem_cache "kmalloc-96".size, 128,
              "but they lie 128 bytes apart: each begins with a cache line")
    expect_eq(ksize(kmalloc(192, GFP_KERNEL)), 192, "kmalloc(192): 192, to the byte")
    ask { "kmalloc(300). How many bytes does it take?",
          "300", "384", "512",
          answer = 3,
          why = "Above 192 there are only powers of two." }
    local p = kmalloc(300, GFP_KERNEL)
    expect_eq(ksize(p), 512, "512: 212 bytes are of no use to anybody")
    expect_eq(object_at(p).cache, kmem_cache "kmalloc-512", "an object of kmalloc-512")
    say [[This is internal fragmentation: memory that is allocated, but not needed. The
          buddy system has it too, with pages.]]
    expect_eq(kmalloc(0, GFP_KERNEL), 16,
              "kmalloc(0): ZERO_SIZE_PTR, no object, and not NULL either")
end

local function measured()
    title "2. How much is it?"
    local rows, worst = { "  asked   given   waste" }, 0
    for _, size in ipairs { 64, 65, 200, 256, 257, 500, 512, 513, 1000, 1100, 2049 } do
        local p = kmalloc(size, GFP_KERNEL)
        local given = ksize(p)
        worst = math.max(worst, (given - size) / given)
        rows[#rows + 1] = ("  %5d   %5d   %4.1f %%"):format(size, given,
                                                           100 * (given - size) / given)
        kfree(p)
    end
    print(table.concat(rows, "\n"))
    expect(worst > 0.49 and worst < 0.5, "the worst: one byte more than a power of two")
    ask { "200 requests, each of a random size from 200 to 2000 bytes. How much of what "
          .. "they get is waste?",
          "some 5 %", "some 25 %", "some 50 %",
          answer = 2,
          why = [[Between two powers of two the waste goes from nothing to a half. On the
                  average it is about a quarter.]] }
    local asked, given, held = 0, 0, {}
    for i = 1, 200 do
        local size = random(200, 2000)
        held[i] = kmalloc(size, GFP_KERNEL)
        asked, given = asked + size, given + ksize(held[i])
    end
    free_objects(held)
    local waste = 100 * (given - asked) // given
    expect(waste >= 15 and waste <= 35,
           ("asked %d bytes, given %d: %d %% waste"):format(asked, given, waste))
    say [[The kernel counts, too: the event kmem:kmalloc has bytes_req and bytes_alloc.
          perf kmem adds them up on a real system.]]
    local p = kmalloc(700, GFP_KERNEL)
    local ev = events "kmem:kmalloc"[1]
    expect(ev.bytes_req == 700 and ev.bytes_alloc == 1024,
           ("bytes_req=%d bytes_alloc=%d"):format(ev.bytes_req, ev.bytes_alloc))
    kfree(p)
end

local function choosing()
    title "3. Choosing a size"
    sayf([[A driver has buffers of 512 bytes, with a header of %d bytes before each: %d
           bytes in all.]], HEADER, 512 + HEADER)
    local first = kmalloc(512 + HEADER, GFP_KERNEL)
    expect_eq(ksize(first), 1024, "each of them takes 1024 bytes")
    ask { "If the size of the buffer is the driver's own choice: which is good?",
          "480 bytes", "496 bytes", "500 bytes",
          answer = 2,
          why = ("496 + %d = 512: all of an object is used."):format(HEADER) }
    local second = kmalloc(496 + HEADER, GFP_KERNEL)
    expect_eq(ksize(second), 512, "with 496 bytes it takes 512, half as much")
    kfree(first)
    say [[Where a size grows as it goes, an array or a string, the waste can be used:
          krealloc answers the same object as long as there is room in it.]]
    local p = kmalloc(100, GFP_KERNEL)
    expect_eq(krealloc(p, 128, GFP_KERNEL), p, "100 bytes become 128 in place")
    local q = krealloc(p, 129, GFP_KERNEL)
    expect(q ~= p, "129: another object, and the bytes are copied")
    expect_eq(ksize(q), 192, "this one has 192 bytes")
    kfree(q)
    kfree(second)
end

local function own_cache()
    title "4. A cache of one's own"
    local size, n = 512 + HEADER, 112
    sayf([[If the size is given, %d bytes and nothing else, and there are many of them,
           a cache of its own pays: kmem_cache_create.]], size)
    local big = kmem_cache "kmalloc-1k"
    big:shrink()
    local before, held = pages_of(big), {}
    for i = 1, n do
        held[i] = kmalloc(size, GFP_KERNEL)
    end
    local by_kmalloc = pages_of(big) - before
    sayf("%d of them by kmalloc: %d pages more in %s.", n, by_kmalloc, big.name)
    free_objects(held)
    local own = kmem_cache_create("buffer", size)
    ask { ("How many objects of %d bytes does a slab of one page have?"):format(size),
          "4", "7", "8",
          answer = 2,
          why = ("4096 / %d = %d, and %d bytes are left over."):format(
              size, PAGE_SIZE // size, PAGE_SIZE % size) }
    held = own:alloc_bulk(n)
    expect_eq(own.num, PAGE_SIZE // size, "7: no rounding to a power of two")
    local by_own = pages_of(own)
    expect_eq(by_own, n // own.num, ("%d of them from the own cache: %d pages")
        :format(n, by_own))
    expect(by_own < by_kmalloc, ("%d pages instead of %d"):format(by_own, by_kmalloc))
    say [[A cache of one's own has more to it: a line in slabinfo with its name, a
          constructor, and a report when it is destroyed with objects left over. But for
          a few objects it is a waste itself: its slabs and arrays are its own.]]
    local aligned = kmem_cache_create("aligned", size, { flags = SLAB_HWCACHE_ALIGN })
    expect_eq(aligned.size, 576,
              "SLAB_HWCACHE_ALIGN: whole cache lines, here 9 of 64 bytes")
    for _, p in ipairs(held) do
        own:free(p)
    end
    own:destroy()
    aligned:destroy()
end

local function large()
    title "5. Large requests: pages"
    ask { "kmalloc(9000). The largest cache is kmalloc-8k. How many bytes are taken?",
          "9000", "12288, three pages", "16384, four pages",
          answer = 3,
          why = [[Beyond the caches kmalloc goes to the buddy system, which has blocks of
                  1, 2, 4, 8 ... pages.]] }
    local p = kmalloc(9000, GFP_KERNEL)
    expect_eq(ksize(p), 16384, "four pages: 7384 bytes are waste")
    expect_eq(virt_to_page(p):order(), 2, "a block of order 2")
    expect(not object_at(p), "no slab has it: kmalloc_large")
    expect_eq(p % PAGE_SIZE, 0, "it begins with a page")
    say [[kmalloc's memory is physically contiguous, so the larger it is, the harder it is
          to find. Who needs no contiguous pages takes vmalloc: whole pages, but only as
          many as it needs.]]
    local v = vmalloc(9000)
    local area = areas(v, v)[1]
    expect_eq(area.pages, 3, "vmalloc(9000): three pages")
    vfree(v)
    kfree(p)
    local most = PAGE_SIZE << (machine.max_order - 1)
    expect(kmalloc(most + 1, GFP_KERNEL) == nil,
           ("more than %d bytes, the largest block: NULL"):format(most))
end

return lesson {
    title = "kmalloc's waste",
    summary = "Sizes, internal fragmentation, sizes that fit, a cache of one's own.",
    view = "objects",
    machine = { arch = "x86_64", ram = "256M", cpus = 1 },
    run = function()
        sizes()
        measured()
        choosing()
        own_cache()
        large()
        title "Now you"
        say [[:slabtop c sorts the caches by their size in memory. Which size is so bad
              for a cache of its own that kmalloc is as good? Make a few with
              kmem_cache_create, and compare num and order.]]
    end,
}
