-- Zones, watermarks, and what happens when HighMem is used up.
--
-- SPDX-License-Identifier: GPL-3.0-or-later

-- All requests here are for movable pages: they find blocks of their own type to the
-- very end, so that only the watermarks decide. (Taking blocks of other types has rules
-- of its own: another lesson's matter.)
local USER = GFP_HIGHUSER_MOVABLE
local KERNEL = GFP_KERNEL | __GFP_MOVABLE
local ATOMIC = GFP_ATOMIC | __GFP_MOVABLE

local function mib(pages)
    return ("%.1f MiB"):format(pages * PAGE_SIZE / 2 ^ 20)
end

-- What the zones' counters say, a line each.
local function table_of_zones(what)
    local lines = { what, "  zone      free    min    low   high" }
    for _, z in ipairs(zones()) do
        lines[#lines + 1] = ("  %-8s %5d  %5d  %5d  %5d"):format(z.name, z.free, z.min,
                                                                 z.low, z.high)
    end
    print(table.concat(lines, "\n"))
end

local function the_zones()
    title "1. Zones"
    local dma, normal, high = zone.DMA, zone.Normal, zone.HighMem
    sayf([[Not every page frame is good for everything, so the kernel divides them
           into zones (key 7).

           DMA (%s) lies below 16 MiB: old devices on the ISA bus reach no further.

           Normal (%s) is what the kernel has mapped for good: it can use such a page
           at once, by its address.

           HighMem (%s) has no such address. A 32-bit kernel has one GiB of addresses
           for itself and keeps 128 MiB of them for other uses; memory above 896 MiB
           is not mapped. This machine is small, so it was started with highmem=%dM,
           to have such a zone all the same.]],
         mib(dma.managed), mib(normal.managed), mib(high.managed), machine.highmem >> 20)
    expect(dma.end_pfn <= (16 << 20) / PAGE_SIZE, "DMA ends at 16 MiB")
    expect(dma.end_pfn <= normal.start_pfn and normal.end_pfn <= high.start_pfn,
           "the zones follow each other")
    say [[A request names the highest zone that it can use, by its flags; the
          allocator then tries that zone and all below it, from the top. User pages
          can lie anywhere. The kernel's own must not lie in HighMem. GFP_DMA insists
          on DMA.]]
    local places = {}
    for _,
        r in ipairs { { "GFP_HIGHUSER_MOVABLE", USER, "HighMem" },
                      { "GFP_KERNEL", KERNEL, "Normal" },
                         { "GFP_DMA", GFP_KERNEL | GFP_DMA | __GFP_MOVABLE, "DMA" } } do
        local page = alloc_pages(r[2], 0)
        expect_eq(page:zone(), r[3], r[1] .. " begins with zone " .. r[3])
        __free_pages(page, 0)
        places[#places + 1] = page:zone()
    end
    expect(page_address(pfn_to_page(high.start_pfn)) == nil,
           "a HighMem page has no address in the kernel")
    expect(page_address(pfn_to_page(normal.start_pfn)) ~= nil, "a Normal page has one")
end

local function the_watermarks()
    title "2. Watermarks"
    say [[A zone must never become quite empty: freeing memory takes memory, and an
          interrupt handler cannot wait. So each zone has three watermarks. Ordinary
          requests are content with a zone while it has more than low. Below low,
          kswapd is woken to free pages, until there are high. Between low and min a
          request must take the slow path. Below min only those may go who cannot
          wait.]]
    local lowmem = 0
    for _, z in ipairs(zones()) do
        lowmem = lowmem + (z.name ~= "HighMem" and z.managed or 0)
    end
    local root = math.floor(math.sqrt(lowmem * 4 * 16))
    sayf([[All of it follows from one number, vm.min_free_kbytes: the square root of
           16 times the KiB of memory without HighMem. Here: sqrt(16 * %d) = %d KiB,
           %d pages. The zones share these pages by their sizes; that is min. low is a
           quarter more and high is half more, or in a large zone one and two
           thousandths of it.]],
         lowmem * 4, root, root // 4)
    expect_eq(machine.min_free_kbytes, root,
              "min_free_kbytes = sqrt(16 * KiB of low memory)")
    for _, z in ipairs(zones()) do
        local share = (root // 4) * z.managed // lowmem
        if z.name == "HighMem" then
            expect_eq(z.min, math.max(32, math.min(128, z.managed // 1024)),
                      "HighMem: min is only 1/1024 of the zone, 32 to 128 pages")
        else
            expect_eq(z.min, share,
                      ("%s: min = %d * %d / %d"):format(z.name, root // 4, z.managed,
                                                        lowmem))
        end
        local step = math.max(share // 4, z.managed // 1000)
        expect(z.low == z.min + step and z.high == z.min + 2 * step,
               ("%s: low = min + %d, high = min + %d"):format(z.name, step, 2 * step))
    end
end

local function the_reserve()
    title "3. The lowmem reserve"
    say [[A second guard. User pages may come from Normal and DMA too, but what can
          use HighMem should not take the last pages of those who cannot. So each zone
          keeps a reserve, depending on the highest zone that the request could have
          used: the pages of the zones between, divided by vm.lowmem_reserve_ratio (32
          for Normal, 256 for DMA). /proc/zoneinfo shows it as "protection" (try :proc
          zoneinfo).]]
    local dma, normal, high = zone.DMA, zone.Normal, zone.HighMem
    expect_eq(normal.lowmem_reserve.HighMem, high.managed // 32,
              ("Normal against HighMem requests: %d / 32"):format(high.managed))
    expect_eq(dma.lowmem_reserve.Normal, normal.managed // 256,
              ("DMA against Normal requests: %d / 256"):format(normal.managed))
    expect_eq(dma.lowmem_reserve.HighMem, (normal.managed + high.managed) // 256,
              ("DMA against HighMem requests: (%d + %d) / 256"):format(normal.managed,
                                                                       high.managed))
    expect_eq(normal.lowmem_reserve.Normal, 0,
              "Normal keeps nothing from those who begin there")
    say [[The test for a zone (mm:watermark_test, function __zone_watermark_ok) is
          then: are there more free pages than watermark + reserve?]]
end

-- A batch moves to a per-CPU list at once, and a CPU tells the zone's counter of its
-- pages only when they are more than a threshold; so a zone can end a few pages below a
-- limit.
local function stops_at(z, limit, text)
    local pcp = z:pcp()
    expect(z.free <= limit and z.free > limit - pcp.batch - pcp.threshold,
           ("%s: %d pages are free, the limit is %d"):format(text, z.free, limit))
end

local function use_up_highmem()
    title "4. HighMem is used up"
    local high, normal = zone.HighMem, zone.Normal
    ask { ("User pages are asked for, one after the other. HighMem has %d free pages, " ..
           "min %d, low %d. When does the first page come from Normal?")
              :format(high.free, high.min, high.low),
          "when HighMem is empty", "when HighMem is down to min",
              "when HighMem is down to low",
          answer = 3,
          why = [[The fast path tests against low, in each zone in turn; Normal is
                  well above its own.]] }
    say [[The next line does it; n runs the whole loop. Look at the zones (7) and at
          the map of physical memory (6), where HighMem fills up.]]
    local pages = exhaust(USER, 0, nil, function(got)
        return #got > 0 and got[#got]:zone() ~= "HighMem"
    end)
    table_of_zones(("After %d pages:"):format(#pages))
    expect_eq(pages[#pages]:zone(), "Normal", "the last page came from Normal")
    stops_at(high, high.low, "HighMem")
    local tests = events("mm:watermark_test")
    expect(tests[1].zone == "HighMem" and not tests[1].ok
           and tests[#tests].zone == "Normal" and tests[#tests].ok,
           "its watermark tests: HighMem no, Normal yes")
    say [[(A zone can end a few pages below a limit: pages move to the per-CPU list by
          the batch, and a CPU tells the zone's counter only now and then.)

          Nothing has failed, nobody was woken. The last request took one look at
          HighMem and went on to Normal. Step back (S) to see the two tests.]]
end

local function use_up_normal()
    title "5. Normal stops at the reserve"
    local normal, dma = zone.Normal, zone.DMA
    local limit = normal.low + normal.lowmem_reserve.HighMem
    sayf([[We go on. For these requests Normal has a limit of low + reserve = %d + %d
           = %d pages.]],
         normal.low, normal.lowmem_reserve.HighMem, limit)
    local before = vmstat("pgalloc_dma")
    exhaust(USER, 0, nil, function() return vmstat("pgalloc_dma") > before end)
    table_of_zones("The first page from DMA has been given out:")
    stops_at(normal, limit, "Normal")
    say [[Now DMA, and after it nothing is left above the low watermarks. Then the
          slow path begins: kswapd is woken, and all zones are tried again, this time
          down to min (plus the reserve). When that fails too, the task would reclaim
          pages itself. In this machine reclaim finds nothing, so the answer is NULL.]]
    exhaust(USER)
    expect(#events("vmscan:mm_vmscan_wakeup_kswapd")
               + #events("vmscan:kswapd_not_woken") > 0,
           "the last request woke kswapd, or found it awake")
    table_of_zones "User pages can no longer be had:"
    local high = zone.HighMem
    stops_at(high, high.min, "HighMem at min")
    stops_at(normal, normal.min + normal.lowmem_reserve.HighMem,
             "Normal at min + reserve")
    stops_at(dma, dma.min + dma.lowmem_reserve.HighMem, "DMA at min + reserve")
end

local function the_kernel_goes_on()
    title "6. The kernel still has its reserve"
    local normal, dma = zone.Normal, zone.DMA
    ask { ("User space gets nothing any more. GFP_KERNEL cannot use HighMem. Normal " ..
           "has %d free pages, min is %d. Does GFP_KERNEL get a page?")
              :format(normal.free, normal.min),
          "no, memory is used up", "yes, the reserve was kept for it",
          answer = 2,
          why = "For a request that begins in Normal, Normal's reserve is 0." }
    local pages = exhaust(KERNEL)
    table_of_zones(("GFP_KERNEL got %d pages before NULL:"):format(#pages))
    expect(#pages > 0, "GFP_KERNEL got what user pages could not have")
    stops_at(normal, normal.min, "Normal at min")
    stops_at(dma, dma.min + dma.lowmem_reserve.Normal, "DMA at min + reserve")
end

local function atomic_goes_deeper()
    title "7. GFP_ATOMIC goes deeper"
    local normal, dma = zone.Normal, zone.DMA
    say [[An interrupt handler cannot sleep until pages are freed. GFP_ATOMIC says so,
          and the test becomes easier: __GFP_HIGH takes half off min, and who cannot
          sleep at all a quarter off the rest.]]
    local function floor(z)
        local min = z.min - z.min // 2
        return min - min // 4
    end
    sayf("For Normal: %d - %d = %d, and a quarter less is %d.", normal.min,
         normal.min // 2,
         normal.min - normal.min // 2, floor(normal))
    local pages = in_irq(exhaust, ATOMIC)
    table_of_zones(("GFP_ATOMIC got %d pages more:"):format(#pages))
    expect(#pages > 0, "below min there were pages for GFP_ATOMIC")
    stops_at(normal, floor(normal), "Normal")
    stops_at(dma, floor(dma) + dma.lowmem_reserve.Normal, "DMA, with its reserve")
end

local function to_the_last_page()
    title "8. To the last page"
    say [[One kind of task may have everything: the one that frees memory itself
          (PF_MEMALLOC). To write a page to disk it may need a page for the request;
          without it nothing would ever be freed.]]
    local normal = zone.Normal
    local pages = memalloc(exhaust, KERNEL)
    table_of_zones(("PF_MEMALLOC got the last %d pages:"):format(#pages))
    expect(normal.free < normal:pcp().batch, "Normal is empty")
    expect(zone.HighMem.free > 0, "HighMem still has its min: GFP_KERNEL cannot use it")
    sayf([[The order in which they had to stop, from the pages free in Normal at their
           limits: user pages at %d, GFP_KERNEL at %d, GFP_ATOMIC at %d, PF_MEMALLOC
           at 0.]],
         normal.min + normal.lowmem_reserve.HighMem, normal.min,
         (normal.min - normal.min // 2) - (normal.min - normal.min // 2) // 4)
end

return lesson {
    title = "Zones and watermarks",
    summary = "Which zone answers a request, and who must stop at how many free pages.",
    machine = { arch = "i386", ram = "160M", highmem = "80M", cpus = 1 },
    run = function()
        the_zones()
        the_watermarks()
        the_reserve()
        use_up_highmem()
        use_up_normal()
        the_kernel_goes_on()
        atomic_goes_deeper()
        to_the_last_page()
        title "Now you"
        say [[Go back to the beginning (C) and type :lowmem_reserve_ratio("Normal",
              8). Where will user pages stop in Normal? Then run on (c) and see. Or
              :min_free_kbytes(4096): who profits, who loses?]]
    end,
}
