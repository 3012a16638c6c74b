-- What an allocation costs: the allocators' own loads and stores through the simulated
-- TLBs and caches, at each depth.
--
-- SPDX-License-Identifier: GPL-3.0-or-later
local SIZE = 200

local function take()
    return kmalloc(SIZE, GFP_KERNEL)
end

local function empty_caches()
    cache_all_op(3, 7)
    flush_tlb_all()
end

local function row(name, c)
    return ("  %-24s %6d accesses %4d lines %3d pages %7d cycles"):format(
        name, c.accesses, c.lines, c.pages, c.cycles)
end

local function one_hit()
    title "1. What an array hit touches"
    say [[An allocator is a program. It loads and stores words of its own: how many
          objects are in this CPU's array, which page a list begins with. On this machine
          (kernel_accesses = true) all of these go through the CPU's TLBs and caches, as
          your own loads do, to the addresses where the kernel has its structures.]]
    kmem_cache_init()
    local held = { take(), take() }
    held[3] = take()
    local c, touched = cost(), touches()
    expect_eq(#events "slab:array_hit" + #events "slub:hit", 1, "the CPU had an object")
    local lines = {}
    for i, t in ipairs(touched) do
        lines[i] = ("  %s %s  %s.%s"):format(t.write and "store" or "load ", hex(t.va),
                                             t.structure, t.field)
    end
    print(table.concat(lines, "\n"))
    expect_eq(#lines, c.accesses, "each of these is one load or store")
    if not machine.slub then
        expect_eq(c.accesses, 5, "the cache's pointer, avail twice, touched, entry")
    end
    expect(c.lines <= 3, ("in %d cache lines"):format(c.lines))
    expect_eq(c.cpu.accesses, c.accesses, "all of them in what belongs to this CPU alone")
    expect_eq(c.l1_misses, 0, "and all in L1, since the call before used them too")
    sayf("%d cycles. %s", c.cycles, machine.slub
         and [[The word `tid` is only there so that a call that was interrupted in the
               middle notices it, and tries again.]]
         or [[The word `touched` is only there so that cache_reap() knows that the array
              is in use.]])
    return held, c
end

local function cold(held, warm)
    title "2. The same call, cold"
    ask { "Now all caches and TLBs are emptied, and the same call comes. What does it "
          .. "cost, compared with before?",
          "twice as much", "ten times", "more than twenty times",
          answer = 3,
          why = [[Each line comes from memory, and each page's address has to be found in
                  the page tables first, which are in memory as well.]] }
    empty_caches()
    held[#held + 1] = take()
    local c = cost()
    expect_eq(c.accesses, warm.accesses, "the same accesses")
    expect_eq(c.l1_misses, c.lines, ("%d lines, %d misses"):format(c.lines, c.l1_misses))
    expect_eq(c.tlb_misses, c.pages, ("%d pages, %d walks that read %d entries")
        :format(c.pages, c.tlb_misses, c.walk_reads))
    expect(c.cycles > 20 * warm.cycles, ("%d cycles instead of %d")
        :format(c.cycles, warm.cycles))
    local l = c.by_level
    print(("  L1 %d, walks %d, L2 %d, memory %d"):format(l.l1, l.walk, l.l2, l.memory))
    say [[So what counts is not how many instructions there are. It is how many lines, and
          who used them last. That is why the array is last in, first out, and why it
          belongs to one CPU.]]
end

local function deeper()
    title "3. Deeper"
    say [[And when the array is empty? The same call then goes on to the shared array, to
          a slab, to this CPU's page list, to the buddy system. depths() measures each of
          these ways on a copy of this machine, cold and warm; the key $ shows the same as
          a table.]]
    local d = depths()
    local rows = {}
    local second = machine.slub and "cpu_partial" or "shared"
    for i, name in ipairs { "hit", second, "refill", "grow", "grow_refill" } do
        expect(d[name], ("%s is measured"):format(name))
        rows[i] = row(d[name].what, d[name].warm)
    end
    print(table.concat(rows, "\n"))
    expect(d.hit.warm.cycles * 10 < d.refill.warm.cycles, "a refill costs over ten hits")
    expect(d.grow.warm.lines < d.grow_refill.warm.lines,
           "asking the buddy system touches lines of zone, free lists and pages")
    ask { ("A refill costs %d cycles warm, a hit %d. Is the array worth it?"):format(
              d.refill.warm.cycles, d.hit.warm.cycles),
          "no: a refill costs more than the hits save",
          "yes: a refill brings many objects",
          answer = 2,
          why = ("It brings %d at once: about %d cycles for each."):format(
              d.refill.units, d.refill.warm.cycles // d.refill.units) }
    if not machine.slub then
        expect(d.refill.warm.cycles // d.refill.units <
                   d.grow.warm.cycles // d.grow.units,
               "for each object a refill is cheaper than a new slab")
    end
    return d
end

local function pages(d)
    title "4. Pages"
    local rows = {}
    for i, name in ipairs { "page_pcp", "page_refill", "page_buddy", "page_split" } do
        rows[i] = row(d[name].what, d[name].warm)
    end
    print(table.concat(rows, "\n"))
    expect(d.page_pcp.warm.cycles < d.page_buddy.warm.cycles,
           "a page from the CPU's list costs less than a block from the buddy system")
    expect(d.page_pcp.warm.buddy == nil and d.page_pcp.events < d.page_refill.events,
           "and it needs no zone->lock")
    ask { "kmalloc(4096) or alloc_page(): which is cheaper, when both have one at hand?",
          "kmalloc", "alloc_page",
          answer = 1,
          why = [[A page's way goes through the zonelist, the watermarks and the page's
                  own struct page. An object's goes through one array.]] }
    expect(d.hit.warm.cycles * 2 < d.page_pcp.warm.cycles,
           ("%d cycles an object, %d a page"):format(d.hit.warm.cycles,
                                                     d.page_pcp.warm.cycles))
end

local function another_cpu(held)
    title "5. Another CPU's objects"
    say [[CPU 0 has allocated. CPU 1 frees: into its own array, of course. But where are
          the lines?]]
    local first = on_cpu(1, function()
        kfree(table.remove(held))
        return cost()
    end)
    local second = on_cpu(1, function()
        kfree(table.remove(held))
        return cost()
    end)
    print(row("CPU 1's first kfree", first))
    print(row("its second", second))
    expect(first.l1_misses > 0, "CPU 1 has none of these lines")
    expect(second.cycles < first.cycles, "the second time it has")
    local own, page = 0, 0
    on_cpu(1, function()
        kfree(table.remove(held))
        for _, t in ipairs(touches()) do
            own = own + (t.structure == "array_cache" and 1 or 0)
            page = page + (t.structure == "page" and 1 or 0)
        end
    end)
    expect(own > 0 and page > 0, "kfree reads the struct page: whose object is it?")
    sayf([[The array is CPU 1's, so no line goes back and forth. Only the cache's struct
           and the page's are read by both, and reading may be shared.]])
end

return lesson {
    title = "What an allocation costs",
    summary = "Cycles, cache lines and TLB entries of the same call at each depth.",
    view = "objects",
    machine = { arch = "x86_64", ram = "256M", cpus = 2, kernel_accesses = true },
    run = function()
        local held, warm = one_hit()
        cold(held, warm)
        local d = deeper()
        pages(d)
        if not machine.slub then
            another_cpu(held)
        end
        title "Now you"
        say [[Press $ here, and again after the machine has been used for a while. With
              --set slab=slub the rows are SLUB's: which way touches fewer lines, which
              more? With --set l1d=8K, what becomes of the warm column? :cost last
              lists what the last operation touched, line by line.]]
    end,
}
