-- Per-CPU page lists: hot and cold, refill by the batch, drain, and __GFP_COLD of older
-- kernels.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local U = MIGRATE_UNMOVABLE

-- What a CPU's list of single Unmovable pages holds.
local function list(z, cpu)
    return z:pcp_list(cpu, 0, U)
end

local function names(pages)
    local t = {}
    for i, page in ipairs(pages) do
        t[i] = hex(page)
    end
    return #t > 0 and table.concat(t, ", ") or "nothing"
end

-- Begin each section with an empty list on every CPU.
local function empty_lists()
    drain_all_pages()
end

local function why_lists(z)
    title "1. A stock of pages for each CPU"
    say [[Most requests are for a single page, and they come from all CPUs at once. If
          every one of them took the zone's lock and searched the buddy system, the
          CPUs would wait for each other. So each CPU has, for each zone, a stock of
          pages of its own: the per-CPU lists (key 5). The keys { and } show another
          CPU's.]]
    local p = z:pcp(0)
    sayf([[Two numbers rule such a stock. batch, here %d: how many blocks are fetched
           at once when a list is empty. high, here %d: how many pages the stock may
           hold before some go back.]],
         p.batch, p.high)
    expect_eq(p.high, math.max(z.low // machine.cpus, 4 * p.batch),
              "high is the low watermark shared among the CPUs, at least four batches")
    say [[There is a list for each order up to 3 and each of three migratetypes:
          twelve lists a CPU and zone. Larger orders go to the buddy system directly.]]
    expect_eq((PAGE_ALLOC_COSTLY_ORDER + 1) * MIGRATE_PCPTYPES, 12,
              "list number = order * 3 + migratetype")
end

local function refill(z)
    title "2. Refill by the batch"
    empty_lists()
    local batch = z:pcp(0).batch
    expect_eq(#list(z, 0), 0, "CPU 0 has no single Unmovable page in stock")
    local free = z.free + z:pcp(0).free_diff
    ask { "CPU 0 asks for one page. How many pages leave the buddy system?",
          "1", tostring(batch) .. ", a batch",
          answer = batch == 1 and 1 or 2,
          why = [[The lock is taken once for all of them: that is what makes the
                  lists worth their trouble.]] }
    say [[Step through it (s): pcp:empty, then rmqueue_bulk takes block after block
          off the free lists (4), and only then the request itself is answered from
          the list (5).]]
    local first = alloc_pages(GFP_KERNEL, 0)
    expect_eq(events("pcp:refill")[1].blocks, batch, "a batch came")
    expect_eq(free - z.free - z:pcp(0).free_diff, batch,
              "and the zone counts a batch of pages less as free")
    local rest = list(z, 0)
    expect_eq(#rest, batch - 1, "one is ours, the others wait on the list: " ..
              names(rest))
    say [[So the pages on a per-CPU list do not count as free: /proc/buddyinfo and the
          watermarks do not see them. The pages that wait will now be handed out
          without any lock of the zone.]]
    local held = { first }
    for i = 1, #rest do
        local page = alloc_pages(GFP_KERNEL, 0)
        expect(page == rest[i] and #events("kmem:mm_page_alloc_zone_locked") == 0,
               "the next one comes off the list's head, without the buddy system: " ..
                   hex(page))
        held[#held + 1] = page
    end
    return held
end

local function hot(z, held)
    title "3. Hot pages: last in, first out"
    ask { ("We free %s, and ask for a page again at once. Which one comes?")
              :format(hex(held[1])),
          hex(held[1]) .. " again", "another one",
          answer = 1,
          why = [[A freed page goes to the head of the list, and requests are
                  answered from the head.]] }
    __free_pages(held[1], 0)
    expect_eq(list(z, 0)[1], held[1], "the freed page is at the head")
    local again = alloc_pages(GFP_KERNEL, 0)
    expect_eq(again, held[1], "the same page comes back")
    say [[The reason is the CPU's cache. A page that was in use a moment ago still has
          its lines there: it is hot. Whoever gets it next writes it without waiting
          for memory. The head of the list is the hot end, the tail the cold one.]]
    say "So pages come back in the reverse order of their going. We free what we hold:"
    for _, page in ipairs(held) do
        __free_pages(page, 0)
    end
    local on_list, n = list(z, 0), #held
    local reversed = #on_list == n
    for i = 1, n do
        reversed = reversed and on_list[i] == held[n + 1 - i]
    end
    expect(reversed, "from hot to cold the list is " .. names(on_list))
    expect_eq(held[1]:state(), "pcp", "they are not free in the eyes of the buddy system")
end

local function two_cpus(z)
    title "4. Two CPUs"
    empty_lists()
    local a = alloc_pages(GFP_KERNEL, 0)
    local b = on_cpu(1, alloc_pages, GFP_KERNEL, 0)
    sayf([[CPU 0 got %s, CPU 1 got %s, each from a batch of its own. Neither touched
           the other's lists.]], hex(a), hex(b))
    expect(a:cpu() == 0 and b:cpu() == 1, "each page knows who asked for it")
    ask { "CPU 1 frees the page that CPU 0 allocated. On whose list does it go?",
          "CPU 0's", "CPU 1's",
          answer = 2,
          why = [[It is in CPU 1's cache now, and CPU 1 may not touch CPU 0's list
                  without a lock.]] }
    on_cpu(1, __free_pages, a, 0)
    expect_eq(list(z, 1)[1], a, "it is the hottest page of CPU 1")
    on_cpu(1, __free_pages, b, 0)
end

local function drain(z)
    title "5. Too much in stock: drain"
    say [[A network driver may allocate on one CPU and free on another. Then one CPU
          always fetches, and the other one's stock grows. When it reaches high, a
          part of it goes back to the buddy system, from the cold end.]]
    set_min_free_kbytes(machine.min_free_kbytes // 8)
    empty_lists()
    local p = z:pcp(1)
    sayf([[To see this with fewer pages, we have lowered min_free_kbytes: the low
           watermark follows, and so does high. It is %d now, with the batch at %d.]],
               p.high, p.batch)
    expect_eq(p.high, math.max(z.low // machine.cpus, 4 * p.batch),
              "high follows the low watermark")
    local pages, factors = {}, {}
    on("pcp:drain", function(ev)
        pages[#pages + 1] = ev.pages
        factors[#factors + 1] = ev.free_factor
    end)
    say [[CPU 0 allocates, CPU 1 frees, until CPU 1's stock has gone back five times.
          Watch CPU 1's lists (5, then }); n runs the whole loop, c too.]]
    local rounds = 0
    while #pages < 5 and rounds < 2000 do
        local page = alloc_pages(GFP_KERNEL, 0)
        on_cpu(1, __free_pages, page, 0)
        rounds = rounds + 1
    end
    off("pcp:drain")
    sayf("After %d pages, these numbers of pages went back, one after the other: %s.",
         rounds,
         table.concat(pages, ", "))
    local wanted = p.batch
    for i, n in ipairs(pages) do
        expect_eq(n, math.min(wanted, p.high - p.batch),
                  ("time %d: the batch doubled %d times, but at most high - batch = %d")
                      :format(i, i - 1, p.high - p.batch))
        wanted = wanted * 2
    end
    say [[That is free_factor: a CPU that only frees gives back twice as much each
          time, so that it takes the lock less often. An allocation on that CPU shows
          that it needs pages after all, and halves the factor.]]
    local before = z:pcp(1).free_factor
    local page = on_cpu(1, alloc_pages, GFP_KERNEL, 0)
    expect_eq(z:pcp(1).free_factor, before >> 1,
              "one allocation on CPU 1 halves free_factor")
    on_cpu(1, __free_pages, page, 0)
end

local function price(z)
    title "6. The price"
    empty_lists()
    local held_up = alloc_pages(GFP_KERNEL, 4)
    say [[Pages in stock cannot merge. Here is a block of order 4. We make single
          pages of it, as drivers do with split_page(), and free them one by one.]]
    split_page(held_up, 4)
    for i = 0, 15 do
        __free_pages(held_up:plus(i), 0)
    end
    expect_eq(held_up:plus(15):state(), "pcp", "the last page is in CPU 0's stock")
    local free = held_up:state() == "free" and held_up:order() >= 4
    expect(not free,
           "so the block of order 4 is not there, although nobody uses a page of it")
    say [[drain_all_pages() empties the stocks of all CPUs. The kernel calls it before
          it gives up on a request that it could not satisfy, and before memory is to
          be removed.]]
    drain_all_pages()
    expect(held_up:state() == "free" and held_up:order() >= 4,
           ("now they have merged, up to order %d"):format(held_up:order()))
    for cpu = 0, machine.cpus - 1 do
        expect_eq(z:pcp(cpu).count, 0, ("CPU %d has nothing in stock"):format(cpu))
    end
end

local function interrupted(z)
    title "7. An interrupt in the wrong moment"
    say [[CPU 0 is just taking a page off its list. Then an interrupt comes, and its
          handler wants a page too. The list is half changed: the handler must not
          touch it.]]
    local inner
    on("pcp:take", function()
        if not inner then
            interrupt(function() inner = alloc_pages(GFP_ATOMIC, 0) end)
        end
    end)
    say "Step with s; the call stack (3) shows the interrupt on top of the allocation."
    local outer = alloc_pages(GFP_KERNEL, 0)
    off()
    local trylock = events("pcp:trylock_fail")
    expect_eq(#trylock, 1, "the handler finds the lists in use (trylock fails) ...")
    expect(inner ~= nil and inner ~= outer,
           "... and gets a page from the buddy system instead: " .. hex(inner))
    __free_pages(inner, 0)
    __free_pages(outer, 0)
end

local function cold(z)
    title "8. __GFP_COLD, until Linux 4.14"
    empty_lists()
    say [[Who fills a page by DMA has no use for a hot one: the device writes to
          memory, not to the CPU's cache. Until 4.14 such a caller could say
          __GFP_COLD and got a page from the cold end of the list; the hot ones stayed
          for those who profit. But callers seldom knew which pages were hot when they
          freed them, so the list's order came to mean little, and the flag was
          removed. This machine has it as an option (machine.pcp_cold).]]
    local held = {}
    for i = 1, 4 do
        held[i] = alloc_pages(GFP_KERNEL, 0)
    end
    for i = 1, 4 do
        __free_pages(held[i], 0)
    end
    local stock = list(z, 0)
    ask { ("The list, from hot to cold: %s. Which page answers __GFP_COLD?")
              :format(names(stock)),
          hex(stock[1]), hex(stock[#stock]),
          answer = 2,
          why = "The tail: the page that has not been used for the longest time." }
    local page = alloc_pages(GFP_KERNEL | __GFP_COLD, 0)
    expect_eq(page, stock[#stock], "the coldest page")
    local warm = alloc_pages(GFP_KERNEL, 0)
    expect_eq(warm, stock[1], "and without the flag the hottest")
    __free_pages(page, 0)
    __free_pages(warm, 0)
end

return lesson {
    title = "Per-CPU lists, hot and cold",
    summary = "Each CPU's stock of pages: refill, last in first out, drain, price.",
    machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 2, pcp_cold = true },
    run = function()
        local z = zone.Normal
        say [[What lesson 01 showed is the buddy system itself. Single pages seldom
              come from there directly.]]
        why_lists(z)
        local held = refill(z)
        hot(z, held)
        two_cpus(z)
        drain(z)
        price(z)
        interrupted(z)
        cold(z)
        title "Now you"
        say [[Go back to section 3 (S, or C), type :alloc_pages(GFP_KERNEL, 1) and
              look at the per-CPU lists: which list answers? And what does
              :in_irq(function() drain_local_pages() end) leave on CPU 0?]]
    end,
}
